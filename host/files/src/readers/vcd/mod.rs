//! Reads value change dumps: wires and registers of one bit as logic lines, reals as analog channels.
//!
//! A dump has changes, and no sample rate. Of what the [writer](crate::writers::vcd) writes, the comment has when was sampled; otherwise
//! samples are taken as often as all changes are multiples of.

pub(crate) mod pieces;

use std::io::{self, BufRead};

use vcd::{Command, Value, VarType};

use crate::facts::{ChannelFact, Known};
use crate::readers::assign::{Assigned, Candidate, assign};
use crate::readers::options::ReadOptions;
use crate::writers::vcd::{END, FACTS};
use crate::{Format, MAX_SAMPLES, ReadError, TraceReader};
use scopething_waveform::waveform::{SampleKind, Samples, Series, SeriesOutline, Waveform};

/// Reads the capture in a value change dump.
pub struct VcdReader<R> {
    input: Option<R>,
    options: ReadOptions,
    warnings: Vec<String>,
}

/// A variable and its changes.
struct Variable {
    code: vcd::IdCode,
    name: String,
    is_analog: bool,
    /// Times in units of the dump, and values.
    changes: Vec<(u64, f32)>,
}

impl<R: BufRead> VcdReader<R> {
    /// Reads from text.
    pub fn new(input: R, options: ReadOptions) -> Self {
        Self { input: Some(input), options, warnings: Vec::new() }
    }

    fn capture(&mut self, input: R) -> Result<Waveform, ReadError> {
        let mut events = Events::of(input);
        let Header { unit_s, facts, mut variables, left_out } = header(&mut events.parser)?;
        let (known, stated_end) = (Known::of(&facts), stated_end(&facts));
        self.warnings.extend(left_out_warning(&left_out));
        let assigned = assign(&candidates(&variables, &known), &self.options.channels, &mut self.warnings)?;
        let mut changed = None;
        let (mut total, mut unknown) = (0, 0);
        while let Some(event) = events.next().transpose()? {
            let Event::Change(code, value) = event else { continue };
            let now = events.now;
            changed = Some(now);
            let is_used =
                || assigned.iter().any(|one| variables.get(one.index).is_some_and(|of| of.code == code));
            unknown += usize::from(value.is_none() && is_used());
            total += 1;
            if total > MAX_SAMPLES {
                return Err(ReadError::TooLong);
            }
            for variable in variables.iter_mut().filter(|variable| variable.code == code) {
                variable.changes.push((now, value.unwrap_or(0.0)));
            }
        }
        self.warnings.extend(unknown_warning(unknown));
        self.warnings.extend(events.cut_off(&known));
        let end = events.end(changed);
        let used: Vec<(&Assigned, &Variable)> =
            assigned.iter().filter_map(|one| Some((one, variables.get(one.index)?))).collect();
        let channels = if known.channels.is_empty() {
            self.by_changes(&used, end, unit_s)?
        } else {
            self.by_facts(&used, &known, end.known_until(&known, stated_end, unit_s), unit_s)?
        };
        if channels.iter().all(|series| series.samples.is_empty()) {
            let from_s = self.options.from_s.unwrap_or(0.0);
            return Err(ReadError::NothingThere { from_s, start_s: 0.0, end_s: end.time as f64 * unit_s });
        }
        if !events.is_cut {
            let counts = channels.iter().map(|series| (series.channel, series.samples.len()));
            self.warnings.extend(known.cut_off(self.options.read_all(), counts));
        }
        let rate_hz = known.sample_rate_hz.unwrap_or_else(|| crate::readers::spacing::clock_hz(&channels));
        let channels = channels.into_iter().filter(|series| !series.samples.is_empty()).collect();
        self.options.at_rate(known.waveform(rate_hz, channels)?)
    }

    /// The samples at the times that the writer took them, up to the end of the dump: one that was cut off has no more.
    fn by_facts(
        &self,
        used: &[(&Assigned, &Variable)],
        known: &Known,
        end: u64,
        unit_s: f64,
    ) -> Result<Vec<Series>, ReadError> {
        let begin_s = known.start_s();
        let mut room = MAX_SAMPLES as u64;
        let mut channels = Vec::new();
        for (one, variable) in used {
            let Some(fact) = known.channel(one.channel) else { continue };
            let ChannelFact { start, period, samples, .. } = *fact;
            let (first, count) = self.options.window().of(start, period);
            let sampling = Sampling::in_seconds(start - begin_s, period, unit_s);
            let last = (samples as u64).min(first.saturating_add(count)).min(sampling.samples_until(end));
            room = room.checked_sub(last.saturating_sub(first)).ok_or(ReadError::TooLong)?;
            let units = (first..last).map(|sample| sampling.unit_of(sample)).take_while(|unit| *unit <= end);
            let samples = held(variable, units);
            let start_s = start + first as f64 * period;
            channels.push(Series {
                label: one.label.clone(),
                ..Series::new(one.channel, start_s, period, samples)
            });
        }
        Ok(channels)
    }

    /// Samples as often as all changes are multiples of.
    fn by_changes(
        &self,
        used: &[(&Assigned, &Variable)],
        end: End,
        unit_s: f64,
    ) -> Result<Vec<Series>, ReadError> {
        let times = used.iter().flat_map(|(_, variable)| variable.changes.iter().map(|(time, _)| *time));
        let common = times.chain(end.whole_time()).fold(0, greatest_common_divisor);
        let step = match self.options.rate_hz {
            Some(rate_hz) => (rate_hz.recip() / unit_s).max(f64::MIN_POSITIVE),
            None if common == 0 => return Err(ReadError::NoRate),
            None => common as f64,
        };
        let period_s = step * unit_s;
        let (first, count) = self.options.window().of(0.0, period_s);
        let last = end.samples(step).min(first.saturating_add(count));
        if last.saturating_sub(first).saturating_mul(used.len() as u64) > MAX_SAMPLES as u64 {
            return Err(ReadError::TooLong);
        }
        let series = used.iter().map(|(one, variable)| {
            let units = (first..last).map(|sample| (sample as f64 * step).round() as u64);
            let start_s = first as f64 * period_s;
            Series {
                label: one.label.clone(),
                ..Series::new(one.channel, start_s, period_s, held(variable, units))
            }
        });
        Ok(series.collect())
    }
}

/// The last time of a dump.
#[derive(Clone, Copy)]
struct End {
    time: u64,
    /// Whether something changes then. Otherwise it is when what was before ends.
    is_change: bool,
    /// Whether the dump is cut off behind it, so that not all that changes then is there.
    is_cut: bool,
    /// Whether the text ends with it, so that it may have had more digits.
    is_open: bool,
}

impl End {
    /// The last time, unless digits of it may be missing: the steps of a part of a number are any.
    fn whole_time(self) -> Option<u64> {
        (!self.is_open).then_some(self.time)
    }

    /// The last time at which all is known: of a dump that ends before the samples it states do, more may have changed
    /// at its last time. `stated` is the end that it states itself.
    fn known_until(self, known: &Known, stated: Option<u64>, unit_s: f64) -> u64 {
        let begin_s = known.start_s();
        let last = known.channels.iter().filter_map(|(_, fact)| {
            let sampling = Sampling::in_seconds(fact.start - begin_s, fact.period, unit_s);
            Some(sampling.unit_of(fact.samples.checked_sub(1)? as u64))
        });
        // Dumps of earlier versions do not state it.
        let before = || Some(last.max()?.saturating_add(1).min(earlier_end(known, unit_s)));
        let is_short = self.is_cut || stated.or_else(before).is_some_and(|end| self.time < end);
        self.time.saturating_sub(u64::from(is_short))
    }

    /// How many samples are taken if one is each `step` units of the dump from 0 on.
    fn samples(self, step: f64) -> u64 {
        let steps = self.time as f64 / step;
        // A step by a rate that is asked for is a rounded quotient.
        let whole = steps.round();
        let steps = if (steps - whole).abs() <= 1e-9 * steps { whole } else { steps };
        if self.is_change { (steps.floor() as u64).saturating_add(1) } else { steps.ceil() as u64 }
    }
}

/// The last time in a dump of all these samples as earlier versions wrote it: where half a period was rounded away, that
/// of the last sample.
fn earlier_end(known: &Known, unit_s: f64) -> u64 {
    let mut end_s = f64::NEG_INFINITY;
    let mut spacing_s = known.sample_rate_hz.map_or(f64::INFINITY, f64::recip);
    for (channel, fact) in &known.channels {
        let series = SeriesOutline {
            channel: *channel,
            label: None,
            start_s: fact.start,
            period_s: fact.period,
            kind: SampleKind::Levels,
            count: fact.samples,
        };
        end_s = end_s.max(series.end_s());
        spacing_s = spacing_s.min(fact.period);
    }
    Sampling::in_seconds(end_s - known.start_s() + spacing_s, 0.0, unit_s).unit_of(0)
}

/// What the changes of a dump are made of.
enum Event {
    /// What follows is of this time, in units of the dump.
    Time(u64),
    /// To a value; none to a level that is not known (`x`) or not driven (`z`).
    Change(vcd::IdCode, Option<f32>),
}

/// The text of a dump, of which the last word may be its end.
type Ended<R> = io::Chain<R, &'static [u8]>;

/// The changes of a dump, up to its end.
struct Events<R> {
    parser: vcd::Parser<Ended<R>>,
    /// The time of what came last.
    now: u64,
    /// Whether the last line is not complete, and left out.
    is_cut: bool,
    /// Whether the text ends with a time that has no end of its own.
    is_time_open: bool,
}

impl<R: BufRead> Events<R> {
    fn of(input: R) -> Self {
        Self { parser: vcd::Parser::new(input.chain(b"\n")), now: 0, is_cut: false, is_time_open: false }
    }

    fn end(&self, changed: Option<u64>) -> End {
        let Self { now, is_cut, is_time_open, .. } = *self;
        End { time: now, is_change: changed == Some(now) && !is_cut, is_cut, is_open: is_time_open }
    }

    /// The warning for a dump that ends within a line. One whose end is known does not need it for a time.
    fn cut_off(&self, known: &Known) -> Option<String> {
        let warning = if self.is_cut {
            "the dump is cut off in its last line: it is read up to there"
        } else if self.is_time_open && known.channels.is_empty() {
            "the dump may be cut off in its last time, which no line feed ends: the sample rate is that of the \
             times before"
        } else {
            return None;
        };
        Some(warning.to_owned())
    }

    /// Whether the last word had no end but that of the text.
    fn ends_in_a_word(&mut self) -> bool {
        let (input, end) = self.parser.reader().get_mut();
        end.is_empty() && input.fill_buf().is_ok_and(<[u8]>::is_empty)
    }
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = Result<Event, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let command = self.parser.next()?;
            match event(command, self.now) {
                Ok(None) => {}
                Ok(Some(event)) => {
                    if let Event::Time(time) = event {
                        self.now = time;
                        self.is_time_open = self.ends_in_a_word();
                    }
                    return Some(Ok(event));
                }
                Err(_) if self.ends_in_a_word() => {
                    self.is_cut = true;
                    return None;
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What a command after the definitions means, at a time; `None` if nothing.
fn event(command: std::io::Result<Command>, now: u64) -> Result<Option<Event>, ReadError> {
    Ok(match command.map_err(|error| fault(error.to_string()))? {
        Command::Timestamp(time) if time < now => {
            return Err(fault(format!("time {time} comes after {now}")));
        }
        Command::Timestamp(time) => Some(Event::Time(time)),
        Command::ChangeScalar(code, value) => Some(Event::Change(code, level(value))),
        Command::ChangeReal(code, value) => Some(Event::Change(code, Some(value as f32))),
        // A bit may be written as a bus of one is.
        Command::ChangeVector(code, bits) => Some(Event::Change(code, bits.iter().last().and_then(level))),
        _ => None,
    })
}

fn level(value: Value) -> Option<f32> {
    match value {
        Value::V0 => Some(0.0),
        Value::V1 => Some(1.0),
        Value::X | Value::Z => None,
    }
}

/// The warning for a dump with so many changes to levels that are not known.
fn unknown_warning(changes: usize) -> Option<String> {
    let times = if changes == 1 { "once".to_owned() } else { format!("{changes} times") };
    (changes > 0).then(|| format!("a line has no known level (x or z) {times}: it is read as low there"))
}

fn candidates(variables: &[Variable], known: &Known) -> Vec<Candidate> {
    let candidate = |variable: &Variable| {
        let prefers = known.channels.iter().find(|(_, fact)| fact.name.as_ref() == Some(&variable.name));
        let candidate = Candidate::new(variable.name.clone(), variable.is_analog);
        Candidate { prefers: prefers.map(|(channel, _)| *channel), ..candidate }
    };
    variables.iter().map(candidate).collect()
}

fn left_out_warning(left_out: &[String]) -> Option<String> {
    let names = || crate::readers::assign::listed(left_out.iter().map(String::as_str));
    (!left_out.is_empty()).then(|| format!("buses have no place in a trace: {} left out", names()))
}

fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { greatest_common_divisor(other, one % other) }
}

/// The value of a variable at each of these times.
fn held(variable: &Variable, times: impl Iterator<Item = u64>) -> Samples {
    let mut changes = variable.changes.iter().peekable();
    let mut value = if variable.is_analog { f32::NAN } else { 0.0 };
    let values = times.map(|time| {
        while let Some((_, next)) = changes.next_if(|(at, _)| *at <= time) {
            value = *next;
        }
        value
    });
    if variable.is_analog {
        Samples::Volts(values.collect())
    } else {
        Samples::Levels(values.map(|level| u8::from(level > 0.5)).collect())
    }
}

fn fault(reason: impl Into<String>) -> ReadError {
    ReadError::NotOfFormat { format: Format::Vcd, reason: reason.into() }
}

/// What a dump states before its changes.
struct Header {
    unit_s: f64,
    /// What the writer's comment states.
    facts: Vec<(String, String)>,
    variables: Vec<Variable>,
    left_out: Vec<String>,
}

/// Command by command: the library's own way follows scopes within scopes by recursion, without an end.
fn header<R: BufRead>(parser: &mut vcd::Parser<R>) -> Result<Header, ReadError> {
    let unit = |count: u32, unit: vcd::TimescaleUnit| f64::from(count) / unit.divisor() as f64;
    let mut header = Header {
        unit_s: unit(1, vcd::TimescaleUnit::NS),
        facts: Vec::new(),
        variables: Vec::new(),
        left_out: Vec::new(),
    };
    for command in parser {
        match command.map_err(|error| fault(error.to_string()))? {
            Command::Timescale(0, _) => return Err(fault("its unit of time is 0 s")),
            Command::Timescale(count, of) => header.unit_s = unit(count, of),
            Command::Comment(text) if header.facts.is_empty() => header.facts = facts_in(&text),
            Command::VarDef(kind, size, code, name, _) => {
                let is_analog = kind == VarType::Real;
                if is_analog || size == 1 {
                    header.variables.push(Variable { code, name, is_analog, changes: Vec::new() });
                } else {
                    header.left_out.push(name);
                }
            }
            Command::Enddefinitions => return Ok(header),
            Command::Timestamp(_) | Command::ChangeScalar(..) | Command::ChangeReal(..) => {
                return Err(fault("values come before its definitions end"));
            }
            _ => {}
        }
    }
    Err(fault("it ends within its definitions"))
}

/// The last time that a dump states.
fn stated_end(facts: &[(String, String)]) -> Option<u64> {
    facts.iter().find(|(key, _)| key == END)?.1.parse().ok()
}

/// What a comment states, if it is the writer's.
fn facts_in(text: &str) -> Vec<(String, String)> {
    let text = text.trim().strip_prefix(FACTS);
    let object: Option<std::collections::BTreeMap<String, String>> =
        text.and_then(|text| serde_json::from_str(text).ok());
    object.unwrap_or_default().into_iter().collect()
}

impl<R: BufRead + Send> TraceReader for VcdReader<R> {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        self.input.take().map(|input| self.capture(input)).transpose()
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}
/// When samples are taken: sample `n` at `(offset + n * period) * rate` units of the dump.
#[derive(Clone, Copy)]
struct Sampling {
    offset: f64,
    period: f64,
    rate: f64,
}

impl Sampling {
    /// Samples at times in seconds.
    fn in_seconds(offset: f64, period: f64, unit_s: f64) -> Self {
        // Units are decimal parts of a second, whose reciprocal is exact as theirs is not.
        let rate = unit_s.recip();
        Self { offset, period, rate: if rate > 1.0 { rate.round() } else { rate } }
    }

    /// The time of a sample in units of the dump, rounded as writers do: in a long dump other ways are a unit off.
    fn unit_of(self, sample: u64) -> u64 {
        ((self.offset + sample as f64 * self.period) * self.rate).round() as u64
    }

    /// How many samples are taken up to a time of the dump, which is rounded as that of the sample is: one more at most.
    fn samples_until(self, end: u64) -> u64 {
        let last = ((end as f64 / self.rate - self.offset) / self.period + 0.5).floor().max(0.0) as u64;
        last.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_dump_keeps_its_times() {
        let sampling = Sampling::in_seconds(0.0, 1e-3, 1e-12);
        // Beyond 2^51 ps a picosecond is near the resolution of a time; the writer multiplies seconds.
        for sample in 2_300_000..2_400_000 {
            let written = (sample as f64 * 1e-3 * 1e12).round() as u64;
            assert_eq!(sampling.unit_of(sample), written, "{sample}");
            assert!(sampling.samples_until(written) > sample);
        }
    }
}
