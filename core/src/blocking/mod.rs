//! The driver over streams that block: the same [`crate::scope::Scope`], run to completion by a small executor.
//!
//! This is no second implementation: [`Scope`] wraps the other one, [`BlockingStream`] makes a stream of
//! `embedded-io` look like one of `embedded-io-async`.
//!
//! A blocking stream must not block for ever: its `read` gives an error of kind
//! [`TimedOut`](embedded_io::ErrorKind::TimedOut) when nothing has come for a short while, a few milliseconds. Between
//! such reads the driver looks at its deadlines and at whether the user has cancelled.
//!
//! ```no_run
//! use scopething_core::blocking::{BlockingClock, Scope};
//! use scopething_core::plan::CaptureRequest;
//! use scopething_core::scope::LinkProfile;
//! use scopething_core::trace::TraceBuffer;
//!
//! fn samples<S, C>(port: S, clock: C) -> Option<usize>
//! where
//!     S: embedded_io::Read + embedded_io::Write,
//!     C: BlockingClock,
//! {
//!     let mut scope = Scope::connect(port, clock, LinkProfile::SERIAL).ok()?;
//!     let probe = scope.model().analog;
//!     let plan = scope.plan(&probe, &CaptureRequest::new("A".parse().ok()?)).ok()?;
//!     let mut buffer = TraceBuffer::new();
//!     let trace = scope.capture(&plan, &mut buffer).ok()?;
//!     Some(trace.samples().into())
//! }
//! ```

use core::future::poll_fn;
use core::ops::ControlFlow;
use core::task::Poll;

use embassy_futures::{block_on, yield_now};
use embedded_io::{Error, ErrorKind, ErrorType};

use crate::calibration::{Calibration, CalibrationRequest};
use crate::device::{AnalogParameters, Model};
use crate::plan::{
    CapturePlan, CaptureRequest, ClockPlan, LogicPattern, PlanError, PlayMode, StreamPlan, StreamRequest,
    WaveformPlan,
};
use crate::scope::{
    self, CalibrateError, CalibrationProgress, GenerateError, Generators, LinkProfile, NoSerialNumber,
    Pacing, ScopeError, SerialNumber, StreamChunk, StreamFrame, StreamTotals, UnknownRevision,
};
use crate::time::{Clock, Instant};
use crate::trace::{Trace, TraceBuffer};
use crate::vm::Revision;

/// A clock that is only read.
pub trait BlockingClock {
    /// The present moment.
    fn now(&self) -> Instant;
}

/// Makes a [`BlockingClock`] a [`Clock`]: waiting means looking again after each read that timed out.
#[derive(Debug)]
pub struct PolledClock<C>(pub C);

impl<C: BlockingClock> Clock for PolledClock<C> {
    fn now(&self) -> Instant {
        self.0.now()
    }

    async fn until(&self, deadline: Instant) {
        while self.0.now() < deadline {
            yield_now().await;
        }
    }
}

/// Makes a blocking stream an asynchronous one: a read that timed out is a read that is pending.
#[derive(Debug)]
pub struct BlockingStream<S>(pub S);

impl<S: ErrorType> ErrorType for BlockingStream<S> {
    type Error = S::Error;
}

impl<S: embedded_io::Read> embedded_io_async::Read for BlockingStream<S> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        loop {
            match self.0.read(buffer) {
                Err(error) if error.kind() == ErrorKind::TimedOut => yield_now().await,
                result => return result,
            }
        }
    }
}

impl<S: embedded_io::Write> embedded_io_async::Write for BlockingStream<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::TimedOut => yield_now().await,
                result => return result,
            }
        }
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.0.flush()
    }
}

/// A connected BitScope behind a blocking stream.
#[derive(Debug)]
pub struct Scope<S, C> {
    scope: scope::Scope<BlockingStream<S>, PolledClock<C>>,
}

impl<S: embedded_io::Read + embedded_io::Write, C: BlockingClock> Scope<S, C> {
    /// Resets and identifies the device behind a stream.
    ///
    /// # Errors
    /// As [`scope::Scope::connect`].
    pub fn connect(stream: S, clock: C, profile: LinkProfile) -> Result<Self, ScopeError<S::Error>> {
        let mut scope = Self::new(stream, clock, profile);
        scope.open()?;
        Ok(scope)
    }

    /// A driver that has not spoken to its device yet.
    #[must_use]
    pub fn new(stream: S, clock: C, profile: LinkProfile) -> Self {
        Self { scope: scope::Scope::new(BlockingStream(stream), PolledClock(clock), profile) }
    }

    /// Resets and identifies the device, which may be another than before.
    ///
    /// # Errors
    /// As [`scope::Scope::open`].
    pub fn open(&mut self) -> Result<(), ScopeError<S::Error>> {
        block_on(self.scope.open())
    }

    /// What the device calls itself.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.scope.revision()
    }

    /// The model that the driver takes the device for.
    #[must_use]
    pub fn model(&self) -> &'static Model {
        self.scope.model()
    }

    /// What the user should know of the device's revision, if it is not the one that is known.
    #[must_use]
    pub fn unknown_revision(&self) -> Option<UnknownRevision> {
        self.scope.unknown_revision()
    }

    /// Reads the device's serial number.
    ///
    /// # Errors
    /// As [`scope::Scope::read_serial`].
    pub fn read_serial(&mut self) -> Result<Result<SerialNumber, NoSerialNumber>, ScopeError<S::Error>> {
        block_on(self.scope.read_serial())
    }

    /// Asks whether the device is still there.
    ///
    /// # Errors
    /// As [`scope::Scope::check_presence`].
    pub fn check_presence(&mut self) -> Result<(), ScopeError<S::Error>> {
        block_on(self.scope.check_presence())
    }

    /// Chooses how scripts are handed to the device.
    pub fn set_pacing(&mut self, pacing: Pacing) {
        self.scope.set_pacing(pacing);
    }

    /// Plans a capture on this device.
    ///
    /// # Errors
    /// As [`scope::Scope::plan`].
    pub fn plan(&self, probe: &AnalogParameters, request: &CaptureRequest) -> Result<CapturePlan, PlanError> {
        self.scope.plan(probe, request)
    }

    /// Captures a trace into `buffer`, and waits for the trigger as long as the plan says.
    ///
    /// # Errors
    /// As [`scope::Scope::capture`].
    pub fn capture<'a>(
        &mut self,
        plan: &'a CapturePlan,
        buffer: &'a mut TraceBuffer,
    ) -> Result<Trace<'a>, ScopeError<S::Error>> {
        block_on(self.scope.capture(plan, buffer))
    }

    /// As [`Self::capture`]; as soon as `cancelled` says so the trace around that moment is given.
    ///
    /// # Errors
    /// As [`scope::Scope::capture`].
    pub fn capture_until<'a>(
        &mut self,
        plan: &'a CapturePlan,
        buffer: &'a mut TraceBuffer,
        mut cancelled: impl FnMut() -> bool,
    ) -> Result<Trace<'a>, ScopeError<S::Error>> {
        let cancel = poll_fn(|_| if cancelled() { Poll::Ready(()) } else { Poll::Pending });
        block_on(self.scope.capture_until(plan, buffer, cancel))
    }

    /// Plans a stream on this device.
    ///
    /// # Errors
    /// As [`scope::Scope::plan_stream`].
    pub fn plan_stream(
        &self,
        probe: &AnalogParameters,
        request: &StreamRequest,
    ) -> Result<StreamPlan, PlanError> {
        self.scope.plan_stream(probe, request)
    }

    /// Starts a stream.
    ///
    /// # Errors
    /// As [`scope::Scope::start_stream`].
    pub fn start_stream(&mut self, plan: &StreamPlan) -> Result<Stream<'_, S, C>, ScopeError<S::Error>> {
        block_on(self.scope.start_stream(plan)).map(Stream)
    }

    /// What the generators do at present.
    #[must_use]
    pub fn generators(&self) -> Generators {
        self.scope.generators()
    }

    /// Plays a waveform, over and over or once.
    ///
    /// # Errors
    /// As [`scope::Scope::start_waveform`].
    pub fn start_waveform(
        &mut self,
        plan: &WaveformPlan<'_>,
        mode: PlayMode,
    ) -> Result<(), GenerateError<S::Error>> {
        block_on(self.scope.start_waveform(plan, mode))
    }

    /// Stops the waveform generator.
    ///
    /// # Errors
    /// As [`scope::Scope::stop_waveform`].
    pub fn stop_waveform(&mut self) -> Result<(), GenerateError<S::Error>> {
        block_on(self.scope.stop_waveform())
    }

    /// Holds the waveform where it is.
    ///
    /// # Errors
    /// As [`scope::Scope::pause_waveform`].
    pub fn pause_waveform(&mut self) -> Result<(), GenerateError<S::Error>> {
        block_on(self.scope.pause_waveform())
    }

    /// Lets a paused waveform go on.
    ///
    /// # Errors
    /// As [`scope::Scope::resume_waveform`].
    pub fn resume_waveform(&mut self) -> Result<(), GenerateError<S::Error>> {
        block_on(self.scope.resume_waveform())
    }

    /// Starts clocks.
    ///
    /// # Errors
    /// As [`scope::Scope::start_clocks`].
    pub fn start_clocks(&mut self, plan: &ClockPlan) -> Result<(), GenerateError<S::Error>> {
        block_on(self.scope.start_clocks(plan))
    }

    /// Stops the clocks.
    ///
    /// # Errors
    /// As [`scope::Scope::stop_clocks`].
    pub fn stop_clocks(&mut self) -> Result<(), GenerateError<S::Error>> {
        block_on(self.scope.stop_clocks())
    }

    /// Makes logic lines outputs, each high or low.
    ///
    /// # Errors
    /// As [`scope::Scope::set_logic_outputs`].
    pub fn set_logic_outputs(&mut self, levels: LogicPattern) -> Result<(), GenerateError<S::Error>> {
        block_on(self.scope.set_logic_outputs(levels))
    }

    /// Lets go of the lines that are held.
    ///
    /// # Errors
    /// As [`scope::Scope::release_logic_outputs`].
    pub fn release_logic_outputs(&mut self) -> Result<(), GenerateError<S::Error>> {
        block_on(self.scope.release_logic_outputs())
    }

    /// Calibrates with the clock on L5.
    ///
    /// # Errors
    /// As [`scope::Scope::calibrate`].
    pub fn calibrate(
        &mut self,
        request: &CalibrationRequest,
        buffer: &mut TraceBuffer,
        progress: impl FnMut(CalibrationProgress) -> ControlFlow<()>,
    ) -> Result<Calibration, CalibrateError<S::Error>> {
        block_on(self.scope.calibrate(request, buffer, progress))
    }

    /// Reads one byte of the EEPROM.
    ///
    /// # Errors
    /// As [`scope::Scope::read_eeprom`].
    pub fn read_eeprom(&mut self, address: u8) -> Result<u8, ScopeError<S::Error>> {
        block_on(self.scope.read_eeprom(address))
    }

    /// Resets the device.
    ///
    /// # Errors
    /// As [`scope::Scope::reset`].
    pub fn reset(&mut self) -> Result<(), ScopeError<S::Error>> {
        block_on(self.scope.reset())
    }
}

/// A stream that runs, as [`scope::Stream`].
#[derive(Debug)]
pub struct Stream<'s, S, C>(scope::Stream<'s, BlockingStream<S>, PolledClock<C>>);

impl<S: embedded_io::Read + embedded_io::Write, C: BlockingClock> Stream<'_, S, C> {
    /// Receives frames: at least one, or a gap.
    ///
    /// # Errors
    /// As [`scope::Stream::read`].
    pub fn read<'b>(
        &mut self,
        frames: &'b mut [StreamFrame],
    ) -> Result<StreamChunk<'b>, ScopeError<S::Error>> {
        block_on(self.0.read(frames))
    }

    /// What the stream has amounted to so far.
    #[must_use]
    pub fn totals(&self) -> StreamTotals {
        self.0.totals()
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// As [`scope::Stream::finish`].
    pub fn finish(self) -> Result<StreamTotals, ScopeError<S::Error>> {
        block_on(self.0.finish())
    }
}
