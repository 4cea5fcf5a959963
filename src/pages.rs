//! The pages of `dlgforge help`: Markdown, for terminals, the viewer and coding agents.

/// A page on a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The word that it is asked for by.
    pub topic: &'static str,
    /// Its text, whose first line is its title as a heading.
    pub text: &'static str,
}

/// The pages, in the order in which they are best read.
pub const PAGES: [Page; 17] = [
    Page { topic: "configuration", text: include_str!("../config/help/configuration.md") },
    Page { topic: "data", text: include_str!("../config/help/data.md") },
    Page { topic: "prompts", text: include_str!("../config/help/prompts.md") },
    Page { topic: "retrieval", text: include_str!("../config/help/retrieval.md") },
    Page { topic: "progress", text: include_str!("../config/help/progress.md") },
    Page { topic: "limits", text: include_str!("../config/help/limits.md") },
    Page { topic: "resume", text: include_str!("../config/help/resume.md") },
    Page { topic: "judging", text: include_str!("../config/help/judging.md") },
    Page { topic: "browser", text: include_str!("../config/help/browser.md") },
    Page { topic: "outputs", text: include_str!("../config/help/outputs.md") },
    Page { topic: "publishing", text: include_str!("../config/help/publishing.md") },
    Page { topic: "scale", text: include_str!("../config/help/scale.md") },
    Page { topic: "determinism", text: include_str!("../config/help/determinism.md") },
    Page { topic: "benchmarks", text: include_str!("../config/help/benchmarks.md") },
    Page { topic: "migration", text: include_str!("../config/help/migration.md") },
    Page { topic: "agents", text: include_str!("../config/help/agents.md") },
    Page { topic: "changes", text: include_str!("../config/help/changes.md") },
];

impl Page {
    /// The page on a topic.
    pub fn on(topic: &str) -> Option<Self> {
        PAGES.into_iter().find(|page| page.topic == topic)
    }

    /// Its title, without the mark of a heading.
    pub fn title(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}
