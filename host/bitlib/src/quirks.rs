//! Where the vendor's library is odd, and which of that this one does too. The page `bitlib.md` has the table.

/// The environment variable that turns oddities on, and off with a minus sign: `half-trigger-level,-odd-sizes`.
pub(crate) const VARIABLE: &str = "BITLIB_QUIRKS";

/// Which oddities there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Quirks {
    /// A trigger level of 1.5 V fires at 0.75 V.
    pub(crate) half_trigger_level: bool,
    /// A size beyond the buffer is answered with what would be captured at a slower rate, and one below -1 with a huge number.
    pub(crate) odd_sizes: bool,
    /// Rates of 6 and 7 ticks are answered, which no trace mode has: the capture takes 8.
    pub(crate) gap_rates: bool,
    /// Of a capture that fills the buffer the first sample, which the device has written over, is shown as its neighbour.
    pub(crate) full_buffer: bool,
    /// With A and B in `MIXED` each channel has as many samples as were asked for: behind each one the midpoint to its next.
    pub(crate) midpoints: bool,
    /// A link that leads nowhere opens a device that is not there.
    pub(crate) open_nothing: bool,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            half_trigger_level: false,
            odd_sizes: true,
            gap_rates: false,
            full_buffer: true,
            midpoints: true,
            open_nothing: false,
        }
    }
}

impl Quirks {
    /// Those that the user asks for by [`VARIABLE`].
    pub(crate) fn of_environment() -> Self {
        std::env::var(VARIABLE).map(|text| Self::read(&text)).unwrap_or_default()
    }

    /// Reads names with commas between. One that is not known is left alone: there is nobody to report it to.
    fn read(text: &str) -> Self {
        let mut quirks = Self::default();
        for name in text.split(',').map(str::trim) {
            let (name, on) = name.strip_prefix('-').map_or((name, true), |name| (name, false));
            match name {
                "half-trigger-level" => quirks.half_trigger_level = on,
                "odd-sizes" => quirks.odd_sizes = on,
                "gap-rates" => quirks.gap_rates = on,
                "full-buffer" => quirks.full_buffer = on,
                "midpoints" => quirks.midpoints = on,
                "open-nothing" => quirks.open_nothing = on,
                _ => {}
            }
        }
        quirks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_turn_quirks_on_and_off() {
        let quirks = Quirks::read("half-trigger-level, -odd-sizes,nonsense,-,");
        assert_eq!(quirks, Quirks { half_trigger_level: true, odd_sizes: false, ..Quirks::default() });
        assert_eq!(Quirks::read(""), Quirks::default());
    }
}
