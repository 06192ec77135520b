//! The flash above the program.
//!
//! While a sector is erased (45 ms, at the most 400 ms) or a page is written (0.4 ms, at the most 3 ms) no code in flash can
//! run. All interrupts wait then but one whose handler is in memory; other tasks run in between.

use embassy_rp::Peri;
use embassy_rp::flash::{Blocking, ERASE_SIZE, Error, Flash};
use embassy_rp::peripherals::FLASH;
use embassy_rp::rom_data;
use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use scopething_bridge::store::StoreLayout;

use super::clock::now_ms;
use super::lines::{HANDLED_IN_MEMORY, while_flash_is_written};
use super::watchdog::UPLINK;

/// Bytes of a Pico's flash, and of a Pico 2's.
const SIZE: usize = if cfg!(feature = "rp235x") { 4 } else { 2 } * 1024 * 1024;
/// What is written at once.
const PAGE: usize = 256;
/// What maps the flash, 256 bytes of code: at its beginning the second stage of the start, or what the Pico 2's boot ROM has put
/// into memory of its own (RP2350 data sheet, section 5.1.9).
#[cfg(feature = "rp2040")]
const MAPPED: *const u32 = 0x1000_0000 as *const u32;
#[cfg(feature = "rp235x")]
const MAPPED: *const u32 = 0x400e_0000 as *const u32;
const SECOND_STAGE_WORDS: usize = 64;
/// The registers that enable and disable interrupts (Armv6-M reference manual, B3.4).
const NVIC_ISER: *mut u32 = 0xe000_e100 as *mut u32;
const NVIC_ICER: *mut u32 = 0xe000_e180 as *mut u32;
/// Of 32 interrupts each: 26 of the Pico, 52 of the Pico 2.
const NVIC_WORDS: usize = if cfg!(feature = "rp235x") { 2 } else { 1 };

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

/// What the boot ROM has for writing flash (RP2040 data sheet, section 2.8.3.1.3), in the order of its calls.
struct Rom {
    connect: unsafe extern "C" fn(),
    unmap: unsafe extern "C" fn(),
    erase: unsafe extern "C" fn(u32, usize, u32, u8),
    program: unsafe extern "C" fn(u32, *const u8, usize),
    flush: unsafe extern "C" fn(),
    /// The second stage, in memory.
    map: unsafe extern "C" fn(),
}

/// Erases the sector at `offset`, or writes `length` bytes of `data` there.
///
/// # Safety
/// No code in flash may run meanwhile, and nothing may read it: `data` is in memory, and so is `map` of `rom`.
#[inline(never)]
#[unsafe(link_section = ".data.ram_func")]
unsafe fn operate(rom: &Rom, offset: u32, data: *const u8, length: usize) {
    // SAFETY: the caller's; the ROM wants these calls around each operation, in this order.
    unsafe {
        (rom.connect)();
        (rom.unmap)();
        if data.is_null() {
            // Blocks of 2 GiB: none is erased as such, but each sector by itself.
            (rom.erase)(offset, length, 1 << 31, 0);
        } else {
            (rom.program)(offset, data, length);
        }
        (rom.flush)();
        (rom.map)();
    }
}

/// As [`operate`], with what it asks for: interrupts whose handlers are in flash wait.
fn operate_alone(offset: u32, data: *const u8, length: usize) {
    let mut second_stage = [0_u32; SECOND_STAGE_WORDS];
    for (place, word) in second_stage.iter_mut().enumerate() {
        // SAFETY: within the 256 bytes.
        *word = unsafe { MAPPED.add(place).read_volatile() };
    }
    // Code in Thumb has an odd address.
    let entry = second_stage.as_ptr().cast::<u8>().wrapping_add(1);
    let rom = Rom {
        connect: rom_data::connect_internal_flash::ptr(),
        unmap: rom_data::flash_exit_xip::ptr(),
        erase: rom_data::flash_range_erase::ptr(),
        program: rom_data::flash_range_program::ptr(),
        flush: rom_data::flash_flush_cache::ptr(),
        // SAFETY: the second stage is a function without arguments that maps the flash and returns (section 2.8.1.3).
        map: unsafe { core::mem::transmute::<*const u8, unsafe extern "C" fn()>(entry) },
    };
    // SAFETY: the second core was never started, no channel of the DMA is used, and of the interrupts only the one in
    // memory is left. They are enabled again as they were.
    unsafe {
        let mut others = [0; NVIC_WORDS];
        for (word, enabled) in others.iter_mut().enumerate() {
            let kept = if HANDLED_IN_MEMORY / 32 == word { 1 << (HANDLED_IN_MEMORY % 32) } else { 0 };
            *enabled = NVIC_ISER.add(word).read_volatile() & !kept;
            NVIC_ICER.add(word).write_volatile(*enabled);
        }
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
        operate(&rom, offset, data, length);
        for (word, enabled) in others.into_iter().enumerate() {
            NVIC_ISER.add(word).write_volatile(enabled);
        }
    }
}

/// The flash.
pub(super) struct BoardFlash(Flash<'static, FLASH, Blocking, SIZE>);

impl BoardFlash {
    pub(super) fn new(flash: Peri<'static, FLASH>) -> Self {
        Self(Flash::new_blocking(flash))
    }
}

/// The number that no other board has: its flash chip's, or the Pico 2's own. None is told apart by zeros.
#[cfg(feature = "one-cable")]
pub(super) fn serial_number() -> &'static str {
    use core::fmt::Write as _;

    static TEXT: static_cell::StaticCell<heapless::String<16>> = static_cell::StaticCell::new();
    let mut number = [0; 8];
    #[cfg(feature = "rp2040")]
    {
        // SAFETY: the flash has another owner, who does not use it before this returns: there is one task yet.
        let mut flash = BoardFlash::new(unsafe { FLASH::steal() });
        flash.0.blocking_unique_id(&mut number).ok();
    }
    #[cfg(feature = "rp235x")]
    if let Ok(id) = embassy_rp::otp::get_chipid() {
        number = id.to_be_bytes();
    }
    let mut text = heapless::String::new();
    for byte in number {
        // Two digits each: they fit.
        write!(text, "{byte:02X}").ok();
    }
    TEXT.init(text)
}

impl ErrorType for BoardFlash {
    type Error = Error;
}

/// Whether these bytes are in flash.
fn check(offset: u32, length: usize) -> Result<(), Error> {
    let fits = (offset as usize).checked_add(length).is_some_and(|end| end <= SIZE);
    if fits { Ok(()) } else { Err(Error::OutOfBounds) }
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
        let whole = |place: u32| (place as usize).is_multiple_of(ERASE_SIZE);
        if !whole(from) || !whole(to) || to < from {
            return Err(Error::Unaligned);
        }
        check(from, (to - from) as usize)?;
        for sector in (from..to).step_by(ERASE_SIZE) {
            while_flash_is_written(|| operate_alone(sector, core::ptr::null(), ERASE_SIZE));
            UPLINK.step(now_ms());
            embassy_futures::yield_now().await;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        check(offset, bytes.len())?;
        let mut place = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let within = place as usize % PAGE;
            let (part, behind) = rest.split_at(rest.len().min(PAGE - within));
            // Whole pages are written: bytes that stay as they are, are all ones.
            let mut page = [0xff; PAGE];
            for (slot, &byte) in page.iter_mut().skip(within).zip(part) {
                *slot = byte;
            }
            while_flash_is_written(|| operate_alone(place - within as u32, page.as_ptr(), PAGE));
            place += part.len() as u32;
            rest = behind;
            UPLINK.step(now_ms());
            embassy_futures::yield_now().await;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for BoardFlash {}
