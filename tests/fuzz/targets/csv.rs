//! CSV files of traces: captures whose channels fit together, or an error that names a line. What is read piece by piece is
//! what is read as a whole.

#![no_main]

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use scopething_files::pieces::Pieces;
use scopething_files::{CsvReader, Format, ReadOptions, TraceReader, open_pieces, open_with};
use scopething_waveform::waveform::{Samples, Series, Waveform};

/// The most samples that each one becomes where times are uneven: volts are interpolated at up to 16 times as many times, levels are
/// held over up to so many.
const MAX_GROWTH: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    check_captures(bytes);
    let options = ReadOptions::default();
    let path = file_of(bytes);
    if let Some(pieces) = open_pieces(&path, Format::Csv, &options) {
        let mut reader = open_with(&path, Format::Csv, &options).expect("it was opened before");
        let whole = reader.read().expect("it was read before").expect("it has a capture");
        let pieces = gathered(pieces);
        assert_eq!((pieces.sample_rate_hz(), pieces.details()), (whole.sample_rate_hz(), whole.details()));
        assert_eq!(pieces.channels().len(), whole.channels().len());
        for (one, other) in pieces.channels().iter().zip(whole.channels()) {
            assert!(is_same(one, other), "{one:?} is not {other:?}");
        }
        assert!(matches!(reader.read(), Ok(None)), "a capture in pieces is the only one");
    }
});

fn check_captures(bytes: &[u8]) {
    let mut reader = CsvReader::new(bytes);
    // A capture takes at least a line.
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
    for _ in 0..=lines {
        match reader.read() {
            Ok(Some(recording)) => {
                assert!(recording.sample_rate_hz() > 0.0 && recording.sample_rate_hz().is_finite());
                assert!(recording.end_s() >= recording.start_s());
                assert!(recording.channels().iter().all(|series| series.samples.len() <= MAX_GROWTH * lines));
            }
            Ok(None) => return,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    }
    panic!("more captures than lines");
}

/// A file with these bytes, the same each time.
fn file_of(bytes: &[u8]) -> PathBuf {
    static FILE: OnceLock<File> = OnceLock::new();
    let mut file = FILE.get_or_init(|| tempfile::tempfile().expect("a file"));
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(bytes)).expect("room");
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Whether two series are the same, also in samples that are no numbers.
fn is_same(one: &Series, other: &Series) -> bool {
    let is_same = |(one, other): (f32, f32)| one == other || (one.is_nan() && other.is_nan());
    let beside = |series: &Series| Series { samples: Samples::Volts(Vec::new()), ..series.clone() };
    beside(one) == beside(other)
        && std::mem::discriminant(&one.samples) == std::mem::discriminant(&other.samples)
        && one.samples.len() == other.samples.len()
        && one.samples.iter().zip(other.samples.iter()).all(is_same)
}

/// All pieces in one.
fn gathered(mut pieces: Box<dyn Pieces>) -> Waveform {
    let outline = pieces.outline().clone();
    let mut samples: Vec<Samples> = outline.channels.iter().map(|series| series.kind.none()).collect();
    while let Some(piece) = pieces.next().expect("its rows were read before") {
        samples.iter_mut().zip(&piece).for_each(|(samples, more)| samples.append(more));
    }
    let channels = outline.channels.into_iter().zip(samples).map(|(series, samples)| Series {
        label: series.label,
        ..Series::new(series.channel, series.start_s, series.period_s, samples)
    });
    Waveform::new(outline.sample_rate_hz, channels.collect(), outline.details).expect("channels fit together")
}
