//! Why the store refuses.

use core::fmt;

/// Why something cannot be stored or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StoreError {
    /// No more traces can be kept, and none may be dropped.
    Full,
    /// There is no such trace, or no longer.
    NoTrace,
    /// The trace has fewer bytes.
    Offset,
    /// The flash failed, or does not keep what is written.
    Flash,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "no more traces can be kept: erase some",
            Self::NoTrace => "there is no such trace: list those that there are",
            Self::Offset => "the trace has fewer bytes: read its record",
            Self::Flash => "the flash fails: use another board",
        })
    }
}

impl core::error::Error for StoreError {}
