//! The command line: one file a subcommand. Nothing else in this crate prints.
//!
//! Results go to standard output, progress and hints to standard error. The exit code is 0 when done, 1 when the device, the
//! link or a file failed, 2 for wrong usage, 130 when cancelled with nothing to show.

mod capture;
mod capture_arguments;
mod failure;
mod info;
mod interrupt;
mod output_arguments;
mod plan;
mod plot;
mod results;
mod simulate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;

/// Captures, generates and measures with a BitScope Micro.
#[derive(Debug, Parser)]
#[command(name = "scopething", version, arg_required_else_help = true, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Capture(capture::Arguments),
    Plan(plan::Arguments),
    Plot(plot::Arguments),
    Info(info::Arguments),
    Simulate(simulate::Arguments),
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Failure::from(error).report(),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Capture(arguments) => arguments.run().await,
            Command::Plan(arguments) => arguments.run(),
            Command::Plot(arguments) => arguments.run(),
            Command::Info(arguments) => arguments.run().await,
            Command::Simulate(arguments) => arguments.run().await,
        }
    });
    // A name look-up or a port that does not answer must not hold up the exit.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
