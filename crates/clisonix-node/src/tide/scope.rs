//! What a peer may hold: the site's rules, the consents in each record, and what was decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clisonix_fhir::json::{self, Value};
use clisonix_ingest::RecordKey;
use clisonix_pq::Fingerprint;
use clisonix_store::{Action, Batch, Snapshot, Span, Table};
use clisonix_tide::{NoticeId, Scope};
use sha2::{Digest, Sha256};

use super::lock;
use crate::consent::{self, Basis, Decision, Orders, PeerRule, Shown, decide};
use crate::damage;
use crate::error::NodeError;
use crate::node::{By, Node, access};
use crate::stored;
use crate::version;

/// Most peers with rules.
pub const MAX_RULES: usize = 4_096;
/// Records whose decisions are remembered.
const MAX_DECIDED: usize = 1 << 20;
/// How long a decision that depends on the time holds, in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// What a peer may hold of a node's records, asked at every answer and push.
pub struct NodeScope {
    node: Arc<Node>,
    peer: Fingerprint,
}

impl NodeScope {
    /// The scope of one peer.
    pub fn new(node: Arc<Node>, peer: Fingerprint) -> Self {
        Self { node, peer }
    }
}

impl Scope for NodeScope {
    fn may_hold(&self, record: &str) -> bool {
        // What cannot be read cannot be given.
        self.node.decision(self.peer, record).is_ok_and(Decision::is_given)
    }

    fn may_know(&self, notice: &NoticeId) -> bool {
        self.node.may_know(self.peer, notice.0).unwrap_or(false)
    }

    fn digest(&self) -> [u8; 32] {
        let rules = self.node.peer_rules().unwrap_or_default();
        let text = rules.get(&self.peer).map(rule_value).unwrap_or_default().to_text();
        Sha256::digest(text.as_bytes()).into()
    }
}

type Rules = Arc<BTreeMap<Fingerprint, PeerRule>>;

/// The rules as they are used, and what was decided by them.
#[derive(Default)]
pub(super) struct Decisions {
    rules: Option<Rules>,
    decided: BTreeMap<Box<str>, Decided>,
    /// Records whose decisions depend on the time.
    timed: BTreeSet<Box<str>>,
    /// Whether the rules changed since it was asked last.
    is_changed: bool,
}

/// What was decided of one record, in the order of the rules' peers.
struct Decided {
    /// Of all records of the patient.
    version: [u8; 32],
    /// When, in minutes; of a decision that does not depend on it, `None`.
    minute: Option<i64>,
    of: Box<[Decision]>,
}

/// Records that some peer may hold now and might not before, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeChange {
    /// These.
    Records(Vec<String>),
    /// The rules changed: any.
    Any,
}

impl Node {
    /// Sets the site's rules about its peers, durably; a peer without one gets nothing. They hold
    /// at the next message.
    ///
    /// # Errors
    /// [`NodeError::Rules`] with more than [`MAX_RULES`]; [`NodeError::Write`].
    pub fn set_peer_rules(
        &self,
        rules: &BTreeMap<Fingerprint, PeerRule>,
        by: By<'_>,
    ) -> Result<(), NodeError> {
        if rules.len() > MAX_RULES {
            return Err(NodeError::Rules);
        }
        let now = self.inside().outside.now_ms();
        let mut batch = Batch::new();
        batch.access(access(by, Action::Administer, now, None)?)?;
        let snapshot = self.store.snapshot()?;
        for row in snapshot.rows(Table::Index, &Span::prefix(PREFIX))? {
            batch.remove(Table::Index, &row?.key)?;
        }
        for (peer, rule) in rules {
            batch.put(Table::Index, &key(*peer), rule_value(rule).to_text().into_bytes())?;
        }
        drop(snapshot);
        self.store.write(batch)?;
        self.forget_decisions();
        Ok(())
    }

    /// The site's rules about its peers, as they were set.
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn peer_rules(&self) -> Result<BTreeMap<Fingerprint, PeerRule>, NodeError> {
        stored_rules(&self.store.snapshot()?)
    }

    /// Decides whether a peer may hold a record now, and on what ground.
    ///
    /// # Errors
    /// [`NodeError::Read`]; [`NodeError::Damaged`].
    pub fn decision(&self, peer: Fingerprint, record: &str) -> Result<Decision, NodeError> {
        let now = self.inside().outside.now_ms().cast_signed();
        let snapshot = self.store.snapshot()?;
        let mut decisions = lock(&self.exchange.decisions);
        let rules = decisions.rules(&snapshot)?;
        let Some(rule) = rules.get(&peer) else { return Ok(Decision::Nothing) };
        if rule.basis == Basis::Own {
            return Ok(Decision::Own);
        }
        let Some(version) = version::version(&snapshot, record)? else {
            return Ok(Decision::Nothing);
        };
        if RecordKey::is_shared(record) {
            return Ok(if rule.shared { Decision::Shared } else { Decision::Nothing });
        }
        let patient = Patient::of(&snapshot, record)?;
        if let Some(decided) = rule.basis.without_terms()
            && patient.is_without_terms(&snapshot, record)?
        {
            return Ok(decided);
        }
        let version = patient.version(&snapshot, version)?;
        let at = rules.keys().position(|other| *other == peer).unwrap_or_default();
        let held = decisions.decided.get(record);
        let held = held.filter(|held| {
            held.version == version
                && held.minute.is_none_or(|minute| minute == now.div_euclid(MINUTE_MS))
        });
        if let Some(held) = held {
            return Ok(held.of.get(at).copied().unwrap_or(Decision::Nothing));
        }
        let decided = patient.decide(&snapshot, record, version, &rules, now)?;
        let one = decided.of.get(at).copied().unwrap_or(Decision::Nothing);
        decisions.keep(record, decided);
        Ok(one)
    }

    /// Everything is decided anew, and what changed is told ([`Self::scope_change`]).
    pub(crate) fn forget_decisions(&self) {
        let mut decisions = lock(&self.exchange.decisions);
        *decisions = Decisions { is_changed: true, ..Decisions::default() };
    }

    /// What changed of what peers may hold since this was asked last, beside what follows from
    /// changed records: the rules, or a consent whose time came or is over. To be asked about once a
    /// minute, or after [`Self::set_peer_rules`].
    ///
    /// # Errors
    /// [`NodeError::Read`].
    pub fn scope_change(&self) -> Result<Option<ScopeChange>, NodeError> {
        let now = self.inside().outside.now_ms().cast_signed();
        let snapshot = self.store.snapshot()?;
        let mut decisions = lock(&self.exchange.decisions);
        let before = decisions.rules.take();
        let rules = decisions.rules(&snapshot)?;
        let is_other = before.is_some_and(|before| before != rules);
        if std::mem::take(&mut decisions.is_changed) || is_other {
            decisions.decided.clear();
            decisions.timed.clear();
            return Ok(Some(ScopeChange::Any));
        }
        let mut changed = Vec::new();
        for record in decisions.timed.clone() {
            let patient = Patient::of(&snapshot, &record)?;
            let Some(version) = version::version(&snapshot, &record)? else { continue };
            let version = patient.version(&snapshot, version)?;
            let Some(held) = decisions.decided.get(&record) else { continue };
            if held.minute == Some(now.div_euclid(MINUTE_MS)) {
                continue;
            }
            let was = held.of.clone();
            let decided = patient.decide(&snapshot, &record, version, &rules, now)?;
            if decided.of != was {
                changed.push(record.to_string());
            }
            decisions.keep(&record, decided);
        }
        Ok((!changed.is_empty()).then_some(ScopeChange::Records(changed)))
    }
}

impl Decisions {
    /// The rules with the references by which this node knows each peer's organisation.
    fn rules(&mut self, snapshot: &Snapshot) -> Result<Rules, NodeError> {
        if let Some(rules) = &self.rules {
            return Ok(Arc::clone(rules));
        }
        let mut rules = stored_rules(snapshot)?;
        add_references(snapshot, &mut rules)?;
        let rules = Arc::new(rules);
        self.rules = Some(Arc::clone(&rules));
        Ok(rules)
    }

    fn keep(&mut self, record: &str, decided: Decided) {
        if self.decided.len() >= MAX_DECIDED {
            self.decided.clear();
            self.timed.clear();
        }
        if decided.minute.is_some() {
            self.timed.insert(record.into());
        } else {
            self.timed.remove(record);
        }
        self.decided.insert(record.into(), decided);
    }
}

/// The records that are read to decide about one of them: of a patient the own one, which comes
/// first, and those beside it.
struct Patient(Vec<String>);

impl Patient {
    fn of(snapshot: &Snapshot, record: &str) -> Result<Self, NodeError> {
        // Of most records the id alone tells, and nothing need be unsealed.
        let key =
            if RecordKey::is_of_classes(record) { stored::key_of(snapshot, record)? } else { None };
        let own = key.map_or_else(|| record.to_owned(), |key| key.whole().id());
        let beside = stored::beside(snapshot, &own)?;
        Ok(Self(std::iter::once(own).chain(beside).collect()))
    }

    /// Whether the record that is asked about is all that is here of the patient, and sets no terms.
    fn is_without_terms(&self, snapshot: &Snapshot, asked: &str) -> Result<bool, NodeError> {
        let is_alone = self.0 == [asked];
        Ok(is_alone && !stored::has_terms(snapshot, asked)? && !damage::is_noted(snapshot, asked)?)
    }

    /// Whether the log of one of the records was put aside and is not whole again.
    fn lacks_something(&self, snapshot: &Snapshot) -> Result<bool, NodeError> {
        for record in &self.0 {
            if damage::is_aside(snapshot, record)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A digest that changes with each of the records; `asked` is the version of the one that is
    /// asked about.
    fn version(&self, snapshot: &Snapshot, asked: [u8; 32]) -> Result<[u8; 32], NodeError> {
        if self.0.len() == 1 {
            return Ok(asked);
        }
        let mut hasher = Sha256::new();
        for record in &self.0 {
            hasher.update(version::version(snapshot, record)?.unwrap_or_default());
        }
        Ok(hasher.finalize().into())
    }

    /// Decides about one of the records for every peer with a rule: each is read once.
    fn decide(
        &self,
        snapshot: &Snapshot,
        asked: &str,
        version: [u8; 32],
        rules: &BTreeMap<Fingerprint, PeerRule>,
        now_ms: i64,
    ) -> Result<Decided, NodeError> {
        let damaged = || NodeError::Damaged(asked.to_owned());
        let own = self.0.first().ok_or_else(damaged)?;
        if version::version(snapshot, own)?.is_none() {
            // The consents are not here yet.
            let of = rules.values().map(|_| Decision::Nothing).collect();
            return Ok(Decided { version, minute: Some(now_ms.div_euclid(MINUTE_MS)), of });
        }
        if self.lacks_something(snapshot)? {
            // A consent may be in what is lost.
            let of = rules.values().map(|_| Decision::Damaged).collect();
            return Ok(Decided { version, minute: Some(now_ms.div_euclid(MINUTE_MS)), of });
        }
        let mut texts = Vec::new();
        for record in &self.0 {
            texts.push(stored::all_shown(snapshot, record)?);
        }
        // Without terms only care can make a difference, so the rest need not be read.
        let sets_terms = |shown: &stored::Shown| consent::sets_terms(&shown.resource);
        let is_plain = !texts.iter().flatten().any(sets_terms);
        let values: Option<Vec<Vec<(Value, bool)>>> =
            texts.iter().map(|shown| values(shown, is_plain)).collect();
        let values = values.ok_or_else(damaged)?;
        let shown: Vec<Vec<Shown<'_>>> = values.iter().map(|values| shown_of(values)).collect();
        let at = self.0.iter().position(|record| record == asked).ok_or_else(damaged)?;
        let of = rules.values().map(|rule| decide_for(rule, &shown, at, now_ms)).collect();
        let is_consent = |value: &Value| value.resource_type() == Some("Consent");
        let has_consent = values.iter().flatten().any(|(value, _)| is_consent(value));
        // What is in another record may change without a change of this one.
        let is_timed = has_consent || self.0.len() > 1;
        Ok(Decided { version, minute: is_timed.then_some(now_ms.div_euclid(MINUTE_MS)), of })
    }
}

/// Decides about the record at a place among those of a patient, for one peer. What is kept apart
/// goes only to those who may hold the patient's own record, which comes first.
fn decide_for(rule: &PeerRule, shown: &[Vec<Shown<'_>>], at: usize, now_ms: i64) -> Decision {
    let one = |at: usize| {
        let (mut record, mut beside) = (&[][..], Vec::new());
        for (place, shown) in shown.iter().enumerate() {
            if place == at {
                record = shown;
            } else {
                beside.extend_from_slice(shown);
            }
        }
        decide(record, &beside, rule, now_ms)
    };
    let own = one(0);
    if at == 0 || !own.is_given() { own } else { one(at) }
}

/// The resources that are looked at, with whether authors disagree about each.
fn values(shown: &[stored::Shown], is_plain: bool) -> Option<Vec<(Value, bool)>> {
    let is_read = |shown: &&stored::Shown| {
        let is = |ty: &str| shown.resource.contains(&format!(r#""resourceType":"{ty}""#));
        !is_plain || ["Patient", "Encounter", "EpisodeOfCare", "CareTeam"].into_iter().any(is)
    };
    let mut chosen: Vec<&stored::Shown> = shown.iter().filter(is_read).collect();
    chosen.extend(shown.first().filter(|_| chosen.is_empty()));
    let parse = |shown: &stored::Shown| {
        Some((json::parse(shown.resource.as_bytes()).ok()?, shown.conflicts != "[]"))
    };
    chosen.into_iter().map(parse).collect()
}

fn shown_of(values: &[(Value, bool)]) -> Vec<Shown<'_>> {
    values
        .iter()
        .map(|(resource, is_disputed)| Shown { resource, is_disputed: *is_disputed })
        .collect()
}

/// Adds to each rule the organisations here that bear one of its identifiers.
fn add_references(
    snapshot: &Snapshot,
    rules: &mut BTreeMap<Fingerprint, PeerRule>,
) -> Result<(), NodeError> {
    if rules.values().all(|rule| rule.identifiers.is_empty()) {
        return Ok(());
    }
    let prefix = stored::entry_key("Organization/");
    for row in snapshot.rows(Table::Index, &Span::prefix(&prefix))? {
        let row = row?;
        let entry = row.key.get(2..).and_then(|entry| str::from_utf8(entry).ok());
        let record = str::from_utf8(&row.value).ok();
        let Some((entry, record)) = entry.zip(record) else { continue };
        let shown = stored::shown(snapshot, record, entry)?;
        let value = shown.and_then(|shown| json::parse(shown.resource.as_bytes()).ok());
        let identifiers = value.as_ref().and_then(|value| value.get("identifier")?.as_array());
        let borne: BTreeSet<(String, String)> =
            identifiers.unwrap_or_default().iter().map(pair).collect();
        for rule in rules.values_mut() {
            if !rule.identifiers.is_disjoint(&borne) {
                rule.references.insert(entry.to_owned());
            }
        }
    }
    Ok(())
}

/// System and value of an identifier.
fn pair(identifier: &Value) -> (String, String) {
    let text = |name| identifier.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("system"), text("value"))
}

const PREFIX: &[u8] = b"h\0";

fn key(peer: Fingerprint) -> Vec<u8> {
    [PREFIX, &peer.to_bytes()].concat()
}

fn stored_rules(snapshot: &Snapshot) -> Result<BTreeMap<Fingerprint, PeerRule>, NodeError> {
    let mut rules = BTreeMap::new();
    for row in snapshot.rows(Table::Index, &Span::prefix(PREFIX))? {
        let row = row?;
        let peer = row.key.strip_prefix(PREFIX).and_then(|peer| peer.try_into().ok());
        let rule = json::parse(&row.value).ok().and_then(|value| read_rule(&value));
        let damaged = clisonix_store::ReadError::Damaged { table: Table::Index };
        let (peer, rule) = peer.zip(rule).ok_or(damaged)?;
        rules.insert(Fingerprint::from_bytes(peer), rule);
    }
    Ok(rules)
}

impl Basis {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::Consent, Self::Care, Self::All, Self::Own];

    /// Its word in rules.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Consent => "consent",
            Self::Care => "care",
            Self::All => "all",
            Self::Own => "own",
        }
    }

    /// The basis that a word names.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|basis| basis.word() == word)
    }
}

fn rule_value(rule: &PeerRule) -> Value {
    let texts = |texts: &BTreeSet<String>| -> Value {
        texts.iter().map(|text| Value::from(text.as_str())).collect()
    };
    let identifier = |(system, value): &(String, String)| -> Value {
        [system, value].into_iter().map(|text| Value::from(text.as_str())).collect()
    };
    let mut object: json::Object = [
        ("basis", Value::from(rule.basis.word())),
        ("shared", Value::from(rule.shared)),
        ("identifiers", rule.identifiers.iter().map(identifier).collect()),
        ("references", texts(&rule.references)),
        ("purposes", texts(&rule.purposes)),
        ("classes", texts(&rule.classes)),
    ]
    .into_iter()
    .collect();
    if rule.orders != Orders::CarryOut {
        object.insert("orders", rule.orders.word());
    }
    Value::Object(object)
}

impl Orders {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::CarryOut, Self::Ask, Self::Refuse];

    /// Its word in rules.
    pub const fn word(self) -> &'static str {
        match self {
            Self::CarryOut => "carry-out",
            Self::Ask => "ask",
            Self::Refuse => "refuse",
        }
    }

    /// What a word names.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|orders| orders.word() == word)
    }
}

fn read_rule(value: &Value) -> Option<PeerRule> {
    let texts = |name| -> Option<BTreeSet<String>> {
        let list = value.get(name)?.as_array()?;
        list.iter().map(|text| text.as_str().map(str::to_owned)).collect()
    };
    let identifier = |pair: &Value| {
        let text = |at| pair.at(at).and_then(Value::as_str).map(str::to_owned);
        Some((text(0)?, text(1)?))
    };
    let identifiers = value.get("identifiers")?.as_array()?.iter().map(identifier);
    Some(PeerRule {
        basis: Basis::of_word(value.get("basis")?.as_str()?)?,
        shared: value.get("shared")?.as_bool()?,
        identifiers: identifiers.collect::<Option<_>>()?,
        references: texts("references")?,
        purposes: texts("purposes")?,
        classes: texts("classes")?,
        orders: match value.get("orders") {
            Some(word) => Orders::of_word(word.as_str()?)?,
            None => Orders::default(),
        },
    })
}

#[cfg(test)]
mod tests;
