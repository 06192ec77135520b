//! An open device. A thread of its own has the driver, so that a trace can be waited for, polled and ended from any thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use host::blocking::{self, probe_of_user};
use host::failure::{Failure, Kind};
use host::link::{HostScope, LinkUrl};
use scopething_core::scope::CaptureOptions;
use scopething_core::trace::{EndReason, TraceBuffer};
use scopething_sim::no_files;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::request::TraceRequest;
use crate::samples::Samples;
use crate::stream::StreamRun;

/// What an open device is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) revision: String,
    /// Its serial number, as with the vendor's library; empty if that cannot be read.
    pub(crate) id: String,
}

/// Where a trace is.
#[derive(Debug, Clone, Default)]
pub(crate) enum State {
    /// None was taken, or what it has captured was given up.
    #[default]
    Idle,
    /// As after a trace, without samples.
    Open,
    /// It runs.
    Active,
    /// It has ended, with these samples.
    Done(Arc<Samples>),
    /// It has failed.
    Failed(Failure),
}

/// What the threads share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Ends what the thread does.
    stop: watch::Sender<bool>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half done where a lock is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the thread is asked to do.
#[derive(Debug)]
pub(crate) enum Job {
    Capture(Box<TraceRequest>),
    Stream(StreamRun),
}

/// An open device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) identity: Identity,
    pub(crate) shared: Arc<Shared>,
    /// The stream that runs, or ran last.
    stream: Option<StreamRun>,
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    /// Opens a link and identifies the device.
    pub(crate) fn open(url: LinkUrl) -> Result<Self, Failure> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::Open),
            changed: Condvar::new(),
            stop: watch::Sender::new(false),
        });
        let (jobs, asked) = mpsc::channel();
        let (report, opened) = mpsc::channel();
        let theirs = Arc::clone(&shared);
        let serve = move || match Worker::open(&url, theirs) {
            Ok((worker, identity)) => {
                if report.send(Ok(identity)).is_ok() {
                    worker.serve(&asked);
                }
            }
            Err(failure) => drop(report.send(Err(failure))),
        };
        let thread = thread::Builder::new().name("bitlib-device".to_owned()).spawn(serve);
        let thread = thread.map_err(|error| Failure::of(Kind::LinkLost, &error))?;
        let identity = opened.recv().unwrap_or_else(|_| Err(ended()))?;
        Ok(Self { identity, shared, stream: None, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Starts a capture. The one before has to have ended.
    pub(crate) fn start(&mut self, request: TraceRequest) -> Result<(), Failure> {
        self.end_stream();
        self.shared.begin();
        self.ask(Job::Capture(Box::new(request)))
    }

    /// Takes the next samples of a stream, which is started if it does not run as it is wanted.
    pub(crate) fn stream(&mut self, wanted: StreamRun) -> Result<(), Failure> {
        match &self.stream {
            Some(running) if running.goes_on_as(&wanted) => {
                self.shared.activate();
                running.want(wanted.shown());
                // It may have ended meanwhile: then nobody will take what is wanted.
                if !running.is_over() {
                    return Ok(());
                }
            }
            _ => {}
        }
        self.end_stream();
        self.shared.begin();
        self.ask(Job::Stream(wanted.clone()))?;
        self.stream = Some(wanted);
        Ok(())
    }

    fn ask(&self, job: Job) -> Result<(), Failure> {
        let sent = self.jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok());
        if sent {
            return Ok(());
        }
        self.shared.set(State::Failed(ended()));
        Err(ended())
    }

    fn end_stream(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.shared.stop();
            stream.wait_until_over();
        }
    }

    /// Ends what runs, and gives up what was captured.
    pub(crate) fn halt(&mut self) {
        self.shared.stop();
        self.end_stream();
        self.shared.wait();
        self.shared.set(State::Idle);
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.halt();
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

fn ended() -> Failure {
    Failure::new(Kind::LinkLost, "the device's thread has ended: close the library and open it again")
}

impl Shared {
    /// Where the trace is.
    pub(crate) fn state(&self) -> State {
        lock(&self.state).clone()
    }

    pub(crate) fn is_active(&self) -> bool {
        matches!(*lock(&self.state), State::Active)
    }

    pub(crate) fn set(&self, state: State) {
        *lock(&self.state) = state;
        self.changed.notify_all();
    }

    /// What the thread did is over. A stream that was ended between two traces leaves the last one as it is.
    fn end(&self, ended: State, stream: Option<&StreamRun>) {
        let mut state = lock(&self.state);
        if matches!(*state, State::Active) {
            *state = ended;
        }
        // With the state held: whoever wants the next trace of the stream finds it either running or over.
        if let Some(stream) = stream {
            stream.end();
        }
        drop(state);
        self.changed.notify_all();
    }

    /// A trace begins, whatever was before.
    fn begin(&self) {
        self.stop.send_replace(false);
        self.activate();
    }

    fn activate(&self) {
        self.set(State::Active);
    }

    /// Waits for the end of the trace that runs, and reports how it ended.
    pub(crate) fn wait(&self) -> State {
        let mut state = lock(&self.state);
        while matches!(*state, State::Active) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.clone()
    }

    /// Ends the trace that runs.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Completes when what runs is to end.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stop = self.stop.subscribe();
        async move {
            if stop.wait_for(|&stop| stop).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// What the device's thread has.
struct Worker {
    runtime: Runtime,
    scope: HostScope,
    shared: Arc<Shared>,
}

impl Worker {
    fn open(url: &LinkUrl, shared: Arc<Shared>) -> Result<(Self, Identity), Failure> {
        let runtime = blocking::runtime()?;
        let (url, mut scope) = runtime.block_on(blocking::connect(url, no_files))?;
        let identity = runtime.block_on(identify(&mut scope));
        scope.set_probe(probe_of_user(&url, "x1")?);
        Ok((Self { runtime, scope, shared }, identity))
    }

    fn serve(mut self, jobs: &mpsc::Receiver<Job>) {
        for job in jobs {
            let stream = if let Job::Stream(stream) = &job { Some(stream.clone()) } else { None };
            let done = catch_unwind(AssertUnwindSafe(|| self.run(job)));
            let state = done
                .unwrap_or_else(|_| State::Failed(Failure::new(Kind::BadAnswer, "a fault of this library")));
            self.shared.end(state, stream.as_ref());
        }
    }

    fn run(&mut self, job: Job) -> State {
        let result = match job {
            Job::Capture(request) => self.capture(&request),
            Job::Stream(stream) => {
                let Self { runtime, scope, shared } = self;
                runtime.block_on(stream.run(scope, shared)).map(|()| State::Idle)
            }
        };
        result.unwrap_or_else(State::Failed)
    }

    fn capture(&mut self, request: &TraceRequest) -> Result<State, Failure> {
        let TraceRequest { capture, timebase, pre_trigger, shown } = request;
        let plan = self.scope.plan_at(capture, *timebase, *pre_trigger)?;
        let mut buffer = Box::new(TraceBuffer::new());
        let options = CaptureOptions::new().cancelled_by(self.shared.stopped());
        let trace = self.runtime.block_on(self.scope.capture_with(&plan, &mut buffer, options))?;
        Ok(match trace.end_reason() {
            // Whoever waits for it is not shown what was there when it was halted.
            EndReason::Cancel => State::Idle,
            _ => State::Done(Arc::new(Samples::of_trace(&trace, shown))),
        })
    }
}

async fn identify(scope: &mut HostScope) -> Identity {
    // A device without one works as well as others.
    let serial = scope.read_serial().await.ok().and_then(Result::ok);
    let id = serial.map(|serial| serial.to_string()).unwrap_or_default();
    Identity { revision: scope.revision().to_string(), id }
}
