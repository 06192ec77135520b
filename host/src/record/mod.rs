//! Recording for weeks (draft)
pub mod growing;
pub mod job;
pub mod keep;
pub mod listing;
pub mod measure;
pub mod schedule;
pub mod shelf;
pub mod stamps;
pub mod store;
pub mod text;
pub mod time;
pub mod troubles;
