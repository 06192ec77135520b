//! What the device is known to hold, and what it is still to be sent.

use super::{Register, Takes};

/// A set of byte addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct AddressSet([u32; 8]);

impl AddressSet {
    const EMPTY: Self = Self([0; 8]);

    fn word(&mut self, address: u8) -> Option<&mut u32> {
        self.0.get_mut(usize::from(address >> 5))
    }

    fn insert(&mut self, address: u8) {
        if let Some(word) = self.word(address) {
            *word |= 1 << (address & 31);
        }
    }

    fn remove(&mut self, address: u8) {
        if let Some(word) = self.word(address) {
            *word &= !(1 << (address & 31));
        }
    }

    fn contains(&self, address: u8) -> bool {
        self.0.get(usize::from(address >> 5)).is_some_and(|word| word & 1 << (address & 31) != 0)
    }

    /// Removes and returns the lowest address.
    fn take_lowest(&mut self) -> Option<u8> {
        for (index, word) in self.0.iter_mut().enumerate() {
            if *word != 0 {
                let bit = word.trailing_zeros();
                *word &= *word - 1;
                return Some((index as u8) << 5 | bit as u8);
            }
        }
        None
    }
}

/// An image of the device's registers: what it is known to hold, and what has been staged but not yet been sent.
///
/// Values are staged with [`Shadow::stage`]; [`Script::stores`](super::Script::stores) then writes only the bytes
/// that the device does not hold already. After a reset, or when anything went wrong on the way, call
/// [`Shadow::forget`]: from then on everything is sent again.
///
/// ```
/// use scopething_core::vm::{Register, Script, Shadow};
///
/// let mut shadow = Shadow::new();
/// let mut buffer = [0; 64];
/// shadow.stage(Register::ClockTicks, 40);
/// let mut script = Script::new(&mut buffer);
/// script.stores(&mut shadow)?;
/// assert_eq!(script.bytes(), b"2e@28z[z");
///
/// shadow.stage(Register::ClockTicks, 41);
/// let mut script = Script::new(&mut buffer);
/// script.stores(&mut shadow)?;
/// assert_eq!(script.bytes(), b"2e@29z");
/// # Ok::<(), scopething_core::vm::ScriptTooLong>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Shadow {
    values: [u8; 256],
    known: AddressSet,
    staged: AddressSet,
    update_due: bool,
}

impl Shadow {
    /// A shadow that knows nothing of the device.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: [0; 256], known: AddressSet::EMPTY, staged: AddressSet::EMPTY, update_due: true }
    }

    /// Drops all knowledge of the device, and what is staged.
    pub fn forget(&mut self) {
        self.known = AddressSet::EMPTY;
        self.staged = AddressSet::EMPTY;
        self.update_due = true;
    }

    /// Stages a register value: the bytes that the device does not hold are sent with the next script. Bits above
    /// the register's width are left out.
    pub fn stage(&mut self, register: Register, value: u32) {
        for (address, byte) in register_bytes(register, value) {
            let Some(held) = self.values.get_mut(usize::from(address)) else { continue };
            if self.known.contains(address) && *held == byte {
                continue;
            }
            *held = byte;
            self.known.remove(address);
            self.staged.insert(address);
            self.update_due |= register.takes() == Takes::AtUpdate;
        }
    }

    /// Stages a register that the device changes by itself: all its bytes are sent with the next script.
    pub fn stage_volatile(&mut self, register: Register, value: u32) {
        for (address, _) in register_bytes(register, value) {
            self.known.remove(address);
        }
        self.stage(register, value);
    }

    /// Whether a register that takes effect at an update was sent or staged since the last update.
    #[must_use]
    pub fn update_due(&self) -> bool {
        self.update_due
    }

    /// To be called when an update has been put into a script.
    pub fn update_sent(&mut self) {
        self.update_due = false;
    }

    /// The value that the device is known to hold, all bytes of it sent.
    #[must_use]
    pub fn held(&self, register: Register) -> Option<u32> {
        let mut value = 0;
        for (address, _) in register_bytes(register, 0).rev() {
            if !self.known.contains(address) {
                return None;
            }
            value = value << 8 | u32::from(*self.values.get(usize::from(address))?);
        }
        Some(value)
    }

    /// Takes the staged byte with the lowest address; it counts as held from now on.
    pub(super) fn take_staged(&mut self) -> Option<(u8, u8)> {
        let address = self.staged.take_lowest()?;
        self.known.insert(address);
        Some((address, *self.values.get(usize::from(address))?))
    }
}

impl Default for Shadow {
    fn default() -> Self {
        Self::new()
    }
}

fn register_bytes(register: Register, value: u32) -> impl DoubleEndedIterator<Item = (u8, u8)> {
    let bytes = value.to_le_bytes();
    (0..4u8)
        .zip(bytes)
        .filter(move |(index, _)| *index < register.width())
        .map(move |(index, byte)| (register.address().wrapping_add(index), byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(shadow: &mut Shadow) -> std::vec::Vec<(u8, u8)> {
        core::iter::from_fn(|| shadow.take_staged()).collect()
    }

    #[test]
    fn only_changed_bytes_are_staged() {
        let mut shadow = Shadow::new();
        shadow.stage(Register::TraceDelay, 0x0102_0304);
        assert_eq!(drain(&mut shadow), [(0x22, 4), (0x23, 3), (0x24, 2), (0x25, 1)]);
        shadow.stage(Register::TraceDelay, 0x0102_ff04);
        assert_eq!(drain(&mut shadow), [(0x23, 0xff)]);
        shadow.stage(Register::TraceDelay, 0x0102_ff04);
        assert_eq!(drain(&mut shadow), []);
    }

    #[test]
    fn volatile_registers_are_always_staged() {
        let mut shadow = Shadow::new();
        for _ in 0..2 {
            shadow.stage_volatile(Register::SampleAddress, 0x0001_0000);
            assert_eq!(drain(&mut shadow), [(0x08, 0), (0x09, 0), (0x0a, 1)]);
        }
    }

    #[test]
    fn restaging_the_held_value_before_sending_still_sends_the_last_one() {
        let mut shadow = Shadow::new();
        shadow.stage(Register::TraceMode, 1);
        drain(&mut shadow);
        shadow.stage(Register::TraceMode, 2);
        shadow.stage(Register::TraceMode, 1);
        assert_eq!(drain(&mut shadow), [(0x21, 1)]);
    }

    #[test]
    fn an_update_is_due_after_a_reset_and_after_a_change_that_needs_it() {
        let mut shadow = Shadow::new();
        assert!(shadow.update_due());
        shadow.update_sent();
        shadow.stage(Register::ClockTicks, 40);
        assert!(!shadow.update_due());
        shadow.stage(Register::ConverterLo, 1);
        assert!(shadow.update_due());
        shadow.update_sent();
        shadow.forget();
        assert!(shadow.update_due());
    }

    #[test]
    fn a_register_counts_as_held_once_all_its_bytes_were_sent() {
        let mut shadow = Shadow::new();
        shadow.stage(Register::ClockTicks, 0x1234);
        assert_eq!(shadow.held(Register::ClockTicks), None);
        drain(&mut shadow);
        assert_eq!(shadow.held(Register::ClockTicks), Some(0x1234));
        shadow.forget();
        assert_eq!(shadow.held(Register::ClockTicks), None);
    }
}
