//! A picture of a waveform as PNG: the [SVG](super::svg) of it, rendered.
//!
//! The font is built in, so that a picture is the same on a machine without any, such as a small board. See
//! [`draw`] for an example.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg;
use thiserror::Error;

use super::annotation::AnnotationLane;
use super::size::PictureSize;
use super::svg;
use scopething_waveform::waveform::Waveform;

/// Why a picture could not be made.
#[derive(Debug, Error)]
pub enum PngError {
    /// The renderer refused the drawing.
    #[error("the picture could not be rendered: {0}; write an .svg instead, and report this")]
    Render(String),
    /// There is no memory for the pixels.
    #[error("there is no memory for {width} x {height} pixels; ask for a smaller picture")]
    Memory {
        /// The width asked for, in pixels.
        width: u16,
        /// The height asked for, in pixels.
        height: u16,
    },
    /// The pixels could not be compressed.
    #[error("the picture could not be compressed: {0}; write an .svg instead, and report this")]
    Encode(String),
}

/// Draws a waveform and returns the bytes of a PNG file.
///
/// # Errors
/// If there is no memory for the pixels, or rendering fails.
///
/// ```
/// use scopething_files::plot::{PictureSize, png};
/// use scopething_waveform::waveform::{Channel, Details, Waveform, Samples, Series};
///
/// let series = Series::new(Channel::A, 0.0, 1e-3, Samples::Volts(vec![0.0, 3.0, 0.5]));
/// let waveform = Waveform::new(1e3, vec![series], Details::default())?;
/// let bytes = png::draw(&waveform, PictureSize::default())?;
/// assert!(bytes.starts_with(b"\x89PNG"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn draw(recording: &Waveform, size: PictureSize) -> Result<Vec<u8>, PngError> {
    draw_annotated(recording, &[], size)
}

/// As [`draw`], with lanes of annotations below the waveform.
///
/// # Errors
/// As [`draw`].
pub fn draw_annotated(
    recording: &Waveform,
    annotated: &[AnnotationLane],
    size: PictureSize,
) -> Result<Vec<u8>, PngError> {
    let mut options = usvg::Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(epaint_default_fonts::HACK_REGULAR.to_vec());
    fonts.set_monospace_family("Hack");
    let drawing = svg::draw_annotated(recording, annotated, size);
    let tree =
        usvg::Tree::from_str(&drawing, &options).map_err(|error| PngError::Render(error.to_string()))?;
    let (width, height) = (size.width(), size.height());
    let mut pixels = Pixmap::new(width.into(), height.into()).ok_or(PngError::Memory { width, height })?;
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| PngError::Encode(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::waveform::{Channel, Details, Samples, Series};

    #[test]
    fn signals_and_text_are_in_the_pixels() {
        let constant = |channel, volts| Series::new(channel, 0.0, 1e-6, Samples::Volts(vec![volts; 100]));
        let channels = vec![constant(Channel::A, 1.0), constant(Channel::B, 2.0)];
        let recording = Waveform::new(1e6, channels, Details::default()).unwrap();
        let bytes = draw(&recording, PictureSize::new(800, 400).unwrap()).unwrap();
        let pixels = Pixmap::decode_png(&bytes).unwrap();
        assert_eq!((pixels.width(), pixels.height()), (800, 400));
        let rows_with = |red, green, blue| {
            let right_half = |row: &u32| {
                let seen = (400..760).filter_map(|column| pixels.pixel(column, *row));
                seen.filter(|seen| (seen.red(), seen.green(), seen.blue()) == (red, green, blue)).count()
                    > 100
            };
            (60..360).filter(|row| right_half(row)).collect::<Vec<u32>>()
        };
        // The colours of the SVG: blue for A, vermillion for B; a level is one or two rows of pixels.
        let (a, b) = (rows_with(0x00, 0x72, 0xb2), rows_with(0xd5, 0x5e, 0x00));
        assert!(matches!(a.len(), 1..=2) && matches!(b.len(), 1..=2), "{a:?} {b:?}");
        assert!(a[0] > b[0], "1 V lies below 2 V: {a:?} {b:?}");
        let dark = |pixel: &resvg::tiny_skia::PremultipliedColorU8| pixel.red() < 0x60;
        let title = (0..30).flat_map(|row| (78..400).map(move |column| (column, row)));
        let inked = title.filter_map(|(column, row)| pixels.pixel(column, row)).filter(dark).count();
        assert!(inked > 200, "{inked} dark pixels where the title is");
    }
}
