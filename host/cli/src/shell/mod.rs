//! `scopething shell`: the commands of the command line over one connection, with generators that stay on.

mod completion;
mod input;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use scopething::generate::stop;
use scopething_core::scope::Generators;

use self::input::{Entered, Input};
use super::capture_arguments::UrlArgument;
use super::failure::Failure;
use super::message::{print_note, print_status};
use super::session::Session;
use super::session_command::SessionCommand;

const EXAMPLES: &str = "\
Examples:
  scopething shell --url /dev/ttyUSB0
      Then, for instance:
        wave sine 1kHz
        capture A --period 5ms --plot
        stop
        clock '10kHz L4, L5 phase 90deg'
  scopething shell --url sim: < commands.txt
      Commands from a file, a line each; # begins a comment

The commands are those of the command line that use one BitScope or read files, and stop, pause, resume and \
exit; `help` lists them. Generators stay on from one command to the next, and stop when the shell ends. \
The Tab key completes, the arrow keys fetch earlier lines, Ctrl-D ends.

Ctrl-C ends a command as it does on the command line, and the shell goes on; at the prompt it drops the \
line. A device that was lost is connected to anew by the next command. When the commands are not typed \
at a terminal, the first that fails ends the shell with its exit code.";

/// Run commands one after another, while generators stay on
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
}

/// A line that was entered in the shell.
#[derive(Debug, Parser)]
#[command(multicall = true, max_term_width = 100, about = None)]
struct ShellLine {
    #[command(subcommand)]
    command: LineCommand,
}

#[derive(Debug, Subcommand)]
enum LineCommand {
    #[command(flatten)]
    Session(Box<SessionCommand>),
    /// Stop the waveform, the clocks, or the lines that are held
    Stop,
    /// Hold the waveform where it is
    Pause,
    /// Let a paused waveform go on
    Resume,
    /// Leave the shell
    #[command(alias = "quit")]
    Exit,
}

/// Whether more lines are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Line,
    End,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let mut session = Session::of_shell(self.url.parse()?.unwrap_or_default());
        let mut input = Input::open(&line_command())?;
        if input.is_typed() {
            print_status!("`help` lists the commands, `help COMMAND` describes one, Ctrl-D exits");
        }
        let ended = run_lines(&mut session, &mut input).await;
        input.close();
        // The failure of a script is reported even if stopping the generators fails too.
        ended.and(session.leave().await)
    }
}

async fn run_lines(session: &mut Session, input: &mut Input) -> Result<(), Failure> {
    loop {
        let line = match input.read(&prompt(session.generators()), &session.interrupts()).await? {
            Entered::Line(line) => line,
            Entered::Nothing => continue,
            Entered::End => return Ok(()),
        };
        let ran = run_line(session, &line).await;
        match ran {
            Ok(_) if session.interrupts().is_terminated() => return Ok(()),
            Ok(Next::Line) => {}
            Ok(Next::End) => return Ok(()),
            Err(failure @ Failure::OutputClosed) => return Err(failure),
            Err(failure) if input.is_typed() => drop(failure.report()),
            Err(failure) => {
                print_note!("line {} failed, those after it are left out", input.lines());
                return Err(failure);
            }
        }
    }
}

async fn run_line(session: &mut Session, line: &str) -> Result<Next, Failure> {
    let words = shlex::split(line).ok_or_else(|| {
        Failure::Usage(anyhow::anyhow!("a quotation mark is not closed: put one more at the end"))
    })?;
    if words.is_empty() {
        return Ok(Next::Line);
    }
    let parsed =
        line_command().try_get_matches_from(words).and_then(|matches| ShellLine::from_arg_matches(&matches));
    let command = match parsed {
        Ok(line) => line.command,
        Err(message) => {
            message.print()?;
            // Help arrives the same way, and is not a failure.
            return match message.exit_code() {
                0 => Ok(Next::Line),
                _ => Err(Failure::Reported(2)),
            };
        }
    };
    let result = match command {
        LineCommand::Session(command) => return command.run(session).await.map(|()| Next::Line),
        LineCommand::Exit => return Ok(Next::End),
        LineCommand::Stop => change(session, Change::Stop).await,
        LineCommand::Pause => change(session, Change::Pause).await,
        LineCommand::Resume => change(session, Change::Resume).await,
    };
    session.end_command(result).await.map(|()| Next::Line)
}

/// What is done to a generator that runs.
#[derive(Debug, Clone, Copy)]
enum Change {
    Stop,
    Pause,
    Resume,
}

async fn change(session: &mut Session, change: Change) -> Result<(), Failure> {
    let scope = session.generating()?;
    match change {
        Change::Stop => stop(scope).await?,
        Change::Pause => scope.pause_waveform().await?,
        Change::Resume => scope.resume_waveform().await?,
    }
    Ok(())
}

/// What the prompt shows: what the generators do.
fn prompt(generators: Generators) -> String {
    let generators = match generators {
        Generators::Off => "",
        Generators::Waveform { paused: false } => " (wave)",
        Generators::Waveform { paused: true } => " (wave, paused)",
        Generators::Clocks { .. } => " (clock)",
        Generators::Levels { .. } => " (hold)",
    };
    format!("scopething{generators}> ")
}

/// The commands of a line. A link in the environment is that of the shell, and not named anew by each of
/// them.
fn line_command() -> clap::Command {
    ShellLine::command().mut_subcommands(|command| {
        if command.get_arguments().any(|argument| argument.get_id() == "url") {
            command.mut_arg("url", |argument| argument.env(None::<&'static str>))
        } else {
            command
        }
    })
}
