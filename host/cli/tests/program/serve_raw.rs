//! `scopething serve` as clients of the device itself see it: they have it one after the other, in turns with
//! clients of emulated oscilloscopes.

use std::time::{Duration, Instant};

use crate::serve_support::{Client, Signals, first_time, serve};
use crate::support::{Listening, bounded};
use scopething::link::{self, DatagramError, LinkError, LinkUrl};
use scopething_core::plan::{CaptureRequest, ChannelSet};
use scopething_core::scope::{Scope, ScopeError, ScopeErrorKind};
use scopething_core::trace::TraceBuffer;
use tokio::net::UdpSocket;

/// A client of the bitscope-server protocol.
struct Udp(UdpSocket);

impl Udp {
    async fn connect(served: &Listening) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        socket.connect(served.address("bitscope_server")).await.expect("an address");
        Self(socket)
    }

    async fn send(&self, id: u8, commands: &[u8]) {
        self.0.send(&[&[id], commands].concat()).await.expect("a socket");
    }

    /// The next datagram: identifier, sequence, data.
    async fn receive(&self) -> (u8, u8, Vec<u8>) {
        let mut buffer = [0; 2000];
        let count = bounded("a datagram", self.0.recv(&mut buffer)).await.expect("a socket");
        (buffer[2], buffer[3], buffer[4..count].to_vec())
    }

    /// The answer under an identifier, of so many bytes, however it is cut.
    async fn answer(&self, id: u8, length: usize) -> Vec<u8> {
        let mut whole = Vec::new();
        while whole.len() < length {
            let (of, _, data) = self.receive().await;
            assert_eq!(of, id, "{data:?}");
            whole.extend(data);
        }
        whole
    }
}

async fn ask(client: &mut Client, commands: &str, answer: &str) {
    client.send(commands).await;
    let bytes = client.bytes(answer.len()).await;
    assert_eq!(String::from_utf8_lossy(&bytes), answer);
}

#[tokio::test]
async fn device_is_reset_between_owners() {
    let served = serve("", &["--tcp", "--bitscope-server"]).await;
    for _ in 0..3 {
        let mut client = Client::connect(served.address("tcp")).await;
        // Nothing is left of the stream of the previous session: a raw one, of 2441 bytes a second.
        ask(&mut client, "?", "?\rBS000501\r").await;
        let script = "[21]@[02]s[2e]@[00]z[40]sT";
        ask(&mut client, script, script).await;
        client.bytes(20).await;
    }
    let udp = Udp::connect(&served).await;
    udp.send(0, b"?").await;
    assert_eq!(udp.answer(0, 11).await, b"?\rBS000501\r");
}

#[tokio::test]
async fn repeated_datagrams_are_answered_and_not_executed_again() {
    let served = serve("", &["--bitscope-server"]).await;
    let udp = Udp::connect(&served).await;
    // Each execution would move R1 on by one.
    udp.send(1, b"[20]@[05]z[06]zp").await;
    let first = udp.answer(1, 20).await;
    udp.send(1, b"[20]@[05]z[06]zp").await;
    assert_eq!(udp.answer(1, 20).await, first);
    udp.send(2, b"[07]s[22]@p").await;
    assert!(udp.answer(2, 15).await.ends_with(b"\r07\r"));
    // 65 commands are no datagram of a client: nothing comes back, and what follows is answered.
    udp.send(3, &[b'['; 65]).await;
    udp.send(4, b"?").await;
    assert_eq!(udp.answer(4, 11).await, b"?\rBS000501\r");
}

#[tokio::test]
async fn trace_end_carries_its_request_number() {
    let served = serve("", &["--bitscope-server"]).await;
    let udp = Udp::connect(&served).await;
    // A trace that never triggers (no line is as the pattern).
    udp.send(9, b"[21]@[0e]s[32]@[01]s[34]@s[05]@[ff]s>UD").await;
    let started = udp.answer(9, 39 + 12).await;
    assert_eq!(started[39..42], *b"02\r");
    udp.send(10, b"K").await;
    assert_eq!(udp.answer(10, 1).await, b"K");
    let ended = udp.answer(9, 21).await;
    assert_eq!(ended[..3], *b"03\r");
}

#[tokio::test]
async fn raw_clients_wait_or_are_rejected() {
    let served = serve("", &["--tcp", "--bitscope-server"]).await;
    let mut holder = Client::connect(served.address("tcp")).await;
    ask(&mut holder, "?", "?\rBS000501\r").await;
    // They ask at once, and are answered when their turn comes.
    let mut waiting = Vec::new();
    for _ in 0..7 {
        let mut client = Client::connect(served.address("tcp")).await;
        client.send("?").await;
        waiting.push(client);
    }
    let udp = Udp::connect(&served).await;
    // The server must have seen the connections first.
    ask(&mut holder, "?", "?\rBS000501\r").await;
    udp.send(5, b"?").await;
    ask(&mut holder, "?", "?\rBS000501\r").await;
    let mut ninth = Client::connect(served.address("tcp")).await;
    // A silent connection takes no place in the queue, and is left alone.
    ninth.send("?").await;
    let reason = ninth.line().await.expect("a reason");
    assert!(
        reason.starts_with("refused: tcp 127.0.0.1:") && reason.ends_with(" has the device\r"),
        "{reason}"
    );
    drop(holder);
    for mut client in waiting {
        assert_eq!(client.bytes(11).await, b"?\rBS000501\r");
    }
    assert_eq!(udp.answer(5, 11).await, b"?\rBS000501\r");
}

#[tokio::test]
async fn silent_session_gives_way_to_instrument() {
    let served = serve("A=sine,1kHz,-2..2V", &["--bitscope-server", "--hmo"]).await;
    let udp = Udp::connect(&served).await;
    udp.send(1, b"[2e]@[2a]sp").await;
    assert!(udp.answer(1, 15).await.ends_with(b"\r2a\r"));
    let asked = Instant::now();
    let mut scope_client = Client::connect(served.address("hmo")).await;
    let block = scope_client.block(":FORM REAL,32;:CHAN1:DATA?").await;
    // After two seconds without a word.
    assert!(block.len() > 4000 && asked.elapsed() > Duration::from_millis(1500), "{:?}", asked.elapsed());
    // It was sent a notice, under the number of its last command.
    let (id, _, notice) = udp.receive().await;
    assert_eq!(id, 1);
    assert!(notice.starts_with(b"refused: the device was given to others after "), "{notice:?}");
    // It gets the device again, with the low byte of the sample clock that the other client's capture has written since.
    udp.send(2, b"[2e]@p").await;
    let answer = udp.answer(2, 10).await;
    assert!(answer.starts_with(b"[2e]@p\r") && !answer.ends_with(b"\r2a\r"), "{answer:?}");
}

/// How long the clients below go on: long enough for many turns of each. A minute by hand:
/// `SCOPETHING_TURNS=60s`.
fn length() -> Duration {
    let given = std::env::var("SCOPETHING_TURNS").ok();
    let seconds = given.map(|text| {
        scopething_waveform::quantity::parse(&text, scopething_waveform::quantity::Unit::Seconds)
    });
    Duration::from_secs_f64(seconds.map_or(4.0, |seconds| seconds.expect("seconds")))
}

/// Takes turns at the raw device until the time is over: connects, captures, checks each sample, leaves.
/// Returns how often.
async fn capture_raw(url: String, until: Instant) -> u32 {
    let url: LinkUrl = url.parse().expect("a URL");
    let mut turns = 0;
    while Instant::now() < until {
        let opened = link::open(&url).await.expect("a link");
        let connected =
            bounded("a connection", Scope::connect(opened.stream, opened.clock, opened.profile)).await;
        let mut scope = match connected {
            Ok(scope) => scope,
            // It waits a while for its turn, then starts again.
            Err(ScopeError {
                kind:
                    ScopeErrorKind::Link(
                        LinkError::InUse { .. }
                        | LinkError::Datagram(DatagramError::NoAnswer { .. } | DatagramError::Refused { .. }),
                    ),
                ..
            }) => {
                continue;
            }
            Err(error) => panic!("{url}: {error}"),
        };
        let request = CaptureRequest {
            period_s: 2e-3,
            low: Some(-4.0),
            high: Some(4.0),
            ..CaptureRequest::new("A,B,L0,L1,L2,L3,L4,L5".parse::<ChannelSet>().expect("channels"))
        };
        let plan = scope.plan(&request).expect("a plan");
        let mut buffer = Box::new(TraceBuffer::new());
        let trace = bounded("a capture", Box::pin(scope.capture(&plan, &mut buffer))).await.expect("a trace");
        assert_eq!(Signals::wrong_samples(&trace), 0, "{url}");
        turns += 1;
    }
    turns
}

/// Captures as a client of an emulated oscilloscope until the time is over, and checks each sample. Returns how often.
async fn capture_viewed(address: String, until: Instant) -> u32 {
    let mut client = Client::connect(&address).await;
    client.send(":TIM:SCAL 2E-4;:POD1:STAT 0\n").await;
    let rate_hz: f64 = client.ask(":ACQ:SRAT?").await.parse().expect("a rate");
    let mut turns = 0;
    while Instant::now() < until {
        let volts = |block: Vec<u8>| -> Vec<f64> {
            let floats =
                block.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four")));
            floats.map(f64::from).collect()
        };
        let a = volts(client.block(":FORM REAL,32;:CHAN1:DATA?").await);
        let b = volts(client.block(":FORM REAL,32;:CHAN2:DATA?").await);
        assert_eq!(a.len(), b.len());
        let step_v = 8.0 / 256.0 + 18.333 / 1.1 / 65536.0;
        let fits = |first_s: f64| {
            (0..a.len()).all(|index| {
                let time_s = first_s + index as f64 / rate_hz;
                (a[index] - Signals::a(time_s)).abs() <= step_v
                    && (b[index] - Signals::b(time_s + 0.5 / rate_hz)).abs() <= step_v
            })
        };
        assert!(first_time(fits).is_some(), "capture {turns} is not what was given");
        turns += 1;
    }
    turns
}

fn run<T>(client: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(client)
}

#[tokio::test]
async fn raw_and_instrument_clients_take_turns() {
    let served = serve(Signals::QUERY, &["--tcp", "--bitscope-server", "--hmo"]).await;
    let until = Instant::now() + length();
    let tcp = format!("socket://{}", served.address("tcp"));
    let udp = format!("bitscope-server://{}", served.address("bitscope_server"));
    let hmo = served.address("hmo").to_owned();
    // Each of them on its own, as programs are: one that checks its samples keeps nobody waiting.
    let clients = [
        std::thread::spawn(move || run(capture_raw(tcp, until))),
        std::thread::spawn(move || run(capture_raw(udp, until))),
        std::thread::spawn(move || run(capture_viewed(hmo, until))),
    ];
    let [one, other, viewed] = clients.map(|client| client.join().expect("no wrong byte"));
    println!("turns: {one} over TCP, {other} over UDP, {viewed} viewed");
    let (fewest, most) = (one.min(other).min(viewed), one.max(other).max(viewed));
    assert!(fewest >= 10 && most <= 3 * fewest, "{one} over TCP, {other} over UDP, {viewed} viewed");
}
