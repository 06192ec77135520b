//! Serial links over a pseudo-terminal, whose other side plays the device.
use std::io::{Read as _, Write as _};
use std::time::Duration;

use embedded_io_async::{Read as _, Write as _};
use scopething::link::{DeviceLink, Link, LinkError, LinkUrl, OpenError, SerialLink, open};
use scopething_core::scope::LinkProfile;
use serialport::{SerialPort as _, TTYPort};

/// Far longer than anything here takes: a test that waits so long has failed.
const HANG: Duration = Duration::from_secs(20);

/// Far longer than a write takes that is not stuck.
const STUCK: Duration = Duration::from_millis(500);

/// The device's side, and the name of the port. The second handle keeps the port there while nobody has it
/// open.
fn pseudo_terminal() -> (TTYPort, TTYPort, String) {
    let (mut device, holder) = TTYPort::pair().unwrap();
    device.set_timeout(HANG).unwrap();
    let name = holder.name().unwrap();
    (device, holder, name)
}

/// Bytes of every value, in an order that shows if any are lost or swapped.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from((index * 31 + index / 251) % 256).unwrap()).collect()
}

async fn hang<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, future).await.expect("hangs")
}

#[tokio::test]
async fn all_byte_values_arrive() {
    let (mut device, _holder, name) = pseudo_terminal();
    let mut link = SerialLink::open(&name).unwrap();
    let sent = pattern(20_000);
    let to_send = sent.clone();
    let device_writes = std::thread::spawn(move || {
        for chunk in to_send.chunks(61) {
            device.write_all(chunk).unwrap();
        }
        device
    });
    let mut received = Vec::new();
    for size in [1, 7, 4096, 3].into_iter().cycle() {
        let mut buf = vec![0; size];
        let count = hang(link.read(&mut buf)).await.unwrap();
        received.extend_from_slice(&buf[..count]);
        if received.len() >= sent.len() {
            break;
        }
    }
    assert_eq!(received, sent);
    drop(device_writes.join().unwrap());
}

#[tokio::test]
async fn what_is_written_arrives() {
    let (mut device, _holder, name) = pseudo_terminal();
    let mut link = SerialLink::open(&name).unwrap();
    let sent = pattern(20_000);
    let length = sent.len();
    let device_reads = std::thread::spawn(move || {
        let mut received = vec![0; length];
        device.read_exact(&mut received).unwrap();
        (received, device)
    });
    for chunk in sent.chunks(97) {
        hang(link.write_all(chunk)).await.unwrap();
    }
    hang(link.flush()).await.unwrap();
    let (received, _device) = device_reads.join().unwrap();
    assert_eq!(received, sent);
}

#[tokio::test]
async fn read_that_is_dropped_loses_nothing() {
    let (mut device, _holder, name) = pseudo_terminal();
    let mut link = SerialLink::open(&name).unwrap();
    let sent = pattern(2000);
    let mut received = Vec::new();
    for chunk in sent.chunks(10) {
        let mut buf = [0; 7];
        tokio::select! {
            biased;
            count = link.read(&mut buf) => received.extend_from_slice(&buf[..count.unwrap()]),
            () = std::future::ready(()) => {}
        }
        device.write_all(chunk).unwrap();
    }
    while received.len() < sent.len() {
        let mut buf = [0; 64];
        let count = hang(link.read(&mut buf)).await.unwrap();
        received.extend_from_slice(&buf[..count]);
    }
    assert_eq!(received, sent);
}

#[tokio::test]
async fn unplugging_ends_a_pending_read_with_an_error() {
    let (device, holder, name) = pseudo_terminal();
    drop(holder);
    let mut link = SerialLink::open(&name).unwrap();
    let mut buf = [0; 8];
    let (outcome, ()) = hang(async { tokio::join!(link.read(&mut buf), async { drop(device) }) }).await;
    let error = outcome.unwrap_err();
    assert!(matches!(&error, LinkError::Port { port, .. } if **port == *name), "{error}");
    assert!(error.to_string().contains("plugged in"), "{error}");
    // And so does whatever is tried next.
    hang(link.read(&mut buf)).await.unwrap_err();
    let written = hang(async {
        link.write_all(b"!").await?;
        link.flush().await
    });
    written.await.unwrap_err();
}

/// Writes until nothing more is taken; gives how many bytes were.
async fn fill(link: &mut SerialLink) -> usize {
    let mut accepted = 0;
    while let Ok(count) = tokio::time::timeout(STUCK, link.write(&[0x55; 4096])).await {
        accepted += count.unwrap();
    }
    accepted
}

#[tokio::test]
async fn flush_waits_for_a_slow_device() {
    let (mut device, _holder, name) = pseudo_terminal();
    let mut link = SerialLink::open(&name).unwrap();
    let accepted = fill(&mut link).await;
    let flushed = tokio::time::timeout(STUCK, link.flush()).await;
    assert!(flushed.is_err(), "flushed, though the device has taken nothing of {accepted} bytes");
    let device_reads = std::thread::spawn(move || {
        device.read_exact(&mut vec![0; accepted]).unwrap();
        device
    });
    hang(link.flush()).await.unwrap();
    drop(device_reads.join().unwrap());
}

#[tokio::test]
async fn drop_does_not_wait_for_the_device() {
    let (device, _holder, name) = pseudo_terminal();
    let mut link = SerialLink::open(&name).unwrap();
    fill(&mut link).await;
    let dropped = std::time::Instant::now();
    drop(link);
    assert!(dropped.elapsed() < Duration::from_secs(5));
    drop(device);
}

#[tokio::test]
async fn port_is_exclusive_until_dropped() {
    let (mut device, _holder, name) = pseudo_terminal();
    let link = SerialLink::open(&name).unwrap();
    let refused = SerialLink::open(&name).unwrap_err();
    assert!(matches!(&refused, OpenError::PortInUse { port } if *port == name), "{refused}");
    assert!(refused.to_string().contains("in use"));
    drop(link);
    let mut link = SerialLink::open(&name).unwrap();
    device.write_all(b"K").unwrap();
    let mut buf = [0; 8];
    assert_eq!(hang(link.read(&mut buf)).await.unwrap(), 1);
}

#[tokio::test]
async fn port_without_modem_lines_opens() {
    let (mut device, _holder, name) = pseudo_terminal();
    let url: LinkUrl = format!("file://{name}").parse().unwrap();
    let mut link = open(&url).await.unwrap();
    assert!(matches!(link.stream, Link::Device(DeviceLink::Serial(_))));
    assert_eq!(link.profile, LinkProfile::SERIAL);
    device.write_all(b"?").unwrap();
    let mut buf = [0; 8];
    assert_eq!(hang(link.stream.read(&mut buf)).await.unwrap(), 1);
    assert_eq!(buf[0], b'?');
}

#[tokio::test]
async fn invalid_port_is_refused() {
    let missing = open(&"/dev/no-such-port".parse().unwrap()).await.unwrap_err();
    assert!(matches!(missing, OpenError::NoPort { .. }), "{missing}");
    let file = open(&"/etc/passwd".parse().unwrap()).await.unwrap_err();
    assert!(matches!(file, OpenError::Port { .. } | OpenError::PortForbidden { .. }), "{file}");
    let directory = open(&"/tmp".parse().unwrap()).await.unwrap_err();
    assert!(matches!(directory, OpenError::Port { .. }), "{directory}");
}
