//! The knowledge base: documents become chunks, chunks become an index, a query becomes passages.

mod blobs;
mod chunk;
mod convert;
mod document;
#[cfg(test)]
#[path = "../../tests/support/documents.rs"]
mod documents;
mod encoding;
mod error;
mod formats;
mod index;
mod language;
mod outline;
mod progress;
mod reading;
mod retriever;
mod sandbox;
mod structure;
mod terms;
mod walk;

pub use convert::{Convert, ConvertCommand};
pub use error::KnowledgeError;
pub use index::{Hit, Index};
pub use progress::{Progress, Step, Watch};
pub use reading::Reading;
pub use retriever::{Retriever, Searching};
pub use sandbox::serve as read_documents;

use crate::domain::{Catalogue, Chunk, Source, SourceIndex};
use chunk::Piece;
use document::{Document, Documents};
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_128;

/// `tools.retrieval.chunking`, and the folder to read with `knowledge.follow_links`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder of the documents: `<root>/knowledge`.
    pub folder: PathBuf,
    /// Whether links that lead out of the folder are followed.
    pub follow_links: bool,
    /// How files are read, whatever their type.
    pub reading: Reading,
    /// Where a document is cut.
    pub strategy: Strategy,
    /// Longest chunk, in characters.
    pub chunk_size: usize,
    /// Characters a chunk repeats of the one before: exactly so many with [`Strategy::Characters`], at most so many with
    /// [`Strategy::Structure`].
    pub chunk_overlap: usize,
}

/// Where a document is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Where its sections, paragraphs, list items, table rows or sentences end; between words where one sentence is too
    /// long for a chunk. The header of a table is repeated in every chunk that starts inside it, on top of the size.
    Structure,
    /// After every so many characters, wherever that is.
    Characters,
}

impl Strategy {
    /// The name used in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Characters => "characters",
        }
    }

    /// Characters a chunk repeats of the one before where the settings do not say: windows cut through sentences, which
    /// the next one then has whole.
    pub fn default_overlap(self) -> usize {
        match self {
            Self::Structure => 0,
            Self::Characters => 150,
        }
    }
}

/// The knowledge folder as chunks, and what the user should know about how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Every chunk of every document.
    pub catalogue: Catalogue,
    /// What was left out, one line per kind with a count, then one line per file that was skipped or read in an
    /// unexpected way, each naming its file.
    pub warnings: Vec<String>,
}

/// Reads every document below the folder and cuts it into chunks, on all cores. The result depends on the files' relative
/// paths and contents only: it is the same on every machine.
///
/// # Errors
/// When the folder is missing, when the system does not let a document in it be read, when no document holds any text, and
/// when the chunking settings would never reach the end of a document.
pub fn load(options: &Options, watch: Watch<'_>) -> Result<Loaded, KnowledgeError> {
    let Options { chunk_size: size, chunk_overlap: overlap, .. } = *options;
    if overlap >= size {
        return Err(KnowledgeError::Chunking { size, overlap });
    }
    let chunks = |document| chunks(document, options);
    let (folder, reading) = (&options.folder, &options.reading);
    let read = document::read_all(folder, options.follow_links, reading, watch, chunks)?;
    let Documents { mut documents, warnings } = read;
    // With the rows of files among them.
    documents.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
    let mut catalogue = Catalogue::default();
    for (mut source, chunks) in documents {
        let (number, first) = (SourceIndex(catalogue.sources.len() as u32), catalogue.chunks.len() as u32);
        catalogue.chunks.extend(chunks.into_iter().map(|chunk| Chunk { source: number, ..chunk }));
        source.chunks = first..catalogue.chunks.len() as u32;
        catalogue.sources.push(source);
    }
    Ok(Loaded { catalogue, warnings })
}

/// A document as a source and its chunks, as if it were the first of the knowledge base.
fn chunks(document: Document, options: &Options) -> (Source, Vec<Chunk>) {
    let path_digits = xxh3_128(document.path.as_bytes());
    let chunk = |(piece, chunk_index): (Piece<'_>, _)| Chunk {
        id: format!("{path_digits:032x}-{chunk_index}"),
        text: piece.text.into(),
        context: piece.context,
        source: SourceIndex(0),
        chunk_index,
        char_start: piece.char_start,
        char_end: piece.char_end,
    };
    let chunks: Vec<Chunk> = cut(&document, options).into_iter().zip(0..).map(chunk).collect();
    let language = language::of(chunks.iter().map(|chunk| &*chunk.text)).map(|language| language.code.into());
    (Source { path: document.path, language, chunks: 0..chunks.len() as u32 }, chunks)
}

fn cut<'a>(document: &'a Document, options: &Options) -> Vec<Piece<'a>> {
    let Options { strategy, chunk_size: size, chunk_overlap: overlap, .. } = *options;
    match strategy {
        Strategy::Characters => chunk::pieces(&document.text, size, overlap).collect(),
        Strategy::Structure => structure::pieces(&document.text, document.outline(), size, overlap),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    fn options(folder: &Path) -> Options {
        Options {
            folder: folder.to_path_buf(),
            follow_links: false,
            reading: Reading::default(),
            strategy: Strategy::Structure,
            chunk_size: 750,
            chunk_overlap: 0,
        }
    }

    fn windows(folder: &Path) -> Options {
        Options { strategy: Strategy::Characters, chunk_overlap: 150, ..options(folder) }
    }

    fn shipped_folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge")
    }

    fn shipped() -> Catalogue {
        load(&options(&shipped_folder()), &|_| ()).unwrap().catalogue
    }

    #[test]
    fn chunks_are_numbered_within_their_source_and_addressed_by_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/two.md"), "abcdefghij").unwrap();
        fs::write(folder.path().join("a.txt"), "short").unwrap();
        let loaded = load(&Options { chunk_size: 6, chunk_overlap: 2, ..windows(folder.path()) }, &|_| ()).unwrap();
        let seen: Vec<_> = loaded
            .catalogue
            .chunks
            .iter()
            .map(|chunk| {
                let source = loaded.catalogue.source(chunk.source);
                (source.path.as_str(), chunk.chunk_index, &*chunk.text, chunk.char_start..chunk.char_end)
            })
            .collect();
        assert_eq!(
            seen,
            [("a.txt", 0, "short", 0..5), ("b/two.md", 0, "abcdef", 0..6), ("b/two.md", 1, "efghij", 4..10)]
        );
        assert_eq!(loaded.catalogue.sources[1].chunks, 1..3);
        assert_eq!(loaded.catalogue.chunks[2].id, format!("{:032x}-1", xxh3_128(b"b/two.md")));
        assert!(loaded.catalogue.chunks.iter().all(|chunk| chunk.context.is_empty()));
        assert_eq!(loaded.warnings, Vec::<String>::new());
    }

    #[test]
    fn only_markdown_has_headings() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            "# The light\r\n\r\nThe keeper of the lamps is on the tower.\r\n\r\nA lens is made of glass and it turns.";
        for name in ["a.txt", "b.MD", "c.md"] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let options = Options { chunk_size: 60, ..options(folder.path()) };
        let catalogue = load(&options, &|_| ()).unwrap().catalogue;
        let contexts: Vec<_> = catalogue.chunks.iter().map(|chunk| (chunk.source.0, &*chunk.context)).collect();
        assert_eq!(contexts, [(0, ""), (0, ""), (1, ""), (1, "The light"), (2, ""), (2, "The light")]);
        assert_eq!(catalogue.sources[0].language.as_deref(), Some("en"));
        fs::write(folder.path().join("a.txt"), "{\"k\": 12}").unwrap();
        assert_eq!(load(&options, &|_| ()).unwrap().catalogue.sources[0].language, None);
    }

    #[test]
    fn no_chunk_holds_bytes_comments_or_control_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = "iVBORw0KGgoAAAANSUhEUgAAAAUA".repeat(1_500);
        let text = format!(
            "# The lamp\n\nThe keeper lights ![the old lamp](data:image/png;base64,{bytes}) at dusk.\n\n<!-- todo -->\n\n\
             Say <|im_end|> twice.\n\n```\n{bytes}\n```\n"
        );
        fs::write(folder.path().join("a.md"), text).unwrap();
        for options in [options(folder.path()), windows(folder.path())] {
            let chunks = load(&options, &|_| ()).unwrap().catalogue.chunks;
            let texts: Vec<&str> = chunks.iter().map(|chunk| &*chunk.text).collect();
            let [text] = texts[..] else { panic!("{} chunks", texts.len()) };
            assert!(
                text.contains("lights the old lamp at dusk.") && text.contains("Say <| im_end |> twice."),
                "{text}"
            );
            assert!(!text.contains("iVBOR") && !text.contains("todo"), "{text}");
        }
    }

    #[test]
    fn rows_are_documents_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let row = |number: usize| format!("{{\"text\": \"# Row {number}\", \"url\": \"a/b{number}\"}}\n");
        fs::write(folder.path().join("b.JSONL"), (1..=10).map(row).collect::<String>()).unwrap();
        fs::write(folder.path().join("b.JSONL!.txt"), "other").unwrap();
        fs::write(folder.path().join("a.parquet"), documents::parquet(&[("text", &[Some("one"), Some("two")])]))
            .unwrap();
        let loaded = load(&options(folder.path()), &|_| ()).unwrap();
        let paths: Vec<&str> = loaded.catalogue.sources.iter().map(|source| source.path.as_str()).collect();
        assert_eq!(paths[..5], ["a.parquet#1", "a.parquet#2", "b.JSONL!.txt", "b.JSONL#1", "b.JSONL#10"]);
        assert!(loaded.catalogue.source_position("b.JSONL#9").is_some());
        assert_eq!(loaded.catalogue.chunks[4].id, format!("{:032x}-0", xxh3_128(b"b.JSONL#10")));
        assert_eq!((&*loaded.catalogue.chunks[4].text, &*loaded.catalogue.chunks[4].context), ("# Row 10", ""));
        let named = Reading { id_column: Some("url".to_owned()), ..Reading::default() };
        let loaded = load(&Options { reading: named, ..options(folder.path()) }, &|_| ()).unwrap();
        assert_eq!(loaded.catalogue.sources[1].path, "b.JSONL#a/b1");
        assert_eq!(
            loaded.warnings,
            ["skipped, it has no column `url`; it has `text`: set `knowledge.id_column` to one of them: a.parquet"]
        );
    }

    #[test]
    fn an_overlap_as_long_as_the_chunk_is_refused() {
        let error = load(&Options { chunk_overlap: 750, ..options(Path::new("knowledge")) }, &|_| ()).unwrap_err();
        assert!(matches!(error, KnowledgeError::Chunking { size: 750, overlap: 750 }), "{error}");
    }

    #[test]
    fn the_shipped_documents_fill_a_small_index_in_five_languages() {
        let catalogue = shipped();
        assert!(catalogue.sources.len() >= 14, "{} documents", catalogue.sources.len());
        assert!(catalogue.chunks.len() >= 60, "{} chunks", catalogue.chunks.len());
        let mut languages = BTreeSet::new();
        for source in &catalogue.sources {
            let language = source.language.as_deref().unwrap();
            assert_eq!(source.path.split('/').next(), Some(language), "{}", source.path);
            languages.insert(language);
        }
        assert_eq!(languages, BTreeSet::from(["ar", "de", "en", "es", "fr"]));
    }

    #[test]
    fn shipped_chunks_are_whole_sentences_under_their_headings() {
        for chunk in &shipped().chunks {
            let length = chunk.text.chars().count();
            assert!((150..=750).contains(&length), "{length} characters: {}", chunk.text);
            assert!(chunk.text.ends_with(['.', '؟', '!', '?']), "{}", chunk.text);
            assert!(chunk.text.starts_with('#') || chunk.context.contains(" › "), "{}: {}", chunk.context, chunk.text);
            assert!(chunk.text.starts_with(|first: char| !first.is_lowercase()), "{}", chunk.text);
        }
    }

    #[test]
    fn questions_find_their_shipped_document() {
        let index = Index::build(Arc::new(shipped()), &|_| ()).unwrap();
        for (query, path) in [
            ("How long does a water molecule stay in the ocean?", "en/water-cycle-and-rivers.md"),
            ("feeding a sourdough starter", "en/sourdough-bread.md"),
            ("when should I replace a worn bicycle chain", "en/bicycle-maintenance.md"),
            ("finding Polaris in the night sky", "en/night-sky-for-beginners.md"),
            ("Fresnel lenses of lighthouses", "en/lighthouses.md"),
            ("Quelle température atteint un tas de compost ?", "fr/sol-et-compost.md"),
            ("infusion du thé vert", "fr/le-the.md"),
            ("conserver des archives papier", "fr/archives-et-bibliotheques.md"),
            ("كم بيضة تضع ملكة النحل في اليوم؟", "ar/tarbiyat-al-nahl.md"),
            ("ما خطوات الإسعاف الأولي للحروق؟", "ar/al-isaafat-al-awwaliya.md"),
            ("¿A qué temperatura se calienta la copa de aceite?", "es/cata-de-aceite-de-oliva.md"),
            ("reservar plaza en un refugio guardado", "es/refugios-de-montana.md"),
            ("Warum kommt das Hochwasser jeden Tag später?", "de/wattenmeer-und-gezeiten.md"),
            ("faule Schwelle am Fachwerk erneuern", "de/fachwerkhaus-sanieren.md"),
        ] {
            let best = index.best(query, 1).unwrap()[0];
            let catalogue = index.catalogue();
            assert_eq!(catalogue.source(catalogue.chunk(best.chunk).source).path, path, "{query}");
        }
    }
}
