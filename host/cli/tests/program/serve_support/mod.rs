//! `scopething serve` on the simulated device, and what sigrok-cli makes of it.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use scopething_core::plan::AnalogChannel;
use scopething_core::trace::Trace;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::support::{Finished, Listening, bounded};

/// Serves the simulated device of a query, with a free port for each personality.
pub(crate) async fn serve(query: &str, personalities: &[&str]) -> Listening {
    let url = format!("sim:?{query}");
    let mut arguments = vec!["serve", "--url", &url];
    for personality in personalities {
        arguments.extend([personality, "127.0.0.1:0"]);
    }
    Listening::start(&arguments).await
}

/// The connection of a driver of sigrok.
pub(crate) fn connection(served: &Listening, driver: &str, transport: &str, kind: &str) -> String {
    let (host, port) = served.address(kind).split_once(':').expect("host and port");
    format!("{driver}:conn={transport}/{host}/{port}")
}

/// Runs sigrok-cli to its end.
pub(crate) async fn sigrok(arguments: &[&str]) -> Finished {
    let mut command = Command::new("sigrok-cli");
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let started = std::time::Instant::now();
    let output =
        bounded("sigrok-cli", command.output()).await.expect("sigrok-cli must be installed for this test");
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
        took: started.elapsed(),
    }
}

/// A session file of sigrok, taken apart without the program's own reader.
#[derive(Debug)]
pub(crate) struct Session {
    /// NaN if it is not reported.
    pub(crate) rate_hz: f64,
    /// By name, a list for each frame.
    pub(crate) analog: HashMap<String, Vec<Vec<f32>>>,
    /// Samples of the logic lines, for each frame.
    pub(crate) logic: Vec<Vec<u8>>,
    /// The names of the logic lines that are on.
    pub(crate) lines: Vec<String>,
}

impl Session {
    pub(crate) fn read(path: &Path) -> Self {
        let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
        let mut entry = |name: &str| {
            let mut bytes = Vec::new();
            archive.by_name(name).ok()?.read_to_end(&mut bytes).unwrap();
            Some(bytes)
        };
        let metadata = String::from_utf8(entry("metadata").unwrap()).unwrap();
        let keys: HashMap<&str, &str> = metadata.lines().filter_map(|line| line.split_once('=')).collect();
        let mut chunks = |prefix: String| -> Vec<Vec<u8>> {
            (1..).map_while(|chunk| entry(&format!("{prefix}-{chunk}"))).collect()
        };
        let floats = |bytes: &[u8]| -> Vec<f32> {
            bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
        };
        let named = |kind: &str| {
            let mut named: Vec<(usize, String)> = keys
                .iter()
                .filter_map(|(key, name)| Some((key.strip_prefix(kind)?.parse().ok()?, (*name).to_owned())))
                .collect();
            named.sort_unstable();
            named
        };
        let analog = named("analog").into_iter().map(|(number, name)| {
            let frames = chunks(format!("analog-1-{number}")).iter().map(|bytes| floats(bytes)).collect();
            (name, frames)
        });
        let analog = analog.collect();
        let unit: usize = keys.get("unitsize").map_or(1, |size| size.parse().unwrap());
        let low_bytes = |bytes: Vec<u8>| bytes.chunks_exact(unit).map(|unit| unit[0]).collect();
        Self {
            rate_hz: keys.get("samplerate").map_or(f64::NAN, |text| rate(text)),
            analog,
            logic: chunks("logic-1".to_owned()).into_iter().map(low_bytes).collect(),
            lines: named("probe").into_iter().map(|(_, name)| name).collect(),
        }
    }
}

/// A rate as sigrok writes it: `1 MHz`, `500 kHz`.
fn rate(text: &str) -> f64 {
    let (number, unit) = text.split_once(' ').unwrap_or_else(|| panic!("{text}"));
    let factor = match unit {
        "Hz" => 1.0,
        "kHz" => 1e3,
        "MHz" => 1e6,
        other => panic!("{other}"),
    };
    number.parse::<f64>().unwrap() * factor
}

/// What the device is given: A a sine of 1 kHz, B a triangle of 500 Hz, and square waves on six lines.
pub(crate) struct Signals;

impl Signals {
    pub(crate) const QUERY: &str = "A=sine,1kHz,-2..2V&B=triangle,500Hz,-1..3V&L0=square,2kHz&L1=square,500Hz\
         &L2=square,4kHz&L3=square,2.5kHz&L4=square,1kHz&L5=square,5kHz";
    const LINES_HZ: [f64; 6] = [2e3, 500.0, 4e3, 2.5e3, 1e3, 5e3];
    /// All of them repeat after this time.
    pub(crate) const PERIOD_S: f64 = 2e-3;

    pub(crate) fn a(time_s: f64) -> f64 {
        2.0 * (TAU * 1e3 * time_s).sin()
    }

    pub(crate) fn b(time_s: f64) -> f64 {
        let phase = (time_s * 500.0).rem_euclid(1.0);
        -1.0 + 4.0 * if phase < 0.5 { 2.0 * phase } else { 2.0 - 2.0 * phase }
    }

    /// Whether a line may be at a level at a time, or up to `slack_s` before it.
    pub(crate) fn line_may_be(line: usize, high: bool, time_s: f64, slack_s: f64) -> bool {
        let level = |time_s: f64| (time_s * Self::LINES_HZ[line]).rem_euclid(1.0) < 0.5;
        // The time itself is known to a nanosecond.
        [time_s + 1e-9, time_s - 1e-9, time_s - slack_s].into_iter().any(|time_s| level(time_s) == high)
    }

    /// How many samples of a trace of A, B and L0 to L5 are not what the device was given when they were taken.
    pub(crate) fn wrong_samples(trace: &Trace<'_>) -> usize {
        let start_s = trace.capture_start_s();
        let mut wrong = 0;
        for (channel, truth) in [(AnalogChannel::A, Self::a as fn(f64) -> f64), (AnalogChannel::B, Self::b)] {
            let view = trace.analog(channel).expect("a channel");
            let step_v = view.resolution() + 18.333 / 1.1 / 65536.0;
            let is_wrong = |(index, volts): &(usize, f32)| {
                let off = f64::from(*volts) - truth(start_s + view.times.time_s(*index));
                off.abs() > step_v + 1e-4
            };
            wrong += view.values().enumerate().filter(is_wrong).count();
        }
        let view = trace.logic().expect("logic");
        let is_wrong = |(index, lines): &(usize, u8)| {
            let time_s = start_s + view.times.time_s(*index);
            (0..6).any(|line| !Self::line_may_be(line, lines >> line & 1 == 1, time_s, 0.0))
        };
        wrong + view.bytes().enumerate().filter(is_wrong).count()
    }
}

/// When the first sample was taken, in the time of the signals: the device takes samples every so many of its
/// ticks. None if no such time makes `fits` true.
pub(crate) fn first_time(fits: impl Fn(f64) -> bool) -> Option<f64> {
    const TICK_S: f64 = 25e-9;
    let ticks = (Signals::PERIOD_S / TICK_S).round() as u32;
    (0..ticks).map(|tick| f64::from(tick) * TICK_S).find(|time_s| fits(*time_s))
}

/// A client that sends lines.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Self {
        let stream = bounded("a connection", TcpStream::connect(address)).await.expect("a connection");
        Self { stream: BufReader::new(stream) }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        bounded("sending", self.stream.write_all(text.as_bytes())).await.expect("a connection");
    }

    /// The next line of an answer, without its end; none when the server has disconnected.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = bounded("an answer", self.stream.read_line(&mut line)).await.expect("text");
        (count > 0).then(|| line.trim_end_matches('\n').to_owned())
    }

    pub(crate) async fn ask(&mut self, question: &str) -> String {
        self.send(&format!("{question}\n")).await;
        self.line().await.unwrap_or_else(|| panic!("hung up at {question}"))
    }

    /// So many bytes of an answer.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        bounded("an answer", self.stream.read_exact(&mut bytes)).await.expect("that many bytes");
        bytes
    }

    /// A block of data of stated length.
    pub(crate) async fn block(&mut self, question: &str) -> Vec<u8> {
        self.send(&format!("{question}\n")).await;
        let head = self.bytes(2).await;
        assert_eq!(head[0], b'#', "{head:?}");
        let digits = self.bytes(usize::from(head[1] - b'0')).await;
        let length = String::from_utf8(digits).expect("digits").parse().expect("a length");
        self.bytes(length).await
    }
}
