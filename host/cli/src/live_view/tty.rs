//! The terminal: taken over, written to by a thread of its own, and given back however the program ends.
//!
//! A terminal behind a slow line takes its time: what is drawn next waits for that, and nothing else does.

use std::cell::RefCell;
use std::io::{self, IsTerminal as _, Write};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Once};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{DisableMouseCapture, EnableMouseCapture, Event};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, event, queue};
use ratatui::layout::Rect;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::failure::Failure;

/// How long the terminal is given to take what gives it back.
const RESTORE_TIMEOUT: Duration = Duration::from_millis(500);
/// Keys that wait.
const MAX_EVENTS: usize = 256;

/// Refuses to draw where there is no terminal.
pub(super) fn require() -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::Usage(anyhow::anyhow!(
        "live draws in a terminal, and standard input or output is none: give --browser for the page, or use \
         `scopething capture --plot` for one picture"
    )))
}

/// Bytes that are collected.
#[derive(Debug, Clone, Default)]
struct Collected(Rc<RefCell<Vec<u8>>>);

impl Write for Collected {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the terminal gets to be taken over, and to be given back.
fn opening(mouse: bool) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    queue!(bytes, EnterAlternateScreen, cursor::Hide)?;
    if mouse {
        queue!(bytes, EnableMouseCapture)?;
    }
    Ok(bytes)
}

fn closing() -> Vec<u8> {
    let mut bytes = Vec::new();
    // Memory takes whatever is written to it.
    let _ = queue!(bytes, DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
    bytes
}

/// Has a panic give the terminal back before its message is printed.
fn restore_on_panic() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let _ = disable_raw_mode();
            let _ = io::stdout().write_all(&closing()).and_then(|()| io::stdout().flush());
            before(panic);
        }));
    });
}

/// The terminal, as long as it is drawn in.
pub(super) struct Tty {
    terminal: Terminal<CrosstermBackend<Collected>>,
    collected: Collected,
    /// Takes what is to be written, with the permission that it gives back then.
    writer: Option<Sender<(Vec<u8>, Option<OwnedSemaphorePermit>)>>,
    written: Receiver<()>,
    idle: Arc<Semaphore>,
}

impl Tty {
    /// Takes it over.
    pub(super) fn open(mouse: bool) -> io::Result<Self> {
        restore_on_panic();
        let collected = Collected::default();
        let terminal = Terminal::new(CrosstermBackend::new(collected.clone()))?;
        enable_raw_mode()?;
        let (writer, waiting) = channel::<(Vec<u8>, Option<OwnedSemaphorePermit>)>();
        let (ended, written) = channel();
        std::thread::spawn(move || {
            let mut out = io::stdout();
            for (bytes, permit) in waiting {
                // A terminal that was closed ends the program by SIGHUP.
                let _ = out.write_all(&bytes).and_then(|()| out.flush());
                drop(permit);
            }
            let _ = ended.send(());
        });
        let _ = writer.send((opening(mouse)?, None));
        Ok(Self { terminal, collected, writer: Some(writer), written, idle: Arc::new(Semaphore::new(1)) })
    }

    /// Completes when all that was drawn is written.
    ///
    /// # Cancellation
    /// Dropping the future loses nothing.
    pub(super) async fn idle(&self) {
        drop(Arc::clone(&self.idle).acquire_owned().await);
    }

    /// Draws; only what changed is written, and when that is done it is [`idle`](Self::idle) again.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        let permit = Arc::clone(&self.idle).try_acquire_owned().ok();
        self.terminal.draw(|frame| render(frame.buffer_mut()))?;
        let bytes = std::mem::take(&mut *self.collected.0.borrow_mut());
        if let Some(writer) = &self.writer {
            let _ = writer.send((bytes, permit));
        }
        Ok(())
    }

    /// Has everything drawn anew, for so many columns and rows. (`Terminal::clear` asks the terminal where its cursor is, and
    /// would wait for the answer among the keys.)
    pub(super) fn resize(&mut self, columns: u16, rows: u16) -> io::Result<()> {
        self.terminal.resize(Rect::new(0, 0, columns, rows))
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            let _ = writer.send((closing(), None));
            drop(writer);
            // One that takes nothing must not hold up the end.
            let _ = self.written.recv_timeout(RESTORE_TIMEOUT);
        }
        let _ = disable_raw_mode();
    }
}

/// Keys, the mouse and new sizes, read by a thread of its own: it ends with the program.
pub(super) fn events() -> mpsc::Receiver<Event> {
    let (sender, receiver) = mpsc::channel(MAX_EVENTS);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_over_is_given_back() {
        let opening = String::from_utf8(opening(true).unwrap()).unwrap();
        let closing = String::from_utf8(closing()).unwrap();
        // DEC private modes: each that is set is reset, and the cursor the other way round.
        let modes = |text: &str, end: char| -> Vec<String> {
            let mut modes: Vec<String> =
                text.split("\x1b[?").filter_map(|part| part.strip_suffix(end).map(str::to_owned)).collect();
            modes.sort();
            modes
        };
        let mut taken = modes(&opening, 'h');
        taken.extend(modes(&opening, 'l'));
        let mut given = modes(&closing, 'l');
        given.extend(modes(&closing, 'h'));
        taken.sort();
        given.sort();
        assert!(taken.len() >= 4, "{taken:?}");
        assert_eq!(taken, given);
    }
}
