//! `decode` with sigrok's own decoders, and `open` with a program that stands for `PulseView`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Finished, Running, assert_wrong_usage, program, scopething_in};
use serde_json::Value;

const UART: &str = "sim:?L2=uart,115200,text=Hello&clock=fast";
const I2C: &str =
    "sim:?L0=i2c,scl,100kHz,address=50,data=1234&L1=i2c,sda,100kHz,address=50,data=1234&clock=fast";

/// Captures a line at rest first: the decoder sees the first start bit.
async fn captured(directory: &Path, names: &[&str]) {
    let outputs = names.iter().flat_map(|name| ["-o", *name]);
    let arguments = [
        "capture",
        "L",
        "--url",
        UART,
        "--period",
        "2ms",
        "--samples",
        "4000",
        "--trigger",
        "L2=0",
        "--type",
        "falling",
    ];
    scopething_in(directory, &arguments.into_iter().chain(outputs).collect::<Vec<_>>()).await.done();
}

fn annotations(finished: &Finished) -> Vec<Value> {
    finished.object()["annotations"].as_array().unwrap().clone()
}

/// What was received, and when each byte began and ended.
fn bytes(annotations: &[Value]) -> (String, Vec<(f64, f64)>) {
    let data = annotations.iter().filter(|annotation| annotation["class"] == "rx-data");
    let span =
        |annotation: &Value| (annotation["start"].as_f64().unwrap(), annotation["end"].as_f64().unwrap());
    let (texts, spans): (Vec<&str>, Vec<_>) =
        data.map(|annotation| (annotation["text"].as_str().unwrap(), span(annotation))).unzip();
    (texts.concat(), spans)
}

#[tokio::test]
async fn uart_is_decoded_from_every_file() {
    let directory = tempfile::tempdir().unwrap();
    captured(directory.path(), &["u.sr", "u.csv", "u.json"]).await;
    for file in ["u.sr", "u.csv", "u.json"] {
        let arguments = ["decode", file, "-P", "uart:rx=L2,baudrate=115200,format=ascii", "--json"];
        let (text, spans) = bytes(&annotations(&scopething_in(directory.path(), &arguments).await.done()));
        // A byte that the capture begins in may be any; the text is sent again and again.
        assert!(text.contains("Hello"), "{file}: {text}");
        for (start, end) in spans {
            // Eight bits, to a sample of half a microsecond at each end.
            assert!((end - start - 8.0 / 115_200.0).abs() < 1.1e-6, "{file}: {start} to {end}");
        }
    }
    // A part of a file whose name does not give its format.
    fs::rename(directory.path().join("u.csv"), directory.path().join("u.txt")).unwrap();
    let arguments = ["decode", "u.txt", "--input-format", "csv", "--from", "0s", "--for", "780us"];
    let arguments = [&arguments[..], &["-P", "uart:rx=L2,baudrate=115200,format=ascii", "--json"]].concat();
    let (text, _) = bytes(&annotations(&scopething_in(directory.path(), &arguments).await.done()));
    // From half a millisecond on, bytes of ten bits: the last bit of the fourth is read at 0.8 ms.
    assert_eq!(text, "Hel");
    // The table is of the same, without the bits.
    let arguments = ["decode", "u.sr", "-P", "uart:rx=L2:baudrate=115200:format=ascii"];
    let table = scopething_in(directory.path(), &arguments).await.done().stdout;
    let titles: Vec<&str> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(titles, ["start", "end", "decoder", "row", "what"], "{table}");
    assert!(
        table.contains("RX   H\n") && table.contains("Start bit") && !table.contains("RX bits"),
        "{table}"
    );
    // Bits and nothing else, where they are asked for.
    let bits = [&arguments[..], &["-A", "uart=rx-data-bits", "--json"]].concat();
    let bits = annotations(&scopething_in(directory.path(), &bits).await.done());
    assert!(bits.len() > 40 && bits.iter().all(|bit| bit["row"] == "RX bits"), "{bits:?}");
}

#[tokio::test]
async fn captures_are_decoded_and_decoders_stacked() {
    let directory = tempfile::tempdir().unwrap();
    let capture = [
        "decode",
        "L",
        "--url",
        I2C,
        "--period",
        "2ms",
        "--samples",
        "6000",
        "--trigger",
        "L1=0",
        "--type",
        "falling",
    ];
    let simple = [&capture[..], &["-P", "i2c:scl=L0,sda=L1", "--json"]].concat();
    let found = annotations(&scopething_in(directory.path(), &simple).await.done());
    let texts: Vec<&str> = found.iter().filter_map(|annotation| annotation["text"].as_str()).collect();
    assert!(texts.contains(&"Address write: 50") && texts.contains(&"Data write: 12"), "{texts:?}");
    let stacked = [&capture[..], &["-P", "i2c:scl=L0,sda=L1,eeprom24xx", "--json"]].concat();
    let found = annotations(&scopething_in(directory.path(), &stacked).await.done());
    assert!(found.iter().any(|annotation| annotation["decoder"] == "eeprom24xx-1"), "{found:?}");
}

#[tokio::test]
async fn analog_channel_is_decoded_by_its_levels() {
    let directory = tempfile::tempdir().unwrap();
    captured(directory.path(), &["u.csv"]).await;
    // The same line, as an analog channel of 0 V to 3.3 V.
    let csv = fs::read_to_string(directory.path().join("u.csv")).unwrap();
    let mut rows = csv.lines().filter(|line| !line.starts_with('#'));
    let column = rows.next().unwrap().split(',').position(|name| name == "L2").unwrap();
    let rows = rows.map(|row| {
        let cells: Vec<&str> = row.split(',').collect();
        format!("{},{}\n", cells[0], if cells[column] == "1" { "3.3" } else { "0.1" })
    });
    fs::write(directory.path().join("a.csv"), format!("time,A\n{}", rows.collect::<String>())).unwrap();
    for options in [&[][..], &["--threshold", "1.2V"]] {
        let arguments =
            [&["decode", "a.csv", "-P", "uart:rx=A,baudrate=115200,format=ascii", "--json"], options]
                .concat();
        let (text, _) = bytes(&annotations(&scopething_in(directory.path(), &arguments).await.done()));
        assert!(text.contains("Hello"), "{text}");
    }
    let above = ["decode", "a.csv", "-P", "uart:rx=A,baudrate=115200", "--threshold", "4V", "--json"];
    let finished = scopething_in(directory.path(), &above).await.done();
    assert!(bytes(&annotations(&finished)).1.is_empty(), "{}", finished.stdout);
}

#[tokio::test]
async fn what_is_decoded_is_drawn_in_lanes() {
    let directory = tempfile::tempdir().unwrap();
    captured(directory.path(), &["u.sr"]).await;
    let decode = ["decode", "u.sr", "-P", "uart:rx=L2,baudrate=115200,format=ascii"];
    let saved = [&decode[..], &["-o", "u.svg", "-o", "u.png"]].concat();
    assert_eq!(scopething_in(directory.path(), &saved).await.done().stdout, "");
    let drawing = fs::read_to_string(directory.path().join("u.svg")).unwrap();
    for text in [">RX</text>", ">H</text>", ">l</text>"] {
        assert!(drawing.contains(text), "{text}");
    }
    assert!(fs::read(directory.path().join("u.png")).unwrap().starts_with(b"\x89PNG"));
    let drawn =
        scopething_in(directory.path(), &[&decode[..], &["--plot", "--width", "200"]].concat()).await.done();
    let lane = drawn.stdout.lines().find(|line| line.trim_start().starts_with("RX"));
    assert!(lane.is_some_and(|lane| lane.contains('H') && lane.contains('o')), "{}", drawn.stdout);
    let refused = scopething_in(directory.path(), &[&decode[..], &["-o", "u.csv"]].concat()).await.refused(2);
    assert!(refused.contains("svg or png"), "{refused}");
    let kept = scopething_in(directory.path(), &saved).await.refused(2);
    assert!(kept.contains("u.svg exists"), "{kept}");
}

#[tokio::test]
async fn decoders_that_cannot_be_run_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    captured(directory.path(), &["u.sr"]).await;
    let file = directory.path().join("u.sr");
    let file = file.to_str().unwrap();
    let cases: [(&str, &[&str]); 7] = [
        ("uurt:rx=L2", &["\"uurt\"", "sigrok-cli -L"]),
        ("uart:rx=L9", &["\"L9\"", "L0 L1 L2"]),
        ("uart:baudrate=115200", &["rx", "uart:rx=L0"]),
        ("uart:rx=L2,speed=9600", &["\"speed\"", "baudrate"]),
        ("i2c:scl=L2", &["sda"]),
        ("eeprom24xx", &["i2c"]),
        ("uart:rx=L2,eeprom24xx", &["eeprom24xx takes i2c", "uart"]),
    ];
    for (decoder, parts) in cases {
        assert_wrong_usage(&[(&["decode", file, "-P", decoder], parts)]).await;
    }
    for (annotations, parts) in [
        ("unknown", &["\"unknown\"", "uart"][..]),
        ("uart=rx", &["\"rx\"", "rx-data"]),
        ("uart=rx-data,spi", &["\"spi\"", "uart"]),
    ] {
        let arguments = ["decode", file, "-P", "uart:rx=L2,baudrate=115200", "-A", annotations];
        assert_wrong_usage(&[(&arguments, parts)]).await;
    }
    let wrong =
        scopething_in(directory.path(), &["decode", file, "-P", "uart:rx=L2,baudrate=fast"]).await.refused(1);
    assert!(wrong.contains("requires a number"), "{wrong}");
    let mut command = program(&["decode", file, "-P", "uart:rx=L2"]);
    let missing =
        Running::start(command.env("SCOPETHING_SIGROK_CLI", "no-such-program")).finish().await.refused(1);
    assert!(missing.contains("apt install sigrok-cli"), "{missing}");
}

/// Of two decoders beside each other, annotations of one are asked for.
#[tokio::test]
async fn annotations_of_one_decoder_are_chosen() {
    let directory = tempfile::tempdir().unwrap();
    captured(directory.path(), &["u.sr"]).await;
    let both = ["decode", "u.sr", "-P", "uart:rx=L2,baudrate=115200", "-P", "i2c:scl=L0,sda=L1"];
    let arguments = [&both[..], &["-A", "uart=rx-data:rx-start", "--json"]].concat();
    let found = annotations(&scopething_in(directory.path(), &arguments).await.done());
    let classes: std::collections::BTreeSet<&str> =
        found.iter().filter_map(|annotation| annotation["class"].as_str()).collect();
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), ["rx-data", "rx-start"]);
    assert!(found.iter().all(|annotation| annotation["decoder"] == "uart-1"), "{found:?}");
    // All classes of a row, by its name.
    let row = [&both[..], &["-A", "uart=rx-packets", "--json"]].concat();
    scopething_in(directory.path(), &row).await.done();
}

/// A program that writes down what it was started with, and stays.
fn viewer(directory: &Path, script: &str) -> String {
    let path = directory.join("viewer");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn files_are_opened_in_the_viewer() {
    let directory = tempfile::tempdir().unwrap();
    captured(directory.path(), &["u.sr", "u.csv"]).await;
    let program_name = viewer(directory.path(), "echo \"$1\" > opened; cp \"$1\" shown.sr");
    for (file, is_converted) in [("u.sr", false), ("u.csv", true)] {
        let mut command = program(&["open", file]);
        command
            .env("SCOPETHING_PULSEVIEW", &program_name)
            .env("TMPDIR", directory.path())
            .current_dir(directory.path());
        Running::start(&mut command).finish().await.done();
        let opened = fs::read_to_string(directory.path().join("opened")).unwrap();
        assert_eq!(opened.trim().ends_with("/u.sr"), !is_converted, "{opened}");
        let arguments = ["decode", "shown.sr", "-P", "uart:rx=L2,baudrate=115200,format=ascii", "--json"];
        let (text, _) = bytes(&annotations(&scopething_in(directory.path(), &arguments).await.done()));
        assert!(text.contains("Hello"), "{file}: {text}");
    }
    let failing = viewer(directory.path(), "echo no display >&2; exit 3");
    let mut command = program(&["open", "u.sr"]);
    command.env("SCOPETHING_PULSEVIEW", failing).current_dir(directory.path());
    let message = Running::start(&mut command).finish().await.refused(1);
    assert!(message.contains("no display"), "{message}");
    let mut command = program(&["open", "u.sr"]);
    command.env("SCOPETHING_PULSEVIEW", "no-such-program").current_dir(directory.path());
    let message = Running::start(&mut command).finish().await.refused(1);
    assert!(message.contains("apt install pulseview"), "{message}");
}
