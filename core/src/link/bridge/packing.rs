//! Packs raw samples without loss: differences of neighbouring samples in half bytes.
//!
//! Each channel is packed by itself, from a sample of 0 on. A half byte of 0 to 10 is a small difference,
//! folded so that 0, -1, 1, -2, .. count up (5 and -5 are 10 and 9). 11, 12 and 13 are followed by a folded
//! difference of two, three and four half bytes, the highest first; 14 by two half bytes that give how often
//! the sample repeats, less 4. A channel that ends within a byte is filled up with 15. In each byte the high
//! half comes first.
//!
//! Quiet analog signals take half a byte a sample, logic lines that seldom change next to nothing. Where it
//! does not pay, a trace is kept as it is.
//!
//! ```
//! use scopething_core::link::bridge::packing::{pack, unpack};
//!
//! let raw = [100, 101, 101, 99, 99, 99, 99, 99, 99, 99];
//! let packed: Vec<u8> = pack(&raw, 1).collect();
//! assert!(packed.len() < raw.len());
//! let mut samples = [0; 10];
//! assert_eq!(unpack(&packed, 1, &mut samples)?, packed.len());
//! assert_eq!(samples, raw);
//! # Ok::<(), scopething_core::link::bridge::packing::UnpackError>(())
//! ```

use core::fmt;

/// The folded differences that fit a half byte.
const SMALL: u16 = 10;
/// The half byte ahead of a folded difference of two half bytes; the next two stand for one and two more.
const WIDE: u8 = 11;
/// The half byte ahead of a number of repetitions.
const REPEATED: u8 = 14;
/// The half byte that fills up the last byte.
const FILLER: u8 = 15;
/// The fewest repetitions that are worth counting, and the most that are counted at once.
const REPETITIONS: (u16, u16) = (4, 4 + 0xff);

/// Turns a difference so that small ones of either sign are small numbers.
const fn fold(difference: u16) -> u16 {
    (difference << 1) ^ if difference & 0x8000 == 0 { 0 } else { 0xffff }
}

const fn unfold(folded: u16) -> u16 {
    (folded >> 1) ^ if folded & 1 == 0 { 0 } else { 0xffff }
}

/// The difference of two samples as 16 bits: of bytes the shorter way round.
const fn difference(sample: u16, before: u16, sample_bytes: u8) -> u16 {
    let difference = sample.wrapping_sub(before);
    if sample_bytes == 1 { ((difference as u8).cast_signed() as i16).cast_unsigned() } else { difference }
}

/// The packed form of a channel's raw samples, of 1 or 2 bytes each (high byte first), a byte at a time. A
/// byte that is left over at the end of an odd number is dropped.
#[must_use]
pub fn pack(raw: &[u8], sample_bytes: u8) -> Pack<'_> {
    Pack { raw, sample_bytes, before: 0, halves: 0, count: 0 }
}

/// The packed form of a channel as it comes: see [`pack`].
#[derive(Debug, Clone)]
pub struct Pack<'a> {
    raw: &'a [u8],
    sample_bytes: u8,
    before: u16,
    /// Half bytes that wait, the first one highest.
    halves: u32,
    count: u32,
}

fn first_sample(raw: &[u8], sample_bytes: u8) -> Option<u16> {
    match (sample_bytes, raw) {
        (1, [sample, ..]) => Some(u16::from(*sample)),
        (2, [high, low, ..]) => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

impl Pack<'_> {
    fn put(&mut self, half: u8) {
        self.halves = self.halves << 4 | u32::from(half & 0x0f);
        self.count += 1;
    }

    fn put_number(&mut self, number: u16, halves: u8) {
        for place in (0..halves).rev() {
            self.put((number >> (4 * place)) as u8);
        }
    }

    /// How often the last sample repeats from here on, as far as it can be counted at once.
    fn repetitions(&self) -> u16 {
        let mut rest = self.raw;
        let mut count = 0;
        while count < REPETITIONS.1 && first_sample(rest, self.sample_bytes) == Some(self.before) {
            rest = rest.get(usize::from(self.sample_bytes)..).unwrap_or_default();
            count += 1;
        }
        count
    }

    fn skip(&mut self, samples: u16) {
        let bytes = usize::from(samples) * usize::from(self.sample_bytes);
        self.raw = self.raw.get(bytes..).unwrap_or_default();
    }

    /// Puts what stands for the next samples; false at the end.
    fn advance(&mut self) -> bool {
        let Some(sample) = first_sample(self.raw, self.sample_bytes) else { return false };
        let repetitions = self.repetitions();
        if repetitions >= REPETITIONS.0 {
            self.put(REPEATED);
            self.put_number(repetitions - REPETITIONS.0, 2);
            self.skip(repetitions);
            return true;
        }
        let folded = fold(difference(sample, self.before, self.sample_bytes));
        if folded <= SMALL {
            self.put(folded as u8);
        } else {
            let halves = match folded {
                ..=0xff => 2,
                0x100..=0xfff => 3,
                _ => 4,
            };
            self.put(WIDE + halves - 2);
            self.put_number(folded, halves);
        }
        self.before = sample;
        self.skip(1);
        true
    }
}

impl Iterator for Pack<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        while self.count < 2 {
            if !self.advance() {
                if self.count == 0 {
                    return None;
                }
                self.put(FILLER);
            }
        }
        self.count -= 2;
        Some((self.halves >> (4 * self.count)) as u8)
    }
}

/// Why bytes are not the packed form of so many samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum UnpackError {
    /// They end before the samples do.
    Short,
    /// A repetition goes beyond the last sample, or a half byte stands where none can.
    Form,
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "the stored samples end early",
            Self::Form => "the stored samples are not packed as this program packs them",
        })
    }
}

impl core::error::Error for UnpackError {}

/// The half bytes of a slice, the high one first.
struct Halves<'a> {
    bytes: &'a [u8],
    taken: usize,
}

impl Halves<'_> {
    fn next(&mut self) -> Result<u8, UnpackError> {
        let byte = self.bytes.get(self.taken / 2).ok_or(UnpackError::Short)?;
        let half = if self.taken.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f };
        self.taken += 1;
        Ok(half)
    }

    fn number(&mut self, halves: u8) -> Result<u16, UnpackError> {
        let mut number = 0;
        for _ in 0..halves {
            number = number << 4 | u16::from(self.next()?);
        }
        Ok(number)
    }

    /// How many bytes were read, once the filler is.
    fn finish(mut self) -> Result<usize, UnpackError> {
        if !self.taken.is_multiple_of(2) && self.next()? != FILLER {
            return Err(UnpackError::Form);
        }
        Ok(self.taken / 2)
    }
}

/// Fills `samples`, of 1 or 2 bytes each, from the packed form of a channel at the beginning of `packed`.
/// Gives how many bytes that took.
///
/// # Errors
/// [`UnpackError`]; `samples` is filled in part then.
pub fn unpack(packed: &[u8], sample_bytes: u8, samples: &mut [u8]) -> Result<usize, UnpackError> {
    let mut halves = Halves { bytes: packed, taken: 0 };
    let width = usize::from(sample_bytes.clamp(1, 2));
    let mut before = 0_u16;
    let mut repetitions = 0;
    for place in samples.chunks_exact_mut(width) {
        if repetitions > 0 {
            repetitions -= 1;
        } else {
            let folded = match halves.next()? {
                small @ 0..WIDE => u16::from(small),
                wide @ WIDE..REPEATED => halves.number(wide - WIDE + 2)?,
                REPEATED => {
                    // This sample is the first of them.
                    repetitions = halves.number(2)? + REPETITIONS.0 - 1;
                    0
                }
                _ => return Err(UnpackError::Form),
            };
            before = before.wrapping_add(unfold(folded));
        }
        match place {
            [sample] => *sample = before as u8,
            wide => wide.copy_from_slice(&before.to_be_bytes()),
        }
    }
    if repetitions > 0 {
        return Err(UnpackError::Form);
    }
    halves.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    fn packed(raw: &[u8], sample_bytes: u8) -> Vec<u8> {
        pack(raw, sample_bytes).collect()
    }

    #[test]
    fn form_is_as_described() {
        // 0 -> 1 is 2, 1 -> 0 is 1, 0 -> -6 (250) is 11: a wide one of two half bytes.
        assert_eq!(packed(&[1, 0, 250], 1), [0x21, 0xb0, 0xbf]);
        // Four repetitions of the 0 that a channel starts from, then five times 2.
        assert_eq!(packed(&[0, 0, 0, 0, 2, 2, 2, 2, 2], 1), [0xe0, 0x04, 0xe0, 0x0f]);
        // 0x0100 - 0 folds to 0x0200: three half bytes; 0x8000 to 0x0100 is -0x7f00, which folds to 0xfdff.
        assert_eq!(packed(&[0x01, 0x00, 0x80, 0x00, 0x01, 0x00], 2)[..2], [0xc2, 0x00]);
        assert!(packed(&[], 1).is_empty());
    }

    #[test]
    fn quiet_signal_takes_half_the_room() {
        let raw: Vec<u8> = (0..1000_u32).map(|n| 128 + (n * 7 % 5) as u8).collect();
        assert!(packed(&raw, 1).len() <= 502);
        assert!(packed(&[0x55; 12_288], 1).len() < 12_288 / 100);
    }

    #[test]
    fn what_is_cut_or_foreign_is_refused() {
        let mut samples = [0; 6];
        let whole = packed(&[9, 50, 90, 130, 7, 1], 1);
        for length in 0..whole.len() {
            assert_eq!(unpack(&whole[..length], 1, &mut samples), Err(UnpackError::Short), "{length}");
        }
        assert_eq!(unpack(&[0xff; 6], 1, &mut samples), Err(UnpackError::Form));
        // 259 repetitions of six samples.
        assert_eq!(unpack(&[0xef, 0xff], 1, &mut samples), Err(UnpackError::Form));
        // A sample where the filler must be.
        assert_eq!(unpack(&[0x00, 0x00, 0x0f], 1, &mut samples[..5]), Ok(3));
        assert_eq!(unpack(&[0x00, 0x00, 0x01], 1, &mut samples[..5]), Err(UnpackError::Form));
    }

    fn walk() -> impl Strategy<Value = Vec<u8>> {
        let steps = prop::collection::vec(prop_oneof![Just(0i8), -3i8..3, any::<i8>()], 0..2000);
        steps.prop_map(|steps| {
            let mut level = 0u8;
            steps
                .into_iter()
                .map(|step| {
                    level = level.wrapping_add_signed(step);
                    level
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn samples_come_back(
            raw in prop_oneof![walk(), prop::collection::vec(any::<u8>(), 0..2000)], wide in any::<bool>(),
            behind in prop::collection::vec(any::<u8>(), 0..4),
        ) {
            let sample_bytes = if wide { 2 } else { 1 };
            let raw = &raw[..raw.len() / usize::from(sample_bytes) * usize::from(sample_bytes)];
            let mut form = packed(raw, sample_bytes);
            let length = form.len();
            form.extend(behind);
            let mut samples = vec![0xaa; raw.len()];
            prop_assert_eq!(unpack(&form, sample_bytes, &mut samples), Ok(length));
            prop_assert_eq!(samples, raw);
        }

        #[test]
        fn any_bytes_are_samples_or_refused(
            form in prop::collection::vec(any::<u8>(), 0..300), mut samples in prop::collection::vec(any::<u8>(), 0..600),
            sample_bytes in 0u8..4,
        ) {
            if let Ok(length) = unpack(&form, sample_bytes, &mut samples) {
                prop_assert!(length <= form.len());
            }
        }
    }
}
