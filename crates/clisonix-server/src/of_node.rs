//! The engine's home over a [`Node`].

use std::collections::BTreeMap;
use std::sync::Arc;

use clisonix_node::{By, Node, NodeError, NodeReplica, NodeScope, ScopeChange};
use clisonix_pq::Fingerprint;
use clisonix_pq::checkpoint::{Authors, KnownAuthor};
use clisonix_tide::{Output, Replica, Scope, Version};

use crate::home::{Home, HomeError, Kept, Member, News};

/// Who the node is in its own access log.
const OWN: By<'static> = By { author: "clisonix serve", purpose: "replication" };

/// A node, its author known to itself.
pub struct NodeHome {
    node: Arc<Node>,
    own: KnownAuthor,
}

impl NodeHome {
    /// Over an open node, which signs as `own`.
    pub fn new(node: Arc<Node>, own: KnownAuthor) -> Self {
        Self { node, own }
    }
}

impl Home for NodeHome {
    fn replica(&self, peer: Fingerprint) -> Box<dyn Replica + Send> {
        Box::new(NodeReplica::new(Arc::clone(&self.node), peer))
    }

    fn incarnation(&self) -> u64 {
        self.node.incarnation()
    }

    fn arrived_since(&self, after: u64) -> Result<News, HomeError> {
        let arrived = self.node.arrived_since(after)?;
        let records = arrived.records.into_iter();
        let records = records.map(|(name, version)| (name, version.map(Version))).collect();
        Ok(News { upto: arrived.upto, records })
    }

    fn admit(&mut self, members: &[Member]) -> Result<(), HomeError> {
        let mut authors = Authors::new();
        // What a peer signed before it was revoked still comes from others; the node's own
        // statements do too.
        for author in members.iter().map(|member| &member.author).chain([&self.own]) {
            // More than a node may know stay unknown to it.
            let _ = authors.add(author.clone());
        }
        self.node.set_authors(authors);
        let admitted = members.iter().filter(|member| member.is_admitted);
        let rules: BTreeMap<_, _> =
            admitted.map(|member| (member.fingerprint(), member.rule.clone())).collect();
        if self.node.peer_rules()? != rules {
            self.node.set_peer_rules(&rules, OWN)?;
        }
        Ok(())
    }

    fn scope(&self, peer: Fingerprint) -> Box<dyn Scope> {
        Box::new(NodeScope::new(Arc::clone(&self.node), peer))
    }

    fn scope_change(&mut self) -> Result<Option<ScopeChange>, HomeError> {
        Ok(self.node.scope_change()?)
    }

    fn kept(&self, peer: Fingerprint) -> Result<Kept, HomeError> {
        let state = self.node.peer_state(peer)?;
        let last = self.node.last_receipt(self.own.fingerprint(), peer)?;
        let stamp = last.map(|kept| kept.receipt.time).unwrap_or_default();
        Ok(Kept { seen: state.seen, epoch: state.epoch, stamp })
    }

    fn keep(&mut self, peer: Fingerprint, what: &Output) -> Result<(), HomeError> {
        match what {
            Output::Seen(cursor) => self.node.keep_seen(peer, *cursor)?,
            Output::Epoch(epoch) => self.node.keep_epoch(peer, *epoch)?,
            Output::Agreed(receipt, signature) | Output::Receipt(receipt, signature, _) => {
                self.node.keep_receipt(receipt, signature)?;
            }
            Output::Given { record, .. } => self.node.note_given(peer, record)?,
            Output::Withheld { record } => self.node.note_withheld(peer, record)?,
            _ => {}
        }
        Ok(())
    }

    fn tend(&mut self) -> Result<(), HomeError> {
        if self.node.is_checkpoint_due() {
            self.node.checkpoint()?;
        }
        self.node.keep_peers()?;
        self.node.keep_audit()?;
        Ok(())
    }
}

impl From<NodeError> for HomeError {
    fn from(error: NodeError) -> Self {
        Self(error.to_string())
    }
}
