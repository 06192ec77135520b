//! `list`, `setup` and `doctor`: what stands between a user and a scope.

use std::fs;

use crate::support::{Listening, Running, program, scopething, scopething_in};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn find<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let found = list.as_array().unwrap().iter().find(|entry| entry[key] == value);
    found.unwrap_or_else(|| panic!("no {key} {value} in {list}"))
}

async fn listed(arguments: &[&str]) -> Value {
    let finished = scopething(&[&["list", "--json"], arguments].concat()).await.done();
    serde_json::from_str(&finished.stdout).unwrap()
}

#[tokio::test]
async fn scopes_that_can_be_found_are_listed() {
    let simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    let url = format!("socket://{}", simulator.address("tcp"));
    let list = listed(&["--url", &url, "--identify"]).await;
    let named = find(&list, "url", &url);
    assert_eq!((&named["kind"], &named["revision"]), (&"named link".into(), &"BS000501".into()));
    let simulated = find(&list, "url", "sim:");
    assert_eq!((&simulated["state"], &simulated["model"]), (&"free".into(), &"BitScope Micro".into()));
    assert!(simulated["serial"].as_str().unwrap().len() == 8);
    let text = scopething(&["list", "--url", &url]).await.done().stdout;
    assert!(text.contains(&url) && text.lines().any(|line| line.starts_with("sim:")), "{text}");
    // Nothing is connected to without being asked.
    assert_eq!(find(&listed(&["--url", &url]).await, "url", &url)["model"], Value::Null);
}

#[tokio::test]
async fn rule_is_written_below_another_root() {
    let directory = tempfile::tempdir().unwrap();
    let printed = scopething(&["setup", "--group", "uucp"]).await.done();
    assert!(printed.stdout.contains("GROUP=\"uucp\""), "{}", printed.stdout);
    assert!(printed.stderr.contains("usermod -aG uucp"), "{}", printed.stderr);
    scopething_in(directory.path(), &["setup", "--install", "--root", "pkg", "--group", "uucp"]).await.done();
    let rule = directory.path().join("pkg/etc/udev/rules.d/70-scopething.rules");
    assert_eq!(fs::read_to_string(rule).unwrap(), printed.stdout);
    let refused = scopething(&["setup", "--group", "a\"b"]).await.refused(2);
    assert!(refused.contains("name of a group"), "{refused}");
    // A place where nothing can be written: a file in the way of its directory.
    fs::write(directory.path().join("taken"), "").unwrap();
    let message =
        scopething_in(directory.path(), &["setup", "--install", "--root", "taken"]).await.refused(1);
    assert!(message.contains("taken/etc/udev/rules.d"), "{message}");
}

#[tokio::test]
async fn doctor_finds_what_stands_in_the_way() {
    let healthy = scopething(&["doctor", "--url", "sim:", "--json"]).await.done().object();
    let answer = find(&healthy["findings"], "what", "answer");
    assert_eq!(answer["verdict"], "fine");
    assert!(answer["found"].as_str().unwrap().contains("BS000501"));
    assert_eq!(find(&healthy["findings"], "what", "captures")["verdict"], "fine");
    // A port that somebody else has open, by a link to it.
    let simulator = Listening::simulate(&["--pty"]).await;
    let pty = simulator.address("pty").to_owned();
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("ttyUSB0");
    std::os::unix::fs::symlink(&pty, &link).unwrap();
    let held = fs::OpenOptions::new().read(true).write(true).open(&pty).unwrap();
    let held = std::process::Command::new("sleep").arg("60").stdin(held).spawn().unwrap();
    let sick = scopething(&["doctor", "--url", link.to_str().unwrap(), "--json"]).await;
    let (id, mut held) = (held.id(), held);
    held.kill().unwrap();
    held.wait().unwrap();
    assert_eq!(sick.code, Some(1), "{sick:?}");
    let findings = &sick.object()["findings"];
    assert_eq!(find(findings, "what", "port")["verdict"], "fine");
    let users = find(findings, "what", "in use");
    assert_eq!(users["verdict"], "problem");
    assert!(users["found"].as_str().unwrap().contains(&format!("(process {id})")), "{users}");
    let gone = scopething(&["doctor", "--url", "/dev/no-such-port", "--json"]).await.ended(1);
    assert_eq!(find(&gone.object()["findings"], "what", "port")["verdict"], "problem");
    // Nobody answers there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = scopething(&["doctor", "--url", &format!("socket://127.0.0.1:{port}"), "--report"]).await;
    assert_eq!(silent.code, Some(1), "{silent:?}");
    assert!(
        silent.stdout.starts_with("```text\n") && silent.stdout.contains("refuses the connection"),
        "{}",
        silent.stdout
    );
    let mut command = program(&["doctor", "--json"]);
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".config/scopething")).unwrap();
    fs::write(home.path().join(".config/scopething/config.toml"), "url = 5").unwrap();
    let unset = Running::start(command.env("HOME", home.path())).finish().await;
    assert_eq!(unset.code, Some(1), "{unset:?}");
    // The link, which the settings name, is no problem of its own.
    let findings = unset.object()["findings"].clone();
    assert_eq!(find(&findings, "what", "settings")["verdict"], "problem");
    assert_eq!(findings.as_array().unwrap().len(), 1, "{findings}");
}

/// An adaptor in front of a device that loses what is written to it before the echo of `>` and of `U`, which may take their
/// time.
async fn forgetful_adaptor(device: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_device, mut to_device) = TcpStream::connect(&device).await.unwrap().into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_device, &mut to_client).await });
            tokio::spawn(async move {
                let mut script = [0; 4096];
                while let Ok(length @ 1..) = from_client.read(&mut script).await {
                    let delayed = script[..length].iter().position(|byte| b">U".contains(byte));
                    let executed = delayed.map_or(length, |at| at + 1);
                    to_device.write_all(&script[..executed]).await.unwrap();
                }
            });
        }
    });
    format!("socket://{address}")
}

#[tokio::test]
async fn doctor_finds_that_commands_must_wait() {
    let device = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    let url = forgetful_adaptor(device.address("tcp").to_owned()).await;
    let sick = scopething(&["doctor", "--url", &url, "--json"]).await.ended(1).object();
    assert_eq!(find(&sick["findings"], "what", "answer")["verdict"], "fine");
    let captures = find(&sick["findings"], "what", "captures");
    assert_eq!(captures["verdict"], "problem");
    let stepwise = format!("{url}?pacing=stepwise");
    assert!(captures["remedy"].as_str().unwrap().contains(&stepwise), "{captures}");
    let advised = scopething(&["doctor", "--url", &stepwise, "--json"]).await.object();
    assert_eq!(find(&advised["findings"], "what", "captures")["verdict"], "fine");
}
