use proptest::prelude::*;

use super::job_table::JOB_COLUMNS;
use super::*;
use crate::Format;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::{Channel, Details, Gap, Samples, Series, Stamp};

mod others;

#[path = "../../../../tests/captures/mod.rs"]
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
        ("\x7fELF\n", 1, "time,A,B,L0"),
        ("A,B\n1,2\n3,4\n", 1, "--rate"),
        ("time,A\n0,1\nx,1\n", 3, "\"x\" is not a time"),
        ("time,A\n0,1\n1,1\ninf,1\n", 4, "not a time"),
        ("time,A\n0,1\n1,1.5V\n", 3, "\"1.5V\" is not a number"),
        ("time,L0\n0,1\n1,2\n", 3, "2 is not a level; use 0 or 1, in column L0"),
        ("time,A\n0,1\n1\n", 3, "fewer fields"),
        ("time,A\n0,1\n1,1,1\n", 3, "more fields"),
        ("time,A\n0,1\n0,1\n", 3, "not after"),
        ("time,A\n0,1\n1,1\n2,1\n4,1\n", 5, "not evenly spaced"),
        ("time,A\n0,1\n", 3, "no sample rate"),
        ("time,A\n0.0,\n", 3, "no sample rate"),
        ("time,A\n", 1, "no rows of numbers"),
    ] {
        let (at, reason) = refused(text);
        assert!(at == line && reason.contains(part), "{text:?}: line {at}: {reason}");
    }
    assert!(matches!(
        CsvReader::new(&b"time,A\n0,1\n1,1\n\xff,1\n"[..]).read(),
        Err(ReadError::Line { line: 4, .. })
    ));
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
fn skipped_traces_report_their_numbers() {
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
fn chopped_pair_takes_turns_in_the_rows() {
    let pair = |channel, start_s, samples: [f32; 2]| {
        Series::new(channel, start_s, 850e-9, Samples::Volts(samples.to_vec()))
    };
    let channels = vec![pair(Channel::A, 0.0, [1.0, 0.1]), pair(Channel::B, 425e-9, [-1.0, 1e-7])];
    let recording = Waveform::new(40e6 / 17.0, channels, Details::default()).unwrap();
    let text = write(&[recording.clone(), recording]);
    // Each row has the latest sample of both.
    let rows: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let one = ["time,A,B", "0,1,", "0.000000425,1,-1", "0.00000085,0.1,-1", "0.000001275,0.1,0.0000001"];
    assert_eq!(rows, [&one[..], &[""], &one].concat());
    let back = read(&text).unwrap();
    assert_eq!(back.len(), 2);
    for series in back.iter().flat_map(Waveform::channels) {
        assert_eq!((series.samples.len(), series.period_s), (2, 850e-9), "{series:?}");
    }
}

/// A probe's attenuation, or codes in place of volts.
#[test]
fn recorder_factor_scales_the_samples() {
    let text = "trigger,stamp,channel,index,type,delay,factor,rate,count,data\n0,13:14:15,0,0,0,0,10,1000,3,0.5,-0.75,1\n";
    let waveform = CsvReader::new(text.as_bytes()).read().unwrap().unwrap();
    assert_eq!(waveform.channels()[0].samples, Samples::Volts(vec![5.0, -7.5, 10.0]));
}

/// Files of the recorder that were put together have its header again.
#[test]
fn parts_of_a_recorders_traces_are_chosen() {
    let header = "trigger,stamp,channel,index,type,delay,factor,rate,count,data\n";
    let trace = |stamp: &str| format!("0,{stamp},0,0,0,-0.002,1,1000,4,0.5,0.75,1,2\n");
    let text = [header, &trace("13:14:15"), header, &trace("13:14:16")].concat();
    let options = ReadOptions { from_s: Some(-1e-3), for_s: Some(2e-3), ..ReadOptions::default() };
    let mut reader = CsvReader::with_options(text.as_bytes(), options);
    for _ in 0..2 {
        let part = reader.read().unwrap().unwrap();
        let series = part.channel(Channel::A).unwrap();
        assert_eq!((series.start_s, &series.samples), (-1e-3, &Samples::Volts(vec![0.75, 1.0])));
    }
    assert!(reader.read().unwrap().is_none());
}

#[test]
fn steps_of_a_simulation_are_interpolated() {
    let times = [0.0, 1e-6, 3e-6, 7e-6, 15e-6, 16e-6, 18e-6, 25e-6, 33e-6];
    let rows = times.map(|time: f64| format!("{time:e}\t{:e}\n", 2.0 * time / 1e-6)).concat();
    let mut reader = CsvReader::new(std::io::Cursor::new(format!("time\tV(out)\n{rows}")));
    let recording = reader.read().unwrap().unwrap();
    let warnings = reader.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("interpolated"), "{warnings:?}");
    let series = &recording.channels()[0];
    for (time_s, volts) in series.timestamps().zip(series.samples.iter()) {
        assert!((f64::from(volts) - 2.0 * time_s / 1e-6).abs() < 1e-4, "{time_s} {volts}");
    }
}

/// A simulation as a spreadsheet rounds its times: those of the short steps become equal.
#[test]
fn steps_that_rounding_made_equal_are_left_out() {
    let times =
        ["0", "1E-9", "4E-9", "9E-9", "2.21E-7", "2.22E-7", "2.22E-7", "2.22E-7", "2.3E-7", "4.48E-7"];
    let rows =
        times.iter().zip(0..).map(|(time, row)| format!("{time},{row}.5\n")).collect::<Vec<_>>().concat();
    let text = format!("time,V(out)\n{rows}");
    let options = ReadOptions { rate_hz: Some(1e9), ..ReadOptions::default() };
    let mut reader = CsvReader::with_options(text.as_bytes(), options);
    let recording = reader.read().unwrap().unwrap();
    let warnings = reader.warnings();
    assert!(
        warnings.len() == 1
            && warnings[0].contains("2 samples are left out")
            && warnings[0].contains("middle"),
        "{warnings:?}"
    );
    // The middle one of those at 222 ns, at 1 GS/s.
    let volts = recording.channels()[0].samples.get(222).unwrap();
    assert!((volts - 6.5).abs() < 1e-3, "{volts}");
    for (text, line) in [
        ("time,A\n0,1\n0.5,2\n0.5,3\n2.25,4\n", 4),
        ("time,A\n1,1\n1,2\n1,3\n", 3),
        ("time,A\n0,1\n2,1\n1,1\n", 4),
    ] {
        let (at, reason) = refused(text);
        assert!(at == line && reason.contains("the row before") != reason.contains("two rows"), "{reason}");
    }
}

/// Saleae's Logic 2 has moments in place of times, if it is asked for them.
#[test]
fn moments_are_times_from_the_first_second() {
    let text = "Time [s],SER,CLK\n\
        2026-01-30T14:06:09.999999980+00:00,1,0\n\
        2026-01-30T14:06:10.000000010+00:00,0,0\n\
        2026-01-30T15:06:10.000000030+01:00,0,1\n\
        2026-01-30T14:06:10.000000100+00:00,0,0\n";
    let mut reader = CsvReader::new(std::io::Cursor::new(text));
    let recording = reader.read().unwrap().unwrap();
    assert!(reader.warnings().iter().any(|warning| warning.contains("held")), "{:?}", reader.warnings());
    let series = recording.channel(Channel::L[1]).unwrap();
    assert_eq!((series.start_s, series.label.as_deref()), (0.999_999_98, Some("CLK")));
    assert!((series.period_s / 1e-8 - 1.0).abs() < 1e-3, "{}", series.period_s);
    assert_eq!(series.samples, Samples::Levels(vec![0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0]));
    let even =
        (0..8).map(|row| format!("2026-01-30 14:06:09.00{row},{}\n", row * row)).collect::<Vec<_>>().concat();
    let series = read(&format!("Timestamp,CH1\n{even}")).unwrap().remove(0);
    let series = &series.channels()[0];
    assert!((series.period_s - 1e-3).abs() < 1e-15 && series.samples.get(3) == Some(9.0), "{series:?}");
    let (line, reason) = refused("Time,CH1\n2026-01-30 14:06:09,1\n2026-01-30 14:06:10,1\nlater,2\n");
    assert!(line == 4 && reason.contains("\"later\" is not a time"), "{line}: {reason}");
}

#[test]
fn what_is_no_number_is_counted() {
    let row = |row: usize| format!("{row}e-3,{},{}\n", ["NaN", "inf", "", "1.5"][row.min(3)], row % 2);
    let rows = (0..20).map(row).collect::<Vec<_>>().concat();
    let mut reader = CsvReader::new(std::io::Cursor::new(format!("time,A,SCL\n{rows}")));
    let recording = reader.read().unwrap().unwrap();
    let Samples::Volts(volts) = &recording.channels()[0].samples else { panic!("volts") };
    assert!(volts[..3].iter().all(|volt| volt.is_nan()) && volts[3..].iter().all(|&volt| volt == 1.5));
    let warnings = reader.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].starts_with("3 of 20 samples of A are not numbers"),
        "{warnings:?}"
    );
    assert_eq!(recording.channels()[1].title(), "L0 (SCL)");
}

fn read_with(text: &str, options: &ReadOptions) -> Waveform {
    let mut reader = CsvReader::with_options(text.as_bytes(), options.clone());
    reader.read().unwrap().unwrap()
}

#[test]
fn several_captures_are_one_numbered_table() {
    let capture = |volts: f32| {
        let series = Series::new(Channel::A, 0.0, 1e-3, Samples::Volts(vec![volts, 2.0 * volts]));
        Waveform::new(1e3, vec![series], Details { mode: Some("Macro".to_owned()), ..Details::default() })
            .unwrap()
    };
    for (format, header) in [(Format::Csv, "trace,time,A"), (Format::CsvSemicolons, "trace;time;A")] {
        let mut text = Vec::new();
        let mut writer = format.writer_of(true);
        let captures = [capture(0.5), capture(1.5), capture(2.5)];
        for capture in &captures {
            writer.write(capture, &mut text).unwrap();
        }
        let text = String::from_utf8(text).unwrap();
        let rows: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!((rows[0], rows.len()), (header, 7), "{text}");
        assert_eq!(read(&text).unwrap(), captures, "{text}");
        let mut reader = CsvReader::new(text.as_bytes());
        assert!(reader.skip().unwrap().is_some() && reader.skip().unwrap().is_some());
        assert_eq!(reader.read().unwrap().as_ref(), Some(&captures[2]));
    }
}

/// What is left of a row that begins another trace is no trace.
#[test]
fn cut_row_of_the_next_trace_is_a_warning() {
    let row = |step: u8| format!("1,{step},{}\n", 2 * step);
    let first = (0..8).map(row).collect::<Vec<_>>().concat();
    for cut in ["2", "2,", "2,0", "2,0,"] {
        let text = format!("trace,time,A\n{first}{cut}");
        let mut reader = CsvReader::new(text.as_bytes());
        let waveform = reader.read().unwrap().unwrap();
        assert_eq!(waveform.channels()[0].samples.len(), 8, "{cut:?}");
        assert_eq!(reader.warnings(), [CUT_OFF], "{cut:?}");
        assert!(reader.read().unwrap().is_none(), "{cut:?}");
    }
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
