//! Captures on a modelled link take little longer than the link allows at the least.

#[path = "../../benches/limits/link_efficiency.rs"]
mod limits;

use limits::Row;

#[tokio::test]
async fn captures_take_little_longer_than_the_least() {
    let rows = limits::measure().await.unwrap();
    for row in &rows {
        assert!(row.holds(), "{}\n{row}", Row::heads());
    }
}
