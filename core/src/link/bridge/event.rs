//! What happens on a bridge, as its log has it: values, so that a computer needs nothing of the firmware to print them.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::job::JobState;
use super::usb::UsbState;
use crate::list::list;
use crate::time::Instant;

/// Something that happened on the bridge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Event {
    /// The firmware started after power came, or the reset line was used.
    PoweredUp,
    /// The firmware started since the watchdog had found no progress.
    WatchdogRestart,
    /// The firmware started after a panic, whose place the status has.
    PanicRestart,
    /// It does something else than before.
    State(JobState),
    /// Its USB socket has something else than before.
    Usb(UsbState),
    /// The button was pressed.
    ButtonPressed,
    /// The button was held for a second.
    ButtonHeld,
    /// The first byte since power-up that came too fast from the computer, and was lost.
    UartOverrun,
    /// The first byte since power-up without a stop bit, or the first break, from the computer.
    UartFraming,
    /// The flash failed where the number of starts, the job or the last failure is kept.
    SettingsFailed,
    /// Tasks get nowhere: the watchdog restarts the chip.
    NoProgress {
        /// That of the USB bus.
        bus: bool,
        /// That of the computer's messages.
        uplink: bool,
    },
    /// It restarts into its boot loader.
    BootLoader,
    /// The LED at the radio stays dark, until the next start.
    Radio(RadioFault),
}

/// Why the LED at the radio cannot be lit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RadioFault {
    /// Nothing answers where a Pico W has its radio.
    Silent,
    /// It answers, but its clock does not start.
    Clock,
    /// What answers is no CYW43439, or does not keep what is written to it.
    Unknown,
}

impl fmt::Display for RadioFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => {
                "no radio answers: is this a Pico W? Else name a pin: on a Pico use `bridge board --led 25`"
            }
            Self::Clock => "the clock of the radio does not start: power the board off and on",
            Self::Unknown => {
                "the radio is no CYW43439, or fails: name a pin with an LED, `bridge board --led 22`"
            }
        })
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoweredUp => f.write_str("powered up"),
            Self::WatchdogRestart => f.write_str("restarted by the watchdog"),
            Self::PanicRestart => f.write_str("restarted after a panic: `bridge status` reports its place"),
            Self::State(state) => state.fmt(f),
            Self::Usb(state) => write!(f, "USB: {state}"),
            Self::ButtonPressed => f.write_str("button pressed"),
            Self::ButtonHeld => f.write_str("button held"),
            Self::UartOverrun => f.write_str("UART: bytes came too fast"),
            Self::UartFraming => {
                f.write_str("UART: a byte without a stop bit: check the wires and the baud rate")
            }
            Self::SettingsFailed => {
                f.write_str("the flash fails where job and counters are kept: use another board")
            }
            Self::NoProgress { bus, uplink } => {
                let what = match (bus, uplink) {
                    (true, true) => "the USB bus and the uplink get",
                    (true, false) => "the USB bus gets",
                    (false, _) => "the uplink gets",
                };
                write!(f, "{what} nowhere: restarts")
            }
            Self::BootLoader => f.write_str("restarts into the boot loader"),
            Self::Radio(fault) => write!(f, "LED: {fault}"),
        }
    }
}

/// An event and when it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TimedEvent {
    /// Its number, counted from 0 at power-up.
    pub number: u32,
    /// When it happened by the bridge's clock, which starts at power-up.
    pub at: Instant,
    /// What happened.
    pub event: Event,
}

list! {
    /// Events, as a slice: as many as fit an answer.
    #[derive(Serialize, Deserialize)]
    pub Events of TimedEvent, at most 32
}

#[cfg(test)]
mod tests {
    use super::super::{Fault, UsbError, UsbStep};
    use super::*;
    use std::string::ToString as _;

    /// What is encoded as a number keeps it: a program of another version reads it by that.
    #[test]
    fn events_keep_their_numbers() {
        fn number(value: impl Serialize) -> u8 {
            postcard::to_slice(&value, &mut [0; 16]).unwrap()[0]
        }
        let (state, usb, fault) = (JobState::Idle, UsbState::Empty, RadioFault::Silent);
        let events = [
            (0, Event::PoweredUp),
            (1, Event::WatchdogRestart),
            (2, Event::PanicRestart),
            (3, Event::State(state)),
            (4, Event::Usb(usb)),
            (5, Event::ButtonPressed),
            (6, Event::ButtonHeld),
            (7, Event::UartOverrun),
            (8, Event::UartFraming),
            (9, Event::SettingsFailed),
            (10, Event::NoProgress { bus: true, uplink: false }),
            (11, Event::BootLoader),
            (12, Event::Radio(fault)),
        ];
        for (expected, event) in events {
            assert_eq!(number(event), expected, "{event:?}");
        }
        let states = [
            (0, JobState::Idle),
            (1, JobState::PassingThrough),
            (2, JobState::WaitingForScope),
            (3, JobState::Spacing),
            (4, JobState::Armed),
            (5, JobState::Triggered),
            (6, JobState::Finished),
            (7, JobState::Full),
            (8, JobState::Fault(Fault::Storage)),
            (9, JobState::Calibrating { done: 1, left: 2 }),
        ];
        for (expected, state) in states {
            assert_eq!(number(state), expected, "{state:?}");
        }
        let refused = UsbState::Refused { step: UsbStep::Address, error: UsbError::Stalled };
        let sockets = [
            (0, UsbState::Empty),
            (1, UsbState::Starting),
            (2, refused),
            (3, UsbState::Unsupported { vendor: 1, product: 2, is_hub: true }),
            (4, UsbState::LowSpeed),
            (5, UsbState::NoFrames),
            (6, UsbState::Unsteady),
            (7, UsbState::Ready),
        ];
        for (expected, socket) in sockets {
            assert_eq!(number(socket), expected, "{socket:?}");
        }
        for (expected, fault) in [(0, RadioFault::Silent), (1, RadioFault::Clock), (2, RadioFault::Unknown)] {
            assert_eq!(number(fault), expected, "{fault:?}");
        }
    }

    #[test]
    fn stuck_tasks_are_named() {
        let text = |bus, uplink| Event::NoProgress { bus, uplink }.to_string();
        assert_eq!(text(true, true), "the USB bus and the uplink get nowhere: restarts");
        assert_eq!(text(false, true), "the uplink gets nowhere: restarts");
    }
}
