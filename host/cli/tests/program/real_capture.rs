//! A capture of what a real BitScope recorded: the simulated one plays it, and the measured periods are those
//! of the signals.

use crate::support::{number, scopething, series};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// A sawtooth of 6.4 ms and a triangle of 12.8 ms (tests/data/README.md).
const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/micro-saw-triangle.sr");

async fn captured(arguments: &[&str]) -> Value {
    let input = |channel: &str| {
        utf8_percent_encode(&format!("file:{RECORDING}#{channel}"), NON_ALPHANUMERIC).to_string()
    };
    let url = format!("sim:?A={}&B={}&clock=fast", input("ana0"), input("ana1"));
    scopething(&[&["capture", "--json", "--url", &url], arguments].concat()).await.done().object()
}

/// When a signal rises through the middle of its extent, in seconds: on straight lines between samples, and
/// once it has been a tenth of the extent below and above.
fn rises(times: &[f64], samples: &[f64]) -> Vec<f64> {
    let low = samples.iter().copied().fold(f64::INFINITY, f64::min);
    let high = samples.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (middle, slack) = (f64::midpoint(low, high), (high - low) / 10.0);
    let (mut crossing, mut was_below) = (None, false);
    let mut rises = Vec::new();
    for (time, sample) in times.windows(2).zip(samples.windows(2)) {
        if sample[0] < middle && sample[1] >= middle {
            let part = (middle - sample[0]) / (sample[1] - sample[0]);
            crossing = crossing.or(Some(time[0] + part * (time[1] - time[0])));
        }
        if sample[1] < middle - slack {
            (crossing, was_below) = (None, true);
        } else if sample[1] > middle + slack && was_below {
            rises.extend(crossing.take());
            was_below = false;
        }
    }
    rises
}

/// The mean time from one rise to the next, in seconds.
fn period_s(capture: &Value, channel: &str) -> f64 {
    let rises = rises(&series(capture, channel, "timestamps"), &series(capture, channel, "samples"));
    assert!(rises.len() >= 3, "{rises:?}");
    (rises[rises.len() - 1] - rises[0]) / (rises.len() - 1) as f64
}

#[tokio::test]
async fn sawtooth_has_its_period() {
    let capture =
        captured(&["A", "--trigger", "A", "--level", "1.5V", "--period", "40ms", "--samples", "4000"]).await;
    assert_eq!(capture["cause"], "trigger");
    assert_eq!(capture["trigger"], json!({"source": "A", "type": "rising", "level": 1.5}));
    let period_s = period_s(&capture, "A");
    println!("sawtooth: {} ms", period_s * 1e3);
    assert!((period_s / 6.4e-3 - 1.0).abs() < 0.01, "{period_s} s");
}

#[tokio::test]
async fn both_channels_and_trigger_position() {
    let arguments = ["A", "B", "--trigger", "A", "--level", "1.5V", "--period", "40ms", "--samples", "4000"];
    let capture = captured(&arguments).await;
    for (channel, expected_s) in [("A", 6.4e-3), ("B", 12.8e-3)] {
        let period_s = period_s(&capture, channel);
        println!("{channel}: {} ms", period_s * 1e3);
        assert!((period_s / expected_s - 1.0).abs() < 0.01, "{channel}: {period_s} s");
    }
    // The signals come from 8-bit converters that step every 100 us: a step to each side of the trigger the
    // sawtooth is below and above the level.
    let (times, samples) = (series(&capture, "A", "timestamps"), series(&capture, "A", "samples"));
    let trigger_s = number(&capture, "trigger_time");
    let near = |from_s: f64, to_s: f64| {
        let samples = times.iter().zip(&samples);
        samples
            .filter(|(time, _)| (trigger_s + from_s..trigger_s + to_s).contains(*time))
            .map(|(_, sample)| *sample)
            .collect::<Vec<_>>()
    };
    let (before, after) = (near(-300e-6, -100e-6), near(100e-6, 300e-6));
    assert!(!before.is_empty() && before.iter().all(|&sample| sample < 1.5), "{before:?}");
    assert!(!after.is_empty() && after.iter().all(|&sample| sample > 1.5), "{after:?}");
}
