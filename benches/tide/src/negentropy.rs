//! The crate `negentropy`: range-based reconciliation of 32-byte ids, here the heads' hashes in the
//! order of the records.

use anyhow::{Result, ensure};
use clisonix_tide::Version;
use negentropy::{Id, Negentropy, NegentropyStorageVector};

use crate::sites::Sites;
use crate::{Cost, timed};

pub fn reconcile(sites: &Sites) -> Result<Cost> {
    let (ours, prepare_ms) = timed(|| storage(&sites.ours));
    let (ours, theirs) = (ours?, storage(&sites.theirs)?);
    let (result, session_ms) = timed(|| session(&ours, &theirs));
    let (bytes, round_trips, found) = result?;
    ensure!(found == 2 * sites.changed, "{found} ids found, {} records changed", sites.changed);
    Ok(Cost { bytes, round_trips, session_ms, prepare_ms })
}

fn storage(records: &[(String, Version)]) -> Result<NegentropyStorageVector> {
    let mut storage = NegentropyStorageVector::with_capacity(records.len());
    for (time, (_, head)) in (0_u64..).zip(records) {
        storage.insert(time, Id::from_byte_array(head.0))?;
    }
    storage.seal()?;
    Ok(storage)
}

/// Bytes of both directions, round trips, and ids found.
fn session(
    ours: &NegentropyStorageVector,
    theirs: &NegentropyStorageVector,
) -> Result<(usize, usize, usize)> {
    let mut client = Negentropy::borrowed(ours, 0)?;
    let mut server = Negentropy::borrowed(theirs, 0)?;
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let (mut bytes, mut round_trips) = (0, 0);
    let mut query = Some(client.initiate()?);
    while let Some(message) = query {
        let answer = server.reconcile(&message)?;
        bytes += message.len() + answer.len();
        round_trips += 1;
        query = client.reconcile_with_ids(&answer, &mut have, &mut need)?;
    }
    Ok((bytes, round_trips, have.len() + need.len()))
}
