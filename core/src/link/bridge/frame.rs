//! Frames: a message with its number and a checksum, COBS between two zero bytes.
//!
//! Between the zero bytes, once COBS is undone: the [`VERSION`] of the protocol, the number of the request (a
//! varint), the message in postcard's format, and the CRC-32 of all that, low byte first. The checksum is
//! looked at first, the version next, and nothing else of a frame of another version.
//!
//! Neither [`encode`] nor [`decode`] panics, whatever the bytes.

use core::fmt;

use postcard::ser_flavors::{Cobs, Slice, crc::CrcModifier};
use serde::{Deserialize, Serialize};

/// The version of frames and messages. A bridge with another version is rejected with a request to update.
pub const VERSION: u8 = 6;

/// The most payload bytes of a stored trace in one answer.
pub const DATA_BYTES: usize = 1024;
/// Room for any frame with a request, zero bytes included.
pub const MAX_REQUEST: usize = 448;
/// Room for any frame with an answer, zero bytes included: [`DATA_BYTES`] with what goes around them.
pub const MAX_RESPONSE: usize = DATA_BYTES + 64;

/// The checksum of frames and of stored traces: the CRC-32 of Ethernet and zip.
pub static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// Bytes of the checksum.
const CRC_BYTES: usize = 4;

/// Why no message could be put into a frame or taken out of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrameError {
    /// The message does not fit the buffer.
    TooLong,
    /// Bytes were lost or changed on the way.
    Corrupt,
    /// The other end speaks another version.
    Version {
        /// Which one.
        found: u8,
    },
    /// The frame arrived whole, but holds no message that is known here.
    Unknown,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("the message does not fit a frame"),
            Self::Corrupt => f.write_str("a frame arrived damaged: check the wires and the baud rate"),
            Self::Version { found } => write!(
                f,
                "the bridge speaks version {found} and this program version {VERSION}: flash the firmware that \
                 belongs to this program"
            ),
            Self::Unknown => f.write_str(
                "a frame holds an unknown message: flash the firmware that belongs to this program, or update this \
                 program",
            ),
        }
    }
}

impl core::error::Error for FrameError {}

/// Writes the frame of a message into `buffer`, and gives the part that holds it: from one zero byte to the
/// next.
///
/// # Errors
/// [`FrameError::TooLong`] if the buffer is too small.
pub fn encode<'a>(
    buffer: &'a mut [u8],
    number: u32,
    message: &impl Serialize,
) -> Result<&'a [u8], FrameError> {
    let (opening, rest) = buffer.split_first_mut().ok_or(FrameError::TooLong)?;
    *opening = 0;
    let cobs = Cobs::try_new(Slice::new(rest)).map_err(|_| FrameError::TooLong)?;
    let flavor = CrcModifier::new(cobs, CRC.digest());
    let written = postcard::serialize_with_flavor(&(VERSION, number, message), flavor);
    let length = written.map_err(|_| FrameError::TooLong)?.len();
    buffer.get(..=length).ok_or(FrameError::TooLong)
}

/// Takes the message out of what lies between two zero bytes. COBS is undone in place.
///
/// # Errors
/// [`FrameError::Corrupt`] if it did not arrive as it was sent, then [`FrameError::Version`], then
/// [`FrameError::Unknown`].
pub fn decode<'a, M: Deserialize<'a>>(bytes: &'a mut [u8]) -> Result<(u32, M), FrameError> {
    let length = cobs::decode_in_place(bytes).map_err(|_| FrameError::Corrupt)?;
    let bytes = bytes.get(..length).ok_or(FrameError::Corrupt)?;
    let (body, checksum) = bytes.split_last_chunk::<CRC_BYTES>().ok_or(FrameError::Corrupt)?;
    if CRC.checksum(body) != u32::from_le_bytes(*checksum) {
        return Err(FrameError::Corrupt);
    }
    let (&found, body) = body.split_first().ok_or(FrameError::Corrupt)?;
    if found != VERSION {
        return Err(FrameError::Version { found });
    }
    let (message, rest) = postcard::take_from_bytes(body).map_err(|_| FrameError::Unknown)?;
    if rest.is_empty() { Ok(message) } else { Err(FrameError::Unknown) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::vec::Vec;

    use super::super::{Deframer, Request};
    use super::*;

    /// CRC-32 of "123456789", from the catalogue of checksums.
    #[test]
    fn checksum_is_the_usual_one() {
        assert_eq!(CRC.checksum(b"123456789"), 0xcbf4_3926);
    }

    fn between_zeros(frame: &[u8]) -> Vec<u8> {
        let [0, inner @ .., 0] = frame else { panic!("{frame:?}") };
        assert!(!inner.contains(&0));
        inner.to_vec()
    }

    /// A frame of any body, made from the description of the format.
    fn framed(body: &[u8]) -> Vec<u8> {
        let mut bytes = body.to_vec();
        bytes.extend(CRC.checksum(body).to_le_bytes());
        let mut encoded = std::vec![0; cobs::max_encoding_length(bytes.len())];
        let length = cobs::encode(&bytes, &mut encoded);
        encoded.truncate(length);
        encoded
    }

    #[test]
    fn frame_is_version_number_message_and_checksum() {
        let mut buffer = [0xaa; 64];
        let sent = encode(&mut buffer, 300, &Request::Status).unwrap();
        // 300 as a varint, then the first variant.
        assert_eq!(between_zeros(sent), framed(&[VERSION, 0xac, 0x02, 0]));
    }

    #[test]
    fn another_version_is_rejected_first() {
        let mut other = framed(&[VERSION + 1, 0xff, 0xff, 0xff]);
        assert_eq!(decode::<Request>(&mut other), Err(FrameError::Version { found: VERSION + 1 }));
        let mut unknown = framed(&[VERSION, 1, 0xfe, 0x01]);
        assert_eq!(decode::<Request>(&mut unknown), Err(FrameError::Unknown));
        let mut longer = framed(&[VERSION, 1, 0, 0]);
        assert_eq!(decode::<Request>(&mut longer), Err(FrameError::Unknown));
    }

    proptest! {
        #[test]
        fn bytes_and_numbers_come_back(number in any::<u32>(), data in prop::collection::vec(any::<u8>(), 0..DATA_BYTES)) {
            let mut buffer = [0; MAX_RESPONSE];
            let sent = encode(&mut buffer, number, &data.as_slice()).unwrap();
            let mut inner = between_zeros(sent);
            prop_assert_eq!(decode::<&[u8]>(&mut inner), Ok((number, data.as_slice())));
        }

        #[test]
        fn changed_byte_is_noticed(
            number in any::<u32>(), data in prop::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(), change in 1u8..,
        ) {
            let mut buffer = [0; MAX_RESPONSE];
            let mut inner = between_zeros(encode(&mut buffer, number, &data.as_slice()).unwrap());
            let at = at.index(inner.len());
            inner[at] ^= change;
            prop_assert_eq!(decode::<&[u8]>(&mut inner), Err(FrameError::Corrupt));
        }

        #[test]
        fn any_bytes_are_a_message_or_refused(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode::<Request>(&mut bytes.clone());
            let _ = decode::<super::super::Response>(&mut bytes);
        }

        #[test]
        fn any_valid_body_is_decoded_or_refused(
            body in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let whole = [&[VERSION, 1], body.as_slice()].concat();
            let _ = decode::<Request>(&mut framed(&whole));
            let _ = decode::<super::super::Response>(&mut framed(&whole));
        }

        #[test]
        fn frames_are_found_among_garbage(
            garbage in prop::collection::vec(prop::collection::vec(1u8.., 0..600), 1..8),
        ) {
            let mut stream = Vec::new();
            for (number, noise) in (0..).zip(&garbage) {
                stream.extend(noise);
                let mut buffer = [0; MAX_REQUEST];
                stream.extend(encode(&mut buffer, number, &Request::Arm).unwrap());
            }
            let mut deframer = Deframer::<MAX_REQUEST>::new();
            let mut found = Vec::new();
            for byte in stream {
                if let Some(Ok((number, Request::Arm))) = deframer.push(byte).map(decode) {
                    found.push(number);
                }
            }
            prop_assert_eq!(found, (0..garbage.len() as u32).collect::<Vec<_>>());
        }
    }
}
