//! How a server reports that another client has its device: one line, seen by clients that read what they are sent.
//!
//! Over TCP it is sent before the connection is closed, over UDP as the data of an answer. Drivers that know
//! nothing of it take it for an answer of no BitScope.

const PREFIX: &str = "refused: ";
const SUFFIX: &str = " has the device";

/// The longest name of a client; what is longer is no refusal.
const MAX_OWNER: usize = 100;

/// The longest refusal, its end of line included.
pub const MAX_LENGTH: usize = PREFIX.len() + MAX_OWNER + SUFFIX.len() + "\r\n".len();

/// The refusal, without an end of line.
#[must_use]
pub fn line(owner: &str) -> String {
    format!("{PREFIX}{owner}{SUFFIX}")
}

/// Another refusal than that another client has the device, without an end of line.
#[must_use]
pub fn other(reason: &str) -> String {
    format!("{PREFIX}{reason}")
}

/// Why a client is refused, for a log.
#[must_use]
pub fn reason(owner: &str) -> String {
    format!("{owner}{SUFFIX}")
}

/// Who has the device, if the bytes are such a refusal.
#[must_use]
pub fn owner(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end_matches(['\r', '\n']);
    let owner = text.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let printable = owner.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    (printable && !owner.is_empty() && owner.len() <= MAX_OWNER).then_some(owner)
}

/// Why the server has taken the device away, if that is what bytes end with: it may come after a part of an answer.
#[must_use]
pub fn dismissal(bytes: &[u8]) -> Option<&str> {
    let at = bytes.windows(PREFIX.len()).rposition(|part| part == PREFIX.as_bytes())?;
    let text = std::str::from_utf8(bytes.get(at + PREFIX.len()..)?).ok()?.trim_end_matches(['\r', '\n']);
    let printable = text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    (printable && !text.is_empty() && text.len() <= MAX_OWNER && !text.ends_with(SUFFIX)).then_some(text)
}

/// Whether bytes may be the beginning of a refusal.
#[must_use]
pub fn may_begin(bytes: &[u8]) -> bool {
    let length = bytes.len().min(PREFIX.len());
    bytes.len() <= MAX_LENGTH && bytes.get(..length) == PREFIX.as_bytes().get(..length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_is_read_as_it_was_written() {
        let line = line("tcp [::1]:40000");
        assert_eq!(line, "refused: tcp [::1]:40000 has the device");
        assert_eq!(owner(line.as_bytes()), Some("tcp [::1]:40000"));
        assert_eq!(owner(format!("{line}\r\n").as_bytes()), Some("tcp [::1]:40000"));
        assert!((0..line.len()).all(|length| may_begin(&line.as_bytes()[..length])));
    }

    #[test]
    fn dismissal_is_read_behind_an_answer() {
        let notice = other("the device was given to others after 5 s");
        for bytes in [notice.clone(), format!(">UD02\r{notice}\r\n")] {
            assert_eq!(dismissal(bytes.as_bytes()), Some("the device was given to others after 5 s"));
        }
        assert_eq!(dismissal(line("tcp [::1]:40000").as_bytes()), None);
        assert_eq!(dismissal(b"?\rBS000501\r"), None);
    }

    #[test]
    fn what_a_device_answers_is_no_refusal() {
        for bytes in [
            &b"?\rBS000501\r"[..],
            b"r\r44\r",
            b"refused: ",
            b"refused:  has the device",
            b"refused: \x1b[2J has the device",
        ] {
            assert_eq!(owner(bytes), None, "{bytes:?}");
        }
        assert!(!may_begin(b"!") && !may_begin(b"r\r44\r") && !may_begin(&[b'r'; MAX_LENGTH + 1]));
    }
}
