//! The page and its interface as browsers, other programs and strangers see them.

use std::future::Future;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use scopething::link::open;
use scopething_core::device::BS05;
use scopething_serve::{Allow, Listen, Server, WebLinks};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const TIMEOUT: Duration = Duration::from_mins(1);

/// Where the page is, for a client on this computer.
#[derive(Clone)]
struct Site {
    host: String,
    links: WebLinks,
}

impl Site {
    fn token(link: &str) -> &str {
        link.split_once("#token=").map_or("", |(_, token)| token)
    }
}

/// Runs clients beside a server at an address, to their end.
fn with_site<F: Future<Output = ()>>(address: &str, allow: Allow, client: impl FnOnce(Site) -> F) {
    with_signals("A=sine,1kHz,-2..2V&B=triangle,500Hz,-1..3V", address, allow, client);
}

fn with_signals<F: Future<Output = ()>>(
    signals: &str,
    address: &str,
    allow: Allow,
    client: impl FnOnce(Site) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let url = format!("sim:?{signals}&clock=fast").parse().unwrap();
        let places = Listen { web: Some(address.to_owned()), allow, ..Listen::default() };
        let server = Server::open(open(&url).await.unwrap(), BS05.analog, &places).await.unwrap();
        let port = server.addresses().web.unwrap().port();
        let site = Site { host: format!("127.0.0.1:{port}"), links: server.web_links().unwrap() };
        tokio::select! {
            ended = server.run(drop) => panic!("{:?}", ended.err()),
            done = timeout(TIMEOUT, client(site)) => done.expect("a client hangs"),
        }
    });
}

/// The status, head and body of the answer to a request.
async fn request(site: &Site, head: &str, body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(&site.host).await.unwrap();
    let host = if head.contains("Host:") { String::new() } else { format!("Host: {}\r\n", site.host) };
    let text = format!("{head}\r\n{host}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

async fn status(site: &Site, head: &str, body: &str) -> u16 {
    request(site, head, body).await.0
}

type Socket = WebSocketStream<TcpStream>;

async fn look(site: &Site, query: &str) -> Result<Socket, Box<tokio_tungstenite::tungstenite::Error>> {
    upgrade(site, query, TcpStream::connect(&site.host).await.unwrap()).await
}

async fn upgrade(
    site: &Site,
    query: &str,
    stream: TcpStream,
) -> Result<Socket, Box<tokio_tungstenite::tungstenite::Error>> {
    let request = format!("ws://{}/api/v1/live{query}", site.host).into_client_request().unwrap();
    Ok(tokio_tungstenite::client_async(request, stream).await.map_err(Box::new)?.0)
}

/// The next message of JSON of a type.
async fn message(socket: &mut Socket, kind: &str) -> Value {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            let value: Value = serde_json::from_str(text.as_str()).unwrap();
            if value["type"] == kind {
                return value;
            }
        }
    }
    panic!("no {kind}");
}

/// The header and data of the next trace.
async fn frame(socket: &mut Socket) -> (Value, Vec<u8>) {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message {
            assert_eq!(bytes[..4], *b"STW1");
            let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
            return (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec());
        }
    }
    panic!("no trace");
}

/// The header and data of the next piece of what rolls; traces before it are passed over.
async fn piece(socket: &mut Socket) -> (Value, Vec<u8>) {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message
            && bytes[..4] == *b"STP1"
        {
            let length = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
            return (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec());
        }
    }
    panic!("no piece");
}

async fn send(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

#[test]
fn page_keeps_browsers_to_itself() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let (status, head, body) = request(&site, "GET / HTTP/1.1", "").await;
        assert_eq!(status, 200);
        assert!(body.contains("<title>ScopeThing</title>"), "{body}");
        for expected in [
            "content-security-policy: default-src 'none'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(expected), "{expected}: {head}");
        }
        assert!(!head.contains("unsafe") && !head.contains("access-control"), "{head}");
    });
}

#[test]
fn strangers_are_refused() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let state = "GET /api/v1/state HTTP/1.1";
        assert_eq!(status(&site, state, "").await, 200);
        assert_eq!(status(&site, &format!("{state}\r\nHost: evil.example"), "").await, 403);
        assert_eq!(status(&site, &format!("{state}\r\nOrigin: http://evil.example"), "").await, 403);
        let live = "GET /api/v1/live HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nOrigin: http://evil.example";
        assert_eq!(status(&site, live, "").await, 403);
        let command = "POST /api/v1/command HTTP/1.1\r\nOrigin: null";
        assert_eq!(status(&site, command, r#"{"type": "force"}"#).await, 403);
        assert_eq!(status(&site, &format!("{state}\r\nAuthorization: Bearer x"), "").await, 401);
    });
}

#[test]
fn view_only_links_turn_no_knob() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let token = Site::token(&site.links.view);
        assert!(token.len() >= 32 && Site::token(&site.links.control).is_empty(), "{:?}", site.links);
        let post = format!("POST /api/v1/command?token={token} HTTP/1.1");
        assert_eq!(status(&site, &post, r#"{"type": "run", "run": "stop"}"#).await, 403);
        let mut socket = look(&site, &format!("?token={token}")).await.unwrap();
        assert_eq!(message(&mut socket, "state").await["role"], "view");
        send(&mut socket, r#"{"type": "run", "run": "stop", "id": 7}"#).await;
        let refused = message(&mut socket, "error").await;
        assert_eq!(refused["id"], 7);
        assert!(refused["message"].as_str().unwrap().contains("look only"), "{refused}");
        frame(&mut socket).await;
    });
}

#[test]
fn other_computers_need_a_network_and_a_token() {
    let allow = Allow::new(vec!["127.0.0.0/8".parse().unwrap()]);
    with_site("0.0.0.0:0", allow, async |site| {
        let state = "GET /api/v1/state HTTP/1.1";
        assert_eq!(status(&site, state, "").await, 401);
        // The page itself has no secrets: it has yet to read its token.
        assert_eq!(status(&site, "GET /app.js HTTP/1.1", "").await, 200);
        for (link, role) in [(&site.links.control, "control"), (&site.links.view, "view")] {
            let head = format!("{state}\r\nAuthorization: Bearer {}", Site::token(link));
            let (status, _, body) = request(&site, &head, "").await;
            let state: Value = serde_json::from_str(&body).unwrap();
            assert_eq!((status, &state["role"]), (200, &role.into()));
        }
        assert!(look(&site, "").await.is_err());
    });
}

#[test]
fn settings_are_shared_by_all_clients() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let mut one = look(&site, "").await.unwrap();
        let mut other = look(&site, "").await.unwrap();
        let first = message(&mut one, "state").await;
        assert_eq!(
            (&first["version"], &first["role"], &first["run"]),
            (&1.into(), &"control".into(), &"run".into())
        );
        send(&mut one, r#"{"type": "set", "settings": {"time_per_div": "1ms"}, "id": "x"}"#).await;
        assert_eq!(message(&mut one, "done").await["id"], "x");
        while message(&mut other, "state").await["settings"]["time_per_div"] != 1e-3 {}
        let post = "POST /api/v1/command HTTP/1.1";
        let (status, _, body) =
            request(&site, post, r#"{"type": "set", "settings": {"position": "25%"}}"#).await;
        let state: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &state["settings"]["position"]), (200, &0.25.into()));
        for (wrong, expected) in [
            ("", 400),
            ("[]", 400),
            (r#"{"type": "explode"}"#, 400),
            (r#"{"type": "set", "settings": {"knob": 1}}"#, 400),
            (r#"{"type": "set", "settings": {"position": 2}}"#, 422),
            (r#"{"type": "generate", "wave": "file:/etc/passwd 1kHz"}"#, 422),
            (r#"{"type": "generate", "wave": "sine 1GHz"}"#, 422),
        ] {
            let (status, _, body) = request(&site, post, wrong).await;
            assert_eq!(status, expected, "{wrong}: {body}");
            assert!(body.contains("\"error\":\""), "{body}");
        }
    });
}

#[test]
fn traces_have_the_requested_resolution() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let mut socket = look(&site, "").await.unwrap();
        send(
            &mut socket,
            r#"{"type": "set", "settings": {"lines": [], "channels": {"B": {"on": false}}, "bits": 8}}"#,
        )
        .await;
        message(&mut socket, "done").await;
        send(&mut socket, r#"{"type": "view", "columns": 200}"#).await;
        let extremes = loop {
            let (header, data) = frame(&mut socket).await;
            if header["channels"].as_array().unwrap().len() == 1 && data.len() == 800 {
                break header["channels"][0].clone();
            }
        };
        assert_eq!(extremes["layout"], "extremes");
        send(&mut socket, r#"{"type": "view"}"#).await;
        let (header, data) = loop {
            let (header, data) = frame(&mut socket).await;
            if header["channels"][0]["layout"] == "samples" {
                break (header, data);
            }
        };
        let a = &header["channels"][0];
        let (bottom, step) = (a["bottom"].as_f64().unwrap(), a["step"].as_f64().unwrap());
        let volts: Vec<f64> = data
            .chunks_exact(2)
            .map(|pair| bottom + step * f64::from(u16::from_le_bytes([pair[0], pair[1]])))
            .collect();
        assert!(volts.len() > 11_000, "{}", volts.len());
        // A sine of 1 kHz, which rises through 0 V at the trigger.
        let (period, trigger) = (a["period"].as_f64().unwrap(), header["trigger"].as_f64().unwrap());
        for (index, volts) in volts.iter().enumerate() {
            let time = a["start"].as_f64().unwrap() + index as f64 * period - trigger;
            let truth = 2.0 * (std::f64::consts::TAU * 1e3 * time).sin();
            // A step, and what the sine does in a microsecond.
            assert!((volts - truth).abs() < step + 0.02, "{index}: {volts} {truth}");
        }
        assert_eq!(header["ended"], "trigger");
        assert!(header["dead"].as_f64().is_none_or(|dead| dead >= 0.0), "{header}");
    });
}

#[test]
fn force_captures_also_when_nothing_is_captured() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let mut socket = look(&site, "").await.unwrap();
        frame(&mut socket).await;
        send(&mut socket, r#"{"type": "run", "run": "stop"}"#).await;
        while message(&mut socket, "status").await["state"] != "stopped" {}
        // A level that is never reached.
        let never = r#"{"type": "set", "settings": {"trigger": {"level": 3.5, "mode": "normal"}}}"#;
        send(&mut socket, never).await;
        message(&mut socket, "done").await;
        send(&mut socket, r#"{"type": "force"}"#).await;
        let forced = loop {
            let (header, _) = frame(&mut socket).await;
            if header["ended"] == "forced" {
                break header;
            }
        };
        // Nothing is dead time in which nothing was to be captured.
        assert_eq!(forced["dead"], Value::Null);
        // It is one trace.
        let (_, _, body) = request(&site, "GET /api/v1/state HTTP/1.1", "").await;
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["run"], "stop");
        // During a hold-off as well.
        let hold_off = r#"{"type": "set", "settings": {"trigger": {"hold_off": 60}}}"#;
        send(&mut socket, hold_off).await;
        message(&mut socket, "done").await;
        send(&mut socket, r#"{"type": "run", "run": "run"}"#).await;
        for _ in 0..2 {
            send(&mut socket, r#"{"type": "force"}"#).await;
            while frame(&mut socket).await.0["ended"] != "forced" {}
        }
    });
}

#[test]
fn what_rolls_comes_in_pieces_only_to_who_asks_for_them() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let mut plain = look(&site, "").await.unwrap();
        send(&mut plain, r#"{"type": "view", "rate": 100}"#).await;
        let mut other = look(&site, "").await.unwrap();
        send(&mut other, r#"{"type": "view", "rate": 100, "roll": true}"#).await;
        let post = "POST /api/v1/command HTTP/1.1";
        let set = |settings: &str| format!(r#"{{"type": "set", "settings": {settings}}}"#);
        assert_eq!(status(&site, post, &set(r#"{"time_per_div": 1, "lines": ["L3"]}"#)).await, 200);
        let (mut end, mut roll) = (0, Value::Null);
        for number in 0..4 {
            let (header, data) = piece(&mut other).await;
            assert_eq!((&header["columns"], header["channels"].as_array().unwrap().len()), (&6000.into(), 3));
            // Each goes on where the one before has ended, but for what a screen does not hold.
            let first = header["first"].as_u64().unwrap();
            assert!(number == 0 || first >= end, "{first} {end}");
            end = first + header["count"].as_u64().unwrap();
            assert!(number == 0 || header["roll"] == roll, "{header}");
            roll = header["roll"].clone();
            // Two numbers of two bytes for A, and for B; two bytes for the line.
            assert_eq!(data.len() as u64, (header["count"].as_u64().unwrap() * 10).next_multiple_of(4));
        }
        loop {
            let (trace, _) = frame(&mut plain).await;
            if trace["ended"] == "roll" {
                assert_eq!((&trace["roll"], &trace["mode"]), (&roll, &"stream".into()));
                break;
            }
        }
        // Stopped, it is a trace for both.
        assert_eq!(status(&site, post, r#"{"type": "run", "run": "stop"}"#).await, 200);
        for socket in [&mut plain, &mut other] {
            loop {
                let status = message(socket, "status").await;
                if status["state"] == "stopped" {
                    break;
                }
            }
        }
        let (status, _, traces) = request(&site, "GET /api/v1/traces HTTP/1.1", "").await;
        let traces: Value = serde_json::from_str(&traces).unwrap();
        assert_eq!((status, &traces[0]["ended"], &traces[0]["roll"]), (200, &"roll".into(), &roll));
    });
}

#[test]
fn decoders_and_calibrations_that_are_none_are_refused() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let (status_next, ..) = request(&site, "GET /api/v1/traces/next.csv HTTP/1.1", "").await;
        assert_eq!(status_next, 200);
        for decoders in ["", "?decoders=", "?decoders=u/art:rx=L0", "?decoders=a;b;c;d;e;f;g;h;i"] {
            let head = format!("GET /api/v1/traces/latest.decoded{decoders} HTTP/1.1");
            assert_eq!(status(&site, &head, "").await, 422, "{decoders}");
        }
        assert_eq!(status(&site, "GET /api/v1/traces/999.decoded?decoders=uart HTTP/1.1", "").await, 404);
        assert_eq!(status(&site, "GET /api/v1/decoders/uart,i2c HTTP/1.1", "").await, 422);
        for wish in [r#""grid": 7"#, r#""grid": 65"#, r#""channels": ["L0"]"#, r#""channels": ["C"]"#] {
            let body = format!(r#"{{"type": "calibrate", {wish}}}"#);
            assert_eq!(status(&site, "POST /api/v1/command HTTP/1.1", &body).await, 422, "{wish}");
        }
        let token = Site::token(&site.links.view);
        let post = format!("POST /api/v1/command?token={token} HTTP/1.1");
        assert_eq!(status(&site, &post, r#"{"type": "calibrate"}"#).await, 403);
    });
}

#[test]
fn autoset_requests_at_most_16_bits_of_samples() {
    let still = "L0=dc,0V&L1=dc,0V&L2=dc,0V&L3=dc,0V&L4=dc,0V&L5=dc,0V";
    with_signals(&format!("A=sine,50Hz,-2..2V&{still}"), "127.0.0.1:0", Allow::default(), async |site| {
        let post = "POST /api/v1/command HTTP/1.1";
        let (status, _, body) = request(&site, post, r#"{"type": "autoset"}"#).await;
        let state: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &state["actual"]["bits"]), (200, &16.into()), "{body}");
        assert_eq!(state["settings"]["lines"], serde_json::json!([]));
        assert_eq!(state["actual"]["notices"], serde_json::json!([]));
    });
}

#[test]
fn files_of_traces_are_served() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let (status, head, body) = request(&site, "GET /api/v1/traces/next.csv HTTP/1.1", "").await;
        assert_eq!(status, 200, "{body}");
        let header = body.lines().find(|line| !line.starts_with("# ")).unwrap_or_default();
        assert!(head.contains("text/csv") && header.starts_with("time,A,B,L0"), "{head}: {header}");
        let (_, _, list) = request(&site, "GET /api/v1/traces HTTP/1.1", "").await;
        let list: Value = serde_json::from_str(&list).unwrap();
        let seq = list[0]["seq"].as_u64().unwrap();
        let (status, _, _) = request(&site, &format!("GET /api/v1/traces/{seq}.npz HTTP/1.1"), "").await;
        assert_eq!(status, 200);
        for missing in ["999999.csv", "latest.xlsx", "latest", "..%2f..%2fetc%2fpasswd.csv"] {
            let (status, _, body) =
                request(&site, &format!("GET /api/v1/traces/{missing} HTTP/1.1"), "").await;
            assert_eq!(status, 404, "{missing}: {body}");
        }
    });
}

#[test]
fn what_is_sent_is_bounded() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let long = "x".repeat(20_000);
        assert_eq!(status(&site, "POST /api/v1/command HTTP/1.1", &long).await, 413);
        let mut socket = look(&site, "").await.unwrap();
        message(&mut socket, "state").await;
        send(&mut socket, &long).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_close() {
                break;
            }
        }
        // The 17th does not get in, and gets in when another leaves.
        let mut all = Vec::new();
        while all.len() < 16 {
            all.push(look(&site, "").await.unwrap());
        }
        assert!(look(&site, "").await.is_err());
        drop(all);
        while look(&site, "").await.is_err() {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn browsers_are_hung_up_at_in_the_end() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let places = Listen { web: Some("127.0.0.1:0".to_owned()), ..Listen::default() };
        let server =
            Server::open(open(&"sim:".parse().unwrap()).await.unwrap(), BS05.analog, &places).await.unwrap();
        let host = server.addresses().web.unwrap().to_string();
        let site = Site { host, links: server.web_links().unwrap() };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async { stopped.await.unwrap() };
        let client = async {
            let mut socket = look(&site, "").await.unwrap();
            message(&mut socket, "state").await;
            stop.send(()).unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        };
        let (served, hung_up) = tokio::join!(server.run_until(stopped, drop), timeout(TIMEOUT, client));
        served.unwrap();
        hung_up.expect("the browser is kept");
    });
}

#[test]
fn who_does_not_read_holds_up_nobody() {
    with_site("127.0.0.1:0", Allow::default(), async |site| {
        let mut silent = Vec::new();
        for _ in 0..5 {
            // The system takes little on behalf of a client that does not read.
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            let stream = socket.connect(site.host.parse().unwrap()).await.unwrap();
            let mut socket = upgrade(&site, "", stream).await.unwrap();
            // Some 18 kB a trace.
            send(&mut socket, r#"{"type": "view", "rate": 120}"#).await;
            silent.push(socket);
        }
        let mut reader = look(&site, "").await.unwrap();
        let (first, _) = frame(&mut reader).await;
        let mut last = first.clone();
        for _ in 0..30 {
            last = frame(&mut reader).await.0;
        }
        assert!(last["seq"].as_u64() >= first["seq"].as_u64().map(|seq| seq + 30), "{first} {last}");
        drop(silent);
    });
}

#[test]
fn trigger_hint_is_in_volts_at_the_tip() {
    with_signals("A=sine,1kHz,-1..1V", "127.0.0.1:0", Allow::default(), async |site| {
        let mut socket = look(&site, "").await.unwrap();
        let never = r#"{"type": "set", "settings": {"channels": {"A": {"probe": 10}}, "trigger": {"level": 35, "mode": "normal"}}}"#;
        send(&mut socket, never).await;
        let status = loop {
            let status = message(&mut socket, "status").await;
            if !status["hint"].is_null() {
                break status;
            }
        };
        assert_eq!(status["until"], "A to rise through 35.000 V");
        let hint = status["hint"].as_str().unwrap();
        let (low, rest) = hint.strip_prefix("A stays between ").unwrap().split_once(" and ").unwrap();
        let (high, rest) = rest.split_once(" V").unwrap();
        assert_eq!(rest, ", the trigger is at 35.00 V: set another level, or trigger mode auto");
        // A step of 8 bits over 8 V at the input is 0.3 V at the tip.
        for (value, expected) in [(low, -10.0), (high, 10.0)] {
            assert!((value.parse::<f64>().unwrap() - expected).abs() < 0.5, "{hint}");
        }
        // Another level is another question, and a trigger answers it.
        send(&mut socket, r#"{"type": "set", "settings": {"trigger": {"level": 5}}}"#).await;
        while frame(&mut socket).await.0["ended"] != "trigger" {}
        let status = message(&mut socket, "status").await;
        assert_eq!((&status["state"], &status["hint"]), (&"waiting".into(), &Value::Null));
    });
}
