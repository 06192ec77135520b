//! `scopething shell`: commands over one connection, from a script and from a terminal.

use std::fs::File;
use std::process::Stdio;

use crate::support::{Finished, Listening, Running, bounded, number, program, scopething_reading, series};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

const FAST: &str = "sim:?clock=fast";

async fn script(lines: &[&str]) -> Finished {
    scopething_reading(lines.join("\n").as_bytes(), &["shell", "--url", FAST]).await
}

const CAPTURE: &str = "capture A --period 4ms --timeout 0 --json";

/// The lowest and the highest volts of A.
fn extent(capture: &Value) -> (f64, f64) {
    let volts = series(capture, "A", "samples");
    volts.iter().fold((f64::MAX, f64::MIN), |(low, high), &volts| (low.min(volts), high.max(volts)))
}

#[tokio::test]
async fn generator_stays_on_between_commands() {
    let lines = [
        "# a sine, and what is left of it",
        "wave sine 1kHz 0.5..2.5V --json",
        CAPTURE,
        "",
        CAPTURE,
        "stop",
        CAPTURE,
        "clock '10kHz 50%' --json",
        CAPTURE,
    ];
    let objects = script(&lines).await.done().objects();
    assert_eq!(number(&objects[0], "actual"), 1000.0);
    for capture in &objects[1..3] {
        let (low, high) = extent(capture);
        assert!((low - 0.5).abs() < 0.05 && (high - 2.5).abs() < 0.05, "{low} to {high}");
    }
    let (low, high) = extent(&objects[3]);
    assert!(high - low < 0.01, "{low} to {high} after the stop");
    assert_eq!(objects[4]["actual"][0], 1e6 / 100.0);
    let (low, high) = extent(&objects[5]);
    assert!(low < 0.1 && (high - 3.3).abs() < 0.1, "{low} to {high}");
    // One connection: device time goes on.
    let starts: Vec<f64> = objects[1..4].iter().map(|capture| number(capture, "capture_start")).collect();
    assert!(starts.windows(2).all(|pair| pair[0] < pair[1]), "{starts:?}");
}

#[tokio::test]
async fn what_is_generated_can_be_measured() {
    let lines = ["wave triangle 2kHz 0.5..2.5V", "analyse A --period 10ms --timeout 0 --json"];
    let finished = script(&lines).await.done();
    let measured: Value = serde_json::from_str(finished.stdout.lines().last().unwrap()).unwrap();
    let wave = &measured["channels"]["A"]["wave"];
    assert_eq!(wave["shape"], "triangle", "{measured}");
    assert!((number(wave, "frequency") / 2000.0 - 1.0).abs() < 1e-3, "{wave}");
}

#[tokio::test]
async fn waveform_is_stopped_after_a_time() {
    let lines = ["wave sine 1kHz --for 50ms", "stop"];
    let finished = script(&lines).await.ended(1);
    assert!(finished.stderr.contains("nothing is generated"), "{}", finished.stderr);
}

#[tokio::test]
async fn script_ends_at_first_failure() {
    let cases = [
        ("stop", 1, "nothing is generated"),
        ("pause", 1, "nothing is generated"),
        ("resume", 1, "nothing is generated"),
        ("wave sine -1kHz", 2, "-1"),
        ("wave --frequency NaN", 2, "\"NaN\""),
        ("capture --perod 1ms", 2, "--perod"),
        ("oscilloscope", 2, "oscilloscope"),
        ("simulate --pty", 2, "simulate"),
        ("shell", 2, "shell"),
        ("plot no-such-file.csv", 1, "no-such-file.csv"),
        ("plan --batch", 2, "run it by itself"),
        ("capture 'A", 2, "quotation mark"),
    ];
    for (line, code, part) in cases {
        let finished = script(&["plan --json", line, "plan --json"]).await.ended(code);
        assert!(finished.stderr.contains(part), "{part} in the answer to {line}: {}", finished.stderr);
        assert!(finished.stderr.contains("line 2 failed"), "{line}: {}", finished.stderr);
        assert_eq!(finished.objects().len(), 1, "{}", finished.stdout);
    }
}

#[tokio::test]
async fn one_generator_runs_at_a_time() {
    let starts = ["wave sine 1kHz", "clock 1MHz", "hold L3=1"];
    for (place, first) in starts.iter().enumerate() {
        for second in starts.iter().enumerate().filter(|&(other, _)| other != place).map(|(_, start)| start) {
            let finished = script(&[first, second]).await.ended(1);
            assert!(finished.stderr.contains("stop that first"), "{first}, {second}: {}", finished.stderr);
            script(&[first, "stop", second, "stop"]).await.done();
        }
        // The same again is another one instead of it; clocks cannot be paused.
        script(&[first, first, "stop"]).await.done();
        let paused = script(&[first, "pause", "resume"]).await;
        assert_eq!(paused.code, Some(i32::from(place != 0)), "{paused:?}");
    }
    let while_clocks_run = script(&["clock 1MHz", "calibrate -n 8 --file unwritten.conf"]).await.ended(1);
    assert!(while_clocks_run.stderr.contains("stop that first"), "{}", while_clocks_run.stderr);
}

#[tokio::test]
async fn help_and_the_end_are_no_failures() {
    let finished = script(&["help", "help wave", "capture --help", "exit", "oscilloscope"]).await.done();
    for part in ["calibrate", "resume", "Examples:\n  scopething wave", "--hair-trigger"] {
        assert!(finished.stdout.contains(part), "{part} in {}", finished.stdout);
    }
    assert_eq!(script(&[]).await.done().stdout, "");
}

#[tokio::test]
async fn invalid_utf8_and_endless_lines_are_rejected() {
    let endless = vec![b' '; 1 << 17];
    for (input, part) in [(&b"plan\xff\n"[..], "utf-8"), (&endless[..], "longer than 65536 bytes")] {
        let finished = scopething_reading(input, &["shell", "--url", FAST]).await.ended(2);
        assert!(finished.stderr.contains(part), "{part} in {}", finished.stderr);
    }
}

/// The link in the environment is that of the shell, and not of each of its commands.
#[tokio::test]
async fn command_may_go_to_another_link() {
    let directory = tempfile::tempdir().unwrap();
    let lines = ["info --json", "info --json --url sim:?serial=AB123456", "info --json"];
    std::fs::write(directory.path().join("lines"), lines.join("\n")).unwrap();
    let mut command = program(&["shell"]);
    command.env("SCOPETHING_URL", FAST).stdin(File::open(directory.path().join("lines")).unwrap());
    let finished = Running::start(&mut command).finish().await.done();
    let serials: Vec<Value> = finished.objects().iter().map(|info| info["serial"].clone()).collect();
    assert_eq!(serials, ["DB98TI79", "AB123456", "AB123456"]);
}

#[cfg(unix)]
#[tokio::test]
async fn interrupt_ends_waiting_script() {
    let mut command = program(&["shell", "--url", FAST]);
    command.stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    input.write_all(b"info\n").await.unwrap();
    let reported = bounded("an answer", output.next_line()).await.unwrap().unwrap();
    assert!(reported.contains("BitScope"), "{reported}");
    let id = i32::try_from(child.id().unwrap()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::INT)
        .unwrap();
    assert_eq!(bounded("the end", child.wait()).await.unwrap().code(), Some(130));
    drop(input);
}

#[cfg(unix)]
mod at_a_terminal {
    use std::path::Path;

    use rustix::process::Signal;

    use super::*;
    use crate::support::pty::Pty;

    /// The shell with a terminal of its own.
    struct Terminal {
        pty: Pty,
        /// What was shown and not waited for yet.
        screen: String,
    }

    impl Terminal {
        fn start(url: &str, home: &Path) -> Self {
            let mut command = program(&["shell", "--url", url]);
            command.env("HOME", home).env("TERM", "xterm");
            Self { pty: Pty::start(&mut command, (80, 24)), screen: String::new() }
        }

        fn press(&mut self, keys: &str) {
            self.pty.press(keys);
        }

        /// Reads up to a text, and gives what came before it.
        #[track_caller]
        fn until(&mut self, text: &str) -> String {
            loop {
                if let Some(at) = self.screen.find(text) {
                    let rest = self.screen.split_off(at + text.len());
                    return std::mem::replace(&mut self.screen, rest);
                }
                let screen = self.screen.clone();
                let chunk = self.pty.next(text, &|| format!("{screen:?}"));
                self.screen += &String::from_utf8_lossy(&chunk);
            }
        }

        fn interrupt(&self) {
            self.pty.signal(Signal::INT);
        }

        async fn end(mut self) -> i32 {
            self.press("\x04");
            self.pty.end().await.unwrap()
        }
    }

    #[tokio::test]
    async fn keys_complete_recall_and_drop_lines() {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::start(FAST, home.path());
        terminal.until("scopething> ");
        // A command, a shape and an option from their beginnings.
        terminal.press("wav\ttri\t1kHz --js\t\r");
        let shown = terminal.until("(wave)> ");
        assert!(shown.contains("\"actual\":1000.0"), "{shown}");
        terminal.press("stop\r");
        terminal.until("scopething> ");
        terminal.press("nonsense\x03");
        terminal.until("scopething> ");
        terminal.press("stop\r");
        terminal.until("nothing is generated");
        terminal.until("scopething> ");
        // The line before the one that failed.
        terminal.press("\x1b[A\x1b[A\x1b[A\r");
        let shown = terminal.until("(wave)> ");
        assert!(shown.contains("\"actual\":1000.0"), "{shown}");
        assert_eq!(terminal.end().await, 0);
        let history = std::fs::read_to_string(home.path().join(".config/scopething/shell-history")).unwrap();
        assert!(history.contains("wave triangle 1kHz --json"), "{history}");

        // Another shell has them still.
        let mut terminal = Terminal::start(FAST, home.path());
        terminal.until("scopething> ");
        terminal.press("\x1b[A\r");
        terminal.until("(wave)> ");
        assert_eq!(terminal.end().await, 0);
    }

    #[tokio::test]
    async fn interrupt_ends_command_not_shell() {
        let home = tempfile::tempdir().unwrap();
        let mut terminal = Terminal::start("sim:?A=dc,1V", home.path());
        terminal.until("scopething> ");
        terminal.press("capture --json\r");
        terminal.until("waiting for A rising");
        terminal.interrupt();
        terminal.until("\"cause\":\"cancel\"");
        terminal.until("scopething> ");
        // One that came before does not count for the next command.
        terminal.press("capture --json --timeout 10ms\r");
        terminal.until("\"cause\":\"timeout\"");
        terminal.until("scopething> ");
        terminal.press("calibrate\r");
        terminal.until("does not see the clock");
        terminal.until("scopething> ");
        assert_eq!(terminal.end().await, 0);
    }

    /// A terminal that is closed, and a service manager, end the shell and with it the generators.
    #[tokio::test]
    async fn signals_end_the_shell_at_its_prompt() {
        for signal in [Signal::TERM, Signal::HUP] {
            let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
            let url = format!("socket://{}", simulator.address("tcp"));
            let home = tempfile::tempdir().unwrap();
            let mut terminal = Terminal::start(&url, home.path());
            terminal.until("scopething> ");
            terminal.press("wave sine 1kHz\r");
            terminal.until("scopething (wave)> ");
            terminal.pty.signal(signal);
            assert_eq!(terminal.pty.end().await, Some(0), "{signal:?}");
            simulator.running.until_printed("has disconnected").await;
        }
    }

    #[tokio::test]
    async fn lost_device_is_reconnected() {
        let home = tempfile::tempdir().unwrap();
        let simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
        let address = simulator.address("tcp").to_owned();
        let mut terminal = Terminal::start(&format!("socket://{address}"), home.path());
        terminal.until("scopething> ");
        terminal.press("wave sine 1kHz\r");
        terminal.until("(wave)> ");
        // Only when its process has ended does nothing listen there.
        simulator.running.interrupt();
        simulator.running.finish().await;
        terminal.press("capture --timeout 0\r");
        terminal.until("the link is lost");
        terminal.until("scopething> ");
        terminal.press("info\r");
        terminal.until("refuses the connection");
        terminal.until("scopething> ");
        let _simulator = Listening::simulate(&["--tcp", &address]).await;
        terminal.press("info\r");
        terminal.until("BS000501");
        terminal.until("scopething> ");
        assert_eq!(terminal.end().await, 0);
    }
}
