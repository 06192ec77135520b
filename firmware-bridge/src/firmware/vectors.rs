//! The table of vectors in memory, for handlers that run while flash is written.

use core::cell::UnsafeCell;

/// As many as the table of vectors has; a whole number of the words of priorities.
pub(super) const INTERRUPTS: usize = if cfg!(feature = "rp235x") { 52 } else { 32 };

/// The vectors and handlers in memory: aligned as the register that names it wants it, to the next power of two of its size.
#[repr(align(512))]
struct Vectors(UnsafeCell<[u32; 16 + INTERRUPTS]>);

// SAFETY: it is written once, before any interrupt is enabled that uses it.
unsafe impl Sync for Vectors {}

static VECTORS: Vectors = Vectors(UnsafeCell::new([0; 16 + INTERRUPTS]));

/// Copies the table to memory, and has the processor use it there. To be called once, while no interrupt is enabled whose handler
/// is in memory.
pub(super) fn to_memory() {
    // SAFETY: the address of the table register; the table in flash has as many vectors, and the copy is used only
    // once it is complete.
    unsafe {
        let register = 0xe000_ed08 as *mut u32;
        let from = register.read_volatile() as *const u32;
        let to = VECTORS.0.get().cast::<u32>();
        for vector in 0..16 + INTERRUPTS {
            to.add(vector).write_volatile(from.add(vector).read_volatile());
        }
        cortex_m::asm::dsb();
        register.write_volatile(to as u32);
        cortex_m::asm::dsb();
        cortex_m::asm::isb();
    }
}
