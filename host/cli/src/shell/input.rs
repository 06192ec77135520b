//! Where a shell's lines come from: a person at a terminal, or a script on standard input.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;

use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::super::failure::Failure;
use super::super::interrupt::Interrupts;
use super::super::message::print_warning;
use super::completion::Completion;

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 16;
/// Lines that are remembered from one shell to the next.
const HISTORY_LINES: usize = 1000;

/// The lines of a shell.
pub(super) struct Input {
    /// The editor of a terminal's lines; it is away while it reads one.
    editor: Option<Box<LineEditor>>,
    typed: bool,
    lines: usize,
    /// How the terminal is set while no line is edited.
    terminal: Terminal,
}

type LineEditor = Editor<Completion, FileHistory>;

/// What was entered.
pub(super) enum Entered {
    Line(String),
    /// Ctrl-C at the prompt.
    Nothing,
    End,
}

impl Input {
    pub(super) fn open(commands: &clap::Command) -> Result<Self, Failure> {
        let typed = io::stdin().is_terminal();
        let editor = if typed { Some(Box::new(editor(commands)?)) } else { None };
        Ok(Self { editor, typed, lines: 0, terminal: Terminal::of_stdin() })
    }

    /// Whether a person types the lines.
    pub(super) fn is_typed(&self) -> bool {
        self.typed
    }

    /// How many were read.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// The next line. Ctrl-C ends a script, and a signal that ends the process also what is typed.
    pub(super) async fn read(&mut self, prompt: &str, interrupts: &Interrupts) -> Result<Entered, Failure> {
        self.lines += 1;
        let Some(editor) = self.editor.take() else {
            // Reading blocks, and Ctrl-C is to be seen meanwhile.
            let reading = tokio::task::spawn_blocking(read_script_line);
            return tokio::select! {
                line = reading => line.map_err(io::Error::other)?,
                () = interrupts.reached(1) => Err(Failure::Cancelled),
            };
        };
        let prompt = prompt.to_owned();
        let editing = tokio::task::spawn_blocking(move || edit(editor, &prompt));
        tokio::select! {
            edited = editing => {
                let (editor, entered) = edited.map_err(io::Error::other)?;
                self.editor = Some(editor);
                entered
            }
            () = interrupts.terminated() => {
                // The editor, which waits for a key in its thread, cannot put the terminal back.
                self.terminal.restore();
                Ok(Entered::End)
            }
        }
    }

    /// Keeps the history. That it cannot be kept is no failure of what was done.
    pub(super) fn close(&mut self) {
        let (Some(editor), Some(path)) = (&mut self.editor, history_path()) else { return };
        let kept = path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(ReadlineError::from);
        if let Err(error) = kept.and_then(|()| editor.save_history(&path)) {
            print_warning!("the history was not kept in {}: {error}", path.display());
        }
    }
}

/// The settings of the terminal on standard input, if it is one.
struct Terminal {
    #[cfg(unix)]
    settings: Option<rustix::termios::Termios>,
}

#[cfg(unix)]
impl Terminal {
    fn of_stdin() -> Self {
        Self { settings: rustix::termios::tcgetattr(io::stdin()).ok() }
    }

    fn restore(&self) {
        if let Some(settings) = &self.settings {
            // A terminal that is gone needs no settings.
            let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, settings);
        }
    }
}

/// A console belongs to the process that reads from it.
#[cfg(not(unix))]
impl Terminal {
    fn of_stdin() -> Self {
        Self {}
    }

    fn restore(&self) {}
}

fn editor(commands: &clap::Command) -> Result<LineEditor, Failure> {
    let config = Config::builder().completion_type(CompletionType::List).build();
    let mut editor = LineEditor::with_config(config).map_err(Failure::failed)?;
    editor.set_auto_add_history(true);
    editor.set_max_history_size(HISTORY_LINES).map_err(Failure::failed)?;
    editor.set_helper(Some(Completion::new(commands.clone())));
    if let Some(path) = history_path().filter(|path| path.exists())
        && let Err(error) = editor.load_history(&path)
    {
        print_warning!("the history in {} was not read: {error}", path.display());
    }
    Ok(editor)
}

fn edit(mut editor: Box<LineEditor>, prompt: &str) -> (Box<LineEditor>, Result<Entered, Failure>) {
    let entered = match editor.readline(prompt) {
        Ok(line) => Ok(Entered::Line(line)),
        Err(ReadlineError::Interrupted) => Ok(Entered::Nothing),
        Err(ReadlineError::Eof) => Ok(Entered::End),
        Err(error) => Err(Failure::failed(error)),
    };
    (editor, entered)
}

fn read_script_line() -> Result<Entered, Failure> {
    let mut line = Vec::new();
    let read = io::Read::take(&mut io::stdin().lock(), MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(Entered::End);
    }
    if read as u64 == MAX_LINE_BYTES && line.last() != Some(&b'\n') {
        return Err(Failure::Usage(anyhow::anyhow!("a line is longer than {MAX_LINE_BYTES} bytes")));
    }
    let line = String::from_utf8(line).map_err(Failure::usage)?;
    Ok(Entered::Line(line))
}

/// Beside the file of calibrations.
fn history_path() -> Option<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
    Some(home.join(".config/scopething/shell-history"))
}
