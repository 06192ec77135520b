//! The trace engine: what `D` starts (sections [4](scopething_core::vm#4-a-trace) and
//! [5](scopething_core::vm#5-trace-modes) of the reference).
//!
//! Choices where the reference is silent:
//!
//! - Sample n of a trace is taken n sample periods after its start; the end time is when the next one is due. The end
//!   address holds what the signal is then, of A in the layouts of two channels: the hardware writes one sample more
//!   than it counts, over the first one of a capture that fills the buffer.
//! - The trigger is looked for once `TraceIntro` samples have been taken, and the timeout counts from there:
//!   that is how the working driver reckons it. A trigger in that time lets the trace complete, however long
//!   that takes.
//! - Above 5 MS/s the trigger is looked for at once, and nothing older than the trigger filters is kept.
//! - During `TraceDelay` nothing is stored: the samples before it are those up to the trigger.
//! - Two-channel traces end with a sample of B, so that their addresses are even.
//! - A trigger pattern that cares for no line always holds.

use super::buffer::{CaptureBuffer, Layout};
use super::frontend::{FrontEnd, Range, quantise_byte, quantise_word};
use super::mode::TraceMode;
use super::time::{SimTime, TICK_NS};
use super::trigger::{Condition, Found, TriggerSearch};
use super::wiring::{Lines, Wiring};

/// Looks at the signals before the device gives others a turn.
const MAX_LOOKS_A_TURN: u32 = 20_000;
/// The same in the first turn, which the packet that reports the start waits for; twice as many in each one after it.
const FIRST_LOOKS: u32 = 500;
/// Pre-trigger data ends above 5 MS/s, a sample every 8 ticks.
const MIN_PRETRIGGER_TICKS: u64 = 8;
/// Nanoseconds of one unit of `Timeout`: 256 ticks.
const TIMEOUT_UNIT_NS: u64 = 256 * TICK_NS;

/// Why a trace ended, with the token it is reported by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReason {
    Done = 0,
    Auto = 1,
    Stop = 3,
}

/// What a trace is asked for, in the registers' own units but for the two filters, which are in samples.
#[derive(Debug, Clone)]
pub(super) struct TraceSettings {
    pub(super) mode: TraceMode,
    pub(super) layout: Layout,
    pub(super) sample_ticks: u64,
    pub(super) intro: u64,
    pub(super) outro: u64,
    pub(super) delay_us: u64,
    pub(super) timeout: u64,
    pub(super) filters: (u64, u64),
    pub(super) condition: Condition,
    pub(super) analog_enable: u8,
    pub(super) address: u32,
    pub(super) range: Range,
    /// Whether the sample at the end address is written.
    pub(super) writes_end: bool,
}

/// How a trace ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) cause: EndReason,
    /// When the next sample, which the end address holds, is due.
    pub(super) at: SimTime,
    /// When the trigger fired.
    pub(super) triggered: Option<SimTime>,
    /// Samples taken, those that the buffer has forgotten too.
    samples: u64,
    /// Samples taken before the delay.
    before_delay: u64,
    /// The first sample that was kept.
    first_kept: u64,
}

/// What is known of the end of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndPrediction {
    /// It ends by itself.
    Ends(Ending),
    /// It does not end before this moment; the search has more to do.
    NotBefore(SimTime),
    /// It never ends by itself. When this moment comes its record is full, and a cancel finds all of it.
    FullFrom(SimTime),
    /// It does not start.
    Held,
}

/// A running trace.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    settings: TraceSettings,
    start: SimTime,
    search: TriggerSearch,
    looks_a_turn: u32,
    armed: u64,
    /// A byte was written: the trace does not start.
    held: bool,
}

impl Trace {
    pub(super) fn new(settings: TraceSettings, start: SimTime) -> Self {
        let armed = if settings.sample_ticks < MIN_PRETRIGGER_TICKS { 0 } else { settings.intro };
        let period = SimTime::from_ticks(settings.sample_ticks);
        let search = TriggerSearch::new(settings.condition, settings.filters, (start, period), armed);
        Self { settings, start, search, looks_a_turn: FIRST_LOOKS, armed, held: false }
    }

    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    fn period_ns(&self) -> u64 {
        self.settings.sample_ticks * TICK_NS
    }

    fn time_of(&self, samples: u64) -> SimTime {
        self.start + SimTime(samples.saturating_mul(self.period_ns()))
    }

    /// Samples taken up to a moment; whole pairs of two channels.
    fn taken_by(&self, at: SimTime) -> u64 {
        let samples = (at - self.start).0 / self.period_ns();
        if self.settings.mode.two_channels() { samples & !1 } else { samples }
    }

    fn expiry(&self) -> Option<SimTime> {
        let timeout = self.settings.timeout;
        (timeout > 0).then(|| self.time_of(self.armed) + SimTime(timeout * TIMEOUT_UNIT_NS))
    }

    /// When the trace ends by itself, as far as a bounded search can find.
    pub(super) fn foresee(&mut self, wiring: &Wiring) -> EndPrediction {
        if self.held {
            return EndPrediction::Held;
        }
        let expiry = self.expiry();
        let limit = expiry.map_or(u64::MAX, |expiry| (expiry - self.start).0 / self.period_ns() + 1);
        let looks = self.looks_a_turn;
        self.looks_a_turn = looks.saturating_mul(2).min(MAX_LOOKS_A_TURN);
        match self.search.advance(wiring, looks, limit) {
            Found::After(fires) if expiry.is_none_or(|expiry| self.time_of(fires) <= expiry) => {
                EndPrediction::Ends(self.completed(fires))
            }
            Found::NotBefore(sample) if sample < limit => EndPrediction::NotBefore(self.time_of(sample)),
            _ => match expiry {
                Some(expiry) => EndPrediction::Ends(self.cut(EndReason::Auto, expiry)),
                None => EndPrediction::FullFrom(self.time_of(self.record_samples())),
            },
        }
    }

    /// The samples of the whole record: intro, filters and outro.
    fn record_samples(&self) -> u64 {
        let (falses, trues) = self.settings.filters;
        self.settings.intro + falses + trues + self.settings.outro
    }

    fn completed(&self, fires: u64) -> Ending {
        let mut samples = fires + self.settings.outro;
        if self.settings.mode.two_channels() {
            samples = samples.next_multiple_of(2);
        }
        let delay = SimTime::from_micros(self.settings.delay_us);
        let (falses, trues) = self.settings.filters;
        let keeps_all = self.settings.sample_ticks >= MIN_PRETRIGGER_TICKS;
        Ending {
            cause: EndReason::Done,
            at: self.time_of(samples) + delay,
            triggered: Some(self.time_of(fires)),
            samples,
            before_delay: fires,
            first_kept: if keeps_all { 0 } else { fires.saturating_sub(falses + trues) },
        }
    }

    fn cut(&self, cause: EndReason, at: SimTime) -> Ending {
        let samples = if self.held { 0 } else { self.taken_by(at) };
        Ending {
            cause,
            at: if self.held { at } else { self.time_of(samples) },
            triggered: None,
            samples,
            before_delay: samples,
            first_kept: 0,
        }
    }

    /// The ending of a trace that is cancelled now, before it ends by itself.
    pub(super) fn cancelled(&mut self, wiring: &Wiring, at: SimTime) -> Ending {
        let full = if self.held { None } else { self.foresee_trigger(wiring, at) };
        let Some(fires) = full else { return self.cut(EndReason::Stop, at) };
        // After the trigger: the samples of the outro so far.
        let done = self.completed(fires);
        let delay = SimTime::from_micros(self.settings.delay_us);
        let resumed = self.time_of(fires) + delay;
        let mut samples = fires + (at - resumed).0 / self.period_ns();
        if self.settings.mode.two_channels() {
            samples &= !1;
        }
        let end = self.time_of(samples) + if samples > fires { delay } else { SimTime::ZERO };
        Ending { cause: EndReason::Stop, at: end, samples, ..done }
    }

    /// The sample count at which the trigger fired, if it did by `at`.
    fn foresee_trigger(&mut self, wiring: &Wiring, at: SimTime) -> Option<u64> {
        let limit = self.taken_by(at);
        loop {
            match self.search.advance(wiring, MAX_LOOKS_A_TURN, limit) {
                Found::After(fires) => return (self.time_of(fires) <= at).then_some(fires),
                Found::NotBefore(sample) if sample < limit => {}
                Found::NotBefore(_) | Found::Never => return None,
            }
        }
    }

    /// Writes what was sampled, and the sample at the end address, which is given.
    pub(super) fn store(
        &self,
        ending: &Ending,
        wiring: &Wiring,
        front: &FrontEnd,
        buffer: &mut CaptureBuffer,
    ) -> u32 {
        let width = u64::from(self.settings.layout.width());
        let first = ending.first_kept.max(ending.samples.saturating_sub(width));
        let delay = SimTime::from_micros(self.settings.delay_us);
        let mut lines = Lines::new(wiring);
        for sample in first..ending.samples {
            let pause = if sample >= ending.before_delay { delay } else { SimTime::ZERO };
            let at = self.time_of(sample) + pause;
            self.store_sample(self.address(sample), at, (wiring, &mut lines), front, buffer);
        }
        let end = self.address(ending.samples);
        if !self.held && self.settings.writes_end {
            self.store_sample(end, ending.at, (wiring, &mut lines), front, buffer);
        }
        end
    }

    pub(super) fn layout(&self) -> Layout {
        self.settings.layout
    }

    fn address(&self, sample: u64) -> u32 {
        ((u64::from(self.settings.address) + sample) % u64::from(self.settings.layout.width())) as u32
    }

    fn store_sample(
        &self,
        address: u32,
        at: SimTime,
        (wiring, lines): (&Wiring, &mut Lines<'_>),
        front: &FrontEnd,
        buffer: &mut CaptureBuffer,
    ) {
        let settings = &self.settings;
        if settings.mode.analog_channels > 0 {
            let channel = match settings.mode.analog_channels {
                2 => (address & 1) as usize,
                // The only channel is B if A is off.
                _ => usize::from(settings.analog_enable & 3 == 2),
            };
            let word = if settings.analog_enable >> channel & 1 == 0 {
                0
            } else {
                let fraction = front.fraction(settings.range, channel, wiring.volts(channel, at));
                if settings.mode.wide { quantise_word(fraction) } else { quantise_byte(fraction) }
            };
            buffer.put_analog(settings.layout, address, word);
        }
        if settings.mode.logic {
            buffer.put_logic(settings.layout, address, lines.at(at));
        }
    }
}
