//! Captures channel A with tokio, and gives up the wait for a trigger after half a second.
//!
//! ```sh
//! scopething simulate --tcp 127.0.0.1:5025 &
//! cargo run -p scopething-core --example capture_tokio -- 127.0.0.1:5025
//! ```

use std::error::Error;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use scopething_core::plan::{AnalogChannel, CaptureRequest, Channel};
use scopething_core::scope::{CaptureOptions, LinkProfile, Scope};
use scopething_core::time::{Clock, Instant};
use scopething_core::trace::TraceBuffer;
use tokio::net::TcpStream;

/// Tokio's clock.
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant(self.0.elapsed().as_micros() as u64)
    }

    async fn until(&self, deadline: Instant) {
        tokio::time::sleep_until(self.0 + Duration::from_micros(deadline.0)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:5025".to_owned());
    let stream = FromTokio::new(TcpStream::connect(address).await?);
    let clock = TokioClock(tokio::time::Instant::now());

    let mut scope = Scope::connect(stream, clock, LinkProfile::NETWORK).await?;
    let request = CaptureRequest { level: Some(5.0), high: Some(8.0), ..CaptureRequest::new(Channel::A) };
    let plan = scope.plan(&request)?;
    let mut buffer = TraceBuffer::new();
    let enough = tokio::time::sleep(Duration::from_millis(500));
    let trace = scope.capture_with(&plan, &mut buffer, CaptureOptions::new().cancelled_by(enough)).await?;
    let a = trace.analog(AnalogChannel::A).ok_or("channel A was asked for")?;
    println!("{} samples, ended by {}", a.len(), trace.end_reason());
    Ok(())
}
