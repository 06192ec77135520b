//! Draws the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Span;
use scopething_files::plot::terminal::{self as plot, Ink};
use scopething_serve::client::{Ended, Knobs, Run};
use scopething_waveform::quantity_text::quantity;

use super::arithmetic::Operation;
use super::command::COMMANDS;
use super::history::{History, line_of};
use super::keys::{Action, KEYS};
use super::knobs::{Side, height_of, short, volts_at};
use super::layout::{Layout, MIN_COLUMNS, MIN_ROWS, Needs, Segment};
use super::model::{Cursor, Lamp, Model};
use super::painter::Painter;
use super::persistence::Persistence;
use super::picture::Source;
use super::{decoding, edges, spectrum, traces};

/// Rows of knobs at most: in narrow terminals they are shorter instead.
const MAX_KNOB_ROWS: u16 = 3;
/// Rows of readings at most.
const MAX_READING_ROWS: u16 = 6;

/// Draws everything; returns where it is.
pub(super) fn draw(buffer: &mut Buffer, model: &Model, look: plot::Style) -> Layout {
    let area = buffer.area;
    let mut painter = Painter { buffer, look };
    let segments = segments(model, area.width);
    let wrapped = wrap(&segments, area);
    let captured = captured_lines(model);
    let needs = Needs {
        knob_rows: wrapped.iter().map(|(place, _)| place.y + 1).max().unwrap_or(1),
        reading_rows: reading_rows(model, area.width),
        spectrum: model.analysis.spectrum.is_some(),
        analog: model.knobs().is_none_or(|knobs| Side::BOTH.iter().any(|side| side.of(knobs).on)),
        lines: captured,
        decoded: model.decoding.lanes_of(model.shown().map(|picture| picture.about.seq)).len(),
    };
    let Some(mut layout) = Layout::new(area, &needs) else {
        let text = format!("{}x{} is too small: {MIN_COLUMNS}x{MIN_ROWS} at least", area.width, area.height);
        painter.put((area.x, area.y), area.right(), &text, Style::new());
        return Layout::default();
    };
    layout.segments = wrapped
        .into_iter()
        .map(|(place, segment)| (Rect { y: place.y + layout.knobs.y, ..place }, segment))
        .collect();
    let run = draw_status(&mut painter, model, &layout);
    for ((place, segment), (text, ..)) in layout.segments.iter().zip(&segments) {
        let style = segment_style(&painter, model, *segment);
        painter.put((place.x, place.y), place.right(), text, style);
    }
    layout.segments.push((run, Segment::Run));
    draw_grid(&mut painter, model, &layout);
    traces::draw(&mut painter, model, &layout);
    if model.analysis.xy {
        let style = painter.ink(Ink::Frame);
        painter.put((layout.plot.x, layout.plot.y), layout.plot.right(), "X: A  Y: B", style);
    } else {
        draw_marks(&mut painter, model, &layout);
        draw_cursors(&mut painter, model, &layout);
    }
    decoding::draw(&mut painter, model, &layout);
    spectrum::draw(&mut painter, model, &layout);
    draw_readings(&mut painter, model, &layout);
    draw_figures(&mut painter, model, &layout);
    draw_bottom(&mut painter, model, &layout);
    if let Some(history) = &model.history {
        draw_history(&mut painter, history);
    }
    if let Some(page) = model.help {
        draw_help(&mut painter, model, page);
    }
    layout
}

/// The lines that a trace will have.
fn captured_lines(model: &Model) -> Vec<u8> {
    let Some(state) = &model.state else { return Vec::new() };
    (0..8).filter(|line| state.actual.channels.contains(&format!("L{line}"))).collect()
}

/// The knobs in words, each with what it is about.
fn segments(model: &Model, width: u16) -> Vec<(String, Segment)> {
    let (Some(state), Some(knobs)) = (&model.state, model.knobs()) else { return Vec::new() };
    let mut segments = Vec::new();
    for side in Side::BOTH {
        let channel = side.of(knobs);
        let mark = if model.selected == side { "*" } else { "" };
        let text = if channel.on {
            let probe = if channel.probe == 1.0 { String::new() } else { format!(" x{}", channel.probe) };
            let (scale, middle) = (short(channel.volts_per_div, "V"), short(channel.middle, "V"));
            format!("{}{mark} {scale}/div @{middle}{probe}", side.name())
        } else {
            format!("{}{mark} off", side.name())
        };
        segments.push((text, Segment::Channel(side)));
    }
    segments.push((format!("{}/div", short(knobs.time_per_div, "s")), Segment::Time));
    let trigger = &knobs.trigger;
    let level = trigger.level.map(|level| format!(" {}", short(level, "V"))).unwrap_or_default();
    let hair = if trigger.hair { " hair" } else { "" };
    let text = format!("T {} {}{level} {}{hair}", trigger.source, trigger.kind, trigger.mode);
    segments.push((text, Segment::Trigger));
    let lines = if knobs.lines.is_empty() { "L off".to_owned() } else { lines_text(&knobs.lines) };
    segments.push((lines, Segment::Lines));
    segments.push((format!("{} bit", state.actual.bits), Segment::Bits));
    let generator = state.generator.text.as_deref().map_or("G off".to_owned(), |text| format!("G {text}"));
    let generator: String = generator.chars().take(usize::from(width.max(1))).collect();
    segments.push((generator, Segment::Generator));
    segments.extend(looks(model));
    // As wide as what is shown.
    segments.into_iter().map(|(text, segment)| (crate::terminal::shown(&text), segment)).collect()
}

/// How traces are looked at, as far as that is not as usual.
fn looks(model: &Model) -> Vec<(String, Segment)> {
    let analysis = &model.analysis;
    let mut looks = Vec::new();
    if analysis.average.most() > 1 {
        let averaged = model.shown().map_or(1, |picture| picture.averaged);
        let text = format!("avg {averaged}/{}", analysis.average.most());
        looks.push((text, Segment::Look(Action::NextAverages)));
    }
    if analysis.persistence != Persistence::Off {
        let text = format!("persist {}", analysis.persistence.name());
        looks.push((text, Segment::Look(Action::NextPersistence)));
    }
    if let Some(operation) = analysis.math {
        let scale = model.knobs().map_or(1.0, |knobs| analysis.scale_of(Source::Math, knobs));
        let text = format!("{} {}/div", operation.name(), short(scale, operation.unit()));
        looks.push((text, Segment::Look(Action::NextMath)));
    }
    if let Some(source) = analysis.spectrum {
        looks.push((format!("spectrum {}", source.name()), Segment::Look(Action::NextSpectrum)));
    }
    if let Some(reference) = analysis.references.last() {
        let more = analysis.references.len() - 1;
        let more = if more == 0 { String::new() } else { format!(" +{more}") };
        looks.push((format!("ref {}{more}", reference.name), Segment::Look(Action::Reference)));
    }
    if analysis.xy {
        looks.push(("X-Y".to_owned(), Segment::Look(Action::ToggleXy)));
    }
    looks
}

/// Lines that follow one another in short.
fn lines_text(lines: &[String]) -> String {
    if lines.len() == 8 { "L0-7".to_owned() } else { lines.join(",") }
}

/// The places of texts that follow one another, in as many rows as they need, up to some.
fn wrap(segments: &[(String, Segment)], area: Rect) -> Vec<(Rect, Segment)> {
    const GAP: u16 = 2;
    let (mut x, mut y) = (area.x, 0);
    let mut places = Vec::new();
    for (text, segment) in segments {
        let width = u16::try_from(Span::raw(text.as_str()).width()).unwrap_or(u16::MAX).min(area.width);
        if x > area.x && x + width > area.right() && y + 1 < MAX_KNOB_ROWS {
            (x, y) = (area.x, y + 1);
        }
        let width = width.min(area.right().saturating_sub(x));
        places.push((Rect { x, y, width, height: 1 }, *segment));
        x = x.saturating_add(width + GAP).min(area.right());
    }
    places
}

fn segment_style(painter: &Painter<'_>, model: &Model, segment: Segment) -> Style {
    let bold = |ink| painter.ink(ink).add_modifier(Modifier::BOLD);
    let is_on = |side: Side| model.knobs().is_some_and(|knobs| side.of(knobs).on);
    match segment {
        Segment::Channel(side) if !is_on(side) => painter.ink(Ink::Frame),
        Segment::Channel(Side::A) => bold(Ink::A),
        Segment::Channel(Side::B) => bold(Ink::B),
        Segment::Trigger => bold(Ink::Trigger),
        Segment::Lines => bold(Ink::Logic),
        Segment::Look(_) | Segment::Run | Segment::Time | Segment::Bits | Segment::Generator => {
            painter.ink(Ink::Text)
        }
    }
}

/// Draws what is going on; returns where it shows whether captures follow one another.
fn draw_status(painter: &mut Painter<'_>, model: &Model, layout: &Layout) -> Rect {
    let Rect { x, y, .. } = layout.status;
    let end = layout.status.right();
    let (lamp, text) = model.status_line();
    let style = painter.lamp(lamp);
    let run = model.state.as_ref().map_or(Run::Stop, |state| state.run);
    let word = match run {
        Run::Continuous => "RUN",
        Run::Single => "SINGLE",
        Run::Stop => "STOP",
    };
    let next = painter.put((x, y), end, &format!("● {word}  "), style);
    painter.put((next, y), end, &text, style);
    Rect { width: next - x, ..layout.status }
}

fn draw_grid(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let Some(state) = &model.state else { return };
    let (mut across, up) = (state.limits.horizontal_divisions, state.limits.vertical_divisions);
    let (mut from, mut to) = model.zoom;
    if model.analysis.xy {
        // Both ways are volts.
        (across, from, to) = (up, 0.0, 1.0);
    }
    let style = painter.ink(Ink::Grid);
    for division in 0..=across as u32 {
        let x = (f64::from(division) / across - from) / (to - from);
        if !(0.0..=1.0).contains(&x) {
            continue;
        }
        for division in 0..=up as u32 {
            let place = (layout.column(x), layout.row(f64::from(division) / up));
            if layout.plot.height > 0 {
                painter.put(place, layout.plot.right(), "·", style);
            }
        }
    }
    let frame = painter.ink(Ink::Frame);
    for (line, lane) in &layout.lanes {
        let middle = lane.y + lane.height / 2;
        painter.put(
            (layout.area.x, middle),
            lane.x,
            &format!("L{line}"),
            frame.patch(painter.ink(Ink::Logic)),
        );
    }
}

/// Where the trigger and 0 V are.
fn draw_marks(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let (Some(state), Some(knobs)) = (&model.state, model.knobs()) else { return };
    let divisions = state.limits.vertical_divisions;
    let (from, to) = model.zoom;
    let x = (knobs.position - from) / (to - from);
    let trigger = painter.ink(Ink::Trigger);
    if (0.0..=1.0).contains(&x) {
        let column = layout.column(x);
        let row = layout.ruler.unwrap_or(layout.plot.y.min(layout.area.bottom() - 1));
        painter.put((column, row), column + 1, "▼", trigger);
        for row in layout.plot.y..layout.plot.bottom() {
            painter.underlay(column, row, '┊', trigger);
        }
    }
    if layout.plot.height == 0 {
        return;
    }
    if let (Some(side), Some(level)) = (Side::of_trigger(knobs), knobs.trigger.level) {
        let row = layout.row(height_of(knobs, side, level, divisions));
        painter.put((layout.plot.right(), row), layout.area.right(), "◄", trigger);
    }
    for (side, ink) in [(Side::B, Ink::B), (Side::A, Ink::A)] {
        if side.of(knobs).on {
            let style = painter.ink(ink).add_modifier(Modifier::BOLD);
            let row = layout.row(height_of(knobs, side, 0.0, divisions));
            painter.put((layout.area.x, row), layout.plot.x, &format!("{}►", side.name()), style);
        }
    }
}

fn draw_cursors(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let style = |cursor| {
        let style = Style::reset();
        if model.cursors.selected == Some(cursor) { style.add_modifier(Modifier::BOLD) } else { style }
    };
    for (index, x) in model.cursors.time.into_iter().flatten().enumerate() {
        let column = layout.column(x);
        for row in layout.plot.y..layout.plot.bottom() {
            painter.underlay(column, row, '│', style(Cursor::Time(index)));
        }
    }
    for (index, y) in model.cursors.volts.into_iter().flatten().enumerate() {
        if layout.plot.height > 0 {
            for column in layout.plot.x..layout.plot.right() {
                painter.underlay(column, layout.row(y), '─', style(Cursor::Volts(index)));
            }
        }
    }
}

/// What the cursors read, in words.
fn cursor_texts(model: &Model, knobs: &Knobs) -> Vec<String> {
    let mut texts = Vec::new();
    if let (Some([one, other]), Some((from_s, to_s))) = (model.cursors.time, model.window()) {
        let time = |x: f64| from_s + x * (to_s - from_s);
        let (one, other) = (time(one), time(other));
        let rate = quantity((other - one).abs().recip(), "Hz", 4);
        texts.push(format!(
            "X {} {}  Δ {}  1/Δ {rate}",
            quantity(one, "s", 4),
            quantity(other, "s", 4),
            quantity(other - one, "s", 4)
        ));
    }
    let divisions = model.state.as_ref().map_or(8.0, |state| state.limits.vertical_divisions);
    if let Some([one, other]) = model.cursors.volts {
        let side = model.selected;
        let (one, other) = (volts_at(knobs, side, one, divisions), volts_at(knobs, side, other, divisions));
        texts.push(format!(
            "{} {} {}  Δ {}",
            side.name(),
            quantity(one, "V", 4),
            quantity(other, "V", 4),
            quantity(other - one, "V", 4)
        ));
    }
    texts
}

/// Cursors and measurements, each with its ink.
fn reading_texts(model: &Model) -> Vec<(Ink, String)> {
    let Some(knobs) = model.knobs() else { return Vec::new() };
    let cursors = cursor_texts(model, knobs).into_iter().map(|text| (Ink::Text, text));
    let cursors = cursors.chain(spectrum::text(model)).chain(mask_text(model));
    let measured = model.readings.texts().map(|(channel, text)| {
        let ink = match channel {
            "A" => Ink::A,
            "B" => Ink::B,
            _ => Ink::Logic,
        };
        (ink, text)
    });
    cursors.chain(measured).collect()
}

/// What is under the pointer: volts, and the pulse and the period of the channel that is selected, or of a line.
fn hover_text(model: &Model, knobs: &Knobs) -> Option<(Ink, String)> {
    let (at, layout, picture) = (model.pointed_at()?, &model.layout, model.shown()?);
    let (from_s, to_s) = model.window().filter(|_| !model.analysis.xy)?;
    let time_s = from_s + layout.x(at.x) * (to_s - from_s);
    let pulse = |crossings: &[edges::Crossing]| {
        let pulse = edges::around(crossings, time_s)?;
        let level = if pulse.is_high { "high" } else { "low" };
        let period_s = pulse.period_s;
        let period = period_s.map(|period_s| {
            format!("  period {}  {}", quantity(period_s, "s", 4), quantity(period_s.recip(), "Hz", 4))
        });
        Some(format!("  {level} {}{}", quantity(pulse.width_s, "s", 4), period.unwrap_or_default()))
    };
    let time = quantity(time_s, "s", 4);
    if layout.plot.contains(at) {
        let volts = picture.lines.iter().filter_map(|line| {
            let unit =
                model.analysis.math.filter(|_| line.source == Source::Math).map_or("V", Operation::unit);
            let value = line.at((time_s - line.start_s) / line.pitch_s)?;
            Some(format!("  {} {}", line.source.name(), quantity(value, unit, 3)))
        });
        let volts: String = volts.collect();
        let side = model.selected;
        let line = picture.line(Source::Channel(side)).filter(|_| side.of(knobs).on);
        let pulse = line.and_then(|line| pulse(&edges::of_line(line)));
        let pulse =
            pulse.map_or_else(|| "  pulse unknown".to_owned(), |text| format!("  {}{text}", side.name()));
        return Some((Ink::Text, format!("at {time}{volts}{pulse}")));
    }
    let (line, _) = layout.lanes.iter().find(|(_, lane)| lane.contains(at))?;
    let crossings = edges::of_logic(picture.logic.as_ref()?, picture.about.trigger, *line);
    let pulse = pulse(&crossings).unwrap_or_else(|| "  pulse unknown".to_owned());
    Some((Ink::Logic, format!("at {time}  L{line}{pulse}")))
}

/// What became of the traces that a mask was held against.
fn mask_text(model: &Model) -> Option<(Ink, String)> {
    let test = model.analysis.test.as_ref()?;
    let untested = if test.untested == 0 { String::new() } else { format!("  untested {}", test.untested) };
    let text =
        format!("{} mask  passed {}  failed {}{untested}", test.mask.source.name(), test.passed, test.failed);
    Some((Ink::Trigger, text))
}

/// Columns that each reading has.
fn reading_columns(width: u16) -> u16 {
    const READING_WIDTH: u16 = 64;
    (width / READING_WIDTH).max(1)
}

fn reading_rows(model: &Model, width: u16) -> u16 {
    let count = u16::try_from(reading_texts(model).len()).unwrap_or(u16::MAX);
    count.div_ceil(reading_columns(width)).min(MAX_READING_ROWS)
}

fn draw_readings(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let columns = reading_columns(layout.readings.width);
    let width = layout.readings.width / columns;
    for (index, (ink, text)) in (0_u16..).zip(reading_texts(model)) {
        let (row, column) = (index / columns, index % columns);
        if row < layout.readings.height {
            let (x, y) = (layout.readings.x + column * width, layout.readings.y + row);
            let style = painter.ink(ink);
            painter.put((x, y), x + width - 1, &text, style);
        }
    }
}

/// What the present trace is, and how much of the time is seen.
fn draw_figures(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let unknown = || "unknown".to_owned();
    let ended = match model.shown().map(|picture| picture.about.ended) {
        Some(Ended::Trigger) => "trigger",
        Some(Ended::Auto) => "auto",
        Some(Ended::Forced) => "forced",
        Some(Ended::Roll) => "rolling",
        None => "-",
    };
    let rates = &model.rates;
    let dead = rates.dead_s.map_or_else(unknown, |dead| quantity(dead, "s", 3));
    let seen = rates.seen.map_or_else(unknown, |seen| format!("{:.1} %", 100.0 * seen));
    let rate = rates.traces_hz.map_or_else(unknown, |rate| format!("{rate:.1}/s"));
    let actual = model.state.as_ref().map(|state| &state.actual).filter(|actual| actual.samples > 0);
    let actual = actual.map(|actual| {
        format!("  {}  {} samples  {}", quantity(actual.sample_rate, "S/s", 4), actual.samples, actual.mode)
    });
    let actual = actual.unwrap_or_default();
    let text = format!("ended {ended}  dead {dead}  seen {seen}  traces {rate}{actual}");
    let Rect { x, y, .. } = layout.figures;
    let style = painter.ink(Ink::Frame);
    painter.put((x, y), layout.figures.right(), &text, style);
}

/// What is being typed, a message, what is under the pointer or met only nearly, and how to get help.
fn draw_bottom(painter: &mut Painter<'_>, model: &Model, layout: &Layout) {
    let Rect { x, y, .. } = layout.bottom;
    let end = layout.bottom.right();
    if let Some(prompt) = &model.prompt {
        // The end of a long line is what is being typed.
        let room = usize::from(layout.bottom.width).saturating_sub(2);
        let skipped = prompt.chars().count().saturating_sub(room);
        let tail: String = prompt.chars().skip(skipped).collect();
        let next = painter.put((x, y), end, &format!(":{tail}"), Style::new());
        painter.put((next, y), end, " ", Style::new().add_modifier(Modifier::REVERSED));
        return;
    }
    if let Some((text, lamp)) = model.shown_toast() {
        let style = painter.lamp(lamp);
        painter.put((x, y), end, text, style);
        return;
    }
    let hint = "? help  q quit";
    let width = u16::try_from(hint.len()).unwrap_or(u16::MAX);
    let style = painter.ink(Ink::Frame);
    painter.put((end.saturating_sub(width), y), end, hint, style);
    // In a row that is there anyway: one that comes and goes would move what is under the pointer.
    let hover = model.knobs().and_then(|knobs| hover_text(model, knobs));
    let (text, style) = if let Some((ink, text)) = hover {
        (text, painter.ink(ink))
    } else {
        (notices(model, layout), painter.lamp(Lamp::Wait).remove_modifier(Modifier::BOLD))
    };
    painter.put((x, y), end.saturating_sub(width + 1), &text, style);
}

fn notices(model: &Model, layout: &Layout) -> String {
    let Some(state) = &model.state else { return String::new() };
    let mut notices: Vec<String> = state.actual.error.iter().chain(&state.actual.notices).cloned().collect();
    let asked_s = state.settings.time_per_div * state.limits.horizontal_divisions;
    if state.actual.samples > 0 && (state.actual.duration / asked_s - 1.0).abs() > 0.02 {
        let (actual, asked) = (quantity(state.actual.duration, "s", 4), quantity(asked_s, "s", 4));
        notices.insert(0, format!("captures {actual} instead of {asked}"));
    }
    if let Some(picture) = model.shown() {
        notices.extend(picture.about.warnings.iter().cloned());
    }
    if layout.hidden > 0 {
        notices.insert(0, format!("{} lines hidden", layout.hidden));
    }
    notices.join("; ")
}

fn clear(painter: &mut Painter<'_>) {
    let area = painter.buffer.area;
    for row in area.y..area.bottom() {
        for column in area.x..area.right() {
            painter.buffer.cell_mut((column, row)).into_iter().for_each(ratatui::buffer::Cell::reset);
        }
    }
}

/// The list of the history over everything else.
fn draw_history(painter: &mut Painter<'_>, history: &History) {
    clear(painter);
    let area = painter.buffer.area;
    let rows = usize::from(area.height.saturating_sub(2)).max(1);
    let first = history.selected.saturating_sub(rows - 1);
    let title =
        if history.traces.is_empty() { "No trace yet" } else { "The last traces, and those that are pinned" };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    painter.put((area.x, area.y), area.right(), title, bold);
    for (row, (place, trace)) in (area.y + 1..).zip(history.traces.iter().enumerate().skip(first).take(rows))
    {
        let style = Style::new();
        let style = if place == history.selected { style.add_modifier(Modifier::REVERSED) } else { style };
        painter.put((area.x, row), area.right(), &line_of(trace), style);
    }
    let keys = "Enter show  C compare  P pin  D delete  R again  Esc back";
    let style = Style::new().add_modifier(Modifier::REVERSED);
    painter.put((area.x, area.bottom() - 1), area.right(), keys, style);
}

/// A page of keys and commands over everything else.
fn draw_help(painter: &mut Painter<'_>, model: &Model, page: usize) {
    clear(painter);
    let area = painter.buffer.area;
    let (lines, pages) = help_page(model, area, page);
    for ((column, row, width), (key, words)) in lines {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let next = painter.put((column, row), column + width, &key, bold);
        painter.put((next.max(column + 8), row), column + width - 1, &words, Style::new());
    }
    let title = format!("Help {}/{pages}  ? next, Esc back", page + 1);
    let style = Style::new().add_modifier(Modifier::REVERSED);
    painter.put((area.x, area.bottom() - 1), area.right(), &title, style);
}

/// Column, row and width; a key or gesture, and what it does.
type HelpEntry = ((u16, u16, u16), (String, String));

/// The entries of a page of help with their places, and how many pages there are.
fn help_page(model: &Model, area: Rect, page: usize) -> (Vec<HelpEntry>, usize) {
    const COLUMN_WIDTH: u16 = 40;
    let columns = (area.width / COLUMN_WIDTH).max(1);
    let (rows, width) = (area.height.saturating_sub(1).max(1), area.width / columns);
    let mut lines: Vec<(String, String)> =
        KEYS.iter().map(|(_, name, words, _)| ((*name).to_owned(), (*words).to_owned())).collect();
    lines.push(("mouse".to_owned(), "Drag A, B, T; click; wheel".to_owned()));
    lines.push(("page".to_owned(), model.page.clone()));
    lines.extend(COMMANDS.iter().map(|(line, words)| (format!(":{line} "), (*words).to_owned())));
    let capacity = usize::from(rows) * usize::from(columns);
    let pages = lines.len().div_ceil(capacity);
    let shown = lines.into_iter().skip(page * capacity).take(capacity);
    let places = (0..columns)
        .flat_map(|column| (0..rows).map(move |row| (area.x + column * width, area.y + row, width)));
    (places.zip(shown).collect(), pages)
}

/// How many pages of help there are in a terminal of this size.
pub(super) fn help_pages(model: &Model) -> usize {
    help_page(model, model.layout.area, 0).1
}
