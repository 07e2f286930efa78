//! A difference that was found, sorted by what has to be done about it.

use crate::catalogue::Slot;
use crate::entry::record_part;

/// Whose records differ how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    /// Records that both probably have in different versions, with the peer's entries.
    pub(super) pairs: Vec<(Slot, u64)>,
    /// Records that the peer has not.
    pub(super) ours: Vec<Slot>,
    /// Entries of records that are not here.
    pub(super) theirs: Vec<u64>,
}

impl Difference {
    /// Pairs entries that begin alike: of two versions of one record, nearly always. Where another
    /// record's begin so too, the check of the name tells, and the record is asked for by name.
    pub(super) fn of(mut ours: Vec<(u64, Slot)>, mut theirs: Vec<u64>) -> Self {
        ours.sort_unstable();
        theirs.sort_unstable();
        let mut theirs = theirs.into_iter().peekable();
        let mut difference = Self::default();
        for (id, slot) in ours {
            let part = record_part(id);
            while let Some(before) = theirs.next_if(|other| record_part(*other) < part) {
                difference.theirs.push(before);
            }
            match theirs.next_if(|other| record_part(*other) == part) {
                Some(other) => difference.pairs.push((slot, other)),
                None => difference.ours.push(slot),
            }
        }
        difference.theirs.extend(theirs);
        difference
    }

    /// How many entries differ.
    pub(super) fn len(&self) -> usize {
        self.pairs.len() * 2 + self.ours.len() + self.theirs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_begin_alike_are_paired() {
        let id = |part: u64, rest: u64| part << 40 | rest;
        let ours = vec![
            (id(9, 1), Slot(4)),
            (id(3, 1), Slot(1)),
            (id(3, 2), Slot(2)),
            (id(5, 1), Slot(3)),
        ];
        let theirs = vec![id(7, 7), id(3, 7), id(9, 7), id(9, 8), id(1, 7)];
        let difference = Difference::of(ours, theirs);
        assert_eq!(difference.len(), 9);
        assert_eq!(difference.pairs, [(Slot(1), id(3, 7)), (Slot(4), id(9, 7))]);
        assert_eq!(difference.ours, [Slot(2), Slot(3)]);
        assert_eq!(difference.theirs, [id(1, 7), id(7, 7), id(9, 8)]);
    }
}
