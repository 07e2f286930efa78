//! Which field of a run in columns each byte belongs to, as far as the bytes before it tell.
//!
//! It only chooses statistics, so it takes the plainest way through the format: a field that it
//! mistakes (an actor or a name that is defined on the way) costs some bits and nothing else.

/// A field, in the order of the statistics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    /// The number of changes and the lengths of the first five columns.
    #[default]
    Head,
    Shape,
    Graph,
    Time,
    Origin,
    Count,
    Tag,
    Actor,
    Seq,
    Op,
    Prefix,
    Suffix,
    Type,
    IdLength,
    Id,
    Shared,
    AddressLength,
    Address,
    ValueLength,
    Value,
}

/// Numbers before the columns.
const HEADS: usize = 6;
/// The columns but the last, whose lengths are told.
const TOLD: usize = 5;
/// Where the statistics begin that go by the byte before: of values, and of the graph.
const VALUES: usize = 32;
const GRAPH: usize = 40;

const ONE_OP: u8 = 16;
const KIND: u64 = 7;
const SPLICE: u64 = 2;
const SAME_ENTRY: u64 = 8;
const ID_IS_RECORD: u64 = 16;
const BASE: u64 = 32;

/// A walk over a run.
#[derive(Default)]
pub(super) struct Fields {
    field: Field,
    last: u8,
    /// The number that is being read, and the bits of it that are there.
    number: u64,
    bits: u32,
    /// How many heads were read, and the bytes that are left of each column.
    heads: usize,
    left: [u64; TOLD],
    column: usize,
    shapes: Vec<u8>,
    /// Changes and operations whose fields have begun.
    changes: usize,
    ops: u64,
    tag: u64,
    /// Bytes that are left of an id, an address or a value.
    rest: u64,
}

impl Fields {
    /// The statistics for the next byte.
    pub(super) fn context(&self) -> usize {
        match self.field {
            Field::Value => VALUES + class(self.last),
            Field::Graph => GRAPH + class(self.last),
            field => field as usize,
        }
    }

    /// Goes on behind a byte.
    pub(super) fn take(&mut self, byte: u8) {
        self.last = byte;
        let value = self.value(byte);
        if self.field == Field::Head {
            if let Some(value) = value {
                self.head(value);
            }
            return;
        }
        if self.field == Field::Shape {
            self.shapes.push(byte);
        }
        if let Some(left) = self.left.get_mut(self.column) {
            *left -= 1;
            if *left == 0 {
                return self.next_column(self.column + 1);
            }
        }
        if let Some(value) = value {
            self.field = self.after(value);
        }
    }

    /// What the field says, if the byte ends it.
    fn value(&mut self, byte: u8) -> Option<u64> {
        match self.field {
            Field::Value | Field::Id | Field::Address => {
                self.rest -= 1;
                (self.rest == 0).then_some(0)
            }
            Field::Shape | Field::Graph | Field::Time | Field::Origin | Field::Tag => {
                Some(u64::from(byte))
            }
            _ => {
                if self.bits < 63 {
                    self.number |= u64::from(byte & 0x7f) << self.bits;
                }
                self.bits = (self.bits + 7).min(63);
                (byte < 0x80).then(|| {
                    self.bits = 0;
                    std::mem::take(&mut self.number)
                })
            }
        }
    }

    fn head(&mut self, value: u64) {
        if let Some(left) = self.heads.checked_sub(1).and_then(|at| self.left.get_mut(at)) {
            *left = value;
        }
        self.heads += 1;
        if self.heads == HEADS {
            self.next_column(0);
        }
    }

    /// The first column from this one on that is not empty.
    fn next_column(&mut self, from: usize) {
        let told = self.left.iter().skip(from).position(|&left| left > 0);
        self.column = told.map_or(TOLD, |at| from + at);
        (self.number, self.bits) = (0, 0);
        self.field = match self.column {
            0 => Field::Shape,
            1 => Field::Graph,
            2 => Field::Time,
            3 => Field::Origin,
            4 => self.next_change(),
            _ => Field::ValueLength,
        };
    }

    fn next_change(&mut self) -> Field {
        let is_one = self.shapes.get(self.changes).is_none_or(|shape| shape & ONE_OP != 0);
        self.changes += 1;
        self.ops = 1;
        if is_one { Field::Tag } else { Field::Count }
    }

    fn next_op(&mut self) -> Field {
        self.ops = self.ops.saturating_sub(1);
        if self.ops > 0 { Field::Tag } else { self.next_change() }
    }

    /// A field of so many bytes, or what comes after it if that is none.
    fn bytes(&mut self, count: u64, field: Field) -> Field {
        self.rest = count;
        match (count, field) {
            (0, Field::Id) => Field::Shared,
            (0, Field::Address) => self.next_op(),
            (0, _) => Field::ValueLength,
            _ => field,
        }
    }

    fn after(&mut self, value: u64) -> Field {
        match self.field {
            Field::Count if value == 0 => self.next_change(),
            Field::Count => {
                self.ops = value;
                Field::Tag
            }
            Field::Tag => {
                self.tag = value;
                match value {
                    tag if tag & BASE != 0 => Field::Actor,
                    tag if tag & SAME_ENTRY != 0 => Field::Shared,
                    _ => Field::Type,
                }
            }
            Field::Actor => Field::Seq,
            Field::Seq => Field::Op,
            Field::Op if self.tag & KIND == SPLICE => Field::Prefix,
            Field::Prefix => Field::Suffix,
            Field::Op | Field::Suffix | Field::Address => self.next_op(),
            Field::Type if self.tag & ID_IS_RECORD == 0 => Field::IdLength,
            Field::Type | Field::Id => Field::Shared,
            Field::IdLength => self.bytes(value, Field::Id),
            Field::Shared => Field::AddressLength,
            Field::AddressLength => self.bytes(value, Field::Address),
            Field::ValueLength => self.bytes(value, Field::Value),
            Field::Value => Field::ValueLength,
            other => other,
        }
    }
}

/// Kinds of bytes: what comes next in a text depends on them.
fn class(byte: u8) -> usize {
    match byte {
        b'0'..=b'9' => 1,
        b'a' | b'e' | b'i' | b'o' | b'u' => 3,
        b'a'..=b'z' => 2,
        b'A'..=b'Z' => 4,
        b' ' => 5,
        b'"' => 6,
        b'-' | b'.' | b'/' | b':' => 7,
        _ => 0,
    }
}
