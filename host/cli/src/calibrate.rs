//! `scopething calibrate`: finds the parameters of a probe, and keeps them.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use scopething_core::calibration::{Calibration, CalibrationError, CalibrationRequest};
use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{AnalogChannel, Channel, ChannelSet};
use scopething_core::scope::{CalibrateError, CalibrationProgress};
use scopething_core::trace::TraceBuffer;
use serde_json::{Value, json};

use super::capture_arguments::{UrlArgument, channels};
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::message::{print_note, print_status, print_warning};
use super::session::Session;
use super::table::Table;
use scopething::calibration_file::{self, CalibrationFile, CalibrationFileError};
use scopething::link::{HostScope, LinkError};

const EXAMPLES: &str = "\
Examples:
  scopething calibrate
      Both channels with x1 probes, which both hang on L5, their grounds on GND
  scopething calibrate A --probes x10
      One channel; captures use it with --probes x10
  scopething calibrate -n 16 --json
      A quarter of the measurements, and the result for programs

The device's own clock of 3.3 V and 2 kHz on L5 is measured with a grid of converter settings. The \
result goes into ~/.config/scopething/analog.conf, from where captures of this URL take it. Ctrl-C \
leaves it as it was.";

/// Find the parameters of a probe by the device's own clock, and keep them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    /// The channels whose probes see the clock: A, B [default: both]
    #[arg(value_name = "CHANNEL", value_parser = channels)]
    channels: Vec<ChannelSet>,
    /// The name to keep the parameters by
    #[arg(long, value_name = "NAME", default_value = "x1")]
    probes: String,
    /// Converter settings a side of the grid, 8 to 64
    #[arg(short = 'n', long = "grid", value_name = "N", default_value_t = 32)]
    grid: u16,
    /// The file of calibrations [default: ~/.config/scopething/analog.conf]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let interrupts = session.interrupts();
        let url = session.url(&self.url)?;
        self.check()?;
        let file = self.file()?;
        let target = session.resolve(url).await?;
        let section = CalibrationFile::section_of(&target.url);
        CalibrationFile::check(&section, &self.probes).map_err(Failure::usage)?;
        let before = match file.read(&section, &self.probes) {
            Ok(known) => known.unwrap_or(BS05.analog),
            Err(unreadable @ CalibrationFileError::Numbers { .. }) => {
                print_warning!("{unreadable}: its line will be replaced");
                BS05.analog
            }
            Err(error) => return Err(Failure::failed(error)),
        };
        file.check_unmultiplied(&section, &self.probes).map_err(|error| match error {
            CalibrationFileError::Multiplied { .. } => Failure::usage(error),
            error => Failure::failed(error),
        })?;
        let request = CalibrationRequest {
            channels: self.channels(),
            grid: self.grid,
            ..CalibrationRequest::new(before)
        };
        let scope = session.connect(&target).await?;
        let calibration = Box::pin(calibrate(scope, &request, &interrupts)).await?;
        let mut out = crate::terminal::stdout();
        if self.json {
            let mut result = to_json(&before, &calibration);
            result["url"] = section.clone().into();
            result["probes"] = self.probes.clone().into();
            result["file"] = file.path().display().to_string().into();
            writeln!(out, "{result}")?;
        } else {
            out.write_all(to_text(&before, &calibration).as_bytes())?;
        }
        // If the result cannot be saved, it was at least printed.
        file.write(&section, &self.probes, &calibration.parameters).map_err(Failure::failed)?;
        print_note!("kept as {} of {section} in {}", self.probes, file.path().display());
        Ok(())
    }

    /// Refuses what makes no sense before a device is looked for.
    fn check(&self) -> Result<(), Failure> {
        if let Some(logic) = self.channels().iter().find(|channel| !channel.is_analog()) {
            return Err(Failure::Usage(anyhow::anyhow!(
                "{logic} has nothing to calibrate: name A, B or both"
            )));
        }
        let sides = CalibrationRequest::MIN_GRID..=CalibrationRequest::MAX_GRID;
        if sides.contains(&self.grid) {
            Ok(())
        } else {
            Err(Failure::usage(CalibrationError::Grid(self.grid)))
        }
    }

    fn channels(&self) -> ChannelSet {
        let both = AnalogChannel::ALL.into_iter().map(Channel::Analog);
        let named = self.channels.iter().copied().reduce(ChannelSet::union);
        named.unwrap_or_else(|| both.fold(ChannelSet::EMPTY, ChannelSet::with))
    }

    fn file(&self) -> Result<CalibrationFile, Failure> {
        match &self.file {
            Some(path) => Ok(CalibrationFile::new(path.clone())),
            None => CalibrationFile::of_user().ok_or_else(|| {
                Failure::Usage(anyhow::anyhow!(
                    "there is no home directory to keep calibrations in: name a file by --file"
                ))
            }),
        }
    }
}

/// Calibrates, and shows how far it has come. The first Ctrl-C ends it in order, the second at once.
async fn calibrate(
    scope: &mut HostScope,
    request: &CalibrationRequest,
    interrupts: &Interrupts,
) -> Result<Calibration, Failure> {
    let mut buffer = Box::new(TraceBuffer::new());
    let progress = Progress::new();
    let calibrating = scope.calibrate(request, &mut buffer, |at| {
        progress.show(at);
        if interrupts.count() == 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    let calibrated = tokio::select! {
        calibrated = calibrating => calibrated.map_err(Failure::from),
        () = interrupts.reached(2) => Err(Failure::Cancelled),
    };
    progress.bar.finish_and_clear();
    if matches!(calibrated, Err(Failure::Cancelled)) {
        print_note!("the parameters stay as they were");
    }
    calibrated
}

/// How many of the points are left: a bar on a terminal, a line now and then elsewhere.
struct Progress {
    bar: ProgressBar,
}

/// Lines that show the progress where there is no bar.
const PROGRESS_LINES: u16 = 8;

impl Progress {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("calibrating {bar:40} {pos} of {len} points, {msg}") {
            bar.set_style(style);
        }
        Self { bar }
    }

    fn show(&self, at: CalibrationProgress) {
        let points = at.done + at.left;
        if self.bar.is_hidden() {
            if at.done.is_multiple_of((points / PROGRESS_LINES).max(1)) {
                print_status!("calibrating: {} of {points} points measured, {} left", at.done, at.left);
            }
            return;
        }
        self.bar.set_length(points.into());
        self.bar.set_message(format!("{} left", at.left));
        self.bar.set_position(at.done.into());
    }
}

impl From<CalibrateError<LinkError>> for Failure {
    fn from(error: CalibrateError<LinkError>) -> Self {
        match error {
            CalibrateError::Cancelled => Self::Cancelled,
            CalibrateError::Generate(error) => error.into(),
            CalibrateError::Scope(error) => error.into(),
            error => Self::failed(error),
        }
    }
}

/// The parameters in the order of the file of calibrations, with their names.
fn named(parameters: &AnalogParameters) -> impl Iterator<Item = (&'static str, f64)> {
    calibration_file::NUMBERS.into_iter().zip(calibration_file::to_numbers(parameters))
}

/// The first six parameters are factors, the others volts.
fn unit_of(index: usize) -> &'static str {
    if index < 6 { "" } else { "V" }
}

fn to_text(before: &AnalogParameters, calibration: &Calibration) -> String {
    let titles = ["", "before", "after", ""].map(str::to_owned);
    let mut rows = vec![titles];
    let both = named(before).zip(named(&calibration.parameters));
    for (index, ((name, before), (_, after))) in both.enumerate() {
        rows.push([
            name.to_owned(),
            format!("{before:.6}"),
            format!("{after:.6}"),
            unit_of(index).to_owned(),
        ]);
    }
    let Calibration { residual_volts, residual_of_range, used, rejected, .. } = calibration;
    format!(
        "{}residual: {:.3} mV rms, {:.4} % of the range, of {used} levels; {rejected} were too far off\n",
        Table::new(rows).right(&[1, 2]),
        residual_volts * 1e3,
        residual_of_range * 100.0
    )
}

fn to_json(before: &AnalogParameters, calibration: &Calibration) -> Value {
    let object = |parameters: &AnalogParameters| -> Value {
        named(parameters).map(|(name, value)| (name, Value::from(value))).collect()
    };
    json!({
        "before": object(before),
        "after": object(&calibration.parameters),
        "residual_volts": calibration.residual_volts,
        "residual_of_range": calibration.residual_of_range,
        "used": calibration.used,
        "rejected": calibration.rejected,
    })
}
