//! Places in the canonical bytes of a large change from which the walk to an operation is short.

use super::{RawOp, SAME_ENTRY, Skim};
use crate::wire::Reader;

/// Operations from one mark to the next.
const MARK_EVERY: u32 = 16;

/// The marks of one change.
#[derive(Clone, Debug)]
pub(crate) struct Marks(Vec<Mark>);

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Where the operation begins.
    at: usize,
    /// Where the last one before it begins that names its entry.
    named: usize,
}

impl Marks {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut skim = Skim::new(bytes);
        let (mut marks, mut named) = (Vec::new(), 0);
        while let Some((index, at, _)) = skim.next() {
            if index % MARK_EVERY == 0 {
                marks.push(Mark { at, named });
            }
            if bytes.get(at).is_some_and(|tag| tag & SAME_ENTRY == 0) {
                named = at;
            }
        }
        Self(marks)
    }

    /// The operation with this index, of the bytes that the marks are of.
    pub(crate) fn op_at<'a>(&self, bytes: &'a [u8], index: u32) -> Option<RawOp<'a>> {
        let mark = self.0.get((index / MARK_EVERY) as usize)?;
        let mut skim = Skim::new(bytes);
        if mark.named > 0 {
            skim.reader = Reader::new(bytes);
            skim.reader.take(mark.named).ok()?;
            skim.next()?;
        }
        skim.reader = Reader::new(bytes);
        skim.reader.take(mark.at).ok()?;
        skim.index = index - index % MARK_EVERY;
        skim.find(index)
    }
}

#[cfg(test)]
mod tests {
    use clisonix_fhir::schema::resource_named;
    use proptest::prelude::*;

    use super::super::{Op, Write, encode_ops, op_at};
    use super::Marks;
    use crate::address::{Address, Path, Step};
    use crate::state::EntryId;

    fn presence() -> Address {
        Path::default().address(Step::Presence)
    }

    proptest! {
        #[test]
        fn the_short_walk_leads_where_the_long_one_does(
            entries in proptest::collection::vec((0..3_u8, any::<bool>()), 0..100),
        ) {
            let ty = resource_named("Patient").unwrap();
            let op = |(entry, text): (u8, bool)| Op {
                entry: EntryId { ty, id: format!("p{entry}").into() },
                address: presence(),
                write: if text { Write::Set("x".into()) } else { Write::Keep },
            };
            let count = entries.len() as u32;
            let bytes = encode_ops(&entries.into_iter().map(op).collect::<Vec<_>>());
            let marks = Marks::of(&bytes);
            for index in 0..count + 2 {
                let (short, long) = (marks.op_at(&bytes, index), op_at(&bytes, index));
                let said = |op: super::RawOp<'_>| (op.entry.1.to_owned(), op.write.is_some());
                prop_assert_eq!(short.map(said), long.map(said));
                prop_assert_eq!(short.map(|op| op.write), long.map(|op| op.write));
            }
        }
    }
}
