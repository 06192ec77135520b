//! Running a stream: samples without end, into any piece of memory at a time ([section 8 of the reference](crate::vm#8-streaming)).
//!
//! That the device streams in this way was learnt from what the vendor's library sends and takes; nobody has tried this
//! driver's streams on a device yet.

use embedded_io_async::{Read, Write};

use super::pace::{CountState, Pace};
use super::{ATTEMPTS, Contradiction, Generators, Scope, ScopeError, ScopeErrorKind, Stage};
use crate::plan::{PlanError, StreamPlan, StreamRequest, WAVEFORM_OUTPUT, plan_stream};
use crate::time::{Clock, Instant, Micros};
use crate::vm::{Command, FrameEvent, FrameParser, MAX_FRAME_SAMPLES, Register, Script};

/// Room for the script that starts a stream: 14 register bytes of two digits and a `z` in nine runs, and `UT`.
const STREAM_SCRIPT_BYTES: usize = 14 * 3 + 9 * 3 + 2;
/// Bytes taken from the link at once.
const CHUNK_BYTES: usize = 256;
/// How many bytes are looked through for a frame: some hundred frames, of which three in a row would do.
const MAX_SKIPPED: u32 = 2048;
/// How many frame periods the device may be late with a frame.
const LATE_FRAMES: f64 = 4.0;

/// The samples that were taken at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamFrame {
    /// The samples in the order of the frame, where [`StreamPlan::place`] finds those of a channel: steps of the range for an
    /// analog channel, a bit a line for the logic byte.
    pub samples: [u8; MAX_FRAME_SAMPLES],
}

/// Frames that are missing: the link could not carry them, or lost them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StreamGap {
    /// The number of the first frame that is missing, counted from 0 at the start of the stream.
    pub position: u64,
    /// How many are missing. None if that is not known: the device counts modulo 256 only, and the host was away for so long, or the
    /// frames came so unsteadily, that its clock does not show how often that was exceeded. The number of the frame behind the
    /// gap is an estimate then.
    pub lost: Option<u64>,
    /// Bytes that came in their place and were no frames.
    pub skipped_bytes: u32,
}

/// Frames that follow on one another.
#[derive(Debug, Clone, Copy)]
pub struct StreamChunk<'b> {
    /// What is missing just before these frames, if anything is.
    pub gap: Option<StreamGap>,
    /// The number of the first one, those that are known to be missing counted as well.
    pub first: u64,
    /// The frames. There can be none between two gaps.
    pub frames: &'b [StreamFrame],
}

/// What a stream has amounted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct StreamTotals {
    /// Frames received.
    pub frames: u64,
    /// Frames that are missing; of gaps whose length is not known, the estimate.
    pub lost: u64,
    /// How often some were missing.
    pub gaps: u64,
    /// How many of the gaps are of a length that is not known.
    pub unknown_gaps: u64,
    /// The time from the start of the stream to its last bytes, by the driver's clock.
    pub elapsed: Micros,
}

/// A stream that runs.
///
/// Dropping it leaves the device streaming: the next operation of the driver ends that and resets the device first. To keep
/// generators and registers as they are, end it with [`Self::finish`].
#[derive(Debug)]
pub struct Stream<'s, S: Read + Write, C> {
    scope: &'s mut Scope<S, C>,
    parser: Option<FrameParser>,
    frame_period: Micros,
    received: [u8; CHUNK_BYTES],
    /// The part of `received` that has not been looked at.
    unread: (usize, usize),
    pace: Pace,
    /// How many frames lie in the caller's memory that were not given yet.
    held: usize,
    /// A gap that was found before these frames, and one that was found behind them.
    before: Option<StreamGap>,
    behind: Option<StreamGap>,
    /// The number of the next frame.
    position: u64,
    /// What the stream failed of while frames were held.
    failure: Option<ScopeError<S::Error>>,
    started: Instant,
    totals: StreamTotals,
}

impl<S: Read + Write, C: Clock> Scope<S, C> {
    /// Plans a stream on this device, with [its probe](Self::set_probe) and the generators as they are.
    ///
    /// # Errors
    /// [`PlanError`] for what cannot be streamed.
    pub fn plan_stream(&self, request: &StreamRequest) -> Result<StreamPlan, PlanError> {
        plan_stream(self.model, &self.probe, request, self.driven())
    }

    /// Starts a stream.
    ///
    /// # Errors
    /// Any failure of the link or the device.
    ///
    /// # Cancellation
    /// As dropping the [`Stream`].
    pub async fn start_stream(
        &mut self,
        plan: &StreamPlan,
    ) -> Result<Stream<'_, S, C>, ScopeError<S::Error>> {
        let mut attempt = 0;
        let asked = loop {
            attempt += 1;
            self.ready().await?;
            self.in_flight = true;
            let asked = self.transport.clock.now();
            match self.try_start_stream(plan).await {
                Err(error) if error.is_passing() && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
                Ok(()) => break asked,
            }
        };
        let started = self.transport.clock.now();
        Ok(Stream {
            scope: self,
            parser: (!plan.unframed).then(|| FrameParser::new(plan.frame_samples())),
            frame_period: Micros::from_seconds(1.0 / plan.frame_rate_hz()),
            received: [0; CHUNK_BYTES],
            unread: (0, 0),
            pace: Pace::new(plan.frame_rate_hz(), asked, started),
            held: 0,
            before: None,
            behind: None,
            position: 0,
            failure: None,
            started,
            totals: StreamTotals::default(),
        })
    }

    async fn try_start_stream(&mut self, plan: &StreamPlan) -> Result<(), ScopeError<S::Error>> {
        for (register, value) in plan.registers() {
            let value = match register {
                // The plan may be older than what the waveform generator does now.
                Register::KitchenSinkB => {
                    let output = u32::from(WAVEFORM_OUTPUT);
                    value & !output | if self.driven().waveform { output } else { 0 }
                }
                _ => value,
            };
            self.shadow.stage(register, value);
        }
        let mut buffer = [0; STREAM_SCRIPT_BYTES];
        let mut script = Script::new(&mut buffer);
        script.stores(&mut self.shadow)?;
        script.command(Command::Update)?;
        script.command(Command::StreamTrace)?;
        self.transport.run(Stage::Program, script.finish()).await
    }

    /// Ends a stream without a reset, so that generators run on and registers stay known.
    async fn end_stream(&mut self) -> Result<(), ScopeError<S::Error>> {
        let stage = Stage::EndStream;
        self.transport.send(stage, &[Command::CancelTrace.byte()]).await?;
        // What was on its way is dropped until nothing has come for a round trip.
        self.transport.discard_until(stage, &[]).await?;
        self.synchronise(stage, None).await?;
        self.in_flight = false;
        Ok(())
    }
}

impl<S: Read + Write, C: Clock> Stream<'_, S, C> {
    /// Receives frames: at least one, or a gap, and no more than there is room for. Frames before and behind a gap come in
    /// different chunks.
    ///
    /// Where more frames may be missing than their numbers show, since the host was away for longer than 160 frames take, the
    /// frames that come are held in `frames` until the clock shows whether they are late or some were lost. If some were
    /// lost, or there is no room for more, those that are held are given up and belong to the gap: room for the frames of
    /// a quarter of a second lets a host be away for as long.
    ///
    /// # Errors
    /// Any failure of the link or the device: the stream is over then. A device that falls silent fails after the round trip
    /// of the link's profile and a few frames.
    ///
    /// # Cancellation
    /// Dropping the future loses nothing but frames that are held: the next call goes on where this one was, and reports them as a
    /// gap.
    pub async fn read<'b>(
        &mut self,
        frames: &'b mut [StreamFrame],
    ) -> Result<StreamChunk<'b>, ScopeError<S::Error>> {
        // Of a future that was dropped.
        self.drop_held();
        loop {
            self.take(frames);
            let is_doubtful = self.pace.is_doubtful();
            let has_some = self.held > 0 || self.before.is_some();
            if !is_doubtful && has_some || frames.is_empty() {
                return Ok(self.give(frames));
            }
            if self.behind.is_some() || self.held >= frames.len() {
                self.drop_held();
                continue;
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            match self.receive().await {
                Ok(()) => {}
                Err(failure) if is_doubtful && has_some => {
                    let frames = self.pace.give_up();
                    self.insert_gap(frames, false);
                    self.failure = Some(failure);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// What the stream has amounted to so far.
    #[must_use]
    pub fn totals(&self) -> StreamTotals {
        self.totals
    }

    /// Ends the stream. Frames that are on their way are dropped. Should the device stream on, it is reset.
    ///
    /// # Errors
    /// Any failure of the link or the device, and [`ScopeErrorKind::GeneratorsStopped`] if the reset stopped a generator.
    ///
    /// # Cancellation
    /// As dropping the stream.
    pub async fn finish(self) -> Result<StreamTotals, ScopeError<S::Error>> {
        let Self { scope, totals, .. } = self;
        match scope.end_stream().await {
            Ok(()) => {}
            Err(error) if error.is_passing() => {
                let before = scope.generators;
                scope.reset().await?;
                if before != Generators::Off {
                    return Err(ScopeErrorKind::GeneratorsStopped.at(Stage::Reset));
                }
            }
            Err(error) => return Err(error),
        }
        Ok(totals)
    }

    /// Takes frames out of what has been received, up to the next gap.
    fn take(&mut self, frames: &mut [StreamFrame]) {
        if self.held == 0 && self.before.is_none() {
            self.before = self.behind.take();
        }
        while self.behind.is_none() {
            let Some(frame) = frames.get_mut(self.held) else { return };
            let Some(event) = self.next_event() else { return };
            match event {
                FrameEvent::Frame(samples) => {
                    *frame = StreamFrame { samples };
                    self.held += 1;
                    self.position += 1;
                }
                FrameEvent::Gap { lost, skipped } => {
                    let lost = u64::from(lost);
                    let gap = StreamGap { position: self.position, lost: Some(lost), skipped_bytes: skipped };
                    self.position += lost;
                    let place = if self.held == 0 && self.before.is_none() {
                        &mut self.before
                    } else {
                        &mut self.behind
                    };
                    *place = Some(gap);
                }
            }
        }
    }

    /// Gives what is held, and counts it.
    fn give<'b>(&mut self, frames: &'b [StreamFrame]) -> StreamChunk<'b> {
        let frames = frames.get(..core::mem::take(&mut self.held)).unwrap_or_default();
        let gap = self.before.take();
        let behind = self.behind.map_or(self.position, |gap| gap.position);
        let first = behind - frames.len() as u64;
        self.totals.frames += frames.len() as u64;
        if let Some(gap) = gap {
            self.totals.gaps += 1;
            self.totals.unknown_gaps += u64::from(gap.lost.is_none());
            self.totals.lost += first - gap.position;
        }
        StreamChunk { gap, first, frames }
    }

    /// Gives up the frames that are held: they, and the gaps at both their sides, become one gap.
    fn drop_held(&mut self) {
        if self.held == 0 && self.behind.is_none() {
            return;
        }
        let behind = self.behind.take();
        let end = behind.map_or(self.position, |gap| gap.position);
        let position = self.before.map_or(end - self.held as u64, |gap| gap.position);
        self.held = 0;
        let is_known = [self.before, behind].into_iter().flatten().all(|gap| gap.lost.is_some());
        let skipped = |gap: Option<StreamGap>| gap.map_or(0, |gap| gap.skipped_bytes);
        self.before = Some(StreamGap {
            position,
            lost: is_known.then_some(self.position - position),
            skipped_bytes: skipped(self.before).saturating_add(skipped(behind)),
        });
    }

    /// More frames are missing than was counted, before those that are held.
    fn insert_gap(&mut self, frames: u64, is_known: bool) {
        let position = self.before.map_or(self.position - self.held as u64, |gap| gap.position);
        self.position += frames;
        let length = self.position - self.held as u64 - position;
        let is_known = is_known && self.before.is_none_or(|gap| gap.lost.is_some());
        self.before = Some(StreamGap {
            position,
            lost: is_known.then_some(length),
            skipped_bytes: self.before.map_or(0, |gap| gap.skipped_bytes),
        });
    }

    fn next_event(&mut self) -> Option<FrameEvent> {
        let (from, to) = self.unread;
        let mut bytes = self.received.get(from..to)?;
        let event = match &mut self.parser {
            Some(parser) => parser.next(&mut bytes),
            None => bytes.split_first().map(|(&sample, rest)| {
                bytes = rest;
                FrameEvent::Frame([sample, 0, 0])
            }),
        };
        self.unread.0 = to - bytes.len();
        event
    }

    /// The number of the frame behind those that have been received, and how many gaps are among them, if they are numbered.
    fn end_of_received(&self) -> Option<(u64, u32)> {
        let mut parser = self.parser.clone()?;
        let (from, to) = self.unread;
        let mut bytes = self.received.get(from..to)?;
        let (mut end, mut jumps) = (self.position, 0);
        while let Some(event) = parser.next(&mut bytes) {
            match event {
                FrameEvent::Frame(_) => end += 1,
                FrameEvent::Gap { lost, .. } => (end, jumps) = (end + u64::from(lost), jumps + 1),
            }
        }
        Some((end, jumps))
    }

    async fn receive(&mut self) -> Result<(), ScopeError<S::Error>> {
        let stage = Stage::Stream;
        if let Some(bytes) =
            self.parser.as_ref().map(FrameParser::skipped).filter(|&bytes| bytes > MAX_SKIPPED)
        {
            return Err(Contradiction::NoFrames { bytes }.at(stage));
        }
        let transport = &mut self.scope.transport;
        let waits_since = transport.clock.now();
        let late = Micros::from_seconds(self.frame_period.seconds() * LATE_FRAMES);
        let deadline = transport.answer_deadline(CHUNK_BYTES) + late;
        match transport.receive_some(stage, &mut self.received, deadline).await? {
            Some(count) => {
                let now = transport.clock.now();
                self.unread = (0, count);
                self.totals.elapsed = now - self.started;
                if let Some((end, jumps)) = self.end_of_received() {
                    match self.pace.judge(now, now - waits_since, end, jumps) {
                        CountState::Certain | CountState::Doubtful => {}
                        CountState::Missing { frames, is_known } => {
                            // They may have come from before the loss.
                            self.drop_held();
                            self.insert_gap(frames, is_known);
                        }
                    }
                }
                Ok(())
            }
            None => Err(ScopeErrorKind::NoAnswer {
                waited_ms: (self.scope.transport.clock.now() - waits_since).millis(),
            }
            .at(stage)),
        }
    }
}
