//! From a job to a scope that is ready to capture.

use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{CapturePlan, PlanError, PlayMode, WaveformError, plan_waveform};
use scopething_core::scope::{GenerateError, Scope, ScopeError};
use thiserror::Error;

use super::job::{Generate, Job};
use crate::calibration_file::{CalibrationFile, CalibrationFileError};
use crate::generate::WaveTable;
use crate::link::{self, Link, LinkClock, LinkError, LinkUrl, OpenError, OpenLink};

/// A link that is open, and the calibration of the probes on it.
#[derive(Debug)]
pub struct Opened {
    /// The link.
    pub link: OpenLink,
    /// How volts and DACs hang together.
    pub probe: AnalogParameters,
}

/// Opens the link of a job, as often as it is lost.
pub trait Opener {
    /// Opens the link that `url` names, for the probes of this name.
    ///
    /// # Errors
    /// If there is no such link at present, or no such calibration.
    fn open(&mut self, url: &LinkUrl, probes: &str) -> impl Future<Output = Result<Opened, ConnectError>>;
}

/// The links of this computer, and the user's calibrations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Links;

impl Opener for Links {
    async fn open(&mut self, url: &LinkUrl, probes: &str) -> Result<Opened, ConnectError> {
        let url = link::resolve(url).await?;
        let missing =
            || ConnectError::NoCalibration { probes: probes.to_owned(), url: url.sound().to_string() };
        let probe = CalibrationFile::probe_of_user(&url, probes)?.ok_or_else(missing)?;
        Ok(Opened { link: link::open(&url).await?, probe })
    }
}

/// Why there is no scope to capture with.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The link does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing that makes sense answers.
    #[error(transparent)]
    Scope(#[from] ScopeError<LinkError>),
    /// Another scope answers than the job is for.
    #[error("the scope there is {found}, and this job is for {wanted}: plug {wanted} in, or change `serial`")]
    OtherScope {
        /// The serial number of the one that answers.
        found: String,
        /// The serial number of the job's.
        wanted: String,
    },
    /// The calibrations cannot be read.
    #[error(transparent)]
    Calibrations(#[from] CalibrationFileError),
    /// There is none for these probes.
    #[error("there is no calibration for probes {probes:?} at {url}: use x1, or calibrate them")]
    NoCalibration {
        /// The name of the probes.
        probes: String,
        /// The link.
        url: String,
    },
    /// With the calibration of these probes the capture is not possible.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The waveform is not possible.
    #[error(transparent)]
    Waveform(#[from] WaveformError),
    /// The words of the waveform make none.
    #[error("{0}")]
    WaveWords(String),
    /// The generators do not start.
    #[error(transparent)]
    Generate(#[from] GenerateError<LinkError>),
}

impl ConnectError {
    /// Whether the scope may be there, or another, when it is tried again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Open(OpenError::Sim(_)) => false,
            Self::Generate(error) => matches!(error, GenerateError::Scope(_)),
            Self::Open(_) | Self::Scope(_) | Self::OtherScope { .. } => true,
            _ => false,
        }
    }

    /// Whether it is there, and not the one that is wanted.
    #[must_use]
    pub fn is_other_scope(&self) -> bool {
        matches!(self, Self::OtherScope { .. } | Self::Scope(ScopeError::WrongRevision { .. }))
    }
}

/// A scope that captures what a job asks for.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) scope: Scope<Link, LinkClock>,
    pub(super) plan: CapturePlan,
    pub(super) serial: String,
}

/// Connects to the scope behind a link, if it is the one with this serial number, and starts what it generates.
pub(super) async fn connect(
    job: &Job,
    opened: Opened,
    wanted: Option<&str>,
) -> Result<Connected, ConnectError> {
    let Opened { link, probe } = opened;
    let mut scope = Scope::connect(link.stream, link.clock, link.profile).await?;
    let serial = scope.serial().map(|serial| serial.to_string()).unwrap_or_default();
    if let Some(wanted) = wanted.filter(|&wanted| wanted != serial) {
        return Err(ConnectError::OtherScope { found: serial, wanted: wanted.to_owned() });
    }
    generate(&job.generate, &mut scope).await?;
    let plan = scope.plan(&probe, &job.request)?;
    Ok(Connected { scope, plan, serial })
}

async fn generate(generate: &Generate, scope: &mut Scope<Link, LinkClock>) -> Result<(), ConnectError> {
    match generate {
        Generate::Nothing => {}
        Generate::Wave { words, table } => {
            let samples = table.as_ref().map_or(&[][..], WaveTable::samples);
            let request =
                words.request(samples).map_err(|error| ConnectError::WaveWords(error.to_string()))?;
            scope.start_waveform(&plan_waveform(&BS05, &request)?, PlayMode::Repeat).await?;
        }
        Generate::Clocks(plan) => scope.start_clocks(plan).await?,
        Generate::Levels { levels, .. } => scope.set_logic_outputs(*levels).await?,
    }
    Ok(())
}
