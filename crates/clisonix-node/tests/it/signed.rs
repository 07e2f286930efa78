//! Signed changes between nodes: provisional, final, and everything that is refused whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clisonix_crdt::{ActorId, ActorSecret, Base, Origin, Record};
use clisonix_node::{
    By, Node, NodeError, NodeReplica, OVERDUE_MS, Outside, ReadVersion, SignedChanges, SignedError,
};
use clisonix_pq::checkpoint::{
    Author, Authors, ChainError, Equivocation, KnownAuthor, Running, Span, StatementError, chain_id,
};
use clisonix_pq::{Identity, Profile, Reason, Revocation};
use clisonix_tide::{NodeId, NoticeId, Outcome, Refusal, Replica as _};
use sha2::{Digest, Sha256};

use crate::{BUNDLE, BY, Counting, take};

/// Random bytes that are the same in every run.
fn seeded(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut outside = Counting { now: 0, seed };
    move |bytes| outside.random(bytes)
}

fn identity(profile: Profile, seed: u64) -> Identity {
    Identity::generate(profile, &mut seeded(seed)).expect("an identity")
}

fn author(seed: u64) -> Author {
    Author::new(identity(Profile::Hybrid, seed), 0, &mut seeded(seed)).expect("an author")
}

fn known(authors: &[&KnownAuthor]) -> Authors {
    let mut known = Authors::new();
    for author in authors {
        known.add((*author).clone()).expect("room");
    }
    known
}

/// A node with a clock that stands until it is told.
struct Site {
    node: Node,
    now: Arc<AtomicU64>,
    _directory: tempfile::TempDir,
}

struct Still {
    now: Arc<AtomicU64>,
    random: Counting,
}

impl Outside for Still {
    fn now_ms(&mut self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.random.random(bytes);
    }
}

const START: u64 = 1_700_000_000_000;

fn open(directory: &Path, seed: u64) -> (Node, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(START));
    let outside = Still { now: now.clone(), random: Counting { now: 0, seed } };
    (Node::open(directory, Box::new(outside)).expect("opens"), now)
}

impl Site {
    fn new(seed: u64) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (node, now) = open(directory.path(), seed);
        Self { node, now, _directory: directory }
    }

    fn signing(seed: u64) -> Self {
        let site = Self::new(seed);
        site.node.sign_as(author(seed)).expect("signs");
        site
    }

    fn wait(&self, ms: u64) {
        self.now.fetch_add(ms, Ordering::Relaxed);
    }

    /// The only record.
    fn record(&self) -> String {
        self.node.record_ids().expect("reads").pop().expect("a record")
    }

    fn write(&self, gender: &str) {
        let record = self.record();
        let text = self.node.record_text(&record, BY).expect("reads").bundle;
        let bundle = clisonix_fhir::json::parse(text.as_bytes()).expect("a bundle");
        let mut patient = crate::entry(&bundle, "Patient").clone();
        let object = patient.as_object_mut().expect("an object");
        object.insert("gender", clisonix_fhir::json::Value::from(gender));
        self.node.edit(&record, &patient, ReadVersion::Current, BY).expect("edits");
    }

    /// What `to` lacks of the record.
    fn send(&self, record: &str, to: &Site) -> SignedChanges {
        let heads = to.node.heads(record).expect("reads");
        let standings = to.node.standings(record).expect("reads");
        let confirmed: BTreeMap<_, _> =
            standings.iter().map(|actor| (actor.actor, actor.confirmed)).collect();
        self.node.signed_changes_since(record, &heads, &confirmed, BY).expect("exports")
    }

    /// Sums over the actors: changes, at least provisional, final.
    fn sums(&self, record: &str) -> (u64, u64, u64) {
        let standings = self.node.standings(record).expect("reads");
        standings.iter().fold((0, 0, 0), |sums, actor| {
            (sums.0 + actor.changes, sums.1 + actor.signed, sums.2 + actor.confirmed)
        })
    }
}

/// Two nodes, the first of which has a signed record.
fn pair() -> (Site, Site, Authors, String) {
    let (one, two) = (Site::signing(1), Site::signing(2));
    take(&one.node, "a.json", BUNDLE);
    let record = one.record();
    let (first, second) = (author(1), author(2));
    (one, two, known(&[first.known(), second.known()]), record)
}

fn signed_error(result: Result<impl std::fmt::Debug, NodeError>) -> SignedError {
    match result.expect_err("refused") {
        NodeError::Signed(error) => error,
        other => panic!("{other}"),
    }
}

#[test]
fn changes_are_provisional_at_once_and_final_after_two_seconds() {
    let (one, two, authors, record) = pair();
    assert!(!one.node.is_checkpoint_due());
    let sent = one.send(&record, &two);
    assert_eq!(sent.statements.len(), 1);
    let received = two.node.receive_signed(&record, &sent, &authors, BY).expect("taken");
    assert_eq!(received.applied, 1);
    assert_eq!(two.sums(&record), (1, 1, 0));
    assert!(!two.node.is_final(&record).expect("reads"));
    one.write("female");
    one.wait(1_999);
    assert!(!one.node.is_checkpoint_due());
    one.wait(1);
    assert!(one.node.is_checkpoint_due());
    let done = one.node.checkpoint().expect("signs").expect("something to sign");
    assert_eq!((done.changes, done.records), (2, 1));
    assert_eq!(done.bytes, 3_472);
    assert!(!one.node.is_checkpoint_due());
    assert_eq!(one.node.checkpoint().expect("signs"), None);
    let sent = one.send(&record, &two);
    two.node.receive_signed(&record, &sent, &authors, BY).expect("taken");
    assert_eq!((one.sums(&record), two.sums(&record)), ((2, 2, 2), (2, 2, 2)));
    assert!(two.node.is_final(&record).expect("reads"));
    assert_eq!(one.node.digest().expect("reads"), two.node.digest().expect("reads"));
    // Nothing is left to be said.
    assert!(one.send(&record, &two).statements.is_empty());
}

#[test]
fn after_64_changes_a_checkpoint_is_due_and_costs_at_most_60_bytes_a_change() {
    let (one, two, authors, record) = pair();
    for turn in 0..63 {
        assert!(!one.node.is_checkpoint_due(), "{turn}");
        one.write(if turn % 2 == 0 { "female" } else { "male" });
    }
    assert!(one.node.is_checkpoint_due());
    let done = one.node.checkpoint().expect("signs").expect("something to sign");
    assert_eq!(done.changes, 64);
    assert!(done.bytes as u64 <= 60 * done.changes, "{} bytes", done.bytes);
    let sent = one.send(&record, &two);
    assert_eq!(sent.statements.len(), 1);
    two.node.receive_signed(&record, &sent, &authors, BY).expect("taken");
    assert_eq!(two.sums(&record), (64, 64, 64));
}

#[test]
fn others_pass_on_what_an_author_has_signed() {
    let (one, two, authors, record) = pair();
    two.node.receive_signed(&record, &one.send(&record, &two), &authors, BY).expect("taken");
    two.write("other");
    let three = Site::new(3);
    let sent = two.send(&record, &three);
    assert_eq!(sent.statements.len(), 2);
    three.node.receive_signed(&record, &sent, &authors, BY).expect("taken");
    one.node.receive_signed(&record, &two.send(&record, &one), &authors, BY).expect("taken");
    // Each signs its own only.
    let done = [&one, &two].map(|site| site.node.checkpoint().expect("signs").expect("work"));
    assert_eq!(done.map(|done| done.changes), [1, 1]);
    for (from, to) in [(&one, &two), (&two, &one), (&two, &three)] {
        let sent = from.send(&record, to);
        to.node.receive_signed(&record, &sent, &authors, BY).expect("taken");
    }
    for site in [&one, &two, &three] {
        assert_eq!(site.sums(&record), (2, 2, 2));
    }
    let authors_told = three.node.standings(&record).expect("reads");
    let mut told: Vec<_> = authors_told.iter().filter_map(|actor| actor.author).collect();
    let mut expected = [author(1).fingerprint(), author(2).fingerprint()];
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}

#[test]
fn what_is_not_signed_as_it_must_be_is_refused_whole() {
    let (one, two, authors, record) = pair();
    one.write("female");
    let sent = one.send(&record, &two);
    let refuse = |sent: &SignedChanges, authors: &Authors| {
        let before = two.node.digest().expect("reads");
        let error = signed_error(two.node.receive_signed(&record, sent, authors, BY));
        assert_eq!(two.node.digest().expect("reads"), before);
        assert_eq!(two.sums(&record), (0, 0, 0));
        error
    };
    let unsigned = SignedChanges { statements: Vec::new(), ..sent.clone() };
    assert!(matches!(refuse(&unsigned, &authors), SignedError::Unsigned { seq: 1, .. }));
    let unknown = SignedError::Statement(StatementError::UnknownAuthor);
    assert_eq!(refuse(&sent, &known(&[author(2).known()])), unknown);
    let mut revoked = known(&[author(1).known()]);
    let key = identity(Profile::Hybrid, 1);
    revoked.revoke(&Revocation::sign(&key, Reason::Compromised, 0, &mut seeded(1)));
    assert_eq!(refuse(&sent, &revoked), SignedError::Statement(StatementError::Revoked));
    let mut flipped = sent.clone();
    *flipped.statements[0].last_mut().expect("bytes") ^= 1;
    assert_eq!(refuse(&flipped, &authors), SignedError::Statement(StatementError::Signature));
    // Somebody else's statement about the same changes is about another actor.
    let other = Site::signing(2);
    take(&other.node, "a.json", BUNDLE);
    let stolen = other.send(&record, &two);
    let mixed = SignedChanges { statements: stolen.statements, ..sent.clone() };
    assert!(matches!(refuse(&mixed, &authors), SignedError::Unsigned { seq: 1, .. }));
    // As it was sent it is taken.
    two.node.receive_signed(&record, &sent, &authors, BY).expect("taken");
    assert_eq!(two.sums(&record), (2, 2, 0));
}

#[test]
fn changes_that_were_altered_on_the_way_are_never_taken() {
    let (one, two, authors, record) = pair();
    let sent = one.send(&record, &two);
    let empty = two.node.digest().expect("reads");
    let (mut forged, mut unreadable) = (0, 0);
    for place in 0..sent.changes.len() {
        let mut altered = sent.clone();
        altered.changes[place] ^= 1;
        match two.node.receive_signed(&record, &altered, &authors, BY) {
            Err(NodeError::Signed(_)) => forged += 1,
            Err(NodeError::Receive(_)) => unreadable += 1,
            other => panic!("byte {place}: {other:?}"),
        }
        assert_eq!(two.node.digest().expect("reads"), empty, "byte {place}");
    }
    assert!(forged > 0 && unreadable > 0, "{forged} and {unreadable}");
}

#[test]
fn replayed_truncated_and_skipped_runs_are_told() {
    let (one, two, authors, record) = pair();
    let first = one.send(&record, &two);
    two.node.receive_signed(&record, &first, &authors, BY).expect("taken");
    one.write("female");
    let second = one.send(&record, &two);
    one.write("male");
    let third = one.send(&record, &two);
    let digest = two.node.digest().expect("reads");
    // Replayed.
    let again = two.node.receive_signed(&record, &first, &authors, BY).expect("nothing new");
    assert_eq!((again.applied, again.known), (0, 1));
    // The statements speak of a change that was cut off.
    let cut = SignedChanges { changes: second.changes.clone(), ..third.clone() };
    let error = signed_error(two.node.receive_signed(&record, &cut, &authors, BY));
    let missing = ChainError::Missing(3);
    assert!(matches!(error, SignedError::Chain { error, .. } if error == missing), "{error}");
    // A change is not signed, the one after it is.
    let last = third.statements.last().expect("statements").clone();
    let skipped = SignedChanges { statements: vec![last], ..third.clone() };
    let error = signed_error(two.node.receive_signed(&record, &skipped, &authors, BY));
    let gap = ChainError::Gap(2);
    assert!(matches!(error, SignedError::Chain { error, .. } if error == gap), "{error}");
    // The run's beginning is missing, so it depends on what is not here.
    let three = Site::new(3);
    let error = signed_error(three.node.receive_signed(&record, &second, &authors, BY));
    assert_eq!(error, SignedError::Incomplete);
    assert_eq!(two.node.digest().expect("reads"), digest);
    // In any order of the statements.
    let mut shuffled = third.clone();
    shuffled.statements.reverse();
    two.node.receive_signed(&record, &shuffled, &authors, BY).expect("taken");
    assert_eq!(two.sums(&record), (3, 3, 0));
}

#[test]
fn a_withheld_checkpoint_is_overdue() {
    let (one, two, authors, record) = pair();
    let sent = one.send(&record, &two);
    two.node.receive_signed(&record, &sent, &authors, BY).expect("taken");
    two.wait(OVERDUE_MS - 1);
    assert!(two.node.overdue().expect("reads").is_empty());
    two.wait(1);
    let actor = two.node.standings(&record).expect("reads")[0].actor;
    assert_eq!(two.node.overdue().expect("reads"), [(record.clone(), actor)]);
    one.node.checkpoint().expect("signs");
    let sent = one.send(&record, &two);
    two.node.receive_signed(&record, &sent, &authors, BY).expect("taken");
    assert!(two.node.overdue().expect("reads").is_empty());
}

#[test]
fn what_a_process_left_unsigned_the_next_one_signs() {
    let directory = tempfile::tempdir().expect("a directory");
    let (node, _) = open(directory.path(), 1);
    node.sign_as(author(1)).expect("signs");
    take(&node, "a.json", BUNDLE);
    drop(node);
    let (node, now) = open(directory.path(), 77);
    node.sign_as(author(1)).expect("signs");
    let site = Site { node, now, _directory: directory };
    site.write("female");
    site.wait(2_000);
    assert!(site.node.is_checkpoint_due());
    let done = site.node.checkpoint().expect("signs").expect("something to sign");
    assert_eq!(done.changes, 2);
    let (record, two) = (site.record(), Site::new(2));
    let authors = known(&[author(1).known()]);
    two.node.receive_signed(&record, &site.send(&record, &two), &authors, BY).expect("taken");
    // Two processes, two actors, one author.
    assert_eq!(two.node.standings(&record).expect("reads").len(), 2);
    assert_eq!(two.sums(&record), (2, 2, 2));
}

#[test]
fn a_node_that_does_not_sign_is_told_so() {
    let (one, two) = (Site::new(1), Site::new(2));
    take(&one.node, "a.json", BUNDLE);
    let record = one.record();
    assert!(!one.node.is_checkpoint_due());
    assert_eq!(signed_error(one.node.checkpoint()), SignedError::NoAuthor);
    let sent = one.send(&record, &two);
    assert!(sent.statements.is_empty());
    let error = signed_error(two.node.receive_signed(&record, &sent, &Authors::new(), BY));
    assert!(matches!(error, SignedError::Unsigned { .. }));
}

#[test]
fn the_profile_cnsa2_has_checkpoints_only() {
    let (one, two) = (Site::new(1), Site::new(2));
    let author = Author::new(identity(Profile::Cnsa2, 1), 0, &mut seeded(1)).expect("an author");
    let authors = known(&[author.known()]);
    one.node.sign_as(author).expect("signs");
    take(&one.node, "a.json", BUNDLE);
    let record = one.record();
    let sent = one.send(&record, &two);
    two.node.receive_signed(&record, &sent, &authors, BY).expect("taken");
    assert_eq!(two.sums(&record), (1, 1, 1));
}

/// An author who writes two histories with one actor.
struct Forger {
    author: Author,
    nonce: [u8; 16],
    record: Record,
}

impl Forger {
    fn new() -> Self {
        Self { author: author(9), nonce: [5; 16], record: Record::new("forged") }
    }

    fn actor(&self) -> ActorId {
        ActorId(chain_id(self.author.fingerprint(), &self.nonce))
    }

    /// The same history so far, to be gone on with in another way.
    fn fork(&self) -> Self {
        let record = self.record.clone();
        Self { author: author(9), nonce: self.nonce, record }
    }

    fn write(&mut self, gender: &str) {
        let text = format!(r#"{{"resourceType":"Patient","id":"p","gender":"{gender}"}}"#);
        let patient = clisonix_fhir::json::parse(text.as_bytes()).expect("a patient");
        let object = patient.as_object().expect("an object");
        let actor = self.actor();
        let mut actors = || (actor, ActorSecret([7; 32]));
        let time = self.record.latest_time().tick(START);
        let origin = Origin { author: "forger", time, source: None };
        let change = self.record.edit(&[object], &Base::Current, &origin, &mut actors);
        change.expect("edits").expect("a change");
    }

    /// Everything, with a provisional statement over the changes from `first` on.
    fn send(&self, spans: &[(u32, u32)]) -> SignedChanges {
        let actor = self.actor();
        let at = |seq: u32| {
            (1..=seq).fold(Running::start(&actor.0), |hash, seq| {
                hash.with(&self.record.id_by(actor, seq).expect("a change").0)
            })
        };
        let statement = |&(first, last): &(u32, u32)| {
            let (before, after) = (at(first - 1), at(last));
            let (first, last) = (u64::from(first), u64::from(last));
            let span = Span { nonce: self.nonce, first, last, before, after };
            self.author.provisional(&[span], START).expect("signs").to_bytes().to_vec()
        };
        SignedChanges {
            key: br#"{"kind":"patient","system":"urn:oid:1","value":"9"}"#.to_vec(),
            changes: self.record.changes_since(&[]),
            statements: spans.iter().map(statement).collect(),
        }
    }
}

#[test]
fn two_histories_of_one_author_are_proved_and_refused() {
    let site = Site::new(1);
    let mut honest = Forger::new();
    let authors = known(&[honest.author.known()]);
    let by: By<'_> = BY;
    honest.write("male");
    let mut other = honest.fork();
    honest.write("female");
    other.write("other");
    site.node.receive_signed("forged", &honest.send(&[(1, 2)]), &authors, by).expect("taken");
    let digest = site.node.digest().expect("reads");
    let error =
        signed_error(site.node.receive_signed("forged", &other.send(&[(1, 2)]), &authors, by));
    let SignedError::Equivocation { actor, seq: 2, proof: Some(proof) } = error else {
        panic!("{error}");
    };
    assert_eq!(actor, honest.actor());
    assert_eq!(site.node.digest().expect("reads"), digest);
    // The proof is for anybody, and stays.
    let read = Equivocation::from_bytes(&proof, honest.author.known()).expect("a proof");
    assert_eq!((read.author(), read.seq()), (honest.author.fingerprint(), 2));
    assert_eq!(site.node.equivocations().expect("reads"), std::slice::from_ref(&proof));
    // Nothing more of that actor comes in, here or where the proof was passed on to.
    honest.write("unknown");
    let more = honest.send(&[(1, 2), (3, 3)]);
    let error = signed_error(site.node.receive_signed("forged", &more, &authors, by));
    assert_eq!(error, SignedError::Equivocator(actor));
    // It goes from node to node as a notice.
    let Site { node, _directory, .. } = Site::new(4);
    node.set_authors(authors.clone());
    let mut replica = NodeReplica::new(Arc::new(node), honest.author.fingerprint());
    let id = NoticeId(Sha256::digest(&proof).into());
    let wrong = replica.receive_notice(&NoticeId([0; 32]), &proof, &NodeId::default());
    assert_eq!(wrong, Outcome::Refused(Refusal::Unreadable));
    assert_eq!(replica.receive_notice(&id, &proof, &NodeId::default()), Outcome::Taken);
    let mut told = Vec::new();
    replica.notices(&mut |id| told.push(id));
    assert_eq!((told, replica.notice(&id)), (vec![id], Some(proof.clone())));
    let elsewhere = Site::new(2);
    elsewhere.node.note_equivocation(&proof, &authors).expect("a proof");
    let error = signed_error(elsewhere.node.receive_signed("forged", &more, &authors, by));
    assert_eq!(error, SignedError::Equivocator(actor));
    let mut damaged = proof;
    *damaged.last_mut().expect("bytes") ^= 1;
    assert!(Site::new(3).node.note_equivocation(&damaged, &authors).is_err());
}

#[test]
fn the_evidence_of_two_nodes_proves_what_one_cannot() {
    let (one, two) = (Site::new(1), Site::new(2));
    let mut left = Forger::new();
    let authors = known(&[left.author.known()]);
    left.write("male");
    let mut right = left.fork();
    left.write("female");
    right.write("other");
    right.write("male");
    right.write("unknown");
    one.node.receive_signed("forged", &left.send(&[(1, 2)]), &authors, BY).expect("taken");
    two.node.receive_signed("forged", &right.send(&[(1, 4)]), &authors, BY).expect("taken");
    // The longer history tells its two ends only, which are not among what the first node knows.
    let error =
        signed_error(one.node.receive_signed("forged", &right.send(&[(1, 4)]), &authors, BY));
    let SignedError::Equivocation { actor, seq: 2, proof: None } = error else {
        panic!("{error}");
    };
    let evidence = |site: &Site| {
        site.node.evidence("forged", actor, 2, &authors).expect("reads").expect("some")
    };
    let proof = Equivocation::new(evidence(&one), evidence(&two), left.author.known());
    let proof = proof.expect("a proof");
    assert_eq!(proof.seq(), 2);
    one.node.note_equivocation(&proof.to_bytes(), &authors).expect("a proof");
    assert_eq!(one.node.equivocations().expect("reads").len(), 1);
}

#[test]
fn a_carrier_cannot_make_an_author_look_like_two() {
    // Changes of the same actor and number that the author never signed: refused, and no proof.
    let site = Site::new(1);
    let mut honest = Forger::new();
    let authors = known(&[honest.author.known()]);
    honest.write("male");
    let mut forged = honest.fork();
    honest.write("female");
    forged.write("other");
    let sent = honest.send(&[(1, 2)]);
    site.node.receive_signed("forged", &sent, &authors, BY).expect("taken");
    let mixed = SignedChanges { statements: sent.statements, ..forged.send(&[]) };
    let error = signed_error(site.node.receive_signed("forged", &mixed, &authors, BY));
    assert!(matches!(error, SignedError::Equivocation { proof: None, .. }), "{error}");
    assert!(site.node.equivocations().expect("reads").is_empty());
    // The honest history goes on.
    honest.write("unknown");
    let more = honest.send(&[(3, 3)]);
    site.node.receive_signed("forged", &more, &authors, BY).expect("taken");
}
