//! The device itself over the network: over TCP, as a bitscope-server over UDP, and over a pseudo-terminal.
//!
//! One client has the device at a time. What becomes of the others is a matter of [`Rules`]. What the device
//! is, a simulated one or one that is lent by the instrument, is the business of a [`Device`].

mod doors;
pub mod exchange;
mod house;
mod lent;
mod mishap;
mod numbers;
mod origin;
#[cfg(unix)]
mod pty;
#[cfg(not(unix))]
#[path = "no_pty.rs"]
mod pty;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::Instant;

pub(super) use self::doors::Doors;
pub(super) use self::house::{House, Owner, Rules};
pub(super) use self::lent::LentDevice;
pub(super) use self::mishap::Network;
pub(super) use self::pty::Pty;
use super::event::Event;
use super::viewers::is_passing;
use crate::sim::{Note, Origin};

/// Bytes handed from one side to the other at a time.
const CHUNK: usize = 4096;

/// What was done with the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relayed {
    /// It has taken so many commands.
    Sent(usize),
    /// It has answered.
    Answered,
    /// Others than raw clients wait for it, who did not before.
    Wanted,
    /// Its link is closed.
    Closed,
}

/// A device as a stream of bytes that can tell which byte answers which.
pub(super) trait Device {
    /// Hands commands over or fetches up to `most` answers, whichever can be done; each answer with the
    /// number of the byte sent that it answers.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    async fn relay(&mut self, commands: &[u8], most: usize, answers: &mut Vec<(Origin, u8)>) -> Relayed;

    /// Another client has the device.
    fn take_over(&mut self);

    /// Nobody has the device.
    fn give_back(&mut self);

    /// Its link, which was closed, is used on.
    fn mend(&mut self);

    /// Whether others than raw clients wait for it.
    fn is_wanted(&self) -> bool;

    /// What it has to say about what its client did.
    fn notes(&mut self) -> Vec<Note>;
}

/// What is waited for.
enum Happening {
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    Datagram(io::Result<(usize, SocketAddr)>),
    FromPty(io::Result<usize>),
    FromOwner(io::Result<usize>),
    ToOwner(io::Result<usize>),
    Relayed(Relayed),
    /// Somebody has waited, or was silent, for long enough.
    Time,
}

/// Bytes on their way while serving.
struct Buffers {
    /// Commands that the device has not taken yet.
    commands: Vec<u8>,
    /// Bytes the device has taken since the server started.
    sent: Origin,
    answers: Vec<(Origin, u8)>,
    datagram: Vec<u8>,
    typed: Vec<u8>,
    stream: Vec<u8>,
}

/// Lets clients use a device until the future is dropped; what happens is told to `report`.
pub(super) async fn serve(
    device: &mut impl Device,
    doors: &Doors,
    rules: Rules,
    network: &mut Network,
    report: &mut dyn FnMut(Event),
) -> io::Result<Infallible> {
    let mut house = House::new(rules, report, network);
    let mut buffers = Buffers {
        commands: Vec::new(),
        sent: 0,
        answers: Vec::new(),
        datagram: vec![0; CHUNK],
        typed: vec![0; CHUNK],
        stream: vec![0; CHUNK],
    };
    loop {
        let happening = next(device, doors, &house, &mut buffers).await;
        handle(device, doors, happening, &mut house, &mut buffers)?;
        if let Some(brought) = house.settle(device.is_wanted(), buffers.sent, doors) {
            buffers.commands = brought;
        }
        let new_owner = house.has_new_owner();
        if new_owner || house.owner().is_none() {
            device.give_back();
        }
        if new_owner {
            device.take_over();
        }
        for note in device.notes() {
            house.report(Event::Device(note));
        }
    }
}

async fn next(
    device: &mut impl Device,
    doors: &Doors,
    house: &House<'_>,
    buffers: &mut Buffers,
) -> Happening {
    let owner = house.owner();
    // The next commands are taken when the device has the last ones, answers when the owner has the last
    // ones.
    let idle = buffers.commands.is_empty();
    let full = owner.is_some_and(Owner::has_output);
    let most = if full { 0 } else { CHUNK };
    let deadline = house.deadline(device.is_wanted());
    let Buffers { commands, answers, datagram, typed, stream, .. } = buffers;
    tokio::select! {
        biased;
        count = doors.write_to(owner), if full => Happening::ToOwner(count),
        relayed = device.relay(commands, most, answers) => Happening::Relayed(relayed),
        received = doors.receive_datagram(datagram), if idle => Happening::Datagram(received),
        count = doors.read_pty(typed), if idle => Happening::FromPty(count),
        count = doors.read_stream(owner, stream), if idle => Happening::FromOwner(count),
        () = until(deadline) => Happening::Time,
        // Last: who hangs up and connects again must be seen to hang up first.
        accepted = doors.accept() => Happening::Accepted(accepted),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn handle(
    device: &mut impl Device,
    doors: &Doors,
    happening: Happening,
    house: &mut House<'_>,
    buffers: &mut Buffers,
) -> io::Result<()> {
    let taken = |buffer: &[u8], count: usize| buffer.get(..count).unwrap_or_default().to_vec();
    match happening {
        Happening::Accepted(Ok((stream, peer))) => {
            if house.welcome(stream, peer, doors) {
                buffers.commands.clear();
            }
        }
        Happening::Accepted(Err(cause)) | Happening::Datagram(Err(cause)) if is_passing(&cause) => {}
        Happening::Accepted(Err(cause))
        | Happening::Datagram(Err(cause))
        | Happening::FromPty(Err(cause)) => return Err(cause),
        Happening::Datagram(Ok((count, peer))) => {
            let bytes = taken(&buffers.datagram, count);
            buffers.commands.extend(house.take_datagram(&bytes, peer, buffers.sent, doors));
        }
        Happening::FromPty(Ok(count)) if house.admit_pty(doors) => {
            buffers.commands.extend(taken(&buffers.typed, count));
        }
        Happening::FromPty(Ok(_)) | Happening::Time | Happening::Relayed(Relayed::Wanted) => {}
        Happening::FromOwner(Ok(count)) if count > 0 => {
            house.hear_owner();
            buffers.commands.extend(taken(&buffers.stream, count));
        }
        Happening::FromOwner(_) | Happening::ToOwner(Err(_)) => house.leave(),
        Happening::ToOwner(Ok(count)) => house.written(count),
        Happening::Relayed(Relayed::Closed) => {
            buffers.commands.clear();
            device.mend();
            house.leave();
        }
        Happening::Relayed(Relayed::Sent(count)) => {
            buffers.commands.drain(..count.min(buffers.commands.len()));
            buffers.sent += count as Origin;
        }
        Happening::Relayed(Relayed::Answered) => house.answer(std::mem::take(&mut buffers.answers)),
    }
    Ok(())
}
