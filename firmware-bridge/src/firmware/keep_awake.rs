//! Starts of frame at the pins while no task runs to send them: while flash is written, or a trace measured and packed.
//!
//! A device that hears nothing for 3 ms suspends (USB 2.0, 7.1.7.6), a sector is erased in up to 400 ms, and a trace of 12 000
//! samples measured in 250 ms. The interrupt of the timer's second alarm, whose handler is in memory, has the send program of `rp-pio-usb-host` play them: state machine 0 of PIO0,
//! its program at address 0, as version 0.1.0 has it. Nothing else uses the bus then, since its tasks do not run.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use embassy_rp::pac;
#[cfg(feature = "rp2040")]
use embassy_rp::pac::TIMER;
#[cfg(feature = "rp235x")]
use embassy_rp::pac::TIMER0 as TIMER;
use embassy_time::{Duration, block_for};
use scopething_bridge::usb::start_of_frame::start_of_frame;

/// Longer than a start of frame takes.
const PACKET: Duration = Duration::from_micros(5);
/// Microseconds of a frame.
const FRAME_US: u32 = 1_000;
/// The time-driver has the first.
const ALARM: usize = 1;
/// The number of its interrupt.
#[cfg(feature = "rp2040")]
pub(super) const NUMBER: usize = pac::Interrupt::TIMER_IRQ_1 as usize;
#[cfg(feature = "rp235x")]
pub(super) const NUMBER: usize = pac::Interrupt::TIMER0_IRQ_1 as usize;
/// Drives the pins, and goes on with the first symbol: `set pindirs, 0b11 side 0b01` at address 4.
const START: u16 = 0x0804;
/// PIO0's control register where writes set bits, and where they clear them (RP2040 data sheet, section 2.1.2).
const PIO0_CTRL_SET: *mut u32 = 0x5020_2000 as *mut u32;
const PIO0_CTRL_CLEAR: *mut u32 = 0x5020_3000 as *mut u32;
const ENABLE: u32 = 1;
const RESTART: u32 = 1 << 4;
/// That the last symbol was played.
const PLAYED: u8 = 1;

/// They are being sent, or would be if a device were there.
static IS_RUNNING: AtomicBool = AtomicBool::new(false);
/// A device is there that must not suspend.
static IS_PLUGGED: AtomicBool = AtomicBool::new(false);
static FRAME: AtomicU32 = AtomicU32::new(0);
/// When the next frame starts, in microseconds.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Does something while starts of frame are sent, if a device is there that is out of its reset. It may be called within itself.
pub(super) fn during(is_plugged: bool, work: impl FnOnce()) {
    // One thread does all of it, and the handler does not look at this.
    if IS_RUNNING.load(Ordering::Relaxed) {
        return work();
    }
    IS_RUNNING.store(true, Ordering::Relaxed);
    start(is_plugged);
    work();
    stop();
    IS_RUNNING.store(false, Ordering::Relaxed);
}

/// The first goes at once: the task that sends them otherwise may not have run for two milliseconds.
fn start(is_plugged: bool) {
    IS_PLUGGED.store(is_plugged, Ordering::Relaxed);
    NEXT.store(TIMER.timerawl().read(), Ordering::Relaxed);
    TIMER.intr().write(|raised| raised.set_alarm(ALARM, true));
    TIMER.inte().modify(|enabled| enabled.set_alarm(ALARM, true));
    // Its handler sets the alarm for the next.
    cortex_m::peripheral::NVIC::pend(INTERRUPT);
    // SAFETY: its handler is below.
    unsafe { cortex_m::peripheral::NVIC::unmask(INTERRUPT) };
}

/// Leaves them to the driver again.
fn stop() {
    cortex_m::peripheral::NVIC::mask(INTERRUPT);
    TIMER.inte().modify(|enabled| enabled.set_alarm(ALARM, false));
    TIMER.armed().write(|armed| armed.set_armed(1 << ALARM));
    // One that is being played ends.
    block_for(PACKET);
}

#[cfg(feature = "rp2040")]
const INTERRUPT: pac::Interrupt = pac::Interrupt::TIMER_IRQ_1;
#[cfg(feature = "rp235x")]
const INTERRUPT: pac::Interrupt = pac::Interrupt::TIMER0_IRQ_1;

/// Starts a frame. Nothing that it calls or reads is in flash.
#[cfg_attr(feature = "rp2040", unsafe(export_name = "TIMER_IRQ_1"))]
#[cfg_attr(feature = "rp235x", unsafe(export_name = "TIMER0_IRQ_1"))]
#[unsafe(link_section = ".data.ram_func")]
unsafe extern "C" fn start_frame() {
    TIMER.intr().write(|raised| raised.set_alarm(ALARM, true));
    let next = NEXT.load(Ordering::Relaxed).wrapping_add(FRAME_US);
    NEXT.store(next, Ordering::Relaxed);
    TIMER.alarm(ALARM).write_value(next);
    let frame = FRAME.load(Ordering::Relaxed).wrapping_add(1);
    FRAME.store(frame, Ordering::Relaxed);
    if !IS_PLUGGED.load(Ordering::Relaxed) {
        return;
    }
    let [first, second, third] = start_of_frame(frame);
    let machine = pac::PIO0.sm(0);
    // SAFETY: registers of the PIO, of whose state machines this changes only the first.
    unsafe { PIO0_CTRL_CLEAR.write_volatile(ENABLE) };
    // A change of how they are joined empties the FIFOs.
    for _ in 0..2 {
        machine.shiftctrl().modify(|shift| shift.set_fjoin_rx(!shift.fjoin_rx()));
    }
    // SAFETY: as above.
    unsafe { PIO0_CTRL_SET.write_volatile(RESTART) };
    machine.instr().write(|instruction| instruction.set_instr(START));
    pac::PIO0.txf(0).write_value(first);
    pac::PIO0.txf(0).write_value(second);
    pac::PIO0.txf(0).write_value(third);
    pac::PIO0.irq().write(|flags| flags.set_irq(PLAYED));
    // SAFETY: as above.
    unsafe { PIO0_CTRL_SET.write_volatile(ENABLE) };
}
