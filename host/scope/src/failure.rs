//! What goes wrong, as a binding reports it to another language: one kind for each thing that a caller can do about it, and a
//! message with its causes.

use std::error::Error;
use std::{fmt, io};

use crate::calibration_file::CalibrationFileError;
use crate::generate::GeneratorRequestError;
use crate::link::{DatagramError, LinkError, OpenError, UrlError};
use crate::request::JsonRequestError;
use scopething_core::calibration::CalibrationError;
use scopething_core::plan::PlanError;
use scopething_core::scope::{CalibrateError, GenerateError, Recovery, ScopeError, ScopeErrorKind};

/// What a caller can do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// There is no device, or it does not answer: plug it in, or name another link.
    NotFound,
    /// Another program has the device.
    Busy,
    /// What answered is no BitScope Micro.
    WrongDevice,
    /// The link is gone: connect again.
    LinkLost,
    /// The device answered what it should not: try again.
    BadAnswer,
    /// The device cannot do what was asked: see the [limits](Failure::limits).
    PlanError,
    /// What was asked makes no sense.
    Usage,
    /// A file cannot be read or written.
    FileError,
    /// The scope was closed: connect again.
    Closed,
    /// It was cancelled.
    Cancelled,
}

/// An error with its causes, ready to be raised.
#[derive(Debug, Clone)]
pub struct Failure {
    kind: Kind,
    message: String,
    /// What the device could do, by name.
    limits: Vec<(&'static str, f64)>,
}

impl Failure {
    /// A failure of a kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), limits: Vec::new() }
    }

    /// Something that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// The scope was closed.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(Kind::Closed, "the scope is closed: connect again")
    }

    /// An error, followed by those of its causes that say more.
    #[must_use]
    pub fn of(kind: Kind, error: &(dyn Error + 'static)) -> Self {
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

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened, and what to do about it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the device could do, by name.
    #[must_use]
    pub fn limits(&self) -> &[(&'static str, f64)] {
        &self.limits
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let kind = match &error {
            OpenError::PortInUse { .. } => Kind::Busy,
            OpenError::NotABridge { .. } => Kind::Usage,
            #[cfg(feature = "sim")]
            OpenError::Sim(_) => Kind::Usage,
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
    #[must_use]
    pub fn connecting(error: ScopeError<LinkError>) -> Self {
        let is_other = matches!(error.kind, ScopeErrorKind::Garbled(_));
        let is_silent = matches!(error.kind, ScopeErrorKind::NoAnswer { .. })
            || matches!(&error.kind, ScopeErrorKind::Link(of_link) if is_refused(of_link));
        let failure = Self::from(error);
        match (is_other, is_silent) {
            (true, _) => Self { kind: Kind::WrongDevice, ..failure },
            (_, true) => Self { kind: Kind::NotFound, ..failure },
            _ => failure,
        }
    }
}

/// Whether nothing listens there, which a link without connections finds out when it is first used.
fn is_refused(error: &LinkError) -> bool {
    matches!(error, LinkError::Network(error) if error.kind() == io::ErrorKind::ConnectionRefused)
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
            CalibrateError::Calibration(CalibrationError::Grid(_) | CalibrationError::NoChannel) => {
                Self::of(Kind::Usage, &error)
            }
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
        let kind = match error {
            CalibrationFileError::Name { .. } | CalibrationFileError::Multiplied { .. } => Kind::Usage,
            _ => Kind::FileError,
        };
        Self::of(kind, &error)
    }
}
