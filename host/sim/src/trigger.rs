//! The trigger: a condition that must be false for so many samples, then true for so many
//! ([section 4 of the reference](scopething_core::vm#4-a-trace)).
//!
//! The two runs must follow each other directly. The search steps from one possible change of the condition
//! to the next, so that its work follows the edges of the signals and not the sample rate.

use super::registers::Spock;
use super::time::SimTime;
use super::wiring::Wiring;

/// What the trigger looks at.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Watched {
    /// The eight logic lines, the comparators among them: those of `care` must be as in `logic`.
    Pattern { logic: u8, care: u8 },
    /// A channel's input against a voltage.
    Sampled { channel: usize, level_v: f64 },
}

/// The trigger condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Condition {
    watched: Watched,
    inverted: bool,
}

impl Condition {
    /// The condition of the capture registers. `sampled_level_v` turns a channel into the volts of
    /// `TriggerValue`.
    pub(super) fn new(spock: Spock, sampled_level_v: impl Fn(usize) -> f64) -> Self {
        let watched = if spock.comparator_trigger() {
            Watched::Pattern { logic: spock.trigger_logic, care: !spock.trigger_mask }
        } else {
            let channel = spock.source();
            Watched::Sampled { channel, level_v: sampled_level_v(channel) }
        };
        Self { watched, inverted: spock.inverted() }
    }

    fn holds(&self, wiring: &Wiring, at: SimTime) -> bool {
        let matched = match self.watched {
            Watched::Pattern { logic, care } => {
                care_lines(care).all(|line| wiring.line(line, at) == (logic >> line & 1 == 1))
            }
            Watched::Sampled { channel, level_v } => wiring.volts(channel, at) >= level_v,
        };
        matched != self.inverted
    }

    /// A moment before which the condition stays as it is; none if it never changes.
    fn next_change(&self, wiring: &Wiring, after: SimTime) -> Option<SimTime> {
        match self.watched {
            Watched::Pattern { care, .. } => {
                care_lines(care).filter_map(|line| wiring.line_change(line, after)).min()
            }
            Watched::Sampled { channel, level_v } => wiring.volts_crossing(channel, level_v, after),
        }
    }
}

fn care_lines(care: u8) -> impl Iterator<Item = usize> {
    (0..8).filter(move |line| care >> line & 1 == 1)
}

/// How far a search has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The trigger fires when this many samples have been taken.
    After(u64),
    /// Not in the samples before this one; there may be more to come.
    NotBefore(u64),
    /// Never, as long as nothing but time changes.
    Never,
}

/// A search for the trigger, which goes on where it stopped.
#[derive(Debug, Clone)]
pub(super) struct TriggerSearch {
    condition: Condition,
    false_samples: u64,
    true_samples: u64,
    start: SimTime,
    period: SimTime,
    next: u64,
    false_run: u64,
    true_run: u64,
    outcome: Option<Found>,
}

impl TriggerSearch {
    /// A search over samples taken every `period` from `start` on, of which the first `skipped` do not count.
    pub(super) fn new(
        condition: Condition,
        (false_samples, true_samples): (u64, u64),
        (start, period): (SimTime, SimTime),
        skipped: u64,
    ) -> Self {
        Self {
            condition,
            false_samples,
            true_samples,
            start,
            period,
            next: skipped,
            false_run: 0,
            true_run: 0,
            outcome: None,
        }
    }

    /// Goes on searching, for at most so many looks at the signals and not beyond sample `limit`.
    pub(super) fn advance(&mut self, wiring: &Wiring, looks: u32, limit: u64) -> Found {
        if let Some(outcome) = self.outcome {
            return outcome;
        }
        if self.false_samples == 0 && self.true_samples == 0 {
            return self.conclude(Found::After(self.next));
        }
        for _ in 0..looks {
            if self.next >= limit {
                break;
            }
            let at = self.time_of(self.next);
            let holds = self.condition.holds(wiring, at);
            let end = self.condition.next_change(wiring, at).map(|change| self.first_sample_from(change));
            if let Some(fires) = self.take(holds, end) {
                return self.conclude(Found::After(fires));
            }
            let Some(end) = end else { return self.conclude(Found::Never) };
            self.next = end;
        }
        Found::NotBefore(self.next)
    }

    fn conclude(&mut self, outcome: Found) -> Found {
        self.outcome = Some(outcome);
        outcome
    }

    /// Counts the samples up to `end`, all alike; gives the number of samples after which the trigger fires.
    fn take(&mut self, holds: bool, end: Option<u64>) -> Option<u64> {
        let length = end.map_or(u64::MAX, |end| end - self.next);
        if holds {
            let missing = self.true_samples.saturating_sub(self.true_run);
            if self.false_run >= self.false_samples && length >= missing {
                return Some(self.next + missing);
            }
            self.true_run = self.true_run.saturating_add(length);
            return None;
        }
        if self.true_run > 0 {
            self.false_run = 0;
            self.true_run = 0;
        }
        let missing = self.false_samples.saturating_sub(self.false_run);
        if self.true_samples == 0 && length >= missing {
            return Some(self.next + missing);
        }
        self.false_run = self.false_run.saturating_add(length);
        None
    }

    fn time_of(&self, sample: u64) -> SimTime {
        self.start + SimTime(sample.saturating_mul(self.period.0))
    }

    fn first_sample_from(&self, at: SimTime) -> u64 {
        (at - self.start).0.div_ceil(self.period.0).max(self.next + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::registers::Registers;
    use super::super::signal::Signal;
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use scopething_core::vm::Register;

    fn spock(logic: u8, mask: u8, option: u8) -> Spock {
        let mut registers = Registers::after_power_up();
        registers.set(Register::TriggerLogic, logic.into());
        registers.set(Register::TriggerMask, mask.into());
        registers.set(Register::SpockOption, option.into());
        Spock::from_registers(&registers, false)
    }

    fn wiring(lines: &[(usize, &str)]) -> Wiring {
        let mut logic = [const { None }; 8];
        for &(line, text) in lines {
            logic[line] = Some(text.parse::<Signal>().unwrap());
        }
        Wiring::new([None, None], logic, 0.0, 1)
    }

    fn search(spock: Spock, filters: (u64, u64), period: u64, skipped: u64) -> TriggerSearch {
        let condition = Condition::new(spock, |_| 0.0);
        TriggerSearch::new(condition, filters, (SimTime(0), SimTime(period)), skipped)
    }

    #[test]
    fn edge_fires_after_its_filters() {
        let wiring = wiring(&[(3, "square 1kHz phase=50%")]);
        // Low until 500 us, then high: samples 0..=499 are false, the eighth true one is sample 507.
        let rising = search(spock(0x08, 0xf7, 1), (8, 8), 1000, 0).advance(&wiring, 100, u64::MAX);
        assert_eq!(rising, Found::After(508));
        let falling = search(spock(0x08, 0xf7, 0x41), (8, 8), 1000, 0).advance(&wiring, 100, u64::MAX);
        assert_eq!(falling, Found::After(1008));
        let level = search(spock(0x08, 0xf7, 1), (0, 8), 1000, 600).advance(&wiring, 100, u64::MAX);
        assert_eq!(level, Found::After(608));
    }

    #[test]
    fn impossible_differs_from_pending() {
        let wiring = wiring(&[(0, "dc 0V"), (1, "square 1MHz")]);
        let never = search(spock(1, 0xfe, 1), (8, 8), 25, 0).advance(&wiring, 100, u64::MAX);
        assert_eq!(never, Found::Never);
        // Line 1 changes every 20 samples: never true for 30.
        let mut long = search(spock(2, 0xfd, 1), (2, 30), 25, 0);
        let Found::NotBefore(sample) = long.advance(&wiring, 100, u64::MAX) else { panic!("no end") };
        assert!(sample >= 100);
        assert!(
            matches!(long.advance(&wiring, 100_000, sample + 50), Found::NotBefore(n) if n < sample + 100)
        );
    }

    #[test]
    fn no_filter_at_all_fires_at_once() {
        let wiring = wiring(&[]);
        let at_once = search(spock(0xff, 0, 1), (0, 0), 25, 17).advance(&wiring, 1, u64::MAX);
        assert_eq!(at_once, Found::After(17));
    }

    /// The definition, sample by sample.
    fn first_by_definition(states: &[bool], intro: usize, outro: usize) -> Option<u64> {
        (intro + outro..=states.len())
            .find(|&end| {
                let middle = end - outro;
                states[middle..end].iter().all(|state| *state)
                    && states[middle - intro..middle].iter().all(|state| !state)
            })
            .map(|end| end as u64)
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn search_agrees_with_the_definition(
            frequency in 1e3..2e6, duty in 1.0..99.0, intro in 0_u64..10, outro in 0_u64..10,
            period in 1_u64..40, invert: bool
        ) {
            let wiring = wiring(&[(2, &format!("square {frequency} {duty}%"))]);
            let period = 25 * period;
            let spock = spock(4, 0xfb, if invert { 0x41 } else { 1 });
            let condition = Condition::new(spock, |_| 0.0);
            let states: Vec<bool> = (0..3000).map(|n| condition.holds(&wiring, SimTime(n * period))).collect();
            let expected = first_by_definition(&states, intro as usize, outro as usize);
            let found = search(spock, (intro, outro), period, 0).advance(&wiring, u32::MAX, 3000);
            match expected {
                Some(end) => prop_assert_eq!(found, Found::After(end)),
                None => prop_assert!(!matches!(found, Found::After(n) if n <= 3000), "{found:?}"),
            }
        }
    }
}
