//! The register file: 256 bytes that keep what was written, and the copies that take effect at `U` and at
//! `>`.
//!
//! Registers without a known meaning are kept and printed like any other.

use scopething_core::vm::Register;

/// All registers as bytes, after power-up and as written.
#[derive(Debug, Clone)]
pub(super) struct Registers {
    bytes: [u8; 256],
}

impl Registers {
    /// The values after power-up. The reference names none: everything is 0, except the numbers of
    /// which 0 would mean that nothing is divided, repeated or sent.
    pub(super) fn after_power_up() -> Self {
        let mut registers = Self { bytes: [0; 256] };
        for register in [Register::ClockScale, Register::DumpRepeat, Register::DumpSend] {
            registers.set(register, 1);
        }
        registers
    }

    pub(super) fn byte(&self, address: u8) -> u8 {
        self.bytes[usize::from(address)]
    }

    pub(super) fn set_byte(&mut self, address: u8, value: u8) {
        self.bytes[usize::from(address)] = value;
    }

    /// The raw value of a register, little endian.
    pub(super) fn get(&self, register: Register) -> u32 {
        (0..register.width())
            .rev()
            .fold(0, |value, index| value << 8 | u32::from(self.byte(register.address().wrapping_add(index))))
    }

    /// A register of at most two bytes.
    pub(super) fn get16(&self, register: Register) -> u16 {
        self.get(register) as u16
    }

    /// A register of one byte.
    pub(super) fn get8(&self, register: Register) -> u8 {
        self.get(register) as u8
    }

    /// Bytes of `value` that the register does not have are left out.
    pub(super) fn set(&mut self, register: Register, value: u32) {
        for (index, byte) in (0..register.width()).zip(value.to_le_bytes()) {
            self.set_byte(register.address().wrapping_add(index), byte);
        }
    }
}

/// The registers marked U, as of the last `U` ([section 3 of the reference](scopething_core::vm#3-registers)).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Applied {
    pub(super) converter_lo: u16,
    pub(super) converter_hi: u16,
    pub(super) trigger_level: u16,
    kitchen_sink_a: u8,
    kitchen_sink_b: u8,
    logic_control: u8,
    pub(super) rest: u16,
    map: [u8; 8],
}

impl Applied {
    pub(super) fn from_registers(registers: &Registers) -> Self {
        Self {
            converter_lo: registers.get16(Register::ConverterLo),
            converter_hi: registers.get16(Register::ConverterHi),
            trigger_level: registers.get16(Register::TriggerLevel),
            kitchen_sink_a: registers.get8(Register::KitchenSinkA),
            kitchen_sink_b: registers.get8(Register::KitchenSinkB),
            logic_control: registers.get8(Register::LogicControl),
            rest: registers.get16(Register::Rest),
            map: std::array::from_fn(|line| registers.byte(Register::Map0.address() + line as u8)),
        }
    }

    /// Whether the comparator of a channel (0 is A, 1 is B) is on.
    pub(super) fn comparator_on(self, channel: usize) -> bool {
        self.kitchen_sink_a & (0x80 >> channel) != 0
    }

    pub(super) fn waveform_on(self) -> bool {
        self.kitchen_sink_b & 0x40 != 0
    }

    /// Whether the logic buffer drives the pins.
    pub(super) fn buffer_outbound(self) -> bool {
        self.logic_control & 0x80 != 0
    }

    /// What drives the lines is as in the registers, whatever the last `U` was.
    pub(super) fn map_lines(&mut self, registers: &Registers) {
        self.map = Self::from_registers(registers).map;
    }

    /// What drives a logic line, one of the registers `Map0` to `Map7`.
    pub(super) fn driver_of_line(self, line: usize) -> u8 {
        self.map.get(line).copied().unwrap_or(0)
    }
}

/// The capture registers as of the last `>`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spock {
    pub(super) trigger_logic: u8,
    pub(super) trigger_mask: u8,
    option: u8,
}

impl Spock {
    /// `inverted_mask`: a 1 bit of the mask is a line that matters.
    pub(super) fn from_registers(registers: &Registers, inverted_mask: bool) -> Self {
        let mask = registers.get8(Register::TriggerMask);
        Self {
            trigger_logic: registers.get8(Register::TriggerLogic),
            trigger_mask: if inverted_mask { !mask } else { mask },
            option: registers.get8(Register::SpockOption),
        }
    }

    pub(super) fn comparator_trigger(self) -> bool {
        self.option & 0x01 != 0
    }

    /// The channel of a sampled trigger, 0 for A: the source bit, exchanged by the swap bit.
    pub(super) fn source(self) -> usize {
        usize::from((self.option & 0x04 != 0) != (self.option & 0x02 != 0))
    }

    pub(super) fn inverted(self) -> bool {
        self.option & 0x40 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_little_endian_and_truncated() {
        let mut registers = Registers::after_power_up();
        registers.set(Register::SampleAddress, 0x1234_5678);
        assert_eq!(registers.byte(0x08), 0x78);
        assert_eq!(registers.byte(0x0a), 0x34);
        assert_eq!(registers.byte(0x0b), 0);
        assert_eq!(registers.get(Register::SampleAddress), 0x34_5678);
    }

    #[test]
    fn line_drivers_latch_on_update() {
        let mut registers = Registers::after_power_up();
        registers.set(Register::Map0, 0x14);
        registers.set(Register::Map7, 0x12);
        registers.set(Register::LogicControl, 0x80);
        let applied = Applied::from_registers(&registers);
        registers.set(Register::Map7, 0);
        assert_eq!([0, 1, 7, 8].map(|line| applied.driver_of_line(line)), [0x14, 0, 0x12, 0]);
        assert!(applied.buffer_outbound() && !Applied::default().buffer_outbound());
    }

    #[test]
    fn option_bits_are_those_of_the_reference() {
        let spock = |option| Spock { option, ..Spock::default() };
        assert!(spock(1).comparator_trigger() && !spock(0x46).comparator_trigger());
        assert_eq!([0, 2, 4, 6].map(|option| spock(option).source()), [0, 1, 1, 0]);
        assert!(spock(0x40).inverted() && !spock(0x21).inverted());
    }
}
