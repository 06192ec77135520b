//! What keeps a recording from going on as it should: told when it begins and when it ends, and not in between.

use serde::{Deserialize, Serialize};

use crate::moment::UnixMicros;

/// A kind of trouble. Of each kind there is one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// The scope is not there.
    Away,
    /// Another scope than the job's is there.
    OtherScope,
    /// Traces make no sense.
    BadTraces,
    /// The disk takes nothing.
    DiskRefuses,
    /// The memory for traces that the disk does not take is full as well.
    MemoryFull,
}

/// A trouble that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What kind it is.
    pub kind: TroubleKind,
    /// Since when, as text.
    pub since: String,
    /// What is known of it.
    pub text: String,
}

/// The troubles that last.
#[derive(Debug, Default)]
pub struct Troubles {
    lasting: Vec<Trouble>,
}

impl Troubles {
    /// A trouble is met. It is logged if it was not there already; of another scope, if it is yet another one.
    pub fn meet(&mut self, kind: TroubleKind, text: &str, wall: UnixMicros) -> bool {
        let same = |trouble: &Trouble| {
            trouble.kind == kind && (kind != TroubleKind::OtherScope || trouble.text == text)
        };
        if self.lasting.iter().any(same) {
            return false;
        }
        self.lasting.retain(|trouble| trouble.kind != kind);
        tracing::warn!("{text}");
        self.lasting.push(Trouble { kind, since: wall.to_string(), text: text.to_owned() });
        true
    }

    /// A trouble is over. It is logged if it was there.
    pub fn end(&mut self, kind: TroubleKind, text: &str) -> bool {
        let before = self.lasting.len();
        self.lasting.retain(|trouble| trouble.kind != kind);
        let ended = self.lasting.len() < before;
        if ended {
            tracing::info!("{text}");
        }
        ended
    }

    /// Those that last.
    #[must_use]
    pub fn lasting(&self) -> &[Trouble] {
        &self.lasting
    }
}
