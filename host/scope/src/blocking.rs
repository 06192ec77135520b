//! A connected device for callers that block, as the bindings to other languages do: a runtime goes with it, on which the
//! thread that has the device runs each operation to its end.

use std::time::Duration;

use scopething_core::device::AnalogParameters;
use scopething_sim::ReadPlayback;
use tokio::runtime::{self, Runtime};

use super::calibration_file::CalibrationFile;
use super::failure::{Failure, Kind};
use super::generate::stop;
use super::link::{self, HostScope, LinkUrl};

/// How long closing may take: a device that answers takes some milliseconds.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A runtime for the operations of one device, on the thread that calls it.
///
/// # Errors
/// [`Kind::LinkLost`] if the operating system gives none.
pub fn runtime() -> Result<Runtime, Failure> {
    let built = runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::of(Kind::LinkLost, &error))
}

/// Connects to the device at a URL, and gives the URL of the port that was found where none was named. `read` is asked for
/// the samples of a simulated signal that plays a file.
///
/// # Errors
/// As [`link::resolve`], [`link::open_reading`] and [`link::OpenLink::connect`].
///
/// # Cancellation
/// Dropping the future closes what it has opened.
pub async fn connect(url: &LinkUrl, read: ReadPlayback) -> Result<(LinkUrl, HostScope), Failure> {
    let url = link::resolve(url).await?;
    let link = link::open_reading(&url, read).await?;
    let scope = link.connect().await.map_err(Failure::connecting)?;
    Ok((url, scope))
}

/// The parameters of a probe, from the user's file of calibrations, or the nominal ones of `x1`.
///
/// # Errors
/// [`Kind::Usage`] for a probe that was not calibrated, and what is wrong with the file.
pub fn probe_of_user(url: &LinkUrl, name: &str) -> Result<AnalogParameters, Failure> {
    CalibrationFile::probe_of_user(url, name)?.ok_or_else(|| {
        let place = CalibrationFile::of_user().map(|file| format!(" in {}", file.path().display()));
        Failure::usage(format!(
            "there is no calibration for probe {name:?}{}{}: use x1, or calibrate it",
            match url {
                LinkUrl::FirstSerial => String::new(),
                url => format!(" at {}", url.sound()),
            },
            place.unwrap_or_default()
        ))
    })
}

/// Leaves a device at rest, before its link is closed: what it generates is stopped. One that `is_disturbed`, since an operation
/// was given up in the middle, is reset before. Takes 2 s at most.
pub fn leave(runtime: &Runtime, scope: &mut HostScope, is_disturbed: bool) {
    let leaving = async {
        if is_disturbed {
            // Which resets it.
            scope.check_presence().await.ok();
        }
        stop(scope).await.ok();
    };
    // A device that does not answer any more cannot be helped.
    let _ = runtime.block_on(async { tokio::time::timeout(CLOSE_TIMEOUT, leaving).await });
}
