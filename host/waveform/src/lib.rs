//! Numbers with SI units, moments, captured waveforms on a computer, and measurements of them.
//!
//! ```
//! use scopething_waveform::quantity::{self, Unit};
//! use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};
//!
//! let period_s = quantity::parse("2.5us", Unit::Seconds)?;
//! let samples = Series::new(Channel::A, 0.0, period_s, Samples::Volts(vec![0.0, 1.5, 3.0]));
//! let waveform = Waveform::new(period_s.recip(), vec![samples], Details::default())?;
//! assert_eq!(waveform.channels()[0].samples.extent(), Some((0.0, 3.0)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! - [`quantity`] reads numbers as users type them; [`quantity_text`] writes them.
//! - [`grid`]: the channels of a waveform at the same moments.
//! - [`waveform`]: channels of samples with their times, and how they were captured; [`moment`]: the world's clock.
//! - `measure` (with the feature of that name): levels, edges, shapes, delays, spectra.

pub mod clipping;
pub mod grid;
#[cfg(feature = "measure")]
pub mod measure;
pub mod moment;
pub mod quantity;
pub mod quantity_text;
pub mod waveform;
