//! Streaming traces: frames, their pace, their end, and what a slow link or a slow host loses of them.

use crate::sim_host::{Host, byte_of, close};
use embedded_io_async::{Read, Write};
use scopething_core::time::{Clock, Instant};
use scopething_core::vm::Register;
use scopething_sim::{Note, SimConfig, SimLink, SimTime};

/// A stream of A at `ticks`, from -5.5 V to 8 V.
fn started(query: &str, mode: u32, ticks: u32, analog: u32, digital: u32) -> Host {
    let mut host = Host::new(query);
    host.prepare(mode, 0, ticks, 0, 0);
    host.set(&[
        (Register::StreamIdent, 0xa5),
        (Register::AnalogEnable, analog),
        (Register::DigitalEnable, digital),
        (Register::KitchenSinkA, 0),
    ]);
    assert_eq!(host.exchange("U"), "U");
    assert_eq!(host.exchange("T"), "T");
    host
}

/// All that the device sends until a moment, for a link that takes every byte at once.
fn sent_until(host: &mut Host, until: SimTime) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(next) = host.device.next_event().filter(|next| *next <= until) {
        host.now = host.now.max(next);
        bytes.extend(std::iter::from_fn(|| host.device.transmit(host.now)));
    }
    host.now = until;
    bytes
}

#[test]
fn frames_follow_the_clock() {
    // 320 ticks are 8 us: A rises by 8 mV a frame, the counter on the lines moves on every 10 us.
    let query = "A=ramp,100Hz,0..1V&B=dc,2V";
    let mut host = started(query, 1, 320, 3, 1);
    assert!(sent_until(&mut host, SimTime(7_999)).is_empty());
    let bytes = sent_until(&mut host, SimTime::from_micros(8 * 1000));
    assert_eq!(bytes.len(), 5 * 1000);
    for (n, frame) in (1..).zip(bytes.chunks_exact(5)) {
        assert_eq!((frame[0], usize::from(frame[1])), (0xa5, (n - 1) % 256));
        assert!(close(&frame[2..4], [n as f64 * 8e-6 * 100.0, 2.0]), "{n}: {frame:?}");
        assert_eq!(usize::from(frame[4]), 8 * n / 10 % 256);
    }
    assert_eq!(host.notes(), []);
}

#[test]
fn what_is_off_is_not_in_a_frame() {
    let frame = |analog, digital| {
        let mut host = started("A=dc,1V&B=dc,2V&L0=dc,3V", 1, 16384, analog, digital);
        let bytes = sent_until(&mut host, SimTime::from_ticks(2 * 16384));
        assert_eq!(bytes[..bytes.len() / 2], *[&[0xa5, 0], &bytes[2..bytes.len() / 2]].concat());
        bytes[2..bytes.len() / 2].to_vec()
    };
    assert!(close(&frame(1, 0), [1.0]));
    assert!(close(&frame(2, 0), [2.0]));
    assert!(close(&frame(3, 0), [1.0, 2.0]));
    // 410 us after the start the counter on the lines stands at 40, and L0 is high.
    let with_logic = frame(2, 1);
    assert!(close(&with_logic[..1], [2.0]) && with_logic[1..] == [41], "{with_logic:?}");
    assert_eq!(frame(0, 0xff), [41]);
    assert!(frame(0, 0).is_empty());
}

#[test]
fn raw_stream_is_a_byte_a_sample() {
    // 80 ticks are 2 us.
    let mut logic = started("", 2, 80, 0, 1);
    let bytes = sent_until(&mut logic, SimTime::from_micros(2000));
    assert_eq!(bytes, (1..=1000).map(|n| (2 * n / 10) as u8).collect::<Vec<_>>());
    let mut a = started("A=ramp,1kHz,0..1V", 2, 80, 1, 1);
    let bytes = sent_until(&mut a, SimTime::from_micros(900));
    assert!(close(&bytes, (1..=450).map(|n| f64::from(n) * 2e-3)) && bytes.len() == 450);
    let mut b = started("A=dc,1V&B=dc,2V", 2, 80, 2, 0);
    assert!(close(&sent_until(&mut b, SimTime::from_micros(20)), [2.0; 10]));
}

#[test]
fn stream_ends_with_a_whole_frame() {
    for end in ["!", "K"] {
        let mut host = started("A=dc,1V", 1, 320, 1, 1);
        sent_until(&mut host, SimTime::from_micros(8 * 9));
        // The link has taken two bytes of the tenth frame.
        host.now = SimTime::from_micros(8 * 10);
        let begun: Vec<u8> = (0..2).filter_map(|_| host.device.transmit(host.now)).collect();
        assert_eq!(begun, [0xa5, 9]);
        let rest = host.send(end.as_bytes());
        assert_eq!(rest.len(), 3);
        assert!(close(&rest[..1], [1.0]) && rest[2] == end.as_bytes()[0], "{rest:?}");
        assert!(sent_until(&mut host, SimTime::from_micros(10_000)).is_empty());
        assert_eq!(host.exchange("?"), "?\rBS000501\r");
        // A capture works as ever.
        host.prepare(0, 0, 40, 0, 10);
        host.set(&[(Register::TriggerIntro, 0)]);
        host.set(&[(Register::TriggerMask, 0xff)]);
        host.start();
        assert_eq!(host.wait().unwrap().token, 0);
        assert!(close(&host.dump(0, 0, 10), [1.0; 10]));
        assert_eq!(host.notes(), []);
    }
}

#[test]
fn other_bytes_are_answered_between_frames() {
    let mut host = started("", 1, 320, 0, 0);
    host.now = SimTime::from_micros(8 * 2 + 1);
    assert_eq!(host.device.transmit(host.now), Some(0xa5));
    // The two frames that are there, then the answer.
    assert_eq!(host.send(b"[")[..], [0, 0xa5, 1, b'[']);
    assert_eq!(host.notes(), [Note::StreamDisturbed { byte: b'[' }]);
    assert_eq!(sent_until(&mut host, SimTime::from_micros(8 * 3)), [0xa5, 2]);
    // T starts anew with the registers as they are then.
    assert_eq!(host.exchange("T"), "T");
    assert_eq!(sent_until(&mut host, SimTime::from_micros(8 * 4)), [0xa5, 0]);
}

#[test]
fn unstreamable_modes_are_noted() {
    for mode in [0, 3, 4, 18] {
        let mut host = started("", mode, 320, 1, 1);
        assert!(sent_until(&mut host, SimTime::from_micros(10_000)).is_empty());
        assert_eq!(host.notes(), [Note::StreamModeUnknown { mode: mode as u8 }]);
    }
    for (asked, ticks) in [(1, 40), (65535, 16384)] {
        let mut host = started("", 2, asked, 0, 0);
        assert_eq!(sent_until(&mut host, SimTime::from_ticks(10 * ticks)).len(), 10);
        assert_eq!(host.notes(), [Note::ClockCut { mode: 2, clock_ticks: asked as u16, clock_scale: 1 }]);
    }
}

#[test]
fn slow_host_loses_frames() {
    let mut host = started("", 1, 40, 0, 1);
    host.now = SimTime::from_seconds(3600.0);
    host.device.advance(host.now);
    let waiting: Vec<u8> = std::iter::from_fn(|| host.device.transmit(host.now)).collect();
    // The oldest are kept, whole, as many as a small buffer holds.
    let kept = waiting.len() / 3;
    assert!((10..1000).contains(&kept) && waiting.len() == 3 * kept, "{}", waiting.len());
    assert!(
        (0..)
            .zip(waiting.chunks_exact(3))
            .all(|(n, frame)| frame == [0xa5, n, n / 10 + u8::from(n % 10 == 9)])
    );
    // The next one is that of its time: a frame in 1 us, the first after 1 us.
    let after = host.now + SimTime::from_micros(1);
    let next = sent_until(&mut host, after);
    assert_eq!(next[..2], [0xa5, (3_600_000_000_u64 % 256) as u8]);
}

/// A frame of a stream of A and the logic lines, as a client sees it.
struct Frame {
    sequence: u8,
    a: u8,
}

/// Streams A and the logic lines through a link for some time, and stops with `!`. Gives the microsecond at which the
/// device had the `T`, too.
fn streamed(query: &str, latency_us: u64, ticks: u32, seconds: f64) -> (u64, Vec<Frame>) {
    let mut host = Host::new("");
    host.prepare(1, 0, ticks, 0, 0);
    let setup: Vec<String> =
        [(0x36, 0xa5), (0x37, 1), (0x38, 1), (0x21, 1), (0x2e, ticks & 0xff), (0x2f, ticks >> 8)]
            .into_iter()
            .chain((0x64..0x68).map(|address| (address, host_register(&mut host, address))))
            .map(|(address, value)| format!("[{address:02x}]@[{value:02x}]s"))
            .collect();
    let (started_us, bytes) =
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
            let mut link = SimLink::new(
                &SimConfig::from_query(&format!("clock=fast&latency={latency_us}us&{query}")).unwrap(),
            );
            let clock = link.clock();
            let mut started_us = 0;
            for part in [setup.concat().as_bytes(), b"U", b"T"] {
                started_us = clock.now().0 + latency_us;
                link.write_all(part).await.unwrap();
                link.read_exact(&mut vec![0; part.len()]).await.unwrap();
            }
            let deadline = Instant(clock.now().0 + (seconds * 1e6) as u64);
            let mut bytes = Vec::new();
            let mut buffer = [0; 1000];
            while clock.now() < deadline {
                let count = link.read(&mut buffer).await.unwrap();
                bytes.extend(&buffer[..count]);
            }
            link.write_all(b"!").await.unwrap();
            // What was under way comes before the echo.
            let quiet = Instant(clock.now().0 + 100_000);
            loop {
                tokio::select! {
                    biased;
                    count = link.read(&mut buffer) => bytes.extend(&buffer[..count.unwrap()]),
                    () = clock.until(quiet) => break,
                }
            }
            (started_us, bytes)
        });
    let (frames, [b'!']) = bytes.as_chunks::<4>() else { panic!("the last frame is whole, then the echo") };
    assert!(frames.iter().all(|frame| frame[0] == 0xa5));
    (started_us, frames.iter().map(|&[_, sequence, a, _]| Frame { sequence, a }).collect())
}

fn host_register(host: &mut Host, address: u8) -> u32 {
    let answer = host.exchange(&format!("[{address:02x}]@p"));
    u32::from_str_radix(&answer[7..9], 16).unwrap()
}

/// The number of each frame, with those that were lost counted by the steps of the sequence numbers.
fn numbers(frames: &[Frame]) -> Vec<u64> {
    let mut number = 0;
    let mut last = 255_u8;
    frames
        .iter()
        .map(|frame| {
            number += u64::from(frame.sequence.wrapping_sub(last));
            last = frame.sequence;
            number - 1
        })
        .collect()
}

/// The value of each frame shows when it was sampled: the ramp has 256 steps in a second.
#[test]
fn link_rate_limits_the_frames() {
    // 125 kHz x 4 bytes are 5 Mbit/s with start and stop bits.
    for (link, latency_us, share) in
        [("", 0, 1.0), ("rate=6Mbps&ftdi=1ms", 1000, 1.0), ("rate=2.5Mbps", 1000, 0.5)]
    {
        let (started_us, frames) = streamed(&format!("A=ramp,1Hz,-5.5..8V&{link}"), latency_us, 320, 0.2);
        let numbers = numbers(&frames);
        let sampled = numbers.last().unwrap() + 1;
        assert!((25_000..26_000).contains(&sampled), "{link}: {sampled} frames sampled");
        let arrived = frames.len() as f64 / sampled as f64;
        // At first a slow link loses nothing, until the device's buffer is full.
        assert!((arrived - share).abs() < 0.005, "{link}: {arrived}");
        assert!(share < 1.0 || frames.len() as u64 == sampled, "{link}");
        for (frame, number) in frames.iter().zip(&numbers) {
            let volts = (started_us as f64 + (number + 1) as f64 * 8.0) * 1e-6 * 13.5 - 5.5;
            assert!((f64::from(frame.a) - byte_of(volts)).abs() <= 1.0, "{link}: frame {number}");
        }
    }
}
