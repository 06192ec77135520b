//! Experiments 5 and 8: the level of the trigger, and the patterns of logic lines.

use crate::analysis::{LinearFit, mean};
use crate::bench::start_seen;
use crate::bench::{Bench, Capture, LOGIC, Shape, Trigger, Wave};
use crate::operator::wire;
use crate::outcome::Notes;
use crate::raw::RawDevice;
use crate::stop::Stop;
use crate::{Finding, Operator, Reply};

/// A triangle of 100 Hz over the whole output.
const TRIANGLE: Wave = Wave { shape: Shape::Triangle, symmetry: 0.5, ticks: 400, low: 0.0, high: 3.3 };
const LEVELS: [f64; 5] = [0.5, 1.0, 1.65, 2.5, 3.0];
/// Samples before the trigger.
const BEFORE: u16 = 50;
const MAX_GAIN_ERROR: f64 = 0.1;
const MAX_OFFSET_V: f64 = 0.15;
/// How far the voltages at the trigger may lie from a straight line.
const MAX_RESIDUAL_V: f64 = 0.15;

/// The voltage of A where the trigger fires, for several levels.
pub(super) async fn level(
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<(), Stop> {
    wire(operator, "Join L4 to A, nothing else on either.").await?;
    let mut raw = bench.raw();
    start_seen(&mut raw, TRIANGLE, notes).await?;
    let mut points = Vec::new();
    for level in LEVELS {
        let at_trigger = volts_at_trigger(&mut raw, level).await?;
        if let Some(volts) = at_trigger {
            points.push((level, volts));
        }
        match at_trigger {
            Some(volts) => notes.measured_number(format!("A at the trigger for {level} V"), volts),
            None => notes.measured(format!("A at the trigger for {level} V"), "no trigger"),
        }
    }
    let Some(line) = LinearFit::through(&points) else {
        return Err(Stop::inconclusive(
            "the trigger came for fewer than two levels that A crosses: experiment 8 shows whether it watches A",
        ));
    };
    notes.measured_numbers("volts at the trigger: gain, offset (V)", &[line.gain, line.offset]);
    judge_level(line, points.len() == LEVELS.len(), notes)
}

fn judge_level(line: LinearFit, all_came: bool, notes: &mut Notes) -> Result<(), Stop> {
    let LinearFit { gain, offset, residual } = line;
    if residual > MAX_RESIDUAL_V {
        return Err(Stop::inconclusive(format!(
            "the trigger fires up to {residual:.2} V from any straight line: it does not follow A, see experiment 8"
        )));
    }
    let is_near = |wanted: f64| (gain / wanted - 1.0).abs() <= MAX_GAIN_ERROR && offset.abs() <= MAX_OFFSET_V;
    if is_near(2.0) {
        notes.found(Finding::HalfTriggerLevel { gain });
    } else if !is_near(1.0) {
        notes.found(Finding::TriggerLevelScale { gain, offset });
    } else if !all_came {
        return Err(Stop::inconclusive("the trigger did not come for all levels that A crosses"));
    }
    Ok(())
}

/// The voltage of A around the trigger; none if it does not come.
async fn volts_at_trigger(raw: &mut RawDevice<'_>, level: f64) -> Result<Option<f64>, Stop> {
    // 20 us a sample: the triangle passes a noise of some millivolts from one sample to the next, so that the trigger's
    // filter sees one edge.
    let capture = Capture {
        samples: 200,
        before: BEFORE,
        ticks: 800,
        trigger: Trigger::Rising(level),
        wait_s: 0.3,
        waveform: true,
        ..Capture::LOOK
    };
    let (end, volts) = capture.volts(raw).await?;
    let before = usize::from(BEFORE);
    // Within these the triangle rises steadily for all levels: their mean is its voltage in the middle.
    let around = volts.get(before - 5..=before + 5).unwrap_or_default();
    Ok((end.token == 0).then(|| mean(around)))
}

/// Lines L7 and L6 show the comparators of A and B.
const COMPARATOR_LINES: u8 = 0xc0;
const LEVEL_BELOW_ALL: u16 = 0;
const LEVEL_ABOVE_ALL: u16 = 0xffff;
/// L3 high and L5 low.
const WIRED_LINES: u8 = 0x28;
const WIRED_LEVELS: u8 = 0x08;
/// How often each trigger is tried: lines that change by themselves agree with a pattern now and then.
const TRIES: usize = 3;

/// Whether patterns fire that are there, for both meanings of a 1 bit in `TriggerMask`.
pub(super) async fn pattern(
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<(), Stop> {
    // The comparators are high or low by their level, whatever the inputs see.
    let low = Steady { lines: COMPARATOR_LINES, levels: COMPARATOR_LINES, level: LEVEL_BELOW_ALL };
    let high = Steady { lines: COMPARATOR_LINES, levels: 0, level: LEVEL_ABOVE_ALL };
    let mut raw = bench.raw();
    let mut meanings = vec![
        meaning_of_mask(&mut raw, low, "L7=1,L6=1", notes).await?,
        meaning_of_mask(&mut raw, high, "L7=0,L6=0", notes).await?,
    ];
    let instruction =
        "If you can: L3 to 3.3 V (or 5 V over 10 kohm), L5 to GND; the other logic pins stay open.";
    if operator.wire(instruction).await == Reply::Done {
        let wired = Steady { lines: WIRED_LINES, levels: WIRED_LEVELS, level: LEVEL_ABOVE_ALL };
        if is_steady(&mut bench.raw(), wired).await? {
            meanings.push(meaning_of_mask(&mut bench.raw(), wired, "L3=1,L5=0", notes).await?);
        } else {
            notes.measured("L3=1,L5=0", "not wired so");
        }
    }
    let agreed = meanings.first().copied().filter(|first| meanings.iter().all(|other| other == first));
    match agreed {
        Some(Meaning::DoNotCare) => steady_level(&mut bench.raw(), low, !low.lines, notes).await,
        Some(Meaning::Care) => {
            notes.found(Finding::InvertedMask);
            steady_level(&mut bench.raw(), low, low.lines, notes).await
        }
        _ => Err(Stop::inconclusive(
            "whether a pattern fires does not depend on it as it should, for either meaning of the mask",
        )),
    }
}

/// Lines that have known levels all the time.
#[derive(Debug, Clone, Copy)]
struct Steady {
    lines: u8,
    levels: u8,
    /// The level of the comparators.
    level: u16,
}

/// What a 1 bit of `TriggerMask` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    DoNotCare,
    Care,
    Unclear,
}

impl Steady {
    fn capture(self, logic: u8, mask: u8, edge: bool) -> Capture {
        let trigger = Trigger::Pattern { logic, mask, edge, level: self.level };
        Capture { mode: LOGIC, samples: 200, before: 50, trigger, wait_s: 0.02, ..Capture::LOOK }
    }
}

/// How often of [`TRIES`] a trigger fires.
async fn fires(raw: &mut RawDevice<'_>, capture: Capture) -> Result<usize, Stop> {
    let mut fired = 0;
    for _ in 0..TRIES {
        fired += usize::from(capture.trace(raw).await?.token == 0);
    }
    Ok(fired)
}

/// Tries the pattern that is there and its opposite, with both masks: the right mask makes a difference of them.
async fn meaning_of_mask(
    raw: &mut RawDevice<'_>,
    steady: Steady,
    name: &str,
    notes: &mut Notes,
) -> Result<Meaning, Stop> {
    let opposite = !steady.levels & steady.lines;
    let mut counts = Vec::new();
    for mask in [!steady.lines, steady.lines] {
        for logic in [steady.levels, opposite] {
            counts.push(fires(raw, steady.capture(logic, mask, false)).await?);
        }
    }
    notes.measured(
        format!("{name}: fired with its lines 0 in the mask, as is and swapped, then 1 in the mask"),
        counts.clone(),
    );
    let follows = |counts: &[usize]| counts == [TRIES, 0];
    Ok(match (follows(&counts[..2]), follows(&counts[2..])) {
        (true, false) => Meaning::DoNotCare,
        (false, true) => Meaning::Care,
        _ => Meaning::Unclear,
    })
}

/// Whether the lines have their levels over a capture.
async fn is_steady(raw: &mut RawDevice<'_>, steady: Steady) -> Result<bool, Stop> {
    let capture = Capture { trigger: Trigger::Never, ..steady.capture(0, 0, false) };
    let (_, lines) = capture.bytes(raw).await?;
    Ok(lines.iter().all(|byte| byte & steady.lines == steady.levels))
}

/// Whether an edge trigger fires on a pattern that is there all the time.
async fn steady_level(
    raw: &mut RawDevice<'_>,
    steady: Steady,
    mask: u8,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let fired = fires(raw, steady.capture(steady.levels, mask, true)).await?;
    notes.measured("an edge trigger fired on a steady pattern", fired);
    if fired > 0 {
        notes.found(Finding::SteadyLevelFires);
    }
    Ok(())
}
