//! Tests of the driver's public face: one program, which links once, with a module for each subject.

mod analysis_accuracy;
mod calibration;
mod driver_transcripts;
mod dump_transcripts;
mod generator_transcripts;
mod generator_vectors;
mod plan_vectors;
#[path = "../seeded_series/mod.rs"]
mod seeded_series;
mod stream_transcripts;
mod transcript;
mod waiting_transcripts;
