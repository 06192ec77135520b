//! What is wired to the device, what the device itself puts on its pins, and its comparators.
//!
//! Inputs that are not given see the device's own generator: A the waveform, B its inverse, both the clock
//! while it runs. Logic lines that are not given show a counter. L7 and A are one pin on a BS05, and so are
//! L6 and B: a signal given for L7 alone is seen by A as well, and with the comparator on the line shows A
//! against the trigger level.

use super::generator::Generator;
use super::registers::Applied;
use super::signal::{LOGIC_HIGH_V, Signal};
use super::time::SimTime;
use crate::random;

/// Where a 3.3 V logic input switches.
const LOGIC_THRESHOLD_V: f64 = 1.65;
/// How long the counter on unset logic lines keeps a value, in seconds.
const COUNTER_STEP_S: f64 = 10e-6;
/// The line that the waveform comes out on.
const WAVEFORM_LINE: usize = 4;
/// `Map` values that put clock 1 to 3 on a line.
const MAP_CLOCK_1: u8 = 0x12;

/// Where an analog input gets its volts from.
#[derive(Debug, Clone)]
enum Source<'a> {
    Signal(&'a Signal),
    Clock(usize),
    Waveform { inverted: bool },
}

/// Everything that decides what a pin shows at a moment.
#[derive(Debug, Clone)]
pub(super) struct Wiring {
    analog: [Option<Signal>; 2],
    logic: [Option<Signal>; 8],
    counter: [Signal; 8],
    noise_v: f64,
    seed: u64,
    pub(super) generator: Generator,
    pub(super) applied: Applied,
    /// Comparator level in volts.
    pub(super) level_v: f64,
}

impl Wiring {
    pub(super) fn new(
        analog: [Option<Signal>; 2],
        logic: [Option<Signal>; 8],
        noise_v: f64,
        seed: u64,
    ) -> Self {
        let seeded = |signal: Option<Signal>, place: usize| {
            signal.map(|signal| signal.seeded(random::mix(seed, 1000 + place as u64)))
        };
        let [a, b] = analog;
        let mut place = 2;
        Self {
            analog: [seeded(a, 0), seeded(b, 1)],
            logic: logic.map(|signal| {
                place += 1;
                seeded(signal, place)
            }),
            counter: std::array::from_fn(|line| Signal::counter_line(line as u32, COUNTER_STEP_S)),
            noise_v,
            seed,
            generator: Generator::new(),
            applied: Applied::default(),
            level_v: 0.0,
        }
    }

    fn source(&self, channel: usize) -> Source<'_> {
        let shared_pin = self.logic.get(7 - channel).and_then(Option::as_ref);
        if let Some(signal) = self.analog.get(channel).and_then(Option::as_ref).or(shared_pin) {
            return Source::Signal(signal);
        }
        match self.clock_on_a_line() {
            Some(output) => Source::Clock(output),
            None => Source::Waveform { inverted: channel == 1 },
        }
    }

    /// The clock output that a probe is clipped to: that on L5, otherwise the first on any line.
    fn clock_on_a_line(&self) -> Option<usize> {
        [5, 0, 1, 2, 3, 4, 6, 7].into_iter().find_map(|line| self.clock_of_line(line))
    }

    /// The clock output that drives a line.
    fn clock_of_line(&self, line: usize) -> Option<usize> {
        let clocks = self.generator.clocks()?;
        let output = usize::from(self.applied.driver_of_line(line).checked_sub(MAP_CLOCK_1)?);
        clocks.level(output, SimTime::ZERO).map(|_| output)
    }

    fn clock_high(&self, output: usize, at: SimTime) -> bool {
        self.generator.clocks().and_then(|clocks| clocks.level(output, at)).unwrap_or(false)
    }

    fn waveform_volts(&self, at: SimTime) -> f64 {
        if !self.applied.waveform_on() {
            return 0.0;
        }
        self.generator.waveform().map_or(self.generator.rest_volts(), |played| played.volts(at))
    }

    fn waveform_crossing(&self, level: f64, after: SimTime) -> Option<SimTime> {
        let played = self.applied.waveform_on().then(|| self.generator.waveform())??;
        played.next_crossing(level, after)
    }

    fn clean_volts(&self, channel: usize, at: SimTime) -> f64 {
        match self.source(channel) {
            Source::Signal(signal) => signal.volts(at),
            Source::Clock(output) => f64::from(u8::from(self.clock_high(output, at))) * LOGIC_HIGH_V,
            Source::Waveform { inverted: false } => self.waveform_volts(at),
            Source::Waveform { inverted: true } => LOGIC_HIGH_V - self.waveform_volts(at),
        }
    }

    fn clean_crossing(&self, channel: usize, level: f64, after: SimTime) -> Option<SimTime> {
        match self.source(channel) {
            Source::Signal(signal) => signal.next_crossing(level, after),
            Source::Clock(output) => self.generator.clocks()?.next_edge(output, after),
            Source::Waveform { inverted: false } => self.waveform_crossing(level, after),
            // At or above the level is at or below the mirrored one: the sides differ at the level itself
            // alone.
            Source::Waveform { inverted: true } => {
                self.waveform_crossing((LOGIC_HIGH_V - level).next_up(), after)
            }
        }
    }

    /// Volts at an analog input (0 is A), with noise.
    pub(super) fn volts(&self, channel: usize, at: SimTime) -> f64 {
        let clean = self.clean_volts(channel, at);
        if self.noise_v > 0.0 {
            clean + self.noise_v * random::bell(random::mix(self.seed, channel as u64), at.ticks())
        } else {
            clean
        }
    }

    /// As [`Signal::next_crossing`], for an analog input with its noise.
    pub(super) fn volts_crossing(&self, channel: usize, level: f64, after: SimTime) -> Option<SimTime> {
        let reach = self.noise_v * random::BELL_LIMIT;
        let distance = self.clean_volts(channel, after) - level;
        if reach == 0.0 {
            self.clean_crossing(channel, level, after)
        } else if distance.abs() <= reach {
            Some(after + SimTime(1))
        } else {
            // Out of reach of the noise, nothing happens before the clean signal is within it.
            self.clean_crossing(channel, level + reach.copysign(distance), after)
        }
    }

    fn logic_signal(&self, line: usize) -> Option<&Signal> {
        self.logic.get(line).and_then(Option::as_ref).or_else(|| self.counter.get(line))
    }

    /// The channel whose comparator a line shows.
    fn comparator_of_line(&self, line: usize) -> Option<usize> {
        let channel = 7_usize.checked_sub(line).filter(|channel| *channel < 2)?;
        self.applied.comparator_on(channel).then_some(channel)
    }

    /// Whether a logic line is high.
    pub(super) fn line(&self, line: usize, at: SimTime) -> bool {
        if let Some(channel) = self.comparator_of_line(line) {
            self.volts(channel, at) >= self.level_v
        } else if let Some(output) = self.clock_of_line(line) {
            self.clock_high(output, at)
        } else if line == WAVEFORM_LINE && self.applied.waveform_on() {
            self.waveform_volts(at) >= LOGIC_THRESHOLD_V
        } else {
            self.logic_signal(line).is_some_and(|signal| signal.volts(at) >= LOGIC_THRESHOLD_V)
        }
    }

    /// As [`Signal::next_crossing`], for the level of a logic line.
    pub(super) fn line_change(&self, line: usize, after: SimTime) -> Option<SimTime> {
        if let Some(channel) = self.comparator_of_line(line) {
            self.volts_crossing(channel, self.level_v, after)
        } else if let Some(output) = self.clock_of_line(line) {
            self.generator.clocks()?.next_edge(output, after)
        } else if line == WAVEFORM_LINE && self.applied.waveform_on() {
            self.waveform_crossing(LOGIC_THRESHOLD_V, after)
        } else {
            self.logic_signal(line)?.next_crossing(LOGIC_THRESHOLD_V, after)
        }
    }

    /// All eight lines, a bit each.
    pub(super) fn lines(&self, at: SimTime) -> u8 {
        (0..8).rev().fold(0, |byte, line| byte << 1 | u8::from(self.line(line, at)))
    }
}

/// The logic lines at one moment after the other: a line is looked at again only once it may have changed.
pub(super) struct Lines<'a> {
    wiring: &'a Wiring,
    levels: u8,
    /// Until when each line keeps its level.
    steady_until: [SimTime; 8],
}

impl<'a> Lines<'a> {
    pub(super) fn new(wiring: &'a Wiring) -> Self {
        Self { wiring, levels: 0, steady_until: [SimTime::ZERO; 8] }
    }

    /// All eight lines at a moment that is not before the last one, a bit each.
    pub(super) fn at(&mut self, at: SimTime) -> u8 {
        for (line, steady_until) in self.steady_until.iter_mut().enumerate() {
            if at >= *steady_until {
                let bit = 1 << line;
                self.levels = if self.wiring.line(line, at) { self.levels | bit } else { self.levels & !bit };
                *steady_until = self.wiring.line_change(line, at).unwrap_or(SimTime(u64::MAX));
            }
        }
        self.levels
    }
}

#[cfg(test)]
mod tests {
    use super::super::registers::Registers;
    use super::*;
    use scopething_core::vm::Register;

    fn comparators_on() -> Applied {
        let mut registers = Registers::after_power_up();
        registers.set(Register::KitchenSinkA, 0xc0);
        Applied::from_registers(&registers)
    }

    fn signal(text: &str) -> Signal {
        text.parse().unwrap()
    }

    #[test]
    fn unset_lines_count_and_unset_inputs_rest() {
        let wiring = Wiring::new([None, None], [const { None }; 8], 0.0, 1);
        assert_eq!(wiring.lines(SimTime::from_micros(10 * 0x5a + 3)), 0x5a);
        assert_eq!(wiring.volts(0, SimTime(0)), 0.0);
        assert_eq!(wiring.volts(1, SimTime(0)), 3.3);
    }

    #[test]
    fn lines_seven_and_six_show_the_comparators() {
        let inputs = [Some(signal("dc 1V")), Some(signal("dc 2V"))];
        let mut wiring = Wiring::new(inputs, [const { None }; 8], 0.0, 1);
        wiring.level_v = 1.5;
        assert_eq!(wiring.lines(SimTime(0)) & 0xc0, 0);
        wiring.applied = comparators_on();
        assert_eq!(wiring.lines(SimTime(0)) & 0xc0, 0x40);
        assert_eq!(wiring.line_change(7, SimTime(0)), None);
    }

    /// Of every kind: what counts, what is regular, what is looked at each time, and a comparator with noise on its input.
    #[test]
    fn lines_that_are_kept_are_as_when_looked_at() {
        let mut logic = [const { None }; 8];
        for (line, text) in
            ["square 100kHz", "sine 33kHz 0..3V", "noise 0..3V", "uart 9600bps data=55"].iter().enumerate()
        {
            logic[line] = Some(signal(text));
        }
        let mut wiring = Wiring::new([Some(signal("triangle 7kHz 0..3V")), None], logic, 0.05, 1);
        wiring.level_v = 1.5;
        wiring.applied = comparators_on();
        let mut kept = Lines::new(&wiring);
        let mut seen = [0_u32; 8];
        for sample in 0..20_000_u64 {
            let at = SimTime(sample * 1_025);
            let lines = wiring.lines(at);
            assert_eq!(kept.at(at), lines, "at {at:?}");
            for (line, count) in seen.iter_mut().enumerate() {
                *count += u32::from(lines >> line & 1);
            }
        }
        // L6 shows input B, which rests above the level.
        let constant = seen.iter().filter(|&&count| count == 0 || count == 20_000).count();
        assert_eq!((constant, seen[6]), (1, 20_000), "{seen:?}");
    }

    #[test]
    fn line_seven_is_also_input_a() {
        let mut logic = [const { None }; 8];
        logic[7] = Some(signal("dc 2.5V"));
        let wiring = Wiring::new([None, None], logic, 0.0, 1);
        assert_eq!(wiring.volts(0, SimTime(0)), 2.5);
        assert!(wiring.line(7, SimTime(0)));
    }

    #[test]
    fn noise_is_searched_near_the_level() {
        let wiring = Wiring::new([Some(signal("ramp 1kHz 0..1V")), None], [const { None }; 8], 0.01, 1);
        // The ramp comes within 34.6 mV of 0.5 V at 465.4 us.
        let near = wiring.volts_crossing(0, 0.5, SimTime(10)).unwrap();
        assert!(near.0.abs_diff(465_359) < 5, "{near:?}");
        assert_eq!(wiring.volts_crossing(0, 0.5, near + SimTime(10)), Some(near + SimTime(11)));
    }
}
