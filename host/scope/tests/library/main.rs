//! Tests of the library over each kind of link: one program, which links once, with a module for each subject.

mod analysis_loop;
mod bridge_job;
#[path = "../bridge_support/mod.rs"]
mod bridge_support;
mod bridge_uplink;
mod link_efficiency;
#[cfg(unix)]
mod link_serial;
mod link_tcp;
mod link_udp;
#[path = "../../benches/limits/metered.rs"]
mod metered;
mod round_trips;
