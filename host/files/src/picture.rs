//! Pictures as files.

use std::io::Write;

use super::WriteError;
use crate::plot::{PictureSize, png, svg};
use scopething_waveform::waveform::Waveform;

pub(super) fn write_svg(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    Ok(out.write_all(svg::draw(recording, PictureSize::default()).as_bytes())?)
}

pub(super) fn write_png(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    Ok(out.write_all(&png::draw(recording, PictureSize::default())?)?)
}
