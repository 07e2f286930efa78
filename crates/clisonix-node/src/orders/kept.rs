//! Orders and receipts as rows of the store, and as notices (`docs/formats/erasure.md`,
//! `docs/formats/store.md`).

use std::collections::BTreeSet;

use clisonix_pq::erasure::{Order, Receipt};
use clisonix_pq::{Fingerprint, FormError, PublicIdentity};
use clisonix_store::{Batch, ReadError, Snapshot, Span, Table};
use sha2::{Digest, Sha256};

use super::{KeptOrder, OrderReceipt, OrderState};
use crate::error::NodeError;

/// How the notice of an order begins.
const ORDER: &[u8] = b"clisonix erasure notice 1\n";
/// How a receipt begins, which is its own notice.
const RECEIPT: &[u8] = b"clisonix erasure receipt ";

/// Whether a notice is of an order.
pub(super) fn is_order(bytes: &[u8]) -> bool {
    bytes.starts_with(ORDER)
}

/// Whether a notice is a receipt.
pub(super) fn is_receipt(bytes: &[u8]) -> bool {
    bytes.starts_with(RECEIPT)
}

/// What a notice of an order holds: the length of the order u32, the order, and the run that brings
/// the change.
pub(super) struct Notice<'a> {
    pub(super) order: &'a [u8],
    pub(super) run: &'a [u8],
}

impl<'a> Notice<'a> {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A form is shorter than 16 KiB.
        let length = (self.order.len() as u32).to_be_bytes();
        [ORDER, &length, self.order, self.run].concat()
    }

    pub(super) fn of(bytes: &'a [u8]) -> Option<Self> {
        let (length, rest) = bytes.strip_prefix(ORDER)?.split_first_chunk()?;
        let (order, run) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        Some(Self { order, run })
    }

    pub(super) fn issuer(&self) -> Option<Fingerprint> {
        Order::issuer_of(self.order)
    }

    /// The order, if this identity signed it.
    pub(super) fn verified(&self, issuer: &PublicIdentity) -> Result<Order, FormError> {
        Order::from_text(self.order, issuer)
    }
}

/// An order as it is kept.
pub(super) struct Kept {
    /// Of its notice.
    pub(super) id: [u8; 32],
    pub(super) state: OrderState,
    /// The nodes that may have it.
    pub(super) peers: BTreeSet<Fingerprint>,
    pub(super) order: Order,
}

const ORDERS: &[u8] = b"o\0";
const RUNS: &[u8] = b"n\0";
const WAITING: &[u8] = b"w\0";
const RECEIPTS: &[u8] = b"u\0";

fn key(prefix: &[u8], id: [u8; 32]) -> Vec<u8> {
    [prefix, &id].concat()
}

impl Kept {
    /// An order, with the run of its notice, which is put into the batch.
    pub(super) fn new(
        batch: &mut Batch,
        order: Order,
        run: &[u8],
        state: OrderState,
        peers: BTreeSet<Fingerprint>,
    ) -> Result<Self, NodeError> {
        let notice = Notice { order: order.to_text().as_bytes(), run };
        let id = Sha256::digest(notice.to_bytes()).into();
        batch.put(Table::Index, &key(RUNS, id), run.to_vec())?;
        let kept = Self { id, state, peers, order };
        kept.put(batch)?;
        Ok(kept)
    }

    pub(super) fn put(&self, batch: &mut Batch) -> Result<(), NodeError> {
        let text = self.order.to_text().as_bytes();
        let value = [&[self.state.number()], &*encode(&self.peers), text].concat();
        batch.put(Table::Index, &key(ORDERS, self.id), value)?;
        if self.state == OrderState::Waiting {
            batch.put(Table::Index, &key(WAITING, self.id), Vec::new())?;
        } else {
            batch.remove(Table::Index, &key(WAITING, self.id))?;
        }
        Ok(())
    }

    fn read(id: &[u8], value: &[u8]) -> Option<Self> {
        let (state, rest) = value.split_first()?;
        let (peers, text) = decode(rest)?;
        let (id, state) = (id.try_into().ok()?, OrderState::numbered(*state)?);
        Some(Self { id, state, peers, order: Order::known(text).ok()? })
    }

    /// What the change came with.
    pub(super) fn run(&self, snapshot: &Snapshot) -> Result<Vec<u8>, NodeError> {
        Ok(snapshot.value(Table::Index, &key(RUNS, self.id))?.unwrap_or_default())
    }

    pub(super) fn told(self, receipts: Vec<OrderReceipt>) -> KeptOrder {
        let terms = self.order.terms();
        KeptOrder {
            digest: self.order.digest(),
            issuer: self.order.issuer(),
            made_ms: terms.made_ms,
            record: terms.record.clone(),
            change: terms.change,
            inputs: terms.inputs,
            state: self.state,
            peers: self.peers.into_iter().collect(),
            receipts,
        }
    }
}

impl OrderState {
    const ALL: [Self; 5] = [Self::Given, Self::Waiting, Self::Asking, Self::Done, Self::Refused];

    fn number(self) -> u8 {
        self as u8
    }

    fn numbered(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// Its word in lists.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Waiting => "waiting",
            Self::Asking => "asking",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// A receipt as it is kept.
pub(super) struct KeptReceipt {
    pub(super) receipt: Receipt,
    /// The nodes that may have it.
    pub(super) peers: BTreeSet<Fingerprint>,
}

impl KeptReceipt {
    /// Puts it into a batch; gives the id of its notice.
    pub(super) fn put(&self, batch: &mut Batch) -> Result<[u8; 32], NodeError> {
        let text = self.receipt.to_text().as_bytes();
        let id = Sha256::digest(text).into();
        batch.put(Table::Index, &key(RECEIPTS, id), [&*encode(&self.peers), text].concat())?;
        Ok(id)
    }

    fn read(value: &[u8]) -> Option<Self> {
        let (peers, text) = decode(value)?;
        Some(Self { peers, receipt: Receipt::known(text).ok()? })
    }

    pub(super) fn told(&self) -> OrderReceipt {
        let terms = self.receipt.terms();
        OrderReceipt { site: self.receipt.site(), done: terms.done, made_ms: terms.made_ms }
    }
}

/// Their number u32, then each.
fn encode(peers: &BTreeSet<Fingerprint>) -> Vec<u8> {
    let mut out = (peers.len() as u32).to_be_bytes().to_vec();
    out.extend(peers.iter().flat_map(|peer| peer.to_bytes()));
    out
}

fn decode(value: &[u8]) -> Option<(BTreeSet<Fingerprint>, &[u8])> {
    let (count, rest) = value.split_first_chunk()?;
    let length = (u32::from_be_bytes(*count) as usize).checked_mul(32)?;
    let (peers, rest) = rest.split_at_checked(length)?;
    let peers = peers.as_chunks().0.iter().map(|peer| Fingerprint::from_bytes(*peer));
    Some((peers.collect(), rest))
}

fn damaged() -> ReadError {
    ReadError::Damaged { table: Table::Index }
}

fn order(snapshot: &Snapshot, id: [u8; 32]) -> Result<Option<Kept>, NodeError> {
    let value = snapshot.value(Table::Index, &key(ORDERS, id))?;
    let kept = value.map(|value| Kept::read(&id, &value).ok_or_else(damaged));
    Ok(kept.transpose()?)
}

/// All orders.
pub(super) fn orders(snapshot: &Snapshot) -> Result<Vec<Kept>, NodeError> {
    let rows = snapshot.rows(Table::Index, &Span::prefix(ORDERS))?;
    rows.map(|row| {
        let row = row?;
        let id = row.key.strip_prefix(ORDERS).unwrap_or_default();
        Ok(Kept::read(id, &row.value).ok_or_else(damaged)?)
    })
    .collect()
}

/// The orders that are to be carried out.
pub(super) fn waiting(snapshot: &Snapshot) -> Result<Vec<Kept>, NodeError> {
    let mut found = Vec::new();
    for row in snapshot.rows(Table::Index, &Span::prefix(WAITING))? {
        let key = row?.key;
        let id = key.strip_prefix(WAITING).and_then(|id| id.try_into().ok());
        found.extend(id.map(|id| order(snapshot, id)).transpose()?.flatten());
    }
    Ok(found)
}

/// All receipts.
pub(super) fn receipts(snapshot: &Snapshot) -> Result<Vec<KeptReceipt>, NodeError> {
    let rows = snapshot.rows(Table::Index, &Span::prefix(RECEIPTS))?;
    rows.map(|row| Ok(KeptReceipt::read(&row?.value).ok_or_else(damaged)?)).collect()
}

/// Whether the notice with an id is here.
pub(super) fn is_known(snapshot: &Snapshot, id: [u8; 32]) -> Result<bool, NodeError> {
    Ok(snapshot.contains(Table::Index, &key(ORDERS, id))?
        || snapshot.contains(Table::Index, &key(RECEIPTS, id))?)
}

/// The nodes that may have a notice; `None` of one that is not here.
pub(super) fn peers(
    snapshot: &Snapshot,
    id: [u8; 32],
) -> Result<Option<BTreeSet<Fingerprint>>, NodeError> {
    if let Some(kept) = order(snapshot, id)? {
        return Ok(Some(kept.peers));
    }
    let value = snapshot.value(Table::Index, &key(RECEIPTS, id))?;
    Ok(value.map(|value| decode(&value).map(|(peers, _)| peers).ok_or_else(damaged)).transpose()?)
}

/// The ids of all notices.
pub(super) fn ids(snapshot: &Snapshot) -> Result<Vec<[u8; 32]>, NodeError> {
    let mut found = Vec::new();
    for prefix in [ORDERS, RECEIPTS] {
        for row in snapshot.rows(Table::Index, &Span::prefix(prefix))? {
            let key = row?.key;
            let id = key.strip_prefix(prefix).and_then(|id| <[u8; 32]>::try_from(id).ok());
            found.extend(id);
        }
    }
    Ok(found)
}

/// A notice.
pub(super) fn notice(snapshot: &Snapshot, id: [u8; 32]) -> Result<Option<Vec<u8>>, NodeError> {
    if let Some(kept) = order(snapshot, id)? {
        let run = kept.run(snapshot)?;
        let notice = Notice { order: kept.order.to_text().as_bytes(), run: &run };
        return Ok(Some(notice.to_bytes()));
    }
    let value = snapshot.value(Table::Index, &key(RECEIPTS, id))?;
    let text = |value: &[u8]| decode(value).map(|(_, text)| text.to_vec()).ok_or_else(damaged);
    Ok(value.map(|value| text(&value)).transpose()?)
}
