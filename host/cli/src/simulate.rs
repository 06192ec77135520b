//! `scopething simulate`: serves the simulated BitScope to other programs.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::event_log::EventLog;
use super::failure::Failure;
use super::interrupt::Interrupts;
use scopething_files::playback;
use scopething_serve::simulator::{ServeError, ServeOptions, Server};
use scopething_serve::{Allow, Network};
use scopething_sim::SimConfig;

const EXAMPLES: &str = "\
Examples:
  scopething simulate --tcp 127.0.0.1:5025 --signal 'A=sine 1kHz 0..3V'
      For clients that take socket://127.0.0.1:5025
  scopething simulate --bitscope-server 127.0.0.1:16385 --pty
      For clients of a bitscope-server, and for those that want a serial port
  scopething simulate --tcp 127.0.0.1:0 --signal 'B=file:trace.sr#ana1' --noise 5mV
      Play a recorded channel; port 0 takes a free port, which is printed first
  scopething simulate --tcp 127.0.0.1:5025 --set quirk=slow-reset,silent-eeprom
      A device that does some things otherwise than assumed

Quirks, any of them with commas between:
  half-trigger-level      comparators switch at twice the level written
  early-window            the end address is that of the last sample
  late-window             the end address lies a sample too far
  clean-end-address       nothing is written at the end address
  map-at-once             Map registers take effect without U
  inverted-mask           a 1 bit of TriggerMask is a line that matters
  slow-reset              a reset takes 0.8 s
  reset-clears-registers  a reset clears the registers
  silent-eeprom           the EEPROM does not answer
A link of another rate is rate=3Mbps.";

/// Serve the simulated BitScope to other programs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Listen for TCP clients here
    #[arg(long, value_name = "ADDR")]
    tcp: Option<String>,
    /// Listen for clients of a bitscope-server (UDP) here
    #[arg(long, value_name = "ADDR")]
    bitscope_server: Option<String>,
    /// Open a pseudo-terminal
    #[arg(long)]
    pty: bool,
    /// Serve clients of this network too, such as 192.168.1.0/24 or 192.168.1.7 (may be given several times)
    #[arg(long, value_name = "NETWORK")]
    allow: Vec<Network>,
    /// What an input sees, such as 'A=sine 1kHz 0..3V' or 'L3=square 10kHz' (may be given several times)
    #[arg(long, value_name = "INPUT=SIGNAL")]
    signal: Vec<String>,
    /// Anything else of a sim: URL, such as noise=5mV or latency=1ms (may be given several times)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Noise on the analog inputs
    #[arg(long, value_name = "V")]
    noise: Option<String>,
    /// Seed of all that is random
    #[arg(long, value_name = "N")]
    seed: Option<String>,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let interrupts = Interrupts::watch();
        let options = ServeOptions {
            tcp: self.tcp.clone(),
            bitscope_server: self.bitscope_server.clone(),
            pty: self.pty,
            allow: Allow::new(self.allow.clone()),
        };
        if options.tcp.is_none() && options.bitscope_server.is_none() && !options.pty {
            return Err(Failure::Usage(anyhow::anyhow!(
                "there is no address to serve on: give --tcp, --bitscope-server or --pty"
            )));
        }
        let server = Server::bind(&self.config()?, &options).await.map_err(refused)?;
        let addresses = server.addresses();
        let mut out = io::stdout();
        writeln!(
            out,
            "{}",
            json!({
                "tcp": addresses.tcp.map(|address| address.to_string()),
                "bitscope_server": addresses.bitscope_server.map(|address| address.to_string()),
                "pty": addresses.pty,
            })
        )?;
        out.flush()?;
        let mut log = EventLog::start();
        let serving = server.run(|event| log.take(&event));
        tokio::select! {
            served = serving => served.map(drop).map_err(Failure::failed),
            () = interrupts.reached(1) => Ok(()),
        }
    }

    fn config(&self) -> Result<SimConfig, Failure> {
        let mut config = SimConfig::default();
        let named = [("noise", &self.noise), ("seed", &self.seed)];
        for (key, value) in named {
            if let Some(value) = value {
                config.set(key, value, playback::read).map_err(Failure::usage)?;
            }
        }
        for setting in self.signal.iter().chain(&self.set) {
            let (key, value) = setting.split_once('=').ok_or_else(|| {
                Failure::Usage(anyhow::anyhow!("{setting:?} sets nothing: write it like A=sine,1kHz,0..3V"))
            })?;
            config.set(key.trim(), value.trim(), playback::read).map_err(Failure::usage)?;
        }
        Ok(config)
    }
}

/// Wrong usage, or a failure of an address.
fn refused(error: ServeError) -> Failure {
    match error {
        ServeError::Open(_) => Failure::Usage(anyhow::anyhow!("{error} (--allow)")),
        ServeError::Listen(error) if error.is_of_form() => Failure::usage(error),
        error => Failure::failed(error),
    }
}
