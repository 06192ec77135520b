//! What the generators are asked for, as users and programs write it: texts such as `sine 1kHz 0..3.3V` and
//! `1MHz L4, L5 phase 90deg`, files of own samples, and JSON.
//!
//! Here is how a request is written, and how a [`GeneratorRequest`] becomes what a scope
//! [generates](GeneratorPlan). What the device can do of it is decided by the planners of the core,
//! [`plan_waveform`](scopething_core::plan::plan_waveform) and [`plan_clocks`](scopething_core::plan::plan_clocks).
//!
//! ```
//! use scopething::generate::{ClockSpec, WaveSpec};
//!
//! let wave: WaveSpec = "square 2kHz 0..3.3V 30%".parse()?;
//! assert_eq!(wave.request(&[])?.symmetry, 0.3);
//! let clocks = "1MHz L4, L5 phase 90deg".parse::<ClockSpec>()?.request()?;
//! assert_eq!(clocks.outputs[1].phase, 0.25);
//! # Ok::<(), scopething::generate::SpecError>(())
//! ```

mod clock;
mod json;
mod report;
mod request;
mod table;
mod wave;

use std::fmt;

pub use clock::{ClockSpec, OutputSpec, phase};
pub use json::{GeneratorKind, JsonGeneratorError, JsonGeneratorRequest};
pub use request::{GeneratorPlan, GeneratorRequest, GeneratorRequestError, parse_levels, stop};
use scopething_core::plan::{ClockError, UnknownWaveShape};
pub use table::{WaveTable, WaveTableError};
pub use wave::{ShapeSpec, WaveSpec, min_samples};

use crate::request::SampleCountError;
use scopething_waveform::quantity::QuantityError;

/// Why a text is no request to a generator.
#[derive(Debug, Clone, PartialEq)]
pub enum SpecError {
    /// Neither a shape nor anything else that a waveform has.
    Shape {
        /// What was written.
        word: String,
        /// Why it is none.
        source: UnknownWaveShape,
    },
    /// A word that means nothing here.
    Unexpected {
        /// The word.
        word: String,
        /// What may be written.
        expected: &'static str,
    },
    /// Something was given twice.
    Twice {
        /// What it was.
        what: &'static str,
    },
    /// No frequency was given.
    NoFrequency {
        /// What it would be written like.
        example: &'static str,
    },
    /// A clock among several without a line to drive.
    NoLine {
        /// Which one, from 1 on.
        which: usize,
    },
    /// A line that clocks cannot be put on.
    Line {
        /// What was written.
        word: String,
    },
    /// A number of samples that is none.
    Samples(SampleCountError),
    /// A number that is not understood.
    Quantity(QuantityError),
    /// Clocks that no device has.
    Clock(ClockError),
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { word, source } => write!(f, "{word:?} is {source}, or file:PATH"),
            Self::Unexpected { word, expected } => write!(f, "{word:?} is not understood: give {expected}"),
            Self::Twice { what } => write!(f, "{what} is given twice: give it once"),
            Self::NoFrequency { example } => write!(f, "there is no frequency: write it like {example}"),
            Self::NoLine { which } => {
                write!(f, "clock {which} has no line to drive: name one for each, as in \"1MHz L4, L5\"")
            }
            Self::Line { word } => write!(f, "{word:?} is no logic line: give L0 to L7"),
            Self::Samples(error) => error.fmt(f),
            Self::Quantity(error) => error.fmt(f),
            Self::Clock(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SpecError {}

impl From<QuantityError> for SpecError {
    fn from(error: QuantityError) -> Self {
        Self::Quantity(error)
    }
}

impl From<SampleCountError> for SpecError {
    fn from(error: SampleCountError) -> Self {
        Self::Samples(error)
    }
}

/// Puts a value where there is none yet.
fn once<T>(place: &mut Option<T>, value: T, what: &'static str) -> Result<(), SpecError> {
    if place.replace(value).is_some() { Err(SpecError::Twice { what }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use scopething_core::device::BS05;
    use scopething_core::plan::{plan_clocks, plan_waveform};

    /// Valid words, and some invalid ones.
    fn words() -> impl Strategy<Value = String> {
        let known = prop::sample::select(vec![
            "sine",
            "square",
            "1kHz",
            "1e9",
            "-5",
            "NaN",
            "0..3V",
            "..",
            "30%",
            "-7%",
            "min-samples=9",
            "max-error=1",
            "max-error=",
            "L4",
            "L5",
            "L9",
            ",",
            "phase",
            "phase=-90deg",
            "1e300deg",
            "file:x",
            "file:",
            "=",
        ]);
        prop::collection::vec(prop_oneof![4 => known.prop_map(str::to_owned), 1 => "\\PC{0,8}"], 0..8)
            .prop_map(|words| words.join(" "))
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn any_words_are_planned_or_refused(text in words()) {
            if let Ok(request) = text.parse::<WaveSpec>().and_then(|spec| spec.request(&[]))
                && let Ok(plan) = plan_waveform(&BS05, &request)
            {
                prop_assert!(plan.error.abs() <= request.max_error);
            }
            if let Ok(request) = text.parse::<ClockSpec>().and_then(|spec| spec.request())
                && let Ok(plan) = plan_clocks(&BS05, &request)
            {
                prop_assert!(plan.error.abs() <= request.max_error);
                prop_assert_eq!(plan.outputs.len(), request.outputs.len());
            }
        }
    }
}
