//! A slow time base: samples are shown as they come, the newest at the right edge, by a stream of the device.
//!
//! The stream becomes columns, each of the same number of frames: their lowest and highest samples for the eye, so that no
//! peak is lost, and their mean for files, as [`scopething stream`] has it. Time that passed without frames stays empty.
//!
//! [`scopething stream`]: scopething_core::plan::StreamPlan::thinning

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scopething::timer::{self, Instant};
use scopething_core::plan::{AnalogChannel, Channel, LogicLine, StreamPlan, StreamRequest, TriggerMode};
use scopething_core::scope::{StreamChunk, StreamFrame};
use scopething_core::trace::EndReason;
use scopething_waveform::waveform::{Channel as WaveformChannel, Details, Samples, Series, Waveform};
use serde::Serialize;

use super::acquire::{About, Acquired, Ended, Listing, Shared, Status, end_single, publish};
use super::frame::{Block, Kind, Layout, framed};
use super::panel::{Controls, HORIZONTAL_DIVISIONS, Run};
use crate::capture::{AnalogSamples, Capture};
use crate::settings::Settings;
use crate::stream::StreamPart;

/// The first bytes of a piece, with the version of its form.
const MAGIC: &[u8; 4] = b"STP1";
/// The shortest division that rolls, in seconds.
pub(crate) const MIN_SECONDS: f64 = 0.1;
/// Columns over the screen: more than most screens have pixels, so that there is something to zoom into.
const COLUMNS: f64 = 6000.0;
/// The part of what the link carries for sure that faster streams than the slowest take.
const LINK_PART: f64 = 0.5;
/// Bytes of the largest frame.
const FRAME_BYTES: f64 = 5.0;
/// How often what there is by now becomes a trace, for those who want whole traces, and for measurements.
const TRACE_INTERVAL: Duration = Duration::from_millis(200);
/// The fewest columns between two gaps that are a trace.
const MIN_COLUMNS: u64 = 16;
/// The last stretches between gaps that become traces when it ends.
const MAX_STRETCHES: usize = 8;
/// A sample of 8 bits counts so many steps of one of 16.
const FINE: f64 = 256.0;

/// Whether and how slow time bases roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rolling {
    /// Those of 100 ms a division and more, in trigger mode auto.
    #[default]
    Auto,
    /// None: slow traces are captured as fast ones are.
    Off,
}

/// Whether settings make the page roll.
pub(crate) fn is_rolling(settings: &Settings, controls: &Controls) -> bool {
    let is_slow = settings.span_s >= MIN_SECONDS * HORIZONTAL_DIVISIONS * (1.0 - 1e-9);
    controls.rolling == Rolling::Auto && is_slow && settings.trigger_mode == TriggerMode::Auto
}

/// The stream that shows what is set.
pub(crate) fn request(settings: &Settings, bytes_per_second: u32) -> StreamRequest {
    let capture = settings.request();
    let slowest_hz = 2442.0;
    let fastest_hz = (f64::from(bytes_per_second) * LINK_PART / FRAME_BYTES).max(slowest_hz);
    let rate_hz = (COLUMNS / settings.span_s).min(fastest_hz);
    StreamRequest { low: capture.low, high: capture.high, ..StreamRequest::new(capture.channels, rate_hz) }
}

/// The frames of a column. Of none: what leaves the extremes of others as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Column {
    low: [u8; 2],
    high: [u8; 2],
    sum: [u32; 2],
    /// The lines that were high all the time, and those that were at any time.
    all: u8,
    any: u8,
    /// In how many frames each line was high.
    highs: [u32; 8],
    frames: u32,
}

impl Column {
    const EMPTY: Self =
        Self { low: [u8::MAX; 2], high: [0; 2], sum: [0; 2], all: u8::MAX, any: 0, highs: [0; 8], frames: 0 };

    fn add(&mut self, frame: StreamFrame, places: &Places) {
        for (index, place) in places.analog.iter().enumerate() {
            let Some(&sample) = place.and_then(|place| frame.samples.get(place)) else { continue };
            if let (Some(low), Some(high), Some(sum)) =
                (self.low.get_mut(index), self.high.get_mut(index), self.sum.get_mut(index))
            {
                *low = sample.min(*low);
                *high = sample.max(*high);
                *sum += u32::from(sample);
            }
        }
        let levels = places.logic.and_then(|place| frame.samples.get(place)).copied().unwrap_or(0);
        self.all &= levels;
        self.any |= levels;
        for (line, highs) in self.highs.iter_mut().enumerate() {
            *highs += u32::from((levels >> line) & 1);
        }
        self.frames += 1;
    }

    /// The level that each line had most of the time, high where it had both as long.
    fn levels(&self) -> u8 {
        let is_high = |highs: u32| u8::from(highs > 0 && 2 * highs >= self.frames);
        self.highs.iter().rev().fold(0, |levels, highs| levels << 1 | is_high(*highs))
    }
}

/// Where the samples of a frame are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Places {
    analog: [Option<usize>; 2],
    logic: Option<usize>,
    lines: u8,
}

impl Places {
    fn of(plan: &StreamPlan) -> Self {
        let lines = plan.channels.logic();
        let line = LogicLine::all().find(|line| lines & line.bit() != 0);
        Self {
            analog: AnalogChannel::ALL.map(|channel| plan.place(channel.into())),
            logic: line.and_then(|line| plan.place(Channel::Logic(line))),
            lines,
        }
    }
}

/// What is on the screen.
#[derive(Debug)]
pub(crate) struct Roll {
    /// Its number: another one has other settings.
    id: u64,
    plan: StreamPlan,
    places: Places,
    settings: Settings,
    attenuation: [f64; 2],
    changes: u64,
    capacity: usize,
    columns: VecDeque<Column>,
    /// The number of the first of them, counted from the beginning.
    first: u64,
    /// The number of frame 0 of the present stream.
    base: u64,
    /// The number of the next frame.
    next: u64,
    began: Option<Instant>,
    received: u64,
    lost: u64,
    gaps: u64,
    /// The last trace that was made of it.
    seq: u64,
}

impl Roll {
    fn new(id: u64, plan: StreamPlan, settings: &Settings, controls: &Controls, changes: u64) -> Self {
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
    fn resume(&mut self, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let by_clock = (now - began).as_secs_f64() * self.plan.frame_rate_hz();
        self.base = self.next.max(by_clock as u64);
        if self.received > 0 {
            self.gaps += 1;
            self.lost += self.base - self.next;
        }
    }

    fn push(&mut self, chunk: &StreamChunk<'_>) {
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
    fn is_enough(&self, is_forced: bool) -> bool {
        self.is_full() || is_forced && !self.kept_stretches().is_empty()
    }

    /// The last stretches that are long enough to be traces of their own.
    fn kept_stretches(&self) -> Vec<(u64, u64)> {
        let mut stretches = self.stretches();
        stretches.truncate(MAX_STRETCHES);
        stretches.retain(|(from, end)| end - from >= MIN_COLUMNS);
        stretches
    }

    /// Where there is something between two gaps, the last stretch first: the numbers of the first column, and of that behind
    /// the last one.
    fn stretches(&self) -> Vec<(u64, u64)> {
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
    fn trace(&self, (from, end): (u64, u64), seq: u64) -> Option<Acquired> {
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
    fn piece(&self, from: &mut u64) -> Option<Vec<u8>> {
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

/// The present roll, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Rolls {
    present: Mutex<Option<Arc<Mutex<Roll>>>>,
}

/// Up to where a client has seen which roll.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    roll: u64,
    next: u64,
}

impl Rolls {
    fn set(&self, roll: Option<Arc<Mutex<Roll>>>) {
        // What panics leaves it as it is.
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = roll;
    }

    fn present(&self) -> Option<Arc<Mutex<Roll>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_rolling(&self) -> bool {
        self.present().is_some()
    }

    /// What a client has not seen, if that is anything.
    pub(crate) fn piece(&self, seen: &mut Seen) -> Option<Vec<u8>> {
        let present = self.present()?;
        let roll = present.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.roll != roll.id {
            *seen = Seen { roll: roll.id, next: 0 };
        }
        roll.piece(&mut seen.next)
    }
}

/// How a roll ended.
pub(crate) enum RollEnd {
    /// Settings changed, it was stopped or begun anew, or nobody looks any longer.
    Withdrawn,
    /// One screen was wanted, or what there is of it by now, and is there.
    Full,
    /// The device does not stream: these settings are captured as others are.
    Unable(String),
}

/// Rolls with the present settings for as long as they hold, and somebody looks.
pub(crate) async fn roll(shared: &Arc<Shared>, id: u64, seq: &mut u64) -> RollEnd {
    let mut state = shared.handle.state.subscribe();
    let mut controls = shared.controls.subscribe();
    let mut clients = shared.clients.subscribe();
    let now = state.borrow_and_update().clone();
    let set = controls.borrow_and_update().clone();
    let request = request(&now.settings, shared.handle.bytes_per_second);
    let plan = match shared.handle.plan_stream(&request) {
        Ok(plan) => plan,
        Err(error) => return RollEnd::Unable(error.to_string()),
    };
    let roll = Arc::new(Mutex::new(Roll::new(id, plan, &now.settings, &set, now.changes + set.changes)));
    shared.rolls.set(Some(Arc::clone(&roll)));
    shared.status.send_replace(Status::Rolling);
    let mut pending = None;
    let mut due = Instant::now() + TRACE_INTERVAL;
    let mut forces = shared.controls.subscribe();
    let (mut forced, mut is_forced) = (set.forced, false);
    let end = loop {
        let streaming = match &mut pending {
            Some(streaming) => streaming,
            none => none.insert(shared.handle.stream(request, taker(shared, &roll)).await),
        };
        let is_over = async {
            let others =
                controls.wait_for(|controls| controls.run != set.run || controls.changes != set.changes);
            tokio::select! {
                _ = state.wait_for(|state| state.changes != now.changes || state.driven != now.driven) => {}
                _ = clients.wait_for(|clients| *clients == 0) => {}
                _ = others => {}
            }
        };
        let is_forced_again = async { drop(forces.wait_for(|controls| controls.forced != forced).await) };
        tokio::select! {
            ended = streaming.ended() => match ended {
                _ if shared.handle.lost.borrow().is_some() => break RollEnd::Withdrawn,
                Err(reason) if locked(&roll).received == 0 => break RollEnd::Unable(reason),
                // A device that has streamed can: what failed is a gap.
                Err(_) | Ok(()) => pending = None,
            },
            () = is_over => break RollEnd::Withdrawn,
            () = is_forced_again => {
                // What there is is shown at once, or as soon as there is enough of it.
                (forced, due) = (shared.controls.borrow().forced, Instant::now());
                is_forced = true;
            }
            () = timer::sleep_until(due) => {
                due = Instant::now() + TRACE_INTERVAL;
                if set.run == Run::Single && locked(&roll).is_enough(is_forced) {
                    break RollEnd::Full;
                }
                show(shared, &roll, seq);
            }
        }
    };
    // The device is free before the traces are made.
    drop(pending);
    shared.rolls.set(None);
    keep(shared, &locked(&roll), &end, seq);
    if matches!(end, RollEnd::Full) {
        end_single(shared);
    }
    end
}

fn locked(roll: &Mutex<Roll>) -> std::sync::MutexGuard<'_, Roll> {
    roll.lock().unwrap_or_else(PoisonError::into_inner)
}

fn taker(shared: &Arc<Shared>, roll: &Arc<Mutex<Roll>>) -> impl FnMut(StreamPart<'_>) + Send + 'static {
    let (roll, rolled) = (Arc::clone(roll), Arc::clone(&shared.rolled));
    move |part| {
        let mut roll = locked(&roll);
        match part {
            StreamPart::Began => roll.resume(Instant::now()),
            StreamPart::Frames(chunk) => roll.push(chunk),
        }
        drop(roll);
        rolled.send_modify(|pieces| *pieces += 1);
    }
}

/// Makes a trace of what came since the last gap.
fn show(shared: &Shared, roll: &Mutex<Roll>, seq: &mut u64) {
    let mut roll = locked(roll);
    let last = roll.stretches().first().copied();
    let Some(acquired) = last.and_then(|stretch| roll.trace(stretch, *seq + 1)) else { return };
    *seq += 1;
    roll.seq = *seq;
    drop(roll);
    publish(shared, acquired, Listing::Unlisted);
}

/// Keeps what is on the screen: each stretch between gaps is a trace of its own, since a trace has a sample at any time.
fn keep(shared: &Shared, roll: &Roll, end: &RollEnd, seq: &mut u64) {
    // What is left behind by a knob that is turned must not push out of the list what was wanted.
    let is_wanted = matches!(end, RollEnd::Full)
        || shared.controls.borrow().run == Run::Stop
        || shared.handle.lost.borrow().is_some();
    for (age, stretch) in roll.kept_stretches().into_iter().enumerate().rev() {
        let listing = match age {
            _ if is_wanted => Listing::Listed,
            0 => Listing::NowAndThen,
            _ => Listing::Unlisted,
        };
        if let Some(acquired) = roll.trace(stretch, *seq + 1) {
            *seq += 1;
            publish(shared, acquired, listing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handle::TriggerTimeout;
    use crate::page::acquire::{CountedClient, acquire};
    use crate::{Instrument, Opened};
    use scopething_core::device::BS05;
    use scopething_core::plan::{BusyOutputs, plan_stream};
    use scopething_core::scope::StreamGap;
    use serde_json::Value;

    /// Channel A and L1 over 1.2 s: 10 columns of 10 frames.
    fn roll() -> Roll {
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

    fn push(roll: &mut Roll, first: u64, count: u64, gap: Option<u64>) {
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

    #[test]
    fn slow_time_bases_roll_in_mode_auto_alone() {
        let mut settings = Settings::default();
        let mut controls = Controls::default();
        for (division_s, mode, rolling, expected) in [
            (0.1, TriggerMode::Auto, Rolling::Auto, true),
            (0.05, TriggerMode::Auto, Rolling::Auto, false),
            (100.0, TriggerMode::Auto, Rolling::Auto, true),
            (0.1, TriggerMode::Normal, Rolling::Auto, false),
            (0.1, TriggerMode::Auto, Rolling::Off, false),
        ] {
            settings.set_span(division_s * HORIZONTAL_DIVISIONS);
            (settings.trigger_mode, controls.rolling) = (mode, rolling);
            assert_eq!(is_rolling(&settings, &controls), expected, "{division_s} {mode} {rolling:?}");
            let request = request(&settings, 40_000);
            assert!(request.rate_hz * settings.span_s <= COLUMNS * 1.0001, "{}", request.rate_hz);
        }
    }

    #[tokio::test]
    async fn another_client_has_its_capture_while_it_rolls() {
        let url = "sim:?A=sine,100Hz,-2..2V&clock=fast".parse().unwrap();
        let link = scopething::link::open(&url).await.unwrap();
        let Opened { instrument, handle, .. } = Instrument::open(link, BS05.analog).await.unwrap();
        handle.set("test", |settings| settings.set_span(1.2));
        let shared = Shared::new(handle.clone());
        let _client = CountedClient::new(&shared);
        let test = async {
            let mut rolled = shared.rolled.subscribe();
            rolled.wait_for(|pieces| *pieces > 10).await.unwrap();
            assert_eq!(*shared.status.borrow(), Status::Rolling);
            let mut pending = handle.capture(TriggerTimeout::AtMost(Duration::ZERO)).await.unwrap();
            let capture = pending.ready().await.unwrap();
            assert!(capture.waveform.details().mode.as_deref() != Some("stream"));
            let pieces = *rolled.borrow_and_update();
            rolled.wait_for(|now| *now > pieces + 10).await.unwrap();
            {
                let present = shared.rolls.present().unwrap();
                let roll = locked(&present);
                assert!(roll.id == 1 && roll.gaps >= 1, "roll {} with {} gaps", roll.id, roll.gaps);
            }
            // What there was is kept when it stops.
            shared.set_controls(|controls| controls.run = Run::Stop);
            let mut status = shared.status.subscribe();
            status.wait_for(|status| *status == Status::Stopped).await.unwrap();
            let last = shared.latest.borrow().clone().unwrap();
            assert_eq!((last.about.ended, last.about.roll), (Ended::Roll, Some(1)));
            let volts = &last.capture.analog[0].as_ref().unwrap().volts;
            let highest = volts.iter().copied().fold(f32::MIN, f32::max);
            assert!((highest - 2.0).abs() < 0.1, "{highest}");
        };
        tokio::select! {
            failed = Box::pin(instrument.run()) => panic!("{failed:?}"),
            never = Box::pin(acquire(Arc::clone(&shared))) => match never {},
            () = Box::pin(test) => {}
        }
    }

    /// What acquires, by a simulated device whose time bases roll, while a test looks.
    async fn while_it_rolls(span_s: f64, faults: &str, run: Run, test: impl AsyncFnOnce(&Arc<Shared>)) {
        let url = format!("sim:?A=sine,100Hz,-2..2V&clock=fast{faults}").parse().unwrap();
        let link = scopething::link::open(&url).await.unwrap();
        let Opened { instrument, handle, .. } = Instrument::open(link, BS05.analog).await.unwrap();
        handle.set("test", |settings| settings.set_span(span_s));
        let shared = Shared::new(handle);
        shared.set_controls(|controls| controls.run = run);
        let _client = CountedClient::new(&shared);
        tokio::select! {
            failed = Box::pin(instrument.run()) => panic!("{failed:?}"),
            never = Box::pin(acquire(Arc::clone(&shared))) => match never {},
            done = Box::pin(timer::timeout(Duration::from_secs(50), test(&shared))) => done.unwrap(),
        }
    }

    #[tokio::test]
    async fn a_stream_that_fails_leaves_a_gap() {
        while_it_rolls(10.0, "&faults=short@100000", Run::Continuous, async |shared| {
            let mut rolled = shared.rolled.subscribe();
            loop {
                rolled.changed().await.unwrap();
                let present = shared.rolls.present().unwrap();
                let roll = locked(&present);
                assert_eq!(roll.id, 1);
                if roll.base > 0 && roll.next > roll.base + 1000 {
                    // The simulated time of its samples may be ahead of the clock, so that none need be missing.
                    assert!(roll.gaps >= 1);
                    break;
                }
            }
            assert_eq!(*shared.not_rolling.borrow(), None);
        })
        .await;
    }

    #[tokio::test]
    async fn a_single_trace_that_is_forced_is_what_there_is() {
        let span_s = 2000.0;
        while_it_rolls(span_s, "", Run::Single, async |shared| {
            let mut rolled = shared.rolled.subscribe();
            rolled.wait_for(|pieces| *pieces > 0).await.unwrap();
            shared.set_controls(|controls| controls.forced += 1);
            let mut status = shared.status.subscribe();
            status.wait_for(|status| *status == Status::Stopped).await.unwrap();
            assert_eq!(shared.controls.borrow().run, Run::Stop);
            let last = shared.latest.borrow().clone().unwrap();
            assert_eq!((last.about.ended, last.about.roll), (Ended::Roll, Some(1)));
            assert!(last.about.duration < 0.9 * span_s, "{} s", last.about.duration);
        })
        .await;
    }

    #[tokio::test]
    async fn what_a_knob_ends_is_not_listed_with_all_its_stretches() {
        let link = scopething::link::open(&"sim:".parse().unwrap()).await.unwrap();
        let Opened { instrument: _instrument, handle, .. } =
            Instrument::open(link, BS05.analog).await.unwrap();
        let shared = Shared::new(handle);
        shared.set_controls(|controls| controls.run = Run::Continuous);
        let mut roll = roll();
        roll.capacity = 100;
        roll.resume(Instant::now());
        for first in [0, 250, 500] {
            push(&mut roll, first, 200, (first > 0).then_some(50));
        }
        let mut seq = 0;
        let mut listed_by = |end| {
            keep(&shared, &roll, &end, &mut seq);
            (seq, shared.history().list().map(|listed| listed.seq).collect::<Vec<_>>())
        };
        assert_eq!(listed_by(RollEnd::Withdrawn), (3, vec![3]));
        assert_eq!(listed_by(RollEnd::Full), (6, vec![6, 5, 4, 3]));
        shared.set_controls(|controls| controls.run = Run::Stop);
        assert_eq!(listed_by(RollEnd::Withdrawn), (9, vec![9, 8, 7, 6, 5, 4, 3]));
    }
}
