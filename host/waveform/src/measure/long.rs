//! Waveforms whose samples are not held in memory.

use scopething_core::analysis::{
    Analysis, ChannelDelay, Edge, EdgeMeasurements, Part, Series, TimedEdges, analyse_long, logic_edges,
    scratch_length, series_edges,
};
use scopething_core::trace::SampleTimes;

use super::{
    AnalogMeasurements, ChannelAnalysis, LogicMeasurements, MeasuredPart, Measurements, Spectrum,
    SpectrumError, WaveformAnalysis, Window, averaged, delay, delays, sound,
};
use crate::clipping::{Clipping, Ends};
use crate::waveform::{Details, Range, SampleKind, Samples, SeriesOutline};

/// As many samples of an analog channel are looked at in one piece: for its shape, its averaged wave and its spectrum. A
/// channel that is not longer is measured as [`WaveformAnalysis::of`] does it, in memory.
pub const PART_SAMPLES: usize = 1 << 21;

/// What is known of samples when they have come by once, in their order.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// How many are numbers.
    numbers: usize,
    not_numbers: usize,
    /// Mean of the numbers, and the sum of their squared distances from it.
    mean: f64,
    squares: f64,
    ends: Ends,
    /// The last number that came, and how many samples that are none came since.
    last: Option<f32>,
    gap: usize,
}

impl Census {
    /// Takes the samples that follow, and hands over what stands for them in a series that is measured: in place of those
    /// that are no numbers, what lies on a straight line between their neighbours.
    ///
    /// # Errors
    /// Those of `store`.
    pub fn take<E>(&mut self, samples: &[f32], mut store: impl FnMut(f32) -> Result<(), E>) -> Result<(), E> {
        for &sample in samples {
            if !sample.is_finite() {
                self.not_numbers += 1;
                self.gap += 1;
                continue;
            }
            self.bridge(sample, &mut store)?;
            self.numbers += 1;
            let distance = f64::from(sample) - self.mean;
            self.mean += distance / self.numbers as f64;
            self.squares += distance * (f64::from(sample) - self.mean);
            self.ends.take(sample);
            self.last = Some(sample);
            store(sample)?;
        }
        Ok(())
    }

    /// Hands over what stands for samples at the end that are no numbers.
    ///
    /// # Errors
    /// Those of `store`.
    pub fn end<E>(&mut self, mut store: impl FnMut(f32) -> Result<(), E>) -> Result<(), E> {
        // Of a series without any number, nothing stands for them.
        let sample = self.last.unwrap_or(f32::NAN);
        self.last = Some(sample);
        self.bridge(sample, &mut store)
    }

    fn bridge<E>(&mut self, sample: f32, store: &mut impl FnMut(f32) -> Result<(), E>) -> Result<(), E> {
        let first = self.last.unwrap_or(sample);
        let steps = (self.gap + 1) as f32;
        for step in 1..=std::mem::take(&mut self.gap) {
            store(first + (sample - first) * step as f32 / steps)?;
        }
        Ok(())
    }

    /// Whether so many samples are no numbers that nothing is measured.
    fn is_void(&self) -> bool {
        2 * self.numbers < self.numbers + self.not_numbers
    }
}

/// A channel of any length: its samples are gone through again and again, where they were stored.
#[derive(Debug)]
pub struct LongSeries<S> {
    /// All of it but its samples.
    pub outline: SeriesOutline,
    /// What stands for its samples; of a logic line 0 and 1.
    pub samples: S,
    /// What was known of them when they came by.
    pub census: Census,
}

/// What is measured of a channel, and what is compared with another one.
struct Measured {
    channel: ChannelAnalysis,
    /// Samples without wild ones, and when they were taken.
    part: Option<(Vec<f32>, SampleTimes)>,
}

/// The samples that a wave is seen in.
struct Seen {
    /// They or averages of several, without wild ones; none if the wave is in none of them.
    samples: Vec<f32>,
    times: SampleTimes,
    /// Of how many samples of the series each is the average.
    stride: usize,
}

impl<S: Series> LongSeries<S> {
    fn times(&self) -> SampleTimes {
        SampleTimes { start_s: self.outline.start_s, period_s: self.outline.period_s }
    }

    fn measured(&self, details: &Details, window: Option<Window>, part_samples: usize) -> Measured {
        let analog = |unit, range| {
            let (analog, seen) = self.analog(part_samples);
            (unit, Measurements::Analog(Box::new(analog)), self.clipping(range), Some(seen))
        };
        let (unit, measurements, clipping, seen) = match self.outline.kind {
            SampleKind::Volts => analog("V", details.range_of(self.outline.channel)),
            SampleKind::Fractions => analog("", Some(Range { low: 0.0, high: 1.0 })),
            SampleKind::Levels => ("", Measurements::Logic(self.logic()), None, None),
        };
        let mut channel = ChannelAnalysis {
            channel: self.outline.channel,
            label: self.outline.label.clone(),
            unit,
            samples: self.samples.len(),
            sample_rate_hz: self.outline.sample_rate_hz(),
            not_numbers: self.census.not_numbers,
            clipping,
            measurements,
            spectrum: None,
            part: None,
        };
        let has_spectrum = window.is_some() && seen.is_some();
        let has_wave = seen.as_ref().is_some_and(|seen| {
            channel.measurements.wave().is_some() && seen.stride == 1 && !seen.samples.is_empty()
        });
        if part_samples < self.samples.len() && (has_wave || has_spectrum) {
            channel.part = Some(MeasuredPart { samples: part_samples, has_wave, has_spectrum });
        }
        if let (Some(window), true) = (window, has_spectrum) {
            let about_hz = channel.measurements.wave().map(|wave| wave.frequency_hz);
            channel.spectrum = Some(if self.census.is_void() {
                Err(SpectrumError::NotFinite)
            } else {
                let first: Vec<f32> = self.samples.values(0..part_samples).collect();
                Spectrum::of(&first, self.outline.period_s, window, about_hz)
            });
        }
        Measured { channel, part: seen.map(|seen| (seen.samples, seen.times)) }
    }

    fn clipping(&self, range: Option<Range>) -> Option<Clipping> {
        range.map(|range| self.census.ends.clipping(range))
    }

    /// The measurements, and the part of the samples that the wave is seen in: none if it is in none of it.
    fn analog(&self, part_samples: usize) -> (AnalogMeasurements, Seen) {
        let mut part = vec![0.0; part_samples.min(self.samples.len())];
        let mut scratch = vec![0; scratch_length(part.len())];
        let none = Part { times: self.times(), samples: 0, stride: 1 };
        let (mut analysis, held) = if self.census.is_void() {
            (Analysis::default(), none)
        } else {
            // The memory is as long as it must be.
            analyse_long(&self.samples, self.times(), &mut part, &mut scratch)
                .unwrap_or((Analysis::default(), none))
        };
        drop(scratch);
        if let (true, Some(levels)) = (self.census.not_numbers > 0, &mut analysis.levels) {
            let Census { numbers, mean, squares, .. } = &self.census;
            let variance = squares / *numbers as f64;
            (levels.mean, levels.ac_rms) = (*mean, variance.sqrt());
            levels.rms = (variance + mean * mean).sqrt();
        }
        part.truncate(held.samples);
        // A square is found in all samples, and may begin behind the part.
        let shows_wave =
            analysis.levels.is_some_and(|levels| series_edges(part.as_slice(), &levels).next().is_some());
        if !shows_wave {
            part.clear();
        }
        let part = match sound(&part, &analysis) {
            std::borrow::Cow::Owned(sound) => sound,
            std::borrow::Cow::Borrowed(_) => part,
        };
        let averaged_wave = averaged(&analysis, &part, held.times);
        let seen = Seen { samples: part, times: held.times, stride: held.stride };
        (AnalogMeasurements { analysis, averaged_wave }, seen)
    }

    fn levels(&self) -> impl Iterator<Item = bool> + Clone + '_ {
        self.samples.all().map(|level| level != 0.0)
    }

    fn logic(&self) -> LogicMeasurements {
        let high = self.levels().filter(|level| *level).count();
        let edges = EdgeMeasurements::of(logic_edges(self.levels()), self.outline.period_s);
        LogicMeasurements { high: high as f64 / self.samples.len().max(1) as f64, edges }
    }

    /// The edges with their times. None of an analog channel without levels.
    fn timed<'s>(
        &'s self,
        channel: &ChannelAnalysis,
    ) -> TimedEdges<impl Iterator<Item = Edge> + Clone + use<'s, S>> {
        let analog = match &channel.measurements {
            Measurements::Analog(analog) => analog.analysis.levels,
            Measurements::Logic(_) => None,
        };
        let analog = analog.map(|levels| series_edges(&self.samples, &levels));
        let is_logic = matches!(channel.measurements, Measurements::Logic(_));
        let logic = is_logic.then(|| logic_edges(self.levels()));
        let edges = analog.into_iter().flatten().chain(logic.into_iter().flatten());
        TimedEdges { edges, times: self.times() }
    }
}

impl WaveformAnalysis {
    /// Measures every channel of a waveform that is not in memory, with spectra through a window if there is one.
    ///
    /// It shows what [`of`](Self::of) shows, but for what rests on [a part](PART_SAMPLES) of longer analog channels:
    /// shape, averaged wave and spectrum, amplitude and offset of all but sines, and the delay between two analog channels
    /// of one shape. See [`analyse_long`].
    #[must_use]
    pub fn of_long<S: Series>(series: &[LongSeries<S>], details: &Details, window: Option<Window>) -> Self {
        Self::of_parts(series, details, window, PART_SAMPLES)
    }

    fn of_parts<S: Series>(
        series: &[LongSeries<S>],
        details: &Details,
        window: Option<Window>,
        part_samples: usize,
    ) -> Self {
        let measured: Vec<Measured> =
            series.iter().map(|series| series.measured(details, window, part_samples)).collect();
        let (channels, parts): (Vec<ChannelAnalysis>, Vec<_>) =
            measured.into_iter().map(|one| (one.channel, one.part)).unzip();
        let wave_of = |index: usize| {
            let (samples, times) = parts.get(index)?.as_ref().filter(|(samples, _)| !samples.is_empty())?;
            let (SampleTimes { start_s, period_s }, wave) =
                (*times, channels.get(index)?.measurements.wave()?);
            Some(delay::WaveOf { samples: samples.as_slice().into(), start_s, period_s, wave })
        };
        let timed = |index: usize| Some(series.get(index)?.timed(channels.get(index)?));
        let between = |from: usize, to: usize| {
            let by_samples = wave_of(from).zip(wave_of(to)).and_then(|(one, two)| delay::between(&one, &two));
            by_samples.or_else(|| ChannelDelay::between(&timed(from)?, &timed(to)?))
        };
        let delays = delays(&channels, between);
        Self { channels, delays }
    }
}

/// Hands over the samples of a piece, of which levels are 0 and 1.
///
/// # Errors
/// Those of `take`.
pub fn for_each_value<E>(samples: &Samples, mut take: impl FnMut(&[f32]) -> Result<(), E>) -> Result<(), E> {
    match samples {
        Samples::Volts(samples) | Samples::Fractions(samples) => take(samples),
        Samples::Levels(levels) => levels.chunks(1024).try_for_each(|levels| {
            let values: Vec<f32> = levels.iter().map(|&level| f32::from(level)).collect();
            take(&values)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waveform::{Channel, Outline, Series as Whole, Waveform};
    use std::convert::Infallible;
    use std::ops::Range;

    struct InMemory(Vec<f32>);

    impl Series for InMemory {
        fn len(&self) -> usize {
            self.0.len()
        }

        fn values(&self, range: Range<usize>) -> impl Iterator<Item = f32> + Clone + '_ {
            self.0.as_slice().values(range)
        }
    }

    fn long(waveform: &Waveform) -> Vec<LongSeries<InMemory>> {
        let outlines = Outline::from(waveform).channels;
        let series = outlines.into_iter().zip(waveform.channels()).map(|(outline, whole)| {
            let (mut census, mut samples) = (Census::default(), Vec::new());
            let mut store = |sample| {
                samples.push(sample);
                Ok::<(), Infallible>(())
            };
            for first in (0..whole.samples.len() as u64).step_by(97) {
                let part = whole.samples.part(first, 97);
                let Ok(()) = for_each_value(&part, |values| census.take(values, &mut store));
            }
            let Ok(()) = census.end(&mut store);
            LongSeries { outline, samples: InMemory(samples), census }
        });
        series.collect()
    }

    fn waveform(a: &[f32], b: Vec<f32>) -> Waveform {
        let level = |index: usize, late: usize| u8::from((index + 100 - late) % 100 < 40);
        let line = |late| Samples::Levels((0..a.len()).map(|index| level(index, late)).collect());
        let series = |channel, samples| Whole::new(channel, -1e-3, 1e-6, samples);
        let channels = vec![
            series(Channel::L[0], line(10)),
            series(Channel::L[1], line(35)),
            series(Channel::A, Samples::Volts(a.to_vec())),
            series(Channel::B, Samples::Volts(b)),
        ];
        let range = Some(crate::waveform::Range { low: -1.0, high: 1.0 });
        Waveform::new(1e6, channels, Details { range, ..Details::default() }).unwrap()
    }

    /// Sines that are clipped, one with wild samples and samples that are no numbers.
    fn sines() -> Waveform {
        let sine = |index: usize, late: f64| {
            let turn = index as f64 / 100.0 - late;
            (1.2 * (std::f64::consts::TAU * turn).sin()).clamp(-1.0, 1.0) as f32
        };
        let mut a: Vec<f32> = (0..4000).map(|index| sine(index, 0.0)).collect();
        let b = (0..4000).map(|index| sine(index, 0.25)).collect();
        a[50] = 40.0;
        (a[0], a[1000], a[1001], a[3999]) = (f32::NAN, f32::NAN, f32::INFINITY, f32::NAN);
        waveform(&a, b)
    }

    /// What fits into the part is measured as it is in memory.
    #[test]
    fn a_series_that_comes_by_shows_what_it_does_in_memory() {
        let whole = sines();
        let expected = WaveformAnalysis::of(&whole).with_spectra(&whole, Window::Hann);
        let mut found = WaveformAnalysis::of_long(&long(&whole), whole.details(), Some(Window::Hann));
        assert_eq!(found.delays, expected.delays);
        assert!(found.delays.iter().any(|pair| pair.delay.is_ok()), "{found:?}");
        for (found, expected) in found.channels.iter_mut().zip(&expected.channels) {
            if let (Measurements::Analog(found), Measurements::Analog(expected)) =
                (&mut found.measurements, &expected.measurements)
            {
                let (one, other) =
                    (found.analysis.levels.as_mut().unwrap(), expected.analysis.levels.unwrap());
                // Summed in another order.
                assert!((one.mean - other.mean).abs() < 1e-12 && (one.rms - other.rms).abs() < 1e-12);
                (one.mean, one.rms, one.ac_rms) = (other.mean, other.rms, other.ac_rms);
            }
            assert_eq!(found, expected);
        }
        let clipping = |channel: Channel| {
            let of = found.channels.iter().find(|one| one.channel == channel);
            of.and_then(|one| one.clipping)
        };
        assert!(clipping(Channel::B).is_some_and(Clipping::is_any) && clipping(Channel::L[0]).is_none());
    }

    #[test]
    fn a_part_shows_wave_and_delay_of_more() {
        let whole = sines();
        let series = long(&whole);
        let a = series.iter().find(|series| series.outline.channel == Channel::A).unwrap();
        let (analog, Seen { samples, times, stride }) = a.analog(1000);
        assert_eq!((samples.len(), times, stride), (1000, a.times(), 1));
        assert!(samples.iter().all(|sample| sample.abs() <= 1.0) && analog.averaged_wave.len() == 100);
        let wave = analog.analysis.wave.unwrap();
        assert!((wave.frequency_hz / 10e3 - 1.0).abs() < 1e-4 && wave.count == 39, "{wave:?}");
    }

    /// Only what rests on a part is reported to do so.
    #[test]
    fn a_part_is_reported_where_it_is_used() {
        let of = |period: f64, window| {
            let sine = |index: usize| (std::f64::consts::TAU * index as f64 / period).sin() as f32;
            let a: Vec<f32> = (0..12_000).map(sine).collect();
            let whole = waveform(&a, vec![1.0; a.len()]);
            let found = WaveformAnalysis::of_parts(&long(&whole), whole.details(), window, 1000);
            let of = |channel| found.channels.iter().find(|one| one.channel == channel).unwrap();
            assert!(of(Channel::A).measurements.wave().is_some(), "{found:?}");
            [Channel::A, Channel::B, Channel::L[0]].map(|channel| of(channel).part)
        };
        let part = |has_wave, has_spectrum| Some(MeasuredPart { samples: 1000, has_wave, has_spectrum });
        assert_eq!(of(100.0, None), [part(true, false), None, None]);
        // A slow wave is seen in averages over all samples.
        assert_eq!(of(3000.0, None), [None; 3]);
        let with_spectra = [part(false, true), part(false, true), None];
        assert_eq!(of(3000.0, Some(Window::Hann)), with_spectra);
    }

    /// Squares of 10 kHz after twice the part, the second 20 us later.
    #[test]
    fn squares_behind_the_part_have_their_delay_by_edges() {
        let square = |late: usize| -> Vec<f32> {
            let sample = |index: usize| {
                let high = index >= 2000 + late && (index - 2000 - late) % 100 < 50;
                // As a converter that is not quite still.
                let level = if high { 2.5 } else { 0.0 };
                level + (index * 7 % 5) as f32 * 1e-3
            };
            (0..12_000).map(sample).collect()
        };
        let whole = waveform(&square(0), square(20));
        let found = WaveformAnalysis::of_parts(&long(&whole), whole.details(), None, 1000);
        let pair = found.delays.iter().find(|pair| (pair.from, pair.to) == (Channel::A, Channel::B)).unwrap();
        let delay_s = pair.delay.as_ref().unwrap().delay_s;
        assert!((delay_s - 20e-6).abs() < 0.5e-6, "{delay_s}");
        let a = found.channels.iter().find(|one| one.channel == Channel::A).unwrap();
        let Measurements::Analog(analog) = &a.measurements else { panic!("{a:?}") };
        assert!((analog.analysis.wave.unwrap().frequency_hz / 10e3 - 1.0).abs() < 1e-3);
        assert_eq!((analog.averaged_wave.as_slice(), a.part), (&[][..], None));
    }

    #[test]
    fn a_series_of_few_numbers_is_unknown() {
        let mut a = vec![f32::NAN; 1000];
        a[3] = 1.0;
        let whole = waveform(&a, vec![f32::NAN; 1000]);
        let found = WaveformAnalysis::of_long(&long(&whole), whole.details(), Some(Window::Hann));
        let analog: Vec<_> = found.channels.iter().filter(|one| one.channel.is_analog()).collect();
        assert_eq!(analog.len(), 2);
        for channel in analog {
            assert_eq!(channel.spectrum, Some(Err(SpectrumError::NotFinite)));
            assert_eq!(channel.unknown().first().map(|(key, _)| *key), Some("all"), "{channel:?}");
        }
    }
}
