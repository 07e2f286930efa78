//! Which peers hold a record: those that were given it or gave it, as the access log says.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_pq::Fingerprint;
use clisonix_store::Action;

use crate::error::NodeError;
use crate::node::Node;

impl Node {
    /// Of each of these records the nodes that were given it or gave it, whether they are peers
    /// still or not. Reads the whole access log once.
    ///
    /// # Errors
    /// [`NodeError::Read`], [`NodeError::Write`].
    pub fn holders(
        &self,
        records: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, BTreeSet<Fingerprint>>, NodeError> {
        // What was given a moment ago is in the log too then.
        self.keep_audit()?;
        let mut holders: BTreeMap<String, BTreeSet<Fingerprint>> = BTreeMap::new();
        for entry in self.store.snapshot()?.accesses(0)? {
            let access = entry?.access;
            let peer = access.author.strip_prefix("node ").and_then(Fingerprint::from_hexadecimal);
            let is_exchange = match access.action {
                Action::Export => access.purpose.starts_with("replication, given"),
                Action::Import => access.purpose == "replication",
                _ => false,
            };
            let record = access.record.filter(|record| is_exchange && records.contains(record));
            if let (Some(peer), Some(record)) = (peer, record) {
                holders.entry(record).or_default().insert(peer);
            }
        }
        Ok(holders)
    }
}
