//! A client of the interface of the page, which `host/pages/web-interface.md` documents: what a browser does, for programs
//! in Rust.
//!
//! It reads what the server sends and sends what is asked of it. It does not draw, does not connect again by itself, and
//! trusts no text: whoever shows one has to take care of its control characters.
//!
//! ```no_run
//! use scopething_serve::client::{Client, Link, Message, View};
//! use serde_json::json;
//!
//! # async fn look() -> Result<(), Box<dyn std::error::Error>> {
//! let link: Link = "http://127.0.0.1:8080/".parse()?;
//! let mut client = Client::connect(&link).await?;
//! client.view(&View { columns: Some(200), ..View::default() }).await?;
//! client.command(1, json!({"type": "autoset"})).await?;
//! while let Some(message) = client.next().await? {
//!     if let Message::Trace(trace) = message {
//!         println!("{} was ended by {:?}", trace.about.seq, trace.about.ended);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod state;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::http::{Uri, header};
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::{self, Message as WebSocketMessage};
use tokio_tungstenite::{WebSocketStream, client_async};

pub use self::state::{
    Actual, AnalogKnobs, ChannelKnobs, DeviceState, GeneratorState, Knobs, Limits, State, TriggerKnobs,
};
pub use scopething_instrument::calibration::CalibrationState;
use scopething_instrument::page::decode;
pub use scopething_instrument::page::{
    About, Block, Ended, Frame, FrameChannel, Kind, Layout, NotAFrame, Run, Status,
};

/// How long connecting, and the answer to a request for a file, may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the server lets each stack of decoders run, and a question about decoders, as its documentation has it.
const DECODER_TIMEOUT: Duration = Duration::from_secs(10);
const QUESTION_TIMEOUT: Duration = Duration::from_secs(20);
/// How often the server is asked whether it is still there: a computer that lost its power or its network hangs up at nobody.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// How long nothing may come, answers to that included.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest file that is taken, in bytes: far more than any trace makes.
const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;
/// The port of links that name none.
const HTTP_PORT: u16 = 80;

/// Where a page is served, and the token that opens it: what `serve --web` prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Host and port.
    authority: String,
    token: Option<String>,
}

/// A text that is no link to a page.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{text:?} is no link to an oscilloscope: give the one that serve --web prints, such as http://127.0.0.1:8080/"
)]
pub struct LinkError {
    text: String,
}

impl FromStr for Link {
    type Err = LinkError;

    /// Reads `http://HOST:PORT/#token=TOKEN`, or only `HOST:PORT`.
    fn from_str(text: &str) -> Result<Self, LinkError> {
        let wrong = || LinkError { text: text.to_owned() };
        let (address, fragment) = text.trim().split_once('#').unwrap_or((text.trim(), ""));
        let address = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/');
        let uri: Uri = format!("http://{address}/").parse().map_err(|_| wrong())?;
        let authority =
            uri.authority().filter(|authority| authority.as_str() == address).ok_or_else(wrong)?;
        if authority.as_str().contains('@') {
            return Err(wrong());
        }
        let token = fragment.split('&').find_map(|part| part.strip_prefix("token="));
        let plain = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if token.is_some_and(|token| !plain(token)) {
            return Err(wrong());
        }
        let host = authority.host();
        // What is parsed as an address may have a port that is no number.
        let port = match authority.as_str().strip_prefix(host).unwrap_or_default() {
            "" => HTTP_PORT,
            _ => authority.port_u16().ok_or_else(wrong)?,
        };
        Ok(Self { authority: format!("{host}:{port}"), token: token.map(str::to_owned) })
    }
}

impl fmt::Display for Link {
    /// Without its token, which opens the knobs to whoever reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}/", self.authority)
    }
}

/// Why there is no connection, or no longer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nothing listens there, or it is not reached.
    #[error("{link} is not reached ({cause}): is `scopething serve --web` running there?")]
    Unreached {
        /// What was to be reached.
        link: String,
        /// Why it is not.
        cause: std::io::Error,
    },
    /// It took too long.
    #[error("{link} did not answer within {} s", limit.as_secs())]
    Timeout {
        /// What did not answer.
        link: String,
        /// How long that was waited for.
        limit: Duration,
    },
    /// The server does not want this client.
    #[error("{link} refuses: {reason}")]
    Refused {
        /// What refused.
        link: String,
        /// Its reason.
        reason: String,
        /// The HTTP status of its answer.
        status: u16,
    },
    /// The connection broke, or what came over it was not this interface.
    #[error("the connection broke: {0}")]
    Broken(String),
}

impl From<tungstenite::Error> for ClientError {
    fn from(error: tungstenite::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// What a client wants to see.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct View {
    /// Columns of pixels; none: every sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<u32>,
    /// Where the part of the trace begins, 0 to 1.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// Frames a second at most.
    pub rate: f64,
    /// Whether the server waits for [`Client::drawn`].
    pub paced: bool,
    /// Whether measurements are wanted.
    pub measure: bool,
}

impl Default for View {
    fn default() -> Self {
        Self { columns: None, from: 0.0, to: 1.0, rate: 60.0, paced: false, measure: false }
    }
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// What the knobs show.
    State(Box<State>),
    /// What is being waited for.
    Status(Status),
    /// What `analyse` measures of a trace, by its channels.
    Measurements(Value),
    /// A trace.
    Trace(Box<Frame>),
    /// A command was done.
    Done {
        /// The number that it was sent with.
        id: u64,
    },
    /// A command was not done.
    Refused {
        /// The number that it was sent with; none: it was no command.
        id: Option<u64>,
        /// Why.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum TextMessage {
    State(Box<State>),
    Status(Status),
    Done { id: u64 },
    Error { id: Option<u64>, message: String },
}

/// A client of a page's interface.
#[derive(Debug)]
pub struct Client {
    socket: WebSocketStream<TcpStream>,
    /// When something came last.
    heard: Instant,
    /// When it was last asked whether the server is still there.
    pinged: Instant,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// All but [`ClientError::Broken`] name the link.
    pub async fn connect(link: &Link) -> Result<Self, ClientError> {
        let token = link.token.as_ref().map(|token| format!("?token={token}")).unwrap_or_default();
        let address = format!("ws://{}/api/v1/live{token}", link.authority);
        let connecting = async {
            match client_async(address, reach(link).await?).await {
                Ok((socket, _)) => Ok(Self { socket, heard: Instant::now(), pinged: Instant::now() }),
                Err(tungstenite::Error::Http(answer)) => {
                    let reason = refusal(answer.body().as_deref().unwrap_or_default());
                    let status = answer.status();
                    let reason = reason.unwrap_or_else(|| status.to_string());
                    Err(ClientError::Refused { link: link.to_string(), reason, status: status.as_u16() })
                }
                Err(error) => Err(error.into()),
            }
        };
        within(TIMEOUT, link, connecting).await
    }

    /// What the server sends next; none: it has hung up. What this version does not know is passed over.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    ///
    /// # Cancellation
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Message>, ClientError> {
        loop {
            let due = self.pinged + PING_INTERVAL;
            let Ok(received) = timeout_at(due, self.socket.next()).await else {
                self.ping().await?;
                continue;
            };
            self.heard = Instant::now();
            match received.transpose()? {
                Some(WebSocketMessage::Binary(bytes)) => {
                    let trace = decode(&bytes).map_err(|error| ClientError::Broken(error.to_string()))?;
                    return Ok(Some(Message::Trace(Box::new(trace))));
                }
                Some(WebSocketMessage::Text(text)) => {
                    if let Some(message) = parse_text(text.as_str())? {
                        return Ok(Some(message));
                    }
                }
                Some(WebSocketMessage::Close(_)) | None => return Ok(None),
                Some(_) => {}
            }
        }
    }

    async fn ping(&mut self) -> Result<(), ClientError> {
        if self.heard.elapsed() > SILENCE_TIMEOUT {
            return Err(ClientError::Broken(format!("nothing came for {} s", SILENCE_TIMEOUT.as_secs())));
        }
        self.pinged = Instant::now();
        // A link that takes nothing more shows in the silence.
        match timeout(PING_INTERVAL, self.socket.send(WebSocketMessage::Ping(Bytes::new()))).await {
            Ok(sent) => Ok(sent?),
            Err(_) => Ok(()),
        }
    }

    /// Has a command executed; `id` comes back with what became of it.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    pub async fn command(&mut self, id: u64, mut command: Value) -> Result<(), ClientError> {
        if let Some(object) = command.as_object_mut() {
            object.insert("id".to_owned(), id.into());
        }
        self.send(&command).await
    }

    /// Sends what is to be seen.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    pub async fn view(&mut self, view: &View) -> Result<(), ClientError> {
        let mut value = serde_json::to_value(view).unwrap_or_default();
        value["type"] = "view".into();
        self.send(&value).await
    }

    /// Acknowledges that a trace is drawn: the next is welcome.
    ///
    /// # Errors
    /// [`ClientError::Broken`].
    pub async fn drawn(&mut self, seq: u64) -> Result<(), ClientError> {
        self.send(&json!({"type": "drawn", "seq": seq})).await
    }

    async fn send(&mut self, value: &Value) -> Result<(), ClientError> {
        Ok(self.socket.send(WebSocketMessage::Text(value.to_string().into())).await?)
    }
}

fn parse_text(text: &str) -> Result<Option<Message>, ClientError> {
    let broken = |error: serde_json::Error| ClientError::Broken(format!("not understood: {error}"));
    let value: Value = serde_json::from_str(text).map_err(broken)?;
    match value.get("type").and_then(Value::as_str) {
        Some("measurements") => return Ok(Some(Message::Measurements(value))),
        Some("state" | "status" | "done" | "error") => {}
        _ => return Ok(None),
    }
    let message = serde_json::from_value(value).map_err(broken)?;
    if let TextMessage::State(state) = &message {
        state.check().map_err(|what| ClientError::Broken(format!("{what} of the server cannot be")))?;
    }
    Ok(Some(match message {
        TextMessage::State(state) => Message::State(state),
        TextMessage::Status(status) => Message::Status(status),
        TextMessage::Done { id } => Message::Done { id },
        TextMessage::Error { id, message } => Message::Refused { id, reason: message },
    }))
}

/// A trace that the server keeps.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct KeptTrace {
    /// What is known of it.
    #[serde(flatten)]
    pub about: About,
    /// The name that it is pinned by; none: it gives way to later ones.
    pub name: Option<String>,
}

/// The traces that are kept, the last one first.
///
/// # Errors
/// All that keeps the list from coming.
pub async fn traces(link: &Link) -> Result<Vec<KeptTrace>, ClientError> {
    let body = get(link, "/api/v1/traces").await?;
    serde_json::from_slice(&body).map_err(|error| ClientError::Broken(format!("not understood: {error}")))
}

/// A trace that is kept, with all its samples.
///
/// # Errors
/// [`ClientError::Refused`] where there is no such trace, and all else that keeps it from coming.
pub async fn trace(link: &Link, seq: u64) -> Result<Frame, ClientError> {
    let bytes = trace_file(link, seq, "bin").await?;
    decode(&bytes).map_err(|error| ClientError::Broken(error.to_string()))
}

/// A file of a trace that is kept, in a format such as `csv`.
///
/// # Errors
/// [`ClientError::Refused`] where there is no such trace or format, and all else that keeps it from coming.
pub async fn trace_file(link: &Link, seq: u64, format: &str) -> Result<Vec<u8>, ClientError> {
    get(link, &format!("/api/v1/traces/{seq}.{format}")).await
}

/// What sigrok's decoders found in a trace.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Decoded {
    /// The number of the trace.
    pub seq: u64,
    /// A lane for each row of annotations that a decoder has.
    pub lanes: Vec<DecodedLane>,
}

/// A row of annotations.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DecodedLane {
    /// What it shows, such as `RX`.
    pub title: String,
    /// What was found, in the order of time.
    pub annotations: Vec<DecodedAnnotation>,
}

/// What a decoder found at a time.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct DecodedAnnotation {
    /// When it begins, in seconds from the start of the trace.
    pub start: f64,
    /// When it ends.
    pub end: f64,
    /// It in words, from long to short.
    pub texts: Vec<String>,
}

/// What decoders, such as `uart:rx=L1,baudrate=9600`, find in a trace that is kept. The server runs them one after the other, so
/// that the answer may take some ten seconds.
///
/// # Errors
/// [`ClientError::Refused`] with status 404 where there is no such trace, 422 where there is no such decoder or channel, 501
/// where the server has no sigrok-cli; and all else that keeps it from coming.
pub async fn decoded(link: &Link, seq: u64, decoders: &[String]) -> Result<Decoded, ClientError> {
    let wanted = decoders.join(";");
    let wanted = utf8_percent_encode(&wanted, NON_ALPHANUMERIC);
    let stacks = u32::try_from(decoders.len()).unwrap_or(u32::MAX);
    let limit = TIMEOUT + QUESTION_TIMEOUT + DECODER_TIMEOUT.saturating_mul(stacks);
    let path = format!("/api/v1/traces/{seq}.decoded?decoders={wanted}");
    let body = get_within(limit, link, &path).await?;
    serde_json::from_slice(&body).map_err(|error| ClientError::Broken(format!("not understood: {error}")))
}

async fn get(link: &Link, path: &str) -> Result<Vec<u8>, ClientError> {
    get_within(TIMEOUT, link, path).await
}

async fn get_within(limit: Duration, link: &Link, path: &str) -> Result<Vec<u8>, ClientError> {
    let broken = |error: hyper::Error| ClientError::Broken(error.to_string());
    let fetching = async {
        let stream = TokioIo::new(reach(link).await?);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(broken)?;
        let mut request = hyper::Request::get(path);
        request = request.header(header::HOST, &link.authority);
        if let Some(token) = &link.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::<Bytes>::new());
        let request = request.map_err(|error| ClientError::Broken(error.to_string()))?;
        let answered = async {
            let answer = sender.send_request(request).await.map_err(broken)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_FILE_BYTES).collect().await;
            let body = body.map_err(|error| ClientError::Broken(error.to_string()))?.to_bytes();
            if status.is_success() {
                return Ok(body.to_vec());
            }
            let reason = refusal(&body).unwrap_or_else(|| status.to_string());
            Err(ClientError::Refused { link: link.to_string(), reason, status: status.as_u16() })
        };
        let mut answered = std::pin::pin!(answered);
        tokio::select! {
            answered = &mut answered => answered,
            ended = connection => {
                ended.map_err(broken)?;
                answered.await
            }
        }
    };
    within(limit, link, fetching).await
}

async fn reach(link: &Link) -> Result<TcpStream, ClientError> {
    let connected = TcpStream::connect(&link.authority).await;
    let stream = connected.map_err(|cause| ClientError::Unreached { link: link.to_string(), cause })?;
    // Knobs are small messages that are to arrive at once.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

async fn within<T>(
    limit: Duration,
    link: &Link,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(ClientError::Timeout { link: link.to_string(), limit }))
}

/// The reason in an answer that is one.
fn refusal(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    Some(value.get("error")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests;
