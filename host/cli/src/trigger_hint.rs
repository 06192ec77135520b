//! Advice for a trigger that does not come.

use scopething_core::plan::{CapturePlan, LogicLine, SampleRange, TriggerSource};
use scopething_core::trace::{Finding, Run, Seen, TriggerReport};

/// What a capture waits for: `A rising through 1.25 V`.
pub(super) fn awaited(plan: &CapturePlan) -> String {
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

/// Why the trigger does not come, and what the user can do.
pub(super) fn hint(plan: &CapturePlan, report: &TriggerReport) -> String {
    let what = match report.seen {
        Seen::Analog { low, high, level } => {
            analog(report, f64::from(low), f64::from(high), f64::from(level))
        }
        Seen::Logic { steady_wrong } => logic(report, steady_wrong),
    };
    let advice = match (report.finding, report.seen) {
        (Finding::TooShort, _) if has_short_filter(plan) => "ask for more --samples",
        (Finding::TooShort, _) => "use --hair-trigger or more --samples",
        (_, Seen::Analog { .. }) => "set another --level, or --trigger-mode auto",
        (_, Seen::Logic { .. }) => "set another --trigger, or --trigger-mode auto",
    };
    format!("{what}: {advice}, or press Ctrl-C to see it now")
}

fn has_short_filter(plan: &CapturePlan) -> bool {
    plan.trigger_filters().1 <= 4
}

fn analog(report: &TriggerReport, low: f64, high: f64, level: f64) -> String {
    let (source, level) = (report.source, volts(level));
    match report.finding {
        Finding::NeverReached | Finding::NeverLeft if high - low < 0.005 => {
            format!("{source} stays at {}, the trigger is at {level}", volts(f64::midpoint(low, high)))
        }
        Finding::NeverReached | Finding::NeverLeft => format!(
            "{source} stays between {low:.decimals$} and {high:.decimals$} V, the trigger is at {level}",
            decimals = if high - low < 0.1 { 3 } else { 2 },
        ),
        Finding::TooShort => {
            let (run, side) = short_run(report);
            format!(
                "{source} is {side} {level} for {} samples at a time, the trigger needs {}",
                run.longest, run.needed
            )
        }
        Finding::Unclear | Finding::Due { .. } => {
            format!("{source} passes {level} between {low:.2} and {high:.2} V, and no trigger came of it")
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
