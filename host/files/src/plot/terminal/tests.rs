use super::*;
use scopething_waveform::waveform::{Details, Samples, Trigger, TriggerType};

const ASCII: Style = Style { glyphs: Glyphs::Ascii, colour: Colour::None };

fn recording(channels: Vec<Series>, trigger: Option<Trigger>) -> Waveform {
    Waveform::new(1e6, channels, Details { trigger, ..Details::default() }).unwrap()
}

fn analog(channel: Channel, samples: Vec<f32>) -> Series {
    Series::new(channel, 0.0, 1e-6, Samples::Volts(samples))
}

fn everything() -> Waveform {
    let sine = |shift: f32| (0..3072).map(|index| (index as f32 / 100.0 + shift).sin()).collect();
    let mut channels = vec![analog(Channel::A, sine(0.0)), analog(Channel::B, sine(1.0))];
    for line in 0..8 {
        let levels = (0..3072_u16).map(|index| (index >> (line + 2) & 1) as u8).collect();
        channels.push(Series::new(Channel::L[line], 0.0, 1e-6, Samples::Levels(levels)));
    }
    let trigger =
        Trigger { time_s: 1e-3, level: Some(0.5), kind: TriggerType::Rising, source: "A".to_owned() };
    recording(channels, Some(trigger))
}

fn rows(recording: &Waveform, columns: u16, rows: u16, style: Style) -> Vec<String> {
    draw(recording, Size { columns, rows }, style).lines().map(str::to_owned).collect()
}

/// Whether a character is drawn by a signal and not by the frame.
fn is_braille(character: char) -> bool {
    ('\u{2801}'..='\u{28ff}').contains(&character)
}

#[test]
fn picture_fits_the_room_it_was_given() {
    for (columns, height) in [(80, 24), (100, 30), (40, 20), (200, 60)] {
        for style in [Style::PLAIN, ASCII] {
            let drawn = rows(&everything(), columns, height, style);
            assert_eq!(drawn.len(), usize::from(height));
            let widest = drawn.iter().map(|row| row.chars().count()).max().unwrap();
            assert!(widest <= usize::from(columns), "{widest} of {columns}");
        }
    }
}

#[test]
fn extreme_sizes_are_drawn() {
    for (columns, height) in [(0, 0), (1, 1), (u16::MAX, u16::MAX)] {
        let drawn = rows(&everything(), columns, height, Style::PLAIN);
        for name in ["L0", "L7"] {
            assert!(drawn.iter().any(|row| row.contains(name)), "{name} at {columns} x {height}");
        }
    }
}

#[test]
fn step_is_drawn_low_then_high() {
    let step = recording(vec![analog(Channel::A, [vec![0.0; 500], vec![1.0; 500]].concat())], None);
    for (style, drawn_by_signal) in
        [(Style::PLAIN, is_braille as fn(char) -> bool), (ASCII, |character| "'|".contains(character))]
    {
        let drawn = rows(&step, 80, 24, style);
        let plot: Vec<Vec<char>> = drawn[2..22].iter().map(|row| row.chars().collect()).collect();
        let height_at = |column: usize| {
            plot.iter().position(|row| row.get(column).is_some_and(|&character| drawn_by_signal(character)))
        };
        let (left, right) = (height_at(15).unwrap_or(usize::MAX), height_at(70).unwrap());
        assert!(left > 15 && right < 4, "{left} {right}\n{}", drawn.join("\n"));
    }
}

#[test]
fn glitch_of_one_sample_reaches_its_height() {
    let mut samples = vec![0.0; 12288];
    samples[6000] = 5.0;
    let drawn = rows(&recording(vec![analog(Channel::A, samples)], None), 80, 24, Style::PLAIN);
    // Title and legend, two rows of headroom at most, then the glitch.
    assert!(drawn[2..5].iter().any(|row| row.chars().any(is_braille)), "{}", drawn.join("\n"));
}

#[test]
fn trigger_is_marked_in_time_and_level() {
    let drawn = rows(&everything(), 80, 30, Style::PLAIN);
    let axis = &drawn[drawn.len() - 2];
    let place = axis.chars().position(|character| character == '▲').unwrap();
    let zero = axis.chars().position(|character| character == '└').unwrap() + 1;
    // 1 ms of 3.071 ms, on the 80 columns less the margins.
    let expected = zero as f64 + 1.0 / 3.071 * (79 - zero) as f64;
    assert!((place as f64 - expected).abs() <= 1.0, "{place} {expected}");
    let level = drawn.iter().position(|row| row.ends_with('◄')).unwrap();
    let label = drawn.iter().position(|row| row.trim_start().starts_with("0.5 ┤")).unwrap();
    assert_eq!(level, label, "{}", drawn.join("\n"));
}

#[test]
fn plain_style_is_ascii_without_escapes() {
    assert!(rows(&everything(), 80, 24, ASCII).concat().is_ascii());
    assert!(!draw(&everything(), Size { columns: 80, rows: 24 }, Style::PLAIN).contains('\x1b'));
}

#[test]
fn every_coloured_line_ends_without_colour() {
    for colour in [Colour::Basic, Colour::Indexed] {
        let style = Style { colour, ..Style::PLAIN };
        let drawn = rows(&everything(), 80, 24, style);
        let coloured: Vec<_> = drawn.iter().filter(|row| row.contains('\x1b')).collect();
        assert!(coloured.len() > 20);
        for row in coloured {
            let last = row.rsplit('\x1b').next().unwrap();
            assert!(last.starts_with("[0m"), "{row:?}");
        }
    }
}

#[test]
fn label_control_characters_are_removed() {
    let label = Some("\x1b[2Jana\n0".to_owned());
    let series = Series { label, ..analog(Channel::A, vec![0.0, 1.0]) };
    let drawn = draw(&recording(vec![series], None), Size { columns: 80, rows: 24 }, Style::PLAIN);
    assert!(!drawn.contains('\x1b'));
    assert_eq!(drawn.lines().count(), 24);
}

#[test]
fn single_sample_and_no_numbers_are_drawn() {
    let one = rows(&recording(vec![analog(Channel::A, vec![1.0])], None), 80, 24, Style::PLAIN);
    assert_eq!(one.concat().chars().filter(|&character| is_braille(character)).count(), 1);
    let none = rows(&recording(vec![analog(Channel::A, vec![f32::NAN; 9])], None), 80, 24, Style::PLAIN);
    assert!(none.concat().contains("no values"));
    assert!(!none.concat().chars().any(is_braille));
}
