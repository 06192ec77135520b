//! A flash for tests: strict about what flash cannot do, and losing power at any operation.
//!
//! Not a model of time: see the emulator for that.

use std::vec;
use std::vec::Vec;

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

use crate::store::SECTOR_BYTES;

/// NOR flash in memory: writing clears bits, erasing sets those of whole sectors.
///
/// ```
/// use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
/// use scopething_bridge::fake::{FakeFlash, FlashFault};
///
/// # embassy_futures::block_on(async {
/// let mut flash = FakeFlash::new(1);
/// flash.write(8, &[0x0f]).await?;
/// assert_eq!(flash.write(8, &[0xf0]).await, Err(FlashFault::BitSet { at: 8 }));
/// flash.erase(0, 4096).await?;
/// let mut byte = [0];
/// flash.read(8, &mut byte).await?;
/// assert_eq!(byte, [0xff]);
/// # Ok::<(), FlashFault>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct FakeFlash {
    bytes: Vec<u8>,
    /// Erasures of each sector.
    erasures: Vec<u32>,
    operations: u32,
    /// The operation in the middle of which power fails, and the seed of what is left of it.
    cut: Option<(u32, u64)>,
    powered: bool,
}

/// What flash cannot do, or not without power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlashFault {
    /// There is no power.
    PowerFailed,
    /// A write would set a bit, which only erasing does.
    BitSet {
        /// Where.
        at: u32,
    },
    /// It lies outside.
    OutOfBounds,
    /// An erasure does not begin and end with a sector.
    NotAligned,
}

impl NorFlashError for FlashFault {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::PowerFailed | Self::BitSet { .. } => NorFlashErrorKind::Other,
        }
    }
}

impl core::fmt::Display for FlashFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl core::error::Error for FlashFault {}

/// A step of a xorshift generator: what is left of an interrupted operation must only look random.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

impl FakeFlash {
    /// Erased flash of so many sectors.
    #[must_use]
    pub fn new(sectors: usize) -> Self {
        Self {
            bytes: vec![0xff; sectors * SECTOR_BYTES as usize],
            erasures: vec![0; sectors],
            operations: 0,
            cut: None,
            powered: true,
        }
    }

    /// Writes and erasures until now.
    #[must_use]
    pub fn operations(&self) -> u32 {
        self.operations
    }

    /// How often each sector was erased.
    #[must_use]
    pub fn erasures(&self) -> &[u32] {
        &self.erasures
    }

    /// All bytes, for spoiling some.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Lets power fail in the middle of write or erasure `operation`, counted from 0. `seed` chooses what it
    /// leaves.
    pub fn cut_power_at(&mut self, operation: u32, seed: u64) {
        self.cut = Some((operation, seed | 1));
    }

    /// Whether there is power.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.powered
    }

    /// Power comes back.
    pub fn power_up(&mut self) {
        self.powered = true;
        self.cut = None;
    }

    fn range(&self, from: u32, to: u32) -> Result<core::ops::Range<usize>, FlashFault> {
        let range = from as usize..to as usize;
        if !self.powered {
            return Err(FlashFault::PowerFailed);
        }
        if range.start > range.end || range.end > self.bytes.len() {
            return Err(FlashFault::OutOfBounds);
        }
        Ok(range)
    }

    /// Counts an operation. Gives the seed of what is left of it if power fails within.
    fn operation(&mut self) -> Option<u64> {
        let number = self.operations;
        self.operations += 1;
        let cut = self.cut.filter(|&(operation, _)| operation == number);
        self.powered = cut.is_none();
        cut.map(|(_, seed)| seed)
    }
}

impl ErrorType for FakeFlash {
    type Error = FlashFault;
}

impl ReadNorFlash for FakeFlash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashFault> {
        let range = self.range(offset, offset.saturating_add(bytes.len() as u32))?;
        bytes.copy_from_slice(&self.bytes[range]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for FakeFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = SECTOR_BYTES as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashFault> {
        let range = self.range(from, to)?;
        if !from.is_multiple_of(SECTOR_BYTES) || !to.is_multiple_of(SECTOR_BYTES) {
            return Err(FlashFault::NotAligned);
        }
        let cut = self.operation();
        let sectors = range.start / SECTOR_BYTES as usize..range.end / SECTOR_BYTES as usize;
        self.erasures[sectors].iter_mut().for_each(|count| *count += 1);
        let Some(mut seed) = cut else {
            self.bytes[range].fill(0xff);
            return Ok(());
        };
        // Some bits are set already, others not yet.
        let share = next(&mut seed) % 3;
        for byte in &mut self.bytes[range] {
            *byte |= match share {
                0 => 0,
                1 => next(&mut seed) as u8,
                _ => 0xff,
            };
        }
        Err(FlashFault::PowerFailed)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashFault> {
        let range = self.range(offset, offset.saturating_add(bytes.len() as u32))?;
        let cut = self.operation();
        let places = self.bytes[range].iter_mut();
        let torn = cut.map(|mut seed| (next(&mut seed) as usize % (bytes.len() + 1), next(&mut seed) as u8));
        for (index, (place, &byte)) in places.zip(bytes).enumerate() {
            if byte & !*place != 0 {
                return Err(FlashFault::BitSet { at: offset + index as u32 });
            }
            match torn {
                Some((whole, _)) if index > whole => break,
                // Not all bits of this byte are cleared yet.
                Some((whole, bits)) if index == whole => *place &= byte | bits,
                _ => *place &= byte,
            }
        }
        if cut.is_some() { Err(FlashFault::PowerFailed) } else { Ok(()) }
    }
}

impl MultiwriteNorFlash for FakeFlash {}
