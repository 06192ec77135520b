//! The control connection's commands, one a line.
//!
//! ```
//! use scopething_serve::twinlan::{Command, Query};
//!
//! assert_eq!(Command::parse(b"RATE 1000000"), Some(Command::Rate(1e6)));
//! assert_eq!(Command::parse(b"ARMED?"), Some(Command::Query(Query::Armed)));
//! assert_eq!(Command::parse(b"TRIG:LEV nan"), None);
//! ```

use scopething_core::plan::{
    AnalogChannel, LogicLine, LogicPattern, Resolution, TriggerMode, TriggerSource, TriggerType, WaveShape,
};

use crate::scpi::number;

/// Femtoseconds in a second.
const FEMTOSECONDS: f64 = 1e15;

/// A query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query {
    /// The identification.
    Identity,
    /// How many analog channels there are.
    Channels,
    /// Whether captures are pushed.
    Armed,
    /// The number of the last waveform sent.
    Sequence,
    /// The sample periods offered.
    Rates,
    /// The numbers of samples offered.
    Depths,
    /// Whether a pod of eight logic lines is there, by its number from 1 on.
    Pod(u8),
    /// Something else, which is answered by an empty line.
    Unknown,
}

/// What is to be set of the generator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Generator {
    /// Whether it plays.
    On(bool),
    /// Its frequency, in hertz.
    Frequency(f64),
    /// From the lowest output to the highest, in volts.
    Range(f64),
    /// The middle of the output, in volts.
    Offset(f64),
    /// The part of the period that a square is high, 0 to 1.
    Duty(f64),
    /// One period, and where the shape itself has one, the part of it spent rising.
    Shape(WaveShape<'static>, Option<f64>),
    /// A constant voltage.
    Constant,
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Command {
    /// Answer.
    Query(Query),
    /// Samples a second, in hertz.
    Rate(f64),
    /// Samples a capture.
    Depth(u32),
    /// Push captures from now on.
    Start,
    /// Push one capture.
    Single,
    /// Push one capture, triggered or not.
    Force,
    /// Push no more.
    Stop,
    /// An analog channel, by index, on or off.
    Channel(usize, bool),
    /// A logic line on or off.
    Line(LogicLine, bool),
    /// The full scale of a channel, in volts.
    Range(usize, f64),
    /// The middle of a channel's scale, in volts.
    Middle(usize, f64),
    /// The time before the trigger, in seconds.
    PreTrigger(f64),
    /// What the trigger watches.
    Source(TriggerSource),
    /// The trigger level, in volts.
    Level(f64),
    /// Which way the signal passes the level.
    Edge(TriggerType),
    /// What happens to a capture whose trigger does not come.
    Mode(TriggerMode),
    /// How finely samples are resolved.
    Resolution(Resolution),
    /// The generator.
    Generator(Generator),
}

impl Command {
    /// Reads a line. None for what is not known, is not supported, or makes no sense.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?.trim();
        let (name, argument) = text.split_once(' ').unwrap_or((text, ""));
        let name = name.strip_prefix(':').unwrap_or(name).to_ascii_uppercase();
        if let Some(question) = name.strip_suffix('?') {
            return Some(Self::Query(query(question)));
        }
        let argument = argument.trim();
        match name.split_once(':') {
            None => simple(&name, argument),
            Some(("TRIG", what)) => trigger(what, argument),
            Some(("AWG", what)) => generator(what, argument).map(Self::Generator),
            Some((channel, what)) => match analog(channel) {
                Some(index) => analog_setting(index, what, argument),
                None => Some(Self::Line(line_of(channel)?, switched(what)?)),
            },
        }
    }
}

fn query(name: &str) -> Query {
    match name {
        "*IDN" => Query::Identity,
        "CHANS" => Query::Channels,
        "ARMED" => Query::Armed,
        "SEQNUM" => Query::Sequence,
        "RATES" => Query::Rates,
        "DEPTHS" => Query::Depths,
        _ => {
            let pod = name.strip_suffix("D:PRESENT").and_then(|pod| pod.parse().ok());
            pod.map_or(Query::Unknown, Query::Pod)
        }
    }
}

fn simple(name: &str, argument: &str) -> Option<Command> {
    let positive = || number(argument).filter(|value| *value > 0.0);
    Some(match name {
        "RATE" => Command::Rate(positive()?),
        "DEPTH" => Command::Depth(positive()?.min(f64::from(u32::MAX)) as u32),
        "BITS" if positive()? > 8.0 => Command::Resolution(Resolution::Best),
        "BITS" => Command::Resolution(Resolution::Bits8),
        "START" => Command::Start,
        "SINGLE" => Command::Single,
        "FORCE" => Command::Force,
        "STOP" => Command::Stop,
        _ => return None,
    })
}

fn switched(name: &str) -> Option<bool> {
    match name {
        "ON" => Some(true),
        "OFF" => Some(false),
        _ => None,
    }
}

fn analog(name: &str) -> Option<usize> {
    match name {
        "A" => Some(0),
        "B" => Some(1),
        _ => None,
    }
}

/// A line of the first pod: `1D0` to `1D7`.
fn line_of(name: &str) -> Option<LogicLine> {
    LogicLine::new(name.strip_prefix("1D")?.parse().ok()?)
}

fn analog_setting(index: usize, what: &str, argument: &str) -> Option<Command> {
    Some(match what {
        "RANGE" => Command::Range(index, number(argument).filter(|volts| *volts > 0.0)?),
        // It comes negated.
        "OFFS" => Command::Middle(index, -number(argument)?),
        _ => Command::Channel(index, switched(what)?),
    })
}

fn trigger(what: &str, argument: &str) -> Option<Command> {
    Some(match what {
        "DELAY" => Command::PreTrigger(number(argument)? / FEMTOSECONDS),
        "LEV" => Command::Level(number(argument)?),
        "SOU" => Command::Source(match argument {
            "A" => TriggerSource::Analog(AnalogChannel::A),
            "B" => TriggerSource::Analog(AnalogChannel::B),
            _ => TriggerSource::Logic(LogicPattern::line(line_of(argument)?, true)),
        }),
        "EDGE:DIR" => Command::Edge(match argument {
            "RISING" => TriggerType::Rising,
            "FALLING" => TriggerType::Falling,
            _ => return None,
        }),
        "MODE" => Command::Mode(match argument {
            "AUTO" => TriggerMode::Auto,
            "NORMAL" => TriggerMode::Normal,
            _ => return None,
        }),
        _ => return None,
    })
}

fn generator(what: &str, argument: &str) -> Option<Generator> {
    let positive = || number(argument).filter(|value| *value > 0.0);
    Some(match what {
        "START" => Generator::On(true),
        "STOP" => Generator::On(false),
        "FREQ" => Generator::Frequency(positive()?),
        "RANGE" => Generator::Range(positive()?),
        "OFFS" | "OFF" => Generator::Offset(number(argument)?),
        "DUTY" => {
            let duty = number(argument)?;
            // A part of the period; some clients mean hundredths.
            Generator::Duty(if duty > 1.0 { duty / 100.0 } else { duty }.clamp(0.0, 1.0))
        }
        "SHAPE" => match argument {
            "SINE" => Generator::Shape(WaveShape::Sine, Some(0.5)),
            "SQUARE" => Generator::Shape(WaveShape::Square, None),
            "TRIANGLE" => Generator::Shape(WaveShape::Triangle, Some(0.5)),
            "RAMP_UP" => Generator::Shape(WaveShape::Triangle, Some(1.0)),
            "RAMP_DOWN" => Generator::Shape(WaveShape::Triangle, Some(0.0)),
            "DC" => Generator::Constant,
            _ => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_command_is_known() {
        let line = |line| LogicLine::new(line).unwrap();
        for (text, command) in [
            ("*IDN?", Command::Query(Query::Identity)),
            ("1D:PRESENT?", Command::Query(Query::Pod(1))),
            ("2D:PRESENT?", Command::Query(Query::Pod(2))),
            ("AWG:FREQ?", Command::Query(Query::Unknown)),
            ("DEPTH 10000", Command::Depth(10_000)),
            (":A:ON", Command::Channel(0, true)),
            (":B:OFF", Command::Channel(1, false)),
            (":B:RANGE 5.000000", Command::Range(1, 5.0)),
            (":A:OFFS -1.5", Command::Middle(0, 1.5)),
            (":1D0:ON", Command::Line(line(0), true)),
            ("TRIG:DELAY 2000000000000", Command::PreTrigger(2e-3)),
            ("TRIG:SOU 1D3", Command::Source(TriggerSource::Logic(LogicPattern::line(line(3), true)))),
            ("TRIG:EDGE:DIR FALLING", Command::Edge(TriggerType::Falling)),
            ("TRIG:MODE AUTO", Command::Mode(TriggerMode::Auto)),
            ("TRIG:MODE NORMAL", Command::Mode(TriggerMode::Normal)),
            ("BITS 8", Command::Resolution(Resolution::Bits8)),
            ("BITS 12", Command::Resolution(Resolution::Best)),
            ("AWG:DUTY 25", Command::Generator(Generator::Duty(0.25))),
            ("AWG:SHAPE RAMP_UP", Command::Generator(Generator::Shape(WaveShape::Triangle, Some(1.0)))),
        ] {
            assert_eq!(Command::parse(text.as_bytes()), Some(command), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        for text in [
            "",
            "RATE 0",
            "RATE nan",
            "DEPTH -1",
            "TRIG:LEV inf",
            "TRIG:EDGE:DIR ANY",
            ":C:ON",
            ":1D8:ON",
            ":1D0:THRESH 1",
            ":A:COUP AC1M",
            ":A:RANGE 0",
            "AWG:SHAPE PRBS",
            "BITS 0",
            "TRIG:MODE SINGLE",
            "\u{fffd}",
        ] {
            assert_eq!(Command::parse(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #![proptest_config(crate::fixed_seed::fixed_seed(512))]

        #[test]
        fn any_line_is_read(
            line in proptest::collection::vec(any::<u8>(), 0..100),
            words in "[:A-Z0-9?]{0,12} ?[-+.0-9einfa]{0,8}",
        ) {
            let _ = Command::parse(&line);
            if let Some(Command::Rate(hertz) | Command::Range(_, hertz)) = Command::parse(words.as_bytes()) {
                prop_assert!(hertz > 0.0 && hertz.is_finite());
            }
        }
    }
}
