//! The library as a whole: the devices that are open, which of them is selected, and what each call does.
//!
//! Nothing here can crash for what it is given: whatever makes no sense is answered as the vendor's library answers it, or with
//! the failure that its guide documents.

use std::sync::{Arc, Mutex};

use host::bindings::OfProcess;
use host::failure::{Failure, Kind};

use crate::device::{Device, Shared, State, lock};
use crate::links::{LinkSpec, Target, links_of};
use crate::quirks::Quirks;
use crate::request::{TraceRequest, stream_of};
use crate::settings::{ASK, Mode, Settings, counted};
use crate::stream::StreamRun;

/// The most devices that are open at once.
const MAX_DEVICES: usize = 16;
/// What is opened if nothing is found and the user asks for that.
const NOTHING: &str = "NIL:BS000501";

/// `BL_State`: nothing is captured, nothing is going on.
const IDLE: i32 = 0;
const ACTIVE: i32 = 1;
const DONE: i32 = 2;
const ERROR: i32 = 3;

/// `BL_Error` of a device that is not there.
const NO_DEVICE: i32 = -1;

/// An open device with what is set up for it.
#[derive(Debug)]
struct Scope {
    name: String,
    revision: String,
    id: String,
    settings: Settings,
    /// None: there is no device.
    device: Option<Device>,
    /// What went wrong last, until something goes well.
    failure: Option<Failure>,
    /// Without a device: what `BL_State` is.
    state: i32,
    /// The first sample that is read of the trace that was taken last.
    index: usize,
}

/// The library.
#[derive(Debug, Default)]
pub(crate) struct Library {
    scopes: Vec<Scope>,
    selected: usize,
    /// Why nothing is open, after an attempt.
    failure: Option<Failure>,
}

/// A process that was forked has nothing open: the threads that have the devices stayed behind.
static LIBRARY: OfProcess<Mutex<Library>> = OfProcess::new();

/// How a trace goes on for whoever has started it.
enum Started {
    /// It cannot.
    Refused,
    /// Its end is not waited for.
    Running,
    /// Its end is waited for, without the library.
    Wait(Arc<Shared>),
}

/// The number of a failure for `BL_Error`; the page has the table.
fn number_of(failure: &Failure) -> i32 {
    match failure.kind() {
        Kind::NotFound => 1,
        Kind::Busy => 2,
        Kind::WrongDevice => 3,
        Kind::LinkLost => 4,
        Kind::BadAnswer => 5,
        Kind::PlanError => 6,
        Kind::Usage => 7,
        Kind::FileError => 8,
        Kind::Closed | Kind::Cancelled => 9,
        _ => 10,
    }
}

/// Runs a call with the selected device. `without` is what the call answers if none is open.
pub(crate) fn with_settings<T>(without: T, call: impl FnOnce(&mut Settings) -> T) -> T {
    let mut library = lock(LIBRARY.get());
    library.scope().map_or(without, |scope| call(&mut scope.settings))
}

/// What a text about the selected device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Name,
    Id,
    Revision,
}

impl Library {
    fn scope(&mut self) -> Option<&mut Scope> {
        self.scopes.get_mut(self.selected)
    }
}

/// Opens as many of the links as are wanted, in their order, and reports how many.
pub(crate) fn open(argument: &str, count: i32) -> i32 {
    close();
    let quirks = Quirks::of_environment();
    let wanted = usize::try_from(count).unwrap_or(1).clamp(1, MAX_DEVICES);
    let mut scopes: Vec<Scope> = Vec::new();
    let mut failure = None;
    for link in links_of(argument) {
        if scopes.len() == wanted {
            break;
        }
        match Scope::open(link, quirks) {
            Ok(scope) => scopes.push(scope),
            // That of the first link: those behind it are what is left to try.
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    if scopes.is_empty() && quirks.open_nothing {
        scopes.extend(LinkSpec::parse(NOTHING).and_then(|link| Scope::open(link, quirks).ok()));
    }
    let not_understood = || {
        let message = format!(
            "{argument:?} is no link and no file of links: give USB:, UDP:HOST:PORT, NIL:BS000501 or a URL"
        );
        Some(Failure::usage(message))
    };
    let failure = if scopes.is_empty() { failure.or_else(not_understood) } else { None };
    let opened = counted(scopes.len());
    *lock(LIBRARY.get()) = Library { scopes, selected: 0, failure };
    opened
}

/// Closes all devices.
pub(crate) fn close() {
    // Ending what they do takes its time, which others need not wait for.
    let closing = std::mem::take(&mut *lock(LIBRARY.get()));
    drop(closing);
}

pub(crate) fn count(what: i32) -> i32 {
    let mut library = lock(LIBRARY.get());
    let devices = counted(library.scopes.len());
    match library.scope() {
        None => ASK,
        Some(scope) if what == 0 => {
            scope.settings.forget_selections();
            devices
        }
        Some(scope) => scope.settings.count(what),
    }
}

/// Selects a device (0), a channel (1) or a source (2).
pub(crate) fn select(what: i32, index: i32) -> i32 {
    let mut library = lock(LIBRARY.get());
    if what == 0 {
        let known = usize::try_from(index).ok().filter(|&index| index < library.scopes.len());
        library.selected = known.unwrap_or(library.selected);
        return if library.scopes.is_empty() { ASK } else { counted(library.selected) };
    }
    let Some(scope) = library.scope() else { return ASK };
    match what {
        1 => scope.settings.select_channel(index),
        2 => scope.settings.select_source(index),
        _ => ASK,
    }
}

pub(crate) fn text(about: About) -> String {
    let mut library = lock(LIBRARY.get());
    let text = library.scope().map(|scope| match about {
        About::Name => scope.name.clone(),
        About::Id => scope.id.clone(),
        About::Revision => scope.revision.clone(),
    });
    text.unwrap_or_default()
}

pub(crate) fn state() -> i32 {
    let mut library = lock(LIBRARY.get());
    library.scope().map_or(IDLE, Scope::state)
}

pub(crate) fn error() -> i32 {
    let mut library = lock(LIBRARY.get());
    let nothing = library.failure.as_ref().map_or(NO_DEVICE, number_of);
    library.scope().map_or(nothing, |scope| {
        scope.state();
        scope.failure.as_ref().map_or(0, number_of)
    })
}

/// What went wrong last with the selected device, or why nothing is open; none if nothing is wrong.
pub(crate) fn failure() -> Option<String> {
    let mut library = lock(LIBRARY.get());
    let nothing = library.failure.clone();
    let failure = library.scope().map_or(nothing, |scope| {
        scope.state();
        scope.failure.clone()
    });
    failure.map(|failure| failure.message().to_owned())
}

/// Ends what the selected device does. As the vendor's library it reports 0 whether that was anything or not.
pub(crate) fn halt() {
    // Whoever waits for the trace has not got the library.
    if let Some(scope) = lock(LIBRARY.get()).scope() {
        scope.state = IDLE;
        scope.settings.is_halted = true;
        if let Some(device) = &mut scope.device {
            device.halt();
        }
    }
}

/// Starts a trace and waits for its end, unless the program will ask for it. Whether it has ended well, or goes on.
pub(crate) fn trace(timeout_s: f64, is_asynchronous: bool) -> bool {
    let started =
        lock(LIBRARY.get()).scope().map_or(Started::Refused, |scope| scope.trace(timeout_s, is_asynchronous));
    match started {
        Started::Refused => false,
        Started::Running => true,
        Started::Wait(shared) => matches!(shared.wait(), State::Done(_)),
    }
}

/// Reads samples of the selected channel, and counts them.
pub(crate) fn acquire(to: &mut [f64]) -> usize {
    let mut library = lock(LIBRARY.get());
    let Some(scope) = library.scope() else { return 0 };
    let Some(State::Done(samples)) = scope.device.as_ref().map(|device| device.shared.state()) else {
        return 0;
    };
    samples.copy(scope.settings.selected(), scope.index, to)
}

impl Scope {
    fn open(link: LinkSpec, quirks: Quirks) -> Result<Self, Failure> {
        let settings = Settings::new(quirks);
        let (revision, id, device) = match link.target {
            Target::Nothing(revision) => (revision, "SIMULATE".to_owned(), None),
            Target::Device(url) => {
                let device = Device::open(url)?;
                let identity = device.identity.clone();
                (identity.revision, identity.id, Some(device))
            }
        };
        Ok(Self { name: link.name, revision, id, settings, device, failure: None, state: DONE, index: 0 })
    }

    fn state(&mut self) -> i32 {
        let Some(device) = &self.device else {
            return if self.state == IDLE { self.idle() } else { self.state };
        };
        match device.shared.state() {
            State::Idle => self.idle(),
            State::Active => ACTIVE,
            State::Open | State::Done(_) => DONE,
            State::Failed(failure) => {
                self.failure = Some(failure);
                ERROR
            }
        }
    }

    /// Rate, size or mode set after a halt end that state.
    fn idle(&self) -> i32 {
        if self.settings.is_halted { IDLE } else { DONE }
    }

    fn trace(&mut self, timeout_s: f64, is_asynchronous: bool) -> Started {
        let Some(device) = &mut self.device else {
            self.failure =
                Some(Failure::new(Kind::NotFound, "a NIL link has no device: nothing can be captured"));
            self.state = ERROR;
            return Started::Refused;
        };
        if device.shared.is_active() {
            return Started::Refused;
        }
        self.index = self.settings.index();
        let started = if self.settings.mode == Mode::Stream {
            device.stream(StreamRun::new(stream_of(&mut self.settings)))
        } else {
            device.start(TraceRequest::new(&mut self.settings, timeout_s))
        };
        self.failure = started.as_ref().err().cloned();
        match started {
            Err(_) => Started::Refused,
            Ok(()) if is_asynchronous => Started::Running,
            Ok(()) => Started::Wait(Arc::clone(&device.shared)),
        }
    }
}
