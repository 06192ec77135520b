//! Faults of a link and a device, by number or by chance, repeatable by seed.
//!
//! The simulated device has them all. [`FaultyStream`] puts those of a byte stream on any other link; what happens
//! inside a device (`short`, `reboot`) or to datagrams is refused there.
//!
//! A plan is a text of faults with `;` between, each `KIND[:VALUE][@WHEN]`. `WHEN` is the number of a byte
//! (counted from 0) or a chance a byte such as `0.1%`; bytes come from the device, or go to it where a `w`
//! (written) leads.
//!
//! | kind | what happens |
//! | --- | --- |
//! | `drop@37` | the byte is lost |
//! | `repeat@37` | it comes twice |
//! | `corrupt@37` | some of its bits are inverted |
//! | `delay:50ms@37` | it and all that follows comes later |
//! | `short@37` | it and all that follows is lost, until the host writes again |
//! | `stall@37` | from there on nothing passes, either way |
//! | `close@37` | the link closes |
//! | `reboot@37` | the device starts anew, and what was on its way is lost |
//! | `burst:40` | that many stale bytes arrive on connecting |
//! | `lose@5%` | a datagram is lost |
//! | `resend@5%` | a datagram is sent twice |
//! | `swap@5%` | a datagram is overtaken by the next |
//! | `stranger@5%` | a datagram is followed by one from elsewhere |
//!
//! ```
//! use scopething_sim::faults::FaultPlan;
//!
//! let plan: FaultPlan = "drop@120;corrupt@0.1%;delay:50ms@w30".parse()?;
//! assert_eq!(plan.to_string(), "drop@120;corrupt@0.1%;delay:50ms@w30");
//! # Ok::<(), scopething_sim::faults::FaultError>(())
//! ```
//!
//! In the URL of any link: `socket://localhost:5025?faults=drop@120;corrupt@0.1%&seed=7`.

mod injector;
mod plan;
mod stream;
mod stream_faults;

pub use injector::Injector;
pub use plan::{Direction, Fault, FaultError, FaultKind, FaultPlan, When};
pub use stream::{FaultyError, FaultyStream};
pub use stream_faults::StreamFaults;
