//! Connecting, finding the beginning of the device's answers again, and reading its EEPROM.

use core::fmt;

use embedded_io_async::{Read, Write};

use super::dump::ANY_DUMP;
use super::transport::{Discarded, Transport};
use super::{Generators, LinkProfile, Pacing, Scope, ScopeError, ScopeErrorKind, Stage};
use crate::device::{AnalogParameters, BS05, Model};
use crate::time::{Clock, Micros};
use crate::trace::DeviceTime;
use crate::vm::{
    Command, Expected, Malformed, PrintedByte, Register, Revision, Script, ScriptTooLong, Shadow,
    fmt_characters,
};

/// The eight characters of a device's serial number, such as `DB98TI79`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SerialNumber(pub [u8; 8]);

impl SerialNumber {
    /// Where the EEPROM holds its first character ([section 10 of the reference](crate::vm#10-eeprom)).
    const ADDRESS: u8 = 0x30;

    /// What the EEPROM holds in its place.
    fn of_eeprom(bytes: [u8; 8]) -> Result<Self, NoSerialNumber> {
        if bytes == [0xff; 8] {
            return Err(NoSerialNumber::Empty);
        }
        match (Self::ADDRESS..).zip(bytes).find(|(_, byte)| !byte.is_ascii_graphic()) {
            Some((address, byte)) => Err(NoSerialNumber::NotText { address, byte }),
            None => Ok(Self(bytes)),
        }
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_characters(&self.0, f)
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a device has no serial number: its EEPROM does not hold one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum NoSerialNumber {
    /// The EEPROM does not answer; the device does.
    Silent,
    /// It holds nothing: `ff` wherever it was read.
    Empty,
    /// It holds something else.
    NotText {
        /// Where, an address of the EEPROM.
        address: u8,
        /// What is no printable character there.
        byte: u8,
    },
}

impl fmt::Display for NoSerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("the EEPROM does not answer"),
            Self::Empty => f.write_str("the EEPROM is empty"),
            Self::NotText { address, byte } => {
                write!(f, "the EEPROM holds {byte:02x} at {address:02x}, which is no character")
            }
        }
    }
}

impl core::error::Error for NoSerialNumber {}

/// A device of the supported model in a revision that this driver has not been compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownRevision {
    /// What the device calls itself.
    pub found: Revision,
    /// The revision that is known.
    pub known: Revision,
}

impl fmt::Display for UnknownRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { found, known } = self;
        write!(f, "the device is of revision {found}, only {known} is known: it is taken for one of that")
    }
}

/// The first answer to a reset may take this long, whatever the link: a device may be busy with what another client left it
/// doing.
const FIRST_RESET_TIMEOUT: Micros = Micros::from_millis(1000);
/// How often a reset is tried before the device counts as silent.
const RESET_ATTEMPTS: u8 = 3;
/// How often reading a byte of the EEPROM is tried.
const EEPROM_ATTEMPTS: u8 = 2;

impl<S: Read + Write, C: Clock> Scope<S, C> {
    /// Resets and identifies the device behind a stream, in two round trips.
    ///
    /// `profile` is the worst that the link does when it works; time-outs are derived from it.
    ///
    /// # Errors
    /// [`ScopeErrorKind::WrongRevision`] when something else than a BS05 answers; the other variants when nothing does, or
    /// nothing that makes sense. A silent device fails after a second and twice the round trip of `profile`.
    pub async fn connect(stream: S, clock: C, profile: LinkProfile) -> Result<Self, ScopeError<S::Error>> {
        let mut scope = Self::new(stream, clock, profile);
        scope.open().await?;
        Ok(scope)
    }

    /// A driver that has not spoken to its device yet: the first operation resets and identifies it.
    ///
    /// Where memory is scarce this and [`Self::open`] take less of it than [`Self::connect`], since nothing is moved.
    #[must_use]
    pub fn new(stream: S, clock: C, profile: LinkProfile) -> Self {
        let model = &BS05;
        Self {
            transport: Transport { stream, clock, profile, pacing: Pacing::default() },
            model,
            revision: model.revision,
            serial: None,
            shadow: Shadow::new(),
            device_time: DeviceTime::new(model.clock_hz),
            probe: model.analog,
            generators: Generators::Off,
            mapped: 0xff,
            in_flight: true,
            max_dump: ANY_DUMP,
            nonce: 0,
        }
    }

    /// Resets and identifies the device, which may be another than before.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn open(&mut self) -> Result<(), ScopeError<S::Error>> {
        self.serial = None;
        self.reset().await
    }

    /// What the device calls itself.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What the user should know of the device's revision, if it is not the one that is known.
    #[must_use]
    pub fn unknown_revision(&self) -> Option<UnknownRevision> {
        let (found, known) = (self.revision, self.model.revision);
        (found != known).then_some(UnknownRevision { found, known })
    }

    /// The model that the driver takes the device for.
    #[must_use]
    pub fn model(&self) -> &'static Model {
        self.model
    }

    /// Reads the device's serial number, in eight round trips the first time; it is kept until the next [`Self::open`].
    ///
    /// A device without one works as well as others. Generators go on.
    ///
    /// # Errors
    /// Any failure of the link or the device. Not that it has no serial number: that is the inner error.
    pub async fn read_serial(
        &mut self,
    ) -> Result<Result<SerialNumber, NoSerialNumber>, ScopeError<S::Error>> {
        if let Some(serial) = self.serial {
            return Ok(serial);
        }
        self.ready().await?;
        self.in_flight = true;
        let serial = self.try_read_serial().await?;
        self.in_flight = false;
        self.serial = Some(serial);
        Ok(serial)
    }

    async fn try_read_serial(
        &mut self,
    ) -> Result<Result<SerialNumber, NoSerialNumber>, ScopeError<S::Error>> {
        let mut serial = [0; 8];
        for (address, character) in (SerialNumber::ADDRESS..).zip(&mut serial) {
            let mut attempt = 0;
            *character = loop {
                attempt += 1;
                match self.try_read_eeprom(address).await {
                    Ok(byte) => break byte,
                    Err(error) if !error.is_passing() => return Err(error),
                    Err(error) => {
                        // Without a reset, which would stop the generators. If this fails, more than the EEPROM is silent.
                        self.resynchronise(Stage::ReadEeprom).await?;
                        if attempt >= EEPROM_ATTEMPTS {
                            let silent = matches!(error.kind, ScopeErrorKind::NoAnswer { .. });
                            return if silent { Ok(Err(NoSerialNumber::Silent)) } else { Err(error) };
                        }
                    }
                }
            };
        }
        Ok(SerialNumber::of_eeprom(serial))
    }

    /// Asks whether the device is still there, in one round trip. It goes on with whatever it does.
    ///
    /// # Errors
    /// Any failure of the link or the device; [`ScopeErrorKind::GeneratorsStopped`] if it had to be reset.
    pub async fn check_presence(&mut self) -> Result<(), ScopeError<S::Error>> {
        self.ready().await?;
        self.in_flight = true;
        self.synchronise(Stage::CheckPresence, None).await?;
        self.in_flight = false;
        Ok(())
    }

    /// What captures and streams are planned with from now on: how volts at the tips of the connected probes map to DAC codes,
    /// which a calibration finds out. Plans that were made before keep theirs.
    ///
    /// It is the model's until it is set, and stays as set when the device is reset or opened again.
    pub fn set_probe(&mut self, probe: AnalogParameters) {
        self.probe = probe;
    }

    /// What captures and streams are planned with.
    pub fn probe(&self) -> &AnalogParameters {
        &self.probe
    }

    /// Chooses how scripts are handed to the device.
    pub fn set_pacing(&mut self, pacing: Pacing) {
        self.transport.pacing = pacing;
    }

    /// The link's profile, as given to the driver.
    #[must_use]
    pub fn profile(&self) -> LinkProfile {
        self.transport.profile
    }

    /// The clock, as given to the driver.
    pub fn clock(&self) -> &C {
        &self.transport.clock
    }

    /// Gives the stream back.
    #[must_use]
    pub fn into_stream(self) -> S {
        self.transport.stream
    }

    /// The stream, for looking at it between operations.
    pub fn stream(&self) -> &S {
        &self.transport.stream
    }

    /// Lends the stream to somebody else who speaks to the device. The next operation resets the device.
    pub fn lend_stream(&mut self) -> &mut S {
        self.in_flight = true;
        &mut self.transport.stream
    }

    /// Resets the device: everything stops, generators too. Its registers keep their values; they are all written again.
    ///
    /// Whatever is still on its way is dropped: after the echo of the reset a number that nobody else can have sent is
    /// written, and answers count from its echo on.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn reset(&mut self) -> Result<(), ScopeError<S::Error>> {
        self.in_flight = true;
        self.shadow.forget();
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.try_reset(attempt == 1).await {
                Err(error) if error.is_passing() && attempt < RESET_ATTEMPTS => {}
                Err(error) => return Err(error),
                Ok(found) if found.is_of_model(self.model.revision) => {
                    self.revision = found;
                    break;
                }
                Ok(found) => return Err(ScopeErrorKind::WrongRevision { found }.at(Stage::Identify)),
            }
        }
        self.in_flight = false;
        self.generators = Generators::Off;
        Ok(())
    }

    /// Resets the device if an operation failed or was dropped in the middle. Reports whether that stopped a generator.
    pub(super) async fn ready(&mut self) -> Result<(), ScopeError<S::Error>> {
        if !self.in_flight {
            return Ok(());
        }
        let before = self.generators;
        // The trace that may still run takes nothing but this; its echo is dropped with the rest.
        self.transport.send(Stage::Reset, &[Command::CancelTrace.byte()]).await?;
        self.reset().await?;
        if before == Generators::Off {
            Ok(())
        } else {
            Err(ScopeErrorKind::GeneratorsStopped.at(Stage::Reset))
        }
    }

    /// As [`Self::ready`], for operations that look at the generators themselves.
    pub(super) async fn recover(&mut self) -> Result<(), ScopeError<S::Error>> {
        match self.ready().await {
            Err(ScopeError { kind: ScopeErrorKind::GeneratorsStopped, .. }) => Ok(()),
            result => result,
        }
    }

    async fn try_reset(&mut self, is_first: bool) -> Result<Revision, ScopeError<S::Error>> {
        let mut timeout = self.transport.profile.round_trip;
        if is_first {
            timeout = timeout.max(FIRST_RESET_TIMEOUT);
        } else {
            self.transport.send(Stage::Reset, &[Command::CancelTrace.byte()]).await?;
        }
        let reset = [Command::Reset.byte()];
        self.transport.send(Stage::Reset, &reset).await?;
        let found = self.transport.discard_until_within(Stage::Reset, &reset, timeout).await?;
        self.expect_seen(Stage::Reset, &found, Command::Reset.byte())?;
        self.synchronise(Stage::Identify, Some(Command::Identify)).await?;
        let stage = Stage::Identify;
        let mut answer = [0; Revision::ANSWER_LENGTH];
        let deadline = self.transport.answer_deadline(answer.len());
        self.transport.receive(stage, &mut answer, deadline).await?;
        Revision::parse(&answer).map_err(|malformed| ScopeErrorKind::Garbled(malformed).at(stage))
    }

    /// Drops what is still on its way without resetting, so that nothing the device holds is lost.
    ///
    /// The device is not written to before it is silent. A link of datagrams has waited for that before it failed, and what
    /// is late belongs to no later command.
    pub(super) async fn resynchronise(&mut self, stage: Stage) -> Result<(), ScopeError<S::Error>> {
        self.shadow.forget();
        if !self.transport.profile.is_lossy {
            self.transport.discard_until(stage, &[]).await?;
        }
        self.synchronise(stage, None).await
    }

    /// Writes a number that is new each time, followed by a command, and drops what comes before their echo.
    pub(super) async fn synchronise(
        &mut self,
        stage: Stage,
        command: Option<Command>,
    ) -> Result<(), ScopeError<S::Error>> {
        let mut buffer = [0; 8];
        let script = self.new_number(&mut buffer, command)?;
        self.transport.send(stage, script).await?;
        let found = self.transport.discard_until(stage, script).await?;
        self.expect_seen(stage, &found, Command::EndNumber.byte())
    }

    // Out of line: what it takes to write the script would lie on the stack while its echo is waited for, the deepest that
    // a capture goes.
    #[inline(never)]
    fn new_number<'b>(
        &mut self,
        buffer: &'b mut [u8],
        command: Option<Command>,
    ) -> Result<&'b [u8], ScriptTooLong> {
        self.nonce = self.nonce.wrapping_mul(0x9e37).wrapping_add(self.transport.clock.now().0 as u16 | 1);
        let mut script = Script::new(buffer);
        script.command(Command::Clear)?;
        for shift in [12, 8, 4, 0] {
            script.command(Command::Digit((self.nonce >> shift) as u8 & 0x0f))?;
        }
        script.command(Command::EndNumber)?;
        if let Some(command) = command {
            script.command(command)?;
        }
        Ok(script.finish())
    }

    fn expect_seen(&self, stage: Stage, found: &Discarded, echo: u8) -> Result<(), ScopeError<S::Error>> {
        match found {
            Discarded { seen: true, .. } => Ok(()),
            Discarded { last: None, .. } => {
                Err(ScopeErrorKind::NoAnswer { waited_ms: self.transport.answer_timeout().millis() }
                    .at(stage))
            }
            Discarded { last: Some(byte), .. } => {
                Err(ScopeErrorKind::Garbled(Malformed { byte: *byte, expected: Expected::Echo(echo) })
                    .at(stage))
            }
        }
    }

    /// Reads one byte of the EEPROM. Addresses 30 to 37 (hex) hold the serial number, the rest is the vendor's.
    ///
    /// # Errors
    /// Any failure of the link or the device.
    pub async fn read_eeprom(&mut self, address: u8) -> Result<u8, ScopeError<S::Error>> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.ready().await?;
            self.in_flight = true;
            match self.try_read_eeprom(address).await {
                Err(error) if error.is_passing() && attempt < EEPROM_ATTEMPTS => {}
                Err(error) => return Err(error),
                Ok(value) => {
                    self.in_flight = false;
                    return Ok(value);
                }
            }
        }
    }

    async fn try_read_eeprom(&mut self, address: u8) -> Result<u8, ScopeError<S::Error>> {
        let stage = Stage::ReadEeprom;
        self.shadow.stage(Register::EepromAddress, address.into());
        let mut buffer = [0; 16];
        let mut script = Script::new(&mut buffer);
        script.stores(&mut self.shadow)?;
        script.command(Command::ReadEeprom)?;
        self.transport.run(stage, script.finish()).await?;
        self.read_printed_byte(stage).await
    }

    /// Reads the answer to a command that prints a byte.
    pub(super) async fn read_printed_byte(&mut self, stage: Stage) -> Result<u8, ScopeError<S::Error>> {
        let mut answer = [0; PrintedByte::LENGTH];
        let deadline = self.transport.answer_deadline(answer.len());
        self.transport.receive(stage, &mut answer, deadline).await?;
        let mut printed = PrintedByte::new();
        for byte in answer {
            let value =
                printed.push(byte).map_err(|malformed| ScopeErrorKind::Garbled(malformed).at(stage))?;
            if let Some(value) = value {
                return Ok(value);
            }
        }
        Err(ScopeErrorKind::Incomplete { received: answer.len(), expected: answer.len() + 1 }.at(stage))
    }
}
