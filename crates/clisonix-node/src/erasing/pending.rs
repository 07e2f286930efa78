//! Keys that are to be destroyed: noted with the batch that no longer needs them, destroyed after it,
//! and at the latest when the node is opened.

use clisonix_store::{Batch, ReadError, Snapshot, Span, Store, Table};

use crate::error::NodeError;
use crate::row_keys::{Owner, RowKeys};

/// Owners, and up to which epoch their keys are to be destroyed.
pub(super) type KeyList = Vec<(Owner, u32)>;

/// Destroys the keys that were to be destroyed when the node ended.
pub(crate) fn finish_pending(store: &Store, rows: &RowKeys) -> Result<(), NodeError> {
    for (record, keys) in pending(&store.snapshot()?)? {
        destroy_pending(store, rows, &record, &keys)?;
    }
    Ok(())
}

/// Destroys keys and notes that it is done.
pub(super) fn destroy_pending(
    store: &Store,
    rows: &RowKeys,
    record: &str,
    keys: &[(Owner, u32)],
) -> Result<u64, NodeError> {
    if keys.is_empty() {
        return Ok(rows.generation());
    }
    let Some(protection) = store.protection() else { return Ok(rows.generation()) };
    let generation = rows.destroy(keys, &protection.key())?;
    let mut batch = Batch::new();
    batch.remove(Table::Meta, &pending_key(record))?;
    put_generation(&mut batch, generation)?;
    store.write(batch)?;
    Ok(generation)
}

/// Notes the newest generation of the vault, so that an older one is not taken for it.
pub(crate) fn put_generation(batch: &mut Batch, generation: u64) -> Result<(), NodeError> {
    batch.put(Table::Meta, VAULT_KEY, generation.to_be_bytes().to_vec())?;
    Ok(())
}

/// The newest generation that the store has seen.
pub(crate) fn seen_generation(snapshot: &Snapshot) -> Result<u64, NodeError> {
    let value = snapshot.value(Table::Meta, VAULT_KEY)?;
    let bytes = value.and_then(|value| value.try_into().ok());
    Ok(bytes.map(u64::from_be_bytes).unwrap_or_default())
}

/// The keys that are to be destroyed, by record.
pub(super) fn pending(snapshot: &Snapshot) -> Result<Vec<(String, KeyList)>, NodeError> {
    let mut found = Vec::new();
    for row in snapshot.rows(Table::Meta, &Span::prefix(PENDING_PREFIX))? {
        let row = row?;
        let damaged = || ReadError::Damaged { table: Table::Meta };
        let name = row.key.strip_prefix(PENDING_PREFIX).and_then(|name| str::from_utf8(name).ok());
        let record = name.ok_or_else(damaged)?.to_owned();
        found.push((record, decode_keys(&row.value).ok_or_else(damaged)?));
    }
    Ok(found)
}

const VAULT_KEY: &[u8] = b"vault";
const PENDING_PREFIX: &[u8] = b"erasing\0";

pub(super) fn pending_key(record: &str) -> Vec<u8> {
    [PENDING_PREFIX, record.as_bytes()].concat()
}

/// Each key: its epoch, the length of its owner's name, the name.
pub(super) fn encode_keys(keys: &[(Owner, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (owner, epoch) in keys {
        out.extend_from_slice(&epoch.to_be_bytes());
        out.extend_from_slice(&(owner.name().len() as u16).to_be_bytes());
        out.extend_from_slice(owner.name());
    }
    out
}

fn decode_keys(mut bytes: &[u8]) -> Option<KeyList> {
    let mut keys = Vec::new();
    while !bytes.is_empty() {
        let (epoch, rest) = bytes.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        keys.push((Owner::named(name), u32::from_be_bytes(*epoch)));
        bytes = rest;
    }
    Some(keys)
}
