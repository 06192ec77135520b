//! What a bridge is set to on its board: the rate of its UART, and its pins.

use core::fmt;

use serde::{Deserialize, Serialize};

/// The board's settings, which the bridge keeps in flash and uses from its next start on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BoardSettings {
    /// Bits a second of the UART to the computer, 8N1: [`BAUD`](Self::BAUD).
    pub baud: u32,
    /// The LED that shows what the bridge does.
    pub led: Led,
    /// The GPIO that is high for at least 1 ms after each captured trace; none: no pin is.
    pub trigger_out: Option<u8>,
    /// The GPIO whose rising edge captures, pulled down by the bridge; none: no pin does. It ends the wait of an armed job
    /// for its trigger, and else captures once without one.
    pub trigger_in: Option<u8>,
}

/// Where the LED is. Encoded as the `Option<u8>` that earlier firmware and programs had here, with one more choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Led {
    /// There is none.
    None,
    /// At this GPIO, lit while that is high.
    Pin(u8),
    /// At the radio of a Pico W or Pico 2 W, which takes [`RADIO_PINS`](BoardSettings::RADIO_PINS).
    Radio,
}

/// Why settings are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BoardSettingsError {
    /// The UART has no such rate.
    Baud {
        /// Which one.
        baud: u32,
    },
    /// The pin is taken, or leads nowhere on a Pico.
    Pin {
        /// Its GPIO.
        gpio: u8,
    },
    /// The pin leads to the radio, whose LED is asked for.
    RadioPin {
        /// Its GPIO.
        gpio: u8,
    },
    /// One pin is asked for twice.
    SamePin {
        /// Its GPIO.
        gpio: u8,
    },
}

impl fmt::Display for BoardSettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Baud { baud } => {
                write!(f, "the bridge has no UART of {baud} bits a second: give 9600 to 1000000")
            }
            Self::Pin { gpio } => {
                write!(
                    f,
                    "GPIO {gpio} is not free: give one from 4 to 22, from 26 to 28, or 25, a Pico's LED"
                )
            }
            Self::RadioPin { gpio } => {
                write!(
                    f,
                    "GPIO {gpio} leads to the radio, whose LED is asked for: give another pin, or another LED"
                )
            }
            Self::SamePin { gpio } => write!(f, "GPIO {gpio} is given twice: give two"),
        }
    }
}

impl core::error::Error for BoardSettingsError {}

impl Default for BoardSettings {
    /// A Pico: 1 Mbaud, its own LED, no trigger output or input.
    fn default() -> Self {
        Self { baud: 1_000_000, led: Led::Pin(25), trigger_out: None, trigger_in: None }
    }
}

impl BoardSettings {
    /// The rates of the UART. Faster, bytes would be lost while the flash is written.
    pub const BAUD: core::ops::RangeInclusive<u32> = 9_600..=1_000_000;

    /// The GPIOs that lead to the radio of a Pico W or Pico 2 W: its power, its data, its chip select and its clock.
    pub const RADIO_PINS: [u8; 4] = [23, 24, 25, 29];

    /// Checks them: GPIO 0 to 3 are the UART's, and 23, 24 and 29 the Pico's own. Whether the board has what they name is not
    /// known here: [`Led::Radio`] drives the [radio's pins](Self::RADIO_PINS), to which other boards may have connected
    /// something else.
    ///
    /// # Errors
    /// [`BoardSettingsError`].
    pub fn check(&self) -> Result<(), BoardSettingsError> {
        if !Self::BAUD.contains(&self.baud) {
            return Err(BoardSettingsError::Baud { baud: self.baud });
        }
        let led = match self.led {
            Led::Pin(gpio) => Some(gpio),
            Led::None | Led::Radio => None,
        };
        let mut taken = 0_u32;
        for gpio in [led, self.trigger_out, self.trigger_in].into_iter().flatten() {
            if self.led == Led::Radio && Self::RADIO_PINS.contains(&gpio) {
                return Err(BoardSettingsError::RadioPin { gpio });
            }
            if !matches!(gpio, 4..=22 | 25..=28) {
                return Err(BoardSettingsError::Pin { gpio });
            }
            if taken & 1 << gpio != 0 {
                return Err(BoardSettingsError::SamePin { gpio });
            }
            taken |= 1 << gpio;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_pins_and_other_rates_are_refused() {
        let right = BoardSettings::default();
        assert_eq!(right.check(), Ok(()));
        let other =
            BoardSettings { led: Led::None, trigger_out: Some(4), trigger_in: Some(5), baud: 921_600 };
        assert_eq!(other.check(), Ok(()));
        for gpio in [0, 3, 23, 24, 29, 255] {
            let settings = BoardSettings { trigger_out: Some(gpio), ..right };
            assert_eq!(settings.check(), Err(BoardSettingsError::Pin { gpio }));
            let settings = BoardSettings { trigger_in: Some(gpio), ..right };
            assert_eq!(settings.check(), Err(BoardSettingsError::Pin { gpio }));
        }
        let twice = BoardSettings { trigger_out: Some(25), ..right };
        assert_eq!(twice.check(), Err(BoardSettingsError::SamePin { gpio: 25 }));
        let twice = BoardSettings { trigger_out: Some(6), trigger_in: Some(6), ..right };
        assert_eq!(twice.check(), Err(BoardSettingsError::SamePin { gpio: 6 }));
        for baud in [0, 9599, 1_000_001] {
            assert_eq!(BoardSettings { baud, ..right }.check(), Err(BoardSettingsError::Baud { baud }));
        }
    }

    #[test]
    fn pins_of_the_radio_are_taken_with_its_led() {
        let right = BoardSettings { led: Led::Radio, trigger_out: Some(22), ..BoardSettings::default() };
        assert_eq!(right.check(), Ok(()));
        // GPIO 25 is free without the radio's LED.
        let free = BoardSettings { led: Led::None, trigger_out: Some(25), ..right };
        assert_eq!(free.check(), Ok(()));
        for gpio in [23, 24, 25, 29] {
            let error = Err(BoardSettingsError::RadioPin { gpio });
            assert_eq!(BoardSettings { trigger_out: Some(gpio), ..right }.check(), error);
            assert_eq!(BoardSettings { trigger_in: Some(gpio), ..right }.check(), error);
        }
    }

    #[test]
    fn led_is_encoded_as_the_option_that_it_was() {
        // The parts of the settings as they were before there was a choice of the radio.
        type Before = (u32, Option<u8>, Option<u8>, Option<u8>);
        for (led, before) in [(Led::None, None), (Led::Pin(0), Some(0)), (Led::Pin(255), Some(255))] {
            let settings = BoardSettings { led, trigger_in: Some(7), ..BoardSettings::default() };
            let earlier: Before = (settings.baud, before, None, Some(7));
            let (mut one, mut other) = ([0; 16], [0; 16]);
            let bytes = postcard::to_slice(&settings, &mut one).unwrap();
            assert_eq!(bytes, postcard::to_slice(&earlier, &mut other).unwrap());
            assert_eq!(postcard::from_bytes(bytes), Ok(settings));
        }
        // What had no radio refuses it, and does not take it for something else.
        let radio = BoardSettings { led: Led::Radio, ..BoardSettings::default() };
        let mut bytes = [0; 16];
        let bytes = postcard::to_slice(&radio, &mut bytes).unwrap();
        assert!(postcard::from_bytes::<Before>(bytes).is_err());
        assert_eq!(postcard::from_bytes(bytes), Ok(radio));
    }
}
