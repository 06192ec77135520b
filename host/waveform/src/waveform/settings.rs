//! What a capture was made with.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

/// What a capture was made with. As JSON it goes into every file that can hold it; what is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The request, as JSON in the words of a job file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<BTreeMap<String, SettingValue>>,
    /// What became of the request: mode, ticks of the device's clock a sample, samples, deviations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<BTreeMap<String, SettingValue>>,
    /// The device, such as `BS000501`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The serial number of the device or of its adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// The program and its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// When the capture was read, in UTC by the computer's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_time: Option<String>,
    /// Whether that clock was synchronised: `synchronised`, `not synchronised` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_clock: Option<String>,
}

/// A value among settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// Yes or no.
    Flag(bool),
    /// A number in the unit that its key has; a whole one is written as an integer.
    #[serde(serialize_with = "number")]
    Number(f64),
    /// A word.
    Text(String),
    /// Several words.
    Texts(Vec<String>),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn number<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    // From 2^53 on a 64-bit float does not have all whole numbers.
    const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() < MAX_WHOLE {
        serializer.serialize_i64(*number as i64)
    } else {
        serializer.serialize_f64(*number)
    }
}
