//! The operator, who wires what an experiment needs.

use super::stop::Stop;

/// An operator's answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// It is left out.
    Skip,
}

/// An operator, who wires and reads meters.
pub trait Operator {
    /// Has something wired.
    fn wire(&mut self, instruction: &str) -> impl Future<Output = Reply>;

    /// Asks for what a meter shows, in volts; none if there is no meter.
    fn voltage(&mut self, question: &str) -> impl Future<Output = Option<f64>>;
}

/// There is no operator: nothing is wired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NoOperator;

impl Operator for NoOperator {
    async fn wire(&mut self, _: &str) -> Reply {
        Reply::Skip
    }

    async fn voltage(&mut self, _: &str) -> Option<f64> {
        None
    }
}

/// Has something wired that the experiment cannot do without.
pub(super) async fn wire(operator: &mut impl Operator, instruction: &str) -> Result<(), Stop> {
    match operator.wire(instruction).await {
        Reply::Done => Ok(()),
        Reply::Skip => Err(Stop::Skipped("not wired".to_owned())),
    }
}
