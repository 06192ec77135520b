//! The server's side of the bitscope-server protocol: no datagram is executed twice, answers fit their
//! datagrams, whose numbers run on, and repetitions bring little.
//!
//! The input is datagrams of a length byte and as many bytes; each byte that is executed is answered by
//! itself and, where it is even, by as many more bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething::serve::bitscope_server::{Exchange, MAX_ANSWERS, MAX_REPEATS, Received};
use scopething_core::link::bitscope_server::{ANSWER_HEADER, AnswerPacket};

fuzz_target!(|bytes: &[u8]| {
    let mut number = bytes.first().copied().unwrap_or(0);
    let mut exchange = Exchange::new(number);
    let (mut sent, mut last) = (0_u64, Vec::new());
    let mut repeated = 0;
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first() {
        let (datagram, behind) = behind.split_at(behind.len().min((*length).into()));
        rest = behind;
        match exchange.take(datagram, sent) {
            Received::Commands(commands) => {
                assert_ne!(last, datagram, "executed twice");
                assert_eq!(datagram[1..], commands);
                datagram.clone_into(&mut last);
                repeated = 0;
                let mut answers = Vec::new();
                for (origin, byte) in (sent..).zip(&commands) {
                    answers.push((origin, *byte));
                    let more = if byte % 2 == 0 { usize::from(*byte) } else { 0 };
                    answers.extend(std::iter::repeat_n((origin, 0), more));
                }
                sent += commands.len() as u64;
                let packed = exchange.pack(&answers);
                let mut data = Vec::new();
                for answer in &packed {
                    assert!(answer.len() <= ANSWER_HEADER + MAX_ANSWERS);
                    let answer = AnswerPacket::new_checked(answer).expect("a datagram");
                    assert_eq!((answer.cmd_id(), answer.data_seq()), (datagram[0], number));
                    number = number.wrapping_add(1);
                    data.extend_from_slice(answer.data());
                }
                assert!(data.iter().eq(answers.iter().map(|(_, byte)| byte)), "not what was answered");
            }
            Received::Repeated(answers) => {
                assert_eq!(last, datagram, "taken for another");
                let data = |answer: &Vec<u8>| answer.len() - ANSWER_HEADER;
                repeated += answers.iter().map(data).sum::<usize>();
                assert!(repeated <= usize::from(MAX_REPEATS) * MAX_ANSWERS, "{repeated} bytes for nothing");
            }
            Received::Malformed => assert!(!(2..=65).contains(&datagram.len())),
        }
    }
});
