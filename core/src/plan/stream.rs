//! The planner of streams: samples without end, at a rate that the link carries ([section 8 of the reference](crate::vm#8-streaming)).
//!
//! The device sends frames at a rate of its own choosing between [`MIN_TICKS`] and [`MAX_TICKS`] of its clock. A slower
//! rate is reached on the host, by thinning out: so many frames become one sample.

use libm::{ceil, fabs, rint};

use super::capture::left_out;
use super::capture_plan::ANALOG_FILTER;
use super::notice::Notices;
use super::range::plan_range;
use super::{
    AnalogChannel, BusyOutputs, CaptureRequest, Channel, ChannelSet, LogicLine, Notice, PlanError,
    SampleRange, WAVEFORM_OUTPUT,
};
use crate::device::{AnalogParameters, Model};
use crate::trace::StepScale;
use crate::vm::{MAX_FRAME_SAMPLES, Register, STREAM_IDENT};

/// The fewest ticks of the primary clock from one frame to the next that a known client has asked for: 500 000 frames a
/// second at 40 MHz, more than any link to the device carries.
pub const MIN_TICKS: u16 = 80;
/// The most, as for captures: 2441 frames a second at 40 MHz.
pub const MAX_TICKS: u16 = 16384;
/// How many ways of thinning out are tried for one that meets the rate exactly.
const TRIED_FACTORS: u32 = 512;
/// Register `TraceMode`: all channels in frames ([section 8 of the reference](crate::vm#8-streaming)).
const FRAMED: u32 = 1;
/// Register `TraceMode`: one channel without frames.
const UNFRAMED: u32 = 2;
/// Register `DigitalEnable` in a stream: the logic byte is sent.
const LOGIC_ON: u32 = 1;

/// What a user asks of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamRequest {
    /// What is sampled.
    pub channels: ChannelSet,
    /// Samples a second after thinning out, in hertz.
    pub rate_hz: f64,
    /// Frames a second that the device sends, in hertz. None leaves it to the planner, which takes the fewest that the
    /// rate can be made of.
    pub frame_rate_hz: Option<f64>,
    /// Bottom of the range, in volts; none for what the probe measures safely.
    pub low: Option<f64>,
    /// Top of the range, in volts; none for what the probe measures safely.
    pub high: Option<f64>,
    /// Whether the range is given as DAC fractions, and samples are fractions of it.
    pub raw: bool,
    /// Whether samples come without frames: four times as many of one channel as with them, but nothing shows when some
    /// are lost on the way.
    pub unframed: bool,
}

impl StreamRequest {
    /// A stream of some channels at a rate in hertz, all else by default.
    #[must_use]
    pub const fn new(channels: ChannelSet, rate_hz: f64) -> Self {
        Self { channels, rate_hz, frame_rate_hz: None, low: None, high: None, raw: false, unframed: false }
    }
}

/// A stream as it will be programmed.
///
/// Made by [`plan_stream`]; the fields belong together and are for reading.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamPlan {
    /// What is sampled.
    pub channels: ChannelSet,
    /// What the samples span.
    pub range: SampleRange,
    /// The primary clock, in hertz.
    pub clock_hz: f64,
    /// Register `ClockTicks`: ticks of the primary clock from one frame to the next.
    pub ticks: u16,
    /// How many frames become one sample on the host; 1 keeps them all.
    pub thinning: u32,
    /// Whether samples come without frames.
    pub unframed: bool,
    /// What is done otherwise than asked, and what the user should know.
    pub notices: Notices,
    converter_low: u16,
    converter_high: u16,
    kitchen_sink_b: u8,
}

impl StreamPlan {
    /// The number of registers a stream writes.
    pub const REGISTERS: usize = 10;

    /// Every register of the stream with its value, in order of address.
    #[must_use]
    pub fn registers(&self) -> [(Register, u32); Self::REGISTERS] {
        let logic = if self.sends_logic() { LOGIC_ON } else { 0 };
        let captured = |line: LogicLine| self.channels.contains(line.into());
        let comparators =
            AnalogChannel::ALL.into_iter().filter(|channel| captured(channel.comparator_line()));
        [
            // Left over from a capture it would slow the stream down.
            (Register::ClockScale, 1),
            (Register::TraceMode, if self.unframed { UNFRAMED } else { FRAMED }),
            (Register::ClockTicks, self.ticks.into()),
            (Register::StreamIdent, STREAM_IDENT.into()),
            (Register::AnalogEnable, self.channels.analog().into()),
            (Register::DigitalEnable, logic),
            (Register::ConverterLo, self.converter_low.into()),
            (Register::ConverterHi, self.converter_high.into()),
            (
                Register::KitchenSinkA,
                comparators.fold(0, |on, channel| on | u32::from(channel.comparator_bit())),
            ),
            (Register::KitchenSinkB, self.kitchen_sink_b.into()),
        ]
    }

    /// Frames have the logic byte whether it was asked for or not: that is how they were seen.
    fn sends_logic(&self) -> bool {
        !self.unframed || self.channels.analog() == 0
    }

    /// Samples in a frame: those of the analog channels, then the logic byte. Without frames a sample is one.
    #[must_use]
    pub fn frame_samples(&self) -> usize {
        let logic = usize::from(self.sends_logic());
        (usize::from(self.channels.analog_count()) + logic).clamp(1, MAX_FRAME_SAMPLES)
    }

    /// Bytes of a frame.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        self.frame_samples() + if self.unframed { 0 } else { 2 }
    }

    /// The place of a channel's sample in a frame; none if it was not asked for.
    #[must_use]
    pub fn place(&self, channel: Channel) -> Option<usize> {
        let analog = usize::from(self.channels.analog_count());
        let place = match channel {
            Channel::Logic(_) => analog,
            Channel::Analog(AnalogChannel::A) => 0,
            Channel::Analog(AnalogChannel::B) => analog.saturating_sub(1),
        };
        self.channels.contains(channel).then_some(place)
    }

    /// Frames a second, in hertz.
    #[must_use]
    pub fn frame_rate_hz(&self) -> f64 {
        self.clock_hz / f64::from(self.ticks)
    }

    /// Samples a second after thinning out, in hertz.
    #[must_use]
    pub fn rate_hz(&self) -> f64 {
        self.clock_hz / self.sample_ticks()
    }

    /// Ticks of the primary clock from one sample to the next, after thinning out.
    fn sample_ticks(&self) -> f64 {
        f64::from(self.ticks) * f64::from(self.thinning)
    }

    /// Seconds from one sample to the next, after thinning out.
    #[must_use]
    pub fn period_s(&self) -> f64 {
        self.sample_ticks() / self.clock_hz
    }

    /// Bytes a second that the link must carry.
    #[must_use]
    pub fn bytes_per_second(&self) -> f64 {
        self.frame_bytes() as f64 * self.frame_rate_hz()
    }

    /// The most frames a second that a link carries which transfers so many bytes a second, in hertz.
    #[must_use]
    pub fn frame_rate_limit_hz(&self, bytes_per_second: f64) -> f64 {
        (bytes_per_second / self.frame_bytes() as f64).min(self.clock_hz / f64::from(MIN_TICKS))
    }

    /// What an analog channel's samples are in volts, or in fractions of the range if the stream is raw.
    #[must_use]
    pub fn scale(&self, channel: AnalogChannel) -> StepScale {
        StepScale::of_bytes(self.range, channel)
    }
}

/// Plans a stream: finds the frame rate, how it is thinned out, and the converters.
///
/// `probe` maps volts to DAC codes (front-end calibration), `driven` lists the busy outputs.
///
/// # Errors
/// [`PlanError`] for numbers that make no sense, for a rate beyond what the device sends, and for several channels
/// without frames.
pub fn plan_stream(
    model: &Model,
    probe: &AnalogParameters,
    request: &StreamRequest,
    driven: BusyOutputs,
) -> Result<StreamPlan, PlanError> {
    if request.channels.is_empty() {
        return Err(PlanError::NoChannel);
    }
    let (by_generator, by_comparator) = left_out(request.channels, driven);
    let channels = request.channels.without_lines(by_generator | by_comparator);
    if channels.is_empty() {
        return Err(PlanError::NoChannelLeft);
    }
    let kinds = channels.analog_count() + u8::from(channels.logic() != 0);
    if request.unframed && kinds > 1 {
        return Err(PlanError::UnframedChannels);
    }
    let (ticks, thinning) = plan_rate(model, request)?;
    let as_capture = CaptureRequest {
        low: request.low,
        high: request.high,
        raw: request.raw,
        ..CaptureRequest::new(request.channels)
    };
    let range = plan_range(model, probe, &as_capture, None)?;
    let filter = if channels.analog() == 0 { 0 } else { ANALOG_FILTER };
    let waveform = if driven.waveform { WAVEFORM_OUTPUT } else { 0 };
    let mut plan = StreamPlan {
        channels,
        range: range.samples,
        clock_hz: model.clock_hz,
        ticks,
        thinning,
        unframed: request.unframed,
        notices: Notices::new(),
        converter_low: range.converter_low,
        converter_high: range.converter_high,
        kitchen_sink_b: filter | waveform,
    };
    let (asked_hz, given_hz) = (request.rate_hz, plan.rate_hz());
    // Half a part in a million is what a crystal does at its best.
    let rate = (fabs(given_hz / asked_hz - 1.0) > 0.5e-6)
        .then_some(Notice::OtherRate { asked_hz: asked_hz as f32, given_hz: given_hz as f32 });
    let lines = (by_generator | by_comparator != 0)
        .then_some(Notice::LinesLeftOut { driven: by_generator, shared: by_comparator });
    let unframed = request.unframed.then_some(Notice::Unframed);
    for notice in [rate, range.unsafe_range, range.range_limited, lines, unframed].into_iter().flatten() {
        // There is room for as many.
        let _ = plan.notices.push(notice);
    }
    Ok(plan)
}

/// `ClockTicks`, and how many frames become a sample.
fn plan_rate(model: &Model, request: &StreamRequest) -> Result<(u16, u32), PlanError> {
    let (least, most) = (f64::from(MIN_TICKS), f64::from(MAX_TICKS));
    let refused = |rate_hz| PlanError::StreamRate {
        rate_hz,
        slowest_frames_hz: model.clock_hz / most,
        fastest_hz: model.clock_hz / least,
    };
    let sample_ticks = model.clock_hz / request.rate_hz;
    // Beyond this the factor would not fit its 32 bits.
    let longest = most * f64::from(u32::MAX / 2);
    if !(request.rate_hz > 0.0 && rint(sample_ticks) >= least && sample_ticks <= longest) {
        return Err(refused(request.rate_hz));
    }
    let best = match request.frame_rate_hz {
        Some(frame_rate_hz) => {
            let frame_ticks = rint(model.clock_hz / frame_rate_hz);
            if !(least..=most).contains(&frame_ticks) {
                return Err(refused(frame_rate_hz));
            }
            let factor = rint(sample_ticks / frame_ticks).max(1.0);
            (rint(sample_ticks / factor).clamp(least, most), factor)
        }
        None => nearest(sample_ticks, most),
    };
    Ok((best.0 as u16, best.1 as u32))
}

/// Whole ticks and a whole factor whose product is so many ticks, as nearly as can be; the fewest frames of those as
/// near.
fn nearest(sample_ticks: f64, most: f64) -> (f64, f64) {
    let fewest = ceil(rint(sample_ticks) / most).max(1.0);
    let mut best = (rint(sample_ticks / fewest), fewest);
    // A rate that the device can have itself is not thinned out.
    if fewest == 1.0 {
        return best;
    }
    let miss = |(ticks, factor): (f64, f64)| fabs(ticks * factor - sample_ticks);
    for step in 1..TRIED_FACTORS {
        let factor = fewest + f64::from(step);
        let next = (rint(sample_ticks / factor), factor);
        // No more than twice the frames that are needed, for the sake of exactness.
        if miss(best) < 1e-6 * sample_ticks || factor > 2.0 * fewest {
            break;
        }
        if miss(next) < miss(best) {
            best = next;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BS05;
    use std::string::ToString;

    fn planned(request: &StreamRequest) -> Result<StreamPlan, PlanError> {
        plan_stream(&BS05, &BS05.analog, request, BusyOutputs::NOTHING)
    }

    fn request(channels: &str, rate_hz: f64) -> StreamRequest {
        StreamRequest::new(channels.parse().unwrap(), rate_hz)
    }

    #[test]
    fn low_rates_average_the_fewest_frames() {
        for (rate_hz, ticks, thinning) in [
            (1e3, 10_000, 4),
            (1.0, 16_000, 2_500),
            (100.0, 16_000, 25),
            (2_441.406_25, 16_384, 1),
            (2_442.0, 16_380, 1),
            (2_000.0, 10_000, 2),
            (125e3, 320, 1),
            (500e3, 80, 1),
        ] {
            let plan = planned(&request("A", rate_hz)).unwrap();
            assert_eq!((plan.ticks, plan.thinning), (ticks, thinning), "{rate_hz}");
        }
    }

    #[test]
    fn requested_frame_rate_is_approximated() {
        let plan = planned(&StreamRequest { frame_rate_hz: Some(20e3), ..request("A", 1e3) }).unwrap();
        assert_eq!((plan.ticks, plan.thinning, plan.rate_hz()), (2_000, 20, 1e3));
        let plan = planned(&StreamRequest { frame_rate_hz: Some(9.9e3), ..request("A", 1e3) }).unwrap();
        assert_eq!((plan.ticks, plan.thinning), (4_000, 10));
        let refused = planned(&StreamRequest { frame_rate_hz: Some(1e3), ..request("A", 1e3) });
        assert!(matches!(refused, Err(PlanError::StreamRate { rate_hz: 1e3, .. })), "{refused:?}");
    }

    #[test]
    fn impossible_rates_are_refused_and_inexact_reported() {
        for rate_hz in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e6, 1e-9] {
            let refused = planned(&request("A", rate_hz)).unwrap_err();
            assert!(matches!(refused, PlanError::StreamRate { .. }), "{rate_hz}: {refused}");
        }
        let plan = planned(&request("A", 3e3)).unwrap();
        assert_eq!(plan.ticks, 13_333);
        let given_hz = 40e6 / 13_333.0;
        assert_eq!(plan.notices[..], [Notice::OtherRate { asked_hz: 3e3, given_hz: given_hz as f32 }]);
        assert!(plan.notices[0].is_adjustment() && plan.notices[0].to_string().contains("3 kS/s"));
    }

    #[test]
    fn frames_hold_the_channels_and_the_logic_byte() {
        for (channels, bytes, places) in [
            ("A", 4, [Some(0), None, None]),
            ("B", 4, [None, Some(0), None]),
            ("A,B,L3", 5, [Some(0), Some(1), Some(2)]),
            ("L3", 3, [None, None, Some(0)]),
        ] {
            let plan = planned(&request(channels, 1e4)).unwrap();
            assert_eq!(plan.frame_bytes(), bytes, "{channels}");
            let wanted = [Channel::A, Channel::B, Channel::L[3]];
            assert_eq!(wanted.map(|channel| plan.place(channel)), places, "{channels}");
            let digital =
                plan.registers().into_iter().find(|(register, _)| *register == Register::DigitalEnable);
            assert_eq!(digital, Some((Register::DigitalEnable, 1)));
        }
    }

    #[test]
    fn one_kind_of_sample_can_come_without_frames() {
        for (channels, bytes, logic) in [("A", 1, 0), ("L", 1, 1)] {
            let plan = planned(&StreamRequest { unframed: true, ..request(channels, 1e5) }).unwrap();
            assert_eq!((plan.frame_bytes(), plan.notices[..].to_vec()), (bytes, std::vec![Notice::Unframed]));
            let registers = plan.registers();
            assert!(registers.contains(&(Register::TraceMode, 2)));
            assert!(registers.contains(&(Register::DigitalEnable, logic)));
        }
        for channels in ["A,B", "A,L0"] {
            let refused = planned(&StreamRequest { unframed: true, ..request(channels, 1e5) });
            assert_eq!(refused, Err(PlanError::UnframedChannels));
        }
    }

    #[test]
    fn setup_is_that_of_a_capture() {
        let channels = "A,L7,L6,L4".parse().unwrap();
        let capture = CaptureRequest { low: Some(-1.0), high: Some(2.0), ..CaptureRequest::new(channels) };
        let capture =
            super::super::plan_capture(&BS05, &BS05.analog, &capture, BusyOutputs::WAVEFORM).unwrap();
        let stream = StreamRequest { low: Some(-1.0), high: Some(2.0), ..StreamRequest::new(channels, 1e3) };
        let stream = plan_stream(&BS05, &BS05.analog, &stream, BusyOutputs::WAVEFORM).unwrap();
        assert_eq!((stream.channels, stream.range), (capture.channels, capture.range));
        for register in
            [Register::ConverterLo, Register::ConverterHi, Register::AnalogEnable, Register::KitchenSinkB]
        {
            let value = |registers: &[(Register, u32)]| {
                registers.iter().find(|(other, _)| *other == register).map(|(_, value)| *value)
            };
            assert_eq!(value(&stream.registers()), value(&capture.registers()), "{register:?}");
        }
        // No trigger needs comparator A; L6 needs that of B.
        assert!(stream.registers().contains(&(Register::KitchenSinkA, 0x40)));
    }
}
