//! Times of day with their date, as `2026-01-30T14:06:09.197352115+00:00`, to the nanosecond.

use scopething_waveform::moment::UnixMicros;

/// Letters of `2026-01-30T14:06:09`.
const WHOLE: usize = 19;

/// A moment: whole seconds since 1970 began in UTC, and the part of a second behind them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub(super) whole_s: i64,
    part_s: f64,
}

impl Moment {
    /// The moment in a cell; `None` if it is none. Without a zone it is in UTC.
    pub(super) fn of(cell: &str) -> Option<Self> {
        // Numbers, which most cells are, have no fifth letter as years have.
        if cell.as_bytes().get(4) != Some(&b'-') {
            return None;
        }
        let (whole, rest) = cell.split_at_checked(WHOLE)?;
        let (part, zone) = rest.split_at_checked(part_letters(rest))?;
        let zone = if zone.is_empty() { "Z" } else { zone };
        let UnixMicros(micros) = [whole, zone].concat().parse().ok()?;
        let part_s = if part.is_empty() { 0.0 } else { ["0", part].concat().parse().ok()? };
        Some(Self { whole_s: micros.div_euclid(1_000_000), part_s })
    }

    /// Seconds since a whole second.
    pub(super) fn since_s(self, whole_s: i64) -> f64 {
        self.whole_s.saturating_sub(whole_s) as f64 + self.part_s
    }

    /// How many decimals the seconds in a cell have.
    pub(super) fn decimals(cell: &str) -> usize {
        cell.get(WHOLE..).map_or(0, part_letters).saturating_sub(1)
    }
}

/// Seconds since 1970 of a cell with a moment, to no more digits than a number has.
pub(super) fn seconds(cell: &str) -> Option<f64> {
    Moment::of(cell).map(|moment| moment.since_s(0))
}

/// Letters of the point and the decimals that a text begins with.
fn part_letters(text: &str) -> usize {
    let point = usize::from(text.starts_with('.'));
    point + text.bytes().skip(point).take_while(|byte| point > 0 && byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_to_the_nanosecond() {
        // Seconds by `date -ud 2026-01-30T14:06:09 +%s`.
        let whole_s = 1_769_781_969;
        for (cell, since_s, decimals) in [
            ("2026-01-30T14:06:09.197352115+00:00", 0.197_352_115, 9),
            ("2026-01-30T15:06:09.197352115+01:00", 0.197_352_115, 9),
            ("2026-01-30 14:06:10.25", 1.25, 2),
            ("2026-01-30T14:06:08Z", -1.0, 0),
        ] {
            let moment = Moment::of(cell).unwrap();
            assert_eq!((moment.since_s(whole_s), Moment::decimals(cell)), (since_s, decimals), "{cell}");
        }
        for cell in ["", "0.5", "1e-3", "2026-01-30", "2026-01-30T14:06", "2026-13-30T14:06:09Z", "2026-ä"] {
            assert_eq!(Moment::of(cell), None, "{cell}");
        }
    }
}
