//! The start of a frame as the send program of `rp-pio-usb-host` plays it: one symbol of two bits for each bit of the wire, the first
//! in the highest bits.
//!
//! The driver's own is code in flash, which does not run while that is written. USB 2.0 is the specification meant by section
//! numbers.

/// The symbols: both lines low for two bits, idle, release of the bus, not idle.
const SE0: u32 = 0;
const J: u32 = 1;
const RELEASE: u32 = 2;
const K: u32 = 3;
/// The synchronisation pattern and the packet's identifier (8.3.1), lowest bit first on the wire.
const SYNC: u32 = 0x80;
const PID: u32 = 0xa5;
const FRAME_BITS: u32 = 11;
/// The polynomial of tokens, x^5 + x^2 + 1 (8.3.5.1).
const POLYNOMIAL: u32 = 0b0_0101;
/// A bit is stuffed after so many ones (7.1.9).
const MAX_ONES: u32 = 6;
/// Symbols of a packet with its end: 32 bits, at the most three of them stuffed, and two symbols; 48 fit.
const SYMBOLS: u32 = 48;

/// The symbols of the packet that starts a frame, of whose number the lowest 11 bits count. Nothing that it calls or reads is in
/// flash if its caller is not.
#[expect(clippy::inline_always, reason = "a function of its own would be in flash")]
#[inline(always)]
#[must_use]
pub const fn start_of_frame(frame: u32) -> [u32; 3] {
    let mut bits = SYNC | PID << 8 | (frame & 0x7ff) << 16;
    let mut remainder = 0b1_1111;
    let mut place = 0;
    while place < FRAME_BITS {
        let differs = (remainder >> 4 ^ frame >> place) & 1;
        remainder = (remainder << 1 & 0b1_1111) ^ if differs == 1 { POLYNOMIAL } else { 0 };
        place += 1;
    }
    // Inverted, its highest bit first.
    bits |= (!remainder << 27).reverse_bits() << 27;
    let (mut first, mut second, mut third) = (0, 0, 0);
    let mut line = J;
    let mut ones = 0;
    let mut count = 0;
    let mut place = 0;
    while count < SYMBOLS {
        let symbol = if place > 33 {
            J
        } else if place == 33 {
            place += 1;
            RELEASE
        } else if place == 32 && ones < MAX_ONES {
            place += 1;
            SE0
        } else if ones < MAX_ONES && bits >> place & 1 == 1 {
            ones += 1;
            place += 1;
            line
        } else {
            // A zero, or one that is stuffed: the line changes.
            if ones < MAX_ONES {
                place += 1;
            }
            ones = 0;
            line ^= J ^ K;
            line
        };
        first = first << 2 | second >> 30;
        second = second << 2 | third >> 30;
        third = third << 2 | symbol;
        count += 1;
    }
    [first, second, third]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits behind the symbols, read as a device does: a change of the line is a zero, a bit after six ones is dropped.
    fn bits(words: [u32; 3]) -> Vec<u32> {
        let symbols = words.iter().flat_map(|word| (0..16).map(move |at| word >> (30 - 2 * at) & 3));
        let symbols: Vec<u32> = symbols.collect();
        let end = symbols.iter().position(|&symbol| symbol == SE0).expect("it ends");
        assert_eq!(symbols[end + 1], RELEASE);
        assert!(symbols[end + 2..].iter().all(|&symbol| symbol == J), "nothing follows");
        let (mut before, mut ones) = (J, 0);
        let mut bits = Vec::new();
        for &symbol in &symbols[..end] {
            let bit = u32::from(symbol == before);
            before = symbol;
            if ones == 6 {
                assert_eq!(bit, 0, "a bit is stuffed");
                ones = 0;
                continue;
            }
            ones = if bit == 1 { ones + 1 } else { 0 };
            bits.push(bit);
        }
        bits
    }

    #[test]
    fn every_frame_is_a_packet_that_a_device_takes() {
        for frame in 0..2048 {
            let bits = bits(start_of_frame(frame));
            assert_eq!(bits.len(), 32);
            assert_eq!(bits[..16], [0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1]);
            let number = bits[16..27].iter().rev().fold(0, |number, bit| number << 1 | bit);
            assert_eq!(number, frame);
            // What a receiver's register holds after the whole token (8.3.5.1).
            let residual = bits[16..].iter().fold(0b1_1111_u32, |register, bit| {
                let shifted = register << 1 & 0b1_1111;
                if register >> 4 == *bit { shifted } else { shifted ^ 0b0_0101 }
            });
            assert_eq!(residual, 0b0_1100, "frame {frame}");
        }
    }
}
