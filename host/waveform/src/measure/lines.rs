//! Logic lines that are measured piece by piece, in memory that does not grow with them.

use std::collections::VecDeque;

use scopething_core::analysis::{ChannelDelay, DelayMeter, Edge, EdgeMeter};

use super::{ChannelAnalysis, LogicMeasurements, Measurements, WaveformAnalysis, delays};
use crate::waveform::{Outline, Samples, SeriesOutline};

/// Measures the logic lines of a capture whose samples come piece by piece: each piece has the samples of every channel
/// of the outline that follow, and analog ones are left out.
#[derive(Debug)]
pub struct LineMeter {
    lines: Vec<Line>,
}

/// A line, and the place of its samples in a piece.
#[derive(Debug)]
struct Line {
    place: usize,
    outline: SeriesOutline,
    levels: Levels,
    high: usize,
    edges: EdgeMeter,
}

impl LineMeter {
    /// For a capture of which nothing came yet.
    #[must_use]
    pub fn of(outline: &Outline) -> Self {
        let lines = outline.channels.iter().enumerate().filter(|(_, series)| !series.channel.is_analog());
        let line = |(place, series): (usize, &SeriesOutline)| Line {
            place,
            outline: series.clone(),
            levels: Levels::default(),
            high: 0,
            edges: EdgeMeter::default(),
        };
        Self { lines: lines.map(line).collect() }
    }

    /// Takes the samples that follow.
    pub fn push(&mut self, piece: &[Samples]) {
        for Line { place, levels, high, edges, .. } in &mut self.lines {
            let Some(Samples::Levels(piece)) = piece.get(*place) else { continue };
            *high += piece.iter().filter(|level| **level != 0).count();
            levels.edges(piece).for_each(|edge| edges.add(edge));
        }
    }

    /// What the samples that came show. Delays between lines need another pass over the samples, which is
    /// [`LineDelays`].
    #[must_use]
    pub fn channels(&self) -> Vec<ChannelAnalysis> {
        let analysis = |line: &Line| {
            let Line { outline, levels, high, edges, .. } = line;
            ChannelAnalysis {
                channel: outline.channel,
                label: outline.label.clone(),
                unit: "",
                samples: levels.count,
                sample_rate_hz: outline.sample_rate_hz(),
                not_numbers: 0,
                clipping: None,
                measurements: Measurements::Logic(LogicMeasurements {
                    high: *high as f64 / levels.count.max(1) as f64,
                    edges: edges.measurements(outline.period_s),
                }),
                part: None,
                spectrum: None,
            }
        };
        self.lines.iter().map(analysis).collect()
    }
}

/// Measures the delays between logic lines of known frequency, in a second pass over the samples.
#[derive(Debug)]
pub struct LineDelays {
    channels: Vec<ChannelAnalysis>,
    first: Option<Rises>,
    others: Vec<Pair>,
}

/// A line, and the one from which is counted.
#[derive(Debug)]
struct Pair {
    rises: Rises,
    /// Rising edges of the first line that wait for the nearest of this one.
    waiting: VecDeque<f64>,
    nearest_s: Option<f64>,
    meter: DelayMeter,
}

/// The rising edges of a line that came and are still needed.
#[derive(Debug)]
struct Rises {
    place: usize,
    outline: SeriesOutline,
    levels: Levels,
    times_s: VecDeque<f64>,
}

impl LineDelays {
    /// For the lines that were measured in the first pass.
    #[must_use]
    pub fn of(meter: &LineMeter) -> Self {
        let channels = meter.channels();
        let rises = |line: &Line| Rises {
            place: line.place,
            outline: line.outline.clone(),
            levels: Levels::default(),
            times_s: VecDeque::new(),
        };
        let hertz = |channel: &ChannelAnalysis| channel.measurements.edges().frequency_hz;
        let lines = || channels.iter().map(hertz).zip(&meter.lines);
        let mut first = None;
        let mut others = Vec::new();
        for (hertz, line) in lines().filter_map(|(hertz, line)| Some((hertz?, line))) {
            match &first {
                None => first = Some((hertz, rises(line))),
                Some((first_hz, _)) if ChannelDelay::is_common(*first_hz, hertz) => others.push(Pair {
                    rises: rises(line),
                    waiting: VecDeque::new(),
                    nearest_s: None,
                    meter: DelayMeter::new(*first_hz),
                }),
                Some(_) => {}
            }
        }
        Self { channels, first: first.map(|(_, rises)| rises), others }
    }

    /// Whether there are delays to measure: otherwise no pass over the samples is needed.
    #[must_use]
    pub fn are_needed(&self) -> bool {
        !self.others.is_empty()
    }

    /// Takes the samples that follow.
    pub fn push(&mut self, piece: &[Samples]) {
        let Some(first) = &mut self.first else { return };
        first.push(piece);
        for pair in &mut self.others {
            pair.rises.push(piece);
            pair.waiting.extend(&first.times_s);
            pair.compare(first.now_s().min(pair.rises.now_s()));
        }
        first.times_s.clear();
    }

    /// What the lines show, after the last samples.
    #[must_use]
    pub fn finish(mut self) -> WaveformAnalysis {
        self.others.iter_mut().for_each(|pair| pair.compare(f64::INFINITY));
        let between = |_from: usize, to: usize| {
            let channel = self.channels.get(to)?.channel;
            self.others.iter().find(|pair| pair.rises.outline.channel == channel)?.meter.delay()
        };
        let delays = delays(&self.channels, between);
        WaveformAnalysis { channels: self.channels, delays }
    }
}

impl Pair {
    /// Measures the edges of the first line whose nearest is known, where all edges up to the time `now_s` came: a later
    /// one of this line did, or none will that is near enough.
    fn compare(&mut self, now_s: f64) {
        let others_s = &mut self.rises.times_s;
        while let Some(edge_s) = self.waiting.front().copied() {
            self.nearest_s = self.nearest_s.or_else(|| others_s.pop_front());
            if let Some(nearest_s) = &mut self.nearest_s {
                while let Some(next_s) = others_s.front()
                    && (next_s - edge_s).abs() < (*nearest_s - edge_s).abs()
                {
                    *nearest_s = *next_s;
                    others_s.pop_front();
                }
            }
            if others_s.is_empty() && now_s < edge_s + self.meter.max_delay_s() {
                return;
            }
            if let Some(nearest_s) = self.nearest_s {
                self.meter.add(nearest_s - edge_s);
            }
            self.waiting.pop_front();
        }
        // An edge that is still to come is later, and the last of these the nearest to it.
        while let Some(passed_s) = others_s.front().copied().filter(|passed_s| *passed_s <= now_s) {
            self.nearest_s = Some(passed_s);
            others_s.pop_front();
        }
    }
}

impl Rises {
    /// The time of the latest sample, in seconds: all edges before it came.
    fn now_s(&self) -> f64 {
        self.outline.timestamp(self.levels.count.saturating_sub(1))
    }

    fn push(&mut self, piece: &[Samples]) {
        let Some(Samples::Levels(levels)) = piece.get(self.place) else { return };
        let (start_s, period_s) = (self.outline.start_s, self.outline.period_s);
        let rising = self.levels.edges(levels).filter(|edge| edge.rising);
        self.times_s.extend(rising.map(|edge| start_s + edge.position * period_s));
    }
}

/// The levels of a line as they come.
#[derive(Debug, Default)]
struct Levels {
    count: usize,
    before: Option<bool>,
}

impl Levels {
    /// The edges among the samples that follow, as `logic_edges` has those of all.
    fn edges<'p>(&mut self, piece: &'p [u8]) -> impl Iterator<Item = Edge> + use<'p> {
        let first = self.count;
        let mut before = self.before;
        self.count += piece.len();
        self.before = piece.last().map(|level| *level != 0).or(before);
        piece.iter().enumerate().filter_map(move |(index, level)| {
            let rising = *level != 0;
            let changed = before.replace(rising).is_some_and(|before| before != rising);
            changed.then_some(Edge { position: (first + index) as f64 - 0.5, rising })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waveform::{Channel, Details, Series, Waveform};

    /// Squares of common and of other frequencies, some late, one constant and one irregular.
    fn waveform() -> Waveform {
        let square = |period: usize, late: usize| -> Vec<u8> {
            (0..20_000).map(|index| u8::from((index + period - late) % period < period / 3)).collect()
        };
        let mut random = 1_u32;
        let irregular = (0..20_000).map(|_| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 31) as u8
        });
        let lines = [
            vec![1; 20_000],
            irregular.collect(),
            square(90, 0),
            square(90, 44),
            square(90, 46),
            // A frequency, but only at the beginning or at the end.
            [square(90, 10)[..2000].to_vec(), vec![0; 18_000]].concat(),
            square(91, 0),
            [vec![0; 18_000], square(90, 10)[..2000].to_vec()].concat(),
        ];
        let series = lines.into_iter().enumerate().map(|(line, levels)| Series {
            label: (line == 2).then(|| "SCL".to_owned()),
            ..Series::new(Channel::L[line], -1e-3, 1e-6, Samples::Levels(levels))
        });
        Waveform::new(1e6, series.collect(), Details::default()).unwrap()
    }

    #[test]
    fn pieces_of_any_length_show_what_the_whole_does() {
        let whole = waveform();
        let expected = WaveformAnalysis::of(&whole);
        assert!(expected.delays.iter().filter(|pair| pair.delay.is_ok()).count() >= 3, "{expected:?}");
        assert!(expected.delays.iter().any(|pair| pair.delay.is_err()), "{expected:?}");
        for length in [1, 7, 45, 4096, 30_000] {
            let pieces = (0..whole.sample_count()).step_by(length).map(|first| {
                let part = |series: &Series| series.samples.part(first as u64, length as u64);
                whole.channels().iter().map(part).collect::<Vec<Samples>>()
            });
            let mut meter = LineMeter::of(&Outline::from(&whole));
            pieces.clone().for_each(|piece| meter.push(&piece));
            let mut delays = LineDelays::of(&meter);
            assert!(delays.are_needed());
            pieces.for_each(|piece| delays.push(&piece));
            assert_eq!(delays.finish(), expected, "{length}");
        }
    }
}
