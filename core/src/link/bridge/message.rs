//! The messages: what the computer asks, and what the bridge answers.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::board::BoardSettings;
use super::event::Events;
use super::job::Job;
use super::record::{StoredTrace, TraceId};
use super::status::Status;
use crate::list::list;
use crate::time::Micros;

/// What the computer asks of the bridge.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the job on")]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Request {
    /// How it stands. Answer: [`Response::Status`].
    Status,
    /// The stored job. Answer: [`Response::Job`].
    Job,
    /// Stores a job in place of the one before, disarmed. Answer: [`Response::Done`] once it is stored.
    Configure(Job),
    /// Starts the stored job, also at each power-up from now on. Answer: [`Response::Done`] once that is
    /// stored.
    Arm,
    /// Stops the job, also at each power-up from now on. Answer: [`Response::Done`] once that is stored.
    Disarm,
    /// Ends the wait for a trigger, or if there is none captures once without waiting for a trigger. The
    /// trace gets the number after the newest in [`Status::store`]. Answer: [`Response::Done`] at once.
    CaptureNow,
    /// The records of stored traces, from this number on upwards. Answer: [`Response::Records`].
    List {
        /// The lowest number that is of interest.
        from: TraceId,
    },
    /// Stored bytes of a trace. Answer: [`Response::Data`].
    Fetch {
        /// Which trace.
        id: TraceId,
        /// The first byte.
        offset: u16,
        /// How many bytes at the most; more than [`DATA_BYTES`](super::frame::DATA_BYTES) count as that.
        length: u16,
    },
    /// Erases stored traces up to this number. Answer: [`Response::Done`] once they are erased.
    Erase {
        /// The last one.
        through: TraceId,
    },
    /// Calibrates the job's probe on both channels, whose probes must be on L5. The job waits meanwhile.
    /// Answer: [`Response::Done`] at once; [`Status::state`] reports the progress.
    Calibrate {
        /// DAC settings a side of the grid that is measured, 8 to 64; 32 is usual.
        grid: u8,
    },
    /// Passes bytes through again after the answer, [`Response::Done`], until a frame opens.
    PassThrough {
        /// An armed job leaves the BitScope alone until nothing has been sent for 10 minutes. Otherwise it
        /// goes on until the first byte that is passed through, and again when nothing has been sent for a
        /// minute.
        hold: bool,
    },
    /// The computer's time, which the bridge keeps for as long as it has power. Answer: [`Response::Done`].
    Time {
        /// Microseconds since 1970-01-01 00:00 UTC.
        unix: Micros,
    },
    /// Restarts into the boot loader, whose drive takes other firmware. Answer: [`Response::Done`] at once; then the
    /// bridge is silent.
    Update,
    /// The bridge's log. Answer: [`Response::Log`].
    Log {
        /// The place of the first byte of interest, counted from power-up.
        from: u32,
    },
    /// The settings of its board. Answer: [`Response::Board`].
    Board,
    /// Stores settings of its board, which it uses from the next start on. Answer: [`Response::Done`] once they are stored.
    SetBoard(BoardSettings),
    /// What has happened on the bridge. Answer: [`Response::Events`].
    Events {
        /// The number of the first event of interest, counted from power-up.
        from: u32,
    },
}

/// What the bridge answers.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the records on")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Response<'a> {
    /// It is done, or has begun.
    Done,
    /// How the bridge stands.
    #[serde(borrow)]
    Status(Status<'a>),
    /// The stored job, if there is one.
    Job(Option<Job>),
    /// Records of traces in order of their numbers. None: there are no more.
    Records {
        /// The records.
        records: Records,
        /// A bit for each of them, the lowest for the first: it is in memory alone, and lost when power goes.
        in_memory: u8,
    },
    /// Stored bytes of a trace.
    Data {
        /// Where the first of them lies among the trace's bytes.
        offset: u16,
        /// The bytes; fewer than asked for at the end of the trace.
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// A part of the log.
    Log {
        /// The place of the first byte: later than asked for if that is lost.
        from: u32,
        /// The bytes, in defmt's format; none if there are no more.
        #[serde(borrow)]
        bytes: &'a [u8],
    },
    /// The settings of the board that are stored: those of a Pico if none are.
    Board(BoardSettings),
    /// Events in order of their numbers. None: there are no more.
    Events(Events),
    /// It cannot be done.
    Refused(Refusal),
    /// A frame arrived damaged, and what it asked for is not known: ask again.
    Damaged,
}

list! {
    /// Records of traces, as a slice: as many as fit an answer.
    #[derive(Serialize, Deserialize)]
    pub Records of StoredTrace, at most 4
}

/// Why a request is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refusal {
    /// No job is stored.
    NoJob,
    /// There is no such trace, or no longer.
    NoTrace,
    /// The trace has fewer bytes.
    Offset,
    /// The capture request cannot be planned.
    Request,
    /// The flash fails.
    Storage,
    /// The settings of the board name a pin or a rate that it has not.
    Board,
    /// The job has a band of a channel that it does not capture, or one without values.
    Bands,
    /// The message is unknown to this firmware.
    Unknown,
    /// The BitScope is in use by the bridge's other port.
    InUse,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoJob => "the bridge has no job: configure one first",
            Self::NoTrace => "the bridge has no such trace, or has dropped it: list what it has",
            Self::Offset => "the trace has fewer bytes: list what the bridge has, then fetch it again",
            Self::Request => "the bridge cannot plan this capture: change the request",
            Self::Storage => "the flash of the bridge fails: erase its traces, or use another board",
            Self::Board => "the bridge's board has no such pin or rate: give others",
            Self::Bands => "the job has a band that no trace can lie in: give bands of captured channels",
            Self::Unknown => {
                "the bridge does not know this request: flash the firmware that belongs to this program"
            }
            Self::InUse => {
                "the BitScope is in use through the bridge's other port: close the program that has that open"
            }
        })
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::super::frame::{self, DATA_BYTES, MAX_REQUEST, MAX_RESPONSE};
    use super::super::{
        Bands, Event, Failure, Fault, FlashChip, FlashSize, JobState, LineErrors, Packing, RecordError,
        Repeat, Restart, StoreStatus, TimedEvent, ToFlash, UsbError, UsbState, UsbStatus, UsbStep, WhenFull,
    };
    use super::*;
    use crate::analysis::{Band, Measure};
    use crate::device::AnalogParameters;
    use crate::plan::CaptureRequest;
    use crate::plan::{
        Channel, ChannelSet, LogicPattern, Resolution, TriggerMode, TriggerSource, TriggerType,
    };
    use crate::scope::SerialNumber;
    use crate::time::Instant;
    use crate::trace::EndReason;

    /// Every number as long as it gets.
    fn longest_request() -> CaptureRequest {
        CaptureRequest {
            channels: ChannelSet::ALL_LOGIC.with(Channel::A).with(Channel::B),
            period_s: 1.0 / 3.0,
            samples: u32::MAX,
            low: Some(-1.0 / 3.0),
            high: Some(7.0 / 3.0),
            trigger: Some(TriggerSource::Logic(LogicPattern { care: 0xff, high: 0xff })),
            level: Some(1e-300),
            trigger_type: TriggerType::Below,
            hair_trigger: true,
            position: 0.1,
            delay_s: 1e300,
            timeout_s: Some(1e300),
            raw: true,
            trigger_mode: TriggerMode::Auto,
            resolution: Resolution::Bits8,
        }
    }

    fn longest_band() -> Band {
        let channel = Channel::L[7];
        Band { channel, measure: Measure::Duty, low: f64::NEG_INFINITY, high: f64::INFINITY }
    }

    fn longest_record() -> StoredTrace {
        StoredTrace {
            id: TraceId(u32::MAX),
            request: longest_request(),
            probe: AnalogParameters::NOMINAL_X1,
            plan_digest: u32::MAX,
            samples: u16::MAX,
            cause: EndReason::Cancel,
            end_ticks: u64::MAX,
            ended_at: Instant(u64::MAX),
            boot: u32::MAX,
            unix: Some(Micros(u64::MAX)),
            scope: Some(SerialNumber([0xff; 8])),
            packing: Packing::Differences,
            stored_bytes: u16::MAX,
            checksum: u32::MAX,
        }
    }

    #[test]
    fn longest_request_fits_a_frame() {
        let job = Job {
            request: longest_request(),
            probe: AnalogParameters::NOMINAL_X1,
            repeat: Repeat::Times(u32::MAX),
            spacing: Micros(u64::MAX),
            keep: Some(u16::MAX),
            when_full: WhenFull::DropOldest,
            flash: ToFlash::Spaced(Micros(u64::MAX)),
            bands: Bands::new(&[longest_band(); Bands::MAX]).unwrap(),
        };
        let mut buffer = [0; MAX_REQUEST];
        let sent = frame::encode(&mut buffer, u32::MAX, &Request::Configure(job)).unwrap();
        let inner = 1..sent.len() - 1;
        let decoded = frame::decode(&mut buffer[inner]);
        assert_eq!(decoded, Ok((u32::MAX, Request::Configure(job))));
    }

    #[test]
    fn longest_answers_fit_a_frame() {
        let mut buffer = [0; MAX_RESPONSE];
        let data = Response::Data { offset: u16::MAX, bytes: &[0xff; DATA_BYTES] };
        let mut records = Records::new();
        while records.push(longest_record()) {}
        let place = core::str::from_utf8(&[b'x'; 200]).unwrap();
        let full = StoreStatus {
            traces: u32::MAX,
            oldest: Some(TraceId(u32::MAX)),
            newest: Some(TraceId(u32::MAX)),
            used_bytes: u32::MAX,
            capacity_bytes: u32::MAX,
            erasures: u32::MAX,
            written_bytes: u32::MAX,
            max_traces: u16::MAX,
            unreadable: u32::MAX,
            memory_traces: u32::MAX,
            memory_used_bytes: u32::MAX,
            memory_bytes: u32::MAX,
        };
        let status = Status {
            firmware: (255, 255, 255),
            state: JobState::Calibrating { done: u16::MAX, left: u16::MAX },
            armed: true,
            scope: Some(SerialNumber([0xff; 8])),
            uptime: Micros(u64::MAX),
            captures: u32::MAX,
            within_bands: u32::MAX,
            fault: Some(Fault::Storage),
            restart: Restart::Panic { place },
            store: full,
            flash: FlashChip {
                bytes: u32::MAX,
                size: FlashSize::Repeats,
                used_bytes: u32::MAX,
                id: [u8::MAX; 3],
            },
            usb: UsbStatus {
                state: UsbState::Refused { step: UsbStep::Carrying, error: UsbError::Gone },
                retries: u32::MAX,
                failures: u32::MAX,
                overruns: u32::MAX,
            },
            line: LineErrors { overruns: u32::MAX, framing: u32::MAX },
            boot: u32::MAX,
            last_failure: Some(Failure { boot: u32::MAX, cause: place }),
        };
        let mut events = Events::new();
        let longest = UsbState::Refused { step: UsbStep::Carrying, error: UsbError::Gone };
        let event = TimedEvent { number: u32::MAX, at: Instant(u64::MAX), event: Event::Usb(longest) };
        while events.push(event) {}
        let records = Response::Records { records, in_memory: u8::MAX };
        for message in [data, records, Response::Status(status), Response::Events(events)] {
            let sent = frame::encode(&mut buffer, u32::MAX, &message).unwrap();
            let inner = 1..sent.len() - 1;
            assert_eq!(frame::decode(&mut { buffer }[inner]), Ok((u32::MAX, message)));
        }
    }

    #[test]
    fn what_stands_for_no_channel_is_refused() {
        let mut buffer = [0; 64];
        // The channels of a request: analog 4 is none, logic line 8 neither.
        let logic_8 = (0_u8, 0_u8, Some((1_u32, 8_u8)));
        for wrong in [(4_u8, 0_u8, None), logic_8] {
            let sent = frame::encode(&mut buffer, 1, &wrong).unwrap();
            let inner = 1..sent.len() - 1;
            assert_eq!(frame::decode::<ChannelSet>(&mut buffer[inner]), Err(frame::FrameError::Unknown));
        }
        let right = frame::encode(&mut buffer, 1, &(3_u8, 0x80_u8, Some((1_u32, 7_u8)))).unwrap();
        let inner = 1..right.len() - 1;
        let (_, set) = frame::decode::<ChannelSet>(&mut buffer[inner]).unwrap();
        assert_eq!(set, "L7,A,B".parse().unwrap());
    }

    #[test]
    fn record_with_a_wrong_size_is_refused() {
        let record = StoredTrace { request: CaptureRequest::new(ChannelSet::ALL_LOGIC), ..longest_record() };
        assert_eq!(record.plan(), Err(RecordError::OtherPlan { id: record.id }));
    }
}
