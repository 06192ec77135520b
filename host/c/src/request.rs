//! What is asked of a capture.

use std::ffi::c_char;

use scopething_core::device::Attenuation;
use scopething_core::plan::{
    CaptureRequest, Channel, ChannelSet, Resolution, TriggerMode, TriggerSource, TriggerType,
};

use crate::SCOPETHING_CHANNEL_A;
use crate::call::call;
use crate::memory::{Out, optional_text, sized};
use crate::status::{ScopethingError, ScopethingStatus, Stop};

/// Below the level, then above it.
pub const SCOPETHING_TRIGGER_RISING: u32 = 0;
/// Above the level, then below it.
pub const SCOPETHING_TRIGGER_FALLING: u32 = 1;
/// Above the level.
pub const SCOPETHING_TRIGGER_ABOVE: u32 = 2;
/// Below the level.
pub const SCOPETHING_TRIGGER_BELOW: u32 = 3;

/// What is asked of a capture. Fill it with scopething_capture_request_init first, then change what is to be otherwise.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCaptureRequest {
    /// The size of this structure, in bytes; set by scopething_capture_request_init.
    pub struct_size: usize,
    /// The channels, SCOPETHING_CHANNEL_ bits. Default: A.
    pub channels: u32,
    /// Roughly how many samples, of both analog channels together. Default: 1000.
    pub samples: u32,
    /// The time span. Default: 1 ms.
    pub period_s: f64,
    /// The bottom of the range; NAN: what the probe measures safely, or 0 V for logic alone. With `raw` a fraction.
    pub low_v: f64,
    /// The top of the range, likewise; 3.3 V for logic alone.
    pub high_v: f64,
    /// What the trigger watches: "A", "B", or levels of logic lines such as "L3=1,L5=0". NULL: the first channel.
    pub trigger: *const c_char,
    /// The trigger level; NAN: the middle of the range. With `raw` a fraction.
    pub level_v: f64,
    /// How the signal must behave: SCOPETHING_TRIGGER_RISING, FALLING, ABOVE or BELOW.
    pub trigger_type: u32,
    /// A trigger filter of 4 samples instead of 8.
    pub hair_trigger: bool,
    /// Capture without a trigger after the period or 100 ms, whichever is longer, instead of waiting on.
    pub auto_trigger: bool,
    /// 8 bits a sample, where twice the captures a second count more than resolution.
    pub eight_bits: bool,
    /// The range is given as fractions of the converter's, and samples are fractions of the range.
    pub raw: bool,
    /// For links that may change bytes: everything is read twice and compared.
    pub verify: bool,
    /// The part of the span before the trigger, 0 to 1. Default: 0.25.
    pub position: f64,
    /// The time from the trigger to the first sample, 0 to 4294 s. Default: 0.
    pub delay_s: f64,
    /// How long to wait for the trigger; 0 captures at once, NAN waits as long as it takes. Default: NAN.
    pub timeout_s: f64,
    /// The probe, by its name in the file of calibrations. NULL: x1.
    pub probe: *const c_char,
    /// The factor of a probe without a calibration, such as 10; NAN: that of the probe.
    pub attenuation: f64,
}

/// A set of channels by its bits.
pub(crate) fn channel_set(bits: u32) -> Result<ChannelSet, Stop> {
    ChannelSet::of_bits(bits).filter(|_| bits != 0).ok_or_else(|| {
        Stop::argument(format!("{bits:#x} is no set of channels: give SCOPETHING_CHANNEL_ bits"))
    })
}

/// A single channel by its bit.
pub(crate) fn channel(bit: u32) -> Result<Channel, Stop> {
    if bit.count_ones() != 1 {
        return Err(Stop::argument(format!("{bit:#x} is not one channel: give one SCOPETHING_CHANNEL_ bit")));
    }
    channel_set(bit)?.first().ok_or_else(|| Stop::argument("no channel"))
}

fn given(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

/// A request as the driver takes it.
pub(crate) struct Request<'a> {
    pub(crate) capture: CaptureRequest,
    pub(crate) probe: Option<&'a str>,
    pub(crate) attenuation: Option<Attenuation>,
    pub(crate) verify: bool,
}

/// # Safety
/// `request` is null or points to a request whose texts are texts or null.
pub(crate) unsafe fn read<'a>(request: *const ScopethingCaptureRequest) -> Result<Request<'a>, Stop> {
    // SAFETY: promised by the caller.
    let request = unsafe { sized(request, "request", "scopething_capture_request_init") }?;
    // SAFETY: promised by the caller.
    let (trigger, probe) =
        unsafe { (optional_text(request.trigger, "trigger")?, optional_text(request.probe, "probe")?) };
    let trigger = trigger.map(|text| {
        text.parse::<TriggerSource>().map_err(|error| Stop::argument(format!("{text:?} is {error}")))
    });
    let trigger_type = match request.trigger_type {
        SCOPETHING_TRIGGER_RISING => TriggerType::Rising,
        SCOPETHING_TRIGGER_FALLING => TriggerType::Falling,
        SCOPETHING_TRIGGER_ABOVE => TriggerType::Above,
        SCOPETHING_TRIGGER_BELOW => TriggerType::Below,
        other => {
            return Err(Stop::argument(format!("{other} is no type of trigger: give a SCOPETHING_TRIGGER_")));
        }
    };
    let capture = CaptureRequest {
        period_s: request.period_s,
        samples: request.samples,
        low: given(request.low_v),
        high: given(request.high_v),
        trigger: trigger.transpose()?,
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
    let attenuation = attenuation(request.attenuation)?;
    Ok(Request { capture, probe, attenuation, verify: request.verify })
}

pub(crate) fn attenuation(factor: f64) -> Result<Option<Attenuation>, Stop> {
    given(factor)
        .map(|factor| {
            let read = factor.to_string().parse();
            read.map_err(|error| Stop::argument(format!("attenuation: {factor} is {error}")))
        })
        .transpose()
}

/// Fills a request with the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_request_init(
    request: *mut ScopethingCaptureRequest,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut request = unsafe { Out::new(request, "request") }?;
        let usual = CaptureRequest::new(Channel::A);
        request.set(ScopethingCaptureRequest {
            struct_size: size_of::<ScopethingCaptureRequest>(),
            channels: SCOPETHING_CHANNEL_A,
            samples: usual.samples,
            period_s: usual.period_s,
            low_v: f64::NAN,
            high_v: f64::NAN,
            trigger: std::ptr::null(),
            level_v: f64::NAN,
            trigger_type: SCOPETHING_TRIGGER_RISING,
            hair_trigger: usual.hair_trigger,
            auto_trigger: false,
            eight_bits: false,
            raw: usual.raw,
            verify: false,
            position: usual.position,
            delay_s: usual.delay_s,
            timeout_s: f64::NAN,
            probe: std::ptr::null(),
            attenuation: f64::NAN,
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SCOPETHING_CHANNEL_B, SCOPETHING_CHANNEL_L0, SCOPETHING_CHANNEL_LOGIC};

    #[test]
    fn channels_are_bits() {
        let named = [
            (SCOPETHING_CHANNEL_A, "A"),
            (SCOPETHING_CHANNEL_B, "B"),
            (SCOPETHING_CHANNEL_L0, "L0"),
            (SCOPETHING_CHANNEL_LOGIC, "L"),
        ];
        for (bits, name) in named {
            assert_eq!(channel_set(bits).unwrap(), name.parse().unwrap());
        }
        assert!(channel_set(0).is_err() && channel_set(4).is_err());
        assert_eq!(channel(0x800).unwrap(), Channel::L[3]);
        assert!(channel(3).is_err());
    }

    #[test]
    fn defaults_are_those_of_the_driver() {
        let mut request = std::mem::MaybeUninit::<ScopethingCaptureRequest>::uninit();
        // SAFETY: there is room for a request, which is read when it was filled.
        let request = unsafe {
            let status = scopething_capture_request_init(request.as_mut_ptr(), std::ptr::null_mut());
            assert_eq!(status, ScopethingStatus::SCOPETHING_OK);
            read(request.as_ptr()).unwrap().capture
        };
        assert_eq!(request, CaptureRequest::new(Channel::A));
    }
}
