//! How a subcommand fails: what is printed, and the exit code.

use std::io;
use std::process::ExitCode;

use scopething_core::plan::PlanError;
use scopething_core::scope::{GenerateError, Recovery, ScopeError, ScopeErrorKind, Stage};

use super::message::{print_always, print_error};
use scopething::link::{LinkError, OpenError, UrlError};

/// Why a subcommand failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Wrong usage: exit code 2.
    Usage(anyhow::Error),
    /// The device, the link or a file failed: exit code 1.
    Failed(anyhow::Error),
    /// The user gave up, and there is nothing to show: exit code 130.
    Cancelled,
    /// The reader of standard output has closed it: nothing is left to print.
    OutputClosed,
    /// It was already reported: only the exit code is left.
    Reported(u8),
}

impl Failure {
    pub(super) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self::Usage(error.into())
    }

    pub(super) fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self::Failed(error.into())
    }

    /// Whether the device can only be reached by connecting anew.
    pub(super) fn is_of_lost_link(&self) -> bool {
        let Self::Failed(error) = self else { return false };
        let error = error.downcast_ref::<ScopeError<LinkError>>();
        error.is_some_and(|error| error.recovery() == Recovery::Reconnect)
    }

    /// Prints what went wrong, with its causes and what to try, and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        let (error, code) = match self {
            Self::Usage(error) => (error, 2),
            Self::Failed(error) => (error, 1),
            Self::Cancelled => {
                print_always!("cancelled");
                return ExitCode::from(130);
            }
            // Whoever reads the output has seen enough, as with `head -1`.
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Reported(code) => return ExitCode::from(code),
        };
        print_error!("{error}");
        let mut message = error.to_string();
        for cause in causes(&error) {
            if !message.contains(&cause) {
                print_always!("  because: {cause}");
                message = cause;
            }
        }
        if let Some(hint) = hint(&error) {
            print_always!("  hint: {hint}");
        }
        ExitCode::from(code)
    }
}

/// What led to an error, the nearest first.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let chain = match error.downcast_ref() {
        // The driver knows no more of a link's error than its text.
        Some(ScopeError::<LinkError> { kind: ScopeErrorKind::Link(error), .. }) => anyhow::Chain::new(error),
        _ => error.chain(),
    };
    chain.skip(1).map(ToString::to_string).collect()
}

/// What to try on the command line.
fn hint(error: &anyhow::Error) -> Option<&'static str> {
    if let Some(error) = error.downcast_ref::<OpenError>() {
        return match error {
            OpenError::NoBitScope => {
                Some("try `--url 'sim:?A=sine,1kHz,0..3V'`, a simulated BitScope with a signal on channel A")
            }
            OpenError::NoPort { .. } | OpenError::Port { .. } => {
                Some("`scopething list` shows the serial ports")
            }
            _ => None,
        };
    }
    let ScopeError { stage, kind, .. } = error.downcast_ref::<ScopeError<LinkError>>()?;
    match (stage, kind) {
        (Stage::Reset | Stage::Identify, ScopeErrorKind::NoAnswer { .. })
        | (_, ScopeErrorKind::Garbled(_)) => {
            Some("`scopething list` shows the serial ports; another one may be the BitScope")
        }
        (_, ScopeErrorKind::WrongRevision { .. }) => Some("only the BitScope Micro (BS05) is supported"),
        _ => None,
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::OutputClosed } else { Self::failed(error) }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::usage(error)
    }
}

impl From<UrlError> for Failure {
    fn from(error: UrlError) -> Self {
        Self::usage(error)
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Sim(_) => Self::usage(error),
            _ => Self::failed(error),
        }
    }
}

impl From<ScopeError<LinkError>> for Failure {
    fn from(error: ScopeError<LinkError>) -> Self {
        Self::failed(error)
    }
}

impl From<GenerateError<LinkError>> for Failure {
    fn from(error: GenerateError<LinkError>) -> Self {
        match error {
            GenerateError::Scope(error) => error.into(),
            GenerateError::Levels(error) => Self::usage(error),
            error => Self::failed(error),
        }
    }
}
