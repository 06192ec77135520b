//! Experiments 7 and 10: clocks and held lines.

use scopething_core::plan::{LogicLine, LogicPattern};
use scopething_core::vm::Register;

use crate::analysis::{extremes, frequency_hz};
use crate::bench::{Bench, CLOCK_HZ, Capture, LOGIC};
use crate::operator::wire;
use crate::outcome::Notes;
use crate::raw::RawDevice;
use crate::stop::Stop;
use crate::{Finding, Operator};

/// Ticks a period: 10 kHz.
const PERIOD_TICKS: u16 = 4000;
const CLOCK_LINE: u8 = 0x20;
/// How far A must swing for the clock to be there, in volts.
const MIN_SWING_V: f64 = 1.5;
const MAX_FREQUENCY_ERROR: f64 = 0.01;

/// Looks at A before and after `U` as the clock starts and stops.
pub(super) async fn clock(
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<(), Stop> {
    wire(operator, "Join L5 to A, nothing else on either.").await?;
    let mut raw = bench.raw();
    Capture::LOOK.prepare(&mut raw).await?;
    raw.store(&[
        (Register::Map5, 0x12),
        (Register::Rise, 0),
        (Register::Fall, u32::from(PERIOD_TICKS / 2)),
        (Register::Control, 0x80),
        (Register::Clock, PERIOD_TICKS.into()),
        (Register::Cmd, 3),
        (Register::Mode, 0),
    ])
    .await?;
    raw.run(b"Z").await?;
    let (before_update, _) = swing(&mut raw).await?;
    raw.run(b"U").await?;
    let (running, frequency) = swing(&mut raw).await?;
    let read_back = line_toggles(&mut raw).await?;
    raw.store(&[(Register::Map5, 0), (Register::Cmd, 1), (Register::Mode, 0)]).await?;
    raw.run(b"Z").await?;
    let (stopped, _) = swing(&mut raw).await?;
    raw.run(b"U").await?;
    let (updated, _) = swing(&mut raw).await?;
    notes.measured_numbers(
        "swing of A started, after U, stopped, after U (V)",
        &[before_update, running, stopped, updated],
    );
    notes.measured("L5 read back while the clock runs", if read_back { "changes" } else { "steady" });
    if running < MIN_SWING_V {
        return Err(Stop::inconclusive(format!(
            "A swings by {running:.2} V while the clock should run: is L5 joined to A?"
        )));
    }
    if before_update >= MIN_SWING_V {
        notes.found(Finding::MapAtOnce);
    }
    if updated >= MIN_SWING_V {
        notes.found(Finding::ClockStays);
    }
    let asked = CLOCK_HZ / f64::from(PERIOD_TICKS);
    if let Some(hertz) = frequency {
        notes.measured_number("frequency (Hz)", hertz);
        if (hertz / asked - 1.0).abs() > MAX_FREQUENCY_ERROR {
            notes.found(Finding::ClockFrequency { hertz });
        }
    }
    Ok(())
}

/// How far A swings over 6 ms, and how often a second; no `U` is sent.
async fn swing(raw: &mut RawDevice<'_>) -> Result<(f64, Option<f64>), Stop> {
    let look = Capture { samples: 6000, before: 3000, update: false, ..Capture::LOOK };
    let (_, volts) = look.volts(raw).await?;
    let (low, high) = extremes(&volts);
    let period_s = f64::from(look.ticks) / CLOCK_HZ;
    Ok((high - low, frequency_hz(&volts, f64::midpoint(low, high), period_s)))
}

/// Whether L5 changes where it is read back.
async fn line_toggles(raw: &mut RawDevice<'_>) -> Result<bool, Stop> {
    let look = Capture { mode: LOGIC, update: false, ..Capture::LOOK };
    let (_, lines) = look.bytes(raw).await?;
    let high = lines.iter().filter(|byte| *byte & CLOCK_LINE != 0).count();
    Ok(high > 0 && high < lines.len())
}

/// A line held over 1 kohm, in volts.
const MIN_HIGH_V: f64 = 2.0;
const MAX_LOW_V: f64 = 0.8;

/// Holds L3 high, then low.
pub(super) async fn hold(
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<(), Stop> {
    wire(
        operator,
        "Take everything off the logic pins. Then 1 kohm from L3 to GND, and a voltmeter across it.",
    )
    .await?;
    let line = LogicLine::new(3).ok_or_else(|| Stop::failed("there is no L3"))?;
    let mut read_back_agrees = true;
    let mut metered = 0;
    for (high, name) in [(true, "high"), (false, "low")] {
        bench.scope.set_logic_outputs(LogicPattern::line(line, high)).await?;
        let read_back = share_high(&mut bench.raw(), line).await?;
        notes.measured_number(format!("L3 held {name}: part of the time read back as 1"), read_back);
        read_back_agrees &= (read_back > 0.99) == high && (read_back < 0.01) != high;
        let question = format!("L3 is held {name}. What does the voltmeter show?");
        let Some(volts) = operator.voltage(&question).await else { continue };
        metered += 1;
        notes.measured_number(format!("L3 held {name}: by the meter (V)"), volts);
        if if high { volts < MIN_HIGH_V } else { volts > MAX_LOW_V } {
            notes.found(Finding::HeldLevel { how: format!("L3 held {name} over 1 kohm has {volts:.2} V") });
        }
    }
    if metered == 2 || read_back_agrees {
        return Ok(());
    }
    // Lines that are driven may read back as nothing in particular.
    Err(Stop::inconclusive("no meter was read, and L3 does not read back as it is held"))
}

/// The part of a capture in which a line is high; what drives it goes on.
async fn share_high(raw: &mut RawDevice<'_>, line: LogicLine) -> Result<f64, Stop> {
    let (_, lines) = Capture { mode: LOGIC, ..Capture::LOOK }.bytes(raw).await?;
    let high = lines.iter().filter(|byte| *byte & line.bit() != 0).count();
    Ok(high as f64 / lines.len().max(1) as f64)
}
