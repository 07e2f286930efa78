//! Batches on their way: handed to the store under the node's lock, waited for without it.
//!
//! So what many write at once becomes durable in one group. Of one record only one batch is on its
//! way; whoever wants to write to it waits ([`Node::inside_for`]).

use std::fmt;
use std::sync::{PoisonError, RwLock};

use clisonix_store::{Batch, Placement, Ticket, WriteError};

use crate::error::NodeError;
use crate::node::Node;
use crate::records::Records;

/// A batch of one record on its way to the store. It has to be landed.
#[must_use]
pub(crate) struct Flight {
    pub(crate) record: String,
    ticket: Ticket,
    /// The changes in it.
    changes: Vec<u8>,
}

/// Who is told that something became durable.
#[derive(Default)]
pub(crate) struct Watchers(RwLock<Vec<Box<dyn Fn() + Send + Sync>>>);

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
    /// called on the writer's thread and has to return at once, without using the node; to wake
    /// another thread is what it is for.
    pub fn on_arrival(&self, told: Box<dyn Fn() + Send + Sync>) {
        self.watchers.0.write().unwrap_or_else(PoisonError::into_inner).push(told);
    }

    /// Adds a record's rows to a batch that tells of its changes and hands it to the store. What
    /// cannot be handed over is forgotten.
    pub(crate) fn launch(
        &self,
        record: &str,
        batch: Result<Batch, NodeError>,
        records: &mut Records,
    ) -> Result<Flight, NodeError> {
        let submitted = batch.and_then(|mut batch| {
            records.put_joined(&self.store, record, &mut batch)?;
            let changes = batch.latest_change().map(<[u8]>::to_vec).unwrap_or_default();
            Ok((self.store.submit(batch)?, changes))
        });
        match submitted {
            Ok((ticket, changes)) => {
                records.begin_flight(record);
                Ok(Flight { record: record.to_owned(), ticket, changes })
            }
            Err(error) => {
                records.forget(record);
                Err(error)
            }
        }
    }

    /// Waits until a batch is durable. The node's lock must be free.
    pub(crate) fn land(&self, flight: Flight) -> Result<Placement, NodeError> {
        let Flight { record, ticket, changes } = flight;
        let result = self.arrive(ticket, changes);
        self.end_flights([(&*record, result.is_ok())]);
        Ok(result?)
    }

    /// Waits until batches are durable, of as many records. The node's lock must be free.
    pub(crate) fn land_all(&self, flights: Vec<Flight>) -> Vec<Result<Placement, NodeError>> {
        let arrive = |Flight { record, ticket, changes }| (record, self.arrive(ticket, changes));
        let landed: Vec<(String, _)> = flights.into_iter().map(arrive).collect();
        self.end_flights(landed.iter().map(|(record, result)| (&**record, result.is_ok())));
        landed.into_iter().map(|(_, result)| Ok(result?)).collect()
    }

    fn arrive(&self, ticket: Ticket, changes: Vec<u8>) -> Result<Placement, WriteError> {
        let result = ticket.wait();
        if let Ok(placement) = &result
            && !changes.is_empty()
        {
            // The changes of one record are all that arrives with them.
            self.exchange.note_recent(placement.arrivals.start, changes);
        }
        result
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
        self.watchers.tell();
    }
}
