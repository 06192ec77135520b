//! Experiment 3: what known voltages are measured as.

use crate::analysis::{LinearFit, mean, median};
use crate::bench::{ANALOG, Bench, Capture, Wave, word_fraction, words};
use crate::operator::wire;
use crate::outcome::Notes;
use crate::raw::RawDevice;
use crate::stop::Stop;
use crate::{Finding, Operator};

/// What the generator puts out, in volts.
const LEVELS: [f64; 5] = [0.5, 1.0, 1.5, 2.0, 2.5];
/// What an uncalibrated device may be off.
const MAX_GAIN_ERROR: f64 = 0.05;
const MAX_OFFSET_V: f64 = 0.15;
/// Points of a straight line lie no further from it.
const MAX_RESIDUAL_V: f64 = 0.08;

/// What two bytes are as a part of the range.
type Decode = fn([u8; 2]) -> f64;
/// How two bytes may make a sample.
const FORMS: [(&str, Decode); 4] = [
    ("signed, high byte first", word_fraction),
    ("unsigned, high byte first", |word| f64::from(u16::from_be_bytes(word)) / 65536.0),
    ("signed, low byte first", |[low, high]| word_fraction([high, low])),
    ("unsigned, low byte first", |word| f64::from(u16::from_le_bytes(word)) / 65536.0),
];

pub(super) async fn run(
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<(), Stop> {
    wire(operator, "Join A to GND.").await?;
    let ground = mean(&Capture::LOOK.volts(&mut bench.raw()).await?.1);
    notes.measured_number("A on ground (V)", ground);
    wire(operator, "Take A off GND and join it to L4.").await?;
    let (bytes, words_of_levels) = measure_levels(&mut bench.raw()).await?;
    let eight_bit = LinearFit::through(&bytes);
    notes.measured("A in 8 bit for volts at L4", pairs(&bytes));
    let lines = FORMS.map(|(form, fraction)| (form, line_of(&words_of_levels, fraction)));
    let Some((form, line)) = lines.into_iter().find(|(_, line)| line.is_some_and(is_straight)) else {
        return Err(Stop::inconclusive("A does not follow what the generator puts out: is L4 joined to A?"));
    };
    notes.measured("samples of 16 bits make sense as", form);
    if form != FORMS[0].0 {
        notes.found(Finding::SampleFormat { form });
    }
    let line = line.or(eight_bit).ok_or_else(|| Stop::inconclusive("no voltage was measured"))?;
    notes.measured_numbers("gain, offset (V) of A", &[line.gain, line.offset]);
    let cell = measure_cell(bench, operator, notes).await?;
    let wrong_cell = cell.is_some_and(|(at_input, measured)| {
        (measured - at_input).abs() > MAX_OFFSET_V + MAX_GAIN_ERROR * at_input.abs()
    });
    let wrong = (line.gain - 1.0).abs() > MAX_GAIN_ERROR || line.offset.abs() > MAX_OFFSET_V;
    if wrong || wrong_cell || ground.abs() > MAX_OFFSET_V {
        notes.found(Finding::VoltageScale { gain: line.gain, offset: ground });
    }
    Ok(())
}

/// For each level: volts in 8 bit, and the bytes of a capture of 16 bits.
async fn measure_levels(raw: &mut RawDevice<'_>) -> Result<(Vec<(f64, f64)>, Vec<(f64, Vec<u8>)>), Stop> {
    let (mut eight_bit, mut words) = (Vec::new(), Vec::new());
    for level in LEVELS {
        Wave::steady(level).start(raw).await?;
        let look = Capture { waveform: true, ..Capture::LOOK };
        words.push((level, look.bytes(raw).await?.1));
        let (_, volts) = Capture { mode: ANALOG, ..look }.volts(raw).await?;
        eight_bit.push((level, mean(&volts)));
    }
    Ok((eight_bit, words))
}

fn line_of(levels: &[(f64, Vec<u8>)], fraction: Decode) -> Option<LinearFit> {
    let Capture { low, high, .. } = Capture::LOOK;
    let volts = |bytes: &[u8]| {
        let fractions: Vec<f64> = words(bytes).map(fraction).collect();
        low + median(&fractions) * (high - low)
    };
    let points: Vec<(f64, f64)> = levels.iter().map(|(level, bytes)| (*level, volts(bytes))).collect();
    LinearFit::through(&points)
}

/// A line that rises and has its points on it: what the right form makes of steady voltages.
fn is_straight(line: LinearFit) -> bool {
    (0.5..2.0).contains(&line.gain) && line.residual < MAX_RESIDUAL_V
}

/// The voltage of a cell by a meter, and by A.
async fn measure_cell(
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<Option<(f64, f64)>, Stop> {
    let question = "Join A to the + of a cell of 1.5 V, its - to GND. What does a voltmeter show?";
    let Some(at_input) = operator.voltage(question).await else { return Ok(None) };
    let measured = mean(&Capture::LOOK.volts(&mut bench.raw()).await?.1);
    notes.measured_numbers("the cell by a meter, by A (V)", &[at_input, measured]);
    Ok(Some((at_input, measured)))
}

fn pairs(points: &[(f64, f64)]) -> serde_json::Value {
    points.iter().map(|(level, volts)| serde_json::json!([level, (volts * 1e3).round() / 1e3])).collect()
}
