//! One machine: a node on its disk, and its sessions, driven as the server's engine drives them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use clisonix_node::consent::Basis;
use clisonix_node::{By, Node, NodeError, ScopeChange};
use clisonix_pq::Secret;
use clisonix_pq::at_rest::StoreKey;
use clisonix_pq::checkpoint::Authors;
use clisonix_store::{Commits, Protection, Store, StoreOptions};
use clisonix_tide::{
    Catalogue, Clock, CloseReason, Input, Output, Refusal, Session, Settings, Site, Version,
};

use crate::bug::Bug;
use crate::chance::Chance;
use crate::disk::Disk;
use crate::record::rule;
use crate::site::{Lie, Records, Rules, Seal, Wall, author, name, node_id};

/// Records that a session looks at at once, after the rules changed.
const LOOKED_AT: usize = 2;

/// Who works at the machines.
pub(crate) const BY: By<'static> = By { author: "tester", purpose: "test" };

/// What a machine wants done by the world.
#[derive(Default)]
pub(crate) struct Effects {
    /// Messages to peers.
    pub(crate) messages: Vec<(usize, Vec<u8>)>,
    /// Ways that the machine closed, and why; `None` because of itself.
    pub(crate) closed: Vec<(usize, Option<CloseReason>)>,
    /// Runs that it refused, of whom.
    pub(crate) refused: Vec<(usize, Box<str>, Refusal)>,
}

/// A machine.
pub(crate) struct Machine {
    /// Its number.
    pub(crate) number: usize,
    /// Its disk.
    pub(crate) disk: Disk,
    /// Whether its store is encrypted.
    pub(crate) is_encrypted: bool,
    /// The open node; `None` while it cannot be opened.
    pub(crate) node: Option<Arc<Node>>,
    /// By peer.
    pub(crate) sessions: BTreeMap<usize, Session>,
    replicas: BTreeMap<usize, Records>,
    /// What is here, as the sessions know it.
    pub(crate) catalogue: Catalogue,
    clock: Clock,
    wall: Arc<Mutex<u64>>,
    /// How wrong its clock is.
    pub(crate) skew_ms: i64,
    /// The latest time that its clock showed.
    pub(crate) latest_ms: u64,
    /// The machines that it may have a link with.
    pub(crate) links: BTreeSet<usize>,
    /// On what basis each machine it knows may hold records.
    pub(crate) admitted: BTreeMap<usize, Basis>,
    /// Whom it believes no more, and since when by its clock.
    pub(crate) revoked: BTreeMap<usize, u64>,
    /// Arrivals that the sessions know of.
    arrival: u64,
    /// Arrivals that were acknowledged.
    pub(crate) acknowledged: u64,
    /// What is wrong with it.
    pub(crate) bug: Option<Bug>,
    /// How it lies.
    pub(crate) lie: Option<Lie>,
    /// Memory for pages.
    pub(crate) cache_bytes: usize,
    chance: Chance,
}

fn protection(number: usize, chance: Chance) -> Arc<Protection> {
    let key = StoreKey::from_secret(Secret::filled(|key| key.fill(number as u8 + 1)));
    let mut chance = chance;
    let random = move |bytes: &mut [u8]| chance.fill(bytes);
    Arc::new(Protection::new([number as u8; 16], key, Box::new(random), None))
}

impl Machine {
    /// A machine with an empty disk, not started.
    pub(crate) fn new(number: usize, bug: Option<Bug>, chance: &mut Chance) -> Self {
        Self {
            number,
            disk: Disk::new(chance.fork()),
            is_encrypted: false,
            node: None,
            sessions: BTreeMap::new(),
            replicas: BTreeMap::new(),
            catalogue: Catalogue::default(),
            clock: Clock::default(),
            wall: Arc::new(Mutex::new(0)),
            skew_ms: 0,
            latest_ms: 0,
            links: BTreeSet::new(),
            admitted: BTreeMap::new(),
            revoked: BTreeMap::new(),
            arrival: 0,
            acknowledged: 0,
            bug,
            lie: None,
            cache_bytes: 1 << 20,
            chance: chance.fork(),
        }
    }

    /// What its store is under, if anything.
    pub(crate) fn protection(&mut self) -> Option<Arc<Protection>> {
        let is_sealed = self.is_encrypted && self.bug != Some(Bug::PagesUnsealed);
        is_sealed.then(|| protection(self.number, self.chance.fork()))
    }

    /// Its clock shows this time, as wrong as it is.
    pub(crate) fn set_time(&mut self, now_ms: u64) {
        let now_ms = now_ms.saturating_add_signed(self.skew_ms);
        self.latest_ms = self.latest_ms.max(now_ms);
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner) = now_ms;
    }

    /// What its clock shows.
    pub(crate) fn now_ms(&self) -> u64 {
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything but the disk goes.
    pub(crate) fn stop(&mut self) {
        self.sessions.clear();
        self.replicas.clear();
        self.node = None;
    }

    /// Opens the store and begins anew. `false` if it cannot be opened.
    pub(crate) fn start(&mut self) -> bool {
        self.stop();
        let opened = self.open();
        self.node = opened.ok().map(Arc::new);
        self.begin().is_ok() && self.node.is_some()
    }

    fn open(&mut self) -> Result<Node, NodeError> {
        let options = StoreOptions {
            cache_bytes: self.cache_bytes,
            protection: self.protection(),
            commits: Commits::OnWait,
            ..StoreOptions::default()
        };
        let mut incarnation = [0; 16];
        self.chance.fill(&mut incarnation);
        let store = Store::on_medium(Box::new(self.disk.clone()), incarnation, &options)?;
        let chance = match self.bug {
            Some(Bug::SequenceReused) => Chance(self.number as u64),
            _ => self.chance.fork(),
        };
        let node = Node::over(store, Box::new(Wall::new(Arc::clone(&self.wall), chance)))?;
        node.sign_as(author(self.number))?;
        Ok(node)
    }

    fn begin(&mut self) -> Result<(), NodeError> {
        self.admit()?;
        let Some(node) = self.node.clone() else { return Ok(()) };
        self.arrival = node.arrival()?;
        self.acknowledged = self.arrival;
        self.clock = Clock::default();
        self.catalogue = Catalogue::default();
        let some = Records::new(Arc::clone(&node), self.number, self.bug, self.lie);
        self.catalogue = Catalogue::of(&some);
        for peer in self.links.clone() {
            self.add_session(peer)?;
        }
        Ok(())
    }

    fn add_session(&mut self, peer: usize) -> Result<(), NodeError> {
        let Some(node) = self.node.clone().filter(|_| self.admits(peer)) else { return Ok(()) };
        let kept = node.peer_state(name(peer))?;
        let last = node.last_receipt(name(self.number), name(peer))?;
        self.clock.see(last.map(|kept| kept.receipt.time).unwrap_or_default(), u64::MAX);
        let settings = Settings {
            node: node_id(self.number),
            peer: node_id(peer),
            secret: [(self.number.min(peer) * 16 + self.number.max(peer)) as u8; 16],
            epoch: kept.epoch,
            incarnation: node.incarnation(),
            seen: kept.seen,
            first_question: self.chance.draw() >> 8,
        };
        let rules = Rules::new(&node, peer, self.bug);
        let mut session = Session::new(settings, &self.catalogue);
        session.look(usize::MAX, &self.catalogue, &rules);
        self.sessions.insert(peer, session);
        self.replicas.insert(peer, Records::new(node, peer, self.bug, self.lie));
        Ok(())
    }

    /// Whether a machine may have a link with it.
    pub(crate) fn admits(&self, peer: usize) -> bool {
        self.admitted.contains_key(&peer) && !self.revoked.contains_key(&peer)
    }

    /// Takes over whom it admits and believes.
    pub(crate) fn admit(&mut self) -> Result<(), NodeError> {
        let Some(node) = &self.node else { return Ok(()) };
        let mut authors = Authors::new();
        for known in self.admitted.keys().chain([&self.number]) {
            authors.add(author(*known).known().clone()).expect("room");
        }
        for (peer, since_ms) in &self.revoked {
            authors.revoke_after(name(*peer), *since_ms);
        }
        node.set_authors(authors);
        let peers = self.admitted.iter().filter(|(peer, _)| !self.revoked.contains_key(*peer));
        let rules = peers.map(|(peer, basis)| (name(*peer), rule(*basis))).collect();
        if node.peer_rules()? != rules {
            node.set_peer_rules(&rules, BY)?;
        }
        Ok(())
    }

    /// Hears of another machine: that it is admitted, or that it is revoked.
    pub(crate) fn hear(&mut self, peer: usize, news: Option<Basis>) {
        match news {
            Some(basis) => drop(self.admitted.insert(peer, basis)),
            None if self.bug == Some(Bug::RevocationSkipped) => return,
            None => {
                let now_ms = self.now_ms();
                self.revoked.entry(peer).or_insert(now_ms);
                self.sessions.remove(&peer);
                self.replicas.remove(&peer);
            }
        }
        // What cannot be kept now is when the machine starts again.
        let _ = self.admit();
        if self.links.contains(&peer) && !self.sessions.contains_key(&peer) {
            let _ = self.add_session(peer);
        }
        self.note_scopes();
    }

    fn note_scopes(&mut self) {
        let Some(node) = self.node.clone() else { return };
        let Ok(Some(change)) = node.scope_change() else { return };
        let names: Option<Vec<&str>> = match &change {
            ScopeChange::Records(names) => Some(names.iter().map(String::as_str).collect()),
            ScopeChange::Any => None,
        };
        for (peer, session) in &mut self.sessions {
            let rules = Rules::new(&node, *peer, self.bug);
            session.scope_changed(names.as_deref(), &self.catalogue, &rules);
        }
    }

    /// Gives a session an input, and the others what follows from it.
    pub(crate) fn give(&mut self, peer: usize, input: Input<'_>, effects: &mut Effects) {
        if matches!(input, Input::Open { .. })
            && let Some(node) = self.node.clone()
            && self.sessions.contains_key(&peer)
        {
            self.replicas.insert(peer, Records::new(node, peer, self.bug, self.lie));
        }
        let changed = self.step(peer, input, effects);
        if !changed.is_empty() {
            let others: Vec<usize> =
                self.sessions.keys().copied().filter(|other| *other != peer).collect();
            self.tell(&others, &changed, effects);
        }
    }

    fn tell(&mut self, peers: &[usize], records: &BTreeSet<Box<str>>, effects: &mut Effects) {
        let Some(node) = self.node.clone() else { return };
        for peer in peers {
            let rules = Rules::new(&node, *peer, self.bug);
            if let Some(session) = self.sessions.get_mut(peer) {
                for record in records {
                    session.record_changed(record, &self.catalogue, &rules);
                }
            }
            self.step(*peer, Input::Arrived, effects);
        }
    }

    /// Tells the sessions what was written here.
    pub(crate) fn note_arrivals(&mut self, effects: &mut Effects) {
        let Some(node) = self.node.clone() else { return };
        let mut changed = BTreeSet::new();
        while let Ok(news) = node.arrived_since(self.arrival)
            && news.upto > self.arrival
        {
            self.arrival = news.upto;
            for (record, version) in news.records {
                let is_short = self.bug == Some(Bug::VersionTooShort);
                let version = version.map(|version| if is_short { [0; 32] } else { version });
                if self.catalogue.set(&record, version.map(Version)) {
                    changed.insert(record.into_boxed_str());
                }
            }
        }
        if !changed.is_empty() {
            let peers: Vec<usize> = self.sessions.keys().copied().collect();
            self.tell(&peers, &changed, effects);
        }
    }

    fn step(&mut self, peer: usize, input: Input<'_>, effects: &mut Effects) -> BTreeSet<Box<str>> {
        let mut changed = BTreeSet::new();
        let Some(node) = self.node.clone() else { return changed };
        let now_ms = self.now_ms();
        let (Some(session), Some(replica)) =
            (self.sessions.get_mut(&peer), self.replicas.get_mut(&peer))
        else {
            return changed;
        };
        let rules = Rules::new(&node, peer, self.bug);
        let mut site = Site {
            replica,
            catalogue: &mut self.catalogue,
            scope: &rules,
            signer: &Seal::new(self.number, self.bug),
            clock: &mut self.clock,
        };
        for output in session.handle(input, now_ms, &mut site) {
            match output {
                Output::Send(bytes) => effects.messages.push((peer, bytes)),
                Output::Changed { record } => drop(changed.insert(record)),
                Output::Closed(reason) => effects.closed.push((peer, Some(reason))),
                Output::Refused { record, by_peer: false, reason, .. } => {
                    effects.refused.push((peer, record, reason));
                }
                other => {
                    if let Output::Receipt(receipt, ..) = &other
                        && self.bug == Some(Bug::ClockTakenOver)
                    {
                        self.clock.see(receipt.time, u64::MAX);
                    }
                    if keep(&node, peer, &other).is_err() {
                        // What comes after it must not be said.
                        effects.closed.push((peer, None));
                        break;
                    }
                }
            }
        }
        if !self.disk.is_dead() {
            self.acknowledged = self.acknowledged.max(node.arrival().unwrap_or_default());
        }
        changed
    }

    /// What is due about four times a second.
    pub(crate) fn tend(&mut self, is_signing: bool, effects: &mut Effects) {
        let Some(node) = self.node.clone() else { return };
        if is_signing && node.is_checkpoint_due() {
            // One that could not be written is made again.
            let _ = node.checkpoint();
        }
        let _ = node.keep_peers();
        let _ = node.keep_audit();
        self.note_arrivals(effects);
        for (peer, session) in &mut self.sessions {
            session.look(LOOKED_AT, &self.catalogue, &Rules::new(&node, *peer, self.bug));
        }
        for peer in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.give(peer, Input::Tick, effects);
        }
    }

    /// Whether a session has agreed with its peer and knows of nothing that differs.
    pub(crate) fn is_in_sync(&self, peer: usize) -> bool {
        let (session, replica) = (self.sessions.get(&peer), self.replicas.get(&peer));
        session.zip(replica).is_some_and(|(session, replica)| {
            let status = session.status(replica);
            status.is_open && status.is_in_sync
        })
    }

    /// Whether a peer's store is shown to have gone back.
    pub(crate) fn shows_gone_back(&self, peer: usize) -> bool {
        let (session, replica) = (self.sessions.get(&peer), self.replicas.get(&peer));
        session.zip(replica).is_some_and(|(session, replica)| session.status(replica).has_gone_back)
    }

    /// How it stands with a peer, for people.
    pub(crate) fn describe(&self, peer: usize) -> String {
        let (session, replica) = (self.sessions.get(&peer), self.replicas.get(&peer));
        session.zip(replica).map_or_else(
            || "no session".to_owned(),
            |(session, replica)| format!("{:?}", session.status(replica)),
        )
    }
}

/// Keeps what a session wants kept.
fn keep(node: &Node, peer: usize, what: &Output) -> Result<(), NodeError> {
    match what {
        Output::Seen(cursor) => node.keep_seen(name(peer), *cursor)?,
        Output::Epoch(epoch) => node.keep_epoch(name(peer), *epoch)?,
        Output::Agreed(receipt, signature) | Output::Receipt(receipt, signature, _) => {
            node.keep_receipt(receipt, signature)?;
        }
        Output::Given { record, .. } => node.note_given(name(peer), record)?,
        Output::Withheld { record } => node.note_withheld(name(peer), record)?,
        _ => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
