//! Signed changes: what a checkpoint costs each of its changes, and what a live change costs, beside
//! Ed25519 alone.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Result, ensure};
use clisonix_pq::checkpoint::{
    Author, Authors, CHECKPOINT_CHANGES, Chain, ChainId, Running, Span, Standing, Statement,
    chain_id,
};
use clisonix_pq::{Identity, Profile, digest};

use crate::operations::{random, rate};
use crate::report::Report;

/// Measures everything.
pub fn run(spell: Duration, report: &mut Report) -> Result<()> {
    for (subject, profile) in [("hybrid", Profile::Hybrid), ("cnsa2", Profile::Cnsa2)] {
        let author = Author::new(Identity::generate(profile, &mut random)?, 0, &mut random)?;
        let work = Work::new(&author)?;
        let span = work.span(1, CHECKPOINT_CHANGES);
        let made = author.checkpoint(&[span], 0, &mut random)?;
        let each = 1e6 / CHECKPOINT_CHANGES as f64;
        let bytes = made.to_bytes().len() as f64 / CHECKPOINT_CHANGES as f64;
        report.value(subject, "checkpoint_bytes", bytes);
        let signed = rate(spell, || {
            black_box(
                author.checkpoint(&[work.span(1, CHECKPOINT_CHANGES)], 0, &mut random).is_ok(),
            );
        });
        report.value(subject, "checkpoint_sign_us", each / signed);
        ensure!(work.is_taken(made.to_bytes()), "the checkpoint does not verify");
        let verified = rate(spell, || {
            black_box(work.is_taken(made.to_bytes()));
        });
        report.value(subject, "checkpoint_verify_us", each / verified);
        if author.live_key().is_some() {
            live(subject, &author, &work, spell, report)?;
        }
    }
    Ok(())
}

/// One change at a time, signed provisionally.
fn live(
    subject: &'static str,
    author: &Author,
    work: &Work,
    spell: Duration,
    report: &mut Report,
) -> Result<()> {
    let made = author.provisional(&[work.span(1, 1)], 0)?;
    report.value(subject, "live_bytes", made.to_bytes().len() as f64);
    let signed = rate(spell, || {
        black_box(author.provisional(&[work.span(1, 1)], 0).is_ok());
    });
    report.value(subject, "live_sign_us", 1e6 / signed);
    ensure!(work.is_taken(made.to_bytes()), "the statement does not verify");
    let verified = rate(spell, || {
        black_box(work.is_taken(made.to_bytes()));
    });
    report.value(subject, "live_verify_us", 1e6 / verified);
    Ok(())
}

/// Changes of one chain, by their ids.
struct Work {
    authors: Authors,
    chain: ChainId,
    ids: Vec<[u8; 32]>,
}

const NONCE: [u8; 16] = [7; 16];

impl Work {
    fn new(author: &Author) -> Result<Self> {
        let mut authors = Authors::new();
        authors.add(author.known().clone())?;
        let ids = (0..CHECKPOINT_CHANGES).map(|at| digest::sha256(&at.to_be_bytes())).collect();
        Ok(Self { authors, chain: chain_id(author.fingerprint(), &NONCE), ids })
    }

    fn span(&self, first: u64, last: u64) -> Span {
        let before = Running::start(&self.chain);
        let ids = self.ids.iter().take(last as usize);
        let after = ids.fold(before, |hash, id| hash.with(id));
        Span { nonce: NONCE, first, last, before, after }
    }

    /// What a reader does who has the changes' ids.
    fn is_taken(&self, statement: &[u8]) -> bool {
        let Ok(statement) = Statement::read(statement, &self.authors) else { return false };
        let ids = |seq: u64| self.ids.get(seq as usize - 1).copied();
        let mut chain = Chain::new(&self.chain);
        let standing: Standing = statement.standing();
        statement.spans().all(|(id, span)| chain.take(&id, standing, span, &ids).is_ok())
    }
}
