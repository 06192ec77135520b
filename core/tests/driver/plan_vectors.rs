//! The planner against what a working driver decided: `tests/data/plan.jsonl`.

use scopething_core::device::BS05;
use scopething_core::plan::{
    BusyOutputs, CapturePlan, CaptureRequest, ChannelSet, LogicPattern, Notice, PlanError, TriggerSource,
    plan_capture,
};
use serde_json::{Map, Value};

const VECTORS: &str = include_str!("../../../tests/data/plan.jsonl");

fn trigger(value: &Value) -> TriggerSource {
    if let Some(name) = value.as_str() {
        return name.parse().unwrap();
    }
    let mut pattern = LogicPattern { care: 0, high: 0 };
    for (name, level) in value.as_object().unwrap() {
        let bit = 1 << name[1..].parse::<u8>().unwrap();
        pattern.care |= bit;
        pattern.high |= if level.as_u64() == Some(1) { bit } else { 0 };
    }
    TriggerSource::Logic(pattern)
}

fn request(arguments: &Map<String, Value>) -> CaptureRequest {
    let names: Vec<&str> =
        arguments["channels"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let number = |key: &str| arguments.get(key).map(|value| value.as_f64().unwrap());
    let mut request = CaptureRequest::new(names.join(",").parse::<ChannelSet>().unwrap());
    for key in arguments.keys() {
        match key.as_str() {
            "channels" => {}
            "period" => request.period_s = number(key).unwrap(),
            "nsamples" => request.samples = arguments[key].as_u64().unwrap().try_into().unwrap(),
            "low" => request.low = number(key),
            "high" => request.high = number(key),
            "trigger_level" => request.level = number(key),
            "trigger_type" => request.trigger_type = arguments[key].as_str().unwrap().parse().unwrap(),
            "hair_trigger" => request.hair_trigger = arguments[key].as_bool().unwrap(),
            "trigger_position" => request.position = number(key).unwrap(),
            "timeout" => request.timeout_s = number(key),
            "trigger" => request.trigger = Some(trigger(&arguments[key])),
            other => panic!("unknown argument {other}"),
        }
    }
    request
}

fn planned(vector: &Value) -> Result<CapturePlan, PlanError> {
    let driven = match (vector.get("awg"), vector.get("clock")) {
        (Some(_), _) => BusyOutputs::WAVEFORM,
        (_, Some(_)) => BusyOutputs::CLOCK,
        _ => BusyOutputs::NOTHING,
    };
    plan_capture(&BS05, &BS05.analog, &request(vector["args"].as_object().unwrap()), driven)
}

#[test]
fn every_planned_vector_is_met_register_for_register() {
    let mut met = 0;
    for line in VECTORS.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let Some(expected) = vector["expect"]["registers"].as_object() else { continue };
        let plan = planned(&vector).unwrap_or_else(|error| panic!("{error}: {line}"));
        let registers = plan.registers();
        assert_eq!(registers.len(), expected.len());
        for (register, value) in registers {
            assert_eq!(Value::from(value), expected[register.name()], "{register:?} of {line}");
        }
        met += 1;
    }
    assert_eq!(met, 347);
}

#[test]
fn refused_vectors_report_the_limits() {
    let (mut nearly, mut refused) = (0, 0);
    for line in VECTORS.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        if vector["expect"].get("error").is_none() {
            continue;
        }
        match planned(&vector) {
            Ok(plan) => {
                assert!(plan.notices.iter().any(Notice::is_adjustment), "{line}");
                let sample_s = plan.tick_period_s() * 2.0;
                let period_s = vector["args"]["period"].as_f64().unwrap();
                assert!((plan.duration_s() - period_s).abs() < sample_s, "{line}");
                nearly += 1;
            }
            Err(PlanError::PeriodTooLong { period_s, longest_s, .. }) => {
                assert!(period_s > longest_s, "{line}");
                refused += 1;
            }
            Err(error) => panic!("{error}: {line}"),
        }
    }
    assert_eq!(nearly + refused, 53);
    assert!(nearly >= 50, "{nearly} met nearly");
}
