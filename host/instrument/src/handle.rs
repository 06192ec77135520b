//! A client's handle to the instrument: reads and changes the shared settings, requests captures and the
//! generator. Requests for the device go to the instrument, which serves one at a time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use scopething::generate::GeneratorRequest;
use scopething::timer::Instant;
use scopething::trigger_hint::TriggerHint;
use scopething_core::calibration::CalibrationRequest;
use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{
    BusyOutputs, CapturePlan, PlanError, StreamPlan, StreamRequest, WaveShape, plan_stream,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::calibration::CalibrationState;
use crate::capture::Capture;
use crate::event::Event;
use crate::loan::Loan;
use crate::settings::Settings;
use crate::stream::{StreamPart, StreamTurn};

/// The serial number that `*IDN?` answers for a device that has none (IEEE 488.2, section 10.14).
pub const NO_SERIAL: &str = "0";

/// The state that all clients share.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedState {
    /// What clients have set.
    pub settings: Settings,
    /// How often the settings were changed.
    pub changes: u64,
    /// The outputs that the generator keeps busy, which captures are planned around.
    pub driven: BusyOutputs,
    /// What the generator does, in one line; none: nothing.
    pub generator: Option<String>,
    /// How volts map to DAC codes: the calibration of the probes.
    pub probe: AnalogParameters,
}

/// A waveform for the generator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeneratorWaveform {
    /// In hertz.
    pub frequency_hz: f64,
    /// One period.
    pub shape: WaveShape<'static>,
    /// The part of the period spent rising, or high, 0 to 1.
    pub symmetry: f64,
    /// The lowest output, in volts.
    pub low_v: f64,
    /// The highest output, in volts.
    pub high_v: f64,
}

/// A request to the instrument.
#[derive(Debug)]
pub(crate) enum Request {
    /// The next capture.
    Capture(WaitingClient),
    /// The device itself, as a stream of bytes.
    Borrow(oneshot::Sender<Loan>),
    /// Change what the generator does.
    Generate(GeneratorTurn),
    /// Samples as they come.
    Stream(StreamTurn),
    /// Find the parameters of the probes.
    Calibrate(CalibrationRequest),
    /// Leave the device as a reset does, and say when that is done.
    Close(oneshot::Sender<()>),
}

/// A change of the generator.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum GeneratorChange {
    Play(GeneratorWaveform),
    /// A waveform, clocks, or lines that are held.
    Start(Arc<GeneratorRequest>),
    Stop,
}

/// A change of the generator, and who is to learn what has become of it.
#[derive(Debug)]
pub(crate) struct GeneratorTurn {
    pub(crate) change: GeneratorChange,
    pub(crate) reply: Option<oneshot::Sender<Result<(), String>>>,
}

/// How long a client waits for the trigger of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerTimeout {
    /// As long as it takes, in any trigger mode.
    Never,
    /// As long as the trigger mode waits.
    OfMode,
    /// No longer than this, also in a trigger mode that would wait longer.
    AtMost(Duration),
}

/// A client that waits for a capture. It has left when its receiver is gone.
#[derive(Debug)]
pub(crate) struct WaitingClient {
    asked: Instant,
    timeout: TriggerTimeout,
    pub(crate) reply: oneshot::Sender<Arc<Capture>>,
}

impl WaitingClient {
    /// When its timeout passes; none: never.
    pub(crate) fn until(&self) -> Option<Instant> {
        match self.timeout {
            TriggerTimeout::AtMost(timeout) => self.asked.checked_add(timeout),
            TriggerTimeout::Never | TriggerTimeout::OfMode => None,
        }
    }

    /// Whether the trigger mode may give it a capture without a trigger.
    pub(crate) fn follows_mode(&self) -> bool {
        self.timeout != TriggerTimeout::Never
    }
}

/// Why there is no capture for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoCapture;

impl fmt::Display for NoCapture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the device could not capture that: ask for other channels, or look at its link")
    }
}

impl std::error::Error for NoCapture {}

/// A capture that is under way for a client. Dropping it withdraws the request.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Arc<Capture>>);

impl Pending {
    /// Waits for it.
    ///
    /// # Errors
    /// [`NoCapture`] when there will be none.
    ///
    /// # Cancellation
    /// Dropping the future loses nothing.
    pub async fn ready(&mut self) -> Result<Arc<Capture>, NoCapture> {
        (&mut self.0).await.map_err(|_| NoCapture)
    }
}

/// A stream that runs for a client, or will. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Streaming(oneshot::Receiver<Result<(), String>>);

impl Streaming {
    /// Waits for its end: because the device is wanted for something else, or is gone.
    ///
    /// # Errors
    /// Why the device does not stream.
    pub(crate) async fn ended(&mut self) -> Result<(), String> {
        (&mut self.0).await.unwrap_or(Ok(()))
    }
}

/// A client's handle to the instrument.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) state: Arc<watch::Sender<SharedState>>,
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) events: mpsc::Sender<Event>,
    /// Why the trigger of the present capture does not come, once that was looked at.
    pub(crate) hint: Arc<watch::Sender<Option<TriggerHint>>>,
    /// Why the device is gone, while it is.
    pub(crate) lost: Arc<watch::Sender<Option<String>>>,
    /// The least of what the link carries, in bytes a second.
    pub(crate) bytes_per_second: u32,
    /// What has become of the last calibration.
    pub(crate) calibration: Arc<watch::Sender<CalibrationState>>,
    /// Whether the one that is being done was cancelled.
    pub(crate) calibration_cancelled: Arc<watch::Sender<bool>>,
    /// The device's serial number, [`NO_SERIAL`] for one that has none.
    pub serial: String,
}

impl Handle {
    /// The shared state.
    #[must_use]
    pub fn state(&self) -> SharedState {
        self.state.borrow().clone()
    }

    /// What a capture would be now.
    ///
    /// # Errors
    /// [`PlanError`] if nothing can be captured.
    pub fn plan(&self) -> Result<CapturePlan, PlanError> {
        let state = self.state.borrow();
        state.settings.plan(&state.probe, state.driven)
    }

    /// Has captures use other parameters of the probes, such as those of an earlier calibration.
    pub fn set_probe(&self, probe: AnalogParameters) {
        self.state.send_modify(|state| {
            state.probe = probe;
            state.changes += 1;
        });
    }

    /// Changes the settings. Captures that are under way start again, and all clients see the new settings
    /// from now on.
    pub fn set(&self, by: impl fmt::Display, change: impl FnOnce(&mut Settings)) {
        let mut changed = None;
        self.state.send_if_modified(|state| {
            let before = state.settings.clone();
            change(&mut state.settings);
            if state.settings == before {
                return false;
            }
            state.changes += 1;
            changed = Some(state.settings.to_string());
            true
        });
        if let Some(settings) = changed {
            self.report(Event::Set { by: by.to_string(), settings });
        }
    }

    /// Requests the next capture that begins from now on. Without a trigger it is delivered when `timeout` has passed.
    ///
    /// # Errors
    /// [`NoCapture`] when the instrument is closing.
    pub async fn capture(&self, timeout: TriggerTimeout) -> Result<Pending, NoCapture> {
        let (reply, receiver) = oneshot::channel();
        let request = Request::Capture(WaitingClient { asked: Instant::now(), timeout, reply });
        self.requests.send(request).await.map_err(|_| NoCapture)?;
        Ok(Pending(receiver))
    }

    /// Plays a waveform from now on, or none.
    pub async fn generate(&self, waveform: Option<GeneratorWaveform>) {
        let change = waveform.map_or(GeneratorChange::Stop, GeneratorChange::Play);
        // The only failure is that everything is closing.
        let _ = self.requests.send(Request::Generate(GeneratorTurn { change, reply: None })).await;
    }

    /// Changes what the generator does, and waits until it is done.
    ///
    /// # Errors
    /// Why it was not done.
    pub(crate) async fn change_generator(&self, change: GeneratorChange) -> Result<(), String> {
        let (reply, done) = oneshot::channel();
        let request = Request::Generate(GeneratorTurn { change, reply: Some(reply) });
        let closing = || "the program is ending".to_owned();
        self.requests.send(request).await.map_err(|_| closing())?;
        done.await.unwrap_or_else(|_| Err("another client has changed the generator meanwhile".to_owned()))
    }

    /// What a stream would be now.
    ///
    /// # Errors
    /// [`PlanError`] for what cannot be streamed.
    pub(crate) fn plan_stream(&self, request: &StreamRequest) -> Result<StreamPlan, PlanError> {
        let state = self.state.borrow();
        plan_stream(&BS05, &state.probe, request, state.driven)
    }

    /// Requests a stream, of which `take` gets each part.
    pub(crate) async fn stream(
        &self,
        request: StreamRequest,
        take: impl FnMut(StreamPart<'_>) + Send + 'static,
    ) -> Streaming {
        let (reply, ended) = oneshot::channel();
        let turn = StreamTurn { request, take: Box::new(take), reply };
        // The only failure is that everything is closing.
        let _ = self.requests.send(Request::Stream(turn)).await;
        Streaming(ended)
    }

    /// What has become of the calibration that was asked for last.
    #[must_use]
    pub fn calibration(&self) -> CalibrationState {
        self.calibration.borrow().clone()
    }

    /// Has the probes calibrated by the device's own clock on L5, which they must be connected to, as soon as the present
    /// capture has ended. How far that has come, and what was found, is there for all clients to
    /// [see](Self::calibration). Captures use what is found from then on.
    ///
    /// # Errors
    /// If a calibration is being done, or everything is closing.
    pub async fn calibrate(&self, request: CalibrationRequest) -> Result<(), String> {
        let is_free = self.calibration.send_if_modified(|state| {
            let is_free = !state.is_running();
            if is_free {
                *state =
                    CalibrationState::Running { done: 0, left: request.grid.saturating_mul(request.grid) };
            }
            is_free
        });
        if !is_free {
            return Err("the probes are being calibrated already".to_owned());
        }
        self.calibration_cancelled.send_replace(false);
        let asked = self.requests.send(Request::Calibrate(request)).await;
        asked.map_err(|_| "the program is ending".to_owned())
    }

    /// Gives up the calibration that is being done; it takes the time of one trace.
    pub fn cancel_calibration(&self) {
        self.calibration_cancelled.send_replace(true);
    }

    /// Requests the device itself; it is lent when the present capture has ended.
    pub async fn borrow_device(&self) -> Option<oneshot::Receiver<Loan>> {
        let (reply, receiver) = oneshot::channel();
        self.requests.send(Request::Borrow(reply)).await.ok()?;
        Some(receiver)
    }

    /// Has the device left as a reset does; completes when that is done.
    pub async fn close(&self) {
        self.cancel_calibration();
        let (reply, done) = oneshot::channel();
        if self.requests.send(Request::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Reports an event; it is dropped if the queue of events is full.
    pub fn report(&self, event: Event) {
        let _ = self.events.try_send(event);
    }
}
