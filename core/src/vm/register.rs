//! The registers of the virtual machine: one table of names, addresses and types
//! ([section 3 of the reference](crate::vm#3-registers)).
//!
//! ```
//! use scopething_core::vm::Register;
//!
//! assert_eq!(Register::ClockTicks.address(), 0x2e);
//! assert_eq!(Register::ClockTicks.width(), 2);
//! assert_eq!(Register::from_name("ConverterLo"), Some(Register::ConverterLo));
//! ```

/// How the bytes of a register are to be read; all registers are little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RegisterKind {
    /// An unsigned byte.
    U8,
    /// An unsigned 16-bit number.
    U16,
    /// An unsigned 24-bit number.
    U24,
    /// An unsigned 32-bit number.
    U32,
    /// An unsigned fraction of 65536, 0 to just below 1.
    U0_16,
    /// A signed fraction of 65536, -0.5 to just below 0.5.
    S0_16,
    /// 16 integer bits and 16 fraction bits, unsigned.
    U16_16,
}

impl RegisterKind {
    /// How many byte addresses a register of this kind takes, 1 to 4.
    #[must_use]
    pub const fn width(self) -> u8 {
        match self {
            Self::U8 => 1,
            Self::U16 | Self::U0_16 | Self::S0_16 => 2,
            Self::U24 => 3,
            Self::U32 | Self::U16_16 => 4,
        }
    }

    /// The largest raw value that such a register holds.
    #[must_use]
    pub const fn max(self) -> u32 {
        u32::MAX >> (32 - 8 * self.width() as u32)
    }
}

/// When a written register takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Takes {
    /// With the command that uses it.
    OnCommand,
    /// At the next `U`.
    AtUpdate,
}

macro_rules! registers {
    ($($(#[doc = $doc:literal])+ $name:ident = $address:literal, $kind:ident, $takes:ident;)+) => {
        /// A named register of the virtual machine.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum Register {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Register {
            /// Every named register, in order of address.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The address of the lowest byte.
            #[must_use]
            pub const fn address(self) -> u8 {
                match self { $(Self::$name => $address,)+ }
            }

            /// How the bytes are to be read.
            #[must_use]
            pub const fn kind(self) -> RegisterKind {
                match self { $(Self::$name => RegisterKind::$kind,)+ }
            }

            /// When a written value takes effect.
            #[must_use]
            pub const fn takes(self) -> Takes {
                match self { $(Self::$name => Takes::$takes,)+ }
            }

            /// The name used in the VM reference.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

registers! {
    /// Logic trigger pattern, a bit a channel.
    TriggerLogic = 0x05, U8, OnCommand;
    /// Logic lines that the trigger does not care about, a 1 bit each.
    TriggerMask = 0x06, U8, OnCommand;
    /// Trigger type (bit 0), swap (1), source (2), invert (6).
    SpockOption = 0x07, U8, OnCommand;
    /// Where a capture or a dump starts, in samples.
    SampleAddress = 0x08, U24, OnCommand;
    /// The hardware sample address, after `<`.
    SampleCounter = 0x0b, U24, OnCommand;
    /// The byte that `w` writes to the EEPROM.
    EepromData = 0x10, U8, OnCommand;
    /// The EEPROM address for `r` and `w`.
    EepromAddress = 0x11, U8, OnCommand;
    /// Divides the sample clock further, in the modes that allow it.
    ClockScale = 0x14, U16, OnCommand;
    /// How often a dump is repeated.
    DumpRepeat = 0x16, U16, OnCommand;
    /// Decimation: samples used; ignored by raw and native dumps.
    DumpSend = 0x18, U16, OnCommand;
    /// Decimation: samples skipped; ignored by raw and native dumps.
    DumpSkip = 0x1a, U16, OnCommand;
    /// Samples that a dump sends.
    DumpCount = 0x1c, U16, OnCommand;
    /// Form of the dump's samples ([section 6 of the reference](crate::vm#6-dumps)).
    DumpMode = 0x1e, U8, OnCommand;
    /// Trace options; 0 in all known use.
    TraceOption = 0x20, U8, OnCommand;
    /// The trace mode ([section 5 of the reference](crate::vm#5-trace-modes)).
    TraceMode = 0x21, U8, OnCommand;
    /// Microseconds between the trigger and the post-trigger part.
    TraceDelay = 0x22, U32, OnCommand;
    /// Pre-trigger samples.
    TraceIntro = 0x26, U16, OnCommand;
    /// Post-trigger samples.
    TraceOutro = 0x2a, U16, OnCommand;
    /// Longest wait for a trigger in 256 clock ticks (6.4 us); 0 is for ever.
    Timeout = 0x2c, U16, OnCommand;
    /// Sample period in 25 ns ticks.
    ClockTicks = 0x2e, U16, OnCommand;
    /// The channel that a dump reads: 0 A, 1 B, from 128 the logic byte.
    DumpChan = 0x30, U8, OnCommand;
    /// Layout of the capture buffer ([section 5 of the reference](crate::vm#5-trace-modes)).
    BufferMode = 0x31, U8, OnCommand;
    /// Half the number of samples the trigger must be false before it can fire.
    TriggerIntro = 0x32, U16, OnCommand;
    /// Half the number of samples the trigger must then be true.
    TriggerOutro = 0x34, U16, OnCommand;
    /// Frame token of a streaming trace.
    StreamIdent = 0x36, U8, OnCommand;
    /// Analog channels on, a bit each.
    AnalogEnable = 0x37, U8, OnCommand;
    /// Logic channels on, a bit each.
    DigitalEnable = 0x38, U8, OnCommand;
    /// Snoop channels on.
    SnoopEnable = 0x39, U8, OnCommand;
    /// What the buffer is filled with before a trace.
    Prelude = 0x3a, U16, OnCommand;
    /// Frame token of time stamps.
    StampIdent = 0x3c, U8, OnCommand;
    /// Time of the last trigger.
    TriggerTime = 0x40, U32, OnCommand;
    /// Level of the sampled trigger type.
    TriggerValue = 0x44, S0_16, OnCommand;
    /// Generator command vector.
    Cmd = 0x46, U8, OnCommand;
    /// Generator mode.
    Mode = 0x47, U8, OnCommand;
    /// Generator options.
    Option = 0x48, U16, OnCommand;
    /// Generator table size in samples.
    Size = 0x4a, U16, OnCommand;
    /// Generator table index.
    Index = 0x4c, U16, OnCommand;
    /// Generator table address.
    Address = 0x4e, U16, OnCommand;
    /// Generator sample period, or clock period, in 25 ns ticks.
    Clock = 0x50, U16, OnCommand;
    /// Generator table length played, in samples.
    Modulo = 0x52, U16, OnCommand;
    /// Generator amplitude, a fraction of 3.3 V.
    Level = 0x54, U0_16, OnCommand;
    /// Offset of the generator's middle from 1.65 V, a fraction of 3.3 V.
    Offset = 0x56, S0_16, OnCommand;
    /// Unused.
    Mask = 0x58, U16, OnCommand;
    /// Phase step of a translate; for a synthesize the low 16 bits are the symmetry.
    Ratio = 0x5a, U16_16, OnCommand;
    /// Generator mark.
    Mark = 0x5e, U16, OnCommand;
    /// Generator space.
    Space = 0x60, U16, OnCommand;
    /// The DAC that sets the bottom of the ADC range.
    ConverterLo = 0x64, U0_16, AtUpdate;
    /// The DAC that sets the top of the ADC range.
    ConverterHi = 0x66, U0_16, AtUpdate;
    /// Comparator level, a fraction of the whole input span.
    TriggerLevel = 0x68, U0_16, AtUpdate;
    /// Bit 7: direction of the logic buffer, 1 is outbound. No known client writes it, and outbound it may drive
    /// against what is connected: leave it alone.
    LogicControl = 0x74, U8, AtUpdate;
    /// Waveform DAC level at rest.
    Rest = 0x78, U16, AtUpdate;
    /// Bit 7 comparator A on, bit 6 comparator B on.
    KitchenSinkA = 0x7b, U8, AtUpdate;
    /// Bit 7 analog filter on, bit 6 waveform output on.
    KitchenSinkB = 0x7c, U8, AtUpdate;
    /// Clock output 1: tick of the rising edge.
    Rise = 0x82, U16, OnCommand;
    /// Clock output 1: tick of the falling edge.
    Fall = 0x84, U16, OnCommand;
    /// Clock output 1: 80 (hex) enables.
    Control = 0x86, U8, OnCommand;
    /// Clock output 2: tick of the rising edge.
    Rise2 = 0x88, U16, OnCommand;
    /// Clock output 2: tick of the falling edge.
    Fall2 = 0x8a, U16, OnCommand;
    /// Clock output 2: 80 (hex) enables.
    Control2 = 0x8c, U8, OnCommand;
    /// Clock output 3: tick of the rising edge.
    Rise3 = 0x8e, U16, OnCommand;
    /// Clock output 3: tick of the falling edge.
    Fall3 = 0x90, U16, OnCommand;
    /// Clock output 3: 80 (hex) enables.
    Control3 = 0x92, U8, OnCommand;
    /// What drives logic line 0.
    Map0 = 0x94, U8, AtUpdate;
    /// What drives logic line 1.
    Map1 = 0x95, U8, AtUpdate;
    /// What drives logic line 2.
    Map2 = 0x96, U8, AtUpdate;
    /// What drives logic line 3.
    Map3 = 0x97, U8, AtUpdate;
    /// What drives logic line 4.
    Map4 = 0x98, U8, AtUpdate;
    /// What drives logic line 5.
    Map5 = 0x99, U8, AtUpdate;
    /// What drives logic line 6.
    Map6 = 0x9a, U8, AtUpdate;
    /// What drives logic line 7.
    Map7 = 0x9b, U8, AtUpdate;
    /// PLL divider N.
    PrimaryClockN = 0xf7, U8, OnCommand;
    /// PLL multiplier M.
    PrimaryClockM = 0xf8, U16, OnCommand;
    /// First LED level (BS10 only).
    LedLevel0 = 0xfa, U8, OnCommand;
    /// Second LED level (BS10 only).
    LedLevel1 = 0xfb, U8, OnCommand;
    /// Third LED level (BS10 only).
    LedLevel2 = 0xfc, U8, OnCommand;
}

/// A byte of the register space: part of a named register, or an address without a known meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum RegisterByte {
    /// Byte `index` (0 is the lowest) of a named register.
    Known {
        /// The register the byte belongs to.
        register: Register,
        /// Which of its bytes, 0 for the lowest.
        index: u8,
    },
    /// No named register lies at this address.
    Unknown(u8),
}

impl RegisterByte {
    /// What lies at a byte address.
    #[must_use]
    pub fn at(address: u8) -> Self {
        for &register in Register::ALL {
            let index = address.wrapping_sub(register.address());
            if index < register.width() {
                return Self::Known { register, index };
            }
        }
        Self::Unknown(address)
    }
}

impl Register {
    /// How many byte addresses the register takes, 1 to 4.
    #[must_use]
    pub const fn width(self) -> u8 {
        self.kind().width()
    }

    /// The register of this name in the VM reference.
    #[must_use]
    pub fn from_name(name: &str) -> core::option::Option<Self> {
        Self::ALL.iter().copied().find(|register| register.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_registers_share_an_address() {
        let mut register_at = [None; 256];
        for &register in Register::ALL {
            for index in 0..register.width() {
                let address = usize::from(register.address() + index);
                assert_eq!(register_at[address], None, "{register:?} overlaps");
                register_at[address] = Some(register);
            }
        }
    }

    #[test]
    fn address_finds_its_register_byte() {
        assert_eq!(RegisterByte::at(0x2f), RegisterByte::Known { register: Register::ClockTicks, index: 1 });
        assert_eq!(RegisterByte::at(0x00), RegisterByte::Unknown(0x00));
        assert_eq!(RegisterByte::at(0x29), RegisterByte::Unknown(0x29));
    }

    #[test]
    fn names_are_found_again() {
        for &register in Register::ALL {
            assert_eq!(Register::from_name(register.name()), Some(register));
        }
    }

    #[test]
    fn largest_values_follow_the_width() {
        assert_eq!(RegisterKind::U8.max(), 0xff);
        assert_eq!(RegisterKind::S0_16.max(), 0xffff);
        assert_eq!(RegisterKind::U24.max(), 0xff_ffff);
        assert_eq!(RegisterKind::U16_16.max(), u32::MAX);
    }
}
