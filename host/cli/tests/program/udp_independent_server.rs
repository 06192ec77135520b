//! This program as the client of a bitscope-server in another language, written from the reference alone, over
//! networks good and bad: each capture is right in every sample, or an error in bounded time.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::serve_support::Signals;
use crate::support::{Listening, bounded, scopething};
use scopething::link::{self, DatagramError, LinkError, LinkUrl};
use scopething_core::plan::{CaptureRequest, ChannelSet};
use scopething_core::scope::{Scope, ScopeError, ScopeErrorKind};
use scopething_core::trace::TraceBuffer;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

/// No capture takes longer, however it ends: each datagram of commands is answered, or given up, within 1.6 s; a
/// capture is some ten of them, and the driver tries a reset three times.
const MAX_DURATION: Duration = Duration::from_secs(40);

/// The simulated device, and the server in front of it.
struct Independent {
    url: String,
    _server: Child,
    _device: Listening,
}

impl Independent {
    async fn start(options: &str) -> Self {
        let mut arguments = vec!["--tcp", "127.0.0.1:0"];
        for signal in Signals::QUERY.split('&') {
            arguments.extend(["--signal", signal]);
        }
        let device = Listening::simulate(&arguments).await;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/bitscope_server.py");
        let mut server = Command::new("python3")
            .arg("-B")
            .arg(script)
            .args(["--device", device.address("tcp")])
            .args(options.split_whitespace())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("python3 starts");
        let stdout = server.stdout.take().expect("a pipe");
        let address = bounded("an address", BufReader::new(stdout).lines().next_line()).await;
        let address = address.expect("text").expect("a line");
        Self { url: format!("bitscope-server://{address}"), _server: server, _device: device }
    }
}

/// What became of the captures over one network.
#[derive(Debug, Default)]
struct Outcomes {
    captures: u32,
    right: u32,
    wrong_samples: usize,
    /// By kind.
    errors: BTreeMap<&'static str, u32>,
    longest: Duration,
}

fn kind(error: &ScopeError<LinkError>) -> &'static str {
    match &error.kind {
        ScopeErrorKind::Link(LinkError::Datagram(DatagramError::Lost { .. })) => "lost",
        ScopeErrorKind::Link(LinkError::Datagram(DatagramError::Ended { .. })) => "ended",
        ScopeErrorKind::Link(LinkError::Datagram(DatagramError::NoAnswer { .. })) => "no answer",
        ScopeErrorKind::NoAnswer { .. } | ScopeErrorKind::Incomplete { .. } => "silence",
        ScopeErrorKind::Garbled(_) | ScopeErrorKind::Surplus { .. } => "garbled",
        ScopeErrorKind::Contradiction(_) => "contradiction",
        ScopeErrorKind::EndLost => "lost end",
        _ => panic!("{error}"),
    }
}

/// Captures over and over, connecting anew where even that failed.
async fn outcomes(options: &str, captures: u32) -> Outcomes {
    let server = Independent::start(options).await;
    let url: LinkUrl = server.url.parse().expect("a URL");
    let mut outcomes = Outcomes::default();
    let mut connected = None;
    let mut buffer = Box::new(TraceBuffer::new());
    while outcomes.captures < captures {
        outcomes.captures += 1;
        let started = Instant::now();
        let capture = async {
            let scope = match &mut connected {
                Some(scope) => scope,
                none => {
                    let opened = link::open(&url).await.expect("a link");
                    none.insert(Scope::connect(opened.stream, opened.clock, opened.profile).await?)
                }
            };
            // A trace without trigger ends, so that the loss of its end is noticed.
            let request = CaptureRequest {
                period_s: 2e-3,
                low: Some(-4.0),
                high: Some(4.0),
                timeout_s: Some(0.1),
                ..CaptureRequest::new("A,B,L0,L1,L2,L3,L4,L5".parse::<ChannelSet>().expect("channels"))
            };
            let plan = scope.plan(&request).expect("a plan");
            let trace = scope.capture(&plan, &mut buffer).await?;
            Ok(Signals::wrong_samples(&trace))
        };
        match bounded("a capture", Box::pin(capture)).await {
            Ok(wrong) => {
                outcomes.right += u32::from(wrong == 0);
                outcomes.wrong_samples += wrong;
            }
            Err(error) => *outcomes.errors.entry(kind(&error)).or_default() += 1,
        }
        outcomes.longest = outcomes.longest.max(started.elapsed());
    }
    println!(
        "{options:44} {:4} captures, {:4} right, {} wrong samples, longest {:5.2} s, {:?}",
        outcomes.captures,
        outcomes.right,
        outcomes.wrong_samples,
        outcomes.longest.as_secs_f64(),
        outcomes.errors
    );
    assert_eq!(outcomes.wrong_samples, 0, "{options}");
    assert!(outcomes.longest < MAX_DURATION, "{options}: {:?}", outcomes.longest);
    outcomes
}

/// How many captures each network sees: few in a test, more by hand with `SCOPETHING_CAPTURES=200`.
fn captures() -> u32 {
    std::env::var("SCOPETHING_CAPTURES").map_or(10, |text| text.parse().expect("a number"))
}

#[tokio::test]
async fn answers_in_any_chunks_and_counts() {
    for count in ["on", "0", "1"] {
        for chunk in ["1", "7", "95", "1472"] {
            let options = format!("--chunk {chunk} --count {count}");
            let outcomes = outcomes(&options, captures()).await;
            assert_eq!(outcomes.right, outcomes.captures, "{outcomes:?}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_repeated_and_reordered_are_right() {
    for count in ["on", "0", "1"] {
        for chunk in ["95", "1472"] {
            let options = format!("--chunk {chunk} --count {count} --way back --repeat 0.05 --swap 0.05");
            let outcomes = outcomes(&options, captures()).await;
            assert_eq!(outcomes.right, outcomes.captures, "{outcomes:?}");
        }
    }
}

#[tokio::test]
async fn loss_is_an_error_never_a_wrong_sample() {
    for count in ["on", "0", "1"] {
        for lose in ["0.01", "0.05"] {
            let options = format!("--chunk 1472 --count {count} --lose {lose} --repeat 0.02 --swap 0.02");
            let outcomes = outcomes(&options, captures()).await;
            assert!(outcomes.right > 0, "{outcomes:?}");
        }
    }
}

#[tokio::test]
async fn second_client_is_rejected_with_holder() {
    let device = Listening::simulate(&["--tcp", "127.0.0.1:0", "--bitscope-server", "127.0.0.1:0"]).await;
    let served = crate::serve_support::serve("", &["--tcp", "--bitscope-server"]).await;
    for listening in [&device, &served] {
        let mut holder =
            tokio::net::TcpStream::connect(listening.address("tcp")).await.expect("a connection");
        // A connection that asks nothing does not keep others from the device.
        holder.write_all(b"?").await.expect("a connection");
        let mut answer = [0; 11];
        bounded("an answer", holder.read_exact(&mut answer)).await.expect("an answer");
        let name = format!("tcp {}", holder.local_addr().expect("an address"));
        let tcp = format!("socket://{}", listening.address("tcp"));
        let udp = format!("bitscope-server://{}", listening.address("bitscope_server"));
        for url in [tcp, udp] {
            let message = scopething(&["info", "--url", &url]).await.refused(1);
            // Where clients take turns, it reports for how long.
            let expected = format!("the BitScope is in use: {name} ");
            let errors: Vec<&str> = message.lines().filter(|line| line.starts_with("error: ")).collect();
            assert!(
                matches!(errors[..], [error] if error.contains(&expected) && error.contains(" has it")),
                "{url}: {message}"
            );
        }
    }
}
