//! What the network sees of a BitScope: emulated oscilloscopes that other programs know, and the device
//! itself.
//!
//! One device is behind all of them. Clients of emulated oscilloscopes share what is set and what
//! is captured: those that wait at the same moment get the same capture, and what one sets holds for all. Raw
//! clients borrow the device, one at a time, in turns with captures, and find it reset.
//!
//! Nothing a client sends is trusted: lines, datagrams, connections and waits are bounded, and a client that
//! does not read is disconnected.
//!
//! - [`hmo`], [`rigol`], [`twinlan`]: the emulated oscilloscopes; [`scpi`]: the language of the first two.
//! - The page of [`Listen::web`]: an oscilloscope in a browser, by an interface that other programs may use.
//! - [`bitscope_server`]: the datagrams of raw clients.
//! - [`discovery`]: what makes it known to the local network, and finds others.
//! - [`simulator`]: the simulated device for raw clients, without a driver in between.
//!
//! [`client`] uses what the page uses. For a client of the device itself see [`scopething::link`].
//!
//! ```
//! use scopething::link::open;
//! use scopething_serve::{Listen, Server};
//! use scopething_core::device::BS05;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let link = open(&"sim:?A=sine,1kHz,-2..2V".parse()?).await?;
//! let places = Listen { hmo: Some("127.0.0.1:0".to_owned()), ..Listen::default() };
//! let server = Server::open(link, BS05.analog, &places).await?;
//! assert!(server.addresses().hmo.is_some_and(|address| address.port() > 0));
//! // server.run(|event| eprintln!("{event}")).await serves until it is dropped.
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod allow;
pub mod client;
mod connections;
mod controls;
pub mod discovery;
mod event_limit;
#[cfg(test)]
#[path = "../../scope/tests/fixed_seed/mod.rs"]
mod fixed_seed;
mod foreign;
mod frame;
pub mod hmo;
mod lines;
mod listen_error;
mod listeners;
mod network;
mod raw;
pub mod rigol;
pub mod scpi;
mod scpi_status;
pub mod simulator;
pub mod twinlan;
mod web;

pub use allow::{Allow, Network, NetworkError};
pub use event_limit::EventLimit;
pub use listen_error::ListenError;
pub use network::{Addresses, Listen, OpenToOthers, ServeError, Server};
pub use raw::datagrams as bitscope_server;
pub use web::WebLinks;

pub use scopething_instrument::event::Event;
use scopething_instrument::{capture, event, handle, loan, settings, until};

/// A waveform for captures that are made by tests, which look at the samples themselves.
#[cfg(test)]
fn any_waveform() -> scopething_waveform::waveform::Waveform {
    use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};
    let series = Series::new(Channel::A, 0.0, 1.0, Samples::Volts(vec![0.0]));
    Waveform::new(1.0, vec![series], Details::default()).expect("a waveform")
}
