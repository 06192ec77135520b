//! Pictures as files, with what is known of the capture: as metadata in SVG, as the comment of a PNG.

use std::io::Write;

#[cfg(all(feature = "pictures", not(target_family = "wasm")))]
use crate::plot::png;
use crate::plot::{PictureSize, svg};
use crate::{WriteError, facts};
use scopething_waveform::waveform::{Outline, Waveform};

pub(super) fn write_svg(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    let drawing = svg::draw(recording, PictureSize::default());
    let end = drawing.rfind("</svg>").unwrap_or(drawing.len());
    let (drawing, end) = drawing.split_at(end);
    let comment = comment(recording).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Ok(write!(out, "{drawing}<metadata>\n{comment}</metadata>\n{end}")?)
}

#[cfg(all(feature = "pictures", not(target_family = "wasm")))]
pub(super) fn write_png(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    let picture = png::draw(recording, PictureSize::default())?;
    Ok(out.write_all(&png::with_comment(picture, &comment(recording)))?)
}

/// [What is known](facts) of the capture, a line each.
fn comment(recording: &Waveform) -> String {
    let mut comment = String::new();
    for (key, value) in facts::facts(&Outline::from(recording)) {
        comment.extend([&key, ": ", &value.replace(char::is_control, " "), "\n"]);
    }
    comment
}
