//! What is known of the oscilloscope, what of it is shown, and what keys and the mouse do with it.

use std::time::{Duration, Instant};

use ratatui::layout::Position;
use scopething_files::plot::terminal::Glyphs;
use scopething_serve::client::{ClientError, Decoded, Ended, Frame, KeptTrace, Knobs, Run, State, Status};
use serde_json::{Value, json};

use super::analysis::Analysis;
use super::command::{self, Look};
use super::decoding::{Decoding, Shown, Wish};
use super::history::{History, Purpose};
use super::keys::Action;
use super::knobs::{Side, hundredths, neat, next_name, next_of, step_125};
use super::layout::Layout;
use super::persistence::{Persistence, Scale};
use super::picture::Picture;
use super::readings::Readings;
use super::status::{self, FIGURES_INTERVAL};
use super::traces;

/// How long a message, and what the mouse points at, stay on the screen.
const TOAST_TIME: Duration = Duration::from_secs(6);
/// The least part of the screen that can be zoomed into.
const MIN_ZOOM: f64 = 1e-3;
/// How far a key moves a cursor: a part of the screen.
const CURSOR_STEP: f64 = 0.01;

/// A cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cursor {
    Time(usize),
    Volts(usize),
}

/// Two places across and two places up the screen, as parts of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cursors {
    pub(super) time: Option<[f64; 2]>,
    pub(super) volts: Option<[f64; 2]>,
    /// The one that keys move.
    pub(super) selected: Option<Cursor>,
}

/// Whether the server is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Connection {
    Open,
    Lost(String),
}

/// How good or bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lamp {
    Off,
    Good,
    Wait,
    Bad,
}

/// What the server is to do, or the screen itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Order {
    Command(Value),
    /// Writes a trace to a file, whose format its name has.
    Save {
        seq: u64,
        path: String,
    },
    /// Asks for the traces that are kept.
    List,
    /// Asks for one of them.
    Fetch {
        seq: u64,
        purpose: Purpose,
    },
    Quit,
}

/// Traces a second, and the parts of time that were seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rates {
    since: Option<Instant>,
    first_seq: u64,
    pub(super) traces_hz: Option<f64>,
    pub(super) dead_s: Option<f64>,
    pub(super) seen: Option<f64>,
}

/// What is known and shown.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) state: Option<State>,
    /// The knobs as they are to be.
    pub(super) wanted: Option<Knobs>,
    /// The knobs that were sent, while the server works on them.
    sent: Option<(u64, Knobs)>,
    last_id: u64,
    pub(super) status: Status,
    pub(super) status_since: Instant,
    /// The last one that came.
    pub(super) trace: Option<Frame>,
    /// It in volts, and what is shown of it.
    captured: Option<Picture>,
    picture: Option<Picture>,
    /// Whether no other picture has been drawn since.
    is_fresh: bool,
    /// One of the history, with what is shown of it.
    pub(super) kept: Option<(Frame, Picture)>,
    /// The list of the history, while it is on the screen.
    pub(super) history: Option<History>,
    pub(super) analysis: Analysis,
    pub(super) decoding: Decoding,
    /// Commands that no key asked for.
    outbox: Vec<Value>,
    /// Where the mouse was last, and when it came there.
    hover: Option<(Position, Instant)>,
    pub(super) readings: Readings,
    pub(super) rates: Rates,
    pub(super) selected: Side,
    pub(super) cursors: Cursors,
    pub(super) zoom: (f64, f64),
    pub(super) connection: Connection,
    toast: Option<(String, Lamp, Instant)>,
    /// The command that is being typed.
    pub(super) prompt: Option<String>,
    /// The page of the help that is shown.
    pub(super) help: Option<usize>,
    /// The waveform that the generator's key starts.
    pub(super) waveform: String,
    /// The page that shows the same in a browser.
    pub(super) page: String,
    /// Where things were drawn.
    pub(super) layout: Layout,
}

impl Model {
    pub(super) fn new(readings: Readings, waveform: String, page: String) -> Self {
        Self {
            state: None,
            wanted: None,
            sent: None,
            last_id: 0,
            status: Status::Stopped,
            status_since: Instant::now(),
            trace: None,
            captured: None,
            picture: None,
            is_fresh: false,
            kept: None,
            history: None,
            analysis: Analysis::default(),
            decoding: Decoding::default(),
            outbox: Vec::new(),
            hover: None,
            readings,
            rates: Rates::default(),
            selected: Side::A,
            cursors: Cursors::default(),
            zoom: (0.0, 1.0),
            connection: Connection::Open,
            toast: None,
            prompt: None,
            help: None,
            waveform,
            page,
            layout: Layout::default(),
        }
    }

    // What arrives.

    pub(super) fn take_state(&mut self, state: State) {
        let changed = self.state.as_ref().is_some_and(|before| before.settings != state.settings);
        if changed {
            self.forget();
        }
        if let Some(before) = &self.state
            && let Some((lamp, words)) = status::calibrated(&before.calibration, &state.calibration)
        {
            self.toast(words, lamp);
        }
        if self.sent.is_none() {
            self.wanted = Some(state.settings.clone());
        }
        self.state = Some(state);
    }

    pub(super) fn take_status(&mut self, status: Status) {
        if std::mem::discriminant(&status) != std::mem::discriminant(&self.status) {
            self.status_since = Instant::now();
        }
        self.status = status;
    }

    pub(super) fn take_trace(&mut self, trace: Frame) {
        let again = self.trace.as_ref().is_some_and(|before| before.about.seq == trace.about.seq);
        self.status_since = Instant::now();
        if !again {
            self.rates.count(&trace);
        }
        self.present(Picture::of(&trace), !again);
        self.trace = Some(trace);
    }

    /// What is to be decoded next: the trace of the history that is on the screen, or the last live one.
    pub(super) fn wish_to_decode(&mut self) -> Option<Wish> {
        if let Some((_, picture)) = &self.kept {
            return self.decoding.wish(picture, || None);
        }
        // What rolls is another one by the time that it would be asked for.
        if matches!(self.status, Status::Rolling) {
            return None;
        }
        let (captured, picture) = (self.captured.as_ref()?, self.picture.as_ref()?);
        let live = || Some(Shown { captured: captured.clone(), picture: picture.clone() });
        self.decoding.wish(picture, live)
    }

    /// What has become of that.
    pub(super) fn take_decoded(&mut self, wish: &Wish, decoded: Result<Decoded, ClientError>) {
        if let Some(reason) = self.decoding.take(wish, decoded) {
            self.toast(reason, Lamp::Bad);
        }
    }

    /// Shows a trace, which may be another one than before.
    pub(super) fn present(&mut self, captured: Picture, is_fresh: bool) {
        self.captured = Some(captured);
        self.is_fresh = is_fresh;
        self.process();
    }

    /// Makes of the last trace what is to be shown.
    fn process(&mut self) {
        if let Some(mut picture) = self.captured.clone() {
            if self.analysis.process(&mut picture) {
                self.outbox.push(json!({"type": "run", "run": "stop"}));
            }
            self.picture = Some(picture);
        }
    }

    /// Shows traces as they are to be looked at by now.
    fn look_again(&mut self) {
        self.process();
        self.decoding.look_again(&self.analysis);
        if let Some((frame, picture)) = &mut self.kept {
            *picture = Picture::of(frame);
            self.analysis.derive(picture);
        }
    }

    /// A trace of the history has come.
    pub(super) fn take_kept(&mut self, frame: Frame, purpose: &Purpose) {
        let mut picture = Picture::of(&frame);
        let seq = frame.about.seq;
        match purpose {
            Purpose::Show => {
                self.analysis.derive(&mut picture);
                self.kept = Some((frame, picture));
                self.history = None;
            }
            Purpose::Compare => {
                self.analysis.add_reference(format!("trace {seq}"), &picture);
                self.history = None;
            }
        }
    }

    /// Shows the list of traces, once it is there.
    fn list_history(&mut self) -> Order {
        self.history.get_or_insert_default();
        Order::List
    }

    pub(super) fn take_history(&mut self, traces: Vec<KeptTrace>) {
        // It may have been closed meanwhile.
        if let Some(history) = &mut self.history {
            history.take(traces);
        }
    }

    /// What is to be sent though nobody asked for it.
    pub(super) fn take_outbox(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.outbox)
    }

    /// Has a trace that was not drawn yet stay on the screen, if traces do.
    pub(super) fn persist(&mut self, glyphs: Glyphs) {
        let persistence = self.analysis.persistence;
        if !std::mem::take(&mut self.is_fresh) || persistence == Persistence::Off {
            return;
        }
        // What rolls is drawn anew at another place each time.
        let Some(picture) = self.picture.as_ref().filter(|picture| picture.about.ended != Ended::Roll) else {
            return;
        };
        let canvases = traces::canvases(self, &self.layout, picture, glyphs);
        let scale = Scale::of(self, self.layout.plot);
        self.analysis.past.add(canvases, scale, persistence);
    }

    pub(super) fn take_measurements(&mut self, measured: &Value) {
        // What was captured before a change does not count for what is set now.
        let of_now = self.trace.as_ref().zip(self.state.as_ref());
        if of_now.is_some_and(|(trace, state)| trace.about.changes == state.changes) {
            self.readings.take(measured);
        }
    }

    /// A command was done; knobs are as they were sent, until the server reports what became of them.
    pub(super) fn take_done(&mut self, id: u64) {
        if let Some((_, knobs)) = self.sent.take_if(|(sent, _)| *sent == id)
            && let Some(state) = &mut self.state
        {
            state.settings = knobs;
            self.forget();
        }
    }

    /// What was measured and counted was of other settings.
    fn forget(&mut self) {
        self.readings.forget();
        self.rates = Rates::default();
        self.analysis.average.reset();
    }

    pub(super) fn take_refusal(&mut self, id: Option<u64>, reason: String) {
        if self.sent.take_if(|(sent, _)| Some(*sent) == id).is_some() {
            self.wanted = self.state.as_ref().map(|state| state.settings.clone());
        }
        self.toast(reason, Lamp::Bad);
    }

    /// Whether the server is there. What was sent before may not have arrived.
    pub(super) fn set_connection(&mut self, connection: Connection) {
        self.sent = None;
        if connection == Connection::Open {
            // What comes now may be of another device.
            self.decoding.forget();
        }
        self.connection = connection;
    }

    /// The mouse has moved.
    pub(super) fn point_at(&mut self, at: Position) {
        self.hover = Some((at, Instant::now()));
    }

    /// Where the mouse is, if it has moved lately: one that lies still is not looked at.
    pub(super) fn pointed_at(&self) -> Option<Position> {
        self.hover.filter(|(_, since)| since.elapsed() < TOAST_TIME).map(|(at, _)| at)
    }

    pub(super) fn toast(&mut self, text: String, lamp: Lamp) {
        self.toast = Some((text, lamp, Instant::now()));
    }

    pub(super) fn shown_toast(&self) -> Option<(&str, Lamp)> {
        let (text, lamp, at) = self.toast.as_ref()?;
        (at.elapsed() < TOAST_TIME).then_some((text.as_str(), *lamp))
    }

    /// The next number for a command.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// What the knobs have to be set to: one message at a time, so that many turns of a knob become one.
    pub(super) fn turned(&mut self) -> Option<(u64, Value)> {
        let (state, wanted) = (self.state.as_ref()?, self.wanted.as_ref()?);
        if self.sent.is_some() || state.settings == *wanted {
            return None;
        }
        let settings = state.settings.changes_to(wanted);
        let wanted = wanted.clone();
        let id = self.next_id();
        self.sent = Some((id, wanted));
        Some((id, json!({"type": "set", "settings": settings})))
    }

    // What is shown.

    /// The trace that is on the screen: one of the history, or the last one.
    pub(super) fn shown(&self) -> Option<&Picture> {
        let live = || self.picture.as_ref().map(|live| self.decoding.instead_of(live).unwrap_or(live));
        self.kept.as_ref().map(|(_, picture)| picture).or_else(live)
    }

    /// Whether the trace on the screen is one of the history.
    pub(super) fn shows_kept(&self) -> bool {
        self.kept.is_some()
    }

    fn back_to_live(&mut self) {
        self.kept = None;
    }

    /// The knobs as they are shown.
    pub(super) fn knobs(&self) -> Option<&Knobs> {
        self.wanted.as_ref()
    }

    /// The time across the screen, in seconds from the trigger.
    pub(super) fn window(&self) -> Option<(f64, f64)> {
        let (state, knobs) = (self.state.as_ref()?, self.knobs()?);
        let span_s = knobs.time_per_div * state.limits.horizontal_divisions;
        let start_s = -knobs.position * span_s;
        Some((start_s + self.zoom.0 * span_s, start_s + self.zoom.1 * span_s))
    }

    /// The part of the present trace that is on the screen.
    pub(super) fn part(&self) -> (f64, f64) {
        let (Some((from_s, to_s)), Some(trace)) = (self.window(), &self.trace) else { return (0.0, 1.0) };
        let part = |time_s: f64| ((time_s + trace.about.trigger) / trace.about.duration).clamp(0.0, 1.0);
        let (from, to) = (part(from_s), part(to_s));
        if from < to { (from, to) } else { (0.0, 1.0) }
    }

    // What keys and commands do.

    pub(super) fn act(&mut self, action: Action) -> Option<Order> {
        match action {
            Action::Help => {
                self.help = Some(0);
                return None;
            }
            Action::Quit => return Some(Order::Quit),
            _ => {}
        }
        let run = self.state.as_ref()?.run;
        let command = |value| Some(Order::Command(value));
        if matches!(
            action,
            Action::ToggleRun | Action::Single | Action::Force | Action::Autoset | Action::Back
        ) {
            // Whoever asks for a trace wants to see it.
            self.back_to_live();
        }
        match action {
            Action::Back => None,
            Action::History => Some(self.list_history()),
            Action::ToggleRun => {
                command(json!({"type": "run", "run": if run == Run::Stop { "run" } else { "stop" }}))
            }
            Action::Single => command(json!({"type": "run", "run": "single"})),
            Action::Force => command(json!({"type": "force"})),
            Action::Autoset => command(json!({"type": "autoset"})),
            Action::LevelMiddle => command(json!({"type": "level"})),
            Action::ToggleGenerator => {
                let running = self.state.as_ref()?.generator.text.is_some();
                let wave = (!running).then(|| self.waveform.clone());
                command(json!({"type": "generate", "wave": wave}))
            }
            Action::SaveCsv => self.save("csv"),
            Action::SavePng => self.save("png"),
            Action::SelectNext => {
                self.selected = if self.selected == Side::A { Side::B } else { Side::A };
                None
            }
            Action::CursorsTime => {
                self.cursors.toggle_time();
                None
            }
            Action::CursorsVolts => {
                self.cursors.toggle_volts();
                None
            }
            Action::NextCursor => {
                self.cursors.select_next();
                None
            }
            Action::CursorBack => {
                self.cursors.shift(-CURSOR_STEP);
                None
            }
            Action::CursorForth => {
                self.cursors.shift(CURSOR_STEP);
                None
            }
            Action::ZoomIn => {
                self.zoom_in();
                None
            }
            Action::ZoomReset => {
                self.zoom = (0.0, 1.0);
                None
            }
            Action::Enter => {
                self.prompt = Some(String::new());
                None
            }
            Action::NextAverages
            | Action::NextPersistence
            | Action::NextSpectrum
            | Action::NextMath
            | Action::ToggleXy
            | Action::Reference
            | Action::Mask => {
                self.analyse(action);
                None
            }
            knob => {
                self.turn(knob);
                None
            }
        }
    }

    /// Changes what is made of the traces.
    fn analyse(&mut self, action: Action) {
        match action {
            Action::NextAverages => self.analysis.next_averages(),
            Action::NextPersistence => self.analysis.next_persistence(),
            Action::NextSpectrum => self.analysis.next_spectrum(),
            Action::NextMath => self.analysis.next_math(),
            Action::ToggleXy => self.analysis.xy = !self.analysis.xy,
            Action::Reference => {
                if let Some(picture) = self.shown().cloned() {
                    let name = format!("trace {}", picture.about.seq);
                    self.analysis.add_reference(name, &picture);
                }
            }
            Action::Mask => self.make_mask(),
            _ => {}
        }
        self.look_again();
    }

    fn make_mask(&mut self) {
        let (Some(picture), Some(knobs)) = (self.shown().cloned(), self.knobs().cloned()) else { return };
        if let Err(reason) = self.analysis.make_mask(&picture, &knobs) {
            self.toast(reason, Lamp::Bad);
        }
    }

    /// Does what was typed about how traces are looked at.
    fn look(&mut self, look: Look) -> Option<Order> {
        match look {
            Look::Averages(most) => self.analysis.average = super::arithmetic::Average::new(most),
            Look::Persistence(persistence) => self.analysis.set_persistence(persistence),
            Look::Math(math) => self.analysis.math = math,
            Look::Spectrum(spectrum) => self.analysis.spectrum = spectrum,
            Look::Window(window) => self.analysis.window = window,
            Look::Xy(xy) => self.analysis.xy = xy,
            Look::Mask(Some(margin)) => {
                self.analysis.margin = margin;
                self.make_mask();
            }
            Look::Mask(None) => self.analysis.test = None,
            Look::NoReferences => self.analysis.references.clear(),
            Look::Reset => {
                self.forget();
                self.analysis.restart();
            }
            Look::History => return Some(self.list_history()),
            Look::Pin(name) => {
                let seq = self.shown()?.about.seq;
                return Some(Order::Command(json!({"type": "pin", "seq": seq, "name": name})));
            }
        }
        self.look_again();
        None
    }

    fn save(&mut self, format: &str) -> Option<Order> {
        let Some(trace) = self.shown() else {
            self.toast("There is no trace to save yet.".to_owned(), Lamp::Wait);
            return None;
        };
        let seq = trace.about.seq;
        Some(Order::Save { seq, path: format!("scopething-{seq}.{format}") })
    }

    fn zoom_in(&mut self) {
        let (from, to) = self.zoom;
        let (middle, width) = (f64::midpoint(from, to), ((to - from) / 2.0).max(MIN_ZOOM));
        self.zoom = ((middle - width / 2.0).max(0.0), (middle + width / 2.0).min(1.0));
    }

    /// Turns a knob.
    pub(super) fn turn(&mut self, action: Action) {
        let selected = self.selected;
        let (Some(state), Some(knobs)) = (&self.state, &mut self.wanted) else { return };
        let limits = &state.limits;
        let shift = |sign: f64, knobs: &mut Knobs| {
            let channel = selected.of_mut(knobs);
            channel.middle = neat(channel.middle - sign * channel.volts_per_div / 2.0);
        };
        match action {
            Action::ToggleA => knobs.channels.a.on = !knobs.channels.a.on,
            Action::ToggleB => knobs.channels.b.on = !knobs.channels.b.on,
            Action::ToggleLines => {
                let all = (0..8).map(|line| format!("L{line}"));
                knobs.lines = if knobs.lines.is_empty() { all.collect() } else { Vec::new() };
            }
            Action::VoltsUp | Action::VoltsDown => {
                let channel = selected.of_mut(knobs);
                let (least, most) = limits.volts_per_div;
                let range = (least * channel.probe, most * channel.probe);
                channel.volts_per_div = step_125(channel.volts_per_div, action == Action::VoltsUp, range);
            }
            Action::MoveUp => shift(1.0, knobs),
            Action::MoveDown => shift(-1.0, knobs),
            Action::TimeUp | Action::TimeDown => {
                knobs.time_per_div =
                    step_125(knobs.time_per_div, action == Action::TimeUp, limits.time_per_div);
            }
            Action::PositionLeft => knobs.position = hundredths(knobs.position - 0.05),
            Action::PositionRight => knobs.position = hundredths(knobs.position + 0.05),
            Action::LevelUp | Action::LevelDown => {
                let sign = if action == Action::LevelUp { 1.0 } else { -1.0 };
                let volts = Side::of_trigger(knobs).map_or(1.0, |side| side.of(knobs).volts_per_div);
                knobs.trigger.level = knobs.trigger.level.map(|level| neat(level + sign * volts / 10.0));
            }
            Action::NextSource => {
                let next = next_of(&["A", "B", "L0=1"], &knobs.trigger.source).to_owned();
                knobs.trigger.source = next;
            }
            Action::NextType => knobs.trigger.kind = next_name(&limits.trigger_types, &knobs.trigger.kind),
            Action::NextMode => knobs.trigger.mode = next_name(&limits.trigger_modes, &knobs.trigger.mode),
            Action::ToggleHair => knobs.trigger.hair = !knobs.trigger.hair,
            Action::ToggleRoll => knobs.roll = next_of(&["auto", "off"], &knobs.roll).to_owned(),
            Action::ToggleBits => knobs.bits = next_name(&limits.bits, &knobs.bits),
            _ => {}
        }
    }

    /// Has a line be asked for high, for low, or for nothing by the pattern of the trigger.
    pub(super) fn next_in_pattern(&mut self, line: u8) {
        let Some(knobs) = &mut self.wanted else { return };
        let name = format!("L{line}");
        let is_logic = knobs.trigger.source.starts_with('L');
        let mut terms: Vec<(String, bool)> = Vec::new();
        for term in knobs.trigger.source.split(',').filter(|_| is_logic) {
            if let Some((name, level)) = term.split_once('=') {
                terms.push((name.to_owned(), level == "1"));
            }
        }
        match terms.iter().position(|(one, _)| *one == name) {
            None => terms.push((name, true)),
            // A pattern of nothing is none.
            Some(_) if terms == [(name.clone(), false)] => terms = vec![(name, true)],
            Some(place) => {
                let (_, level) = terms.remove(place);
                terms.extend(level.then_some((name, false)));
            }
        }
        terms.sort();
        let terms: Vec<String> =
            terms.into_iter().map(|(name, level)| format!("{name}={}", u8::from(level))).collect();
        knobs.trigger.source = terms.join(",");
    }

    /// Does what was typed.
    pub(super) fn execute(&mut self, line: &str) -> Option<Order> {
        match command::parse(line) {
            Ok(command::Typed::Command(value)) => Some(Order::Command(value)),
            Ok(command::Typed::Wave(wave)) => {
                self.waveform.clone_from(&wave);
                Some(Order::Command(json!({"type": "generate", "wave": wave})))
            }
            Ok(command::Typed::Measure(wanted)) => {
                self.readings.toggle(wanted);
                None
            }
            Ok(command::Typed::Save(path)) => {
                let seq = self.shown().map(|picture| picture.about.seq);
                let Some(seq) = seq else { return self.save("") };
                Some(Order::Save { seq, path })
            }
            Ok(command::Typed::Look(look)) => self.look(look),
            Ok(command::Typed::Decode(decoder)) => {
                if let Err(reason) = self.decoding.want(&decoder) {
                    self.toast(reason, Lamp::Bad);
                }
                None
            }
            Ok(command::Typed::Nothing) => None,
            Ok(command::Typed::Quit) => Some(Order::Quit),
            Err(reason) => {
                self.toast(reason, Lamp::Bad);
                None
            }
        }
    }
}

impl Rates {
    /// Counts a trace: traces that were skipped count as well, which their numbers show.
    fn count(&mut self, trace: &Frame) {
        let about = &trace.about;
        let now = Instant::now();
        let mixed =
            |before: Option<f64>, value: f64| Some(before.map_or(value, |before| 0.8 * before + 0.2 * value));
        if let Some(dead_s) = about.dead {
            self.dead_s = mixed(self.dead_s, dead_s);
        }
        if let Some(seen) = about.seen {
            self.seen = mixed(self.seen, seen);
        }
        match self.since {
            Some(since) if now - since < FIGURES_INTERVAL => {}
            Some(since) => {
                let traces = about.seq.saturating_sub(self.first_seq);
                self.traces_hz = Some(traces as f64 / (now - since).as_secs_f64());
                (self.since, self.first_seq) = (Some(now), about.seq);
            }
            None => (self.since, self.first_seq) = (Some(now), about.seq),
        }
    }
}

impl Cursors {
    fn toggle_time(&mut self) {
        self.time = if self.time.is_some() { None } else { Some([0.25, 0.75]) };
        self.selected = self.time.map(|_| Cursor::Time(0)).or(self.volts.map(|_| Cursor::Volts(0)));
    }

    fn toggle_volts(&mut self) {
        self.volts = if self.volts.is_some() { None } else { Some([0.25, 0.75]) };
        self.selected = self.volts.map(|_| Cursor::Volts(0)).or(self.time.map(|_| Cursor::Time(0)));
    }

    fn select_next(&mut self) {
        let time = self.time.map(|_| [Cursor::Time(0), Cursor::Time(1)]);
        let volts = self.volts.map(|_| [Cursor::Volts(0), Cursor::Volts(1)]);
        let all: Vec<Cursor> = [time, volts].into_iter().flatten().flatten().collect();
        let place = all.iter().position(|cursor| Some(*cursor) == self.selected);
        self.selected = all.get(place.map_or(0, |place| (place + 1) % all.len())).copied();
    }

    fn shift(&mut self, by: f64) {
        if let Some(cursor) = self.selected
            && let Some(place) = self.place_mut(cursor)
        {
            *place = (*place + by).clamp(0.0, 1.0);
        }
    }

    pub(super) fn place_mut(&mut self, cursor: Cursor) -> Option<&mut f64> {
        match cursor {
            Cursor::Time(index) => self.time.as_mut()?.get_mut(index),
            Cursor::Volts(index) => self.volts.as_mut()?.get_mut(index),
        }
    }
}
