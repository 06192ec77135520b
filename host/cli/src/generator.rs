//! Runs the generators: prints what they do, starts them, and stops them again.

use std::io::Write;
use std::time::Duration;

use super::capture_arguments::UrlArgument;
use super::failure::Failure;
use super::message::print_status;
use super::session::Session;
use super::table::Table;
use scopething::generate::{GeneratorPlan, GeneratorRequest, stop};
use scopething_waveform::quantity_text::time_span;

/// What is printed and how long it lasts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasting {
    pub(super) json: bool,
    pub(super) lasts: Option<Duration>,
}

/// How often a device that generates is polled, to notice that it was unplugged.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// A byte of the EEPROM that every device has: the first of its serial number ([section 10 of the reference](scopething_core::vm#10-eeprom)).
const SERIAL_ADDRESS: u8 = 0x30;

/// Prints what would be generated, without a device.
pub(super) fn solve(request: &GeneratorRequest, json: bool) -> Result<(), Failure> {
    print(&request.plan().map_err(Failure::usage)?, json)
}

fn print(plan: &GeneratorPlan<'_>, json: bool) -> Result<(), Failure> {
    let mut out = crate::terminal::stdout();
    if json {
        writeln!(out, "{}", plan.to_json())?;
    } else {
        out.write_all(to_text(plan).as_bytes())?;
    }
    Ok(out.flush()?)
}

/// What will be generated, a line a value.
pub(super) fn to_text(plan: &GeneratorPlan<'_>) -> String {
    Table::named(plan.rows()).to_string()
}

/// Starts a generator, prints what it does, and stops it again at Ctrl-C or after a time; in a session that
/// stays it is left on unless a time is given.
pub(super) async fn generate(
    session: &mut Session,
    url: &UrlArgument,
    request: &GeneratorRequest,
    lasting: Lasting,
) -> Result<(), Failure> {
    let interrupts = session.interrupts();
    let stays = session.stays();
    let plan = request.plan().map_err(Failure::usage)?;
    let target = session.resolve(session.url(url)?).await?;
    let scope = session.connect(&target).await?;
    plan.start(scope).await?;
    print(&plan, lasting.json)?;
    let lasts = match lasting.lasts {
        None if stays => return Ok(()),
        None => plan.ends_after(),
        given => given,
    };
    // A time beyond the clock's range means forever.
    let end = lasts.and_then(|lasts| tokio::time::Instant::now().checked_add(lasts));
    match lasts.filter(|_| end.is_some()) {
        Some(lasts) => print_status!("generating for {} (Ctrl-C ends it)", time_span(lasts.as_secs_f64())),
        None => print_status!("generating until Ctrl-C"),
    }
    loop {
        let left = end.map(|end| end.saturating_duration_since(tokio::time::Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(left.map_or(POLL_INTERVAL, |left| left.min(POLL_INTERVAL))) => {}
            () = interrupts.reached(1) => break,
        }
        // Otherwise a device that was unplugged would go unnoticed until the generator is stopped.
        scope.read_eeprom(SERIAL_ADDRESS).await?;
    }
    Ok(stop(scope).await?)
}
