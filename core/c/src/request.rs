//! What is asked of a capture.

use scopething_core::device::Attenuation;
use scopething_core::plan::{
    CaptureRequest, Channel, ChannelSet, LogicPattern, Resolution, TriggerMode, TriggerSource, TriggerType,
};

use crate::memory::{Out, sized};
use crate::status::{Failure, ScopethingCoreStatus, answer};
use crate::{SCOPETHING_CORE_CHANNEL_A, SCOPETHING_CORE_CHANNEL_L0, SCOPETHING_CORE_CHANNEL_LOGIC};

/// Below the level, then above it.
pub const SCOPETHING_CORE_TRIGGER_RISING: u32 = 0;
/// Above the level, then below it.
pub const SCOPETHING_CORE_TRIGGER_FALLING: u32 = 1;
/// Above the level.
pub const SCOPETHING_CORE_TRIGGER_ABOVE: u32 = 2;
/// Below the level.
pub const SCOPETHING_CORE_TRIGGER_BELOW: u32 = 3;

/// What is asked of a capture. Fill it with scopething_core_request_init first, then change what is to be otherwise.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCoreRequest {
    /// The size of this structure, in bytes; set by scopething_core_request_init.
    pub struct_size: usize,
    /// The channels, SCOPETHING_CORE_CHANNEL_ bits. Default: A.
    pub channels: u32,
    /// Roughly how many samples, of both analog channels together. Default: 1000.
    pub samples: u32,
    /// The time span. Default: 1 ms.
    pub period_s: f64,
    /// The bottom of the range; NAN: what the probe measures safely, or 0 V for logic alone. With `raw` a fraction.
    pub low_v: f64,
    /// The top of the range, likewise; 3.3 V for logic alone.
    pub high_v: f64,
    /// What the trigger watches: A, B, or the logic lines whose levels `trigger_high` has, as bits; 0: the first channel.
    pub trigger_channels: u32,
    /// Of a trigger on logic lines, those that must be high, SCOPETHING_CORE_CHANNEL_ bits; the others must be low.
    pub trigger_high: u32,
    /// The trigger level; NAN: the middle of the range. With `raw` a fraction.
    pub level_v: f64,
    /// How the signal must behave: SCOPETHING_CORE_TRIGGER_RISING, FALLING, ABOVE or BELOW.
    pub trigger_type: u32,
    /// A trigger filter of 4 samples instead of 8.
    pub hair_trigger: bool,
    /// Capture without a trigger after the period or 100 ms, whichever is longer, instead of waiting on.
    pub auto_trigger: bool,
    /// 8 bits a sample, where twice the captures a second count more than resolution.
    pub eight_bits: bool,
    /// The range is given as fractions of the converter's, and samples are fractions of the range.
    pub raw: bool,
    /// The part of the span before the trigger, 0 to 1. Default: 0.25.
    pub position: f64,
    /// The time from the trigger to the first sample, 0 to 4294 s. Default: 0.
    pub delay_s: f64,
    /// How long to wait for the trigger; 0 captures at once, NAN waits as long as it takes. Default: NAN.
    pub timeout_s: f64,
    /// Volts at the tip of the probe of channel A for a volt at the input, such as 10. Default: 1.
    pub attenuation_a: f64,
    /// Likewise of channel B.
    pub attenuation_b: f64,
}

/// A set of channels by its bits.
pub(crate) fn channel_set(bits: u32) -> Result<ChannelSet, Failure> {
    let refused = Failure::Argument(c"channels: give SCOPETHING_CORE_CHANNEL_ bits");
    ChannelSet::of_bits(bits).filter(|_| bits != 0).ok_or(refused)
}

/// A single channel by its bit.
pub(crate) fn channel(bit: u32) -> Result<Channel, Failure> {
    let refused = Failure::Argument(c"channel: give one SCOPETHING_CORE_CHANNEL_ bit");
    if bit.count_ones() != 1 {
        return Err(refused);
    }
    channel_set(bit)?.first().ok_or(refused)
}

/// Logic lines alone, a bit each.
pub(crate) fn lines(bits: u32) -> Result<u8, Failure> {
    if bits & !SCOPETHING_CORE_CHANNEL_LOGIC != 0 {
        return Err(Failure::Argument(c"logic lines: give SCOPETHING_CORE_CHANNEL_L0 << n"));
    }
    Ok((bits / SCOPETHING_CORE_CHANNEL_L0) as u8)
}

pub(crate) fn given(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

fn trigger(channels: u32, high: u32) -> Result<Option<TriggerSource>, Failure> {
    if channels == 0 {
        return Ok(None);
    }
    if channels & SCOPETHING_CORE_CHANNEL_LOGIC == channels {
        let (care, high) = (lines(channels)?, lines(high)?);
        return Ok(Some(TriggerSource::Logic(LogicPattern { care, high: high & care })));
    }
    match channel(channels)? {
        Channel::Analog(analog) => Ok(Some(TriggerSource::Analog(analog))),
        Channel::Logic(_) => Err(Failure::Argument(c"trigger_channels")),
    }
}

/// A request as the driver takes it, and the probe's factors.
///
/// # Safety
/// `request` is null or points to a request.
pub(crate) unsafe fn read(
    request: *const ScopethingCoreRequest,
) -> Result<(CaptureRequest, Attenuation), Failure> {
    // SAFETY: promised by the caller.
    let request = unsafe { sized(request, c"request: call scopething_core_request_init first") }?;
    let trigger_type = match request.trigger_type {
        SCOPETHING_CORE_TRIGGER_RISING => TriggerType::Rising,
        SCOPETHING_CORE_TRIGGER_FALLING => TriggerType::Falling,
        SCOPETHING_CORE_TRIGGER_ABOVE => TriggerType::Above,
        SCOPETHING_CORE_TRIGGER_BELOW => TriggerType::Below,
        _ => return Err(Failure::Argument(c"trigger_type: give a SCOPETHING_CORE_TRIGGER_")),
    };
    let capture = CaptureRequest {
        period_s: request.period_s,
        samples: request.samples,
        low: given(request.low_v),
        high: given(request.high_v),
        trigger: trigger(request.trigger_channels, request.trigger_high)?,
        level: given(request.level_v),
        trigger_type,
        hair_trigger: request.hair_trigger,
        position: request.position,
        delay_s: request.delay_s,
        timeout_s: given(request.timeout_s),
        raw: request.raw,
        trigger_mode: if request.auto_trigger { TriggerMode::Auto } else { TriggerMode::Normal },
        resolution: if request.eight_bits { Resolution::Bits8 } else { Resolution::Best },
        ..CaptureRequest::new(channel_set(request.channels)?)
    };
    Ok((capture, Attenuation { a: request.attenuation_a, b: request.attenuation_b }))
}

/// Fills a request with the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_request_init(
    request: *mut ScopethingCoreRequest,
) -> ScopethingCoreStatus {
    answer(|| {
        // SAFETY: the contract of the interface.
        let mut request = unsafe { Out::new(request, c"request") }?;
        let usual = CaptureRequest::new(Channel::A);
        request.set(ScopethingCoreRequest {
            struct_size: size_of::<ScopethingCoreRequest>(),
            channels: SCOPETHING_CORE_CHANNEL_A,
            samples: usual.samples,
            period_s: usual.period_s,
            low_v: f64::NAN,
            high_v: f64::NAN,
            trigger_channels: 0,
            trigger_high: 0,
            level_v: f64::NAN,
            trigger_type: SCOPETHING_CORE_TRIGGER_RISING,
            hair_trigger: usual.hair_trigger,
            auto_trigger: false,
            eight_bits: false,
            raw: usual.raw,
            position: usual.position,
            delay_s: usual.delay_s,
            timeout_s: f64::NAN,
            attenuation_a: 1.0,
            attenuation_b: 1.0,
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SCOPETHING_CORE_CHANNEL_B;
    use scopething_core::plan::AnalogChannel;

    #[test]
    fn channels_are_bits() {
        let named = [
            (SCOPETHING_CORE_CHANNEL_A, "A"),
            (SCOPETHING_CORE_CHANNEL_B, "B"),
            (SCOPETHING_CORE_CHANNEL_L0, "L0"),
            (SCOPETHING_CORE_CHANNEL_LOGIC, "L"),
        ];
        for (bits, name) in named {
            assert_eq!(channel_set(bits).unwrap(), name.parse().unwrap());
        }
        assert!(channel_set(0).is_err() && channel_set(4).is_err());
        assert_eq!(channel(0x800).unwrap(), Channel::L[3]);
        assert!(channel(3).is_err());
    }

    #[test]
    fn triggers_are_bits() {
        assert_eq!(trigger(0, 0).unwrap(), None);
        assert_eq!(trigger(2, 0).unwrap(), Some(TriggerSource::Analog(AnalogChannel::B)));
        let pattern = LogicPattern { care: 0b10_1000, high: 0b1000 };
        assert_eq!(trigger(0x2800, 0x800).unwrap(), Some(TriggerSource::Logic(pattern)));
        // Of lines that do not matter the level is none.
        assert_eq!(trigger(0x2800, 0x8800).unwrap(), Some(TriggerSource::Logic(pattern)));
        for wrong in [3, 0x101, 4, 0x1_0000] {
            assert!(trigger(wrong, 0).is_err(), "{wrong:#x}");
        }
        assert!(trigger(0x100, 1).is_err());
    }

    #[test]
    fn defaults_are_those_of_the_driver() {
        let mut request = core::mem::MaybeUninit::<ScopethingCoreRequest>::uninit();
        // SAFETY: there is room for a request, which is read when it was filled.
        let (request, attenuation) = unsafe {
            let status = scopething_core_request_init(request.as_mut_ptr());
            assert_eq!(status, ScopethingCoreStatus::SCOPETHING_CORE_OK);
            read(request.as_ptr()).unwrap()
        };
        assert_eq!((request, attenuation), (CaptureRequest::new(Channel::A), Attenuation::NONE));
    }
}
