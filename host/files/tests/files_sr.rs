//! Sessions of sigrok and dumps, checked against sigrok-cli: it must be installed (Debian: `apt-get install
//! sigrok-cli`).

use std::path::{Path, PathBuf};
use std::process::Command;

use scopething_files::{self as files, Format, TraceFile};
use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};

fn real_capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/micro-saw-triangle.sr")
}

fn read(path: &Path) -> Waveform {
    let mut reader = files::open(path, Format::Sr).unwrap();
    let recording = reader.read().unwrap().unwrap();
    assert_eq!(reader.read().unwrap(), None);
    recording
}

fn written(recording: &Waveform) -> tempfile::TempPath {
    written_as(Format::Sr, recording)
}

fn written_as(format: Format, recording: &Waveform) -> tempfile::TempPath {
    let path = tempfile::Builder::new().suffix(&format!(".{format}")).tempfile().unwrap().into_temp_path();
    let mut file = TraceFile::create(&path, format).unwrap();
    file.write(recording).unwrap();
    file.commit().unwrap();
    path
}

/// What sigrok-cli makes of a session.
fn sigrok(path: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = tempfile::NamedTempFile::new().unwrap();
    let run = Command::new("sigrok-cli")
        .args(arguments)
        .arg("-i")
        .arg(path)
        .arg("-o")
        .arg(output.path())
        .output()
        .expect("sigrok-cli must be installed for this test");
    assert!(run.status.success() && run.stderr.is_empty(), "{run:?}");
    std::fs::read(output.path()).unwrap()
}

/// One byte a sample, a bit a probe.
fn sigrok_logic(path: &Path, channels: &str) -> Vec<u8> {
    sigrok(path, &["-O", "binary", "-C", channels])
}

/// The rate and the samples of the analog channels, by sigrok's WAV output: 32-bit floats after the header,
/// the channels by turns. (libsigrok 0.5.2 fails to write some of the channels only.)
fn sigrok_floats(path: &Path) -> (u32, Vec<Vec<f32>>) {
    let wav = sigrok(path, &["-O", "wav"]);
    let data = wav.windows(4).position(|window| window == b"data").unwrap() + 8;
    let channels = usize::from(u16::from_le_bytes(wav[22..24].try_into().unwrap()));
    let rate_hz = u32::from_le_bytes(wav[24..28].try_into().unwrap());
    let samples = wav[data..].chunks_exact(4).map(|sample| f32::from_le_bytes(sample.try_into().unwrap()));
    let all: Vec<f32> = samples.collect();
    (
        rate_hz,
        (0..channels).map(|first| all.iter().skip(first).step_by(channels).copied().collect()).collect(),
    )
}

fn volts(samples: &Samples) -> &[f32] {
    match samples {
        Samples::Volts(volts) => volts,
        other => panic!("no volts: {other:?}"),
    }
}

#[test]
fn real_capture_reads_as_in_sigrok() {
    let path = real_capture();
    let recording = read(&path);
    let names: Vec<_> = recording.channels().iter().map(|series| (series.channel, series.title())).collect();
    assert_eq!(names, [(Channel::A, "A (ana0)".to_owned()), (Channel::B, "B (ana1)".to_owned())]);
    let (rate_hz, channels) = sigrok_floats(&path);
    assert_eq!((rate_hz, channels.len()), (100_000, 2));
    assert_eq!(recording.sample_rate_hz(), f64::from(rate_hz));
    for (series, samples) in recording.channels().iter().zip(channels) {
        assert_eq!(samples.len(), 6144);
        assert_eq!(volts(&series.samples), samples);
        assert_eq!(series.period_s, 10e-6);
    }
}

#[test]
fn what_is_written_is_what_sigrok_reads() {
    let wave = |step: f32| (0..1000).map(|index| (index as f32 * step).sin() * 3.3).collect::<Vec<f32>>();
    let levels = |line: u8| (0..1000_u16).map(|index| (index >> line & 1) as u8).collect::<Vec<u8>>();
    let mut channels = vec![
        Series::new(Channel::A, 0.0, 2e-6, Samples::Volts(wave(0.1))),
        Series::new(Channel::B, 0.0, 2e-6, Samples::Volts(wave(0.03))),
    ];
    for line in [0, 3, 7] {
        channels.push(Series::new(Channel::L[usize::from(line)], 0.0, 2e-6, Samples::Levels(levels(line))));
    }
    let path = written(&Waveform::new(5e5, channels, Details::default()).unwrap());
    assert_eq!(sigrok_floats(&path), (500_000, vec![wave(0.1), wave(0.03)]));
    let expected: Vec<u8> = (0..1000_u16)
        .map(|index| (index & 1 | (index >> 3 & 1) << 3 | (index >> 7 & 1) << 7) as u8)
        .collect();
    // After the logic samples sigrok-cli prints the analog ones, as text.
    let logic = sigrok_logic(&path, "D0,D3,D7");
    assert!(logic.starts_with(&[expected.as_slice(), b"A: 0.00 V"].concat()));

    let back = read(&path);
    let names: Vec<_> = back.channels().iter().map(Series::title).collect();
    assert_eq!(names, ["A", "B", "L0 (D0)", "L3 (D3)", "L7 (D7)"]);
    assert_eq!(back.channel(Channel::L[3]).unwrap().samples, Samples::Levels(levels(3)));
    assert_eq!(volts(&back.channel(Channel::B).unwrap().samples), wave(0.03));
}

/// Of chunks that are shorter, libsigrok's csv output takes the next of A for one of B.
#[test]
fn long_pair_is_a_table_by_sigrok() {
    const SAMPLES: usize = 300_000;
    let volts =
        |step: usize| (0..SAMPLES).map(|index| (index * step % 1001) as f32 / 8.0).collect::<Vec<_>>();
    let series = |channel, step| Series::new(channel, 0.0, 1e-6, Samples::Volts(volts(step)));
    let pair = vec![series(Channel::A, 7), series(Channel::B, 11)];
    let path = written(&Waveform::new(1e6, pair, Details::default()).unwrap());
    let table = String::from_utf8(sigrok(&path, &["-O", "csv"])).unwrap();
    // sigrok-cli prints the samples of each channel as text beside the rows.
    let rows: Vec<(f32, f32)> = table
        .lines()
        .filter_map(|line| line.split_once(','))
        .filter_map(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)))
        .collect();
    assert!(rows == volts(7).into_iter().zip(volts(11)).collect::<Vec<_>>(), "{} rows", rows.len());
}

#[test]
fn only_the_second_channel_stays_the_second_channel() {
    let series = Series::new(Channel::B, 0.0, 1e-6, Samples::Volts(vec![0.5, 1.0, -1.0]));
    let path = written(&Waveform::new(1e6, vec![series], Details::default()).unwrap());
    assert_eq!(sigrok_floats(&path), (1_000_000, vec![vec![0.5, 1.0, -1.0]]));
    let back = read(&path);
    assert_eq!(back.channels().len(), 1);
    assert_eq!(volts(&back.channel(Channel::B).unwrap().samples), [0.5, 1.0, -1.0]);
}

#[test]
fn logic_alone_is_read_by_sigrok() {
    let levels: Vec<u8> = (0..12288_u32).map(|index| (index / 7 % 2) as u8).collect();
    let series = Series::new(Channel::L[5], 0.0, 25e-9, Samples::Levels(levels.clone()));
    let path = written(&Waveform::new(40e6, vec![series], Details::default()).unwrap());
    assert_eq!(sigrok_logic(&path, "D5"), levels.iter().map(|level| level << 5).collect::<Vec<u8>>());
    assert_eq!(read(&path).sample_rate_hz(), 40e6);
}

/// Sigrok takes a sample in each unit of time of a dump, which is a power of ten: the fewer, the better.
#[test]
fn dumps_are_read_by_sigrok_at_the_coarsest_rate_that_has_all_times() {
    let levels: Vec<u8> = (0..1000_u32).map(|index| (index / 7 % 2) as u8).collect();
    for (period_s, unit_rate_hz, units) in [
        (1e-6, 1_000_000, 1),
        (1e-3, 1_000, 1),
        (2.5e-6, 10_000_000, 25),
        // As often as the device can, and 17 and 16384 times its tick.
        (25e-9, 1_000_000_000, 25),
        (425e-9, 1_000_000_000, 425),
        (409.6e-6, 10_000_000, 4096),
    ] {
        let series = Series::new(Channel::L[0], -3e-6, period_s, Samples::Levels(levels.clone()));
        let waveform = Waveform::new(period_s.recip(), vec![series], Details::default()).unwrap();
        let path = written_as(Format::Vcd, &waveform);
        // Of a dump sigrok-cli prints the rate before the samples.
        let at = |rate_hz: u64, samples: &[u8]| {
            [format!("META samplerate: {rate_hz}\n").as_bytes(), samples].concat()
        };
        let held: Vec<u8> = levels.iter().flat_map(|level| std::iter::repeat_n(*level, units)).collect();
        assert_eq!(sigrok(&path, &["-I", "vcd", "-O", "binary"]), at(unit_rate_hz, &held), "{period_s}");
        let divided = sigrok(&path, &["-I", &format!("vcd:downsample={units}"), "-O", "binary"]);
        assert_eq!(divided, at(unit_rate_hz / units as u64, &levels), "{period_s}");
        let back = files::open(&path, Format::Vcd).unwrap().read().unwrap().unwrap();
        assert_eq!(back.channels(), waveform.channels(), "{period_s}");
    }
}

/// The last time of sigrok's own dumps is the end of their last sample.
#[test]
fn dumps_of_sigrok_have_as_many_samples_as_its_session() {
    let levels: Vec<u8> = (0..1000_u32).map(|index| (index / 7 % 2) as u8).collect();
    let series = Series::new(Channel::L[0], 0.0, 1e-6, Samples::Levels(levels.clone()));
    let path = written(&Waveform::new(1e6, vec![series], Details::default()).unwrap());
    let dump = tempfile::Builder::new().suffix(".vcd").tempfile().unwrap().into_temp_path();
    std::fs::write(&dump, sigrok(&path, &["-O", "vcd"])).unwrap();
    let back = files::open(&dump, Format::Vcd).unwrap().read().unwrap().unwrap();
    assert_eq!(back.channels()[0].samples, Samples::Levels(levels));
    assert_eq!(back.sample_rate_hz(), 1e6);
}

#[test]
fn chopped_pair_is_held_at_the_logic_rate() {
    let pair = |start_s, first: f32| {
        Series::new(
            Channel::A,
            start_s,
            2e-6,
            Samples::Volts((0..4).map(|step| first + step as f32).collect()),
        )
    };
    let b = Series { channel: Channel::B, ..pair(1e-6, 10.0) };
    let logic = Series::new(Channel::L[0], 0.0, 1e-6, Samples::Levels(vec![0, 1, 0, 1, 0, 1, 0, 1]));
    let path = written(&Waveform::new(1e6, vec![pair(0.0, 0.0), b, logic], Details::default()).unwrap());
    let a = vec![0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0];
    let b = vec![10.0, 10.0, 10.0, 11.0, 11.0, 12.0, 12.0, 13.0];
    assert_eq!(sigrok_floats(&path), (1_000_000, vec![a, b]));
}
