//! `scopething selftest`: experiments that show whether a BitScope does what is assumed of it.

mod operator;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use self::operator::Terminal;
use super::capture_arguments::UrlArgument;
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::message::{print_always, print_status, print_warning};
use super::progress::with_progress;
use super::table::Table;
use scopething::atomic::{AtomicError, AtomicFile};
use scopething::link::{self, LinkUrl};
use scopething_selftest::{Bench, Experiment, LinkKind, NoOperator, Outcome, Report, Verdict};

const EXAMPLES: &str = "\
Examples:
  scopething selftest
      A menu of twelve experiments: in any order, each as often as you like. Text only, works over SSH
  scopething selftest --auto
      Those that need no wires
  scopething selftest --only 4,5,6 --report mine.txt
      Some of them; writes mine.txt and mine.json
  scopething selftest --auto --url 'sim:?quirk=slow-reset'
      What it makes of a device that differs

Two files are written, a text and a JSON beside it, with all bytes exchanged. They hold no user or host \
name, no path, and of the serial number only which characters are letters and digits: please send both \
to the developers. Exit code 0: all that was done is as assumed; 1: something is otherwise, settles \
nothing or failed.";

/// Check by experiments whether a BitScope does what is assumed of it
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    /// Do all experiments that need no wires, and ask nothing
    #[arg(long)]
    auto: bool,
    /// Do these and no others, by their numbers, such as 4,7
    #[arg(long, value_name = "N,..", value_delimiter = ',', value_parser = experiment)]
    only: Vec<Experiment>,
    /// The text of the report; its JSON is written beside it
    #[arg(long, value_name = "FILE", default_value = "scopething-selftest.txt")]
    report: PathBuf,
}

fn experiment(text: &str) -> Result<Experiment, String> {
    let numbered = text.trim().parse().ok().and_then(Experiment::numbered);
    numbered.ok_or_else(|| {
        format!("{text:?} is not an experiment: give numbers from 1 to {}", Experiment::ALL.len())
    })
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let json = self.json_path()?;
        let interrupts = Interrupts::watch();
        let asked = self.url.parse()?.unwrap_or_default();
        let url = tokio::select! {
            url = link::resolve(&asked) => url?,
            () = interrupts.reached(1) => return Err(Failure::Cancelled),
        };
        let report = Report { link: LinkKind::of(&url), outcomes: Vec::new() };
        let mut walk = Walk { bench: Some(open(&url, &interrupts).await?), url, report, interrupts };
        let walked = if self.auto || !self.only.is_empty() {
            self.do_chosen(&mut walk).await
        } else {
            walk.choose_from_menu().await
        };
        // What was learnt until Ctrl-C or a failure is kept all the same.
        walk.leave().await;
        if !walk.report.outcomes.is_empty() {
            write_file(&self.report, &walk.report.to_string())?;
            write_file(&json, &format!("{:#}\n", walk.report.json()))?;
            print_status!("wrote {} and {}", self.report.display(), json.display());
        }
        walked?;
        exit(&walk.report)
    }

    fn json_path(&self) -> Result<PathBuf, Failure> {
        let json = self.report.with_extension("json");
        if json == self.report {
            return Err(Failure::Usage(anyhow::anyhow!(
                "{} would be the text and the JSON at once: give the name of the text, such as {}",
                json.display(),
                self.report.with_extension("txt").display()
            )));
        }
        Ok(json)
    }

    /// Those of `--only`, or all.
    async fn do_chosen(&self, walk: &mut Walk) -> Result<(), Failure> {
        let chosen = if self.only.is_empty() { &Experiment::ALL[..] } else { &self.only };
        for &experiment in chosen {
            if !self.auto {
                walk.carry_out(experiment).await?;
            } else if experiment.wiring().is_none() {
                walk.carry_out_alone(experiment).await?;
            } else {
                walk.take(Outcome::skipped(experiment, "it needs wires"))?;
            }
        }
        Ok(())
    }
}

fn exit(report: &Report) -> Result<(), Failure> {
    let is_done = |verdict| matches!(verdict, Verdict::AsAssumed | Verdict::Skipped);
    if report.last().all(|outcome| is_done(outcome.verdict)) { Ok(()) } else { Err(Failure::Reported(1)) }
}

fn write_file(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> Result<(), AtomicError> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(text.as_bytes())
            .map_err(|source| AtomicError::Write { path: path.to_owned(), source })?;
        file.commit()
    };
    write().map_err(Failure::failed)
}

async fn open(url: &LinkUrl, interrupts: &Interrupts) -> Result<Bench, Failure> {
    tokio::select! {
        opened = with_progress(link::open(url), "connecting") => Ok(Bench::new(opened?)),
        () = interrupts.reached(1) => Err(Failure::Cancelled),
    }
}

/// A walk through the experiments.
struct Walk {
    url: LinkUrl,
    /// None after the link was lost.
    bench: Option<Bench>,
    report: Report,
    interrupts: Interrupts,
}

impl Walk {
    /// Carries out what is chosen until there is no more input.
    async fn choose_from_menu(&mut self) -> Result<(), Failure> {
        self.show_menu();
        let terminal = Terminal::new(self.interrupts.clone());
        loop {
            let Some(line) = terminal.ask("experiment (number, all, list, quit): ").await? else {
                return Ok(());
            };
            match line.as_str() {
                "" => {}
                "quit" | "exit" | "q" => return Ok(()),
                "list" | "l" | "help" | "?" => self.show_menu(),
                "all" => {
                    for experiment in Experiment::ALL {
                        self.carry_out(experiment).await?;
                    }
                }
                other => match experiment(other) {
                    Ok(experiment) => self.carry_out(experiment).await?,
                    Err(why) => print_always!("{why}, `all`, `list` or `quit`"),
                },
            }
        }
    }

    fn show_menu(&self) {
        print_always!("\nWhat each experiment checks, and what it needs:");
        let rows = Experiment::ALL.into_iter().flat_map(|experiment| {
            let done = self.report.outcome(experiment).map_or("", |outcome| outcome.verdict.name());
            let wiring = experiment.wiring().unwrap_or("no wires");
            [
                [experiment.number().to_string(), experiment.title().to_owned(), done.to_owned()],
                ["", wiring, ""].map(str::to_owned),
            ]
        });
        print_always!("{}", Table::new(rows).indent(1).right(&[0]));
    }

    /// With an operator who wires.
    async fn carry_out(&mut self, experiment: Experiment) -> Result<(), Failure> {
        print_always!("\n{}. {}", experiment.number(), experiment.title());
        print_always!("   settles: {}", experiment.settles());
        let interrupts = self.interrupts.clone();
        let mut terminal = Terminal::new(interrupts.clone());
        let bench = self.bench().await?;
        let outcome = tokio::select! {
            outcome = bench.run(experiment, &mut terminal) => outcome,
            () = interrupts.reached(1) => return Err(Failure::Cancelled),
        };
        terminal.failure()?;
        self.take(outcome)
    }

    /// Without an operator.
    async fn carry_out_alone(&mut self, experiment: Experiment) -> Result<(), Failure> {
        let what = format!("{}. {}", experiment.number(), experiment.title());
        let interrupts = self.interrupts.clone();
        let bench = self.bench().await?;
        let mut nobody = NoOperator;
        let outcome = tokio::select! {
            outcome = with_progress(bench.run(experiment, &mut nobody), &what) => outcome,
            () = interrupts.reached(1) => return Err(Failure::Cancelled),
        };
        self.take(outcome)
    }

    /// The device, reconnected if the link was lost.
    async fn bench(&mut self) -> Result<&mut Bench, Failure> {
        let bench = match self.bench.take() {
            Some(bench) => bench,
            None => open(&self.url, &self.interrupts).await?,
        };
        Ok(self.bench.insert(bench))
    }

    fn take(&mut self, outcome: Outcome) -> Result<(), Failure> {
        writeln!(crate::terminal::stdout(), "{outcome}")?;
        if outcome.link_lost {
            self.bench = None;
        }
        self.report.outcomes.push(outcome);
        Ok(())
    }

    /// Stops what an experiment that was cancelled has left running.
    async fn leave(&mut self) {
        let Some(mut bench) = self.bench.take() else { return };
        let interrupts = self.interrupts.since_now();
        let stopped = tokio::select! {
            stopped = bench.stop() => stopped,
            () = interrupts.reached(1) => Err("given up".to_owned()),
        };
        if let Err(why) = stopped {
            print_warning!("the device may still generate: {why}");
        }
    }
}
