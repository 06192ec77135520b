//! Comma-separated values: a header line `time,A,B,L0`, then a row a sample time.
//!
//! Times are seconds from the start of the capture. A field is empty where its channel has no sample at that
//! time: the two channels of a chopped pair take turns. Numbers are the shortest that read back as the same.
//! A further capture follows after an empty line, with a header of its own; the format has no place
//! for triggers, rates or end reasons.

use std::io::Write;

use super::number::push_number;
use super::rows::Rows;
use super::{TraceWriter, WriteError};
use scopething_waveform::waveform::{Samples, Waveform};

/// The first field of every header.
pub(super) const TIME: &str = "time";

/// Writes captures one after the other.
#[derive(Default)]
pub(super) struct CsvWriter {
    /// Whether a capture was written already.
    written: bool,
}

impl TraceWriter for CsvWriter {
    fn write(&mut self, recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
        if std::mem::replace(&mut self.written, true) {
            writeln!(out)?;
        }
        write!(out, "{TIME}")?;
        for series in recording.channels() {
            write!(out, ",{}", series.channel)?;
        }
        writeln!(out)?;
        let mut line = Vec::new();
        for row in Rows::of(recording) {
            line.clear();
            push_number(row.time_s(), &mut line);
            for (series, index) in recording.channels().iter().zip(row.indices()) {
                push_field(&series.samples, index, &mut line);
            }
            line.push(b'\n');
            out.write_all(&line)?;
        }
        Ok(())
    }
}

/// Appends a comma and the field of a channel, empty without a sample.
pub fn push_field(samples: &Samples, index: Option<usize>, out: &mut Vec<u8>) {
    out.push(b',');
    let Some(index) = index else { return };
    match samples {
        Samples::Volts(samples) | Samples::Fractions(samples) => {
            if let Some(&sample) = samples.get(index) {
                push_number(sample, out);
            }
        }
        Samples::Levels(levels) => out.extend(levels.get(index).map(|level| b'0' + level)),
    }
}
