//! The knowledge base: documents become chunks, chunks become an index, a query becomes passages.

mod chunk;
mod document;
mod error;
mod index;
mod language;
mod terms;

pub use error::KnowledgeError;
pub use index::{Hit, Index};

use crate::words::{Catalogue, Chunk, Source, SourceIndex};
use std::path::PathBuf;
use xxhash_rust::xxh3::xxh3_128;

/// `tools.retrieval.chunking` and the folder to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The folder, `<root>/knowledge`.
    pub folder: PathBuf,
    /// Longest chunk, in characters.
    pub chunk_size: usize,
    /// Characters a chunk repeats of the one before.
    pub chunk_overlap: usize,
}

/// The knowledge folder as chunks, and what the user should know about how it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Every chunk of every document.
    pub catalogue: Catalogue,
    /// One line per file that was skipped or read in an unexpected way, each naming its file.
    pub warnings: Vec<String>,
}

/// Reads every document below the folder and cuts it into chunks. The result depends on the files' relative paths and
/// contents only: it is the same on every machine.
///
/// # Errors
/// When the folder is missing, when a document in it cannot be read, when no document holds any text, and when the
/// chunking settings would never reach the end of a document.
pub fn load(options: &Options) -> Result<Loaded, KnowledgeError> {
    let Options { chunk_size: size, chunk_overlap: overlap, .. } = *options;
    if overlap >= size {
        return Err(KnowledgeError::Chunking { size, overlap });
    }
    let document::Documents { documents, warnings } = document::read_all(&options.folder)?;
    let mut catalogue = Catalogue::default();
    for document in documents {
        add(&mut catalogue, document, size, overlap);
    }
    Ok(Loaded { catalogue, warnings })
}

fn add(catalogue: &mut Catalogue, document: document::Document, size: usize, overlap: usize) {
    let source = SourceIndex(catalogue.sources.len() as u32);
    let first = catalogue.chunks.len() as u32;
    let path_digits = xxh3_128(document.path.as_bytes());
    catalogue.chunks.extend(chunk::pieces(&document.text, size, overlap).zip(0..).map(|(piece, chunk_index)| Chunk {
        id: format!("{path_digits:032x}-{chunk_index}"),
        text: piece.text.into(),
        source,
        chunk_index,
        char_start: piece.char_start,
        char_end: piece.char_end,
    }));
    catalogue.sources.push(Source { path: document.path, chunks: first..catalogue.chunks.len() as u32 });
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
        Options { folder: folder.to_path_buf(), chunk_size: 750, chunk_overlap: 150 }
    }

    fn shipped() -> Catalogue {
        load(&options(&Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge"))).unwrap().catalogue
    }

    #[test]
    fn chunks_are_numbered_within_their_source_and_addressed_by_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/two.md"), "abcdefghij").unwrap();
        fs::write(folder.path().join("a.txt"), "short").unwrap();
        let loaded = load(&Options { chunk_size: 6, chunk_overlap: 2, ..options(folder.path()) }).unwrap();
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
        assert_eq!(loaded.warnings, Vec::<String>::new());
    }

    #[test]
    fn an_overlap_as_long_as_the_chunk_is_refused() {
        let error = load(&Options { chunk_overlap: 750, ..options(Path::new("knowledge")) }).unwrap_err();
        assert!(matches!(error, KnowledgeError::Chunking { size: 750, overlap: 750 }), "{error}");
    }

    #[test]
    fn the_shipped_documents_fill_a_small_index_in_five_languages() {
        let catalogue = shipped();
        assert!(catalogue.sources.len() >= 14, "{} documents", catalogue.sources.len());
        assert!(catalogue.chunks.len() >= 60, "{} chunks", catalogue.chunks.len());
        let mut languages = BTreeSet::new();
        for source in &catalogue.sources {
            let chunks = &catalogue.chunks[source.chunks.start as usize..source.chunks.end as usize];
            let language = language::of(chunks.iter().map(|chunk| &*chunk.text)).unwrap();
            assert_eq!(source.path.split('/').next(), Some(language.code), "{}", source.path);
            languages.insert(language.code);
        }
        assert_eq!(languages, BTreeSet::from(["ar", "de", "en", "es", "fr"]));
    }

    #[test]
    fn questions_find_their_shipped_document() {
        let index = Index::build(Arc::new(shipped())).unwrap();
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
            let best = index.search(query, 1)[0];
            let catalogue = index.catalogue();
            assert_eq!(catalogue.source(catalogue.chunk(best.chunk).source).path, path, "{query}");
        }
    }
}
