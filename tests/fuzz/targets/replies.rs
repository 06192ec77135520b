//! The parsers of what the device answers, against the form documented in reference.md#2-commands and
//! reference.md#4-a-trace.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_core::vm::{
    FrameEvent, FrameParser, MAX_FRAME_SAMPLES, PrintedByte, Revision, Status, StatusParser, StatusToken,
    check_echo,
};

fuzz_target!(|bytes: &[u8]| {
    status(bytes);
    frames(bytes);
    let mut parser = PrintedByte::new();
    let printed = bytes.iter().find_map(|&byte| parser.push(byte).transpose());
    let form = match bytes {
        [b'\r', digits @ .., b'\r'] if digits.len() == 2 => hex(digits),
        _ => None,
    };
    if bytes.len() <= PrintedByte::LENGTH {
        assert_eq!(printed.and_then(Result::ok).map(u32::from), form);
    }
    if let Some(answer) = bytes.first_chunk::<{ Revision::ANSWER_LENGTH }>() {
        let [first, name @ .., last] = answer;
        let fits = [*first, *last] == *b"\r\r" && name.iter().all(|byte| (b' '..=b'~').contains(byte));
        assert_eq!(Revision::parse(answer).ok(), fits.then_some(Revision(*name)));
    }
    let (script, received) = bytes.split_at(bytes.len() / 2);
    let both = script.len().min(received.len());
    assert_eq!(check_echo(script, received).is_ok(), script[..both] == received[..both]);
});

/// Takes a stream apart, whole and a byte at a time: the same comes out, and no more than went in.
fn frames(bytes: &[u8]) {
    for samples in 1..=MAX_FRAME_SAMPLES {
        let whole = events(&mut FrameParser::new(samples), bytes);
        let mut parser = FrameParser::new(samples);
        let cut: Vec<_> = bytes.chunks(1).flat_map(|byte| events(&mut parser, byte)).collect();
        assert_eq!(whole, cut);
        let frames = whole.iter().filter(|event| matches!(event, FrameEvent::Frame(_))).count();
        assert!(frames * (samples + 2) <= bytes.len());
    }
}

fn events(parser: &mut FrameParser, mut bytes: &[u8]) -> Vec<FrameEvent> {
    std::iter::from_fn(|| parser.next(&mut bytes)).collect()
}

/// Reads a packet as the driver does, never more bytes than are due.
fn status(bytes: &[u8]) {
    let expected = packet(bytes);
    let mut parser = StatusParser::new();
    let mut rest = bytes;
    let mut parsed = None;
    while parser.due() > 0 && parsed.is_none() {
        assert!(parser.due() <= StatusParser::MAX_LENGTH);
        let Some((due, behind)) = rest.split_at_checked(parser.due()) else { break };
        rest = behind;
        parsed = due.iter().find_map(|&byte| parser.push(byte).transpose());
    }
    match parsed {
        Some(Ok(status)) => {
            let (wanted, length) = expected.expect("no packet begins so");
            assert_eq!((status, bytes.len() - rest.len()), (wanted, length));
        }
        Some(Err(_)) | None => assert_eq!(expected, None),
    }
}

/// The packet at the start of the bytes, and its length.
fn packet(bytes: &[u8]) -> Option<(Status, usize)> {
    let field = |start: usize, digits: usize| {
        let text = bytes.get(start..start + digits)?;
        (bytes.get(start + digits) == Some(&b'\r')).then_some(text).and_then(hex)
    };
    let token = StatusToken::from(u8::try_from(field(0, 2)?).ok()?);
    let ticks = field(3, 8)?;
    if token == StatusToken::Wait {
        return Some((Status { token, ticks, address: None }, 12));
    }
    Some((Status { token, ticks, address: Some(field(12, 8)?) }, 21))
}

fn hex(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok()?;
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(text, 16).ok())?
}
