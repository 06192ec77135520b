//! Captures write no more bytes and take no more round trips than they may.

#[path = "../../benches/limits/round_trips.rs"]
mod limits;

use limits::Row;

#[tokio::test]
async fn bytes_and_round_trips_are_within_their_limits() {
    let rows = limits::measure().await.unwrap();
    for row in &rows {
        assert!(row.holds(), "{}\n{row}", Row::heads());
    }
}
