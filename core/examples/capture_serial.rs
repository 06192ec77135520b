//! Captures channel A over a serial port.
//!
//! ```sh
//! cargo run -p scopething-core --features std --example capture_serial -- /dev/ttyUSB0
//! ```

use std::error::Error;
use std::time::Duration;

use scopething_core::blocking::{StdClock, StdStream, block_on};
use scopething_core::plan::{AnalogChannel, CaptureRequest, Channel};
use scopething_core::scope::{LinkProfile, Scope};
use scopething_core::trace::TraceBuffer;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("name a port: /dev/ttyUSB0, COM3")?;
    let mut port = serialport::new(name, 115_200).timeout(Duration::from_millis(5)).open()?;
    // Some adapters keep the device in reset without these.
    port.write_data_terminal_ready(true)?;
    port.write_request_to_send(true)?;

    let mut scope = block_on(Scope::connect(StdStream(port), StdClock::new(), LinkProfile::SERIAL))?;
    let request = CaptureRequest { timeout_s: Some(0.1), ..CaptureRequest::new(Channel::A) };
    let plan = scope.plan(&request)?;
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer))?;
    let a = trace.analog(AnalogChannel::A).ok_or("channel A was asked for")?;
    let (low, high) = a.values().fold((f32::MAX, f32::MIN), |(low, high), v| (low.min(v), high.max(v)));
    println!("{} samples from {low:.3} to {high:.3} V, ended by {}", a.len(), trace.end_reason());
    Ok(())
}
