//! What a capture waits for, for whoever asks, and in the log.

use std::sync::Mutex;

use pyo3::prelude::*;
use scopething::trigger_hint::{Remedy, TriggerHint};

use crate::gate::lock;

/// The logger of the package.
const LOGGER: &str = "scopething";

/// What the capture that runs waits for.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<Option<Wait>>);

#[derive(Debug)]
struct Wait {
    text: String,
    /// Whether the text has the reason, and so something that the user should do.
    is_explained: bool,
    is_logged: bool,
}

impl Waiting {
    /// It waits for its trigger, `awaited`, which does not come for this reason, if one was found.
    pub(crate) fn is_for(&self, awaited: &str, hint: Option<&TriggerHint>) {
        let text = match hint {
            Some(hint) => format!("waiting for {awaited}: {}", advice(hint)),
            None => format!("waiting for {awaited}"),
        };
        *lock(&self.0) = Some(Wait { text, is_explained: hint.is_some(), is_logged: false });
    }

    /// It has ended.
    pub(crate) fn end(&self) {
        *lock(&self.0) = None;
    }

    pub(crate) fn text(&self) -> Option<String> {
        lock(&self.0).as_ref().map(|wait| wait.text.clone())
    }

    /// Logs what is new of it.
    ///
    /// # Errors
    /// What a handler of the log or of a signal raises.
    pub(crate) fn log(&self, py: Python<'_>) -> PyResult<()> {
        let new = lock(&self.0).as_mut().filter(|wait| !wait.is_logged).map(|wait| {
            wait.is_logged = true;
            (wait.text.clone(), wait.is_explained)
        });
        // The lock is free by now: a handler may ask what is waited for.
        let Some((text, is_explained)) = new else { return Ok(()) };
        let logger = py.import("logging")?.call_method1("getLogger", (LOGGER,))?;
        logger.call_method1(if is_explained { "warning" } else { "info" }, ("%s", text))?;
        Ok(())
    }
}

/// Why the trigger does not come, and what the user can do.
fn advice(hint: &TriggerHint) -> String {
    let arguments = match hint.remedy() {
        Remedy::MoreSamples => "give more nsamples",
        Remedy::HairTrigger => "give hair_trigger=True, or more nsamples",
        Remedy::Level => "give another trigger_level, or trigger_mode=\"auto\"",
        Remedy::Pattern => "give another trigger, or trigger_mode=\"auto\"",
    };
    format!("{hint}: {arguments}; Ctrl-C or cancel() gives the trace around this moment")
}
