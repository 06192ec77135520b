//! `scopething decode`: what was sent over a bus, found in a file or a capture.

mod levels;
mod shown;
mod sigrok;
mod spec;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _};

use clap::Args;
use serde_json::{Value, json};

use self::levels::LogicLevels;
use self::shown::Shown;
use self::sigrok::{Annotation, Decoder, SigrokError};
use self::spec::{DecoderSpec, Stack};
use super::capture_arguments::volts;
use super::failure::Failure;
use super::file_or_capture::{FileOrCapture, Source};
use super::message::print_note;
use super::output_arguments::{Output, OutputArguments, Target};
use super::picture_size::PictureArguments;
use super::progress::with_progress;
use super::session::Session;
use super::table::Table;
use scopething::atomic::{AtomicError, AtomicFile};
use scopething_files::Format;
use scopething_files::plot::{Annotation as PlotAnnotation, AnnotationLane, PictureSize, png, svg};
use scopething_waveform::quantity_text::quantity;
use scopething_waveform::waveform::Waveform;

const EXAMPLES: &str = "\
Examples:
  scopething decode trace.sr -P uart:rx=L0,baudrate=115200
      What an UART receives, as a table
  scopething decode L --period 5ms --samples 12000 -P i2c:scl=L0,sda=L1
      A capture of the logic lines
  scopething decode A --period 10ms --samples 6000 -P uart:rx=A,baudrate=9600 --threshold 1.5V
      An analog channel, as logic levels
  scopething decode trace.sr -P uart:rx=L0,baudrate=115200 -o decoded.svg
      A picture of the waveform with what was found in lanes below it
  scopething decode trace.csv -P i2c:scl=L0,sda=L1,eeprom24xx --json
      Decoders that build on one another, for programs
  scopething decode trace.sr -P spi:clk=L0,mosi=L1,cs=L2 -A spi=mosi-data
      Only some of what is found, as sigrok-cli has it

The decoders are those of sigrok, which sigrok-cli runs: `sigrok-cli -L` lists them, `sigrok-cli --show -P uart` describes one with
its channels and options. Bits are left out of the table unless -A asks for them.";

/// Decode a bus in a file or a capture, by the decoders of sigrok
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("source", |source| source.required(true)))]
pub(super) struct Arguments {
    #[command(flatten)]
    source: FileOrCapture,
    /// A decoder with its channels and options, such as uart:rx=L0,baudrate=115200 (may be given several times)
    #[arg(short = 'P', long = "decoder", value_name = "DECODER", required = true)]
    decoders: Vec<Stack>,
    /// Only these annotations, as sigrok-cli has them, such as uart=rx-data
    #[arg(short = 'A', long, value_name = "DECODER=CLASS")]
    annotations: Option<Shown>,
    /// Where an analog channel changes from low to high [default: the middle between its lowest and highest sample]
    #[arg(long, value_name = "V", value_parser = volts, allow_hyphen_values = true)]
    threshold: Option<f64>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Draw the waveform in the terminal, with what was found as lanes below it
    #[arg(long, conflicts_with = "json")]
    plot: bool,
    #[command(flatten)]
    picture: PictureArguments,
    #[command(flatten)]
    output: OutputArguments,
}

/// A decoder of which all that is asked is known to exist.
struct CheckedStack {
    /// As sigrok-cli takes it, with channels by their numbers.
    text: String,
    /// The decoders by their names.
    decoders: BTreeMap<String, Decoder>,
}

/// What was found, with the times that it spans.
struct Found {
    annotation: Annotation,
    row: String,
    start_s: f64,
    end_s: f64,
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        // Before anything is captured.
        let outputs = self.outputs()?;
        let mut described = BTreeMap::new();
        for decoder in self.decoders.iter().flat_map(|Stack(stack)| stack) {
            if !described.contains_key(&decoder.id) {
                described.insert(decoder.id.clone(), Decoder::named(&decoder.id)?);
            }
        }
        if let Some(shown) = &self.annotations {
            shown.check(&described).map_err(|refused| Failure::Usage(anyhow::anyhow!(refused)))?;
        }
        let waveform = match self.source.source()? {
            Source::File(path) => self.source.read(path)?.waveform,
            Source::Capture(channels) => self.source.capture(session, channels).await?,
        };
        let levels = LogicLevels::new(&waveform, self.threshold);
        let mut found = Vec::new();
        for Stack(stack) in &self.decoders {
            let (checked, used) = check(stack, &described, &levels)?;
            let shown = self.annotations.as_ref().map(|shown| shown.of(stack));
            // Of this one nothing is asked for.
            if shown == Some(None) {
                continue;
            }
            let shown = shown.flatten();
            let samples = levels.write(&used).map_err(Failure::from)?;
            let text = checked.text.clone();
            let decoding = tokio::task::spawn_blocking(move || {
                sigrok::decode(&samples.described(), &text, shown.as_deref())
            });
            let annotations = with_progress(decoding, "decoding").await.map_err(io::Error::other)??;
            found.extend(
                annotations.into_iter().filter_map(|annotation| self.found(annotation, &checked, &levels)),
            );
        }
        found.sort_by(|one, other| one.start_s.total_cmp(&other.start_s));
        if found.is_empty() {
            print_note!("nothing was decoded: check the channels, the options and the thresholds");
        }
        let lanes = lanes(&found);
        for output in &outputs {
            write_picture(output, &waveform, &lanes)?;
        }
        if self.plot {
            let is_terminal = io::stdout().is_terminal();
            io::stdout().write_all(self.picture.draw_annotated(&waveform, &lanes, is_terminal).as_bytes())?;
            return Ok(());
        }
        if outputs.is_empty() || self.json { self.print(&found, &levels) } else { Ok(()) }
    }

    /// The pictures to save.
    fn outputs(&self) -> Result<Vec<Output<'_>>, Failure> {
        let outputs = self.output.files()?;
        if self.output.takes_standard_output() && (self.json || self.plot) {
            return Err(Failure::Usage(anyhow::anyhow!(
                "-o - has standard output for itself: leave out --json and --plot, or save to a file"
            )));
        }
        for output in &outputs {
            if !matches!(output.format, Format::Svg | Format::Png) {
                return Err(Failure::Usage(anyhow::anyhow!(
                    "what was decoded is saved as a picture, and not as {}: choose svg or png, or --json for programs",
                    output.format
                )));
            }
            if let Target::File(path) = output.target {
                output.refuse_existing(path)?;
            }
        }
        Ok(outputs)
    }

    /// An annotation with its times; none of single bits, unless they are asked for.
    fn found(&self, annotation: Annotation, stack: &CheckedStack, levels: &LogicLevels) -> Option<Found> {
        let decoder = stack.decoders.get(annotation.decoder_id());
        if self.annotations.is_none() && decoder.is_some_and(|decoder| decoder.is_of_bits(&annotation.class))
        {
            return None;
        }
        let row =
            decoder.map_or(annotation.class.as_str(), |decoder| decoder.row_of(&annotation.class)).to_owned();
        let (start, end) = annotation.samples;
        Some(Found { row, start_s: levels.time_s(start), end_s: levels.time_s(end), annotation })
    }

    fn print(&self, found: &[Found], levels: &LogicLevels) -> Result<(), Failure> {
        let mut out = crate::terminal::stdout();
        if self.json {
            let annotations: Vec<Value> = found.iter().map(Found::to_json).collect();
            writeln!(out, "{}", json!({ "sample_rate": levels.rate_hz(), "annotations": annotations }))?;
            return Ok(out.flush()?);
        }
        let rows = found.iter().map(|Found { annotation, row, start_s, end_s }| {
            let [start, end] = [start_s, end_s].map(|time_s| quantity(*time_s, "s", 6));
            let text = annotation.texts.first().cloned().unwrap_or_default();
            [start, end, annotation.decoder.clone(), row.clone(), text]
        });
        if !found.is_empty() {
            let titles = ["start", "end", "decoder", "row", "what"].map(str::to_owned);
            write!(out, "{}", Table::new(std::iter::once(titles).chain(rows)).right(&[0, 1]))?;
        }
        Ok(out.flush()?)
    }
}

/// What was found, a lane for each row of each decoder, in the order in which they first appear.
fn lanes(found: &[Found]) -> Vec<AnnotationLane> {
    let mut lanes: Vec<(&str, AnnotationLane)> = Vec::new();
    for Found { annotation, row, start_s, end_s } in found {
        let place =
            lanes.iter().position(|(decoder, lane)| *decoder == annotation.decoder && lane.title == *row);
        let place = place.unwrap_or_else(|| {
            lanes.push((&annotation.decoder, AnnotationLane { title: row.clone(), annotations: Vec::new() }));
            lanes.len() - 1
        });
        if let Some((_, lane)) = lanes.get_mut(place) {
            lane.annotations.push(PlotAnnotation {
                start_s: *start_s,
                end_s: *end_s,
                texts: annotation.texts.clone(),
            });
        }
    }
    lanes.into_iter().map(|(_, lane)| lane).collect()
}

fn write_picture(output: &Output<'_>, waveform: &Waveform, lanes: &[AnnotationLane]) -> Result<(), Failure> {
    let size = PictureSize::default();
    let bytes = match output.format {
        Format::Png => png::draw_annotated(waveform, lanes, size).map_err(Failure::failed)?,
        _ => svg::draw_annotated(waveform, lanes, size).into_bytes(),
    };
    let Target::File(path) = output.target else { return Ok(io::stdout().write_all(&bytes)?) };
    let write = || -> Result<(), AtomicError> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(&bytes).map_err(|source| AtomicError::Write { path: path.to_owned(), source })?;
        file.commit()
    };
    write().map_err(Failure::failed)
}

impl Found {
    fn to_json(&self) -> Value {
        let Annotation { samples: (first, end), decoder, class, texts } = &self.annotation;
        json!({
            "start": self.start_s, "end": self.end_s, "start_sample": first, "end_sample": end,
            "decoder": decoder, "row": self.row, "class": class, "text": texts.first(), "texts": texts,
        })
    }
}

/// Checks that decoders have the channels and options that they are given, and numbers the channels that they use.
fn check<'a>(
    stack: &[DecoderSpec],
    described: &BTreeMap<String, Decoder>,
    levels: &LogicLevels<'a>,
) -> Result<(CheckedStack, Vec<levels::Thresholded<'a>>), Failure> {
    let refused = |message: String| Failure::Usage(anyhow::anyhow!("{message}"));
    let mut used = Vec::new();
    let mut texts = Vec::new();
    let mut decoders = BTreeMap::new();
    let mut before: Option<(&str, &Decoder)> = None;
    for DecoderSpec { id, settings } in stack {
        let Some(decoder) = described.get(id) else { continue };
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

impl From<SigrokError> for Failure {
    fn from(error: SigrokError) -> Self {
        match error {
            SigrokError::NoDecoder { .. } => Self::usage(error),
            error => Self::failed(error),
        }
    }
}
