//! The cells of an entry as packed bytes: small in memory, and ready to be stored as they are.
//!
//! An entry's cells stand in *pages* of about a kilobyte, in address order. A cell is
//!
//! ```text
//! length of the rest, length of the address, address,
//! siblings << 1 | any superseded, siblings, [superseded]
//! ```
//!
//! Reading borrows texts and addresses from the page; writing replaces the bytes of one cell.

mod cell;

use crate::address;
use crate::change::{OpsWriter, RawOp};
use crate::note::Root;
use crate::overwritten::Overwritten;
use crate::state::{ChangeNo, Sibling};
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

pub(crate) use cell::{Cell, Lone, encode};
use cell::{RawCell, put_sibling, read_sibling};

/// A page is split in two when it grows beyond this. Looking for a cell walks over one page.
const MAX_PAGE_BYTES: usize = 1 << 10;

/// The cells of one entry, in address order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pages(Vec<Vec<u8>>);

impl Pages {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends a cell whose address is greater than all others.
    pub(crate) fn push(&mut self, encoded: &[u8]) {
        match self.0.last_mut() {
            Some(page) if page.len() + encoded.len() <= MAX_PAGE_BYTES => {
                page.extend_from_slice(encoded);
            }
            _ => self.0.push(encoded.to_vec()),
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.0.iter().map(Vec::capacity).sum()
    }

    /// The bytes of all cells, one after another.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    /// The address of the first cell.
    pub(crate) fn first(&self) -> Option<&[u8]> {
        skim(self.0.first()?, 0).map(|(address, _)| address)
    }

    /// Cells from stored bytes, checked: addresses ascend and every part can be read.
    pub(crate) fn from_stored(bytes: &[u8], changes: &[ChangeNo]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut last: &[u8] = &[];
        let mut pages = Self::default();
        let mut start = 0;
        while !reader.is_empty() {
            let at = reader.at();
            let wrong = DecodeError::Meaningless { what: "cell", at };
            let cell = RawCell::read(&mut reader)?;
            if cell.address <= last {
                return Err(wrong);
            }
            address::check(cell.address)?;
            if !cell.is_of(|change| changes.binary_search(&change).is_ok())? {
                return Err(wrong);
            }
            if at - start > MAX_PAGE_BYTES {
                pages.0.push(bytes.get(start..at).unwrap_or_default().to_vec());
                start = at;
            }
            last = cell.address;
        }
        pages.0.push(bytes.get(start..).unwrap_or_default().to_vec());
        Ok(pages)
    }

    pub(crate) fn cells(&self) -> Cells<'_> {
        Cells { pages: self.0.iter(), reader: Reader::new(&[]) }
    }

    /// The cells whose address begins with `prefix`.
    pub(crate) fn under<'a>(&'a self, prefix: &[u8]) -> impl Iterator<Item = (&'a [u8], Cell<'a>)> {
        self.raw_under(prefix).map(|cell| (cell.address, cell.decoded()))
    }

    fn raw_under<'a>(&'a self, prefix: &[u8]) -> impl Iterator<Item = RawCell<'a>> {
        let spot = self.find(prefix);
        let mut pages = self.0.get(spot.page..).unwrap_or_default().iter();
        let first = pages.next().and_then(|page| page.get(spot.start..)).unwrap_or_default();
        let mut raw = Cells { pages, reader: Reader::new(first) };
        std::iter::from_fn(move || raw.next_raw())
            .take_while(move |cell| cell.address.starts_with(prefix))
    }

    pub(crate) fn cell(&self, address: &[u8]) -> Option<Cell<'_>> {
        self.cell_at(self.find(address))
    }

    /// Lets `change` at the cells whose address begins with `prefix`; those for which it says so
    /// are written back.
    pub(crate) fn rewrite(
        &mut self,
        prefix: &[u8],
        mut change: impl FnMut(&[u8], &mut Cell<'_>) -> bool,
    ) {
        let mut scratch = Vec::new();
        let mut changed = Vec::new();
        for (at, mut cell) in self.under(prefix) {
            if change(at, &mut cell) {
                let mut encoded = Vec::new();
                encode(at, &cell, &mut scratch, &mut encoded);
                changed.push((at.to_vec(), encoded));
            }
        }
        for (at, encoded) in changed {
            self.put(&at, &encoded);
        }
    }

    /// Where each cell under `prefix` is, and what its only write says; `None` of a cell with more to
    /// it.
    pub(crate) fn lone_under<'a>(
        &'a self,
        prefix: &[u8],
    ) -> impl Iterator<Item = (Spot, &'a [u8], Option<Lone<'a>>)> {
        let mut spot = self.find(prefix);
        std::iter::from_fn(move || {
            let mut page = self.0.get(spot.page)?;
            if spot.start >= page.len() {
                page = self.0.get(spot.page + 1)?;
                spot = Spot { page: spot.page + 1, start: 0, end: 0 };
            }
            let (cell, end) = raw_at(page, spot.start)?;
            let there = Spot { end, ..spot };
            spot.start = end;
            Some((there, cell))
        })
        .take_while(move |(_, cell)| cell.address.starts_with(prefix))
        .map(|(spot, cell)| (spot, cell.address, cell.lone()))
    }

    /// What the only write of a cell says, if there is one; looks on from a spot, and leaves there
    /// where the cell is.
    pub(crate) fn lone(
        &self,
        near: &mut Spot,
        address: &[u8],
    ) -> Result<Option<Lone<'_>>, NotPlain> {
        *near = self.find_after(*near, address);
        let there = self.bytes_at(*near);
        if there.is_empty() {
            return Ok(None);
        }
        let (cell, _) = raw_at(there, 0).ok_or(NotPlain)?;
        cell.lone().map(Some).ok_or(NotPlain)
    }

    pub(crate) fn contains(&self, address: &[u8]) -> bool {
        let spot = self.find(address);
        spot.start < spot.end
    }

    /// The cell at a spot.
    pub(crate) fn cell_at(&self, spot: Spot) -> Option<Cell<'_>> {
        let mut reader = Reader::new(self.bytes_at(spot));
        Some(RawCell::read(&mut reader).ok()?.decoded())
    }

    /// Where the number of a change stands that typed in the text at `address`; `near` is where that
    /// of the one before it stood.
    pub(crate) fn find_typed(
        &self,
        near: Option<TypedSpot>,
        address: &[u8],
        change: ChangeNo,
    ) -> Option<TypedSpot> {
        let (number, len) = spelled(change);
        let there = near.filter(|near| {
            let page = self.0.get(near.spot.page);
            let there = page.and_then(|page| page.get(near.at..near.at + len));
            there.is_some_and(|there| there.iter().zip(&number).all(|(a, b)| a == b))
        });
        there.or_else(|| self.typed_at(self.find(address), change))
    }

    fn typed_at(&self, spot: Spot, change: ChangeNo) -> Option<TypedSpot> {
        let cell = self.0.get(spot.page)?.get(spot.start..spot.end)?;
        let raw = RawCell::read(&mut Reader::new(cell)).ok()?;
        let start = spot.end - raw.rest.len();
        let mut reader = Reader::new(raw.rest);
        for _ in 0..reader.u64().ok()? >> 1 {
            let at = start + reader.at();
            let sibling = read_sibling(&mut reader).ok()?;
            if sibling.change == change {
                return Some(TypedSpot { spot, at, root: sibling.text_root()? });
            }
        }
        None
    }

    /// Lets a change stand where the one `before` it typed; gives the place if it is still there.
    pub(crate) fn renumber(
        &mut self,
        place: TypedSpot,
        before: ChangeNo,
        after: ChangeNo,
    ) -> Option<TypedSpot> {
        let ((_, old_len), (number, len)) = (spelled(before), spelled(after));
        if old_len == len {
            let page = self.0.get_mut(place.spot.page)?;
            let there = page.get_mut(place.at..place.at + len)?;
            there.iter_mut().zip(number).for_each(|(there, byte)| *there = byte);
            return Some(place);
        }
        let mut cell = self.cell_at(place.spot)?;
        cell.siblings.iter_mut().filter(|s| s.change == before).for_each(|s| s.change = after);
        let (mut scratch, mut encoded) = (Vec::new(), Vec::new());
        encode(self.address_at(place.spot)?, &cell, &mut scratch, &mut encoded);
        drop(cell);
        self.put_at(place.spot, &encoded);
        None
    }

    fn address_at(&self, spot: Spot) -> Option<&[u8]> {
        skim(self.0.get(spot.page)?, spot.start).map(|(address, _)| address)
    }

    /// Replaces the cell at `address` with `encoded`, as [`encode`] wrote it.
    pub(crate) fn put(&mut self, address: &[u8], encoded: &[u8]) {
        self.put_at(self.find(address), encoded);
    }

    /// Replaces the cell at a spot that was found since the last change.
    pub(crate) fn put_at(&mut self, spot: Spot, encoded: &[u8]) {
        self.put_parts(spot, &[], encoded);
    }

    /// As [`Self::put_at`], of bytes in two parts.
    fn put_parts(&mut self, spot: Spot, head: &[u8], body: &[u8]) {
        if self.0.is_empty() {
            self.0.push(Vec::new());
        }
        let Some(bytes) = self.0.get_mut(spot.page) else { return };
        let middle = spot.start + head.len();
        let (len, end) = (bytes.len(), middle + body.len());
        if end > spot.end {
            bytes.resize(len + (end - spot.end), 0);
        }
        bytes.copy_within(spot.end..len, end);
        bytes.truncate(len + end - spot.end);
        if let Some(there) = bytes.get_mut(spot.start..middle) {
            there.copy_from_slice(head);
        }
        if let Some(there) = bytes.get_mut(middle..end) {
            there.copy_from_slice(body);
        }
        if bytes.len() > MAX_PAGE_BYTES {
            self.split(spot.page);
        }
    }

    /// Writes beside the siblings of the cell at the writer's spot that `stays` keeps, without reading
    /// what they say. Gives what the write overwrites, if anything; [`NotPlain`], with nothing written,
    /// where `stays` cannot tell or the cell holds more than plain siblings.
    pub(crate) fn write(
        &mut self,
        address: &[u8],
        sibling: &Sibling<'_>,
        stays: impl Fn(ChangeNo) -> Option<bool>,
        writer: &mut PageWriter,
    ) -> Result<Option<Overwritten>, NotPlain> {
        let there = self.bytes_at(writer.spot);
        let body = &mut writer.body;
        body.clear();
        body.reserve(there.len() + address.len() + sibling.write.len() + 24);
        put_bytes(body, address);
        let mut base = None;
        if there.is_empty() {
            put_u64(body, 1 << 1);
        } else {
            let (cell, _) = raw_at(there, 0).ok_or(NotPlain)?;
            let siblings = cell.plain_siblings(stays).ok_or(NotPlain)?;
            if let Some(base) = siblings.base.as_ref().filter(|b| b.change < writer.keep_before) {
                writer.old.clear();
                writer.old.push_str(std::str::from_utf8(base.text).map_err(|_| NotPlain)?);
            }
            base = siblings.base.and_then(|base| base.overwritten(sibling));
            put_u64(body, (siblings.count + 1) << 1);
            for kept in siblings.kept {
                body.extend_from_slice(cell.rest.get(kept).unwrap_or_default());
            }
        }
        put_sibling(sibling, body);
        // A cell holds a text of 64 MiB at most.
        let (len, bytes) = spelled(body.len() as u32);
        self.put_parts(writer.spot, len.get(..bytes).unwrap_or_default(), body);
        Ok(base)
    }

    fn bytes_at(&self, spot: Spot) -> &[u8] {
        let page = self.0.get(spot.page).map(Vec::as_slice);
        page.and_then(|page| page.get(spot.start..spot.end)).unwrap_or_default()
    }

    fn split(&mut self, page: usize) {
        let Some(bytes) = self.0.get_mut(page) else { return };
        let mut reader = Reader::new(bytes);
        let mut middle = 0;
        while reader.at() < bytes.len() / 2 && RawCell::read(&mut reader).is_ok() {
            middle = reader.at();
        }
        if middle > 0 && middle < bytes.len() {
            let rest = bytes.split_off(middle);
            self.0.insert(page + 1, rest);
        }
    }

    /// The page that holds `address`, if any does.
    fn page_of(&self, address: &[u8]) -> usize {
        if self.0.len() < 2 {
            return 0;
        }
        let wanted = first_two(address);
        let first = |page: &Vec<u8>| {
            let before = |first| first_two(first) < wanted || first <= address;
            skim(page, 0).is_some_and(|(first, _)| before(first))
        };
        self.0.partition_point(first).saturating_sub(1)
    }

    /// As [`Self::find`], looking on from a spot that was found or written before where that helps.
    pub(crate) fn find_after(&self, near: Spot, address: &[u8]) -> Spot {
        let page = self.0.get(near.page);
        let there = page.and_then(|page| skim(page, near.start));
        if let Some((_, end)) = there.filter(|(at, _)| *at == address) {
            return Spot { end, ..near };
        }
        let is_before = there.is_some_and(|(at, _)| at <= address);
        let next = self.0.get(near.page + 1).and_then(|page| skim(page, 0));
        match page {
            Some(page) if is_before && next.is_none_or(|(first, _)| first > address) => {
                Self::find_in(near.page, page, near.start, address)
            }
            _ => self.find(address),
        }
    }

    pub(crate) fn find(&self, address: &[u8]) -> Spot {
        let page = self.page_of(address);
        match self.0.get(page) {
            Some(bytes) => Self::find_in(page, bytes, 0, address),
            None => Spot::default(),
        }
    }

    fn find_in(page: usize, bytes: &[u8], mut start: usize, address: &[u8]) -> Spot {
        // Most cells differ in the element that their address begins with.
        let wanted = first_two(address);
        while let Some((there, end)) = skim(bytes, start) {
            match first_two(there).cmp(&wanted).then_with(|| there.cmp(address)) {
                std::cmp::Ordering::Less => start = end,
                std::cmp::Ordering::Equal => return Spot { page, start, end },
                std::cmp::Ordering::Greater => break,
            }
        }
        Spot { page, start, end: start }
    }
}

/// A cell that must be read to be written.
pub(crate) struct NotPlain;

/// Where a cell is, or where it would stand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spot {
    page: usize,
    start: usize,
    /// Equal to `start` if there is no such cell.
    end: usize,
}

/// Where the last operation of a change wrote, and memory to write the next one's cell in.
#[derive(Debug, Default)]
pub(crate) struct PageWriter {
    pub(crate) spot: Spot,
    pub(crate) body: Vec<u8>,
    /// What changes before this one set is kept when it is overwritten.
    pub(crate) keep_before: ChangeNo,
    pub(crate) lost: Vec<Lost>,
    /// The text that is overwritten now, if it is to be kept.
    old: String,
}

/// An operation whose value was overwritten.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// Its change and its index in that.
    pub(crate) name: (ChangeNo, u32),
    /// Its canonical bytes.
    pub(crate) op: Box<[u8]>,
}

impl PageWriter {
    /// A writer that has this memory to work in and keeps what changes before one wrote.
    pub(crate) fn new(spot: Spot, body: Vec<u8>, keep_before: ChangeNo) -> Self {
        Self { spot, body, keep_before, ..Self::default() }
    }

    /// Keeps what an operation has just overwritten, if that is asked for.
    pub(crate) fn keep(&mut self, by: &RawOp<'_>, base: &Overwritten) {
        if base.change < self.keep_before
            && let Some(index) = base.op
        {
            let op = OpsWriter::one_set(by.entry, by.address, &[&self.old]);
            self.lost.push(Lost { name: (base.change, index), op });
        }
    }
}

/// Where in a cell the change stands that typed last in its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TypedSpot {
    spot: Spot,
    /// Of the number's first byte in the page.
    at: usize,
    /// The operation that the text begins with.
    pub(crate) root: Root,
}

/// A number as it is spelled in a cell (LEB128), and the length of that.
fn spelled(mut number: ChangeNo) -> ([u8; 5], usize) {
    let (mut bytes, mut len) = ([0; 5], 0);
    for byte in &mut bytes {
        len += 1;
        *byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, len)
}

/// The first two bytes, big-endian; fewer count as if zeros followed.
#[inline]
fn first_two(address: &[u8]) -> u16 {
    match address {
        [high, low, ..] => u16::from_be_bytes([*high, *low]),
        [high] => u16::from_be_bytes([*high, 0]),
        [] => 0,
    }
}

/// Address and end of the cell that begins at `at`; addresses are what is looked at most.
#[inline]
fn skim(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let (start, len, end) = extent(bytes, at)?;
    Some((bytes.get(start..start.checked_add(len)?)?, end))
}

/// The cell that begins at `at`, and its end.
#[inline]
fn raw_at(bytes: &[u8], at: usize) -> Option<(RawCell<'_>, usize)> {
    let (start, len, end) = extent(bytes, at)?;
    let (address, rest) = bytes.get(start..end)?.split_at_checked(len)?;
    Some((RawCell { address, rest }, end))
}

/// Start and length of the address of the cell that begins at `at`, and the cell's end.
#[inline]
fn extent(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    // Nearly all cells are shorter than 16 KiB, their addresses than 128 bytes.
    match bytes.get(at..)? {
        [len @ ..0x80, address @ ..0x80, ..] => {
            Some((at + 2, usize::from(*address), at + 1 + usize::from(*len)))
        }
        [low @ 0x80..=0xff, high @ ..0x80, address @ ..0x80, ..] => {
            let len = usize::from(low & 0x7f) | usize::from(*high) << 7;
            Some((at + 3, usize::from(*address), at + 2 + len))
        }
        _ => {
            let (len, at) = number(bytes, at)?;
            let end = at.checked_add(len)?;
            let (len, at) = number(bytes, at)?;
            Some((at, len, end))
        }
    }
}

/// A LEB128 number and where it ends.
fn number(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut reader = Reader::new(bytes.get(at..)?);
    let value = usize::try_from(reader.u64().ok()?).ok()?;
    Some((value, at + reader.at()))
}

/// Walks the cells of an entry.
pub(crate) struct Cells<'a> {
    pages: std::slice::Iter<'a, Vec<u8>>,
    reader: Reader<'a>,
}

impl<'a> Cells<'a> {
    fn next_raw(&mut self) -> Option<RawCell<'a>> {
        while self.reader.is_empty() {
            self.reader = Reader::new(self.pages.next()?);
        }
        RawCell::read(&mut self.reader).ok()
    }
}

impl<'a> Iterator for Cells<'a> {
    type Item = (&'a [u8], Cell<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let cell = self.next_raw()?;
        Some((cell.address, cell.decoded()))
    }
}
