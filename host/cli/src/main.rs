//! The command line: one file a subcommand. Nothing else in this crate prints.
//!
//! Results go to standard output, progress and hints to standard error. The exit code is 0 when done, 1 when the device, the
//! link or a file failed, 2 for wrong usage, 130 when cancelled with nothing to show.

mod analyse;
mod batch;
mod bridge;
mod calibrate;
mod capture;
mod capture_arguments;
mod clock;
mod convert;
mod event_log;
mod failure;
mod file_arguments;
mod file_traces;
mod generate_arguments;
mod generation;
mod given_options;
mod hold;
mod info;
mod interrupt;
mod licences;
mod live;
mod meanwhile;
mod measurements;
mod output_arguments;
mod plan;
mod plot;
mod progress;
mod record;
mod results;
mod selftest;
mod serve;
mod session;
mod shell;
mod simulate;
mod stream;
mod trigger_hint;
mod wave;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;
use self::session::Session;

/// Captures, generates and measures with a BitScope Micro.
#[derive(Debug, Parser)]
#[command(name = "scopething", version, arg_required_else_help = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
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
}

/// Commands that a shell accepts as well.
#[derive(Debug, Subcommand)]
enum SessionCommand {
    Capture(capture::Arguments),
    Plan(plan::Arguments),
    Stream(stream::Arguments),
    Plot(plot::Arguments),
    Convert(convert::Arguments),
    Analyse(analyse::Arguments),
    Info(info::Arguments),
    Wave(wave::Arguments),
    Clock(clock::Arguments),
    Hold(hold::Arguments),
    Calibrate(calibrate::Arguments),
}

impl SessionCommand {
    /// Runs it to its end, over the connection of the session.
    async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let result = match self {
            Self::Capture(arguments) => arguments.run(session).await,
            Self::Plan(arguments) => arguments.run(session),
            Self::Stream(arguments) => arguments.run(session).await,
            Self::Plot(arguments) => arguments.run(),
            Self::Convert(arguments) => arguments.run(),
            Self::Analyse(arguments) => arguments.run(session).await,
            Self::Info(arguments) => arguments.run(session).await,
            Self::Wave(arguments) => arguments.run(session).await,
            Self::Clock(arguments) => arguments.run(session).await,
            Self::Hold(arguments) => arguments.run(session).await,
            Self::Calibrate(arguments) => arguments.run(session).await,
        };
        session.end_command(result).await
    }
}

/// Runs the program with the arguments of the process.
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from(error).report(),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Session(command) => command.run(&mut Session::of_command()).await,
            Command::Record(arguments) => arguments.run().await,
            Command::Shell(arguments) => arguments.run().await,
            Command::Licences(_) => licences::Arguments::run(),
            Command::Simulate(arguments) => arguments.run().await,
            Command::Selftest(arguments) => arguments.run().await,
            Command::Bridge(arguments) => arguments.run().await,
            Command::Serve(arguments) => arguments.run().await,
        }
    });
    // A name look-up or a port that does not answer must not hold up the exit.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
