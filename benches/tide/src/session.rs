//! Whole sessions of this engine between two sites: messages and bytes until both hold the same and
//! know it. The changes are bytes of a fixed length, so that what comes beside them shows.

use std::cell::Cell;

use anyhow::{Result, ensure};
use clisonix_tide::{
    Catalogue, Clock, Cursor, Input, NodeId, Outcome, Output, Pushed, Reception, Replica, Run,
    Session, Settings, Signer, Site, Version,
};

use crate::sites::{head, name};
use crate::timed;

/// Bytes of one change.
const CHANGE_BYTES: usize = 300;
/// Kinds of the messages that carry receipts.
const RECEIPTS: [u8; 2] = [12, 13];
/// Up to this kind, messages serve to find the difference.
const LAST_FINDING: u8 = 5;
/// Bytes that tell what a site has of a record: as many as a head.
const HEAD_BYTES: usize = 32;

/// What a session cost.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// Bytes of all messages of both sides, but receipts.
    pub bytes: usize,
    /// Of them, what is no change.
    pub beside: usize,
    /// Of that, what finds the difference.
    pub finding: usize,
    /// Of that, what tells what the sites have of records.
    pub heads: usize,
    pub messages: usize,
    /// Round trips until both hold the same.
    pub round_trips: f64,
    /// Round trips until both know it: the last words are about what happened, and move nothing.
    pub known_round_trips: f64,
    pub ms: f64,
}

/// Records by number, each a count of edits.
struct Counts {
    edits: Vec<u32>,
    names: Vec<String>,
    arrivals: Vec<usize>,
    knows_arrivals: bool,
    /// Bytes that told what is here.
    heads: Cell<usize>,
}

/// A change, told from others by its number.
fn change(number: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &[7; CHANGE_BYTES - 4]].concat()
}

impl Counts {
    fn number(&self, record: &str) -> Option<usize> {
        self.names.binary_search_by(|name| name.as_str().cmp(record)).ok()
    }

    fn edit(&mut self, number: usize) {
        self.edits[number] += 1;
        self.arrivals.push(number);
    }
}

impl Replica for Counts {
    fn arrival(&self) -> u64 {
        self.arrivals.len() as u64
    }

    fn versions(&self, each: &mut dyn FnMut(&str, Version)) {
        for (number, record) in self.names.iter().enumerate() {
            each(record, head(number, u64::from(self.edits[number])));
        }
    }

    fn version(&self, record: &str) -> Option<Version> {
        let number = self.number(record)?;
        Some(head(number, u64::from(self.edits[number])))
    }

    fn have(&self, record: &str) -> Vec<u8> {
        self.heads.set(self.heads.get() + HEAD_BYTES);
        let edits = self.number(record).map_or(0, |number| self.edits[number]);
        [&edits.to_be_bytes()[..], &[0; HEAD_BYTES - 4]].concat()
    }

    fn beyond(&self, record: &str, have: &[u8], _: usize) -> Option<Run> {
        let had = have.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
        let here = self.edits[self.number(record)?];
        let bytes = (had + 1..=here).flat_map(change).collect();
        Some(Run { bytes, is_all: true, knows_all: had <= here })
    }

    fn arrived(&self, after: u64, most: usize, _: &mut dyn FnMut(&str) -> bool) -> Option<Pushed> {
        let arrivals = self.arrivals.get(after as usize..).filter(|_| self.knows_arrivals)?;
        let fit = arrivals.iter().take((most / CHANGE_BYTES).max(1));
        let runs: Vec<(Box<str>, Vec<u8>)> = fit
            .map(|&number| (self.names[number].as_str().into(), change(self.edits[number])))
            .collect();
        Some(Pushed { upto: after + runs.len() as u64, runs })
    }

    fn receive(&mut self, runs: &[(&str, &[u8])], _: &NodeId) -> Vec<Reception> {
        let mut receptions = Vec::with_capacity(runs.len());
        for (record, run) in runs {
            let first = self.arrival();
            if let Some(number) = self.number(record) {
                for bytes in run.chunks(CHANGE_BYTES) {
                    let change = bytes.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
                    if change == self.edits[number] + 1 {
                        self.edit(number);
                    }
                }
            }
            receptions.push(Reception {
                outcome: Outcome::Taken,
                version: self.version(record),
                arrivals: (first, self.arrival()),
            });
        }
        receptions
    }
}

/// As long as a composite signature of Ed25519 and ML-DSA-65.
struct Long;

impl Signer for Long {
    fn sign(&self, _: &[u8]) -> Vec<u8> {
        vec![1; 3373]
    }

    fn verify(&self, _: &NodeId, _: &[u8], _: &[u8]) -> bool {
        true
    }
}

/// Two sites that agreed once; then some records change at one of them while the way is shut.
pub struct Pair {
    sites: [Counts; 2],
    catalogues: [Catalogue; 2],
    sessions: [Session; 2],
    clocks: [Clock; 2],
    now_ms: u64,
}

fn all(_: &str) -> bool {
    true
}

impl Pair {
    /// Sites with so many equal records; `knows_arrivals` says whether they push by cursors or find
    /// everything by sketches.
    pub fn new(records: usize, knows_arrivals: bool) -> Self {
        let site = || {
            let mut names: Vec<String> = (0..records).map(name).collect();
            names.sort_unstable();
            let (edits, arrivals) = (vec![1; records], vec![0; 9]);
            Counts { edits, names, arrivals, knows_arrivals, heads: Cell::default() }
        };
        let sites = [site(), site()];
        let catalogues = [Catalogue::of(&sites[0]), Catalogue::of(&sites[1])];
        let session = |node: u8| {
            let settings = Settings {
                node: NodeId([node + 1; 32]),
                peer: NodeId([2 - node; 32]),
                secret: [7; 16],
                epoch: 1,
                incarnation: u64::from(node) + 1,
                seen: Cursor::default(),
                first_question: 1 << 40,
            };
            let catalogue = &catalogues[usize::from(node)];
            let mut session = Session::new(settings, catalogue);
            session.look(usize::MAX, catalogue, &all);
            session
        };
        let sessions = [session(0), session(1)];
        Self {
            sites,
            catalogues,
            sessions,
            clocks: [Clock::default(); 2],
            now_ms: 1_700_000_000_000,
        }
    }

    /// Changes so many records at one side, spread evenly: 0 greets, 1 is greeted.
    pub fn change(&mut self, at: usize, changed: usize) {
        let edited = self.edit(at, changed);
        self.tell(at, &edited);
    }

    /// Edits so many records; gives their names and versions now.
    fn edit(&mut self, at: usize, changed: usize) -> Vec<(String, Version)> {
        let site = &mut self.sites[at];
        let step = site.names.len() / changed.max(1);
        let numbers = (0..changed).map(|n| n * step);
        let edited = numbers.map(|number| {
            site.edit(number);
            (site.names[number].clone(), head(number, u64::from(site.edits[number])))
        });
        edited.collect()
    }

    fn tell(&mut self, at: usize, edited: &[(String, Version)]) {
        for (record, version) in edited {
            self.catalogues[at].set(record, Some(*version));
            self.sessions[at].record_changed(record, &self.catalogues[at], &all);
        }
    }

    /// Nanoseconds for one change of one record in one peer's session, catalogue included.
    pub fn upkeep_ns(&mut self, changes: usize) -> f64 {
        let edited = self.edit(0, changes);
        let ((), ms) = timed(|| self.tell(0, &edited));
        ms * 1e6 / changes as f64
    }

    fn give(&mut self, node: usize, input: Input<'_>) -> Vec<Vec<u8>> {
        let mut site = Site {
            replica: &mut self.sites[node],
            catalogue: &mut self.catalogues[node],
            scope: &all,
            signer: &Long,
            clock: &mut self.clocks[node],
        };
        let outputs = self.sessions[node].handle(input, self.now_ms, &mut site);
        let messages = outputs.into_iter().filter_map(|output| match output {
            Output::Send(bytes) => Some(bytes),
            _ => None,
        });
        messages.collect()
    }

    /// Opens the way and carries messages until both hold the same and know it.
    pub fn meet(&mut self) -> Result<Cost> {
        let (cost, ms) = timed(|| self.carry());
        Ok(Cost { ms, ..cost? })
    }

    fn carry(&mut self) -> Result<Cost> {
        let before: u32 = self.sites.iter().flat_map(|site| &site.edits).sum();
        self.sites.iter().for_each(|site| site.heads.set(0));
        self.now_ms += 60_000;
        let greeted = self.give(1, Input::Open { is_first: false });
        let mut waiting = [greeted, self.give(0, Input::Open { is_first: true })];
        let (mut cost, mut crossings, mut equal_after) = (Cost::default(), 0, None);
        let mut known_after = None;
        for _ in 0..20 {
            while waiting.iter().any(|messages| !messages.is_empty()) {
                crossings += 1;
                let [to_first, to_second] = std::mem::take(&mut waiting);
                for (node, messages) in [(0, to_first), (1, to_second)] {
                    for message in messages {
                        if !RECEIPTS.contains(&message[1]) {
                            cost.messages += 1;
                            cost.bytes += message.len();
                        }
                        if message[1] <= LAST_FINDING {
                            cost.finding += message.len();
                        }
                        waiting[1 - node].extend(self.give(node, Input::Message(&message)));
                    }
                }
                if self.sites[0].edits == self.sites[1].edits {
                    equal_after.get_or_insert(crossings);
                }
                if self.is_in_sync() {
                    known_after.get_or_insert(crossings);
                }
            }
            self.now_ms += 1000;
            waiting = [self.give(1, Input::Tick), self.give(0, Input::Tick)];
            if self.is_in_sync() {
                break;
            }
        }
        ensure!(self.sites[0].edits == self.sites[1].edits, "the sites differ");
        let after: u32 = self.sites.iter().flat_map(|site| &site.edits).sum();
        cost.beside = cost.bytes.saturating_sub((after - before) as usize * CHANGE_BYTES);
        cost.heads = self.sites.iter().map(|site| site.heads.get()).sum();
        cost.round_trips = f64::from(equal_after.unwrap_or_default()) / 2.0;
        cost.known_round_trips = f64::from(known_after.unwrap_or_default()) / 2.0;
        Ok(cost)
    }

    fn is_in_sync(&self) -> bool {
        let of = |node: usize| self.sessions[node].status(&self.sites[node]).is_in_sync;
        of(0) && of(1)
    }
}
