//! Reads tables of traces: what the CSV writer writes, what a job records, and what other programs and oscilloscopes
//! export.
//!
//! A table is [recognised](layout) by its first lines: its separator, its columns with their units, whether
//! rows are timed or counted. Samples must be evenly spaced on each channel, as far as [printed times](crate::readers::spacing)
//! show; changes of logic levels and the steps of a simulation are [made even](crate::readers::resample). What our own
//! writer states before the table is read back. In the tables of a job, the columns of each trace stand [before](job_table).
//! The column `lost` at the end of a stream's is passed over: a stream that lost rows is not evenly spaced, and refused
//! for that.

mod job_table;
pub(crate) mod layout;
mod lines;
pub(crate) mod pieces;
mod plain_rows;
mod recorder;
pub(crate) mod table;

pub use self::job_table::{JOB_COLUMNS, SETTINGS_NOTE};
use std::io::BufRead;

use self::job_table::{JobTable, JobTrace};
use self::layout::{Layout, PREVIEW_LINES};
use self::lines::{Line, LineReader};
use self::table::Table;
use crate::facts::Known;
use crate::readers::options::ReadOptions;
use crate::writers::csv::{TIME, TRACE};
use crate::{ReadError, Skipped, TraceReader};
use scopething_waveform::waveform::Waveform;

/// The warning for a text that ends within a row.
const CUT_OFF: &str = "its last row is cut off, and left out";

/// Reads captures from comma-separated values, or from a table with other separators.
///
/// ```
/// use scopething_files::{CsvReader, TraceReader};
/// use scopething_waveform::waveform::Channel;
///
/// let mut reader = CsvReader::new("Time (ms);CH1 (mV)\n0,0;1500\n0,5;1750\n".as_bytes());
/// let waveform = reader.read()?.ok_or("a capture is there")?;
/// assert_eq!(waveform.sample_rate_hz(), 2000.0);
/// let a = waveform.channel(Channel::A).ok_or("the first analog channel")?;
/// assert_eq!((a.title(), a.samples.get(1)), ("A (CH1)".to_owned(), Some(1.75)));
/// assert!(reader.read()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CsvReader<R> {
    lines: LineReader<R>,
    options: ReadOptions,
    /// What the next trace stands below, if it was found already.
    header: Option<Header>,
    /// Whether anything was looked at.
    begun: bool,
    warnings: Vec<String>,
}

/// What the traces that follow stand below.
enum Header {
    /// That of a job, of any number of traces.
    Job(JobTable),
    /// That of the vendor's recorder.
    Recorder,
    /// Of rows that may belong to several traces, if a column numbers them.
    Table(Box<Layout>),
}

/// What takes the rows of a table.
trait Rows {
    /// Takes the rows that a text begins with, as many as it likes of those that are nothing but numbers. Returns how many
    /// bytes and lines of it are done with.
    fn plain(&mut self, _text: &[u8]) -> (usize, u64) {
        (0, 0)
    }

    /// Takes a row.
    fn take(&mut self, row: Line<'_>) -> Result<(), ReadError>;
}

impl<F: FnMut(Line<'_>) -> Result<(), ReadError>> Rows for F {
    fn take(&mut self, row: Line<'_>) -> Result<(), ReadError> {
        self(row)
    }
}

/// Where a capture begins.
enum Begin {
    /// In the row that follows.
    Table(Box<Layout>),
    /// In a row of a job's table, which was read.
    Job(Box<JobTrace>),
    /// In the row that follows, of the vendor's recorder.
    Recorder,
}

impl<R: BufRead> CsvReader<R> {
    /// Reads from text; lines end in a line feed, with or without a carriage return.
    pub fn new(input: R) -> Self {
        Self::with_options(input, ReadOptions::default())
    }

    /// As [`new`](Self::new), for a part of the text, or one that does not state all that is needed.
    pub fn with_options(input: R, options: ReadOptions) -> Self {
        Self { lines: LineReader::new(input), options, header: None, begun: false, warnings: Vec::new() }
    }

    /// Goes to the beginning of the next capture.
    fn next_begin(&mut self) -> Result<Option<Begin>, ReadError> {
        if !std::mem::replace(&mut self.begun, true) {
            self.lines.skip(self.options.skip_lines)?;
        }
        let mut settings = None;
        loop {
            let ahead = self.lines.peek(1)?;
            let Some(line) = ahead.first().map(|line| line.trim()) else { return Ok(None) };
            if line.is_empty() {
                self.lines.skip(1)?;
                continue;
            }
            if line.starts_with(JOB_COLUMNS) {
                if let Some(line) = self.lines.next()? {
                    self.header = JobTable::begins_in(line, settings.take())?.map(Header::Job);
                }
                continue;
            }
            if line.starts_with(SETTINGS_NOTE) {
                let stated = JobTable::settings_in(line);
                if self.lines.peek(2)?.get(1).is_some_and(|next| next.starts_with(JOB_COLUMNS)) {
                    settings = stated;
                    self.lines.skip(1)?;
                    continue;
                }
            }
            if recorder::is_header(line) {
                self.lines.skip(1)?;
                self.header = Some(Header::Recorder);
                continue;
            }
            match &self.header {
                Some(Header::Job(table)) if !begins_table(line) => {
                    let row = self.lines.next()?;
                    return row.map(|row| table.begin(row).map(Box::new).map(Begin::Job)).transpose();
                }
                Some(Header::Recorder) => return Ok(Some(Begin::Recorder)),
                _ => {}
            }
            if let Some(Header::Table(mut layout)) = self.header.take() {
                // Notes of the next trace may stand between its rows and those before.
                let ahead = self.lines.peek(PREVIEW_LINES)?;
                let notes = ahead.iter().take_while(|line| line.trim_start().starts_with('#')).count();
                if ahead.get(notes).is_some_and(|line| !line.trim().is_empty() && !begins_table(line.trim()))
                {
                    layout.set_notes(ahead.get(..notes).unwrap_or_default());
                    self.lines.skip(notes as u64)?;
                    return Ok(Some(Begin::Table(layout)));
                }
            }
            return self.recognise().map(|layout| Some(Begin::Table(Box::new(layout))));
        }
    }

    /// Goes past the head of a table.
    fn recognise(&mut self) -> Result<Layout, ReadError> {
        let preview = self.lines.peek(PREVIEW_LINES)?;
        let layout = Layout::recognise(&preview, self.lines.number() + 1, &self.options)?;
        self.lines.skip(layout.head_lines as u64)?;
        Ok(layout)
    }

    /// Hands each row to `rows`, up to the end of the capture: the next header, the first row of another trace, or the end
    /// of the text.
    fn rows(&mut self, layout: &Layout, rows: &mut impl Rows) -> Result<(), ReadError> {
        let mut trace: Option<String> = None;
        let mut is_after_blank = false;
        loop {
            if layout.trace.is_none() && self.lines.pass(|text| rows.plain(text)) > 0 {
                is_after_blank = false;
            }
            let Some(row) = self.lines.next()? else { return Ok(()) };
            // A row of nothing but separators ends some tables.
            if row.text.bytes().all(|byte| byte == b',' || byte == b';') {
                is_after_blank = true;
                continue;
            }
            let first = row.text.as_bytes().first();
            let is_number = first.is_some_and(|byte| byte.is_ascii_digit() || b"+-.,; \"".contains(byte));
            let ends = !is_number && begins_table(row.text);
            if ends || (is_after_blank && !is_number) {
                let (line, is_ended) = (row.text.to_owned(), row.is_ended);
                self.lines.unread(line, is_ended);
                if layout.trace.is_some() && !is_after_blank {
                    self.header = Some(Header::Table(Box::new(layout.clone())));
                }
                return Ok(());
            }
            is_after_blank = false;
            // Our own rows all end: of a number that is cut, what is left may be one as well.
            let is_ours = || !layout.pairs.known().channels.is_empty();
            if !row.is_ended && (is_ours() || !layout.is_row(row)) {
                self.warnings.push(CUT_OFF.to_owned());
                return Ok(());
            }
            if let Some(place) = layout.trace {
                let number = layout.separator.cells(row.text).nth(place).unwrap_or_default();
                if trace.as_deref().is_some_and(|trace| trace != number) {
                    let (line, is_ended) = (row.text.to_owned(), row.is_ended);
                    self.lines.unread(line, is_ended);
                    self.header = Some(Header::Table(Box::new(layout.clone())));
                    return Ok(());
                }
                if trace.is_none() {
                    trace = Some(number.to_owned());
                }
            }
            rows.take(row)?;
        }
    }

    fn table(&mut self, layout: &Layout) -> Result<Waveform, ReadError> {
        let options = self.options.clone();
        let window = options.window();
        let known = layout.pairs.known();
        let separator = layout.separator;
        let mut table = Table::new(layout.clone());
        self.rows(layout, &mut |row: Line<'_>| table.push(row, separator.cells(row.text), window))?;
        let end = self.lines.number();
        table.waveform(known, &options, end, &mut self.warnings)
    }
}

/// Whether a line begins another table, and is no row.
fn begins_table(line: &str) -> bool {
    let is_named = |name: &str| {
        let line = line.trim_start_matches('"');
        line.strip_prefix(name).is_some_and(|rest| rest.starts_with([',', '"', ';', '\t']))
    };
    line.starts_with(JOB_COLUMNS) || line.starts_with('#') || is_named(TIME) || is_named(TRACE)
}

impl<R: BufRead + Send> TraceReader for CsvReader<R> {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        match self.next_begin()? {
            None => Ok(None),
            Some(Begin::Job(trace)) => {
                trace.finish(&mut self.lines, &self.options, &mut self.warnings).map(Some)
            }
            Some(Begin::Recorder) => recorder::read(&mut self.lines, &self.options, &mut self.warnings),
            Some(Begin::Table(layout)) => self.table(&layout).map(Some),
        }
    }

    fn skip(&mut self) -> Result<Option<Skipped>, ReadError> {
        let number = match self.next_begin()? {
            None => return Ok(None),
            Some(Begin::Job(trace)) => Some(trace.skip(&mut self.lines)?),
            Some(Begin::Recorder) => {
                if recorder::read(&mut self.lines, &ReadOptions::default(), &mut Vec::new())?.is_none() {
                    return Ok(None);
                }
                None
            }
            Some(Begin::Table(layout)) => {
                let known: Known = layout.pairs.known();
                self.rows(&layout, &mut |_: Line<'_>| Ok(()))?;
                known.details.stamp.map(|stamp| stamp.number)
            }
        };
        Ok(Some(Skipped { number }))
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

#[cfg(test)]
mod tests;
