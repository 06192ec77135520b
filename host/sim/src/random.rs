//! Noise that is a function of a seed and a place: the same at every look, in whatever order.

/// A well-mixed number of a seed and a place (the finaliser of splitmix64).
pub(crate) fn mix(seed: u64, place: u64) -> u64 {
    let mut z = seed ^ place.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A uniform number from 0 to just below 1.
pub(crate) fn uniform(seed: u64, place: u64) -> f64 {
    (mix(seed, place) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The largest value of [`bell`].
pub(crate) const BELL_LIMIT: f64 = 3.464_101_615_137_755;

/// A number of mean 0 and deviation 1, near to normal and never beyond [`BELL_LIMIT`]: the sum of four
/// uniform ones.
pub(crate) fn bell(seed: u64, place: u64) -> f64 {
    let bits = mix(seed, place);
    let sum: f64 = (0..4).map(|part| f64::from((bits >> (16 * part)) as u16) / 65536.0).sum();
    // Four uniform numbers have mean 2 and variance 4/12.
    (sum - 2.0) * 3_f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bells_are_centred_of_unit_deviation_and_bounded() {
        let count = 100_000_u32;
        let values: Vec<f64> = (0..u64::from(count)).map(|place| bell(7, place)).collect();
        let mean = values.iter().sum::<f64>() / f64::from(count);
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / f64::from(count);
        // Four standard errors of either.
        assert!(mean.abs() < 4.0 / f64::from(count).sqrt(), "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
        assert!(values.iter().all(|value| value.abs() <= BELL_LIMIT));
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(mix(1, 0), mix(2, 0));
        assert!((0..1000).all(|place| (0.0..1.0).contains(&uniform(3, place))));
    }
}
