//! Commands in the manner of SCPI, as oscilloscopes with a network socket take them: one line of text,
//! several commands with `;` between them. Knows no instrument's commands.
//!
//! Long forms are taken for their short ones (`:TIMebase:SCALe` is `TIM:SCAL`), and the number behind a word
//! is distinguished from it.
//!
//! ```
//! use scopething_serve::scpi::messages;
//!
//! let all: Vec<_> = messages(b":CHANnel2:SCALe 0.5;*OPC?").collect();
//! assert_eq!((all[0].name.as_str(), all[0].numbers[0], all[0].argument), ("CHAN#:SCAL", Some(2), "0.5"));
//! assert!(all[1].name == "*OPC" && all[1].query);
//! ```

/// One command or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// The words in their short form, upper case, with `:` between them and `#` where one ends in a number.
    pub name: String,
    /// The numbers that stood for the first two `#`.
    pub numbers: [Option<u8>; 2],
    /// Whether it is a query.
    pub query: bool,
    /// What follows the words, without spaces around it.
    pub argument: &'a str,
}

/// The commands of a line, in their order. What is not text counts as nothing.
///
/// A command behind `;` that begins neither with `:` nor with `*` goes on where the last words of the one before it stood
/// (SCPI-99, section 6.2.4): `:TIM:SCAL 1;OFFS 0` also sets `TIM:OFFS`.
pub fn messages(line: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let text = std::str::from_utf8(line).unwrap_or_default();
    let mut path = String::new();
    text.split(';').filter_map(move |text| {
        let text = text.trim();
        let found = message(if text.starts_with([':', '*']) { "" } else { &path }, text)?;
        if !text.starts_with('*') {
            let header = text.split(char::is_whitespace).next().unwrap_or_default();
            let whole = if header.starts_with(':') { header.to_owned() } else { format!("{path}:{header}") };
            path = whole.rsplit_once(':').map_or_else(String::new, |(before, _)| before.to_owned());
        }
        Some(found)
    })
}

fn message<'a>(path: &str, text: &'a str) -> Option<Message<'a>> {
    let (header, argument) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let (header, query) = header.strip_suffix('?').map_or((header, false), |header| (header, true));
    let header = header.strip_prefix(':').unwrap_or(header);
    if header.is_empty() {
        return None;
    }
    let mut name = String::new();
    let mut found = Vec::new();
    let path = path.trim_start_matches(':');
    let path = path.split(':').filter(|word| !word.is_empty());
    for word in path.chain(header.split(':')) {
        if !name.is_empty() {
            name.push(':');
        }
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = word.get(letters.len()..).unwrap_or_default();
        name.push_str(&short_form(letters));
        if !digits.is_empty() {
            name.push('#');
            found.push(digits.parse().ok());
        }
    }
    let number = |index: usize| found.get(index).copied().flatten();
    Some(Message { name, numbers: [number(0), number(1)], query, argument: argument.trim() })
}

/// Four letters, or three where the fourth is a vowel; words of up to four letters are short already.
fn short_form(word: &str) -> String {
    let upper = word.to_ascii_uppercase();
    if upper.starts_with('*') || upper.chars().count() <= 4 {
        return upper;
    }
    let vowel = upper.chars().nth(3).is_some_and(|letter| "AEIOU".contains(letter));
    upper.chars().take(if vowel { 3 } else { 4 }).collect()
}

/// A finite number as clients write it: `5.000000E-04`, `0.001000000`, `+2`.
#[must_use]
pub fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Whether `1`, `ON`, `0` or `OFF` is meant.
#[must_use]
pub fn switch(text: &str) -> Option<bool> {
    match text.trim().to_ascii_uppercase().as_str() {
        "1" | "ON" => Some(true),
        "0" | "OFF" => Some(false),
        _ => None,
    }
}

/// A number with `decimals` decimals and an exponent of at least two digits: `5.000E-04`.
#[must_use]
pub fn exponential(value: f64, decimals: usize) -> String {
    // Instruments know no negative zero.
    let text = format!("{:.decimals$e}", value + 0.0);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}E{sign}{digits:0>2}")
}

/// A block of data of stated length: `#`, the number of digits, the length, the data.
#[must_use]
pub fn block(data: &[u8]) -> Vec<u8> {
    let length = data.len().to_string();
    [format!("#{}{length}", length.len()).as_bytes(), data].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn only(line: &str) -> Message<'_> {
        let mut all = messages(line.as_bytes());
        let first = all.next().expect("a message");
        assert_eq!(all.next(), None);
        first
    }

    #[test]
    fn long_forms_are_their_short_ones() {
        for (long, short) in [
            (":TIMebase:SCALe?", "TIM:SCAL"),
            ("TRIGger:EDGE:SLOPe?", "TRIG:EDGE:SLOP"),
            (":WAVeform:SOURce?", "WAV:SOUR"),
            (":CHANnel1:OFFSet?", "CHAN#:OFFS"),
            ("*idn?", "*IDN"),
            (":pod1:thr:udl2?", "POD#:THR:UDL#"),
        ] {
            assert_eq!(only(long).name, short);
        }
        assert_eq!(only(":POD1:THR:UDL2?").numbers, [Some(1), Some(2)]);
        assert_eq!(only(":CHAN999:SCAL?").numbers, [None, None]);
    }

    #[test]
    fn line_may_hold_several() {
        let names: Vec<_> =
            messages(b":FORM:BORD LSBF;:FORM REAL,32;:CHAN1:DATA?\r").map(|m| m.name).collect();
        assert_eq!(names, ["FORM:BORD", "FORM", "CHAN#:DATA"]);
        assert_eq!(messages(b" ; ;;\r").count(), 0);
        let joined: Vec<_> =
            messages(b":CHANnel2:SCALe 1;OFFSet 0;*OPC?;DISP?;:RUN;STOP;TRIG:SWE?;EDGE:SOUR?;SLOP?")
                .collect();
        let names: Vec<_> = joined.iter().map(|message| message.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "CHAN#:SCAL",
                "CHAN#:OFFS",
                "*OPC",
                "CHAN#:DISP",
                "RUN",
                "STOP",
                "TRIG:SWE",
                "TRIG:EDGE:SOUR",
                "TRIG:EDGE:SLOP"
            ]
        );
        assert_eq!(joined[3].numbers, [Some(2), None]);
        assert_eq!(messages(&[0xff, b'?']).count(), 0);
    }

    #[test]
    fn numbers_are_printed_as_instruments_do() {
        assert_eq!(exponential(5e-4, 3), "5.000E-04");
        assert_eq!(exponential(1e6, 6), "1.000000E+06");
        assert_eq!(
            (exponential(0.0, 3), exponential(-0.0, 3)),
            ("0.000E+00".to_owned(), "0.000E+00".to_owned())
        );
        assert_eq!(exponential(-2.5e-12, 1), "-2.5E-12");
        assert_eq!(
            (number("1.0e-3"), number("nan"), number("inf"), number("x")),
            (Some(1e-3), None, None, None)
        );
    }

    #[test]
    fn block_carries_its_length() {
        assert_eq!(block(&[7; 12])[..4], *b"#212");
        assert_eq!(block(&[]), b"#10");
    }

    proptest! {
        #![proptest_config(crate::fixed_seed::fixed_seed(512))]

        #[test]
        fn any_line_is_read(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            for message in messages(&line) {
                prop_assert!(!message.name.is_empty());
            }
        }
    }
}
