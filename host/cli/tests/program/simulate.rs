//! `scopething info`, and `scopething simulate` with clients of each kind.

use crate::support::{Listening, number, scopething, series};
use serde_json::{Value, json};

const SIMULATED: &str = "sim:?serial=AB12CD34&clock=fast";

#[tokio::test]
async fn info_prints_model_revision_serial() {
    let finished = scopething(&["info", "--url", SIMULATED]).await.done();
    assert_eq!(finished.stderr, "");
    for (key, value) in
        [("model", "BitScope Micro"), ("revision", "BS000501"), ("serial", "AB12CD34"), ("link", SIMULATED)]
    {
        let line = finished.stdout.lines().find(|line| line.starts_with(key));
        assert_eq!(line.map(|line| line[key.len()..].trim()), Some(value), "{}", finished.stdout);
    }
}

#[tokio::test]
async fn info_for_programs() {
    let info = scopething(&["info", "--url", SIMULATED, "--json"]).await.done().object();
    assert_eq!((&info["url"], &info["model"]), (&json!(SIMULATED), &json!("BitScope Micro")));
    assert_eq!((&info["revision"], &info["serial"]), (&json!("BS000501"), &json!("AB12CD34")));
    // reference.md#5-trace-modes: 12288 bytes, 17 modes.
    assert_eq!(number(&info, "buffer_bytes"), 12288.0);
    assert_eq!(info["modes"].as_array().map(Vec::len), Some(17));
}

#[tokio::test]
async fn info_reports_a_silent_eeprom() {
    let url = "sim:?clock=fast&quirk=silent-eeprom";
    let text = scopething(&["info", "--url", url]).await.done().stdout;
    assert!(text.contains("BS000501") && text.contains("none: the EEPROM does not answer"), "{text}");
    let info = scopething(&["info", "--url", url, "--json"]).await.done().object();
    let expected = (&Value::Null, &json!("the EEPROM does not answer"), &json!("BS000501"));
    assert_eq!((&info["serial"], &info["no_serial"], &info["revision"]), expected);
}

#[tokio::test]
async fn serial_ports_are_listed_in_both_forms() {
    let text = scopething(&["info", "--ports"]).await.done();
    let list = scopething(&["info", "--ports", "--json"]).await.done();
    assert!(list.stdout.ends_with('\n'));
    let ports: Vec<Value> = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(text.stdout.lines().count(), ports.len(), "{}", text.stdout);
    for (line, port) in text.stdout.lines().zip(&ports) {
        assert!(line.starts_with(port["name"].as_str().unwrap()), "{line} for {port}");
        assert_eq!(line.contains("BitScope"), port["bitscope"].as_bool().unwrap(), "{line} for {port}");
    }
    assert_eq!(text.stderr.contains("no serial ports"), ports.is_empty(), "{}", text.stderr);
}

/// A capture of a steady voltage of 1 V, over a link.
async fn capture_over(url: &str) {
    let finished =
        scopething(&["capture", "A", "L2", "--url", url, "--timeout", "10ms", "--json"]).await.done();
    let capture = finished.object();
    assert_eq!(capture["cause"], "timeout");
    // Mixed: 256 steps over the range of 13.5 V.
    let samples = series(&capture, "A", "samples");
    assert_eq!(samples.len(), 1000);
    assert!(samples.iter().all(|sample| (sample - 1.0).abs() <= 13.5 / 256.0), "{samples:?}");
    assert!(series(&capture, "L2", "samples").iter().all(|&level| level == 1.0));
}

const SIGNALS: [&str; 4] = ["--signal", "A=dc 1V", "--signal", "L2=dc 3.3V"];

#[tokio::test]
async fn clients_come_over_tcp() {
    let mut simulator = Listening::simulate(&[&["--tcp", "127.0.0.1:0"], &SIGNALS[..]].concat()).await;
    assert_eq!(
        (&simulator.addresses["bitscope_server"], &simulator.addresses["pty"]),
        (&Value::Null, &Value::Null)
    );
    let url = format!("socket://{}", simulator.address("tcp"));
    for _ in 0..2 {
        capture_over(&url).await;
        simulator.running.until_printed("has disconnected").await;
    }
}

#[tokio::test]
async fn clients_come_as_to_a_bitscope_server() {
    let simulator =
        Listening::simulate(&[&["--bitscope-server", "127.0.0.1:0"], &SIGNALS[..]].concat()).await;
    capture_over(&format!("bitscope-server://{}", simulator.address("bitscope_server"))).await;
}

#[cfg(unix)]
#[tokio::test]
async fn clients_come_over_a_pseudo_terminal() {
    let simulator = Listening::simulate(&[&["--pty"], &SIGNALS[..]].concat()).await;
    let path = simulator.address("pty");
    for url in [path.to_owned(), format!("file://{path}"), format!("socket://{path}")] {
        capture_over(&url).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn one_device_is_served_everywhere_at_once() {
    let arguments =
        ["--tcp", "127.0.0.1:0", "--bitscope-server", "127.0.0.1:0", "--pty", "--set", "serial=XY98ZW76"];
    let mut simulator = Listening::simulate(&arguments).await;
    let tcp = format!("socket://{}", simulator.address("tcp"));
    let info = scopething(&["info", "--json", "--url", &tcp]).await.done().object();
    simulator.running.until_printed("has disconnected").await;
    let server = format!("bitscope-server://{}", simulator.address("bitscope_server"));
    let same = scopething(&["info", "--json", "--url", &server]).await.done().object();
    assert_eq!((&info["serial"], &same["serial"]), (&json!("XY98ZW76"), &json!("XY98ZW76")));
    assert!(simulator.address("pty").starts_with("/dev/"));
}

#[tokio::test]
async fn settings_that_make_no_sense_are_wrong_usage() {
    let refused: [(&[&str], &str); 5] = [
        (&["--signal", "A"], "A=sine,1kHz,0..3V"),
        (&["--signal", "A=saw 1kHz"], "\"saw\""),
        (&["--noise", "loud"], "\"loud\""),
        (&["--seed", "x"], "\"x\""),
        (&["--set", "latency=soon"], "\"soon\""),
    ];
    for (arguments, part) in refused {
        let message =
            scopething(&[&["simulate", "--tcp", "127.0.0.1:0"], arguments].concat()).await.refused(2);
        assert!(message.contains(part), "{part} in {message}");
    }
}
