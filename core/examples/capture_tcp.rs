//! Captures channel A over TCP with the standard library alone.
//!
//! ```sh
//! scopething simulate --tcp 127.0.0.1:5025 &
//! cargo run -p scopething-core --features std --example capture_tcp -- 127.0.0.1:5025
//! ```

use std::error::Error;
use std::net::TcpStream;
use std::time::Duration;

use scopething_core::blocking::{StdClock, StdStream, block_on};
use scopething_core::plan::{AnalogChannel, CaptureRequest, Channel};
use scopething_core::scope::{LinkProfile, Scope};
use scopething_core::trace::TraceBuffer;

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:5025".to_owned());
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(5)))?;
    stream.set_nodelay(true)?;

    let mut scope = block_on(Scope::connect(StdStream(stream), StdClock::new(), LinkProfile::NETWORK))?;
    let request = CaptureRequest { period_s: 5e-3, timeout_s: Some(0.1), ..CaptureRequest::new(Channel::A) };
    let plan = scope.plan(&request)?;
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer))?;
    let a = trace.analog(AnalogChannel::A).ok_or("channel A was asked for")?;
    println!("{} samples, ended by {}", a.len(), trace.end_reason());
    for (index, volts) in a.values().enumerate().take(10) {
        println!("{:.6} s  {volts:.3} V", a.times.time_s(index));
    }
    Ok(())
}
