//! Value change dumps (IEEE 1364, 18.2), which `GTKWave` shows: logic lines as wires, analog channels as
//! reals.
//!
//! Times count from the first sample, in the coarsest unit of which all of them are whole multiples: sigrok takes a sample
//! in each unit. Where there is none they are rounded to the coarsest unit that is a hundredth of a sample period or less,
//! as in sigrok's own dumps: of 24 MHz in picoseconds it would make a million samples of 24. The last time is when the last samples end, so that
//! programs that hold each value until the next time have as many samples as were written. A comment has the rates, and
//! the trigger if there was one; another one has all [that is known](crate::facts), and the last time as `end`.

use std::io::Write;
use std::path::Path;

use vcd::{TimescaleUnit, Value, VarType};

use crate::pieces::Held;
use crate::rows::Rows;
use crate::{Format, PieceWriter, WriteError, facts};
use scopething_waveform::waveform::{Outline, SampleKind, SeriesOutline};

/// What the comment with [what is known](facts) begins with.
pub(crate) const FACTS: &str = "scopething ";

/// The key of the last time, in units of the dump: one that ends before is cut off.
pub(crate) const END: &str = "end";

/// The units of time of a dump, from the coarsest: count, name, and how many there are in a second.
const UNITS: [(u32, TimescaleUnit, f64); 13] = [
    (1, TimescaleUnit::S, 1.0),
    (100, TimescaleUnit::MS, 1e1),
    (10, TimescaleUnit::MS, 1e2),
    (1, TimescaleUnit::MS, 1e3),
    (100, TimescaleUnit::US, 1e4),
    (10, TimescaleUnit::US, 1e5),
    (1, TimescaleUnit::US, 1e6),
    (100, TimescaleUnit::NS, 1e7),
    (10, TimescaleUnit::NS, 1e8),
    (1, TimescaleUnit::NS, 1e9),
    (100, TimescaleUnit::PS, 1e10),
    (10, TimescaleUnit::PS, 1e11),
    PICOSECONDS,
];
const PICOSECONDS: (u32, TimescaleUnit, f64) = (1, TimescaleUnit::PS, 1e12);

/// The fewest units in a sample period where times are rounded to them.
const MIN_UNITS_A_SAMPLE: f64 = 100.0;

/// A part of a unit that no program sees.
const INVISIBLE: f64 = 1e-6;

/// Writes the changes of a capture as they come.
#[derive(Default)]
pub(crate) struct VcdWriter {
    dump: Option<Dump>,
}

/// The capture that is written.
struct Dump {
    rows: Rows,
    start_s: f64,
    /// Units of time in a second.
    units_a_second: f64,
    /// When the last samples end, and the time that was written last, in these units.
    end: u64,
    written: Option<u64>,
    variables: Vec<Variable>,
}

struct Variable {
    code: vcd::IdCode,
    kind: SampleKind,
    /// The sample before.
    before: Option<f32>,
}

impl PieceWriter for VcdWriter {
    fn begin(&mut self, outline: &Outline, _spool: &Path, out: &mut dyn Write) -> Result<(), WriteError> {
        let start_s = outline.start_s();
        let (count, unit, units_a_second) = unit_of(outline);
        let spacing_s = outline.sample_rate_hz.recip();
        let spacing_s = outline.channels.iter().map(|series| series.period_s).fold(spacing_s, f64::min);
        let duration_s = outline.end_s() - start_s + spacing_s;
        if duration_s * units_a_second >= u64::MAX as f64 {
            return Err(WriteError::TooLong(Format::Vcd));
        }
        let mut dump = vcd::Writer::new(out);
        dump.comment(&description(outline))?;
        // After the last samples, also where half a period is rounded away.
        let last = units(outline.end_s() - start_s, units_a_second);
        let end = units(duration_s, units_a_second).max(last.saturating_add(1));
        let mut facts: std::collections::BTreeMap<String, String> =
            facts::facts(outline).into_iter().collect();
        facts.insert(END.to_owned(), end.to_string());
        let facts = serde_json::to_string(&facts).map_err(std::io::Error::from)?;
        dump.comment(&format!("{FACTS}{}", facts.replace('$', "")))?;
        dump.timescale(count, unit)?;
        dump.add_module("scopething")?;
        let mut variables = Vec::new();
        for series in &outline.channels {
            let (kind, width) =
                if series.channel.is_analog() { (VarType::Real, 64) } else { (VarType::Wire, 1) };
            let code = dump.add_var(kind, width, &reference(series), None)?;
            variables.push(Variable { code, kind: series.kind, before: None });
        }
        dump.upscope()?;
        dump.enddefinitions()?;
        dump.flush()?;
        self.dump = Some(Dump {
            rows: Rows::of_outline(outline),
            start_s,
            units_a_second,
            end,
            written: None,
            variables,
        });
        Ok(())
    }

    fn samples(&mut self, held: &mut Held, out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(Dump { rows, start_s, units_a_second, written, variables, .. }) = &mut self.dump else {
            return Ok(());
        };
        let mut dump = vcd::Writer::new(out);
        while let Some(row) = rows.next_of(held) {
            for ((channel, variable), index) in variables.iter_mut().enumerate().zip(row.indices()) {
                let Some(sample) = index.and_then(|index| held.get(channel, index)) else { continue };
                if variable.before.is_some_and(|before| before.to_bits() == sample.to_bits()) {
                    continue;
                }
                variable.before = Some(sample);
                let time = units(row.time_s() - *start_s, *units_a_second);
                if *written != Some(time) {
                    dump.timestamp(time)?;
                    *written = Some(time);
                }
                match variable.kind {
                    SampleKind::Levels => dump.change_scalar(variable.code, Value::from(sample > 0.5))?,
                    SampleKind::Volts | SampleKind::Fractions => {
                        dump.change_real(variable.code, sample.into())?;
                    }
                }
            }
        }
        rows.drop_passed(held);
        Ok(dump.flush()?)
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(Dump { end, written, .. }) = self.dump.take() else { return Ok(()) };
        let mut dump = vcd::Writer::new(out);
        if written != Some(end) {
            dump.timestamp(end)?;
        }
        Ok(dump.flush()?)
    }
}

/// The name of a channel as a dump can hold it: without white space.
fn reference(series: &SeriesOutline) -> String {
    let name = series.label.as_deref().unwrap_or_default();
    let name =
        name.replace(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '$', "_");
    if name.is_empty() { series.channel.to_string() } else { name }
}

fn units(seconds: f64, units_a_second: f64) -> u64 {
    (seconds * units_a_second).round() as u64
}

/// The coarsest unit of which the times of all samples are whole multiples, or that is fine enough to round them.
fn unit_of(outline: &Outline) -> (u32, TimescaleUnit, f64) {
    let start_s = outline.start_s();
    let error = |seconds: f64, units_a_second: f64| {
        let units = seconds * units_a_second;
        (units - units.round()).abs()
    };
    let suits = |&(.., units_a_second): &(u32, TimescaleUnit, f64)| {
        outline.channels.iter().all(|series| {
            let period = series.period_s * units_a_second;
            // What arithmetic adds to a period is no part of it.
            let a_sample = (INVISIBLE / series.count.max(1) as f64).max(4.0 * f64::EPSILON * period);
            period > 0.5
                && error(series.period_s, units_a_second) <= a_sample
                && error(series.start_s - start_s, units_a_second) <= INVISIBLE
        })
    };
    let shortest_s = outline.channels.iter().map(|series| series.period_s).fold(f64::INFINITY, f64::min);
    let is_fine =
        |&(.., units_a_second): &(u32, TimescaleUnit, f64)| shortest_s * units_a_second >= MIN_UNITS_A_SAMPLE;
    let rounding = || UNITS.into_iter().find(is_fine).unwrap_or(PICOSECONDS);
    UNITS.into_iter().find(suits).unwrap_or_else(rounding)
}

/// One line; the end of a comment, `$end`, cannot come from a user's text.
fn description(recording: &Outline) -> String {
    let details = &recording.details;
    let mut parts = vec![format!("interleaved_sample_rate {} Hz", recording.sample_rate_hz)];
    parts.extend(
        recording
            .channels
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
