//! The traces as dots within characters.

use ratatui::style::{Modifier, Style};
use scopething_files::plot::terminal::{Canvas, Glyphs, Ink};
use scopething_files::plot::{Point, lines};
use scopething_serve::client::FrameChannel;

use super::knobs::{Side, height_of};
use super::layout::Layout;
use super::model::{Lamp, Model};
use super::painter::Painter;
use super::persistence::Scale;
use super::picture::{Line, Picture, Source};

/// How far beyond the screen a line is drawn to, in heights of it: enough for its slope.
const MAX_OVERSHOOT: f64 = 2.0;

/// Columns of dots of the traces, for which the server thins them out.
pub(super) fn dot_columns(layout: &Layout, glyphs: Glyphs) -> u32 {
    let width = u32::from(layout.plot.width.max(1));
    if glyphs == Glyphs::Braille { 2 * width } else { width }
}

pub(super) fn draw(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let glyphs = painter.look.glyphs;
    let place = (layout.plot.x, layout.plot.y);
    for reference in model.analysis.references.iter().filter(|_| !model.analysis.xy) {
        for line in reference.picture.lines.iter().rev() {
            paint(painter, &line_canvas(model, layout, line, glyphs), place, Ink::Frame);
        }
    }
    if !model.shows_kept() {
        let dim = |style: Style| style.add_modifier(Modifier::DIM);
        for (ink, canvas) in model.analysis.past.shown(&Scale::of(model, layout.plot)) {
            paint_with(painter, &canvas, place, ink, dim);
        }
    }
    let Some(picture) = model.shown() else { return };
    for (ink, canvas) in canvases(model, layout, picture, glyphs) {
        paint(painter, &canvas, place, ink);
    }
    draw_mask(painter, model, layout);
    if let Some(logic) = &picture.logic {
        draw_logic(painter, model, layout, (picture.about.trigger, logic));
    }
}

/// The dots of the lines of a trace in the plot, the lowest first.
pub(super) fn canvases(
    model: &Model,
    layout: &Layout,
    picture: &Picture,
    glyphs: Glyphs,
) -> Vec<(Ink, Canvas)> {
    if layout.plot.height == 0 || layout.plot.width == 0 {
        return Vec::new();
    }
    if model.analysis.xy {
        return xy_canvas(model, layout, picture, glyphs)
            .map(|canvas| (Ink::Text, canvas))
            .into_iter()
            .collect();
    }
    let lines = picture.lines.iter().rev();
    lines.map(|line| (ink_of(line.source), line_canvas(model, layout, line, glyphs))).collect()
}

pub(super) fn ink_of(source: Source) -> Ink {
    match source {
        Source::Channel(Side::A) => Ink::A,
        Source::Channel(Side::B) => Ink::B,
        Source::Math => Ink::Text,
    }
}

/// The columns of dots of a canvas.
fn width_in_dots(canvas: &Canvas) -> usize {
    canvas.dots().0.max(1)
}

fn plot_canvas(layout: &Layout, glyphs: Glyphs) -> Canvas {
    Canvas::new(layout.plot.width.into(), layout.plot.height.into(), glyphs)
}

/// Where values of a line are, as a part of the screen's height.
fn height(model: &Model, source: Source) -> Option<impl Fn(f64) -> f64> {
    let (state, knobs) = (model.state.as_ref()?, model.knobs()?);
    let divisions = state.limits.vertical_divisions;
    Some(move |value: f64| match source {
        Source::Channel(side) => height_of(knobs, side, value, divisions),
        Source::Math => 0.5 + value / (model.analysis.scale_of(source, knobs) * divisions),
    })
}

fn line_canvas(model: &Model, layout: &Layout, line: &Line, glyphs: Glyphs) -> Canvas {
    let mut canvas = plot_canvas(layout, glyphs);
    let is_on = |side: Side| model.knobs().is_some_and(|knobs| side.of(knobs).on);
    let (Some(height), Some(window)) = (height(model, line.source), model.window()) else { return canvas };
    if matches!(line.source, Source::Channel(side) if !is_on(side)) {
        return canvas;
    }
    let mut before = None;
    let points = line.values.iter().enumerate().flat_map(|(element, &(low, high))| {
        let x = part(window, line.time_s(element));
        let ends = [low, high].map(|value| Point { x, y: within_reach(height(value)) });
        // What is nearer to where the line comes from is reached first.
        let falls = before.is_some_and(|before: f64| (before - ends[1].y).abs() < (before - ends[0].y).abs());
        let ends = if falls { [ends[1], ends[0]] } else { ends };
        before = Some(ends[1].y);
        ends
    });
    join(&mut canvas, points);
    canvas
}

fn within_reach(height: f64) -> f64 {
    height.clamp(-MAX_OVERSHOOT, MAX_OVERSHOOT)
}

fn join(canvas: &mut Canvas, points: impl Iterator<Item = Point>) {
    let (width, rows) = (width_in_dots(canvas), canvas.dots().1);
    for line in lines(points.filter(is_on_screen), width) {
        canvas.join(&line, |y| (1.0 - y) * (rows - 1) as f64);
    }
}

/// A from left to right and B upwards, for the part of time that is zoomed into.
fn xy_canvas(model: &Model, layout: &Layout, picture: &Picture, glyphs: Glyphs) -> Option<Canvas> {
    let (a, b) = (picture.line(Source::A)?, picture.line(Source::B)?);
    let (right, up, window) = (height(model, Source::A)?, height(model, Source::B)?, model.window()?);
    let mut canvas = plot_canvas(layout, glyphs);
    let rows = canvas.dots().1;
    let points = a.middles().enumerate().map(|(element, volts)| {
        let time_s = a.time_s(element);
        let is_shown = (0.0..=1.0).contains(&part(window, time_s));
        let other = b.at((time_s - b.start_s) / b.pitch_s).filter(|_| is_shown)?;
        Some(Point { x: right(volts), y: within_reach(up(other)) }).filter(is_on_screen)
    });
    // A line ends where it leaves the screen.
    let points: Vec<Option<Point>> = points.collect();
    for line in points.split(Option::is_none) {
        let line: Vec<Point> = line.iter().flatten().copied().collect();
        canvas.join(&line, |y| (1.0 - y) * (rows - 1) as f64);
    }
    Some(canvas)
}

/// The edges of the mask, and where the trace has left it.
fn draw_mask(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let (Some(test), Some(window)) = (&model.analysis.test, model.window()) else { return };
    if model.analysis.xy || layout.plot.height == 0 {
        return;
    }
    let Some(height) = height(model, test.mask.source) else { return };
    let mut canvas = plot_canvas(layout, painter.look.glyphs);
    for upper in [false, true] {
        let edge = test.mask.edge(upper);
        join(
            &mut canvas,
            edge.map(|(time_s, value)| Point { x: part(window, time_s), y: within_reach(height(value)) }),
        );
    }
    paint(painter, &canvas, (layout.plot.x, layout.plot.y), Ink::Trigger);
    if model.shows_kept() {
        return;
    }
    let style = painter.lamp(Lamp::Bad);
    let row = layout.ruler.unwrap_or(layout.plot.y);
    for x in test.violations.iter().map(|time_s| part(window, *time_s)).filter(|x| (0.0..=1.0).contains(x)) {
        let column = layout.column(x);
        painter.put((column, row), column + 1, "x", style);
    }
}

fn draw_logic(
    painter: &mut Painter<'_>,
    model: &Model,
    layout: &Layout,
    (trigger_s, channel): (f64, &FrameChannel),
) {
    let Some(window) = model.window() else { return };
    for (line, lane) in &layout.lanes {
        if channel.block.lines.is_some_and(|lines| lines & (1 << line) == 0) {
            continue;
        }
        let mut canvas = Canvas::new(lane.width.into(), lane.height.into(), painter.look.glyphs);
        let (width, dots) = (width_in_dots(&canvas), canvas.dots().1);
        // A free dot below keeps a lane apart from the next one; ASCII has none to spare in a single row.
        let bottom = if dots > 2 { dots - 2 } else { dots - 1 };
        let mut before = None;
        let points = channel.extremes.iter().enumerate().flat_map(|(element, &(all, any))| {
            let x = part(window, channel.time_s(element) - trigger_s);
            let [all, any] = [all, any].map(|bits| f64::from(bits >> line & 1));
            // A level lasts until the next; a column with both has an edge in it.
            let from = before.unwrap_or(all);
            let to = if all == any { all } else { 1.0 - from };
            before = Some(to);
            [from, to].map(|y| Point { x, y })
        });
        for line in lines(points.filter(is_on_screen), width) {
            canvas.join(&line, |y| if y > 0.5 { 0.0 } else { bottom as f64 });
        }
        paint(painter, &canvas, (lane.x, lane.y), Ink::Logic);
    }
}

/// Where a time from the trigger is, as a part of the screen's width.
fn part((from_s, to_s): (f64, f64), time_s: f64) -> f64 {
    (time_s - from_s) / (to_s - from_s)
}

/// Points beyond the edges would count to them.
fn is_on_screen(point: &Point) -> bool {
    (0.0..=1.0).contains(&point.x)
}

fn paint(painter: &mut Painter<'_>, canvas: &Canvas, place: (u16, u16), ink: Ink) {
    paint_with(painter, canvas, place, ink, |style| style);
}

fn paint_with(
    painter: &mut Painter<'_>,
    canvas: &Canvas,
    (x, y): (u16, u16),
    ink: Ink,
    shade: impl Fn(Style) -> Style,
) {
    let style = shade(painter.ink(ink));
    for (column, row, character) in canvas.characters() {
        let place = |start: u16, by: usize| start.saturating_add(u16::try_from(by).unwrap_or(u16::MAX));
        painter.overlay(place(x, column), place(y, row), character, style);
    }
}
