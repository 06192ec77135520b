//! What answers over TCP is no BitScope, or stops being one: exit code 1, an error that names which, in
//! bounded time.

use std::time::Duration;

use crate::support::relay::{Limit, Relay};
use crate::support::{Finished, Listening, Running, program, scopething};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A round trip counts as lost after a second on a network, and each step is tried at most three times. A
/// loaded machine is slower.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Captures from a server that treats its one client so.
async fn capture_from<F: Future<Output = ()>>(serve: impl FnOnce(TcpStream) -> F) -> Finished {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("socket://{}", listener.local_addr().unwrap());
    let arguments = ["capture", "--url", &url, "--json"];
    tokio::select! {
        finished = scopething(&arguments) => finished,
        () = async {
            serve(listener.accept().await.unwrap().0).await;
            std::future::pending::<()>().await;
        } => unreachable!(),
    }
}

#[track_caller]
fn assert_failed(finished: Finished, parts: &[&str]) {
    let took = finished.took;
    let message = finished.refused(1);
    for part in parts {
        assert!(message.contains(part), "{part} in {message}");
    }
    println!("after {took:?}: {message}");
    assert!(took < TIMEOUT, "{took:?}");
}

/// Reads what the client sends and drops it.
async fn listen(stream: &mut TcpStream) {
    let mut bytes = [0; 64];
    while let Ok(1..) = stream.read(&mut bytes).await {}
}

#[tokio::test]
async fn device_that_answers_nothing() {
    let finished = capture_from(|mut stream| async move { listen(&mut stream).await }).await;
    assert_failed(finished, &["no answer", "resetting the device", "powered"]);
}

#[tokio::test]
async fn device_that_closes_at_once() {
    let finished = capture_from(|mut stream| async move {
        stream.shutdown().await.unwrap();
        listen(&mut stream).await;
    })
    .await;
    assert_failed(finished, &["closed", "resetting the device"]);
}

/// Bytes by a rule that repeats after 2^32 of them, from high bits of a linear congruence.
fn garbage() -> impl Iterator<Item = u8> {
    std::iter::successors(Some(1_u32), |state| {
        Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
    })
    .map(|state| (state >> 24) as u8)
}

#[tokio::test]
async fn device_that_answers_garbage() {
    let finished = capture_from(|mut stream| async move {
        let mut garbage = garbage();
        let mut bytes = [0; 64];
        while let Ok(count @ 1..) = stream.read(&mut bytes).await {
            let answer: Vec<u8> = garbage.by_ref().take(3 * count).collect();
            if stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    })
    .await;
    assert_failed(finished, &["not the answer of a BitScope"]);
}

#[tokio::test]
async fn device_that_never_stops_talking() {
    let finished = capture_from(|stream| async move {
        let (mut from, mut to) = stream.into_split();
        let talk = async {
            let mut garbage = garbage();
            let mut bytes = [0; 4096];
            loop {
                bytes.iter_mut().zip(&mut garbage).for_each(|(byte, any)| *byte = any);
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        };
        let listen = async {
            let mut bytes = [0; 64];
            while let Ok(1..) = from.read(&mut bytes).await {}
        };
        tokio::join!(talk, listen);
    })
    .await;
    assert_failed(finished, &["not the answer of a BitScope"]);
}

#[tokio::test]
async fn server_that_speaks_another_protocol() {
    let finished = capture_from(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
        listen(&mut stream).await;
    })
    .await;
    assert_failed(finished, &["resetting the device", "another one may be the BitScope"]);
}

#[tokio::test]
async fn another_revision() {
    let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0", "--set", "revision=BS001003"]).await;
    let url = format!("socket://{}", simulator.address("tcp"));
    for command in ["capture", "info"] {
        let finished = scopething(&[command, "--url", &url]).await;
        assert_failed(finished, &["BS001003", "BS000501", "BS05"]);
        simulator.running.until_printed("has disconnected").await;
    }
}

/// What a device reports of the end of a trace: its time in ticks, and its address.
type End = (u32, u32);

/// Hands bytes on from a device to its client, but for the ends of traces, which it changes.
struct Liar {
    lie: fn(End) -> End,
    /// The last bytes that were handed on, no more than report the start of a trace.
    last: Vec<u8>,
    /// What is held back: a trace has started, and these are the bytes of its end so far.
    end: Option<Vec<u8>>,
}

impl Liar {
    fn new(lie: fn(End) -> End) -> Self {
        Self { lie, last: Vec::new(), end: None }
    }

    /// What becomes of a byte.
    fn pass(&mut self, byte: u8) -> Vec<u8> {
        let Some(end) = &mut self.end else {
            self.last.push(byte);
            let surplus = self.last.len().saturating_sub("02|00000000|".len());
            self.last.drain(..surplus);
            let is_start = matches!(*self.last, [b'0', b'2', b'\r', ref ticks @ .., b'\r']
                if ticks.len() == 8 && ticks.iter().all(u8::is_ascii_hexdigit));
            self.end = is_start.then(Vec::new);
            return vec![byte];
        };
        end.push(byte);
        if end.len() < "00|00000000|00000000|".len() {
            return Vec::new();
        }
        let text = String::from_utf8(self.end.take().unwrap()).unwrap();
        self.last.clear();
        let field = |at: usize| u32::from_str_radix(&text[at..at + 8], 16).unwrap();
        let (ticks, address) = (self.lie)((field(3), field(12)));
        format!("{}{ticks:08x}\r{address:08x}\r", &text[..3]).into_bytes()
    }
}

/// Relays to the device at an address, one client after the other, and lies of the ends of its traces, which end by
/// themselves.
async fn lying_relay(server: &str, lie: fn(End) -> End) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("socket://{}", listener.local_addr().unwrap());
    let server = server.to_owned();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = TcpStream::connect(&server).await.unwrap().into_split();
            let answers = async {
                let mut liar = Liar::new(lie);
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
                    let reported: Vec<u8> = bytes[..count].iter().flat_map(|&byte| liar.pass(byte)).collect();
                    if to_client.write_all(&reported).await.is_err() {
                        return;
                    }
                }
            };
            tokio::select! {
                () = answers => {}
                _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
            }
        }
    });
    url
}

/// A second in ticks of the device's clock.
const SECOND: u32 = 40_000_000;

#[tokio::test]
async fn impossible_trace_ends_are_rejected() {
    type Lie = (&'static str, fn(End) -> End, &'static str);
    let lies: [Lie; 8] = [
        ("ffffffff", |(ticks, _)| (ticks, u32::MAX), "at address 4294967295 of a buffer of 6144"),
        ("the width", |(ticks, _)| (ticks, 6144), "at address 6144 of a buffer of 6144"),
        ("a width too much", |(ticks, address)| (ticks, address + 6144), "of a buffer of 6144"),
        ("a bit too many", |(ticks, address)| (ticks, address | 1 << 20), "of a buffer of 6144"),
        (
            "a second early",
            |(ticks, address)| (ticks.wrapping_sub(SECOND), address),
            "cannot have taken more",
        ),
        (
            "a minute late",
            |(ticks, address)| (ticks.wrapping_add(60 * SECOND), address),
            "cannot have taken more",
        ),
        ("time ffffffff", |(_, address)| (u32::MAX, address), "cannot have taken more"),
        ("half a roll-over", |(ticks, address)| (ticks ^ 1 << 31, address), "cannot have taken more"),
    ];
    let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    let honest = lying_relay(simulator.address("tcp"), |end| end).await;
    let arguments = |url: &str| ["capture", "--timeout", "0", "--json", "--url", url].map(str::to_owned);
    let capture = async |url: &str| {
        let arguments = arguments(url);
        scopething(&arguments.each_ref().map(String::as_str)).await
    };
    assert_eq!(capture(&honest).await.done().object()["mode"], "Macro");
    simulator.running.until_printed("has disconnected").await;
    for (name, lie, message) in lies {
        let url = lying_relay(simulator.address("tcp"), lie).await;
        println!("{name}:");
        assert_failed(capture(&url).await, &["the device reports", message]);
        simulator.running.until_printed("has disconnected").await;
    }
}

#[tokio::test]
async fn impossible_trace_end_is_dropped() {
    let simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    let url = lying_relay(simulator.address("tcp"), |(ticks, _)| (ticks, u32::MAX)).await;
    let directory = tempfile::tempdir().unwrap();
    let job = directory.path().join("job.toml");
    let files = directory.path().join("files");
    let text = format!("files.directory = '{}'\nurl = '{url}'\ncapture.timeout = '0s'", files.display());
    std::fs::write(&job, text).unwrap();
    let job = job.to_str().unwrap();
    let mut recording = Running::start(&mut program(&["record", job]));
    // After three of them in a row it connects anew.
    recording.until_printed("recording from the scope").await;
    recording.until_printed("reports the end of the trace at address 4294967295").await;
    recording.until_printed("waiting for the scope").await;
    recording.interrupt();
    recording.finish().await.done();
    let status = scopething(&["record", "--status", "--json", job]).await.done().object();
    assert_eq!((&status["captures"], &status["kept"], &status["written"]), (&0.into(), &0.into(), &0.into()));
    assert!(status["bad_traces"].as_u64().unwrap() >= 3, "{status:?}");
}

/// The server closes the link on all but one client.
#[tokio::test]
async fn device_in_other_hands() {
    let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    let mut owner = TcpStream::connect(simulator.address("tcp")).await.unwrap();
    // A connection that asks nothing does not keep others from the device.
    owner.write_all(b"?").await.unwrap();
    simulator.running.until_printed("has the device").await;
    let url = format!("socket://{}", simulator.address("tcp"));
    assert_failed(
        scopething(&["capture", "--url", &url]).await,
        &["the link failed", "resetting the device"],
    );
}

/// A capture of 1000 samples of two bytes over a relay.
async fn capture_through(server: &str, limit: Limit) -> (Finished, u64) {
    let relay = Relay::start(server, limit).await;
    let arguments =
        ["capture", "--url", &relay.url, "--json", "--samples", "1000", "--period", "1ms", "--timeout", "0"];
    let finished = scopething(&arguments).await;
    let answered = relay.forwarded().answered;
    relay.finish().await;
    (finished, answered)
}

/// How many bytes the simulated device sends for a capture: its samples come last.
async fn bytes_of_a_capture(simulator: &mut Listening) -> u64 {
    let (finished, bytes) = capture_through(simulator.address("tcp"), Limit::NONE).await;
    assert_eq!(finished.done().object()["mode"], "Macro");
    assert!(bytes > 2000);
    simulator.running.until_printed("has disconnected").await;
    bytes
}

#[tokio::test]
async fn device_silent_during_dump() {
    let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    let bytes = bytes_of_a_capture(&mut simulator).await;
    let (finished, _) = capture_through(simulator.address("tcp"), Limit::silent_after(bytes - 1000)).await;
    assert_failed(finished, &["reading the samples of channel A", "no answer"]);
    simulator.running.until_printed("has disconnected").await;
    let (finished, _) = capture_through(simulator.address("tcp"), Limit::NONE).await;
    finished.done();
}

#[tokio::test]
async fn device_closes_during_dump() {
    let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    let bytes = bytes_of_a_capture(&mut simulator).await;
    let (finished, _) = capture_through(simulator.address("tcp"), Limit::closed_after(bytes - 1000)).await;
    assert_failed(finished, &["closed", "reading the samples of channel A"]);
}

/// A link that closes after any number of bytes: an error each time, and never a capture with wrong samples.
#[tokio::test]
async fn link_that_closes_anywhere() {
    let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    let bytes = bytes_of_a_capture(&mut simulator).await;
    for cut in (1..bytes).step_by(139).chain([bytes - 1]) {
        let (finished, _) = capture_through(simulator.address("tcp"), Limit::closed_after(cut)).await;
        assert_failed(finished, &["closed"]);
        simulator.running.until_printed("has disconnected").await;
    }
}
