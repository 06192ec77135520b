//! Time as programs take it: tokio's on a computer, the browser's in a page.
//!
//! On a computer this needs a tokio runtime with time enabled; in one whose time is paused, so is this.

use std::time::Duration;

#[cfg(target_family = "wasm")]
pub use browser::{Elapsed, Instant, sleep, sleep_until, timeout, timeout_at};
#[cfg(not(target_family = "wasm"))]
pub use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

#[cfg(not(target_family = "wasm"))]
use std::time::{SystemTime, UNIX_EPOCH};
#[cfg(target_family = "wasm")]
use web_time::{SystemTime, UNIX_EPOCH};

/// The time since the start of 1970, by the clock of the computer; zero before.
#[must_use]
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What tokio's functions of the same names do, with a browser's timers: they run late by some milliseconds, and by a second
/// while their page is hidden.
#[cfg(target_family = "wasm")]
mod browser {
    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::future::pending;
    use std::pin::Pin;
    use std::rc::Rc;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use wasm_bindgen::prelude::*;
    pub use web_time::Instant;

    #[wasm_bindgen]
    extern "C" {
        #[wasm_bindgen(js_name = setTimeout)]
        fn set_timeout(callback: &Closure<dyn FnMut()>, ms: u32) -> f64;

        #[wasm_bindgen(js_name = clearTimeout)]
        fn clear_timeout(id: f64);
    }

    /// One of the browser's timers; dropped, it is given up and wakes nobody.
    struct Timeout {
        id: f64,
        state: Rc<RefCell<State>>,
        _callback: Closure<dyn FnMut()>,
    }

    #[derive(Default)]
    struct State {
        is_over: bool,
        waker: Option<Waker>,
    }

    impl State {
        fn end(&mut self) {
            self.is_over = true;
            if let Some(waker) = self.waker.take() {
                waker.wake();
            }
        }

        fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
            if self.is_over {
                return Poll::Ready(());
            }
            self.waker = Some(context.waker().clone());
            Poll::Pending
        }
    }

    impl Timeout {
        fn new(ms: u32) -> Self {
            let state = Rc::new(RefCell::new(State::default()));
            let callback = Closure::once({
                let state = Rc::clone(&state);
                move || state.borrow_mut().end()
            });
            Self { id: set_timeout(&callback, ms), state, _callback: callback }
        }
    }

    impl Future for Timeout {
        type Output = ();

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            self.state.borrow_mut().poll(context)
        }
    }

    impl Drop for Timeout {
        fn drop(&mut self) {
            clear_timeout(self.id);
        }
    }

    /// Lets the browser do all else that is due. Its timers wait for 4 ms, however short they are set, once a few follow one
    /// another; a message to oneself does not.
    struct Turn(Rc<RefCell<State>>);

    /// Messages to oneself, and who waits for them, in their order.
    struct Turns {
        port: MessagePort,
        waiting: Rc<RefCell<VecDeque<Rc<RefCell<State>>>>>,
        _receive: Closure<dyn FnMut()>,
    }

    #[wasm_bindgen]
    extern "C" {
        type MessageChannel;

        #[wasm_bindgen(constructor)]
        fn new() -> MessageChannel;

        #[wasm_bindgen(method, getter)]
        fn port1(this: &MessageChannel) -> MessagePort;

        #[wasm_bindgen(method, getter)]
        fn port2(this: &MessageChannel) -> MessagePort;

        type MessagePort;

        #[wasm_bindgen(method, setter)]
        fn set_onmessage(this: &MessagePort, receive: &Closure<dyn FnMut()>);

        #[wasm_bindgen(method, js_name = postMessage)]
        fn post_message(this: &MessagePort, message: u32);
    }

    impl Turns {
        fn new() -> Self {
            let channel = MessageChannel::new();
            let waiting = Rc::new(RefCell::new(VecDeque::<Rc<RefCell<State>>>::new()));
            let receive = Closure::new({
                let waiting = Rc::clone(&waiting);
                move || {
                    let next = waiting.borrow_mut().pop_front();
                    if let Some(state) = next {
                        state.borrow_mut().end();
                    }
                }
            });
            channel.port1().set_onmessage(&receive);
            Self { port: channel.port2(), waiting, _receive: receive }
        }
    }

    thread_local! {
        static TURNS: Turns = Turns::new();
    }

    impl Turn {
        fn new() -> Self {
            let state = Rc::new(RefCell::new(State::default()));
            TURNS.with(|turns| {
                turns.waiting.borrow_mut().push_back(Rc::clone(&state));
                turns.port.post_message(0);
            });
            Self(state)
        }
    }

    impl Future for Turn {
        type Output = ();

        fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
            self.0.borrow_mut().poll(context)
        }
    }

    /// The longest that a browser's timer can be set to, in milliseconds.
    const MAX_TIMEOUT_MS: u32 = i32::MAX as u32;

    /// The time of a time-out has passed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Elapsed;

    /// Completes at a deadline, but not before the browser had a turn: who waits for what is due by now would otherwise keep
    /// all else from happening, which may be just that.
    pub async fn sleep_until(deadline: Instant) {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let ms = left.as_nanos().div_ceil(1_000_000);
            if ms == 0 {
                return Turn::new().await;
            }
            Timeout::new(u32::try_from(ms).unwrap_or(u32::MAX).min(MAX_TIMEOUT_MS)).await;
            if deadline <= Instant::now() {
                return;
            }
        }
    }

    /// Completes after so long.
    pub async fn sleep(span: Duration) {
        match Instant::now().checked_add(span) {
            Some(deadline) => sleep_until(deadline).await,
            // Further away than the clock can count.
            None => pending().await,
        }
    }

    /// What a future completes with, if it does so before a deadline.
    ///
    /// # Errors
    /// If it does not.
    pub async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = sleep_until(deadline) => Err(Elapsed),
        }
    }

    /// What a future completes with, if it does so within a time.
    ///
    /// # Errors
    /// If it does not.
    pub async fn timeout<F: Future>(span: Duration, future: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = sleep(span) => Err(Elapsed),
        }
    }
}
