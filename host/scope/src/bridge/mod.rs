//! An RP2040 bridge, from the computer's side: asks it for how it stands, for jobs and for stored traces.
//!
//! The frames and messages are the core's [`bridge`](scopething_core::link::bridge); here they are sent over
//! a link, again and again if need be, and stored traces become [`Waveform`]s. What is passed through to the
//! BitScope is not seen here: once [`Client::pass_through`] is done, the link is a plain stream to it.
//!
//! ```no_run
//! use scopething::bridge::Client;
//! use scopething::link::open_bridge;
//! use scopething_core::link::bridge::TraceId;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let link = open_bridge(&"bridge://localhost:5026".parse()?).await?;
//! let mut client = Client::new(link.stream, link.clock);
//! for record in client.records(TraceId::FIRST).await? {
//!     let mut stored = Vec::new();
//!     client.fetch(&record, &mut stored, |_| {}).await?;
//!     let waveform = scopething::bridge::recording(&record, &stored)?;
//!     println!("trace {}: {} samples", record.id, waveform.sample_count());
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod error;

use scopething_core::link::bridge::{RecordError, StoredTrace};
use scopething_core::trace::TraceBuffer;

pub use self::client::{BridgeStatus, Client, ListedTrace, LogPart};
pub use self::error::BridgeError;
use scopething_waveform::waveform::{InvalidWaveform, Waveform};

/// Why a fetched trace is no waveform.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RestoreError {
    /// It is not what was stored.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It has no samples.
    #[error(transparent)]
    Waveform(#[from] InvalidWaveform),
}

/// The waveform of a stored trace, from its record and all its stored bytes.
///
/// # Errors
/// [`RestoreError`] if the bytes are not those that were stored, or there is no sample among them.
pub fn recording(record: &StoredTrace, stored: &[u8]) -> Result<Waveform, RestoreError> {
    let plan = record.plan()?;
    // On the heap, since it is large.
    let mut buffer = Box::new(TraceBuffer::new());
    let trace = record.restore(&plan, stored, &mut buffer)?;
    Ok(Waveform::of_trace(&trace)?)
}
