//! Experiments 4 and 6: which samples a dump that is counted back from the end address holds.

use crate::analysis::{jumps, rises};
use crate::bench::start_seen;
use crate::bench::{ANALOG, Bench, Capture, MACRO, Mode, Shape, Trigger, Wave};
use crate::operator::wire;
use crate::outcome::Notes;
use crate::raw::{NATIVE, RAW, RawDevice};
use crate::stop::Stop;
use crate::{Finding, Operator};

const WIRING: &str = "Join L4 to A, nothing else on either.";

/// Samples before the trigger, and where the edge is assumed to lie.
const BEFORE: u16 = 50;
const EDGE_CAPTURES: usize = 8;
/// The level of the edge, in volts.
const EDGE_LEVEL_V: f64 = 1.6;
/// What can be an error of counting; an edge further off has another cause.
const MAX_SHIFT: i64 = 2;

/// The device, with a square of 1 kHz that A sees.
async fn square_seen<'b>(
    bench: &'b mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<RawDevice<'b>, Stop> {
    wire(operator, WIRING).await?;
    let mut raw = bench.raw();
    start_seen(&mut raw, Wave::SQUARE_1KHZ, notes).await?;
    Ok(raw)
}

/// A square of 1 kHz, 200 samples over 200 us: the edge must be sample 50.
pub(super) async fn edge(
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let mut raw = square_seen(bench, operator, notes).await?;
    let mut shifts = Vec::new();
    for mode in [MACRO, ANALOG] {
        let edges = edges_of(&mut raw, mode).await?;
        notes.measured(format!("sample of the edge, {}", mode.name), edges.clone());
        shifts.extend(edges.iter().map(|edge| edge - i64::from(BEFORE)));
    }
    let (Some(&first), Some(&last)) = (shifts.iter().min(), shifts.iter().max()) else {
        return Err(Stop::inconclusive("no edge was captured"));
    };
    if last - first > 1 {
        return Err(Stop::inconclusive(format!(
            "the edge moves between samples {} and {}: the trigger does not follow A, see experiment 8",
            first + i64::from(BEFORE),
            last + i64::from(BEFORE)
        )));
    }
    // Where it lies most of the time.
    shifts.sort_unstable();
    let samples = shifts.get(shifts.len() / 2).copied().unwrap_or(0);
    if samples != 0 {
        notes.found(shifted_window(samples).unwrap_or(Finding::TriggerElsewhere { samples }));
    }
    Ok(())
}

/// A window that begins so many samples before where it should, or behind it where that is negative; none if that is no
/// error of counting.
fn shifted_window(early: i64) -> Option<Finding> {
    match early {
        samples @ 1..=MAX_SHIFT => Some(Finding::EarlyWindow { samples }),
        early if (-MAX_SHIFT..0).contains(&early) => Some(Finding::LateWindow { samples: -early }),
        _ => None,
    }
}

async fn edges_of(raw: &mut RawDevice<'_>, mode: Mode) -> Result<Vec<i64>, Stop> {
    let capture = Capture {
        mode,
        samples: 200,
        before: BEFORE,
        trigger: Trigger::Rising(EDGE_LEVEL_V),
        wait_s: 0.1,
        waveform: true,
        ..Capture::LOOK
    };
    let mut edges = Vec::new();
    for _ in 0..EDGE_CAPTURES {
        let (end, volts) = capture.volts(raw).await?;
        if end.token != 0 {
            return Err(Stop::inconclusive(format!(
                "A crosses {EDGE_LEVEL_V} V, but the trigger did not come: see experiments 5 and 8"
            )));
        }
        let rises = rises(&volts, EDGE_LEVEL_V);
        // Half a period is longer than the capture: there is one edge, or none.
        let [edge] = rises[..] else {
            return Err(Stop::inconclusive(format!(
                "a capture has {} edges of A where it must have one: the trigger does not follow A, \
                 see experiment 8",
                rises.len()
            )));
        };
        edges.push(i64::try_from(edge).unwrap_or(i64::MAX));
    }
    Ok(edges)
}

/// Captures of the saw that are tried until one does not hold its fall.
const MAX_SAWS: usize = 12;
/// A saw of 20 Hz: over a full buffer it rises by a quarter of its range at most.
const SAW: Wave = Wave { shape: Shape::Triangle, symmetry: 1.0, ticks: 2000, low: 0.0, high: 3.3 };

/// A full buffer of a slow saw, and which samples a short capture leaves as they were.
pub(super) async fn full_buffer(
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<(), Stop> {
    let mut raw = square_seen(bench, operator, notes).await?;
    let mut written = Vec::new();
    for mode in [ANALOG, MACRO] {
        let samples = samples_written(&mut raw, mode).await?;
        notes.measured(format!("{}: samples beyond those asked for, at the end address", mode.name), {
            vec![samples.beyond, samples.behind_end]
        });
        written.push(samples);
    }
    SAW.start(&mut raw).await?;
    let full = saw_jumps(&mut raw, ANALOG.width).await?;
    let less = saw_jumps(&mut raw, ANALOG.width - 1).await?;
    notes.measured("out of line in a full buffer, after sample", full.clone());
    notes.measured("out of line in one sample less, after sample", less.clone());
    judge_window(&written, (&full, &less), notes)
}

fn judge_window(
    written: &[SamplesWritten],
    (full, less): (&[usize], &[usize]),
    notes: &mut Notes,
) -> Result<(), Stop> {
    let Some(samples) = written.first().filter(|first| written.iter().all(|other| other == *first)) else {
        return Err(Stop::inconclusive("8 and 16 bit write a different number of samples"));
    };
    let SamplesWritten { beyond, behind_end } = *samples;
    match (beyond, behind_end) {
        (0, 1) if (full, less) == (&[0], &[]) => {}
        (0, 0) if (full, less) == (&[], &[]) => notes.found(Finding::CleanEndAddress),
        // One sample more than counted is written, and the end address is counted otherwise.
        _ => match shifted_window(-beyond).filter(|_| beyond + behind_end == 1) {
            Some(finding) => notes.found(finding),
            None => {
                return Err(Stop::inconclusive(format!(
                    "the end address lies {beyond:+} samples from where it should, {behind_end} samples are \
                     written from it on, and a full buffer is out of line after {full:?}: that has no simple \
                     explanation"
                )));
            }
        },
    }
    Ok(())
}

/// What a capture of known length writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SamplesWritten {
    /// How far the end address lies beyond the samples asked for.
    beyond: i64,
    /// Samples written at the end address and behind it.
    behind_end: i64,
}

/// Fills the buffer with a high voltage, then captures a few samples of a low one that start at address 0.
async fn samples_written(raw: &mut RawDevice<'_>, mode: Mode) -> Result<SamplesWritten, Stop> {
    const HIGH_V: f64 = 3.0;
    const LOW_V: f64 = 0.3;
    const SAMPLES: u16 = 400;
    const MARGIN: u16 = 16;
    Wave::steady(HIGH_V).start(raw).await?;
    let look = Capture { mode, waveform: true, ..Capture::LOOK };
    Capture { samples: mode.width, before: mode.width / 2, ..look }.trace(raw).await?;
    Wave::steady(LOW_V).start(raw).await?;
    let at_once = Trigger::Pattern { logic: 0x80, mask: 0x7f, edge: false, level: 0 };
    let short = Capture { samples: SAMPLES, before: 0, trigger: at_once, wait_s: 0.1, ..look };
    let end = short.trace(raw).await?;
    if end.token != 0 {
        return Err(Stop::inconclusive("a level trigger that is true from the start did not fire"));
    }
    let form = if mode == MACRO { NATIVE } else { RAW };
    let bytes = raw.dump((0, form), 0, SAMPLES + MARGIN).await?;
    let volts = look.volts_of(&bytes);
    let written = volts.iter().take_while(|volts| (**volts - LOW_V).abs() < 0.5).count();
    let written = i64::try_from(written).unwrap_or(i64::MAX);
    if written == i64::from(SAMPLES + MARGIN) || written < i64::from(SAMPLES - MARGIN) {
        return Err(Stop::inconclusive(format!(
            "{written} samples of a capture of {SAMPLES} were written from address 0 on: the trigger was late, or \
             the capture begins elsewhere"
        )));
    }
    let end = i64::from(end.address);
    Ok(SamplesWritten { beyond: end - i64::from(SAMPLES), behind_end: written - end })
}

/// After which samples the rising saw is broken.
async fn saw_jumps(raw: &mut RawDevice<'_>, samples: u16) -> Result<Vec<usize>, Stop> {
    let capture = Capture { mode: ANALOG, samples, before: samples / 2, waveform: true, ..Capture::LOOK };
    for _ in 0..MAX_SAWS {
        let (_, volts) = capture.volts(raw).await?;
        // Half of what the saw rises by over the capture.
        let breaks: Vec<usize> = jumps(&volts, 0.4).into_iter().map(|index| index - 1).collect();
        let holds_the_fall = breaks.iter().any(|&at| (4..volts.len() - 4).contains(&at));
        if !holds_the_fall {
            return Ok(breaks);
        }
    }
    Err(Stop::inconclusive("every capture of the saw holds its fall: does it have 20 Hz?"))
}
