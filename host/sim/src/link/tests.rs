use super::*;
use std::time::Duration;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// Tokio's timer.
#[derive(Debug)]
struct TokioTimer(std::time::Instant);

impl Timer for TokioTimer {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, span: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(span))
    }
}

fn link(query: &str) -> SimLink {
    let timer = || Arc::new(TokioTimer(std::time::Instant::now())) as Arc<dyn Timer>;
    SimLink::by_config(&SimConfig::from_query(query).unwrap(), timer)
}

#[test]
fn simulated_time_jumps_to_the_answer() {
    run(async {
        // 11 bytes back at 1 ms a byte, one byte there, 5 ms each way.
        let mut link = link("clock=fast&latency=5ms&rate=10kbps");
        let clock = link.clock();
        link.write_all(b"?").await.unwrap();
        let mut answer = [0; 12];
        link.read_exact(&mut answer[..11]).await.unwrap();
        assert_eq!(clock.now(), Instant(5_000 + 1_000 + 11_000 + 5_000));
    });
}

#[test]
fn deadline_precedes_a_late_answer() {
    run(async {
        let mut link = link("clock=fast&latency=5ms");
        let clock = link.clock();
        link.write_all(b"?").await.unwrap();
        let mut answer = [0; 11];
        let first = tokio::select! {
            biased;
            _ = link.read_exact(&mut answer) => "answer",
            () = clock.until(Instant(9_999)) => "deadline",
        };
        assert_eq!((first, clock.now()), ("deadline", Instant(9_999)));
        let first = tokio::select! {
            biased;
            () = clock.until(Instant(10_001)) => "deadline",
            _ = link.read_exact(&mut answer) => "answer",
        };
        assert_eq!((first, clock.now()), ("answer", Instant(10_000)));
    });
}

#[test]
fn every_task_wakes_at_its_own_deadline() {
    run(tokio::task::LocalSet::new().run_until(async {
        let clock = link("clock=fast").clock();
        let sleeper = |micros: u64| {
            let clock = clock.clone();
            tokio::task::spawn_local(async move {
                clock.until(Instant(micros)).await;
                clock.now()
            })
        };
        let sleepers = [300, 100, 200].map(|micros| (micros, sleeper(micros)));
        for (micros, sleeper) in sleepers {
            assert_eq!(sleeper.await.unwrap(), Instant(micros));
        }
    }));
}

#[test]
fn nobody_reading_a_pause_ends_all_the_same() {
    run(async {
        let clock = link("clock=fast").clock();
        clock.until(Instant(3_000_000)).await;
        assert_eq!(clock.now(), Instant(3_000_000));
    });
}

#[test]
fn pause_ends_with_unread_bytes() {
    run(async {
        let mut link = link("clock=fast&latency=1ms");
        let clock = link.clock();
        link.write_all(b"?").await.unwrap();
        let waited = tokio::time::timeout(Duration::from_secs(10), clock.until(Instant(3_000_000))).await;
        assert_eq!((waited, clock.now()), (Ok(()), Instant(3_000_000)));
        link.read_exact(&mut [0; 11]).await.unwrap();
    });
}

#[test]
fn waiting_for_nothing_does_not_spin() {
    run(async {
        let mut link = link("clock=fast");
        let mut polls = 0;
        let mut byte = [0; 1];
        let mut read = Box::pin(link.read(&mut byte));
        let counted = poll_fn(|context| {
            polls += 1;
            read.as_mut().poll(context)
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), counted).await.is_err());
        drop(read);
        // It yields a few times first.
        assert!(polls < 10, "{polls} polls");
    });
}

#[test]
fn ftdi_holds_partial_packets() {
    run(async {
        let mut link = link("clock=fast&ftdi=16ms");
        let clock = link.clock();
        link.write_all(b"?").await.unwrap();
        let mut answer = [0; 11];
        link.read_exact(&mut answer).await.unwrap();
        assert_eq!(clock.now(), Instant(16_000));
        link.write_all(&[b'['; 62]).await.unwrap();
        let mut echoes = [0; 62];
        link.read_exact(&mut echoes).await.unwrap();
        assert_eq!(clock.now(), Instant(16_000));
    });
}

#[test]
fn real_time_passes_as_time_does() {
    run(async {
        let mut link = link("latency=10ms");
        let started = std::time::Instant::now();
        link.write_all(b"?").await.unwrap();
        let mut answer = [0; 11];
        link.read_exact(&mut answer).await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(20));
        let clock = link.clock();
        let before = clock.now();
        clock.until(before + Micros(5_000)).await;
        assert!(clock.now() - before >= Micros(5_000));
    });
}

#[test]
fn profile_follows_the_link() {
    let profile = link("clock=fast&latency=2ms&ftdi=16ms&rate=1Mbps").profile();
    assert_eq!(profile.round_trip, Micros(2_000 + 2_000 + 16_000 + 1_000));
    assert_eq!(profile.bytes_per_second, 100_000);
}
