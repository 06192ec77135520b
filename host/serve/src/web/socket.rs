//! A client of the page behind a WebSocket.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use scopething_instrument::page::{self, Channel, FromClient, Gone, Role, Shared, ToClient};

use crate::connections::{LastSeen, WRITE_TIMEOUT};

/// The longest message that a client may send, in bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 16 * 1024;

struct Socket {
    socket: WebSocket,
    last_seen: LastSeen,
}

impl Channel for Socket {
    async fn receive(&mut self) -> Result<FromClient, Gone> {
        loop {
            let message = self.socket.recv().await;
            self.last_seen.now();
            match message {
                Some(Ok(Message::Text(text))) => return Ok(FromClient::Text(text.as_str().to_owned())),
                Some(Ok(Message::Binary(_))) => return Ok(FromClient::Bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Gone),
            }
        }
    }

    async fn send(&mut self, message: ToClient) -> Result<(), Gone> {
        let message = match message {
            ToClient::Text(text) => Message::Text(text.into()),
            ToClient::Frame(bytes) => Message::Binary(bytes.into()),
        };
        match tokio::time::timeout(WRITE_TIMEOUT, self.socket.send(message)).await {
            Ok(Ok(())) => {
                self.last_seen.now();
                Ok(())
            }
            _ => Err(Gone),
        }
    }
}

/// Serves a client to its end.
pub(super) async fn serve(
    socket: WebSocket,
    shared: Arc<Shared>,
    role: Role,
    name: String,
    last_seen: LastSeen,
) {
    page::serve(Socket { socket, last_seen }, shared, role, name).await;
}
