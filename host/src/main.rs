//! The `scopething` program.
fn main() {}
