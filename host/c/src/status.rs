//! How a function of the interface ends: a code, and a message where the caller wants one.

use std::ffi::c_char;

use host::failure::{Failure, Kind};

/// The size of the texts of errors, in bytes.
pub const SCOPETHING_MESSAGE_SIZE: usize = 512;

/// How a function ended.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "the names that C sees")]
pub enum ScopethingStatus {
    /// All is well.
    SCOPETHING_OK = 0,
    /// An argument makes no sense: a null pointer, a number out of range, a text that is not understood.
    SCOPETHING_ERROR_ARGUMENT = 1,
    /// The handle is none, or is one of something else, or was closed.
    SCOPETHING_ERROR_HANDLE = 2,
    /// There is no device, or it does not answer.
    SCOPETHING_ERROR_NOT_FOUND = 3,
    /// Another program has the device, or this scope does something else: wait for its end, or end it.
    SCOPETHING_ERROR_BUSY = 4,
    /// What answers is no BitScope Micro.
    SCOPETHING_ERROR_WRONG_DEVICE = 5,
    /// The link is gone: close the scope and open it again.
    SCOPETHING_ERROR_LINK_LOST = 6,
    /// The device answered what it should not, or too late: try again.
    SCOPETHING_ERROR_BAD_ANSWER = 7,
    /// The device cannot do what was asked.
    SCOPETHING_ERROR_PLAN = 8,
    /// A file cannot be read or written.
    SCOPETHING_ERROR_FILE = 9,
    /// It was cancelled, and there is nothing to show.
    SCOPETHING_ERROR_CANCELLED = 10,
    /// The scope was closed meanwhile.
    SCOPETHING_ERROR_CLOSED = 11,
    /// It has not happened in the time given. What was waited for goes on.
    SCOPETHING_ERROR_TIMEOUT = 12,
    /// A fault of this library.
    SCOPETHING_ERROR_INTERNAL = 13,
}

use ScopethingStatus as Status;

/// What went wrong.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingError {
    /// As the function returned.
    pub status: ScopethingStatus,
    /// What happened, and what to do about it; empty if all is well.
    pub message: [c_char; SCOPETHING_MESSAGE_SIZE],
}

/// Why a function ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    Failed(Failure),
    Other(Status, String),
}

impl Stop {
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::Other(Status::SCOPETHING_ERROR_ARGUMENT, message.into())
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Other(status, _) => *status,
            Self::Failed(failure) => match failure.kind() {
                Kind::Usage => Status::SCOPETHING_ERROR_ARGUMENT,
                Kind::NotFound => Status::SCOPETHING_ERROR_NOT_FOUND,
                Kind::Busy => Status::SCOPETHING_ERROR_BUSY,
                Kind::WrongDevice => Status::SCOPETHING_ERROR_WRONG_DEVICE,
                Kind::LinkLost => Status::SCOPETHING_ERROR_LINK_LOST,
                Kind::BadAnswer => Status::SCOPETHING_ERROR_BAD_ANSWER,
                Kind::PlanError => Status::SCOPETHING_ERROR_PLAN,
                Kind::FileError => Status::SCOPETHING_ERROR_FILE,
                Kind::Closed => Status::SCOPETHING_ERROR_CLOSED,
                Kind::Cancelled => Status::SCOPETHING_ERROR_CANCELLED,
                _ => Status::SCOPETHING_ERROR_INTERNAL,
            },
        }
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            Self::Failed(failure) => failure.message(),
            Self::Other(_, message) => message,
        }
    }
}

impl<F: Into<Failure>> From<F> for Stop {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}

/// The name of a status, such as "SCOPETHING_OK"; null for what is none.
#[unsafe(no_mangle)]
pub extern "C" fn scopething_status_name(status: i32) -> *const c_char {
    const NAMES: [&std::ffi::CStr; 14] = [
        c"SCOPETHING_OK",
        c"SCOPETHING_ERROR_ARGUMENT",
        c"SCOPETHING_ERROR_HANDLE",
        c"SCOPETHING_ERROR_NOT_FOUND",
        c"SCOPETHING_ERROR_BUSY",
        c"SCOPETHING_ERROR_WRONG_DEVICE",
        c"SCOPETHING_ERROR_LINK_LOST",
        c"SCOPETHING_ERROR_BAD_ANSWER",
        c"SCOPETHING_ERROR_PLAN",
        c"SCOPETHING_ERROR_FILE",
        c"SCOPETHING_ERROR_CANCELLED",
        c"SCOPETHING_ERROR_CLOSED",
        c"SCOPETHING_ERROR_TIMEOUT",
        c"SCOPETHING_ERROR_INTERNAL",
    ];
    let name = usize::try_from(status).ok().and_then(|status| NAMES.get(status));
    name.map_or(std::ptr::null(), |name| name.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_names() {
        for (status, name) in [
            (Status::SCOPETHING_OK, "SCOPETHING_OK"),
            (Status::SCOPETHING_ERROR_INTERNAL, "SCOPETHING_ERROR_INTERNAL"),
        ] {
            // SAFETY: the name is a constant.
            let text = unsafe { std::ffi::CStr::from_ptr(scopething_status_name(status as i32)) };
            assert_eq!((text.to_str(), format!("{status:?}").as_str()), (Ok(name), name));
        }
        assert!(scopething_status_name(14).is_null() && scopething_status_name(-1).is_null());
    }
}
