//! One cell of a page, as bytes and taken apart.

use std::ops::Range;

use smallvec::SmallVec;

use crate::address;
use crate::note::Root;
use crate::overwritten::Overwritten;
use crate::state::{ChangeNo, Sibling, StatementKey, Superseded, Written};
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

const SET: u8 = 0;
const POSITION: u8 = 1;
const MARK: u8 = 2;
const KEEP: u8 = 3;
const SAME: u8 = 4;
const COVERED: u8 = 8;
const TEXT: u8 = 16;
const INDEXED: u8 = 32;

/// One cell, its texts borrowed from the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell<'a> {
    pub(crate) siblings: SmallVec<[Sibling<'a>; 1]>,
    pub(crate) superseded: Vec<Superseded>,
}

/// What the only write of a cell says, as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lone<'a> {
    /// The cell's text.
    Set(&'a [u8]),
    /// Where a list element stands.
    Position(&'a [u8]),
    /// Anything else.
    Other,
}

/// A cell whose siblings are not read yet.
pub(super) struct RawCell<'a> {
    pub(super) address: &'a [u8],
    pub(super) rest: &'a [u8],
}

impl<'a> RawCell<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut inside = Reader::new(reader.bytes(usize::MAX, "cell")?);
        let address = inside.bytes(address::MAX_ADDRESS_BYTES, "address length")?;
        Ok(Self { address, rest: inside.rest() })
    }

    /// Which siblings stay; `None` where `stays` cannot tell of one, or one has more to it.
    pub(super) fn plain_siblings(
        &self,
        stays: impl Fn(ChangeNo) -> Option<bool>,
    ) -> Option<PlainSiblings<'a>> {
        let mut reader = Reader::new(self.rest);
        let head = reader.u64().ok()?;
        if head & 1 != 0 {
            return None;
        }
        let mut siblings = PlainSiblings::default();
        for _ in 0..head >> 1 {
            let start = reader.at();
            let change = reader.u32("change").ok()?;
            let tag = reader.byte().ok()?;
            if tag & SAME != 0 {
                return None;
            }
            if tag & COVERED != 0 {
                reader.u64().ok()?;
            }
            let op = if tag & INDEXED != 0 { Some(reader.u32("operation").ok()?) } else { None };
            let mut value = None;
            match tag & !(COVERED | INDEXED) {
                SET => value = Some(reader.bytes(usize::MAX, "value").ok()?),
                POSITION => drop(reader.bytes(usize::MAX, "value").ok()?),
                MARK | KEEP => {}
                TEXT => drop(Root::read(&mut reader).ok()?),
                _ => return None,
            }
            if stays(change)? {
                siblings.keep(start..reader.at());
            } else if let Some(text) = value
                && siblings.base.as_ref().is_none_or(|base| base.change < change)
            {
                siblings.base = Some(RawBase { change, op, text });
            }
        }
        Some(siblings)
    }

    /// What its only live write says, if nothing covers it.
    pub(super) fn lone(&self) -> Option<Lone<'a>> {
        let mut reader = Reader::new(self.rest);
        if reader.u64().ok()? >> 1 != 1 {
            return None;
        }
        reader.u64().ok()?;
        let tag = reader.byte().ok()?;
        if tag & SAME != 0 {
            for _ in 0..reader.count("changes").ok()? {
                reader.u64().ok()?;
            }
        }
        if tag & INDEXED != 0 {
            reader.u64().ok()?;
        }
        Some(match tag & !(SAME | INDEXED) {
            SET => Lone::Set(reader.bytes(usize::MAX, "cell text").ok()?),
            POSITION => Lone::Position(reader.bytes(usize::MAX, "position").ok()?),
            MARK | KEEP | TEXT => Lone::Other,
            _ => return None,
        })
    }

    /// The siblings; bytes that this program wrote or checked can be read.
    pub(super) fn decoded(&self) -> Cell<'a> {
        self.decode().unwrap_or_default()
    }

    fn decode(&self) -> Result<Cell<'a>, DecodeError> {
        let mut siblings = SmallVec::new();
        let superseded = self.read_parts(|sibling| siblings.push(sibling))?;
        Ok(Cell { siblings, superseded })
    }

    /// Whether all changes that wrote what is here are among those that are known.
    ///
    /// # Errors
    /// [`DecodeError`] if a part cannot be read.
    pub(super) fn is_of(&self, is_known: impl Fn(ChangeNo) -> bool) -> Result<bool, DecodeError> {
        let mut all = true;
        self.read_parts(|sibling| all &= sibling.changes().all(&is_known))?;
        Ok(all)
    }

    /// Gives each sibling to `take`, and what is superseded back.
    fn read_parts(
        &self,
        mut take: impl FnMut(Sibling<'a>),
    ) -> Result<Vec<Superseded>, DecodeError> {
        let mut reader = Reader::new(self.rest);
        let head = reader.u64()?;
        for _ in 0..head >> 1 {
            take(read_sibling(&mut reader)?);
        }
        let mut superseded = Vec::new();
        if head & 1 != 0 {
            for _ in 0..reader.count("superseded statements")? {
                let feed = reader.u32("feed")?;
                let time = reader.u64()?;
                let key = StatementKey { time, message: reader.array()?, value: reader.array()? };
                superseded.push(Superseded { feed, key });
            }
        }
        reader.end()?;
        Ok(superseded)
    }
}

/// What stays of a cell that is written.
#[derive(Default)]
pub(super) struct PlainSiblings<'a> {
    /// Where the siblings are that stay, in order.
    pub(super) kept: SmallVec<[Range<usize>; 2]>,
    /// How many they are.
    pub(super) count: u64,
    /// The value of the latest change whose value does not stay.
    pub(super) base: Option<RawBase<'a>>,
}

/// A value that is overwritten.
pub(super) struct RawBase<'a> {
    pub(super) change: ChangeNo,
    pub(super) op: Option<u32>,
    pub(super) text: &'a [u8],
}

impl RawBase<'_> {
    pub(super) fn overwritten(&self, by: &Sibling<'_>) -> Option<Overwritten> {
        let Written::Set(new) = by.write else { return None };
        Some(Overwritten::new(self.change, self.op, self.text, new))
    }
}

impl PlainSiblings<'_> {
    fn keep(&mut self, place: Range<usize>) {
        self.count += 1;
        match self.kept.last_mut() {
            Some(last) if last.end == place.start => last.end = place.end,
            _ => self.kept.push(place),
        }
    }
}

pub(super) fn read_sibling<'a>(reader: &mut Reader<'a>) -> Result<Sibling<'a>, DecodeError> {
    let change = reader.u32("change")?;
    let at = reader.at();
    let tag = reader.byte()?;
    let mut same = Vec::new();
    if tag & SAME != 0 {
        for _ in 0..reader.count("changes")? {
            same.push(reader.u32("change")?);
        }
    }
    let covered = if tag & COVERED != 0 { reader.u32("cover")? } else { 0 };
    let is_set = tag & !(SAME | COVERED | INDEXED) == SET;
    let op = if is_set && tag & INDEXED != 0 { Some(reader.u32("operation")?) } else { None };
    let write = match tag & !(SAME | COVERED) {
        SET | INDEXED => Written::Set(reader.str(usize::MAX, "cell text")?),
        POSITION => Written::Position(reader.bytes(usize::MAX, "position")?),
        MARK => Written::Mark,
        KEEP => Written::Keep,
        TEXT => Written::Text(Root::read(reader)?, None),
        _ => return Err(DecodeError::Meaningless { what: "sibling", at }),
    };
    Ok(Sibling { change, op, same, write, covered })
}

/// Appends a cell to `out`; `scratch` is only memory to work in.
pub(crate) fn encode(address: &[u8], cell: &Cell<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    scratch.clear();
    put_bytes(scratch, address);
    let superseded = !cell.superseded.is_empty();
    put_u64(scratch, (cell.siblings.len() as u64) << 1 | u64::from(superseded));
    for sibling in &cell.siblings {
        put_sibling(sibling, scratch);
    }
    if superseded {
        put_u64(scratch, cell.superseded.len() as u64);
        for old in &cell.superseded {
            put_u64(scratch, u64::from(old.feed));
            put_u64(scratch, old.key.time);
            scratch.extend_from_slice(&old.key.message);
            scratch.extend_from_slice(&old.key.value);
        }
    }
    put_bytes(out, scratch);
}

pub(super) fn put_sibling(sibling: &Sibling<'_>, out: &mut Vec<u8>) {
    put_u64(out, u64::from(sibling.change));
    let tag = match sibling.write {
        Written::Set(_) => SET,
        Written::Position(_) => POSITION,
        Written::Mark => MARK,
        Written::Keep | Written::Edits(_) => KEEP,
        Written::Text(..) => TEXT,
    };
    let same = if sibling.same.is_empty() { 0 } else { SAME };
    let covered = if sibling.covered == 0 { 0 } else { COVERED };
    let indexed = if sibling.op.is_none() { 0 } else { INDEXED };
    out.push(tag | same | covered | indexed);
    if same != 0 {
        put_u64(out, sibling.same.len() as u64);
        for &change in &sibling.same {
            put_u64(out, u64::from(change));
        }
    }
    if covered != 0 {
        put_u64(out, u64::from(sibling.covered));
    }
    if let Some(op) = sibling.op {
        put_u64(out, u64::from(op));
    }
    match sibling.write {
        Written::Set(text) => put_bytes(out, text.as_bytes()),
        Written::Position(position) => put_bytes(out, position),
        Written::Text(root, _) => root.put(out),
        Written::Mark | Written::Keep | Written::Edits(_) => {}
    }
}
