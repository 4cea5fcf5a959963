//! Whether a message is written in another language than it should be.
//!
//! A wrong verdict on a good message costs a conversation, so a message counts as wrong only where two signs agree:
//! the script of most of its letters, or a detector of languages (`whichlang`) together with words that the detected
//! language has and the target has not. Short messages of the right script are always let through.

use crate::domain::language::frequent;
use crate::domain::{Language, Script};
use whichlang::Lang;

/// Letters a message must have for its language to be looked at.
const LETTERS: usize = 20;
/// Words a message must have for its language to be looked at.
const WORDS: usize = 4;
/// Frequent words that the detected language has and the target has not, at least.
const SIGNS: usize = 2;
/// So many of them must stand against each one that only the target has.
const ODDS: usize = 3;
/// Letters of another script that a message must have to be called one in that script.
const FOREIGN: usize = 8;

/// What a message is written in, for a sentence that says "it is written in", where that is clearly not the target: a
/// language (`French`) or, where only the script is known, its letters (`Cyrillic letters`).
///
/// Code, addresses, identifiers and acronyms are not looked at. Nothing is said of a target that is not in the table of
/// languages, and of one that the detector does not know only by the script.
pub(super) fn wrong(message: &str, target: &Language) -> Option<&'static str> {
    let script = target.script?;
    let prose = Prose::of(message);
    prose.other_script(script).or_else(|| prose.other_language(target.code.as_deref()?))
}

/// ISO 639-1 code of the language that a message is written in, as the detector has it; none for a short one, for a target that
/// the detector does not know, and where letters are not those of the language that it tells.
pub(super) fn detected(message: &str, target: &Language) -> Option<&'static str> {
    let is_told = KNOWN.iter().any(|(_, code)| target.code.as_deref() == Some(code));
    let prose = Prose::of(message);
    let letters: usize = prose.letters.iter().map(|(_, count)| count).sum();
    if !is_told || letters < 2 * LETTERS || (prose.words.len() < 2 * WORDS && !target.script.is_some_and(is_unspaced)) {
        return None;
    }
    let found = whichlang::detect_language(&prose.words.join(" "));
    KNOWN.iter().find(|(lang, _)| *lang == found).map(|(_, code)| *code)
}

/// Whether words of a script stand without blanks between them.
fn is_unspaced(script: Script) -> bool {
    matches!(script, Script::Han | Script::Japanese)
}

/// The languages that the detector knows, with their codes.
const KNOWN: [(Lang, &str); 16] = [
    (Lang::Ara, "ar"),
    (Lang::Cmn, "zh"),
    (Lang::Deu, "de"),
    (Lang::Eng, "en"),
    (Lang::Fra, "fr"),
    (Lang::Hin, "hi"),
    (Lang::Ita, "it"),
    (Lang::Jpn, "ja"),
    (Lang::Kor, "ko"),
    (Lang::Nld, "nl"),
    (Lang::Por, "pt"),
    (Lang::Rus, "ru"),
    (Lang::Spa, "es"),
    (Lang::Swe, "sv"),
    (Lang::Tur, "tr"),
    (Lang::Vie, "vi"),
];

/// The words of a message that tell its language.
struct Prose {
    /// The words in lower case, in order.
    words: Vec<String>,
    /// Letters by script, most first.
    letters: Vec<(Script, usize)>,
}

impl Prose {
    fn of(message: &str) -> Self {
        let text = without_code(message);
        let natural = text.split_whitespace().filter(|chunk| !is_technical(chunk));
        let words: Vec<String> = natural
            .flat_map(|chunk| chunk.split(|c: char| !c.is_alphabetic() && !is_mark(c)))
            .filter(|word| word.chars().any(char::is_alphabetic))
            .map(str::to_lowercase)
            .collect();
        let mut letters: Vec<(Script, usize)> = Vec::new();
        for script in words.iter().flat_map(|word| word.chars()).filter_map(Script::of) {
            match letters.iter_mut().find(|(known, _)| *known == script) {
                Some((_, count)) => *count += 1,
                None => letters.push((script, 1)),
            }
        }
        letters.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Self { words, letters }
    }

    /// What it is written in where most letters are of another script than the target's.
    fn other_script(&self, target: Script) -> Option<&'static str> {
        let own: usize = self.letters.iter().filter(|(script, _)| target.holds(*script)).map(|(_, count)| count).sum();
        let count = |script| self.letters.iter().find(|(known, _)| *known == script).map_or(0, |(_, count)| *count);
        if target == Script::Japanese && count(Script::Japanese) == 0 && own >= LETTERS {
            return Some(Script::Han.name());
        }
        if target == Script::Han && count(Script::Japanese) * 2 > own && own + count(Script::Japanese) >= FOREIGN {
            return Some(Script::Japanese.name());
        }
        let (script, foreign) = *self.letters.iter().find(|(script, _)| !target.holds(*script))?;
        if foreign < FOREIGN || foreign <= own * 2 {
            return None;
        }
        if script != Script::Latin {
            return Some(script.name());
        }
        // Latin names and terms stand in texts of every script, a sentence in Latin letters has more than these.
        let sentence = self.sentence();
        let bare = own * 10 < foreign && foreign >= LETTERS && self.words.len() >= WORDS;
        (sentence.is_some() || bare).then(|| sentence.unwrap_or(script.name()))
    }

    /// The language of Latin script with the most frequent words in the message, if they are enough for a sentence.
    fn sentence(&self) -> Option<&'static str> {
        let hits = |code| self.words.iter().filter(|word| frequent(code).contains(*word)).count();
        let (most, name) = DETECTED.iter().map(|(_, code, name)| (hits(code), *name)).max_by_key(|(hits, _)| *hits)?;
        (most >= SIGNS && most * 4 >= self.words.len()).then_some(name)
    }

    /// The language it is written in where the detector and the frequent words agree that it is not the target.
    fn other_language(&self, target: &str) -> Option<&'static str> {
        let letters: usize = self.letters.iter().map(|(_, count)| count).sum();
        if letters < LETTERS || self.words.len() < WORDS || !DETECTED.iter().any(|(_, code, _)| *code == target) {
            return None;
        }
        let detected = whichlang::detect_language(&self.words.join(" "));
        let (_, code, name) = *DETECTED.iter().find(|(lang, code, _)| *lang == detected && *code != target)?;
        let only = |has: &str, lacks: &str| {
            let tells = |word: &&String| frequent(has).contains(*word) && !frequent(lacks).contains(*word);
            self.words.iter().filter(tells).count()
        };
        let (theirs, ours) = (only(code, target), only(target, code));
        (theirs >= SIGNS && theirs >= ours * ODDS).then_some(name)
    }
}

/// The languages of Latin script that the detector knows: its name for them, their code, their English name.
const DETECTED: [(Lang, &str, &str); 10] = [
    (Lang::Eng, "en", "English"),
    (Lang::Fra, "fr", "French"),
    (Lang::Deu, "de", "German"),
    (Lang::Spa, "es", "Spanish"),
    (Lang::Ita, "it", "Italian"),
    (Lang::Por, "pt", "Portuguese"),
    (Lang::Nld, "nl", "Dutch"),
    (Lang::Swe, "sv", "Swedish"),
    (Lang::Tur, "tr", "Turkish"),
    (Lang::Vie, "vi", "Vietnamese"),
];

/// The message without what stands between backticks; without an end, to the end of the message.
fn without_code(message: &str) -> String {
    let fenced: Vec<&str> = message.split("```").step_by(2).collect();
    fenced.join(" ").split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// Whether a chunk between spaces is an address, an identifier, a path, an acronym or a formula rather than words.
fn is_technical(chunk: &str) -> bool {
    let core = chunk.trim_matches(|c: char| !c.is_alphanumeric());
    let has = |is: fn(&char) -> bool| core.chars().any(|c| is(&c));
    let capital_inside =
        core.chars().zip(core.chars().skip(1)).any(|(before, c)| before.is_alphabetic() && c.is_uppercase());
    capital_inside
        || core.chars().any(|c| matches!(c, '_' | '/' | '\\' | '@' | '=' | '{' | '}' | '<' | '>' | '$' | '#'))
        || core.contains("::")
        || (has(char::is_ascii_digit) && has(char::is_ascii_alphabetic))
        || dotted(core)
}

/// Whether a point stands between letters, as in `example.org` and `file.txt`.
fn dotted(core: &str) -> bool {
    core.split_once('.').is_some_and(|(before, after)| {
        before.ends_with(|c: char| c.is_ascii_alphanumeric()) && after.starts_with(|c: char| c.is_ascii_lowercase())
    })
}

/// Signs on letters that are no letters themselves: the vowel signs of Arabic, Hebrew and the scripts of India.
fn is_mark(c: char) -> bool {
    unicode_normalization::char::is_combining_mark(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on a message with a target, as `run.target_languages` spells it.
    fn verdict(target: &str, message: &str) -> Option<&'static str> {
        wrong(message, &Language::of(target))
    }

    #[test]
    fn messages_in_their_language_pass() {
        for (target, message) in [
            ("en", "OK"),
            ("en", "Déjà vu à la carte"),
            ("en", "What does the French phrase « c'est la vie » mean in English?"),
            ("en", "Is Rue de la Paix near the Place Vendôme in Paris?"),
            ("en", "What does 'السلام عليكم' mean?"),
            ("en", "ΔG = ΔH − TΔS, is that right?"),
            ("en", "Beethoven, Mozart, Schubert, Haydn, Strauss, Wagner"),
            ("fr", "Non."),
            ("fr", "Comment configurer le write-ahead log de PostgreSQL pour un checkpoint plus rapide ?"),
            ("fr", "Lancez `git commit --amend` puis `git push --force-with-lease origin main`."),
            ("fr", "```\nif the value is not in the list then return what you have\n```\nCe code renvoie la liste."),
            ("fr", "Le film « The Good, the Bad and the Ugly » est-il sorti en 1966 ?"),
            ("de", "Wie stelle ich `max_connections` in der Datei postgresql.conf ein?"),
            ("de", "Open Source Software Lizenzen"),
            ("de", "Was ist der Unterschied zwischen Software as a Service und Platform as a Service?"),
            ("es", "¿Qué es el «soft delete» y cuándo conviene usarlo con Hibernate?"),
            ("it", "Il machine learning e il deep learning sono la stessa cosa?"),
            ("pt", "Como faço para ativar o modo escuro no Visual Studio Code?"),
            ("nl", "Hoe lang moet het deeg rusten voor het de oven in gaat?"),
            ("pl", "Jak długo trzeba czekać na odpowiedź serwera?"),
            ("ar", "نعم"),
            ("ar", "ما هو write-ahead log checkpoint timeout؟"),
            ("ar", "كيف أضبط shared_buffers في PostgreSQL على Ubuntu Server؟"),
            ("ar", "PostgreSQL"),
            ("ar", "Visual Studio Code"),
            ("morocco", "كيفاش نقدر نزيد السرعة ديال الكونيكسيون؟"),
            ("ja", "チェックポイントの間隔を教えてください。"),
            ("ja", "東京都庁"),
            ("zh", "如何调整 PostgreSQL 的 checkpoint_timeout 参数?"),
            ("ko", "서버를 어떻게 다시 시작하나요?"),
            ("ru", "Как настроить PostgreSQL и Docker Compose на Linux?"),
            ("Klingon", "This is a message in plain English, and nobody knows better."),
            ("Arabizi", "kifach n9der nzid la vitesse dyal la connexion?"),
            ("en", ""),
            ("en", "12 345 ... 67 %"),
        ] {
            assert_eq!(verdict(target, message), None, "{target}: {message}");
        }
    }

    #[test]
    fn messages_in_another_language_are_named() {
        for (target, message, language) in [
            ("en", "Comment puis-je augmenter la taille de la mémoire du serveur ?", "French"),
            ("fr", "How can I increase the size of the memory of the server?", "English"),
            ("fr", "How long does it take before the PostgreSQL server writes a checkpoint?", "English"),
            ("de", "The starter is ready when it doubles in four hours.", "English"),
            ("en", "Der Sauerteig ist fertig, wenn er sich in vier Stunden verdoppelt.", "German"),
            ("es", "Como posso aumentar o tamanho da memória do servidor?", "Portuguese"),
            ("pt", "¿Cuál es la mejor forma de aumentar la memoria del servidor?", "Spanish"),
            ("es", "Qual è il modo migliore per aumentare la memoria del server?", "Italian"),
            ("de", "Hoe kan ik het geheugen van de server vergroten?", "Dutch"),
            ("ar", "How long does the dough rest?", "English"),
            ("egypt", "Combien de temps faut-il laisser reposer la pâte ?", "French"),
            ("ar", "The dough (العجين) rests for four hours at room temperature.", "English"),
            ("fr", "كم من الوقت يجب أن ترتاح العجينة؟", "Arabic letters"),
            ("en", "Сколько времени должно отдыхать тесто?", "Cyrillic letters"),
            ("ru", "How long should the dough rest before it is baked?", "English"),
            ("en", "面团需要醒发多长时间才能烘烤?", "Chinese"),
            ("ja", "面团需要醒发多长时间才能烘烤,请告诉我具体的时间和温度?", "Chinese"),
            ("zh", "生地はどのくらい休ませる必要がありますか?", "Japanese"),
            ("zh", "반죽은 얼마나 쉬어야 하나요?", "Korean"),
            ("pl", "Сколько времени должно отдыхать тесто?", "Cyrillic letters"),
        ] {
            assert_eq!(verdict(target, message), Some(language), "{target}: {message}");
        }
    }

    #[test]
    fn code_and_addresses_are_technical() {
        for chunk in ["https://a.org/b", "max_connections", "PostgreSQL,", "WAL", "(E04)", "std::fs", "a.txt", "x=y"] {
            assert!(is_technical(chunk), "{chunk}");
        }
        for chunk in ["word", "Word.", "l'eau", "(see", "end.Next", "élève", "12", "العربية"] {
            assert!(!is_technical(chunk), "{chunk}");
        }
    }
}
