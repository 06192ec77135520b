//! Tables of the vendor's recorder: a line has all samples of a channel, behind what is known of them.
//!
//! `trigger,stamp,channel,index,type,delay,factor,rate,count,data..`: lines of the same trigger and stamp are a trace. Samples
//! are what is printed times `factor`, `rate` is in hertz and `delay` in seconds.

use std::io::BufRead;

use super::layout::Cells;
use super::lines::{Line, LineReader};
use crate::readers::assign::{Candidate, assign};
use crate::readers::options::{ReadOptions, part_of};
use crate::readers::spacing;
use crate::{MAX_SAMPLES, ReadError};
use scopething_waveform::waveform::{Details, Samples, Series, Waveform};

/// What the header begins with.
const COLUMNS: &str = "trigger,stamp,channel,index,type,delay,factor,rate,count,data";

/// Whether a line is the header of such a table.
pub(super) fn is_header(line: &str) -> bool {
    line.replace([' ', '"'], "").starts_with(COLUMNS)
}

struct Row {
    begin: [String; 2],
    channel: String,
    delay_s: f64,
    rate_hz: f64,
    samples: Vec<f32>,
}

fn row(line: Line<'_>) -> Result<Row, ReadError> {
    let mut cells = Cells::by_comma(line.text);
    let mut next = || cells.next().unwrap_or_default();
    let [trigger, stamp, channel, _index, _type, delay, factor, rate, count] =
        [next(), next(), next(), next(), next(), next(), next(), next(), next()];
    let number = |cell: &str, what: &str| {
        let number = cell.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| line.fault(format!("{cell:?} is not {what}")))
    };
    let rate_hz = number(rate, "a sample rate")?;
    let count = number(count, "a number of samples")?;
    let delay_s = number(delay, "a delay in seconds")?;
    let factor = if factor.is_empty() { 1.0 } else { number(factor, "a factor")? };
    let mut samples = Vec::new();
    for cell in cells.filter(|cell| !cell.is_empty()) {
        samples.push((number(cell, "a sample")? * factor) as f32);
    }
    if samples.len() as f64 != count {
        return Err(line.fault(format!("{} samples where the line states {count}", samples.len())));
    }
    if rate_hz <= 0.0 {
        return Err(line.fault(format!("{rate:?} is not a sample rate")));
    }
    let begin = [trigger.to_owned(), stamp.to_owned()];
    Ok(Row { begin, channel: channel.to_owned(), delay_s, rate_hz, samples })
}

/// Reads the next trace: the lines of one trigger.
pub(super) fn read<R: BufRead>(
    lines: &mut LineReader<R>,
    options: &ReadOptions,
    warnings: &mut Vec<String>,
) -> Result<Option<Waveform>, ReadError> {
    let mut rows: Vec<Row> = Vec::new();
    let mut samples = 0;
    loop {
        let ahead = lines.peek(1)?;
        let Some(text) = ahead.first().map(|text| text.trim()) else { break };
        let same = |first: &Row| Cells::by_comma(text).take(2).eq(first.begin.iter().map(String::as_str));
        if !text.is_empty() && !rows.first().is_none_or(same) {
            break;
        }
        let Some(line) = lines.next()? else { break };
        if !line.text.is_empty() {
            let row = row(line)?;
            samples += row.samples.len();
            if samples > MAX_SAMPLES {
                return Err(ReadError::TooLong);
            }
            rows.push(row);
        }
    }
    rows.retain(|row| !row.samples.is_empty());
    if rows.is_empty() {
        return Ok(None);
    }
    let is_analog = |row: &Row| row.samples.iter().any(|&sample| sample != 0.0 && sample != 1.0);
    let candidates: Vec<Candidate> =
        rows.iter().map(|row| Candidate::new(row.channel.clone(), is_analog(row))).collect();
    let mut channels = Vec::new();
    for one in assign(&candidates, &options.channels, warnings)? {
        let Some(row) = rows.get_mut(one.index) else { continue };
        let samples = std::mem::take(&mut row.samples);
        let samples = if one.channel.is_analog() {
            Samples::Volts(samples)
        } else {
            Samples::Levels(samples.iter().map(|&sample| u8::from(sample > 0.5)).collect())
        };
        let series = Series::new(one.channel, row.delay_s, row.rate_hz.recip(), samples);
        channels.push(Series { label: one.label, ..series });
    }
    let rate_hz = spacing::clock_hz(&channels);
    let whole = Waveform::new(rate_hz, channels, Details::default())?;
    // The channels are chosen already.
    part_of(whole, &ReadOptions { channels: Vec::new(), ..options.clone() }).map(Some)
}
