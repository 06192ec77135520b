//! Comma-separated values: a header line `time,A,B,L0`, then a row a sample time.
//!
//! Times are seconds from the start of the capture. A field is empty where its channel has no sample at that
//! time: the two channels of a chopped pair take turns. Numbers are the shortest that read back as the same.
//! A further capture follows after an empty line, with a header of its own; the format says nothing of
//! triggers, rates or causes.

use std::io::Write;

use super::{TraceWriter, WriteError};
use crate::recording::{Recording, Samples, Series};

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
        let mut columns: Vec<Column<'_>> = recording.channels().iter().map(Column::new).collect();
        while let Some(time) = columns.iter().filter_map(Column::time).min_by(f64::total_cmp) {
            write!(out, "{time}")?;
            for column in &mut columns {
                column.write(time, out)?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

/// A channel, and how far it is written.
struct Column<'r> {
    series: &'r Series,
    next: usize,
}

impl<'r> Column<'r> {
    fn new(series: &'r Series) -> Self {
        Self { series, next: 0 }
    }

    fn time(&self) -> Option<f64> {
        (self.next < self.series.samples.len()).then(|| self.series.timestamp(self.next))
    }

    /// The field of this channel in the row of `time`.
    fn write(&mut self, time: f64, out: &mut dyn Write) -> std::io::Result<()> {
        // Times that differ by less than this are one time, computed in two ways.
        let same = time + self.series.period_s * 1e-6;
        if self.time().is_none_or(|next| next > same) {
            return write!(out, ",");
        }
        let index = self.next;
        self.next += 1;
        match &self.series.samples {
            Samples::Volts(samples) | Samples::Fractions(samples) => {
                samples.get(index).map_or(Ok(()), |sample| write!(out, ",{sample}"))
            }
            Samples::Levels(levels) => levels.get(index).map_or(Ok(()), |level| write!(out, ",{level}")),
        }
    }
}
