//! Passing bytes through, between the uplink's pipes and the BitScope.

use embassy_futures::select::{Either, select};
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use scopething_core::link::bridge::JobState;
use scopething_core::time::{Clock, Micros};

use super::{Runner, ScopeStream, until_other};
use crate::control::{Bridge, Want};

/// Bytes that are handed on at once: one packet of USB.
const CHUNK: usize = 64;

impl<F: MultiwriteNorFlash, S: ScopeStream, C: Clock + Clone> Runner<'_, F, S, C> {
    /// Passes bytes through until the BitScope is needed for something else.
    pub(super) async fn pass_through(&mut self) {
        self.is_open = false;
        let Self { bridge, scope, clock, .. } = self;
        bridge.set_state(JobState::PassingThrough);
        let stream = scope.lend_stream();
        select(copy(bridge, stream, clock), until_other(bridge, clock, Want::PassThrough)).await;
    }
}

/// How long is waited after the BitScope has failed.
const PAUSE: Micros = Micros::from_millis(50);

/// Copies both ways; across any unplugging.
async fn copy<F, S: ScopeStream, C: Clock>(bridge: &Bridge<F>, stream: &mut S, clock: &C) {
    loop {
        // What is sent to a BitScope that is not there is lost, as it would be on its own port.
        let discard = async {
            let mut lost = [0; CHUNK];
            loop {
                bridge.up().read(&mut lost).await;
            }
        };
        if let Either::Second(()) = select(stream.attached(), discard).await {
            continue;
        }
        // It fails until the unplugging is noticed.
        let _ = copy_while_attached(bridge, stream).await;
        bridge.up().clear();
        clock.until(clock.now() + PAUSE).await;
    }
}

async fn copy_while_attached<F, S: ScopeStream>(bridge: &Bridge<F>, stream: &mut S) -> Result<(), S::Error> {
    let mut from_scope = [0; CHUNK];
    let mut from_uplink = [0; CHUNK];
    loop {
        match select(stream.read(&mut from_scope), bridge.up().read(&mut from_uplink)).await {
            Either::First(count) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                let down = bridge.down(bridge.taker());
                down.write_all(from_scope.get(..count).unwrap_or_default()).await;
            }
            Either::Second(count) => {
                stream.write_all(from_uplink.get(..count).unwrap_or_default()).await?;
                stream.flush().await?;
            }
        }
    }
}
