//! Batches: the bytes in which changes travel between replicas without a link.
//!
//! Normative: `docs/formats/change.md`.

use crate::change::MAX_NAME_BYTES;
use crate::deflate::{FHIR_TEXTS, deflate, inflate};
use crate::travel::{Numbering, Outgoing, Run, RunWriter, read_run};
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

/// Newest version of the batch format that this program reads, and the one it writes.
pub const BATCH_VERSION: u8 = 3;
/// Most changes in one batch.
pub const MAX_BATCH_CHANGES: usize = 1 << 20;
/// Largest batch, in bytes, after unpacking.
pub const MAX_BATCH_BYTES: usize = 512 << 20;

const MAGIC: &[u8; 3] = b"CXB";
const COLUMNS: u8 = 1;
const DEFLATED: u8 = 2;
/// Shorter runs are mostly ids and hardly gain by compression, which takes as long as ten edits.
const MIN_DEFLATED: usize = 192;

/// Writes changes of one record as one batch.
pub(crate) fn encode<'a>(record: &str, changes: impl Iterator<Item = Outgoing<'a>>) -> Vec<u8> {
    let changes: Vec<Outgoing<'_>> = changes.collect();
    let mut numbering = Numbering::default();
    let mut run = RunWriter::new(&mut numbering, record, changes.len() > 1);
    for change in &changes {
        run.push(change);
    }
    let mut body = Vec::new();
    run.finish(&mut body);
    let mut out = MAGIC.to_vec();
    out.push(BATCH_VERSION);
    let at = out.len();
    out.push(0);
    put_bytes(&mut out, record.as_bytes());
    let flags = put_run(body, changes.len() > 1, &mut out);
    if let Some(slot) = out.get_mut(at) {
        *slot = flags;
    }
    out
}

/// Appends a run, compressed if that is shorter, and returns its flags.
pub(crate) fn put_run(run: Vec<u8>, in_columns: bool, out: &mut Vec<u8>) -> u8 {
    let columns = if in_columns { COLUMNS } else { 0 };
    if run.len() >= MIN_DEFLATED {
        let packed = deflate(&run, FHIR_TEXTS);
        if packed.len() + 3 < run.len() {
            put_u64(out, run.len() as u64);
            out.extend_from_slice(&packed);
            return columns | DEFLATED;
        }
    }
    if out.is_empty() {
        *out = run;
    } else {
        out.extend_from_slice(&run);
    }
    columns
}

/// Reads a whole batch: the record's name and the changes.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Box<str>, Run), DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.take(3).ok() != Some(MAGIC) {
        return Err(DecodeError::Magic("a batch of changes"));
    }
    let version = reader.byte()?;
    if version != BATCH_VERSION {
        return Err(DecodeError::Version(version));
    }
    let flags = reader.byte()?;
    let record = reader.str(MAX_NAME_BYTES, "record name")?;
    let run = read_flagged(&mut reader, flags, &mut Numbering::default(), record)?;
    Ok((record.into(), run))
}

/// Reads what [`put_run`] wrote.
pub(crate) fn read_flagged(
    reader: &mut Reader<'_>,
    flags: u8,
    numbering: &mut Numbering,
    record: &str,
) -> Result<Run, DecodeError> {
    let at = reader.at();
    if flags > COLUMNS | DEFLATED {
        return Err(DecodeError::Meaningless { what: "flags", at });
    }
    let in_columns = flags & COLUMNS != 0;
    if flags & DEFLATED == 0 {
        return read_run(reader, numbering, record, in_columns, MAX_BATCH_CHANGES);
    }
    let len = usize::try_from(reader.u64()?).ok().filter(|&len| len <= MAX_BATCH_BYTES);
    let len = len.ok_or(DecodeError::Limit { what: "batch", at })?;
    let run = inflate(reader.rest(), len, FHIR_TEXTS)?;
    read_run(&mut Reader::new(&run), numbering, record, in_columns, MAX_BATCH_CHANGES)
}
