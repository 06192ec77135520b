//! The steps of knobs: 1, 2, 5, 10..

/// The value of 1, 2, 5, 10.. that is nearest to `value` by their ratio, within `least` and `most`, which are
/// such values themselves.
#[must_use]
pub fn nearest_step(value: f64, least: f64, most: f64) -> f64 {
    let ratio = |step: f64| (step / value).ln().abs();
    let nearer = |best: f64, step: f64| if ratio(step) < ratio(best) { step } else { best };
    steps(least, most).reduce(nearer).unwrap_or(least)
}

/// The least value of 1, 2, 5, 10.. that is not below `value`, within `least` and `most`.
#[must_use]
pub fn step_at_least(value: f64, least: f64, most: f64) -> f64 {
    steps(least, most).find(|step| *step >= value * (1.0 - 1e-9)).unwrap_or(most)
}

fn steps(least: f64, most: f64) -> impl Iterator<Item = f64> {
    let decades = (-12..=12).flat_map(|decade| [1, 2, 5].map(|digit| format!("{digit}e{decade}")));
    let values = decades.filter_map(|text| text.parse::<f64>().ok());
    values.filter(move |step| (least * (1.0 - 1e-9)..=most * (1.0 + 1e-9)).contains(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_by_ratio() {
        assert_eq!(nearest_step(14e-3 / 12.0, 1e-9, 50.0), 1e-3);
        assert_eq!(nearest_step(12e-3 / 14.0, 1e-9, 50.0), 1e-3);
        assert_eq!(nearest_step(1e3, 1e-9, 50.0), 50.0);
        assert_eq!(nearest_step(0.0, 1e-9, 50.0), 1e-9);
        assert_eq!((step_at_least(1.0, 1e-3, 5.0), step_at_least(1.1, 1e-3, 5.0)), (1.0, 2.0));
        assert_eq!(step_at_least(40.0, 1e-3, 5.0), 5.0);
    }
}
