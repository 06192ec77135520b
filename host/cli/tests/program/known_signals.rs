//! Random signals against what numpy and scipy compute of them: `tests/measurements/known_signals.py`, which prints the
//! distribution of the errors and keeps bounds on it. By hand it takes 2000 signals.

use std::path::Path;
use std::process::Command;

#[test]
fn measurements_of_known_signals_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut python = Command::new(root.join("target/python/bin/python"));
    python.arg(root.join("tests/measurements/known_signals.py"));
    python.args([env!("CARGO_BIN_EXE_scopething"), "--signals", "250"]);
    // One thread is fastest for matrices so small.
    let output =
        python.env("OPENBLAS_NUM_THREADS", "1").output().expect(".ci/install installs target/python");
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    println!("{stdout}");
    assert!(output.status.success(), "{stderr}");
}
