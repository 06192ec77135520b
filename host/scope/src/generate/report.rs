//! What the generators will do, in words and as JSON.

use std::time::Duration;

use scopething_core::device::BS05;
use scopething_core::plan::{LogicLine, PlayMode, TriggerSource, WAVEFORM_OUTPUT};
use scopething_core::vm::Register;
use serde_json::{Map, Value, json};

use super::GeneratorPlan;
use super::request::frequency;

impl GeneratorPlan<'_> {
    /// How long it takes, if it ends by itself.
    #[must_use]
    pub fn ends_after(&self) -> Option<Duration> {
        match self {
            Self::Wave(plan, PlayMode::Once) => {
                let ticks = f64::from(plan.timing.size) * f64::from(plan.timing.ticks);
                Some(Duration::from_secs_f64(ticks / BS05.clock_hz))
            }
            _ => None,
        }
    }

    /// Names and values, in words.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        match self {
            Self::Wave(plan, _) => {
                let timing = plan.timing;
                rows.push(("waveform", plan.shape.to_string()));
                rows.push(("frequency", frequency(plan.frequency_hz, plan.error)));
                rows.push(("samples a period", format!("{:.5}", plan.samples_per_period)));
                rows.push(("amplitude steps", plan.amplitude_steps.to_string()));
                rows.push((
                    "play buffer",
                    format!(
                        "{} samples of {} ticks, periods in it: {}",
                        timing.size, timing.ticks, timing.waves
                    ),
                ));
            }
            Self::Clocks(plan) => {
                rows.push(("frequency", frequency(plan.frequency_hz, plan.error)));
                rows.push(("period", format!("{} ticks", plan.ticks)));
                for output in &plan.outputs {
                    let (duty, phase) = (output.duty * 100.0, output.phase * 360.0);
                    rows.push((
                        "clock",
                        format!("{}, {duty:.4} % high, phase {phase:.4} degrees", output.line),
                    ));
                }
            }
            Self::Levels(levels, _) => {
                rows.push(("held", format!("{} (experimental)", TriggerSource::Logic(*levels))));
            }
        }
        rows
    }

    /// An object for programs: `actual`, and the registers and commands in their order.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Wave(plan, _) => json!({
                "actual": plan.frequency_hz,
                "frequency_error": plan.error,
                "samples_per_period": plan.samples_per_period,
                "amplitude_steps": plan.amplitude_steps,
                "size": plan.timing.size,
                "waves": plan.timing.waves,
                "ticks": plan.timing.ticks,
                "steps": self.steps(),
            }),
            Self::Clocks(plan) => {
                let duties = plan.outputs.iter().map(|output| output.duty);
                json!({
                    "actual": std::iter::once(plan.frequency_hz).chain(duties).collect::<Vec<_>>(),
                    "frequency_error": plan.error,
                    "ticks": plan.ticks,
                    "outputs": plan.outputs.iter().map(|output| {
                        let line = output.line.to_string();
                        json!({"line": line, "phase": output.phase, "duty": output.duty})
                    }).collect::<Vec<_>>(),
                    "steps": self.steps(),
                })
            }
            Self::Levels(levels, _) => {
                let lines = LogicLine::all().filter(|line| levels.care & line.bit() != 0);
                let level = |line: LogicLine| u8::from(levels.high & line.bit() != 0);
                let held: Map<String, Value> =
                    lines.map(|line| (line.to_string(), level(line).into())).collect();
                json!({"actual": held, "experimental": true, "steps": self.steps()})
            }
        }
    }

    /// Register values and the commands that use them.
    fn steps(&self) -> Vec<Value> {
        match self {
            Self::Wave(plan, mode) => {
                let mut steps = match plan.synthesize() {
                    Some(synthesize) => vec![registers(&synthesize), "Y".into()],
                    None => {
                        vec![registers(&plan.table_start()), json!({"W": plan.table().collect::<Vec<_>>()})]
                    }
                };
                let output = [(Register::KitchenSinkB, u32::from(WAVEFORM_OUTPUT))];
                steps.extend([registers(&plan.translate()), "X".into()]);
                steps.extend([registers(&plan.play(*mode)), "Z".into()]);
                steps.extend([registers(&output), "U".into()]);
                steps
            }
            Self::Clocks(plan) | Self::Levels(_, plan) => {
                vec![registers(&plan.registers()), "U".into(), "Z".into()]
            }
        }
    }
}

fn registers(values: &[(Register, u32)]) -> Value {
    values.iter().map(|&(register, value)| (register.name(), Value::from(value))).collect()
}
