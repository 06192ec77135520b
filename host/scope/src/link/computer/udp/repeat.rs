//! Which commands may be sent again when no answer came, though they may have executed already.

use scopething_core::vm::Command;

/// Whether executing `commands`, those of one datagram, twice in a row leaves the device as executing them
/// once, and answers the same.
///
/// R0 and R1 are what makes short scripts unsafe: `n` moves R1 twice, one digit shifts R0 twice. A datagram
/// is safe that sets each of the two before it uses it, or does not change it at all. Of the commands that
/// wait, those are safe that only apply registers, print, reset or cancel. Those that start something (`D`,
/// `T`, `Z`), or move an address on (`A`, `S`, `W`, `R`, `X`), are not; nor are those that are not known well
/// enough.
pub(super) fn is_repeatable(commands: &[u8]) -> bool {
    let mut run = Run::default();
    commands.iter().all(|byte| run.execute(Command::from_byte(*byte))) && run.r0.is_safe() && run.r1.is_safe()
}

/// What a first execution does to R0 and R1.
#[derive(Default)]
struct Run {
    r0: Accumulator,
    r1: Accumulator,
}

/// R0 or R1.
#[derive(Default)]
struct Accumulator {
    /// Hexadecimal digits of the value, from the right, that these commands alone decide: at most 2.
    digits_set: u8,
    changed: bool,
    /// The value from before these commands had an effect.
    used_before_set: bool,
}

impl Accumulator {
    fn use_value(&mut self) {
        self.used_before_set |= self.digits_set < 2;
    }

    fn change(&mut self, digits_set: u8) {
        self.changed = true;
        self.digits_set = digits_set.min(2);
    }

    fn is_safe(&self) -> bool {
        !self.changed || (self.digits_set == 2 && !self.used_before_set)
    }
}

impl Run {
    /// Whether the command may be executed twice, R0 and R1 apart.
    fn execute(&mut self, command: Command) -> bool {
        match command {
            Command::Clear => self.r0.change(2),
            Command::Digit(_) => self.r0.change(self.r0.digits_set + 1),
            Command::SetAddress => {
                self.r0.use_value();
                self.r1.change(2);
            }
            Command::Store => {
                self.r0.use_value();
                self.r1.use_value();
            }
            Command::StoreNext => {
                self.r0.use_value();
                self.next_register();
            }
            Command::Next => self.next_register(),
            Command::Print => self.r1.use_value(),
            Command::EndNumber
            | Command::ProgramSpock
            | Command::Update
            | Command::Identify
            | Command::ReadEeprom
            | Command::Reset
            | Command::CancelTrace => {}
            _ => return false,
        }
        true
    }

    fn next_register(&mut self) {
        self.r1.use_value();
        self.r1.change(self.r1.digits_set);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixed_seed::fixed_seed;

    #[test]
    fn what_stands_on_its_own_is_repeatable() {
        for commands in
            ["[21@[12z[34z>", "21@12z34s", "[11@[30sr", "?", "!", "p", "s", "U", ">", "K", "]", "7fs"]
        {
            assert!(is_repeatable(commands.as_bytes()), "{commands}");
        }
    }

    #[test]
    fn stateful_scripts_are_not_repeatable() {
        for commands in
            ["n", "z", "7s", "[12z", "@[12s", "s[12", "D", "[21@[12sD", "A", "S", "T", "Z", "X", "[00W", "w"]
        {
            assert!(!is_repeatable(commands.as_bytes()), "{commands}");
        }
    }

    /// Just enough of the machine of [section 2 of the reference](scopething_core::vm#2-commands).
    #[derive(Clone, PartialEq, Debug)]
    struct Machine {
        r0: u8,
        r1: u8,
        registers: Vec<u8>,
    }

    impl Machine {
        fn execute(&mut self, commands: &str) {
            for byte in commands.bytes() {
                match byte {
                    b'[' => self.r0 = 0,
                    b'@' => self.r1 = self.r0,
                    b's' => self.registers[usize::from(self.r1)] = self.r0,
                    b'z' => {
                        self.registers[usize::from(self.r1)] = self.r0;
                        self.r1 = self.r1.wrapping_add(1);
                    }
                    b'n' => self.r1 = self.r1.wrapping_add(1),
                    b']' => {}
                    digit => {
                        let digit = char::from(digit).to_digit(16).unwrap();
                        self.r0 = self.r0 << 4 | u8::try_from(digit).unwrap();
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(fixed_seed(2000))]

        #[test]
        fn repeatable_commands_have_the_same_effect_twice(
            commands in "([0-3@snz\\[\\]]|[0-3]{2}){0,8}", r0: u8, r1: u8, fill: u8
        ) {
            let mut once = Machine { r0, r1, registers: vec![fill; 256] };
            once.execute(&commands);
            let mut twice = once.clone();
            twice.execute(&commands);
            prop_assert!(!is_repeatable(commands.as_bytes()) || once == twice);
        }
    }
}
