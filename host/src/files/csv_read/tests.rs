use proptest::prelude::*;

use super::*;
use crate::files::Format;

fn read(text: &str) -> Result<Vec<Recording>, ReadError> {
    let mut reader = CsvReader::new(text.as_bytes());
    std::iter::from_fn(|| reader.read().transpose()).collect()
}

/// The line and the reason of a refusal.
fn refused(text: &str) -> (u64, String) {
    match read(text) {
        Err(ReadError::Line { line, reason }) => (line, reason),
        other => panic!("{other:?}"),
    }
}

fn write(recordings: &[Recording]) -> String {
    let mut text = Vec::new();
    let mut writer = Format::Csv.writer();
    for recording in recordings {
        writer.write(recording, &mut text).unwrap();
    }
    String::from_utf8(text).unwrap()
}

#[test]
fn columns_become_channels() {
    let text =
        "\u{feff}time,\"A\", B ,L3\r\n0,1.5,,1\r\n0.5e-6,,-2,0\r\n0.000001,1.25,,0\r\n0.0000015,,NaN,1\r\n";
    let recordings = read(text).unwrap();
    let [recording] = recordings.as_slice() else { panic!("{recordings:?}") };
    assert_eq!(recording.sample_rate_hz(), 2e6);
    let a = recording.channel(Channel::A).unwrap();
    assert_eq!((a.start_s, a.period_s), (0.0, 1e-6));
    assert_eq!(a.samples, Samples::Volts(vec![1.5, 1.25]));
    let b = recording.channel(Channel::B).unwrap();
    assert_eq!((b.start_s, b.period_s, b.samples.len()), (0.5e-6, 1e-6, 2));
    let logic = recording.channel(Channel::L[3]).unwrap();
    assert_eq!(logic.samples, Samples::Levels(vec![1, 0, 0, 1]));
    assert_eq!(logic.period_s, 0.5e-6);
}

#[test]
fn captures_follow_one_another() {
    for between in ["\n", "", "\n\n \n"] {
        let recordings = read(&format!("\ntime,A\n0,1\n1,2\n{between}time,L0\n0,1\n0.5,0\n\n")).unwrap();
        assert_eq!(recordings.len(), 2);
        assert_eq!(recordings[0].channels()[0].samples, Samples::Volts(vec![1.0, 2.0]));
        assert_eq!(recordings[1].channels()[0].samples, Samples::Levels(vec![1, 0]));
    }
    assert!(read("").unwrap().is_empty());
}

#[test]
fn bad_files_are_refused_with_line_and_reason() {
    for (text, line, part) in [
        ("seconds,A\n0,1\n", 1, "time,A,B,L0"),
        ("\x7fELF\n", 1, "time,A,B,L0"),
        ("time,C\n0,1\n", 1, "\"C\""),
        ("time,L8\n0,1\n", 1, "\"L8\""),
        ("time,A\n0,1\nx,1\n", 3, "\"x\" is not a time"),
        ("time,A\n0,1\ninf,1\n", 3, "not a time"),
        ("time,A\n0,1\n1,1.5V\n", 3, "\"1.5V\" is not a number"),
        ("time,L0\n0,1\n1,2\n", 3, "\"2\" is not a level of L0"),
        ("time,A\n0,1\n1\n", 3, "fewer fields"),
        ("time,A\n0,1\n1,1,1\n", 3, "more fields"),
        ("time,A\n0,1\n0,1\n", 3, "not after"),
        ("time,A\n0,1\n1,1\n2,1\n4,1\n", 3, "not evenly spaced"),
        ("time,A\n0,1\n", 3, "no sample rate"),
        ("time,A\n", 2, "no sample rate"),
    ] {
        let (at, reason) = refused(text);
        assert!(at == line && reason.contains(part), "{text:?}: line {at}: {reason}");
    }
    assert!(matches!(read("time,A,A\n0,1,1\n1,1,1\n"), Err(ReadError::Recording(_))));
    assert!(matches!(CsvReader::new(&b"time,A\n\xff,1\n"[..]).read(), Err(ReadError::Line { line: 2, .. })));
}

#[test]
fn a_line_without_end_is_refused_before_it_fills_the_memory() {
    let endless = std::io::BufReader::new(std::io::repeat(b'1'));
    let refused = CsvReader::new(endless).read().unwrap_err();
    assert!(matches!(refused, ReadError::Line { line: 1, .. }), "{refused}");
}

#[test]
fn too_many_samples_are_refused() {
    /// A file of rows without end.
    struct Rows {
        row: u64,
        text: std::io::Cursor<Vec<u8>>,
    }
    impl std::io::Read for Rows {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.text.position() == self.text.get_ref().len() as u64 {
                let rows = self.row..self.row + 1000;
                self.row = rows.end;
                self.text = std::io::Cursor::new(
                    rows.flat_map(|row| format!("{row},1,1,1,1,1,1,1,1\n").into_bytes()).collect(),
                );
            }
            self.text.read(buffer)
        }
    }
    let header = std::io::Cursor::new(b"time,L0,L1,L2,L3,L4,L5,L6,L7\n".to_vec());
    let refused = CsvReader::new(std::io::BufReader::new(Rows { row: 0, text: header })).read();
    assert!(matches!(refused, Err(ReadError::TooLong)), "{refused:?}");
}

#[test]
fn a_chopped_pair_takes_turns_in_the_rows() {
    let pair = |channel, start_s, samples: [f32; 2]| {
        Series::new(channel, start_s, 850e-9, Samples::Volts(samples.to_vec()))
    };
    let channels = vec![pair(Channel::A, 0.0, [1.0, 0.1]), pair(Channel::B, 425e-9, [-1.0, 1e-7])];
    let recording = Recording::new(40e6 / 17.0, channels, Details::default()).unwrap();
    let text = write(&[recording.clone(), recording]);
    let one = "time,A,B\n0,1,\n0.000000425,,-1\n0.00000085,0.1,\n0.000001275,,0.0000001\n";
    assert_eq!(text, format!("{one}\n{one}"));
}

/// Captures as the device makes them: at least two samples a channel, a pair chopped, logic at the rate of
/// the clock.
fn captures() -> impl Strategy<Value = Recording> {
    let volts = || prop::num::f32::NORMAL | prop::num::f32::ZERO | prop::num::f32::SUBNORMAL;
    let analog = prop::collection::vec(volts(), 8..80);
    (1..=16384_u32, analog, 0..=2_usize, 0..=255_u8).prop_filter_map(
        "no channel",
        |(ticks, volts, analog_count, logic)| {
            let clock_s = f64::from(ticks) * 25e-9;
            let pair = analog_count == 2;
            let even: Vec<f32> = volts.iter().copied().step_by(if pair { 2 } else { 1 }).collect();
            let odd: Vec<f32> = volts.iter().copied().skip(1).step_by(2).collect();
            let period_s = if pair { 2.0 * clock_s } else { clock_s };
            let mut channels = Vec::new();
            if analog_count > 0 {
                channels.push(Series::new(Channel::A, 0.0, period_s, Samples::Volts(even)));
            }
            if pair {
                channels.push(Series::new(Channel::B, clock_s, period_s, Samples::Volts(odd)));
            }
            for line in (0..8).filter(|line| logic >> line & 1 == 1) {
                let levels = volts.iter().map(|volts| (volts.to_bits() >> line & 1) as u8).collect();
                channels.push(Series::new(Channel::L[line], 0.0, clock_s, Samples::Levels(levels)));
            }
            Recording::new(clock_s.recip(), channels, Details::default()).ok()
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(captures in prop::collection::vec(captures(), 1..4)) {
        let back = read(&write(&captures)).unwrap();
        prop_assert_eq!(back.len(), captures.len());
        for (back, capture) in back.iter().zip(&captures) {
            prop_assert!((back.sample_rate_hz() / capture.sample_rate_hz() - 1.0).abs() < 1e-12);
            prop_assert_eq!(back.channels().len(), capture.channels().len());
            for (read, written) in back.channels().iter().zip(capture.channels()) {
                prop_assert_eq!(&read.samples, &written.samples);
                prop_assert!(read.timestamps().eq(written.timestamps()));
            }
        }
    }

    #[test]
    fn no_text_makes_it_fail(text in "(time|,|A|B|L[0-9]|\n|[0-9.e-]{1,5}|\\PC){0,60}") {
        let _ = read(&text);
    }
}
