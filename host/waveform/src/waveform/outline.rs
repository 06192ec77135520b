//! A waveform without its samples: what of it is known before they are read, however many they are.

use scopething_core::plan::Channel;

use super::series::{rate_hz, timestamp, title};
use super::{Details, Samples, Series, Waveform};

/// What the samples of a channel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleKind {
    /// As [`Samples::Volts`].
    Volts,
    /// As [`Samples::Fractions`].
    Fractions,
    /// As [`Samples::Levels`].
    Levels,
}

impl SampleKind {
    /// No samples of this kind.
    #[must_use]
    pub fn none(self) -> Samples {
        match self {
            Self::Volts => Samples::Volts(Vec::new()),
            Self::Fractions => Samples::Fractions(Vec::new()),
            Self::Levels => Samples::Levels(Vec::new()),
        }
    }
}

impl From<&Samples> for SampleKind {
    fn from(samples: &Samples) -> Self {
        match samples {
            Samples::Volts(_) => Self::Volts,
            Samples::Fractions(_) => Self::Fractions,
            Samples::Levels(_) => Self::Levels,
        }
    }
}

/// A [`Series`] without its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesOutline {
    /// As [`Series::channel`].
    pub channel: Channel,
    /// As [`Series::label`].
    pub label: Option<String>,
    /// As [`Series::start_s`].
    pub start_s: f64,
    /// As [`Series::period_s`].
    pub period_s: f64,
    /// What its samples are.
    pub kind: SampleKind,
    /// How many they are.
    pub count: usize,
}

impl SeriesOutline {
    /// As [`Series::timestamp`], in seconds.
    #[must_use]
    pub fn timestamp(&self, index: usize) -> f64 {
        timestamp(self.start_s, self.period_s, index)
    }

    /// As [`Series::end_s`].
    #[must_use]
    pub fn end_s(&self) -> f64 {
        self.timestamp(self.count.saturating_sub(1))
    }

    /// As [`Series::sample_rate_hz`].
    #[must_use]
    pub fn sample_rate_hz(&self) -> f64 {
        rate_hz(self.period_s)
    }

    /// As [`Series::title`].
    #[must_use]
    pub fn title(&self) -> String {
        title(self.channel, self.label.as_deref())
    }
}

impl From<&Series> for SeriesOutline {
    fn from(series: &Series) -> Self {
        Self {
            channel: series.channel,
            label: series.label.clone(),
            start_s: series.start_s,
            period_s: series.period_s,
            kind: SampleKind::from(&series.samples),
            count: series.samples.len(),
        }
    }
}

/// A [`Waveform`] without its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// As [`Waveform::sample_rate_hz`].
    pub sample_rate_hz: f64,
    /// The channels, in the order of [`Waveform::channels`].
    pub channels: Vec<SeriesOutline>,
    /// As [`Waveform::details`].
    pub details: Details,
}

impl Outline {
    /// The analog channels.
    pub fn analog(&self) -> impl Iterator<Item = &SeriesOutline> + Clone {
        self.channels.iter().filter(|series| series.channel.is_analog())
    }

    /// The logic lines.
    pub fn logic(&self) -> impl Iterator<Item = &SeriesOutline> + Clone {
        self.channels.iter().filter(|series| !series.channel.is_analog())
    }

    /// As [`Waveform::is_raw`].
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.channels.iter().any(|series| series.kind == SampleKind::Fractions)
    }

    /// As [`Waveform::start_s`].
    #[must_use]
    pub fn start_s(&self) -> f64 {
        self.channels.iter().map(|series| series.timestamp(0)).fold(f64::INFINITY, f64::min)
    }

    /// As [`Waveform::end_s`].
    #[must_use]
    pub fn end_s(&self) -> f64 {
        self.channels.iter().map(SeriesOutline::end_s).fold(f64::NEG_INFINITY, f64::max)
    }
}

impl From<&Waveform> for Outline {
    fn from(waveform: &Waveform) -> Self {
        Self {
            sample_rate_hz: waveform.sample_rate_hz(),
            channels: waveform.channels().iter().map(SeriesOutline::from).collect(),
            details: waveform.details().clone(),
        }
    }
}
