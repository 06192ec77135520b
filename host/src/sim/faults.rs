//! Faults of a link and a device, by number or by chance, repeatable by seed.
//!
//! A plan is a text of faults with `;` between, each `KIND[:VALUE][@WHEN]`. `WHEN` is the number of a byte
//! (counted from 0) or a chance a byte such as `0.1%`; bytes come from the device, or go to it where a `w`
//! (written) leads.
//!
//! | kind | what happens |
//! | --- | --- |
//! | `drop@37` | the byte is lost |
//! | `repeat@37` | it comes twice |
//! | `corrupt@37` | some of its bits are turned over |
//! | `delay:50ms@37` | it and all that follows comes later |
//! | `short@37` | it and all that follows is lost, until the host writes again |
//! | `stall@37` | from there on nothing passes, either way |
//! | `close@37` | the link closes |
//! | `reboot@37` | the device starts anew, and what was on its way is lost |
//! | `burst:40` | that many stale bytes arrive on connecting |
//! | `lose@5%` | a datagram is lost |
//! | `resend@5%` | a datagram is sent twice |
//! | `swap@5%` | a datagram is overtaken by the next |
//! | `stranger@5%` | a datagram is followed by one from elsewhere |
//!
//! ```
//! use scopething::sim::FaultPlan;
//!
//! let plan: FaultPlan = "drop@120;corrupt@0.1%;delay:50ms@w30".parse()?;
//! assert_eq!(plan.to_string(), "drop@120;corrupt@0.1%;delay:50ms@w30");
//! # Ok::<(), scopething::sim::FaultError>(())
//! ```

use std::fmt;
use std::str::FromStr;

use super::random;
use super::time::SimTime;
use crate::quantity::{self, QuantityError, Unit};

/// Stale bytes on connecting, at the most.
const MOST_STALE: u64 = 100_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A byte is lost.
    Drop,
    /// A byte comes twice.
    Repeat,
    /// Bits of a byte are turned over.
    Corrupt,
    /// A byte, and all that follows, comes later.
    Delay(SimTime),
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
    Stranger,
}

impl FaultKind {
    fn name(self) -> &'static str {
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
            Self::Stranger => "stranger",
        }
    }

    /// Whether it befalls datagrams, and not bytes.
    #[must_use]
    pub fn of_datagrams(self) -> bool {
        matches!(self, Self::Lose | Self::Resend | Self::Swap | Self::Stranger)
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
    /// It is not said when.
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
            Self::When { text } => write!(f, "\"{text}\" does not say when: add @NUMBER or @PERCENT%"),
            Self::Value { text } => {
                write!(f, "\"{text}\" has a wrong value: write it like delay:50ms@3, burst:40 or drop@3")
            }
            Self::Quantity(error) => error.fmt(f),
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
            ("stranger", None) => FaultKind::Stranger,
            ("delay", Some(value)) => {
                let seconds = quantity::parse(value, Unit::Seconds).map_err(FaultError::Quantity)?;
                FaultKind::Delay(SimTime::from_seconds(seconds))
            }
            ("burst", Some(value)) => {
                let count = value.parse::<u32>().ok().filter(|count| u64::from(*count) <= MOST_STALE);
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
        if kind == FaultKind::Stranger && direction == Direction::ToDevice {
            return Err(wrong_value());
        }
        Ok(Self { kind, direction, when })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match self.kind {
            FaultKind::Delay(time) => write!(f, ":{}", quantity::format(time.seconds(), Unit::Seconds))?,
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

/// Decides, byte by byte or datagram by datagram, what goes wrong.
#[derive(Debug, Clone)]
pub(crate) struct Injector {
    faults: Vec<Fault>,
    seed: u64,
    passed: [u64; 2],
}

impl Injector {
    /// An injector of the plan's faults of bytes, or of datagrams.
    pub(crate) fn new(plan: &FaultPlan, seed: u64, of_datagrams: bool) -> Self {
        let mut faults = plan.faults.clone();
        faults.retain(|fault| fault.kind.of_datagrams() == of_datagrams);
        Self { faults, seed: random::mix(seed, 77 + u64::from(of_datagrams)), passed: [0; 2] }
    }

    /// What befalls the next byte or datagram in a direction.
    pub(crate) fn next(&mut self, direction: Direction) -> Option<FaultKind> {
        if self.faults.is_empty() {
            return None;
        }
        let passed = &mut self.passed[usize::from(direction == Direction::ToDevice)];
        let number = *passed;
        *passed += 1;
        let place = 2 * number + u64::from(direction == Direction::ToDevice);
        self.faults
            .iter()
            .enumerate()
            .find(|(index, fault)| {
                let befalls = match fault.when {
                    When::Number(wanted) => wanted == number,
                    When::Chance(chance) => {
                        random::uniform(self.seed ^ (*index as u64) << 40, place) < chance
                    }
                };
                fault.direction == direction && befalls && !matches!(fault.kind, FaultKind::Burst(_))
            })
            .map(|(_, fault)| fault.kind)
    }

    /// The stale bytes that arrive on connecting.
    pub(super) fn burst(&self) -> impl Iterator<Item = u8> + '_ {
        let count = self.faults.iter().find_map(|fault| match fault.kind {
            FaultKind::Burst(count) => Some(count),
            _ => None,
        });
        (0..u64::from(count.unwrap_or(0))).map(|place| random::mix(self.seed ^ 0xb0, place) as u8)
    }

    /// The byte with some of its bits turned over.
    pub(crate) fn corrupted(&self, byte: u8) -> u8 {
        let [read, written] = self.passed;
        byte ^ (random::mix(self.seed, read << 32 ^ written) as u8).max(1)
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
            ("drop", "\"drop\" does not say when: add @NUMBER or @PERCENT%"),
            ("drop@x", "\"x\" does not say when: add @NUMBER or @PERCENT%"),
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

    #[test]
    fn faults_befall_their_byte_or_their_share() {
        let plan: FaultPlan = "drop@2;corrupt@w10%".parse().unwrap();
        let mut injector = Injector::new(&plan, 1, false);
        let from: Vec<_> = (0..4).map(|_| injector.next(Direction::FromDevice)).collect();
        assert_eq!(from, [None, None, Some(FaultKind::Drop), None]);
        let hits = (0..10_000).filter(|_| injector.next(Direction::ToDevice).is_some()).count();
        // Four deviations of a share of 10 % in 10000.
        assert!(hits.abs_diff(1000) < 120, "{hits}");
        assert!((0..=255).all(|byte| injector.corrupted(byte) != byte));
        let mut datagrams = Injector::new(&plan, 1, true);
        assert!((0..100).all(|_| datagrams.next(Direction::ToDevice).is_none()));
    }
}
