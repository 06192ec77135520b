//! Recordings as signals: any file that this program reads, such as CSV, JSON or a sigrok session.
//!
//! The first capture of the file is played. Analog recordings run straight from sample to sample, logic
//! recordings step, at 0 and 3.3 V.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::super::time::SimTime;
use super::LOGIC_HIGH_V;
use crate::files::{self, Format};
use crate::recording::{self, Recording, Series};

/// Why a recording cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybackError {
    spec: String,
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reason {
    Read(String),
    NoChannel { channel: String, found: Vec<String> },
    Format(String),
}

impl fmt::Display for PlaybackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = &self.spec;
        match &self.reason {
            Reason::Read(cause) => f.write_str(cause),
            Reason::NoChannel { channel, found } => {
                write!(f, "\"{spec}\" has no channel \"{channel}\": it has {}", found.join(", "))
            }
            Reason::Format(cause) => write!(f, "cannot play \"{spec}\": {cause}"),
        }
    }
}

impl std::error::Error for PlaybackError {}

/// A recording, played over and over.
#[derive(Debug, Clone)]
pub struct Playback {
    spec: String,
    sample_period_ns: f64,
    volts: Arc<[f32]>,
    steps: bool,
    lowest: f64,
    highest: f64,
}

impl PartialEq for Playback {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
            && self.sample_period_ns == other.sample_period_ns
            && self.steps == other.steps
            && self.volts == other.volts
    }
}

impl Playback {
    /// Reads a recording: a path, `#` and the name of a channel. Without a name the first channel is taken.
    ///
    /// # Errors
    ///
    /// [`PlaybackError`] if the file cannot be read, is not understood, or has no such channel.
    pub fn load(spec: &str) -> Result<Self, PlaybackError> {
        let (path, channel) = spec.rsplit_once('#').map_or((spec, None), |(path, name)| (path, Some(name)));
        let refused = |reason| PlaybackError { spec: spec.to_owned(), reason };
        let path = Path::new(path);
        let format = Format::of_path(path).map_err(|error| refused(Reason::Format(error.to_string())))?;
        let mut reader =
            files::open(path, format).map_err(|error| refused(Reason::Read(error.to_string())))?;
        let recording = reader.read().map_err(|error| refused(Reason::Format(error.to_string())))?;
        let recording =
            recording.ok_or_else(|| refused(Reason::Format("there is nothing in it".to_owned())))?;
        let (period_s, volts, steps) = channel_of(&recording, channel).map_err(refused)?;
        Self::new(spec, period_s, volts, steps).map_err(refused)
    }

    fn new(spec: &str, period_s: f64, volts: Vec<f32>, steps: bool) -> Result<Self, Reason> {
        if volts.is_empty() {
            return Err(Reason::Format("it has no samples".to_owned()));
        }
        if !(period_s.is_finite() && period_s >= 1e-9) {
            return Err(Reason::Format(format!("its samples are {period_s} s apart")));
        }
        if !volts.iter().all(|volts| volts.is_finite()) {
            return Err(Reason::Format("it has samples that are not numbers".to_owned()));
        }
        let lowest = f64::from(volts.iter().copied().fold(f32::INFINITY, f32::min));
        let highest = f64::from(volts.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let volts = volts.into();
        Ok(Self { spec: spec.to_owned(), sample_period_ns: period_s * 1e9, volts, steps, lowest, highest })
    }

    /// What was given to [`Playback::load`].
    #[must_use]
    pub fn spec(&self) -> &str {
        &self.spec
    }

    /// Volts of a sample and of the next; the last sample is held, as nothing follows it.
    fn pair(&self, index: usize) -> (f64, f64) {
        let here = self.volts.get(index).or(self.volts.last()).copied().unwrap_or(0.0);
        let next = if self.steps { here } else { self.volts.get(index + 1).copied().unwrap_or(here) };
        (f64::from(here), f64::from(next))
    }

    /// The sample that is played, and how much of it has passed, 0 to 1; a fraction of a nanosecond counts as
    /// none.
    fn position(&self, at: SimTime) -> (usize, f64) {
        let length = self.volts.len() as f64;
        let place = (at.0 as f64 / self.sample_period_ns).rem_euclid(length);
        let index = place.floor().min(length - 1.0);
        (index as usize, place - index)
    }

    pub(in super::super) fn volts(&self, at: SimTime) -> f64 {
        let (index, part) = self.position(at);
        let (here, next) = self.pair(index);
        here + part * (next - here)
    }

    /// See [`Signal::next_crossing`](super::Signal::next_crossing).
    pub(in super::super) fn next_crossing(&self, level: f64, after: SimTime) -> Option<SimTime> {
        if level <= self.lowest || level > self.highest {
            return None;
        }
        let side = self.volts(after) >= level;
        let (first, part) = self.position(after);
        // Twice round: the segment that the search starts in is looked at again as a whole.
        for ahead in 0..=2 * self.volts.len() {
            let (here, next) = self.pair((first + ahead) % self.volts.len());
            let here_differs = ahead > 0 && (here >= level) != side;
            if here_differs || (next >= level) != side {
                let crossing = if here_differs { 0.0 } else { (level - here) / (next - here) };
                let wait_ns = (ahead as f64 + crossing - part) * self.sample_period_ns;
                return Some(after + SimTime((wait_ns - 2.0).max(1.0) as u64));
            }
        }
        None
    }
}

/// Sample period in seconds, volts, and whether they step.
type Samples = (f64, Vec<f32>, bool);

/// The channel of a recording, by the name it has in the file or the channel it stands for.
fn channel_of(recording: &Recording, name: Option<&str>) -> Result<Samples, Reason> {
    let channels = recording.channels();
    let named = |series: &&Series| match name {
        Some(name) => series.label.as_deref() == Some(name) || series.channel.to_string() == name,
        None => true,
    };
    let series = channels.iter().find(named).ok_or_else(|| Reason::NoChannel {
        channel: name.unwrap_or_default().to_owned(),
        found: channels.iter().map(Series::title).collect(),
    })?;
    let volts: Vec<f32> = match &series.samples {
        recording::Samples::Volts(volts) => volts.clone(),
        recording::Samples::Levels(levels) => {
            levels.iter().map(|level| f32::from(*level) * LOGIC_HIGH_V as f32).collect()
        }
        recording::Samples::Fractions(_) => {
            return Err(Reason::Format(
                "its samples are fractions of a range; record it in volts".to_owned(),
            ));
        }
    };
    Ok((series.period_s, volts, matches!(series.samples, recording::Samples::Levels(_))))
}
