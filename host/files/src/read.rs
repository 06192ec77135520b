//! What all readers share.

use std::io;

use thiserror::Error;

use super::Format;
use scopething_waveform::waveform::{InvalidWaveform, Waveform};

/// The most samples of all channels together that a trace is read into memory with: 1 GiB of analog ones, a quarter of
/// that of logic levels. A device takes 12288 at a time; this bounds the memory that a file can ask for. A longer file
/// is read in [parts](super::ReadOptions::from_s).
pub const MAX_SAMPLES: usize = 1 << 28;

/// Reads captures of one format.
pub trait TraceReader: Send {
    /// Reads the next capture, or `None` after the last one.
    ///
    /// # Errors
    /// If the file cannot be read, or what is in it is not of the format or is too much. The next call then
    /// returns an error or `None`.
    fn read(&mut self) -> Result<Option<Waveform>, ReadError>;

    /// Goes past the next capture, which costs less than to read it where the format allows that; `None` after the last
    /// one.
    ///
    /// # Errors
    /// As [`read`](Self::read), but faults in what is passed over may go unseen.
    fn skip(&mut self) -> Result<Option<Skipped>, ReadError> {
        let stamp = |recording: Waveform| recording.details().stamp;
        Ok(self.read()?.map(|recording| Skipped { number: stamp(recording).map(|stamp| stamp.number) }))
    }

    /// What the user should know of how the last capture was read, one sentence each; they are given once.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// A capture that was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its number among the traces of a job, if it was recorded by one.
    pub number: Option<u64>,
}

/// Why no capture was read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file failed.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    /// A line of a text is not as it should be.
    #[error("line {line}: {reason}")]
    Line {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// An entry of an archive is not as it should be.
    #[error("{entry:?} in the archive: {reason}")]
    Entry {
        /// Which entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// This is no zip archive.
    #[error("this is not a zip archive ({0}); save the capture again, as .sr or .csv")]
    Archive(String),
    /// The file ends within a capture, or has lost what followed.
    #[error(
        "the trace that begins at line {line} is cut off, as by a loss of power, and those before it are whole; record on with the same job, which takes it away, or delete from that line on"
    )]
    CutOff {
        /// Where the capture begins, as the number of a line from 1.
        line: u64,
    },
    /// What a job kept of traces is not their samples.
    #[error(
        "it holds {held} of traces that a job recorded, and samples are needed; let the job keep them, with what = \"all\" under [keep]"
    )]
    NoSamples {
        /// What it holds.
        held: &'static str,
    },
    /// There are more samples than [`MAX_SAMPLES`].
    #[error(
        "there are more than {MAX_SAMPLES} samples in it; read a part with --from and --for, or fewer --channels"
    )]
    TooLong,
    /// No channel has a name that was asked for.
    #[error("it has no channel {wanted:?}; choose of {found}")]
    NoChannel {
        /// What was asked for.
        wanted: String,
        /// The channels it has.
        found: String,
    },
    /// More channels were asked for than a trace has room for.
    #[error("these are more channels than a trace has room for; choose at most 2 analog and 8 logic ones")]
    TooManyChannels,
    /// The file does not state how often was sampled.
    #[error("there is no sample rate in it; give it, as in --rate 1MHz")]
    NoRate,
    /// No sample lies in the part that was asked for.
    #[error("no sample lies in the part from {from_s} s on; its samples are from {start_s} s to {end_s} s")]
    NothingThere {
        /// Where the part begins, in seconds.
        from_s: f64,
        /// When the first sample of the file was taken, in seconds.
        start_s: f64,
        /// When the last one was taken, in seconds.
        end_s: f64,
    },
    /// The file is not of the format.
    #[error("this is no {format} file of a trace: {reason}")]
    NotOfFormat {
        /// The format.
        format: Format,
        /// What is wrong.
        reason: String,
    },
    /// The channels do not fit together.
    #[error(transparent)]
    Waveform(#[from] InvalidWaveform),
}

/// Bytes that are read at once.
pub(crate) const BUFFER_BYTES: usize = 1 << 17;
