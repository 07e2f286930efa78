//! What a plain client added to a text: sentences and lines beside the old ones, nothing taken away.
//!
//! Only that becomes typing. A client that changed words wrote another text, and two such texts
//! beside each other are a conflict: mixed word by word they would say what nobody wrote.

use crate::text::TextEdits;

/// The additions that turn `old` into `new`; `None` if anything else differs.
pub(super) fn additions(old: &str, new: &str) -> Option<TextEdits> {
    let mut edits = TextEdits::new();
    let mut position = 0;
    let mut kept = sentences(old).into_iter().peekable();
    for sentence in sentences(new) {
        let added = match kept.peek() {
            // An old one; a first sentence gets a blank when another comes before it.
            Some(old) if old.trim_start() == sentence.trim_start() => {
                let blanks = sentence.strip_suffix(*old)?;
                kept.next();
                blanks
            }
            _ => sentence,
        };
        edits.insert(position, added).ok()?;
        position += sentence.chars().count();
    }
    kept.next().is_none().then_some(edits)
}

/// The parts of a text that end with a full stop or the like before a blank, or with a line; each
/// begins with the blanks before it.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (sentence, after) = rest.split_at(end_of_sentence(rest));
        found.push(sentence);
        rest = after;
    }
    found
}

fn end_of_sentence(text: &str) -> usize {
    let mut before = ' ';
    let mut has_words = false;
    for (at, character) in text.char_indices() {
        let ends_line = character == '\n';
        let ends_sentence = matches!(before, '.' | '!' | '?') && character.is_whitespace();
        if has_words && (ends_line || ends_sentence) {
            return at;
        }
        has_words |= !character.is_whitespace();
        before = character;
    }
    text.len()
}
