//! `scopething stream`: samples without a gap and without an end, to files and the screen.

mod plan;
mod report;
mod rolling;
mod writer;

use std::time::{Duration, Instant};

use clap::Args;
use scopething_core::plan::{Channel, ChannelSet, StreamPlan, StreamRequest};
use scopething_core::scope::{LinkProfile, ScopeError, StreamFrame};

use self::report::{Ended, Report};
use self::rolling::Rolling;
use self::writer::Writer;
use super::capture_arguments::{ProbeArgument, RangeArguments, UrlArgument, channels, hertz, seconds};
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::live::print_notice_list;
use super::meanwhile::MeanwhileArguments;
use super::message::{print_note, print_status};
use super::output_arguments::OutputArguments;
use super::picture_size::PictureArguments;
use super::progress::with_progress;
use super::session::Session;
use scopething::generate::GeneratorRequest;
use scopething::link::{HostScope, LinkError};
use scopething_record::stream::{self, CHUNK_FRAMES, Thinner, Thinning};
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::quantity_text::{quantity, time_span};

const EXAMPLES: &str = "\
Examples:
  scopething stream A --rate 1kHz --for 1h -o battery.csv
      Channel A a thousand times a second for an hour, each sample the mean of four
  scopething stream A B L0 --rate 100Hz --envelope -o day.parquet
      The least and the greatest of each hundredth of a second, until Ctrl-C
  scopething stream A --rate 20kHz --plot
      The last seconds as a picture that moves
  scopething stream A B --rate 50kHz --plan
      What would be programmed, and what the link must carry; needs no device
  scopething stream A --rate 1kHz -o log.csv -o log.npz --json
      Two files at once, and a summary for programs at the end

Where the link cannot carry all frames, the device drops some: each gap is reported, the files have a column
`lost` that counts the frames missing before each row, and times stay right. Ctrl-C and SIGTERM close the files
as they are; a second Ctrl-C gives them up.

Streaming follows what the vendor's library sends and expects. It has not been tried on a device yet: reports of
how it goes are welcome.";

/// What a stream can be written to, as of [`scopething_files::stream`].
const OUTPUT_HELP: &str = "Save to a file, by its ending: csv, npz, parquet, sr, wav (may be given several times); - is \
                           standard output, as csv unless --format is given";

/// Rows handed to the files at once, at most.
const BATCH_ROWS: usize = 1024;
/// How long rows wait for others before they are handed to the files.
const BATCH_TIME: Duration = Duration::from_millis(200);

/// Stream samples without a gap to files, for as long as is wanted
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("output", |output| output.help(OUTPUT_HELP)))]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    /// Channels: A, B, L (all eight logic lines), L0 to L7 [default: A]
    #[arg(value_name = "CHANNEL", value_parser = channels)]
    channels: Vec<ChannelSet>,
    /// Samples a second; below 2442 they are made of several frames of the device
    #[arg(long, value_name = "HZ", default_value = "1kHz", value_parser = hertz, allow_hyphen_values = true)]
    rate: f64,
    /// For how long, such as 90s, 15min, 12h or 7d [default: until Ctrl-C]
    #[arg(long = "for", value_name = "SPAN", value_parser = span)]
    span: Option<f64>,
    /// Keep the minimum and maximum of the frames of each sample, instead of their mean
    #[arg(long)]
    envelope: bool,
    /// Frames a second that the device sends [default: the fewest that make up the rate]
    #[arg(long, value_name = "HZ", value_parser = hertz, allow_hyphen_values = true)]
    frame_rate: Option<f64>,
    /// One analog channel, or logic lines alone, without frames: up to four times the rate, but lost samples go unnoticed
    #[arg(long)]
    unframed: bool,
    #[command(flatten)]
    range: RangeArguments,
    #[command(flatten)]
    probe: ProbeArgument,
    #[command(flatten)]
    meanwhile: MeanwhileArguments,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    show: ShowArguments,
}

/// What is shown of a stream.
#[derive(Debug, Args)]
struct ShowArguments {
    /// Draw the latest samples in the terminal, again and again
    #[arg(long)]
    plot: bool,
    /// Print a JSON object: what was streamed, or with --plan what would be
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    picture: PictureArguments,
    /// Only print what would be programmed, without a device
    #[arg(long, conflicts_with_all = ["output", "plot"])]
    plan: bool,
}

/// A time span of more than zero.
fn span(text: &str) -> Result<f64, String> {
    match seconds(text) {
        Ok(seconds) if seconds > 0.0 => Ok(seconds),
        Ok(_) => Err("it must be more than zero".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        if self.show.plan {
            return self.show_plan();
        }
        let files = self.output.files()?;
        writer::check(&files, self.channel_set())?;
        if self.output.takes_standard_output() && (self.show.json || self.show.plot) {
            return Err(Failure::Usage(anyhow::anyhow!(
                "-o - has standard output for itself: leave out --json and --plot, or save to a file"
            )));
        }
        let interrupts = session.interrupts();
        let url = session.url(&self.url)?;
        let generator_request = self.meanwhile.request()?;
        let generator =
            generator_request.as_ref().map(GeneratorRequest::plan).transpose().map_err(Failure::usage)?;
        let target = session.resolve(url).await?;
        if target.url.is_bridge() {
            return Err(Failure::usage(stream::BehindBridge));
        }
        let probe = self.probe.parameters(&target.url, None)?;
        let scope = session.connect(&target).await?;
        if let Some(generator) = &generator {
            generator.start(scope).await?;
            print_note!("{generator}");
        }
        scope.set_probe(probe);
        let request = self.request()?;
        let plan = scope.plan_stream(&request)?;
        print_notices(&plan, request.channels, scope.profile());
        let header = stream::header(&plan, self.thinning(), UnixMicros::now());
        let writer = Writer::create(&files, &header)?;
        let rolling = self.show.plot.then(|| Rolling::new(&header, self.show.picture));
        let report = Report::new(&plan, &header, rolling);
        let streaming = Streaming {
            thinner: Thinner::new(&plan, self.thinning()),
            rows_wanted: self.span.map(|span_s| ((span_s * plan.rate_hz()).round() as u64).max(1)),
            plan,
            writer,
            report,
            interrupts,
        };
        streaming.run(scope, self.show.json).await
    }

    fn thinning(&self) -> Thinning {
        if self.envelope { Thinning::Envelope } else { Thinning::Mean }
    }

    fn channel_set(&self) -> ChannelSet {
        let channels = self.channels.iter().copied().reduce(ChannelSet::union);
        channels.unwrap_or(ChannelSet::EMPTY.with(Channel::A))
    }

    fn request(&self) -> Result<StreamRequest, Failure> {
        let channels = self.channel_set();
        let (low, high) = self.range.ends(channels)?;
        Ok(StreamRequest {
            frame_rate_hz: self.frame_rate,
            low,
            high,
            raw: self.range.raw,
            unframed: self.unframed,
            ..StreamRequest::new(channels, self.rate)
        })
    }
}

/// Prints where a plan deviates from the request, and whether the link may be too slow for it.
fn print_notices(plan: &StreamPlan, asked: ChannelSet, profile: LinkProfile) {
    print_notice_list(&plan.notices, asked);
    if plan.bytes_per_second() > f64::from(profile.bytes_per_second) {
        print_note!("{}", plan::need(plan, profile));
    }
}

/// A stream on its way to the files.
struct Streaming {
    plan: StreamPlan,
    thinner: Thinner,
    rows_wanted: Option<u64>,
    writer: Writer,
    report: Report,
    interrupts: Interrupts,
}

impl Streaming {
    async fn run(mut self, scope: &mut HostScope, json: bool) -> Result<(), Failure> {
        let (ended, failure) = self.receive(scope).await;
        let Self { writer, mut report, interrupts, .. } = self;
        report.clear();
        // What came is kept, however it ended.
        let finishing = with_progress(writer.finish(), "completing the files");
        let written = tokio::select! {
            written = finishing => written,
            () = interrupts.reached(2) => return Err(Failure::Cancelled),
        };
        let kept = written.failure.map_or(Ok(()), Err);
        report.summarise(ended, &written.files, json)?;
        match (failure, kept) {
            (Some(failure), Err(lost)) => {
                lost.report();
                Err(failure)
            }
            (Some(failure), Ok(())) => Err(failure),
            (None, Ok(())) if report.rows() == 0 => Err(Failure::Cancelled),
            (None, kept) => kept,
        }
    }

    /// Streams until there is enough, it is stopped, or something fails.
    async fn receive(&mut self, scope: &mut HostScope) -> (Ended, Option<Failure>) {
        let interrupts = self.interrupts.clone();
        let mut stop = std::pin::pin!(interrupts.reached(1));
        let started = tokio::select! {
            started = with_progress(scope.start_stream(&self.plan), "starting the stream") => started,
            () = &mut stop => return (Ended::Stopped, None),
        };
        let mut stream = match started {
            Ok(stream) => stream,
            Err(error) => return (Ended::Failed, Some(error.into())),
        };
        let rate = quantity(self.plan.rate_hz(), "S/s", 6);
        let span_s = self.rows_wanted.map(|rows| rows as f64 / self.plan.rate_hz());
        let span = span_s.map(|span_s| format!(" for {}", time_span(span_s))).unwrap_or_default();
        print_status!("streaming {} at {rate}{span} (Ctrl-C ends)", self.plan.channels);
        let mut frames = vec![StreamFrame::default(); CHUNK_FRAMES];
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        let mut handed_over = Instant::now();
        let result: Result<Ended, ScopeError<LinkError>> = loop {
            let chunk = tokio::select! {
                biased;
                () = &mut stop => break Ok(Ended::Stopped),
                chunk = stream.read(&mut frames) => chunk,
            };
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => break Err(error),
            };
            let wanted = self.rows_wanted.unwrap_or(u64::MAX);
            let report = &mut self.report;
            self.thinner.push(&chunk, |row| {
                if row.index < wanted {
                    report.row(row);
                    batch.push(*row);
                }
            });
            let is_enough =
                (chunk.first + chunk.frames.len() as u64) / u64::from(self.plan.thinning) >= wanted;
            self.report.chunk(&chunk, stream.totals());
            if batch.len() >= BATCH_ROWS || handed_over.elapsed() >= BATCH_TIME || is_enough {
                handed_over = Instant::now();
                if !self.writer.write(&mut batch).await {
                    break Ok(Ended::Failed);
                }
            }
            if is_enough {
                break Ok(Ended::Done);
            }
        };
        // If all files have failed, their writers have reported why.
        let _ = self.writer.write(&mut batch).await;
        match result {
            Ok(ended) => (ended, stream.finish().await.err().map(Failure::from)),
            Err(error) => (Ended::Failed, Some(error.into())),
        }
    }
}
