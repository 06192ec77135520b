//! Progress of long operations, on standard error.

use std::cell::OnceCell;
use std::time::Duration;

use super::message::{self, Level, print_note, print_status};
use indicatif::{ProgressBar, ProgressStyle};

/// How long an operation runs before its progress is shown.
const SHOW_DELAY: Duration = Duration::from_millis(500);

/// Shows on standard error what is going on, if it goes on for long.
pub(super) async fn with_progress<T>(work: impl Future<Output = T>, what: &str) -> T {
    Progress::new(what).of(work).await
}

/// What is going on.
pub(super) struct Progress<'a> {
    what: &'a str,
    spinner: OnceCell<ProgressBar>,
}

impl<'a> Progress<'a> {
    pub(super) fn new(what: &'a str) -> Self {
        Self { what, spinner: OnceCell::new() }
    }

    /// Shows what is going on, if the work goes on for long.
    pub(super) async fn of<T>(&self, work: impl Future<Output = T>) -> T {
        if !message::shows(Level::Note) {
            return work.await;
        }
        let mut work = std::pin::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(SHOW_DELAY) => {}
        }
        let spinner = self.spinner.get_or_init(|| self.spin());
        let done = work.await;
        spinner.finish_and_clear();
        done
    }

    fn spin(&self) -> ProgressBar {
        let spinner = ProgressBar::new_spinner().with_message(self.what.to_owned());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            spinner.set_style(style);
        }
        if spinner.is_hidden() {
            print_status!("{}", self.what);
        }
        spinner.enable_steady_tick(SHOW_DELAY / 4);
        spinner
    }

    /// Prints a line meanwhile, above what is going on.
    pub(super) fn note(&self, note: &str) {
        let print = || print_note!("{note}");
        match self.spinner.get() {
            Some(spinner) => spinner.suspend(print),
            None => print(),
        }
    }
}
