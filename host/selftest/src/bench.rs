//! The device under test with its link, and the captures and generator settings that several experiments use.

use std::fmt;

use scopething_core::device::AnalogParameters;
use scopething_core::scope::{LinkProfile, Scope};
use scopething_core::time::Micros;
use scopething_core::vm::Register;

use super::analysis;
use super::exchanges::{ExchangeLog, Exchanges};
use super::outcome::Notes;
use super::raw::{NATIVE, RAW, RawDevice, TraceEnd, TracedLink};
use super::stop::Stop;
use scopething::link::{Chunk, LinkClock, OpenLink, Tracer};

/// Ticks of the device's clock in a second.
pub(super) const CLOCK_HZ: f64 = 40e6;
/// Ticks in a unit of register `Timeout`.
const TIMEOUT_TICKS: u64 = 256;
/// Register `TriggerMask`: a 1 bit is a line that does not matter.
const MASK_ALL_BUT_A: u8 = 0x7f;
const LINE_OF_A: u8 = 0x80;
/// Bits of `KitchenSinkA` and `KitchenSinkB`.
const COMPARATOR_A: u8 = 0x80;
pub(super) const COMPARATOR_B: u8 = 0x40;
const ANALOG_FILTER: u32 = 0x80;
const WAVEFORM_OUTPUT: u32 = 0x40;
/// Register `SpockOption`: comparator trigger.
const COMPARATOR_TRIGGER: u8 = 0x01;
/// The filter before and after an edge, in samples.
pub(super) const FILTER: u16 = 8;

/// A device that experiments can be run on.
pub struct Bench {
    pub(super) scope: Scope<TracedLink, LinkClock>,
    pub(super) clock: LinkClock,
    pub(super) profile: LinkProfile,
    pub(super) exchange_log: ExchangeLog,
}

impl fmt::Debug for Bench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bench").field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl Bench {
    /// Takes over an open link; nothing is sent yet.
    #[must_use]
    pub fn new(link: OpenLink) -> Self {
        let OpenLink { stream, clock, profile, pacing } = link;
        let exchange_log = ExchangeLog::default();
        let watcher = exchange_log.clone();
        let show: Box<dyn FnMut(Chunk<'_>)> = Box::new(move |chunk| watcher.take_chunk(chunk));
        let traced = Tracer::new(stream, clock.clone(), show);
        let mut scope = Scope::new(traced, clock.clone(), profile);
        scope.set_pacing(pacing);
        Self { scope, clock, profile, exchange_log }
    }

    /// The device without the driver. The driver resets it before it is used again.
    pub(super) fn raw(&mut self) -> RawDevice<'_> {
        RawDevice {
            stream: self.scope.lend_stream(),
            clock: self.clock.clone(),
            profile: self.profile,
            exchange_log: self.exchange_log.clone(),
        }
    }

    /// Stops whatever an experiment has left running, and releases all lines.
    pub(super) async fn rest(&mut self) -> Result<(), Stop> {
        let mut raw = self.raw();
        raw.reset().await?;
        let maps = [
            Register::Map0,
            Register::Map1,
            Register::Map2,
            Register::Map3,
            Register::Map4,
            Register::Map5,
            Register::Map6,
            Register::Map7,
        ];
        raw.store(&maps.map(|map| (map, 0))).await?;
        raw.store(&[(Register::KitchenSinkA, 0), (Register::KitchenSinkB, 0)]).await?;
        raw.store(&[(Register::Cmd, 1), (Register::Mode, 0)]).await?;
        raw.run(b"Z").await?;
        raw.run(b"U").await
    }

    pub(super) fn take_exchanges(&self) -> Exchanges {
        self.exchange_log.finish()
    }
}

/// A row of the table of trace modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mode {
    pub(super) name: &'static str,
    trace: u8,
    buffer: u8,
    /// Samples that the buffer holds.
    pub(super) width: u16,
    /// The dump mode of its analog samples; none where logic is captured.
    dump: Option<u8>,
}

pub(super) const MACRO: Mode = Mode { name: "16 bit", trace: 18, buffer: 4, width: 6144, dump: Some(NATIVE) };
pub(super) const ANALOG: Mode = Mode { name: "8 bit", trace: 0, buffer: 0, width: 12288, dump: Some(RAW) };
pub(super) const LOGIC: Mode = Mode { name: "logic", trace: 14, buffer: 0, width: 12288, dump: None };

/// What starts the post-trigger part of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Trigger {
    /// Nothing does: the time-out ends the trace when all samples are taken.
    Never,
    /// A rises through a level, in volts.
    Rising(f64),
    /// The logic lines match the pattern.
    Pattern {
        /// Registers `TriggerLogic` and `TriggerMask`.
        logic: u8,
        mask: u8,
        /// Whether the pattern must be absent before.
        edge: bool,
        /// The level of both comparators, a fraction of 65536 of the span.
        level: u16,
    },
}

/// A capture of one channel, or of the logic lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Capture {
    pub(super) mode: Mode,
    /// Ticks from one sample to the next.
    pub(super) ticks: u16,
    pub(super) samples: u16,
    /// Samples before the trigger.
    pub(super) before: u16,
    /// The range, in volts.
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) trigger: Trigger,
    /// How long to wait for the trigger, in seconds; 0.4 s at most.
    pub(super) wait_s: f64,
    /// The waveform output stays on.
    pub(super) waveform: bool,
    /// `U` is sent.
    pub(super) update: bool,
}

impl Capture {
    /// 1000 samples of A in 16 bits over 1 ms, at once, from -1 to 4.5 V.
    pub(super) const LOOK: Self = Self {
        mode: MACRO,
        ticks: 40,
        samples: 1000,
        before: 500,
        low: -1.0,
        high: 4.5,
        trigger: Trigger::Never,
        wait_s: 0.0,
        waveform: false,
        update: true,
    };

    fn duration_ticks(&self) -> u64 {
        u64::from(self.samples) * u64::from(self.ticks)
    }

    /// Long enough that all samples are taken, wherever the device begins to count.
    fn timeout_units(&self) -> u32 {
        let wait = (self.wait_s * CLOCK_HZ) as u64;
        u32::try_from((self.duration_ticks() + wait) / TIMEOUT_TICKS + 2).unwrap_or(u32::MAX).min(65_535)
    }

    fn registers(&self) -> Vec<(Register, u32)> {
        let span = AnalogParameters::NOMINAL_X1;
        let (lo, hi) = (span.span_fraction(self.low), span.span_fraction(self.high));
        let (converter_lo, converter_hi) = span.converters(lo, hi);
        let dac = |fraction: f64| (fraction * 65536.0).round().clamp(0.0, 65535.0) as u32;
        let (logic, mask, edge, level) = match self.trigger {
            Trigger::Never => (LINE_OF_A, MASK_ALL_BUT_A, true, 0xffff),
            Trigger::Rising(volts) => (LINE_OF_A, MASK_ALL_BUT_A, true, dac(span.span_fraction(volts))),
            Trigger::Pattern { logic, mask, edge, level } => (logic, mask, edge, level.into()),
        };
        let intro = if edge { FILTER } else { 0 };
        let comparators = match self.trigger {
            Trigger::Pattern { .. } => COMPARATOR_A | COMPARATOR_B,
            _ => COMPARATOR_A,
        };
        let filter = if self.mode.dump.is_some() { ANALOG_FILTER } else { 0 };
        vec![
            (Register::TriggerLogic, logic.into()),
            (Register::TriggerMask, mask.into()),
            (Register::SpockOption, COMPARATOR_TRIGGER.into()),
            (Register::SampleAddress, 0),
            (Register::ClockScale, 1),
            (Register::TraceOption, 0),
            (Register::TraceMode, self.mode.trace.into()),
            (Register::TraceDelay, 0),
            (Register::TraceIntro, self.before.saturating_sub(intro).into()),
            (Register::TraceOutro, self.samples.saturating_sub(self.before).saturating_sub(FILTER).into()),
            (Register::Timeout, self.timeout_units()),
            (Register::ClockTicks, self.ticks.into()),
            (Register::BufferMode, self.mode.buffer.into()),
            (Register::TriggerIntro, (intro / 2).into()),
            (Register::TriggerOutro, (FILTER / 2).into()),
            (Register::AnalogEnable, u32::from(self.mode.dump.is_some())),
            (Register::DigitalEnable, if self.mode.dump.is_some() { 0 } else { 0xff }),
            (Register::Prelude, 0),
            (Register::ConverterLo, dac(converter_lo)),
            (Register::ConverterHi, dac(converter_hi)),
            (Register::TriggerLevel, level),
            (Register::KitchenSinkA, comparators.into()),
            (Register::KitchenSinkB, filter | if self.waveform { WAVEFORM_OUTPUT } else { 0 }),
        ]
    }

    /// Writes the registers, and applies those that wait for it.
    pub(super) async fn prepare(&self, raw: &mut RawDevice<'_>) -> Result<(), Stop> {
        raw.store(&self.registers()).await?;
        if self.update { raw.run(b"U").await } else { Ok(()) }
    }

    /// Runs the trace. None of its samples is read.
    pub(super) async fn trace(&self, raw: &mut RawDevice<'_>) -> Result<TraceEnd, Stop> {
        self.prepare(raw).await?;
        let longest = self.duration_ticks() + u64::from(self.timeout_units()) * TIMEOUT_TICKS;
        raw.trace(Micros::from_seconds(longest as f64 / CLOCK_HZ)).await
    }

    /// The last `samples` samples before the end address, as bytes.
    async fn dump(&self, raw: &mut RawDevice<'_>, end: TraceEnd) -> Result<Vec<u8>, Stop> {
        let width = u32::from(self.mode.width);
        let first = (end.address % width + width - u32::from(self.samples) % width) % width;
        let form = self.mode.dump.map_or((0x80, RAW), |mode| (0, mode));
        raw.dump(form, first, self.samples).await
    }

    /// Runs the trace and reads A in volts.
    pub(super) async fn volts(&self, raw: &mut RawDevice<'_>) -> Result<(TraceEnd, Vec<f64>), Stop> {
        let (end, bytes) = self.bytes(raw).await?;
        Ok((end, self.volts_of(&bytes)))
    }

    /// The samples of a dump in volts.
    pub(super) fn volts_of(&self, bytes: &[u8]) -> Vec<f64> {
        let volts = |fraction: f64| self.low + fraction * (self.high - self.low);
        match self.mode.dump {
            Some(NATIVE) => words(bytes).map(|word| volts(word_fraction(word))).collect(),
            _ => bytes.iter().map(|&byte| volts(f64::from(byte) / 256.0)).collect(),
        }
    }

    /// Runs the trace and reads its samples as they come: bytes of A, or of the eight logic lines.
    pub(super) async fn bytes(&self, raw: &mut RawDevice<'_>) -> Result<(TraceEnd, Vec<u8>), Stop> {
        let end = self.trace(raw).await?;
        let bytes = self.dump(raw, end).await?;
        Ok((end, bytes))
    }
}

/// The samples of a dump of 16 bits.
pub(super) fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 2]> {
    bytes.as_chunks::<2>().0.iter().copied()
}

/// A sample of 16 bits as a part of the range: signed, high byte first.
pub(super) fn word_fraction(word: [u8; 2]) -> f64 {
    f64::from(u16::from_be_bytes(word) ^ 0x8000) / 65536.0
}

/// Shapes that the generator makes by itself, by their number in register `Mode` of `Y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Triangle = 1,
    Square = 3,
}

/// A waveform of 1000 samples a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wave {
    pub(super) shape: Shape,
    /// The part of the period spent rising, or high.
    pub(super) symmetry: f64,
    /// Ticks a sample, 33 to 65535: 40 make 1 kHz.
    pub(super) ticks: u16,
    pub(super) low: f64,
    pub(super) high: f64,
}

const WAVE_SAMPLES: u32 = 1000;
const TABLE_SAMPLES: f64 = 1024.0;
const FULL_SCALE_V: f64 = 3.3;

impl Wave {
    /// A square of 1 kHz over the whole range of the output.
    pub(super) const SQUARE_1KHZ: Self =
        Self { shape: Shape::Square, symmetry: 0.5, ticks: 40, low: 0.0, high: FULL_SCALE_V };

    /// The same voltage forever.
    pub(super) const fn steady(volts: f64) -> Self {
        Self { low: volts, high: volts, ..Self::SQUARE_1KHZ }
    }

    pub(super) async fn start(&self, raw: &mut RawDevice<'_>) -> Result<(), Stop> {
        let fraction = |volts: f64| (volts / FULL_SCALE_V * 65536.0).round();
        let level = fraction(self.high - self.low).min(65535.0) as u32;
        let offset = fraction(f64::midpoint(self.low, self.high) - FULL_SCALE_V / 2.0) as i32;
        let ratio = (TABLE_SAMPLES / f64::from(WAVE_SAMPLES) * 65536.0).round() as u32;
        let symmetry = (self.symmetry * 65536.0).round().min(65535.0) as u32;
        raw.store(&[(Register::Cmd, 0), (Register::Mode, self.shape as u32), (Register::Ratio, symmetry)])
            .await?;
        raw.run(b"Y").await?;
        raw.store(&[
            (Register::Cmd, 0),
            (Register::Mode, 0),
            (Register::Level, level),
            (Register::Offset, offset.cast_unsigned() & 0xffff),
            (Register::Ratio, ratio),
            (Register::Index, 0),
            (Register::Address, 0),
            (Register::Size, WAVE_SAMPLES),
        ])
        .await?;
        raw.run(b"X").await?;
        raw.store(&[
            (Register::Cmd, 2),
            (Register::Mode, 0),
            (Register::Clock, self.ticks.into()),
            (Register::Modulo, WAVE_SAMPLES),
            (Register::Mark, 10),
            (Register::Space, 1),
            (Register::Rest, 0x7f00),
            (Register::Option, 0x8004),
        ])
        .await?;
        raw.run(b"Z").await?;
        raw.store(&[(Register::KitchenSinkB, WAVEFORM_OUTPUT)]).await?;
        raw.run(b"U").await
    }
}

/// Starts a waveform and makes sure that A sees it swing over most of its range.
pub(super) async fn start_seen(raw: &mut RawDevice<'_>, wave: Wave, notes: &mut Notes) -> Result<(), Stop> {
    wave.start(raw).await?;
    // 6000 samples over 24 ms: the slowest waveform here has 100 Hz.
    let look = Capture { samples: 6000, ticks: 160, waveform: true, ..Capture::LOOK };
    let (_, volts) = look.volts(raw).await?;
    let (low, high) = analysis::extremes(&volts);
    notes.measured_numbers("A lies between (V)", &[low, high]);
    if high - low >= 0.6 * (wave.high - wave.low) {
        return Ok(());
    }
    Err(Stop::inconclusive(format!(
        "A stays between {low:.2} V and {high:.2} V while the generator plays from {:.1} V to {:.1} V: is L4 joined to A?",
        wave.low, wave.high
    )))
}
