//! Experiments that show whether a BitScope does what ScopeThing assumes of it.
//!
//! ScopeThing was written from documents and from programs that work, without a device at hand. Each [`Experiment`]
//! checks one assumption by measurement: [`Bench::run`] carries it out and gives an [`Outcome`], a [`Report`] holds
//! all of them with every byte exchanged, and nothing that identifies the owner of the device.
//!
//! What has to be wired is asked for through an [`Operator`]. Nothing here prints.
//!
//! ```
//! use scopething::link;
//! use scopething_selftest::{Bench, Experiment, NoOperator, Verdict};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let mut bench = Bench::new(link::open(&"sim:?clock=fast".parse()?).await?);
//! let outcome = bench.run(Experiment::Identity, &mut NoOperator).await;
//! assert_eq!(outcome.verdict, Verdict::AsAssumed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

mod analysis;
mod bench;
mod exchanges;
mod experiments;
mod finding;
mod operator;
mod raw;
mod report;
mod stop;

pub use bench::Bench;
pub use exchanges::{Exchange, Exchanges};
pub use finding::Finding;
pub use operator::{NoOperator, Operator, Reply};
pub use report::{LinkKind, Report};

use serde_json::{Map, Value};

use self::stop::Stop;

/// One of the experiments, in the order in which they are best done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Experiment {
    /// Reset, revision, serial number.
    Identity = 1,
    /// Twenty captures of an open input.
    Captures = 2,
    /// Known voltages on A.
    Voltages = 3,
    /// Where the trigger's edge lies in a capture.
    Edge = 4,
    /// The level of the trigger.
    Level = 5,
    /// The first sample of a full buffer.
    FullBuffer = 6,
    /// The clock on L5.
    Clock = 7,
    /// Trigger patterns of logic lines.
    Pattern = 8,
    /// Waits for a trigger that does not come.
    Waiting = 9,
    /// Logic lines held high and low.
    Hold = 10,
    /// Streams.
    Streaming = 11,
    /// The rate of the link.
    LinkRate = 12,
}

impl Experiment {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Identity,
        Self::Captures,
        Self::Voltages,
        Self::Edge,
        Self::Level,
        Self::FullBuffer,
        Self::Clock,
        Self::Pattern,
        Self::Waiting,
        Self::Hold,
        Self::Streaming,
        Self::LinkRate,
    ];

    /// The number it is chosen by, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The experiment of a number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|experiment| experiment.number() == number)
    }

    /// What is done.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Identity => "Reset, revision and serial number",
            Self::Captures => "Twenty captures of an open input",
            Self::Voltages => "Known voltages on A",
            Self::Edge => "Where the trigger's edge lies in a capture",
            Self::Level => "The level of the trigger",
            Self::FullBuffer => "The first sample of a full buffer",
            Self::Clock => "A clock of 10 kHz on L5, and its end",
            Self::Pattern => "Trigger patterns of logic lines",
            Self::Waiting => "Waits for a trigger that does not come",
            Self::Hold => "Logic lines held high and low",
            Self::Streaming => "Streams from 2.45 kHz up",
            Self::LinkRate => "How long a full dump takes",
        }
    }

    /// What has to be wired; none for an experiment that needs no wires.
    #[must_use]
    pub const fn wiring(self) -> Option<&'static str> {
        match self {
            Self::Identity
            | Self::Captures
            | Self::Pattern
            | Self::Waiting
            | Self::Streaming
            | Self::LinkRate => None,
            Self::Voltages => Some("A to GND, then A to L4; a cell of 1.5 V if there is one"),
            Self::Edge | Self::Level | Self::FullBuffer => Some("L4 to A"),
            Self::Clock => Some("L5 to A"),
            Self::Hold => Some("nothing on the logic pins but 1 kohm from L3 to GND, a voltmeter across it"),
        }
    }

    /// The assumption that it settles.
    #[must_use]
    pub const fn settles(self) -> &'static str {
        match self {
            Self::Identity => {
                "`!` is answered within 0.2 s and keeps the registers; the serial number can be read"
            }
            Self::Captures => "captures repeat, and none of their samples is stale",
            Self::Voltages => "the order and sign of samples of 16 bits, and how volts set the converters",
            Self::Edge => "a capture ends at the sample before its end address, and the trigger is not late",
            Self::Level => "TriggerLevel takes the whole voltage, not half of it",
            Self::FullBuffer => "one sample more than counted is written, at the end address",
            Self::Clock => "what drives a line changes at `U`, and a clock that is stopped is gone",
            Self::Pattern => {
                "a 1 bit of TriggerMask is a line that does not matter; a steady level is no edge"
            }
            Self::Waiting => {
                "a trigger that does not come ends by time-out or by `K`, and a capture works at once after"
            }
            Self::Hold => "a clock output whose other edge never comes holds its line",
            Self::Streaming => "the frames of a stream, and the rate from which on the link loses some",
            Self::LinkRate => "the link carries 1 Mbit/s",
        }
    }
}

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

    fn new(experiment: Experiment, notes: Notes, ended: Result<(), Stop>, exchanges: Exchanges) -> Self {
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
struct Notes {
    findings: Vec<Finding>,
    measured: Map<String, Value>,
}

impl Notes {
    fn found(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    fn measured(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.measured.insert(name.into(), value.into());
    }

    /// Volts, or another quantity, to a thousandth.
    fn measured_number(&mut self, name: impl Into<String>, value: f64) {
        self.measured(name, rounded(value));
    }

    fn measured_numbers(&mut self, name: impl Into<String>, values: &[f64]) {
        let values: Vec<f64> = values.iter().copied().map(rounded).collect();
        self.measured(name, values);
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

impl Bench {
    /// Carries out an experiment, and leaves the device with nothing running.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the device as it is at that moment; the next experiment resets it.
    pub async fn run(&mut self, experiment: Experiment, operator: &mut impl Operator) -> Outcome {
        // What a cancelled experiment has exchanged belongs to no other.
        self.take_exchanges();
        let mut notes = Notes::default();
        let mut ended = match self.rest().await {
            Ok(()) => experiments::carry_out(experiment, self, operator, &mut notes).await,
            Err(stop) => Err(stop),
        };
        if !matches!(ended, Err(Stop::LinkLost(_))) {
            let rested = self.rest().await;
            ended = ended.and(rested);
        }
        Outcome::new(experiment, notes, ended, self.take_exchanges())
    }

    /// Stops what an experiment that was cancelled has left running.
    ///
    /// # Errors
    ///
    /// Why the device could not be stopped.
    pub async fn stop(&mut self) -> Result<(), String> {
        self.rest().await.map_err(|stop| match stop {
            Stop::Failed(why) | Stop::LinkLost(why) | Stop::Skipped(why) | Stop::Inconclusive(why) => why,
        })
    }
}
