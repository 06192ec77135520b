//! Measurements as tables in the terminal. What is not supported by the samples is "unknown".

use std::fmt::Write as _;

use super::table::Table;
use scopething_core::analysis::{EdgeMeasurements, Levels, Shape, Wave};

use scopething_waveform::measure::{
    AnalogMeasurements, ChannelAnalysis, DelayUnknown, Measurements, Spectrum, WaveformAnalysis, WhyUnknown,
};
use scopething_waveform::quantity_text::quantity;

/// The tables of a waveform: analog channels side by side, a line for each logic line, delays, spectra.
pub(super) fn tables(analysis: &WaveformAnalysis) -> String {
    let mut columns = Vec::new();
    let mut lines = Vec::new();
    for channel in &analysis.channels {
        match &channel.measurements {
            Measurements::Analog(analog) => columns.push(analog_column(channel, analog)),
            Measurements::Logic(logic) => {
                let edges = &logic.edges;
                let [frequency, duty] = [sharp_hertz(edges), percent(edges.duty)];
                lines.push(vec![
                    channel.title(),
                    percent(Some(logic.high)),
                    frequency,
                    duty,
                    counts((edges.rising, edges.falling)),
                ]);
            }
        }
    }
    let mut text = String::new();
    if !columns.is_empty() {
        let titles = ANALOG_TITLES.iter().enumerate();
        let row = |(index, title): (usize, &&str)| -> Vec<String> {
            let values = columns.iter().filter_map(|column| column.get(index).cloned());
            std::iter::once((*title).to_owned()).chain(values).collect()
        };
        text += &Table::new(titles.map(row)).to_string();
    }
    if !lines.is_empty() {
        lines.insert(0, ["", "high", "frequency", "duty", "edges"].map(str::to_owned).to_vec());
        text += &Table::new(lines).to_string();
    }
    for channel in &analysis.channels {
        text += &part(channel);
        text += &reasons(channel);
    }
    text += &delays(analysis);
    for channel in &analysis.channels {
        text += &spectrum(channel);
    }
    text
}

/// What is not of all samples of a long channel.
fn part(channel: &ChannelAnalysis) -> String {
    let Some(part) = channel.part else { return String::new() };
    let span = quantity(part.samples as f64 / channel.sample_rate_hz, "s", 3);
    let what = match (part.has_wave, part.has_spectrum) {
        (true, true) => "shape and spectrum",
        (true, false) => "shape",
        (false, _) => "spectrum",
    };
    format!(
        "{what} of {}: of its first {span}, as it is long; --from and --for choose another part\n",
        channel.channel
    )
}

/// Why something of a channel is unknown, a line for each reason.
fn reasons(channel: &ChannelAnalysis) -> String {
    let mut reasons: Vec<(WhyUnknown, Vec<String>)> = Vec::new();
    // Its uncertainty is unknown with a frequency.
    let unknown = channel.unknown().into_iter().filter(|(key, _)| !key.ends_with("uncertainty"));
    for (key, why) in unknown {
        group(&mut reasons, why, key.replace('_', " "));
    }
    let line = |(why, keys): &(WhyUnknown, Vec<String>)| {
        format!("{} of {}: unknown, as {why}\n", keys.join(", "), channel.channel)
    };
    reasons.iter().map(line).collect()
}

/// Adds what is unknown to the others that are for the same reason.
fn group<W: PartialEq>(reasons: &mut Vec<(W, Vec<String>)>, why: W, what: String) {
    match reasons.iter_mut().find(|(known, _)| *known == why) {
        Some((_, others)) => others.push(what),
        None => reasons.push((why, vec![what])),
    }
}

/// A relative error that changes one of the five digits of a frequency.
const VISIBLE_UNCERTAINTY: f64 = 5e-5;

/// The rows of an analog channel, in the order of [`analog_column`].
const ANALOG_TITLES: [&str; 24] = [
    "",
    "shape",
    "match error",
    "frequency",
    "period",
    "amplitude",
    "offset",
    "mean",
    "RMS",
    "AC RMS",
    "minimum",
    "maximum",
    "peak to peak",
    "top",
    "base",
    "overshoot",
    "undershoot",
    "rise time",
    "fall time",
    "edges",
    "by its edges",
    "noise",
    "clipped",
    "left out",
];

fn analog_column(channel: &ChannelAnalysis, analog: &AnalogMeasurements) -> Vec<String> {
    let analysis = &analog.analysis;
    let (levels, wave) = (analysis.levels.as_ref(), analysis.wave.as_ref());
    let is_square = wave.is_some_and(|wave| matches!(wave.shape, Shape::Square { .. }));
    let level = |value: Option<f64>| known(value.map(|value| quantity(value, channel.unit, 4)));
    let of_levels = |value: fn(&Levels) -> f64| level(levels.map(value));
    let seconds = |value: Option<f64>| known(value.map(|value| quantity(value, "s", 4)));
    vec![
        channel.title(),
        known(wave.and_then(|wave| shape(wave.shape))),
        percent(wave.and_then(|wave| wave.shape_error)),
        known(wave.map(|wave| quantity(wave.frequency_hz, "Hz", 5))),
        seconds(wave.map(|wave| wave.period_s)),
        level(wave.and_then(Wave::amplitude)),
        level(wave.and_then(Wave::offset)),
        of_levels(|levels| levels.mean),
        of_levels(|levels| levels.rms),
        of_levels(|levels| levels.ac_rms),
        of_levels(|levels| levels.min),
        of_levels(|levels| levels.max),
        of_levels(|levels| levels.peak_to_peak),
        level(levels.and_then(Levels::top)),
        level(levels.and_then(Levels::base)),
        percent(levels.and_then(|levels| levels.overshoot)),
        percent(levels.and_then(|levels| levels.undershoot)),
        seconds(analysis.transitions.rise_s),
        seconds(analysis.transitions.fall_s),
        known(analysis.counted_edges().map(counts)),
        match analysis.edges {
            EdgeMeasurements { frequency_hz: None, duty: None, .. } => known(None),
            edges if is_square => format!("{}, {}", sharp_hertz(&edges), percent(edges.duty)),
            edges => format!("{}, {}", hertz(edges.frequency_hz), percent(edges.duty)),
        },
        level(levels.and_then(Levels::noise)),
        known(channel.clipping.map(|clipping| clipping.to_string())),
        left_out(channel, analog),
    ]
}

/// What the measurements do not rest on.
fn left_out(channel: &ChannelAnalysis, analog: &AnalogMeasurements) -> String {
    let wild = analog.analysis.levels.map_or(0, |levels| levels.outliers);
    match (wild, channel.not_numbers) {
        (0, 0) => "no sample".to_owned(),
        (wild, 0) => format!("{wild} wild"),
        (0, not_numbers) => format!("{not_numbers} not numbers"),
        (wild, not_numbers) => format!("{wild} wild, {not_numbers} not numbers"),
    }
}

fn shape(shape: Shape) -> Option<String> {
    match shape {
        Shape::Unknown => None,
        Shape::Square { duty } => Some(format!("square, {:.1} % high", 100.0 * duty)),
        Shape::Sawtooth { rising } => Some(format!("{} sawtooth", if rising { "rising" } else { "falling" })),
        shape => Some(shape.to_string()),
    }
}

fn known(text: Option<String>) -> String {
    text.unwrap_or_else(|| "unknown".to_owned())
}

fn percent(part: Option<f64>) -> String {
    known(part.map(|part| format!("{:.2} %", 100.0 * part)))
}

fn hertz(frequency_hz: Option<f64>) -> String {
    known(frequency_hz.map(|frequency_hz| quantity(frequency_hz, "Hz", 5)))
}

/// The frequency of edges within a sample period, with its uncertainty where that is seen in the digits.
fn sharp_hertz(edges: &EdgeMeasurements) -> String {
    let text = hertz(edges.frequency_hz);
    let seen = edges.frequency_hz.zip(edges.frequency_uncertainty_hz);
    match seen.filter(|(frequency_hz, uncertainty_hz)| uncertainty_hz / frequency_hz > VISIBLE_UNCERTAINTY) {
        Some((_, uncertainty_hz)) => format!("{text} ± {}", quantity(uncertainty_hz, "Hz", 2)),
        None => text,
    }
}

fn counts((rising, falling): (usize, usize)) -> String {
    format!("{rising} rising, {falling} falling")
}

/// Delays that are known, a line each, and a line for each reason why others are not.
fn delays(analysis: &WaveformAnalysis) -> String {
    let mut text = String::new();
    let mut reasons: Vec<(DelayUnknown, Vec<String>)> = Vec::new();
    for pair in &analysis.delays {
        match pair.delay {
            Ok(delay) => {
                let (delay, phase_degrees) = (quantity(delay.delay_s, "s", 4), delay.phase_degrees);
                // Writing to a string does not fail.
                let _ = writeln!(
                    text,
                    "delay from {} to {}: {delay}, {phase_degrees:.2} degrees",
                    pair.from, pair.to
                );
            }
            Err(why) => group(&mut reasons, why, pair.to.to_string()),
        }
    }
    let from = analysis.delays.first().map(|pair| pair.from.to_string()).unwrap_or_default();
    for (why, to) in reasons {
        let _ = writeln!(text, "delay from {from} to {}: unknown, as {why}", to.join(", "));
    }
    text
}

fn spectrum(channel: &ChannelAnalysis) -> String {
    let name = channel.channel;
    let spectrum = match &channel.spectrum {
        None => return String::new(),
        Some(Err(error)) => return format!("spectrum of {name}: unknown, as {error}\n"),
        Some(Ok(spectrum)) => spectrum,
    };
    let Spectrum { window, resolution_hz, .. } = spectrum;
    let decibels = |value: Option<f64>| known(value.map(|value| format!("{value:.1} dB")));
    format!(
        "spectrum of {name}, {window} window, a bin each {}\n{}THD {}{}, SNR {}, SINAD {}\n{}",
        quantity(*resolution_hz, "Hz", 4),
        peaks(spectrum, channel.unit),
        percent(spectrum.thd),
        match spectrum.harmonics {
            0 => String::new(),
            1 => " (harmonic 2)".to_owned(),
            count => format!(" (harmonics 2 to {})", count + 1),
        },
        decibels(spectrum.snr_db),
        decibels(spectrum.sinad_db),
        spectrum.unknown.map(|unknown| format!("unknown, as {unknown}\n")).unwrap_or_default(),
    )
}

fn peaks(spectrum: &Spectrum, unit: &str) -> String {
    let strongest = spectrum.peaks.first().map_or(1.0, |peak| peak.amplitude);
    let mut rows = vec![["frequency", "amplitude", "relative", ""].map(str::to_owned).to_vec()];
    rows.extend(spectrum.peaks.iter().map(|peak| {
        vec![
            quantity(peak.frequency_hz, "Hz", 5),
            quantity(peak.amplitude, unit, 4),
            format!("{:.1} dB", 20.0 * (peak.amplitude / strongest).log10()),
            match peak.harmonic {
                Some(1) => "fundamental".to_owned(),
                Some(number) => format!("harmonic {number}"),
                None => String::new(),
            },
        ]
    }));
    if spectrum.peaks.is_empty() {
        "no peaks above the noise\n".to_owned()
    } else {
        Table::new(rows).to_string()
    }
}
