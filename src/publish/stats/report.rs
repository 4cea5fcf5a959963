//! `dataset_stats.json`, as it is written.

use super::counts::{Counts, Scores};
use super::groups::{Documents, Languages, TurnCounts, Turns};
use super::lengths::{Distribution, Histogram};
use super::near_duplicates::NearDuplicates;
use super::nearest::NearestNeighbour;
use super::ngrams::DistinctShare;
use super::people::People;
use super::repetition::SelfRepetition;
use super::tokens::TokenTotals;
use serde::Serialize;
use std::collections::BTreeMap;

/// The statistics of a dataset: `dataset_stats.json` with its keys in their order. Means have four decimals, and are none where there is
/// nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The file of the dataset that they are of.
    pub source_file: String,
    /// The conversations of the dataset.
    pub records: u64,
    /// The conversations of each language, as it is spelled in them.
    pub languages: BTreeMap<String, u64>,
    /// How many turns conversations have.
    pub turn_count: TurnCount,
    /// What the judge gave.
    pub judge: Judged,
    /// How long conversations and messages are.
    pub text: TextLengths,
    /// The tokens by a real tokenizer.
    pub tokens: TokenCounts,
    /// The conversations by how they ended.
    pub statuses: BTreeMap<String, u64>,
    /// More about each language.
    pub by_language: BTreeMap<String, Languages>,
    /// The turns of each question mode.
    pub by_mode: BTreeMap<String, Turns>,
    /// The turns of each difficulty.
    pub by_difficulty: BTreeMap<String, Turns>,
    /// The turns whose answers have each label.
    pub labels: BTreeMap<String, u64>,
    /// Which documents answers rest on.
    pub documents: Documents,
    /// How diverse the messages are.
    pub diversity: Diversity,
    /// What people think of the conversations, where they have labelled any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub people: Option<People>,
    /// What is known of the runs that made the dataset, where something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunFigures>,
}

impl Report {
    /// The text of the file, with a line break at its end.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("keys are texts and numbers are finite") + "\n"
    }
}

/// How many turns conversations have.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TurnCount {
    /// The fewest turns that a conversation has.
    pub min: Option<u64>,
    /// The most turns that a conversation has.
    pub max: Option<u64>,
    /// The mean number of turns.
    pub avg: Option<f64>,
    /// The conversations of each number of turns.
    pub distribution: Distribution,
}

/// Scores of the judge, 0 to 10. Distributions are by the nearest whole number, halves to the even one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The conversations that have a score.
    pub conversations_with_scores: u64,
    /// The mean of the conversations' scores: each the mean of its turns, or else that of the whole.
    pub avg_score_mean: Option<f64>,
    /// The conversations of each such score.
    pub avg_score_distribution: Distribution,
    /// The mean score of turns.
    pub per_turn_score_mean: Option<f64>,
    /// The turns of each score.
    pub per_turn_score_distribution: Distribution,
    /// The mean score of conversations that were judged as a whole.
    pub conversation_score_mean: Option<f64>,
    /// The conversations of each such score.
    pub conversation_score_distribution: Distribution,
}

/// Lengths of what user and assistant say. Words stand between white space; a token is estimated as four characters, and a
/// message as one token at least.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TextLengths {
    /// The mean number of words of a conversation.
    pub avg_words_per_conversation: Option<f64>,
    /// The mean estimate of a conversation's tokens.
    pub avg_tokens_per_conversation_estimate: Option<f64>,
    /// The mean number of words of a message.
    pub avg_words_per_message: Option<f64>,
    /// The mean estimate of a message's tokens.
    pub avg_tokens_per_message_estimate: Option<f64>,
    /// The conversations by their numbers of words.
    pub word_count_distribution: Histogram,
    /// The conversations by their estimates of tokens.
    pub token_estimate_distribution: Histogram,
}

/// Tokens by a real tokenizer, without what a chat template puts around messages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TokenCounts {
    /// The name of the tokenizer.
    pub tokenizer: &'static str,
    /// The tokens of all that user and assistant say.
    pub messages_total: u64,
    /// The mean of a conversation.
    pub messages_per_conversation_avg: Option<f64>,
    /// The fewest of a conversation.
    pub messages_per_conversation_min: Option<u64>,
    /// The most of a conversation.
    pub messages_per_conversation_max: Option<u64>,
    /// The conversations by their tokens.
    pub messages_per_conversation_distribution: Histogram,
    /// The tokens of all with tools: also of their schemas, calls and results.
    pub with_tools_total: u64,
    /// The mean of a conversation with tools.
    pub with_tools_per_conversation_avg: Option<f64>,
    /// The most of a conversation with tools.
    pub with_tools_per_conversation_max: Option<u64>,
}

/// How diverse the messages of each role are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Diversity {
    /// What users ask of assistants.
    pub user: RoleDiversity,
    /// What assistants say in answer.
    pub assistant: RoleDiversity,
}

/// How diverse the messages of a role are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RoleDiversity {
    /// The messages that were looked at.
    pub messages: u64,
    /// The share of different words.
    pub distinct_1: DistinctShare,
    /// The share of different pairs of words.
    pub distinct_2: DistinctShare,
    /// The share of different sequences of three words.
    pub distinct_3: DistinctShare,
    /// The bytes of the messages by the bytes of their gzip: the more, the more they repeat themselves.
    pub compression_ratio: Option<f64>,
    /// How much messages say in the words of others.
    pub self_repetition: SelfRepetition,
    /// How many are about the same as a later one.
    pub near_duplicates: NearDuplicates,
    /// How far they lie from each other in meaning, where there are vectors of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_neighbour: Option<NearestNeighbour>,
}

/// What the runs know that made a dataset, and its conversations don't tell.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RunFigures {
    /// The conversations that were dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// The questions that were rejected because they had been asked.
    pub duplicates_rejected: u64,
    /// The documents of the knowledge base, where that is known.
    pub documents: Option<u64>,
    /// What the models cost in US dollars, where prices are known.
    pub cost_usd: Option<f64>,
}

pub(super) fn of(
    source_file: &str,
    counts: Counts,
    tokens: TokenTotals,
    diversity: Diversity,
    run: Option<RunFigures>,
) -> Report {
    let turns = |groups: &BTreeMap<String, TurnCounts>| {
        groups.iter().map(|(name, turns)| (name.clone(), turns.told())).collect::<BTreeMap<_, _>>()
    };
    let language = |(name, one): (&String, &super::counts::LanguageCounts)| {
        let tokens = tokens.languages.get(name).copied().unwrap_or_default();
        let (scored, score_mean) = (one.scores.count, one.scores.mean());
        (
            name.clone(),
            Languages { records: one.records, turns: one.turns, words: one.words, tokens, scored, score_mean },
        )
    };
    Report {
        source_file: source_file.to_owned(),
        records: counts.records,
        languages: counts.languages.iter().map(|(name, one)| (name.clone(), one.records)).collect(),
        text: text(&counts),
        by_language: counts.languages.iter().map(language).collect(),
        by_mode: turns(&counts.modes),
        by_difficulty: turns(&counts.difficulties),
        documents: counts.documents.told(),
        tokens: tokens.told(),
        turn_count: TurnCount {
            min: counts.turns.min(),
            max: counts.turns.max(),
            avg: counts.turns.mean(),
            distribution: counts.turns.distribution(),
        },
        judge: judged(counts.averages, counts.turn_scores, counts.conversation_scores),
        statuses: counts.statuses,
        labels: counts.labels,
        diversity,
        people: None,
        run,
    }
}

fn judged(averages: Scores, turns: Scores, conversations: Scores) -> Judged {
    Judged {
        conversations_with_scores: averages.count,
        avg_score_mean: averages.mean(),
        avg_score_distribution: averages.buckets,
        per_turn_score_mean: turns.mean(),
        per_turn_score_distribution: turns.buckets,
        conversation_score_mean: conversations.mean(),
        conversation_score_distribution: conversations.buckets,
    }
}

fn text(counts: &Counts) -> TextLengths {
    TextLengths {
        avg_words_per_conversation: counts.conversation_words.mean(),
        avg_tokens_per_conversation_estimate: counts.conversation_estimates.mean(),
        avg_words_per_message: counts.message_words.mean(),
        avg_tokens_per_message_estimate: counts.message_estimates.mean(),
        word_count_distribution: counts.conversation_words.histogram(),
        token_estimate_distribution: counts.conversation_estimates.histogram(),
    }
}
