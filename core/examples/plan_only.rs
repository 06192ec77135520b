//! Prints what would be captured: no device is needed, nothing is opened.
//!
//! ```sh
//! cargo run -p scopething-core --example plan_only
//! ```

use std::error::Error;

use scopething_core::device::BS05;
use scopething_core::plan::{BusyOutputs, CaptureRequest, Channel, plan_capture};

fn main() -> Result<(), Box<dyn Error>> {
    for (period_s, samples) in [(20e-6, 400), (1e-3, 1000), (0.5, 12_288)] {
        let request = CaptureRequest { period_s, samples, ..CaptureRequest::new([Channel::A, Channel::B]) };
        let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING)?;
        let rate_ms = plan.sample_rate_hz() * 1e-6;
        println!(
            "{period_s} s: {} samples at {rate_ms:.4} MS/s in mode {}",
            plan.timebase.samples, plan.mode.name
        );
        for notice in &plan.notices {
            println!("    {notice}");
        }
        for (register, value) in plan.registers() {
            println!("    {:<16} {value}", register.name());
        }
    }
    Ok(())
}
