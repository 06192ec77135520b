//! Leaving Python for a while: waits that signals can end, and that are over when the interpreter is about to exit.
//!
//! A thread that comes back to an interpreter that has gone is killed by it, in the middle of whatever it does. So all
//! that is outside is counted, and [`shut`] waits for it before the interpreter goes.

use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use tokio::sync::watch;

use crate::failure::{Failure, Raise as _, Stop};

/// How often signals and closing are looked at: a press of Ctrl-C is acted on within this time.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// How long [`shut`] waits: longer than it takes to end what a device does.
const SHUT_TIMEOUT: Duration = Duration::from_secs(5);

static SHUT: LazyLock<watch::Sender<bool>> = LazyLock::new(|| watch::Sender::new(false));
static OUTSIDE: Mutex<usize> = Mutex::new(0);
static CAME_BACK: Condvar = Condvar::new();

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done where a lock is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs something without the interpreter's lock. Refused once the interpreter is about to exit.
pub(crate) fn outside<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Stop> + Send) -> PyResult<T> {
    if is_shut() {
        return Err(Failure::closed().raise(py));
    }
    outside_to_the_last(py, work)
}

/// As [`outside`], for what tidies up.
pub(crate) fn outside_to_the_last<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Stop> + Send,
) -> PyResult<T> {
    *lock(&OUTSIDE) += 1;
    let result = py.detach(work);
    // Back inside: from here on nothing can take the thread away.
    *lock(&OUTSIDE) -= 1;
    if is_shut() {
        // Only then somebody waits for it, and each call costs a system call.
        CAME_BACK.notify_all();
    }
    result.map_err(|stop| stop.raise(py))
}

/// The process in which something was made: a child process has none of the threads that serve it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn current() -> Self {
        Self(std::process::id())
    }

    /// Whether this is another one.
    pub(crate) fn is_left(self) -> bool {
        self.0 != std::process::id()
    }

    /// Refuses to go on in another one.
    pub(crate) fn check(self) -> Result<(), Failure> {
        if self.is_left() {
            return Err(Failure::usage("this scope was connected in another process: connect in this one"));
        }
        Ok(())
    }
}

pub(crate) fn is_shut() -> bool {
    *SHUT.borrow()
}

/// Completes when the interpreter is about to exit.
pub(crate) async fn shutting() {
    let mut shut = SHUT.subscribe();
    if shut.wait_for(|&shut| shut).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ends whatever is outside, and waits until it is over.
#[pyfunction]
pub(crate) fn shut(py: Python<'_>) {
    SHUT.send_replace(true);
    py.detach(|| {
        let deadline = Instant::now() + SHUT_TIMEOUT;
        let mut outside = lock(&OUTSIDE);
        while *outside > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            outside = CAME_BACK.wait_timeout(outside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    });
}

/// A child process has none of its parent's threads.
#[pyfunction]
pub(crate) fn forget_threads() {
    *lock(&OUTSIDE) = 0;
}

/// What the handlers of signals raised, if any came; those of other threads than the main one see none.
pub(crate) fn raised_by_signal() -> Result<(), PyErr> {
    Python::attach(|py| py.check_signals())
}

/// Calls `visit` in the interpreter from time to time, after the handlers of signals. Completes with what one of them raises,
/// unless `take` keeps it, or when `is_over`: that is looked at as often, which costs an operation less than to be woken for it.
pub(crate) async fn visits(
    is_over: impl Fn() -> bool,
    mut visit: impl FnMut(Python<'_>) -> PyResult<()>,
    mut take: impl FnMut() -> bool,
) -> Stop {
    loop {
        tokio::time::sleep(POLL).await;
        if is_over() || is_shut() {
            return Failure::closed().into();
        }
        let visited = Python::attach(|py| {
            let error = py.check_signals().and_then(|()| visit(py)).err()?;
            let is_interrupt = error.is_instance_of::<PyKeyboardInterrupt>(py);
            Some((error, is_interrupt))
        });
        match visited {
            Some((error, is_interrupt)) if !(is_interrupt && take()) => return Stop::Raised(error),
            _ => {}
        }
    }
}
