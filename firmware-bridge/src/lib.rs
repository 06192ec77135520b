//! What the bridge does that no board is needed for: it builds for the host too, where its tests run.
//!
//! A program makes the store, the bridge, the runner and the uplink, and runs the last two side by side in one
//! executor; a third task asks [`control::Bridge::state_changed`] what the LED shows, and calls
//! [`control::Bridge::press`] when the button was pressed:
//!
//! ```
//! use embassy_futures::select::{Either, select};
//! use embedded_io_async::{Read, Write};
//! use embedded_storage_async::nor_flash::MultiwriteNorFlash;
//! use scopething_bridge::control::Bridge;
//! use scopething_bridge::job::{Runner, ScopeStream};
//! use scopething_bridge::store::{Store, StoreError, StoreLayout, StoreMemory};
//! use scopething_bridge::uplink::{About, Board, Uplink};
//! use scopething_core::scope::LinkProfile;
//! use scopething_core::time::Clock;
//! use scopething_core::trace::TraceBuffer;
//!
//! async fn run<F, S, C, R, W, B>(
//!     flash: F, layout: StoreLayout, scope: S, clock: C, mut receiver: R, mut sender: W, board: B,
//!     about: About<'_>, buffer: &mut TraceBuffer, memory: &'static mut StoreMemory<16_384>,
//! ) -> Result<(), StoreError>
//! where
//!     F: MultiwriteNorFlash,
//!     S: ScopeStream,
//!     C: Clock + Clone,
//!     R: Read,
//!     W: Write<Error = R::Error>,
//!     B: Board,
//! {
//!     let mut store = Store::open(flash, layout, memory).await?;
//!     let stored = store.job().await?;
//!     let bridge = Bridge::new(store, stored);
//!     let mut runner = Runner::new(&bridge, scope, clock.clone(), LinkProfile::SERIAL, buffer);
//!     let mut uplink = Uplink::new(&bridge, clock, board, about);
//!     let serving = async {
//!         // A UART that fails is served again: each error is one of noise. A TCP stream would have ended.
//!         while uplink.serve(&mut receiver, &mut sender).await.is_err() {}
//!     };
//!     match select(runner.run(), serving).await {
//!         Either::First(never) => never,
//!         Either::Second(()) => Ok(()),
//!     }
//! }
//! ```
//!
//! On a microcontroller the bridge, the runner and the uplink go into statics, each loop into a task of its own. The
//! flash must be one whose bits may be cleared a second time (`MultiwriteNorFlash`), with sectors of 4096 bytes.
#![cfg_attr(not(any(test, feature = "fake")), no_std)]

/// Writes the firmware's log: a level of defmt, a text and its arguments. A computer's build has none.
macro_rules! log {
    ($level:ident, $text:literal $(, $argument:expr)*) => {{
        #[cfg(feature = "defmt")]
        defmt::$level!($text $(, $argument)*);
        #[cfg(not(feature = "defmt"))]
        let _ = ($(&$argument,)*);
    }};
}

pub mod button;
pub mod control;
pub mod events;
#[cfg(feature = "fake")]
pub mod fake;
pub mod flash_chip;
pub mod ftdi;
pub mod job;
pub mod led;
pub mod log;
pub mod radio;
pub mod scope_link;
pub mod store;
pub mod uplink;
pub mod usb;
pub mod vitals;
