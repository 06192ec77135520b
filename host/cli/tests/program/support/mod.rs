//! Runs the built program, waits for it no longer than [`HANG`], and keeps its output.

#[cfg(unix)]
pub(crate) mod pty;
pub(crate) mod relay;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// Far longer than anything here takes on a loaded machine: what takes so long has failed.
pub(crate) const HANG: Duration = Duration::from_mins(1);

pub(crate) async fn bounded<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(done) = tokio::time::timeout(HANG, future).await else {
        panic!("{what} takes longer than {HANG:?}")
    };
    done
}

/// The program with arguments, nothing of the user's settings, and no input.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scopething"));
    let own = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("SCOPETHING_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| own(name)) {
        command.env_remove(name);
    }
    for name in ["CLICOLOR_FORCE", "COLUMNS", "LC_ALL", "LC_CTYPE", "NO_COLOR", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    // In a terminal that shows UTF-8, whichever the tests are started in.
    command.env("TERM", "xterm").env("LANG", "C.UTF-8");
    command.args(arguments).kill_on_drop(true);
    // There is no .config below it.
    command.env("HOME", env!("CARGO_TARGET_TMPDIR"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the program to its end.
pub(crate) async fn scopething(arguments: &[&str]) -> Finished {
    Running::start(&mut program(arguments)).finish().await
}

/// As [`scopething`], in a directory.
pub(crate) async fn scopething_in(directory: &Path, arguments: &[&str]) -> Finished {
    Running::start(program(arguments).current_dir(directory)).finish().await
}

/// As [`scopething`], with bytes on standard input.
pub(crate) async fn scopething_reading(input: &[u8], arguments: &[&str]) -> Finished {
    let mut running = Running::start(program(arguments).stdin(Stdio::piped()));
    let mut stdin = running.child.stdin.take().expect("a pipe");
    let write = async {
        // A program that does not read to the end is judged by what it answers.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    tokio::join!(write, running.finish()).1
}

/// As [`scopething_in`], with a standard output whose reader has left.
pub(crate) async fn scopething_unread(directory: &Path, arguments: &[&str]) -> Finished {
    let started = Instant::now();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let child = program(arguments).current_dir(directory).stdout(writer).spawn().expect("the program starts");
    let output = bounded("the end of the program", child.wait_with_output()).await.expect("a status");
    Finished {
        code: output.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8(output.stderr).expect("text"),
        took: started.elapsed(),
    }
}

/// A figure of a running process's memory, in KiB.
fn memory_kib(id: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The memory that a running process has, in KiB.
pub(crate) fn resident_memory_kib(id: u32) -> u64 {
    memory_kib(id, "VmRSS:")
}

/// The most memory that a running process had at any time, in KiB.
#[cfg(target_os = "linux")]
pub(crate) fn peak_memory_kib(id: u32) -> u64 {
    memory_kib(id, "VmHWM:")
}

/// A program under way.
pub(crate) struct Running {
    child: Child,
    started: Instant,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
    /// What was read of standard error so far.
    printed: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let started = Instant::now();
        let mut child = command.spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        Self { child, started, stdout, stderr, printed: String::new() }
    }

    /// The next line of standard output.
    pub(crate) async fn line(&mut self) -> String {
        let line = bounded("a line of standard output", self.stdout.next_line()).await.expect("text");
        match line {
            Some(line) => line,
            None => panic!("standard output ended, standard error was {}", self.rest_of_stderr().await),
        }
    }

    async fn rest_of_stderr(&mut self) -> String {
        while let Ok(Some(line)) = bounded("standard error", self.stderr.next_line()).await {
            self.printed += &line;
            self.printed.push('\n');
        }
        std::mem::take(&mut self.printed)
    }

    /// Reads standard error up to a line that has `text` in it.
    pub(crate) async fn until_printed(&mut self, text: &str) {
        loop {
            let line = bounded("a line of standard error", self.stderr.next_line()).await.expect("text");
            let Some(line) = line else { panic!("never printed {text:?}: {}", self.printed) };
            self.printed += &line;
            self.printed.push('\n');
            if line.contains(text) {
                return;
            }
        }
    }

    /// Writes a line to its standard input, which must be a pipe, and leaves it open.
    pub(crate) async fn send_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
        stdin.flush().await.expect("it reads");
    }

    /// Ends its standard input.
    pub(crate) fn close_stdin(&mut self) {
        drop(self.child.stdin.take());
    }

    /// The process's number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Sends what Ctrl-C sends.
    #[cfg(unix)]
    pub(crate) fn interrupt(&self) {
        self.signal(rustix::process::Signal::INT);
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id().expect("it runs")).expect("an id");
        let process = rustix::process::Pid::from_raw(id).expect("an id");
        rustix::process::kill_process(process, signal).expect("it runs");
    }

    /// Waits for its end.
    pub(crate) async fn finish(self) -> Finished {
        let Self { mut child, started, stdout, stderr, printed } = self;
        let (mut out, mut rest) = (String::new(), String::new());
        let (mut stdout, mut stderr) = (stdout.into_inner(), stderr.into_inner());
        let read = async {
            let (out, err) = tokio::join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut rest));
            out.and(err).expect("text");
            child.wait().await.expect("a status")
        };
        let status = bounded("the end of the program", read).await;
        Finished { code: status.code(), stdout: out, stderr: printed + &rest, took: started.elapsed() }
    }
}

/// What a program printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Finished {
    /// Its output, if it did what it should.
    #[track_caller]
    pub(crate) fn done(self) -> Self {
        self.ended(0)
    }

    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code; {self:#?}");
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    /// The message of a failure with this exit code, which leaves standard output clean.
    #[track_caller]
    pub(crate) fn refused(self, code: i32) -> String {
        let Self { stdout, stderr, .. } = self.ended(code);
        assert_eq!(stdout, "", "standard output");
        assert!(stderr.contains("error: "), "{stderr}");
        stderr
    }

    /// The objects of its output, one a line; the last line ends like the others.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        assert!(self.stdout.ends_with('\n'), "{:?}", self.stdout);
        let object = |line| match serde_json::from_str(line) {
            Ok(object @ Value::Object(_)) => object,
            other => panic!("{other:?} of {line}"),
        };
        self.stdout.lines().map(object).collect()
    }

    /// The one object of its output.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{}", self.stdout);
        objects.remove(0)
    }
}

/// Each of these is wrong usage, and the message has all of these parts.
pub(crate) async fn assert_wrong_usage(cases: &[(&[&str], &[&str])]) {
    for (arguments, parts) in cases {
        let message = scopething(arguments).await.refused(2);
        for part in *parts {
            assert!(message.contains(part), "{part} in the answer to {arguments:?}: {message}");
        }
    }
}

/// The numbers at `channels.NAME.KEY` of a capture.
#[track_caller]
pub(crate) fn series(capture: &Value, channel: &str, key: &str) -> Vec<f64> {
    // Times that channels share stand once.
    let shared = capture["channels"][channel][format!("{key}_of")].as_str();
    let list = capture["channels"][shared.unwrap_or(channel)][key].as_array();
    let list = list.unwrap_or_else(|| panic!("no {key} of {channel} in {capture}"));
    list.iter().map(|value| value.as_f64().expect("a number")).collect()
}

#[track_caller]
pub(crate) fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {object}"))
}

/// A program that listens, such as `scopething simulate` and `serve`, with its address of each kind. It ends when it is
/// dropped.
pub(crate) struct Listening {
    pub(crate) running: Running,
    pub(crate) addresses: Value,
}

impl Listening {
    pub(crate) async fn simulate(arguments: &[&str]) -> Self {
        Self::start(&[&["simulate"], arguments].concat()).await
    }

    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut running = Running::start(&mut program(arguments));
        let line = running.line().await;
        let addresses = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { running, addresses }
    }

    /// The address of one kind.
    #[track_caller]
    pub(crate) fn address(&self, kind: &str) -> &str {
        self.addresses[kind].as_str().unwrap_or_else(|| panic!("no {kind} in {}", self.addresses))
    }
}
