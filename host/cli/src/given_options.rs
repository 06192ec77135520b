//! Which options stand on the command line, where a command takes some that make no sense beside others.

use std::marker::PhantomData;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

/// Those of `T` that the user gave, and not a default or the environment. Flattened beside a `T`, it must come before it,
/// which takes the values out.
#[derive(Debug)]
pub(super) struct GivenOptions<T> {
    /// As in `--period`.
    names: Vec<String>,
    of: PhantomData<T>,
}

impl<T> GivenOptions<T> {
    /// The first of them, as in `--period`.
    pub(super) fn first(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }

    /// Whether an option is among them, named as in `--period`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|given| given == name)
    }
}

impl<T: Args> Args for GivenOptions<T> {
    /// It has no options of its own.
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

impl<T: Args> FromArgMatches for GivenOptions<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let command = T::augment_args(Command::new(""));
        let is_given =
            |arg: &&Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
        let given = command.get_arguments().filter(is_given).filter_map(Arg::get_long);
        Ok(Self { names: given.map(|name| format!("--{name}")).collect(), of: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
