//! Value change dumps (IEEE 1364, 18.2), which `GTKWave` shows: logic lines as wires, analog channels as
//! reals.
//!
//! Times are in picoseconds from the first sample, so that those of both channels of a pair are exact. A
//! comment has the rates, and the trigger if there was one; another one has all [that is known](super::facts).

use std::io::Write;

use vcd::{TimescaleUnit, Value, VarType};

use super::{Format, WriteError, facts};
use scopething_waveform::waveform::{Samples, Series, Waveform};

/// What the comment with [what is known](facts) begins with.
pub(super) const FACTS: &str = "scopething ";
const PICOSECONDS: f64 = 1e12;

/// A change of one channel.
struct Change {
    time_ps: u64,
    variable: vcd::IdCode,
    to: Level,
}

enum Level {
    Logic(u8),
    Analog(f32),
}

pub(super) fn write(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    let start_s = recording.start_s();
    if (recording.end_s() - start_s) * PICOSECONDS >= u64::MAX as f64 {
        return Err(WriteError::TooLong(Format::Vcd));
    }
    let mut dump = vcd::Writer::new(out);
    dump.comment(&description(recording))?;
    let facts: std::collections::BTreeMap<String, String> = facts::facts(recording).into_iter().collect();
    let facts = serde_json::to_string(&facts).map_err(std::io::Error::from)?;
    dump.comment(&format!("{FACTS}{}", facts.replace('$', "")))?;
    dump.timescale(1, TimescaleUnit::PS)?;
    dump.add_module("scopething")?;
    let mut changes = Vec::new();
    for series in recording.channels() {
        let (kind, width) = if series.channel.is_analog() { (VarType::Real, 64) } else { (VarType::Wire, 1) };
        let variable = dump.add_var(kind, width, &reference(series), None)?;
        collect_changes(series, start_s, variable, &mut changes);
    }
    dump.upscope()?;
    dump.enddefinitions()?;
    changes.sort_by_key(|change| change.time_ps);
    let mut written_ps = None;
    for change in changes {
        if written_ps != Some(change.time_ps) {
            dump.timestamp(change.time_ps)?;
            written_ps = Some(change.time_ps);
        }
        match change.to {
            Level::Logic(level) => dump.change_scalar(change.variable, Value::from(level > 0))?,
            Level::Analog(volts) => dump.change_real(change.variable, volts.into())?,
        }
    }
    // The last time is when the last samples were taken, changed or not.
    let end_ps = picoseconds(recording.end_s() - start_s);
    if written_ps != Some(end_ps) {
        dump.timestamp(end_ps)?;
    }
    Ok(dump.flush()?)
}

/// The name of a channel as a dump can hold it: without white space.
fn reference(series: &Series) -> String {
    let name = series.label.as_deref().unwrap_or_default();
    let name =
        name.replace(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '$', "_");
    if name.is_empty() { series.channel.to_string() } else { name }
}

fn picoseconds(seconds: f64) -> u64 {
    (seconds * PICOSECONDS).round() as u64
}

fn collect_changes(series: &Series, start_s: f64, variable: vcd::IdCode, changes: &mut Vec<Change>) {
    let mut before = None;
    for (index, sample) in series.samples.iter().enumerate() {
        if before.is_some_and(|before: f32| before.to_bits() == sample.to_bits()) {
            continue;
        }
        before = Some(sample);
        let to = match &series.samples {
            Samples::Levels(_) => Level::Logic(sample as u8),
            Samples::Volts(_) | Samples::Fractions(_) => Level::Analog(sample),
        };
        changes.push(Change { time_ps: picoseconds(series.timestamp(index) - start_s), variable, to });
    }
}

/// One line; the end of a comment, `$end`, cannot come from a user's text.
fn description(recording: &Waveform) -> String {
    let details = recording.details();
    let mut parts = vec![format!("interleaved_sample_rate {} Hz", recording.sample_rate_hz())];
    parts.extend(
        recording
            .channels()
            .iter()
            .map(|series| format!("{}_sample_rate {} Hz", series.channel, series.sample_rate_hz())),
    );
    parts.extend(details.cause.map(|cause| format!("cause {cause}")));
    if let Some(trigger) = &details.trigger {
        parts.push(format!("trigger {} {} at {} s", trigger.source, trigger.kind, trigger.time_s));
        parts.extend(trigger.level.map(|level| format!("level {level}")));
    }
    parts.join(", ").replace('$', "").replace(char::is_control, " ")
}
