//! Why a trigger does not come, in words, and what changes that.
//!
//! Every front end shows the same [`TriggerHint`]; how its [remedy](TriggerHint::remedy) is set is the front end's own to say: by an
//! option, a key of a job, a knob.

use std::fmt;

use scopething_core::plan::{CapturePlan, LogicLine, SampleRange, TriggerSource};
use scopething_core::trace::{Finding, Run, Seen, TriggerReport};

/// A filter of so few samples is that of a hair trigger already.
const HAIR_SAMPLES: u16 = 4;

/// What a capture waits for: `A rising through 1.25 V`, in volts at the input.
#[must_use]
pub fn awaited(plan: &CapturePlan) -> String {
    let (source, kind) = (plan.trigger, plan.trigger_type);
    match source {
        TriggerSource::Logic(_) => format!("{source} {kind}"),
        TriggerSource::Analog(_) => {
            let through = if kind.is_edge() { " through" } else { "" };
            let level = match plan.range {
                SampleRange::Volts { .. } => volts(plan.level),
                SampleRange::Fractions => format!("{} of the input span", plan.level),
            };
            format!("{source} {kind}{through} {level}")
        }
    }
}

/// Volts to the hundredth, or to the tenth of a millivolt where that is needed.
fn volts(volts: f64) -> String {
    let hundredths = volts * 100.0;
    if (hundredths - hundredths.round()).abs() < 0.05 {
        format!("{volts:.2} V")
    } else {
        format!("{volts:.4} V")
    }
}

/// What makes the trigger come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// More samples in the same time: the filter counts samples.
    MoreSamples,
    /// The hair trigger, whose filter is shorter, or more samples in the same time.
    HairTrigger,
    /// Another level, or no wait for the trigger.
    Level,
    /// Another pattern, or no wait for the trigger.
    Pattern,
}

/// Why a trigger does not come: `A stays between 0.00 and 1.00 V, the trigger is at 1.25 V`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TriggerHint {
    report: TriggerReport,
    has_hair_trigger: bool,
    /// Volts are shown as so many times those at the input.
    attenuation: f64,
}

impl TriggerHint {
    /// What was found out about the trigger of a capture, in volts at the input.
    #[must_use]
    pub fn new(plan: &CapturePlan, report: TriggerReport) -> Self {
        Self { report, has_hair_trigger: plan.trigger_filters().1 <= HAIR_SAMPLES, attenuation: 1.0 }
    }

    /// The same in volts at the tip of a probe that divides by `attenuation`.
    #[must_use]
    pub fn at_tip(self, attenuation: f64) -> Self {
        Self { attenuation, ..self }
    }

    /// What was found out.
    #[must_use]
    pub fn report(&self) -> &TriggerReport {
        &self.report
    }

    /// What makes the trigger come.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match (self.report.finding, self.report.seen) {
            (Finding::TooShort, _) if self.has_hair_trigger => Remedy::MoreSamples,
            (Finding::TooShort, _) => Remedy::HairTrigger,
            (_, Seen::Analog { .. }) => Remedy::Level,
            (_, Seen::Logic { .. }) => Remedy::Pattern,
        }
    }
}

impl fmt::Display for TriggerHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { report, attenuation, .. } = self;
        match report.seen {
            Seen::Analog { low, high, level } => {
                let [low, high, level] = [low, high, level].map(|volts| f64::from(volts) * attenuation);
                analog(f, report, low, high, level)
            }
            Seen::Logic { steady_wrong } => f.write_str(&logic(report, steady_wrong)),
        }
    }
}

fn analog(
    f: &mut fmt::Formatter<'_>,
    report: &TriggerReport,
    low: f64,
    high: f64,
    level: f64,
) -> fmt::Result {
    let (source, level) = (report.source, volts(level));
    match report.finding {
        Finding::NeverReached | Finding::NeverLeft if high - low < 0.005 => {
            write!(f, "{source} stays at {}, the trigger is at {level}", volts(f64::midpoint(low, high)))
        }
        Finding::NeverReached | Finding::NeverLeft => write!(
            f,
            "{source} stays between {low:.decimals$} and {high:.decimals$} V, the trigger is at {level}",
            decimals = if high - low < 0.1 { 3 } else { 2 },
        ),
        Finding::TooShort => {
            let (run, side) = short_run(report);
            let Run { needed, longest } = run;
            write!(
                f,
                "{source} is {side} {level} for {longest} samples at a time, the trigger needs {needed}"
            )
        }
        Finding::Unclear | Finding::Due { .. } => {
            write!(f, "{source} passes {level} between {low:.2} and {high:.2} V, and no trigger came of it")
        }
    }
}

/// The run that is too short, and on which side of the level that is.
fn short_run(report: &TriggerReport) -> (Run, &'static str) {
    let Run { needed, longest } = report.after;
    let is_after = longest < needed;
    let above = is_after != report.trigger_type.is_inverted();
    (if is_after { report.after } else { report.before }, if above { "above" } else { "below" })
}

fn logic(report: &TriggerReport, steady_wrong: u8) -> String {
    let TriggerReport { source, finding, .. } = report;
    match finding {
        Finding::TooShort => {
            let (run, side) = short_run(report);
            let is = if side == "above" { "is there" } else { "is gone" };
            format!("{source} {is} for {} samples at a time, the trigger needs {}", run.longest, run.needed)
        }
        Finding::Unclear | Finding::Due { .. } => {
            format!("{source} comes and goes, and no trigger came of it")
        }
        Finding::NeverReached | Finding::NeverLeft => {
            let TriggerSource::Logic(pattern) = source else { return format!("{source} stays as it is") };
            let steady = LogicLine::all().filter(|line| steady_wrong & line.bit() != 0).map(|line| {
                format!("{line} stays {}", if pattern.high & line.bit() == 0 { "high" } else { "low" })
            });
            let steady: Vec<String> = steady.collect();
            match (steady.is_empty(), never_there(report)) {
                (false, _) => steady.join(", "),
                (true, true) => format!("the lines are never at {source} together"),
                (true, false) => format!("{source} stays there"),
            }
        }
    }
}

/// Whether a pattern was never there; otherwise it always was.
fn never_there(report: &TriggerReport) -> bool {
    (report.finding == Finding::NeverReached) != report.trigger_type.is_inverted()
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_core::device::BS05;
    use scopething_core::plan::{BusyOutputs, CaptureRequest, ChannelSet, plan_capture};
    use scopething_core::trace::{EndReason, Trace, TraceBuffer};

    /// The hint of a trace of A, from 0 V to 8 V in steps of 1/32 V, whose trigger is at 4 V.
    fn hint(hair_trigger: bool, raw: &[u8]) -> TriggerHint {
        let request = CaptureRequest {
            period_s: 20e-6,
            samples: 100,
            low: Some(0.0),
            high: Some(8.0),
            hair_trigger,
            ..CaptureRequest::new("A".parse::<ChannelSet>().unwrap())
        };
        let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap();
        let mut buffer = TraceBuffer::new();
        buffer.region_mut(0..raw.len()).copy_from_slice(raw);
        let trace = Trace::new(&plan, &buffer, raw.len() as u16, EndReason::Cancel, 0);
        TriggerHint::new(&plan, TriggerReport::of_trace(&trace).unwrap())
    }

    #[test]
    fn volts_are_those_at_the_tip() {
        let hint = hint(false, &[0, 32, 64, 32, 0, 32, 64, 32, 0]);
        assert_eq!(hint.to_string(), "A stays between 0.00 and 2.00 V, the trigger is at 4.00 V");
        assert_eq!(
            hint.at_tip(10.0).to_string(),
            "A stays between 0.00 and 20.00 V, the trigger is at 40.00 V"
        );
        assert_eq!(hint.remedy(), Remedy::Level);
    }

    #[test]
    fn short_runs_need_another_filter_or_more_samples() {
        let short: Vec<u8> = (0..60).map(|sample| if sample % 6 < 3 { 32 } else { 224 }).collect();
        let slow = hint(false, &short);
        assert_eq!(slow.to_string(), "A is above 4.00 V for 3 samples at a time, the trigger needs 8");
        assert_eq!(slow.remedy(), Remedy::HairTrigger);
        assert_eq!(hint(true, &short).remedy(), Remedy::MoreSamples);
    }
}
