use super::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn parse(text: &str) -> Result<Signal, SignalError> {
    text.parse()
}

#[test]
fn texts_of_the_documentation_are_understood() {
    let sine = Periodic { shape: Shape::Sine, frequency_hz: 1e3, low: 0.0, high: 3.0, phase: 0.0 };
    assert_eq!(parse("sine 1kHz 0..3V"), Ok(Signal::Periodic(sine)));
    assert_eq!(parse("sine,1kHz,0..3V"), Ok(Signal::Periodic(sine)));
    assert_eq!(parse("sine 1kHz 0..3V phase=25%"), Ok(Signal::Periodic(Periodic { phase: 0.25, ..sine })));
    let pulses = Shape::Pulses { width: 0.01, spacing: 0.05, count: 3 };
    let train = Periodic { shape: pulses, high: 3.3, ..sine };
    assert_eq!(parse("pulse 1kHz 10us count=3 spacing=50us"), Ok(Signal::Periodic(train)));
    assert_eq!(parse("dc 1.5V"), Ok(Signal::Dc { volts: 1.5 }));
}

#[test]
fn long_pauses_are_printed_as_they_were_read() {
    let text = "uart 920bps data=48 gap=16666666s";
    assert_eq!(parse(text).unwrap().to_string(), text);
}

#[test]
fn what_is_wrong_is_named() {
    for (text, message) in [
        (
            "",
            "there is no signal \"\": use dc, sine, triangle, square, ramp, exponential, pulse, \
             noise, uart, i2c, spi or \
              file:PATH#CHANNEL",
        ),
        ("sine", "sine needs a frequency: write it like sine 1kHz 0..3V phase=25%"),
        ("sine 0", "the frequency must be above 0"),
        ("dc", "dc needs a voltage: write it like dc 1.5V"),
        ("sine 1kHz 0..3A", "\"A\" in \"3A\" is not understood: write it like 3.3V or 500mV"),
        ("sine 1kHz 30%", "sine has no use for \"30%\": write it like sine 1kHz 0..3V phase=25%"),
        (
            "square 1kHz duty=30%",
            "square has no use for \"duty=30%\": write it like square 1kHz 0..3V 30% phase=25%",
        ),
        ("square 1kHz 130%", "the duty must be from 0% to 100%"),
        (
            "i2c 100kHz data=00",
            "i2c needs a line: scl or sda; clk, mosi, miso or cs: \
             write it like i2c sda 100kHz address=0x50 data=00ff gap=1ms",
        ),
        ("spi clk 1MHz", "spi needs data=HEX or text=TEXT: write it like spi mosi 1MHz data=00ff gap=1ms"),
        ("uart 9600 data=0", "the data must be pairs of hex digits"),
        ("i2c scl 100kHz address=0x80 data=00", "the address must be two hex digits up to 0x7f"),
        ("pulse 1kHz 2ms", "the train of pulses must be shorter than the period"),
        ("pulse 1kHz 1us count=1.5", "the count must be a whole number from 1 to 256"),
        ("pulse 1kHz 1us spacing=1us", "the spacing must be longer than a pulse"),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn examples_of_errors_are_signals_of_their_kind() {
    for (kind, example) in super::EXAMPLES {
        assert!(example.starts_with(kind), "{example}");
        parse(example).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}

#[test]
fn traffic_is_printed_and_read_back() {
    for text in [
        "uart 9600bps data=48690a gap=1ms",
        "i2c sda 100kHz address=0x50 data=00ff gap=2ms",
        "spi miso 1MHz data= gap=0s",
    ] {
        assert_eq!(parse(text).unwrap().to_string(), text);
    }
    assert_eq!(parse("uart 9600 text=Hi"), parse("uart 9600bps data=4869 gap=1ms"));
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_back(
        frequency_hz in 1e-3..1e7, low in -8.0..8.0, high in -8.0..8.0, part in 0.0..0.99, phase in 0.0..1.0,
        kind in 0..5
    ) {
        let shape = match kind {
            0 => Shape::Sine,
            1 => Shape::Triangle { symmetry: part },
            2 => Shape::Triangle { symmetry: 1.0 },
            3 => Shape::Square { duty: part },
            _ => Shape::Exponential { symmetry: part },
        };
        let signal = Signal::Periodic(Periodic { shape, frequency_hz, low, high, phase });
        prop_assert_eq!(parse(&signal.to_string()), Ok(signal));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "(sine|pulse|square|noise|dc|ramp)?[ ,0-9a-zA-Z.%=-]{0,24}") {
        if let Ok(signal) = parse(&text) {
            prop_assert!(signal.volts(crate::SimTime(12_345)).is_finite());
        }
    }
}
