//! Which BitScope answers at a link, for commands that only look.

use std::fmt;
use std::time::Duration;

use super::progress::with_progress;
use scopething::link::{self, LinkUrl};
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

impl Identity {
    /// Connects, and asks for model, revision and serial number. The error is a text for the user.
    pub(super) async fn at(url: &LinkUrl) -> Result<Self, String> {
        let asking = async {
            let link = link::open_reading(url, playback::read).await.map_err(|error| error.to_string())?;
            let mut scope = link.connect().await.map_err(|error| error.to_string())?;
            let serial = scope.read_serial().await.map_err(|error| error.to_string())?;
            Ok(Self {
                model: scope.model().name.to_owned(),
                revision: scope.revision().to_string(),
                serial: serial.map(|serial| serial.to_string()).map_err(|reason| reason.to_string()),
            })
        };
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, with_progress(Box::pin(asking), "connecting"));
        let silent = |_| Err(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()));
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
