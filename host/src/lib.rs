//! ScopeThing on a computer: links to a BitScope, a simulated one, files and pictures of traces.

pub mod files;
pub mod plot;
pub mod recording;
