//! BOOTSEL as a button: from what it reads now and then to presses.

use crate::control::Press;

/// The least time between two looks at the button, in milliseconds: its contacts have settled by then.
pub const LOOK_MS: u32 = 20;
/// A press that lasts so long is a long one, in milliseconds.
const LONG_MS: u32 = 1_000;

/// What is known of the button.
#[derive(Debug, Default)]
pub struct Button {
    held_ms: u32,
}

impl Button {
    /// A button that is not pressed.
    #[must_use]
    pub const fn new() -> Self {
        Self { held_ms: 0 }
    }

    /// Takes what the button reads, so many milliseconds after the look before.
    pub fn look(&mut self, pressed: bool, since_ms: u32) -> Option<Press> {
        if pressed {
            let before = self.held_ms;
            self.held_ms = before.saturating_add(since_ms.max(1));
            (before < LONG_MS && self.held_ms >= LONG_MS).then_some(Press::Long)
        } else {
            let held = core::mem::take(&mut self.held_ms);
            (1..LONG_MS).contains(&held).then_some(Press::Short)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gestures when the button is pressed in these looks.
    fn gestures(pressed: impl IntoIterator<Item = bool>) -> Vec<(usize, Press)> {
        let mut button = Button::new();
        let looks = pressed.into_iter().enumerate();
        looks.filter_map(|(look, pressed)| Some((look, button.look(pressed, LOOK_MS)?))).collect()
    }

    #[test]
    fn short_press_counts_on_release() {
        assert_eq!(gestures([false, true, true, false, false]), [(3, Press::Short)]);
        assert_eq!(gestures([true, false, true, false]), [(1, Press::Short), (3, Press::Short)]);
    }

    #[test]
    fn long_press_counts_once_after_a_second() {
        let held = (0..200).map(|look| look < 180);
        assert_eq!(gestures(held), [(49, Press::Long)]);
    }
}
