//! The virtual machine's language: echoes, registers, EEPROM, and what takes effect when.

use crate::sim_host::{Host, close};
use scopething_core::vm::Register;
use scopething_sim::{Note, SimTime};

#[test]
fn every_byte_is_echoed_and_answers_follow() {
    let mut host = Host::new("");
    assert_eq!(host.exchange("?"), "?\rBS000501\r");
    assert_eq!(host.exchange("[4f]@p"), "[4f]@p\r00\r");
    assert_eq!(host.exchange("."), ".");
    assert_eq!(host.exchange("!"), "!");
    assert_eq!(Host::new("revision=BS000400").exchange("?"), "?\rBS000400\r");
}

#[test]
fn numbers_are_entered_into_eight_bits_and_stay() {
    let mut host = Host::new("");
    // R0 keeps its last two digits; s, z and n leave it alone.
    host.exchange("[20]@[123]z@");
    assert_eq!(host.exchange("[20]@p"), "[20]@p\r23\r");
    // z moved R1 on to 21, where nothing was written; then @ made it 23.
    host.exchange("[20]@[7f]zzns[0]@");
    assert_eq!(host.exchange("[21]@p"), "[21]@p\r7f\r");
    assert_eq!(host.exchange("np"), "np\r00\r");
    assert_eq!(host.exchange("np"), "np\r7f\r");
    // R1 wraps from ff to 00.
    host.exchange("[ff]@[55]z[66]s");
    assert_eq!(host.exchange("p"), "p\r66\r");
    assert_eq!(host.exchange("[00]@p"), "[00]@p\r66\r");
}

#[test]
fn reset_keeps_what_was_entered() {
    let mut host = Host::new("A=dc,1V");
    host.prepare(0, 0, 40, 10, 10);
    host.set(&[(Register::TriggerIntro, 0), (Register::Level, 0x1234)]);
    host.exchange(">U[2e]@[37]");
    assert_eq!(host.exchange("!"), "!");
    // R0, R1 and the registers.
    assert_eq!(host.exchange("sp"), "sp\r37\r");
    assert_eq!(host.get(Register::Level), 0x1234);
    // Without > and U: the trigger and the range that they took over.
    host.start_with("D");
    assert_eq!(host.wait().unwrap().address, 10 + 8 + 10);
    assert_eq!(host.exchange("!"), "!");
    // The capture buffer too: clients reset between the dumps of one capture.
    assert!(close(&host.dump(0, 0, 28), std::iter::repeat(1.0)));
}

#[test]
fn eeprom_is_written_and_read() {
    let mut host = Host::new("serial=XY12Z345");
    host.set(&[(Register::EepromAddress, 0x24), (Register::EepromData, 0x99)]);
    assert_eq!(host.exchange("w"), "w\r99\r");
    assert_eq!(host.exchange("!"), "!");
    host.set(&[(Register::EepromAddress, 0x24), (Register::EepromData, 0)]);
    assert_eq!(host.exchange("r"), "r\r99\r");
    let serial: String = (0x30..0x38)
        .map(|address| {
            host.set(&[(Register::EepromAddress, address)]);
            let answer = host.exchange("r");
            char::from(u8::from_str_radix(&answer[2..4], 16).unwrap())
        })
        .collect();
    assert_eq!(serial, "XY12Z345");
}

#[test]
fn converters_take_effect_at_an_update_only() {
    let mut host = Host::new("A=dc,1V");
    host.prepare(0, 0, 40, 100, 100);
    // A pattern that cares for nothing, and no filters: triggers as soon as it is looked for.
    host.set(&[(Register::TriggerMask, 0xff), (Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
    let without = |host: &mut Host, script| {
        host.start_with(script);
        host.wait().unwrap();
        host.dump(0, 0, 200)
    };
    let forgotten = without(&mut host, ">D");
    assert!(!close(&forgotten, std::iter::repeat(1.0)), "{}", forgotten[0]);
    // The dump moved the sample address; start at 0 again.
    host.set(&[(Register::SampleAddress, 0)]);
    let applied = without(&mut host, ">UD");
    assert!(close(&applied, std::iter::repeat(1.0)), "{}", applied[0]);
}

#[test]
fn capture_registers_take_effect_when_they_are_programmed() {
    let mut host = Host::new("A=dc,1V");
    host.prepare(0, 0, 40, 10, 10);
    // Neither line 7 nor any other is as the trigger registers want it after power-up: it never fires.
    host.start_with("UD");
    assert_eq!(host.wait(), None);
    host.exchange("K");
    host.set(&[(Register::TriggerIntro, 0)]);
    host.start_with(">D");
    assert_eq!(host.wait().unwrap().token, 0);
    // Without > the dump goes on from where the trace ended, 10 + 8 + 10 samples from 0.
    host.set(&[(Register::DumpCount, 2), (Register::SampleAddress, 0)]);
    let further = host.send(b"A");
    assert!(close(&further[1..2], [1.0]) && further[2] == 0, "the sample at the end address, then none");
    assert_eq!(host.exchange("<"), "<");
    assert_eq!(host.get(Register::SampleCounter), 30);
    let from_start = host.send(b">A");
    assert!(close(&from_start[2..], [1.0, 1.0]), "{from_start:?}");
}

#[test]
fn what_is_unknown_is_refused_with_a_note() {
    let mut host = Host::new("");
    for command in [b'T', b'S', b'~', b'|', b'\n', b'A'] {
        host.set(&[(Register::DumpMode, 2), (Register::DumpCount, 10)]);
        assert_eq!(host.send(&[command]), [command]);
    }
    host.set(&[(Register::TraceMode, 9)]);
    assert_eq!(host.exchange("D"), "D");
    let notes = host.notes();
    assert_eq!(notes[0], Note::StreamModeUnknown { mode: 0 });
    assert!(matches!(notes[3], Note::NotSimulated { command: b'|', .. }));
    assert_eq!(
        notes[4..],
        [
            Note::UnknownCommand { byte: b'\n' },
            Note::DumpModeUnknown { mode: 2 },
            Note::TraceModeUnknown { mode: 9 }
        ]
    );
}

#[test]
fn device_time_rolls_over() {
    // 1000 ticks before the end of 32 bits; the trace takes 20 samples of 100 ticks.
    let mut host = Host::new("A=dc,1V&tick=4294966296");
    host.prepare(18, 4, 100, 12, 0);
    host.set(&[(Register::TriggerIntro, 0)]);
    assert_eq!(host.start(), 4_294_966_296);
    let status = host.wait().unwrap();
    assert_eq!((status.tick, status.at), (1000, SimTime::from_ticks(2000)));
    assert_eq!(host.get(Register::TriggerTime), 1000);
}

#[test]
fn unread_answers_are_bounded() {
    let mut host = Host::new("");
    host.set(&[(Register::DumpCount, 0xffff), (Register::DumpRepeat, 0xffff)]);
    for _ in 0..100_000 {
        host.device.receive(b'A', host.now);
    }
    assert!(host.notes().contains(&Note::Overrun));
    // The dumps are cut short by the reset, which is echoed after what was sent before.
    host.device.receive(b'!', host.now);
    let rest: Vec<u8> = std::iter::from_fn(|| host.device.transmit(host.now)).collect();
    assert!(rest.len() <= 1 << 16);
    assert_eq!(host.exchange("?"), "?\rBS000501\r");
}
