//! What a page with the face of an oscilloscope needs: knobs as JSON, traces as bytes, one capture after the other while
//! somebody looks.
//!
//! What is sent both ways is an interface of its own, documented in `host/pages/web-interface.md`. How it gets to a client is
//! not known here: a server has a [`Channel`] over the network, a page that runs the instrument itself one to its own scripts.

mod acquire;
mod autoset;
mod command;
mod frame;
mod history;
mod panel;
mod roll;
mod session;

pub use self::acquire::{About, Acquired, Ended, Shared, Status, acquire};
pub use self::command::{Command, MAX_CLIENTS, state_json, traces_json};
pub use self::frame::{Block, Frame, FrameChannel, Kind, Layout, NotAFrame, View, decode, encode};
pub use self::panel::{Patch, Run};
pub use self::roll::Rolling;
pub use self::session::{Channel, FromClient, Gone, Role, ToClient, serve};
