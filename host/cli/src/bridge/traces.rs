//! Traces from the bridge's flash into files.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use scopething_core::link::bridge::{JobState, Refusal, StoredTrace, TraceId};

use super::super::message::print_note;
use super::HostClient;
use crate::failure::Failure;
use crate::interrupt::Interrupts;
use crate::results::Results;
use scopething::bridge::{BridgeError, recording};

/// How often the progress of the bridge is polled.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a capture without a trigger may take: the longest is 110 s, at the slowest sample clock.
const CAPTURE_LIMIT: Duration = Duration::from_secs(150);

/// Waits until the next poll.
pub(super) async fn pause() {
    tokio::time::sleep(PAUSE).await;
}

/// Has the bridge capture now. Returns the number of the trace.
pub(super) async fn capture_now(client: &mut HostClient) -> Result<TraceId, Failure> {
    let before = client.status().await?.store.newest;
    client.capture_now().await?;
    let deadline = tokio::time::Instant::now() + CAPTURE_LIMIT;
    loop {
        pause().await;
        let status = client.status().await?;
        if let Some(newest) = status.store.newest.filter(|&newest| Some(newest) > before) {
            return Ok(newest);
        }
        let over = tokio::time::Instant::now() > deadline;
        match status.state {
            JobState::Fault(fault) => return Err(Failure::Failed(anyhow::anyhow!("{fault}"))),
            JobState::Full => {
                return Err(Failure::Failed(anyhow::anyhow!(
                    "no more traces can be kept: fetch those that are stored, then `scopething bridge erase`"
                )));
            }
            state if over => {
                return Err(Failure::Failed(anyhow::anyhow!("the bridge has not captured: it is {state}")));
            }
            _ => {}
        }
    }
}

/// Fetches these traces, or all if none is named, and shows and saves them. What was fetched before a failure
/// or Ctrl-C is kept.
pub(super) async fn fetch(
    client: &mut HostClient,
    wanted: &[TraceId],
    mut results: Results,
    interrupts: &Interrupts,
) -> Result<(), Failure> {
    let fetched = fetch_all(client, wanted, &mut results, interrupts).await;
    results.commit_after(fetched)
}

async fn fetch_all(
    client: &mut HostClient,
    wanted: &[TraceId],
    results: &mut Results,
    interrupts: &Interrupts,
) -> Result<(), Failure> {
    let from = wanted.iter().min().copied().unwrap_or(TraceId::FIRST);
    let mut records = client.records(from).await?;
    records.retain(|record| wanted.is_empty() || wanted.contains(&record.id));
    if let Some(missing) = wanted.iter().find(|&&id| records.iter().all(|record| record.id != id)) {
        return Err(Failure::Failed(anyhow::anyhow!(
            "the bridge has no trace {missing}: `scopething bridge list` lists those it has"
        )));
    }
    if records.is_empty() {
        print_note!("the bridge has no traces");
    }
    let bar = progress(&records);
    let mut replaced = 0_u32;
    for record in &records {
        let mut stored = Vec::new();
        let done = bar.position();
        let fetching = client.fetch(record, &mut stored, |count| bar.set_position(done + count as u64));
        tokio::select! {
            fetched = fetching => match fetched {
                // In memory the newest replace the oldest while the job goes on.
                Err(BridgeError::Refused(Refusal::NoTrace)) if wanted.is_empty() => {
                    replaced += 1;
                    continue;
                }
                fetched => fetched?,
            },
            () = interrupts.reached(1) => return Err(Failure::Cancelled),
        }
        let waveform = recording(record, &stored).map_err(Failure::failed)?;
        bar.suspend(|| results.take(waveform))?;
    }
    bar.finish_and_clear();
    if replaced > 0 {
        print_note!(
            "{replaced} traces in memory were replaced before they were fetched: disarm the job first to get all"
        );
    }
    match client.repeats() {
        0 => {}
        1 => print_note!("a request had to be repeated"),
        repeats => print_note!("{repeats} requests had to be repeated, check the wires"),
    }
    Ok(())
}

fn progress(records: &[StoredTrace]) -> ProgressBar {
    let bytes: u64 = records.iter().map(|record| u64::from(record.stored_bytes)).sum();
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = ProgressStyle::with_template("fetching {bar:40} {bytes}/{total_bytes} {eta}") {
        bar.set_style(style);
    }
    bar
}
