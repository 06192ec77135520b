use std::io::{Cursor, Write as _};

use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::metadata::parse_rate;
use super::*;
use crate::archive::Archive;

const ANALOG: &str =
    "[global]\nsigrok version=0.5.2\n[device 1]\nsamplerate=1 kHz\ntotal analog=1\nanalog1=ana0\n";

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut bytes) = (Archive::new(), Vec::new());
    for (name, content) in entries {
        archive.add(name, content, &mut bytes).unwrap();
    }
    archive.finish(&mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Waveform, ReadError> {
    SrReader::new(Cursor::new(bytes))?.read().map(Option::unwrap)
}

fn session(metadata: &str, entries: &[(&str, &[u8])]) -> Result<Waveform, ReadError> {
    read(&archive(&[&[("version", &b"2"[..]), ("metadata", metadata.as_bytes())], entries].concat()))
}

fn le(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

#[test]
fn chunks_are_joined_in_order() {
    let chunks: Vec<(String, Vec<u8>)> =
        (1..=12_u8).map(|number| (format!("analog-1-1-{number}"), le(&[f32::from(number)]))).collect();
    let mut entries: Vec<(&str, &[u8])> =
        chunks.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    entries.reverse();
    let recording = session(ANALOG, &entries).unwrap();
    let expected = (1..=12_u8).map(f32::from).collect();
    assert_eq!(recording.channels()[0].samples, Samples::Volts(expected));
    assert_eq!(recording.sample_rate_hz(), 1000.0);
}

#[test]
fn wide_logic_samples_give_their_first_eight_bits() {
    let metadata = "[device 1]\ncapturefile=logic-1\nsamplerate=2.5 MHz\nunitsize=2\nprobe1=CLK\nprobe8=D7\n";
    let recording = session(metadata, &[("logic-1-1", &[0x01, 0xff, 0x80, 0xff, 0x81, 0x00])]).unwrap();
    assert_eq!(recording.sample_rate_hz(), 2.5e6);
    let titles: Vec<_> = recording.channels().iter().map(Series::title).collect();
    assert_eq!(titles, ["L0 (CLK)", "L7 (D7)"]);
    assert_eq!(recording.channels()[0].samples, Samples::Levels(vec![1, 0, 1]));
    assert_eq!(recording.channels()[1].samples, Samples::Levels(vec![0, 1, 1]));
}

#[test]
fn rates_are_read_as_sigrok_writes_them() {
    for (text, rate_hz) in [
        ("100 kHz", 1e5),
        ("1000000 Hz", 1e6),
        ("1000000", 1e6),
        ("2.5 MHz", 2.5e6),
        ("1 GHz", 1e9),
        ("40MHz", 40e6),
        ("2 mHz", 2e6),
        ("1 THz", 1e12),
    ] {
        assert_eq!(parse_rate(text), Some(rate_hz), "{text}");
    }
    for text in ["", "Hz", "k", "0 Hz", "-1 kHz", "nan", "inf", "µHz"] {
        assert_eq!(parse_rate(text), None, "{text}");
    }
}

#[test]
fn bad_sessions_are_refused_with_entry_and_reason() {
    let refused = |result: Result<Waveform, ReadError>| match result {
        Err(ReadError::Entry { entry, reason }) => format!("{entry}: {reason}"),
        other => panic!("{other:?}"),
    };
    let samples = le(&[1.0]);
    let good: &[(&str, &[u8])] = &[("analog-1-1-1", &samples)];
    for (metadata, entries, part) in [
        ("", good, "metadata: it names no channel"),
        ("[device 1]\nsamplerate=fast\n", good, "metadata: \"fast\""),
        (ANALOG, &[], "analog-1-1: it is not there"),
        (ANALOG, &[("analog-1-1-1", &[0, 0, 0])], "analog-1-1: it is not there, or empty"),
        ("[device 1]\nsamplerate=1\nunitsize=0\nprobe1=a\n", good, "metadata: \"0\" is not a unitsize"),
        ("[device 1]\nsamplerate=1\nunitsize=1\nprobe9=a\n", &[("logic-1-1", &[0])], "names no channel"),
        ("[device 1]\nsamplerate=1\nprobe1=a\ncapturefile=metadata\n", good, "not a capturefile"),
    ] {
        let refused = refused(session(metadata, entries));
        assert!(refused.contains(part), "{refused}");
    }
    assert!(refused(read(&archive(&[("metadata", b"")]))).starts_with("version: it is not there"));
    assert!(refused(read(&archive(&[("version", b"3"), ("metadata", b"")]))).contains("\"3\" is not known"));
    let no_rate = session("[device 1]\nprobe1=a\n", &[("logic-1-1", &[0])]);
    assert!(matches!(no_rate, Err(ReadError::NoRate)), "{no_rate:?}");
    assert!(matches!(read(b"time,A\n0,1\n"), Err(ReadError::Archive(_))));
}

#[test]
fn long_sessions_are_read_in_parts() {
    // A second of 12 MHz.
    let levels: Vec<u8> = (0..12_000_000_u32).map(|index| (index / 6) as u8).collect();
    let metadata =
        "[device 1]\ncapturefile=logic-1\nsamplerate=12 MHz\nunitsize=1\nprobe1=SCL\nprobe2=SDA\nprobe5=CS\n";
    let chunks = levels.chunks(4 << 20).zip(1..).map(|(chunk, number)| (format!("logic-1-{number}"), chunk));
    let chunks: Vec<(String, &[u8])> = chunks.collect();
    let mut entries = vec![("version", &b"2"[..]), ("metadata", metadata.as_bytes())];
    entries.extend(chunks.iter().map(|(name, bytes)| (name.as_str(), *bytes)));
    let bytes = archive(&entries);
    let read = |options: ReadOptions| {
        SrReader::with_options(Cursor::new(bytes.as_slice()), options)?.read().map(Option::unwrap)
    };
    let whole = read(ReadOptions::default()).unwrap();
    assert_eq!(whole.channels().iter().map(|series| series.samples.len()).sum::<usize>(), 36_000_000);
    let channels = vec!["SDA".to_owned()];
    let options = ReadOptions { from_s: Some(0.5), for_s: Some(1e-6), channels, ..ReadOptions::default() };
    let part = read(options).unwrap();
    let [series] = part.channels() else { panic!("{part:?}") };
    assert_eq!((series.title().as_str(), series.start_s), ("L1 (SDA)", 0.5));
    let expected = (6_000_000..6_000_012_u32).map(|index| ((index / 6) >> 1 & 1) as u8).collect();
    assert_eq!(series.samples, Samples::Levels(expected));
    let beyond = read(ReadOptions { from_s: Some(2.0), ..ReadOptions::default() });
    assert!(matches!(beyond, Err(ReadError::NothingThere { .. })), "{beyond:?}");
}

#[test]
fn archive_bomb_is_refused() {
    let zeros = vec![0; 40 << 20];
    let metadata = archive(&[("version", b"2"), ("metadata", &zeros)]);
    assert!(metadata.len() < 100_000);
    assert!(matches!(read(&metadata), Err(ReadError::Entry { entry, .. }) if entry == "metadata"));
}

/// What is good of a session is read, and the rest is a warning.
#[test]
fn broken_parts_leave_the_others() {
    let read = |metadata: &str, entries: &[(&str, &[u8])]| {
        let bytes =
            archive(&[&[("version", &b"2"[..]), ("metadata", metadata.as_bytes())], entries].concat());
        let mut reader = SrReader::new(Cursor::new(bytes)).unwrap();
        let recording = reader.read().unwrap().unwrap();
        (recording, reader.warnings())
    };
    let both = "[device 1]\nsamplerate=1 kHz\ncapturefile=logic-1\nprobe1=D0\nanalog9=CH1\nunitsize=1\n";
    let samples = le(&[1.0, 2.0]);
    let (recording, warnings) = read(both, &[("analog-1-9-1", &samples)]);
    assert_eq!(recording.channels().len(), 1);
    assert!(warnings.len() == 1 && warnings[0].contains("logic-1"), "{warnings:?}");
    let logic = "[device 1]\nsamplerate=1 kHz\ncapturefile=logic-1\nprobe1=D0\nunitsize=1\n";
    let (recording, warnings) = read(logic, &[("logic-1-1", &[0, 1, 0]), ("logic-1-3", &[1, 1])]);
    assert_eq!(recording.channels()[0].samples, Samples::Levels(vec![0, 1, 0]));
    assert!(warnings.len() == 1 && warnings[0].contains("logic-1-2 is missing"), "{warnings:?}");
    let narrow = "[device 1]\nsamplerate=1 kHz\ncapturefile=logic-1\nprobe1=DATA\nprobe16=ATN\nunitsize=1\n";
    let (recording, warnings) = read(narrow, &[("logic-1-1", &[0, 1, 0])]);
    assert_eq!(recording.channels().len(), 1);
    assert!(warnings.len() == 1 && warnings[0].contains("ATN left out"), "{warnings:?}");
    let wide = "[device 1]\nsamplerate=1 kHz\ncapturefile=logic-1\nprobe8=CLK\nprobe9=MISO\nprobe16=CS\nunitsize=2\n";
    let (recording, _) = read(wide, &[("logic-1-1", &[0x80, 0, 0, 1, 0, 0x80])]);
    let lines: Vec<_> =
        recording.channels().iter().map(|series| (series.title(), series.samples.clone())).collect();
    let expected = [("L0 (CLK)", vec![1, 0, 0]), ("L1 (MISO)", vec![0, 1, 0]), ("L2 (CS)", vec![0, 0, 1])];
    assert_eq!(lines, expected.map(|(title, levels)| (title.to_owned(), Samples::Levels(levels))));
}

#[test]
fn damaged_entry_is_named() {
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in
        [("version", b"2".to_vec()), ("metadata", ANALOG.into()), ("analog-1-1-1", le(&[1.25; 100]))]
    {
        zip.start_file(name, options).unwrap();
        zip.write_all(&bytes).unwrap();
    }
    let mut bytes = zip.finish().unwrap().into_inner();
    let samples = bytes.windows(4).position(|window| window == 1.25_f32.to_le_bytes()).unwrap();
    bytes[samples] ^= 1;
    let refused = read(&bytes).unwrap_err().to_string();
    assert!(refused.contains("analog-1-1-1") && refused.contains("damaged"), "{refused}");
}

proptest! {
    #[test]
    fn no_damage_makes_it_fail(
        places in prop::collection::vec((0_usize..4000, any::<u8>()), 1..20), cut in 0_usize..4000
    ) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/micro-saw-triangle.sr");
        let mut bytes = std::fs::read(path).unwrap();
        for (place, byte) in places {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        let _ = read(&bytes);
        bytes.truncate(cut);
        let _ = read(&bytes);
    }

    #[test]
    fn no_metadata_makes_it_fail(
        text in "(\\[device 1\\]|samplerate=|probe|analog|[0-9]{1,20}|=|\n|unitsize=|\\PC){0,40}"
    ) {
        let _ = session(&text, &[("logic-1-1", &[1, 2, 3]), ("analog-1-1-1", &[0; 8])]);
    }
}
