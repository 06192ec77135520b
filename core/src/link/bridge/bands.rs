//! The bands of a job: traces whose values all lie within are not kept.

use core::fmt;
use core::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::analysis::{Band, Measure};
use crate::plan::{Channel, ChannelSet};

/// A few bands, read as a slice. With none each trace is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bands {
    count: usize,
    /// Those behind the first `count` mean nothing.
    bands: [Band; Self::MAX],
}

/// Why bands are refused.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BandsError {
    /// There are more than a bridge keeps.
    TooMany {
        /// How many.
        given: usize,
    },
    /// The channel of one is not captured.
    NotCaptured {
        /// Which channel.
        channel: Channel,
    },
    /// No value lies in one.
    Empty {
        /// Its least value.
        low: f64,
        /// Its greatest value.
        high: f64,
    },
}

impl fmt::Display for BandsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { given } => {
                write!(f, "{given} bands are too many for a bridge: give {} at the most", Bands::MAX)
            }
            Self::NotCaptured { channel } => {
                write!(f, "{channel} has a band and is not captured: capture it as well")
            }
            Self::Empty { low, high } => {
                write!(f, "the band {low} to {high} is empty: give a low that is not above the high")
            }
        }
    }
}

impl core::error::Error for BandsError {}

impl Bands {
    /// The most bands of a job.
    pub const MAX: usize = 8;
    /// No bands: each trace is kept.
    pub const NONE: Self = Self {
        count: 0,
        bands: [Band { channel: Channel::A, measure: Measure::Min, low: 0.0, high: 0.0 }; Self::MAX],
    };

    /// These bands.
    ///
    /// # Errors
    /// [`BandsError::TooMany`].
    pub fn new(bands: &[Band]) -> Result<Self, BandsError> {
        let mut made = Self { count: bands.len(), ..Self::NONE };
        let places = made.bands.get_mut(..bands.len()).ok_or(BandsError::TooMany { given: bands.len() })?;
        places.copy_from_slice(bands);
        Ok(made)
    }

    /// Checks them against the channels that the job captures.
    ///
    /// # Errors
    /// [`BandsError`].
    pub fn check(&self, captured: ChannelSet) -> Result<(), BandsError> {
        for &band in self.iter() {
            let Band { channel, low, high, .. } = band;
            if band.is_empty() {
                return Err(BandsError::Empty { low, high });
            }
            if !captured.contains(channel) {
                return Err(BandsError::NotCaptured { channel });
            }
        }
        Ok(())
    }

    /// The channels that have a band.
    #[must_use]
    pub fn channels(&self) -> ChannelSet {
        self.iter().map(|band| band.channel).collect()
    }
}

impl Deref for Bands {
    type Target = [Band];

    fn deref(&self) -> &[Band] {
        self.bands.get(..self.count).unwrap_or_default()
    }
}

impl PartialEq for Bands {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Serialize for Bands {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Bands {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bands = heapless::Vec::<Band, { Self::MAX }>::deserialize(from)?;
        Ok(Self::new(&bands).unwrap_or(Self::NONE))
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Bands {
    fn format(&self, to: defmt::Formatter<'_>) {
        (**self).format(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn band(channel: Channel, low: f64, high: f64) -> Band {
        Band { channel, measure: Measure::Frequency, low, high }
    }

    #[test]
    fn bands_that_no_trace_can_lie_in_are_refused() {
        let captured = ChannelSet::from([Channel::A, Channel::L[2]]);
        let check = |bands: &[Band]| Bands::new(bands).and_then(|bands| bands.check(captured));
        assert_eq!(check(&[]), Ok(()));
        assert_eq!(check(&[band(Channel::A, 1.0, 1.0), band(Channel::L[2], 0.0, f64::INFINITY)]), Ok(()));
        let of_b = band(Channel::B, 0.0, 1.0);
        assert_eq!(check(&[of_b]), Err(BandsError::NotCaptured { channel: Channel::B }));
        assert_eq!(check(&[band(Channel::A, 2.0, 1.0)]), Err(BandsError::Empty { low: 2.0, high: 1.0 }));
        assert!(matches!(check(&[band(Channel::A, f64::NAN, 1.0)]), Err(BandsError::Empty { .. })));
        assert_eq!(check(&[of_b; 9]), Err(BandsError::TooMany { given: 9 }));
    }

    #[test]
    fn bands_come_back_and_more_than_fit_do_not() {
        let bands = [band(Channel::A, -0.1, 3.3), band(Channel::L[7], f64::NEG_INFINITY, 1e3)];
        let mut buffer = [0; 512];
        let sent = postcard::to_slice(&Bands::new(&bands).unwrap(), &mut buffer).unwrap();
        let back: Bands = postcard::from_bytes(sent).unwrap();
        assert_eq!(*back, bands);
        assert_eq!(back.channels(), ChannelSet::from([Channel::A, Channel::L[7]]));
        let sent = postcard::to_slice(&[bands[0]; 9].as_slice(), &mut buffer).unwrap();
        assert!(postcard::from_bytes::<Bands>(sent).is_err());
    }
}
