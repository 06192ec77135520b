//! The device itself over the network: over TCP, as a bitscope-server over UDP, and over a pseudo-terminal.
//!
//! One client has the device at a time; [`Rules`] decide about the others. What the device
//! is, a simulated one or one that is lent by the instrument, is the business of a [`Device`].

mod arbiter;
mod client;
pub mod datagrams;
mod lent;
mod lobby;
mod origin;
#[cfg(unix)]
mod pty;
#[cfg(not(unix))]
#[path = "no_pty.rs"]
mod pty;
mod sockets;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use embassy_futures::select::{Either, select};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use self::arbiter::MAX_LEAVING;
pub(super) use self::arbiter::{Arbiter, Rules};
use self::client::Session;
pub(super) use self::datagrams::lossy_network::LossyNetwork;
pub(super) use self::lent::LentDevice;
use self::lobby::{Arrival, Lobby, MAX_SILENT};
pub(super) use self::pty::Pty;
pub(super) use self::sockets::Sockets;
use crate::event::Event;
use crate::listeners::is_passing;
use crate::until;
use scopething::link::refusal;
use scopething_sim::{Note, Origin};

/// Bytes handed from one side to the other at a time.
const CHUNK: usize = 4096;
/// How often in a row the device comes first, so that a client which has closed its side still gets what it asked for: whole
/// dumps of the buffer. Then clients come first, since a device that streams faster than that can be passed on is ended by
/// their commands alone.
const MAX_ANSWERED_IN_A_ROW: usize = 16;

/// What was done with the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relayed {
    /// It has taken this many command bytes.
    Sent(usize),
    /// It has answered.
    Answered,
    /// Others than raw clients wait for it, and did not before.
    Requested,
    /// Its link is closed.
    Closed,
}

/// A device as a stream of bytes that attributes each byte of an answer to the byte sent.
pub(super) trait Device {
    /// Hands commands over or fetches up to `most` answers, whichever can be done; each answer with the
    /// number of the byte sent that it answers.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    async fn relay(&mut self, commands: &[u8], max: usize, answers: &mut Vec<(Origin, u8)>) -> Relayed;

    /// Another client has the device.
    fn take_over(&mut self);

    /// No client has the device.
    fn give_back(&mut self);

    /// Reopens its link, which was closed, or returns why that cannot be done now.
    fn reopen(&mut self) -> Option<&str>;

    /// Whether others than raw clients wait for it.
    fn is_wanted(&self) -> bool;

    /// Its notes about what its client did.
    fn notes(&mut self) -> Vec<Note>;
}

/// An event that is waited for.
enum Wake {
    Accepted(TcpStream, SocketAddr),
    /// The first bytes of a connection have come.
    Arrived(Arrival),
    Datagram(io::Result<(usize, SocketAddr)>),
    FromPty(io::Result<usize>),
    FromSession(io::Result<usize>),
    ToSession(io::Result<usize>),
    Relayed(Relayed),
    /// A client has waited, or was silent, for long enough.
    Time,
}

/// Bytes on their way while serving.
struct Buffers {
    /// How often in a row the device was heard.
    answered_in_a_row: usize,
    /// Commands that the device has not taken yet.
    commands: Vec<u8>,
    /// Bytes the device has taken since the server started.
    sent: Origin,
    answers: Vec<(Origin, u8)>,
    datagram: Vec<u8>,
    typed: Vec<u8>,
    stream: Vec<u8>,
}

/// Connections over TCP that are held at a time: silent, waiting, served, leaving.
pub(super) const fn max_connections(rules: &Rules) -> usize {
    MAX_SILENT + rules.max_waiting + 1 + MAX_LEAVING
}

/// Lets clients use a device until the future is dropped; connections over TCP come through `arriving`, events are passed to
/// `report`.
pub(super) async fn serve(
    device: &mut impl Device,
    sockets: &Sockets,
    arriving: &mut mpsc::Receiver<(TcpStream, SocketAddr)>,
    rules: Rules,
    network: &mut LossyNetwork,
    report: &mut dyn FnMut(Event),
) -> io::Result<Infallible> {
    let mut arbiter = Arbiter::new(rules, report, network);
    let mut lobby = Lobby::default();
    let mut buffers = Buffers {
        answered_in_a_row: 0,
        commands: Vec::new(),
        sent: 0,
        answers: Vec::new(),
        datagram: vec![0; CHUNK],
        typed: vec![0; CHUNK],
        stream: vec![0; CHUNK],
    };
    loop {
        let wake = next(device, sockets, arriving, &mut lobby, &arbiter, &mut buffers).await;
        match wake {
            Wake::Accepted(stream, peer) => {
                if let Some(stream) = arbiter.welcome(stream, peer, sockets) {
                    lobby.enter(stream, peer);
                }
            }
            wake => handle(device, sockets, wake, &mut arbiter, &mut buffers)?,
        }
        if let Some(brought) = arbiter.poll(device.is_wanted(), buffers.sent, sockets) {
            buffers.commands = brought;
        }
        let new_session = arbiter.has_new_session();
        if new_session || arbiter.session().is_none() {
            device.give_back();
        }
        // A session may have ended by what it began with.
        if new_session && arbiter.session().is_some() {
            device.take_over();
        }
        for note in device.notes() {
            arbiter.report(Event::Device(note));
        }
    }
}

async fn next(
    device: &mut impl Device,
    sockets: &Sockets,
    arriving: &mut mpsc::Receiver<(TcpStream, SocketAddr)>,
    lobby: &mut Lobby,
    arbiter: &Arbiter<'_>,
    buffers: &mut Buffers,
) -> Wake {
    let session = arbiter.session();
    // The next commands are taken when the device has the last ones, answers when the session has the last
    // ones.
    let idle = buffers.commands.is_empty();
    let full = session.is_some_and(Session::has_output);
    let max = if full { 0 } else { CHUNK };
    let deadline = arbiter.deadline(device.is_wanted());
    let Buffers { answered_in_a_row, commands, answers, datagram, typed, stream, .. } = buffers;
    let from_device = async { Wake::Relayed(device.relay(commands, max, answers).await) };
    let from_clients = async {
        tokio::select! {
            biased;
            received = sockets.receive_datagram(datagram), if idle => Wake::Datagram(received),
            count = sockets.read_pty(typed), if idle => Wake::FromPty(count),
            count = sockets.read_stream(session, stream), if idle => Wake::FromSession(count),
            () = until(deadline) => Wake::Time,
            // Last: a client that reconnects must be seen to disconnect first.
            arrival = lobby.next() => Wake::Arrived(arrival),
            Some((stream, peer)) = arriving.recv() => Wake::Accepted(stream, peer),
        }
    };
    let either = async {
        let woken = if *answered_in_a_row >= MAX_ANSWERED_IN_A_ROW {
            select(from_clients, from_device).await
        } else {
            select(from_device, from_clients).await
        };
        match woken {
            Either::First(wake) | Either::Second(wake) => wake,
        }
    };
    let wake = tokio::select! {
        biased;
        count = sockets.write_to(session), if full => Wake::ToSession(count),
        wake = either => wake,
    };
    match wake {
        Wake::Relayed(Relayed::Answered) => *answered_in_a_row += 1,
        Wake::ToSession(_) => {}
        _ => *answered_in_a_row = 0,
    }
    wake
}

fn handle(
    device: &mut impl Device,
    sockets: &Sockets,
    wake: Wake,
    arbiter: &mut Arbiter<'_>,
    buffers: &mut Buffers,
) -> io::Result<()> {
    let taken = |buffer: &[u8], count: usize| buffer.get(..count).unwrap_or_default().to_vec();
    match wake {
        Wake::Arrived(Arrival::Client { stream, peer, commands }) => {
            if let Some(commands) = arbiter.arrive(stream, peer, commands, sockets) {
                buffers.commands = commands;
            }
        }
        Wake::Arrived(Arrival::Foreign { peer, foreign }) => {
            let client = format!("tcp {peer}");
            arbiter.report(Event::Refused { client, reason: foreign.to_string() });
        }
        Wake::Datagram(Err(cause)) if is_passing(&cause) => {}
        Wake::Datagram(Err(cause)) | Wake::FromPty(Err(cause)) => return Err(cause),
        Wake::Datagram(Ok((count, peer))) => {
            let bytes = taken(&buffers.datagram, count);
            buffers.commands.extend(arbiter.take_datagram(&bytes, peer, buffers.sent, sockets));
        }
        Wake::FromPty(Ok(count)) if arbiter.admit_pty(sockets) => {
            buffers.commands.extend(arbiter.permitted(taken(&buffers.typed, count), sockets));
        }
        Wake::FromPty(Ok(_))
        | Wake::Time
        | Wake::Relayed(Relayed::Requested)
        | Wake::Arrived(Arrival::Gone)
        | Wake::Accepted(..) => {}
        Wake::FromSession(Ok(count)) if count > 0 => {
            arbiter.touch_session();
            buffers.commands.extend(arbiter.permitted(taken(&buffers.stream, count), sockets));
        }
        Wake::FromSession(_) | Wake::ToSession(Err(_)) => arbiter.leave(),
        Wake::ToSession(Ok(count)) => arbiter.written(count),
        Wake::Relayed(Relayed::Closed) => {
            buffers.commands.clear();
            match device.reopen() {
                Some(reason) => arbiter.dismiss(&refusal::other(reason), sockets),
                None => arbiter.leave(),
            }
        }
        Wake::Relayed(Relayed::Sent(count)) => {
            buffers.commands.drain(..count.min(buffers.commands.len()));
            buffers.sent += count as Origin;
        }
        Wake::Relayed(Relayed::Answered) => arbiter.answer(std::mem::take(&mut buffers.answers)),
    }
    Ok(())
}
