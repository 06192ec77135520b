//! A log of events whose length is bounded in time, whatever clients do: of each kind of event a few lines at a time, then
//! one a second, and a count of those left out.

use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use super::event::Event;

/// Lines of one kind that are logged at once.
const BURST: u32 = 20;
/// How long until one more may be.
const INTERVAL: Duration = Duration::from_secs(1);
/// How often at most a count of what was left out is logged.
const COUNT_INTERVAL: Duration = Duration::from_secs(10);

/// One kind of event.
#[derive(Debug)]
struct Kind {
    of: Discriminant<Event>,
    /// Lines that may be logged at `since`.
    left: u32,
    since: Instant,
    dropped: u64,
    counted: Instant,
}

/// Decides which events are logged.
///
/// ```
/// use std::time::{Duration, Instant};
/// use scopething_serve::{Event, EventLimit};
///
/// let (mut limit, start) = (EventLimit::default(), Instant::now());
/// let event = Event::Notice("again".to_owned());
/// let lines = (0..10_000).flat_map(|_| limit.lines(&event, start)).count();
/// assert!(lines < 30);
/// let later = limit.lines(&event, start + Duration::from_secs(60));
/// assert!(later[0].starts_with("9980 more like this were left out: again"));
/// ```
#[derive(Debug, Default)]
pub struct EventLimit {
    kinds: Vec<Kind>,
}

impl EventLimit {
    /// The lines to log for an event at a moment: none, or the event, after a count of those of its kind that were left
    /// out before.
    #[must_use]
    pub fn lines(&mut self, event: &Event, now: Instant) -> Vec<String> {
        let of = discriminant(event);
        let at = self.kinds.iter().position(|kind| kind.of == of).unwrap_or_else(|| {
            self.kinds.push(Kind { of, left: BURST, since: now, dropped: 0, counted: now });
            self.kinds.len() - 1
        });
        let Some(kind) = self.kinds.get_mut(at) else { return Vec::new() };
        let gained = now.saturating_duration_since(kind.since).as_secs() / INTERVAL.as_secs();
        if gained > 0 {
            kind.left = kind.left.saturating_add(u32::try_from(gained).unwrap_or(BURST)).min(BURST);
            kind.since = now;
        }
        if kind.left == 0 {
            kind.dropped += 1;
            return Vec::new();
        }
        kind.left -= 1;
        let is_counted = kind.dropped > 0 && now.saturating_duration_since(kind.counted) >= COUNT_INTERVAL;
        let mut lines = Vec::new();
        if is_counted {
            kind.counted = now;
            lines
                .push(format!("{} more like this were left out: {event}", std::mem::take(&mut kind.dropped)));
        } else {
            lines.push(event.to_string());
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flood_of_one_kind_hides_no_other() {
        let (mut limit, start) = (EventLimit::default(), Instant::now());
        let refused =
            Event::Refused { client: "hmo 10.0.0.1:1".to_owned(), reason: "it is not allowed".to_owned() };
        let mut lines = 0;
        for millisecond in 0..60_000 {
            lines += limit.lines(&refused, start + Duration::from_millis(millisecond)).len();
        }
        assert!((60..90).contains(&lines), "{lines} lines a minute");
        let acquired = Event::Acquired { client: "tcp 10.0.0.2:1".to_owned() };
        assert_eq!(limit.lines(&acquired, start), [acquired.to_string()]);
    }
}
