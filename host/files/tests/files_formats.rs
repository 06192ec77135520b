//! Every format, written to real files and read by something that is not ours.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use scopething_files::{self as files, Format, OpenError, ReadOptions, SaveError, TraceFile, WriteError};
use scopething_waveform::waveform::{
    Channel, Details, EndReason, Range, Samples, Series, SettingValue, Settings, Trigger, TriggerType,
    Waveform,
};

const TICK_S: f64 = 1e-6;

/// A chopped pair beside one logic line: A 0, 0.5, 1.., B -0.1, 0.4.., L2 alternating in pairs.
fn recording() -> Waveform {
    let ramp = |first: f32| Samples::Volts((0..50_u8).map(|step| first + f32::from(step) * 0.5).collect());
    let channels = vec![
        Series::new(Channel::A, 0.0, 2.0 * TICK_S, ramp(0.0)),
        Series::new(Channel::B, TICK_S, 2.0 * TICK_S, ramp(-0.1)),
        Series::new(
            Channel::L[2],
            0.0,
            TICK_S,
            Samples::Levels((0..100).map(|index| index / 2 % 2).collect()),
        ),
    ];
    let trigger =
        Trigger { time_s: 25e-6, level: Some(1.5), kind: TriggerType::Falling, source: "A".to_owned() };
    let details = Details {
        capture_start_s: Some(12.5),
        cause: Some(EndReason::Trigger),
        trigger: Some(trigger),
        range: Some(Range { low: -5.5, high: 8.0 }),
        mode: Some("MixedChop".to_owned()),
        warnings: vec!["a \"quoted\" µ warning".to_owned()],
        stamp: None,
        ranges: Vec::new(),
        settings: None,
    };
    Waveform::new(1.0 / TICK_S, channels, details).unwrap()
}

fn encoded(format: Format, recording: &Waveform) -> Vec<u8> {
    let mut bytes = Vec::new();
    format.writer().write(recording, &mut bytes).unwrap();
    bytes
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn json_is_the_contract_of_the_command_line() {
    let text = String::from_utf8(encoded(Format::Json, &recording())).unwrap();
    assert!(text.ends_with("}\n") && text.lines().count() == 1);
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(object["cause"], "trigger");
    assert_eq!(object["sample_rate"], 1e6);
    assert_eq!(object["capture_start"], 12.5);
    assert_eq!(object["trigger_time"], 25e-6);
    assert_eq!(object["trigger"], serde_json::json!({"source": "A", "type": "falling", "level": 1.5}));
    assert_eq!(object["mode"], "MixedChop");
    assert_eq!(object["warnings"], serde_json::json!(["a \"quoted\" µ warning"]));
    let channels = object["channels"].as_object().unwrap();
    assert_eq!(channels.keys().collect::<Vec<_>>(), ["A", "B", "L2"]);
    assert_eq!(channels["B"]["timestamps"][3], 7e-6);
    assert_eq!(channels["L2"]["samples"][2], 1);
    assert_eq!(channels["A"]["samples"].as_array().unwrap().len(), 50);
    // -0.1 as a 32-bit float, in the shortest text that reads back as it.
    assert!(text.contains("\"samples\":[-0.1,0.4,0.9,"), "{text}");
}

/// Three lines at the same times have them once.
#[test]
fn json_has_the_times_of_several_channels_once() {
    let line = |number: usize| Series::new(Channel::L[number], 0.0, TICK_S, Samples::Levels(vec![0, 1, 1]));
    let written = Waveform::new(1e6, vec![line(0), line(3), line(5)], Details::default()).unwrap();
    let object: serde_json::Value = serde_json::from_slice(&encoded(Format::Json, &written)).unwrap();
    assert_eq!(object["channels"]["L0"]["timestamps"], serde_json::json!([0.0, 1e-6, 2e-6]));
    for name in ["L3", "L5"] {
        let channel = &object["channels"][name];
        assert_eq!((channel.get("timestamps"), &channel["timestamps_of"]), (None, &"L0".into()));
        assert_eq!((&channel["start"], &channel["period"]), (&0.0.into(), &1e-6.into()));
    }
}

fn request() -> BTreeMap<String, SettingValue> {
    [("nsamples", SettingValue::Number(1000.0)), ("period", SettingValue::Number(2.5e-3))]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

#[test]
fn whole_numbers_among_settings_are_integers() {
    let settings = Settings { request: Some(request()), ..Settings::default() };
    for format in [Format::Csv, Format::Json, Format::Vcd] {
        let text = String::from_utf8(encoded(format, &recording().with_settings(settings.clone()))).unwrap();
        let text = text.replace('\\', "");
        assert!(text.contains(r#""request":{"nsamples":1000,"period":0.0025}"#), "{format}: {text}");
    }
}

/// Names, times and all that is known live through every format that can be read.
#[test]
fn every_readable_format_reads_what_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let named = |mut series: Series, name: &str| {
        series.label = Some(name.to_owned());
        series
    };
    let channels = recording().channels().to_vec();
    let [a, b, line] = <[Series; 3]>::try_from(channels).unwrap();
    let settings = Settings {
        program: Some("test 1".to_owned()),
        device: Some("BS000501".to_owned()),
        request: Some(request()),
        ..Settings::default()
    };
    let details = Details { settings: Some(Box::new(settings)), ..recording().details().clone() };
    let channels = vec![named(a, "out"), b, named(line, "SCL")];
    let written = Waveform::new(1.0 / TICK_S, channels, details).unwrap();
    for format in Format::ALL.into_iter().filter(|format| format.is_readable()) {
        let path = directory.path().join(format!("x.{}", format.name().trim_end_matches(';')));
        let mut file = TraceFile::create(&path, format).unwrap();
        file.write(&written).unwrap();
        file.commit().unwrap();
        let mut reader = files::open(&path, format).unwrap();
        let read = reader.read().unwrap().unwrap();
        assert_eq!(reader.warnings(), Vec::<String>::new(), "{format}");
        assert_eq!(reader.read().unwrap(), None, "{format}");
        assert_eq!(read.details(), written.details(), "{format}");
        for (read, written) in read.channels().iter().zip(written.channels()) {
            // Audio has integers of a 2^31st of full scale.
            let off = read.samples.iter().zip(written.samples.iter()).map(|(one, other)| (one - other).abs());
            assert!(off.fold(0.0, f32::max) < 2e-6, "{format} {}", read.title());
            assert_eq!(read.samples.len(), written.samples.len(), "{format} {}", read.title());
            assert!(read.timestamps().eq(written.timestamps()), "{format} {}: {read:?}", read.title());
            // A waveform in volts has no name in audio; sigrok calls the lines of a device D0 to D7.
            if !matches!(format, Format::Wav | Format::Sr) {
                assert_eq!(read.label, written.label, "{format}");
            }
        }
        let expected = if format == Format::Wav { 2 } else { 3 };
        assert_eq!(read.channels().len(), expected, "{format}");
    }
}

/// Another rate stretches all channels alike, and the trigger with them.
#[test]
fn every_readable_format_is_read_at_another_rate() {
    let directory = tempfile::tempdir().unwrap();
    let written = recording();
    for format in Format::ALL.into_iter().filter(|format| format.is_readable()) {
        let path = directory.path().join(format!("x.{}", format.name().trim_end_matches(';')));
        std::fs::write(&path, encoded(format, &written)).unwrap();
        // Audio has the pair alone, of which each channel has half of the rate.
        let rate_hz = if format == Format::Wav { 0.25e6 } else { 0.5e6 };
        let options = ReadOptions { rate_hz: Some(rate_hz), ..ReadOptions::default() };
        let read = files::open_with(&path, format, &options).unwrap().read().unwrap().unwrap();
        assert!((read.sample_rate_hz() / 0.5e6 - 1.0).abs() < 1e-12, "{format}");
        assert_eq!(read.details().trigger.as_ref().unwrap().time_s, 50e-6, "{format}");
        for series in read.channels() {
            let expected = written.channel(series.channel).unwrap();
            let (begin, period) = (2.0 * expected.start_s, 2.0 * expected.period_s);
            assert_eq!((series.start_s, series.period_s), (begin, period), "{format} {}", series.channel);
            assert_eq!(series.samples.len(), expected.samples.len(), "{format} {}", series.channel);
        }
    }
}

#[test]
fn json_has_null_for_what_is_not_known() {
    let series = Series::new(Channel::A, 0.0, 1.0, Samples::Fractions(vec![f32::NAN, 0.5]));
    let imported = Waveform::new(1.0, vec![series], Details::default()).unwrap();
    let object: serde_json::Value = serde_json::from_slice(&encoded(Format::Json, &imported)).unwrap();
    for key in ["cause", "capture_start", "trigger_time", "trigger", "range", "mode"] {
        assert_eq!(object.get(key), Some(&serde_json::Value::Null), "{key}");
    }
    assert_eq!(object["channels"]["A"]["samples"], serde_json::json!([null, 0.5]));
    assert_eq!(object["channels"]["A"]["unit"], "range");
}

#[test]
fn npz_is_a_zip_of_npy_arrays() {
    let mut zip = zip::ZipArchive::new(io::Cursor::new(encoded(Format::Npz, &recording()))).unwrap();
    let mut array = |name: &str| {
        let mut bytes = Vec::new();
        io::copy(&mut zip.by_name(&format!("{name}.npy")).unwrap(), &mut bytes).unwrap();
        assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
        let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((10 + header) % 64, 0);
        let dictionary = std::str::from_utf8(&bytes[10..10 + header]).unwrap().trim_end().to_owned();
        (dictionary, bytes[10 + header..].to_vec())
    };
    let (dictionary, bytes) = array("B");
    assert_eq!(dictionary, "{'descr': '<f4', 'fortran_order': False, 'shape': (50,), }");
    assert_eq!(bytes[..8], [(-0.1_f32).to_le_bytes(), 0.4_f32.to_le_bytes()].concat());
    assert_eq!(bytes.len(), 200);
    let (dictionary, bytes) = array("B_timestamps");
    assert_eq!(dictionary, "{'descr': '<f8', 'fortran_order': False, 'shape': (50,), }");
    assert_eq!(bytes[8..16], 3e-6_f64.to_le_bytes());
    let (dictionary, bytes) = array("L2");
    assert_eq!(dictionary, "{'descr': '|u1', 'fortran_order': False, 'shape': (100,), }");
    assert_eq!(bytes[..6], [0, 0, 1, 1, 0, 0]);
    let (dictionary, bytes) = array("mode");
    assert_eq!(dictionary, "{'descr': '<U9', 'fortran_order': False, 'shape': (), }");
    assert_eq!(bytes.iter().copied().filter(|&byte| byte > 0).collect::<Vec<u8>>(), b"MixedChop");
    assert_eq!(array("trigger_level").1, 1.5_f64.to_le_bytes());
}

#[test]
fn vcd_has_each_change_at_its_time() {
    let bytes = encoded(Format::Vcd, &recording());
    let mut parser = vcd::Parser::new(bytes.as_slice());
    let header = parser.parse_header().unwrap();
    // A and B are sampled each two microseconds, B one after A.
    assert_eq!(header.timescale, Some((1, vcd::TimescaleUnit::US)));
    let code = |name: &str| header.find_var(&["scopething", name]).unwrap().code;
    let (a, b, line) = (code("A"), code("B"), code("L2"));
    let (mut time_us, mut seen_a, mut seen_b, mut seen_line) = (0, Vec::new(), Vec::new(), Vec::new());
    for command in parser {
        match command.unwrap() {
            vcd::Command::Timestamp(time) => time_us = time,
            vcd::Command::ChangeReal(code, volts) if code == a => seen_a.push((time_us, volts)),
            vcd::Command::ChangeReal(code, volts) if code == b => seen_b.push((time_us, volts)),
            vcd::Command::ChangeScalar(code, level) if code == line => seen_line.push((time_us, level)),
            other => panic!("{other:?}"),
        }
    }
    let ramp = |first_us: u64, first: f32| {
        (0..50_u8).map(move |step| (first_us + u64::from(step) * 2, f64::from(first + f32::from(step) * 0.5)))
    };
    assert!(seen_a.into_iter().eq(ramp(0, 0.0)));
    assert!(seen_b.into_iter().eq(ramp(1, -0.1)));
    let levels = [vcd::Value::V0, vcd::Value::V1].into_iter().cycle();
    assert!(seen_line.into_iter().eq((0..50).map(|change| change * 2).zip(levels)));
    // The end of the last sample, which was taken at 99.
    assert_eq!(time_us, 100);
}

/// Of a period that is no whole number of picoseconds, times are rounded as sigrok rounds them: in picoseconds it would
/// make a million samples of each 24.
#[test]
fn vcd_rounds_times_to_a_hundredth_of_a_sample() {
    for (rate_hz, unit) in [(24e6, (100, vcd::TimescaleUnit::PS)), (7_372_800.0, (1, vcd::TimescaleUnit::NS))]
    {
        let levels: Vec<u8> = (0..5000).map(|index| u8::from(index / 5 % 2 == 1)).collect();
        let line = Series::new(Channel::L[0], 0.0, f64::recip(rate_hz), Samples::Levels(levels));
        let waveform = Waveform::new(rate_hz, vec![line], Details::default()).unwrap();
        let bytes = encoded(Format::Vcd, &waveform);
        let mut parser = vcd::Parser::new(bytes.as_slice());
        let header = parser.parse_header().unwrap();
        assert_eq!(header.timescale, Some(unit), "{rate_hz}");
        let unit_s = if unit.1 == vcd::TimescaleUnit::PS { 1e-10 } else { 1e-9 };
        let times: Vec<u64> = parser
            .filter_map(|command| match command.unwrap() {
                vcd::Command::Timestamp(time) => Some(time),
                _ => None,
            })
            .collect();
        let expected = (0..=1000).map(|change| (f64::from(change * 5) / rate_hz / unit_s).round() as u64);
        assert!(times.into_iter().eq(expected), "{rate_hz}");
        // Its own notes have the rate.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.vcd");
        std::fs::write(&path, &bytes).unwrap();
        let read = scopething_files::open(&path, Format::Vcd).unwrap().read().unwrap();
        assert_eq!(read.as_ref().map(Waveform::channels), Some(waveform.channels()), "{rate_hz}");
    }
}

#[test]
fn wav_holds_volts_of_the_analog_channels() {
    let mut reader = hound::WavReader::new(io::Cursor::new(encoded(Format::Wav, &recording()))).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 500_000));
    // Up to 24.5 V: full scale is 32 V.
    let samples: Vec<i32> = reader.samples().map(Result::unwrap).collect();
    let volts: Vec<f64> = samples.iter().map(|&sample| f64::from(sample) * 32.0 / 2_f64.powi(31)).collect();
    for (volts, expected) in volts[..4].iter().zip([0.0, -0.1, 0.5, 0.4]) {
        assert!((volts - expected).abs() < 3e-8, "{volts} for {expected}");
    }
    assert_eq!(samples.len(), 100);
    let logic = Series::new(Channel::L[0], 0.0, 1.0, Samples::Levels(vec![1]));
    let logic = Waveform::new(1.0, vec![logic], Details::default()).unwrap();
    let refused = Format::Wav.writer().write(&logic, &mut Vec::new());
    assert!(matches!(refused, Err(WriteError::NothingToHold { .. })));
}

#[test]
fn broken_sink_is_an_error_everywhere() {
    struct Breaks(usize);
    impl Write for Breaks {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            Ok(taken)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for format in Format::ALL {
        let length = encoded(format, &recording()).len();
        for room in [0, 1, length / 2, length - 1] {
            let refused = format.writer().write(&recording(), &mut Breaks(room));
            assert!(
                matches!(&refused, Err(WriteError::Io(error)) if error.kind() == io::ErrorKind::StorageFull),
                "{format} after {room} of {length} bytes: {refused:?}"
            );
        }
        assert!(format.writer().write(&recording(), &mut Breaks(length)).is_ok());
    }
}

#[test]
fn several_captures_in_one_file() {
    let directory = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let path = directory.path().join(format!("several.{format}"));
        std::fs::write(&path, "old").unwrap();
        let mut file = TraceFile::create(&path, format).unwrap();
        file.write(&recording()).unwrap();
        match file.write(&recording()) {
            Ok(()) => {
                assert!(matches!(format, Format::Csv | Format::CsvSemicolons | Format::Json));
                file.commit().unwrap();
            }
            Err(SaveError::Capture { source: WriteError::OneCapture(named), .. }) => {
                assert_eq!(named, format);
                drop(file);
                assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(names(directory.path()).len(), Format::ALL.len(), "nothing is left beside");
    let mut reader = files::open(&directory.path().join("several.csv"), Format::Csv).unwrap();
    assert!(reader.read().unwrap().is_some() && reader.read().unwrap().is_some());
    assert!(reader.read().unwrap().is_none());
}

#[test]
fn what_cannot_be_opened_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.csv");
    let refused = |path: &Path, format| files::open(path, format).err().unwrap();
    assert!(matches!(refused(&missing, Format::Csv), OpenError::Io { path, .. } if path == missing));
    assert!(matches!(refused(directory.path(), Format::Csv), OpenError::NotAFile { .. }));
    let path = directory.path().join("x.png");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(refused(&path, Format::Png), OpenError::WriteOnly { format: Format::Png, .. }));
    assert!(matches!(refused(&path, Format::Sr), OpenError::Read { .. }));
}

/// The rate of a single sample is the one that is stated.
#[test]
fn a_single_sample_is_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let a = Series::new(Channel::A, 0.0, 1e-3, Samples::Volts(vec![1.5]));
    let written = Waveform::new(1e3, vec![a], Details::default()).unwrap();
    let mut read = 0;
    for format in Format::ALL.into_iter().filter(|format| format.is_readable()) {
        let path = directory.path().join(format!("trace.{format}"));
        std::fs::write(&path, encoded(format, &written)).unwrap();
        let back = files::open(&path, format).unwrap().read();
        let back = back.unwrap_or_else(|error| panic!("{format}: {error}")).unwrap();
        let a = back.channel(Channel::A).unwrap();
        assert_eq!((a.samples.len(), a.samples.get(0), a.period_s), (1, Some(1.5), 1e-3), "{format}");
        read += 1;
    }
    assert_eq!(read, 8);
}

/// Also of a capture whose logic lines it does not hold.
#[test]
fn wav_keeps_the_names_of_channels() {
    let mut channels = recording().channels().to_vec();
    channels[1].label = Some("VOUT".to_owned());
    let written = Waveform::new(1.0 / TICK_S, channels, Details::default()).unwrap();
    assert_eq!(Format::Wav.left_out(written.channels().iter().map(|one| one.channel)), [Channel::L[2]]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.wav");
    std::fs::write(&path, encoded(Format::Wav, &written)).unwrap();
    let back = files::open(&path, Format::Wav).unwrap().read().unwrap().unwrap();
    let titles: Vec<String> = back.channels().iter().map(Series::title).collect();
    assert_eq!(titles, ["A", "B (VOUT)"]);
}

#[test]
fn a_rate_that_does_not_fit_is_named_for_people() {
    let refused = WriteError::Rate { format: Format::Wav, rate_hz: 24_242_424.242_424 };
    assert!(refused.to_string().contains("a sample rate of 24.242 MHz;"), "{refused}");
}
