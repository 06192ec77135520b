//! Why the firmware starts: a panic leaves its place in memory that a restart does not clear.

use core::fmt::{self, Write as _};
use core::mem::MaybeUninit;
use core::panic::PanicInfo;

use embassy_rp::pac;
use scopething_core::link::bridge::Restart;
use static_cell::ConstStaticCell;

/// The longest place that is kept: file and line.
const PLACE_BYTES: usize = 160;
/// What the watchdog resets (RP2040 data sheet, section 2.13.4; RP2350 data sheet, section 7.4.4).
const ALL_BUT_OSCILLATORS: u32 = if cfg!(feature = "rp235x") { 0x01ff_fff3 } else { 0x0001_fffc };
/// A record begins with this.
const MARK: u32 = 0x5061_6e69;

#[repr(C)]
struct Record {
    mark: u32,
    length: u32,
    /// The sum of the bytes: memory after power-up is anything.
    sum: u32,
    place: [u8; PLACE_BYTES],
}

impl Record {
    const EMPTY: Self = Self { mark: 0, length: 0, sum: 0, place: [0; PLACE_BYTES] };
}

// The linker script leaves it as it was before the restart; it is read and written as memory of a device is, for to the
// compiler it holds nothing.
#[unsafe(link_section = ".uninit.panic")]
static mut RECORD: MaybeUninit<Record> = MaybeUninit::uninit();

/// What led to this start. To be asked once, before anything can panic.
pub(super) fn cause() -> Restart<'static> {
    static FOUND: ConstStaticCell<Record> = ConstStaticCell::new(Record::EMPTY);
    let place = (&raw mut RECORD).cast::<Record>();
    // SAFETY: it is aligned and in memory, any bytes are a record, and only the panic handler, which does not return, reaches
    // it otherwise.
    let record = unsafe { place.read_volatile() };
    // SAFETY: as above.
    unsafe { place.write_volatile(Record::EMPTY) };
    let found = FOUND.take();
    *found = record;
    let place = found.place.get(..found.length as usize).unwrap_or_default();
    if found.mark == MARK && sum(place) == found.sum && !place.is_empty() {
        return Restart::Panic { place: core::str::from_utf8(place).unwrap_or("somewhere") };
    }
    if pac::WATCHDOG.reason().read().timer() { Restart::Watchdog } else { Restart::PowerUp }
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}

/// Writes as much as fits.
struct LocationWriter<'a> {
    record: &'a mut Record,
}

impl fmt::Write for LocationWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            let slot = self.record.place.get_mut(self.record.length as usize).ok_or(fmt::Error)?;
            *slot = byte;
            self.record.length += 1;
        }
        Ok(())
    }
}

/// Keeps a place and restarts the chip.
fn restart(place: fmt::Arguments<'_>) -> ! {
    cortex_m::interrupt::disable();
    let mut record = Record::EMPTY;
    // A place that is too long is cut.
    LocationWriter { record: &mut record }.write_fmt(place).ok();
    record.sum = sum(record.place.get(..record.length as usize).unwrap_or_default());
    record.mark = MARK;
    // SAFETY: it is aligned and in memory; interrupts are off and this does not return: nothing else reaches it.
    unsafe { (&raw mut RECORD).cast::<Record>().write_volatile(record) };
    // All but the oscillators starts anew, as after power-up.
    pac::PSM.wdsel().write(|select| select.0 = ALL_BUT_OSCILLATORS);
    pac::WATCHDOG.ctrl().write(|control| control.set_trigger(true));
    loop {
        cortex_m::asm::nop();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    match info.location() {
        Some(location) => restart(format_args!("{}:{}", location.file(), location.line())),
        None => restart(format_args!("an unknown place")),
    }
}

#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    restart(format_args!("hard fault at {:#010x}", frame.pc()))
}
