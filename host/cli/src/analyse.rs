//! `scopething analyse`: measures the traces of a file, or of a capture.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use scopething_core::plan::ChannelSet;
use serde::Serialize;

use super::capture_arguments::any_channel_name;
use super::failure::Failure;
use super::file_arguments::FileArguments;
use super::file_traces::{FileTrace, FileTraces, TraceArgument};
use super::given_options::GivenOptions;
use super::live::LiveArguments;
use super::measurements;
use super::session::Session;
use scopething_files::StampObject;
use scopething_waveform::measure::{WaveformAnalysis, Window};
use scopething_waveform::waveform::Waveform;

const EXAMPLES: &str = "\
Examples:
  scopething analyse trace.sr
      Every channel of a file, and the delays between them
  scopething analyse --url 'sim:?A=sine,1kHz,0..3V' --period 10ms
      A capture of channel A
  scopething analyse A B --period 20ms --samples 6000 --spectrum --window blackman-harris
      Both channels, with peaks, distortion and noise
  scopething analyse i2c.sr SCL SDA --from 1ms --for 2ms
      Two channels of a part of a file
  scopething analyse scope.csv --columns time=1,A=3 --json
  scopething analyse trace-000000001-20261125T060000Z.csv --trace 17
      A trace that `record` counted as the 17th; without it, all of them, each under its number and clock

What the samples do not support is unknown, or null in JSON. A file whose name is that of a channel is given as ./A.";

/// Measure the traces of a file, or of a capture
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("channels", |channels| channels
    .help("Channels of the file, by their names in it; or of a capture: A, B, L (all eight logic lines), L0 to L7 [default: A]")
    .value_parser(any_channel_name())))]
pub(super) struct Arguments {
    /// A file (csv, json, npz, parquet, sr, vcd, wav); or the first channel of a capture, which is then made as `capture` does [default: A]
    #[arg(value_name = "FILE|CHANNEL")]
    source: Option<PathBuf>,
    #[command(flatten)]
    file: TraceArgument,
    #[command(flatten)]
    given_of_file: GivenOptions<FileArguments>,
    #[command(flatten)]
    reading: FileArguments,
    #[command(flatten)]
    given: GivenOptions<LiveArguments>,
    #[command(flatten)]
    live: LiveArguments,
    /// Report the frequencies in each analog channel, its distortion and noise
    #[arg(long)]
    spectrum: bool,
    /// What the spectrum is taken through: rectangular, hann, blackman-harris or flat-top
    #[arg(long, value_name = "WINDOW", default_value_t, requires = "spectrum")]
    window: Window,
    /// Print each trace's measurements as a JSON object on a line
    #[arg(long)]
    json: bool,
}

/// What is looked at.
pub(super) enum Source<'a> {
    File(&'a Path),
    Capture(Option<ChannelSet>),
}

/// Where in a file a trace stands.
#[derive(Serialize)]
#[serde(untagged)]
enum Place {
    Stamped(StampObject),
    Counted { trace: u64 },
}

#[derive(Serialize)]
struct AnalysisObject {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    #[serde(flatten)]
    analysis: WaveformAnalysis,
}

/// Whether a word names channels to capture or a file.
pub(super) fn source_of(source: Option<&Path>) -> Source<'_> {
    match source {
        None => Source::Capture(None),
        Some(path) => match path.to_str().and_then(|text| text.parse().ok()) {
            Some(channels) => Source::Capture(Some(channels)),
            None => Source::File(path),
        },
    }
}

/// Refuses what makes no sense beside a file.
pub(super) fn refuse_capture_options(
    path: &Path,
    given: &GivenOptions<LiveArguments>,
) -> Result<(), Failure> {
    let path = path.display();
    match given.first() {
        None => Ok(()),
        Some(option) => Err(Failure::Usage(anyhow::anyhow!(
            "{option} is of a capture, and {path} holds one already: leave it out"
        ))),
    }
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        match source_of(self.source.as_deref()) {
            Source::File(path) => self.analyse_file(path),
            Source::Capture(_) if self.file.trace.is_some() => Err(Failure::Usage(anyhow::anyhow!(
                "--trace chooses a trace of a file: name the file as well"
            ))),
            Source::Capture(channels) => {
                if let Some(option) = self.given_of_file.first() {
                    let error = anyhow::anyhow!("{option} is of a file: name the file as well");
                    return Err(Failure::Usage(error));
                }
                let waveform = self.captured(session, channels).await?;
                self.print(&waveform, None)
            }
        }
    }

    fn analyse_file(&self, path: &Path) -> Result<(), Failure> {
        refuse_capture_options(path, &self.given)?;
        let named = self.live.capture.channels.iter().map(|name| name.text.clone());
        let mut traces = FileTraces::open(path, self.reading.input_format, self.reading.options(named))?;
        if let Some(number) = self.file.trace {
            return self.print_of_file(&traces.numbered(number)?, false);
        }
        let first = traces.first()?;
        // A fault in the second trace must not keep the first from being reported.
        let mut following = traces.next();
        let several = !matches!(following, Ok(None));
        self.print_of_file(&first, several)?;
        while let Some(trace) = following? {
            if !self.json {
                crate::terminal::stdout().write_all(b"\n")?;
            }
            self.print_of_file(&trace, several)?;
            following = traces.next();
        }
        Ok(())
    }

    async fn captured(
        &self,
        session: &mut Session,
        channels: Option<ChannelSet>,
    ) -> Result<Waveform, Failure> {
        let request = self.live.capture.request_after(channels)?;
        let mut live = self.live.prepare(session, &request, None).await?;
        live.next().await?.ok_or(Failure::Cancelled)
    }

    /// Prints what a trace of a file shows, under a heading if it is one of several or was recorded by a job.
    fn print_of_file(&self, trace: &FileTrace, several: bool) -> Result<(), Failure> {
        let FileTrace { number, waveform } = trace;
        let stamp = waveform.details().stamp;
        if !self.json && (several || stamp.is_some()) {
            let clock = stamp.map(|stamp| format!(", {}", stamp.clock)).unwrap_or_default();
            let gap = stamp.and_then(|stamp| stamp.gap).map(|gap| format!(", gap: {}", gap.name()));
            writeln!(crate::terminal::stdout(), "trace {number}{clock}{}", gap.unwrap_or_default())?;
        }
        let counted = Place::Counted { trace: *number };
        self.print(waveform, Some(stamp.map_or(counted, |stamp| Place::Stamped(stamp.into()))))
    }

    fn print(&self, waveform: &Waveform, place: Option<Place>) -> Result<(), Failure> {
        let mut analysis = WaveformAnalysis::of(waveform);
        if self.spectrum {
            analysis = analysis.with_spectra(waveform, self.window);
        }
        let text = if self.json {
            serde_json::to_string(&AnalysisObject { place, analysis }).map_err(io::Error::from)? + "\n"
        } else {
            measurements::tables(&analysis)
        };
        Ok(crate::terminal::stdout().write_all(text.as_bytes())?)
    }
}
