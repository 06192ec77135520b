use proptest::prelude::*;

use super::job_table::JOB_COLUMNS;
use super::*;
use crate::Format;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::recording::{Channel, Details, Gap, Samples, Series, Stamp};

#[path = "../../tests/captures/mod.rs"]
mod captures;
use captures::{assert_same_samples, captures};

fn read(text: &str) -> Result<Vec<Waveform>, ReadError> {
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

fn write(recordings: &[Waveform]) -> String {
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
    assert!(matches!(read("time,A,A\n0,1,1\n1,1,1\n"), Err(ReadError::Waveform(_))));
    assert!(matches!(CsvReader::new(&b"time,A\n\xff,1\n"[..]).read(), Err(ReadError::Line { line: 2, .. })));
}

/// Traces 7 and 8 of a job, of which the second comes after a gap.
const JOB: &str = "trace,clock,device,gap,rows,time,A,L2
7,2026-11-25T06:00:00.000000Z,2.500000000,,3,0,0.5,0
7,,,,,0.001,-1,1
7,,,,,0.002,0.25,1
8,2026-11-25T06:00:01.500000Z,,clock set,2,0,1,0
8,,,,,0.5,,1
";

#[test]
fn traces_of_a_job_have_their_stamps() {
    let recordings = read(JOB).unwrap();
    let [seventh, eighth] = recordings.as_slice() else { panic!("{recordings:?}") };
    // Seconds from 1970 to 2026-11-25 06:00:00 UTC, by date(1).
    let clock = UnixMicros(1_795_586_400_000_000);
    assert_eq!(seventh.details().stamp, Some(Stamp { number: 7, clock, gap: None }));
    assert_eq!(seventh.details().capture_start_s, Some(2.5));
    assert_eq!(seventh.sample_rate_hz(), 1000.0);
    assert_eq!(seventh.channels()[0].samples, Samples::Volts(vec![0.5, -1.0, 0.25]));
    let stamp = Stamp { number: 8, clock: UnixMicros(clock.0 + 1_500_000), gap: Some(Gap::ClockSet) };
    assert_eq!((eighth.details().stamp, eighth.details().capture_start_s), (Some(stamp), None));
    assert_eq!(eighth.channels()[1].samples, Samples::Levels(vec![0, 1]));
    // What was kept in several files may be put into one.
    let all = read(&format!("{JOB}{JOB}time,A\n0,1\n1,2\n\n{JOB}")).unwrap();
    let numbers = all.iter().map(|recording| recording.details().stamp.map(|stamp| stamp.number));
    assert!(numbers.eq([Some(7), Some(8), Some(7), Some(8), None, Some(7), Some(8)]));
}

#[test]
fn traces_that_are_passed_over_tell_their_numbers() {
    let text = format!("time,A\n0,1\n1,2\n{JOB}");
    let mut reader = CsvReader::new(text.as_bytes());
    let mut skip = || reader.skip().unwrap().map(|skipped| skipped.number);
    assert_eq!([skip(), skip(), skip(), skip()], [Some(None), Some(Some(7)), Some(Some(8)), None]);
    let mut reader = CsvReader::new(JOB.as_bytes());
    reader.skip().unwrap();
    assert_eq!(reader.read().unwrap().as_ref(), read(JOB).unwrap().last());
    let mut cut = CsvReader::new(&JOB.as_bytes()[..JOB.len() - 1]);
    cut.skip().unwrap();
    assert!(matches!(cut.skip(), Err(ReadError::CutOff { line: 5 })));
}

#[test]
fn truncated_table_yields_whole_traces() {
    let ends: Vec<usize> = JOB.match_indices('\n').map(|(index, _)| index + 1).collect();
    let (header, seventh, eighth) = (ends[0], ends[3], ends[5]);
    for length in JOB_COLUMNS.len()..JOB.len() {
        let mut reader = CsvReader::new(&JOB.as_bytes()[..length]);
        let whole = [seventh, eighth].into_iter().filter(|&end| end <= length).count();
        for number in 0..whole {
            assert!(reader.read().unwrap().is_some(), "trace {number} of {length} bytes");
        }
        match reader.read() {
            Ok(None) => assert!([header, seventh, eighth].contains(&length), "{length} bytes"),
            Err(ReadError::CutOff { line }) => {
                let begin = [1, 2, 5][whole + usize::from(length > header)];
                assert_eq!(line, begin, "{length} bytes");
            }
            other => panic!("{other:?} after {whole} traces of {length} bytes"),
        }
    }
    for zeros in [1, 5000] {
        let text = [JOB, &"\0".repeat(zeros)].concat();
        let mut reader = CsvReader::new(text.as_bytes());
        assert!(reader.read().is_ok() && reader.read().is_ok());
        assert!(matches!(reader.read(), Err(ReadError::CutOff { line: 7 })), "{zeros} zeros");
    }
}

#[test]
fn bad_job_tables_are_refused() {
    let (header, rows) = JOB.split_once('\n').unwrap();
    for (replaced, by, line, part) in [
        (header, "trace,clock,device,gap,rows,A", 1, "time,A,B,L0"),
        (header, "trace,clock,device,gap,rows,time,A,C", 1, "\"C\""),
        ("7,2026", "x,2026", 2, "\"x\" is not the number"),
        ("06:00:00.000000Z", "6", 2, "a moment is written like"),
        ("2.500000000", "soon", 2, "\"soon\" is not a device time"),
        ("clock set", "lunch", 5, "\"lunch\" is not a reason"),
        (",,3,", ",,0,", 2, "\"0\" is not a number of rows"),
        (",,3,", ",,2,", 4, "begins no trace"),
        (",,3,", ",,4,", 5, "not a row of trace 7"),
        ("7,,,,,0.001", "7,,,,,0", 3, "not after"),
        ("0.25,1\n", "0.25\n", 4, "fewer fields"),
    ] {
        let text = [header, rows].join("\n").replacen(replaced, by, 1);
        let (at, reason) = refused(&text);
        assert!(at == line && reason.contains(part), "{text}: line {at}: {reason}");
    }
}

#[test]
fn endless_line_is_refused() {
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
    let recording = Waveform::new(40e6 / 17.0, channels, Details::default()).unwrap();
    let text = write(&[recording.clone(), recording]);
    let one = "time,A,B\n0,1,\n0.000000425,,-1\n0.00000085,0.1,\n0.000001275,,0.0000001\n";
    assert_eq!(text, format!("{one}\n{one}"));
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(captures in prop::collection::vec(captures(), 1..4)) {
        let back = read(&write(&captures)).unwrap();
        prop_assert_eq!(back.len(), captures.len());
        for (back, capture) in back.iter().zip(&captures) {
            prop_assert!((back.sample_rate_hz() / capture.sample_rate_hz() - 1.0).abs() < 1e-12);
            assert_same_samples(back, capture)?;
        }
    }

    #[test]
    fn no_text_makes_it_fail(text in "(time|trace,clock,device,gap,rows|1,2026-11-25T06:00:00Z,,,2|1,,,,,|,|A|B|L[0-9]|\n|[0-9.e-]{1,5}|\\PC){0,60}") {
        let _ = read(&text);
    }
}
