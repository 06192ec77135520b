//! Fault conditions: logged when they begin and end, and reported in the status meanwhile.
//!
//! An intermittent condition (a plug with a bad contact, a disk on which another program makes room now and then) is
//! logged when it begins for the second time within [`QUIET`], and not again before it has been stable for that long.

use scopething_core::time::{Instant, Micros};
use serde::{Deserialize, Serialize};

use crate::time::Reading;

/// How long an intermittent condition must be absent to be over.
pub(crate) const QUIET: Micros = Micros::from_millis(60_000);

/// A kind of condition. Of each kind there is one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionKind {
    /// The scope is not connected.
    Away,
    /// Another scope than the job's is connected.
    OtherScope,
    /// Traces are inconsistent.
    BadTraces,
    /// The disk refuses writes.
    DiskRefuses,
    /// The memory for traces that the disk does not take is full as well.
    MemoryFull,
    /// The link does not carry all frames of a stream.
    LostFrames,
}

impl ConditionKind {
    const ALL: [Self; 6] = [
        Self::Away,
        Self::OtherScope,
        Self::BadTraces,
        Self::DiskRefuses,
        Self::MemoryFull,
        Self::LostFrames,
    ];

    /// Its name in the log.
    fn name(self) -> &'static str {
        match self {
            Self::Away => "the loss of the scope",
            Self::OtherScope => "another scope",
            Self::BadTraces => "bad traces",
            Self::DiskRefuses => "the full or failing disk",
            Self::MemoryFull => "the full memory",
            Self::LostFrames => "the loss of frames",
        }
    }
}

/// A present condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What kind it is.
    pub kind: ConditionKind,
    /// Since when, as text.
    pub since: String,
    /// What is known of it.
    pub text: String,
}

/// The present conditions, and those that ended recently.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    lasting: Vec<Condition>,
    histories: [History; ConditionKind::ALL.len()],
}

/// The recent history of a kind of condition.
#[derive(Debug, Default, Clone, Copy)]
struct History {
    /// When it last began or ended, if that is recent or not logged.
    changed: Option<Instant>,
    /// How often it has come back within the time after which it would have been over.
    returns: u64,
}

impl Conditions {
    /// A condition is met. True if it is logged: it is new, and not intermittent. Another text is another
    /// condition if it names another scope; otherwise it updates the text of the condition.
    pub(crate) fn meet(&mut self, kind: ConditionKind, text: &str, at: Reading) -> bool {
        let same = |condition: &&mut Condition| {
            condition.kind == kind && (kind != ConditionKind::OtherScope || condition.text == text)
        };
        if let Some(condition) = self.lasting.iter_mut().find(same) {
            text.clone_into(&mut condition.text);
            return false;
        }
        let before = self.lasting.len();
        self.lasting.retain(|condition| condition.kind != kind);
        let takes_a_place = self.lasting.len() < before;
        self.lasting.push(Condition { kind, since: at.wall.to_string(), text: text.to_owned() });
        let history = self.history(kind);
        if history.changed.is_some() && !takes_a_place {
            history.returns += 1;
        }
        history.changed = Some(at.now);
        match history.returns {
            0 => tracing::warn!("{text}"),
            1 => {
                tracing::warn!(
                    "{text}; it comes and goes, and is not logged again until it lasts or is over"
                );
            }
            _ => {}
        }
        history.returns <= 1
    }

    /// A condition has ended. True if that is logged: it was met, and is not intermittent.
    pub(crate) fn end(&mut self, kind: ConditionKind, text: &str, at: Reading) -> bool {
        let before = self.lasting.len();
        self.lasting.retain(|condition| condition.kind != kind);
        if self.lasting.len() == before {
            return false;
        }
        let history = self.history(kind);
        history.changed = Some(at.now);
        if history.returns == 0 {
            tracing::info!("{text}");
        }
        history.returns == 0
    }

    /// Drops a condition that another one, which is more specific, replaces.
    pub(crate) fn replace(&mut self, kind: ConditionKind) {
        self.lasting.retain(|condition| condition.kind != kind);
    }

    /// Logs intermittent conditions that have been stable for long enough.
    pub(crate) fn update(&mut self, at: Reading) {
        for kind in ConditionKind::ALL {
            let lasting =
                self.lasting.iter().find(|condition| condition.kind == kind).map(|condition| &condition.text);
            let text = lasting.cloned();
            let history = self.history(kind);
            if history.changed.is_none_or(|changed| at.now - changed < QUIET) {
                continue;
            }
            match (&text, history.returns) {
                (_, 0) => {}
                (Some(text), returns) => tracing::warn!("{text}; it came back {returns}x and lasts now"),
                (None, returns) => {
                    tracing::info!("{} is over, after it came back {returns}x", kind.name());
                }
            }
            *history = History::default();
        }
    }

    fn history(&mut self, kind: ConditionKind) -> &mut History {
        &mut self.histories[kind as usize]
    }

    /// The present conditions.
    #[must_use]
    pub(crate) fn lasting(&self) -> &[Condition] {
        &self.lasting
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::moment::UnixMicros;

    fn at(seconds: u64) -> Reading {
        Reading { now: Instant(seconds * 1_000_000), wall: UnixMicros(0) }
    }

    #[test]
    fn condition_is_logged_at_begin_and_end() {
        let mut conditions = Conditions::default();
        for day in [0, 86_400] {
            assert!(conditions.meet(ConditionKind::Away, "away", at(day)));
            for second in day + 1..day + 100 {
                assert!(!conditions.meet(ConditionKind::Away, "away for another reason", at(second)));
                conditions.update(at(second));
            }
            let texts: Vec<_> =
                conditions.lasting().iter().map(|condition| condition.text.as_str()).collect();
            assert_eq!(texts, ["away for another reason"]);
            assert!(conditions.end(ConditionKind::Away, "back", at(day + 100)));
            assert!(!conditions.end(ConditionKind::Away, "back", at(day + 100)));
            conditions.update(at(day + 161));
        }
        assert_eq!(conditions.lasting(), []);
    }

    #[test]
    fn flapping_condition_is_logged_three_times() {
        let mut conditions = Conditions::default();
        let mut reported = 0;
        for second in (0..36_000).step_by(2) {
            reported += u32::from(conditions.meet(ConditionKind::BadTraces, "bad", at(second)));
            reported += u32::from(conditions.end(ConditionKind::BadTraces, "good", at(second + 1)));
            conditions.update(at(second + 1));
        }
        assert_eq!(reported, 3, "came, went, and comes and goes");
        conditions.update(at(36_100));
        assert!(conditions.meet(ConditionKind::BadTraces, "bad", at(36_200)), "the one after is a new one");
    }

    #[test]
    fn lasting_condition_is_logged_at_its_end() {
        let mut conditions = Conditions::default();
        for second in 0..10 {
            conditions.meet(ConditionKind::Away, "away", at(2 * second));
            conditions.end(ConditionKind::Away, "back", at(2 * second + 1));
        }
        assert!(!conditions.meet(ConditionKind::Away, "away", at(20)));
        conditions.update(at(80));
        assert!(conditions.end(ConditionKind::Away, "back", at(1000)));
    }

    #[test]
    fn yet_another_scope_is_another_trouble() {
        let mut conditions = Conditions::default();
        assert!(conditions.meet(ConditionKind::OtherScope, "it is X", at(0)));
        assert!(!conditions.meet(ConditionKind::OtherScope, "it is X", at(1)));
        assert!(conditions.meet(ConditionKind::OtherScope, "it is Y", at(2)));
        assert_eq!(conditions.lasting().len(), 1);
    }
}
