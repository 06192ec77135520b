//! The planners of waveforms and clocks against what a working driver decided: `tests/data/generator.jsonl`.

use std::collections::BTreeMap;

use scopething_core::device::BS05;
use scopething_core::plan::{
    ClockError, ClockOutput, ClockRequest, LogicLine, PlayMode, WaveformError, WaveformPlan, WaveformRequest,
    plan_clocks, plan_waveform,
};
use scopething_core::vm::Register;
use serde_json::{Map, Value};

const VECTORS: &str = include_str!("../../../tests/data/generator.jsonl");

fn vectors(kind: &str) -> Vec<Value> {
    let all = VECTORS.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.filter(|vector| vector["kind"] == kind).collect()
}

fn waveform(vector: &Value) -> WaveformRequest<'static> {
    let arguments = vector["args"].as_object().unwrap();
    let shape = arguments["waveform"].as_str().unwrap().parse().unwrap();
    let mut request = WaveformRequest::new(arguments["frequency"].as_f64().unwrap(), shape);
    for (key, value) in arguments {
        let number = value.as_f64();
        match key.as_str() {
            "frequency" | "waveform" => {}
            "ratio" => request.symmetry = number.unwrap(),
            "low" => request.low = number.unwrap(),
            "high" => request.high = number.unwrap(),
            "min_samples" => request.min_samples = value.as_u64().unwrap().try_into().unwrap(),
            "max_error" => request.max_error = number.unwrap(),
            other => panic!("unknown argument {other}"),
        }
    }
    request
}

fn clock(vector: &Value) -> ClockRequest {
    let arguments = vector["args"].as_object().unwrap();
    let output =
        ClockOutput { duty: arguments["ratio"].as_f64().unwrap(), ..ClockOutput::new(LogicLine::CLOCK) };
    let mut request = ClockRequest::new(arguments["frequency"].as_f64().unwrap(), &[output]).unwrap();
    if let Some(max_error) = arguments.get("max_error") {
        request.max_error = max_error.as_f64().unwrap();
    }
    request
}

fn named(values: &[(Register, u32)]) -> BTreeMap<String, u64> {
    values.iter().map(|&(register, value)| (register.name().to_owned(), value.into())).collect()
}

fn recorded(step: &Value) -> BTreeMap<String, u64> {
    let registers: &Map<String, Value> = step.as_object().unwrap();
    registers.iter().map(|(name, value)| (name.clone(), value.as_u64().unwrap())).collect()
}

/// The recorded steps end in `KitchenSinkB` and `U`, which the driver adds.
fn assert_steps(plan: &WaveformPlan, steps: &[Value], same_solution: bool) {
    assert_eq!(named(&plan.synthesize().unwrap()), recorded(&steps[0]));
    let (translate, play) = (named(&plan.translate()), named(&plan.play(PlayMode::Repeat)));
    if same_solution {
        assert_eq!(translate, recorded(&steps[2]));
        assert_eq!(play, recorded(&steps[4]));
    }
    let solved = ["Size", "Ratio", "Clock", "Modulo"];
    let fixed = |values: BTreeMap<String, u64>| -> BTreeMap<String, u64> {
        values.into_iter().filter(|(name, _)| !solved.contains(&name.as_str())).collect()
    };
    assert_eq!(fixed(translate), fixed(recorded(&steps[2])));
    assert_eq!(fixed(play), fixed(recorded(&steps[4])));
    let commands: Vec<&str> = steps.iter().filter_map(Value::as_str).collect();
    assert_eq!(commands, ["Y", "X", "Z", "U"]);
}

/// The recorded frequency anew from the recorded registers: the record itself is off by some roundings.
fn recorded_frequency(steps: &[Value]) -> f64 {
    let (translate, play) = (recorded(&steps[2]), recorded(&steps[4]));
    let size = translate["Size"] as f64;
    let waves = (translate["Ratio"] as f64 / 65536.0 * size / 1024.0).round();
    40e6 * waves / (size * play["Clock"] as f64)
}

#[test]
fn waveforms_are_never_further_off_than_recorded() {
    let (mut same, mut as_near, mut nearer, mut refused, mut met_anyway) = (0, 0, 0, 0, 0);
    for vector in vectors("waveform") {
        let request = waveform(&vector);
        let wanted = request.frequency_hz;
        match (plan_waveform(&BS05, &request), vector["expect"]["steps"].as_array()) {
            (Ok(plan), Some(steps)) => {
                let theirs = recorded_frequency(steps);
                assert!((theirs / vector["expect"]["actual"].as_f64().unwrap() - 1.0).abs() < 1e-12);
                let (ours_off, theirs_off) = ((plan.frequency_hz - wanted).abs(), (theirs - wanted).abs());
                assert!(
                    ours_off <= theirs_off,
                    "{} is further off than {theirs}: {vector}",
                    plan.frequency_hz
                );
                assert!((plan.error - (plan.frequency_hz - wanted) / wanted).abs() < 1e-15);
                assert!(plan.samples_per_period >= f64::from(request.min_samples));
                let theirs = (recorded(&steps[2])["Size"], recorded(&steps[4])["Clock"]);
                let is_same = theirs == (plan.timing.size.into(), plan.timing.ticks.into());
                assert_steps(&plan, steps, is_same);
                match (is_same, ours_off < theirs_off) {
                    (true, _) => same += 1,
                    (false, false) => as_near += 1,
                    (false, true) => nearer += 1,
                }
            }
            (Ok(plan), None) => {
                assert!(plan.error.abs() <= request.max_error, "{vector}");
                met_anyway += 1;
            }
            (Err(WaveformError::Unreachable { nearest_error, .. }), None) => {
                assert!(nearest_error.abs() > request.max_error, "{vector}");
                refused += 1;
            }
            (result, _) => panic!("{result:?}: {vector}"),
        }
    }
    println!(
        "waveforms: {same} same, {as_near} as near, {nearer} nearer; of those refused {met_anyway} met, \
         {refused} refused"
    );
    assert_eq!((same + as_near + nearer, met_anyway + refused), (146, 34));
}

#[test]
fn clocks_are_never_further_off_than_recorded() {
    let (mut same, mut nearer, mut refused) = (0, 0, 0);
    for vector in vectors("clock") {
        let request = clock(&vector);
        let wanted = request.frequency_hz;
        match (plan_clocks(&BS05, &request), vector["expect"]["steps"].as_array()) {
            (Ok(plan), Some(steps)) => {
                let actual: Vec<f64> = vector["expect"]["actual"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|v| v.as_f64().unwrap())
                    .collect();
                let theirs = recorded(&steps[0]);
                assert_eq!(steps[1], "Z");
                if u64::from(plan.ticks) == theirs["Clock"] {
                    assert_eq!(named(&plan.registers()), theirs);
                    assert!((plan.frequency_hz / actual[0] - 1.0).abs() < 1e-12);
                    assert!((plan.outputs[0].duty - actual[1]).abs() < 1e-12);
                    same += 1;
                } else {
                    let off = |frequency: f64| (frequency - wanted).abs();
                    assert!(off(plan.frequency_hz) < off(40e6 / theirs["Clock"] as f64), "{vector}");
                    nearer += 1;
                }
            }
            (Err(ClockError::Unreachable { nearest_error, .. }), None) => {
                assert!(nearest_error.abs() > request.max_error, "{vector}");
                refused += 1;
            }
            (result, _) => panic!("{result:?}: {vector}"),
        }
    }
    println!("clocks: {same} same, {nearer} nearer; {refused} refused likewise");
    assert_eq!((same + nearer, refused), (33, 27));
}
