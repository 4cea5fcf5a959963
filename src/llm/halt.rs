//! The stop of a run that its models ask for: told once, with the reason.

use super::ModelError;
use std::fmt;
use std::sync::OnceLock;

/// Why a run has to stop, and who is told.
#[derive(Default)]
pub struct Halt {
    reason: OnceLock<String>,
    told: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Halt {
    /// Names who is told.
    pub fn tell(&self, told: impl Fn() + Send + Sync + 'static) {
        _ = self.told.set(Box::new(told));
        if self.reason().is_some() {
            self.call();
        }
    }

    /// Asks for the stop; the first reason counts.
    pub fn halt(&self, reason: String) -> ModelError {
        if self.reason.set(reason).is_ok() {
            tracing::error!(target: "dlgforge.llm", "[llm] stopping the run: {}", self.reason().unwrap_or_default());
            self.call();
        }
        ModelError::Halted(self.reason().unwrap_or_default().to_owned())
    }

    /// Why the run has to stop, if it has to.
    pub fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    fn call(&self) {
        if let Some(told) = self.told.get() {
            told();
        }
    }
}

impl fmt::Debug for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Halt").field(&self.reason).finish()
    }
}
