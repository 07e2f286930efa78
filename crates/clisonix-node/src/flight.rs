//! Batches on their way: made under the node's lock, written without it.
//!
//! So what many write at once becomes durable in one group. Of one record only one batch is on its
//! way; whoever wants to write to it waits ([`Node::inside_for`]).

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use clisonix_store::{Batch, Placement, WriteError};

use crate::error::NodeError;
use crate::node::Node;
use crate::records::Records;

/// A batch of one record on its way to the store. It has to be landed.
#[must_use]
pub(crate) struct Flight {
    pub(crate) record: String,
    batch: Batch,
}

/// Who is told that something became durable.
#[derive(Default)]
pub(crate) struct Watchers(RwLock<Vec<Arc<dyn Fn() + Send + Sync>>>);

impl Watchers {
    /// Tells them.
    pub(crate) fn tell(&self) {
        for watcher in self.0.read().unwrap_or_else(PoisonError::into_inner).iter() {
            watcher();
        }
    }
}

impl fmt::Debug for Watchers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watchers")
    }
}

impl Node {
    /// Calls `told` after something new became durable: changes, or statements about them. It is
    /// called on the writer's thread or the committing one and has to return at once, without using
    /// the node; to wake another thread is what it is for.
    pub fn on_arrival(&self, told: Box<dyn Fn() + Send + Sync>) {
        let told: Arc<dyn Fn() + Send + Sync> = Arc::from(told);
        let announced = Arc::clone(&told);
        self.store.on_durable(Box::new(move || announced()));
        self.watchers.0.write().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    /// Adds a record's rows to a batch that tells of its changes; from now on nobody else writes to
    /// the record. What cannot be written is forgotten.
    pub(crate) fn launch(
        &self,
        record: &str,
        batch: Result<Batch, NodeError>,
        records: &mut Records,
    ) -> Result<Flight, NodeError> {
        let whole = batch.and_then(|mut batch| {
            records.put_joined(&self.store, record, &mut batch)?;
            batch.announce();
            Ok(batch)
        });
        match whole {
            Ok(batch) => {
                records.begin_flight(record);
                Ok(Flight { record: record.to_owned(), batch })
            }
            Err(error) => {
                records.forget(record);
                Err(error)
            }
        }
    }

    /// Writes a batch and waits until it is durable. The node's lock must be free.
    pub(crate) fn land(&self, flight: Flight) -> Result<Placement, NodeError> {
        let landed = self.land_all(vec![flight]).pop();
        landed.unwrap_or(Err(NodeError::Write(WriteError::Closed)))
    }

    /// Writes batches of as many records together and waits until they are durable. The node's lock
    /// must be free.
    pub(crate) fn land_all(&self, flights: Vec<Flight>) -> Vec<Result<Placement, NodeError>> {
        let (mut about, mut batches) = (Vec::new(), Vec::new());
        for Flight { record, batch } in flights {
            about.push((record, batch.latest_change().map(<[u8]>::to_vec)));
            batches.push(batch);
        }
        // Handed over one by one, the first would be synced alone and the others wait for that.
        let written = self.store.write_many(batches);
        for ((_, changes), result) in about.iter_mut().zip(&written) {
            if let (Some(changes), Ok(placement)) = (changes.take(), result) {
                // The changes of one record are all that arrives with them.
                self.exchange.note_recent(placement.arrivals.start, changes);
            }
        }
        let ended = about.iter().zip(&written);
        self.end_flights(ended.map(|((record, _), result)| (&**record, result.is_ok())));
        written.into_iter().map(|result| Ok(result?)).collect()
    }

    /// Batches of these records came to their end, durable or not.
    fn end_flights<'a>(&self, ended: impl IntoIterator<Item = (&'a str, bool)>) {
        let mut inside = self.inside();
        for (record, is_durable) in ended {
            inside.records.end_flight(record, is_durable);
        }
        inside.records.shrink();
        drop(inside);
        self.landed.notify_all();
    }
}
