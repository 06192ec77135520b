//! How large a picture is.

use thiserror::Error;

/// Width and height of a picture in pixels (PNG) or user units (SVG).
///
/// ```
/// use scopething_files::plot::PictureSize;
///
/// assert!(PictureSize::new(1600, 900).is_ok());
/// assert!(PictureSize::new(1_000_000, 900).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureSize {
    width: u16,
    height: u16,
}

/// A picture that would be too small to read or too large to hold in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a picture cannot be {width} x {height} pixels; give 320 x 240 to 8192 x 8192")]
pub struct PictureSizeError {
    /// The width asked for, in pixels.
    pub width: u32,
    /// The height asked for, in pixels.
    pub height: u32,
}

impl PictureSize {
    /// A size in pixels: 320 to 8192 wide, 240 to 8192 high.
    ///
    /// # Errors
    /// If either lies outside of that.
    pub fn new(width: u32, height: u32) -> Result<Self, PictureSizeError> {
        let within = |pixels: u32, least: u16| {
            u16::try_from(pixels).ok().filter(|pixels| (least..=8192).contains(pixels))
        };
        match (within(width, 320), within(height, 240)) {
            (Some(width), Some(height)) => Ok(Self { width, height }),
            _ => Err(PictureSizeError { width, height }),
        }
    }

    /// The width in pixels.
    #[must_use]
    pub fn width(self) -> u16 {
        self.width
    }

    /// The height in pixels.
    #[must_use]
    pub fn height(self) -> u16 {
        self.height
    }
}

impl Default for PictureSize {
    /// 1200 x 640: fits a page and a screen.
    fn default() -> Self {
        Self { width: 1200, height: 640 }
    }
}
