//! What becomes of captures: files, JSON, pictures in the terminal, a summary.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::measurements;
use super::message::{self, Level, print_error, print_note, print_warning};
use super::output_arguments::{OutputArguments, Target, refuse_existing};
use super::picture_size::PictureArguments;
use super::terminal;
use scopething_core::plan::ChannelSet;
use scopething_files::{self as files, Format, TraceFile, TraceWriter, WriteError};
use scopething_waveform::measure::WaveformAnalysis;
use scopething_waveform::quantity_text::quantity;
use scopething_waveform::waveform::{Channel, Samples, Series, Waveform};

/// Files to save captures in, and what is printed of each.
#[derive(Debug, Args)]
pub(super) struct ResultArguments {
    #[command(flatten)]
    output: OutputArguments,
    /// Print each capture as a JSON object on a line
    #[arg(long)]
    json: bool,
    /// Draw each capture in the terminal
    #[arg(long)]
    plot: bool,
    /// Measure each capture, as `analyse` does
    #[arg(long)]
    analyse: bool,
    #[command(flatten)]
    picture: PictureArguments,
}

impl ResultArguments {
    /// What takes the captures: `several` go into files of their own where the format holds a single one.
    pub(super) fn results(&self, several: bool) -> Result<Results, Failure> {
        let show = Show { json: self.json, plot: self.plot, analyse: self.analyse, picture: self.picture };
        Results::create(&self.output, show, several)
    }
}

/// What is printed of each capture.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Show {
    pub(super) json: bool,
    pub(super) plot: bool,
    pub(super) analyse: bool,
    pub(super) picture: PictureArguments,
}

/// Takes captures and shows and saves them.
pub(super) struct Results {
    show: Show,
    json: Box<dyn TraceWriter>,
    files: Vec<OutputFile>,
    formats: Vec<Format>,
    /// Whether a capture that no output took is saved elsewhere.
    rescues: bool,
    taken: u32,
    /// The last capture that is only in files that are not in their places yet, and its number.
    pending: Option<(u32, Waveform)>,
    failed: Option<Failure>,
}

/// Where a capture is stored, the safest place last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    Nowhere,
    /// In a file that is still to be put in its place.
    Pending,
    Safe,
}

/// One `-o`.
enum OutputFile {
    /// All captures go into one file.
    One { file: TraceFile, broken: bool },
    /// All captures go to standard output.
    Standard { file: TraceFile },
    /// The format holds one capture: each goes into a file of its own, numbered if there are several.
    Each { path: PathBuf, format: Format, numbered: bool, force: bool },
}

impl Results {
    /// Whether captures go into files, for which all that is known of them is worth an exchange with the device.
    pub(super) fn are_saved(&self) -> bool {
        !self.files.is_empty()
    }

    /// Refuses a format that holds none of these channels, before anything is captured.
    pub(super) fn check_channels(&self, channels: ChannelSet) -> Result<(), Failure> {
        self.formats
            .iter()
            .try_for_each(|format| format.check_channels(channels.iter()))
            .map_err(Failure::usage)
    }

    /// For traces that are in a file and stay there: none is rescued from an output that fails.
    pub(super) fn of_a_file(mut self) -> Self {
        self.rescues = false;
        self
    }

    /// Makes the files that can be made before there is a capture, so that what cannot be written is known
    /// early. `several` captures go into files of their own where the format holds a single one.
    pub(super) fn create(output: &OutputArguments, show: Show, several: bool) -> Result<Self, Failure> {
        if output.takes_standard_output() && (show.json || show.plot || show.analyse) {
            return Err(Failure::Usage(anyhow::anyhow!(
                "-o - has standard output for itself: leave out --json, --plot and --analyse, or save to a file"
            )));
        }
        let (mut files, mut formats) = (Vec::new(), Vec::new());
        for output in output.files()? {
            let format = output.format;
            formats.push(format);
            files.push(match output.target {
                Target::StandardOutput if several && !format.holds_several() => {
                    return Err(Failure::Usage(anyhow::anyhow!(
                        "{format} holds one capture, and there are several: save them to files, or as csv or json"
                    )));
                }
                Target::StandardOutput => {
                    OutputFile::Standard { file: TraceFile::standard_output(format, several).map_err(Failure::failed)? }
                }
                Target::File(path) if format.holds_several() => {
                    output.refuse_existing(path)?;
                    OutputFile::One { file: TraceFile::create_for(path, format, several).map_err(Failure::failed)?, broken: false }
                }
                Target::File(path) => {
                    check_directory(path)?;
                    let first = if several { numbered_path(path, 1) } else { path.to_owned() };
                    output.refuse_existing(&first)?;
                    OutputFile::Each { path: path.to_owned(), format, numbered: several, force: output.force }
                }
            });
        }
        let json = if show.analyse { files::analysed_json_writer() } else { Format::Json.writer() };
        Ok(Self { show, json, files, formats, rescues: true, taken: 0, pending: None, failed: None })
    }

    /// Shows and saves one capture. A file that fails does not keep the others from being written.
    pub(super) fn take(&mut self, waveform: Waveform) -> Result<(), Failure> {
        self.taken += 1;
        if self.taken == 1 {
            let channels: Vec<Channel> = waveform.channels().iter().map(|series| series.channel).collect();
            warn_of_left_out(&self.formats, &channels);
        }
        let (mut kept, mut closed) = (Kept::Nowhere, false);
        for file in &mut self.files {
            match file.write(&waveform, self.taken) {
                Ok(place) => kept = kept.max(place),
                Err(error) if is_of_closed_pipe(&error) => closed = true,
                Err(error) => fail(&mut self.failed, error),
            }
        }
        let printed = self.print(&waveform);
        if self.show.json && printed.is_ok() {
            kept = Kept::Safe;
        }
        let lost = self.failed.is_some() || (self.show.json && matches!(printed, Err(Failure::Failed(_))));
        match kept {
            Kept::Nowhere if lost && self.rescues => rescue(&waveform, self.taken),
            Kept::Pending => self.pending = Some((self.taken, waveform)),
            Kept::Nowhere | Kept::Safe => self.pending = None,
        }
        if closed { Err(Failure::OutputClosed) } else { printed }
    }

    fn print(&mut self, waveform: &Waveform) -> Result<(), Failure> {
        if self.show.json {
            self.json.write(waveform, &mut terminal::stdout()).map_err(|error| match error {
                WriteError::Io(error) => Failure::from(error),
                error => Failure::failed(error),
            })?;
        }
        if self.show.plot {
            // Whoever reads the JSON does not want the picture in between.
            if self.show.json {
                let picture = self.show.picture.draw(waveform, io::stderr().is_terminal());
                message::line(Level::Error, format_args!("{}", picture.trim_end_matches('\n')));
            } else {
                let picture = self.show.picture.draw(waveform, io::stdout().is_terminal());
                io::stdout().write_all(picture.as_bytes())?;
            }
        }
        if !self.show.json && !self.show.plot && self.files.is_empty() {
            terminal::stdout().write_all(summary(waveform, self.show.analyse).as_bytes())?;
        }
        if self.show.analyse && !self.show.json {
            let tables = measurements::tables(&WaveformAnalysis::of(waveform));
            terminal::stdout().write_all(tables.as_bytes())?;
        }
        Ok(())
    }

    /// Puts the files in their places, whatever ended the captures: what was taken is kept.
    pub(super) fn commit_after(self, taken: Result<(), Failure>) -> Result<(), Failure> {
        match (taken, self.commit()) {
            (Err(failure), Err(lost)) => {
                lost.report();
                Err(failure)
            }
            (taken, kept) => taken.and(kept),
        }
    }

    fn commit(self) -> Result<(), Failure> {
        let mut failed = self.failed;
        let mut pending = self.pending;
        for file in self.files {
            let OutputFile::One { file, .. } = file else { continue };
            let captures = file.captures();
            if captures == 0 {
                continue;
            }
            match file.commit_or_keep() {
                Ok(()) => pending = pending.filter(|&(number, _)| number > captures),
                Err((error, beside)) => {
                    fail(&mut failed, error.into());
                    if let Some(path) = beside {
                        print_note!("what it should hold was left in {}", path.display());
                    }
                }
            }
        }
        if let Some((number, waveform)) = pending.filter(|_| self.rescues) {
            rescue(&waveform, number);
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Warns of channels that will not be in a file.
pub(super) fn warn_of_left_out(formats: &[Format], channels: &[Channel]) {
    for format in formats {
        let left_out = format.left_out(channels.iter().copied());
        // A file that would hold nothing is refused.
        if !left_out.is_empty() && left_out.len() < channels.len() {
            let names: Vec<String> = left_out.iter().map(Channel::to_string).collect();
            print_warning!(
                "a {format} file has no place for logic lines: it is without {}",
                names.join(", ")
            );
        }
    }
}

/// Keeps a failure for the end; one that was kept before is reported now.
fn fail(failed: &mut Option<Failure>, error: anyhow::Error) {
    if let Some(earlier) = failed.replace(Failure::Failed(error)) {
        earlier.report();
    }
}

/// Whether whoever reads a pipe has closed it.
pub(super) fn is_of_closed_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A directory that is not there is known before the capture.
fn check_directory(path: &Path) -> Result<(), Failure> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    if directory.is_dir() {
        return Ok(());
    }
    let error = anyhow::anyhow!("{} cannot be written: its directory does not exist", path.display());
    Err(Failure::Failed(error))
}

impl OutputFile {
    /// Writes a capture; nowhere if an earlier one could not be written to the file.
    fn write(&mut self, waveform: &Waveform, number: u32) -> anyhow::Result<Kept> {
        match self {
            Self::One { broken: true, .. } => Ok(Kept::Nowhere),
            Self::One { file, broken } => {
                let written = file.write(waveform);
                *broken = written.is_err();
                Ok(written.map(|()| Kept::Pending)?)
            }
            Self::Standard { file } => {
                file.write(waveform)?;
                Ok(Kept::Safe)
            }
            Self::Each { path, format, numbered, force } => {
                let path = if *numbered { numbered_path(path, number) } else { path.clone() };
                refuse_existing(&path, *force)?;
                let mut file = TraceFile::create(&path, *format)?;
                file.write(waveform)?;
                file.commit()?;
                Ok(Kept::Safe)
            }
        }
    }
}

/// `trace.png` becomes `trace-1.png`.
fn numbered_path(path: &Path, number: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().map(|ending| format!(".{}", ending.to_string_lossy()));
    path.with_file_name(format!("{stem}-{number}{}", ending.unwrap_or_default()))
}

/// Saves a capture that could not be written to any file, and prints where.
fn rescue(waveform: &Waveform, number: u32) {
    match rescue_file(waveform, number) {
        Ok(path) => print_note!("the capture was saved to {} instead", path.display()),
        Err(error) => print_error!("{error:#}"),
    }
}

fn rescue_file(waveform: &Waveform, number: u32) -> anyhow::Result<PathBuf> {
    let directories = [rescue_directory(), Some(std::env::temp_dir())];
    let mut refused = anyhow::anyhow!("there is no directory for it");
    for directory in directories.into_iter().flatten() {
        match write_rescue(waveform, number, &directory) {
            Ok(path) => return Ok(path),
            Err(error) => refused = error.context(format!("nor in {}", directory.display())),
        }
    }
    Err(refused.context("the capture could not be kept anywhere else"))
}

/// A directory of the user's own: in one that others may write to, they could have put a link in the way.
fn rescue_directory() -> Option<PathBuf> {
    let given = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = given("XDG_STATE_HOME").or_else(|| given("LOCALAPPDATA"));
    let home = || std::env::home_dir().filter(|home| home.is_absolute());
    let state = state.or_else(|| Some(home()?.join(".local/state")))?;
    Some(state.join("scopething/rescued"))
}

/// Writes to a new file, for this user alone, with a name that nobody can have foreseen.
fn write_rescue(waveform: &Waveform, number: u32, directory: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new()
        .prefix(&format!("scopething-rescued-{number}-"))
        .suffix(".json")
        .rand_bytes(16)
        .tempfile_in(directory)?;
    Format::Json.writer().write(waveform, &mut file)?;
    file.as_file().sync_all()?;
    let (_, path) = file.keep()?;
    Ok(path)
}

/// A few lines about a capture.
fn summary(waveform: &Waveform, is_measured: bool) -> String {
    let details = waveform.details();
    let mode = details.mode.as_deref().unwrap_or("a capture");
    let rate = waveform.sample_rates_text();
    let ended = match (&details.trigger, details.cause) {
        (Some(trigger), _) => {
            let at = quantity(trigger.time_s, "s", 4);
            format!(", triggered on {} {} at {at}", trigger.source, trigger.kind)
        }
        (None, Some(cause)) => format!(", ended by {cause}"),
        (None, None) => String::new(),
    };
    // The measurements show more of the channels.
    let channels = if is_measured { &[][..] } else { waveform.channels() };
    let channels: Vec<String> = channels.iter().map(series_summary).collect();
    format!("{mode} at {rate}{ended}\n{}", channels.concat())
}

fn series_summary(series: &Series) -> String {
    let (channel, samples) = (series.title(), &series.samples);
    let count = samples.len();
    let mean = samples.iter().map(f64::from).sum::<f64>() / count as f64;
    if let Samples::Levels(levels) = samples {
        let edges = levels.windows(2).filter(|pair| pair.first() != pair.last()).count();
        return format!(
            "{channel}: {count} samples, high {:.1} % of the time, {edges} edges\n",
            mean * 100.0
        );
    }
    let unit = if matches!(samples, Samples::Volts(_)) { "V" } else { "" };
    let (low, high) = samples.extent().unwrap_or_default();
    let [low, high, mean] = [f64::from(low), f64::from(high), mean].map(|value| quantity(value, unit, 4));
    format!("{channel}: {count} samples, {low} to {high}, mean {mean}\n")
}
