//! The conversation over a simulated network that loses, repeats, delays and reorders, to a device that
//! executes whatever arrives, as often as it arrives. Time is simulated.

use proptest::prelude::*;
use scopething_core::link::bitscope_server::{AnswerRepr, CommandPacket, Datagrams};
use scopething_core::time::{Instant, Micros};
use scopething_core::vm::{Command, Pace, Register, Script, Shadow};

use super::exchange::Exchange;
use super::pending::ANSWER_LIMIT;
use crate::fixed_seed::fixed_seed;
use crate::link::DatagramError;

/// The echoing part of [section 2 of the reference](scopething_core::vm#2-commands), and a dump of the registers.
struct Device {
    r0: u8,
    r1: u8,
    registers: [u8; 256],
    dumped: u8,
}

impl Device {
    fn new() -> Self {
        Self { r0: 0x5a, r1: 3, registers: [0x11; 256], dumped: 0 }
    }

    fn answer(&mut self, commands: &[u8]) -> Vec<u8> {
        commands.iter().flat_map(|byte| self.execute(*byte)).collect()
    }

    fn execute(&mut self, byte: u8) -> Vec<u8> {
        let register = &mut self.registers[usize::from(self.r1)];
        let mut answer = vec![byte];
        match byte {
            b'[' => self.r0 = 0,
            b'@' => self.r1 = self.r0,
            b's' => *register = self.r0,
            b'z' => {
                *register = self.r0;
                self.r1 = self.r1.wrapping_add(1);
            }
            b'n' => self.r1 = self.r1.wrapping_add(1),
            b'p' => answer.extend(format!("\r{register:02x}\r").bytes()),
            b'?' => answer.extend(b"\rBS000501\r"),
            b'A' => {
                // A dump moves its address on: a second one reads differently.
                self.dumped = self.dumped.wrapping_add(1);
                answer.extend((0..=255).map(|at: u8| self.registers[usize::from(at)] ^ at ^ self.dumped));
            }
            b'0'..=b'9' | b'a'..=b'f' => {
                let digit = char::from(byte).to_digit(16).unwrap();
                self.r0 = self.r0 << 4 | u8::try_from(digit).unwrap();
            }
            _ => {}
        }
        answer
    }
}

/// What the network does next: a number a decision, used in turn.
struct Fates<'a> {
    numbers: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    /// Of 256 datagrams, how many are lost.
    lost: u8,
    /// Of 256 answers, how many come twice.
    repeated: u8,
    /// Of 256 datagrams to the server, how many come twice, and are executed twice.
    repeated_commands: u8,
    longest_delay_ms: u64,
    /// Bytes of an answer that a datagram carries at the least.
    smallest_piece: usize,
}

impl Fates<'_> {
    fn next(&mut self) -> u8 {
        *self.numbers.next().unwrap()
    }

    fn delay(&mut self) -> Micros {
        Micros::from_millis(u64::from(self.next()) * self.longest_delay_ms / 255)
    }
}

/// How the server numbers its datagrams.
#[derive(Debug, Clone, Copy)]
enum Counting {
    /// On from this number.
    On(u8),
    /// From this number for each command.
    Anew(u8),
}

fn any_counting() -> impl Strategy<Value = Counting> {
    prop_oneof![
        any::<u8>().prop_map(Counting::On),
        Just(Counting::On(255)),
        Just(Counting::Anew(0)),
        Just(Counting::Anew(1)),
    ]
}

/// A client, a network, a server and its device.
struct Scene<'a> {
    now: Instant,
    exchange: Exchange,
    device: Device,
    fates: Fates<'a>,
    counting: Counting,
    /// Answers on their way, and when they arrive.
    in_flight: Vec<(Instant, Vec<u8>)>,
    read: Vec<u8>,
}

impl<'a> Scene<'a> {
    /// A client that has received two answers of the server already, over a network that was sound then.
    fn new(numbers: &'a [u8], counting: Counting, lost: u8, repeated: u8, longest_delay_ms: u64) -> Self {
        let fates = Fates {
            numbers: numbers.iter().cycle(),
            lost: 0,
            repeated: 0,
            repeated_commands: 0,
            longest_delay_ms: 0,
            smallest_piece: 1,
        };
        let (exchange, device, in_flight) = (Exchange::default(), Device::new(), Vec::new());
        let mut scene =
            Self { now: Instant(0), exchange, device, fates, counting, in_flight, read: Vec::new() };
        scene.converse(b"!?").expect("a sound network");
        scene.read.clear();
        scene.fates = Fates { lost, repeated, longest_delay_ms, ..scene.fates };
        scene
    }

    fn carry_to_server(&mut self, datagram: &[u8]) {
        if self.fates.repeated_commands > 0 && self.fates.next() < self.fates.repeated_commands {
            self.execute(datagram);
        }
        if self.fates.next() >= self.fates.lost {
            self.execute(datagram);
        }
    }

    fn execute(&mut self, datagram: &[u8]) {
        let packet = CommandPacket::new_checked(datagram).unwrap();
        let answer = self.device.answer(packet.commands());
        let mut rest = answer.as_slice();
        let mut data_seq = match self.counting {
            Counting::On(next) | Counting::Anew(next) => next,
        };
        while !rest.is_empty() {
            let piece = usize::from(self.fates.next() % 95 + 1).max(self.fates.smallest_piece);
            let (data, later) = rest.split_at(rest.len().min(piece));
            self.carry_to_client(&AnswerRepr { adaptor_id: [7, 7], data_seq, cmd_id: packet.cmd_id(), data });
            rest = later;
            data_seq = data_seq.wrapping_add(1);
        }
        if let Counting::On(next) = &mut self.counting {
            *next = data_seq;
        }
    }

    fn carry_to_client(&mut self, answer: &AnswerRepr<'_>) {
        let mut datagram = vec![0; answer.buffer_len()];
        answer.emit(&mut datagram).unwrap();
        if self.fates.next() < self.fates.repeated {
            self.in_flight.push((self.now + self.fates.delay(), datagram.clone()));
        }
        if self.fates.next() >= self.fates.lost {
            self.in_flight.push((self.now + self.fates.delay(), datagram));
        }
    }

    /// The next thing that happens; reads what can be read.
    fn step(&mut self) -> Result<(), DatagramError> {
        let first = self.in_flight.iter().enumerate().min_by_key(|(_, (arrival, _))| *arrival);
        let arrival = first.map(|(index, (arrival, _))| (*arrival, index));
        let deadline = self.exchange.deadline();
        match arrival {
            Some((arrival, index)) if deadline.is_none_or(|deadline| arrival <= deadline) => {
                self.now = arrival;
                let (_, datagram) = self.in_flight.remove(index);
                self.exchange.receive(&datagram, self.now)?;
            }
            _ => {
                self.now = deadline.expect("neither a datagram nor a deadline will ever come");
                if let Some(again) = self.exchange.due(self.now)? {
                    self.exchange.sent_again(self.now);
                    self.carry_to_server(&again);
                }
            }
        }
        self.read_all();
        Ok(())
    }

    fn read_all(&mut self) {
        let mut buf = [0; 50];
        loop {
            match self.exchange.read(&mut buf) {
                0 => return,
                count => self.read.extend_from_slice(&buf[..count]),
            }
        }
    }

    /// Writes `script` and reads all of its answers.
    fn converse(&mut self, script: &[u8]) -> Result<(), DatagramError> {
        let mut ideal = Device { registers: self.device.registers, ..self.device };
        let mut answers = self.read.len();
        for commands in Datagrams::new(script) {
            while !self.exchange.may_send(Command::from_byte(commands[0])) {
                self.step()?;
            }
            answers += ideal.answer(commands).len();
            let datagram = self.exchange.datagram(commands);
            self.exchange.sent(commands, self.now);
            self.carry_to_server(&datagram);
            let last = Command::from_byte(*commands.last().unwrap());
            while last.pace() == Pace::Complex && self.read.len() < answers {
                self.step()?;
            }
        }
        while self.read.len() < answers {
            self.step()?;
        }
        Ok(())
    }
}

fn any_script() -> impl Strategy<Value = String> {
    "(\\[|[0-9a-f]{2}|[0-9a-f]|@|n|z|s|\\[2[0-9]@|p|\\?|>|U|A|K){1,60}"
}

proptest! {
    #![proptest_config(fixed_seed(1000))]

    /// The heart of the matter: right bytes, or an error soon.
    #[test]
    fn answer_is_right_or_an_error(
        script in any_script(),
        counting in any_counting(),
        numbers in prop::collection::vec(any::<u8>(), 97..=101),
        lost in 0_u8..60,
        repeated in 0_u8..60,
        delay_ms in 0_u64..400,
    ) {
        let ideal = Device::new().answer(script.as_bytes());
        let mut scene = Scene::new(&numbers, counting, lost, repeated, delay_ms);
        let outcome = scene.converse(script.as_bytes());
        let datagrams = Datagrams::new(script.as_bytes()).count() as u64;
        prop_assert_eq!(&scene.read[..], &ideal[..scene.read.len()]);
        // A dump of 257 bytes comes in at most 257 pieces; each may be waited for. More than that is never
        // waited.
        let limit = Micros(ANSWER_LIMIT.0 * 2 + 400_000 * 257).0 * datagrams;
        prop_assert!(scene.now.0 <= limit, "{:?} after {:?}", outcome, scene.now);
        if outcome.is_ok() {
            prop_assert_eq!(scene.read, ideal);
        } else {
            // The next one works, though pieces of the old conversation still arrive.
            scene.read.clear();
            scene.fates.lost = 0;
            scene.fates.longest_delay_ms = 0;
            prop_assert_eq!(scene.converse(b"!?"), Ok(()));
            prop_assert_eq!(scene.read, b"!?\rBS000501\r");
        }
    }

    #[test]
    fn losses_are_made_good_where_that_is_safe(
        numbers in prop::collection::vec(any::<u8>(), 97..=101),
        counting in any_counting(),
        script in "(\\[2[0-9]@(\\[[0-9a-f]{2}z){1,8}[>U]|\\?|\\[2[0-9]@p){1,8}",
    ) {
        let ideal = Device::new().answer(script.as_bytes());
        let mut scene = Scene::new(&numbers, counting, 20, 20, 20);
        match scene.converse(script.as_bytes()) {
            Ok(()) => prop_assert_eq!(scene.read, ideal),
            // Three losses in a row.
            Err(error) => prop_assert!(matches!(error, DatagramError::NoAnswer { sent: 3, .. }), "{}", error),
        }
    }

    /// Twenty datagrams hold less than the reader is owed at most, so nothing here is an error.
    #[test]
    fn any_datagram_is_taken_or_ignored(
        mut datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..20),
    ) {
        let mut exchange = Exchange::default();
        exchange.sent(b"A", Instant(0));
        for datagram in &mut datagrams {
            // Numbers that are likely to be wanted.
            if let Some(header) = datagram.get_mut(..4) {
                header.copy_from_slice(&[0, 0, header[2] % 2, header[3] % 8]);
            }
            prop_assert_eq!(exchange.receive(datagram, Instant(0)), Ok(()));
        }
    }
}

proptest! {
    #![proptest_config(fixed_seed(300))]

    #[test]
    fn delays_and_repetitions_are_no_error(
        script in any_script(),
        counting in any_counting(),
        numbers in prop::collection::vec(any::<u8>(), 97..=101),
        repeated in 0_u8..100,
        delay_ms in 0_u64..200,
    ) {
        let ideal = Device::new().answer(script.as_bytes());
        let mut scene = Scene::new(&numbers, counting, 0, repeated, delay_ms);
        // A dump in less datagrams than may come early.
        scene.fates.smallest_piece = 10;
        prop_assert_eq!(scene.converse(script.as_bytes()), Ok(()));
        prop_assert_eq!(scene.read, ideal);
    }
}

/// The scripts that the driver's encoder makes of register values, each ended by `U`.
fn scripts(writes: &[Vec<(usize, u32)>]) -> (Vec<Vec<u8>>, [u8; 256]) {
    let (mut shadow, mut registers) = (Shadow::new(), Device::new().registers);
    let script = |stores: &Vec<(usize, u32)>| {
        for &(index, value) in stores {
            let register = Register::ALL[index % Register::ALL.len()];
            shadow.stage(register, value);
            for (at, byte) in (0..register.width()).zip(value.to_le_bytes()) {
                registers[usize::from(register.address() + at)] = byte;
            }
        }
        let mut buffer = [0; 1024];
        let mut script = Script::new(&mut buffer);
        script.stores(&mut shadow).unwrap();
        script.command(Command::Update).unwrap();
        script.finish().to_vec()
    };
    (writes.iter().map(script).collect(), registers)
}

proptest! {
    #![proptest_config(fixed_seed(500))]

    /// A datagram that goes on from where another left R1 would write somewhere else when it is executed again.
    #[test]
    fn repetitions_that_are_executed_write_no_other_registers(
        writes in prop::collection::vec(prop::collection::vec((0_usize..200, any::<u32>()), 1..60), 1..4),
        counting in any_counting(),
        numbers in prop::collection::vec(any::<u8>(), 97..=101),
    ) {
        let (scripts, registers) = scripts(&writes);
        let mut scene = Scene::new(&numbers, counting, 0, 0, 20);
        scene.fates.repeated_commands = 120;
        scene.fates.smallest_piece = 70;
        for script in scripts {
            let datagrams: Vec<_> = Datagrams::new(&script).collect();
            prop_assert!(datagrams.iter().all(|commands| super::repeat::is_repeatable(commands)), "{:?}", script);
            prop_assert_eq!(scene.converse(&script), Ok(()));
            prop_assert_eq!(&scene.read, &script);
            scene.read.clear();
        }
        prop_assert_eq!(scene.device.registers, registers);
    }
}
