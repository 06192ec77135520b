//! Starting and stopping the waveform generator, the clock outputs and plain logic outputs
//! ([section 9 of the reference](crate::vm#9-generators)).

use core::fmt;

use embedded_io_async::{Read, Write};

use super::{ATTEMPTS, Scope, ScopeError, Stage};
use crate::plan::{
    BusyOutputs, ChannelSet, ClockError, ClockPlan, LogicLine, LogicPattern, PlayMode, WAVEFORM_OUTPUT,
    WaveformPlan, map_register, plan_levels,
};
use crate::time::Clock;
use crate::vm::{Command, Register, Script};

/// What the generators do. One at a time can run: waveform, clocks and held lines share their hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Generators {
    /// Nothing.
    #[default]
    Off,
    /// The waveform generator plays, or has played its one period, or is paused.
    Waveform {
        /// It is held where it is.
        paused: bool,
    },
    /// Clock outputs run.
    Clocks {
        /// The lines that they drive, a bit each.
        lines: u8,
    },
    /// Logic lines are held high or low.
    Levels {
        /// The lines that are held, a bit each.
        lines: u8,
    },
}

impl Generators {
    /// What captures have to be planned around.
    #[must_use]
    pub const fn driven(self) -> BusyOutputs {
        match self {
            Self::Off => BusyOutputs::NOTHING,
            Self::Waveform { .. } => BusyOutputs::WAVEFORM,
            Self::Clocks { lines } | Self::Levels { lines } => BusyOutputs { waveform: false, lines },
        }
    }
}

impl fmt::Display for Generators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("nothing is generated"),
            Self::Waveform { paused: false } => f.write_str("the waveform generator plays"),
            Self::Waveform { paused: true } => f.write_str("the waveform generator is paused"),
            Self::Clocks { lines } => write!(f, "clocks run on {}", ChannelSet::of_lines(*lines)),
            Self::Levels { lines } => write!(f, "logic outputs are held on {}", ChannelSet::of_lines(*lines)),
        }
    }
}

/// A generator that was not started or stopped. `E` is the error of the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum GenerateError<E> {
    /// Another generator runs.
    Busy(Generators),
    /// It does not run, or not in a way that allows this.
    NotRunning(Generators),
    /// Lines that cannot be held.
    Levels(ClockError),
    /// The link or the device failed.
    Scope(ScopeError<E>),
}

impl<E: fmt::Display> fmt::Display for GenerateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(running) => write!(f, "{running}: stop that first"),
            Self::NotRunning(running) => {
                write!(f, "there is nothing of that kind to stop or go on with: {running}")
            }
            Self::Levels(error) => error.fmt(f),
            Self::Scope(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for GenerateError<E> {}

impl<E> From<ScopeError<E>> for GenerateError<E> {
    fn from(error: ScopeError<E>) -> Self {
        Self::Scope(error)
    }
}

/// Room for the script of one step: as long as the longest that a stream must take in the echo of.
const STEP_SCRIPT_BYTES: usize = 127;
/// Bytes of the waveform table in one script, at two digits and a `W` each.
const TABLE_BYTES: usize = STEP_SCRIPT_BYTES / 3;

impl<S: Read + Write, C: Clock> Scope<S, C> {
    /// What the generators do at present.
    #[must_use]
    pub fn generators(&self) -> Generators {
        self.generators
    }

    /// What the generators drive at present: captures are planned around it.
    #[must_use]
    pub fn driven(&self) -> BusyOutputs {
        self.generators.driven()
    }

    /// Plays a waveform, over and over or once, on the waveform output and L4. One that plays already is
    /// replaced.
    ///
    /// # Errors
    /// [`GenerateError::Busy`] while clocks run or lines are held, and any failure of the link or the device.
    /// A start that fails is tried once more before that.
    ///
    /// # Cancellation
    /// After dropping the future the next operation resets the device, which stops everything.
    pub async fn start_waveform(
        &mut self,
        plan: &WaveformPlan<'_>,
        mode: PlayMode,
    ) -> Result<(), GenerateError<S::Error>> {
        self.recover().await?;
        if let running @ (Generators::Clocks { .. } | Generators::Levels { .. }) = self.generators {
            return Err(GenerateError::Busy(running));
        }
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.recover().await?;
            self.in_flight = true;
            match self.try_start_waveform(plan, mode).await {
                Err(error) if error.is_passing() && attempt < ATTEMPTS => {}
                result => {
                    result?;
                    self.in_flight = false;
                    self.generators = Generators::Waveform { paused: false };
                    return Ok(());
                }
            }
        }
    }

    /// Stops the waveform generator and turns its output off.
    ///
    /// # Errors
    /// [`GenerateError::NotRunning`], and any failure of the link or the device.
    pub async fn stop_waveform(&mut self) -> Result<(), GenerateError<S::Error>> {
        self.recover().await?;
        let Generators::Waveform { .. } = self.generators else {
            return Err(GenerateError::NotRunning(self.generators));
        };
        self.in_flight = true;
        self.step(&STOP, Command::Generate).await?;
        self.switch_waveform_output(false).await?;
        self.in_flight = false;
        self.generators = Generators::Off;
        Ok(())
    }

    /// Holds the waveform where it is.
    ///
    /// # Errors
    /// [`GenerateError::NotRunning`] if none plays or it is paused already, and any failure of the link or
    /// the device.
    pub async fn pause_waveform(&mut self) -> Result<(), GenerateError<S::Error>> {
        self.set_paused(true).await
    }

    /// Lets a paused waveform go on.
    ///
    /// # Errors
    /// [`GenerateError::NotRunning`] if none is paused, and any failure of the link or the device.
    pub async fn resume_waveform(&mut self) -> Result<(), GenerateError<S::Error>> {
        self.set_paused(false).await
    }

    async fn set_paused(&mut self, pause: bool) -> Result<(), GenerateError<S::Error>> {
        self.recover().await?;
        match self.generators {
            Generators::Waveform { paused } if paused != pause => {}
            running => return Err(GenerateError::NotRunning(running)),
        }
        self.in_flight = true;
        self.step(if pause { &PAUSE } else { &CONTINUE }, Command::Generate).await?;
        self.in_flight = false;
        self.generators = Generators::Waveform { paused: pause };
        Ok(())
    }

    /// Starts clocks. Those that run already are replaced.
    ///
    /// # Errors
    /// [`GenerateError::Busy`] while a waveform plays or lines are held, and any failure of the link or the
    /// device. A start that fails is tried once more before that.
    ///
    /// # Cancellation
    /// As [`Self::start_waveform`].
    pub async fn start_clocks(&mut self, plan: &ClockPlan) -> Result<(), GenerateError<S::Error>> {
        self.recover().await?;
        if let running @ (Generators::Waveform { .. } | Generators::Levels { .. }) = self.generators {
            return Err(GenerateError::Busy(running));
        }
        self.drive_lines(plan).await?;
        self.generators = Generators::Clocks { lines: plan.lines() };
        Ok(())
    }

    /// Stops the clocks and lets go of their lines.
    ///
    /// # Errors
    /// [`GenerateError::NotRunning`], and any failure of the link or the device.
    pub async fn stop_clocks(&mut self) -> Result<(), GenerateError<S::Error>> {
        self.recover().await?;
        let Generators::Clocks { .. } = self.generators else {
            return Err(GenerateError::NotRunning(self.generators));
        };
        self.let_go_of_lines().await?;
        Ok(())
    }

    /// Holds logic lines high or low according to the pattern; lines held before that it does not name are let go.
    ///
    /// This is experimental: it follows from what is known of clock outputs, and has not been tried on a device.
    /// No register is known for the level of an output. A clock output whose other edge never comes holds its line, so that up to three lines can be held, and only while no clock or waveform runs.
    ///
    /// # Errors
    /// [`GenerateError::Busy`] while a waveform plays or clocks run, [`GenerateError::Levels`] for none or
    /// more than three lines, and any failure of the link or the device.
    ///
    /// # Cancellation
    /// As [`Self::start_waveform`].
    pub async fn set_logic_outputs(&mut self, levels: LogicPattern) -> Result<(), GenerateError<S::Error>> {
        self.recover().await?;
        if let running @ (Generators::Waveform { .. } | Generators::Clocks { .. }) = self.generators {
            return Err(GenerateError::Busy(running));
        }
        let plan = plan_levels(self.model, levels).map_err(GenerateError::Levels)?;
        self.drive_lines(&plan).await?;
        self.generators = Generators::Levels { lines: levels.care };
        Ok(())
    }

    /// Lets go of the lines that [`Self::set_logic_outputs`] holds.
    ///
    /// # Errors
    /// [`GenerateError::NotRunning`], and any failure of the link or the device.
    pub async fn release_logic_outputs(&mut self) -> Result<(), GenerateError<S::Error>> {
        self.recover().await?;
        let Generators::Levels { .. } = self.generators else {
            return Err(GenerateError::NotRunning(self.generators));
        };
        self.let_go_of_lines().await?;
        Ok(())
    }

    async fn try_start_waveform(
        &mut self,
        plan: &WaveformPlan<'_>,
        mode: PlayMode,
    ) -> Result<(), ScopeError<S::Error>> {
        if let Some(synthesize) = plan.synthesize() {
            self.step(&synthesize, Command::Synthesize).await?;
        } else {
            self.write_table(plan).await?;
        }
        self.step(&plan.translate(), Command::Translate).await?;
        // Its registers that wait for an update get it with the output's: known clients send one update, after all else.
        self.step(&plan.play(mode), Command::Generate).await?;
        self.switch_waveform_output(true).await
    }

    async fn write_table(&mut self, plan: &WaveformPlan<'_>) -> Result<(), ScopeError<S::Error>> {
        self.stage_step(&plan.table_start());
        let mut bytes = plan.table().peekable();
        while bytes.peek().is_some() {
            let mut buffer = [0; STEP_SCRIPT_BYTES];
            let mut script = Script::new(&mut buffer);
            script.stores(&mut self.shadow)?;
            let room = TABLE_BYTES.saturating_sub(script.bytes().len().div_ceil(3));
            for byte in bytes.by_ref().take(room) {
                script.number(byte)?;
                script.command(Command::WriteWaveform)?;
            }
            self.transport.run(Stage::Generate, script.finish()).await?;
        }
        Ok(())
    }

    /// Turns the waveform output on or off, and leaves the analog filter as it is.
    async fn switch_waveform_output(&mut self, on: bool) -> Result<(), ScopeError<S::Error>> {
        let held = self.shadow.held(Register::KitchenSinkB).unwrap_or(0);
        let output = u32::from(WAVEFORM_OUTPUT);
        let value = if on { held | output } else { held & !output };
        self.step(&[(Register::KitchenSinkB, value)], Command::Update).await
    }

    /// Starts the clock outputs of a plan, which replaces what they did.
    async fn drive_lines(&mut self, plan: &ClockPlan) -> Result<(), ScopeError<S::Error>> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.recover().await?;
            self.in_flight = true;
            self.mapped |= plan.lines();
            self.stage_release(plan.lines());
            match self.generate(&plan.registers()).await {
                Err(error) if error.is_passing() && attempt < ATTEMPTS => {}
                result => {
                    result?;
                    self.mapped = plan.lines();
                    self.in_flight = false;
                    return Ok(());
                }
            }
        }
    }

    async fn let_go_of_lines(&mut self) -> Result<(), ScopeError<S::Error>> {
        self.in_flight = true;
        self.stage_release(0);
        self.generate(&STOP).await?;
        self.mapped = 0;
        self.in_flight = false;
        self.generators = Generators::Off;
        Ok(())
    }

    /// Lets go of all lines that a clock output may drive, but those to be kept. A reset does not: registers survive it.
    pub(super) fn stage_release(&mut self, kept: u8) {
        let lines = self.mapped & !kept;
        for line in LogicLine::all().filter(|line| lines & line.bit() != 0) {
            self.shadow.stage(map_register(line), 0);
        }
    }

    /// Writes registers, has those take effect that wait for an update, and has the generator act on them.
    ///
    /// In two scripts: both commands take a while, and only what was waited for is sure to be done before the next.
    async fn generate(&mut self, registers: &[(Register, u32)]) -> Result<(), ScopeError<S::Error>> {
        self.step(registers, Command::Update).await?;
        self.step(&[], Command::Generate).await
    }

    fn stage_step(&mut self, registers: &[(Register, u32)]) {
        for &(register, value) in registers {
            // The device moves these on as it writes and plays.
            if matches!(register, Register::Index | Register::Address) {
                self.shadow.stage_volatile(register, value);
            } else {
                self.shadow.stage(register, value);
            }
        }
    }

    /// Writes registers and runs the command that uses them.
    async fn step(
        &mut self,
        registers: &[(Register, u32)],
        command: Command,
    ) -> Result<(), ScopeError<S::Error>> {
        self.stage_step(registers);
        let mut buffer = [0; STEP_SCRIPT_BYTES];
        let mut script = Script::new(&mut buffer);
        script.stores(&mut self.shadow)?;
        script.command(command)?;
        self.transport.run(Stage::Generate, script.finish()).await
    }
}

/// Registers `Cmd` and `Mode` of `Z` ([section 9 of the reference](crate::vm#9-generators)).
const STOP: [(Register, u32); 2] = [(Register::Cmd, 1), (Register::Mode, 0)];
const PAUSE: [(Register, u32); 2] = [(Register::Cmd, 1), (Register::Mode, 1)];
const CONTINUE: [(Register, u32); 2] = [(Register::Cmd, 2), (Register::Mode, 1)];
