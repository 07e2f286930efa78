//! Phrases that came of several people's typing and that none of them has read.
//!
//! Letters merge without loss, but two people who retype "5" as "10" and as "50" at the same time
//! leave "1050". So what stands side by side in the merged text is looked for in the text that each
//! of them left: a word, and two words with only blanks between them. A sentence's end and a line's
//! end part words that do not belong together.

use std::collections::BTreeSet;

use crate::page::Cell;
use crate::state::{ChangeNo, EntryId, Sibling, Written};
use crate::version::View;

/// The text that a change left, in the text of its cell.
pub(crate) struct Left {
    pub(crate) change: ChangeNo,
    pub(crate) cell_text: Box<str>,
}

impl View<'_> {
    /// What each of several people who typed in one text at the same time had before them; nothing
    /// if one of them has read every phrase that is there now.
    pub(crate) fn unread(&self, id: &EntryId, address: &[u8], cell: &Cell<'_>) -> Vec<Left> {
        self.unread_in(id, address, cell).unwrap_or_default()
    }

    fn unread_in(&self, id: &EntryId, address: &[u8], cell: &Cell<'_>) -> Option<Vec<Left>> {
        let root = cell.siblings.first()?.text_root()?;
        let typed = cell.siblings.iter().filter(|sibling| sibling.text_root() == Some(root));
        let changes: Vec<ChangeNo> = typed.flat_map(Sibling::changes).collect();
        let Written::Text(_, Some(note)) = cell.siblings.first()?.write else { return None };
        if changes.len() < 2 {
            return None;
        }
        let body = self.body_of(id, address, note).ok()?;
        let mut read = BTreeSet::new();
        let mut left = Vec::new();
        for change in changes {
            let row = self.log.get(change)?;
            let text = body.left_by((row.stamp.actor, row.stamp.seq), &row.past).ok()?;
            read.extend(phrases(&text));
            left.push(Left { change, cell_text: body.framed(&text) });
        }
        (!phrases(&body.to_text()).is_subset(&read)).then_some(left)
    }
}

/// The words of a text, and its pairs of words with only blanks between them.
fn phrases(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let mut before: Option<&str> = None;
        for chunk in line.split_whitespace() {
            let word = chunk.trim_end_matches(is_stop);
            let opens = chunk.trim_start_matches(is_stop);
            if let Some(before) = before.filter(|_| opens.len() == chunk.len()) {
                found.insert(format!("{before} {word}"));
            }
            found.insert(word.to_owned());
            before = (word.len() == chunk.len()).then_some(word);
        }
    }
    found
}

/// What ends a part of a sentence.
fn is_stop(character: char) -> bool {
    matches!(character, '.' | ',' | ';' | ':' | '!' | '?')
}

#[cfg(test)]
mod tests {
    use super::phrases;

    #[test]
    fn phrases_are_words_and_neighbours() {
        let found: Vec<String> = phrases("Take 5 mg. Then\nrest, <3 days").into_iter().collect();
        let expected =
            ["5", "5 mg", "<3", "<3 days", "Take", "Take 5", "Then", "days", "mg", "rest"];
        assert_eq!(found, expected);
    }
}
