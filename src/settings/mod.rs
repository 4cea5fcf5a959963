//! What the configuration means: defaults < file < environment < flags.
