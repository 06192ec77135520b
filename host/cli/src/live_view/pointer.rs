//! What the mouse does: clicks on knobs and lanes, drags of channels, trigger and cursors, and the wheel.

use ratatui::crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use scopething_serve::client::Knobs;

use super::keys::Action;
use super::knobs::{Side, height_of, hundredths, neat, volts_at};
use super::layout::{Layout, MARGIN, Segment};
use super::model::{Cursor, Model, Order};

/// How near a cursor has to be, in characters.
const REACH: u16 = 1;

/// What is being dragged.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Drag {
    Position,
    Level(Side),
    /// A channel, and the volts under the pointer.
    Channel(Side, f64),
    Cursor(Cursor),
}

/// The mouse.
#[derive(Debug, Default)]
pub(super) struct Pointer {
    drag: Option<Drag>,
}

impl Pointer {
    pub(super) fn take(&mut self, event: MouseEvent, model: &mut Model) -> Option<Order> {
        let at = Position::new(event.column, event.row);
        model.point_at(at);
        if model.history.is_some() || model.help.is_some() {
            // What it would turn is not on the screen.
            self.drag = None;
            return None;
        }
        match event.kind {
            MouseEventKind::Down(MouseButton::Left) => return self.press(at, model),
            MouseEventKind::Drag(MouseButton::Left) => self.drag_to(at, model),
            MouseEventKind::Up(_) => self.drag = None,
            MouseEventKind::ScrollUp => wheel(at, event.modifiers, false, model),
            MouseEventKind::ScrollDown => wheel(at, event.modifiers, true, model),
            _ => {}
        }
        None
    }

    fn press(&mut self, at: Position, model: &mut Model) -> Option<Order> {
        self.drag = None;
        if let Some(segment) = segment_at(&model.layout, at) {
            return click(segment, model);
        }
        let lane = model.layout.lanes.iter().find(|(_, lane)| is_in_margin(*lane, at)).map(|(line, _)| *line);
        if let Some(line) = lane {
            model.next_in_pattern(line);
            return None;
        }
        self.drag = grabbed(at, model);
        match self.drag {
            Some(Drag::Channel(side, _)) => model.selected = side,
            Some(Drag::Cursor(cursor)) => model.cursors.selected = Some(cursor),
            _ => {}
        }
        None
    }

    fn drag_to(&mut self, at: Position, model: &mut Model) {
        let Some(drag) = self.drag else { return };
        let (x, y) = (model.layout.x(at.x).clamp(0.0, 1.0), model.layout.y(at.y).clamp(0.0, 1.0));
        let (from, to) = model.zoom;
        let Some(divisions) = model.state.as_ref().map(|state| state.limits.vertical_divisions) else {
            return;
        };
        if let Drag::Cursor(cursor) = drag {
            let part = if matches!(cursor, Cursor::Time(_)) { x } else { y };
            model.cursors.place_mut(cursor).into_iter().for_each(|place| *place = part);
            return;
        }
        let Some(knobs) = &mut model.wanted else { return };
        match drag {
            Drag::Position => knobs.position = hundredths(from + x * (to - from)),
            Drag::Level(side) => {
                knobs.trigger.level = Some(rounded(volts_at(knobs, side, y, divisions), knobs, side));
            }
            Drag::Channel(side, volts) => {
                let middle = side.of(knobs).middle + volts - volts_at(knobs, side, y, divisions);
                let middle = rounded(middle, knobs, side);
                side.of_mut(knobs).middle = middle;
            }
            Drag::Cursor(_) => {}
        }
    }
}

fn segment_at(layout: &Layout, at: Position) -> Option<Segment> {
    layout.segments.iter().find(|(place, _)| place.contains(at)).map(|(_, segment)| *segment)
}

/// Whether a place is left of a rectangle.
fn is_in_margin(rect: Rect, at: Position) -> bool {
    (rect.y..rect.bottom()).contains(&at.y) && at.x < rect.x && at.x + MARGIN >= rect.x
}

fn click(segment: Segment, model: &mut Model) -> Option<Order> {
    let action = match segment {
        Segment::Run => Action::ToggleRun,
        Segment::Channel(Side::A) => Action::ToggleA,
        Segment::Channel(Side::B) => Action::ToggleB,
        Segment::Trigger => Action::NextSource,
        Segment::Lines => Action::ToggleLines,
        Segment::Bits => Action::ToggleBits,
        Segment::Generator => Action::ToggleGenerator,
        Segment::Look(action) => action,
        Segment::Time => return None,
    };
    model.act(action)
}

fn wheel(at: Position, modifiers: KeyModifiers, down: bool, model: &mut Model) {
    let (volts, time) =
        if down { (Action::VoltsUp, Action::TimeUp) } else { (Action::VoltsDown, Action::TimeDown) };
    let of_channel = match segment_at(&model.layout, at) {
        Some(Segment::Channel(side)) => Some(side),
        Some(Segment::Trigger) => {
            return model.turn(if down { Action::LevelDown } else { Action::LevelUp });
        }
        _ if is_in_margin(model.layout.plot, at)
            || modifiers.intersects(KeyModifiers::SHIFT | KeyModifiers::CONTROL) =>
        {
            Some(model.selected)
        }
        _ => None,
    };
    match of_channel {
        Some(side) => {
            model.selected = side;
            model.turn(volts);
        }
        None => model.turn(time),
    }
}

/// What is under the pointer, to be dragged.
fn grabbed(at: Position, model: &Model) -> Option<Drag> {
    let layout = &model.layout;
    let (state, knobs) = (model.state.as_ref()?, model.knobs()?);
    let divisions = state.limits.vertical_divisions;
    if model.analysis.xy {
        return None;
    }
    let ruler = layout.ruler.unwrap_or(layout.plot.y);
    let nearest = |places: [f64; 2], near: &dyn Fn(f64) -> u16| {
        let distances = places.map(near);
        let place = usize::from(distances[1] < distances[0]);
        distances.into_iter().min().is_some_and(|distance| distance <= REACH).then_some(place)
    };
    if layout.plot.contains(at) {
        let time =
            model.cursors.time.and_then(|places| nearest(places, &|x| layout.column(x).abs_diff(at.x)));
        let volts = model.cursors.volts.and_then(|places| nearest(places, &|y| layout.row(y).abs_diff(at.y)));
        if let Some(cursor) = time.map(Cursor::Time).or(volts.map(Cursor::Volts)) {
            return Some(Drag::Cursor(cursor));
        }
    }
    if at.y == ruler && (layout.plot.x..layout.plot.right()).contains(&at.x) {
        return Some(Drag::Position);
    }
    if !(layout.plot.y..layout.plot.bottom()).contains(&at.y) {
        return None;
    }
    if at.x >= layout.plot.right() {
        return Side::of_trigger(knobs).map(Drag::Level);
    }
    if at.x < layout.plot.x {
        let shown = Side::BOTH.into_iter().filter(|side| side.of(knobs).on);
        let distance = |side: &Side| layout.row(height_of(knobs, *side, 0.0, divisions)).abs_diff(at.y);
        let side = shown.min_by_key(distance)?;
        return Some(Drag::Channel(side, volts_at(knobs, side, layout.y(at.y), divisions)));
    }
    None
}

/// To hundredths of a division, which no row resolves.
fn rounded(volts: f64, knobs: &Knobs, side: Side) -> f64 {
    let step = side.of(knobs).volts_per_div / 100.0;
    neat((volts / step).round() * step)
}
