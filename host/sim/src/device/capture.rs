//! What the device does for `D`, `T`, `K` and `A`: traces, streams and dumps.

use scopething_core::vm::{Command, Register};

use super::super::buffer::Layout;
use super::super::mode::TraceMode;
use super::super::note::Note;
use super::super::output::{Dump, DumpForm};
use super::super::quirk::Quirk;
use super::super::stream::{Stream, StreamSettings};
use super::super::time::SimTime;
use super::super::trace::{EndReason, Ending, Trace, TraceSettings};
use super::super::trigger::Condition;
use super::Device;

impl Device {
    pub(super) fn start_trace(&mut self) {
        self.trace = None;
        self.prediction = None;
        let number = self.registers.get8(Register::TraceMode);
        let Some(mode) = TraceMode::from_number(number) else {
            return self.note(Note::TraceModeUnknown { mode: number });
        };
        let settings = self.trace_settings(mode);
        let prelude = self.registers.get16(Register::Prelude);
        self.buffer.fill(settings.layout, prelude);
        self.trace = Some(Trace::new(settings, self.now));
        self.trace_origin = self.origin;
        let started = format!("02\r{:08x}\r", self.tick(self.now));
        self.send(started.as_bytes());
        self.foresee();
    }

    fn trace_settings(&mut self, mode: TraceMode) -> TraceSettings {
        let clock_ticks = self.registers.get16(Register::ClockTicks);
        let clock_scale = self.registers.get16(Register::ClockScale);
        let (sample_ticks, as_asked) = mode.sample_ticks(clock_ticks, clock_scale);
        if !as_asked {
            self.note(Note::ClockCut { mode: mode.number, clock_ticks, clock_scale });
        }
        let layout = Layout::from_number(self.registers.get8(Register::BufferMode));
        let address = self.sample_address % layout.width();
        let range = self.front.range(self.wiring.applied.converter_lo, self.wiring.applied.converter_hi);
        let value = f64::from(self.registers.get16(Register::TriggerValue).cast_signed()) / 65536.0;
        let front = self.front;
        let condition = Condition::new(self.spock, |channel| front.volts_at(range, channel, value + 0.5));
        let register = |register| u64::from(self.registers.get(register));
        TraceSettings {
            mode,
            layout,
            sample_ticks,
            intro: register(Register::TraceIntro),
            outro: register(Register::TraceOutro),
            delay_us: register(Register::TraceDelay),
            timeout: register(Register::Timeout),
            filters: (2 * register(Register::TriggerIntro), 2 * register(Register::TriggerOutro)),
            condition,
            analog_enable: self.registers.get8(Register::AnalogEnable),
            address: if mode.two_channels() { address & !1 } else { address },
            range,
            writes_end: !self.quirks.has(Quirk::CleanEndAddress),
        }
    }

    pub(super) fn foresee(&mut self) {
        self.prediction = self.trace.as_mut().map(|trace| trace.foresee(&self.wiring));
    }

    /// `K`: ends the running trace with what has been sampled up to now.
    pub(super) fn cancel_trace(&mut self) {
        if let Some(trace) = &mut self.trace {
            let ending = trace.cancelled(&self.wiring, self.now);
            self.end_trace(&ending, self.now);
        }
    }

    pub(super) fn end_trace(&mut self, ending: &Ending, due: SimTime) {
        self.prediction = None;
        let Some(trace) = self.trace.take() else { return };
        let layout = trace.layout();
        let end = trace.store(ending, &self.wiring, &self.front, &mut self.buffer);
        self.sample_address = self.end_address(end, layout);
        if let Some(at) = ending.triggered {
            self.registers.set(Register::TriggerTime, self.tick(at));
        }
        let token = match ending.cause {
            EndReason::Done => 0,
            EndReason::Auto => 1,
            EndReason::Stop => 3,
        };
        let status = format!("{token:02x}\r{:08x}\r{:08x}\r", self.tick(ending.at), self.sample_address);
        let queued = self.output.push(due, self.trace_origin, status.as_bytes());
        self.note_loss(queued);
    }

    /// The address that is reported as the end of a trace.
    fn end_address(&self, end: u32, layout: Layout) -> u32 {
        let width = layout.width();
        match self.quirks {
            _ if layout.two_channels() => end,
            quirks if quirks.has(Quirk::EarlyWindow) => (end + width - 1) % width,
            quirks if quirks.has(Quirk::LateWindow) => (end + 1) % width,
            _ => end,
        }
    }

    /// `T`: frames follow the echo until the stream is ended.
    pub(super) fn start_stream(&mut self) {
        let mode = self.registers.get8(Register::TraceMode);
        let clock_ticks = self.registers.get16(Register::ClockTicks);
        let [ident, analog, digital] =
            [Register::StreamIdent, Register::AnalogEnable, Register::DigitalEnable]
                .map(|register| self.registers.get8(register));
        let range = self.front.range(self.wiring.applied.converter_lo, self.wiring.applied.converter_hi);
        let settings = StreamSettings::new((mode, clock_ticks), (ident, analog, digital), range);
        let Some((settings, as_asked)) = settings else {
            return self.note(Note::StreamModeUnknown { mode });
        };
        if !as_asked {
            let clock_scale = self.registers.get16(Register::ClockScale);
            self.note(Note::ClockCut { mode, clock_ticks, clock_scale });
        }
        self.stream = Some(Stream::new(settings, self.now));
        self.trace_origin = self.origin;
    }

    /// A byte was received during a stream: what waits to be sent goes out before the answer. The stream is over
    /// if the byte ends it.
    pub(super) fn interrupt_stream(&mut self, byte: u8, command: Command) {
        let Some(stream) = &mut self.stream else { return };
        let waiting = stream.drain(self.now, &self.wiring, &self.front);
        let queued = self.output.push(self.now, self.trace_origin, &waiting);
        self.note_loss(queued);
        match command {
            Command::Reset | Command::CancelTrace | Command::StreamTrace | Command::Trace => {
                self.stream = None;
            }
            _ => self.note(Note::StreamDisturbed { byte }),
        }
    }

    /// `A`: sends samples of the capture buffer.
    pub(super) fn dump(&mut self) {
        let layout = Layout::from_number(self.registers.get8(Register::BufferMode));
        let native = match self.registers.get8(Register::DumpMode) {
            0 => false,
            5 => true,
            mode => return self.note(Note::DumpModeUnknown { mode }),
        };
        let channel = self.registers.get8(Register::DumpChan);
        let form = match (channel >= 128, native) {
            (true, false) => DumpForm::RawLogic,
            (true, true) => DumpForm::NativeLogic,
            (false, false) => DumpForm::RawAnalog { channel: u32::from(channel) },
            (false, true) => DumpForm::NativeAnalog { channel: u32::from(channel) },
        };
        if layout.wide() && !native {
            self.note(Note::NarrowDump);
        }
        let pairs = layout.two_channels() && channel < 128;
        let count = self.registers.get(Register::DumpCount);
        let total = u64::from(count) * u64::from(self.registers.get(Register::DumpRepeat));
        let dump = Dump {
            buffer: self.buffer.clone(),
            layout,
            form,
            first: if pairs { self.sample_address / 2 } else { self.sample_address },
            count,
            total,
            stale: self.stale_first_sample.then_some(self.last_converted),
            sent: 0,
            low: None,
        };
        self.last_converted = dump.last_word().unwrap_or(self.last_converted);
        let passed = if pairs { 2 * count } else { count };
        self.sample_address = self.sample_address.wrapping_add(passed) % layout.width();
        if total > 0 {
            let queued = self.output.push_dump(self.now, self.origin, dump);
            self.note_loss(queued);
        }
    }
}
