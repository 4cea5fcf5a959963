//! Parts of texts.

/// The beginning of a text: at most so many characters, up to a word's end where it has words. Blanks before it don't count.
///
/// ```
/// # use dlgforge::domain::text::beginning;
/// assert_eq!(beginning(" When is green tea green?", 12), "When is");
/// assert_eq!(beginning("水は零度で凍る", 3), "水は零");
/// assert_eq!(beginning("When?", 12), "When?");
/// ```
pub fn beginning(text: &str, most: usize) -> &str {
    let text = text.trim_start();
    let Some((end, _)) = text.char_indices().nth(most) else { return text };
    let head = &text[..end];
    head.rfind(char::is_whitespace).map_or(head, |end| &head[..end])
}
