//! Changes: what one author wrote at one version, its canonical bytes and its hash.
//!
//! A change's id is the SHA-256 of its header. The header holds a *commitment* to the operations
//! instead of the operations: an HMAC under a secret that travels with the content and can be
//! destroyed with it, so that content can be erased and neither the chain of hashes breaks nor a
//! short value can be guessed from what is left. Normative: `docs/formats/change.md`.

mod marks;

use std::fmt;
use std::ops::Range;

use clisonix_fhir::json::Value;
use clisonix_fhir::schema::{ElementId, Scope, TypeId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::actor::ActorId;
use crate::address::{self, Address, MAX_ADDRESS_BYTES, MAX_THING_DEPTH, Step, Steps};
use crate::canonical;
use crate::erasure::order::{Gone, Order};
use crate::layout;
use crate::note::{self, OpName};
use crate::policy::Policy;
use crate::state::{EntryId, Written};
use crate::time::HybridTime;
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

pub(crate) use marks::Marks;

/// Most operations in one change.
pub const MAX_OPS: usize = 1 << 20;
/// Longest text of one cell, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 << 20;
/// Longest logical id of an entry, in bytes (FHIR R4 `id`: 64 characters).
pub const MAX_ENTRY_ID_BYTES: usize = 64;
/// Longest author, feed or record name, in bytes.
pub const MAX_NAME_BYTES: usize = 512;
/// Most dependencies of one change.
pub const MAX_DEPENDENCIES: usize = 4096;
/// Latest event time, in milliseconds since the Unix epoch: hybrid times have 48 bits for it.
pub const MAX_EVENT_TIME_MS: u64 = (1 << 48) - 1;
/// Longest position of a list element, in bytes.
pub const MAX_POSITION_BYTES: usize = 1024;

const HEADER_DOMAIN: &[u8] = b"clisonix change 3\0";

/// SHA-256 of a change's header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChangeId(pub [u8; 32]);

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for ChangeId {
    type Err = DecodeError;

    /// Reads 64 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let wrong = DecodeError::Meaningless { what: "change id", at: 0 };
        if text.len() != 64 || !text.is_ascii() {
            return Err(wrong);
        }
        let mut id = [0; 32];
        for (index, byte) in id.iter_mut().enumerate() {
            let digits = text.get(2 * index..2 * index + 2).ok_or(wrong)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong)?;
        }
        Ok(Self(id))
    }
}

/// What a write puts into its cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// The cell's text; empty text is *explicitly empty*.
    Set(Box<str>),
    /// Where a list element stands: a fraction, read as base-256 digits after the point.
    Position(Box<[u8]>),
    /// The thing is removed.
    Mark,
    /// The thing stays although it was removed, or is created anew.
    Keep,
    /// A feed stated this entry; leaves no trace in the state.
    Stated,
    /// Edits inside the text of a text cell.
    Edits(Typed),
}

/// Edits inside the text that an operation put into a text cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Typed {
    /// The operation that put the text there.
    pub(crate) root: OpName,
    /// [`crate::text::TextEdits`], encoded.
    pub(crate) edits: Box<[u8]>,
}

impl Typed {
    /// The value in canonical form.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24 + self.edits.len());
        self.root.put(&mut out);
        out.extend_from_slice(&self.edits);
        out
    }

    /// Reads a value in canonical form.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (root, edits) = Self::split(bytes)?;
        Ok(Self { root, edits: edits.into() })
    }

    /// The root and the edits of a value in canonical form.
    pub(crate) fn split(bytes: &[u8]) -> Result<(OpName, &[u8]), DecodeError> {
        let mut reader = Reader::new(bytes);
        Ok((OpName::read(&mut reader)?, reader.rest()))
    }
}

impl Write {
    /// What the state holds of it; `None` for what leaves no trace there, and for edits in a text,
    /// whose trace is the text.
    pub(crate) fn written(&self) -> Option<Written<'_>> {
        match self {
            Self::Set(text) => Some(Written::Set(text)),
            Self::Position(position) => Some(Written::Position(position)),
            Self::Mark => Some(Written::Mark),
            Self::Keep => Some(Written::Keep),
            Self::Stated | Self::Edits(_) => None,
        }
    }
}

/// One operation of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) entry: EntryId,
    pub(crate) address: Address,
    pub(crate) write: Write,
}

impl Op {
    /// The same, borrowed; `None` of edits, which are not spelled out yet.
    pub(crate) fn raw(&self) -> Option<RawOp<'_>> {
        let write = match &self.write {
            Write::Edits(_) => return None,
            other => other.written(),
        };
        Some(RawOp { entry: self.entry.name(), address: self.address.as_bytes(), write })
    }
}

/// Which message of which feed a change came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Name of the feed.
    pub feed: Box<str>,
    /// Identity of the message: derived from its bytes.
    pub message: [u8; 16],
    /// When it happened by the source's own word, milliseconds since the Unix epoch, UTC.
    pub event_time_ms: u64,
}

/// What a change's id is the hash of, besides its dependencies and its content.
pub(crate) struct Header<'a> {
    pub(crate) record: &'a str,
    pub(crate) actor: ActorId,
    pub(crate) seq: u32,
    pub(crate) time: HybridTime,
    pub(crate) author: &'a str,
    pub(crate) source: Option<&'a Source>,
    pub(crate) order: Option<&'a Order>,
}

impl Header<'_> {
    /// The change's id, given the ids of all its dependencies and the commitment to its content.
    pub(crate) fn id(&self, deps: &mut [ChangeId], commitment: &[u8; 32]) -> ChangeId {
        deps.sort_unstable();
        let mut header = Vec::with_capacity(160 + 32 * deps.len());
        header.extend_from_slice(HEADER_DOMAIN);
        put_bytes(&mut header, self.record.as_bytes());
        header.extend_from_slice(&self.actor.0);
        put_u64(&mut header, u64::from(self.seq));
        put_u64(&mut header, deps.len() as u64);
        for dep in deps.iter() {
            header.extend_from_slice(&dep.0);
        }
        put_u64(&mut header, self.time.0);
        put_bytes(&mut header, self.author.as_bytes());
        match self.source {
            None => header.push(0),
            Some(source) => {
                header.push(1);
                put_bytes(&mut header, source.feed.as_bytes());
                header.extend_from_slice(&source.message);
                put_u64(&mut header, source.event_time_ms);
            }
        }
        header.push(u8::from(self.order.is_some()));
        if let Some(order) = self.order {
            order.write(&mut header, |header, actor| header.extend_from_slice(&actor.0));
        }
        header.extend_from_slice(commitment);
        ChangeId(Sha256::digest(&header).into())
    }
}

/// The commitment to a change's content: SHA-256 over one commitment for each operation. That is an
/// HMAC under a key of its own, so that each can be destroyed without the others; what is left of
/// an erased operation is its commitment.
pub(crate) fn commitment(
    key: impl Fn(u32) -> Option<[u8; 32]>,
    ops: &[u8],
    erased: &[Gone],
) -> [u8; 32] {
    let mut all = Sha256::new();
    let mut gone = erased.iter().peekable();
    let mut index = 0;
    let mut ops = raw_ops(ops);
    loop {
        let commitment = match gone.next_if(|gone| gone.index == index) {
            Some(gone) => gone.commitment,
            None => match ops.next() {
                // A change is only taken in with the keys of what it holds.
                Some(op) => op.commitment(&key(index).unwrap_or_default()),
                None => return all.finalize().into(),
            },
        };
        all.update(commitment);
        index += 1;
    }
}

impl RawOp<'_> {
    pub(crate) fn commitment(&self, key: &[u8; 32]) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(64);
        put_bytes(&mut bytes, self.entry.0.name().as_bytes());
        put_bytes(&mut bytes, self.entry.1.as_bytes());
        put_bytes(&mut bytes, self.address);
        let (tag, value) = match self.write {
            Some(Written::Set(text)) => (SET, text.as_bytes()),
            Some(Written::Position(position)) => (POSITION, position),
            Some(Written::Mark) => (MARK, &[][..]),
            Some(Written::Keep) => (KEEP, &[][..]),
            Some(Written::Edits(edits)) => (EDITS, edits),
            // A text stands in states only.
            None | Some(Written::Text(..)) => (STATED, &[][..]),
        };
        bytes.push(tag);
        hmac(key, &[&bytes, value])
    }
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key of 32 bytes is always accepted: HMAC takes any length (RFC 2104, section 2).
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

const SET: u8 = 0;
const POSITION: u8 = 1;
const MARK: u8 = 2;
const KEEP: u8 = 3;
const STATED: u8 = 4;
const EDITS: u8 = 5;
const SAME_ENTRY: u8 = 8;

/// Whether an operation with this tag has a value.
fn has_value(tag: u8) -> bool {
    matches!(tag, SET | POSITION | EDITS)
}

/// The canonical bytes of `ops`.
pub(crate) fn encode_ops(ops: &[Op]) -> Box<[u8]> {
    // Tags and lengths take less than 16 bytes.
    let len = |op: &Op| {
        16 + op.entry.id.len()
            + op.address.as_bytes().len()
            + op.write.written().map_or(32, Written::len)
    };
    let mut writer = OpsWriter::new(ops.iter().map(len).sum());
    for op in ops {
        writer.put_op(op);
    }
    writer.finish()
}

/// Writes canonical bytes, operation by operation.
pub(crate) struct OpsWriter {
    /// Begins with a byte for the count.
    out: Vec<u8>,
    count: usize,
    /// The entry of the operation before: its type, and where its id stands.
    before: Option<(TypeId, Range<usize>)>,
}

impl OpsWriter {
    /// Of operations that take so many bytes, about.
    pub(crate) fn new(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(1 + bytes);
        out.push(0);
        Self { out, count: 0, before: None }
    }

    /// Operations so far.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The canonical bytes of one operation that sets a cell to these parts of a text.
    pub(crate) fn one_set(entry: (TypeId, &str), address: &[u8], text: &[&str]) -> Box<[u8]> {
        let len: usize = text.iter().map(|part| part.len()).sum();
        let head = 1 + spelled_len(usize::from(entry.0.0)) + spelled_len(entry.1.len());
        let parts = spelled_len(address.len()) + address.len() + spelled_len(len) + len;
        let mut writer = Self::new(head + entry.1.len() + parts);
        writer.put_set(entry, address, text);
        writer.finish()
    }

    /// An operation that sets a cell to these parts of a text.
    pub(crate) fn put_set(&mut self, entry: (TypeId, &str), address: &[u8], text: &[&str]) {
        self.place(SET, entry, address);
        put_u64(&mut self.out, text.iter().map(|part| part.len() as u64).sum());
        for part in text {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    /// An operation that says where a list element stands.
    pub(crate) fn put_position(&mut self, entry: (TypeId, &str), address: &[u8], position: &[u8]) {
        self.place(POSITION, entry, address);
        put_bytes(&mut self.out, position);
    }

    /// An operation that keeps the thing or removes it.
    pub(crate) fn put_presence(&mut self, entry: (TypeId, &str), address: &[u8], is_kept: bool) {
        self.place(if is_kept { KEEP } else { MARK }, entry, address);
    }

    pub(crate) fn put_op(&mut self, op: &Op) {
        self.put(op.entry.name(), op.address.as_bytes(), &op.write);
    }

    pub(crate) fn put(&mut self, entry: (TypeId, &str), address: &[u8], write: &Write) {
        match write {
            Write::Set(text) => self.put_set(entry, address, &[text]),
            Write::Position(position) => self.put_position(entry, address, position),
            Write::Mark => self.put_presence(entry, address, false),
            Write::Keep => self.put_presence(entry, address, true),
            Write::Stated => self.place(STATED, entry, address),
            Write::Edits(typed) => {
                self.place(EDITS, entry, address);
                put_bytes(&mut self.out, &typed.to_bytes());
            }
        }
    }

    fn place(&mut self, tag: u8, (ty, id): (TypeId, &str), address: &[u8]) {
        self.count += 1;
        let is_same = |(before, at): &(TypeId, Range<usize>)| {
            *before == ty && self.out.get(at.clone()) == Some(id.as_bytes())
        };
        if self.before.as_ref().is_some_and(is_same) {
            self.out.push(tag | SAME_ENTRY);
        } else {
            self.out.push(tag);
            put_u64(&mut self.out, u64::from(ty.0));
            put_bytes(&mut self.out, id.as_bytes());
            let end = self.out.len();
            self.before = Some((ty, end - id.len()..end));
        }
        put_bytes(&mut self.out, address);
    }

    /// The bytes; the count takes one of them up to 127 operations.
    pub(crate) fn finish(mut self) -> Box<[u8]> {
        match (self.out.first_mut(), u8::try_from(self.count)) {
            (Some(first), Ok(count)) if count < 0x80 => *first = count,
            _ => {
                let mut count = Vec::new();
                put_u64(&mut count, self.count as u64);
                self.out.splice(..1, count);
            }
        }
        self.out.into()
    }
}

/// Bytes that a number takes (LEB128).
fn spelled_len(number: usize) -> usize {
    let bits = usize::BITS - (number | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// One operation of checked canonical bytes, borrowed from them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawOp<'a> {
    pub(crate) entry: (TypeId, &'a str),
    pub(crate) address: &'a [u8],
    /// `None` for what no state holds.
    pub(crate) write: Option<Written<'a>>,
}

/// Number of operations in canonical bytes.
pub(crate) fn op_count(bytes: &[u8]) -> u32 {
    Reader::new(bytes).u32("operations").unwrap_or_default()
}

/// Walks canonical bytes; ends early where they are not such.
pub(crate) fn raw_ops(bytes: &[u8]) -> impl Iterator<Item = RawOp<'_>> {
    let mut reader = Reader::new(bytes);
    let count = reader.u64().unwrap_or_default();
    let mut entry = None;
    (0..count).map_while(move |_| {
        let op = read_raw(&mut reader, entry).ok()?;
        entry = Some(op.entry);
        Some(op)
    })
}

/// Finds the operation on a cell, and its index; the texts of others are not read.
pub(crate) fn find_op<'a>(
    bytes: &'a [u8],
    entry: (TypeId, &str),
    address: &[u8],
) -> Option<(u32, RawOp<'a>)> {
    let mut skim = Skim::new(bytes);
    loop {
        let (index, at, place) = skim.next()?;
        if place == address && skim.entry == Some((entry.0.0, entry.1.as_bytes())) {
            return Some((index, skim.read(at)?));
        }
    }
}

/// The operation with this index.
pub(crate) fn op_at(bytes: &[u8], index: u32) -> Option<RawOp<'_>> {
    Skim::new(bytes).find(index)
}

/// A walk over canonical bytes that looks at places only.
struct Skim<'a> {
    bytes: &'a [u8],
    reader: Reader<'a>,
    index: u32,
    count: u64,
    entry: Option<(u16, &'a [u8])>,
}

impl<'a> Skim<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Reader::new(bytes);
        let count = reader.u64().unwrap_or_default();
        Self { bytes, reader, index: 0, count, entry: None }
    }

    /// Index, offset and address of the next operation.
    fn next(&mut self) -> Option<(u32, usize, &'a [u8])> {
        if u64::from(self.index) >= self.count {
            return None;
        }
        let at = self.reader.at();
        let tag = self.reader.byte().ok()?;
        if tag & SAME_ENTRY == 0 {
            let ty = u16::try_from(self.reader.u64().ok()?).ok()?;
            self.entry = Some((ty, self.reader.bytes(MAX_ENTRY_ID_BYTES, "entry id").ok()?));
        }
        let address = self.reader.bytes(MAX_ADDRESS_BYTES, "address length").ok()?;
        if has_value(tag & !SAME_ENTRY) {
            self.reader.bytes(MAX_VALUE_BYTES, "value").ok()?;
        }
        self.index += 1;
        Some((self.index - 1, at, address))
    }

    /// Walks on to the operation with this index.
    fn find(&mut self, index: u32) -> Option<RawOp<'a>> {
        loop {
            let (at_index, at, _) = self.next()?;
            if at_index == index {
                return self.read(at);
            }
        }
    }

    /// Reads the operation at an offset, in the entry that the walk is in.
    fn read(&self, at: usize) -> Option<RawOp<'a>> {
        let (ty, id) = self.entry?;
        let entry = (TypeId::checked(ty)?, std::str::from_utf8(id).ok()?);
        read_raw(&mut Reader::new(self.bytes.get(at..)?), Some(entry)).ok()
    }
}

fn read_raw<'a>(
    reader: &mut Reader<'a>,
    before: Option<(TypeId, &'a str)>,
) -> Result<RawOp<'a>, DecodeError> {
    let at = reader.at();
    let wrong = DecodeError::Meaningless { what: "operation", at };
    let tag = reader.byte()?;
    let entry = if tag & SAME_ENTRY == 0 {
        let ty = u16::try_from(reader.u64()?).ok().and_then(TypeId::checked).ok_or(wrong)?;
        (ty, reader.str(MAX_ENTRY_ID_BYTES, "entry id")?)
    } else {
        before.ok_or(wrong)?
    };
    let address = reader.bytes(MAX_ADDRESS_BYTES, "address length")?;
    let write = match tag & !SAME_ENTRY {
        SET => Some(Written::Set(reader.str(MAX_VALUE_BYTES, "cell text")?)),
        POSITION => Some(Written::Position(reader.bytes(MAX_POSITION_BYTES, "position length")?)),
        MARK => Some(Written::Mark),
        KEEP => Some(Written::Keep),
        STATED => None,
        EDITS => Some(Written::Edits(reader.bytes(MAX_VALUE_BYTES, "edits")?)),
        _ => return Err(wrong),
    };
    Ok(RawOp { entry, address, write })
}

/// Reads canonical bytes that were checked before.
pub(crate) fn decode_ops(bytes: &[u8]) -> Vec<Op> {
    let own = |op: RawOp<'_>| Op {
        entry: EntryId { ty: op.entry.0, id: op.entry.1.into() },
        address: Address::trusted(op.address),
        write: match op.write {
            Some(Written::Set(text)) => Write::Set(text.into()),
            Some(Written::Position(position)) => Write::Position(position.into()),
            Some(Written::Mark) => Write::Mark,
            Some(Written::Keep) => Write::Keep,
            Some(Written::Edits(edits)) => Typed::read(edits).map_or(Write::Stated, Write::Edits),
            None | Some(Written::Text(..)) => Write::Stated,
        },
    };
    raw_ops(bytes).map(own).collect()
}

/// Whether some operation in canonical bytes has edits inside a text.
pub(crate) fn types(bytes: &[u8]) -> bool {
    let mut skim = Skim::new(bytes);
    while let Some((_, at, _)) = skim.next() {
        if bytes.get(at).is_some_and(|tag| tag & !SAME_ENTRY == EDITS) {
            return true;
        }
    }
    false
}

/// Whether a write from outside fits the cell at `address`.
pub(crate) fn fits(address: &[u8], write: Option<Written<'_>>) -> bool {
    match write {
        Some(Written::Set(text)) => {
            !address::is_presence(address)
                && !address::is_position(address)
                && text.len() <= MAX_VALUE_BYTES
                && check_text(address, text).is_some()
        }
        // A trailing zero would be a second spelling of the same fraction.
        Some(Written::Position(position)) => {
            address::is_position(address)
                && position.len() <= MAX_POSITION_BYTES
                && position.last().is_some_and(|&last| last != 0)
        }
        None | Some(Written::Mark | Written::Keep) => address::is_presence(address),
        Some(Written::Edits(bytes)) => {
            note::place(address).is_some()
                && Typed::split(bytes).is_ok_and(|(_, edits)| edits.len() <= MAX_VALUE_BYTES)
        }
        // Only a state holds one.
        Some(Written::Text(..)) => false,
    }
}

/// The JSON name of a cell that is one element without choice of type.
pub(crate) fn plain_name(address: &[u8]) -> Option<&'static str> {
    match Steps::of(address, false).last()? {
        Step::Element(element) => plain_name_of(element),
        _ => None,
    }
}

/// The JSON name of an element without choice of type.
pub(crate) fn plain_name_of(element: ElementId) -> Option<&'static str> {
    let element = element.element();
    (!element.choice).then_some(element.name)
}

/// The value of a text `"name":value` whose name follows from the address.
pub(crate) fn named_value<'a>(address: &[u8], text: &'a str) -> Option<&'a str> {
    value_named(plain_name(address)?, text)
}

/// The value of a text `"name":value`.
pub(crate) fn value_named<'a>(name: &str, text: &'a str) -> Option<&'a str> {
    let value = text.strip_prefix('"')?.strip_prefix(name)?.strip_prefix("\":")?;
    // `"name":value,"_name":..` must not lose its second member, so only lone members qualify.
    canonical::is_value(value, 0).then_some(value)
}

/// FHIR R4 2.24.0.1 `id`: 1 to 64 of `A-Z a-z 0-9 - .`
pub(crate) fn is_fhir_id(id: &str) -> bool {
    (1..=MAX_ENTRY_ID_BYTES).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

/// Whether `address` is one that a diff can make: every element is a member of the thing it stands
/// in, and the last step fits what stands there.
pub(crate) fn belongs(ty: TypeId, address: &[u8]) -> bool {
    walk_address(ty, address).is_some()
}

fn walk_address(ty: TypeId, address: &[u8]) -> Option<()> {
    let mut scope = Some(Scope::Type(ty));
    let mut depth = 0;
    // Set while the walk stands on a list element (true) or in a thing (false) that may be marked.
    let (mut on_item, mut markable, mut is_cell) = (false, true, false);
    for step in Steps::of(address, false) {
        match step {
            Step::Element(element) => {
                scope?.elements().contains(&element).then_some(())?;
                (on_item, is_cell) = (false, true);
                let nests =
                    layout::shape(element) == layout::Shape::Thing && depth + 1 < MAX_THING_DEPTH;
                scope = nests.then(|| layout::thing_scope(element));
                markable = nests;
                depth += 1;
                is_cell &= !nests;
            }
            Step::Key(_) => (on_item, markable) = (true, true),
            Step::Unknown(_) => {
                scope?;
                (scope, is_cell) = (None, true);
            }
            Step::Content => (on_item && scope.is_none()).then_some(())?,
            Step::Position => on_item.then_some(())?,
            Step::Presence => markable.then_some(())?,
        }
    }
    match Steps::of(address, false).last()? {
        Step::Element(_) => is_cell.then_some(()),
        Step::Key(_) => None,
        _ => Some(()),
    }
}

/// Checks that `text` is JSON of the members that the cell at `address` covers, so that a resource
/// can be written by joining texts.
fn check_text(address: &[u8], text: &str) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    // Every thing around the cell is an object in a list at most.
    let depth = 2 * address::thing_depth(address) + 1;
    match Steps::of(address, false).last()? {
        Step::Content => canonical::is_value(text, depth).then_some(()),
        Step::Unknown(name) => {
            let mut members = canonical::members(text, depth)?.into_iter();
            let (only, _) = members.next().filter(|_| members.next().is_none())?;
            let mut spelled = String::with_capacity(name.len() + 2);
            canonical::write_string(name, &mut spelled);
            (spelled.get(1..spelled.len() - 1) == Some(only)).then_some(())
        }
        Step::Element(leader) => {
            let policy = Policy::r4();
            let members = canonical::members(text, depth)?;
            let mut last = None;
            for (name, _) in &members {
                let place = (order_in_cell(policy, leader, name)?, *name);
                if last.is_some_and(|last| last >= place) {
                    return None;
                }
                last = Some(place);
            }
            Some(())
        }
        _ => None,
    }
}

/// The text of a cell that holds `value`; `None` if the value does not fit the cell.
pub(crate) fn cell_text(address: &Address, value: &Value) -> Option<String> {
    let address = address.as_bytes();
    let last = Steps::of(address, false).last()?;
    let text = if last == Step::Content {
        canonical::text(value)
    } else {
        let object = value.as_object().filter(|object| !object.is_empty())?;
        let mut members: Vec<(&str, &Value)> = object.iter().collect();
        if let Step::Element(leader) = last {
            members.sort_by_key(|&(name, _)| (order_in_cell(Policy::r4(), leader, name), name));
        }
        let mut text = String::new();
        for (name, value) in members {
            if !text.is_empty() {
                text.push(',');
            }
            canonical::write_string(name, &mut text);
            text.push(':');
            canonical::write(value, &mut text);
        }
        text
    };
    check_text(address, &text)?;
    Some(text)
}

/// Members of a cell stand in definition order, a value before its extensions; `None` if the
/// member does not belong to the cell.
fn order_in_cell(policy: &Policy, leader: ElementId, member: &str) -> Option<(usize, bool)> {
    let index = policy.members(leader).position(|element| names(element, member))?;
    Some((index, member.starts_with('_')))
}

/// Whether `member` is a JSON name of `element`: its name, with a type for a choice, with `_`.
fn names(element: ElementId, member: &str) -> bool {
    let definition = element.element();
    let member = member.strip_prefix('_').unwrap_or(member);
    match member.strip_prefix(definition.name) {
        Some("") => !definition.choice,
        Some(_) => definition.choice,
        None => false,
    }
}
