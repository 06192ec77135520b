//! The text of a plan of faults, and what it means.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use scopething_waveform::quantity::{self, QuantityError, Unit};

/// Stale bytes on connecting, at the most.
const MAX_STALE: u64 = 100_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A byte is lost.
    Drop,
    /// A byte comes twice.
    Repeat,
    /// Bits of a byte are inverted.
    Corrupt,
    /// A byte, and all that follows, comes later.
    Delay(Duration),
    /// All is lost until the host writes again.
    Short,
    /// Nothing passes any more.
    Stall,
    /// The link closes.
    Close,
    /// The device starts anew.
    Reboot,
    /// Stale bytes arrive on connecting.
    Burst(u32),
    /// A datagram is lost.
    Lose,
    /// A datagram is sent twice.
    Resend,
    /// A datagram is overtaken by the next one.
    Swap,
    /// A datagram is followed by one that comes from elsewhere.
    ForeignDatagram,
}

impl FaultKind {
    /// The name it has in a plan.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Repeat => "repeat",
            Self::Corrupt => "corrupt",
            Self::Delay(_) => "delay",
            Self::Short => "short",
            Self::Stall => "stall",
            Self::Close => "close",
            Self::Reboot => "reboot",
            Self::Burst(_) => "burst",
            Self::Lose => "lose",
            Self::Resend => "resend",
            Self::Swap => "swap",
            Self::ForeignDatagram => "stranger",
        }
    }

    /// Whether it befalls datagrams, and not bytes.
    #[must_use]
    pub fn of_datagrams(self) -> bool {
        matches!(self, Self::Lose | Self::Resend | Self::Swap | Self::ForeignDatagram)
    }

    /// Whether it happens inside a device, out of reach of a link.
    #[must_use]
    pub fn of_device(self) -> bool {
        matches!(self, Self::Short | Self::Reboot)
    }
}

/// Which way bytes or datagrams go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the device to the host.
    FromDevice,
    /// From the host to the device.
    ToDevice,
}

/// Which bytes or datagrams a fault befalls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// The one of this number, counted from 0.
    Number(u64),
    /// Each, with this chance of 0 to 1.
    Chance(f64),
}

/// A fault with its place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Which way.
    pub direction: Direction,
    /// When; of no meaning for a burst, which comes on connecting.
    pub when: When,
}

/// All that goes wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FaultPlan {
    /// The faults; the first that applies to a byte befalls it.
    pub faults: Vec<Fault>,
}

/// Why a text is not a plan of faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultError {
    /// There is no such fault.
    Kind {
        /// What was given.
        text: String,
    },
    /// The time is missing.
    When {
        /// What was given.
        text: String,
    },
    /// The value is not one that this fault can have.
    Value {
        /// What was given.
        text: String,
    },
    /// A number that is not understood.
    Quantity(QuantityError),
    /// It happens inside a device, and so not on a stream.
    InDevice {
        /// The fault's name.
        name: &'static str,
    },
    /// It befalls datagrams, and so not a stream.
    OfDatagrams {
        /// The fault's name.
        name: &'static str,
    },
    /// Something other than faults and a seed stands behind the question mark of a link.
    Key {
        /// What was given.
        text: String,
    },
    /// The seed is no whole number.
    Seed {
        /// What was given.
        text: String,
    },
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { text } => write!(
                f,
                "there is no fault \"{text}\": use drop, repeat, corrupt, delay, short, stall, close, \
                 reboot, burst, lose, \
                 resend, swap or stranger"
            ),
            Self::When { text } => write!(f, "\"{text}\" has no time: add @NUMBER or @PERCENT%"),
            Self::Value { text } => {
                write!(f, "\"{text}\" has a wrong value: write it like delay:50ms@3, burst:40 or drop@3")
            }
            Self::Quantity(error) => error.fmt(f),
            Self::InDevice { name } => {
                write!(f, "{name} happens inside a device: only the simulated one, sim:, can have it")
            }
            Self::OfDatagrams { name } => {
                write!(f, "{name} befalls datagrams: only a simulated bitscope-server can have it")
            }
            Self::Key { text } => {
                write!(
                    f,
                    "\"{text}\" is no setting of this link: use pacing=stepwise, faults=drop@3 and seed=1, with & between"
                )
            }
            Self::Seed { text } => write!(f, "the seed \"{text}\" must be a whole number"),
        }
    }
}

impl std::error::Error for FaultError {}

impl FromStr for When {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        if text.ends_with('%') {
            let chance = quantity::parse(text, Unit::Fraction).map_err(FaultError::Quantity)?;
            return Ok(Self::Chance(chance.clamp(0.0, 1.0)));
        }
        text.parse().map(Self::Number).map_err(|_| FaultError::When { text: text.to_owned() })
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let (what, when) = text.split_once('@').map_or((text, None), |(what, when)| (what, Some(when)));
        let (name, value) = what.split_once(':').map_or((what, None), |(name, value)| (name, Some(value)));
        let wrong_value = || FaultError::Value { text: text.to_owned() };
        let kind = match (name, value) {
            ("drop", None) => FaultKind::Drop,
            ("repeat", None) => FaultKind::Repeat,
            ("corrupt", None) => FaultKind::Corrupt,
            ("short", None) => FaultKind::Short,
            ("stall", None) => FaultKind::Stall,
            ("close", None) => FaultKind::Close,
            ("reboot", None) => FaultKind::Reboot,
            ("lose", None) => FaultKind::Lose,
            ("resend", None) => FaultKind::Resend,
            ("swap", None) => FaultKind::Swap,
            ("stranger", None) => FaultKind::ForeignDatagram,
            ("delay", Some(value)) => {
                let seconds = quantity::parse(value, Unit::Seconds).map_err(FaultError::Quantity)?;
                FaultKind::Delay(Duration::try_from_secs_f64(seconds).map_err(|_| wrong_value())?)
            }
            ("burst", Some(value)) => {
                let count = value.parse::<u32>().ok().filter(|count| u64::from(*count) <= MAX_STALE);
                FaultKind::Burst(count.ok_or_else(wrong_value)?)
            }
            (
                "drop" | "repeat" | "corrupt" | "short" | "stall" | "close" | "reboot" | "lose" | "resend"
                | "swap" | "stranger" | "delay" | "burst",
                _,
            ) => return Err(wrong_value()),
            _ => return Err(FaultError::Kind { text: name.to_owned() }),
        };
        let (direction, when) = match when {
            None if matches!(kind, FaultKind::Burst(_)) => (Direction::FromDevice, When::Number(0)),
            None => return Err(FaultError::When { text: text.to_owned() }),
            Some(_) if matches!(kind, FaultKind::Burst(_)) => return Err(wrong_value()),
            Some(when) => match when.strip_prefix('w') {
                Some(when) => (Direction::ToDevice, when.parse()?),
                None => (Direction::FromDevice, when.parse()?),
            },
        };
        if kind == FaultKind::ForeignDatagram && direction == Direction::ToDevice {
            return Err(wrong_value());
        }
        Ok(Self { kind, direction, when })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match self.kind {
            FaultKind::Delay(time) => write!(f, ":{}", quantity::format(time.as_secs_f64(), Unit::Seconds))?,
            FaultKind::Burst(count) => return write!(f, ":{count}"),
            _ => {}
        }
        let way = if self.direction == Direction::ToDevice { "w" } else { "" };
        match self.when {
            When::Number(number) => write!(f, "@{way}{number}"),
            When::Chance(chance) => write!(f, "@{way}{}", quantity::percent(chance)),
        }
    }
}

impl FromStr for FaultPlan {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let faults = text.split(';').map(str::trim).filter(|fault| !fault.is_empty()).map(str::parse);
        Ok(Self { faults: faults.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if index == 0 { "" } else { ";" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read_and_printed() {
        let all = "drop@120;repeat@w3;corrupt@0.1%;delay:50ms@w30;short@7;stall@8;close@9;reboot@10;\
                   burst:40;lose@5%;\
                   resend@w2%;swap@1;stranger@1%";
        assert_eq!(all.parse::<FaultPlan>().unwrap().to_string(), all);
        assert_eq!("".parse::<FaultPlan>(), Ok(FaultPlan::default()));
        for (text, message) in [
            ("drop", "\"drop\" has no time: add @NUMBER or @PERCENT%"),
            ("drop@x", "\"x\" has no time: add @NUMBER or @PERCENT%"),
            (
                "stranger@w1",
                "\"stranger@w1\" has a wrong value: write it like delay:50ms@3, burst:40 or drop@3",
            ),
            ("delay@3", "\"delay@3\" has a wrong value: write it like delay:50ms@3, burst:40 or drop@3"),
            (
                "burst:9999999",
                "\"burst:9999999\" has a wrong value: write it like delay:50ms@3, burst:40 or drop@3",
            ),
        ] {
            assert_eq!(text.parse::<FaultPlan>().unwrap_err().to_string(), message);
        }
        assert!(matches!("melt@3".parse::<FaultPlan>(), Err(FaultError::Kind { .. })));
    }
}
