//! Experiment 1: how long `!` takes and what it leaves, and who the device is.

use scopething_core::vm::Register;

use crate::Finding;
use crate::bench::Bench;
use crate::outcome::Notes;
use crate::stop::Stop;

/// How long a reset may take beyond the echo of a command that does nothing.
const ASSUMED_RESET_S: f64 = 0.2;
/// Where the EEPROM holds the serial number.
const SERIAL_ADDRESSES: std::ops::Range<u8> = 0x30..0x38;
/// A register that nothing uses, and what it is set to.
const KEPT: (Register, u32) = (Register::Mask, 0x5a);

pub(super) async fn run(bench: &mut Bench, notes: &mut Notes) -> Result<(), Stop> {
    let mut raw = bench.raw();
    let mut resets = Vec::new();
    let mut echoes = Vec::new();
    for _ in 0..3 {
        echoes.push(raw.echo_time().await?.seconds());
        resets.push(raw.reset().await?.seconds());
    }
    let fastest = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    notes.measured_numbers(
        "echo of a command (ms)",
        &echoes.iter().map(|time| time * 1e3).collect::<Vec<_>>(),
    );
    notes.measured_numbers("echo of ! (ms)", &resets.iter().map(|time| time * 1e3).collect::<Vec<_>>());
    let reset_s = fastest(&resets) - fastest(&echoes);
    if reset_s > ASSUMED_RESET_S {
        notes.found(Finding::SlowReset { millis: reset_s * 1e3 });
    }
    let revision = raw.identify().await?;
    notes.measured("revision", revision.clone());
    if !revision.starts_with("BS0005") {
        notes.found(Finding::OtherRevision { revision });
    }
    raw.store(&[KEPT]).await?;
    raw.reset().await?;
    let kept = raw.print(KEPT.0).await?;
    notes.measured("a register of 5a (hex) after !", format!("{kept:02x}"));
    if u32::from(kept) != KEPT.1 {
        notes.found(Finding::ResetClearsRegisters);
    }
    serial(bench, notes).await
}

async fn serial(bench: &mut Bench, notes: &mut Notes) -> Result<(), Stop> {
    let mut raw = bench.raw();
    let mut serial = Vec::new();
    for address in SERIAL_ADDRESSES {
        let Some(byte) = raw.eeprom(address).await? else {
            notes.found(Finding::SilentEeprom);
            // The answer may still come: what follows must not take it for its own.
            return raw.reset().await.map(drop);
        };
        serial.push(byte);
    }
    let form = form(&serial);
    notes.measured("form of the serial number", form.clone());
    if !serial.iter().all(u8::is_ascii_alphanumeric) {
        notes.found(Finding::UnreadableSerial { form });
    }
    Ok(())
}

/// What kind of characters the serial number has, without the characters.
fn form(serial: &[u8]) -> String {
    let kind = |byte: &u8| match byte {
        b'A'..=b'Z' => "A".to_owned(),
        b'a'..=b'z' => "a".to_owned(),
        b'0'..=b'9' => "9".to_owned(),
        b'!'..=b'~' => "?".to_owned(),
        // Nothing personal: an empty EEPROM is ff.
        other => format!("<{other:02x}>"),
    };
    serial.iter().map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::form;

    #[test]
    fn serial_number_is_reduced_to_its_form() {
        assert_eq!(form(b"DB98TI79"), "AA99AA99");
        assert_eq!(form(b"a-\xff\0"), "a?<ff><00>");
    }
}
