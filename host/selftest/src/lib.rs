//! Experiments that show whether a BitScope does what ScopeThing assumes of it.
//!
//! ScopeThing was written from documents and from programs that work, without a device at hand. Each [`Experiment`]
//! checks one assumption by measurement: [`Bench::run`] carries it out and gives an [`Outcome`], a [`Report`] holds
//! all of them with every byte exchanged, and nothing that identifies the owner of the device.
//!
//! What has to be wired is asked for through an [`Operator`]. Nothing here prints.
//!
//! ```
//! use scopething::link;
//! use scopething_selftest::{Bench, Experiment, NoOperator, Verdict};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! let mut bench = Bench::new(link::open(&"sim:?clock=fast".parse()?).await?);
//! let outcome = bench.run(Experiment::Identity, &mut NoOperator).await;
//! assert_eq!(outcome.verdict, Verdict::AsAssumed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

mod analysis;
mod bench;
mod exchanges;
mod experiment;
mod experiments;
mod finding;
mod operator;
mod outcome;
mod raw;
mod report;
mod stop;

pub use bench::Bench;
pub use exchanges::{Exchange, Exchanges};
pub use experiment::Experiment;
pub use finding::Finding;
pub use operator::{NoOperator, Operator, Reply};
pub use outcome::{Outcome, Verdict};
pub use report::{LinkKind, Report};
