//! One connection to a BitScope, for one command or for all of a shell.

use std::cell::OnceCell;

use scopething_core::scope::{GenerateError, Generators};

use super::capture_arguments::UrlArgument;
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::message::{self, Level, print_detail, print_note, print_warning};
use super::progress::with_progress;
use scopething::generate::stop;
use scopething::link::{self, Chunk, Direction, HostScope, LinkError, LinkUrl};
use scopething_files::playback;

/// What commands share: the connection, once one of them needs it, and Ctrl-C.
pub(super) struct Session {
    /// Taken over once something can be cancelled: until then Ctrl-C ends the program.
    interrupts: OnceCell<Interrupts>,
    url: LinkUrl,
    connection: Option<Connection>,
    stays: bool,
}

struct Connection {
    target: Target,
    scope: HostScope,
}

/// A link that is about to be connected to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    asked: LinkUrl,
    /// The link by the name that its calibrations have: the first BitScope is at one port or other.
    pub(super) url: LinkUrl,
}

impl Session {
    /// For one command, which stops the generators when it ends.
    pub(super) fn of_command() -> Self {
        Self { interrupts: OnceCell::new(), url: LinkUrl::default(), connection: None, stays: false }
    }

    /// For many commands, to a link that need not be named again. Generators stay on in between.
    pub(super) fn of_shell(url: LinkUrl) -> Self {
        Self { url, stays: true, ..Self::of_command() }
    }

    /// Whether the generators stay on when a command ends.
    pub(super) fn stays(&self) -> bool {
        self.stays
    }

    /// Ctrl-C, counted from now on. Must be called within the runtime.
    pub(super) fn interrupts(&self) -> Interrupts {
        self.interrupts.get_or_init(Interrupts::watch).since_now()
    }

    /// The link that a command is for: the one it names, or the one of the session.
    pub(super) fn url(&self, argument: &UrlArgument) -> Result<LinkUrl, Failure> {
        let named = if self.stays { argument.given()? } else { argument.parse()? };
        Ok(named.unwrap_or_else(|| self.url.clone()))
    }

    /// Finds out which link is meant.
    pub(super) async fn resolve(&self, asked: LinkUrl) -> Result<Target, Failure> {
        match &self.connection {
            Some(Connection { target, .. }) if target.asked == asked => Ok(target.clone()),
            _ => {
                // Ports that are asked which of them is the BitScope may take seconds to stay silent.
                let interrupts = self.interrupts();
                let url = tokio::select! {
                    url = link::resolve(&asked) => url?,
                    () = interrupts.reached(1) => return Err(Failure::Cancelled),
                };
                Ok(Target { asked, url })
            }
        }
    }

    /// The BitScope at a link, connected by now. One at another link is closed first.
    pub(super) async fn connect(&mut self, target: &Target) -> Result<&mut HostScope, Failure> {
        let connection = match self.connection.take() {
            Some(connection) if connection.target.url == target.url => connection,
            other => {
                self.connection = other;
                self.leave().await?;
                let scope = connect(&target.url, &self.interrupts()).await?;
                if self.stays {
                    self.url = target.asked.clone();
                }
                Connection { target: target.clone(), scope }
            }
        };
        Ok(&mut self.connection.insert(connection).scope)
    }

    /// What the generators do, as far as there is a connection.
    pub(super) fn generators(&self) -> Generators {
        self.connection.as_ref().map(|connection| connection.scope.generators()).unwrap_or_default()
    }

    /// The BitScope whose generators do something.
    pub(super) fn generating(&mut self) -> Result<&mut HostScope, Failure> {
        match &mut self.connection {
            Some(Connection { scope, .. }) if scope.generators() != Generators::Off => Ok(scope),
            _ => Err(GenerateError::<LinkError>::NotRunning(Generators::Off).into()),
        }
    }

    /// Ends a command: a command by itself stops the generators, and a link that was lost is closed.
    pub(super) async fn end_command(&mut self, result: Result<(), Failure>) -> Result<(), Failure> {
        let lost = result.as_ref().is_err_and(Failure::is_of_lost_link);
        if lost {
            self.connection = None;
            if self.stays {
                print_note!("the link is lost, the next command reconnects");
            }
        }
        if self.stays {
            return result;
        }
        let left = self.leave().await;
        result.and(left)
    }

    /// Stops the generators and closes the connection. Ctrl-C leaves them as they are.
    pub(super) async fn leave(&mut self) -> Result<(), Failure> {
        let Some(Connection { mut scope, .. }) = self.connection.take() else { return Ok(()) };
        let interrupts = self.interrupts();
        tokio::select! {
            stopped = stop(&mut scope) => Ok(stopped?),
            () = interrupts.reached(1) => Err(Failure::Cancelled),
        }
    }
}

/// Prints bytes that go over a link, with their time in seconds: those that are no text by their numbers.
fn show_chunk(chunk: Chunk<'_>) {
    let way = match chunk.direction {
        Direction::Written => ">",
        Direction::Read => "<",
    };
    let at_s = chunk.at.0 as f64 * 1e-6;
    message::line(Level::Trace, format_args!("trace: {at_s:.6} {way} {}", chunk.bytes.escape_ascii()));
}

/// Opens a link and connects to the BitScope behind it.
async fn connect(url: &LinkUrl, interrupts: &Interrupts) -> Result<HostScope, Failure> {
    let connecting = async {
        print_detail!(
            "opening {}",
            if *url == LinkUrl::FirstSerial { "the first BitScope".to_owned() } else { url.to_string() }
        );
        let link = link::open_reading(url, playback::read).await?;
        let link = if message::shows(Level::Trace) { link.traced(show_chunk) } else { link };
        let scope = link.connect().await?;
        print_detail!("{} of revision {} answers", scope.model().name, scope.revision());
        Ok::<_, Failure>(scope)
    };
    let scope = tokio::select! {
        connected = with_progress(connecting, "connecting") => connected,
        () = interrupts.reached(1) => Err(Failure::Cancelled),
    }?;
    if let Some(unknown) = scope.unknown_revision() {
        print_warning!("{unknown}");
    }
    Ok(scope)
}
