//! The last lines of a server's log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// How much of a log is looked at, in bytes; how many lines of it are told, and how long each may be.
const END: u64 = 16 * 1024;
const LINES: usize = 15;
const LONGEST: usize = 300;

/// What a server has logged since it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoggedLines {
    /// The file of its log.
    pub log: PathBuf,
    /// Where in the file its own lines begin.
    pub from: u64,
}

impl LoggedLines {
    /// The last one, if there is any.
    pub fn last(&self) -> Option<String> {
        self.read().pop()
    }

    /// The last few of them as an error shows them, each after a line end.
    pub fn told(&self) -> String {
        let lines = self.read();
        if lines.is_empty() { "\n  (it has said nothing)".to_owned() } else { format!("\n  {}", lines.join("\n  ")) }
    }

    fn read(&self) -> Vec<String> {
        let text = self.end().unwrap_or_default();
        // Of a line that is drawn again and again, as progress is, what was drawn last counts.
        let line = |line: &str| line.trim_end().rsplit('\r').next().unwrap_or_default().chars().take(LONGEST).collect();
        let lines: Vec<String> = text.lines().map(line).filter(|line: &String| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(LINES)..].to_vec()
    }

    fn end(&self) -> io::Result<String> {
        let mut file = File::open(&self.log)?;
        let begin = self.from.max(file.metadata()?.len().saturating_sub(END));
        file.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        file.take(END).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn of_a_log_the_last_lines_of_the_last_start_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let before = "an earlier start\n";
        let logged = LoggedLines { log: folder.path().join("a.log"), from: before.len() as u64 };
        assert_eq!((logged.last(), logged.told().as_str()), (None, "\n  (it has said nothing)"), "no file");
        let lines: Vec<String> = (0..3000).map(|number| format!("line {number}")).collect();
        std::fs::write(&logged.log, format!("{before}{}\n\n10%\r50%\r99%\n", lines.join("\n"))).unwrap();
        let last = logged.read();
        assert_eq!((last.len(), last[13].as_str(), last[14].as_str()), (15, "line 2999", "99%"));
        assert!(logged.told().starts_with("\n  line 2986\n") && logged.last().as_deref() == Some("99%"));
        std::fs::write(&logged.log, format!("{before}{}", "x".repeat(400))).unwrap();
        assert_eq!(logged.last(), Some("x".repeat(300)));
    }
}
