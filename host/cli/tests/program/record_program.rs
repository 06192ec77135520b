//! `scopething record` as a process: ended, unplugged, asked how it goes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Listening, Running, bounded, program, scopething};
use rustix::process::Signal;
use scopething_files::Format;
use scopething_record::writer::growing::survey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SCOPE: &str = "sim:?A=sine,1kHz,0..3V&clock=fast";

fn job_file(directory: &Path, text: &str) -> String {
    let path = directory.join("job.toml");
    fs::write(&path, format!("files.directory = '{}'\n{text}", directory.join("files").display())).unwrap();
    path.to_str().unwrap().to_owned()
}

fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory.join("files")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let ours = |path: &PathBuf| name(path).starts_with("trace-0") && name(path).ends_with(ending);
    let mut files: Vec<_> = paths.filter(ours).collect();
    files.sort();
    files
}

#[tokio::test]
async fn sigterm_finishes_file_and_status() {
    let directory = tempfile::tempdir().unwrap();
    let job = job_file(directory.path(), &format!("url = '{SCOPE}'"));
    let mut running = Running::start(&mut program(&["record", &job]));
    running.until_printed("recording from the scope").await;
    running.signal(Signal::TERM);
    let finished = running.finish().await.done();
    assert!(finished.stderr.contains("recording has ended"), "{}", finished.stderr);
    let status = scopething(&["record", "--status", "--json", &job]).await.done().object();
    assert_eq!((&status["ended"], &status["held"]), (&true.into(), &0.into()));
    let files = files(directory.path(), "csv");
    let survey = files.last().map(|file| survey(file, Format::Csv).unwrap()).unwrap_or_default();
    assert_eq!((survey.torn_bytes, Some(survey.traces)), (0, status["written"].as_u64()));
}

#[tokio::test]
async fn unplugging_is_logged_once() {
    let directory = tempfile::tempdir().unwrap();
    let signal = ["--signal", "A=sine 1kHz 0..3V"];
    let simulator = Listening::simulate(&[&["--tcp", "127.0.0.1:0"], &signal[..]].concat()).await;
    let address = simulator.address("tcp").to_owned();
    let job = job_file(directory.path(), &format!("url = 'socket://{address}'\nkeep.what = 'summary'"));
    let mut running = Running::start(&mut program(&["record", &job]));
    running.until_printed("recording from the scope").await;
    drop(simulator);
    running.until_printed("waiting for the scope").await;
    let _again = Listening::simulate(&[&["--tcp", address.as_str()], &signal[..]].concat()).await;
    running.until_printed("is there again").await;
    running.interrupt();
    let finished = running.finish().await.done();
    assert_eq!(finished.stderr.matches("waiting for the scope").count(), 1, "{}", finished.stderr);
}

#[tokio::test]
async fn job_check_names_wrong_line() {
    let directory = tempfile::tempdir().unwrap();
    let job = job_file(directory.path(), "when.every = '1min'\nkeep.what = 'summary'");
    let checked = scopething(&["record", "--check", &job]).await.done();
    assert!(checked.stdout.contains("of disk a day: 1440 traces"), "{}", checked.stdout);
    assert!(!directory.path().join("files").exists(), "checking makes no files");
    let missing = scopething(&["record", "--status", &job]).await.refused(1);
    assert!(missing.contains("no status"), "{missing}");
    let wrong = job_file(directory.path(), "when.every = '1fortnight'");
    for arguments in [&["record", "--check", &wrong][..], &["record", &wrong]] {
        assert!(scopething(arguments).await.refused(2).contains("line 2: "));
    }
}

#[tokio::test]
async fn prometheus_reads_the_page() {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("url = '{SCOPE}'\nwhen.every = '1000d'\nstatus.prometheus = '127.0.0.1:0'");
    let text = text.replace("&clock=fast", "");
    let mut running = Running::start(&mut program(&["record", &job_file(directory.path(), &text)]));
    let line: serde_json::Value = serde_json::from_str(&running.line().await).unwrap();
    running.until_printed("recording from the scope").await;
    let address = line["prometheus"].as_str().unwrap();
    // The page is as old as a second.
    let page = async {
        loop {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            let mut page = String::new();
            stream.read_to_string(&mut page).await.unwrap();
            if page.contains("scopething_written_total 1\n") {
                break page;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let page = bounded("the page", page).await;
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
    running.interrupt();
    running.finish().await.done();
}
