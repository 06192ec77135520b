use super::*;

#[test]
fn url_of_the_documentation_is_understood() {
    let query = "A=sine,1kHz,0..3V&noise=5mV&latency=1ms&rate=1Mbps&clock=fast&seed=1";
    let config = SimConfig::from_query(query).unwrap();
    assert_eq!(config.analog[0], Some("sine 1kHz 0..3V".parse().unwrap()));
    assert_eq!((config.noise_v, config.seed, config.clock), (0.005, 1, ClockKind::Fast));
    assert_eq!((config.latency, config.rate_bps), (SimTime(1_000_000), Some(1e6)));
}

#[test]
fn what_is_printed_is_read_back() {
    for query in [
        "",
        "A=square,1kHz,0..3V,30%25&B=pulse,1kHz,10us,0..3.3V,count=3,spacing=50us&L3=dc,3.3V",
        "noise=5mV&seed=7&latency=1ms&rate=1Mbps&ftdi=16ms&clock=fast",
        "serial=AB12CD34&revision=BS000400&stale=yes",
        "stale=yes&quirk=map-at-once,silent-eeprom",
        "tick=1&faults=drop@120;corrupt@0.1%25;burst:40",
        "tick=4294967000&la=1.13&scale=18.5V&offset=-7.4V&ab_offset=10mV&dac=0.07..0.88",
    ] {
        let config = SimConfig::from_query(query).unwrap();
        assert_eq!(SimConfig::from_query(&config.to_string()).as_ref(), Ok(&config), "{config}");
        assert_eq!(config.to_string(), query);
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (query, message) in [
        ("A", "\"A\" gives no value: write KEY=VALUE"),
        ("A=sine", "A: sine needs a frequency: write it like sine 1kHz 0..3V phase=25%"),
        ("noise=1s", "noise: \"s\" in \"1s\" is not understood: write it like 3.3V or 500mV"),
        ("noise=-1V", "noise cannot be \"-1V\": it must be 0 or more"),
        ("clock=slow", "clock cannot be \"slow\": it must be real or fast"),
        ("serial=x", "\"x\" is not eight printable characters, like DB98TI79"),
        ("la=0&lb=0", "no range solves these parameters of the front end: move them towards nominal"),
    ] {
        assert_eq!(SimConfig::from_query(query).unwrap_err().to_string(), message, "{query}");
    }
    for query in ["C=dc,1V", "L8=dc,1V", "L=dc,1V"] {
        assert!(matches!(SimConfig::from_query(query), Err(ConfigError::Key { .. })), "{query}");
    }
}
