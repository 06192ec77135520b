//! The driver of a BitScope over a byte stream.

mod profile;

pub use profile::LinkProfile;
