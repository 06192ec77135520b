//! The command line: one file a subcommand. Nothing else in this crate prints.
//!
//! Results go to standard output, progress and hints to standard error. The exit code is 0 when done, 1 when the device, the
//! link or a file failed, 2 for wrong usage, 130 when cancelled with nothing to show.

#![deny(unsafe_code)]

mod analyse;
mod batch;
mod bridge;
mod calibrate;
mod capture;
mod capture_arguments;
mod clock;
mod completions;
mod config_file;
mod convert;
mod decode;
mod doctor;
mod event_log;
mod failure;
mod file_arguments;
mod file_or_capture;
mod file_traces;
mod generate_arguments;
mod generator;
mod given_options;
mod hold;
mod identity;
mod info;
mod interrupt;
mod licences;
mod like_arguments;
mod list;
mod live;
mod live_view;
mod man;
mod meanwhile;
mod measurements;
mod message;
mod named;
mod open;
mod output_arguments;
mod picture_size;
mod plan;
mod plot;
mod port_users;
mod progress;
mod record;
mod results;
mod selftest;
mod serve;
mod session;
mod session_command;
mod setup;
mod shell;
mod simulate;
mod stream;
mod table;
mod terminal;
mod wave;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser, Subcommand};

use self::failure::Failure;
use self::message::Level;
use self::session::Session;
use self::session_command::SessionCommand;

/// Captures, generates and measures with a BitScope Micro.
#[derive(Debug, Parser)]
#[command(name = "scopething", version, arg_required_else_help = true, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    messages: MessageArguments,
    #[command(subcommand)]
    command: Command,
}

/// How much is printed beside results.
#[derive(Debug, Args)]
struct MessageArguments {
    /// Print more of what is done on standard error; twice for all that goes over the link
    #[arg(short, long, action = ArgAction::Count, global = true)]
    verbose: u8,
    /// Print only warnings and errors; twice for errors alone
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "verbose")]
    quiet: u8,
}

impl MessageArguments {
    /// The level that `SCOPETHING_LOG` names, raised by each -v and lowered by each -q.
    fn level(&self) -> Result<Level, Failure> {
        let base = match std::env::var("SCOPETHING_LOG") {
            Ok(name) if !name.is_empty() => name
                .parse()
                .map_err(|error: String| Failure::Usage(anyhow::anyhow!("SCOPETHING_LOG: {error}")))?,
            _ => Level::Note,
        };
        Ok(base.raised(i16::from(self.verbose) - i16::from(self.quiet)))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Session(Box<SessionCommand>),
    Record(record::Arguments),
    Shell(shell::Arguments),
    Licences(licences::Arguments),
    Simulate(simulate::Arguments),
    Selftest(selftest::Arguments),
    Bridge(bridge::Arguments),
    Serve(serve::Arguments),
    List(list::Arguments),
    Setup(setup::Arguments),
    Doctor(doctor::Arguments),
    Open(open::Arguments),
    Completions(completions::Arguments),
    Man(man::Arguments),
    Live(live_view::Arguments),
}

/// Prints the help, or what is wrong with the arguments. The names of files among them may hold anything.
fn refused(error: &clap::Error) -> ExitCode {
    let is_plain = |argument: std::ffi::OsString| !argument.to_string_lossy().chars().any(char::is_control);
    let printed = if std::env::args_os().all(is_plain) {
        error.print()
    } else {
        terminal::stderr().write_all(error.render().to_string().as_bytes())
    };
    let code = u8::try_from(error.exit_code()).unwrap_or(2);
    ExitCode::from(if printed.is_ok() { code } else { 1 })
}

/// Has a limit of the size of files reported as a full disk is, where it would end the process. Must be called within the
/// runtime.
#[cfg(unix)]
fn survive_file_limits() {
    use tokio::signal::unix::{SignalKind, signal};

    // The handler stays when what it returns is dropped. A signal that cannot be had ends the process as ever.
    let _ = signal(SignalKind::from_raw(libc::SIGXFSZ));
}

#[cfg(not(unix))]
fn survive_file_limits() {}

/// Runs the program with the arguments of the process.
fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refused(&error),
    };
    match arguments.messages.level() {
        Ok(level) => message::show(level),
        Err(failure) => return failure.report(),
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from(error).report(),
    };
    let result = runtime.block_on(async {
        survive_file_limits();
        match arguments.command {
            Command::Session(command) => command.run(&mut Session::of_command()).await,
            Command::Record(arguments) => arguments.run().await,
            Command::Shell(arguments) => arguments.run().await,
            Command::Licences(_) => licences::Arguments::run(),
            Command::Simulate(arguments) => arguments.run().await,
            Command::Selftest(arguments) => arguments.run().await,
            Command::Bridge(arguments) => arguments.run().await,
            Command::Serve(arguments) => arguments.run().await,
            Command::List(arguments) => arguments.run().await,
            Command::Setup(arguments) => arguments.run(),
            Command::Doctor(arguments) => arguments.run().await,
            Command::Open(arguments) => arguments.run().await,
            Command::Completions(arguments) => arguments.run(),
            Command::Man(arguments) => arguments.run(),
            Command::Live(arguments) => Box::pin(arguments.run()).await,
        }
    });
    // A name look-up or a port that does not answer must not hold up the exit.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// The options and commands without a line of help.
    fn unexplained(command: &clap::Command) -> Vec<String> {
        let name = command.get_name();
        let arguments = command.get_arguments().filter(|argument| argument.get_help().is_none());
        let mut found: Vec<String> =
            arguments.map(|argument| format!("{name} {}", argument.get_id())).collect();
        found.extend(command.get_about().is_none().then(|| name.to_owned()));
        found.extend(command.get_subcommands().flat_map(unexplained));
        found
    }

    #[test]
    fn every_option_is_explained() {
        let mut command = Arguments::command();
        command.build();
        assert!(command.get_subcommands().count() > 20);
        assert_eq!(unexplained(&command), Vec::<String>::new());
    }
}
