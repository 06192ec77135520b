//! Tests of the simulated device through the driver and byte by byte: one program, which links once, with a module for each subject.

mod calibrate;
mod capture_shows_the_signal;
#[path = "../fault_runs/mod.rs"]
mod fault_runs;
mod faults;
mod generate;
#[path = "../off_nominal/mod.rs"]
mod off_nominal;
mod sim_device;
mod sim_faults;
mod sim_fuzz;
#[path = "../sim_host/mod.rs"]
mod sim_host;
mod sim_signals;
mod sim_stream;
mod sim_trace;
mod stream_stops;
