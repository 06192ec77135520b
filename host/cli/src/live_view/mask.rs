//! Masks: the band that a trace must stay in, made from one trace with a margin.

use super::picture::{Picture, Source};

/// The number of places in time at which a mask is held.
const PLACES: usize = 500;

/// A band around a line. Times are those from the trigger.
#[derive(Debug, Clone)]
pub(super) struct Mask {
    pub(super) source: Source,
    from_s: f64,
    width_s: f64,
    /// The lowest and the highest value at each place; nothing is asked of a place where they are the other way round.
    band: Vec<(f64, f64)>,
}

impl Mask {
    /// The band of so many seconds and volts to each side of a line. None without that line.
    pub(super) fn around(picture: &Picture, source: Source, dt_s: f64, dv: f64) -> Option<Self> {
        let line = picture.line(source)?;
        let last = line.values.len().checked_sub(1)?;
        let (from_s, to_s) = (line.time_s(0), line.time_s(last));
        let width_s = (to_s - from_s) / PLACES as f64;
        if width_s <= 0.0 {
            return None;
        }
        let mut band = vec![(f64::INFINITY, f64::NEG_INFINITY); PLACES];
        for (element, (low, high)) in line.values.iter().enumerate() {
            let place = |time_s: f64| ((time_s - from_s) / width_s).clamp(0.0, (PLACES - 1) as f64) as usize;
            let time_s = line.time_s(element);
            for (least, most) in band.iter_mut().take(place(time_s + dt_s) + 1).skip(place(time_s - dt_s)) {
                (*least, *most) = (least.min(low - dv), most.max(high + dv));
            }
        }
        Some(Self { source, from_s, width_s, band })
    }

    /// Where a trace leaves the band: times from the trigger, none if it stays within. None if its channel was not captured.
    pub(super) fn violations(&self, picture: &Picture) -> Option<Vec<f64>> {
        let line = picture.line(self.source)?;
        let outside = line.values.iter().enumerate().filter_map(|(element, (low, high))| {
            let time_s = line.time_s(element);
            let place = (time_s - self.from_s) / self.width_s;
            let (least, most) = *self.band.get(place as usize).filter(|_| place >= 0.0)?;
            (least <= most && (*low < least || *high > most)).then_some(time_s)
        });
        Some(outside.collect())
    }

    /// Its lower or its upper edge: times and values.
    pub(super) fn edge(&self, upper: bool) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.band.iter().enumerate().filter(|(_, (least, most))| least <= most).map(
            move |(place, (least, most))| {
                (self.from_s + (place as f64 + 0.5) * self.width_s, if upper { *most } else { *least })
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn sine(late_s: f64, offset: f64) -> Picture {
        Picture::of_samples(1, &[(Source::A, &|t| (TAU * 1e3 * (t - late_s)).sin() + offset)])
    }

    #[test]
    fn a_trace_leaves_the_band_where_it_is_off() {
        let mask = Mask::around(&sine(0.0, 0.0), Source::A, 20e-6, 0.1).unwrap();
        assert_eq!(mask.violations(&sine(0.0, 0.0)), Some(vec![]));
        assert_eq!(mask.violations(&sine(15e-6, 0.0)), Some(vec![]), "late, within the margin");
        assert_eq!(mask.violations(&sine(0.0, 0.09)), Some(vec![]));
        let above = mask.violations(&sine(0.0, 0.3)).unwrap();
        assert!(above.len() > 1000, "{}", above.len());
        // A spike, where it is.
        let mut spiked = sine(0.0, 0.0);
        spiked.lines[0].values[3000] = (5.0, 5.0);
        let outside = mask.violations(&spiked).unwrap();
        assert!(matches!(outside[..], [time_s] if (time_s - 1e-3).abs() < 1e-9), "{outside:?}");
        // What was not captured is neither in nor out.
        assert_eq!(mask.violations(&Picture::of_samples(1, &[(Source::B, &|_| 0.0)])), None);
        assert!(Mask::around(&sine(0.0, 0.0), Source::B, 0.0, 0.0).is_none());
    }
}
