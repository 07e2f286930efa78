//! Which changes that lack erased content are let in: those that come with the order that erases it.
//!
//! Whether an order will be applied is known only once it is: it may lack a change that never comes,
//! or be refused. So what gives hope is taken in by a copy of the record, and the copy is kept if an
//! applied order names everything that it lacks. What has no order waits for it.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{Erased, Gone, Order};
use crate::actor::ActorId;
use crate::exchange::{Received, Refusal, RefusalReason};
use crate::log::Logged;
use crate::record::Record;
use crate::state::ChangeNo;
use crate::travel::Incoming;

/// Copies made for one run, and walks over what one of them took in. More are needed only where
/// forged orders rest on each other; then nothing that lacks content is let in.
const MAX_TRIALS: usize = 64;

/// What may be let in without its content.
#[derive(Debug, Default)]
pub(crate) struct Hopes {
    /// What all orders that are not applied yet name together.
    named: Erased,
    /// Changes all of whose erased operations are named.
    open: BTreeSet<(ActorId, u32)>,
}

impl Hopes {
    /// Whether a change that lacks content may come in.
    pub(crate) fn hold(&self, change: &Incoming) -> bool {
        self.open.contains(&(change.actor, change.seq)) && self.name(change)
    }

    fn name(&self, change: &Incoming) -> bool {
        let key = (change.actor, change.seq);
        change.erased.iter().all(|gone| self.named.names(key, gone.index))
    }
}

impl Received {
    fn repeat(&mut self, refused: Vec<Refusal>) {
        for refused in refused {
            if !self.refused.contains(&refused) {
                self.refused.push(refused);
            }
        }
    }
}

impl Record {
    /// Takes in a run of changes.
    pub(crate) fn admit(&mut self, changes: Vec<Incoming>) -> Received {
        let mut hopes = self.hopes(&changes);
        // What overwrites an erased operation is to be sent whole, even if its order did not come.
        let mut to_repeat: Vec<Refusal> = Vec::new();
        for _ in 0..MAX_TRIALS {
            if hopes.open.is_empty() {
                break;
            }
            let mut trial = self.clone();
            let mut received = trial.take_all(changes.clone(), &hopes);
            let unordered = trial.unordered(self.log.len(), &hopes);
            if unordered.is_empty() {
                *self = trial;
                received.repeat(to_repeat);
                return received;
            }
            hopes.open.retain(|key| !unordered.contains(key));
            received.refused.retain(|refused| refused.reason == RefusalReason::Base);
            to_repeat.append(&mut received.refused);
        }
        let mut received = self.take_all(changes, &Hopes::default());
        received.repeat(to_repeat);
        received
    }

    fn hopes(&self, changes: &[Incoming]) -> Hopes {
        let all = || changes.iter().chain(self.waiting.values().flatten());
        let lacks = |change: &&Incoming| {
            !change.erased.is_empty() && !self.is_here((change.actor, change.seq))
        };
        let lacking: Vec<&Incoming> = all().filter(lacks).collect();
        if lacking.is_empty() {
            return Hopes::default();
        }
        let orders = all().filter_map(|change| change.order.as_deref());
        let named = Erased::all(orders.map(|order| &order.what));
        let mut hopes = Hopes { named, open: BTreeSet::new() };
        let open = lacking.into_iter().filter(|change| hopes.name(change));
        hopes.open = open.map(|change| (change.actor, change.seq)).collect();
        hopes
    }

    /// Of the changes from number `first` on, those that lack content which no order erased, or
    /// only orders that rest on such changes.
    fn unordered(&self, first: ChangeNo, hopes: &Hopes) -> BTreeSet<(ActorId, u32)> {
        let orders = self.orders_of(first);
        let key = |row: &Logged| (self.tables.actor(row.stamp.actor), row.stamp.seq);
        let mut fallen: BTreeSet<ChangeNo> = BTreeSet::new();
        for _ in 0..MAX_TRIALS {
            let before = fallen.len();
            for (change, row) in self.log.rows_from(first) {
                let is_ordered = |gone: &Gone| {
                    let orders = orders.get(&(change, gone.index)).map_or(&[][..], Vec::as_slice);
                    orders.iter().any(|order| !fallen.contains(order))
                };
                let stands = row.deps.iter().all(|dep| !fallen.contains(dep))
                    && (!hopes.open.contains(&key(row)) || row.erased.iter().all(is_ordered));
                if !stands {
                    fallen.insert(change);
                }
            }
            if fallen.len() == before {
                let rows = fallen.iter().filter_map(|&change| self.log.get(change));
                return rows.map(key).filter(|key| hopes.open.contains(key)).collect();
            }
        }
        hopes.open.clone()
    }

    /// The orders by the operations that they erased, both from number `first` on.
    fn orders_of(&self, first: ChangeNo) -> BTreeMap<(ChangeNo, u32), Vec<ChangeNo>> {
        let mut orders: BTreeMap<_, Vec<ChangeNo>> = BTreeMap::new();
        for (number, row) in self.log.rows_from(first) {
            let Some(order) = row.order.as_deref() else { continue };
            for change in self.named(order, &row.past).range(first..) {
                let Some(named) = self.log.get(*change) else { continue };
                for gone in self.gone_by(order, named) {
                    orders.entry((*change, gone.index)).or_default().push(number);
                }
            }
        }
        orders
    }

    fn gone_by<'a>(
        &self,
        order: &'a Order,
        row: &'a Logged,
    ) -> impl Iterator<Item = &'a Gone> + use<'a> {
        let key = (self.tables.actor(row.stamp.actor), row.stamp.seq);
        row.erased.iter().filter(move |gone| order.what.names(key, gone.index))
    }
}
