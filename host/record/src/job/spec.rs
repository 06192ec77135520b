//! The keys of a job file, and their translation into a job.

use std::net::SocketAddr;
use std::path::PathBuf;

use scopething_core::device::Attenuation;
use scopething_core::plan::{BusyOutputs, CaptureRequest, ChannelSet, PlayMode, StreamRequest};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};

use super::keep::{Band, Keep};
use super::lines::{JobError, KeyLines, line_at};
use super::measure::{Measure, unit};
use super::schedule::{Extent, Spacing};
use super::{Job, StreamJob, key_of_request};
use crate::stream::BehindBridge;
use crate::writer::listing::Naming;
use crate::writer::store::Limits;
use scopething::generate::{ClockSpec, GeneratorRequest, SpecError, parse_levels};
use scopething::link::LinkUrl;
use scopething::request::{CaptureSpec, number};
use scopething_files::Format;
use scopething_waveform::quantity::{self, QuantityError, Unit};
use scopething_waveform::waveform::Channel;

/// Memory for traces that a full disk does not take, by default.
const HOLD_BYTES: u64 = 8_000_000;
/// Parts of an envelope, by default.
const PARTS: usize = 100;

/// Whether a job streams; other faults of the text are found later.
pub(super) fn is_stream(text: &str) -> bool {
    #[derive(Default, Deserialize)]
    struct Capture {
        what: Option<toml::Value>,
    }
    #[derive(Deserialize)]
    struct Probe {
        #[serde(default)]
        capture: Capture,
    }
    toml::from_str::<Probe>(text).is_ok_and(|probe| probe.capture.what.is_some())
}

/// The keys of a text, those of `[capture]` as `C` has them.
pub(super) fn read<C: CaptureSection>(text: &str) -> Result<JobSpec<C>, JobError> {
    toml::from_str(text).map_err(|error| JobError {
        line: error.span().map(|span| line_at(text, span.start)),
        reason: error.message().to_owned(),
    })
}

/// The `[capture]` section, for captures or for a stream.
pub(super) trait CaptureSection: Default + DeserializeOwned {
    /// The capture, or what is streamed instead.
    fn requests(&self, lines: &KeyLines) -> Result<(CaptureRequest, Option<StreamJob>), JobError>;
}

impl CaptureSection for CaptureSpec {
    fn requests(&self, lines: &KeyLines) -> Result<(CaptureRequest, Option<StreamJob>), JobError> {
        let request = self.request();
        let failed = |error| lines.error(&["capture", key_of_request(&error)], error.to_string());
        request.map(|request| (request, None)).map_err(failed)
    }
}

/// Length of a trace, by default.
const DEFAULT_TRACE_S: f64 = 10.0;
/// Samples a second, by default.
const RATE_HZ: f64 = 1000.0;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Captured {
    #[default]
    Stream,
}

/// What is streamed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct StreamSpec {
    #[serde(rename = "what")]
    _what: Captured,
    channels: Option<Vec<String>>,
    #[serde(default, deserialize_with = "hertz")]
    rate: Option<f64>,
    #[serde(default, deserialize_with = "hertz")]
    frame_rate: Option<f64>,
    #[serde(default, deserialize_with = "number::volts")]
    low: Option<f64>,
    #[serde(default, deserialize_with = "number::volts")]
    high: Option<f64>,
    #[serde(default)]
    raw: bool,
    each: Option<Span>,
}

fn hertz<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    number::quantity(from, Unit::Hertz)
}

impl CaptureSection for StreamSpec {
    fn requests(&self, lines: &KeyLines) -> Result<(CaptureRequest, Option<StreamJob>), JobError> {
        let mut channels = ChannelSet::EMPTY;
        for name in self.channels.iter().flatten() {
            let named = name
                .parse()
                .map_err(|error| lines.error(&["capture", "channels"], format!("{name:?} is {error}")));
            channels = channels.union(named?);
        }
        if self.channels.is_none() {
            channels = channels.with(Channel::A);
        }
        let request = StreamRequest {
            frame_rate_hz: self.frame_rate,
            low: self.low,
            high: self.high,
            raw: self.raw,
            ..StreamRequest::new(channels, self.rate.unwrap_or(RATE_HZ))
        };
        let each_s = self.each.map_or(DEFAULT_TRACE_S, |span| span.0);
        Ok((CaptureRequest::new(channels), Some(StreamJob { request, each_s })))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, bound = "C: CaptureSection")]
pub(super) struct JobSpec<C> {
    #[serde(default)]
    url: String,
    serial: Option<String>,
    probes: Option<String>,
    attenuation: Option<Factor>,
    #[serde(default)]
    verify: bool,
    #[serde(default)]
    capture: C,
    #[serde(default)]
    generate: GenerateSpec,
    #[serde(default)]
    when: WhenSpec,
    #[serde(default)]
    keep: KeepSpec,
    files: FilesSpec,
    #[serde(default)]
    status: StatusSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table [generate] with wave, clock or hold, as in wave = \"sine 1kHz 0..3V\""
)]
struct GenerateSpec {
    wave: Option<String>,
    clock: Option<String>,
    hold: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhenSpec {
    every: Option<Span>,
    at: Option<Vec<TimeOfDay>>,
    count: Option<u64>,
    r#for: Option<Span>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeepSpec {
    #[serde(default)]
    what: What,
    bands: Option<Vec<BandSpec>>,
    parts: Option<u16>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    #[default]
    All,
    Outside,
    Summary,
    Envelope,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BandSpec {
    channel: String,
    measure: Measure,
    low: Option<Bound>,
    high: Option<Bound>,
}

/// A number or a text: a bound of a band, whose unit the measure decides, or an attenuation.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Bound {
    Number(f64),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FilesSpec {
    directory: PathBuf,
    name: Option<String>,
    format: Option<FormatName>,
    new_after: Option<Span>,
    new_at: Option<Bytes>,
    keep_for: Option<Span>,
    keep_bytes: Option<Bytes>,
    keep_free: Option<Bytes>,
    hold: Option<Bytes>,
    sync_every: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusSpec {
    file: Option<PathBuf>,
    prometheus: Option<SocketAddr>,
}

/// Seconds, more than zero: `90s`, `15min`, `12h`, `7d`.
#[derive(Debug, Clone, Copy)]
struct Span(f64);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        match quantity::parse(&text, Unit::Seconds) {
            Ok(seconds) if seconds > 0.0 => Ok(Self(seconds)),
            Err(ambiguous @ QuantityError::Ambiguous { .. }) => Err(D::Error::custom(ambiguous)),
            _ => Err(D::Error::custom(format!(
                "{text:?} is not a time span: write it like 90s, 15min, 12h or 7d"
            ))),
        }
    }
}

/// An attenuation: a number, or a text such as `A=10,B=1`.
#[derive(Debug, Clone, Copy)]
struct Factor(Attenuation);

impl<'de> Deserialize<'de> for Factor {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = match Bound::deserialize(from)? {
            Bound::Number(factor) => factor.to_string(),
            Bound::Text(text) => text,
        };
        text.parse().map(Self).map_err(|unknown| D::Error::custom(format!("{text:?} is {unknown}")))
    }
}

/// Bytes, at least one: `500kB`, `10MB`, `2GB`.
#[derive(Debug, Clone, Copy)]
struct Bytes(u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let count = text.trim();
        match quantity::parse(count.strip_suffix('B').unwrap_or(count), Unit::Count) {
            Ok(bytes) if bytes >= 1.0 => Ok(Self(bytes as u64)),
            _ => Err(D::Error::custom(format!("{text:?} is not a size: write it like 500kB, 10MB or 2GB"))),
        }
    }
}

/// Seconds since midnight: `06:00`, `18:30:15`.
#[derive(Debug, Clone, Copy)]
struct TimeOfDay(u32);

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let parse = |form| chrono::NaiveTime::parse_from_str(&text, form);
        let time = parse("%H:%M").or_else(|_| parse("%H:%M:%S"));
        let time = time
            .map_err(|_| D::Error::custom(format!("{text:?} is not a time of day: write it like 06:30")))?;
        Ok(Self(chrono::Timelike::num_seconds_from_midnight(&time)))
    }
}

#[derive(Debug, Clone, Copy)]
struct FormatName(Format);

impl<'de> Deserialize<'de> for FormatName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map(Self).map_err(D::Error::custom)
    }
}

impl<C: CaptureSection> JobSpec<C> {
    pub(super) fn job(self, lines: &KeyLines) -> Result<Job, JobError> {
        let url: LinkUrl = self.url.parse().map_err(|error| lines.error(&["url"], format!("{error}")))?;
        if let Some(serial) = self.serial.as_ref().filter(|serial| serial.len() != 8) {
            let reason =
                format!("{serial:?} is not a serial number: it has eight characters, see `scopething info`");
            return Err(lines.error(&["serial"], reason));
        }
        let (request, stream) = self.capture.requests(lines)?;
        let spacing = self.when.spacing(lines)?;
        if stream.is_some() && url.is_bridge() {
            return Err(lines.error(&["url"], BehindBridge.to_string()));
        }
        if stream.is_some() && self.verify {
            return Err(
                lines.error(&["verify"], "a stream cannot be read twice: leave verify out".to_owned())
            );
        }
        if stream.is_some() && spacing != Spacing::Continuous {
            let key = if self.when.every.is_some() { "every" } else { "at" };
            let reason = format!("a stream runs all the time: leave {key} out");
            return Err(lines.error(&["when", key], reason));
        }
        let naming = self.files.naming(lines)?;
        let keep = self.keep.keep(lines)?;
        check_bands(&keep, request.channels, lines)?;
        if self.when.count == Some(0) {
            let reason =
                "0 traces are none: give at least 1, or leave count out to go on until the end".to_owned();
            return Err(lines.error(&["when", "count"], reason));
        }
        if !naming.format.holds_several() && matches!(keep, Keep::Summary | Keep::Envelope { .. }) {
            let reason = "summaries and envelopes are recorded as csv or json".to_owned();
            return Err(lines.error(&["files", "format"], reason));
        }
        let (generate, driven) = self.generate.planned(lines)?;
        let status_file = naming.directory.join(format!(".{}-status.json", naming.name));
        Ok(Job {
            url,
            serial: self.serial,
            probes: self.probes.unwrap_or_else(|| "x1".to_owned()),
            attenuation: self.attenuation.map(|factor| factor.0),
            verify: self.verify,
            request,
            stream,
            generate,
            driven,
            extent: Extent { count: self.when.count, seconds: self.when.r#for.map(|span| span.0) },
            spacing,
            keep,
            limits: self.files.limits(lines)?,
            sync_every: self.files.sync_every.unwrap_or(1),
            hold_bytes: self.files.hold.map_or(HOLD_BYTES, |bytes| bytes.0),
            naming,
            status_file: self.status.file.unwrap_or(status_file),
            prometheus: loopback(self.status.prometheus, lines)?,
        })
    }
}

fn loopback(address: Option<SocketAddr>, lines: &KeyLines) -> Result<Option<SocketAddr>, JobError> {
    match address {
        Some(address) if !address.ip().is_loopback() => {
            let reason =
                format!("{address} can be reached from outside: give an address such as 127.0.0.1:9180");
            Err(lines.error(&["status", "prometheus"], reason))
        }
        address => Ok(address),
    }
}

impl GenerateSpec {
    /// The request to the generators, and the outputs that they then keep busy.
    fn planned(self, lines: &KeyLines) -> Result<(Option<GeneratorRequest>, BusyOutputs), JobError> {
        let given = [("wave", &self.wave), ("clock", &self.clock), ("hold", &self.hold)];
        let mut given = given.into_iter().filter_map(|(key, text)| Some((key, text.as_deref()?)));
        let Some((key, text)) = given.next() else { return Ok((None, BusyOutputs::NOTHING)) };
        if let Some((second, _)) = given.next() {
            let reason = format!("{key} and {second} share one generator: give one");
            return Err(lines.error(&["generate", second], reason));
        }
        let request = generator_request(key, text);
        let planned = request.and_then(|request| {
            let driven = request.plan().map(|plan| plan.driven());
            Ok((driven.map_err(|error| error.to_string())?, request))
        });
        let (driven, request) = planned.map_err(|reason| lines.error(&["generate", key], reason))?;
        Ok((Some(request), driven))
    }
}

fn generator_request(key: &str, text: &str) -> Result<GeneratorRequest, String> {
    match key {
        "wave" => {
            let spec = text.parse().map_err(|error: SpecError| error.to_string())?;
            GeneratorRequest::wave(spec, PlayMode::Repeat).map_err(|error| error.to_string())
        }
        "clock" => {
            let request = text.parse().and_then(|spec: ClockSpec| spec.request());
            request.map(GeneratorRequest::Clocks).map_err(|error| error.to_string())
        }
        _ => parse_levels(text).map(GeneratorRequest::Levels).map_err(|error| format!("{text:?} is {error}")),
    }
}

impl WhenSpec {
    fn spacing(&self, lines: &KeyLines) -> Result<Spacing, JobError> {
        match (self.every, &self.at) {
            (None, None) => Ok(Spacing::Continuous),
            (Some(Span(seconds)), None) => Ok(Spacing::Every(seconds)),
            (None, Some(times)) if !times.is_empty() => {
                let mut seconds: Vec<u32> = times.iter().map(|time| time.0).collect();
                seconds.sort_unstable();
                Ok(Spacing::TimesOfDay(seconds))
            }
            (None, Some(_)) => {
                Err(lines
                    .error(&["when", "at"], "there is no time of day: write it like [\"06:30\"]".to_owned()))
            }
            (Some(_), Some(_)) => {
                Err(lines.error(&["when", "at"], "every and at exclude each other: give one".to_owned()))
            }
        }
    }
}

/// Refuses bands of what is not captured, which no trace could lie in.
fn check_bands(keep: &Keep, captured: ChannelSet, lines: &KeyLines) -> Result<(), JobError> {
    let Keep::Outside(bands) = keep else { return Ok(()) };
    match bands.iter().find(|band| !captured.contains(band.channel)) {
        Some(Band { channel, .. }) => {
            let reason =
                format!("{channel} has a band and is not captured: add it to channels, which are {captured}");
            Err(lines.error(&["keep", "bands"], reason))
        }
        None => Ok(()),
    }
}

impl KeepSpec {
    fn keep(self, lines: &KeyLines) -> Result<Keep, JobError> {
        let misplaced = |key: &str, what: &str| {
            Err(lines.error(&["keep", key], format!("{key} only goes with what = \"{what}\"")))
        };
        match self.what {
            _ if self.bands.is_some() && self.what != What::Outside => misplaced("bands", "outside"),
            _ if self.parts.is_some() && self.what != What::Envelope => misplaced("parts", "envelope"),
            What::All => Ok(Keep::All),
            What::Summary => Ok(Keep::Summary),
            What::Envelope if self.parts == Some(0) => {
                Err(lines.error(&["keep", "parts"], "0 parts hold nothing: give at least 1".to_owned()))
            }
            What::Envelope => Ok(Keep::Envelope { parts: self.parts.map_or(PARTS, usize::from) }),
            What::Outside => {
                let bands = self.bands.unwrap_or_default();
                if bands.is_empty() {
                    let reason =
                        "what = \"outside\" needs bands = [{ channel, measure, low, high }]".to_owned();
                    return Err(lines.error(&["keep", "what"], reason));
                }
                let bands = bands.into_iter().map(BandSpec::band).collect::<Result<Vec<_>, _>>();
                bands.map(Keep::Outside).map_err(|reason| lines.error(&["keep", "bands"], reason))
            }
        }
    }
}

impl BandSpec {
    fn band(self) -> Result<Band, String> {
        let channel: Channel =
            self.channel.parse().map_err(|error| format!("{:?} is {error}", self.channel))?;
        let number = |bound: Option<Bound>, none| match bound {
            None => Ok(none),
            Some(Bound::Number(number)) => Ok(number),
            Some(Bound::Text(text)) => {
                quantity::parse(&text, unit(self.measure)).map_err(|error| error.to_string())
            }
        };
        let (low, high) = (number(self.low, f64::NEG_INFINITY)?, number(self.high, f64::INFINITY)?);
        let band = Band { channel, measure: self.measure, low, high };
        if band.is_empty() {
            return Err(format!("the band {low} to {high} is empty: give a low below the high"));
        }
        Ok(band)
    }
}

impl FilesSpec {
    fn naming(&self, lines: &KeyLines) -> Result<Naming, JobError> {
        let name = self.name.clone().unwrap_or_else(|| "trace".to_owned());
        let plain = |character: char| character.is_alphanumeric() || "-_.".contains(character);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
            let reason = format!("{name:?} cannot begin a file name: use letters, digits, - and _");
            return Err(lines.error(&["files", "name"], reason));
        }
        let format = self.format.map_or(Format::Csv, |name| name.0);
        Ok(Naming { directory: self.directory.clone(), name, format })
    }

    fn limits(&self, lines: &KeyLines) -> Result<Limits, JobError> {
        let grows = self.format.is_none_or(|name| name.0.holds_several());
        for (key, given) in [("new-after", self.new_after.is_some()), ("new-at", self.new_at.is_some())] {
            if given && !grows {
                let reason =
                    format!("{key} only goes with csv and json: in other formats each trace is a file");
                return Err(lines.error(&["files", key], reason));
            }
        }
        Ok(Limits {
            file_bytes: self.new_at.map(|bytes| bytes.0),
            file_seconds: self.new_after.map(|span| span.0),
            age_seconds: self.keep_for.map(|span| span.0),
            total_bytes: self.keep_bytes.map(|bytes| bytes.0),
            free_bytes: self.keep_free.map(|bytes| bytes.0),
        })
    }
}
