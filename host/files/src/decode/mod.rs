//! What was sent over a bus: lines and channels of a waveform, decoded by [sigrok](https://sigrok.org)'s own decoders, which
//! `sigrok-cli` runs.

mod levels;
mod shown;
mod sigrok;
mod spec;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use scopething_waveform::waveform::Waveform;
use thiserror::Error;

use self::levels::{LogicLevels, Thresholded};
pub use self::shown::Shown;
pub use self::sigrok::{Decoder, ListedDecoder, SigrokError, list};
pub use self::spec::{DecoderSpec, Stack};
use crate::plot::{Annotation as PlotAnnotation, AnnotationLane};

/// Why nothing was decoded.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// sigrok-cli is not there, does not know the decoder, or failed.
    #[error(transparent)]
    Sigrok(#[from] SigrokError),
    /// The decoder is not for what it was given.
    #[error("{0}")]
    Refused(String),
    /// The levels were not handed over.
    #[error("the samples cannot be written for sigrok-cli")]
    Samples(#[from] io::Error),
}

/// The decoders that stacks name, as sigrok describes them.
#[derive(Debug, Clone, Default)]
pub struct Decoders(BTreeMap<String, Decoder>);

impl Decoders {
    /// Asks sigrok-cli for each of them.
    ///
    /// # Errors
    /// [`SigrokError`], also for a decoder that it does not have.
    pub fn of(stacks: &[Stack]) -> Result<Self, SigrokError> {
        let mut described = BTreeMap::new();
        for decoder in stacks.iter().flat_map(|Stack(stack)| stack) {
            if !described.contains_key(&decoder.id) {
                described.insert(decoder.id.clone(), Decoder::named(&decoder.id)?);
            }
        }
        Ok(Self(described))
    }
}

/// How a waveform is decoded.
#[derive(Debug, Clone, Default)]
pub struct DecodeOptions {
    /// Only these annotations, as sigrok-cli has them, such as `uart=rx-data`; none: all but single bits.
    pub annotations: Option<Shown>,
    /// Where an analog channel changes from low to high, in volts; none: the middle between its lowest and highest sample.
    pub threshold: Option<f64>,
    /// How long sigrok-cli may take; none: as long as it wants.
    pub limit: Option<Duration>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The first sample, and the one behind the last.
    pub samples: (u64, u64),
    /// The decoder that found it, with its number, as in `uart-1`.
    pub decoder: String,
    /// Its class, such as `rx-data`.
    pub class: String,
    /// The title of the row that shows its class.
    pub row: String,
    /// What it is, the longest text first: at least one.
    pub texts: Vec<String>,
    /// When it begins, in seconds from the start of the capture.
    pub start_s: f64,
    /// When it ends, likewise.
    pub end_s: f64,
}

/// What was found in a waveform.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// All of it, in the order in which it begins.
    pub found: Vec<Found>,
    /// Samples a second of the levels that were decoded, in hertz.
    pub rate_hz: f64,
}

/// A decoder of which all that is asked is known to exist.
struct CheckedStack {
    /// As sigrok-cli takes it, with channels by their numbers.
    text: String,
    /// The decoders by their names.
    decoders: BTreeMap<String, Decoder>,
}

/// Decodes a waveform; analog channels count as levels.
///
/// # Errors
/// [`DecodeError`].
pub fn decode(
    waveform: &Waveform,
    stacks: &[Stack],
    described: &Decoders,
    options: &DecodeOptions,
) -> Result<Decoded, DecodeError> {
    let levels = LogicLevels::new(waveform, options.threshold);
    let mut found = Vec::new();
    if let Some(shown) = &options.annotations {
        shown.check(described)?;
    }
    for Stack(stack) in stacks {
        let (checked, used) = check(stack, described, &levels)?;
        let shown = options.annotations.as_ref().map(|shown| shown.of(stack));
        // Of this one nothing is asked for.
        if shown == Some(None) {
            continue;
        }
        let shown = shown.flatten();
        let shown = shown.as_deref();
        let samples = levels.write(&used)?;
        let annotations = sigrok::decode(&samples.described(), &checked.text, shown, options.limit)?;
        let kept = annotations.into_iter().filter(|annotation| {
            let decoder = checked.decoders.get(annotation.decoder_id());
            shown.is_some() || decoder.is_none_or(|decoder| !decoder.is_of_bits(&annotation.class))
        });
        found.extend(kept.map(|annotation| {
            let decoder = checked.decoders.get(annotation.decoder_id());
            let row = decoder.map_or(annotation.class.as_str(), |decoder| decoder.row_of(&annotation.class));
            let (start, end) = annotation.samples;
            Found {
                row: row.to_owned(),
                start_s: levels.time_s(start),
                end_s: levels.time_s(end),
                samples: annotation.samples,
                decoder: annotation.decoder,
                class: annotation.class,
                texts: annotation.texts,
            }
        }));
    }
    found.sort_by(|one, other| one.start_s.total_cmp(&other.start_s));
    Ok(Decoded { found, rate_hz: levels.rate_hz() })
}

/// What was found, a lane for each row of each decoder, in the order in which they first appear.
#[must_use]
pub fn lanes(found: &[Found]) -> Vec<AnnotationLane> {
    let mut lanes: Vec<AnnotationLane> = Vec::new();
    for Found { decoder, row, start_s, end_s, texts, .. } in found {
        let place = lanes.iter().position(|lane| lane.decoder == *decoder && lane.title == *row);
        let place = place.unwrap_or_else(|| {
            let (decoder, title) = (decoder.clone(), row.clone());
            lanes.push(AnnotationLane { decoder, title, annotations: Vec::new() });
            lanes.len() - 1
        });
        if let Some(lane) = lanes.get_mut(place) {
            lane.annotations.push(PlotAnnotation { start_s: *start_s, end_s: *end_s, texts: texts.clone() });
        }
    }
    lanes
}

/// Checks that decoders have the channels and options that they are given, and numbers the channels that they use.
fn check<'a>(
    stack: &[DecoderSpec],
    described: &Decoders,
    levels: &LogicLevels<'a>,
) -> Result<(CheckedStack, Vec<Thresholded<'a>>), DecodeError> {
    let refused = DecodeError::Refused;
    let mut used = Vec::new();
    let mut texts = Vec::new();
    let mut decoders = BTreeMap::new();
    let mut before: Option<(&str, &Decoder)> = None;
    for DecoderSpec { id, settings } in stack {
        let Some(decoder) = described.0.get(id) else { continue };
        match before {
            None if !decoder.takes_logic() => {
                return Err(refused(format!(
                    "{id} takes what {} puts out: stack it, as in {}:..,{id}",
                    decoder.inputs.join(" or "),
                    decoder.inputs.join(" or ")
                )));
            }
            Some((below, given)) if !decoder.inputs.iter().any(|input| given.outputs.contains(input)) => {
                return Err(refused(format!(
                    "{id} takes {}, and {below} puts out {}",
                    decoder.inputs.join(" or "),
                    if given.outputs.is_empty() { "nothing".to_owned() } else { given.outputs.join(" or ") }
                )));
            }
            _ => {}
        }
        let mut text = id.clone();
        for (name, value) in settings {
            let value = if decoder.has_channel(name) {
                let line = levels.line(value).ok_or_else(|| {
                    refused(format!(
                        "there is no channel {value:?} for {name} of {id}: give one of {}",
                        levels.names()
                    ))
                })?;
                let number = used.iter().position(|used| *used == line).unwrap_or(used.len());
                if number == used.len() {
                    used.push(line);
                }
                number.to_string()
            } else if decoder.options.contains(name) {
                value.clone()
            } else {
                return Err(refused(format!(
                    "{id} has no channel or option {name:?}: channels are {}; options are {}",
                    listed(decoder.required_channels.iter().chain(&decoder.optional_channels)),
                    listed(decoder.options.iter())
                )));
            };
            text = format!("{text}:{name}={value}");
        }
        let is_given = |channel: &&String| settings.iter().any(|(name, _)| name == *channel);
        let missing: Vec<&String> =
            decoder.required_channels.iter().filter(|channel| !is_given(channel)).collect();
        let any = decoder
            .required_channels
            .iter()
            .chain(&decoder.optional_channels)
            .any(|channel| is_given(&channel));
        if !missing.is_empty() || (before.is_none() && !any) {
            let wanted =
                if missing.is_empty() { decoder.optional_channels.iter().collect() } else { missing };
            return Err(refused(format!(
                "{id} needs to know where {} is: give it as in {id}:{}={}",
                listed(wanted.iter().copied()),
                wanted.first().map_or("rx", |name| name.as_str()),
                levels.names().split(' ').next().unwrap_or("L0")
            )));
        }
        texts.push(text);
        decoders.insert(id.clone(), decoder.clone());
        before = Some((id, decoder));
    }
    Ok((CheckedStack { text: texts.join(","), decoders }, used))
}

fn listed<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
