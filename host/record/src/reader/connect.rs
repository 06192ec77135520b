//! From a job to a scope that is ready to capture.

use scopething_core::device::{AnalogParameters, Attenuation};
use scopething_core::plan::{Notice, PlanError, StreamPlan};
use scopething_core::scope::{GenerateError, NoSerialNumber, Recovery, ScopeError};
use scopething_sim::ReadPlayback;
use thiserror::Error;

use crate::job::Job;
use scopething::calibration_file::{CalibrationFile, CalibrationFileError};
use scopething::generate::GeneratorRequestError;
use scopething::link::{self, HostScope, LinkError, LinkUrl, OpenError, OpenLink, Port};
use scopething::settings;
use scopething::watched::WatchedCapture;
use scopething_waveform::waveform::Settings;

/// A link that is open, and the calibration of the probes on it.
#[derive(Debug)]
pub struct Opened {
    /// The link.
    pub link: OpenLink,
    /// Maps volts to DAC codes.
    pub probe: AnalogParameters,
}

/// Where a scope may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// The link.
    pub url: LinkUrl,
    /// The serial number of the scope that is there, where it is known already.
    pub other: Option<String>,
}

/// Finds the link of a job and opens it, as often as it is lost.
pub trait Opener {
    /// Where the scope with this serial number may be, the likeliest place first: somewhere, if `url` names one place.
    ///
    /// # Errors
    /// If there is no such place at present.
    fn places(
        &mut self,
        url: &LinkUrl,
        serial: Option<&str>,
    ) -> impl Future<Output = Result<Vec<Place>, ConnectError>>;

    /// Opens one of them, for the probes of this name.
    ///
    /// # Errors
    /// If there is no such link at present, or no such calibration.
    fn open(
        &mut self,
        url: &LinkUrl,
        probes: &str,
        attenuation: Option<Attenuation>,
    ) -> impl Future<Output = Result<Opened, ConnectError>>;

    /// Another scope than the job's is at this place: it should not be disturbed each time that the job's is looked for.
    fn leave_alone(&mut self, url: &LinkUrl, serial: &str);
}

/// The links of this computer, and the user's calibrations.
#[derive(Debug, Clone)]
pub struct Links {
    read: ReadPlayback,
    /// Ports with other scopes, as they were when those were found.
    others: Vec<(Adapter, String)>,
    adapters: Vec<Adapter>,
}

/// A port, and the serial number of the USB adapter that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Adapter {
    port: String,
    usb_serial: Option<String>,
}

impl Adapter {
    fn of(port: Port) -> Self {
        Self { port: port.name, usb_serial: port.usb.and_then(|usb| usb.serial_number) }
    }
}

impl Links {
    /// `read` is asked for the samples of simulated signals that play a file.
    #[must_use]
    pub fn new(read: ReadPlayback) -> Self {
        Self { read, others: Vec::new(), adapters: Vec::new() }
    }

    /// The ports present now. The others are forgotten: another scope may be plugged in there next.
    fn found(&mut self, ports: Vec<Port>, wanted: Option<&str>) -> Vec<Place> {
        self.adapters = ports.into_iter().map(Adapter::of).collect();
        let adapters = &self.adapters;
        self.others.retain(|(adapter, _)| adapters.contains(adapter));
        // The adapter may have the serial number of its scope. Then no other has to be tried.
        let named = |adapter: &&Adapter| wanted.is_some() && adapter.usb_serial.as_deref() == wanted;
        let named: Vec<_> = adapters.iter().filter(named).collect();
        let likely = if named.is_empty() { adapters.iter().collect() } else { named };
        let place = |adapter: &Adapter| Place {
            url: LinkUrl::Serial { port: adapter.port.clone() },
            other: self.others.iter().find(|(other, _)| other == adapter).map(|(_, serial)| serial.clone()),
        };
        likely.into_iter().map(place).collect()
    }
}

impl Opener for Links {
    async fn places(&mut self, url: &LinkUrl, serial: Option<&str>) -> Result<Vec<Place>, ConnectError> {
        if *url.as_paced_whole() != LinkUrl::FirstSerial {
            return Ok(vec![Place { url: url.clone(), other: None }]);
        }
        let ports = link::bitscope_ports().await?;
        let paced = |place: Place| Place { url: place.url.with_pacing(url.pacing()), ..place };
        Ok(self.found(ports, serial).into_iter().map(paced).collect())
    }

    async fn open(
        &mut self,
        url: &LinkUrl,
        probes: &str,
        attenuation: Option<Attenuation>,
    ) -> Result<Opened, ConnectError> {
        let missing =
            || ConnectError::NoCalibration { probes: probes.to_owned(), url: url.sound().to_string() };
        let probe = CalibrationFile::probe_attenuated(url, probes, attenuation)?.ok_or_else(missing)?;
        Ok(Opened { link: link::open_reading(url, self.read).await?, probe })
    }

    fn leave_alone(&mut self, url: &LinkUrl, serial: &str) {
        let LinkUrl::Serial { port } = url.sound() else { return };
        if let Some(adapter) = self.adapters.iter().find(|adapter| adapter.port == *port) {
            self.others.push((adapter.clone(), serial.to_owned()));
        }
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
    /// A scope without a serial number answers, and the job is for one that has it.
    #[error(
        "the scope there has no serial number ({reason}), and this job is for {wanted}: plug {wanted} in, or change `serial`"
    )]
    NoSerial {
        /// Why it has none.
        reason: NoSerialNumber,
        /// The serial number of the job's.
        wanted: String,
    },
    /// The job's scope is at none of several places.
    #[error("{}", attempts(places))]
    Nowhere {
        /// Where it was looked for, and what is there.
        places: Vec<(LinkUrl, ConnectError)>,
    },
    /// The calibrations cannot be read.
    #[error(transparent)]
    Calibrations(#[from] CalibrationFileError),
    /// There is none for these probes.
    #[error(
        "there is no calibration for probes {probes:?} at {url}: use x1 with an attenuation, or calibrate them"
    )]
    NoCalibration {
        /// The name of the probes.
        probes: String,
        /// The link.
        url: String,
    },
    /// With the calibration of these probes the capture is not possible.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What shall be generated is not possible.
    #[error(transparent)]
    GeneratorRequest(#[from] GeneratorRequestError),
    /// The generators do not start.
    #[error(transparent)]
    Generate(#[from] GenerateError<LinkError>),
}

fn attempts(places: &[(LinkUrl, ConnectError)]) -> String {
    let places = places.iter().map(|(url, error)| format!("at {url}: {error}"));
    places.collect::<Vec<_>>().join("; ")
}

impl ConnectError {
    /// The failures at several places as one.
    pub(crate) fn of_places(mut failures: Vec<(LinkUrl, Self)>) -> Self {
        match failures.pop() {
            None => OpenError::NoBitScope.into(),
            Some((_, only)) if failures.is_empty() => only,
            Some(last) => {
                failures.push(last);
                Self::Nowhere { places: failures }
            }
        }
    }

    /// Whether the scope may be there, or another, when it is tried again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Open(OpenError::Sim(_)) => false,
            Self::Generate(error) => matches!(error, GenerateError::Scope(_)),
            Self::Open(_)
            | Self::Scope(_)
            | Self::OtherScope { .. }
            | Self::NoSerial { .. }
            | Self::Nowhere { .. } => true,
            _ => false,
        }
    }

    /// Whether another scope than the job's is connected.
    #[must_use]
    pub fn is_other_scope(&self) -> bool {
        match self {
            Self::OtherScope { .. } | Self::NoSerial { .. } => true,
            Self::Scope(error) => error.recovery() == Recovery::Fatal,
            Self::Nowhere { places } => places.iter().any(|(_, error)| error.is_other_scope()),
            _ => false,
        }
    }
}

/// What a job requires of the scope.
#[derive(Debug)]
pub(crate) enum Planned {
    /// Traces one by one.
    Traces(Box<WatchedCapture>),
    /// A stream, cut into traces.
    Stream(Box<StreamPlan>),
}

impl Planned {
    /// Deviations from the request.
    pub(crate) fn notices(&self) -> &[Notice] {
        match self {
            Self::Traces(capture) => &capture.plan.notices,
            Self::Stream(plan) => &plan.notices,
        }
    }
}

/// A scope that captures what a job asks for.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) scope: HostScope,
    pub(crate) plan: Planned,
    /// None if it has none.
    pub(crate) serial: Option<String>,
    /// What its traces are made with.
    pub(crate) settings: Settings,
}

/// Connects to the scope behind a link, if it is the one with this serial number, and starts what it generates.
pub(crate) async fn connect(
    job: &Job,
    link: OpenLink,
    probe: AnalogParameters,
    wanted: Option<&str>,
) -> Result<Connected, ConnectError> {
    let mut scope = link.connect().await?;
    if let Some(unknown) = scope.unknown_revision() {
        tracing::warn!("{unknown}");
    }
    let serial = scope.read_serial().await?.map(|serial| serial.to_string());
    match (&serial, wanted.map(str::to_owned)) {
        (Ok(found), Some(wanted)) if *found != wanted => {
            return Err(ConnectError::OtherScope { found: found.clone(), wanted });
        }
        (&Err(reason), Some(wanted)) => return Err(ConnectError::NoSerial { reason, wanted }),
        _ => {}
    }
    if let Some(wanted) = &job.generate {
        wanted.plan()?.start(&mut scope).await?;
    }
    scope.set_probe(probe);
    let (plan, settings) = match &job.stream {
        None => {
            let plan = scope.plan(&job.request)?;
            let settings = settings::of_capture(&job.request, &plan);
            let mut capture = WatchedCapture::new(&scope, &job.request, plan);
            capture.verify = job.verify;
            (Planned::Traces(Box::new(capture)), settings)
        }
        Some(stream) => {
            let plan = scope.plan_stream(&stream.request)?;
            let settings = settings::of_stream(&stream.request, &plan);
            (Planned::Stream(Box::new(plan)), settings)
        }
    };
    let serial = serial.ok();
    // When each trace was made is in its stamp; how long ago the clock was compared would differ with each connection.
    let wall_clock = settings::wall_clock();
    let settings = Settings {
        device: Some(format!("{} {}", scope.model().name, scope.revision())),
        serial_number: serial.clone(),
        program: Some(concat!("scopething ", env!("CARGO_PKG_VERSION")).to_owned()),
        wall_clock: Some(
            wall_clock.split_once(" s ago").map_or(wall_clock.as_str(), |_| "synchronised").to_owned(),
        ),
        ..settings
    };
    Ok(Connected { scope, plan, serial, settings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething::link::UsbDevice;

    fn port(name: &str, usb_serial: Option<&str>) -> Port {
        let usb = UsbDevice {
            vendor: 0x0403,
            product: 0x6001,
            manufacturer: None,
            product_name: None,
            serial_number: usb_serial.map(str::to_owned),
        };
        Port { name: name.to_owned(), usb: Some(usb), bridge: None, obstacle: None }
    }

    fn places(
        links: &mut Links,
        ports: &[(&str, Option<&str>)],
        wanted: &str,
    ) -> Vec<(String, Option<String>)> {
        let ports = ports.iter().map(|&(name, serial)| port(name, serial)).collect();
        let places = links.found(ports, Some(wanted)).into_iter();
        places.map(|place| (place.url.to_string(), place.other)).collect()
    }

    #[test]
    fn only_matching_adapter_is_tried() {
        let mut links = Links::new(scopething_sim::no_files);
        let ports = [("/dev/ttyUSB0", Some("FT000001")), ("/dev/ttyUSB1", Some("DB98TI79"))];
        assert_eq!(places(&mut links, &ports, "DB98TI79"), [("/dev/ttyUSB1".to_owned(), None)]);
        assert_eq!(places(&mut links, &ports, "DB000000").len(), 2);
    }

    #[test]
    fn other_scope_is_remembered_while_plugged_in() {
        let mut links = Links::new(scopething_sim::no_files);
        let (one, two) = (("/dev/ttyUSB0", None), ("/dev/ttyUSB1", None));
        places(&mut links, &[one, two], "DB98TI79");
        links.leave_alone(&LinkUrl::Serial { port: "/dev/ttyUSB0".to_owned() }, "XX000001");
        let found = places(&mut links, &[one, two], "DB98TI79");
        assert_eq!(found[0], ("/dev/ttyUSB0".to_owned(), Some("XX000001".to_owned())));
        assert_eq!(found[1].1, None);
        places(&mut links, &[two], "DB98TI79");
        assert_eq!(places(&mut links, &[one, two], "DB98TI79")[0].1, None, "it was unplugged");
        links.leave_alone(&LinkUrl::Serial { port: "/dev/ttyUSB0".to_owned() }, "XX000001");
        let replaced = [("/dev/ttyUSB0", Some("FT000002")), two];
        assert_eq!(places(&mut links, &replaced, "DB98TI79")[0].1, None, "another adapter is there");
    }
}
