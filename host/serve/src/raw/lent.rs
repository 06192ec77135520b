//! The device as the instrument lends it: requested when a session starts, returned when it ends.

use std::future::pending;

use embedded_io_async::{Read as _, Write as _};
use tokio::sync::oneshot;

use super::origin::Attribution;
use super::{Device, Relayed};
use crate::handle::Handle;
use crate::loan::Loan;
use scopething_sim::{Note, Origin};

/// Bytes read at a time.
const CHUNK: usize = 1024;

/// Where the device is.
#[derive(Debug)]
enum LeaseState {
    /// With the instrument.
    Away,
    /// It is to be requested.
    Requested,
    /// It was requested.
    Asked(oneshot::Receiver<Loan>),
    Here(Loan),
    /// It was not lent, because it is gone.
    Gone,
}

/// A device that is lent to raw clients.
#[derive(Debug)]
pub(crate) struct LentDevice {
    handle: Handle,
    lease: LeaseState,
    attribution: Attribution,
    /// That others wait was reported.
    notified: bool,
}

impl LentDevice {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle, lease: LeaseState::Away, attribution: Attribution::default(), notified: false }
    }

    /// Waits until it is here, if a client wants it.
    async fn arrive(&mut self) -> Option<Result<&mut Loan, Relayed>> {
        if let LeaseState::Requested = self.lease {
            self.lease = LeaseState::Asked(self.handle.borrow_device().await?);
        }
        if let LeaseState::Asked(lent) = &mut self.lease {
            // Without a loan the device is gone.
            self.lease = lent.await.map_or(LeaseState::Gone, LeaseState::Here);
        }
        match &mut self.lease {
            LeaseState::Here(loan) => Some(Ok(loan)),
            LeaseState::Gone => Some(Err(Relayed::Closed)),
            _ => pending().await,
        }
    }
}

impl Device for LentDevice {
    async fn relay(&mut self, commands: &[u8], max: usize, answers: &mut Vec<(Origin, u8)>) -> Relayed {
        match self.arrive().await {
            Some(Ok(_)) => {}
            Some(Err(gone)) => return gone,
            // The instrument is closing.
            None => return pending().await,
        }
        let LeaseState::Here(loan) = &mut self.lease else { return pending().await };
        self.notified &= loan.is_wanted();
        let notified = self.notified;
        let (Some(link), wanted) = loan.parts() else { return Relayed::Closed };
        let mut bytes = [0; CHUNK];
        let room = bytes.get_mut(..max.min(CHUNK)).unwrap_or_default();
        let attribution = &mut self.attribution;
        let work = async {
            if commands.is_empty() && room.is_empty() {
                return pending().await;
            }
            if commands.is_empty() {
                let Ok(count) = link.read(room).await else { return Relayed::Closed };
                let received = room.get(..count).unwrap_or_default();
                answers.extend(received.iter().map(|byte| (attribution.received(*byte), *byte)));
                return if count == 0 { Relayed::Closed } else { Relayed::Answered };
            }
            let Ok(count) = link.write(commands).await else { return Relayed::Closed };
            attribution.sent(commands.get(..count).unwrap_or_default());
            Relayed::Sent(count)
        };
        tokio::select! {
            biased;
            relayed = work => relayed,
            Ok(_) = wanted.wait_for(|wanted| *wanted), if !notified => {
                self.notified = true;
                Relayed::Requested
            }
        }
    }

    fn take_over(&mut self) {
        self.lease = LeaseState::Requested;
        self.attribution.restart();
        self.notified = false;
    }

    fn give_back(&mut self) {
        self.lease = LeaseState::Away;
    }

    fn reopen(&mut self) -> Option<&str> {
        self.lease = LeaseState::Away;
        Some("the BitScope is gone: try again when it is plugged in")
    }

    fn is_wanted(&self) -> bool {
        matches!(&self.lease, LeaseState::Here(loan) if loan.is_wanted())
    }

    fn notes(&mut self) -> Vec<Note> {
        Vec::new()
    }
}
