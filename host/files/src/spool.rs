//! Samples that wait in a temporary file, of captures that are too long for memory.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::ReadError;
use super::pieces::Pieces;
use super::read::BUFFER_BYTES;
use scopething_core::analysis::Series;
use scopething_waveform::measure::{Census, LongSeries, for_each_value};
use scopething_waveform::waveform::{SampleKind, SeriesOutline};

/// Samples that are read from the file at once.
const BLOCK_SAMPLES: usize = 1 << 14;

/// Where large temporary files belong: the directory that `TMPDIR` names; otherwise not in `/tmp`, which may be memory.
pub(crate) fn directory() -> PathBuf {
    let on_disk = Path::new("/var/tmp");
    if std::env::var_os("TMPDIR").is_none() && on_disk.is_dir() {
        on_disk.to_owned()
    } else {
        std::env::temp_dir()
    }
}

/// The samples of one channel in a temporary file, which nobody else sees and which is gone with this.
#[derive(Debug)]
pub struct Spool {
    file: RefCell<File>,
    count: usize,
    sample_bytes: usize,
    /// Of the blocks with even and with odd numbers the one that was read last: who reads about the place where two
    /// meet does not read them again and again.
    blocks: [RefCell<Option<Block>>; 2],
    failure: RefCell<Option<io::Error>>,
}

/// Samples that follow each other, and which block they are.
#[derive(Clone, Debug)]
struct Block {
    number: usize,
    samples: Rc<[f32]>,
}

impl Spool {
    /// What kept samples from being read, which ends a pass over them early; it is given once.
    pub fn failure(&self) -> Option<io::Error> {
        self.failure.take()
    }

    fn block(&self, number: usize) -> Rc<[f32]> {
        let Some(slot) = self.blocks.get(number % self.blocks.len()) else { return Rc::new([]) };
        if let Some(block) = slot.borrow().as_ref().filter(|block| block.number == number) {
            return block.samples.clone();
        }
        match self.read(number) {
            Ok(samples) => {
                *slot.borrow_mut() = Some(Block { number, samples: samples.clone() });
                samples
            }
            Err(error) => {
                *self.failure.borrow_mut() = Some(error);
                Rc::new([])
            }
        }
    }

    fn read(&self, number: usize) -> io::Result<Rc<[f32]>> {
        let first = number * BLOCK_SAMPLES;
        let count = BLOCK_SAMPLES.min(self.count.saturating_sub(first));
        let mut bytes = vec![0; count * self.sample_bytes];
        let mut file = self.file.borrow_mut();
        file.seek(SeekFrom::Start(first as u64 * self.sample_bytes as u64))?;
        file.read_exact(&mut bytes)?;
        let (volts, _) = bytes.as_chunks::<4>();
        Ok(match self.sample_bytes {
            1 => bytes.iter().map(|&level| f32::from(level)).collect(),
            _ => volts.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect(),
        })
    }
}

impl Series for Spool {
    fn len(&self) -> usize {
        self.count
    }

    fn values(&self, range: Range<usize>) -> impl Iterator<Item = f32> + Clone + '_ {
        Values {
            spool: self,
            next: range.start,
            end: range.end.min(self.count),
            block: Rc::new([]),
            first: 0,
        }
    }
}

/// Samples of a spool, block by block.
#[derive(Clone)]
struct Values<'s> {
    spool: &'s Spool,
    next: usize,
    end: usize,
    block: Rc<[f32]>,
    /// Which sample the first of the block is.
    first: usize,
}

impl Iterator for Values<'_> {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        if self.next >= self.end {
            return None;
        }
        if self.next >= self.first + self.block.len() || self.block.is_empty() {
            let number = self.next / BLOCK_SAMPLES;
            (self.block, self.first) = (self.spool.block(number), number * BLOCK_SAMPLES);
        }
        let sample = self.block.get(self.next - self.first).copied()?;
        self.next += 1;
        Some(sample)
    }
}

/// A channel on its way into a spool.
struct Intake {
    outline: SeriesOutline,
    census: Census,
    file: BufWriter<File>,
    count: usize,
}

impl Intake {
    fn begin(outline: &SeriesOutline) -> io::Result<Self> {
        let file = BufWriter::with_capacity(BUFFER_BYTES, tempfile::tempfile_in(directory())?);
        Ok(Self { outline: outline.clone(), census: Census::default(), file, count: 0 })
    }

    fn take(&mut self, samples: &[f32]) -> io::Result<()> {
        let Self { outline, census, file, count } = self;
        census.take(samples, |sample| store(outline.kind, file, count, sample))
    }

    fn end(mut self) -> io::Result<LongSeries<Spool>> {
        let Self { outline, census, file, count } = &mut self;
        census.end(|sample| store(outline.kind, file, count, sample))?;
        let Self { outline, census, file, count } = self;
        let sample_bytes = if outline.kind == SampleKind::Levels { 1 } else { 4 };
        let samples = Spool {
            file: RefCell::new(file.into_inner().map_err(io::IntoInnerError::into_error)?),
            count,
            sample_bytes,
            blocks: Default::default(),
            failure: RefCell::new(None),
        };
        Ok(LongSeries { outline, samples, census })
    }
}

fn store(kind: SampleKind, file: &mut BufWriter<File>, count: &mut usize, sample: f32) -> io::Result<()> {
    *count += 1;
    match kind {
        SampleKind::Levels => file.write_all(&[u8::from(sample != 0.0)]),
        SampleKind::Volts | SampleKind::Fractions => file.write_all(&sample.to_le_bytes()),
    }
}

/// Reads a capture into temporary files, in which its samples can be gone through again and again.
///
/// They lie in the directory that `TMPDIR` names, otherwise in `/var/tmp`: four bytes a sample, of a logic line one.
///
/// # Errors
/// Those of reading, and if there is no room for them.
pub fn spooled(pieces: &mut dyn Pieces) -> Result<Vec<LongSeries<Spool>>, ReadError> {
    let intakes = pieces.outline().channels.iter().map(Intake::begin).collect::<Result<Vec<_>, _>>();
    let mut intakes = intakes.map_err(|error| not_stored(&error))?;
    while let Some(piece) = pieces.next()? {
        for (intake, samples) in intakes.iter_mut().zip(&piece) {
            for_each_value(samples, |values| intake.take(values)).map_err(|error| not_stored(&error))?;
        }
    }
    intakes.into_iter().map(Intake::end).collect::<Result<_, _>>().map_err(|error| not_stored(&error))
}

/// What keeps samples from lying in temporary files.
pub(crate) fn not_stored(error: &io::Error) -> ReadError {
    let text = format!(
        "its samples cannot be kept in {}: {error}; name another directory in TMPDIR",
        directory().display()
    );
    ReadError::Io(io::Error::new(error.kind(), text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::waveform::{Channel, Details, Outline, Samples};

    /// A capture that is made up as it is read.
    struct MadeUp {
        outline: Outline,
        pieces: std::vec::IntoIter<Vec<Samples>>,
    }

    impl Pieces for MadeUp {
        fn outline(&self) -> &Outline {
            &self.outline
        }

        fn next(&mut self) -> Result<Option<Vec<Samples>>, ReadError> {
            Ok(self.pieces.next())
        }
    }

    fn made_up(volts: &[f32], levels: &[u8], piece: usize) -> MadeUp {
        let series = |channel, kind| SeriesOutline {
            channel,
            label: None,
            start_s: 0.0,
            period_s: 1e-6,
            kind,
            count: volts.len(),
        };
        let channels = vec![series(Channel::A, SampleKind::Volts), series(Channel::L[0], SampleKind::Levels)];
        let outline = Outline { sample_rate_hz: 1e6, channels, details: Details::default() };
        let pieces = volts.chunks(piece).zip(levels.chunks(piece));
        let pieces = pieces
            .map(|(volts, levels)| vec![Samples::Volts(volts.to_vec()), Samples::Levels(levels.to_vec())]);
        MadeUp { outline, pieces: pieces.collect::<Vec<_>>().into_iter() }
    }

    #[test]
    fn samples_come_back_at_each_pass_from_any_place() {
        let count = 3 * BLOCK_SAMPLES + 17;
        let volts: Vec<f32> = (0..count).map(|index| index as f32 * 0.5).collect();
        let levels: Vec<u8> = (0..count).map(|index| u8::from(index % 7 < 3)).collect();
        let series = spooled(&mut made_up(&volts, &levels, 1000)).unwrap();
        let [a, l0] = &series[..] else { panic!("{}", series.len()) };
        for _ in 0..2 {
            assert!(a.samples.all().eq(volts.iter().copied()));
            assert!(l0.samples.all().eq(levels.iter().map(|&level| f32::from(level))));
        }
        for range in [0..1, BLOCK_SAMPLES - 3..BLOCK_SAMPLES + 3, count - 1..count + 5, count..count] {
            let end = range.end.min(count);
            let expected = volts.get(range.start..end).unwrap_or_default();
            let mut values = a.samples.values(range.clone());
            let mut twice = values.clone();
            assert!(expected.iter().all(|&sample| values.next() == Some(sample)), "{range:?}");
            assert_eq!(values.next(), None, "{range:?}");
            assert_eq!(twice.next(), expected.first().copied(), "{range:?}");
        }
        assert!(a.samples.failure().is_none());
    }

    #[test]
    fn what_is_no_number_lies_between_its_neighbours() {
        let volts = [f32::NAN, 1.0, f32::NAN, f32::INFINITY, 4.0, 4.0, f32::NAN];
        for piece in [1, 2, 7] {
            let series = spooled(&mut made_up(&volts, &[0; 7], piece)).unwrap();
            assert_eq!(
                series[0].samples.all().collect::<Vec<_>>(),
                [1.0, 1.0, 2.0, 3.0, 4.0, 4.0, 4.0],
                "{piece}"
            );
        }
        let none = spooled(&mut made_up(&[f32::NAN; 5], &[0; 5], 2)).unwrap();
        assert!(none[0].samples.all().all(f32::is_nan) && none[0].samples.len() == 5);
    }

    /// A file that is shorter than it was is a failure and no end.
    #[test]
    fn lost_samples_are_reported() {
        let series = spooled(&mut made_up(&[1.0; 100], &[0; 100], 10)).unwrap();
        series[0].samples.file.borrow_mut().set_len(40).unwrap();
        assert_eq!(series[0].samples.all().count(), 0);
        assert_eq!(series[0].samples.failure().unwrap().kind(), io::ErrorKind::UnexpectedEof);
    }
}
