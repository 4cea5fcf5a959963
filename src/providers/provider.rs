//! Providers: what they are called, where they are reached, and which protocol they speak.

use crate::llm::Tier;

/// How a provider is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OpenAI's `POST /chat/completions`, which most others speak too.
    ChatCompletions,
    /// The Messages API of Anthropic: `POST /v1/messages`.
    Messages,
    /// The Gemini API of Google: `POST /models/<model>:generateContent`.
    GenerateContent,
    /// The model that is part of the program.
    Builtin,
}

/// A provider of models.
#[derive(Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its name in `llm.agents.<role>.provider`, and the prefix of its models' names.
    pub name: &'static str,
    /// Another prefix in use.
    alias: Option<&'static str>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Where it is reached; none where that is the user's to say.
    pub base_url: Option<&'static str>,
    /// Whether it wants a key.
    pub wants_key: bool,
    /// Whether it takes tools together with a schema for its reply, and means both. Elsewhere the schema keeps models from
    /// calling tools.
    pub(super) tools_with_schema: bool,
    /// Whether it knows the field `prompt_cache_key`.
    pub(super) prompt_cache_key: bool,
    /// The service tiers that a request can ask for, with its names of them.
    pub tiers: &'static [(Tier, &'static str)],
}

const fn hosted(name: &'static str, base_url: &'static str) -> Provider {
    Provider { wants_key: true, ..own(name, Some(base_url)) }
}

const fn own(name: &'static str, base_url: Option<&'static str>) -> Provider {
    Provider {
        name,
        alias: None,
        protocol: Protocol::ChatCompletions,
        base_url,
        wants_key: false,
        tools_with_schema: false,
        prompt_cache_key: false,
        tiers: &[],
    }
}

/// OpenAI's own API, with its service tiers and its prompt cache.
pub const OPENAI: Provider = Provider {
    tools_with_schema: true,
    prompt_cache_key: true,
    tiers: &[(Tier::Standard, "default"), (Tier::Flex, "flex"), (Tier::Priority, "priority")],
    ..hosted("openai", "https://api.openai.com/v1")
};

/// A server of the user's own that speaks OpenAI's protocol.
pub const COMPATIBLE: Provider = own("openai", None);

/// OpenAI's models in Azure; its base URL is the deployment's.
const AZURE: Provider = Provider { name: "azure", base_url: None, ..OPENAI };

/// The model that is part of the program.
pub(super) const BUILTIN: Provider = Provider { protocol: Protocol::Builtin, ..own("builtin", None) };

/// All providers that settings can name.
pub const ALL: &[&Provider] = &[
    &BUILTIN,
    &OPENAI,
    &Provider {
        protocol: Protocol::Messages,
        tools_with_schema: true,
        ..hosted("anthropic", "https://api.anthropic.com")
    },
    &Provider {
        protocol: Protocol::GenerateContent,
        tools_with_schema: true,
        alias: Some("google"),
        tiers: &[(Tier::Standard, "standard"), (Tier::Flex, "flex"), (Tier::Priority, "priority")],
        ..hosted("gemini", "https://generativelanguage.googleapis.com")
    },
    &hosted("deepseek", "https://api.deepseek.com/v1"),
    &Provider {
        tiers: &[(Tier::Standard, "on_demand"), (Tier::Flex, "flex")],
        ..hosted("groq", "https://api.groq.com/openai/v1")
    },
    &Provider { prompt_cache_key: true, ..hosted("mistral", "https://api.mistral.ai/v1") },
    &hosted("openrouter", "https://openrouter.ai/api/v1"),
    &Provider { alias: Some("together_ai"), ..hosted("together", "https://api.together.xyz/v1") },
    &hosted("xai", "https://api.x.ai/v1"),
    &AZURE,
    &own("ollama", Some("http://127.0.0.1:11434/v1")),
    &own("lm_studio", None),
    &own("vllm", None),
    &own("hosted_vllm", None),
];

impl Provider {
    /// The provider of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|provider| provider.name == name || provider.alias == Some(name)).copied()
    }

    /// The provider these settings mean, and the name it knows the model by; none when there is no provider of that name.
    ///
    /// A provider that is named is meant, and takes its name off the model's. Without one, or with `openai`, a
    /// `base_url` that is not OpenAI's own is a server that speaks OpenAI's protocol and gets the model's name
    /// unchanged; else the model's prefix tells (`gemini/gemini-2.5-flash`).
    pub fn of<'a>(provider: &str, model: &'a str, base_url: &str) -> Option<(&'static Self, &'a str)> {
        if !matches!(provider, "" | "openai") {
            let provider = Self::named(provider)?;
            return Some((provider, provider.stripped(model)));
        }
        let host = host(base_url);
        if host.ends_with(".openai.azure.com") {
            return Some((&AZURE, AZURE.stripped(model)));
        }
        if !base_url.is_empty() && host != "api.openai.com" {
            return Some((&COMPATIBLE, model));
        }
        let prefixed = model.split_once('/').and_then(|(prefix, _)| Self::named(prefix));
        let provider = prefixed.filter(|_| base_url.is_empty()).unwrap_or(&OPENAI);
        Some((provider, provider.stripped(model)))
    }

    /// What it goes by.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        [Some(self.name), self.alias].into_iter().flatten()
    }

    /// The name that it has for a service tier; none where it has no such tier.
    pub(super) fn tier(&self, tier: Tier) -> Option<&'static str> {
        self.tiers.iter().find(|(known, _)| *known == tier).map(|(_, name)| *name)
    }

    /// The name of a model without the provider's.
    fn stripped<'a>(&self, model: &'a str) -> &'a str {
        self.names().find_map(|prefix| model.strip_prefix(prefix)?.strip_prefix('/')).unwrap_or(model)
    }
}

/// The host of a URL, in lower case.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
    host.to_ascii_lowercase()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn providers_are_told_by_name_by_address_and_by_prefix() {
        for (provider, model, base_url, expected) in [
            ("", "gpt-x", "", ("openai", "gpt-x")),
            ("openai", "openai/gpt-x", "", ("openai", "gpt-x")),
            ("openai", "gemini/gemini-x", "", ("gemini", "gemini-x")),
            ("", "together_ai/org/m", "", ("together", "org/m")),
            ("", "anthropic/claude-x", "", ("anthropic", "claude-x")),
            ("", "org/m", "", ("openai", "org/m")),
            ("", "openai/gpt-oss-20b", "http://127.0.0.1:1234/v1", ("openai", "openai/gpt-oss-20b")),
            ("openai", "gemini/gemini-x", "http://127.0.0.1:1234/v1", ("openai", "gemini/gemini-x")),
            ("openai", "gpt-x", "https://API.openai.com:443/v1", ("openai", "gpt-x")),
            ("", "gpt-x", "https://mine.openai.azure.com/openai/v1", ("azure", "gpt-x")),
            ("openrouter", "anthropic/claude-x", "", ("openrouter", "anthropic/claude-x")),
            ("openrouter", "openrouter/anthropic/claude-x", "", ("openrouter", "anthropic/claude-x")),
            ("hosted_vllm", "hosted_vllm/org/m", "http://127.0.0.1:1/v1", ("hosted_vllm", "org/m")),
            ("anthropic", "claude-x", "http://127.0.0.1:1", ("anthropic", "claude-x")),
            ("builtin", "", "", ("builtin", "")),
        ] {
            let (found, sent) = Provider::of(provider, model, base_url).unwrap();
            assert_eq!((found.name, sent), expected, "{provider} {model} {base_url}");
        }
        assert_eq!(Provider::of("gemeni", "m", ""), None);
    }

    #[test]
    fn servers_of_ones_own_want_no_key() {
        let keyless = |provider: &str, base_url: &str| !Provider::of(provider, "m", base_url).unwrap().0.wants_key;
        assert!(keyless("", "http://127.0.0.1:1/v1") && keyless("", "http://api.openai.com.example.org/v1"));
        assert!(keyless("ollama", "") && keyless("vllm", "") && keyless("builtin", ""));
        assert!(!keyless("", "") && !keyless("azure", "https://example.org") && !keyless("mistral", ""));
    }
}
