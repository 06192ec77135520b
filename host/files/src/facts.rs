//! What is known of a capture besides its samples, as keys and texts: the same in every format that can hold them.
//!
//! | key | value |
//! | --- | --- |
//! | `interleaved_sample_rate` | hertz of the sample clock, that of the channels of a pair together; `sample_rate` is an older name of it |
//! | `A_sample_rate` | hertz of channel A, and so for each channel |
//! | `capture_start` | seconds of device time |
//! | `cause`, `mode` | why it ended, the trace mode |
//! | `trigger_time`, `trigger_level`, `trigger_type`, `trigger_source` | seconds, volts, words |
//! | `range_low`, `range_high` | what the analog channels were set to show |
//! | `ranges` | a JSON object: what each analog channel was set to show, where that differs |
//! | `unit` | of the analog channels: `V`, or `range` for fractions of it |
//! | `warnings` | a JSON list |
//! | `trace`, `clock`, `gap` | the place in a job |
//! | `channels` | a JSON object: of each channel `start`, `period` (seconds), `samples` (a count), `name` |
//! | `settings` | a JSON object: [`Settings`](scopething_waveform::waveform::Settings) |
//!
//! What is not known is left out. Keys that are not here are passed over on reading, and so are values that are not
//! understood: they may be another program's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use scopething_waveform::waveform::{
    Channel, Details, EndReason, Gap, InvalidWaveform, Outline, Range, Samples, Series, Stamp, Trigger,
    Waveform,
};

/// Where the samples of a channel lie in time, in a file whose rows or samples do not state it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChannelFact {
    pub(crate) start: f64,
    pub(crate) period: f64,
    pub(crate) samples: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// The facts of a waveform, in the order of the table above.
pub(crate) fn facts(recording: &Outline) -> Vec<(String, String)> {
    let details = &recording.details;
    let trigger = details.trigger.as_ref();
    let unit = if recording.is_raw() { "range" } else { "V" };
    let channels: serde_json::Map<String, serde_json::Value> = recording
        .channels
        .iter()
        .map(|series| {
            let fact = ChannelFact {
                start: series.start_s,
                period: series.period_s,
                samples: series.count,
                name: series.label.clone(),
            };
            (series.channel.to_string(), serde_json::to_value(fact).unwrap_or_default())
        })
        .collect();
    let known = [
        ("sample_rate", Some(recording.sample_rate_hz.to_string())),
        ("interleaved_sample_rate", Some(recording.sample_rate_hz.to_string())),
        ("capture_start", details.capture_start_s.map(|start_s| start_s.to_string())),
        ("cause", details.cause.map(|cause| cause.to_string())),
        ("mode", details.mode.clone()),
        ("trigger_time", trigger.map(|trigger| trigger.time_s.to_string())),
        ("trigger_level", trigger.and_then(|trigger| trigger.level).map(|level| level.to_string())),
        ("trigger_type", trigger.map(|trigger| trigger.kind.to_string())),
        ("trigger_source", trigger.map(|trigger| trigger.source.clone())),
        ("range_low", details.range.map(|range| range.low.to_string())),
        ("range_high", details.range.map(|range| range.high.to_string())),
        ("ranges", details.named_ranges().and_then(|ranges| serde_json::to_string(&ranges).ok())),
        ("unit", recording.analog().next().map(|_| unit.to_owned())),
        ("warnings", Some(serde_json::Value::from(details.warnings.clone()).to_string())),
        ("trace", details.stamp.map(|stamp| stamp.number.to_string())),
        ("clock", details.stamp.map(|stamp| stamp.clock.to_string())),
        ("gap", details.stamp.and_then(|stamp| stamp.gap).map(|gap| gap.name().to_owned())),
        ("channels", Some(serde_json::Value::Object(channels).to_string())),
        ("settings", details.settings.as_ref().and_then(|settings| serde_json::to_string(settings).ok())),
    ];
    let known = known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let rates = recording
        .channels
        .iter()
        .map(|series| (format!("{}_sample_rate", series.channel), series.sample_rate_hz().to_string()));
    known.chain(rates).collect()
}

/// What facts state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) sample_rate_hz: Option<f64>,
    pub(crate) is_raw: bool,
    pub(crate) channels: Vec<(Channel, ChannelFact)>,
    pub(crate) details: Details,
}

impl Known {
    /// Reads keys and their texts.
    pub(crate) fn of<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> Self {
        let text =
            |key: &str| pairs.iter().find(|(name, _)| name.as_ref() == key).map(|(_, value)| value.as_ref());
        let number = |key: &str| text(key)?.parse::<f64>().ok().filter(|value| value.is_finite());
        let trigger = number("trigger_time").and_then(|time_s| {
            let kind = text("trigger_type")?.parse().ok()?;
            Some(Trigger {
                time_s,
                level: number("trigger_level"),
                kind,
                source: text("trigger_source")?.to_owned(),
            })
        });
        let stamp = text("trace").and_then(|trace| {
            let gap = text("gap").and_then(Gap::named);
            Some(Stamp { number: trace.parse().ok()?, clock: text("clock")?.parse().ok()?, gap })
        });
        let range = number("range_low").zip(number("range_high"));
        let channels: BTreeMap<String, ChannelFact> =
            text("channels").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let usable =
            |fact: &ChannelFact| fact.start.is_finite() && fact.period > 0.0 && fact.period.is_finite();
        Self {
            sample_rate_hz: number("interleaved_sample_rate")
                .or_else(|| number("sample_rate"))
                .filter(|&rate_hz| rate_hz > 0.0),
            is_raw: text("unit") == Some("range"),
            channels: channels
                .into_iter()
                .filter_map(|(name, fact)| Some((name.parse().ok()?, Some(fact).filter(usable)?)))
                .collect(),
            details: Details {
                capture_start_s: number("capture_start"),
                cause: text("cause").and_then(EndReason::named),
                trigger,
                range: range.map(|(low, high)| Range { low, high }),
                ranges: text("ranges")
                    .and_then(|text| serde_json::from_str(text).ok())
                    .map(|named| Details::ranges_named(&named))
                    .unwrap_or_default(),
                mode: text("mode").filter(|mode| !mode.is_empty()).map(str::to_owned),
                warnings: text("warnings")
                    .and_then(|text| serde_json::from_str(text).ok())
                    .unwrap_or_default(),
                stamp,
                settings: text("settings").and_then(|text| serde_json::from_str(text).ok()),
            },
        }
    }

    /// When the earliest channel begins, in seconds; 0 where that is not known.
    pub(crate) fn start_s(&self) -> f64 {
        let start_s = self.channels.iter().map(|(_, fact)| fact.start).fold(f64::INFINITY, f64::min);
        if start_s.is_finite() { start_s } else { 0.0 }
    }

    /// Where the samples of a channel lie in time.
    pub(crate) fn channel(&self, channel: Channel) -> Option<&ChannelFact> {
        self.channels.iter().find(|(known, _)| *known == channel).map(|(_, fact)| fact)
    }

    /// The warning for a file that was read as a whole and has fewer samples of these channels than it states.
    pub(crate) fn cut_off(
        &self,
        is_whole: bool,
        mut counts: impl Iterator<Item = (Channel, usize)>,
    ) -> Option<String> {
        if !is_whole {
            return None;
        }
        counts.find_map(|(channel, count)| {
            let stated = self.channel(channel)?.samples;
            (count < stated).then(|| {
                format!("it is cut off: it should have {stated} samples of {channel}, and has {count}")
            })
        })
    }

    /// The waveform of these channels.
    pub(crate) fn waveform(self, rate_hz: f64, channels: Vec<Series>) -> Result<Waveform, InvalidWaveform> {
        let raw = |series: Series| match series.samples {
            Samples::Volts(samples) if self.is_raw => {
                Series { samples: Samples::Fractions(samples), ..series }
            }
            _ => series,
        };
        Waveform::new(rate_hz, channels.into_iter().map(raw).collect(), self.details)
    }
}

/// The waveform of channels that were put on a [common grid](scopething_waveform::grid), each with the samples and times that facts
/// state: those of the grid where they do not.
pub(crate) fn with_facts<K: AsRef<str>, V: AsRef<str>>(
    rate_hz: f64,
    channels: Vec<Series>,
    pairs: &[(K, V)],
) -> Result<Waveform, InvalidWaveform> {
    let known = Known::of(pairs);
    // The grid begins with the earliest channel.
    let offset_s = known.start_s();
    // The file's rate may be rounded: the pace of the grid is that of its fastest channel.
    let pace_s = |period_s: f64| {
        let periods = known.channels.iter().map(|(_, fact)| fact.period);
        periods.into_iter().find(|known_s| (known_s / period_s - 1.0).abs() < 0.01).unwrap_or(period_s)
    };
    let moved = channels.into_iter().map(|series| {
        let series = Series { start_s: series.start_s + offset_s, ..series };
        let grid = GridTimes { start_s: offset_s, period_s: pace_s(series.period_s) };
        match known.channel(series.channel) {
            Some(fact) => off_grid(series, fact, grid),
            None => series,
        }
    });
    let moved = moved.collect();
    let rate_hz = known.sample_rate_hz.filter(|known_hz| *known_hz >= rate_hz * 0.99).unwrap_or(rate_hz);
    known.waveform(rate_hz, moved)
}

/// The samples of a channel out of those of the grid, as far as they were read, at the times that they were taken:
/// the inverse of the grid's choice of samples.
fn off_grid(series: Series, fact: &ChannelFact, grid: GridTimes) -> Series {
    let first_moment = ((series.start_s - grid.start_s) / series.period_s).round();
    let moments_a_sample = fact.period / grid.period_s;
    let is_same_pace = moments_a_sample < 1.5;
    let late = (fact.start - grid.start_s) / grid.period_s;
    // The first moment at which a sample stands.
    let moment = |sample: usize| {
        if is_same_pace {
            return sample as f64;
        }
        (late + sample as f64 * moments_a_sample - 1e-6).ceil().max(0.0)
    };
    let passed = if is_same_pace { first_moment } else { (first_moment - late) / moments_a_sample - 1.0 };
    let passed = passed.floor().max(0.0) as usize;
    let Some(first) = (passed..fact.samples).find(|&sample| moment(sample) >= first_moment) else {
        return series;
    };
    let place = |sample: usize| (moment(sample) - first_moment) as usize;
    let count = series.samples.len();
    let places = (first..fact.samples).map(place).take_while(|&at| at < count);
    if places.clone().next().is_none() {
        return series;
    }
    let samples = match &series.samples {
        Samples::Volts(all) => Samples::Volts(places.filter_map(|at| all.get(at).copied()).collect()),
        Samples::Fractions(all) => Samples::Fractions(places.filter_map(|at| all.get(at).copied()).collect()),
        Samples::Levels(all) => Samples::Levels(places.filter_map(|at| all.get(at).copied()).collect()),
    };
    let start_s = fact.start + first as f64 * fact.period;
    Series { start_s, period_s: fact.period, samples, ..series }
}

/// When the moments of a grid are.
#[derive(Clone, Copy)]
struct GridTimes {
    start_s: f64,
    period_s: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::grid::Grid;

    /// Whatever part of a grid is read, each channel has its own samples at its own times.
    #[test]
    fn grid_parts_are_mapped_to_their_times() {
        let ramp = |count: u8| Samples::Volts((0..count).map(f32::from).collect());
        // A file has whole hertz: 2441 for the slowest clock of a device, 40 MHz over 16384.
        for period_s in [1e-6, 1.0 / 2441.40625] {
            let pair = vec![
                Series::new(Channel::A, 0.0, 2.0 * period_s, ramp(100)),
                Series::new(Channel::B, period_s, 2.0 * period_s, ramp(100)),
            ];
            let line = Series::new(Channel::L[0], 0.0, period_s, Samples::Levels(vec![1; 200]));
            for channels in [pair.clone(), [pair, vec![line]].concat()] {
                let written = Waveform::new(1.0 / period_s, channels, Details::default()).unwrap();
                let grid = Grid::from(&written);
                let pairs = facts(&Outline::from(&written));
                let rate_hz = grid.rate_hz().round();
                for first in [0, 1, 6, 7] {
                    let read = written.channels().iter().map(|series| {
                        let picked: Vec<f32> = grid
                            .indices(series)
                            .filter_map(|at| series.samples.get(at))
                            .skip(first)
                            .collect();
                        let samples = match series.samples {
                            Samples::Levels(_) => Samples::Levels(vec![1; picked.len()]),
                            _ => Samples::Volts(picked),
                        };
                        Series::new(series.channel, first as f64 / rate_hz, rate_hz.recip(), samples)
                    });
                    let read = with_facts(rate_hz, read.collect(), &pairs).unwrap();
                    for (read, written) in read.channels().iter().zip(written.channels()) {
                        let at = (read.start_s - written.start_s) / written.period_s;
                        assert!((at - at.round()).abs() < 1e-6, "{first}: {read:?}");
                        let expected = written.samples.part(at.round() as u64, u64::MAX);
                        assert_eq!(read.samples, expected, "{first}, {}", read.channel);
                        assert!(at.round() <= first as f64, "{first}, {}: {at}", read.channel);
                    }
                }
            }
        }
    }
}
