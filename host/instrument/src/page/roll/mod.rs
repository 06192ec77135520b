//! A slow time base: samples are shown as they come, the newest at the right edge, by a stream of the device.

mod column;
mod screen;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scopething::timer::{self, Instant};
use scopething_core::plan::{StreamRequest, TriggerMode};
use serde::Serialize;

use self::screen::Roll;
use super::acquire::{Listing, Shared, Status, end_single, publish};
use super::panel::{Controls, HORIZONTAL_DIVISIONS, Run};
use crate::settings::Settings;
use crate::stream::StreamPart;

/// The shortest division that rolls, in seconds.
pub(crate) const MIN_SECONDS: f64 = 0.1;
/// Columns over the screen: more than most screens have pixels, so that there is something to zoom into.
const COLUMNS: f64 = 6000.0;
/// The part of what the link carries for sure that faster streams than the slowest take.
const LINK_PART: f64 = 0.5;
/// Bytes of the largest frame.
const FRAME_BYTES: f64 = 5.0;
/// How often what there is by now becomes a trace, for those who want whole traces, and for measurements.
const TRACE_INTERVAL: Duration = Duration::from_millis(200);

/// Whether and how slow time bases roll.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rolling {
    /// Those of 100 ms a division and more, in trigger mode auto.
    #[default]
    Auto,
    /// None: slow traces are captured as fast ones are.
    Off,
}

/// Whether settings make the page roll.
pub(crate) fn is_rolling(settings: &Settings, controls: &Controls) -> bool {
    let is_slow = settings.span_s >= MIN_SECONDS * HORIZONTAL_DIVISIONS * (1.0 - 1e-9);
    controls.rolling == Rolling::Auto && is_slow && settings.trigger_mode == TriggerMode::Auto
}

/// The stream that shows what is set.
pub(crate) fn request(settings: &Settings, bytes_per_second: u32) -> StreamRequest {
    let capture = settings.request();
    let slowest_hz = 2442.0;
    let fastest_hz = (f64::from(bytes_per_second) * LINK_PART / FRAME_BYTES).max(slowest_hz);
    let rate_hz = (COLUMNS / settings.span_s).min(fastest_hz);
    StreamRequest { low: capture.low, high: capture.high, ..StreamRequest::new(capture.channels, rate_hz) }
}

/// The present roll, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Rolls {
    present: Mutex<Option<Arc<Mutex<Roll>>>>,
}

/// Up to where a client has seen which roll.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    roll: u64,
    next: u64,
}

impl Rolls {
    fn set(&self, roll: Option<Arc<Mutex<Roll>>>) {
        // What panics leaves it as it is.
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = roll;
    }

    fn present(&self) -> Option<Arc<Mutex<Roll>>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn is_rolling(&self) -> bool {
        self.present().is_some()
    }

    /// What a client has not seen, if that is anything.
    pub(crate) fn piece(&self, seen: &mut Seen) -> Option<Vec<u8>> {
        let present = self.present()?;
        let roll = present.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.roll != roll.id {
            *seen = Seen { roll: roll.id, next: 0 };
        }
        roll.piece(&mut seen.next)
    }
}

/// How a roll ended.
pub(crate) enum RollEnd {
    /// Settings changed, it was stopped or begun anew, or nobody looks any longer.
    Withdrawn,
    /// One screen was wanted, or what there is of it by now, and is there.
    Full,
    /// The device does not stream: these settings are captured as others are.
    Unable(String),
}

/// Rolls with the present settings for as long as they hold, and somebody looks.
pub(crate) async fn roll(shared: &Arc<Shared>, id: u64, seq: &mut u64) -> RollEnd {
    let mut state = shared.handle.state.subscribe();
    let mut controls = shared.controls.subscribe();
    let mut clients = shared.clients.subscribe();
    let now = state.borrow_and_update().clone();
    let set = controls.borrow_and_update().clone();
    let request = request(&now.settings, shared.handle.bytes_per_second);
    let plan = match shared.handle.plan_stream(&request) {
        Ok(plan) => plan,
        Err(error) => return RollEnd::Unable(error.to_string()),
    };
    let roll = Arc::new(Mutex::new(Roll::new(id, plan, &now.settings, &set, now.changes + set.changes)));
    shared.rolls.set(Some(Arc::clone(&roll)));
    shared.status.send_replace(Status::Rolling);
    let mut pending = None;
    let mut due = Instant::now() + TRACE_INTERVAL;
    let mut forces = shared.controls.subscribe();
    let (mut forced, mut is_forced) = (set.forced, false);
    let end = loop {
        let streaming = match &mut pending {
            Some(streaming) => streaming,
            none => none.insert(shared.handle.stream(request, taker(shared, &roll)).await),
        };
        let is_over = async {
            let others =
                controls.wait_for(|controls| controls.run != set.run || controls.changes != set.changes);
            tokio::select! {
                _ = state.wait_for(|state| state.changes != now.changes || state.driven != now.driven) => {}
                _ = clients.wait_for(|clients| *clients == 0) => {}
                _ = others => {}
            }
        };
        let is_forced_again = async { drop(forces.wait_for(|controls| controls.forced != forced).await) };
        tokio::select! {
            ended = streaming.ended() => match ended {
                _ if shared.handle.lost.borrow().is_some() => break RollEnd::Withdrawn,
                Err(reason) if locked(&roll).received == 0 => break RollEnd::Unable(reason),
                // A device that has streamed can: what failed is a gap.
                Err(_) | Ok(()) => pending = None,
            },
            () = is_over => break RollEnd::Withdrawn,
            () = is_forced_again => {
                // What there is is shown at once, or as soon as there is enough of it.
                (forced, due) = (shared.controls.borrow().forced, Instant::now());
                is_forced = true;
            }
            () = timer::sleep_until(due) => {
                due = Instant::now() + TRACE_INTERVAL;
                if set.run == Run::Single && locked(&roll).is_enough(is_forced) {
                    break RollEnd::Full;
                }
                show(shared, &roll, seq);
            }
        }
    };
    // The device is free before the traces are made.
    drop(pending);
    shared.rolls.set(None);
    keep(shared, &locked(&roll), &end, seq);
    if matches!(end, RollEnd::Full) {
        end_single(shared);
    }
    end
}

fn locked(roll: &Mutex<Roll>) -> std::sync::MutexGuard<'_, Roll> {
    roll.lock().unwrap_or_else(PoisonError::into_inner)
}

fn taker(shared: &Arc<Shared>, roll: &Arc<Mutex<Roll>>) -> impl FnMut(StreamPart<'_>) + Send + 'static {
    let (roll, rolled) = (Arc::clone(roll), Arc::clone(&shared.rolled));
    move |part| {
        let mut roll = locked(&roll);
        match part {
            StreamPart::Began => roll.resume(Instant::now()),
            StreamPart::Frames(chunk) => roll.push(chunk),
        }
        drop(roll);
        rolled.send_modify(|pieces| *pieces += 1);
    }
}

/// Makes a trace of what came since the last gap.
fn show(shared: &Shared, roll: &Mutex<Roll>, seq: &mut u64) {
    let mut roll = locked(roll);
    let last = roll.stretches().first().copied();
    let Some(acquired) = last.and_then(|stretch| roll.trace(stretch, *seq + 1)) else { return };
    *seq += 1;
    roll.seq = *seq;
    drop(roll);
    publish(shared, acquired, Listing::Unlisted);
}

/// Keeps what is on the screen: each stretch between gaps is a trace of its own, since a trace has a sample at any time.
fn keep(shared: &Shared, roll: &Roll, end: &RollEnd, seq: &mut u64) {
    // What is left behind by a knob that is turned must not push out of the list what was wanted.
    let is_wanted = matches!(end, RollEnd::Full)
        || shared.controls.borrow().run == Run::Stop
        || shared.handle.lost.borrow().is_some();
    for (age, stretch) in roll.kept_stretches().into_iter().enumerate().rev() {
        let listing = match age {
            _ if is_wanted => Listing::Listed,
            0 => Listing::NowAndThen,
            _ => Listing::Unlisted,
        };
        if let Some(acquired) = roll.trace(stretch, *seq + 1) {
            *seq += 1;
            publish(shared, acquired, listing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::screen::tests::{push, roll};
    use super::*;
    use crate::handle::TriggerTimeout;
    use crate::page::acquire::{CountedClient, Ended, acquire};
    use crate::{Instrument, Opened};
    use scopething_core::device::BS05;

    #[test]
    fn slow_time_bases_roll_in_mode_auto_alone() {
        let mut settings = Settings::default();
        let mut controls = Controls::default();
        for (division_s, mode, rolling, expected) in [
            (0.1, TriggerMode::Auto, Rolling::Auto, true),
            (0.05, TriggerMode::Auto, Rolling::Auto, false),
            (100.0, TriggerMode::Auto, Rolling::Auto, true),
            (0.1, TriggerMode::Normal, Rolling::Auto, false),
            (0.1, TriggerMode::Auto, Rolling::Off, false),
        ] {
            settings.set_span(division_s * HORIZONTAL_DIVISIONS);
            (settings.trigger_mode, controls.rolling) = (mode, rolling);
            assert_eq!(is_rolling(&settings, &controls), expected, "{division_s} {mode} {rolling:?}");
            let request = request(&settings, 40_000);
            assert!(request.rate_hz * settings.span_s <= COLUMNS * 1.0001, "{}", request.rate_hz);
        }
    }

    #[tokio::test]
    async fn another_client_has_its_capture_while_it_rolls() {
        let url = "sim:?A=sine,100Hz,-2..2V&clock=fast".parse().unwrap();
        let link = scopething::link::open(&url).await.unwrap();
        let Opened { instrument, handle, .. } = Instrument::open(link, BS05.analog).await.unwrap();
        handle.set("test", |settings| settings.set_span(1.2));
        let shared = Shared::new(handle.clone());
        let _client = CountedClient::new(&shared);
        let test = async {
            let mut rolled = shared.rolled.subscribe();
            rolled.wait_for(|pieces| *pieces > 10).await.unwrap();
            assert_eq!(*shared.status.borrow(), Status::Rolling);
            let mut pending = handle.capture(TriggerTimeout::AtMost(Duration::ZERO)).await.unwrap();
            let capture = pending.ready().await.unwrap();
            assert!(capture.waveform.details().mode.as_deref() != Some("stream"));
            let pieces = *rolled.borrow_and_update();
            rolled.wait_for(|now| *now > pieces + 10).await.unwrap();
            {
                let present = shared.rolls.present().unwrap();
                let roll = locked(&present);
                assert!(roll.id == 1 && roll.gaps >= 1, "roll {} with {} gaps", roll.id, roll.gaps);
            }
            // What there was is kept when it stops.
            shared.set_controls(|controls| controls.run = Run::Stop);
            let mut status = shared.status.subscribe();
            status.wait_for(|status| *status == Status::Stopped).await.unwrap();
            let last = shared.latest.borrow().clone().unwrap();
            assert_eq!((last.about.ended, last.about.roll), (Ended::Roll, Some(1)));
            let volts = &last.capture.analog[0].as_ref().unwrap().volts;
            let highest = volts.iter().copied().fold(f32::MIN, f32::max);
            assert!((highest - 2.0).abs() < 0.1, "{highest}");
        };
        tokio::select! {
            failed = Box::pin(instrument.run()) => panic!("{failed:?}"),
            never = Box::pin(acquire(Arc::clone(&shared))) => match never {},
            () = Box::pin(test) => {}
        }
    }

    /// What acquires, by a simulated device whose time bases roll, while a test looks.
    async fn while_it_rolls(span_s: f64, faults: &str, run: Run, test: impl AsyncFnOnce(&Arc<Shared>)) {
        let url = format!("sim:?A=sine,100Hz,-2..2V&clock=fast{faults}").parse().unwrap();
        let link = scopething::link::open(&url).await.unwrap();
        let Opened { instrument, handle, .. } = Instrument::open(link, BS05.analog).await.unwrap();
        handle.set("test", |settings| settings.set_span(span_s));
        let shared = Shared::new(handle);
        shared.set_controls(|controls| controls.run = run);
        let _client = CountedClient::new(&shared);
        tokio::select! {
            failed = Box::pin(instrument.run()) => panic!("{failed:?}"),
            never = Box::pin(acquire(Arc::clone(&shared))) => match never {},
            done = Box::pin(timer::timeout(Duration::from_secs(50), test(&shared))) => done.unwrap(),
        }
    }

    #[tokio::test]
    async fn a_stream_that_fails_leaves_a_gap() {
        while_it_rolls(10.0, "&faults=short@100000", Run::Continuous, async |shared| {
            let mut rolled = shared.rolled.subscribe();
            loop {
                rolled.changed().await.unwrap();
                let present = shared.rolls.present().unwrap();
                let roll = locked(&present);
                assert_eq!(roll.id, 1);
                if roll.base > 0 && roll.next > roll.base + 1000 {
                    // The simulated time of its samples may be ahead of the clock, so that none need be missing.
                    assert!(roll.gaps >= 1);
                    break;
                }
            }
            assert_eq!(*shared.not_rolling.borrow(), None);
        })
        .await;
    }

    #[tokio::test]
    async fn a_single_trace_that_is_forced_is_what_there_is() {
        let span_s = 2000.0;
        while_it_rolls(span_s, "", Run::Single, async |shared| {
            let mut rolled = shared.rolled.subscribe();
            rolled.wait_for(|pieces| *pieces > 0).await.unwrap();
            shared.set_controls(|controls| controls.forced += 1);
            let mut status = shared.status.subscribe();
            status.wait_for(|status| *status == Status::Stopped).await.unwrap();
            assert_eq!(shared.controls.borrow().run, Run::Stop);
            let last = shared.latest.borrow().clone().unwrap();
            assert_eq!((last.about.ended, last.about.roll), (Ended::Roll, Some(1)));
            assert!(last.about.duration < 0.9 * span_s, "{} s", last.about.duration);
        })
        .await;
    }

    #[tokio::test]
    async fn what_a_knob_ends_is_not_listed_with_all_its_stretches() {
        let link = scopething::link::open(&"sim:".parse().unwrap()).await.unwrap();
        let Opened { instrument: _instrument, handle, .. } =
            Instrument::open(link, BS05.analog).await.unwrap();
        let shared = Shared::new(handle);
        shared.set_controls(|controls| controls.run = Run::Continuous);
        let mut roll = roll();
        roll.capacity = 100;
        roll.resume(Instant::now());
        for first in [0, 250, 500] {
            push(&mut roll, first, 200, (first > 0).then_some(50));
        }
        let mut seq = 0;
        let mut listed_by = |end| {
            keep(&shared, &roll, &end, &mut seq);
            (seq, shared.history().list().map(|listed| listed.seq).collect::<Vec<_>>())
        };
        assert_eq!(listed_by(RollEnd::Withdrawn), (3, vec![3]));
        assert_eq!(listed_by(RollEnd::Full), (6, vec![6, 5, 4, 3]));
        shared.set_controls(|controls| controls.run = Run::Stop);
        assert_eq!(listed_by(RollEnd::Withdrawn), (9, vec![9, 8, 7, 6, 5, 4, 3]));
    }
}
