//! `scopething serve` as sigrok sees it: sigrok-cli 0.7 with libsigrok 0.5.2 must be installed (Debian:
//! `apt-get install sigrok-cli`). What it writes must be what the simulated device was given.

use std::time::{Duration, Instant};

use crate::serve_support::{Client, Session, Signals, connection, first_time, serve, sigrok};

/// Runs sigrok-cli on a connection and reads the session that it writes.
async fn session(connection: &str, arguments: &[&str]) -> Session {
    let path = tempfile::Builder::new().suffix(".sr").tempfile().unwrap().into_temp_path();
    let output = path.to_str().expect("a path of text");
    sigrok(&[&["-d", connection, "-o", output], arguments].concat()).await.done();
    Session::read(&path)
}

/// The time of the first sample, if all channels show the signals from then on: volts within `step_v`, logic
/// exactly. Each channel of a pair beside logic takes every second sample, and holds it.
fn held_pair_fits(session: &Session, step_v: f64) -> Option<f64> {
    let period_s = 1.0 / session.rate_hz;
    let (a, b, lines) = (&session.analog["CH1"][0], &session.analog["CH2"][0], &session.logic[0]);
    assert!(a.len() == b.len() && a.len() == lines.len(), "{} {} {}", a.len(), b.len(), lines.len());
    first_time(|first_s| {
        let time_s = |moment: usize| first_s + moment as f64 * period_s;
        let off = |volts: f32, truth: f64| (f64::from(volts) - truth).abs() > step_v;
        (0..a.len()).all(|moment| {
            let b_moment = if moment == 0 { 1 } else { (moment - 1) / 2 * 2 + 1 };
            !off(a[moment], Signals::a(time_s(moment / 2 * 2)))
                && !off(b[moment], Signals::b(time_s(b_moment)))
                && (0..6).all(|line| {
                    Signals::line_may_be(line, lines[moment] >> line & 1 == 1, time_s(moment), 0.0)
                })
        })
    })
}

/// The same of a capture that was sampled otherwise: a moment shows what was up to `slack_s` before it.
fn resampled_fits(session: &Session, frame: usize, step_v: f64, slack_s: f64) -> Option<f64> {
    let period_s = 1.0 / session.rate_hz;
    let (a, b, lines) = (&session.analog["CH1"][frame], &session.analog["CH2"][frame], &session.logic[frame]);
    // The sine and the triangle change by no more than this.
    let (a_change_v, b_change_v) = (2.0 * std::f64::consts::TAU * 1e3 * slack_s, 4e3 * slack_s);
    first_time(|first_s| {
        let time_s = |moment: usize| first_s + moment as f64 * period_s;
        let off =
            |volts: f32, truth: f64, change_v: f64| (f64::from(volts) - truth).abs() > step_v + change_v;
        (0..a.len()).all(|moment| {
            !off(a[moment], Signals::a(time_s(moment)), a_change_v)
                && !off(b[moment], Signals::b(time_s(moment)), b_change_v)
        }) && lines.iter().enumerate().all(|(moment, byte)| {
            (0..6).all(|line| Signals::line_may_be(line, byte >> line & 1 == 1, time_s(moment), slack_s))
        })
    })
}

/// A step of 8 bits over a range, and of the DACs that set either end of it (18.333 V / 1.1 / 65536).
fn step_v(range_v: f64) -> f64 {
    range_v / 256.0 + 18.333 / 1.1 / 65536.0
}

#[tokio::test]
async fn hameg_hmo_captures() {
    let served = serve(Signals::QUERY, &["--hmo"]).await;
    let connection = connection(&served, "hameg-hmo", "tcp-raw", "hmo");
    let found = sigrok(&["-d", &connection, "--scan"]).await.done();
    let expected = "HAMEG HMO1002 05.886 [S/N: DB98TI79] with 10 channels: CH1 D0 CH2 D1 D2 D3 D4 D5 D6 D7";
    assert!(found.stdout.contains(expected), "{}", found.stdout);
    let session = session(&connection, &["--frames", "1"]).await;
    // 500 us a division, 12 divisions, 6144 samples at most: 40 ticks of 25 ns.
    assert_eq!((session.rate_hz, session.analog["CH1"][0].len()), (1e6, 6000));
    // L6 and L7 are the comparators of B and A.
    assert_eq!(session.lines, ["D0", "D1", "D2", "D3", "D4", "D5"]);
    let first_s = held_pair_fits(&session, step_v(8.0)).expect("the signals that were given");
    // In the middle of the screen A rises through 0 V.
    let trigger_s = (first_s + 3e-3).rem_euclid(1e-3);
    assert!(trigger_s.min(1e-3 - trigger_s) <= 4e-6, "{trigger_s}");
}

#[tokio::test]
async fn hameg_hmo_sets_what_the_device_does() {
    let served = serve(Signals::QUERY, &["--hmo"]).await;
    let connection = connection(&served, "hameg-hmo", "tcp-raw", "hmo");
    let settings = "timebase=1ms:triggersource=D3:triggerslope=NEG:horiz_triggerpos=0.25";
    let slow = session(&connection, &["--config", settings, "--frames", "1"]).await;
    assert_eq!((slow.rate_hz, slow.analog["CH2"][0].len()), (500e3, 6000));
    let first_s = held_pair_fits(&slow, step_v(8.0)).expect("the signals that were given");
    // At a quarter of 12 ms D3, of 2.5 kHz, falls: half of its 400 us after it rises.
    let trigger_s = (first_s + 3e-3).rem_euclid(400e-6);
    assert!((trigger_s - 200e-6).abs() <= 4e-6, "{trigger_s}");

    // 8 divisions of 500 mV around 0 V are enough for A, and as fine as 12 bits.
    let arguments = ["-C", "CH1", "--config", "timebase=1ms:triggersource=CH1:triggerslope=NEG", "-g", "CH1"];
    sigrok(&["-d", &connection, "-g", "CH1", "--config", "vdiv=500mV", "--set"]).await.done();
    let fine = session(&connection, &[&arguments[..4], &["--frames", "1"]].concat()).await;
    assert!(fine.lines.is_empty() && !fine.analog.contains_key("CH2"), "{fine:?}");
    let volts = &fine.analog["CH1"][0];
    let period_s = 1.0 / fine.rate_hz;
    assert!((volts.len() as f64 * period_s - 12e-3).abs() < 2e-6, "{} at {}", volts.len(), fine.rate_hz);
    let shows = |first_s: f64| {
        let off = |(moment, volts): (usize, &f32)| {
            (f64::from(*volts) - Signals::a(first_s + moment as f64 * period_s)).abs() > step_v(4.0)
        };
        !volts.iter().enumerate().any(off)
    };
    let first_s = first_time(shows).expect("the sine that was given");
    // The position of the last run is kept: a quarter of the screen before A falls through 0 V.
    let trigger_s = (first_s + 3e-3).rem_euclid(1e-3);
    assert!((trigger_s - 500e-6).abs() <= 4.0 * period_s, "{trigger_s}");
}

#[tokio::test]
async fn hameg_hmo_captures_logic_alone() {
    let served = serve("L6=square,1kHz&L7=square,2kHz", &["--hmo"]).await;
    let connection = connection(&served, "hameg-hmo", "tcp-raw", "hmo");
    let settings = ["-C", "D6,D7", "--config", "triggersource=D7", "--frames", "1"];
    let session = session(&connection, &settings).await;
    assert_eq!(session.lines, ["D6", "D7"]);
    assert!(session.analog.is_empty());
    // 6 ms of 12288 samples at most: 20 ticks.
    assert_eq!((session.rate_hz, session.logic[0].len()), (2e6, 12_000));
    let level = |hertz: f64, time_s: f64| (time_s * hertz).rem_euclid(1.0) < 0.5;
    let fits = |first_s: f64| {
        session.logic[0].iter().enumerate().all(|(moment, byte)| {
            let time_s = first_s + moment as f64 / 2e6;
            [(6, 1e3), (7, 2e3)].into_iter().all(|(line, hertz)| {
                let near = [time_s - 1e-9, time_s + 1e-9];
                near.into_iter().any(|time_s| level(hertz, time_s) == (byte >> line & 1 == 1))
            }) && byte.trailing_zeros() >= 6
        })
    };
    let first_s = first_time(fits).expect("the square waves that were given");
    let trigger_s = (first_s + 3e-3).rem_euclid(500e-6);
    assert!(trigger_s.min(500e-6 - trigger_s) <= 2e-6, "{trigger_s}");
}

#[tokio::test]
async fn hameg_hmo_does_not_wait_for_ever() {
    let served = serve("A=dc,1V", &["--hmo"]).await;
    let connection = connection(&served, "hameg-hmo", "tcp-raw", "hmo");
    let session = session(&connection, &["-C", "CH1", "--frames", "1"]).await;
    let volts = &session.analog["CH1"][0];
    assert!(volts.len() > 6000 && volts.iter().all(|volts| (volts - 1.0).abs() <= 8.0 / 256.0), "{volts:?}");
}

#[tokio::test]
async fn rigol_ds_captures() {
    let served = serve(Signals::QUERY, &["--rigol"]).await;
    let connection = connection(&served, "rigol-ds", "tcp-raw", "rigol");
    let found = sigrok(&["-d", &connection, "--scan"]).await.done();
    assert!(found.stdout.contains("Rigol MSO2072A 00.03.00 [S/N: DB98TI79]"), "{}", found.stdout);
    let settings = "triggersource=CH2:triggerslope=f:triggerlevel=1.5:horiz_triggerpos=0.25";
    let session = session(&connection, &["--config", settings, "--frames", "1"]).await;
    // 100 samples a division of 500 us.
    assert_eq!(session.rate_hz, 200e3);
    assert_eq!(session.analog["CH1"][0].len(), 1400);
    assert_eq!(session.logic[0].len(), 1400);
    assert_eq!(session.lines, ["D0", "D1", "D2", "D3", "D4", "D5"]);
    // 7 ms of 6144 samples at most are 46 ticks of 25 ns; a channel of the pair takes every second.
    let first_s =
        resampled_fits(&session, 0, step_v(8.0), 2.0 * 46.0 * 25e-9).expect("the signals that were given");
    // After a quarter of 7 ms B falls through 1.5 V: 1 ms up to 3 V, then 1.5 V down of 4 V a millisecond.
    let trigger_s = (first_s + 1.75e-3).rem_euclid(2e-3);
    assert!((trigger_s - 1.375e-3).abs() <= 10e-6, "{trigger_s}");
}

#[tokio::test]
async fn framed_rigol_gives_frame_after_frame() {
    let served = serve(Signals::QUERY, &["--rigol-framed"]).await;
    let connection = connection(&served, "rigol-ds", "tcp-rigol", "rigol_framed");
    let settings = ["--config", "timebase=1ms:triggersource=D0", "--frames", "3"];
    let session = session(&connection, &settings).await;
    assert_eq!(session.rate_hz, 100e3);
    assert_eq!((session.analog["CH2"].len(), session.logic.len()), (3, 3));
    for frame in 0..3 {
        // 14 ms of 6144 samples are 92 ticks.
        let first_s =
            resampled_fits(&session, frame, step_v(8.0), 2.0 * 92.0 * 25e-9).expect("the signals given");
        let trigger_s = (first_s + 7e-3).rem_euclid(500e-6);
        assert!(trigger_s.min(500e-6 - trigger_s) <= 20e-6, "{trigger_s}");
    }
}

#[tokio::test]
async fn rigol_reads_its_memory() {
    let served = serve(Signals::QUERY, &["--rigol"]).await;
    let connection = connection(&served, "rigol-ds", "tcp-raw", "rigol");
    let settings = ["-C", "CH1", "--config", "data_source=Memory", "--frames", "1"];
    // libsigrok 0.5.2 does not know the sample rate of the memory, so that the session has none.
    let session = session(&connection, &settings).await;
    let volts = session.analog["CH1"].concat();
    assert_eq!(volts.len(), 14_000);
    // 7 ms of 12288 samples at most: 23 ticks, 12174 samples, then the last again.
    let captured = 12_174;
    assert!(
        volts[captured..].iter().all(|padding| *padding == volts[captured - 1]),
        "{:?}",
        &volts[captured..]
    );
    let shows = |first_s: f64| {
        (0..captured).all(|sample| {
            let time_s = first_s + sample as f64 * 23.0 * 25e-9;
            (f64::from(volts[sample]) - Signals::a(time_s)).abs() <= step_v(8.0)
        })
    };
    assert!(first_time(shows).is_some(), "not the sine that was given");
}

#[tokio::test]
async fn rigol_stops_at_once_while_it_waits() {
    let served = serve("A=dc,1V", &["--rigol", "--hmo"]).await;
    let mut client = Client::connect(served.address("rigol")).await;
    client
        .send(":TRIG:SWE NORM\n:CHAN2:DISP OFF\n:LA:STAT OFF\n:RUN\n:WAV:MODE NORM\n:WAV:SOUR CHAN1\n")
        .await;
    for _ in 0..3 {
        let asked = Instant::now();
        assert_eq!(client.ask(":WAV:STAT?").await, "READ,wait");
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    }
    let asked = Instant::now();
    client.send(":STOP\n").await;
    assert_eq!(client.ask("*OPC?").await, "1");
    assert_eq!(client.ask(":TRIG:EDGE:LEV?").await, "0.000000E+00");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}
