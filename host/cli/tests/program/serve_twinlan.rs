//! `scopething serve` as ngscopeclient sees it: a client of the two-socket protocol, which shares no code
//! with the server.

use std::net::SocketAddr;

use crate::serve_support::{Client, Signals, first_time, serve};
use crate::support::{Listening, bounded};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A decoded waveform.
struct Waveform {
    sequence: u32,
    period_s: f64,
    /// Volts of A and B.
    analog: [Option<Vec<f64>>; 2],
    logic: Option<Vec<u8>>,
}

struct Twinlan {
    control: Client,
    data: TcpStream,
}

impl Twinlan {
    async fn connect(served: &Listening) -> Self {
        let address: SocketAddr = served.address("twinlan").parse().expect("an address");
        let control = Client::connect(&address.to_string()).await;
        let data = TcpStream::connect((address.ip(), address.port() + 1)).await.expect("a data port");
        Self { control, data }
    }

    async fn send(&mut self, lines: &[&str]) {
        self.control.send(&(lines.join("\n") + "\n")).await;
    }

    async fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        bounded("a waveform", self.data.read_exact(&mut bytes)).await.expect("a waveform");
        bytes
    }

    async fn samples(&mut self, count: u64) -> Vec<i16> {
        let mut bytes = vec![0; usize::try_from(count).expect("a count") * 2];
        bounded("a waveform", self.data.read_exact(&mut bytes)).await.expect("a waveform");
        bytes.chunks(2).map(|raw| i16::from_le_bytes([raw[0], raw[1]])).collect()
    }

    /// Reads the next waveform and acknowledges it.
    async fn waveform(&mut self) -> Waveform {
        let sequence = u32::from_le_bytes(self.bytes().await);
        let channels = u16::from_le_bytes(self.bytes().await);
        let period_fs = i64::from_le_bytes(self.bytes().await);
        let mut waveform =
            Waveform { sequence, period_s: period_fs as f64 / 1e15, analog: [None, None], logic: None };
        for _ in 0..channels {
            let number = u64::from_le_bytes(self.bytes().await);
            let count = u64::from_le_bytes(self.bytes().await);
            if number == 2 {
                assert_eq!(f32::from_le_bytes(self.bytes().await), 0.0);
                let lines = self.samples(count).await;
                waveform.logic =
                    Some(lines.iter().map(|lines| u8::try_from(*lines).expect("8 lines")).collect());
            } else {
                let scale = f64::from(f32::from_le_bytes(self.bytes().await));
                let offset = f64::from(f32::from_le_bytes(self.bytes().await));
                assert_eq!(f32::from_le_bytes(self.bytes().await), 0.0);
                let raw = self.samples(count).await;
                let volts = raw.iter().map(|raw| scale * f64::from(*raw) + offset).collect();
                waveform.analog[usize::try_from(number).expect("A or B")] = Some(volts);
            }
        }
        self.data.write_all(&sequence.to_le_bytes()).await.expect("a connection");
        waveform
    }
}

#[tokio::test]
async fn hundred_waveforms_show_what_was_given() {
    let served = serve(Signals::QUERY, &["--twinlan"]).await;
    let mut client = Twinlan::connect(&served).await;
    for (question, answer) in [
        ("*IDN?", "Pico Technology,2205MSO,DB98TI79,1.0"),
        ("CHANS?", "2"),
        ("1D:PRESENT?", "1"),
        ("2D:PRESENT?", "0"),
        ("DEPTHS?", "1024,6144,12288,"),
        ("ARMED?", "0"),
        ("SEQNUM?", "0"),
    ] {
        assert_eq!(client.control.ask(question).await, answer, "{question}");
    }
    let rates = client.control.ask("RATES?").await;
    assert!(rates.starts_with("50000000,") && rates.ends_with(",200000000000,"), "{rates}");
    // 8 V full scale, the trigger 1 ms after the start where B falls through 1 V.
    let settings = ["RATE 1000000", "DEPTH 2000", ":A:RANGE 8", ":B:RANGE 8", "TRIG:SOU B", "TRIG:LEV 1"];
    client.send(&settings).await;
    client.send(&["TRIG:EDGE:DIR FALLING", "TRIG:DELAY 1000000000000", "START"]).await;
    let step_v = 8.0 / 256.0 + 18.333 / 1.1 / 65536.0;
    for number in 1..=100 {
        let Waveform { sequence, period_s, analog: [a, b], logic } = client.waveform().await;
        assert_eq!((sequence, period_s), (number, 500e-9));
        let (a, b, lines) = (a.expect("A"), b.expect("B"), logic.expect("logic"));
        // 2000 samples of each of the pair, by turns, each held; the logic lines at twice the rate.
        assert_eq!((a.len(), b.len(), lines.len()), (4000, 4000, 4000));
        let fits = |first_s: f64| {
            let time_s = |moment: usize| first_s + moment as f64 * period_s;
            (0..4000).all(|moment| {
                let b_moment = if moment == 0 { 1 } else { (moment - 1) / 2 * 2 + 1 };
                (a[moment] - Signals::a(time_s(moment / 2 * 2))).abs() <= step_v
                    && (b[moment] - Signals::b(time_s(b_moment))).abs() <= step_v
                    && (0..6).all(|line| {
                        Signals::line_may_be(line, lines[moment] >> line & 1 == 1, time_s(moment), 0.0)
                    })
            })
        };
        let first_s = first_time(fits).unwrap_or_else(|| panic!("waveform {number} is not what was given"));
        let trigger_s = (first_s + 1e-3).rem_euclid(2e-3);
        assert!((trigger_s - 1.5e-3).abs() < 10e-6, "{trigger_s}");
    }
    client.send(&["STOP"]).await;
    assert_eq!(client.control.ask("ARMED?").await, "0");
    let last: u32 = client.control.ask("SEQNUM?").await.parse().expect("a number");
    // No more than two are on their way without being acknowledged.
    assert!((100..=102).contains(&last), "{last}");
}

#[tokio::test]
async fn single_waveform_is_pushed() {
    let served = serve("A=dc,1V", &["--twinlan"]).await;
    let mut client = Twinlan::connect(&served).await;
    client.send(&[":B:OFF", "RATE 50000000", "DEPTH 10000", "SINGLE"]).await;
    for line in 0..8 {
        client.send(&[&format!(":1D{line}:OFF")]).await;
    }
    // 1 V is above the level of 0 V: there is no edge.
    assert_eq!(client.control.ask("ARMED?").await, "1");
    client.send(&["FORCE"]).await;
    let forced = client.waveform().await;
    assert_eq!(client.control.ask("ARMED?").await, "0");
    // One channel alone reaches 20 MS/s: 10000 samples at 50 MS/s are 200 us.
    assert_eq!((forced.sequence, forced.period_s), (1, 50e-9));
    let volts = forced.analog[0].as_ref().expect("A");
    assert_eq!(volts.len(), 4000);
    assert!(volts.iter().all(|volts| (volts - 1.0).abs() < 8.0 / 256.0), "{volts:?}");
    assert!(forced.analog[1].is_none() && forced.logic.is_none());
}

/// The times between rising edges through a level, and the part of the time above it.
fn edges(volts: &[f64], period_s: f64, level: f64) -> (Vec<f64>, f64) {
    let rising = volts.windows(2).enumerate().filter(|(_, pair)| pair[0] < level && pair[1] >= level);
    let times: Vec<f64> = rising.map(|(index, _)| index as f64 * period_s).collect();
    let above = volts.iter().filter(|volts| **volts >= level).count() as f64 / volts.len() as f64;
    (times.windows(2).map(|pair| pair[1] - pair[0]).collect(), above)
}

#[tokio::test]
async fn generator_follows() {
    // The simulated device's channel A sees its own generator.
    let served = serve("", &["--twinlan"]).await;
    let mut client = Twinlan::connect(&served).await;
    client.send(&[":B:OFF", "RATE 1000000", "DEPTH 6000", "TRIG:LEV 1.5", "AWG:SHAPE SQUARE"]).await;
    client
        .send(&["AWG:FREQ 2000", "AWG:RANGE 2", "AWG:OFFS 1.5", "AWG:DUTY 0.25", "AWG:START", "SINGLE"])
        .await;
    let square = client.waveform().await;
    let volts = square.analog[0].as_ref().expect("A");
    let (periods, above) = edges(volts, square.period_s, 1.5);
    assert!(
        periods.len() >= 10 && periods.iter().all(|period_s| (period_s - 500e-6).abs() < 15e-6),
        "{periods:?}"
    );
    assert!((above - 0.25).abs() < 0.02, "{above}");
    let near = |volts: f64, wanted: f64| (volts - wanted).abs() < 8.0 / 256.0 + 3.3 / 256.0;
    assert!(volts.iter().all(|volts| near(*volts, 0.5) || near(*volts, 2.5)), "{volts:?}");
    // A line that shows the generator is not captured as logic.
    assert!(square.logic.expect("logic").iter().all(|lines| lines & 0x10 == 0));

    client.send(&["AWG:SHAPE TRIANGLE", "AWG:FREQ 1000", "SINGLE"]).await;
    let triangle = client.waveform().await;
    let volts = triangle.analog[0].as_ref().expect("A");
    let (periods, above) = edges(volts, triangle.period_s, 1.5);
    assert!(
        periods.len() >= 4 && periods.iter().all(|period_s| (period_s - 1e-3).abs() < 15e-6),
        "{periods:?}"
    );
    assert!((above - 0.5).abs() < 0.02, "{above}");
    let middle = volts.iter().filter(|volts| (1.0..2.0).contains(*volts)).count() as f64 / volts.len() as f64;
    assert!((middle - 0.5).abs() < 0.03, "{middle}");

    client.send(&["AWG:STOP", "FORCE"]).await;
    let stopped = client.waveform().await;
    let volts = stopped.analog[0].as_ref().expect("A");
    assert!(volts.iter().all(|level| near(*level, volts[0])), "{volts:?}");

    // A capture that waits for the generator gets it.
    client.send(&["SINGLE"]).await;
    assert_eq!(client.control.ask("ARMED?").await, "1");
    client.send(&["AWG:START"]).await;
    let triggered = client.waveform().await;
    let (periods, _) = edges(triggered.analog[0].as_ref().expect("A"), triggered.period_s, 1.5);
    assert!(
        periods.len() >= 4 && periods.iter().all(|period_s| (period_s - 1e-3).abs() < 15e-6),
        "{periods:?}"
    );
}

#[tokio::test]
async fn trigger_mode_auto_pushes_what_there_is() {
    let served = serve("A=sine,1kHz,0..3V", &["--twinlan"]).await;
    let mut client = Twinlan::connect(&served).await;
    let settings = ["RATE 1000000", "DEPTH 1024", ":B:OFF", "BITS 8", "TRIG:SOU A", "TRIG:LEV 3.5"];
    client.send(&settings).await;
    client.send(&["TRIG:MODE AUTO", "START"]).await;
    for number in 1..=3 {
        assert_eq!(client.waveform().await.sequence, number);
    }
    // A single waveform waits for its trigger in any mode.
    client.send(&["STOP", "SINGLE"]).await;
    let mut byte = [0];
    let pushed = client.data.peek(&mut byte);
    let waited = tokio::time::timeout(std::time::Duration::from_millis(500), pushed).await;
    assert!(waited.is_err(), "a waveform without a trigger");
    client.send(&["TRIG:LEV 1.5"]).await;
    assert_eq!(client.waveform().await.sequence, 4);
}
