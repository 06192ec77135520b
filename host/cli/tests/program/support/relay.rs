//! A relay between one client and a server. It counts what the server sends, and holds it back or closes after
//! so many bytes.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::bounded;

/// How much of what the server sends reaches the client, counted from the beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) bytes: u64,
    /// What happens there: the relay closes, or is silent until there is another limit.
    pub(crate) close: bool,
}

impl Limit {
    pub(crate) const NONE: Self = Self { bytes: u64::MAX, close: false };

    pub(crate) fn silent_after(bytes: u64) -> Self {
        Self { bytes, close: false }
    }

    pub(crate) fn closed_after(bytes: u64) -> Self {
        Self { bytes, close: true }
    }
}

/// What went through.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Forwarded {
    /// Bytes from the server to the client.
    pub(crate) answered: u64,
    /// Whether the client has sent `K`, the command that cancels a trace. No number has it as a digit.
    pub(crate) cancelled: bool,
    /// How many pieces of what the client sent have `!`, the reset. No number has it as a digit.
    pub(crate) resets: usize,
}

pub(crate) struct Relay {
    /// Where the client finds it.
    pub(crate) url: String,
    limit: watch::Sender<Limit>,
    forwarded: watch::Receiver<Forwarded>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Waits for a client, to be connected with the server at an address.
    pub(crate) async fn start(server: &str, limit: Limit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("socket://{}", listener.local_addr().unwrap());
        let (limit, limits) = watch::channel(limit);
        let (counter, forwarded) = watch::channel(Forwarded::default());
        let server = server.to_owned();
        let task = tokio::spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(server).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let answers = async {
                let mut to_client = pass_answers(from_server, to_client, limits, &counter).await;
                // The client's last words are still read: a connection closed on unread bytes is reset.
                let _ = to_client.shutdown().await;
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = pass_commands(from_client, to_server, &counter) => {}
                () = answers => {}
            }
        });
        Self { url, limit, forwarded, task }
    }

    pub(crate) fn set_limit(&self, limit: Limit) {
        self.limit.send_replace(limit);
    }

    /// What has gone through so far.
    pub(crate) fn forwarded(&self) -> Forwarded {
        *self.forwarded.borrow()
    }

    /// Waits until so much has gone through.
    pub(crate) async fn until(&mut self, reached: impl FnMut(&Forwarded) -> bool) {
        bounded("what should go through", self.forwarded.wait_for(reached)).await.expect("the relay runs");
    }

    /// Waits until both ends are closed.
    pub(crate) async fn finish(self) {
        bounded("the end of the connection", self.task).await.unwrap();
    }
}

async fn pass_commands(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, counter: &watch::Sender<Forwarded>) {
    let mut bytes = [0; 256];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
        let cancelled = bytes[..count].contains(&b'K');
        let has_reset = bytes[..count].contains(&b'!');
        counter.send_modify(|forwarded| {
            forwarded.cancelled |= cancelled;
            forwarded.resets += usize::from(has_reset);
        });
    }
}

/// Returns the way to the client back when no more shall get through.
async fn pass_answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut limits: watch::Receiver<Limit>,
    counter: &watch::Sender<Forwarded>,
) -> OwnedWriteHalf {
    let mut bytes = [0; 256];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let mut rest = &bytes[..count];
        while !rest.is_empty() {
            let answered = counter.borrow().answered;
            let limit =
                limits.wait_for(|limit| limit.close || limit.bytes > answered).await.map(|limit| *limit);
            let Ok(limit) = limit else { return to };
            let allowed = usize::try_from(limit.bytes - answered).unwrap_or(usize::MAX).min(rest.len());
            if allowed == 0 || to.write_all(&rest[..allowed]).await.is_err() {
                return to;
            }
            rest = &rest[allowed..];
            counter.send_modify(|forwarded| forwarded.answered += allowed as u64);
        }
    }
    to
}
