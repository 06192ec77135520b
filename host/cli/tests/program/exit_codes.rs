//! How the program ends: 0 done, 1 device, link or file failed, 2 wrong usage, 130 cancelled with nothing to
//! show; and what it prints then.

use std::fs::OpenOptions;
use std::path::Path;

use crate::support::{Running, assert_wrong_usage, bounded, program, scopething, scopething_unread};

const SINE: &str = "sim:?A=sine,1kHz,0..3V&clock=fast";

/// Arguments that make no sense, and parts of the errors: what is wrong, and what would be
/// right.
const WRONG_USAGE: &[(&[&str], &[&str])] = &[
    (&["oscilloscope"], &["'oscilloscope'", "Usage"]),
    (&["capture", "--perod", "1ms"], &["--perod", "--period"]),
    (&["capture", "--period"], &["--period", "value"]),
    (&["capture", "--period", "5q"], &["\"q\"", "1ms, 2.5us"]),
    (&["capture", "--period", "1V"], &["\"V\"", "1ms, 2.5us"]),
    (&["capture", "--low", "low"], &["\"low\"", "3.3V or 500mV"]),
    (&["capture", "--samples", "0"], &["0 samples", "at least one"]),
    (&["capture", "--samples", "1.5"], &["1.5", "whole number"]),
    (&["capture", "--samples", "5G"], &["5G", "whole number"]),
    (&["capture", "--timeout", "soon"], &["soon", "1ms, 2.5us"]),
    (&["capture", "-n", "many"], &["many"]),
    (&["capture", "C"], &["'C'", "A, B and L0 to L7"]),
    (&["capture", "L8"], &["'L8'", "A, B and L0 to L7"]),
    (&["capture", "--trigger", "L3=2"], &["L3=2", "L3=1,L5=0"]),
    (&["capture", "--type", "up"], &["'up'", "rising, falling, above or below"]),
    (&["capture", "--url", "ttyUSB0"], &["\"ttyUSB0\"", "/dev/ttyUSB0", "sim:"]),
    (&["capture", "--url", "http://scope"], &["\"http\"", "socket"]),
    (&["capture", "--url", "socket://scope"], &["needs a port", "socket://scope:16385"]),
    (&["capture", "--url", "sim:?C=dc,1V"], &["\"C\"", "A, B, L0 to L7"]),
    (&["capture", "--url", "sim:?A=saw"], &["\"saw\"", "sine, triangle"]),
    (&["capture", "--url", "sim:?A=file:no-such.csv"], &["no-such.csv"]),
    (&["capture", "-o", "trace"], &["\"trace\"", ".csv", ".png"]),
    (&["capture", "-o", "trace.xyz"], &["\"trace.xyz\"", ".csv", ".png"]),
    (&["info", "A"], &["'A'", "Usage"]),
    (&["plan", "--period", "-1ms"], &["-0.001 s", "more than 0 s"]),
    (&["simulate"], &["--tcp", "--bitscope-server", "--pty"]),
    (&["simulate", "--tcp", "127.0.0.1:99999"], &["127.0.0.1:99999", "127.0.0.1:0"]),
    (&["simulate", "--tcp", "localhost"], &["localhost", "127.0.0.1:0"]),
    (&["serve", "--url", "sim:", "--twinlan", "127.0.0.1:65535"], &["at most 65534"]),
    (&["capture", "L", "--url", "sim:", "-n", "3", "-o", "t.wav"], &["analog", "csv"]),
    (&["stream", "L", "--url", "sim:", "-o", "t.wav"], &["analog", "csv"]),
    (&["calibrate", "--url", "sim:", "--probes", "a b"], &["\"a b\"", "letters and digits"]),
];

#[tokio::test]
async fn wrong_usage_is_rejected_with_advice() {
    assert_wrong_usage(WRONG_USAGE).await;
}

#[tokio::test]
async fn unplannable_capture_is_wrong_usage() {
    let refused: [(&[&str], &[&str]); 7] = [
        (&["--probes", "x7"], &["\"x7\"", "x1"]),
        (&["--period", "300s"], &["300 s", "too long", "at most"]),
        (&["--period", "0.1ns"], &["shorter than a sample"]),
        (&["--low", "2V", "--high", "1V"], &["2 to 1", "low below the high"]),
        (&["--position", "2"], &["2", "0 to 1"]),
        (&["--timeout=-1s"], &["-1 s", "none to wait for ever"]),
        (&["--period=-1s"], &["-1 s", "more than 0 s"]),
    ];
    for (arguments, parts) in refused {
        for command in [&["plan"][..], &["capture", "--url", SINE]] {
            let message = scopething(&[command, arguments].concat()).await.refused(2);
            for part in parts {
                assert!(message.contains(part), "{part} in the answer to {arguments:?}: {message}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_at_all_prints_the_help() {
    let finished = scopething(&[]).await.ended(2);
    assert_eq!(finished.stdout, "");
    assert!(
        finished.stderr.contains("capture") && finished.stderr.contains("simulate"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn help_has_examples_and_is_a_result() {
    for command in ["capture", "plan", "info", "simulate"] {
        let finished = scopething(&[command, "--help"]).await.done();
        assert_eq!(finished.stderr, "");
        assert!(
            finished.stdout.contains(&format!("Examples:\n  scopething {command}")),
            "{}",
            finished.stdout
        );
    }
}

#[tokio::test]
async fn unopenable_links_give_hints() {
    // A port that was free a moment ago, and that nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let socket = format!("socket://127.0.0.1:{port}");
    let datagrams = format!("bitscope-server://127.0.0.1:{port}");
    let failures: [(&str, &[&str]); 5] = [
        (&datagrams, &["network link failed", "Connection refused"]),
        ("/dev/no-such-port", &["/dev/no-such-port", "plugged in", "scopething list"]),
        (&socket, &["refuses the connection", "check the port"]),
        ("/dev/null", &["/dev/null"]),
        ("socket://no-such-host.invalid:1", &["no-such-host.invalid"]),
    ];
    for (url, parts) in failures {
        for command in ["capture", "info"] {
            let message = scopething(&[command, "--url", url]).await.refused(1);
            for part in parts {
                assert!(message.contains(part), "{part} in the answer to {url}: {message}");
            }
        }
    }
}

#[tokio::test]
async fn taken_address_is_an_error() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let message = scopething(&["simulate", "--tcp", &address]).await.refused(1);
    assert!(message.contains(&address) && message.contains("127.0.0.1:0"), "{message}");
}

#[tokio::test]
async fn environment_may_name_the_link() {
    let mut command = program(&["capture"]);
    command.env("SCOPETHING_URL", SINE);
    let finished = Running::start(&mut command).finish().await.done();
    assert!(finished.stdout.contains("A: 1000 samples"), "{}", finished.stdout);
}

/// Whoever reads may have had enough, as `head` has.
#[tokio::test]
async fn reader_who_leaves_is_no_panic() {
    let commands: [&[&str]; 6] = [
        &["capture", "--url", SINE, "-n", "20", "--json"],
        &["capture", "--url", SINE, "-n", "20", "--plot"],
        &["capture", "--url", SINE, "-n", "20"],
        &["plan"],
        &["info", "--url", SINE],
        &["simulate", "--tcp", "127.0.0.1:0"],
    ];
    for arguments in commands {
        let finished = scopething_unread(Path::new("."), arguments).await.ended(0);
        assert_eq!(finished.stderr, "", "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn standard_output_that_takes_nothing_is_a_failure() {
    let commands: [&[&str]; 5] = [
        &["capture", "--url", SINE, "--json"],
        &["capture", "--url", SINE, "--plot"],
        &["capture", "--url", SINE],
        &["plan"],
        &["info", "--url", SINE],
    ];
    for arguments in commands {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = program(arguments).stdout(full).spawn().unwrap();
        let output = bounded("the program", child.wait_with_output()).await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("error: ") && stderr.contains("No space left"), "{arguments:?}: {stderr}");
    }
}
