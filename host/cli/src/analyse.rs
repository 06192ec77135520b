//! `scopething analyse`: measures the traces of a file, or of a capture.

use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::file_or_capture::{FileOrCapture, Source};
use super::file_traces::FileTrace;
use super::measurements;
use super::message::print_warning;
use super::named::Named;
use super::session::Session;
use scopething_files::pieces::Pieces;
use scopething_files::{ReadError, StampObject, spooled};
use scopething_waveform::measure::{LineDelays, LineMeter, PART_SAMPLES, WaveformAnalysis, Window};
use scopething_waveform::waveform::{Outline, SampleKind, Samples, SeriesOutline, Stamp, Waveform};

const EXAMPLES: &str = "\
Examples:
  scopething analyse trace.sr
      Every channel of a file, and the delays between them
  scopething analyse --url 'sim:?A=sine,1kHz,0..3V' --period 10ms
      A capture of channel A
  scopething analyse --like trace.csv
      A capture that is made as the one in the file was
  scopething analyse A B --period 20ms --samples 6000 --spectrum --window blackman-harris
      Both channels, with peaks, distortion and noise
  scopething analyse i2c.sr SCL SDA --from 1ms --for 2ms
      Two channels of a part of a file
  scopething analyse scope.csv --columns time=1,A=3 --json
  scopething analyse trace-000000001-20261125T060000Z.csv --trace 17
      A trace that `record` counted as the 17th; without it, all of them, each under its number and clock

What the samples do not support is unknown, or null in JSON. A file whose name is that of a channel is given as ./A.";

/// The most samples that are counted in an analog channel.
const MAX_LONG: usize = u32::MAX as usize;

/// Measure the traces of a file, or of a capture
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: FileOrCapture,
    /// Report the frequencies in each analog channel, its distortion and noise
    #[arg(long)]
    spectrum: bool,
    /// What the spectrum is taken through: rectangular, hann, blackman-harris or flat-top
    #[arg(long, value_name = "WINDOW", default_value_t, requires = "spectrum",
        value_parser = Named::<Window>::of(Window::ALL.map(|(_, name)| name)), hide_possible_values = true)]
    window: Window,
    /// Print each trace's measurements as a JSON object on a line
    #[arg(long)]
    json: bool,
}

/// Where in a file a trace stands.
#[derive(Serialize)]
#[serde(untagged)]
enum TraceKey {
    Stamped(StampObject),
    Counted { trace: u64 },
}

#[derive(Serialize)]
struct AnalysisObject<'a> {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    place: Option<TraceKey>,
    #[serde(flatten)]
    analysis: &'a WaveformAnalysis,
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        match self.source.source()? {
            Source::File(path) => self.analyse_file(path),
            Source::Capture(channels) => self.measure(&self.source.capture(session, channels).await?, None),
        }
    }

    fn analyse_file(&self, path: &Path) -> Result<(), Failure> {
        if let Some(pieces) = self.source.pieces(path)? {
            if are_lines(pieces.outline()) {
                return self.analyse_lines(path, pieces);
            }
            let is_long = |series: &SeriesOutline| (PART_SAMPLES + 1..=MAX_LONG).contains(&series.count);
            if pieces.outline().analog().any(is_long) {
                return self.analyse_long(path, pieces);
            }
        }
        if self.source.reading.trace.is_some() {
            return self.print_of_file(&self.source.read(path)?, false);
        }
        let mut traces = self.source.open(path)?;
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

    /// Measures logic lines, which take no more memory whatever the length of the file.
    fn analyse_lines(&self, path: &Path, mut pieces: Box<dyn Pieces>) -> Result<(), Failure> {
        let unread = |error| unread(path, error);
        print_warnings(path, pieces.as_mut());
        let mut meter = LineMeter::of(pieces.outline());
        all_pieces(pieces.as_mut(), |piece| meter.push(piece)).map_err(|error| unread(error.into()))?;
        let mut delays = LineDelays::of(&meter);
        if delays.are_needed() {
            let again = self.source.pieces(path)?.filter(|pieces| are_lines(pieces.outline()));
            pieces = again.ok_or_else(|| unread(anyhow::anyhow!("it was changed meanwhile")))?;
            all_pieces(pieces.as_mut(), |piece| delays.push(piece)).map_err(|error| unread(error.into()))?;
        }
        self.print_of_pieces(pieces.outline(), &delays.finish())
    }

    /// Measures a trace with long analog channels: samples wait in temporary files, as they are gone through often.
    fn analyse_long(&self, path: &Path, mut pieces: Box<dyn Pieces>) -> Result<(), Failure> {
        print_warnings(path, pieces.as_mut());
        let series = spooled(pieces.as_mut()).map_err(|error| unread(path, error.into()))?;
        let outline = pieces.outline();
        let window = self.spectrum.then_some(self.window);
        let analysis = WaveformAnalysis::of_long(&series, &outline.details, window);
        if let Some(failure) = series.iter().find_map(|series| series.samples.failure()) {
            return Err(unread(path, failure.into()));
        }
        self.print_of_pieces(outline, &analysis)
    }

    fn print_of_pieces(&self, outline: &Outline, analysis: &WaveformAnalysis) -> Result<(), Failure> {
        let stamp = outline.details.stamp;
        let number = stamp.map_or(1, |stamp| stamp.number);
        self.print_heading(number, stamp, false)?;
        self.print(analysis, Some(place(number, stamp)))
    }

    /// Prints what a trace of a file shows, under a heading if it is one of several or was recorded by a job.
    fn print_of_file(&self, trace: &FileTrace, several: bool) -> Result<(), Failure> {
        let FileTrace { number, waveform } = trace;
        let stamp = waveform.details().stamp;
        self.print_heading(*number, stamp, several)?;
        self.measure(waveform, Some(place(*number, stamp)))
    }

    fn print_heading(&self, number: u64, stamp: Option<Stamp>, several: bool) -> Result<(), Failure> {
        if !self.json && (several || stamp.is_some()) {
            let clock = stamp.map(|stamp| format!(", {}", stamp.clock)).unwrap_or_default();
            let gap = stamp.and_then(|stamp| stamp.gap).map(|gap| format!(", gap: {}", gap.name()));
            writeln!(crate::terminal::stdout(), "trace {number}{clock}{}", gap.unwrap_or_default())?;
        }
        Ok(())
    }

    fn measure(&self, waveform: &Waveform, place: Option<TraceKey>) -> Result<(), Failure> {
        let mut analysis = WaveformAnalysis::of(waveform);
        if self.spectrum {
            analysis = analysis.with_spectra(waveform, self.window);
        }
        self.print(&analysis, place)
    }

    fn print(&self, analysis: &WaveformAnalysis, place: Option<TraceKey>) -> Result<(), Failure> {
        let text = if self.json {
            serde_json::to_string(&AnalysisObject { place, analysis }).map_err(io::Error::from)? + "\n"
        } else {
            measurements::tables(analysis)
        };
        Ok(crate::terminal::stdout().write_all(text.as_bytes())?)
    }
}

/// Whether a trace has logic lines alone.
fn are_lines(outline: &Outline) -> bool {
    outline.channels.iter().all(|series| series.kind == SampleKind::Levels)
}

fn unread(path: &Path, error: anyhow::Error) -> Failure {
    Failure::Failed(error.context(format!("{} cannot be read", path.display())))
}

fn print_warnings(path: &Path, pieces: &mut dyn Pieces) {
    for warning in pieces.warnings() {
        print_warning!("{}: {warning}", path.display());
    }
}

fn place(number: u64, stamp: Option<Stamp>) -> TraceKey {
    stamp.map_or(TraceKey::Counted { trace: number }, |stamp| TraceKey::Stamped(stamp.into()))
}

/// Hands over all pieces, one after the other.
fn all_pieces(pieces: &mut dyn Pieces, mut take: impl FnMut(&[Samples])) -> Result<(), ReadError> {
    while let Some(piece) = pieces.next()? {
        take(&piece);
    }
    Ok(())
}
