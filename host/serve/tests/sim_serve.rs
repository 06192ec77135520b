//! The simulated device as the outside world sees it: over TCP, UDP and a pseudo-terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use scopething_serve::Event;
use scopething_serve::simulator::{Addresses, ServeOptions, Server};
use scopething_sim::SimConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a client beside a server, to the end of the client.
fn with_server<F: Future<Output = ()>>(
    query: &str,
    client: impl FnOnce(Addresses, UnboundedReceiver<Event>) -> F,
) {
    let local = "127.0.0.1:0".to_owned();
    let options = ServeOptions {
        tcp: Some(local.clone()),
        bitscope_server: Some(local),
        pty: cfg!(unix),
        ..ServeOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::bind(&SimConfig::from_query(query).unwrap(), &options).await.unwrap();
        let (sender, events) = unbounded_channel();
        let addresses = server.addresses();
        tokio::select! {
            ended = server.run(|event| { let _ = sender.send(event); }) => panic!("{ended:?}"),
            done = timeout(TIMEOUT, client(addresses, events)) => done.expect("the client hangs"),
        }
    });
}

async fn ask(stream: &mut TcpStream, command: &[u8], answer: &[u8]) {
    stream.write_all(command).await.unwrap();
    let mut buffer = vec![0; answer.len()];
    stream.read_exact(&mut buffer).await.unwrap();
    assert_eq!(buffer, answer);
}

#[test]
fn further_tcp_clients_are_rejected() {
    with_server("", |addresses, mut events| async move {
        let address = addresses.tcp.unwrap();
        let mut holder = TcpStream::connect(address).await.unwrap();
        ask(&mut holder, b"!?", b"!?\rBS000501\r").await;
        let mut other = TcpStream::connect(address).await.unwrap();
        let mut reason = String::new();
        other.read_to_string(&mut reason).await.unwrap();
        let holder_name = format!("tcp {}", holder.local_addr().unwrap());
        assert_eq!(reason, format!("refused: {holder_name} has the device\r\n"));
        ask(&mut holder, b"?", b"?\rBS000501\r").await;
        let expected = [
            Event::Acquired { client: holder_name.clone() },
            Event::Refused {
                client: format!("tcp {}", other.local_addr().unwrap()),
                reason: format!("{holder_name} has the device"),
            },
        ];
        for event in expected {
            assert_eq!(events.recv().await, Some(event));
        }
    });
}

#[test]
fn thousand_clients_come_and_go() {
    with_server("", |addresses, _| async move {
        for _ in 0..1000 {
            let mut client = TcpStream::connect(addresses.tcp.unwrap()).await.unwrap();
            ask(&mut client, b"!?", b"!?\rBS000501\r").await;
        }
    });
}

#[test]
fn queries_before_disconnect_are_answered() {
    with_server("", |addresses, _| async move {
        let mut client = TcpStream::connect(addresses.tcp.unwrap()).await.unwrap();
        client.write_all(b"?").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"?\rBS000501\r");
    });
}

#[test]
fn slow_reader_does_not_stop_server() {
    with_server("", |addresses, _| async move {
        let mut deaf = TcpStream::connect(addresses.tcp.unwrap()).await.unwrap();
        // DumpCount and DumpRepeat at their most: four gigabytes.
        deaf.write_all(b"[1c]@[ff]zs[16]@zsA").await.unwrap();
        let mut other = TcpStream::connect(addresses.tcp.unwrap()).await.unwrap();
        // One that sends nothing is neither served nor refused.
        other.write_all(b"?").await.unwrap();
        let mut reason = String::new();
        other.read_to_string(&mut reason).await.unwrap();
        assert!(reason.starts_with("refused"));
    });
}

#[test]
fn closing_fault_serves_next_client() {
    with_server("faults=close@5", |addresses, _| async move {
        let mut first = TcpStream::connect(addresses.tcp.unwrap()).await.unwrap();
        first.write_all(b"?").await.unwrap();
        let mut answer = Vec::new();
        first.read_to_end(&mut answer).await.unwrap();
        assert!(b"?\rBS000501\r".starts_with(&answer), "{answer:?}");
        let mut second = TcpStream::connect(addresses.tcp.unwrap()).await.unwrap();
        ask(&mut second, b"?", b"?\rBS000501\r").await;
    });
}

/// A bitscope-server's client: datagrams by identifier and sequence.
struct UdpClient {
    socket: UdpSocket,
    answers: BTreeMap<(u8, u8), Vec<u8>>,
}

impl UdpClient {
    async fn connect(addresses: &Addresses) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(addresses.bitscope_server.unwrap()).await.unwrap();
        Self { socket, answers: BTreeMap::new() }
    }

    async fn send(&self, id: u8, commands: &[u8]) {
        self.socket.send(&[&[id], commands].concat()).await.unwrap();
    }

    async fn receive(&mut self) -> (u8, u8, Vec<u8>) {
        let mut buffer = [0; 2000];
        let count = self.socket.recv(&mut buffer).await.unwrap();
        let (id, sequence, data) = (buffer[2], buffer[3], buffer[4..count].to_vec());
        self.answers.insert((id, sequence), data.clone());
        (id, sequence, data)
    }

    /// The answer to a command, once so many bytes of it are there.
    async fn answer(&mut self, id: u8, length: usize) -> Vec<u8> {
        loop {
            let parts = self.answers.iter().filter(|((of, _), _)| *of == id);
            let whole: Vec<u8> = parts.flat_map(|(_, data)| data.clone()).collect();
            if whole.len() >= length {
                return whole;
            }
            self.receive().await;
        }
    }
}

#[test]
fn datagrams_are_answered_under_their_identifier() {
    with_server("A=dc,1V", |addresses, _| async move {
        let mut client = UdpClient::connect(&addresses).await;
        client.send(7, b"!").await;
        assert_eq!(client.answer(7, 1).await, b"!");
        client.send(8, b"?").await;
        assert_eq!(client.answer(8, 11).await, b"?\rBS000501\r");
        // A trace that never triggers (no line is as the pattern), cancelled under another identifier.
        client.send(9, b"[21]@[0e]s[32]@[01]s[34]@s[05]@[ff]s>UD").await;
        let started = client.answer(9, 39 + 12).await;
        assert_eq!(started[39..42], *b"02\r");
        client.send(10, b"K").await;
        assert_eq!(client.answer(10, 1).await, b"K");
        let ended = client.answer(9, 51 + 21).await;
        assert_eq!(ended[51..54], *b"03\r");
    });
}

#[test]
fn repeated_datagram_is_not_executed_again() {
    with_server("", |addresses, mut events| async move {
        let mut client = UdpClient::connect(&addresses).await;
        // Each execution would move R1 on by one.
        client.send(1, b"[20]@[05]z[06]zp").await;
        let first = client.receive().await;
        client.send(1, b"[20]@[05]z[06]zp").await;
        assert_eq!(client.receive().await, first);
        client.send(2, b"[07]s[22]@p").await;
        assert!(client.answer(2, 15).await.ends_with(b"\r07\r"));
        client.send(3, &[b'['; 65]).await;
        client.send(4, b"?").await;
        assert_eq!(client.answer(4, 11).await, b"?\rBS000501\r");
        let name = format!("udp {}", client.socket.local_addr().unwrap());
        assert_eq!(events.recv().await, Some(Event::Acquired { client: name.clone() }));
        assert_eq!(events.recv().await, Some(Event::Malformed { client: name, bytes: 66 }));
    });
}

#[test]
fn lost_datagrams_are_retried() {
    with_server("faults=lose@0;lose@w1;stranger@1", |addresses, _| async move {
        let mut client = UdpClient::connect(&addresses).await;
        client.send(1, b"?").await;
        // The first answer is lost, the second question as well; the third gets the answer. What a foreign peer
        // sends does not get through to a connected socket.
        client.send(1, b"?").await;
        client.send(1, b"?").await;
        assert_eq!(client.receive().await, (1, 0, b"?\rBS000501\r".to_vec()));
        client.send(2, b"]").await;
        assert_eq!(client.receive().await, (2, 1, b"]".to_vec()));
    });
}

#[test]
fn further_udp_clients_are_rejected_with_holder() {
    with_server("", |addresses, _| async move {
        let mut holder = TcpStream::connect(addresses.tcp.unwrap()).await.unwrap();
        ask(&mut holder, b"!", b"!").await;
        let mut other = UdpClient::connect(&addresses).await;
        other.send(3, b"?").await;
        let (id, sequence, reason) = other.receive().await;
        let expected = format!("refused: tcp {} has the device", holder.local_addr().unwrap());
        assert_eq!((id, sequence, reason), (3, 1, expected.into_bytes()));
    });
}

#[test]
fn udp_clients_come_and_go() {
    with_server("", |addresses, _| async move {
        let holder = UdpClient::connect(&addresses).await;
        holder.send(1, b"!").await;
        let mut other = UdpClient::connect(&addresses).await;
        other.send(1, b"?").await;
        assert!(other.receive().await.2.starts_with(b"refused: udp"));
        drop(holder);
        for _ in 0..1000 {
            other.send(2, b"?").await;
            assert_eq!(other.receive().await.2, b"?\rBS000501\r");
            other = UdpClient::connect(&addresses).await;
        }
    });
}

#[cfg(unix)]
#[test]
fn pseudo_terminal_is_a_raw_serial_line() {
    with_server("", |addresses, _| async move {
        let path = addresses.pty.unwrap();
        let terminal = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let answer = tokio::task::spawn_blocking(move || {
            use std::io::{Read, Write};
            let mut terminal = terminal;
            // A line feed would be changed, and ^C swallowed, by a terminal that is not raw.
            terminal.write_all(b"!\n\x03?").unwrap();
            let mut answer = [0; 14];
            terminal.read_exact(&mut answer).unwrap();
            answer
        });
        assert_eq!(&answer.await.unwrap(), b"!\n\x03?\rBS000501\r");
    });
}
