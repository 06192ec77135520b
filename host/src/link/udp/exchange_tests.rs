//! Conversations with a bitscope-server, step by step.

use scopething_core::time::Instant;
use scopething_core::vm::Command;

use super::super::error::DatagramError;
use super::exchange::Exchange;

const MS: u64 = 1000;

fn send(exchange: &mut Exchange, commands: &[u8], at: u64) -> Vec<u8> {
    assert!(exchange.may_send(Command::from_byte(commands[0])));
    let datagram = exchange.datagram(commands);
    exchange.sent(commands, Instant(at));
    datagram
}

/// A datagram of adaptor 0001.
fn answer(data_seq: u8, cmd_id: u8, data: &[u8]) -> Vec<u8> {
    [&[0, 1, cmd_id, data_seq], data].concat()
}

fn receive(exchange: &mut Exchange, at: u64, data_seq: u8, cmd_id: u8, data: &[u8]) {
    exchange.receive(&answer(data_seq, cmd_id, data), Instant(at)).unwrap();
}

fn read(exchange: &mut Exchange) -> String {
    let mut buf = [0; 1000];
    let count = exchange.read(&mut buf);
    String::from_utf8_lossy(&buf[..count]).into_owned()
}

#[test]
fn the_next_datagram_waits_for_the_echoes_of_the_last() {
    let mut exchange = Exchange::default();
    assert_eq!(send(&mut exchange, b"[21@", 0), b"\x00[21@");
    receive(&mut exchange, MS, 0, 0, b"[21");
    assert!(!exchange.may_send(Command::Update));
    assert_eq!(read(&mut exchange), "");
    receive(&mut exchange, 2 * MS, 1, 0, b"@");
    assert_eq!(read(&mut exchange), "[21@");
    assert_eq!(exchange.deadline(), None);
    assert_eq!(send(&mut exchange, b"U", 3 * MS), b"\x01U");
}

#[test]
fn safe_commands_are_sent_three_times_under_numbers_of_their_own() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"?", 0);
    receive(&mut exchange, MS, 0, 0, b"?\rBS0");
    assert_eq!(exchange.deadline(), Some(Instant(200 * MS)));
    assert_eq!(exchange.due(Instant(199 * MS)), Ok(None));
    assert_eq!(exchange.due(Instant(200 * MS)), Ok(Some(b"\x01?".to_vec())));
    exchange.sent_again(Instant(200 * MS));
    // The rest of the first answer comes late: it is not the second one's.
    receive(&mut exchange, 201 * MS, 1, 0, b"00501\r");
    assert_eq!(read(&mut exchange), "");
    assert_eq!(exchange.deadline(), Some(Instant(600 * MS)));
    assert_eq!(exchange.due(Instant(600 * MS)), Ok(Some(b"\x02?".to_vec())));
    exchange.sent_again(Instant(600 * MS));
    receive(&mut exchange, 700 * MS, 0, 2, b"?\rBS000501\r");
    assert_eq!(read(&mut exchange), "?\rBS000501\r");
    assert_eq!(exchange.deadline(), None);
}

#[test]
fn silence_is_an_error_in_bounded_time() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"U", 0);
    let mut sent = 1;
    let error = loop {
        let deadline = exchange.deadline().unwrap();
        match exchange.due(deadline) {
            Ok(Some(_)) => {
                exchange.sent_again(deadline);
                sent += 1;
            }
            other => break (deadline, other),
        }
    };
    assert_eq!(error, (Instant(1600 * MS), Err(DatagramError::NoAnswer { command: b'U', sent: 3 })));
    assert_eq!((sent, exchange.deadline()), (3, None));
}

#[test]
fn what_may_not_execute_twice_is_sent_once() {
    for commands in [&b"n"[..], b"D", b"A", b"Z"] {
        let mut exchange = Exchange::default();
        send(&mut exchange, commands, 0);
        assert_eq!(exchange.deadline(), Some(Instant(1600 * MS)));
        let error = DatagramError::NoAnswer { command: commands[0], sent: 1 };
        assert_eq!(exchange.due(Instant(1600 * MS)), Err(error));
    }
}

#[test]
fn a_datagram_lost_from_a_dump_is_an_error_and_what_follows_it_is_not_read() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"A", 0);
    receive(&mut exchange, MS, 0, 0, b"Aone");
    receive(&mut exchange, 2 * MS, 2, 0, b"three");
    assert_eq!(read(&mut exchange), "Aone");
    assert_eq!(exchange.deadline(), Some(Instant(252 * MS)));
    assert_eq!(exchange.due(Instant(252 * MS)), Err(DatagramError::Lost { data_seq: 1 }));
    receive(&mut exchange, 253 * MS, 1, 0, b"two");
    assert_eq!(read(&mut exchange), "");
}

#[test]
fn a_dump_that_loses_its_end_is_an_error() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"A", 0);
    receive(&mut exchange, 10 * MS, 0, 0, b"Aone");
    assert_eq!(exchange.due(Instant(1610 * MS)), Err(DatagramError::Ended { bytes: 4 }));
}

#[test]
fn a_trace_may_be_silent_for_hours() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"D", 0);
    receive(&mut exchange, MS, 0, 0, b"D02\r00000000\r");
    assert_eq!(exchange.deadline(), None);
    receive(&mut exchange, 3_600_000 * MS, 1, 0, b"00\r00000001\r00000002\r");
    assert_eq!(read(&mut exchange), "D02\r00000000\r00\r00000001\r00000002\r");
}

#[test]
fn a_cancelled_trace_goes_on_behind_the_echo() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"D", 0);
    receive(&mut exchange, MS, 0, 0, b"D02\r00000000\r");
    assert_eq!(send(&mut exchange, b"K", 2 * MS), b"\x01K");
    receive(&mut exchange, 3 * MS, 1, 0, b"03\r00000001\r");
    assert_eq!(read(&mut exchange), "D02\r00000000\r");
    receive(&mut exchange, 4 * MS, 0, 1, b"K");
    receive(&mut exchange, 5 * MS, 2, 0, b"00000002\r");
    assert_eq!(read(&mut exchange), "K03\r00000001\r00000002\r");
}

#[test]
fn a_lost_echo_of_cancel_is_asked_for_again_and_the_trace_kept() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"D", 0);
    receive(&mut exchange, MS, 0, 0, b"D02\r00000000\r");
    send(&mut exchange, b"K", 0);
    receive(&mut exchange, MS, 1, 0, b"03\r00000001\r00000002\r");
    assert_eq!(exchange.due(Instant(200 * MS)), Ok(Some(b"\x02K".to_vec())));
    exchange.sent_again(Instant(200 * MS));
    receive(&mut exchange, 201 * MS, 0, 2, b"K");
    assert_eq!(read(&mut exchange), "D02\r00000000\rK03\r00000001\r00000002\r");
}

#[test]
fn a_relay_may_answer_cancel_under_either_number() {
    for (data_seq, cmd_id) in [(1, 0), (0, 1)] {
        let mut exchange = Exchange::default();
        send(&mut exchange, b"D", 0);
        receive(&mut exchange, MS, 0, 0, b"D02\r00000000\r");
        send(&mut exchange, b"K", 2 * MS);
        receive(&mut exchange, 3 * MS, data_seq, cmd_id, b"K03\r00000001\r00000002\r");
        assert_eq!(read(&mut exchange), "D02\r00000000\rK03\r00000001\r00000002\r");
        assert_eq!(exchange.deadline(), None);
    }
}

#[test]
fn a_reset_waits_for_nothing_and_forgets_all() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"A", 0);
    receive(&mut exchange, MS, 0, 0, b"Aold");
    send(&mut exchange, b"!", 2 * MS);
    receive(&mut exchange, 3 * MS, 1, 0, b"old");
    receive(&mut exchange, 4 * MS, 0, 1, b"!");
    assert_eq!(read(&mut exchange), "!");
}

#[test]
fn another_adaptor_is_a_stranger() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"U", 0);
    receive(&mut exchange, MS, 0, 0, b"U");
    send(&mut exchange, b">", 2 * MS);
    exchange.receive(b"\x00\x02\x01\x00x", Instant(3 * MS)).unwrap();
    receive(&mut exchange, 4 * MS, 0, 1, b">");
    assert_eq!(read(&mut exchange), "U>");
}

#[test]
fn a_flood_is_an_error() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"A", 0);
    let outcomes = (0..=255).map(|seq| exchange.receive(&answer(seq, 0, &[0; 1400]), Instant(0)));
    let errors: Vec<_> = outcomes.filter_map(Result::err).collect();
    assert_eq!(errors, [DatagramError::Flooded { limit: 262_144 }]);
    assert_eq!(read(&mut exchange), "");
}
