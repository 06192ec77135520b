//! A CYW43439 at the pins, for tests: strict where data sheets of its family are, and published drivers alike; adverse where
//! these leave something open. Its clock is the test's.

use core::cell::{Cell, RefCell};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::collections::VecDeque;
use std::rc::Rc;
use std::vec::Vec;

use embassy_futures::yield_now;
use scopething_core::time::{Clock, Instant};

use super::Wires;

/// Microseconds: off for so long before power-up, on before the first access (CYW43438 data sheet, 22.1), and until the clock
/// runs that is requested.
const MIN_OFF: u64 = 10_000;
const MIN_ON: u64 = 150_000;
const CLOCK_STARTS: u64 = 3_000;
const TEST_VALUE: u32 = 0xfeed_bead;
const CHIP_COMMON: u32 = 0x1800_0000;
/// What the pins that are none of the host's business are set to.
const LEVELS: u32 = 0b100;
const DRIVEN: u32 = 0b110;
const OTHERS: u32 = 0xffff_fff9;

/// The bus's settings: words of 32 bits; their bytes the other way round; the fast mode, by which alone published drivers access
/// the backplane; awake; a status after each access; a delay of function 0 as well, of so many bytes.
const WHOLE: u32 = 1 << 0;
const REVERSED: u32 = 1 << 1;
const FAST: u32 = 1 << 4;
const AWAKE: u32 = 1 << 7;
const STATUS: u32 = 1 << 16;
const DELAY_ALL: u32 = 1 << 18;
const DELAY_BIT: u32 = 8;
/// What concerns interrupts, of which there are none.
const INTERRUPTS: u32 = 1 << 5 | 1 << 17;
/// All others change edges, lengths of packets or what is reset.
const SETTINGS: u32 = WHOLE | REVERSED | FAST | AWAKE | STATUS | DELAY_ALL | 0xff << DELAY_BIT | INTERRUPTS;
/// The request of the clock that is there without a program. Others force one, or need a program.
const CLOCK_REQUEST: u32 = 1 << 3;
/// What the first answer of a real one was (embassy's issue 3612).
const FIRST_ANSWER: u32 = 0x0303_0303;

/// What is soldered to the wires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A radio.
    Radio,
    /// One whose requested clock never runs.
    WithoutClock,
    /// One that is ready only the second time that it is switched on.
    Late,
    /// One whose first answer is wrong.
    Hesitant,
    /// One whose pin is not given to other parts, whatever that register reads.
    WithoutOthers,
    /// One that is not understood any more once its words have 32 bits.
    Garbled,
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
    /// No such register, or not of that length, or not to be set so.
    Register(u32),
    /// A command whose address does not go up.
    Command,
    /// The backplane without its clock, its delay or awake.
    Asleep,
    /// Another pin of the chip changes.
    OtherPin,
}

#[derive(Debug, Default)]
struct Access {
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
    // What the host drives, if it does.
    clock: Option<bool>,
    data: Option<bool>,
    selected: Option<bool>,
    access: Option<Access>,
    /// Bits since others ran, and the most of them.
    bits: usize,
    longest: usize,
    released: bool,
    noise: u32,
    // Of the chip, as they are after power-up.
    settings: u32,
    accesses: u32,
    answers: u32,
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
        yield_now().await;
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
            clock: None,
            data: None,
            selected: None,
            access: None,
            bits: 0,
            longest: 0,
            released: false,
            noise: 1,
            settings: 0,
            accesses: 0,
            answers: 0,
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
        let others = if chip.kind == Kind::WithoutOthers { 0 } else { chip.others };
        chip.on_since.is_some() && chip.levels & chip.driven & !others & 1 != 0
    }

    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        self.0.borrow().mistakes.clone()
    }

    /// How often it was switched on.
    pub(super) fn starts(&self) -> u32 {
        self.0.borrow().starts
    }

    /// Runs a future on it, beside others.
    pub(super) fn run<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            self.0.borrow_mut().bits = 0;
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return output;
            }
        }
    }

    /// The most bits for which others were kept off.
    pub(super) fn longest(&self) -> usize {
        self.0.borrow().longest
    }

    pub(super) fn is_released(&self) -> bool {
        self.0.borrow().released
    }
}

impl Chip {
    /// A word as it is on the wire, and the other way round.
    fn in_order(&self, word: u32) -> u32 {
        if self.settings & REVERSED != 0 {
            word.swap_bytes()
        } else if self.settings & WHOLE != 0 {
            word
        } else {
            word.rotate_right(16)
        }
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
        if count == 32 && command >> 30 & 1 == 0 {
            self.mistakes.push(Mistake::Command);
        }
        match count {
            32 if !writes => {
                access.is_read = true;
                let value = self.read(function, address, bytes);
                let value = self.in_order(value);
                access.answer = (0..self.delay_bits(function)).map(|bit| bit % 3 == 0).collect();
                access.answer.extend((0..32).rev().map(|bit| value >> bit & 1 != 0));
                access.answer.extend(self.status());
            }
            64 if writes => {
                let value = self.in_order(word(&access.sent[32..]));
                self.write(function, address, bytes, value);
                access.answer.extend(self.status());
                access.is_read = !access.answer.is_empty();
            }
            65.. => self.mistakes.push(Mistake::Framing),
            _ => {}
        }
    }

    /// Bits that come before what is read.
    fn delay_bits(&self, function: u32) -> u32 {
        match function {
            0 if self.settings & DELAY_ALL == 0 => 0,
            0 => 8 * (self.settings >> DELAY_BIT & 0xff),
            _ => 8 * self.delay.unwrap_or(0),
        }
    }

    /// Bits that come after each access.
    fn status(&self) -> impl Iterator<Item = bool> + use<> {
        (0..if self.settings & STATUS == 0 { 0 } else { 32 }).map(|_| false)
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
        let demanded = WHOLE | FAST | AWAKE;
        let is_awake = self.settings & demanded == demanded;
        if function == 1 && !(is_awake && (self.delay.is_some() || !reads)) {
            self.mistakes.push(Mistake::Asleep);
        }
    }

    fn read(&mut self, function: u32, address: u32, bytes: u32) -> u32 {
        self.look_awake(function, true);
        self.answers += 1;
        match (function, address, bytes) {
            (0, 0x14, 4) if self.kind == Kind::Hesitant && self.answers == 1 => FIRST_ANSWER,
            (0, 0x14, 4) if self.kind == Kind::Garbled && self.settings & WHOLE != 0 => !TEST_VALUE,
            (0, 0x14, 4) => TEST_VALUE,
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
            (0, 0, 4) if value & !SETTINGS == 0 => self.settings = value,
            (0, 0x1d, 1) => self.delay = Some(value & 0xff),
            (1, 0x1_000a..=0x1_000c, 1) => self.window[(address - 0x1_000a) as usize] = value & 0xff,
            (1, 0x1_000e, 1) if value & 0xff == CLOCK_REQUEST => self.clock_requested = Some(self.now.get()),
            (1, 0x8000..=0xffff, 4) => {
                let register = self.backplane(address).wrapping_sub(CHIP_COMMON);
                let place = match register {
                    0x64 => &mut self.levels,
                    0x68 => &mut self.driven,
                    0x6c => &mut self.others,
                    _ => return self.mistakes.push(Mistake::Register(address)),
                };
                let is_of_others = (*place ^ value) & !1 != 0;
                let stays = match self.kind {
                    Kind::Stuck => true,
                    Kind::WithoutOthers => register == 0x6c,
                    _ => false,
                };
                if !stays {
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
            if [chip.data, chip.clock, chip.selected] != [Some(false); 3] {
                chip.mistakes.push(Mistake::Strap);
            }
            if now < chip.off_since + MIN_OFF {
                chip.mistakes.push(Mistake::TooEarly);
            }
            chip.on_since = Some(now);
            chip.starts += 1;
            chip.settings = 0;
            (chip.accesses, chip.answers) = (0, 0);
            chip.delay = None;
            chip.clock_requested = None;
            (chip.levels, chip.driven, chip.others) = (LEVELS, DRIVEN, OTHERS);
        }
    }

    fn set_selected(&mut self, selected: bool) {
        let chip = &mut *self.0.borrow_mut();
        chip.selected = Some(selected);
        if selected {
            if chip.clock != Some(false) || chip.access.is_some() {
                chip.mistakes.push(Mistake::Framing);
            }
            // Between two accesses the line is the radio's, to interrupt. Before the first it has selected gSPI.
            if chip.accesses > 0 && chip.data.is_some() {
                chip.mistakes.push(Mistake::Contention);
            }
            chip.accesses += 1;
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
        let rises = high && chip.clock == Some(false);
        chip.clock = Some(high);
        if rises && chip.access.is_some() {
            chip.bits += 1;
            chip.longest = chip.longest.max(chip.bits);
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
        if chip.clock != Some(false) {
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
        (chip.data, chip.clock, chip.selected) = (None, None, None);
    }
}
