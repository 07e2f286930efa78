//! The bytes of messages.

use clisonix_crdt::wire::{Reader, put_bytes, put_u64};
use clisonix_crdt::{DecodeError, MAX_NAME_BYTES};

use super::{
    Batch, Feeding, Item, MAX_HAVE_BYTES, MAX_MESSAGE_BATCHES, MAX_MESSAGE_BYTES,
    MAX_MESSAGE_ENTRIES, MAX_MESSAGE_RECORDS, MAX_MESSAGE_SYMBOLS, MAX_SIGNATURE_BYTES, Message,
    Offer, Part, State, Subject, TIDE_VERSION, Taken,
};
use crate::entry::SetHash;
use crate::receipt::{Cursor, Receipt};
use crate::sketch::Symbol;

impl Message {
    /// The message's bytes.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = vec![TIDE_VERSION, self.kind()];
        self.write_fields(&mut out);
        out
    }

    fn write_fields(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello { question, state } => {
                put_u64(out, *question);
                state.write(out);
            }
            Self::State { question, is_comparing, state } => {
                put_u64(out, *question);
                out.push(u8::from(*is_comparing));
                state.write(out);
            }
            Self::AskSymbols { question, version, first, count } => {
                put_all(out, &[*question, *version, *first, *count]);
            }
            Self::Symbols { question, version, first, symbols } => {
                put_all(out, &[*question, *version, *first]);
                put_symbols(out, symbols);
            }
            Self::AskList { question, after } => {
                put_u64(out, *question);
                out.push(u8::from(after.is_some()));
                if let Some(id) = after {
                    out.extend_from_slice(&id.to_be_bytes());
                }
            }
            Self::List { question, is_all, ids } => {
                put_u64(out, *question);
                out.push(u8::from(*is_all));
                put_u64(out, ids.len() as u64);
                for id in ids {
                    out.extend_from_slice(&id.to_be_bytes());
                }
            }
            Self::Want { question, items } => put_list(out, *question, items, Item::write),
            Self::Runs { question, parts } => put_list(out, *question, parts, Part::write),
            Self::Give { question, offers } => put_list(out, *question, offers, Offer::write),
            Self::Taken { question, results } => put_list(out, *question, results, Taken::write),
            Self::Feed { incarnation, after, upto, batches } => {
                out.extend_from_slice(&incarnation.to_be_bytes());
                put_u64(out, *after);
                put_list(out, *upto, batches, Batch::write);
            }
            Self::Seen { cursor } => cursor.write(out),
            Self::Receipt { question, receipt, signature } => {
                put_u64(out, *question);
                receipt.write(out);
                put_bytes(out, signature);
            }
            Self::Kept { question } => put_u64(out, *question),
            Self::Close { reason } => out.push(*reason),
        }
    }

    /// Reads a whole message.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_MESSAGE_BYTES {
            return Err(DecodeError::Limit { what: "message", at: 0 });
        }
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != TIDE_VERSION {
            return Err(DecodeError::Version(version));
        }
        let message = Self::read_fields(&mut reader)?;
        reader.end()?;
        Ok(message)
    }

    fn read_fields(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let kind = reader.byte()?;
        Ok(match kind {
            10 => Self::Feed {
                incarnation: u64::from_be_bytes(reader.array()?),
                after: reader.u64()?,
                upto: reader.u64()?,
                batches: list_of(reader, MAX_MESSAGE_BATCHES, Batch::read)?,
            },
            11 => Self::Seen { cursor: Cursor::read(reader)? },
            14 => Self::Close { reason: reader.byte()? },
            0..=13 => Self::read_numbered(kind, reader.u64()?, reader)?,
            _ => return Err(DecodeError::Meaningless { what: "message", at }),
        })
    }

    /// The kinds that begin with the number of a question.
    fn read_numbered(
        kind: u8,
        question: u64,
        reader: &mut Reader<'_>,
    ) -> Result<Self, DecodeError> {
        Ok(match kind {
            0 => Self::Hello { question, state: State::read(reader)? },
            1 => Self::State { question, is_comparing: flag(reader)?, state: State::read(reader)? },
            2 => Self::AskSymbols {
                question,
                version: reader.u64()?,
                first: reader.u64()?,
                count: reader.u64()?,
            },
            3 => Self::Symbols {
                question,
                version: reader.u64()?,
                first: reader.u64()?,
                symbols: symbols(reader)?,
            },
            4 => Self::AskList { question, after: after(reader)? },
            5 => Self::List { question, is_all: flag(reader)?, ids: ids(reader)? },
            6 => Self::Want { question, items: list(reader, Item::read)? },
            7 => Self::Runs { question, parts: list(reader, Part::read)? },
            8 => Self::Give { question, offers: list(reader, Offer::read)? },
            9 => Self::Taken { question, results: list(reader, Taken::read)? },
            12 => Self::Receipt {
                question,
                receipt: Receipt::read(reader)?,
                signature: reader.bytes(MAX_SIGNATURE_BYTES, "signature")?.to_vec(),
            },
            _ => Self::Kept { question },
        })
    }
}

impl State {
    fn write(&self, out: &mut Vec<u8>) {
        put_u64(out, self.epoch);
        self.at.write(out);
        self.seen.write(out);
        out.push(match self.feeding {
            Feeding::Done => 0,
            Feeding::Running => 1,
            Feeding::Unknown => 2,
        });
        put_u64(out, self.count);
        out.extend_from_slice(&self.hash.0.to_be_bytes());
        put_u64(out, self.version);
        put_symbols(out, &self.symbols);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            epoch: reader.u64()?,
            at: Cursor::read(reader)?,
            seen: Cursor::read(reader)?,
            feeding: match choice(reader, 3, "feeding")? {
                0 => Feeding::Done,
                1 => Feeding::Running,
                _ => Feeding::Unknown,
            },
            count: reader.u64()?,
            hash: SetHash(u128::from_be_bytes(reader.array()?)),
            version: reader.u64()?,
            symbols: symbols(reader)?,
        })
    }
}

impl Subject {
    /// No record's name is empty.
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Name(record) => put_bytes(out, record.as_bytes()),
            Self::Entry { id, check } => {
                out.push(0);
                out.extend_from_slice(&id.to_be_bytes());
                out.extend_from_slice(&check.to_be_bytes());
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let record = name(reader)?;
        if !record.is_empty() {
            return Ok(Self::Name(record));
        }
        let id = u64::from_be_bytes(reader.array()?);
        Ok(Self::Entry { id, check: u32::from_be_bytes(reader.array()?) })
    }
}

impl Item {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Id(id) => {
                out.push(0);
                out.extend_from_slice(&id.to_be_bytes());
            }
            Self::Known { subject, have } => {
                out.push(1);
                subject.write(out);
                put_bytes(out, have);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if flag(reader)? {
            Ok(Self::Known { subject: Subject::read(reader)?, have: have(reader)? })
        } else {
            Ok(Self::Id(u64::from_be_bytes(reader.array()?)))
        }
    }
}

impl Part {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Run { record, have, run, is_all } => {
                let without_have = if have.is_some() { 0 } else { 4 };
                out.push(without_have + u8::from(*is_all));
                put_bytes(out, record.as_bytes());
                if let Some(have) = have {
                    put_bytes(out, have);
                }
                put_bytes(out, run);
            }
            Self::Gone => out.push(2),
            Self::Outside => out.push(3),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match choice(reader, 6, "part")? {
            2 => Self::Gone,
            3 => Self::Outside,
            kind => Self::Run {
                is_all: kind & 1 == 1,
                record: name(reader)?,
                have: if kind < 4 { Some(have(reader)?) } else { None },
                run: run(reader)?,
            },
        })
    }
}

impl Offer {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Run { subject, run, is_all } => {
                out.push(u8::from(*is_all));
                subject.write(out);
                put_bytes(out, run);
            }
            Self::Outside { subject } => {
                out.push(3);
                subject.write(out);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let kind = choice(reader, 4, "offer")?;
        if kind == 2 {
            return Err(DecodeError::Meaningless { what: "offer", at });
        }
        let subject = Subject::read(reader)?;
        Ok(match kind {
            3 => Self::Outside { subject },
            is_all => Self::Run { is_all: is_all == 1, subject, run: run(reader)? },
        })
    }
}

impl Taken {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Whole { have } => {
                out.push(0);
                put_bytes(out, have);
            }
            Self::Lacks { have } => {
                out.push(1);
                put_bytes(out, have);
            }
            Self::Refused { reason } => out.extend_from_slice(&[2, *reason]),
            Self::Outside => out.push(3),
            Self::Later => out.push(4),
            Self::Gone => out.push(5),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match choice(reader, 6, "result")? {
            0 => Self::Whole { have: have(reader)? },
            1 => Self::Lacks { have: have(reader)? },
            2 => Self::Refused { reason: reader.byte()? },
            3 => Self::Outside,
            4 => Self::Later,
            _ => Self::Gone,
        })
    }
}

impl Batch {
    fn write(&self, out: &mut Vec<u8>) {
        put_bytes(out, self.record.as_bytes());
        put_bytes(out, &self.run);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { record: name(reader)?, run: run(reader)? })
    }
}

fn put_all(out: &mut Vec<u8>, numbers: &[u64]) {
    for &number in numbers {
        put_u64(out, number);
    }
}

fn put_list<T>(out: &mut Vec<u8>, number: u64, list: &[T], write: fn(&T, &mut Vec<u8>)) {
    put_all(out, &[number, list.len() as u64]);
    for one in list {
        write(one, out);
    }
}

fn put_symbols(out: &mut Vec<u8>, symbols: &[Symbol]) {
    put_u64(out, symbols.len() as u64);
    for symbol in symbols {
        symbol.write(out);
    }
}

fn list<T>(
    reader: &mut Reader<'_>,
    read: fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    list_of(reader, MAX_MESSAGE_RECORDS, read)
}

fn list_of<T>(
    reader: &mut Reader<'_>,
    limit: usize,
    read: fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = reader.count_up_to(limit, "records")?;
    (0..count).map(|_| read(reader)).collect()
}

fn symbols(reader: &mut Reader<'_>) -> Result<Vec<Symbol>, DecodeError> {
    let count = reader.count_up_to(MAX_MESSAGE_SYMBOLS, "symbols")?;
    (0..count).map(|_| Symbol::read(reader)).collect()
}

fn ids(reader: &mut Reader<'_>) -> Result<Vec<u64>, DecodeError> {
    let count = reader.count_up_to(MAX_MESSAGE_ENTRIES, "entries")?;
    (0..count).map(|_| Ok(u64::from_be_bytes(reader.array()?))).collect()
}

fn name(reader: &mut Reader<'_>) -> Result<Box<str>, DecodeError> {
    Ok(reader.str(MAX_NAME_BYTES, "record name")?.into())
}

fn have(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    Ok(reader.bytes(MAX_HAVE_BYTES, "what a node has")?.to_vec())
}

fn run(reader: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    Ok(reader.bytes(MAX_MESSAGE_BYTES, "run")?.to_vec())
}

fn after(reader: &mut Reader<'_>) -> Result<Option<u64>, DecodeError> {
    Ok(if flag(reader)? { Some(u64::from_be_bytes(reader.array()?)) } else { None })
}

fn flag(reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
    Ok(choice(reader, 2, "flag")? == 1)
}

/// A byte below `end`.
fn choice(reader: &mut Reader<'_>, end: u8, what: &'static str) -> Result<u8, DecodeError> {
    let at = reader.at();
    let byte = reader.byte()?;
    if byte < end { Ok(byte) } else { Err(DecodeError::Meaningless { what, at }) }
}
