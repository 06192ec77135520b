//! `scopething capture` over links with faults: `--verify`, and faults that a URL asks for.

use crate::support::{Finished, Listening, scopething, series};

/// A voltage that no byte of all bits inverted reads as.
const VOLTS: f64 = 1.0;

async fn capture(url: &str, more: &[&str]) -> Finished {
    let settings = ["capture", "A", "--samples", "100", "--period", "20us", "--timeout", "0", "--json"];
    scopething(&[&settings[..], &["--url", url], more].concat()).await
}

/// Whether all samples are there and each is within a step of 13.5 V / 256.
#[track_caller]
fn is_right(finished: &Finished) -> bool {
    let samples = series(&finished.object(), "A", "samples");
    samples.len() == 100 && samples.iter().all(|sample| (sample - VOLTS).abs() <= 13.5 / 256.0)
}

#[tokio::test]
async fn verified_captures_are_right_or_rejected() {
    let (mut wrong, mut right) = (0, 0);
    for seed in 0..16 {
        // Some 500 bytes come from the device.
        let url = format!("sim:?clock=fast&A=dc,{VOLTS}V&faults=corrupt@0.2%&seed={seed}");
        let plain = capture(&url, &[]).await;
        wrong += u32::from(plain.code == Some(0) && !is_right(&plain));
        let verified = capture(&url, &["--verify"]).await;
        match verified.code {
            Some(0) => {
                assert!(is_right(&verified), "seed {seed}: {}", verified.stdout);
                right += 1;
            }
            _ => drop(verified.refused(1)),
        }
    }
    assert!(wrong > 0 && right > 0, "{wrong} plain ones were wrong, {right} verified ones right");
}

#[tokio::test]
async fn any_link_takes_faults_from_url() {
    let signal = format!("A=dc {VOLTS}V");
    let listening = ["--tcp", "127.0.0.1:0", "--bitscope-server", "127.0.0.1:0", "--signal", &signal];
    let simulator = Listening::simulate(&listening).await;
    let tcp = format!("socket://{}", simulator.address("tcp"));
    // What the driver reads away, and what it asks for again.
    for faults in ["burst:300", "corrupt@3", "repeat@30", "delay:30ms@100"] {
        assert!(is_right(&capture(&format!("{tcp}?faults={faults}&seed=1"), &[]).await.done()), "{faults}");
    }
    let closed = capture(&format!("{tcp}?faults=close@100"), &[]).await.refused(1);
    assert!(closed.contains("closed"), "{closed}");
    let silent = capture(&format!("{tcp}?faults=stall@w1"), &[]).await.refused(1);
    assert!(silent.contains("no answer"), "{silent}");

    let server = format!("bitscope-server://{}", simulator.address("bitscope_server"));
    assert!(is_right(&capture(&format!("{server}?faults=burst:40"), &[]).await.done()));
    for fault in ["reboot@3", "short@3", "lose@1%", "melt@3"] {
        let refused = capture(&format!("{server}?faults={fault}"), &[]).await.refused(2);
        assert!(refused.contains(fault.split('@').next().unwrap()), "{refused}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn serial_port_has_faults_too() {
    let simulator = Listening::simulate(&["--pty", "--signal", &format!("A=dc {VOLTS}V")]).await;
    let port = simulator.address("pty");
    assert!(is_right(&capture(&format!("{port}?faults=burst:40;corrupt@50"), &[]).await.done()));
}
