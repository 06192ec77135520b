//! Whether the clock of the host agrees with the frames of a stream that have been counted.
//!
//! The device numbers its frames modulo 256 ([section 8 of the reference](crate::vm#8-streaming)), so a loss of 256 frames, or of 300, looks in their
//! numbers like one of none, or of 44. The clock distinguishes them: frames are sampled at a known pace, none can arrive
//! before it was sampled, and after a loss that was not counted all of them seem to arrive 256 periods too late, for
//! ever.
//!
//! The lag of a frame is the time from when it should have been sampled, by its number, to when it was received. It is the
//! constant latency of the link and whatever delayed the frame. A frame whose lag is less than 160 periods above the smallest
//! one is counted right. A greater lag has one of two causes: frames that waited somewhere on their way, whose lag
//! shrinks as the host catches up, or a loss, after which the lag stays. Which of them it is shows only then, and so the
//! frames of that time are in doubt. A link that becomes slower by just so much, and stays so, looks like a loss; once it is
//! as fast as before frames arrive before they were sampled, which shows the mistake.
//!
//! There is a third cause, where the link carries fewer frames than the device samples: the buffer of the device is always full,
//! and all frames are late by the time in it. Such a stream has gaps all the time; how many frames are missing in the doubt
//! is not known then.

use crate::time::{Instant, Micros};

/// After how many frames their numbers repeat.
const SEQUENCE_FRAMES: f64 = 256.0;
/// The lag that leaves no doubt, in periods above the smallest. A loss that was not counted adds 256: the rest is for the lag's
/// not having been at its smallest for some time. A full buffer of a device whose link carries half of the frames adds 128.
const MAX_CERTAIN: f64 = 160.0;
/// How far from a whole multiple of 256 periods the lag may be for the multiple to be known.
const MAX_RESIDUAL: f64 = SEQUENCE_FRAMES / 4.0;
/// How much the smallest lag may differ from one window to the next when the host has caught up.
const MAX_UNSTEADY: f64 = SEQUENCE_FRAMES / 8.0;
/// How much it may shrink from one window to the next when frames are missing.
const MAX_SHRINKAGE: f64 = 4.0;
/// How far the pace of the device may be off the nominal one by the host's clock: two crystals of the cheapest kind, and
/// what either drifts with its temperature.
const MAX_DEVIATION: f64 = 500e-6;
/// How fast the smallest lag is given up when all are greater: twice what two such crystals need.
const FORGOTTEN: f64 = 2.0 * MAX_DEVIATION;
/// How much later than the answer to the script the first frames may come: a serial adapter hands bytes over every 16 ms if
/// nobody has set it to less.
const MAX_START_LAG_US: f64 = 50e3;
/// How long the lag is watched for whether it stays: several hand-overs of a serial adapter.
const WINDOW: Micros = Micros::from_millis(100);
/// More gaps than these in a window show a link that does not carry all frames.
const MAX_JUMPS: u32 = 4;
/// After how many windows in which the lag neither shrinks nor is steady it is taken as it is.
const MAX_FUTILE: u8 = 10;

/// What is to be made of the frames just received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountState {
    /// They, and those that were in doubt, are counted right.
    Certain,
    /// More frames may be missing before them than their numbers show.
    Doubtful,
    /// So many more are missing before them, in the time of the doubt. If they are not known it is an estimate.
    Missing { frames: u64, is_known: bool },
}

#[derive(Debug)]
pub(super) struct Pace {
    period_us: f64,
    /// Just before the device was asked for the stream: no frame was sampled earlier.
    asked: Instant,
    /// How long after that it had answered.
    answered_us: f64,
    /// The smallest lag, in microseconds; none before the first frames.
    least_us: Option<f64>,
    /// The number of the frame after the last that is counted right, and when it was received.
    certain: (u64, Instant),
    doubt: Option<Doubt>,
    /// Whether frames were taken for missing that their numbers do not show.
    has_added: bool,
}

/// A time in which the lag is too great.
#[derive(Debug)]
struct Doubt {
    window: Window,
    /// The smallest excess of the window before.
    previous: Option<f64>,
    futile: u8,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    /// How much of it was spent waiting for bytes: a host that has not caught up does not wait.
    waited: Micros,
    /// The smallest excess of the lag, in periods.
    excess: f64,
    /// Gaps that the numbers of the frames show.
    jumps: u32,
}

impl Window {
    fn new(since: Instant) -> Self {
        Self { since, waited: Micros(0), excess: f64::INFINITY, jumps: 0 }
    }
}

impl Pace {
    pub(super) fn new(frame_rate_hz: f64, asked: Instant, answered: Instant) -> Self {
        Self {
            period_us: 1e6 / frame_rate_hz,
            asked,
            answered_us: (answered - asked).0 as f64,
            least_us: None,
            certain: (0, answered),
            doubt: None,
            has_added: false,
        }
    }

    pub(super) fn is_doubtful(&self) -> bool {
        self.doubt.is_some()
    }

    /// Takes note that bytes were received at `now`, after waiting for them for so long, whose last frame is the one before
    /// `end`, and among whose frames are so many gaps.
    pub(super) fn judge(&mut self, now: Instant, waited: Micros, end: u64, jumps: u32) -> CountState {
        let lag_us = (now - self.asked).0 as f64 - end as f64 * self.period_us;
        let is_first = self.least_us.is_none();
        let least_us = self.least_us.unwrap_or(self.answered_us);
        let excess = (lag_us - least_us) / self.period_us;
        if self.has_added && excess <= -MAX_CERTAIN {
            // Earlier than it was sampled: what was taken for a loss was a delay, such as that of another route.
            (self.least_us, self.certain, self.doubt, self.has_added) =
                (Some(lag_us), (end, now), None, false);
            return CountState::Missing { frames: 0, is_known: false };
        }
        let is_in_time = is_first && self.doubt.is_none() && lag_us - least_us < MAX_START_LAG_US;
        if excess < MAX_CERTAIN || is_in_time {
            let frames = end.saturating_sub(self.certain.0) as f64;
            let forgotten_us = least_us + FORGOTTEN * self.period_us * frames;
            self.least_us = Some(if is_first { lag_us } else { lag_us.min(forgotten_us) });
            self.certain = (end, now);
            self.doubt = None;
            return CountState::Certain;
        }
        let doubt = self.doubt.get_or_insert(Doubt { window: Window::new(now), previous: None, futile: 0 });
        let window = &mut doubt.window;
        window.excess = window.excess.min(excess);
        window.waited = window.waited + waited;
        window.jumps = window.jumps.saturating_add(jumps);
        let span = now - window.since;
        if span < WINDOW {
            return CountState::Doubtful;
        }
        let (excess, is_live) = (window.excess, 2 * window.waited.0 >= span.0);
        let is_overrun = window.jumps > MAX_JUMPS;
        let shrunk = doubt.previous.map_or(f64::INFINITY, |previous| previous - excess);
        doubt.previous = Some(excess);
        doubt.window = Window::new(now);
        if is_live && libm::fabs(shrunk) < MAX_UNSTEADY {
            // A lag that shrinks slowly may be that of a link which has little to spare.
            return self.missing(excess, is_overrun, is_first || shrunk > MAX_SHRINKAGE, end, now);
        }
        doubt.futile = if shrunk > MAX_UNSTEADY { 0 } else { doubt.futile + 1 };
        if doubt.futile < MAX_FUTILE {
            return CountState::Doubtful;
        }
        self.missing(excess, is_overrun, true, end, now)
    }

    /// The lag stays: ends the doubt.
    fn missing(
        &mut self,
        excess: f64,
        is_overrun: bool,
        is_guess: bool,
        end: u64,
        now: Instant,
    ) -> CountState {
        let multiple = if is_overrun { 0.0 } else { multiple(excess) };
        let residual = excess - multiple;
        let deviation = (now - self.certain.1).0 as f64 * MAX_DEVIATION / self.period_us;
        let is_known =
            !is_guess && !is_overrun && libm::fabs(residual) <= MAX_RESIDUAL && deviation <= MAX_RESIDUAL;
        let least_us = self.least_us.unwrap_or(self.answered_us);
        if !is_known {
            // From here on the lag is what it is now.
            self.least_us = Some(least_us + residual * self.period_us);
        }
        let frames = multiple as u64;
        self.has_added |= frames > 0;
        self.certain = (end + frames, now);
        self.doubt = None;
        CountState::Missing { frames, is_known }
    }

    /// Gives the doubt up: at least so many frames are taken as missing.
    pub(super) fn give_up(&mut self) -> u64 {
        let Some(doubt) = self.doubt.take() else { return 0 };
        let excess = doubt.previous.unwrap_or(SEQUENCE_FRAMES).min(doubt.window.excess);
        multiple(excess) as u64
    }
}

/// The multiple of 256 periods that is nearest, at least one.
fn multiple(excess: f64) -> f64 {
    libm::rint(excess / SEQUENCE_FRAMES).max(1.0) * SEQUENCE_FRAMES
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const PERIOD_US: u64 = 100;

    /// A stream whose device was asked at 0 and answered at 1 ms, and whose frames are received 2 ms after they were sampled.
    struct Reception {
        pace: Pace,
        now_us: u64,
        counted: u64,
        /// Gaps in each piece.
        jumps: u32,
    }

    impl Reception {
        fn new() -> Self {
            Self { pace: Pace::new(1e4, Instant(0), Instant(1000)), now_us: 2000, counted: 0, jumps: 0 }
        }

        /// Receives what comes within a time, 80 frames at once, as it comes.
        fn live(&mut self, span_ms: u64) -> Vec<CountState> {
            let end = self.now_us + 1000 * span_ms;
            let mut states = Vec::new();
            while self.now_us < end {
                self.now_us += 80 * PERIOD_US;
                self.counted += 80;
                states.push(self.judge(80 * PERIOD_US));
            }
            states
        }

        fn judge(&mut self, waited_us: u64) -> CountState {
            let state = self.pace.judge(Instant(self.now_us), Micros(waited_us), self.counted, self.jumps);
            if let CountState::Missing { frames, .. } = state {
                self.counted += frames;
            }
            state
        }
    }

    fn known(states: &[CountState]) -> Vec<(u64, bool)> {
        let missing = states.iter().filter_map(|state| match state {
            CountState::Missing { frames, is_known } => Some((*frames, *is_known)),
            _ => None,
        });
        missing.collect()
    }

    #[test]
    fn loss_of_a_multiple_of_256_is_seen() {
        for multiple in [1, 2, 39, 300] {
            let mut reception = Reception::new();
            assert!(reception.live(1000).iter().all(|state| *state == CountState::Certain));
            reception.now_us += multiple * 256 * PERIOD_US;
            let states = reception.live(1000);
            assert_eq!(states[0], CountState::Doubtful);
            assert_eq!(known(&states), [(multiple * 256, true)]);
            assert_eq!(states.last(), Some(&CountState::Certain));
        }
    }

    #[test]
    fn late_frames_are_not_lost() {
        let mut reception = Reception::new();
        reception.live(1000);
        // The host stands still for 2 s, and takes what has waited, 80 frames a millisecond.
        reception.now_us += 2_000_000;
        let mut states = Vec::new();
        while reception.counted * PERIOD_US + 10_000 < reception.now_us {
            reception.now_us += 1000;
            reception.counted += 80;
            states.push(reception.judge(0));
        }
        states.extend(reception.live(1000));
        assert!(states.contains(&CountState::Doubtful));
        assert_eq!(known(&states), []);
        assert_eq!(states.last(), Some(&CountState::Certain));
    }

    #[test]
    fn passing_delay_is_no_loss() {
        let mut reception = Reception::new();
        reception.live(1000);
        reception.now_us += 25_600;
        assert_eq!(known(&reception.live(1000)), [(256, true)]);
        reception.now_us -= 25_600;
        let states = reception.live(1000);
        assert_eq!(known(&states), [(0, false)]);
        assert_eq!(states.last(), Some(&CountState::Certain));
    }

    #[test]
    fn slow_catching_up_is_no_known_loss() {
        let mut reception = Reception::new();
        reception.live(1000);
        // The host waits for bytes all the time, of a link that carries 2.5 % more than is sampled.
        reception.now_us += 25_000;
        let mut states = Vec::new();
        for _ in 0..200 {
            reception.now_us += 7800;
            reception.counted += 80;
            states.push(reception.judge(7800));
        }
        assert!(states.contains(&CountState::Doubtful));
        assert!(known(&states).iter().all(|(_, is_known)| !is_known), "{states:?}");
    }

    #[test]
    fn loss_in_a_long_stop_is_an_estimate() {
        let mut reception = Reception::new();
        reception.live(1000);
        // Within 100 s two crystals may part by more than the 6.4 ms of 64 frames.
        reception.now_us += 100_000_000 / 25_600 * 25_600;
        assert_eq!(known(&reception.live(1000)), [(3906 * 256, false)]);
    }

    #[test]
    fn full_buffer_is_no_known_loss() {
        let mut reception = Reception::new();
        reception.live(1000);
        // The link takes so much longer that all frames come 400 periods late, and misses some of each piece.
        reception.now_us += 400 * PERIOD_US;
        reception.jumps = 10;
        let states = reception.live(1000);
        assert_eq!(known(&states), [(0, false)]);
        assert_eq!(states.last(), Some(&CountState::Certain));
    }

    #[test]
    fn pace_that_is_off_is_no_loss() {
        for deviation in [-900e-6, -100e-6, 100e-6, 900e-6] {
            let mut pace = Pace::new(1e4, Instant(0), Instant(1000));
            for chunk in 1_u64..100_000 {
                let sampled_us = chunk as f64 * 80.0 * PERIOD_US as f64 * (1.0 + deviation);
                // Some are late by up to 5 ms.
                let now = Instant(sampled_us as u64 + 2000 + chunk * 977 % 5000);
                assert_eq!(
                    pace.judge(now, Micros(0), chunk * 80, 0),
                    CountState::Certain,
                    "{deviation} {chunk}"
                );
            }
        }
    }

    #[test]
    fn stop_at_the_start_is_an_estimate() {
        let mut reception = Reception::new();
        reception.now_us += 512 * PERIOD_US;
        let states = reception.live(500);
        assert_eq!(known(&states), [(512, false)]);
        assert_eq!(states.last(), Some(&CountState::Certain));
    }
}
