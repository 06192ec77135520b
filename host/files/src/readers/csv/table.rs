//! The rows of a trace, column by column.

use super::layout::{Clock, ColumnLayout, Kind, Layout, Separator, single};
use super::lines::Line;
use crate::facts::{ChannelFact, Known};
use crate::readers::options::{ReadOptions, Window};
use crate::readers::resample;
use crate::readers::spacing::{self, Even, Irregular, Precision};
use crate::{MAX_SAMPLES, ReadError};
use scopething_waveform::waveform::{Channel, Samples, Series, Waveform};

/// What was read of a trace.
pub(crate) struct Table {
    layout: Layout,
    /// What becomes of a cell, by its place.
    uses: Vec<Use>,
    times_s: Vec<f64>,
    /// The times as they are printed are these over this scale.
    precision: Precision,
    columns: Vec<Column>,
    /// Rows that do not lie on the line after that of the row before, with their lines.
    lines: Vec<(usize, u64)>,
    last_line: u64,
    /// The time of the first row, whether it is read or not.
    first_s: Option<f64>,
    /// The time of the row before, whether it is read or not.
    latest_s: f64,
    /// Rows that were passed, whether they are read or not.
    passed: u64,
    samples: usize,
}

/// What becomes of a cell.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Time,
    Column(usize),
    PassedOver,
}

/// The samples of a column.
enum Values {
    Volts(Vec<f32>),
    Levels(Vec<u8>),
}

/// A level that is not there.
const NO_LEVEL: u8 = 2;

struct Column {
    kind: Kind,
    values: Values,
    scale: f64,
    presence: Presence,
    /// Cells that are no numbers.
    missing: usize,
}

/// Which rows have something in a column.
#[derive(Default)]
struct Presence {
    first: usize,
    last: usize,
    count: usize,
    /// From one to the next; none if they do not come regularly.
    stride: Option<usize>,
}

impl Presence {
    fn add(&mut self, row: usize) {
        let step = row - self.last;
        match self.count {
            0 => self.first = row,
            1 => self.stride = Some(step),
            _ if self.stride != Some(step) => self.stride = None,
            _ => {}
        }
        self.last = row;
        self.count += 1;
    }
}

/// Which rows a column has its samples in.
#[derive(Clone, Copy, PartialEq)]
struct RowsOf {
    first: usize,
    stride: usize,
    count: usize,
}

impl Column {
    fn new(layout: &ColumnLayout) -> Self {
        let values =
            if layout.kind == Kind::Analog { Values::Volts(Vec::new()) } else { Values::Levels(Vec::new()) };
        Self { kind: layout.kind, values, scale: layout.scale, presence: Presence::default(), missing: 0 }
    }

    fn push_blank(&mut self) {
        match &mut self.values {
            Values::Volts(volts) => volts.push(f32::NAN),
            Values::Levels(levels) => levels.push(NO_LEVEL),
        }
    }

    /// Takes a cell that is not empty.
    fn push(&mut self, cell: &str, row: usize, separator: Separator) -> Result<(), String> {
        match (&mut self.values, cell) {
            (Values::Levels(levels), "0" | "1") => {
                levels.push(u8::from(cell == "1"));
                self.presence.add(row);
                return Ok(());
            }
            (Values::Volts(volts), _) if self.scale == 1.0 => {
                // A number is rounded once.
                if let Some(volt) = single(cell) {
                    volts.push(volt);
                    self.presence.add(row);
                    return Ok(());
                }
            }
            _ => {}
        }
        let number = separator.number(cell).ok_or_else(|| format!("{cell:?} is not a number"))?;
        self.push_number(number, row)
    }

    fn push_number(&mut self, number: f64, row: usize) -> Result<(), String> {
        self.presence.add(row);
        if let Values::Levels(levels) = &mut self.values {
            if number == 0.0 || number == 1.0 {
                levels.push(u8::from(number > 0.5));
                return Ok(());
            }
            if !number.is_finite() {
                self.missing += 1;
                levels.push(NO_LEVEL);
                return Ok(());
            }
            if self.kind == Kind::Logic {
                return Err(format!("{number} is not a level; use 0 or 1"));
            }
            let scale = self.scale as f32;
            let volt = |&level: &u8| if level == NO_LEVEL { f32::NAN } else { f32::from(level) * scale };
            self.values = Values::Volts(levels.iter().map(volt).collect());
            self.kind = Kind::Analog;
        }
        if let Values::Volts(volts) = &mut self.values {
            self.missing += usize::from(!number.is_finite());
            volts.push(if number.is_finite() { (number * self.scale) as f32 } else { f32::NAN });
        }
        Ok(())
    }

    fn len(&self) -> usize {
        match &self.values {
            Values::Volts(volts) => volts.len(),
            Values::Levels(levels) => levels.len(),
        }
    }

    /// The rows that its samples stand in. Rows that are blank now and then are samples that are missing; where only
    /// each second or third row has one, as where channels take turns, the others are none.
    fn rows(&mut self) -> RowsOf {
        let len = self.len();
        match self.presence {
            Presence { count: 1, first, .. } => RowsOf { first, stride: 1, count: 1 },
            Presence { stride: Some(stride), first, count, .. } => RowsOf { first, stride, count },
            Presence { count, .. } => {
                self.missing += len - count;
                RowsOf { first: 0, stride: 1, count: len }
            }
        }
    }

    /// Takes some of the samples out.
    fn take(&mut self, rows: impl Iterator<Item = usize>) -> Samples {
        match &self.values {
            Values::Volts(volts) => Samples::Volts(rows.filter_map(|row| volts.get(row).copied()).collect()),
            Values::Levels(levels) => {
                // A level that is not there is the one before it.
                let mut last = levels.iter().copied().find(|&level| level != NO_LEVEL).unwrap_or(0);
                let mut hold = |level: u8| {
                    last = if level == NO_LEVEL { last } else { level };
                    last
                };
                Samples::Levels(rows.filter_map(|row| levels.get(row).copied()).map(&mut hold).collect())
            }
        }
    }
}

impl Table {
    /// One without rows.
    pub(crate) fn new(layout: Layout) -> Self {
        let width = layout.columns.iter().map(|column| column.place + 1).max().unwrap_or(0).max(layout.width);
        let mut uses = vec![Use::PassedOver; width];
        let mut put = |place: usize, what: Use| {
            if place >= uses.len() {
                uses.resize(place + 1, Use::PassedOver);
            }
            if let Some(used) = uses.get_mut(place) {
                *used = what;
            }
        };
        for (index, column) in layout.columns.iter().enumerate() {
            put(column.place, Use::Column(index));
        }
        if let Clock::Column { place, .. } = layout.clock {
            put(place, Use::Time);
        }
        let columns = layout.columns.iter().map(Column::new).collect();
        Self {
            layout,
            uses,
            times_s: Vec::new(),
            precision: Precision::default(),
            columns,
            lines: Vec::new(),
            last_line: 0,
            first_s: None,
            latest_s: f64::NEG_INFINITY,
            passed: 0,
            samples: 0,
        }
    }

    /// Takes the cells of a row, if it lies in the part that is read.
    pub(crate) fn push<'c>(
        &mut self,
        line: Line<'_>,
        cells: impl Iterator<Item = &'c str> + Clone,
        window: Window,
    ) -> Result<(), ReadError> {
        if !self.is_read(line, cells.clone(), window)? {
            return Ok(());
        }
        if self.last_line + 1 != line.number {
            self.lines.push((self.times_s.len(), line.number));
        }
        self.last_line = line.number;
        self.times_s.push(self.latest_s);
        let row = self.times_s.len() - 1;
        let mut seen = 0;
        for (place, cell) in cells.enumerate() {
            match self.uses.get(place) {
                Some(Use::Column(index)) => {
                    let Some(column) = self.columns.get_mut(*index) else { continue };
                    seen += 1;
                    if cell.is_empty() {
                        column.push_blank();
                    } else {
                        column.push(cell, row, self.layout.separator).map_err(|reason| {
                            let name =
                                self.layout.columns.get(*index).map_or("", |column| column.name.as_str());
                            line.fault(format!("{reason}, in column {name}"))
                        })?;
                        self.samples += 1;
                    }
                }
                Some(_) => {}
                None if cell.is_empty() => {}
                None => return Err(line.fault("there are more fields than in the header")),
            }
        }
        if seen < self.columns.len() {
            return Err(line.fault("there are fewer fields than in the header"));
        }
        if self.samples > MAX_SAMPLES { Err(ReadError::TooLong) } else { Ok(()) }
    }

    /// Takes a row of numbers, if it lies in the part that is read: its time in seconds, and what the columns have.
    pub(crate) fn push_numbers(
        &mut self,
        time_s: f64,
        values: impl Iterator<Item = Option<f64>>,
        window: Window,
    ) -> Result<(), ReadError> {
        self.passed += 1;
        let line = Line { number: self.passed, text: "", is_ended: true };
        if !time_s.is_finite() || time_s < self.latest_s {
            return Err(line.fault(format!(
                "time {time_s} does not follow on that of the row before; sort the rows by time"
            )));
        }
        self.latest_s = time_s;
        self.precision = Precision::BINARY;
        if !window.beginning_at(*self.first_s.get_or_insert(time_s)).contains(time_s) {
            return Ok(());
        }
        if self.last_line + 1 != line.number {
            self.lines.push((self.times_s.len(), line.number));
        }
        self.last_line = line.number;
        let row = self.times_s.len();
        self.times_s.push(time_s);
        for (column, value) in self.columns.iter_mut().zip(values) {
            match value {
                None => column.push_blank(),
                Some(value) => {
                    column.push_number(value, row).map_err(|reason| line.fault(reason))?;
                    self.samples += 1;
                }
            }
        }
        if self.samples.max(self.times_s.len()) > MAX_SAMPLES { Err(ReadError::TooLong) } else { Ok(()) }
    }

    /// Goes on to the time of a row; whether the row lies in the part that is read.
    fn is_read<'c>(
        &mut self,
        line: Line<'_>,
        cells: impl Iterator<Item = &'c str>,
        window: Window,
    ) -> Result<bool, ReadError> {
        let time_s = self.layout.time_of(line, cells, self.passed, &mut self.precision)?;
        self.passed += 1;
        if time_s < self.latest_s {
            return Err(line
                .fault(format!("time {time_s} s is before that of the row before; sort the rows by time")));
        }
        self.latest_s = time_s;
        Ok(window.beginning_at(*self.first_s.get_or_insert(self.latest_s)).contains(self.latest_s))
    }

    /// The line of a row.
    fn line(&self, row: usize) -> u64 {
        let at = self.lines.partition_point(|(first, _)| *first <= row);
        let (first, line) = at.checked_sub(1).and_then(|at| self.lines.get(at)).copied().unwrap_or_default();
        line + (row - first) as u64
    }

    /// The waveform of all rows; `end` is the number of the line where they end.
    pub(crate) fn waveform(
        mut self,
        known: Known,
        options: &ReadOptions,
        end: u64,
        warnings: &mut Vec<String>,
    ) -> Result<Waveform, ReadError> {
        if self.times_s.is_empty() && self.passed > 0 {
            let from_s = options.from_s.unwrap_or(self.latest_s);
            let start_s = self.first_s.unwrap_or(0.0);
            return Err(ReadError::NothingThere { from_s, start_s, end_s: self.latest_s });
        }
        let present: Vec<bool> = self.columns.iter().map(|column| column.presence.count > 0).collect();
        let mut keep = present.iter().copied();
        self.columns.retain(|_| keep.next().unwrap_or(false));
        let mut keep = present.iter().copied();
        self.layout.columns.retain(|_| keep.next().unwrap_or(false));
        let kinds: Vec<Kind> = self
            .columns
            .iter()
            .map(|column| if matches!(column.values, Values::Levels(_)) { Kind::Logic } else { Kind::Analog })
            .collect();
        let assigned = self.layout.assign(&kinds, options, warnings)?;
        // A single sample has the rate that is stated.
        let has_rate =
            !assigned.is_empty() && assigned.iter().all(|one| known.channel(one.channel).is_some());
        if self.times_s.len() < 2 && !has_rate {
            let reason =
                "the capture ends before a second sample, so that there is no sample rate".to_owned();
            return Err(ReadError::Line { line: end, reason });
        }
        let mut channels = Vec::new();
        let mut cache = None;
        let mut is_resampled = false;
        for one in &assigned {
            let Some(mut column) = self.columns.get_mut(one.index).map(std::mem::take) else { continue };
            let fact = known.channel(one.channel);
            let stated = fact.and_then(|fact| self.by_fact(&mut column, one.channel, fact));
            let series = if let Some(series) = stated {
                series
            } else {
                let series = self.series(&mut column, one.channel, options, &mut cache, warnings)?;
                is_resampled |=
                    matches!(cache, Some((_, Err(Irregular::Gap { .. } | Irregular::Uneven { .. }))));
                series
            };
            if column.missing > 0 {
                let series = Series { label: one.label.clone(), ..series.clone() };
                warnings.push(missing_warning(column.missing, series.samples.len(), &series.title()));
            }
            channels.push(Series { label: one.label.clone(), ..series });
        }
        let counts = channels.iter().map(|series| (series.channel, series.samples.len()));
        warnings.extend(known.cut_off(options.read_all(), counts));
        let rate_hz = known.sample_rate_hz.unwrap_or_else(|| spacing::clock_hz(&channels));
        let waveform = known.waveform(rate_hz, channels)?;
        // Samples that were made even have the rate already, and the times of the file.
        if is_resampled { Ok(waveform) } else { options.at_rate(waveform) }
    }

    /// The samples of a channel that is known to have been sampled at other times than there are rows: rows between
    /// repeat it.
    fn by_fact(&self, column: &mut Column, channel: Channel, fact: &ChannelFact) -> Option<Series> {
        let (first_s, last_s) = (*self.times_s.first()?, *self.times_s.last()?);
        let rounding_s = fact.period * 1e-3;
        let begin = ((first_s - fact.start - rounding_s) / fact.period).ceil().max(0.0) as usize;
        let end = ((last_s - fact.start + rounding_s) / fact.period).floor() as usize;
        let last = end.min(fact.samples.checked_sub(1)?);
        let mut rows = Vec::with_capacity((last + 1).checked_sub(begin)?.min(self.times_s.len()));
        let mut row = 0;
        for sample in begin..=last {
            let time_s = fact.start + sample as f64 * fact.period;
            while *self.times_s.get(row)? < time_s - rounding_s {
                row += 1;
            }
            if *self.times_s.get(row)? > time_s + rounding_s {
                return None;
            }
            rows.push(row);
        }
        let start_s = if begin == 0 { fact.start } else { *self.times_s.get(*rows.first()?)? };
        Some(Series::new(channel, start_s, fact.period, column.take(rows.into_iter())))
    }

    /// The samples of a channel at the times of its rows.
    fn series(
        &self,
        column: &mut Column,
        channel: Channel,
        options: &ReadOptions,
        cache: &mut Option<(RowsOf, Result<Even, Irregular>)>,
        warnings: &mut Vec<String>,
    ) -> Result<Series, ReadError> {
        let rows = column.rows();
        let RowsOf { first, stride, count } = rows;
        let row = |index: usize| first + index * stride;
        let time_s = |index: usize| self.times_s.get(row(index)).copied().unwrap_or(f64::NAN);
        let scale = match self.layout.clock {
            Clock::Column { scale, .. } => scale,
            Clock::Even { .. } => 1.0,
        };
        let is_new = cache.as_ref().is_none_or(|(judged, _)| *judged != rows);
        if is_new {
            *cache = Some((rows, spacing::judge(count, time_s, self.precision, scale)));
        }
        let judged = cache.as_ref().map_or(Err(Irregular::TooFew), |(_, judged)| *judged);
        match judged {
            Ok(even) => {
                let Even { start_s, period_s, .. } = even;
                if is_new
                    && options.rate_hz.is_none()
                    && let Some(coarse_s) = even.coarse_s
                {
                    warnings.push(format!(
                        "times are printed in steps of {}, coarser than the samples: the sample rate, {}, is what \
                         all of them together support; --rate gives another",
                        resample::seconds(coarse_s),
                        resample::rate(period_s),
                    ));
                }
                Ok(Series::new(channel, start_s, period_s, column.take((0..count).map(row))))
            }
            // A channel of a single sample takes the period of another.
            Err(Irregular::TooFew) => {
                let all = |index: usize| self.times_s.get(index).copied().unwrap_or(f64::NAN);
                let even = spacing::judge(self.times_s.len(), all, self.precision, scale);
                let period_s =
                    even.map_or(self.times_s.get(1).unwrap_or(&1.0) - all(0), |even| even.period_s);
                Ok(Series::new(channel, time_s(0), period_s, column.take((0..count).map(row))))
            }
            Err(Irregular::Gap { index, usual_s })
                if matches!(column.values, Values::Volts(_))
                    || options.rate_hz.is_none() && self.stated_period_s().is_none() =>
            {
                let (before_s, after_s) = (time_s(index - 1), time_s(index));
                let reason = if after_s == before_s {
                    repeated_time(after_s)
                } else {
                    format!(
                        "the samples of {channel} are not evenly spaced: after {before_s} s comes {after_s} s, and \
                         the samples before are {} apart; cut the file at the gap, or read a part with --from and --for",
                        resample::seconds(usual_s)
                    )
                };
                Err(ReadError::Line { line: self.line(row(index)), reason })
            }
            Err(irregular) => {
                let (series, left_out) = self.resampled(column, channel, rows, irregular, options)?;
                if is_new {
                    warnings.push(resample::warning(irregular, &series.samples, series.period_s, left_out));
                }
                Ok(series)
            }
        }
    }

    /// The samples of a channel whose times are not evenly spaced, as evenly spaced ones; and how many were left out, as
    /// their times are printed like those of others.
    fn resampled(
        &self,
        column: &mut Column,
        channel: Channel,
        rows: RowsOf,
        irregular: Irregular,
        options: &ReadOptions,
    ) -> Result<(Series, usize), ReadError> {
        let row = |index: usize| rows.first + index * rows.stride;
        let time_s = |index: usize| self.times_s.get(row(index)).copied().unwrap_or(f64::NAN);
        let fault = |index: usize, reason: String| ReadError::Line { line: self.line(row(index)), reason };
        let repeated = (1..rows.count).find(|&index| time_s(index) <= time_s(index - 1));
        if let Some(index) = repeated
            && !matches!(irregular, Irregular::Uneven { is_as_printed: true, .. })
        {
            return Err(fault(index, repeated_time(time_s(index))));
        }
        let kept = resample::distinct(rows.count, time_s, matches!(column.values, Values::Levels(_)));
        let times_s: Vec<f64> = kept.iter().map(|&index| time_s(index)).collect();
        let period_s = options.rate_hz.map(f64::recip).or_else(|| self.stated_period_s());
        let samples = column.take(kept.iter().map(|&index| row(index)));
        let (period_s, samples) = resample::spread(&times_s, &samples, period_s).ok_or_else(|| {
            let reason =
                "times are not evenly spaced, and no sample rate suits them; give one with --rate".to_owned();
            fault(0, reason)
        })?;
        Ok((Series::new(channel, time_s(0), period_s, samples), rows.count - kept.len()))
    }

    fn stated_period_s(&self) -> Option<f64> {
        self.layout.pairs.period_s()
    }
}

/// The reason for which two rows of the same time are refused.
fn repeated_time(time_s: f64) -> String {
    format!("time {time_s} s is not after the one before: two rows have it, to all digits that are printed")
}

/// The warning for samples of a channel that are no numbers.
pub(crate) fn missing_warning(missing: usize, of: usize, title: &str) -> String {
    format!("{missing} of {of} samples of {title} are not numbers: they are left out of measurements")
}

impl Default for Column {
    fn default() -> Self {
        Self {
            kind: Kind::Either,
            values: Values::Levels(Vec::new()),
            scale: 1.0,
            presence: Presence::default(),
            missing: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadOptions;
    use scopething_waveform::waveform::Channel;

    #[test]
    fn too_many_samples_are_refused() {
        let window = ReadOptions::default().window();
        let almost_full = || {
            let mut table = Table::new(Layout::of_channels(&[Channel::A]));
            table.samples = MAX_SAMPLES - 1;
            table
        };
        let mut of_text = almost_full();
        let mut push = |number| {
            let line = Line { number, text: "", is_ended: true };
            let time = number.to_string();
            of_text.push(line, [time.as_str(), "1.5"].into_iter(), window)
        };
        assert!(push(2).is_ok());
        assert!(matches!(push(3), Err(ReadError::TooLong)));
        let mut of_numbers = almost_full();
        let mut push = |time_s| of_numbers.push_numbers(time_s, [Some(1.5)].into_iter(), window);
        assert!(push(0.0).is_ok());
        assert!(matches!(push(1.0), Err(ReadError::TooLong)));
    }
}
