//! Streams: samples without end, handed to a function of the caller.

use core::ffi::c_void;

use scopething_core::blocking::block_on;
use scopething_core::device::{AnalogParameters, Attenuation};
use scopething_core::plan::{AnalogChannel, Channel, StreamPlan, StreamRequest};
use scopething_core::scope::{StreamChunk, StreamFrame, StreamTotals};

use crate::link::Driver;
use crate::memory::{Out, room, sized};
use crate::request::{channel_set, given};
use crate::scope::{ScopethingCoreScope, with};
use crate::status::{Failure, ScopethingCoreStatus, answer};

/// What is asked of a stream. Fill it with scopething_core_stream_request_init first.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCoreStreamRequest {
    /// The size of this structure, in bytes; set by scopething_core_stream_request_init.
    pub struct_size: usize,
    /// The channels, SCOPETHING_CORE_CHANNEL_ bits. Default: A.
    pub channels: u32,
    /// The range is given as fractions of the converter's, and samples are fractions of the range.
    pub raw: bool,
    /// Frames a second: 2441.5 to 500000, as far as the link carries them. Default: 2500.
    pub frame_rate_hz: f64,
    /// The bottom of the range; NAN: what the probe measures safely. With `raw` a fraction.
    pub low_v: f64,
    /// The top of the range, likewise.
    pub high_v: f64,
    /// Volts at the tip of the probe of channel A for a volt at the input, such as 10. Default: 1.
    pub attenuation_a: f64,
    /// Likewise of channel B.
    pub attenuation_b: f64,
}

/// Fills a request with the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_stream_request_init(
    request: *mut ScopethingCoreStreamRequest,
) -> ScopethingCoreStatus {
    answer(|| {
        // SAFETY: the contract of the interface.
        let mut request = unsafe { Out::new(request, c"request") }?;
        request.set(ScopethingCoreStreamRequest {
            struct_size: size_of::<ScopethingCoreStreamRequest>(),
            channels: crate::SCOPETHING_CORE_CHANNEL_A,
            raw: false,
            frame_rate_hz: 2500.0,
            low_v: f64::NAN,
            high_v: f64::NAN,
            attenuation_a: 1.0,
            attenuation_b: 1.0,
        });
        Ok(())
    })
}

/// The samples that were taken at one moment: a byte for each analog channel, then one for the logic lines, bit n for line Ln.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCoreFrame {
    /// ScopethingCoreStreamInfo has their places and what they mean in volts.
    pub samples: [u8; 3],
}

// The driver fills the caller's frames: its own are the same three bytes.
const _: () = assert!(size_of::<ScopethingCoreFrame>() == size_of::<StreamFrame>());
const _: () = assert!(align_of::<ScopethingCoreFrame>() == align_of::<StreamFrame>());
const _: () = assert!(size_of::<StreamFrame>() == 3);

/// How a stream is made.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCoreStreamInfo {
    /// Frames a second.
    pub frame_rate_hz: f64,
    /// Bytes a second that the link must carry.
    pub bytes_per_second: f64,
    /// A sample of channel A is `a_low_v` + sample x `a_step_v`.
    pub a_low_v: f32,
    /// See `a_low_v`.
    pub a_step_v: f32,
    /// Likewise of channel B.
    pub b_low_v: f32,
    /// See `a_low_v`.
    pub b_step_v: f32,
    /// The place of channel A's sample in a frame; 255 if it was not asked for.
    pub a_place: u8,
    /// Likewise of channel B.
    pub b_place: u8,
    /// Likewise of the logic lines.
    pub logic_place: u8,
}

/// Frames that follow on one another.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCoreBlock {
    /// The frames; there can be none between two gaps.
    pub frames: *const ScopethingCoreFrame,
    /// How many there are.
    pub count: usize,
    /// The number of the first one, those that are missing counted as well.
    pub first: u64,
    /// Whether some are missing just before these frames.
    pub is_gap: bool,
    /// Whether it is known how many; `first` is an estimate otherwise.
    pub is_lost_known: bool,
    /// How many are missing, if that is known.
    pub lost_frames: u64,
}

/// Called with the frames that have come; anything but 0 ends the stream.
#[allow(non_camel_case_types, reason = "the name that C sees")]
pub type scopething_core_receive =
    Option<unsafe extern "C" fn(user: *mut c_void, block: *const ScopethingCoreBlock) -> i32>;

/// What a stream has amounted to.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
pub struct ScopethingCoreStreamTotals {
    /// Frames received.
    pub frames: u64,
    /// Frames that are missing; of gaps whose length is not known, the estimate.
    pub lost_frames: u64,
    /// How often some were missing.
    pub gaps: u64,
    /// How many of the gaps are of a length that is not known.
    pub unknown_gaps: u64,
    /// The time from the start of the stream to its last bytes.
    pub elapsed_us: u64,
}

fn place(plan: &StreamPlan, channel: Option<Channel>) -> u8 {
    channel.and_then(|channel| plan.place(channel)).map_or(u8::MAX, |place| place as u8)
}

fn info_of(plan: &StreamPlan) -> ScopethingCoreStreamInfo {
    let logic = Channel::L.into_iter().find(|&line| plan.channels.contains(line));
    let scale = |channel| {
        let scale = plan.scale(channel);
        (scale.value(0.0), (scale.value(256.0) - scale.value(0.0)) / 256.0)
    };
    let ((a_low_v, a_step_v), (b_low_v, b_step_v)) = (scale(AnalogChannel::A), scale(AnalogChannel::B));
    ScopethingCoreStreamInfo {
        frame_rate_hz: plan.frame_rate_hz(),
        bytes_per_second: plan.bytes_per_second(),
        a_low_v,
        a_step_v,
        b_low_v,
        b_step_v,
        a_place: place(plan, Some(Channel::A)),
        b_place: place(plan, Some(Channel::B)),
        logic_place: place(plan, logic),
    }
}

fn block_of(chunk: &StreamChunk<'_>) -> ScopethingCoreBlock {
    let lost = chunk.gap.and_then(|gap| gap.lost);
    ScopethingCoreBlock {
        frames: chunk.frames.as_ptr().cast(),
        count: chunk.frames.len(),
        first: chunk.first,
        is_gap: chunk.gap.is_some(),
        is_lost_known: lost.is_some(),
        lost_frames: lost.unwrap_or(0),
    }
}

fn totals_of(totals: &StreamTotals) -> ScopethingCoreStreamTotals {
    ScopethingCoreStreamTotals {
        frames: totals.frames,
        lost_frames: totals.lost,
        gaps: totals.gaps,
        unknown_gaps: totals.unknown_gaps,
        elapsed_us: totals.elapsed.0,
    }
}

/// Streams until `receive` returns anything but 0, or the link or the device fails. `frames` is room for those that come at once: for a
/// quarter of a second of them, so that what is merely late is not taken for lost. `info` receives how the stream is made before the first
/// frames, `totals` what it has amounted to; both may be NULL. A device that falls silent fails after the link's round trip.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_stream(
    scope: *mut ScopethingCoreScope,
    request: *const ScopethingCoreStreamRequest,
    frames: *mut ScopethingCoreFrame,
    capacity: usize,
    receive: scopething_core_receive,
    user: *mut c_void,
    info: *mut ScopethingCoreStreamInfo,
    totals: *mut ScopethingCoreStreamTotals,
) -> ScopethingCoreStatus {
    let run = |driver: &mut Driver| {
        // SAFETY: the contract of the interface; the frames are as large and as aligned as the driver's, and any bytes are some.
        let (request, frames, info, totals) = unsafe {
            (
                sized(request, c"request: call scopething_core_stream_request_init first")?,
                room(frames.cast::<StreamFrame>(), capacity, c"frames")?,
                Out::optional(info, c"info")?,
                Out::optional(totals, c"totals")?,
            )
        };
        let receive = receive.ok_or(Failure::Argument(c"receive"))?;
        if frames.is_empty() {
            return Err(Failure::Argument(c"frames: give room for at least one"));
        }
        let attenuation = Attenuation { a: request.attenuation_a, b: request.attenuation_b };
        driver.set_probe(AnalogParameters { attenuation, ..driver.model().analog });
        let plan = driver.plan_stream(&StreamRequest {
            frame_rate_hz: Some(request.frame_rate_hz),
            low: given(request.low_v),
            high: given(request.high_v),
            raw: request.raw,
            ..StreamRequest::new(channel_set(request.channels)?, request.frame_rate_hz)
        })?;
        if let Some(mut info) = info {
            info.set(info_of(&plan));
        }
        let mut so_far = StreamTotals::default();
        let ended = block_on(async {
            let mut stream = driver.start_stream(&plan).await?;
            loop {
                let chunk = stream.read(frames).await;
                so_far = stream.totals();
                let block = block_of(&chunk?);
                // SAFETY: the caller promises a function that may be called with `user`; the frames stay while it runs.
                if unsafe { receive(user, &raw const block) } != 0 {
                    return stream.finish().await;
                }
            }
        });
        if let Ok(totals) = ended {
            so_far = totals;
        }
        if let Some(mut totals) = totals {
            totals.set(totals_of(&so_far));
        }
        ended?;
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { with(scope, run) }
}
