//! Comma-separated values: notes on the capture, a header line `time,A,B,L0`, then a row a sample time.
//!
//! Each note is a line `# key: value` with one of the [facts](crate::facts) that are known of the capture: `read_csv`
//! of pandas passes over them with `comment="#"`, polars with `comment_prefix="#"`, numpy, gnuplot and R anyway.
//!
//! Times are seconds from the start of the capture. Where channels are sampled at different times, as the two of a chopped
//! pair, each row has the latest sample of every channel, so that a column is a line when it is drawn; the note
//! `channels` has when each channel was sampled. A field is empty only before the first sample of its channel. Numbers are
//! the shortest that read back as the same. A channel has the name that it had in the file it came from.
//!
//! Several captures are one table with a column `trace`, which counts them or has their numbers in a job; the notes of each
//! stand before its rows. For spreadsheets of a country that writes 1,5 there is a [variant](crate::Format::CsvSemicolons) with
//! semicolons.

use std::io::Write;
use std::path::Path;

use crate::number::push_number;
use crate::pieces::Held;
use crate::rows::{MAX_CHANNELS, Rows};
use crate::write::write_whole;
use crate::{PieceWriter, TraceWriter, WriteError, facts};
use scopething_waveform::waveform::{Outline, SampleKind, Samples, SeriesOutline, Waveform};

/// The field of the times in every header.
pub(crate) const TIME: &str = "time";
/// The last field of a stream: frames of the device that are missing since the row before.
pub(crate) const LOST: &str = "lost";
/// The field of the numbers of traces.
pub(crate) const TRACE: &str = "trace";

/// How a table is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Style {
    /// With semicolons, and commas before decimals.
    pub(super) semicolons: bool,
    /// Whether a column numbers the captures.
    pub(super) numbered: bool,
}

/// Writes captures one after the other.
#[derive(Default)]
pub(crate) struct CsvWriter {
    style: Style,
    /// How many were begun.
    written: u64,
    /// The header that the last rows stand below.
    header: String,
    /// The capture that is written.
    table: Option<Table>,
}

/// A capture that is written.
struct Table {
    number: u64,
    rows: Rows,
    kinds: Vec<SampleKind>,
    /// The latest sample of each channel.
    latest: [Option<f32>; MAX_CHANNELS],
}

impl CsvWriter {
    pub(super) fn new(style: Style) -> Self {
        Self { style, ..Self::default() }
    }

    fn comma(&self) -> u8 {
        if self.style.semicolons { b';' } else { b',' }
    }

    fn header(&self, recording: &Outline) -> String {
        let comma = char::from(self.comma());
        let trace = if self.style.numbered { format!("{TRACE}{comma}") } else { String::new() };
        let names =
            recording.channels.iter().map(|series| format!("{comma}{}", quoted(&name_of(recording, series))));
        format!("{trace}{TIME}{}\n", names.collect::<String>())
    }
}

/// The name of a channel: the one that it had, unless another channel has it.
pub(crate) fn name_of(recording: &Outline, series: &SeriesOutline) -> String {
    let channel = series.channel.to_string();
    let Some(label) = &series.label else { return channel };
    let is_taken = recording.channels.iter().any(|other| {
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

impl PieceWriter for CsvWriter {
    fn begin(&mut self, outline: &Outline, _spool: &Path, out: &mut dyn Write) -> Result<(), WriteError> {
        self.written += 1;
        let header = self.header(outline);
        let continues = self.style.numbered && header == self.header;
        if self.written > 1 && !continues {
            writeln!(out)?;
        }
        for (key, value) in facts::facts(outline) {
            writeln!(out, "# {key}: {}", value.replace(char::is_control, " "))?;
        }
        if !continues {
            out.write_all(header.as_bytes())?;
            self.header = header;
        }
        self.table = Some(Table {
            number: outline.details.stamp.map_or(self.written, |stamp| stamp.number),
            rows: Rows::of_outline(outline),
            kinds: outline.channels.iter().map(|series| series.kind).collect(),
            latest: [None; MAX_CHANNELS],
        });
        Ok(())
    }

    fn samples(&mut self, held: &mut Held, out: &mut dyn Write) -> Result<(), WriteError> {
        let (comma, Style { semicolons, numbered }) = (self.comma(), self.style);
        let Some(table) = &mut self.table else { return Ok(()) };
        let mut line = Vec::new();
        while let Some(row) = table.rows.next_of(held) {
            line.clear();
            if numbered {
                push_number(table.number as f64, &mut line);
                line.push(comma);
            }
            push_number(row.time_s(), &mut line);
            let channels = table.kinds.iter().zip(&mut table.latest).zip(row.indices());
            for (channel, ((kind, latest), index)) in channels.enumerate() {
                *latest = index.and_then(|index| held.get(channel, index)).or(*latest);
                line.push(comma);
                match (latest, kind) {
                    (None, _) => {}
                    (Some(level), SampleKind::Levels) => line.push(b'0' + *level as u8),
                    (Some(sample), SampleKind::Volts | SampleKind::Fractions) => {
                        push_number(*sample, &mut line);
                    }
                }
            }
            if semicolons {
                line.iter_mut().filter(|byte| **byte == b'.').for_each(|byte| *byte = b',');
            }
            line.push(b'\n');
            out.write_all(&line)?;
        }
        table.rows.drop_passed(held);
        Ok(())
    }

    fn end(&mut self, _out: &mut dyn Write) -> Result<(), WriteError> {
        self.table = None;
        Ok(())
    }
}

impl TraceWriter for CsvWriter {
    fn write(&mut self, recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
        write_whole(self, recording, out)
    }

    fn by_pieces(&mut self) -> Option<&mut dyn PieceWriter> {
        Some(self)
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
