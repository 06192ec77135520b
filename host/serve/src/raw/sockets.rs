//! The sockets of raw clients.

use std::future::pending;
use std::io;
use std::net::SocketAddr;

use tokio::net::UdpSocket;

use super::client::{Client, Session};
use super::datagrams::lossy_network::Delivered;
use super::pty::Pty;
use crate::allow::Allow;

/// The sockets, and who may use them. Connections over TCP are accepted elsewhere.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) udp: Option<UdpSocket>,
    /// Another socket, for simulated datagrams of a foreign peer.
    pub(crate) foreign_udp: Option<UdpSocket>,
    pub(crate) pty: Option<Pty>,
    /// Who may send datagrams from other machines.
    pub(crate) allow: Allow,
}

impl Sockets {
    pub(super) async fn receive_datagram(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let Some(socket) = &self.udp else { return pending().await };
        loop {
            let (count, peer) = socket.recv_from(buffer).await?;
            if self.allow.admits(peer.ip()) {
                return Ok((count, peer));
            }
        }
    }

    pub(super) async fn read_pty(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.pty {
            Some(pty) => pty.read(buffer).await,
            None => pending().await,
        }
    }

    /// Reads from the session, if it is a TCP one.
    pub(super) async fn read_stream(
        &self,
        session: Option<&Session>,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let Some(Client::Tcp { stream, .. }) = session.map(|session| &session.client) else {
            return pending().await;
        };
        loop {
            stream.readable().await?;
            match stream.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// Writes from the front of the session's output and returns how many bytes.
    pub(super) async fn write_to(&self, session: Option<&Session>) -> io::Result<usize> {
        let Some((client, Delivered { bytes, is_foreign })) =
            session.and_then(|session| Some((&session.client, session.output.front()?)))
        else {
            return pending().await;
        };
        match client {
            Client::Tcp { stream, .. } => loop {
                stream.writable().await?;
                match stream.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            },
            Client::Udp { peer, .. } => match if *is_foreign { &self.foreign_udp } else { &self.udp } {
                Some(socket) => socket.send_to(bytes, peer).await,
                None => pending().await,
            },
            Client::Pty => match &self.pty {
                Some(pty) => pty.write(bytes).await,
                None => pending().await,
            },
        }
    }

    /// Sends a UDP client why it is not served; if that cannot be sent at once, it is dropped.
    pub(super) fn reject(&self, datagram: &[u8], peer: SocketAddr) {
        if let Some(socket) = &self.udp {
            let _ = socket.try_send_to(datagram, peer);
        }
    }
}
