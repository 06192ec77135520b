//! `scopething decode`: what was sent over a bus, found in a file or a capture.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

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
use scopething_files::decode::{
    self, DecodeError, DecodeOptions, Decoded, Decoders, Found, Shown, SigrokError, Stack, lanes,
};
use scopething_files::plot::{AnnotationLane, PictureSize, png, svg};
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

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        // Before anything is captured.
        let outputs = self.outputs()?;
        let described = Decoders::of(&self.decoders)?;
        if let Some(shown) = &self.annotations {
            shown.check(&described)?;
        }
        let waveform = match self.source.source()? {
            Source::File(path) => self.source.read(path)?.waveform,
            Source::Capture(channels) => self.source.capture(session, channels).await?,
        };
        let options =
            DecodeOptions { annotations: self.annotations.clone(), threshold: self.threshold, limit: None };
        let waveform = Arc::new(waveform);
        let (decoded, stacks) = (Arc::clone(&waveform), self.decoders.clone());
        let decoding =
            tokio::task::spawn_blocking(move || decode::decode(&decoded, &stacks, &described, &options));
        let Decoded { found, rate_hz } =
            with_progress(decoding, "decoding").await.map_err(io::Error::other)??;
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
        if outputs.is_empty() || self.json { self.print(&found, rate_hz) } else { Ok(()) }
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

    fn print(&self, found: &[Found], rate_hz: f64) -> Result<(), Failure> {
        let mut out = crate::terminal::stdout();
        if self.json {
            let annotations: Vec<Value> = found.iter().map(to_json).collect();
            writeln!(out, "{}", json!({ "sample_rate": rate_hz, "annotations": annotations }))?;
            return Ok(out.flush()?);
        }
        let rows = found.iter().map(|found| {
            let [start, end] = [found.start_s, found.end_s].map(|time_s| quantity(time_s, "s", 6));
            let text = found.texts.first().cloned().unwrap_or_default();
            [start, end, found.decoder.clone(), found.row.clone(), text]
        });
        if !found.is_empty() {
            let titles = ["start", "end", "decoder", "row", "what"].map(str::to_owned);
            write!(out, "{}", Table::new(std::iter::once(titles).chain(rows)).right(&[0, 1]))?;
        }
        Ok(out.flush()?)
    }
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

fn to_json(found: &Found) -> Value {
    let Found { samples: (first, end), decoder, class, row, texts, start_s, end_s } = found;
    json!({
        "start": start_s, "end": end_s, "start_sample": first, "end_sample": end,
        "decoder": decoder, "row": row, "class": class, "text": texts.first(), "texts": texts,
    })
}

impl From<SigrokError> for Failure {
    fn from(error: SigrokError) -> Self {
        match error {
            SigrokError::NoDecoder { .. } => Self::usage(error),
            error => Self::failed(error),
        }
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Sigrok(error) => error.into(),
            DecodeError::Refused(_) => Self::usage(error),
            DecodeError::Samples(error) => error.into(),
        }
    }
}
