//! A port that the scripts of a page have opened, such as one of Web Serial.

use std::io;
use std::sync::Arc;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::scope::{LinkProfile, Pacing};
use wasm_bindgen::prelude::*;

use super::{HostClock, Link, LinkClock, LinkError, OpenLink};

#[wasm_bindgen]
extern "C" {
    /// What a script has opened.
    #[derive(Debug, Clone)]
    pub type ScriptPort;

    /// Its name, for errors.
    #[wasm_bindgen(method, getter)]
    fn name(this: &ScriptPort) -> String;

    /// Waits until bytes have arrived; fails when there will be none.
    #[wasm_bindgen(method, catch)]
    async fn ready(this: &ScriptPort) -> Result<JsValue, JsValue>;

    /// Takes up to `most` of the bytes that have arrived.
    #[wasm_bindgen(method)]
    fn take(this: &ScriptPort, most: u32) -> Vec<u8>;

    /// Writes bytes, and waits until the port has taken them.
    #[wasm_bindgen(method, catch)]
    async fn write(this: &ScriptPort, bytes: Vec<u8>) -> Result<JsValue, JsValue>;
}

/// What a script has thrown, as an error with its message.
#[must_use]
pub fn thrown(error: &JsValue) -> io::Error {
    let message = error.dyn_ref::<js_sys::Error>().map(|error| String::from(error.message()));
    let text = message.or_else(|| error.as_string()).unwrap_or_else(|| format!("{error:?}"));
    io::Error::other(text)
}

/// A link over what a script has opened.
#[derive(Debug)]
pub struct ScriptLink {
    port: ScriptPort,
    name: Arc<str>,
}

impl ScriptLink {
    /// A serial port, and what a browser with much else to do adds to it.
    const PROFILE: LinkProfile =
        LinkProfile { round_trip: LinkProfile::NETWORK.round_trip, ..LinkProfile::SERIAL };

    fn new(port: ScriptPort) -> Self {
        let name = port.name().into();
        Self { port, name }
    }

    fn failure(&self, error: &JsValue) -> LinkError {
        LinkError::Port { port: Arc::clone(&self.name), source: Arc::new(thrown(error)) }
    }
}

impl OpenLink {
    /// A port that the scripts of a page have opened.
    #[must_use]
    pub fn of_script(port: ScriptPort) -> Self {
        let (stream, clock) = (Link::Device(ScriptLink::new(port)), LinkClock::Host(HostClock::new()));
        Self { stream, clock, profile: ScriptLink::PROFILE, pacing: Pacing::Whole }
    }
}

impl ErrorType for ScriptLink {
    type Error = LinkError;
}

impl Read for ScriptLink {
    /// Bytes stay with the port until they are taken, which is done at once when there are some: dropping the future loses
    /// none.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, LinkError> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            self.port.ready().await.map_err(|error| self.failure(&error))?;
            let taken = self.port.take(u32::try_from(buffer.len()).unwrap_or(u32::MAX));
            if let Some(place) = buffer.get_mut(..taken.len()).filter(|place| !place.is_empty()) {
                place.copy_from_slice(&taken);
                return Ok(taken.len());
            }
        }
    }
}

impl Write for ScriptLink {
    /// All bytes are handed to the port before the future waits.
    async fn write(&mut self, buffer: &[u8]) -> Result<usize, LinkError> {
        self.port.write(buffer.to_vec()).await.map_err(|error| self.failure(&error))?;
        Ok(buffer.len())
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        Ok(())
    }
}
