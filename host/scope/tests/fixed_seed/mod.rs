//! Property tests that see the same cases in each run.

use proptest::test_runner::{Config, RngSeed};

/// A configuration for this many cases.
pub(crate) fn fixed_seed(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(0x05c0_9e01), failure_persistence: None, ..Config::default() }
}
