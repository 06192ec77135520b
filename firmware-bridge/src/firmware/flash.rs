//! The flash above the program.
//!
//! While a sector is erased (45 ms, at the most 400 ms) or a page is written (0.4 ms, at the most 3 ms) no code in flash can
//! run. All interrupts wait then but one whose handler is in memory; other tasks run in between.

use embassy_rp::Peri;
use embassy_rp::flash::{Blocking, ERASE_SIZE, Error, Flash};
use embassy_rp::peripherals::FLASH;
use embassy_rp::rom_data;
use embedded_storage_async::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use scopething_bridge::flash_chip::{self, Reported};
use scopething_core::link::bridge::{FlashChip, FlashSize};

use super::clock::now_ms;
use super::lines::{HANDLED_IN_MEMORY, keeping_awake};
use super::watchdog::UPLINK;

/// The most that can be mapped.
const MAX_BYTES: usize = flash_chip::MAX_BYTES as usize;
/// What there is at the least: on a Pico, and on a Pico 2, which is not asked.
const ASSUMED_BYTES: u32 = if cfg!(feature = "rp235x") { 4 } else { 2 } << 20;
/// Where the flash is mapped.
const FLASH_START: *const u32 = 0x1000_0000 as *const u32;
/// What is written at once.
const PAGE: usize = 256;
/// What maps the flash, 256 bytes of code: at its beginning the second stage of the start, or what the Pico 2's boot ROM has put
/// into memory of its own (RP2350 data sheet, section 5.1.9).
#[cfg(feature = "rp2040")]
const MAPPED: *const u32 = 0x1000_0000 as *const u32;
#[cfg(feature = "rp235x")]
const MAPPED: *const u32 = 0x400e_0000 as *const u32;
const SECOND_STAGE_WORDS: usize = 64;
/// What is compared of the flash to find out whether it begins again: the program is longer.
const COMPARED_WORDS: usize = 1024;
/// The serial interface to the flash (RP2040 data sheet, section 4.10.13): its status, of which two bits are of
/// interest, and its FIFOs, which hold so many bytes.
#[cfg(feature = "rp2040")]
const SSI_SR: *const u32 = 0x1800_0028 as *const u32;
#[cfg(feature = "rp2040")]
const SSI_DR0: *mut u32 = 0x1800_0060 as *mut u32;
#[cfg(feature = "rp2040")]
const CAN_SEND: u32 = 1 << 1;
#[cfg(feature = "rp2040")]
const HAS_RECEIVED: u32 = 1 << 3;
#[cfg(feature = "rp2040")]
const FIFO_BYTES: usize = 16;
/// What makes the flash send its unique number (W25Q16JV data sheet, section 8.2.29).
#[cfg(all(feature = "rp2040", feature = "one-cable"))]
const READ_UNIQUE_ID: u8 = 0x4b;
/// What the chip select of the flash is driven to (section 2.19.6.2): the field OUTOVER.
#[cfg(feature = "rp2040")]
const QSPI_SS_CTRL: *mut u32 = 0x4001_800c as *mut u32;
#[cfg(feature = "rp2040")]
const OUTOVER: u32 = 3 << 8;
#[cfg(feature = "rp2040")]
const LOW: u32 = 2 << 8;
#[cfg(feature = "rp2040")]
const HIGH: u32 = 3 << 8;
/// The registers that enable and disable interrupts (Armv6-M reference manual, B3.4).
const NVIC_ISER: *mut u32 = 0xe000_e100 as *mut u32;
const NVIC_ICER: *mut u32 = 0xe000_e180 as *mut u32;
/// Of 32 interrupts each: 26 of the Pico, 52 of the Pico 2.
const NVIC_WORDS: usize = if cfg!(feature = "rp235x") { 2 } else { 1 };

unsafe extern "C" {
    // Only their addresses mean something: see memory_rp2040.x and memory_rp235x.x.
    safe static __store_start: u8;
    safe static __store_end: u8;
}

/// The range of flash that is the store's, at the most: the chip may end before.
pub(super) fn store_range() -> core::ops::Range<u32> {
    &raw const __store_start as u32..&raw const __store_end as u32
}

/// Which chip there is.
pub(super) fn chip() -> FlashChip {
    // The Pico 2 has another interface to its flash: its size is taken for that of the board.
    #[cfg(feature = "rp235x")]
    let reported = Reported::default();
    #[cfg(feature = "rp2040")]
    let reported = Reported::ask(command);
    reported.chip(ASSUMED_BYTES, begins_again)
}

/// Sends a command to the flash, and puts what comes back meanwhile in its place.
#[cfg(feature = "rp2040")]
fn command(bytes: &mut [u8]) {
    alone(|rom| {
        // SAFETY: `alone` sees to it that no code in flash runs and nothing reads it; the bytes are in memory.
        unsafe { exchange(rom, bytes.as_mut_ptr(), bytes.len()) }
    });
}

/// Whether what is mapped at an offset is the beginning of the flash.
fn begins_again(offset: u32) -> bool {
    let offset = offset as usize / size_of::<u32>();
    // SAFETY: 16 MiB are mapped, whatever the chip has.
    (0..COMPARED_WORDS).all(|at| unsafe {
        FLASH_START.add(at).read_volatile() == FLASH_START.add(offset + at).read_volatile()
    })
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

/// Sends bytes to the flash, and puts what comes back meanwhile in their place.
///
/// # Safety
/// As for [`operate`]; `bytes` are so many in memory.
#[cfg(feature = "rp2040")]
#[inline(never)]
#[unsafe(link_section = ".data.ram_func")]
unsafe fn exchange(rom: &Rom, bytes: *mut u8, length: usize) {
    // SAFETY: the caller's; the registers are those of the serial interface, which the ROM has set up for single bytes.
    unsafe {
        (rom.connect)();
        (rom.unmap)();
        QSPI_SS_CTRL.write_volatile(QSPI_SS_CTRL.read_volatile() & !OUTOVER | LOW);
        let (mut sent, mut received) = (0, 0);
        while received < length {
            let status = SSI_SR.read_volatile();
            if sent < length && sent - received < FIFO_BYTES && status & CAN_SEND != 0 {
                SSI_DR0.write_volatile(u32::from(bytes.add(sent).read()));
                sent += 1;
            }
            if received < sent && status & HAS_RECEIVED != 0 {
                bytes.add(received).write(SSI_DR0.read_volatile() as u8);
                received += 1;
            }
        }
        QSPI_SS_CTRL.write_volatile(QSPI_SS_CTRL.read_volatile() & !OUTOVER | HIGH);
        // It also gives the chip select back to the interface.
        (rom.flush)();
        (rom.map)();
    }
}

/// As [`operate`], with what it asks for.
fn operate_alone(offset: u32, data: *const u8, length: usize) {
    // SAFETY: `alone` sees to it that no code in flash runs and nothing reads it; the data is in memory.
    alone(|rom| unsafe { operate(rom, offset, data, length) });
}

/// Does something that no code in flash may run beside: interrupts whose handlers are in flash wait.
fn alone(work: impl FnOnce(&Rom)) {
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
        work(&rom);
        for (word, enabled) in others.into_iter().enumerate() {
            NVIC_ISER.add(word).write_volatile(enabled);
        }
    }
}

/// The flash.
pub(super) struct BoardFlash {
    flash: Flash<'static, FLASH, Blocking, MAX_BYTES>,
    /// What the chip has.
    bytes: usize,
}

impl BoardFlash {
    /// The flash on this chip. Where its size is not certain the store may be larger.
    pub(super) fn new(flash: Peri<'static, FLASH>, chip: FlashChip) -> Self {
        let bytes = if chip.size == FlashSize::Assumed { MAX_BYTES } else { chip.bytes as usize };
        Self { flash: Flash::new_blocking(flash), bytes }
    }

    /// Whether these bytes are in flash.
    fn check(&self, offset: u32, length: usize) -> Result<(), Error> {
        let fits = (offset as usize).checked_add(length).is_some_and(|end| end <= self.bytes);
        if fits { Ok(()) } else { Err(Error::OutOfBounds) }
    }
}

/// The number that no other board has: its flash chip's, or the Pico 2's own. Zeros where there is none.
#[cfg(feature = "one-cable")]
pub(super) fn serial_number() -> &'static str {
    use core::fmt::Write as _;

    static TEXT: static_cell::StaticCell<heapless::String<16>> = static_cell::StaticCell::new();
    #[cfg(feature = "rp2040")]
    let number: [u8; 8] = {
        // Behind the instruction come four bytes of anything.
        let mut answer = [READ_UNIQUE_ID, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        command(&mut answer);
        let [_, _, _, _, _, number @ ..] = answer;
        number
    };
    #[cfg(feature = "rp235x")]
    let number = embassy_rp::otp::get_chipid().map_or([0; 8], u64::to_be_bytes);
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

impl ReadNorFlash for BoardFlash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Error> {
        self.check(offset, bytes.len())?;
        self.flash.blocking_read(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.bytes
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
        self.check(from, (to - from) as usize)?;
        for sector in (from..to).step_by(ERASE_SIZE) {
            keeping_awake(|| operate_alone(sector, core::ptr::null(), ERASE_SIZE));
            UPLINK.step(now_ms());
            embassy_futures::yield_now().await;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        self.check(offset, bytes.len())?;
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
            keeping_awake(|| operate_alone(place - within as u32, page.as_ptr(), PAGE));
            place += part.len() as u32;
            rest = behind;
            UPLINK.step(now_ms());
            embassy_futures::yield_now().await;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for BoardFlash {}
