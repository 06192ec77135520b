//! Reading the samples of a trace that has ended.

use embedded_io_async::{Read, Write};

use super::{ATTEMPTS, Scope, ScopeError, ScopeErrorKind, Stage};
use crate::plan::CapturePlan;
use crate::time::Clock;
use crate::trace::{BufferLayout, DumpChannel, EndReason};
use crate::vm::{Command, Register, Script};

/// Room for the script of a dump: 15 register bytes in four runs, and `>A`. Two of the 15 are always 0.
pub(super) const DUMP_SCRIPT_BYTES: usize = 15 * 3 + 4 * 3 + 2 - 3;

/// The most samples of a dump before one was lost: all of any channel.
pub(super) const ANY_DUMP: u16 = u16::MAX;
/// By what a dump that was lost is divided.
const SHORTER_DUMPS: u16 = 4;
/// By how many samples dumps become longer again for each channel that came without a loss.
const LONGER_DUMPS: u16 = 16;
/// Dumps are cut no shorter, in samples. In datagrams of a byte each these are some 500 for a system to keep until they are
/// read, for which even Linux's default of 208 KiB has room.
const MIN_DUMP: u16 = 256;

/// A trace that has ended, still in the device.
pub(super) struct EndedTrace {
    pub(super) cause: EndReason,
    /// How many samples can be read, counted over the interleaved analog channels.
    pub(super) samples: u16,
    /// The address of the sample after the last, within the buffer.
    pub(super) address: u32,
    pub(super) end_ticks: u64,
}

impl<S: Read + Write, C: Clock> Scope<S, C> {
    /// Reads the samples of one channel.
    ///
    /// A dump that fails is asked for again, in shorter ones if that may help.
    pub(super) async fn dump(
        &mut self,
        plan: &CapturePlan,
        dump: &Dump,
        samples: &mut [u8],
    ) -> Result<(), ScopeError<S::Error>> {
        let (mut attempt, mut read, mut is_clean) = (0, 0, true);
        while let Some(rest) = samples.get_mut(read..).filter(|rest| !rest.is_empty()) {
            let part = dump.part(plan, read, self.max_dump);
            let length = part.sample_bytes().min(rest.len());
            let longest = self.max_dump.min(part.count);
            attempt += 1;
            match self.try_dump::<false>(&part, rest.get_mut(..length).unwrap_or_default()).await {
                Ok(_) => (attempt, read) = (0, read + length),
                Err(error) if error.leaves_trace() && (attempt < ATTEMPTS || self.max_dump < longest) => {
                    is_clean = false;
                    // A shorter one is another attempt; it ends at the shortest.
                    if self.max_dump < longest {
                        attempt = 0;
                    }
                    self.resume_dumps(plan, dump.stage()).await?;
                }
                Err(error) => return Err(error),
            }
        }
        if is_clean {
            self.max_dump = self.max_dump.saturating_add(LONGER_DUMPS);
        }
        Ok(())
    }

    /// Reads a channel again; returns whether `samples` held the same before.
    pub(super) async fn compare_dump(
        &mut self,
        plan: &CapturePlan,
        dump: &Dump,
        samples: &mut [u8],
    ) -> Result<bool, ScopeError<S::Error>> {
        let (mut same, mut read) = (true, 0);
        while let Some(rest) = samples.get_mut(read..).filter(|rest| !rest.is_empty()) {
            let part = dump.part(plan, read, self.max_dump);
            let length = part.sample_bytes().min(rest.len());
            same &= self.try_dump::<true>(&part, rest.get_mut(..length).unwrap_or_default()).await?;
            read += length;
        }
        Ok(same)
    }

    #[inline(never)]
    fn stage_dump(&mut self, dump: &Dump) {
        self.shadow.stage_volatile(Register::SampleAddress, dump.address);
        for (register, value) in dump.registers() {
            self.shadow.stage(register, value);
        }
    }

    /// Reads the samples of a dump once; returns whether `samples` held the same before, if that is asked.
    ///
    /// Of one that has come in part on a link that loses data, a buffer on the way may have had no room for the rest: from then
    /// on dumps are shorter.
    async fn try_dump<const COMPARE: bool>(
        &mut self,
        dump: &Dump,
        samples: &mut [u8],
    ) -> Result<bool, ScopeError<S::Error>> {
        self.stage_dump(dump);
        let mut buffer = [0; DUMP_SCRIPT_BYTES];
        let mut script = Script::new(&mut buffer);
        script.stores(&mut self.shadow)?;
        script.command(Command::ProgramSpock)?;
        script.command(Command::DumpBinary)?;
        self.transport.run(dump.stage(), script.finish()).await?;
        let received = self.receive_dump::<COMPARE>(dump, samples).await;
        let came_in_part =
            matches!(&received, Err(error) if matches!(error.kind, ScopeErrorKind::Incomplete { .. }));
        if came_in_part && self.transport.profile.is_lossy {
            self.max_dump = (dump.count / SHORTER_DUMPS).max(MIN_DUMP) & !1;
        }
        received
    }

    /// The first sample may be stale and is dropped.
    async fn receive_dump<const COMPARE: bool>(
        &mut self,
        dump: &Dump,
        samples: &mut [u8],
    ) -> Result<bool, ScopeError<S::Error>> {
        let stage = dump.stage();
        let lead_bytes = usize::from(dump.lead_bytes);
        let length = lead_bytes + samples.len();
        let deadline = self.transport.answer_deadline(length);
        let mut lead = [0; 2];
        debug_assert!(lead_bytes <= lead.len(), "{lead_bytes} bytes before the first sample");
        self.transport.receive(stage, lead.get_mut(..lead_bytes).unwrap_or_default(), deadline).await?;
        let mut same = true;
        if COMPARE {
            let mut again = [0; 32];
            for before in samples.chunks_mut(again.len()) {
                let Some(again) = again.get_mut(..before.len()) else {
                    debug_assert!(false, "a chunk is longer than it was cut to");
                    continue;
                };
                self.transport.receive(stage, again, deadline).await?;
                same &= before == again;
                before.copy_from_slice(again);
            }
        } else {
            self.transport.receive(stage, samples, deadline).await?;
        }
        if self.transport.has_stray_byte(stage).await? {
            return Err(ScopeErrorKind::Surplus { expected: length }.at(stage));
        }
        Ok(same)
    }
}

/// Where the dumps of an ended trace begin.
///
/// That is a sample of each channel before the first: on real hardware the first sample of a dump can be
/// stale ([section 6 of the reference](crate::vm#6-dumps)), so that one is read and dropped.
pub(super) fn dump_address(plan: &CapturePlan, ended: &EndedTrace) -> u32 {
    let interleaved = u32::from(plan.mode.analog_channels.max(1));
    let width = u32::from(plan.width.max(1));
    let end = if interleaved == 2 { ended.address & !1 } else { ended.address };
    let back = (u32::from(ended.samples) + interleaved).checked_rem(width).unwrap_or(0);
    (end + width - back).checked_rem(width).unwrap_or(0)
}

/// One dump: which samples of which channel, from where.
pub(super) struct Dump {
    channel: DumpChannel,
    address: u32,
    count: u16,
    lead_bytes: u8,
    wide: bool,
}

/// Register `DumpMode`: a byte a sample ([section 6 of the reference](crate::vm#6-dumps)).
const DUMP_RAW: u32 = 0;
/// Register `DumpMode`: 16 bits a sample ([section 6 of the reference](crate::vm#6-dumps)).
const DUMP_NATIVE: u32 = 5;

impl Dump {
    /// A dump of a channel's share of a trace, and of the sample before it, which lies at [`dump_address`].
    pub(super) fn new(plan: &CapturePlan, layout: BufferLayout, channel: DumpChannel, address: u32) -> Self {
        let lead = match channel {
            DumpChannel::Analog(_) => 1,
            DumpChannel::Logic => u16::from(plan.mode.analog_channels.max(1)),
        };
        Self {
            channel,
            address,
            count: layout.samples(channel).saturating_add(lead),
            lead_bytes: lead as u8 * layout.sample_bytes(channel),
            wide: layout.sample_bytes(channel) == 2,
        }
    }

    /// The part of the dump behind so many bytes of its samples, of at most so many samples. Where there are two analog
    /// channels both are even.
    fn part(&self, plan: &CapturePlan, read: usize, max: u16) -> Self {
        let lead = u16::from(self.lead_bytes) >> u8::from(self.wide);
        let skipped = (read >> u8::from(self.wide)) as u16;
        let interleaved = match self.channel {
            DumpChannel::Analog(_) => u32::from(plan.mode.analog_channels.max(1)),
            DumpChannel::Logic => 1,
        };
        let address = self.address + u32::from(skipped) * interleaved;
        Self {
            address: address.checked_rem(plan.width.into()).unwrap_or(0),
            count: self.count.saturating_sub(lead).saturating_sub(skipped).min(max).saturating_add(lead),
            ..*self
        }
    }

    /// Bytes of its samples, without those before the first.
    fn sample_bytes(&self) -> usize {
        (usize::from(self.count) << u8::from(self.wide)).saturating_sub(self.lead_bytes.into())
    }

    pub(super) fn stage(&self) -> Stage {
        Stage::Dump(self.channel)
    }

    /// `DumpSend` and `DumpSkip` are those of a dump of every sample. Raw and native dumps ignore them, but known clients
    /// write them.
    pub(super) fn registers(&self) -> [(Register, u32); 6] {
        [
            (Register::DumpRepeat, 1),
            (Register::DumpSend, 1),
            (Register::DumpSkip, 0),
            (Register::DumpCount, self.count.into()),
            (Register::DumpMode, if self.wide { DUMP_NATIVE } else { DUMP_RAW }),
            (Register::DumpChan, self.channel.number().into()),
        ]
    }
}
