//! Signals that the program which runs the simulated device computes.

use std::fmt;
use std::sync::Arc;

use super::super::time::SimTime;

/// Volts as any function of simulated time. It must give the same voltage for the same moment.
///
/// ```
/// use scopething_sim::{Function, Signal, SimTime};
///
/// let ramp = Function::new("ramp", |at: SimTime| at.seconds() * 1e3);
/// assert_eq!(Signal::Function(ramp).volts(SimTime::from_micros(1500)), 1.5);
/// ```
#[derive(Clone)]
pub struct Function {
    name: Arc<str>,
    volts: Arc<dyn Fn(SimTime) -> f64 + Send + Sync>,
}

impl Function {
    /// A function by a name, which stands for it where a configuration is printed.
    pub fn new(name: &str, volts: impl Fn(SimTime) -> f64 + Send + Sync + 'static) -> Self {
        Self { name: name.into(), volts: Arc::new(volts) }
    }

    pub(in super::super) fn volts(&self, at: SimTime) -> f64 {
        (self.volts)(at)
    }
}

/// The same function, not one that computes the same.
impl PartialEq for Function {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.volts, &other.volts)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Function").field(&self.name).finish()
    }
}

/// `function NAME`, which cannot be read back.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "function {}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Signal;
    use super::*;

    #[test]
    fn function_is_equal_to_its_copies_alone() {
        let one = Signal::Function(Function::new("f", |_| 1.0));
        let other = Signal::Function(Function::new("f", |_| 1.0));
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
        assert_eq!(one.to_string(), "function f");
    }

    #[test]
    fn search_looks_at_every_moment() {
        let signal = Signal::Function(Function::new("f", |_| 1.0));
        assert_eq!(signal.next_crossing(0.5, SimTime(100)), Some(SimTime(101)));
    }
}
