//! Which flash chip there is, and how large it is: by what it reports, as far as that holds.
//!
//! A chip has its size in a table of parameters (JEDEC JESD216, "SFDP"), and most makers give it once more in the third byte of
//! the identification, as a power of two. Relabelled chips report more than they have: what lies beyond is the
//! beginning again.

use scopething_core::link::bridge::{FlashChip, FlashSize};

/// Reads the identification: three bytes.
const READ_ID: u8 = 0x9f;
/// Reads the table of parameters: an address of three bytes and a byte of pause, then the data.
const READ_PARAMETERS: u8 = 0x5a;
const READ_HEAD_BYTES: usize = 5;
/// The header of the table, and the header of its first part behind it.
const HEADER_BYTES: usize = 16;
const SIGNATURE: [u8; 4] = *b"SFDP";
/// Where in the headers the address of the first part stands.
const POINTER_AT: usize = 12;
/// Of the first part, the first word is about erasing, and the second about the size.
const PART_BYTES: usize = 8;

/// The most that can be used: addresses have three bytes, and so much is mapped (RP2040 data sheet, section 2.6.3).
pub const MAX_BYTES: u32 = 16 << 20;
/// The least that a chip is taken for: room for the program and the smallest store.
pub const MIN_BYTES: u32 = 512 << 10;

/// What a chip reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reported {
    /// The manufacturer, then the type in two bytes.
    pub id: [u8; 3],
    /// The size in bytes by the table of parameters, if there is one.
    by_table: Option<u64>,
}

impl Reported {
    /// Asks the chip. `exchange` sends the bytes of a command, and puts what comes back meanwhile in their place.
    pub fn ask(mut exchange: impl FnMut(&mut [u8])) -> Self {
        let mut identification = [READ_ID, 0, 0, 0];
        exchange(&mut identification);
        let [_, id @ ..] = identification;
        let mut read = |address: [u8; 3], bytes: &mut [u8]| {
            let mut command = [0; READ_HEAD_BYTES + HEADER_BYTES];
            let length = READ_HEAD_BYTES + bytes.len();
            let [instruction, high, middle, low, ..] = &mut command;
            (*instruction, *low, *middle, *high) = (READ_PARAMETERS, address[0], address[1], address[2]);
            exchange(command.get_mut(..length).unwrap_or_default());
            bytes.copy_from_slice(command.get(READ_HEAD_BYTES..length).unwrap_or_default());
        };
        let mut headers = [0; HEADER_BYTES];
        read([0; 3], &mut headers);
        let pointer = headers.get(POINTER_AT..).and_then(|rest| rest.first_chunk());
        let by_table = match pointer {
            Some(&pointer) if headers.starts_with(&SIGNATURE) => {
                let mut part = [0; PART_BYTES];
                read(pointer, &mut part);
                part.last_chunk().and_then(|&density| bytes_of_density(u32::from_le_bytes(density)))
            }
            _ => None,
        };
        Self { id, by_table }
    }

    /// The size in bytes that the chip reports, if it does.
    fn bytes(&self) -> Option<u64> {
        // Makers that give something else in that byte give no such number.
        let by_id = |&exponent: &u8| (0x10..=0x1c).contains(&exponent).then(|| 1 << exponent);
        let is_there = self.id != [0; 3] && self.id != [0xff; 3];
        self.by_table.or_else(|| self.id.last().filter(|_| is_there).and_then(by_id))
    }

    /// How large the chip is: `assumed`, in bytes, if it does not report that. `repeats` returns whether what lies at an offset, in bytes, is the beginning of the
    /// flash again, which holds the program and is nowhere else.
    pub fn chip(&self, assumed: u32, repeats: impl Fn(u32) -> bool) -> FlashChip {
        let reported = self.bytes().filter(|&bytes| bytes >= u64::from(MIN_BYTES));
        let (bytes, size) = match reported {
            // What is used is a power of two, as what is mapped.
            Some(bytes) => (1 << bytes.min(u64::from(MAX_BYTES)).ilog2(), FlashSize::Reported),
            None => (assumed, FlashSize::Assumed),
        };
        let sizes = (MIN_BYTES.ilog2()..bytes.ilog2()).map(|exponent| 1 << exponent);
        let end = sizes.into_iter().find(|&end| repeats(end));
        let (bytes, size) = end.map_or((bytes, size), |end| (end, FlashSize::Repeats));
        FlashChip { bytes, size, used_bytes: bytes, id: self.id }
    }
}

/// The bytes of the second word of the first part: the number of the last bit, or with the highest bit the exponent of
/// the number of bits.
fn bytes_of_density(density: u32) -> Option<u64> {
    let exponent = density & !(1 << 31);
    let bits = if exponent == density { u64::from(density) + 1 } else { 1_u64.checked_shl(exponent)? };
    Some(bits / 8).filter(|&bytes| bytes > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chip with this identification, and this table of parameters from address 0 on.
    fn ask(id: [u8; 3], table: &[u8]) -> Reported {
        Reported::ask(|bytes| match bytes {
            [READ_ID, rest @ ..] => rest.copy_from_slice(&id),
            [READ_PARAMETERS, high, middle, low, _pause, rest @ ..] => {
                let at = u32::from_be_bytes([0, *high, *middle, *low]) as usize;
                for (place, byte) in rest.iter_mut().enumerate() {
                    *byte = table.get(at + place).copied().unwrap_or(0xff);
                }
            }
            other => panic!("unknown command {other:?}"),
        })
    }

    /// Headers as JESD216 has them, revision 1.5, with the first part of nine words at 0x80, and in that the density.
    fn table(density: u32) -> Vec<u8> {
        let mut table = b"SFDP\x05\x01\x00\xff\x00\x05\x01\x09\x80\x00\x00\xff".to_vec();
        table.resize(0x80, 0xff);
        table.extend([0xe5, 0x20, 0xf9, 0xff]);
        table.extend(density.to_le_bytes());
        table
    }

    const MIB: u32 = 1 << 20;

    #[test]
    fn size_is_what_the_table_reports_else_the_identification() {
        // Identifications from data sheets: W25Q16JV, W25Q32JV, W25Q128JV; AT25SF161B, whose third byte is no size.
        for (id, table, bytes, size) in [
            ([0xef, 0x40, 0x15], table(0x00ff_ffff), 2 * MIB, FlashSize::Reported),
            ([0xef, 0x40, 0x16], table(0x01ff_ffff), 4 * MIB, FlashSize::Reported),
            ([0xef, 0x40, 0x18], table(0x07ff_ffff), 16 * MIB, FlashSize::Reported),
            ([0xef, 0x40, 0x18], vec![], 16 * MIB, FlashSize::Reported),
            ([0x1f, 0x86, 0x01], table(0x00ff_ffff), 2 * MIB, FlashSize::Reported),
            ([0x1f, 0x86, 0x01], vec![], 2 * MIB, FlashSize::Assumed),
            // 32 MiB by the number of bits, 1 GiB by their exponent: of both 16 can be used.
            ([0xef, 0x40, 0x19], table(0x0fff_ffff), 16 * MIB, FlashSize::Reported),
            ([0xef, 0x40, 0x20], table(0x8000_0021), 16 * MIB, FlashSize::Reported),
            // 3 MiB, of which no power of two is more than 2.
            ([0xef, 0x40, 0x00], table(0x017f_ffff), 2 * MIB, FlashSize::Reported),
            // No chip answers, or one with nonsense.
            ([0xff; 3], vec![], 2 * MIB, FlashSize::Assumed),
            ([0; 3], vec![0; 256], 2 * MIB, FlashSize::Assumed),
            ([0xef, 0x40, 0xff], table(0xffff_ffff), 2 * MIB, FlashSize::Assumed),
            ([0xef, 0x40, 0x10], table(7), 2 * MIB, FlashSize::Assumed),
        ] {
            let chip = ask(id, &table).chip(2 * MIB, |_| false);
            assert_eq!((chip.id, chip.bytes, chip.size), (id, bytes, size), "{id:x?}");
        }
    }

    #[test]
    fn what_repeats_ends_the_flash() {
        // 2 MiB that are sold as 16, and 1 MiB that reports nothing.
        let repeats = |true_bytes: u32| move |offset: u32| offset.is_multiple_of(true_bytes);
        let sold = ask([0xef, 0x40, 0x18], &table(0x07ff_ffff)).chip(2 * MIB, repeats(2 * MIB));
        assert_eq!((sold.bytes, sold.size), (2 * MIB, FlashSize::Repeats));
        let silent = ask([0xff; 3], &[]).chip(2 * MIB, repeats(MIB));
        assert_eq!((silent.bytes, silent.size), (MIB, FlashSize::Repeats));
        let honest = ask([0xef, 0x40, 0x16], &table(0x01ff_ffff)).chip(2 * MIB, repeats(4 * MIB));
        assert_eq!((honest.bytes, honest.size), (4 * MIB, FlashSize::Reported));
    }
}
