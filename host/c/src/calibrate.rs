//! Calibrating a probe.

use std::ffi::{c_char, c_void};
use std::ops::ControlFlow;

use host::bindings::run_asking;
use host::calibration_file::CalibrationFile;
use host::failure::Failure;
use scopething_core::calibration::CalibrationRequest;
use scopething_core::device::{AnalogParameters, Attenuation, BS05};
use scopething_core::trace::TraceBuffer;

use crate::call::call;
use crate::capture::scopething_progress;
use crate::memory::{Out, optional_text};
use crate::request;
use crate::scope::{Scope, scopething_scope};
use crate::status::{ScopethingError, ScopethingStatus, Stop};
use crate::table;

/// How well a calibration fits.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCalibration {
    /// How far the levels are off their true voltage: rms.
    pub residual_v: f64,
    /// The same as a part of the range that each was measured with.
    pub residual_of_range: f64,
    /// Levels that were used.
    pub used: u32,
    /// Levels that were too far off.
    pub rejected: u32,
}

/// Calibrates a probe on channel A, B or both, whose tips are on the clock output (L5). `grid` points are measured each way, 32 is
/// usual; `progress` may be NULL. With `save` it is kept in the user's file of calibrations; the scope uses it at once either way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_calibrate(
    scope: scopething_scope,
    probe: *const c_char,
    channels: u32,
    grid: u32,
    save: bool,
    progress: scopething_progress,
    user: *mut c_void,
    calibration: *mut ScopethingCalibration,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (probe, mut out) = unsafe {
            (optional_text(probe, "probe")?.unwrap_or("x1"), Out::new(calibration, "calibration")?)
        };
        let channels = request::channel_set(channels)?;
        let grid = u16::try_from(grid).map_err(|_| Stop::argument(format!("grid is {grid}: 32 is usual")))?;
        let scope = table::get::<Scope>(scope)?;
        let file = CalibrationFile::of_user();
        let file = if save {
            let missing =
                || Stop::argument("there is no home directory to keep calibrations in: do not save");
            Some(file.ok_or_else(missing)?)
        } else {
            file
        };
        let section = CalibrationFile::section_of(scope.url.sound());
        if save {
            // Not only when it is found.
            CalibrationFile::check(&section, probe)?;
        }
        if let Some(file) = &file {
            file.check_unmultiplied(&section, probe)?;
        }
        let known = file.as_ref().and_then(|file| file.read(&section, probe).ok().flatten());
        let before = known.unwrap_or(BS05.analog);
        let wanted = CalibrationRequest { channels, grid, ..CalibrationRequest::new(before) };
        let mut lease = scope.lease("a calibration")?;
        let mut buffer = Box::new(TraceBuffer::new());
        let work = |ask: &mut dyn FnMut((u32, u32)) -> Option<bool>| {
            lease.run(async |scope| {
                let calibrating = scope.calibrate(&wanted, &mut buffer, |at| {
                    let goes_on =
                        progress.is_none() || ask((at.done.into(), (at.done + at.left).into())) == Some(true);
                    if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
                calibrating.await.map_err(|error| Stop::from(Failure::from(error)))
            })
        };
        let found = run_asking(work, |(done, total)| {
            // SAFETY: the caller promises a function that may be called with `user`.
            progress.is_none_or(|progress| unsafe { progress(user, done, total) } == 0)
        })??;
        let device = lease.parts().0;
        let usual =
            device.calibrated.iter().find(|(name, _)| name == probe).map(|(_, known)| known.attenuation);
        let attenuation = usual.or(known.map(|known| known.attenuation)).unwrap_or(Attenuation::NONE);
        device.calibrated.retain(|(name, _)| name != probe);
        device.calibrated.push((probe.to_owned(), AnalogParameters { attenuation, ..found.parameters }));
        if let (true, Some(file)) = (save, file) {
            file.write(&section, probe, &found.parameters)?;
        }
        out.set(ScopethingCalibration {
            residual_v: found.residual_volts,
            residual_of_range: found.residual_of_range,
            used: found.used,
            rejected: found.rejected,
        });
        Ok(())
    })
}
