//! Links to a bitscope-server on this machine, whose every datagram is scripted.

use std::net::SocketAddr;
use std::time::Duration;

use embedded_io_async::{Read as _, Write as _};
use scopething::link::{DatagramError, HostPort, LinkError, LinkUrl, UdpLink, open};
use tokio::net::UdpSocket;

/// Far longer than anything here takes: a test that waits so long has failed.
const HANG: Duration = Duration::from_secs(20);

async fn hang<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("hangs")
}

/// The server's socket, and where the client was last seen.
struct Server {
    socket: UdpSocket,
    client: Option<SocketAddr>,
}

impl Server {
    async fn start() -> (Self, UdpLink) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = HostPort { host: "127.0.0.1".to_owned(), port: socket.local_addr().unwrap().port() };
        let link = UdpLink::connect(&at).await.unwrap();
        (Self { socket, client: None }, link)
    }

    /// The next datagram must be these commands; gives its `Cmd_ID`.
    async fn expect(&mut self, commands: &[u8]) -> u8 {
        let mut datagram = [0; 100];
        let (length, client) = hang(self.socket.recv_from(&mut datagram)).await.unwrap();
        self.client = Some(client);
        assert_eq!(String::from_utf8_lossy(&datagram[1..length]), String::from_utf8_lossy(commands));
        datagram[0]
    }

    async fn answer(&self, data_seq: u8, cmd_id: u8, data: &[u8]) {
        send(&self.socket, self.client.unwrap(), data_seq, cmd_id, data).await;
    }

    /// Takes these commands and echoes them.
    async fn echo(&mut self, commands: &[u8]) {
        let id = self.expect(commands).await;
        self.answer(0, id, commands).await;
    }

    fn hears_nothing(&self) -> bool {
        let heard = self.socket.try_recv(&mut [0; 100]);
        heard.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

async fn send(from: &UdpSocket, to: SocketAddr, data_seq: u8, cmd_id: u8, data: &[u8]) {
    let datagram = [&[0x10, 0x20, cmd_id, data_seq], data].concat();
    from.send_to(&datagram, to).await.unwrap();
}

async fn read_text(link: &mut UdpLink, length: usize) -> String {
    let mut bytes = vec![0; length];
    hang(link.read_exact(&mut bytes)).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn capture_goes_over_in_datagrams() {
    let (mut server, mut link) = Server::start().await;
    let registers = "[21@[00z".repeat(10);
    let script = format!("{registers}>UD");
    let device = async {
        server.echo(&registers.as_bytes()[..64]).await;
        server.echo(format!("{}>", &registers[64..]).as_bytes()).await;
        server.echo(b"U").await;
        let trace = server.expect(b"D").await;
        server.answer(0, trace, b"D02\r00000000\r").await;
        let cancel = server.expect(b"K").await;
        server.answer(1, trace, b"03\r00000001\r00000002\r").await;
        server.answer(0, cancel, b"K").await;
        let dump = server.expect(b"A").await;
        server.answer(0, dump, b"A").await;
        server.answer(2, dump, b"second").await;
        server.answer(1, dump, b"first ").await;
        server.answer(1, dump, b"first ").await;
    };
    let client = async {
        hang(link.write_all(script.as_bytes())).await.unwrap();
        assert_eq!(read_text(&mut link, script.len() + 12).await, format!("{script}02\r00000000\r"));
        hang(link.write_all(b"K")).await.unwrap();
        assert_eq!(read_text(&mut link, 22).await, "K03\r00000001\r00000002\r");
        hang(link.write_all(b"A")).await.unwrap();
        assert_eq!(read_text(&mut link, 13).await, "Afirst second");
    };
    hang(async { tokio::join!(device, client) }).await;
}

#[tokio::test]
async fn lost_command_is_sent_again() {
    let (mut server, mut link) = Server::start().await;
    let device = async {
        let first = server.expect(b"?").await;
        let second = server.expect(b"?").await;
        assert_ne!(first, second);
        server.answer(0, second, b"?\rBS000501\r").await;
    };
    let client = async {
        hang(link.write_all(b"?")).await.unwrap();
        assert_eq!(read_text(&mut link, 11).await, "?\rBS000501\r");
    };
    hang(async { tokio::join!(device, client) }).await;
}

#[tokio::test]
async fn lost_dump_part_is_an_error_until_reset() {
    let (mut server, mut link) = Server::start().await;
    let device = async {
        let dump = server.expect(b"A").await;
        server.answer(0, dump, b"Aone").await;
        server.answer(2, dump, b"three").await;
        server.echo(b"!").await;
    };
    let client = async {
        hang(link.write_all(b"A")).await.unwrap();
        assert_eq!(read_text(&mut link, 4).await, "Aone");
        let error = hang(link.read(&mut [0; 8])).await.unwrap_err();
        assert!(matches!(error, LinkError::Datagram(DatagramError::Lost { data_seq: 1 })), "{error}");
        hang(link.write_all(b"!")).await.unwrap();
        assert_eq!(read_text(&mut link, 1).await, "!");
    };
    hang(async { tokio::join!(device, client) }).await;
}

#[tokio::test]
async fn foreign_datagram_is_ignored() {
    let (mut server, mut link) = Server::start().await;
    let foreign = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let device = async {
        let id = server.expect(b"?").await;
        send(&foreign, server.client.unwrap(), 0, id, b"?\rFORGED00\r").await;
        server.answer(0, id, b"?\rBS000501\r").await;
    };
    let client = async {
        hang(link.write_all(b"?")).await.unwrap();
        assert_eq!(read_text(&mut link, 11).await, "?\rBS000501\r");
    };
    hang(async { tokio::join!(device, client) }).await;
}

#[tokio::test(start_paused = true)]
async fn silent_server_is_an_error_in_bounded_time() {
    let (server, mut link) = Server::start().await;
    let start = tokio::time::Instant::now();
    link.write_all(b"[11@").await.unwrap();
    // The next write waits for the echo of the first.
    let error = link.write_all(b"n").await.unwrap_err();
    assert!(
        matches!(error, LinkError::Datagram(DatagramError::NoAnswer { command: b'@', sent: 3 })),
        "{error}"
    );
    assert!(start.elapsed() < Duration::from_secs(2));
    drop(server);
}

#[tokio::test(start_paused = true)]
async fn unread_answer_is_not_late() {
    let (mut server, mut link) = Server::start().await;
    link.write_all(b"U").await.unwrap();
    server.echo(b"U").await;
    tokio::time::advance(Duration::from_mins(1)).await;
    assert_eq!(read_text(&mut link, 1).await, "U");
    assert!(server.hears_nothing());
}

#[tokio::test]
async fn dropped_futures_lose_nothing() {
    let (mut server, mut link) = Server::start().await;
    link.write_all(b"U").await.unwrap();
    let id = server.expect(b"U").await;
    let now = std::future::ready(());
    let mut buf = [0; 8];
    tokio::select! { biased; _ = link.write(b"n") => panic!("not answered yet"), () = now.clone() => {} }
    tokio::select! { biased; _ = link.read(&mut buf) => panic!("nothing to read"), () = now => {} }
    server.answer(0, id, b"U").await;
    assert_eq!(read_text(&mut link, 1).await, "U");
    link.write_all(b">").await.unwrap();
    server.echo(b">").await;
    assert_eq!(read_text(&mut link, 1).await, ">");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn closed_port_fails_at_once() {
    let port = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url: LinkUrl = format!("bitscope-server://127.0.0.1:{port}").parse().unwrap();
    let mut link = open(&url).await.unwrap();
    assert_eq!(link.profile, UdpLink::PROFILE);
    link.stream.write_all(b"!").await.unwrap();
    let error = hang(link.stream.read(&mut [0; 8])).await.unwrap_err();
    assert_eq!(embedded_io::Error::kind(&error), embedded_io::ErrorKind::ConnectionRefused, "{error}");
}
