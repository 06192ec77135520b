//! Traces as bytes for a page: all samples, or the lowest and highest of those that fall on one column of pixels.
//!
//! A frame is `STW1`, the length of a JSON object as 32 bits, the object, padded by spaces to a multiple of four
//! bytes, and the data that it describes. All numbers are little-endian. See `host/pages/web-interface.md`.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::acquire::{About, Acquired};
use crate::capture::{AnalogSamples, Capture};

/// The first bytes of a frame, with the version of its form.
const MAGIC: &[u8; 4] = b"STW1";
/// The most columns that a client may ask for: four times those of a screen of 4K.
const MAX_COLUMNS: u32 = 16_384;

/// Which part of a trace a client wants, and how finely.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct View {
    /// The columns of pixels that it has; none: every sample.
    pub columns: Option<u32>,
    /// Where the part begins, from 0 to 1.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
}

impl Default for View {
    fn default() -> Self {
        Self { columns: None, from: 0.0, to: 1.0 }
    }
}

impl View {
    /// The elements that stand for the part of `count` samples that is wanted.
    fn elements(&self, count: usize) -> Elements {
        let place = |part: f64| if part.is_finite() { part.clamp(0.0, 1.0) * count as f64 } else { 0.0 };
        let (from, to) = (place(self.from), place(self.to));
        // A sample more at either side, where the line goes on to.
        let first = (from.floor() as usize).saturating_sub(1);
        let last = (to.ceil() as usize + 1).min(count).max(first);
        let wanted = last - first;
        let columns = self.columns.map_or(usize::MAX, |columns| columns.clamp(1, MAX_COLUMNS) as usize);
        // Two numbers a column: where there are no more samples than that, they cost no more.
        if wanted <= columns.saturating_mul(2) {
            Elements::Samples(first..last)
        } else {
            Elements::Extremes { samples: first..last, columns }
        }
    }
}

enum Elements {
    Samples(Range<usize>),
    Extremes { samples: Range<usize>, columns: usize },
}

/// What the numbers of a channel are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// 16 bits an element.
    Volts,
    /// A byte an element, a bit a line.
    Logic,
}

/// How the numbers of a channel follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One for each sample.
    Samples,
    /// The lowest and the highest of each column; of logic, what is high all the time and what is high at any time.
    Extremes,
}

/// How the data of a channel is to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// `A`, `B`, or `L` for all lines.
    pub name: String,
    /// What its numbers are.
    pub kind: Kind,
    /// How they follow one another.
    pub layout: Layout,
    /// When sample 0 was taken, in seconds from the start of the trace.
    pub start: f64,
    /// The time from a sample to the next, in seconds.
    pub period: f64,
    /// How many samples the trace has.
    pub samples: usize,
    /// The sample that the first element stands for.
    pub first: usize,
    /// How many samples the next element is further on.
    pub stride: f64,
    /// Volts of 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottom: Option<f64>,
    /// Volts of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<f64>,
    /// The lines that were captured, a bit each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<u8>,
    /// Where the data is, in bytes from the end of this object.
    pub(super) offset: usize,
    pub(super) bytes: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    #[serde(flatten)]
    about: About,
    from: f64,
    to: f64,
    channels: Vec<Block>,
}

/// A channel of a frame that was received.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameChannel {
    /// What its numbers mean.
    pub block: Block,
    /// The lowest and the highest of each element; the same one twice where an element is a sample.
    pub extremes: Vec<(u16, u16)>,
}

impl FrameChannel {
    /// When each element begins, in seconds from the start of the trace.
    #[must_use]
    pub fn time_s(&self, element: usize) -> f64 {
        let Block { start, period, first, stride, .. } = self.block;
        start + (first as f64 + element as f64 * stride) * period
    }

    /// The lowest and the highest voltage of each element, in volts at the tip of the probe.
    pub fn volts(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let (bottom, step) = (self.block.bottom.unwrap_or(0.0), self.block.step.unwrap_or(1.0));
        let volts = move |number: u16| bottom + step * f64::from(number);
        self.extremes.iter().map(move |&(low, high)| (volts(low), volts(high)))
    }
}

/// A trace as a client gets it: what is known of it, and the part that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// What is known of it.
    pub about: About,
    /// Its channels.
    pub channels: Vec<FrameChannel>,
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what arrived is no trace that this version of the program can read")]
pub struct NotAFrame;

/// Reads a frame.
///
/// # Errors
/// [`NotAFrame`] where its bytes do not mean what they should.
pub fn decode(bytes: &[u8]) -> Result<Frame, NotAFrame> {
    let rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or(NotAFrame)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(NotAFrame)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| NotAFrame)?;
    let (json, data) = rest.split_at_checked(length).ok_or(NotAFrame)?;
    let Header { about, channels, .. } = serde_json::from_slice(json).map_err(|_| NotAFrame)?;
    let channels = channels.into_iter().map(|block| {
        let end = block.offset.checked_add(block.bytes).ok_or(NotAFrame)?;
        let bytes = data.get(block.offset..end).ok_or(NotAFrame)?;
        let numbers: Vec<u16> = match block.kind {
            Kind::Volts => bytes.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect(),
            Kind::Logic => bytes.iter().map(|byte| u16::from(*byte)).collect(),
        };
        let extremes = match block.layout {
            Layout::Samples => numbers.iter().map(|number| (*number, *number)).collect(),
            Layout::Extremes => numbers.as_chunks().0.iter().map(|[low, high]| (*low, *high)).collect(),
        };
        Ok(FrameChannel { block, extremes })
    });
    Ok(Frame { about, channels: channels.collect::<Result<_, _>>()? })
}

/// The frame of a trace.
#[must_use]
pub fn encode(acquired: &Acquired, view: &View) -> Vec<u8> {
    let capture = &acquired.capture;
    let mut data = Vec::new();
    let mut blocks = Vec::new();
    for (index, name) in ["A", "B"].iter().enumerate() {
        let Some(samples) = capture.analog.get(index).and_then(Option::as_ref) else { continue };
        let attenuation = acquired.attenuation.get(index).copied().unwrap_or(1.0);
        blocks.extend(analog(capture, name, index, samples, attenuation, view, &mut data));
    }
    blocks.extend(logic(capture, view, &mut data));
    let header = Header { about: acquired.about.clone(), from: view.from, to: view.to, channels: blocks };
    framed(*MAGIC, &header, &data)
}

/// A header, which has neither maps with other keys than texts nor anything else that JSON lacks, and its data.
pub(super) fn framed(magic: [u8; 4], header: &impl Serialize, data: &[u8]) -> Vec<u8> {
    let mut json = serde_json::to_vec(header).unwrap_or_default();
    json.resize(json.len().next_multiple_of(4), b' ');
    let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
    [magic.as_slice(), &length.to_le_bytes(), &json, data].concat()
}

fn analog(
    capture: &Capture,
    name: &str,
    index: usize,
    samples: &AnalogSamples,
    attenuation: f64,
    view: &View,
    data: &mut Vec<u8>,
) -> Option<Block> {
    let channel = if index == 0 {
        scopething_waveform::waveform::Channel::A
    } else {
        scopething_waveform::waveform::Channel::B
    };
    let series = capture.waveform.channel(channel)?;
    let steps: Vec<u16> = series
        .samples
        .iter()
        .map(|volts| {
            ((f64::from(volts) - samples.bottom_v) / samples.step_v).round().clamp(0.0, 65535.0) as u16
        })
        .collect();
    let offset = aligned(data);
    let elements = view.elements(steps.len());
    let (layout, first, stride) = match &elements {
        Elements::Samples(range) => {
            data.extend(steps.get(range.clone())?.iter().flat_map(|step| step.to_le_bytes()));
            (Layout::Samples, range.start, 1.0)
        }
        Elements::Extremes { samples, columns } => {
            let stride = samples.len() as f64 / *columns as f64;
            for column in columns_of(samples, *columns) {
                let column = steps.get(column)?;
                let (low, high) = (column.iter().min()?, column.iter().max()?);
                data.extend([low.to_le_bytes(), high.to_le_bytes()].concat());
            }
            (Layout::Extremes, samples.start, stride)
        }
    };
    Some(Block {
        name: name.to_owned(),
        kind: Kind::Volts,
        layout,
        start: series.start_s,
        period: series.period_s,
        samples: steps.len(),
        first,
        stride,
        bottom: Some(samples.bottom_v * attenuation),
        step: Some(samples.step_v * attenuation),
        lines: None,
        offset,
        bytes: data.len() - offset,
    })
}

fn logic(capture: &Capture, view: &View, data: &mut Vec<u8>) -> Option<Block> {
    let bytes = capture.logic.as_ref()?;
    let lines = capture.waveform.channels().iter().fold(0, |lines, series| match series.channel {
        scopething_waveform::waveform::Channel::Logic(line) => lines | line.bit(),
        scopething_waveform::waveform::Channel::Analog(_) => lines,
    });
    let offset = aligned(data);
    let (layout, first, stride) = match view.elements(bytes.len()) {
        Elements::Samples(range) => {
            data.extend(bytes.get(range.clone())?);
            (Layout::Samples, range.start, 1.0)
        }
        Elements::Extremes { samples, columns } => {
            for column in columns_of(&samples, columns) {
                let column = bytes.get(column)?;
                data.push(column.iter().fold(0xff, |all, byte| all & byte));
                data.push(column.iter().fold(0, |any, byte| any | byte));
            }
            (Layout::Extremes, samples.start, samples.len() as f64 / columns as f64)
        }
    };
    Some(Block {
        name: "L".to_owned(),
        kind: Kind::Logic,
        layout,
        start: 0.0,
        period: 1.0 / capture.rate_hz,
        samples: bytes.len(),
        first,
        stride,
        bottom: None,
        step: None,
        lines: Some(lines),
        offset,
        bytes: data.len() - offset,
    })
}

/// Makes the data a multiple of four bytes long; returns how long it is.
fn aligned(data: &mut Vec<u8>) -> usize {
    data.resize(data.len().next_multiple_of(4), 0);
    data.len()
}

/// The samples of each column: all, each in one, as evenly as they can be divided.
fn columns_of(samples: &Range<usize>, columns: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let (start, count) = (samples.start, samples.len());
    let place = move |column: usize| start + count * column / columns;
    (0..columns).map(move |column| place(column)..place(column + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::acquire::About;
    use proptest::prelude::*;
    use scopething_core::trace::EndReason;
    use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};
    use serde_json::Value;

    /// A: a ramp of steps of 10 mV from -1 V on; L0 toggles with every sample.
    fn acquired(count: usize) -> Acquired {
        let volts: Vec<f32> = (0..count).map(|index| -1.0 + 0.01 * (index % 500) as f32).collect();
        let levels: Vec<u8> = (0..count).map(|index| (index % 2) as u8).collect();
        let series = vec![
            Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(volts.clone())),
            Series::new(Channel::L[0], 0.0, 1e-6, Samples::Levels(levels.clone())),
        ];
        let waveform = Waveform::new(1e6, series, Details::default()).unwrap();
        let analog = AnalogSamples { volts, bottom_v: -1.0, step_v: 0.01 };
        let capture = Capture {
            rate_hz: 1e6,
            count,
            analog: [Some(analog), None],
            logic: Some(levels),
            trigger_s: 0.0,
            cause: EndReason::Trigger,
            waveform,
            settings: crate::settings::Settings::default(),
            changes: 0,
        };
        Acquired { about: About::for_tests(7), attenuation: [10.0, 1.0], capture: capture.into() }
    }

    fn decoded(frame: &[u8]) -> (Value, Vec<u8>) {
        assert_eq!(&frame[..4], b"STW1");
        let length = u32::from_le_bytes(frame[4..8].try_into().unwrap()) as usize;
        assert_eq!(length % 4, 0);
        (serde_json::from_slice(&frame[8..8 + length]).unwrap(), frame[8 + length..].to_vec())
    }

    fn u16s(bytes: &[u8]) -> Vec<u16> {
        bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn every_sample_is_there_for_who_wants_them() {
        let (header, data) = decoded(&encode(&acquired(400), &View::default()));
        assert_eq!(header["seq"], 7);
        let a = &header["channels"][0];
        assert_eq!(
            (&a["layout"], &a["bottom"], &a["step"]),
            (&"samples".into(), &(-10.0).into(), &0.1.into())
        );
        assert_eq!(u16s(&data[..800]), (0..400).collect::<Vec<u16>>());
        let logic = &header["channels"][1];
        assert_eq!((&logic["lines"], &logic["offset"]), (&1.into(), &800.into()));
        assert_eq!(data[800..804], [0, 1, 0, 1]);
    }

    #[test]
    fn columns_show_the_extremes() {
        let view = View { columns: Some(10), ..View::default() };
        let (header, data) = decoded(&encode(&acquired(400), &view));
        let a = &header["channels"][0];
        assert_eq!((&a["layout"], &a["stride"]), (&"extremes".into(), &40.0.into()));
        assert_eq!(u16s(&data[..8]), [0, 39, 40, 79]);
        // The line is neither high all the time nor never.
        let offset = header["channels"][1]["offset"].as_u64().unwrap() as usize;
        assert_eq!(data[offset..offset + 4], [0, 1, 0, 1]);
    }

    #[test]
    fn what_is_sent_is_what_is_received() {
        let sent = acquired(400);
        let whole = decode(&encode(&sent, &View::default())).unwrap();
        assert_eq!(whole.about, sent.about);
        let volts: Vec<(f64, f64)> = whole.channels[0].volts().collect();
        assert_eq!(volts.len(), 400);
        // A ramp of 0.1 V a sample at the tip of a probe of 10, from -10 V on.
        let close = |volts: f64, index: f64| (volts - (-10.0 + 0.1 * index)).abs() < 1e-9;
        assert!(
            (0..400).all(|index| close(volts[index].0, index as f64) && volts[index].0 == volts[index].1)
        );
        assert!((whole.channels[0].time_s(399) - 399e-6).abs() < 1e-12);
        let thin = decode(&encode(&sent, &View { columns: Some(10), ..View::default() })).unwrap();
        let volts: Vec<(f64, f64)> = thin.channels[0].volts().collect();
        assert!(close(volts[1].0, 40.0) && close(volts[1].1, 79.0), "{volts:?}");
        assert!((thin.channels[0].time_s(1) - 40e-6).abs() < 1e-12);
        assert_eq!(thin.channels[1].extremes, [(0, 1); 10]);
    }

    #[test]
    fn a_frame_that_was_cut_is_no_frame() {
        let frame = encode(&acquired(400), &View { columns: Some(10), ..View::default() });
        assert!(decode(&frame).is_ok());
        for length in 0..frame.len() {
            assert_eq!(decode(&frame[..length]), Err(NotAFrame), "{length}");
        }
    }

    proptest! {
        #![proptest_config(crate::fixed_seed::fixed_seed(128))]

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), length in 0..300_u32) {
            let _ = decode(&[MAGIC.as_slice(), &length.to_le_bytes(), &bytes].concat());
        }

        #[test]
        fn any_view_is_within_its_bounds(
            count in 1..3000_usize, columns in proptest::option::of(any::<u32>()),
            from in prop::num::f64::ANY, to in prop::num::f64::ANY,
        ) {
            let (header, data) = decoded(&encode(&acquired(count), &View { columns, from, to }));
            for block in header["channels"].as_array().unwrap() {
                let number = |key: &str| block[key].as_u64().unwrap() as usize;
                prop_assert!(number("offset") + number("bytes") <= data.len());
                let most = columns.map_or(count, |columns| (columns.clamp(1, MAX_COLUMNS) as usize * 2).min(count.max(2)));
                prop_assert!(number("bytes") <= 2 * 2 * most.max(2), "{} {}", number("bytes"), most);
            }
        }

        #[test]
        fn no_sample_is_lost_between_columns(count in 1..5000_usize, columns in 1..600_usize) {
            let all: Vec<usize> = columns_of(&(3..3 + count), columns).flatten().collect();
            prop_assert_eq!(all, (3..3 + count).collect::<Vec<_>>());
        }
    }
}
