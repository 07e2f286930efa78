//! Cell addresses: schema element numbers and keys derived from content, never operation ids.
//!
//! An address is a byte string, made of steps, whose byte order is the order in which the cells
//! stand in the resource (definition order first, keys within a list):
//!
//! | step | bytes |
//! |---|---|
//! | presence of the thing so far (marks and keeps) | `00 00` |
//! | position of the list element so far | `00 01` |
//! | content of an atomic list element | `00 02` |
//! | a member that the element table does not know | `00 03`, name length (1 byte), name |
//! | an element | element number + 16, 2 bytes big-endian |
//! | which element of that list | 8 bytes of the key's hash, occurrence (2 bytes big-endian) |
//!
//! Two sites that create the same thing write the same addresses (`docs/formats/change.md`).

use std::fmt;

use clisonix_fhir::schema::ElementId;
use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use crate::layout::{Shape, shape};
use crate::wire::DecodeError;

/// Deepest nesting of things (entry, list elements, backbone elements) in one address.
/// Content that nests deeper is one cell.
pub const MAX_THING_DEPTH: usize = 30;
/// Longest address in bytes.
pub const MAX_ADDRESS_BYTES: usize = 600;
/// Longest name of a member that the element table does not know, in bytes.
pub const MAX_UNKNOWN_NAME_BYTES: usize = 255;

const PRESENCE: u16 = 0;
const POSITION: u16 = 1;
const CONTENT: u16 = 2;
const UNKNOWN: u16 = 3;
const FIRST_ELEMENT: u16 = 16;
const KEY_BYTES: usize = 10;

/// The hash of what identifies a list element, and its occurrence among equal keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElementKey {
    /// First 8 bytes of SHA-256 over the business key, the `id` or the first content.
    pub hash: [u8; 8],
    /// Number among elements with the same hash, from 0, in order of creation.
    pub occurrence: u16,
}

impl ElementKey {
    /// The hash part of a key from the parts of the business key, in order.
    pub fn hash_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 8] {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let digest = hasher.finalize();
        let mut hash = [0; 8];
        for (to, from) in hash.iter_mut().zip(digest.iter()) {
            *to = *from;
        }
        hash
    }
}

/// One step of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Presence,
    Position,
    Content,
    Unknown(&'a str),
    Element(ElementId),
    Key(ElementKey),
}

/// Where a cell stands within its entry.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address(Box<[u8]>);

impl Address {
    /// The address's bytes, as they stand in changes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads an address and checks every step against the element table.
    ///
    /// # Errors
    /// [`DecodeError`] if a step is cut, unknown, out of place, or the address is too long.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_ADDRESS_BYTES {
            return Err(DecodeError::Limit { what: "address length", at: 0 });
        }
        check(bytes)?;
        Ok(Self(bytes.into()))
    }

    /// An address whose bytes were checked before.
    pub(crate) fn trusted(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn steps(&self) -> Steps<'_> {
        Steps { rest: &self.0, in_list: false }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(")?;
        for step in self.steps() {
            match step {
                Step::Element(element) => write!(f, "/{}", element.element().name)?,
                Step::Unknown(name) => write!(f, "/?{name}")?,
                Step::Key(key) => write!(f, "[{:02x?}.{}]", key.hash, key.occurrence)?,
                Step::Presence => f.write_str("/#presence")?,
                Step::Position => f.write_str("/#position")?,
                Step::Content => f.write_str("/#content")?,
            }
        }
        f.write_str(")")
    }
}

/// An address under construction: a prefix that grows and shrinks with the walk over a resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(SmallVec<[u8; 36]>);

impl Path {
    pub(crate) fn from_prefix(bytes: &[u8]) -> Self {
        Self(SmallVec::from_slice(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Runs `inner` with `step` appended.
    pub(crate) fn with<T>(&mut self, step: Step<'_>, inner: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.0.len();
        self.push(step);
        let result = inner(self);
        self.0.truncate(len);
        result
    }

    /// The path as the address of a cell.
    pub(crate) fn whole(&mut self) -> Address {
        Address(self.0.as_slice().into())
    }

    pub(crate) fn address(&mut self, step: Step<'_>) -> Address {
        self.with(step, |path| Address(path.0.as_slice().into()))
    }

    pub(crate) fn push(&mut self, step: Step<'_>) {
        match step {
            Step::Presence => self.put(PRESENCE),
            Step::Position => self.put(POSITION),
            Step::Content => self.put(CONTENT),
            Step::Element(id) => self.put(id.0 + FIRST_ELEMENT),
            Step::Unknown(name) => {
                self.put(UNKNOWN);
                let len = name.len().min(MAX_UNKNOWN_NAME_BYTES);
                self.0.push(len as u8);
                self.0.extend(name.bytes().take(len));
            }
            Step::Key(key) => {
                self.0.extend_from_slice(&key.hash);
                self.put(key.occurrence);
            }
        }
    }

    fn put(&mut self, number: u16) {
        let [high, low] = number.to_be_bytes();
        self.0.push(high);
        self.0.push(low);
    }
}

/// Walks the steps of well-formed address bytes; ends at the first step that is not.
#[derive(Clone, Debug)]
pub(crate) struct Steps<'a> {
    rest: &'a [u8],
    in_list: bool,
}

impl<'a> Steps<'a> {
    /// Steps of a suffix; `in_list` says that a key comes first.
    pub(crate) fn of(rest: &'a [u8], in_list: bool) -> Self {
        Self { rest, in_list }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn split(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(len)?;
        self.rest = tail;
        Some(head)
    }

    fn key(&mut self) -> Option<Step<'a>> {
        let bytes = self.split(KEY_BYTES)?;
        let (hash, occurrence) = bytes.split_at_checked(8)?;
        Some(Step::Key(ElementKey {
            hash: hash.try_into().ok()?,
            occurrence: u16::from_be_bytes(occurrence.try_into().ok()?),
        }))
    }
}

impl<'a> Iterator for Steps<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Step<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        if std::mem::take(&mut self.in_list) {
            return self.key();
        }
        let number = u16::from_be_bytes(self.split(2)?.try_into().ok()?);
        match number {
            PRESENCE => Some(Step::Presence),
            POSITION => Some(Step::Position),
            CONTENT => Some(Step::Content),
            UNKNOWN => {
                let len = self.split(1)?.first().copied()?;
                std::str::from_utf8(self.split(usize::from(len))?).ok().map(Step::Unknown)
            }
            _ => {
                let element = ElementId::checked(number.checked_sub(FIRST_ELEMENT)?)?;
                self.in_list = element.element().is_list();
                Some(Step::Element(element))
            }
        }
    }
}

/// Of an address behind a list's: which element it is in, and whether it is that one's position or
/// content.
pub(crate) fn in_list(bytes: &[u8]) -> Option<(ElementKey, Option<Step<'_>>)> {
    let (hash, rest) = bytes.split_first_chunk()?;
    let (occurrence, rest) = rest.split_first_chunk()?;
    let key = ElementKey { hash: *hash, occurrence: u16::from_be_bytes(*occurrence) };
    let last = match rest {
        [] => return None,
        rest if *rest == POSITION.to_be_bytes() => Some(Step::Position),
        rest if *rest == CONTENT.to_be_bytes() => Some(Step::Content),
        _ => None,
    };
    Some((key, last))
}

/// Checks that `bytes` are whole steps, that a special step ends them, and the depth.
pub(crate) fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    let mut steps = Steps { rest: bytes, in_list: false };
    let mut ended = false;
    let mut depth = 0;
    loop {
        let at = bytes.len() - steps.rest.len();
        if steps.rest.is_empty() {
            break;
        }
        let step = steps.next().ok_or(DecodeError::Meaningless { what: "address step", at })?;
        if ended {
            return Err(DecodeError::Meaningless { what: "address step", at });
        }
        match step {
            Step::Presence | Step::Position | Step::Content | Step::Unknown(_) => ended = true,
            Step::Element(id) if id.element().is_list() || shape(id) == Shape::Thing => depth += 1,
            Step::Element(_) | Step::Key(_) => {}
        }
    }
    if steps.in_list || bytes.is_empty() {
        return Err(DecodeError::Truncated(bytes.len()));
    }
    if depth > MAX_THING_DEPTH {
        return Err(DecodeError::Limit { what: "nesting", at: 0 });
    }
    Ok(())
}

/// Whether the cell says that the thing around it is there or removed.
pub(crate) fn is_presence(address: &[u8]) -> bool {
    ends_with(address, Step::Presence, PRESENCE)
}

/// Whether the cell says where a list element stands.
pub(crate) fn is_position(address: &[u8]) -> bool {
    ends_with(address, Step::Position, POSITION)
}

fn ends_with(address: &[u8], step: Step<'_>, number: u16) -> bool {
    address.ends_with(&number.to_be_bytes()) && Steps::of(address, false).last() == Some(step)
}

/// Number of things named by `bytes` (a whole address or a thing's prefix).
pub(crate) fn thing_depth(bytes: &[u8]) -> usize {
    let mut steps = Steps { rest: bytes, in_list: false };
    let mut depth = 0;
    while let Some(step) = steps.next() {
        match step {
            Step::Key(_) => depth += 1,
            // A single backbone element is a thing only if something stands under it.
            Step::Element(id)
                if !id.element().is_list()
                    && shape(id) == Shape::Thing
                    && !steps.rest.is_empty() =>
            {
                depth += 1;
            }
            _ => {}
        }
    }
    depth
}
