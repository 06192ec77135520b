//! Which serial port is the BitScope's: adaptors with an FT232 have its USB id as well.

use scopething_core::scope::ScopeError;

use super::{SerialLink, bitscope_ports};
use crate::link::{LinkError, OpenError, OpenLink};

/// Why a port is none that can be used.
enum Refusal {
    /// It does not open.
    Closed(OpenError),
    /// What is there does not answer as a BitScope that the driver knows.
    Unanswered(ScopeError<LinkError>),
}

/// The port of the first BitScope, by its name. See [`LinkUrl::FirstSerial`](crate::link::LinkUrl::FirstSerial).
///
/// # Errors
///
/// As [`resolve`](crate::link::resolve).
pub(super) async fn first_bitscope() -> Result<String, OpenError> {
    let ports = bitscope_ports().await?;
    first_that_answers(ports.into_iter().map(|port| port.name).collect()).await
}

/// The first of several ports where a BitScope answers. They are asked one by one, so that those behind it are left alone; one that
/// is silent takes 1.5 s, one that talks without pause up to 4 s. A single one is not asked: what is wrong with it is seen when it is used.
async fn first_that_answers(names: Vec<String>) -> Result<String, OpenError> {
    let names = match <[String; 1]>::try_from(names) {
        Ok([only]) => return Ok(only),
        Err(names) => names,
    };
    let mut obstacle = None;
    let mut reasons = Vec::new();
    for name in names {
        match Box::pin(ask(&name)).await {
            Ok(()) => return Ok(name),
            Err(Refusal::Closed(error)) => obstacle = obstacle.or(Some(error)),
            Err(Refusal::Unanswered(error)) => reasons.push((name, error.to_string())),
        }
    }
    // The one that could not be asked may be it.
    Err(obstacle.unwrap_or(OpenError::NoneAnswers { ports: reasons }))
}

/// Connects to a port, which resets a BitScope, and closes it again.
async fn ask(name: &str) -> Result<(), Refusal> {
    let link = OpenLink::serial(name.to_owned(), SerialLink::open).await.map_err(Refusal::Closed)?;
    link.connect().await.map(drop).map_err(Refusal::Unanswered)
}

#[cfg(all(test, unix, feature = "sim"))]
mod tests {
    use std::io::{self, Read as _, Write as _};
    use std::time::{Duration, Instant};

    use embedded_io_async::{Read as _, Write as _};
    use scopething_sim::{SimConfig, SimLink};
    use serialport::{SerialPort as _, TTYPort};
    use tokio::sync::mpsc;

    use super::*;
    use crate::link::TokioTimer;

    /// One port is asked for so long at the most: the longest wait for a reset, and two more.
    const ANSWER_LIMIT: Duration = Duration::from_secs(3);

    /// A port whose other end a test has.
    struct TestPort {
        name: String,
        device: TTYPort,
        /// Keeps it there while nobody has it open.
        _holder: TTYPort,
    }

    impl TestPort {
        fn new() -> Self {
            let (mut device, holder) = TTYPort::pair().unwrap();
            device.set_timeout(Duration::from_millis(20)).unwrap();
            Self { name: holder.name().unwrap(), device, _holder: holder }
        }

        /// Has a simulated BitScope at the other end, and gives the port's name.
        fn into_bitscope(self) -> String {
            let Self { name, mut device, _holder: holder } = self;
            let (received, mut to_device) = mpsc::unbounded_channel();
            let mut reader = device.try_clone_native().unwrap();
            // Both end with the test.
            std::thread::spawn(move || {
                let _holder = holder;
                let mut bytes = [0; 256];
                loop {
                    match reader.read(&mut bytes) {
                        Ok(count) if received.send(bytes[..count].to_vec()).is_err() => return,
                        Ok(_) => {}
                        Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                        Err(_) => return,
                    }
                }
            });
            tokio::spawn(async move {
                let mut bitscope = SimLink::by_config(&SimConfig::default(), TokioTimer::start);
                let mut bytes = [0; 256];
                loop {
                    tokio::select! {
                        Some(received) = to_device.recv() => bitscope.write_all(&received).await.unwrap(),
                        count = bitscope.read(&mut bytes) => device.write_all(&bytes[..count.unwrap()]).unwrap(),
                    }
                }
            });
            name
        }

        /// What it was sent.
        fn received(&mut self) -> Vec<u8> {
            let mut bytes = [0; 256];
            let count = self.device.read(&mut bytes).unwrap_or_default();
            bytes[..count].to_vec()
        }
    }

    #[tokio::test]
    async fn bitscope_is_found_beside_adaptors() {
        let silent = TestPort::new();
        let bitscope = TestPort::new().into_bitscope();
        let mut behind = TestPort::new();
        let started = Instant::now();
        let names = vec![silent.name.clone(), bitscope.clone(), behind.name.clone()];
        assert_eq!(first_that_answers(names).await.unwrap(), bitscope);
        assert!(started.elapsed() < 2 * ANSWER_LIMIT, "{:?}", started.elapsed());
        assert_eq!(behind.received(), b"", "what stands behind the BitScope is left alone");
    }

    #[tokio::test]
    async fn bitscope_is_found_beside_one_in_use() {
        let in_use = TestPort::new();
        let _user = SerialLink::open(&in_use.name).unwrap();
        let bitscope = TestPort::new().into_bitscope();
        let found = first_that_answers(vec![in_use.name.clone(), bitscope.clone()]).await;
        assert_eq!(found.unwrap(), bitscope);
    }

    #[tokio::test]
    async fn adaptors_without_a_bitscope_are_named() {
        let [one, other] = [TestPort::new(), TestPort::new()];
        let started = Instant::now();
        let names = vec![one.name.clone(), other.name.clone()];
        let error = first_that_answers(names.clone()).await.unwrap_err();
        assert!(started.elapsed() < 2 * ANSWER_LIMIT, "{:?}", started.elapsed());
        let OpenError::NoneAnswers { ports } = &error else { panic!("{error}") };
        assert_eq!(ports.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names);
        let text = error.to_string();
        assert!(names.iter().all(|name| text.contains(name)) && text.contains("no answer"), "{text}");
    }

    #[tokio::test]
    async fn port_in_use_beside_an_adaptor_is_the_reason() {
        let [in_use, adaptor] = [TestPort::new(), TestPort::new()];
        let _user = SerialLink::open(&in_use.name).unwrap();
        let error = first_that_answers(vec![in_use.name.clone(), adaptor.name.clone()]).await.unwrap_err();
        assert!(matches!(&error, OpenError::PortInUse { port } if *port == in_use.name), "{error}");
    }

    #[tokio::test]
    async fn single_port_is_not_asked() {
        let mut only = TestPort::new();
        assert_eq!(first_that_answers(vec![only.name.clone()]).await.unwrap(), only.name);
        assert_eq!(only.received(), b"");
    }
}
