//! Tests that run the program as its users do: one test program, which links once, with a module for each subject.

mod analyse;
mod bad_devices;
mod bridge;
#[path = "../../../scope/tests/bridge_support/mod.rs"]
mod bridge_support;
mod calibrate;
mod capture;
#[cfg(unix)]
mod decode;
mod decoders;
mod documents;
mod exit_codes;
mod faults;
mod files;
mod generators;
#[cfg(unix)]
mod interrupt;
mod known_signals;
#[cfg(unix)]
mod live_terminal;
#[cfg(unix)]
mod manners;
mod plan;
mod real_capture;
#[cfg(unix)]
mod record_kills;
#[cfg(unix)]
mod record_program;
mod selftest;
mod serve_raw;
mod serve_robust;
mod serve_scpi;
mod serve_sigrok;
mod serve_support;
mod serve_twinlan;
mod serve_unplugged;
mod serve_web_examples;
mod shell;
mod sim_independent_client;
mod simulate;
mod stream;
mod support;
#[cfg(target_os = "linux")]
mod system;
mod traces;
mod trigger_wait;
mod udp_independent_server;
