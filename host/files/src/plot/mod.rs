//! Pictures of traces, as on the screen of an oscilloscope: analog channels over one level axis, logic lines
//! as lanes below, all over one time axis with the trigger marked.
//!
//! [`Chart`] decides what is shown: axes, ticks, legend, and the path of each channel, which keeps the least
//! and the greatest sample of each column, so that no glitch is lost however many samples there are.
//! [`terminal`], [`svg`] and, with the feature `pictures`, `png` draw it, with [annotations](AnnotationLane) below it if there are any. Nothing here measures a signal, opens a window or
//! writes a file.
//!
//! ```
//! use scopething_files::plot::{PictureSize, svg, terminal};
//! use scopething_waveform::waveform::{Channel, Details, Waveform, Samples, Series};
//!
//! let ramp = (0..100_u8).map(|step| f32::from(step) / 30.0).collect();
//! let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(ramp));
//! let waveform = Waveform::new(1e6, vec![series], Details::default())?;
//!
//! let size = terminal::Size { columns: 80, rows: 20 };
//! print!("{}", terminal::draw(&waveform, size, terminal::Style::PLAIN));
//! assert!(svg::draw(&waveform, PictureSize::default()).starts_with("<svg"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod annotation;
mod axis;
mod chart;
mod path;
#[cfg(all(feature = "pictures", not(target_family = "wasm")))]
pub mod png;
mod size;
pub mod svg;
#[cfg(not(target_family = "wasm"))]
pub mod terminal;

pub use annotation::{Annotation, AnnotationLane};
pub use axis::{Axis, Tick};
pub use chart::{Chart, Mark};
pub use path::{Point, lines};
pub use size::{PictureSize, PictureSizeError};
