//! A CYW43439 at the pins, for tests: strict where data sheets of its family are, and published drivers alike; adverse where
//! these leave something open. Its clock is the test's.

use core::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::vec::Vec;

use scopething_core::time::{Clock, Instant};

use super::Wires;

/// Microseconds: off for so long before power-up, on before the first access (CYW43438 data sheet, 22.1), and until the clock
/// runs that is requested.
const MIN_OFF: u64 = 10_000;
const MIN_ON: u64 = 150_000;
const CLOCK_STARTS: u64 = 3_000;
const CHIP_COMMON: u32 = 0x1800_0000;
/// What the pins that are none of the host's business are set to.
const LEVELS: u32 = 0b100;
const DRIVEN: u32 = 0b110;
const OTHERS: u32 = 0xffff_fff9;

/// What is soldered to the wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A radio.
    Radio,
    /// One whose requested clock never runs.
    WithoutClock,
    /// One that is ready only the second time that it is switched on.
    Late,
    /// A chip of another number.
    Other,
    /// One whose pins cannot be driven.
    Stuck,
    /// None: the data line keeps a level.
    Nothing(bool),
    /// Something that answers anything.
    Noise,
}

/// What was done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mistake {
    /// It is switched on with a level that does not select gSPI, or selected.
    Strap,
    /// It is switched on, or accessed, too early.
    TooEarly,
    /// A bit was not driven that it takes.
    Floating,
    /// A bit is driven by both.
    Contention,
    /// A bit is read while it may change.
    Changing,
    /// Selected with a clock that is high, or deselected within an access, or more bits than that has.
    Framing,
    /// No such register, or not of that length.
    Register(u32),
    /// The backplane without its clock, its delay or awake.
    Asleep,
    /// Another pin of the chip changes.
    OtherPin,
}

#[derive(Debug, Default)]
struct Access {
    clocks: usize,
    /// Bits that the host has sent.
    sent: Vec<bool>,
    /// Bits that are for the host.
    answer: VecDeque<bool>,
    is_read: bool,
}

#[derive(Debug)]
struct Chip {
    kind: Kind,
    now: Rc<Cell<u64>>,
    mistakes: Vec<Mistake>,
    on_since: Option<u64>,
    off_since: u64,
    starts: u32,
    clock: bool,
    data: Option<bool>,
    access: Option<Access>,
    longest: usize,
    released: bool,
    noise: u32,
    // Of the chip, as they are after power-up.
    settings: u32,
    delay: Option<u32>,
    window: [u32; 3],
    clock_requested: Option<u64>,
    levels: u32,
    driven: u32,
    others: u32,
}

/// A board's radio: a handle, which is its wires as well.
#[derive(Debug, Clone)]
pub(super) struct Board(Rc<RefCell<Chip>>);

/// The time of a board, which leaps to whatever is waited for.
#[derive(Debug)]
pub(super) struct Time(Rc<Cell<u64>>);

impl Clock for Time {
    fn now(&self) -> Instant {
        Instant(self.0.get())
    }

    async fn until(&self, deadline: Instant) {
        self.0.set(self.0.get().max(deadline.0));
    }
}

fn word(bits: &[bool]) -> u32 {
    bits.iter().fold(0, |word, &bit| word << 1 | u32::from(bit))
}

impl Board {
    pub(super) fn new(kind: Kind) -> Self {
        let chip = Chip {
            kind,
            now: Rc::default(),
            mistakes: Vec::new(),
            on_since: None,
            off_since: 0,
            starts: 0,
            clock: false,
            data: None,
            access: None,
            longest: 0,
            released: false,
            noise: 1,
            settings: 0,
            delay: None,
            window: [0; 3],
            clock_requested: None,
            levels: LEVELS,
            driven: DRIVEN,
            others: OTHERS,
        };
        Self(Rc::new(RefCell::new(chip)))
    }

    pub(super) fn time(&self) -> Time {
        Time(Rc::clone(&self.0.borrow().now))
    }

    /// Whether its LED is lit.
    pub(super) fn is_lit(&self) -> bool {
        let chip = self.0.borrow();
        chip.on_since.is_some() && chip.levels & chip.driven & !chip.others & 1 != 0
    }

    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        self.0.borrow().mistakes.clone()
    }

    /// How often it was switched on.
    pub(super) fn starts(&self) -> u32 {
        self.0.borrow().starts
    }

    /// The bits of its longest access.
    pub(super) fn longest(&self) -> usize {
        self.0.borrow().longest
    }

    pub(super) fn is_released(&self) -> bool {
        self.0.borrow().released
    }
}

impl Chip {
    fn is_whole(&self) -> bool {
        self.settings & 1 != 0
    }

    /// A word as it is on the wire, and the other way round.
    fn in_order(&self, word: u32) -> u32 {
        if self.is_whole() { word } else { word.rotate_right(16) }
    }

    /// Whether it hears what is sent to it.
    fn hears(&self) -> bool {
        let is_ready = self.kind != Kind::Late || self.starts > 1;
        self.on_since.is_some() && is_ready && !matches!(self.kind, Kind::Nothing(_))
    }

    fn clock_runs(&self) -> bool {
        let runs = |requested| self.now.get() >= requested + CLOCK_STARTS;
        self.kind != Kind::WithoutClock && self.clock_requested.is_some_and(runs)
    }

    fn rise(&mut self) {
        if self.on_since.is_none_or(|on| self.now.get() < on + MIN_ON) {
            self.mistakes.push(Mistake::TooEarly);
        }
        let Some(mut access) = self.access.take() else { return };
        if access.is_read {
            if self.data.is_some() {
                self.mistakes.push(Mistake::Contention);
            }
            if access.answer.pop_front().is_none() {
                self.mistakes.push(Mistake::Framing);
            }
        } else if let Some(bit) = self.data {
            access.sent.push(bit);
            self.sent(&mut access);
        } else {
            self.mistakes.push(Mistake::Floating);
        }
        self.access = Some(access);
    }

    fn sent(&mut self, access: &mut Access) {
        let count = access.sent.len();
        let command = self.in_order(word(access.sent.get(..32).unwrap_or_default()));
        let (function, address, bytes) = (command >> 28 & 3, command >> 11 & 0x1_ffff, command & 0x7ff);
        let writes = command >> 31 != 0;
        match count {
            32 if !writes => {
                access.is_read = true;
                let value = self.read(function, address, bytes);
                let value = self.in_order(value);
                let delay = if function == 0 { 0 } else { 8 * self.delay.unwrap_or(0) };
                access.answer = (0..delay).map(|bit| bit % 3 == 0).collect();
                access.answer.extend((0..32).rev().map(|bit| value >> bit & 1 != 0));
            }
            64 if writes => {
                let value = self.in_order(word(&access.sent[32..]));
                self.write(function, address, bytes, value);
            }
            65.. => self.mistakes.push(Mistake::Framing),
            _ => {}
        }
    }

    /// Looks whether the backplane can be accessed, and gives what lies there.
    fn backplane(&mut self, address: u32) -> u32 {
        if !self.clock_runs() {
            self.mistakes.push(Mistake::Asleep);
        }
        let [low, middle, high] = self.window;
        (high << 24 | middle << 16 | low << 8) & !0x7fff | address & 0x7fff
    }

    fn look_awake(&mut self, function: u32, reads: bool) {
        let is_awake = self.is_whole() && self.settings & 0x80 != 0;
        if function == 1 && !(is_awake && (self.delay.is_some() || !reads)) {
            self.mistakes.push(Mistake::Asleep);
        }
    }

    fn read(&mut self, function: u32, address: u32, bytes: u32) -> u32 {
        self.look_awake(function, true);
        match (function, address, bytes) {
            (0, 0x14, 4) => 0xfeed_bead,
            // What is above a byte is of no meaning.
            (1, 0x1_000e, 1) => 0xaaaa_aa08 | u32::from(self.clock_runs()) << 6,
            (1, 0x8000..=0xffff, 4) => match self.backplane(address).wrapping_sub(CHIP_COMMON) {
                0 if self.kind == Kind::Other => 0x1540_a9a6,
                // 43439, below its revision and package.
                0 => 0x1540_a9af,
                0x64 => self.levels,
                0x68 => self.driven,
                0x6c => self.others,
                _ => self.unknown(address),
            },
            _ => self.unknown(address),
        }
    }

    fn write(&mut self, function: u32, address: u32, bytes: u32, value: u32) {
        self.look_awake(function, false);
        match (function, address, bytes) {
            (0, 0, 4) => self.settings = value,
            (0, 0x1d, 1) => self.delay = Some(value & 0xff),
            (1, 0x1_000a..=0x1_000c, 1) => self.window[(address - 0x1_000a) as usize] = value & 0xff,
            (1, 0x1_000e, 1) => {
                self.clock_requested = (value & 8 != 0).then(|| self.now.get());
            }
            (1, 0x8000..=0xffff, 4) => {
                let register = self.backplane(address).wrapping_sub(CHIP_COMMON);
                let place = match register {
                    0x64 => &mut self.levels,
                    0x68 => &mut self.driven,
                    0x6c => &mut self.others,
                    _ => return self.mistakes.push(Mistake::Register(address)),
                };
                let is_of_others = (*place ^ value) & !1 != 0;
                if self.kind != Kind::Stuck {
                    *place = value;
                }
                if is_of_others {
                    self.mistakes.push(Mistake::OtherPin);
                }
            }
            _ => self.mistakes.push(Mistake::Register(address)),
        }
    }

    fn unknown(&mut self, address: u32) -> u32 {
        self.mistakes.push(Mistake::Register(address));
        0
    }
}

impl Wires for Board {
    fn set_power(&mut self, on: bool) {
        let chip = &mut *self.0.borrow_mut();
        let now = chip.now.get();
        if !on {
            chip.off_since = now;
            chip.on_since = None;
        } else if chip.on_since.is_none() {
            if chip.data != Some(false) || chip.clock || chip.access.is_some() {
                chip.mistakes.push(Mistake::Strap);
            }
            if now < chip.off_since + MIN_OFF {
                chip.mistakes.push(Mistake::TooEarly);
            }
            chip.on_since = Some(now);
            chip.starts += 1;
            chip.settings = 0;
            chip.delay = None;
            chip.clock_requested = None;
            (chip.levels, chip.driven, chip.others) = (LEVELS, DRIVEN, OTHERS);
        }
    }

    fn set_selected(&mut self, selected: bool) {
        let chip = &mut *self.0.borrow_mut();
        if selected {
            if chip.clock || chip.access.is_some() {
                chip.mistakes.push(Mistake::Framing);
            }
            chip.access = Some(Access::default());
        } else if let Some(access) = chip.access.take() {
            let is_whole = if access.is_read { access.answer.is_empty() } else { access.sent.len() == 64 };
            if !is_whole && chip.hears() {
                chip.mistakes.push(Mistake::Framing);
            }
        }
    }

    fn set_clock(&mut self, high: bool) {
        let chip = &mut *self.0.borrow_mut();
        let rises = high && !chip.clock;
        chip.clock = high;
        if let Some(access) = chip.access.as_mut().filter(|_| rises) {
            access.clocks += 1;
            chip.longest = chip.longest.max(access.clocks);
            if chip.hears() {
                chip.rise();
            }
        }
    }

    fn set_data(&mut self, level: Option<bool>) {
        self.0.borrow_mut().data = level;
    }

    fn is_data_high(&mut self) -> bool {
        let chip = &mut *self.0.borrow_mut();
        if chip.data.is_some() {
            chip.mistakes.push(Mistake::Contention);
        }
        if chip.clock {
            chip.mistakes.push(Mistake::Changing);
        }
        match chip.kind {
            Kind::Nothing(level) => level,
            Kind::Noise => {
                chip.noise = chip.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                chip.noise >> 31 != 0
            }
            _ if !chip.hears() => false,
            _ => chip.access.as_ref().and_then(|access| access.answer.front()).is_some_and(|&bit| bit),
        }
    }

    fn release(&mut self) {
        let chip = &mut *self.0.borrow_mut();
        chip.released = true;
        chip.on_since = None;
    }
}
