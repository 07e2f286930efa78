//! Crash points: a fixed work of one node is done once and what it does to its disk written down.
//! Then the power goes at every write of that trace, with each kind of tear, and what is left is
//! opened: it must hold exactly what it held after some commit, none before the last acknowledged.

use std::sync::{Arc, Mutex};

use clisonix_fhir::json::{self, Value};
use clisonix_node::{Node, ReadVersion};
use clisonix_pq::Secret;
use clisonix_pq::at_rest::StoreKey;
use clisonix_pq::checkpoint::Authors;
use clisonix_store::{Commits, Protection, Span, Store, StoreOptions, Table};
use clisonix_tide::{Cursor, NodeId, Receipt, SetHash, Signer as _};

use crate::chance::{Chance, digest, mix};
use crate::disk::{Disk, SECTOR_BYTES, Step};
use crate::machine::BY;
use crate::record::{Plan, entry};
use crate::site::{Seal, Wall, author, name, node_id};

/// How many things the work does; each is at least one commit.
pub const WORK: usize = 1_000;
/// How many records are worked on.
const RECORDS: usize = 12;
const OPENED_MS: u64 = 1_700_000_000_000;

/// What was written down.
pub struct Trace {
    is_encrypted: bool,
    /// The disk before the work.
    before: Vec<u8>,
    steps: Vec<Step>,
    /// After how many steps each thing was acknowledged.
    acknowledged: Vec<usize>,
    /// What a disk holds after each sync, by how many steps there were; at first, before any.
    contents: Vec<(usize, u64)>,
}

/// What was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Cuts.
    pub cuts: u64,
    /// Cuts after which a whole node was opened and verified.
    pub verified: u64,
    /// Cuts after which something was there that had not been acknowledged.
    pub ahead: u64,
}

/// What survives of the bytes since the last sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tear {
    /// Nothing.
    Nothing,
    /// All.
    All,
    /// All but one write.
    Without(usize),
    /// Of the last write the first half of its sectors.
    FirstHalf,
    /// Of the last write the second half of its sectors.
    SecondHalf,
    /// Of the last write every other sector.
    EverySecond,
    /// Of the last write a piece that ends within a sector.
    MidSector,
    /// Of every write some sectors.
    Some,
}

fn options(is_encrypted: bool) -> StoreOptions {
    let protection = is_encrypted.then(|| {
        // Nonces must not come again over one file.
        static SESSIONS: Mutex<u64> = Mutex::new(0);
        let mut sessions = SESSIONS.lock().expect("whole");
        *sessions += 1;
        let mut chance = Chance(mix(*sessions));
        let key = StoreKey::from_secret(Secret::filled(|key| key.fill(7)));
        let random = move |bytes: &mut [u8]| chance.fill(bytes);
        Arc::new(Protection::new([9; 16], key, Box::new(random), None))
    });
    let commits = Commits::OnWait;
    StoreOptions { cache_bytes: 4 << 20, protection, commits, ..StoreOptions::default() }
}

fn open(disk: &Disk, is_encrypted: bool) -> Store {
    Store::on_medium(Box::new(disk.clone()), [1; 16], &options(is_encrypted)).expect("opens")
}

fn node(store: Store, chance: u64) -> Node {
    let wall = Wall::new(Arc::new(Mutex::new(OPENED_MS)), Chance(chance));
    let node = Node::over(store, Box::new(wall)).expect("opens");
    node.sign_as(author(0)).expect("signs");
    let mut authors = Authors::new();
    authors.add(author(0).known().clone()).expect("room");
    node.set_authors(authors);
    node
}

/// All rows of a store.
fn content(store: &Store) -> u64 {
    let snapshot = store.snapshot().expect("reads");
    let mut hash = 0;
    for table in Table::ALL {
        for row in snapshot.rows(table, &Span::all()).expect("reads") {
            let row = row.expect("reads");
            hash = mix(hash ^ digest(&row.key)).rotate_left(1) ^ digest(&row.value);
        }
        hash = mix(hash);
    }
    hash
}

impl Trace {
    /// Does the work and writes it down.
    pub fn record(is_encrypted: bool) -> Self {
        let disk = Disk::new(Chance(1));
        let node = node(open(&disk, is_encrypted), 2);
        let work = Work::begin(&node);
        let before = disk.image();
        disk.record();
        let acknowledged = (0..WORK)
            .map(|number| {
                work.step(&node, number);
                disk.recorded()
            })
            .collect();
        let steps = disk.take_trace();
        let contents = Vec::new();
        let mut trace = Self { is_encrypted, before, steps, acknowledged, contents };
        trace.contents = trace.contents();
        trace
    }

    /// What is there after each sync, where it is not what was there before it.
    fn contents(&self) -> Vec<(usize, u64)> {
        let mut image = self.before.clone();
        let held =
            |image: &[u8]| content(&open(&Disk::of(image.to_vec(), Chance(1)), self.is_encrypted));
        let mut contents = vec![(0, held(&image))];
        for (at, step) in self.steps.iter().enumerate() {
            step.apply(&mut image);
            if *step == Step::Sync {
                let now = held(&image);
                if contents.last().is_none_or(|(_, last)| *last != now) {
                    contents.push((at + 1, now));
                }
            }
        }
        contents
    }

    /// How many commits there were.
    pub fn commits(&self) -> usize {
        self.contents.len() - 1
    }

    /// How many steps there were.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// Cuts where `chosen` says so, by the cut's number; each `verified`-th is opened as a whole node.
    ///
    /// # Panics
    /// With the number of the cut, if something that was acknowledged is not there, or what is there
    /// never was.
    pub fn play(&self, chosen: &mut dyn FnMut(u64) -> bool, verified: u64) -> Played {
        let mut played = Played::default();
        let mut number = 0;
        let mut durable = self.before.clone();
        let mut pending: Vec<&Step> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            if *step == Step::Sync {
                let last = (0..pending.len()).map(Tear::Without).chain([Tear::Nothing]);
                for tear in last {
                    if chosen(number) {
                        self.cut(number, at, (&durable, &pending), tear, verified, &mut played);
                    }
                    number += 1;
                }
                pending.drain(..).for_each(|step| step.apply(&mut durable));
                continue;
            }
            pending.push(step);
            let tears = [
                Tear::All,
                Tear::FirstHalf,
                Tear::SecondHalf,
                Tear::EverySecond,
                Tear::MidSector,
                Tear::Some,
            ];
            for tear in tears {
                if chosen(number) {
                    self.cut(number, at + 1, (&durable, &pending), tear, verified, &mut played);
                }
                number += 1;
            }
        }
        played
    }

    fn cut(
        &self,
        number: u64,
        at: usize,
        (durable, pending): (&[u8], &[&Step]),
        tear: Tear,
        verified: u64,
        played: &mut Played,
    ) {
        let image = torn(durable, pending, tear, number);
        let disk = Disk::of(image, Chance(1));
        let store = open(&disk, self.is_encrypted);
        let held = content(&store);
        // The last thing that was acknowledged is there, and nothing that never was.
        let done = self.acknowledged.iter().rfind(|end| **end <= at).copied().unwrap_or_default();
        let next = self.acknowledged.iter().find(|end| **end > at).copied().unwrap_or(usize::MAX);
        let first = self.contents.iter().rposition(|(end, _)| *end <= done).unwrap_or_default();
        let found = self.contents[first..]
            .iter()
            .take_while(|(end, _)| *end <= next)
            .position(|(_, content)| *content == held);
        let Some(ahead) = found else {
            panic!(
                "cut {number}, after step {at}, {tear:?}: what is there never was, or is too old"
            )
        };
        played.cuts += 1;
        played.ahead += u64::from(ahead > 0);
        if played.cuts.is_multiple_of(verified) {
            played.verified += 1;
            let node = node(store, number + 3);
            node.verify().unwrap_or_else(|error| panic!("cut {number}: {error}"));
            let (_, fault) = node.verify_receipts(Seal::is_signed).expect("reads");
            assert!(fault.is_none(), "cut {number}: {fault:?}");
            // It goes on.
            Work::begin_again(&node).step(&node, 0);
        }
    }
}

/// The disk after the power went.
fn torn(durable: &[u8], pending: &[&Step], tear: Tear, number: u64) -> Vec<u8> {
    let mut image = durable.to_vec();
    let mut chance = Chance(number);
    let last = pending.len().saturating_sub(1);
    for (at, step) in pending.iter().enumerate() {
        let sectors = match step {
            Step::Write(_, bytes) => bytes.len().div_ceil(SECTOR_BYTES),
            _ => 0,
        };
        let is_last = at == last;
        match tear {
            Tear::Nothing => {}
            Tear::Without(missing) if missing == at => {}
            Tear::FirstHalf if is_last => {
                step.apply_torn(&mut image, SECTOR_BYTES, &mut |sector| sector < sectors / 2);
            }
            Tear::SecondHalf if is_last => {
                step.apply_torn(&mut image, SECTOR_BYTES, &mut |sector| sector >= sectors / 2);
            }
            Tear::EverySecond if is_last => {
                step.apply_torn(&mut image, SECTOR_BYTES, &mut |sector| sector % 2 == 1);
            }
            Tear::MidSector if is_last => {
                let end = chance.below(sectors.max(1) * SECTOR_BYTES);
                step.apply_torn(&mut image, 1, &mut |byte| byte < end);
            }
            Tear::Some => {
                step.apply_torn(&mut image, SECTOR_BYTES, &mut |_| chance.percent(50));
            }
            _ => step.apply(&mut image),
        }
    }
    image
}

/// What is done.
struct Work {
    records: Vec<(String, Value)>,
}

impl Work {
    fn begin(node: &Node) -> Self {
        for number in 0..RECORDS {
            let plan = Plan::new(number, 0, number % 3 == 0);
            crate::world::take(node, &plan.bundle(&format!("Zqj{number:02}v0")));
        }
        Self::begin_again(node)
    }

    fn begin_again(node: &Node) -> Self {
        let records = node.record_ids().expect("reads").into_iter().map(|id| {
            let shown = node.record_text(&id, BY).expect("reads").bundle;
            let shown = json::parse(shown.as_bytes()).expect("JSON");
            let patient = entry(&shown, "Patient").expect("a patient");
            (id, patient)
        });
        Self { records: records.collect() }
    }

    /// Edits most of all; and what goes with them.
    fn step(&self, node: &Node, number: usize) {
        match number % 20 {
            19 => drop(node.checkpoint().expect("signs")),
            9 => drop(node.keep_receipt(&receipt(number), &signature(number)).expect("keeps")),
            13 => {
                let (id, _) = &self.records[number / 20 % self.records.len()];
                node.record_text(id, BY).expect("reads");
            }
            16 => {
                let arrival = number as u64;
                let seen = Cursor { incarnation: number as u64 + 1, arrival };
                node.keep_seen(name(1), seen).expect("keeps");
            }
            _ => {
                // Some records are written more often than others, so that logs are joined.
                let at = Chance(number as u64).below(RECORDS) * number % 7 % RECORDS;
                let (id, patient) = &self.records[at];
                let mut patient = patient.clone();
                let value = format!(r#"[{{"family":"Zqj{at:02}v{number}"}}]"#);
                let value = json::parse(value.as_bytes()).expect("JSON");
                patient.as_object_mut().expect("an object").insert("name", value);
                node.edit(id, &patient, ReadVersion::Current, BY).expect("edits");
            }
        }
    }
}

fn receipt(number: usize) -> Receipt {
    let [from, to]: [NodeId; 2] = [node_id(0), node_id(1)];
    Receipt {
        from,
        to,
        time: clisonix_node::HybridTime::from_millis(OPENED_MS + number as u64),
        at: Cursor { incarnation: 1, arrival: number as u64 },
        epoch: 1,
        count: RECORDS as u64,
        hash: SetHash(number as u128),
        scope: [0; 32],
    }
}

fn signature(number: usize) -> Vec<u8> {
    Seal::new(0, None).sign(&receipt(number).signed_bytes())
}
