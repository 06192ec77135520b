//! When traces were captured: the device's ticks against the computer's clock.
//!
//! The device counts ticks of its crystal, evenly; its answers arrive later, by a delay that varies. So the moment
//! of a trace is that of its ticks, on a line through the earliest arrivals: its slope is the drift between the clocks.

use scopething_core::time::{Instant, Micros};

use scopething_waveform::moment::UnixMicros;

/// The most points that a line is laid through; when there are more, pairs become one.
const MAX_POINTS: usize = 32;
/// Drift is reported once the points span this much.
const MIN_SPAN_S: f64 = 10.0;
/// A clock that moves by more than this between traces was set. Adjustments by a time server are far slower.
const STEP_S: f64 = 0.5;

/// An arrival: of those in a stretch of device time, the one with the least delay.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Seconds of device time since the first arrival.
    device_s: f64,
    /// By how much more the host's clock has advanced since.
    ahead_s: f64,
}

/// The relation of the clocks while a device is connected.
#[derive(Debug, Default)]
pub(crate) struct Timestamps {
    first: Option<(f64, Instant)>,
    points: Vec<Point>,
    /// How much device time a point stands for.
    stretch_s: f64,
    /// The computer's clock less the one that never steps, in microseconds.
    wall_less_now: Option<i64>,
}

/// When a trace was captured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stamped {
    /// By the computer's clock.
    pub(crate) clock: UnixMicros,
    /// By how many seconds the computer's clock was set since the trace before, if it was.
    pub(crate) set_by_s: Option<f64>,
}

impl Timestamps {
    /// The device's time restarts: it was connected again.
    pub(crate) fn restart(&mut self) {
        self.first = None;
        self.points.clear();
    }

    /// The moment of a trace that started and ended at these seconds of device time, and has just arrived: `now` and
    /// `wall` are of the same moment.
    pub(crate) fn stamp(&mut self, start_s: f64, end_s: f64, now: Instant, wall: UnixMicros) -> Stamped {
        let (first_s, first_now) = *self.first.get_or_insert((end_s, now));
        let device_s = end_s - first_s;
        self.add(Point { device_s, ahead_s: (now - first_now).seconds() - device_s });
        let started_s = start_s - first_s;
        let slope = self.slope().unwrap_or(0.0);
        let least = self.points.iter().map(|point| point.ahead_s - slope * point.device_s);
        let ahead_s = least.fold(f64::INFINITY, f64::min) + slope * started_s;
        let ago_s = Micros((now - first_now).0).seconds() - (started_s + ahead_s);
        let wall_less_now = wall.0.saturating_sub_unsigned(now.0);
        let before = self.wall_less_now.replace(wall_less_now);
        let set_by_s = before.map(|before| wall_less_now.saturating_sub(before) as f64 * 1e-6);
        Stamped { clock: wall.plus_seconds(-ago_s), set_by_s: set_by_s.filter(|by_s| by_s.abs() > STEP_S) }
    }

    /// How fast the device's clock runs against the computer's, in parts per million; `None` before it is known.
    #[must_use]
    pub(crate) fn drift_ppm(&self) -> Option<f64> {
        Some(-self.slope()? * 1e6)
    }

    fn add(&mut self, point: Point) {
        match self.points.last_mut() {
            // The first stretch has no length, so that the second arrival begins one.
            Some(last) if point.device_s - last.device_s < self.stretch_s => {
                if point.ahead_s < last.ahead_s {
                    *last = point;
                }
            }
            _ => self.points.push(point),
        }
        if self.points.len() > MAX_POINTS {
            let pairs = self.points.chunks(2);
            self.points = pairs
                .filter_map(|pair| pair.iter().copied().min_by(|a, b| a.ahead_s.total_cmp(&b.ahead_s)))
                .collect();
            self.stretch_s = self.points.last().map_or(0.0, |last| 2.0 * last.device_s / MAX_POINTS as f64);
        }
    }

    /// Seconds that the host's clock gains in a second of device time, by least squares.
    fn slope(&self) -> Option<f64> {
        let (first, last) = (self.points.first()?, self.points.last()?);
        if self.points.len() < 3 || last.device_s - first.device_s < MIN_SPAN_S {
            return None;
        }
        let count = self.points.len() as f64;
        let mean_x = self.points.iter().map(|point| point.device_s).sum::<f64>() / count;
        let mean_y = self.points.iter().map(|point| point.ahead_s).sum::<f64>() / count;
        let (mut products, mut squares) = (0.0, 0.0);
        for point in &self.points {
            products += (point.device_s - mean_x) * (point.ahead_s - mean_y);
            squares += (point.device_s - mean_x).powi(2);
        }
        Some(products / squares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: UnixMicros = UnixMicros(1_795_392_000_000_000);

    /// Delays of 1 to 9 ms that a generator of numbers gives (Knuth's MMIX constants).
    fn delays() -> impl Iterator<Item = f64> {
        let mut state = 1_u64;
        std::iter::from_fn(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Some(1e-3 + (state >> 40) as f64 / (1_u64 << 24) as f64 * 8e-3)
        })
    }

    fn at(seconds: f64) -> (Instant, UnixMicros) {
        (Instant((seconds * 1e6).round() as u64), WALL.plus_seconds(seconds))
    }

    #[test]
    fn drift_is_found_through_delays_that_vary() {
        for drift_ppm in [-80.0, 0.0, 40.0] {
            let mut timestamps = Timestamps::default();
            assert_eq!(timestamps.drift_ppm(), None);
            for (second, delay_s) in (0..20_000).zip(delays()) {
                let true_s = f64::from(second);
                let device_s = 700.0 + true_s * (1.0 + drift_ppm * 1e-6);
                let (now, wall) = at(true_s + delay_s);
                let stamped = timestamps.stamp(device_s - 0.01, device_s, now, wall);
                assert_eq!(stamped.set_by_s, None);
                if second > 1000 {
                    let off_s = stamped.clock.seconds_since(WALL) - (true_s - 0.01);
                    // The least delay is not known from within; the rest must not show.
                    assert!((0.0..3e-3).contains(&off_s), "{drift_ppm} ppm at {second} s: off by {off_s} s");
                }
            }
            let found = timestamps.drift_ppm().unwrap();
            assert!((found - drift_ppm).abs() < 1.0, "{found} for {drift_ppm} ppm");
            assert!(timestamps.points.len() <= MAX_POINTS);
        }
    }

    #[test]
    fn clock_step_is_reported_once() {
        let mut timestamps = Timestamps::default();
        let set = |second: f64| if second < 5.0 { 0.0 } else { -3600.0 };
        let mut reported = Vec::new();
        for second in 0..10 {
            let second = f64::from(second);
            let (now, wall) = at(second);
            let stamped = timestamps.stamp(second, second, now, wall.plus_seconds(set(second)));
            assert_eq!(stamped.clock, wall.plus_seconds(set(second)));
            reported.extend(stamped.set_by_s.map(|by_s| (second, by_s)));
        }
        assert_eq!(reported, [(5.0, -3600.0)]);
    }

    #[test]
    fn device_time_restart_is_no_drift() {
        let mut timestamps = Timestamps::default();
        let (now, wall) = at(1000.0);
        timestamps.stamp(50.0, 50.0, now, wall);
        timestamps.restart();
        let (now, wall) = at(1060.0);
        let stamped = timestamps.stamp(1.0, 1.5, now, wall);
        assert_eq!(stamped, Stamped { clock: wall.plus_seconds(-0.5), set_by_s: None });
    }
}
