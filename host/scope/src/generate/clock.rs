//! Clock specifications as text: `1MHz 50%`, and `1MHz L4, L5 phase 90deg` for quadrature.

use std::str::FromStr;

use scopething_core::plan::{Channel, ClockError, ClockOutput, ClockRequest, LogicLine};

use super::{SpecError, once};
use scopething_waveform::quantity::{self, Unit};

const EXAMPLE: &str = "\"1MHz 50%\"";
const WORDS: &str = "a frequency, a line such as L4, a duty such as 30%, phase 90deg or max-error=E";

/// A specification of clocks; what is not given has its default, but for the frequency.
///
/// Its text has the clocks with commas between, up to three, and of each these words in any order:
///
/// | word | means | default |
/// | --- | --- | --- |
/// | `L4` | the logic line that it drives | L5 if it is the only one |
/// | `30%` | duty: the part of the period in which it is high | 50 % |
/// | `phase 90deg`, `phase 25%`, `phase 0.25` | how much later than the period it rises | 0 |
///
/// and of all together, given with any of them, `1MHz`, the frequency, and `max-error=1%`, how far it may be off
/// (0.01 %).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClockSpec {
    /// The frequency, in hertz.
    pub frequency_hz: Option<f64>,
    /// How far the frequency may be off, as a part of it.
    pub max_error: Option<f64>,
    /// The clocks, at least one.
    pub outputs: Vec<OutputSpec>,
}

/// A specification of one clock.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct OutputSpec {
    /// The line that it drives.
    pub line: Option<LogicLine>,
    /// The part of the period in which it is high.
    pub duty: Option<f64>,
    /// How much later than the period it rises, as a part of the period.
    pub phase: Option<f64>,
}

impl OutputSpec {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn output(&self, line: LogicLine) -> ClockOutput {
        let defaults = ClockOutput::new(line);
        ClockOutput {
            line,
            phase: self.phase.unwrap_or(defaults.phase),
            duty: self.duty.unwrap_or(defaults.duty),
        }
    }
}

impl ClockSpec {
    /// The request.
    ///
    /// # Errors
    /// [`SpecError::NoFrequency`], [`SpecError::NoLine`] and [`SpecError::Clock`] for too many clocks.
    pub fn request(&self) -> Result<ClockRequest, SpecError> {
        let frequency_hz = self.frequency_hz.ok_or(SpecError::NoFrequency { example: EXAMPLE })?;
        let outputs = match self.outputs.as_slice() {
            [] => vec![ClockOutput::new(LogicLine::CLOCK)],
            [only] => vec![only.output(only.line.unwrap_or(LogicLine::CLOCK))],
            several => {
                let output = |(index, output): (usize, &OutputSpec)| {
                    let line = output.line.ok_or(SpecError::NoLine { which: index + 1 })?;
                    Ok(output.output(line))
                };
                several.iter().enumerate().map(output).collect::<Result<_, SpecError>>()?
            }
        };
        let mut request = ClockRequest::new(frequency_hz, &outputs).map_err(SpecError::Clock)?;
        request.max_error = self.max_error.unwrap_or(request.max_error);
        Ok(request)
    }

    fn take(&mut self, output: &mut OutputSpec, word: &str, next: Option<&str>) -> Result<bool, SpecError> {
        if let Some(value) = word.strip_prefix("phase=") {
            once(&mut output.phase, phase(value)?, "the phase")?;
        } else if word == "phase" {
            once(&mut output.phase, phase(next.unwrap_or_default())?, "the phase")?;
            return Ok(true);
        } else if let Some(value) = word.strip_prefix("max-error=") {
            once(&mut self.max_error, quantity::parse(value, Unit::Fraction)?, "max-error")?;
        } else if word.ends_with('%') {
            once(&mut output.duty, quantity::parse(word, Unit::Fraction)?, "the duty")?;
        } else if word.starts_with(['L', 'l']) {
            once(&mut output.line, line(word)?, "the line of a clock")?;
        } else if word.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
            once(&mut self.frequency_hz, quantity::parse(word, Unit::Hertz)?, "the frequency")?;
        } else {
            return Err(SpecError::Unexpected { word: word.to_owned(), expected: WORDS });
        }
        Ok(false)
    }
}

/// Reads a logic line's name.
fn line(word: &str) -> Result<LogicLine, SpecError> {
    match word.parse() {
        Ok(Channel::Logic(line)) => Ok(line),
        _ => Err(SpecError::Line { word: word.to_owned() }),
    }
}

/// Reads a phase: degrees of any number of periods (`90deg`, `-90°`), or a part of the period (`25%`,
/// `0.25`). Gives a part of the period, for degrees from 0 to below 1.
///
/// # Errors
/// [`SpecError::Quantity`] if it is none of those.
pub fn phase(text: &str) -> Result<f64, SpecError> {
    let text = text.trim();
    match text.strip_suffix("deg").or_else(|| text.strip_suffix('°')) {
        // rem_euclid rounds to 1 what lies just below a whole number of periods.
        Some(degrees) => Ok((quantity::parse(degrees, Unit::Fraction)? / 360.0).rem_euclid(1.0) % 1.0),
        None => Ok(quantity::parse(text, Unit::Fraction)?),
    }
}

impl FromStr for ClockSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut clocks = Self::default();
        for part in text.split(',') {
            let mut output = OutputSpec::default();
            let mut words = part.split_whitespace().peekable();
            while let Some(word) = words.next() {
                if clocks.take(&mut output, word, words.peek().copied())? {
                    words.next();
                }
            }
            clocks.outputs.push(output);
        }
        // A comma behind the frequency is one between it and the clocks.
        if clocks.outputs.len() > 1 {
            clocks.outputs.retain(|output| !output.is_empty());
        }
        if clocks.outputs.len() > ClockRequest::MAX_OUTPUTS {
            return Err(SpecError::Clock(ClockError::TooManyOutputs { asked: clocks.outputs.len() }));
        }
        Ok(clocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> Result<ClockRequest, SpecError> {
        text.parse::<ClockSpec>()?.request()
    }

    fn output(line: u8, phase: f64, duty: f64) -> ClockOutput {
        ClockOutput { line: LogicLine::new(line).unwrap(), phase, duty }
    }

    #[test]
    fn one_clock_is_on_l5() {
        let wanted = ClockRequest::new(1e6, &[output(5, 0.0, 0.5)]).unwrap();
        for text in
            ["1MHz", "1MHz 50%", "50%, 1MHz", "1e6 L5", "L5 phase 0 1000kHz", "1MHz, L5 phase -360deg"]
        {
            assert_eq!(request(text), Ok(wanted.clone()), "{text}");
        }
    }

    #[test]
    fn each_clock_has_its_line_phase_and_duty() {
        let outputs = [output(4, 0.0, 0.5), output(5, 0.25, 0.5), output(0, 0.75, 0.1)];
        let wanted = ClockRequest { max_error: 0.01, ..ClockRequest::new(1e3, &outputs).unwrap() };
        for text in [
            "1kHz L4 50% phase 0, L5 50% phase 90deg, L0 10% phase -90° max-error=1%",
            "1kHz max-error=1%, L4, phase=25% L5, l0 phase 0.75 10%",
        ] {
            assert_eq!(request(text), Ok(wanted.clone()), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("", "there is no frequency"),
            ("L4", "there is no frequency"),
            ("1MHz 50% 40%", "the duty is given twice"),
            ("1MHz L4 L5", "the line of a clock is given twice"),
            ("1MHz, 2MHz L4", "the frequency is given twice"),
            ("1MHz L8", "\"L8\" is no logic line: give L0 to L7"),
            ("1MHz L", "\"L\" is no logic line"),
            ("1MHz A", "\"A\" is not understood"),
            ("1MHz L4, 50%", "clock 2 has no line"),
            ("1MHz phase", "\"\" is not a number"),
            ("1MHz phase 90rad", "\"rad\" in \"90rad\""),
            ("1MHz phase NaNdeg", "\"NaN\" is not a number"),
            ("1MHz L0, L1, L2, L3", "4 clock outputs are more than there are"),
        ] {
            let refused = request(text).unwrap_err().to_string();
            assert!(refused.contains(part), "{text}: {refused}");
        }
    }
}
