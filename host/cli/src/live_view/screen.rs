//! Brings together what the server sends, what is typed, and what is drawn.

use std::io::Write as _;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind};
use scopething::atomic::AtomicFile;
use scopething_files::plot::terminal::Style;
use scopething_serve::client::{
    Client, ClientError, Decoded, Frame, KeptTrace, Link, Message, View, decoded, trace, trace_file, traces,
};
use serde_json::Value;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use super::decoding::Wish;
use super::draw::{draw, help_pages};
use super::history::{Pressed, Purpose};
use super::keys::{Action, action_of};
use super::model::{Connection, Lamp, Model, Order};
use super::pointer::Pointer;
use super::traces::dot_columns;
use super::tty::{Tty, events};
use crate::failure::Failure;
use crate::interrupt::Interrupts;

/// The least time between two pictures: 20 a second.
const FRAME_INTERVAL: Duration = Duration::from_millis(50);
/// Pictures a second that the server sends at most.
const FRAME_RATE: f64 = 20.0;
/// How long nothing is tried after a connection that did not come about.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// The longest line that can be typed, in characters.
const MAX_PROMPT: usize = 200;

/// How it is shown.
pub(super) struct Options {
    /// What the terminal can show.
    pub(super) look: Style,
    pub(super) mouse: bool,
    /// Whether a server that is gone is waited for.
    pub(super) reconnects: bool,
}

type Connecting = Pin<Box<dyn Future<Output = Result<Client, ClientError>>>>;

/// The way to the server.
enum Way {
    Open(Box<Client>),
    Opening(Connecting),
}

/// What became of a file.
type Saved = Result<String, String>;

/// What the server keeps.
enum Fetched {
    List(Vec<KeptTrace>),
    Trace(Box<Frame>, Purpose),
    Decoded(Wish, Result<Decoded, ClientError>),
}

struct Screen<'a> {
    link: &'a Link,
    options: Options,
    model: Model,
    tty: Tty,
    pointer: Pointer,
    /// What the server was asked to send.
    view: Option<View>,
    /// Files that are being fetched and written.
    saves: JoinSet<Saved>,
    /// Traces and lists of them that are being fetched to be shown.
    fetches: JoinSet<Result<Fetched, ClientError>>,
    /// Traces that are not drawn yet, each of which the server waits for.
    undrawn: Vec<u64>,
    dirty: bool,
}

/// Shows the oscilloscope at a link until the user quits, or a server that is not waited for is gone.
pub(super) async fn run(
    link: &Link,
    model: Model,
    options: Options,
    interrupts: &Interrupts,
) -> Result<(), Failure> {
    let client = tokio::select! {
        client = Client::connect(link) => client.map_err(Failure::failed)?,
        () = interrupts.reached(1) => return Err(Failure::Cancelled),
    };
    let tty = Tty::open(options.mouse).map_err(Failure::failed)?;
    let screen = Screen {
        link,
        options,
        model,
        tty,
        pointer: Pointer::default(),
        view: None,
        saves: JoinSet::new(),
        fetches: JoinSet::new(),
        undrawn: Vec::new(),
        dirty: true,
    };
    Box::pin(show(screen, client, interrupts)).await
}

async fn show(mut screen: Screen<'_>, client: Client, interrupts: &Interrupts) -> Result<(), Failure> {
    let mut typed = events();
    let mut way = Way::Open(Box::new(client));
    let mut due = Instant::now();
    loop {
        let changes_at = Instant::now() + screen.model.next_change();
        let drawing = async {
            tokio::time::sleep_until(due).await;
            screen.tty.idle().await;
        };
        tokio::select! {
            biased;
            () = interrupts.reached(1) => return screen.finish().await,
            event = typed.recv() => {
                // Without a terminal there is nobody who looks.
                let Some(event) = event else { return screen.finish().await };
                if screen.take_event(&event, &mut way).await? { return screen.finish().await }
            }
            Some(saved) = screen.saves.join_next() => {
                let (text, lamp) = match outcome(saved) {
                    Ok(text) => (text, Lamp::Good),
                    Err(text) => (text, Lamp::Bad),
                };
                screen.model.toast(text, lamp);
                screen.dirty = true;
            }
            Some(fetched) = screen.fetches.join_next() => screen.take_fetched(fetched),
            news = next(&mut way) => screen.take_news(news, &mut way)?,
            () = drawing, if screen.dirty => {
                screen.draw().map_err(Failure::failed)?;
                due = Instant::now() + FRAME_INTERVAL;
            }
            () = tokio::time::sleep_until(changes_at), if !screen.dirty => screen.dirty = true,
        }
        screen.send_changes(&mut way).await;
    }
}

/// What comes from the server: that it is there, or a message.
enum News {
    Connected(Box<Client>),
    Message(Message),
    Gone(String),
}

async fn next(way: &mut Way) -> News {
    match way {
        Way::Open(client) => match client.next().await {
            Ok(Some(message)) => News::Message(message),
            Ok(None) => News::Gone("the server has hung up".to_owned()),
            Err(error) => News::Gone(error.to_string()),
        },
        Way::Opening(connecting) => match connecting.await {
            Ok(client) => News::Connected(Box::new(client)),
            Err(error) => News::Gone(error.to_string()),
        },
    }
}

impl Screen<'_> {
    /// Fails if the server is gone, and is not waited for.
    fn take_news(&mut self, news: News, way: &mut Way) -> Result<(), Failure> {
        self.dirty = true;
        match news {
            News::Connected(client) => {
                *way = Way::Open(client);
                self.model.set_connection(Connection::Open);
                (self.view, self.undrawn) = (None, Vec::new());
            }
            News::Gone(reason) => {
                if !self.options.reconnects {
                    return Err(Failure::failed(anyhow::Error::msg(reason)));
                }
                self.model.set_connection(Connection::Lost(reason));
                let link = self.link.clone();
                *way = Way::Opening(Box::pin(async move {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                    Client::connect(&link).await
                }));
            }
            News::Message(Message::State(state)) => self.model.take_state(*state),
            News::Message(Message::Status(status)) => self.model.take_status(status),
            News::Message(Message::Trace(trace)) => {
                self.undrawn.push(trace.about.seq);
                self.model.take_trace(*trace);
            }
            News::Message(Message::Measurements(measured)) => self.model.take_measurements(&measured),
            News::Message(Message::Done { id }) => {
                self.model.take_done(id);
                // What was pinned or deleted changes the list, now that it is done.
                if self.model.history.is_some() {
                    self.list();
                }
            }
            News::Message(Message::Refused { id, reason }) => self.model.take_refusal(id, reason),
        }
        Ok(())
    }

    /// Whether the user quits.
    async fn take_event(&mut self, event: &Event, way: &mut Way) -> Result<bool, Failure> {
        self.dirty = true;
        let order = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.press(key),
            Event::Mouse(mouse) => self.pointer.take(*mouse, &mut self.model),
            Event::Resize(columns, rows) => {
                self.tty.resize(*columns, *rows).map_err(Failure::failed)?;
                None
            }
            _ => None,
        };
        match order {
            Some(Order::Quit) => return Ok(true),
            Some(Order::Command(command)) => self.send(way, command).await,
            Some(Order::Save { seq, path }) => self.save(seq, path),
            Some(Order::List) => self.list(),
            Some(Order::Fetch { seq, purpose }) => self.fetch(seq, purpose),
            None => {}
        }
        Ok(false)
    }

    fn press(&mut self, key: &KeyEvent) -> Option<Order> {
        let action = action_of(key);
        if action == Some(Action::Quit)
            && (self.model.prompt.is_none() || !matches!(key.code, KeyCode::Char('q' | 'Q')))
        {
            return Some(Order::Quit);
        }
        if let Some(prompt) = &mut self.model.prompt {
            match key.code {
                KeyCode::Enter => {
                    let line = self.model.prompt.take().unwrap_or_default();
                    return self.model.execute(&line);
                }
                KeyCode::Esc => self.model.prompt = None,
                KeyCode::Backspace if prompt.is_empty() => self.model.prompt = None,
                KeyCode::Backspace => drop(prompt.pop()),
                KeyCode::Char(character) if prompt.chars().count() < MAX_PROMPT => prompt.push(character),
                _ => {}
            }
            return None;
        }
        if let Some(page) = self.model.help {
            let more = matches!(
                key.code,
                KeyCode::Char('?' | ' ') | KeyCode::PageDown | KeyCode::Down | KeyCode::Right
            );
            let next = page + 1;
            self.model.help = (more && next < help_pages(&self.model)).then_some(next);
            return None;
        }
        if let Some(history) = &mut self.model.history {
            match history.press(key.code) {
                Pressed::Nothing => {}
                Pressed::Close => self.model.history = None,
                Pressed::Order(order) => return Some(order),
            }
            return None;
        }
        self.model.act(action?)
    }

    /// Sends a command; what becomes of it comes back.
    async fn send(&mut self, way: &mut Way, command: Value) {
        let id = self.model.next_id();
        if let Way::Open(client) = way {
            // One that broke is noticed by reading.
            let _ = client.command(id, command).await;
        } else {
            self.model.toast("There is no connection.".to_owned(), Lamp::Bad);
        }
    }

    /// Sends what the server has to know by now: knobs, what is to be seen, and what is drawn.
    async fn send_changes(&mut self, way: &mut Way) {
        let Way::Open(client) = way else { return };
        if let Some((id, command)) = self.model.turned() {
            let _ = client.command(id, command).await;
        }
        for command in self.model.take_outbox() {
            let id = self.model.next_id();
            let _ = client.command(id, command).await;
        }
        if let Some(wish) = self.model.wish_to_decode() {
            let link = self.link.clone();
            self.fetches.spawn(async move {
                let decoded = decoded(&link, wish.seq, &wish.decoders).await;
                Ok(Fetched::Decoded(wish, decoded))
            });
        }
        if self.model.layout.plot.width == 0 {
            return;
        }
        let whole = self.model.analysis.needs_samples();
        let (from, to) = if whole { (0.0, 1.0) } else { self.model.part() };
        let to_six_digits = |part: f64| (part * 1e6).round() / 1e6;
        let view = View {
            columns: (!whole).then(|| dot_columns(&self.model.layout, self.options.look.glyphs)),
            from: to_six_digits(from),
            to: to_six_digits(to),
            rate: FRAME_RATE,
            paced: true,
            measure: !self.model.readings.is_empty(),
        };
        if self.view.as_ref() != Some(&view) {
            let _ = client.view(&view).await;
            self.view = Some(view);
        }
        if !self.dirty {
            for seq in std::mem::take(&mut self.undrawn) {
                let _ = client.drawn(seq).await;
            }
        }
    }

    fn draw(&mut self) -> std::io::Result<()> {
        let Self { tty, model, options, .. } = self;
        model.persist(options.look.glyphs);
        let mut layout = None;
        tty.draw(|buffer| layout = Some(draw(buffer, model, options.look)))?;
        model.layout = layout.unwrap_or_default();
        self.dirty = false;
        Ok(())
    }

    /// Fetches the list of what is kept.
    fn list(&mut self) {
        let link = self.link.clone();
        self.fetches.spawn(async move { traces(&link).await.map(Fetched::List) });
    }

    /// Fetches a trace to show it.
    fn fetch(&mut self, seq: u64, purpose: Purpose) {
        let link = self.link.clone();
        self.fetches.spawn(async move {
            trace(&link, seq).await.map(|frame| Fetched::Trace(Box::new(frame), purpose))
        });
    }

    fn take_fetched(&mut self, fetched: Result<Result<Fetched, ClientError>, JoinError>) {
        self.dirty = true;
        let reason = match fetched {
            Ok(Ok(Fetched::List(traces))) => return self.model.take_history(traces),
            Ok(Ok(Fetched::Trace(frame, purpose))) => return self.model.take_kept(*frame, &purpose),
            Ok(Ok(Fetched::Decoded(wish, decoded))) => return self.model.take_decoded(&wish, decoded),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        // The list would cover it.
        self.model.history = None;
        self.model.toast(reason, Lamp::Bad);
    }

    /// Fetches a trace and writes it, beside everything else.
    fn save(&mut self, seq: u64, path: String) {
        let link = self.link.clone();
        self.saves.spawn(async move { write_trace(&link, seq, &path).await });
    }

    /// Gives the terminal back, and waits for files that are still being written: fetching one is bounded in time.
    async fn finish(self) -> Result<(), Failure> {
        let Self { tty, mut saves, .. } = self;
        drop(tty);
        while let Some(saved) = saves.join_next().await {
            outcome(saved).map_err(|error| Failure::failed(anyhow::Error::msg(error)))?;
        }
        Ok(())
    }
}

fn outcome(saved: Result<Saved, JoinError>) -> Saved {
    saved.unwrap_or_else(|error| Err(format!("a file was not written: {error}")))
}

async fn write_trace(link: &Link, seq: u64, path: &str) -> Saved {
    let format = Path::new(path).extension().and_then(|format| format.to_str()).unwrap_or_default();
    if format.is_empty() || !format.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(format!("{path:?} names no format: end it in .csv, .sr, .npz, .png, .."));
    }
    let bytes = trace_file(link, seq, format).await.map_err(|error| error.to_string())?;
    write_new(Path::new(path), &bytes).map_err(|error| format!("{path} was not written: {error}"))?;
    Ok(format!("Trace {seq} is in {path}"))
}

/// Writes a file that does not exist yet: one that does is kept.
fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    anyhow::ensure!(!path.exists(), "it exists, and is kept: name another file");
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    Ok(file.commit()?)
}
