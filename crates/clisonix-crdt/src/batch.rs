//! Batches: the bytes in which changes travel between replicas without a link.
//!
//! Normative: `docs/formats/change.md`.

use crate::change::MAX_NAME_BYTES;
use crate::coder::{self, MAX_CODED_BYTES};
use crate::deflate::{FHIR_TEXTS, deflate, inflate};
use crate::travel::{Numbering, Outgoing, Run, RunWriter, read_run};
use crate::wire::{DecodeError, Reader, put_bytes, put_u64};

/// Newest version of the batch format that this program reads, and the one in which it writes what is
/// coded.
pub const BATCH_VERSION: u8 = 4;
/// Oldest version of the batch format that this program reads, and the one in which it writes what is
/// not coded.
pub const OLDEST_BATCH_VERSION: u8 = 3;
/// Most changes in one batch.
pub const MAX_BATCH_CHANGES: usize = 1 << 20;
/// Largest batch, in bytes, after unpacking.
pub const MAX_BATCH_BYTES: usize = 512 << 20;

const MAGIC: &[u8; 3] = b"CXB";
const COLUMNS: u8 = 1;
const DEFLATED: u8 = 2;
const CODED: u8 = 4;
/// Shorter runs are mostly ids and hardly gain by compression, which takes as long as ten edits.
const MIN_DEFLATED: usize = 192;
/// What is shorter still has nothing to learn from.
const MIN_CODED: usize = 64;

/// Writes changes of one record as one batch.
pub(crate) fn encode<'a>(record: &str, changes: impl Iterator<Item = Outgoing<'a>>) -> Vec<u8> {
    let changes: Vec<Outgoing<'_>> = changes.collect();
    let mut out = MAGIC.to_vec();
    let at = out.len();
    out.extend([OLDEST_BATCH_VERSION, 0]);
    put_bytes(&mut out, record.as_bytes());
    let (start, in_columns) = (out.len(), changes.len() > 1);
    let mut numbering = Numbering::default();
    let mut run = RunWriter::new(&mut numbering, record, in_columns, out);
    for change in &changes {
        run.push(change);
    }
    let mut out = run.finish();
    let packed = pack_shorter(&mut out, start, in_columns);
    if let Some([version, flags]) = out.get_mut(at..at + 2) {
        *flags = columns_flag(in_columns) | packed;
        if packed == CODED {
            *version = BATCH_VERSION;
        }
    }
    out
}

/// As [`pack`]; what is in columns and short may be coded instead.
fn pack_shorter(out: &mut Vec<u8>, start: usize, in_columns: bool) -> u8 {
    let run = out.get(start..).unwrap_or_default();
    let is_coded = in_columns && (MIN_CODED..=MAX_CODED_BYTES).contains(&run.len());
    let coded = if is_coded { coder::encode(run) } else { Vec::new() };
    let mut head = Vec::new();
    put_u64(&mut head, run.len() as u64);
    let flag = pack(out, start);
    if !is_coded || head.len() + coded.len() >= out.len() - start {
        return flag;
    }
    out.truncate(start);
    out.extend_from_slice(&head);
    out.extend_from_slice(&coded);
    CODED
}

/// The flag of a run in columns.
pub(crate) fn columns_flag(in_columns: bool) -> u8 {
    if in_columns { COLUMNS } else { 0 }
}

/// Compresses the run that begins at `start` if that is shorter, and returns the flag of that.
pub(crate) fn pack(out: &mut Vec<u8>, start: usize) -> u8 {
    let run = out.get(start..).unwrap_or_default();
    if run.len() < MIN_DEFLATED {
        return 0;
    }
    let (len, packed) = (run.len(), deflate(run, FHIR_TEXTS));
    if packed.len() + 3 >= len {
        return 0;
    }
    out.truncate(start);
    put_u64(out, len as u64);
    out.extend_from_slice(&packed);
    DEFLATED
}

/// Reads a whole batch: the record's name and the changes.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Box<str>, Run), DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.take(3).ok() != Some(MAGIC) {
        return Err(DecodeError::Magic("a batch of changes"));
    }
    let version = reader.byte()?;
    if !(OLDEST_BATCH_VERSION..=BATCH_VERSION).contains(&version) {
        return Err(DecodeError::Version(version));
    }
    let flags = reader.byte()?;
    let record = reader.str(MAX_NAME_BYTES, "record name")?;
    let mut numbering = Numbering::default();
    let run = if version == BATCH_VERSION && flags == COLUMNS | CODED {
        let len = length(&mut reader)?;
        let run = coder::decode(reader.rest(), len)?;
        read_run(&mut Reader::new(&run), &mut numbering, record, true, MAX_BATCH_CHANGES)?
    } else {
        read_flagged(&mut reader, flags, &mut numbering, record)?
    };
    Ok((record.into(), run))
}

/// Reads a run with its flags.
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
    let len = length(reader)?;
    let run = inflate(reader.rest(), len, FHIR_TEXTS)?;
    read_run(&mut Reader::new(&run), numbering, record, in_columns, MAX_BATCH_CHANGES)
}

/// The length of a run that is compressed or coded.
fn length(reader: &mut Reader<'_>) -> Result<usize, DecodeError> {
    let at = reader.at();
    let len = usize::try_from(reader.u64()?).ok().filter(|&len| len <= MAX_BATCH_BYTES);
    len.ok_or(DecodeError::Limit { what: "batch", at })
}
