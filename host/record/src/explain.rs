//! A job in plain words, with the disk that it will need.
//!
//! How long a trace is on the disk is not guessed: one is captured from the simulated scope and written as the job specifies.

use std::fmt;

use scopething_core::device::BS05;
use scopething_core::plan::{CaptureRequest, Notice, PlanError, plan_capture};
use scopething_core::scope::{Scope, ScopeError, StreamFrame};
use scopething_core::trace::TraceBuffer;
use thiserror::Error;

use crate::job::keep::{Band, Keep};
use crate::job::schedule::Spacing;
use crate::job::{Job, StreamJob};
use crate::reader::blocks::{Blocks, Cut};
use crate::stream::{self, Thinner, Thinning};
use crate::writer::content_of;
use crate::writer::store::Content;
use crate::writer::text::TextMaker;
use scopething::generate::GeneratorRequestError;
use scopething::settings;
use scopething_files::WriteError;
use scopething_sim::{ConfigError, SimClock, SimConfig, SimLink};
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::quantity_text::{quantity, time_span};
use scopething_waveform::waveform::{InvalidWaveform, Stamp, Waveform};

const DAY_S: f64 = 86_400.0;
/// Noise makes numbers as long as they are with a real scope.
const SIGNALS: &str = "A=sine,1kHz,0..3V&B=sine,1kHz,0..3V&noise=5mV&clock=fast";

/// What a job will do.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    lines: Vec<String>,
    /// How long a trace is on the disk, in bytes.
    pub trace_bytes: u64,
    /// How many traces a day are written, at most.
    pub traces_a_day: f64,
}

/// Why a job cannot be explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// The capture is not possible.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What shall be generated is not possible.
    #[error(transparent)]
    GeneratorRequest(#[from] GeneratorRequestError),
    /// The simulated scope does not do as it should.
    #[error(transparent)]
    Scope(#[from] ScopeError<embedded_io::ErrorKind>),
    /// The simulated scope cannot be made.
    #[error(transparent)]
    Simulated(#[from] ConfigError),
    /// The trace cannot be used.
    #[error(transparent)]
    Waveform(#[from] InvalidWaveform),
    /// The trace cannot be written in the job's format.
    #[error("a trace of this job cannot be written in its format: {0}")]
    Write(#[from] WriteError),
}

impl Explanation {
    /// Explains a job. The scope is not needed, nor are files made.
    ///
    /// # Errors
    /// If its traces cannot be written in its format.
    pub async fn of(job: &Job) -> Result<Self, ExplainError> {
        let trace_bytes = trace_bytes(job).await?;
        let traces_a_day = match &job.spacing {
            Spacing::Continuous => match &job.stream {
                Some(stream) => DAY_S / stream.each_s,
                // Reading a trace takes as long as the link takes, so there will be fewer.
                None => DAY_S / job.plan()?.duration_s(),
            },
            Spacing::Every(seconds) => DAY_S / seconds,
            Spacing::TimesOfDay(times) => times.len() as f64,
        };
        let mut lines = vec![scope_line(job)];
        if job.verify {
            lines.push("reads all samples twice and compares them".to_owned());
        }
        match &job.stream {
            None => lines.extend(capture_lines(job)?),
            Some(stream) => lines.extend(stream_lines(job, stream)?),
        }
        if let Some(wanted) = &job.generate {
            lines.push(format!("meanwhile {}", wanted.plan()?));
        }
        lines.push(when_line(job));
        lines.push(keep_line(&job.keep));
        lines.extend(file_lines(job));
        lines.push(disk_line(job, trace_bytes, traces_a_day));
        Ok(Self { lines, trace_bytes, traces_a_day })
    }
}

fn capture_lines(job: &Job) -> Result<Vec<String>, ExplainError> {
    let (plan, request) = (job.plan()?, &job.request);
    let mut lines = vec![format!(
        "captures {} over {} in {} samples at {}, trigger {} {}",
        plan.channels,
        quantity(plan.duration_s(), "s", 4),
        plan.timebase.samples,
        quantity(plan.sample_rate_hz(), "S/s", 4),
        plan.trigger,
        plan.trigger_type
    )];
    lines.push(match request.trigger_wait_s() {
        None => "waits for the trigger as long as it takes".to_owned(),
        Some(0.0) => "does not wait for the trigger".to_owned(),
        Some(timeout_s) => format!("without a trigger takes a trace after {}", quantity(timeout_s, "s", 4)),
    });
    if plan.delay_us > 0 {
        let delay = quantity(f64::from(plan.delay_us) * 1e-6, "s", 10);
        lines.push(format!("the samples begin {delay} after the trigger"));
    }
    lines.extend(notes(&plan.notices));
    Ok(lines)
}

fn stream_lines(job: &Job, stream: &StreamJob) -> Result<Vec<String>, ExplainError> {
    let plan = stream.plan(&job.nominal_probe(), job.driven)?;
    let mut lines = vec![format!(
        "streams {} at {} without a gap, in traces of {}; the link must carry {}",
        plan.channels,
        quantity(plan.rate_hz(), "S/s", 4),
        time_span(stream.each_s),
        quantity(plan.bytes_per_second(), "B/s", 4)
    )];
    lines.extend(notes(&plan.notices));
    lines.push("note: streaming has not been tried on a device yet".to_owned());
    Ok(lines)
}

fn notes(notices: &[Notice]) -> impl Iterator<Item = String> {
    notices.iter().filter(|notice| notice.matters_to_user()).map(|notice| format!("note: {notice}"))
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// How long a trace of the simulated scope is on the disk.
async fn trace_bytes(job: &Job) -> Result<u64, ExplainError> {
    let link = SimLink::new(&SimConfig::from_query(SIGNALS)?);
    let (clock, profile) = (link.clock(), link.profile());
    let mut scope = Scope::connect(link, clock, profile).await?;
    let waveform = match &job.stream {
        None => {
            let request = CaptureRequest { timeout_s: Some(0.0), ..job.request };
            let plan = plan_capture(&BS05, &job.nominal_probe(), &request, job.driven)?;
            let mut buffer = Box::new(TraceBuffer::new());
            let waveform = Waveform::of_trace(&scope.capture(&plan, &mut buffer).await?)?;
            waveform.with_settings(settings::of_capture(&request, &plan))
        }
        Some(stream) => trace_of_stream(job, stream, &mut scope).await?,
    };
    let stamp = Stamp { number: 1_000_000, clock: UnixMicros::now(), gap: None };
    Ok(match content_of(&waveform.stamped(stamp), job, &mut TextMaker::default())? {
        Content::Text(text) => text.body.len() as u64,
        Content::File(bytes) => bytes.len() as u64,
    })
}

/// The first trace of a stream.
async fn trace_of_stream(
    job: &Job,
    stream: &StreamJob,
    scope: &mut Scope<SimLink, SimClock>,
) -> Result<Waveform, ExplainError> {
    let plan = stream.plan(&job.nominal_probe(), job.driven)?;
    let header = stream::header(&plan, Thinning::Mean, UnixMicros(0));
    let settings = settings::of_stream(&stream.request, &plan);
    let mut blocks = Blocks::new(header, stream.samples_of_trace(&plan), settings);
    let mut thinner = Thinner::new(&plan, Thinning::Mean);
    let mut running = scope.start_stream(&plan).await?;
    let mut frames = [StreamFrame::default(); 64];
    let (mut cuts, mut bad) = (Vec::new(), None);
    loop {
        let chunk = running.read(&mut frames).await?;
        thinner.push(&chunk, |row| bad = bad.take().or(blocks.push(row, &mut cuts).err()));
        if let Some(error) = bad {
            return Err(error.into());
        }
        for cut in cuts.drain(..) {
            if let Cut::Trace(waveform) = cut {
                return Ok(*waveform);
            }
        }
    }
}

fn scope_line(job: &Job) -> String {
    let link = job.url.to_string();
    let place = if link.is_empty() { "whatever serial port it is plugged in".to_owned() } else { link };
    let attenuation = job.attenuation.map(|attenuation| format!(", attenuation {attenuation}"));
    let probes = format!("{}{}", job.probes, attenuation.unwrap_or_default());
    match &job.serial {
        Some(serial) => format!("records from the scope {serial} at {place}, probes {probes}"),
        None => format!("records from the first scope that is found, at {place}, probes {probes}"),
    }
}

fn when_line(job: &Job) -> String {
    let spacing = match &job.spacing {
        Spacing::Continuous => "takes traces continuously".to_owned(),
        Spacing::Every(seconds) => format!("takes a trace every {}", time_span(*seconds)),
        Spacing::TimesOfDay(times) => {
            let times =
                times.iter().map(|time| format!("{:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60));
            format!("takes a trace each day at {} UTC", times.collect::<Vec<_>>().join(", "))
        }
    };
    let count = job.extent.count.map(|count| format!(" after {count} traces"));
    let seconds = job.extent.seconds.map(|seconds| format!(" after {}", time_span(seconds)));
    match (count, seconds) {
        (None, None) => format!("{spacing}, until it is stopped"),
        (Some(one), None) | (None, Some(one)) => format!("{spacing}, and ends{one}"),
        (Some(count), Some(seconds)) => format!("{spacing}, and ends{count} or{seconds}"),
    }
}

fn keep_line(keep: &Keep) -> String {
    match keep {
        Keep::All => "keeps every trace".to_owned(),
        Keep::Summary => "keeps a row of measurements of every trace".to_owned(),
        Keep::Envelope { parts } => {
            format!("keeps minimum and maximum of {parts} parts of every trace")
        }
        Keep::Outside(bands) => {
            let band = |band: &Band| {
                format!("{} of {} is not within {} to {}", band.measure, band.channel, band.low, band.high)
            };
            let bands = bands.iter().map(band).collect::<Vec<_>>().join(", or ");
            format!("keeps a trace if the {bands}")
        }
    }
}

fn file_lines(job: &Job) -> Vec<String> {
    let naming = &job.naming;
    let limits = &job.limits;
    let begins = naming.directory.join(&naming.name);
    let mut file = format!("writes {} files {}-*.{}", naming.format, begins.display(), naming.format);
    if naming.format.holds_several() {
        let after = limits.file_seconds.map(|seconds| format!("each full {}", time_span(seconds)));
        let at = limits.file_bytes.map(|most| format!("before one is longer than {}", bytes(most as f64)));
        let changes: Vec<String> = after.into_iter().chain(at).collect();
        if changes.is_empty() {
            file.push_str(", never a new one");
        } else {
            file.push_str(", a new one ");
            file.push_str(&changes.join(" and "));
        }
    } else {
        file.push_str(", one a trace");
    }
    let mut lines = vec![file];
    lines.extend(limits.age_seconds.map(|age_s| format!("removes files older than {}", time_span(age_s))));
    lines.extend(
        limits
            .total_bytes
            .map(|most| format!("removes the oldest before all are longer than {}", bytes(most as f64))),
    );
    lines.extend(
        limits.free_bytes.map(|least| format!("removes the oldest to keep {} free", bytes(least as f64))),
    );
    let hold = bytes(job.hold_bytes as f64);
    lines.push(format!("while the disk is full, holds the newest traces in {hold} of memory"));
    lines
}

fn disk_line(job: &Job, trace_bytes: u64, traces_a_day: f64) -> String {
    let a_day = traces_a_day * trace_bytes as f64;
    let most = match (&job.spacing, &job.keep) {
        (Spacing::Continuous, _) | (_, Keep::Outside(_)) => "at most ",
        _ => "",
    };
    let days = job.extent.seconds.map(|seconds| seconds / DAY_S);
    let days = days.into_iter().chain(job.limits.age_seconds.map(|age_s| age_s / DAY_S));
    let counted = job.extent.count.map(|count| count as f64 * trace_bytes as f64);
    let ends = days.map(|days| days * a_day).chain(counted).reduce(f64::min);
    let in_all = match (job.limits.total_bytes, ends) {
        (Some(total), ends) if ends.is_none_or(|ends| ends > total as f64) => {
            format!("; never more than {} in all", bytes(total as f64))
        }
        (_, Some(ends)) => format!("; in all {most}about {}", bytes(ends)),
        (_, None) => String::new(),
    };
    format!(
        "needs {most}{} of disk a day: {most}{traces_a_day:.0} traces of about {}{in_all}",
        bytes(a_day),
        bytes(trace_bytes as f64)
    )
}

fn bytes(count: f64) -> String {
    quantity(count, "B", 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn explained(job: &str) -> Explanation {
        Explanation::of(&Job::parse(job).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn disk_estimate_per_day() {
        let every = explained("files.directory = 'd'\nwhen.every = '10s'").await;
        assert!((every.traces_a_day - 8640.0).abs() < 1e-9);
        // 1000 rows of a number, a time and a level take 13 to 40 bytes each.
        assert!((13_000..40_000).contains(&every.trace_bytes), "{every}");
        let summary =
            explained("files.directory = 'd'\nkeep.what = 'summary'\nwhen.at = ['06:00', '18:00']").await;
        assert!((summary.traces_a_day - 2.0).abs() < 1e-9);
        assert!(summary.trace_bytes < 300, "{summary}");
    }

    #[tokio::test]
    async fn disk_estimate_in_all() {
        for (more, count) in [
            ("when.count = 30", 30.0),
            ("when.for = '5min'", 30.0),
            ("when.for = '5min'\nwhen.count = 20\nfiles.keep-bytes = '2GB'", 20.0),
            ("files.keep-for = '1h'", 360.0),
            ("when.for = '90d'\nfiles.keep-for = '1h'", 360.0),
        ] {
            let explained = explained(&format!("files.directory = 'd'\nwhen.every = '10s'\n{more}")).await;
            let expected = bytes(count * explained.trace_bytes as f64);
            let expected_text = format!("in all about {expected}");
            assert!(explained.to_string().contains(&expected_text), "{expected_text} in {explained}");
        }
        let most = explained("files.directory = 'd'\nwhen.for = '90d'\nfiles.keep-bytes = '2MB'").await;
        assert!(most.to_string().contains("never more than 2.00 MB in all"), "{most}");
    }

    #[tokio::test]
    async fn explanation_names_the_job() {
        let text = explained(
            "files.directory = '/x'\nserial = 'DB98TI79'\ncapture.channels = ['A', 'L3']\ncapture.timeout = '2s'\n\
             when.every = '90s'\nfiles.keep-bytes = '2GB'\nfiles.new-after = '1h'\nwhen.for = '7d'\n\
             generate.hold = 'L5=1'",
        )
        .await
        .to_string();
        for expected_text in [
            "DB98TI79",
            "A",
            "after 2.000 s",
            "every 1 min 30 s",
            "after 7 d",
            "/x/trace-*.csv",
            "full 1 h",
            "2.00 GB",
            "L5=1",
        ] {
            assert!(text.contains(expected_text), "{expected_text} in {text}");
        }
    }
}
