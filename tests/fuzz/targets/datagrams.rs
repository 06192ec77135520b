//! The server's side of the bitscope-server protocol: no datagram is executed twice, and answers fit their
//! datagrams.
//!
//! The input is datagrams of a length byte and as many bytes; each byte that is executed is answered by
//! itself and, where it is even, by as many more bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething::serve::bitscope_server::{Exchange, Received};

fuzz_target!(|bytes: &[u8]| {
    let mut exchange = Exchange::default();
    let (mut sent, mut last) = (0_u64, Vec::new());
    let mut rest = bytes;
    while let Some((length, behind)) = rest.split_first() {
        let (datagram, behind) = behind.split_at(behind.len().min((*length).into()));
        rest = behind;
        match exchange.take(datagram, sent) {
            Received::Commands(commands) => {
                assert_ne!(last, datagram, "executed twice");
                assert_eq!(datagram[1..], commands);
                datagram.clone_into(&mut last);
                let mut answers = Vec::new();
                for (origin, byte) in (sent..).zip(&commands) {
                    answers.push((origin, *byte));
                    let more = if byte % 2 == 0 { usize::from(*byte) } else { 0 };
                    answers.extend(std::iter::repeat_n((origin, 0), more));
                }
                sent += commands.len() as u64;
                let packed = exchange.pack(&answers);
                let data: Vec<u8> = packed.iter().flat_map(|datagram| datagram[4..].to_vec()).collect();
                assert!(data.iter().eq(answers.iter().map(|(_, byte)| byte)), "not what was answered");
                assert!(packed.iter().all(|answer| answer.len() <= 1404 && answer[2] == datagram[0]));
            }
            Received::Repeated(answers) => {
                assert_eq!(last, datagram, "taken for another");
                assert!(answers.iter().map(Vec::len).sum::<usize>() <= 1 << 16);
            }
            Received::Malformed => assert!(!(2..=65).contains(&datagram.len())),
        }
    }
});
