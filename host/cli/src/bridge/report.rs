//! Reports of a bridge, as text and as JSON.

use scopething_core::link::bridge::{Job, Repeat, StoredTrace, WhenFull};
use scopething_core::plan::CaptureRequest;
use serde_json::{Value, json};

use crate::table::Table;
use scopething::bridge::BridgeStatus;
use scopething_waveform::quantity::{self, Unit};

fn seconds(time_s: f64) -> String {
    quantity::format(time_s, Unit::Seconds)
}

/// A capture request, in a few words.
fn request_text(request: &CaptureRequest) -> String {
    let CaptureRequest { channels, period_s, samples, trigger_type, .. } = request;
    let period = seconds(*period_s);
    let trigger = match (request.timeout_s, request.trigger, channels.first()) {
        (Some(0.0), ..) => return format!("{channels}, {period} of {samples} samples, without a trigger"),
        (_, Some(trigger), _) => trigger.to_string(),
        (_, None, Some(first)) => first.to_string(),
        (_, None, None) => String::new(),
    };
    let level = request.level.map(|level| format!(" through {level} V")).unwrap_or_default();
    let wait = request.trigger_wait_s().map(|wait_s| format!(" for {}", seconds(wait_s))).unwrap_or_default();
    let delay = match request.delay_s {
        0.0 => String::new(),
        delay_s => format!(", delayed by {}", seconds(delay_s)),
    };
    format!("{channels}, {period} of {samples} samples, {trigger_type} on {trigger}{level}{wait}{delay}")
}

fn job_text(job: &Job) -> String {
    let repeat = match job.repeat {
        Repeat::Forever => "again and again".to_owned(),
        Repeat::Times(times) => format!("{times} times"),
    };
    let full = match job.when_full {
        WhenFull::Stop => "stops when full",
        WhenFull::DropOldest => "drops the oldest when full",
    };
    let keep = job.keep.map(|keep| format!(", keeps {keep}")).unwrap_or_default();
    let spacing_s = job.spacing.seconds();
    let spacing = if spacing_s > 0.0 { format!(", every {}", seconds(spacing_s)) } else { String::new() };
    format!("{}; {repeat}{spacing}{keep}, {full}", request_text(&job.request))
}

fn job_json(job: &Job) -> Value {
    json!({
        "channels": job.request.channels.to_string(),
        "period": job.request.period_s,
        "samples": job.request.samples,
        "repeat": match job.repeat { Repeat::Forever => Value::Null, Repeat::Times(times) => times.into() },
        "spacing": job.spacing.seconds(),
        "keep": job.keep,
        "when_full": match job.when_full { WhenFull::Stop => "stop", WhenFull::DropOldest => "drop-oldest" },
    })
}

/// The status of a bridge, with a line feed at the end.
pub(super) fn status(status: &BridgeStatus, job: Option<&Job>, as_json: bool) -> String {
    let (major, minor, patch) = status.firmware;
    let firmware = format!("{major}.{minor}.{patch}");
    let scope = status.scope.map(|serial| serial.to_string());
    let fault = status.fault.map(|fault| fault.to_string());
    let store = &status.store;
    if as_json {
        let object = json!({
            "firmware": firmware, "state": status.state.to_string(), "armed": status.armed, "serial": scope,
            "uptime": status.uptime.seconds(), "restart": status.restart, "captures": status.captures,
            "fault": fault, "job": job.map(job_json),
            "traces": {
                "count": store.traces, "oldest": store.oldest.map(|id| id.0), "newest": store.newest.map(|id| id.0),
                "used_bytes": store.used_bytes, "capacity_bytes": store.capacity_bytes,
            },
        });
        return format!("{object}\n");
    }
    let armed = if status.armed { "armed" } else { "not armed" };
    let job = job.map_or_else(|| "none".to_owned(), |job| format!("{} ({armed})", job_text(job)));
    let range = match (store.oldest, store.newest) {
        (Some(oldest), Some(newest)) => format!(", {oldest} to {newest}"),
        _ => String::new(),
    };
    let free = f64::from(store.capacity_bytes.saturating_sub(store.used_bytes));
    let free = quantity::percent(free / f64::from(store.capacity_bytes.max(1)));
    let mut lines = vec![
        ("state", status.state.to_string()),
        ("job", job),
        ("traces", format!("{}{range}, {free} free", store.traces)),
        ("BitScope", scope.unwrap_or_else(|| "not seen yet".to_owned())),
        (
            "firmware",
            format!("{firmware}, up for {} since {}", seconds(status.uptime.seconds()), status.restart),
        ),
    ];
    if let Some(fault) = fault {
        lines.push(("fault", fault));
    }
    Table::named(lines).to_string()
}

/// Stored traces, a line each.
pub(super) fn records(records: &[StoredTrace], as_json: bool) -> String {
    if as_json {
        return records
            .iter()
            .flat_map(|record| [record_json(record).to_string(), "\n".to_owned()])
            .collect();
    }
    let row = |record: &StoredTrace| {
        let StoredTrace { id, cause, stored_bytes, request, .. } = record;
        let request = request_text(request);
        let what = format!("{request}, {stored_bytes} bytes, at {}", seconds(ended_s(record)));
        [id.to_string(), cause.to_string(), what]
    };
    Table::new(records.iter().map(row)).to_string()
}

fn record_json(record: &StoredTrace) -> Value {
    let StoredTrace { id, cause, samples, stored_bytes, request, .. } = record;
    json!({
        "trace": id.0, "cause": cause.to_string(), "channels": request.channels.to_string(),
        "period": request.period_s, "samples": samples, "stored_bytes": stored_bytes, "uptime": ended_s(record),
        "serial": record.scope.map(|serial| serial.to_string()),
    })
}

fn ended_s(record: &StoredTrace) -> f64 {
    record.ended_at.0 as f64 * 1e-6
}
