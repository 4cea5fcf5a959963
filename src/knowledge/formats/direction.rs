//! Lines of right-to-left scripts in the order in which they are read.
//!
//! A page has glyphs from left to right, whichever way they are read. So the line is turned round, and what is read from left
//! to right in it (words in Latin letters, numbers) once more: the rules of Unicode's bidirectional algorithm backwards, as far
//! as a line of text needs them.

/// Whether a letter is read from right to left. Digits never are.
pub(super) fn is_leftward(letter: char) -> bool {
    let is_script = matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}');
    is_script && !letter.is_numeric()
}

fn is_rightward(letter: char) -> bool {
    letter.is_alphanumeric() && !is_leftward(letter)
}

/// Whether more of a line is read from right to left than from left to right.
pub(super) fn is_leftward_line(text: &str) -> bool {
    let count = |is: fn(char) -> bool| text.chars().filter(|&letter| is(letter)).count();
    count(is_leftward) > count(|letter| is_rightward(letter) && !letter.is_numeric())
}

/// A line as it is read, from its letters as they stand from left to right.
pub(super) fn read_order(text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    if is_leftward_line(text) {
        turn(&mut letters);
        turn_runs(&mut letters, is_rightward, is_leftward);
    } else {
        turn_runs(&mut letters, is_leftward, is_rightward);
    }
    letters.into_iter().collect()
}

/// Turns what stands between the first and the last letter of one direction, up to a letter of the other; numbers apart from
/// each other stay so.
fn turn_runs(letters: &mut [char], of_run: fn(char) -> bool, of_line: fn(char) -> bool) {
    let mut at = 0;
    while let Some(start) = (at..letters.len()).find(|&place| of_run(letters[place])) {
        let line = (start..letters.len()).find(|&place| of_line(letters[place])).unwrap_or(letters.len());
        let has_words = letters[start..line].iter().any(|&letter| of_run(letter) && !letter.is_numeric());
        let word = (start..line).find(|&place| !has_words && letters[place].is_whitespace());
        let limit = word.unwrap_or(line);
        let end = (start..limit).rev().find(|&place| of_run(letters[place])).map_or(limit, |last| last + 1);
        turn(&mut letters[start..end]);
        at = end;
    }
}

/// Turns letters round; brackets then open where they have closed.
fn turn(letters: &mut [char]) {
    const PAIRS: [(char, char); 5] = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>'), ('«', '»')];
    letters.reverse();
    for letter in letters {
        let pair = PAIRS.iter().find(|(open, close)| [open, close].contains(&&*letter));
        *letter = pair.map_or(*letter, |(open, close)| if *letter == *open { *close } else { *open });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_turned_and_what_is_read_the_other_way_is_not() {
        // Letters of Hebrew, which have one form, so that an editor shows each side as it is written here.
        let visual = |logical: &str| logical.chars().rev().collect::<String>();
        for (seen, read) in [
            (visual("אבג דהו."), "אבג דהו.".to_owned()),
            (format!("{} 1848 {}", visual("דה"), visual("אב")), "אב 1848 דה".to_owned()),
            (format!("({}) {}", visual("דה"), visual("אבג")), "אבג (דה)".to_owned()),
            (format!("{} Linux 6.1 {}", visual("דהו"), visual("אבג")), "אבג Linux 6.1 דהו".to_owned()),
            (format!("The word {} is old", visual("אב גד")), "The word אב גד is old".to_owned()),
            (format!("12 34 {}", visual("אבג")), "אבג 34 12".to_owned()),
            ("Plain (text) 12".to_owned(), "Plain (text) 12".to_owned()),
        ] {
            assert_eq!(read_order(&seen), read);
        }
    }
}
