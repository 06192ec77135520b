//! Arguments of every command that reads files of traces.

use clap::Args;

use super::capture_arguments::{hertz, seconds};
use scopething_files::{ColumnChoice, Format, ReadOptions};

/// What to read of a file, and what the file does not state itself.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of a file")]
pub(super) struct FileArguments {
    /// The format of the file, whatever its ending
    #[arg(long, value_name = "NAME")]
    pub(super) input_format: Option<Format>,
    /// Only these channels, by the names in the file or those of a trace: SCL,SDA
    #[arg(id = "file_channels", long = "channels", value_name = "NAME,..", value_delimiter = ',')]
    channels: Vec<String>,
    /// Which columns of a table are the time and the channels, by number from 1 or by name: time=2,A=CH1
    #[arg(long, value_name = "NAME=COLUMN,..")]
    columns: Option<ColumnChoice>,
    /// The sample rate, where the file does not state it, or states a wrong one
    #[arg(long, value_name = "F", value_parser = hertz)]
    rate: Option<f64>,
    /// Pass over so many lines of a table first
    #[arg(long, value_name = "LINES", default_value_t = 0)]
    skip: u64,
    /// Only the part from this time on, on the time axis of the file
    #[arg(long, value_name = "T", value_parser = seconds, allow_hyphen_values = true)]
    from: Option<f64>,
    /// Only a part as long as this
    #[arg(id = "part", long = "for", value_name = "T", value_parser = seconds)]
    duration: Option<f64>,
}

impl FileArguments {
    /// The options, with further names of channels.
    pub(super) fn options(&self, named: impl Iterator<Item = String>) -> ReadOptions {
        ReadOptions {
            channels: self.channels.iter().cloned().chain(named).collect(),
            columns: self.columns.clone(),
            rate_hz: self.rate,
            skip_lines: self.skip,
            from_s: self.from,
            for_s: self.duration,
        }
    }
}
