//! Rows of a table as pieces of a capture, where all columns have a sample in each row and times are evenly spaced by
//! themselves. All other tables are [read as a whole](crate::readers::csv::table).

use crate::ReadOptions;
use crate::facts::Known;
use crate::pieces::{Fed, InStep, PIECE_SAMPLES, outline_in_step};
use crate::readers::csv::layout::{Kind, Layout};
use crate::readers::csv::table::missing_warning;
use crate::readers::options::Window;
use crate::readers::spacing::EvenCheck;
use scopething_waveform::waveform::{Outline, SampleKind, Samples, SeriesOutline};

/// What was seen of a table.
pub(crate) struct TableScan {
    window: Window,
    /// The time of the first row, whether it is read or not.
    first_s: Option<f64>,
    latest_s: f64,
    times: EvenCheck,
    columns: Vec<ColumnScan>,
    kept: Option<Kept>,
}

/// The most samples of all columns that are kept while a table is gone through: 16 MiB.
const MAX_KEPT: usize = 1 << 22;

/// The samples of a short table, which need not be read again.
pub(crate) struct Kept {
    /// What the numbers of each column are multiplied with.
    scales: Vec<f64>,
    /// One after the other, of each column.
    pieces: Vec<Vec<Vec<f32>>>,
    /// The one that is being filled.
    piece: Vec<Vec<f32>>,
    room: usize,
}

impl Kept {
    fn of(layout: &Layout) -> Self {
        let scales = layout.columns.iter().map(|column| column.scale).collect();
        Self { scales, pieces: Vec::new(), piece: Vec::new(), room: MAX_KEPT }
    }

    /// Takes a row; false if there is no room for it, or nothing in it to keep.
    fn push(&mut self, values: &[Option<f64>]) -> bool {
        let Some(room) = self.room.checked_sub(values.len()).filter(|_| !values.is_empty()) else {
            return false;
        };
        self.room = room;
        if self.piece.first().is_none_or(|samples| samples.len() == PIECE_SAMPLES) {
            // Room is taken as rows come: a table may be wider than it is long.
            let next = vec![Vec::new(); values.len()];
            self.pieces.push(std::mem::replace(&mut self.piece, next));
        }
        for ((samples, value), scale) in self.piece.iter_mut().zip(values).zip(&self.scales) {
            samples.push(volts(value.unwrap_or(f64::NAN), *scale));
        }
        true
    }

    /// The capture of an outline, whose channels stand in these places.
    pub(crate) fn fed(self, outline: Outline, places: Vec<ScaledColumn>, warnings: Vec<String>) -> Fed {
        let kinds: Vec<SampleKind> = outline.channels.iter().map(|series| series.kind).collect();
        Fed::begin(outline, warnings, move |send| {
            self.send(&kinds, &places, send);
            Ok(())
        })
    }

    fn send(self, kinds: &[SampleKind], places: &[ScaledColumn], send: &mut dyn FnMut(Vec<Samples>) -> bool) {
        let pieces = self.pieces.into_iter().chain([self.piece]);
        for mut piece in pieces.filter(|piece| !piece.is_empty()) {
            let samples = kinds.iter().zip(places).map(|(kind, place)| {
                let samples = piece.get_mut(place.column).map(std::mem::take).unwrap_or_default();
                match kind {
                    SampleKind::Levels => {
                        Samples::Levels(samples.iter().map(|&one| u8::from(one != 0.0)).collect())
                    }
                    SampleKind::Volts | SampleKind::Fractions => Samples::Volts(samples),
                }
            });
            if !send(samples.collect()) {
                return;
            }
        }
    }
}

/// The volts of a number in a column.
fn volts(number: f64, scale: f64) -> f32 {
    if number.is_finite() { (number * scale) as f32 } else { f32::NAN }
}

struct ColumnScan {
    kind: Kind,
    /// Whether all numbers are 0 or 1.
    is_logic: bool,
    /// Cells that are no numbers.
    missing: usize,
}

/// Which column of a row is a channel, and what its numbers are multiplied with.
#[derive(Clone, Copy)]
pub(crate) struct ScaledColumn {
    column: usize,
    scale: f64,
}

impl TableScan {
    pub(crate) fn of(layout: &Layout, options: &ReadOptions) -> Self {
        let columns = layout.columns.iter();
        Self {
            window: options.window(),
            first_s: None,
            latest_s: f64::NEG_INFINITY,
            times: EvenCheck::new(),
            columns: columns.map(|one| ColumnScan { kind: one.kind, is_logic: true, missing: 0 }).collect(),
            kept: Some(Kept::of(layout)),
        }
    }

    /// Takes a row, with its time in seconds. False if the table must be read as a whole.
    pub(crate) fn push(&mut self, time_s: f64, values: &[Option<f64>]) -> bool {
        let first_s = *self.first_s.get_or_insert(time_s);
        if !time_s.is_finite() || time_s < self.latest_s {
            return false;
        }
        self.latest_s = time_s;
        if !self.window.beginning_at(first_s).contains(time_s) {
            return true;
        }
        self.times.push(time_s);
        if self.kept.as_mut().is_some_and(|kept| !kept.push(values)) {
            self.kept = None;
        }
        self.columns.iter_mut().zip(values).all(|(column, value)| column.push(*value))
    }

    /// The samples, unless they were too many to keep.
    pub(crate) fn take_kept(&mut self) -> Option<Kept> {
        self.kept.take()
    }

    /// What the table holds, and where its channels stand; `None` if it must be read as a whole.
    pub(crate) fn finish(
        self,
        layout: &Layout,
        known: &Known,
        options: &ReadOptions,
    ) -> Option<(Outline, Vec<ScaledColumn>, Vec<String>)> {
        if options.rate_hz.is_some() {
            return None;
        }
        let (start_s, period_s) = self.times.even()?;
        let mut warnings = Vec::new();
        let kinds: Vec<Kind> = self.columns.iter().map(ColumnScan::kind).collect();
        let mut channels = Vec::new();
        for one in layout.assign(&kinds, options, &mut warnings).ok()? {
            let is_logic = *kinds.get(one.index)? == Kind::Logic;
            let series = SeriesOutline {
                channel: one.channel,
                label: one.label.clone(),
                start_s,
                period_s,
                kind: if is_logic { SampleKind::Levels } else { SampleKind::Volts },
                count: self.times.count(),
            };
            let missing = self.columns.get(one.index)?.missing;
            if missing > 0 {
                warnings.push(missing_warning(missing, series.count, &series.title()));
            }
            channels.push((
                series,
                ScaledColumn { column: one.index, scale: layout.columns.get(one.index)?.scale },
            ));
        }
        channels.sort_by_key(|(series, _)| series.channel);
        let (channels, places): (Vec<_>, Vec<_>) = channels.into_iter().unzip();
        let times = InStep { start_s, period_s, from_first: self.first_s == Some(start_s) };
        let rate_hz = crate::readers::spacing::whole_hertz(period_s.recip());
        Some((outline_in_step(channels, times, rate_hz, known)?, places, warnings))
    }
}

impl ColumnScan {
    fn push(&mut self, value: Option<f64>) -> bool {
        // Where there is no sample now and then depends on all rows.
        let Some(value) = value else { return false };
        if !value.is_finite() {
            self.missing += 1;
        } else if value != 0.0 && value != 1.0 {
            self.is_logic = false;
        }
        // A level that is none is an error, with its line.
        self.kind != Kind::Logic || (self.is_logic && self.missing == 0)
    }

    fn kind(&self) -> Kind {
        if self.kind != Kind::Analog && self.is_logic && self.missing == 0 {
            Kind::Logic
        } else {
            Kind::Analog
        }
    }
}

/// Gathers rows to pieces.
pub(crate) struct RowPieces {
    window: Window,
    first_s: Option<f64>,
    places: Vec<ScaledColumn>,
    kinds: Vec<SampleKind>,
    piece: Vec<Samples>,
}

impl RowPieces {
    pub(crate) fn of(outline: &Outline, places: Vec<ScaledColumn>, options: &ReadOptions) -> Self {
        let kinds: Vec<SampleKind> = outline.channels.iter().map(|series| series.kind).collect();
        let piece = empty(&kinds);
        Self { window: options.window(), first_s: None, places, kinds, piece }
    }

    /// Takes a row, and hands a piece to `send` if it is full; what that returned.
    pub(crate) fn push(
        &mut self,
        time_s: f64,
        values: &[Option<f64>],
        send: &mut dyn FnMut(Vec<Samples>) -> bool,
    ) -> bool {
        let first_s = *self.first_s.get_or_insert(time_s);
        if !self.window.beginning_at(first_s).contains(time_s) {
            return true;
        }
        for (samples, place) in self.piece.iter_mut().zip(&self.places) {
            let number = values.get(place.column).copied().flatten().unwrap_or(f64::NAN);
            match samples {
                Samples::Levels(levels) => levels.push(u8::from(number > 0.5)),
                Samples::Volts(samples) | Samples::Fractions(samples) => {
                    samples.push(volts(number, place.scale));
                }
            }
        }
        let is_full = self.piece.first().is_some_and(|samples| samples.len() == PIECE_SAMPLES);
        !is_full || send(std::mem::replace(&mut self.piece, empty(&self.kinds)))
    }

    /// Hands over what is left.
    pub(crate) fn finish(self, send: &mut dyn FnMut(Vec<Samples>) -> bool) {
        if self.piece.first().is_some_and(|samples| !samples.is_empty()) {
            send(self.piece);
        }
    }
}

fn empty(kinds: &[SampleKind]) -> Vec<Samples> {
    kinds.iter().map(|kind| kind.none()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(columns: usize) -> Kept {
        Kept { scales: vec![1.0; columns], pieces: Vec::new(), piece: Vec::new(), room: MAX_KEPT }
    }

    #[test]
    fn rows_without_samples_are_not_kept() {
        assert!(!kept(0).push(&[]));
    }

    #[test]
    fn wide_table_takes_no_room_for_rows_that_do_not_come() {
        let mut wide = kept(20_000);
        let row = vec![Some(1.0); 20_000];
        assert!((0..50).all(|_| wide.push(&row)));
        let reserved: usize = wide.piece.iter().map(Vec::capacity).sum();
        assert!(reserved <= 2 * 50 * 20_000, "{reserved}");
        assert!(
            !(50..).take(MAX_KEPT / 20_000).all(|_| wide.push(&row)),
            "more is kept than there is room for"
        );
    }
}
