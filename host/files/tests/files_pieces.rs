//! Captures that are read and written piece by piece are those that are read and written as a whole.

use std::path::Path;

use scopething_files::pieces::Pieces;
use scopething_files::{Format, ReadOptions, TraceFile, open_pieces, open_with};
use scopething_waveform::waveform::{
    Channel, Details, Range, Samples, Series, Trigger, TriggerType, Waveform,
};

/// More than a piece of 65536 samples, and no whole number of them.
const SAMPLES: usize = 70_001;
const BY_PIECES: [Format; 6] =
    [Format::Csv, Format::Npz, Format::Parquet, Format::Sr, Format::Vcd, Format::Wav];

fn waveform() -> Waveform {
    let volts = |step: usize| (0..SAMPLES).map(|index| (index * step % 2001) as f32 / 1000.0 - 1.0).collect();
    let levels = |step: usize| (0..SAMPLES).map(|index| (index / step % 2) as u8).collect();
    let channels = vec![
        Series::new(Channel::A, -0.5, 1e-6, Samples::Volts(volts(7))),
        Series::new(Channel::B, -0.5, 1e-6, Samples::Volts(volts(11))),
        Series {
            label: Some("SCL".to_owned()),
            ..Series::new(Channel::L[0], -0.5, 1e-6, Samples::Levels(levels(3)))
        },
        Series::new(Channel::L[5], -0.5, 1e-6, Samples::Levels(levels(1000))),
    ];
    let details = Details {
        trigger: Some(Trigger {
            time_s: 0.0,
            level: Some(0.5),
            kind: TriggerType::Rising,
            source: "A".to_owned(),
        }),
        range: Some(Range { low: -1.0, high: 1.0 }),
        ..Details::default()
    };
    Waveform::new(1e6, channels, details).unwrap()
}

fn write(path: &Path, format: Format, waveform: &Waveform) {
    let mut file = TraceFile::create(path, format).unwrap();
    file.write(waveform).unwrap();
    file.commit().unwrap();
}

fn read(path: &Path, format: Format, options: &ReadOptions) -> Waveform {
    open_with(path, format, options).unwrap().read().unwrap().unwrap()
}

/// All pieces in one, which are several.
fn gathered(pieces: &mut dyn Pieces) -> Waveform {
    let (waveform, count) = gathered_and_counted(pieces);
    assert!(count > 1, "there are several");
    waveform
}

/// All pieces in one, and how many there were.
fn gathered_and_counted(pieces: &mut dyn Pieces) -> (Waveform, usize) {
    let outline = pieces.outline().clone();
    let mut samples: Vec<Samples> = outline.channels.iter().map(|series| series.kind.none()).collect();
    let mut count = 0;
    while let Some(piece) = pieces.next().unwrap() {
        count += 1;
        assert!(piece.iter().all(|samples| samples.len() <= 1 << 16), "a piece is small");
        samples.iter_mut().zip(&piece).for_each(|(samples, more)| samples.append(more));
    }
    let channels = outline.channels.iter().zip(samples).map(|(series, samples)| {
        assert_eq!(samples.len(), series.count, "as many as the outline states");
        let (start_s, period_s) = (series.start_s, series.period_s);
        Series { label: series.label.clone(), ..Series::new(series.channel, start_s, period_s, samples) }
    });
    (Waveform::new(outline.sample_rate_hz, channels.collect(), outline.details).unwrap(), count)
}

#[test]
fn pieces_are_the_whole() {
    let directory = tempfile::tempdir().unwrap();
    let part = ReadOptions { from_s: Some(-0.4999), for_s: Some(0.1), ..ReadOptions::default() };
    let one = ReadOptions { channels: vec!["B".to_owned()], ..ReadOptions::default() };
    for format in BY_PIECES {
        let path = directory.path().join("trace");
        write(&path, format, &waveform());
        for options in [&ReadOptions::default(), &part, &one] {
            let mut pieces = open_pieces(&path, format, options).unwrap_or_else(|| panic!("{format}"));
            assert_eq!(gathered(pieces.as_mut()), read(&path, format, options), "{format}, {options:?}");
        }
    }
}

/// A table of more samples than are kept in memory.
#[test]
fn pieces_of_long_tables_are_the_whole() {
    const ROWS: usize = 600_000;
    let directory = tempfile::tempdir().unwrap();
    let analog = |channel: Channel, step: usize| {
        let volts = (0..ROWS).map(|index| (index * step % 2001) as f32 / 1000.0 - 1.0).collect();
        Series::new(channel, 0.0, 1e-6, Samples::Volts(volts))
    };
    let line = |number: usize| {
        let levels = (0..ROWS).map(|index| (index / (number + 1) % 2) as u8).collect();
        Series::new(Channel::L[number], 0.0, 1e-6, Samples::Levels(levels))
    };
    let mut channels = vec![analog(Channel::A, 7), analog(Channel::B, 11)];
    channels.extend((0..8).map(line));
    let long = Waveform::new(1e6, channels, Details::default()).unwrap();
    for format in [Format::Csv, Format::Parquet] {
        let path = directory.path().join("long");
        write(&path, format, &long);
        let mut pieces = open_pieces(&path, format, &ReadOptions::default()).unwrap();
        assert!(gathered(pieces.as_mut()) == long, "{format}");
    }
}

#[test]
fn pieces_give_the_same_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write(&path("from"), Format::Parquet, &waveform());
    let whole = read(&path("from"), Format::Parquet, &ReadOptions::default());
    let formats = [Format::CsvSemicolons].into_iter().chain(BY_PIECES);
    for format in formats {
        write(&path("at once"), format, &whole);
        let mut pieces = open_pieces(&path("from"), Format::Parquet, &ReadOptions::default()).unwrap();
        let mut file = TraceFile::create(&path("by pieces"), format).unwrap();
        file.begin(pieces.outline()).unwrap();
        while let Some(piece) = pieces.next().unwrap() {
            file.write_piece(&piece).unwrap();
        }
        file.end().unwrap();
        file.commit().unwrap();
        let options = ReadOptions::default();
        assert_eq!(
            read(&path("by pieces"), format, &options),
            read(&path("at once"), format, &options),
            "{format}"
        );
    }
}

/// Changes without a sample rate, as other programs write them.
#[test]
fn pieces_of_others_are_the_whole() {
    let directory = tempfile::tempdir().unwrap();
    let dump = directory.path().join("other.vcd");
    let head = "$timescale 1 ns $end\n$var wire 1 ! SCL $end\n$var real 64 # IN $end\n$enddefinitions $end\n";
    let changes = (0..SAMPLES).map(|step| {
        let real = if step % 5 == 0 { format!("r{} #\n", step % 17) } else { String::new() };
        format!("#{}\n{}!\n{real}", 40 * step, step % 2)
    });
    let text = head.to_owned() + &changes.collect::<String>();
    std::fs::write(&dump, text).unwrap();
    let part = ReadOptions { from_s: Some(1e-6), for_s: Some(2.75e-3), ..ReadOptions::default() };
    for options in [&ReadOptions::default(), &part] {
        let mut pieces = open_pieces(&dump, Format::Vcd, options).unwrap();
        assert_eq!(gathered(pieces.as_mut()), read(&dump, Format::Vcd, options), "{options:?}");
    }
    // Two samples for each of more bytes than a dump has.
    std::fs::write(
        &dump,
        "$var wire 1 ! A $end\n$enddefinitions $end\n#0\n1!\n#1\n0!\n#18000000000000000000\n",
    )
    .unwrap();
    assert!(open_pieces(&dump, Format::Vcd, &ReadOptions::default()).is_none());
    let error = open_with(&dump, Format::Vcd, &ReadOptions::default()).unwrap().read().unwrap_err();
    assert!(error.to_string().contains("--from"), "{error}");
}

/// The samples of A, L0 and L1 of three rows, the second of which is as given: by pieces, and as a whole.
fn samples_beside(row: &str, end: &str) -> Option<[Samples; 3]> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.csv");
    // Rows before and behind are many, so that what is odd stands among blocks of others.
    let line = |at: usize| format!("{at},{}{end}", if at == 1500 { row } else { "0.5,0,1" });
    let lines: Vec<String> = (0..3000).map(line).collect();
    let text = format!("time,A,L0,L1{end}\n{}\n", lines.join("\n"));
    std::fs::write(&path, text).unwrap();
    let options = ReadOptions::default();
    let whole = open_with(&path, Format::Csv, &options).unwrap().read();
    let pieces = open_pieces(&path, Format::Csv, &options);
    assert_eq!(pieces.is_some(), whole.is_ok(), "{row:?}, {end:?}");
    let whole = whole.ok().flatten()?;
    assert!(gathered_and_counted(pieces?.as_mut()).0 == whole, "{row:?}, {end:?}");
    assert!(whole.channels().iter().all(|series| series.samples.len() == 3000), "{row:?}, {end:?}");
    let of = |channel| whole.channel(channel).map(|series| series.samples.part(1499, 3));
    Some([of(Channel::A)?, of(Channel::L[0])?, of(Channel::L[1])?])
}

/// A row among plain ones may be written in any way.
#[test]
fn odd_cells_are_what_they_say() {
    for end in ["", "\r", ",", ",,\r", " "] {
        for (row, volt, levels) in [
            ("2,1,0", 2.0, [1, 0]),
            ("-2.5,1.0,0.0", -2.5, [1, 0]),
            (" 2 , 1, 0", 2.0, [1, 0]),
            ("\"2\",\"1\",\"0\"", 2.0, [1, 0]),
            ("+2,+1,-0", 2.0, [1, 0]),
            ("2e0,1e0,0e5", 2.0, [1, 0]),
            ("1,1,00", 1.0, [1, 0]),
            ("0,1.,.0", 0.0, [1, 0]),
            ("16777217,01,0", 16_777_216.0, [1, 0]),
        ] {
            let volts = Samples::Volts(vec![0.5, volt, 0.5]);
            let of = |level: u8, beside: u8| Samples::Levels(vec![beside, level, beside]);
            let expected = [volts, of(levels[0], 0), of(levels[1], 1)];
            assert_eq!(samples_beside(row, end), Some(expected), "{row:?}, {end:?}");
        }
    }
    for end in ["", "\r"] {
        for row in ["1,2,0", "1,x,0", "1,-1,0", "1,0.5,0", "1,1", "1,1,0,1", "1,1 1,0", "x,1,0"] {
            assert_eq!(samples_beside(row, end), None, "{row:?}, {end:?}");
        }
    }
}

/// A gap, or rows without a sample, are judged by all rows.
#[test]
fn uneven_file_is_read_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.csv");
    let by_pieces = |text: &str| {
        std::fs::write(&path, text).unwrap();
        open_pieces(&path, Format::Csv, &ReadOptions::default()).is_some()
    };
    assert!(by_pieces("time,A\n0,1.5\n1,2\n2,3\n"));
    for text in [
        "time,A\n0,1.5\n1,2\n5,3\n",
        "time,A\n0,1.5\n1,\n2,3\n",
        "time,probe\n0,1\n1,nan\n2,0\n",
        "time,A\n0,1\n1,2\n\ntime,A\n0,1\n1,2\n",
        "nothing",
    ] {
        assert!(!by_pieces(text), "{text}");
    }
}

#[test]
fn truncated_audio_file_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.wav");
    write(&path, Format::Wav, &waveform());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 8 * 1000]).unwrap();
    assert!(open_pieces(&path, Format::Wav, &ReadOptions::default()).is_none());
    let mut reader = open_with(&path, Format::Wav, &ReadOptions::default()).unwrap();
    let read = reader.read().unwrap().unwrap();
    assert_eq!(read.channel(Channel::A).unwrap().samples.len(), SAMPLES - 1000);
    let warnings = reader.warnings();
    assert!(
        warnings.len() == 1 && warnings[0].contains("70001") && warnings[0].contains("69001"),
        "{warnings:?}"
    );
}

/// A and L0 of few samples, which end at a change.
fn short_waveform() -> Waveform {
    let volts = (0..60).map(|index| (index * 7 % 11) as f32 / 8.0).collect();
    let levels = (0..60).map(|index| u8::from(index % 3 == 2)).collect();
    let channels = vec![
        Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(volts)),
        Series {
            label: Some("µL".to_owned()),
            ..Series::new(Channel::L[0], 0.0, 1e-6, Samples::Levels(levels))
        },
    ];
    Waveform::new(1e6, channels, Details::default()).unwrap()
}

/// As `PowerShell` redirects a text to a file, as Windows' editors save one, and as old spreadsheets do.
#[test]
fn text_is_read_in_the_encodings_of_others() {
    let directory = tempfile::tempdir().unwrap();
    for format in [Format::Csv, Format::Json, Format::Vcd] {
        let path = directory.path().join("trace");
        write(&path, format, &short_waveform());
        let text = std::fs::read_to_string(&path).unwrap();
        let whole = read(&path, format, &ReadOptions::default());
        let marked = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        let utf16 = |bytes: fn(u16) -> [u8; 2]| marked.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        for (encoding, bytes) in [
            ("UTF-8 with its mark", marked.clone().into_bytes()),
            ("little UTF-16", utf16(u16::to_le_bytes)),
            ("big UTF-16", utf16(u16::to_be_bytes)),
            ("carriage returns", text.replace('\n', "\r").into_bytes()),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read(&path, format, &ReadOptions::default()), whole, "{format}, {encoding}");
            match open_pieces(&path, format, &ReadOptions::default()) {
                Some(mut pieces) => {
                    assert_eq!(gathered_and_counted(pieces.as_mut()).0, whole, "{format}, {encoding}");
                }
                None => assert_eq!(format, Format::Json, "{encoding}"),
            }
        }
    }
}

/// Whatever is left of a text, as of a full disk, is read up to its last whole row, with a warning.
#[test]
fn truncated_text_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let both = short_waveform();
    let lone = Waveform::new(1e6, both.channels()[..1].to_vec(), Details::default()).unwrap();
    for (format, whole) in
        [Format::Csv, Format::Vcd].into_iter().flat_map(|format| [(format, &both), (format, &lone)])
    {
        let path = directory.path().join("trace");
        write(&path, format, whole);
        let bytes = std::fs::read(&path).unwrap();
        // A dump states its end, and is whole without its last line feed; a row may have had more digits.
        let is_whole_without_its_line_feed = format == Format::Vcd;
        let end = bytes.len() - usize::from(is_whole_without_its_line_feed);
        for length in bytes.len() - 400..end {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let mut reader = open_with(&path, format, &ReadOptions::default()).unwrap();
            let read = reader.read().unwrap_or_else(|error| panic!("{format}, {length} bytes: {error}"));
            let (read, warnings) = (read.unwrap(), reader.warnings());
            let cut = || format!("{format}, {length} of {} bytes: {warnings:?}", bytes.len());
            assert!(warnings.iter().any(|warning| warning.contains("cut off")), "{}", cut());
            for (read, whole) in read.channels().iter().zip(whole.channels()) {
                let count = read.samples.len();
                assert!((10..60).contains(&count), "{}: {count}", cut());
                assert_eq!(read.samples, whole.samples.part(0, count as u64), "{}", cut());
            }
            let mut pieces = open_pieces(&path, format, &ReadOptions::default()).unwrap();
            assert_eq!(pieces.warnings(), warnings, "{}", cut());
            assert_eq!(gathered_and_counted(pieces.as_mut()).0, read, "{}", cut());
        }
        std::fs::write(&path, &bytes[..end]).unwrap();
        let mut reader = open_with(&path, format, &ReadOptions::default()).unwrap();
        assert_eq!(reader.read().unwrap().as_ref(), Some(whole), "{format}");
        assert_eq!(reader.warnings(), [""; 0], "{format}");
    }
}

/// Half a period after the last sample is in the middle of a unit of time.
#[test]
fn lone_channel_of_a_pair_keeps_its_last_sample() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("trace.vcd");
    let period_s = 1e-6;
    let assert_whole = |whole: &Waveform, what: &str| {
        let mut reader = open_with(&path, Format::Vcd, &ReadOptions::default()).unwrap();
        assert_eq!(reader.read().unwrap().as_ref(), Some(whole), "{what}");
        assert_eq!(reader.warnings(), [""; 0], "{what}");
        let mut pieces = open_pieces(&path, Format::Vcd, &ReadOptions::default()).unwrap();
        assert_eq!(pieces.warnings(), [""; 0], "{what}");
        assert_eq!(gathered_and_counted(pieces.as_mut()).0, *whole, "{what}");
    };
    let mut rounded_away = 0;
    for count in 2..=64_u8 {
        let ramp: Vec<f32> = (0..count).map(f32::from).collect();
        // The last sample is no change.
        let level: Vec<f32> = ramp.iter().map(|volts| volts.min(f32::from(count - 2))).collect();
        for volts in [ramp, level] {
            let series = Series::new(Channel::A, 0.0, period_s, Samples::Volts(volts));
            let whole = Waveform::new(2.0 / period_s, vec![series], Details::default()).unwrap();
            write(&path, Format::Vcd, &whole);
            assert_whole(&whole, &format!("{count} samples"));
            // Earlier versions stated no end, and rounded it to the last sample now and then.
            let text = std::fs::read_to_string(&path).unwrap();
            let stated = format!("\"end\":\"{count}\",");
            let (changes, end) = text.trim_end().rsplit_once('\n').unwrap();
            assert!(text.contains(&stated) && end == format!("#{count}"), "{text}");
            let end = ((whole.end_s() + whole.sample_rate_hz().recip()) * 1e6).round();
            rounded_away += usize::from(end < f64::from(count));
            let earlier = format!("\n#{end}\n");
            let changes = changes.replace(&stated, "") + "\n";
            let is_written = changes.contains(&earlier);
            let text = if is_written { changes } else { changes + &earlier[1..] };
            std::fs::write(&path, text).unwrap();
            assert_whole(&whole, &format!("{count} samples, earlier"));
        }
    }
    assert!(rounded_away > 0, "an earlier version's end is the last sample's time");
}

/// What is left of a time is a time as well, of which all others would be multiples of a small unit.
#[test]
fn cut_time_of_others_is_no_sample_rate() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("other.vcd");
    let changes = "#0\n1!\n#10000\n0!\n#20000\n1!\n";
    let head = "$timescale 1 ns $end\n$var wire 1 ! SCL $end\n$enddefinitions $end\n";
    let end = "#213370000\n";
    for length in 1..=end.len() {
        std::fs::write(&path, [head, changes, &end[..length]].concat()).unwrap();
        let mut reader = open_with(&path, Format::Vcd, &ReadOptions::default()).unwrap();
        let read = reader.read().unwrap().unwrap();
        let warnings = reader.warnings();
        let cut = || format!("{:?}: {warnings:?}", &end[..length]);
        assert!((read.sample_rate_hz() - 1e5).abs() < 1e-6, "{}: {}", cut(), read.sample_rate_hz());
        let is_cut = warnings.iter().any(|warning| warning.contains("cut off"));
        assert_eq!(is_cut, length < end.len(), "{}", cut());
        let levels: Vec<f32> = read.channels()[0].samples.iter().take(2).collect();
        assert_eq!(levels, [1.0, 0.0], "{}", cut());
        let mut pieces = open_pieces(&path, Format::Vcd, &ReadOptions::default()).unwrap();
        assert_eq!(pieces.warnings(), warnings, "{}", cut());
        assert_eq!(gathered_and_counted(pieces.as_mut()).0, read, "{}", cut());
    }
}
