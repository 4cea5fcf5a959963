//! Finds the chunks that share the rarest words with a query: BM25, in memory or in files.

use super::KnowledgeError;
use super::language::{self, Language};
use super::progress::Counter;
use super::{Step, Watch, terms};
use crate::domain::{Catalogue, Chunk, ChunkIndex};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use tantivy::collector::TopDocs;
use tantivy::directory::{Directory, MmapDirectory, RamDirectory};
use tantivy::index::{IndexBuilder, IndexSettings, InvertedIndexReader};
use tantivy::postings::TermInfo;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{PreTokenizedString, Token};
use tantivy::{DocSet, ReloadPolicy, Searcher, SingleSegmentIndexWriter, TantivyDocument, Term};

/// Words of a query that are looked up; what follows them is ignored, so that no query is slow.
const QUERY_WORDS: usize = 256;

/// Weight, beside 1 for the others, of a query's words that name no subject in some language of the knowledge base.
/// Prose has few question words, so that BM25 alone would take them for telling; no word is dropped, because a
/// function word of one language is a noun of another.
const SLIGHT: f32 = 0.1;

/// Bytes from which the index writer sizes its first hash table; the table grows as needed.
const FIRST_TABLE: usize = 1_000_000;

/// Words whose terms are remembered; then they are looked up again.
const REMEMBERED: usize = 20_000;

/// Chunks whose words are found at a time.
const BATCH: u32 = 4_096;

/// Why reading the index does not fail.
const MAPPED: &str = "an index in memory, or mapped into it, has nothing that could fail when terms are looked up";

/// What names of folders with an index begin with; the digest of all that it follows from comes after it.
pub(super) const PREFIX: &str = "lexical-";

/// A searchable knowledge base. Searching takes `&self` and no lock: share it between threads.
pub struct Index {
    catalogue: Arc<Catalogue>,
    searcher: Searcher,
    /// The terms of its only segment; none where there are no chunks.
    terms: Option<Arc<InvertedIndexReader>>,
    field: Field,
    languages: Vec<&'static Language>,
    /// Folded words that name no subject in some of these languages.
    slight: HashSet<&'static str>,
    /// What was found of words that were looked up: most questions are asked in the same few words.
    known: Mutex<HashMap<String, Known>>,
}

/// The terms of a word that some chunk has, and where they are in the index.
type Known = Arc<[(Term, TermInfo)]>;

impl Index {
    /// Indexes every chunk of a catalogue in memory, on all cores.
    ///
    /// # Errors
    /// When the search engine refuses: it has no reason to, short of a lack of memory.
    pub fn build(catalogue: Arc<Catalogue>, watch: Watch<'_>) -> Result<Self, KnowledgeError> {
        let index = write(&catalogue, RamDirectory::create(), watch)?;
        Self::of(catalogue, &index)
    }

    /// The index of a catalogue in a folder of its own below `folder`, named by the digest of all that it follows from; it
    /// is built, on all cores, where it is not there.
    ///
    /// # Errors
    /// When it can't be written or read.
    pub(super) fn kept(
        catalogue: Arc<Catalogue>,
        folder: &Path,
        digest: &str,
        watch: Watch<'_>,
    ) -> Result<Self, KnowledgeError> {
        let path = folder.join(format!("{PREFIX}{digest}"));
        let failed =
            |cause: std::io::Error| KnowledgeError::IndexFolder { path: path.clone(), cause: cause.to_string() };
        if !path.is_dir() {
            // Under another name until it is whole.
            let begun = tempfile::Builder::new().prefix(PREFIX).tempdir_in(folder).map_err(failed)?;
            let directory = MmapDirectory::open(begun.path()).map_err(|error| failed(std::io::Error::other(error)))?;
            drop(write(&catalogue, directory, watch)?);
            fs::rename(begun.keep(), &path).map_err(failed)?;
        }
        let opened = tantivy::Index::open_in_dir(&path).map_err(|error| failed(std::io::Error::other(error)))?;
        Self::of(catalogue, &opened)
    }

    fn of(catalogue: Arc<Catalogue>, index: &tantivy::Index) -> Result<Self, KnowledgeError> {
        let mut languages: Vec<&'static Language> = languages(&catalogue).into_iter().flatten().collect();
        languages.sort_by_key(|language| language.code);
        languages.dedup_by_key(|language| language.code);
        let field = schema().1;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        let terms = searcher.segment_readers().first().map(|segment| segment.inverted_index(field)).transpose()?;
        let slight = languages.iter().flat_map(|language| language.slight()).collect();
        Ok(Self { catalogue, searcher, terms, field, languages, slight, known: Mutex::default() })
    }

    /// The best `k` chunks for a query in any words, best first, equal ones in catalogue order, each with its BM25 score
    /// (k1 = 1.2, b = 0.75; comparable within one query only); only chunks that share a word with it, hence none for a query
    /// without words.
    ///
    /// # Errors
    /// When the search engine fails.
    pub fn best(&self, query: &str, k: usize) -> Result<Vec<(ChunkIndex, f32)>, KnowledgeError> {
        let limit = k.min(self.catalogue.len());
        let terms = self.query_terms(query);
        if limit == 0 || terms.is_empty() {
            return Ok(Vec::new());
        }
        let clauses = terms.into_iter().map(|(term, weight)| {
            let term = TermQuery::new(term, IndexRecordOption::WithFreqs);
            let query: Box<dyn Query> = Box::new(BoostQuery::new(Box::new(term), weight));
            (Occur::Should, query)
        });
        let best = TopDocs::with_limit(limit).order_by_score();
        let found =
            self.searcher.search(&BooleanQuery::new(clauses.collect()), &best).map_err(KnowledgeError::Search)?;
        Ok(found.into_iter().map(|(score, at)| (ChunkIndex(at.doc_id), score)).collect())
    }

    /// How much of what a query is about each of these chunks has in it, in its text or in the headings above it: the share,
    /// from 0 to 1, of the query's words that it has, as they are or inflected, in a language of the knowledge base.
    ///
    /// Words weigh as much as they are rare in the knowledge base: `ln(1 + (N - n + 0.5) / (n + 0.5))` for a word in `n`
    /// of `N` chunks, as in BM25. A word that is in none weighs as one that is in a single chunk. Words that name no
    /// subject don't count; a query of no others is about nothing, so that nothing contradicts it: 1.
    ///
    /// ```
    /// # use dlgforge::knowledge::Index;
    /// # use dlgforge::domain::{Catalogue, Chunk, ChunkIndex, Source, SourceIndex};
    /// # let text = "Wash the filters with cold water every month.";
    /// # let chunk = Chunk {
    /// #     id: "0-0".to_owned(), text: text.into(), context: "".into(), source: SourceIndex(0), chunk_index: 0,
    /// #     char_start: 0, char_end: 45,
    /// # };
    /// # let (path, language) = ("pump.md".to_owned(), Some("en".into()));
    /// # let source = Source { path, language, digest: "".into(), chunks: 0..1 };
    /// # let catalogue = Catalogue::new(vec![source], std::sync::Arc::new(vec![chunk]));
    /// // One chunk: "Wash the filters with cold water every month."
    /// let index = Index::build(catalogue.into(), &|_| ())?;
    /// assert_eq!(index.nearness("How is the filter washed?", &[ChunkIndex(0)]), [1.0]);
    /// assert_eq!(index.nearness("When is a sourdough starter ready?", &[ChunkIndex(0)]), [0.0]);
    /// # Ok::<(), dlgforge::knowledge::KnowledgeError>(())
    /// ```
    pub fn nearness(&self, query: &str, chunks: &[ChunkIndex]) -> Vec<f32> {
        let total = self.catalogue.len().max(1) as f32;
        let (mut had, mut all) = (vec![0.0; chunks.len()], 0.0);
        for word in query_words(query) {
            if self.is_slight(&terms::folded(&word)) {
                continue;
            }
            let (frequency, are_there) = self.occurrence(&word, chunks);
            let frequency = frequency.max(1) as f32;
            let weight = (1.0 + (total - frequency + 0.5) / (frequency + 0.5)).ln();
            all += weight;
            had.iter_mut().zip(are_there).for_each(|(had, is_there)| *had += if is_there { weight } else { 0.0 });
        }
        had.into_iter().map(|had| if all > 0.0 { had / all } else { 1.0 }).collect()
    }

    /// The words of a text that may tell what it is about, each once, in order, in lower case.
    pub fn telling_words(&self, text: &str) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for word in terms::words(text).into_iter().take(QUERY_WORDS) {
            if !words.contains(&word) && !self.is_slight(&terms::folded(&word)) {
                words.push(word);
            }
        }
        words
    }

    /// In how many chunks a word is, in its most frequent form, and whether it is in each of these.
    fn occurrence(&self, word: &str, chunks: &[ChunkIndex]) -> (u32, Vec<bool>) {
        let (mut frequency, mut are_there) = (0, vec![false; chunks.len()]);
        let Some(inverted) = &self.terms else { return (frequency, are_there) };
        for (_, info) in self.known_terms(word).iter() {
            frequency = frequency.max(info.doc_freq);
            for (chunk, is_there) in chunks.iter().zip(&mut are_there) {
                let postings = inverted.read_postings_from_terminfo(info, IndexRecordOption::Basic);
                let mut postings = postings.expect(MAPPED);
                // A chunk's position is its document number.
                *is_there |= postings.doc() <= chunk.0 && postings.seek(chunk.0) == chunk.0;
            }
        }
        (frequency, are_there)
    }

    /// The knowledge base that was indexed.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// Those terms of a query that some chunk has, with their weights; sorted, so that scores are added up in the same order
    /// whatever the order of the words.
    fn query_terms(&self, query: &str) -> BTreeMap<Term, f32> {
        let mut terms = BTreeMap::new();
        for word in query_words(query) {
            let weight = if self.is_slight(&terms::folded(&word)) { SLIGHT } else { 1.0 };
            terms.extend(self.known_terms(&word).iter().map(|(term, _)| (term.clone(), weight)));
        }
        terms
    }

    /// The terms of a word that some chunk has.
    pub(super) fn known_terms(&self, word: &str) -> Known {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(word) {
            return found.clone();
        }
        let find = |term: String| {
            let term = Term::from_field_text(self.field, &term);
            let info = self.terms.as_ref()?.get_term_info(&term).expect(MAPPED)?;
            Some((term, info))
        };
        let found: Known = terms::of_word(word, &self.languages).filter_map(find).collect();
        if known.len() == REMEMBERED {
            known.clear();
        }
        known.insert(word.to_owned(), found.clone());
        found
    }

    /// Whether a folded word names no subject in some language of the knowledge base.
    fn is_slight(&self, folded: &str) -> bool {
        self.slight.contains(folded)
    }
}

/// The language of each source, where it is one whose words are known.
fn languages(catalogue: &Catalogue) -> Vec<Option<&'static Language>> {
    catalogue.sources.iter().map(|source| source.language.as_deref().and_then(language::named)).collect()
}

/// Indexes every chunk of a catalogue, on all cores.
fn write(
    catalogue: &Catalogue,
    directory: impl Into<Box<dyn Directory>>,
    watch: Watch<'_>,
) -> Result<tantivy::Index, KnowledgeError> {
    let (schema, field) = schema();
    // One segment, written in order by this thread, makes a chunk's position its document number: hits need no
    // stored field, equal scores come in chunk order, and scores do not depend on how the work was scheduled.
    let settings = IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
    let builder = IndexBuilder::new().schema(schema).settings(settings);
    let mut writer: SingleSegmentIndexWriter = builder.single_segment_index_writer(directory, FIRST_TABLE)?;
    let languages = languages(catalogue);
    let total = catalogue.len() as u32;
    let analysed = |first: u32| -> Vec<TantivyDocument> {
        let document = |chunk| {
            let chunk = catalogue.chunk(ChunkIndex(chunk));
            document(field, &chunk, languages[chunk.source.0 as usize].as_slice())
        };
        (first..(first + BATCH).min(total)).into_par_iter().map(document).collect()
    };
    let counter = Counter::new(Step::Chunks, total as usize, watch);
    // While the words of some chunks are added, other cores find those of the next.
    let mut batches = (0..total).step_by(BATCH as usize);
    let mut ready = batches.next().map(analysed);
    while let Some(documents) = ready {
        let count = documents.len();
        let add = || documents.into_iter().try_for_each(|document| writer.add_document(document));
        let (added, next) = rayon::join(add, || batches.next().map(analysed));
        added?;
        counter.add(count);
        ready = next;
    }
    Ok(writer.finalize()?)
}

/// Each word once, in a fixed order.
fn query_words(query: &str) -> BTreeSet<String> {
    terms::words(query).into_iter().take(QUERY_WORDS).collect()
}

fn schema() -> (Schema, Field) {
    let indexing = TextFieldIndexing::default().set_index_option(IndexRecordOption::WithFreqs).set_fieldnorms(true);
    let mut schema = Schema::builder();
    let field = schema.add_text_field("text", TextOptions::default().set_indexing_options(indexing));
    (schema.build(), field)
}

fn document(field: Field, chunk: &Chunk, languages: &[&'static Language]) -> TantivyDocument {
    let words = [terms::words(&chunk.context), terms::words(&chunk.text)];
    let terms = words.iter().flatten().flat_map(|word| terms::of_word(word, languages));
    let tokens = terms.enumerate().map(|(position, text)| Token { position, text, ..Token::default() }).collect();
    let mut document = TantivyDocument::new();
    document.add_pre_tokenized_text(field, PreTokenizedString { text: String::new(), tokens });
    document
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::fixtures;
    use proptest::prelude::*;

    /// A catalogue with one document per text.
    fn catalogue(texts: &[&str]) -> Arc<Catalogue> {
        let documents = texts.iter().enumerate();
        let mut catalogue = fixtures::catalogue(
            documents.map(|(at, text)| (format!("{at:032x}"), format!("{at:03}.txt"), vec![*text])),
        );
        for (source, text) in catalogue.sources.iter_mut().zip(texts) {
            source.language = language::of([*text].into_iter()).map(|language| language.code.into());
        }
        Arc::new(catalogue)
    }

    const TEXTS: [&str; 7] = [
        "The keeper of the lighthouse trimmed the wicks of the lamps and wound the clock that turned the lens.",
        "Le levain est nourri avec de la farine et de l'eau, et les bulles sont le signe d'une fermentation réussie.",
        "يُنتِجُ النَّحْلُ العَسَلَ من رحيق الأزهار، ثم تُغلَق العيون السداسية في الخلية بالشمع عند نضجه.",
        "El panadero amasa la masa por la mañana y la deja reposar para que los panes crezcan en el horno.",
        "Die Imker öffnen die Bienenstöcke nicht im Winter, und der Honig wird im Sommer mit einer Schleuder geerntet.",
        "水は海から蒸発し、雲になり、雨として山に降る。",
        "select id, price from tariff where zone = 7;",
    ];

    fn found(index: &Index, query: &str, k: usize) -> Vec<u32> {
        index.best(query, k).unwrap().iter().map(|(chunk, _)| chunk.0).collect()
    }

    fn near(index: &Index, query: &str, chunk: u32) -> f32 {
        index.nearness(query, &[ChunkIndex(chunk)])[0]
    }

    #[test]
    fn queries_find_their_chunk_in_every_language() {
        let index = Index::build(catalogue(&TEXTS), &|_| ()).unwrap();
        for (query, expected) in [
            ("lighthouse keepers", 0),
            ("LAMP trimming", 0),
            ("nourrir le levain", 1),
            ("fermentations reussies", 1),
            ("عسل النحل", 2),
            ("الخَلِيَّة", 2),
            ("pan en hornos", 3),
            ("reposó la mañana", 3),
            ("bienenstock im winter", 4),
            ("öffnet ein Imker", 4),
            ("雨", 5),
            ("tariff zone", 6),
        ] {
            assert_eq!(found(&index, query, 1), [expected], "{query}");
        }
    }

    #[test]
    fn rare_words_outweigh_frequent_ones() {
        let texts = ["a hive of bees", "hive by hive", "the hive and its comb", "a smoker"];
        let index = Index::build(catalogue(&texts), &|_| ()).unwrap();
        assert_eq!(found(&index, "hive smoker", 2), [3, 1]);
    }

    #[test]
    fn the_words_of_asking_weigh_little_unless_they_are_all_there_is() {
        let texts =
            ["What a day it does look, as if it were like to rain.", "A meteor is dust.", "The or of the king."];
        let index = Index::build(catalogue(&texts), &|_| ()).unwrap();
        assert_eq!(found(&index, "What does a meteor look like?", 1), [1]);
        assert_eq!(found(&index, "what does", 3), [0]);
        assert_eq!(found(&index, "or", 1), [2]);
    }

    #[test]
    fn text_that_is_no_query_finds_nothing() {
        let index = Index::build(catalogue(&TEXTS), &|_| ()).unwrap();
        for query in ["", "  \n", "((:\"*", "+-!(){}[]^~?\\/", "\u{0}", "zzzz"] {
            assert_eq!(index.best(query, 5).unwrap(), [], "{query:?}");
        }
        for query in ["((: lighthouse \"*", "lighthouse AND (", "-lighthouse", "text:lighthouse^1e9"] {
            assert_eq!(found(&index, query, 1), [0], "{query:?}");
        }
        assert_eq!(found(&index, &("lighthouse ".to_owned() + &"word ".repeat(100_000)), 1), [0]);
    }

    #[test]
    fn the_headings_above_a_chunk_are_searched_too() {
        let catalogue = catalogue(&["Wash it with cold water.", "Turn it to the right."]);
        let mut chunks = Vec::from_iter(catalogue.chunks());
        chunks[1].context = "Aurora 8 heat pump › Filters".into();
        let catalogue = Arc::new(Catalogue::new(catalogue.sources.clone(), Arc::new(chunks)));
        let index = Index::build(catalogue, &|_| ()).unwrap();
        assert_eq!(found(&index, "filters of the Aurora", 2), [1]);
        assert_eq!(near(&index, "filters of the Aurora", 1), 1.0);
        assert_eq!(near(&index, "filters of the Aurora", 0), 0.0);
    }

    /// A heat pump's manual, in three languages.
    const MANUAL: [&str; 6] = [
        "The filters of the pump must be cleaned every month. Wash them with cold water.",
        "The display shows error 12 when the pressure of the water is too low for the pump.",
        "Les filtres de la pompe doivent être nettoyés tous les mois à l'eau froide.",
        "L'erreur 12 est affichée quand la pression de l'eau est trop basse pour la pompe.",
        "يجب تنظيف المرشحات في المضخة كل شهر، ثم تُغسل بالماء البارد من الداخل.",
        "يظهر الخطأ ١٢ عند انخفاض الضغط في المضخة عن الحد الذي في الجدول.",
    ];

    #[test]
    fn a_question_is_near_the_passage_that_has_its_words_in_other_inflections() {
        let index = Index::build(catalogue(&MANUAL), &|_| ()).unwrap();
        for (query, chunk) in [
            ("How is the pump's filter cleaned?", 0),
            ("What does the error 12 show?", 1),
            ("Quand doit-on nettoyer le filtre ?", 2),
            ("Pourquoi la pompe affiche-t-elle l'erreur 12 ?", 3),
            ("كيف المرشحات تنظيف؟", 4),
            ("متى يظهر خطأ 12؟", 5),
        ] {
            assert_eq!(near(&index, query, chunk), 1.0, "{query}");
            assert!(near(&index, query, (chunk + 1) % 6) < 0.7, "{query}");
        }
    }

    #[test]
    fn a_question_about_something_else_is_near_nothing() {
        let index = Index::build(catalogue(&MANUAL), &|_| ()).unwrap();
        for query in [
            "When is a sourdough starter ready?",
            "Quand le levain est-il prêt ?",
            "متى تكون خميرة العجين جاهزة؟",
            "zzzz",
        ] {
            for chunk in 0..6 {
                assert_eq!(near(&index, query, chunk), 0.0, "{query}");
            }
        }
        for query in ["", "What is it?", "Qu'est-ce que c'est ?", "ما هو؟"] {
            assert_eq!(near(&index, query, 0), 1.0, "{query}");
        }
    }

    #[test]
    fn rare_and_unknown_words_weigh_most() {
        let texts = ["pump filter", "pump water", "pump hose", "pump valve"];
        let index = Index::build(catalogue(&texts), &|_| ()).unwrap();
        let near = |query: &str| near(&index, query, 0);
        assert!(near("pump water") < 0.2 && near("filter water") == 0.5 && near("hose valve") == 0.0);
        assert_eq!(near("filter sourdough"), near("filter hose"));
        assert_eq!(near("filter filter sourdough"), near("sourdough filter"));
    }

    #[test]
    fn k_is_a_limit() {
        let index = Index::build(catalogue(&["wax comb", "wax", "honey"]), &|_| ()).unwrap();
        for (k, hits) in [(0, 0), (1, 1), (2, 2), (usize::MAX, 2)] {
            assert_eq!(index.best("wax", k).unwrap().len(), hits, "{k}");
        }
        assert_eq!(Index::build(catalogue(&[]), &|_| ()).unwrap().best("wax", 3).unwrap(), []);
    }

    #[test]
    fn equal_scores_come_in_catalogue_order() {
        let texts = ["pollen and nectar"; 40];
        let index = Index::build(catalogue(&texts), &|_| ()).unwrap();
        assert_eq!(found(&index, "nectar pollen", 25), (0..25).collect::<Vec<_>>());
    }

    #[test]
    fn scores_do_not_depend_on_threads_builds_or_word_order() {
        let (one, other) =
            (Index::build(catalogue(&TEXTS), &|_| ()).unwrap(), Index::build(catalogue(&TEXTS), &|_| ()).unwrap());
        let expected = other.best("the lens of lamps, honig", 7).unwrap();
        assert!(expected.len() > 1 && expected.is_sorted_by(|a, b| a.1 >= b.1));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        assert_eq!(one.best("Honig lamps of the LENS the", 7).unwrap(), expected);
                    }
                });
            }
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_can_be_indexed_and_asked(text in any::<String>(), query in any::<String>(), k in 0usize..5) {
            let index = Index::build(catalogue(&[&text, "honey"]), &|_| ()).unwrap();
            prop_assert!(index.best(&query, k).unwrap().len() <= k.min(2));
            prop_assert_eq!(index.best(&text, 2).unwrap().iter().any(|(chunk, _)| chunk.0 == 0), !terms::words(&text).is_empty());
        }
    }
}
