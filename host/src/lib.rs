//! ScopeThing on a computer: links to a BitScope, a simulated one, files and pictures of traces.

pub mod quantity;
pub mod sim;
pub mod link;
