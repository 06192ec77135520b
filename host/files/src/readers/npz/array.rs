//! Arrays of numpy, `lib/format` versions 1 to 3: what stands before the elements, and the elements.

use std::io::{self, Read};

/// Longer than the header of any array that is of use here.
const MAX_HEADER_BYTES: usize = 1 << 16;
const NO_ARRAY: &str = "it is no array of numpy";

/// An array as far as it is understood here.
pub(super) enum Array {
    /// Of one dimension.
    Numbers(Vec<f64>),
    /// Without dimensions.
    Number(f64),
    Text(String),
    Texts(Vec<String>),
}

/// What an array holds.
pub(super) struct Header {
    pub(super) element: Element,
    pub(super) dimensions: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element {
    Number(NumberKind),
    /// Text of so many letters.
    Text(usize),
    /// Anything else.
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum NumberKind {
    F4,
    F8,
    U1,
    I1,
    U2,
    I2,
    U4,
    I4,
    U8,
    I8,
}

impl NumberKind {
    fn of(kind: &str) -> Option<Self> {
        Some(match kind {
            "<f4" => Self::F4,
            "<f8" => Self::F8,
            "|u1" | "|b1" => Self::U1,
            "|i1" => Self::I1,
            "<u2" => Self::U2,
            "<i2" => Self::I2,
            "<u4" => Self::U4,
            "<i4" => Self::I4,
            "<u8" => Self::U8,
            "<i8" => Self::I8,
            _ => return None,
        })
    }

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U1 | Self::I1 => 1,
            Self::U2 | Self::I2 => 2,
            Self::F4 | Self::U4 | Self::I4 => 4,
            Self::F8 | Self::U8 | Self::I8 => 8,
        }
    }

    /// Hands over the numbers in whole elements.
    pub(super) fn for_each(self, elements: &[u8], mut take: impl FnMut(f64)) {
        macro_rules! numbers {
            ($number:ty) => {
                for bytes in elements.chunks_exact(size_of::<$number>()) {
                    if let Ok(bytes) = bytes.try_into() {
                        take(<$number>::from_le_bytes(bytes) as f64);
                    }
                }
            };
        }
        #[allow(clippy::cast_lossless, reason = "one macro for all kinds of numbers")]
        match self {
            Self::F4 => numbers!(f32),
            Self::F8 => numbers!(f64),
            Self::U1 => numbers!(u8),
            Self::I1 => numbers!(i8),
            Self::U2 => numbers!(u16),
            Self::I2 => numbers!(i16),
            Self::U4 => numbers!(u32),
            Self::I4 => numbers!(i32),
            Self::U8 => numbers!(u64),
            Self::I8 => numbers!(i64),
        }
    }
}

impl Header {
    /// Reads what stands before the elements.
    pub(super) fn read(input: &mut impl Read) -> Result<Self, String> {
        let mut bytes = |count: usize| -> Result<Vec<u8>, String> {
            let mut bytes = vec![0; count];
            input.read_exact(&mut bytes).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => NO_ARRAY.to_owned(),
                _ => damaged(&error),
            })?;
            Ok(bytes)
        };
        let version = bytes(8)?.strip_prefix(b"\x93NUMPY").and_then(|rest| rest.first().copied());
        let length = match version.ok_or(NO_ARRAY)? {
            1 => bytes(2)?.try_into().map(|two| usize::from(u16::from_le_bytes(two))).ok(),
            _ => bytes(4)?.try_into().ok().and_then(|four| usize::try_from(u32::from_le_bytes(four)).ok()),
        };
        let text = bytes(length.filter(|&length| length <= MAX_HEADER_BYTES).ok_or(NO_ARRAY)?)?;
        Self::parse(std::str::from_utf8(&text).map_err(|_| NO_ARRAY)?).ok_or_else(|| NO_ARRAY.to_owned())
    }

    /// How many bytes take as much memory as a number.
    pub(super) fn bytes_a_number(&self) -> usize {
        match self.element {
            Element::Number(kind) => kind.bytes(),
            Element::Text(_) | Element::Other => size_of::<f64>(),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| Some(text.split_once(&format!("'{key}':"))?.1.trim_start());
        let kind = value("descr")?.strip_prefix('\'')?.split('\'').next()?;
        let shape = value("shape")?.strip_prefix('(')?.split(')').next()?;
        let dimensions = shape.split(',').filter(|size| !size.trim().is_empty()).count();
        let letters = kind.strip_prefix("<U").and_then(|length| length.parse().ok());
        let element = match (letters, NumberKind::of(kind)) {
            (Some(letters), _) => Element::Text(letters),
            (None, Some(kind)) => Element::Number(kind),
            (None, None) => Element::Other,
        };
        Some(Self { element, dimensions })
    }
}

pub(super) fn damaged(error: &io::Error) -> String {
    format!("it is damaged ({error})")
}

/// The elements of an array; `None` if they are of no use here.
pub(super) fn array(header: &Header, elements: &[u8]) -> Option<Array> {
    match (header.element, header.dimensions) {
        (Element::Text(_), 0) => Some(Array::Text(text(elements))),
        (Element::Text(letters), 1) => {
            let bytes = letters.max(1).checked_mul(4)?;
            Some(Array::Texts(elements.chunks_exact(bytes).map(text).collect()))
        }
        (Element::Number(kind), dimensions @ (0 | 1)) => {
            let mut numbers = Vec::with_capacity(elements.len() / kind.bytes());
            kind.for_each(elements, |number| numbers.push(number));
            if dimensions == 0 {
                numbers.first().copied().map(Array::Number)
            } else {
                Some(Array::Numbers(numbers))
            }
        }
        _ => None,
    }
}

fn text(letters: &[u8]) -> String {
    let codes = letters.chunks_exact(4).filter_map(|code| Some(u32::from_le_bytes(code.try_into().ok()?)));
    codes.take_while(|&code| code != 0).filter_map(char::from_u32).collect()
}
