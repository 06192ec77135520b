//! `-P`: decoders with their channels and options, as text.

use std::str::FromStr;

/// A decoder with what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecoderSpec {
    /// Its name, as in `uart`.
    pub id: String,
    /// Channels and options, in the order they were given.
    pub settings: Vec<(String, String)>,
}

/// Decoders of which each takes what the one before it puts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack(pub Vec<DecoderSpec>);

impl FromStr for Stack {
    type Err = String;

    /// Reads `uart:rx=L0:baudrate=115200` as sigrok-cli does, with a comma ahead of each decoder that is stacked:
    /// `i2c:scl=L0:sda=L1,eeprom24xx`. Settings may follow commas as well: `uart:rx=L0,baudrate=115200`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut stack: Vec<DecoderSpec> = Vec::new();
        for part in text.split(',') {
            let mut settings = part.split(':');
            let first = settings.next().unwrap_or_default().trim();
            match (first.split_once('='), stack.last_mut()) {
                (Some(setting), Some(decoder)) => decoder.settings.push(owned(setting)),
                (None, _) if is_name(first) => {
                    stack.push(DecoderSpec { id: first.to_owned(), settings: Vec::new() });
                }
                _ => {
                    return Err(format!(
                        "{first:?} is not a decoder: write it like uart:rx=L0,baudrate=115200"
                    ));
                }
            }
            let Some(decoder) = stack.last_mut() else { continue };
            for setting in settings {
                let setting = setting.split_once('=').filter(|(name, _)| is_name(name.trim()));
                let setting = setting.ok_or_else(|| {
                    format!(
                        "{part:?} sets nothing of {}: write it like {}:NAME=VALUE",
                        decoder.id, decoder.id
                    )
                })?;
                decoder.settings.push(owned(setting));
            }
        }
        Ok(Self(stack))
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.trim().to_owned(), value.trim().to_owned())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_alphanumeric() || "-_.".contains(char))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(decoders: &[(&str, &[(&str, &str)])]) -> Stack {
        let settings = |settings: &[(&str, &str)]| settings.iter().map(|&setting| owned(setting)).collect();
        let decoder =
            |&(id, given): &(&str, &[_])| DecoderSpec { id: id.to_owned(), settings: settings(given) };
        Stack(decoders.iter().map(decoder).collect())
    }

    #[test]
    fn settings_follow_colons_or_commas() {
        let uart = stack(&[("uart", &[("rx", "L0"), ("baudrate", "115200")])]);
        assert_eq!("uart:rx=L0:baudrate=115200".parse(), Ok(uart.clone()));
        assert_eq!("uart:rx=L0,baudrate=115200".parse(), Ok(uart.clone()));
        assert_eq!("uart, rx = L0, baudrate=115200".parse(), Ok(uart));
        assert_eq!("can".parse(), Ok(stack(&[("can", &[])])));
    }

    #[test]
    fn decoders_are_stacked_by_commas() {
        let eeprom =
            stack(&[("i2c", &[("scl", "L0"), ("sda", "L1")]), ("eeprom24xx", &[("addr_counter", "3")])]);
        assert_eq!("i2c:scl=L0:sda=L1,eeprom24xx:addr_counter=3".parse(), Ok(eeprom.clone()));
        assert_eq!("i2c:scl=L0,sda=L1,eeprom24xx,addr_counter=3".parse(), Ok(eeprom));
    }

    #[test]
    fn what_is_no_decoder_is_refused() {
        for text in ["", "rx=L0", ",uart", "uart:", "uart:rx", "uart:=L0", "u/art", "uart,,can", "uart;rx=L0"]
        {
            assert!(text.parse::<Stack>().is_err(), "{text}");
        }
    }
}
