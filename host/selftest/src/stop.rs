//! Why an experiment ended before it had a verdict.

use scopething_core::scope::{GenerateError, ScopeError, ScopeErrorKind};

use scopething::link::LinkError;

/// Why an experiment ended before it had a verdict. None of the texts names a host, a port or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// The operator left it out.
    Skipped(String),
    /// What was seen settles nothing.
    Inconclusive(String),
    /// The device did not answer as it must.
    Failed(String),
    /// The link is no more.
    LinkLost(String),
}

impl Stop {
    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::Failed(reason.into())
    }

    pub(super) fn inconclusive(reason: impl Into<String>) -> Self {
        Self::Inconclusive(reason.into())
    }
}

impl From<ScopeError<LinkError>> for Stop {
    fn from(error: ScopeError<LinkError>) -> Self {
        match error.kind {
            // The text of the link's own error names hosts and ports.
            ScopeErrorKind::Link(_) => Self::LinkLost(format!("the link failed while {}", error.stage)),
            ScopeErrorKind::Closed => Self::LinkLost(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<GenerateError<LinkError>> for Stop {
    fn from(error: GenerateError<LinkError>) -> Self {
        match error {
            GenerateError::Scope(error) => error.into(),
            _ => Self::Failed(error.to_string()),
        }
    }
}
