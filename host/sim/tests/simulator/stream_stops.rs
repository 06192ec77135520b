//! Streams whose host stands still now and then, as a stopped process does: each frame has the number that the signal shows.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use scopething_core::plan::{AnalogChannel, Channel, StreamPlan, StreamRequest};
use scopething_core::scope::{Scope, ScopeError, Stream, StreamFrame, StreamGap};
use scopething_sim::{SimClock, SimConfig, SimLink, Sleep, Timer};
use tokio::time::{Instant, advance, sleep};

const RATE_HZ: f64 = 10e3;
const PERIOD: Duration = Duration::from_micros(100);
/// The ramp rises by one step of the converter in some 22 frames, and so 256 frames more or less are eleven steps.
const RAMP_HZ: f64 = 2.0;
const SIGNAL: &str = "A=ramp,2Hz,-5..7V&clock=real";
const LOW_V: f64 = -5.0;
const SPAN_V: f64 = 12.0;

/// The time of tokio, which a test has paused: it passes when all wait, and when it is advanced.
#[derive(Debug)]
struct Paused(Instant);

impl Timer for Paused {
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, span: Duration) -> Sleep {
        Box::pin(sleep(span))
    }
}

/// What came of a stream: volts and number of each frame, and the gaps.
#[derive(Debug, Default)]
struct Received {
    frames: Vec<(u64, f64)>,
    gaps: Vec<StreamGap>,
}

impl Received {
    async fn read_for(
        &mut self,
        span: Duration,
        room: usize,
        plan: &StreamPlan,
        stream: &mut Stream<'_, Tap, SimClock>,
    ) -> Result<(), ScopeError<ErrorKind>> {
        let mut memory = vec![StreamFrame::default(); room];
        let (a, scale) = (plan.place(Channel::A).unwrap(), plan.scale(AnalogChannel::A));
        let until = Instant::now() + span;
        while Instant::now() < until {
            let chunk = stream.read(&mut memory).await?;
            self.gaps.extend(chunk.gap);
            let volts = chunk.frames.iter().map(|frame| scale.value(frame.samples[a].into()).into());
            self.frames.extend((chunk.first..).zip(volts));
        }
        Ok(())
    }

    /// Frames whose number is not what the ramp shows, give or take half of what 256 frames make.
    fn wrong(&self) -> Vec<(u64, f64)> {
        let shown = |volts: f64| (volts - LOW_V) / SPAN_V / RAMP_HZ;
        let start_s = shown(self.frames[0].1);
        let is_wrong = |&(number, volts): &(u64, f64)| {
            let phase = (start_s + number as f64 / RATE_HZ - shown(volts)) * RAMP_HZ;
            (phase - phase.round()).abs() / RAMP_HZ > 128.0 / RATE_HZ
        };
        self.frames.iter().copied().filter(is_wrong).collect()
    }
}

/// A link of which all that it hands over is kept.
struct Tap(SimLink, Arc<Mutex<Vec<u8>>>);

impl ErrorType for Tap {
    type Error = ErrorKind;
}

impl Read for Tap {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let count = self.0.read(buffer).await?;
        self.1.lock().unwrap().extend(&buffer[..count]);
        Ok(count)
    }
}

impl Write for Tap {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.0.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.0.flush().await
    }
}

/// How often the numbers of the frames do not follow on one another.
fn jumps(bytes: &[u8]) -> usize {
    let start = bytes.windows(2).position(|two| two == b"UT").unwrap() + 2;
    let numbers: Vec<u8> = bytes[start..].chunks_exact(4).map(|frame| frame[1]).collect();
    numbers.windows(2).filter(|two| two[1] != two[0].wrapping_add(1)).count()
}

/// What comes of a stream, and how often the numbers of its frames jump.
async fn stream_with_stops(stops: &[Duration], room: usize) -> (Received, usize) {
    let link =
        SimLink::in_real_time(&SimConfig::from_query(SIGNAL).unwrap(), Arc::new(Paused(Instant::now())));
    let (clock, profile) = (link.clock(), link.profile());
    let bytes = Arc::default();
    let mut scope = Scope::connect(Tap(link, Arc::clone(&bytes)), clock, profile).await.unwrap();
    let plan = scope.plan_stream(&StreamRequest::new("A".parse().unwrap(), RATE_HZ)).unwrap();
    let mut stream = scope.start_stream(&plan).await.unwrap();
    let mut received = Received::default();
    let span = Duration::from_millis(400);
    received.read_for(span, room, &plan, &mut stream).await.unwrap();
    for stop in stops {
        advance(*stop).await;
        received.read_for(span, room, &plan, &mut stream).await.unwrap();
    }
    let (totals, seen) = (stream.totals(), received.frames.len() as u64);
    let end = received.frames.last().unwrap().0 + 1;
    assert_eq!((totals.frames, totals.frames + totals.lost), (seen, end));
    let taken: Duration = stops.iter().sum::<Duration>() + span * (stops.len() as u32 + 1);
    let expected = taken.as_secs_f64() * RATE_HZ;
    assert!((end as f64 - expected).abs() < 200.0, "{end} frames of {expected}");
    let jumps = jumps(&bytes.lock().unwrap());
    (received, jumps)
}

/// Frames that the link keeps, of 4 bytes each, and those that the device keeps behind them: a stop that is shorter loses none.
const KEPT: u32 = 65536 / 4 + 256 / 4;

#[tokio::test(start_paused = true)]
async fn frames_after_a_stop_have_their_numbers() {
    let stops: Vec<_> = (0..5).map(|turn| PERIOD * (KEPT + 300 * turn + 101)).collect();
    for room in [64, 1 << 14] {
        let (received, _) = stream_with_stops(&stops, room).await;
        assert_eq!(received.wrong(), [], "room for {room}");
        assert!(received.gaps.iter().all(|gap| gap.lost.is_some()), "{:?}", received.gaps);
        assert!(received.gaps.len() >= 5, "{:?}", received.gaps);
    }
}

#[tokio::test(start_paused = true)]
async fn late_frames_are_not_lost() {
    let (received, jumps) = stream_with_stops(&[PERIOD * (KEPT - 1000)], 1 << 15).await;
    assert_eq!((received.wrong(), received.gaps, jumps), (vec![], vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn loss_of_exactly_256_frames_is_a_gap() {
    let mut unnumbered = 0;
    for frames in KEPT + 512 - 3..KEPT + 512 + 3 {
        let (received, jumps) = stream_with_stops(&[PERIOD * frames], 1 << 14).await;
        assert_eq!(received.wrong(), [], "{frames}");
        assert!(matches!(received.gaps[..], [StreamGap { lost: Some(500..), .. }]), "{:?}", received.gaps);
        unnumbered += u32::from(jumps == 0);
    }
    // The numbers of the frames show nothing of one of these gaps.
    assert_eq!(unnumbered, 1);
}

#[tokio::test(start_paused = true)]
async fn long_stop_has_unknown_length() {
    let (received, _) = stream_with_stops(&[Duration::from_secs(100)], 1 << 14).await;
    let [gap] = received.gaps[..] else { panic!("{:?}", received.gaps) };
    assert_eq!(gap.lost, None);
    // The clocks of this test are the same one, and so the estimate is right.
    assert_eq!(received.wrong(), []);
}
