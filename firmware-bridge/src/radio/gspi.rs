//! gSPI bit by bit: the serial interface of a CYW43439, with one data line for both directions. Commands and edges are those of
//! the data sheet of the CYW43362, 4.2.1; the registers, and the order of words, those of published drivers.

/// How long a read of the backplane is to be prepared: bytes of no meaning that come before the value.
pub(super) const BACKPLANE_DELAY_BYTES: u32 = 4;

const WORD_BITS: u32 = 32;
/// Of a command: it writes; the address goes up; where function and address are, above the length in bytes.
const WRITE: u32 = 1 << 31;
const UPWARDS: u32 = 1 << 30;
const FUNCTION_BIT: u32 = 28;
const ADDRESS_BIT: u32 = 11;
/// Of an address within the window: all 32 bits at once.
const WHOLE: u32 = 0x8000;

/// The four wires between the processor and the radio.
pub trait Wires {
    /// Switches the radio on, or off: `WL_REG_ON`.
    fn set_power(&mut self, on: bool);

    /// Selects it: its chip select is low.
    fn set_selected(&mut self, selected: bool);

    /// Sets the level of the clock, which stays for at least 10 ns.
    fn set_clock(&mut self, high: bool);

    /// Drives the data line to a level, or lets go of it (none).
    fn set_data(&mut self, level: Option<bool>);

    /// Whether the data line is high, looked at no sooner than 40 ns after the clock has changed.
    fn is_data_high(&mut self) -> bool;

    /// Drives none of them any more, so that the radio is off and others may have them.
    fn release(&mut self);
}

/// A register of the radio, by its address.
#[derive(Debug, Clone, Copy)]
pub(super) enum Register {
    /// 4 bytes of the bus itself.
    Bus(u32),
    /// A byte of the bus itself.
    BusByte(u32),
    /// A byte of the bridge to the backplane.
    Bridge(u32),
    /// 4 bytes on the backplane, within the window that the bridge has been given.
    Backplane(u32),
}

impl Register {
    /// Its function, its address and its length in bytes, where a command has them.
    fn command(self) -> u32 {
        let (function, address, bytes) = match self {
            Self::Bus(address) => (0, address, 4),
            Self::BusByte(address) => (0, address, 1),
            Self::Bridge(address) => (1, address, 1),
            Self::Backplane(address) => (1, address | WHOLE, 4),
        };
        function << FUNCTION_BIT | address << ADDRESS_BIT | bytes
    }

    /// Bits that come before its value when it is read.
    fn delay_bits(self) -> u32 {
        match self {
            Self::Bus(_) | Self::BusByte(_) => 0,
            Self::Bridge(_) | Self::Backplane(_) => 8 * BACKPLANE_DELAY_BYTES,
        }
    }
}

/// The bus to a radio.
#[derive(Debug)]
pub(super) struct Gspi<'w, W> {
    wires: &'w mut W,
    /// Words are of 16 bits, the low half of 32 first.
    has_half_words: bool,
}

impl<'w, W: Wires> Gspi<'w, W> {
    pub(super) fn new(wires: &'w mut W) -> Self {
        Self { wires, has_half_words: true }
    }

    /// Switches the radio off. The data line is low from now on, by which it selects gSPI when it is switched on.
    pub(super) fn power_off(&mut self) {
        self.wires.set_power(false);
        self.wires.set_selected(false);
        self.wires.set_clock(false);
        self.wires.set_data(Some(false));
        self.has_half_words = true;
    }

    /// Switches it on.
    pub(super) fn power_on(&mut self) {
        self.wires.set_power(true);
    }

    /// The radio was set to words of 32 bits.
    pub(super) fn use_whole_words(&mut self) {
        self.has_half_words = false;
    }

    /// Lets go of all wires.
    pub(super) fn release(&mut self) {
        self.wires.release();
    }

    /// Writes a register.
    pub(super) fn write(&mut self, register: Register, value: u32) {
        self.wires.set_selected(true);
        self.send(WRITE | UPWARDS | register.command());
        self.send(value);
        self.close();
    }

    /// Reads a register. One byte has those above it of no meaning.
    pub(super) fn read(&mut self, register: Register) -> u32 {
        self.wires.set_selected(true);
        self.send(UPWARDS | register.command());
        self.wires.set_data(None);
        for _ in 0..register.delay_bits() {
            self.receive();
        }
        let mut word = 0;
        for _ in 0..WORD_BITS {
            word = word << 1 | u32::from(self.receive());
        }
        self.close();
        self.in_order(word)
    }

    fn close(&mut self) {
        self.wires.set_selected(false);
        self.wires.set_data(None);
    }

    /// A word as it is on the wire, and the other way round.
    fn in_order(&self, word: u32) -> u32 {
        if self.has_half_words { word.rotate_left(WORD_BITS / 2) } else { word }
    }

    /// The radio takes each bit as the clock rises.
    fn send(&mut self, word: u32) {
        let word = self.in_order(word);
        for bit in (0..WORD_BITS).rev() {
            self.wires.set_data(Some(word >> bit & 1 != 0));
            self.wires.set_clock(true);
            self.wires.set_clock(false);
        }
    }

    /// The next bit: it is there before the clock rises, and goes when that rises or when it falls, as the mode is.
    fn receive(&mut self) -> bool {
        let level = self.wires.is_data_high();
        self.wires.set_clock(true);
        self.wires.set_clock(false);
        level
    }
}
