//! Faults of the simulated link, each as the host sees it.

use embedded_io_async::{ErrorKind, Read, Write};
use scopething_core::time::{Clock, Instant};
use scopething_sim::{SimConfig, SimLink, no_files};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn link(faults: &str) -> SimLink {
    let mut config = SimConfig::from_query("clock=fast&seed=3").unwrap();
    config.set("faults", faults, no_files).unwrap();
    SimLink::new(&config)
}

/// What comes back in simulated 10 ms.
async fn exchange(link: &mut SimLink, bytes: &[u8]) -> Vec<u8> {
    link.write_all(bytes).await.unwrap();
    collect(link).await
}

async fn collect(link: &mut SimLink) -> Vec<u8> {
    let clock = link.clock();
    let deadline = Instant(clock.now().0 + 10_000);
    let mut all = Vec::new();
    loop {
        let mut buffer = [0; 100];
        tokio::select! {
            biased;
            count = link.read(&mut buffer) => match count.unwrap() {
                0 => return all,
                count => all.extend(&buffer[..count]),
            },
            () = clock.until(deadline) => return all,
        }
    }
}

#[test]
fn byte_is_lost_or_doubled_or_changed() {
    run(async {
        assert_eq!(exchange(&mut link("drop@2"), b"?").await, b"?\rS000501\r");
        assert_eq!(exchange(&mut link("repeat@2"), b"?").await, b"?\rBBS000501\r");
        let changed = exchange(&mut link("corrupt@2"), b"?").await;
        assert_eq!(changed.len(), 11);
        assert!(changed[2] != b'B' && changed[..2] == *b"?\r" && changed[3..] == *b"S000501\r");
        assert_eq!(exchange(&mut link("drop@w1"), b"[]?").await, b"[?\rBS000501\r");
        assert_eq!(exchange(&mut link("repeat@w0"), b"]]").await, b"]]]");
    });
}

#[test]
fn delay_holds_up_what_follows() {
    run(async {
        let mut link = link("delay:3ms@2");
        link.write_all(b"?").await.unwrap();
        let mut buffer = [0; 11];
        link.read_exact(&mut buffer[..2]).await.unwrap();
        assert_eq!(link.clock().now(), Instant(0));
        link.read_exact(&mut buffer[2..]).await.unwrap();
        assert_eq!((link.clock().now(), &buffer), (Instant(3000), b"?\rBS000501\r"));
    });
}

#[test]
fn short_answer_does_not_damage_the_next() {
    run(async {
        let mut link = link("short@5");
        assert_eq!(exchange(&mut link, b"?").await, b"?\rBS0");
        assert_eq!(exchange(&mut link, b"?").await, b"?\rBS000501\r");
    });
}

#[test]
fn stalled_link_is_silent_and_closed_one_ends() {
    run(async {
        let mut stalled = link("stall@5");
        assert_eq!(exchange(&mut stalled, b"?").await, b"?\rBS0");
        assert_eq!(exchange(&mut stalled, b"?").await, b"");
        let mut closed = link("close@5");
        assert_eq!(exchange(&mut closed, b"?").await, b"?\rBS0");
        assert_eq!(closed.read(&mut [0; 1]).await, Ok(0));
        assert_eq!(closed.write(b"?").await, Err(ErrorKind::BrokenPipe));
    });
}

#[test]
fn reboot_loses_registers_and_bytes_in_flight() {
    run(async {
        let mut link = link("reboot@w14");
        assert_eq!(exchange(&mut link, b"[20]@[77]s").await, b"[20]@[77]s");
        assert_eq!(exchange(&mut link, b"p").await, b"p\r77\r");
        exchange(&mut link, b"?]]].").await;
        assert_eq!(exchange(&mut link, b"[20]@p").await, b"[20]@p\r00\r");
    });
}

#[test]
fn stale_bytes_are_there_on_connecting() {
    run(async {
        let stale = collect(&mut link("burst:40")).await;
        assert_eq!(stale.len(), 40);
        assert_eq!(stale, collect(&mut link("burst:40")).await);
    });
}
