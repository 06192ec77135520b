//! What a program has set up, and what the vendor's library answers to it: no device, no clock, no threads.
//!
//! Answers were learnt from that library, opened without a device; `recorded.rs` has the figures. Where it is odd and this
//! is not, or the other way round, the page `bitlib.md` documents it.

use crate::clock::{Family, SampleClock};
use crate::quirks::Quirks;
use crate::stream::MAX_TRACE_SAMPLES;

/// What asks for a value instead of setting it.
pub(crate) const ASK: i32 = -1;
/// The same where the value is a real number.
const ASK_REAL: f64 = -1.0;

/// Analog channels of the interface. The device has the first two.
const ANALOG_CHANNELS: usize = 4;
/// Analog channels that the device has.
pub(crate) const CAPTURED_CHANNELS: usize = 2;
/// Logic channels; they follow on the analog ones.
const LOGIC_CHANNELS: usize = 8;
const CHANNELS: usize = ANALOG_CHANNELS + LOGIC_CHANNELS;
/// Spans of the analog ranges, in volts.
const RANGES_V: [f64; 4] = [1.1, 3.5, 5.2, 9.2];
/// What a logic sample that is high is in volts, and the one range of a logic channel.
pub(crate) const LOGIC_HIGH_V: f64 = 5.0;
/// The ends of the input span, in volts.
const SPAN_V: (f64, f64) = (-451.0 / 60.0, 649.0 / 60.0);
/// The last source of the channels that the device has not.
const LAST_SOURCE: i32 = 5;
/// Ticks of a sample of a stream, and the most of a logic sample.
const MAX_CLOCK_TICKS: f64 = 16_384.0;
/// The samples of a stream's trace if no size is given: without an analog channel that is on, and with one.
const STREAM_SIZES: (i32, i32) = (4092, 4128);

/// A count as C has it.
pub(crate) fn counted(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// A trace mode of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Fast,
    Dual,
    Mixed,
    Logic,
    Stream,
}

impl Mode {
    const ALL: [Self; 5] = [Self::Fast, Self::Dual, Self::Mixed, Self::Logic, Self::Stream];

    fn number(self) -> i32 {
        self as i32
    }
}

/// How a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Rise,
    Fall,
    High,
    Low,
    /// At once.
    None,
}

impl Edge {
    fn of_number(number: i32) -> Option<Self> {
        let edges = [Self::Rise, Self::Fall, Self::High, Self::Low, Self::None];
        usize::try_from(number).ok().and_then(|number| edges.get(number)).copied()
    }
}

/// What a trace waits for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trigger {
    /// An analog channel, 0 or 1.
    Analog { channel: usize, level_v: f64, edge: Edge },
    /// Logic lines: those that matter, those of them that must be high, and how the pattern is watched.
    Logic { care: u8, high: u8, edge: Edge },
}

/// An analog channel's settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Analog {
    /// None is at first, and then A is captured.
    pub(crate) is_on: bool,
    range: usize,
    /// What the program has asked for.
    offset_v: f64,
}

impl Analog {
    /// Bottom and top of what is measured, in volts at the input.
    pub(crate) fn limits_v(&self) -> (f64, f64) {
        let span_v = span_v(self.range);
        let middle_v = -offset_within(span_v, self.offset_v);
        (middle_v - span_v / 2.0, middle_v + span_v / 2.0)
    }

    /// What is added to the signal before it is shown.
    pub(crate) fn shown_offset_v(&self) -> f64 {
        offset_within(span_v(self.range), self.offset_v)
    }
}

/// The span of a range, in volts.
fn span_v(range: usize) -> f64 {
    RANGES_V.get(range).copied().unwrap_or(RANGES_V[3])
}

/// The nearest offset at which a range lies within the input span.
fn offset_within(span_v: f64, offset_v: f64) -> f64 {
    offset_v.clamp(span_v / 2.0 - SPAN_V.1, -SPAN_V.0 - span_v / 2.0)
}

/// What was selected since the devices were counted: before that, what is not there is answered otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Selections {
    channel: bool,
    source: bool,
}

/// The first sample that is read in a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Index {
    set: usize,
    /// The one that was set when rate, size or time were last, or the mode was entered.
    noticed: usize,
}

/// All that can be set of a device.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    quirks: Quirks,
    pub(crate) mode: Mode,
    clock: SampleClock,
    size: i32,
    pub(crate) intro_s: f64,
    pub(crate) delay_s: f64,
    /// Of each mode.
    indices: [Index; Mode::ALL.len()],
    channel: usize,
    selections: Selections,
    analog: [Analog; CAPTURED_CHANNELS],
    /// What the program has chosen for the selected channel, of which the device knows nothing.
    source: i32,
    /// The source that was answered last.
    shown_source: i32,
    coupling: i32,
    /// The channel that was switched on last: the one that `FAST` captures if both are on.
    last_on: usize,
    /// The range that was set last, of whichever channel: the one that asking for its range gives a channel.
    range: usize,
    /// The span that was answered last, in volts.
    shown_span_v: f64,
    /// The ranges of the channel that was selected last and that the device has.
    range_count: i32,
    /// Whether there was a halt, and nothing was set since that ends that state.
    pub(crate) is_halted: bool,
    trigger: Trigger,
    logic_trigger: (u8, u8),
}

impl Settings {
    pub(crate) fn new(quirks: Quirks) -> Self {
        let analog = Analog { is_on: false, range: 0, offset_v: 0.0 };
        let mut settings = Self {
            quirks,
            mode: Mode::Fast,
            clock: SampleClock { ticks: 2.0, scale: 1.0, interleaved: 1.0 },
            size: 0,
            intro_s: 0.0,
            delay_s: 0.0,
            indices: [Index::default(); Mode::ALL.len()],
            channel: 0,
            selections: Selections::default(),
            analog: [analog; CAPTURED_CHANNELS],
            source: 0,
            shown_source: 0,
            coupling: 0,
            range: 0,
            range_count: counted(RANGES_V.len()),
            is_halted: false,
            last_on: 0,
            shown_span_v: RANGES_V[0],
            trigger: Trigger::Analog { channel: 0, level_v: 0.0, edge: Edge::Rise },
            logic_trigger: (0, 0),
        };
        settings.reset_timebase();
        settings
    }

    pub(crate) fn quirks(&self) -> Quirks {
        self.quirks
    }

    /// The mode that was asked for, which may be the one that was on; -1 for none.
    pub(crate) fn set_mode(&mut self, number: i32) -> i32 {
        if number == ASK {
            return self.mode.number();
        }
        let known = usize::try_from(number).ok().and_then(|number| Mode::ALL.get(number));
        let Some(&mode) = known else { return ASK };
        if mode != self.mode {
            self.mode = mode;
            self.reset_timebase();
            let index = self.index_mut();
            index.noticed = index.set;
            self.is_halted = false;
        }
        number
    }

    fn reset_timebase(&mut self) {
        self.clock = self.family().fastest();
        self.size = self.default_size();
    }

    fn family(&self) -> Family {
        match self.mode {
            Mode::Dual => Family::Scaled { min_ticks: 4.0, interleaved: 2.0 },
            Mode::Mixed if self.captures_both() => Family::Scaled { min_ticks: 4.0, interleaved: 1.0 },
            Mode::Fast | Mode::Mixed => Family::Scaled { min_ticks: 2.0, interleaved: 1.0 },
            Mode::Logic => Family::Unscaled { max_ticks: MAX_CLOCK_TICKS },
            Mode::Stream => Family::Fixed { ticks: MAX_CLOCK_TICKS },
        }
    }

    fn captures_both(&self) -> bool {
        self.analog.iter().all(|channel| channel.is_on)
    }

    /// The samples of a channel that the buffer holds; of a stream, those of a trace without a size.
    pub(crate) fn default_size(&self) -> i32 {
        match self.mode {
            Mode::Fast | Mode::Logic => 12_288,
            Mode::Dual | Mode::Mixed => 6144,
            Mode::Stream => {
                let is_on = self.analog.iter().any(|channel| channel.is_on);
                if is_on { STREAM_SIZES.1 } else { STREAM_SIZES.0 }
            }
        }
    }

    /// The clock of the next trace. Channels that were switched on meanwhile may have slowed it down.
    pub(crate) fn resolve_clock(&mut self) -> SampleClock {
        let fastest = self.family().fastest();
        if self.clock.period_ticks() < fastest.period_ticks() {
            self.clock = fastest;
        }
        self.clock
    }

    fn index_mut(&mut self) -> &mut Index {
        &mut self.indices[self.mode as usize]
    }

    /// Rate, size or time are set. That ends the state after a halt, but for the first of them behind another index.
    fn change(&mut self) {
        let index = self.index_mut();
        if index.noticed == index.set {
            self.is_halted = false;
        } else {
            index.noticed = index.set;
        }
    }

    /// The first sample that is read of the traces of this mode that are taken from now on.
    pub(crate) fn set_index(&mut self, index: usize) {
        self.index_mut().set = index;
    }

    pub(crate) fn index(&self) -> usize {
        self.indices[self.mode as usize].set
    }

    /// Samples a second.
    pub(crate) fn set_rate(&mut self, rate_hz: f64) -> f64 {
        if rate_hz != ASK_REAL {
            self.change();
            self.clock = self.family().for_rate(self.rate_for_size(rate_hz), self.quirks);
        }
        self.clock.rate_hz()
    }

    /// The rate at which the buffer holds as long a trace as the size has at the rate that is asked for. Only logic has sizes beyond the
    /// buffer: at the slowest of its rates.
    fn rate_for_size(&self, rate_hz: f64) -> f64 {
        let most = self.default_size();
        if self.mode == Mode::Logic && self.size > most {
            rate_hz * f64::from(most) / f64::from(self.size)
        } else {
            rate_hz
        }
    }

    /// Samples of a channel.
    pub(crate) fn set_size(&mut self, size: i32) -> i32 {
        let most = self.default_size();
        if size != ASK {
            self.change();
        }
        match size {
            ASK => {}
            0 => self.size = most,
            _ if self.mode == Mode::Stream => self.size = size.max(1),
            1.. if size <= most => self.size = size,
            _ if !self.quirks.odd_sizes => self.size = most,
            1.. => self.size = self.size_over(f64::from(size) * self.clock.period_ticks()),
            _ => self.size = self.size_below_ask(),
        }
        self.size
    }

    /// The samples that a trace of so many ticks has, at the rate at which the buffer would hold them. The rate stays what it
    /// was.
    fn size_over(&self, ticks: f64) -> i32 {
        let clock = self.family().for_period(ticks / f64::from(self.default_size()), self.quirks);
        (ticks / clock.period_ticks()).round_ties_even().clamp(1.0, f64::from(i32::MAX)) as i32
    }

    /// What the vendor's library answers for a size below -1.
    fn size_below_ask(&self) -> i32 {
        let size = match self.family() {
            Family::Scaled { interleaved, .. } if self.clock.period_ticks() >= 13.0 * interleaved => {
                65_536.0 * self.clock.period_ticks() / interleaved / 80.0
            }
            Family::Unscaled { .. } => 131_072.0 * self.clock.ticks,
            _ => f64::from(self.default_size()),
        };
        size.round_ties_even().min(f64::from(i32::MAX)) as i32
    }

    /// Seconds of a trace: its size at the rate as it is, or at a lower one if the buffer would not hold it.
    pub(crate) fn set_time(&mut self, time_s: f64) -> f64 {
        if time_s != ASK_REAL {
            self.change();
            self.fit_time(time_s);
        }
        f64::from(self.size) / self.clock.rate_hz()
    }

    fn fit_time(&mut self, time_s: f64) {
        let most = self.default_size();
        // Those that fit into the time. A product that is whole in decimals may be a bit short in binary.
        let samples = (time_s * self.clock.rate_hz() * (1.0 + 1e-12)).floor().min(f64::from(i32::MAX));
        self.size = if samples < 1.0 || samples.is_nan() {
            most
        } else if samples <= f64::from(most) || self.mode == Mode::Stream {
            samples as i32
        } else {
            let ticks = samples * self.clock.period_ticks();
            self.clock = self.family().for_period(ticks / f64::from(most), self.quirks);
            (ticks / self.clock.period_ticks()).round_ties_even().clamp(1.0, f64::from(i32::MAX)) as i32
        };
    }

    /// How many samples of a channel a trace takes: no more than the buffer holds.
    pub(crate) fn captured_size(&self) -> i32 {
        match self.mode {
            Mode::Stream => self.size.min(counted(MAX_TRACE_SAMPLES)),
            _ => self.size.min(self.default_size()),
        }
        .max(1)
    }

    /// Seconds before the trigger.
    pub(crate) fn set_intro(&mut self, intro_s: f64) -> f64 {
        if intro_s >= 0.0 {
            self.intro_s = intro_s;
        }
        self.intro_s
    }

    /// Seconds between the trigger and the first sample.
    pub(crate) fn set_delay(&mut self, delay_s: f64) -> f64 {
        if delay_s >= 0.0 {
            self.delay_s = delay_s;
        }
        self.delay_s
    }

    /// The devices are counted.
    pub(crate) fn forget_selections(&mut self) {
        self.selections = Selections::default();
    }

    /// The channel that is selected from now on; if there is no such, the one that was, or -1 before any was.
    pub(crate) fn select_channel(&mut self, channel: i32) -> i32 {
        let known = usize::try_from(channel).ok().filter(|&channel| channel < CHANNELS);
        if let Some(channel) = known {
            self.channel = channel;
            self.show_span();
            if self.source > self.last_source() {
                self.source = 0;
            }
        } else if channel != ASK && !self.selections.channel {
            return ASK;
        }
        self.selections.channel = true;
        counted(self.channel)
    }

    /// The source that is selected from now on; if there is no such, the one that was answered last, or -1 before any was selected.
    pub(crate) fn select_source(&mut self, source: i32) -> i32 {
        // Any that some channel has counts.
        if (ASK..=LAST_SOURCE).contains(&source) {
            self.selections.source = true;
        } else {
            return if self.selections.source { self.shown_source } else { ASK };
        }
        if (0..=self.last_source()).contains(&source) {
            self.source = source;
        }
        self.shown_source = self.source;
        self.source
    }

    /// The last source of the selected channel.
    fn last_source(&self) -> i32 {
        if self.selected() == Selected::Absent { LAST_SOURCE } else { 0 }
    }

    /// The number of the selected channel.
    pub(crate) fn selected(&self) -> Selected {
        match self.channel {
            channel if channel < CAPTURED_CHANNELS => Selected::Analog(channel),
            channel if channel < ANALOG_CHANNELS => Selected::Absent,
            channel => Selected::Logic((channel - ANALOG_CHANNELS) as u8),
        }
    }

    pub(crate) fn analog(&self) -> &[Analog; CAPTURED_CHANNELS] {
        &self.analog
    }

    /// The channel that is captured where it is one of A and B.
    pub(crate) fn fast_channel(&self) -> usize {
        let is_on = |channel: usize| self.analog.get(channel).is_some_and(|channel| channel.is_on);
        if is_on(self.last_on) {
            self.last_on
        } else {
            (0..CAPTURED_CHANNELS).find(|&one| is_on(one)).unwrap_or(0)
        }
    }

    /// The counts that depend on the selected channel: analog channels, logic channels, ranges.
    pub(crate) fn count(&self, what: i32) -> i32 {
        match what {
            1 => counted(CAPTURED_CHANNELS),
            2 => counted(LOGIC_CHANNELS),
            3 => self.range_count,
            _ => ASK,
        }
    }

    /// The span of the range that is set from now on, in volts. To ask for it sets the range that was set last, of whichever channel.
    pub(crate) fn set_range(&mut self, index: i32) -> f64 {
        if index != ASK {
            let last = RANGES_V.len() - 1;
            self.range = usize::try_from(index).map_or(last, |index| index.min(last));
        }
        if let Some(channel) = self.analog.get_mut(self.channel) {
            channel.range = self.range;
        }
        self.show_span();
        self.shown_span_v
    }

    fn show_span(&mut self) {
        match self.selected() {
            Selected::Analog(channel) => {
                self.shown_span_v = self.analog.get(channel).map_or(RANGES_V[0], |set| span_v(set.range));
                self.range_count = counted(RANGES_V.len());
            }
            Selected::Logic(_) => {
                self.shown_span_v = LOGIC_HIGH_V;
                self.range_count = 1;
            }
            Selected::Absent => {}
        }
    }

    /// The offset that is set from now on, in volts: such that the channel's range lies within the input span.
    pub(crate) fn set_offset(&mut self, offset_v: f64) -> f64 {
        match self.analog.get_mut(self.channel) {
            Some(channel) if !offset_v.is_nan() => {
                channel.offset_v = offset_within(span_v(channel.range), offset_v);
                channel.offset_v
            }
            _ => offset_v,
        }
    }

    /// A coupling, which the device does not have: what was set is answered.
    pub(crate) fn set_coupling(&mut self, coupling: i32) -> i32 {
        if coupling != ASK {
            self.coupling = coupling;
        }
        self.coupling
    }

    pub(crate) fn enable(&mut self, is_on: bool) {
        match self.selected() {
            Selected::Analog(channel) => {
                if let Some(analog) = self.analog.get_mut(channel) {
                    analog.is_on = is_on;
                }
                if is_on {
                    self.last_on = channel;
                }
            }
            // Logic lines are captured all or none, by the mode.
            Selected::Logic(_) | Selected::Absent => {}
        }
    }

    /// Sets the trigger of the selected channel; whether that can be.
    pub(crate) fn set_trigger(&mut self, level_v: f64, edge: i32) -> bool {
        if !level_v.is_finite() {
            return false;
        }
        let edge = Edge::of_number(edge).unwrap_or(Edge::None);
        match self.selected() {
            Selected::Analog(channel) => self.trigger = Trigger::Analog { channel, level_v, edge },
            Selected::Logic(line) => {
                let (mut care, mut high) = self.logic_trigger;
                let bit = 1 << line;
                (care, high) = (care & !bit, high & !bit);
                if edge != Edge::None {
                    care |= bit;
                }
                if matches!(edge, Edge::Rise | Edge::High) {
                    high |= bit;
                }
                self.logic_trigger = (care, high);
                self.trigger = Trigger::Logic { care, high, edge };
            }
            Selected::Absent => {}
        }
        true
    }

    /// What the next trace waits for, with the level at the input, in volts.
    pub(crate) fn trigger(&self) -> Trigger {
        let mut trigger = self.trigger;
        if let Trigger::Analog { channel, level_v, .. } = &mut trigger {
            // The level is that of the signal as it is shown.
            *level_v -= self.analog.get(*channel).map_or(0.0, Analog::shown_offset_v);
            if self.quirks.half_trigger_level {
                *level_v /= 2.0;
            }
        }
        trigger
    }
}

/// What a selected channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Selected {
    /// A or B.
    Analog(usize),
    /// A channel of bigger models.
    Absent,
    /// A logic line.
    Logic(u8),
}
