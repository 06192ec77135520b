//! Fault texts, in the simulator and around a stream: what is understood is printed and read back the same; a verified
//! capture over a link with these faults gives a trace or a typed error in bounded time, and with a single fault the
//! samples that were put in. (Two can hide each other: a byte lost on the way there, and the echo before it doubled.)
//!
//! The first character chooses the seed.

#![no_main]

use embassy_futures::block_on;
use embedded_io_async::{Read, Write};
use libfuzzer_sys::fuzz_target;
use scopething::link::LinkUrl;
use scopething_core::plan::{AnalogChannel, CaptureRequest, ChannelSet};
use scopething_core::scope::{CaptureOptions, LinkProfile, Scope};
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::TraceBuffer;
use scopething_sim::faults::{FaultPlan, FaultyStream, StreamFaults, When};
use scopething_sim::{SimConfig, SimLink};

/// What the link of these runs is taken for: far quicker than it is, so that few runs wait for long.
const PROFILE: LinkProfile = LinkProfile { round_trip: Micros::from_millis(20), ..LinkProfile::SERIAL };
/// More than all time-outs of connecting and a capture with its recoveries add up to.
const LIMIT: Instant = Instant(60_000_000);

fuzz_target!(|text: &str| {
    let seed = u64::from(text.bytes().next().unwrap_or(0));
    let text = text.get(1..).unwrap_or("");
    let plan = match text.parse::<FaultPlan>() {
        Ok(plan) => plan,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(plan.to_string().parse().as_ref(), Ok(&plan), "{text:?}");
    let single = matches!(plan.faults[..], [fault] if matches!(fault.when, When::Number(_)));
    let mut config = SimConfig::from_query("clock=fast&A=dc,1V").expect("a configuration");
    let sound = SimLink::new(&config);
    let clock = sound.clock();
    match StreamFaults::new(plan.clone(), seed) {
        Ok(faults) => {
            if !faults.is_empty() {
                let url: LinkUrl = format!("socket://host:1?{faults}").parse().expect("it was printed");
                assert_eq!(
                    url,
                    LinkUrl::Faulty { link: Box::new(url.sound().clone()), faults: faults.clone() }
                );
            }
            capture(FaultyStream::new(sound, clock.clone(), &faults), clock, single);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    config.faults = plan;
    config.seed = seed;
    let faulty = SimLink::new(&config);
    let clock = faulty.clock();
    capture(faulty, clock, single);
});

fn capture<S: Read + Write>(stream: S, clock: impl Clock + Clone, single: bool) {
    block_on(async {
        let mut scope = Scope::new(stream, clock.clone(), PROFILE);
        let request = CaptureRequest {
            samples: 40,
            period_s: 100e-6,
            timeout_s: Some(0.0),
            ..CaptureRequest::new("A".parse::<ChannelSet>().expect("a channel"))
        };
        let plan = scope.plan(&request).expect("it can be planned");
        let mut buffer = TraceBuffer::new();
        if scope.open().await.is_err() {
            return;
        }
        let captured = scope.capture_with(&plan, &mut buffer, CaptureOptions::new().verified()).await;
        let Ok(trace) = captured else { return };
        let view = trace.analog(AnalogChannel::A).expect("it was captured");
        assert!(!single || trace.samples() == plan.timebase.samples);
        for volts in view.values() {
            assert!(!single || (f64::from(volts) - 1.0).abs() <= view.resolution(), "{volts} V");
        }
    });
    assert!(clock.now() <= LIMIT, "it took {:?}", clock.now());
}
