//! The virtual machine without the driver: one command at a time, each echo waited for.
//!
//! The experiments look at the device itself, not at what the driver makes of it. They write every register they
//! rely on and use no more of the core than the names of registers and the parsers of answers.

use embassy_futures::select::{Either, select};
use embedded_io_async::{Read as _, Write as _};
use scopething_core::scope::LinkProfile;
use scopething_core::time::{Clock as _, Instant, Micros};
use scopething_core::vm::{PrintedByte, Register, Revision, Status, StatusParser};

use super::exchanges::ExchangeLog;
use super::stop::Stop;
use scopething::link::{Chunk, Link, LinkClock, Tracer};

/// A link whose bytes are recorded.
pub(super) type TracedLink = Tracer<Link, LinkClock, Box<dyn FnMut(Chunk<'_>)>>;

/// How long `!` may take. Known clients wait from 0.2 s to forever; no reset is known to take longer than 0.8 s.
const RESET_TIMEOUT: Micros = Micros::from_millis(3000);
/// The longest script in one write: a datagram to a bitscope-server holds 64 bytes of commands.
const MAX_SCRIPT_BYTES: usize = 60;
/// What a capture takes at most beyond its own time-out.
const TRACE_MARGIN: Micros = Micros::from_millis(500);

/// The status packets of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceEnd {
    /// 0 triggered, 1 timed out, 3 cancelled.
    pub(super) token: u8,
    /// From the first packet to the last, in ticks of the device's clock.
    pub(super) ticks: u32,
    /// The address that the last packet names.
    pub(super) address: u32,
}

/// The device at the other end of a link, command by command.
pub(super) struct RawDevice<'a> {
    pub(super) stream: &'a mut TracedLink,
    pub(super) clock: LinkClock,
    pub(super) profile: LinkProfile,
    pub(super) exchange_log: ExchangeLog,
}

impl RawDevice<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        let deadline = self.clock.now() + self.profile.answer_time(bytes.len());
        let Self { stream, clock, .. } = self;
        let writing = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        match select(writing, clock.until(deadline)).await {
            Either::First(Ok(())) => Ok(()),
            Either::First(Err(_)) => Err(Stop::LinkLost("the link failed while writing".to_owned())),
            Either::Second(()) => Err(Stop::failed("the link takes no bytes")),
        }
    }

    /// What has come by the deadline, at least one byte; none at the deadline.
    pub(super) async fn read_some(
        &mut self,
        buffer: &mut [u8],
        deadline: Instant,
    ) -> Result<Option<usize>, Stop> {
        match select(self.stream.read(buffer), self.clock.until(deadline)).await {
            Either::First(Ok(0)) => Err(Stop::LinkLost("the other end closed the link".to_owned())),
            Either::First(Ok(count)) => Ok(Some(count)),
            Either::First(Err(_)) => Err(Stop::LinkLost("the link failed while reading".to_owned())),
            Either::Second(()) => Ok(None),
        }
    }

    /// Reads so many bytes; fewer if the deadline comes first.
    async fn read_until(&mut self, count: usize, deadline: Instant) -> Result<Vec<u8>, Stop> {
        let mut bytes = vec![0; count];
        let mut received = 0;
        while let Some(rest) = bytes.get_mut(received..).filter(|rest| !rest.is_empty()) {
            match self.read_some(rest, deadline).await? {
                Some(more) => received += more,
                None => break,
            }
        }
        bytes.truncate(received);
        Ok(bytes)
    }

    /// Reads an answer that is due now.
    async fn answer(&mut self, count: usize, what: &str) -> Result<Vec<u8>, Stop> {
        let deadline = self.clock.now() + self.profile.answer_time(count);
        let bytes = self.read_until(count, deadline).await?;
        if bytes.len() == count {
            return Ok(bytes);
        }
        Err(Stop::failed(format!("{} of {count} bytes came as the answer to {what}", bytes.len())))
    }

    /// Writes a script and reads its echo.
    pub(super) async fn run(&mut self, script: &[u8]) -> Result<(), Stop> {
        for part in script.chunks(MAX_SCRIPT_BYTES) {
            self.write(part).await?;
            let what = String::from_utf8_lossy(part).into_owned();
            let echo = self.answer(part.len(), &what).await?;
            if echo != part {
                return Err(Stop::failed(format!("{what} was echoed as {}", echo.escape_ascii())));
            }
        }
        Ok(())
    }

    /// How long the echo of a command takes that does nothing.
    pub(super) async fn echo_time(&mut self) -> Result<Micros, Stop> {
        let started = self.clock.now();
        self.run(b"]").await?;
        Ok(self.clock.now() - started)
    }

    /// Resets the device, drops what is still on its way, and reports how long `!` took.
    pub(super) async fn reset(&mut self) -> Result<Micros, Stop> {
        let started = self.clock.now();
        self.write(b"!").await?;
        self.discard_until(b"!", started + RESET_TIMEOUT, "the reset").await?;
        let took = self.clock.now() - started;
        // No answer holds these letters in a row, so that their echo ends whatever was under way.
        let number = b"[c][0][d][e]";
        self.write(number).await?;
        let deadline = self.clock.now() + self.profile.answer_time(number.len());
        self.discard_until(number, deadline, "a number after the reset").await?;
        self.exchange_log.conceal(false);
        Ok(took)
    }

    async fn discard_until(&mut self, wanted: &[u8], deadline: Instant, what: &str) -> Result<(), Stop> {
        let mut tail = Vec::new();
        let mut byte = [0];
        while let Some(count) = self.read_some(&mut byte, deadline).await? {
            if tail.len() == wanted.len() {
                tail.remove(0);
            }
            tail.extend_from_slice(byte.get(..count).unwrap_or_default());
            if tail == wanted {
                return Ok(());
            }
        }
        Err(Stop::failed(format!("{what} was not answered")))
    }

    /// What the device calls itself.
    pub(super) async fn identify(&mut self) -> Result<String, Stop> {
        self.run(b"?").await?;
        let answer = self.answer(Revision::ANSWER_LENGTH, "?").await?;
        Ok(answer.trim_ascii().escape_ascii().to_string())
    }

    /// Writes registers.
    pub(super) async fn store(&mut self, values: &[(Register, u32)]) -> Result<(), Stop> {
        for (register, value) in values {
            let bytes = value.to_le_bytes();
            let stores = bytes.iter().take(register.width().into()).map(|byte| format!("[{byte:02x}]z"));
            let script = format!("[{:02x}]@{}", register.address(), stores.collect::<String>());
            self.run(script.as_bytes()).await?;
        }
        Ok(())
    }

    /// Reads the lowest byte of a register.
    pub(super) async fn print(&mut self, register: Register) -> Result<u8, Stop> {
        self.run(format!("[{:02x}]@p", register.address()).as_bytes()).await?;
        let answer = self.answer(PrintedByte::LENGTH, "p").await?;
        printed(&answer).ok_or_else(|| Stop::failed("p was not answered by a number".to_owned()))
    }

    /// Reads a byte of the EEPROM; none if the device does not answer, or not with a number. The digits do not
    /// enter the recording.
    pub(super) async fn eeprom(&mut self, address: u8) -> Result<Option<u8>, Stop> {
        self.store(&[(Register::EepromAddress, address.into())]).await?;
        self.exchange_log.conceal(true);
        self.run(b"r").await?;
        let deadline = self.clock.now() + self.profile.answer_time(PrintedByte::LENGTH);
        let answer = self.read_until(PrintedByte::LENGTH, deadline).await?;
        let byte = printed(&answer);
        if byte.is_some() {
            self.exchange_log.conceal(false);
        }
        Ok(byte)
    }

    /// Starts the trace that the registers describe and waits for its end, at the latest until `within` has passed:
    /// then it is cancelled.
    pub(super) async fn trace(&mut self, within: Micros) -> Result<TraceEnd, Stop> {
        self.run(b">").await?;
        self.run(b"D").await?;
        let started = self.answer(12, "D").await?;
        let Some(start) = status(&started) else {
            return Err(Stop::failed(format!("D was answered by {}", started.escape_ascii())));
        };
        let deadline = self.clock.now() + within + TRACE_MARGIN + self.profile.answer_time(0);
        let mut ended = self.read_until(StatusParser::MAX_LENGTH, deadline).await?;
        if ended.len() < StatusParser::MAX_LENGTH {
            self.write(b"K").await?;
            let rest = StatusParser::MAX_LENGTH + 1 - ended.len();
            ended.extend(self.answer(rest, "K").await?);
            // The echo may stand before or behind the packet.
            ended.retain(|byte| *byte != b'K');
        }
        let Some(Status { token, ticks, address: Some(address) }) = status(&ended) else {
            return Err(Stop::failed(format!("the trace ended with {}", ended.escape_ascii())));
        };
        Ok(TraceEnd { token: token.into(), ticks: ticks.wrapping_sub(start.ticks), address })
    }

    /// Reads samples of the capture buffer, the bytes as they come.
    pub(super) async fn dump(
        &mut self,
        (channel, mode): (u8, u8),
        address: u32,
        samples: u16,
    ) -> Result<Vec<u8>, Stop> {
        self.store(&[
            (Register::SampleAddress, address),
            (Register::DumpRepeat, 1),
            (Register::DumpSend, 1),
            (Register::DumpSkip, 0),
            (Register::DumpCount, samples.into()),
            (Register::DumpMode, mode.into()),
            (Register::DumpChan, channel.into()),
        ])
        .await?;
        self.run(b">").await?;
        self.run(b"A").await?;
        let bytes = usize::from(samples) * if mode == NATIVE { 2 } else { 1 };
        self.answer(bytes, "A").await
    }
}

/// Dump modes: a byte a sample, and 16 bits, signed, high byte first.
pub(super) const RAW: u8 = 0;
pub(super) const NATIVE: u8 = 5;

fn printed(answer: &[u8]) -> Option<u8> {
    let mut parser = PrintedByte::new();
    answer.iter().find_map(|&byte| parser.push(byte).transpose())?.ok()
}

fn status(packet: &[u8]) -> Option<Status> {
    let mut parser = StatusParser::new();
    packet.iter().find_map(|&byte| parser.push(byte).transpose())?.ok()
}
