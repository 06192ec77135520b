//! Traces: trigger, filters, timeout, cancel, addresses and the samples of every kind of mode.

use crate::sim_host::{Host, Status, byte_of, close};
use scopething_core::vm::Register;
use scopething_sim::{Note, SimTime};

const RAMP: &str = "A=ramp,1kHz,-2..2V,phase=50%25";

fn micros(micros: u64) -> SimTime {
    SimTime::from_micros(micros)
}

#[test]
fn rising_edge_is_at_the_filter_position() {
    // -2 V..2 V in 1 ms, at 0 V when the trace starts, so the edge through 0 V comes a period later: at 1000
    // us.
    let mut host = Host::new(RAMP);
    host.prepare(0, 0, 40, 92, 192);
    host.start();
    let status = host.wait().unwrap();
    // Samples are 1 us apart. Sample 1000 is the first true one, the eighth is 1007, and 192 follow.
    let end = 1000 + 8 + 192;
    let expected = Status { token: 0, tick: end * 40, address: end, at: micros(u64::from(end)) };
    assert_eq!(status, expected);
    assert_eq!(host.get(Register::TriggerTime), 1008 * 40);
    // 300 samples end there: 92 + 8 from before the edge, the edge, 8 + 192 from it on.
    let samples = host.dump(0, end - 300, 300);
    assert!(close(&samples, (0..300).map(|n| (f64::from(n) - 100.0) * 0.004)), "{samples:?}");
}

#[test]
fn falling_edge_is_an_inverted_rising_one() {
    let mut host = Host::new("A=triangle,1kHz,-2..2V");
    host.prepare(0, 0, 40, 92, 192);
    host.set(&[(Register::SpockOption, 0x41)]);
    host.start();
    // The triangle passes 0 V upwards at 250 us and downwards at 750 us, where it still is at the level.
    let end = host.wait().unwrap().address;
    assert_eq!(end, 751 + 8 + 192);
}

#[test]
fn level_triggers_need_no_edge() {
    let mut host = Host::new("A=dc,1V");
    host.prepare(0, 0, 40, 100, 50);
    host.set(&[(Register::TriggerIntro, 0)]);
    host.start();
    assert_eq!(host.wait().unwrap().address, 100 + 8 + 50);
    let mut never = Host::new("A=dc,-1V");
    never.prepare(0, 0, 40, 100, 50);
    never.set(&[(Register::TriggerIntro, 0)]);
    never.start();
    assert_eq!(never.wait(), None);
}

#[test]
fn timeout_starts_with_the_trigger_search() {
    let mut host = Host::new("A=dc,1V");
    host.prepare(0, 0, 40, 100, 50);
    // 10 x 256 ticks are 64 samples.
    host.set(&[(Register::Timeout, 10)]);
    host.start();
    let status = host.wait().unwrap();
    assert_eq!((status.token, status.at), (1, micros(164)));
    assert_eq!((status.address, status.tick), (164, 164 * 40));
    assert!(close(&host.dump(0, 0, 164), std::iter::repeat(1.0)));
    // The end address holds the next sample, and behind it lies nothing.
    let after = host.dump(0, 164, 2);
    assert!(close(&after[..1], [1.0]) && after[1] == 0, "{after:?}");
}

#[test]
fn cancelled_trace_ends_where_it_is() {
    let mut host = Host::new("A=ramp,1kHz,0..1V");
    host.prepare(0, 0, 40, 100, 50);
    host.set(&[(Register::Prelude, 0x77)]);
    host.start();
    host.now = SimTime(20_000_300);
    let answer = host.send(b"K");
    assert_eq!(answer[0], b'K');
    let status = host.status(&answer[1..]);
    assert_eq!((status.token, status.address, status.tick), (3, 20_000 % 12288, 20_000 * 40));
    // The buffer holds the last 12288 samples: the ramp stands at 999 us in the last.
    let samples = host.dump(0, status.address + 12288 - 3, 3);
    assert!(close(&samples, [0.997, 0.998, 0.999]), "{samples:?}");
    assert_eq!(host.exchange("K"), "K", "nothing runs any more");
}

#[test]
fn cancel_after_the_trigger_keeps_samples() {
    let mut host = Host::new(RAMP);
    host.prepare(0, 0, 40, 92, 5000);
    host.start();
    host.now = micros(1500);
    let answer = host.send(b"K");
    assert_eq!(host.status(&answer[1..]).address, 1500);
}

#[test]
fn writes_during_a_trace_prevent_its_start() {
    let mut host = Host::new(RAMP);
    host.prepare(0, 0, 40, 92, 192);
    host.start();
    host.now = micros(10);
    assert_eq!(host.exchange("["), "[");
    assert_eq!(host.notes(), [Note::TraceHeld { byte: b'[' }]);
    assert_eq!(host.wait(), None);
    host.now = micros(5000);
    let answer = host.send(b"K");
    assert_eq!(host.status(&answer[1..]).token, 3);
    // A new D starts a new trace, a reset ends one without a word.
    host.start();
    assert!(host.wait().is_some());
    host.start();
    assert_eq!(host.exchange("!"), "!");
    assert_eq!(host.wait(), None);
}

#[test]
fn endless_wait_has_no_event() {
    let mut host = Host::new("A=dc,1V");
    host.prepare(0, 0, 40, 100, 50);
    host.start();
    assert_eq!(host.wait(), None);
    assert_eq!(host.now, micros(100 + 8 + 8 + 50));
}

#[test]
fn long_fast_wait_is_searched_by_edges() {
    // One pulse in half a second, at 40 MS/s: twenty million samples.
    let mut host = Host::new("L0=pulse,2Hz,1us,phase=1%25");
    host.prepare(13, 0, 1, 0, 1000);
    host.set(&[(Register::TriggerLogic, 1), (Register::TriggerMask, 0xfe)]);
    host.start();
    let status = host.wait().unwrap();
    assert_eq!((status.token, status.at), (0, SimTime(495_000_000 + 25 * 1008)));
    // A turn is 20000 looks at the signals at the most: sample by sample it would take a thousand turns.
    assert_eq!(host.turns, 1);
}

#[test]
fn two_channels_take_turns() {
    let mut host = Host::new("A=ramp,1kHz,0..1V&B=ramp,1kHz,0..-1V");
    host.prepare(2, 1, 20, 0, 1000);
    host.set(&[(Register::TriggerIntro, 0), (Register::TriggerOutro, 0), (Register::TriggerMask, 0xff)]);
    host.start();
    let status = host.wait().unwrap();
    assert_eq!((status.address, status.at), (1000, micros(500)));
    // A at 0, 1, 2.. us, B half a microsecond later.
    assert!(close(&host.dump(0, 0, 500), (0..500).map(|n| f64::from(n) * 0.001)));
    assert!(close(&host.dump(1, 0, 500), (0..500).map(|n| -(f64::from(n) + 0.5) * 0.001)));
    assert!(close(&host.dump(1, 401, 10), (200..210).map(|n| -(f64::from(n) + 0.5) * 0.001)));
}

#[test]
fn word_modes_have_more_resolution() {
    let mut host = Host::new("A=ramp,1kHz,0..1V&B=dc,0.123456V");
    host.prepare(19, 5, 40, 0, 2000);
    host.set(&[(Register::TriggerIntro, 0), (Register::TriggerOutro, 0), (Register::TriggerMask, 0xff)]);
    host.start();
    assert_eq!(host.wait().unwrap().address, 2000);
    // The range is known to a few of 65536 steps, by the rounding of the two DAC registers.
    let near = |sample: f64, volts: f64| (sample - (volts + 5.5) / 13.5).abs() < 3.0 / 65536.0;
    let a = host.dump_native(0, 0, 490);
    assert!(a.iter().enumerate().all(|(n, sample)| near(*sample, n as f64 * 0.002)));
    assert!(host.dump_native(1, 0, 500).iter().all(|sample| near(*sample, 0.123_456)));
    assert!(host.notes().is_empty());
    // As bytes only the high halves come.
    let byte = ((0.123_456 + 5.5) / 13.5 * 256.0) as u8;
    assert_eq!(host.dump(1, 0, 3), [byte; 3]);
    assert_eq!(host.notes(), [Note::NarrowDump]);
}

#[test]
fn native_dumps_of_bytes_span_the_range() {
    let mut host = Host::new("A=dc,8.1V");
    host.prepare(0, 0, 40, 0, 10);
    host.set(&[(Register::TriggerIntro, 0)]);
    host.start();
    host.wait().unwrap();
    assert_eq!(host.dump(0, 0, 2), [255, 255]);
    // 255 of 256 steps, from -32768.
    assert_eq!(host.dump_in(5, 0, 0, 2), [0x7f, 0x00, 0x7f, 0x00]);
}

#[test]
fn mixed_modes_keep_logic_beside_the_samples() {
    // One sample in 10 us and a counter that moves on as often. DigitalEnable masks nothing.
    let mut host = Host::new("A=dc,1V&B=dc,2V");
    host.prepare(3, 3, 40, 0, 1000);
    host.set(&[(Register::ClockScale, 10), (Register::TriggerMask, 0xff), (Register::KitchenSinkA, 0)]);
    host.set(&[(Register::TriggerIntro, 0), (Register::TriggerOutro, 0), (Register::DigitalEnable, 0x01)]);
    host.start();
    assert_eq!(host.wait().unwrap().at, micros(10_000));
    assert!(close(&host.dump(0, 0, 500), std::iter::repeat(1.0)));
    assert!(close(&host.dump(1, 0, 500), std::iter::repeat(2.0)));
    let logic = host.dump(128, 0, 1000);
    assert!(logic.iter().enumerate().all(|(n, byte)| usize::from(*byte) == n % 256), "{logic:?}");
}

#[test]
fn logic_patterns_trigger_on_all_their_lines() {
    let mut host = Host::new("");
    host.prepare(14, 0, 40, 20, 100);
    // L4 high and L0 low, four samples each: at 1 us a sample the counter stands for 10 samples.
    host.set(&[(Register::KitchenSinkA, 0), (Register::TriggerLogic, 0x10), (Register::TriggerMask, 0xee)]);
    host.set(&[(Register::TriggerIntro, 2), (Register::TriggerOutro, 2)]);
    host.start();
    // The counter first shows 1xxx0 at 160 us, after being false all along.
    let end = host.wait().unwrap().address;
    assert_eq!(end, 160 + 4 + 100);
    let logic = host.dump(128, end - 105, 5);
    assert_eq!(logic, [15, 16, 16, 16, 16]);
}

#[test]
fn sampled_triggers_look_at_their_source() {
    let mut host = Host::new("A=dc,0V&B=ramp,1kHz,-2..2V,phase=50%25");
    host.prepare(0, 0, 40, 10, 10);
    // Source B; the level is a fraction of the range -5.5..8 V, from its middle at 1.25 V: 0 V here.
    let value = (-1.25_f64 / 13.5 * 65536.0).round() as i32;
    host.set(&[(Register::SpockOption, 4), (Register::TriggerValue, value.cast_unsigned() & 0xffff)]);
    host.start();
    // The rounding of DACs and level makes it a sample early or late.
    let end = host.wait().unwrap().address;
    assert!(end.abs_diff(1000 + 8 + 10) <= 1, "{end}");
    // Swapped, it looks at A, which never moves.
    host.set(&[(Register::SpockOption, 6)]);
    host.start();
    assert_eq!(host.wait(), None);
}

#[test]
fn fast_traces_have_no_pre_trigger_data() {
    let mut host = Host::new("A=ramp,100kHz,-2..2V,phase=50%25");
    host.prepare(11, 0, 2, 500, 100);
    host.set(&[(Register::Prelude, 0x11)]);
    host.start();
    // Samples are 50 ns apart: the edge at 10 us is sample 200.
    let end = host.wait().unwrap().address;
    assert_eq!(end, 200 + 8 + 100);
    // The ramp starts anew 5 us after the edge.
    let samples = host.dump(0, end - 120, 112);
    assert_eq!(samples[..4], [0x11; 4]);
    assert!(close(&samples[4..], (0..108).map(|n| (f64::from(n) - 8.0) * 0.02)), "{samples:?}");
}

#[test]
fn delay_follows_the_trigger() {
    let mut host = Host::new(RAMP);
    host.prepare(0, 0, 40, 92, 100);
    host.set(&[(Register::TraceDelay, 100)]);
    host.start();
    let status = host.wait().unwrap();
    assert_eq!((status.address, status.at), (1108, micros(1208)));
    let samples = host.dump(0, 1004, 8);
    assert!(
        close(&samples, [4.0, 5.0, 6.0, 7.0, 108.0, 109.0, 110.0, 111.0].map(|n| n * 0.004)),
        "{samples:?}"
    );
}

#[test]
fn addresses_are_circular_and_dumps_repeat() {
    let mut host = Host::new("A=ramp,1kHz,0..1V");
    host.prepare(0, 0, 40, 0, 20);
    host.set(&[(Register::TriggerMask, 0xff), (Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
    host.set(&[(Register::SampleAddress, 12280)]);
    host.start();
    assert_eq!(host.wait().unwrap().address, 12);
    assert!(close(&host.dump(0, 12280, 20), (0..20).map(|n| f64::from(n) * 0.001)));
    host.set(&[(Register::DumpCount, 3), (Register::DumpRepeat, 2), (Register::SampleAddress, 12286)]);
    let twice = host.send(b">A");
    assert_eq!(twice.len(), 2 + 6);
    assert_eq!(twice[2..5], twice[5..8]);
}

/// A trace that starts at once and stores samples from address 0 on.
fn capture_at_once(query: &str, mode: u32, buffer: u32, count: u32) -> Host {
    let mut host = Host::new(query);
    host.prepare(mode, buffer, 40, 0, count);
    host.set(&[(Register::TriggerMask, 0xff), (Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
    host.set(&[(Register::KitchenSinkA, 0)]);
    host.start();
    assert_eq!(host.wait().unwrap().token, 0);
    host
}

#[test]
fn end_address_holds_the_next_sample() {
    // 1 us a sample, a counter that moves on every 10 us, and 1 mV/us.
    let mut host = capture_at_once("A=ramp,1kHz,0..1V", 1, 2, 200);
    assert!(close(&host.dump(0, 199, 2), [0.199, 0.200]));
    assert_eq!(host.dump(128, 199, 3), [19, 20, 0]);
    // Of two channels it is A's, and B has none.
    let mut host = capture_at_once("A=ramp,1kHz,0..1V&B=dc,2V", 2, 1, 200);
    assert!(close(&host.dump(0, 198, 2), [0.198, 0.200]));
    let b = host.dump(1, 198, 2);
    assert!(close(&b[..1], [2.0]) && b[1] == 0, "{b:?}");
}

#[test]
fn full_buffer_overwrites_its_first_sample() {
    let ramp = |micros: u32| f64::from(micros) * 50e-6;
    let mut full = capture_at_once("A=ramp,50Hz,0..1V", 0, 0, 12288);
    assert!(close(&full.dump(0, 0, 3), [12288, 1, 2].map(ramp)));
    let mut spare = capture_at_once("A=ramp,50Hz,0..1V", 0, 0, 12287);
    assert!(close(&spare.dump(0, 0, 3), [0, 1, 2].map(ramp)));
    assert!(close(&spare.dump(0, 12287, 1), [ramp(12287)]));
    // As in the capture of a real device: A alone, of two channels.
    let mut chop = capture_at_once("A=ramp,50Hz,0..1V&B=ramp,50Hz,0..1V", 2, 1, 12288);
    assert!(close(&chop.dump(0, 0, 2), [12288, 2].map(ramp)));
    assert!(close(&chop.dump(1, 0, 2), [1, 3].map(ramp)));
}

#[test]
fn unnamed_mode_has_four_logic_rates() {
    for ticks in 1..=4 {
        let mut host = Host::new("L2=square,1MHz&L5=square,400kHz,25%25");
        host.prepare(20, 0, ticks, 0, 4000);
        host.set(&[(Register::KitchenSinkA, 0), (Register::TriggerMask, 0xff)]);
        host.set(&[(Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
        host.start();
        let status = host.wait().unwrap();
        assert_eq!((status.token, status.address, status.tick), (0, 4000, 4000 * ticks));
        let logic = host.dump(128, 0, 4000);
        for (n, byte) in (0..).zip(logic) {
            // Ticks into the periods: high for the first 20 of 40, and for the first 25 of 100.
            let (l2, l5) = (n * ticks % 40 < 20, n * ticks % 100 < 25);
            assert_eq!((byte & 0x04 != 0, byte & 0x20 != 0), (l2, l5), "sample {n} at {ticks} ticks");
        }
        assert_eq!(host.notes(), []);
    }
}

#[test]
fn stale_first_dump_sample_is_optional() {
    let mut host = Host::new("A=dc,1V&B=dc,2V&stale=yes");
    host.prepare(2, 1, 40, 0, 20);
    host.set(&[(Register::TriggerMask, 0xff), (Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
    host.start();
    host.wait().unwrap();
    let (a, b) = (host.dump(0, 0, 3), host.dump(1, 0, 3));
    assert_eq!(a[0], 0);
    assert!(close(&a[1..], [1.0, 1.0]) && close(&b, [1.0, 2.0, 2.0]), "{a:?} {b:?}");
}

#[test]
fn channels_that_are_off_read_nothing() {
    let mut host = Host::new("A=dc,1V&B=dc,2V");
    host.prepare(0, 0, 40, 0, 20);
    host.set(&[(Register::TriggerMask, 0xff), (Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
    let first = |host: &mut Host, enable| {
        host.set(&[(Register::AnalogEnable, enable), (Register::SampleAddress, 0)]);
        host.start();
        host.wait().unwrap();
        f64::from(host.dump(0, 0, 1)[0])
    };
    assert!((first(&mut host, 1) - byte_of(1.0)).abs() <= 1.0);
    assert!((first(&mut host, 2) - byte_of(2.0)).abs() <= 1.0);
    assert_eq!(first(&mut host, 0), 0.0);
}

#[test]
fn noise_has_its_size_and_seed() {
    let capture = |query: &str| {
        let mut host = Host::new(query);
        host.prepare(18, 4, 40, 0, 4000);
        host.set(&[(Register::TriggerMask, 0xff), (Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
        host.start();
        host.wait().unwrap();
        host.dump_native(0, 0, 4000)
    };
    let samples = capture("A=dc,1V&noise=10mV&seed=1");
    let mean = samples.iter().sum::<f64>() / 4000.0;
    let rms = (samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>() / 4000.0).sqrt() * 13.5;
    // Four standard errors of 4000 samples are 4.5 %.
    assert!((rms - 0.01).abs() < 0.0005, "{rms}");
    assert_eq!(samples, capture("A=dc,1V&noise=10mV&seed=1"));
    assert_ne!(samples, capture("A=dc,1V&noise=10mV&seed=2"));
}
