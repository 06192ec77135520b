use scopething_core::plan::{AnalogChannel, Resolution, TriggerMode};

use super::*;
use crate::job::keep::Band;
use crate::job::measure::Measure;
use scopething_files::Format;
use scopething_waveform::waveform::Channel;

const WHOLE: &str = r#"
url = "sim:?A=sine,1kHz,0..3V"
serial = "DB98TI79"
probes = "x10"
verify = true

[capture]
channels = ["A", "L3"]
period = "2ms"
samples = "4k"
low = "-1V"
high = 3.5
trigger = "A"
level = "500mV"
type = "falling"
hair-trigger = true
position = "50%"
timeout = "none"
trigger-mode = "auto"
bits = 8

[generate]
clock = "1MHz 25%"

[when]
every = "15min"
count = 1000
for = "7d"

[keep]
what = "outside"
bands = [{ channel = "A", measure = "peak-to-peak", low = "100mV" }, { channel = "L3", measure = "duty", low = 0.1, high = "90%" }]

[files]
directory = "/var/lib/scopething"
name = "bench"
format = "json"
new-after = "1h"
new-at = "10MB"
keep-for = "30d"
keep-bytes = "2GB"
keep-free = "500MB"
hold = "1MB"
sync-every = 10

[status]
file = "/run/x.json"
prometheus = "127.0.0.1:9180"
"#;

#[test]
fn every_key_is_understood() {
    let job = Job::parse(WHOLE).unwrap();
    assert!(job.verify);
    assert_eq!(job.request.period_s, 2e-3);
    assert_eq!((job.request.samples, job.request.position), (4000, 0.5));
    assert_eq!((job.request.low, job.request.high, job.request.level), (Some(-1.0), Some(3.5), Some(0.5)));
    assert_eq!((job.request.timeout_s, job.request.hair_trigger), (None, true));
    assert_eq!((job.request.trigger_mode, job.request.resolution), (TriggerMode::Auto, Resolution::Bits8));
    assert_eq!(job.request.trigger, "A".parse().ok());
    // A pattern of levels has no level of its own.
    let pattern = WHOLE.replace("trigger = \"A\"\nlevel = \"500mV\"\n", "trigger = { L3 = 1 }\n");
    assert_eq!(Job::parse(&pattern).unwrap().request.trigger, "L3=1".parse().ok());
    assert!(matches!(&job.generate, Some(GeneratorRequest::Clocks(_))));
    assert_eq!(job.spacing, Spacing::Every(900.0));
    assert_eq!(job.extent, Extent { count: Some(1000), seconds: Some(7.0 * 86400.0) });
    let band = |channel, measure, low, high| Band { channel, measure, low, high };
    let bands = vec![
        band(Channel::A, Measure::PeakToPeak, 0.1, f64::INFINITY),
        band(Channel::L[3], Measure::Duty, 0.1, 0.9),
    ];
    assert_eq!(job.keep, Keep::Outside(bands));
    assert_eq!((job.naming.format, job.naming.name.as_str()), (Format::Json, "bench"));
    let limits = Limits {
        file_bytes: Some(10_000_000),
        file_seconds: Some(3600.0),
        age_seconds: Some(30.0 * 86400.0),
        total_bytes: Some(2_000_000_000),
        free_bytes: Some(500_000_000),
    };
    assert_eq!((job.limits, job.hold_bytes, job.sync_every), (limits, 1_000_000, 10));
}

#[test]
fn what_is_not_said_has_its_default() {
    let job = Job::parse("files.directory = 'd'").unwrap();
    assert_eq!(job.request, CaptureRequest::new(Channel::A));
    assert_eq!((job.spacing, job.keep), (Spacing::Continuous, Keep::All));
    assert_eq!(job.naming, Naming { directory: "d".into(), name: "trace".to_owned(), format: Format::Csv });
    assert_eq!(job.status_file, PathBuf::from("d/.trace-status.json"));
}

/// Each line of the whole job, made wrong in turn, is the one that is named.
#[test]
fn errors_name_their_line() {
    for (right, wrong, reported) in [
        ("url = \"sim:?A=sine,1kHz,0..3V\"", "url = \"gopher://x\"", "gopher"),
        ("serial = \"DB98TI79\"", "serial = \"DB98\"", "eight characters"),
        ("probes = ", "probe = ", "probe"),
        ("[capture]", "[captures]", "captures"),
        ("channels = [\"A\", \"L3\"]", "channels = [\"A\", \"C\"]", "\"C\""),
        ("period = \"2ms\"", "perod = \"2ms\"", "perod"),
        ("period = \"2ms\"", "period = \"2 parsecs\"", "parsecs"),
        ("period = \"2ms\"", "period = \"-2ms\"", "-0.002"),
        ("period = \"2ms\"", "period = true", "1ms, 2.5us"),
        ("samples = \"4k\"", "samples = \"0\"", "0 samples"),
        ("samples = \"4k\"", "samples = 1.5", "whole number"),
        ("low = \"-1V\"", "low = \"9V\"", "9 to 3.5"),
        ("high = 3.5", "high = \"3.5Hz\"", "Hz"),
        ("trigger = \"A\"", "trigger = { L3 = 2 }", "L3=1,L5=0"),
        ("type = \"falling\"", "type = \"down\"", "\"down\""),
        ("position = \"50%\"", "position = \"150%\"", "1.5"),
        ("timeout = \"none\"", "timeout = \"never\"", "never"),
        ("clock = \"1MHz 25%\"", "clock = \"1MV 25%\"", "1MV"),
        ("clock = \"1MHz 25%\"", "clock = \"100MHz\"", ""),
        ("every = \"15min\"", "every = \"15minutes\"", "15minutes"),
        ("every = \"15min\"", "at = [\"25:00\"]", "25:00"),
        ("count = 1000", "count = -1", "-1"),
        ("what = \"outside\"", "what = \"inside\"", "inside"),
        ("low = \"100mV\"", "low = \"100mHz\"", "100mHz"),
        ("measure = \"duty\"", "measure = \"dutty\"", "dutty"),
        ("name = \"bench\"", "name = \"a/b\"", "a/b"),
        ("format = \"json\"", "format = \"xlsx\"", "xlsx"),
        ("format = \"json\"", "format = 7", "7"),
        ("new-at = \"10MB\"", "new-at = \"10Mb\"", "10Mb"),
        ("keep-for = \"30d\"", "keep-for = \"-1d\"", "-1d"),
        ("keep-free = ", "keep_free = ", "keep_free"),
        ("prometheus = \"127.0.0.1:9180\"", "prometheus = \"0.0.0.0:9180\"", "outside"),
        ("prometheus = \"127.0.0.1:9180\"", "prometheus = 9180", "9180"),
    ] {
        assert_eq!(WHOLE.matches(right).count(), 1, "{right}");
        let line = WHOLE.lines().position(|line| line.contains(right)).unwrap() + 1;
        let refused = Job::parse(&WHOLE.replace(right, wrong)).unwrap_err();
        assert_eq!(refused.line, Some(line), "{wrong}: {refused}");
        assert!(refused.to_string().contains(reported), "{wrong}: {refused}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    for (job, line, reported) in [
        ("url = 'sim:'", None, "files"),
        ("files.directory = 'd'\nkeep.what = 'outside'", Some(2), "bands"),
        ("files.directory = 'd'\nkeep.parts = 3", Some(2), "envelope"),
        ("files.directory = 'd'\nfiles.format = 'npz'\nkeep.what = 'summary'", Some(2), "csv or json"),
        ("files.directory = 'd'\nfiles.format = 'sr'\nfiles.new-at = '1MB'", Some(3), "each trace is a file"),
        ("files.directory = 'd'\n[when]\nevery = '1s'\nat = ['06:00']", Some(4), "exclude"),
        ("files.directory = 'd'\n[generate]\nwave = 'sine 1kHz'\nclock = '1kHz'", Some(4), "share"),
        ("files.directory = 'd'\n[generate]\nwave = 'sine'", Some(3), "frequency"),
        ("files.directory = 'd'\n[when]\nevery = '5M'", Some(3), "5min (minutes) or 5Ms"),
        ("files.directory = 'd'\n[when]\nfor = '5m'", Some(3), "5min (minutes) or 5ms"),
        ("files.directory = 'd'\n[capture]\ntimeout = '5m'", Some(3), "5min (minutes) or 5ms"),
        ("files.directory = 'd'\n[capture]\nchannels = ['L']\nlevel = '1V'", Some(4), "L0=1"),
        ("attenuation = 0\nfiles.directory = 'd'", Some(1), "A=10,B=1"),
        ("attenuation = 'C=1'\nfiles.directory = 'd'", Some(1), "A=10,B=1"),
        (
            "files.directory = 'd'\n[keep]\nwhat = 'outside'\nbands = [{channel = 'B', measure = 'mean'}]",
            Some(4),
            "B has a band",
        ),
        ("files.directory = 'd'\n[when]\ncount = 0", Some(3), "at least 1"),
        ("files.directory = 'd'\n[capture]\nposition = 0.5\ndelay = '1ms'", Some(4), "exclude each other"),
        ("generate = 'sine 1kHz'\nfiles.directory = 'd'", Some(1), "wave = \"sine 1kHz 0..3V\""),
        ("files.directory = 'd", Some(1), ""),
    ] {
        let refused = Job::parse(job).unwrap_err();
        assert!(refused.to_string().contains(reported), "{job}: {refused}");
        if line.is_some() {
            assert_eq!(refused.line, line, "{job}: {refused}");
        }
    }
}

#[test]
fn attenuation_makes_the_range_that_of_the_tips() {
    for (attenuation, ranges) in
        [("10", [(0.0, 50.0), (0.0, 50.0)]), ("'A=10,B=1'", [(0.0, 50.0), (0.0, 5.0)])]
    {
        let job = format!(
            "attenuation = {attenuation}\nfiles.directory = 'd'\n[capture]\nchannels = ['A', 'B']\nlow = '0V'\nhigh = '50V'"
        );
        let plan = Job::parse(&job).unwrap().plan().unwrap();
        assert_eq!(plan.notices.len(), 0, "{:?}", plan.notices);
        for (channel, (low, high)) in AnalogChannel::ALL.into_iter().zip(ranges) {
            let (bottom, top) = plan.range.of_channel(channel).unwrap();
            assert!((bottom - low).abs() < 1e-9 && (top - high).abs() < 1e-9, "{channel} {bottom} {top}");
        }
    }
}

#[test]
fn stream_has_keys_of_its_own() {
    let job = "files.directory = 'x'\n[capture]\nwhat = 'stream'\nchannels = ['A', 'L3']\nrate = '100Hz'\n\
               low = '0V'\nhigh = 3.3\neach = '1min'";
    let job = Job::parse(job).unwrap();
    let stream = job.stream.as_ref().unwrap();
    assert_eq!((stream.request.rate_hz, stream.each_s), (100.0, 60.0));
    assert_eq!((stream.request.low, stream.request.high), (Some(0.0), Some(3.3)));
    assert_eq!(stream.request.channels, "A,L3".parse().unwrap());
    let plan = stream.plan(&job.nominal_probe(), scopething_core::plan::BusyOutputs::NOTHING).unwrap();
    assert_eq!(stream.samples_of_trace(&plan), 6000);
    for (words, line, part) in [
        ("what = 'streams'", 3, "stream"),
        ("what = 'stream'\nperiod = '1s'", 4, "period"),
        ("what = 'stream'\nrate = '1MHz'", 4, "1 MHz"),
        ("what = 'stream'\nrate = '100kHz'\neach = '1h'", 5, "360000000 samples"),
        ("what = 'stream'\nchannels = ['C']", 4, "\"C\""),
        ("what = 'stream'\n[when]\nevery = '1s'", 5, "all the time"),
        ("rate = '1kHz'", 3, "rate"),
    ] {
        let refused = Job::parse(&format!("files.directory = 'x'\n[capture]\n{words}")).unwrap_err();
        assert_eq!(refused.line, Some(line), "{words}: {refused}");
        assert!(refused.reason.contains(part), "{words}: {refused}");
    }
    let refused = Job::parse("verify = true\nfiles.directory = 'x'\ncapture.what = 'stream'").unwrap_err();
    assert_eq!(refused.line, Some(1), "{refused}");
}
