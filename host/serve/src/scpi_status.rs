//! What IEEE 488.2 and SCPI-99 have every instrument do alike: the queue of errors, the event register, and the commands that
//! begin with `*`. Each client has its own.

use std::collections::VecDeque;

use super::scpi::{Message, number};

/// Errors that wait to be read; a further one takes the place of the last (SCPI-99, section 21.8.1).
const MAX_ERRORS: usize = 20;
/// Bits of the event register (IEEE 488.2, section 11.5.1).
const OPERATION_COMPLETE: u8 = 1;
const DEVICE_ERROR: u8 = 8;
const COMMAND_ERROR: u8 = 32;
const POWER_ON: u8 = 128;
/// Bits of the status byte: errors are queued, an event is enabled that has occurred.
const ERROR_QUEUE: u8 = 4;
const EVENT_SUMMARY: u8 = 32;

/// An error of SCPI-99, chapter 21.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScpiError {
    /// A command that the instrument does not have.
    UndefinedHeader,
    /// More errors than the queue holds.
    QueueOverflow,
    /// A line that is longer than any command.
    InputBufferOverrun,
}

impl ScpiError {
    const fn text(self) -> &'static str {
        match self {
            Self::UndefinedHeader => "-113,\"Undefined header\"",
            Self::QueueOverflow => "-350,\"Queue overflow\"",
            Self::InputBufferOverrun => "-363,\"Input buffer overrun\"",
        }
    }

    const fn event(self) -> u8 {
        match self {
            Self::UndefinedHeader => COMMAND_ERROR,
            Self::QueueOverflow | Self::InputBufferOverrun => DEVICE_ERROR,
        }
    }
}

/// What a command common to all instruments has done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Common {
    /// It has an answer.
    Answer(String),
    /// It is done.
    Done,
    /// All settings are to be as they were at first.
    Reset,
}

/// The status of one client's conversation.
#[derive(Debug)]
pub(super) struct Status {
    errors: VecDeque<ScpiError>,
    events: u8,
    event_enable: u8,
    service_enable: u8,
}

impl Default for Status {
    fn default() -> Self {
        Self { errors: VecDeque::new(), events: POWER_ON, event_enable: 0, service_enable: 0 }
    }
}

impl Status {
    /// Notes an error.
    pub(super) fn push(&mut self, error: ScpiError) {
        self.events |= error.event();
        if self.errors.len() < MAX_ERRORS {
            self.errors.push_back(error);
        } else if let Some(last) = self.errors.back_mut() {
            *last = ScpiError::QueueOverflow;
        }
    }

    /// Executes a command that all instruments have; none if it is another one.
    pub(super) fn execute(&mut self, message: &Message<'_>) -> Option<Common> {
        let byte = || number(message.argument).map_or(0, |value| value.clamp(0.0, 255.0) as u8);
        if message.query {
            return self.answer(&message.name).map(Common::Answer);
        }
        match message.name.as_str() {
            "*CLS" => {
                self.errors.clear();
                self.events = 0;
            }
            "*ESE" => self.event_enable = byte(),
            "*SRE" => self.service_enable = byte(),
            // Whatever was sent before is done when the next command is read.
            "*OPC" => self.events |= OPERATION_COMPLETE,
            "*WAI" => {}
            "*RST" => return Some(Common::Reset),
            _ => return None,
        }
        Some(Common::Done)
    }

    fn answer(&mut self, name: &str) -> Option<String> {
        Some(match name {
            "SYST:ERR" | "SYST:ERR:NEXT" => {
                self.errors.pop_front().map_or("0,\"No error\"", ScpiError::text).to_owned()
            }
            "SYST:ERR:COUN" => self.errors.len().to_string(),
            "SYST:VERS" => "1999.0".to_owned(),
            "*ESR" => std::mem::take(&mut self.events).to_string(),
            "*ESE" => self.event_enable.to_string(),
            "*SRE" => self.service_enable.to_string(),
            "*STB" => {
                let queue = if self.errors.is_empty() { 0 } else { ERROR_QUEUE };
                let summary = if self.events & self.event_enable == 0 { 0 } else { EVENT_SUMMARY };
                (queue | summary).to_string()
            }
            "*OPC" => "1".to_owned(),
            // No fault was found.
            "*TST" => "0".to_owned(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scpi::messages;

    fn send(status: &mut Status, line: &str) -> Vec<Option<Common>> {
        messages(line.as_bytes()).map(|message| status.execute(&message)).collect()
    }

    fn ask(status: &mut Status, line: &str) -> String {
        match send(status, line).pop() {
            Some(Some(Common::Answer(answer))) => answer,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn errors_are_read_in_their_order_and_once() {
        let mut status = Status::default();
        assert_eq!(ask(&mut status, ":SYSTem:ERRor?"), "0,\"No error\"");
        status.push(ScpiError::UndefinedHeader);
        status.push(ScpiError::InputBufferOverrun);
        assert_eq!(ask(&mut status, ":SYST:ERR:COUN?"), "2");
        assert_eq!(ask(&mut status, "SYST:ERR?"), "-113,\"Undefined header\"");
        assert_eq!(ask(&mut status, "SYST:ERR:NEXT?"), "-363,\"Input buffer overrun\"");
        assert_eq!(ask(&mut status, "SYST:ERR?"), "0,\"No error\"");
    }

    #[test]
    fn queue_that_overflows_reports_it_last() {
        let mut status = Status::default();
        (0..50).for_each(|_| status.push(ScpiError::UndefinedHeader));
        let all: Vec<String> = (0..MAX_ERRORS).map(|_| ask(&mut status, "SYST:ERR?")).collect();
        assert_eq!(
            (all[18].as_str(), all[19].as_str()),
            ("-113,\"Undefined header\"", "-350,\"Queue overflow\"")
        );
        assert_eq!(ask(&mut status, "SYST:ERR?"), "0,\"No error\"");
    }

    #[test]
    fn event_register_is_cleared_by_reading() {
        let mut status = Status::default();
        assert_eq!(ask(&mut status, "*ESR?"), "128");
        send(&mut status, "*OPC;*ESE 33");
        status.push(ScpiError::UndefinedHeader);
        assert_eq!(
            (ask(&mut status, "*ESE?"), ask(&mut status, "*STB?")),
            ("33".to_owned(), "36".to_owned())
        );
        assert_eq!((ask(&mut status, "*ESR?"), ask(&mut status, "*ESR?")), ("33".to_owned(), "0".to_owned()));
        send(&mut status, "*CLS");
        assert_eq!(ask(&mut status, "*STB?"), "0");
    }
}
