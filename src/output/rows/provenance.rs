//! Where an answer comes from: what the assistant was shown for it, by id and place, without its text.

use super::json::Text;
use crate::domain::reply::Evidence;
use crate::domain::{Answer, Catalogue, Found, Passage, Scores, SearchHit};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// A passage or a page that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place<'a> {
    /// The id of the chunk; of a page of the web, one of its own.
    pub(crate) id: Text<'a>,
    /// The path of the document in the knowledge base; of a page, its address.
    pub(crate) source: Text<'a>,
    /// The headings it stands under, outermost first, joined with ` › `; of a page, its title.
    pub(crate) heading: Text<'a>,
    /// Where it begins in the text that was read of the document, in characters; a page is the snippet that was shown, from
    /// its beginning.
    pub(crate) char_start: usize,
    /// Where it ends, in characters.
    pub(crate) char_end: usize,
}

/// A score with the stage of the search that gave it. A list of them has the same columns for every kind of search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score<'a> {
    /// The stage: `lexical`, `vector` or `rerank`.
    pub(crate) by: Text<'a>,
    /// The number it gave: greater is better, comparable within one query only.
    pub(crate) score: f32,
}

/// What was made of something that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Use<'a> {
    /// How well it fits the query that found it first.
    pub(crate) scores: Vec<Score<'a>>,
    /// The pieces of `reasoning_trace.evidence` that are of it: premises cite them by these ids.
    pub(crate) evidence_ids: Vec<Text<'a>>,
}

/// An item of `provenance`: something that the assistant was shown, in the order of the numbers that it had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown<'a> {
    /// What it is, and where.
    #[serde(flatten)]
    pub(crate) place: Place<'a>,
    /// What was made of it.
    #[serde(flatten)]
    pub(crate) used: Use<'a>,
}

/// The same of a whole conversation, each place once.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Provenance<'a> {
    /// All that was found for it, in the order in which it was.
    pub(crate) passages: Vec<Place<'a>>,
    /// Turn by turn: the positions in `passages`, from 0, of what was found for the answer. How well it fits, and what cites it,
    /// is told beside the turn.
    pub(crate) turns: Vec<Vec<usize>>,
}

impl Provenance<'_> {
    /// The sources of all passages and pages, each once, in the order in which they were found.
    pub(crate) fn documents(&self) -> Vec<&str> {
        let mut known = BTreeSet::new();
        self.passages.iter().map(|place| &*place.source).filter(|source| known.insert(*source)).collect()
    }
}

impl<'a> Place<'a> {
    fn of(found: &'a Found, catalogue: &'a Catalogue) -> Self {
        match found {
            Found::Chunk(index) => {
                let chunk = catalogue.chunk(*index);
                Self {
                    id: chunk.id.into(),
                    source: catalogue.source(chunk.source).path.as_str().into(),
                    heading: chunk.context.to_string().into(),
                    char_start: chunk.char_start,
                    char_end: chunk.char_end,
                }
            }
            Found::Page(page) => Self {
                id: page.id().into(),
                source: page.link.as_str().into(),
                heading: page.title.as_str().into(),
                char_start: 0,
                char_end: page.snippet.chars().count(),
            },
        }
    }
}

/// What the assistant was shown for an answer.
pub(crate) fn shown<'a>(answer: &'a Answer, catalogue: &'a Catalogue) -> Vec<Shown<'a>> {
    let passages: Vec<Passage> = answer.retrieved.iter().map(|hit| hit.found.passage(catalogue, 1)).collect();
    let evidence = answer.reply.reasoning_trace.evidence.iter();
    let owned: Vec<(Option<usize>, &Evidence)> = evidence.map(|piece| (owner(piece, &passages), piece)).collect();
    let of_hit = |(at, SearchHit { found, scores }): (usize, &'a SearchHit)| {
        let own = owned.iter().filter(|(owner, _)| *owner == Some(at));
        let scores = scores.named().map(|(by, score)| Score { by: by.into(), score }).collect();
        let evidence_ids = own.map(|(_, piece)| piece.id.as_str().into()).collect();
        Shown { place: Place::of(found, catalogue), used: Use { scores, evidence_ids } }
    };
    answer.retrieved.iter().enumerate().map(of_hit).collect()
}

/// The position of what a piece of evidence is of: that with its cue, or where several snippets are of one address, the one that
/// it is the whole of, or else the first that has its words, in which ellipses stand for others.
fn owner(piece: &Evidence, passages: &[Passage]) -> Option<usize> {
    let own: Vec<usize> = (0..passages.len()).filter(|at| passages[*at].cue() == piece.cue).collect();
    if own.len() < 2 {
        return own.first().copied();
    }
    let letters = |text: &str| -> String { text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect() };
    let parts: Vec<String> = piece.content.split('…').flat_map(|part| part.split("...")).map(letters).collect();
    let is_whole = |at: &&usize| *passages[**at].text == *piece.content;
    let has_words = |at: &&usize| {
        let text = letters(&passages[**at].text);
        parts.iter().all(|part| text.contains(part))
    };
    own.iter().find(is_whole).or_else(|| own.iter().find(has_words)).or(own.first()).copied()
}

/// The scores of an item, as an answer keeps them.
pub(crate) fn scores(shown: &Shown) -> Scores {
    Scores::of(shown.used.scores.iter().map(|score| (&*score.by, score.score)))
}

/// The provenance of all turns, each place once.
pub(crate) fn whole<'a>(turns: impl Iterator<Item = Vec<Shown<'a>>>) -> Provenance<'a> {
    let mut whole = Provenance::default();
    let mut known: BTreeMap<Cow<'a, str>, usize> = BTreeMap::new();
    for shown in turns {
        let mut position = |Shown { place, .. }: Shown<'a>| {
            *known.entry(place.id.clone()).or_insert_with(|| {
                whole.passages.push(place);
                whole.passages.len() - 1
            })
        };
        let positions = shown.into_iter().map(&mut position).collect();
        whole.turns.push(positions);
    }
    whole
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::{ChunkIndex, Page, Turn};
    use crate::output::sample;
    use serde_json::json;
    use std::sync::Arc;

    /// The first turn of the sample, with two snippets of one page of the web beside its passages.
    fn turns() -> Vec<Arc<Turn>> {
        let mut turns = sample::sample_conversation().turns;
        let answer = &mut Arc::make_mut(&mut turns[0]).answer;
        let page = |snippet: &str| Page { title: "T".into(), link: "https://e.org/1".into(), snippet: snippet.into() };
        answer.retrieved.extend([page("نسخ"), page("One log.")].map(|page| Found::Page(page).into()));
        let evidence = &mut answer.reply.reasoning_trace.evidence;
        let of_page = |id: &str, content: &str| Evidence {
            id: id.into(),
            cue: "Web: https://e.org/1".into(),
            content: content.into(),
        };
        evidence.extend([of_page("E2", "one ... log"), of_page("E3", "نسخ"), of_page("E4", "of neither")]);
        Arc::make_mut(&mut turns[1]).answer.retrieved = vec![Found::Chunk(ChunkIndex(0)).into()];
        turns
    }

    #[test]
    fn what_was_shown_is_told_by_its_place() {
        let (turns, catalogue) = (turns(), sample::catalogue());
        let shown = shown(&turns[0].answer, &catalogue);
        let scores = |score: f64| json!([{"by": "lexical", "score": score}]);
        let expected = json!([
            {"id": "5f0c-1", "source": "backup.md", "heading": "", "char_start": 0, "char_end": 24,
             "scores": scores(2.5), "evidence_ids": ["E1"]},
            {"id": "5f0c-0", "source": "backup.md", "heading": "", "char_start": 0, "char_end": 23,
             "scores": scores(0.75), "evidence_ids": []},
            {"id": "web-19ca78296d60fead", "source": "https://e.org/1", "heading": "T", "char_start": 0, "char_end": 3,
             "scores": [], "evidence_ids": ["E3", "E4"]},
            {"id": "web-bc73a0bc64a8b407", "source": "https://e.org/1", "heading": "T", "char_start": 0, "char_end": 8,
             "scores": [], "evidence_ids": ["E2"]},
        ]);
        let written = serde_json::to_value(&shown).unwrap();
        assert_eq!(written, expected);
        assert_eq!(serde_json::from_value::<Vec<Shown>>(written).unwrap(), shown);
        assert_eq!(super::scores(&shown[0]), turns[0].answer.retrieved[0].scores);
    }

    #[test]
    fn a_conversation_names_each_place_once() {
        let (turns, catalogue) = (turns(), sample::catalogue());
        let whole = whole(turns.iter().map(|turn| shown(&turn.answer, &catalogue)));
        let ids: Vec<&str> = whole.passages.iter().map(|place| &*place.id).collect();
        assert_eq!(ids, ["5f0c-1", "5f0c-0", "web-19ca78296d60fead", "web-bc73a0bc64a8b407"]);
        assert_eq!(whole.turns, [vec![0, 1, 2, 3], vec![1]]);
    }
}
