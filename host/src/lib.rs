//! ScopeThing on a computer: links to a BitScope, a simulated one, files and pictures of traces.

pub mod bridge;
pub mod calibration_file;
pub mod cli;
pub mod faults;
pub mod files;
pub mod generate;
pub mod link;
pub mod measure;
pub mod moment;
pub mod plot;
pub mod quantity;
mod query;
mod random;
pub mod record;
pub mod recording;
pub mod request;
pub mod selftest;
pub mod serve;
pub mod sim;
pub mod stream;
pub mod watched;
