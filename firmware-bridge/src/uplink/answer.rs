//! What is answered to each request.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use scopething_core::device::BS05;
use scopething_core::link::bridge::frame::DATA_BYTES;
use scopething_core::link::bridge::{
    Events, Failure, FlashChip, Job, LineErrors, Records, Refusal, Request, Response, Restart, Status,
    TraceId, UsbStatus,
};
use scopething_core::plan::{BusyOutputs, plan_capture};
use scopething_core::time::Instant;

use crate::control::{Bridge, Order, Taker};
use crate::store::{StoreError, StoredJob};

/// What the uplink reports about the program around it.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The version of the firmware.
    pub firmware: (u8, u8, u8),
    /// Why it started. A place longer than 200 bytes is not reported.
    pub restart: Restart<'a>,
    /// The last start that the firmware itself had caused. A cause longer than 200 bytes is not reported.
    pub last_failure: Option<Failure<'a>>,
    /// The flash chip; how much of it is used the store reports.
    pub flash: FlashChip,
}

/// What the program around it knows and can do.
pub trait Board {
    /// Copies bytes of the log, from place `from` on, counted from power-up. Gives the place of the first of
    /// them, later than `from` if that is lost, and how many there are.
    fn read_log(&self, from: u32, bytes: &mut [u8]) -> (u32, usize);

    /// What has happened, from this event on, counted from power-up: as many as fit.
    fn events(&self, _from: u32) -> Events {
        Events::new()
    }

    /// What is in the USB socket, and what went wrong there.
    fn usb(&self) -> UsbStatus {
        UsbStatus::default()
    }

    /// What went wrong on the line to the computer.
    fn line(&self) -> LineErrors {
        LineErrors::default()
    }

    /// Restarts into the boot loader.
    fn update(&self) {}
}

/// No log, no socket and no boot loader.
impl Board for () {
    fn read_log(&self, from: u32, _bytes: &mut [u8]) -> (u32, usize) {
        (from, 0)
    }
}

impl<B: Board> Board for &B {
    fn read_log(&self, from: u32, bytes: &mut [u8]) -> (u32, usize) {
        (**self).read_log(from, bytes)
    }

    fn events(&self, from: u32) -> Events {
        (**self).events(from)
    }

    fn usb(&self) -> UsbStatus {
        (**self).usb()
    }

    fn line(&self) -> LineErrors {
        (**self).line()
    }

    fn update(&self) {
        (**self).update();
    }
}

/// The longest place of a panic that is reported.
const PLACE_BYTES: usize = 200;

/// Answers requests.
pub(super) struct Answers<'a, F, B> {
    bridge: &'a Bridge<F>,
    board: B,
    about: About<'a>,
    /// The number of the last request that changed something, so that a repetition does not do it again.
    last_change: Option<u32>,
    data: [u8; DATA_BYTES],
}

impl<'a, F: MultiwriteNorFlash, B: Board> Answers<'a, F, B> {
    pub(super) fn new(bridge: &'a Bridge<F>, board: B, mut about: About<'a>) -> Self {
        if let Restart::Panic { place } = about.restart
            && place.len() > PLACE_BYTES
        {
            about.restart = Restart::Panic { place: "" };
        }
        about.last_failure = about.last_failure.filter(|failure| failure.cause.len() <= PLACE_BYTES);
        Self { bridge, board, about, last_change: None, data: [0; DATA_BYTES] }
    }

    pub(super) fn board(&self) -> &B {
        &self.board
    }

    /// Does what a request asks for, and gives the answer.
    pub(super) async fn answer(&mut self, number: u32, request: &Request, now: Instant) -> Response<'_> {
        match *request {
            Request::Status => Response::Status(self.status(now).await),
            Request::Job => match self.bridge.store().await.job().await {
                Ok(stored) => Response::Job(stored.map(|stored| stored.job)),
                Err(error) => Response::Refused(refusal(error)),
            },
            Request::Board => match self.bridge.store().await.board().await {
                Ok(settings) => Response::Board(settings),
                Err(error) => Response::Refused(refusal(error)),
            },
            Request::List { from } => self.records(from).await,
            Request::Events { from } => Response::Events(self.board.events(from)),
            Request::Fetch { id, offset, length } => {
                let length = usize::from(length).min(DATA_BYTES);
                let bytes = self.data.get_mut(..length).unwrap_or_default();
                match self.bridge.store().await.read(id, offset, bytes).await {
                    Ok(count) => Response::Data { offset, bytes: self.data.get(..count).unwrap_or_default() },
                    Err(error) => Response::Refused(refusal(error)),
                }
            }
            Request::Log { from } => {
                let (from, count) = self.board.read_log(from, &mut self.data);
                Response::Log { from, bytes: self.data.get(..count).unwrap_or_default() }
            }
            // One that does not hold it only ends its messages.
            Request::PassThrough { hold: true } if self.bridge.taker() == Taker::Direct => {
                Response::Refused(Refusal::InUse)
            }
            Request::PassThrough { .. } | Request::Update => Response::Done,
            Request::Time { unix } => {
                self.bridge.set_time(unix, now);
                Response::Done
            }
            change => {
                if self.last_change == Some(number) {
                    return Response::Done;
                }
                match self.change(&change).await {
                    Ok(()) => {
                        self.last_change = Some(number);
                        Response::Done
                    }
                    Err(refusal) => Response::Refused(refusal),
                }
            }
        }
    }

    /// The requests that change something.
    async fn change(&self, request: &Request) -> Result<(), Refusal> {
        let bridge = self.bridge;
        match request {
            Request::Configure(job) => {
                if plan_capture(&BS05, &job.probe, &job.request, BusyOutputs::NOTHING).is_err() {
                    return Err(Refusal::Request);
                }
                job.bands.check(job.request.channels).map_err(|_| Refusal::Bands)?;
                // Until it is stored, the job before goes on.
                self.store_job(job, false).await?;
                bridge.set_job(job);
                bridge.set_armed(false);
            }
            Request::Arm | Request::Disarm => {
                let armed = matches!(request, Request::Arm);
                let Some(job) = bridge.job() else {
                    return if armed { Err(Refusal::NoJob) } else { Ok(()) };
                };
                self.store_job(&job, armed).await?;
                bridge.set_armed(armed);
            }
            Request::CaptureNow => bridge.set_order(Order::CaptureNow),
            Request::Calibrate { grid } => {
                if bridge.job().is_none() {
                    return Err(Refusal::NoJob);
                }
                bridge.set_order(Order::Calibrate { grid: *grid });
            }
            Request::Erase { through } => {
                bridge.store().await.erase_through(*through).await.map_err(refusal)?;
                bridge.notify();
            }
            Request::SetBoard(settings) => {
                settings.check().map_err(|_| Refusal::Board)?;
                bridge.store().await.set_board(settings).await.map_err(refusal)?;
            }
            Request::Status
            | Request::Job
            | Request::Board
            | Request::List { .. }
            | Request::Fetch { .. }
            | Request::PassThrough { .. }
            | Request::Time { .. }
            | Request::Update
            | Request::Events { .. }
            | Request::Log { .. } => {}
        }
        Ok(())
    }

    async fn store_job(&self, job: &Job, armed: bool) -> Result<(), Refusal> {
        let stored = StoredJob { job: *job, armed };
        let mut store = self.bridge.store().await;
        if store.job().await != Ok(Some(stored)) {
            store.set_job(&stored).await.map_err(refusal)?;
        }
        Ok(())
    }

    /// As many records as fit. A trace whose record is damaged is left out.
    async fn records(&self, mut from: TraceId) -> Response<'a> {
        let mut records = Records::new();
        let mut in_memory = 0;
        let mut store = self.bridge.store().await;
        while let Some(id) = store.id_from(from) {
            if let Ok(Some(record)) = store.record_from(id).await {
                let place = records.len();
                if !records.push(record) {
                    break;
                }
                in_memory |= u8::from(store.is_in_memory(id)) << place;
            }
            from = id.next();
        }
        Response::Records { records, in_memory }
    }

    async fn status(&self, now: Instant) -> Status<'a> {
        let bridge = self.bridge;
        let store = bridge.store().await;
        Status {
            firmware: self.about.firmware,
            state: bridge.state(),
            armed: bridge.is_armed(),
            scope: bridge.scope(),
            uptime: now - Instant(0),
            captures: bridge.captures(),
            within_bands: bridge.within_bands(),
            fault: bridge.fault(),
            restart: self.about.restart,
            store: store.status(),
            flash: FlashChip { used_bytes: store.end(), ..self.about.flash },
            usb: self.board.usb(),
            line: self.board.line(),
            boot: bridge.boot(),
            last_failure: self.about.last_failure,
        }
    }
}

fn refusal(error: StoreError) -> Refusal {
    match error {
        StoreError::NoTrace => Refusal::NoTrace,
        StoreError::Offset => Refusal::Offset,
        StoreError::Flash | StoreError::Full => Refusal::Storage,
    }
}
