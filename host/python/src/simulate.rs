//! Simulated scopes whose signals are texts, arrays or functions.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use scopething::blocking;
use scopething::link::{Link, LinkClock, OpenLink, TokioTimer};
use scopething_core::scope::Pacing;
use scopething_files::playback;
use scopething_serve::simulator::{ServeOptions, Server};
use scopething_sim::{Function, Playback, Signal, SimConfig, SimLink, SimTime, TICK_NS};
use tokio::sync::watch;

use crate::connection::Connection;
use crate::failure::{Failure, Kind, Raise as _};
use crate::gate::{self, Process, lock};

/// Moments for which a function is asked at once.
const BLOCK: usize = 512;
/// Moments further apart do not follow on one another.
const MAX_STEP_NS: u64 = 10_000_000;

/// What an input sees.
#[derive(FromPyObject)]
pub(crate) enum Given<'py> {
    Text(String),
    /// A name, seconds from one sample to the next, volts, and whether they are held.
    Samples(String, f64, PyReadonlyArray1<'py, f32>, bool),
    /// A name, and what gives volts at an array of times.
    Function(String, Py<PyAny>),
}

/// Voltages of a function that were asked for ahead: moments follow on one another at a regular distance.
struct Ahead {
    first_ns: u64,
    step_ns: u64,
    volts: Vec<f64>,
    last_ns: u64,
}

impl Ahead {
    fn at(&self, at_ns: u64) -> Option<f64> {
        let since = at_ns.checked_sub(self.first_ns)?;
        if since % self.step_ns != 0 {
            return None;
        }
        self.volts.get(usize::try_from(since / self.step_ns).ok()?).copied()
    }
}

/// A signal that a function of Python computes. What it raises is kept for the next operation.
fn function(name: &str, function: Py<PyAny>, raised: Arc<Mutex<Option<PyErr>>>) -> Signal {
    let ahead = Mutex::new(Ahead { first_ns: 0, step_ns: 1, volts: Vec::new(), last_ns: 0 });
    let volts = move |at: SimTime| {
        let mut ahead = lock(&ahead);
        if let Some(volts) = ahead.at(at.0) {
            ahead.last_ns = at.0;
            return volts;
        }
        let step_ns = match at.0.checked_sub(ahead.last_ns) {
            Some(step_ns) if (1..=MAX_STEP_NS).contains(&step_ns) => step_ns,
            _ => TICK_NS,
        };
        let times = (0..BLOCK as u64).map(|index| (at.0 + index * step_ns) as f64 * 1e-9).collect();
        let called = Python::attach(|py| {
            let volts = function.call1(py, (PyArray1::<f64>::from_vec(py, times),))?;
            let volts = volts.extract::<PyReadonlyArray1<'_, f64>>(py)?;
            Ok::<_, PyErr>(volts.as_array().to_vec())
        });
        match called {
            Ok(volts) => *ahead = Ahead { first_ns: at.0, step_ns, volts, last_ns: at.0 },
            Err(error) => {
                lock(&raised).get_or_insert(error);
                // The input is at rest until the error is seen to.
                *ahead = Ahead { first_ns: at.0, step_ns, volts: vec![0.0; BLOCK], last_ns: at.0 };
            }
        }
        ahead.volts.first().copied().unwrap_or_default()
    };
    Signal::Function(Function::new(name, volts))
}

fn config(
    py: Python<'_>,
    settings: Vec<(String, Given<'_>)>,
    raised: &Arc<Mutex<Option<PyErr>>>,
) -> PyResult<SimConfig> {
    let mut config = SimConfig::default();
    for (key, given) in settings {
        let signal = match given {
            Given::Text(text) => {
                let set = config.set(&key, &text, playback::read);
                set.map_err(|error| Failure::of(Kind::Usage, &error).raise(py))?;
                continue;
            }
            Given::Samples(name, period_s, volts, steps) => {
                let playback = Playback::new(&name, period_s, volts.as_array().to_vec(), steps);
                Signal::Playback(playback.map_err(|error| Failure::of(Kind::Usage, &error).raise(py))?)
            }
            Given::Function(name, callable) => function(&name, callable, Arc::clone(raised)),
        };
        // An input by any text, which the signal then replaces: the configuration knows the names of inputs.
        let set = config.set(&key, "dc 0V", playback::read);
        set.map_err(|error| Failure::of(Kind::Usage, &error).raise(py))?;
        let input = match key.as_str() {
            "A" => config.analog.first_mut(),
            "B" => config.analog.last_mut(),
            line => line
                .get(1..)
                .and_then(|line| line.parse().ok())
                .and_then(|line: usize| config.logic.get_mut(line)),
        };
        if let Some(input) = input {
            *input = Some(signal);
        }
    }
    Ok(config)
}

/// Connects to a simulated scope in this process.
#[pyfunction]
pub(crate) fn simulate(py: Python<'_>, settings: Vec<(String, Given<'_>)>) -> PyResult<Connection> {
    let raised = Arc::new(Mutex::new(None));
    let config = config(py, settings, &raised)?;
    gate::outside(py, || {
        let query = config.to_string();
        Connection::of_simulator(query, raised, move || {
            let link = SimLink::by_config(&config, TokioTimer::start);
            let (clock, profile) = (LinkClock::Sim(link.clock()), link.profile());
            OpenLink { stream: Link::Sim(link), clock, profile, pacing: Pacing::Whole }
        })
    })
}

/// A simulated scope that other programs can connect to.
#[pyclass(frozen, module = "scopething._core")]
pub(crate) struct Served {
    #[pyo3(get)]
    host: String,
    #[pyo3(get)]
    port: u16,
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
    process: Process,
    raised: Arc<Mutex<Option<PyErr>>>,
}

/// Serves a simulated scope over TCP.
#[pyfunction]
pub(crate) fn serve(py: Python<'_>, settings: Vec<(String, Given<'_>)>, address: String) -> PyResult<Served> {
    let raised = Arc::new(Mutex::new(None));
    let config = config(py, settings, &raised)?;
    gate::outside(py, || {
        let stop = watch::Sender::new(false);
        let mut stopped = stop.subscribe();
        let (bound, address_bound) = sync_channel(1);
        let runtime = blocking::runtime()?;
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                let options = ServeOptions { tcp: Some(address), ..ServeOptions::default() };
                let server = match Server::bind(&config, &options).await {
                    Ok(server) => server,
                    Err(error) => {
                        let _ = bound.send(Err(Failure::of(Kind::Usage, &error)));
                        return;
                    }
                };
                let _ = bound.send(Ok(server.addresses().tcp));
                tokio::select! {
                    _ = server.run(|_| {}) => {}
                    _ = stopped.wait_for(|&stopped| stopped) => {}
                }
            });
        });
        let at = address_bound.recv().unwrap_or_else(|_| Err(Failure::closed()))?;
        let at = at.ok_or_else(Failure::closed)?;
        let thread = Mutex::new(Some(thread));
        let process = Process::current();
        Ok(Served { host: at.ip().to_string(), port: at.port(), stop, thread, process, raised })
    })
}

#[pymethods]
impl Served {
    /// Ends it. Raises what a function that is a signal has raised.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.process.is_left() {
            return Ok(());
        }
        self.stop.send_replace(true);
        let thread = lock(&self.thread).take();
        gate::outside_to_the_last(py, || {
            if let Some(thread) = thread {
                let _ = thread.join();
            }
            Ok(())
        })?;
        let raised = lock(&self.raised).take();
        raised.map_or(Ok(()), Err)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
