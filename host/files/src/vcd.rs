//! Value change dumps (IEEE 1364, 18.2), which `GTKWave` shows: logic lines as wires, analog channels as
//! reals.
//!
//! Times are in picoseconds from the first sample, so that those of both channels of a pair are exact. A
//! comment has the rates, and the trigger if there was one; another one has all [that is known](super::facts).

use std::io::Write;
use std::path::Path;

use vcd::{TimescaleUnit, Value, VarType};

use super::pieces::Held;
use super::rows::Rows;
use super::{Format, PieceWriter, WriteError, facts};
use scopething_waveform::waveform::{Outline, SampleKind, SeriesOutline};

/// What the comment with [what is known](facts) begins with.
pub(super) const FACTS: &str = "scopething ";
const PICOSECONDS: f64 = 1e12;

/// Writes the changes of a capture as they come.
#[derive(Default)]
pub(super) struct VcdWriter {
    dump: Option<Dump>,
}

/// The capture that is written.
struct Dump {
    rows: Rows,
    start_s: f64,
    end_ps: u64,
    written_ps: Option<u64>,
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
        if (outline.end_s() - start_s) * PICOSECONDS >= u64::MAX as f64 {
            return Err(WriteError::TooLong(Format::Vcd));
        }
        let mut dump = vcd::Writer::new(out);
        dump.comment(&description(outline))?;
        let facts: std::collections::BTreeMap<String, String> = facts::facts(outline).into_iter().collect();
        let facts = serde_json::to_string(&facts).map_err(std::io::Error::from)?;
        dump.comment(&format!("{FACTS}{}", facts.replace('$', "")))?;
        dump.timescale(1, TimescaleUnit::PS)?;
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
            end_ps: picoseconds(outline.end_s() - start_s),
            written_ps: None,
            variables,
        });
        Ok(())
    }

    fn samples(&mut self, held: &mut Held, out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(Dump { rows, start_s, written_ps, variables, .. }) = &mut self.dump else { return Ok(()) };
        let mut dump = vcd::Writer::new(out);
        while let Some(row) = rows.next_of(held) {
            for ((channel, variable), index) in variables.iter_mut().enumerate().zip(row.indices()) {
                let Some(sample) = index.and_then(|index| held.get(channel, index)) else { continue };
                if variable.before.is_some_and(|before| before.to_bits() == sample.to_bits()) {
                    continue;
                }
                variable.before = Some(sample);
                let time_ps = picoseconds(row.time_s() - *start_s);
                if *written_ps != Some(time_ps) {
                    dump.timestamp(time_ps)?;
                    *written_ps = Some(time_ps);
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
        let Some(Dump { end_ps, written_ps, .. }) = self.dump.take() else { return Ok(()) };
        let mut dump = vcd::Writer::new(out);
        // The last time is when the last samples were taken, changed or not.
        if written_ps != Some(end_ps) {
            dump.timestamp(end_ps)?;
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

fn picoseconds(seconds: f64) -> u64 {
    (seconds * PICOSECONDS).round() as u64
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
