//! The smallest user of `scopething-core` on an RP2040: a BitScope on UART0, one capture of channel A, its highest
//! voltage in a static. It exists to be linked and measured, and to show that nothing in core can panic.
#![no_std]
#![no_main]

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, Ordering};

use embedded_io::{ErrorType, Read, Write};
use rp2040_pac::{Peripherals, TIMER, UART0};
use scopething_core::blocking::{BlockingClock, BlockingStream, PolledClock, block_on};
use scopething_core::plan::{AnalogChannel, CapturePlan, CaptureRequest, Channel};
use scopething_core::scope::{LinkProfile, Scope};
use scopething_core::time::Instant;
use scopething_core::trace::TraceBuffer;

/// The highest voltage of the last trace, as the bits of an `f32`, for a debugger to read.
static PEAK: AtomicU32 = AtomicU32::new(0);

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// The UART, whose reads end as soon as its receiver is empty.
struct Port(UART0);

#[derive(Debug)]
struct Empty;

impl core::fmt::Display for Empty {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("nothing received")
    }
}

impl core::error::Error for Empty {}

impl embedded_io::Error for Empty {
    fn kind(&self) -> embedded_io::ErrorKind {
        embedded_io::ErrorKind::TimedOut
    }
}

impl ErrorType for Port {
    type Error = Empty;
}

impl Read for Port {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Empty> {
        let mut count = 0;
        for place in buffer {
            if self.0.uartfr().read().rxfe().bit_is_set() {
                break;
            }
            *place = self.0.uartdr().read().data().bits();
            count += 1;
        }
        if count == 0 { Err(Empty) } else { Ok(count) }
    }
}

impl Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Empty> {
        let mut count = 0;
        for byte in bytes {
            if self.0.uartfr().read().txff().bit_is_set() {
                break;
            }
            // SAFETY: the data field takes any byte.
            self.0.uartdr().write(|w| unsafe { w.data().bits(*byte) });
            count += 1;
        }
        if count == 0 { Err(Empty) } else { Ok(count) }
    }

    fn flush(&mut self) -> Result<(), Empty> {
        Ok(())
    }
}

struct Microseconds(TIMER);

impl BlockingClock for Microseconds {
    fn now(&self) -> Instant {
        loop {
            let high = self.0.timerawh().read().bits();
            let low = self.0.timerawl().read().bits();
            if self.0.timerawh().read().bits() == high {
                return Instant(u64::from(high) << 32 | u64::from(low));
            }
        }
    }
}

type Driver = Scope<BlockingStream<Port>, PolledClock<Microseconds>>;

// Each step has a stack frame of its own, so that they share the memory instead of adding up.

#[inline(never)]
fn open(scope: &mut Driver) -> bool {
    block_on(scope.open()).is_ok()
}

#[inline(never)]
fn plan(scope: &Driver) -> Option<CapturePlan> {
    let request = CaptureRequest { samples: 12_288, ..CaptureRequest::new(Channel::A) };
    scope.plan(&request).ok()
}

#[inline(never)]
fn peak(scope: &mut Driver, plan: &CapturePlan, buffer: &mut TraceBuffer) -> Option<f32> {
    let trace = block_on(scope.capture(plan, buffer)).ok()?;
    trace.analog(AnalogChannel::A)?.values().reduce(f32::max)
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut BUFFER: TraceBuffer = TraceBuffer::new();
    // SAFETY: this is the only owner of the peripherals, and it is entered once.
    let peripherals = unsafe { Peripherals::steal() };
    let (port, clock) =
        (BlockingStream(Port(peripherals.UART0)), PolledClock(Microseconds(peripherals.TIMER)));
    let mut scope = Scope::new(port, clock, LinkProfile::SERIAL);
    if open(&mut scope)
        && let Some(plan) = &plan(&scope)
        && let Some(volts) = peak(&mut scope, plan, BUFFER)
    {
        PEAK.store(volts.to_bits(), Ordering::Relaxed);
    }
    loop {
        core::hint::spin_loop();
    }
}
