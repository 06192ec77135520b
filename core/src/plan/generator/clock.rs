//! The planner of clock outputs.

use core::fmt;

use libm::{fabs, floor, rint};

use super::CLOCK_OUTPUT_ON;
use crate::device::Model;
use crate::list::list;
use crate::plan::{AnalogChannel, LogicLine, LogicPattern};
use crate::vm::Register;

/// One clock output: a logic line, and when in the period it is high.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClockOutput {
    /// The line that it drives.
    pub line: LogicLine,
    /// How much later than the beginning of the period it rises, as a part of the period, 0 to below 1.
    pub phase: f64,
    /// The part of the period in which it is high, 0 to 1: 0 holds the line low, 1 holds it high, and
    /// whatever lies between is at least a tick high and a tick low.
    pub duty: f64,
}

impl ClockOutput {
    /// A symmetrical clock that rises with the period.
    #[must_use]
    pub const fn new(line: LogicLine) -> Self {
        Self { line, phase: 0.0, duty: 0.5 }
    }
}

list! {
    /// The clock outputs of a request or a plan, as a slice: at most [`ClockRequest::MAX_OUTPUTS`].
    ClockOutputs of ClockOutput, at most ClockRequest::MAX_OUTPUTS
}

list! {
    /// Registers with their values, as a slice.
    ClockRegisters of (Register, u32), at most ClockPlan::REGISTERS
}

/// What a user asks of the clock outputs, which share one period.
///
/// ```
/// use scopething_core::device::BS05;
/// use scopething_core::plan::{ClockOutput, ClockRequest, LogicLine, plan_clocks};
///
/// // Quadrature on L4 and L5.
/// let (a, b) = (ClockOutput::new(LogicLine::WAVEFORM), ClockOutput::new(LogicLine::CLOCK));
/// let request = ClockRequest::new(1e6, &[a, ClockOutput { phase: 0.25, ..b }])?;
/// let plan = plan_clocks(&BS05, &request)?;
/// assert_eq!((plan.ticks, plan.outputs[1].phase), (40, 0.25));
/// # Ok::<(), scopething_core::plan::ClockError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClockRequest {
    /// The frequency, in hertz.
    pub frequency_hz: f64,
    /// The outputs.
    pub outputs: ClockOutputs,
    /// How far the frequency may be off, as a part of it.
    pub max_error: f64,
}

impl ClockRequest {
    /// How many clock outputs the device has ([section 9 of the reference](crate::vm#9-generators)).
    pub const MAX_OUTPUTS: usize = 3;

    /// Clocks of a frequency in hertz, which may be off by 1e-4 of it.
    ///
    /// # Errors
    /// [`ClockError::TooManyOutputs`].
    pub fn new(frequency_hz: f64, outputs: &[ClockOutput]) -> Result<Self, ClockError> {
        let mut list = ClockOutputs::new();
        for &output in outputs {
            if !list.push(output) {
                return Err(ClockError::TooManyOutputs { asked: outputs.len() });
            }
        }
        Ok(Self { frequency_hz, outputs: list, max_error: 1e-4 })
    }
}

/// Clocks as they will be programmed, and what will come out.
///
/// Made by [`plan_clocks`]; the fields belong together and are for reading.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ClockPlan {
    /// Ticks of the primary clock in a period.
    pub ticks: u16,
    /// The frequency that comes out, in hertz.
    pub frequency_hz: f64,
    /// How far that is from the frequency asked for, as a part of it; above 0 where it is higher.
    pub error: f64,
    /// The outputs with the phases and duties that come out.
    pub outputs: ClockOutputs,
    edges: heapless::Vec<Edges, { ClockRequest::MAX_OUTPUTS }>,
}

/// When an output rises and falls, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Edges {
    rise: u16,
    fall: u16,
}

/// The registers of one clock output, and the value of a `Map` register that puts it on a line
/// ([section 3 of the reference](crate::vm#3-registers)).
struct OutputRegisters {
    rise: Register,
    fall: Register,
    control: Register,
    map: u8,
}

const OUTPUTS: [OutputRegisters; ClockRequest::MAX_OUTPUTS] = [
    OutputRegisters { rise: Register::Rise, fall: Register::Fall, control: Register::Control, map: 0x12 },
    OutputRegisters { rise: Register::Rise2, fall: Register::Fall2, control: Register::Control2, map: 0x13 },
    OutputRegisters { rise: Register::Rise3, fall: Register::Fall3, control: Register::Control3, map: 0x14 },
];

impl ClockPlan {
    /// The most registers that [`Self::registers`] gives: four an output, and `Clock`, `Cmd`, `Mode`.
    pub const REGISTERS: usize = 4 * ClockRequest::MAX_OUTPUTS + 3;

    /// The registers of `Z`, which starts the clocks.
    #[must_use]
    pub fn registers(&self) -> ClockRegisters {
        let each = self.outputs.iter().zip(&self.edges).zip(&OUTPUTS);
        let outputs = each.flat_map(|((output, edges), registers)| {
            [
                (map_register(output.line), registers.map.into()),
                (registers.rise, edges.rise.into()),
                (registers.fall, edges.fall.into()),
                (registers.control, CLOCK_OUTPUT_ON),
            ]
        });
        let shared = [(Register::Clock, self.ticks.into()), (Register::Cmd, 3), (Register::Mode, 0)];
        let mut registers = ClockRegisters::new();
        for register in outputs.chain(shared) {
            // There is room for all that three outputs can have.
            let _ = registers.push(register);
        }
        registers
    }

    /// The lines that the clocks drive, a bit each.
    #[must_use]
    pub fn lines(&self) -> u8 {
        self.outputs.iter().fold(0, |lines, output| lines | output.line.bit())
    }
}

/// The register that selects what drives a line.
pub(crate) fn map_register(line: LogicLine) -> Register {
    match line.number() {
        0 => Register::Map0,
        1 => Register::Map1,
        2 => Register::Map2,
        3 => Register::Map3,
        4 => Register::Map4,
        5 => Register::Map5,
        6 => Register::Map6,
        _ => Register::Map7,
    }
}

/// Clocks that cannot be generated.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ClockError {
    /// The frequency is not a positive number of hertz.
    Frequency(f64),
    /// The largest error is not a number from 0 on.
    MaxError(f64),
    /// No output was asked for.
    NoOutput,
    /// More outputs than the device has.
    TooManyOutputs {
        /// How many were asked for.
        asked: usize,
    },
    /// A line that cannot be held: it is the output of a comparator.
    ComparatorLine(LogicLine),
    /// Two outputs on one line.
    SameLine(LogicLine),
    /// A duty that is not between 0 and 1.
    Duty {
        /// The line it was asked for.
        line: LogicLine,
        /// The duty.
        duty: f64,
    },
    /// A phase that is not between 0 and 1.
    Phase {
        /// The line it was asked for.
        line: LogicLine,
        /// The phase.
        phase: f64,
    },
    /// No number of ticks comes near enough.
    Unreachable {
        /// The frequency asked for, in hertz.
        frequency_hz: f64,
        /// The error allowed.
        max_error: f64,
        /// The nearest frequency that can be met, in hertz.
        nearest_hz: f64,
        /// How far it is off, as a part of the frequency asked for; above 0 where it is higher.
        nearest_error: f64,
    },
}

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frequency(frequency) => {
                write!(f, "the frequency {frequency} Hz is not one: give more than 0 Hz")
            }
            Self::MaxError(error) => {
                write!(f, "the largest error {error} is not a part of the frequency: give 0 or more")
            }
            Self::NoOutput => f.write_str("no clock output was asked for: name a line"),
            Self::TooManyOutputs { asked } => write!(
                f,
                "{asked} clock outputs are more than there are: ask for {} at most",
                ClockRequest::MAX_OUTPUTS
            ),
            Self::ComparatorLine(line) => {
                write!(f, "{line} shares its pin with a comparator and is not held: hold one of L0 to L5")
            }
            Self::SameLine(line) => {
                write!(f, "two clock outputs on {line}: give each a line of its own")
            }
            Self::Duty { line, duty } => {
                write!(f, "the duty {duty} on {line} is not a part of the period: give 0 to 1")
            }
            Self::Phase { line, phase } => {
                write!(f, "the phase {phase} on {line} is not a part of the period: give 0 to below 1")
            }
            Self::Unreachable { frequency_hz, max_error, nearest_hz, nearest_error } => write!(
                f,
                "{frequency_hz} Hz cannot be met within {max_error:e}: ask for {nearest_hz} Hz, the \
                 nearest that can, or allow an error of {:.1e}",
                super::to_allow(*nearest_error)
            ),
        }
    }
}

impl core::error::Error for ClockError {}

/// Plans clocks: the period nearest to the frequency, and the nearest edges.
///
/// # Errors
/// [`ClockError`] for numbers that make no sense, and with the nearest frequency where none is near enough.
pub fn plan_clocks(model: &Model, request: &ClockRequest) -> Result<ClockPlan, ClockError> {
    check(request)?;
    let (frequency_hz, max_error) = (request.frequency_hz, request.max_error);
    let ticks = nearest_ticks(model, frequency_hz);
    let nearest_hz = model.clock_hz / f64::from(ticks);
    let error = (nearest_hz - frequency_hz) / frequency_hz;
    if fabs(error) > max_error {
        return Err(ClockError::Unreachable { frequency_hz, max_error, nearest_hz, nearest_error: error });
    }
    let mut plan = ClockPlan {
        ticks,
        frequency_hz: nearest_hz,
        error,
        outputs: ClockOutputs::new(),
        edges: heapless::Vec::new(),
    };
    for &output in &request.outputs {
        let (edges, real) = place_edges(output, ticks);
        let room = plan.outputs.push(real) && plan.edges.push(edges).is_ok();
        if !room {
            return Err(ClockError::TooManyOutputs { asked: request.outputs.len() });
        }
    }
    Ok(plan)
}

/// Plans outputs that hold lines high or low: clock outputs whose other edge never comes. The period is the
/// longest there is.
///
/// This is experimental: it follows from what is known of clock outputs, and has not been tried on a device.
///
/// # Errors
/// [`ClockError::NoOutput`], [`ClockError::TooManyOutputs`], and [`ClockError::ComparatorLine`] for L6 and L7.
pub fn plan_levels(model: &Model, levels: LogicPattern) -> Result<ClockPlan, ClockError> {
    let lines = LogicLine::all().filter(|line| levels.care & line.bit() != 0);
    let mut outputs = ClockOutputs::new();
    for line in lines {
        if AnalogChannel::ALL.iter().any(|channel| channel.comparator_line() == line) {
            return Err(ClockError::ComparatorLine(line));
        }
        let duty = if levels.high & line.bit() == 0 { 0.0 } else { 1.0 };
        let output = ClockOutput { line, phase: 0.0, duty };
        if !outputs.push(output) {
            return Err(ClockError::TooManyOutputs { asked: levels.care.count_ones() as usize });
        }
    }
    let frequency_hz = model.clock_hz / f64::from(model.generator.clock_ticks.1);
    plan_clocks(model, &ClockRequest { frequency_hz, outputs, max_error: 0.0 })
}

fn check(request: &ClockRequest) -> Result<(), ClockError> {
    if !(request.frequency_hz > 0.0 && request.frequency_hz.is_finite()) {
        return Err(ClockError::Frequency(request.frequency_hz));
    }
    if !(request.max_error >= 0.0 && request.max_error.is_finite()) {
        return Err(ClockError::MaxError(request.max_error));
    }
    if request.outputs.is_empty() {
        return Err(ClockError::NoOutput);
    }
    let mut lines = 0;
    for &ClockOutput { line, phase, duty } in &request.outputs {
        if lines & line.bit() != 0 {
            return Err(ClockError::SameLine(line));
        }
        lines |= line.bit();
        if !(0.0..=1.0).contains(&duty) {
            return Err(ClockError::Duty { line, duty });
        }
        if !(0.0..1.0).contains(&phase) {
            return Err(ClockError::Phase { line, phase });
        }
    }
    Ok(())
}

/// The whole number of ticks whose frequency, not whose period, is nearest.
fn nearest_ticks(model: &Model, frequency_hz: f64) -> u16 {
    let (low, high) = model.generator.clock_ticks;
    let shorter = floor(model.clock_hz / frequency_hz).max(low.into()).min(high.into()) as u16;
    let longer = shorter.saturating_add(1).min(high);
    let distance = |ticks: u16| fabs(model.clock_hz / f64::from(ticks) - frequency_hz);
    if distance(longer) < distance(shorter) { longer } else { shorter }
}

/// The edges nearest to what is asked, and the output they make.
///
/// A line that is held has its other edge at a tick that the period does not reach.
fn place_edges(output: ClockOutput, ticks: u16) -> (Edges, ClockOutput) {
    let period = f64::from(ticks);
    if output.duty == 0.0 || output.duty == 1.0 {
        let (rise, fall) = if output.duty == 1.0 { (0, ticks) } else { (ticks, 0) };
        return (Edges { rise, fall }, ClockOutput { phase: 0.0, ..output });
    }
    let high = rint(output.duty * period).max(1.0).min(period - 1.0) as u16;
    let rise = rint(output.phase * period) as u16 % ticks.max(1);
    let fall = (u32::from(rise) + u32::from(high)) % u32::from(ticks.max(1));
    let real =
        ClockOutput { line: output.line, phase: f64::from(rise) / period, duty: f64::from(high) / period };
    (Edges { rise, fall: fall as u16 }, real)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BS05;
    use std::string::ToString as _;
    use std::vec;
    use std::vec::Vec;

    fn line(number: u8) -> LogicLine {
        LogicLine::new(number).unwrap()
    }

    fn plan(frequency_hz: f64, outputs: &[ClockOutput]) -> Result<ClockPlan, ClockError> {
        plan_clocks(&BS05, &ClockRequest::new(frequency_hz, outputs)?)
    }

    fn edges(plan: &ClockPlan) -> Vec<(u16, u16)> {
        plan.edges.iter().map(|edges| (edges.rise, edges.fall)).collect()
    }

    #[test]
    fn three_outputs_share_the_period() {
        let outputs = [
            ClockOutput::new(line(5)),
            ClockOutput { line: line(0), phase: 0.25, duty: 0.5 },
            ClockOutput { line: line(7), phase: 0.75, duty: 0.5 },
        ];
        let plan = plan(100e3, &outputs).unwrap();
        assert_eq!((plan.ticks, plan.lines()), (400, 0b1010_0001));
        assert_eq!(edges(&plan), [(0, 200), (100, 300), (300, 100)]);
        assert_eq!(plan.outputs[..], outputs);
        let registers = plan.registers();
        assert_eq!(registers.len(), ClockPlan::REGISTERS);
        for expected in [
            (Register::Map5, 0x12),
            (Register::Map0, 0x13),
            (Register::Map7, 0x14),
            (Register::Rise3, 300),
            (Register::Fall3, 100),
            (Register::Control3, 0x80),
            (Register::Clock, 400),
            (Register::Cmd, 3),
        ] {
            assert!(registers.contains(&expected), "{expected:?} in {registers:?}");
        }
    }

    #[test]
    fn quadrature_up_to_a_quarter_of_the_clock() {
        let outputs = [ClockOutput::new(line(4)), ClockOutput { phase: 0.25, ..ClockOutput::new(line(5)) }];
        let plan = plan(10e6, &outputs).unwrap();
        assert_eq!(edges(&plan), [(0, 2), (1, 3)]);
        assert_eq!(plan.outputs[..], outputs);
    }

    #[test]
    fn rounding_is_reported() {
        let odd = ClockOutput { line: line(5), phase: 0.6, duty: 0.01 };
        let plan = plan(8e6, &[odd]).unwrap();
        assert_eq!(edges(&plan), [(3, 4)]);
        assert_eq!(plan.outputs[..], [ClockOutput { phase: 0.6, duty: 0.2, ..odd }]);
        // Rounded up to the whole period it begins anew.
        let late = super::plan_clocks(
            &BS05,
            &ClockRequest::new(20e6, &[ClockOutput { phase: 0.9, ..odd }]).unwrap(),
        )
        .unwrap();
        assert_eq!((edges(&late), late.outputs[0].phase, late.outputs[0].duty), (vec![(0, 1)], 0.0, 0.5));
    }

    #[test]
    fn held_lines_have_an_edge_beyond_the_period() {
        let held = |duty| ClockOutput { line: line(3), phase: 0.3, duty };
        let low = plan(40e6 / 65535.0, &[held(0.0)]).unwrap();
        assert_eq!((low.ticks, edges(&low)), (65535, vec![(65535, 0)]));
        let high = plan(40e6 / 65535.0, &[held(1.0)]).unwrap();
        assert_eq!((high.ticks, edges(&high)), (65535, vec![(0, 65535)]));
    }

    #[test]
    fn nearest_frequency_wins_over_nearest_period() {
        // The middle of the periods of 4 and 5 ticks is nearer to 8 MHz than to 10 MHz.
        assert_eq!(nearest_ticks(&BS05, 40e6 / 4.49), 5);
        assert_eq!(nearest_ticks(&BS05, 9.01e6), 4);
        assert_eq!(nearest_ticks(&BS05, 1.0), 65535);
        assert_eq!(nearest_ticks(&BS05, f64::MAX), 2);
    }

    #[test]
    fn unreachable_frequency_reports_the_nearest() {
        let on = [ClockOutput::new(LogicLine::CLOCK)];
        match plan(14e6, &on) {
            Err(ClockError::Unreachable { nearest_hz, nearest_error, .. }) => {
                // 40 MHz / 3
                assert!((nearest_hz - 13.333_333e6).abs() < 1.0, "{nearest_hz}");
                assert!((nearest_error + 1.0 / 21.0).abs() < 1e-9, "{nearest_error}");
            }
            other => panic!("{other:?}"),
        }
        let lowest = plan(1.0, &on).unwrap_err();
        assert!(matches!(lowest, ClockError::Unreachable { nearest_hz, .. } if nearest_hz == 40e6 / 65535.0));
    }

    /// What the message offers to allow is enough.
    #[test]
    fn offered_error_is_accepted() {
        let on = ClockOutput::new(LogicLine::CLOCK);
        for frequency_hz in [32_768.0, 14e6, 700e3, 3.33e6] {
            let refused = plan(frequency_hz, &[on]).unwrap_err().to_string();
            let offered = refused.rsplit_once("allow an error of ").unwrap().1.parse().unwrap();
            let request =
                ClockRequest { max_error: offered, ..ClockRequest::new(frequency_hz, &[on]).unwrap() };
            assert!(plan_clocks(&BS05, &request).is_ok(), "{refused}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let on = ClockOutput::new(LogicLine::CLOCK);
        for frequency in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(plan(frequency, &[on]), Err(ClockError::Frequency(_))), "{frequency}");
        }
        for duty in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(plan(1e3, &[ClockOutput { duty, ..on }]), Err(ClockError::Duty { .. })));
        }
        for phase in [-0.1, 1.0, f64::NAN] {
            assert!(matches!(plan(1e3, &[ClockOutput { phase, ..on }]), Err(ClockError::Phase { .. })));
        }
        assert_eq!(plan(1e3, &[]), Err(ClockError::NoOutput));
        assert_eq!(plan(1e3, &[on, on]), Err(ClockError::SameLine(LogicLine::CLOCK)));
        assert_eq!(plan(1e3, &[on; 4]), Err(ClockError::TooManyOutputs { asked: 4 }));
        for max_error in [-1e-4, f64::NAN] {
            let request = ClockRequest { max_error, ..ClockRequest::new(1e3, &[on]).unwrap() };
            assert!(matches!(plan_clocks(&BS05, &request), Err(ClockError::MaxError(_))));
        }
    }
}
