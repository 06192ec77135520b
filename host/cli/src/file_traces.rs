//! The traces of a file, by their numbers.

use std::fmt;
use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::message::print_warning;
use super::results::Results;
use scopething_files::{self as files, Format, ReadError, ReadOptions, TraceReader};
use scopething_waveform::waveform::Waveform;

/// Reads a file trace by trace.
pub(super) struct FileTraces {
    path: PathBuf,
    format: Format,
    options: ReadOptions,
    reader: Box<dyn TraceReader>,
    /// How many traces were read or passed over.
    passed: u64,
}

/// A trace of a file.
pub(super) struct FileTrace {
    /// The number that a job gave it, otherwise its place in the file, from 1.
    pub(super) number: u64,
    pub(super) waveform: Waveform,
}

impl FileTraces {
    /// Opens a file of this format.
    pub(super) fn open(path: &Path, format: Format, options: ReadOptions) -> Result<Self, Failure> {
        let reader = files::open_with(path, format, &options).map_err(Failure::failed)?;
        Ok(Self { path: path.to_owned(), format, options, reader, passed: 0 })
    }

    /// The first trace.
    pub(super) fn first(&mut self) -> Result<FileTrace, Failure> {
        let first = self.next()?;
        first.ok_or_else(|| self.empty())
    }

    /// The next trace; none after the last.
    pub(super) fn next(&mut self) -> Result<Option<FileTrace>, Failure> {
        let read = self.reader.read();
        for warning in self.reader.warnings() {
            print_warning!("{}: {warning}", self.path.display());
        }
        let waveform = read.map_err(|error| self.unread(error))?;
        Ok(waveform.map(|waveform| {
            let stamp = waveform.details().stamp;
            FileTrace { number: self.count(stamp.map(|stamp| stamp.number)), waveform }
        }))
    }

    /// Hands every trace of the file to results that are made for several or one, and keeps what was taken before a fault.
    pub(super) fn take_all(
        mut self,
        results: impl FnOnce(bool) -> Result<Results, Failure>,
    ) -> Result<(), Failure> {
        let first = self.first()?;
        // What is wrong with the second is no reason not to take the first.
        let mut following = self.next();
        let mut results = results(!matches!(following, Ok(None)))?.of_a_file();
        let mut taken = results.take(first.waveform);
        while taken.is_ok() {
            taken = match following {
                Ok(Some(trace)) => results.take(trace.waveform),
                Ok(None) => break,
                Err(failure) => Err(failure),
            };
            following = if taken.is_ok() { self.next() } else { Ok(None) };
        }
        results.commit_after(taken)
    }

    /// Hands the trace of this number to results that are made for one, in a file of which nothing was read yet.
    pub(super) fn take_numbered(
        self,
        wanted: u64,
        results: impl FnOnce(bool) -> Result<Results, Failure>,
    ) -> Result<(), Failure> {
        let mut results = results(false)?.of_a_file();
        let taken = results.take(self.numbered(wanted)?.waveform);
        results.commit_after(taken)
    }

    /// The trace of this number, in a file of which nothing was read yet.
    pub(super) fn numbered(mut self, wanted: u64) -> Result<FileTrace, Failure> {
        let mut others = Numbers::default();
        while let Some(number) = self.skip()? {
            if number == wanted {
                // What was passed over is not read by this reader any more.
                let mut again = Self::open(&self.path, self.format, self.options.clone())?;
                while again.passed + 1 < self.passed {
                    again.skip()?;
                }
                return again.first();
            }
            others.push(number);
        }
        if others.count == 0 {
            return Err(self.empty());
        }
        let path = self.path.display();
        Err(Failure::Usage(anyhow::anyhow!("{path} has no trace {wanted}: give one that exists, {others}")))
    }

    /// Goes through the rest of the file: the numbers of the traces in it, and what keeps it from being read to its end.
    pub(super) fn rest(&mut self) -> (Numbers, Result<(), Failure>) {
        let mut numbers = Numbers::default();
        loop {
            match self.skip() {
                Ok(Some(number)) => numbers.push(number),
                Ok(None) => return (numbers, Ok(())),
                Err(failure) => return (numbers, Err(failure)),
            }
        }
    }

    /// The number of the next trace, which is passed over.
    fn skip(&mut self) -> Result<Option<u64>, Failure> {
        let skipped = self.reader.skip().map_err(|error| self.unread(error))?;
        Ok(skipped.map(|skipped| self.count(skipped.number)))
    }

    fn count(&mut self, number: Option<u64>) -> u64 {
        self.passed += 1;
        number.unwrap_or(self.passed)
    }

    fn empty(&self) -> Failure {
        self.failed(anyhow::anyhow!("it holds no trace: give a file with samples"))
    }

    fn unread(&self, error: ReadError) -> Failure {
        match error {
            // The file is as good as before: it was asked for what it does not have.
            ReadError::NoChannel { .. } | ReadError::TooManyChannels => Failure::Usage(
                anyhow::Error::from(error).context(format!("{} is not read", self.path.display())),
            ),
            error => self.failed(error.into()),
        }
    }

    fn failed(&self, error: anyhow::Error) -> Failure {
        Failure::Failed(error.context(format!("{} cannot be read", self.path.display())))
    }
}

/// Numbers of traces, as they stand in a file.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// First and last of each run without gaps.
    runs: Vec<(u64, u64)>,
    /// How many there are, including those beyond the runs that are listed.
    pub(super) count: u64,
}

/// Further runs are not listed.
const MAX_RUNS: usize = 8;

impl Numbers {
    fn push(&mut self, number: u64) {
        self.count += 1;
        // One more than is listed, to know whether there are more.
        let is_full = self.runs.len() > MAX_RUNS;
        match self.runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ if is_full => {}
            _ => self.runs.push((number, number)),
        }
    }
}

impl fmt::Display for Numbers {
    /// As in `1 to 4, 7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (first, last)) in self.runs.iter().take(MAX_RUNS).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first} to {last}")?,
            }
        }
        if self.runs.len() > MAX_RUNS { f.write_str(" and more") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_runs() {
        let reported = |numbers: &[u64]| {
            let mut all = Numbers::default();
            for &number in numbers {
                all.push(number);
            }
            (all.count, all.to_string())
        };
        assert_eq!(reported(&[]), (0, String::new()));
        assert_eq!(reported(&[7]), (1, "7".to_owned()));
        assert_eq!(reported(&[1, 2, 3, 7, 9, 10]), (6, "1 to 3, 7, 9 to 10".to_owned()));
        assert_eq!(reported(&[3, 3, u64::MAX, 0]).1, format!("3, 3, {}, 0", u64::MAX));
        let odd: Vec<u64> = (0..100).map(|index| 2 * index + 1).collect();
        assert_eq!(reported(&odd), (100, "1, 3, 5, 7, 9, 11, 13, 15 and more".to_owned()));
    }
}
