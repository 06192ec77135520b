//! Which BitScope answers at a link, for commands that only look.

use std::fmt;
use std::time::Duration;

use super::progress::with_progress;
use scopething::link::{self, LinkError, LinkUrl};
use scopething_core::scope::{ScopeError, ScopeErrorKind};
use scopething_files::playback;

/// How long a device has to answer, behind whatever link.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What answered.
pub(super) struct Identity {
    pub(super) model: String,
    pub(super) revision: String,
    /// Its serial number, or why it has none.
    pub(super) serial: Result<String, String>,
}

/// Why what is at a link could not be identified: a text for the user.
#[derive(Debug, Clone)]
pub(super) struct Unidentified {
    why: String,
    /// The link is open, and nothing at its other end answers as any BitScope does.
    pub(super) is_unanswered: bool,
}

impl Unidentified {
    fn of(error: &impl fmt::Display) -> Self {
        Self { why: error.to_string(), is_unanswered: false }
    }

    fn of_connecting(error: &ScopeError<LinkError>) -> Self {
        let is_unanswered = matches!(
            error.kind,
            ScopeErrorKind::NoAnswer { .. }
                | ScopeErrorKind::Incomplete { .. }
                | ScopeErrorKind::Surplus { .. }
                | ScopeErrorKind::Garbled(_)
        );
        Self { is_unanswered, ..Self::of(error) }
    }
}

impl fmt::Display for Unidentified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl Identity {
    /// Connects, and asks for model, revision and serial number.
    pub(super) async fn at(url: &LinkUrl) -> Result<Self, Unidentified> {
        let asking = async {
            let link =
                link::open_reading(url, playback::read).await.map_err(|error| Unidentified::of(&error))?;
            let mut scope = link.connect().await.map_err(|error| Unidentified::of_connecting(&error))?;
            let serial = scope.read_serial().await.map_err(|error| Unidentified::of(&error))?;
            Ok(Self {
                model: scope.model().name.to_owned(),
                revision: scope.revision().to_string(),
                serial: serial.map(|serial| serial.to_string()).map_err(|reason| reason.to_string()),
            })
        };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, with_progress(Box::pin(asking), "connecting"));
        let silent = |_| {
            let why = format!("no answer within {} s", ANSWER_TIMEOUT.as_secs());
            Err(Unidentified { why, is_unanswered: true })
        };
        answer.await.unwrap_or_else(silent)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, revision {}, ", self.model, self.revision)?;
        match &self.serial {
            Ok(serial) => write!(f, "serial number {serial}"),
            Err(reason) => write!(f, "no serial number: {reason}"),
        }
    }
}
