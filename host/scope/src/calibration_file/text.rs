//! The text of the file of calibrations: an INI file in which all that is not written anew stays as it is.

use std::ops::Range;

use ini_roundtrip::{Item, Parser};
use scopething_core::device::AnalogParameters;

use crate::link::LinkUrl;
use crate::probe_numbers::{NUMBERS, of_numbers, to_numbers};

/// Why a line is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFault {
    /// A section's name without its end.
    UnendedSection,
    /// A value before any section.
    OutsideSection,
    /// Neither a section, a value nor a comment.
    NoValue,
}

/// The lines of a text that are passed over.
pub(super) fn ignored(text: &str) -> Vec<(usize, LineFault)> {
    let mut parser = Parser::new(text);
    let mut ignored = Vec::new();
    let (mut has_section, mut follows_value) = (false, false);
    loop {
        let start = text.len() - parser.remainder().len();
        let Some(item) = parser.next() else { return ignored };
        let fault = match item {
            Item::Section { .. } => {
                has_section = true;
                None
            }
            Item::Property { raw, .. } if raw.starts_with([' ', '\t']) && follows_value => continue,
            Item::Property { .. } if !has_section => Some(LineFault::OutsideSection),
            Item::Property { key, val: None, .. } if !key.contains(':') => Some(LineFault::NoValue),
            Item::Property { .. } => None,
            Item::Error(line) if line.trim_start().starts_with('[') => Some(LineFault::UnendedSection),
            Item::Error(_) => Some(LineFault::NoValue),
            Item::Comment { .. } | Item::Blank { .. } | Item::SectionEnd => continue,
        };
        follows_value = fault.is_none();
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        ignored.extend(fault.map(|fault| (line, fault)));
    }
}

/// A probe's line, with those that go on with it.
#[derive(Debug)]
pub(super) struct Entry {
    range: Range<usize>,
    pub(super) value: String,
}

/// What a text has of a section and a probe in it, as places in the text.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entry: Option<Entry>,
    /// Behind the section's last line that is not blank.
    section_end: Option<usize>,
}

/// The number of an entry's line, from 1 on.
pub(super) fn line_of(text: &str, entry: &Entry) -> usize {
    text.get(..entry.range.start).unwrap_or_default().lines().count() + 1
}

/// Whether two names of sections stand for one link: a serial port has several.
fn is_same_link(one: &str, other: &str) -> bool {
    let link = |name: &str| name.parse::<LinkUrl>().ok();
    one == other || link(one).is_some_and(|one| link(other) == Some(one))
}

/// Looks for the first section of this name, and the first line of this probe in it.
pub(super) fn find(text: &str, section: &str, probe: &str) -> Found {
    let mut found = Found::default();
    let mut parser = Parser::new(text);
    let (mut inside, mut goes_on) = (false, false);
    loop {
        let start = text.len() - parser.remainder().len();
        let Some(item) = parser.next() else { return found };
        let end = text.len() - parser.remainder().len();
        match item {
            Item::Section { .. } if found.section_end.is_some() => return found,
            Item::Section { name, .. } => inside = is_same_link(name, section),
            Item::Property { key, val, raw } if inside => {
                let value = val.map(|value| (key, value)).or_else(|| key.split_once(':'));
                let is_probe = |(key, _): &(&str, &str)| key.trim().eq_ignore_ascii_case(probe);
                if raw.starts_with([' ', '\t']) && goes_on {
                    if let Some(entry) = &mut found.entry {
                        entry.range.end = end;
                        entry.value = format!("{} {}", entry.value, raw.trim());
                    }
                } else if let (Some((_, value)), None) = (value.filter(is_probe), &found.entry) {
                    found.entry = Some(Entry { range: start..end, value: value.trim().to_owned() });
                    goes_on = true;
                } else {
                    goes_on = false;
                }
            }
            Item::Comment { .. } | Item::Error(_) => goes_on = false,
            Item::Property { .. } | Item::Blank { .. } | Item::SectionEnd => {}
        }
        if inside && !matches!(item, Item::Blank { .. } | Item::SectionEnd) {
            found.section_end = Some(end);
        }
    }
}

pub(super) fn parse(value: &str) -> Option<AnalogParameters> {
    let numbers: Vec<f64> = value.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let numbers = <[f64; NUMBERS.len()]>::try_from(numbers).ok()?;
    numbers.iter().all(|number| number.is_finite()).then(|| of_numbers(numbers))
}

/// The text with a probe's line replaced, or added to its section, or added with its section.
pub(super) fn with_entry(text: &str, section: &str, probe: &str, parameters: &AnalogParameters) -> String {
    let numbers = to_numbers(parameters).map(|number| number.to_string());
    let line = format!("{probe} = {}", numbers.join(" "));
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (range, new) = match find(text, section, probe) {
        Found { entry: Some(Entry { range, .. }), .. } => (range, format!("{line}{line_end}")),
        Found { section_end: Some(end), .. } => (end..end, format!("{line}{line_end}")),
        Found { .. } => {
            let blank = if text.is_empty() { "" } else { line_end };
            (text.len()..text.len(), format!("{blank}[{section}]{line_end}{line}{line_end}"))
        }
    };
    let (before, after) =
        (text.get(..range.start).unwrap_or(text), text.get(range.end..).unwrap_or_default());
    let unended = !before.is_empty() && !before.ends_with(['\r', '\n']);
    format!("{before}{}{new}{after}", if unended { line_end } else { "" })
}

/// A probe of which each number is another.
#[cfg(test)]
pub(super) const PROBE: AnalogParameters = AnalogParameters {
    la: 1.5,
    lb: -0.25,
    lc: 0.0,
    ha: 2.5,
    hb: -0.125,
    hc: 1e-5,
    scale: 18.0,
    offset: -7.5,
    safe_low: -5.0,
    safe_high: 8.25,
    ab_offset: 0.1,
    attenuation: scopething_core::device::Attenuation::NONE,
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = "1.5 -0.25 0 2.5 -0.125 0.00001 18 -7.5 -5 8.25 0.1";

    fn written(text: &str, section: &str, probe: &str) -> String {
        with_entry(text, section, probe, &PROBE)
    }

    fn value_of(text: &str, section: &str, probe: &str) -> Option<String> {
        find(text, section, probe).entry.map(|entry| entry.value)
    }

    #[test]
    fn empty_file_gets_a_section() {
        assert_eq!(written("", "sim:", "x1"), format!("[sim:]\nx1 = {LINE}\n"));
    }

    #[test]
    fn link_is_found_under_each_name() {
        let text = "[file:///dev/ttyUSB0]\nx1 = 1\n[SOCKET://h:1]\nx1 = 2\n";
        for (section, value) in [
            ("/dev/ttyUSB0", Some("1")),
            ("socket:///dev/ttyUSB0", Some("1")),
            ("socket://h:1", Some("2")),
            ("/dev/ttyUSB1", None),
            ("socket://h:2", None),
        ] {
            assert_eq!(value_of(text, section, "x1").as_deref(), value, "{section}");
        }
        assert_eq!(written(text, "/dev/ttyUSB0", "x1"), text.replace("x1 = 1", &format!("x1 = {LINE}")));
    }

    #[test]
    fn only_the_probes_own_line_changes() {
        let text = "# mine\n\n[a]\nx1 = 1\n\n[socket://h:1]\n; probes\nx10=2\nX1 = 3 4\n\n[b]\nx1: 5\n";
        let expected = text.replace("X1 = 3 4", &format!("x1 = {LINE}"));
        assert_eq!(written(text, "socket://h:1", "x1"), expected);
    }

    #[test]
    fn new_probe_is_appended_to_its_section() {
        let text = "[a]\nx1 = 1\n# note\n\n\n[b]\nx1 = 2\n";
        let expected = format!("[a]\nx1 = 1\n# note\nx10 = {LINE}\n\n\n[b]\nx1 = 2\n");
        assert_eq!(written(text, "a", "x10"), expected);
        assert_eq!(written("[a]\n[b]\n", "a", "x1"), format!("[a]\nx1 = {LINE}\n[b]\n"));
    }

    #[test]
    fn new_section_comes_last() {
        let expected = format!("[a]\nx1 = 1\n\n[b]\nx1 = {LINE}\n");
        assert_eq!(written("[a]\nx1 = 1\n", "b", "x1"), expected);
        assert_eq!(written("[a]\nx1 = 1", "b", "x1"), expected);
    }

    #[test]
    fn line_ends_stay_what_they_are() {
        let expected = format!("[a]\r\nx1 = {LINE}\r\n# end\r\n");
        assert_eq!(written("[a]\r\nx1 = 1\r\n# end\r\n", "a", "x1"), expected);
        assert_eq!(written("[a]\nx1 = 1", "a", "x10"), format!("[a]\nx1 = 1\nx10 = {LINE}\n"));
    }

    #[test]
    fn continuation_lines_are_one_value() {
        let text = "[a]\nx1 = 1 2\n  3 4\n\t5\nx10 = 6\n";
        assert_eq!(value_of(text, "a", "x1").unwrap(), "1 2 3 4 5");
        assert_eq!(value_of(text, "a", "x10").unwrap(), "6");
        assert_eq!(written(text, "a", "x1"), format!("[a]\nx1 = {LINE}\nx10 = 6\n"));
    }

    #[test]
    fn first_duplicate_counts() {
        let text = "[a]\nx1 = 1\nx1 = 2\n[a]\nx10 = 3\n";
        assert_eq!(value_of(text, "a", "x1").unwrap(), "1");
        assert_eq!(value_of(text, "a", "x10"), None);
        assert_eq!(value_of("x1 = 1\n[b\n", "b", "x1"), None);
    }

    #[test]
    fn eleven_finite_numbers_are_parameters() {
        assert_eq!(parse(LINE), Some(PROBE));
        assert_eq!(parse(&LINE.replace("0.00001", "1e-05")), Some(PROBE));
        for broken in
            ["", "1 2 3", &format!("{LINE} 1"), &LINE.replace("18", "nan"), &LINE.replace("18", "x")]
        {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_the_file_holds_all_other_lines_survive(
            lines in prop::collection::vec(
                prop_oneof![
                    Just("[a]".to_owned()), Just("[b]".to_owned()), Just(String::new()),
                    "(x1|x10|X1) ?[=:] ?[0-9 .]{0,8}", "[ \t]{0,2}[#;\\[]?[a-z =\\]\\[é]{0,6}",
                ],
                0..12,
            ),
            line_end in prop_oneof![Just("\n"), Just("\r\n")],
            ended in any::<bool>(),
        ) {
            let mut text = lines.join(line_end);
            if ended {
                text.push_str(line_end);
            }
            let before = find(&text, "a", "x1");
            let after = with_entry(&text, "a", "x1", &PROBE);
            prop_assert_eq!(value_of(&after, "a", "x1"), Some(LINE.to_owned()));
            prop_assert_eq!(value_of(&after, "b", "x1"), value_of(&text, "b", "x1"));
            prop_assert_eq!(value_of(&after, "a", "x10"), value_of(&text, "a", "x10"));
            // What was not the probe's own is still there, in its order.
            let old = before.entry.map_or(text.len()..text.len(), |entry| entry.range);
            let kept = format!("{}{}", &text[..old.start], &text[old.end..]);
            let mut rest = after.lines();
            for line in kept.lines() {
                prop_assert!(rest.any(|other| other == line), "{line:?} of {text:?} is lost in {after:?}");
            }
        }
    }
}
