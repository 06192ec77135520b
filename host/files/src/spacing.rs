//! Times that a file lists one by one, as the evenly spaced ones that a series has.

use thiserror::Error;

use scopething_waveform::waveform::{Channel, Samples, Series};

/// How far a sample may lie from where it should, as a part of the sample period.
pub(super) const JITTER: f64 = 0.02;

/// A sample is not where it should be.
#[derive(Debug, Error)]
#[error("the samples of {channel} are not evenly spaced: at {time_s} s, where {expected_s} s should be")]
pub(super) struct Uneven {
    channel: Channel,
    /// Which sample, from 0.
    pub(super) index: usize,
    time_s: f64,
    expected_s: f64,
}

/// Seconds between times, from the first to the last of them; `None` for less than two.
pub(super) fn period_s(times_s: &[f64]) -> Option<f64> {
    let (first_s, last_s) = (times_s.first()?, times_s.last()?);
    let steps = times_s.len().checked_sub(1).filter(|&steps| steps > 0)?;
    Some((last_s - first_s) / steps as f64)
}

/// The series of samples taken at these times. A channel of a single sample takes another period.
pub(super) fn series(
    channel: Channel,
    times_s: &[f64],
    samples: Samples,
    other_period_s: f64,
) -> Result<Series, Uneven> {
    let start_s = times_s.first().copied().unwrap_or(0.0);
    let period_s = whole_picoseconds(period_s(times_s).unwrap_or(other_period_s));
    for (index, &time_s) in times_s.iter().enumerate() {
        let expected_s = start_s + index as f64 * period_s;
        if (time_s - expected_s).abs() > JITTER * period_s {
            return Err(Uneven { channel, index, time_s, expected_s });
        }
    }
    Ok(Series::new(channel, start_s, period_s, samples))
}

/// Takes away the rounding of a difference divided by a count.
fn whole_picoseconds(period_s: f64) -> f64 {
    let whole = (period_s * 1e12).round() / 1e12;
    if (whole - period_s).abs() <= period_s * 1e-12 { whole } else { period_s }
}
