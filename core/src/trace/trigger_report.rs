//! What the trigger source did during a trace that no trigger ended, held against what the trigger waits for.

use super::Trace;
use crate::plan::{CapturePlan, SampleRange, TriggerSource, TriggerType};

/// Samples in a row that the trigger asks for on one side of its condition, and the most that were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Run {
    /// What the trigger filter asks for.
    pub needed: u16,
    /// The longest that was seen, counted in the samples of all channels as the filter counts them.
    pub longest: u16,
}

impl Run {
    fn is_too_short(self) -> bool {
        self.longest < self.needed
    }
}

/// What the trigger source was seen to do.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Seen {
    /// Of an analog channel, in volts.
    Analog {
        /// The lowest sample.
        low: f32,
        /// The highest sample.
        high: f32,
        /// The trigger level.
        level: f32,
    },
    /// Of the lines of a pattern, a bit each.
    Logic {
        /// Those that stayed at the level that the pattern does not have.
        steady_wrong: u8,
    },
}

/// Why no trigger came, as far as the trace shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Finding {
    /// The source never reaches the level, or the pattern.
    NeverReached,
    /// The source never leaves the level behind, or the pattern.
    NeverLeft,
    /// It does both, but not for as many samples as the filter asks for.
    TooShort,
    /// The trace shows too little to decide.
    Unclear,
    /// The trigger was due: after so many samples of the trace, counted over all channels, its condition was met.
    Due {
        /// How many.
        samples: u16,
    },
}

/// What the trigger source did during a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct TriggerReport {
    /// What the trigger watches.
    pub source: TriggerSource,
    /// How it must behave.
    pub trigger_type: TriggerType,
    /// What it did.
    pub seen: Seen,
    /// Before the trigger: on the side of the level that it comes from. Nothing is needed of a trigger on a level.
    pub before: Run,
    /// From the trigger on: on the other side.
    pub after: Run,
    /// Why no trigger came.
    pub finding: Finding,
}

impl CapturePlan {
    /// Whether the trace shows what the trigger watches, in the trigger level's unit.
    #[must_use]
    pub fn shows_trigger(&self) -> bool {
        match self.trigger {
            TriggerSource::Analog(channel) => {
                self.channels.contains(channel.into()) && matches!(self.range, SampleRange::Volts { .. })
            }
            TriggerSource::Logic(pattern) => pattern.care & !self.channels.logic() == 0,
        }
    }
}

impl TriggerReport {
    /// What the trigger source did during a trace. None if the trace [does not show it](CapturePlan::shows_trigger), or
    /// has no samples.
    #[must_use]
    pub fn of_trace(trace: &Trace<'_>) -> Option<Self> {
        let plan = trace.plan();
        if !plan.shows_trigger() || trace.samples() == 0 {
            return None;
        }
        let (intro, outro) = plan.trigger_filters();
        match plan.trigger {
            TriggerSource::Analog(channel) => {
                let view = trace.analog(channel)?;
                let level = plan.level as f32;
                let (low, high) =
                    view.values().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), volts| {
                        (low.min(volts), high.max(volts))
                    });
                let stride = u16::from(plan.mode.analog_channels.max(1));
                let held = view.values().map(|volts| (volts >= level) != plan.trigger_type.is_inverted());
                Some(Self::new(plan, Seen::Analog { low, high, level }, search(held, stride, intro, outro)))
            }
            TriggerSource::Logic(pattern) => {
                let bytes = || trace.raw(super::DumpChannel::Logic).iter().copied();
                let steady_high = bytes().fold(pattern.care, |lines, byte| lines & byte);
                let steady_low = bytes().fold(pattern.care, |lines, byte| lines & !byte);
                let steady_wrong = steady_high & !pattern.high | steady_low & pattern.high;
                let held = bytes().map(|byte| {
                    ((byte ^ pattern.high) & pattern.care == 0) != plan.trigger_type.is_inverted()
                });
                Some(Self::new(plan, Seen::Logic { steady_wrong }, search(held, 1, intro, outro)))
            }
        }
    }

    fn new(plan: &CapturePlan, seen: Seen, (before, after, finding): (Run, Run, Finding)) -> Self {
        Self { source: plan.trigger, trigger_type: plan.trigger_type, seen, before, after, finding }
    }
}

/// Looks for a run of `intro` samples without the condition that a run of `outro` samples with it follows directly, as
/// the device does; `stride` of its samples lie between two that are looked at.
fn search(held: impl Iterator<Item = bool>, stride: u16, intro: u16, outro: u16) -> (Run, Run, Finding) {
    let mut before = Run { needed: intro, longest: 0 };
    let mut after = Run { needed: outro, longest: 0 };
    let mut runs = 0_u16;
    let (mut side, mut length, mut came_from) = (None, 0_u16, 0_u16);
    let mut taken = 0_u16;
    let mut due = None;
    for holds in held {
        taken = taken.saturating_add(stride);
        if side != Some(holds) {
            (side, came_from, length) = (Some(holds), length, 0);
            runs = runs.saturating_add(1);
        }
        length = length.saturating_add(stride);
        let run = if holds { &mut after } else { &mut before };
        run.longest = run.longest.max(length);
        if holds && length >= outro && came_from >= intro && due.is_none() {
            due = Some(taken);
        }
    }
    let finding = match due {
        Some(samples) => Finding::Due { samples },
        None if after.longest == 0 => Finding::NeverReached,
        None if before.longest == 0 => Finding::NeverLeft,
        // Two runs are cut by the ends of the trace: what they would have come to is not known.
        None if runs > 2 && (before.is_too_short() || after.is_too_short()) => Finding::TooShort,
        None => Finding::Unclear,
    };
    (before, after, finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BS05;
    use crate::plan::{BusyOutputs, CaptureRequest, ChannelSet, plan_capture};
    use crate::trace::{EndReason, TraceBuffer};

    fn plan(channels: &str, change: impl FnOnce(&mut CaptureRequest)) -> CapturePlan {
        let mut request = CaptureRequest::new(channels.parse::<ChannelSet>().unwrap());
        // 32 steps of a byte are 1 V.
        (request.period_s, request.samples, request.low, request.high) = (20e-6, 100, Some(0.0), Some(8.0));
        change(&mut request);
        plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap()
    }

    fn report(plan: &CapturePlan, raw: &[u8]) -> Option<TriggerReport> {
        let mut buffer = TraceBuffer::new();
        buffer.region_mut(0..raw.len()).copy_from_slice(raw);
        TriggerReport::of_trace(&Trace::new(plan, &buffer, raw.len() as u16, EndReason::Cancel, 0))
    }

    fn finding(plan: &CapturePlan, raw: &[u8]) -> Finding {
        report(plan, raw).unwrap().finding
    }

    /// Runs of so many samples, low and high in turns.
    fn runs<const N: usize>(lengths: [usize; N]) -> std::vec::Vec<u8> {
        lengths
            .into_iter()
            .enumerate()
            .flat_map(|(turn, length)| std::iter::repeat_n(if turn % 2 == 0 { 32 } else { 224 }, length))
            .collect()
    }

    #[test]
    fn distant_signal_reports_its_extremes() {
        let plan = plan("A", |request| request.level = Some(5.0));
        let report = report(&plan, &[0, 32, 64, 32, 0, 32, 64, 32, 0, 32, 64, 32]).unwrap();
        assert_eq!(report.seen, Seen::Analog { low: 0.0, high: 2.0, level: 5.0 });
        assert_eq!(report.finding, Finding::NeverReached);
        let high = self::plan("A", |request| request.level = Some(-1.0));
        assert_eq!(finding(&high, &[32; 40]), Finding::NeverLeft);
        let falling = self::plan("A", |request| request.trigger_type = TriggerType::Falling);
        assert_eq!(finding(&falling, &[32; 40]), Finding::NeverLeft);
    }

    #[test]
    fn short_runs_are_counted() {
        let rising = plan("A", |_| {});
        let report = report(&rising, &runs([5, 5, 5, 5, 5, 5])).unwrap();
        assert_eq!(report.finding, Finding::TooShort);
        assert_eq!(report.before, Run { needed: 8, longest: 5 });
        assert_eq!(report.after, Run { needed: 8, longest: 5 });
        let hair = plan("A", |request| request.hair_trigger = true);
        assert_eq!(finding(&hair, &runs([5, 5, 5, 5, 5, 5])), Finding::Due { samples: 9 });
        // Long enough, but never one directly after the other.
        assert_eq!(finding(&rising, &runs([12, 3, 3, 12, 3])), Finding::Unclear);
    }

    #[test]
    fn missed_trigger_is_located() {
        let rising = plan("A", |_| {});
        assert_eq!(finding(&rising, &runs([30, 20])), Finding::Due { samples: 38 });
        assert_eq!(finding(&rising, &runs([7, 20])), Finding::Unclear);
        assert_eq!(finding(&rising, &runs([30, 7])), Finding::Unclear);
        let above = plan("A", |request| request.trigger_type = TriggerType::Above);
        assert_eq!(finding(&above, &runs([3, 20])), Finding::Due { samples: 11 });
    }

    #[test]
    fn pairs_count_as_the_filter_does() {
        // Each channel has every second sample: 4 of A are 8 of the filter's.
        let pair = plan("A,B", |_| {});
        let (mut raw, b) = (runs([4, 4, 4, 4, 4]), [32; 20]);
        raw.extend(b);
        assert_eq!(finding(&pair, &raw), Finding::Due { samples: 16 });
    }

    #[test]
    fn blocking_lines_are_named() {
        let pattern = plan("L", |request| request.trigger = "L3=1,L5=0".parse().ok());
        let steady = report(&pattern, &[0b0000_0000, 0b0010_0000, 0, 0b0010_0000]).unwrap();
        assert_eq!(steady.seen, Seen::Logic { steady_wrong: 0b0000_1000 });
        assert_eq!(steady.finding, Finding::NeverReached);
        let never_at_once = report(&pattern, &[0b0010_1000, 0, 0b0010_1000, 0]).unwrap();
        assert_eq!(never_at_once.seen, Seen::Logic { steady_wrong: 0 });
        assert_eq!(never_at_once.finding, Finding::NeverReached);
    }

    #[test]
    fn unseen_conditions_are_not_reported() {
        assert_eq!(report(&plan("A", |request| request.trigger = "B".parse().ok()), &[0; 20]), None);
        // The level of a raw capture is a fraction of the input span, its samples are fractions of the range.
        let raw =
            plan("A", |request| (request.raw, request.low, request.high) = (true, Some(0.2), Some(0.8)));
        assert_eq!(report(&raw, &[0; 20]), None);
        assert_eq!(report(&plan("A", |_| {}), &[]), None);
    }
}
