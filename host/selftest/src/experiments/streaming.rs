//! Experiment 11: the frames of streams, and the rate from which on some are lost.

use scopething_core::device::AnalogParameters;
use scopething_core::time::{Clock as _, Micros};
use scopething_core::vm::Register;

use crate::Finding;
use crate::bench::{Bench, CLOCK_HZ, Capture};
use crate::outcome::Notes;
use crate::raw::RawDevice;
use crate::stop::Stop;

/// Ticks a frame: 2.45 kHz, 10 kHz, 40 kHz, and 125 kHz, which the vendor's software asks for.
const TICKS: [u16; 4] = [16320, 4000, 1000, 320];
const IDENT: u8 = 0xa5;
/// Ident, sequence number, A, logic lines.
const FRAME_BYTES: usize = 4;
/// How long each stream is listened to, and how many bytes of it.
const LISTEN: Micros = Micros::from_millis(400);
const MAX_STREAM_BYTES: usize = 40_000;
/// How far the pace of frames may be off: the host notes only when a piece of them has come.
const MAX_PACE_ERROR: f64 = 0.1;

pub(super) async fn run(bench: &mut Bench, notes: &mut Notes) -> Result<(), Stop> {
    for (index, ticks) in TICKS.into_iter().enumerate() {
        let rate = CLOCK_HZ / f64::from(ticks);
        let mut raw = bench.raw();
        let Listened { bytes, took_s } = listen(&mut raw, ticks).await?;
        raw.reset().await?;
        let frames = Frames::of(&bytes);
        let bits_per_second = bytes.len() as f64 * 10.0 / took_s.max(1e-9);
        let name = format!("{:.2} kHz", rate / 1e3);
        notes.measured(
            format!("{name}: frames, gaps, frames lost, bytes of none"),
            vec![frames.whole, frames.gaps, frames.lost, frames.stray],
        );
        notes.measured_number(format!("{name}: bits a second on the link"), bits_per_second.round());
        // The slowest needs a tenth of 1 Mbit/s: it has to be complete.
        if index == 0 {
            judge_slowest(&frames, rate, took_s, notes)?;
        }
    }
    let (_, volts) = Capture::LOOK.volts(&mut bench.raw()).await?;
    notes.measured("samples captured after the streams", volts.len());
    Ok(())
}

fn judge_slowest(frames: &Frames, rate: f64, took_s: f64, notes: &mut Notes) -> Result<(), Stop> {
    if frames.whole == 0 {
        let how = "T is followed by no frame of ident a5, sequence number, A and logic".to_owned();
        notes.found(Finding::StreamForm { how });
        return Err(Stop::inconclusive("faster streams were not tried"));
    }
    if frames.gaps > 0 || frames.stray >= FRAME_BYTES {
        notes.found(Finding::StreamForm {
            how: format!(
                "{} gaps and {} bytes of no frame in a stream that needs 0.1 Mbit/s",
                frames.gaps, frames.stray
            ),
        });
    }
    let pace = frames.whole as f64 / took_s;
    notes.measured_number("frames a second at 2.45 kHz", pace);
    if (pace / rate - 1.0).abs() > MAX_PACE_ERROR {
        notes.found(Finding::StreamForm {
            how: format!("{pace:.0} frames a second came where {rate:.0} were asked for"),
        });
    }
    Ok(())
}

struct Listened {
    bytes: Vec<u8>,
    /// From the echo of `T` to the last byte, in seconds.
    took_s: f64,
}

async fn listen(raw: &mut RawDevice<'_>, ticks: u16) -> Result<Listened, Stop> {
    let span = AnalogParameters::NOMINAL_X1;
    let (low, high) = span.converters(span.span_fraction(-5.5), span.span_fraction(8.0));
    raw.store(&[
        (Register::ConverterLo, (low * 65536.0) as u32),
        (Register::ConverterHi, (high * 65536.0) as u32),
        (Register::TraceMode, 1),
        (Register::ClockTicks, ticks.into()),
        (Register::StreamIdent, IDENT.into()),
        (Register::AnalogEnable, 1),
        (Register::DigitalEnable, 1),
    ])
    .await?;
    raw.run(b"U").await?;
    raw.run(b"T").await?;
    let started = raw.clock.now();
    let mut last = started;
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    while bytes.len() < MAX_STREAM_BYTES && raw.clock.now() < started + LISTEN {
        let Some(count) = raw.read_some(&mut chunk, started + LISTEN).await? else { break };
        last = raw.clock.now();
        bytes.extend_from_slice(chunk.get(..count).unwrap_or_default());
    }
    Ok(Listened { bytes, took_s: (last - started).seconds() })
}

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Frames {
    whole: usize,
    /// Steps of the sequence number other than 1.
    gaps: usize,
    /// Frames that the steps leave out, if no gap is longer than 255.
    lost: usize,
    /// Bytes that belong to no frame.
    stray: usize,
}

impl Frames {
    fn of(bytes: &[u8]) -> Self {
        let mut frames = Self::default();
        let mut rest = bytes;
        let mut sequence: Option<u8> = None;
        let mut in_step = false;
        while let [ident, number, ..] = *rest
            && rest.len() >= FRAME_BYTES
        {
            // An ident among samples is not followed by another one a frame later, with the next number.
            in_step = ident == IDENT && (in_step || precedes(number, &rest[FRAME_BYTES..]));
            if !in_step {
                frames.stray += 1;
                rest = &rest[1..];
                continue;
            }
            let left_out = sequence.map_or(0, |before| number.wrapping_sub(before).wrapping_sub(1));
            frames.gaps += usize::from(left_out > 0);
            frames.lost += usize::from(left_out);
            frames.whole += 1;
            sequence = Some(number);
            rest = &rest[FRAME_BYTES..];
        }
        frames
    }
}

/// Whether what follows a frame begins like the next one, as far as it has come.
fn precedes(number: u8, next: &[u8]) -> bool {
    next.first().is_none_or(|ident| *ident == IDENT)
        && next.get(1).is_none_or(|next_number| *next_number == number.wrapping_add(1))
}

#[cfg(test)]
mod tests {
    use super::Frames;

    #[test]
    fn frames_gaps_and_strays_are_counted() {
        let stream = [
            0x11, 0xa5, // the end of a frame that began before
            0xa5, 0xfe, 0x80, 0xa5, // an ident as the logic byte
            0xa5, 0xff, 0x80, 0, 0xa5, 0x00, 0x80, 0, // the sequence number wraps
            0xa5, 0x03, 0x80, 0, // two are missing
            0xa5, 0x04, // not whole
        ];
        assert_eq!(Frames::of(&stream), Frames { whole: 4, gaps: 1, lost: 2, stray: 2 });
        assert_eq!(Frames::of(&[0; 10]), Frames { stray: 7, ..Frames::default() });
    }
}
