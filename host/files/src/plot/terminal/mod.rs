//! A plot of a waveform as text, for a terminal or a log.
//!
//! Analog channels are drawn in braille cells of 2 x 4 dots, or in plain ASCII where the terminal cannot show
//! those; logic lines get a row or more each. It does not know whether anything is a terminal: the caller
//! passes that to [`Style::detect`]. See the [module above](super) for an example.

mod canvas;
mod screen;
mod style;

use screen::Screen;

pub use canvas::Canvas;
pub use screen::{Ink, joined};
pub use style::{Colour, Glyphs, Shade, Style};

use super::annotation::AnnotationLane;
use super::chart::{Chart, legend};
use scopething_waveform::waveform::{Channel, Series, Waveform};

/// How much room there is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line; taken as 40 to 1000.
    pub columns: u16,
    /// Lines; taken as 500 at most, and as many more as it takes to show every channel.
    pub rows: u16,
}

/// Where things stand on the screen, in characters.
struct Layout {
    width: usize,
    /// Columns left of the axis.
    margin: usize,
    /// First row and number of rows of the analog part; no rows without analog channels.
    analog_rows: (usize, usize),
    /// First row of the lanes, and rows a lane.
    lane_rows: (usize, usize),
    /// The first row of annotations.
    annotation_row: usize,
    /// The row of the time axis.
    axis_row: usize,
}

const MIN_ANALOG_ROWS: usize = 6;
/// Title and legend above; time axis and its labels below.
const ROWS_AROUND: usize = 4;
const CHARACTERS_A_TIME_TICK: usize = 10;
/// Characters of the title of a lane of annotations.
const MAX_TITLE: usize = 12;

/// Draws a waveform as lines of text, each ending in a line feed.
#[must_use]
pub fn draw(recording: &Waveform, size: Size, style: Style) -> String {
    draw_annotated(recording, &[], size, style)
}

/// As [`draw`], with a row of annotations for each lane below the waveform.
#[must_use]
pub fn draw_annotated(
    recording: &Waveform,
    annotated: &[AnnotationLane],
    size: Size,
    style: Style,
) -> String {
    let width = usize::from(size.columns.clamp(40, 1000));
    let rows = usize::from(size.rows.min(500));
    let analog_rows =
        rows.saturating_sub(ROWS_AROUND + recording.logic().count() + annotated.len()).max(MIN_ANALOG_ROWS);
    let chart = Chart::new(recording, width / CHARACTERS_A_TIME_TICK, (analog_rows / 2).clamp(3, 11));
    let layout = Layout::new(&chart, annotated, width, rows, analog_rows);
    let mut screen = Screen::new(width, layout.axis_row + 2);
    screen.put(0, 0, &chart.title, Ink::Text);
    draw_legend(&mut screen, &chart, recording.is_raw());
    draw_axes(&mut screen, &chart, &layout);
    draw_mark(&mut screen, &chart, &layout);
    draw_analog(&mut screen, &chart, &layout, style.glyphs);
    draw_lanes(&mut screen, &chart, &layout, style.glyphs);
    draw_annotations(&mut screen, &chart, &layout, annotated);
    screen.text(style)
}

impl Layout {
    fn new(
        chart: &Chart<'_>,
        annotated: &[AnnotationLane],
        width: usize,
        rows: usize,
        analog_rows: usize,
    ) -> Self {
        let lanes = chart.logic.len();
        let ticks = chart.level.iter().flat_map(|level| &level.ticks);
        let widest = ticks.map(|tick| tick.label.len()).max().unwrap_or(0);
        // Names of logic lines are two characters.
        let titles =
            annotated.iter().map(|lane| lane.title.chars().count().min(MAX_TITLE)).max().unwrap_or(0);
        let margin = widest.max(2).max(titles) + 1;
        let (analog_rows, lane_height) = if chart.level.is_none() {
            (0, (rows.saturating_sub(ROWS_AROUND + annotated.len()) / lanes.max(1)).clamp(1, 3))
        } else {
            (analog_rows, 1)
        };
        let first_lane = 2 + analog_rows;
        Self {
            width,
            margin,
            analog_rows: (2, analog_rows),
            lane_rows: (first_lane, lane_height),
            annotation_row: first_lane + lanes * lane_height,
            axis_row: first_lane + lanes * lane_height + annotated.len(),
        }
    }

    /// The first column of the plot, and how many columns it has.
    fn plot_columns(&self) -> (usize, usize) {
        // The last column is the trigger level's mark.
        (self.margin + 1, self.width.saturating_sub(self.margin + 2))
    }

    fn column(&self, x: f64) -> usize {
        let (first, count) = self.plot_columns();
        first + ((x * count as f64) as usize).min(count - 1)
    }

    fn row(&self, y: f64) -> usize {
        // As the canvas rounds to its dots.
        const DOTS_A_ROW: usize = 4;
        let (first, count) = self.analog_rows;
        let last_dot = (count * DOTS_A_ROW).saturating_sub(1);
        first + ((1.0 - y.clamp(0.0, 1.0)) * last_dot as f64).round() as usize / DOTS_A_ROW
    }
}

fn ink(series: &Series) -> Ink {
    match series.channel {
        Channel::A => Ink::A,
        Channel::B => Ink::B,
        Channel::Logic(_) => Ink::Logic,
    }
}

fn draw_legend(screen: &mut Screen, chart: &Chart<'_>, raw: bool) {
    let mut column = 0;
    if let Some(level) = &chart.level {
        let unit = if level.unit.is_empty() { "range" } else { &level.unit };
        screen.put(0, 1, unit, Ink::Frame);
        column = unit.len() + 2;
    }
    for series in &chart.analog {
        column = screen.put(column, 1, "── ", ink(series));
        column = screen.put(column, 1, &legend(series, raw), Ink::Text) + 3;
    }
}

fn draw_axes(screen: &mut Screen, chart: &Chart<'_>, layout: &Layout) {
    let (first, count) = layout.plot_columns();
    for row in layout.analog_rows.0..layout.axis_row {
        screen.put(layout.margin, row, "│", Ink::Frame);
    }
    screen.put(layout.margin, layout.axis_row, "└", Ink::Frame);
    screen.put(first, layout.axis_row, &"─".repeat(count), Ink::Frame);
    let tick_columns: Vec<usize> =
        chart.time.ticks.iter().map(|tick| layout.column(chart.time.fraction(tick.value))).collect();
    if let Some(level) = &chart.level {
        for tick in &level.ticks {
            let row = layout.row(level.fraction(tick.value));
            screen.put(layout.margin - 1 - tick.label.len(), row, &tick.label, Ink::Text);
            screen.put(layout.margin, row, "┤", Ink::Frame);
            // A dot beside the line of a time tick would blur it.
            let beside = |column: &usize| tick_columns.iter().any(|tick| tick.abs_diff(*column) == 1);
            for column in (first + 1..first + count).step_by(2).filter(|column| !beside(column)) {
                screen.put(column, row, "·", Ink::Grid);
            }
        }
    }
    draw_time_ticks(screen, chart, layout);
}

fn draw_time_ticks(screen: &mut Screen, chart: &Chart<'_>, layout: &Layout) {
    let unit_column = layout.width - chart.time.unit.chars().count();
    for tick in &chart.time.ticks {
        let column = layout.column(chart.time.fraction(tick.value));
        for row in layout.analog_rows.0..layout.axis_row {
            screen.put(column, row, "·", Ink::Grid);
        }
        screen.put(column, layout.axis_row, "┴", Ink::Frame);
        let begin = column.saturating_sub(tick.label.len() / 2);
        if begin + tick.label.len() < unit_column {
            screen.put(begin, layout.axis_row + 1, &tick.label, Ink::Text);
        }
    }
    screen.put(unit_column, layout.axis_row + 1, &chart.time.unit, Ink::Text);
}

fn draw_mark(screen: &mut Screen, chart: &Chart<'_>, layout: &Layout) {
    let Some(mark) = &chart.mark else { return };
    let column = layout.column(mark.x);
    for row in layout.analog_rows.0..layout.axis_row {
        screen.put(column, row, "┊", Ink::Trigger);
    }
    screen.put(column, layout.axis_row, "▲", Ink::Trigger);
    if let Some(y) = mark.y {
        screen.put(layout.width - 1, layout.row(y), "◄", Ink::Trigger);
    }
}

fn draw_analog(screen: &mut Screen, chart: &Chart<'_>, layout: &Layout, glyphs: Glyphs) {
    let (first, columns) = layout.plot_columns();
    for series in chart.analog.iter().rev() {
        let mut canvas = Canvas::new(columns, layout.analog_rows.1, glyphs);
        let (width, height) = canvas.dots();
        for line in chart.lines(series, width) {
            canvas.join(&line, |y| (1.0 - y) * (height - 1) as f64);
        }
        canvas.paint(screen, first, layout.analog_rows.0, ink(series));
    }
}

fn draw_lanes(screen: &mut Screen, chart: &Chart<'_>, layout: &Layout, glyphs: Glyphs) {
    let (first, columns) = layout.plot_columns();
    let (first_lane, height) = layout.lane_rows;
    for (lane, series) in chart.logic.iter().enumerate() {
        let row = first_lane + lane * height;
        let name = series.channel.to_string();
        screen.put(layout.margin - 1 - name.len(), row + height / 2, &name, ink(series));
        let mut canvas = Canvas::new(columns, height, glyphs);
        let (width, dots) = canvas.dots();
        // A free dot below keeps a lane apart from the next one; ASCII has none to spare in a single row.
        let low = if dots > 2 { dots - 2 } else { dots - 1 };
        for line in chart.lines(series, width) {
            canvas.join(&line, |y| if y > 0.5 { 0.0 } else { low as f64 });
        }
        canvas.paint(screen, first, row, ink(series));
    }
}

/// Each annotation between two bars, as far as there is room for a text.
fn draw_annotations(screen: &mut Screen, chart: &Chart<'_>, layout: &Layout, annotated: &[AnnotationLane]) {
    for (lane, row) in annotated.iter().zip(layout.annotation_row..) {
        let title: String = lane.title.chars().take(MAX_TITLE).collect();
        screen.put(layout.margin - 1 - title.chars().count(), row, &title, Ink::Text);
        for annotation in &lane.annotations {
            if annotation.end_s < chart.time.low || annotation.start_s > chart.time.high {
                continue;
            }
            let column = |time_s: f64| layout.column(chart.time.fraction(time_s).clamp(0.0, 1.0));
            let (begin, end) = (column(annotation.start_s), column(annotation.end_s));
            screen.put(begin, row, "│", Ink::Frame);
            screen.put(end, row, "│", Ink::Frame);
            screen.put(begin + 1, row, &annotation.text(end.saturating_sub(begin + 1)), Ink::Text);
        }
    }
}

#[cfg(test)]
mod tests;
