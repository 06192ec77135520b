//! What the network sees of a BitScope: emulated instruments that other programs know, and the device itself.
//!
//! One device is behind all of them. Viewers (of emulated instruments) share what is set and what is captured; raw
//! clients have the device to themselves while they use it.

mod allow;
mod capture;
mod desk;
mod event;
mod frame;
mod generator;
pub mod hmo;
mod instrument;
mod lines;
mod loan;
mod network;
mod raw;
pub mod rigol;
pub mod scpi;
mod settings;
pub mod simulator;
pub mod twinlan;
mod viewers;

pub use allow::Allow;
pub use capture::{AnalogSamples, Capture, planned_rate_hz};
pub use desk::{Desk, NoCapture, Panel, Pending, Waveform};
pub use event::Event;
pub use network::{Addresses, Listen, ServeError, Server};
pub use settings::{Settings, VERTICAL_DIVISIONS, Vertical};

/// Property tests see the same cases in each run.
#[cfg(test)]
fn fixed_seed(cases: u32) -> proptest::test_runner::Config {
    let rng_seed = proptest::test_runner::RngSeed::Fixed(0x05c0_9e01);
    proptest::test_runner::Config { cases, rng_seed, failure_persistence: None, ..Default::default() }
}
