//! What is remembered of the exchange with each peer, beside the records: where this node stands in
//! its arrivals, and the epoch of the key that the two compare under.

use std::collections::BTreeMap;

use clisonix_pq::Fingerprint;
use clisonix_store::{Batch, Table};
use clisonix_tide::Cursor;

use super::lock;
use crate::error::NodeError;
use crate::node::Node;

/// What is remembered of the exchange with one peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerState {
    /// Where this node stands in the peer's arrivals.
    pub seen: Cursor,
    /// The last epoch; 0 before there was one.
    pub epoch: u64,
}

/// The peers' states as they are in memory.
#[derive(Default)]
pub(super) struct Peers(BTreeMap<Fingerprint, Held>);

#[derive(Clone, Copy, Default)]
struct Held {
    state: PeerState,
    is_kept: bool,
}

impl PeerState {
    fn encode(self) -> Vec<u8> {
        [self.seen.incarnation, self.seen.arrival, self.epoch].map(u64::to_be_bytes).concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let ([incarnation, arrival, epoch], []) = bytes.as_chunks::<8>() else { return None };
        let [incarnation, arrival, epoch] =
            [incarnation, arrival, epoch].map(|number| u64::from_be_bytes(*number));
        Some(Self { seen: Cursor { incarnation, arrival }, epoch })
    }
}

fn key(peer: Fingerprint) -> Vec<u8> {
    [b"q\0".as_slice(), &peer.to_bytes()].concat()
}

fn fault_key(peer: Fingerprint) -> Vec<u8> {
    [b"y\0".as_slice(), &peer.to_bytes()].concat()
}

impl Node {
    /// What is remembered of the exchange with a peer.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn peer_state(&self, peer: Fingerprint) -> Result<PeerState, NodeError> {
        if let Some(held) = lock(&self.exchange.peers).0.get(&peer) {
            return Ok(held.state);
        }
        let value = self.store.snapshot()?.value(Table::Index, &key(peer))?;
        let damaged = clisonix_store::ReadError::Damaged { table: Table::Index };
        let state = value.map(|value| PeerState::decode(&value).ok_or(damaged)).transpose()?;
        Ok(state.unwrap_or_default())
    }

    /// Remembers where this node stands in a peer's arrivals: durably after the next
    /// [`Self::keep_peers`], unless it is another store of the peer than before. A place that is
    /// lost costs bytes: what it stood for is pushed again.
    ///
    /// # Errors
    /// [`NodeError::Write`].
    pub fn keep_seen(&self, peer: Fingerprint, seen: Cursor) -> Result<(), NodeError> {
        let before = self.peer_state(peer)?;
        self.set_state(peer, PeerState { seen, ..before });
        if before.seen.incarnation == seen.incarnation { Ok(()) } else { self.keep_peers() }
    }

    /// Remembers the epoch of the key that this node and a peer compare under, durably.
    ///
    /// # Errors
    /// [`NodeError::Write`].
    pub fn keep_epoch(&self, peer: Fingerprint, epoch: u64) -> Result<(), NodeError> {
        self.set_state(peer, PeerState { epoch, ..self.peer_state(peer)? });
        self.keep_peers()
    }

    fn set_state(&self, peer: Fingerprint, state: PeerState) {
        lock(&self.exchange.peers).0.insert(peer, Held { state, is_kept: false });
    }

    /// Makes durable what of the peers' states is in memory only; to be called about every second,
    /// and when a node is closed.
    ///
    /// # Errors
    /// [`NodeError::Write`].
    pub fn keep_peers(&self) -> Result<(), NodeError> {
        // One at a time, so that an older state is never written after a newer one.
        let _alone = lock(&self.exchange.keeping);
        let (mut batch, mut names) = (Batch::new(), Vec::new());
        for (peer, held) in
            lock(&self.exchange.peers).0.iter_mut().filter(|(_, held)| !held.is_kept)
        {
            batch.put(Table::Index, &key(*peer), held.state.encode())?;
            held.is_kept = true;
            names.push(*peer);
        }
        if names.is_empty() {
            return Ok(());
        }
        let written = self.store.write(batch);
        if written.is_err() {
            let mut peers = lock(&self.exchange.peers);
            for name in names {
                peers.0.entry(name).and_modify(|held| held.is_kept = false);
            }
        }
        written?;
        Ok(())
    }

    /// Remembers what went wrong last with a peer, in words without any clinical value.
    ///
    /// # Errors
    /// [`NodeError::Write`].
    pub fn keep_fault(&self, peer: Fingerprint, at_ms: u64, what: &str) -> Result<(), NodeError> {
        let mut batch = Batch::new();
        let value = [&at_ms.to_be_bytes(), what.as_bytes()].concat();
        batch.put(Table::Index, &fault_key(peer), value)?;
        self.store.write(batch)?;
        Ok(())
    }

    /// What went wrong last with a peer, and when in milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn kept_fault(&self, peer: Fingerprint) -> Result<Option<(u64, String)>, NodeError> {
        let value = self.store.snapshot()?.value(Table::Index, &fault_key(peer))?;
        let read = |value: Vec<u8>| {
            let (at_ms, what) = value.split_first_chunk()?;
            Some((u64::from_be_bytes(*at_ms), String::from_utf8(what.to_vec()).ok()?))
        };
        let damaged = clisonix_store::ReadError::Damaged { table: Table::Index };
        Ok(value.map(|value| read(value).ok_or(damaged)).transpose()?)
    }

    /// Forgets what is remembered of a peer that is none any more. Receipts stay.
    ///
    /// # Errors
    /// [`NodeError::Write`].
    pub fn forget_peer(&self, peer: Fingerprint) -> Result<(), NodeError> {
        let _alone = lock(&self.exchange.keeping);
        lock(&self.exchange.peers).0.remove(&peer);
        let mut batch = Batch::new();
        batch.remove(Table::Index, &key(peer))?;
        batch.remove(Table::Index, &fault_key(peer))?;
        self.store.write(batch)?;
        Ok(())
    }
}
