//! Conversations with a bitscope-server, step by step.

use scopething_core::time::Instant;
use scopething_core::vm::Command;

use super::exchange::Exchange;
use crate::link::DatagramError;

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
fn next_datagram_waits_for_echoes() {
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
fn safe_commands_are_sent_three_times() {
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
fn lost_dump_datagram_is_an_error() {
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
fn dump_without_its_end_is_an_error() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"A", 0);
    receive(&mut exchange, 10 * MS, 0, 0, b"Aone");
    assert_eq!(exchange.due(Instant(1610 * MS)), Err(DatagramError::Ended { bytes: 4 }));
}

#[test]
fn trace_may_be_silent_for_hours() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"D", 0);
    receive(&mut exchange, MS, 0, 0, b"D02\r00000000\r");
    assert_eq!(exchange.deadline(), None);
    receive(&mut exchange, 3_600_000 * MS, 1, 0, b"00\r00000001\r00000002\r");
    assert_eq!(read(&mut exchange), "D02\r00000000\r00\r00000001\r00000002\r");
}

#[test]
fn cancelled_trace_goes_on_behind_the_echo() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"D", 0);
    receive(&mut exchange, MS, 0, 0, b"D02\r00000000\r");
    assert_eq!(send(&mut exchange, b"K", 2 * MS), b"\x01K");
    receive(&mut exchange, 3 * MS, 1, 0, b"03\r00000001\r");
    assert_eq!(read(&mut exchange), "D02\r00000000\r");
    receive(&mut exchange, 4 * MS, 2, 1, b"K");
    receive(&mut exchange, 5 * MS, 3, 0, b"00000002\r");
    assert_eq!(read(&mut exchange), "K03\r00000001\r00000002\r");
}

#[test]
fn lost_cancel_echo_is_requested_again() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"D", 0);
    receive(&mut exchange, MS, 0, 0, b"D02\r00000000\r");
    send(&mut exchange, b"K", 0);
    // Datagram 1, the echo, does not arrive.
    receive(&mut exchange, MS, 2, 0, b"03\r00000001\r00000002\r");
    assert_eq!(exchange.due(Instant(200 * MS)), Ok(Some(b"\x02K".to_vec())));
    exchange.sent_again(Instant(200 * MS));
    receive(&mut exchange, 201 * MS, 3, 2, b"K");
    assert_eq!(read(&mut exchange), "D02\r00000000\rK03\r00000001\r00000002\r");
}

#[test]
fn relay_may_answer_cancel_under_either_number() {
    for (data_seq, cmd_id) in [(1, 0), (1, 1)] {
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
fn reset_waits_for_nothing_and_forgets_all() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"A", 0);
    receive(&mut exchange, MS, 0, 0, b"Aold");
    send(&mut exchange, b"!", 2 * MS);
    receive(&mut exchange, 3 * MS, 1, 0, b"old");
    receive(&mut exchange, 4 * MS, 0, 1, b"!");
    assert_eq!(read(&mut exchange), "!");
}

#[test]
fn another_adaptor_is_ignored() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"U", 0);
    receive(&mut exchange, MS, 0, 0, b"U");
    send(&mut exchange, b">", 2 * MS);
    exchange.receive(b"\x00\x02\x01\x00x", Instant(3 * MS)).unwrap();
    receive(&mut exchange, 4 * MS, 0, 1, b">");
    assert_eq!(read(&mut exchange), "U>");
}

#[test]
fn flood_is_an_error() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"A", 0);
    let outcomes = (0..=255).map(|seq| exchange.receive(&answer(seq, 0, &[b'A'; 1400]), Instant(0)));
    let errors: Vec<_> = outcomes.filter_map(Result::err).collect();
    assert_eq!(errors, [DatagramError::Flooded { limit: 262_144 }]);
    assert_eq!(read(&mut exchange), "");
}

/// A client that has received two short answers of a server that counts in this way.
fn acquainted(starts: [u8; 2]) -> Exchange {
    let mut exchange = Exchange::default();
    for (cmd_id, (commands, start)) in (0..).zip([(b"!", starts[0]), (b"U", starts[1])]) {
        send(&mut exchange, commands, 0);
        receive(&mut exchange, 0, start, cmd_id, commands);
        assert_eq!(read(&mut exchange).as_bytes(), commands);
    }
    exchange
}

#[test]
fn gap_between_commands_is_detected() {
    let mut exchange = acquainted([254, 255]);
    send(&mut exchange, b"A", MS);
    // 0 is missing, and 1 begins as an answer does.
    receive(&mut exchange, 2 * MS, 1, 2, b"Alater");
    assert_eq!(read(&mut exchange), "");
    assert_eq!(exchange.deadline(), Some(Instant(252 * MS)));
    assert_eq!(exchange.due(Instant(252 * MS)), Err(DatagramError::Lost { data_seq: 0 }));
}

#[test]
fn complete_answer_is_not_waited_for() {
    let mut exchange = acquainted([3, 4]);
    send(&mut exchange, b"?", MS);
    // 5 may have been the answer to an earlier sending.
    receive(&mut exchange, 2 * MS, 7, 2, b"00501\r");
    receive(&mut exchange, 2 * MS, 6, 2, b"?\rBS0");
    assert_eq!(read(&mut exchange), "?\rBS000501\r");
    assert_eq!(exchange.deadline(), None);
    send(&mut exchange, b"A", 3 * MS);
    receive(&mut exchange, 4 * MS, 8, 3, b"Aone");
    assert_eq!(read(&mut exchange), "Aone");
}

#[test]
fn server_may_count_anew_for_each_command() {
    for first in [0, 1] {
        let mut exchange = acquainted([first, first]);
        send(&mut exchange, b"D", MS);
        // Its second datagram overtakes the first, and continues the numbers of the last answer.
        receive(&mut exchange, 2 * MS, first + 1, 2, b"00000000\r");
        assert_eq!(read(&mut exchange), "");
        receive(&mut exchange, 2 * MS, first, 2, b"D02\r");
        assert_eq!(read(&mut exchange), "D02\r00000000\r");
        send(&mut exchange, b"K", 3 * MS);
        receive(&mut exchange, 4 * MS, first + 3, 2, b"00000001\r00000002\r");
        receive(&mut exchange, 4 * MS, first, 3, b"K");
        assert_eq!(read(&mut exchange), "K");
        receive(&mut exchange, 5 * MS, first + 2, 2, b"03\r");
        assert_eq!(read(&mut exchange), "03\r00000001\r00000002\r");
    }
}

#[test]
fn server_may_start_anew() {
    for start in [0, 1] {
        let mut exchange = acquainted([100, 101]);
        send(&mut exchange, b"A", MS);
        receive(&mut exchange, 2 * MS, start, 2, b"Aone ");
        receive(&mut exchange, 2 * MS, start + 1, 2, b"two");
        assert_eq!(read(&mut exchange), "Aone two");
        send(&mut exchange, b"U", 3 * MS);
        receive(&mut exchange, 4 * MS, start + 2, 3, b"U");
        send(&mut exchange, b"A", 5 * MS);
        // 3 is missing: it counts on and on as before.
        receive(&mut exchange, 6 * MS, start + 4, 4, b"Athree");
        assert_eq!(read(&mut exchange), "U");
        assert_eq!(exchange.due(Instant(256 * MS)), Err(DatagramError::Lost { data_seq: start + 3 }));
    }
}

#[test]
fn single_byte_trace_loss_is_detected() {
    let ends = b"00\r00000001\r00000002\r";
    for lost in [None, Some(7)] {
        let mut exchange = acquainted([7, 8]);
        send(&mut exchange, b"D", MS);
        receive(&mut exchange, MS, 9, 2, b"D02\r00000000\r");
        for (index, byte) in (0..).zip(ends) {
            if lost != Some(index) {
                receive(&mut exchange, 9_000_000 * MS, 10 + index, 2, &[*byte]);
            }
        }
        let lost = lost.map(|index| DatagramError::Lost { data_seq: 10 + index });
        let deadline = exchange.deadline().unwrap_or(Instant(0));
        assert_eq!(exchange.due(deadline).err(), lost);
        assert_eq!(read(&mut exchange).len(), if lost.is_some() { 0 } else { 34 });
    }
}

#[test]
fn server_that_serves_another_names_it() {
    let mut exchange = Exchange::default();
    send(&mut exchange, b"!", 0);
    let refused = exchange.receive(&answer(9, 0, b"refused: tcp 10.0.0.2:40000 has the device"), Instant(MS));
    assert_eq!(refused, Err(DatagramError::Refused { owner: "tcp 10.0.0.2:40000".to_owned() }));
    assert_eq!((read(&mut exchange), exchange.deadline()), (String::new(), None));
}
