//! Comma-separated values: a header line `time,A,B,L0`, then a row a sample time.
//!
//! Times are seconds from the start of the capture. A field is empty where its channel has no sample at that
//! time: the two channels of a chopped pair take turns. Numbers are the shortest that read back as the same.
//! A further capture follows after an empty line, with a header of its own; the format says nothing of
//! triggers, rates or causes.

use std::io::Write;

use super::rows::Rows;
use super::{TraceWriter, WriteError};
use crate::recording::{Recording, Samples};

/// The first field of every header.
pub(super) const TIME: &str = "time";

/// Writes captures one after the other.
#[derive(Default)]
pub(super) struct CsvWriter {
    /// Whether a capture was written already.
    written: bool,
}

impl TraceWriter for CsvWriter {
    fn write(&mut self, recording: &Recording, out: &mut dyn Write) -> Result<(), WriteError> {
        if std::mem::replace(&mut self.written, true) {
            writeln!(out)?;
        }
        write!(out, "{TIME}")?;
        for series in recording.channels() {
            write!(out, ",{}", series.channel)?;
        }
        writeln!(out)?;
        for row in Rows::of(recording) {
            write!(out, "{}", row.time_s())?;
            for (series, index) in recording.channels().iter().zip(row.indices()) {
                write_field(&series.samples, index, out)?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// A comma and the field of a channel, empty without a sample.
pub(crate) fn write_field(
    samples: &Samples,
    index: Option<usize>,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    match (samples, index) {
        (Samples::Volts(samples) | Samples::Fractions(samples), Some(index)) => {
            samples.get(index).map_or(Ok(()), |sample| write!(out, ",{sample}"))
        }
        (Samples::Levels(levels), Some(index)) => {
            levels.get(index).map_or(Ok(()), |level| write!(out, ",{level}"))
        }
        (_, None) => write!(out, ","),
    }
}
