//! The simulated device, fed with bytes at any time: it echoes them, in bounded work, and a reset mends it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_sim::{Device, SimConfig, SimTime};

/// A dump may be of four gigabytes: no more of an answer is fetched than this.
const MAX_FETCHED: usize = 20_000;
/// A trace of a signal that never triggers may be looked at again and again; each look is bounded.
const MAX_LOOKS: usize = 8;

fuzz_target!(|bytes: &[u8]| {
    let Some((setting, bytes)) = bytes.split_first() else { return };
    let query =
        ["", "A=sine,10kHz,0..3V&noise=50mV&L0=uart,9600bps,text=x", "A=square,1MHz&B=ramp,5Hz&stale=yes"];
    let config = SimConfig::from_query(query[usize::from(*setting) % query.len()]).expect("a configuration");
    let mut device = Device::new(&config);
    let mut now = SimTime::ZERO;
    // Bytes that no command is known for let time pass as well: microseconds by their square.
    for &byte in bytes.iter().take(4096) {
        if byte >= 0x80 {
            now = now + SimTime::from_micros(u64::from(byte - 0x80).pow(2));
        }
        let before = fetch(&mut device, now).len();
        device.receive(byte, now);
        let echoed = before == MAX_FETCHED || fetch(&mut device, now).contains(&byte);
        assert!(echoed, "no echo of {byte:02x}");
        for _ in 0..MAX_LOOKS {
            let Some(next) = device.next_event() else { break };
            now = now.max(next);
            device.advance(now);
        }
    }
    device.receive(b'!', now);
    assert_eq!(std::iter::from_fn(|| device.transmit(now)).last(), Some(b'!'));
    device.receive(b'?', now);
    assert_eq!(fetch(&mut device, now), b"?\rBS000501\r");
    let notes = device.take_notes().map(|note| note.to_string()).collect::<Vec<_>>();
    assert!(notes.len() <= 100 && notes.iter().all(|note| !note.is_empty()));
});

fn fetch(device: &mut Device, at: SimTime) -> Vec<u8> {
    std::iter::from_fn(|| device.transmit(at)).take(MAX_FETCHED).collect()
}
