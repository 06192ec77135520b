//! What a growing file gets of a trace: rows of CSV, or a line of JSON.
//!
//! In CSV the first five columns are those of every kind of content: `trace` (the number), `clock`, `device` (seconds of
//! device time), `gap`, and `rows`, the number of rows of the trace, which shows when it is complete. They are in
//! the first row of a trace only. What follows depends on what is kept:
//!
//! | kept | columns |
//! | --- | --- |
//! | traces | `time,A,B,L0` |
//! | a summary | `cause,trigger_time`, then `A_min,A_max,..` of each channel |
//! | an envelope | `time`, then `A_min,A_max` of each channel |
//!
//! In JSON a trace is the object that every JSON file holds; a summary and an envelope have their values in its channels
//! instead of the samples.

use std::io;
use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::job::keep::{Extent, Keep, envelope};
use crate::job::measure::{Measure, measured};
use scopething_files::{
    Format, JOB_COLUMNS, Rows, SETTINGS_NOTE, StampObject, WriteError, push_field, push_number,
};
use scopething_waveform::waveform::{Gap, Series, Stamp, Waveform};

/// More than the number and the moment of a trace take in JSON.
const MAX_STAMP_BYTES: usize = 128;
/// A row of samples is seldom longer.
const USUAL_ROW_BYTES: usize = 32;

/// Text for a growing file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The line that the file must begin with; none in JSON.
    pub header: Option<String>,
    /// The text of the trace, in UTF-8, whose last line is complete.
    pub body: Vec<u8>,
    /// Where in it a gap before the trace would stand, if none does.
    pub(super) no_gap: Option<Range<usize>>,
}

impl Text {
    /// Notes that traces are missing before this one, if that is not noted already.
    pub(super) fn mark(&mut self, gap: Gap) {
        let Some(place) = self.no_gap.take() else { return };
        // What stands there is nothing in CSV, and null in JSON.
        let is_quoted = !place.is_empty();
        let name = if is_quoted { format!("\"{}\"", gap.name()) } else { gap.name().to_owned() };
        self.body.splice(place, name.into_bytes());
    }
}

/// Makes the text of one trace after the other.
#[derive(Debug, Default)]
pub struct TextMaker {
    times: RowTimes,
}

impl TextMaker {
    /// The text of a stamped trace in CSV or JSON.
    ///
    /// # Errors
    /// If the trace has no stamp, or no text can be made of it.
    pub fn text_of(&mut self, waveform: &Waveform, keep: &Keep, format: Format) -> Result<Text, WriteError> {
        let stamp = waveform.details().stamp;
        let stamp =
            stamp.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the trace has no number"))?;
        if format == Format::Csv {
            return Ok(csv(waveform, stamp, keep, &mut self.times));
        }
        let body = json_line(waveform, stamp, keep)?;
        let no_gap = no_gap_in_json(&body);
        Ok(Text { header: None, body, no_gap })
    }
}

/// The times of the rows of a trace as text, which are the same for the next trace of the job: to format them again takes
/// longer than all else.
#[derive(Debug, Default)]
struct RowTimes {
    /// First time, period and number of samples of each channel.
    grids: Vec<(f64, f64, usize)>,
    text: Vec<u8>,
    /// Where the text of each row ends.
    ends: Vec<usize>,
}

impl RowTimes {
    /// Goes on to the times of another trace.
    fn follow(&mut self, waveform: &Waveform) {
        let grid = |series: &Series| (series.start_s, series.period_s, series.samples.len());
        if waveform.channels().iter().map(grid).eq(self.grids.iter().copied()) {
            return;
        }
        self.grids = waveform.channels().iter().map(grid).collect();
        self.text.clear();
        self.ends.clear();
        for row in Rows::of(waveform) {
            push_number(row.time_s(), &mut self.text);
            self.ends.push(self.text.len());
        }
    }

    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, &end)| self.text.get(begin..end).unwrap_or_default())
    }
}

fn csv(waveform: &Waveform, stamp: Stamp, keep: &Keep, times: &mut RowTimes) -> Text {
    let mut table = Table::of(stamp.number);
    match keep {
        Keep::All | Keep::Outside(_) => samples(waveform, times, &mut table),
        Keep::Summary => summary(waveform, &mut table),
        Keep::Envelope { parts } => extents(waveform, *parts, &mut table),
    }
    let device =
        waveform.details().capture_start_s.map(|start_s| format!("{start_s:.9}")).unwrap_or_default();
    let gap = stamp.gap.map(Gap::name).unwrap_or_default();
    let mut body = format!("{},{},{device},", stamp.number, stamp.clock).into_bytes();
    let no_gap = stamp.gap.is_none().then_some(body.len()..body.len());
    body.extend_from_slice(format!("{gap},{}", table.count).as_bytes());
    body.append(&mut table.rows);
    let settings = waveform.details().settings.as_ref();
    let note = settings.and_then(|settings| serde_json::to_string(settings).ok());
    let note = note.map(|note| format!("{SETTINGS_NOTE}{note}\n")).unwrap_or_default();
    Text { header: Some(format!("{note}{JOB_COLUMNS},{}", table.columns)), body, no_gap }
}

/// Where the null of a gap stands: its key is among the first.
fn no_gap_in_json(line: &[u8]) -> Option<Range<usize>> {
    const KEY: &[u8] = b"\"gap\":";
    const NULL: &[u8] = b"null";
    let begin = line.windows(KEY.len()).take(MAX_STAMP_BYTES).position(|window| window == KEY)? + KEY.len();
    line.get(begin..)?.starts_with(NULL).then_some(begin..begin + NULL.len())
}

/// Rows as they follow the first five columns of a trace's first row.
struct Table {
    columns: String,
    rows: Vec<u8>,
    count: u32,
    /// What every row but the first begins with.
    begin: Vec<u8>,
}

impl Table {
    fn of(number: u64) -> Self {
        Self {
            columns: String::new(),
            rows: Vec::new(),
            count: 0,
            begin: format!("{number},,,,").into_bytes(),
        }
    }

    /// Begins a row; its fields follow, each after a comma.
    fn begin_row(&mut self) -> &mut Vec<u8> {
        if self.count > 0 {
            self.rows.extend_from_slice(&self.begin);
        }
        self.count += 1;
        &mut self.rows
    }
}

fn samples(waveform: &Waveform, times: &mut RowTimes, table: &mut Table) {
    let channels = waveform.channels();
    let names = channels.iter().map(|series| format!(",{}", series.channel));
    table.columns = format!("time{}", names.collect::<String>());
    let longest = channels.iter().map(|series| series.samples.len()).max().unwrap_or_default();
    table.rows.reserve(longest * USUAL_ROW_BYTES);
    times.follow(waveform);
    for (row, time) in Rows::of(waveform).zip(times.texts()) {
        let out = table.begin_row();
        out.push(b',');
        out.extend_from_slice(time);
        for (series, index) in channels.iter().zip(row.indices()) {
            push_field(&series.samples, index, out);
        }
        out.push(b'\n');
    }
}

fn summary(waveform: &Waveform, table: &mut Table) {
    let details = waveform.details();
    table.columns.push_str("cause,trigger_time");
    let cause = details.cause.map(|cause| cause.to_string()).unwrap_or_default();
    let out = table.begin_row();
    out.push(b',');
    out.extend_from_slice(cause.as_bytes());
    push_value(details.trigger.as_ref().map(|trigger| trigger.time_s), out);
    for series in waveform.channels() {
        let measured = measured(series);
        for measure in Measure::ALL {
            table.columns.extend([",", &series.channel.to_string(), "_", measure.name()]);
            push_value(measured.get(measure), &mut table.rows);
        }
    }
    table.rows.push(b'\n');
}

/// Appends a comma and a number, if there is one.
fn push_value(value: Option<f64>, out: &mut Vec<u8>) {
    out.push(b',');
    if let Some(value) = value {
        push_number(value, out);
    }
}

fn extents(waveform: &Waveform, parts: usize, table: &mut Table) {
    let channels = waveform.channels();
    let names = channels.iter().map(|series| format!(",{0}_min,{0}_max", series.channel));
    table.columns = format!("time{}", names.collect::<String>());
    let extents: Vec<Vec<_>> = channels.iter().map(|series| envelope(series, parts).collect()).collect();
    let longest = extents.iter().map(Vec::len).max().unwrap_or(0);
    for part in 0..longest {
        let times_s = extents.iter().filter_map(|extents| extents.get(part)).map(|extent| extent.time_s);
        let time_s = times_s.fold(f64::INFINITY, f64::min);
        let out = table.begin_row();
        push_value(Some(time_s), out);
        for extents in &extents {
            for bound in [|extent: &Extent| extent.min, |extent: &Extent| extent.max] {
                out.push(b',');
                if let Some(extent) = extents.get(part) {
                    push_number(bound(extent), out);
                }
            }
        }
        out.push(b'\n');
    }
}

fn json_line(waveform: &Waveform, stamp: Stamp, keep: &Keep) -> Result<Vec<u8>, WriteError> {
    let mut line = Vec::new();
    match keep {
        Keep::All | Keep::Outside(_) => Format::Json.writer().write(waveform, &mut line)?,
        Keep::Summary | Keep::Envelope { .. } => {
            let mut object = json!(StampObject::from(stamp));
            let details = waveform.details();
            object["device"] = json!(details.capture_start_s);
            object["cause"] = json!(details.cause.map(|cause| cause.to_string()));
            object["trigger_time"] = json!(details.trigger.as_ref().map(|trigger| trigger.time_s));
            object["sample_rate"] = json!(waveform.sample_rate_hz());
            object["interleaved_sample_rate"] = json!(waveform.sample_rate_hz());
            object["channels"] = channels_object(waveform, keep);
            serde_json::to_writer(&mut line, &object).map_err(io::Error::from)?;
            line.push(b'\n');
        }
    }
    Ok(line)
}

fn channels_object(waveform: &Waveform, keep: &Keep) -> Value {
    let channels = waveform.channels().iter().map(|series| {
        let mut values = if let Keep::Envelope { parts } = keep {
            let extents: Vec<_> = envelope(series, *parts).collect();
            json!({
                "timestamps": extents.iter().map(|extent| extent.time_s).collect::<Vec<_>>(),
                "min": extents.iter().map(|extent| extent.min).collect::<Vec<_>>(),
                "max": extents.iter().map(|extent| extent.max).collect::<Vec<_>>(),
            })
        } else {
            let measured = measured(series);
            Measure::ALL
                .iter()
                .map(|&measure| (measure.name(), json!(measured.get(measure))))
                .collect::<Value>()
        };
        values["sample_rate"] = json!(series.sample_rate_hz());
        (series.channel.to_string(), values)
    });
    Value::Object(channels.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::moment::UnixMicros;
    use scopething_waveform::waveform::{Channel, Details, EndReason, Samples, Series};

    fn waveform() -> Waveform {
        let levels = Samples::Levels(vec![0, 1, 1, 1]);
        let channels = vec![
            Series::new(Channel::A, 0.0, 2e-3, Samples::Volts(vec![0.5, -1.25])),
            Series::new(Channel::L[2], 0.0, 1e-3, levels),
        ];
        let details =
            Details { capture_start_s: Some(2.5), cause: Some(EndReason::Timeout), ..Details::default() };
        let stamp = Stamp { number: 7, clock: UnixMicros(1_500_000), gap: Some(Gap::Link) };
        Waveform::new(1e3, channels, details).unwrap().stamped(stamp)
    }

    fn csv_of(keep: &Keep) -> (String, String) {
        let text = TextMaker::default().text_of(&waveform(), keep, Format::Csv).unwrap();
        (text.header.unwrap(), String::from_utf8(text.body).unwrap())
    }

    #[test]
    fn csv_trace_layout() {
        let (header, body) = csv_of(&Keep::All);
        assert_eq!(header, "trace,clock,device,gap,rows,time,A,L2");
        let expected = "7,1970-01-01T00:00:01.500000Z,2.500000000,link,4,0,0.5,0\n\
                        7,,,,,0.001,,1\n7,,,,,0.002,-1.25,1\n7,,,,,0.003,,1\n";
        assert_eq!(body, expected);
    }

    #[test]
    fn times_are_those_of_each_trace() {
        let mut maker = TextMaker::default();
        for (period_s, expected) in [(1e-3, "0.001"), (1e-3, "0.001"), (2e-3, "0.002"), (1e-3, "0.001")] {
            let series = Series::new(Channel::A, 0.0, period_s, Samples::Volts(vec![1.0, 2.0]));
            let waveform = Waveform::new(1.0 / period_s, vec![series], Details::default()).unwrap();
            let stamp = Stamp { number: 7, clock: UnixMicros(0), gap: None };
            let text = maker.text_of(&waveform.stamped(stamp), &Keep::All, Format::Csv).unwrap();
            assert!(String::from_utf8(text.body).unwrap().ends_with(&format!("7,,,,,{expected},2\n")));
        }
    }

    #[test]
    fn summary_is_a_row() {
        let (header, body) = csv_of(&Keep::Summary);
        assert!(header.starts_with("trace,clock,device,gap,rows,cause,trigger_time,A_min,A_max,A_mean"));
        assert!(
            body.starts_with("7,1970-01-01T00:00:01.500000Z,2.500000000,link,1,timeout,,-1.25,0.5,-0.375,")
        );
        assert_eq!(body.lines().count(), 1);
        assert_eq!(body.matches(',').count(), header.matches(',').count());
    }

    #[test]
    fn envelope_is_a_row_a_part() {
        let (header, body) = csv_of(&Keep::Envelope { parts: 2 });
        assert_eq!(header, "trace,clock,device,gap,rows,time,A_min,A_max,L2_min,L2_max");
        let expected =
            "7,1970-01-01T00:00:01.500000Z,2.500000000,link,2,0,0.5,0.5,0,1\n7,,,,,0.002,-1.25,-1.25,1,1\n";
        assert_eq!(body, expected);
    }

    #[test]
    fn gap_marked_late_equals_gap_marked_at_once() {
        let text = |gap, keep: &Keep, format| {
            let stamp = Stamp { gap, ..waveform().details().stamp.unwrap() };
            TextMaker::default().text_of(&waveform().stamped(stamp), keep, format).unwrap()
        };
        for format in [Format::Csv, Format::Json] {
            for keep in [Keep::All, Keep::Summary, Keep::Envelope { parts: 2 }] {
                let mut marked = text(None, &keep, format);
                marked.mark(Gap::NoRoom);
                assert_eq!(marked, text(Some(Gap::NoRoom), &keep, format));
                marked.mark(Gap::Link);
                assert_eq!(marked, text(Some(Gap::NoRoom), &keep, format));
            }
        }
    }

    #[test]
    fn json_timestamp_of_each_kind() {
        for keep in [Keep::All, Keep::Summary, Keep::Envelope { parts: 2 }] {
            let text = TextMaker::default().text_of(&waveform(), &keep, Format::Json).unwrap();
            let line = String::from_utf8(text.body).unwrap();
            assert!(line.ends_with("}\n") && line.lines().count() == 1, "{line}");
            let object: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(object["trace"], 7, "{line}");
            assert_eq!(object["clock"], "1970-01-01T00:00:01.500000Z");
            assert_eq!(object["gap"], "link");
            assert!(object["channels"]["L2"].is_object());
        }
        let text = TextMaker::default().text_of(&waveform(), &Keep::Summary, Format::Json).unwrap();
        let object: Value = serde_json::from_slice(&text.body).unwrap();
        assert_eq!(object["channels"]["A"]["mean"], -0.375);
    }
}
