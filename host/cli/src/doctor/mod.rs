//! `scopething doctor`: what stands between a user and a scope.

mod linux;
mod report;

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use scopething_core::plan::{AnalogChannel, CaptureRequest};
use scopething_core::scope::Pacing;
use scopething_core::trace::TraceBuffer;
use serde_json::json;

use self::report::{Finding, Report};
use super::capture_arguments::UrlArgument;
use super::config_file::ConfigFile;
use super::failure::Failure;
use super::identity::Identity;
use super::port_users;
use super::progress::with_progress;
use scopething::calibration_file::CalibrationFile;
use scopething::link::{self, LinkUrl, OpenError};
use scopething_files::playback;

/// How many captures show whether bytes are lost.
const CAPTURES: usize = 5;
/// How long they have, behind whatever link.
const CAPTURES_TIMEOUT: Duration = Duration::from_secs(20);

const EXAMPLES: &str = "\
Examples:
  scopething doctor
      Driver, permissions, latency timer, who uses the port, ModemManager, resets of the USB hub, and whether it answers
      and captures
  scopething doctor --url socket://lab.example:5025
      The same for another link
  scopething doctor --report
      All that a bug report needs, as text to be pasted

The exit code is 1 if something stands in the way. A BitScope that is free is connected to, which resets it.";

/// Look for what stands between you and a scope
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    /// Print a text for a bug report: the findings with versions and kernel messages
    #[arg(long, conflicts_with = "json")]
    report: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let mut report = Report::default();
        report.add(settings());
        let url = match self.url.parse() {
            Ok(url) => url.unwrap_or_default(),
            // The settings that are not understood are the problem, which would name the link.
            Err(_) if report.has_problem() && matches!(self.url.given(), Ok(None)) => {
                self.print(&report)?;
                return Err(Failure::Reported(1));
            }
            Err(failure) => {
                report.add([Finding::problem(
                    "link",
                    "the link that is named is not understood",
                    "correct --url, SCOPETHING_URL or config.toml",
                )]);
                self.print(&report)?;
                return Err(failure);
            }
        };
        report.add([Finding::fine(
            "program",
            &format!("scopething {} for {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS),
        )]);
        let port = port_of(&url, &mut report).await?;
        if cfg!(target_os = "linux") {
            let system = linux::System::running();
            report.add(system.examine(port.as_deref()));
            report.kernel = system.kernel_messages();
        }
        if let Some(port) = &port {
            report.add([users(port)]);
        }
        if port.is_some() || !matches!(url.sound(), LinkUrl::FirstSerial | LinkUrl::Serial { .. }) {
            let answer = answer(&url).await;
            let answers = answer.is_fine();
            report.add([answer]);
            if answers {
                report.add([captures(&url).await]);
            }
        }
        self.print(&report)?;
        if report.has_problem() { Err(Failure::Reported(1)) } else { Ok(()) }
    }

    fn print(&self, report: &Report) -> Result<(), Failure> {
        let text = if self.json {
            format!("{}\n", json!({ "findings": report.findings, "kernel": report.kernel }))
        } else if self.report {
            report.for_bug_report()
        } else {
            report.to_string()
        };
        let mut out = crate::terminal::stdout();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// The serial port that a link leads to, if it does and there is one.
async fn port_of(url: &LinkUrl, report: &mut Report) -> Result<Option<String>, Failure> {
    let named = match url.sound() {
        LinkUrl::Serial { port } => Some(port.clone()),
        // Of several ports with its USB id, the one where a BitScope answers, or else one that could not be asked.
        LinkUrl::FirstSerial => match link::resolve(url.sound()).await {
            Ok(LinkUrl::Serial { port })
            | Err(
                OpenError::PortInUse { port }
                | OpenError::PortForbidden { port }
                | OpenError::NoPort { port }
                | OpenError::Port { port, .. },
            ) => Some(port),
            Err(error @ OpenError::NoneAnswers { .. }) => {
                let remedy = "unplug it, wait a moment and plug it in again; or name its port with --url";
                report.add([Finding::problem("port", &error.to_string(), remedy)]);
                return Ok(None);
            }
            _ => None,
        },
        _ => return Ok(None),
    };
    // Opening ports blocks.
    let ports = tokio::task::spawn_blocking(link::list_ports).await.map_err(io::Error::other)?;
    let ports = match ports {
        Ok(ports) => ports,
        Err(error) => {
            report.add([Finding::problem("ports", &error.to_string(), "name the port with --url")]);
            return Ok(named);
        }
    };
    let found = match &named {
        Some(name) => ports.into_iter().find(|port| is_same(&port.name, name)),
        None => ports.into_iter().find(link::Port::is_bitscope),
    };
    let Some(found) = found else {
        report.add([match &named {
            Some(name) if Path::new(name).exists() => {
                Finding::fine("port", &format!("{name}, which is not in the system's list of serial ports"))
            }
            Some(name) => Finding::problem(
                "port",
                &format!("there is no serial port {name}"),
                "plug the BitScope in, and see `scopething list` for the ports that there are",
            ),
            None => Finding::problem(
                "port",
                "no serial port has the USB id of a BitScope, 0403:6001",
                "plug it in, by another cable or into another socket; one that is far away is named by --url",
            ),
        }]);
        return Ok(named.filter(|name| Path::new(name).exists()));
    };
    let usb = found.usb.as_ref().map(|usb| format!(", {usb}")).unwrap_or_default();
    report.add([Finding::fine("port", &format!("{}{usb}", found.name))]);
    report.add(match found.obstacle {
        None | Some(OpenError::PortInUse { .. }) => None,
        Some(OpenError::PortForbidden { .. }) => Some(Finding::problem(
            "open",
            &format!("you may not open {}", found.name),
            "run `sudo scopething setup --install`, then log in again",
        )),
        Some(obstacle) => Some(Finding::problem("open", &obstacle.to_string(), "see the message")),
    });
    Ok(Some(found.name))
}

/// Whether two names are of one port: those below `/dev/serial` are links.
fn is_same(listed: &str, named: &str) -> bool {
    let place = |name: &str| Path::new(name).canonicalize().ok();
    listed == named || place(named).is_some_and(|named| place(listed) == Some(named))
}

fn users(port: &str) -> Finding {
    let users = port_users::of_port(port);
    if users.is_empty() {
        return Finding::fine("in use", &format!("no program that can be seen has {port} open"));
    }
    let users: Vec<String> = users.iter().map(ToString::to_string).collect();
    Finding::problem(
        "in use",
        &format!("{port} is open in {}", users.join(", ")),
        "end that program, or use the scope through it",
    )
}

/// The user's files, which every command reads.
fn settings() -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(path) = ConfigFile::path().filter(|path| path.exists()) {
        findings.push(match ConfigFile::read(&path) {
            Ok(_) => Finding::fine("settings", &format!("{} is understood", path.display())),
            Err(reason) => Finding::problem("settings", &reason, "correct the file, or remove it"),
        });
    }
    if let Some(file) = CalibrationFile::of_user().filter(|file| file.path().exists()) {
        let path = file.path().display().to_string();
        findings.push(match std::fs::read_to_string(file.path()) {
            Ok(_) => Finding::fine("calibrations", &format!("{path} can be read")),
            Err(error) => Finding::problem(
                "calibrations",
                &format!("{path} cannot be read: {error}"),
                "correct its permissions",
            ),
        });
    }
    findings
}

/// Whether captures succeed, and if not, whether they do where the device gets one command at a time.
async fn captures(url: &LinkUrl) -> Finding {
    let Err(why) = capture_several(url).await else {
        return Finding::fine("captures", &format!("{CAPTURES} of {CAPTURES} are whole"));
    };
    let stepwise = url.clone().with_pacing(Pacing::Stepwise);
    if stepwise != *url && capture_several(&stepwise).await.is_ok() {
        return Finding::problem(
            "captures",
            &format!("{why}; they succeed when each command waits for the one before it"),
            &format!("name the link as {stepwise}, in --url or config.toml"),
        );
    }
    Finding::problem("captures", &why, "run `scopething selftest --auto`, and send us what it writes")
}

/// Captures two channels several times, whatever they show. The error is a text for the user.
async fn capture_several(url: &LinkUrl) -> Result<(), String> {
    let capturing = async {
        let link = link::open_reading(url, playback::read).await.map_err(|error| error.to_string())?;
        let mut scope = link.connect().await.map_err(|error| error.to_string())?;
        let request = CaptureRequest {
            timeout_s: Some(0.0),
            ..CaptureRequest::new([AnalogChannel::A, AnalogChannel::B])
        };
        let plan = scope.plan(&request).map_err(|error| error.to_string())?;
        let mut buffer = Box::new(TraceBuffer::new());
        for _ in 0..CAPTURES {
            scope.capture(&plan, &mut buffer).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    let ended = tokio::time::timeout(CAPTURES_TIMEOUT, with_progress(Box::pin(capturing), "capturing"));
    ended.await.unwrap_or_else(|_| Err(format!("they take more than {} s", CAPTURES_TIMEOUT.as_secs())))
}

/// Whether a BitScope answers.
async fn answer(url: &LinkUrl) -> Finding {
    let name =
        if *url == LinkUrl::FirstSerial { "the first BitScope".to_owned() } else { format!("at {url}") };
    match Identity::at(url).await {
        Ok(identity) => Finding::fine("answer", &format!("{name}: {identity}")),
        Err(why) => Finding::problem(
            "answer",
            &format!("{name}: {why}"),
            "unplug it, wait a moment and plug it in again",
        ),
    }
}
