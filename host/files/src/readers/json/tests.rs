use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::Format;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::{
    Channel, Details, EndReason, Gap, Range, Samples, Series, Stamp, Trigger, TriggerType,
};

fn read(text: &[u8]) -> Result<Vec<Waveform>, ReadError> {
    let mut reader = JsonReader::new(text);
    std::iter::from_fn(|| reader.read().transpose()).collect()
}

/// The line and the reason of a refusal.
fn refused(text: &str) -> (u64, String) {
    match read(text.as_bytes()) {
        Err(ReadError::Line { line, reason }) => (line, reason),
        other => panic!("{text}: {other:?}"),
    }
}

fn write(recordings: &[Waveform]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut writer = Format::Json.writer();
    for recording in recordings {
        writer.write(recording, &mut text).unwrap();
    }
    text
}

/// A trace of a job, with all that is known of one, laid out and ordered as other programs do.
const TRACE: &str = r#"
{
  "analysis": {"channels": {"A": {"wave": [1, {"deep": null}]}}},
  "channels": {
    "L3": {"samples": [0, 1, 1.0], "timestamps": [0, 5e-4, 0.001], "unit": "level"},
    "B": {"samples": [1.5, null], "timestamps": [5e-4, 0.0015]}
  },
  "sample_rate": 2000, "mode": "MixedChop", "warnings": ["\u00b5 \"quoted\""], "range": [-5.5, 8],
  "cause": "trigger", "trigger_time": 1e-3, "trigger": {"level": null, "source": "L3=1", "type": "falling"},
  "trace": 7, "clock": "2026-11-25T06:00:00.000250Z", "gap": "bad traces", "capture_start": 2.5
}
"#;

#[test]
fn every_key_of_an_object_is_read() {
    let recordings = read(TRACE.as_bytes()).unwrap();
    let [recording] = recordings.as_slice() else { panic!("{recordings:?}") };
    let kind = TriggerType::Falling;
    assert_eq!(
        recording.details(),
        &Details {
            capture_start_s: Some(2.5),
            cause: Some(EndReason::Trigger),
            trigger: Some(Trigger { time_s: 1e-3, level: None, kind, source: "L3=1".to_owned() }),
            range: Some(Range { low: -5.5, high: 8.0 }),
            ranges: Vec::new(),
            mode: Some("MixedChop".to_owned()),
            warnings: vec!["µ \"quoted\"".to_owned()],
            // Seconds from 1970 to 2026-11-25 06:00:00 UTC, by date(1).
            stamp: Some(Stamp {
                number: 7,
                clock: UnixMicros(1_795_586_400_000_250),
                gap: Some(Gap::BadTraces)
            }),
            settings: None,
        }
    );
    assert_eq!(recording.sample_rate_hz(), 2000.0);
    let [b, line] = recording.channels() else { panic!("{recording:?}") };
    assert_eq!((b.channel, b.start_s, b.period_s), (Channel::B, 5e-4, 1e-3));
    assert!(matches!(b.samples.get(0), Some(1.5)) && b.samples.get(1).is_some_and(f32::is_nan));
    assert_eq!(line.samples, Samples::Levels(vec![0, 1, 1]));
}

#[test]
fn objects_may_share_lines() {
    assert!(read(b" \n\r\n").unwrap().is_empty());
    let text = [TRACE, TRACE.trim(), TRACE.trim()].concat();
    assert_eq!(read(text.as_bytes()).unwrap().len(), 3);
    let mut reader = JsonReader::new(text.as_bytes());
    let passed: Vec<_> = std::iter::from_fn(|| reader.skip().unwrap()).collect();
    assert_eq!(passed, [Skipped { number: Some(7) }; 3]);
}

/// As `jq .` prints them, a value a line: no line is an object.
#[test]
fn objects_may_take_many_lines() {
    // What is no number is not even the same as itself.
    let compact = TRACE.replace("[1.5, null]", "[1.5, 2.5]").repeat(2);
    let objects = serde_json::Deserializer::from_str(&compact).into_iter::<serde_json::Value>();
    let pretty: Vec<String> =
        objects.map(|object| serde_json::to_string_pretty(&object.unwrap()).unwrap()).collect();
    assert_eq!(read(pretty.concat().as_bytes()).unwrap(), read(compact.as_bytes()).unwrap());
    // A fault in the second one is in its own line.
    let fault = pretty[0].clone() + "\n" + &pretty[1].replace("0.0005,", "0.0005");
    let lines_before = pretty[0].lines().count() as u64;
    let line = pretty[1].lines().position(|line| line.trim() == "0.0005,").unwrap() as u64;
    let (at, reason) = read_second(&fault);
    // It is seen at the number that follows.
    assert!(at == lines_before + line + 2 && reason.contains("expected `,`"), "line {at}: {reason}");
}

/// The fault in the second object.
fn read_second(text: &str) -> (u64, String) {
    let mut reader = JsonReader::new(text.as_bytes());
    assert!(reader.read().unwrap().is_some());
    match reader.read() {
        Err(ReadError::Line { line, reason }) => (line, reason),
        other => panic!("{other:?}"),
    }
}

/// An object that does not end takes those that follow in: what is wrong is reported, and where.
#[test]
fn an_object_without_its_end_is_refused_where_the_next_begins() {
    let whole = TRACE.trim();
    let open = whole[..whole.len() - 1].trim_end();
    let (line, reason) = refused(&format!("{open}\n{whole}\n{whole}"));
    let next = open.lines().count() as u64 + 1;
    assert!(line == next && reason.contains("expected `,`"), "line {line}: {reason}");
}

/// However the text is cut into what is read at once.
#[test]
fn objects_are_passed_over_at_their_braces() {
    let texts = [r#"{"cause":null,"warnings":["}{\\","\"}"],"channels":{}}"#, " ", TRACE];
    let text = texts.concat().repeat(3);
    let expected = [Skipped { number: None }, Skipped { number: Some(7) }].repeat(3);
    for bytes in 1..200 {
        let mut reader = JsonReader::new(std::io::BufReader::with_capacity(bytes, text.as_bytes()));
        let passed: Vec<_> = std::iter::from_fn(|| reader.skip().unwrap()).collect();
        assert_eq!(passed, expected, "{bytes} bytes at once");
    }
    // Of what is passed over nothing is read: this is no JSON.
    let mut reader = JsonReader::new(&br#"{"cause":no,"channels":{"A":}} {"trace":12,}"#[..]);
    let passed: Vec<_> = std::iter::from_fn(|| reader.skip().unwrap()).collect();
    assert_eq!(passed, [Skipped { number: None }, Skipped { number: Some(12) }]);
    let mut reader = JsonReader::new(&text.as_bytes()[..40]);
    assert!(matches!(reader.skip(), Err(ReadError::CutOff { line: 1 })));
}

#[test]
fn truncated_file_yields_whole_traces() {
    let text = [TRACE, TRACE.trim_end()].concat();
    let second = TRACE.len() + 1;
    for length in second + 1..text.len() {
        let mut reader = JsonReader::new(&text.as_bytes()[..length]);
        assert!(reader.read().unwrap().is_some());
        let line = TRACE.lines().count() as u64 + 2;
        let read = reader.read();
        assert!(
            matches!(read, Err(ReadError::CutOff { line: at }) if at == line),
            "{length} bytes: {read:?}"
        );
        assert!(reader.read().unwrap().is_none(), "nothing after a fault");
    }
    let zeros = [TRACE, "\0\0\0"].concat();
    let mut reader = JsonReader::new(zeros.as_bytes());
    assert!(reader.read().is_ok());
    assert!(matches!(reader.read(), Err(ReadError::CutOff { .. })));
}

#[test]
fn bad_objects_are_refused_with_line_and_reason() {
    for (replaced, by, line, part) in [
        ("\n{", "[{", 1, "a trace is an object"),
        ("\"sample_rate\": 2000,", "", 11, "missing field `sample_rate`"),
        ("2000", "\"fast\"", 8, "invalid type: string \"fast\""),
        ("\"L3\":", "\"L9\":", 5, "\"L9\""),
        ("\"L3\":", "\"B\":", 6, "channel B is there twice"),
        ("[0, 1, 1.0]", "[0, 1, 2]", 2, "2 is not a level of L3"),
        ("[0, 1, 1.0]", "[0, 1]", 2, "2 samples at 3 times"),
        ("\"samples\": [0, 1, 1.0],", "", 2, "channel L3 needs samples"),
        ("[0, 5e-4, 0.001]", "[0, 5e-4, 0.002]", 2, "not evenly spaced"),
        ("[0, 5e-4, 0.001]", "[0, null, 0.001]", 2, "invalid type: null"),
        ("\"level\"}", "\"A\"}", 2, "\"A\" is not the unit"),
        ("falling", "down", 2, "\"down\""),
        ("\"cause\": \"trigger\"", "\"cause\": \"lunch\"", 2, "\"lunch\" is not a cause"),
        ("bad traces", "lunch", 2, "\"lunch\" is not a reason"),
        ("06:00:00.000250Z", "6", 2, "a moment is written like"),
        ("1e-3", "1e-3x", 9, "expected `,`"),
    ] {
        // A channel without samples of a trace with a number is reported differently.
        let text =
            TRACE.replace("\"trace\": 7,", if replaced.contains("samples") { "" } else { "\"trace\": 7," });
        let (at, reason) = refused(&text.replacen(replaced, by, 1));
        assert!(at == line && reason.contains(part), "{replaced} -> {by}: line {at}: {reason}");
    }
    let kind = TRACE.replace("\"level\"}", "\"V\"}");
    assert!(matches!(read(kind.as_bytes()), Err(ReadError::Waveform(_))));
}

#[test]
fn endless_input_is_refused() {
    let begin = "{\"sample_rate\":1,\"channels\":{\"A\":{\"samples\":[0";
    let endless = io::Cursor::new(begin).chain(Repeated { text: b",0", next: 0 });
    let mut reader = JsonReader::new(io::BufReader::new(endless));
    reader.text.max_bytes = 1 << 20;
    let refused = reader.read();
    assert!(matches!(refused, Err(ReadError::TooLong)), "{refused:?}");
}

/// A text that goes on for ever.
struct Repeated {
    text: &'static [u8],
    next: usize,
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in &mut *buffer {
            *byte = self.text[self.next % self.text.len()];
            self.next += 1;
        }
        Ok(buffer.len())
    }
}

/// Samples of any value: what is no number among them, and a single one.
fn volts() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(prop::num::f32::ANY, 1..80)
}

fn number() -> impl Strategy<Value = f64> {
    prop::num::f64::NORMAL | prop::num::f64::ZERO | prop::num::f64::SUBNORMAL
}

fn details() -> impl Strategy<Value = Details> {
    let kind = prop::sample::select(TriggerType::ALL.map(|(kind, _)| kind).to_vec());
    let trigger = (number(), prop::option::of(number()), kind, "(?s).{0,8}");
    let gap = prop::option::of(prop::sample::select(Gap::ALL.to_vec()));
    let stamp = (any::<u64>(), 0..4_000_000_000_000_000_i64, gap);
    (
        prop::option::of(number()),
        prop::option::of(prop::sample::select(EndReason::ALL.to_vec())),
        prop::option::of(trigger),
        (prop::option::of((number(), number())), prop::option::of((number(), number()))),
        prop::option::of("(?s).{0,8}"),
        prop::collection::vec("(?s).{0,8}", 0..3),
        prop::option::of(stamp),
    )
        .prop_map(|(capture_start_s, cause, trigger, (range, ranges), mode, warnings, stamp)| Details {
            capture_start_s,
            cause,
            trigger: trigger.map(|(time_s, level, kind, source)| Trigger { time_s, level, kind, source }),
            range: range.map(|(low, high)| Range { low, high }),
            ranges: ranges.map(|(low, high)| (Channel::B, Range { low, high })).into_iter().collect(),
            mode,
            warnings,
            stamp: stamp.map(|(number, clock, gap)| Stamp { number, clock: UnixMicros(clock), gap }),
            settings: None,
        })
}

/// Any capture that the device can make, and any samples.
fn captures() -> impl Strategy<Value = Waveform> {
    (1..=16384_u32, volts(), 0..=2_usize, any::<u8>(), any::<bool>(), details()).prop_filter_map(
        "no channel",
        |(ticks, volts, analog_count, logic, raw, details)| {
            let clock_s = f64::from(ticks) * 25e-9;
            let turns = analog_count.max(1);
            let analog = [Channel::A, Channel::B].into_iter().take(analog_count).enumerate();
            let analog = analog.map(|(turn, channel)| {
                let samples = volts.iter().copied().skip(turn).step_by(turns).collect();
                let samples = if raw { Samples::Fractions(samples) } else { Samples::Volts(samples) };
                Series::new(channel, turn as f64 * clock_s, turns as f64 * clock_s, samples)
            });
            let lines = (0..8).filter(|line| logic >> line & 1 == 1).map(|line| {
                let levels = volts.iter().map(|volts| (volts.to_bits() >> line & 1) as u8).collect();
                Series::new(Channel::L[line], 0.0, clock_s, Samples::Levels(levels))
            });
            Waveform::new(clock_s.recip(), analog.chain(lines).collect(), details).ok()
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(captures in prop::collection::vec(captures(), 1..4)) {
        let back = read(&write(&captures)).unwrap();
        prop_assert_eq!(back.len(), captures.len());
        for (back, capture) in back.iter().zip(&captures) {
            prop_assert_eq!(back.sample_rate_hz(), capture.sample_rate_hz());
            prop_assert_eq!(back.details(), capture.details());
            prop_assert_eq!(back.channels().len(), capture.channels().len());
            for (back, written) in back.channels().iter().zip(capture.channels()) {
                prop_assert_eq!(back.channel, written.channel);
                prop_assert!(back.timestamps().eq(written.timestamps()));
                prop_assert_eq!(
                    std::mem::discriminant(&back.samples),
                    std::mem::discriminant(&written.samples)
                );
                for (back, written) in back.samples.iter().zip(written.samples.iter()) {
                    // JSON has no word for what is no number.
                    prop_assert!(back == written || back.is_nan() && !written.is_finite());
                }
            }
        }
    }

    #[test]
    fn no_text_makes_it_fail(at in 0..TRACE.len(), by in "\\PC{0,3}|\"|\\[|\\}|1e999|-1") {
        let mut text = TRACE.to_owned();
        text.insert_str(at, &by);
        let _ = read(text.as_bytes());
    }
}
