//! Handles: numbers that are looked up. None is ever used again, so that one that was closed stays wrong.

use std::any::Any;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use host::bindings::OfProcess;

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
struct Table(HashMap<u64, Arc<dyn Any + Send + Sync>>);

/// What a process has opened: one that was forked has none of the threads that serve the handles of the process before, and would
/// wait for them for ever.
static TABLE: OfProcess<Mutex<Table>> = OfProcess::new();
/// It goes on in a forked process, so that no handle of its own is one that it has inherited.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A new handle.
pub(crate) fn insert<T: Handled>(thing: Arc<T>) -> u64 {
    let handle = MARK | (LAST.fetch_add(1, Ordering::Relaxed) + 1);
    lock(TABLE.get()).0.insert(handle, thing);
    handle
}

impl Table {
    fn get<T: Handled>(&self, handle: u64) -> Result<Arc<T>, Stop> {
        let thing = self.0.get(&handle).cloned().and_then(|thing| thing.downcast().ok());
        thing.ok_or_else(|| {
            let name = T::NAME;
            let message = format!(
                "{handle:#x} is no handle of a {name} of this process: it was closed, or never one, or is that of the process \
                 before a fork"
            );
            Stop::Other(ScopethingStatus::SCOPETHING_ERROR_HANDLE, message)
        })
    }
}

/// What a handle stands for.
pub(crate) fn get<T: Handled>(handle: u64) -> Result<Arc<T>, Stop> {
    lock(TABLE.get()).get(handle)
}

/// As [`get`]; the handle is wrong from now on.
pub(crate) fn remove<T: Handled>(handle: u64) -> Result<Arc<T>, Stop> {
    let mut table = lock(TABLE.get());
    let thing = table.get(handle)?;
    table.0.remove(&handle);
    Ok(thing)
}
