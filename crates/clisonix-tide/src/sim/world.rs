//! The nodes, the network between them, and what happens to them.

use std::collections::{BTreeMap, BTreeSet};

use super::chance::Chance;
use super::model::{Change, Lie, mark};
use super::node::{Consent, Disk, Node, Sent};
use crate::fault::fault;
use crate::{Input, Replica};

/// Simulated time between ticks.
const TICK_MS: u64 = 500;
/// In how many ticks after healing all must be equal.
const HEALING_TICKS: u64 = 500;
/// After how long a closed way is opened again.
const REOPEN_MS: u64 = 5_000;
/// The kind of messages that tell a node what it may not hold.
const GIVE: u8 = 8;
/// A seed that sends more messages than this is a storm.
const MAX_SENT: u64 = 200_000;

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) chance: Chance,
    pub(super) now_ms: u64,
    pub(super) nodes: Vec<Node>,
    /// Who may hold what, in truth, as far as each node has heard.
    pub(super) consent: Vec<Consent>,
    /// Who may hold what.
    pub(super) truth: Consent,
    /// Of which records that was changed.
    pub(super) changed_consent: BTreeSet<Box<str>>,
    /// Consent that a node has not heard of yet.
    unheard: Vec<(u64, usize, Box<str>, u8)>,
    /// Messages on their way, by time of arrival.
    network: BTreeMap<(u64, u64), (usize, usize, Vec<u8>)>,
    pub(super) sent: u64,
    pub(super) sent_by_pair: BTreeMap<(usize, usize), u64>,
    loss: usize,
    twice: usize,
    late: usize,
    delay_ms: usize,
    /// Cut in this direction.
    pub(super) cut: BTreeSet<(usize, usize)>,
    /// Ways that are to be opened.
    opening: Vec<(u64, usize, usize)>,
    pub(super) made: BTreeSet<(Box<str>, Change)>,
    pub(super) notices: Vec<Vec<u8>>,
    backups: Vec<Disk>,
    twin: Option<(usize, Disk)>,
    /// Names that one node told another.
    told: BTreeSet<(usize, usize, Box<str>)>,
    pub(super) malicious: Option<usize>,
    /// What the malicious node sent before.
    heard: Vec<Vec<u8>>,
    pub(super) revoked: Option<usize>,
    /// How long a node lets a peer's record rest.
    pub(super) rests: BTreeMap<(usize, usize, Box<str>), u64>,
}

/// How the name of every record begins; four digits follow.
const NAME: &str = "patient-";

pub(super) fn name(record: usize) -> Box<str> {
    format!("{NAME}{record:04}").into()
}

/// The names of records among bytes.
fn names_in(bytes: &[u8]) -> impl Iterator<Item = &str> {
    let starts = (0..bytes.len()).filter(|at| bytes[*at] == NAME.as_bytes()[0]);
    let names = starts.filter_map(|at| bytes.get(at..at + NAME.len() + 4));
    let names = names.filter(|name| name.starts_with(NAME.as_bytes()));
    names.filter_map(|name| std::str::from_utf8(name).ok())
}

/// Whether any of these stands among bytes.
fn has_any(bytes: &[u8], marks: &[[u8; 8]]) -> bool {
    let mut starts = [false; 256];
    for mark in marks {
        starts[usize::from(mark[0])] = true;
    }
    let mut places = (0..bytes.len()).filter(|at| starts[usize::from(bytes[*at])]);
    places.any(|at| bytes[at..].first_chunk().is_some_and(|part| marks.contains(part)))
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        // In some runs most records' entries begin alike.
        let name_bits = if seed.is_multiple_of(4) { 3 | u64::MAX << 32 } else { u64::MAX };
        crate::entry::tests::NAME_BITS.set(name_bits);
        let mut chance = Chance(seed);
        let count = 3 + chance.below(5);
        let mut consent = Consent::default();
        for record in 0..2 + chance.below(12) {
            // Some records are for all, some for one node or more.
            let all = (1_u8 << count) - 1;
            let some = (chance.next() as u8 & all) | 1 << chance.below(count);
            consent.0.insert(name(record), if chance.percent(50) { all } else { some });
        }
        let mut nodes: Vec<Node> =
            (0..count).map(|n| Node::new(n, &consent, &mut chance)).collect();
        let malicious = chance.percent(40).then_some(count - 1);
        if let Some(malicious) = malicious {
            let lies = [Lie::None, Lie::Unsigned, Lie::Endless, Lie::Versions, Lie::Nothing];
            nodes[malicious].disk.model.lie = chance.pick(&lies).unwrap();
        }
        for node in &mut nodes {
            node.start(count, &mut chance);
        }
        let mut world = Self {
            seed,
            now_ms: 1_700_000_000_000,
            truth: consent.clone(),
            changed_consent: BTreeSet::new(),
            consent: vec![consent; count],
            unheard: Vec::new(),
            network: BTreeMap::new(),
            sent: 0,
            sent_by_pair: BTreeMap::new(),
            loss: chance.below(41),
            twice: chance.below(20),
            late: chance.below(6),
            delay_ms: 1 + chance.below(400),
            cut: BTreeSet::new(),
            opening: Vec::new(),
            made: BTreeSet::new(),
            notices: Vec::new(),
            backups: nodes.iter().map(|node| node.disk.clone()).collect(),
            twin: None,
            told: BTreeSet::new(),
            malicious,
            heard: Vec::new(),
            revoked: None,
            rests: BTreeMap::new(),
            nodes,
            chance,
        };
        for a in 0..count {
            for b in 0..a {
                world.opening.push((world.now_ms, a, b));
            }
        }
        world
    }

    pub(super) fn run(&mut self) {
        for _ in 0..40 + self.chance.below(80) {
            for _ in 0..self.chance.below(4) {
                self.happen();
            }
            self.tick();
        }
        self.heal();
        let ticks = (0..HEALING_TICKS).find(|_| {
            self.tick();
            self.is_equal() && self.is_agreed()
        });
        self.check(ticks.is_some());
        self.check_live();
        self.check_quiet();
    }

    fn heal(&mut self) {
        (self.loss, self.twice, self.late) = (0, 0, 0);
        self.cut.clear();
        for node in &mut self.nodes {
            node.disk.model.is_full = false;
        }
        for (_, node, record, nodes) in std::mem::take(&mut self.unheard) {
            // One that may not hold it any more may never hear of that.
            if nodes >> node & 1 == 1 || self.chance.percent(50) {
                self.hear(node, &record, nodes);
            }
        }
        if let Some(revoked) = self.revoked {
            let others = self.nodes.iter_mut().filter(|node| node.number != revoked);
            others.for_each(|node| node.revoked |= 1 << revoked);
        }
        for node in &mut self.nodes {
            node.tell_scope(None);
        }
    }

    pub(super) fn tick(&mut self) {
        let end = self.now_ms + TICK_MS;
        let due: Vec<_> = self.opening.extract_if(.., |(at, ..)| *at <= end).collect();
        for (_, a, b) in due {
            self.open(a, b);
        }
        let (unheard, heard) =
            std::mem::take(&mut self.unheard).into_iter().partition(|(at, ..)| *at > end);
        self.unheard = unheard;
        for (_, node, record, nodes) in heard {
            self.hear(node, &record, nodes);
            if self.chance.percent(70) {
                self.nodes[node].tell_scope(Some(&record));
            }
        }
        while let Some(entry) = self.network.first_entry() {
            let (at, _) = *entry.key();
            if at > end {
                break;
            }
            let (from, to, bytes) = entry.remove();
            self.now_ms = self.now_ms.max(at);
            self.note_names(from, to, &bytes);
            let sent = self.nodes[to].run(from, Input::Message(&bytes), self.now_ms);
            self.send(to, sent);
        }
        self.now_ms = end;
        self.each_session(Input::Tick);
    }

    fn each_session(&mut self, input: Input<'_>) {
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| *to != from) {
                let sent = self.nodes[from].run(to, input, self.now_ms);
                self.send(from, sent);
            }
        }
    }

    /// A way is opened; what was on it is lost.
    fn open(&mut self, a: usize, b: usize) {
        self.shut(a, b);
        // Both may have called.
        let calls = 1 + self.chance.below(3);
        for (from, to, is_first) in [(a, b, calls & 1 != 0), (b, a, calls & 2 != 0)] {
            let sent = self.nodes[from].run(to, Input::Open { is_first }, self.now_ms);
            self.send(from, sent);
        }
    }

    fn shut(&mut self, a: usize, b: usize) {
        let pair = [(a, b), (b, a)];
        self.network.retain(|_, (from, to, _)| !pair.contains(&(*from, *to)));
        for (from, to) in pair {
            let sent = self.nodes[from].run(to, Input::Shut, self.now_ms);
            self.send(from, sent);
        }
    }

    pub(super) fn send(&mut self, from: usize, sent: Sent) {
        for (to, mut bytes) in sent.messages {
            self.check_consent(from, to, &bytes);
            if Some(from) == self.malicious {
                bytes = self.spoil(bytes);
            }
            *self.sent_by_pair.entry((from, to)).or_default() += 1;
            assert!(self.sent < MAX_SENT, "seed {}: a storm of messages", self.seed);
            for _ in 0..=usize::from(self.chance.percent(self.twice)) {
                self.sent += 1;
                if self.cut.contains(&(from, to)) || self.chance.percent(self.loss) {
                    continue;
                }
                let mut at = self.now_ms + 1 + self.chance.below(self.delay_ms) as u64;
                if self.chance.percent(self.late) {
                    at += self.chance.below(20_000) as u64;
                }
                self.network.insert((at, self.sent), (from, to, bytes.clone()));
            }
        }
        for (peer, cursor) in sent.seen {
            self.check_seen(from, peer, cursor);
        }
        for (peer, record, pause_ms) in sent.refused {
            self.check_rest(from, peer, record, pause_ms);
        }
        for peer in sent.closed {
            let is_same = |(_, a, b): &(u64, usize, usize)| {
                (*a, *b) == (from, peer) || (*b, *a) == (from, peer)
            };
            if !self.opening.iter().any(is_same) {
                self.opening.push((self.now_ms + REOPEN_MS, from, peer));
            }
        }
    }

    /// What the malicious node makes of a message.
    fn spoil(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.heard.len() < 200 {
            self.heard.push(bytes.clone());
        }
        match self.chance.below(20) {
            0 => {
                let place = self.chance.below(bytes.len());
                bytes[place] ^= 1 << self.chance.below(8);
            }
            1 => bytes.truncate(self.chance.below(bytes.len())),
            2 | 3 => bytes = self.heard[self.chance.below(self.heard.len())].clone(),
            4 => bytes.iter_mut().skip(2).for_each(|byte| *byte = self.chance.next() as u8),
            _ => {}
        }
        bytes
    }

    /// Nobody is told a name, or a byte of a record, that it may not hold; but whoever speaks of a
    /// record may be answered.
    fn check_consent(&self, from: usize, to: usize, bytes: &[u8]) {
        if Some(from) == self.malicious {
            return;
        }
        let consent = &self.consent[from];
        let withheld = || consent.0.keys().filter(|record| !consent.allows(record, to));
        let marks: Vec<[u8; 8]> = withheld().map(|record| mark(record)).collect();
        let seed = self.seed;
        assert!(!has_any(bytes, &marks), "seed {seed}: {from} gives to {to} what it may not hold");
        for record in names_in(bytes).filter(|record| !consent.allows(record, to)) {
            // Whoever was asked for it while it was allowed is told that it is not any more.
            let is_known = |from, to| self.told.contains(&(from, to, record.into()));
            let is_told = is_known(to, from) || (bytes[1] == GIVE && is_known(from, to));
            assert!(is_told, "seed {seed}: {from} names {record} to {to}");
        }
    }

    fn note_names(&mut self, from: usize, to: usize, bytes: &[u8]) {
        for record in names_in(bytes) {
            self.told.insert((from, to, record.into()));
        }
    }

    /// A node hears who may hold a record.
    fn hear(&mut self, node: usize, record: &str, nodes: u8) {
        self.consent[node].0.insert(record.into(), nodes);
        let held = self.nodes[node].consent.0.entry(record.into()).or_default();
        *held = if fault!(ConsentHoldsOn) { *held | nodes } else { nodes };
    }

    pub(super) fn edit(&mut self, node: usize) -> Option<(Box<str>, Change)> {
        let consent = &self.nodes[node].consent;
        let records: Vec<Box<str>> =
            consent.0.keys().filter(|record| consent.allows(record, node)).cloned().collect();
        let record = records.get(self.chance.below(records.len().max(1)))?.clone();
        let change = self.nodes[node].edit(&record);
        self.made.insert((record.clone(), change));
        let mut sent = Sent::default();
        self.nodes[node].push(self.now_ms, None, &mut sent);
        self.send(node, sent);
        Some((record, change))
    }

    /// Something that happens to a site.
    fn happen(&mut self) {
        let count = self.nodes.len();
        let node = self.chance.below(count);
        match self.chance.below(100) {
            0..50 => {
                for _ in 0..=self.chance.below(3) {
                    self.edit(node);
                }
            }
            50..58 => {
                let cut = (node, self.chance.below(count));
                if !self.cut.remove(&cut) {
                    self.cut.insert(cut);
                }
            }
            58..66 => self.restart(node),
            66..70 => self.backups[node] = self.nodes[node].disk.clone(),
            70..73 => {
                let backup = self.backups[node].clone();
                self.nodes[node].restore(&backup, &mut self.chance);
                self.restart(node);
            }
            73..76 => self.swap_twin(node),
            76..80 => {
                self.nodes[node].skew_ms = self.chance.skew_ms();
            }
            80..88 => self.change_consent(),
            88..90 => self.revoke(),
            90..92 => {
                let model = &mut self.nodes[node].disk.model;
                model.is_full = !model.is_full;
            }
            92..94 => {
                let model = &mut self.nodes[node].disk.model;
                model.pruned = model.arrival();
            }
            94..96 => {
                let notice = self.chance.next().to_be_bytes().to_vec();
                self.nodes[node].say(&notice);
                self.notices.push(notice);
            }
            _ => {
                let peer = self.chance.below(count);
                if peer != node {
                    self.open(node, peer);
                }
            }
        }
    }

    /// A crash loses everything but what is durable.
    fn restart(&mut self, node: usize) {
        let count = self.nodes.len();
        self.rests.retain(|(by, ..), _| *by != node);
        let before = self.nodes[node].disk.model.records.clone();
        self.nodes[node].start(count, &mut self.chance);
        let after = &self.nodes[node].disk.model.records;
        assert_eq!(before, *after, "seed {}: what {node} acknowledged is lost", self.seed);
        for peer in (0..count).filter(|peer| *peer != node) {
            self.shut(node, peer);
            self.opening.push((self.now_ms + 1000, node, peer));
        }
    }

    /// A copy of a node takes its place, or gives it back.
    fn swap_twin(&mut self, node: usize) {
        let here = self.nodes[node].disk.clone();
        match self.twin.take() {
            Some((of, twin)) if of == node => self.nodes[node].disk = twin,
            Some(other) => self.twin = Some(other),
            None => {
                let backup = self.backups[node].clone();
                self.nodes[node].restore(&backup, &mut self.chance);
                self.twin = Some((node, here));
            }
        }
        self.restart(node);
    }

    fn change_consent(&mut self) {
        let record = name(self.chance.below(self.consent[0].0.len()));
        let all = (1_u8 << self.nodes.len()) - 1;
        let nodes = (self.chance.next() as u8 & all) | 1 << self.chance.below(self.nodes.len());
        // One change of one record is heard by all before the next.
        if self.unheard.iter().any(|(_, _, other, _)| *other == record) {
            return;
        }
        self.truth.0.insert(record.clone(), nodes);
        self.changed_consent.insert(record.clone());
        for node in 0..self.nodes.len() {
            let at = self.now_ms + self.chance.below(20_000) as u64;
            self.unheard.push((at, node, record.clone(), nodes));
        }
    }

    fn revoke(&mut self) {
        let count = self.nodes.len();
        let revoked = *self.revoked.get_or_insert_with(|| self.chance.below(count));
        let by = self.chance.below(count);
        if by != revoked {
            self.nodes[by].revoked |= 1 << revoked;
        }
    }
}
