//! Measurements that were chosen, with what became of them over the traces.

use std::fmt;
use std::str::FromStr;

use scopething_waveform::quantity_text::quantity;
use serde_json::Value;

type Find = fn(&Value) -> Option<f64>;

/// What can be measured of an analog channel: its name in the JSON of `analyse`, its unit, and where it is.
const ANALOG: [(&str, &str, Find); 18] = [
    ("frequency", "Hz", |m| at(m, &["wave", "frequency"]).or_else(|| at(m, &["edge_frequency"]))),
    ("period", "s", |m| at(m, &["wave", "period"]).or_else(|| at(m, &["edge_frequency"]).map(f64::recip))),
    ("peak_to_peak", "V", |m| at(m, &["peak_to_peak"])),
    ("mean", "V", |m| at(m, &["mean"])),
    ("rms", "V", |m| at(m, &["rms"])),
    ("ac_rms", "V", |m| at(m, &["ac_rms"])),
    ("max", "V", |m| at(m, &["max"])),
    ("min", "V", |m| at(m, &["min"])),
    ("top", "V", |m| at(m, &["top"])),
    ("base", "V", |m| at(m, &["base"])),
    ("amplitude", "V", |m| Some(at(m, &["top"])? - at(m, &["base"])?)),
    ("overshoot", "%", |m| at(m, &["overshoot"])),
    ("undershoot", "%", |m| at(m, &["undershoot"])),
    ("rise_time", "s", |m| at(m, &["rise_time"])),
    ("fall_time", "s", |m| at(m, &["fall_time"])),
    ("duty", "%", |m| at(m, &["duty"])),
    ("rising_edges", "", |m| at(m, &["rising_edges"])),
    ("falling_edges", "", |m| at(m, &["falling_edges"])),
];
/// What can be measured of a logic line.
const LOGIC: [(&str, &str, Find); 6] = [
    ("frequency", "Hz", |m| at(m, &["edge_frequency"])),
    ("period", "s", |m| at(m, &["edge_frequency"]).map(f64::recip)),
    ("duty", "%", |m| at(m, &["duty"])),
    ("high", "%", |m| at(m, &["high"])),
    ("rising_edges", "", |m| at(m, &["rising_edges"])),
    ("falling_edges", "", |m| at(m, &["falling_edges"])),
];
/// What can be measured of two channels: how much later the second is than the first.
const PAIR: [(&str, &str, Find); 2] =
    [("delay", "s", |m| at(m, &["delay"])), ("phase", "°", |m| at(m, &["phase_degrees"]))];
/// The most that are shown.
const MAX_READINGS: usize = 12;

fn at(value: &Value, path: &[&str]) -> Option<f64> {
    path.iter().try_fold(value, |value, key| value.get(key))?.as_f64()
}

fn kinds(channel: &str) -> &'static [(&'static str, &'static str, Find)] {
    match channel {
        pair if pair.contains('-') => &PAIR,
        line if line.starts_with('L') => &LOGIC,
        _ => &ANALOG,
    }
}

fn is_channel(name: &str) -> bool {
    let line = |line: &str| matches!(line.as_bytes(), [b'0'..=b'7']);
    matches!(name, "A" | "B") || name.strip_prefix('L').is_some_and(line)
}

/// What was measured of a channel, or of two such as `A-B`.
fn measured_of<'a>(measured: &'a Value, channel: &str) -> Option<&'a Value> {
    let Some((from, to)) = channel.split_once('-') else { return measured.get("channels")?.get(channel) };
    let is_pair = |delay: &&Value| delay["from"] == from && delay["to"] == to;
    measured.get("delays")?.as_array()?.iter().find(is_pair)
}

/// A measurement of a channel, such as `A.frequency`, or of two, such as `A-B.delay`.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Wanted {
    channel: String,
    name: &'static str,
    unit: &'static str,
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (channel, name) = text.split_once('.').unwrap_or((text, ""));
        let channel = channel.to_ascii_uppercase();
        if !channel.split('-').all(is_channel) || channel.split('-').count() > 2 {
            return Err(format!(
                "{text:?} has no channel: give one as in A.frequency, B.rms or L0.duty, or two as in A-B.delay"
            ));
        }
        let kinds = kinds(&channel);
        let Some((name, unit, _)) = kinds.iter().find(|(one, ..)| *one == name) else {
            let names: Vec<&str> = kinds.iter().map(|(name, ..)| *name).collect();
            return Err(format!("{name:?} is not measured of {channel}: give one of {}", names.join(", ")));
        };
        Ok(Self { channel, name, unit })
    }
}

/// A measurement over the traces.
#[derive(Debug, Clone)]
struct Reading {
    wanted: Wanted,
    last: Option<f64>,
    count: u32,
    mean: f64,
    /// The sum of the squares of the deviations from the mean.
    squares: f64,
    least: f64,
    most: f64,
}

impl Reading {
    fn deviation(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.squares / f64::from(self.count - 1)).sqrt())
    }
}

/// The measurements that are shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings(Vec<Reading>);

impl Readings {
    pub(super) fn new(wanted: impl IntoIterator<Item = Wanted>) -> Self {
        let mut readings = Self::default();
        for wanted in wanted {
            readings.toggle(wanted);
        }
        readings
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a measurement, or takes it away. Of many the first gives way.
    pub(super) fn toggle(&mut self, wanted: Wanted) {
        let before = self.0.len();
        self.0.retain(|reading| reading.wanted != wanted);
        if self.0.len() == before {
            if before == MAX_READINGS {
                self.0.remove(0);
            }
            self.0.push(Reading {
                wanted,
                last: None,
                count: 0,
                mean: 0.0,
                squares: 0.0,
                least: f64::INFINITY,
                most: f64::NEG_INFINITY,
            });
        }
    }

    /// Begins anew: what was measured before was of other settings.
    pub(super) fn forget(&mut self) {
        *self = Self::new(std::mem::take(&mut self.0).into_iter().map(|reading| reading.wanted));
    }

    /// Takes what the server measured of a trace.
    pub(super) fn take(&mut self, measured: &Value) {
        for reading in &mut self.0 {
            let Wanted { channel, name, .. } = &reading.wanted;
            let find = kinds(channel).iter().find(|(one, ..)| one == name).map(|(.., find)| find);
            let of_channel = measured_of(measured, channel);
            reading.last = of_channel.zip(find).and_then(|(measured, find)| find(measured));
            let Some(value) = reading.last else { continue };
            reading.count = reading.count.saturating_add(1);
            let before = value - reading.mean;
            reading.mean += before / f64::from(reading.count);
            reading.squares += before * (value - reading.mean);
            (reading.least, reading.most) = (reading.least.min(value), reading.most.max(value));
        }
    }

    /// Each in words.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|reading| (reading.wanted.channel.as_str(), reading.to_string()))
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wanted { channel, name, unit } = &self.wanted;
        let value = |value: f64, digits| match *unit {
            "%" => format!("{:.1} %", value * 100.0),
            "" => format!("{value:.0}"),
            unit => quantity(value, unit, digits),
        };
        write!(f, "{channel} {} ", name.replace('_', " "))?;
        match self.last {
            None => write!(f, "unknown"),
            Some(last) => write!(
                f,
                "{} (mean {}, sd {}, {} … {}, n {})",
                value(last, 4),
                value(self.mean, 4),
                self.deviation().map_or_else(|| "unknown".to_owned(), |deviation| value(deviation, 2)),
                value(self.least, 3),
                value(self.most, 3),
                self.count
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn measurements_are_named_as_in_analyse() {
        assert_eq!("b.rise_time".parse::<Wanted>().unwrap().channel, "B");
        assert!("A.noise_level".parse::<Wanted>().unwrap_err().contains("peak_to_peak"));
        for wrong in ["frequency", "C.mean", "L8.duty", "L.duty", "A-C.delay", "A-B-A.delay", ""] {
            assert!(wrong.parse::<Wanted>().unwrap_err().contains("A.frequency"), "{wrong}");
        }
    }

    #[test]
    fn statistics_count_what_is_known() {
        let mut readings = Readings::new(["A.frequency".parse().unwrap(), "L0.duty".parse().unwrap()]);
        for frequency in [json!(1000), json!(null), json!(1002)] {
            readings
                .take(&json!({"channels": {"A": {"wave": {"frequency": frequency}}, "L0": {"duty": 0.25}}}));
        }
        let texts: Vec<String> = readings.texts().map(|(_, text)| text).collect();
        assert_eq!(texts[0], "A frequency 1.002 kHz (mean 1.001 kHz, sd 1.4 Hz, 1.00 kHz … 1.00 kHz, n 2)");
        assert_eq!(texts[1], "L0 duty 25.0 % (mean 25.0 %, sd 0.0 %, 25.0 % … 25.0 %, n 3)");
        readings.take(&json!({"channels": {}}));
        assert_eq!(readings.texts().next().unwrap().1, "A frequency unknown");
        readings.toggle("A.frequency".parse().unwrap());
        assert_eq!(readings.texts().count(), 1);
        readings.toggle("a-b.delay".parse().unwrap());
        readings.take(&json!({"delays": [
            {"from": "A", "to": "L0", "delay": 1.0, "phase_degrees": 2.0},
            {"from": "A", "to": "B", "delay": 2.5e-4, "phase_degrees": 90.0},
        ]}));
        let delay = readings.texts().nth(1).unwrap().1;
        assert!(delay.starts_with("A-B delay 250.0 µs (mean 250.0 µs, sd unknown"), "{delay}");
    }
}
