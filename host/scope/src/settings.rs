//! What a capture was made with, as files keep it: enough to repeat it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use scopething_core::device::{Attenuation, UnknownAttenuation};
use scopething_core::plan::{CapturePlan, CaptureRequest, SampleRange, StreamPlan, StreamRequest};
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

/// The settings of a stream that was requested and planned so.
#[must_use]
pub fn of_stream(request: &StreamRequest, plan: &StreamPlan) -> Settings {
    let text = |text: String| SettingValue::Text(text);
    let channels = request.channels.iter().map(|channel| channel.to_string()).collect();
    let mut words = BTreeMap::from([
        ("channels".to_owned(), SettingValue::Texts(channels)),
        ("rate".to_owned(), SettingValue::Number(request.rate_hz)),
    ]);
    for (name, number) in [("low", request.low), ("high", request.high)] {
        words.extend(number.map(|number| (name.to_owned(), SettingValue::Number(number))));
    }
    let plan = BTreeMap::from([
        ("mode".to_owned(), text("stream".to_owned())),
        ("sample_rate".to_owned(), SettingValue::Number(plan.rate_hz())),
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

/// Whether the computer's clock is kept by a time server, and since when, where the system states it: `synchronised 12 s
/// ago`, `synchronised`, `not synchronised` or `unknown`.
///
/// Without systemd's own service this asks chrony, or for the kernel's flag, which every daemon keeps: that starts another
/// program, so that it is asked once for a recording and not for each trace.
#[must_use]
pub fn wall_clock() -> String {
    by_timesyncd().or_else(by_chrony).or_else(by_kernel).unwrap_or_else(|| "unknown".to_owned())
}

fn by_timesyncd() -> Option<String> {
    // It touches this file with each answer of a server. Where another daemon keeps the clock, there is none.
    let marker = Path::new("/run/systemd/timesync/synchronized").metadata().ok()?;
    let since = marker.modified().ok()?.elapsed().ok();
    Some(since.map_or_else(|| "synchronised".to_owned(), |since| synchronised(since.as_secs())))
}

fn by_chrony() -> Option<String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    tracking(&printed("chronyc", &["-c", "tracking"])?, now.as_secs())
}

/// What a line of chrony's tracking states: its fourth field is when the clock was compared last, in seconds since 1970, its
/// last one the leap status.
fn tracking(line: &str, now_s: u64) -> Option<String> {
    let mut fields = line.trim().split(',');
    let compared_s = fields.nth(3)?.parse::<f64>().ok()? as u64;
    Some(match fields.next_back()? {
        "Not synchronised" => "not synchronised".to_owned(),
        _ => synchronised(now_s.saturating_sub(compared_s)),
    })
}

fn by_kernel() -> Option<String> {
    match printed("timedatectl", &["show", "--property=NTPSynchronized", "--value"])?.trim() {
        "yes" => Some("synchronised".to_owned()),
        "no" => Some("not synchronised".to_owned()),
        _ => None,
    }
}

fn synchronised(since_s: u64) -> String {
    format!("synchronised {since_s} s ago")
}

/// What a program printed; `None` if it is not there, or failed.
fn printed(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_core::device::{AnalogParameters, BS05};
    use scopething_core::plan::{BusyOutputs, TriggerSource, TriggerType, plan_capture};

    #[test]
    fn chrony_states_when_it_compared() {
        // As chronyc of version 4 prints it: reference, name, stratum, time, offsets, rates, delay, interval, leap status.
        let line = |time: &str, leap: &str| {
            format!(
                "A29FC801,162.159.200.1,4,{time},0.000018,-0.000003,0.00002,-9.1,0.01,0.1,0.01,0.0007,64.2,{leap}\n"
            )
        };
        let known = |line: String| tracking(&line, 1_764_400_100);
        assert_eq!(known(line("1764400040.123456789", "Normal")).as_deref(), Some("synchronised 60 s ago"));
        assert_eq!(known(line("0.000000000", "Not synchronised")).as_deref(), Some("not synchronised"));
        assert_eq!(known("506 Cannot talk to daemon\n".to_owned()), None);
    }

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
