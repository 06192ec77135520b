//! `scopething live` in a terminal: keys and the mouse, other sizes, and the terminal as it was found.
use std::fmt::Write as _;
use std::num::NonZeroU16;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::pty::Pty;
use crate::support::relay::{Limit, Relay};
use crate::support::{Finished, HANG, Listening, bounded, program, scopething};
use rustix::process::Signal;
use scopething_serve::client::{Client, Frame, Link, Message, State};
use serde_json::json;
use tokio::process::Command;

const SIGNAL: &str = "sim:?A=sine,1kHz,-2..2V";

/// The program in a terminal, which is emulated.
struct Live {
    pty: Pty,
    screen: vt100::Parser,
    bytes: usize,
}

impl Live {
    fn start(arguments: &[&str], size: (u16, u16)) -> Self {
        Self::start_with(arguments, size, &[])
    }

    /// In a session of its own, so that it is notified of new sizes as a program of a shell is.
    fn start_with(arguments: &[&str], size: (u16, u16), environment: &[(&str, &str)]) -> Self {
        let program = program(&[&["live"], arguments].concat());
        let program = program.as_std();
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args()).kill_on_drop(true);
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env("TERM", "xterm-256color").envs(environment.iter().copied());
        let screen = vt100::Parser::new(not_zero(size.1), not_zero(size.0), 0);
        Self { pty: Pty::start(&mut command, size), screen, bytes: 0 }
    }

    fn text(&self) -> String {
        self.screen.screen().contents()
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    fn until(&mut self, what: &str, reached: impl Fn(&vt100::Screen) -> bool) {
        let started = Instant::now();
        while !reached(self.screen.screen()) {
            let text = self.text();
            // Traces go on, whatever is waited for.
            assert!(started.elapsed() < HANG, "no {what} in {text}");
            let chunk = self.pty.next(what, &|| text.clone());
            self.bytes += chunk.len();
            self.screen.process(&chunk);
        }
    }

    #[track_caller]
    fn until_text(&mut self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    #[track_caller]
    fn until_trace(&mut self) {
        self.until("a trace", |screen| {
            screen.contents().chars().filter(|character| is_braille(*character)).count() > 20
        });
    }

    /// The column and row of a character, from 1 on as the mouse counts.
    fn place_of(&self, character: &str) -> (u16, u16) {
        let screen = self.screen.screen();
        let (rows, columns) = screen.size();
        let (rows, columns) = (rows.get(), columns.get());
        let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (column, row)));
        let found = places.into_iter().find(|(column, row)| {
            screen.cell(*row, *column).is_some_and(|cell| cell.contents() == character)
        });
        let (column, row) = found.unwrap_or_else(|| panic!("no {character} in {}", self.text()));
        (column + 1, row + 1)
    }

    /// The mouse as xterm reports it: a button, where, and whether it is down.
    fn mouse(&mut self, button: u8, (column, row): (u16, u16), down: bool) {
        let end = if down { 'M' } else { 'm' };
        self.pty.press(&format!("\x1b[<{button};{column};{row}{end}"));
    }

    /// Waits for its end, with the terminal as it was found.
    async fn ended(mut self, code: i32) {
        assert_eq!(self.pty.end().await, Some(code), "{}", self.text());
        // What it wrote last is still on its way.
        self.until("the terminal as it was", |screen| {
            let has_mouse = screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None;
            !screen.alternate_screen() && !screen.hide_cursor() && !has_mouse
        });
        assert!(self.pty.is_cooked());
        assert!(!self.text().contains("panicked"), "{}", self.text());
    }
}

fn not_zero(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a size")
}

fn is_braille(character: char) -> bool {
    ('\u{2801}'..='\u{28ff}').contains(&character)
}

/// What another client of the same instrument sees.
struct Other(Client);

impl Other {
    async fn until<T>(&mut self, what: &str, wanted: impl Fn(Message) -> Option<T>) -> T {
        bounded(what, async {
            loop {
                if let Some(found) = wanted(self.0.next().await.unwrap().expect("the server stays")) {
                    return found;
                }
            }
        })
        .await
    }

    async fn state(&mut self, what: &str, wanted: impl Fn(&State) -> bool) -> State {
        self.until(what, |message| match message {
            Message::State(state) if wanted(&state) => Some(*state),
            _ => None,
        })
        .await
    }

    async fn trace(&mut self, what: &str, wanted: impl Fn(&Frame) -> bool) -> Frame {
        self.until(what, |message| match message {
            Message::Trace(trace) if wanted(&trace) => Some(*trace),
            _ => None,
        })
        .await
    }
}

/// A knob, what is typed for it, and whether it was turned.
type Turn = (&'static str, &'static str, fn(&State) -> bool);

#[tokio::test]
async fn keys_and_mouse_turn_shared_knobs() {
    let server = Listening::start(&["serve", "--url", SIGNAL, "--web", "127.0.0.1:0"]).await;
    let link = server.address("web_link").to_owned();
    let mut live = Live::start(&["--connect", &link], (100, 30));
    live.until_trace();
    let mut other = Other(Client::connect(&link.parse::<Link>().unwrap()).await.unwrap());
    other.state("the first state", |state| state.settings.time_per_div == 500e-6).await;
    let turns: [Turn; 13] = [
        ("→", "\x1b[C", |state| state.settings.time_per_div == 1e-3),
        ("↑", "\x1b[A", |state| state.settings.channels.a.volts_per_div == 2.0),
        ("Page ↑", "\x1b[5~", |state| state.settings.channels.a.middle == -1.0),
        (".", ".", |state| state.settings.position == 0.55),
        ("+", "+", |state| {
            state
                .settings
                .trigger
                .level
                .is_some_and(|level| (level - 0.2).abs() < 1e-6 || (level + 0.8).abs() < 1e-6)
        }),
        ("E", "e", |state| state.settings.trigger.kind == "falling"),
        ("M", "m", |state| state.settings.trigger.mode == "normal"),
        ("H", "h", |state| state.settings.trigger.hair),
        ("B", "b", |state| state.settings.bits == "8"),
        ("J", "j", |state| state.settings.roll == "off"),
        ("L", "l", |state| state.settings.lines.is_empty()),
        ("2", "2", |state| !state.settings.channels.b.on),
        ("a command", ":samples 500\r", |state| state.settings.samples == 500),
    ];
    let mut changes = 0;
    for (key, typed, turned) in turns {
        live.pty.press(typed);
        changes = other.state(key, turned).await.changes;
    }
    // The device was programmed with it: 12 divisions of 1 ms, 500 samples of A alone.
    let trace = other.trace("a trace of that", |trace| trace.about.changes == changes).await;
    assert!((trace.about.duration - 12e-3).abs() < 1e-3, "{}", trace.about.duration);
    let names: Vec<&str> = trace.channels.iter().map(|channel| channel.block.name.as_str()).collect();
    assert_eq!(names, ["A"]);
    assert!(trace.channels[0].block.samples.abs_diff(500) < 30, "{}", trace.channels[0].block.samples);
    // What another client turns is seen here.
    other
        .0
        .command(1, json!({"type": "set", "settings": {"time_per_div": "2ms", "trigger": {"level": 0}}}))
        .await
        .unwrap();
    live.until_text("2 ms/div");
    // The wheel over the traces, and the level by its mark: two rows up.
    live.mouse(64, (50, 12), true);
    other.state("the wheel", |state| state.settings.time_per_div == 1e-3).await;
    let (column, row) = live.place_of("◄");
    live.mouse(0, (column, row), true);
    live.mouse(32, (column, row - 2), true);
    live.mouse(0, (column, row - 2), false);
    let level =
        other.state("the level", |state| state.settings.trigger.level.is_some_and(|level| level > 0.5)).await;
    assert!(level.settings.trigger.level.unwrap() < 3.0);
    // It goes on by itself when the server is there again.
    let address = server.address("web").to_owned();
    drop((other, server));
    live.until_text("No connection");
    let _again = Listening::start(&["serve", "--url", SIGNAL, "--web", &address]).await;
    live.until("the connection", |screen| !screen.contents().contains("No connection"));
    live.until_trace();
    live.pty.press("q");
    live.ended(0).await;
}

/// What is made of traces on this screen: by the keys of the page, and the history by a list.
#[tokio::test]
async fn traces_are_analysed_compared_and_kept() {
    let url = "sim:?A=sine,1kHz,-2..2V&B=square,1kHz,0..1V";
    let mut live = Live::start(&["--url", url], (110, 44));
    live.until_trace();
    live.pty.press("v");
    live.until_text("avg 4/4");
    live.pty.press("p");
    live.until_text("persist short");
    live.pty.press("d");
    // 2 V of amplitude are 1.41 V RMS.
    live.until("the spectrum", |screen| {
        let text = screen.contents();
        text.contains("A spectrum (hann) ") && text.contains(" 3.0 dBV")
    });
    live.pty.press(":spectrum off\rn");
    live.until_text("A+B 1 V/div");
    live.pty.press("o");
    live.until_text("X: A  Y: B");
    live.pty.press("o");
    live.until("time again", |screen| !screen.contents().contains("X: A  Y: B"));
    live.pty.press("r");
    live.until_text("ref trace ");
    live.pty.press("k");
    live.until("a trace within the mask", |screen| {
        let text = screen.contents();
        text.contains("A mask  passed ") && !text.contains("A mask  passed 0")
    });
    live.pty.press(":measure A-B.delay\r");
    live.until_text("A-B delay");
    // The history: one is pinned, shown, and given up for live ones.
    live.pty.press("\r");
    live.until("the list", |screen| {
        screen.contents().contains("The last traces") && screen.contents().contains(" UTC  trigger")
    });
    live.pty.press("p");
    live.until_text("[Trace ");
    live.pty.press("\r");
    live.until_text("of the history");
    live.pty.press("\x1b");
    live.until("live traces", |screen| !screen.contents().contains("of the history"));
    live.pty.press("q");
    live.ended(0).await;
}

#[tokio::test]
async fn other_sizes_are_drawn_anew() {
    let mut live = Live::start(&["--url", SIGNAL], (100, 30));
    live.until_trace();
    live.until_text("A peak to peak");
    for (columns, rows) in [(40, 12), (120, 40), (20, 5), (80, 24)] {
        live.pty.resize((columns, rows));
        live.screen.set_size(not_zero(rows), not_zero(columns));
        let wanted = if columns < 30 { "too small" } else { "help  q quit" };
        // In the last row, where only a picture of this size has it.
        live.until(&format!("{columns}x{rows}"), |screen| {
            let last = screen.contents_between(if columns < 30 { 0 } else { rows - 1 }, 0, rows - 1, columns);
            last.contains(wanted)
        });
        if columns >= 30 {
            live.until_trace();
        }
    }
    live.pty.press("?");
    live.until_text("Run or stop");
    // In the last row, which is drawn last: no trace is left, and Esc and X do not arrive as one key.
    live.until_text("Help 1/");
    live.pty.press("\x1b");
    live.until_trace();
    live.pty.press("x");
    live.until_text("1/Δ");
    live.pty.press("\x03");
    live.ended(0).await;
}

// The terminal is waited for on this thread, and the relay has to go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generators_stop_and_the_terminal_is_given_back() {
    for end in [None, Some(Signal::TERM), Some(Signal::HUP)] {
        // Its input A sees its own generator.
        let simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
        let mut relay = Relay::start(simulator.address("tcp"), Limit::NONE).await;
        let mut live = Live::start(&["--url", &relay.url, "--generator", "sine 1kHz 0..3V"], (120, 30));
        live.until_trace();
        live.pty.press("g");
        live.until("the generator's signal", |screen| {
            screen.contents().contains("A peak to peak 3.")
                || screen.contents().contains("A peak to peak 2.9")
        });
        let before = relay.forwarded().resets;
        match end {
            Some(signal) => live.pty.signal(signal),
            None => live.pty.press("q"),
        }
        live.ended(0).await;
        // A reset stops generators.
        relay.until(|forwarded| forwarded.resets > before).await;
        relay.finish().await;
    }
}

#[tokio::test]
async fn no_color_and_file_paths_are_respected() {
    let place = tempfile::tempdir().unwrap();
    let mut live = Live::start_with(
        &["--url", SIGNAL, "--no-mouse"],
        (80, 24),
        &[("NO_COLOR", "1"), ("LANG", "C"), ("HOME", place.path().to_str().unwrap())],
    );
    // Without UTF-8 there is no braille either.
    live.until("a trace of ASCII", |screen| screen.contents().matches(['\'', '|']).count() > 20);
    let path = place.path().join("trace.csv");
    live.pty.press(&format!(":save {}\r", path.display()));
    live.until_text("Trace ");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written.contains("time,A,B,L0"), "{}", &written[..200]);
    live.pty.press(&format!(":save {}\r", path.display()));
    live.until_text("was not written");
    let colours = (0..24).flat_map(|row| (0..80).map(move |column| (row, column)));
    let is_coloured = |(row, column): (u16, u16)| {
        live.screen.screen().cell(row, column).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
    };
    assert_eq!(colours.filter(|place| is_coloured(*place)).count(), 0);
    assert_eq!(live.screen.screen().mouse_protocol_mode(), vt100::MouseProtocolMode::None);
    live.pty.press("q");
    live.ended(0).await;
}

/// What goes to the terminal in a second, while traces come as fast as they do.
#[tokio::test]
async fn a_second_fits_a_line_of_one_megabit() {
    let mut live =
        Live::start(&["--url", "sim:?A=sine,1kHz,-2..2V&B=sine,977Hz,-1..1V&noise=20mV"], (80, 24));
    live.until_trace();
    let (started, before) = (Instant::now(), live.bytes);
    live.until("two seconds", |_| started.elapsed() > Duration::from_secs(2));
    let rate = (live.bytes - before) as f64 / started.elapsed().as_secs_f64();
    println!("{rate:.0} bytes a second of 125000");
    assert!(rate > 100.0 && rate < 125_000.0, "{rate}");
    live.pty.press("q");
    live.ended(0).await;
}

#[tokio::test]
async fn missing_things_are_reported() {
    let refused = |finished: Finished, parts: &[&str], code| {
        let message = finished.refused(code);
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    };
    refused(scopething(&["live", "--url", SIGNAL]).await, &["terminal", "--browser"], 2);
    let mut live = Live::start(&["--connect", "127.0.0.1:1"], (80, 24));
    live.until_text("serve --web");
    live.ended(1).await;
    let mut live = Live::start(&["--connect", "ftp://x"], (80, 24));
    live.until_text("is no link");
    live.ended(2).await;
}

/// The picture of the pages: `cargo test -p scopething-cli --test live_terminal -- --ignored` makes it anew.
#[tokio::test]
#[ignore = "it writes host/pictures/live-terminal.svg"]
async fn draw_the_picture_of_the_pages() {
    let lines = "L0=square,2kHz,0..3V&L1=square,1kHz,0..3V&L2=square,500Hz,0..3V&L3=uart,9600,text=scope";
    let url = format!("sim:?A=sine,1kHz,-2..2V&B=triangle,500Hz,-3..1V&{lines}&noise=10mV");
    let mut live =
        Live::start(&["--url", &url, "--measure", "A.frequency,A.rms,B.peak_to_peak,L0.duty"], (110, 34));
    live.until_trace();
    live.pty.press(":lines L0,L1,L2,L3\rxd");
    live.until("statistics", |screen| {
        screen.contents().contains("1/Δ") && screen.contents().contains(", n 2")
    });
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pictures/live-terminal.svg");
    std::fs::write(picture, svg(live.screen.screen())).unwrap();
    live.pty.press("q");
    live.ended(0).await;
}

/// The screen as a picture, with braille as dots, so that it does not depend on fonts.
fn svg(screen: &vt100::Screen) -> String {
    const WIDTH: f64 = 9.0;
    const HEIGHT: f64 = 18.0;
    let (rows, columns) = screen.size();
    let (width, height) = (f64::from(columns.get()) * WIDTH, f64::from(rows.get()) * HEIGHT);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-8 -8 {} {}\" font-family=\"DejaVu Sans Mono, monospace\" font-size=\"14\">\n\
         <rect x=\"-8\" y=\"-8\" width=\"100%\" height=\"100%\" fill=\"#101418\"/>\n",
        width + 16.0,
        height + 16.0
    );
    for row in 0..rows.get() {
        for column in 0..columns.get() {
            let Some(cell) = screen.cell(row, column).filter(|cell| cell.has_contents()) else { continue };
            let (x, y) = (f64::from(column) * WIDTH, f64::from(row) * HEIGHT);
            let colour = colour(cell);
            match cell.contents().chars().next() {
                Some(character) if is_braille(character) => {
                    // Dots 1 to 6 by columns, 7 and 8 below them.
                    const PLACES: [(f64, f64); 8] =
                        [(0., 0.), (0., 1.), (0., 2.), (1., 0.), (1., 1.), (1., 2.), (0., 3.), (1., 3.)];
                    let dots = u32::from(character) - 0x2800;
                    for (_, (right, down)) in
                        PLACES.iter().enumerate().filter(|(dot, _)| dots & (1 << dot) != 0)
                    {
                        let (x, y) = (x + (right + 0.5) * WIDTH / 2.0, y + (down + 0.5) * HEIGHT / 4.0);
                        writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.7\" fill=\"{colour}\"/>")
                            .unwrap();
                    }
                }
                Some(' ') | None => {}
                Some(character) => {
                    let weight = if cell.bold() { " font-weight=\"bold\"" } else { "" };
                    let character = match character {
                        '<' => "&lt;".to_owned(),
                        '&' => "&amp;".to_owned(),
                        other => other.to_string(),
                    };
                    writeln!(
                        svg,
                        "<text x=\"{x:.0}\" y=\"{:.0}\" fill=\"{colour}\"{weight}>{character}</text>",
                        y + 14.0
                    )
                    .unwrap();
                }
            }
        }
    }
    svg + "</svg>\n"
}

/// The colours of a dark terminal.
fn colour(cell: &vt100::Cell) -> &'static str {
    match cell.fgcolor() {
        vt100::Color::Idx(33) => "#0087ff",
        vt100::Color::Idx(208) => "#ff8700",
        vt100::Color::Idx(35) => "#00af5f",
        vt100::Color::Idx(170) => "#d75fd7",
        vt100::Color::Idx(245) => "#8a8a8a",
        vt100::Color::Idx(242) => "#6c6c6c",
        vt100::Color::Idx(2) => "#4ec94e",
        vt100::Color::Idx(3) => "#d7af00",
        vt100::Color::Idx(1) => "#ff5f5f",
        _ => "#d8dee4",
    }
}
