//! A stream of simulated time, thinned out to 1 kHz and written to every format, against the signal that was put in.
//!
//! What frames are missing is found out twice: by the driver, from sequence numbers, and here, from the samples. The
//! counter on the logic lines steps each 10 us, 25 times a frame: 25 is odd, so that its value gives the frame modulo 256.
//! The triangle on A has a period of 80 frames, so that 256 frames more or less show as well.

use std::fmt;
use std::path::Path;

use scopething_core::plan::{Channel, StreamRequest};
use scopething_core::scope::{Scope, StreamFrame};
use scopething_core::time::Clock as _;
use scopething_files::stream::{MAX_BUFFERED_ROWS, STREAM_FORMATS, StreamFile};
use scopething_record::stream::{self, Thinner, Thinning};
use scopething_sim::{SimConfig, SimLink};
use scopething_waveform::moment::UnixMicros;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const RATE_HZ: f64 = 1000.0;
const FRAME_US: u64 = 250;
const FRAMES_A_SAMPLE: u64 = 4;
const SIGNAL: &str = "A=triangle,50Hz,-5..7V&clock=fast";
const SIGNAL_US: u64 = 20_000;
/// The counter's step, how many of them a frame takes, and by what that is divided modulo 256.
const COUNTER_US: u64 = 10;
const COUNTS_A_FRAME: u8 = 25;
const FRAMES_A_COUNT: u8 = 41;

const _: () = {
    assert!(COUNTS_A_FRAME as u64 * COUNTER_US == FRAME_US);
    assert!(COUNTS_A_FRAME.wrapping_mul(FRAMES_A_COUNT) == 1);
};

/// Until then memory may grow: every format has filled its buffers, and has written them once with a row to spare.
const WARM_UP_FRAMES: u64 = (MAX_BUFFERED_ROWS as u64 + 1) * FRAMES_A_SAMPLE;

/// Bits a second that the stream needs: 4 bytes of 10 bits a frame.
const NEED_BPS: u64 = 4 * 10 * 1_000_000 / FRAME_US;

/// What became of a stream.
#[derive(Debug, Default)]
pub(crate) struct Streamed {
    link: String,
    seconds: u64,
    /// Whether the link carries all.
    is_whole: bool,
    frames: u64,
    /// By the driver, and by the samples.
    gaps: [u64; 2],
    lost: [u64; 2],
    /// Frames whose step from the one before is another by the driver than by the samples.
    wrong_steps: u64,
    rows: u64,
    /// Rows that should be there and are not, or are there twice.
    wrong_rows: u64,
    /// How far a row is from the signal at most, in volts.
    worst_v: f64,
    /// Memory after [`WARM_UP_FRAMES`] and at the end, in KiB, where the system reports it.
    resident_kib: [Option<u64>; 2],
    file_bytes: u64,
}

/// Streams on a link that carries all, and on one that carries half.
pub(crate) async fn measure(seconds: u64) -> Outcome<Vec<Streamed>> {
    let half = NEED_BPS / 2;
    Ok(vec![stream("", seconds).await?, stream(&format!("rate={half}bps"), seconds).await?])
}

async fn stream(link: &str, seconds: u64) -> Outcome<Streamed> {
    let directory = tempfile::tempdir()?;
    let sim = SimLink::new(&SimConfig::from_query(&format!("{SIGNAL}&{link}"))?);
    let (clock, profile) = (sim.clock(), sim.profile());
    let mut scope = Scope::connect(sim, clock.clone(), profile).await?;
    let plan = scope.plan_stream(&StreamRequest::new("A,L0".parse()?, RATE_HZ))?;
    assert_eq!((plan.frame_rate_hz(), u64::from(plan.thinning)), (1e6 / FRAME_US as f64, FRAMES_A_SAMPLE));
    let header = stream::header(&plan, Thinning::Mean, UnixMicros(0));
    let create =
        |format| StreamFile::create(&directory.path().join(format!("stream.{format}")), format, &header);
    let mut files = STREAM_FORMATS.into_iter().map(create).collect::<Result<Vec<_>, _>>()?;
    let logic = plan.place(Channel::L[0]).ok_or("L0 is streamed")?;

    let mut streamed =
        Streamed { link: link.to_owned(), seconds, is_whole: link.is_empty(), ..Streamed::default() };
    let mut thinner = Thinner::new(&plan, Thinning::Mean);
    let mut running = scope.start_stream(&plan).await?;
    let about_us = clock.now().0 + FRAME_US;
    let mut truth = None;
    let mut next_row = 0;
    let mut failed = None;
    let mut frames = [StreamFrame::default(); 256];
    let wanted = seconds * 1_000_000 / FRAME_US;
    let mut position = 0;
    while position < wanted {
        let chunk = running.read(&mut frames).await?;
        for (number, frame) in (chunk.first..).zip(chunk.frames) {
            let truth = truth.get_or_insert_with(|| Truth::of_first(number, frame.samples[logic], about_us));
            streamed.add_frame(truth.step_to(number, frame.samples[logic]));
        }
        position = chunk.first + chunk.frames.len() as u64;
        let start_us = truth.as_ref().map_or(0, |truth| truth.start_us);
        thinner.push(&chunk, |row| {
            streamed.add_row(row.index, row.lost.unwrap_or(u64::MAX), row.values[0], start_us, &mut next_row);
            for file in &mut files {
                failed = failed.take().or(file.write(row).err());
            }
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        if position > WARM_UP_FRAMES && streamed.resident_kib[0].is_none() {
            streamed.resident_kib[0] = resident_kib();
        }
    }
    streamed.resident_kib[1] = resident_kib();
    let totals = running.finish().await?;
    streamed.gaps[0] = totals.gaps;
    streamed.lost[0] = totals.lost;
    for file in files {
        file.commit()?;
    }
    streamed.file_bytes = bytes_in(directory.path())?;
    // The device still executes commands after a stream.
    scope.read_eeprom(0x30).await?;
    Ok(streamed)
}

/// The frames by their samples.
struct Truth {
    /// When frame 0 was sampled.
    start_us: u64,
    number: u64,
    count: u8,
}

impl Truth {
    /// `about_us` is when the first frame was sampled, give or take a millisecond.
    fn of_first(number: u64, count: u8, about_us: u64) -> Self {
        let wrap_us = 256 * COUNTER_US;
        let near = |start_us: u64| (start_us / COUNTER_US % 256) as u8 == count;
        let from = about_us.saturating_sub(wrap_us / 2) / COUNTER_US * COUNTER_US;
        let start_us = (0..256).map(|step| from + step * COUNTER_US).find(|&start_us| near(start_us));
        Self { start_us: start_us.unwrap_or(about_us) - number * FRAME_US, number, count }
    }

    /// The step from the frame before by its number, and by its samples.
    fn step_to(&mut self, number: u64, count: u8) -> [u64; 2] {
        let by_samples = count.wrapping_sub(self.count).wrapping_mul(FRAMES_A_COUNT);
        let steps = [number - self.number, u64::from(by_samples)];
        (self.number, self.count) = (number, count);
        steps
    }
}

/// The triangle at a moment, in volts.
fn signal_v(at_us: u64) -> f64 {
    let phase = (at_us % SIGNAL_US) as f64 / SIGNAL_US as f64;
    let part = if phase < 0.5 { 2.0 * phase } else { 2.0 - 2.0 * phase };
    -5.0 + 12.0 * part
}

impl Streamed {
    fn add_frame(&mut self, [by_number, by_samples]: [u64; 2]) {
        self.frames += 1;
        // The first frame has no step.
        if self.frames == 1 {
            return;
        }
        self.wrong_steps += u64::from(by_number % 256 != by_samples);
        self.gaps[1] += u64::from(by_samples != 1);
        self.lost[1] += by_samples.wrapping_sub(1) % 256;
    }

    fn add_row(&mut self, index: u64, lost: u64, volts: f32, start_us: u64, next: &mut u64) {
        self.rows += 1;
        let is_next = if self.is_whole { index == *next && lost == 0 } else { index >= *next };
        self.wrong_rows += u64::from(!is_next);
        *next = index + 1;
        // Which frames a row is made of where some are missing is not known here.
        if self.is_whole {
            let at = |frame: u64| start_us + (index * FRAMES_A_SAMPLE + frame) * FRAME_US;
            let mean =
                (0..FRAMES_A_SAMPLE).map(|frame| signal_v(at(frame))).sum::<f64>() / FRAMES_A_SAMPLE as f64;
            self.worst_v = self.worst_v.max((f64::from(volts) - mean).abs());
        }
    }

    /// Whether nothing is lost or doubled but what the link cannot carry, and that is known.
    pub(crate) fn holds(&self) -> bool {
        let step_v = 13.5 / 256.0;
        let is_known = self.wrong_steps == 0
            && self.wrong_rows == 0
            && self.gaps[0] == self.gaps[1]
            && self.lost[0] == self.lost[1];
        // A step of the converter, and what the signal moves in a step of the counter.
        let is_near = self.worst_v <= step_v + 0.012;
        let wanted = self.seconds * 1_000_000 / FRAME_US;
        let share = self.frames as f64 / wanted as f64;
        let is_all = if self.is_whole {
            self.gaps[0] == 0 && self.rows == self.seconds * RATE_HZ as u64
        } else {
            (share - 0.5).abs() < 0.05 && self.gaps[0] > 0
        };
        is_known && is_near && is_all
    }

    /// By how much memory has grown, in KiB.
    #[allow(dead_code, reason = "a short stream does not show it")]
    pub(crate) fn growth_kib(&self) -> Option<u64> {
        Some(self.resident_kib[1]?.saturating_sub(self.resident_kib[0]?))
    }

    pub(crate) fn heads() -> &'static str {
        "link           seconds     frames       gaps (by samples)       lost (by samples)  wrong       rows  worst    resident KiB     files"
    }
}

impl fmt::Display for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let link = if self.link.is_empty() { "all of it" } else { &self.link };
        let [first, last] = self.resident_kib.map(|kib| kib.unwrap_or(0));
        write!(
            f,
            "{link:<14} {:>7} {:>10} {:>10} ({:>10}) {:>10} ({:>10}) {:>6} {:>10} {:>5.0} mV {first:>7}-{last:<7} {:>6.1} MB",
            self.seconds,
            self.frames,
            self.gaps[0],
            self.gaps[1],
            self.lost[0],
            self.lost[1],
            self.wrong_steps + self.wrong_rows,
            self.rows,
            self.worst_v * 1e3,
            self.file_bytes as f64 * 1e-6,
        )
    }
}

/// What the system reports about this process, if it does.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn bytes_in(directory: &Path) -> std::io::Result<u64> {
    std::fs::read_dir(directory)?.try_fold(0, |bytes, entry| Ok(bytes + entry?.metadata()?.len()))
}
