//! Dumps piece by piece, where all channels are sampled at the same times. A dump is gone through once before: it states
//! neither its end nor how often there are changes.

use std::path::Path;

use super::{
    End, Event, Events, Header, Sampling, candidates, greatest_common_divisor, header, left_out_warning,
    stated_end, unknown_warning,
};
use crate::facts::Known;
use crate::pieces::{Fed, PIECE_SAMPLES};
use crate::readers::assign::{Assigned, assign};
use crate::readers::spacing::whole_hertz;
use crate::readers::{TextFile, open_text};
use crate::{MAX_SAMPLES, ReadError, ReadOptions};
use scopething_waveform::waveform::{Outline, SampleKind, Samples, SeriesOutline};

/// A dump of a few bytes may state any time: more samples a byte are no use to anybody.
const MAX_SAMPLES_A_BYTE: u64 = 10_000;

type DumpEvents = Events<TextFile>;

/// The channels that are read of a dump.
struct Dump {
    unit_s: f64,
    known: Known,
    /// The last time that it states.
    stated_end: Option<u64>,
    /// The codes of the channels, in their order.
    codes: Vec<vcd::IdCode>,
    channels: Vec<(Assigned, SampleKind)>,
}

/// When samples are taken.
#[derive(Clone, Copy)]
struct Moments {
    sampling: Sampling,
    /// The first sample that is read, and the one after the last.
    first: u64,
    end: u64,
}

/// Goes through a dump once and begins to read it; `None` if it must be read as a whole.
pub(crate) fn open(path: &Path, options: &ReadOptions) -> Option<Fed> {
    let (mut events, mut warnings) = (Events::of(open_text(path).ok()?), Vec::new());
    let dump = Dump::begin(&mut events, options, &mut warnings).ok()?;
    let (end, common) = dump.scan(events, &mut warnings)?;
    let (outline, moments) = dump.outline(end, common, options)?;
    if !end.is_cut {
        let counts = outline.channels.iter().map(|series| (series.channel, series.count));
        warnings.extend(dump.known.cut_off(options.read_all(), counts));
    }
    let samples = (moments.end - moments.first).checked_mul(outline.channels.len() as u64)?;
    let bytes = path.metadata().ok()?.len();
    if samples > (MAX_SAMPLES as u64).max(bytes.saturating_mul(MAX_SAMPLES_A_BYTE)) {
        return None;
    }
    let (path, options) = (path.to_owned(), options.clone());
    let kinds: Vec<SampleKind> = outline.channels.iter().map(|series| series.kind).collect();
    Some(Fed::begin(outline, warnings, move |send| {
        let mut events = Events::of(open_text(&path)?);
        let dump = Dump::begin(&mut events, &options, &mut Vec::new())?;
        dump.read(events, moments, &kinds, send)
    }))
}

impl Dump {
    /// Goes past the definitions.
    fn begin(
        events: &mut DumpEvents,
        options: &ReadOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ReadError> {
        let Header { unit_s, facts, variables, left_out } = header(&mut events.parser)?;
        let (known, stated_end) = (Known::of(&facts), stated_end(&facts));
        warnings.extend(left_out_warning(&left_out));
        let mut assigned = assign(&candidates(&variables, &known), &options.channels, warnings)?;
        assigned.sort_by_key(|one| one.channel);
        let used: Vec<_> =
            assigned.into_iter().filter_map(|one| variables.get(one.index).map(|of| (one, of))).collect();
        let codes = used.iter().map(|(_, variable)| variable.code).collect();
        let kind = |is_analog: bool| match (is_analog, known.is_raw) {
            (true, true) => SampleKind::Fractions,
            (true, false) => SampleKind::Volts,
            (false, _) => SampleKind::Levels,
        };
        let channels = used.into_iter().map(|(one, variable)| (one, kind(variable.is_analog))).collect();
        Ok(Self { unit_s, known, stated_end, codes, channels })
    }

    /// The last time, and the greatest divisor of it, where it is whole, and of all times of changes.
    fn scan(&self, mut events: DumpEvents, warnings: &mut Vec<String>) -> Option<(End, u64)> {
        let (mut changed, mut common, mut unknown) = (None, 0, 0);
        while let Some(event) = events.next().transpose().ok()? {
            let Event::Change(code, value) = event else { continue };
            changed = Some(events.now);
            if self.codes.contains(&code) {
                unknown += usize::from(value.is_none());
                common = greatest_common_divisor(events.now, common);
            }
        }
        warnings.extend(unknown_warning(unknown));
        warnings.extend(events.cut_off(&self.known));
        let end = events.end(changed);
        Some((end, end.whole_time().map_or(common, |time| greatest_common_divisor(time, common))))
    }

    /// What the dump holds, and when its samples are taken; `None` if not all channels are sampled at the same times.
    fn outline(&self, end: End, common: u64, options: &ReadOptions) -> Option<(Outline, Moments)> {
        let window = options.window();
        let facts: Option<Vec<_>> =
            self.channels.iter().map(|(one, _)| self.known.channel(one.channel)).collect();
        let (start_s, period_s, moments) = match facts {
            _ if options.rate_hz.is_some() => return None,
            Some(facts) => {
                let first = *facts.first()?;
                let times = |fact: &crate::facts::ChannelFact| (fact.start, fact.period, fact.samples);
                if !facts.iter().all(|fact| times(fact) == times(first)) {
                    return None;
                }
                let offset = first.start - self.known.start_s();
                let sampling = Sampling::in_seconds(offset, first.period, self.unit_s);
                (first.start, first.period, Moments { sampling, first: 0, end: first.samples as u64 })
            }
            None if self.known.channels.is_empty() && common > 0 => {
                let sampling = Sampling { offset: 0.0, period: common as f64, rate: 1.0 };
                let moments = Moments { sampling, first: 0, end: end.samples(common as f64) };
                (0.0, common as f64 * self.unit_s, moments)
            }
            None => return None,
        };
        let (first, count) = window.of(start_s, period_s);
        let known_until = end.known_until(&self.known, self.stated_end, self.unit_s);
        let there = moments.sampling.samples_until(known_until);
        let mut last = moments.end.min(first.saturating_add(count)).min(there);
        while last > first && moments.sampling.unit_of(last - 1) > known_until {
            last -= 1;
        }
        let moments = Moments { first, end: last, ..moments };
        let count = usize::try_from(last.checked_sub(first).filter(|&count| count > 0)?).ok()?;
        let channels = self.channels.iter().map(|(one, kind)| SeriesOutline {
            channel: one.channel,
            label: one.label.clone(),
            start_s: start_s + first as f64 * period_s,
            period_s,
            kind: *kind,
            count,
        });
        let outline = Outline {
            sample_rate_hz: self.known.sample_rate_hz.unwrap_or_else(|| whole_hertz(period_s.recip())),
            channels: channels.collect(),
            details: self.known.details.clone(),
        };
        Some((outline, moments))
    }

    /// Hands over the samples at all moments.
    fn read(
        &self,
        mut events: DumpEvents,
        moments: Moments,
        kinds: &[SampleKind],
        send: &mut dyn FnMut(Vec<Samples>) -> bool,
    ) -> Result<(), ReadError> {
        let before = |kind: &SampleKind| if *kind == SampleKind::Levels { 0.0 } else { f32::NAN };
        let mut held = Held {
            moments,
            next: moments.first,
            values: kinds.iter().map(before).collect(),
            kinds,
            piece: kinds.iter().map(|kind| kind.none()).collect(),
        };
        while let Some(event) = events.next().transpose()? {
            match event {
                Event::Time(time) => {
                    if !held.take_before(time, send) {
                        return Ok(());
                    }
                }
                Event::Change(code, value) => {
                    let places = self.codes.iter().zip(&mut held.values);
                    places
                        .filter(|(of, _)| **of == code)
                        .for_each(|(_, place)| *place = value.unwrap_or(0.0));
                }
            }
        }
        if held.take_before(u64::MAX, send) && held.piece.first().is_some_and(|one| !one.is_empty()) {
            send(held.piece);
        }
        Ok(())
    }
}

/// The values of all channels, each until its next change.
struct Held<'k> {
    moments: Moments,
    /// The sample that is taken next.
    next: u64,
    values: Vec<f32>,
    kinds: &'k [SampleKind],
    piece: Vec<Samples>,
}

impl Held<'_> {
    /// Takes the samples before a time, and hands over each piece that is full; whether it was taken.
    fn take_before(&mut self, time: u64, send: &mut dyn FnMut(Vec<Samples>) -> bool) -> bool {
        while self.next < self.moments.end && self.moments.sampling.unit_of(self.next) < time {
            self.next += 1;
            for (samples, &value) in self.piece.iter_mut().zip(&self.values) {
                match samples {
                    Samples::Levels(levels) => levels.push(u8::from(value > 0.5)),
                    Samples::Volts(volts) | Samples::Fractions(volts) => volts.push(value),
                }
            }
            if self.piece.first().is_some_and(|one| one.len() == PIECE_SAMPLES) {
                let empty = self.kinds.iter().map(|kind| kind.none()).collect();
                if !send(std::mem::replace(&mut self.piece, empty)) {
                    return false;
                }
            }
        }
        true
    }
}
