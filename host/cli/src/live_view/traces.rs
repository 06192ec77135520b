//! The traces as dots within characters.

use scopething_files::plot::terminal::{Canvas, Glyphs, Ink};
use scopething_files::plot::{Point, lines};
use scopething_serve::client::{Frame, FrameChannel, Kind};

use super::knobs::{Side, height_of};
use super::layout::Layout;
use super::model::Model;
use super::painter::Painter;

/// How far beyond the screen a line is drawn to, in heights of it: enough for its slope.
const MAX_OVERSHOOT: f64 = 2.0;

/// Columns of dots of the traces, for which the server thins them out.
pub(super) fn dot_columns(layout: &Layout, glyphs: Glyphs) -> u32 {
    let width = u32::from(layout.plot.width.max(1));
    if glyphs == Glyphs::Braille { 2 * width } else { width }
}

pub(super) fn draw(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let Some(trace) = &model.trace else { return };
    for channel in trace.channels.iter().rev() {
        match channel.block.kind {
            Kind::Volts => draw_analog(painter, model, layout, (trace, channel)),
            Kind::Logic => draw_logic(painter, model, layout, (trace, channel)),
        }
    }
}

/// The columns of dots of a canvas.
fn width_in_dots(canvas: &Canvas) -> usize {
    canvas.dots().0.max(1)
}

fn draw_analog(
    painter: &mut Painter<'_>,
    model: &Model,
    layout: &Layout,
    (trace, channel): (&Frame, &FrameChannel),
) {
    let Some((side, ink)) = [(Side::A, Ink::A), (Side::B, Ink::B)]
        .into_iter()
        .find(|(side, _)| side.name() == channel.block.name)
    else {
        return;
    };
    let (Some(state), Some(knobs), Some(window)) = (&model.state, model.knobs(), model.window()) else {
        return;
    };
    if layout.plot.height == 0 || !side.of(knobs).on {
        return;
    }
    let divisions = state.limits.vertical_divisions;
    let range = -MAX_OVERSHOOT..=MAX_OVERSHOOT;
    let height = |volts: f64| height_of(knobs, side, volts, divisions).clamp(*range.start(), *range.end());
    let mut before = None;
    let points = channel.volts().enumerate().flat_map(|(element, (low, high))| {
        let x = part(trace, channel, window, element);
        let ends = [low, high].map(|volts| Point { x, y: height(volts) });
        // What is nearer to where the line comes from is reached first.
        let falls = before.is_some_and(|before: f64| (before - ends[1].y).abs() < (before - ends[0].y).abs());
        let ends = if falls { [ends[1], ends[0]] } else { ends };
        before = Some(ends[1].y);
        ends
    });
    let mut canvas = Canvas::new(layout.plot.width.into(), layout.plot.height.into(), painter.look.glyphs);
    let (width, rows) = (width_in_dots(&canvas), canvas.dots().1);
    for line in lines(points.filter(is_on_screen), width) {
        canvas.join(&line, |y| (1.0 - y) * (rows - 1) as f64);
    }
    paint(painter, &canvas, (layout.plot.x, layout.plot.y), ink);
}

fn draw_logic(
    painter: &mut Painter<'_>,
    model: &Model,
    layout: &Layout,
    (trace, channel): (&Frame, &FrameChannel),
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
            let x = part(trace, channel, window, element);
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

/// Where an element is, as a part of the screen's width.
fn part(trace: &Frame, channel: &FrameChannel, (from_s, to_s): (f64, f64), element: usize) -> f64 {
    (channel.time_s(element) - trace.about.trigger - from_s) / (to_s - from_s)
}

/// Points beyond the edges would count to them.
fn is_on_screen(point: &Point) -> bool {
    (0.0..=1.0).contains(&point.x)
}

fn paint(painter: &mut Painter<'_>, canvas: &Canvas, (x, y): (u16, u16), ink: Ink) {
    for (column, row, character) in canvas.characters() {
        let place = |start: u16, by: usize| start.saturating_add(u16::try_from(by).unwrap_or(u16::MAX));
        painter.overlay(place(x, column), place(y, row), character, ink);
    }
}
