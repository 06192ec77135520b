//! Serial protocols on the logic lines, captured by the program and read back by sigrok's decoders:
//! sigrok-cli with its decoders (Debian: `apt-get install sigrok-cli libsigrokdecode4`) must be installed.

use crate::serve_support::sigrok;
use crate::support::scopething;

/// Captures logic lines of the simulated device to a session, and gives what a decoder writes about it.
async fn decoded(query: &str, capture: &[&str], decoder: &str, annotations: &str) -> Vec<String> {
    let path = tempfile::Builder::new().suffix(".sr").tempfile().unwrap().into_temp_path();
    let output = path.to_str().expect("a path of text");
    let url = format!("sim:?clock=fast&{query}");
    scopething(&[&["capture", "--url", &url, "-o", output, "--force"], capture].concat()).await.done();
    let decoding = sigrok(&["-i", output, "-P", decoder, "-A", annotations]).await.done();
    let reported =
        decoding.stdout.lines().map(|line| line.split_once(": ").expect("a decoder's name").1.to_owned());
    reported.collect()
}

/// Whether what was put in is reported, in one piece and in this order.
fn has(reported: &[String], put_in: &[&str]) -> bool {
    reported.windows(put_in.len()).any(|window| window == put_in)
}

#[tokio::test]
async fn uart_gives_its_text() {
    // 14 bytes of 10 bits at 19200 bit/s take 7.3 ms, with a pause of 1 ms: 20 ms hold one whole text at the
    // least.
    let capture = ["L0", "--trigger", "L0=0", "--period", "20ms", "--samples", "8000"];
    let query = "L0=uart,19200bps,text=ScopeThing%2B42!";
    let text = decoded(query, &capture, "uart:rx=D0:baudrate=19200:format=ascii", "uart=rx-data").await;
    assert!(text.concat().contains("ScopeThing+42!"), "{text:?}");
}

#[tokio::test]
async fn i2c_gives_address_and_bytes() {
    // Four bytes at 100 kHz take 0.4 ms, with a pause of 1 ms: 3 ms hold a whole message.
    let query = "L0=i2c,scl,100kHz,address=0x3c,data=a50f42&L1=i2c,sda,100kHz,address=0x3c,data=a50f42";
    let capture = ["L0", "L1", "--trigger", "L1=0", "--period", "3ms", "--samples", "12000"];
    let reported = decoded(query, &capture, "i2c:scl=D0:sda=D1", "i2c=address-write:data-write").await;
    let put_in = ["Write", "Address write: 3C", "Data write: A5", "Data write: 0F", "Data write: 42"];
    assert!(has(&reported, &put_in), "{reported:?}");
}

#[tokio::test]
async fn spi_gives_the_bytes_of_both_ways() {
    // Three bytes at 200 kHz take 0.12 ms, with a pause of 1 ms. MISO shows the bytes inverted.
    let query = "L0=spi,clk,200kHz,data=c0ffee&L1=spi,mosi,200kHz,data=c0ffee\
         &L2=spi,miso,200kHz,data=c0ffee&L3=spi,cs,200kHz,data=c0ffee";
    let capture = ["L0", "L1", "L2", "L3", "--trigger", "L3=0", "--period", "2.4ms", "--samples", "12000"];
    let decoder = "spi:clk=D0:mosi=D1:miso=D2:cs=D3";
    let sent = decoded(query, &capture, decoder, "spi=mosi-data").await;
    assert!(has(&sent, &["C0", "FF", "EE"]), "{sent:?}");
    let received = decoded(query, &capture, decoder, "spi=miso-data").await;
    assert!(has(&received, &["3F", "00", "11"]), "{received:?}");
}
