//! The self-test against the simulated device: as it is assumed to be, and with each assumption turned false.

use scopething::link;
use scopething_selftest::{Bench, Experiment, Finding, LinkKind, Operator, Outcome, Reply, Report, Verdict};
use scopething_sim::Quirk;

/// Somebody who wires everything, has no cell, and reads a meter on L3 as the simulated outputs are: 3.3 V or nothing.
struct Wired;

impl Operator for Wired {
    async fn wire(&mut self, _: &str) -> Reply {
        Reply::Done
    }

    async fn voltage(&mut self, question: &str) -> Option<f64> {
        match question {
            _ if question.contains("held high") => Some(3.3),
            _ if question.contains("held low") => Some(0.0),
            _ => None,
        }
    }
}

async fn outcomes(query: &str, experiments: &[Experiment]) -> Vec<Outcome> {
    let url = format!("sim:?clock=fast&{query}").parse().unwrap();
    let mut bench = Bench::new(link::open(&url).await.unwrap());
    let mut outcomes = Vec::new();
    for &experiment in experiments {
        outcomes.push(bench.run(experiment, &mut Wired).await);
    }
    outcomes
}

/// The text of an outcome, a line or a few each, without its bytes.
fn summary(outcomes: &[Outcome]) -> String {
    let lines = outcomes.iter().map(|outcome| format!("{outcome}\n      {:?}", outcome.measured));
    lines.collect::<Vec<_>>().join("\n")
}

/// The experiments that do not confirm their assumption, with their findings, or the verdict without any.
fn findings(outcomes: &[Outcome]) -> Vec<(u8, Vec<&'static str>)> {
    let other = outcomes.iter().filter(|outcome| outcome.verdict != Verdict::AsAssumed);
    other
        .map(|outcome| {
            let findings = outcome.findings.iter().map(Finding::name);
            let verdict = (outcome.verdict != Verdict::Otherwise).then(|| outcome.verdict.name());
            (outcome.experiment.number(), findings.chain(verdict).collect())
        })
        .collect()
}

#[tokio::test]
async fn everything_is_as_assumed_on_the_plain_simulator() {
    for query in ["", "rate=1Mbps&latency=1ms&ftdi=1ms", "noise=5mV&seed=3", "L3=dc,3.3V&L5=dc,0V"] {
        let outcomes = outcomes(query, &Experiment::ALL).await;
        assert_eq!(findings(&outcomes), [], "{query}: {}", summary(&outcomes));
    }
}

#[tokio::test]
async fn each_quirk_found_by_its_experiments() {
    let inconclusive = || vec!["inconclusive"];
    for (quirk, name, _) in Quirk::ALL {
        let expected = match quirk {
            Quirk::HalfTriggerLevel => vec![(5, vec![name])],
            Quirk::EarlyWindow | Quirk::LateWindow => vec![(4, vec![name]), (6, vec![name])],
            Quirk::CleanEndAddress => vec![(6, vec![name])],
            Quirk::MapAtOnce => vec![(7, vec![name])],
            // Triggers on A come at random, which settles nothing about where and at which level they come.
            Quirk::InvertedMask => {
                let blind = [4, 5, 6].map(|number| (number, inconclusive()));
                [&blind[..], &[(8, vec![name]), (9, inconclusive())]].concat()
            }
            Quirk::SlowReset | Quirk::ResetClearsRegisters | Quirk::SilentEeprom => vec![(1, vec![name])],
        };
        let outcomes = outcomes(&format!("quirk={name}"), &Experiment::ALL).await;
        assert_eq!(findings(&outcomes), expected, "{name}: {}", summary(&outcomes));
    }
}

#[tokio::test]
async fn other_link_rate_is_measured() {
    for (rate, bits_per_second) in [("3Mbps", 3e6), ("115200bps", 115_200.0), ("500kbps", 500e3)] {
        let query = format!("rate={rate}&latency=1ms&ftdi=16ms");
        let outcomes = outcomes(&query, &[Experiment::LinkRate]).await;
        assert_eq!(findings(&outcomes), [(12, vec!["link-rate"])], "{rate}");
        let measured = outcomes[0].measured["rate of the link (Mbit/s)"].as_f64().unwrap() * 1e6;
        assert!((measured / bits_per_second - 1.0).abs() < 0.02, "{rate}: {measured}");
    }
}

#[tokio::test]
async fn slow_link_loses_fast_frames_only() {
    let outcome = &outcomes("rate=1Mbps", &[Experiment::Streaming]).await[0];
    let lost = |rate: &str| {
        let name = format!("{rate} kHz: frames, gaps, frames lost, bytes of none");
        outcome.measured[&name][2].as_u64().unwrap()
    };
    // Four bytes a frame: 1 Mbit/s carries 25 000 frames a second.
    assert_eq!((lost("2.45"), lost("10.00")), (0, 0));
    assert!(lost("40.00") > 0 && lost("125.00") > lost("40.00"));
}

#[tokio::test]
async fn missing_wires_are_inconclusive() {
    // A sees something else than L4 and L5.
    let wired = [
        Experiment::Voltages,
        Experiment::Edge,
        Experiment::Level,
        Experiment::FullBuffer,
        Experiment::Clock,
    ];
    let outcomes = outcomes("A=dc,0V", &wired).await;
    let verdicts: Vec<Verdict> = outcomes.iter().map(|outcome| outcome.verdict).collect();
    assert_eq!(verdicts, [Verdict::Inconclusive; 5], "{}", summary(&outcomes));
}

#[tokio::test]
async fn wrong_voltages_are_found() {
    let outcomes = outcomes("scale=20V&offset=-8V", &[Experiment::Voltages]).await;
    assert_eq!(findings(&outcomes), [(3, vec!["voltage-scale"])], "{}", summary(&outcomes));
}

#[tokio::test]
async fn silent_device_fails_in_time() {
    for fault in ["stall@2000", "close@2000"] {
        let query = format!("faults={fault}");
        let outcomes = outcomes(&query, &[Experiment::Identity, Experiment::Captures]).await;
        assert!(
            outcomes.iter().any(|outcome| outcome.verdict == Verdict::Failed),
            "{fault}: {}",
            summary(&outcomes)
        );
    }
}

#[tokio::test]
async fn report_has_all_bytes_and_nothing_personal() {
    let serial = "ZQ51XW37";
    let query = format!("serial={serial}&A=file:{}", env!("CARGO_MANIFEST_DIR"));
    // The same with a name in the URL: the report does not hold the URL.
    let link = LinkKind::of(&format!("sim:?{query}").parse().unwrap());
    let outcomes = outcomes(&format!("serial={serial}"), &Experiment::ALL).await;
    let report = Report { link, outcomes };
    let (text, json) = (report.to_string(), report.json().to_string());
    let read_back: serde_json::Value = serde_json::from_str(&json).unwrap();
    for holder in [&text, &json] {
        assert!(!holder.contains(serial) && !holder.contains(env!("CARGO_MANIFEST_DIR")));
    }
    let experiments = read_back["experiments"].as_array().unwrap();
    assert_eq!(experiments.len(), Experiment::ALL.len());
    let identity = &experiments[0];
    assert_eq!(identity["measured"]["form of the serial number"], "AA99AA99");
    let exchanged: Vec<u8> = identity["exchanged"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|chunk| chunk["to"] == "host")
        .flat_map(|chunk| from_hex(chunk["hex"].as_str().unwrap()))
        .collect();
    // The EEPROM's answers are digits of the characters' codes: 5a is Z.
    assert_eq!(exchanged.windows(5).filter(|bytes| bytes == b"r\rxx\r").count(), 8);
    assert!(
        !exchanged.windows(4).any(|bytes| bytes == b"\r5a\r")
            || exchanged.windows(5).any(|bytes| bytes == b"p\r5a\r")
    );
    for experiment in experiments {
        let written: usize = experiment["exchanged"]
            .as_array()
            .unwrap()
            .iter()
            .map(|chunk| chunk["hex"].as_str().unwrap().len() / 2)
            .sum();
        assert!(written > 200, "{}", experiment["title"]);
        assert_eq!(experiment["bytes_not_kept"], 0);
    }
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
