//! The screen against signals that are known: the simulated device's, through the server.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::{CrosstermBackend, TestBackend};
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::{TerminalOptions, Viewport};
use scopething::link::open;
use scopething_core::device::BS05;
use scopething_files::plot::terminal::{Colour, Glyphs, Style};
use scopething_serve::Server;
use scopething_serve::client::{Client, ClientError, Decoded, Frame, Link, Message, View, decoded};
use serde_json::{Value, json};

use super::draw::draw;
use super::history::Purpose;
use super::keys::Action;
use super::knobs::{Side, height_of};
use super::layout::Layout;
use super::model::{Connection, Lamp, Model, Order};
use super::picture::{Picture, Source};
use super::pointer::Pointer;
use super::readings::Readings;
use super::traces::dot_columns;
use super::*;

const LOOK: Style = Style { glyphs: Glyphs::Braille, colour: Colour::Indexed };
const A_COLOUR: Color = Color::Indexed(33);

fn model() -> Model {
    Model::new(Readings::default(), "sine 1kHz 0..3.3V".to_owned(), "http://127.0.0.1:1/".to_owned())
}

/// Draws as the program does, and remembers where things are.
fn drawn(model: &mut Model, (width, height): (u16, u16), look: Style) -> (Buffer, Layout) {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut layout = Layout::default();
    terminal.draw(|frame| layout = draw(frame.buffer_mut(), model, look)).unwrap();
    model.layout = layout.clone();
    (terminal.backend().buffer().clone(), layout)
}

fn rows(buffer: &Buffer) -> Vec<String> {
    let Rect { width, height, .. } = buffer.area;
    (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect()).collect()
}

/// What a server of the simulated device says and sends after these settings: so many traces, thinned out for a terminal of
/// this size.
async fn seen(url: &str, settings: Value, size: (u16, u16), count: usize) -> (Model, Vec<Frame>) {
    visit(url, async |mut client, _| {
        client.command(1, json!({"type": "set", "settings": settings})).await.unwrap();
        let (mut model, mut traces, mut is_set) = (model(), Vec::new(), false);
        while traces.len() < count {
            match client.next().await.unwrap().expect("the server stays") {
                Message::Refused { reason, .. } => panic!("{reason}"),
                Message::Done { id: 1 } => is_set = true,
                Message::State(state) => {
                    model.take_state(*state);
                    // Now it is known how wide the plot is.
                    drawn(&mut model, size, LOOK);
                    let columns = Some(dot_columns(&model.layout, LOOK.glyphs));
                    client.view(&View { columns, ..View::default() }).await.unwrap();
                }
                Message::Trace(trace) => {
                    let is_thin = trace.channels.iter().any(|channel| channel.extremes.len() < 1000);
                    if is_set
                        && is_thin
                        && model.state.as_ref().is_some_and(|state| state.changes == trace.about.changes)
                    {
                        traces.push(*trace);
                    }
                }
                Message::Status(status) => model.take_status(status),
                _ => {}
            }
        }
        (model, traces)
    })
    .await
}

/// Connects a client to the page of a simulated device, for as long as a test visits it.
async fn visit<T>(url: &str, test: impl AsyncFnOnce(Client, &Link) -> T) -> T {
    let link = open(&url.parse().unwrap()).await.unwrap();
    let server = Box::pin(Server::open(link, BS05.analog, &page_here())).await.unwrap();
    let link: Link = server.web_links().unwrap().control.parse().unwrap();
    let visited = Box::pin(async {
        let client = Client::connect(&link).await.unwrap();
        test(client, &link).await
    });
    tokio::select! {
        served = Box::pin(server.run(|_| {})) => panic!("{served:?}"),
        seen = tokio::time::timeout(Duration::from_mins(1), visited) => seen.expect("what is waited for comes"),
    }
}

/// Takes what the server sends until the model shows what is wanted.
async fn until_shown(client: &mut Client, model: &mut Model, is_wanted: impl Fn(&Model) -> bool) {
    while !is_wanted(model) {
        match client.next().await.unwrap().expect("the server stays") {
            Message::Refused { reason, .. } => panic!("{reason}"),
            Message::State(state) => model.take_state(*state),
            Message::Status(status) => model.take_status(status),
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_calibration_is_begun_followed_and_cancelled() {
    visit("sim:?scale=19V&noise=1mV&clock=fast", async |mut client, _| {
        let mut model = model();
        until_shown(&mut client, &mut model, |model| model.state.is_some()).await;
        for (id, typed, expected) in [
            (1, "calibrate AB 64", "Calibrating: "),
            (2, "calibrate cancel", "Cancelled: the old parameters stay."),
            (3, "calibrate AB 8", "Calibrated: levels are met within "),
        ] {
            let Some(Order::Command(command)) = model.execute(typed) else { panic!("{typed}") };
            client.command(id, command).await.unwrap();
            let is_shown = |model: &Model| {
                let toast = model.shown_toast().map_or("", |(text, _)| text);
                model.status_line().1.starts_with(expected) || toast.starts_with(expected)
            };
            until_shown(&mut client, &mut model, is_shown).await;
        }
        let (text, lamp) = model.shown_toast().unwrap();
        assert!(lamp == Lamp::Good && text.contains("kept until this ends only"), "{text}");
        let buffer = drawn(&mut model, (100, 30), LOOK).0;
        assert!(rows(&buffer).iter().any(|row| row.contains("Calibrated: levels are met within")));
    })
    .await;
}

#[tokio::test]
async fn what_decoders_find_is_drawn_where_it_is() {
    let url = "sim:?A=sine,1kHz,0..3V&L4=uart,9600,text=Hi&clock=fast";
    visit(url, async |mut client, link| {
        let mut model = model();
        until_shown(&mut client, &mut model, |model| model.state.is_some()).await;
        let settings = json!({"lines": ["L4"], "time_per_div": 500e-6, "trigger": {"mode": "auto"}});
        client.command(1, json!({"type": "set", "settings": settings})).await.unwrap();
        model.execute("decode uart:rx=L4,baudrate=9600,format=ascii");
        let letters = |model: &Model| {
            let seq = model.shown().map(|picture| picture.about.seq);
            let lanes = model.decoding.lanes_of(seq);
            let texts = lanes.iter().flat_map(|lane| &lane.annotations).filter_map(|one| one.texts.first());
            texts.filter(|text| ["H", "i"].contains(&text.as_str())).count()
        };
        while letters(&model) < 3 {
            take_next(&mut client, link, &mut model).await;
        }
        let (buffer, layout) = drawn(&mut model, (120, 40), LOOK);
        let texts = rows(&buffer);
        let is_letters = |place: &&Rect| texts[usize::from(place.y)].contains('H');
        let row: Vec<char> = {
            let place = layout.decoded.iter().find(is_letters).expect("a row with letters");
            texts[usize::from(place.y)].chars().collect()
        };
        // A letter is drawn behind the mark of where it begins; from the first one to the second are ten bits.
        let place_of =
            |letter: char, from| (from..row.len()).find(|at| row[at - 1] == '│' && row[*at] == letter);
        let first = place_of('H', 1).unwrap();
        let second = place_of('i', first).unwrap();
        let expected = 10.0 / 9600.0 / 6e-3 * f64::from(layout.plot.width);
        assert!((second as f64 - first as f64 - expected).abs() <= 1.0, "{row:?}");
        // A decoder that does not exist is reported, and traces come as they did before.
        model.execute("decode off");
        model.execute("decode nonsense:rx=L4");
        while !model.shown_toast().is_some_and(|(text, lamp)| lamp == Lamp::Bad && text.contains("nonsense"))
        {
            take_next(&mut client, link, &mut model).await;
        }
        let seq = model.trace.as_ref().unwrap().about.seq;
        while model.trace.as_ref().unwrap().about.seq < seq + 2 {
            take_next(&mut client, link, &mut model).await;
        }
        assert_eq!(letters(&model), 0);
    })
    .await;
}

/// A model that shows a live trace with lanes, which was decoded.
fn decoding(wanted: &str) -> Model {
    let mut model = model();
    take_live(&mut model, 1);
    model.execute(&format!("decode {wanted}"));
    let wish = model.wish_to_decode().unwrap();
    model.take_decoded(&wish, Ok(found_in(1)));
    assert_eq!(lanes(&model), (Some(1), 1));
    model
}

fn take_live(model: &mut Model, seq: u64) {
    model.present(Picture::of_samples(seq, &[(Source::A, &sine(1e3, 1.0, 0.0))]), true);
}

fn found_in(seq: u64) -> Decoded {
    let annotation = json!({"start": 1e-3, "end": 2e-3, "texts": ["H"]});
    let lanes = json!([{"decoder": "uart-1", "title": "RX", "annotations": [annotation]}]);
    serde_json::from_value(json!({"seq": seq, "duration": 4e-3, "lanes": lanes})).unwrap()
}

fn refused(status: u16) -> ClientError {
    ClientError::Refused {
        link: "http://127.0.0.1:1/".to_owned(),
        reason: "there is no L4".to_owned(),
        status,
    }
}

/// The number of the trace on the screen, and how many lanes are below it.
fn lanes(model: &Model) -> (Option<u64>, usize) {
    let seq = model.shown().map(|picture| picture.about.seq);
    (seq, model.decoding.lanes_of(seq).len())
}

#[test]
fn a_trace_with_lanes_stays_until_a_later_one_has_some() {
    let mut model = decoding("uart:rx=L4");
    take_live(&mut model, 2);
    let wish = model.wish_to_decode().unwrap();
    take_live(&mut model, 3);
    assert_eq!((lanes(&model), model.wish_to_decode()), ((Some(1), 1), None));
    model.take_decoded(&wish, Ok(found_in(2)));
    assert_eq!(lanes(&model), (Some(2), 1));
    // The last one that came is next, and sent again for another view it is still that.
    let wish = model.wish_to_decode().unwrap();
    take_live(&mut model, 3);
    model.take_decoded(&wish, Ok(found_in(3)));
    take_live(&mut model, 3);
    assert_eq!((lanes(&model), model.wish_to_decode()), ((Some(3), 1), None));
}

#[test]
fn a_trace_with_lanes_stays_the_mean_that_it_was() {
    let mut model = decoding("uart:rx=L4");
    model.execute("averages 4");
    let means = |model: &Model| model.shown().map(|picture| (picture.about.seq, picture.averaged));
    for seq in [2, 3] {
        take_live(&mut model, seq);
    }
    let wish = model.wish_to_decode().unwrap();
    model.take_decoded(&wish, Ok(found_in(3)));
    let before = means(&model);
    assert!(before.is_some_and(|(seq, averaged)| seq == 3 && averaged >= 2), "{before:?}");
    take_live(&mut model, 4);
    assert_eq!(means(&model), before);
}

#[test]
fn answers_to_what_is_not_wanted_any_longer_change_nothing() {
    for connected_anew in [false, true] {
        let mut model = decoding("uart:rx=L4");
        take_live(&mut model, 2);
        let wish = model.wish_to_decode().unwrap();
        take_live(&mut model, 3);
        if connected_anew {
            model.set_connection(Connection::Open);
            // What is behind the connection now numbers its traces anew: it is asked at once.
            take_live(&mut model, 1);
            assert_eq!(lanes(&model), (Some(1), 0));
            assert_eq!(model.wish_to_decode().unwrap().seq, 1);
        } else {
            model.execute("decode off");
            assert_eq!((lanes(&model), model.wish_to_decode()), ((Some(3), 0), None));
        }
        model.take_decoded(&wish, Ok(found_in(wish.seq)));
        assert_eq!(lanes(&model).1, 0);
    }
}

#[test]
fn a_refusal_holds_for_its_settings_and_a_lost_trace_for_itself() {
    let mut model = decoding("uart:rx=L4");
    take_live(&mut model, 2);
    let wish = model.wish_to_decode().unwrap();
    model.take_decoded(&wish, Err(refused(404)));
    assert!(model.shown_toast().is_none());
    take_live(&mut model, 3);
    let wish = model.wish_to_decode().unwrap();
    model.take_decoded(&wish, Err(refused(422)));
    assert!(model.shown_toast().is_some_and(|(text, lamp)| lamp == Lamp::Bad && text.contains("no L4")));
    take_live(&mut model, 4);
    assert_eq!(model.wish_to_decode(), None);
    let mut other = Picture::of_samples(5, &[(Source::A, &sine(1e3, 1.0, 0.0))]);
    other.about.changes += 1;
    model.present(other, true);
    assert_eq!(lanes(&model), (Some(5), 0));
    assert_eq!(model.wish_to_decode().unwrap().seq, 5);
}

/// Takes what the server sends next, and has decoded what is to be.
async fn take_next(client: &mut Client, link: &Link, model: &mut Model) {
    match client.next().await.unwrap().expect("the server stays") {
        Message::Refused { reason, .. } => panic!("{reason}"),
        Message::State(state) => model.take_state(*state),
        Message::Trace(trace) => model.take_trace(*trace),
        _ => {}
    }
    if let Some(wish) = model.wish_to_decode() {
        let found = decoded(link, wish.seq, &wish.decoders).await;
        model.take_decoded(&wish, found);
    }
}

/// One trace on the screen.
async fn shown(url: &str, settings: Value, size: (u16, u16)) -> Model {
    let (mut model, mut traces) = Box::pin(seen(url, settings, size, 1)).await;
    model.take_trace(traces.remove(0));
    model
}

/// The places that have a colour.
fn coloured(buffer: &Buffer, layout: &Layout, colour: Color) -> Vec<(u16, u16)> {
    let plot = layout.plot;
    let places = (plot.x..plot.right()).flat_map(|x| (plot.y..plot.bottom()).map(move |y| (x, y)));
    places.filter(|place| buffer[*place].fg == colour).collect()
}

fn only_a() -> Value {
    json!({"channels": {"A": {"volts_per_div": 1}, "B": {"on": false}}, "lines": [], "bits": "8"})
}

#[tokio::test]
async fn the_signal_is_where_it_should_be() {
    // 2 V of 1 kHz, rising through 0 V in the middle: 2 of 4 divisions up and down, 500 us a division.
    let mut model = shown("sim:?A=sine,1kHz,-2..2V&clock=fast", only_a(), (80, 24)).await;
    let (buffer, layout) = drawn(&mut model, (80, 24), LOOK);
    let places = coloured(&buffer, &layout, A_COLOUR);
    let top = places.iter().map(|place| place.1).min().unwrap();
    let bottom = places.iter().map(|place| place.1).max().unwrap();
    assert_eq!((top, bottom), (layout.row(0.75), layout.row(0.25)), "{}", rows(&buffer).join("\n"));
    // Each crest is where it belongs: a quarter of a period after the trigger, and every period.
    for period in -2..3 {
        let time_s = (f64::from(period) + 0.25) * 1e-3;
        let column = layout.column(0.5 + time_s / 6e-3);
        assert!(places.contains(&(column, top)), "{period}: {}", rows(&buffer).join("\n"));
        let trough = layout.column(0.5 + (time_s + 0.5e-3) / 6e-3);
        assert!(places.contains(&(trough, bottom)), "{period}: {}", rows(&buffer).join("\n"));
    }
    // Trigger, level and 0 V are marked.
    assert_eq!(buffer[(layout.column(0.5), layout.ruler.unwrap())].symbol(), "▼");
    assert_eq!(buffer[(layout.plot.right(), layout.row(0.5))].symbol(), "◄");
    assert_eq!(buffer[(0, layout.row(0.5))].symbol(), "A");
}

#[tokio::test]
async fn lines_are_high_and_low_when_they_are() {
    // A square of 1 kHz on L0: six periods, rising in the middle; L3 stays high.
    let settings =
        json!({"channels": {"A": {"on": false}, "B": {"on": false}}, "trigger": {"source": "L0=1"}});
    let mut model = shown("sim:?L0=square,1kHz,0..3V&L3=dc,3V&clock=fast", settings, (80, 30)).await;
    let (buffer, layout) = drawn(&mut model, (80, 30), LOOK);
    let lane = |line: u8| layout.lanes.iter().find(|(one, _)| *one == line).unwrap().1;
    let dots =
        |(x, y): (u16, u16)| u32::from(buffer[(x, y)].symbol().chars().next().unwrap()).checked_sub(0x2800);
    for period in -2..3 {
        let column = |time_s: f64| layout.column(0.5 + time_s / 6e-3);
        let (high, low) =
            (column((f64::from(period) + 0.25) * 1e-3), column((f64::from(period) + 0.75) * 1e-3));
        let top = |column| dots((column, lane(0).y)).is_some_and(|dots| dots & 0b1001 != 0);
        assert!(top(high) && !top(low), "{period}: {}", rows(&buffer).join("\n"));
    }
    // Between high and low there are edges alone: eleven within the screen, and what lies at its ends.
    let edges = (layout.plot.x..layout.plot.right()).filter(|x| dots((*x, lane(0).y + 1)).is_some()).count();
    assert!((11..=13).contains(&edges), "{edges}: {}", rows(&buffer).join("\n"));
    let all_high = (layout.plot.x + 2..layout.plot.right() - 2).all(|x| dots((x, lane(3).y)) == Some(0b1001));
    assert!(all_high, "{}", rows(&buffer).join("\n"));
}

#[tokio::test]
async fn the_mouse_drags_level_position_and_channel() {
    let mut model = shown("sim:?A=sine,1kHz,-2..2V&clock=fast", only_a(), (80, 24)).await;
    let (_, layout) = drawn(&mut model, (80, 24), LOOK);
    let mut pointer = Pointer::default();
    let mut mouse = |kind, (column, row), model: &mut Model| {
        pointer.take(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }, model)
    };
    let (press, drag) = (MouseEventKind::Down(MouseButton::Left), MouseEventKind::Drag(MouseButton::Left));
    let release = MouseEventKind::Up(MouseButton::Left);
    let level = |model: &Model| model.knobs().unwrap().trigger.level.unwrap();
    mouse(press, (layout.plot.right(), layout.row(0.5)), &mut model);
    mouse(drag, (layout.plot.right(), layout.row(0.75)), &mut model);
    mouse(release, (layout.plot.right(), layout.row(0.75)), &mut model);
    // Two divisions up, to half a row.
    assert!((level(&model) - 2.0).abs() < 8.0 / f64::from(layout.plot.height), "{}", level(&model));
    let before = level(&model);
    mouse(drag, (layout.plot.right(), layout.row(0.2)), &mut model);
    assert_eq!(level(&model), before, "the button is up");
    mouse(press, (layout.column(0.5), layout.ruler.unwrap()), &mut model);
    mouse(drag, (layout.column(0.25), layout.ruler.unwrap()), &mut model);
    assert!((model.knobs().unwrap().position - 0.25).abs() < 0.02);
    mouse(press, (0, layout.row(0.5)), &mut model);
    mouse(drag, (0, layout.row(0.25)), &mut model);
    // 0 V is lower now: the middle of the screen is 2 V.
    assert!((model.knobs().unwrap().channels.a.middle - 2.0).abs() < 0.8);
    let row = layout.row(height_of(model.knobs().unwrap(), Side::A, 0.0, 8.0));
    assert!(row.abs_diff(layout.row(0.25)) <= 1);
    mouse(MouseEventKind::ScrollDown, (40, 10), &mut model);
    assert_eq!(model.knobs().unwrap().time_per_div, 1e-3);
    mouse(MouseEventKind::ScrollUp, (0, layout.row(0.5)), &mut model);
    assert_eq!(model.knobs().unwrap().channels.a.volts_per_div, 0.5);
    // All of it is one message, and nothing else until that is answered.
    let (id, command) = model.turned().unwrap();
    assert_eq!(command["settings"]["time_per_div"], 1e-3);
    assert_eq!(model.turned(), None);
    model.take_done(id);
    assert_eq!(model.turned(), None);
    // A click on a knob.
    let (place, _) = *model.layout.segments.first().unwrap();
    assert_eq!(mouse(press, (place.x, place.y), &mut model), None);
    assert!(!model.knobs().unwrap().channels.a.on);
}

#[tokio::test]
async fn every_size_is_drawn() {
    let settings = json!({"trigger": {"level": 0.5}});
    let mut model = shown("sim:?A=sine,1kHz,-2..2V&clock=fast", settings, (80, 24)).await;
    for width in [0, 1, 29, 30, 40, 80, 200] {
        for height in [0, 1, 8, 9, 12, 16, 24, 60] {
            for help in [None, Some(0), Some(50)] {
                for look in [LOOK, Style { glyphs: Glyphs::Ascii, colour: Colour::None }] {
                    model.help = help;
                    let (buffer, _) = drawn(&mut model, (width, height), look);
                    let text = rows(&buffer).concat();
                    assert!(look.glyphs != Glyphs::Ascii || text.is_ascii(), "{width}x{height}: {text}");
                    let colours = buffer.content().iter().filter(|cell| cell.fg != Color::Reset).count();
                    assert!(look.colour != Colour::None || colours == 0, "{width}x{height}");
                }
            }
        }
    }
    model.help = None;
    let (buffer, layout) = drawn(&mut model, (40, 12), LOOK);
    let rows = rows(&buffer);
    assert!(rows[0].contains("RUN"), "{rows:#?}");
    assert!(rows.concat().contains("500 µs/div") && rows.concat().contains("? help"), "{rows:#?}");
    assert!(layout.plot.height >= 3 && !layout.lanes.is_empty() && layout.hidden > 0, "{rows:#?}");
    assert!(rows.concat().contains("lines hidden"), "{rows:#?}");
}

#[tokio::test]
async fn received_texts_cannot_act_on_the_terminal() {
    let mut model = shown("sim:?clock=fast", json!({}), (80, 24)).await;
    let evil = "\x1b[2J\x07\u{9b}2J\u{202e}txt";
    model.toast(evil.to_owned(), Lamp::Bad);
    model.take_status(scopething_serve::client::Status::Refused { reason: evil.to_owned() });
    let mut state = model.state.clone().unwrap();
    state.generator.text = Some(evil.to_owned());
    state.actual.notices = vec![evil.to_owned()];
    model.take_state(state);
    let (buffer, _) = drawn(&mut model, (100, 30), LOOK);
    let text = rows(&buffer).concat();
    assert!(text.matches("\\u001b[2J\\u0007\\u009b2J\\u202etxt").count() >= 3, "{text}");
    assert!(!text.chars().any(|character| character.is_control() || character == '\u{202e}'));
}

#[tokio::test]
async fn commands_and_keys_give_their_orders() {
    let mut model = shown("sim:?A=sine,1kHz,0..3V&clock=fast", json!({}), (80, 24)).await;
    let command = |order| match order {
        Some(Order::Command(value)) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(command(model.act(Action::ToggleRun)), json!({"type": "run", "run": "stop"}));
    let wave = command(model.act(Action::ToggleGenerator));
    assert_eq!(wave, json!({"type": "generate", "wave": "sine 1kHz 0..3.3V"}));
    assert_eq!(
        command(model.execute("wave square 2kHz")),
        json!({"type": "generate", "wave": "square 2kHz"})
    );
    assert_eq!(model.waveform, "square 2kHz");
    let set = command(model.execute("trigger.level 1.2V"));
    assert_eq!(set, json!({"type": "set", "settings": {"trigger": {"level": "1.2V"}}}));
    let seq = model.trace.as_ref().unwrap().about.seq;
    assert_eq!(model.act(Action::SaveCsv), Some(Order::Save { seq, path: format!("scopething-{seq}.csv") }));
    assert_eq!(model.execute("save a.sr"), Some(Order::Save { seq, path: "a.sr".to_owned() }));
    assert_eq!(model.execute("nonsense"), None);
    assert!(model.shown_toast().unwrap().0.contains("needs a value"));
    // Patterns by clicks on lanes: high, low, and the last of them stays.
    for (line, source) in
        [(3, "L3=1"), (5, "L3=1,L5=1"), (3, "L3=0,L5=1"), (3, "L5=1"), (5, "L5=0"), (5, "L5=1")]
    {
        model.next_in_pattern(line);
        assert_eq!(model.knobs().unwrap().trigger.source, source);
    }
}

/// A model whose screen is 12 divisions of 333 us and of 1 V, with a trace of two known lines on it.
async fn with_lines(a: &dyn Fn(f64) -> f64, b: &dyn Fn(f64) -> f64) -> Model {
    let settings = json!({"channels": {"A": {"volts_per_div": 1}, "B": {"volts_per_div": 1}}, "lines": []});
    let mut model = shown("sim:?clock=fast", settings, (100, 40)).await;
    model.present(Picture::of_samples(1, &[(Source::A, a), (Source::B, b)]), true);
    model
}

fn sine(hz: f64, amplitude: f64, turns: f64) -> impl Fn(f64) -> f64 {
    move |t| amplitude * (std::f64::consts::TAU * (hz * t + turns)).sin()
}

#[tokio::test]
async fn spectrum_math_and_x_y_show_what_was_put_in() {
    // 1 V of amplitude is -3.01 dBV.
    let mut model = with_lines(&sine(10e3, 1.0, 0.0), &sine(10e3, 1.0, 0.25)).await;
    model.act(Action::NextSpectrum);
    let (buffer, layout) = drawn(&mut model, (100, 40), LOOK);
    let text = rows(&buffer).join("\n");
    assert!(text.contains("A spectrum (hann) 10.00 kHz -3.0 dBV"), "{text}");
    // The highest place of the picture is at 10 kHz, between the second bin and half the rate.
    let (least_hz, most_hz): (f64, f64) = (2.0 / 4e-3, 500e3);
    let x = (10e3 / least_hz).ln() / (most_hz / least_hz).ln();
    let column = layout.spectrum.x + (x * f64::from(layout.spectrum.width)) as u16;
    let is_drawn = |(x, y): (u16, u16)| buffer[(x, y)].fg == A_COLOUR;
    let top = (layout.spectrum.y + 1..layout.spectrum.bottom())
        .find(|y| (layout.spectrum.x..layout.spectrum.right()).any(|x| is_drawn((x, *y))));
    let top = top.unwrap_or_else(|| panic!("{text}"));
    let highest: Vec<u16> =
        (layout.spectrum.x..layout.spectrum.right()).filter(|x| is_drawn((*x, top))).collect();
    assert!(highest.iter().all(|x| x.abs_diff(column) <= 1), "{highest:?} is not {column}: {text}");
    // A sine and a cosine: their sum is 1.41 V, and one over the other a circle.
    model.execute("spectrum off");
    model.execute("math A+B");
    let sum = model.shown().unwrap().line(Source::Math).unwrap();
    let highest = sum.middles().fold(f64::MIN, f64::max);
    assert!((highest - 2.0_f64.sqrt()).abs() < 1e-3, "{highest}");
    model.execute("math off");
    model.act(Action::ToggleXy);
    let (buffer, layout) = drawn(&mut model, (100, 40), LOOK);
    let text = rows(&buffer).join("\n");
    // 1 of 4 divisions to each side of the middle, both ways.
    let is_dots = |x: f64, y: f64| buffer[(layout.column(x), layout.row(y))].symbol() > "\u{2800}";
    let (right, up) = (0.5 + 0.125, 0.5 + 0.125);
    assert!(
        is_dots(right - 1e-3, 0.5) && is_dots(1.0 - right, 0.5) && is_dots(0.5, up) && is_dots(0.5, 1.0 - up),
        "{text}"
    );
    assert!(!is_dots(0.5, 0.5) && !is_dots(0.9, 0.5), "{text}");
    assert!(text.contains("X-Y") && text.contains("X: A  Y: B"), "{text}");
}

#[tokio::test]
async fn masks_references_and_persistence_stay() {
    let mut model = with_lines(&sine(1e3, 1.0, 0.0), &|_| -3.0).await;
    model.act(Action::Mask);
    model.act(Action::Reference);
    model.act(Action::NextPersistence);
    model.present(Picture::of_samples(2, &[(Source::A, &sine(1e3, 1.0, 0.0))]), true);
    model.present(Picture::of_samples(3, &[(Source::A, &sine(1e3, 2.0, 0.0))]), true);
    // What is looked at again counts once.
    model.act(Action::NextMath);
    model.present(Picture::of_samples(3, &[(Source::A, &sine(1e3, 2.0, 0.0))]), true);
    let (buffer, layout) = drawn(&mut model, (100, 40), LOOK);
    let text = rows(&buffer).join("\n");
    assert!(text.contains("A mask  passed 1  failed 1"), "{text}");
    assert!(text.contains("ref trace 1") && text.contains("persist short"), "{text}");
    // It is marked where the trace leaves the mask: its crests of 2 V, not where it crosses 0 V.
    let ruler = layout.ruler.unwrap();
    let is_marked = |time_s: f64, model: &Model| {
        let (from_s, to_s) = model.window().unwrap();
        buffer[(layout.column((time_s - from_s) / (to_s - from_s)), ruler)].symbol() == "x"
    };
    assert!(is_marked(0.25e-3, &model) && is_marked(-0.75e-3, &model), "{text}");
    assert!(!is_marked(0.5e-3, &model), "{text}");
    // A mask that stops the captures does so once.
    model.execute("mask A 0.1 0.3 stop");
    assert_eq!(model.take_outbox(), [] as [Value; 0]);
    model.present(Picture::of_samples(4, &[(Source::A, &|_| 3.0)]), true);
    assert_eq!(model.take_outbox(), [json!({"type": "run", "run": "stop"})]);
    model.execute("mask off");
    model.execute("references off");
    let (buffer, _) = drawn(&mut model, (100, 40), LOOK);
    let text = rows(&buffer).join("\n");
    assert!(!text.contains("mask") && !text.contains("ref "), "{text}");
}

#[tokio::test]
async fn persistence_keeps_traces_until_the_scale_changes() {
    let mut model = with_lines(&|_| 1.0, &|_| -3.0).await;
    let persisted = |model: &mut Model, volts: f64, seq: u64| {
        model.present(Picture::of_samples(seq, &[(Source::A, &move |_| volts)]), true);
        model.persist(LOOK.glyphs);
        let (buffer, layout) = drawn(model, (100, 40), LOOK);
        let rows = coloured(&buffer, &layout, A_COLOUR).into_iter().map(|(_, row)| row);
        let rows: std::collections::BTreeSet<u16> = rows.collect();
        rows.into_iter().map(|row| (8.0 * (layout.y(row) - 0.5)).round() as i32).collect::<Vec<i32>>()
    };
    model.execute("persistence infinite");
    drawn(&mut model, (100, 40), LOOK);
    assert_eq!(persisted(&mut model, 1.0, 2), [1]);
    assert_eq!(persisted(&mut model, 3.0, 3), [3, 1]);
    assert_eq!(persisted(&mut model, -2.0, 4), [3, 1, -2]);
    // Another scale: what was drawn before was of the old one.
    model.act(Action::VoltsUp);
    drawn(&mut model, (100, 40), LOOK);
    assert_eq!(persisted(&mut model, 2.0, 5), [1]);
    // Of short persistence the last ten stay.
    model.execute("persistence short");
    for seq in 6..16 {
        persisted(&mut model, -4.0, seq);
    }
    assert_eq!(persisted(&mut model, -4.0, 16), [-2]);
}

#[tokio::test]
async fn the_pointer_measures_from_edge_to_edge() {
    let mut model = with_lines(&sine(1e3, 1.0, 0.0), &|_| -3.0).await;
    let (_, layout) = drawn(&mut model, (100, 40), LOOK);
    let column = layout.column(0.5) + 1;
    let mut pointer = Pointer::default();
    let moved = MouseEvent {
        kind: MouseEventKind::Moved,
        column,
        row: layout.plot.y + 2,
        modifiers: KeyModifiers::NONE,
    };
    assert_eq!(pointer.take(moved, &mut model), None);
    let (buffer, _) = drawn(&mut model, (100, 40), LOOK);
    let text = rows(&buffer).join("\n");
    assert!(text.contains("A  high 500.0 µs  period 1.000 ms  1.000 kHz"), "{text}");
    assert!(text.contains("B -3.00 V"), "{text}");
}

#[tokio::test]
async fn a_kept_trace_is_shown_until_live_ones_are_wanted() {
    let mut model = shown("sim:?A=sine,1kHz,-2..2V&clock=fast", only_a(), (80, 24)).await;
    let mut frame = model.trace.clone().unwrap();
    frame.about.seq = 4711;
    model.take_history(Vec::new());
    assert!(model.history.is_none(), "one that was closed meanwhile stays closed");
    assert_eq!(model.act(Action::History), Some(Order::List));
    model.take_history(Vec::new());
    model.take_kept(frame.clone(), &Purpose::Show);
    let (buffer, _) = drawn(&mut model, (80, 24), LOOK);
    assert!(rows(&buffer)[0].contains("Trace 4711 of the history"), "{:?}", rows(&buffer)[0]);
    assert_eq!(
        model.act(Action::SaveCsv),
        Some(Order::Save { seq: 4711, path: "scopething-4711.csv".to_owned() })
    );
    assert_eq!(
        model.execute("pin before"),
        Some(Order::Command(json!({"type": "pin", "seq": 4711, "name": "before"})))
    );
    // Whoever asks for a trace wants to see it.
    model.act(Action::Single);
    assert!(!model.shows_kept());
    model.take_kept(frame, &Purpose::Compare);
    assert!(!model.shows_kept());
    assert_eq!(model.analysis.references.len(), 1);
    assert_eq!(model.act(Action::History), Some(Order::List));
}

#[derive(Clone, Default)]
struct Counted(Rc<RefCell<usize>>);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.0.borrow_mut() += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// 20 pictures a second go through a line of 1 Mbit/s in a terminal of the usual size, where they have 6250 bytes each; in a
/// large one at least 10. These signals change everywhere: B is not in step with the trigger, and both are noisy.
#[tokio::test]
async fn pictures_fit_a_line_of_one_megabit() {
    let url = "sim:?A=sine,1kHz,-2..2V&B=triangle,730Hz,-3..1V&L0=square,3.1kHz,0..3V&noise=20mV&clock=fast";
    for (size, allowed) in [((40, 12), 6250), ((80, 24), 6250), ((120, 40), 12_500)] {
        let (mut model, traces) = seen(url, json!({"lines": ["L0", "L1"]}), size, 21).await;
        let counted = Counted::default();
        let area = Rect::new(0, 0, size.0, size.1);
        let options = TerminalOptions { viewport: Viewport::Fixed(area) };
        let mut terminal = Terminal::with_options(CrosstermBackend::new(counted.clone()), options).unwrap();
        let mut bytes = Vec::new();
        for trace in traces {
            model.take_trace(trace);
            terminal.draw(|frame| drop(draw(frame.buffer_mut(), &model, LOOK))).unwrap();
            bytes.push(counted.0.replace(0));
        }
        let first = bytes.remove(0);
        let (mean, most) = (bytes.iter().sum::<usize>() / bytes.len(), bytes.iter().max().unwrap());
        println!("{}x{}: {first} bytes at first, then {mean} a picture, {most} at most", size.0, size.1);
        assert!(mean > 0 && mean < allowed, "{size:?}: {bytes:?}");
    }
}
