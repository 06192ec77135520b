//! What bindings to other languages need beside a device: callbacks outside of the operation that calls them, and what is open in
//! a process that forks.

use std::panic::resume_unwind;
use std::sync::{OnceLock, mpsc};
use std::thread;

use super::failure::{Failure, Kind};

/// Runs `work` on a thread of its own, and on this one what it asks meanwhile: whoever is asked may use other devices, whose
/// runtimes start on no thread that is in the middle of an operation. `work` gets a function that asks, and returns none once
/// nobody answers any more. What panics in either panics here.
///
/// # Errors
/// [`Kind::LinkLost`] if the operating system gives no thread.
pub fn run_asking<Question: Send, Answer: Send, T: Send>(
    work: impl FnOnce(&mut dyn FnMut(Question) -> Option<Answer>) -> T + Send,
    mut answer: impl FnMut(Question) -> Answer,
) -> Result<T, Failure> {
    let (ask, asked) = mpsc::channel();
    let (reply, replies) = mpsc::channel();
    // Moved there: if an answer panics, `work` gets none before it is waited for.
    thread::scope(move |threads| {
        let working = move || {
            let mut question = |question| {
                ask.send(question).ok()?;
                replies.recv().ok()
            };
            work(&mut question)
        };
        let working =
            thread::Builder::new().name("scopething-asking".to_owned()).spawn_scoped(threads, working);
        let working = working.map_err(|error| Failure::of(Kind::LinkLost, &error))?;
        for question in asked {
            if reply.send(answer(question)).is_err() {
                break;
            }
        }
        Ok(working.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// A value that each process has for itself. What the process before a `fork` had is left as it was: threads that served it
/// are not there, and a lock that one of them held stays held.
#[derive(Debug)]
pub struct OfProcess<T> {
    first: OnceLock<Box<Of<T>>>,
}

#[derive(Debug)]
struct Of<T> {
    process: u32,
    value: T,
    forked: OfProcess<T>,
}

impl<T: Default> OfProcess<T> {
    /// Nothing yet, for a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: OnceLock::new() }
    }

    /// The value of the process that calls.
    pub fn get(&self) -> &T {
        let process = std::process::id();
        let mut this = self;
        loop {
            let new = || Box::new(Of { process, value: T::default(), forked: Self::new() });
            let of = this.first.get_or_init(new);
            if of.process == process {
                return &of.value;
            }
            this = &of.forked;
        }
    }
}

impl<T: Default> Default for OfProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use tokio::runtime::Runtime;

    use super::*;

    fn runtime() -> Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn whoever_is_asked_may_use_another_runtime() {
        let outer = runtime();
        let mut asked = Vec::new();
        let work = |ask: &mut dyn FnMut(u32) -> Option<u32>| {
            outer.block_on(async { (1..4).map(|number| ask(number).unwrap()).collect::<Vec<_>>() })
        };
        let answered = run_asking(work, |number| {
            asked.push(number);
            runtime().block_on(async { number * 10 })
        });
        assert_eq!((answered.unwrap(), asked), (vec![10, 20, 30], vec![1, 2, 3]));
    }

    #[test]
    fn panics_of_either_side_reach_the_caller() {
        let of_work =
            catch_unwind(|| run_asking(|_: &mut dyn FnMut(()) -> Option<()>| panic!("by the work"), |()| ()));
        let of_answer = catch_unwind(|| {
            // It asks on, for as long as somebody answers.
            let work = |ask: &mut dyn FnMut(()) -> Option<()>| while ask(()).is_some() {};
            run_asking(work, |()| panic!("by the answer"))
        });
        for (panic, expected) in
            [(of_work.unwrap_err(), "by the work"), (of_answer.unwrap_err(), "by the answer")]
        {
            assert_eq!(panic.downcast_ref::<&str>(), Some(&expected));
        }
    }

    #[test]
    fn value_stays_within_a_process() {
        static COUNT: OfProcess<std::sync::atomic::AtomicU32> = OfProcess::new();
        COUNT.get().store(3, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(COUNT.get().load(std::sync::atomic::Ordering::Relaxed), 3);
        // As after a fork: what another process has is passed over, and stays.
        let other = Of { process: 0, value: 7, forked: OfProcess::new() };
        let of: OfProcess<u32> = OfProcess { first: OnceLock::from(Box::new(other)) };
        assert_eq!((*of.get(), of.first.get().unwrap().value), (0, 7));
    }
}
