//! The experiments by number, and what they are for.

/// One of the experiments, in the order in which they are best done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Experiment {
    /// Reset, revision, serial number.
    Identity = 1,
    /// Twenty captures of an open input.
    Captures = 2,
    /// Known voltages on A.
    Voltages = 3,
    /// Where the trigger's edge lies in a capture.
    Edge = 4,
    /// The level of the trigger.
    Level = 5,
    /// The first sample of a full buffer.
    FullBuffer = 6,
    /// The clock on L5.
    Clock = 7,
    /// Trigger patterns of logic lines.
    Pattern = 8,
    /// Waits for a trigger that does not come.
    Waiting = 9,
    /// Logic lines held high and low.
    Hold = 10,
    /// Streams.
    Streaming = 11,
    /// The rate of the link.
    LinkRate = 12,
}

impl Experiment {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Identity,
        Self::Captures,
        Self::Voltages,
        Self::Edge,
        Self::Level,
        Self::FullBuffer,
        Self::Clock,
        Self::Pattern,
        Self::Waiting,
        Self::Hold,
        Self::Streaming,
        Self::LinkRate,
    ];

    /// The number it is chosen by, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The experiment of a number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|experiment| experiment.number() == number)
    }

    /// What is done.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Identity => "Reset, revision and serial number",
            Self::Captures => "Twenty captures of an open input",
            Self::Voltages => "Known voltages on A",
            Self::Edge => "Where the trigger's edge lies in a capture",
            Self::Level => "The level of the trigger",
            Self::FullBuffer => "The first sample of a full buffer",
            Self::Clock => "A clock of 10 kHz on L5, and its end",
            Self::Pattern => "Trigger patterns of logic lines",
            Self::Waiting => "Waits for a trigger that does not come",
            Self::Hold => "Logic lines held high and low",
            Self::Streaming => "Streams from 2.45 kHz up",
            Self::LinkRate => "How long a full dump takes",
        }
    }

    /// What has to be wired; none for an experiment that needs no wires.
    #[must_use]
    pub const fn wiring(self) -> Option<&'static str> {
        match self {
            Self::Identity
            | Self::Captures
            | Self::Pattern
            | Self::Waiting
            | Self::Streaming
            | Self::LinkRate => None,
            Self::Voltages => Some("A to GND, then A to L4; a cell of 1.5 V if there is one"),
            Self::Edge | Self::Level | Self::FullBuffer => Some("L4 to A"),
            Self::Clock => Some("L5 to A"),
            Self::Hold => Some("nothing on the logic pins but 1 kohm from L3 to GND, a voltmeter across it"),
        }
    }

    /// The assumption that it settles.
    #[must_use]
    pub const fn settles(self) -> &'static str {
        match self {
            Self::Identity => {
                "`!` is answered within 0.2 s and keeps the registers; the serial number can be read"
            }
            Self::Captures => "captures repeat, and none of their samples is stale",
            Self::Voltages => "the order and sign of samples of 16 bits, and how volts set the converters",
            Self::Edge => "a capture ends at the sample before its end address, and the trigger is not late",
            Self::Level => "TriggerLevel takes the whole voltage, not half of it",
            Self::FullBuffer => "one sample more than counted is written, at the end address",
            Self::Clock => "what drives a line changes at `U`, and a clock that is stopped is gone",
            Self::Pattern => {
                "a 1 bit of TriggerMask is a line that does not matter; a steady level is no edge"
            }
            Self::Waiting => {
                "a trigger that does not come ends by time-out or by `K`, and a capture works at once after"
            }
            Self::Hold => "a clock output whose other edge never comes holds its line",
            Self::Streaming => "the frames of a stream, and the rate from which on the link loses some",
            Self::LinkRate => "the link carries 1 Mbit/s",
        }
    }
}
