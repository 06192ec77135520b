use std::net::Ipv6Addr;

use proptest::prelude::*;
use scopething_sim::faults::FaultError;

use super::*;
use crate::fixed_seed::fixed_seed;

fn serial(port: &str) -> LinkUrl {
    LinkUrl::Serial { port: port.to_owned() }
}

fn at(host: &str, port: u16) -> HostPort {
    HostPort { host: host.to_owned(), port }
}

#[test]
fn every_form_of_the_table_is_understood() {
    let sim = |query: &str| LinkUrl::Sim { query: query.to_owned() };
    let bridge = LinkUrl::Bridge;
    let port = |port: &str, baud_rate| BridgePort::Serial { port: port.to_owned(), baud_rate };
    let forms = [
        ("", LinkUrl::FirstSerial),
        ("/dev/ttyUSB0", serial("/dev/ttyUSB0")),
        ("COM3", serial("COM3")),
        (r"\\.\com12", serial(r"\\.\com12")),
        ("file:///dev/ttyUSB0", serial("/dev/ttyUSB0")),
        ("file:/dev/ttyUSB0", serial("/dev/ttyUSB0")),
        ("socket:///dev/ttyUSB0", serial("/dev/ttyUSB0")),
        ("socket://localhost:5025", LinkUrl::Socket(at("localhost", 5025))),
        ("SOCKET://10.0.0.7:80/", LinkUrl::Socket(at("10.0.0.7", 80))),
        ("socket://[::1]:5025", LinkUrl::Socket(at("::1", 5025))),
        ("socket://[fe80::1%eth0]:1", LinkUrl::Socket(at("fe80::1%eth0", 1))),
        ("bitscope-server://lab", LinkUrl::BitscopeServer(at("lab", 16385))),
        ("bitscope-server://lab:15500", LinkUrl::BitscopeServer(at("lab", 15500))),
        ("bitscope-server://[fd00::2]", LinkUrl::BitscopeServer(at("fd00::2", 16385))),
        ("bridge://localhost:5026", bridge(BridgePort::Socket(at("localhost", 5026)))),
        ("bridge:///dev/ttyUSB1", bridge(port("/dev/ttyUSB1", 1_000_000))),
        ("bridge://COM4@115200", bridge(port("COM4", 115_200))),
        ("bridge:///dev/by@id", bridge(port("/dev/by@id", 1_000_000))),
        ("sim:", sim("")),
        ("sim:?", sim("")),
        ("sim:?A=sine,1kHz&B=file:x.sr%23ana1", sim("A=sine,1kHz&B=file:x.sr%23ana1")),
        ("sim:?B=file:a?b.csv&faults=drop@3", sim("B=file:a?b.csv&faults=drop@3")),
        ("/dev/a?b", serial("/dev/a?b")),
        ("/dev/ttyUSB0?seed=1", serial("/dev/ttyUSB0")),
    ];
    for (text, url) in forms {
        assert_eq!(LinkUrl::parse(text), Ok(url), "{text}");
    }
}

#[test]
fn errors_name_the_fault() {
    let owned = str::to_owned;
    let wrong = [
        ("ttyUSB0", UrlError::NotALink { text: owned("ttyUSB0") }),
        ("COM", UrlError::NotALink { text: owned("COM") }),
        ("localhost:5025", UrlError::NotALink { text: owned("localhost:5025") }),
        ("http://localhost", UrlError::UnknownScheme { scheme: owned("http") }),
        ("file://dev/ttyUSB0", UrlError::NotAPath { path: owned("dev/ttyUSB0") }),
        ("socket:localhost:1", UrlError::NoHost { scheme: "socket" }),
        ("socket://:80", UrlError::NoHost { scheme: "socket" }),
        ("socket://lab", UrlError::NoPort { scheme: "socket", host: owned("lab") }),
        ("socket://lab:", UrlError::BadPort { port: String::new() }),
        ("socket://lab:0", UrlError::BadPort { port: owned("0") }),
        ("socket://lab:+80", UrlError::BadPort { port: owned("+80") }),
        ("socket://lab:65536", UrlError::BadPort { port: owned("65536") }),
        ("socket://::1:80", UrlError::BadHost { host: owned("::1:80") }),
        ("socket://fe80::1:80", UrlError::BadHost { host: owned("fe80::1:80") }),
        ("socket://[::1", UrlError::BadHost { host: owned("[::1") }),
        ("socket://[lab]:80", UrlError::BadHost { host: owned("[lab]") }),
        ("socket://[::1]80", UrlError::BadHost { host: owned("[::1]80") }),
        ("socket://me@lab:80", UrlError::BadHost { host: owned("me@lab") }),
        ("bitscope-server:///dev/ttyUSB0", UrlError::BadHost { host: owned("/dev/ttyUSB0") }),
        ("bridge://lab", UrlError::NoPort { scheme: "bridge", host: owned("lab") }),
        ("bridge:COM4", UrlError::NoHost { scheme: "bridge" }),
        ("sim://", UrlError::NotAQuery { rest: owned("//") }),
        ("socket://lab:80?fault=drop@3", UrlError::Faults(FaultError::Key { text: owned("fault") })),
        ("COM3?faults=reboot@3", UrlError::Faults(FaultError::InDevice { name: "reboot" })),
        ("/dev/ttyUSB0?faults=lose@3", UrlError::Faults(FaultError::OfDatagrams { name: "lose" })),
        ("/dev/tty?faults=drop@3?faults=", UrlError::Faults(FaultError::When { text: owned("3?faults=") })),
        ("sim:?pacing=fast", UrlError::Pacing { text: owned("fast") }),
        ("/dev/ttyUSB0?pacing=", UrlError::Pacing { text: String::new() }),
        ("?seed=x", UrlError::Faults(FaultError::Seed { text: owned("x") })),
        ("/dev/tty\n", UrlError::ControlCharacter { text: owned("/dev/tty\n") }),
    ];
    for (text, error) in wrong {
        assert_eq!(LinkUrl::parse(text), Err(error), "{text}");
    }
}

#[test]
fn error_names_what_would_be_right() {
    let error = LinkUrl::parse("socket://[::1]").unwrap_err();
    assert_eq!(error.to_string(), "socket needs a port, as in socket://[::1]:16385");
}

#[test]
fn real_links_accept_stream_faults() {
    for text in ["", "/dev/ttyUSB0", "/dev/a?b", "COM3", "socket://lab:80", "bitscope-server://[::1]:15500"] {
        let faulty = format!("{text}?faults=corrupt@1%25;burst:40&seed=7");
        let url = LinkUrl::parse(&faulty).unwrap();
        assert_eq!((url.to_string(), url.sound().to_string()), (faulty, text.to_owned()));
        assert_eq!(LinkUrl::parse(&format!("{text}?seed=7&faults=corrupt@1%;burst:40")), Ok(url));
    }
}

#[test]
fn any_link_is_paced_stepwise_by_its_query() {
    for (link, paced) in [
        ("", "?pacing=stepwise"),
        ("/dev/ttyUSB0", "/dev/ttyUSB0?pacing=stepwise"),
        ("/dev/a?b", "/dev/a?b&pacing=stepwise"),
        ("COM3", "COM3?pacing=stepwise"),
        ("socket://lab:80", "socket://lab:80?pacing=stepwise"),
        ("bitscope-server://[::1]:15500", "bitscope-server://[::1]:15500?pacing=stepwise"),
        ("bridge:///dev/ttyACM0@115200", "bridge:///dev/ttyACM0@115200?pacing=stepwise"),
        ("sim:", "sim:?pacing=stepwise"),
        ("sim:?A=dc,1V&seed=2", "sim:?A=dc,1V&seed=2&pacing=stepwise"),
        ("COM3?faults=drop@3&seed=7", "COM3?faults=drop@3&seed=7&pacing=stepwise"),
    ] {
        let url = LinkUrl::parse(paced).unwrap();
        assert_eq!(url.to_string(), paced);
        assert_eq!(url.pacing(), Pacing::Stepwise);
        assert_eq!(url.as_paced_whole(), &LinkUrl::parse(link).unwrap(), "{paced}");
    }
    let ahead = LinkUrl::parse("sim:?pacing=stepwise&A=dc,1V").unwrap();
    assert_eq!(ahead.to_string(), "sim:?A=dc,1V&pacing=stepwise");
    assert_eq!(LinkUrl::parse("COM3?pacing=whole"), LinkUrl::parse("COM3"));
    // Not behind a question mark: part of the path.
    assert_eq!(LinkUrl::parse("/dev/a&pacing=stepwise"), Ok(serial("/dev/a&pacing=stepwise")));
}

fn any_host_port() -> impl Strategy<Value = HostPort> {
    let ipv6 = any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).to_string());
    let host = prop_oneof!["[a-z0-9]([-a-z0-9_.]{0,20})", ipv6];
    (host, 1..=u16::MAX).prop_map(|(host, port)| HostPort { host, port })
}

fn any_url() -> impl Strategy<Value = LinkUrl> {
    prop_oneof![
        Just(LinkUrl::FirstSerial),
        "/[^\\pC]{0,30}|COM[0-9]{1,3}".prop_map(|port| LinkUrl::Serial { port }),
        any_host_port().prop_map(LinkUrl::Socket),
        any_host_port().prop_map(LinkUrl::BitscopeServer),
        any_host_port().prop_map(|at| LinkUrl::Bridge(BridgePort::Socket(at))),
        ("/[^\\pC?@]{0,30}", 1..=u32::MAX)
            .prop_map(|(port, baud_rate)| LinkUrl::Bridge(BridgePort::Serial { port, baud_rate })),
        "\\PC{0,40}".prop_map(|query| LinkUrl::Sim { query }),
    ]
}

proptest! {
    #![proptest_config(fixed_seed(1000))]

    #[test]
    fn link_is_read_back_from_its_text(url in any_url()) {
        prop_assert_eq!(LinkUrl::parse(&url.to_string()), Ok(url));
    }

    #[test]
    fn any_text_round_trips_or_is_refused(
        text in "(file|socket|bitscope-server|bridge|sim|COM|[a-z]*)?:?/{0,3}\\[?\\PC{0,20}\\]?(:[0-9]{0,6})?\
            |.{0,30}"
    ) {
        if let Ok(url) = LinkUrl::parse(&text) {
            prop_assert_eq!(LinkUrl::parse(&url.to_string()), Ok(url));
        }
    }
}
