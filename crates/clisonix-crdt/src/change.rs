//! Changes: what one author wrote at one version, its canonical bytes and its hash.
//!
//! A change's id is the SHA-256 of its header. The header holds a *commitment* to the operations
//! instead of the operations: an HMAC under a secret that travels with the content and can be
//! destroyed with it, so that content can be erased and neither the chain of hashes breaks nor a
//! short value can be guessed from what is left. Normative: `docs/formats/change.md`.

use std::fmt;

use clisonix_fhir::json::{self, Value};
use clisonix_fhir::schema::{Scope, TypeId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::actor::{ActorId, ActorSecret};
use crate::address::{Address, MAX_ADDRESS_BYTES, MAX_THING_DEPTH, Step};
use crate::layout;
use crate::policy::Policy;
use crate::state::EntryId;
use crate::time::HybridTime;
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

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
/// Longest position of a list element, in bytes.
pub const MAX_POSITION_BYTES: usize = 1024;

const HEADER_DOMAIN: &[u8] = b"clisonix change 1\0";

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
}

impl Write {
    /// Eight bytes that tell different values apart, for ordering only.
    pub(crate) fn digest(&self) -> [u8; 8] {
        let bytes: &[u8] = match self {
            Self::Set(text) => text.as_bytes(),
            Self::Position(position) => position,
            Self::Mark | Self::Keep | Self::Stated => &[],
        };
        crate::address::ElementKey::hash_of([bytes])
    }
}

/// One operation of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) entry: EntryId,
    pub(crate) address: Address,
    pub(crate) write: Write,
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

/// A change as it travels: dependencies by (actor, sequence number).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) actor: ActorId,
    pub(crate) seq: u32,
    /// Without the actor's own previous change, which is always a dependency.
    pub(crate) deps: Vec<(ActorId, u32)>,
    pub(crate) time: HybridTime,
    pub(crate) author: Box<str>,
    pub(crate) source: Option<Source>,
    pub(crate) ops: Box<[u8]>,
}

impl Draft {
    /// The change's id, given the ids of all its dependencies.
    pub(crate) fn id(&self, record: &str, secret: &ActorSecret, deps: &mut [ChangeId]) -> ChangeId {
        deps.sort_unstable();
        let mut header = Vec::with_capacity(160 + 32 * deps.len());
        header.extend_from_slice(HEADER_DOMAIN);
        put_bytes(&mut header, record.as_bytes());
        header.extend_from_slice(&self.actor.0);
        put_u64(&mut header, u64::from(self.seq));
        put_u64(&mut header, deps.len() as u64);
        for dep in deps.iter() {
            header.extend_from_slice(&dep.0);
        }
        put_u64(&mut header, self.time.0);
        put_bytes(&mut header, self.author.as_bytes());
        match &self.source {
            None => header.push(0),
            Some(source) => {
                header.push(1);
                put_bytes(&mut header, source.feed.as_bytes());
                header.extend_from_slice(&source.message);
                put_u64(&mut header, source.event_time_ms);
            }
        }
        header.extend_from_slice(&commitment(secret, self.seq, &self.ops));
        ChangeId(Sha256::digest(&header).into())
    }
}

/// HMAC-SHA-256 over the operations under the change's own secret, which is derived from the
/// actor's: destroying one change's secret leaves the others' intact.
fn commitment(secret: &ActorSecret, seq: u32, ops: &[u8]) -> [u8; 32] {
    let own = hmac(&secret.0, &[b"clisonix commitment 1\0", &seq.to_be_bytes()]);
    hmac(&own, &[ops])
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
const SET_NAMED: u8 = 1;
const POSITION: u8 = 2;
const MARK: u8 = 3;
const KEEP: u8 = 4;
const STATED: u8 = 5;
const SAME_ENTRY: u8 = 8;
const ID_IS_RECORD: u8 = 16;

/// Appends the canonical bytes of `ops` for a change to `record`.
pub(crate) fn encode_ops(record: &str, ops: &[Op]) -> Vec<u8> {
    let mut out = Vec::with_capacity(ops.len() * 32);
    put_u64(&mut out, ops.len() as u64);
    let mut before: Option<&Op> = None;
    for op in ops {
        let same = before.is_some_and(|before| before.entry == op.entry);
        let by_record = !same && *op.entry.id == *record;
        let (tag, value): (u8, &[u8]) = match &op.write {
            Write::Set(text) => match named_value(&op.address, text) {
                Some(value) => (SET_NAMED, value.as_bytes()),
                None => (SET, text.as_bytes()),
            },
            Write::Position(position) => (POSITION, position),
            Write::Mark => (MARK, &[]),
            Write::Keep => (KEEP, &[]),
            Write::Stated => (STATED, &[]),
        };
        let flags = u8::from(same) * SAME_ENTRY + u8::from(by_record) * ID_IS_RECORD;
        out.push(tag | flags);
        if !same {
            put_u64(&mut out, u64::from(op.entry.ty.0));
            if !by_record {
                put_bytes(&mut out, op.entry.id.as_bytes());
            }
        }
        let address = op.address.as_bytes();
        let last = before.filter(|_| same).map_or(&[][..], |before| before.address.as_bytes());
        let shared = address.iter().zip(last).take_while(|(a, b)| a == b).count();
        put_u64(&mut out, shared as u64);
        put_bytes(&mut out, address.get(shared..).unwrap_or_default());
        if tag <= POSITION {
            put_bytes(&mut out, value);
        }
        before = Some(op);
    }
    out
}

/// The value of a text `"name":value` whose name follows from the address.
fn named_value<'a>(address: &Address, text: &'a str) -> Option<&'a str> {
    let name = plain_name(address)?;
    let value = text.strip_prefix('"')?.strip_prefix(name)?.strip_prefix("\":")?;
    // `"name":value,"_name":..` must not lose its second member, so only lone members qualify.
    is_one_value(value).then_some(value)
}

/// The JSON name of a cell that is one element without choice of type.
fn plain_name(address: &Address) -> Option<&'static str> {
    match address.steps().last()? {
        Step::Element(element) if !element.element().choice => Some(element.element().name),
        _ => None,
    }
}

/// Whether canonical JSON `text` is a single value, not a value and further members.
fn is_one_value(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_u32, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return false,
            _ => {}
        }
    }
    !text.is_empty()
}

/// Reads and checks operations; every address, name and value is known to be usable afterwards.
pub(crate) fn decode_ops(record: &str, bytes: &[u8]) -> Result<Vec<Op>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let count = reader.count("operations")?;
    if count > MAX_OPS {
        return Err(DecodeError::Limit { what: "operations", at: 0 });
    }
    let mut ops: Vec<Op> = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let op = decode_op(record, &mut reader, ops.last())?;
        ops.push(op);
    }
    reader.end()?;
    Ok(ops)
}

fn decode_op(
    record: &str,
    reader: &mut Reader<'_>,
    before: Option<&Op>,
) -> Result<Op, DecodeError> {
    let at = reader.at();
    let tag = reader.byte()?;
    let wrong = |what| DecodeError::Meaningless { what, at };
    let same = tag & SAME_ENTRY != 0;
    let entry = match before {
        Some(before) if same => before.entry.clone(),
        None if same => return Err(wrong("operation")),
        _ => decode_entry(record, reader, tag & ID_IS_RECORD != 0)?,
    };
    let last = before.filter(|_| same).map_or(&[][..], |before| before.address.as_bytes());
    let shared = reader.u64()? as usize;
    let mut address = last.get(..shared).ok_or(wrong("address"))?.to_vec();
    address.extend_from_slice(reader.bytes(MAX_ADDRESS_BYTES, "address length")?);
    let address = Address::from_bytes(&address)?;
    belongs(&entry, &address).ok_or(wrong("address"))?;
    let write = match tag & 7 {
        SET => {
            let text = reader.str(MAX_VALUE_BYTES, "cell text")?;
            check_text(&address, text).ok_or(wrong("cell text"))?;
            Write::Set(text.into())
        }
        SET_NAMED => {
            let name = plain_name(&address).ok_or(wrong("cell text"))?;
            let text = format!("\"{name}\":{}", reader.str(MAX_VALUE_BYTES, "cell text")?);
            check_text(&address, &text).ok_or(wrong("cell text"))?;
            Write::Set(text.into())
        }
        POSITION => {
            let position = reader.bytes(MAX_POSITION_BYTES, "position length")?;
            // A trailing zero would be a second spelling of the same fraction.
            if position.last().is_none_or(|&last| last == 0) {
                return Err(wrong("position"));
            }
            Write::Position(position.into())
        }
        MARK => Write::Mark,
        KEEP => Write::Keep,
        STATED => Write::Stated,
        _ => return Err(wrong("operation")),
    };
    let fits = match write {
        Write::Set(_) => !address.is_presence() && !address.is_position(),
        Write::Position(_) => address.is_position(),
        Write::Mark | Write::Keep | Write::Stated => address.is_presence(),
    };
    if fits { Ok(Op { entry, address, write }) } else { Err(wrong("operation")) }
}

fn decode_entry(
    record: &str,
    reader: &mut Reader<'_>,
    by_record: bool,
) -> Result<EntryId, DecodeError> {
    let at = reader.at();
    let ty = u16::try_from(reader.u64()?).ok().and_then(TypeId::checked);
    let ty = ty.filter(|ty| clisonix_fhir::schema::resource_named(ty.name()).is_some());
    let ty = ty.ok_or(DecodeError::Meaningless { what: "resource type", at })?;
    let id = if by_record { record } else { reader.str(MAX_ENTRY_ID_BYTES, "entry id")? };
    if !is_fhir_id(id) {
        return Err(DecodeError::Meaningless { what: "entry id", at });
    }
    Ok(EntryId { ty, id: id.into() })
}

/// FHIR R4 2.24.0.1 `id`: 1 to 64 of `A-Z a-z 0-9 - .`
pub(crate) fn is_fhir_id(id: &str) -> bool {
    (1..=MAX_ENTRY_ID_BYTES).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

/// Checks that `address` is one that a diff can make: every element is a member of the thing it
/// stands in, and the last step fits what stands there.
fn belongs(entry: &EntryId, address: &Address) -> Option<()> {
    let mut scope = Some(Scope::Type(entry.ty));
    let mut depth = 0;
    // Set while the walk stands on a list element (true) or in a thing (false) that may be marked.
    let (mut on_item, mut markable, mut is_cell) = (false, true, false);
    for step in address.steps() {
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
    match address.steps().last()? {
        Step::Element(_) => is_cell.then_some(()),
        Step::Key(_) => None,
        _ => Some(()),
    }
}

/// Checks that `text` is JSON of the members that the cell at `address` covers, so that a resource
/// can be written by joining texts.
fn check_text(address: &Address, text: &str) -> Option<()> {
    if text.is_empty() {
        return Some(());
    }
    match address.steps().last()? {
        Step::Content => {
            let value = json::parse(text.as_bytes()).ok()?;
            (canonical(&value) == text).then_some(())
        }
        Step::Unknown(name) => {
            let members = parse_members(text)?;
            (members.len() == 1 && members.contains_key(name)).then_some(())
        }
        Step::Element(leader) => {
            let policy = Policy::r4();
            let members = parse_members(text)?;
            let known = members
                .keys()
                .all(|member| policy.members(leader).any(|element| names(element, member)));
            (known && !members.is_empty()).then_some(())
        }
        _ => None,
    }
}

/// The text of a cell that holds `value`; `None` if the value does not fit the cell.
pub(crate) fn cell_text(address: &Address, value: &Value) -> Option<String> {
    let text = canonical(value);
    let text = if address.steps().last()? == Step::Content {
        text
    } else {
        let object = value.as_object().filter(|object| !object.is_empty())?;
        let mut members: Vec<(&str, &Value)> = object.iter().collect();
        members.sort_by_key(|(name, _)| order_in_cell(address, name));
        let mut text = String::new();
        for (name, value) in members {
            if !text.is_empty() {
                text.push(',');
            }
            crate::canonical::write_string(name, &mut text);
            text.push(':');
            crate::canonical::write(value, &mut text);
        }
        text
    };
    check_text(address, &text)?;
    Some(text)
}

/// Members of a cell stand in definition order, a value before its extensions.
fn order_in_cell(address: &Address, member: &str) -> (usize, bool) {
    let elements = match address.steps().last() {
        Some(Step::Element(leader)) => Policy::r4().members(leader).collect(),
        _ => Vec::new(),
    };
    let index = elements.iter().position(|&element| names(element, member));
    (index.unwrap_or(usize::MAX), member.starts_with('_'))
}

fn canonical(value: &Value) -> String {
    crate::canonical::text(value)
}

/// Whether `member` is a JSON name of `element`: its name, with a type for a choice, with `_`.
fn names(element: clisonix_fhir::schema::ElementId, member: &str) -> bool {
    let definition = element.element();
    let member = member.strip_prefix('_').unwrap_or(member);
    match member.strip_prefix(definition.name) {
        Some("") => !definition.choice,
        Some(_) => definition.choice,
        None => false,
    }
}

/// Reads `text` as members without braces; `None` unless it is canonical.
pub(crate) fn parse_members(text: &str) -> Option<json::Object> {
    match json::parse(format!("{{{text}}}").as_bytes()).ok()? {
        Value::Object(object) => {
            let mut again = String::with_capacity(text.len());
            for (name, value) in &object {
                if !again.is_empty() {
                    again.push(',');
                }
                crate::canonical::write_string(name, &mut again);
                again.push(':');
                crate::canonical::write(value, &mut again);
            }
            (again == text).then_some(object)
        }
        _ => None,
    }
}
