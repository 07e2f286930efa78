//! What must be true.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use clisonix_tide::MAX_DRIFT_MS;

use crate::machine::BY;
use crate::record::{Consent, Plan, marked, values};
use crate::site::{Seal, name};
use crate::world::World;

/// The kind of messages that carry changes as they arrive.
const FEED: u8 = 10;

impl World {
    /// What is sent is what may be sent, by what the sender knows.
    pub(crate) fn check_message(&self, from: usize, to: usize, bytes: &[u8]) {
        if Some(from) == self.malicious {
            return;
        }
        let seed = self.seed;
        if self.is_good(from) {
            let is_heard = !self
                .hears
                .iter()
                .any(|(_, at, of, news)| (*at, *of) == (from, to) && news.is_none());
            let is_revoked = self.is_revoked(to) && is_heard;
            assert!(!is_revoked, "seed {seed}: {from} serves {to}, which is revoked");
        }
        let basis = self.basis[to];
        if basis == clisonix_node::consent::Basis::Own {
            return;
        }
        let marks = marked(bytes);
        for plan in &self.plans {
            let holds = |part: &str| bytes.windows(part.len()).any(|at| at == part.as_bytes());
            let is_named = holds(&plan.id);
            let number = plan.number;
            if !plan.may_ever(basis) {
                assert!(!is_named, "seed {seed}: {from} names {number} to {to}");
            }
            let is_given = marks.contains(&number) || (is_named && bytes[1] == FEED);
            if is_given && plan.has_consent && !plan.is_vague {
                let said = self.known_consent(from, plan);
                let is_permitted = said.permits(basis);
                assert!(is_permitted, "seed {seed}: {from} gives {number} to {to}: {said:?}");
            }
        }
    }

    /// What a machine knows of what the patient said last.
    fn known_consent(&self, number: usize, plan: &Plan) -> Consent {
        let standings = self.node(number).and_then(|node| node.standings(&plan.id).ok());
        let standings = standings.unwrap_or_default();
        let is_here = |(actor, seq, _): &&(clisonix_node::ActorId, u64, Consent)| {
            standings.iter().any(|held| held.actor == *actor && held.changes >= *seq)
        };
        plan.said.iter().rfind(is_here).map_or(Consent::OptIn, |(_, _, said)| *said)
    }

    fn is_revoked(&self, number: usize) -> bool {
        self.mishap == crate::world::Mishap::Revoke && Some(number) == self.member
    }

    /// The machines that must come to hold the same of a record: those that may hold it, and that
    /// others which may hold it connect with its home.
    fn holders(&self, plan: &Plan) -> BTreeSet<usize> {
        let said = match plan.said.last() {
            _ if !plan.has_consent => Consent::None,
            _ if plan.is_vague => Consent::OptOut,
            said => said.map_or(Consent::OptIn, |(_, _, said)| *said),
        };
        let may = |number: &usize| said.permits(self.basis[*number]) && self.is_good(*number);
        let mut found = BTreeSet::from([plan.home]);
        let mut next = vec![plan.home];
        while let Some(number) = next.pop() {
            let links = &self.machines[number].links;
            for peer in links.iter().copied().filter(may) {
                if found.insert(peer) {
                    next.push(peer);
                }
            }
        }
        found
    }

    fn good_pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        let good = (0..self.machines.len()).filter(|number| self.is_good(*number));
        good.flat_map(move |a| {
            let peers = self.machines[a].links.iter().copied();
            peers.filter(move |b| a < *b && self.is_good(*b)).map(move |b| (a, b))
        })
    }

    pub(crate) fn is_settled(&self) -> bool {
        let is_even = |plan: &Plan| {
            let versions: BTreeSet<_> = self
                .holders(plan)
                .iter()
                .map(|number| self.machines[*number].catalogue.version(&plan.id))
                .collect();
            versions.len() == 1 && !versions.contains(&None)
        };
        let is_in_sync = |(a, b): (usize, usize)| {
            self.machines[a].is_in_sync(b) && self.machines[b].is_in_sync(a)
        };
        self.plans.iter().filter(|plan| !self.tainted.contains(&plan.number)).all(is_even)
            && (!self.tainted.is_empty() || self.good_pairs().all(is_in_sync))
    }

    pub(crate) fn unsettled(&self) -> String {
        let mut text = format!("{:?}, basis {:?}", self.mishap, self.basis);
        for plan in &self.plans {
            let holders = self.holders(plan);
            let versions: Vec<_> = (0..self.machines.len())
                .map(|number| self.machines[number].catalogue.version(&plan.id))
                .collect();
            let (number, said) = (plan.number, plan.said.last());
            let _ = write!(text, "\n{number} of {holders:?}, {said:?}: {versions:?}");
            for holder in holders {
                let standings = self.node(holder).and_then(|node| node.standings(&plan.id).ok());
                let places = standings.unwrap_or_default().into_iter().map(|place| {
                    let author =
                        (0..self.machines.len()).find(|of| Some(name(*of)) == place.author);
                    (place.actor, author, place.changes, place.signed, place.confirmed)
                });
                let _ = write!(text, "\n  at {holder}: {:?}", places.collect::<Vec<_>>());
            }
        }
        for (a, b) in self.good_pairs().flat_map(|(a, b)| [(a, b), (b, a)]) {
            let _ = write!(text, "\n{a} with {b}: {}", self.machines[a].describe(b));
        }
        text
    }

    /// Only a store that went back is shown as such; gives how many sessions show it.
    pub(crate) fn check_gone_back(&self) -> u64 {
        let pairs = self.good_pairs().flat_map(|(a, b)| [(a, b), (b, a)]);
        let noticed = pairs.filter(|(a, b)| self.machines[*a].shows_gone_back(*b)).count();
        assert!(noticed == 0 || self.has_gone_back, "seed {}: nothing went back", self.seed);
        noticed as u64
    }

    /// What must be true in the end.
    pub(crate) fn check(&self) {
        for number in (0..self.machines.len()).filter(|number| self.is_good(*number)) {
            self.check_node(number);
        }
        for plan in self.plans.iter().filter(|plan| !self.tainted.contains(&plan.number)) {
            self.check_made(plan);
        }
    }

    /// A node is sound, and holds nothing that nobody wrote.
    fn check_node(&self, number: usize) {
        let seed = self.seed;
        let node = self.node(number).expect("healed");
        let verified = node.verify();
        assert!(verified.is_ok(), "seed {seed}: {number}: {verified:?}");
        let is_signed =
            |node: &_, text: &[u8], signature: &[u8]| Seal::is_signed(node, text, signature);
        let (_, fault) = node.verify_receipts(is_signed).expect("reads");
        assert!(fault.is_none(), "seed {seed}: {number}: {fault:?}");
        for plan in &self.plans {
            let Ok(text) = node.record_text(&plan.id, BY) else { continue };
            let texts = [text.bundle.as_bytes(), text.conflicts.as_bytes()];
            let mut count = 0;
            for value in texts.iter().flat_map(|text| values(text)) {
                count += 1;
                let is_written = plan.written.contains(value);
                assert!(is_written, "seed {seed}: {number} holds {value}, which nobody wrote");
            }
            assert!(count > 0, "seed {seed}: {number} shows nothing");
        }
        let latest_ms = self.machines[number].latest_ms;
        for kept in node.tide_receipts(0, usize::MAX).expect("reads") {
            let stamp = kept.receipt.time.millis();
            let is_own = kept.from() != name(number) || stamp <= latest_ms + MAX_DRIFT_MS + 1;
            assert!(is_own, "seed {seed}: {number} has a clock set by others");
        }
        let refused = node.equivocations().expect("reads").len();
        assert_eq!(refused, 0, "seed {seed}: {number} knows of an actor with two histories");
    }

    /// All that should hold a record hold the same, and everything of it that was acknowledged.
    fn check_made(&self, plan: &Plan) {
        let (seed, record) = (self.seed, plan.number);
        let holders = self.holders(plan);
        let mut states = BTreeSet::new();
        for number in &holders {
            let node = self.node(*number).expect("healed");
            let standings = node.standings(&plan.id).expect("reads");
            for ((of, actor), (changes, maker)) in &self.made {
                if *of != record || !holders.contains(maker) {
                    continue;
                }
                let held = standings.iter().find(|held| held.actor == *actor);
                let held = held.map_or(0, |held| held.changes);
                assert!(held >= *changes, "seed {seed}: {number} lacks of {record} of {maker}");
            }
            states.insert(node.record_text(&plan.id, BY).expect("reads").bundle);
        }
        assert_eq!(states.len(), 1, "seed {seed}: {record} is not the same at {holders:?}");
    }

    /// Whether two have kept each other's receipts of the same.
    fn has_receipts(&self, a: usize, b: usize) -> bool {
        let node = self.node(a).expect("healed");
        let last = |from, to| node.last_receipt(name(from), name(to)).expect("reads");
        let (own, theirs) = (last(a, b), last(b, a));
        own.zip(theirs).is_some_and(|(own, theirs)| own.receipt.agrees(&theirs.receipt))
    }

    /// Whether all pairs have kept each other's receipts of the same.
    pub(crate) fn is_signed(&self) -> bool {
        let both = |(a, b)| self.has_receipts(a, b) && self.has_receipts(b, a);
        !self.tainted.is_empty() || self.good_pairs().all(both)
    }

    pub(crate) fn unsigned(&self) -> String {
        let mut text = String::new();
        for (a, b) in self.good_pairs().flat_map(|(a, b)| [(a, b), (b, a)]) {
            if !self.has_receipts(a, b) {
                let _ = write!(text, "\n{a} with {b}: {}", self.machines[a].describe(b));
            }
        }
        text
    }
}
