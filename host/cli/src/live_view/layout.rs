//! Where things are on the screen, in characters.

use ratatui::layout::Rect;

use super::keys::Action;
use super::knobs::Side;

/// Columns left of the traces, for names.
pub(super) const MARGIN: u16 = 2;
/// The fewest rows that traces have.
const MIN_PLOT_ROWS: u16 = 4;
/// The part of their rows that a spectrum takes.
const SPECTRUM_PART: f64 = 0.45;
/// Lanes of lines take no more than this part of what they share with analog channels.
const MAX_LANES_PART: f64 = 0.45;
/// From so many rows on the position of the trigger has a row of its own.
const RULER_FROM_ROWS: u16 = 16;
/// The smallest terminal that anything is drawn in.
pub(super) const MIN_COLUMNS: u16 = 30;
pub(super) const MIN_ROWS: u16 = 9;
/// Dots of a braille character from top to bottom.
const DOTS: f64 = 4.0;

/// What a part of the line of knobs is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segment {
    Run,
    Channel(Side),
    Time,
    Trigger,
    Lines,
    Bits,
    Generator,
    /// How traces are looked at.
    Look(Action),
}

/// How much of everything there is.
#[derive(Debug, Clone, Default)]
pub(super) struct Needs {
    pub(super) knob_rows: u16,
    pub(super) reading_rows: u16,
    pub(super) analog: bool,
    /// Whether a spectrum is to be drawn.
    pub(super) spectrum: bool,
    /// The lines that are captured.
    pub(super) lines: Vec<u8>,
    /// How many rows decoders found something for.
    pub(super) decoded: usize,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Layout {
    pub(super) area: Rect,
    pub(super) status: Rect,
    pub(super) knobs: Rect,
    /// The row of the trigger's position; none: it is in the first row of the plot.
    pub(super) ruler: Option<u16>,
    /// The analog channels.
    pub(super) plot: Rect,
    /// The spectrum below them; no rows where there is no room.
    pub(super) spectrum: Rect,
    /// Each line with its rows.
    pub(super) lanes: Vec<(u8, Rect)>,
    /// The rows of what was decoded.
    pub(super) decoded: Vec<Rect>,
    /// Lines for which there is no room.
    pub(super) hidden: usize,
    pub(super) readings: Rect,
    pub(super) figures: Rect,
    pub(super) bottom: Rect,
    pub(super) segments: Vec<(Rect, Segment)>,
}

impl Layout {
    /// None where the terminal is too small.
    pub(super) fn new(area: Rect, needs: &Needs) -> Option<Self> {
        if area.width < MIN_COLUMNS || area.height < MIN_ROWS {
            return None;
        }
        let mut top = area.y;
        let mut take = |rows: u16| {
            let taken = Rect { x: area.x, y: top, width: area.width, height: rows };
            top += rows;
            taken
        };
        let status = take(1);
        let knobs = take(needs.knob_rows);
        let ruler = (area.height >= RULER_FROM_ROWS).then(|| take(1).y);
        let used = status.height + knobs.height + u16::from(ruler.is_some());
        // Figures and the line below them.
        let left = area.height.saturating_sub(used + 2);
        let reading_rows = needs.reading_rows.min(left.saturating_sub(2 * MIN_PLOT_ROWS));
        let shared = left.saturating_sub(reading_rows);
        let decoded_rows = u16::try_from(needs.decoded).unwrap_or(u16::MAX).min(shared / 3);
        let shared = shared - decoded_rows;
        let count = u16::try_from(needs.lines.len()).unwrap_or(u16::MAX);
        let (plot_rows, lane_height) = if needs.analog {
            let most = (f64::from(shared) * MAX_LANES_PART) as u16;
            (shared - count.min(most), 1)
        } else {
            (0, (shared / count.max(1)).clamp(1, 3))
        };
        let inner = |rect: Rect| Rect { x: area.x + MARGIN, width: area.width - MARGIN - 1, ..rect };
        let spectrum_rows = (f64::from(plot_rows) * SPECTRUM_PART) as u16;
        let has_spectrum =
            needs.spectrum && spectrum_rows >= MIN_PLOT_ROWS && plot_rows - spectrum_rows >= MIN_PLOT_ROWS;
        let spectrum_rows = if has_spectrum { spectrum_rows } else { 0 };
        let plot = inner(take(plot_rows - spectrum_rows));
        let spectrum = inner(take(spectrum_rows));
        let shown = usize::from((shared - plot_rows) / lane_height).min(needs.lines.len());
        let lanes: Vec<(u8, Rect)> =
            needs.lines.iter().take(shown).map(|line| (*line, inner(take(lane_height)))).collect();
        let decoded: Vec<Rect> = (0..decoded_rows).map(|_| inner(take(1))).collect();
        let below = area.bottom() - 2 - reading_rows;
        let row = |y: u16, height: u16| Rect { y, height, ..status };
        Some(Self {
            area,
            status,
            knobs,
            ruler,
            plot,
            spectrum,
            hidden: needs.lines.len() - lanes.len(),
            lanes,
            decoded,
            readings: row(below, reading_rows),
            figures: row(area.bottom() - 2, 1),
            bottom: row(area.bottom() - 1, 1),
            segments: Vec::new(),
        })
    }

    /// The column of a part of the screen, from 0 at the left to 1 at the right.
    pub(super) fn column(&self, x: f64) -> u16 {
        let last = f64::from(self.plot.width.saturating_sub(1));
        self.plot.x + (x.clamp(0.0, 1.0) * f64::from(self.plot.width)).min(last) as u16
    }

    /// The row of a part of the analog channels, from 0 at the bottom to 1 at the top.
    pub(super) fn row(&self, y: f64) -> u16 {
        // As the canvas rounds to its dots.
        let last = (f64::from(self.plot.height) * DOTS - 1.0).max(0.0);
        self.plot.y + (((1.0 - y.clamp(0.0, 1.0)) * last).round() / DOTS) as u16
    }

    /// The part of the screen at the middle of a column.
    pub(super) fn x(&self, column: u16) -> f64 {
        (f64::from(column) + 0.5 - f64::from(self.plot.x)) / f64::from(self.plot.width.max(1))
    }

    /// The part of the analog channels at the middle of a row.
    pub(super) fn y(&self, row: u16) -> f64 {
        1.0 - (f64::from(row) + 0.5 - f64::from(self.plot.y)) / f64::from(self.plot.height.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(layout: &Layout) -> Vec<(u16, u16)> {
        let Layout {
            status, knobs, plot, spectrum, lanes, decoded, readings, figures, bottom, ruler, ..
        } = layout;
        let ruler = ruler.map(|row| Rect { y: row, height: 1, ..*status });
        let all = [*status, *knobs].into_iter().chain(ruler).chain([*plot, *spectrum]);
        let all = all.chain(lanes.iter().map(|(_, lane)| *lane)).chain(decoded.iter().copied());
        let all = all.chain([*readings, *figures, *bottom]);
        all.filter(|rect| rect.height > 0).map(|rect| (rect.y, rect.height)).collect()
    }

    #[test]
    fn nothing_overlaps_in_terminals_of_any_size() {
        for width in 0..130 {
            for height in 0..60 {
                for (lines, decoded) in [(0, 0), (1, 2), (8, 0), (8, 30)] {
                    for (analog, spectrum) in [(false, false), (false, true), (true, false), (true, true)] {
                        let lines = (0..lines).collect();
                        let needs = Needs { knob_rows: 2, reading_rows: 3, analog, spectrum, lines, decoded };
                        let Some(layout) = Layout::new(Rect::new(0, 0, width, height), &needs) else {
                            assert!(width < MIN_COLUMNS || height < MIN_ROWS, "{width}x{height}");
                            continue;
                        };
                        let rows = rows(&layout);
                        assert!(
                            rows.windows(2).all(|pair| pair[0].0 + pair[0].1 <= pair[1].0),
                            "{width}x{height} {rows:?}"
                        );
                        assert!(rows.last().is_some_and(|(row, count)| row + count == height));
                        assert!(!analog || layout.plot.height >= 2, "{width}x{height} {rows:?}");
                        assert!(layout.plot.right() < width);
                    }
                }
            }
        }
    }

    #[test]
    fn places_are_read_back() {
        let needs = Needs { knob_rows: 1, analog: true, ..Needs::default() };
        let layout = Layout::new(Rect::new(0, 0, 80, 24), &needs).unwrap();
        for column in layout.plot.x..layout.plot.right() {
            assert_eq!(layout.column(layout.x(column)), column);
        }
        for row in layout.plot.y..layout.plot.bottom() {
            assert_eq!(layout.row(layout.y(row)), row);
        }
        assert_eq!((layout.row(1.0), layout.row(0.0)), (layout.plot.y, layout.plot.bottom() - 1));
    }
}
