//! Cuts a stream into traces that follow on one another.
//!
//! Each is as long as the job specifies, and begins at a whole multiple of that since the start of the stream. Where frames were
//! lost a trace ends early and the next one begins, so that the samples of a trace are evenly spaced.

use scopething_files::stream::{Row, StreamHeader};
use scopething_waveform::waveform::{Details, InvalidWaveform, Samples, Series, Settings, Waveform};

/// The mode of a trace that was cut from a stream.
pub(crate) const MODE: &str = "Stream";

/// Rows on their way into a trace.
#[derive(Debug)]
pub(crate) struct Blocks {
    header: StreamHeader,
    /// Rows of a trace.
    length: u64,
    /// What the traces are made with.
    settings: Settings,
    rows: Vec<Row>,
}

/// What a row completes.
#[derive(Debug)]
pub(crate) enum Cut {
    /// A trace.
    Trace(Box<Waveform>),
    /// This many frames are missing before the next trace; none if that is not known.
    Lost(Option<u64>),
}

impl Blocks {
    /// For a stream at its beginning, in traces of `length` rows, at least one.
    pub(crate) fn new(header: StreamHeader, length: u64, settings: Settings) -> Self {
        Self { header, length: length.max(1), settings, rows: Vec::new() }
    }

    /// Takes a row, and returns what it completes.
    pub(crate) fn push(&mut self, row: &Row, cuts: &mut Vec<Cut>) -> Result<(), InvalidWaveform> {
        if row.lost != Some(0) {
            cuts.extend(self.end()?.map(Box::new).map(Cut::Trace));
            cuts.push(Cut::Lost(row.lost));
        }
        self.rows.push(*row);
        if row.index % self.length == self.length - 1 {
            cuts.extend(self.end()?.map(Box::new).map(Cut::Trace));
        }
        Ok(())
    }

    /// The trace of the rows there are.
    pub(crate) fn end(&mut self) -> Result<Option<Waveform>, InvalidWaveform> {
        let rows = std::mem::take(&mut self.rows);
        let Some(first) = rows.first() else { return Ok(None) };
        let columns = self.header.columns.iter().enumerate().map(|(place, column)| {
            let values = rows.iter().filter_map(|row| row.values.get(place).copied());
            let samples = if !column.channel.is_analog() {
                Samples::Levels(values.map(|value| u8::from(value > 0.5)).collect())
            } else if self.header.raw {
                Samples::Fractions(values.collect())
            } else {
                Samples::Volts(values.collect())
            };
            Series::new(column.channel, 0.0, self.header.rate_hz().recip(), samples)
        });
        let details = Details {
            capture_start_s: Some(self.header.time_s(first.index)),
            range: self.header.range,
            mode: Some(MODE.to_owned()),
            warnings: self.header.warnings.clone(),
            settings: Some(Box::new(self.settings.clone())),
            ..Details::default()
        };
        Waveform::new(self.header.rate_hz(), columns.collect(), details).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_files::stream::{Column, MAX_COLUMNS, Part};
    use scopething_waveform::moment::UnixMicros;
    use scopething_waveform::waveform::Channel;

    #[test]
    fn traces_start_on_grid_and_after_losses() {
        let header = StreamHeader {
            columns: vec![Column { channel: Channel::A, part: Part::Sample }],
            row_ticks: 40_000,
            clock_hz: 40e6,
            thinning: 4,
            start: UnixMicros(0),
            range: None,
            raw: false,
            warnings: Vec::new(),
        };
        let mut blocks = Blocks::new(header, 10, Settings::default());
        let mut cuts = Vec::new();
        for index in (0..25).chain(28..33) {
            let mut values = [0.0; MAX_COLUMNS];
            values[0] = index as f32;
            let lost = Some(if index == 28 { 12 } else { 0 });
            blocks.push(&Row { index, lost, values }, &mut cuts).unwrap();
        }
        cuts.extend(blocks.end().unwrap().map(Box::new).map(Cut::Trace));
        let reported: Vec<(f64, usize)> = cuts
            .iter()
            .map(|cut| match cut {
                Cut::Trace(waveform) => {
                    let start_s = waveform.details().capture_start_s.unwrap();
                    assert_eq!(waveform.channels()[0].samples.get(0), Some((start_s * 1e3) as f32));
                    (start_s, waveform.sample_count())
                }
                Cut::Lost(frames) => (-1.0, frames.unwrap() as usize),
            })
            .collect();
        assert_eq!(reported, [(0.0, 10), (0.01, 10), (0.02, 5), (-1.0, 12), (0.028, 2), (0.03, 3)]);
    }
}
