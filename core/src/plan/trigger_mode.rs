//! What becomes of a capture whose trigger does not come.

use core::fmt;
use core::str::FromStr;

/// What becomes of a capture whose trigger does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TriggerMode {
    /// It waits for the trigger.
    #[default]
    Normal,
    /// It captures without a trigger after the time span or [`Self::MIN_AUTO_WAIT_S`], whichever is longer.
    Auto,
}

impl TriggerMode {
    /// Both, with their names.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Normal, "normal"), (Self::Auto, "auto")];

    /// The shortest wait for a trigger in mode [`Auto`](Self::Auto), in seconds: short enough for a picture that looks
    /// alive, long enough for the trigger of a signal of 10 Hz.
    pub const MIN_AUTO_WAIT_S: f64 = 0.1;

    /// How long a capture over this time span waits for its trigger, in seconds. None waits for ever.
    #[must_use]
    pub const fn wait_s(self, period_s: f64) -> Option<f64> {
        match self {
            Self::Normal => None,
            Self::Auto => Some(period_s.max(Self::MIN_AUTO_WAIT_S)),
        }
    }
}

impl fmt::Display for TriggerMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Auto => "auto",
        })
    }
}

/// A text that names no trigger mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownTriggerMode;

impl fmt::Display for UnknownTriggerMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a trigger mode: give normal or auto")
    }
}

impl core::error::Error for UnknownTriggerMode {}

impl FromStr for TriggerMode {
    type Err = UnknownTriggerMode;

    fn from_str(text: &str) -> Result<Self, UnknownTriggerMode> {
        let found = Self::ALL.into_iter().find(|&(_, name)| name == text);
        found.map(|(mode, _)| mode).ok_or(UnknownTriggerMode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn trigger_modes_read_back() {
        for (mode, name) in TriggerMode::ALL {
            assert_eq!(mode.to_string(), name);
            assert_eq!(name.parse(), Ok(mode));
        }
        assert_eq!("single".parse::<TriggerMode>(), Err(UnknownTriggerMode));
    }

    #[test]
    fn auto_mode_waits_at_least_100_ms() {
        assert_eq!(TriggerMode::Auto.wait_s(1e-3), Some(0.1));
        assert_eq!(TriggerMode::Auto.wait_s(2.5), Some(2.5));
        assert_eq!(TriggerMode::Normal.wait_s(1e-3), None);
    }
}
