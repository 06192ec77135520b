//! The samples of a table that is gone through once: what they are of is known after the last row.
//!
//! Those that memory has no room for wait in a temporary file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, Write};

use crate::ReadError;
use crate::pieces::PIECE_SAMPLES;
use crate::read::BUFFER_BYTES;
use crate::spool;
use scopething_waveform::waveform::{SampleKind, Samples};

/// The most bytes of complete pieces that are kept in memory.
const MAX_BYTES: usize = 1 << 23;
/// The most cells of all columns that are handed on together: those of ten columns in a whole piece.
const PIECE_CELLS: usize = 10 * PIECE_SAMPLES;

/// The numbers that a level may be, each by its place. Of volts 0 has a sign.
const NUMBERS: [f64; 3] = [0.0, 1.0, -0.0];
/// The place of a high level.
const HIGH: u8 = 1;

/// The samples of all columns, row by row one more of each.
pub(super) struct Kept {
    /// What the numbers of each column are multiplied with.
    scales: Vec<f64>,
    /// Rows of a piece.
    piece_rows: usize,
    /// Those that follow each other in memory.
    pieces: Vec<Vec<Column>>,
    /// Bytes that those in memory may still have.
    room: usize,
    /// Those that follow on them.
    spilled: Option<Spilled>,
    /// The one that is being filled, and how many rows it has.
    piece: Vec<Column>,
    rows: usize,
    failure: Option<io::Error>,
}

/// Samples of one column that follow each other.
#[derive(Clone, Debug, PartialEq)]
enum Column {
    /// Which of [`NUMBERS`] each is, as long as each is one.
    Coded(Vec<u8>),
    Volts(Vec<f32>),
}

impl Kept {
    /// Nothing yet of columns whose numbers are multiplied with these.
    pub(super) fn of(scales: Vec<f64>) -> Self {
        let piece_rows = (PIECE_CELLS / scales.len().max(1)).clamp(1, PIECE_SAMPLES);
        Self {
            piece: vec![Column::Coded(Vec::new()); scales.len()],
            scales,
            piece_rows,
            pieces: Vec::new(),
            room: MAX_BYTES,
            spilled: None,
            rows: 0,
            failure: None,
        }
    }

    /// Takes rows, at most as many as a piece has: the numbers of each column.
    pub(super) fn push<'n>(&mut self, rows: usize, numbers: impl Iterator<Item = &'n [f64]>) {
        if self.rows + rows > self.piece_rows {
            self.close();
        }
        self.rows += rows;
        for ((column, numbers), scale) in self.piece.iter_mut().zip(numbers).zip(&self.scales) {
            column.push(numbers, *scale);
        }
    }

    /// Puts the piece that is being filled behind the others.
    fn close(&mut self) {
        let none = vec![Column::Coded(Vec::new()); self.scales.len()];
        let piece = std::mem::replace(&mut self.piece, none);
        let rows = std::mem::take(&mut self.rows);
        let bytes = piece.iter().map(Column::bytes).sum();
        if self.spilled.is_none()
            && let Some(room) = self.room.checked_sub(bytes)
        {
            self.room = room;
            self.pieces.push(piece);
        } else if self.failure.is_none() {
            self.failure = self.spill(&piece, rows).err();
        }
    }

    fn spill(&mut self, piece: &[Column], rows: usize) -> io::Result<()> {
        let spilled = match self.spilled.take() {
            Some(spilled) => spilled,
            None => Spilled::new()?,
        };
        self.spilled.insert(spilled).push(piece, rows)
    }

    /// Hands over the samples of the columns in these places, which turned out to be of these kinds, until `send`
    /// returns false.
    pub(super) fn send(
        mut self,
        places: &[(usize, SampleKind)],
        send: &mut dyn FnMut(Vec<Samples>) -> bool,
    ) -> Result<(), ReadError> {
        let scales = self.scales;
        let mut send = |mut piece: Vec<Column>| {
            let samples = places.iter().map(|&(place, kind)| {
                let column = piece.get_mut(place).map(Column::take);
                let scale = scales.get(place).copied().unwrap_or(1.0);
                column.map_or_else(|| kind.none(), |column| column.samples(kind, scale))
            });
            send(samples.collect())
        };
        for piece in self.pieces {
            if !send(piece) {
                return Ok(());
            }
        }
        if let Some(failure) = self.failure {
            return Err(spool::not_stored(&failure));
        }
        if let Some(spilled) = self.spilled.take() {
            let is_sent = |place| places.iter().any(|(sent, _)| *sent == place);
            if !spilled.send(self.piece.len(), is_sent, &mut send)? {
                return Ok(());
            }
        }
        if self.rows > 0 {
            send(self.piece);
        }
        Ok(())
    }
}

impl Column {
    fn push(&mut self, numbers: &[f64], scale: f64) {
        if let Self::Coded(codes) = self {
            if numbers.iter().fold(true, |all, number| all & code(*number).is_some()) {
                codes.extend(numbers.iter().map(|number| code(*number).unwrap_or_default()));
                return;
            }
            *self = Self::Volts(self.take().volts(scale));
        }
        if let Self::Volts(samples) = self {
            samples.extend(numbers.iter().map(|number| volts(*number, scale)));
        }
    }

    fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Coded(Vec::new()))
    }

    /// The memory that it takes.
    fn bytes(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Coded(codes) => codes.capacity(),
                Self::Volts(samples) => samples.capacity() * size_of::<f32>(),
            }
    }

    fn volts(self, scale: f64) -> Vec<f32> {
        match self {
            Self::Coded(codes) => {
                let volts = NUMBERS.map(|number| volts(number, scale));
                codes.iter().filter_map(|code| volts.get(usize::from(*code)).copied()).collect()
            }
            Self::Volts(samples) => samples,
        }
    }

    fn samples(self, kind: SampleKind, scale: f64) -> Samples {
        match (kind, self) {
            (SampleKind::Levels, Self::Coded(mut codes)) => {
                for code in &mut codes {
                    *code = u8::from(*code == HIGH);
                }
                Samples::Levels(codes)
            }
            (_, column) => Samples::Volts(column.volts(scale)),
        }
    }
}

fn code(number: f64) -> Option<u8> {
    let is = |code: usize| NUMBERS.get(code).is_some_and(|one| one.to_bits() == number.to_bits());
    (0..NUMBERS.len()).find(|code| is(*code)).map(|code| code as u8)
}

/// The volts of a number in a column.
fn volts(number: f64, scale: f64) -> f32 {
    if number.is_finite() { (number * scale) as f32 } else { f32::NAN }
}

/// Pieces in a temporary file. Each begins with its count of rows; each of its columns begins with the bytes that a sample has.
struct Spilled {
    file: File,
    pieces: u64,
    bytes: Vec<u8>,
}

impl Spilled {
    fn new() -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(spool::directory())?, pieces: 0, bytes: Vec::new() })
    }

    fn push(&mut self, piece: &[Column], rows: usize) -> io::Result<()> {
        self.bytes.clear();
        self.bytes.extend((rows as u64).to_le_bytes());
        for column in piece {
            match column {
                Column::Coded(codes) => {
                    self.bytes.push(size_of::<u8>() as u8);
                    self.bytes.extend(codes);
                }
                Column::Volts(samples) => {
                    self.bytes.push(size_of::<f32>() as u8);
                    let begin = self.bytes.len();
                    self.bytes.resize(begin + samples.len() * size_of::<f32>(), 0);
                    let (bytes, _) = self.bytes.get_mut(begin..).unwrap_or_default().as_chunks_mut();
                    bytes.iter_mut().zip(samples).for_each(|(bytes, sample)| *bytes = sample.to_le_bytes());
                }
            }
        }
        self.pieces += 1;
        self.file.write_all(&self.bytes)
    }

    /// Hands over all pieces until `send` returns false, without the samples of columns that are not sent. Returns what that
    /// returned.
    fn send(
        mut self,
        columns: usize,
        is_sent: impl Fn(usize) -> bool,
        send: &mut dyn FnMut(Vec<Column>) -> bool,
    ) -> io::Result<bool> {
        self.file.rewind()?;
        let mut file = BufReader::with_capacity(BUFFER_BYTES, self.file);
        for _ in 0..self.pieces {
            let mut rows = [0; 8];
            file.read_exact(&mut rows)?;
            let rows = u64::from_le_bytes(rows) as usize;
            let read = |place| read_column(&mut file, rows, is_sent(place), &mut self.bytes);
            if !send((0..columns).map(read).collect::<io::Result<_>>()?) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn read_column(
    file: &mut BufReader<File>,
    rows: usize,
    is_sent: bool,
    bytes: &mut Vec<u8>,
) -> io::Result<Column> {
    let mut sample_bytes = [0];
    file.read_exact(&mut sample_bytes)?;
    let length = rows * usize::from(sample_bytes[0]);
    if !is_sent {
        file.seek_relative(i64::try_from(length).map_err(io::Error::other)?)?;
        return Ok(Column::Coded(Vec::new()));
    }
    bytes.resize(length, 0);
    file.read_exact(bytes)?;
    Ok(if sample_bytes == [1] {
        Column::Coded(bytes.clone())
    } else {
        let (samples, _) = bytes.as_chunks();
        Column::Volts(samples.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is sent of these columns, in one.
    fn sent(kept: Kept, places: &[(usize, SampleKind)]) -> Result<Vec<Samples>, ReadError> {
        let mut all: Vec<Samples> = places.iter().map(|(_, kind)| kind.none()).collect();
        kept.send(places, &mut |piece| {
            assert!(piece.iter().all(|samples| samples.len() <= PIECE_SAMPLES), "a piece is small");
            all.iter_mut().zip(&piece).for_each(|(all, more)| all.append(more));
            true
        })?;
        Ok(all)
    }

    #[test]
    fn samples_come_back_from_memory_and_from_the_file() {
        const ROWS: usize = 100;
        let volts: Vec<f64> = (0..ROWS).map(|row| row as f64 * 0.25 - 3.0).collect();
        let levels: Vec<f64> = (0..ROWS).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
        // A column may hold levels for a while, and a number that is none is found later.
        let late: Vec<f64> =
            levels.iter().enumerate().map(|(row, level)| if row == 90 { 7.0 } else { *level }).collect();
        let columns = [&volts, &levels, &late, &levels];
        for (room, piece_rows) in [(usize::MAX, 7), (300, 7), (0, 7), (0, 1), (0, ROWS)] {
            let mut kept = Kept { piece_rows, room, ..Kept::of(vec![2.0, 1.0, -0.5, -0.5]) };
            for begin in (0..ROWS).step_by(5) {
                for row in begin..begin + 5 {
                    kept.push(1, columns.iter().map(|column| &column[row..=row]));
                }
            }
            assert_eq!(
                kept.spilled.is_some(),
                room < usize::MAX && piece_rows < ROWS,
                "{room}, {piece_rows}"
            );
            let places = [
                (3, SampleKind::Volts),
                (0, SampleKind::Volts),
                (1, SampleKind::Levels),
                (2, SampleKind::Volts),
            ];
            let sent = sent(kept, &places).unwrap();
            let scaled = |column: &[f64], scale: f64| -> Samples {
                Samples::Volts(column.iter().map(|number| (number * scale) as f32).collect())
            };
            let levels_sent = Samples::Levels(levels.iter().map(|level| *level as u8).collect());
            assert_eq!(
                sent,
                [scaled(&levels, -0.5), scaled(&volts, 2.0), levels_sent, scaled(&late, -0.5)],
                "{room}, {piece_rows}"
            );
        }
    }

    /// As other programs print a sample that was rounded to nothing.
    #[test]
    fn zero_below_zero_is_a_low_level_and_keeps_its_sign_as_volts() {
        let push = || {
            let mut kept = Kept::of(vec![1.0]);
            kept.push(3, [[0.0, -0.0, 1.0].as_slice()].into_iter());
            kept
        };
        assert_eq!(sent(push(), &[(0, SampleKind::Levels)]).unwrap(), [Samples::Levels(vec![0, 0, 1])]);
        let volts = sent(push(), &[(0, SampleKind::Volts)]).unwrap();
        let signs: Vec<bool> = volts[0].iter().map(f32::is_sign_negative).collect();
        assert_eq!(signs, [false, true, false]);
    }

    #[test]
    fn what_cannot_be_kept_is_reported_and_a_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("full");
        std::fs::write(&path, "").unwrap();
        // Opened to read only, it takes as much as a disk that is full.
        let file = File::open(&path).unwrap();
        let spilled = Spilled { file, pieces: 0, bytes: Vec::new() };
        let mut kept = Kept { piece_rows: 1, room: 0, spilled: Some(spilled), ..Kept::of(vec![1.0]) };
        for _ in 0..5 {
            kept.push(1, [[1.5].as_slice()].into_iter());
        }
        let error = sent(kept, &[(0, SampleKind::Volts)]).unwrap_err().to_string();
        assert!(error.contains("TMPDIR"), "{error}");
    }

    #[test]
    fn wide_table_takes_no_more_memory_than_another() {
        const COLUMNS: usize = 20_000;
        let mut wide = Kept::of(vec![1.0; COLUMNS]);
        for row in 0..2000 {
            let number = [f64::from(row)];
            wide.push(1, std::iter::repeat_n(number.as_slice(), COLUMNS));
        }
        let taken = |pieces: &[Vec<Column>]| pieces.iter().flatten().map(Column::bytes).sum::<usize>();
        let bytes = taken(&wide.pieces);
        assert!(wide.spilled.is_some() && (MAX_BYTES / 2..=MAX_BYTES).contains(&bytes), "{bytes}");
        let filled = taken(std::slice::from_ref(&wide.piece));
        assert!(filled <= 2 * PIECE_CELLS * size_of::<f32>(), "{filled}");
    }
}
