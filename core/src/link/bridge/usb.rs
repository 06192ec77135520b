//! What the bridge reports about its USB socket, and what to check.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Why a transfer failed in the end, after what could be tried again was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum UsbError {
    /// The device does not answer.
    Silent,
    /// The device answers with bit errors, out of turn or with too much.
    Garbled,
    /// The device refuses the request, or the endpoint is halted.
    Stalled,
    /// The device has put it off for longer than it may.
    Busy,
    /// It was unplugged.
    Gone,
}

impl fmt::Display for UsbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Silent => "it does not answer: check the cable, and that VBUS has 5 V under load",
            Self::Garbled => "its answers are garbled: use a shorter cable",
            Self::Stalled => "it refuses the request: plug in a BitScope Micro",
            Self::Busy => "it put the request off for too long: plug it in again",
            Self::Gone => "it was unplugged",
        })
    }
}

impl core::error::Error for UsbError {}

/// How far the bridge got with a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum UsbStep {
    /// The reset of the bus.
    Reset,
    /// The first bytes of its descriptor, without an address.
    FirstDescriptor,
    /// Its address.
    Address,
    /// Its descriptor.
    Descriptor,
    /// Its configuration.
    Configuration,
    /// The settings of the FT232.
    SetUp,
    /// It was ready, and bytes were carried.
    Carrying,
}

impl UsbStep {
    /// Its number, from 1 on, and of how many.
    #[must_use]
    pub const fn number(self) -> (u8, u8) {
        (self as u8 + 1, Self::Carrying as u8 + 1)
    }
}

impl fmt::Display for UsbStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reset => "the reset of the bus",
            Self::FirstDescriptor => "the first bytes of its descriptor",
            Self::Address => "its address",
            Self::Descriptor => "its descriptor",
            Self::Configuration => "its configuration",
            Self::SetUp => "the settings of its serial chip",
            Self::Carrying => "carrying bytes",
        })
    }
}

/// What is in the bridge's USB socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum UsbState {
    /// Nothing that shows itself.
    #[default]
    Empty,
    /// Something that is being enumerated.
    Starting,
    /// Something that fails; it is tried again and again.
    Refused {
        /// Where.
        step: UsbStep,
        /// How.
        error: UsbError,
    },
    /// No BitScope Micro.
    Unsupported {
        /// Its vendor.
        vendor: u16,
        /// Its product.
        product: u16,
        /// It is a hub.
        is_hub: bool,
    },
    /// A device of low speed, as mice and keyboards are.
    LowSpeed,
    /// The controller counts no frames: it has no clock of 48 MHz.
    NoFrames,
    /// A device that comes and goes before it can be used.
    Unsteady,
    /// The chip of a BitScope Micro, which is ready.
    Ready,
}

impl UsbState {
    /// Whether there is something in the socket that cannot be used.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        !matches!(self, Self::Empty | Self::Starting | Self::Ready)
    }
}

impl fmt::Display for UsbState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "nothing is plugged in, or it has no power: check the cable, and 5 V between VBUS (pin 40) and GND",
            ),
            Self::Starting => f.write_str("something was plugged in just now"),
            Self::Refused { step, error } => {
                let (number, of) = step.number();
                write!(f, "a device fails at step {number} of {of}, {step}: {error}")
            }
            Self::Unsupported { vendor, product, is_hub: true } => write!(
                f,
                "a hub is plugged in ({vendor:04x}:{product:04x}): plug the BitScope Micro in without it"
            ),
            Self::Unsupported { vendor, product, is_hub: false } => write!(
                f,
                "a device that is no BitScope Micro is plugged in ({vendor:04x}:{product:04x})"
            ),
            Self::LowSpeed => f.write_str("a device of low speed is plugged in, which no BitScope Micro is"),
            Self::NoFrames => {
                f.write_str("the USB controller counts no frames: power the bridge off and on, or use another board")
            }
            Self::Unsteady => f.write_str(
                "a device comes and goes: check its plug, and that VBUS keeps 5 V with it (a weak supply, or over-current)",
            ),
            Self::Ready => f.write_str("a BitScope Micro is plugged in"),
        }
    }
}

/// What the bridge knows of its USB socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UsbStatus {
    /// What is in it.
    pub state: UsbState,
    /// Packets since power-up that were sent or asked for again.
    pub retries: u32,
    /// Times since power-up that a device failed.
    pub failures: u32,
    /// Times since power-up that the FT232 reported lost bytes.
    pub overruns: u32,
}

/// What went wrong on the line to the computer since power-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LineErrors {
    /// Times that bytes were lost because they came too fast.
    pub overruns: u32,
    /// Bytes without a stop bit, and breaks: noise, or another baud rate.
    pub framing: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString as _;

    #[test]
    fn refusal_names_the_step_and_what_to_check() {
        let state = UsbState::Refused { step: UsbStep::FirstDescriptor, error: UsbError::Silent };
        let text = state.to_string();
        assert!(
            text.starts_with("a device fails at step 2 of 7, the first bytes of its descriptor"),
            "{text}"
        );
        assert!(text.contains("5 V"), "{text}");
        assert!(state.is_fault() && !UsbState::Empty.is_fault());
    }
}
