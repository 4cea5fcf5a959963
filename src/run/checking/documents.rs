//! A check of the documents: what there is of each kind and language, what is left out, and what finds passages in it.

use super::super::knowledge::waited;
use super::super::{RunError, Terminal, inputs};
use super::report::{Figures, Group};
use crate::domain::causes::causes;
use crate::domain::{Catalogue, Language};
use crate::knowledge::embeddings::Backend;
use crate::knowledge::{self, Knowledge, Seen};
use crate::plan::MatchLanguage;
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::path::Path;

/// The name of the language of documents that do not tell.
const UNKNOWN: &str = "unknown";

/// Looks at the documents, with what is made of them in `scratch`; none where they can't be used. Servers are asked where it
/// `asks`; whether a run `compares` questions by vectors decides whether something must make them.
///
/// # Errors
/// When there are no threads to wait on.
pub fn documents(
    options: &knowledge::Options,
    scratch: &Path,
    (asks, compares): (bool, bool),
    terminal: &Terminal,
    (group, figures): (&mut Group, &mut Figures),
) -> Result<Option<Knowledge>, RunError> {
    let seen = match waited(knowledge::look(options, scratch, &|progress| terminal.show(progress)))? {
        Ok(seen) => seen,
        Err(error) => {
            group.problem(causes(&error));
            return Ok(None);
        }
    };
    let catalogue = &seen.knowledge.catalogue;
    let kinds = counted(catalogue, |source| {
        let file = Path::new(source.path.split('#').next().unwrap_or_default());
        file.extension().map_or("without an ending".to_owned(), |ending| format!(".{}", ending.to_string_lossy()))
    });
    let languages = counted(catalogue, |source| source.language.as_deref().unwrap_or(UNKNOWN).to_owned());
    let (documents, chunks) = (catalogue.sources.len(), catalogue.len());
    group.ok(format!("{documents} documents ({}), {chunks} chunks", listed(&kinds)));
    group.ok(format!("documents by language: {}", listed(&languages)));
    seen.knowledge.warnings.iter().for_each(|warning| group.warn(warning));
    match (seen.is_current, seen.read_anew) {
        (true, _) => group.ok("the index is current"),
        (false, 0) => group.ok("the index is not current: the next run, or `dlgforge index`, builds it"),
        (false, files) => group.ok(format!(
            "the index is not current: the next run, or `dlgforge index`, reads {files} files and builds it"
        )),
    }
    search(options, &seen, (asks, compares), group)?;
    (figures.documents, figures.chunks) = (Some(documents), Some(chunks));
    (figures.languages, figures.index_is_current) = (languages, Some(seen.is_current));
    Ok(Some(seen.knowledge))
}

/// Tries what makes vectors and what ranks passages again.
fn search(
    options: &knowledge::Options,
    seen: &Seen,
    (asks, compares): (bool, bool),
    group: &mut Group,
) -> Result<(), RunError> {
    match &seen.embedder {
        Err(error) => group.problem(causes(error)),
        Ok(None) if compares => group.problem(RunError::NoEmbedder.to_string()),
        Ok(None) => group.ok("passages are found by their words (`tools.retrieval.embeddings`)"),
        Ok(Some(embedder)) if asks || options.embeddings.backend != Backend::OpenAi => {
            match waited(embedder.embed(vec!["a lighthouse".to_owned()]))? {
                Ok(made) => {
                    let dimensions = made.first().map_or(0, Vec::len);
                    group.ok(format!("{} embeds, in {dimensions} dimensions", embedder.name()));
                }
                Err(error) => group.problem(causes(&error)),
            }
        }
        Ok(Some(embedder)) => group.ok(format!("{} embeds; it was not asked", embedder.name())),
    }
    if options.reranker.is_some() && asks {
        match waited(seen.try_reranker(options))? {
            Ok(_) => group.ok("passages that are found are ranked again (`tools.retrieval.reranker`)"),
            Err(error) => group.problem(causes(&error)),
        }
    }
    Ok(())
}

/// Looks whether the languages of the run go with the documents.
pub fn languages(settings: &Settings, catalogue: &Catalogue, group: &mut Group) {
    let wrong = [
        inputs::check_languages(settings),
        inputs::check_required(settings, catalogue),
        inputs::check_documents(settings, catalogue),
    ];
    wrong.iter().filter_map(|checked| checked.as_ref().err()).for_each(|error| group.problem(causes(error)));
    if settings.plan.coverage.match_language != MatchLanguage::Prefer {
        return;
    }
    let is_in = |code: &str| catalogue.sources.iter().any(|source| source.language.as_deref() == Some(code));
    for language in &settings.languages {
        match Language::of(language).code {
            Some(code) if is_in(&code) => {}
            Some(_) => group.warn(format!(
                "no document is in `{language}`: its conversations are about documents in other languages \
                 (coverage.match_language: prefer)"
            )),
            None => group.warn(format!(
                "run.target_languages: `{language}` is no language that documents are told to be in, so its conversations are \
                 about all documents; it may be a dialect or a misspelling"
            )),
        }
    }
}

fn counted(catalogue: &Catalogue, of: impl Fn(&crate::domain::Source) -> String) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    catalogue.sources.iter().for_each(|source| *counts.entry(of(source)).or_default() += 1);
    counts
}

fn listed(counts: &BTreeMap<String, usize>) -> String {
    counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}
