//! Waveforms in files as signals of the simulated scope.

use std::path::Path;

use scopething_sim::{Playback, PlaybackError};
use scopething_waveform::waveform::Samples;

use crate::{Format, ReadOptions, open_with};

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
    // A file may have more channels than a trace has room for.
    let options =
        ReadOptions { channels: channel.map(str::to_owned).into_iter().collect(), ..ReadOptions::default() };
    let mut reader = open_with(path, format, &options).map_err(|error| refused(error.to_string()))?;
    let recording = reader.read().map_err(|error| refused(error.to_string()))?;
    let recording = recording.ok_or_else(|| refused("there is nothing in it".to_owned()))?;
    let series = recording.channels().first().ok_or_else(|| refused("there is nothing in it".to_owned()))?;
    let (volts, steps) = match &series.samples {
        // What is no number is played as the sample before it.
        Samples::Volts(volts) => (held(volts), false),
        Samples::Levels(levels) => {
            (levels.iter().map(|level| f32::from(*level) * LOGIC_HIGH_V).collect(), true)
        }
        Samples::Fractions(_) => {
            return Err(refused("its samples are fractions of a range; record it in volts".to_owned()));
        }
    };
    Playback::new(spec, series.period_s, volts, steps)
}

fn held(volts: &[f32]) -> Vec<f32> {
    let mut last = volts.iter().copied().find(|volt| volt.is_finite()).unwrap_or(0.0);
    let hold = |&volt: &f32| {
        last = if volt.is_finite() { volt } else { last };
        last
    };
    volts.iter().map(hold).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(name: &str) -> String {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name).display().to_string()
    }

    #[test]
    fn unplayable_file_is_refused_with_the_reason() {
        let refusal = |spec: &str| read(spec).unwrap_err().to_string();
        let missing = refusal("/nowhere/x.sr#A");
        assert!(missing.contains("/nowhere/x.sr cannot be opened"), "{missing}");
        let channel = refusal(&format!("{}#ana7", data("micro-saw-triangle.sr")));
        assert!(channel.contains("has no channel \"ana7\"") && channel.contains("ana0"), "{channel}");
        let text = refusal(&data("README.md"));
        assert!(text.contains("cannot play"), "{text}");
    }
}
