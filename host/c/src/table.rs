//! Handles: numbers that are looked up. None is ever used again, so that one that was closed stays wrong.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::capture::Capture;
use crate::scope::Scope;
use crate::status::{ScopethingStatus, Stop};
use crate::stream::Stream;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done where a lock is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What distinguishes handles from other numbers: their upper bytes.
const MARK: u64 = 0x5c0e << 48;

/// What a handle stands for.
#[derive(Debug, Clone)]
enum Thing {
    Scope(Arc<Scope>),
    Capture(Arc<Capture>),
    Stream(Arc<Stream>),
}

/// What handles are made for.
pub(crate) trait Handled: Sized {
    const NAME: &'static str;
    fn wrap(this: Arc<Self>) -> Wrapped;
    fn unwrap(thing: &Wrapped) -> Option<&Arc<Self>>;
}

/// A thing behind a handle.
#[derive(Debug, Clone)]
pub(crate) struct Wrapped(Thing);

macro_rules! handled {
    ($kind:ident, $name:literal) => {
        impl Handled for $kind {
            const NAME: &'static str = $name;

            fn wrap(this: Arc<Self>) -> Wrapped {
                Wrapped(Thing::$kind(this))
            }

            fn unwrap(thing: &Wrapped) -> Option<&Arc<Self>> {
                match &thing.0 {
                    Thing::$kind(this) => Some(this),
                    _ => None,
                }
            }
        }
    };
}

handled!(Scope, "scope");
handled!(Capture, "capture");
handled!(Stream, "stream");

#[derive(Debug, Default)]
struct Table {
    last: u64,
    things: HashMap<u64, Wrapped>,
}

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// A new handle.
pub(crate) fn insert<T: Handled>(thing: Arc<T>) -> u64 {
    let mut table = lock(&TABLE);
    table.last += 1;
    let handle = MARK | table.last;
    table.things.insert(handle, T::wrap(thing));
    handle
}

fn wrong<T: Handled>(handle: u64) -> Stop {
    let name = T::NAME;
    let message = format!("{handle:#x} is no handle of a {name}: it was closed, or never one");
    Stop::Other(ScopethingStatus::SCOPETHING_ERROR_HANDLE, message)
}

/// What a handle stands for.
pub(crate) fn get<T: Handled>(handle: u64) -> Result<Arc<T>, Stop> {
    let table = lock(&TABLE);
    table.things.get(&handle).and_then(T::unwrap).cloned().ok_or_else(|| wrong::<T>(handle))
}

/// As [`get`]; the handle is wrong from now on.
pub(crate) fn remove<T: Handled>(handle: u64) -> Result<Arc<T>, Stop> {
    let mut table = lock(&TABLE);
    let thing = table.things.get(&handle).and_then(T::unwrap).cloned().ok_or_else(|| wrong::<T>(handle))?;
    table.things.remove(&handle);
    Ok(thing)
}
