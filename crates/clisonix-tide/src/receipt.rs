//! Receipts: what two nodes that agree sign to each other.

use clisonix_crdt::wire::{Reader, put_u64};
use clisonix_crdt::{DecodeError, HybridTime};

use crate::entry::SetHash;
use crate::replica::NodeId;

/// Milliseconds of a day; a receipt is renewed when the day of its time changes.
pub(crate) const DAY_MS: u64 = 86_400_000;

/// Where one node stands in another one's arrivals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The incarnation of the other's store; 0 for none.
    pub incarnation: u64,
    /// All arrivals up to this one are here.
    pub arrival: u64,
}

/// One node's statement that it and a peer hold the same versions of the same records.
///
/// Both make one of their own; the two agree in epoch, count and hash. The hash can be made again by
/// whoever has the pair's secret, the epoch and the records' versions. It is evidence between the
/// two who share the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Who says it.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// When, by the sayer's hybrid clock.
    pub time: HybridTime,
    /// The sayer's store and its latest arrival.
    pub at: Cursor,
    /// The epoch of the entries' key.
    pub epoch: u64,
    /// How many records and notices.
    pub count: u64,
    /// The hash of their entries.
    pub hash: SetHash,
    /// A digest of the rules by which the sayer decided what the other may hold.
    pub scope: [u8; 32],
}

impl Receipt {
    /// The bytes that are signed.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = b"clisonix receipt 1\0".to_vec();
        self.write(&mut out);
        out
    }

    /// Whether the other one states the same, from the other side.
    pub fn agrees(&self, other: &Self) -> bool {
        let what = |receipt: &Self| (receipt.epoch, receipt.count, receipt.hash);
        self.from == other.to && self.to == other.from && what(self) == what(other)
    }

    /// Whether the two say the same of the same set on the same day.
    pub(crate) fn says_no_more_than(&self, other: &Self) -> bool {
        let what = |receipt: &Self| {
            let day = receipt.time.millis() / DAY_MS;
            (receipt.epoch, receipt.count, receipt.hash, receipt.scope, day)
        };
        what(self) == what(other) && self.at.incarnation == other.at.incarnation
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.from.0);
        out.extend_from_slice(&self.to.0);
        out.extend_from_slice(&self.time.0.to_be_bytes());
        self.at.write(out);
        put_u64(out, self.epoch);
        put_u64(out, self.count);
        out.extend_from_slice(&self.hash.0.to_be_bytes());
        out.extend_from_slice(&self.scope);
    }

    /// Reads the bytes after the prefix of [`Self::signed_bytes`].
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            from: NodeId(reader.array()?),
            to: NodeId(reader.array()?),
            time: HybridTime(u64::from_be_bytes(reader.array()?)),
            at: Cursor::read(reader)?,
            epoch: reader.u64()?,
            count: reader.u64()?,
            hash: SetHash(u128::from_be_bytes(reader.array()?)),
            scope: reader.array()?,
        })
    }
}

impl Cursor {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.incarnation.to_be_bytes());
        put_u64(out, self.arrival);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { incarnation: u64::from_be_bytes(reader.array()?), arrival: reader.u64()? })
    }
}
