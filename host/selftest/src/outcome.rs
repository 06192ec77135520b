//! What an experiment has seen, and what comes of it.

use serde_json::{Map, Value};

use super::stop::Stop;
use super::{Exchanges, Experiment, Finding};

/// What an experiment concludes about its assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    AsAssumed,
    /// It does not: the findings name what is otherwise.
    Otherwise,
    /// What was seen settles nothing.
    Inconclusive,
    /// The device or the link failed.
    Failed,
    /// It was not done.
    Skipped,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsAssumed => "as assumed",
            Self::Otherwise => "otherwise",
            Self::Inconclusive => "inconclusive",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// What came of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Which experiment.
    pub experiment: Experiment,
    /// What it concludes.
    pub verdict: Verdict,
    /// What is otherwise.
    pub findings: Vec<Finding>,
    /// Why there is no verdict, and what else there is to say.
    pub reason: Option<String>,
    /// What was measured, by name.
    pub measured: Map<String, Value>,
    /// All bytes exchanged.
    pub exchanges: Exchanges,
    /// The link is no more: another one has to be opened before the next experiment.
    pub link_lost: bool,
}

impl Outcome {
    /// An experiment that is not done.
    #[must_use]
    pub fn skipped(experiment: Experiment, reason: &str) -> Self {
        let stop = Stop::Skipped(reason.to_owned());
        Self::new(experiment, Notes::default(), Err(stop), Exchanges::default())
    }

    pub(super) fn new(
        experiment: Experiment,
        notes: Notes,
        ended: Result<(), Stop>,
        exchanges: Exchanges,
    ) -> Self {
        let Notes { findings, measured } = notes;
        let link_lost = matches!(ended, Err(Stop::LinkLost(_)));
        let (verdict, reason) = match ended {
            Err(Stop::Failed(reason) | Stop::LinkLost(reason)) => (Verdict::Failed, Some(reason)),
            // What was found before counts, whatever came after.
            Err(Stop::Inconclusive(reason) | Stop::Skipped(reason)) if !findings.is_empty() => {
                (Verdict::Otherwise, Some(reason))
            }
            Err(Stop::Inconclusive(reason)) => (Verdict::Inconclusive, Some(reason)),
            Err(Stop::Skipped(reason)) => (Verdict::Skipped, Some(reason)),
            Ok(()) if findings.is_empty() => (Verdict::AsAssumed, None),
            Ok(()) => (Verdict::Otherwise, None),
        };
        Self { experiment, verdict, findings, reason, measured, exchanges, link_lost }
    }
}

/// What an experiment has seen so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    findings: Vec<Finding>,
    measured: Map<String, Value>,
}

impl Notes {
    pub(super) fn found(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    pub(super) fn measured(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.measured.insert(name.into(), value.into());
    }

    /// Volts, or another quantity, to a thousandth.
    pub(super) fn measured_number(&mut self, name: impl Into<String>, value: f64) {
        self.measured(name, rounded(value));
    }

    pub(super) fn measured_numbers(&mut self, name: impl Into<String>, values: &[f64]) {
        let values: Vec<f64> = values.iter().copied().map(rounded).collect();
        self.measured(name, values);
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
