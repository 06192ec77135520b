//! Reading a trace so that no byte the link has changed goes unnoticed.

use embedded_io_async::{Read, Write};

use super::dump::Dump;
use super::dump::EndedTrace;
use super::{Contradiction, Scope, ScopeError, Stage};
use crate::plan::CapturePlan;
use crate::time::Clock;
use crate::vm::{Command, Register, Script};

/// How often a channel is read until two readings in a row agree.
const READINGS: u8 = 6;

impl<S: Read + Write, C: Clock> Scope<S, C> {
    /// Reads the device's sample counter, which stands where the trace has ended.
    pub(super) async fn verify_end(
        &mut self,
        plan: &CapturePlan,
        ended: &EndedTrace,
    ) -> Result<(), ScopeError<S::Error>> {
        self.transport.run(Stage::Trace, &[Command::ReadSampleCounter.byte()]).await?;
        let mut counter = 0;
        for index in (0..Register::SampleCounter.width()).rev() {
            counter =
                counter << 8 | u32::from(self.read_register_byte(Register::SampleCounter, index).await?);
        }
        let width = u32::from(plan.width.max(1));
        let (status, counter) = (ended.address.checked_rem(width), counter.checked_rem(width));
        if status == counter {
            return Ok(());
        }
        let ends = Contradiction::TraceEnd { status: status.unwrap_or(0), counter: counter.unwrap_or(0) };
        Err(ends.at(Stage::Trace))
    }

    /// Finds the beginning of the device's answers again after a dump that failed, for the next try.
    ///
    /// The device must still have registers of this trace. A reset changes neither them nor the buffer, and the trace can
    /// still be read; after a loss of power they hold something else, and what would be read is not the trace. No device
    /// begins with both the sample clock and the range of a plan.
    pub(super) async fn resume_dumps(
        &mut self,
        plan: &CapturePlan,
        stage: Stage,
    ) -> Result<(), ScopeError<S::Error>> {
        self.resynchronise(stage).await?;
        for register in [Register::ClockTicks, Register::ConverterHi] {
            let mut held = 0;
            for index in (0..register.width()).rev() {
                held = held << 8 | u32::from(self.read_register_byte(register, index).await?);
            }
            if Some(held) != planned(plan, register) {
                return Err(Contradiction::Forgotten.at(stage));
            }
        }
        // What went wrong may have changed how the device reads its buffer.
        self.shadow.stage(Register::TraceMode, plan.mode.number.into());
        self.shadow.stage(Register::BufferMode, plan.mode.buffer as u32);
        Ok(())
    }

    async fn read_register_byte(
        &mut self,
        register: Register,
        index: u8,
    ) -> Result<u8, ScopeError<S::Error>> {
        let stage = Stage::Trace;
        let mut buffer = [0; 8];
        let mut script = Script::new(&mut buffer);
        script.number(register.address().wrapping_add(index))?;
        script.command(Command::SetAddress)?;
        script.command(Command::Print)?;
        self.transport.run(stage, script.finish()).await?;
        self.read_printed_byte(stage).await
    }

    /// Reads a channel again until a reading agrees with the one before; `samples` holds the last one.
    pub(super) async fn verify_dump(
        &mut self,
        plan: &CapturePlan,
        dump: &Dump,
        samples: &mut [u8],
    ) -> Result<(), ScopeError<S::Error>> {
        for _ in 0..READINGS {
            match self.compare_dump(plan, dump, samples).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.leaves_trace() => {
                    self.resume_dumps(plan, dump.stage()).await?;
                    self.dump(plan, dump, samples).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(Contradiction::Samples.at(dump.stage()))
    }
}

/// What a capture writes to a register.
// Out of line: the list of registers would take up stack for as long as the capture runs.
#[inline(never)]
fn planned(plan: &CapturePlan, register: Register) -> Option<u32> {
    plan.registers().into_iter().find_map(|(other, value)| (other == register).then_some(value))
}
