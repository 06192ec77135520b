//! The command `bridge` and captures through a bridge, from end to end: program, TCP, bridge, simulated
//! BitScope.

use crate::bridge_support::{log_bytes, serve};
use crate::support::{program, scopething, scopething_in};
use serde_json::Value;

const SIGNALS: &str = "A=sine,1kHz,0..3V&B=dc,1V&seed=3";

/// Runs `scopething bridge` to its end, which must be a good one.
async fn bridge(url: &str, words: &str) -> String {
    let mut arguments = vec!["bridge"];
    arguments.extend(words.split(' '));
    arguments.extend(["--url", url]);
    let finished = scopething(&arguments).await;
    assert_eq!(finished.code, Some(0), "{words}: {}", finished.stderr);
    finished.stdout
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Polls the status until it holds.
async fn until(url: &str, what: impl Fn(&Value) -> bool) -> Value {
    loop {
        let status = json(&bridge(url, "status --json").await);
        if what(&status) {
            return status;
        }
        assert!(status["uptime"].as_f64().unwrap() < 60.0, "{status}");
    }
}

#[tokio::test]
async fn job_is_configured_run_fetched_and_erased() {
    let url = serve(SIGNALS);
    let none = json(&bridge(&url, "status --json").await);
    assert_eq!(
        (&none["job"], &none["armed"], &none["traces"]["count"]),
        (&Value::Null, &false.into(), &0.into())
    );
    assert_eq!((&none["firmware"], &none["restart"]), (&"1.2.3".into(), &"panic at src/main.rs:7".into()));
    let job =
        "configure A B --period 4ms --samples 800 --low -1V --high 4V --level 1.5V --repeat 3 --keep 5 --arm";
    bridge(&url, job).await;
    let done = until(&url, |status| status["state"] == "finished").await;
    assert_eq!(done["traces"]["count"], 3);
    assert_eq!((&done["job"]["channels"], &done["job"]["keep"]), (&"A,B".into(), &5.into()));
    let list: Vec<Value> = bridge(&url, "list --json").await.lines().map(json).collect();
    assert_eq!(list.len(), 3);
    assert!(list.iter().all(|trace| trace["cause"] == "trigger" && trace["samples"] == 800));

    let directory = tempfile::tempdir().unwrap();
    let fetch = ["bridge", "fetch", "2", "3", "--url", &url, "--json", "-o", "traces.csv", "-o", "trace.sr"];
    let fetched = scopething_in(directory.path(), &fetch).await;
    assert_eq!(fetched.code, Some(0), "{}", fetched.stderr);
    for line in fetched.stdout.lines() {
        let capture = json(line);
        let a = capture["channels"]["A"]["samples"].as_array().unwrap();
        assert_eq!(a.len(), 400);
        // A quarter of 4 ms is before the trigger, at 1.5 V of a sine from 0 V to 3 V.
        let at_trigger = a[100].as_f64().unwrap();
        assert!((at_trigger - 1.5).abs() < 0.2, "{at_trigger} V");
        let b = capture["channels"]["B"]["samples"].as_array().unwrap();
        assert!(b.iter().all(|volts| (volts.as_f64().unwrap() - 1.0).abs() < 0.05));
    }
    assert_eq!(fetched.stdout.lines().count(), 2);
    for file in ["traces.csv", "trace-1.sr", "trace-2.sr"] {
        assert!(directory.path().join(file).exists(), "{file}");
    }

    bridge(&url, "erase --through 2").await;
    let left: Vec<Value> = bridge(&url, "list --json").await.lines().map(json).collect();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["trace"], 3);
    bridge(&url, "erase --all").await;
    assert_eq!(bridge(&url, "list").await, "");
}

#[tokio::test]
async fn job_spares_the_flash_by_default() {
    let url = serve(SIGNALS);
    let configured = scopething(&[
        "bridge",
        "configure",
        "A",
        "--period",
        "2ms",
        "--samples",
        "400",
        "--arm",
        "--url",
        &url,
    ])
    .await;
    assert_eq!(configured.code, Some(0), "{}", configured.stderr);
    assert!(configured.stderr.contains("flash, which lasts 5 years"), "{}", configured.stderr);
    let status = until(&url, |status| status["memory"]["count"].as_u64() >= Some(3)).await;
    assert_eq!(status["traces"]["count"], 1, "the first since it was armed is in flash");
    let spacing_s = status["job"]["flash"].as_f64().unwrap();
    assert!(spacing_s > 10.0 && status["job"]["spacing"] == 0.0, "{status}");
    assert!(status["flash"]["life_days"].as_f64().unwrap() > 0.0);
    bridge(&url, "disarm").await;
    let list = bridge(&url, "list").await;
    assert!(list.lines().skip(1).all(|line| line.ends_with(", in memory")), "{list}");
    assert!(list.lines().next().is_some_and(|line| line.ends_with("bytes")), "{list}");
    let traces = list.lines().count();
    assert_eq!(bridge(&url, "fetch --json").await.lines().count(), traces);
    let never = bridge(&url, "configure A --flash never").await;
    assert_eq!(never, "");
    assert!(bridge(&url, "status").await.contains("none to flash"));
}

#[tokio::test]
async fn traces_that_are_replaced_while_all_are_fetched_are_only_counted() {
    let url = serve(SIGNALS);
    bridge(&url, "configure A --period 20ms --samples 6000 --timeout 0 --flash never --arm").await;
    // There is room for five at the most.
    until(&url, |status| status["traces"]["newest"].as_u64() >= Some(10)).await;
    // Slower by far than the job.
    let slow = format!("{url}?faults=delay:20ms@0.5%25&seed=1");
    let finished = scopething(&["bridge", "fetch", "--json", "--url", &slow]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains("were replaced before they were fetched"), "{}", finished.stderr);
    // One that was named must be there.
    let finished = scopething(&["bridge", "fetch", "1", "--url", &url]).await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    bridge(&url, "disarm").await;
    let traces = bridge(&url, "list").await.lines().count();
    assert!(traces > 1);
    assert_eq!(bridge(&url, "fetch --json").await.lines().count(), traces);
}

#[tokio::test]
async fn only_traces_outside_their_bands_are_kept() {
    let url = serve(SIGNALS);
    let configure = async |outside: &[&str]| {
        let mut words =
            vec!["bridge", "configure", "B", "--repeat", "3", "--timeout", "0", "--arm", "--url", &url];
        words.extend(outside.iter().flat_map(|&band| ["--outside", band]));
        scopething(&words).await
    };
    // B is 1 V.
    let finished = configure(&["B mean 0.9V..1.1V", "B peak-to-peak ..100mV"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let status = until(&url, |status| status["state"] == "finished").await;
    assert_eq!(
        (&status["captures"], &status["within_bands"], &status["traces"]["count"]),
        (&3.into(), &3.into(), &0.into())
    );
    let text = bridge(&url, "status").await;
    assert!(text.contains(", if outside B mean 0.9V..1.1V or B peak-to-peak ..0.1V"), "{text}");
    assert!(text.contains("3 of 3 captures were not kept"), "{text}");
    // What cannot be measured is outside.
    let finished = configure(&["B mean 0.9V..1.1V", "B frequency 0.."]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let status = until(&url, |status| status["state"] == "finished" && status["captures"] == 6).await;
    assert_eq!((&status["within_bands"], &status["traces"]["count"]), (&3.into(), &3.into()));
    let many = ["B mean 0..1V"; 9];
    for (outside, part) in [
        (&["A mean 0..1V"][..], "A has a band and is not captured"),
        (&["B mean 1V..0V"], "lower bound first"),
        (&many, "8 at the most"),
    ] {
        let finished = configure(outside).await;
        assert_eq!(finished.code, Some(2), "{outside:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(part), "{outside:?}: {}", finished.stderr);
    }
    assert_eq!(json(&bridge(&url, "status --json").await)["job"]["bands"][1]["measure"], "frequency");
}

#[tokio::test]
async fn flash_chip_is_reported() {
    let url = serve(SIGNALS);
    let status = json(&bridge(&url, "status --json").await);
    let flash = &status["flash"];
    assert_eq!(
        (&flash["bytes"], &flash["size"], &flash["id"]),
        (&(4 << 20).into(), &"reported".into(), &"ef4016".into())
    );
    let text = bridge(&url, "status").await;
    assert!(text.contains("4 MiB, of which 96 KiB are used until its traces are erased"), "{text}");
}

#[tokio::test]
async fn board_is_set_without_a_rebuild() {
    let url = serve("A=dc,1V");
    assert_eq!(
        json(&bridge(&url, "board --json").await),
        serde_json::json!({"baud": 1_000_000, "led": 25, "trigger_out": null, "trigger_in": null})
    );
    bridge(&url, "board --baud 115200 --led GP22 --trigger-out 6 --trigger-in 7").await;
    let text = bridge(&url, "board").await;
    assert!(text.contains("115200") && text.contains("GP22") && text.contains("GP6"), "{text}");
    bridge(&url, "board --led none").await;
    let kept = serde_json::json!({"baud": 115_200, "led": null, "trigger_out": 6, "trigger_in": 7});
    assert_eq!(json(&bridge(&url, "board --json").await), kept);
    for (words, part) in [
        (["--trigger-out", "3"], "GPIO 3 is not free"),
        (["--trigger-in", "6"], "GPIO 6 is given twice"),
        (["--led", "6"], "given twice"),
        (["--baud", "50"], "9600"),
        (["--led", "wifi"], "or radio, on a Pico W"),
    ] {
        let finished = scopething(&["bridge", "board", words[0], words[1], "--url", &url]).await;
        assert_eq!(finished.code, Some(2), "{words:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(part), "{words:?}: {}", finished.stderr);
    }
    assert_eq!(json(&bridge(&url, "board --json").await), kept);
}

#[tokio::test]
async fn led_of_a_pico_w_is_set() {
    let url = serve("A=dc,1V");
    bridge(&url, "board --led radio --trigger-out 6").await;
    let kept = serde_json::json!({"baud": 1_000_000, "led": "radio", "trigger_out": 6, "trigger_in": null});
    assert_eq!(json(&bridge(&url, "board --json").await), kept);
    assert!(bridge(&url, "board").await.contains("Pico W"));
    let finished = scopething(&["bridge", "board", "--trigger-in", "25", "--url", &url]).await;
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("GPIO 25 leads to the radio"), "{}", finished.stderr);
    bridge(&url, "board --led 25").await;
    assert_eq!(json(&bridge(&url, "board --json").await)["led"], 25);
}

#[tokio::test]
async fn firmware_is_copied_to_the_drive_of_a_board() {
    let url = serve("A=dc,1V");
    let directory = tempfile::tempdir().unwrap();
    let (file, drive) = (directory.path().join("bridge.uf2"), directory.path().join("RPI-RP2"));
    // One block, by the description of the format, of the RP2040's family.
    let head = [0x0A32_4655, 0x9E5D_5157, 0x2000, 0x1000_0000, 256, 0, 1, 0xE48B_FF56];
    let mut bytes: Vec<u8> = head.into_iter().flat_map(u32::to_le_bytes).collect();
    bytes.resize(508, 0);
    bytes.extend(0x0AB1_6F30_u32.to_le_bytes());
    std::fs::write(&file, &bytes).unwrap();
    std::fs::create_dir(&drive).unwrap();
    let (path, place) = (file.to_str().unwrap(), drive.to_str().unwrap());
    let flash = ["bridge", "flash", path, "--drive", place, "--wait", "0s"];
    let update = ["bridge", "update", path, "--drive", place, "--wait", "0s", "--url", &url];
    let finished = scopething(&flash).await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("with BOOTSEL held"), "{}", finished.stderr);
    let information = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n";
    std::fs::write(drive.join("INFO_UF2.TXT"), information).unwrap();
    for words in [&flash[..], &update] {
        let finished = scopething(words).await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stderr.contains("the board starts it by itself"), "{}", finished.stderr);
        assert_eq!(std::fs::read(drive.join("bridge.uf2")).unwrap(), bytes);
        std::fs::remove_file(drive.join("bridge.uf2")).unwrap();
    }
    std::fs::write(&file, &bytes[..500]).unwrap();
    let finished = scopething(&flash).await;
    assert_eq!(finished.code, Some(1), "{}", finished.stderr);
    assert!(finished.stderr.contains("no whole UF2 file"), "{}", finished.stderr);
}

#[tokio::test]
async fn bridge_behaves_like_a_device() {
    let url = serve(SIGNALS);
    let finished = scopething(&["info", "--url", &url, "--json"]).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(json(&finished.stdout)["revision"], "BS000501");
    let capture = ["capture", "A", "--url", &url, "--period", "2ms", "--level", "1.5V", "--json", "-n", "3"];
    let finished = scopething(&capture).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.stdout.lines().count(), 3);
    assert!(finished.stdout.lines().all(|line| json(line)["cause"] == "trigger"));
    // Between captures the bridge is a bridge.
    assert_eq!(json(&bridge(&url, "status --json").await)["traces"]["count"], 0);
    let finished = scopething(&capture).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let wave = ["capture", "A", "--url", &url, "--wave", "sine 1kHz 0..3.3V", "--period", "2ms", "--json"];
    let finished = scopething(&wave).await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[tokio::test]
async fn it_captures_now_and_prints_its_log() {
    let url = serve("A=dc,2V");
    let capture = json(&bridge(&url, "capture --json").await);
    let volts = capture["channels"]["A"]["samples"][0].as_f64().unwrap();
    assert!((volts - 2.0).abs() < 0.1, "{volts}");
    assert_eq!(json(&bridge(&url, "status --json").await)["traces"]["newest"], 1);
    let log = program(&["bridge", "logs", "--defmt", "--url", &url]).output().await.unwrap();
    assert_eq!(log.stdout, log_bytes()[100..]);
    let events = bridge(&url, "logs").await;
    let [first, second] = events.lines().collect::<Vec<_>>()[..] else { panic!("{events}") };
    assert!(first.ends_with("powered up") && second.ends_with("button pressed"), "{events}");
    let text = bridge(&url, "status").await;
    assert!(text.contains("1, 1 to 1") && text.contains("panic at src/main.rs:7, before start 1"), "{text}");
}

#[tokio::test]
async fn uplink_faults_are_recovered_or_reported() {
    let url = serve("A=sine,1kHz,0..3V&noise=20mV&seed=9");
    bridge(&url, "configure A --samples 6000 --period 20ms --repeat 2 --timeout 0 --arm").await;
    until(&url, |status| status["state"] == "finished").await;
    let expected = bridge(&url, "fetch --json").await;
    assert_eq!(expected.lines().count(), 2);
    let (mut right, mut reported) = (0, 0);
    for seed in 0..4 {
        // A few of some 16000 bytes, and at times the end of the link.
        let close = if seed % 2 == 0 { ";close@9000" } else { "" };
        let faulty = format!("{url}?faults=corrupt@0.02%25;drop@0.01%25;repeat@0.01%25{close}&seed={seed}");
        let finished = scopething(&["bridge", "fetch", "--json", "--url", &faulty]).await;
        match finished.code {
            Some(0) => {
                assert_eq!(finished.stdout, expected);
                right += 1;
            }
            Some(1) => {
                assert!(finished.stderr.contains("error: "), "{}", finished.stderr);
                assert!(finished.stdout.is_empty() || expected.starts_with(&finished.stdout));
                reported += 1;
            }
            other => panic!("{other:?}: {}", finished.stderr),
        }
    }
    println!("{right} right, {reported} reported");
    assert!(right > 0 && reported > 0);
}

#[tokio::test]
async fn errors_are_reported() {
    let url = serve("A=dc,1V");
    let stop_in_memory =
        ["bridge", "configure", "A", "--flash", "never", "--when-full", "stop", "--url", &url];
    let cases: [(&[&str], i32, &str); 9] = [
        (&stop_in_memory, 2, "--when-full stop needs traces in flash"),
        (&["bridge", "configure", "A", "--flash", "often", "--url", &url], 2, "or give each, or never"),
        (&["bridge", "arm", "--url", &url], 1, "configure one first"),
        (&["bridge", "fetch", "9", "--url", &url], 1, "no trace 9"),
        (&["bridge", "status", "--url", "sim:"], 1, "no bridge"),
        (&["bridge", "status"], 2, "which bridge?"),
        (&["bridge", "configure", "A", "--period", "1000s", "--url", &url], 2, "too long"),
        (&["bridge", "configure", "A", "--repeat", "0", "--url", &url], 2, "from 1 on"),
        (&["bridge", "erase", "--url", &url], 2, "--through"),
    ];
    for (arguments, code, part) in cases {
        let finished = scopething(arguments).await;
        assert_eq!(finished.code, Some(code), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(part), "{arguments:?}: {}", finished.stderr);
    }
}
