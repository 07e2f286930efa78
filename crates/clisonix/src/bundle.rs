//! Records on their way to a peer in a file, where there is no line between the two sites.
//!
//! What is sealed is a line with the name of the format, then records, each with its name and a run:
//! everything of the record and what its authors have signed about it. The same run as on a link,
//! taken in through the same checks.

use std::io::{self, Read, Write};

use anyhow::{Context as _, Result};
use clisonix_pq::Fingerprint;
use clisonix_server::node_id;
use clisonix_tide::{Outcome, Replica};

use crate::exit::Fault;

/// The first line.
const HEAD: &[u8] = b"clisonix tide bundle 1\n";
/// Most bytes of a record's name.
const MAX_NAME_BYTES: usize = 1024;
/// Most bytes of a record's run.
pub(crate) const MAX_RUN_BYTES: usize = 256 << 20;
/// Bytes of runs that are taken in together.
const GROUP_BYTES: usize = 8 << 20;

/// What became of a bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Records in it.
    pub(crate) records: u64,
    /// Those that were not taken, now or at all.
    pub(crate) refused: u64,
}

/// Writes everything of these records; gives how many there were.
pub(crate) fn write(
    replica: &dyn Replica,
    records: &[String],
    out: &mut impl Write,
) -> Result<u64> {
    out.write_all(HEAD)?;
    let mut count = 0;
    for record in records {
        let run = replica.beyond(record, &[], usize::MAX);
        let run = run.with_context(|| "a record cannot be read now: try again")?;
        if run.bytes.is_empty() {
            continue;
        }
        if run.bytes.len() > MAX_RUN_BYTES {
            return Err(Fault::usage("a record is too large for a bundle: use a link").into());
        }
        out.write_all(&u16::try_from(record.len())?.to_be_bytes())?;
        out.write_all(record.as_bytes())?;
        out.write_all(&u32::try_from(run.bytes.len())?.to_be_bytes())?;
        out.write_all(&run.bytes)?;
        count += 1;
    }
    Ok(count)
}

/// Takes a bundle of `from` in, durably.
pub(crate) fn take_in(
    replica: &mut dyn Replica,
    source: &mut impl Read,
    from: Fingerprint,
) -> Result<Taken> {
    let mut head = [0; HEAD.len()];
    let read = source.read_exact(&mut head);
    if read.is_err() || head != HEAD {
        return Err(Fault::usage("the share holds no records of a site").into());
    }
    let mut taken = Taken::default();
    let (mut group, mut bytes) = (Vec::new(), 0);
    while let Some(next) = one(source).context("the bundle cannot be read")? {
        bytes += next.1.len();
        group.push(next);
        if bytes >= GROUP_BYTES {
            receive(replica, &group, from, &mut taken);
            (group, bytes) = (Vec::new(), 0);
        }
    }
    receive(replica, &group, from, &mut taken);
    Ok(taken)
}

fn receive(
    replica: &mut dyn Replica,
    group: &[(String, Vec<u8>)],
    from: Fingerprint,
    taken: &mut Taken,
) {
    let runs: Vec<(&str, &[u8])> =
        group.iter().map(|(record, run)| (record.as_str(), run.as_slice())).collect();
    for reception in replica.receive(&runs, &node_id(from)) {
        taken.records += 1;
        taken.refused += u64::from(reception.outcome != Outcome::Taken);
    }
}

/// The next record; `None` at the end.
fn one(source: &mut impl Read) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut length = [0; 2];
    if source.read(&mut length[..1])? == 0 {
        return Ok(None);
    }
    source.read_exact(&mut length[1..])?;
    let name = exactly(source, usize::from(u16::from_be_bytes(length)), MAX_NAME_BYTES)?;
    let name = String::from_utf8(name).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut length = [0; 4];
    source.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    Ok(Some((name, exactly(source, length, MAX_RUN_BYTES)?)))
}

/// So many bytes; memory grows with what is there.
fn exactly(source: &mut impl Read, length: usize, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if length > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    source.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}
