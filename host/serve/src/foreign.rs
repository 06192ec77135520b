//! Recognises HTTP and TLS where neither is spoken, before anything is executed: a web page can make a browser connect
//! to any port, and what the page puts into its request would otherwise be taken for commands.

use std::fmt;

/// The methods of HTTP, each with the blank behind it, and the preface of HTTP/2.
const METHODS: [&[u8]; 10] = [
    b"GET ",
    b"POST ",
    b"OPTIONS ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
    b"PRI * HTTP/2",
];
/// A TLS record with a handshake, of any version ([RFC 8446](https://www.rfc-editor.org/rfc/rfc8446), section 5.1).
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];
/// The magic cookie of STUN, which browsers send over UDP, and where it stands in a datagram
/// ([RFC 8489](https://www.rfc-editor.org/rfc/rfc8489), section 5).
const STUN_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const STUN_COOKIE_AT: usize = 4;

/// A protocol that is not spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Foreign {
    Http,
    Tls,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "it speaks HTTP, as a web page does",
            Self::Tls => "it speaks TLS, as a web page does",
        })
    }
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Foreign(Foreign),
    /// More bytes may make it foreign.
    Undecided,
    Native,
}

impl Opening {
    /// Judges the first bytes of a connection, as many as have come.
    pub(super) fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(TLS_HANDSHAKE) {
            return Self::Foreign(Foreign::Tls);
        }
        if METHODS.iter().any(|method| bytes.starts_with(method)) {
            return Self::Foreign(Foreign::Http);
        }
        let may_begin = |known: &&[u8]| known.starts_with(bytes);
        if METHODS.iter().chain([&TLS_HANDSHAKE]).any(may_begin) { Self::Undecided } else { Self::Native }
    }
}

/// Whether a datagram is a message of STUN.
pub(super) fn is_stun(datagram: &[u8]) -> bool {
    datagram.get(STUN_COOKIE_AT..STUN_COOKIE_AT + STUN_COOKIE.len()) == Some(&STUN_COOKIE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_and_tls_are_known_in_any_pieces() {
        for (bytes, foreign) in [
            (&b"POST / HTTP/1.1\r\n"[..], Foreign::Http),
            (b"GET /", Foreign::Http),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Foreign::Http),
            (b"\x16\x03\x01\x02\x00\x01", Foreign::Tls),
        ] {
            let first = (0..=bytes.len()).map(|length| Opening::of(&bytes[..length]));
            let decided: Vec<_> = first.skip_while(|opening| *opening == Opening::Undecided).collect();
            assert!(!decided.is_empty());
            assert!(decided.iter().all(|opening| *opening == Opening::Foreign(foreign)), "{bytes:?}");
        }
    }

    #[test]
    fn commands_are_native() {
        for bytes in
            [&b"!"[..], b"?", b"[21]@", b"T[", b"GE[", b"*IDN?\n", b"RATE 1000\n", b"\x16[", b":GET ;"]
        {
            assert_eq!(Opening::of(bytes), Opening::Native, "{bytes:?}");
        }
        assert_eq!(Opening::of(b"T"), Opening::Undecided);
    }

    #[test]
    fn stun_is_distinguished_from_commands() {
        let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"[16]@[30]s[1"].concat();
        assert!(is_stun(&request) && !is_stun(&request[..7]) && !is_stun(b"\x05>UD[21]@"));
    }
}
