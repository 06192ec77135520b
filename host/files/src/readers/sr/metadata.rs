//! The key file of a session: its device's channels and sample rate.

use std::collections::BTreeMap;

use scopething_core::plan::LogicLine;

use crate::ReadError;
use crate::readers::assign::Candidate;
use crate::writers::sr::{FACTS, LOGIC};

/// More bytes a sample than any logic analyser has.
const MAX_UNIT_BYTES: usize = 128;

/// A channel.
pub(super) struct Probe {
    /// Counts from 1; the analog ones follow on the logic ones.
    pub(super) number: usize,
    name: String,
    pub(super) is_analog: bool,
    /// The line of its bit, where all probes have one.
    line: Option<LogicLine>,
}

impl Probe {
    /// The bit of a logic probe within a sample.
    pub(super) fn bit(&self) -> usize {
        self.number - 1
    }

    /// The entry of an analog probe, without the number of the chunk.
    pub(super) fn entry(&self) -> String {
        format!("analog-1-{}", self.number)
    }

    pub(super) fn candidate(&self) -> Candidate {
        Candidate { prefers: self.line.map(Into::into), ..Candidate::new(self.name.clone(), self.is_analog) }
    }
}

/// What the key file has of the first device.
pub(super) struct Metadata {
    pub(super) rate_hz: Option<f64>,
    /// Analog ones first, each kind by number.
    pub(super) probes: Vec<Probe>,
    pub(super) unit_bytes: usize,
    capture_file: String,
    /// What the user should know of it.
    pub(super) warning: Option<String>,
    /// What [our writer](crate::writers::sr) adds.
    pub(super) facts: Vec<(String, String)>,
}

impl Metadata {
    pub(super) fn parse(text: &str) -> Result<Self, ReadError> {
        let pairs = section(text, |name| name.starts_with("device "));
        let value = |key: &str| pairs.get(key).copied();
        let numbered = |prefix: &str, is_analog| {
            let mut probes: Vec<Probe> = pairs
                .iter()
                .filter_map(|(key, name)| {
                    let number = key.strip_prefix(prefix)?.parse().ok().filter(|&number| number > 0)?;
                    Some(Probe { number, name: (*name).to_owned(), is_analog, line: None })
                })
                .collect();
            probes.sort_by_key(|probe| probe.number);
            probes
        };
        let mut logic = numbered("probe", false);
        let highest = logic.last().map_or(1, |probe| probe.number);
        let unit_bytes = match value("unitsize") {
            Some(text) => text
                .parse()
                .ok()
                .filter(|bytes| (1..=MAX_UNIT_BYTES).contains(bytes))
                .ok_or_else(|| fault(format!("{text:?} is not a unitsize; 1 to {MAX_UNIT_BYTES} are")))?,
            None => highest.div_ceil(8).min(MAX_UNIT_BYTES),
        };
        // sigrok names the channels of a device also where it saved the samples of fewer.
        let mut without_bits = Vec::new();
        logic.retain(|probe| {
            let has_bit = probe.bit() < 8 * unit_bytes;
            if !has_bit {
                without_bits.push(probe.name.clone());
            }
            has_bit
        });
        if logic.iter().all(|probe| probe.bit() < 8) {
            for probe in &mut logic {
                probe.line = u8::try_from(probe.bit()).ok().and_then(LogicLine::new);
            }
        }
        let names = crate::readers::assign::listed(without_bits.iter().map(String::as_str));
        let warning = format!("{names} left out: samples of {unit_bytes} bytes have no bits of them");
        let rate_hz = match value("samplerate") {
            Some("0" | "0 Hz") | None => None,
            Some(text) => {
                Some(parse_rate(text).ok_or_else(|| fault(format!("{text:?} is not a sample rate")))?)
            }
        };
        let mut probes = numbered("analog", true);
        probes.extend(logic);
        if probes.is_empty() {
            return Err(fault("it names no channel; this session holds no samples".to_owned()));
        }
        let own = section(text, |name| name == FACTS);
        Ok(Self {
            rate_hz,
            probes,
            unit_bytes,
            capture_file: value("capturefile").unwrap_or(LOGIC).to_owned(),
            warning: (!without_bits.is_empty()).then_some(warning),
            facts: own.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        })
    }

    pub(super) fn logic_entry(&self) -> Result<&str, ReadError> {
        if self.capture_file.starts_with("logic") {
            Ok(&self.capture_file)
        } else {
            Err(fault(format!("{:?} is not a capturefile", self.capture_file)))
        }
    }
}

/// The pairs of the first section of such a name.
fn section(text: &str, is_named: impl Fn(&str) -> bool) -> BTreeMap<&str, &str> {
    let heading =
        |line: &str| line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(&is_named);
    let lines = text.lines().map(str::trim).skip_while(|line| !heading(line)).skip(1);
    let pairs = lines.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    pairs.map(|(key, value)| (key.trim(), value.trim())).collect()
}

fn fault(reason: String) -> ReadError {
    ReadError::Entry { entry: "metadata".to_owned(), reason }
}

/// `100 kHz`, `1000000 Hz`, `2.5 MHz` or `1000000`, in hertz. As sigrok reads it, whether the prefix is a capital makes
/// no difference: `2 mHz` is 2 MHz.
pub(super) fn parse_rate(text: &str) -> Option<f64> {
    let text = text.strip_suffix("Hz").or_else(|| text.strip_suffix("hz")).unwrap_or(text).trim_end();
    let (number, factor) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (text.get(..at)?, 1e3),
        (at, 'm' | 'M') => (text.get(..at)?, 1e6),
        (at, 'g' | 'G') => (text.get(..at)?, 1e9),
        (at, 't' | 'T') => (text.get(..at)?, 1e12),
        _ => (text, 1.0),
    };
    let rate_hz = number.trim_end().parse::<f64>().ok()? * factor;
    (rate_hz.is_finite() && rate_hz > 0.0).then_some(rate_hz)
}
