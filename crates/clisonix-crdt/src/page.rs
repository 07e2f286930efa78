//! The cells of an entry as packed bytes: small in memory, and ready to be stored as they are.
//!
//! An entry's cells stand in *pages* of some kilobytes, in address order. A cell is
//!
//! ```text
//! length of the rest, length of the address, address,
//! siblings << 1 | any superseded, siblings, [superseded]
//! ```
//!
//! Reading borrows texts and addresses from the page; writing replaces the bytes of one cell.

use smallvec::SmallVec;

use crate::address;
use crate::state::{ChangeNo, Sibling, StatementKey, Superseded, Written};
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

/// A page is split in two when it grows beyond this.
const MAX_PAGE_BYTES: usize = 6 << 10;

const SET: u8 = 0;
const POSITION: u8 = 1;
const MARK: u8 = 2;
const KEEP: u8 = 3;
const SAME: u8 = 4;
const COVERED: u8 = 8;

/// One cell, its texts borrowed from the page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cell<'a> {
    pub(crate) siblings: SmallVec<[Sibling<'a>; 1]>,
    pub(crate) superseded: Vec<Superseded>,
}

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
            let decoded = cell.decode()?;
            let known = |change: &ChangeNo| changes.binary_search(change).is_ok();
            if !decoded.siblings.iter().flat_map(Sibling::changes).all(|change| known(&change)) {
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
    pub(crate) fn under<'a>(
        &'a self,
        prefix: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], Cell<'a>)> + 'a {
        let page = self.page_of(prefix);
        let pages = self.0.get(page..).unwrap_or_default().iter();
        let mut raw = Cells { pages, reader: Reader::new(&[]) };
        std::iter::from_fn(move || raw.next_raw())
            .skip_while(move |cell| cell.address < prefix)
            .take_while(move |cell| cell.address.starts_with(prefix))
            .map(|cell| (cell.address, cell.decoded()))
    }

    pub(crate) fn cell(&self, address: &[u8]) -> Option<Cell<'_>> {
        let (page, place) = self.find(address);
        let Place::Found(start, end) = place else { return None };
        let mut reader = Reader::new(self.0.get(page)?.get(start..end)?);
        Some(RawCell::read(&mut reader).ok()?.decoded())
    }

    pub(crate) fn contains(&self, address: &[u8]) -> bool {
        matches!(self.find(address).1, Place::Found(..))
    }

    /// Replaces the cell at `address` with `encoded`, as [`encode`] wrote it.
    pub(crate) fn put(&mut self, address: &[u8], encoded: &[u8]) {
        let (page, place) = self.find(address);
        if self.0.is_empty() {
            self.0.push(Vec::new());
        }
        let Some(bytes) = self.0.get_mut(page) else { return };
        match place {
            Place::Found(start, end) => {
                if let Some(there) = bytes.get_mut(start..end).filter(|t| t.len() == encoded.len())
                {
                    there.copy_from_slice(encoded);
                } else {
                    bytes.splice(start..end, encoded.iter().copied());
                }
            }
            Place::Before(start) if start == bytes.len() => bytes.extend_from_slice(encoded),
            Place::Before(start) => drop(bytes.splice(start..start, encoded.iter().copied())),
        }
        if bytes.len() > MAX_PAGE_BYTES {
            self.split(page);
        }
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
        let first = |page: &Vec<u8>| {
            RawCell::read(&mut Reader::new(page)).is_ok_and(|cell| cell.address <= address)
        };
        self.0.partition_point(first).saturating_sub(1)
    }

    fn find(&self, address: &[u8]) -> (usize, Place) {
        let page = self.page_of(address);
        let Some(bytes) = self.0.get(page) else { return (0, Place::Before(0)) };
        let mut reader = Reader::new(bytes);
        loop {
            let start = reader.at();
            let Ok(cell) = RawCell::read(&mut reader) else {
                return (page, Place::Before(bytes.len()));
            };
            match cell.address.cmp(address) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal => return (page, Place::Found(start, reader.at())),
                std::cmp::Ordering::Greater => return (page, Place::Before(start)),
            }
        }
    }
}

enum Place {
    Found(usize, usize),
    Before(usize),
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

/// A cell whose siblings are not read yet.
struct RawCell<'a> {
    address: &'a [u8],
    rest: &'a [u8],
}

impl<'a> RawCell<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut inside = Reader::new(reader.bytes(usize::MAX, "cell")?);
        let address = inside.bytes(address::MAX_ADDRESS_BYTES, "address length")?;
        Ok(Self { address, rest: inside.rest() })
    }

    /// The siblings; bytes that this program wrote or checked can be read.
    fn decoded(&self) -> Cell<'a> {
        self.decode().unwrap_or_default()
    }

    fn decode(&self) -> Result<Cell<'a>, DecodeError> {
        let mut reader = Reader::new(self.rest);
        let head = reader.u64()?;
        let mut cell = Cell::default();
        for _ in 0..head >> 1 {
            cell.siblings.push(read_sibling(&mut reader)?);
        }
        if head & 1 != 0 {
            for _ in 0..reader.count("superseded statements")? {
                let feed = reader.u32("feed")?;
                let time = reader.u64()?;
                let key = StatementKey { time, message: reader.array()?, value: reader.array()? };
                cell.superseded.push(Superseded { feed, key });
            }
        }
        reader.end()?;
        Ok(cell)
    }
}

fn read_sibling<'a>(reader: &mut Reader<'a>) -> Result<Sibling<'a>, DecodeError> {
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
    let write = match tag & 3 {
        SET => Written::Set(reader.str(usize::MAX, "cell text")?),
        POSITION => Written::Position(reader.bytes(usize::MAX, "position")?),
        MARK => Written::Mark,
        _ => Written::Keep,
    };
    if tag > 15 {
        return Err(DecodeError::Meaningless { what: "sibling", at });
    }
    Ok(Sibling { change, same, write, covered })
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

fn put_sibling(sibling: &Sibling<'_>, out: &mut Vec<u8>) {
    put_u64(out, u64::from(sibling.change));
    let tag = match sibling.write {
        Written::Set(_) => SET,
        Written::Position(_) => POSITION,
        Written::Mark => MARK,
        Written::Keep => KEEP,
    };
    let same = if sibling.same.is_empty() { 0 } else { SAME };
    let covered = if sibling.covered == 0 { 0 } else { COVERED };
    out.push(tag | same | covered);
    if same != 0 {
        put_u64(out, sibling.same.len() as u64);
        for &change in &sibling.same {
            put_u64(out, u64::from(change));
        }
    }
    if covered != 0 {
        put_u64(out, u64::from(sibling.covered));
    }
    match sibling.write {
        Written::Set(text) => put_bytes(out, text.as_bytes()),
        Written::Position(position) => put_bytes(out, position),
        Written::Mark | Written::Keep => {}
    }
}
