//! What a job has recorded is read back by the readers of files.

use proptest::prelude::*;
use scopething_files::{CsvReader, Format, JsonReader, TraceReader};
use scopething_record::job::keep::Keep;
use scopething_record::writer::text::TextMaker;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::{Channel, Details, Gap, Samples, Series, Stamp, Waveform};

#[path = "../../files/tests/captures/mod.rs"]
mod captures;
use captures::{assert_same_samples, captures};

#[test]
fn kept_measurements_are_named() {
    let series = Series::new(Channel::A, 0.0, 1e-3, Samples::Volts(vec![1.0, 2.0]));
    let waveform = Waveform::new(1e3, vec![series], Details::default()).unwrap();
    let waveform = waveform.stamped(Stamp { number: 1, clock: UnixMicros(0), gap: Some(Gap::Start) });
    for (keep, held) in [(Keep::Summary, "summaries"), (Keep::Envelope { parts: 1 }, "envelopes")] {
        let text = TextMaker::default().text_of(&waveform, &keep, Format::Csv).unwrap();
        let csv = [text.header.unwrap().as_bytes(), b"\n", &text.body].concat();
        let json = TextMaker::default().text_of(&waveform, &keep, Format::Json).unwrap().body;
        for refused in [CsvReader::new(csv.as_slice()).read(), JsonReader::new(json.as_slice()).read()] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(held) && refused.contains("what = \"all\""), "{refused}");
        }
    }
}

proptest! {
    #[test]
    fn what_a_job_records_is_read_back(captures in prop::collection::vec(captures(), 1..4), gap in 0..5_usize) {
        let mut file = Vec::new();
        let mut header = None;
        let mut stamped = Vec::new();
        for (number, capture) in (5..).zip(captures) {
            let clock = UnixMicros(1_795_586_400_000_000 + number);
            let stamp = Stamp { number: number as u64, clock, gap: Gap::ALL.get(gap).copied() };
            let capture = capture.stamped(stamp);
            let text = TextMaker::default().text_of(&capture, &Keep::All, Format::Csv).unwrap();
            if header != text.header {
                file.extend_from_slice(text.header.as_ref().unwrap().as_bytes());
                file.push(b'\n');
            }
            header = text.header;
            file.extend_from_slice(&text.body);
            stamped.push(capture);
        }
        let mut reader = CsvReader::new(file.as_slice());
        let back: Result<Vec<Waveform>, _> = std::iter::from_fn(|| reader.read().transpose()).collect();
        let back = back.unwrap();
        prop_assert_eq!(back.len(), stamped.len());
        for (back, capture) in back.iter().zip(&stamped) {
            prop_assert_eq!(back.details(), capture.details());
            assert_same_samples(back, capture)?;
        }
    }
}
