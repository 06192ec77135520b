//! Tables that a job recorded: `trace,clock,device,gap,rows`, then `time` and the channels.
//!
//! The first row of a trace has its number, when it was captured, what may be missing before it, and how many rows it
//! has. The other rows repeat the number alone. A table that does not hold all rows of its last trace was cut.

use std::io::BufRead;

use super::TIME;
use super::layout::Layout;
use super::lines::{Line, LineReader};
use super::table::Table;
use crate::ReadError;
use crate::facts::Known;
use crate::readers::options::ReadOptions;
use scopething_waveform::waveform::{Channel, Details, Gap, Settings, Stamp, Waveform};

/// What every header begins with.
pub const JOB_COLUMNS: &str = "trace,clock,device,gap,rows";

/// What the line before a header begins with that has the [`Settings`] of the traces below as JSON.
pub const SETTINGS_NOTE: &str = "# settings: ";

/// The table that a header begins.
pub(super) struct JobTable {
    settings: Option<Box<Settings>>,
    channels: Vec<Channel>,
}

impl JobTable {
    /// The settings that a line states, if it stands before a header.
    pub(super) fn settings_in(line: &str) -> Option<Box<Settings>> {
        serde_json::from_str(line.strip_prefix(SETTINGS_NOTE)?).ok()
    }

    /// The table of traces made with these settings that a line begins, if it is such a header.
    pub(super) fn begins_in(
        line: Line<'_>,
        settings: Option<Box<Settings>>,
    ) -> Result<Option<Self>, ReadError> {
        let Some(names) = line.text.strip_prefix(JOB_COLUMNS) else { return Ok(None) };
        if !line.is_ended {
            return Err(ReadError::CutOff { line: line.number });
        }
        let mut names = names.split(',').skip(1);
        match names.next() {
            Some(TIME) if names.clone().any(|name| name.ends_with("_min")) => {
                Err(ReadError::NoSamples { held: "envelopes" })
            }
            Some(TIME) => Ok(Some(Self { settings, channels: channels(line, names)? })),
            Some("cause") => Err(ReadError::NoSamples { held: "summaries" }),
            _ => Err(line.fault(format!("the header must be as in {JOB_COLUMNS},{TIME},A,B,L0"))),
        }
    }

    /// The trace that a row begins.
    pub(super) fn begin(&self, row: Line<'_>) -> Result<JobTrace, ReadError> {
        if !row.is_ended {
            return Err(ReadError::CutOff { line: row.number });
        }
        let mut fields = row.text.split(',').map(str::trim as fn(&str) -> &str);
        let begin = Begin { settings: self.settings.clone(), ..Begin::of(row, &mut fields)? };
        let mut capture = Table::new(Layout::of_channels(&self.channels));
        capture.push(row, fields, ReadOptions::default().window())?;
        Ok(JobTrace { begin, line: row.number, capture })
    }
}

/// What the first row of a trace has of it.
struct Begin {
    stamp: Stamp,
    capture_start_s: Option<f64>,
    rows: u64,
    settings: Option<Box<Settings>>,
}

impl Begin {
    fn of<'f>(row: Line<'_>, fields: &mut impl Iterator<Item = &'f str>) -> Result<Self, ReadError> {
        let mut next = || fields.next().unwrap_or_default();
        let [number, clock, device, gap, rows] = [next(), next(), next(), next(), next()];
        let wrong = |field: &str, wanted: &str| row.fault(format!("{field:?} is not {wanted}"));
        if rows.is_empty() {
            return Err(row.fault("this row begins no trace, and the one before it has all its rows"));
        }
        let gap = match gap {
            "" => None,
            name => Some(Gap::named(name).ok_or_else(|| wrong(name, "a reason for a gap"))?),
        };
        let capture_start_s = match device {
            "" => None,
            seconds => Some(seconds.parse().map_err(|_| wrong(seconds, "a device time in seconds"))?),
        };
        let rows =
            rows.parse().ok().filter(|&rows| rows > 0).ok_or_else(|| wrong(rows, "a number of rows"))?;
        let number = number.parse().map_err(|_| wrong(number, "the number of a trace"))?;
        let clock = clock.parse().map_err(|error| row.fault(format!("{clock:?}: {error}")))?;
        Ok(Self { stamp: Stamp { number, clock, gap }, capture_start_s, rows, settings: None })
    }
}

/// A trace of which the first row was read.
pub(super) struct JobTrace {
    begin: Begin,
    /// The number of its first line.
    line: u64,
    capture: Table,
}

impl JobTrace {
    /// Reads the other rows.
    pub(super) fn finish<R: BufRead>(
        self,
        lines: &mut LineReader<R>,
        options: &ReadOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Waveform, ReadError> {
        let Self { begin, line, mut capture } = self;
        for _ in 1..begin.rows {
            let row = lines.next()?.filter(|row| row.is_ended).ok_or(ReadError::CutOff { line })?;
            capture.push(row, continued(row, begin.stamp.number)?, options.window())?;
        }
        let Begin { stamp, capture_start_s, settings, .. } = begin;
        let details = Details { capture_start_s, stamp: Some(stamp), settings, ..Details::default() };
        let known = Known { details, ..Known::default() };
        capture.waveform(known, options, lines.number(), warnings)
    }

    /// Goes past the other rows, and gives the number of the trace.
    pub(super) fn skip<R: BufRead>(self, lines: &mut LineReader<R>) -> Result<u64, ReadError> {
        let Self { begin, line, .. } = self;
        let number = begin.stamp.number;
        if let Some(between) = begin.rows.checked_sub(2) {
            let last = if lines.skip(between)? { lines.next()? } else { None };
            let last = last.filter(|row| row.is_ended).ok_or(ReadError::CutOff { line })?;
            continued(last, number).map(drop)?;
        }
        Ok(number)
    }
}

/// The fields from the time on, of a row that continues a trace.
fn continued(row: Line<'_>, number: u64) -> Result<impl Iterator<Item = &str> + Clone, ReadError> {
    let mut fields = row.text.split(',').map(str::trim as fn(&str) -> &str);
    let begins = fields.next().and_then(|field| field.parse().ok()) == Some(number)
        && fields.by_ref().take(4).all(str::is_empty);
    if begins {
        Ok(fields)
    } else {
        Err(row.fault(format!("this is not a row of trace {number}, which has more rows than were read")))
    }
}

/// The channels that a header names.
fn channels<'n>(line: Line<'_>, names: impl Iterator<Item = &'n str>) -> Result<Vec<Channel>, ReadError> {
    let channel =
        |name: &str| name.trim().parse().map_err(|error| line.fault(format!("{name:?} is {error}")));
    names.map(channel).collect()
}
