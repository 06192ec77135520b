//! What the LED shows: one pattern of light for each thing the user should know.
//!
//! | light | means |
//! | --- | --- |
//! | dark, a blink each 3 s | passes bytes through, or has nothing to do |
//! | slow, half a second on, half off | waits for a BitScope |
//! | steady | armed: waits for the trigger, or for the time of the next capture |
//! | flickers | triggered: the trace is being stored; or calibrates |
//! | two flashes each second and a half | full: no more traces can be kept |
//! | three flashes each second and a half | fault |
//! | four flashes each two seconds | something is plugged in that cannot be used |

use scopething_core::link::bridge::{JobState, UsbState};

/// Milliseconds of light and dark in turn, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern(&'static [u32]);

impl Pattern {
    /// The pattern of a state.
    #[must_use]
    pub const fn of(state: JobState) -> Self {
        Self(match state {
            JobState::Idle | JobState::PassingThrough | JobState::Finished => &[30, 2970],
            JobState::WaitingForScope => &[500, 500],
            JobState::Spacing | JobState::Armed => &[1000, 0],
            JobState::Triggered | JobState::Calibrating { .. } => &[50, 50],
            JobState::Full => &[120, 180, 120, 1080],
            JobState::Fault(_) => &[120, 180, 120, 180, 120, 780],
        })
    }

    /// The pattern of the bridge: what it does, or that the device in its socket is of no use.
    #[must_use]
    pub const fn of_bridge(state: JobState, usb: UsbState) -> Self {
        if usb.is_fault() { Self(&[120, 180, 120, 180, 120, 180, 120, 980]) } else { Self::of(state) }
    }

    /// Whether the LED is lit so many milliseconds after the pattern began, and how long until that changes.
    #[must_use]
    pub fn at(self, since_ms: u32) -> (bool, u32) {
        let length: u32 = self.0.iter().sum();
        let mut left = since_ms.checked_rem(length).unwrap_or(0);
        let mut lit = true;
        for &span in self.0 {
            if left < span {
                return (lit, span - left);
            }
            left -= span;
            lit = !lit;
        }
        (false, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_core::link::bridge::Fault;

    fn flashes(state: JobState, milliseconds: u32) -> usize {
        let lit: Vec<bool> = (0..milliseconds).map(|at| Pattern::of(state).at(at).0).collect();
        lit.windows(2).filter(|pair| pair == &[false, true]).count()
    }

    #[test]
    fn patterns_differ_in_their_count() {
        // From the end of the first flash to the beginning of the one that closes the count.
        assert_eq!(flashes(JobState::Full, 3_001), 4);
        assert_eq!(flashes(JobState::Fault(Fault::Scope), 3_001), 6);
        assert_eq!(flashes(JobState::WaitingForScope, 3_001), 3);
        assert_eq!(flashes(JobState::PassingThrough, 3_001), 1);
        assert_eq!(flashes(JobState::Armed, 3_001), 0);
        assert_eq!(flashes(JobState::Triggered, 3_001), 30);
    }

    #[test]
    fn unusable_device_is_shown_first() {
        let pattern = Pattern::of_bridge(JobState::PassingThrough, UsbState::LowSpeed);
        let lit: Vec<bool> = (0..2_000).map(|at| pattern.at(at).0).collect();
        assert_eq!(lit.windows(2).filter(|pair| pair == &[true, false]).count(), 4);
        assert_eq!(Pattern::of_bridge(JobState::Armed, UsbState::Empty), Pattern::of(JobState::Armed));
    }

    #[test]
    fn next_change_is_right() {
        for state in
            [JobState::Full, JobState::Fault(Fault::Scope), JobState::Idle, JobState::WaitingForScope]
        {
            let pattern = Pattern::of(state);
            for at in 0..5_000 {
                let (lit, change) = pattern.at(at);
                assert!(change > 0);
                assert!((0..change).all(|later| pattern.at(at + later).0 == lit));
                assert_ne!(pattern.at(at + change).0, lit);
            }
        }
    }
}
