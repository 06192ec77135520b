//! The UART to the computer. Its receiver goes on while the flash is written, when no code in flash can run: the interrupt
//! handler, its vector and what it writes to are in memory, and it comes before all others.
//!
//! Sending is the HAL's. Its handler is code in flash, and runs as an interrupt of its own, which the one in memory pends.
//!
//! RTS (GP3) and CTS (GP2) are heeded where they are wired: CTS is pulled to its active level, so that nothing waits for a
//! wire that is not there. RTS stops the computer when the FIFO fills up, which is when the ring here has no room.

use core::cell::UnsafeCell;
use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;

use embassy_rp::Peri;
use embassy_rp::interrupt::typelevel::{Binding, Handler, Interrupt as _, SWI_IRQ_0, UART0_IRQ};
use embassy_rp::pac;
use embassy_rp::peripherals::{PIN_0, PIN_1, PIN_2, PIN_3, UART0};
use embassy_rp::uart::{BufferedInterruptHandler, BufferedUartTx, Config, Error};
use embassy_sync::waitqueue::AtomicWaker;
use embassy_time::{Duration, block_for};
use embedded_io_async::{ErrorType, Read};
use scopething_core::link::bridge::LineErrors;
use static_cell::ConstStaticCell;

use super::vectors::{self, INTERRUPTS};

/// Bytes that are received in 491 ms at 1 Mbaud: a sector of the flash is erased in 400 ms at the most.
const RING_BYTES: u32 = 48 * 1024;
/// More than a character takes at the rate that it starts with.
const LAST_CHARACTER: Duration = Duration::from_micros(20);
/// UART0 and its registers (RP2040 data sheet, section 4.2.8; RP2350 data sheet, section 12.1.8).
#[cfg(feature = "rp2040")]
const UART: usize = 0x4003_4000;
#[cfg(feature = "rp235x")]
const UART: usize = 0x4007_0000;
const UARTDR: *const u32 = UART as *const u32;
const UARTFR: *const u32 = (UART + 0x18) as *const u32;
const UARTICR: *mut u32 = (UART + 0x44) as *mut u32;
/// The interrupt mask: written here, bits are cleared, or set (section 2.1.2).
const UARTIMSC_CLEAR: *mut u32 = (UART + 0x3038) as *mut u32;
const UARTIMSC_SET: *mut u32 = (UART + 0x2038) as *mut u32;
const FIFO_EMPTY: u32 = 1 << 4;
const RECEIVE_INTERRUPTS: u32 = 1 << 4 | 1 << 6;
const TRANSMIT_INTERRUPT: u32 = 1 << 5;
const ERROR_INTERRUPTS: u32 = 0b1111 << 7;
/// Framing, parity and break: the byte beside them is none.
const NO_BYTE: u32 = 0b111 << 8;
const OVERRUN: u32 = 1 << 11;
/// Where interrupts are set pending, and their priorities (Armv6-M reference manual, B3.4; the same in Armv8-M).
const NVIC_ISPR: *mut u32 = 0xe000_e200 as *mut u32;
const NVIC_IPR: *mut u32 = 0xe000_e400 as *mut u32;
/// The number of UART0's interrupt, and that of the one for what is in flash.
pub(super) const UART0_NUMBER: usize = pac::Interrupt::UART0_IRQ as usize;
const DEFERRED_NUMBER: usize = pac::Interrupt::SWI_IRQ_0 as usize;
/// The second highest of the four priorities that both chips have.
const BELOW_UART: u8 = 1 << 6;
/// The interrupt comes with 8 of 32 bytes: at 1 Mbaud there are 240 us until one is lost.
const RECEIVE_LEVEL: u8 = 1;
/// GP1, GP2 and GP3, and the number of their function that is the UART (section 1.4.3).
const RECEIVED_PIN: usize = 1;
const CTS_PIN: usize = 2;
const RTS_PIN: usize = 3;
const UART_FUNCTION: u8 = 2;

struct Ring(UnsafeCell<[u8; RING_BYTES as usize]>);

// SAFETY: the handler writes only from `WRITE` up to the place before `READ`, the receiver reads only from `READ` up to
// `WRITE`, and each moves its own.
unsafe impl Sync for Ring {}

static RING: Ring = Ring(UnsafeCell::new([0; RING_BYTES as usize]));
/// Where the handler writes next.
static WRITE: AtomicU32 = AtomicU32::new(0);
/// Where the receiver reads next.
static READ: AtomicU32 = AtomicU32::new(0);
/// What the handler counts, and nobody else.
static OVERRUNS: AtomicU32 = AtomicU32::new(0);
static FRAMING_ERRORS: AtomicU32 = AtomicU32::new(0);
static WAKER: AtomicWaker = AtomicWaker::new();

const fn after(place: u32) -> u32 {
    if place + 1 == RING_BYTES { 0 } else { place + 1 }
}

/// Takes what has come. Nothing that it calls or reads is in flash.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".data.ram_func")]
unsafe extern "C" fn UART0_IRQ() {
    let bytes = RING.0.get().cast::<u8>();
    let mut place = WRITE.load(Ordering::Relaxed);
    // SAFETY: registers of the UART and of the processor; the place is within the ring, and not the receiver's.
    unsafe {
        while UARTFR.read_volatile() & FIFO_EMPTY == 0 {
            let next = after(place);
            if next == READ.load(Ordering::Relaxed) {
                // What comes now waits in the FIFO until the receiver has made room.
                UARTIMSC_CLEAR.write_volatile(RECEIVE_INTERRUPTS);
                break;
            }
            let data = UARTDR.read_volatile();
            if data & OVERRUN != 0 {
                OVERRUNS.store(OVERRUNS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
            }
            if data & NO_BYTE != 0 {
                FRAMING_ERRORS
                    .store(FRAMING_ERRORS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
                continue;
            }
            bytes.add(place as usize).write_volatile(data as u8);
            place = next;
        }
        WRITE.store(place, Ordering::Release);
        UARTICR.write_volatile(ERROR_INTERRUPTS);
        // It is the deferred handler's, which enables it again.
        UARTIMSC_CLEAR.write_volatile(TRANSMIT_INTERRUPT);
        NVIC_ISPR.add(DEFERRED_NUMBER / 32).write_volatile(1 << (DEFERRED_NUMBER % 32));
    }
}

/// Does what the handler in memory cannot do: wakes the receiver, and sends.
pub(super) struct Deferred;

impl Handler<SWI_IRQ_0> for Deferred {
    unsafe fn on_interrupt() {
        // SAFETY: it is the handler of this UART, and called in no other place.
        unsafe { <BufferedInterruptHandler<UART0> as Handler<UART0_IRQ>>::on_interrupt() };
        // SAFETY: a register of the UART.
        unsafe { UARTIMSC_SET.write_volatile(TRANSMIT_INTERRUPT) };
        WAKER.wake();
    }
}

/// What the HAL asks for.
#[derive(Clone, Copy)]
struct Deferring;

// SAFETY: `UART0_IRQ` has the handler called by way of `Deferred`.
unsafe impl Binding<UART0_IRQ, BufferedInterruptHandler<UART0>> for Deferring {}

/// The bytes from the computer.
pub(super) struct Receiver {
    overruns: u32,
    framing_errors: u32,
}

/// What went wrong since power-up.
pub(super) fn errors() -> LineErrors {
    LineErrors { overruns: OVERRUNS.load(Ordering::Relaxed), framing: FRAMING_ERRORS.load(Ordering::Relaxed) }
}

impl Receiver {
    /// What has gone wrong since it was asked last.
    fn new_error(&mut self) -> Option<Error> {
        let LineErrors { overruns, framing } = errors();
        if core::mem::replace(&mut self.overruns, overruns) != overruns {
            return Some(Error::Overrun);
        }
        (core::mem::replace(&mut self.framing_errors, framing) != framing).then_some(Error::Framing)
    }

    /// Takes bytes out of the ring. There is one receiver, so that this is not called twice at a time.
    fn take(bytes: &mut [u8]) -> usize {
        let mut place = READ.load(Ordering::Relaxed);
        let end = WRITE.load(Ordering::Acquire);
        let mut count = 0;
        for byte in bytes {
            if place == end {
                break;
            }
            // SAFETY: within the ring, and written before `WRITE` was.
            *byte = unsafe { RING.0.get().cast::<u8>().add(place as usize).read_volatile() };
            place = after(place);
            count += 1;
        }
        READ.store(place, Ordering::Release);
        if count > 0 {
            // SAFETY: a register of the UART. There is room again, if there was none.
            unsafe { UARTIMSC_SET.write_volatile(RECEIVE_INTERRUPTS) };
        }
        count
    }
}

impl ErrorType for Receiver {
    type Error = Error;
}

impl Read for Receiver {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        poll_fn(|context| {
            WAKER.register(context.waker());
            if let Some(error) = self.new_error() {
                return Poll::Ready(Err(error));
            }
            match Self::take(bytes) {
                0 if !bytes.is_empty() => Poll::Pending,
                count => Poll::Ready(Ok(count)),
            }
        })
        .await
    }
}

/// The pins: what is sent, received, CTS and RTS.
pub(super) type Pins =
    (Peri<'static, PIN_0>, Peri<'static, PIN_1>, Peri<'static, PIN_2>, Peri<'static, PIN_3>);

/// Starts the UART. To be called once, before any code in flash must not run.
pub(super) fn start(
    uart: Peri<'static, UART0>,
    (sent, _received, cts, _rts): Pins,
    baud: u32,
) -> (BufferedUartTx, Receiver) {
    static SENT: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
    vectors::to_memory();
    // SAFETY: priorities of interrupts, before the deferred one is enabled.
    unsafe {
        for number in 0..INTERRUPTS {
            let priority = if number == UART0_NUMBER { 0 } else { BELOW_UART };
            set_priority(number, priority);
        }
    }
    let mut config = Config::default();
    config.baudrate = baud;
    let sender = BufferedUartTx::new_with_cts(uart, Deferring, sent, cts, SENT.take(), config);
    pull(CTS_PIN, false);
    // The HAL leaves the pin floating, without its Schmitt trigger: with nothing wired it would receive noise.
    pull(RECEIVED_PIN, true);
    for pin in [RECEIVED_PIN, RTS_PIN] {
        pac::IO_BANK0.gpio(pin).ctrl().write(|control| control.set_funcsel(UART_FUNCTION));
    }
    pac::PADS_BANK0.gpio(RTS_PIN).write(|pad| pad.set_ie(true));
    pac::UART0.uartifls().modify(|levels| levels.set_rxiflsel(RECEIVE_LEVEL));
    pac::UART0.uartcr().modify(|control| {
        control.set_rxe(true);
        control.set_rtsen(true);
    });
    // SAFETY: a register of the UART; its handler is ready.
    unsafe { UARTIMSC_SET.write_volatile(RECEIVE_INTERRUPTS) };
    SWI_IRQ_0::unpend();
    // SAFETY: its handler is bound in `Interrupts`.
    unsafe { SWI_IRQ_0::enable() };
    (sender, Receiver { overruns: 0, framing_errors: 0 })
}

/// Has it send and receive at another rate than the one it was started with. What is on the wire meanwhile is lost.
pub(super) fn set_baud(baud: u32) {
    // The divisors may only change while it is disabled and the character that it is in the middle of has ended; nothing
    // reports that of the receiver (PL011 reference manual, 3.3.7).
    let running = pac::UART0.uartcr().read();
    pac::UART0.uartcr().modify(|control| {
        control.set_uarten(false);
        control.set_txe(false);
        control.set_rxe(false);
    });
    block_for(LAST_CHARACTER);
    let divisor = 8 * embassy_rp::clocks::clk_peri_freq() / baud;
    // Whole sixteenths of the clock, and 64ths of them, rounded (section 4.2.7.1).
    pac::UART0.uartibrd().write(|whole| whole.set_baud_divint((divisor >> 7) as u16));
    pac::UART0.uartfbrd().write(|part| part.set_baud_divfrac((divisor & 0x7f).div_ceil(2).min(0x3f) as u8));
    // Both take effect with a write to this register.
    pac::UART0.uartlcr_h().modify(|_| {});
    pac::UART0.uartcr().write_value(running);
}

/// Pulls a pin that is read up or down, with its Schmitt trigger.
fn pull(pin: usize, up: bool) {
    pac::PADS_BANK0.gpio(pin).write(|pad| {
        pad.set_ie(true);
        pad.set_schmitt(true);
        pad.set_pue(up);
        pad.set_pde(!up);
    });
}

/// # Safety
/// The interrupt must be able to come with this priority.
unsafe fn set_priority(number: usize, priority: u8) {
    let word = NVIC_IPR.wrapping_add(number / 4);
    let shift = 8 * (number % 4);
    // SAFETY: a register of the processor, which takes whole words (B3.4.7).
    unsafe {
        let others = word.read_volatile() & !(0xff << shift);
        word.write_volatile(others | u32::from(priority) << shift);
    }
}
