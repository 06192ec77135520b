//! How finely analog samples are resolved.

use core::fmt;
use core::str::FromStr;

/// How finely analog samples are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Resolution {
    /// As finely as the sample rate allows: 16 bits a sample up to 1 MS/s, 8 above.
    #[default]
    Best,
    /// 8 bits a sample at any rate: half the bytes to read, twice the samples in the buffer.
    Bits8,
}

impl Resolution {
    /// Both, with their names.
    pub const ALL: [(Self, &'static str); 2] = [(Self::Best, "best"), (Self::Bits8, "8")];

    /// The most bytes that an analog sample takes.
    #[must_use]
    pub const fn max_sample_bytes(self) -> u8 {
        match self {
            Self::Best => 2,
            Self::Bits8 => 1,
        }
    }
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Best => "best",
            Self::Bits8 => "8",
        })
    }
}

/// A text that names no resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownResolution;

impl fmt::Display for UnknownResolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a resolution: give 8, or best for 16 bits where the sample rate allows them")
    }
}

impl core::error::Error for UnknownResolution {}

impl FromStr for Resolution {
    type Err = UnknownResolution;

    fn from_str(text: &str) -> Result<Self, UnknownResolution> {
        let found = Self::ALL.into_iter().find(|&(_, name)| name == text);
        found.map(|(resolution, _)| resolution).ok_or(UnknownResolution)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn resolutions_read_back() {
        for (resolution, name) in Resolution::ALL {
            assert_eq!(resolution.to_string(), name);
            assert_eq!(name.parse(), Ok(resolution));
        }
        assert_eq!("12".parse::<Resolution>(), Err(UnknownResolution));
    }
}
