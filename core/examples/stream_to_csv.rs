//! Streams channel A for a second into a CSV file, or to standard output. Missing frames show in the times.
//!
//! ```sh
//! scopething simulate --tcp 127.0.0.1:5025 &
//! cargo run -p scopething-core --features std --example stream_to_csv -- 127.0.0.1:5025 > a.csv
//! ```

use std::error::Error;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use scopething_core::blocking::{StdClock, StdStream, block_on};
use scopething_core::plan::{AnalogChannel, Channel, StreamRequest};
use scopething_core::scope::{LinkProfile, Scope, StreamFrame};

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:5025".to_owned());
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_millis(5)))?;
    stream.set_nodelay(true)?;

    let mut scope = block_on(Scope::connect(StdStream(stream), StdClock::new(), LinkProfile::NETWORK))?;
    let plan = scope.plan_stream(&StreamRequest::new(Channel::A.into(), 2500.0))?;
    let place = plan.place(Channel::A).ok_or("channel A was asked for")?;
    let (scale, frame_s) = (plan.scale(AnalogChannel::A), 1.0 / plan.frame_rate_hz());

    let mut out = std::io::stdout().lock();
    writeln!(out, "time,A")?;
    let mut frames = [StreamFrame::default(); 64];
    let mut stream = block_on(scope.start_stream(&plan))?;
    while (stream.totals().frames as f64) * frame_s < 1.0 {
        let chunk = block_on(stream.read(&mut frames))?;
        for (number, frame) in (chunk.first..).zip(chunk.frames) {
            let step = frame.samples.get(place).copied().unwrap_or_default();
            writeln!(out, "{:.6},{:.4}", number as f64 * frame_s, scale.value(step.into()))?;
        }
    }
    let totals = block_on(stream.finish())?;
    eprintln!("{} frames, {} lost in {} gaps", totals.frames, totals.lost, totals.gaps);
    Ok(())
}
