//! Calibrates simulated devices that are off nominal, and prints how far known voltages are read off
//! afterwards:
//! `cargo bench -p scopething-sim --bench calibration -- 100`.
//!
//! The devices are those of `host/sim/tests/calibrate.rs`, seeds counted from 0; without a number there are ten.
//! Every parameter is off by up to 10 %, with 5 mV of noise.

#[path = "../tests/off_nominal/mod.rs"]
mod off_nominal;

use std::time::{Duration, Instant};

use off_nominal::{Device, LIMIT};
use scopething_core::device::BS05;

fn main() {
    let seeds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(10_u32);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    println!("{:>4} {:>12} {:>12} {:>12} {:>10}", "seed", "before", "after", "residual", "took");
    let (mut worst, mut longest, mut met) = (0.0_f64, Duration::ZERO, 0);
    for seed in 0..seeds {
        let device = Device::new(seed);
        let started = Instant::now();
        let found = runtime.block_on(device.calibrate(32)).expect("a simulated device calibrates");
        let took = started.elapsed();
        let before = runtime.block_on(device.worst_misread(&BS05.analog));
        let after = runtime.block_on(device.worst_misread(&found.parameters));
        println!(
            "{seed:>4} {:>10.3} % {:>10.3} % {:>9.2} mV {:>8.2} s",
            before * 100.0,
            after * 100.0,
            found.residual_volts * 1e3,
            took.as_secs_f64()
        );
        met += u32::from(after <= LIMIT);
        worst = worst.max(after);
        longest = longest.max(took);
    }
    println!(
        "{met} of {seeds} within {} % of the range; worst {:.3} %, longest {:.2} s",
        LIMIT * 100.0,
        worst * 100.0,
        longest.as_secs_f64()
    );
}
