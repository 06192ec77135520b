//! The forms in which sets of channels travel: what arrives is checked before it is one.

use super::{AnalogChannel, Channel, ChannelSet, LogicLine, UnknownChannel};

impl TryFrom<u8> for LogicLine {
    type Error = UnknownChannel;

    fn try_from(number: u8) -> Result<Self, UnknownChannel> {
        Self::new(number).ok_or(UnknownChannel)
    }
}

impl From<LogicLine> for u8 {
    fn from(line: LogicLine) -> Self {
        line.number()
    }
}

/// The bits of the analog channels, those of the logic lines, and the channel asked for first.
pub(super) type SetParts = (u8, u8, Option<Channel>);

impl TryFrom<SetParts> for ChannelSet {
    type Error = UnknownChannel;

    fn try_from((analog, logic, first): SetParts) -> Result<Self, UnknownChannel> {
        if analog & !(AnalogChannel::A.bit() | AnalogChannel::B.bit()) != 0 {
            return Err(UnknownChannel);
        }
        let mut set = first.map_or(Self::EMPTY, |first| Self::EMPTY.with(first).without_channels());
        for channel in AnalogChannel::ALL.into_iter().filter(|channel| analog & channel.bit() != 0) {
            set = set.with(channel.into());
        }
        Ok(set.union(Self::of_lines(logic)))
    }
}

impl From<ChannelSet> for SetParts {
    fn from(set: ChannelSet) -> Self {
        (set.analog(), set.logic(), set.first())
    }
}
