//! What a picture of a waveform shows, whoever draws it.

use super::axis::Axis;
use super::path::{self, Point};
use scopething_waveform::quantity_text::{quantity, span};
use scopething_waveform::waveform::{EndReason, Samples, Series, Trigger, Waveform};

/// Where a waveform triggered.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Where on the time axis: 0 at the left, 1 at the right.
    pub x: f64,
    /// Where on the level axis: 0 at the bottom, 1 at the top; `None` for a logic trigger.
    pub y: Option<f64>,
}

/// A waveform laid out to be drawn: `'r` is the waveform's life.
///
/// ```
/// use scopething_files::plot::Chart;
/// use scopething_waveform::waveform::{Channel, Details, Waveform, Samples, Series};
///
/// let series = Series::new(Channel::A, 0.0, 1e-3, Samples::Volts(vec![0.0, 3.0, 0.5]));
/// let waveform = Waveform::new(1e3, vec![series], Details::default())?;
/// let chart = Chart::new(&waveform, 10, 8);
/// assert_eq!(chart.time.unit, "ms");
/// assert_eq!(chart.analog.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Chart<'r> {
    /// How the trace was captured, in one line.
    pub title: String,
    /// Seconds from the start of the capture.
    pub time: Axis,
    /// What all analog channels are measured by; `None` without any.
    pub level: Option<Axis>,
    /// The analog channels.
    pub analog: Vec<&'r Series>,
    /// The logic lines, one lane each.
    pub logic: Vec<&'r Series>,
    /// Where it triggered.
    pub mark: Option<Mark>,
}

impl<'r> Chart<'r> {
    /// Lays out a waveform with at most so many ticks on each axis, at least two.
    #[must_use]
    pub fn new(recording: &'r Waveform, most_time_ticks: usize, most_level_ticks: usize) -> Self {
        let (start_s, end_s) = (recording.start_s(), recording.end_s());
        // One sample has no span: show it at the start of its own period.
        let end_s = if end_s > start_s { end_s } else { start_s + recording.sample_period_s() };
        let time = Axis::new(start_s, end_s, "s", most_time_ticks.max(2));
        let trigger = recording.details().trigger.as_ref();
        let level = level_axis(recording, trigger, most_level_ticks.max(2));
        Self {
            title: title(recording),
            mark: trigger.and_then(|trigger| mark(trigger, &time, level.as_ref())),
            time,
            level,
            analog: recording.analog().collect(),
            logic: recording.logic().collect(),
        }
    }

    /// The lines that show a channel in a picture of `columns` columns of pixels. Logic levels are `y` 0 and
    /// 1. A line of one point is a sample that has no neighbour.
    #[must_use]
    pub fn lines(&self, series: &Series, columns: usize) -> Vec<Vec<Point>> {
        match &series.samples {
            Samples::Levels(levels) => path::lines(self.corners(series, levels), columns),
            samples => {
                let height = |sample: f32| {
                    self.level.as_ref().map_or(f64::NAN, |level| level.fraction(f64::from(sample)))
                };
                let points = samples.iter().enumerate().map(|(index, sample)| Point {
                    x: self.time.fraction(series.timestamp(index)),
                    y: height(sample),
                });
                path::lines(points, columns)
            }
        }
    }

    /// Where each sample of an analog channel lies, if there is room to distinguish them in `columns` columns;
    /// none otherwise.
    #[must_use]
    pub fn dots(&self, series: &Series, columns: usize) -> Vec<Point> {
        const COLUMNS_A_DOT: usize = 10;
        if series.samples.len() > columns / COLUMNS_A_DOT {
            return Vec::new();
        }
        self.lines(series, columns).concat()
    }

    /// The corners of a logic signal: each level lasts from its sample to the next one, or to the picture's
    /// end.
    fn corners<'s>(&'s self, series: &'s Series, levels: &'s [u8]) -> impl Iterator<Item = Point> + 's {
        let x = |index| self.time.fraction(series.timestamp(index)).min(1.0);
        let begin = levels.first().map(|&level| Point { x: x(0), y: f64::from(level) });
        let end = levels.last().map(|&level| Point { x: x(levels.len()), y: f64::from(level) });
        let edges = levels.windows(2).enumerate().filter_map(move |(index, pair)| match *pair {
            [before, after] if before != after => {
                Some([before, after].map(|level| Point { x: x(index + 1), y: f64::from(level) }))
            }
            _ => None,
        });
        begin.into_iter().chain(edges.flatten()).chain(end)
    }
}

fn level_axis(recording: &Waveform, trigger: Option<&Trigger>, most_ticks: usize) -> Option<Axis> {
    recording.analog().next()?;
    let extents = recording.analog().filter_map(|series| series.samples.extent());
    let levels = extents.flat_map(|(low, high)| [f64::from(low), f64::from(high)]);
    let levels = levels.chain(trigger.and_then(|trigger| trigger.level));
    let (low, high) = levels
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), level| (low.min(level), high.max(level)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 0.0) };
    Some(Axis::around(low, high, if recording.is_raw() { "" } else { "V" }, most_ticks))
}

fn mark(trigger: &Trigger, time: &Axis, level: Option<&Axis>) -> Option<Mark> {
    let x = time.fraction(trigger.time_s);
    let y = level.zip(trigger.level).map(|(axis, level)| axis.fraction(level));
    // A trigger outside of what was kept has no place in the picture.
    (0.0..=1.0).contains(&x).then_some(Mark { x, y })
}

fn title(recording: &Waveform) -> String {
    let details = recording.details();
    let count = recording.sample_count();
    let mut parts = Vec::new();
    parts.extend(details.mode.clone());
    parts.push(recording.sample_rates_text());
    parts.push(format!("{count} sample{}", if count == 1 { "" } else { "s" }));
    match (&details.trigger, details.cause) {
        (Some(trigger), _) => parts.push(trigger_text(trigger, recording.is_raw())),
        (None, Some(EndReason::Timeout)) => parts.push("no trigger before the timeout".to_owned()),
        (None, Some(EndReason::Cancel)) => parts.push("cancelled".to_owned()),
        (None, _) => {}
    }
    for series in recording.analog() {
        let clipping = recording.clipping(series).filter(|clipping| clipping.is_any());
        parts.extend(clipping.map(|_| format!("{} clipped", series.channel)));
    }
    parts.join(" · ")
}

fn trigger_text(trigger: &Trigger, raw: bool) -> String {
    let level = match trigger.level {
        Some(level) if raw => format!(" {level:.3}"),
        Some(level) => format!(" {}", quantity(level, "V", 3)),
        None => String::new(),
    };
    format!("trigger {} {}{level}", trigger.source, trigger.kind)
}

/// The legend of an analog channel: its name, and the levels between which its samples lie.
pub(super) fn legend(series: &Series, raw: bool) -> String {
    let extent = match series.samples.extent() {
        Some((low, high)) if raw => format!("{low:.3} … {high:.3}"),
        Some((low, high)) => span(f64::from(low), f64::from(high), "V", 3),
        None => "no values".to_owned(),
    };
    format!("{}  {extent}", series.title())
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::waveform::{Channel, Details, Range, TriggerType};

    fn recording(samples: Samples, details: Details) -> Waveform {
        let channel = if matches!(samples, Samples::Levels(_)) { Channel::L[2] } else { Channel::A };
        Waveform::new(1e6, vec![Series::new(channel, 0.0, 1e-6, samples)], details).unwrap()
    }

    #[test]
    fn title_shows_how_it_was_captured() {
        let trigger =
            Trigger { time_s: 1e-6, level: Some(1.5), kind: TriggerType::Rising, source: "A".to_owned() };
        let details = Details {
            mode: Some("Macro".to_owned()),
            cause: Some(EndReason::Trigger),
            trigger: Some(trigger),
            ..Details::default()
        };
        let recording = recording(Samples::Volts(vec![0.0; 1000]), details);
        let chart = Chart::new(&recording, 10, 8);
        assert_eq!(chart.title, "Macro · 1.000 MS/s · 1000 samples · trigger A rising 1.50 V");
        let mark = chart.mark.unwrap();
        assert!((mark.x - 1.0 / 999.0).abs() < 1e-12);
        let level = chart.level.unwrap();
        assert!((level.low + mark.y.unwrap() * (level.high - level.low) - 1.5).abs() < 1e-9);
    }

    #[test]
    fn clipping_is_in_the_title() {
        let details = Details { range: Some(Range { low: 0.0, high: 1.0 }), ..Details::default() };
        let title = |samples| title(&recording(Samples::Volts(samples), details.clone()));
        assert_eq!(title(vec![0.5, 1.0, 1.0, 0.25]), "1.000 MS/s · 4 samples · A clipped");
        assert_eq!(title(vec![0.5, 0.75, 0.25]), "1.000 MS/s · 3 samples");
    }

    #[test]
    fn capture_that_did_not_trigger_says_so() {
        let details = Details { cause: Some(EndReason::Timeout), ..Details::default() };
        let recording = recording(Samples::Volts(vec![0.0]), details);
        let chart = Chart::new(&recording, 10, 8);
        assert_eq!(chart.title, "1.000 MS/s · 1 sample · no trigger before the timeout");
        assert_eq!(chart.mark, None);
    }

    #[test]
    fn degenerate_data_has_axes() {
        for samples in [vec![1.0], vec![f32::NAN], vec![f32::NAN, f32::INFINITY], vec![f32::MAX, f32::MIN]] {
            let recording = recording(Samples::Volts(samples.clone()), Details::default());
            let chart = Chart::new(&recording, 10, 8);
            let level = chart.level.as_ref().unwrap();
            assert!(level.low < level.high && chart.time.low < chart.time.high);
            let finite = samples.iter().filter(|sample| sample.is_finite()).count();
            assert_eq!(chart.lines(chart.analog[0], 100).concat().len(), finite);
        }
    }

    #[test]
    fn level_lasts_until_the_next_sample() {
        let recording = recording(Samples::Levels(vec![0, 1, 1, 0]), Details::default());
        let chart = Chart::new(&recording, 10, 8);
        assert_eq!(chart.level, None);
        let drawn = chart.lines(chart.logic[0], 1000).concat();
        // The last sample is at the picture's end.
        let corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (3.0, 1.0), (3.0, 0.0), (3.0, 0.0)];
        assert_eq!(drawn.len(), corners.len(), "{drawn:?}");
        for (drawn, corner) in drawn.iter().zip(corners) {
            assert!((drawn.x * 3.0 - corner.0).abs() < 1e-9 && drawn.y == corner.1, "{drawn:?}");
        }
    }

    #[test]
    fn single_sample_pulse_is_drawn() {
        let levels = (0..12288).map(|index| u8::from(index == 5000)).collect();
        let recording = recording(Samples::Levels(levels), Details::default());
        let chart = Chart::new(&recording, 10, 8);
        assert!(chart.lines(chart.logic[0], 80).concat().iter().any(|point| point.y == 1.0));
    }

    #[test]
    fn legend_shows_the_extent() {
        let series = Series::new(Channel::B, 0.0, 1.0, Samples::Volts(vec![-0.25, 3.3]));
        assert_eq!(legend(&series, false), "B  -0.25 … 3.30 V");
    }
}
