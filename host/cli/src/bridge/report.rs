//! Reports of a bridge, as text and as JSON.

use scopething_core::link::bridge::{
    BoardSettings, FlashChip, FlashSize, Job, Led, RECORD_VERSION, Repeat, StoreStatus, StoredTrace,
    TimedEvent, ToFlash, WhenFull, wear,
};
use scopething_core::plan::CaptureRequest;
use scopething_core::time::{Instant, Micros};
use serde_json::{Value, json};

use super::bands;
use crate::table::Table;
use scopething::bridge::{BridgeStatus, ListedTrace};
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::quantity::{self, Unit};

fn seconds(time_s: f64) -> String {
    quantity::format(time_s, Unit::Seconds)
}

/// A span in seconds, the number that is nearest to its microseconds: what is printed of it has no more than six places.
fn in_seconds(span: Micros) -> f64 {
    span.0 as f64 / 1e6
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
    let spacing_s = in_seconds(job.spacing);
    let spacing = if spacing_s > 0.0 { format!(", every {}", seconds(spacing_s)) } else { String::new() };
    let flash = match job.flash {
        ToFlash::Each => String::new(),
        ToFlash::Spaced(spacing) => format!(", one each {} to flash", seconds(in_seconds(spacing))),
        ToFlash::Never => ", none to flash".to_owned(),
    };
    let bands: Vec<String> = job.bands.iter().map(bands::text).collect();
    let outside =
        if bands.is_empty() { String::new() } else { format!(", if outside {}", bands.join(" or ")) };
    format!("{}; {repeat}{spacing}{outside}{flash}{keep}, {full}", request_text(&job.request))
}

/// The JSON form of which traces go to flash: "each", "never", or the least time between two in seconds.
fn flash_json(flash: ToFlash) -> Value {
    match flash {
        ToFlash::Each => "each".into(),
        ToFlash::Spaced(spacing) => in_seconds(spacing).into(),
        ToFlash::Never => "never".into(),
    }
}

fn job_json(job: &Job) -> Value {
    json!({
        "channels": job.request.channels.to_string(),
        "period": job.request.period_s,
        "samples": job.request.samples,
        "repeat": match job.repeat { Repeat::Forever => Value::Null, Repeat::Times(times) => times.into() },
        "spacing": in_seconds(job.spacing),
        "keep": job.keep, "flash": flash_json(job.flash),
        "bands": job.bands.iter().map(bands::json).collect::<Vec<_>>(),
        "when_full": match job.when_full { WhenFull::Stop => "stop", WhenFull::DropOldest => "drop-oldest" },
    })
}

/// The fastest that a bridge captures again and again, in seconds a trace: what the emulated one needs for a short one.
const MIN_SPACING_S: f64 = 0.05;

/// A time that the flash lasts, in words.
fn life_text(days: f64) -> String {
    if days < 730.0 { format!("{days:.0} days") } else { format!("{:.0} years", days / 365.25) }
}

/// What is to be known of traces that the firmware cannot read.
pub(super) fn unreadable(store: &StoreStatus) -> String {
    format!(
        "{} traces were stored by firmware of another version, in a form that this one cannot read (it reads form \
         {RECORD_VERSION}): flash the firmware that stored them and fetch those that new traces have not yet overwritten",
        store.unreadable
    )
}

/// How long the flash lasts with a job that captures as often as it may, each trace of so many bytes.
pub(super) fn life_of_job(job: &Job, store: &StoreStatus, trace_bytes: u32) -> String {
    let spacing_s = job.spacing.seconds().max(MIN_SPACING_S);
    let spacing_s = match job.flash {
        ToFlash::Each => spacing_s,
        ToFlash::Spaced(flash) => spacing_s.max(flash.seconds()),
        ToFlash::Never => {
            return "no trace goes to flash, which so lasts: fetch the traces before power goes".to_owned();
        }
    };
    let rate = wear::flash_bytes(trace_bytes) / spacing_s;
    let life = wear::days_left(store.capacity_bytes, store.erasures, rate).unwrap_or(f64::INFINITY);
    format!(
        "a trace each {spacing_s:.2} s at the most goes to the bridge's flash, which lasts {} at that rate: see --flash",
        life_text(life)
    )
}

/// Days that the flash of a bridge lasts if it is written as since power-up; none if nothing was.
fn life_days(status: &BridgeStatus) -> Option<f64> {
    let rate = f64::from(status.store.written_bytes) / status.uptime.seconds().max(1.0);
    wear::days_left(status.store.capacity_bytes, status.store.erasures, rate)
}

/// A size of memory in words.
fn size_text(bytes: u32) -> String {
    if bytes.is_multiple_of(1 << 20) {
        format!("{} MiB", bytes >> 20)
    } else {
        format!("{} KiB", bytes >> 10)
    }
}

/// The size of a flash chip and how that is known, in words.
fn chip_text(chip: &FlashChip) -> String {
    let size = size_text(chip.bytes);
    let size = match chip.size {
        FlashSize::Reported => size,
        FlashSize::Assumed => format!("{size} assumed, as the chip does not report its size"),
        FlashSize::Repeats => format!("{size}, though the chip reports more"),
    };
    if chip.used_bytes < chip.bytes {
        let used = size_text(chip.used_bytes);
        return format!("{size}, of which {used} are used until its traces are erased and it is restarted");
    }
    size
}

/// How the size of a flash chip is known, in JSON.
fn flash_size_name(size: FlashSize) -> &'static str {
    match size {
        FlashSize::Reported => "reported",
        FlashSize::Assumed => "assumed",
        FlashSize::Repeats => "repeats",
    }
}

/// What the time of day was at a moment of the bridge's present start.
#[derive(Debug, Clone, Copy)]
pub(super) struct BridgeClock {
    boot: u32,
    /// At its power-up.
    started: UnixMicros,
}

impl BridgeClock {
    /// From a status that came just now.
    pub(super) fn new(status: &BridgeStatus, now: UnixMicros) -> Self {
        let uptime = i64::try_from(status.uptime.0).unwrap_or(i64::MAX);
        Self { boot: status.boot, started: UnixMicros(now.0.saturating_sub(uptime)) }
    }

    /// The time of day at a moment of the present start.
    fn at(self, at: Instant) -> UnixMicros {
        UnixMicros(self.started.0.saturating_add(i64::try_from(at.0).unwrap_or(i64::MAX)))
    }

    /// When a trace ended: as it was stored with it, or reckoned if the bridge runs since then; else it is not known.
    fn ended(self, record: &StoredTrace) -> Option<UnixMicros> {
        let stored = record.unix.and_then(|unix| i64::try_from(unix.0).ok());
        let reckoned = || (record.boot == self.boot).then(|| self.at(record.ended_at));
        stored.map(UnixMicros).or_else(reckoned)
    }
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
            "uptime": in_seconds(status.uptime), "restart": status.restart, "captures": status.captures,
            "within_bands": status.within_bands,
            "fault": fault, "job": job.map(job_json),
            "traces": {
                "count": store.traces, "oldest": store.oldest.map(|id| id.0), "newest": store.newest.map(|id| id.0),
                "used_bytes": store.used_bytes, "capacity_bytes": store.capacity_bytes, "most": store.max_traces,
                "unreadable": store.unreadable,
            },
            "memory": {
                "count": store.memory_traces, "used_bytes": store.memory_used_bytes, "capacity_bytes": store.memory_bytes,
            },
            "flash": {
                "bytes": status.flash.bytes, "size": flash_size_name(status.flash.size),
                "used_bytes": status.flash.used_bytes, "id": status.flash.id.map(|byte| format!("{byte:02x}")).concat(),
                "erasures": store.erasures, "most_erasures": wear::MAX_ERASURES, "life_days": life_days(status),
            },
            "usb": {
                "state": status.usb.state.to_string(), "fault": status.usb.state.is_fault(),
                "retries": status.usb.retries, "failures": status.usb.failures, "overruns": status.usb.overruns,
            },
            "line": { "overruns": status.line.overruns, "framing": status.line.framing },
            "boot": status.boot,
            "last_failure": status.last_failure.as_ref().map(|(boot, cause)| json!({ "boot": boot, "cause": cause })),
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
    let free = 100.0 * free / f64::from(store.capacity_bytes.max(1));
    let worn = 100.0 * f64::from(store.erasures) / f64::from(wear::MAX_ERASURES);
    let life = life_days(status).map_or_else(
        || "nothing was written since power-up".to_owned(),
        |days| format!("lasts {} as it is written since power-up", life_text(days)),
    );
    let (usb, line) = (&status.usb, &status.line);
    let mut lines = vec![
        ("state", status.state.to_string()),
        ("job", job),
        ("traces", format!("{}{range}, {free:.1}% free, {} at the most", store.traces, store.max_traces)),
        ("flash", format!("{}, {worn:.1}% worn, {life}", chip_text(&status.flash))),
        ("USB", usb.state.to_string()),
        ("BitScope", scope.unwrap_or_else(|| "not seen yet".to_owned())),
        (
            "firmware",
            format!(
                "{firmware}, up for {} s since {}, start {}",
                status.uptime.0 / 1_000_000,
                status.restart,
                status.boot
            ),
        ),
    ];
    if store.memory_traces > 0 {
        let free = f64::from(store.memory_bytes - store.memory_used_bytes.min(store.memory_bytes));
        let free = 100.0 * free / f64::from(store.memory_bytes.max(1));
        let text = format!("{} more traces, {free:.1}% free, lost when power goes", store.memory_traces);
        lines.insert(3, ("memory", text));
    }
    if status.within_bands > 0 {
        let text = format!("{} of {} captures were not kept", status.within_bands, status.captures);
        lines.insert(3, ("within bands", text));
    }
    if store.unreadable > 0 {
        lines.push(("unreadable", unreadable(store)));
    }
    if let Some(fault) = fault {
        lines.push(("fault", fault));
    }
    if let Some((boot, cause)) = &status.last_failure {
        lines.push(("last failure", format!("{cause}, before start {boot}")));
    }
    if usb.retries > 0 || usb.failures > 0 || usb.overruns > 0 {
        let text = format!(
            "{} packets sent again, {} failures, {} overruns",
            usb.retries, usb.failures, usb.overruns
        );
        lines.push(("USB line", text));
    }
    if line.overruns > 0 || line.framing > 0 {
        let text = format!("{} overruns, {} framing errors: check the wires", line.overruns, line.framing);
        lines.push(("UART", text));
    }
    Table::named(lines).to_string()
}

/// The settings of a bridge's board.
pub(super) fn board(settings: BoardSettings, as_json: bool) -> String {
    let BoardSettings { baud, led, trigger_out, trigger_in } = settings;
    if as_json {
        let led = match led {
            Led::None => Value::Null,
            Led::Pin(gpio) => gpio.into(),
            Led::Radio => "radio".into(),
        };
        let object =
            json!({ "baud": baud, "led": led, "trigger_out": trigger_out, "trigger_in": trigger_in });
        return format!("{object}\n");
    }
    let pin = |gpio: Option<u8>| gpio.map_or_else(|| "none".to_owned(), |gpio| format!("GP{gpio}"));
    let (trigger_out, trigger_in) = (pin(trigger_out), pin(trigger_in));
    let led = match led {
        Led::None => pin(None),
        Led::Pin(gpio) => pin(Some(gpio)),
        Led::Radio => "radio, of a Pico W".to_owned(),
    };
    let lines = [("baud", baud.to_string()), ("LED", led)];
    Table::named(lines.into_iter().chain([("trigger output", trigger_out), ("trigger input", trigger_in)]))
        .to_string()
}

/// What has happened on a bridge, a line each.
pub(super) fn events(events: &[TimedEvent], clock: BridgeClock) -> String {
    let row = |event: &TimedEvent| [clock.at(event.at).to_string(), event.event.to_string()];
    Table::new(events.iter().map(row)).to_string()
}

/// Stored traces, a line each.
pub(super) fn records(traces: &[ListedTrace], clock: BridgeClock, as_json: bool) -> String {
    if as_json {
        return traces
            .iter()
            .flat_map(|trace| [record_json(trace, clock).to_string(), "\n".to_owned()])
            .collect();
    }
    let row = |trace: &ListedTrace| {
        let StoredTrace { id, cause, stored_bytes, request, boot, .. } = &trace.record;
        let record = &trace.record;
        let place = if trace.is_in_memory { ", in memory" } else { "" };
        let when = clock.ended(record).map_or_else(
            || format!("{:.1} s after start {boot}", ended_s(record)),
            |ended| ended.to_string(),
        );
        let what = format!("{}, {stored_bytes} bytes{place}", request_text(request));
        [id.to_string(), cause.to_string(), when, what]
    };
    Table::new(traces.iter().map(row)).to_string()
}

fn record_json(trace: &ListedTrace, clock: BridgeClock) -> Value {
    let record = &trace.record;
    let StoredTrace { id, cause, samples, stored_bytes, request, .. } = record;
    json!({
        "trace": id.0, "cause": cause.to_string(), "channels": request.channels.to_string(),
        "period": request.period_s, "samples": samples, "stored_bytes": stored_bytes, "uptime": ended_s(record),
        "boot": record.boot, "time": clock.ended(record).map(|ended| ended.to_string()),
        "in_memory": trace.is_in_memory,
        "serial": record.scope.map(|serial| serial.to_string()),
    })
}

fn ended_s(record: &StoredTrace) -> f64 {
    in_seconds(Micros(record.ended_at.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_printed_with_the_places_that_they_have() {
        for (micros, text) in
            [(789_212, "0.789212"), (11_532_835, "11.532835"), (11_540_000, "11.54"), (0, "0")]
        {
            assert_eq!(in_seconds(Micros(micros)).to_string(), text);
        }
        assert_eq!(seconds(in_seconds(Micros(11_532_835))), "11.532835s");
    }
}
