//! Names of channels and sets of them.

use core::{fmt, str::FromStr};

/// One of the two analog inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AnalogChannel {
    /// Channel A.
    A,
    /// Channel B.
    B,
}

impl AnalogChannel {
    /// Both, A first.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The channel's bit in register `AnalogEnable`.
    #[must_use]
    pub const fn bit(self) -> u8 {
        match self {
            Self::A => 1,
            Self::B => 2,
        }
    }

    /// The bit of register `KitchenSinkA` that turns this channel's comparator on ([section 3 of the reference](crate::vm#3-registers)).
    pub(super) const fn comparator_bit(self) -> u8 {
        match self {
            Self::A => 0x80,
            Self::B => 0x40,
        }
    }

    /// The logic line that shares this channel's comparator ([section 9 of the reference](crate::vm#9-generators)).
    #[must_use]
    pub const fn comparator_line(self) -> LogicLine {
        match self {
            Self::A => LogicLine(7),
            Self::B => LogicLine(6),
        }
    }
}

/// One of the eight logic lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "u8", into = "u8"))]
pub struct LogicLine(u8);

impl LogicLine {
    /// The line that shows the waveform generator ([section 9 of the reference](crate::vm#9-generators)).
    pub const WAVEFORM: Self = Self(4);
    /// The line that shows the clock generator ([section 9 of the reference](crate::vm#9-generators)).
    pub const CLOCK: Self = Self(5);

    /// Line `number`, 0 to 7.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < 8 { Some(Self(number)) } else { None }
    }

    /// All eight, L0 first.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..8).map(Self)
    }

    /// The line's number, 0 to 7.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The line's bit in a logic sample and in register `DigitalEnable`.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self.0
    }
}

/// A channel that can be captured: `A`, `B`, `L0` to `L7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Channel {
    /// An analog input.
    Analog(AnalogChannel),
    /// A logic line.
    Logic(LogicLine),
}

impl Channel {
    /// Analog channel A.
    pub const A: Self = Self::Analog(AnalogChannel::A);
    /// Analog channel B.
    pub const B: Self = Self::Analog(AnalogChannel::B);
    /// The logic lines, L0 first.
    pub const L: [Self; 8] = {
        let mut lines = [Self::Logic(LogicLine(0)); 8];
        let mut number = 0;
        while number < 8 {
            lines[number] = Self::Logic(LogicLine(number as u8));
            number += 1;
        }
        lines
    };

    /// Whether this is `A` or `B`.
    #[must_use]
    pub const fn is_analog(self) -> bool {
        matches!(self, Self::Analog(_))
    }
}

impl From<AnalogChannel> for Channel {
    fn from(channel: AnalogChannel) -> Self {
        Self::Analog(channel)
    }
}

impl From<LogicLine> for Channel {
    fn from(line: LogicLine) -> Self {
        Self::Logic(line)
    }
}

impl fmt::Display for AnalogChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
        })
    }
}

impl fmt::Display for LogicLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "L{}", self.0)
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Analog(channel) => channel.fmt(f),
            Self::Logic(line) => line.fmt(f),
        }
    }
}

/// A text that names no channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownChannel;

impl fmt::Display for UnknownChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a channel: the channels are A, B and L0 to L7, and L for all eight logic lines")
    }
}

impl core::error::Error for UnknownChannel {}

impl FromStr for Channel {
    type Err = UnknownChannel;

    fn from_str(text: &str) -> Result<Self, UnknownChannel> {
        match text.as_bytes() {
            b"A" | b"a" => Ok(Self::A),
            b"B" | b"b" => Ok(Self::B),
            [b'L' | b'l', digit @ b'0'..=b'7'] => Ok(Self::Logic(LogicLine(digit - b'0'))),
            _ => Err(UnknownChannel),
        }
    }
}

/// A set of channels to capture, which remembers the one asked for first.
///
/// ```
/// use scopething_core::plan::{Channel, ChannelSet};
///
/// let channels = "B".parse::<ChannelSet>()?.union("L".parse()?);
/// assert_eq!(channels.first(), Some(Channel::B));
/// assert_eq!(channels.logic(), 0xff);
/// # Ok::<(), scopething_core::plan::UnknownChannel>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "super::wire::SetParts", into = "super::wire::SetParts"))]
pub struct ChannelSet {
    analog: u8,
    logic: u8,
    first: Option<Channel>,
}

impl ChannelSet {
    /// No channel at all.
    pub const EMPTY: Self = Self { analog: 0, logic: 0, first: None };
    /// All eight logic lines.
    pub const ALL_LOGIC: Self = Self { analog: 0, logic: 0xff, first: Some(Channel::Logic(LogicLine(0))) };

    /// The logic lines whose bits are set, the lowest first.
    #[must_use]
    pub fn of_lines(lines: u8) -> Self {
        let wanted = LogicLine::all().filter(|line| lines & line.bit() != 0);
        wanted.fold(Self::EMPTY, |set, line| set.with(line.into()))
    }

    /// The channels whose bits are set: A is bit 0, B is bit 1, and L0 to L7 are bits 8 to 15. None if another bit is set.
    #[must_use]
    pub fn of_bits(bits: u32) -> Option<Self> {
        let [analog, logic, 0, 0] = bits.to_le_bytes() else { return None };
        let channels = AnalogChannel::ALL.into_iter().filter(|channel| analog & channel.bit() != 0);
        let set = channels.fold(Self::EMPTY, |set, channel| set.with(channel.into()));
        (set.analog == analog).then(|| set.union(Self::of_lines(logic)))
    }

    /// The set with one more channel.
    #[must_use]
    pub fn with(mut self, channel: Channel) -> Self {
        match channel {
            Channel::Analog(analog) => self.analog |= analog.bit(),
            Channel::Logic(line) => self.logic |= line.bit(),
        }
        self.first = self.first.or(Some(channel));
        self
    }

    /// The channels of both; the first of `self` stays the first.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            analog: self.analog | other.analog,
            logic: self.logic | other.logic,
            first: self.first.or(other.first),
        }
    }

    /// The set without some logic lines, a bit each. What was asked for first is remembered all the same.
    #[must_use]
    pub fn without_lines(mut self, lines: u8) -> Self {
        self.logic &= !lines;
        self
    }

    /// An empty set that remembers what was asked for first.
    #[cfg(feature = "serde")]
    pub(super) const fn without_channels(self) -> Self {
        Self { first: self.first, ..Self::EMPTY }
    }

    /// Whether a channel is in the set.
    #[must_use]
    pub fn contains(&self, channel: Channel) -> bool {
        match channel {
            Channel::Analog(analog) => self.analog & analog.bit() != 0,
            Channel::Logic(line) => self.logic & line.bit() != 0,
        }
    }

    /// The analog channels, in the bits of register `AnalogEnable`.
    #[must_use]
    pub const fn analog(&self) -> u8 {
        self.analog
    }

    /// How many analog channels there are, 0 to 2.
    #[must_use]
    pub const fn analog_count(&self) -> u8 {
        self.analog.count_ones() as u8
    }

    /// The logic lines, in the bits of register `DigitalEnable`.
    #[must_use]
    pub const fn logic(&self) -> u8 {
        self.logic
    }

    /// The channel that was asked for first.
    #[must_use]
    pub const fn first(&self) -> Option<Channel> {
        self.first
    }

    /// Whether no channel is in the set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.analog == 0 && self.logic == 0
    }

    /// The channels: A, B, then the logic lines upwards.
    pub fn iter(self) -> impl Iterator<Item = Channel> {
        let analog = AnalogChannel::ALL.into_iter().map(Channel::Analog);
        analog.chain(LogicLine::all().map(Channel::Logic)).filter(move |&channel| self.contains(channel))
    }
}

impl<C: Into<Channel>> From<C> for ChannelSet {
    fn from(channel: C) -> Self {
        Self::EMPTY.with(channel.into())
    }
}

impl<C: Into<Channel>, const N: usize> From<[C; N]> for ChannelSet {
    fn from(channels: [C; N]) -> Self {
        channels.into_iter().collect()
    }
}

impl<C: Into<Channel>> FromIterator<C> for ChannelSet {
    fn from_iter<I: IntoIterator<Item = C>>(channels: I) -> Self {
        channels.into_iter().fold(Self::EMPTY, |set, channel| set.with(channel.into()))
    }
}

impl FromStr for ChannelSet {
    type Err = UnknownChannel;

    /// Reads channels separated by commas or spaces, `L` for all logic lines: `A,B,L0`.
    fn from_str(text: &str) -> Result<Self, UnknownChannel> {
        let mut channels = Self::EMPTY;
        for name in text.split([',', ' ']).filter(|name| !name.is_empty()) {
            channels = match name {
                "L" | "l" => channels.union(Self::ALL_LOGIC),
                name => channels.with(name.parse()?),
            };
        }
        if channels.is_empty() { Err(UnknownChannel) } else { Ok(channels) }
    }
}

impl fmt::Display for ChannelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, channel) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            channel.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn every_channel_reads_back() {
        let all = ChannelSet::ALL_LOGIC.with(Channel::B).with(Channel::A);
        assert_eq!(all.to_string(), "A,B,L0,L1,L2,L3,L4,L5,L6,L7");
        for channel in all.iter() {
            assert_eq!(channel.to_string().parse(), Ok(channel));
        }
    }

    #[test]
    fn bits_are_channels() {
        let set = ChannelSet::of_bits(0x8102).unwrap();
        assert_eq!((set.analog(), set.logic(), set.first()), (2, 0x81, Some(Channel::B)));
        assert_eq!(ChannelSet::of_bits(0xff03), Some("A,B,L".parse().unwrap()));
        assert_eq!(ChannelSet::of_bits(0), Some(ChannelSet::EMPTY));
        for wrong in [4, 0x80, 0x1_0000, u32::MAX] {
            assert_eq!(ChannelSet::of_bits(wrong), None, "{wrong:#x}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for text in ["", "C", "L8", "L", "L01", "AB"] {
            assert_eq!(text.parse::<Channel>(), Err(UnknownChannel), "{text}");
        }
        assert_eq!("A,,X".parse::<ChannelSet>(), Err(UnknownChannel));
        assert_eq!(" ".parse::<ChannelSet>(), Err(UnknownChannel));
    }

    #[test]
    fn first_is_the_first_asked_for() {
        let channels: ChannelSet = "L3 A L".parse().unwrap();
        assert_eq!(channels.first().unwrap().to_string(), "L3");
        assert_eq!((channels.analog(), channels.logic()), (1, 0xff));
    }
}
