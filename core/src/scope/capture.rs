//! Running a planned capture: program, trace, dump.

use core::future::{Future, pending};
use core::pin::{Pin, pin};

use embassy_futures::select::{Either3, select3};
use embedded_io_async::{Read, Write};

use super::dump::{Dump, EndedTrace, dump_address};
use super::transport::read_count;
use super::{ATTEMPTS, CaptureOptions, Contradiction, Scope, ScopeError, ScopeErrorKind, Stage};
use crate::plan::{
    CapturePlan, CaptureRequest, PlanError, Timebase, TraceEnd, WAVEFORM_OUTPUT, plan_capture,
    plan_capture_at,
};
use crate::time::{Clock, Instant, Micros};
use crate::trace::{BufferLayout, DumpChannel, EndReason, Trace, TraceBuffer};
use crate::vm::{Command, Register, Script, Status, StatusParser, StatusToken};

/// Room for the script that writes the registers of a capture and of its first dump to a device of which
/// nothing is known: 57 bytes of at most two digits and a `z`, in nine runs of neighbours with an address
/// of three characters each, three of which are set anew in a run that is too long for a datagram, and `>UD`. Of the 57, 16
/// are always 0 and take 27 digits less.
const TRACE_SCRIPT_BYTES: usize = 57 * 3 + (9 + 3) * 3 + 3 - 27;

/// How far the clocks of host and device may drift apart: one part in so many. Crystals keep to a hundredth of that.
const CLOCK_DRIFT: u64 = 100;
/// How far off the moments are at which the device's firmware reads its clock, at the start and the end of a trace.
const STAMP_ERROR: Micros = Micros::from_millis(1);

/// A trace that waits for its end.
struct Wait {
    /// When its script was handed to the link: it cannot have started before.
    written_at: Instant,
    /// When the driver ends it, if its plan has a time for that.
    deadline: Option<Instant>,
}

impl<S: Read + Write, C: Clock> Scope<S, C> {
    /// Plans a capture on this device, with [its probe](Self::set_probe) and the generators as they are.
    ///
    /// # Errors
    /// [`PlanError`] for what cannot be captured, not even nearly.
    pub fn plan(&self, request: &CaptureRequest) -> Result<CapturePlan, PlanError> {
        plan_capture(self.model, &self.probe, request, self.driven())
    }

    /// As [`Self::plan`], with a sample clock and a size that the caller has chosen: see [`plan_capture_at`].
    ///
    /// # Errors
    /// As [`plan_capture_at`].
    pub fn plan_at(
        &self,
        request: &CaptureRequest,
        timebase: Timebase,
        pre_trigger: u16,
    ) -> Result<CapturePlan, PlanError> {
        plan_capture_at(self.model, &self.probe, request, self.driven(), timebase, pre_trigger)
    }

    /// Captures a trace into `buffer`, and waits for the trigger as long as the plan specifies.
    ///
    /// # Errors
    /// Any failure of the link or the device. A dump that fails is read once more before that.
    ///
    /// # Cancellation
    /// Dropping the future loses the trace; the next operation cancels it in the device and resets. To end the wait
    /// for the trigger and keep what was captured, use [`Self::capture_with`].
    pub fn capture<'a>(
        &mut self,
        plan: &'a CapturePlan,
        buffer: &'a mut TraceBuffer,
    ) -> impl Future<Output = Result<Trace<'a>, ScopeError<S::Error>>> {
        self.capture_with(plan, buffer, CaptureOptions::new())
    }

    /// As [`Self::capture`], run as the options say: verified, ended by a future, or both.
    ///
    /// # Errors
    /// As [`Self::capture`], and of a verified capture [`ScopeErrorKind::Contradiction`] when the device's answers do not agree.
    ///
    /// # Cancellation
    /// As [`Self::capture`].
    pub async fn capture_with<'a, F: Future<Output = ()>, const VERIFIED: bool>(
        &mut self,
        plan: &'a CapturePlan,
        buffer: &'a mut TraceBuffer,
        options: CaptureOptions<F, VERIFIED>,
    ) -> Result<Trace<'a>, ScopeError<S::Error>> {
        let ended = {
            let mut cancel = pin!(options.cancel);
            let mut wait = None;
            loop {
                // Until there are samples the buffer is room for the script.
                let scratch = buffer.region_mut(0..TRACE_SCRIPT_BYTES);
                let written_at = self.start_trace(plan, scratch).await?;
                // A trace that is started again after a check waits no longer than one that was not checked.
                let wait =
                    wait.get_or_insert_with(|| Wait { written_at, deadline: self.trace_deadline(plan) });
                wait.written_at = written_at;
                if let Some(ended) = self.wait_for_end(plan, wait, cancel.as_mut()).await? {
                    break ended;
                }
                self.in_flight = false;
            }
        };
        if VERIFIED {
            self.verify_end(plan, &ended).await?;
        }
        let layout = BufferLayout::new(plan, ended.samples);
        let address = dump_address(plan, &ended);
        for channel in DumpChannel::ALL {
            if layout.samples(channel) > 0 {
                let dump = Dump::new(plan, layout, channel, address);
                let samples = buffer.region_mut(layout.region(channel));
                self.dump(plan, &dump, samples).await?;
                if VERIFIED {
                    self.verify_dump(plan, &dump, samples).await?;
                }
            }
        }
        self.in_flight = false;
        Ok(Trace::new(plan, buffer, ended.samples, ended.cause, ended.end_ticks))
    }

    /// Programs a trace and starts it. Gives when its script was handed to the link: it cannot have started before. What
    /// the device reports of its start is the last that `device_time` knows.
    async fn start_trace(
        &mut self,
        plan: &CapturePlan,
        scratch: &mut [u8],
    ) -> Result<Instant, ScopeError<S::Error>> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.ready().await?;
            self.in_flight = true;
            match self.try_start_trace(plan, scratch).await {
                Err(error) if error.is_passing() && attempt < ATTEMPTS => {}
                result => return result,
            }
        }
    }

    // This and `stage_dump` are kept out of line: their lists of registers would take up stack for as long as the capture runs.
    #[inline(never)]
    fn stage_trace(&mut self, plan: &CapturePlan) {
        for (register, value) in plan.registers() {
            match register {
                Register::SampleAddress => self.shadow.stage_volatile(register, value),
                // The plan may be older than what the waveform generator does now.
                Register::KitchenSinkB => {
                    let output = u32::from(WAVEFORM_OUTPUT);
                    let on = if self.driven().waveform { output } else { 0 };
                    self.shadow.stage(register, value & !output | on);
                }
                _ => self.shadow.stage(register, value),
            }
        }
        // Always 0, but another client may have left something else: a reset clears no register.
        self.shadow.stage(Register::TraceOption, 0);
        self.stage_release(self.driven().lines);
        // The dump's registers lie between the trace's: in one script they need fewer addresses than in two.
        let layout = BufferLayout::new(plan, plan.readable(plan.timebase.samples));
        let first = DumpChannel::ALL.into_iter().find(|&channel| layout.samples(channel) > 0);
        let registers = first.map(|channel| Dump::new(plan, layout, channel, 0).registers());
        for (register, value) in registers.into_iter().flatten() {
            self.shadow.stage(register, value);
        }
    }

    async fn try_start_trace(
        &mut self,
        plan: &CapturePlan,
        scratch: &mut [u8],
    ) -> Result<Instant, ScopeError<S::Error>> {
        let stage = Stage::Program;
        self.stage_trace(plan);
        let mut script = Script::new(scratch);
        script.stores(&mut self.shadow)?;
        script.command(Command::ProgramSpock)?;
        script.command(Command::Update)?;
        script.command(Command::Trace)?;
        let written_at = self.transport.clock.now();
        self.transport.run(stage, script.finish()).await?;
        self.mapped &= self.driven().lines;
        let mut parser = StatusParser::new();
        let mut packet = [0; StatusParser::MAX_LENGTH];
        let deadline = self.transport.answer_deadline(packet.len());
        while let Some(part) = packet.get_mut(..parser.due()) {
            self.transport.receive(stage, part, deadline).await?;
            for &byte in &*part {
                let status =
                    parser.push(byte).map_err(|malformed| ScopeErrorKind::Garbled(malformed).at(stage))?;
                match status {
                    Some(Status { token: StatusToken::Wait, ticks, .. }) => {
                        self.device_time.extend(ticks, self.transport.clock.now());
                        return Ok(written_at);
                    }
                    Some(status) => {
                        return Err(ScopeErrorKind::UnknownStatus { token: status.token.into() }.at(stage));
                    }
                    None => {}
                }
            }
        }
        Err(ScopeErrorKind::Incomplete { received: packet.len(), expected: packet.len() + 1 }.at(stage))
    }

    /// When the driver ends the trace, if its plan has a time for that.
    fn trace_deadline(&self, plan: &CapturePlan) -> Option<Instant> {
        let longest = plan.longest_trace()?;
        Some(match plan.end {
            TraceEnd::HostTimeout(_) => self.transport.clock.now() + longest,
            _ => self.transport.answer_deadline(StatusParser::MAX_LENGTH) + longest,
        })
    }

    /// The fewest ticks that a trace takes which was not stopped: those of its samples after the trigger, and of the delay
    /// before them.
    fn least_ticks(&self, plan: &CapturePlan, delay_us: u32) -> u64 {
        let after_trigger = plan.timebase.samples.saturating_sub(plan.trigger_sample());
        let delay = self.device_time.ticks_of(Micros(delay_us.into()));
        u64::from(after_trigger) * u64::from(plan.timebase.ticks_per_sample()) + delay
    }

    /// When a trace that has just started is checked, on a link that may lose the report of its end.
    fn check_time(&self, plan: &CapturePlan) -> Option<Instant> {
        let trace = self.device_time.span_of(self.least_ticks(plan, plan.delay_us));
        Some(self.transport.clock.now() + self.transport.profile.check_interval(trace)?)
    }

    /// Waits for the end of the trace, or brings it about. None if it was stopped for a check, and had not ended.
    async fn wait_for_end(
        &mut self,
        plan: &CapturePlan,
        wait: &Wait,
        mut cancel: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Option<EndedTrace>, ScopeError<S::Error>> {
        let mut answer = EndAnswer::default();
        let until = wait.deadline.into_iter().chain(self.check_time(plan)).min();
        let stopped_as = loop {
            let mut bytes = [0; StatusParser::MAX_LENGTH];
            let part = bytes.get_mut(..answer.due()).unwrap_or_default();
            debug_assert!(!part.is_empty(), "reading nothing would look as if the stream was closed");
            let clock = &self.transport.clock;
            let overdue = async {
                match until {
                    Some(until) => clock.until(until).await,
                    None => pending().await,
                }
            };
            match select3(self.transport.stream.read(part), cancel.as_mut(), overdue).await {
                Either3::First(read) => {
                    let received = taken(Stage::Trace, read, &bytes)?;
                    if let Some(status) = answer.push(Stage::Trace, received)? {
                        return self.ended(plan, status, wait.written_at, None).map(Some);
                    }
                }
                Either3::Second(()) => break Some(EndReason::Cancel),
                Either3::Third(()) if until == wait.deadline => break Some(EndReason::Timeout),
                Either3::Third(()) => break None,
            }
        };
        // It is not sure to have started before its start was reported.
        let (_, started_by) = self.device_time.last();
        let waited = self.transport.clock.now() - started_by;
        let status = self.stop_trace(&mut answer).await?;
        match stopped_as {
            // Whoever waits for a trigger is not shown a trace without one.
            None if status.token == StatusToken::Stop => Ok(None),
            _ => {
                let stopped = stopped_as.map(|cause| (cause, waited));
                self.ended(plan, status, wait.written_at, stopped).map(Some)
            }
        }
    }

    /// Sends `K` and reads on until its echo and the status packet have come, in either order.
    async fn stop_trace(&mut self, answer: &mut EndAnswer) -> Result<Status, ScopeError<S::Error>> {
        let stage = Stage::Cancel;
        self.transport.send(stage, &[Command::CancelTrace.byte()]).await?;
        answer.echo_due = true;
        let started = self.transport.clock.now();
        let deadline = self.transport.answer_deadline(StatusParser::MAX_LENGTH + 1);
        loop {
            let mut bytes = [0; StatusParser::MAX_LENGTH + 1];
            let part = bytes.get_mut(..answer.due()).unwrap_or_default();
            debug_assert!(!part.is_empty(), "reading nothing would look as if the stream was closed");
            match self.transport.read_until(part, deadline).await {
                Some(read) => {
                    let received = taken(stage, read, &bytes)?;
                    if let Some(status) = answer.push(stage, received)? {
                        return Ok(status);
                    }
                }
                // The device works, and has no trace to end: it has reported the end before.
                None if !answer.echo_due => return Err(ScopeErrorKind::EndLost.at(stage)),
                None => {
                    return Err(ScopeErrorKind::NoAnswer {
                        waited_ms: (self.transport.clock.now() - started).millis(),
                    }
                    .at(stage));
                }
            }
        }
    }

    /// Takes the device's word for the end of a trace as far as it can be true.
    fn ended(
        &mut self,
        plan: &CapturePlan,
        status: Status,
        written_at: Instant,
        stopped: Option<(EndReason, Micros)>,
    ) -> Result<EndedTrace, ScopeError<S::Error>> {
        let stage = Stage::Trace;
        let (cause, least) = match (status.token, stopped) {
            (StatusToken::Done, _) => (EndReason::Trigger, self.least_ticks(plan, plan.delay_us)),
            // Without a trigger there was no delay.
            (StatusToken::Auto, _) if matches!(plan.end, TraceEnd::DeviceTimeout(_)) => {
                (EndReason::Timeout, self.least_ticks(plan, 0))
            }
            (StatusToken::Stop, Some(_)) if plan.delay_us > 0 => {
                self.in_flight = false;
                return Err(ScopeErrorKind::DelayCutShort.at(stage));
            }
            (StatusToken::Stop, Some((cause, waited))) => {
                let waited = self.device_time.ticks_of(waited);
                // The end may be that of the last whole sample, or pair of them.
                let at_once = u64::from(plan.mode.analog_channels.max(1));
                let last = at_once * u64::from(plan.timebase.ticks_per_sample());
                (cause, waited.saturating_sub(waited / CLOCK_DRIFT).saturating_sub(last))
            }
            (StatusToken::Auto | StatusToken::Stop, _) => {
                return Err(Contradiction::End { token: status.token.into() }.at(stage));
            }
            (StatusToken::Wait | StatusToken::Unknown(_), _) => {
                return Err(ScopeErrorKind::UnknownStatus { token: status.token.into() }.at(stage));
            }
        };
        debug_assert!(status.address.is_some(), "only the packet of a start has none");
        let address = status.address.unwrap_or(0);
        if address >= plan.width.into() {
            return Err(Contradiction::Address { address, width: plan.width }.at(stage));
        }
        let (start_ticks, _) = self.device_time.last();
        let end_ticks = self
            .end_time(status.ticks, written_at, least)
            .map_err(|contradiction| contradiction.at(stage))?;
        let samples = match status.token {
            StatusToken::Stop => samples_within(plan, end_ticks.saturating_sub(start_ticks)),
            _ => plan.timebase.samples,
        };
        Ok(EndedTrace { cause, samples: plan.readable(samples), address, end_ticks })
    }

    /// The device time of the end of a trace that took at least so many ticks, and by the host's clock no longer than
    /// from when its script was written until now.
    ///
    /// There is no other lower bound from the host's clock: how long the end of the trace was on its way, or lay in a
    /// buffer of a host that was busy with something else, cannot be known.
    fn end_time(&mut self, raw: u32, written_at: Instant, least: u64) -> Result<u64, Contradiction> {
        let now = self.transport.clock.now();
        let time = &mut self.device_time;
        let (start, _) = time.last();
        let passed = time.ticks_of(now - written_at);
        let error = time.ticks_of(STAMP_ERROR);
        let least = least.saturating_sub(error);
        let most = passed.saturating_add(passed / CLOCK_DRIFT).saturating_add(error);
        let (earliest, latest) = (start.saturating_add(least), start.saturating_add(most));
        time.extend_within(raw, now, earliest, latest).ok_or_else(|| {
            let microseconds = |ticks| time.span_of(ticks).0 as u32;
            let reported = raw.wrapping_sub(start as u32).into();
            let reported_us = microseconds(reported);
            if reported < least {
                Contradiction::EndsEarly { reported_us, min_us: microseconds(least) }
            } else {
                Contradiction::EndsLate { reported_us, max_us: microseconds(most) }
            }
        })
    }
}

fn taken<E>(stage: Stage, read: Result<usize, E>, bytes: &[u8]) -> Result<&[u8], ScopeError<E>> {
    let count = read_count(stage, read)?;
    debug_assert!(count <= bytes.len(), "the stream has read {count} bytes into {}", bytes.len());
    Ok(bytes.get(..count).unwrap_or_default())
}

/// How many of the planned samples were taken within so many ticks of the primary clock.
fn samples_within(plan: &CapturePlan, ticks: u64) -> u16 {
    let taken = ticks.checked_div(plan.timebase.ticks_per_sample().into()).unwrap_or(0);
    let taken = u16::try_from(taken).unwrap_or(u16::MAX).min(plan.timebase.samples);
    if plan.mode.analog_channels == 2 { taken & !1 } else { taken }
}

/// The end of a trace as it comes in: a status packet, and after a cancel an echo somewhere about it.
#[derive(Default)]
struct EndAnswer {
    parser: StatusParser,
    echo_due: bool,
    status: Option<Status>,
}

impl EndAnswer {
    /// How many bytes are due at the least.
    fn due(&self) -> usize {
        self.parser.due() + usize::from(self.echo_due)
    }

    /// Takes what was read; gives the packet once nothing more is due.
    fn push<E>(&mut self, stage: Stage, bytes: &[u8]) -> Result<Option<Status>, ScopeError<E>> {
        for &byte in bytes {
            if self.echo_due && byte == Command::CancelTrace.byte() {
                self.echo_due = false;
                continue;
            }
            let status = self.parser.push(byte);
            match status.map_err(|malformed| ScopeErrorKind::Garbled(malformed).at(stage))? {
                Some(Status { token: StatusToken::Wait, .. }) => self.parser = StatusParser::new(),
                Some(status) => self.status = Some(status),
                None => {}
            }
        }
        Ok(if self.echo_due { None } else { self.status })
    }
}

#[cfg(test)]
mod tests {
    use super::super::dump::DUMP_SCRIPT_BYTES;
    use super::*;
    use crate::plan::{LogicLine, map_register};
    use crate::vm::Shadow;
    use std::vec::Vec;

    /// The script that stores such registers and ends in so many commands, when each byte that is not always 0 takes two
    /// digits after any other and after any address.
    fn longest(registers: impl IntoIterator<Item = Register>, commands: usize) -> usize {
        use Register::{DumpSkip, Prelude, SampleAddress, TraceOption};
        let maps = LogicLine::all().map(map_register);
        let always_zero: Vec<_> =
            [DumpSkip, Prelude, SampleAddress, TraceOption].into_iter().chain(maps).collect();
        let mut shadow = Shadow::new();
        for (turn, register) in registers.into_iter().enumerate() {
            let value = match register {
                _ if always_zero.contains(&register) => 0,
                Register::TriggerIntro
                | Register::TriggerOutro
                | Register::DumpRepeat
                | Register::DumpSend => 0xc7,
                _ if turn % 2 == 0 => 0xdcba_98c7,
                _ => 0xe7d6_c5b4,
            };
            shadow.stage(register, value);
        }
        let mut buffer = [0; 512];
        let mut script = Script::new(&mut buffer);
        script.stores(&mut shadow).unwrap();
        script.bytes().len() + commands
    }

    #[test]
    fn longest_scripts_fit() {
        let plan = {
            use crate::device::BS05;
            use crate::plan::{BusyOutputs, CaptureRequest, ChannelSet, plan_capture};
            let request = CaptureRequest::new(ChannelSet::ALL_LOGIC);
            plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap()
        };
        let layout = BufferLayout::new(&plan, 1);
        let dump = Dump::new(&plan, layout, DumpChannel::Logic, 0).registers().map(|(register, _)| register);
        let trace = plan.registers().map(|(register, _)| register);
        let maps = LogicLine::all().map(map_register);
        let trace = longest(trace.into_iter().chain(dump).chain([Register::TraceOption]).chain(maps), 3);
        assert!((TRACE_SCRIPT_BYTES - 20..=TRACE_SCRIPT_BYTES).contains(&trace), "{trace}");
        let dump = dump.into_iter().chain([Register::TraceMode, Register::BufferMode]);
        let dump = longest(dump, 2) + "08@ffzefzdfz".len();
        assert!((DUMP_SCRIPT_BYTES - 10..=DUMP_SCRIPT_BYTES).contains(&dump), "{dump}");
    }
}
