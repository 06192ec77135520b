//! A job of `scopething record`, in a TOML file.
//!
//! ```toml
//! url = "sim:?A=sine,1kHz,0..3V"      # as --url
//! serial = "DB98TI79"                 # takes this scope only, on whatever port it is plugged in if there is no url
//! probes = "x10"                      # default: x1
//! attenuation = 10                    # or "A=10,B=1", as --attenuation; default: that of analog.conf
//! verify = true                       # reads all samples twice and compares, as --verify
//!
//! [capture]                           # as the options of `capture`, all optional
//! channels = ["A", "L3"]
//! period = "2ms"
//! trigger = "A"
//! timeout = "1s"
//!
//! # Instead, all samples without a gap, cut into traces that follow on one another:
//! [capture]
//! what = "stream"
//! channels = ["A"]
//! rate = "1kHz"                       # frame-rate = "4kHz", default: the fewest that make up the rate
//! low = "0V"                          # high, raw: as for traces
//! each = "10s"                        # the length of a trace
//!
//! [generate]                          # at most one of them
//! wave = "sine 1kHz 0..3.3V"          # clock = "1MHz 50%", or hold = "L3=1,L5=0"
//!
//! [when]                              # default: continuously
//! every = "10s"                       # or at = ["06:00", "18:30"], in UTC
//! count = 1000                        # for = "7d"
//!
//! [keep]
//! what = "outside"                    # all (the default), outside, summary, envelope
//! bands = [{ channel = "A", measure = "rms", low = "1V", high = "2V" }]
//!
//! [files]
//! directory = "/var/lib/scopething"
//! name = "bench"                      # default: trace
//! format = "csv"                      # csv and json grow; in any other each trace is a file
//! new-after = "1h"                    # a new file at each full hour; new-at = "10MB" before it is longer
//! keep-for = "30d"                    # keep-bytes = "2GB", keep-free = "500MB"
//! hold = "8MB"                        # memory for traces that a full disk does not take
//!
//! [status]
//! prometheus = "127.0.0.1:9180"
//! ```
//!
//! ```
//! use scopething_record::job::Job;
//!
//! let job = Job::parse("files.directory = '/tmp/x'\ncapture.period = '2ms'")?;
//! assert_eq!(job.request.period_s, 0.002);
//! let refused = Job::parse("files.directory = '/tmp/x'\ncapture.period = '2 parsecs'").unwrap_err();
//! assert_eq!(refused.line, Some(2));
//! # Ok::<(), scopething_record::job::JobError>(())
//! ```

pub mod keep;
mod lines;
pub mod measure;
pub mod schedule;
mod spec;

use std::net::SocketAddr;
use std::path::PathBuf;

use scopething_core::device::{AnalogParameters, Attenuation, BS05};
use scopething_core::plan::{
    BusyOutputs, CapturePlan, CaptureRequest, PlanError, StreamPlan, StreamRequest, TriggerSource,
    plan_capture, plan_stream,
};

use self::keep::Keep;
pub use self::lines::JobError;
use self::lines::KeyLines;
use self::schedule::{Extent, Spacing};
use self::spec::StreamSpec;
use crate::writer::listing::Naming;
use crate::writer::store::Limits;
use scopething::generate::GeneratorRequest;
use scopething::link::LinkUrl;
use scopething::request::{CaptureSpec, JsonRequestError};

/// Samples of a trace that is cut from a stream, at most: a few traces are in memory at once.
const MAX_STREAM_TRACE_SAMPLES: u64 = 100_000;

/// What to record, and how.
#[derive(Debug)]
pub struct Job {
    /// Where the scope is.
    pub url: LinkUrl,
    /// The scope's serial number; none takes the first one that is found, and no other from then on if that one has a serial
    /// number.
    pub serial: Option<String>,
    /// Which probe's calibration.
    pub probes: String,
    /// By what the probes divide beyond their calibration; none takes what the user's file of calibrations gives.
    pub attenuation: Option<Attenuation>,
    /// Whether all samples are read twice and compared.
    pub verify: bool,
    /// What to capture, if it does not stream.
    pub request: CaptureRequest,
    /// What to stream instead.
    pub stream: Option<StreamJob>,
    /// The request to the generators, if any.
    pub generate: Option<GeneratorRequest>,
    /// The outputs that they keep busy, which captures are planned around.
    pub driven: BusyOutputs,
    /// When traces are taken.
    pub spacing: Spacing,
    /// How many, or for how long.
    pub extent: Extent,
    /// What of them is kept.
    pub keep: Keep,
    /// Where, under which names and in which format.
    pub naming: Naming,
    /// When files are changed and removed.
    pub limits: Limits,
    /// How many traces are written before they are synced to disk.
    pub sync_every: u32,
    /// How many bytes are held in memory while the disk takes nothing.
    pub hold_bytes: u64,
    /// Where the status is written.
    pub status_file: PathBuf,
    /// Where the status is served.
    pub prometheus: Option<SocketAddr>,
}

/// All samples, without a gap as far as the link carries them, cut into traces that follow on one another.
///
/// Streaming follows what the vendor's library sends and expects, and has not been tried on a device yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamJob {
    /// What to stream.
    pub request: StreamRequest,
    /// How long a trace is, in seconds.
    pub each_s: f64,
}

impl StreamJob {
    /// The stream as it will be programmed, by the [nominal calibration](Job::nominal_probe) of its job.
    ///
    /// # Errors
    /// None, for a job that was [parsed](Job::parse).
    pub fn plan(&self, probe: &AnalogParameters, driven: BusyOutputs) -> Result<StreamPlan, PlanError> {
        plan_stream(&BS05, probe, &self.request, driven)
    }

    /// Samples of a trace.
    #[must_use]
    pub fn samples_of_trace(&self, plan: &StreamPlan) -> u64 {
        ((self.each_s * plan.rate_hz()).round() as u64).max(1)
    }
}

impl Job {
    /// Reads a job.
    ///
    /// # Errors
    /// For a key, unit or value that no job has, or that does not go with the others. The error names the line.
    pub fn parse(text: &str) -> Result<Self, JobError> {
        let lines = KeyLines::of(text);
        let job = if spec::is_stream(text) {
            spec::read::<StreamSpec>(text)?.job(&lines)?
        } else {
            spec::read::<CaptureSpec>(text)?.job(&lines)?
        };
        job.check_capture(&lines)?;
        Ok(job)
    }

    /// The nominal calibration, with the attenuation of the job.
    #[must_use]
    pub fn nominal_probe(&self) -> AnalogParameters {
        BS05.analog.attenuated(self.attenuation.unwrap_or_default())
    }

    /// The capture as it will be programmed, by the nominal calibration.
    ///
    /// # Errors
    /// None, for a job that was [parsed](Self::parse).
    pub fn plan(&self) -> Result<CapturePlan, PlanError> {
        plan_capture(&BS05, &self.nominal_probe(), &self.request, self.driven)
    }

    fn check_capture(&self, lines: &KeyLines) -> Result<(), JobError> {
        let refused = |error: PlanError| lines.error(&["capture", key_of(&error)], error.to_string());
        let Some(stream) = &self.stream else {
            let plan = self.plan().map_err(refused)?;
            if let (TriggerSource::Logic(_), Some(_)) = (plan.trigger, self.request.level) {
                let reason = format!(
                    "level is of an analog trigger, and this one waits for {}: leave it out",
                    plan.trigger
                );
                return Err(lines.error(&["capture", "level"], reason));
            }
            return Ok(());
        };
        let plan = stream.plan(&self.nominal_probe(), self.driven).map_err(refused)?;
        let samples = stream.samples_of_trace(&plan);
        if samples <= MAX_STREAM_TRACE_SAMPLES {
            return Ok(());
        }
        let reason = format!(
            "a trace would have {samples} samples: make it shorter, {MAX_STREAM_TRACE_SAMPLES} at most"
        );
        Err(lines.error(&["capture", "each"], reason))
    }
}

/// The key whose value cannot be planned.
fn key_of(error: &PlanError) -> &'static str {
    match error {
        PlanError::NoChannel | PlanError::NoChannelLeft | PlanError::NoMode => "channels",
        PlanError::Period(_) | PlanError::PeriodTooLong { .. } | PlanError::PeriodTooShort { .. } => "period",
        PlanError::NoSamples => "samples",
        PlanError::Range { .. } | PlanError::Attenuation(_) => "low",
        PlanError::Level(_) => "level",
        PlanError::Position(_) => "position",
        PlanError::Timeout(_) => "timeout",
        PlanError::Delay(_) => "delay",
        PlanError::EmptyPattern => "trigger",
        PlanError::StreamRate { .. } | PlanError::Timebase { .. } => "rate",
        PlanError::UnframedChannels => "unframed",
    }
}

/// The key whose value does not exist.
fn key_of_request(error: &JsonRequestError) -> &'static str {
    match error {
        JsonRequestError::Trigger { .. } => "trigger",
        JsonRequestError::TriggerType { .. } => "type",
        JsonRequestError::TriggerMode { .. } => "trigger-mode",
        JsonRequestError::Bits { .. } => "bits",
        JsonRequestError::DelayAndPosition => "delay",
        JsonRequestError::Channel { .. } | JsonRequestError::Form(_) => "channels",
    }
}

#[cfg(test)]
mod tests;
