//! The link between host and device as a model in simulated time: latency, byte rate, and the buffering of an
//! FTDI.
//!
//! No input or output happens here either: the host's bytes go in with [`Wire::write`], and what has arrived
//! at the host by a moment comes out of [`Wire::take`].

use std::collections::VecDeque;

use super::config::SimConfig;
use super::device::Device;
use super::output::Origin;
use super::time::SimTime;
use crate::faults::{Direction, FaultKind, Injector};

/// Bytes on their way to either side; more are not accepted, or not fetched from the device.
const MAX_TO_DEVICE: usize = 4096;
const MAX_TO_HOST: usize = 1 << 16;
/// Data bytes of a full-speed FTDI packet: 64 less the two of its status.
const FTDI_PACKET: usize = 62;
/// Bits of a byte on a serial line, with start and stop.
const BITS_A_BYTE: f64 = 10.0;

/// The delays of a link.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Delays {
    latency: SimTime,
    byte_time: SimTime,
    ftdi: Option<SimTime>,
}

/// A device at the end of a modelled link.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    device: Device,
    delays: Delays,
    /// Bytes with the moment at which the device has them.
    to_device: VecDeque<(SimTime, u8)>,
    /// Bytes that the device has sent, with the moment: in the FTDI, or on their way.
    to_host: VecDeque<(SimTime, Origin, u8)>,
    /// Of these, how many have been passed on by the FTDI, with the moment for all of a packet.
    packets: VecDeque<(SimTime, usize)>,
    sent_until: SimTime,
    injector: Injector,
    state: State,
}

/// What a fault has made of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    /// All from the device is lost until the host writes.
    Short,
    /// Nothing passes.
    Stalled,
    Closed,
}

impl Wire {
    pub(super) fn new(config: &SimConfig) -> Self {
        let byte_time = config.rate_bps.map_or(0.0, |rate| BITS_A_BYTE / rate);
        Self {
            device: Device::new(config),
            delays: Delays {
                latency: config.latency,
                byte_time: SimTime::from_seconds(byte_time),
                ftdi: config.ftdi,
            },
            to_device: VecDeque::new(),
            to_host: VecDeque::new(),
            packets: VecDeque::new(),
            sent_until: SimTime::ZERO,
            injector: Injector::new(&config.faults, config.seed, false),
            state: State::Sound,
        }
    }

    /// A host connects: the link is sound again, and stale bytes may be waiting.
    pub(super) fn connect(&mut self, now: SimTime) {
        self.mend();
        let stale: Vec<u8> = self.injector.burst().collect();
        for byte in stale {
            self.send_on(now, 0, byte);
        }
    }

    pub(super) fn mend(&mut self) {
        self.state = State::Sound;
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    pub(super) fn device_mut(&mut self) -> &mut Device {
        &mut self.device
    }

    /// How many bytes a write is accepted of at the moment.
    pub(super) fn room(&self) -> usize {
        MAX_TO_DEVICE.saturating_sub(self.to_device.len())
    }

    /// Takes bytes from the host, as many as there is room for, and returns how many that were.
    pub(super) fn write(&mut self, bytes: &[u8], now: SimTime) -> usize {
        let accepted = bytes.len().min(self.room());
        for byte in bytes.iter().take(accepted) {
            if self.state == State::Short {
                self.state = State::Sound;
            }
            self.take_written(*byte, now);
        }
        self.advance(now);
        accepted
    }

    /// A byte sets out for the device.
    fn take_written(&mut self, byte: u8, now: SimTime) {
        let fault = self.injector.next(Direction::ToDevice);
        let free = self.to_device.back().map_or(SimTime::ZERO, |(arrives, _)| *arrives);
        let arrives = free.max(now + self.delays.latency) + self.delays.byte_time;
        if self.state != State::Sound {
            return;
        }
        match fault {
            None => self.to_device.push_back((arrives, byte)),
            Some(FaultKind::Repeat) => self.to_device.extend([(arrives, byte); 2]),
            Some(FaultKind::Corrupt) => {
                self.to_device.push_back((arrives, self.injector.corrupted(byte)));
            }
            Some(FaultKind::Delay(time)) => self.to_device.push_back((arrives + time.into(), byte)),
            Some(fault) => self.befall(fault),
        }
    }

    /// A byte that the device has sent goes on to the host.
    fn take_sent(&mut self, sent: SimTime, origin: Origin, byte: u8) {
        let fault = self.injector.next(Direction::FromDevice);
        if self.state != State::Sound {
            return;
        }
        match fault {
            None => self.send_on(sent, origin, byte),
            Some(FaultKind::Repeat) => {
                self.send_on(sent, origin, byte);
                self.send_on(sent, origin, byte);
            }
            Some(FaultKind::Corrupt) => self.send_on(sent, origin, self.injector.corrupted(byte)),
            Some(FaultKind::Delay(time)) => {
                self.sent_until = sent + time.into();
                self.send_on(self.sent_until, origin, byte);
            }
            Some(fault) => self.befall(fault),
        }
    }

    /// A fault that loses the byte, and maybe more.
    fn befall(&mut self, fault: FaultKind) {
        match fault {
            FaultKind::Short => self.state = State::Short,
            FaultKind::Stall => self.state = State::Stalled,
            FaultKind::Close => self.state = State::Closed,
            FaultKind::Reboot => {
                self.device.reboot();
                self.to_device.clear();
            }
            _ => {}
        }
    }

    fn send_on(&mut self, sent: SimTime, origin: Origin, byte: u8) {
        self.to_host.push_back((sent, origin, byte));
        self.fill_packet(sent);
    }

    /// The next byte that has arrived at the host, with the number of the byte written that it answers.
    pub(super) fn take(&mut self, now: SimTime) -> Option<(Origin, u8)> {
        self.advance(now);
        self.next_arrival().filter(|arrival| *arrival <= now)?;
        let (_, origin, byte) = self.to_host.pop_front()?;
        if let Some((_, left)) = self.packets.front_mut() {
            *left -= 1;
            if *left == 0 {
                self.packets.pop_front();
            }
        }
        Some((origin, byte))
    }

    /// When the next byte arrives at the host, or has arrived, if one is on its way.
    pub(super) fn next_arrival(&self) -> Option<SimTime> {
        let (sent, ..) = self.to_host.front()?;
        let passed_on = match self.delays.ftdi {
            None => *sent,
            Some(timer) => self.packets.front().map_or(*sent + timer, |(at, _)| *at),
        };
        Some(passed_on + self.delays.latency)
    }

    /// The next moment at which something happens by itself; none if nothing does before the host writes, or reads what
    /// has arrived ([`next_arrival`](Self::next_arrival)).
    pub(super) fn next_event(&self) -> Option<SimTime> {
        let delivery = self.to_device.front().map(|(arrives, _)| *arrives);
        let sending = self.next_sent().filter(|_| self.to_host.len() < MAX_TO_HOST);
        let tracing = self.device.next_trace_event();
        [delivery, sending, tracing].into_iter().flatten().min()
    }

    /// Lets time pass: bytes reach the device in their order, and answers set out.
    pub(super) fn advance(&mut self, now: SimTime) {
        while let Some((arrives, byte)) = self.to_device.front().copied()
            && arrives <= now
        {
            self.collect(arrives);
            self.to_device.pop_front();
            self.device.receive(byte, arrives);
        }
        self.collect(now);
    }

    /// When the next byte that the device has ready is on the line as a whole.
    fn next_sent(&self) -> Option<SimTime> {
        Some(self.device.next_output()?.max(self.sent_until) + self.delays.byte_time)
    }

    /// Takes from the device what it can have sent by now.
    fn collect(&mut self, now: SimTime) {
        self.device.advance(now);
        while self.to_host.len() < MAX_TO_HOST {
            let Some(sent) = self.next_sent().filter(|sent| *sent <= now) else { return };
            let Some((origin, byte)) = self.device.transmit_tagged(sent - self.delays.byte_time) else {
                return;
            };
            self.sent_until = sent;
            self.take_sent(sent, origin, byte);
        }
        // A host that does not read holds the line up, which a dump waits for and a stream does not.
        if self.device.is_streaming() {
            self.sent_until = self.sent_until.max(now);
        }
    }

    /// The FTDI passes a packet on when it is full, or when its timer has run since its first byte.
    fn fill_packet(&mut self, sent: SimTime) {
        let Some(timer) = self.delays.ftdi else { return };
        match self.packets.back_mut() {
            Some((passed_on, count)) if *count < FTDI_PACKET && sent <= *passed_on => {
                *count += 1;
                if *count == FTDI_PACKET {
                    *passed_on = sent;
                }
            }
            _ => self.packets.push_back((sent + timer, 1)),
        }
    }
}
