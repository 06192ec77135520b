//! The LED of a Pico W or Pico 2 W, which hangs on pin `WL_GPIO0` of its radio, a CYW43439: lit by that chip's registers, before
//! any program is loaded into it.
//!
//! The radio is switched on for that, its gSPI set up, and the clock of its registers requested; the pin belongs to
//! the core `ChipCommon`, whose registers are on its backplane. Its processor gets no program, and nothing is sent by
//! radio.

mod gspi;
#[cfg(test)]
mod model;

use embassy_futures::yield_now;
use scopething_core::link::bridge::RadioFault;
use scopething_core::time::{Clock, Micros};

pub use gspi::Wires;
use gspi::{Gspi, Register};

/// How often the radio is switched on before it is given up.
const STARTS: u32 = 2;
/// How long the power is off, and on before the first access: as the boards' makers wait. Of the latter a related chip, the
/// CYW43438, needs 150 ms (its data sheet, 22.1).
const OFF: Micros = Micros::from_millis(20);
const ON: Micros = Micros::from_millis(250);
/// How often a register is read that is to get a value, and how long after each time.
const READS: u32 = 20;
const BETWEEN_READS: Micros = Micros::from_millis(2);

/// The bus: its settings, the response delay and the status in the bytes above; a value to know it by; how long a read of the
/// backplane is to be prepared.
const SETTINGS: Register = Register::Bus(0x00);
const TEST: Register = Register::Bus(0x14);
const BACKPLANE_DELAY: Register = Register::BusByte(0x1d);
const TEST_VALUE: u32 = 0xfeed_bead;
/// Words of 32 bits, the fast mode, interrupts that are high, awake; a response delay of 4 bytes, as after power-up; no status
/// after each access.
const SETTINGS_VALUE: u32 = 0x0002_04b1;

/// The bridge to the backplane: the window to it, by bits 31 to 15 of the address in three bytes, here `0x1800_0000`; the clocks.
const WINDOW: [(Register, u32); 3] =
    [(Register::Bridge(0x1_000c), 0x18), (Register::Bridge(0x1_000b), 0), (Register::Bridge(0x1_000a), 0)];
const CLOCKS: Register = Register::Bridge(0x1_000e);
/// Requests the clock of the backplane, and keeps it; it runs.
const CLOCK_REQUEST: u32 = 1 << 3;
const CLOCK_RUNS: u32 = 1 << 6;

/// `ChipCommon`: what the chip is; the levels of its pins, which of them are driven, and which of them belong to other parts.
const CHIP: Register = Register::Backplane(0x00);
const LEVELS: Register = Register::Backplane(0x64);
const DRIVEN: Register = Register::Backplane(0x68);
const OTHERS: Register = Register::Backplane(0x6c);
const CYW43439: u32 = 43439;
const LED: u32 = 1 << 0;

/// The LED, of a radio that is on.
#[derive(Debug)]
pub struct RadioLed<'w, W> {
    bus: Gspi<'w, W>,
    /// The levels of all pins, with the LED dark.
    dark: u32,
}

impl<'w, W: Wires> RadioLed<'w, W> {
    /// Switches the radio on, and readies the LED, which is dark then. It takes some 0.3 s, in which others run: an access of
    /// the radio keeps them off for at most 96 bits.
    ///
    /// # Errors
    /// How it failed the last time that it was tried. The wires are let go then.
    pub async fn start<C: Clock>(wires: &'w mut W, clock: &C) -> Result<Self, RadioFault> {
        let mut bus = Gspi::new(wires);
        let mut failed = RadioFault::Silent;
        for _ in 0..STARTS {
            match ready(&mut bus, clock).await {
                Ok(dark) => return Ok(Self { bus, dark }),
                Err(fault) => failed = fault,
            }
        }
        bus.release();
        Err(failed)
    }

    /// Lights the LED, or not: one access, of 64 bits.
    pub fn set(&mut self, lit: bool) {
        let levels = if lit { self.dark | LED } else { self.dark };
        self.bus.write(LEVELS, levels);
    }
}

async fn wait<C: Clock>(clock: &C, time: Micros) {
    clock.until(clock.now() + time).await;
}

/// Reads a register, and lets others run.
async fn read<W: Wires>(bus: &mut Gspi<'_, W>, register: Register) -> u32 {
    let value = bus.read(register);
    yield_now().await;
    value
}

/// Writes a register, and lets others run.
async fn write<W: Wires>(bus: &mut Gspi<'_, W>, register: Register, value: u32) {
    bus.write(register, value);
    yield_now().await;
}

/// Reads a register until it has what is waited for; false if it never has.
async fn becomes<W: Wires, C: Clock>(
    bus: &mut Gspi<'_, W>,
    clock: &C,
    register: Register,
    is_there: impl Fn(u32) -> bool,
) -> bool {
    for _ in 0..READS {
        if is_there(read(bus, register).await) {
            return true;
        }
        wait(clock, BETWEEN_READS).await;
    }
    false
}

/// Sets or clears the bit of the LED in a register; gives what was written. The others are left as they are: one of them drives
/// the board's supply.
async fn put_led<W: Wires>(bus: &mut Gspi<'_, W>, register: Register, set: bool) -> u32 {
    let before = read(bus, register).await;
    let value = if set { before | LED } else { before & !LED };
    write(bus, register, value).await;
    value
}

/// The same in a register where it has to stay.
async fn keep_led<W: Wires>(bus: &mut Gspi<'_, W>, register: Register, set: bool) -> Result<u32, RadioFault> {
    let value = put_led(bus, register, set).await;
    let kept = read(bus, register).await;
    if kept & LED == value & LED { Ok(value) } else { Err(RadioFault::Unknown) }
}

/// Switches the radio on and drives the LED's pin low; gives the levels of all pins.
async fn ready<W: Wires, C: Clock>(bus: &mut Gspi<'_, W>, clock: &C) -> Result<u32, RadioFault> {
    bus.power_off();
    wait(clock, OFF).await;
    bus.power_on();
    wait(clock, ON).await;
    if !becomes(bus, clock, TEST, |value| value == TEST_VALUE).await {
        return Err(RadioFault::Silent);
    }
    write(bus, SETTINGS, SETTINGS_VALUE).await;
    bus.use_whole_words();
    if read(bus, TEST).await != TEST_VALUE {
        return Err(RadioFault::Unknown);
    }
    write(bus, BACKPLANE_DELAY, gspi::BACKPLANE_DELAY_BYTES).await;
    write(bus, CLOCKS, CLOCK_REQUEST).await;
    if !becomes(bus, clock, CLOCKS, |value| value & CLOCK_RUNS != 0).await {
        return Err(RadioFault::Clock);
    }
    for (register, part) in WINDOW {
        write(bus, register, part).await;
    }
    if read(bus, CHIP).await & 0xffff != CYW43439 {
        return Err(RadioFault::Unknown);
    }
    let dark = keep_led(bus, LEVELS, false).await?;
    keep_led(bus, DRIVEN, true).await?;
    // Some drivers light the LED without it: what it reads does not matter.
    put_led(bus, OTHERS, false).await;
    Ok(dark)
}

#[cfg(test)]
mod tests {
    use super::model::{Board, Kind, Mistake};
    use super::*;

    fn start<'w>(wires: &'w mut Board, board: &Board) -> Result<RadioLed<'w, Board>, RadioFault> {
        board.run(RadioLed::start(wires, &board.time()))
    }

    #[test]
    fn led_is_lit_and_nothing_else_changes() {
        let board = Board::new(Kind::Radio);
        let mut wires = board.clone();
        let mut led = start(&mut wires, &board).unwrap();
        assert!(!board.is_lit());
        assert!(board.longest() <= 96, "{} bits", board.longest());
        for lit in [true, false, false, true, true, false] {
            led.set(lit);
            assert_eq!(board.is_lit(), lit);
        }
        assert_eq!(board.mistakes(), []);
        assert_eq!(board.starts(), 1);
        assert!(!board.is_released());
    }

    #[test]
    fn radio_may_err_once_and_keep_its_pin_to_itself() {
        for kind in [Kind::Hesitant, Kind::WithoutOthers] {
            let board = Board::new(kind);
            start(&mut board.clone(), &board).unwrap().set(true);
            assert!(board.is_lit(), "{kind:?}");
            assert_eq!((board.starts(), board.mistakes()), (1, std::vec![]), "{kind:?}");
        }
    }

    #[test]
    fn radio_that_is_ready_late_is_tried_again() {
        let board = Board::new(Kind::Late);
        start(&mut board.clone(), &board).unwrap().set(true);
        assert!(board.is_lit());
        assert_eq!((board.starts(), board.mistakes().len()), (2, 0));
    }

    #[test]
    fn what_is_no_radio_is_let_go() {
        for (kind, fault) in [
            // A plain Pico: the line that is the data of a Pico W has 5 V behind a divider, or none.
            (Kind::Nothing(true), RadioFault::Silent),
            (Kind::Nothing(false), RadioFault::Silent),
            (Kind::Noise, RadioFault::Silent),
            (Kind::WithoutClock, RadioFault::Clock),
            (Kind::Garbled, RadioFault::Unknown),
            (Kind::Other, RadioFault::Unknown),
            (Kind::Stuck, RadioFault::Unknown),
        ] {
            let board = Board::new(kind);
            assert_eq!(start(&mut board.clone(), &board).err(), Some(fault), "{kind:?}");
            assert_eq!((board.starts(), board.is_released()), (2, true), "{kind:?}");
            assert_eq!(board.mistakes(), [], "{kind:?}");
            assert!(!board.is_lit());
            assert!(board.time().now().0 < 1_000_000, "{kind:?}: {}", board.time().now().0);
        }
    }

    /// What was done wrong to a radio, that is on for so long.
    fn mistakes(on: Micros, access: impl FnOnce(&mut Gspi<'_, Board>)) -> Vec<Mistake> {
        let board = Board::new(Kind::Radio);
        let mut wires = board.clone();
        let mut bus = Gspi::new(&mut wires);
        bus.power_off();
        board.run(wait(&board.time(), OFF));
        bus.power_on();
        board.run(wait(&board.time(), on));
        access(&mut bus);
        board.mistakes()
    }

    fn set_up(bus: &mut Gspi<'_, Board>) {
        bus.write(SETTINGS, SETTINGS_VALUE);
        bus.use_whole_words();
    }

    /// What the model would let pass is not proved by it.
    #[test]
    fn model_notices_what_is_forbidden() {
        assert_eq!(mistakes(ON, |bus| assert_eq!(bus.read(TEST), TEST_VALUE)), []);
        assert_eq!(mistakes(OFF, |bus| bus.write(SETTINGS, 0)).first(), Some(&Mistake::TooEarly));
        assert_eq!(mistakes(ON, |bus| bus.write(TEST, 0)), [Mistake::Register(0x14)]);
        // Words in the other order are another command.
        let other_order = |bus: &mut Gspi<'_, Board>| {
            bus.use_whole_words();
            assert_ne!(bus.read(TEST), TEST_VALUE);
        };
        assert_ne!(mistakes(ON, other_order), []);
        let before_it_is_awake = |bus: &mut Gspi<'_, Board>| bus.write(CLOCKS, CLOCK_REQUEST);
        assert_eq!(mistakes(ON, before_it_is_awake).first(), Some(&Mistake::Asleep));
        let without_clock = |bus: &mut Gspi<'_, Board>| {
            set_up(bus);
            bus.write(LEVELS, LED);
        };
        assert_eq!(mistakes(ON, without_clock).first(), Some(&Mistake::Asleep));
        let without_delay = |bus: &mut Gspi<'_, Board>| {
            set_up(bus);
            bus.read(CLOCKS);
        };
        assert_eq!(mistakes(ON, without_delay).first(), Some(&Mistake::Asleep));
        // Of the settings: words the other way round, edges, the slow mode, asleep, a status, a delay of the bus, a reset.
        for bit in [1, 2, 3, 4, 7, 16, 18, 26] {
            let one_bit = |bus: &mut Gspi<'_, Board>| {
                bus.write(SETTINGS, SETTINGS_VALUE ^ 1 << bit);
                bus.use_whole_words();
                bus.read(TEST);
                bus.write(CLOCKS, CLOCK_REQUEST);
            };
            assert_ne!(mistakes(ON, one_bit), [], "bit {bit}");
        }
        let other_clock = |bus: &mut Gspi<'_, Board>| {
            set_up(bus);
            bus.write(CLOCKS, CLOCK_REQUEST | 1);
        };
        assert_eq!(mistakes(ON, other_clock), [Mistake::Register(0x1_000e)]);
        // Data that is high selects SDIO.
        let board = Board::new(Kind::Radio);
        let mut wires = board.clone();
        wires.set_selected(false);
        wires.set_clock(false);
        wires.set_data(Some(true));
        board.run(wait(&board.time(), OFF));
        wires.set_power(true);
        assert_eq!(board.mistakes(), [Mistake::Strap]);
    }
}
