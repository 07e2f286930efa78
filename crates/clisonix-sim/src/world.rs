//! The machines, the network between them, and what happens to them, from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clisonix_fhir::json::{self, Value};
use clisonix_node::consent::Basis;
use clisonix_node::{ActorId, Input as Message, Node, Read, ReadVersion};
use clisonix_tide::{CloseReason, Input, Refusal};

use crate::bug::Bug;
use crate::chance::{Chance, digest, mix};
use crate::disk::Plan as Fault;
use crate::machine::{BY, Effects, Machine};
use crate::mishap::{Backup, Twin};
use crate::record::{Consent, Plan, entry, saying};
use crate::site::{Lie, MAX_NODES};

/// Simulated time between ticks, in milliseconds.
const TICK_MS: u64 = 500;
/// In how many ticks after healing all must be equal.
const HEALING_TICKS: usize = 800;
/// How many ticks lie between two looks at whether all are equal.
const LOOK_TICKS: usize = 4;
/// In how many more ticks all receipts must be kept.
const RECEIPT_TICKS: usize = 240;
/// How often in a hundred ticks a checkpoint that is due is made after healing.
const HEALED_SIGNING: usize = 30;
/// After how long a closed way is opened again, in milliseconds.
const REOPEN_MS: u64 = 3_000;
/// A seed in which more messages are sent than this is a storm.
const MAX_SENT: u64 = 60_000;
/// Furthest that a clock is off, in milliseconds.
const DAY_MS: usize = 86_400_000;
/// When a world begins, in milliseconds since 1970-01-01T00:00:00Z.
const BEGIN_MS: u64 = 1_700_000_000_000;

/// What a seed played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Worlds.
    pub seeds: u64,
    /// Edits that were acknowledged.
    pub edits: u64,
    /// Edits that failed.
    pub failed: u64,
    /// Power cuts that fell into work.
    pub cuts: u64,
    /// Messages sent.
    pub messages: u64,
    /// Backups and images put back.
    pub restored: u64,
    /// Times that a copied machine took the other one's place.
    pub swapped: u64,
    /// Sessions that noticed that a peer's store went back.
    pub noticed: u64,
    /// Bits flipped.
    pub flipped: u64,
    /// Times that damage was told.
    pub damage_told: u64,
    /// Consents changed.
    pub consents: u64,
    /// Machines that heard of a revocation or an admission.
    pub heard: u64,
    /// Ticks until all was equal.
    pub settling_ticks: u64,
    /// The most of them in one world.
    pub most_ticks: u64,
    /// The most ticks until all was signed, in one world.
    pub most_signing_ticks: u64,
    /// Messages of a malicious machine.
    pub spoiled: u64,
    /// A number for all that was sent, in its order.
    pub course: u64,
}

/// A message on its way.
pub(crate) struct Packet {
    from: usize,
    to: usize,
    way: u64,
    bytes: Vec<u8>,
}

/// What goes wrong beside the network, one kind a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    None,
    /// Backups are put back.
    Restore,
    /// One machine is copied, and the two take turns.
    Clone,
    /// One machine is revoked.
    Revoke,
    /// One machine is admitted late by some.
    Late,
}

/// A world.
pub struct World {
    pub(crate) seed: u64,
    pub(crate) bug: Option<Bug>,
    pub(crate) chance: Chance,
    pub(crate) now_ms: u64,
    pub(crate) machines: Vec<Machine>,
    pub(crate) plans: Vec<Plan>,
    pub(crate) basis: Vec<Basis>,
    /// Each record's patient and consent, as first shown.
    templates: Vec<(Value, Option<Value>)>,
    /// What somebody read and has not written back yet.
    stale: BTreeMap<(usize, usize), Value>,
    pub(crate) ways: BTreeMap<(usize, usize), u64>,
    network: BTreeMap<(u64, u64), Packet>,
    opening: BTreeSet<(u64, usize, usize)>,
    cut: BTreeSet<(usize, usize)>,
    pub(crate) hears: Vec<(u64, usize, usize, Option<Basis>)>,
    sent: u64,
    loss: usize,
    twice: usize,
    late: usize,
    delay_ms: usize,
    /// How often a checkpoint that is due is made.
    signing: usize,
    pub(crate) mishap: Mishap,
    pub(crate) malicious: Option<usize>,
    /// The machine that is revoked, or admitted late.
    pub(crate) member: Option<usize>,
    /// Whether that one writes.
    member_writes: bool,
    /// What the malicious machine sent before.
    sent_before: Vec<Vec<u8>>,
    /// The last change of each actor that was acknowledged, by record, and where.
    pub(crate) made: BTreeMap<(usize, ActorId), (u64, usize)>,
    /// Records that a revoked machine wrote.
    pub(crate) tainted: BTreeSet<usize>,
    pub(crate) backups: Vec<Option<Backup>>,
    pub(crate) twin: Option<Twin>,
    /// Whether a store went back without another incarnation.
    pub(crate) has_gone_back: bool,
    pub(crate) tally: Tally,
}

impl World {
    /// A world, before anything happens.
    pub fn new(seed: u64, bug: Option<Bug>) -> Self {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9).wrapping_add(77));
        let count = chance.pick(&[3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7]).min(MAX_NODES);
        let kinds = [Basis::Own, Basis::All, Basis::All, Basis::Consent];
        let mut basis: Vec<Basis> = (0..count).map(|_| chance.pick(&kinds)).collect();
        // Records are made at the first two, which are of one organisation.
        basis[..2].fill(Basis::Own);
        let mishaps = [
            Mishap::None,
            Mishap::Restore,
            Mishap::Restore,
            Mishap::Clone,
            Mishap::Revoke,
            Mishap::Late,
        ];
        let mishap = chance.pick(&mishaps);
        let malicious = chance.percent(30).then_some(count - 1);
        let member = (2..count).rfind(|number| Some(*number) != malicious);
        let member = member.filter(|_| matches!(mishap, Mishap::Revoke | Mishap::Late));
        let mut machines: Vec<Machine> =
            (0..count).map(|number| Machine::new(number, bug, &mut chance)).collect();
        for machine in &mut machines {
            machine.is_encrypted = chance.percent(50);
            if chance.percent(70) {
                machine.skew_ms = skew(&mut chance);
            }
        }
        if let Some(malicious) = malicious {
            let lies = [None, Some(Lie::Forged), Some(Lie::Endless), Some(Lie::Versions)];
            machines[malicious].lie = chance.pick(&[lies[0], lies[1], lies[2], lies[3]]);
            if chance.percent(20) {
                machines[malicious].lie = Some(Lie::Nothing);
            }
        }
        let records = 1 + chance.below(3);
        let plans = (0..records)
            .map(|number| Plan::new(number, chance.below(2), chance.percent(50)))
            .collect();
        let mut world = Self {
            seed,
            bug,
            now_ms: BEGIN_MS,
            machines,
            plans,
            basis,
            templates: Vec::new(),
            stale: BTreeMap::new(),
            ways: BTreeMap::new(),
            network: BTreeMap::new(),
            opening: BTreeSet::new(),
            cut: BTreeSet::new(),
            hears: Vec::new(),
            sent: 0,
            loss: chance.below(41),
            twice: chance.below(20),
            late: chance.below(6),
            delay_ms: 1 + chance.below(400),
            signing: chance.pick(&[0, 5, 20]),
            mishap,
            malicious,
            member,
            member_writes: chance.percent(50),
            sent_before: Vec::new(),
            made: BTreeMap::new(),
            tainted: BTreeSet::new(),
            backups: (0..count).map(|_| None).collect(),
            twin: None,
            has_gone_back: false,
            tally: Tally { seeds: 1, ..Tally::default() },
            chance,
        };
        world.link();
        world.found();
        world
    }

    /// Draws who has a link with whom: a tree, and some more.
    fn link(&mut self) {
        let count = self.machines.len();
        let mut links = BTreeSet::new();
        for b in 1..count {
            links.insert((self.chance.below(b), b));
        }
        for _ in 0..self.chance.below(count) {
            let (a, b) = (self.chance.below(count), self.chance.below(count));
            if a != b {
                links.insert((a.min(b), a.max(b)));
            }
        }
        for (a, b) in links {
            self.machines[a].links.insert(b);
            self.machines[b].links.insert(a);
            self.opening.insert((self.now_ms, a, b));
        }
        let late = self.member.filter(|_| self.mishap == Mishap::Late);
        for number in 0..count {
            for peer in (0..count).filter(|peer| *peer != number) {
                let basis = self.basis[peer];
                if Some(peer) == late && self.chance.percent(60) {
                    let at = self.now_ms + self.chance.below(25_000) as u64;
                    self.hears.push((at, number, peer, Some(basis)));
                } else {
                    self.machines[number].admitted.insert(peer, basis);
                }
            }
        }
        if let Some(member) = self.member.filter(|_| self.mishap == Mishap::Revoke) {
            let at = self.now_ms + self.chance.below(20_000) as u64;
            for number in (0..count).filter(|number| *number != member) {
                let at = at + self.chance.below(8_000) as u64;
                self.hears.push((at, number, member, None));
            }
        }
    }

    /// Starts the machines, and takes in the first of each record.
    fn found(&mut self) {
        for number in 0..self.machines.len() {
            self.machines[number].set_time(self.now_ms);
            assert!(self.machines[number].start(), "seed {}: {number} does not start", self.seed);
        }
        for at in 0..self.plans.len() {
            let home = self.plans[at].home;
            let value = self.plans[at].value();
            let bundle = self.plans[at].bundle(&value);
            let node = self.node(home).expect("started");
            let before = node.record_ids().expect("reads");
            take(&node, &bundle);
            let after = node.record_ids().expect("reads");
            let id = after.into_iter().find(|id| !before.contains(id)).expect("a record");
            self.plans[at].id = id;
            let shown = self.shown(home, at).expect("reads");
            let consent = entry(&shown, "Consent");
            assert_eq!(consent.is_some(), self.plans[at].has_consent, "{}", shown.to_text());
            self.templates.push((entry(&shown, "Patient").expect("a patient"), consent));
            self.acknowledge(home, at);
            // The same fact comes to another node too.
            if !self.plans[at].has_consent && self.chance.percent(40) {
                take(&self.node(1 - home).expect("started"), &bundle);
                self.acknowledge(1 - home, at);
            }
        }
        for number in 0..2 {
            self.settle_arrivals(number);
        }
    }

    pub(crate) fn node(&self, number: usize) -> Option<Arc<Node>> {
        self.machines[number].node.clone()
    }

    pub(crate) fn shown(&self, number: usize, record: usize) -> Option<Value> {
        let text = self.node(number)?.record_text(&self.plans[record].id, BY).ok()?;
        Some(json::parse(text.bundle.as_bytes()).expect("JSON"))
    }

    /// Plays it to its end.
    pub fn run(mut self) -> Tally {
        for _ in 0..20 + self.chance.below(25) {
            for _ in 0..self.chance.below(4) {
                self.happen();
            }
            self.tick();
        }
        self.heal();
        self.settle();
        if self.bring_twin_back() {
            self.settle();
        }
        self.tally.noticed = self.check_gone_back();
        self.check();
        self.tally.messages = self.sent;
        self.tally
    }

    fn settle(&mut self) {
        let looks = (1..=HEALING_TICKS / LOOK_TICKS).find(|_| {
            (0..LOOK_TICKS).for_each(|_| self.tick());
            self.is_settled()
        });
        let Some(looks) = looks else {
            panic!("seed {}: not settled: {}", self.seed, self.unsettled())
        };
        let ticks = (looks * LOOK_TICKS) as u64;
        self.tally.settling_ticks += ticks;
        self.tally.most_ticks = self.tally.most_ticks.max(ticks);
        // The last receipts are on their way.
        let ticks = (1..=RECEIPT_TICKS).find(|_| {
            self.tick();
            self.is_signed()
        });
        let Some(ticks) = ticks else {
            panic!("seed {}: not signed: {}", self.seed, self.unsigned())
        };
        self.tally.most_signing_ticks = self.tally.most_signing_ticks.max(ticks as u64);
    }

    fn tick(&mut self) {
        let end = self.now_ms + TICK_MS;
        while let Some(next) = self.network.first_entry() {
            if next.key().0 > end {
                break;
            }
            let ((at, _), packet) = next.remove_entry();
            self.now_ms = self.now_ms.max(at);
            let Packet { from, to, way, bytes } = packet;
            if self.ways.get(&pair(from, to)) == Some(&way) {
                self.give(to, from, Input::Message(&bytes));
            }
        }
        self.now_ms = end;
        self.hear();
        self.open_ways();
        for number in 0..self.machines.len() {
            let is_signing = self.signing > 0 && self.chance.percent(self.signing);
            let mut effects = Effects::default();
            self.machines[number].set_time(self.now_ms);
            self.machines[number].tend(is_signing, &mut effects);
            self.carry_out(number, effects);
        }
    }

    fn hear(&mut self) {
        let now_ms = self.now_ms;
        let due: Vec<_> = self.hears.extract_if(.., |(at, ..)| *at <= now_ms).collect();
        for (_, number, peer, news) in due {
            self.tally.heard += 1;
            self.machines[number].set_time(now_ms);
            self.machines[number].hear(peer, news);
            self.shut(number, peer);
            if news.is_some() && self.machines[number].links.contains(&peer) {
                let (a, b) = pair(number, peer);
                self.opening.insert((self.now_ms, a, b));
            } else if self.mishap == Mishap::Revoke {
                let member = |plan: &&Plan| {
                    let held = self.machines[peer].catalogue.version(&plan.id);
                    held.is_some() && self.member_writes
                };
                let wrote: Vec<usize> =
                    self.plans.iter().filter(member).map(|plan| plan.number).collect();
                self.tainted.extend(wrote);
            }
        }
    }

    fn open_ways(&mut self) {
        let now_ms = self.now_ms;
        let due: Vec<_> = self.opening.extract_if(.., |(at, ..)| *at <= now_ms).collect();
        for (_, a, b) in due {
            let is_up = |number: usize| self.machines[number].node.is_some();
            if !is_up(a) || !is_up(b) {
                self.opening.insert((now_ms + REOPEN_MS, a, b));
            } else if self.machines[a].admits(b) && self.machines[b].admits(a) {
                self.open(a, b);
            }
        }
    }

    /// Opens a way; what was on it is lost.
    fn open(&mut self, a: usize, b: usize) {
        self.shut(a, b);
        self.sent += 1;
        self.ways.insert(pair(a, b), self.sent);
        // Both may have called.
        let calls = 1 + self.chance.below(3);
        for (from, to, is_first) in [(a, b, calls & 1 != 0), (b, a, calls & 2 != 0)] {
            self.give(from, to, Input::Open { is_first });
        }
    }

    pub(crate) fn shut(&mut self, a: usize, b: usize) {
        if self.ways.remove(&pair(a, b)).is_some() {
            for (from, to) in [(a, b), (b, a)] {
                self.give(from, to, Input::Shut);
            }
        }
    }

    fn give(&mut self, to: usize, from: usize, input: Input<'_>) {
        let mut effects = Effects::default();
        self.machines[to].set_time(self.now_ms);
        self.machines[to].give(from, input, &mut effects);
        self.carry_out(to, effects);
        self.restart_if_dead(to);
    }

    pub(crate) fn settle_arrivals(&mut self, number: usize) {
        let mut effects = Effects::default();
        self.machines[number].set_time(self.now_ms);
        self.machines[number].note_arrivals(&mut effects);
        self.carry_out(number, effects);
        self.restart_if_dead(number);
    }

    fn carry_out(&mut self, from: usize, effects: Effects) {
        for (to, bytes) in effects.messages {
            self.send(from, to, bytes);
        }
        for (of, record, reason) in effects.refused {
            let is_clear = self.is_good(from) && self.is_good(of);
            let seed = self.seed;
            // A machine that is admitted late, or revoked early, has written what others refuse.
            let is_known = reason == Refusal::Author && self.member.is_some();
            // A copy of a machine lacks what the other one signed about what both hold, until it
            // signs that itself.
            let is_known = is_known || reason == Refusal::Endless && self.has_gone_back;
            assert!(
                !is_clear || is_known,
                "seed {seed}: {from} refuses {record} of {of}: {reason}"
            );
        }
        for (of, reason) in effects.closed {
            let is_fault = !matches!(reason, None | Some(CloseReason::ByPeer(_)));
            let is_clear = self.is_good(from) && self.is_good(of);
            let seed = self.seed;
            assert!(!is_fault || !is_clear, "seed {seed}: {from} closes {of}: {reason:?}");
            self.ways.remove(&pair(from, of));
            self.machines[of].give(from, Input::Shut, &mut Effects::default());
            let (a, b) = pair(from, of);
            self.opening.insert((self.now_ms + REOPEN_MS, a, b));
        }
    }

    fn send(&mut self, from: usize, to: usize, mut bytes: Vec<u8>) {
        let Some(way) = self.ways.get(&pair(from, to)).copied() else { return };
        self.check_message(from, to, &bytes);
        self.tally.course = mix(self.tally.course ^ digest(&bytes));
        assert!(self.sent < MAX_SENT, "seed {}: a storm of messages", self.seed);
        let mut copies = 1 + usize::from(self.chance.percent(self.twice));
        if Some(from) == self.malicious {
            self.tally.spoiled += 1;
            copies += usize::from(self.chance.percent(5)) * 5;
            bytes = self.spoil(bytes);
        }
        for _ in 0..copies {
            self.sent += 1;
            if self.cut.contains(&(from, to)) || self.chance.percent(self.loss) {
                continue;
            }
            let mut at = self.now_ms + 1 + self.chance.below(self.delay_ms) as u64;
            if self.chance.percent(self.late) {
                at += self.chance.below(8_000) as u64;
            }
            let packet = Packet { from, to, way, bytes: bytes.clone() };
            self.network.insert((at, self.sent), packet);
        }
    }

    /// What the malicious machine makes of a message.
    fn spoil(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.sent_before.len() < 100 {
            self.sent_before.push(bytes.clone());
        }
        match self.chance.below(24) {
            0 => {
                let place = self.chance.below(bytes.len());
                bytes[place] ^= 1 << self.chance.below(8);
            }
            1 => bytes.truncate(self.chance.below(bytes.len())),
            2 | 3 => {
                let place = self.chance.below(self.sent_before.len());
                bytes.clone_from(&self.sent_before[place]);
            }
            4 => bytes.iter_mut().skip(2).for_each(|byte| *byte = self.chance.draw() as u8),
            _ => {}
        }
        bytes
    }

    pub(crate) fn is_good(&self, number: usize) -> bool {
        let is_revoked = self.mishap == Mishap::Revoke && Some(number) == self.member;
        Some(number) != self.malicious && !is_revoked
    }

    fn happen(&mut self) {
        let number = self.chance.below(self.machines.len());
        self.machines[number].set_time(self.now_ms);
        match self.chance.below(100) {
            0..46 => self.edit(number),
            46..54 => {
                let crash_at = Some(1 + self.chance.below(60) as u64);
                self.plan(number, |plan| plan.crash_at = crash_at);
            }
            54..57 => self.plan(number, |plan| plan.is_full = true),
            57..60 => self.plan(number, |plan| *plan = Fault::default()),
            60..63 => self.power_cut(number),
            63..69 => {
                let cut = (number, self.chance.below(self.machines.len()));
                if !self.cut.remove(&cut) {
                    self.cut.insert(cut);
                }
            }
            69..74 => self.machines[number].skew_ms = skew(&mut self.chance),
            74..80 => self.change_consent(),
            80..86 => self.mishap(number),
            86..91 => self.read_with_flips(number),
            91..93 if self.can_flip(number) => {
                let flips = 1 + self.chance.below(20);
                self.plan(number, |plan| plan.flips = flips);
            }
            93..96 => {
                if let Some(node) = self.node(number) {
                    let _ = node.checkpoint();
                }
                self.settle_arrivals(number);
            }
            _ => {
                let links: Vec<usize> = self.machines[number].links.iter().copied().collect();
                let (a, b) = pair(number, self.chance.pick(&links));
                self.opening.insert((self.now_ms, a, b));
            }
        }
        self.restart_if_dead(number);
    }

    pub(crate) fn plan(&mut self, number: usize, change: impl FnOnce(&mut Fault)) {
        let disk = &self.machines[number].disk;
        let mut plan = disk.planned();
        plan.is_lying = self.bug == Some(Bug::AcknowledgedBeforeSync);
        change(&mut plan);
        disk.plan(plan);
    }

    fn edit(&mut self, number: usize) {
        if Some(number) == self.malicious || (Some(number) == self.member && !self.member_writes) {
            return;
        }
        let Some(node) = self.node(number) else { return };
        let at = self.chance.below(self.plans.len());
        let id = self.plans[at].id.clone();
        if self.machines[number].catalogue.version(&id).is_none() {
            return;
        }
        let value = self.plans[at].value();
        let read = match self.chance.below(10) {
            // Somebody reads, and writes later what was read, with a change.
            0 | 1 => {
                let shown = self.shown(number, at).and_then(|shown| entry(&shown, "Patient"));
                shown.and_then(|shown| self.stale.insert((number, at), shown))
            }
            _ => None,
        };
        let version = if read.is_some() { ReadVersion::FromResource } else { ReadVersion::Current };
        let mut patient = read.unwrap_or_else(|| self.templates[at].0.clone());
        let text = match self.chance.below(4) {
            0 => format!(r#"[{{"system":"phone","value":"{value}"}}]"#),
            _ => format!(r#"[{{"family":"{value}"}}]"#),
        };
        let member = if text.contains("phone") { "telecom" } else { "name" };
        let written = json::parse(text.as_bytes()).expect("JSON");
        patient.as_object_mut().expect("an object").insert(member, written);
        if node.edit(&id, &patient, version, BY).is_ok() {
            self.tally.edits += 1;
            self.acknowledge(number, at);
        } else {
            self.tally.failed += 1;
        }
        self.settle_arrivals(number);
    }

    /// What a machine acknowledged must be everywhere in the end.
    fn acknowledge(&mut self, number: usize, record: usize) {
        let Some(node) = self.node(number) else { return };
        self.machines[number].acknowledged = node.arrival().unwrap_or_default();
        let Ok(standings) = node.standings(&self.plans[record].id) else { return };
        for standing in standings {
            let made = self.made.entry((record, standing.actor)).or_default();
            if standing.changes > made.0 {
                *made = (standing.changes, number);
            }
        }
    }

    fn change_consent(&mut self) {
        let at = self.chance.below(self.plans.len());
        let Some(shown) = self.templates[at].1.clone() else { return };
        let home = self.plans[at].home;
        let Some(node) = self.node(home) else { return };
        self.machines[home].set_time(self.now_ms);
        let consent = self.chance.pick(&[Consent::OptIn, Consent::OptOut, Consent::OptOut]);
        let id = self.plans[at].id.clone();
        let places = |node: &Node| node.standings(&id).unwrap_or_default();
        let before: BTreeMap<ActorId, u64> =
            places(&node).iter().map(|place| (place.actor, place.changes)).collect();
        match node.edit(&id, &saying(&shown, consent), ReadVersion::Current, BY) {
            Ok(edited) if edited.change.is_some() => {
                let now = places(&node);
                let new = now.iter().find(|place| before.get(&place.actor) != Some(&place.changes));
                match new {
                    Some(new) => self.plans[at].said.push((new.actor, new.changes, consent)),
                    None => self.plans[at].is_vague = true,
                }
                self.tally.consents += 1;
                self.acknowledge(home, at);
            }
            Ok(_) => {}
            Err(_) => self.plans[at].is_vague = true,
        }
        self.settle_arrivals(home);
        self.restart_if_dead(home);
    }

    /// Everything that goes wrong ends.
    fn heal(&mut self) {
        (self.loss, self.twice, self.late) = (0, 0, 0);
        self.signing = HEALED_SIGNING;
        self.cut.clear();
        for hear in &mut self.hears {
            hear.0 = self.now_ms;
        }
        for number in 0..self.machines.len() {
            self.plan(number, |plan| *plan = Fault { is_lying: plan.is_lying, ..Fault::default() });
            self.restart(number);
        }
    }
}

pub(crate) fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

pub(crate) fn skew(chance: &mut Chance) -> i64 {
    (chance.below(2 * DAY_MS) as u64).cast_signed() - (DAY_MS as u64).cast_signed()
}

impl World {
    /// A way is to be opened again after a while, for each link of a machine.
    pub(crate) fn reopen(&mut self, number: usize) {
        for peer in self.machines[number].links.clone() {
            self.shut(number, peer);
            let (a, b) = pair(number, peer);
            self.opening.insert((self.now_ms + 1_000, a, b));
        }
    }
}

pub(crate) fn take(node: &Node, bundle: &str) {
    let input = Message { name: "a.json".into(), feed: None, bytes: bundle.as_bytes().to_vec() };
    let mut load = node.load(BY);
    load.take(&Read::new(input)).expect("applied");
    load.finish().expect("durable");
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.edits += other.edits;
        self.failed += other.failed;
        self.cuts += other.cuts;
        self.messages += other.messages;
        self.restored += other.restored;
        self.swapped += other.swapped;
        self.noticed += other.noticed;
        self.flipped += other.flipped;
        self.damage_told += other.damage_told;
        self.consents += other.consents;
        self.heard += other.heard;
        self.settling_ticks += other.settling_ticks;
        self.most_ticks = self.most_ticks.max(other.most_ticks);
        self.most_signing_ticks = self.most_signing_ticks.max(other.most_signing_ticks);
        self.spoiled += other.spoiled;
        self.course ^= other.course;
    }
}
