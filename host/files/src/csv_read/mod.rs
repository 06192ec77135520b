//! Reads what the CSV writer writes, what a job records, and what is written like it.
//!
//! The header names the columns: `time` first, then channels `A`, `B`, `L0` to `L7`; in the tables of a job, the
//! columns of each trace stand [before](job_table). The column `lost` at the end of a stream's is passed over: a stream
//! that lost rows is not evenly spaced, and refused for that. Times are seconds and must be evenly spaced on each
//! channel. What the file does not state, the sample rate, is taken from them.

mod capture;
mod job_table;
mod lines;

pub use self::job_table::JOB_COLUMNS;
use std::io::BufRead;

use self::capture::Capture;
use self::job_table::{JobTable, JobTrace};
use self::lines::{Line, Lines};
use super::csv_write::TIME;
use super::stream::LOST;
use super::{ReadError, Skipped, TraceReader};
use scopething_waveform::waveform::{Channel, Details, Waveform};

/// Reads captures from comma-separated values.
///
/// ```
/// use scopething_files::{CsvReader, TraceReader};
/// use scopething_waveform::waveform::Channel;
///
/// let mut reader = CsvReader::new("time,A,L0\n0,1.5,0\n0.001,1.75,1\n".as_bytes());
/// let waveform = reader.read()?.ok_or("a capture is there")?;
/// assert_eq!(waveform.sample_rate_hz(), 1000.0);
/// assert!(waveform.channel(Channel::L[0]).is_some());
/// assert!(reader.read()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CsvReader<R> {
    lines: Lines<R>,
    /// What the next trace stands below, if it was found already.
    header: Option<Header>,
}

/// A line that names the columns below it.
enum Header {
    /// Of a single capture.
    Capture(Columns),
    /// Of any number of traces of a job.
    Job(JobTable),
}

impl Header {
    /// The header that a line is, if it is one.
    fn begins_in(line: Line<'_>) -> Result<Option<Self>, ReadError> {
        if let Some(table) = JobTable::begins_in(line)? {
            return Ok(Some(Self::Job(table)));
        }
        let mut names = line.text.split(',');
        match names.next().map(unquoted) {
            Some(TIME) => Columns::of(line, names.collect()).map(Self::Capture).map(Some),
            _ => Ok(None),
        }
    }
}

/// The columns below the header of a capture.
struct Columns {
    channels: Vec<Channel>,
    /// Whether that of a stream's losses follows.
    has_lost: bool,
}

impl Columns {
    fn of(line: Line<'_>, mut names: Vec<&str>) -> Result<Self, ReadError> {
        let has_lost = names.pop_if(|name| unquoted(name) == LOST).is_some();
        Ok(Self { channels: channels(line, names.into_iter())?, has_lost })
    }

    /// The fields of a row, without what was lost before it.
    fn fields_of<'l>(&self, row: Line<'l>) -> impl Iterator<Item = &'l str> + use<'l> {
        let lost = self.has_lost.then(|| row.text.rsplit_once(',')).flatten();
        lost.map_or(row.text, |(fields, _)| fields).split(',').map(str::trim)
    }
}

/// Where a capture begins.
enum Begin {
    /// Below a header with these channels.
    Capture(Columns),
    /// In a row of a job's table.
    Job(JobTrace),
}

impl<R: BufRead> CsvReader<R> {
    /// Reads from text; lines end in a line feed, with or without a carriage return.
    pub fn new(input: R) -> Self {
        Self { lines: Lines::new(input), header: None }
    }

    /// Goes to the beginning of the next capture.
    fn next_begin(&mut self) -> Result<Option<Begin>, ReadError> {
        // The header of a single capture holds for that one only.
        match self.header.take() {
            Some(Header::Capture(channels)) => return Ok(Some(Begin::Capture(channels))),
            job => self.header = job,
        }
        while let Some(line) = self.lines.next_filled()? {
            match (&self.header, Header::begins_in(line)?) {
                (_, Some(Header::Capture(channels))) => {
                    self.header = None;
                    return Ok(Some(Begin::Capture(channels)));
                }
                (_, job @ Some(Header::Job(_))) => self.header = job,
                (Some(Header::Job(table)), None) => return table.begin(line).map(Begin::Job).map(Some),
                (_, None) => {
                    let found = line.text.chars().take(40).collect::<String>();
                    return Err(line.fault(format!("the header must be as in time,A,B,L0; found {found:?}")));
                }
            }
        }
        Ok(None)
    }

    /// Hands each row to `take`, up to the end of the capture: an empty line, the next header, or the end of the text.
    fn rows(&mut self, mut take: impl FnMut(Line<'_>) -> Result<(), ReadError>) -> Result<(), ReadError> {
        while let Some(row) = self.lines.next()?.filter(|row| !row.text.is_empty()) {
            self.header = Header::begins_in(row)?;
            if self.header.is_some() {
                break;
            }
            take(row)?;
        }
        Ok(())
    }
}

impl<R: BufRead + Send> TraceReader for CsvReader<R> {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        let columns = match self.next_begin()? {
            None => return Ok(None),
            Some(Begin::Job(trace)) => return trace.finish(&mut self.lines).map(Some),
            Some(Begin::Capture(columns)) => columns,
        };
        let mut capture = Capture::new(&columns.channels);
        self.rows(|row| capture.push(row, columns.fields_of(row)))?;
        capture.recording(Details::default(), self.lines.number()).map(Some)
    }

    fn skip(&mut self) -> Result<Option<Skipped>, ReadError> {
        let number = match self.next_begin()? {
            None => return Ok(None),
            Some(Begin::Job(trace)) => Some(trace.skip(&mut self.lines)?),
            Some(Begin::Capture(_)) => {
                self.rows(|_| Ok(()))?;
                None
            }
        };
        Ok(Some(Skipped { number }))
    }
}

/// The channels that a header names.
fn channels<'n>(line: Line<'_>, names: impl Iterator<Item = &'n str>) -> Result<Vec<Channel>, ReadError> {
    let channel = |name| unquoted(name).parse().map_err(|error| line.fault(format!("{name:?} is {error}")));
    names.map(channel).collect()
}

fn unquoted(name: &str) -> &str {
    name.trim().trim_matches('"')
}

#[cfg(test)]
mod tests;
