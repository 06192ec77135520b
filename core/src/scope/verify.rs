//! Reading a trace so that no byte the link has changed goes unnoticed.

use embedded_io_async::{Read, Write};

use super::capture::{Dump, EndedTrace};
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
        let mut counter = 0;
        for index in (0..Register::SampleCounter.width()).rev() {
            counter = counter << 8 | u32::from(self.read_counter_byte(index).await?);
        }
        let width = u32::from(plan.width.max(1));
        let (status, counter) = (ended.address.checked_rem(width), counter.checked_rem(width));
        if status == counter {
            return Ok(());
        }
        Err(ScopeError::Contradiction(Contradiction::TraceEnd {
            status: status.unwrap_or(0),
            counter: counter.unwrap_or(0),
        }))
    }

    async fn read_counter_byte(&mut self, index: u8) -> Result<u8, ScopeError<S::Error>> {
        let stage = Stage::Trace;
        let mut buffer = [0; 8];
        let mut script = Script::new(&mut buffer);
        script.command(Command::ReadSampleCounter)?;
        script.number(Register::SampleCounter.address().wrapping_add(index))?;
        script.command(Command::SetAddress)?;
        script.command(Command::Print)?;
        self.line.run(stage, script.finish()).await?;
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
            match self.try_dump::<true>(dump, samples).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if error.is_passing() => {
                    self.resynchronise(dump.stage()).await?;
                    self.dump(plan, dump, samples).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(ScopeError::Contradiction(Contradiction::Samples { stage: dump.stage() }))
    }
}
