//! What must be true.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::model::{Change, Lie, notice_id};
use super::node::Node;
use super::world::World;
use crate::{CloseReason, Cursor, MAX_DRIFT_MS, MAX_REFUSED_MS};

/// For how many ticks changes may be on their way while nothing is wrong: less than until the next
/// comparison.
const LIVE_TICKS: usize = 18;
/// How long nothing happens.
const QUIET_TICKS: usize = 240;
/// Most messages from one node to another in that time.
const QUIET_MESSAGES: u64 = 40;
/// Most messages to a node that behaves badly in that time.
const BAD_MESSAGES: u64 = 300;

fn changes(node: &Node, record: &str) -> BTreeSet<Change> {
    let authors = node.disk.model.records.get(record).into_iter().flatten();
    authors.flat_map(|(author, last)| (1..=*last).map(|number| (*author, number))).collect()
}

impl World {
    fn is_good(&self, node: usize) -> bool {
        Some(node) != self.malicious && Some(node) != self.revoked
    }

    fn good(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| self.is_good(node.number))
    }

    fn holders(&self, record: &str) -> impl Iterator<Item = &Node> {
        self.good().filter(move |node| self.truth.allows(record, node.number))
    }

    /// All that may hold a record hold the same of it, and all know all notices.
    pub(super) fn is_equal(&self) -> bool {
        let records = self.truth.0.keys();
        let is_same = |record: &str| {
            let all: Vec<_> =
                self.holders(record).map(|node| node.disk.model.records.get(record)).collect();
            all.windows(2).all(|two| two[0] == two[1])
        };
        let notices: Vec<_> = self.good().map(|node| node.disk.model.notices.len()).collect();
        records.into_iter().all(|record| is_same(record))
            && notices.windows(2).all(|two| two[0] == two[1])
    }

    /// Each pair has each other's receipt of the same, which says how many records they share.
    pub(super) fn is_agreed(&self) -> bool {
        self.good().all(|a| self.good().all(|b| a.number == b.number || self.has_receipts(a, b)))
    }

    fn has_receipts(&self, a: &Node, b: &Node) -> bool {
        let shared = a.disk.model.records.keys().filter(|record| {
            // As both have heard.
            [a, b].iter().all(|node| {
                let consent = &self.consent[node.number];
                consent.allows(record, a.number) && consent.allows(record, b.number)
            })
        });
        let count = (shared.count() + a.disk.model.notices.len()) as u64;
        let (Some(own), Some(theirs)) = a.receipts(b.number) else { return false };
        let status = a.sessions[&b.number].status(&a.disk.model);
        own.agrees(&theirs)
            && own.count == count
            && b.receipts(a.number).1 == Some(own)
            && status.is_open
            && status.is_in_sync
            && status.behind.is_none_or(|behind| behind == 0)
    }

    pub(super) fn check(&self, is_settled: bool) {
        let seed = self.seed;
        for record in self.truth.0.keys() {
            let mut all = BTreeSet::new();
            for node in self.good() {
                let held = changes(node, record);
                let is_made = |change: &Change| self.made.contains(&(record.clone(), *change));
                assert!(held.iter().all(is_made), "seed {seed}: a change that nobody made");
                if self.truth.allows(record, node.number) {
                    all.extend(held);
                }
            }
            for node in self.holders(record) {
                let held = changes(node, record);
                assert_eq!(held, all, "seed {seed}: node {} of {record}", node.number);
            }
        }
        for node in self.good() {
            let number = node.number;
            assert!(node.has_true_receipts(), "seed {seed}: {number} keeps a forged receipt");
            for id in node.disk.model.notices.keys() {
                let is_made = self.notices.iter().any(|notice| notice_id(notice) == *id);
                assert!(is_made, "seed {seed}: a notice that nobody made");
            }
            let faults = node.closed.iter().filter(|(peer, reason)| {
                self.is_good(*peer) && !matches!(reason, CloseReason::Revoked)
            });
            assert_eq!(faults.count(), 0, "seed {seed}: {number} closed: {:?}", node.closed);
            let latest = node.latest_stamp().millis();
            let bound = self.nodes.iter().map(|node| node.latest_ms).max().unwrap();
            let own = node.latest_ms + MAX_DRIFT_MS + 1;
            assert!(
                latest <= own.min(bound + 1),
                "seed {seed}: {number} has a clock set by others"
            );
        }
        assert!(is_settled, "seed {seed}: {}", self.unsettled());
    }

    fn unsettled(&self) -> String {
        let mut text = "not settled:".to_owned();
        for a in self.good() {
            for b in self.good().filter(|b| b.number != a.number && !self.has_receipts(a, b)) {
                let status = a.sessions[&b.number].status(&a.disk.model);
                let _ = write!(text, "\n{} with {}: {status:?}", a.number, b.number);
            }
        }
        text
    }

    /// A node whose disk is full does not say that it took what it has not.
    pub(super) fn check_seen(&self, node: usize, peer: usize, cursor: Cursor) {
        let (here, there) = (&self.nodes[node], &self.nodes[peer].disk);
        if !here.disk.model.is_full || there.incarnation != cursor.incarnation {
            return;
        }
        let end = usize::try_from(cursor.arrival).unwrap();
        let last = there.model.arrivals.get(end.wrapping_sub(1));
        let Some((record, (author, number))) = last else { return };
        let held = here.disk.model.records.get(record).and_then(|all| all.get(author));
        let is_wanted = self.truth.allows(record, node) && !self.changed_consent.contains(record);
        let is_there = held.is_some_and(|last| last >= number);
        assert!(is_there || !is_wanted, "seed {}: {node} says that it has {record}", self.seed);
    }

    /// What is never validly signed rests longer each time.
    pub(super) fn check_rest(&mut self, node: usize, peer: usize, record: Box<str>, rest: u64) {
        if self.nodes[peer].disk.model.lie == Lie::Unsigned {
            let seed = self.seed;
            let last = self.rests.insert((node, peer, record), rest);
            let is_longer = last.is_none_or(|last| rest > last || last == MAX_REFUSED_MS);
            assert!(is_longer, "seed {seed}: {node} tries at once what {peer} never signs");
        }
    }

    /// While nothing is wrong, changes come by the feed, without a comparison.
    pub(super) fn check_live(&mut self) {
        let mut made = Vec::new();
        // Two are cut off from each other: what one makes the other hears from others.
        let good: Vec<usize> = self.good().map(|node| node.number).collect();
        if let (Some(a), Some(b)) = (self.chance.pick(&good), self.chance.pick(&good)) {
            self.cut.extend([(a, b), (b, a)]);
        }
        for node in good {
            if let Some((record, change)) = self.edit(node)
                && self.truth.allows(&record, node)
            {
                made.push((node, record, change));
            }
        }
        for _ in 0..LIVE_TICKS {
            self.tick();
        }
        for (maker, record, (author, last)) in made {
            let is_reached = |to: usize| {
                let is_on = |from, to| from == to || !self.cut.contains(&(from, to));
                self.holders(&record).any(|by| is_on(maker, by.number) && is_on(by.number, to))
            };
            for node in self.holders(&record).filter(|node| is_reached(node.number)) {
                let held = node.disk.model.records.get(&record).and_then(|all| all.get(&author));
                let is_there = held.is_some_and(|held| *held >= last);
                let (seed, number) = (self.seed, node.number);
                assert!(is_there, "seed {seed}: {number} waits for a change of {record}");
            }
        }
    }

    /// Where nothing happens, little is said.
    pub(super) fn check_quiet(&mut self) {
        self.cut.clear();
        for _ in 0..QUIET_TICKS {
            self.tick();
        }
        self.sent_by_pair.clear();
        for _ in 0..QUIET_TICKS {
            self.tick();
        }
        for ((from, to), count) in &self.sent_by_pair {
            let most = if self.is_good(*from) && self.is_good(*to) {
                QUIET_MESSAGES
            } else {
                BAD_MESSAGES
            };
            let seed = self.seed;
            let is_ours = Some(*from) != self.malicious;
            assert!(!is_ours || *count <= most, "seed {seed}: {from} says {count} to {to}");
        }
        // A revoked node is told so, and no more.
        if let Some(revoked) = self.revoked {
            let closed =
                |node: &Node| node.sessions[&revoked].status(&node.disk.model).closed.is_some();
            for node in self.good() {
                assert!(closed(node), "seed {}: {} serves {revoked}", self.seed, node.number);
            }
        }
    }
}
