//! The knowledge base: documents become chunks, chunks become an index, a query becomes passages. What was made of documents
//! is kept between runs, and made anew for those that have changed.

mod blobs;
mod chunk;
mod convert;
mod document;
#[cfg(test)]
#[path = "../../tests/support/documents.rs"]
mod documents;
pub mod embeddings;
mod encoding;
mod error;
mod formats;
mod hybrid;
mod index;
mod inventory;
mod language;
mod leaving;
mod likeness;
mod look;
mod options;
mod outline;
mod progress;
mod reading;
mod requests;
pub mod rerank;
mod retriever;
mod sandbox;
mod structure;
mod terms;
mod vectors;
mod walk;

pub use convert::{Convert, ConvertCommand};
pub use error::KnowledgeError;
pub use formats::texts;
pub use hybrid::Ranking;
pub use index::Index;
pub use leaving::leave;
pub use look::{Seen, look};
pub use options::{Anew, Options, Strategy};
pub use progress::{Progress, Step, Watch};
pub use reading::Reading;
pub use retriever::{Hit, Ranked, Retriever, Searching};
pub use sandbox::serve as read_documents;

use crate::domain::{Catalogue, Chunk, Source, SourceIndex};
use chunk::Piece;
use document::{Document, FileRead, Files};
use embeddings::Embedder;
use hybrid::VectorSearch;
use inventory::{Inventory, KeptChunks, KeptDocument, Key};
use rerank::Reranked;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use vectors::Vectors;
use xxhash_rust::xxh3::xxh3_128;

/// The form in which documents are read and cut; another one is a reason to read them again.
const READING: u32 = 3;

/// Chunks that are held in memory; of more, each is read when it is asked for.
const HELD: usize = 50_000;

/// The knowledge base, read and indexed.
pub struct Knowledge {
    /// Every chunk of every document.
    pub catalogue: Arc<Catalogue>,
    /// The words of its chunks.
    pub index: Arc<Index>,
    /// What finds passages for queries.
    pub retriever: Arc<dyn Retriever>,
    /// What the vectors of chunks follow from; none where passages are found by their words alone.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// What the user should know about how documents were read: what was left out, one line per kind with a count, then one
    /// line per file that was skipped or read in an unexpected way, each naming its file.
    pub warnings: Vec<String>,
    /// The digest of all that an index follows from.
    digest: String,
    /// Files of which nothing was kept that is still valid.
    read_anew: usize,
}

/// Documents and chunks of the knowledge folder.
struct Read {
    inventory: Arc<Inventory>,
    catalogue: Arc<Catalogue>,
    warnings: Vec<String>,
    /// The rows of its files.
    rows: Vec<i64>,
    /// The digests of its chunks as they are embedded, in their order.
    texts: Vec<Key>,
    /// The digest of all that an index follows from.
    digest: String,
    /// Files of which nothing was kept that is still valid.
    read_anew: usize,
}

/// Reads every document below the folder, cuts it into chunks, and indexes these by their words and, where there is an
/// embedding model, by their vectors; all but that on all cores. What the index folder has of it already is taken over. The
/// result depends on the files' relative paths and contents only: it is the same on every machine, but for what vectors differ
/// in their last digits between versions of a library and kinds of processors.
///
/// # Errors
/// When the folder is missing, when the system does not let a document in it be read, when no document holds any text, when
/// the chunking settings would never reach the end of a document, when the index folder can't be used, and when the model is missing or
/// fails.
pub async fn open(options: &Options, watch: Watch<'_>) -> Result<Knowledge, KnowledgeError> {
    open_with(options, embeddings::embedder(&options.embeddings)?, watch).await
}

/// As [`open`], with vectors of this embedder, whatever the options say of one; without one by words alone.
///
/// # Errors
/// As [`open`].
pub async fn open_with(
    options: &Options,
    embedder: Option<Arc<dyn Embedder>>,
    watch: Watch<'_>,
) -> Result<Knowledge, KnowledgeError> {
    let Read { inventory, catalogue, warnings, rows, texts, digest, read_anew } = read(options, watch)?;
    let index = Arc::new(Index::kept(catalogue.clone(), inventory.folder(), &digest, watch)?);
    let mut retriever: Arc<dyn Retriever> = index.clone();
    if options.by_words {
        return Ok(Knowledge { catalogue, index, retriever, embedder, warnings, digest, read_anew });
    }
    let is_in_use = |name: &str| name.strip_prefix(index::PREFIX) == Some(&*digest);
    if let Some(embedder) = &embedder {
        let digest = vectors_digest(&digest, &**embedder);
        if !vectors::are_kept(inventory.folder(), &digest) {
            vectors::embed_missing(&catalogue, &**embedder, (&inventory, &texts), watch).await?;
        }
        let vectors = Arc::new(Vectors::kept(&inventory, embedder.name(), &texts, &digest, vectors::LIMITS)?);
        let is_in_use = |name: &str| is_in_use(name) || name.strip_prefix(vectors::PREFIX) == Some(&*digest);
        inventory.settle(&rows, Some((&embeddings::key(embedder.name()), &texts)), is_in_use)?;
        let (index, embedder, ranking) = (index.clone(), embedder.clone(), options.ranking);
        retriever = Arc::new(VectorSearch { index, embedder, vectors, ranking });
    } else {
        inventory.settle(&rows, None, is_in_use)?;
    }
    if let Some(reranker) = &options.reranker {
        retriever = Arc::new(Reranked::load(reranker, retriever, catalogue.clone())?);
    }
    Ok(Knowledge { catalogue, index, retriever, embedder, warnings, digest, read_anew })
}

/// The digest of all that the vectors of an index follow from.
fn vectors_digest(index: &str, embedder: &dyn Embedder) -> String {
    format!("{:032x}", u128::from_be_bytes(embeddings::key(&format!("{index} {}", embedder.name()))))
}

fn read(options: &Options, watch: Watch<'_>) -> Result<Read, KnowledgeError> {
    let Options { chunk_size: size, chunk_overlap: overlap, strategy, .. } = *options;
    if overlap >= size {
        return Err(KnowledgeError::Chunking { size, overlap });
    }
    let inventory = Arc::new(Inventory::open(&options.index_folder)?);
    match options.anew {
        Anew::Nothing => {}
        Anew::Documents => inventory.forget(false)?,
        Anew::Everything => {
            inventory.forget(true)?;
            options.reading.convert.forget()?;
        }
    }
    let reading =
        embeddings::key(&format!("{READING} {} {size} {overlap} {}", strategy.as_str(), options.reading.told()));
    let known = |path: &str, content: &Key| inventory.known(path, content, &reading);
    let read_anew = AtomicUsize::new(0);
    let keep = |path: &str, content: &Key, FileRead { documents, warnings, is_final }| {
        read_anew.fetch_add(1, Ordering::Relaxed);
        let made: Vec<_> = documents.into_iter().map(|document| chunks(document, options)).collect();
        // What may come out otherwise the next time is not found again.
        let reading = if is_final { reading } else { Key::default() };
        inventory.keep((path, content, &reading), &made, warnings)
    };
    let how = (options.follow_links, &options.reading);
    let Files { files, mut warnings } = document::each(&options.folder, how, watch, known, keep)?;
    let rows = files.iter().map(|file| file.id).collect();
    warnings.extend(files.iter().flat_map(|file| file.warnings.clone()));
    let mut documents: Vec<KeptDocument> = files.into_iter().flat_map(|file| file.documents).collect();
    if documents.is_empty() {
        return Err(KnowledgeError::NothingToRead(warnings));
    }
    // With the rows of files among them.
    documents.sort_by(|one, other| one.path.cmp(&other.path));
    let (mut sources, mut of_documents) = (Vec::<Source>::with_capacity(documents.len()), Vec::new());
    for KeptDocument { id, path, language, digest, chunks } in documents {
        let first = sources.last().map_or(0, |source| source.chunks.end);
        let (language, digest) = (language.map(Into::into), digest.into());
        sources.push(Source { path, language, digest, chunks: first..first + chunks });
        of_documents.push(id);
    }
    let kept = KeptChunks::new(inventory.clone(), &sources, &of_documents);
    let mut catalogue = Catalogue::new(sources, Arc::new(kept));
    if catalogue.len() <= HELD {
        let held = Vec::from_iter(catalogue.chunks());
        check(&catalogue, &held, &options.index_folder)?;
        catalogue = Catalogue::new(catalogue.sources, Arc::new(held));
    }
    // What was read, and not what it was read from: the same bytes may come out otherwise the next time.
    let texts = inventory.texts(&of_documents)?;
    let of_sources = format!("{READING} {size} {overlap} {strategy:?} {:?}", catalogue.sources);
    let digest = format!("{:032x}", xxh3_128(&[texts.concat().as_slice(), of_sources.as_bytes()].concat()));
    let read_anew = read_anew.into_inner();
    Ok(Read { inventory, catalogue: Arc::new(catalogue), warnings, rows, texts, digest, read_anew })
}

/// Demands that the chunks are those that were kept.
fn check(catalogue: &Catalogue, held: &[Chunk], folder: &std::path::Path) -> Result<(), KnowledgeError> {
    let is_whole = |source: &&Source| {
        *source.digest != *texts_digest(&held[source.chunks.start as usize..source.chunks.end as usize])
    };
    match catalogue.sources.iter().find(is_whole) {
        None => Ok(()),
        Some(source) => Err(KnowledgeError::IndexFolder {
            path: folder.join(inventory::FILE),
            cause: format!("what it has of {} is not what was written", source.path),
        }),
    }
}

/// The digest of a document's chunks, by their texts.
fn texts_digest(chunks: &[Chunk]) -> String {
    let texts: Vec<&str> = chunks.iter().map(|chunk| &*chunk.text).collect();
    format!("xxh3:{:032x}", xxh3_128(texts.join("\0").as_bytes()))
}

/// What ids of a document's chunks begin with.
fn path_digits(path: &str) -> String {
    format!("{:032x}", xxh3_128(path.as_bytes()))
}

/// A document as a source and its chunks, as if it were the first of the knowledge base.
fn chunks(document: Document, options: &Options) -> (Source, Vec<Chunk>) {
    let path_digits = path_digits(&document.path);
    let chunk = |(piece, chunk_index): (Piece<'_>, _)| Chunk {
        id: format!("{path_digits}-{chunk_index}"),
        text: piece.text.into(),
        context: piece.context,
        source: SourceIndex(0),
        chunk_index,
        char_start: piece.char_start,
        char_end: piece.char_end,
    };
    let chunks: Vec<Chunk> = cut(&document, options).into_iter().zip(0..).map(chunk).collect();
    let language = language::of(chunks.iter().map(|chunk| &*chunk.text)).map(|language| language.code.into());
    let digest = texts_digest(&chunks).into();
    (Source { path: document.path, language, digest, chunks: 0..chunks.len() as u32 }, chunks)
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
    use crate::domain::ChunkIndex;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};
    use tempfile::TempDir;

    fn options(folder: &Path) -> Options {
        Options::of(folder.to_path_buf(), PathBuf::new())
    }

    /// Reads documents into an index folder of its own.
    fn load(options: &Options) -> Result<(TempDir, Read), KnowledgeError> {
        let index = tempfile::tempdir().unwrap();
        let read = read(&Options { index_folder: index.path().to_owned(), ..options.clone() }, &|_| ())?;
        Ok((index, read))
    }

    fn texts(read: &Read) -> Vec<String> {
        read.catalogue.chunks().map(|chunk| chunk.text.to_string()).collect()
    }

    fn windows(folder: &Path) -> Options {
        Options { strategy: Strategy::Characters, chunk_overlap: 150, ..options(folder) }
    }

    fn shipped_folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge")
    }

    fn shipped() -> Arc<Catalogue> {
        load(&options(&shipped_folder())).unwrap().1.catalogue
    }

    #[test]
    fn chunks_are_numbered_within_their_source_and_addressed_by_path() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/two.md"), "abcdefghij").unwrap();
        fs::write(folder.path().join("a.txt"), "short").unwrap();
        let (_index, loaded) = load(&Options { chunk_size: 6, chunk_overlap: 2, ..windows(folder.path()) }).unwrap();
        let seen: Vec<_> = loaded
            .catalogue
            .chunks()
            .map(|chunk| {
                let path = loaded.catalogue.source(chunk.source).path.clone();
                (path, chunk.chunk_index, chunk.text.to_string(), chunk.char_start..chunk.char_end)
            })
            .collect();
        let expected = [("a.txt", 0, "short", 0..5), ("b/two.md", 0, "abcdef", 0..6), ("b/two.md", 1, "efghij", 4..10)];
        assert_eq!(seen, expected.map(|(path, at, text, range)| (path.to_owned(), at, text.to_owned(), range)));
        assert_eq!(loaded.catalogue.sources[1].chunks, 1..3);
        assert_eq!(loaded.catalogue.chunk(ChunkIndex(2)).id, format!("{:032x}-1", xxh3_128(b"b/two.md")));
        assert!(loaded.catalogue.chunks().all(|chunk| chunk.context.is_empty()));
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
        let catalogue = load(&options).unwrap().1.catalogue;
        let contexts: Vec<_> = catalogue.chunks().map(|chunk| (chunk.source.0, chunk.context.to_string())).collect();
        let expected = [(0, ""), (0, ""), (1, ""), (1, "The light"), (2, ""), (2, "The light")];
        assert_eq!(contexts, expected.map(|(source, context)| (source, context.to_owned())));
        assert_eq!(catalogue.sources[0].language.as_deref(), Some("en"));
        fs::write(folder.path().join("a.txt"), "{\"k\": 12}").unwrap();
        assert_eq!(load(&options).unwrap().1.catalogue.sources[0].language, None);
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
            let texts = texts(&load(&options).unwrap().1);
            let [text] = &texts[..] else { panic!("{} chunks", texts.len()) };
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
        let (_index, loaded) = load(&options(folder.path())).unwrap();
        let paths: Vec<&str> = loaded.catalogue.sources.iter().map(|source| source.path.as_str()).collect();
        assert_eq!(paths[..5], ["a.parquet#1", "a.parquet#2", "b.JSONL!.txt", "b.JSONL#1", "b.JSONL#10"]);
        assert!(loaded.catalogue.source_position("b.JSONL#9").is_some());
        let chunk = loaded.catalogue.chunk(ChunkIndex(4));
        assert_eq!(chunk.id, format!("{:032x}-0", xxh3_128(b"b.JSONL#10")));
        assert_eq!((&*chunk.text, &*chunk.context), ("# Row 10", ""));
        let named = Reading { id_column: Some("url".to_owned()), ..Reading::default() };
        let (_index, loaded) = load(&Options { reading: named, ..options(folder.path()) }).unwrap();
        assert_eq!(loaded.catalogue.sources[1].path, "b.JSONL#a/b1");
        assert_eq!(
            loaded.warnings,
            ["skipped, it has no column `url`; it has `text`: set `knowledge.id_column` to one of them: a.parquet"]
        );
    }

    #[test]
    fn a_folder_without_text_is_an_error_that_says_why() {
        let folder = |files: &[(&str, &[u8])]| {
            let folder = tempfile::tempdir().unwrap();
            files.iter().for_each(|(path, bytes)| fs::write(folder.path().join(path), bytes).unwrap());
            folder
        };
        let refused = |folder: &Path| load(&options(folder)).err().unwrap().to_string();
        let stem = "No supported knowledge files found. Add at least one .txt, .md, or .pdf under knowledge/.";
        for (files, note) in [
            (&[][..], ""),
            (
                &[("x.pptx", b"PK" as &[u8]), ("y.pptx", b"PK"), ("z.odt", b"PK")],
                " There are: 3 files of types .pptx (2), .odt (1) left out, which this version does not read.",
            ),
            (
                &[("x.jsonl", b"{}" as &[u8]), ("z.html", b"<p>")],
                " There are: skipped, it has no column `text`; it has none: set `knowledge.text_column` to one of them: \
                 x.jsonl; skipped, it is empty: z.html.",
            ),
            (
                &[("x.md", b"" as &[u8]), ("y.txt", b"\0\0")],
                " There are: skipped, it is empty: x.md; skipped, it holds NUL bytes, as no text does: y.txt.",
            ),
        ] {
            assert_eq!(refused(folder(files).path()), format!("{stem}{note}"));
        }
        let empty: Vec<String> = (0..30).map(|n| format!("{n:02}.md")).collect();
        let empty: Vec<(&str, &[u8])> = empty.iter().map(|path| (path.as_str(), b"" as &[u8])).collect();
        let error = refused(folder(&empty).path());
        assert!(error.ends_with("; skipped, it is empty: 07.md; and 22 more."), "{error}");
        let missing = folder(&[]).path().join("knowledge");
        assert_eq!(refused(&missing), format!("Missing knowledge directory: {}", missing.display()));
    }

    #[test]
    fn an_overlap_as_long_as_the_chunk_is_refused() {
        let error = load(&Options { chunk_overlap: 750, ..options(Path::new("knowledge")) }).err().unwrap();
        assert!(matches!(error, KnowledgeError::Chunking { size: 750, overlap: 750 }), "{error}");
    }

    #[test]
    fn the_shipped_documents_fill_a_small_index_in_five_languages() {
        let catalogue = shipped();
        assert!(catalogue.sources.len() >= 14, "{} documents", catalogue.sources.len());
        assert!(catalogue.len() >= 60, "{} chunks", catalogue.len());
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
        for chunk in shipped().chunks() {
            let length = chunk.text.chars().count();
            assert!((150..=750).contains(&length), "{length} characters: {}", chunk.text);
            assert!(chunk.text.ends_with(['.', '؟', '!', '?']), "{}", chunk.text);
            assert!(chunk.text.starts_with('#') || chunk.context.contains(" › "), "{}: {}", chunk.context, chunk.text);
            assert!(chunk.text.starts_with(|first: char| !first.is_lowercase()), "{}", chunk.text);
        }
    }

    #[test]
    fn questions_find_their_shipped_document() {
        let index = Index::build(shipped(), &|_| ()).unwrap();
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
            let (best, _) = index.best(query, 1).unwrap()[0];
            let catalogue = index.catalogue();
            assert_eq!(catalogue.source(catalogue.source_of(best)).path, path, "{query}");
        }
    }
}
