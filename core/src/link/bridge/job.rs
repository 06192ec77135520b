//! What the bridge does by itself, and where it is in that.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::bands::Bands;
use crate::device::AnalogParameters;
use crate::plan::CaptureRequest;
use crate::time::Micros;

/// What the bridge does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Job {
    /// What to capture.
    pub request: CaptureRequest,
    /// The probe to plan with.
    pub probe: AnalogParameters,
    /// How often.
    pub repeat: Repeat,
    /// The least time from the start of one capture to the start of the next.
    pub spacing: Micros,
    /// How many traces to keep at the most in flash, and as many in memory; none: as many as there is room for.
    pub keep: Option<u16>,
    /// What happens when so many are kept.
    pub when_full: WhenFull,
    /// Which traces go to flash. The others are kept in memory, where the newest replace the oldest.
    pub flash: ToFlash,
    /// The values that are expected: a trace is kept if one of its values lies outside its band, or cannot be measured.
    /// One that was ordered is kept whatever it shows.
    pub bands: Bands,
}

/// Which traces of a job go to flash, which wears out and outlasts power failures. One that was ordered, by
/// [`Request::CaptureNow`](super::Request::CaptureNow), the button or the trigger input, always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ToFlash {
    /// Each.
    Each,
    /// The first after power-up or arming, then the first after so long again and again.
    Spaced(Micros),
    /// None.
    Never,
}

/// How often a job captures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Repeat {
    /// Again and again.
    Forever,
    /// So often after each power-up or arming.
    Times(u32),
}

/// What happens when no more traces can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WhenFull {
    /// The job waits until traces are erased.
    Stop,
    /// The oldest trace goes.
    DropOldest,
}

/// What the bridge does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum JobState {
    /// Nothing: there is no job, or it is disarmed.
    Idle,
    /// It passes bytes through to the BitScope.
    PassingThrough,
    /// It waits for a BitScope to be plugged in.
    WaitingForScope,
    /// It waits for the time of the next capture.
    Spacing,
    /// It waits for the trigger.
    Armed,
    /// A trace was captured and is being stored.
    Triggered,
    /// It has captured as often as the job specifies.
    Finished,
    /// No more traces can be kept.
    Full,
    /// Something is wrong; it tries again by itself if that can help.
    Fault(Fault),
    /// It calibrates the probe.
    Calibrating {
        /// Points that were measured.
        done: u16,
        /// Points that are left.
        left: u16,
    },
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("idle"),
            Self::PassingThrough => f.write_str("passing through"),
            Self::WaitingForScope => f.write_str("waiting for a BitScope"),
            Self::Spacing => f.write_str("waiting for the time of the next capture"),
            Self::Armed => f.write_str("armed"),
            Self::Triggered => f.write_str("triggered"),
            Self::Finished => f.write_str("finished"),
            Self::Full => f.write_str("full"),
            Self::Fault(fault) => write!(f, "fault: {fault}"),
            Self::Calibrating { done, left } => write!(f, "calibrating, {left} points left after {done}"),
        }
    }
}

/// What went wrong on the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Fault {
    /// The BitScope was unplugged in the middle of something.
    Unplugged,
    /// The BitScope does not answer, or not as one does.
    Scope,
    /// What is plugged in is no BitScope Micro.
    WrongModel,
    /// The job's request cannot be planned.
    Request,
    /// The flash fails.
    Storage,
    /// The calibration gave no parameters.
    Calibration,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unplugged => "the BitScope was unplugged: check its cable",
            Self::Scope => "the BitScope does not answer as one does: plug it in again",
            Self::WrongModel => "what is plugged in is no BitScope Micro: only that one is supported",
            Self::Request => "the job cannot be captured: configure another",
            Self::Storage => "the flash fails: erase the traces, or use another board",
            Self::Calibration => {
                "the calibration failed: check that the probe is on L5, then calibrate again"
            }
        })
    }
}
