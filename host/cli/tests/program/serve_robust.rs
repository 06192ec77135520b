//! Whatever clients send `scopething serve`, others are served, and its memory does not grow.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::serve_support::{Client, serve};
use crate::support::{Listening, bounded, resident_memory_kib, scopething};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};

const PERSONALITIES: [&str; 6] =
    ["--bitscope-server", "--tcp", "--hmo", "--rigol", "--rigol-framed", "--twinlan"];
/// What the process may grow by, in KiB, whatever is sent: a few captures for each of its connections.
const MAX_GROWTH_KIB: u64 = 48 * 1024;

/// The device is still served in each way that gives captures.
async fn assert_serves(served: &Listening) {
    let asked = Instant::now();
    let mut hmo = Client::connect(served.address("hmo")).await;
    assert_eq!(hmo.ask("*IDN?").await, "HAMEG,HMO1002,DB98TI79,05.886");
    assert!(!hmo.block(":CHAN1:DATA?").await.is_empty());
    let mut rigol = Client::connect(served.address("rigol")).await;
    assert_eq!(rigol.ask("*IDN?").await, "RIGOL TECHNOLOGIES,MSO2072A,DB98TI79,00.03.00");
    assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
}

async fn connect(address: &str) -> TcpStream {
    bounded("a connection", TcpStream::connect(address)).await.expect("a connection")
}

/// Writes as much as the server takes within a time.
async fn flood(stream: &mut TcpStream, bytes: &[u8], limit: Duration) {
    // It may disconnect, or not read any further: either is its right.
    let _ = tokio::time::timeout(limit, stream.write_all(bytes)).await;
}

fn data_port(served: &Listening) -> String {
    let control: SocketAddr = served.address("twinlan").parse().expect("an address");
    SocketAddr::new(control.ip(), control.port() + 1).to_string()
}

/// Every TCP port.
fn ports(served: &Listening) -> Vec<String> {
    let named =
        ["tcp", "hmo", "rigol", "rigol_framed", "twinlan"].map(|kind| served.address(kind).to_owned());
    named.into_iter().chain([data_port(served)]).collect()
}

#[tokio::test]
async fn idle_connections_make_room() {
    let served = serve("A=sine,1kHz,-2..2V", &PERSONALITIES).await;
    let mut connections = Vec::new();
    for port in ports(&served).into_iter().filter(|port| port != served.address("tcp")) {
        for _ in 0..200 {
            let mut stream = connect(&port).await;
            flood(&mut stream, b"*IDN", Duration::from_secs(5)).await;
            connections.push(stream);
        }
    }
    assert_serves(&served).await;
    let resident = resident_memory_kib(served.running.id());
    assert!(resident < MAX_GROWTH_KIB, "{resident} KiB");
}

#[tokio::test]
async fn lines_of_a_megabyte_are_dropped() {
    let served = serve("A=sine,1kHz,-2..2V", &PERSONALITIES).await;
    assert_serves(&served).await;
    let before = resident_memory_kib(served.running.id());
    let mut client = Client::connect(served.address("hmo")).await;
    for _ in 0..20 {
        client.send(&(":".to_owned() + &"TIM".repeat(350_000) + "\n")).await;
        client.send(&";".repeat(1_000_000)).await;
        client.send("\n").await;
    }
    assert_eq!(client.ask("*OPC?").await, "1");
    let growth = resident_memory_kib(served.running.id()).saturating_sub(before);
    assert!(growth < 4096, "{growth} KiB");
    assert_serves(&served).await;
}

#[tokio::test]
async fn slow_clients_block_no_others() {
    let served = serve("A=sine,1kHz,-2..2V", &PERSONALITIES).await;
    assert_serves(&served).await;
    let before = resident_memory_kib(served.running.id());
    let mut deaf = Vec::new();
    for (kind, ask) in
        [("hmo", ":CHAN1:DATA?\n"), ("rigol", ":WAV:STAT?\n:WAV:DATA?\n"), ("rigol_framed", "*IDN?\n")]
    {
        for _ in 0..5 {
            let mut stream = connect(served.address(kind)).await;
            flood(&mut stream, ask.repeat(5000).as_bytes(), Duration::from_millis(200)).await;
            deaf.push(stream);
        }
    }
    let mut control = connect(served.address("twinlan")).await;
    deaf.push(connect(&data_port(&served)).await);
    flood(&mut control, b"START\n", Duration::from_secs(5)).await;
    deaf.push(control);
    assert_serves(&served).await;
    let growth = resident_memory_kib(served.running.id()).saturating_sub(before);
    assert!(growth < MAX_GROWTH_KIB, "{growth} KiB");
}

/// Bytes that look random, the same in each run.
fn noise(seed: u32, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..count).map(|_| next()).collect()
}

#[tokio::test]
async fn whatever_is_sent_the_server_goes_on() {
    let served = serve("A=sine,1kHz,-2..2V", &PERSONALITIES).await;
    assert_serves(&served).await;
    let before = resident_memory_kib(served.running.id());
    let words = [
        ":CHAN1:SCAL",
        ":TIM:SCAL",
        ":TIM:POS",
        ":TRIG:A:SOUR",
        ":TRIG:EDGE:LEV",
        ":WAV:SOUR",
        ":SING",
        ":RUN",
        "RATE",
        "DEPTH",
        ":A:RANGE",
        "AWG:FREQ",
        "AWG:START",
        "SINGLE",
        ":LA:DIG7:DISP",
        ":POD1:STAT",
        "D3",
        "CHAN2",
        "-1e308",
        "1e-308",
        "0",
        "nan",
    ];
    for (number, port) in ports(&served).iter().enumerate() {
        for seed in 0..20 {
            let mut stream = connect(port).await;
            let bytes = noise(seed + 100 * number as u32, 2000);
            flood(&mut stream, &bytes, Duration::from_secs(2)).await;
            let text: Vec<&str> = bytes.iter().map(|byte| words[usize::from(*byte) % words.len()]).collect();
            let lines: String = text.chunks(2).map(|pair| pair.join(" ") + "\n").collect();
            flood(&mut stream, lines.as_bytes(), Duration::from_secs(2)).await;
        }
    }
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    for seed in 0..200 {
        let datagram = noise(seed, 1 + (seed as usize * 7) % 1400);
        socket.send_to(&datagram, served.address("bitscope_server")).await.expect("a socket");
    }
    // What was left set is what a client finds; it sets what it needs.
    let mut hmo = Client::connect(served.address("hmo")).await;
    hmo.send(":TIM:SCAL 5E-4;:CHAN1:STAT 1;:CHAN1:SCAL 1;:TRIG:A:SOUR CH1\n").await;
    assert_serves(&served).await;
    let growth = resident_memory_kib(served.running.id()).saturating_sub(before);
    assert!(growth < MAX_GROWTH_KIB, "{growth} KiB");
}

#[tokio::test]
async fn clients_share_settings_and_captures() {
    // The noise makes each capture another.
    let served = serve("A=dc,1V&noise=50mV&seed=3", &["--hmo", "--rigol"]).await;
    let mut scope_clients =
        [Client::connect(served.address("hmo")).await, Client::connect(served.address("hmo")).await];
    scope_clients[0]
        .send(":CHAN2:STAT 0;:POD1:STAT 0;:TIM:SCAL 1E-4;:TRIG:A:MODE NORM;:TRIG:A:LEV1 3\n")
        .await;
    assert_eq!(scope_clients[0].ask("*OPC?").await, "1");
    assert_eq!(scope_clients[1].ask(":TIM:SCAL?").await, "1.000E-04");
    let mut rigol = Client::connect(served.address("rigol")).await;
    assert_eq!(rigol.ask(":TIM:SCAL?").await, "1.000000E-04");
    assert_eq!(rigol.ask(":CHAN2:DISP?").await, "0");
    assert_eq!(rigol.ask(":TRIG:EDGE:LEV?").await, "3.000000E+00");
    // Both wait for a trigger that does not come, and get what was captured meanwhile: the same.
    let [one, other] = &mut scope_clients;
    let (a, b) = tokio::join!(one.block(":CHAN1:DATA?"), other.block(":CHAN1:DATA?"));
    assert!(a == b, "not the same capture");
    let (again, _) = tokio::join!(one.block(":CHAN1:DATA?"), other.block(":CHAN1:DATA?"));
    assert!(a != again, "the same capture once more");
}

#[tokio::test]
async fn waiting_capture_follows_whatever_is_set() {
    let served = serve("A=sine,1kHz,-2..2V", &["--rigol"]).await;
    let mut client = Client::connect(served.address("rigol")).await;
    client
        .send(":CHAN2:DISP OFF\n:LA:STAT OFF\n:TRIG:SWE NORM\n:TRIG:EDGE:LEV 3.9\n:RUN\n:WAV:SOUR CHAN1\n")
        .await;
    assert_eq!(client.ask(":WAV:STAT?").await, "READ,wait");
    let mut other = Client::connect(served.address("rigol")).await;
    for level in ["3.8", "3.7", "3.6", "3.5", "3.4", "3.3", "3.2", "3.1", "0.5"] {
        assert_eq!(client.ask(":WAV:STAT?").await, "READ,wait");
        other.send(&format!(":TRIG:EDGE:LEV {level}\n")).await;
        assert_eq!(other.ask("*OPC?").await, "1");
    }
    let asked = Instant::now();
    while client.ask(":WAV:STAT?").await == "READ,wait" {
        assert!(asked.elapsed() < Duration::from_secs(10), "the last level is not waited for");
    }
}

#[tokio::test]
async fn server_outlives_its_device() {
    // The link closes while the samples of the first capture are read.
    let served = serve("faults=close@3000", &["--hmo"]).await;
    let mut scope_client = Client::connect(served.address("hmo")).await;
    scope_client.send(":CHAN1:DATA?\n").await;
    assert_eq!(scope_client.line().await, None);
    // The next client is served when the link is open again.
    let asked = Instant::now();
    loop {
        let mut next = Client::connect(served.address("hmo")).await;
        next.send("*OPC?\n").await;
        if next.line().await.as_deref() == Some("1") {
            break;
        }
        assert!(asked.elapsed() < Duration::from_secs(30), "the device does not come back");
    }
}

#[tokio::test]
async fn passing_failure_of_the_device_is_survived() {
    // Bytes are lost here and there, over and over.
    let served = serve("A=sine,1kHz,-2..2V&faults=drop@0.005%&seed=4", &["--hmo"]).await;
    let mut scope_client = Client::connect(served.address("hmo")).await;
    for _ in 0..20 {
        assert_eq!(scope_client.block(":CHAN1:DATA?").await.len(), 4 * 6000);
    }
}

#[tokio::test]
async fn remote_networks_need_allow() {
    let refused = scopething(&["serve", "--url", "sim:", "--hmo", "0.0.0.0:0"]).await.refused(2);
    assert!(refused.contains("--allow"), "{refused}");
    let refused = scopething(&["serve", "--url", "sim:", "--bitscope-server", "[::]:0"]).await.refused(2);
    assert!(refused.contains("--allow"), "{refused}");
    let refused = scopething(&["serve", "--url", "sim:"]).await.refused(2);
    assert!(refused.contains("--hmo"), "{refused}");
    let refused = scopething(&["serve", "--url", "sim:", "--hmo", "nowhere"]).await.refused(2);
    assert!(refused.contains("cannot listen on nowhere"), "{refused}");
}
