//! The waveform generator and the clock outputs ([section 9 of the reference](scopething_core::vm#9-generators)).
//!
//! The reference only names the shapes of the table. Here they all rise for the part of the period that the
//! symmetry gives and fall for the rest: a sine and an exponential (five time constants a part) as well as a
//! ramp; a step is high and then low. Of pause, continue and one shot too it has only the names: a pause holds the
//! output where it is, continue goes on from there, and a one shot plays the buffer once and then rests. What else is
//! not known is refused with a note.

use std::sync::Arc;

use scopething_core::vm::Register;

use super::note::Note;
use super::registers::Registers;
use super::time::{SimTime, TICK_NS};

/// Samples of the table and of the play buffer.
const TABLE_SAMPLES: usize = 1024;
/// Volts of the output at its highest.
const FULL_SCALE_V: f64 = 3.3;
/// The shortest play clock in ticks.
const MIN_PLAY_TICKS: u16 = 33;

/// A waveform as it is played: volts that follow each other at a fixed pace.
#[derive(Debug, Clone)]
pub(super) struct Played {
    volts: Arc<[f32]>,
    sample_ns: u64,
    since: SimTime,
    /// Since when it is paused.
    held: Option<SimTime>,
    /// What follows the last sample: the first again, or these volts for ever.
    rest_volts: Option<f64>,
}

impl Played {
    /// How many samples were played whole, and when the next one begins.
    fn place(&self, at: SimTime) -> (u64, SimTime) {
        let at = self.held.map_or(at, |held| held.min(at));
        let index = (at - self.since).0 / self.sample_ns;
        (index, self.since + SimTime((index + 1) * self.sample_ns))
    }

    /// The volts of a sample, counted on from the first.
    fn sample(&self, index: u64) -> f64 {
        let length = self.volts.len() as u64;
        match self.rest_volts {
            Some(volts) if index >= length => volts,
            _ => self.volts.get((index % length.max(1)) as usize).copied().map_or(0.0, f64::from),
        }
    }

    pub(super) fn volts(&self, at: SimTime) -> f64 {
        self.sample(self.place(at).0)
    }

    /// See [`Signal::next_crossing`](super::Signal::next_crossing).
    pub(super) fn next_crossing(&self, level: f64, after: SimTime) -> Option<SimTime> {
        if self.held.is_some_and(|held| held <= after) {
            return None;
        }
        let (index, next) = self.place(after);
        let high = |index| self.sample(index) >= level;
        let ahead = (1..=self.volts.len() as u64).find(|ahead| high(index + ahead) != high(index))?;
        Some(next + SimTime((ahead - 1) * self.sample_ns))
    }

    fn pause(&mut self, now: SimTime) {
        self.held.get_or_insert(now);
    }

    fn resume(&mut self, now: SimTime) {
        if let Some(held) = self.held.take() {
            self.since = self.since + (now - held);
        }
    }
}

/// One of the clock outputs: high from `rise` to `fall`, in ticks of its period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ClockEdges {
    rise: u64,
    fall: u64,
}

/// Running clock outputs, which share the period.
#[derive(Debug, Clone)]
pub(super) struct Clocks {
    period_ticks: u64,
    outputs: [Option<ClockEdges>; 3],
    since: SimTime,
}

impl Clocks {
    fn tick(&self, at: SimTime) -> u64 {
        (at - self.since).ticks() % self.period_ticks
    }

    /// Whether the clock output is high; none if it is not enabled.
    pub(super) fn level(&self, output: usize, at: SimTime) -> Option<bool> {
        let edges = (*self.outputs.get(output)?)?;
        let tick = self.tick(at);
        Some(if edges.rise <= edges.fall {
            (edges.rise..edges.fall).contains(&tick)
        } else {
            tick >= edges.rise || tick < edges.fall
        })
    }

    /// The next moment after `after` at which an edge of the output may lie.
    pub(super) fn next_edge(&self, output: usize, after: SimTime) -> Option<SimTime> {
        let edges = (*self.outputs.get(output)?)?;
        if edges.rise == edges.fall {
            return None;
        }
        let tick = self.tick(after);
        let wait = [edges.rise, edges.fall]
            .map(|edge| (edge % self.period_ticks + self.period_ticks - tick - 1) % self.period_ticks + 1);
        let start = self.since.0 + (after - self.since).ticks() * TICK_NS;
        Some(SimTime(start + wait[0].min(wait[1]) * TICK_NS))
    }
}

/// What the generator does at present.
#[derive(Debug, Clone)]
enum Running {
    Nothing,
    Waveform(Played),
    Clocks(Clocks),
}

/// The generator: its table, its play buffer, and what it plays.
#[derive(Debug, Clone)]
pub(super) struct Generator {
    table: Vec<u8>,
    play: Vec<f32>,
    running: Running,
    rest_volts: f64,
}

impl Generator {
    pub(super) fn new() -> Self {
        Self {
            table: vec![0; TABLE_SAMPLES],
            play: vec![0.0; TABLE_SAMPLES],
            running: Running::Nothing,
            rest_volts: 0.0,
        }
    }

    pub(super) fn waveform(&self) -> Option<&Played> {
        if let Running::Waveform(played) = &self.running { Some(played) } else { None }
    }

    pub(super) fn clocks(&self) -> Option<&Clocks> {
        if let Running::Clocks(clocks) = &self.running { Some(clocks) } else { None }
    }

    /// Volts of the waveform output while nothing is played.
    pub(super) fn rest_volts(&self) -> f64 {
        self.rest_volts
    }

    /// `U`: what the output rests at, a fraction of 65536 of its highest; a one shot that is over, too.
    pub(super) fn set_rest(&mut self, rest: u16) {
        self.rest_volts = FULL_SCALE_V * f64::from(rest) / 65536.0;
        if let Running::Waveform(Played { rest_volts: Some(volts), .. }) = &mut self.running {
            *volts = self.rest_volts;
        }
    }

    /// `!`: nothing is played any more; the table and the play buffer stay.
    pub(super) fn stop(&mut self) {
        self.running = Running::Nothing;
    }

    /// `Y`: makes the table.
    pub(super) fn synthesize(&mut self, registers: &Registers) -> Result<(), Note> {
        let symmetry = f64::from(registers.get16(Register::Ratio)) / 65536.0;
        let shape = match (registers.get8(Register::Cmd), registers.get8(Register::Mode)) {
            (0, 0) => sine,
            (0, 1) => ramp,
            (0, 2) => exponential,
            (0, 3) => step,
            (command, mode) => return Err(Note::GeneratorUnknown { command: 'Y', cmd: command, mode }),
        };
        for (index, value) in self.table.iter_mut().enumerate() {
            *value = (shape(index as f64 / TABLE_SAMPLES as f64, symmetry) * 255.0).round() as u8;
        }
        Ok(())
    }

    /// `W`: one byte of the table; the address moves on.
    pub(super) fn write(&mut self, registers: &mut Registers, value: u8) {
        let address = registers.get16(Register::Address);
        if let Some(byte) = self.table.get_mut(usize::from(address) % TABLE_SAMPLES) {
            *byte = value;
        }
        registers.set(Register::Address, u32::from(address.wrapping_add(1)));
    }

    /// `R`: `Size` bytes of the table from the address on, which moves on; the table's length at the most.
    pub(super) fn read(&self, registers: &mut Registers) -> Vec<u8> {
        let address = registers.get16(Register::Address);
        let count = registers.get16(Register::Size).min(TABLE_SAMPLES as u16);
        registers.set(Register::Address, u32::from(address.wrapping_add(count)));
        let at = |index: u16| usize::from(address.wrapping_add(index)) % TABLE_SAMPLES;
        (0..count).map(|index| self.table.get(at(index)).copied().unwrap_or(0)).collect()
    }

    /// `X`: plays the table into the play buffer.
    pub(super) fn translate(&mut self, registers: &Registers) -> Result<(), Note> {
        let (cmd, mode) = (registers.get8(Register::Cmd), registers.get8(Register::Mode));
        if (cmd, mode) != (0, 0) {
            return Err(Note::GeneratorUnknown { command: 'X', cmd, mode });
        }
        let level = f64::from(registers.get16(Register::Level)) / 65536.0;
        let offset = f64::from(registers.get16(Register::Offset).cast_signed()) / 65536.0;
        let step = u64::from(registers.get(Register::Ratio));
        let size = usize::from(registers.get16(Register::Size)).min(TABLE_SAMPLES);
        let start = u64::from(registers.get16(Register::Index));
        let address = usize::from(registers.get16(Register::Address));
        for index in 0..size {
            let phase = start + ((index as u64 * step) >> 16);
            let value = self.table.get(phase as usize % TABLE_SAMPLES).copied().unwrap_or(0);
            let middle = f64::from(value) / 255.0 - 0.5;
            let volts = FULL_SCALE_V * (0.5 + offset + level * middle);
            if let Some(place) = self.play.get_mut((address + index) % TABLE_SAMPLES) {
                *place = volts.clamp(0.0, FULL_SCALE_V) as f32;
            }
        }
        Ok(())
    }

    /// `Z`: starts, pauses and stops.
    pub(super) fn generate(&mut self, registers: &Registers, now: SimTime) -> Result<(), Note> {
        let (cmd, mode) = (registers.get8(Register::Cmd), registers.get8(Register::Mode));
        match (cmd, mode, &mut self.running) {
            (2, 0, _) => self.play(registers, now, false),
            (2, 2, _) => self.play(registers, now, true),
            (3, 0, _) => self.running = Running::Clocks(clocks(registers, now)),
            (1, 0, _) => self.stop(),
            (1, 1, Running::Waveform(played)) => played.pause(now),
            (2, 1, Running::Waveform(played)) => played.resume(now),
            _ => return Err(Note::GeneratorUnknown { command: 'Z', cmd, mode }),
        }
        Ok(())
    }

    /// Plays the buffer, over and over or once.
    fn play(&mut self, registers: &Registers, now: SimTime, once: bool) {
        let length = usize::from(registers.get16(Register::Modulo)).clamp(1, TABLE_SAMPLES);
        let ticks = registers.get16(Register::Clock).max(MIN_PLAY_TICKS);
        self.running = Running::Waveform(Played {
            volts: self.play.iter().copied().take(length).collect(),
            sample_ns: u64::from(ticks) * TICK_NS,
            since: now,
            held: None,
            rest_volts: once.then_some(self.rest_volts),
        });
    }
}

fn clocks(registers: &Registers, now: SimTime) -> Clocks {
    let outputs = [
        (Register::Rise, Register::Fall, Register::Control),
        (Register::Rise2, Register::Fall2, Register::Control2),
        (Register::Rise3, Register::Fall3, Register::Control3),
    ]
    .map(|(rise, fall, control)| {
        let edge = |register| u64::from(registers.get16(register));
        (registers.get8(control) & 0x80 != 0).then(|| ClockEdges { rise: edge(rise), fall: edge(fall) })
    });
    Clocks { period_ticks: u64::from(registers.get16(Register::Clock)).max(2), outputs, since: now }
}

fn sine(phase: f64, symmetry: f64) -> f64 {
    0.5 - 0.5 * (std::f64::consts::PI * ramp(phase, symmetry)).cos()
}

fn ramp(phase: f64, symmetry: f64) -> f64 {
    if phase < symmetry { phase / symmetry } else { (1.0 - phase) / (1.0 - symmetry) }
}

fn exponential(phase: f64, symmetry: f64) -> f64 {
    super::signal::Shape::Exponential { symmetry }.value(phase)
}

fn step(phase: f64, symmetry: f64) -> f64 {
    f64::from(u8::from(phase < symmetry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[(Register, u32)]) -> Registers {
        let mut registers = Registers::after_power_up();
        for &(register, value) in values {
            registers.set(register, value);
        }
        registers
    }

    #[test]
    fn sine_is_synthesized_translated_and_played() {
        let mut generator = Generator::new();
        generator.synthesize(&with(&[(Register::Ratio, 0x8000)])).unwrap();
        // Two waves in 1000 samples, between 1.65 V + 3.3 V x (-0.1 +- 0.25).
        let offset = (-0.1_f64 * 65536.0).round() as i32;
        let translate = [
            (Register::Level, 0x8000),
            (Register::Offset, offset.cast_unsigned() & 0xffff),
            (Register::Ratio, (2.0 * 1024.0 / 1000.0 * 65536.0) as u32),
            (Register::Size, 1000),
        ];
        generator.translate(&with(&translate)).unwrap();
        let play = [(Register::Cmd, 2), (Register::Clock, 40), (Register::Modulo, 1000)];
        let start = SimTime(5_000);
        generator.generate(&with(&play), start).unwrap();
        let played = generator.waveform().unwrap();
        let volts = |micros: u64| played.volts(start + SimTime::from_micros(micros));
        let (low, high) = (1.65 - 0.33 - 0.825, 1.65 - 0.33 + 0.825);
        // A sample lasts 40 ticks, 1 us: a wave lasts 500 us, and its top lies at 250 us.
        assert!(
            (volts(0) - low).abs() < 0.01 && (volts(250) - high).abs() < 0.01,
            "{} {}",
            volts(0),
            volts(250)
        );
        assert!((volts(750) - high).abs() < 0.01 && (volts(1500) - low).abs() < 0.01);
    }

    /// Two samples of 0 V and two of 3 V, a microsecond each.
    fn steps(rest_volts: Option<f64>) -> Played {
        let volts = vec![0.0, 0.0, 3.0, 3.0].into();
        Played { volts, sample_ns: 1000, since: SimTime(0), held: None, rest_volts }
    }

    #[test]
    fn played_waveform_crossings_match_its_samples() {
        let played = steps(None);
        assert_eq!(played.next_crossing(1.0, SimTime(500)), Some(SimTime(2000)));
        assert_eq!(played.next_crossing(1.0, SimTime(2000)), Some(SimTime(4000)));
        assert_eq!(played.next_crossing(3.5, SimTime(0)), None);
    }

    #[test]
    fn table_bytes_are_written_and_read_back() {
        let mut generator = Generator::new();
        let mut registers = with(&[(Register::Mode, 1), (Register::Size, 1), (Register::Address, 1023)]);
        for value in [7, 8] {
            generator.write(&mut registers, value);
        }
        assert_eq!(registers.get(Register::Address), 1025);
        let mut registers = with(&[(Register::Size, 2), (Register::Address, 1023)]);
        assert_eq!(generator.read(&mut registers), [7, 8]);
    }

    #[test]
    fn clock_edges_follow_the_registers() {
        let mut generator = Generator::new();
        let registers = with(&[
            (Register::Cmd, 3),
            (Register::Clock, 10),
            (Register::Rise, 2),
            (Register::Fall, 5),
            (Register::Control, 0x80),
            (Register::Rise2, 8),
            (Register::Fall2, 1),
            (Register::Control2, 0x80),
        ]);
        generator.generate(&registers, SimTime(1000)).unwrap();
        let clocks = generator.clocks().unwrap();
        let high = |output| {
            (0..10)
                .filter(|tick| clocks.level(output, SimTime(1000 + 25 * tick)) == Some(true))
                .collect::<Vec<_>>()
        };
        assert_eq!(high(0), [2, 3, 4]);
        assert_eq!(high(1), [0, 8, 9]);
        assert_eq!(clocks.level(2, SimTime(1000)), None);
        assert_eq!(clocks.next_edge(0, SimTime(1000)), Some(SimTime(1050)));
        assert_eq!(clocks.next_edge(0, SimTime(1050)), Some(SimTime(1125)));
        assert_eq!(clocks.next_edge(0, SimTime(1130)), Some(SimTime(1000 + 25 * 12)));
    }

    #[test]
    fn paused_waveform_resumes_in_place() {
        let mut played = steps(None);
        played.pause(SimTime(2500));
        played.pause(SimTime(9000));
        assert_eq!((played.volts(SimTime(1_000_000)), played.next_crossing(1.0, SimTime(9000))), (3.0, None));
        played.resume(SimTime(10_500));
        assert_eq!(played.next_crossing(1.0, SimTime(10_500)), Some(SimTime(12_000)));
        assert_eq!([11_999, 12_000].map(|at| played.volts(SimTime(at))), [3.0, 0.0]);
    }

    #[test]
    fn one_shot_plays_once_and_rests() {
        let played = steps(Some(1.5));
        assert_eq!([3999, 4000, 1_000_000].map(|at| played.volts(SimTime(at))), [3.0, 1.5, 1.5]);
        assert_eq!(played.next_crossing(2.0, SimTime(2000)), Some(SimTime(4000)));
        assert_eq!(played.next_crossing(2.0, SimTime(4000)), None);
        let mut generator = Generator::new();
        let once = [(Register::Cmd, 2), (Register::Mode, 2), (Register::Modulo, 10)];
        generator.set_rest(0x8000);
        generator.generate(&with(&once), SimTime(0)).unwrap();
        let volts = |micros| generator.waveform().unwrap().volts(SimTime::from_micros(micros));
        // Ten samples of 33 ticks are 8.25 us.
        assert_eq!([8, 9].map(volts), [0.0, 1.65]);
        generator.set_rest(0x4000);
        assert_eq!(generator.waveform().unwrap().volts(SimTime::from_micros(9)), 0.825);
    }

    #[test]
    fn what_is_unknown_is_refused() {
        let mut generator = Generator::new();
        let pause = with(&[(Register::Cmd, 1), (Register::Mode, 1)]);
        let refused = generator.generate(&pause, SimTime(0)).unwrap_err();
        assert_eq!(refused, Note::GeneratorUnknown { command: 'Z', cmd: 1, mode: 1 });
        let other = with(&[(Register::Cmd, 2), (Register::Mode, 3)]);
        let refused = generator.generate(&other, SimTime(0)).unwrap_err();
        assert_eq!(refused, Note::GeneratorUnknown { command: 'Z', cmd: 2, mode: 3 });
    }
}
