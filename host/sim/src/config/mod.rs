//! What is simulated: signals, front end, noise, identity, link and clock, with the text for it in a
//! URL.
//!
//! ```text
//! sim:?A=sine,1kHz,0..3V&B=file:x.sr%23ana1&noise=5mV&latency=1ms&rate=1Mbps&clock=fast&seed=1
//! ```
//!
//! | key | value | default |
//! | --- | --- | --- |
//! | `A`, `B` | what the input sees, see [`Signal`] | A the waveform output, B its inverse, both the clock |
//! | `L0` .. `L7` | what the logic line sees; L7 and A are one pin, L6 and B too | a counter |
//! | `noise` | volts rms on both inputs | 0 |
//! | `seed` | chooses noise and faults | 0 |
//! | `latency` | seconds each way | 0 |
//! | `rate` | bits a second, ten to a byte | as fast as can be |
//! | `ftdi` | seconds that an FTDI waits before it passes on a packet that is not full | none |
//! | `clock` | `real`, or `fast`: time jumps to the next event | `real` |
//! | `serial`, `revision` | eight characters | `DB98TI79`, `BS000501` |
//! | `stale` | `yes`: the first sample of a dump is the last one converted before | `no` |
//! | `quirk` | what the device does otherwise, names of [`Quirk`](super::Quirk)s with commas between | nothing |
//! | `tick` | device time at the start, in 25 ns ticks | 0 |
//! | `faults` | what goes wrong, see [`FaultPlan`] | nothing |
//! | `la lb lc ha hb hc scale offset ab_offset` | the parameters of [`FrontEnd`] | nominal |
//! | `dac` | where the DACs stop being linear, as in `0.07..0.88` | `0..1` |

use std::fmt;
use std::str::FromStr;

use super::frontend::FrontEnd;
use super::quirk::{Quirks, UnknownQuirk};
use super::signal::{ReadPlayback, Signal, SignalError, no_files};
use super::time::SimTime;
use crate::faults::{FaultError, FaultPlan};
use crate::query;
use scopething_waveform::quantity::{self, QuantityError, Unit};

/// Whether simulated time is real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClockKind {
    /// Simulated time passes as time does.
    #[default]
    Real,
    /// Simulated time jumps to the next event: nothing is ever waited for.
    Fast,
}

/// Eight printable ASCII characters: a revision or a serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity([u8; 8]);

impl Identity {
    /// The eight characters.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// The characters as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Identity {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match <[u8; 8]>::try_from(text.as_bytes()) {
            Ok(bytes) if bytes.iter().all(u8::is_ascii_graphic) => Ok(Self(bytes)),
            _ => Err(ConfigError::Identity { text: text.to_owned() }),
        }
    }
}

/// Everything that can be chosen about a simulated device.
#[derive(Debug, Clone, PartialEq)]
pub struct SimConfig {
    /// What A and B see; none: the device's own generator.
    pub analog: [Option<Signal>; 2],
    /// What L0 to L7 see; none: a counter.
    pub logic: [Option<Signal>; 8],
    /// The analog front end.
    pub front_end: FrontEnd,
    /// Noise on both inputs, volts rms.
    pub noise_v: f64,
    /// Chooses noise and faults.
    pub seed: u64,
    /// How long a byte takes each way.
    pub latency: SimTime,
    /// Bits a second, ten to a byte; none: no limit.
    pub rate_bps: Option<f64>,
    /// The latency timer of an FTDI.
    pub ftdi: Option<SimTime>,
    /// Whether time is real.
    pub clock: ClockKind,
    /// The serial number in the EEPROM.
    pub serial: Identity,
    /// The answer to `?`.
    pub revision: Identity,
    /// Whether the first sample of a dump is the last one converted before it.
    pub stale_first_sample: bool,
    /// Where the device deviates from the reference.
    pub quirks: Quirks,
    /// Device time at the start, in ticks.
    pub first_tick: u32,
    /// What goes wrong.
    pub faults: FaultPlan,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            analog: [const { None }; 2],
            logic: [const { None }; 8],
            front_end: FrontEnd::default(),
            noise_v: 0.0,
            seed: 0,
            latency: SimTime::ZERO,
            rate_bps: None,
            ftdi: None,
            clock: ClockKind::Real,
            serial: Identity(*b"DB98TI79"),
            revision: Identity(*b"BS000501"),
            stale_first_sample: false,
            quirks: Quirks::default(),
            first_tick: 0,
            faults: FaultPlan::default(),
        }
    }
}

/// Why a text does not describe a simulated device.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigError {
    /// A part without `=`.
    NoValue {
        /// The part.
        part: String,
    },
    /// There is no such key.
    Key {
        /// The key.
        key: String,
    },
    /// A signal that is not understood.
    Signal {
        /// The input it was for.
        input: String,
        /// What is wrong with it.
        error: SignalError,
    },
    /// A number that is not understood.
    Quantity {
        /// The key.
        key: String,
        /// What is wrong with it.
        error: QuantityError,
    },
    /// A value that is understood but cannot be.
    Impossible {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What it must be.
        must_be: &'static str,
    },
    /// Not eight printable characters.
    Identity {
        /// What was given.
        text: String,
    },
    /// A fault that is not understood.
    Fault(FaultError),
    /// A quirk that there is not.
    Quirk(UnknownQuirk),
    /// The front end's planes have no solution.
    FrontEnd,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoValue { part } => write!(f, "\"{part}\" gives no value: write KEY=VALUE"),
            Self::Key { key } => write!(
                f,
                "the simulator has no \"{key}\": use A, B, L0 to L7, noise, seed, latency, rate, ftdi, \
                 clock, serial, \
                 revision, stale, quirk, tick, faults, dac or a parameter of the front end"
            ),
            Self::Signal { input, error } => write!(f, "{input}: {error}"),
            Self::Quantity { key, error } => write!(f, "{key}: {error}"),
            Self::Impossible { key, value, must_be } => {
                write!(f, "{key} cannot be \"{value}\": it must be {must_be}")
            }
            Self::Identity { text } => {
                write!(f, "\"{text}\" is not eight printable characters, like DB98TI79")
            }
            Self::Fault(error) => error.fmt(f),
            Self::Quirk(error) => error.fmt(f),
            Self::FrontEnd => {
                write!(f, "no range solves these parameters of the front end: move them towards nominal")
            }
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Signal { error, .. } => Some(error),
            Self::Quantity { error, .. } => Some(error),
            Self::Fault(error) => Some(error),
            Self::Quirk(error) => Some(error),
            _ => None,
        }
    }
}

fn impossible(key: &str, value: &str, must_be: &'static str) -> ConfigError {
    ConfigError::Impossible { key: key.to_owned(), value: value.to_owned(), must_be }
}

fn number(key: &str, value: &str, unit: Unit) -> Result<f64, ConfigError> {
    quantity::parse(value, unit).map_err(|error| ConfigError::Quantity { key: key.to_owned(), error })
}

fn not_negative(key: &str, value: &str, unit: Unit) -> Result<f64, ConfigError> {
    match number(key, value, unit)? {
        value if value >= 0.0 => Ok(value),
        _ => Err(impossible(key, value, "0 or more")),
    }
}

impl SimConfig {
    /// The configuration of a query: `KEY=VALUE` parts with `&` between, percent codes decoded.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the part that is not understood.
    pub fn from_query(query: &str) -> Result<Self, ConfigError> {
        Self::from_query_reading(query, no_files)
    }

    /// As [`Self::from_query`]; `read` is asked for the samples of signals that play a file.
    ///
    /// # Errors
    ///
    /// As [`Self::from_query`].
    pub fn from_query_reading(query: &str, read: ReadPlayback) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for part in query::parts(query) {
            let (key, value) = part.map_err(|part| ConfigError::NoValue { part: part.to_owned() })?;
            config.set(key, &value, read)?;
        }
        Ok(config)
    }

    /// Sets one key of the table above to a decoded value; `read` is asked for the samples of a signal that plays a
    /// file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] reports what is wrong with key or value; the configuration is then as before.
    pub fn set(&mut self, key: &str, value: &str, read: ReadPlayback) -> Result<(), ConfigError> {
        match key {
            "noise" => self.noise_v = not_negative(key, value, Unit::Volts)?,
            "seed" => self.seed = value.parse().map_err(|_| impossible(key, value, "a whole number"))?,
            "latency" => self.latency = SimTime::from_seconds(not_negative(key, value, Unit::Seconds)?),
            "ftdi" => self.ftdi = Some(SimTime::from_seconds(not_negative(key, value, Unit::Seconds)?)),
            "rate" => match number(key, value, Unit::BitsPerSecond)? {
                rate if rate >= 1.0 => self.rate_bps = Some(rate),
                _ => return Err(impossible(key, value, "at least 1bps")),
            },
            "clock" => {
                self.clock = match value {
                    "real" => ClockKind::Real,
                    "fast" => ClockKind::Fast,
                    _ => return Err(impossible(key, value, "real or fast")),
                }
            }
            "faults" => self.faults = value.parse().map_err(ConfigError::Fault)?,
            "serial" => self.serial = value.parse()?,
            "revision" => self.revision = value.parse()?,
            "stale" => {
                self.stale_first_sample = match value {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(impossible(key, value, "yes or no")),
                }
            }
            "quirk" => self.quirks = value.parse().map_err(ConfigError::Quirk)?,
            "tick" => {
                self.first_tick = value.parse().map_err(|_| impossible(key, value, "a 32-bit number"))?;
            }
            _ => return self.set_input_or_front_end(key, value, read),
        }
        Ok(())
    }

    fn set_input_or_front_end(
        &mut self,
        key: &str,
        value: &str,
        read: ReadPlayback,
    ) -> Result<(), ConfigError> {
        if let Some(input) = self.input_mut(key) {
            let signal = Signal::parse(value, read)
                .map_err(|error| ConfigError::Signal { input: key.to_owned(), error })?;
            *input = Some(signal);
            return Ok(());
        }
        let mut front_end = self.front_end;
        if key == "dac" {
            let ends = value.split_once("..").ok_or_else(|| impossible(key, value, "like 0.07..0.88"))?;
            front_end.dac_low = number(key, ends.0, Unit::Fraction)?;
            front_end.dac_high = number(key, ends.1, Unit::Fraction)?;
        } else {
            let (unit, parameter) = front_end_parameter(&mut front_end, key)
                .ok_or_else(|| ConfigError::Key { key: key.to_owned() })?;
            *parameter = number(key, value, unit)?;
        }
        if !front_end.is_solvable() {
            return Err(ConfigError::FrontEnd);
        }
        self.front_end = front_end;
        Ok(())
    }

    fn input_mut(&mut self, key: &str) -> Option<&mut Option<Signal>> {
        match key {
            "A" => self.analog.first_mut(),
            "B" => self.analog.last_mut(),
            _ => self.logic.get_mut(key.strip_prefix('L')?.parse::<usize>().ok()?),
        }
    }
}

const FRONT_END_KEYS: [&str; 9] = ["la", "lb", "lc", "ha", "hb", "hc", "scale", "offset", "ab_offset"];

fn front_end_parameter<'a>(front_end: &'a mut FrontEnd, key: &str) -> Option<(Unit, &'a mut f64)> {
    Some(match key {
        "la" => (Unit::Count, &mut front_end.la),
        "lb" => (Unit::Count, &mut front_end.lb),
        "lc" => (Unit::Count, &mut front_end.lc),
        "ha" => (Unit::Count, &mut front_end.ha),
        "hb" => (Unit::Count, &mut front_end.hb),
        "hc" => (Unit::Count, &mut front_end.hc),
        "scale" => (Unit::Volts, &mut front_end.scale),
        "offset" => (Unit::Volts, &mut front_end.offset),
        "ab_offset" => (Unit::Volts, &mut front_end.ab_offset),
        _ => return None,
    })
}

impl FromStr for SimConfig {
    type Err = ConfigError;

    fn from_str(query: &str) -> Result<Self, ConfigError> {
        Self::from_query(query)
    }
}

/// The query that describes the configuration: what is as by default is left out.
impl fmt::Display for SimConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = Self::default();
        let mut separator = "";
        let mut put = |key: &str, value: String| {
            let result = write!(f, "{separator}{key}={}", query::encoded(&value));
            separator = "&";
            result
        };
        let names = ["A", "B", "L0", "L1", "L2", "L3", "L4", "L5", "L6", "L7"];
        for (name, signal) in names.into_iter().zip(self.analog.iter().chain(&self.logic)) {
            if let Some(signal) = signal {
                put(name, signal.url_text())?;
            }
        }
        let seconds = |time: SimTime| quantity::format(time.seconds(), Unit::Seconds);
        if self.noise_v != default.noise_v {
            put("noise", quantity::format(self.noise_v, Unit::Volts))?;
        }
        if self.seed != default.seed {
            put("seed", self.seed.to_string())?;
        }
        if self.latency != default.latency {
            put("latency", seconds(self.latency))?;
        }
        if let Some(rate_bps) = self.rate_bps {
            put("rate", quantity::format(rate_bps, Unit::BitsPerSecond))?;
        }
        if let Some(ftdi) = self.ftdi {
            put("ftdi", seconds(ftdi))?;
        }
        if self.clock == ClockKind::Fast {
            put("clock", "fast".to_owned())?;
        }
        if self.serial != default.serial {
            put("serial", self.serial.as_str().to_owned())?;
        }
        if self.revision != default.revision {
            put("revision", self.revision.as_str().to_owned())?;
        }
        if self.stale_first_sample {
            put("stale", "yes".to_owned())?;
        }
        if !self.quirks.is_empty() {
            put("quirk", self.quirks.to_string())?;
        }
        if self.first_tick != 0 {
            put("tick", self.first_tick.to_string())?;
        }
        if self.faults != default.faults {
            put("faults", self.faults.to_string())?;
        }
        let (mut given, mut nominal) = (self.front_end, default.front_end);
        for key in FRONT_END_KEYS {
            if let (Some((unit, value)), Some((_, usual))) =
                (front_end_parameter(&mut given, key), front_end_parameter(&mut nominal, key))
                && value != usual
            {
                put(key, quantity::format(*value, unit))?;
            }
        }
        if (given.dac_low, given.dac_high) != (nominal.dac_low, nominal.dac_high) {
            put("dac", format!("{}..{}", given.dac_low, given.dac_high))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
