//! The page of a served oscilloscope: whatever comes over HTTP or a WebSocket is answered or hung up at, nothing is given to
//! a request that does not name this computer, and the next client is served.
//!
//! The first byte chooses. `H`: bytes of HTTP. Any other: messages to a WebSocket, each ended by a line feed.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use scopething::link::open;
use scopething_core::device::BS05;
use scopething_serve::{Listen, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long any answer may take.
const LIMIT: Duration = Duration::from_secs(5);
/// The most bytes of one text frame without a length in further bytes.
const MAX_SHORT: usize = 125;
const UPGRADE: &[u8] =
    b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let link =
            open(&"sim:?A=sine,1kHz,-2..2V&clock=fast".parse().expect("a URL")).await.expect("a device");
        let places = Listen { web: Some("127.0.0.1:0".to_owned()), ..Listen::default() };
        let server = Server::open(link, BS05.analog, &places).await.expect("a port");
        let port = server.addresses().web.expect("a page").port();
        tokio::select! {
            ended = server.run(drop) => panic!("{:?}", ended.err()),
            () = client(bytes, port) => {}
        }
    });
});

async fn client(bytes: &[u8], port: u16) {
    match bytes.split_first() {
        Some((b'H', request)) => http(request, port).await,
        Some((_, messages)) => messages_to_socket(messages, port).await,
        None => {}
    }
    let state = b"GET /api/v1/state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = timeout(LIMIT, asked(state, port)).await.expect("the next client waits for ever");
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

/// All that is answered until the server hangs up.
async fn asked(request: &[u8], port: u16) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    // Either may fail because the server has hung up at the other.
    let _ = stream.write_all(request).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

async fn http(request: &[u8], port: u16) {
    // A client that has more to send, or waits for a trace, is not to be waited for.
    let Ok(answer) = timeout(LIMIT / 5, asked(request, port)).await else { return };
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    assert!(!answer.starts_with(b"HTTP/1.1 200") || text.contains("host:"), "{text}");
}

async fn messages_to_socket(messages: &[u8], port: u16) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let mut sent = UPGRADE.to_vec();
    for message in messages.split(|byte| *byte == b'\n') {
        sent.extend(frame(message));
    }
    // A message of the client's own, after which the server hangs up: FIN and close.
    sent.extend([0x88, 0x80, 0, 0, 0, 0]);
    // It may hang up sooner: what is not text is none of its messages.
    let _ = stream.write_all(&sent).await;
    let mut answer = Vec::new();
    let closed = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "it does not hang up");
}

/// A frame of text with a mask of zeros.
fn frame(text: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x81];
    if text.len() <= MAX_SHORT {
        frame.push(0x80 | text.len() as u8);
    } else {
        frame.push(0x80 | 126);
        frame.extend((text.len().min(usize::from(u16::MAX)) as u16).to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(&text[..text.len().min(usize::from(u16::MAX))]);
    frame
}
