use std::fs::File;
use std::io::Read as _;

use zip::ZipArchive;

use super::*;
use crate::{ReadError, open};
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::{Channel, Range, Samples};

fn header(columns: &[(Channel, Part)]) -> StreamHeader {
    StreamHeader {
        columns: columns.iter().map(|&(channel, part)| Column { channel, part }).collect(),
        row_ticks: 40_000,
        clock_hz: 40e6,
        thinning: 4,
        start: UnixMicros(1_795_392_000_000_000),
        range: Some(Range { low: -1.0, high: 4.0 }),
        raw: false,
        warnings: vec!["a \"quoted\" warning".to_owned()],
    }
}

const A_AND_L3: [(Channel, Part); 2] = [(Channel::A, Part::Sample), (Channel::L[3], Part::Sample)];

/// Rows whose values encode their index. After 299 999 come 300 003: three rows are missing, and 13 frames. Of the last one it is
/// not known how many are missing before it.
fn rows() -> impl Iterator<Item = Row> {
    (0..300_000).chain(300_003..300_010).map(|index| {
        let mut values = [0.0; MAX_COLUMNS];
        values[0] = volts(index);
        values[1] = f32::from(level(index));
        let lost = match index {
            300_003 => Some(13),
            300_009 => None,
            _ => Some(0),
        };
        Row { index, lost, values }
    })
}

fn volts(index: u64) -> f32 {
    (index % 1000) as f32 / 256.0
}

fn level(index: u64) -> u8 {
    u8::from(index % 5 < 2)
}

fn written(
    format: Format,
    header: &StreamHeader,
    rows: impl Iterator<Item = Row>,
) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(format!("stream.{format}"));
    let mut file = StreamFile::create(&path, format, header).unwrap();
    rows.for_each(|row| file.write(&row).unwrap());
    file.commit().unwrap();
    // Nothing else is left beside it.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "{format}");
    (directory, path)
}

/// An array of an archive: its header, and its elements.
fn array(archive: &mut ZipArchive<File>, name: &str) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    archive.by_name(&format!("{name}.npy")).unwrap().read_to_end(&mut bytes).unwrap();
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert_eq!((10 + length) % 64, 0);
    let elements = bytes.split_off(10 + length);
    (String::from_utf8_lossy(&bytes[10..]).trim().to_owned(), elements)
}

#[test]
fn csv_times_skip_missing_rows() {
    let (_directory, path) = written(Format::Csv, &header(&A_AND_L3), rows());
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 300_007);
    assert_eq!(lines[..3], ["time,A,L3,lost", "0,0,1,0", "0.001,0.00390625,1,0"]);
    assert_eq!(lines[300_000..300_002], ["299.999,3.9023438,0,0", "300.003,0.01171875,0,13"]);
}

#[test]
fn only_gapless_streams_read_back() {
    for format in [Format::Csv, Format::Sr] {
        let (_directory, path) = written(format, &header(&A_AND_L3), rows().take(5000));
        let recording = open(&path, format).unwrap().read().unwrap().unwrap();
        assert_eq!(recording.sample_rate_hz(), 1000.0, "{format}");
        let a = recording.channel(Channel::A).unwrap();
        assert_eq!(a.samples, Samples::Volts((0..5000).map(volts).collect()), "{format}");
        let l3 = recording.channel(Channel::L[3]).unwrap();
        assert_eq!(l3.samples, Samples::Levels((0..5000).map(level).collect()), "{format}");
    }
    let (_directory, path) = written(Format::Csv, &header(&A_AND_L3), rows().skip(299_000));
    let refused = open(&path, Format::Csv).unwrap().read().unwrap_err();
    assert!(matches!(refused, ReadError::Line { .. }) && refused.to_string().contains("evenly"), "{refused}");
}

#[test]
fn evenly_spaced_formats_fill_gaps_with_nan() {
    let (_directory, path) = written(Format::Sr, &header(&A_AND_L3), rows());
    let mut archive = ZipArchive::new(File::open(&path).unwrap()).unwrap();
    // Of 300 010 rows in chunks of 2^18.
    for name in ["logic-1-1", "logic-1-2", "analog-1-9-1", "analog-1-9-2"] {
        assert!(archive.by_name(name).is_ok(), "{name}");
    }
    let recording = open(&path, Format::Sr).unwrap().read().unwrap().unwrap();
    let a = &recording.channel(Channel::A).unwrap().samples;
    let l3 = &recording.channel(Channel::L[3]).unwrap().samples;
    assert_eq!((a.len(), l3.len()), (300_010, 300_010));
    for index in 0..300_010 {
        let is_missing = (300_000..300_003).contains(&index);
        let volts = a.get(index as usize).unwrap();
        assert!(if is_missing { volts.is_nan() } else { volts == self::volts(index) }, "{index}");
        let held = if is_missing { 299_999 } else { index };
        assert_eq!(l3.get(index as usize), Some(f32::from(level(held))), "{index}");
    }

    let (_directory, path) = written(Format::Wav, &header(&A_AND_L3), rows());
    let mut wav = hound::WavReader::open(path).unwrap();
    assert_eq!((wav.spec().sample_rate, wav.spec().channels, wav.duration()), (1000, 1, 300_010));
    for (index, sample) in (0..).zip(wav.samples::<f32>()) {
        let is_missing = (300_000..300_003).contains(&index);
        let volts = sample.unwrap();
        assert!(if is_missing { volts.is_nan() } else { volts == self::volts(index) }, "{index}");
    }
}

#[test]
fn arrays_are_as_long_as_there_are_rows() {
    let (_directory, path) = written(Format::Npz, &header(&A_AND_L3), rows());
    let mut archive = ZipArchive::new(File::open(&path).unwrap()).unwrap();
    let (form, times) = array(&mut archive, "time");
    assert_eq!(form, "{'descr': '<f8', 'fortran_order': False, 'shape': (300007,), }");
    let times: Vec<f64> = times.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let (form, a) = array(&mut archive, "A");
    assert!(form.contains("'<f4'"), "{form}");
    let a: Vec<f32> = a.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let (form, l3) = array(&mut archive, "L3");
    assert!(form.contains("'|u1'"), "{form}");
    let (form, lost) = array(&mut archive, "lost");
    assert!(form.contains("'<u8'"), "{form}");
    let lost: Vec<u64> = lost.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
    assert_eq!((a.len(), l3.len(), lost.len()), (300_007, 300_007, 300_007));
    for (place, row) in rows().enumerate() {
        assert_eq!(times[place], row.index as f64 / 1000.0);
        let known = row.lost.unwrap_or(u64::MAX);
        assert_eq!((a[place], l3[place], lost[place]), (row.values[0], level(row.index), known));
    }
    let (_, rate) = array(&mut archive, "sample_rate");
    assert_eq!(rate, 1000.0_f64.to_le_bytes());
    let (form, start) = array(&mut archive, "start");
    assert!(form.contains("<U") && start.starts_with(b"2\0\0\0"), "{form}");
}

#[test]
fn envelope_has_a_column_for_each_bound() {
    let columns = [(Channel::A, Part::Least), (Channel::A, Part::Greatest)];
    let (_directory, path) = written(Format::Csv, &header(&columns), rows().take(1));
    assert_eq!(std::fs::read_to_string(path).unwrap(), "time,A_min,A_max,lost\n0,0,1,0\n");
    let (_directory, path) = written(Format::Wav, &header(&columns), rows().take(10));
    assert_eq!(hound::WavReader::open(path).unwrap().spec().channels, 2);
    // A byte of logic has one bit a line.
    let lines = [(Channel::L[0], Part::Least), (Channel::L[0], Part::Greatest)];
    let directory = tempfile::tempdir().unwrap();
    let refused =
        StreamFile::create(&directory.path().join("x.sr"), Format::Sr, &header(&lines)).err().unwrap();
    assert!(refused.to_string().contains("csv"), "{refused}");
}

#[test]
fn unsupported_stream_is_refused_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let create = |format: Format, header: &StreamHeader| {
        StreamFile::create(&directory.path().join("x"), format, header).err().map(|error| error.to_string())
    };
    let slow = StreamHeader { row_ticks: 400_000_000, ..header(&A_AND_L3) };
    for format in [Format::Sr, Format::Wav] {
        assert!(create(format, &slow).unwrap().contains("a sample rate of 100.00 mHz"));
    }
    let logic = header(&[(Channel::L[0], Part::Sample)]);
    assert!(create(Format::Wav, &logic).unwrap().contains("analog"));
    for format in [Format::Json, Format::Vcd, Format::Svg, Format::Png] {
        assert!(create(format, &logic).unwrap().contains("choose csv, npz, parquet, sr or wav"));
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn what_is_not_committed_leaves_nothing() {
    for format in STREAM_FORMATS {
        let directory = tempfile::tempdir().unwrap();
        let mut file = StreamFile::create(&directory.path().join("x"), format, &header(&A_AND_L3)).unwrap();
        rows().take(1000).for_each(|row| file.write(&row).unwrap());
        drop(file);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{format}");
    }
}
