//! Recording for weeks (draft)
pub mod growing;
pub mod keep;
pub mod measure;
pub mod text;
