//! A picture of the latest samples that moves in the terminal.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Write as _};

use super::super::picture_size::{self, PictureArguments};
use scopething_files::plot::terminal;
use scopething_files::stream::{Row, StreamHeader};
use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};

/// The time that the picture spans.
const SPAN_S: f64 = 10.0;
/// Rows kept for the picture, at most.
const MAX_ROWS: usize = 20_000;
/// Rows that a picture needs.
const MIN_ROWS: usize = 2;

/// The latest rows, and what stands in the terminal of them.
pub(super) struct Rolling {
    header: StreamHeader,
    rows: VecDeque<Row>,
    room: usize,
    is_terminal: bool,
    arguments: PictureArguments,
    /// Lines of the picture that the next one replaces.
    lines: usize,
}

impl Rolling {
    pub(super) fn new(header: &StreamHeader, arguments: PictureArguments) -> Self {
        let room = ((SPAN_S * header.rate_hz()) as usize).clamp(MIN_ROWS * 50, MAX_ROWS);
        let is_terminal = io::stdout().is_terminal();
        Self { header: header.clone(), rows: VecDeque::new(), room, is_terminal, arguments, lines: 0 }
    }

    /// Whether it can be drawn again in the same place. Otherwise there is one picture, at the end.
    pub(super) fn moves(&self) -> bool {
        self.is_terminal
    }

    pub(super) fn push(&mut self, row: &Row) {
        if self.rows.len() == self.room {
            self.rows.pop_front();
        }
        self.rows.push_back(*row);
    }

    /// Draws the latest rows, and a line below them. A terminal that takes nothing is not waited for by anybody else.
    pub(super) fn draw(&mut self, line: &str) {
        let Some(waveform) = self.waveform() else { return };
        let size = self.arguments.size(&waveform, self.is_terminal, (2, 12));
        let style = picture_size::style(self.is_terminal);
        let picture = format!("{}{line}\n", terminal::draw(&waveform, size, style));
        // Up to where the last one began, and nothing of it left.
        let back = if self.lines > 0 { format!("\x1b[{}A\x1b[J", self.lines) } else { String::new() };
        self.lines = picture.lines().count();
        let mut out = io::stdout().lock();
        // Whoever closed the terminal does not want the picture.
        let _ = out.write_all(back.as_bytes()).and_then(|()| out.write_all(picture.as_bytes()));
        let _ = out.flush();
    }

    /// The rows as a trace: samples that are missing are no numbers, a level stays what it was. Of an envelope, the greatest.
    fn waveform(&self) -> Option<Waveform> {
        let (first, last) = (self.rows.front()?, self.rows.back()?);
        let count = usize::try_from(last.index - first.index + 1).ok()?;
        // After a long gap there are few rows in a long time.
        if self.rows.len() < MIN_ROWS || count > 2 * self.room {
            return None;
        }
        let columns = self.header.columns.iter().enumerate();
        let mut series: Vec<Series> = Vec::new();
        for (place, column) in columns {
            series.retain(|series| series.channel != column.channel);
            let samples = self.samples(place, column.channel, first.index, count);
            let start_s = self.header.time_s(first.index);
            series.push(Series::new(column.channel, start_s, self.header.rate_hz().recip(), samples));
        }
        let details = Details { range: self.header.range, ..Details::default() };
        Waveform::new(self.header.rate_hz(), series, details).ok()
    }

    fn samples(&self, place: usize, channel: Channel, first: u64, count: usize) -> Samples {
        let value = |row: &Row| row.values.get(place).copied().unwrap_or(f32::NAN);
        let at = |row: &Row| usize::try_from(row.index - first).unwrap_or(usize::MAX);
        if channel.is_analog() {
            let mut samples = vec![f32::NAN; count];
            for row in &self.rows {
                samples.get_mut(at(row)).into_iter().for_each(|sample| *sample = value(row));
            }
            return if self.header.raw { Samples::Fractions(samples) } else { Samples::Volts(samples) };
        }
        let mut levels = vec![0; count];
        for (row, next) in self.rows.iter().zip(self.rows.iter().skip(1).map(at).chain([count])) {
            let level = u8::from(value(row) > 0.5);
            levels.get_mut(at(row)..next).unwrap_or_default().fill(level);
        }
        Samples::Levels(levels)
    }
}
