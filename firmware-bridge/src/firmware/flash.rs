//! The flash above the program.

use embassy_rp::Peri;
use embassy_rp::flash::{Blocking, ERASE_SIZE, Error, Flash};
use embassy_rp::peripherals::FLASH;
use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use scopething_bridge::store::StoreLayout;

use super::clock::now_ms;
use super::watchdog::UPLINK;

/// Bytes of a Pico's flash.
const SIZE: usize = 2 * 1024 * 1024;
/// What is written at once: more, and what runs by interrupts would wait for it.
const PAGE: usize = 256;

unsafe extern "C" {
    // Only their addresses mean something: see memory.x.
    safe static __store_start: u8;
    safe static __store_end: u8;
}

/// The range of flash that is the store's.
pub(super) fn layout() -> StoreLayout {
    let range = &raw const __store_start as u32..&raw const __store_end as u32;
    let Ok(layout) = StoreLayout::of(range) else { panic!("memory.x leaves no room for the store") };
    layout
}

/// The flash. Interrupts wait while a sector is erased (45 ms) or a page is written, and other tasks run in between.
pub(super) struct BoardFlash(Flash<'static, FLASH, Blocking, SIZE>);

impl BoardFlash {
    pub(super) fn new(flash: Peri<'static, FLASH>) -> Self {
        Self(Flash::new_blocking(flash))
    }
}

impl ErrorType for BoardFlash {
    type Error = Error;
}

impl ReadNorFlash for BoardFlash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.blocking_read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        SIZE
    }
}

impl NorFlash for BoardFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        for sector in (from..to).step_by(ERASE_SIZE) {
            self.0.blocking_erase(sector, to.min(sector + ERASE_SIZE as u32))?;
            UPLINK.step(now_ms());
            embassy_futures::yield_now().await;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        let mut place = offset;
        for page in bytes.chunks(PAGE) {
            self.0.blocking_write(place, page)?;
            place += page.len() as u32;
            UPLINK.step(now_ms());
            embassy_futures::yield_now().await;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for BoardFlash {}
