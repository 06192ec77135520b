//! What the vendor's library was seen to answer, opened without a device.

use crate::quirks::Quirks;
use crate::settings::Settings;

/// A call of set-up with what it answered.
#[derive(Debug, Clone, Copy)]
enum Call {
    Mode(i32),
    Rate(f64, f64),
    Size(i32, i32),
    Time(f64, f64),
    Range(i32, f64),
    Offset(f64, f64),
    Intro(f64, f64),
    Delay(f64, f64),
    Channel(i32, i32),
    Source(i32, i32),
    Count(i32, i32),
    Coupling(i32, i32),
    Enable(bool),
    Trigger(f64, i32, bool),
    Index(usize),
    Halt,
    State(i32),
}

use Call::{
    Channel, Count, Coupling, Delay, Enable, Halt, Index, Intro, Mode, Offset, Range, Rate, Size, Source,
    State, Time, Trigger,
};

/// A and B are on.
const BOTH: [Call; 4] = [Channel(0, 0), Enable(true), Channel(1, 1), Enable(true)];

/// Calls one after the other, each with the digits that were recorded.
fn answers(calls: &[Call]) {
    let mut settings = Settings::new(Quirks::default());
    for call in calls {
        let real = |got: f64, expected: f64| {
            assert!((got - expected).abs() <= 1e-6 * expected.abs().max(1e-6), "{call:?} answers {got}");
        };
        let whole = |got: i32, expected: i32| assert_eq!(got, expected, "{call:?}");
        match *call {
            Mode(mode) => whole(settings.set_mode(mode), if (0..5).contains(&mode) { mode } else { -1 }),
            Rate(asked, expected) => real(settings.set_rate(asked), expected),
            Size(asked, expected) => whole(settings.set_size(asked), expected),
            Time(asked, expected) => real(settings.set_time(asked), expected),
            Range(asked, expected) => real(settings.set_range(asked), expected),
            Offset(asked, expected) => real(settings.set_offset(asked), expected),
            Intro(asked, expected) => real(settings.set_intro(asked), expected),
            Delay(asked, expected) => real(settings.set_delay(asked), expected),
            Channel(asked, expected) => whole(settings.select_channel(asked), expected),
            Source(asked, expected) => whole(settings.select_source(asked), expected),
            Count(asked, expected) => whole(settings.count(asked), expected),
            Coupling(asked, expected) => whole(settings.set_coupling(asked), expected),
            Enable(is_on) => settings.enable(is_on),
            Trigger(level_v, edge, expected) => {
                assert_eq!(settings.set_trigger(level_v, edge), expected, "{call:?}");
            }
            Index(index) => settings.set_index(index),
            Halt => settings.is_halted = true,
            State(expected) => whole(if settings.is_halted { 0 } else { 2 }, expected),
        }
    }
}

#[test]
fn rates_and_sizes_of_each_mode() {
    let rates = [15e6, 3.3e6, 7e5, 44_100.0, 1000.0, 1.0];
    for (mode, fastest, size, expected) in [
        (0, 20e6, 12_288, [20e6, 3_333_333.333, 714_285.714, 44_593.088, 1000.0, 15.258_789]),
        (1, 5e6, 6144, [5e6, 4e6, 714_285.714, 45_045.045, 1000.0, 7.629_395]),
        (2, 20e6, 6144, [20e6, 3_333_333.333, 714_285.714, 44_593.088, 1000.0, 15.258_789]),
        (3, 40e6, 12_288, [20e6, 3_333_333.333, 701_754.386, 44_101.433, 2_441.406_25, 2_441.406_25]),
        (4, 2_441.406_25, 4092, [2_441.406_25; 6]),
    ] {
        answers(&[Mode(mode), Rate(-1.0, fastest), Size(-1, size), Rate(0.0, fastest), Size(0, size)]);
        for (asked, expected) in rates.into_iter().zip(expected) {
            answers(&[Mode(mode), Rate(asked, expected), Rate(-1.0, expected)]);
        }
    }
}

#[test]
fn both_channels_are_slower_in_one_mode() {
    for (mode, fastest) in [(0, 20e6), (1, 5e6), (2, 10e6), (3, 40e6), (4, 2_441.406_25)] {
        answers(&[BOTH[0], BOTH[1], BOTH[2], BOTH[3], Mode(mode), Rate(0.0, fastest)]);
    }
    let gap = [(9e6, 10e6), (5.5e6, 8e6), (4e6, 4e6), (3.3e6, 3_333_333.333), (2.7e6, 2_857_142.857)];
    for (asked, expected) in gap {
        answers(&[BOTH[0], BOTH[1], BOTH[2], BOTH[3], Mode(2), Rate(asked, expected)]);
    }
    // A is captured as long as none is on; that does not count as A and B.
    answers(&[Channel(1, 1), Enable(true), Mode(2), Rate(-1.0, 20e6), Rate(0.0, 20e6), Size(12_329, 4932)]);
    // One that is switched off shows when the rate is set.
    answers(&[
        Channel(0, 0),
        Enable(true),
        Channel(1, 1),
        Enable(true),
        Mode(2),
        Rate(-1.0, 10e6),
        Time(-1.0, 0.000_614_4),
        Enable(false),
        Rate(-1.0, 10e6),
        Size(12_329, 5480),
        Time(-1.0, 0.000_548),
        Rate(0.0, 20e6),
    ]);
    // What is switched on later shows when the rate is set.
    answers(&[
        Mode(2),
        Channel(0, 0),
        Enable(true),
        Channel(1, 1),
        Enable(true),
        Rate(-1.0, 20e6),
        Rate(0.0, 10e6),
        Enable(false),
        Rate(-1.0, 10e6),
    ]);
}

#[test]
fn sizes() {
    let sizes =
        [(1, 1), (1000, 1000), (12_288, 12_288), (12_289, 11_704), (13_000, 11_818), (20_000, 12_121)];
    for (asked, expected) in sizes.into_iter().chain([(100_000, 12_012), (1_000_000, 12_195), (-5, 32_768)]) {
        answers(&[Rate(1e6, 1e6), Size(asked, expected), Rate(-1.0, 1e6), Size(-1, expected)]);
    }
    for (mode, asked, expected) in
        [(1, 6145, 5852), (1, 20_000, 6061), (1, -5, 16_384), (2, 12_289, 6069), (3, 12_289, 11_989)]
    {
        answers(&[Mode(mode), Rate(1e6, 1e6), Size(asked, expected)]);
    }
    answers(&[Rate(1000.0, 1000.0), Size(1_000_000, 15_259), Size(-2, 32_768_000)]);
    answers(&[Mode(3), Rate(1.0, 2_441.406_25), Size(100_000, 100_000)]);
    // Rates are such then that the buffer holds as long a trace.
    for (size, asked, expected) in [
        (23_851, 27_320.206_800, 14_079.549_454),
        (39_773, 5_456_116.720_443, 1_739_130.434_783),
        (25_991, 1e6, 476_190.476_190),
        (33_608, 2_235_529.0, 833_333.333_333),
        (26_714, 275_333.234_260, 126_984.126_984),
    ] {
        answers(&[Mode(3), Rate(1.0, 2_441.406_25), Size(size, size), Rate(asked, expected)]);
    }
    // A size stays when the rate is set, and goes with the mode.
    answers(&[
        Rate(1e6, 1e6),
        Size(1000, 1000),
        Rate(1000.0, 1000.0),
        Size(-1, 1000),
        Mode(0),
        Size(-1, 1000),
    ]);
    answers(&[Size(1000, 1000), Mode(1), Size(-1, 6144), Rate(-1.0, 5e6)]);
}

#[test]
fn stream_sizes() {
    answers(&[Mode(4), Size(-1, 4092), Size(0, 4092)]);
    answers(&[
        Mode(4),
        Channel(4, 4),
        Enable(true),
        Size(0, 4092),
        Channel(1, 1),
        Enable(true),
        Size(0, 4128),
        Enable(false),
        Size(0, 4092),
        Channel(0, 0),
        Enable(true),
        Size(0, 4128),
        Enable(false),
        Size(0, 4092),
    ]);
}

#[test]
fn times() {
    for (asked, expected, rate_hz, size) in [
        (5e-3, 5e-3, 1e6, 5000),
        (3.3e-6, 3e-6, 1e6, 3),
        (1.234_5e-3, 1.234e-3, 1e6, 1234),
        (3.9e-6, 3e-6, 1e6, 3),
        (0.0123, 0.012_299_7, 952_380.952, 11_714),
        (0.1, 0.099_999_9, 120_120.12, 12_012),
        (10.0, 9.999_99, 1_228.501_2, 12_285),
        (100.0, 100.003_893, 122.865_217, 12_287),
        (1000.0, 1_000.013_824, 15.258_789, 15_259),
        (1e-7, 0.012_288, 1e6, 12_288),
        (0.0, 0.012_288, 1e6, 12_288),
        (-5.0, 0.012_288, 1e6, 12_288),
    ] {
        answers(&[
            Rate(1e6, 1e6),
            Size(1000, 1000),
            Time(asked, expected),
            Rate(-1.0, rate_hz),
            Size(-1, size),
        ]);
    }
    // What is made shorter is the samples, not the time.
    answers(&[Rate(1e6, 1e6), Size(384, 384), Time(0.027_451_513_4, 0.02745), Size(-1, 12_200)]);
    answers(&[Mode(3), Rate(1e6, 1e6), Time(0.018_526_851_2, 0.018_525_7)]);
    // Not more samples than a number of 32 bits counts.
    answers(&[Time(1e9, 107.376_093), Rate(-1.0, 114.429_569)]);
    for (mode, asked, expected, rate_hz) in [
        (1, 5e-3, 4.999_7e-3, 1_176_470.588),
        (2, 1e-3, 1.000_000e-3, 5e6),
        (3, 0.05, 0.050_000_25, 245_398.773),
        (3, 10.0, 9.999_974_4, 2_441.406_25),
    ] {
        answers(&[
            Mode(mode),
            Rate(
                0.0,
                if mode == 1 {
                    5e6
                } else if mode == 2 {
                    20e6
                } else {
                    40e6
                },
            ),
            Time(asked, expected),
            Rate(-1.0, rate_hz),
        ]);
    }
}

#[test]
fn ranges_and_offsets() {
    for (range, span, bottom, top) in [
        (0, 1.1, -10.266_667, 6.966_667),
        (1, 3.5, -9.066_667, 5.766_667),
        (2, 5.2, -8.216_667, 4.916_667),
        (3, 9.2, -6.216_667, 2.916_667),
    ] {
        answers(&[
            Range(range, span),
            Range(-1, span),
            Offset(1000.0, top),
            Offset(-1000.0, bottom),
            Offset(-1.0, -1.0),
            Offset(2.0, 2.0),
        ]);
    }
    answers(&[Range(-1, 1.1), Range(4, 9.2), Range(0, 1.1), Range(-2, 9.2), Range(-1, 9.2)]);
    // The range that is answered is the one set last, of whichever channel.
    answers(&[
        Range(0, 1.1),
        Channel(1, 1),
        Range(2, 5.2),
        Channel(0, 0),
        Range(-1, 5.2),
        Channel(2, 2),
        Offset(100.0, 100.0),
    ]);
    answers(&[Range(1, 3.5), Channel(1, 1), Range(-1, 3.5), Offset(100.0, 5.766_667)]);
    // A logic channel has one; what is set there is set for the others.
    answers(&[
        Channel(4, 4),
        Range(-1, 5.0),
        Range(0, 5.0),
        Channel(0, 0),
        Range(-1, 1.1),
        Offset(100.0, 6.966_667),
    ]);
    answers(&[Channel(4, 4), Range(-1, 5.0), Channel(2, 2), Range(-1, 5.0), Channel(0, 0), Range(-1, 1.1)]);
    answers(&[Channel(11, 11), Channel(2, 2), Range(0, 5.0), Channel(0, 0), Range(-1, 1.1)]);
    answers(&[Channel(2, 2), Range(5, 1.1), Channel(0, 0), Offset(100.0, 6.966_667)]);
    answers(&[Channel(4, 4), Offset(-1000.0, -1000.0), Count(3, 1), Channel(2, 2), Count(3, 1)]);
    // Channels of bigger models have as many ranges as the one that was selected before.
    answers(&[
        Channel(4, 4),
        Channel(2, 2),
        Count(3, 1),
        Channel(0, 0),
        Count(3, 4),
        Channel(2, 2),
        Count(3, 4),
    ]);
}

#[test]
fn each_channel_has_a_range() {
    answers(&[
        Range(3, 9.2),
        Channel(1, 1),
        Offset(-1000.0, -10.266_667),
        Range(-1, 9.2),
        Offset(-1000.0, -6.216_667),
    ]);
    answers(&[Channel(1, 1), Range(2, 5.2), Channel(0, 0), Offset(-1000.0, -10.266_667)]);
    // What is set where there is no range is what other channels get when asked.
    answers(&[
        Range(2, 5.2),
        Channel(1, 1),
        Channel(2, 2),
        Range(-1, 1.1),
        Range(3, 1.1),
        Channel(1, 1),
        Range(-1, 9.2),
        Offset(-1000.0, -6.216_667),
    ]);
    answers(&[
        Range(2, 5.2),
        Channel(4, 4),
        Range(3, 5.0),
        Channel(0, 0),
        Offset(-1000.0, -8.216_667),
        Range(-1, 9.2),
        Offset(-1000.0, -6.216_667),
    ]);
}

#[test]
fn no_source_is_selected_at_first() {
    answers(&[Channel(0, 0), Source(6, -1), Channel(20, 0), Source(1, 0), Source(6, 0)]);
    answers(&[Source(-1, 0), Channel(1, 1), Source(6, 0)]);
}

#[test]
fn all_channels_have_one_source() {
    answers(&[
        Channel(2, 2),
        Source(3, 3),
        Channel(3, 3),
        Source(-1, 3),
        Source(2, 2),
        Channel(2, 2),
        Source(6, 2),
        Source(-1, 2),
    ]);
    // One that the next channel does not have is lost, but answered until another one is.
    answers(&[Channel(2, 2), Source(3, 3), Channel(0, 0), Source(6, 3), Source(-1, 0), Channel(2, 2)]);
    answers(&[Channel(2, 2), Source(3, 3), Channel(11, 11), Channel(2, 2), Source(-1, 0), Source(6, 0)]);
    answers(&[Channel(1, 1), Source(3, 0), Channel(2, 2), Source(-1, 0), Source(5, 5), Channel(20, 2)]);
}

#[test]
fn state_after_a_halt() {
    answers(&[State(2), Halt, State(0), Rate(33_786.0, 34_188.034_188), State(2), Size(100, 100), State(2)]);
    for ends in [Size(1000, 1000), Size(0, 12_288), Time(1e-3, 1e-3), Rate(0.0, 20e6), Mode(1)] {
        answers(&[Rate(1e6, 1e6), Halt, State(0), ends, State(2)]);
    }
    for leaves in [
        Rate(-1.0, 1e6),
        Size(-1, 12_288),
        Time(-1.0, 0.012_288),
        Mode(0),
        Mode(9),
        Enable(true),
        Offset(0.0, 0.0),
        Intro(1e-3, 1e-3),
        Index(5),
    ] {
        answers(&[Rate(1e6, 1e6), Halt, leaves, State(0)]);
    }
}

#[test]
fn first_setting_behind_another_index_leaves_the_state() {
    answers(&[Index(5), Halt, Size(9641, 9641), State(0), Size(9642, 9642), State(2)]);
    answers(&[Index(5), Size(100, 100), Halt, Size(9641, 9641), State(2)]);
    answers(&[Halt, Index(5), Index(5), Rate(1e6, 1e6), State(0), Rate(1e5, 1e5), State(2)]);
    // One that was noticed before is none.
    answers(&[Index(5), Index(0), Halt, Size(9641, 9641), State(2)]);
    answers(&[
        Index(100),
        Halt,
        Index(5),
        Index(100),
        Time(1e-3, 1e-3),
        State(0),
        Time(1e-3, 1e-3),
        State(2),
    ]);
}

#[test]
fn each_mode_has_an_index() {
    answers(&[Index(100), Size(1000, 1000), Mode(2), Halt, Index(100), Mode(2), Size(6144, 6144), State(0)]);
    answers(&[
        Mode(3),
        Index(5),
        Mode(0),
        Halt,
        Size(1000, 1000),
        State(2),
        Mode(3),
        Halt,
        Size(10, 10),
        State(2),
    ]);
}

#[test]
fn channels_and_sources() {
    answers(&[
        Channel(20, -1),
        Channel(-1, 0),
        Channel(20, 0),
        Channel(11, 11),
        Channel(12, 11),
        Channel(-5, 11),
    ]);
    answers(&[
        Source(0, 0),
        Source(1, 0),
        Source(-1, 0),
        Channel(2, 2),
        Source(3, 3),
        Source(5, 5),
        Source(6, 5),
        Source(-1, 5),
        Channel(4, 4),
        Source(1, 0),
    ]);
    answers(&[Count(1, 2), Count(2, 8), Count(3, 4), Count(-1, -1), Count(4, -1)]);
    answers(&[Mode(9), Mode(-2), Mode(5), Mode(i32::MIN), Mode(4), Mode(9), Rate(-1.0, 2_441.406_25)]);
}

#[test]
fn intro_delay_coupling_and_trigger() {
    answers(&[
        Intro(1e-3, 1e-3),
        Intro(-1.0, 1e-3),
        Intro(-5.0, 1e-3),
        Intro(f64::NAN, 1e-3),
        Intro(1e9, 1e9),
        Intro(0.0, 0.0),
    ]);
    answers(&[Delay(0.5, 0.5), Delay(-3.0, 0.5), Delay(0.0, 0.0)]);
    answers(&[
        Coupling(1, 1),
        Coupling(-1, 1),
        Coupling(-2, -2),
        Coupling(100, 100),
        Channel(1, 1),
        Coupling(-1, 100),
    ]);
    answers(&[
        Trigger(1.5, 1, true),
        Trigger(0.0, 9, true),
        Trigger(f64::NAN, 0, false),
        Trigger(f64::INFINITY, 0, false),
    ]);
    answers(&[Rate(f64::NAN, 20e6), Rate(f64::INFINITY, 20e6), Rate(1e300, 20e6), Rate(-2.0, 20e6)]);
}
