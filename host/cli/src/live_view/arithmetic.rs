//! Averages of traces, and both channels combined.

use scopething_serve::client::Ended;

use super::picture::{Line, Picture, Source};

/// What is made of both channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Sum,
    Difference,
    Product,
}

impl Operation {
    pub(super) const ALL: [Self; 3] = [Self::Sum, Self::Difference, Self::Product];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sum => "A+B",
            Self::Difference => "A-B",
            Self::Product => "AxB",
        }
    }

    pub(super) fn unit(self) -> &'static str {
        if self == Self::Product { "V²" } else { "V" }
    }

    fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Sum => a + b,
            Self::Difference => a - b,
            Self::Product => a * b,
        }
    }

    /// A and B combined, at the times of A; B is interpolated where it was sampled between. None without both.
    pub(super) fn of(self, picture: &Picture) -> Option<Line> {
        let (a, b) = (picture.line(Source::A)?, picture.line(Source::B)?);
        let (pace, late) = (a.pitch_s / b.pitch_s, (a.start_s - b.start_s) / b.pitch_s);
        let values = a.middles().enumerate().map(|(element, volts)| {
            let value = self.apply(volts, b.at(element as f64 * pace + late)?);
            Some((value, value))
        });
        Some(Line { source: Source::Math, values: values.collect::<Option<_>>()?, ..a.clone() })
    }
}

/// A mean over the last traces, as long as they are alike: the weight of each is one over their number, up to `most`.
#[derive(Debug, Clone)]
pub(super) struct Average {
    most: u32,
    count: u32,
    means: Vec<Line>,
    changes: u64,
    /// The number of the last trace.
    seq: u64,
}

impl Average {
    pub(super) fn new(most: u32) -> Self {
        Self { most, count: 0, means: Vec::new(), changes: 0, seq: 0 }
    }

    pub(super) fn most(&self) -> u32 {
        self.most
    }

    /// Begins anew.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.most);
    }

    /// Replaces the samples of a trace by their means. Traces that ended without a trigger cannot be laid over others.
    pub(super) fn add(&mut self, picture: &mut Picture) {
        if self.most <= 1 {
            return;
        }
        let is_triggered = picture.about.ended == Ended::Trigger;
        let is_whole = picture.lines.iter().all(|line| line.is_samples);
        if !is_triggered || !is_whole || !self.continues(picture) {
            self.reset();
        }
        if !is_triggered || !is_whole {
            return;
        }
        if self.count == 0 {
            self.means.clone_from(&picture.lines);
            self.changes = picture.about.changes;
        }
        // One that is only looked at again has its weight already.
        if self.count == 0 || self.seq != picture.about.seq {
            self.count = (self.count + 1).min(self.most);
            self.seq = picture.about.seq;
            for (mean, line) in self.means.iter_mut().zip(&picture.lines) {
                for (mean, (new, _)) in mean.values.iter_mut().zip(&line.values) {
                    let value = mean.0 + (new - mean.0) / f64::from(self.count);
                    *mean = (value, value);
                }
            }
        }
        picture.lines.clone_from(&self.means);
        picture.averaged = self.count;
    }

    fn continues(&self, picture: &Picture) -> bool {
        let shape = |lines: &[Line]| -> Vec<(Source, usize, f64)> {
            lines.iter().map(|line| (line.source, line.values.len(), line.pitch_s)).collect()
        };
        self.changes == picture.about.changes && shape(&self.means) == shape(&picture.lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_channels_are_combined_at_the_same_time() {
        let mut picture =
            Picture::of_samples(1, &[(Source::A, &|t| 1000.0 * t), (Source::B, &|t| 2.0 - 500.0 * t)]);
        // B was sampled half a sample later than A: it is interpolated.
        picture.lines[1].start_s += 0.5e-6;
        for (value, _) in &mut picture.lines[1].values {
            *value -= 500.0 * 0.5e-6;
        }
        for value in &mut picture.lines[1].values {
            value.1 = value.0;
        }
        for (operation, expected) in [
            (Operation::Sum, (|t| 2.0 + 500.0 * t) as fn(f64) -> f64),
            (Operation::Difference, |t| 1500.0 * t - 2.0),
            (Operation::Product, |t| 1000.0 * t * (2.0 - 500.0 * t)),
        ] {
            let line = operation.of(&picture).unwrap();
            for element in [1, 1234, 3998] {
                let (value, time_s) = (line.values[element].0, line.time_s(element));
                assert!((value - expected(time_s)).abs() < 1e-9, "{operation:?} at {time_s}: {value}");
            }
        }
        picture.lines.pop();
        assert_eq!(Operation::Sum.of(&picture), None);
    }

    #[test]
    fn averages_are_means_of_triggered_traces() {
        let mut average = Average::new(4);
        let mut shown = |seq: u64, volts: f64, ended: Ended| {
            let mut picture = Picture::of_samples(seq, &[(Source::A, &|_| volts)]);
            picture.about.ended = ended;
            average.add(&mut picture);
            (picture.lines[0].values[7].0, picture.averaged)
        };
        assert_eq!(shown(1, 1.0, Ended::Trigger), (1.0, 1));
        assert_eq!(shown(2, 3.0, Ended::Trigger), (2.0, 2));
        // Looked at again it counts once.
        assert_eq!(shown(2, 3.0, Ended::Trigger), (2.0, 2));
        assert_eq!(shown(3, 5.0, Ended::Trigger), (3.0, 3));
        assert_eq!(shown(4, 7.0, Ended::Trigger), (4.0, 4));
        // From the fourth on the weight of each is a quarter.
        assert_eq!(shown(5, 8.0, Ended::Trigger), (5.0, 4));
        // One that came without a trigger is shown as it is, and begins anew.
        assert_eq!(shown(6, 9.0, Ended::Auto), (9.0, 1));
        assert_eq!(shown(7, 1.0, Ended::Trigger), (1.0, 1));
    }
}
