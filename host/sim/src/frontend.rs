//! The analog front end: from volts at an input to what the converter stores ([section 7 of the reference](scopething_core::vm#7-voltages)).
//!
//! The two DACs set the range by two planes. With the bottom `lo` and the top `hi` as fractions of the input
//! span,
//!
//! ```text
//! ConverterLo = la lo + lb hi + lc        ConverterHi = ha hi + hb lo + hc
//! ```
//!
//! The device is given the DAC values and has the range that solves both. All nine parameters, the offset
//! between A and B and the limits of the DACs can be set away from nominal, so that a calibration has
//! something to find.

/// The parameters of the front end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrontEnd {
    /// `ConverterLo` a part of the bottom.
    pub la: f64,
    /// `ConverterLo` a part of the top.
    pub lb: f64,
    /// `ConverterLo` for a range of nothing at all, a fraction of the DAC.
    pub lc: f64,
    /// `ConverterHi` a part of the top.
    pub ha: f64,
    /// `ConverterHi` a part of the bottom.
    pub hb: f64,
    /// `ConverterHi` for a range of nothing at all, a fraction of the DAC.
    pub hc: f64,
    /// The input span in volts.
    pub scale: f64,
    /// The bottom of the input span in volts.
    pub offset: f64,
    /// Volts that A reads higher than B for the same input.
    pub ab_offset: f64,
    /// The DAC fraction below which the bottom and top no longer follow.
    pub dac_low: f64,
    /// The DAC fraction above which the bottom and top no longer follow.
    pub dac_high: f64,
}

impl Default for FrontEnd {
    fn default() -> Self {
        Self {
            la: 1.1,
            lb: -0.05,
            lc: 0.0,
            ha: 1.1,
            hb: -0.05,
            hc: -0.05,
            scale: 18.333,
            offset: -7.517,
            ab_offset: 0.0,
            dac_low: 0.0,
            dac_high: 1.0,
        }
    }
}

/// The range of the converter, as fractions of the input span.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    low: f64,
    high: f64,
}

impl FrontEnd {
    /// Whether the planes have one solution, and the span is one.
    #[must_use]
    pub fn is_solvable(&self) -> bool {
        let finite = [self.la, self.lb, self.lc, self.ha, self.hb, self.hc, self.offset, self.ab_offset];
        finite.iter().all(|value| value.is_finite())
            && self.determinant().abs() > 1e-6
            && self.scale > 0.0
            && self.scale.is_finite()
            && self.dac_low < self.dac_high
    }

    fn determinant(&self) -> f64 {
        self.la * self.ha - self.lb * self.hb
    }

    /// The range that two DAC registers (fractions of 65536) set.
    pub(super) fn range(&self, converter_lo: u16, converter_hi: u16) -> Range {
        let dac = |raw: u16| (f64::from(raw) / 65536.0).clamp(self.dac_low, self.dac_high);
        let low_rest = dac(converter_lo) - self.lc;
        let high_rest = dac(converter_hi) - self.hc;
        Range {
            low: (self.ha * low_rest - self.lb * high_rest) / self.determinant(),
            high: (self.la * high_rest - self.hb * low_rest) / self.determinant(),
        }
    }

    /// Where in the range an input of a channel (0 is A) lies: 0 bottom, 1 top, cut to these.
    pub(super) fn fraction(&self, range: Range, channel: usize, volts: f64) -> f64 {
        let span = range.high - range.low;
        if span.abs() < 1e-9 {
            return 0.0;
        }
        let seen = (self.seen_volts(channel, volts) - self.offset) / self.scale;
        ((seen.clamp(0.0, 1.0) - range.low) / span).clamp(0.0, 1.0)
    }

    /// Half of the offset between A and B goes to either.
    fn seen_volts(&self, channel: usize, volts: f64) -> f64 {
        if channel == 0 { volts + self.ab_offset / 2.0 } else { volts - self.ab_offset / 2.0 }
    }

    /// The volts at a channel's input for a place in the range.
    pub(super) fn volts_at(&self, range: Range, channel: usize, fraction: f64) -> f64 {
        let seen = (range.low + fraction * (range.high - range.low)) * self.scale + self.offset;
        seen + volts_sign(channel) * self.ab_offset / 2.0
    }

    /// The volts of a comparator level, which is a plain fraction of the span.
    pub(super) fn level_volts(&self, trigger_level: u16) -> f64 {
        f64::from(trigger_level) / 65536.0 * self.scale + self.offset
    }
}

fn volts_sign(channel: usize) -> f64 {
    if channel == 0 { -1.0 } else { 1.0 }
}

/// A sample as the 8-bit converter makes it, in the high byte of a word: 256 steps over the range, as the
/// native form has 65536, of which the topmost is not reached.
pub(super) fn quantise_byte(fraction: f64) -> u16 {
    ((fraction * 256.0).round() as u16).min(255) << 8
}

/// A sample of the 16-bit modes, as an unsigned word over the range.
pub(super) fn quantise_word(fraction: f64) -> u16 {
    (fraction * 65536.0).round().min(65535.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volts(front: &FrontEnd, range: Range) -> (f64, f64) {
        (front.volts_at(range, 0, 0.0), front.volts_at(range, 0, 1.0))
    }

    /// The settings of the vendor's software that [section 7 of the reference](scopething_core::vm#7-voltages) quotes: a little wider, by its own
    /// calibration, but by less than a hundredth of the span.
    #[test]
    fn vendors_ranges_come_out() {
        let front = FrontEnd::default();
        for (lo, hi, limit) in [(0x226a, 0xab95, 4.6), (0x65d6, 0x69bc, 0.55)] {
            let (bottom, top) = volts(&front, front.range(lo, hi));
            assert!((bottom + limit).abs() < 0.15 && (top - limit).abs() < 0.15, "{bottom} {top}");
        }
        assert!(front.level_volts(0x68f5).abs() < 0.001);
    }

    #[test]
    fn moved_planes_are_inverted() {
        let front =
            FrontEnd { la: 1.13, lb: -0.06, lc: 0.01, ha: 1.08, hb: -0.04, hc: -0.03, ..FrontEnd::default() };
        let (lo, hi) = (0.3, 0.7);
        let register = |dac: f64| (dac * 65536.0).round() as u16;
        let range =
            front.range(register(1.13 * lo - 0.06 * hi + 0.01), register(1.08 * hi - 0.04 * lo - 0.03));
        assert!((range.low - lo).abs() < 2e-5 && (range.high - hi).abs() < 2e-5, "{range:?}");
    }

    #[test]
    fn inputs_are_clipped_to_the_range_and_quantised() {
        let front = FrontEnd::default();
        let range = front.range(0x226a, 0xab95);
        assert_eq!(front.fraction(range, 0, 9.0), 1.0);
        assert_eq!(front.fraction(range, 0, -9.0), 0.0);
        let middle = f64::midpoint(front.volts_at(range, 0, 0.0), front.volts_at(range, 0, 1.0));
        assert!((front.fraction(range, 0, middle) - 0.5).abs() < 1e-9);
        assert_eq!([0.0, 0.5, 1.0].map(quantise_byte), [0, 128 << 8, 255 << 8]);
        assert_eq!([0.0, 0.5, 1.0].map(quantise_word), [0, 32768, 65535]);
    }

    #[test]
    fn inputs_a_and_b_differ_by_their_offset() {
        let front = FrontEnd { ab_offset: 0.1, ..FrontEnd::default() };
        let range = front.range(0x226a, 0xab95);
        let reading = |channel| front.fraction(range, channel, 1.0) * 9.2 - 4.6;
        assert!((reading(0) - reading(1) - 0.1).abs() < 0.005);
        assert!((front.volts_at(range, 1, front.fraction(range, 1, 1.0)) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn planes_without_a_solution_are_found() {
        assert!(FrontEnd::default().is_solvable());
        assert!(!FrontEnd { la: 0.0, lb: 0.0, ..FrontEnd::default() }.is_solvable());
        assert!(!FrontEnd { scale: 0.0, ..FrontEnd::default() }.is_solvable());
        assert!(!FrontEnd { la: f64::NAN, ..FrontEnd::default() }.is_solvable());
    }
}
