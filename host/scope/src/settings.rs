//! What a capture was made with, as files keep it: enough to repeat it.

use std::collections::BTreeMap;
use std::path::Path;

use scopething_core::device::{Attenuation, UnknownAttenuation};
use scopething_core::plan::{CapturePlan, CaptureRequest, SampleRange};
use scopething_waveform::waveform::{SettingValue, Settings};
use serde_json::Value;

use crate::request::{CaptureSpec, JsonRequestError};

/// The name of the attenuation among the words of a request.
const ATTENUATION: &str = "attenuation";

/// The settings of a capture that was requested and planned so. What the request leaves to defaults is not among them.
#[must_use]
pub fn of_capture(request: &CaptureRequest, plan: &CapturePlan) -> Settings {
    let text = |text: String| SettingValue::Text(text);
    let mut words = BTreeMap::from([
        (
            "channels".to_owned(),
            SettingValue::Texts(request.channels.iter().map(|channel| channel.to_string()).collect()),
        ),
        ("period".to_owned(), SettingValue::Number(request.period_s)),
        ("nsamples".to_owned(), SettingValue::Number(f64::from(request.samples))),
        ("trigger_type".to_owned(), text(request.trigger_type.to_string())),
        ("trigger_position".to_owned(), SettingValue::Number(request.position)),
        ("trigger_mode".to_owned(), text(request.trigger_mode.to_string())),
        ("hair_trigger".to_owned(), SettingValue::Flag(request.hair_trigger)),
        ("raw".to_owned(), SettingValue::Flag(request.raw)),
        ("bits".to_owned(), text(request.resolution.to_string())),
    ]);
    let numbers = [
        ("low", request.low),
        ("high", request.high),
        ("trigger_level", request.level),
        ("timeout", request.timeout_s),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            words.insert(name.to_owned(), SettingValue::Number(number));
        }
    }
    if request.delay_s != 0.0 {
        words.insert("delay".to_owned(), SettingValue::Number(request.delay_s));
    }
    // What its volts are counted by belongs to the request: without it they would be others.
    if let SampleRange::Volts { attenuation, .. } = plan.range
        && attenuation != Attenuation::NONE
    {
        words.insert(ATTENUATION.to_owned(), text(attenuation.to_string()));
    }
    if let Some(trigger) = request.trigger {
        words.insert("trigger".to_owned(), text(trigger.to_string()));
    }
    let plan = BTreeMap::from([
        ("mode".to_owned(), text(plan.mode.name.to_owned())),
        ("sample_rate".to_owned(), SettingValue::Number(plan.sample_rate_hz())),
        ("samples".to_owned(), SettingValue::Number(f64::from(plan.timebase.samples))),
        ("duration".to_owned(), SettingValue::Number(plan.duration_s())),
        ("notices".to_owned(), SettingValue::Texts(plan.notices.iter().map(ToString::to_string).collect())),
    ]);
    Settings { request: Some(words), plan: Some(plan), ..Settings::default() }
}

/// The request in settings; `None` if there is none in them.
///
/// # Errors
/// If it is none that this version understands.
pub fn request_of(settings: &Settings) -> Result<Option<CaptureRequest>, JsonRequestError> {
    let Some(words) = &settings.request else { return Ok(None) };
    // It is the probe's.
    let words: BTreeMap<_, _> = words.iter().filter(|(name, _)| *name != ATTENUATION).collect();
    let value: Value = serde_json::to_value(words)?;
    let spec: CaptureSpec = serde_json::from_value(value)?;
    spec.request().map(Some)
}

/// The attenuation of the probes with which the volts of the request in settings are those at the tips; `None` if there is
/// none in them.
///
/// # Errors
/// If it is none.
pub fn attenuation_of(settings: &Settings) -> Result<Option<Attenuation>, UnknownAttenuation> {
    match settings.request.as_ref().and_then(|words| words.get(ATTENUATION)) {
        None => Ok(None),
        Some(SettingValue::Text(text)) => text.parse().map(Some),
        Some(_) => Err(UnknownAttenuation),
    }
}

/// Whether the computer's clock is kept by a time server, where the system states it.
#[must_use]
pub fn wall_clock() -> String {
    // systemd-timesyncd touches this file with each answer of a server.
    let marker = Path::new("/run/systemd/timesync/synchronized");
    let is_watched = Path::new("/run/systemd/timesync").is_dir();
    match marker.metadata().and_then(|metadata| metadata.modified()) {
        Ok(at) => match at.elapsed() {
            Ok(since) => format!("synchronised {} s ago", since.as_secs()),
            Err(_) => "synchronised".to_owned(),
        },
        Err(_) if is_watched => "not synchronised".to_owned(),
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_core::device::{AnalogParameters, BS05};
    use scopething_core::plan::{BusyOutputs, TriggerSource, TriggerType, plan_capture};

    #[test]
    fn requests_read_back() {
        let channels: scopething_core::plan::ChannelSet = "A".parse().unwrap();
        let requests = [
            CaptureRequest::new(channels),
            CaptureRequest { delay_s: 0.004, ..CaptureRequest::new(channels) },
            CaptureRequest {
                period_s: 0.0123,
                samples: 777,
                low: Some(-1.5),
                high: Some(3.25),
                trigger: Some("L3=1,L5=0".parse::<TriggerSource>().unwrap()),
                trigger_type: TriggerType::Above,
                hair_trigger: true,
                position: 0.75,
                timeout_s: Some(0.5),
                ..CaptureRequest::new("B".parse::<scopething_core::plan::ChannelSet>().unwrap())
            },
        ];
        for request in requests {
            let plan = plan_capture(&BS05, &AnalogParameters::NOMINAL_X1, &request, BusyOutputs::NOTHING);
            let settings = of_capture(&request, &plan.unwrap());
            let text = serde_json::to_string(&settings).unwrap();
            let read: Settings = serde_json::from_str(&text).unwrap();
            assert_eq!(request_of(&read).unwrap(), Some(request));
            assert_eq!(attenuation_of(&read), Ok(None));
        }
    }

    #[test]
    fn attenuation_reads_back_beside_the_request() {
        let attenuation = Attenuation { a: 10.0, b: 1.0 };
        let probe = BS05.analog.attenuated(attenuation);
        let request = CaptureRequest {
            low: Some(-20.0),
            high: Some(20.0),
            ..CaptureRequest::new(scopething_core::plan::Channel::A)
        };
        let plan = plan_capture(&BS05, &probe, &request, BusyOutputs::NOTHING).unwrap();
        let settings = of_capture(&request, &plan);
        assert_eq!(attenuation_of(&settings), Ok(Some(attenuation)));
        assert_eq!(request_of(&settings).unwrap(), Some(request));
        let broken = BTreeMap::from([("attenuation".to_owned(), SettingValue::Number(0.0))]);
        assert!(attenuation_of(&Settings { request: Some(broken), ..Settings::default() }).is_err());
    }
}
