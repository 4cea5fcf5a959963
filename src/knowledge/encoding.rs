//! Decodes the bytes of a document, or says why they are no text.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// The text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decoded {
    /// Its text, without a byte order mark.
    pub text: String,
    /// How it was read, where its bytes do not say that it must be read so.
    pub note: Option<String>,
}

/// A text as an encoding has it.
struct Decoding {
    text: String,
    /// Places at which the bytes are none of the encoding; U+FFFD stands there.
    replaced: usize,
}

/// Reads what a byte order mark announces, else UTF-8, else UTF-16 or an older encoding where the bytes can hardly be
/// anything else. The error is why they are skipped.
pub(super) fn decoded(bytes: &[u8]) -> Result<Decoded, &'static str> {
    let decoded = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => marked(encoding, &bytes[length..])?,
        None => unmarked(bytes)?,
    };
    if decoded.text.contains('\0') {
        return Err("it holds NUL characters, as no text does");
    }
    let wrong = decoded.text.chars().filter(|&letter| is_wrong(letter)).count();
    if wrong * 20 > decoded.text.chars().count() { Err("much of it is no text") } else { Ok(decoded) }
}

fn marked(encoding: &'static Encoding, bytes: &[u8]) -> Result<Decoded, &'static str> {
    let reading = if encoding == UTF_8 { utf8(bytes) } else { utf16(encoding, bytes) };
    if reading.replaced * 10 > reading.text.chars().count() {
        return Err("it is not in the encoding that its byte order mark announces");
    }
    Ok(reading.noted(encoding))
}

fn unmarked(bytes: &[u8]) -> Result<Decoded, &'static str> {
    if bytes.contains(&0) {
        return bare_utf16(bytes).ok_or("it holds NUL bytes, as no text does");
    }
    let reading = utf8(bytes);
    // ISO-2022-JP is ASCII with escapes.
    let has_escapes = bytes.is_ascii() && bytes.contains(&0x1b);
    // Hardly a pair of bytes of another encoding is a character of UTF-8 by chance.
    let valid = reading.text.chars().filter(|letter| !letter.is_ascii()).count() - reading.replaced;
    if !has_escapes && (reading.replaced == 0 || valid > 2 * reading.replaced) {
        return Ok(reading.noted(UTF_8));
    }
    match older(bytes) {
        Some(decoded) => Ok(decoded),
        None if reading.replaced * 100 <= reading.text.chars().count() => Ok(reading.noted(UTF_8)),
        None => Err("its encoding can't be told; save it as UTF-8"),
    }
}

impl Decoding {
    fn noted(self, encoding: &'static Encoding) -> Decoded {
        let (count, name) = (self.replaced, encoding.name());
        let places = if count == 1 { "place" } else { "places" };
        let note = format!("damaged, U+FFFD stands in {count} {places} for bytes that are not {name}");
        Decoded { text: self.text, note: (count > 0).then_some(note) }
    }
}

fn utf8(bytes: &[u8]) -> Decoding {
    let mut reading = Decoding { text: String::with_capacity(bytes.len()), replaced: 0 };
    for chunk in bytes.utf8_chunks() {
        reading.text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            reading.text.push(char::REPLACEMENT_CHARACTER);
            reading.replaced += 1;
        }
    }
    reading
}

fn utf16(encoding: &'static Encoding, bytes: &[u8]) -> Decoding {
    let unit = if encoding == UTF_16BE { u16::from_be_bytes } else { u16::from_le_bytes };
    let (pairs, rest) = bytes.as_chunks();
    let (mut text, mut replaced) = (String::with_capacity(bytes.len()), 0);
    for letter in char::decode_utf16(pairs.iter().map(|&pair| unit(pair))) {
        replaced += usize::from(letter.is_err());
        text.push(letter.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    if !rest.is_empty() {
        text.push(char::REPLACEMENT_CHARACTER);
        replaced += 1;
    }
    Decoding { text, replaced }
}

/// UTF-16 without a byte order mark: byte by byte it is no text, and of the bytes that stand for the higher halves of
/// characters there are fewer kinds.
fn bare_utf16(bytes: &[u8]) -> Option<Decoded> {
    let single = utf8(bytes).text;
    let wrong = single.chars().filter(|&letter| is_wrong(letter) || letter == char::REPLACEMENT_CHARACTER).count();
    let kinds = |first: usize| {
        let mut seen = [false; 256];
        bytes.iter().skip(first).step_by(2).for_each(|&byte| seen[usize::from(byte)] = true);
        seen.iter().filter(|&&seen| seen).count()
    };
    let (even, odd) = (kinds(0), kinds(1));
    let encoding = if even < odd { UTF_16BE } else { UTF_16LE };
    let Decoding { text, replaced } = utf16(encoding, bytes);
    let is_sure = wrong * 10 > single.chars().count() && even != odd && replaced == 0 && !text.contains(is_wrong);
    is_sure.then(|| Decoded { text, note: Some(format!("read as {} without a byte order mark", encoding.name())) })
}

/// The encoding that the bytes look like most, where the text in it looks like one.
fn older(bytes: &[u8]) -> Option<Decoded> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let encoding = detector.guess(None, Utf8Detection::Allow);
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?.into_owned();
    let note = format!("not UTF-8, read as {}, which it looks like", encoding.name());
    is_plausible(&text).then(|| Decoded { text, note: (encoding != UTF_8).then_some(note) })
}

/// Whether letters and signs stand where those of a text do: encodings that no detector knows show as capitals and
/// quotation marks inside of words.
fn is_plausible(text: &str) -> bool {
    let (mut foreign, mut odd, mut before) = (0, 0, ' ');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if !letter.is_ascii() {
            if letter.is_control() {
                return false;
            }
            let is_sign = matches!(letter, '¡'..='©' | '«' | '¬' | '®'..='¶' | '¸' | '¹' | '»'..='¿' | '‘' | '‚'..='‥' | '‰'..='₿');
            let is_inside = before.is_alphabetic() && letters.peek().is_some_and(|after| after.is_alphabetic());
            let is_capital = letter.is_uppercase() && before.is_lowercase();
            foreign += 1;
            odd += usize::from((is_sign && is_inside) || is_capital || letter == 'ÿ');
        }
        before = letter;
    }
    odd * 10 <= foreign
}

/// Characters that a text has few of, if any: controls, private ones, and numbers that are no characters.
fn is_wrong(letter: char) -> bool {
    let is_layout = matches!(letter, '\t'..='\r' | '\u{1b}' | '\u{85}');
    let is_none = matches!(letter, '\u{fdd0}'..='\u{fdef}') || u32::from(letter) & 0xfffe == 0xfffe;
    (letter.is_control() && !is_layout) || is_none || matches!(letter, '\u{e000}'..='\u{f8ff}')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use encoding_rs::*;

    const ARABIC: &str = "# تربية النحل\n\nتضع الملكة نحو ألفي بيضة في اليوم، وتعيش العاملة ستة أسابيع في الصيف.\n";
    const CHINESE: &str =
        "# 养蜂\n\n一只蜂王每天大约产两千粒卵，工蜂在夏天能活六个星期。蜂箱每年检查一次，一般在春天。\n";

    fn utf16_bytes(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    /// Bytes without any order, the same ones every time.
    fn noise(count: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn utf_16_is_read_in_either_order_with_a_mark_or_without() {
        for text in ["Bees and honey.\n", ARABIC, CHINESE, "Ein Café, naïve Händler \u{1f41d}\n"] {
            for (name, bytes) in [("UTF-16LE", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("UTF-16BE", u16::to_be_bytes)]
            {
                let marked = decoded(&utf16_bytes(&format!("\u{feff}{text}"), bytes)).unwrap();
                assert_eq!((marked.text.as_str(), marked.note), (text, None));
                let bare = decoded(&utf16_bytes(text, bytes)).unwrap();
                assert_eq!(bare.text, text);
                assert_eq!(bare.note.unwrap(), format!("read as {name} without a byte order mark"));
            }
        }
        let mut cut_off = utf16_bytes("\u{feff}One and a half", u16::to_le_bytes);
        cut_off.pop();
        let cut_off = decoded(&cut_off).unwrap();
        assert_eq!(cut_off.text, "One and a hal\u{fffd}");
        assert_eq!(cut_off.note.unwrap(), "damaged, U+FFFD stands in 1 place for bytes that are not UTF-16LE");
    }

    #[test]
    fn a_few_wrong_bytes_leave_the_rest_of_a_text_as_it_is() {
        for (text, places) in [
            (ARABIC, "1 place"),
            ("One bee, one queen. ", "1 place"),
            (CHINESE, "2 places"),
            ("Händler, Größe", "1 place"),
        ] {
            let count: usize = places[..1].parse().unwrap();
            let mut bytes = text.repeat(8).into_bytes();
            let middle = text.char_indices().nth(6).unwrap().0;
            (0..count).for_each(|at| bytes.insert(at * text.len() + at + middle, 0xff));
            let read = decoded(&bytes).unwrap();
            assert_eq!(read.text.matches('\u{fffd}').count(), count);
            assert_eq!(read.text.replace('\u{fffd}', ""), text.repeat(8));
            let note = format!("damaged, U+FFFD stands in {places} for bytes that are not UTF-8");
            assert_eq!(read.note, Some(note));
        }
        assert_eq!(decoded("\u{feff}é \u{fffd}".as_bytes()), Ok(Decoded { text: "é \u{fffd}".into(), note: None }));
    }

    #[test]
    fn older_encodings_are_told_and_named() {
        let french = "Le café de la forêt : où sont passées les abeilles ? Là-bas, près du grenier à blé.";
        let russian = "Пчелиная матка откладывает до двух тысяч яиц в день. Рабочая пчела живёт шесть недель.";
        let japanese = "女王蜂は一日におよそ二千個の卵を産みます。働き蜂は夏には六週間ほど生きます。";
        for (encoding, text) in [
            (WINDOWS_1252, french),
            (WINDOWS_1252, "caf\u{e9}"),
            (WINDOWS_1252, "The “queen” – it’s the mother of all bees – doesn’t leave the hive."),
            (WINDOWS_1250, "Królowa składa około dwóch tysięcy jaj dziennie. Robotnice żyją sześć tygodni."),
            (WINDOWS_1251, russian),
            (KOI8_U, russian),
            (WINDOWS_1256, "تضع الملكة نحو ألفي بيضة في اليوم، وتعيش العاملة ستة أسابيع في الصيف."),
            (WINDOWS_1253, "Η βασίλισσα γεννά περίπου δύο χιλιάδες αυγά την ημέρα."),
            (SHIFT_JIS, japanese),
            (EUC_JP, japanese),
            (ISO_2022_JP, japanese),
            (GBK, "一只蜂王每天大约产两千粒卵，工蜂在夏天能活六个星期。"),
            (EUC_KR, "여왕벌은 하루에 약 이천 개의 알을 낳고 일벌은 여름에 여섯 주를 산다."),
        ] {
            let (bytes, _, is_lossy) = encoding.encode(text);
            assert!(!is_lossy, "{text}");
            let note = format!("not UTF-8, read as {}, which it looks like", encoding.name());
            assert_eq!(decoded(&bytes), Ok(Decoded { text: text.to_owned(), note: Some(note) }));
        }
        let coloured = "\u{1b}[32mok\u{1b}[0m: 3 files".to_owned();
        assert_eq!(decoded(coloured.as_bytes()), Ok(Decoded { text: coloured, note: None }));
    }

    #[test]
    fn what_is_no_text_is_refused_with_the_reason() {
        let nul = "it holds NUL bytes, as no text does";
        let unknown = "its encoding can't be told; save it as UTF-8";
        for (bytes, reason) in [
            (noise(3 << 20), nul),
            (noise(20_001), nul),
            (b"One NUL\0 in a text of English words, as a program left it.".to_vec(), nul),
            ([ARABIC.as_bytes(), b"\0\0"].concat(), nul),
            (b"Le caf\xe9 de la for\xeat est ferm\xe9 depuis l'an\0e derni\xe8re, dit-on au village".to_vec(), nul),
            ([&b"\xff\xfe"[..], &noise(400)].concat(), "much of it is no text"),
            (
                [&b"\xef\xbb\xbf"[..], &noise(400)].concat(),
                "it is not in the encoding that its byte order mark announces",
            ),
            (noise(900).into_iter().filter(|&byte| byte != 0).collect(), unknown),
            ([1, 2, 3, 4, b'a'].repeat(9), "much of it is no text"),
            // French as a Mac and DOS wrote it.
            (b"Les \x8etudes du caf\x8e ont \x8et\x8e faites".to_vec(), unknown),
            (b"Le caf\x82 des r\x82gions".to_vec(), unknown),
        ] {
            assert_eq!(decoded(&bytes), Err(reason), "{:?}", &bytes[..bytes.len().min(40)]);
        }
    }
}
