//! Every format, written to real files and read by something that is not ours.

use std::io::{self, Write};
use std::path::Path;

use scopething_files::{self as files, Format, OpenError, SaveError, TraceFile, WriteError};
use scopething_waveform::recording::{
    Channel, Details, EndReason, Range, Samples, Series, Trigger, TriggerType, Waveform,
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

#[test]
fn json_says_null_for_what_is_not_known() {
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
fn vcd_tells_each_change_at_its_time() {
    let bytes = encoded(Format::Vcd, &recording());
    let mut parser = vcd::Parser::new(bytes.as_slice());
    let header = parser.parse_header().unwrap();
    assert_eq!(header.timescale, Some((1, vcd::TimescaleUnit::PS)));
    let code = |name: &str| header.find_var(&["scopething", name]).unwrap().code;
    let (a, b, line) = (code("A"), code("B"), code("L2"));
    let (mut time_ps, mut seen_a, mut seen_b, mut seen_line) = (0, Vec::new(), Vec::new(), Vec::new());
    for command in parser {
        match command.unwrap() {
            vcd::Command::Timestamp(time) => time_ps = time,
            vcd::Command::ChangeReal(code, volts) if code == a => seen_a.push((time_ps, volts)),
            vcd::Command::ChangeReal(code, volts) if code == b => seen_b.push((time_ps, volts)),
            vcd::Command::ChangeScalar(code, level) if code == line => seen_line.push((time_ps, level)),
            other => panic!("{other:?}"),
        }
    }
    let ramp = |first_ps: u64, first: f32| {
        (0..50_u8).map(move |step| {
            (first_ps + u64::from(step) * 2_000_000, f64::from(first + f32::from(step) * 0.5))
        })
    };
    assert!(seen_a.into_iter().eq(ramp(0, 0.0)));
    assert!(seen_b.into_iter().eq(ramp(1_000_000, -0.1)));
    let levels = [vcd::Value::V0, vcd::Value::V1].into_iter().cycle();
    assert!(seen_line.into_iter().eq((0..50).map(|change| change * 2_000_000).zip(levels)));
    assert_eq!(time_ps, 99_000_000);
}

#[test]
fn wav_holds_volts_of_the_analog_channels() {
    let mut reader = hound::WavReader::new(io::Cursor::new(encoded(Format::Wav, &recording()))).unwrap();
    assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 500_000));
    let samples: Vec<f32> = reader.samples().map(Result::unwrap).collect();
    assert_eq!(samples[..4], [0.0, -0.1, 0.5, 0.4]);
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
                assert!(matches!(format, Format::Csv | Format::Json));
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
