//! What a device may do otherwise than documented or leaves open: each can be turned on, to see what notices it.

use std::fmt;
use std::str::FromStr;

use super::time::SimTime;

/// How long a slow reset takes.
pub(super) const SLOW_RESET: SimTime = SimTime::from_micros(800_000);

/// One thing that the device does otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// The comparators switch at twice the voltage of `TriggerLevel`, so that half of it must be written.
    HalfTriggerLevel,
    /// The end address is that of the last sample and not of the next one, but for two analog channels: what is counted
    /// back from it begins a sample early.
    EarlyWindow,
    /// The end address lies a sample further, likewise.
    LateWindow,
    /// Nothing is written at the end address.
    CleanEndAddress,
    /// `Map` registers take effect when they are written, without `U`.
    MapAtOnce,
    /// A 1 bit of `TriggerMask` is a line that matters.
    InvertedMask,
    /// `!` is answered after 0.8 s.
    SlowReset,
    /// `!` sets all registers to what they are after power-up.
    ResetClearsRegisters,
    /// `r` is echoed, and nothing follows.
    SilentEeprom,
}

impl Quirk {
    /// All of them, with their names and what they do in a few words.
    pub const ALL: [(Self, &'static str, &'static str); 9] = [
        (Self::HalfTriggerLevel, "half-trigger-level", "comparators switch at twice the level written"),
        (Self::EarlyWindow, "early-window", "the end address is that of the last sample"),
        (Self::LateWindow, "late-window", "the end address lies a sample too far"),
        (Self::CleanEndAddress, "clean-end-address", "nothing is written at the end address"),
        (Self::MapAtOnce, "map-at-once", "Map registers take effect without U"),
        (Self::InvertedMask, "inverted-mask", "a 1 bit of TriggerMask is a line that matters"),
        (Self::SlowReset, "slow-reset", "a reset takes 0.8 s"),
        (Self::ResetClearsRegisters, "reset-clears-registers", "a reset clears the registers"),
        (Self::SilentEeprom, "silent-eeprom", "the EEPROM does not answer"),
    ];
}

/// Any number of quirks. Their text is their names with commas between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks(u16);

impl Quirks {
    /// Whether the device has a quirk.
    #[must_use]
    pub const fn has(self, quirk: Quirk) -> bool {
        self.0 >> quirk as u16 & 1 != 0
    }

    /// The quirks with one more.
    #[must_use]
    pub const fn with(self, quirk: Quirk) -> Self {
        Self(self.0 | 1 << quirk as u16)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A text that names no quirk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownQuirk {
    /// The text.
    pub name: String,
}

impl fmt::Display for UnknownQuirk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no quirk {:?}: use", self.name)?;
        for (index, (_, name, _)) in Quirk::ALL.iter().enumerate() {
            write!(f, "{} {name}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownQuirk {}

impl FromStr for Quirks {
    type Err = UnknownQuirk;

    fn from_str(text: &str) -> Result<Self, UnknownQuirk> {
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).try_fold(
            Self::default(),
            |quirks, name| {
                let known = Quirk::ALL.into_iter().find(|(_, known, _)| *known == name);
                let (quirk, ..) = known.ok_or_else(|| UnknownQuirk { name: name.to_owned() })?;
                Ok(quirks.with(quirk))
            },
        )
    }
}

impl fmt::Display for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Quirk::ALL.iter().filter(|(quirk, ..)| self.has(*quirk));
        for (index, (_, name, _)) in names.enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quirks_are_distinct_and_round_trip() {
        let mut all = Quirks::default();
        for (quirk, name, _) in Quirk::ALL {
            assert!(!all.has(quirk), "{name}");
            let one: Quirks = name.parse().unwrap();
            assert!(one.has(quirk));
            assert_eq!(one.to_string(), name);
            all = all.with(quirk);
        }
        assert_eq!(all.to_string().parse(), Ok(all));
        assert!("".parse::<Quirks>().unwrap().is_empty());
    }

    #[test]
    fn unknown_quirk_lists_the_known() {
        let message = "slow-reset,quick".parse::<Quirks>().unwrap_err().to_string();
        assert!(message.starts_with("there is no quirk \"quick\": use half-trigger-level, early-window"));
    }
}
