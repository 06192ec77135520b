//! How a function of the interface runs: its panics and failures become statuses.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use host::failure::{Failure, Kind};

use crate::memory::{fill, write_error};
use crate::status::{SCOPETHING_MESSAGE_SIZE, ScopethingError, ScopethingStatus as Status, Stop};

/// Runs what a thread does to its end: a panic there is a failure, for which nobody waits in vain.
pub(crate) fn thread<T>(work: impl FnOnce() -> T) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| Failure::new(Kind::BadAnswer, panicked(panic.as_ref())))
}

/// Runs a function of the interface. No panic goes through C.
pub(crate) fn call(error: *mut ScopethingError, work: impl FnOnce() -> Result<(), Stop>) -> Status {
    let stop = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => None,
        Ok(Err(stop)) => Some(stop),
        Err(panic) => Some(Stop::Other(Status::SCOPETHING_ERROR_INTERNAL, panicked(panic.as_ref()))),
    };
    let status = stop.as_ref().map_or(Status::SCOPETHING_OK, Stop::status);
    let mut report = ScopethingError { status, message: [0; SCOPETHING_MESSAGE_SIZE] };
    fill(&mut report.message, stop.as_ref().map_or("", Stop::message));
    // SAFETY: the caller promises that `error` is null or points to room for one.
    unsafe { write_error(error, &report) };
    status
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    format!("a fault of this library: {}: please report it", text.unwrap_or("it panicked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_is_an_error() {
        let mut error = ScopethingError { status: Status::SCOPETHING_OK, message: [0; 512] };
        let status = call(&raw mut error, || panic!("by the test"));
        assert_eq!((status, error.status), (Status::SCOPETHING_ERROR_INTERNAL, status));
        let message: Vec<u8> =
            error.message.iter().take_while(|&&byte| byte != 0).map(|&byte| byte as u8).collect();
        assert!(String::from_utf8(message).unwrap().contains("by the test"));
    }
}
