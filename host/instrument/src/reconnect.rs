//! A device that was unplugged, until it is plugged in again.

use std::pin::Pin;
use std::time::Duration;

use scopething_core::scope::LinkProfile;

use crate::event::Event;
use crate::handle::{Handle, NO_SERIAL};
use scopething::link::{HostScope, LinkClock, OpenError, OpenLink};
use scopething::timer;

/// From one attempt to open the link to the next.
const RECONNECT_INTERVAL: Duration = Duration::from_secs(1);

/// Opens the link to the device anew, each time that it is called.
pub type Reopen = Box<dyn FnMut() -> Pin<Box<dyn Future<Output = Result<OpenLink, OpenError>>>>>;

/// Tries until the same device is there. Why it is not there yet is reported once for each reason.
pub(crate) async fn reconnected(reopen: &mut Reopen, handle: &Handle) -> (HostScope, LinkClock, LinkProfile) {
    let mut known = String::new();
    loop {
        timer::sleep(RECONNECT_INTERVAL).await;
        match attempt(reopen, &handle.serial).await {
            Ok(found) => return found,
            Err(reason) if reason == known => {}
            Err(reason) => {
                handle.report(Event::Notice(format!("the BitScope is not back: {reason}")));
                known = reason;
            }
        }
    }
}

async fn attempt(reopen: &mut Reopen, serial: &str) -> Result<(HostScope, LinkClock, LinkProfile), String> {
    let link = reopen().await.map_err(|error| error.to_string())?;
    let (clock, profile) = (link.clock.clone(), link.profile);
    let mut scope = link.connect().await.map_err(|error| error.to_string())?;
    let found = scope.read_serial().await.map_err(|error| error.to_string())?;
    let found = found.map_or_else(|_| NO_SERIAL.to_owned(), |found| found.to_string());
    // Clients have been given its number, and its probes are calibrated.
    if found == serial {
        Ok((scope, clock, profile))
    } else {
        Err(format!("{found} is there, plug {serial} in"))
    }
}
