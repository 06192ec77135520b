//! The FTDI FT232 in a BitScope Micro: from USB packets to bytes.
//!
//! Plain code above the [seam](crate::usb): it knows vendor requests and status bytes, not how a packet gets there. One
//! task runs it, for it must own the bus: reads and writes share one hardware endpoint, and a read waits until the chip
//! answers. That is why its latency timer is set to 1 ms: a write waits no longer than that.

use embassy_futures::select::{Either, select};

use crate::line::{Line, Plugged};
use crate::usb::{PACKET_BYTES, TransferError, UsbDevice};
use crate::vitals::Pulse;

/// FTDI's vendor number.
pub const VENDOR: u16 = 0x0403;
/// The FT232's product number.
pub const PRODUCT: u16 = 0x6001;

/// Vendor request `SIO_RESET` (libftdi, `ftdi.h`), with what it resets.
const RESET: u8 = 0;
const RESET_ALL: u16 = 0;
const PURGE_RECEIVED: u16 = 1;
const PURGE_SENT: u16 = 2;
/// Vendor request `SIO_SET_LATENCY_TIMER`, in milliseconds.
const SET_LATENCY_TIMER: u8 = 9;
const LATENCY_MS: u16 = 1;
/// Each packet from the chip begins with two bytes of modem and line status.
const STATUS_BYTES: usize = 2;
/// Packets that are written between two reads at the most: the BitScope answers each byte with one at the least, and
/// the chip has room for 256 of them (its data sheet, section 2).
const WRITES: usize = 4;

/// Readies the chip, announces it to the line, and carries bytes both ways until a transfer fails. `pulse` beats with
/// each packet, at the time that `now_ms` returns, and rests while nobody reads what has come.
///
/// The line has nothing plugged in once this is dropped or has ended: the caller has to
/// [report that](Line::set_plugged).
///
/// # Errors
/// Whatever the transfer failed with.
pub async fn run(
    device: &mut impl UsbDevice,
    line: &Line,
    connection: u32,
    pulse: &Pulse,
    now_ms: impl Fn() -> u32,
) -> Result<core::convert::Infallible, TransferError> {
    device.vendor_request(RESET, RESET_ALL).await?;
    device.vendor_request(SET_LATENCY_TIMER, LATENCY_MS).await?;
    device.vendor_request(RESET, PURGE_RECEIVED).await?;
    device.vendor_request(RESET, PURGE_SENT).await?;
    line.set_plugged(Plugged::Ready(connection));
    let mut packet = [0; PACKET_BYTES];
    let mut written = [0; PACKET_BYTES];
    loop {
        pulse.beat(now_ms());
        for _ in 0..WRITES {
            let Ok(count) = line.outgoing.try_read(&mut written) else { break };
            send(device, &written, count).await?;
        }
        let count = device.bulk_in(&mut packet).await?;
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

async fn send(device: &mut impl UsbDevice, bytes: &[u8], count: usize) -> Result<(), TransferError> {
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
    use crate::line::{INCOMING_BYTES, OUTGOING_BYTES};

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
        Fails(TransferError),
    }

    use Step::{Fails, In, Out, Vendor};

    /// A device that takes exactly its script, and then answers nothing any more.
    struct Scripted(VecDeque<Step>);

    impl Scripted {
        async fn next(&mut self) -> Result<Step, TransferError> {
            match self.0.pop_front() {
                Some(Fails(error)) => Err(error),
                Some(step) => Ok(step),
                None => std::future::pending().await,
            }
        }
    }

    impl UsbDevice for Scripted {
        async fn vendor_request(&mut self, request: u8, value: u16) -> Result<(), TransferError> {
            match self.next().await? {
                Vendor { request: due, value: of } if (due, of) == (request, value) => Ok(()),
                other => panic!("{other:?} was due, not vendor request {request} {value}"),
            }
        }

        async fn bulk_in(&mut self, packet: &mut [u8; PACKET_BYTES]) -> Result<usize, TransferError> {
            match self.next().await? {
                In(bytes) => {
                    packet[..bytes.len()].copy_from_slice(&bytes);
                    Ok(bytes.len())
                }
                other => panic!("{other:?} was due, not a read"),
            }
        }

        async fn bulk_out(&mut self, data: &[u8]) -> Result<(), TransferError> {
            assert!((1..=PACKET_BYTES).contains(&data.len()), "{} bytes", data.len());
            match self.next().await? {
                Out(bytes) if bytes == data => Ok(()),
                other => panic!("{other:?} was due, not a write of {data:?}"),
            }
        }
    }

    /// What readies the chip, as libftdi does: reset, latency timer of 1 ms, purge both ways.
    fn readying() -> Vec<Step> {
        let requests = [(0, 0), (9, 1), (0, 1), (0, 2)];
        requests.map(|(request, value)| Vendor { request, value }).into()
    }

    fn status_and(payload: &[u8]) -> Step {
        In([&[0x31, 0x60], payload].concat())
    }

    /// Runs the script to its end; gives what came of it, or none if the device answers nothing any more.
    fn play(line: &Line, steps: Vec<Step>) -> Option<TransferError> {
        let mut device = Scripted(steps.into());
        let pulse = Pulse::new(1_000);
        let running = async {
            let Err(error) = run(&mut device, line, 1, &pulse, || 0).await;
            error
        };
        let result = match poll_once(running) {
            std::task::Poll::Ready(error) => Some(error),
            std::task::Poll::Pending => None,
        };
        assert!(device.0.is_empty(), "left over: {:?}", device.0);
        result
    }

    fn received(line: &Line, length: usize) -> Vec<u8> {
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
        let line = Line::new();
        let full: Vec<u8> = (0..62).collect();
        let packets = [status_and(&full), status_and(&[]), status_and(&[62, 63])];
        assert_eq!(play(&line, [readying(), packets.into()].concat()), None);
        assert_eq!(received(&line, 64), (0..64).collect::<Vec<u8>>());
    }

    #[test]
    fn a_packet_without_its_status_bytes_carries_nothing() {
        let line = Line::new();
        let packets = [In(vec![]), In(vec![0x31]), status_and(b"x")];
        play(&line, [readying(), packets.into()].concat());
        assert_eq!(received(&line, 1), b"x");
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
            let line = Line::new();
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
        for left_out in 1..=4 {
            let line = Line::new();
            let mut steps = readying();
            steps.truncate(4 - left_out);
            assert_eq!(play(&line, steps), None);
            assert_eq!(line.plugged(), Plugged::Nothing);
        }
        let line = Line::new();
        play(&line, readying());
        assert_eq!(line.plugged(), Plugged::Ready(1));
    }

    #[test]
    fn each_step_may_fail() {
        let steps = [readying(), vec![status_and(b"a"), status_and(b"b")]].concat();
        for error in [TransferError::TimedOut, TransferError::Stalled, TransferError::Garbled] {
            for at in 0..steps.len() {
                let failing = [&steps[..at], &[Fails(error)]].concat();
                assert_eq!(play(&Line::new(), failing), Some(error), "at {at}");
            }
        }
        let line = Line::new();
        line.set_plugged(Plugged::Ready(1));
        assert_eq!(line.outgoing.try_write(b"?"), Ok(1));
        let failing = [readying(), vec![Fails(TransferError::TimedOut)]].concat();
        assert_eq!(play(&line, failing), Some(TransferError::TimedOut));
    }

    #[test]
    fn slow_reader_does_not_block_writes() {
        let line = Line::new();
        let mut steps = readying();
        // As much as the line holds, and one packet that does not fit.
        let packets = INCOMING_BYTES.div_ceil(62);
        steps.extend((0..packets).map(|_| status_and(&[7; 62])));
        steps.push(Out(b"!".into()));
        let mut device = Scripted(steps.into());
        let pulse = Pulse::new(1_000);
        pulse.beat(0);
        let mut running = Box::pin(run(&mut device, &line, 1, &pulse, || 0));
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
