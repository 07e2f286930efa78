//! The difference of two texts as edits, word by word: what a plain client's PUT changed in a note.

use crate::text::TextEdits;

/// Words in which two texts may differ for their difference to be looked for; beyond that what is
/// between the common start and end counts as replaced.
const MAX_DIFFERENT_WORDS: usize = 512;

/// One word of either text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'a> {
    Keep(&'a str),
    Delete(&'a str),
    Insert(&'a str),
}

/// Edits that turn `old` into `new`; none where more than half of `old` would go: that is another
/// text, not an edit of this one, and two such must not be mixed.
pub(super) fn difference(old: &str, new: &str) -> Option<TextEdits> {
    let steps = steps(&words(old), &words(new));
    let (mut kept, mut deleted) = (0, 0);
    let mut edits = TextEdits::new();
    let mut position = 0;
    for step in steps {
        match step {
            Step::Keep(word) => {
                let count = word.chars().count();
                position += count;
                kept += count;
            }
            Step::Delete(word) => {
                let count = word.chars().count();
                edits.delete(position, count).ok()?;
                deleted += count;
            }
            Step::Insert(word) => {
                edits.insert(position, word).ok()?;
                position += word.chars().count();
            }
        }
    }
    (deleted <= kept).then_some(edits)
}

/// Letters and digits in a row, a number with its point; every other character alone.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = if first.is_alphanumeric() { end_of_word(rest) } else { first.len_utf8() };
        let (word, after) = rest.split_at(end);
        words.push(word);
        rest = after;
    }
    words
}

fn end_of_word(text: &str) -> usize {
    let mut before = ' ';
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map_or(' ', |&(_, next)| next);
        let is_point =
            matches!(character, '.' | ',') && before.is_ascii_digit() && next.is_ascii_digit();
        if !character.is_alphanumeric() && !is_point {
            return at;
        }
        before = character;
    }
    text.len()
}

/// The steps from `old` to `new`, deletions before insertions.
fn steps<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Step<'a>> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (head, old) = old.split_at(start);
    let (_, new) = new.split_at(start);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, tail) = old.split_at(old.len() - end);
    let (new, _) = new.split_at(new.len() - end);
    let middle = shortest(old, new).unwrap_or_else(|| {
        let deleted = old.iter().map(|word| Step::Delete(word));
        deleted.chain(new.iter().map(|word| Step::Insert(word))).collect()
    });
    let keep = |words: &[&'a str]| words.iter().map(|word| Step::Keep(word)).collect::<Vec<_>>();
    [keep(head), middle, keep(tail)].concat()
}

/// A shortest way from `old` to `new` (E. W. Myers, An O(ND) Difference Algorithm and Its
/// Variations, 1986); none if it is longer than the limit.
fn shortest<'a>(old: &[&'a str], new: &[&'a str]) -> Option<Vec<Step<'a>>> {
    let limit = MAX_DIFFERENT_WORDS.min(old.len() + new.len());
    // How far each diagonal has come, before each round; diagonal k stands at k + limit + 1.
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    let mut far = Far { reached: vec![0; 2 * limit + 3], middle: limit + 1 };
    for round in 0..=limit {
        rounds.push(far.reached.clone());
        let length = round.cast_signed();
        for diagonal in (-length..=length).step_by(2) {
            let mut at = far.start(diagonal, length);
            let mut other = at.checked_add_signed(-diagonal)?;
            while old.get(at).is_some_and(|word| new.get(other) == Some(word)) {
                (at, other) = (at + 1, other + 1);
            }
            far.put(diagonal, at);
            if at >= old.len() && other >= new.len() {
                return back(old, new, rounds, limit + 1);
            }
        }
    }
    None
}

/// The furthest index into the old words on each diagonal.
struct Far {
    reached: Vec<usize>,
    middle: usize,
}

impl Far {
    fn on(&self, diagonal: isize) -> usize {
        let at = self.middle.checked_add_signed(diagonal);
        at.and_then(|at| self.reached.get(at)).copied().unwrap_or(0)
    }

    fn put(&mut self, diagonal: isize, at: usize) {
        let slot = self.middle.checked_add_signed(diagonal).and_then(|i| self.reached.get_mut(i));
        if let Some(slot) = slot {
            *slot = at;
        }
    }

    /// Whether the way to a diagonal comes by an insertion.
    fn inserts(&self, diagonal: isize, length: isize) -> bool {
        diagonal == -length || diagonal != length && self.on(diagonal - 1) < self.on(diagonal + 1)
    }

    fn start(&self, diagonal: isize, length: isize) -> usize {
        if length == 0 {
            0
        } else if self.inserts(diagonal, length) {
            self.on(diagonal + 1)
        } else {
            self.on(diagonal - 1) + 1
        }
    }
}

/// The way back from the end through the rounds.
fn back<'a>(
    old: &[&'a str],
    new: &[&'a str],
    rounds: Vec<Vec<usize>>,
    middle: usize,
) -> Option<Vec<Step<'a>>> {
    let (mut at, mut other) = (old.len(), new.len());
    let mut steps = Vec::with_capacity(at + other);
    for (length, reached) in rounds.into_iter().enumerate().rev() {
        let far = Far { reached, middle };
        let diagonal = at.cast_signed() - other.cast_signed();
        let length = length.cast_signed();
        let inserts = far.inserts(diagonal, length);
        let (from, from_other) = if length == 0 {
            (0, 0)
        } else {
            let before = if inserts { diagonal + 1 } else { diagonal - 1 };
            let from = far.on(before);
            (from, from.checked_add_signed(-before)?)
        };
        while at > from && other > from_other {
            (at, other) = (at - 1, other - 1);
            steps.push(Step::Keep(old.get(at)?));
        }
        if length > 0 && inserts {
            other -= 1;
            steps.push(Step::Insert(new.get(other)?));
        } else if length > 0 {
            at -= 1;
            steps.push(Step::Delete(old.get(at)?));
        }
    }
    steps.reverse();
    Some(steps)
}
