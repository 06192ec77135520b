//! Channels of a file as those of a trace: A and B, L0 to L7.
//!
//! A trace has room for two analog channels and eight logic lines. A channel keeps the place that its name or bit asks
//! for where that is free, the others take the places that are left, in their order. Each keeps its name as its label.

use scopething_core::plan::LogicLine;
use scopething_waveform::waveform::Channel;

use crate::ReadError;

/// A channel of a file.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    pub(crate) is_analog: bool,
    /// The place that it has by its nature, such as a bit.
    pub(crate) prefers: Option<Channel>,
}

impl Candidate {
    pub(crate) fn new(name: impl Into<String>, is_analog: bool) -> Self {
        Self { name: name.into(), is_analog, prefers: None }
    }

    fn place(&self) -> Option<Channel> {
        let name = self.name.trim();
        let named = name.parse::<Channel>().ok();
        let by_name = named.filter(|channel| channel.is_analog() == self.is_analog);
        by_name.or(self.prefers)
    }
}

/// A channel of a file in its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Assigned {
    /// Which candidate.
    pub(crate) index: usize,
    pub(crate) channel: Channel,
    /// The name in the file, where it is another one.
    pub(crate) label: Option<String>,
}

const ANALOG_ROOM: usize = 2;
const LOGIC_ROOM: usize = 8;

/// Puts channels in their places: those that are wanted, or as many as there is room for, and a warning names the
/// others.
pub(crate) fn assign(
    candidates: &[Candidate],
    wanted: &[String],
    warnings: &mut Vec<String>,
) -> Result<Vec<Assigned>, ReadError> {
    if wanted.is_empty() {
        let all: Vec<usize> = (0..candidates.len()).collect();
        let (taken, left) = with_room(candidates, &all);
        if !left.is_empty() {
            let name = |&index: &usize| candidates.get(index).map_or("", |one| one.name.as_str());
            let names = listed(left.iter().map(name));
            warnings.push(format!(
                "a trace has room for 2 analog channels and 8 logic lines: {names} left out; --channels chooses others"
            ));
        }
        return Ok(placed(candidates, &taken));
    }
    let chosen = chosen(candidates, wanted)?;
    match with_room(candidates, &chosen) {
        (taken, left) if left.is_empty() => Ok(placed(candidates, &taken)),
        _ => Err(ReadError::TooManyChannels),
    }
}

fn chosen(candidates: &[Candidate], wanted: &[String]) -> Result<Vec<usize>, ReadError> {
    let all: Vec<usize> = (0..candidates.len()).collect();
    let default = placed(candidates, &with_room(candidates, &all).0);
    let mut chosen = Vec::new();
    for name in wanted {
        let exact = candidates.iter().position(|one| one.name == *name);
        let alike = || candidates.iter().position(|one| one.name.eq_ignore_ascii_case(name));
        let by_place = || {
            let channel = name.parse::<Channel>().ok()?;
            default.iter().find(|one| one.channel == channel).map(|one| one.index)
        };
        let found = exact.or_else(alike).or_else(by_place);
        if let Some(index) = found {
            chosen.push(index);
        } else if name == "L" && candidates.iter().any(|one| !one.is_analog) {
            chosen.extend(default.iter().filter(|one| !one.channel.is_analog()).map(|one| one.index));
        } else {
            let found = listed(candidates.iter().map(|one| one.name.as_str()));
            return Err(ReadError::NoChannel { wanted: name.clone(), found });
        }
    }
    let mut seen = Vec::new();
    chosen.retain(|index| {
        !seen.contains(index) && {
            seen.push(*index);
            true
        }
    });
    Ok(chosen)
}

/// Names for a message, not more than a line of them.
pub(crate) fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const MAX_NAMES: usize = 20;
    let mut names: Vec<&str> = names.take(MAX_NAMES + 1).collect();
    let more = names.len() > MAX_NAMES;
    names.truncate(MAX_NAMES);
    names.join(", ") + if more { " and more" } else { "" }
}

/// Those for which there is room, and the others.
fn with_room(candidates: &[Candidate], chosen: &[usize]) -> (Vec<usize>, Vec<usize>) {
    let (mut analog, mut logic) = (0, 0);
    chosen.iter().partition(|&&index| {
        let is_analog = candidates.get(index).is_some_and(|one| one.is_analog);
        let (count, room) = if is_analog { (&mut analog, ANALOG_ROOM) } else { (&mut logic, LOGIC_ROOM) };
        *count += 1;
        *count <= room
    })
}

fn placed(candidates: &[Candidate], chosen: &[usize]) -> Vec<Assigned> {
    let mut places: Vec<(usize, Option<Channel>)> = Vec::new();
    for &index in chosen {
        let place = candidates.get(index).and_then(Candidate::place);
        let free = place.filter(|place| places.iter().all(|(_, taken)| *taken != Some(*place)));
        places.push((index, free));
    }
    let mut free_analog = vec![Channel::B, Channel::A];
    let mut free_logic: Vec<Channel> = LogicLine::all().map(Channel::from).collect();
    free_logic.reverse();
    let taken: Vec<Channel> = places.iter().filter_map(|(_, place)| *place).collect();
    free_analog.retain(|channel| !taken.contains(channel));
    free_logic.retain(|channel| !taken.contains(channel));
    let place = |(index, place): (usize, Option<Channel>)| {
        let candidate = candidates.get(index)?;
        let free = if candidate.is_analog { &mut free_analog } else { &mut free_logic };
        let channel = place.or_else(|| free.pop())?;
        let label =
            Some(candidate.name.trim()).filter(|name| !name.is_empty() && *name != channel.to_string());
        Some(Assigned { index, channel, label: label.map(str::to_owned) })
    };
    places.into_iter().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(assigned: &[Assigned]) -> Vec<(usize, String)> {
        assigned.iter().map(|one| (one.index, one.channel.to_string())).collect()
    }

    fn logic(count: usize) -> Vec<Candidate> {
        (0..count).map(|bit| Candidate::new(format!("P{bit}"), false)).collect()
    }

    #[test]
    fn names_and_bits_keep_their_places() {
        let mut bit = Candidate::new("CLK", false);
        bit.prefers = Some(Channel::L[3]);
        let all =
            [Candidate::new("CH1", true), Candidate::new("A", true), bit, Candidate::new("DATA", false)];
        let assigned = assign(&all, &[], &mut Vec::new()).unwrap();
        let expected = [(0, "B"), (1, "A"), (2, "L3"), (3, "L0")];
        assert_eq!(names(&assigned), expected.map(|(index, name)| (index, name.to_owned())));
        assert_eq!((assigned[0].label.as_deref(), assigned[1].label.as_deref()), (Some("CH1"), None));
    }

    #[test]
    fn what_has_no_room_is_named_or_chosen() {
        let mut warnings = Vec::new();
        assert_eq!(assign(&logic(10), &[], &mut warnings).unwrap().len(), 8);
        assert!(warnings.len() == 1 && warnings[0].contains("P8, P9 left out"), "{warnings:?}");
        let wanted = ["P9".to_owned(), "p8".to_owned(), "L2".to_owned()];
        let assigned = assign(&logic(10), &wanted, &mut Vec::new()).unwrap();
        assert_eq!(assigned.iter().map(|one| one.index).collect::<Vec<_>>(), [9, 8, 2]);
        let refused = assign(&logic(10), &["SDA".to_owned()], &mut Vec::new()).unwrap_err().to_string();
        assert!(refused.contains("SDA") && refused.contains("P0, P1"), "{refused}");
        let all: Vec<String> = (0..9).map(|bit| format!("P{bit}")).collect();
        assert!(matches!(assign(&logic(10), &all, &mut Vec::new()), Err(ReadError::TooManyChannels)));
    }
}
