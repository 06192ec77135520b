//! What has happened, for whoever asks later: the newest events, each with its number and time.

use core::cell::RefCell;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use heapless::Deque;
use scopething_core::link::bridge::{Event, Events, JobState, TimedEvent};
use scopething_core::time::Instant;

/// How many events are kept.
const EVENTS: usize = 64;

/// The newest events.
#[derive(Debug)]
pub struct EventLog(Mutex<CriticalSectionRawMutex, RefCell<Kept>>);

#[derive(Debug)]
struct Kept {
    events: Deque<TimedEvent, EVENTS>,
    next: u32,
    /// The state that was noted last.
    state: JobState,
}

impl Default for EventLog {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether two states are noted as one: a job goes through some of them with each trace.
fn is_alike(one: JobState, other: JobState) -> bool {
    let captures = |state| matches!(state, JobState::Spacing | JobState::Armed | JobState::Triggered);
    let calibrates = |state| matches!(state, JobState::Calibrating { .. });
    one == other || captures(one) && captures(other) || calibrates(one) && calibrates(other)
}

impl EventLog {
    /// Nothing has happened.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(RefCell::new(Kept { events: Deque::new(), next: 0, state: JobState::Idle })))
    }

    /// Notes an event; the oldest goes.
    pub fn note(&self, at: Instant, event: Event) {
        self.0.lock(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.events.is_full() {
                kept.events.pop_front();
            }
            let number = kept.next;
            // There is room for one now.
            let _ = kept.events.push_back(TimedEvent { number, at, event });
            kept.next = number.wrapping_add(1);
        });
    }

    /// Notes a state, unless it is but another step of the same work.
    pub fn note_state(&self, at: Instant, state: JobState) {
        let before = self.0.lock(|kept| core::mem::replace(&mut kept.borrow_mut().state, state));
        if !is_alike(before, state) {
            self.note(at, Event::State(state));
        }
    }

    /// The events from this number on, as many as fit.
    pub fn read(&self, from: u32) -> Events {
        let mut events = Events::new();
        self.0.lock(|kept| {
            for &event in kept.borrow().events.iter().filter(|event| event.number >= from) {
                if !events.push(event) {
                    break;
                }
            }
        });
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_events_are_kept_and_read_in_parts() {
        let log = EventLog::new();
        let total = EVENTS as u32 + 10;
        for at in 0..total {
            log.note(Instant(at.into()), Event::ButtonPressed);
        }
        let mut from = 0;
        let mut read = Vec::new();
        while let Some(last) = log.read(from).last() {
            read.extend(log.read(from).iter().map(|event| event.number));
            from = last.number + 1;
        }
        assert_eq!(read, (10..total).collect::<Vec<_>>());
    }

    #[test]
    fn job_that_captures_is_noted_once() {
        let log = EventLog::new();
        for state in
            [JobState::Armed, JobState::Triggered, JobState::Spacing, JobState::Armed, JobState::Full]
        {
            log.note_state(Instant(0), state);
        }
        let noted: Vec<Event> = log.read(0).iter().map(|event| event.event).collect();
        assert_eq!(noted, [Event::State(JobState::Armed), Event::State(JobState::Full)]);
    }
}
