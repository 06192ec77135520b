//! The list of the traces that the server keeps.

use ratatui::crossterm::event::KeyCode;
use scopething_serve::client::{Ended, KeptTrace};
use scopething_waveform::quantity_text::quantity;
use serde_json::json;

use super::model::Order;

/// Why a kept trace is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    Show,
    Compare,
}

/// The list, while it is on the screen.
#[derive(Debug, Default)]
pub(super) struct History {
    pub(super) traces: Vec<KeptTrace>,
    pub(super) selected: usize,
}

/// What a key does to the list.
#[derive(Debug, PartialEq)]
pub(super) enum Pressed {
    Nothing,
    Close,
    Order(Order),
}

impl History {
    /// Takes the list as it is now; what was selected stays selected.
    pub(super) fn take(&mut self, traces: Vec<KeptTrace>) {
        let selected = self.traces.get(self.selected).map(|trace| trace.about.seq);
        let place = traces.iter().position(|trace| Some(trace.about.seq) == selected);
        self.selected = place.unwrap_or(self.selected.min(traces.len().saturating_sub(1)));
        self.traces = traces;
    }

    pub(super) fn press(&mut self, code: KeyCode) -> Pressed {
        let last = self.traces.len().saturating_sub(1);
        match code {
            KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down => self.selected = (self.selected + 1).min(last),
            KeyCode::Home => self.selected = 0,
            KeyCode::End => self.selected = last,
            KeyCode::Char('r' | 'R') => return Pressed::Order(Order::List),
            KeyCode::Enter | KeyCode::Char(_) => {
                return self.order(code).map_or(Pressed::Close, Pressed::Order);
            }
            _ => return Pressed::Close,
        }
        Pressed::Nothing
    }

    fn order(&self, code: KeyCode) -> Option<Order> {
        let trace = self.traces.get(self.selected)?;
        let seq = trace.about.seq;
        match code {
            KeyCode::Enter => Some(Order::Fetch { seq, purpose: Purpose::Show }),
            KeyCode::Char('c' | 'C') => Some(Order::Fetch { seq, purpose: Purpose::Compare }),
            KeyCode::Char('p' | 'P') => {
                let name = trace.name.is_none().then(|| format!("Trace {seq}"));
                Some(Order::Command(json!({"type": "pin", "seq": seq, "name": name})))
            }
            KeyCode::Char('d' | 'D') => Some(Order::Command(json!({"type": "drop", "seq": seq}))),
            _ => None,
        }
    }
}

/// A trace of the list in words.
pub(super) fn line_of(trace: &KeptTrace) -> String {
    let about = &trace.about;
    let ended = match about.ended {
        Ended::Trigger => "trigger",
        Ended::Auto => "auto",
        Ended::Forced => "forced",
        Ended::Roll => "rolling",
    };
    let name = trace.name.as_ref().map(|name| format!("[{name}]  ")).unwrap_or_default();
    let of_day_s = about.unix_ms / 1000 % 86_400;
    let (hours, minutes, seconds) = (of_day_s / 3600, of_day_s / 60 % 60, of_day_s % 60);
    format!(
        "{:>6}  {hours:02}:{minutes:02}:{seconds:02} UTC  {ended:7}  {name}{} at {}  {}",
        about.seq,
        quantity(about.duration, "s", 3),
        quantity(about.rate, "S/s", 3),
        about.settings
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(seq: u64, name: Option<&str>) -> KeptTrace {
        let about = serde_json::json!({
            "seq": seq, "ended": "auto", "unix_ms": 3_723_000, "changes": 1, "rate": 1e6, "duration": 4e-3, "trigger": 2e-3,
            "dead": null, "seen": null, "mode": null, "warnings": [], "settings": "A 1 V/div", "name": name,
        });
        serde_json::from_value(about).unwrap()
    }

    #[test]
    fn keys_choose_a_trace_and_what_becomes_of_it() {
        let mut history = History::default();
        assert_eq!(history.press(KeyCode::Enter), Pressed::Close, "there is none");
        history.take(vec![trace(9, None), trace(7, Some("before"))]);
        let fetch = |seq, purpose| Pressed::Order(Order::Fetch { seq, purpose });
        assert_eq!(history.press(KeyCode::Enter), fetch(9, Purpose::Show));
        assert_eq!(history.press(KeyCode::Down), Pressed::Nothing);
        assert_eq!(history.press(KeyCode::Down), Pressed::Nothing, "it is the last");
        assert_eq!(history.press(KeyCode::Char('c')), fetch(7, Purpose::Compare));
        let command = |value| Pressed::Order(Order::Command(value));
        let unpinned = json!({"type": "pin", "seq": 7, "name": null});
        assert_eq!(history.press(KeyCode::Char('p')), command(unpinned));
        // Another one came, and the same is selected.
        history.take(vec![trace(12, None), trace(9, None), trace(7, Some("before"))]);
        assert_eq!(history.press(KeyCode::Char('d')), command(json!({"type": "drop", "seq": 7})));
        history.take(vec![trace(12, None)]);
        let pinned = json!({"type": "pin", "seq": 12, "name": "Trace 12"});
        assert_eq!(history.press(KeyCode::Char('P')), command(pinned));
        assert_eq!(history.press(KeyCode::Esc), Pressed::Close);
        assert_eq!(
            line_of(&trace(7, Some("before"))),
            "     7  01:02:03 UTC  auto     [before]  4.00 ms at 1.00 MS/s  A 1 V/div"
        );
    }
}
