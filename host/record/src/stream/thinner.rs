//! Thinning: one row of a fixed number of frames.

use scopething_core::plan::{AnalogChannel, Channel, LogicLine, StreamPlan};
use scopething_core::scope::{StreamChunk, StreamFrame};
use scopething_core::trace::StepScale;

use scopething_files::stream::{Column, MAX_COLUMNS, Part, Row};

/// How the frames of a row are reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinning {
    /// Their mean; of a logic line the level that it had most of the time, high where it had both as long.
    Mean,
    /// The minimum and maximum of them.
    Envelope,
}

/// The columns of the rows of a stream.
pub(super) fn columns(plan: &StreamPlan, thinning: Thinning) -> Vec<Column> {
    let parts: &[Part] = match thinning {
        Thinning::Mean => &[Part::Sample],
        Thinning::Envelope => &[Part::Least, Part::Greatest],
    };
    let channels = plan.channels.iter();
    channels.flat_map(|channel| parts.iter().map(move |&part| Column { channel, part })).collect()
}

/// Makes rows of frames.
///
/// Frame numbers determine which row a frame belongs to: rows lie on the same grid whatever is missing. A row some of whose frames
/// are missing is made of the others, one all of whose frames are missing is left out.
///
/// ```
/// use scopething_record::stream::{Thinner, Thinning};
/// use scopething_core::device::BS05;
/// use scopething_core::plan::{BusyOutputs, StreamRequest, plan_stream};
/// use scopething_core::scope::{StreamChunk, StreamFrame};
///
/// let request = StreamRequest { low: Some(0.0), high: Some(2.56), ..StreamRequest::new("A".parse()?, 1e3) };
/// let plan = plan_stream(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING)?;
/// assert_eq!(plan.thinning, 4);
/// let frames = [10, 20, 30, 40, 50].map(|a| StreamFrame { samples: [a, 0, 0] });
/// let mut rows = Vec::new();
/// let chunk = StreamChunk { gap: None, first: 0, frames: &frames };
/// Thinner::new(&plan, Thinning::Mean).push(&chunk, |row| rows.push((row.index, row.values[0])));
/// assert_eq!(rows, [(0, 0.25)]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Thinner {
    factor: u64,
    thinning: Thinning,
    analog: Vec<Analog>,
    logic: Logic,
    /// The row that frames are collected for.
    index: u64,
    frames: u32,
    lost: Option<u64>,
}

#[derive(Debug, Clone)]
struct Analog {
    place: usize,
    scale: StepScale,
    sum: u64,
    least: u8,
    greatest: u8,
}

#[derive(Debug, Clone)]
struct Logic {
    place: usize,
    lines: Vec<HighCount>,
}

/// In how many frames of a row a line was high.
#[derive(Debug, Clone)]
struct HighCount {
    line: LogicLine,
    high: u32,
}

impl Thinner {
    /// For a stream at its beginning.
    #[must_use]
    pub fn new(plan: &StreamPlan, thinning: Thinning) -> Self {
        let analog = AnalogChannel::ALL.into_iter().filter_map(|channel| {
            let place = plan.place(channel.into())?;
            Some(Analog { place, scale: plan.scale(channel), sum: 0, least: u8::MAX, greatest: 0 })
        });
        let lines = LogicLine::all().filter(|&line| plan.channels.contains(line.into()));
        let lines: Vec<HighCount> = lines.map(|line| HighCount { line, high: 0 }).collect();
        let place = lines.first().and_then(|line| plan.place(Channel::Logic(line.line)));
        Self {
            factor: u64::from(plan.thinning.max(1)),
            thinning,
            analog: analog.collect(),
            logic: Logic { place: place.unwrap_or_default(), lines },
            index: 0,
            frames: 0,
            lost: Some(0),
        }
    }

    /// Takes frames, and returns the rows that are complete. The frames of a row that is not are kept for the next call.
    pub fn push(&mut self, chunk: &StreamChunk<'_>, mut take: impl FnMut(&Row)) {
        if let Some(gap) = chunk.gap {
            if chunk.first / self.factor != self.index {
                self.end_row(&mut take);
            }
            self.lost = self.lost.zip(gap.lost).map(|(lost, more)| lost + more);
        }
        for (number, frame) in (chunk.first..).zip(chunk.frames) {
            let index = number / self.factor;
            if index != self.index {
                self.end_row(&mut take);
                self.index = index;
            }
            self.add(*frame);
            if number % self.factor == self.factor - 1 {
                self.end_row(&mut take);
            }
        }
    }

    fn add(&mut self, frame: StreamFrame) {
        self.frames += 1;
        let sample = |place: usize| frame.samples.get(place).copied().unwrap_or_default();
        for analog in &mut self.analog {
            let steps = sample(analog.place);
            analog.sum += u64::from(steps);
            analog.least = analog.least.min(steps);
            analog.greatest = analog.greatest.max(steps);
        }
        let levels = sample(self.logic.place);
        for line in &mut self.logic.lines {
            line.high += u32::from(levels & line.line.bit() != 0);
        }
    }

    /// Returns the row that frames are collected for, if there are any.
    fn end_row(&mut self, take: &mut impl FnMut(&Row)) {
        if self.frames == 0 {
            return;
        }
        let mut row = Row { index: self.index, lost: self.lost, values: [0.0; MAX_COLUMNS] };
        let mut places = row.values.iter_mut();
        let mut put = |value| places.next().into_iter().for_each(|place| *place = value);
        for analog in &mut self.analog {
            match self.thinning {
                Thinning::Mean => put(analog.scale.value(analog.sum as f64 / f64::from(self.frames))),
                Thinning::Envelope => {
                    put(analog.scale.value(analog.least.into()));
                    put(analog.scale.value(analog.greatest.into()));
                }
            }
            (analog.sum, analog.least, analog.greatest) = (0, u8::MAX, 0);
        }
        let level = |high: bool| f32::from(u8::from(high));
        for line in &mut self.logic.lines {
            let high = std::mem::take(&mut line.high);
            match self.thinning {
                Thinning::Mean => put(level(high >= self.frames - high)),
                Thinning::Envelope => {
                    put(level(high == self.frames));
                    put(level(high > 0));
                }
            }
        }
        self.frames = 0;
        self.lost = Some(0);
        take(&row);
    }
}

#[cfg(test)]
mod tests {
    use scopething_core::device::BS05;
    use scopething_core::plan::{BusyOutputs, StreamRequest, plan_stream};
    use scopething_core::scope::StreamGap;

    use super::*;

    fn plan(channels: &str, rate_hz: f64) -> StreamPlan {
        let request = StreamRequest {
            low: Some(0.0),
            high: Some(2.56),
            ..StreamRequest::new(channels.parse().unwrap(), rate_hz)
        };
        plan_stream(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap()
    }

    fn frames(count: u64) -> Vec<StreamFrame> {
        let frame =
            |number: u64| StreamFrame { samples: [number as u8, (3 * number) as u8, (number / 2) as u8] };
        (0..count).map(frame).collect()
    }

    /// The rows of frames some of which are missing, given in pieces of `cut`.
    fn rows(plan: &StreamPlan, thinning: Thinning, missing: &[std::ops::Range<u64>], cut: usize) -> Vec<Row> {
        let frames = frames(40);
        let mut thinner = Thinner::new(plan, thinning);
        let mut rows = Vec::new();
        let mut first = 0;
        let end = std::iter::once(&(40..40));
        let mut gap = None;
        for missing in missing.iter().chain(end) {
            let whole = &frames[first as usize..missing.start as usize];
            for frames in whole.chunks(cut) {
                let chunk = StreamChunk { gap: gap.take(), first, frames };
                thinner.push(&chunk, |row| rows.push(*row));
                first += frames.len() as u64;
            }
            first = missing.end;
            gap = Some(StreamGap {
                position: missing.start,
                lost: Some(missing.end - missing.start),
                skipped_bytes: 0,
            });
        }
        rows
    }

    #[test]
    fn row_means_do_not_depend_on_chunks() {
        let plan = plan("A,B,L0,L1", 1e3);
        for cut in [1, 3, 4, 40] {
            let rows = rows(&plan, Thinning::Mean, &[], cut);
            assert_eq!(rows.len(), 10);
            for (index, row) in (0_u64..).zip(&rows) {
                let first = (4 * index) as f32;
                assert_eq!((row.index, row.lost), (index, Some(0)));
                assert!((row.values[0] - (first + 1.5) * 0.01).abs() < 1e-6, "{row:?}");
                assert!((row.values[1] - (3.0 * first + 4.5) * 0.01).abs() < 1e-6, "{row:?}");
                // Half of them 2n, half of them 2n + 1: L0 is high half the time, and L1 as n has it.
                assert_eq!(row.values[2..4], [1.0, f32::from((index % 2) as u8)]);
            }
        }
    }

    #[test]
    fn envelope_has_two_columns_a_channel() {
        let plan = plan("A,L0", 1e3);
        let names: Vec<String> = columns(&plan, Thinning::Envelope).iter().map(Column::name).collect();
        assert_eq!(names, ["A_min", "A_max", "L0_min", "L0_max"]);
        // The second sample of a frame is the logic byte here: 0, 3, 6, 9.
        let first = rows(&plan, Thinning::Envelope, &[], 7)[0];
        assert_eq!(first.values[..4], [0.0, 0.03, 0.0, 1.0]);
    }

    #[test]
    fn rows_keep_times_over_gaps() {
        let plan = plan("A", 1e3);
        // Within a row, at the end of one and the beginning of the next, and over whole rows.
        let missing = [1..3, 7..9, 18..30];
        for cut in [1, 5, 40] {
            let rows = rows(&plan, Thinning::Mean, &missing, cut);
            let reported: Vec<(u64, Option<u64>)> = rows.iter().map(|row| (row.index, row.lost)).collect();
            let expected = [(0, 2), (1, 0), (2, 2), (3, 0), (4, 0), (7, 12), (8, 0), (9, 0)];
            assert_eq!(reported, expected.map(|(index, lost)| (index, Some(lost))));
            // Of frames 0 and 3, 4 to 6, 9 to 11, and 30 and 31.
            let means = [(0, 1.5), (1, 5.0), (2, 10.0), (5, 30.5)];
            for (row, mean) in means {
                assert!((rows[row].values[0] - mean * 0.01).abs() < 1e-6, "{row}");
            }
        }
    }
}
