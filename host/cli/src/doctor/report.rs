//! What was found, as text for the user and for a bug report.

use std::fmt::{self, Write as _};

use serde::Serialize;

use crate::table::Table;

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at, in a word or two.
    pub(super) what: &'static str,
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    pub(super) remedy: Option<String>,
}

/// How a finding is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Fine,
    /// It works, and could work better.
    Advice,
    /// It stands in the way.
    Problem,
}

impl Finding {
    pub(super) fn fine(what: &'static str, found: &str) -> Self {
        Self { what, verdict: Verdict::Fine, found: found.to_owned(), remedy: None }
    }

    pub(super) fn is_fine(&self) -> bool {
        self.verdict == Verdict::Fine
    }

    pub(super) fn advice(what: &'static str, found: &str, remedy: &str) -> Self {
        Self { what, verdict: Verdict::Advice, found: found.to_owned(), remedy: Some(remedy.to_owned()) }
    }

    pub(super) fn problem(what: &'static str, found: &str, remedy: &str) -> Self {
        Self { what, verdict: Verdict::Problem, found: found.to_owned(), remedy: Some(remedy.to_owned()) }
    }
}

/// All that was looked at.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) findings: Vec<Finding>,
    /// What the kernel has printed of USB and of serial ports, the latest last.
    pub(super) kernel: Vec<String>,
}

impl Report {
    pub(super) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.findings.extend(findings);
    }

    pub(super) fn has_problem(&self) -> bool {
        self.findings.iter().any(|finding| finding.verdict == Verdict::Problem)
    }

    /// As Markdown, which trackers of bugs take.
    pub(super) fn for_bug_report(&self) -> String {
        let mut text = format!("```text\n{self}```\n");
        // Memory takes whatever is written to it.
        if !self.kernel.is_empty() {
            let _ = write!(text, "\nKernel messages:\n\n```text\n{}\n```\n", self.kernel.join("\n"));
        }
        text
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.findings.iter().flat_map(|Finding { what, verdict, found, remedy }| {
            let verdict = match verdict {
                Verdict::Fine => "ok",
                Verdict::Advice => "advice",
                Verdict::Problem => "PROBLEM",
            };
            let remedy = remedy.iter().map(|remedy| ["", "", &format!("-> {remedy}")].map(str::to_owned));
            std::iter::once([verdict, what, found].map(str::to_owned)).chain(remedy)
        });
        Table::new(rows).fmt(f)
    }
}
