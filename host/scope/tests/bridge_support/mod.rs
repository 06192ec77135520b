//! A whole bridge on simulated time: the firmware's job, store and uplink, the simulated BitScope behind
//! them, a wire of 1 Mbaud ahead of them, and the host's client at its other end.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use embassy_futures::select::{Either3, select, select3};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::signal::Signal;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use scopething::bridge::Client;
use scopething::link::TokioTimer;
use scopething_bridge::control::Bridge;
use scopething_bridge::fake::FakeFlash;
use scopething_bridge::job::{Runner, ScopeStream};
use scopething_bridge::store::{Store, StoreLayout, StoreMemory};
use scopething_bridge::uplink::{About, Board, Uplink};
use scopething_core::device::BS05;
use scopething_core::link::bridge::{
    Bands, Event, Events, Failure, FlashChip, FlashSize, Job, Repeat, Restart, TimedEvent, ToFlash, WhenFull,
};
use scopething_core::plan::{CaptureRequest, ChannelSet};
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::TraceBuffer;
use scopething_sim::{SimClock, SimConfig, SimLink};

/// Microseconds that a byte takes at 1 Mbaud, 8N1.
const BYTE_US: u64 = 10;
/// Sectors of the fake flash: eight of settings and index, sixteen of traces.
pub(crate) const SECTORS: usize = 24;

/// What the bridge reports of its flash.
pub(crate) const FLASH: FlashChip =
    FlashChip { bytes: 4 << 20, size: FlashSize::Reported, used_bytes: 0, id: [0xef, 0x40, 0x16] };

pub(crate) fn layout() -> StoreLayout {
    StoreLayout::of(0..SECTORS as u32 * 4096).unwrap()
}

pub(crate) fn request(channels: &str) -> CaptureRequest {
    CaptureRequest::new(channels.parse::<ChannelSet>().unwrap())
}

pub(crate) fn job(request: CaptureRequest, repeat: Repeat) -> Job {
    let probe = BS05.analog;
    let (spacing, when_full) = (Micros(0), WhenFull::DropOldest);
    let (flash, bands) = (ToFlash::Each, Bands::NONE);
    Job { request, probe, repeat, spacing, keep: None, when_full, flash, bands }
}

/// The plug of the simulated BitScope.
#[derive(Clone)]
pub(crate) struct Plug {
    plugged: Rc<Cell<bool>>,
    changed: Rc<Signal<NoopRawMutex, ()>>,
}

impl Plug {
    pub(crate) fn new() -> Self {
        Self { plugged: Rc::new(Cell::new(true)), changed: Rc::default() }
    }

    pub(crate) fn set(&self, plugged: bool) {
        self.plugged.set(plugged);
        self.changed.signal(());
    }

    async fn becomes(&self, plugged: bool) {
        while self.plugged.get() != plugged {
            self.changed.wait().await;
        }
    }
}

/// The simulated BitScope on a plug.
pub(crate) struct Plugged {
    link: SimLink,
    plug: Plug,
}

impl ErrorType for Plugged {
    type Error = ErrorKind;
}

impl Read for Plugged {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        match select(self.plug.becomes(false), self.link.read(bytes)).await {
            embassy_futures::select::Either::First(()) => Err(ErrorKind::NotConnected),
            embassy_futures::select::Either::Second(count) => count,
        }
    }
}

impl Write for Plugged {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if !self.plug.plugged.get() {
            return Err(ErrorKind::NotConnected);
        }
        self.link.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl ScopeStream for Plugged {
    async fn attached(&mut self) {
        self.plug.becomes(true).await;
    }
}

/// What becomes of bytes on the wire.
#[derive(Debug, Clone)]
pub(crate) enum Noise {
    /// Nothing.
    None,
    /// One of so many bytes is lost, changed, or repeated.
    Bytes { one_in: usize, seed: fastrand::Rng },
    /// One of so many bytes begins a gap of up to 300.
    Gaps { one_in: usize, left: usize, seed: fastrand::Rng },
}

impl Noise {
    fn pass(&mut self, byte: u8, out: &mut VecDeque<u8>) {
        match self {
            Self::None => out.push_back(byte),
            Self::Bytes { one_in, seed } => match seed.usize(..*one_in * 3) {
                0 => {}
                1 => out.push_back(byte ^ 1 << seed.u8(..8)),
                2 => out.extend([byte, byte]),
                _ => out.push_back(byte),
            },
            Self::Gaps { one_in, left, seed } => {
                if *left == 0 && seed.usize(..*one_in) == 0 {
                    *left = seed.usize(1..300);
                }
                if *left > 0 {
                    *left -= 1;
                } else {
                    out.push_back(byte);
                }
            }
        }
    }
}

/// One direction of the wire.
pub(crate) struct Way {
    pipe: Pipe<NoopRawMutex, 4096>,
    noise: RefCell<Noise>,
    pub(crate) sent: Cell<u64>,
}

/// One end of the wire.
#[derive(Clone)]
pub(crate) struct End {
    out: Rc<Way>,
    incoming: Rc<Way>,
    clock: SimClock,
}

fn wire(clock: &SimClock, noise: &Noise) -> (End, End) {
    let way =
        |noise: Noise| Rc::new(Way { pipe: Pipe::new(), noise: RefCell::new(noise), sent: Cell::new(0) });
    let (up, down) = (way(noise.clone()), way(noise.clone()));
    let host = End { out: Rc::clone(&up), incoming: Rc::clone(&down), clock: clock.clone() };
    let bridge = End { out: down, incoming: up, clock: clock.clone() };
    (host, bridge)
}

impl End {
    /// Bytes that were sent from here.
    pub(crate) fn sent(&self) -> u64 {
        self.out.sent.get()
    }
}

impl ErrorType for End {
    type Error = ErrorKind;
}

impl Read for End {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        Ok(self.incoming.pipe.read(bytes).await)
    }
}

impl Write for End {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let part = &bytes[..bytes.len().min(32)];
        self.clock.until(self.clock.now() + Micros(BYTE_US * part.len() as u64)).await;
        let mut passed = VecDeque::new();
        for &byte in part {
            self.out.noise.borrow_mut().pass(byte, &mut passed);
        }
        self.out.sent.set(self.out.sent.get() + part.len() as u64);
        self.out.pipe.write_all(passed.make_contiguous()).await;
        // The simulated clock sees what is done only in waits of its own.
        self.clock.until(self.clock.now() + Micros(1)).await;
        Ok(part.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Memory for the traces of one bridge.
fn memory() -> &'static mut StoreMemory<{ 32 * 1024 }> {
    Box::leak(Box::default())
}

/// A log of known bytes.
pub(crate) struct KnownLog;

/// The bytes of [`KnownLog`]; the first hundred are lost.
pub(crate) fn log_bytes() -> Vec<u8> {
    (0..3000_u32).map(|at| (at / 7) as u8).collect()
}

impl Board for KnownLog {
    fn events(&self, from: u32) -> Events {
        let mut events = Events::new();
        let known = [(0, 12_000, Event::PoweredUp), (1, 3_500_000, Event::ButtonPressed)];
        for (number, at, event) in known.into_iter().filter(|&(number, ..)| number >= from) {
            assert!(events.push(TimedEvent { number, at: Instant(at), event }));
        }
        events
    }

    fn read_log(&self, from: u32, bytes: &mut [u8]) -> (u32, usize) {
        let from = from.max(100);
        let rest = log_bytes();
        let rest = rest.get(from as usize..).unwrap_or_default();
        let count = rest.len().min(bytes.len());
        bytes[..count].copy_from_slice(&rest[..count]);
        (from, count)
    }
}

pub(crate) type TestClient = Client<End, SimClock>;

/// A running bridge as a test sees it.
pub(crate) struct Running<'a> {
    pub(crate) bridge: &'a Bridge<FakeFlash>,
    pub(crate) plug: Plug,
    pub(crate) clock: SimClock,
    pub(crate) host: End,
}

impl Running<'_> {
    pub(crate) fn client(&self) -> TestClient {
        Client::new(self.host.clone(), self.clock.clone())
    }

    /// Waits, in simulated time.
    pub(crate) async fn pass(&self, span: Micros) {
        self.clock.until(self.clock.now() + span).await;
    }

    /// Waits until the bridge has reported it; 1000 s at the most.
    pub(crate) async fn until(&self, what: impl Fn(&Bridge<FakeFlash>) -> bool) {
        let deadline = self.clock.now() + Micros::from_millis(1_000_000);
        while !what(self.bridge) {
            assert!(self.clock.now() < deadline, "it is {:?}", self.bridge.state());
            self.pass(Micros::from_millis(1)).await;
        }
    }
}

/// Powers a bridge up with this flash, the simulated BitScope of `query` behind it, and runs a test against
/// it. Gives the flash as it is when power goes.
pub(crate) fn run_on(
    flash: FakeFlash,
    query: &str,
    noise: &Noise,
    test: impl AsyncFnOnce(&Running<'_>),
) -> FakeFlash {
    let config = SimConfig::from_query(&format!("clock=fast&{query}")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let link = SimLink::new(&config);
        let (clock, profile) = (link.clock(), link.profile());
        let mut store = Store::open(flash, layout(), memory()).await.unwrap();
        let stored = store.job().await.unwrap();
        let bridge = Bridge::new(store, stored);
        let plug = Plug::new();
        let mut buffer = Box::new(TraceBuffer::new());
        let scope = Plugged { link, plug: plug.clone() };
        let mut runner = Runner::new(&bridge, scope, clock.clone(), profile, &mut buffer);
        let (restart, last_failure) = (Restart::PowerUp, None);
        let about = About { firmware: (1, 2, 3), restart, last_failure, flash: FLASH };
        let mut uplink = Uplink::new(&bridge, clock.clone(), KnownLog, about);
        let (host, mut receiver) = wire(&clock, noise);
        let mut sender = receiver.clone();
        let running = Running { bridge: &bridge, plug, clock, host };
        let serving = uplink.serve(&mut receiver, &mut sender);
        match Box::pin(select3(test(&running), runner.run(), serving)).await {
            Either3::First(()) => {}
            Either3::Second(never) => never,
            Either3::Third(ended) => panic!("the uplink ended: {ended:?}"),
        }
        drop(runner);
        drop(uplink);
        bridge.store().await.flash().clone()
    })
}

/// As [`run_on`], with erased flash.
pub(crate) fn run(query: &str, test: impl AsyncFnOnce(&Running<'_>)) -> FakeFlash {
    run_on(FakeFlash::new(SECTORS), query, &Noise::None, test)
}

/// One half of a TCP stream.
struct Half<T>(T);

impl<T> ErrorType for Half<T> {
    type Error = ErrorKind;
}

impl<T: tokio::io::AsyncRead + Unpin> Read for Half<T> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        tokio::io::AsyncReadExt::read(&mut self.0, bytes).await.map_err(|error| error.kind().into())
    }
}

impl<T: tokio::io::AsyncWrite + Unpin> Write for Half<T> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        tokio::io::AsyncWriteExt::write(&mut self.0, bytes).await.map_err(|error| error.kind().into())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

/// Starts a bridge with the simulated BitScope of `query` behind it, in a thread that ends with the process.
/// Gives the URL of its uplink.
pub(crate) fn serve(query: &str) -> String {
    let config = SimConfig::from_query(query).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let link = SimLink::by_config(&config, TokioTimer::start);
            let (clock, profile) = (link.clock(), link.profile());
            let store = Store::open(FakeFlash::new(SECTORS), layout(), memory()).await.unwrap();
            let bridge = Bridge::new(store, None);
            let mut buffer = Box::new(TraceBuffer::new());
            let scope = Plugged { link, plug: Plug::new() };
            let mut runner = Runner::new(&bridge, scope, clock.clone(), profile, &mut buffer);
            let about = About {
                firmware: (1, 2, 3),
                restart: Restart::Panic { place: "src/main.rs:7" },
                last_failure: Some(Failure { boot: 1, cause: "panic at src/main.rs:7" }),
                flash: FLASH,
            };
            let mut uplink = Uplink::new(&bridge, clock, KnownLog, about);
            let serving = async {
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let (receiver, sender) = stream.into_split();
                    // A client that leaves ends it.
                    let _ = uplink.serve(Half(receiver), Half(sender)).await;
                }
            };
            Box::pin(select(runner.run(), serving)).await;
        });
    });
    format!("bridge://{address}")
}
