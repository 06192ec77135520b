//! The status as a page that Prometheus reads, on an address of this computer alone.
//!
//! Whatever is asked for is answered with that page, one reader at a time, and each has a bounded time to ask.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::status::Status;

/// A reader that takes longer is left.
const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// More than a request of a browser or of Prometheus takes.
const MAX_REQUEST_BYTES: usize = 16 << 10;

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
        loop {
            // A client that disconnected before it was accepted is ignored.
            if let Ok((reader, _)) = self.listener.accept().await {
                let page = self.status.borrow().prometheus();
                // So is one that does not read its answer.
                let _ = tokio::time::timeout(READ_TIMEOUT, answer(reader, &page)).await;
            } else {
                tokio::time::sleep(READ_TIMEOUT).await;
            }
        }
    }
}

async fn answer(mut reader: TcpStream, page: &str) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < MAX_REQUEST_BYTES {
        if reader.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        page.len()
    );
    reader.write_all(head.as_bytes()).await?;
    reader.write_all(page.as_bytes()).await?;
    reader.shutdown().await
}
