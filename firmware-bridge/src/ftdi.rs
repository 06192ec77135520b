//! The FTDI FT232 in a BitScope Micro: from USB packets to bytes.
//!
//! Plain code above the [seam](crate::usb): it knows vendor requests and status bytes, not how a packet gets there. One
//! task runs it, for it must own the bus: reads and writes share one hardware endpoint, and a read waits until the chip
//! answers. That is why its latency timer is set to 1 ms: a write waits no longer than that.

use core::cell::Cell;

use embassy_futures::select::{Either, select};
use scopething_core::link::bridge::{UsbError, UsbStep};

use crate::scope_link::{Plugged, ScopeLink};
use crate::usb::{PACKET_BYTES, UsbCounts, UsbDevice};
use crate::vitals::Pulse;

/// FTDI's vendor number.
pub const VENDOR: u16 = 0x0403;
/// The FT232's product number.
pub const PRODUCT: u16 = 0x6001;

/// A vendor request that readies the chip, and its value. The requests and their order are those of libftdi's `ftdi.h`.
type Setting = (u8, u16);
const RESET: u8 = 0;
const SET_MODEM_CONTROL: u8 = 1;
const SET_FLOW_CONTROL: u8 = 2;
const SET_BAUD_RATE: u8 = 3;
const SET_DATA: u8 = 4;
const SET_LATENCY_TIMER: u8 = 9;
/// Everything that a client of the chip sets, for nothing is known of it after power-up. The driver on the computer has
/// it at 115200 bits a second as well, of 3 MHz divided by 26; the BitScope's open driver asks for 9600. Both work, for
/// the device sets its own rate: this is the one that most of the tests ran at.
const SETTINGS: [Setting; 8] = [
    (RESET, 0),
    // Eight bits, no parity, one stop bit.
    (SET_DATA, 8),
    (SET_BAUD_RATE, 26),
    // None.
    (SET_FLOW_CONTROL, 0),
    // DTR and RTS, each with the bit that has it set.
    (SET_MODEM_CONTROL, 0x0303),
    // In milliseconds.
    (SET_LATENCY_TIMER, 1),
    // Drops what was received, then what is to be sent.
    (RESET, 1),
    (RESET, 2),
];
/// Each packet from the chip begins with two bytes of modem and line status.
const STATUS_BYTES: usize = 2;
/// The bit of the line status that reports bytes lost in the chip.
const OVERRUN: u8 = 1 << 1;
/// Packets that are written between two reads at the most: the BitScope answers each byte with one at the least, and
/// the chip has room for 256 of them (its data sheet, section 2).
const WRITES: usize = 4;

/// Readies the chip, announces it to the line, and carries bytes both ways until a transfer fails. `pulse` beats with
/// each packet, at the time that `now_ms` returns, and rests while nobody reads what has come. `retries` are those of the
/// device, which move to `counts` with what else goes wrong.
///
/// The line has nothing plugged in once this is dropped or has ended: the caller has to
/// [report that](ScopeLink::set_plugged).
///
/// # Errors
/// Whatever the transfer failed with, and whether the chip was ready by then.
pub async fn run(
    device: &mut impl UsbDevice,
    line: &ScopeLink,
    connection: u32,
    counts: &UsbCounts,
    retries: &Cell<u32>,
    pulse: &Pulse,
    now_ms: impl Fn() -> u32,
) -> Result<core::convert::Infallible, (UsbStep, UsbError)> {
    for (request, value) in SETTINGS {
        device.vendor_request(request, value).await.map_err(|error| (UsbStep::SetUp, error))?;
    }
    line.set_plugged(Plugged::Ready(connection));
    let Err(error) = carry(device, line, counts, retries, pulse, now_ms).await;
    Err((UsbStep::Carrying, error))
}

async fn carry(
    device: &mut impl UsbDevice,
    line: &ScopeLink,
    counts: &UsbCounts,
    retries: &Cell<u32>,
    pulse: &Pulse,
    now_ms: impl Fn() -> u32,
) -> Result<core::convert::Infallible, UsbError> {
    let mut packet = [0; PACKET_BYTES];
    let mut written = [0; PACKET_BYTES];
    loop {
        pulse.beat(now_ms());
        counts.retried(retries.take());
        for _ in 0..WRITES {
            let Ok(count) = line.outgoing.try_read(&mut written) else { break };
            send(device, &written, count).await?;
        }
        let count = device.bulk_in(&mut packet).await?;
        if packet.get(1).is_some_and(|status| count >= STATUS_BYTES && status & OVERRUN != 0) {
            if counts.overruns() == 0 {
                log!(warn, "the first bytes since power-up that the FT232 has lost");
            }
            counts.overran();
        }
        let mut payload = packet.get(STATUS_BYTES..count).unwrap_or_default();
        // While there is no room the chip holds its data back, but takes what is written.
        while !payload.is_empty() {
            pulse.rest();
            match select(line.incoming.write(payload), line.outgoing.read(&mut written)).await {
                Either::First(count) => payload = payload.get(count..).unwrap_or_default(),
                Either::Second(count) => send(device, &written, count).await?,
            }
        }
    }
}

async fn send(device: &mut impl UsbDevice, bytes: &[u8], count: usize) -> Result<(), UsbError> {
    match bytes.get(..count) {
        Some(data) if !data.is_empty() => device.bulk_out(data).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::VecDeque;

    use embassy_futures::{block_on, poll_once};
    use embedded_io_async::{Read, Write};

    use crate::job::ScopeStream;
    use crate::scope_link::{INCOMING_BYTES, OUTGOING_BYTES};

    /// What the device is asked, and what comes of it.
    #[derive(Debug, Clone)]
    enum Step {
        Vendor {
            request: u8,
            value: u16,
        },
        In(Vec<u8>),
        Out(Vec<u8>),
        /// Whatever is asked next fails so.
        Fails(UsbError),
    }

    use Step::{Fails, In, Out, Vendor};

    /// A device that takes exactly its script, and then answers nothing any more.
    struct Scripted(VecDeque<Step>);

    impl Scripted {
        async fn next(&mut self) -> Result<Step, UsbError> {
            match self.0.pop_front() {
                Some(Fails(error)) => Err(error),
                Some(step) => Ok(step),
                None => std::future::pending().await,
            }
        }
    }

    impl UsbDevice for Scripted {
        async fn vendor_request(&mut self, request: u8, value: u16) -> Result<(), UsbError> {
            match self.next().await? {
                Vendor { request: due, value: of } if (due, of) == (request, value) => Ok(()),
                other => panic!("{other:?} was due, not vendor request {request} {value}"),
            }
        }

        async fn bulk_in(&mut self, packet: &mut [u8; PACKET_BYTES]) -> Result<usize, UsbError> {
            match self.next().await? {
                In(bytes) => {
                    packet[..bytes.len()].copy_from_slice(&bytes);
                    Ok(bytes.len())
                }
                other => panic!("{other:?} was due, not a read"),
            }
        }

        async fn bulk_out(&mut self, data: &[u8]) -> Result<(), UsbError> {
            assert!((1..=PACKET_BYTES).contains(&data.len()), "{} bytes", data.len());
            match self.next().await? {
                Out(bytes) if bytes == data => Ok(()),
                other => panic!("{other:?} was due, not a write of {data:?}"),
            }
        }
    }

    /// What readies the chip: reset, 8N1, 3 MHz / 26, no flow control, DTR and RTS, latency of 1 ms, purge both ways.
    fn readying() -> Vec<Step> {
        let requests = [(0, 0), (4, 8), (3, 26), (2, 0), (1, 0x0303), (9, 1), (0, 1), (0, 2)];
        requests.map(|(request, value)| Vendor { request, value }).into()
    }

    fn status_and(payload: &[u8]) -> Step {
        In([&[0x31, 0x60], payload].concat())
    }

    /// Runs the script to its end; gives what came of it, or none if the device answers nothing any more.
    fn play(line: &ScopeLink, steps: Vec<Step>) -> Option<UsbError> {
        play_counting(line, steps, &UsbCounts::new())
    }

    fn play_counting(line: &ScopeLink, steps: Vec<Step>, counts: &UsbCounts) -> Option<UsbError> {
        let mut device = Scripted(steps.into());
        let pulse = Pulse::new(1_000);
        let retries = Cell::new(0);
        let running = async {
            let Err((step, error)) = run(&mut device, line, 1, counts, &retries, &pulse, || 0).await;
            assert_eq!(step == UsbStep::Carrying, matches!(line.plugged(), Plugged::Ready(1)));
            error
        };
        let result = match poll_once(running) {
            std::task::Poll::Ready(error) => Some(error),
            std::task::Poll::Pending => None,
        };
        assert!(device.0.is_empty(), "left over: {:?}", device.0);
        result
    }

    fn received(line: &ScopeLink, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut port = line.port().unwrap();
        block_on(async {
            port.attached().await;
            port.read_exact(&mut bytes).await.unwrap();
        });
        bytes
    }

    #[test]
    fn status_bytes_are_stripped_from_every_packet() {
        let line = ScopeLink::new();
        let full: Vec<u8> = (0..62).collect();
        let packets = [status_and(&full), status_and(&[]), status_and(&[62, 63])];
        assert_eq!(play(&line, [readying(), packets.into()].concat()), None);
        assert_eq!(received(&line, 64), (0..64).collect::<Vec<u8>>());
    }

    #[test]
    fn packet_without_its_status_bytes_carries_nothing() {
        let line = ScopeLink::new();
        let packets = [In(vec![]), In(vec![0x31]), status_and(b"x")];
        play(&line, [readying(), packets.into()].concat());
        assert_eq!(received(&line, 1), b"x");
    }

    #[test]
    fn lost_bytes_are_counted() {
        let counts = UsbCounts::new();
        let overrun = |status| In(vec![0x31, status, b'x']);
        // Overrun, and the other bits of the line status.
        let packets = [overrun(0x62), overrun(0x60), overrun(0xfd), overrun(0x02)];
        play_counting(&ScopeLink::new(), [readying(), packets.into()].concat(), &counts);
        assert_eq!(counts.overruns(), 2);
    }

    #[test]
    fn writes_are_split_into_packets() {
        let packet = |length: usize| Out(vec![b'z'; length]);
        let idle = || status_and(&[]);
        let exchanges = [
            (183, vec![packet(64), packet(64), packet(55), idle(), idle()]),
            (OUTGOING_BYTES, vec![packet(64), packet(64), packet(64), packet(64), idle(), idle()]),
        ];
        for (length, exchange) in exchanges {
            let line = ScopeLink::new();
            line.set_plugged(Plugged::Ready(1));
            let mut port = line.port().unwrap();
            block_on(async {
                port.attached().await;
                port.write_all(&vec![b'z'; length]).await.unwrap();
            });
            assert_eq!(play(&line, [readying(), exchange].concat()), None);
        }
    }

    #[test]
    fn line_is_ready_after_the_last_request() {
        for left_out in 1..=readying().len() {
            let line = ScopeLink::new();
            let mut steps = readying();
            steps.truncate(readying().len() - left_out);
            assert_eq!(play(&line, steps), None);
            assert_eq!(line.plugged(), Plugged::Not(scopething_core::link::bridge::UsbState::Empty));
        }
        let line = ScopeLink::new();
        play(&line, readying());
        assert_eq!(line.plugged(), Plugged::Ready(1));
    }

    #[test]
    fn each_step_may_fail() {
        let steps = [readying(), vec![status_and(b"a"), status_and(b"b")]].concat();
        for error in [UsbError::Silent, UsbError::Stalled, UsbError::Garbled] {
            for at in 0..steps.len() {
                let failing = [&steps[..at], &[Fails(error)]].concat();
                assert_eq!(play(&ScopeLink::new(), failing), Some(error), "at {at}");
            }
        }
        let line = ScopeLink::new();
        line.set_plugged(Plugged::Ready(1));
        assert_eq!(line.outgoing.try_write(b"?"), Ok(1));
        let failing = [readying(), vec![Fails(UsbError::Silent)]].concat();
        assert_eq!(play(&line, failing), Some(UsbError::Silent));
    }

    #[test]
    fn slow_reader_does_not_block_writes() {
        let line = ScopeLink::new();
        let mut steps = readying();
        // As much as the line holds, and one packet that does not fit.
        let packets = INCOMING_BYTES.div_ceil(62);
        steps.extend((0..packets).map(|_| status_and(&[7; 62])));
        steps.push(Out(b"!".into()));
        let mut device = Scripted(steps.into());
        let pulse = Pulse::new(1_000);
        pulse.beat(0);
        let (counts, retries) = (UsbCounts::new(), Cell::new(0));
        let mut running = Box::pin(run(&mut device, &line, 1, &counts, &retries, &pulse, || 0));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(running.as_mut().poll(&mut context).is_pending());
        assert!(!pulse.is_late(60_000), "it waits for the reader, not for the bus");
        assert_eq!(line.outgoing.try_write(b"!"), Ok(1));
        assert!(running.as_mut().poll(&mut context).is_pending());
        let held = packets * 62;
        assert_eq!(received(&line, INCOMING_BYTES), vec![7; INCOMING_BYTES]);
        assert!(running.as_mut().poll(&mut context).is_pending());
        assert_eq!(line.incoming.len(), held - INCOMING_BYTES);
        drop(running);
        assert!(device.0.is_empty(), "left over: {:?}", device.0);
    }
}
