//! The samples of a channel, and when they were taken.

use scopething_core::plan::Channel;

/// The samples of one channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// An analog channel in volts.
    Volts(Vec<f32>),
    /// An analog channel of a raw capture: fractions of the range, 0 to 1.
    Fractions(Vec<f32>),
    /// A logic line: 0 or 1.
    Levels(Vec<u8>),
}

impl Samples {
    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Volts(samples) | Self::Fractions(samples) => samples.len(),
            Self::Levels(levels) => levels.len(),
        }
    }

    /// Whether there is no sample at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sample at `index` in volts, as a fraction, or as level 0 or 1; `None` past the end.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<f32> {
        match self {
            Self::Volts(samples) | Self::Fractions(samples) => samples.get(index).copied(),
            Self::Levels(levels) => levels.get(index).map(|&level| f32::from(level)),
        }
    }

    /// All samples, each as [`get`](Self::get) gives it.
    pub fn iter(&self) -> impl Iterator<Item = f32> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Those from `first` on, `count` at most.
    #[must_use]
    pub fn part(&self, first: u64, count: u64) -> Self {
        fn part<T: Copy>(all: &[T], first: u64, count: u64) -> Vec<T> {
            let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(all.len());
            let (begin, end) = (place(first), place(first.saturating_add(count)));
            all.get(begin..end).unwrap_or_default().to_vec()
        }
        match self {
            Self::Volts(samples) => Self::Volts(part(samples, first, count)),
            Self::Fractions(samples) => Self::Fractions(part(samples, first, count)),
            Self::Levels(levels) => Self::Levels(part(levels, first, count)),
        }
    }

    /// Appends samples of the same kind; those of another kind are left out.
    pub fn append(&mut self, more: &Self) {
        match (self, more) {
            (Self::Volts(samples), Self::Volts(more)) | (Self::Fractions(samples), Self::Fractions(more)) => {
                samples.extend_from_slice(more);
            }
            (Self::Levels(levels), Self::Levels(more)) => levels.extend_from_slice(more),
            _ => {}
        }
    }

    /// Takes away the first samples, so many or all.
    pub fn drop_first(&mut self, count: usize) {
        match self {
            Self::Volts(samples) | Self::Fractions(samples) => {
                samples.drain(..count.min(samples.len()));
            }
            Self::Levels(levels) => {
                levels.drain(..count.min(levels.len()));
            }
        }
    }

    /// The least and the greatest finite sample, in that order; `None` if no sample is finite.
    #[must_use]
    pub fn extent(&self) -> Option<(f32, f32)> {
        self.iter().filter(|sample| sample.is_finite()).fold(None, |extent, sample| match extent {
            None => Some((sample, sample)),
            Some((low, high)) => Some((sample.min(low), sample.max(high))),
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Volts(_) => "volts",
            Self::Fractions(_) => "fractions of the range",
            Self::Levels(_) => "logic levels",
        }
    }
}

/// What was sampled on one channel, evenly spaced in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The channel of the device, or the one an imported channel stands for.
    pub channel: Channel,
    /// What the channel was called in the file it came from, where that differs from
    /// [`channel`](Self::channel).
    pub label: Option<String>,
    /// When the first sample was taken, in seconds from the start of the capture. The B channel of a chopped
    /// pair starts half a [`period_s`](Self::period_s) after A.
    pub start_s: f64,
    /// Seconds from one sample of this channel to its next.
    pub period_s: f64,
    /// The samples, the earliest first.
    pub samples: Samples,
}

impl Series {
    /// A series without a label; times in seconds. It is checked when a [`Waveform`](super::Waveform) takes it.
    #[must_use]
    pub fn new(channel: Channel, start_s: f64, period_s: f64, samples: Samples) -> Self {
        Self { channel, label: None, start_s, period_s, samples }
    }

    /// When the sample at `index` was taken, in seconds from the start of the capture: start + index x
    /// period.
    ///
    /// The result is the nearest whole picosecond where the arithmetic cannot distinguish the two, so that a
    /// time has one value however it was reached: 9 us stays 0.000009 and equals the same moment of another
    /// channel.
    #[must_use]
    pub fn timestamp(&self, index: usize) -> f64 {
        timestamp(self.start_s, self.period_s, index)
    }

    /// The time of each sample, in seconds from the start of the capture.
    pub fn timestamps(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.samples.len()).map(|index| self.timestamp(index))
    }

    /// When the last sample was taken, in seconds from the start of the capture.
    #[must_use]
    pub fn end_s(&self) -> f64 {
        self.timestamp(self.samples.len().saturating_sub(1))
    }

    /// Samples of this channel a second, in hertz. Each channel of an interleaved pair has half of the rate of
    /// [the two together](super::Waveform::sample_rate_hz): a spectrum is taken by this one.
    ///
    /// The result is the nearest whole hertz where the arithmetic cannot distinguish the two.
    #[must_use]
    pub fn sample_rate_hz(&self) -> f64 {
        rate_hz(self.period_s)
    }

    /// The channel's name, with the name it had in the file it came from: `A` or `A (ana0)`.
    #[must_use]
    pub fn title(&self) -> String {
        title(self.channel, self.label.as_deref())
    }
}

/// See [`Series::timestamp`].
pub(super) fn timestamp(start_s: f64, period_s: f64, index: usize) -> f64 {
    const PICOSECONDS: f64 = 1e12;
    // From here on, some hours, neighbouring numbers are further apart than picoseconds.
    const FAR: f64 = 1.0 / f64::EPSILON / PICOSECONDS;
    let time = start_s + index as f64 * period_s;
    if time.abs() >= FAR {
        return time;
    }
    let whole = (time * PICOSECONDS).round() / PICOSECONDS;
    // A product of rounded factors and a sum are off by no more than this.
    let rounding = 4.0 * f64::EPSILON * time.abs().max(start_s.abs());
    if (whole - time).abs() <= rounding { whole } else { time }
}

/// See [`Series::sample_rate_hz`].
pub(super) fn rate_hz(period_s: f64) -> f64 {
    let rate_hz = period_s.recip();
    let whole = rate_hz.round();
    // The period and its reciprocal are each rounded once.
    if (whole - rate_hz).abs() <= 2.0 * f64::EPSILON * rate_hz { whole } else { rate_hz }
}

/// A channel's name, with the name it had in a file.
pub(crate) fn title(channel: Channel, label: Option<&str>) -> String {
    match label {
        Some(label) => format!("{channel} ({label})"),
        None => channel.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_whole_picoseconds_where_they_can_be() {
        let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(vec![0.0; 12288]));
        for (index, time) in series.timestamps().enumerate() {
            assert_eq!(time, format!("{index}e-6").parse::<f64>().unwrap(), "sample {index}");
        }
        let thirds = Series::new(Channel::A, 0.0, 1.0 / 3.0, Samples::Volts(vec![0.0; 4]));
        assert_eq!(thirds.timestamp(1), 1.0 / 3.0);
        assert_eq!(thirds.timestamp(3), 1.0);
    }

    #[test]
    fn far_times_stay_as_they_are() {
        for start in [5e3, 1e9, 1e76, -1e76] {
            let series = Series::new(Channel::A, start, 1.0 / 13.0, Samples::Volts(vec![0.0]));
            assert_eq!(series.timestamp(0), start);
        }
    }

    #[test]
    fn second_channel_of_a_pair_is_offset() {
        // 17 ticks of 25 ns a sample, 34 a pair.
        let b = Series::new(Channel::B, 425e-9, 850e-9, Samples::Volts(vec![0.0; 6144]));
        let logic = Series::new(Channel::L[0], 0.0, 425e-9, Samples::Levels(vec![0; 12288]));
        for index in 0..6144 {
            assert_eq!(b.timestamp(index), logic.timestamp(2 * index + 1), "sample {index}");
        }
    }

    #[test]
    fn extent_passes_over_what_is_no_number() {
        let samples = Samples::Volts(vec![f32::NAN, 1.0, f32::INFINITY, -2.0]);
        assert_eq!(samples.extent(), Some((-2.0, 1.0)));
        assert_eq!(Samples::Volts(vec![f32::NAN]).extent(), None);
    }
}
