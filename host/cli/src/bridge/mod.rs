//! `scopething bridge`: manages the job and the stored traces of a bridge.

mod bands;
mod firmware;
mod report;
mod traces;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use scopething_core::analysis::Band;
use scopething_core::link::bridge::{
    Bands, BoardSettings, Job, JobState, Led, Repeat, StoreStatus, ToFlash, TraceId, WhenFull, wear,
};
use scopething_core::plan::{BusyOutputs, plan_capture};
use scopething_core::time::Micros;

use super::capture_arguments::{CaptureArguments, UrlArgument, seconds};
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::live::print_notices;
use super::message::print_note;
use super::progress::with_progress;
use super::results::ResultArguments;
use firmware::{DriveArguments, Firmware, check_no_board};
use scopething::bridge::{BridgeError, Client};
use scopething::link::{Link, LinkClock, LinkError, open_bridge};
use scopething_waveform::moment::UnixMicros;

const EXAMPLES: &str = "\
Examples:
  scopething bridge status --url bridge:///dev/ttyUSB0
      How the bridge stands: what it does, what it has stored
  scopething bridge configure A --period 20ms --trigger A --level 1.5V --repeat 100 --arm
      Capture a hundred triggered traces, from now on and at each power-up
  scopething bridge configure A --period 2ms --outside 'A rms 1V..1.1V' --flash each --arm
      Keep only what matters: traces whose RMS voltage is not within 1 V to 1.1 V
  scopething bridge fetch -o trace.sr
      Fetch all stored traces, numbered, for PulseView
  scopething bridge erase --through 12

The URL is bridge://DEVICE or bridge://HOST:PORT; SCOPETHING_URL spares naming it again. Captures by this \
computer go through the bridge with the same URL: `scopething capture --url bridge:///dev/ttyUSB0`.";

/// Manage a bridge: its job, and the traces it has stored
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print what the bridge does and what it has stored
    Status {
        #[command(flatten)]
        bridge: BridgeArgument,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Store a job: what the bridge captures by itself
    Configure(Box<ConfigureArguments>),
    /// Start the stored job, now and at each power-up
    Arm {
        #[command(flatten)]
        bridge: BridgeArgument,
    },
    /// Stop the job, now and at each power-up
    Disarm {
        #[command(flatten)]
        bridge: BridgeArgument,
    },
    /// Capture now: ends the wait for a trigger, or captures once without one; then fetch that trace
    Capture {
        #[command(flatten)]
        bridge: BridgeArgument,
        #[command(flatten)]
        output: ResultArguments,
    },
    /// List the stored traces
    List {
        #[command(flatten)]
        bridge: BridgeArgument,
        /// Print a JSON object for each
        #[arg(long)]
        json: bool,
    },
    /// Fetch stored traces, and show or save them
    Fetch {
        #[command(flatten)]
        bridge: BridgeArgument,
        /// Which traces, by number [default: all]
        #[arg(value_name = "TRACE")]
        traces: Vec<u32>,
        #[command(flatten)]
        output: ResultArguments,
    },
    /// Erase stored traces
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Erase {
        #[command(flatten)]
        bridge: BridgeArgument,
        /// Those up to this number
        #[arg(long, value_name = "TRACE", group = "which")]
        through: Option<u32>,
        /// All that are stored now
        #[arg(long, group = "which")]
        all: bool,
    },
    /// Calibrate the probes of the job, both hanging on L5, on the bridge
    Calibrate {
        #[command(flatten)]
        bridge: BridgeArgument,
        /// Converter settings a side of the grid, 8 to 64
        #[arg(short = 'n', long, value_name = "N", default_value_t = 32,
            value_parser = clap::value_parser!(u8).range(8..=64))]
        grid: u8,
    },
    /// Print or change the settings of the bridge's board, which it uses from its next power-up on
    Board {
        #[command(flatten)]
        bridge: BridgeArgument,
        /// Bits a second of its UART, 9600 to 1000000
        #[arg(long, value_name = "BAUD")]
        baud: Option<u32>,
        /// The GPIO of its LED [a Pico's: 25], or radio: that of a Pico W or Pico 2 W, which hangs on its radio. Only on
        /// these: on other boards it drives GPIO 23, 24, 25 and 29, whatever is there
        #[arg(long, value_name = "GPIO|radio|none", value_parser = led)]
        led: Option<Led>,
        /// The GPIO that is high for at least 1 ms after each captured trace
        #[arg(long, value_name = "GPIO|none", value_parser = pin)]
        trigger_out: Option<Pin>,
        /// The GPIO that captures when it goes high: it ends the wait of an armed job for its trigger, or captures once
        #[arg(long, value_name = "GPIO|none", value_parser = pin)]
        trigger_in: Option<Pin>,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Put other firmware on the bridge: it restarts into its boot loader, and its drive takes the file once the Pico's own USB
    /// socket is plugged into this computer
    Update {
        #[command(flatten)]
        bridge: BridgeArgument,
        /// The firmware [default: only restart it]
        #[arg(value_name = "FILE.uf2")]
        file: Option<PathBuf>,
        #[command(flatten)]
        drive: DriveArguments,
    },
    /// Put firmware on a board that is in its boot loader: plugged in with BOOTSEL held
    Flash {
        /// The firmware
        #[arg(value_name = "FILE.uf2")]
        file: PathBuf,
        #[command(flatten)]
        drive: DriveArguments,
    },
    /// Print what has happened on the bridge since power-up
    Logs {
        #[command(flatten)]
        bridge: BridgeArgument,
        /// Print the firmware's whole log instead, in defmt's format: pipe it into `defmt-print -e scopething-bridge.elf`
        #[arg(long)]
        defmt: bool,
    },
}

/// Where the bridge is.
#[derive(Debug, Args)]
struct BridgeArgument {
    #[command(flatten)]
    url: UrlArgument,
}

/// A job, as the arguments of a capture.
#[derive(Debug, Args)]
struct ConfigureArguments {
    #[command(flatten)]
    bridge: BridgeArgument,
    #[command(flatten)]
    capture: CaptureArguments,
    /// How often to capture after each power-up or arming
    #[arg(long, value_name = "N|forever", default_value = "forever", value_parser = repeat)]
    repeat: Repeat,
    /// Least time from the start of one capture to the start of the next [default: none]
    #[arg(long, value_name = "T", value_parser = seconds)]
    spacing: Option<f64>,
    /// Which traces go to the bridge's flash, which wears out: each, none, or at most one in this time. The others are kept
    /// in its memory, the newest of them, until power goes [default: at such intervals that the flash lasts 5 years; each
    /// with --repeat N or --spacing]
    #[arg(long, value_name = "each|never|T", value_parser = to_flash)]
    flash: Option<ToFlash>,
    /// Keep at most this many traces in flash, and as many in memory [default: as many as there is room for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    keep: Option<u16>,
    /// What happens when no more can be kept
    #[arg(long, value_enum, default_value_t = Full::DropOldest)]
    when_full: Full,
    /// Keep only traces of which this value lies outside these bounds, or cannot be measured: of a channel the min, max, mean,
    /// rms, peak-to-peak, frequency or duty. Of several bands one has to be left; 8 at the most. The bridge measures each
    /// trace itself
    #[arg(long, value_name = "'CHANNEL MEASURE LOW..HIGH'", value_parser = bands::parse)]
    outside: Vec<Band>,
    /// Start it as well, now and at each power-up
    #[arg(long)]
    arm: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Full {
    Stop,
    DropOldest,
}

fn repeat(text: &str) -> Result<Repeat, String> {
    if text == "forever" {
        return Ok(Repeat::Forever);
    }
    let times = text.parse().ok().filter(|&times| times > 0).map(Repeat::Times);
    times.ok_or_else(|| {
        format!("{text} is not a number of captures: give a whole number from 1 on, or forever")
    })
}

/// A pin of the board; none: no pin.
#[derive(Debug, Clone, Copy)]
struct Pin(Option<u8>);

fn pin(text: &str) -> Result<Pin, String> {
    if text == "none" {
        return Ok(Pin(None));
    }
    let gpio = text.strip_prefix("GP").unwrap_or(text).parse().ok();
    gpio.map(|gpio| Pin(Some(gpio)))
        .ok_or_else(|| format!("{text} is no pin: give its GPIO, such as 22, or none"))
}

fn led(text: &str) -> Result<Led, String> {
    if text == "radio" {
        return Ok(Led::Radio);
    }
    let pin = pin(text).map_err(|error| format!("{error}; or radio, on a Pico W"))?;
    Ok(pin.0.map_or(Led::None, Led::Pin))
}

fn to_flash(text: &str) -> Result<ToFlash, String> {
    match text {
        "each" => Ok(ToFlash::Each),
        "never" => Ok(ToFlash::Never),
        _ => {
            let spacing_s = seconds(text).map_err(|error| format!("{error}; or give each, or never"))?;
            Ok(ToFlash::Spaced(Micros::from_seconds(spacing_s)))
        }
    }
}

/// A link to a bridge.
type HostClient = Client<Link, LinkClock>;

impl BridgeArgument {
    async fn open(&self) -> Result<HostClient, Failure> {
        let Some(url) = self.url.parse()? else {
            return Err(Failure::Usage(anyhow::anyhow!(
                "which bridge? Give --url bridge:///dev/ttyUSB0, bridge://COM3 or bridge://host:port"
            )));
        };
        let link = with_progress(open_bridge(&url), "connecting").await?;
        Ok(Client::new(link.stream, link.clock))
    }
}

impl Action {
    /// Where the bridge is; none if it is not spoken to.
    fn bridge(&self) -> Option<&BridgeArgument> {
        Some(match self {
            Self::Status { bridge, .. }
            | Self::Arm { bridge }
            | Self::Disarm { bridge }
            | Self::Capture { bridge, .. }
            | Self::List { bridge, .. }
            | Self::Fetch { bridge, .. }
            | Self::Erase { bridge, .. }
            | Self::Calibrate { bridge, .. }
            | Self::Board { bridge, .. }
            | Self::Update { bridge, .. }
            | Self::Logs { bridge, .. } => bridge,
            Self::Configure(arguments) => &arguments.bridge,
            Self::Flash { .. } => return None,
        })
    }

    /// The firmware to put on it, and where.
    fn firmware(&self) -> Result<Option<(Firmware, &DriveArguments)>, Failure> {
        match self {
            Self::Flash { file, drive } | Self::Update { file: Some(file), drive, .. } => {
                Ok(Some((Firmware::read(file)?, drive)))
            }
            _ => Ok(None),
        }
    }

    /// Does it.
    async fn run(&self, client: &mut HostClient, interrupts: &Interrupts) -> Result<(), Failure> {
        let mut out = crate::terminal::stdout();
        match self {
            Self::Status { json, .. } => {
                let (status, job) = (client.status().await?, client.job().await?);
                out.write_all(report::status(&status, job.as_ref(), *json).as_bytes())?;
            }
            Self::Configure(arguments) => arguments.run(client).await?,
            Self::Arm { .. } => client.arm().await?,
            Self::Disarm { .. } => client.disarm().await?,
            Self::List { json, .. } => {
                let clock = report::BridgeClock::new(&client.status().await?, UnixMicros::now());
                let traces = with_progress(client.listed(TraceId::FIRST), "listing").await?;
                out.write_all(report::records(&traces, clock, *json).as_bytes())?;
            }
            Self::Capture { output, .. } => {
                let results = output.results(false)?;
                let id = with_progress(traces::capture_now(client), "capturing").await?;
                traces::fetch(client, &[id], results, interrupts).await?;
            }
            Self::Fetch { traces, output, .. } => {
                let results = output.results(traces.len() != 1)?;
                let wanted: Vec<_> = traces.iter().copied().map(TraceId).collect();
                traces::fetch(client, &wanted, results, interrupts).await?;
            }
            Self::Erase { through, all, .. } => {
                let through = match (through, all) {
                    (Some(through), _) => Some(TraceId(*through)),
                    _ => client.status().await?.store.newest,
                };
                if let Some(through) = through {
                    with_progress(client.erase(through), "erasing").await?;
                }
            }
            Self::Calibrate { grid, .. } => {
                client.calibrate(*grid).await?;
                with_progress(calibrated(client), "calibrating").await?;
            }
            Self::Board { baud, led, trigger_out, trigger_in, json, .. } => {
                let before = client.board().await?;
                let settings = BoardSettings {
                    baud: baud.unwrap_or(before.baud),
                    led: led.unwrap_or(before.led),
                    trigger_out: trigger_out.map_or(before.trigger_out, |pin| pin.0),
                    trigger_in: trigger_in.map_or(before.trigger_in, |pin| pin.0),
                };
                settings.check().map_err(|error| Failure::Usage(error.into()))?;
                if settings != before {
                    client.set_board(&settings).await?;
                    print_note!("used from the next power-up on");
                }
                out.write_all(report::board(settings, *json).as_bytes())?;
            }
            Self::Update { .. } => client.restart_into_boot_loader().await?,
            Self::Flash { .. } => {}
            Self::Logs { defmt: false, .. } => {
                let clock = report::BridgeClock::new(&client.status().await?, UnixMicros::now());
                out.write_all(report::events(&client.events().await?, clock).as_bytes())?;
            }
            Self::Logs { defmt: true, .. } => {
                // What the decoder of the log reads is no text: only a terminal gets it as such.
                let mut raw = io::stdout();
                let log: &mut dyn Write = if raw.is_terminal() { &mut out } else { &mut raw };
                let mut place = 0;
                loop {
                    let part = client.log(place).await?;
                    if part.bytes.is_empty() {
                        break;
                    }
                    place = part.from.saturating_add(u32::try_from(part.bytes.len()).unwrap_or(0));
                    log.write_all(&part.bytes)?;
                }
            }
        }
        out.flush()?;
        Ok(())
    }
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let interrupts = Interrupts::watch();
        // Before anything restarts: one that is no firmware is refused.
        let firmware = self.action.firmware()?;
        if let Action::Update { file: Some(_), drive, .. } = &self.action
            && !drive.is_named()
        {
            check_no_board()?;
        }
        let working = async {
            self.with_bridge(&interrupts).await?;
            match firmware {
                Some((firmware, drive)) => firmware.flash(drive).await.inspect_err(|_| {
                    if matches!(self.action, Action::Update { .. }) {
                        print_note!(
                            "the bridge is in its boot loader: give it its firmware by `bridge flash`, or power it off and on"
                        );
                    }
                }),
                None => Ok(()),
            }
        };
        let cancellable = match &self.action {
            // It ends by itself, so that what was fetched is kept.
            Action::Fetch { .. } | Action::Capture { .. } => 2,
            _ => 1,
        };
        tokio::select! {
            done = Box::pin(working) => done,
            () = interrupts.reached(cancellable) => Err(Failure::Cancelled),
        }
    }

    /// Does what the bridge itself is needed for.
    async fn with_bridge(&self, interrupts: &Interrupts) -> Result<(), Failure> {
        let Some(bridge) = self.action.bridge() else { return Ok(()) };
        let mut client = bridge.open().await?;
        let unix = u64::try_from(UnixMicros::now().0).unwrap_or(0);
        client.set_time(Micros(unix)).await?;
        let done = self.action.run(&mut client, interrupts).await;
        if matches!(self.action, Action::Update { .. }) {
            // It answers nothing any more.
            return done;
        }
        // Other programs find the BitScope behind it again. A lost link was already reported.
        let left = client.pass_through(false).await.map_err(Failure::from);
        done.and(left)
    }
}

impl ConfigureArguments {
    /// The job; without `--flash` each trace goes to flash, until [`to_flash`](Self::to_flash) chooses.
    fn job(&self) -> Result<Job, Failure> {
        let url = self.bridge.url.parse()?.unwrap_or_default();
        let when_full = match self.when_full {
            Full::Stop => WhenFull::Stop,
            Full::DropOldest => WhenFull::DropOldest,
        };
        let request = self.capture.request()?;
        let bands = Bands::new(&self.outside);
        let bands = bands.and_then(|bands| bands.check(request.channels).map(|()| bands));
        Ok(Job {
            request,
            bands: bands.map_err(|error| Failure::Usage(anyhow::anyhow!("--outside: {error}")))?,
            probe: self.capture.probe(&url, None)?,
            repeat: self.repeat,
            spacing: Micros::from_seconds(self.spacing.unwrap_or(0.0)),
            keep: self.keep,
            when_full,
            flash: self.flash.unwrap_or(ToFlash::Each),
        })
    }

    /// Which traces go to flash, each of which takes so many bytes.
    fn to_flash(&self, store: &StoreStatus, trace_bytes: u32) -> ToFlash {
        let given = self.spacing.is_some() || self.repeat != Repeat::Forever;
        self.flash.unwrap_or_else(|| {
            if given {
                return ToFlash::Each;
            }
            // In whole hundredths of a second, which are easier to read; up, so that it lasts no shorter.
            let hundredths = (wear::default_spacing_s(store.capacity_bytes, trace_bytes) * 100.0).ceil();
            ToFlash::Spaced(Micros::from_millis(10 * hundredths as u64))
        })
    }

    async fn run(&self, client: &mut HostClient) -> Result<(), Failure> {
        let mut job = self.job()?;
        if job.flash == ToFlash::Never && job.when_full == WhenFull::Stop {
            return Err(Failure::Usage(anyhow::anyhow!(
                "--when-full stop needs traces in flash: in memory the newest replace the oldest; leave out --flash never"
            )));
        }
        let model = &scopething_core::device::BS05;
        let plan = plan_capture(model, &job.probe, &job.request, BusyOutputs::NOTHING)?;
        print_notices(&plan, job.request.channels);
        let store = client.status().await?.store;
        let trace_bytes = u32::try_from(plan.dump_bytes()).unwrap_or(u32::MAX);
        job.flash = self.to_flash(&store, trace_bytes);
        client.configure(&job).await?;
        if self.arm {
            client.arm().await?;
        }
        if store.unreadable > 0 {
            print_note!("{}", report::unreadable(&store));
        }
        if job.repeat == Repeat::Forever {
            print_note!("{}", report::life_of_job(&job, &store, trace_bytes));
        }
        Ok(())
    }
}

/// Waits for the end of a calibration.
async fn calibrated(client: &mut HostClient) -> Result<(), Failure> {
    let faults = client.status().await?.fault;
    loop {
        traces::pause().await;
        let status = client.status().await?;
        match status.state {
            JobState::Fault(fault) => return Err(Failure::Failed(anyhow::anyhow!("{fault}"))),
            JobState::Calibrating { .. } | JobState::WaitingForScope => {}
            _ if status.fault != faults => {
                let fault = status.fault.map(|fault| fault.to_string()).unwrap_or_default();
                return Err(Failure::Failed(anyhow::anyhow!("{fault}")));
            }
            _ => return Ok(()),
        }
    }
}

impl From<BridgeError<LinkError>> for Failure {
    fn from(error: BridgeError<LinkError>) -> Self {
        Self::failed(error)
    }
}
