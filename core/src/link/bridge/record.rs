//! What is known of a trace in the bridge's flash, and the way back from there to a [`Trace`].

use core::fmt;

use serde::{Deserialize, Serialize};

use super::frame::CRC;
use super::packing::{UnpackError, pack, unpack};
use crate::device::{AnalogParameters, BS05};
use crate::plan::{BusyOutputs, CapturePlan, CaptureRequest, PlanError, SampleRange, plan_capture};
use crate::scope::SerialNumber;
use crate::time::{Instant, Micros};
use crate::trace::{BufferLayout, DumpChannel, EndReason, Trace, TraceBuffer};

/// The number of a stored trace. Numbers go up by one from trace to trace and are not used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TraceId(pub u32);

impl TraceId {
    /// The first trace of a bridge.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The version of the form that a [`StoredTrace`] has in flash. It changes when that form does, which need not be when the
/// [messages](super::frame::VERSION) change: what was stored by firmware with the same form stays readable.
pub const RECORD_VERSION: u8 = 4;

/// How the samples of a stored trace are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Packing {
    /// As they came.
    Raw,
    /// Each channel as [`packing`](super::packing) has it, one after the other.
    Differences,
}

/// A stored trace without its samples: all that is needed to read them.
///
/// The plan is not kept but made again from the request, by the same planner; `plan_digest` shows whether it
/// is the same.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StoredTrace {
    /// Its number.
    pub id: TraceId,
    /// What was asked for.
    pub request: CaptureRequest,
    /// The probe it was planned with.
    pub probe: AnalogParameters,
    /// The [`digest`](Self::digest_of) of the plan.
    pub plan_digest: u32,
    /// Samples in all, counted over the interleaved analog channels.
    pub samples: u16,
    /// Why the trace ended.
    pub cause: EndReason,
    /// The device time of its end, in ticks of the device's clock, unwrapped to 64 bits.
    pub end_ticks: u64,
    /// When it ended by the bridge's clock, which starts at power-up.
    pub ended_at: Instant,
    /// In which of the bridge's starts that was, counted from 1 on.
    pub boot: u32,
    /// When it ended, in microseconds since 1970-01-01 00:00 UTC, if a computer had set the bridge's clock.
    pub unix: Option<Micros>,
    /// The serial number of the BitScope.
    pub scope: Option<SerialNumber>,
    /// How the samples are kept.
    pub packing: Packing,
    /// Bytes that the samples take so.
    pub stored_bytes: u16,
    /// The CRC-32 of these bytes.
    pub checksum: u32,
}

/// When a trace ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Ended {
    /// By the bridge's clock, which starts at power-up.
    pub at: Instant,
    /// In which of the bridge's starts, counted from 1 on.
    pub boot: u32,
    /// Microseconds since 1970-01-01 00:00 UTC, if known.
    pub unix: Option<Micros>,
}

impl Ended {
    /// In the bridge's first start; no computer has set its clock.
    #[must_use]
    pub const fn at(at: Instant) -> Self {
        Self { at, boot: 1, unix: None }
    }
}

/// Why a stored trace cannot be read.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RecordError {
    /// Its request cannot be planned.
    Plan(PlanError),
    /// The firmware planned the request otherwise than this program does.
    OtherPlan {
        /// Which trace.
        id: TraceId,
    },
    /// Its samples are not those that were stored.
    Checksum {
        /// Which trace.
        id: TraceId,
    },
    /// Its samples cannot be unpacked.
    Packing(UnpackError),
    /// It claims more samples or bytes than a trace has.
    Size {
        /// Which trace.
        id: TraceId,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(error) => write!(f, "the stored request makes no sense here: {error}"),
            Self::OtherPlan { id } => write!(
                f,
                "trace {id} was planned by other firmware than this program knows: fetch it with the program of \
                 that version"
            ),
            Self::Checksum { id } => {
                write!(f, "the samples of trace {id} are damaged: its flash has failed, erase it")
            }
            Self::Packing(error) => error.fmt(f),
            Self::Size { id } => write!(f, "trace {id} has more samples than its plan: erase it"),
        }
    }
}

impl core::error::Error for RecordError {}

impl From<PlanError> for RecordError {
    fn from(error: PlanError) -> Self {
        Self::Plan(error)
    }
}

impl StoredTrace {
    /// A record of a trace that is still in its buffer. `request` and `probe` are what it was planned from,
    /// with no generator running.
    #[must_use]
    pub fn of_trace(
        id: TraceId,
        trace: &Trace<'_>,
        request: &CaptureRequest,
        probe: &AnalogParameters,
        scope: Option<SerialNumber>,
        ended: Ended,
    ) -> Self {
        let mut record = Self {
            id,
            request: *request,
            probe: *probe,
            plan_digest: Self::digest_of(trace.plan()),
            samples: trace.samples(),
            cause: trace.end_reason(),
            end_ticks: trace.end_ticks(),
            ended_at: ended.at,
            boot: ended.boot,
            unix: ended.unix,
            scope,
            packing: Packing::Differences,
            stored_bytes: 0,
            checksum: 0,
        };
        let packed = record.stored_form(trace).count();
        let raw = DumpChannel::ALL.map(|channel| trace.raw(channel).len()).iter().sum();
        if packed >= raw {
            record.packing = Packing::Raw;
        }
        // A trace has at most 12 KiB.
        record.stored_bytes = u16::try_from(packed.min(raw)).unwrap_or(u16::MAX);
        let mut digest = CRC.digest();
        record.stored_form(trace).for_each(|byte| digest.update(&[byte]));
        record.checksum = digest.finalize();
        record
    }

    /// The bytes to be stored for the trace that this is the record of.
    pub fn stored_form<'a>(&self, trace: &Trace<'a>) -> impl Iterator<Item = u8> + use<'a> {
        let packing = self.packing;
        let [a, b, logic] = DumpChannel::ALL.map(|channel| {
            let raw = trace.raw(channel);
            let sample_bytes = if channel == DumpChannel::Logic { 1 } else { trace.plan().mode.sample_bytes };
            let (raw, packed) = match packing {
                Packing::Raw => (raw, [].as_slice()),
                Packing::Differences => ([].as_slice(), raw),
            };
            raw.iter().copied().chain(pack(packed, sample_bytes))
        });
        a.chain(b).chain(logic)
    }

    /// A number that two plans share only if they program the device alike and read its samples alike.
    #[must_use]
    pub fn digest_of(plan: &CapturePlan) -> u32 {
        let mut digest = CRC.digest();
        for (_, value) in plan.registers() {
            digest.update(&value.to_le_bytes());
        }
        digest.update(&plan.timebase.samples.to_le_bytes());
        if let SampleRange::Volts { low, high, ab_offset, attenuation } = plan.range {
            for number in [low, high, ab_offset, attenuation.a, attenuation.b] {
                digest.update(&number.to_le_bytes());
            }
        }
        digest.finalize()
    }

    /// The plan of the trace, made anew.
    ///
    /// # Errors
    /// [`RecordError::Plan`], and [`RecordError::OtherPlan`] if it is not the one that was captured.
    pub fn plan(&self) -> Result<CapturePlan, RecordError> {
        let plan = plan_capture(&BS05, &self.probe, &self.request, BusyOutputs::NOTHING)?;
        if Self::digest_of(&plan) != self.plan_digest {
            return Err(RecordError::OtherPlan { id: self.id });
        }
        if self.samples > plan.timebase.samples {
            return Err(RecordError::Size { id: self.id });
        }
        Ok(plan)
    }

    /// The trace, from its [`plan`](Self::plan) and all the bytes that were stored for it. The samples go
    /// into `buffer`.
    ///
    /// # Errors
    /// [`RecordError`] if the bytes are not those that were stored.
    pub fn restore<'a>(
        &self,
        plan: &'a CapturePlan,
        stored: &[u8],
        buffer: &'a mut TraceBuffer,
    ) -> Result<Trace<'a>, RecordError> {
        let id = self.id;
        if stored.len() != usize::from(self.stored_bytes) || CRC.checksum(stored) != self.checksum {
            return Err(RecordError::Checksum { id });
        }
        let layout = BufferLayout::new(plan, self.samples);
        let mut rest = stored;
        for channel in DumpChannel::ALL {
            let region = layout.region(channel);
            let place = buffer.region_mut(region.clone());
            if place.len() != region.len() {
                return Err(RecordError::Size { id });
            }
            let taken = match self.packing {
                Packing::Raw => {
                    let raw = rest.get(..place.len()).ok_or(RecordError::Size { id })?;
                    place.copy_from_slice(raw);
                    raw.len()
                }
                Packing::Differences => {
                    unpack(rest, layout.sample_bytes(channel), place).map_err(RecordError::Packing)?
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        if !rest.is_empty() {
            return Err(RecordError::Size { id });
        }
        Ok(Trace::new(plan, buffer, self.samples, self.cause, self.end_ticks))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec::Vec;

    use super::*;
    use crate::plan::{AnalogChannel, Channel, ChannelSet};

    fn request(channels: &str, samples: u32) -> CaptureRequest {
        CaptureRequest { samples, ..CaptureRequest::new(channels.parse::<ChannelSet>().unwrap()) }
    }

    fn record_of(request: &CaptureRequest, samples: u16, raw: &[u8]) -> (StoredTrace, Vec<u8>) {
        let plan = plan_capture(&BS05, &BS05.analog, request, BusyOutputs::NOTHING).unwrap();
        let mut buffer = TraceBuffer::new();
        buffer.region_mut(0..raw.len()).copy_from_slice(raw);
        let trace = Trace::new(&plan, &buffer, samples, EndReason::Trigger, 1 << 33);
        let record =
            StoredTrace::of_trace(TraceId(9), &trace, request, &BS05.analog, None, Ended::at(Instant(5)));
        let stored = record.stored_form(&trace).collect();
        (record, stored)
    }

    #[test]
    fn another_planner_is_noticed() {
        let (mut record, _) = record_of(&request("A", 100), 100, &[0; 200]);
        assert!(record.plan().is_ok());
        record.request.samples = 200;
        assert_eq!(record.plan(), Err(RecordError::OtherPlan { id: TraceId(9) }));
        record.request.period_s = f64::NAN;
        assert!(matches!(record.plan(), Err(RecordError::Plan(PlanError::Period(_)))));
    }

    #[test]
    fn noise_is_kept_raw() {
        let mut state = 1_u32;
        let noise: Vec<u8> = (0..2000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let (record, stored) = record_of(&request("A", 1000), 1000, &noise);
        assert_eq!((record.packing, usize::from(record.stored_bytes)), (Packing::Raw, stored.len()));
        assert_eq!(stored, noise);
    }

    proptest! {
        #[test]
        fn stored_trace_is_the_trace(
            channels in prop::sample::select(std::vec!["A", "B", "A,B", "L", "A,L", "A,B,L1", "L2"]),
            asked in 2u32..4000, fraction in 0.0..=1.0, quiet in any::<bool>(),
            raw in prop::collection::vec(any::<u8>(), crate::device::BUFFER_BYTES),
        ) {
            let request = request(channels, asked);
            let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap();
            let samples = (f64::from(plan.timebase.samples) * fraction) as u16 & !1;
            let raw: Vec<u8> = raw.into_iter().map(|byte| if quiet { byte & 3 } else { byte }).collect();
            let (record, stored) = record_of(&request, samples, &raw);
            prop_assert!(stored.len() <= plan.dump_bytes());
            let mut buffer = TraceBuffer::new();
            let made = record.plan().unwrap();
            let trace = record.restore(&made, &stored, &mut buffer).unwrap();
            let mut expected = TraceBuffer::new();
            expected.region_mut(0..raw.len()).copy_from_slice(&raw);
            let expected = Trace::new(&plan, &expected, samples, EndReason::Trigger, 1 << 33);
            for channel in DumpChannel::ALL {
                prop_assert_eq!(trace.raw(channel), expected.raw(channel));
            }
            prop_assert_eq!(trace.capture_start_s(), expected.capture_start_s());
            prop_assert_eq!(trace.analog(AnalogChannel::A).is_some(), plan.channels.contains(Channel::A));
        }

        #[test]
        fn changed_bytes_are_refused(at in any::<prop::sample::Index>(), change in 1u8..) {
            let raw: Vec<u8> = (0..=255).collect();
            let (record, mut stored) = record_of(&request("L", 256), 256, &raw);
            let at = at.index(stored.len());
            stored[at] ^= change;
            let plan = record.plan().unwrap();
            let mut buffer = TraceBuffer::new();
            let refused = record.restore(&plan, &stored, &mut buffer).map(drop);
            prop_assert_eq!(refused, Err(RecordError::Checksum { id: TraceId(9) }));
        }
    }
}
