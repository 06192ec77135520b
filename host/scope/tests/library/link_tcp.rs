//! TCP links to a server on this machine.

use std::time::Duration;

use embedded_io_async::{Read as _, Write as _};
use scopething::link::{HostPort, LinkError, LinkUrl, OpenError, TcpLink, open};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Far longer than anything here takes: a test that waits so long has failed.
const HANG: Duration = Duration::from_secs(20);

async fn hang<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("hangs")
}

/// A link, and the server's side of it.
async fn connected() -> (TcpLink, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = HostPort { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    let (link, server) = hang(async { tokio::join!(TcpLink::connect(&at), listener.accept()) }).await;
    (link.unwrap(), server.unwrap().0)
}

#[tokio::test]
async fn bytes_go_both_ways() {
    let (mut link, mut server) = connected().await;
    hang(link.write_all(b"?")).await.unwrap();
    assert_eq!(hang(server.read_u8()).await.unwrap(), b'?');
    server.write_all(b"?\rBS0").await.unwrap();
    server.write_all(b"00501\r").await.unwrap();
    let mut answer = [0; 11];
    hang(link.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"?\rBS000501\r");
}

#[tokio::test]
async fn read_that_is_dropped_loses_nothing() {
    let (mut link, mut server) = connected().await;
    let sent: Vec<u8> = (0..=255).collect();
    let mut received = Vec::new();
    let mut buf = [0; 7];
    for chunk in sent.chunks(5) {
        tokio::select! {
            biased;
            count = link.read(&mut buf) => received.extend_from_slice(&buf[..count.unwrap()]),
            () = std::future::ready(()) => {}
        }
        server.write_all(chunk).await.unwrap();
    }
    while received.len() < sent.len() {
        let count = hang(link.read(&mut buf)).await.unwrap();
        received.extend_from_slice(&buf[..count]);
    }
    assert_eq!(received, sent);
}

#[tokio::test]
async fn closed_server_is_an_error_after_last_byte() {
    let (mut link, mut server) = connected().await;
    server.write_all(b"last").await.unwrap();
    drop(server);
    let mut last = [0; 4];
    hang(link.read_exact(&mut last)).await.unwrap();
    assert_eq!(&last, b"last");
    let error = hang(link.read(&mut last)).await.unwrap_err();
    assert!(matches!(error, LinkError::Closed), "{error}");
}

#[tokio::test]
async fn half_closed_server_still_receives() {
    let (mut link, mut server) = connected().await;
    server.shutdown().await.unwrap();
    let error = hang(link.read(&mut [0; 4])).await.unwrap_err();
    assert!(matches!(error, LinkError::Closed), "{error}");
    hang(link.write_all(b"K")).await.unwrap();
    assert_eq!(hang(server.read_u8()).await.unwrap(), b'K');
}

#[tokio::test]
async fn server_that_resets_is_an_error() {
    let (mut link, server) = connected().await;
    // Closing with unread bytes resets the connection.
    hang(link.write_all(b"unread")).await.unwrap();
    hang(server.readable()).await.unwrap();
    drop(server);
    let error = hang(link.read(&mut [0; 4])).await.unwrap_err();
    assert!(matches!(error, LinkError::Closed), "{error}");
    assert_eq!(embedded_io::Error::kind(&error), embedded_io::ErrorKind::BrokenPipe);
}

/// The driver reads a byte or a few at a time.
#[tokio::test]
async fn dismissal_is_whole_for_a_short_reader() {
    let (mut link, mut server) = connected().await;
    server.write_all(b"?\r").await.unwrap();
    hang(link.read_exact(&mut [0; 2])).await.unwrap();
    server.write_all(b"0refused: the device was given to others after 5 s\r\n").await.unwrap();
    let error = hang(link.read(&mut [0; 3])).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server took the BitScope away: the device was given to others after 5 s"
    );
}

#[tokio::test]
async fn refusal_is_no_dismissal_however_it_is_cut() {
    for cut in [1, 12, 30, 44] {
        let (mut link, mut server) = connected().await;
        let (first, second) = b"refused: tcp 127.0.0.1:40000 has the device\r\n".split_at(cut);
        server.set_nodelay(true).unwrap();
        server.write_all(first).await.unwrap();
        let mut read = vec![0; cut];
        hang(link.read_exact(&mut read)).await.unwrap();
        server.write_all(second).await.unwrap();
        server.shutdown().await.unwrap();
        let error = loop {
            if let Err(error) = hang(link.read(&mut [0; 20])).await {
                break error;
            }
        };
        assert!(
            matches!(&error, LinkError::InUse { owner } if **owner == *"tcp 127.0.0.1:40000"),
            "{cut}: {error}"
        );
    }
}

#[tokio::test]
async fn port_where_nothing_listens_refuses() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let url: LinkUrl = format!("socket://127.0.0.1:{port}").parse().unwrap();
    let error = hang(open(&url)).await.unwrap_err();
    assert!(matches!(error, OpenError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("check the port"), "{error}");
}

#[tokio::test]
async fn name_without_an_address_is_not_known() {
    let error = hang(open(&"socket://no-such-host.invalid:1".parse().unwrap())).await.unwrap_err();
    assert!(matches!(error, OpenError::UnknownHost { .. } | OpenError::NoAnswer { .. }), "{error}");
}

/// Linux leaves connections unanswered that a listener has no room for.
#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn unreachable_host_times_out() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let at = HostPort { host: "127.0.0.1".to_owned(), port: listener.local_addr().unwrap().port() };
    let mut queued = Vec::new();
    let error = loop {
        match TcpLink::connect(&at).await {
            Ok(link) => queued.push(link),
            Err(error) => break error,
        }
        assert!(queued.len() < 10, "nobody accepts these");
    };
    assert!(matches!(error, OpenError::NoAnswer { .. }), "{error}");
    assert!(error.to_string().contains("did not answer in 5 s"), "{error}");
}
