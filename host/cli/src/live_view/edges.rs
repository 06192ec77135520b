//! Edges around a place: what the pointer measures.

use scopething_serve::client::FrameChannel;

use super::picture::Line;

/// A twentieth of the range to either side of the middle is no edge.
const HYSTERESIS: f64 = 0.05;

/// When a signal crosses its middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Crossing {
    pub(super) time_s: f64,
    pub(super) rising: bool,
}

/// The pulse and the period around a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pulse {
    pub(super) is_high: bool,
    pub(super) width_s: f64,
    /// None where only two edges are on the screen.
    pub(super) period_s: Option<f64>,
}

/// Where volts cross the middle of their range, in seconds from the trigger.
pub(super) fn of_line(line: &Line) -> Vec<Crossing> {
    let low = line.values.iter().map(|value| value.0).fold(f64::INFINITY, f64::min);
    let high = line.values.iter().map(|value| value.1).fold(f64::NEG_INFINITY, f64::max);
    let (middle, slack) = (f64::midpoint(low, high), (high - low) * HYSTERESIS);
    let mut crossings = Vec::new();
    if slack.is_nan() || slack <= 0.0 {
        return crossings;
    }
    let mut is_high: Option<bool> = None;
    let mut last = (0.0, 0.0);
    for (element, volts) in line.middles().enumerate() {
        let point = (line.time_s(element), volts);
        let next = match is_high {
            _ if volts > middle + slack => Some(true),
            _ if volts < middle - slack => Some(false),
            before => before,
        };
        if let (Some(before), Some(now)) = (is_high, next)
            && before != now
        {
            crossings.push(Crossing { time_s: between(last, point, middle), rising: now });
        }
        // The last point on the side that the signal is on.
        if next.is_some_and(|high| (volts > middle) == high) {
            last = point;
        }
        is_high = next;
    }
    crossings
}

/// When a logic line changes, in seconds from the trigger.
pub(super) fn of_logic(channel: &FrameChannel, trigger_s: f64, line: u8) -> Vec<Crossing> {
    let mut crossings = Vec::new();
    let mut before = None;
    for (element, (all, any)) in channel.extremes.iter().enumerate() {
        let [all, any] = [all, any].map(|bits| bits >> line & 1 == 1);
        let from = before.unwrap_or(all);
        let to = if all == any { all } else { !from };
        if to != from {
            crossings.push(Crossing { time_s: channel.time_s(element) - trigger_s, rising: to });
        }
        before = Some(to);
    }
    crossings
}

/// When the straight line from one point to another is at a value.
fn between((t0, v0): (f64, f64), (t1, v1): (f64, f64), value: f64) -> f64 {
    if v1 == v0 { t1 } else { t0 + (value - v0) / (v1 - v0) * (t1 - t0) }
}

/// The pulse around a time. None where its edges are not on the screen.
pub(super) fn around(crossings: &[Crossing], time_s: f64) -> Option<Pulse> {
    let after = crossings.partition_point(|crossing| crossing.time_s <= time_s);
    let (before, next) = (crossings.get(after.checked_sub(1)?)?, crossings.get(after)?);
    let later = crossings.get(after + 1).map(|later| later.time_s - before.time_s);
    let earlier = || {
        let earlier = crossings.get(after.checked_sub(2)?)?;
        Some(next.time_s - earlier.time_s)
    };
    Some(Pulse {
        is_high: before.rising,
        width_s: next.time_s - before.time_s,
        period_s: later.or_else(earlier),
    })
}

#[cfg(test)]
mod tests {
    use super::super::picture::{Picture, Source};
    use super::*;

    #[test]
    fn the_pulse_around_a_place_is_measured() {
        // High for 300 of 1000 us, with edges that take 20 us.
        let volts = |t: f64| {
            let phase_s = t.rem_euclid(1e-3);
            let rise = (phase_s / 20e-6).clamp(0.0, 1.0);
            let fall = ((phase_s - 300e-6) / 20e-6).clamp(0.0, 1.0);
            3.0 * (rise - fall)
        };
        let picture = Picture::of_samples(1, &[(Source::A, &volts)]);
        let crossings = of_line(&picture.lines[0]);
        // Four periods, the first of which begins with the trace.
        assert_eq!(crossings.len(), 8, "{crossings:?}");
        let pulse = around(&crossings, 100e-6).unwrap();
        assert!(pulse.is_high && (pulse.width_s - 300e-6).abs() < 1e-7, "{pulse:?}");
        assert!((pulse.period_s.unwrap() - 1e-3).abs() < 1e-7, "{pulse:?}");
        let pulse = around(&crossings, 500e-6).unwrap();
        assert!(!pulse.is_high && (pulse.width_s - 700e-6).abs() < 1e-7, "{pulse:?}");
        // Before the first edge and behind the last nothing is known.
        assert_eq!(around(&crossings, -1.999e-3), None);
        assert_eq!(around(&crossings, 1.9e-3), None);
        assert_eq!(of_line(&Picture::of_samples(1, &[(Source::A, &|_| 1.0)]).lines[0]), []);
    }
}
