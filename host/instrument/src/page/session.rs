//! One client of the page: settings and commands as text, traces as bytes, as fast as it takes them.

use std::sync::Arc;
use std::time::Duration;

use scopething::timer::{self, Instant};
use scopething_waveform::measure::WaveformAnalysis;
use serde::Deserialize;
use serde_json::{Value, json};

use super::acquire::{Acquired, CountedClient, Shared, Status};
use super::command::{Command, state_json};
use super::frame::{View, encode};
use super::roll::Seen;

/// Frames that are under way to a client that acknowledges those it has drawn.
const MAX_UNDRAWN: u64 = 2;
/// The most frames a second that a client is sent.
const MAX_FRAME_RATE: f64 = 120.0;
/// How often measurements are sent.
const MEASURE_INTERVAL: Duration = Duration::from_millis(100);

/// What the holder of a link may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Look, and change settings.
    Control,
    /// Look.
    View,
}

impl Role {
    /// Its name in the interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::View => "view",
        }
    }
}

/// A message to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToClient {
    /// A JSON object.
    Text(String),
    /// A frame.
    Frame(Vec<u8>),
}

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromClient {
    /// A JSON object, if it is a sound one.
    Text(String),
    /// Anything but text.
    Bytes,
}

/// The client has left, or does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// The way to a client.
pub trait Channel {
    /// Waits for its next message. Dropping the future loses none.
    fn receive(&mut self) -> impl Future<Output = Result<FromClient, Gone>> + Send;

    /// Sends it a message, or gives it up if it does not read.
    fn send(&mut self, message: ToClient) -> impl Future<Output = Result<(), Gone>> + Send;
}

/// What a client sends beside commands.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Wish {
    View(ViewWish),
    /// A frame was drawn.
    Drawn {
        #[serde(rename = "seq")]
        _seq: u64,
    },
}

/// What a client wants to see.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ViewWish {
    columns: Option<u32>,
    from: Option<f64>,
    to: Option<f64>,
    /// The most frames a second; 0: none.
    rate: Option<f64>,
    /// Whether the client acknowledges frames that it has drawn, and is to get no further ones before.
    paced: bool,
    /// Whether it wants measurements.
    measure: bool,
    /// Whether it takes slow traces as pieces.
    roll: bool,
}

/// The state of one client.
struct Client<C> {
    channel: C,
    shared: Arc<Shared>,
    role: Role,
    name: String,
    view: View,
    interval: Option<Duration>,
    paced: bool,
    measure: bool,
    /// Up to where it has seen which roll; none: it does not want pieces.
    seen: Option<Seen>,
    /// Frames that were sent, and the number of them that were drawn.
    sent: u64,
    drawn: u64,
    /// The last trace that was sent.
    seq: u64,
    next_frame: Instant,
    next_measurement: Instant,
    /// Whether the last trace is to be sent again, since another part of it is wanted.
    again: bool,
}

/// Serves a client to its end; what it sets is reported under its name.
pub async fn serve(channel: impl Channel, shared: Arc<Shared>, role: Role, name: String) {
    let _client = CountedClient::new(&shared);
    let now = Instant::now();
    let client = Client {
        channel,
        shared,
        role,
        name,
        view: View { columns: Some(1000), ..View::default() },
        interval: Some(Duration::from_secs_f64(1.0 / 60.0)),
        paced: false,
        measure: false,
        seen: None,
        sent: 0,
        drawn: 0,
        seq: 0,
        next_frame: now,
        next_measurement: now,
        again: true,
    };
    // It has left: there is nobody to report that to.
    let _ = client.run().await;
}

impl<C: Channel> Client<C> {
    async fn run(mut self) -> Result<(), Gone> {
        let mut state = self.shared.handle.state.subscribe();
        let mut controls = self.shared.controls.subscribe();
        let mut status = self.shared.status.subscribe();
        let mut latest = self.shared.latest.subscribe();
        let mut clients = self.shared.clients.subscribe();
        let mut lost = self.shared.handle.lost.subscribe();
        let mut rolled = self.shared.rolled.subscribe();
        let mut calibration = self.shared.handle.calibration.subscribe();
        self.send_state().await?;
        self.send_status().await?;
        latest.mark_changed();
        loop {
            let may_send = self.interval.is_some() && (!self.paced || self.sent - self.drawn < MAX_UNDRAWN);
            let due = self.next_frame;
            let fresh = async {
                timer::sleep_until(due).await;
                // The senders are in `shared`, so that neither of these fails.
                tokio::select! {
                    _ = latest.changed() => {}
                    _ = rolled.changed() => {}
                }
            };
            tokio::select! {
                biased;
                message = self.channel.receive() => {
                    match message? {
                        FromClient::Text(text) => self.take(&text).await?,
                        FromClient::Bytes => self.refuse(&Value::Null, "send text").await?,
                    }
                    if self.again && self.sent > 0 {
                        latest.mark_changed();
                    }
                }
                _ = state.changed() => self.send_state().await?,
                _ = controls.changed() => self.send_state().await?,
                _ = clients.changed() => self.send_state().await?,
                _ = calibration.changed() => self.send_state().await?,
                _ = status.changed() => self.send_status().await?,
                _ = lost.changed() => {
                    self.send_status().await?;
                    self.send_state().await?;
                }
                () = fresh, if may_send => {
                    let acquired = latest.borrow_and_update().clone();
                    if self.seen.is_some() && self.shared.rolls.is_rolling() {
                        self.send_piece(acquired.as_ref()).await?;
                    } else if let Some(acquired) = acquired {
                        self.send_frame(&acquired).await?;
                    }
                }
            }
        }
    }

    async fn send_json(&mut self, value: &Value) -> Result<(), Gone> {
        self.channel.send(ToClient::Text(value.to_string())).await
    }

    async fn send_state(&mut self) -> Result<(), Gone> {
        self.send_json(&state_json(&self.shared, self.role)).await
    }

    async fn send_status(&mut self) -> Result<(), Gone> {
        let status = self.shared.shown_status();
        let mut value = serde_json::to_value(&status).unwrap_or_default();
        value["type"] = "status".into();
        self.send_json(&value).await?;
        if matches!(status, Status::Closed { .. }) { Err(Gone) } else { Ok(()) }
    }

    async fn send_frame(&mut self, acquired: &Arc<Acquired>) -> Result<(), Gone> {
        if acquired.about.seq == self.seq && !self.again {
            return Ok(());
        }
        let new = acquired.about.seq != self.seq;
        self.seq = acquired.about.seq;
        self.again = false;
        self.sent += 1;
        let now = Instant::now();
        self.next_frame = now + self.interval.unwrap_or_default();
        self.channel.send(ToClient::Frame(encode(acquired, &self.view))).await?;
        if new {
            self.send_measurements(acquired, now).await?;
        }
        Ok(())
    }

    /// Sends what it has not seen of the present roll, and measurements of what there is of it.
    async fn send_piece(&mut self, acquired: Option<&Arc<Acquired>>) -> Result<(), Gone> {
        let Some(piece) = self.seen.as_mut().and_then(|seen| self.shared.rolls.piece(seen)) else {
            return Ok(());
        };
        self.sent += 1;
        let now = Instant::now();
        self.next_frame = now + self.interval.unwrap_or_default();
        self.channel.send(ToClient::Frame(piece)).await?;
        if let Some(acquired) = acquired.filter(|acquired| acquired.about.roll.is_some()) {
            let new = acquired.about.seq != self.seq;
            self.seq = acquired.about.seq;
            if new {
                self.send_measurements(acquired, now).await?;
            }
        }
        Ok(())
    }

    async fn send_measurements(&mut self, acquired: &Arc<Acquired>, now: Instant) -> Result<(), Gone> {
        if self.measure && now >= self.next_measurement {
            self.next_measurement = now + MEASURE_INTERVAL;
            let measured = measurements(acquired).await;
            self.send_json(&measured).await?;
        }
        Ok(())
    }

    async fn take(&mut self, text: &str) -> Result<(), Gone> {
        let Ok(mut value) = serde_json::from_str::<Value>(text) else {
            return self.refuse(&Value::Null, "not JSON").await;
        };
        // Whatever the client calls it, for the answer.
        let id = value.as_object_mut().and_then(|object| object.remove("id")).unwrap_or_default();
        match value.get("type").and_then(Value::as_str) {
            Some("view" | "drawn") => match serde_json::from_value::<Wish>(value) {
                Ok(Wish::View(wish)) => {
                    self.change_view(&wish);
                    Ok(())
                }
                Ok(Wish::Drawn { .. }) => {
                    self.drawn = (self.drawn + 1).min(self.sent);
                    Ok(())
                }
                Err(error) => self.refuse(&id, &error.to_string()).await,
            },
            _ if self.role == Role::View => {
                self.refuse(&id, "this link is to look only: ask for one with the knobs").await
            }
            _ => {
                let command = serde_json::from_value::<Command>(value).map_err(|error| error.to_string());
                let result = match command {
                    Ok(command) => command.execute(&self.shared, &self.name).await,
                    Err(error) => Err(error),
                };
                match result {
                    Ok(()) => self.send_json(&json!({"type": "done", "id": id})).await,
                    Err(error) => self.refuse(&id, &error).await,
                }
            }
        }
    }

    fn change_view(&mut self, wish: &ViewWish) {
        let part = |part: Option<f64>, default: f64| part.filter(|part| part.is_finite()).unwrap_or(default);
        let view = View { columns: wish.columns, from: part(wish.from, 0.0), to: part(wish.to, 1.0) };
        self.again |= view != self.view;
        self.view = view;
        let rate = wish.rate.unwrap_or(60.0);
        self.interval = (rate > 0.0).then(|| Duration::from_secs_f64(1.0 / rate.clamp(0.1, MAX_FRAME_RATE)));
        self.paced = wish.paced;
        self.drawn = self.drawn.max(if wish.paced { self.sent.saturating_sub(1) } else { 0 });
        self.measure = wish.measure;
        self.seen = wish.roll.then(|| self.seen.unwrap_or_default());
    }

    async fn refuse(&mut self, id: &Value, reason: &str) -> Result<(), Gone> {
        self.send_json(&json!({"type": "error", "id": id, "message": reason})).await
    }
}

/// What `analyse` measures of a trace, in volts at the tips of the probes, computed beside the server's own thread.
async fn measurements(acquired: &Arc<Acquired>) -> Value {
    let acquired = Arc::clone(acquired);
    offload(move || {
        let mut value =
            serde_json::to_value(WaveformAnalysis::of(&acquired.capture.waveform)).unwrap_or_default();
        for (name, factor) in ["A", "B"].into_iter().zip(acquired.attenuation) {
            scale(&mut value["channels"][name], factor);
        }
        value["type"] = "measurements".into();
        value["seq"] = acquired.about.seq.into();
        value
    })
    .await
}

/// Measurements that are voltages.
const VOLTAGES: [&str; 9] = ["mean", "rms", "ac_rms", "min", "max", "peak_to_peak", "top", "base", "noise"];

fn scale(channel: &mut Value, factor: f64) {
    let Some(object) = channel.as_object_mut().filter(|_| factor != 1.0) else { return };
    for name in VOLTAGES {
        if let Some(volts) = object.get(name).and_then(Value::as_f64) {
            object.insert(name.to_owned(), (volts * factor).into());
        }
    }
    let Some(wave) = object.get_mut("wave").and_then(Value::as_object_mut) else { return };
    for name in ["amplitude", "offset"] {
        if let Some(volts) = wave.get(name).and_then(Value::as_f64) {
            wave.insert(name.to_owned(), (volts * factor).into());
        }
    }
    for sample in wave.get_mut("averaged").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(volts) = sample.as_f64() {
            *sample = (volts * factor).into();
        }
    }
}

/// Computes something beside the thread of whoever waits for it.
#[cfg(not(target_family = "wasm"))]
async fn offload<T: Default + Send + 'static>(compute: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(compute).await.unwrap_or_default()
}

/// A page has one thread.
#[cfg(target_family = "wasm")]
async fn offload<T>(compute: impl FnOnce() -> T) -> T {
    std::future::ready(compute()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};

    /// What an attenuation of 10 multiplies is what ten times the samples have.
    #[test]
    fn every_voltage_is_multiplied_by_the_attenuation() {
        let measured = |factor: f32| {
            let shape = |index: u16| 0.25 + f32::from(index % 40) / 40.0 + f32::from(index % 3) * 0.01;
            let samples = (0..2000).map(|index| factor * shape(index)).collect();
            let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(samples));
            let waveform = Waveform::new(1e6, vec![series], Details::default()).unwrap();
            serde_json::to_value(WaveformAnalysis::of(&waveform)).unwrap()["channels"]["A"].clone()
        };
        let (mut scaled, expected) = (measured(1.0), measured(10.0));
        scale(&mut scaled, 10.0);
        let mut compared = 0;
        assert_near(&scaled, &expected, &mut compared, "A");
        assert!(compared > 50, "{compared}");
    }

    fn assert_near(one: &Value, other: &Value, compared: &mut usize, place: &str) {
        match (one, other) {
            (Value::Object(ones), Value::Object(others)) => {
                assert!(ones.keys().eq(others.keys()), "{place}");
                ones.iter().for_each(|(key, one)| assert_near(one, &others[key], compared, key));
            }
            (Value::Array(ones), Value::Array(others)) => {
                assert_eq!(ones.len(), others.len(), "{place}");
                ones.iter().zip(others).for_each(|(one, other)| assert_near(one, other, compared, place));
            }
            _ => match (one.as_f64(), other.as_f64()) {
                (Some(one), Some(other)) => {
                    assert!((one - other).abs() <= 1e-3 * one.abs().max(1e-3), "{place}: {one}, {other}");
                    *compared += 1;
                }
                _ => assert_eq!(one, other, "{place}"),
            },
        }
    }
}
