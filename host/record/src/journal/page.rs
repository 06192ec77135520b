//! The status as a page that Prometheus reads, on an address of this computer alone.
//!
//! Whatever is asked for is answered with that page, several readers at a time, and each has a bounded time to ask. What a
//! web page could ask for is refused: a request that names another host than this computer, or that comes from a page
//! ([`Origin`](https://www.rfc-editor.org/rfc/rfc6454#section-7)).

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::status::Status;

/// A reader that takes longer is left.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// More than a request of a browser or of Prometheus takes.
const MAX_REQUEST_BYTES: usize = 16 << 10;
/// Readers at a time; the one that has been there for longest makes room for a further one.
const MAX_READERS: usize = 16;
/// How long accepting rests when the system has no more descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// A page that listens already.
#[derive(Debug)]
pub struct Page {
    listener: TcpListener,
    status: watch::Receiver<Status>,
}

impl Page {
    /// Listens; port 0 takes a free one.
    ///
    /// # Errors
    /// If the address cannot be had.
    pub async fn bind(address: SocketAddr, status: watch::Receiver<Status>) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, status })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not report it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is dropped.
    pub async fn serve(self) {
        let mut readers = JoinSet::new();
        let mut present: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            // A client that disconnected before it was accepted is ignored.
            let Ok((reader, _)) = self.listener.accept().await else {
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            };
            while readers.try_join_next().is_some() {}
            present.retain(|reader| !reader.is_finished());
            if present.len() >= MAX_READERS
                && let Some(oldest) = present.pop_front()
            {
                oldest.abort();
                while !oldest.is_finished() && readers.join_next().await.is_some() {}
            }
            let status = self.status.clone();
            // One that does not read its answer is left.
            present.push_back(readers.spawn(async move {
                let _ = tokio::time::timeout(READ_TIMEOUT, answer(reader, &status)).await;
            }));
        }
    }
}

/// What a request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The page.
    Page,
    /// It is no request of HTTP.
    Malformed,
    /// It names no host, or another one than this computer, as a web page does whose name was made to lead here.
    WrongHost,
    /// A web page asks.
    FromWebPage,
}

impl Verdict {
    /// Judges the head of a request.
    ///
    /// ```
    /// use scopething_record::Verdict;
    ///
    /// assert_eq!(Verdict::of(b"GET /metrics HTTP/1.1\r\nHost: localhost:9100\r\n\r\n"), Verdict::Page);
    /// assert_eq!(Verdict::of(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"), Verdict::WrongHost);
    /// ```
    #[must_use]
    pub fn of(head: &[u8]) -> Self {
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let Some(request) = lines.next().filter(|line| line.windows(6).any(|part| part == b" HTTP/")) else {
            return Self::Malformed;
        };
        let (mut host, mut hosts, mut from_page) = (None, 0, false);
        for line in lines.take_while(|line| !line.is_empty()) {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Self::Malformed };
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            match name.to_ascii_lowercase().as_slice() {
                b"host" => (host, hosts) = (Some(value), hosts + 1),
                b"origin" => from_page = true,
                _ => {}
            }
        }
        // HTTP/1.0 needs no host, but every browser has sent one for long.
        match host {
            _ if !(request.starts_with(b"GET ") || request.starts_with(b"HEAD ")) => Self::Malformed,
            _ if from_page => Self::FromWebPage,
            Some(host) if hosts == 1 && is_this_computer(host) => Self::Page,
            _ => Self::WrongHost,
        }
    }

    fn status(self) -> &'static str {
        match self {
            Self::Page => "200 OK",
            Self::Malformed => "400 Bad Request",
            Self::WrongHost => "421 Misdirected Request",
            Self::FromWebPage => "403 Forbidden",
        }
    }
}

/// Whether a host is `localhost` or a loopback address, with any port.
fn is_this_computer(host: &[u8]) -> bool {
    let Ok(host) = str::from_utf8(host) else { return false };
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && !name.contains(':') => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    bare.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

async fn answer(mut reader: TcpStream, status: &watch::Receiver<Status>) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < MAX_REQUEST_BYTES {
        if reader.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let verdict = Verdict::of(&request);
    let page = match verdict {
        Verdict::Page => status.borrow().prometheus(),
        refused => format!("{}\n", refused.status()),
    };
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        verdict.status(),
        page.len()
    );
    reader.write_all(head.as_bytes()).await?;
    if !request.starts_with(b"HEAD ") {
        reader.write_all(page.as_bytes()).await?;
    }
    reader.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_this_computer_or_refused() {
        let verdict = |head: &str| Verdict::of(format!("GET / HTTP/1.1\r\n{head}\r\n").as_bytes());
        for host in
            ["localhost", "LOCALHOST:9100", "127.0.0.1:9100", "127.0.0.1", "[::1]:9100", "[::1]", "::1"]
        {
            assert_eq!(verdict(&format!("Host: {host}\r\n")), Verdict::Page, "{host}");
        }
        for host in ["example.org", "127.0.0.1.example.org", "10.0.0.1:9100", "", "localhost:x", "[::2]:1"] {
            assert_eq!(verdict(&format!("Host: {host}\r\n")), Verdict::WrongHost, "{host}");
        }
        assert_eq!(verdict(""), Verdict::WrongHost);
        assert_eq!(verdict("Host: localhost\r\nHost: example.org\r\n"), Verdict::WrongHost);
        assert_eq!(verdict("Host: localhost\r\nORIGIN: null\r\n"), Verdict::FromWebPage);
        assert_eq!(Verdict::of(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"), Verdict::Malformed);
        assert_eq!(Verdict::of(b"!?"), Verdict::Malformed);
    }
}
