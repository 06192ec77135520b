//! Which annotations are asked for, as sigrok-cli has them: `uart=rx-data:rx-start,spi`.

use std::convert::Infallible;
use std::str::FromStr;

use super::spec::DecoderSpec;
use super::{DecodeError, Decoders};

/// Annotations of some decoders, as sigrok-cli's `-A` names them.
///
/// ```
/// use scopething_files::decode::Shown;
///
/// let shown: Shown = "uart=rx-data:rx-start,spi".parse()?;
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    decoders: Vec<ShownOf>,
}

/// The annotations of a decoder: of these classes and rows of classes, or all if there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ShownOf {
    id: String,
    classes: Vec<String>,
}

impl FromStr for Shown {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let of = |part: &str| {
            let (id, classes) = part.split_once('=').unwrap_or((part, ""));
            let classes = classes.split(':').filter(|class| !class.is_empty()).map(str::to_owned);
            ShownOf { id: id.to_owned(), classes: classes.collect() }
        };
        Ok(Self { decoders: text.split(',').map(of).collect() })
    }
}

impl Shown {
    /// Checks that all decoders are among those that run, and have the classes.
    ///
    /// # Errors
    /// [`DecodeError::Refused`], with the names that there are.
    pub fn check(&self, Decoders(described): &Decoders) -> Result<(), DecodeError> {
        for ShownOf { id, classes } in &self.decoders {
            let Some(decoder) = described.get(id) else {
                let known: Vec<&str> = described.keys().map(String::as_str).collect();
                let known = known.join(", ");
                return Err(DecodeError::Refused(format!(
                    "annotations of {id:?} are asked for, which does not run: give those of {known}"
                )));
            };
            if let Some(class) = classes.iter().find(|class| !decoder.has_annotations(class)) {
                let known = decoder.annotations().collect::<Vec<_>>().join(", ");
                return Err(DecodeError::Refused(format!(
                    "{id} has no annotations {class:?}: give some of {known}"
                )));
            }
        }
        Ok(())
    }

    /// What is asked for of a stack of decoders, as sigrok-cli takes it; `None` if nothing of it is.
    pub(super) fn of(&self, stack: &[DecoderSpec]) -> Option<String> {
        let runs = |shown: &&ShownOf| stack.iter().any(|decoder| decoder.id == shown.id);
        let text = |ShownOf { id, classes }: &ShownOf| {
            let classes = classes.join(":");
            if classes.is_empty() { id.clone() } else { format!("{id}={classes}") }
        };
        let parts: Vec<String> = self.decoders.iter().filter(runs).map(text).collect();
        (!parts.is_empty()).then(|| parts.join(","))
    }
}
