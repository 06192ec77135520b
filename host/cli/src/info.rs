//! `scopething info`: which BitScope is connected.

use std::io::Write;

use clap::Args;
use serde_json::{Value, json};

use super::capture_arguments::UrlArgument;
use super::failure::Failure;
use super::message::print_status;
use super::session::Session;
use super::table::Table;
use scopething::link::{self, Port};

const EXAMPLES: &str = "\
Examples:
  scopething info
      Model, revision and serial number of the first BitScope
  scopething info --ports
      The serial ports of this computer, and which of them are BitScopes
  scopething info --url socket://localhost:5025 --json";

/// Print which BitScope is connected
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    /// List the serial ports instead
    #[arg(long)]
    ports: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let mut out = crate::terminal::stdout();
        if self.ports {
            let ports = link::list_ports().map_err(Failure::from)?;
            if self.json {
                writeln!(out, "{}", ports.iter().map(port_json).collect::<Value>())?;
            } else if ports.is_empty() {
                print_status!("no serial ports");
            }
            for port in ports.iter().filter(|_| !self.json) {
                writeln!(out, "{}", port_text(port))?;
            }
            return Ok(());
        }
        let target = session.resolve(session.url(&self.url)?).await?;
        let scope = session.connect(&target).await?;
        let url = &target.url;
        let serial = scope.read_serial().await?;
        let (model, revision) = (scope.model(), scope.revision().to_string());
        if self.json {
            let info = json!({
                "url": url.to_string(), "model": model.name, "revision": revision,
                "serial": serial.ok().map(|serial| serial.to_string()),
                "no_serial": serial.err().map(|reason| reason.to_string()),
                "buffer_bytes": model.buffer_bytes,
                "modes": model.modes.iter().map(|mode| mode.name).collect::<Vec<_>>(),
            });
            writeln!(out, "{info}")?;
        } else {
            let serial = match serial {
                Ok(serial) => serial.to_string(),
                Err(reason) => format!("none: {reason}"),
            };
            let model = model.name.to_owned();
            let rows =
                [("model", model), ("revision", revision), ("serial", serial), ("link", url.to_string())];
            write!(out, "{}", Table::named(rows))?;
        }
        Ok(())
    }
}

fn port_text(port: &Port) -> String {
    let usb = port.usb.as_ref().map(|usb| format!("  {usb}")).unwrap_or_default();
    let kind = if port.is_bitscope() { "  a BitScope, or an FT232 adaptor" } else { "" };
    let obstacle = port.obstacle.as_ref().map(|why| format!("  (not usable: {why})")).unwrap_or_default();
    format!("{}{usb}{kind}{obstacle}", port.name)
}

fn port_json(port: &Port) -> Value {
    json!({
        "name": port.name,
        "usb": port.usb.as_ref().map(ToString::to_string),
        "bitscope": port.is_bitscope(),
        "obstacle": port.obstacle.as_ref().map(ToString::to_string),
    })
}
