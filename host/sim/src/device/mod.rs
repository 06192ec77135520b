//! The virtual machine: bytes in at a time, bytes out at a time (sections [1](scopething_core::vm#1-the-link) and
//! [2](scopething_core::vm#2-commands) of the reference).

mod capture;

use std::collections::VecDeque;

use scopething_core::vm::{Command, Register};

use super::buffer::CaptureBuffer;
use super::config::SimConfig;
use super::frontend::FrontEnd;
use super::generator::Generator;
use super::note::Note;
use super::output::{Origin, Output};
use super::quirk::{Quirk, Quirks, SLOW_RESET};
use super::registers::{Applied, Registers, Spock};
use super::stream::Stream;
use super::time::SimTime;
use super::trace::{EndPrediction, Trace};
use super::wiring::Wiring;

/// Notes kept until they are fetched; older ones are dropped.
const MAX_NOTES: usize = 100;
/// Where the serial number lies in the EEPROM ([section 10 of the reference](scopething_core::vm#10-eeprom)).
const SERIAL_ADDRESS: usize = 0x30;

/// The simulated BitScope Micro, as a state machine with explicit time.
///
/// It reads no clock and does no input or output: [`receive`](Self::receive) takes a byte at a moment,
/// [`next_event`](Self::next_event) returns when it will have something to send, [`advance`](Self::advance) lets
/// time pass and [`transmit`](Self::transmit) gives the bytes that are due.
///
/// ```
/// use scopething_sim::{Device, SimConfig, SimTime};
///
/// let mut device = Device::new(&SimConfig::default());
/// device.receive(b'?', SimTime::ZERO);
/// let answer: Vec<u8> = std::iter::from_fn(|| device.transmit(SimTime::ZERO)).collect();
/// assert_eq!(answer, b"?\rBS000501\r");
/// ```
#[derive(Debug, Clone)]
pub struct Device {
    revision: [u8; 8],
    first_tick: u32,
    stale_first_sample: bool,
    quirks: Quirks,
    front: FrontEnd,
    wiring: Wiring,
    registers: Registers,
    r0: u8,
    r1: u8,
    spock: Spock,
    /// The next sample of the capture hardware, in samples of the buffer mode.
    sample_address: u32,
    buffer: CaptureBuffer,
    last_converted: u16,
    eeprom: [u8; 256],
    trace: Option<Trace>,
    stream: Option<Stream>,
    /// The `D` or `T` that started the trace or stream.
    trace_origin: Origin,
    /// The byte that is being executed.
    origin: Origin,
    prediction: Option<EndPrediction>,
    output: Output,
    now: SimTime,
    notes: VecDeque<Note>,
}

impl Device {
    /// A device as after power-up, wired according to the configuration.
    #[must_use]
    pub fn new(config: &SimConfig) -> Self {
        let mut eeprom = [0xff; 256];
        eeprom[SERIAL_ADDRESS..SERIAL_ADDRESS + 8].copy_from_slice(config.serial.bytes());
        let registers = Registers::after_power_up();
        let mut device = Self {
            revision: *config.revision.bytes(),
            first_tick: config.first_tick,
            stale_first_sample: config.stale_first_sample,
            quirks: config.quirks,
            front: config.front_end,
            wiring: Wiring::new(config.analog.clone(), config.logic.clone(), config.noise_v, config.seed),
            registers,
            r0: 0,
            r1: 0,
            spock: Spock::default(),
            sample_address: 0,
            buffer: CaptureBuffer::new(),
            last_converted: 0,
            eeprom,
            trace: None,
            stream: None,
            trace_origin: 0,
            origin: 0,
            prediction: None,
            output: Output::default(),
            now: SimTime::ZERO,
            notes: VecDeque::new(),
        };
        device.apply();
        device
    }

    /// The moment up to which time has passed.
    #[must_use]
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// The next moment at which the device has a byte to send, or needs to be advanced to find out; none if
    /// only a byte from outside can make a difference. It may lie in the past: then it is due at once.
    #[must_use]
    pub fn next_event(&self) -> Option<SimTime> {
        [self.next_trace_event(), self.next_output()].into_iter().flatten().min()
    }

    /// When the running trace ends, or has to be looked at again.
    pub(super) fn next_trace_event(&self) -> Option<SimTime> {
        match self.prediction? {
            EndPrediction::Ends(ending) => Some(ending.at),
            EndPrediction::NotBefore(at) => Some(at),
            EndPrediction::FullFrom(at) => (at > self.now).then_some(at),
            EndPrediction::Held => None,
        }
    }

    /// When the next byte that is ready was due.
    pub(super) fn next_output(&self) -> Option<SimTime> {
        self.output.next_due().or_else(|| self.stream.as_ref().map(Stream::next_due))
    }

    pub(super) fn is_streaming(&self) -> bool {
        self.stream.is_some()
    }

    /// Lets time pass, which never runs backwards; a bounded amount of work.
    pub fn advance(&mut self, to: SimTime) {
        self.now = self.now.max(to);
        if let Some(EndPrediction::NotBefore(at)) = self.prediction
            && at <= self.now
        {
            self.foresee();
        }
        if let Some(EndPrediction::Ends(ending)) = self.prediction
            && ending.at <= self.now
        {
            self.end_trace(&ending, ending.at);
        }
    }

    /// The next byte that is due at a moment, if any.
    pub fn transmit(&mut self, at: SimTime) -> Option<u8> {
        self.transmit_tagged(at).map(|(_, byte)| byte)
    }

    /// As [`transmit`](Self::transmit), with the number of the received byte that it answers.
    ///
    /// A link that is looked at now and then fetches a byte of a stream for the moment at which it had room for it,
    /// which may be earlier than that to which time has passed: it decides which frames were lost.
    pub(super) fn transmit_tagged(&mut self, at: SimTime) -> Option<(Origin, u8)> {
        self.advance(at);
        if let Some(due) = self.output.next_due() {
            return (due <= self.now).then(|| self.output.next_byte())?;
        }
        let byte = self.stream.as_mut()?.take(at, &self.wiring, &self.front)?;
        Some((self.trace_origin, byte))
    }

    /// Notes on what the client did since the last call.
    pub fn take_notes(&mut self) -> impl Iterator<Item = Note> + '_ {
        self.notes.drain(..)
    }

    /// Takes a byte at a moment, executes it and echoes it.
    pub fn receive(&mut self, byte: u8, at: SimTime) {
        self.advance(at);
        let command = Command::from_byte(byte);
        if self.trace.is_some() && !matches!(command, Command::CancelTrace | Command::Trace | Command::Reset)
        {
            self.note(Note::TraceHeld { byte });
            if let Some(trace) = &mut self.trace {
                trace.hold();
            }
            self.prediction = Some(EndPrediction::Held);
        }
        self.interrupt_stream(byte, command);
        if command == Command::Reset {
            self.reset();
        }
        self.echo(byte);
        self.execute(command);
        self.origin += 1;
    }

    /// Answers come in their order, so that those to bytes after a slow reset wait for its echo.
    fn echo(&mut self, byte: u8) {
        let is_slow = byte == Command::Reset.byte() && self.quirks.has(Quirk::SlowReset);
        let due = if is_slow { self.now + SLOW_RESET } else { self.now };
        let queued = self.output.push(due, self.origin, &[byte]);
        self.note_loss(queued);
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Clear => self.r0 = 0,
            Command::Digit(digit) => self.r0 = self.r0 << 4 | digit & 0x0f,
            Command::SetAddress => self.r1 = self.r0,
            Command::Store => self.store(),
            Command::StoreNext => {
                self.store();
                self.r1 = self.r1.wrapping_add(1);
            }
            Command::Next => self.r1 = self.r1.wrapping_add(1),
            Command::Print => self.send_hex(self.registers.byte(self.r1)),
            Command::Identify => {
                let revision = self.revision;
                self.send(b"\r");
                self.send(&revision);
                self.send(b"\r");
            }
            Command::ReadEeprom if self.quirks.has(Quirk::SilentEeprom) => {}
            Command::ReadEeprom => {
                let address = self.registers.get8(Register::EepromAddress);
                self.send_hex(self.eeprom[usize::from(address)]);
            }
            Command::WriteEeprom => {
                let address = self.registers.get8(Register::EepromAddress);
                let data = self.registers.get8(Register::EepromData);
                self.eeprom[usize::from(address)] = data;
                self.send_hex(data);
            }
            Command::ReadSampleCounter => self.registers.set(Register::SampleCounter, self.sample_address),
            Command::ProgramSpock => {
                let inverted_mask = self.quirks.has(Quirk::InvertedMask);
                self.spock = Spock::from_registers(&self.registers, inverted_mask);
                self.sample_address = self.registers.get(Register::SampleAddress);
            }
            Command::Update => self.apply(),
            Command::Trace => self.start_trace(),
            Command::CancelTrace => self.cancel_trace(),
            Command::DumpBinary => self.dump(),
            Command::WriteWaveform => self.wiring.generator.write(&mut self.registers, self.r0),
            Command::ReadWaveform => {
                let bytes = self.wiring.generator.read(&mut self.registers);
                self.send(&bytes);
            }
            Command::Synthesize => {
                let result = self.wiring.generator.synthesize(&self.registers);
                self.note_refusal(result);
            }
            Command::Translate => {
                let result = self.wiring.generator.translate(&self.registers);
                self.note_refusal(result);
            }
            Command::Generate => {
                let result = self.wiring.generator.generate(&self.registers, self.now);
                self.note_refusal(result);
            }
            Command::StreamTrace => self.start_stream(),
            Command::DumpText => self.not_simulated(b'S', "the form of the text is not known"),
            Command::BaudRate => self.not_simulated(b'~', "a BS05 does not use it"),
            Command::PodPipe => self.not_simulated(b'|', "a BS05 does not use it"),
            Command::EndNumber | Command::EndSequence | Command::Reset => {}
            Command::Unknown(byte) => self.note(Note::UnknownCommand { byte }),
        }
    }

    /// The register at R1 becomes R0.
    fn store(&mut self) {
        self.registers.set_byte(self.r1, self.r0);
        if self.quirks.has(Quirk::MapAtOnce) {
            self.wiring.applied.map_lines(&self.registers);
        }
    }

    /// The device starts anew, without a word: power failed, or its firmware did.
    pub(super) fn reboot(&mut self) {
        self.reset();
        self.output = Output::default();
        self.clear_registers();
        self.wiring.generator = Generator::new();
    }

    /// As after power-up.
    fn clear_registers(&mut self) {
        self.registers = Registers::after_power_up();
        (self.r0, self.r1) = (0, 0);
        self.spock = Spock::default();
        self.sample_address = 0;
        self.apply();
    }

    /// `!`: whatever goes on is stopped.
    fn reset(&mut self) {
        self.trace = None;
        self.stream = None;
        self.prediction = None;
        self.output.stop_dumps();
        self.wiring.generator.stop();
        if self.quirks.has(Quirk::ResetClearsRegisters) {
            self.clear_registers();
        }
    }

    /// `U`: the registers so marked take effect.
    fn apply(&mut self) {
        self.wiring.applied = Applied::from_registers(&self.registers);
        let level_v = self.front.level_volts(self.wiring.applied.trigger_level);
        self.wiring.level_v = if self.quirks.has(Quirk::HalfTriggerLevel) { 2.0 * level_v } else { level_v };
        self.wiring.generator.set_rest(self.wiring.applied.rest);
        if self.wiring.applied.buffer_outbound() {
            self.note(Note::LogicBufferOutbound);
        }
    }

    /// Device time: ticks in 32 bits.
    fn tick(&self, at: SimTime) -> u32 {
        self.first_tick.wrapping_add(at.ticks() as u32)
    }

    fn send(&mut self, bytes: &[u8]) {
        let queued = self.output.push(self.now, self.origin, bytes);
        self.note_loss(queued);
    }

    fn send_hex(&mut self, value: u8) {
        self.send(format!("\r{value:02x}\r").as_bytes());
    }

    fn not_simulated(&mut self, command: u8, why: &'static str) {
        self.note(Note::NotSimulated { command, why });
    }

    fn note_refusal(&mut self, result: Result<(), Note>) {
        if let Err(note) = result {
            self.note(note);
        }
    }

    fn note_loss(&mut self, queued: bool) {
        if !queued {
            self.note(Note::Overrun);
        }
    }

    fn note(&mut self, note: Note) {
        if self.notes.len() == MAX_NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(note);
    }
}
