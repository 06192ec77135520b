//! Control lines of the two-socket protocol: what is understood has numbers that make sense.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_serve::twinlan::{Command, Generator};

fuzz_target!(|bytes: &[u8]| {
    for line in bytes.split(|byte| *byte == b'\n') {
        match Command::parse(line) {
            Some(Command::Rate(value) | Command::Range(_, value)) => {
                assert!(value > 0.0 && value.is_finite());
            }
            Some(Command::Level(value) | Command::Middle(_, value) | Command::PreTrigger(value)) => {
                assert!(value.is_finite());
            }
            Some(Command::Channel(index, _)) => assert!(index < 2),
            Some(Command::Generator(Generator::Frequency(value) | Generator::Range(value))) => {
                assert!(value > 0.0 && value.is_finite());
            }
            Some(Command::Generator(Generator::Duty(value))) => assert!((0.0..=1.0).contains(&value)),
            _ => {}
        }
    }
});
