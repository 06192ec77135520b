//! `scopething open`: shows a file in `PulseView`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use super::failure::Failure;
use super::file_arguments::{FileArguments, FileSource};
use super::given_options::GivenOptions;
use super::message::print_status;
use scopething_files::{Format, TraceFile};

const EXAMPLES: &str = "\
Examples:
  scopething open trace.sr
  scopething open trace-000000001-20261125T060000Z.csv --trace 17
      A trace that `record` counted as the 17th, which is written to a file of its own first

Files other than .sr, and parts of files, are written to one in a new directory for temporary files. SCOPETHING_PULSEVIEW names another program.";

/// Programs that cannot show anything end within this time.
const START_TIMEOUT: Duration = Duration::from_secs(2);
/// How often is looked whether it has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Show a file in PulseView
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    given: GivenOptions<FileArguments>,
    #[command(flatten)]
    source: FileSource,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let is_sr = Format::of_path(&self.source.file).is_ok_and(|format| format == Format::Sr);
        let is_whole = self.given.first().is_none();
        let file = if is_sr && is_whole { self.existing()? } else { self.converted()? };
        let program = std::env::var_os("SCOPETHING_PULSEVIEW").unwrap_or_else(|| "pulseview".into());
        let mut command = Command::new(&program);
        // It goes on when this program and its terminal are gone.
        command.arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| missing(&error))?;
        let started = tokio::time::Instant::now();
        while started.elapsed() < START_TIMEOUT {
            if let Some(status) = child.try_wait()? {
                return ended(status, child);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        print_status!("{} shows {}", Path::new(&program).display(), file.display());
        Ok(())
    }

    fn existing(&self) -> Result<PathBuf, Failure> {
        let file = std::fs::canonicalize(&self.source.file);
        let file = file.with_context(|| format!("{} cannot be read", self.source.file.display()));
        file.map_err(Failure::Failed)
    }

    /// A trace of the file as `.sr`, in a directory of its own that nobody can have foreseen: in the temporary directory others
    /// may have put a link in the way.
    fn converted(&self) -> Result<PathBuf, Failure> {
        let trace = self.source.read()?;
        let stem = self.source.file.file_stem().unwrap_or_default().to_string_lossy();
        let write = || -> anyhow::Result<PathBuf> {
            let mut builder = tempfile::Builder::new();
            builder.prefix("scopething-").rand_bytes(16);
            #[cfg(unix)]
            builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
            let directory = builder.tempdir()?;
            let path = directory.path().join(format!("{stem}-{}.sr", trace.number));
            let mut file = TraceFile::create(&path, Format::Sr)?;
            file.write(&trace.waveform)?;
            file.commit()?;
            let _ = directory.keep();
            Ok(path)
        };
        write().map_err(Failure::Failed)
    }
}

fn missing(error: &io::Error) -> Failure {
    if error.kind() != io::ErrorKind::NotFound {
        return Failure::Failed(anyhow::anyhow!("PulseView cannot be started: {error}"));
    }
    Failure::Failed(anyhow::anyhow!(
        "PulseView was not found: install it (Debian and Ubuntu: sudo apt install pulseview; Fedora: sudo dnf install pulseview; Arch: \
         sudo pacman -S pulseview; Windows and macOS: https://sigrok.org/wiki/Downloads), or name it in SCOPETHING_PULSEVIEW"
    ))
}

/// It has ended at once: by itself, or because it could not show anything.
fn ended(status: std::process::ExitStatus, child: std::process::Child) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    let printed = child.wait_with_output()?.stderr;
    let printed = String::from_utf8_lossy(&printed);
    let last = printed.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it printed nothing");
    Err(Failure::Failed(anyhow::anyhow!("PulseView ended at once ({status}): {last}")))
}
