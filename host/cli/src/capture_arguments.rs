//! Arguments that `capture` and `plan` share.

use clap::Args;
use scopething_core::device::AnalogParameters;
use scopething_core::plan::{
    CaptureRequest, Channel, ChannelSet, Resolution, TriggerMode, TriggerSource, TriggerType, UnknownChannel,
};

use super::failure::Failure;
use super::given_options::GivenOptions;
use scopething::calibration_file::CalibrationFile;
use scopething::link::{LinkUrl, UrlError};
use scopething_waveform::quantity::{self, QuantityError, Unit};

pub(super) fn seconds(text: &str) -> Result<f64, QuantityError> {
    quantity::parse(text, Unit::Seconds)
}

pub(super) fn hertz(text: &str) -> Result<f64, QuantityError> {
    quantity::parse(text, Unit::Hertz)
}

pub(super) fn volts(text: &str) -> Result<f64, QuantityError> {
    quantity::parse(text, Unit::Volts)
}

pub(super) fn fraction(text: &str) -> Result<f64, QuantityError> {
    quantity::parse(text, Unit::Fraction)
}

/// A number of samples such as `12288` or `12k`.
fn samples(text: &str) -> Result<u32, String> {
    let count = quantity::parse(text, Unit::Count).map_err(|error| error.to_string())?;
    if count.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(&count) {
        Ok(count as u32)
    } else {
        Err(format!("{text} is not a number of samples: give a whole number from 1 on"))
    }
}

/// A timeout in seconds, or none.
#[derive(Debug, Clone, Copy)]
struct Timeout(Option<f64>);

fn timeout(text: &str) -> Result<Timeout, QuantityError> {
    if text == "none" { Ok(Timeout(None)) } else { seconds(text).map(|timeout_s| Timeout(Some(timeout_s))) }
}

pub(super) fn channels(text: &str) -> Result<ChannelSet, UnknownChannel> {
    text.parse()
}

/// A name of channels on the command line.
#[derive(Debug, Clone)]
pub(super) struct ChannelName {
    pub(super) text: String,
    /// The channels of the device that it names; none for one that only a file may have.
    set: Option<ChannelSet>,
}

fn channel_name(text: &str) -> Result<ChannelName, UnknownChannel> {
    Ok(ChannelName { text: text.to_owned(), set: Some(text.parse()?) })
}

/// Takes any name: a file may have a channel that is called so.
pub(super) fn any_channel_name(text: &str) -> Result<ChannelName, std::convert::Infallible> {
    Ok(ChannelName { text: text.to_owned(), set: text.parse().ok() })
}

/// Where the BitScope is.
#[derive(Debug, Args)]
pub(super) struct UrlArgument {
    /// The BitScope: /dev/ttyUSB0, COM3, socket://host:port, bitscope-server://host:port or sim:
    /// [default: the first serial port with USB id 0403:6001]
    #[arg(long, value_name = "URL", env = "SCOPETHING_URL", hide_env_values = true)]
    url: Option<String>,
}

impl UrlArgument {
    /// The link, if it is named.
    pub(super) fn parse(&self) -> Result<Option<LinkUrl>, UrlError> {
        self.url.as_deref().map(str::parse).transpose()
    }
}

/// What to capture and what to trigger on. Numbers take SI suffixes: 1ms, 2.5us, 3.3V, 12k.
#[derive(Debug, Args)]
pub(super) struct CaptureArguments {
    /// Channels: A, B, L (all eight logic lines), L0 to L7 [default: A]
    #[arg(value_name = "CHANNEL", value_parser = channel_name)]
    pub(super) channels: Vec<ChannelName>,
    /// Time span
    #[arg(long, value_name = "T", default_value = "1ms", value_parser = seconds, allow_hyphen_values = true)]
    period: f64,
    /// Roughly how many samples
    #[arg(long, value_name = "N", default_value = "1000", value_parser = samples)]
    samples: u32,
    /// Bottom of the range [default: what the probe measures safely; 0V for logic alone]
    #[arg(long, value_name = "V", value_parser = volts, allow_hyphen_values = true)]
    low: Option<f64>,
    /// Top of the range [default: what the probe measures safely; 3.3V for logic alone]
    #[arg(long, value_name = "V", value_parser = volts, allow_hyphen_values = true)]
    high: Option<f64>,
    /// What to trigger on: A, B, or levels of logic lines such as L3=1,L5=0 [default: the first channel that
    /// is not driven by a generator]
    #[arg(long, value_name = "SOURCE")]
    trigger: Option<TriggerSource>,
    /// Trigger level [default: the middle of the range]
    #[arg(long, value_name = "V", value_parser = volts, allow_hyphen_values = true)]
    level: Option<f64>,
    /// How the trigger source must behave: rising, falling, above or below
    #[arg(long = "type", value_name = "TYPE", default_value = "rising")]
    trigger_type: TriggerType,
    /// Trigger after 4 samples beyond the level instead of 8
    #[arg(long)]
    hair_trigger: bool,
    /// Part of the span before the trigger: 0 to 1, or 0% to 100%
    #[arg(long, value_name = "F", default_value = "0.25", value_parser = fraction, allow_hyphen_values = true)]
    position: f64,
    /// How long to wait for the trigger; 0 captures at once
    #[arg(long, value_name = "T|none", default_value = "none", value_parser = timeout, allow_hyphen_values = true)]
    timeout: Timeout,
    /// What becomes of a capture whose trigger does not come: normal waits for it; auto captures without it after
    /// the time span, at least 100ms, or after --timeout
    #[arg(long, value_name = "MODE", default_value = "normal")]
    trigger_mode: TriggerMode,
    /// Bits of an analog sample: 8 for twice the captures a second, or best for 16 where the sample rate allows them
    #[arg(long, value_name = "8|best", default_value = "best")]
    bits: Resolution,
    #[command(flatten)]
    probe: ProbeArgument,
    /// Take the range as DAC fractions and give samples as fractions of it
    #[arg(long)]
    raw: bool,
}

/// Which probe the scope is used with.
#[derive(Debug, Args)]
pub(super) struct ProbeArgument {
    /// Which probe's calibration, of those in ~/.config/scopething/analog.conf for this URL
    #[arg(long, value_name = "NAME", default_value = "x1")]
    probes: String,
}

impl ProbeArgument {
    /// The parameters of the probe that is named, on a connection: those of the user's calibration, or the nominal ones
    /// of a x1 probe.
    pub(super) fn parameters(&self, url: &LinkUrl) -> Result<AnalogParameters, Failure> {
        let missing = || {
            let path = CalibrationFile::of_user().map(|file| file.path().display().to_string());
            Failure::Usage(anyhow::anyhow!(
                "there is no calibration for probe {:?} at {} in {}: use x1, or add one",
                self.probes,
                url.sound(),
                path.unwrap_or_default()
            ))
        };
        CalibrationFile::probe_of_user(url, &self.probes).map_err(Failure::failed)?.ok_or_else(missing)
    }
}

impl CaptureArguments {
    /// The parameters of the probe that is named, on a connection.
    pub(super) fn probe(&self, url: &LinkUrl) -> Result<AnalogParameters, Failure> {
        self.probe.parameters(url)
    }

    /// The first name that is none of the device.
    pub(super) fn unknown_channel(&self) -> Option<&str> {
        self.channels.iter().find(|name| name.set.is_none()).map(|name| name.text.as_str())
    }

    /// The channels that are named; none if the first one is left to the default.
    pub(super) fn named_channels(&self) -> Option<ChannelSet> {
        self.channels.iter().filter_map(|name| name.set).reduce(ChannelSet::union)
    }

    /// A request, changed by the options that are given.
    pub(super) fn changed(&self, request: CaptureRequest, given: &GivenOptions<Self>) -> CaptureRequest {
        let own = self.request();
        let mut changed = request;
        if let Some(channels) = self.named_channels() {
            changed.channels = channels;
        }
        let mut take = |name: &str, take: &dyn Fn(&mut CaptureRequest)| {
            if given.has(name) {
                take(&mut changed);
            }
        };
        take("--period", &|request| request.period_s = own.period_s);
        take("--samples", &|request| request.samples = own.samples);
        take("--low", &|request| request.low = own.low);
        take("--high", &|request| request.high = own.high);
        take("--trigger", &|request| request.trigger = own.trigger);
        take("--level", &|request| request.level = own.level);
        take("--type", &|request| request.trigger_type = own.trigger_type);
        take("--hair-trigger", &|request| request.hair_trigger = own.hair_trigger);
        take("--position", &|request| request.position = own.position);
        take("--timeout", &|request| request.timeout_s = own.timeout_s);
        take("--raw", &|request| request.raw = own.raw);
        take("--trigger-mode", &|request| request.trigger_mode = own.trigger_mode);
        take("--bits", &|request| request.resolution = own.resolution);
        changed
    }

    pub(super) fn request(&self) -> CaptureRequest {
        CaptureRequest {
            period_s: self.period,
            samples: self.samples,
            low: self.low,
            high: self.high,
            trigger: self.trigger,
            level: self.level,
            trigger_type: self.trigger_type,
            hair_trigger: self.hair_trigger,
            position: self.position,
            timeout_s: self.timeout.0,
            raw: self.raw,
            trigger_mode: self.trigger_mode,
            resolution: self.bits,
            ..CaptureRequest::new(self.named_channels().unwrap_or(ChannelSet::EMPTY.with(Channel::A)))
        }
    }
}
