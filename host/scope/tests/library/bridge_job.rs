//! The bridge by itself and with a computer, on simulated time.

use crate::bridge_support::{Noise, Running, SECTORS, job, log_bytes, request, run, run_on};
use scopething::bridge::{BridgeError, recording};
use scopething_bridge::control::Press;
use scopething_bridge::fake::FakeFlash;
use scopething_core::analysis::{Band, Measure, Measured};
use scopething_core::device::BS05;
use scopething_core::link::bridge::{
    Bands, Fault, Job, JobState, Refusal, Repeat, ToFlash, TraceId, WhenFull,
};
use scopething_core::plan::{CaptureRequest, Channel};
use scopething_core::scope::Scope;
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::{EndReason, TraceBuffer};
use scopething_waveform::waveform::{Samples, Waveform};

const SINE: &str = "A=sine,1kHz,0..3V";

/// Everything that the bridge has stored.
async fn fetch_all(running: &Running<'_>) -> Vec<Waveform> {
    let mut client = running.client();
    let mut recordings = Vec::new();
    for record in client.records(TraceId::FIRST).await.unwrap() {
        let mut stored = Vec::new();
        client.fetch(&record, &mut stored, |_| {}).await.unwrap();
        recordings.push(recording(&record, &stored).unwrap());
    }
    recordings
}

/// Five periods of a sine, triggered in the middle.
fn triggered() -> CaptureRequest {
    CaptureRequest { period_s: 5e-3, low: Some(-1.0), high: Some(4.0), level: Some(1.5), ..request("A") }
}

/// What the sine of [`SINE`] is where channel A has risen through its middle `after_s` before.
fn sine(after_s: f64) -> f64 {
    1.5 + 1.5 * (after_s * 1e3 * std::f64::consts::TAU).sin()
}

/// The largest difference between the samples and the sine, timed from the trigger.
fn misfit(recording: &Waveform) -> f64 {
    let trigger_s = recording.details().trigger.as_ref().unwrap().time_s;
    let series = recording.analog().next().unwrap();
    let Samples::Volts(volts) = &series.samples else { panic!("volts") };
    let off =
        |(index, &volts): (usize, &f32)| (f64::from(volts) - sine(series.timestamp(index) - trigger_s)).abs();
    volts.iter().enumerate().map(off).fold(0.0, f64::max)
}

#[test]
fn five_triggered_traces_are_fetched_unchanged() {
    // A computer configures the bridge, then power goes.
    let flash = run(SINE, async |running| {
        let mut client = running.client();
        client.configure(&job(triggered(), Repeat::Times(5))).await.unwrap();
        client.arm().await.unwrap();
    });
    // By itself.
    let flash = run_on(flash, SINE, &Noise::None, async |running| {
        running.until(|bridge| bridge.state() == JobState::Finished).await;
        assert!(running.clock.now() < Instant(2_000_000), "{:?}", running.clock.now());
    });
    // Not armed by what it has done: another power-up captures again, so disarm first, then fetch.
    run_on(flash, SINE, &Noise::None, async |running| {
        let mut client = running.client();
        client.disarm().await.unwrap();
        let status = client.status().await.unwrap();
        assert_eq!((status.armed, status.firmware, status.restart.as_str()), (false, (1, 2, 3), "power-up"));
        let records = client.records(TraceId::FIRST).await.unwrap();
        assert!(records.len() >= 5);
        let recordings = fetch_all(running).await;
        let quantum = 5.0 / 65536.0;
        for (number, recording) in recordings.iter().enumerate().take(5) {
            assert_eq!(recording.details().cause, Some(EndReason::Trigger), "trace {number}");
            // The trigger fires up to a sample late: 5 us of a slope of 9.4 V/ms, and a step.
            let misfit = misfit(recording);
            assert!(misfit < 0.05 + quantum, "trace {number}: {misfit} V");
        }
        for pair in records.windows(2) {
            assert!(pair[0].end_ticks < pair[1].end_ticks && pair[0].ended_at < pair[1].ended_at);
        }
    });
}

#[test]
fn fetched_trace_equals_a_direct_capture() {
    let request = CaptureRequest { timeout_s: Some(0.0), ..triggered() };
    let direct = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let config = scopething_sim::SimConfig::from_query("clock=fast&A=dc,1.2V").unwrap();
        let link = scopething_sim::SimLink::new(&config);
        let (clock, profile) = (link.clock(), link.profile());
        runtime.block_on(async {
            let mut scope = Scope::connect(link, clock, profile).await.unwrap();
            let plan = scope.plan(&request).unwrap();
            let mut buffer = TraceBuffer::new();
            Waveform::of_trace(&scope.capture(&plan, &mut buffer).await.unwrap()).unwrap()
        })
    };
    run("A=dc,1.2V", async |running| {
        let mut client = running.client();
        client.configure(&job(request, Repeat::Times(1))).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Finished).await;
        let fetched = fetch_all(running).await;
        assert_eq!(fetched.len(), 1);
        assert_eq!(fetched[0].channels(), direct.channels());
        assert_eq!(fetched[0].details().warnings, direct.details().warnings);
    });
}

#[test]
fn device_time_goes_on_across_its_roll_over() {
    run(SINE, async |running| {
        let mut client = running.client();
        // The device's clock rolls over every 107 s.
        let spaced = Job { spacing: Micros::from_millis(70_000), ..job(triggered(), Repeat::Times(4)) };
        client.configure(&spaced).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Finished).await;
        let records = client.records(TraceId::FIRST).await.unwrap();
        assert_eq!(records.len(), 4);
        for pair in records.windows(2) {
            let ticks = pair[1].end_ticks - pair[0].end_ticks;
            let passed_us = (pair[1].ended_at - pair[0].ended_at).0;
            assert!((70_000_000..70_100_000).contains(&passed_us), "{passed_us}");
            // 40 ticks a microsecond; reading the trace out takes some milliseconds of it.
            let off_us = (ticks / 40).abs_diff(passed_us);
            assert!(off_us < 50_000, "{off_us} us");
        }
    });
}

#[test]
fn job_keeps_traces_in_memory_between_those_in_flash() {
    let flash = run(SINE, async |running| {
        let mut client = running.client();
        let sparing = Job {
            spacing: Micros::from_millis(1000),
            flash: ToFlash::Spaced(Micros::from_millis(9500)),
            ..job(triggered(), Repeat::Times(25))
        };
        client.configure(&sparing).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Finished).await;
        let store = client.status().await.unwrap().store;
        // Each tenth goes to flash; of the others the newest are in memory.
        assert_eq!(store.traces, 3);
        assert!(store.memory_traces > 3 && store.memory_used_bytes <= store.memory_bytes, "{store:?}");
        let listed = client.listed(TraceId::FIRST).await.unwrap();
        let in_flash: Vec<u32> =
            listed.iter().filter(|trace| !trace.is_in_memory).map(|trace| trace.record.id.0).collect();
        assert_eq!(in_flash, [1, 11, 21]);
        assert_eq!(listed.len() as u32, store.traces + store.memory_traces);
        assert!(listed.windows(2).all(|pair| pair[0].record.id < pair[1].record.id));
        assert_eq!(store.newest, Some(TraceId(25)));
        for recording in fetch_all(running).await {
            assert!(misfit(&recording) < 0.051);
        }
        // What is ordered goes to flash.
        client.capture_now().await.unwrap();
        running.pass(Micros::from_millis(500)).await;
        assert_eq!(client.status().await.unwrap().store.traces, 4);
        client.disarm().await.unwrap();
    });
    run_on(flash, SINE, &Noise::None, async |running| {
        let mut client = running.client();
        let ids: Vec<u32> =
            client.records(TraceId::FIRST).await.unwrap().iter().map(|record| record.id.0).collect();
        assert_eq!(ids, [1, 11, 21, 26]);
        client.capture_now().await.unwrap();
        running.pass(Micros::from_millis(500)).await;
        let newest = client.status().await.unwrap().store.newest.unwrap();
        assert!(newest > TraceId(26), "no number comes twice, also of those that are lost");
    });
}

#[test]
fn rare_trigger_that_comes_when_flash_is_due_goes_to_flash() {
    // It rises once in 5 s.
    run("A=square,0.2Hz,0..3V", async |running| {
        let mut client = running.client();
        let flash = ToFlash::Spaced(Micros::from_millis(1000));
        client.configure(&Job { flash, ..job(triggered(), Repeat::Times(2)) }).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Armed).await;
        running.pass(Micros::from_millis(1000)).await;
        // The second is armed while flash is not due, and its trigger comes when it is.
        running.bridge.press(Press::Short);
        running.until(|bridge| bridge.state() == JobState::Finished).await;
        let records = client.records(TraceId::FIRST).await.unwrap();
        let causes: Vec<_> = records.iter().map(|record| record.cause).collect();
        assert_eq!(causes, [EndReason::Cancel, EndReason::Trigger]);
        let store = client.status().await.unwrap().store;
        assert_eq!((store.traces, store.memory_traces), (2, 0));
    });
}

#[test]
fn ordered_trace_that_flash_has_no_room_for_is_kept_in_memory() {
    run("A=dc,1V", async |running| {
        let mut client = running.client();
        let flash = ToFlash::Spaced(Micros::from_millis(1_000_000));
        let one =
            Job { flash, keep: Some(1), when_full: WhenFull::Stop, ..job(triggered(), Repeat::Forever) };
        client.configure(&one).await.unwrap();
        client.arm().await.unwrap();
        for in_memory in 0..=1 {
            running.until(|bridge| bridge.state() == JobState::Armed).await;
            running.pass(Micros::from_millis(1000)).await;
            running.bridge.press(Press::Short);
            running.pass(Micros::from_millis(1000)).await;
            let store = client.status().await.unwrap().store;
            assert_eq!((store.traces, store.memory_traces), (1, in_memory));
        }
        assert_eq!(running.bridge.state(), JobState::Armed, "it waits for the next");
    });
}

#[test]
fn button_captures_now_and_disarms() {
    run("A=dc,1V", async |running| {
        let mut client = running.client();
        // Channel A never rises through 1.5 V.
        client.configure(&job(triggered(), Repeat::Forever)).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Armed).await;
        running.pass(Micros::from_millis(5000)).await;
        assert_eq!(client.status().await.unwrap().store.traces, 0);
        running.bridge.press(Press::Short);
        running.pass(Micros::from_millis(1000)).await;
        let records = client.records(TraceId::FIRST).await.unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].cause, EndReason::Cancel);
        assert_eq!(running.bridge.state(), JobState::Armed, "it waits for the next");
        running.bridge.press(Press::Long);
        running.until(|bridge| bridge.state() == JobState::Idle).await;
        // At the next power-up it is armed again.
        assert_eq!(running.bridge.store().await.job().await.unwrap().map(|stored| stored.armed), Some(true));
        // Disarmed, the button captures once without a trigger.
        running.bridge.press(Press::Short);
        running.pass(Micros::from_millis(1000)).await;
        let records = client.records(TraceId::FIRST).await.unwrap();
        assert_eq!((records.len(), records[1].cause), (2, EndReason::Timeout));
        assert_eq!(running.bridge.state(), JobState::Idle);
    });
}

#[test]
fn capture_now_runs_once_a_request() {
    run("A=dc,1V", async |running| {
        let mut client = running.client();
        for count in 1..=3 {
            client.capture_now().await.unwrap();
            running.pass(Micros::from_millis(500)).await;
            assert_eq!(client.status().await.unwrap().store.traces, count);
        }
        assert_eq!(client.status().await.unwrap().captures, 3);
    });
}

#[test]
fn full_store_stops_the_job() {
    run(SINE, async |running| {
        let mut client = running.client();
        let few = Job { keep: Some(3), when_full: WhenFull::Stop, ..job(triggered(), Repeat::Forever) };
        client.configure(&few).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Full).await;
        let store = client.status().await.unwrap().store;
        assert_eq!((store.oldest, store.newest), (Some(TraceId(1)), Some(TraceId(3))));
        client.erase(TraceId(2)).await.unwrap();
        running.pass(Micros::from_millis(500)).await;
        running.until(|bridge| bridge.state() == JobState::Full).await;
        let store = client.status().await.unwrap().store;
        assert_eq!((store.oldest, store.newest), (Some(TraceId(3)), Some(TraceId(5))));
        // The other way the oldest goes.
        let drop = Job { when_full: WhenFull::DropOldest, repeat: Repeat::Times(4), ..few };
        client.configure(&drop).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Finished).await;
        let store = client.status().await.unwrap().store;
        assert_eq!((store.oldest, store.newest), (Some(TraceId(7)), Some(TraceId(9))));
    });
}

#[test]
fn unplugging_is_survived_whenever_it_happens() {
    run(SINE, async |running| {
        let mut client = running.client();
        client.configure(&job(triggered(), Repeat::Forever)).await.unwrap();
        client.arm().await.unwrap();
        let mut seed = fastrand::Rng::with_seed(5);
        let mut newest = 0;
        for moment in 0..30 {
            running.pass(Micros(seed.u64(100..60_000))).await;
            running.plug.set(false);
            running.pass(Micros(seed.u64(1000..2_000_000))).await;
            assert_eq!(running.bridge.state(), JobState::WaitingForScope, "moment {moment}");
            running.plug.set(true);
            let before = running.bridge.store().await.status().newest.map_or(0, |id| id.0);
            assert!(before >= newest);
            newest = before;
            running.until(|bridge| bridge.state() == JobState::Armed).await;
        }
        running.pass(Micros::from_millis(1000)).await;
        let status = client.status().await.unwrap();
        assert_eq!(status.fault, Some(Fault::Unplugged));
        assert!(status.store.newest.unwrap().0 > newest);
        client.disarm().await.unwrap();
        for recording in fetch_all(running).await {
            assert!(misfit(&recording) < 0.051);
        }
    });
}

#[test]
fn what_makes_no_sense_is_refused() {
    run(SINE, async |running| {
        use scopething::bridge::BridgeError::Refused;
        let mut client = running.client();
        assert_eq!(client.job().await, Ok(None));
        assert_eq!(client.arm().await, Err(Refused(Refusal::NoJob)));
        assert_eq!(client.calibrate(32).await, Err(Refused(Refusal::NoJob)));
        let nothing = CaptureRequest { period_s: -1.0, ..request("A") };
        let refused = client.configure(&job(nothing, Repeat::Forever)).await;
        assert_eq!(refused, Err(Refused(Refusal::Request)));
        let good = job(triggered(), Repeat::Times(1));
        client.configure(&good).await.unwrap();
        assert_eq!(client.job().await, Ok(Some(good)));
        client.capture_now().await.unwrap();
        running.pass(Micros::from_millis(500)).await;
        let mut record = client.records(TraceId::FIRST).await.unwrap()[0];
        client.erase(TraceId(1)).await.unwrap();
        let gone = client.fetch(&record, &mut Vec::new(), |_| {}).await;
        assert_eq!(gone, Err(Refused(Refusal::NoTrace)));
        client.capture_now().await.unwrap();
        running.pass(Micros::from_millis(500)).await;
        record.id = TraceId(2);
        record.stored_bytes = 60_000;
        let longer = client.fetch(&record, &mut Vec::new(), |_| {}).await;
        assert!(longer.is_err(), "{longer:?}");
    });
}

#[test]
fn log_is_read_to_its_end() {
    run(SINE, async |running| {
        let mut client = running.client();
        let (mut place, mut bytes) = (0, Vec::new());
        loop {
            let part = client.log(place).await.unwrap();
            if part.bytes.is_empty() {
                break;
            }
            assert!(bytes.is_empty() || part.from == place);
            place = part.from + part.bytes.len() as u32;
            bytes.extend(part.bytes);
        }
        assert_eq!(bytes, log_bytes()[100..]);
    });
}

#[test]
fn probe_is_calibrated_and_kept() {
    // The clock on both channels, read by a front end whose offset is off.
    let flash = run("", async |running| {
        let mut client = running.client();
        client.configure(&job(triggered(), Repeat::Forever)).await.unwrap();
        client.calibrate(8).await.unwrap();
        running.until(|bridge| matches!(bridge.state(), JobState::Calibrating { .. })).await;
        running.until(|bridge| !matches!(bridge.state(), JobState::Calibrating { .. })).await;
        let status = client.status().await.unwrap();
        assert_eq!((status.state, status.fault), (JobState::Idle, None));
        let probe = client.job().await.unwrap().unwrap().probe;
        // The simulated front end is nominal: the parameters come back as they are, but for noise.
        assert_ne!(probe, BS05.analog);
        assert!((probe.scale - BS05.analog.scale).abs() < 0.1, "{probe:?}");
        assert!((probe.offset - BS05.analog.offset).abs() < 0.1, "{probe:?}");
    });
    assert!(flash.is_powered());
    assert_eq!(FakeFlash::new(SECTORS).erasures().len(), flash.erasures().len());
}

/// Captures of a slow sine, a second apart: their means, of all or of those outside bands, and how many lay within.
fn means_of_slow_sine(bands: Bands) -> (Vec<f64>, u32) {
    let mut found = (Vec::new(), 0);
    run("A=sine,70mHz,0..3V", async |running| {
        let mut client = running.client();
        let request = CaptureRequest { timeout_s: Some(0.0), samples: 200, ..triggered() };
        let spacing = Micros::from_millis(1000);
        client.configure(&Job { spacing, bands, ..job(request, Repeat::Times(20)) }).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Finished).await;
        let status = client.status().await.unwrap();
        assert_eq!(status.captures, 20);
        let recordings = fetch_all(running).await;
        assert_eq!(recordings.len() as u32 + status.within_bands, 20);
        let mean = |recording: &Waveform| {
            let series = recording.analog().next().unwrap();
            let Samples::Volts(volts) = &series.samples else { panic!("volts") };
            Measured::of_analog(&volts.iter().copied(), series.period_s).get(Measure::Mean).unwrap()
        };
        found = (recordings.iter().map(mean).collect(), status.within_bands);
    });
    found
}

#[test]
fn traces_within_all_bands_are_not_kept() {
    let (all, within) = means_of_slow_sine(Bands::NONE);
    assert_eq!((all.len(), within), (20, 0));
    let band = |low, high| Band { channel: Channel::A, measure: Measure::Mean, low, high };
    // What leaves one of the two is kept.
    let bands = Bands::new(&[band(0.5, f64::INFINITY), band(f64::NEG_INFINITY, 2.5)]).unwrap();
    let (outside, within) = means_of_slow_sine(bands);
    let expected: Vec<f64> = all.into_iter().filter(|mean| !(0.5..=2.5).contains(mean)).collect();
    assert!(expected.len() > 4 && within > 4, "{expected:?}, {within}");
    assert_eq!(outside.len(), expected.len());
    for (mean, expected) in outside.iter().zip(&expected) {
        assert!((mean - expected).abs() < 0.02, "{mean} is not {expected}");
    }
}

#[test]
fn trace_that_was_ordered_is_kept_within_the_bands() {
    run(SINE, async |running| {
        let mut client = running.client();
        let bands =
            Bands::new(&[Band { channel: Channel::A, measure: Measure::Mean, low: 0.0, high: 3.0 }]).unwrap();
        // It never rises through 3.5 V.
        let request = CaptureRequest { level: Some(3.5), ..triggered() };
        client.configure(&Job { bands, ..job(request, Repeat::Forever) }).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Armed).await;
        running.bridge.trigger(running.clock.now());
        running.until(|bridge| bridge.captures() == 1).await;
        running.until(|bridge| bridge.state() == JobState::Armed).await;
        let records = client.records(TraceId::FIRST).await.unwrap();
        assert_eq!(records.iter().map(|record| record.cause).collect::<Vec<_>>(), [EndReason::Cancel]);
        assert_eq!(client.status().await.unwrap().within_bands, 0);
    });
}

#[test]
fn trigger_input_is_ignored_while_the_computer_uses_the_bitscope() {
    run(SINE, async |running| {
        let mut client = running.client();
        client.pass_through(true).await.unwrap();
        running.bridge.trigger(running.clock.now());
        running.pass(Micros::from_millis(700_000)).await;
        assert_eq!(running.bridge.captures(), 0, "not even later");
        running.bridge.trigger(running.clock.now());
        running.until(|bridge| bridge.captures() == 1).await;
    });
}

#[test]
fn bands_that_no_trace_can_lie_in_are_refused() {
    run(SINE, async |running| {
        let mut client = running.client();
        let of = |channel, low| Band { channel, measure: Measure::Rms, low, high: 1.0 };
        for band in [of(Channel::B, 0.0), of(Channel::A, 2.0), of(Channel::A, f64::NAN)] {
            let bands = Bands::new(&[band]).unwrap();
            let refused = client.configure(&Job { bands, ..job(triggered(), Repeat::Forever) }).await;
            assert!(matches!(refused, Err(BridgeError::Refused(Refusal::Bands))), "{band:?}: {refused:?}");
        }
        assert_eq!(client.job().await.unwrap(), None);
    });
}
