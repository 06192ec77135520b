//! `libscopething_core_c`: the core for firmware in C. The header is `include/scopething_core.h`, made of this; a test of `host/c`
//! compares the two.
//!
//! The driver runs over functions of the caller that read, write and report the time, in memory of the caller. There are no
//! globals, and there is no allocator; what a program does not call is not linked.
//!
//! `unsafe` is where C's pointers are: in [`memory`], in [`link`], and in the functions of the interface that call them.
#![no_std]
#![deny(clippy::undocumented_unsafe_blocks)]
// The contract of every pointer stands once, in the header's introduction.
#![allow(clippy::missing_safety_doc, reason = "every function has the same contract, which is in the header")]
#![allow(
    clippy::doc_markdown,
    reason = "these comments are those of the header, where backticks mean nothing"
)]
#![allow(unreachable_pub, reason = "what C sees is public by its symbol")]

// On a computer, where this is tested, its panic handler is used.
#[cfg(not(target_os = "none"))]
extern crate std;

mod generate;
mod link;
mod link_error;
mod memory;
mod request;
mod scope;
mod status;
mod stream;
mod trace;

/// The version of the binary interface. A library of another version cannot be used.
pub const SCOPETHING_CORE_ABI_VERSION: u32 = 0;

/// Channel A, in a set of channels.
pub const SCOPETHING_CORE_CHANNEL_A: u32 = 1;
/// Channel B.
pub const SCOPETHING_CORE_CHANNEL_B: u32 = 2;
/// Logic line L0; L1 is the next bit, and so on up to L7.
pub const SCOPETHING_CORE_CHANNEL_L0: u32 = 0x100;
/// All eight logic lines.
pub const SCOPETHING_CORE_CHANNEL_LOGIC: u32 = 0xff00;

/// The version of the binary interface of this library.
#[unsafe(no_mangle)]
pub extern "C" fn scopething_core_abi_version() -> u32 {
    SCOPETHING_CORE_ABI_VERSION
}

/// Nothing in the driver panics, which `core/c/test` sees in what was linked. Should it be mistaken, the processor raises a fault, so
/// that the firmware's own handler decides.
#[cfg(target_os = "none")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        #[cfg(target_arch = "arm")]
        // SAFETY: an undefined instruction raises an exception and changes nothing.
        unsafe {
            core::arch::asm!("udf #0", options(nomem, nostack));
        }
        core::hint::spin_loop();
    }
}
