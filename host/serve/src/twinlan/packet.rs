//! Waveforms as they go over the data connection: little endian, 16 bits a sample.

use crate::capture::{AnalogSamples, Capture};

/// Samples are counted from the middle of 16 bits, so that all steps of a capture fit.
const MIDDLE: f64 = 32_768.0;
/// The number of the logic lines among the channels.
const LOGIC: u64 = 2;
/// Where between two samples the trigger lies is not known.
const TRIGGER_PHASE: f32 = 0.0;

/// The waveform of a capture, under a sequence number.
#[must_use]
pub(super) fn waveform(sequence: u32, capture: &Capture) -> Vec<u8> {
    let channels = capture.analog.iter().flatten().count() + usize::from(capture.logic.is_some());
    let period_fs = (1e15 / capture.rate_hz).round() as i64;
    let mut bytes = Vec::with_capacity(14 + channels * (28 + 2 * capture.count));
    bytes.extend(sequence.to_le_bytes());
    bytes.extend((channels as u16).to_le_bytes());
    bytes.extend(period_fs.to_le_bytes());
    for (number, samples) in (0_u64..).zip(&capture.analog) {
        if let Some(samples) = samples {
            put_analog(&mut bytes, number, samples);
        }
    }
    if let Some(lines) = &capture.logic {
        put_head(&mut bytes, LOGIC, lines.len());
        bytes.extend(TRIGGER_PHASE.to_le_bytes());
        bytes.extend(lines.iter().flat_map(|lines| i16::from(*lines).to_le_bytes()));
    }
    bytes
}

fn put_head(bytes: &mut Vec<u8>, number: u64, count: usize) {
    bytes.extend(number.to_le_bytes());
    bytes.extend((count as u64).to_le_bytes());
}

fn put_analog(bytes: &mut Vec<u8>, number: u64, samples: &AnalogSamples) {
    let AnalogSamples { volts, bottom_v, step_v } = samples;
    put_head(bytes, number, volts.len());
    bytes.extend((*step_v as f32).to_le_bytes());
    bytes.extend(((bottom_v + MIDDLE * step_v) as f32).to_le_bytes());
    bytes.extend(TRIGGER_PHASE.to_le_bytes());
    let raw = |volts: &f32| ((f64::from(*volts) - bottom_v) / step_v).round() - MIDDLE;
    bytes.extend(volts.iter().flat_map(|volts| (raw(volts) as i16).to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_core::trace::EndReason;

    #[test]
    fn waveform_packet_layout() {
        // Two steps of a 12-bit range and its ends.
        let samples = AnalogSamples {
            volts: vec![-4.0, 0.0, 4.0 - 8.0 / 65536.0],
            bottom_v: -4.0,
            step_v: 8.0 / 65536.0,
        };
        let capture = Capture {
            rate_hz: 2e6,
            count: 3,
            analog: [None, Some(samples)],
            logic: Some(vec![0, 0xff, 0x81]),
            trigger_s: 0.0,
            cause: EndReason::Trigger,
            waveform: crate::any_waveform(),
            settings: crate::settings::Settings::default(),
            changes: 0,
        };
        let bytes = waveform(7, &capture);
        assert_eq!(bytes[..4], 7_u32.to_le_bytes());
        assert_eq!(bytes[4..6], 2_u16.to_le_bytes());
        assert_eq!(bytes[6..14], 500_000_000_i64.to_le_bytes());
        assert_eq!(bytes[14..22], 1_u64.to_le_bytes());
        assert_eq!(bytes[22..30], 3_u64.to_le_bytes());
        let scale = f32::from_le_bytes(bytes[30..34].try_into().unwrap());
        let offset = f32::from_le_bytes(bytes[34..38].try_into().unwrap());
        let raw: Vec<i16> =
            bytes[42..48].chunks(2).map(|raw| i16::from_le_bytes(raw.try_into().unwrap())).collect();
        assert_eq!(raw, [i16::MIN, 0, i16::MAX]);
        assert_eq!(scale * f32::from(raw[0]) + offset, -4.0);
        assert_eq!(bytes[48..56], 2_u64.to_le_bytes());
        assert_eq!(bytes[68..], [0, 0, 0xff, 0, 0x81, 0]);
    }
}
