//! Waveforms in files as signals of the simulated scope.

use std::path::Path;

use scopething_sim::{Playback, PlaybackError};
use scopething_waveform::waveform::{Samples, Series, Waveform};

use crate::{Format, open};

/// The voltage of a high level.
const LOGIC_HIGH_V: f32 = 3.3;

/// Reads a waveform: a path, `#` and the name of a channel. Without a name the first channel is taken. The first trace
/// of the file is played.
///
/// # Errors
///
/// [`PlaybackError`] if the file cannot be read, is not understood, or has no such channel.
pub fn read(spec: &str) -> Result<Playback, PlaybackError> {
    let refused = |reason: String| PlaybackError { spec: spec.to_owned(), reason };
    let (path, channel) = spec.rsplit_once('#').map_or((spec, None), |(path, name)| (path, Some(name)));
    let path = Path::new(path);
    let format = Format::of_path(path).map_err(|error| refused(error.to_string()))?;
    let mut reader = open(path, format).map_err(|error| refused(error.to_string()))?;
    let recording = reader.read().map_err(|error| refused(error.to_string()))?;
    let recording = recording.ok_or_else(|| refused("there is nothing in it".to_owned()))?;
    let series = channel_of(&recording, channel).map_err(refused)?;
    let (volts, steps) = match &series.samples {
        Samples::Volts(volts) => (volts.clone(), false),
        Samples::Levels(levels) => {
            (levels.iter().map(|level| f32::from(*level) * LOGIC_HIGH_V).collect(), true)
        }
        Samples::Fractions(_) => {
            return Err(refused("its samples are fractions of a range; record it in volts".to_owned()));
        }
    };
    Playback::new(spec, series.period_s, volts, steps)
}

/// A channel, by the name it has in the file or the channel it stands for.
fn channel_of<'r>(recording: &'r Waveform, name: Option<&str>) -> Result<&'r Series, String> {
    let channels = recording.channels();
    let named = |series: &&Series| match name {
        Some(name) => series.label.as_deref() == Some(name) || series.channel.to_string() == name,
        None => true,
    };
    channels.iter().find(named).ok_or_else(|| {
        let found: Vec<_> = channels.iter().map(Series::title).collect();
        format!("it has no channel \"{}\": it has {}", name.unwrap_or_default(), found.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> String {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name).display().to_string()
    }

    #[test]
    fn a_file_that_cannot_be_played_says_why() {
        let refusal = |spec: &str| read(spec).unwrap_err().to_string();
        let missing = refusal("/nowhere/x.sr#A");
        assert!(missing.contains("/nowhere/x.sr cannot be opened"), "{missing}");
        let channel = refusal(&format!("{}#ana7", data("micro-saw-triangle.sr")));
        assert!(channel.contains("has no channel \"ana7\"") && channel.contains("ana0"), "{channel}");
        let text = refusal(&data("README.md"));
        assert!(text.contains("cannot play"), "{text}");
    }
}
