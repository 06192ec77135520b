//! What the generators do: told, started, and stopped again.

use std::io::{self, Write};
use std::time::Duration;

use super::capture_arguments::UrlArgument;
use super::failure::Failure;
use super::session::{Session, stop};
use scopething::generate::{GeneratorPlan, GeneratorRequest};

/// What is printed and how long it lasts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lasting {
    pub(super) json: bool,
    pub(super) lasts: Option<Duration>,
}

/// How often a device that generates is asked whether it is still there.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// A byte of the EEPROM that every device has: the first of its serial number ([section 10 of the reference](scopething_core::vm#10-eeprom)).
const SERIAL_ADDRESS: u8 = 0x30;

/// Tells what would be generated, without a device.
pub(super) fn solve(wanted: &GeneratorRequest, json: bool) -> Result<(), Failure> {
    print(&wanted.plan().map_err(Failure::usage)?, json)
}

fn print(generation: &GeneratorPlan<'_>, json: bool) -> Result<(), Failure> {
    let mut out = io::stdout();
    if json {
        writeln!(out, "{}", generation.to_json())?;
    } else {
        out.write_all(generation.to_text().as_bytes())?;
    }
    Ok(out.flush()?)
}

/// Starts a generator, tells what it does, and stops it again at Ctrl-C or after a time; in a session that
/// stays it is left on unless a time is given.
pub(super) async fn generate(
    session: &mut Session,
    url: &UrlArgument,
    wanted: &GeneratorRequest,
    lasting: Lasting,
) -> Result<(), Failure> {
    let interrupts = session.interrupts();
    let stays = session.stays();
    let generation = wanted.plan().map_err(Failure::usage)?;
    let target = session.resolve(session.url(url)?).await?;
    let scope = session.connect(&target).await?;
    generation.start(scope).await?;
    print(&generation, lasting.json)?;
    let lasts = match lasting.lasts {
        None if stays => return Ok(()),
        None => generation.ends_after(),
        given => given,
    };
    // A time beyond what a clock can count is for ever.
    let end = lasts.and_then(|lasts| tokio::time::Instant::now().checked_add(lasts));
    if end.is_none() {
        anstream::eprintln!("generating until Ctrl-C");
    }
    loop {
        let left = end.map(|end| end.saturating_duration_since(tokio::time::Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(left.map_or(LOOK_AFTER, |left| left.min(LOOK_AFTER))) => {}
            () = interrupts.reached(1) => break,
        }
        // One that has gone would not be missed before it is told to stop.
        scope.read_eeprom(SERIAL_ADDRESS).await?;
    }
    Ok(stop(scope).await?)
}
