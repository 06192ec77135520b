//! A capture that is made as the one in a file was.

use std::path::PathBuf;

use clap::Args;
use scopething_core::device::Attenuation;
use scopething_core::plan::{CaptureRequest, ChannelSet};

use super::capture_arguments::CaptureArguments;
use super::failure::Failure;
use super::file_traces::FileTraces;
use super::given_options::GivenOptions;
use scopething::settings;
use scopething_files::{Format, ReadOptions};

/// Flattened beside [`CaptureArguments`], it must come before them.
#[derive(Debug, Args)]
pub(super) struct LikeArguments {
    #[command(flatten)]
    given: GivenOptions<CaptureArguments>,
    /// Capture as the trace in a file was captured; other options of the capture change what they name
    #[arg(long, value_name = "FILE")]
    like: Option<PathBuf>,
}

impl LikeArguments {
    /// What is to be captured, with channels that were named ahead of the others: what the options say, or a file and the
    /// options that are given beside it; and the attenuation by which the file's volts are counted.
    ///
    /// # Errors
    /// As [`CaptureArguments::request`], and if the file does not state how it was captured.
    pub(super) fn request(
        &self,
        capture: &CaptureArguments,
        ahead: Option<ChannelSet>,
    ) -> Result<(CaptureRequest, Option<Attenuation>), Failure> {
        let Some(path) = &self.like else { return Ok((capture.request_after(ahead)?, None)) };
        let format = Format::of_path(path).map_err(Failure::usage)?;
        let mut traces = FileTraces::open(path, format, ReadOptions::default())?;
        let first = traces.first()?;
        let settings = first.waveform.details().settings.as_deref().cloned().unwrap_or_default();
        let unknown =
            || anyhow::anyhow!("{} does not state how it was captured: give the options", path.display());
        let request = settings::request_of(&settings).map_err(Failure::failed)?;
        let request = request.ok_or_else(unknown).map_err(Failure::Failed)?;
        let attenuation = settings::attenuation_of(&settings).map_err(Failure::failed)?;
        Ok((capture.changed(request, ahead, &self.given)?, attenuation))
    }
}
