//! Handles: numbers that are looked up. None is ever used again, so that one that was closed stays wrong.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use crate::status::{ScopethingStatus, Stop};

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done where a lock is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What distinguishes handles from other numbers: their upper bytes.
const MARK: u64 = 0x5c0e << 48;

/// What handles are made for.
pub(crate) trait Handled: Any + Send + Sync {
    /// What it is, for the message to whoever gives another handle.
    const NAME: &'static str;
}

#[derive(Debug, Default)]
struct Table {
    last: u64,
    things: HashMap<u64, Arc<dyn Any + Send + Sync>>,
}

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

/// A new handle.
pub(crate) fn insert<T: Handled>(thing: Arc<T>) -> u64 {
    let mut table = lock(&TABLE);
    table.last += 1;
    let handle = MARK | table.last;
    table.things.insert(handle, thing);
    handle
}

impl Table {
    fn get<T: Handled>(&self, handle: u64) -> Result<Arc<T>, Stop> {
        let thing = self.things.get(&handle).cloned().and_then(|thing| thing.downcast().ok());
        thing.ok_or_else(|| {
            let name = T::NAME;
            let message = format!("{handle:#x} is no handle of a {name}: it was closed, or never one");
            Stop::Other(ScopethingStatus::SCOPETHING_ERROR_HANDLE, message)
        })
    }
}

/// What a handle stands for.
pub(crate) fn get<T: Handled>(handle: u64) -> Result<Arc<T>, Stop> {
    lock(&TABLE).get(handle)
}

/// As [`get`]; the handle is wrong from now on.
pub(crate) fn remove<T: Handled>(handle: u64) -> Result<Arc<T>, Stop> {
    let mut table = lock(&TABLE);
    let thing = table.get(handle)?;
    table.things.remove(&handle);
    Ok(thing)
}
