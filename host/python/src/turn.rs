//! Whose turn it is: one operation at a time has the device, the others queue in the order in which they came.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::failure::{Failure, Stop};
use crate::gate::{self, lock};

/// What is handed from one to the next.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    thing: Option<T>,
    holder: Holder,
    waiting: VecDeque<u64>,
    /// Threads that sleep until something changes: waking nobody costs a system call too.
    sleeping: usize,
    next: u64,
    streams: u64,
    /// The thread that has it has closed it: it does not go to the next.
    is_closing: bool,
}

/// Who has the thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Nobody,
    Thread(ThreadId),
    /// The stream of this number has it, until it is closed.
    Stream(u64),
    /// It was taken away for good.
    Gone,
}

impl<T> Turns<T> {
    pub(crate) fn new(thing: T) -> Self {
        let state = State {
            thing: Some(thing),
            holder: Holder::Nobody,
            waiting: VecDeque::new(),
            sleeping: 0,
            next: 0,
            streams: 0,
            is_closing: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Waits for one's turn; signals and the end of the interpreter end the wait.
    pub(crate) fn take(&self) -> Result<T, Stop> {
        let mut state = lock(&self.state);
        let me = state.next;
        state.next += 1;
        state.waiting.push_back(me);
        let taken = loop {
            match state.holder {
                Holder::Gone => break Err(Failure::closed().into()),
                Holder::Stream(_) => {
                    break Err(Failure::usage("a stream of this scope runs: close it first").into());
                }
                Holder::Thread(id) if id == thread::current().id() => {
                    let what = "this scope is in the middle of another operation of the same thread";
                    break Err(Failure::usage(format!("{what}: wait for its end")).into());
                }
                Holder::Nobody if state.waiting.front() == Some(&me) => {
                    if let Some(thing) = state.thing.take() {
                        state.holder = Holder::Thread(thread::current().id());
                        break Ok(thing);
                    }
                }
                Holder::Nobody | Holder::Thread(_) => {}
            }
            state.sleeping += 1;
            let waited = self.changed.wait_timeout(state, gate::POLL).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.sleeping -= 1;
            if waited.1.timed_out() {
                drop(state);
                let ended = if gate::is_shut() {
                    Err(Failure::closed().into())
                } else {
                    gate::raised_by_signal().map_err(Stop::Raised)
                };
                state = lock(&self.state);
                if let Err(stop) = ended {
                    break Err(stop);
                }
            }
        };
        state.waiting.retain(|&waiting| waiting != me);
        self.wake(state);
        taken
    }

    /// Gives it back, for the next in the queue. Returns it where this thread has closed it meanwhile, and must now see to that.
    pub(crate) fn give_back(&self, thing: T) -> Option<T> {
        let mut state = lock(&self.state);
        let kept = if state.is_closing {
            state.holder = Holder::Gone;
            Some(thing)
        } else {
            state.thing = Some(thing);
            state.holder = Holder::Nobody;
            None
        };
        self.wake(state);
        kept
    }

    /// How many wait for their turn.
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.state).waiting.len()
    }

    /// A stream keeps it from now on. Returns the number of the stream.
    pub(crate) fn leave_to_stream(&self) -> u64 {
        let mut state = lock(&self.state);
        state.streams += 1;
        state.holder = Holder::Stream(state.streams);
        state.streams
    }

    /// Takes it away for good, as soon as whoever has it gives it back. None if that was done before, or if this thread itself
    /// has it, as in a handler of signals: then [`Self::give_back`] returns it.
    pub(crate) fn take_to_close(&self) -> Option<T> {
        let mut state = lock(&self.state);
        let thing = loop {
            if let Some(thing) = state.thing.take() {
                break Some(thing);
            }
            if state.holder == Holder::Gone {
                break None;
            }
            if state.holder == Holder::Thread(thread::current().id()) {
                state.is_closing = true;
                return None;
            }
            state = self.sleep(state);
        };
        state.holder = Holder::Gone;
        self.wake(state);
        thing
    }

    /// Waits until the stream of this number has given it back.
    pub(crate) fn wait_for_stream(&self, number: u64) {
        let mut state = lock(&self.state);
        while state.holder == Holder::Stream(number) {
            state = self.sleep(state);
        }
    }

    /// Waits until something changes.
    fn sleep<'a>(&self, mut state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        state.sleeping += 1;
        let mut state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        state.sleeping -= 1;
        state
    }

    /// Lets others see what has changed.
    fn wake(&self, state: MutexGuard<'_, State<T>>) {
        let is_awaited = state.sleeping > 0;
        drop(state);
        if is_awaited {
            self.changed.notify_all();
        }
    }
}
