//! A device that is unplugged while it is served, and plugged in again.

use crate::serve_support::Client;
use crate::support::{Listening, bounded};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The emulated device at an address.
async fn plug_in(address: &str) -> Listening {
    Listening::simulate(&["--tcp", address, "--signal", "A=sine 1kHz -2..2V"]).await
}

/// What the page's interface answers to a request.
async fn ask_page(served: &Listening, request: &str, body: &str) -> Value {
    let address = served.address("web");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let text = format!(
        "{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    bounded("an answer", stream.read_to_string(&mut answer)).await.expect("text");
    serde_json::from_str(answer.split_once("\r\n\r\n").expect("a body").1).expect("JSON")
}

/// The reason that the page shows for a device that is gone, once it shows one or no longer does.
async fn lost(served: &Listening, is_lost: bool) -> Value {
    let asking = async {
        loop {
            let reason = ask_page(served, "GET /api/v1/state", "").await["device"]["lost"].take();
            if reason.is_string() == is_lost {
                return reason;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    bounded("the device's state", asking).await
}

#[tokio::test]
async fn clients_outlive_an_unplugged_device() {
    let device = plug_in("127.0.0.1:0").await;
    let at = device.address("tcp").to_owned();
    let url = format!("socket://{at}");
    let services = ["--hmo", "--web", "--tcp"].map(|service| [service, "127.0.0.1:0"]).concat();
    let served = Listening::start(&[&["serve", "--url", &url], services.as_slice()].concat()).await;
    let mut hmo = Client::connect(served.address("hmo")).await;
    assert!(!hmo.block(":CHAN1:DATA?").await.is_empty());
    assert_eq!(lost(&served, false).await, Value::Null);

    drop(device);
    // It is seen when the device is used.
    let mut user = Client::connect(served.address("hmo")).await;
    user.send(":CHAN1:DATA?\n").await;
    let reason = lost(&served, true).await;
    assert!(reason.as_str().is_some_and(|reason| !reason.is_empty()), "{reason}");
    let mut raw = TcpStream::connect(served.address("tcp")).await.expect("a service");
    raw.write_all(b"?").await.expect("a command");
    let mut refusal = String::new();
    bounded("a refusal", raw.read_to_string(&mut refusal)).await.expect("text");
    assert!(refusal.starts_with("refused: the BitScope is gone"), "{refusal}");
    let generate = r#"{"type": "generate", "wave": "sine 1kHz 0..3.3V"}"#;
    let refused = ask_page(&served, "POST /api/v1/command", generate).await;
    assert_eq!(refused["error"], reason);
    // What needs no device is answered, over the connection from before.
    assert!(hmo.ask("*IDN?").await.starts_with("HAMEG"));

    let _device = plug_in(&at).await;
    assert_eq!(lost(&served, false).await, Value::Null);
    assert!(!hmo.block(":CHAN1:DATA?").await.is_empty());
    let generating = ask_page(&served, "POST /api/v1/command", generate).await;
    assert_eq!(generating["generator"]["waveform"], true, "{generating}");
    served.running.interrupt();
    served.running.finish().await.ended(0);
}

/// Whoever asks for what the generator cannot do learns that, not only the log.
#[tokio::test]
async fn refusals_of_the_generator_reach_who_asked() {
    let served = crate::serve_support::serve("A=sine,1kHz,-2..2V", &["--web"]).await;
    let clock = r#"{"type": "generate", "clock": "1MHz L5"}"#;
    assert_eq!(ask_page(&served, "POST /api/v1/command", clock).await.get("error"), None);
    let impossible = r#"{"type": "generate", "wave": "sine 1kHz 0..9V"}"#;
    let refused = ask_page(&served, "POST /api/v1/command", impossible).await;
    assert!(refused["error"].as_str().is_some_and(|reason| reason.contains("3.3")), "{refused}");
}
