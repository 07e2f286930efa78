//! Statements about changes: what they cost, and everything that must not be believed.

use super::*;
use crate::age::tests::seeded;
use crate::{FormError, Identity, KeyError, Profile, Reason, Revocation};

const NONCE: [u8; 16] = [3; 16];

fn author(profile: Profile, seed: u64) -> Author {
    let identity = Identity::generate(profile, &mut seeded(seed)).unwrap();
    Author::new(identity, 1_700_000_000_000, &mut seeded(seed)).unwrap()
}

fn known(authors: &[&Author]) -> Authors {
    let mut known = Authors::new();
    for author in authors {
        known.add(author.known().clone()).unwrap();
    }
    known
}

/// The changes of a chain, by number from 1.
struct Work {
    chain: ChainId,
    ids: Vec<Id>,
}

impl Work {
    fn new(author: &Author, changes: usize) -> Self {
        let ids = (1..=changes).map(|seq| sha256(&[seq as u8, (seq >> 8) as u8])).collect();
        Self { chain: chain_id(author.fingerprint(), &NONCE), ids }
    }

    fn id(&self, seq: u64) -> Option<Id> {
        self.ids.get(usize::try_from(seq).ok()?.checked_sub(1)?).copied()
    }

    fn at(&self, seq: u64) -> Running {
        let start = Running::start(&self.chain);
        (1..=seq).fold(start, |hash, seq| hash.with(&self.id(seq).unwrap()))
    }

    fn span(&self, first: u64, last: u64) -> Span {
        Span { nonce: NONCE, first, last, before: self.at(first - 1), after: self.at(last) }
    }

    fn take(
        &self,
        chain: &mut Chain,
        standing: Standing,
        span: &Span,
    ) -> Result<Taken, ChainError> {
        chain.take(&self.chain, standing, span, &|seq| self.id(seq))
    }
}

#[test]
fn statements_go_out_and_come_in_with_both_standings_and_profiles() {
    for profile in Profile::ALL {
        let author = author(profile, 1);
        let work = Work::new(&author, 9);
        let spans = [work.span(1, 4), work.span(5, 9)];
        let mut made = vec![author.checkpoint(&spans, 17, &mut seeded(2)).unwrap()];
        match profile {
            Profile::Hybrid => made.push(author.provisional(&spans, 17).unwrap()),
            Profile::Cnsa2 => {
                let refused = author.provisional(&spans, 17);
                assert_eq!(refused, Err(StatementError::NoLiveKey));
                assert!(author.live_key().is_none());
            }
        }
        for statement in made {
            let read = Statement::read(statement.to_bytes(), &known(&[&author])).unwrap();
            assert_eq!(read, statement);
            assert_eq!((read.author(), read.time_ms()), (author.fingerprint(), 17));
            let told: Vec<_> = read.spans().map(|(chain, span)| (chain, *span)).collect();
            assert_eq!(told, spans.map(|span| (work.chain, span)));
        }
    }
}

#[test]
fn a_chain_without_an_author_can_be_taken_over_and_proves_nothing_about_anybody() {
    let (one, two) = (author(Profile::Hybrid, 1), author(Profile::Cnsa2, 2));
    let authors = known(&[&one, &two]);
    let work = Work { chain: NONCE, ids: vec![[1; 32], [2; 32], [3; 32]] };
    let other = Work { chain: NONCE, ids: vec![[1; 32], [9; 32], [3; 32]] };
    for author in [&one, &two] {
        let made = author.adoption(&[work.span(1, 3)], 7, &mut seeded(3)).unwrap();
        let read = Statement::read(made.to_bytes(), &authors).unwrap();
        assert_eq!((&read, read.standing()), (&made, Standing::Adopted));
        let (chain, span) = read.spans().next().unwrap();
        assert_eq!(chain, NONCE);
        let mut taken = Chain::new(&NONCE);
        work.take(&mut taken, read.standing(), span).unwrap();
        assert_eq!((taken.confirmed.seq, taken.signed.seq), (3, 3));
        let two_stories = author.adoption(&[other.span(1, 3)], 7, &mut seeded(4)).unwrap();
        let evidence = |statement: &Statement| evidence(statement, &[]);
        let proof = Equivocation::new(evidence(&made), evidence(&two_stories), author.known());
        assert_eq!(proof.unwrap_err(), EquivocationError::Evidence);
        // A checkpoint over the same nonce is about another chain.
        assert!(author.checkpoint(&[work.span(1, 3)], 7, &mut seeded(5)).is_err());
    }
}

#[test]
fn what_was_signed_before_a_key_was_given_up_is_believed() {
    let author = author(Profile::Hybrid, 1);
    let work = Work::new(&author, 5);
    let at = |time_ms| author.checkpoint(&[work.span(1, 5)], time_ms, &mut seeded(3)).unwrap();
    let (before, after) = (at(1_000), at(1_001));
    let mut authors = known(&[&author]);
    authors.revoke_after(author.fingerprint(), 2_000);
    authors.revoke_after(author.fingerprint(), 1_000);
    assert_eq!(Statement::read(before.to_bytes(), &authors), Ok(before.clone()));
    let revoked = Err(StatementError::Revoked);
    assert_eq!(Statement::read(after.to_bytes(), &authors), revoked);
    let identity = Identity::generate(Profile::Hybrid, &mut seeded(1)).unwrap();
    authors.revoke(&Revocation::sign(&identity, Reason::Compromised, 0, &mut seeded(2)));
    authors.revoke_after(author.fingerprint(), 5_000);
    assert_eq!(Statement::read(before.to_bytes(), &authors), revoked);
}

#[test]
fn a_checkpoint_of_64_changes_costs_at_most_60_bytes_each() {
    let author = author(Profile::Hybrid, 1);
    let span = Work::new(&author, 64).span(1, CHECKPOINT_CHANGES);
    let checkpoint = author.checkpoint(&[span], 0, &mut seeded(2)).unwrap();
    assert_eq!(checkpoint.to_bytes().len(), 3_472);
    assert!(checkpoint.to_bytes().len() <= 60 * 64);
    assert_eq!(author.provisional(&[span], 0).unwrap().to_bytes().len(), 163);
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_statement_is_refused() {
    let author = author(Profile::Hybrid, 1);
    let (work, authors) = (Work::new(&author, 3), known(&[&author]));
    let live = author.provisional(&[work.span(1, 3)], 5).unwrap();
    let firm = author.checkpoint(&[work.span(1, 3)], 5, &mut seeded(1)).unwrap();
    for statement in [live, firm] {
        let mut bytes = statement.to_bytes().to_vec();
        for place in 0..bytes.len() {
            for bit in 0..8 {
                // Of a long signature one bit of each byte, another in each.
                if place > 300 && bit != place % 8 {
                    continue;
                }
                bytes[place] ^= 1 << bit;
                assert!(Statement::read(&bytes, &authors).is_err(), "bit {bit} of byte {place}");
                bytes[place] ^= 1 << bit;
            }
            assert!(Statement::read(&bytes[..place], &authors).is_err(), "{place} bytes");
        }
        bytes.push(0);
        assert_eq!(Statement::read(&bytes, &authors), Err(StatementError::Form));
    }
}

#[test]
fn each_refusal_has_its_own_error() {
    let (one, two, other) =
        (author(Profile::Hybrid, 1), author(Profile::Hybrid, 2), author(Profile::Cnsa2, 3));
    let work = Work::new(&one, 3);
    let statement = one.provisional(&[work.span(1, 3)], 5).unwrap();
    let bytes = statement.to_bytes();
    let read = |change: &dyn Fn(&mut Vec<u8>), authors: &Authors| {
        let mut bytes = bytes.to_vec();
        change(&mut bytes);
        Statement::read(&bytes, authors).err()
    };
    let all = known(&[&one, &two, &other]);
    assert_eq!(read(&|_| {}, &all), None);
    assert_eq!(read(&|bytes| bytes[0] = b'X', &all), Some(StatementError::Kind));
    assert_eq!(read(&|bytes| bytes[3] = 2, &all), Some(StatementError::Newer(2)));
    assert_eq!(read(&|bytes| bytes[4] = 4, &all), Some(StatementError::Kind));
    assert_eq!(read(&|bytes| bytes[6] = 9, &all), Some(StatementError::Profile));
    assert_eq!(read(&|bytes| bytes[6] = 2, &all), Some(StatementError::Profile));
    assert_eq!(read(&|bytes| bytes[7] ^= 1, &all), Some(StatementError::UnknownAuthor));
    let by_two = |bytes: &mut Vec<u8>| bytes[7..39].copy_from_slice(&two.fingerprint().to_bytes());
    assert_eq!(read(&by_two, &all), Some(StatementError::Signature));
    assert_eq!(read(&|bytes| bytes[47] = 0xff, &all), Some(StatementError::Spans));
    assert_eq!(read(&|_| {}, &known(&[&two])), Some(StatementError::UnknownAuthor));
    let without = KnownAuthor::new(one.known().identity().clone(), None).unwrap();
    let mut authors = Authors::new();
    authors.add(without).unwrap();
    assert_eq!(read(&|_| {}, &authors), Some(StatementError::NoLiveKey));
    let mut authors = known(&[&one]);
    let identity = Identity::generate(Profile::Hybrid, &mut seeded(1)).unwrap();
    authors.revoke(&Revocation::sign(&identity, Reason::Compromised, 0, &mut seeded(1)));
    assert_eq!(read(&|_| {}, &authors), Some(StatementError::Revoked));
    // A provisional signature is no checkpoint and the other way round.
    let firm = one.checkpoint(&[work.span(1, 3)], 5, &mut seeded(1)).unwrap();
    let mut bytes = firm.to_bytes().to_vec();
    bytes[4] = 1;
    assert!(Statement::read(&bytes, &all).is_err());
    bytes.truncate(statement.to_bytes().len());
    assert_eq!(Statement::read(&bytes, &all), Err(StatementError::Signature));
}

/// The same span in many chains.
fn spans_of_many_chains(author: &Author, span: Span, count: usize) -> Vec<Span> {
    let of_chain = |at: usize| {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&at.to_be_bytes());
        let before = Running::start(&chain_id(author.fingerprint(), &nonce));
        Span { nonce, before, ..span }
    };
    (0..count).map(of_chain).collect()
}

#[test]
fn spans_have_one_order_and_limits() {
    let author = author(Profile::Hybrid, 1);
    let work = Work::new(&author, 9);
    let state = |spans: &[Span]| author.provisional(spans, 0).err();
    let (one, two) = (work.span(1, 4), work.span(5, 9));
    let wrong = Some(StatementError::Spans);
    assert_eq!(state(&[one, two]), None);
    assert_eq!(state(&[]), wrong);
    assert_eq!(state(&[two, one]), wrong);
    assert_eq!(state(&[one, one]), wrong);
    assert_eq!(state(&[Span { first: 0, ..one }]), wrong);
    assert_eq!(state(&[Span { last: 0, ..one }]), wrong);
    assert_eq!(state(&[Span { last: MAX_SPAN_CHANGES, ..one }]), None);
    assert_eq!(state(&[Span { last: MAX_SPAN_CHANGES + 1, ..one }]), wrong);
    assert_eq!(state(&[Span { before: two.before, ..one }]), wrong);
    let many = |count| spans_of_many_chains(&author, one, count);
    assert_eq!(state(&many(MAX_LIVE_SPANS)), None);
    assert_eq!(state(&many(MAX_LIVE_SPANS + 1)), wrong);
    let firm = |count| author.checkpoint(&many(count), 0, &mut seeded(1)).err();
    assert_eq!(firm(MAX_SPANS), None);
    assert_eq!(firm(MAX_SPANS + 1), wrong);
}

#[test]
fn many_changes_in_as_many_chains_cost_at_most_60_bytes_each_too() {
    let author = author(Profile::Hybrid, 1);
    let spans = spans_of_many_chains(&author, Work::new(&author, 1).span(1, 1), 1024);
    let checkpoint = author.checkpoint(&spans, 0, &mut seeded(2)).unwrap();
    assert!(checkpoint.to_bytes().len() <= 60 * 1024);
    let read = Statement::read(checkpoint.to_bytes(), &known(&[&author])).unwrap();
    assert_eq!(read, checkpoint);
}

#[test]
fn a_number_has_one_spelling() {
    let author = author(Profile::Hybrid, 1);
    let work = Work::new(&author, 200);
    for (first, last) in [(1, 1), (1, 127), (1, 128), (2, 200), (128, 129)] {
        let statement = author.provisional(&[work.span(first, last)], 0).unwrap();
        assert_eq!(Statement::read(statement.to_bytes(), &known(&[&author])), Ok(statement));
    }
    // The number 1 as two bytes, signed all the same.
    let text = author.provisional(&[work.span(1, 1)], 0).unwrap().to_bytes().to_vec();
    let long = [&text[..49 + 16], &[0x81, 0], &text[49 + 17..]].concat();
    assert_eq!(Statement::read(&long, &known(&[&author])), Err(StatementError::Form));
}

#[test]
fn nobody_can_speak_of_the_chain_of_another() {
    let (one, two) = (author(Profile::Hybrid, 1), author(Profile::Hybrid, 2));
    let work = Work::new(&one, 3);
    assert_eq!(two.provisional(&[work.span(1, 3)], 0), Err(StatementError::Spans));
    let stolen = two.provisional(&[work.span(2, 3)], 0).unwrap();
    let (chain, _) = stolen.spans().next().unwrap();
    assert_ne!(chain, work.chain);
}

#[test]
fn changes_are_provisional_at_once_and_final_under_a_checkpoint() {
    let author = author(Profile::Hybrid, 1);
    let work = Work::new(&author, 70);
    let mut chain = Chain::new(&work.chain);
    for seq in 1..=64 {
        let taken = work.take(&mut chain, Standing::Provisional, &work.span(seq, seq));
        assert_eq!(taken, Ok(Taken::New));
    }
    assert_eq!((chain.signed.seq, chain.confirmed.seq), (64, 0));
    assert_eq!(work.take(&mut chain, Standing::Final, &work.span(1, 64)), Ok(Taken::New));
    assert_eq!((chain.signed.seq, chain.confirmed.seq), (64, 64));
    // A checkpoint makes final what nobody had signed before, too.
    assert_eq!(work.take(&mut chain, Standing::Final, &work.span(65, 70)), Ok(Taken::New));
    assert_eq!((chain.signed.seq, chain.confirmed.seq), (70, 70));
    // Replays change nothing.
    for (first, last) in [(1, 64), (3, 3), (65, 70), (1, 70), (66, 68)] {
        let was = chain;
        let taken = work.take(&mut chain, Standing::Final, &work.span(first, last));
        assert_eq!((taken, chain), (Ok(Taken::Known), was));
    }
}

#[test]
fn a_checkpoint_that_does_not_join_the_last_one_makes_nothing_final() {
    let author = author(Profile::Hybrid, 1);
    let work = Work::new(&author, 9);
    let mut chain = Chain::new(&work.chain);
    work.take(&mut chain, Standing::Provisional, &work.span(1, 4)).unwrap();
    work.take(&mut chain, Standing::Final, &work.span(5, 9)).unwrap();
    assert_eq!((chain.signed.seq, chain.confirmed.seq), (9, 0));
    work.take(&mut chain, Standing::Final, &work.span(1, 4)).unwrap();
    assert_eq!((chain.signed.seq, chain.confirmed.seq), (9, 4));
    work.take(&mut chain, Standing::Final, &work.span(5, 9)).unwrap();
    assert_eq!((chain.signed.seq, chain.confirmed.seq), (9, 9));
}

#[test]
fn forged_reordered_truncated_and_skipped_changes_are_told() {
    let author = author(Profile::Hybrid, 1);
    let work = Work::new(&author, 9);
    let mut chain = Chain::new(&work.chain);
    work.take(&mut chain, Standing::Provisional, &work.span(1, 3)).unwrap();
    let was = chain;
    let mut refuse = |ids: &Work, first, last, error| {
        for standing in [Standing::Provisional, Standing::Final] {
            let span = work.span(first, last);
            assert_eq!(ids.take(&mut chain, standing, &span), Err(error));
            assert_eq!(chain, was);
        }
    };
    refuse(&work, 5, 6, ChainError::Gap(4));
    let cut = Work { ids: work.ids[..7].to_vec(), ..work };
    refuse(&cut, 4, 9, ChainError::Missing(8));
    let mut forged = Work::new(&author, 9);
    forged.ids[4][0] ^= 1;
    refuse(&forged, 4, 9, ChainError::Forged(9));
    let mut reordered = Work::new(&author, 9);
    reordered.ids.swap(4, 5);
    refuse(&reordered, 4, 9, ChainError::Forged(9));
}

#[test]
fn a_second_history_is_an_equivocation() {
    let author = author(Profile::Hybrid, 1);
    let mut chain = Chain::new(&chain_id(author.fingerprint(), &NONCE));
    let (work, mut other) = (Work::new(&author, 9), Work::new(&author, 9));
    other.ids[4][0] ^= 1;
    work.take(&mut chain, Standing::Provisional, &work.span(1, 7)).unwrap();
    let was = chain;
    // The same numbers with another change; then what goes on from there.
    let taken = work.take(&mut chain, Standing::Final, &other.span(1, 6));
    assert_eq!(taken, Err(ChainError::Equivocation(6)));
    let taken = work.take(&mut chain, Standing::Final, &other.span(7, 9));
    assert_eq!(taken, Err(ChainError::Equivocation(6)));
    assert_eq!(chain, was);
}

/// Two histories of one chain, as signed.
fn two_histories() -> (Author, Work, Work) {
    let author = author(Profile::Hybrid, 1);
    let (work, mut other) = (Work::new(&author, 9), Work::new(&author, 9));
    other.ids[4][0] ^= 1;
    (author, work, other)
}

fn evidence(statement: &Statement, ids: &[Id]) -> Evidence {
    Evidence { statement: statement.to_bytes().to_vec(), span: 0, ids: ids.to_vec() }
}

#[test]
fn two_signed_histories_are_a_proof_for_anybody() {
    let (author, work, other) = two_histories();
    let known = author.known();
    let live = |work: &Work, first, last| author.provisional(&[work.span(first, last)], 0).unwrap();
    // One change, twice: nothing but the two statements is needed.
    let (one, two) = (live(&work, 5, 5), live(&other, 5, 5));
    let proof = Equivocation::new(evidence(&one, &[]), evidence(&two, &[]), known).unwrap();
    assert_eq!((proof.author(), proof.chain(), proof.seq()), (author.fingerprint(), work.chain, 5));
    let bytes = proof.to_bytes();
    assert_eq!(Equivocation::from_bytes(&bytes, known), Ok(proof));
    // A checkpoint against a provisional statement, of other lengths: the ids of one are enough.
    let firm = author.checkpoint(&[work.span(1, 9)], 0, &mut seeded(1)).unwrap();
    let (firm, live) = (evidence(&firm, &work.ids), live(&other, 2, 6));
    let proof = Equivocation::new(firm.clone(), evidence(&live, &[]), known).unwrap();
    assert_eq!(proof.seq(), 6);
    // With the ids of both it is told which change there are two of.
    let proof = Equivocation::new(firm, evidence(&live, &other.ids[1..6]), known).unwrap();
    assert_eq!(proof.seq(), 5);
    assert_eq!(Equivocation::from_bytes(&proof.to_bytes(), known), Ok(proof));
}

#[test]
fn nobody_is_proved_to_equivocate_who_did_not() {
    let (author, work, other) = two_histories();
    let known = author.known();
    let live = |span| author.provisional(&[span], 0).unwrap();
    let new = |one: &Evidence, two: &Evidence| Equivocation::new(one.clone(), two.clone(), known);
    let one = evidence(&live(work.span(1, 5)), &[]);
    // Twice the same, and two that go on from each other.
    let nothing = Err(EquivocationError::NoContradiction);
    assert_eq!(new(&one, &one), nothing);
    assert_eq!(new(&one, &evidence(&live(work.span(6, 9)), &[])), nothing);
    // Ids that were not signed.
    let wrong = Err(EquivocationError::Evidence);
    assert_eq!(new(&evidence(&live(work.span(1, 5)), &other.ids[..5]), &one), wrong);
    assert_eq!(new(&evidence(&live(work.span(1, 5)), &work.ids[..4]), &one), wrong);
    assert_eq!(new(&Evidence { span: 1, ..one.clone() }, &one), wrong);
    // Two chains of one author, and another author.
    let elsewhere = Span { nonce: [4; 16], ..other.span(2, 5) };
    let chains = Err(EquivocationError::TwoChains);
    assert_eq!(new(&one, &evidence(&live(elsewhere), &[])), chains);
    let thief = crate::checkpoint::tests::author(Profile::Hybrid, 2);
    let stolen = evidence(&thief.provisional(&[other.span(2, 5)], 0).unwrap(), &[]);
    let unknown = Err(EquivocationError::Statement(StatementError::UnknownAuthor));
    assert_eq!(new(&one, &stolen), unknown);
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_proof_is_refused() {
    let (author, work, other) = two_histories();
    let live = |work: &Work| author.provisional(&[work.span(4, 6)], 0).unwrap();
    let evidence = |work: &Work| evidence(&live(work), &work.ids[3..6]);
    let proof = Equivocation::new(evidence(&work), evidence(&other), author.known()).unwrap();
    let mut bytes = proof.to_bytes();
    for place in 0..bytes.len() {
        let cut = Equivocation::from_bytes(&bytes[..place], author.known());
        assert!(cut.is_err(), "{place} bytes");
        for bit in 0..8 {
            bytes[place] ^= 1 << bit;
            let read = Equivocation::from_bytes(&bytes, author.known());
            assert!(read.is_err(), "bit {bit} of byte {place}");
            bytes[place] ^= 1 << bit;
        }
    }
    bytes.push(0);
    let read = Equivocation::from_bytes(&bytes, author.known());
    assert_eq!(read, Err(EquivocationError::Format));
}

#[test]
fn a_live_key_is_vouched_for_by_its_identity() {
    let (one, two) = (author(Profile::Hybrid, 1), author(Profile::Hybrid, 2));
    let (identity, statement) = (one.known().identity(), one.live_key().unwrap());
    let read = LiveKey::from_text(statement.to_text().as_bytes(), identity).unwrap();
    assert_eq!((&read, read.made_ms()), (statement, 1_700_000_000_000));
    assert!(!identity.to_bytes().ends_with(read.key()));
    let text = statement.to_text().as_bytes();
    assert_eq!(LiveKey::from_text(text, two.known().identity()), Err(FormError::OtherKey));
    let known = KnownAuthor::new(identity.clone(), Some(text)).unwrap();
    assert_eq!(&known, one.known());
    let mut bytes = text.to_vec();
    for place in (0..text.len()).step_by(11) {
        bytes[place] ^= 1;
        assert!(LiveKey::from_text(&bytes, identity).is_err(), "byte {place}");
        bytes[place] ^= 1;
        assert!(LiveKey::from_text(&bytes[..place], identity).is_err(), "{place} bytes");
    }
    // Not of a profile that has none, even if it signs such a statement.
    let cnsa2 = Identity::generate(Profile::Cnsa2, &mut seeded(1)).unwrap();
    let forced = LiveKey::sign(&cnsa2, read.key(), 0, &mut seeded(1)).unwrap();
    let read = LiveKey::from_text(forced.to_text().as_bytes(), cnsa2.public());
    let mixed = KeyError::Profile { given: Profile::Cnsa2, expected: Profile::Hybrid };
    assert_eq!(read, Err(FormError::Key(mixed)));
}

/// `tests/vectors/checkpoint/`; `CLISONIX_WRITE_VECTORS` writes them again.
#[test]
fn the_vectors_are_what_the_format_page_says() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/checkpoint");
    let (author, work, other) = two_histories();
    let known = author.known();
    let firm = author.checkpoint(&[work.span(1, 9)], 1_700_000_000_001, &mut seeded(5)).unwrap();
    let live = author.provisional(&[other.span(5, 5)], 1_700_000_000_002).unwrap();
    let proof = Equivocation::new(evidence(&firm, &work.ids), evidence(&live, &[]), known).unwrap();
    let made = [
        ("identity", known.identity().to_bytes()),
        ("live", author.live_key().unwrap().to_text().as_bytes().to_vec()),
        ("chain", work.chain.to_vec()),
        ("ids", work.ids.as_flattened().to_vec()),
        ("final", firm.to_bytes().to_vec()),
        ("provisional", live.to_bytes().to_vec()),
        ("equivocation", proof.to_bytes()),
    ];
    for (name, bytes) in made {
        let path = folder.join(name);
        if std::env::var_os("CLISONIX_WRITE_VECTORS").is_some() {
            std::fs::write(&path, &bytes).unwrap();
        }
        assert!(std::fs::read(&path).unwrap() == bytes, "{name}");
    }
}
