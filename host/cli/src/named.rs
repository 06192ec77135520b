//! Options whose values have names, which shells complete.

use std::error::Error;
use std::ffi::OsStr;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command};

/// Reads a value by its type's own parser, whose errors are more specific than a list of names, and gives the names to completions.
pub(super) struct Named<T> {
    names: Vec<&'static str>,
    value: PhantomData<fn() -> T>,
}

// Derived, it would ask for a value that can be cloned.
impl<T> Clone for Named<T> {
    fn clone(&self) -> Self {
        Self { names: self.names.clone(), value: PhantomData }
    }
}

impl<T> Named<T> {
    /// The names of the values, or those that are offered.
    pub(super) fn of(names: impl IntoIterator<Item = &'static str>) -> Self {
        Self { names: names.into_iter().collect(), value: PhantomData }
    }
}

impl<T> TypedValueParser for Named<T>
where
    T: FromStr<Err: Into<Box<dyn Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(&self, command: &Command, argument: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        T::from_str.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().copied().map(PossibleValue::new)))
    }
}
