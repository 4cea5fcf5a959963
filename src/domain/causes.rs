//! An error with what led to it, as a message shows it.

use std::error::Error;

/// An error and its causes on one line.
pub fn causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Whether an error says that the process, or the system, has no file descriptor left.
pub fn is_out_of_files(error: &(dyn Error + 'static)) -> bool {
    const EMFILE: i32 = 24;
    const ENFILE: i32 = 23;
    let code = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error);
    matches!(code, Some(EMFILE | ENFILE)) || error.source().is_some_and(is_out_of_files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn every_cause_is_told_once_from_the_outermost_in() {
        let told = |text, source: Option<Told>| Told { text, source: source.map(Box::new) };
        assert_eq!(causes(&told("a", None)), "a");
        let chain = told("read x", Some(told("open", Some(told("denied", None)))));
        assert_eq!(causes(&chain), "read x: open: denied");
    }
}
