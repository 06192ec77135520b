//! The instrument inside a page: what a server does for browsers, without one.
//!
//! The scripts of the page send it what they would send a server, and get what a server would send them
//! (`host/pages/web-interface.md`). The device is simulated here, or behind a port that a script opens.

use std::sync::Arc;

use js_sys::{Function, Promise, Uint8Array};
use scopething::link::{OpenError, OpenLink, ScriptPort, thrown};
use scopething::probe_numbers::{of_numbers, to_numbers};
use scopething_core::device::BS05;
use scopething_core::scope::UnknownRevision;
use scopething_files::Format;
use scopething_instrument::event::Event;
use scopething_instrument::page::{self, Channel, FromClient, Gone, Role, Shared, ToClient, View};
use scopething_instrument::{Instrument, Opened};
use scopething_sim::SimConfig;
use tokio::sync::{mpsc, oneshot};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// Messages of a script that the instrument has not taken.
const MAX_QUEUED: usize = 64;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = info)]
    fn log(text: &str);

    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn log_error(text: &str);
}

#[wasm_bindgen]
extern "C" {
    /// Where a script keeps calibrations of probes, by the serial number of the device.
    pub type ScriptCalibrations;

    /// The numbers that were kept.
    #[wasm_bindgen(method)]
    fn kept(this: &ScriptCalibrations, serial: &str) -> Option<Vec<f64>>;

    /// Keeps numbers; returns where.
    #[wasm_bindgen(method, catch)]
    fn keep(this: &ScriptCalibrations, serial: &str, numbers: &[f64]) -> Result<String, JsValue>;
}

/// Has a panic, which ends the instrument, reported where whoever looks for its cause will see it.
#[wasm_bindgen(start)]
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| log_error(&panic.to_string())));
}

/// Both ends of what the page and its instrument send each other.
struct ScriptChannel {
    from_page: mpsc::Receiver<String>,
    to_page: mpsc::Sender<ToClient>,
}

impl Channel for ScriptChannel {
    async fn receive(&mut self) -> Result<FromClient, Gone> {
        self.from_page.recv().await.map(FromClient::Text).ok_or(Gone)
    }

    async fn send(&mut self, message: ToClient) -> Result<(), Gone> {
        self.to_page.send(message).await.map_err(|_| Gone)
    }
}

/// Whether `query` names a simulated device, as [`PageInstrument::simulated`] takes it.
///
/// # Errors
/// What is wrong with the query.
#[wasm_bindgen(js_name = checkSignals)]
pub fn check_signals(query: &str) -> Result<(), JsError> {
    SimConfig::from_query(query)?;
    Ok(())
}

/// An instrument that runs in this page.
#[wasm_bindgen]
pub struct PageInstrument {
    shared: Arc<Shared>,
    from_page: mpsc::Sender<String>,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
    revision: Option<String>,
}

#[wasm_bindgen]
impl PageInstrument {
    /// One with a simulated device, as `sim:?QUERY` names it. `receive` gets each message: a text, or the `ArrayBuffer` of a
    /// trace. `calibrations` keeps those of the probes, and has those that were kept.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub async fn simulated(
        query: String,
        receive: Function,
        calibrations: ScriptCalibrations,
    ) -> Result<Self, JsError> {
        let config = SimConfig::from_query(&query)?;
        let opened = Instrument::open(OpenLink::simulated(&config), BS05.analog).await?;
        Ok(Self::start(opened, receive, calibrations))
    }

    /// One with the device behind the port that `open` resolves to. It is called again whenever the device was gone.
    ///
    /// # Errors
    /// Why the device does not answer.
    pub async fn connect(
        open: Function,
        receive: Function,
        calibrations: ScriptCalibrations,
    ) -> Result<Self, JsError> {
        let mut opened = Instrument::open(opened_by(&open).await?, BS05.analog).await?;
        opened.instrument.reconnect_by(Box::new(move || {
            let open = open.clone();
            Box::pin(async move { opened_by(&open).await })
        }));
        Ok(Self::start(opened, receive, calibrations))
    }

    fn start(opened: Opened, receive: Function, calibrations: ScriptCalibrations) -> Self {
        let Opened { mut instrument, handle, mut events, unknown_revision } = opened;
        let serial = handle.serial.clone();
        let kept = calibrations.kept(&serial).and_then(|numbers| numbers.try_into().ok());
        if let Some(numbers) = kept {
            handle.set_probe(of_numbers(numbers));
        }
        instrument.keep_calibrations_by(Box::new(move |parameters| {
            let keep = calibrations.keep(&serial, &to_numbers(parameters));
            keep.map_err(|error| thrown(&error).to_string())
        }));
        let shared = Shared::new(handle.clone());
        let (from_page, taken) = mpsc::channel(MAX_QUEUED);
        let (to_page, mut sent) = mpsc::channel(1);
        let (stop, stopping) = oneshot::channel::<()>();
        let (has_stopped, stopped) = oneshot::channel();
        spawn_local(async move {
            while let Some(message) = sent.recv().await {
                let message = match message {
                    ToClient::Text(text) => JsValue::from(text),
                    ToClient::Frame(bytes) => Uint8Array::from(bytes.as_slice()).buffer().into(),
                };
                // What a script does with it is its own affair: the browser reports its errors.
                let _ = receive.call1(&JsValue::NULL, &message);
            }
        });
        let channel = ScriptChannel { from_page: taken, to_page };
        let client = page::serve(channel, Arc::clone(&shared), Role::Control, "this page".to_owned());
        let acquired = page::acquire(Arc::clone(&shared));
        let log_events = async move {
            while let Some(event) = events.recv().await {
                if !matches!(event, Event::Set { .. }) {
                    log(&event.to_string());
                }
            }
        };
        let closing = Arc::clone(&shared);
        spawn_local(log_events);
        spawn_local(async move {
            let mut instrument = Box::pin(instrument.run());
            let mut client = Box::pin(client);
            let error = tokio::select! {
                _ = stopping => None,
                never = acquired => match never {},
                failed = &mut instrument => match failed {
                    Ok(never) => match never {},
                    Err(error) => Some(error.to_string()),
                },
                () = &mut client => None,
            };
            match error {
                // The page learns why there is nothing more.
                Some(reason) => {
                    tokio::join!(closing.close(reason), client);
                }
                None => {
                    tokio::select! {
                        () = handle.close() => {}
                        _ = &mut instrument => {}
                    }
                }
            }
            drop(instrument);
            // Nobody may wait for that.
            let _ = has_stopped.send(());
        });
        let revision = unknown_revision.as_ref().map(UnknownRevision::to_string);
        Self { shared, from_page, stop: Some(stop), stopped: Some(stopped), revision }
    }

    /// What the user should know of the device's revision, if it is not the one that is known.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        self.revision.clone()
    }

    /// Sends a message to it; false if it takes none now.
    #[must_use]
    pub fn send(&self, text: String) -> bool {
        self.from_page.try_send(text).is_ok()
    }

    /// The traces that are kept, the last one first, as JSON.
    #[must_use]
    pub fn traces(&self) -> String {
        page::traces_json(&self.shared).to_string()
    }

    /// A trace that is kept, with every sample.
    ///
    /// # Errors
    /// If it is no longer kept.
    pub async fn trace(&self, name: String) -> Result<Uint8Array, JsError> {
        let acquired = self.acquired(name).await?;
        Ok(Uint8Array::from(page::encode(&acquired, &View::default()).as_slice()))
    }

    /// A file of a trace.
    ///
    /// # Errors
    /// If it is no longer kept, or the format cannot hold it, or is not among those that a page can write.
    pub async fn file(&self, name: String, format: String) -> Result<Uint8Array, JsError> {
        let acquired = self.acquired(name).await?;
        let format: Format = format.parse()?;
        let mut bytes = Vec::new();
        format.writer().write(&acquired.capture.waveform, &mut bytes)?;
        Ok(Uint8Array::from(bytes.as_slice()))
    }

    async fn acquired(&self, name: String) -> Result<Arc<page::Acquired>, JsError> {
        self.shared.trace(&name, Role::Control).await.map_err(|reason| JsError::new(&reason))
    }

    /// Stops captures and generators, and leaves the device as a reset does.
    pub async fn close(mut self) {
        // It may have ended by itself.
        drop(self.stop.take());
        if let Some(stopped) = self.stopped.take() {
            let _ = stopped.await;
        }
    }
}

/// The link over the port that a script opens.
async fn opened_by(open: &Function) -> Result<OpenLink, OpenError> {
    let failed = |error: JsValue| OpenError::Port { port: "the BitScope".to_owned(), source: thrown(&error) };
    let promise: Promise = open.call0(&JsValue::NULL).map_err(failed)?.unchecked_into();
    let port = JsFuture::from(promise).await.map_err(failed)?;
    if port.is_null() || port.is_undefined() {
        return Err(OpenError::NoPort { port: "of a BitScope".to_owned() });
    }
    Ok(OpenLink::of_script(port.unchecked_into::<ScriptPort>()))
}
