//! The ways in which one and the same request can be sent: endpoints differ in what they take.

use crate::llm::Tier;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The `response_format` of a request, from the most to the least that an endpoint can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Format {
    /// `json_schema`: the endpoint sees to it that the reply has the wanted form.
    Schema,
    /// `json_object`: the endpoint sees to it that the reply is JSON; the text tells the schema.
    Json,
    /// None is sent: the text alone asks for JSON and tells the schema.
    Text,
}

impl Format {
    /// The `type` of the request's `response_format`; none when there is no such field.
    pub(super) fn kind(self) -> Option<&'static str> {
        match self {
            Self::Schema => Some("json_schema"),
            Self::Json => Some("json_object"),
            Self::Text => None,
        }
    }
}

/// Fields of a request that an endpoint can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Temperature,
    TopP,
    /// `prompt_cache_key`: the conversation, which tells a provider where it may have the prompt's beginning in a cache.
    CacheKey,
    Seed,
    TopK,
    MinP,
    FrequencyPenalty,
    PresencePenalty,
    RepetitionPenalty,
    /// `name`: the tool's, in messages with its results.
    Name,
}

/// How many fields there are.
pub(super) const FIELDS: usize = Field::ALL.len();

impl Field {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Temperature,
        Self::TopP,
        Self::CacheKey,
        Self::Seed,
        Self::TopK,
        Self::MinP,
        Self::FrequencyPenalty,
        Self::PresencePenalty,
        Self::RepetitionPenalty,
        Self::Name,
    ];

    /// Its name in the request's body.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::TopP => "top_p",
            Self::CacheKey => "prompt_cache_key",
            Self::Seed => "seed",
            Self::TopK => "top_k",
            Self::MinP => "min_p",
            Self::FrequencyPenalty => "frequency_penalty",
            Self::PresencePenalty => "presence_penalty",
            Self::RepetitionPenalty => "repetition_penalty",
            Self::Name => "name",
        }
    }

    /// Whether replies may be other ones without it.
    pub(super) fn matters(self) -> bool {
        !matches!(self, Self::CacheKey | Self::Name)
    }
}

/// Whether each field may be sent: all, but those which only some providers know.
const fn usual() -> [bool; FIELDS] {
    let mut fields = [true; FIELDS];
    fields[Field::CacheKey as usize] = false;
    fields
}

/// Names of the limit of tokens.
pub(super) const OLD_LIMIT: &str = "max_tokens";
pub(super) const NEW_LIMIT: &str = "max_completion_tokens";

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// How the form of the reply is asked for. In any but [`Format::Schema`] the last user message tells the schema.
    pub format: Format,
    /// Whether the tools go along. Without them, earlier calls and their results are told in the text.
    pub tools: bool,
    /// Whether system messages are sent as such. If not, the first user message begins with their text.
    pub system: bool,
    /// The name of the limit of tokens.
    pub limit: &'static str,
    /// Which of [`Field::ALL`] may be sent.
    pub fields: [bool; FIELDS],
    /// The service tier to ask for, with the provider's name of it. It is no part of what is asked.
    pub tier: Option<(Tier, &'static str)>,
}

impl Form {
    /// The form that says most, which tells requests apart: whatever an endpoint takes, the same is asked.
    pub(super) const WHOLE: Self =
        Self { format: Format::Schema, tools: true, system: true, limit: OLD_LIMIT, fields: usual(), tier: None };

    /// The longest name of a tier.
    const TIER: Option<(Tier, &'static str)> = Some((Tier::Standard, "on_demand"));

    /// The forms of which one is the longest there is.
    pub(super) const LONGEST: [Self; 2] = [
        Self { limit: NEW_LIMIT, fields: [true; FIELDS], tier: Self::TIER, ..Self::WHOLE },
        Self { format: Format::Json, limit: NEW_LIMIT, fields: [true; FIELDS], tier: Self::TIER, ..Self::WHOLE },
    ];

    /// The settings that may be sent, of those that have no field of their own.
    pub(super) fn of<'a>(&self, extra: &'a Map<String, Value>) -> Cow<'a, Map<String, Value>> {
        let refused = |key: &str| Field::ALL.into_iter().any(|field| field.name() == key && !self.has(field));
        if !extra.keys().any(|key| refused(key) && key != Field::CacheKey.name()) {
            return Cow::Borrowed(extra);
        }
        let mut extra = extra.clone();
        extra.retain(|key, _| !refused(key));
        Cow::Owned(extra)
    }

    /// Whether this field may be sent.
    pub(super) fn has(&self, field: Field) -> bool {
        self.fields[field as usize]
    }
}
