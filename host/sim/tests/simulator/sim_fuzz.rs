//! Whatever is sent, and whenever: the device echoes it all, in bounded time and memory, and a reset mends
//! it.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use scopething_sim::{Device, SimConfig, SimTime};

/// Commands, with those that do something more often than chance has them, and any other byte.
fn bytes() -> impl Strategy<Value = Vec<(u8, u32)>> {
    let known = prop::sample::select(b"[]0123456789abcdef@sznp?!<>UDKATSWRYXZrw.~|".to_vec());
    let byte = prop_oneof![8 => known, 1 => any::<u8>()];
    prop::collection::vec((byte, prop_oneof![Just(0), 0_u32..100_000]), 0..300)
}

fn drain(device: &mut Device, at: SimTime) -> usize {
    // A dump may be of four gigabytes: no more of it is fetched than this.
    std::iter::from_fn(|| device.transmit(at)).take(100_000).count()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
    })]
    #[test]
    fn any_bytes_at_any_time_are_survived(bytes in bytes(), noisy: bool) {
        let query = if noisy { "A=sine,10kHz,0..3V&noise=50mV" } else { "A=sine,10kHz,0..3V" };
        let mut device = Device::new(&SimConfig::from_query(query).unwrap());
        let mut now = SimTime::ZERO;
        for (byte, pause) in bytes {
            now = now + SimTime(pause.into());
            let before = drain(&mut device, now);
            device.receive(byte, now);
            prop_assert!(before == 100_000 || drain(&mut device, now) > 0, "no echo of {byte:02x}");
            for _ in 0..5 {
                let Some(next) = device.next_event() else { break };
                now = now.max(next);
                device.advance(now);
            }
        }
        device.receive(b'!', now);
        let answer: Vec<u8> = std::iter::from_fn(|| device.transmit(now)).collect();
        prop_assert_eq!(answer.last(), Some(&b'!'));
        device.receive(b'?', now);
        let answer: Vec<u8> = std::iter::from_fn(|| device.transmit(now)).collect();
        prop_assert_eq!(answer, b"?\rBS000501\r".to_vec());
    }
}
