//! What the device is known to hold, and what it is still to be sent.

use super::Register;

/// Named registers lie below this address, and from [`HIGH_FIRST`] on; nothing lies between.
const LOW_END: u8 = 0xa0;
/// The PLL and LED registers lie from here to the last address.
const HIGH_FIRST: u8 = 0xf0;
const SLOTS: usize = LOW_END as usize + 16;

/// The place of a byte address in the image.
fn slot(address: u8) -> Option<usize> {
    match address.checked_sub(HIGH_FIRST) {
        Some(high) => Some(usize::from(LOW_END + high)),
        None if address < LOW_END => Some(usize::from(address)),
        None => None,
    }
}

fn address_of(slot: usize) -> u8 {
    let slot = slot as u8;
    if slot < LOW_END { slot } else { slot - LOW_END + HIGH_FIRST }
}

/// A set of slots.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct SlotSet([u32; SLOTS.div_ceil(32)]);

impl SlotSet {
    const EMPTY: Self = Self([0; SLOTS.div_ceil(32)]);

    fn put(&mut self, slot: usize, member: bool) {
        if let Some(word) = self.0.get_mut(slot / 32) {
            let bit = 1 << (slot % 32);
            *word = if member { *word | bit } else { *word & !bit };
        }
    }

    fn contains(&self, slot: usize) -> bool {
        self.0.get(slot / 32).is_some_and(|word| word & 1 << (slot % 32) != 0)
    }

    /// Removes and returns the lowest slot.
    fn take_lowest(&mut self) -> Option<usize> {
        for (index, word) in self.0.iter_mut().enumerate() {
            if *word != 0 {
                let bit = word.trailing_zeros() as usize;
                *word &= *word - 1;
                return Some(index * 32 + bit);
            }
        }
        None
    }
}

/// An image of the device's registers: what it is known to hold, and what has been staged but not yet been sent.
///
/// Values are staged with [`Shadow::stage`]; [`Script::stores`](super::Script::stores) then writes only the bytes
/// that the device does not hold already. When anything went wrong on the way, call
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
    values: [u8; SLOTS],
    known: SlotSet,
    staged: SlotSet,
}

impl Shadow {
    /// A shadow that knows nothing of the device.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: [0; SLOTS], known: SlotSet::EMPTY, staged: SlotSet::EMPTY }
    }

    /// Drops all knowledge of the device, and what is staged.
    pub fn forget(&mut self) {
        self.known = SlotSet::EMPTY;
        self.staged = SlotSet::EMPTY;
    }

    /// Stages a register value: the bytes that the device does not hold are sent with the next script. Bits above
    /// the register's width are left out.
    pub fn stage(&mut self, register: Register, value: u32) {
        for (slot, byte) in register_slots(register, value) {
            let Some(held) = self.values.get_mut(slot) else {
                debug_assert!(false, "slot {slot} of a register lies outside");
                continue;
            };
            if self.known.contains(slot) && *held == byte {
                continue;
            }
            *held = byte;
            self.known.put(slot, false);
            self.staged.put(slot, true);
        }
    }

    /// Stages a register that the device changes by itself: all its bytes are sent with the next script.
    pub fn stage_volatile(&mut self, register: Register, value: u32) {
        for (slot, _) in register_slots(register, value) {
            self.known.put(slot, false);
        }
        self.stage(register, value);
    }

    /// The value that the device is known to hold, all bytes of it sent.
    #[must_use]
    pub fn held(&self, register: Register) -> Option<u32> {
        let mut value = 0;
        for ((slot, _), shift) in register_slots(register, 0).zip([0, 8, 16, 24]) {
            if !self.known.contains(slot) {
                return None;
            }
            value |= u32::from(*self.values.get(slot)?) << shift;
        }
        Some(value)
    }

    /// Takes the staged byte with the lowest address; it counts as held from now on.
    pub(super) fn take_staged(&mut self) -> Option<(u8, u8)> {
        let slot = self.staged.take_lowest()?;
        self.known.put(slot, true);
        Some((address_of(slot), *self.values.get(slot)?))
    }
}

impl Default for Shadow {
    fn default() -> Self {
        Self::new()
    }
}

fn register_slots(register: Register, value: u32) -> impl Iterator<Item = (usize, u8)> {
    let bytes = (0..register.width()).zip(value.to_le_bytes());
    bytes.filter_map(move |(index, byte)| Some((slot(register.address().wrapping_add(index))?, byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(shadow: &mut Shadow) -> std::vec::Vec<(u8, u8)> {
        core::iter::from_fn(|| shadow.take_staged()).collect()
    }

    #[test]
    fn register_bytes_have_ordered_slots() {
        let mut last = None;
        for &register in Register::ALL {
            for index in 0..register.width() {
                let address = register.address() + index;
                let slot = slot(address).unwrap();
                assert!(slot < SLOTS && last < Some(slot), "{register:?}");
                assert_eq!(address_of(slot), address);
                last = Some(slot);
            }
        }
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
    fn restaged_value_is_sent() {
        let mut shadow = Shadow::new();
        shadow.stage(Register::TraceMode, 1);
        drain(&mut shadow);
        shadow.stage(Register::TraceMode, 2);
        shadow.stage(Register::TraceMode, 1);
        assert_eq!(drain(&mut shadow), [(0x21, 1)]);
    }

    #[test]
    fn register_is_held_once_sent_whole() {
        let mut shadow = Shadow::new();
        shadow.stage(Register::ClockTicks, 0x1234);
        assert_eq!(shadow.held(Register::ClockTicks), None);
        drain(&mut shadow);
        assert_eq!(shadow.held(Register::ClockTicks), Some(0x1234));
        shadow.forget();
        assert_eq!(shadow.held(Register::ClockTicks), None);
    }
}
