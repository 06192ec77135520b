//! Half a minute of a stream against the signal that was put in; `benches/streaming.rs` streams an hour.

#[path = "../benches/limits/streaming.rs"]
mod streaming;

use streaming::Streamed;

#[tokio::test]
async fn no_sample_lost_or_doubled() {
    for row in streaming::measure(30).await.unwrap() {
        assert!(row.holds(), "{}\n{row}", Streamed::heads());
    }
}
