//! What is told on standard error of work that takes long.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How long something may take before it is said that it does.
const PATIENCE: Duration = Duration::from_millis(500);

/// Says on standard error what is going on, if it goes on for long.
pub(super) async fn with_progress<T>(work: impl Future<Output = T>, what: &str) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
    }
    if spinner.is_hidden() {
        anstream::eprintln!("{what}");
    }
    spinner.enable_steady_tick(PATIENCE / 4);
    let done = work.await;
    spinner.finish_and_clear();
    done
}
