//! Requests to the generators as JSON.

use scopething_core::plan::Channel;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

use super::{ClockSpec, OutputSpec, ShapeSpec, SpecError, WaveSpec};

/// Which generator a request is for, if it does not name one itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GeneratorKind {
    /// The waveform generator.
    Waveform,
    /// The clock outputs.
    Clock,
}

/// A request to a generator, as written in JSON: `kind` (`waveform` or `clock`) and `args`.
///
/// Of a waveform the arguments are `frequency` in hertz, `waveform` (the shape), `ratio` (the symmetry),
/// `low` and `high` in volts, `min_samples` and `max_error`; of a clock `frequency`, `ratio` (the duty) and
/// `max_error`, and either `line` and `phase` (a part of the period) or `outputs`, a list of objects of
/// `line`, `ratio` and `phase`. What is absent has its default, but for the frequency. Other keys beside
/// `kind` and `args` are ignored.
///
/// ```
/// use scopething::generate::{GeneratorKind, JsonGeneratorRequest};
///
/// let line = r#"{"kind": "waveform", "args": {"frequency": 1000, "waveform": "square", "ratio": 0.3}}"#;
/// let request = JsonGeneratorRequest::parse(line, GeneratorKind::Clock)?;
/// let JsonGeneratorRequest::Waveform(spec) = request else { panic!("a waveform") };
/// assert_eq!(spec.request(&[])?.symmetry, 0.3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum JsonGeneratorRequest {
    /// To the waveform generator.
    Waveform(WaveSpec),
    /// To the clock outputs.
    Clock(ClockSpec),
}

/// Why a text is no request to a generator.
#[derive(Debug, Error)]
pub enum JsonGeneratorError {
    /// It is not JSON, lacks `args`, or has a key or a value that no request has.
    #[error("not a request to a generator: {0}")]
    Form(#[from] serde_json::Error),
    /// A shape or a line that does not exist.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A clock's line and phase beside the list of clocks.
    #[error("outputs specify ratio, line and phase of each clock: give either outputs or those")]
    OutputTwice,
}

#[derive(Deserialize)]
struct Request {
    kind: Option<GeneratorKind>,
    args: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WaveformArguments {
    frequency: Option<f64>,
    waveform: Option<String>,
    ratio: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    min_samples: Option<u16>,
    max_error: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockArguments {
    frequency: Option<f64>,
    max_error: Option<f64>,
    ratio: Option<f64>,
    line: Option<String>,
    phase: Option<f64>,
    outputs: Option<Vec<OutputArguments>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputArguments {
    ratio: Option<f64>,
    line: Option<String>,
    phase: Option<f64>,
}

impl JsonGeneratorRequest {
    /// Reads one JSON object; `kind` counts if it does not name its own.
    ///
    /// # Errors
    /// [`JsonGeneratorError`] reports what is wrong.
    pub fn parse(text: &str, kind: GeneratorKind) -> Result<Self, JsonGeneratorError> {
        let request: Request = serde_json::from_str(text)?;
        Ok(match request.kind.unwrap_or(kind) {
            GeneratorKind::Waveform => {
                Self::Waveform(serde_json::from_value::<WaveformArguments>(request.args)?.spec()?)
            }
            GeneratorKind::Clock => {
                Self::Clock(serde_json::from_value::<ClockArguments>(request.args)?.spec()?)
            }
        })
    }
}

impl WaveformArguments {
    fn spec(self) -> Result<WaveSpec, SpecError> {
        // Requests come from anywhere, and are not to have files read.
        let shape = self.waveform.map(|name| match name.parse() {
            Ok(shape) => Ok(ShapeSpec::BuiltIn(shape)),
            Err(source) => Err(SpecError::Shape { word: name, source }),
        });
        Ok(WaveSpec {
            shape: shape.transpose()?,
            frequency_hz: self.frequency,
            symmetry: self.ratio,
            low: self.low,
            high: self.high,
            min_samples: self.min_samples,
            max_error: self.max_error,
        })
    }
}

impl ClockArguments {
    fn spec(self) -> Result<ClockSpec, JsonGeneratorError> {
        let one = OutputArguments { ratio: self.ratio, line: self.line, phase: self.phase };
        let outputs = match self.outputs {
            None => vec![one],
            Some(outputs) if one.ratio.is_none() && one.line.is_none() && one.phase.is_none() => outputs,
            Some(_) => return Err(JsonGeneratorError::OutputTwice),
        };
        let outputs: Result<_, SpecError> = outputs.into_iter().map(OutputArguments::spec).collect();
        Ok(ClockSpec { frequency_hz: self.frequency, max_error: self.max_error, outputs: outputs? })
    }
}

impl OutputArguments {
    fn spec(self) -> Result<OutputSpec, SpecError> {
        let line = self.line.map(|name| match name.parse() {
            Ok(Channel::Logic(line)) => Ok(line),
            _ => Err(SpecError::Line { word: name }),
        });
        Ok(OutputSpec { line: line.transpose()?, duty: self.ratio, phase: self.phase })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_core::plan::{ClockOutput, ClockRequest, LogicLine};

    fn clocks(args: &str) -> ClockRequest {
        let text = format!(r#"{{"args": {args}}}"#);
        match JsonGeneratorRequest::parse(&text, GeneratorKind::Clock).unwrap() {
            JsonGeneratorRequest::Clock(spec) => spec.request().unwrap(),
            other @ JsonGeneratorRequest::Waveform(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn clocks_are_one_or_a_list() {
        let output = |line, phase, duty| ClockOutput { line: LogicLine::new(line).unwrap(), phase, duty };
        assert_eq!(
            clocks(r#"{"frequency": 1e3, "ratio": 0.3}"#),
            ClockRequest::new(1e3, &[output(5, 0.0, 0.3)]).unwrap()
        );
        assert_eq!(
            clocks(
                r#"{"frequency": 1e3, "outputs": [{"line": "L4"},
                    {"line": "L0", "phase": 0.25, "ratio": 0.1}]}"#
            ),
            ClockRequest::new(1e3, &[output(4, 0.0, 0.5), output(0, 0.25, 0.1)]).unwrap()
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("", "EOF"),
            ("[]", "not a request to a generator"),
            (r#"{"kind": "waveform"}"#, "args"),
            (r#"{"kind": "sine", "args": {}}"#, "sine"),
            (r#"{"kind": "waveform", "args": {"duty": 1}}"#, "duty"),
            (r#"{"kind": "waveform", "args": {"frequency": 1, "waveform": "saw"}}"#, "\"saw\""),
            (r#"{"kind": "waveform", "args": {"frequency": 1, "waveform": "file:/etc/passwd"}}"#, "file:"),
            (r#"{"kind": "waveform", "args": {"frequency": "1kHz"}}"#, "1kHz"),
            (r#"{"kind": "waveform", "args": {"min_samples": -1}}"#, "-1"),
            (r#"{"args": {"frequency": 1, "line": "A"}}"#, "\"A\""),
            (r#"{"args": {"frequency": 1, "line": "L4", "outputs": []}}"#, "either outputs"),
        ] {
            let refused = JsonGeneratorRequest::parse(text, GeneratorKind::Clock).unwrap_err().to_string();
            assert!(refused.contains(part), "{text}: {refused}");
        }
    }
}
