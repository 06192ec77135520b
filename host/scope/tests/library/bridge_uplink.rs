//! A bridge at the far end of a bad wire: what is fetched is right, or the client reports what failed.

use crate::bridge_support::{Noise, Running, SECTORS, job, request, run, run_on};
use embassy_futures::join::join;
use embedded_io_async::{Read as _, Write as _};
use scopething::bridge::{BridgeError, recording};
use scopething_bridge::fake::FakeFlash;
use scopething_core::link::bridge::{JobState, Repeat, TraceId};
use scopething_core::plan::CaptureRequest;
use scopething_core::scope::{LinkProfile, Scope};
use scopething_core::time::{Clock, Micros};
use scopething_core::trace::TraceBuffer;
use scopething_waveform::waveform::Waveform;

const SIGNALS: &str = "A=sine,1kHz,0..3V&B=triangle,700Hz,0..3V&noise=5mV";

fn traces() -> CaptureRequest {
    CaptureRequest { period_s: 8e-3, samples: 3000, timeout_s: Some(0.0), ..request("A,B,L") }
}

/// A flash with three traces in it, and what they are.
fn filled() -> (FakeFlash, Vec<Waveform>) {
    let mut expected = Vec::new();
    let flash = run(SIGNALS, async |running| {
        let mut client = running.client();
        client.configure(&job(traces(), Repeat::Times(3))).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Finished).await;
        client.disarm().await.unwrap();
        for record in client.records(TraceId::FIRST).await.unwrap() {
            let mut stored = Vec::new();
            client.fetch(&record, &mut stored, |_| {}).await.unwrap();
            expected.push(recording(&record, &stored).unwrap());
        }
    });
    assert_eq!(expected.len(), 3);
    assert_ne!(expected[0], expected[1]);
    (flash, expected)
}

/// Fetches everything, going on where an error ended it. Gives how many requests were repeated, and how many
/// failed.
async fn fetch_through(running: &Running<'_>, expected: &[Waveform]) -> (u64, u32) {
    let mut client = running.client();
    let mut failures = 0;
    let mut kept = |error: BridgeError<_>| {
        failures += 1;
        assert!(failures < 100, "{error}");
        assert!(matches!(error, BridgeError::NoAnswer { .. }), "{error}");
    };
    let records = loop {
        match client.records(TraceId::FIRST).await {
            Ok(records) => break records,
            Err(error) => kept(error),
        }
    };
    assert_eq!(records.len(), expected.len());
    for (record, expected) in records.iter().zip(expected) {
        let mut stored = Vec::new();
        let mut seen = 0;
        while let Err(error) = client.fetch(record, &mut stored, |count| seen = count).await {
            kept(error);
        }
        assert_eq!(seen, stored.len());
        assert_eq!(&recording(record, &stored).unwrap(), expected);
    }
    (client.repeats(), failures)
}

#[test]
fn fetch_over_a_bad_wire_is_right() {
    let (flash, expected) = filled();
    for seed in 0..4 {
        for one_in in [10_000, 1000, 250] {
            let bytes = Noise::Bytes { one_in, seed: fastrand::Rng::with_seed(seed) };
            let gaps = Noise::Gaps { one_in: one_in * 10, left: 0, seed: fastrand::Rng::with_seed(seed) };
            for noise in [bytes, gaps] {
                run_on(flash.clone(), SIGNALS, &noise, async |running| {
                    let (repeats, failures) = fetch_through(running, &expected).await;
                    if one_in == 250 {
                        assert!(repeats > 0, "nothing was damaged");
                    }
                    println!("{noise:?}: {repeats} repeated, {failures} failed");
                });
            }
        }
    }
}

#[test]
fn dead_wire_is_reported_in_bounded_time() {
    let noise = Noise::Gaps { one_in: 1, left: 0, seed: fastrand::Rng::with_seed(1) };
    run_on(FakeFlash::new(SECTORS), SIGNALS, &noise, async |running| {
        let mut client = running.client();
        let started = running.clock.now();
        let error = client.status().await.unwrap_err();
        assert!(matches!(error, BridgeError::NoAnswer { attempts: 8, .. }), "{error}");
        assert!(running.clock.now() - started < Micros::from_millis(6000));
    });
}

#[test]
fn orders_over_a_bad_wire_are_done_once() {
    let mut repeats = 0;
    for seed in 0..10 {
        let noise = Noise::Bytes { one_in: 120, seed: fastrand::Rng::with_seed(seed) };
        run_on(FakeFlash::new(SECTORS), SIGNALS, &noise, async |running| {
            let mut client = running.client();
            let (mut least, mut most) = (0, 0);
            for _ in 0..8 {
                // One that was not answered may have been done all the same.
                least += u32::from(client.capture_now().await.is_ok());
                most += 1;
                running.pass(Micros::from_millis(1000)).await;
            }
            let captures = running.bridge.store().await.status().traces;
            assert!((least..=most).contains(&captures), "{captures} of {least} to {most}");
            repeats += client.repeats();
        });
    }
    assert!(repeats > 20, "{repeats} were repeated: the wire is not as bad as it should be");
}

#[test]
fn bytes_pass_through_outside_frames() {
    run(SIGNALS, async |running| {
        // As a terminal would.
        let mut raw = running.host.clone();
        raw.write_all(b"?").await.unwrap();
        let mut answer = [0; 11];
        raw.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"?\rBS000501\r");
        let mut client = running.client();
        client.status().await.unwrap();
        running.pass(Micros::from_millis(1)).await;
        assert_eq!(client.status().await.unwrap().state, JobState::Idle);
        client.pass_through(false).await.unwrap();
        raw.write_all(b"[30]@p").await.unwrap();
        let mut answer = [0; 10];
        raw.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer[..7], *b"[30]@p\r");
        assert_eq!(client.repeats(), 0);
    });
}

#[test]
fn driver_captures_through_the_bridge() {
    run("A=dc,2V&noise=0", async |running| {
        let mut client = running.client();
        client.pass_through(true).await.unwrap();
        let profile = LinkProfile::SERIAL;
        let mut scope = Scope::connect(client.into_stream(), running.clock.clone(), profile).await.unwrap();
        let request = CaptureRequest { period_s: 20e-3, samples: 6000, timeout_s: Some(0.0), ..request("A") };
        let plan = scope.plan(&request).unwrap();
        let mut buffer = Box::new(TraceBuffer::new());
        let dump_bytes = plan.dump_bytes() as u64;
        let mut fastest = u64::MAX;
        for number in 0..100 {
            let started = running.clock.now();
            let trace = scope.capture(&plan, &mut buffer).await.unwrap();
            let recording = Waveform::of_trace(&trace).unwrap();
            let (low, high) = recording.channels()[0].samples.extent().unwrap();
            assert!(low > 1.99 && high < 2.01, "capture {number}: {low} V to {high} V");
            fastest = fastest.min((running.clock.now() - started).0);
        }
        // 10 us a byte, and 20 ms of trace: the wire must be busy for four fifths of the rest.
        let dump_us = fastest - 20_000;
        assert!(dump_bytes * 10 * 10 >= dump_us * 8, "{dump_bytes} bytes in {dump_us} us");
    });
}

#[test]
fn armed_job_yields_to_pass_through() {
    run(SIGNALS, async |running| {
        let mut client = running.client();
        client.configure(&job(traces(), Repeat::Forever)).await.unwrap();
        client.arm().await.unwrap();
        running.until(|bridge| bridge.state() == JobState::Armed).await;
        client.pass_through(true).await.unwrap();
        let mut raw = running.host.clone();
        running.until(|bridge| bridge.state() == JobState::PassingThrough).await;
        let count = async || running.bridge.store().await.status().newest;
        let before = count().await;
        // Held: for minutes.
        running.pass(Micros::from_millis(500_000)).await;
        assert_eq!(count().await, before);
        // A message ends it.
        client.status().await.unwrap();
        running.pass(Micros::from_millis(2000)).await;
        assert!(count().await > before);
        // Without holding, the job goes on until the first byte, which gets its answer.
        client.pass_through(false).await.unwrap();
        running.pass(Micros::from_millis(2000)).await;
        let (mut answer, mut byte) = (Vec::new(), [0]);
        let (written, ()) = join(raw.write_all(b"!?"), async {
            while !answer.ends_with(b"!?\rBS000501\r") {
                raw_read(running, &mut byte).await;
                answer.push(byte[0]);
            }
        })
        .await;
        written.unwrap();
        let before = count().await;
        running.pass(Micros::from_millis(50_000)).await;
        assert_eq!(count().await, before);
        running.pass(Micros::from_millis(20_000)).await;
        assert!(count().await > before);
    });
}

async fn raw_read(running: &Running<'_>, byte: &mut [u8; 1]) {
    running.host.clone().read_exact(byte).await.unwrap();
}

#[test]
fn client_that_leaves_gives_the_wire_back() {
    run(SIGNALS, async |running| {
        running.client().status().await.unwrap();
        running.pass(Micros::from_millis(61_000)).await;
        let mut raw = running.host.clone();
        raw.write_all(b"?").await.unwrap();
        let mut answer = [0; 11];
        raw.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"?\rBS000501\r");
    });
}
