//! Connected scopes. One thing at a time has the device; closing takes it away from whatever has it.

use std::ffi::c_char;
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use host::blocking::{self, probe_of_user};
use host::failure::Failure;
use host::link::{HostScope, LinkUrl};
use scopething_core::device::{AnalogParameters, Attenuation};
use scopething_core::scope::Generators;
use scopething_files::playback;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::call::call;
use crate::memory::{Out, Texts, field, text};
use crate::status::{ScopethingError, ScopethingStatus, Stop};
use crate::table::{self, Handled, lock};

/// A scope that is open.
#[allow(non_camel_case_types, reason = "the name that C sees")]
pub type scopething_scope = u64;

/// What an operation needs.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) runtime: Runtime,
    pub(crate) scope: HostScope,
    /// What was calibrated since the scope was opened, by the name of the probe.
    pub(crate) calibrated: Vec<(String, AnalogParameters)>,
    /// An operation was given up: what the device does is not known.
    pub(crate) is_disturbed: bool,
}

/// A connected scope, as threads share it.
#[derive(Debug)]
pub(crate) struct Scope {
    state: Mutex<State>,
    returned: Condvar,
    closed: watch::Sender<bool>,
    pub(crate) url: LinkUrl,
    revision: String,
}

#[derive(Debug)]
struct State {
    device: Option<Box<Device>>,
    /// What has the device now, and the thread that called for it, if it runs on that thread.
    user: Option<(&'static str, Option<ThreadId>)>,
    generators: Generators,
}

/// The device, as long as something has it. It goes back by itself.
pub(crate) struct Lease {
    scope: Arc<Scope>,
    device: Option<Box<Device>>,
}

impl Lease {
    /// The device, and whether the scope is closed.
    pub(crate) fn parts(&mut self) -> (&mut Device, &Arc<Scope>) {
        let device = self.device.as_mut().expect("a lease has its device until it is dropped");
        (device, &self.scope)
    }

    /// The operation goes on on a thread of the library, and not on the one that called for it.
    pub(crate) fn leave_thread(&self) {
        if let Some((_, thread)) = &mut lock(&self.scope.state).user {
            *thread = None;
        }
    }

    /// Runs a future to its end, unless the scope is closed first.
    pub(crate) fn run<'a, T, W: Future<Output = Result<T, Stop>>>(
        &'a mut self,
        work: impl FnOnce(&'a mut HostScope) -> W,
    ) -> Result<T, Stop> {
        let Self { scope: shared, device } = self;
        let device = device.as_mut().expect("a lease has its device until it is dropped");
        let Device { runtime, scope, is_disturbed, .. } = &mut **device;
        let result = runtime.block_on(async {
            tokio::select! {
                biased;
                result = work(scope) => Ok(result),
                () = shared.is_closed() => Err(Failure::closed()),
            }
        });
        match result {
            Ok(result) => result,
            Err(closed) => {
                *is_disturbed = true;
                Err(closed.into())
            }
        }
    }

    /// What a probe's calibration is; null is x1.
    pub(crate) fn use_probe(
        &mut self,
        name: Option<&str>,
        attenuation: Option<Attenuation>,
    ) -> Result<(), Stop> {
        let (device, shared) = self.parts();
        let name = name.unwrap_or("x1");
        let known = device.calibrated.iter().find(|(known, _)| known == name).map(|(_, probe)| *probe);
        let probe = match known {
            Some(probe) => probe,
            None => probe_of_user(&shared.url, name)?,
        };
        let attenuation = attenuation.unwrap_or(probe.attenuation);
        device.scope.set_probe(AnalogParameters { attenuation, ..probe });
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut state = lock(&self.scope.state);
        if let Some(device) = &self.device {
            state.generators = device.scope.generators();
        }
        state.device = self.device.take();
        state.user = None;
        drop(state);
        self.scope.returned.notify_all();
    }
}

impl Handled for Scope {
    const NAME: &'static str = "scope";
}

impl Scope {
    fn open(url: &str) -> Result<Self, Stop> {
        let url: LinkUrl = url.parse()?;
        let runtime = blocking::runtime()?;
        let (url, scope) = runtime.block_on(blocking::connect(&url, playback::read))?;
        let revision = scope.revision().to_string();
        let device = Box::new(Device { runtime, scope, calibrated: Vec::new(), is_disturbed: false });
        let state = State { device: Some(device), user: None, generators: Generators::Off };
        Ok(Self {
            state: Mutex::new(state),
            returned: Condvar::new(),
            closed: watch::Sender::new(false),
            url,
            revision,
        })
    }

    /// Takes the device for an operation.
    pub(crate) fn lease(self: &Arc<Self>, operation: &'static str) -> Result<Lease, Stop> {
        let mut state = lock(&self.state);
        if *self.closed.borrow() {
            return Err(Failure::closed().into());
        }
        if let Some((busy, _)) = state.user {
            let message = format!("this scope is in the middle of {busy}: wait for its end, or close that");
            return Err(Stop::Other(ScopethingStatus::SCOPETHING_ERROR_BUSY, message));
        }
        let device = state.device.take().ok_or_else(Failure::closed)?;
        state.user = Some((operation, Some(thread::current().id())));
        Ok(Lease { scope: Arc::clone(self), device: Some(device) })
    }

    /// Completes when it is closed.
    pub(crate) async fn is_closed(&self) {
        let mut closed = self.closed.subscribe();
        if closed.wait_for(|&closed| closed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether this thread is in the middle of an operation of it, as in a callback.
    fn is_held_here(&self) -> bool {
        lock(&self.state).user.is_some_and(|(_, thread)| thread == Some(thread::current().id()))
    }

    /// Ends what runs, stops what is generated and closes the link.
    fn close(&self) {
        self.closed.send_replace(true);
        let mut state = lock(&self.state);
        while state.user.is_some() {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let device = state.device.take();
        drop(state);
        let Some(mut device) = device else { return };
        let Device { runtime, scope, is_disturbed, .. } = &mut *device;
        blocking::leave(runtime, scope, *is_disturbed);
    }
}

/// What a scope is.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingScopeInfo {
    /// The link, with the port that was found where none was named.
    pub url: [c_char; 256],
    /// The model, such as "BS05".
    pub model: [c_char; 16],
    /// What the device calls itself, such as "BS000501".
    pub revision: [c_char; 16],
    /// What it generates: one of the SCOPETHING_GENERATES_ numbers.
    pub generates: u32,
}

/// The generators are off.
pub const SCOPETHING_GENERATES_NOTHING: u32 = 0;
/// A waveform is played.
pub const SCOPETHING_GENERATES_WAVEFORM: u32 = 1;
/// Clocks run.
pub const SCOPETHING_GENERATES_CLOCKS: u32 = 2;
/// Logic lines are held.
pub const SCOPETHING_GENERATES_LEVELS: u32 = 3;

/// Opens a scope by its URL: "" is the first BitScope that is plugged in, "/dev/ttyUSB0" or "COM3" a serial port,
/// "socket://HOST:PORT", "bitscope-server://HOST:PORT" and "bridge:PORT" are others, and "sim:" is simulated in this process.
/// Takes some 5 s at most, and with "" up to 4 s more for each port that is asked in vain. Close it with scopething_close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_open(
    url: *const c_char,
    scope: *mut scopething_scope,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (url, mut handle) = unsafe { (text(url, "url")?, Out::new(scope, "scope")?) };
        handle.set(0);
        handle.set(table::insert(Arc::new(Scope::open(url)?)));
        Ok(())
    })
}

/// Closes a scope: what it does is ended, what it generates is stopped. Its captures that have ended can still be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_close(
    scope: scopething_scope,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        if table::get::<Scope>(scope)?.is_held_here() {
            let message = "a callback cannot close the scope that it is called for: return, then close it";
            return Err(Stop::Other(ScopethingStatus::SCOPETHING_ERROR_BUSY, message.to_owned()));
        }
        table::remove::<Scope>(scope)?.close();
        Ok(())
    })
}

/// Reports what a scope is. Nothing is sent to the device.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_info(
    scope: scopething_scope,
    info: *mut ScopethingScopeInfo,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut info = unsafe { Out::new(info, "info") }?;
        let scope = table::get::<Scope>(scope)?;
        let generates = match lock(&scope.state).generators {
            Generators::Off => SCOPETHING_GENERATES_NOTHING,
            Generators::Waveform { .. } => SCOPETHING_GENERATES_WAVEFORM,
            Generators::Clocks { .. } => SCOPETHING_GENERATES_CLOCKS,
            Generators::Levels { .. } => SCOPETHING_GENERATES_LEVELS,
        };
        info.set(ScopethingScopeInfo {
            url: field(&scope.url.to_string()),
            model: field(scopething_core::device::BS05.name),
            revision: field(&scope.revision),
            generates,
        });
        Ok(())
    })
}

/// Reads the serial number from the device: 9 bytes are enough. Empty if it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_serial_number(
    scope: scopething_scope,
    serial: *mut c_char,
    size: usize,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut serial = unsafe { Texts::new(serial, size, "serial") }?;
        let mut lease = table::get::<Scope>(scope)?.lease("reading the serial number")?;
        let read = lease.run(async |scope| scope.read_serial().await.map_err(Stop::from))?;
        serial.set(&read.map(|serial| serial.to_string()).unwrap_or_default());
        Ok(())
    })
}
