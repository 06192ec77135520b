//! The packets of the bitscope-server protocol, and the client's side of a conversation in them.
//!
//! The input is packets of a length byte and as many bytes. Each is read as a datagram of either direction and cut as a
//! script; then the conversation takes it as a script to send or as a datagram that came, by its first byte.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething::link::udp::Exchange;
use scopething_core::link::bitscope_server::{
    AnswerPacket, AnswerRepr, CommandPacket, CommandRepr, Datagrams, MAX_COMMANDS, datagram_len,
};
use scopething_core::time::{Instant, Micros};
use scopething_core::vm::Command;

fuzz_target!(|bytes: &[u8]| {
    let mut talk = Conversation::default();
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first() {
        let (packet, behind) = behind.split_at(behind.len().min((*length).into()));
        rest = behind;
        views(packet);
        talk.step(packet);
    }
    talk.end();
});

/// What is a packet is written as it was read; a script is cut into packets that hold it all.
fn views(bytes: &[u8]) {
    let mut buffer = [0; 300];
    if let Ok(packet) = AnswerPacket::new_checked(bytes) {
        let length = AnswerRepr::parse(&packet).emit(&mut buffer).expect("there is room");
        assert_eq!(buffer[..length], *bytes);
    }
    if let Ok(packet) = CommandPacket::new_checked(bytes) {
        let written = CommandRepr::parse(&packet).emit(&mut buffer);
        assert_eq!(written.is_ok(), datagram_len(packet.commands()) == packet.commands().len());
        assert!(written.is_err() || buffer[..bytes.len()] == *bytes);
    }
    let cut: Vec<&[u8]> = Datagrams::new(bytes).collect();
    assert_eq!(cut.concat(), bytes);
    assert!(cut.iter().all(|commands| (1..=MAX_COMMANDS).contains(&commands.len())));
}

#[derive(Default)]
struct Conversation {
    exchange: Exchange,
    now: Instant,
    /// Bytes that came in datagrams, and that were read.
    came: usize,
    read: usize,
}

impl Conversation {
    fn step(&mut self, packet: &[u8]) {
        let Some((&what, bytes)) = packet.split_first() else { return };
        self.now = self.now + Micros(u64::from(what) << 8);
        if what & 1 == 0 {
            let commands = &bytes[..datagram_len(bytes)];
            if commands.first().is_some_and(|first| self.exchange.may_send(Command::from_byte(*first))) {
                assert_eq!(self.exchange.datagram(commands).get(1..), Some(commands));
                self.exchange.sent(commands, self.now);
            }
        } else {
            self.came += bytes.len();
            // A flood is an error, and the only one.
            if let Err(error) = self.exchange.receive(bytes, self.now) {
                assert!(!error.to_string().is_empty());
            }
        }
        if what & 2 != 0 {
            self.drain();
        }
        if what & 4 != 0 {
            self.pass();
        }
    }

    fn drain(&mut self) {
        let mut buffer = [0; 64];
        loop {
            match self.exchange.read(&mut buffer) {
                0 => break,
                count => self.read += count,
            }
        }
        assert!(self.read <= self.came, "{} bytes read of {}", self.read, self.came);
    }

    /// Waits for what is due, if anything is.
    fn pass(&mut self) -> bool {
        let Some(deadline) = self.exchange.deadline() else { return false };
        self.now = Instant(self.now.0.max(deadline.0));
        match self.exchange.due(self.now) {
            Ok(Some(again)) => {
                assert!(CommandPacket::new_checked(&again).is_ok());
                self.exchange.sent_again(self.now);
                true
            }
            Ok(None) => panic!("a deadline was reached and nothing is due"),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                self.drain();
                false
            }
        }
    }

    /// Nothing more comes: the waiting ends in an error, or nothing is waited for.
    fn end(&mut self) {
        let started = self.now;
        while self.pass() {}
        assert!(self.now - started <= Micros::from_millis(2000), "waited {:?}", self.now - started);
        self.drain();
    }
}
