//! The oscilloscope in a browser: a page, its settings as JSON, its traces as bytes.
//!
//! The page is part of the program. What it sends and gets is an interface of its own, documented in
//! `host/pages/web-interface.md`, which other programs may use. Browsers share the settings with all other clients.
//!
//! Requests are checked before anything is done for them ([`access`]); what a client sends is bounded, and one that
//! reads slowly skips traces.

mod access;
mod assets;
mod decoding;
mod socket;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::WebSocket;
use axum::extract::{
    DefaultBodyLimit, Extension, FromRequestParts, Path, Query, Request, State, WebSocketUpgrade,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use scopething_files::Format;
use scopething_instrument::page::{
    self, Acquired, Command, MAX_CLIENTS, Role, Shared, View, encode, state_json, traces_json,
};
use serde::Deserialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

pub use self::access::WebLinks;
use self::access::{Access, HEADERS};
use self::socket::MAX_MESSAGE_BYTES;
use crate::connections::{BoxedSession, LastSeen};
use crate::event::Event;
use crate::handle::Handle;

/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How many bytes the head of a request may have.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// The page, and who may do what with it.
pub(super) struct Web {
    bound: SocketAddr,
    access: Arc<Access>,
}

impl Web {
    pub(super) fn new(listener: &TcpListener) -> io::Result<Self> {
        let bound = listener.local_addr()?;
        let access = Access::new(bound).map_err(io::Error::other)?;
        Ok(Self { bound, access: Arc::new(access) })
    }

    pub(super) fn links(&self) -> WebLinks {
        self.access.links(self.bound)
    }
}

/// What all requests need.
#[derive(Clone)]
struct Site {
    access: Arc<Access>,
    shared: Arc<Shared>,
    clients: Arc<Semaphore>,
    /// Decoders run one after the other.
    decoding: Arc<Semaphore>,
}

/// The browsers that look; none where there is no page.
#[derive(Clone)]
pub(super) struct Browsers(Option<Page>);

/// The page as it is served.
#[derive(Clone)]
struct Page {
    shared: Arc<Shared>,
    router: Router,
}

impl Browsers {
    pub(super) fn new(web: Option<Web>, handle: &Handle) -> Self {
        Self(web.map(|web| {
            let shared = Shared::new(handle.clone());
            let clients = Arc::new(Semaphore::new(MAX_CLIENTS));
            let decoding = Arc::new(Semaphore::new(1));
            let site = Site { access: web.access, shared: Arc::clone(&shared), clients, decoding };
            Page { shared, router: router(site) }
        }))
    }

    /// Serves a browser, or a program in its place, until it disconnects.
    pub(super) fn serve(&self, stream: TcpStream, peer: SocketAddr, last_seen: LastSeen) -> BoxedSession {
        let page = self.0.clone();
        Box::pin(async move {
            let Some(Page { shared, router }) = page else { return };
            let mut http = hyper::server::conn::http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEADER_BYTES);
            let (looks, mut looking) = mpsc::channel(1);
            let router = router.layer(Extension(Peer { address: peer, last_seen: last_seen.clone(), looks }));
            let service = TowerToHyperService::new(router);
            // A client that breaks off is no failure.
            let _ = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
            // Every sender has gone with the connection, but for that of a request to look.
            if let Some(Look { socket, role, place }) = looking.recv().await {
                socket::serve(socket, Arc::clone(&shared), role, peer.to_string(), last_seen).await;
                drop(place);
            }
            shared.handle.report(Event::Disconnected { client: format!("web {peer}") });
        })
    }

    /// Captures for those who look, for ever.
    pub(super) async fn acquire(&self) -> Infallible {
        match &self.0 {
            Some(page) => page::acquire(Arc::clone(&page.shared)).await,
            None => std::future::pending().await,
        }
    }

    /// Lets them know why there is nothing more to see.
    pub(super) async fn close(&self, reason: String) {
        let Some(Page { shared, .. }) = &self.0 else { return };
        shared.close(reason).await;
    }
}

/// Where a request comes from.
#[derive(Clone)]
struct Peer {
    address: SocketAddr,
    last_seen: LastSeen,
    /// Takes a WebSocket back to the task of its connection, so that it counts as one and ends with it.
    looks: mpsc::Sender<Look>,
}

/// A client that looks.
struct Look {
    socket: WebSocket,
    role: Role,
    place: OwnedSemaphorePermit,
}

fn router(site: Site) -> Router {
    Router::new()
        .route("/api/v1/state", get(state))
        .route("/api/v1/command", post(command))
        .route("/api/v1/live", get(live))
        .route("/api/v1/traces", get(traces))
        .route("/api/v1/traces/{file}", get(trace))
        .route("/api/v1/decoders", get(decoding::list))
        .route("/api/v1/decoders/{id}", get(decoding::describe))
        .fallback(asset)
        .layer(DefaultBodyLimit::max(MAX_MESSAGE_BYTES))
        .layer(middleware::from_fn_with_state(site.clone(), guard))
        .with_state(site)
}

/// Refuses strangers, and adds what every answer has.
async fn guard(
    State(site): State<Site>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    peer.last_seen.now();
    let mut response = match site.access.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(stranger) => {
            let client = format!("web {}", peer.address);
            site.shared.handle.report(Event::Refused { client, reason: stranger.reason().to_owned() });
            refusal(StatusCode::FORBIDDEN, stranger.reason())
        }
    };
    response.headers_mut().extend(HEADERS.map(|(name, value)| (Some(name), value)));
    response
}

fn refusal(status: StatusCode, reason: &str) -> Response {
    (status, Json(json!({"error": reason}))).into_response()
}

async fn asset(request: Request) -> Response {
    let found = assets::find(request.uri().path());
    match found {
        Some(asset) if request.method() == axum::http::Method::GET => {
            ([(header::CONTENT_TYPE, asset.kind)], asset.content).into_response()
        }
        Some(_) => refusal(StatusCode::METHOD_NOT_ALLOWED, "this is only to be read"),
        None => refusal(StatusCode::NOT_FOUND, "there is nothing at this address"),
    }
}

#[derive(Deserialize)]
struct TokenQuery {
    token: Option<String>,
}

/// What the client may do: by `Authorization: Bearer TOKEN`, or `?token=TOKEN` where a browser cannot send that.
impl FromRequestParts<Site> for Role {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, site: &Site) -> Result<Self, Response> {
        let bearer = bearer(&parts.headers);
        let query = Query::<TokenQuery>::try_from_uri(&parts.uri).ok().and_then(|query| query.0.token);
        site.access.role(bearer.or(query).as_deref()).ok_or_else(|| {
            refusal(
                StatusCode::UNAUTHORIZED,
                "the link has no token, or an old one: open the one that is printed",
            )
        })
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned)
}

async fn state(role: Role, State(site): State<Site>) -> Response {
    Json(state_json(&site.shared, role)).into_response()
}

async fn command(
    role: Role,
    State(site): State<Site>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Response {
    if role == Role::View {
        return refusal(StatusCode::FORBIDDEN, "this link is to look only: ask for one with the knobs");
    }
    // Whatever type a form of another site could give the body: this is not one that needs no permission.
    let command = match serde_json::from_slice::<Command>(&body) {
        Ok(command) => command,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    match command.execute(&site.shared, &peer.address.to_string()).await {
        Ok(()) => state(role, State(site)).await,
        Err(reason) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &reason),
    }
}

async fn live(
    role: Role,
    State(site): State<Site>,
    Extension(peer): Extension<Peer>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Ok(place) = Arc::clone(&site.clients).try_acquire_owned() else {
        return refusal(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("{MAX_CLIENTS} browsers look already: close one of them"),
        );
    };
    upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES).on_upgrade(
        async move |socket| {
            // If its connection was ended meanwhile, so is this.
            let _ = peer.looks.send(Look { socket, role, place }).await;
        },
    )
}

async fn traces(_: Role, State(site): State<Site>) -> Response {
    Json(traces_json(&site.shared)).into_response()
}

/// `latest.csv`, `next.npz`, `12.bin`: the last trace, the next that arrives, or one that is kept.
async fn trace(
    role: Role,
    State(site): State<Site>,
    Path(file): Path<String>,
    Query(view): Query<TraceQuery>,
) -> Response {
    let Some((name, kind)) = file.rsplit_once('.') else {
        return refusal(StatusCode::NOT_FOUND, "give a trace and a format, such as latest.csv");
    };
    let acquired = match site.shared.trace(name, role).await {
        Ok(acquired) => acquired,
        Err(reason) => return refusal(StatusCode::NOT_FOUND, &reason),
    };
    if kind == "bin" {
        let view = View { columns: view.columns, from: view.from.unwrap_or(0.0), to: view.to.unwrap_or(1.0) };
        return ([(header::CONTENT_TYPE, "application/octet-stream")], encode(&acquired, &view))
            .into_response();
    }
    if kind == "decoded" {
        return decoding::decoded(&site, acquired, view.decoders, view.threshold).await;
    }
    match kind.parse::<Format>() {
        Ok(format) => exported(acquired, format).await,
        Err(error) => refusal(StatusCode::NOT_FOUND, &format!("{error}, bin, decoded")),
    }
}

#[derive(Deserialize)]
struct TraceQuery {
    columns: Option<u32>,
    from: Option<f64>,
    to: Option<f64>,
    decoders: Option<String>,
    threshold: Option<f64>,
}

/// A file of a trace.
async fn exported(acquired: Arc<Acquired>, format: Format) -> Response {
    let name = format!("attachment; filename=\"scopething-{}.{format}\"", acquired.about.seq);
    let written = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        format.writer().write(&acquired.capture.waveform, &mut bytes).map(|()| bytes)
    });
    match written.await {
        Ok(Ok(bytes)) => {
            let kind = (header::CONTENT_TYPE, assets::kind_of(format.name()));
            ([kind], [(header::CONTENT_DISPOSITION, name)], bytes).into_response()
        }
        Ok(Err(error)) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the file could not be made"),
    }
}
