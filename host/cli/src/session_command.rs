//! The commands that the command line and the shell share.

use clap::Subcommand;

use super::failure::Failure;
use super::session::Session;
use super::{analyse, calibrate, capture, clock, convert, decode, hold, info, plan, plot, stream, wave};

/// Commands that a shell accepts as well.
#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    Capture(capture::Arguments),
    Plan(plan::Arguments),
    Stream(stream::Arguments),
    Plot(plot::Arguments),
    Convert(convert::Arguments),
    Analyse(analyse::Arguments),
    Decode(decode::Arguments),
    Info(info::Arguments),
    Wave(wave::Arguments),
    Clock(clock::Arguments),
    Hold(hold::Arguments),
    Calibrate(calibrate::Arguments),
}

impl SessionCommand {
    /// Runs it to its end, over the connection of the session.
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let result = match self {
            Self::Capture(arguments) => Box::pin(arguments.run(session)).await,
            Self::Plan(arguments) => arguments.run(session),
            Self::Stream(arguments) => Box::pin(arguments.run(session)).await,
            Self::Plot(arguments) => arguments.run(),
            Self::Convert(arguments) => arguments.run(),
            Self::Analyse(arguments) => Box::pin(arguments.run(session)).await,
            Self::Decode(arguments) => Box::pin(arguments.run(session)).await,
            Self::Info(arguments) => arguments.run(session).await,
            Self::Wave(arguments) => arguments.run(session).await,
            Self::Clock(arguments) => arguments.run(session).await,
            Self::Hold(arguments) => arguments.run(session).await,
            Self::Calibrate(arguments) => arguments.run(session).await,
        };
        session.end_command(result).await
    }
}
