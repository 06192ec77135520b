//! The trace modes and buffer modes of the device ([section 5 of the reference](scopething_core::vm#5-trace-modes)).

/// What one trace mode captures, and the clock it allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceMode {
    pub(super) number: u8,
    pub(super) min_ticks: u16,
    pub(super) max_ticks: u16,
    /// 1 if the mode ignores `ClockScale`.
    pub(super) max_scale: u16,
    /// Analog channels: with two they take turns.
    pub(super) analog_channels: u8,
    pub(super) wide: bool,
    pub(super) logic: bool,
}

const fn mode(
    number: u8,
    (min_ticks, max_ticks): (u16, u16),
    max_scale: u16,
    analog_channels: u8,
    bytes: u8,
    logic: bool,
) -> TraceMode {
    TraceMode { number, min_ticks, max_ticks, max_scale, analog_channels, wide: bytes == 2, logic }
}

const MODES: [TraceMode; 18] = [
    mode(18, (40, 16384), 1, 1, 2, false),
    mode(19, (40, 16384), 1, 2, 2, false),
    mode(0, (15, 40), 16383, 1, 1, false),
    mode(2, (13, 40), 16383, 2, 1, false),
    mode(4, (8, 14), 1, 1, 1, false),
    mode(6, (8, 40), 1, 2, 1, false),
    mode(11, (2, 5), 1, 1, 1, false),
    mode(16, (4, 5), 1, 2, 1, false),
    mode(14, (5, 16384), 1, 0, 1, true),
    mode(15, (4, 4), 1, 0, 1, true),
    mode(13, (1, 3), 1, 0, 1, true),
    mode(20, (1, 4), 1, 0, 1, true),
    mode(1, (15, 40), 16383, 1, 1, true),
    mode(3, (13, 40), 16383, 2, 1, true),
    mode(5, (8, 14), 1, 1, 1, true),
    mode(7, (8, 40), 1, 2, 1, true),
    mode(12, (2, 5), 1, 1, 1, true),
    mode(17, (4, 5), 1, 2, 1, true),
];

impl TraceMode {
    pub(super) fn from_number(number: u8) -> Option<Self> {
        MODES.iter().copied().find(|mode| mode.number == number)
    }

    /// The sample period in ticks that the mode runs at when asked for these registers, and whether that is
    /// what was asked for: a clock outside the mode's limits is cut to them.
    pub(super) fn sample_ticks(&self, clock_ticks: u16, clock_scale: u16) -> (u64, bool) {
        let ticks = clock_ticks.clamp(self.min_ticks, self.max_ticks);
        let scale = if self.max_scale == 1 { 1 } else { clock_scale.clamp(1, self.max_scale) };
        let asked = ticks == clock_ticks && (self.max_scale == 1 || scale == clock_scale);
        (u64::from(ticks) * u64::from(scale), asked)
    }

    pub(super) fn two_channels(&self) -> bool {
        self.analog_channels == 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_cut_to_what_the_mode_can() {
        let analog = TraceMode::from_number(0).unwrap();
        assert_eq!(analog.sample_ticks(15, 100), (1500, true));
        assert_eq!(analog.sample_ticks(2, 0), (15, false));
        let shot = TraceMode::from_number(11).unwrap();
        assert_eq!(shot.sample_ticks(2, 77), (2, true));
        assert_eq!(TraceMode::from_number(8), None);
    }
}
