//! What goes wrong, as the exceptions of the package: one kind for each thing that a caller can do about it.

use std::error::Error;

use pyo3::prelude::*;
use scopething::calibration_file::CalibrationFileError;
use scopething::generate::GeneratorRequestError;
use scopething::link::{DatagramError, LinkError, OpenError, UrlError};
use scopething::request::JsonRequestError;
use scopething_core::plan::PlanError;
use scopething_core::scope::{CalibrateError, GenerateError, Recovery, ScopeError, ScopeErrorKind};

/// The class of the exception, by its name in `scopething`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    NotFound,
    Busy,
    WrongDevice,
    LinkLost,
    BadAnswer,
    PlanError,
    Usage,
    FileError,
    Closed,
    Cancelled,
}

/// An error with its causes, ready to be raised.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    /// What the device could do, by name.
    limits: Vec<(&'static str, f64)>,
}

/// Why an operation ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Failed(Failure),
    /// Python code that ran meanwhile raised: a signal handler or a callback.
    Raised(PyErr),
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), limits: Vec::new() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    pub(crate) fn closed() -> Self {
        Self::new(Kind::Closed, "the scope is closed: connect again")
    }

    /// An error, followed by those of its causes that say more.
    pub(crate) fn of(kind: Kind, error: &(dyn Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message} (because: {text})");
            }
            cause = error.source();
        }
        Self::new(kind, message)
    }

    pub(crate) fn raise(self, py: Python<'_>) -> PyErr {
        let raised = || {
            let class = py.import("scopething._errors")?.getattr(format!("{:?}", self.kind).as_str())?;
            let error = class.call1((self.message.as_str(),))?;
            if self.kind == Kind::PlanError {
                let limits = pyo3::types::PyDict::new(py);
                for (name, value) in &self.limits {
                    limits.set_item(name, value)?;
                }
                error.setattr("limits", limits)?;
            }
            Ok(PyErr::from_value(error))
        };
        raised().unwrap_or_else(|error| error)
    }
}

impl Stop {
    pub(crate) fn raise(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Failed(failure) => failure.raise(py),
            Self::Raised(error) => error,
        }
    }
}

impl<F: Into<Failure>> From<F> for Stop {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::PortInUse { .. } => Kind::Busy,
            OpenError::NotABridge { .. } | OpenError::Sim(_) => Kind::Usage,
            _ => Kind::NotFound,
        };
        Self::of(kind, &error)
    }
}

impl From<ScopeError<LinkError>> for Failure {
    fn from(error: ScopeError<LinkError>) -> Self {
        let kind = match &error.kind {
            ScopeErrorKind::Link(
                LinkError::InUse { .. } | LinkError::Datagram(DatagramError::Refused { .. }),
            ) => Kind::Busy,
            ScopeErrorKind::WrongRevision { .. } => Kind::WrongDevice,
            ScopeErrorKind::DelayCutShort => Kind::Cancelled,
            _ => match error.recovery() {
                Recovery::Retry => Kind::BadAnswer,
                Recovery::Reconnect => Kind::LinkLost,
                Recovery::Fatal => Kind::WrongDevice,
            },
        };
        match &error.kind {
            // The driver knows no more of a link's error than its text.
            ScopeErrorKind::Link(of_link) => {
                let Self { message: causes, .. } = Self::of(kind, of_link);
                let message = error.to_string().replace(&of_link.to_string(), &causes);
                Self::new(kind, message)
            }
            _ => Self::of(kind, &error),
        }
    }
}

impl Failure {
    /// As when connecting: what answers then and makes no sense is another device.
    pub(crate) fn connecting(error: ScopeError<LinkError>) -> Self {
        let is_other = matches!(error.kind, ScopeErrorKind::Garbled(_));
        let is_silent = matches!(error.kind, ScopeErrorKind::NoAnswer { .. });
        let failure = Self::from(error);
        match (is_other, is_silent) {
            (true, _) => Self { kind: Kind::WrongDevice, ..failure },
            (_, true) => Self { kind: Kind::NotFound, ..failure },
            _ => failure,
        }
    }
}

impl From<GenerateError<LinkError>> for Failure {
    fn from(error: GenerateError<LinkError>) -> Self {
        match error {
            GenerateError::Scope(error) => error.into(),
            error => Self::of(Kind::Usage, &error),
        }
    }
}

impl From<CalibrateError<LinkError>> for Failure {
    fn from(error: CalibrateError<LinkError>) -> Self {
        match error {
            CalibrateError::Generate(error) => error.into(),
            CalibrateError::Scope(error) => error.into(),
            CalibrateError::Plan(error) => error.into(),
            CalibrateError::Cancelled => Self::of(Kind::Cancelled, &error),
            error => Self::of(Kind::BadAnswer, &error),
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let limits = match error {
            PlanError::PeriodTooLong { longest_s, fastest_hz, .. }
            | PlanError::PeriodTooShort { longest_s, fastest_hz, .. } => {
                vec![("longest_period", longest_s), ("fastest_rate", fastest_hz)]
            }
            PlanError::StreamRate { slowest_frames_hz, fastest_hz, .. } => {
                vec![("slowest_frame_rate", slowest_frames_hz), ("fastest_rate", fastest_hz)]
            }
            _ => Vec::new(),
        };
        Self { limits, ..Self::of(Kind::PlanError, &error) }
    }
}

impl From<GeneratorRequestError> for Failure {
    fn from(error: GeneratorRequestError) -> Self {
        let kind = match error {
            GeneratorRequestError::Spec(_) => Kind::Usage,
            GeneratorRequestError::Waveform(_) | GeneratorRequestError::Clocks(_) => Kind::PlanError,
        };
        Self::of(kind, &error)
    }
}

impl From<UrlError> for Failure {
    fn from(error: UrlError) -> Self {
        Self::of(Kind::Usage, &error)
    }
}

impl From<JsonRequestError> for Failure {
    fn from(error: JsonRequestError) -> Self {
        Self::of(Kind::Usage, &error)
    }
}

impl From<CalibrationFileError> for Failure {
    fn from(error: CalibrationFileError) -> Self {
        Self::of(Kind::FileError, &error)
    }
}
