//! What goes wrong, as the exceptions of the package: each [`Kind`] is a class of `scopething`.

use pyo3::prelude::*;
pub(crate) use scopething::failure::{Failure, Kind};

/// Why an operation ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Failed(Failure),
    /// Python code that ran meanwhile raised: a signal handler or a callback.
    Raised(PyErr),
}

/// What becomes an exception.
pub(crate) trait Raise {
    fn raise(self, py: Python<'_>) -> PyErr;
}

impl Raise for Failure {
    fn raise(self, py: Python<'_>) -> PyErr {
        let raised = || {
            let class = py.import("scopething._errors")?.getattr(format!("{:?}", self.kind()).as_str())?;
            let error = class.call1((self.message(),))?;
            if self.kind() == Kind::PlanError {
                let limits = pyo3::types::PyDict::new(py);
                for (name, value) in self.limits() {
                    limits.set_item(name, value)?;
                }
                error.setattr("limits", limits)?;
            }
            Ok(PyErr::from_value(error))
        };
        raised().unwrap_or_else(|error| error)
    }
}

impl Raise for Stop {
    fn raise(self, py: Python<'_>) -> PyErr {
        match self {
            Self::Failed(failure) => failure.raise(py),
            Self::Raised(error) => error,
        }
    }
}

impl<F: Into<Failure>> From<F> for Stop {
    fn from(failure: F) -> Self {
        Self::Failed(failure.into())
    }
}
