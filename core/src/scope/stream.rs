//! Running a stream: samples without end, into any piece of memory at a time ([section 8 of the reference](crate::vm#8-streaming)).
//!
//! That the device streams in this way was learnt from what the vendor's library sends and takes; nobody has tried this
//! driver's streams on a device yet.

use embedded_io_async::{Read, Write};

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
    /// How many are missing, modulo 256: the device counts no further.
    pub lost: u8,
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
    /// Frames known to be missing, each gap counted modulo 256.
    pub lost: u64,
    /// How often some were missing.
    pub gaps: u64,
    /// The time from the start of the stream to its last bytes, by the driver's clock.
    pub elapsed: Micros,
}

/// A stream that runs.
///
/// Dropping it leaves the device streaming: the next operation of the driver ends that and resets the device first. To keep
/// generators and registers as they are, end it with [`Self::finish`].
#[derive(Debug)]
pub struct Stream<'s, S, C> {
    scope: &'s mut Scope<S, C>,
    parser: Option<FrameParser>,
    frame_period: Micros,
    received: [u8; CHUNK_BYTES],
    /// The part of `received` that has not been looked at.
    unread: (usize, usize),
    /// A gap that was found behind frames already given.
    gap: Option<StreamGap>,
    position: u64,
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
        loop {
            attempt += 1;
            self.ready().await?;
            self.in_flight = true;
            match self.try_start_stream(plan).await {
                Err(error) if error.is_passing() && attempt < ATTEMPTS => {}
                Err(error) => return Err(error),
                Ok(()) => break,
            }
        }
        let started = self.line.clock.now();
        Ok(Stream {
            scope: self,
            parser: (!plan.unframed).then(|| FrameParser::new(plan.frame_samples())),
            frame_period: Micros::from_seconds(1.0 / plan.frame_rate_hz()),
            received: [0; CHUNK_BYTES],
            unread: (0, 0),
            gap: None,
            position: 0,
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
        self.line.run(Stage::Program, script.finish()).await
    }

    /// Ends a stream without a reset, so that generators run on and registers stay known.
    async fn end_stream(&mut self) -> Result<(), ScopeError<S::Error>> {
        let stage = Stage::EndStream;
        self.line.send(stage, &[Command::CancelTrace.byte()]).await?;
        // What was on its way is dropped until nothing has come for a round trip.
        self.line.discard_until(stage, &[]).await?;
        self.synchronise(stage, None).await?;
        self.in_flight = false;
        Ok(())
    }
}

impl<S: Read + Write, C: Clock> Stream<'_, S, C> {
    /// Receives frames: at least one, or a gap, and no more than there is room for. Frames before and behind a gap come in
    /// different chunks.
    ///
    /// # Errors
    /// Any failure of the link or the device: the stream is over then. A device that falls silent fails after the round trip
    /// of the link's profile and a few frames.
    ///
    /// # Cancellation
    /// Dropping the future loses nothing: the next call goes on where this one was.
    pub async fn read<'b>(
        &mut self,
        frames: &'b mut [StreamFrame],
    ) -> Result<StreamChunk<'b>, ScopeError<S::Error>> {
        loop {
            let (gap, first, count) = self.take(frames);
            if count > 0 || gap.is_some() || frames.is_empty() {
                debug_assert!(count <= frames.len(), "no more frames are taken than there is room for");
                let frames = frames.get(..count).unwrap_or_default();
                return Ok(StreamChunk { gap, first, frames });
            }
            self.receive().await?;
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

    /// Takes frames out of what has been received, up to the next gap: the gap before them, the number of the first one, and
    /// how many.
    fn take(&mut self, frames: &mut [StreamFrame]) -> (Option<StreamGap>, u64, usize) {
        let mut gap = self.gap.take();
        let mut first = self.position;
        let mut count = 0;
        while let Some(frame) = frames.get_mut(count) {
            match self.next_event() {
                None => break,
                Some(FrameEvent::Frame(samples)) => {
                    *frame = StreamFrame { samples };
                    count += 1;
                    self.position += 1;
                    self.totals.frames += 1;
                }
                Some(FrameEvent::Gap { lost, skipped }) => {
                    let next = StreamGap { position: self.position, lost, skipped_bytes: skipped };
                    self.position += u64::from(lost);
                    self.totals.lost += u64::from(lost);
                    self.totals.gaps += 1;
                    if count > 0 || gap.is_some() {
                        self.gap = Some(next);
                        break;
                    }
                    gap = Some(next);
                    first = self.position;
                }
            }
        }
        (gap, first, count)
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

    async fn receive(&mut self) -> Result<(), ScopeError<S::Error>> {
        let stage = Stage::Stream;
        if let Some(bytes) =
            self.parser.as_ref().map(FrameParser::skipped).filter(|&bytes| bytes > MAX_SKIPPED)
        {
            return Err(Contradiction::NoFrames { bytes }.at(stage));
        }
        let line = &mut self.scope.line;
        let waits_since = line.clock.now();
        let late = Micros::from_seconds(self.frame_period.seconds() * LATE_FRAMES);
        let deadline = line.answer_deadline(CHUNK_BYTES) + late;
        match line.receive_some(stage, &mut self.received, deadline).await? {
            Some(count) => {
                self.unread = (0, count);
                self.totals.elapsed = self.scope.line.clock.now() - self.started;
                Ok(())
            }
            None => Err(ScopeErrorKind::NoAnswer {
                waited_ms: (self.scope.line.clock.now() - waits_since).millis(),
            }
            .at(stage)),
        }
    }
}
