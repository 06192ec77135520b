//! A client in another language, written from the reference alone, against `scopething simulate`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running simulator, stopped when it is dropped.
struct Simulator {
    process: Child,
    addresses: Value,
}

impl Simulator {
    fn start(settings: &[&str]) -> Self {
        let local = "127.0.0.1:0";
        let mut process = Command::new(env!("CARGO_BIN_EXE_scopething"))
            .args(["simulate", "--tcp", local, "--bitscope-server", local])
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the simulator starts");
        let stdout = process.stdout.take().expect("a pipe");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        Self { process, addresses: serde_json::from_str(&line).expect("JSON with addresses") }
    }

    fn address(&self, key: &str) -> &str {
        self.addresses[key].as_str().expect("an address")
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        // It may have ended by itself, which the client has noticed then.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn client_written_from_the_reference_alone_works() {
    let signals = Simulator::start(&["A=sine 1kHz 0..3V", "B=triangle 500Hz -1..2V"]);
    let front_end =
        "la=1.105 lb=-0.06 lc=0.005 ha=1.08 hb=-0.04 hc=-0.04 scale=18.1V offset=-7.3V ab_offset=30mV";
    let settings: Vec<&str> = front_end.split(' ').chain(["noise=2mV", "seed=5"]).collect();
    let bare = Simulator::start(&settings);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/check_device.py");
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .args(["--tcp", signals.address("tcp"), "--bitscope-server", signals.address("bitscope_server")])
        .args(["--bare", bare.address("tcp")])
        .output()
        .expect("python3 starts");
    let report = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}");
    assert!(report.contains("Ran 19 tests"), "{report}");
}
