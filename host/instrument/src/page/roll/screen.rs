//! What is on the screen: columns, each of the same number of frames, their lowest and highest samples for the eye, so that no
//! peak is lost, and their mean for files, as [`scopething stream`] has it. Time that passed without frames stays empty.
//!
//! [`scopething stream`]: scopething_core::plan::StreamPlan::thinning

use std::collections::VecDeque;
use std::sync::Arc;

use scopething::timer::{self, Instant};
use scopething_core::plan::{AnalogChannel, LogicLine, StreamPlan};
use scopething_core::scope::StreamChunk;
use scopething_core::trace::EndReason;
use scopething_waveform::waveform::{Channel as WaveformChannel, Details, Samples, Series, Waveform};
use serde::Serialize;

use super::column::{Column, Places};
use crate::capture::{AnalogSamples, Capture};
use crate::page::acquire::{About, Acquired, Ended};
use crate::page::frame::{Block, Kind, Layout, framed};
use crate::page::panel::Controls;
use crate::settings::Settings;

/// The first bytes of a piece, with the version of its form.
const MAGIC: &[u8; 4] = b"STP1";
/// The fewest columns between two gaps that are a trace.
const MIN_COLUMNS: u64 = 16;
/// The last stretches between gaps that become traces when it ends.
const MAX_STRETCHES: usize = 8;
/// A sample of 8 bits counts so many steps of one of 16.
const FINE: f64 = 256.0;

/// What is on the screen.
#[derive(Debug)]
pub(crate) struct Roll {
    /// Its number: another one has other settings.
    pub(super) id: u64,
    plan: StreamPlan,
    places: Places,
    settings: Settings,
    attenuation: [f64; 2],
    changes: u64,
    pub(super) capacity: usize,
    columns: VecDeque<Column>,
    /// The number of the first of them, counted from the beginning.
    first: u64,
    /// The number of frame 0 of the present stream.
    pub(super) base: u64,
    /// The number of the next frame.
    pub(super) next: u64,
    began: Option<Instant>,
    pub(super) received: u64,
    lost: u64,
    pub(super) gaps: u64,
    /// The last trace that was made of it.
    pub(super) seq: u64,
}

impl Roll {
    pub(super) fn new(
        id: u64,
        plan: StreamPlan,
        settings: &Settings,
        controls: &Controls,
        changes: u64,
    ) -> Self {
        let capacity = (settings.span_s / plan.period_s()).round().max(1.0) as usize;
        Self {
            id,
            places: Places::of(&plan),
            plan,
            settings: settings.clone(),
            attenuation: controls.attenuation,
            changes,
            capacity,
            columns: VecDeque::with_capacity(capacity + 1),
            first: 0,
            base: 0,
            next: 0,
            began: None,
            received: 0,
            lost: 0,
            gaps: 0,
            seq: 0,
        }
    }

    fn factor(&self) -> u64 {
        u64::from(self.plan.thinning.max(1))
    }

    /// The number of the first column that is not complete.
    fn end(&self) -> u64 {
        self.next / self.factor()
    }

    /// A stream has begun; time since the one before, while the device did something else, stays empty.
    pub(super) fn resume(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let by_clock = (now - began).as_secs_f64() * self.plan.frame_rate_hz();
        self.base = self.next.max(by_clock as u64);
        if self.received > 0 {
            self.gaps += 1;
            self.lost += self.base - self.next;
        }
    }

    pub(super) fn push(&mut self, chunk: &StreamChunk<'_>) {
        let first = self.base + chunk.first;
        if chunk.gap.is_some() {
            self.gaps += 1;
            self.lost += first.saturating_sub(self.next);
        }
        for (number, frame) in (first..).zip(chunk.frames) {
            let column = number / self.factor();
            self.make_room(column);
            if let Some(index) = column.checked_sub(self.first)
                && let Some(column) = self.columns.get_mut(index as usize)
            {
                column.add(*frame, &self.places);
            }
        }
        self.received += chunk.frames.len() as u64;
        self.next = first + chunk.frames.len() as u64;
    }

    /// Has room for a column, which is the last one from then on.
    fn make_room(&mut self, column: u64) {
        // One more than the screen has, since the last is not complete.
        let oldest = (column + 1).saturating_sub(self.capacity as u64 + 1);
        if oldest >= self.first + self.columns.len() as u64 {
            self.columns.clear();
            self.first = oldest;
        }
        while self.first < oldest {
            self.columns.pop_front();
            self.first += 1;
        }
        while self.first + (self.columns.len() as u64) <= column {
            self.columns.push_back(Column::EMPTY);
        }
    }

    /// The complete columns from a number on.
    fn since(&self, from: u64) -> (u64, impl Iterator<Item = &Column> + Clone) {
        let end = self.end();
        let oldest = end.saturating_sub(self.capacity as u64).max(self.first);
        let from = from.clamp(oldest, end.max(oldest));
        let skipped = (from - self.first) as usize;
        let count = end.saturating_sub(from) as usize;
        (from, self.columns.iter().skip(skipped).take(count))
    }

    /// Whether the screen is full of what came since the beginning.
    fn is_full(&self) -> bool {
        self.end() >= self.capacity as u64
    }

    /// Whether a single trace has come to its end.
    pub(super) fn is_enough(&self, is_forced: bool) -> bool {
        self.is_full() || is_forced && !self.kept_stretches().is_empty()
    }

    /// The last stretches that are long enough to be traces of their own.
    pub(super) fn kept_stretches(&self) -> Vec<(u64, u64)> {
        let mut stretches = self.stretches();
        stretches.truncate(MAX_STRETCHES);
        stretches.retain(|(from, end)| end - from >= MIN_COLUMNS);
        stretches
    }

    /// Where there is something between two gaps, the last stretch first: the numbers of the first column, and of that behind
    /// the last one.
    pub(super) fn stretches(&self) -> Vec<(u64, u64)> {
        let (from, columns) = self.since(0);
        let mut found = Vec::new();
        let mut start = from;
        for (number, column) in (from..).zip(columns) {
            if column.frames == 0 {
                if number > start {
                    found.push((start, number));
                }
                start = number + 1;
            }
        }
        if self.end() > start {
            found.push((start, self.end()));
        }
        found.reverse();
        found
    }

    /// A stretch as a trace: a sample is the mean of its column, of a line the level that it had most of the time.
    pub(super) fn trace(&self, (from, end): (u64, u64), seq: u64) -> Option<Acquired> {
        let (start, columns) = self.since(from);
        let columns = columns.take((end - start) as usize);
        let count = columns.clone().count();
        let period_s = self.plan.period_s();
        let steps = |index: usize| {
            columns.clone().map(move |column| {
                column.sum.get(index).map_or(0.0, |sum| f64::from(*sum) / f64::from(column.frames.max(1)))
            })
        };
        let mut series = Vec::new();
        let mut analog = [None, None];
        for (index, channel) in AnalogChannel::ALL.into_iter().enumerate() {
            if self.plan.place(channel.into()).is_none() {
                continue;
            }
            let scale = self.plan.scale(channel);
            let volts: Vec<f32> = steps(index).map(|steps| scale.value(steps)).collect();
            let (bottom_v, step_v) = scale_of(&self.plan, channel);
            if let Some(place) = analog.get_mut(index) {
                *place = Some(AnalogSamples { volts: volts.clone(), bottom_v, step_v: step_v / FINE });
            }
            series.push(Series::new(channel.into(), 0.0, period_s, Samples::Volts(volts)));
        }
        for line in LogicLine::all().filter(|line| self.places.lines & line.bit() != 0) {
            let levels = columns.clone().map(|column| u8::from(column.levels() & line.bit() != 0)).collect();
            series.push(Series::new(WaveformChannel::Logic(line), 0.0, period_s, Samples::Levels(levels)));
        }
        let logic = (self.places.lines != 0).then(|| columns.clone().map(Column::levels).collect());
        let details =
            Details { mode: Some("stream".to_owned()), warnings: self.warnings(), ..Details::default() };
        let waveform = Waveform::new(1.0 / period_s, series, details.clone()).ok()?;
        let duration = count as f64 * period_s;
        // Where the trigger of a screen is that ends now.
        let trigger = duration - (1.0 - self.settings.position) * self.settings.span_s;
        let capture = Capture {
            rate_hz: 1.0 / period_s,
            count,
            analog,
            logic,
            trigger_s: trigger,
            cause: EndReason::Cancel,
            waveform,
            settings: self.settings.clone(),
            changes: self.changes,
        };
        let about = About {
            seq,
            ended: Ended::Roll,
            unix_ms: u64::try_from(timer::since_1970().as_millis()).unwrap_or(u64::MAX),
            changes: self.changes,
            rate: capture.rate_hz,
            duration,
            trigger,
            dead: None,
            seen: Some(self.seen()),
            mode: details.mode,
            warnings: details.warnings,
            settings: self.settings.to_string(),
            roll: Some(self.id),
            first_column: Some(start),
        };
        Some(Acquired { about, attenuation: self.attenuation, capture: Arc::new(capture) })
    }

    /// The part of the frames that was received.
    fn seen(&self) -> f64 {
        self.received as f64 / (self.received + self.lost).max(1) as f64
    }

    fn warnings(&self) -> Vec<String> {
        let mean = (self.plan.thinning > 1).then(|| {
            format!(
                "each sample is the mean of {}; lines have the level that they had most of the time",
                self.plan.thinning
            )
        });
        let lost = (self.lost > 0).then(|| {
            format!("{} of {} samples were lost, in {} gaps", self.lost, self.lost + self.received, self.gaps)
        });
        mean.into_iter().chain(lost).collect()
    }

    /// What came since a column, as a piece; none if that is nothing. `from` becomes the next column.
    pub(super) fn piece(&self, from: &mut u64) -> Option<Vec<u8>> {
        let (first, columns) = self.since(*from);
        let count = columns.clone().count();
        if count == 0 {
            return None;
        }
        *from = first + count as u64;
        let mut data = Vec::new();
        let mut blocks = Vec::new();
        let block = |name: &str, kind, data_before: usize, data: &Vec<u8>| Block {
            name: name.to_owned(),
            kind,
            layout: Layout::Extremes,
            start: 0.0,
            period: 1.0 / self.plan.frame_rate_hz(),
            samples: count * self.factor() as usize,
            first: (first * self.factor()) as usize,
            stride: self.factor() as f64,
            bottom: None,
            step: None,
            lines: None,
            offset: data_before,
            bytes: data.len() - data_before,
        };
        for ((index, channel), name) in AnalogChannel::ALL.into_iter().enumerate().zip(["A", "B"]) {
            if self.plan.place(channel.into()).is_none() {
                continue;
            }
            let before = data.len();
            for column in columns.clone() {
                let both = column.low.get(index).zip(column.high.get(index));
                let (low, high) =
                    both.map_or((u16::MAX, 0), |(low, high)| (u16::from(*low), u16::from(*high)));
                let (low, high) = if column.frames == 0 { (u16::MAX, 0) } else { (low, high) };
                data.extend([low.to_le_bytes(), high.to_le_bytes()].concat());
            }
            let (bottom_v, step_v) = scale_of(&self.plan, channel);
            let factor = self.attenuation.get(index).copied().unwrap_or(1.0);
            let (bottom, step) = (Some(bottom_v * factor), Some(step_v * factor));
            blocks.push(Block { bottom, step, ..block(name, Kind::Volts, before, &data) });
        }
        if self.places.lines != 0 {
            let before = data.len();
            data.extend(columns.clone().flat_map(|column| [column.all, column.any]));
            blocks.push(Block { lines: Some(self.places.lines), ..block("L", Kind::Logic, before, &data) });
            data.resize(data.len().next_multiple_of(4), 0);
        }
        let header = PieceHeader {
            roll: self.id,
            seq: self.seq,
            changes: self.changes,
            first,
            count,
            columns: self.capacity,
            period: self.plan.period_s(),
            rate: self.plan.frame_rate_hz(),
            lost: self.lost,
            gaps: self.gaps,
            seen: self.seen(),
            channels: blocks,
        };
        Some(framed(*MAGIC, &header, &data))
    }
}

/// Volts of no step of 8 bits, and of one.
fn scale_of(plan: &StreamPlan, channel: AnalogChannel) -> (f64, f64) {
    let scale = plan.scale(channel);
    let bottom = f64::from(scale.value(0.0));
    (bottom, (f64::from(scale.value(FINE)) - bottom) / FINE)
}

/// The header of a piece.
#[derive(Debug, Serialize)]
struct PieceHeader {
    roll: u64,
    /// The trace that was made of it last.
    seq: u64,
    changes: u64,
    /// The number of its first column since the roll began.
    first: u64,
    count: usize,
    /// The columns of a whole screen.
    columns: usize,
    /// Seconds from a column to the next.
    period: f64,
    /// Frames a second.
    rate: f64,
    lost: u64,
    gaps: u64,
    seen: f64,
    channels: Vec<Block>,
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use scopething_core::device::BS05;
    use scopething_core::plan::{BusyOutputs, StreamRequest, plan_stream};
    use scopething_core::scope::{StreamFrame, StreamGap};
    use serde_json::Value;
    use std::time::Duration;

    /// Channel A and L1 over 1.2 s: 10 columns of 10 frames.
    pub(crate) fn roll() -> Roll {
        let mut settings = Settings::default();
        settings.set_span(1.2);
        settings.lines = 0b10;
        settings.analog[1].shown = false;
        let request = StreamRequest {
            low: Some(0.0),
            high: Some(2.56),
            ..StreamRequest::new(settings.channels(), 1e3)
        };
        let plan = plan_stream(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap();
        let mut roll = Roll::new(3, plan, &settings, &Controls::default(), 7);
        (roll.plan.thinning, roll.capacity) = (10, 10);
        roll
    }

    fn frames(from: u64, count: u64) -> Vec<StreamFrame> {
        (from..from + count)
            .map(|n| StreamFrame { samples: [(n % 256) as u8, if n % 4 == 0 { 2 } else { 0 }, 0] })
            .collect()
    }

    pub(crate) fn push(roll: &mut Roll, first: u64, count: u64, gap: Option<u64>) {
        let gap = gap.map(|lost| StreamGap { position: first - lost, lost: Some(lost), skipped_bytes: 0 });
        roll.push(&StreamChunk { gap, first, frames: &frames(first, count) });
    }

    /// The header of a piece, and the lowest and highest steps of A, column by column.
    fn read(piece: &[u8]) -> (Value, Vec<(u16, u16)>) {
        assert_eq!(&piece[..4], b"STP1");
        let length = u32::from_le_bytes(piece[4..8].try_into().unwrap()) as usize;
        let header: Value = serde_json::from_slice(&piece[8..8 + length]).unwrap();
        let bytes = header["channels"][0]["bytes"].as_u64().unwrap() as usize;
        let data = &piece[8 + length..8 + length + bytes];
        let number = |at: &[u8]| u16::from_le_bytes(at.try_into().unwrap());
        (header, data.chunks_exact(4).map(|both| (number(&both[..2]), number(&both[2..]))).collect())
    }

    #[test]
    fn pieces_follow_one_another() {
        let mut roll = roll();
        roll.resume(Instant::now());
        let mut next = 0;
        assert_eq!(roll.piece(&mut next), None);
        push(&mut roll, 0, 25, None);
        let (header, columns) = read(&roll.piece(&mut next).unwrap());
        assert_eq!(
            (header["roll"].as_u64(), header["first"].as_u64(), header["columns"].as_u64()),
            (Some(3), Some(0), Some(10))
        );
        // The third column is not complete.
        assert_eq!(columns, [(0, 9), (10, 19)]);
        assert_eq!(roll.piece(&mut next), None);
        push(&mut roll, 25, 10, None);
        assert_eq!(read(&roll.piece(&mut next).unwrap()).1, [(20, 29)]);
    }

    #[test]
    fn only_a_screen_is_kept() {
        let mut roll = roll();
        roll.resume(Instant::now());
        assert!(!roll.is_full());
        push(&mut roll, 0, 255, None);
        assert!(roll.is_full());
        let mut next = 0;
        let (header, columns) = read(&roll.piece(&mut next).unwrap());
        assert_eq!(
            (header["first"].as_u64(), columns.len(), columns[0], columns[9]),
            (Some(15), 10, (150, 159), (240, 249))
        );
        assert_eq!(next, 25);
        assert!(roll.columns.len() <= 11);
    }

    #[test]
    fn gaps_stay_empty_and_part_traces() {
        let mut roll = roll();
        roll.resume(Instant::now());
        push(&mut roll, 0, 30, None);
        push(&mut roll, 55, 25, Some(25));
        let (header, columns) = read(&roll.piece(&mut 0).unwrap());
        let empty = (u16::MAX, 0);
        assert_eq!(columns, [(0, 9), (10, 19), (20, 29), empty, empty, (55, 59), (60, 69), (70, 79)]);
        assert_eq!((header["lost"].as_u64(), header["gaps"].as_u64()), (Some(25), Some(1)));
        assert_eq!(roll.stretches(), [(5, 8), (0, 3)]);
        let last = roll.trace((5, 8), 12).unwrap();
        assert_eq!((last.about.ended, last.about.roll, last.capture.count), (Ended::Roll, Some(3), 3));
        assert_eq!(last.about.first_column, Some(5));
        // Means of 55 to 59, 60 to 69 and 70 to 79 steps of 10 mV.
        let analog = last.capture.analog[0].as_ref().unwrap();
        for (volts, expected) in analog.volts.iter().zip([0.57, 0.645, 0.745]) {
            assert!((volts - expected).abs() < 1e-4, "{volts} {expected}");
        }
        // L1 is high in one of four frames.
        assert_eq!(last.capture.logic.as_deref(), Some([0, 0, 0].as_slice()));
        assert!(
            last.about.warnings.iter().any(|warning| warning.contains("25 of 80")),
            "{:?}",
            last.about.warnings
        );
    }

    #[test]
    fn a_gap_longer_than_the_screen_leaves_none_of_it() {
        let mut roll = roll();
        roll.resume(Instant::now());
        push(&mut roll, 0, 30, None);
        push(&mut roll, 1_000_000_000, 20, Some(999_999_970));
        assert_eq!(roll.stretches(), [(100_000_000, 100_000_002)]);
        assert!(roll.columns.len() <= 11);
        // Another stream, after something else was done for half a second.
        let end = roll.next;
        roll.resume(Instant::now() + Duration::from_millis(500));
        push(&mut roll, 0, 20, None);
        assert!(roll.next >= end + 20);
    }
}
