//! `scopething serve`: lets other programs use the BitScope over the network, as instruments they know.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::capture_arguments::{ProbeArgument, UrlArgument};
use super::event_log::EventLog;
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::message::print_warning;
use scopething::calibration_file::CalibrationFile;
use scopething::link::{self, LinkUrl};
use scopething_core::device::AnalogParameters;
use scopething_files::playback;
use scopething_serve::{Addresses, Allow, Listen, Network, ServeError, Server, WebLinks};

const EXAMPLES: &str = "\
Examples:
  scopething serve --hmo 127.0.0.1:5025
      For PulseView and sigrok-cli: hameg-hmo:conn=tcp-raw/127.0.0.1/5025
  scopething serve --url 'sim:?A=sine,1kHz,-2..2V' --hmo 127.0.0.1:0
      The simulated BitScope; port 0 takes a free port, which is printed first
  scopething serve --web 127.0.0.1:8080
      In a browser: open the link that is printed
  scopething serve --hmo 0.0.0.0:5025 --allow 192.168.1.0/24
      For other machines of that network as well";

/// Which BitScope is served, and with which probe.
#[derive(Debug, Args)]
pub(super) struct ServedDevice {
    #[command(flatten)]
    url: UrlArgument,
    #[command(flatten)]
    probe: ProbeArgument,
}

/// Let other programs use the BitScope over the network
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    device: ServedDevice,
    /// Give the device itself to clients of a bitscope-server (UDP) here, one at a time
    #[arg(long, value_name = "ADDR")]
    bitscope_server: Option<String>,
    /// Give the device itself to TCP clients here, one at a time
    #[arg(long, value_name = "ADDR")]
    tcp: Option<String>,
    /// Listen here as a Hameg HMO1002 (sigrok's hameg-hmo, with tcp-raw)
    #[arg(long, value_name = "ADDR")]
    hmo: Option<String>,
    /// Listen here as a Rigol MSO2072A (sigrok's rigol-ds, with tcp-raw)
    #[arg(long, value_name = "ADDR")]
    rigol: Option<String>,
    /// Listen here as a Rigol MSO2072A whose answers have their length before them (with tcp-rigol)
    #[arg(long, value_name = "ADDR")]
    rigol_framed: Option<String>,
    /// Listen here, and at the next port, for ngscopeclient (driver pico, transport twinlan)
    #[arg(long, value_name = "ADDR")]
    twinlan: Option<String>,
    /// Show the oscilloscope to browsers here
    #[arg(long, value_name = "ADDR")]
    web: Option<String>,
    /// Serve clients of this network too, such as 192.168.1.0/24 or 192.168.1.7 (may be given several times)
    #[arg(long, value_name = "NETWORK")]
    allow: Vec<Network>,
    /// Let clients of --tcp and --bitscope-server write the EEPROM, which holds the serial number
    #[arg(long)]
    allow_eeprom_writes: bool,
    /// Do not announce the services to the networks that are allowed, where `scopething list --network` finds them
    #[arg(long)]
    no_announce: bool,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let places = Listen {
            bitscope_server: self.bitscope_server.clone(),
            tcp: self.tcp.clone(),
            hmo: self.hmo.clone(),
            rigol: self.rigol.clone(),
            rigol_framed: self.rigol_framed.clone(),
            twinlan: self.twinlan.clone(),
            web: self.web.clone(),
            allow: Allow::new(self.allow.clone()),
            eeprom_writes: self.allow_eeprom_writes,
            unannounced: self.no_announce,
        };
        if places.is_nowhere() {
            return Err(Failure::Usage(anyhow::anyhow!(
                "there is no address to serve on: give at least one of --bitscope-server, --tcp, --hmo, --rigol, \
                 --rigol-framed, --twinlan, --web"
            )));
        }
        serve(&self.device, &places, |_| {}).await
    }
}

/// Serves at these places until Ctrl-C; `opened` is called with the links to the page, if there is one, when they work.
pub(super) async fn serve(
    device: &ServedDevice,
    places: &Listen,
    opened: impl FnOnce(&WebLinks),
) -> Result<(), Failure> {
    let interrupts = Interrupts::watch();
    let server = tokio::select! {
        server = open_server(device, places) => server?,
        () = interrupts.reached(1) => return Err(Failure::Cancelled),
    };
    let links = server.web_links();
    print_addresses(&server.addresses(), links.as_ref())?;
    if let Some(links) = &links {
        opened(links);
    }
    let mut log = EventLog::start();
    // A second one gives up waiting for the device to come to rest.
    tokio::select! {
        served = server.run_until(interrupts.reached(1), |event| log.take(&event)) => served.map_err(refused),
        () = interrupts.reached(2) => Err(Failure::Cancelled),
    }
}

/// Opens the device, and listens at these places. A device that is unplugged later is waited for.
pub(super) async fn open_server(device: &ServedDevice, places: &Listen) -> Result<Server, Failure> {
    let url = device.url.parse()?.unwrap_or(LinkUrl::FirstSerial);
    // Calibrations are those of a port, whatever it is the first of later.
    let found = link::resolve(&url).await.map_err(Failure::from)?;
    let probe = device.probe.parameters(&found, None)?;
    let (section, probes) = (CalibrationFile::section_of(found.sound()), device.probe.name()?.to_owned());
    let link = link::open_reading(&found, playback::read).await.map_err(Failure::from)?;
    let server = Server::open(link, probe, places).await.map_err(refused)?;
    if let Some(unknown) = server.unknown_revision() {
        print_warning!("{unknown}");
    }
    let server = server.keeping_calibrations(Box::new(move |parameters| keep(&section, &probes, parameters)));
    if let Some(error) = server.not_announced() {
        print_warning!("{error}");
    }
    Ok(server.reconnecting(move || {
        let url = url.clone();
        async move { link::open_reading(&url, playback::read).await }
    }))
}

/// Keeps a calibration where `scopething calibrate` does; returns where.
fn keep(section: &str, probes: &str, parameters: &AnalogParameters) -> Result<String, String> {
    let file = CalibrationFile::of_user().ok_or("there is no home directory to keep calibrations in")?;
    file.write(section, probes, parameters).map_err(|error| error.to_string())?;
    Ok(format!("{probes} of {section} in {}", file.path().display()))
}

/// Wrong usage, or a failure of the device or an address.
pub(super) fn refused(error: ServeError) -> Failure {
    match error {
        ServeError::Open(_) => Failure::Usage(anyhow::anyhow!("{error} (--allow)")),
        ServeError::Listen(error) if error.is_of_form() => Failure::usage(error),
        ServeError::NoNextPort { .. } => Failure::usage(error),
        ServeError::Device(error) => Failure::from(error),
        error => Failure::failed(error),
    }
}

fn print_addresses(addresses: &Addresses, links: Option<&WebLinks>) -> io::Result<()> {
    let text = |address: Option<std::net::SocketAddr>| address.map(|address| address.to_string());
    let mut out = io::stdout();
    let line = json!({
        "bitscope_server": text(addresses.bitscope_server),
        "tcp": text(addresses.tcp),
        "hmo": text(addresses.hmo),
        "rigol": text(addresses.rigol),
        "rigol_framed": text(addresses.rigol_framed),
        "twinlan": text(addresses.twinlan),
        "web": text(addresses.web),
        "web_link": links.map(|links| &links.control),
        "web_view_link": links.map(|links| &links.view),
    });
    writeln!(out, "{line}")?;
    out.flush()
}
