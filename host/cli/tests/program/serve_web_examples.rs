//! The examples of the interface behind the page, as its document has them: curl, and Python with what `.ci/install` installs.

use std::path::Path;
use std::process::Stdio;

use crate::serve_support::serve;
use crate::support::bounded;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// Where the document says that the page is.
const DOCUMENTED: &str = "127.0.0.1:8080";

fn document(address: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../pages/web-interface.md");
    std::fs::read_to_string(path).unwrap().replace(DOCUMENTED, address)
}

/// The blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let start = format!("```{language}\n");
    text.split(&start).skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect()
}

#[tokio::test]
async fn documented_examples_work() {
    let served = serve("A=sine,1kHz,0..3V&B=dc,1V", &["--web"]).await;
    let text = document(served.address("web"));
    let place = tempfile::tempdir().unwrap();
    let lines = blocks(&text, "console").concat();
    let commands: Vec<&str> = lines
        .lines()
        .filter_map(|line| line.strip_prefix("$ "))
        .filter(|line| line.starts_with("curl "))
        .collect();
    assert_eq!(commands.len(), 3, "{lines}");
    let mut answers = Vec::new();
    for command in commands {
        // A refusal is an error.
        let command = format!("{command} --fail");
        let mut shell = Command::new("sh");
        shell.args(["-c", &command]).current_dir(&place).stdin(Stdio::null()).kill_on_drop(true);
        let output = bounded(&command, shell.output()).await.unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        answers.push(String::from_utf8(output.stdout).unwrap());
    }
    let state: serde_json::Value = serde_json::from_str(&answers[1]).unwrap();
    assert_eq!(state["settings"]["time_per_div"], 1e-3);
    assert_eq!(state["settings"]["trigger"]["level"], 1.2);
    let csv = std::fs::read_to_string(place.path().join("trace.csv")).unwrap();
    assert!(csv.lines().any(|line| line.starts_with("time,A,B")), "{}", &csv[..200]);
    // The client in Python goes on for ever: its first two lines are those of A and B.
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/python");
    let programs = blocks(&text, "python");
    let [program] = programs[..] else { panic!("{programs:?}") };
    let mut command = Command::new(python);
    command.args(["-u", "-c", program]).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("Python in target/python, by .ci/install");
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    for (channel, mean) in [("A", 1.5), ("B", 1.0)] {
        let line = bounded("a line", printed.next_line()).await.unwrap().expect("a line");
        let words: Vec<&str> = line.split(' ').collect();
        let [_, "trigger", name, volts] = words[..] else { panic!("{line}") };
        assert_eq!(name, channel);
        assert!((volts.parse::<f64>().unwrap() - mean).abs() < 0.05, "{line}");
    }
    child.kill().await.unwrap();
}
