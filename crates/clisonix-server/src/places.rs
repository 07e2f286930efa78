//! Places at the port: how many are dealt with at once, and how many of them from one address.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) all: usize,
    pub(crate) of_one: usize,
}

/// How many there are.
#[derive(Clone, Default)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// One of them; dropped when it is free again.
pub(crate) struct Place {
    places: Places,
    from: IpAddr,
}

impl Places {
    /// A place for who comes from an address, if there is one.
    pub(crate) fn take(&self, from: IpAddr, limit: Limit) -> Option<Place> {
        let mut taken = self.taken();
        let own = taken.by_address.get(&from).copied().unwrap_or_default();
        if taken.all >= limit.all || own >= limit.of_one {
            return None;
        }
        taken.all += 1;
        taken.by_address.insert(from, own + 1);
        Some(Place { places: self.clone(), from })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        let own = taken.by_address.get(&self.from).copied().unwrap_or_default();
        if own > 1 {
            taken.by_address.insert(self.from, own - 1);
        } else {
            taken.by_address.remove(&self.from);
        }
    }
}
