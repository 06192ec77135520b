//! How long the flash of a bridge lasts.

/// Erasures that each sector of the bridge's flash outlasts at least: the data sheet of the W25Q16JV of a Pico, section
/// 1, warrants 100 000.
pub const MAX_ERASURES: u32 = 100_000;
/// Bytes of flash that a trace takes beside its samples: a page with its record.
const RECORD_BYTES: f64 = 256.0;
const SECONDS_PER_DAY: f64 = 86_400.0;
/// How long a job lasts whose spacing was not given, in years.
pub const DEFAULT_LIFE_YEARS: f64 = 5.0;

/// Days until all sectors of `capacity_bytes`, each erased `erasures` times so far, are worn out, if so many bytes
/// a second are written. None if nothing is written.
#[must_use]
pub fn days_left(capacity_bytes: u32, erasures: u32, bytes_per_second: f64) -> Option<f64> {
    if bytes_per_second <= 0.0 {
        return None;
    }
    let left = f64::from(MAX_ERASURES.saturating_sub(erasures)) * f64::from(capacity_bytes);
    Some(left / bytes_per_second / SECONDS_PER_DAY)
}

/// Bytes of flash that a trace takes whose samples take so many as they are stored.
#[must_use]
pub fn flash_bytes(stored_bytes: u32) -> f64 {
    RECORD_BYTES + f64::from(stored_bytes.div_ceil(256)) * 256.0
}

/// Seconds from one trace to the next with which a new flash lasts [`DEFAULT_LIFE_YEARS`]. 0 without a capacity.
#[must_use]
pub fn default_spacing_s(capacity_bytes: u32, stored_bytes: u32) -> f64 {
    if capacity_bytes == 0 {
        return 0.0;
    }
    let traces = f64::from(MAX_ERASURES) * f64::from(capacity_bytes) / flash_bytes(stored_bytes);
    DEFAULT_LIFE_YEARS * 365.25 * SECONDS_PER_DAY / traces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_is_what_was_reckoned_by_hand() {
        // 436 sectors, 18.8 traces a second of 1.8 KB: 436 * 4096 * 1e5 / (18.8 * 1800) s = 61 days.
        let days = days_left(436 * 4096, 0, 18.8 * 1800.0).unwrap();
        assert!((days - 61.1).abs() < 0.1, "{days}");
        assert_eq!(days_left(436 * 4096, MAX_ERASURES, 1.0), Some(0.0));
        assert_eq!(days_left(436 * 4096, 0, 0.0), None);
    }

    #[test]
    fn default_spacing_keeps_the_default_life() {
        let (capacity, stored) = (400 * 4096, 12_288);
        let rate = flash_bytes(stored) / default_spacing_s(capacity, stored);
        let years = days_left(capacity, 0, rate).unwrap() / 365.25;
        assert!((years - DEFAULT_LIFE_YEARS).abs() < 1e-9, "{years}");
    }
}
