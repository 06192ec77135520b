//! The faults of a stream with their seed, as a link's URL names them.

use std::fmt;

use super::{FaultError, FaultPlan};
use crate::query;

/// Faults that can happen on any stream of bytes, with the seed that chooses among them.
///
/// ```
/// use scopething_sim::faults::StreamFaults;
///
/// let faults = StreamFaults::from_query("faults=corrupt@1%;delay:50ms@w30&seed=7")?;
/// assert_eq!(faults.to_string(), "faults=corrupt@1%25;delay:50ms@w30&seed=7");
/// let refused = StreamFaults::from_query("faults=reboot@3").unwrap_err();
/// assert_eq!(refused.to_string(), "reboot happens inside a device: only the simulated one, sim:, can have it");
/// # Ok::<(), scopething_sim::faults::FaultError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StreamFaults {
    plan: FaultPlan,
    seed: u64,
}

impl StreamFaults {
    /// Takes a plan for a stream.
    ///
    /// # Errors
    ///
    /// [`FaultError::InDevice`] and [`FaultError::OfDatagrams`] for faults that a stream cannot have.
    pub fn new(plan: FaultPlan, seed: u64) -> Result<Self, FaultError> {
        for kind in plan.faults.iter().map(|fault| fault.kind) {
            if kind.of_device() {
                return Err(FaultError::InDevice { name: kind.name() });
            }
            if kind.of_datagrams() {
                return Err(FaultError::OfDatagrams { name: kind.name() });
            }
        }
        Ok(Self { plan, seed })
    }

    /// Whether a text is meant as such a query, and not as the end of a path that has a question mark in it.
    #[must_use]
    pub fn is_query(text: &str) -> bool {
        text.starts_with("faults=") || text.starts_with("seed=")
    }

    /// Reads `faults=PLAN` and `seed=NUMBER` (0 if absent), `&` between, values percent-encoded.
    ///
    /// # Errors
    ///
    /// [`FaultError`] names the part that is not understood, or not for a stream.
    pub fn from_query(query: &str) -> Result<Self, FaultError> {
        let (mut plan, mut seed) = (FaultPlan::default(), 0);
        for part in query::parts(query) {
            match part {
                Ok(("faults", value)) => plan = value.parse()?,
                Ok(("seed", value)) => {
                    seed = value.parse().map_err(|_| FaultError::Seed { text: value.into_owned() })?;
                }
                Ok((text, _)) | Err(text) => return Err(FaultError::Key { text: text.to_owned() }),
            }
        }
        Self::new(plan, seed)
    }

    /// What goes wrong.
    #[must_use]
    pub fn plan(&self) -> &FaultPlan {
        &self.plan
    }

    /// What chooses the bytes where a plan has chances, and what they are changed to.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether nothing goes wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plan.faults.is_empty()
    }
}

/// The query that [`StreamFaults::from_query`] reads.
impl fmt::Display for StreamFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults={}", query::encoded(&self.plan.to_string()))?;
        if self.seed == 0 { Ok(()) } else { write!(f, "&seed={}", self.seed) }
    }
}
