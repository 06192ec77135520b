//! Comma-separated values: notes on the capture, a header line `time,A,B,L0`, then a row a sample time.
//!
//! Each note is a line `# key: value` with one of the [facts](super::facts) that are known of the capture: `read_csv`
//! of pandas passes over them with `comment="#"`, polars with `comment_prefix="#"`, numpy, gnuplot and R anyway.
//!
//! Times are seconds from the start of the capture. Where channels are sampled at different times, as the two of a chopped
//! pair, each row has the latest sample of every channel, so that a column is a line when it is drawn; the note
//! `channels` has when each channel was sampled. A field is empty only before the first sample of its channel. Numbers are
//! the shortest that read back as the same. A channel has the name that it had in the file it came from.
//!
//! Several captures are one table with a column `trace`, which counts them or has their numbers in a job; the notes of each
//! stand before its rows. For spreadsheets of a country that writes 1,5 there is a [variant](super::Variant) with
//! semicolons.

use std::io::Write;

use super::number::push_number;
use super::rows::Rows;
use super::{TraceWriter, WriteError, facts};
use scopething_waveform::waveform::{Samples, Series, Waveform};

/// The field of the times in every header.
pub(super) const TIME: &str = "time";
/// The field of the numbers of traces.
pub(super) const TRACE: &str = "trace";

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Style {
    /// With semicolons, and commas before decimals.
    pub(super) semicolons: bool,
    /// Whether a column numbers the captures.
    pub(super) numbered: bool,
}

/// Writes captures one after the other.
#[derive(Default)]
pub(super) struct CsvWriter {
    style: Style,
    /// How many were written.
    written: u64,
    /// The header that the last rows stand below.
    header: String,
}

impl CsvWriter {
    pub(super) fn new(style: Style) -> Self {
        Self { style, ..Self::default() }
    }

    fn header(&self, recording: &Waveform) -> String {
        let comma = if self.style.semicolons { ';' } else { ',' };
        let trace = if self.style.numbered { format!("{TRACE}{comma}") } else { String::new() };
        let names = recording
            .channels()
            .iter()
            .map(|series| format!("{comma}{}", quoted(&name_of(recording, series))));
        format!("{trace}{TIME}{}\n", names.collect::<String>())
    }
}

/// The name of a channel: the one that it had, unless another channel has it.
pub(super) fn name_of(recording: &Waveform, series: &Series) -> String {
    let channel = series.channel.to_string();
    let Some(label) = &series.label else { return channel };
    let is_taken = recording.channels().iter().any(|other| {
        other.channel != series.channel
            && (other.label.as_ref() == Some(label) || other.channel.to_string() == *label)
    });
    let is_name =
        !label.trim().is_empty() && !label.contains(char::is_control) && label != TIME && label != TRACE;
    if is_taken || !is_name { channel } else { label.clone() }
}

fn quoted(name: &str) -> String {
    if name.contains([',', ';', '"', '#']) {
        format!("\"{}\"", name.replace('"', "'"))
    } else {
        name.to_owned()
    }
}

impl TraceWriter for CsvWriter {
    fn write(&mut self, recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
        self.written += 1;
        let header = self.header(recording);
        let continues = self.style.numbered && header == self.header;
        if self.written > 1 && !continues {
            writeln!(out)?;
        }
        for (key, value) in facts::facts(recording) {
            writeln!(out, "# {key}: {}", value.replace(char::is_control, " "))?;
        }
        if !continues {
            out.write_all(header.as_bytes())?;
            self.header = header;
        }
        let number = recording.details().stamp.map_or(self.written, |stamp| stamp.number);
        let comma = if self.style.semicolons { b';' } else { b',' };
        let mut latest = [None; 10];
        let mut line = Vec::new();
        for row in Rows::of(recording) {
            line.clear();
            if self.style.numbered {
                push_number(number as f64, &mut line);
                line.push(comma);
            }
            push_number(row.time_s(), &mut line);
            for ((series, index), latest) in recording.channels().iter().zip(row.indices()).zip(&mut latest) {
                *latest = index.or(*latest);
                push_sample(&series.samples, *latest, comma, &mut line);
            }
            if self.style.semicolons {
                line.iter_mut().filter(|byte| **byte == b'.').for_each(|byte| *byte = b',');
            }
            line.push(b'\n');
            out.write_all(&line)?;
        }
        Ok(())
    }
}

/// Appends a comma and the field of a channel, empty without a sample.
pub fn push_field(samples: &Samples, index: Option<usize>, out: &mut Vec<u8>) {
    push_sample(samples, index, b',', out);
}

fn push_sample(samples: &Samples, index: Option<usize>, comma: u8, out: &mut Vec<u8>) {
    out.push(comma);
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
