//! How a function of the interface ends: a status, and the details where the caller wants them.

use core::ffi::{CStr, c_char};
use core::fmt;

use scopething_core::plan::{ClockError, PlanError, WaveformError};
use scopething_core::scope::{GenerateError, Recovery, ScopeError, ScopeErrorKind, Stage};

use crate::link_error::LinkError;

/// How a function ended. The numbers are those of libscopething.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(non_camel_case_types, reason = "the names that C sees")]
pub enum ScopethingCoreStatus {
    /// All is well.
    SCOPETHING_CORE_OK = 0,
    /// An argument makes no sense: a null pointer, a number out of range.
    SCOPETHING_CORE_ERROR_ARGUMENT = 1,
    /// The memory is no scope that was initialised, or no trace that was planned or captured.
    SCOPETHING_CORE_ERROR_HANDLE = 2,
    /// The device does not answer.
    SCOPETHING_CORE_ERROR_NOT_FOUND = 3,
    /// The scope does something else, or another generator runs: end that first.
    SCOPETHING_CORE_ERROR_BUSY = 4,
    /// What answers is no BitScope Micro.
    SCOPETHING_CORE_ERROR_WRONG_DEVICE = 5,
    /// The link is gone: open it anew, then the scope.
    SCOPETHING_CORE_ERROR_LINK_LOST = 6,
    /// The device answered what it should not, or too late: try again.
    SCOPETHING_CORE_ERROR_BAD_ANSWER = 7,
    /// The device cannot do what was asked.
    SCOPETHING_CORE_ERROR_PLAN = 8,
    /// It was cancelled, and there is nothing to show.
    SCOPETHING_CORE_ERROR_CANCELLED = 10,
}

use ScopethingCoreStatus as Status;

/// Why a function ended early.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failure {
    /// Which argument, and what to do.
    Argument(&'static CStr),
    /// What is no scope or no trace.
    Handle(&'static CStr),
    Busy,
    Cancelled,
    Scope(ScopeError<LinkError>),
    Plan(PlanError),
    Wave(WaveformError),
    Clock(ClockError),
    Generate(GenerateError<LinkError>),
}

impl Failure {
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Argument(_) => Status::SCOPETHING_CORE_ERROR_ARGUMENT,
            Self::Handle(_) => Status::SCOPETHING_CORE_ERROR_HANDLE,
            Self::Cancelled => Status::SCOPETHING_CORE_ERROR_CANCELLED,
            Self::Plan(_) | Self::Wave(_) | Self::Clock(_) | Self::Generate(GenerateError::Levels(_)) => {
                Status::SCOPETHING_CORE_ERROR_PLAN
            }
            Self::Generate(GenerateError::Scope(error)) | Self::Scope(error) => of_scope(error),
            Self::Busy | Self::Generate(_) => Status::SCOPETHING_CORE_ERROR_BUSY,
        }
    }
}

fn of_scope(error: &ScopeError<LinkError>) -> Status {
    let is_opening = matches!(error.stage, Stage::Reset | Stage::Identify);
    match error.kind {
        ScopeErrorKind::WrongRevision { .. } => Status::SCOPETHING_CORE_ERROR_WRONG_DEVICE,
        ScopeErrorKind::DelayCutShort => Status::SCOPETHING_CORE_ERROR_CANCELLED,
        ScopeErrorKind::NoAnswer { .. } => Status::SCOPETHING_CORE_ERROR_NOT_FOUND,
        ScopeErrorKind::Garbled(_) if is_opening => Status::SCOPETHING_CORE_ERROR_WRONG_DEVICE,
        _ => match error.recovery() {
            Recovery::Retry => Status::SCOPETHING_CORE_ERROR_BAD_ANSWER,
            Recovery::Reconnect => Status::SCOPETHING_CORE_ERROR_LINK_LOST,
            Recovery::Fatal => Status::SCOPETHING_CORE_ERROR_WRONG_DEVICE,
        },
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(what) => {
                f.write_str("an argument makes no sense: ")?;
                f.write_str(what.to_str().unwrap_or_default())
            }
            Self::Handle(what) => f.write_str(what.to_str().unwrap_or_default()),
            Self::Busy => {
                f.write_str("the scope is in use: a function of its link or a callback cannot call it")
            }
            Self::Cancelled => f.write_str("it was cancelled before its first sample"),
            Self::Scope(error) => error.fmt(f),
            Self::Plan(error) => error.fmt(f),
            Self::Wave(error) => error.fmt(f),
            Self::Clock(error) => error.fmt(f),
            Self::Generate(error) => error.fmt(f),
        }
    }
}

impl From<ScopeError<LinkError>> for Failure {
    fn from(error: ScopeError<LinkError>) -> Self {
        Self::Scope(error)
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl From<GenerateError<LinkError>> for Failure {
    fn from(error: GenerateError<LinkError>) -> Self {
        Self::Generate(error)
    }
}

/// Runs a function of the interface that has no scope to keep the details in.
pub(crate) fn answer(work: impl FnOnce() -> Result<(), Failure>) -> Status {
    work().map_or_else(|failure| failure.status(), |()| Status::SCOPETHING_CORE_OK)
}

/// What a status means and what to do about it, a sentence; that of a wrong argument for what is no status. Never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn scopething_core_status_text(status: i32) -> *const c_char {
    let text = match status {
        0 => c"all is well",
        2 => c"not a scope that was initialised, or not a trace that was planned or captured",
        3 => c"the device does not answer: check that it is powered and connected",
        4 => c"the scope does something else, or another generator runs: end that first",
        5 => c"what answers is no BitScope Micro",
        6 => c"the link is gone: open it anew, then the scope",
        7 => c"the device answered what it should not, or too late: try again",
        8 => c"the device cannot do what was asked",
        10 => c"it was cancelled, and there is nothing to show",
        _ => c"an argument makes no sense",
    };
    text.as_ptr()
}
