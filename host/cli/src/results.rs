//! What becomes of captures: files, JSON, pictures in the terminal, a summary.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::failure::Failure;
use super::measurements;
use super::output_arguments::OutputArguments;
use scopething_files::plot::terminal;
use scopething_files::{self as files, Format, TraceFile, TraceWriter, WriteError};
use scopething_waveform::measure::WaveformAnalysis;
use scopething_waveform::quantity_text::quantity;
use scopething_waveform::recording::{Samples, Series, Waveform};

/// What is printed of each capture.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Show {
    pub(super) json: bool,
    pub(super) plot: bool,
    pub(super) analyse: bool,
}

/// Takes captures and shows and saves them.
pub(super) struct Results {
    show: Show,
    json: Box<dyn TraceWriter>,
    files: Vec<OutputFile>,
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
    /// The format holds one capture: each goes into a file of its own, numbered if there are several.
    Each { path: PathBuf, format: Format, numbered: bool },
}

impl Results {
    /// Makes the files that can be made before there is a capture, so that what cannot be written is known
    /// early. `several` captures go into files of their own where the format holds a single one.
    pub(super) fn create(output: &OutputArguments, show: Show, several: bool) -> Result<Self, Failure> {
        let mut files = Vec::new();
        for (path, format) in output.files()? {
            files.push(if format.holds_several() {
                OutputFile::One {
                    file: TraceFile::create_for(path, format, several).map_err(Failure::failed)?,
                    broken: false,
                }
            } else {
                check_directory(path)?;
                OutputFile::Each { path: path.clone(), format, numbered: several }
            });
        }
        let json = if show.analyse { files::analysed_json_writer() } else { Format::Json.writer() };
        Ok(Self { show, json, files, taken: 0, pending: None, failed: None })
    }

    /// Shows and saves one capture. A file that fails does not keep the others from being written.
    pub(super) fn take(&mut self, waveform: Waveform) -> Result<(), Failure> {
        self.taken += 1;
        let mut kept = Kept::Nowhere;
        for file in &mut self.files {
            match file.write(&waveform, self.taken) {
                Ok(place) => kept = kept.max(place),
                Err(error) => fail(&mut self.failed, error),
            }
        }
        let printed = self.print(&waveform);
        if self.show.json && printed.is_ok() {
            kept = Kept::Safe;
        }
        let lost = self.failed.is_some() || (self.show.json && matches!(printed, Err(Failure::Failed(_))));
        match kept {
            Kept::Nowhere if lost => rescue(&waveform, self.taken),
            Kept::Pending => self.pending = Some((self.taken, waveform)),
            Kept::Nowhere | Kept::Safe => self.pending = None,
        }
        printed
    }

    fn print(&mut self, waveform: &Waveform) -> Result<(), Failure> {
        if self.show.json {
            self.json.write(waveform, &mut io::stdout().lock()).map_err(|error| match error {
                WriteError::Io(error) => Failure::from(error),
                error => Failure::failed(error),
            })?;
        }
        if self.show.plot {
            // Whoever reads the JSON does not want the picture in between.
            if self.show.json {
                io::stderr().write_all(picture(waveform, io::stderr().is_terminal()).as_bytes())?;
            } else {
                io::stdout().write_all(picture(waveform, io::stdout().is_terminal()).as_bytes())?;
            }
        }
        if !self.show.json && !self.show.plot && self.files.is_empty() {
            io::stdout().write_all(summary(waveform, self.show.analyse).as_bytes())?;
        }
        if self.show.analyse && !self.show.json {
            let tables = measurements::tables(&WaveformAnalysis::of(waveform));
            io::stdout().write_all(tables.as_bytes())?;
        }
        Ok(())
    }

    /// Puts the files in their places.
    pub(super) fn commit(self) -> Result<(), Failure> {
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
                        anstream::eprintln!("note: what it should hold was left in {}", path.display());
                    }
                }
            }
        }
        if let Some((number, waveform)) = pending {
            rescue(&waveform, number);
        }
        failed.map_or(Ok(()), Err)
    }
}

/// Keeps a failure for the end; one that was kept before is reported now.
fn fail(failed: &mut Option<Failure>, error: anyhow::Error) {
    if let Some(earlier) = failed.replace(Failure::Failed(error)) {
        earlier.report();
    }
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
            Self::Each { path, format, numbered } => {
                let path = if *numbered { numbered_path(path, number) } else { path.clone() };
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
    let name = format!("scopething-rescued-{}-{number}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    let saved = TraceFile::create(&path, Format::Json).and_then(|mut file| {
        file.write(waveform)?;
        file.commit()
    });
    match saved.with_context(|| format!("the capture could not be kept in {} either", path.display())) {
        Ok(()) => anstream::eprintln!("note: the capture was saved to {} instead", path.display()),
        Err(error) => anstream::eprintln!("error: {error:#}"),
    }
}

/// A picture for a terminal as wide as the one there is.
fn picture(waveform: &Waveform, is_terminal: bool) -> String {
    let style = terminal::Style::detect(is_terminal, |name| std::env::var(name).ok());
    let lanes = u16::try_from(waveform.logic().count()).unwrap_or(0);
    let size = match terminal_size::terminal_size() {
        Some((columns, rows)) if is_terminal => {
            terminal::Size { columns: columns.0, rows: rows.0.saturating_sub(1).max(16) }
        }
        _ => terminal::Size { columns: 100, rows: 24 + lanes },
    };
    terminal::draw(waveform, size, style)
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
