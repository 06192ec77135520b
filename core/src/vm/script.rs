//! Writes command strings into a caller's buffer, as short as they can be.

use core::fmt;

use super::{Command, Pace, Shadow};

/// R1 is set anew, by two digits or a clear, no more than so many bytes after the last time in the stores of a
/// [`Script`]: a link that cuts it into datagrams of this size can begin each with that
/// ([section 11 of the reference](crate::vm#11-the-bitscope-server-protocol)).
pub const MAX_RUN: usize = 64;
/// The most bytes that a store takes: an address of two digits, a value of two, and the two commands; or as many steps as
/// are no longer than that.
const MAX_STORE: usize = 6;

/// The buffer of a script is full. What was staged for it counts as lost: call [`Shadow::forget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScriptTooLong {
    /// How many bytes the buffer holds.
    pub capacity: usize,
}

impl fmt::Display for ScriptTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the command script does not fit in {} bytes: give it a larger buffer", self.capacity)
    }
}

impl core::error::Error for ScriptTooLong {}

/// A command string under construction in a caller's buffer.
///
/// R0 and R1 are taken as unknown where a script begins: a script means the same whatever came before it. Within the
/// script a number that R0 holds already is not entered again, a digit that makes it by shifting R0 is entered alone,
/// and R1 is stepped with `z` and `n` where that is shorter than setting it. After [`MAX_RUN`] bytes both are set anew, so
/// that a long script can be cut where what follows means the same whatever came before it.
#[derive(Debug)]
pub struct Script<'b> {
    buffer: &'b mut [u8],
    length: usize,
    r0: Option<u8>,
    r1: Option<u8>,
    /// Bytes since R0 and R1 were set anew.
    run: u8,
}

impl<'b> Script<'b> {
    /// An empty script in `buffer`.
    #[must_use]
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0, r0: None, r1: None, run: 0 }
    }

    /// What was written so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// The script's bytes, for as long as the buffer lives.
    #[must_use]
    pub fn finish(self) -> &'b [u8] {
        let Self { buffer, length, .. } = self;
        buffer.get(..length).unwrap_or_default()
    }

    /// Appends one command.
    ///
    /// # Errors
    /// [`ScriptTooLong`] when the buffer is full.
    pub fn command(&mut self, command: Command) -> Result<(), ScriptTooLong> {
        let capacity = self.buffer.len();
        let place = self.buffer.get_mut(self.length).ok_or(ScriptTooLong { capacity })?;
        *place = command.byte();
        self.length += 1;
        self.run = self.run.saturating_add(1);
        match command {
            Command::Clear => self.r0 = Some(0),
            Command::Digit(digit) => self.r0 = self.r0.map(|r0| r0 << 4 | (digit & 0x0f)),
            Command::SetAddress => self.r1 = self.r0,
            Command::StoreNext | Command::Next => self.r1 = self.r1.and_then(|r1| r1.checked_add(1)),
            Command::Store | Command::EndNumber => {}
            // The reference promises that R0 and R1 last through these, but nothing is lost by not relying on it.
            _ => (self.r0, self.r1) = (None, None),
        }
        Ok(())
    }

    /// Appends the stores of everything that is staged in `shadow`, in order of address.
    ///
    /// # Errors
    /// [`ScriptTooLong`] when the buffer is full.
    pub fn stores(&mut self, shadow: &mut Shadow) -> Result<(), ScriptTooLong> {
        while let Some((address, value)) = shadow.take_staged() {
            self.store(address, value)?;
        }
        Ok(())
    }

    /// Appends a number: R0 becomes `value`.
    ///
    /// # Errors
    /// [`ScriptTooLong`] when the buffer is full.
    pub fn number(&mut self, value: u8) -> Result<(), ScriptTooLong> {
        match number_form(self.r0, value) {
            NumberForm::Held => {}
            NumberForm::Zero => self.command(Command::Clear)?,
            NumberForm::LowDigit => self.command(Command::Digit(value & 0x0f))?,
            NumberForm::TwoDigits => {
                self.command(Command::Digit(value >> 4))?;
                self.command(Command::Digit(value & 0x0f))?;
            }
        }
        self.r0 = Some(value);
        Ok(())
    }

    fn store(&mut self, address: u8, value: u8) -> Result<(), ScriptTooLong> {
        if usize::from(self.run) + MAX_STORE > MAX_RUN {
            (self.r0, self.r1) = (None, None);
        }
        if let Some(steps) = self.steps_to(address, value) {
            for _ in 0..steps {
                self.command(Command::Next)?;
            }
        } else {
            if let NumberForm::Zero | NumberForm::TwoDigits = number_form(self.r0, address) {
                self.run = 0;
            }
            self.number(address)?;
            self.command(Command::SetAddress)?;
        }
        self.number(value)?;
        self.command(Command::StoreNext)
    }

    /// How many `n` lead to `address`, where that is no longer than entering it.
    fn steps_to(&self, address: u8, value: u8) -> Option<u8> {
        let steps = address.checked_sub(self.r1?)?;
        let stepped = usize::from(steps) + number_form(self.r0, value).length();
        let set = number_form(self.r0, address).length() + 1 + number_form(Some(address), value).length();
        (stepped <= set).then_some(steps)
    }
}

/// The shortest way to enter a number.
#[derive(Clone, Copy)]
enum NumberForm {
    Held,
    Zero,
    LowDigit,
    TwoDigits,
}

impl NumberForm {
    fn length(self) -> usize {
        match self {
            Self::Held => 0,
            Self::Zero | Self::LowDigit => 1,
            Self::TwoDigits => 2,
        }
    }
}

fn number_form(r0: Option<u8>, value: u8) -> NumberForm {
    match r0 {
        Some(r0) if r0 == value => NumberForm::Held,
        _ if value == 0 => NumberForm::Zero,
        Some(r0) if r0 << 4 | (value & 0x0f) == value => NumberForm::LowDigit,
        _ => NumberForm::TwoDigits,
    }
}

/// Cuts a script into pieces that end after each command that is not simple: what a device that insists on the
/// letter of [section 1 of the reference](crate::vm#1-the-link) is sent at a time.
pub fn pieces(script: &[u8]) -> impl Iterator<Item = &[u8]> {
    script.split_inclusive(|&byte| Command::from_byte(byte).pace() != Pace::Simple)
}

#[cfg(test)]
mod tests {
    use super::super::Register;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The register machine of [section 2 of the reference](crate::vm#2-commands), as far as simple commands go.
    #[derive(Clone)]
    struct Machine {
        r0: u8,
        r1: u8,
        registers: [u8; 256],
    }

    impl Machine {
        fn run(&mut self, script: &[u8]) {
            for &byte in script {
                match byte {
                    b'[' => self.r0 = 0,
                    b'0'..=b'9' => self.r0 = (self.r0 << 4) + (byte - b'0'),
                    b'a'..=b'f' => self.r0 = (self.r0 << 4) + (byte - b'a' + 10),
                    b'@' => self.r1 = self.r0,
                    b's' => self.registers[usize::from(self.r1)] = self.r0,
                    b'z' => {
                        self.registers[usize::from(self.r1)] = self.r0;
                        self.r1 = self.r1.wrapping_add(1);
                    }
                    b'n' => self.r1 = self.r1.wrapping_add(1),
                    _ => panic!("unexpected {byte:02x}"),
                }
            }
        }
    }

    fn script_of(shadow: &mut Shadow) -> Vec<u8> {
        let mut buffer = [0; 2048];
        let mut script = Script::new(&mut buffer);
        script.stores(shadow).unwrap();
        script.finish().to_vec()
    }

    #[test]
    fn zero_and_neighbours_are_short() {
        let mut shadow = Shadow::new();
        shadow.stage(Register::SampleAddress, 0);
        assert_eq!(script_of(&mut shadow), b"08@[zzz");
    }

    #[test]
    fn gap_takes_the_shorter_way() {
        let mut shadow = Shadow::new();
        shadow.stage(Register::TraceMode, 0x55);
        shadow.stage(Register::TriggerIntro, 0x55);
        assert_eq!(script_of(&mut shadow), b"21@55z32@55z[z");
        shadow.stage(Register::TriggerLogic, 0x12);
        shadow.stage(Register::SpockOption, 0x12);
        assert_eq!(script_of(&mut shadow), b"05@12znz");
    }

    #[test]
    fn single_digit_reuses_r0() {
        let mut shadow = Shadow::new();
        shadow.stage(Register::TraceMode, 0x12);
        assert_eq!(script_of(&mut shadow), b"21@2z");
    }

    #[test]
    fn full_buffer_is_an_error() {
        let mut shadow = Shadow::new();
        shadow.stage(Register::ClockTicks, 40);
        let mut buffer = [0; 7];
        let mut script = Script::new(&mut buffer);
        assert_eq!(script.stores(&mut shadow), Err(ScriptTooLong { capacity: 7 }));
    }

    #[test]
    fn pieces_end_at_slow_commands() {
        let cut: Vec<&[u8]> = pieces(b"08@[zzz>UD").collect();
        assert_eq!(cut, [&b"08@[zzz>"[..], b"U", b"D"]);
    }

    /// The shortest script that stores the bytes in order of address, by trying every way.
    fn shortest(stores: &[(u8, u8)], r0: Option<u8>, r1: Option<u8>) -> usize {
        fn entries(r0: Option<u8>, value: u8) -> usize {
            if r0 == Some(value) {
                return 0;
            }
            let shifted = r0.map(|r0| (r0 << 4) + (value & 15));
            if value == 0 || shifted == Some(value) { 1 } else { 2 }
        }
        let Some(&(address, value)) = stores.first() else { return 0 };
        let after = shortest(&stores[1..], Some(value), address.checked_add(1));
        let jump = entries(r0, address) + 1 + entries(Some(address), value);
        let walk = r1
            .filter(|&r1| r1 <= address)
            .map_or(usize::MAX, |r1| usize::from(address - r1) + entries(r0, value));
        jump.min(walk) + 1 + after
    }

    proptest! {
        #[test]
        fn device_ends_up_with_what_was_staged(
            writes in prop::collection::vec((0..Register::ALL.len(), any::<u32>()), 1..60),
            scripts in prop::collection::vec(0usize..60, 0..4),
            start in any::<(u8, u8)>(),
        ) {
            let mut shadow = Shadow::new();
            let mut machine = Machine { r0: start.0, r1: start.1, registers: [0xa5; 256] };
            let mut wanted = machine.registers;
            for (count, &(register, value)) in writes.iter().enumerate() {
                let register = Register::ALL[register];
                shadow.stage(register, value);
                for index in 0..register.width() {
                    wanted[usize::from(register.address() + index)] = value.to_le_bytes()[usize::from(index)];
                }
                if scripts.contains(&count) {
                    machine.run(&script_of(&mut shadow));
                }
            }
            machine.run(&script_of(&mut shadow));
            prop_assert_eq!(machine.registers, wanted);
        }

        #[test]
        fn no_script_in_order_of_address_is_shorter(
            writes in prop::collection::btree_map(0u8..=0x9b, prop_oneof![0u8..4, any::<u8>()], 1..24),
        ) {
            let stores: Vec<(u8, u8)> = writes.into_iter().collect();
            let mut buffer = [0; 2048];
            let mut script = Script::new(&mut buffer);
            for &(address, value) in &stores {
                script.store(address, value).unwrap();
            }
            let (length, shortest) = (script.bytes().len(), shortest(&stores, None, None));
            // Where R0 and R1 are set anew, an address and a value are entered whole.
            let set_anew = length / (MAX_RUN - MAX_STORE);
            prop_assert!((shortest..=shortest + set_anew * (MAX_STORE - 1)).contains(&length), "{} {}", length, shortest);
        }
    }
}
