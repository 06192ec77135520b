//! Files of traces: writers and readers, one format a file of code, chosen by the file's ending or by name.
//!
//! | format | ending | holds | captures |
//! | --- | --- | --- | --- |
//! | [`Csv`](Format::Csv) | `.csv` | everything | any number |
//! | [`Json`](Format::Json) | `.json` `.jsonl` `.ndjson` | everything | any number, one a line |
//! | [`Npz`](Format::Npz) | `.npz` | everything, for numpy | one |
//! | [`Parquet`](Format::Parquet) | `.parquet` | everything, for pandas and polars | one |
//! | [`Sr`](Format::Sr) | `.sr` | everything, channels at one rate, for sigrok and `PulseView` | one |
//! | [`Vcd`](Format::Vcd) | `.vcd` | changes of levels and volts, for `GTKWave` | one |
//! | [`Wav`](Format::Wav) | `.wav` | analog channels at one rate | one |
//! | [`Svg`](Format::Svg) | `.svg` | a [picture](crate::plot) | one |
//! | [`Png`](Format::Png) | `.png` | a [picture](crate::plot) | one |
//!
//! [Streams](stream) are written as they come, in some of these formats.
//!
//! All but pictures can be read too, one capture after the other, what other programs write among them;
//! [`ReadOptions`] chooses a part and channels. What is written replaces its target
//! [at once](scopething::atomic) or not at all. Nothing here captures, measures, or prints.
//!
//! In a browser (`wasm32-unknown-unknown`) captures are only written, in the formats that need neither temporary files nor
//! much code: CSV, JSON, sr, VCD and SVG.
//!
//! ```
//! use scopething_files::{Format, TraceFile, open};
//! use scopething_waveform::waveform::{Channel, Details, Waveform, Samples, Series};
//!
//! let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(vec![0.0, 1.5, 3.3]));
//! let waveform = Waveform::new(1e6, vec![series], Details::default())?;
//!
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("trace.csv");
//! let mut file = TraceFile::create(&path, Format::of_path(&path)?)?;
//! file.write(&waveform)?;
//! file.commit()?;
//! assert!(std::fs::read_to_string(&path)?.ends_with("\ntime,A\n0,0\n0.000001,1.5\n0.000002,3.3\n"));
//! assert_eq!(open(&path, Format::Csv)?.read()?, Some(waveform));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(target_family = "wasm", allow(dead_code, unreachable_pub, reason = "a page reads no files"))]

mod archive;
#[cfg(not(target_family = "wasm"))]
pub mod decode;
mod facts;
mod format;
mod handover;
mod number;
pub mod pieces;
#[cfg(feature = "playback")]
pub mod playback;
pub mod plot;
mod read;
#[cfg(not(target_family = "wasm"))]
mod readers;
mod rows;
#[cfg(not(target_family = "wasm"))]
mod spool;
#[cfg(not(target_family = "wasm"))]
pub mod stream;
#[cfg(not(target_family = "wasm"))]
mod text;
mod write;
mod writers;

pub use format::{Format, FormatError};
pub use number::push_number;
pub use read::{MAX_SAMPLES, ReadError, Skipped, TraceReader};
#[cfg(not(target_family = "wasm"))]
pub use readers::{
    ColumnChoice, CsvReader, InvalidColumns, JOB_COLUMNS, JsonReader, NpzReader, OpenError, ParquetReader,
    ReadOptions, SETTINGS_NOTE, SrReader, VcdReader, WavReader, open, open_pieces, open_with,
};
pub use rows::Rows;
#[cfg(not(target_family = "wasm"))]
pub use spool::{Spool, spooled};
pub use write::{PieceWriter, TraceWriter, WriteError};
#[cfg(not(target_family = "wasm"))]
pub use writers::{SaveError, TraceFile};
pub use writers::{StampObject, analysed_json_writer, push_field};
