//! Numbers with SI units, moments, captured waveforms on a computer, and measurements of them.

pub mod clipping;
#[cfg(feature = "measure")]
pub mod measure;
pub mod moment;
pub mod quantity;
pub mod quantity_text;
pub mod recording;
