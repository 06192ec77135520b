//! Finds the frames of a stream in its bytes, and what is missing between them ([section 8 of the reference](crate::vm#8-streaming)).
//!
//! A frame is the ident, a sequence number that counts up by one (modulo 256), and the frame's samples. The ident is no
//! escape: samples may have its value. So the parser believes a frame only once the frame behind it begins where it
//! should: bytes that were lost on the way then cost the frames that they belong to, and do not turn into samples. What
//! no parser can see, since frames have no check sum: samples that were changed on the way, and a run of bytes lost
//! from the middle of a frame that is exactly as long as some frames, which leaves one frame put together from two.

/// What stands at the beginning of each frame: the value that register `StreamIdent` is given. The vendor's software
/// uses the same.
pub const STREAM_IDENT: u8 = 0xa5;

/// The most samples in a frame: A, B and the logic byte.
pub const MAX_FRAME_SAMPLES: usize = 3;
/// Ident and sequence number.
const HEADER_BYTES: usize = 2;
const MAX_FRAME_BYTES: usize = HEADER_BYTES + MAX_FRAME_SAMPLES;
/// Two frames and the beginning of a third: what the parser looks at.
const HELD_BYTES: usize = 2 * MAX_FRAME_BYTES + HEADER_BYTES;

/// What [`FrameParser`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrameEvent {
    /// A frame. Of its samples as many count as a frame has, the rest are 0.
    Frame([u8; MAX_FRAME_SAMPLES]),
    /// Frames are missing before the next one.
    Gap {
        /// How many, modulo 256: the sequence number shows no more.
        lost: u8,
        /// Bytes dropped because they were no frames.
        skipped: u32,
    },
}

/// Takes a stream apart, however it was cut on the way.
///
/// Of a frame whose sequence number does not follow on, those before and behind it decide: where the one behind counts
/// on from the one before, it is this frame that was damaged, and it alone is missing. Where a frame does not begin
/// with its ident, one is looked for that two more follow at their distance, with other sequence numbers.
///
/// ```
/// use scopething_core::vm::{FrameEvent, FrameParser};
///
/// let mut parser = FrameParser::new(2);
/// let mut bytes: &[u8] = b"\xa5\x07\x10\0\xa5\x08\x11\0\xa5\x0a\x13\0\xa5\x0b\x14\0\xa5\x0c";
/// assert_eq!(parser.next(&mut bytes), Some(FrameEvent::Frame([0x10, 0, 0])));
/// assert_eq!(parser.next(&mut bytes), Some(FrameEvent::Frame([0x11, 0, 0])));
/// assert_eq!(parser.next(&mut bytes), Some(FrameEvent::Gap { lost: 1, skipped: 0 }));
/// assert_eq!(parser.next(&mut bytes), Some(FrameEvent::Frame([0x13, 0, 0])));
/// assert_eq!(parser.next(&mut bytes), Some(FrameEvent::Frame([0x14, 0, 0])));
/// assert_eq!(parser.next(&mut bytes), None);
/// ```
#[derive(Debug, Clone)]
pub struct FrameParser {
    held: [u8; HELD_BYTES],
    filled: usize,
    samples: usize,
    /// Whether `held` begins where a frame does.
    aligned: bool,
    /// The sequence number of the next frame, once there was one.
    due: Option<u8>,
    skipped: u32,
}

/// What the parser makes of the bytes it holds.
enum Sight {
    /// More of them are needed.
    TooShort,
    /// A frame begins the bytes, whose sequence number is this; the one behind it has the other.
    Frame(u8, u8),
    /// No frame begins them.
    Nothing,
}

impl FrameParser {
    /// A parser at the beginning of a stream, of frames with so many samples (1 to [`MAX_FRAME_SAMPLES`]).
    #[must_use]
    pub fn new(samples: usize) -> Self {
        Self {
            held: [0; HELD_BYTES],
            filled: 0,
            samples: samples.clamp(1, MAX_FRAME_SAMPLES),
            aligned: false,
            due: None,
            skipped: 0,
        }
    }

    /// How many bytes were dropped since the last frame, in search of the next.
    #[must_use]
    pub fn skipped(&self) -> u32 {
        self.skipped
    }

    /// Takes bytes off the front of `bytes` up to the next frame or gap. None when all are taken.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<FrameEvent> {
        loop {
            match self.sight() {
                Sight::TooShort => {
                    let (&byte, rest) = bytes.split_first()?;
                    *bytes = rest;
                    self.hold(byte);
                }
                Sight::Nothing => {
                    self.aligned = false;
                    self.skipped = self.skipped.saturating_add(1);
                    self.drop_bytes(1);
                }
                Sight::Frame(sequence, following) => return Some(self.take(sequence, following)),
            }
        }
    }

    fn frame_bytes(&self) -> usize {
        HEADER_BYTES + self.samples
    }

    fn hold(&mut self, byte: u8) {
        if let Some(place) = self.held.get_mut(self.filled) {
            *place = byte;
            self.filled += 1;
        }
    }

    fn drop_bytes(&mut self, count: usize) {
        let count = count.min(self.filled);
        self.held.copy_within(count..self.filled, 0);
        self.filled -= count;
    }

    /// A byte of those held; none if it has not come.
    fn byte(&self, at: usize) -> Option<u8> {
        self.held.get(..self.filled)?.get(at).copied()
    }

    /// The sequence number of the frame that begins there: none if none does, or its bytes have not come.
    fn sequence(&self, at: usize) -> Result<u8, Sight> {
        match self.byte(at) {
            None => Err(Sight::TooShort),
            Some(STREAM_IDENT) => self.byte(at + 1).ok_or(Sight::TooShort),
            Some(_) => Err(Sight::Nothing),
        }
    }

    fn sight(&self) -> Sight {
        self.look().unwrap_or_else(|sight| sight)
    }

    fn look(&self) -> Result<Sight, Sight> {
        let length = self.frame_bytes();
        let first = self.sequence(0)?;
        let second = self.sequence(length)?;
        let follows = second == first.wrapping_add(1);
        if self.aligned && follows {
            return Ok(Sight::Frame(first, second));
        }
        let third = self.sequence(2 * length)?;
        // Samples that stay at the ident's value look like frames whose number stays the same.
        if !self.aligned && (second == first || third == second) {
            return Err(Sight::Nothing);
        }
        Ok(Sight::Frame(first, second))
    }

    /// Takes the frame at the beginning, or reports what is missing before it.
    fn take(&mut self, sequence: u8, following: u8) -> FrameEvent {
        self.aligned = true;
        let skipped = core::mem::take(&mut self.skipped);
        match self.due {
            Some(due) if due != sequence || skipped > 0 => {
                if following == due.wrapping_add(1) && due != sequence {
                    self.drop_bytes(self.frame_bytes());
                    self.due = Some(following);
                    return FrameEvent::Gap { lost: 1, skipped };
                }
                self.due = Some(sequence);
                FrameEvent::Gap { lost: sequence.wrapping_sub(due), skipped }
            }
            _ => {
                let mut samples = [0; MAX_FRAME_SAMPLES];
                let held = self.held.get(HEADER_BYTES..self.frame_bytes()).unwrap_or_default();
                for (sample, &byte) in samples.iter_mut().zip(held) {
                    *sample = byte;
                }
                self.due = Some(sequence.wrapping_add(1));
                self.drop_bytes(self.frame_bytes());
                FrameEvent::Frame(samples)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn frames(samples: usize, numbers: impl IntoIterator<Item = u32>) -> Vec<Vec<u8>> {
        let frame = |number: u32| {
            let values = [number.wrapping_mul(0x9e37_79b9) >> 24, number >> 3, 0xff & !number];
            let values = values.into_iter().take(samples).map(|value| value as u8);
            [STREAM_IDENT, number as u8].into_iter().chain(values).collect()
        };
        numbers.into_iter().map(frame).collect()
    }

    fn parsed(samples: usize, bytes: &[u8], cut: usize) -> Vec<FrameEvent> {
        let mut parser = FrameParser::new(samples);
        let mut events = Vec::new();
        for mut piece in bytes.chunks(cut.max(1)) {
            while let Some(event) = parser.next(&mut piece) {
                events.push(event);
            }
        }
        events
    }

    fn payload(frame: &[u8]) -> FrameEvent {
        let mut samples = [0; MAX_FRAME_SAMPLES];
        samples[..frame.len() - 2].copy_from_slice(&frame[2..]);
        FrameEvent::Frame(samples)
    }

    /// Which of the frames sent came out, by going through both in order, and the sum of the gaps reported.
    fn matched(sent: &[Vec<u8>], events: &[FrameEvent]) -> Option<(usize, u32)> {
        let mut rest = sent.iter();
        let (mut seen, mut lost) = (0, 0);
        for event in events {
            match event {
                FrameEvent::Gap { lost: some, .. } => lost += u32::from(*some),
                frame @ FrameEvent::Frame(_) => {
                    rest.find(|sent| payload(sent) == *frame)?;
                    seen += 1;
                }
            }
        }
        Some((seen, lost))
    }

    #[test]
    fn samples_of_the_idents_value_are_no_frames() {
        // A stays at a5, and the logic byte changes now and then.
        let sent: Vec<u8> = (0..50_u8).flat_map(|number| [0xa5, number, 0xa5, number / 7]).collect();
        for start in 0..4 {
            let events = parsed(2, &sent[start..], 5);
            let wrong = events.iter().find(|event| !matches!(event, FrameEvent::Frame([0xa5, _, 0])));
            assert_eq!(wrong, None, "from byte {start}");
            assert!(events.len() >= 47, "{}", events.len());
        }
    }

    #[test]
    fn damaged_number_loses_one_frame() {
        let sent = frames(2, 0..40);
        let mut bytes = sent.concat();
        bytes[20 * 4 + 1] ^= 0x40;
        let events = parsed(2, &bytes, 100);
        let gaps: Vec<_> =
            events.iter().enumerate().filter(|(_, event)| matches!(event, FrameEvent::Gap { .. })).collect();
        assert_eq!(gaps, [(20, &FrameEvent::Gap { lost: 1, skipped: 0 })]);
        assert_eq!(events[21], payload(&sent[21]));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn missing_frames_are_counted(
            samples in 1usize..=3,
            steps in prop::collection::vec(prop_oneof![9 => Just(1u32), 1 => 2u32..=128, 1 => Just(2u32)], 3..200),
            first: u8,
            cut in 1usize..40,
        ) {
            let mut number = u32::from(first);
            let numbers: Vec<u32> = steps.iter().map(|step| { number += step; number }).collect();
            let sent = frames(samples, numbers.iter().copied());
            let mut bytes = sent.concat();
            // Two more frames, so that all of these are believed.
            bytes.extend(frames(samples, [number + 1, number + 2]).concat());
            let events = parsed(samples, &bytes, cut);
            let mut expected = Vec::new();
            for (at, frame) in sent.iter().enumerate() {
                let step = if at == 0 { 1 } else { numbers[at] - numbers[at - 1] };
                if step > 1 {
                    expected.push(FrameEvent::Gap { lost: (step - 1) as u8, skipped: 0 });
                }
                expected.push(payload(frame));
            }
            prop_assert_eq!(&events[..expected.len()], expected);
        }

        #[test]
        fn lost_bytes_cost_only_their_frames(
            samples in 1usize..=3,
            at in 0usize..400,
            length in 1usize..200,
            cut in 1usize..40,
        ) {
            let sent = frames(samples, 0..200);
            let frame_bytes = samples + 2;
            let mut bytes = sent.concat();
            let at = at.min(bytes.len() - 1).max(3 * frame_bytes);
            let end = (at + length).min(bytes.len() - 4 * frame_bytes).max(at);
            // Of a run as long as frames are, cut within one, nothing shows: see the head of this file.
            prop_assume!((end - at) % frame_bytes != 0 || at % frame_bytes == 0);
            bytes.drain(at..end);
            let events = parsed(samples, &bytes, cut);
            let (seen, lost) = matched(&sent, &events).unwrap();
            let touched = end.div_ceil(frame_bytes) - at / frame_bytes;
            // The frame before may have to go as well, when what is left of the others begins as a frame does.
            prop_assert!(seen >= 198 - touched - 1, "{} of {}", seen, touched);
            prop_assert_eq!(seen + lost as usize, 199, "the last is not believed yet");
        }

        #[test]
        fn nothing_at_all_is_too_much(bytes in prop::collection::vec(prop_oneof![Just(0xa5u8), any::<u8>()], 0..300), samples: usize) {
            let events = parsed(samples, &bytes, 7);
            prop_assert!(events.len() <= bytes.len());
        }
    }
}
