//! The protocol between a computer and an RP2040 bridge: frames and the messages in them.
//!
//! At power-up the bridge passes bytes through to its BitScope. A zero byte, which no command of the virtual
//! machine is, opens a [`frame`]; a frame that holds a [`Request`] switches the bridge to messages, until
//! [`Request::PassThrough`] switches it back. The computer asks, the bridge answers, one at a time. Each
//! request has a number, which its answer repeats. A request without an answer is sent again under the same
//! number: it does no harm to be served twice (a repeated [`Request::CaptureNow`] is recognised by its number).
//!
//! Nothing here reads or writes a stream, keeps time or stores anything: that is the firmware's and the
//! host's.
//!
//! ```
//! use scopething_core::link::bridge::{Deframer, Request, frame};
//!
//! let mut buffer = [0; frame::MAX_REQUEST];
//! let sent = frame::encode(&mut buffer, 7, &Request::Status)?;
//!
//! let mut deframer = Deframer::<{ frame::MAX_REQUEST }>::new();
//! for &byte in sent {
//!     if let Some(bytes) = deframer.push(byte) {
//!         assert_eq!(frame::decode::<Request>(bytes)?, (7, Request::Status));
//!     }
//! }
//! # Ok::<(), frame::FrameError>(())
//! ```

mod bands;
mod board;
mod deframer;
mod event;
pub mod frame;
mod job;
mod message;
pub mod packing;
mod record;
mod status;
mod usb;
pub mod wear;

pub use bands::{Bands, BandsError};
pub use board::{BoardSettings, BoardSettingsError, Led};
pub use deframer::Deframer;
pub use event::{Event, Events, RadioFault, TimedEvent};
pub use job::{Fault, Job, JobState, Repeat, ToFlash, WhenFull};
pub use message::{Records, Refusal, Request, Response};
pub use record::{Ended, Packing, RECORD_VERSION, RecordError, StoredTrace, TraceId};
pub use status::{Failure, FlashChip, FlashSize, Restart, Status, StoreStatus};
pub use usb::{LineErrors, UsbError, UsbState, UsbStatus, UsbStep};
