//! The channels of a waveform at the same moments, for formats that know a single sample rate.
//!
//! The fastest channel sets the pace. A channel of the same pace keeps its samples, one for one: that the B
//! channel of a chopped pair lies half a period later is lost. A slower channel holds each sample until its
//! next.

use crate::waveform::{Outline, Series, SeriesOutline, Waveform};

/// Evenly spaced moments.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    start_s: f64,
    period_s: f64,
    /// How many moments there are.
    pub count: usize,
}

impl Grid {
    /// The moments of some channels of a waveform; none without a channel.
    #[must_use]
    pub fn of<'r>(channels: impl Iterator<Item = &'r SeriesOutline> + Clone) -> Self {
        let period_s = channels.clone().map(|series| series.period_s).fold(f64::INFINITY, f64::min);
        let start_s = channels.clone().map(|series| series.start_s).fold(f64::INFINITY, f64::min);
        let end_s = channels.map(SeriesOutline::end_s).fold(f64::NEG_INFINITY, f64::max);
        // Half a period late, as B of a pair is, makes no further moment.
        let steps = ((end_s - start_s) / period_s + 0.5 - 1e-6).floor();
        Self { start_s, period_s, count: if steps >= 0.0 { steps as usize + 1 } else { 0 } }
    }

    /// Moments a second, in hertz.
    #[must_use]
    pub fn rate_hz(&self) -> f64 {
        let rate_hz = self.period_s.recip();
        let whole = rate_hz.round();
        // The rate is the reciprocal of a rounded period.
        if (rate_hz - whole).abs() <= rate_hz * 1e-12 { whole } else { rate_hz }
    }

    /// Which sample of a channel stands for each moment.
    pub fn indices(&self, series: &Series) -> impl Iterator<Item = usize> + use<> {
        let (grid, series) = (*self, SeriesOutline::from(series));
        (0..self.count).map(move |moment| grid.index(&series, moment))
    }

    /// Which sample of a channel stands for a moment.
    #[must_use]
    pub fn index(&self, series: &SeriesOutline, moment: usize) -> usize {
        let same_pace = series.period_s < self.period_s * 1.5;
        let rounding = if same_pace { 0.5 + 1e-6 } else { 1e-6 };
        let elapsed_s = self.start_s - series.start_s + moment as f64 * self.period_s;
        let index = (elapsed_s / series.period_s + rounding).floor().max(0.0) as usize;
        index.min(series.count.saturating_sub(1))
    }
}

impl From<&Waveform> for Grid {
    fn from(recording: &Waveform) -> Self {
        Self::of(Outline::from(recording).channels.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waveform::{Channel, Details, Samples};

    fn analog(channel: Channel, start_s: f64, period_s: f64, count: usize) -> Series {
        Series::new(channel, start_s, period_s, Samples::Volts(vec![0.0; count]))
    }

    fn indices(channels: Vec<Series>) -> Vec<Vec<usize>> {
        let recording = Waveform::new(1e6, channels, Details::default()).unwrap();
        let grid = Grid::from(&recording);
        recording.channels().iter().map(|series| grid.indices(series).collect()).collect()
    }

    #[test]
    fn pair_keeps_its_samples_one_for_one() {
        let pair = vec![analog(Channel::A, 0.0, 850e-9, 5), analog(Channel::B, 425e-9, 850e-9, 5)];
        assert_eq!(indices(pair), [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]);
    }

    #[test]
    fn chopped_pair_is_held_beside_logic() {
        let logic = Series::new(Channel::L[0], 0.0, 425e-9, Samples::Levels(vec![0; 8]));
        let channels = vec![analog(Channel::A, 0.0, 850e-9, 4), analog(Channel::B, 425e-9, 850e-9, 4), logic];
        let expected = [[0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 1, 1, 2, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7]];
        assert_eq!(indices(channels), expected);
    }

    #[test]
    fn full_buffer_moments_are_distinct() {
        for ticks in [1_u32, 3, 7, 17, 40, 16384] {
            let period_s = f64::from(ticks) * 25e-9;
            let drawn = indices(vec![analog(Channel::A, 0.0, period_s, 12288)]);
            assert!(drawn[0].iter().copied().eq(0..12288), "{ticks} ticks");
        }
    }

    #[test]
    fn rates_are_whole_where_possible() {
        let rate = |period_s| {
            Grid::of([SeriesOutline::from(&analog(Channel::A, 0.0, period_s, 2))].iter()).rate_hz()
        };
        assert_eq!(rate(25e-9), 40e6);
        assert_eq!(rate(1e-6), 1e6);
        assert!((rate(16384.0 * 25e-9) - 2_441.406_25).abs() < 1e-9);
    }
}
