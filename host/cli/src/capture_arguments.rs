//! Arguments that `capture` and `plan` share.

use clap::Args;
use clap::builder::{StringValueParser, TypedValueParser};
use scopething_core::device::{AnalogParameters, Attenuation};
use scopething_core::plan::{
    CaptureRequest, Channel, ChannelSet, Resolution, TriggerMode, TriggerSource, TriggerType, UnknownChannel,
};

use super::config_file::ConfigFile;
use super::failure::Failure;
use super::given_options::GivenOptions;
use super::message::{print_detail, print_warning};
use super::named::Named;
use scopething::calibration_file::CalibrationFile;
use scopething::link::LinkUrl;
use scopething::request::{SampleCountError, sample_count};
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
fn samples(text: &str) -> Result<u32, SampleCountError> {
    sample_count(text, u32::MAX)
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
pub(super) fn any_channel_name() -> impl TypedValueParser<Value = ChannelName> {
    StringValueParser::new().map(|text| ChannelName { set: text.parse().ok(), text })
}

/// Where the BitScope is.
#[derive(Debug, Args)]
pub(super) struct UrlArgument {
    /// The BitScope: /dev/ttyUSB0, COM3, socket://host:port, bitscope-server://host:port, bridge://host:port or sim:
    /// [default: that of ~/.config/scopething/config.toml, or the first serial port with USB id 0403:6001]
    #[arg(long, value_name = "URL", env = "SCOPETHING_URL", hide_env_values = true)]
    url: Option<String>,
}

impl UrlArgument {
    /// The link, if it is named: on the command line, in the environment, or in the user's file of settings.
    pub(super) fn parse(&self) -> Result<Option<LinkUrl>, Failure> {
        match &self.url {
            Some(url) => Ok(Some(url.parse()?)),
            None => Ok(ConfigFile::of_user()?.url.clone()),
        }
    }

    /// The link, if the command itself names it.
    pub(super) fn given(&self) -> Result<Option<LinkUrl>, Failure> {
        Ok(self.url.as_deref().map(str::parse).transpose()?)
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
    #[command(flatten)]
    range: RangeArguments,
    /// What to trigger on: A, B, or levels of logic lines such as L3=1,L5=0 [default: the first channel that
    /// is not driven by a generator]
    #[arg(long, value_name = "SOURCE")]
    trigger: Option<TriggerSource>,
    /// Trigger level [default: the middle of the range]
    #[arg(long, value_name = "V", value_parser = volts, allow_hyphen_values = true)]
    level: Option<f64>,
    /// How the trigger source must behave: rising, falling, above or below
    #[arg(long = "type", value_name = "TYPE", default_value = "rising",
        value_parser = Named::<TriggerType>::of(TriggerType::ALL.map(|(_, name)| name)), hide_possible_values = true)]
    trigger_type: TriggerType,
    /// Trigger after 4 samples beyond the level instead of 8
    #[arg(long)]
    hair_trigger: bool,
    /// Part of the span before the trigger: 0 to 1, or 0% to 100%
    #[arg(long, value_name = "F", default_value = "0.25", value_parser = fraction, allow_hyphen_values = true)]
    position: f64,
    /// Time from the trigger to the first sample, in whole microseconds; nothing is kept from before the trigger
    #[arg(long, value_name = "T", default_value = "0s", value_parser = seconds, allow_hyphen_values = true, conflicts_with = "position")]
    delay: f64,
    /// How long to wait for the trigger; 0 captures at once
    #[arg(long, value_name = "T|none", default_value = "none", value_parser = timeout, allow_hyphen_values = true)]
    timeout: Timeout,
    /// What becomes of a capture whose trigger does not come: normal waits for it; auto captures without it after
    /// the time span, at least 100ms, or after --timeout
    #[arg(long, value_name = "MODE", default_value = "normal",
        value_parser = Named::<TriggerMode>::of(TriggerMode::ALL.map(|(_, name)| name)), hide_possible_values = true)]
    trigger_mode: TriggerMode,
    /// Bits of an analog sample: 8 for twice the captures a second, or best for 16 where the sample rate allows them
    #[arg(long, value_name = "8|best", default_value = "best",
        value_parser = Named::<Resolution>::of(Resolution::ALL.map(|(_, name)| name)), hide_possible_values = true)]
    bits: Resolution,
    #[command(flatten)]
    probe: ProbeArgument,
}

/// What the samples of the analog channels span.
#[derive(Debug, Args)]
pub(super) struct RangeArguments {
    /// Bottom of the range [default: what the probe measures safely; 0V for logic alone]
    #[arg(long, value_name = "V", value_parser = volts, allow_hyphen_values = true)]
    pub(super) low: Option<f64>,
    /// Top of the range [default: what the probe measures safely; 3.3V for logic alone]
    #[arg(long, value_name = "V", value_parser = volts, allow_hyphen_values = true)]
    pub(super) high: Option<f64>,
    /// Take the range as DAC fractions and give samples as fractions of it
    #[arg(long)]
    pub(super) raw: bool,
}

impl RangeArguments {
    /// Bottom and top; those of the user's file of settings for analog channels of which none is given.
    pub(super) fn ends(&self, channels: ChannelSet) -> Result<(Option<f64>, Option<f64>), Failure> {
        match (self.low, self.high, self.raw) {
            (None, None, false) if channels.analog() != 0 => Ok(ConfigFile::of_user()?.range.unzip()),
            (low, high, _) => Ok((low, high)),
        }
    }
}

/// Which probe the scope is used with.
#[derive(Debug, Args)]
pub(super) struct ProbeArgument {
    /// Which probe's calibration, of those in ~/.config/scopething/analog.conf for this URL [default: x1, or that of
    /// config.toml]
    #[arg(long, value_name = "NAME")]
    probes: Option<String>,
    /// By what the probes divide beyond their calibration: 10, or A=10,B=1; ranges, samples and levels are those at their
    /// tips [default: 1, or that of analog.conf]
    #[arg(long, value_name = "FACTOR")]
    attenuation: Option<Attenuation>,
}

impl ProbeArgument {
    /// The name of the probe's calibration.
    pub(super) fn name(&self) -> Result<&str, Failure> {
        match &self.probes {
            Some(probes) => Ok(probes),
            None => Ok(ConfigFile::of_user()?.probes.as_deref().unwrap_or("x1")),
        }
    }

    /// The parameters of the probe that is named, on a connection: those of the user's calibration, or the nominal ones
    /// of a x1 probe. `attenuation` is that of a capture which is repeated, if no other is given.
    pub(super) fn parameters(
        &self,
        url: &LinkUrl,
        attenuation: Option<Attenuation>,
    ) -> Result<AnalogParameters, Failure> {
        let probes = self.name()?;
        let missing = || {
            let path = CalibrationFile::of_user().map(|file| file.path().display().to_string());
            let url = url.sound().to_string();
            let at = if url.is_empty() { String::new() } else { format!(" at {url}") };
            Failure::Usage(anyhow::anyhow!(
                "there is no calibration for probe {probes:?}{at} in {}: use x1{}, or make one by `scopething calibrate --probes {probes}`",
                path.unwrap_or_default(),
                offer(probes)
            ))
        };
        warn_of_ignored_lines();
        let attenuation = self.attenuation.or(attenuation);
        let parameters =
            CalibrationFile::probe_attenuated(url, probes, attenuation).map_err(Failure::failed)?;
        let parameters = parameters.ok_or_else(missing)?;
        print_detail!("probe {probes}, attenuation {}, {parameters:?}", parameters.attenuation);
        Ok(parameters)
    }
}

/// What does without a calibration, if the name of a probe gives its factor: `x10`, `10x`.
fn offer(probes: &str) -> String {
    let number = probes.trim_start_matches(['x', 'X']).trim_end_matches(['x', 'X']);
    match number.parse::<f64>() {
        Ok(factor) if Attenuation::both(factor).is_possible() => {
            format!(" with `--attenuation {factor}`, right to the few percent of an uncalibrated probe")
        }
        _ => String::new(),
    }
}

impl CaptureArguments {
    /// The parameters of the probe that is named, on a connection: see [`ProbeArgument::parameters`].
    pub(super) fn probe(
        &self,
        url: &LinkUrl,
        attenuation: Option<Attenuation>,
    ) -> Result<AnalogParameters, Failure> {
        self.probe.parameters(url, attenuation)
    }

    /// Names of channels are those of a file, for commands that read one; a capture has those of the device.
    fn refuse_unknown_channel(&self) -> Result<(), Failure> {
        match self.channels.iter().find(|name| name.set.is_none()) {
            None => Ok(()),
            Some(name) => Err(Failure::Usage(anyhow::anyhow!(
                "{:?} is no channel: give A, B, L or L0 to L7, or name a file first",
                name.text
            ))),
        }
    }

    /// The channels that are named; none if the first one is left to the default.
    pub(super) fn named_channels(&self) -> Option<ChannelSet> {
        self.channels.iter().filter_map(|name| name.set).reduce(ChannelSet::union)
    }

    /// A request, changed by the options that are given.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub(super) fn changed(
        &self,
        request: CaptureRequest,
        ahead: Option<ChannelSet>,
        given: &GivenOptions<Self>,
    ) -> Result<CaptureRequest, Failure> {
        let named = [ahead, self.named_channels()].into_iter().flatten();
        let channels = named.reduce(ChannelSet::union).unwrap_or(request.channels);
        let own = self.request_after(Some(channels))?;
        let mut changed = request;
        changed.channels = channels;
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
        take("--delay", &|request| request.delay_s = own.delay_s);
        Ok(changed)
    }

    /// The request.
    ///
    /// # Errors
    /// Wrong usage, for a level that nothing is compared with and a name that is no channel's.
    pub(super) fn request(&self) -> Result<CaptureRequest, Failure> {
        self.request_after(None)
    }

    /// The request, with channels that were named ahead of these.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub(super) fn request_after(&self, ahead: Option<ChannelSet>) -> Result<CaptureRequest, Failure> {
        self.refuse_unknown_channel()?;
        let named = [ahead, self.named_channels()].into_iter().flatten();
        let channels = named.reduce(ChannelSet::union).unwrap_or(ChannelSet::EMPTY.with(Channel::A));
        check_level(self.level, self.trigger, channels)?;
        let (low, high) = self.range.ends(channels)?;
        Ok(CaptureRequest {
            period_s: self.period,
            samples: self.samples,
            low,
            high,
            trigger: self.trigger,
            level: self.level,
            trigger_type: self.trigger_type,
            hair_trigger: self.hair_trigger,
            position: self.position,
            delay_s: self.delay,
            timeout_s: self.timeout.0,
            raw: self.range.raw,
            trigger_mode: self.trigger_mode,
            resolution: self.bits,
            ..CaptureRequest::new(channels)
        })
    }
}

/// Refuses a trigger level beside a trigger on logic levels, which has none.
fn check_level(
    level: Option<f64>,
    trigger: Option<TriggerSource>,
    channels: ChannelSet,
) -> Result<(), Failure> {
    let trigger = trigger.or_else(|| channels.first().map(TriggerSource::of_channel));
    match (level, trigger) {
        (Some(_), Some(source @ TriggerSource::Logic(_))) => Err(Failure::Usage(anyhow::anyhow!(
            "--level is of an analog trigger, and this one waits for {source}: leave it out, or give --trigger A or B"
        ))),
        _ => Ok(()),
    }
}

/// Whoever wrote a line that is not understood expects a calibration that is not used.
fn warn_of_ignored_lines() {
    // A file that cannot be read is reported where the probe is read.
    let lines = CalibrationFile::of_user().and_then(|file| file.ignored_lines().ok()).unwrap_or_default();
    for line in lines {
        print_warning!("{line}");
    }
}
