//! Captures that are read and written piece by piece, in memory that does not grow with them.
//!
//! What a file holds is known before its samples are: an [`Outline`]. The samples follow in [`Pieces`], those of all
//! channels up to about the same time in each. A [writer](super::PieceWriter) keeps of them what it has not written yet.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::ReadError;
use super::facts::Known;
use scopething_waveform::waveform::{Outline, SampleKind, Samples, SeriesOutline};

/// Samples of a channel that are handed over at once.
pub(crate) const PIECE_SAMPLES: usize = 1 << 16;

/// A capture that is read piece by piece.
pub trait Pieces: Send {
    /// What is known of it before its samples.
    fn outline(&self) -> &Outline;

    /// The samples of each channel of the outline that follow; `None` after the last ones.
    ///
    /// # Errors
    /// As [`TraceReader::read`](super::TraceReader::read).
    fn next(&mut self) -> Result<Option<Vec<Samples>>, ReadError>;

    /// As [`TraceReader::warnings`](super::TraceReader::warnings).
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// Pieces that lie ready while one is written.
const PIECES_AHEAD: usize = 2;

/// Pieces that are read by a thread of their own.
pub(crate) struct Fed {
    outline: Outline,
    warnings: Vec<String>,
    pieces: Receiver<Result<Vec<Samples>, ReadError>>,
}

impl Fed {
    /// Begins to read: `read` hands over pieces until that returns false, or there are no more.
    pub(crate) fn begin(
        outline: Outline,
        warnings: Vec<String>,
        read: impl FnOnce(&mut dyn FnMut(Vec<Samples>) -> bool) -> Result<(), ReadError> + Send + 'static,
    ) -> Self {
        let pieces = feed(move |sender: SyncSender<Result<_, _>>| {
            if let Err(error) = read(&mut |piece| sender.send(Ok(piece)).is_ok()) {
                // Nobody is interested in it if nobody takes it.
                let _ = sender.send(Err(error));
            }
        });
        Self { outline, warnings, pieces }
    }
}

/// What a thread hands over, which waits while enough lies ready, and ends when nobody takes it.
pub(crate) fn feed<T: Send + 'static>(read: impl FnOnce(SyncSender<T>) + Send + 'static) -> Receiver<T> {
    let (sender, receiver) = sync_channel(PIECES_AHEAD);
    thread::spawn(move || read(sender));
    receiver
}

impl Pieces for Fed {
    fn outline(&self) -> &Outline {
        &self.outline
    }

    fn next(&mut self) -> Result<Option<Vec<Samples>>, ReadError> {
        let Some(mut piece) = self.pieces.recv().ok().transpose()? else { return Ok(None) };
        for (samples, series) in piece.iter_mut().zip(&self.outline.channels) {
            if let (Samples::Volts(fractions), SampleKind::Fractions) = (&mut *samples, series.kind) {
                *samples = Samples::Fractions(std::mem::take(fractions));
            }
        }
        Ok(Some(piece))
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

/// When the samples of a capture are taken whose channels are all in step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InStep {
    pub(crate) start_s: f64,
    pub(crate) period_s: f64,
    /// Whether the file has them from the first on.
    pub(crate) from_first: bool,
}

/// The outline of channels that are in step, as far as they were by what is [known](Known) of them: `None`
/// otherwise. Those of a [`ReadOptions::rate_hz`](super::ReadOptions::rate_hz) other than the file's are not.
pub(crate) fn outline_in_step(
    mut channels: Vec<SeriesOutline>,
    times: InStep,
    rate_hz: f64,
    known: &Known,
) -> Option<Outline> {
    let InStep { start_s, period_s, from_first } = times;
    let longest = channels.iter().map(|series| series.count).max()? as f64;
    for series in &mut channels {
        (series.start_s, series.period_s) = (start_s, period_s);
        if let Some(fact) = known.channel(series.channel) {
            let first = (start_s - fact.start) / fact.period;
            let is_same = (first - first.round()).abs() < 1e-3
                && (fact.period - period_s).abs() * longest < 1e-3 * period_s
                && first.round() + series.count as f64 <= fact.samples as f64;
            if !is_same {
                return None;
            }
            series.period_s = fact.period;
            series.start_s = if from_first { fact.start } else { fact.start + first.round() * fact.period };
        }
        if known.is_raw && series.kind == SampleKind::Volts {
            series.kind = SampleKind::Fractions;
        }
    }
    channels.sort_by_key(|series| series.channel);
    let first = channels.first()?;
    let in_step = |series: &SeriesOutline| {
        (series.start_s, series.period_s) == (first.start_s, first.period_s) && series.count > 0
    };
    if !channels.iter().all(in_step) {
        return None;
    }
    let details = known.details.clone();
    Some(Outline { sample_rate_hz: known.sample_rate_hz.unwrap_or(rate_hz), channels, details })
}

/// Samples that came, and are still to be written.
#[derive(Debug)]
pub struct Held {
    channels: Vec<HeldChannel>,
}

#[derive(Debug)]
struct HeldChannel {
    /// Which sample of the channel the first of these is.
    first: usize,
    samples: Samples,
}

impl Held {
    /// Nothing yet of a capture.
    #[must_use]
    pub fn of(outline: &Outline) -> Self {
        let none = |kind: SampleKind| kind.none();
        let channels = outline.channels.iter();
        Self { channels: channels.map(|one| HeldChannel { first: 0, samples: none(one.kind) }).collect() }
    }

    /// Takes the samples of each channel that follow on those before.
    pub fn push(&mut self, piece: &[Samples]) {
        for (channel, more) in self.channels.iter_mut().zip(piece) {
            channel.samples.append(more);
        }
    }

    /// How many samples of a channel came, dropped ones too.
    pub(crate) fn came(&self, channel: usize) -> usize {
        self.channels.get(channel).map_or(0, |held| held.first + held.samples.len())
    }

    /// A sample, unless it was dropped or has not come.
    pub(crate) fn get(&self, channel: usize, index: usize) -> Option<f32> {
        let held = self.channels.get(channel)?;
        held.samples.get(index.checked_sub(held.first)?)
    }

    /// The samples of a channel that came and were not dropped.
    pub(crate) fn samples(&self, channel: usize) -> Option<&Samples> {
        Some(&self.channels.get(channel)?.samples)
    }

    /// Drops the samples of a channel before one.
    pub(crate) fn drop_before(&mut self, channel: usize, index: usize) {
        if let Some(held) = self.channels.get_mut(channel) {
            let count = index.saturating_sub(held.first).min(held.samples.len());
            held.samples.drop_first(count);
            held.first += count;
        }
    }

    /// Drops all samples.
    pub(crate) fn drop_all(&mut self) {
        for channel in 0..self.channels.len() {
            self.drop_before(channel, usize::MAX);
        }
    }
}
