//! The part of the bridge that has the computer: it passes bytes through, and answers messages.
//!
//! The uplink is any `embedded-io-async` stream: the UART of the board, a TCP stream in tests. Everything
//! that the messages ask for is done by [`Bridge`] and the store.

mod answer;
pub mod direct;
pub mod dtr_port;

use answer::Answers;
pub use answer::{About, Board};
use embassy_futures::select::{Either3, select3};
use embedded_io_async::{Read, Write};
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use scopething_core::link::bridge::frame::{self, FrameError, MAX_REQUEST, MAX_RESPONSE};
use scopething_core::link::bridge::{Deframer, Refusal, Request, Response};
use scopething_core::time::{Clock, Instant, Micros};

use crate::control::{Bridge, Mode, Taker, Want, until};

/// A frame that stops for so long within is given up while bytes pass through: it was none.
const FRAME_GAP: Micros = Micros::from_millis(50);
/// A computer that is silent for so long has gone: bytes pass through again for whoever comes next.
const MESSAGES_GAP: Micros = Micros::from_millis(60_000);
/// After an error of the line no byte counts as an opening for so long: noise comes in bursts.
const LINE_GAP: Micros = Micros::from_millis(100);
/// How the BitScope's clients begin: with a reset, or by asking who is there.
const OPENINGS: [u8; 2] = [b'!', b'?'];
/// The answer to a request to restart has left after so long.
const LAST_ANSWER: Micros = Micros::from_millis(20);

/// Bytes that are read at once.
const CHUNK: usize = 64;

/// The uplink and what it has received so far.
pub struct Uplink<'a, F, C, B> {
    bridge: &'a Bridge<F>,
    clock: C,
    answers: Answers<'a, F, B>,
    deframer: Deframer<MAX_REQUEST>,
    heard_at: Instant,
    /// Until when no byte counts as an opening.
    noisy_until: Instant,
    response: [u8; MAX_RESPONSE],
}

impl<'a, F: MultiwriteNorFlash, C: Clock, B: Board> Uplink<'a, F, C, B> {
    /// An uplink that has received nothing yet.
    pub fn new(bridge: &'a Bridge<F>, clock: C, board: B, about: About<'a>) -> Self {
        Self {
            bridge,
            clock,
            answers: Answers::new(bridge, board, about),
            deframer: Deframer::new(),
            heard_at: Instant(0),
            noisy_until: Instant(0),
            response: [0; MAX_RESPONSE],
        }
    }

    /// Reports that the line has failed for a moment: an armed job does not give way to what noise looks like.
    pub fn line_failed(&mut self) {
        self.noisy_until = self.clock.now() + LINE_GAP;
    }

    /// Serves the stream until it ends or fails. What fails for a moment, as a UART does on noise, may be
    /// served again at once: a frame that was damaged by it is sent again by the computer.
    ///
    /// # Errors
    /// The errors of the stream.
    ///
    /// # Cancellation
    /// Dropping the future may drop bytes, and must not happen while flash is written: see
    /// [`Store`](crate::store::Store).
    pub async fn serve<R: Read, W: Write<Error = R::Error>>(
        &mut self,
        mut receiver: R,
        mut sender: W,
    ) -> Result<(), R::Error> {
        let mut received = [0; CHUNK];
        let mut passed = [0; CHUNK];
        loop {
            let passing = self.bridge.mode() == Mode::PassThrough;
            let due = self.silence_over();
            let down = async {
                if !passing {
                    core::future::pending::<()>().await;
                }
                self.bridge.down(Taker::Uplink).read(&mut passed).await
            };
            match select3(receiver.read(&mut received), down, until(&self.clock, due)).await {
                Either3::First(count) => {
                    let count = count?;
                    if count == 0 {
                        return Ok(());
                    }
                    self.heard_at = self.clock.now();
                    self.take(received.get(..count).unwrap_or_default(), &mut sender).await?;
                }
                Either3::Second(count) => {
                    sender.write_all(passed.get(..count).unwrap_or_default()).await?;
                    sender.flush().await?;
                }
                Either3::Third(()) => self.silent(),
            }
        }
    }

    /// When silence means something.
    fn silence_over(&self) -> Option<Instant> {
        match self.bridge.mode() {
            Mode::Messages => Some(self.heard_at + MESSAGES_GAP),
            Mode::PassThrough => self.deframer.is_open().then(|| self.heard_at + FRAME_GAP),
        }
    }

    fn silent(&mut self) {
        self.deframer.reset();
        if self.bridge.mode() == Mode::Messages {
            self.bridge.set_mode(Mode::PassThrough, false, self.clock.now());
        }
    }

    /// Takes what was received, however it was cut.
    async fn take<W: Write>(&mut self, mut bytes: &[u8], sender: &mut W) -> Result<(), W::Error> {
        while let Some((&byte, rest)) = bytes.split_first() {
            if self.bridge.mode() == Mode::PassThrough && !self.deframer.is_open() {
                let length = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
                if length > 0 {
                    let (passed, behind) = bytes.split_at(length);
                    self.bridge.pass_up(self.wanted(passed), &self.clock).await;
                    bytes = behind;
                    continue;
                }
            }
            bytes = rest;
            if let Some(decoded) = self.deframer.push(byte).map(frame::decode) {
                self.frame(&decoded, sender).await?;
            }
        }
        Ok(())
    }

    /// What of these bytes is for the BitScope: nothing while somebody has it by its own port; while it is busy with the
    /// bridge's own work, only what follows an opening of a client.
    fn wanted<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        if self.bridge.taker() == Taker::Direct {
            return &[];
        }
        let now = self.clock.now();
        if self.bridge.want(now) == Want::PassThrough {
            return bytes;
        }
        let opening = bytes.iter().position(|byte| OPENINGS.contains(byte));
        opening.filter(|_| now >= self.noisy_until).and_then(|at| bytes.get(at..)).unwrap_or_default()
    }

    /// Answers a frame.
    async fn frame<W: Write>(
        &mut self,
        decoded: &Result<(u32, Request), FrameError>,
        sender: &mut W,
    ) -> Result<(), W::Error> {
        let now = self.clock.now();
        let passing = self.bridge.mode() == Mode::PassThrough;
        let (number, response) = match decoded {
            // It may be no frame at all.
            Err(FrameError::Corrupt | FrameError::TooLong) if passing => return Ok(()),
            Err(FrameError::Corrupt | FrameError::TooLong) => (0, Response::Damaged),
            Err(FrameError::Version { .. } | FrameError::Unknown) => (0, Response::Refused(Refusal::Unknown)),
            Ok((number, request)) => {
                if passing {
                    self.bridge.set_mode(Mode::Messages, false, now);
                }
                (*number, self.answers.answer(*number, request, now).await)
            }
        };
        // The longest answers are tested to fit.
        let answer = frame::encode(&mut self.response, number, &response).unwrap_or_default();
        sender.write_all(answer).await?;
        sender.flush().await?;
        match decoded {
            Ok((_, Request::PassThrough { hold })) if matches!(response, Response::Done) => {
                self.deframer.reset();
                self.bridge.set_mode(Mode::PassThrough, *hold, self.clock.now());
            }
            Ok((_, Request::Update)) => {
                self.clock.until(self.clock.now() + LAST_ANSWER).await;
                self.answers.board().update();
            }
            _ => {}
        }
        Ok(())
    }
}
