//! What the Tab key offers: commands, their options, the names that options take, and files.

use std::path::PathBuf;

use clap::builder::ValueHint;
use clap::{Arg, Command};
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};
use scopething_core::plan::{ChannelSet, TriggerType, WaveShape};

/// Completes lines by the definitions of the commands.
pub(super) struct Completion {
    commands: Command,
    files: FilenameCompleter,
}

/// What may stand where the cursor is.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Names(Vec<String>),
    File,
}

impl Completion {
    pub(super) fn new(mut commands: Command) -> Self {
        // Adds what clap adds by itself, such as --help.
        commands.build();
        Self { commands, files: FilenameCompleter::new() }
    }

    /// What may follow the words that stand before one that begins in a way.
    fn expected(&self, before: &[&str], begun: &str) -> Expected {
        let commands =
            || self.commands.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        let (name, arguments) = match before {
            [] | ["help"] => return Expected::Names(commands()),
            [name, arguments @ ..] => (name, arguments),
        };
        let Some(command) = self.commands.find_subcommand(name) else { return Expected::Names(Vec::new()) };
        let option = arguments.last().and_then(|word| option_of(command, word));
        if let Some(option) = option.filter(|option| option.get_action().takes_values()) {
            return values(command, option);
        }
        if begun.starts_with('-') {
            let long =
                command.get_arguments().filter(|argument| !argument.is_hide_set()).filter_map(Arg::get_long);
            return Expected::Names(long.map(|long| format!("--{long}")).collect());
        }
        command.get_positionals().next().map_or(Expected::Names(Vec::new()), |first| values(command, first))
    }
}

fn option_of<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let short = |argument: &&Arg| argument.get_short().is_some_and(|short| word == format!("-{short}"));
    let long = |argument: &&Arg| argument.get_long().is_some_and(|long| word == format!("--{long}"));
    command.get_arguments().find(|argument| short(argument) || long(argument))
}

/// What an argument takes.
fn values(command: &Command, argument: &Arg) -> Expected {
    let is_path = argument.get_value_parser().type_id() == std::any::TypeId::of::<PathBuf>();
    if is_path || argument.get_value_hint() == ValueHint::AnyPath {
        return Expected::File;
    }
    let shapes = || WaveShape::BUILT_IN.into_iter().map(|(_, name)| name.to_owned());
    let lines = || ChannelSet::ALL_LOGIC.iter().map(|line| line.to_string());
    let inputs = || ["A", "B"].map(str::to_owned).into_iter();
    let names: Vec<String> = match (command.get_name(), argument.get_id().as_str()) {
        ("wave", "words" | "shape") | (_, "wave") => shapes().collect(),
        (_, "channels") => inputs().chain(["L".to_owned()]).chain(lines()).collect(),
        (_, "trigger") => inputs().chain(lines()).collect(),
        (_, "trigger_type") => TriggerType::ALL.into_iter().map(|(_, name)| name.to_owned()).collect(),
        (_, "line" | "levels" | "hold") => lines().collect(),
        (_, "url") => ["sim:", "socket://", "bitscope-server://", "bridge://"].map(str::to_owned).into(),
        _ => Vec::new(),
    };
    Expected::Names(names)
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or(line);
        let start = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let (earlier, begun) = before.split_at(start);
        let earlier: Vec<&str> = earlier.split_whitespace().collect();
        match self.expected(&earlier, begun) {
            Expected::File => self.files.complete(line, position, context),
            Expected::Names(names) => {
                let fits = names.into_iter().filter(|name| name.starts_with(begun));
                let pair = |name: String| Pair { replacement: format!("{name} "), display: name };
                Ok((start, fits.map(pair).collect()))
            }
        }
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::super::line_command;
    use super::*;

    fn offered(line: &str) -> Vec<String> {
        let completion = Completion::new(line_command());
        let history = rustyline::history::MemHistory::new();
        let (_, pairs) = completion.complete(line, line.len(), &Context::new(&history)).unwrap();
        pairs.into_iter().map(|pair| pair.display).collect()
    }

    #[test]
    fn commands_options_and_names_are_offered() {
        for (line, wanted) in [
            ("cap", &["capture"][..]),
            ("help wa", &["wave"]),
            ("p", &["plan", "plot", "pause"]),
            ("capture --per", &["--period"]),
            ("capture A --type f", &["falling"]),
            ("wave s", &["sine", "square"]),
            ("capture --wave tri", &["triangle"]),
            ("capture A L", &["L", "L0", "L1", "L2", "L3", "L4", "L5", "L6", "L7"]),
            ("capture --period 1", &[]),
            ("nonsense ", &[]),
        ] {
            assert_eq!(offered(line), wanted, "{line}");
        }
    }

    #[test]
    fn files_are_offered_where_they_are_taken() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("trace.csv"), "").unwrap();
        let begun = directory.path().join("tra");
        for command in ["plot", "capture -o", "capture A --output", "wave --samples", "calibrate --file"] {
            assert_eq!(offered(&format!("{command} {}", begun.display())), ["trace.csv"], "{command}");
        }
    }
}
