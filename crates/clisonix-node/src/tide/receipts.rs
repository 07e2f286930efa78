//! Receipts, kept for ever: two nodes held the same, each signed it to the other. They are chained
//! by hashes, as the access log is, so none can be changed, taken out or put in unseen.

use clisonix_crdt::wire::Reader;
use clisonix_pq::Fingerprint;
use clisonix_store::{Batch, ReadError, Row, Snapshot, Span, Table};
use clisonix_tide::{NodeId, Receipt};
use sha2::{Digest, Sha256};

use super::lock;
use crate::error::NodeError;
use crate::node::Node;

/// Longest signature under a receipt, in bytes.
pub const MAX_RECEIPT_SIGNATURE_BYTES: usize = 1 << 14;

/// A receipt as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReceipt {
    /// Its number here, from 0 without a gap.
    pub seq: u64,
    /// When it was kept, in milliseconds since 1970-01-01T00:00:00Z by this node's clock.
    pub kept_ms: u64,
    /// What it says.
    pub receipt: Receipt,
    /// The signature of who says it.
    pub signature: Vec<u8>,
}

impl KeptReceipt {
    /// Who says it.
    pub fn from(&self) -> Fingerprint {
        Fingerprint::from_bytes(self.receipt.from.0)
    }

    /// To whom.
    pub fn to(&self) -> Fingerprint {
        Fingerprint::from_bytes(self.receipt.to.0)
    }
}

/// What is wrong with the receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptFault {
    /// A receipt is missing, cannot be read, or is not the one that was kept.
    #[error("receipt {0} is not as it was kept")]
    Chain(u64),
    /// Receipts at the end are missing.
    #[error("there were {0} receipts, and the last of them are missing")]
    Cut(u64),
    /// The signature does not verify, or the identity that signed it is not known.
    #[error("the signature under receipt {0} does not verify")]
    Signature(u64),
}

/// The end of the receipts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    count: u64,
    hash: [u8; 32],
}

const END: &[u8] = b"tide-receipts";
const PREFIX: &[u8] = b"c\0";

fn key(seq: u64) -> Vec<u8> {
    [PREFIX, &seq.to_be_bytes()].concat()
}

impl End {
    fn load(snapshot: &Snapshot) -> Result<Self, NodeError> {
        let Some(value) = snapshot.value(Table::Meta, END)? else {
            return Ok(Self { count: 0, hash: [0; 32] });
        };
        let read = || {
            let (count, hash) = value.split_first_chunk()?;
            Some(Self { count: u64::from_be_bytes(*count), hash: hash.try_into().ok()? })
        };
        Ok(read().ok_or(ReadError::Damaged { table: Table::Meta })?)
    }
}

/// The hash of a receipt: over the one before it and the row without its hash.
fn link(before: &[u8; 32], row: &[u8]) -> [u8; 32] {
    let hasher = Sha256::new().chain_update(b"clisonix receipts 1\0");
    hasher.chain_update(before).chain_update(row).finalize().into()
}

/// Number, time, length of the receipt, the receipt as it is signed, the signature.
fn encode(seq: u64, kept_ms: u64, text: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut out = [seq, kept_ms].map(u64::to_be_bytes).concat();
    out.extend((text.len() as u32).to_be_bytes());
    out.extend(text);
    out.extend(signature);
    out
}

fn decode(row: &[u8]) -> Option<KeptReceipt> {
    let (seq, rest) = row.split_first_chunk()?;
    let (kept_ms, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (text, signature) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let at = text.iter().position(|byte| *byte == 0)? + 1;
    let mut reader = Reader::new(text.get(at..)?);
    let receipt = Receipt::read(&mut reader).ok()?;
    let (seq, kept_ms) = (u64::from_be_bytes(*seq), u64::from_be_bytes(*kept_ms));
    let is_whole = reader.is_empty() && receipt.signed_bytes() == text;
    is_whole.then(|| KeptReceipt { seq, kept_ms, receipt, signature: signature.to_vec() })
}

/// The receipt in a row, whose last bytes are its hash.
fn kept(row: &Row) -> Result<KeptReceipt, NodeError> {
    let kept = row.value.split_last_chunk::<32>().and_then(|(text, _)| decode(text));
    Ok(kept.ok_or(ReadError::Damaged { table: Table::Index })?)
}

impl Node {
    /// Keeps a receipt, durably: of this node or of a peer, whose signature was verified.
    ///
    /// # Errors
    /// [`NodeError::Write`], also for a signature longer than [`MAX_RECEIPT_SIGNATURE_BYTES`].
    pub fn keep_receipt(&self, receipt: &Receipt, signature: &[u8]) -> Result<u64, NodeError> {
        if signature.len() > MAX_RECEIPT_SIGNATURE_BYTES {
            let (table, bytes) = (Table::Index, signature.len());
            return Err(clisonix_store::WriteError::ValueLength { table, bytes }.into());
        }
        let now = self.inside().outside.now_ms();
        let _alone = lock(&self.exchange.receipts);
        let End { count, hash } = End::load(&self.store.snapshot()?)?;
        let mut row = encode(count, now, &receipt.signed_bytes(), signature);
        let hash = link(&hash, &row);
        row.extend(hash);
        let mut batch = Batch::new();
        batch.put(Table::Index, &key(count), row)?;
        let end = [(count + 1).to_be_bytes().as_slice(), &hash].concat();
        batch.put(Table::Meta, END, end)?;
        self.store.write(batch)?;
        Ok(count)
    }

    /// The receipts from a number on, at most `most`, oldest first.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn tide_receipts(&self, from: u64, most: usize) -> Result<Vec<KeptReceipt>, NodeError> {
        let snapshot = self.store.snapshot()?;
        let mut span = Span::prefix(PREFIX);
        span.start = Span::from(&key(from)).start;
        snapshot.rows(Table::Index, &span)?.take(most).map(|row| kept(&row?)).collect()
    }

    /// The latest receipt that this node or the peer signed to the other, by who signed it.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn last_receipt(
        &self,
        from: Fingerprint,
        to: Fingerprint,
    ) -> Result<Option<KeptReceipt>, NodeError> {
        let snapshot = self.store.snapshot()?;
        for row in snapshot.rows(Table::Index, &Span::prefix(PREFIX).backwards())? {
            let kept = kept(&row?)?;
            if (kept.from(), kept.to()) == (from, to) {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }

    /// Walks all receipts: each must be as it was kept, none missing, and its signature verify.
    /// `is_signed` says whether a signature over a text is that of a node. Gives their number, and
    /// the first fault.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn verify_receipts(
        &self,
        mut is_signed: impl FnMut(&NodeId, &[u8], &[u8]) -> bool,
    ) -> Result<(u64, Option<ReceiptFault>), NodeError> {
        let snapshot = self.store.snapshot()?;
        let end = End::load(&snapshot)?;
        let (mut seq, mut hash) = (0, [0; 32]);
        for row in snapshot.rows(Table::Index, &Span::prefix(PREFIX))? {
            let row = row?;
            let read = || {
                let (text, stated) = row.value.split_last_chunk::<32>()?;
                let kept = decode(text).filter(|kept| kept.seq == seq && row.key == key(seq))?;
                (link(&hash, text) == *stated).then_some((kept, *stated))
            };
            let Some((kept, stated)) = read() else {
                return Ok((seq, Some(ReceiptFault::Chain(seq))));
            };
            let text = kept.receipt.signed_bytes();
            if !is_signed(&kept.receipt.from, &text, &kept.signature) {
                return Ok((seq, Some(ReceiptFault::Signature(seq))));
            }
            (seq, hash) = (seq + 1, stated);
        }
        let fault = (end != End { count: seq, hash }).then_some(ReceiptFault::Cut(end.count));
        Ok((seq, fault))
    }
}

#[cfg(test)]
mod tests;
