//! A replica in memory: a record is a set of numbered changes of several authors.

use std::collections::BTreeMap;

use super::chance::{digest, mix};
use crate::fault::fault;
use crate::replica::{
    NodeId, NoticeId, Outcome, Pushed, Reception, Refusal, Replica, Run, Signer, Version,
};

/// Author, number.
pub(crate) type Change = (u64, u32);

/// How far each author's changes are there; they have no gaps.
pub(crate) type Changes = BTreeMap<u64, u32>;

/// Bytes of a change: author, number, the record's mark, a signature.
const CHANGE_BYTES: usize = 28;

/// What a malicious node's replica does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// Its runs are not signed.
    Unsigned,
    /// It says that more is to come, and sends the same.
    Endless,
    /// It claims versions that it has not.
    Versions,
    /// It names changes and gives none.
    Nothing,
}

/// The records of a node, and the order in which their changes arrived.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) records: BTreeMap<Box<str>, Changes>,
    pub(crate) arrivals: Vec<(Box<str>, Change)>,
    pub(crate) notices: BTreeMap<NoticeId, Vec<u8>>,
    /// Arrivals up to this one are not known any more.
    pub(crate) pruned: u64,
    pub(crate) is_full: bool,
    pub(crate) lie: Lie,
    /// Bytes of a run at most, so that many are cut.
    pub(crate) run_bytes: usize,
}

/// Bytes that stand in every change of a record and nowhere else.
pub(crate) fn mark(record: &str) -> [u8; 8] {
    mix(digest(record.as_bytes())).to_be_bytes()
}

pub(crate) fn change_bytes(record: &str, (author, number): Change) -> Vec<u8> {
    let mut bytes = [&author.to_be_bytes()[..], &number.to_be_bytes(), &mark(record)].concat();
    bytes.extend_from_slice(&digest(&bytes).to_be_bytes());
    bytes
}

pub(crate) fn notice_id(bytes: &[u8]) -> NoticeId {
    NoticeId([digest(bytes).to_be_bytes(); 4].concat().try_into().unwrap())
}

fn read_change(record: &str, bytes: &[u8]) -> Option<Change> {
    let author = u64::from_be_bytes(bytes.get(..8)?.try_into().ok()?);
    let number = u32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?);
    let is_signed = bytes == change_bytes(record, (author, number));
    (is_signed || fault!(SignatureUnchecked)).then_some((author, number))
}

impl Model {
    pub(crate) fn new(run_bytes: usize) -> Self {
        Self {
            records: BTreeMap::new(),
            arrivals: Vec::new(),
            notices: BTreeMap::new(),
            pruned: 0,
            is_full: false,
            lie: Lie::None,
            run_bytes,
        }
    }

    pub(crate) fn edit(&mut self, record: &str, author: u64) -> Change {
        let number = self.records.entry(record.into()).or_default().entry(author).or_default();
        *number += 1;
        let change = (author, *number);
        self.arrivals.push((record.into(), change));
        change
    }

    fn apply(&mut self, record: &str, run: &[u8]) -> Outcome {
        let mut changes = self.records.get(record).cloned().unwrap_or_default();
        let mut new = Vec::new();
        for bytes in run.chunks(CHANGE_BYTES) {
            let Some((author, number)) = read_change(record, bytes) else {
                return Outcome::Refused(Refusal::Signature);
            };
            let last = changes.get(&author).copied().unwrap_or_default();
            if number > last + 1 {
                return Outcome::Lacks;
            }
            if number == last + 1 {
                changes.insert(author, number);
                new.push((record.into(), (author, number)));
            }
        }
        if !new.is_empty() {
            self.records.insert(record.into(), changes);
        }
        self.arrivals.extend(new);
        Outcome::Taken
    }
}

impl Replica for Model {
    fn arrival(&self) -> u64 {
        self.arrivals.len() as u64
    }

    fn versions(&self, each: &mut dyn FnMut(&str, Version)) {
        for record in self.records.keys() {
            each(record, self.version(record).unwrap());
        }
    }

    fn version(&self, record: &str) -> Option<Version> {
        let changes = self.records.get(record)?;
        let mut hash = [0; 32];
        let mut state = u64::from(self.lie == Lie::Versions);
        for (author, number) in changes {
            let number = if fault!(VersionTooShort) { 1 } else { *number };
            state = mix(mix(state ^ author) ^ u64::from(number));
        }
        hash[..8].copy_from_slice(&state.to_be_bytes());
        Some(Version(hash))
    }

    fn have(&self, record: &str) -> Vec<u8> {
        let mut have = Vec::new();
        for (author, number) in self.records.get(record).into_iter().flatten() {
            have.extend_from_slice(&author.to_be_bytes());
            have.extend_from_slice(&number.to_be_bytes());
        }
        have
    }

    fn beyond(&self, record: &str, have: &[u8], most: usize) -> Option<Run> {
        let mut there = Changes::new();
        for entry in have.chunks_exact(12) {
            let author = u64::from_be_bytes(entry[..8].try_into().unwrap());
            there.insert(author, u32::from_be_bytes(entry[8..].try_into().unwrap()));
        }
        let changes = self.records.get(record)?;
        let lacking = changes.iter().flat_map(|(author, last)| {
            let first = there.get(author).copied().unwrap_or_default();
            (first.saturating_add(1)..=*last).map(|number| (*author, number))
        });
        let lacking: Vec<Change> = lacking.collect();
        let fit = (most.min(self.run_bytes) / CHANGE_BYTES).max(1);
        let mut run: Vec<u8> =
            lacking.iter().take(fit).flat_map(|change| change_bytes(record, *change)).collect();
        let mut is_all = lacking.len() <= fit;
        if fault!(RunTooShort) && is_all {
            run.truncate(run.len().saturating_sub(CHANGE_BYTES));
        }
        match self.lie {
            Lie::Unsigned => run.iter_mut().skip(20).for_each(|byte| *byte ^= 1),
            Lie::Endless => {
                let first = changes.first_key_value().map(|(author, _)| (*author, 1));
                run = first.map(|first| change_bytes(record, first)).unwrap_or_default();
                is_all = false;
            }
            Lie::Nothing => return None,
            Lie::None | Lie::Versions => {}
        }
        let knows_all = there
            .iter()
            .all(|(author, number)| changes.get(author).is_some_and(|last| last >= number));
        Some(Run { bytes: run, is_all, knows_all })
    }

    fn arrived(
        &self,
        after: u64,
        most: usize,
        wanted: &mut dyn FnMut(&str) -> bool,
    ) -> Option<Pushed> {
        if after < self.pruned || self.lie != Lie::None {
            return None;
        }
        let skipped = usize::from(fault!(ArrivalSkipped));
        let start = usize::try_from(after).ok()? + skipped;
        let mut pushed = Pushed { upto: after + skipped as u64, runs: Vec::new() };
        let mut bytes = 0;
        for (record, change) in self.arrivals.iter().skip(start) {
            let run = change_bytes(record, *change);
            if bytes > 0 && bytes + run.len() > most.min(self.run_bytes) {
                break;
            }
            pushed.upto += 1;
            if wanted(record) || fault!(PushWithoutScope) {
                bytes += run.len();
                match pushed.runs.iter_mut().find(|(other, _)| other == record) {
                    Some((_, all)) => all.extend(run),
                    None => pushed.runs.push((record.clone(), run)),
                }
            }
        }
        Some(pushed)
    }

    fn receive(&mut self, runs: &[(&str, &[u8])], _: &NodeId) -> Vec<Reception> {
        let mut receptions = Vec::new();
        for (record, run) in runs {
            let first = self.arrival();
            let outcome = if self.is_full { Outcome::Later } else { self.apply(record, run) };
            let version = self.version(record);
            receptions.push(Reception { outcome, version, arrivals: (first, self.arrival()) });
        }
        receptions
    }

    fn notices(&self, each: &mut dyn FnMut(NoticeId)) {
        if !fault!(NoticesForgotten) {
            self.notices.keys().for_each(|id| each(*id));
        }
    }

    fn notice(&self, id: &NoticeId) -> Option<Vec<u8>> {
        self.notices.get(id).cloned()
    }

    fn receive_notice(&mut self, id: &NoticeId, bytes: &[u8], _: &NodeId) -> Outcome {
        if self.is_full {
            return Outcome::Later;
        }
        if notice_id(bytes) != *id && !fault!(SignatureUnchecked) {
            return Outcome::Refused(Refusal::Signature);
        }
        self.notices.insert(*id, bytes.to_vec());
        Outcome::Taken
    }
}

/// Signatures that tell nodes apart; no more is needed here.
pub(crate) struct Seal(pub(crate) NodeId);

impl Signer for Seal {
    fn sign(&self, text: &[u8]) -> Vec<u8> {
        digest(&[&self.0.0[..], text].concat()).to_be_bytes().to_vec()
    }

    fn verify(&self, node: &NodeId, text: &[u8], signature: &[u8]) -> bool {
        Self(*node).sign(text) == signature || fault!(ReceiptUnverified)
    }
}
