//! Reports of a stream: progress and gaps on standard error, a summary at the end.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use scopething_core::plan::StreamPlan;
use scopething_core::scope::{StreamChunk, StreamGap, StreamTotals};
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::message::{print_status, print_warning};
use super::rolling::Rolling;
use scopething_files::stream::{Row, StreamHeader};
use scopething_waveform::quantity_text::quantity;

/// How often progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// Gaps reported one by one; the others are only counted.
const MAX_GAPS_REPORTED: usize = 5;
/// Gaps in the summary.
const MAX_GAPS_IN_SUMMARY: usize = 100;

/// The modulus of a frame's sequence number.
const SEQUENCE_FRAMES: f64 = 256.0;

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// There is as much as was asked for.
    Done,
    /// By Ctrl-C or SIGTERM.
    Stopped,
    /// The link, the device or all files failed.
    Failed,
}

/// What there is to report of losses where nothing numbers what comes.
const UNSEEN: &str = "losses are not seen without frames";

/// Counts frames and gaps, and reports them.
pub(super) struct Report {
    plan: StreamPlan,
    header: StreamHeader,
    rolling: Option<Rolling>,
    bar: ProgressBar,
    shown: Instant,
    totals: StreamTotals,
    gaps: Vec<StreamGap>,
    rows: u64,
    /// The index after that of the last row.
    end: u64,
}

impl Report {
    pub(super) fn new(plan: &StreamPlan, header: &StreamHeader, rolling: Option<Rolling>) -> Self {
        // The picture has a line of its own for progress.
        let bar = if rolling.as_ref().is_some_and(Rolling::moves) {
            ProgressBar::hidden()
        } else {
            ProgressBar::new_spinner()
        };
        Self {
            plan: plan.clone(),
            header: header.clone(),
            rolling,
            bar,
            shown: Instant::now(),
            totals: StreamTotals::default(),
            gaps: Vec::new(),
            rows: 0,
            end: 0,
        }
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn row(&mut self, row: &Row) {
        self.rows += 1;
        self.end = row.index + 1;
        if let Some(rolling) = &mut self.rolling {
            rolling.push(row);
        }
    }

    /// Takes note of frames that came, with what the stream amounts to by now.
    pub(super) fn chunk(&mut self, chunk: &StreamChunk<'_>, totals: StreamTotals) {
        self.totals = totals;
        if let Some(gap) = chunk.gap {
            self.gap(gap);
        }
        if self.shown.elapsed() >= PROGRESS_INTERVAL {
            self.shown = Instant::now();
            self.show();
        }
    }

    fn gap(&mut self, gap: StreamGap) {
        if self.gaps.len() < MAX_GAPS_REPORTED && !self.rolling.as_ref().is_some_and(Rolling::moves) {
            let at = quantity(self.frame_time_s(gap.position), "s", 6);
            let last =
                if self.gaps.len() + 1 == MAX_GAPS_REPORTED { "; further gaps are counted only" } else { "" };
            let lost = match gap.lost {
                Some(lost) => format!("{lost} frames lost"),
                None => "an unknown number of frames lost, times after it are an estimate".to_owned(),
            };
            self.bar.suspend(|| print_status!("gap at {at}: {lost}{last}"));
        }
        if self.gaps.len() < MAX_GAPS_IN_SUMMARY {
            self.gaps.push(gap);
        }
    }

    fn frame_time_s(&self, number: u64) -> f64 {
        (number * u64::from(self.plan.ticks)) as f64 / self.plan.clock_hz
    }

    fn show(&mut self) {
        let line = self.progress();
        match &mut self.rolling {
            Some(rolling) if rolling.moves() => rolling.draw(&line),
            _ => {
                self.bar.set_message(line);
                self.bar.tick();
            }
        }
    }

    fn progress(&self) -> String {
        let StreamTotals { gaps, lost, .. } = self.totals;
        let seconds = self.duration_s() as u64;
        let losses = match gaps {
            _ if self.plan.unframed => UNSEEN.to_owned(),
            0 => "no gaps".to_owned(),
            _ => format!("{gaps} gaps, {lost} frames lost"),
        };
        format!(
            "{}:{:02}:{:02}  {} samples  {}  {losses}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60,
            self.rows,
            quantity(self.measured_rate_hz(), "S/s", 6),
        )
    }

    /// How long the stream is, by the device's clock.
    fn duration_s(&self) -> f64 {
        self.header.time_s(self.end)
    }

    /// Frames a second by the computer's clock, lost ones counted as well.
    fn measured_frame_rate_hz(&self) -> f64 {
        let elapsed_s = self.totals.elapsed.seconds();
        if elapsed_s > 0.0 { (self.totals.frames + self.totals.lost) as f64 / elapsed_s } else { 0.0 }
    }

    fn measured_rate_hz(&self) -> f64 {
        self.measured_frame_rate_hz() / f64::from(self.plan.thinning)
    }

    /// Frames that should have come by the computer's clock and were not counted, if they are more than a sequence number can
    /// hide: lost without a trace in a stream without frames, or never sampled by a device whose pace is another.
    fn unaccounted(&self) -> Option<u64> {
        let expected = self.totals.elapsed.seconds() * self.plan.frame_rate_hz();
        let missing = expected - (self.totals.frames + self.totals.lost) as f64;
        // Clocks differ, and a link delays.
        (missing > SEQUENCE_FRAMES + 0.01 * expected).then_some(missing as u64)
    }

    pub(super) fn clear(&mut self) {
        self.bar.finish_and_clear();
        let line = self.progress();
        if let Some(rolling) = &mut self.rolling {
            rolling.draw(&line);
        }
    }

    pub(super) fn summarise(&self, ended: Ended, files: &[PathBuf], json: bool) -> Result<(), Failure> {
        if let Some(frames) = self.unaccounted() {
            print_warning!(
                "by the computer's clock some {frames} frames more are missing than were counted: the device may be slower \
                 than it was asked to be, and times too early"
            );
        }
        if json {
            writeln!(crate::terminal::stdout(), "{}", self.to_json(ended, files))?;
        } else if files.is_empty() {
            write!(crate::terminal::stdout(), "{}", self.to_text(files))?;
        } else {
            print_status!("{}", self.to_text(files).trim_end());
        }
        Ok(())
    }

    fn to_json(&self, ended: Ended, files: &[PathBuf]) -> Value {
        let ended = match ended {
            Ended::Done => "done",
            Ended::Stopped => "stopped",
            Ended::Failed => "failed",
        };
        let seen = !self.plan.unframed;
        let gap = |gap: &StreamGap| json!({"time": self.frame_time_s(gap.position), "frame": gap.position, "lost": gap.lost});
        json!({
            "ended": ended,
            "start": self.header.start.to_string(),
            "columns": self.header.columns.iter().map(scopething_files::stream::Column::name).collect::<Vec<_>>(),
            "sample_rate": self.plan.rate_hz(),
            "measured_sample_rate": self.measured_rate_hz(),
            "samples": self.rows,
            "duration": self.duration_s(),
            "thinning": self.plan.thinning,
            "frame_rate": self.plan.frame_rate_hz(),
            "measured_frame_rate": self.measured_frame_rate_hz(),
            "frames": self.totals.frames,
            "lost_frames": seen.then_some(self.totals.lost),
            "gaps": seen.then_some(self.totals.gaps),
            "first_gaps": self.gaps.iter().map(gap).collect::<Vec<_>>(),
            "unaccounted_frames": self.unaccounted(),
            "files": files.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            "warnings": self.header.warnings,
        })
    }

    fn to_text(&self, files: &[PathBuf]) -> String {
        let StreamTotals { frames, lost, gaps, .. } = self.totals;
        let losses =
            if self.plan.unframed { UNSEEN.to_owned() } else { format!("{lost} lost in {gaps} gaps") };
        let mut text = format!(
            "{} samples over {} at {}, measured {}\n{frames} frames, {losses}\n",
            self.rows,
            quantity(self.duration_s(), "s", 6),
            quantity(self.plan.rate_hz(), "S/s", 6),
            quantity(self.measured_rate_hz(), "S/s", 6),
        );
        for file in files {
            // Memory takes whatever is written to it.
            let _ = writeln!(text, "{}", file.display());
        }
        text
    }
}
