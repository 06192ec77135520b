//! Emulated instruments as programs that control instruments see them: errors, joined queries, and `PyVISA`, which must be in
//! target/python (`.ci/install`).

use std::path::Path;
use std::process::Stdio;

use crate::serve_support::{Client, Signals, serve};
use crate::support::bounded;
use tokio::process::Command;

#[tokio::test]
async fn untouched_instrument_triggers_by_itself() {
    // A level of 0 V, and a signal that never gets there.
    let served = serve("A=sine,1kHz,1..3V", &["--rigol", "--hmo"]).await;
    let mut rigol = Client::connect(served.address("rigol")).await;
    assert_eq!(rigol.ask(":TRIG:SWE?").await, "AUTO");
    rigol.send(":RUN\n:WAV:MODE NORM\n:WAV:SOUR CHAN1\n").await;
    let mut states = Vec::new();
    while states.last().is_none_or(|state: &String| state == "READ,wait") {
        assert!(states.len() < 20, "{states:?}");
        states.push(rigol.ask(":WAV:STAT?").await);
    }
    assert_eq!(states.last().map(String::as_str), Some("IDLE,1400"));
    let mut hmo = Client::connect(served.address("hmo")).await;
    assert_eq!(hmo.ask(":TRIG:A:MODE?").await, "AUTO");
}

#[tokio::test]
async fn scpi_errors_and_joined_queries() {
    let served = serve(Signals::QUERY, &["--rigol", "--hmo"]).await;
    for (kind, identity, sweep, setting) in [
        ("rigol", "RIGOL TECHNOLOGIES,MSO2072A,DB98TI79,00.03.00", ":TRIG:SWE", ":CHAN1:SCAL 5.0E-1;OFFS 0"),
        ("hmo", "HAMEG,HMO1002,DB98TI79,05.886", ":TRIG:A:MODE", ":CHAN1:SCAL 5.0E-1;STAT 1"),
    ] {
        let mut client = Client::connect(served.address(kind)).await;
        assert_eq!(client.ask(&format!("*IDN?;{sweep}?;*OPC?")).await, format!("{identity};AUTO;1"));
        client.send(&format!("{setting}\n")).await;
        assert_eq!(client.ask("SYST:ERR?").await, "0,\"No error\"", "{kind}");
        client.send(":NO:SUCH:THING 1\n").await;
        assert_eq!(
            client.ask(":SYSTem:ERRor:NEXT?;:SYST:ERR?").await,
            "-113,\"Undefined header\";0,\"No error\""
        );
        assert_eq!(client.ask(":WHAT:IS:THIS?").await, "");
        assert_eq!(client.ask("*ESR?;:SYST:ERR:COUN?").await, "160;1");
        client.send(&format!("*CLS;{sweep} NORM;*RST\n")).await;
        assert_eq!(client.ask(&format!("{sweep}?;*ESR?;:SYST:ERR?")).await, "AUTO;0;0,\"No error\"");
    }
}

#[tokio::test]
async fn captures_do_not_survive_a_reset() {
    let served = serve("A=sine,1kHz,-2..2V&B=dc,0V", &["--hmo"]).await;
    let mut hmo = Client::connect(served.address("hmo")).await;
    // A is far beyond a screen of 0.8 V.
    hmo.send(":FORM:BORD MSBF;:CHAN1:SCAL 1E-1;:CHAN2:SCAL 1E-1\n").await;
    hmo.block(":FORM REAL,32;:CHAN2:DATA?").await;
    hmo.send("*RST\n").await;
    let block = hmo.block(":CHAN1:DATA?").await;
    let volts = block.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")));
    let top = volts.fold(f32::MIN, f32::max);
    assert!((top - 2.0).abs() < 0.05, "{top} V");
}

/// What it prints: identity, a setting that was read back, how many samples, the extremes of A, and the error of a command
/// that there is not.
const SCRIPT: &str = r#"
import struct, sys, pyvisa
host, port = sys.argv[1].rsplit(":", 1)
scope = pyvisa.ResourceManager("@py").open_resource(
    f"TCPIP::{host}::{port}::SOCKET", read_termination="\n", write_termination="\n", timeout=10000)
print(scope.query("*IDN?"))
scope.write(":TIM:SCAL 1E-3;:CHAN1:SCAL 1;:TRIG:A:SOUR CH1")
print(scope.query(":TIM:SCAL?;:CHAN1:SCAL?"))
scope.write(":FORM:BORD LSBF;:FORM REAL,32")
scope.write(":CHAN1:DATA?")
digits = int(scope.read_bytes(2)[1:])
length = int(scope.read_bytes(digits))
volts = struct.unpack(f"<{length // 4}f", scope.read_bytes(length))
print(len(volts) > 5000, round(min(volts), 1), round(max(volts), 1))
scope.write(":NO:SUCH 1")
print(scope.query("SYST:ERR?"))
"#;

#[tokio::test]
async fn pyvisa_sets_and_reads() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python");
    let served = serve(Signals::QUERY, &["--hmo"]).await;
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT, served.address("hmo")]).stdin(Stdio::null()).kill_on_drop(true);
    let output =
        bounded("`PyVISA`", command.output()).await.expect("Python in target/python, by .ci/install");
    let printed = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(
        lines,
        [
            "HAMEG,HMO1002,DB98TI79,05.886",
            "1.000E-03;1.000E+00",
            "True -2.0 2.0",
            "-113,\"Undefined header\"",
        ],
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
