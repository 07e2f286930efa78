//! The proof, for anybody, that an author has signed two histories of one chain.

use super::author::KnownAuthor;
use super::statement::{Standing, Statement, StatementError};
use super::{ChainId, Id, MAX_SPAN_CHANGES, Mark, Running, Span};
use crate::fingerprint::Fingerprint;

/// What an author has signed about one chain: a statement, which of its spans, and if need be the
/// ids in that span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The statement's bytes.
    pub statement: Vec<u8>,
    /// Which span, from 0.
    pub span: u16,
    /// The ids of all changes of the span, or none: then only its two ends are told.
    pub ids: Vec<Id>,
}

/// Two statements of one author that cannot both be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    author: Fingerprint,
    chain: ChainId,
    seq: u64,
    evidence: [Evidence; 2],
}

/// Evidence that proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EquivocationError {
    /// Something else, a newer version, cut off, or with something behind it.
    #[error("not a proof of equivocation")]
    Format,
    /// A statement cannot be believed.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// There is no such span, the ids are not those that it was signed over, or the chain was taken
    /// over by somebody who did not write it.
    #[error("the evidence does not fit its statement")]
    Evidence,
    /// The two speak of two chains.
    #[error("the statements are about two chains")]
    TwoChains,
    /// Nothing in them contradicts.
    #[error("the statements do not contradict each other")]
    NoContradiction,
}

impl Equivocation {
    /// Holds two pieces of evidence against each other. It makes no difference whether the author
    /// is revoked.
    ///
    /// # Errors
    /// [`EquivocationError`] if they do not prove anything.
    pub fn new(
        one: Evidence,
        two: Evidence,
        author: &KnownAuthor,
    ) -> Result<Self, EquivocationError> {
        let (first, second) = (Told::read(&one, author)?, Told::read(&two, author)?);
        if first.chain != second.chain {
            return Err(EquivocationError::TwoChains);
        }
        let differs = |mark: &&Mark| {
            second.marks.iter().any(|other| other.seq == mark.seq && other.hash != mark.hash)
        };
        let mark = first.marks.iter().find(differs).ok_or(EquivocationError::NoContradiction)?;
        let (chain, seq) = (first.chain, mark.seq);
        Ok(Self { author: author.fingerprint(), chain, seq, evidence: [one, two] })
    }

    /// Who.
    pub fn author(&self) -> Fingerprint {
        self.author
    }

    /// In which chain.
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// The number at which the two histories are different at the latest; with all ids in both, the
    /// first change of which there are two.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The proof as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for Evidence { statement, span, ids } in &self.evidence {
            bytes.extend((statement.len() as u32).to_be_bytes());
            bytes.extend(statement);
            bytes.extend(span.to_be_bytes());
            bytes.extend((ids.len() as u32).to_be_bytes());
            bytes.extend(ids.as_flattened());
        }
        bytes
    }

    /// Whose equivocation a proof claims to prove; nothing is verified.
    pub fn author_of(bytes: &[u8]) -> Option<Fingerprint> {
        let (evidence, _) = read_evidence(bytes.strip_prefix(MAGIC)?)?;
        Statement::author_of(&evidence.statement).ok()
    }

    /// Reads a proof and verifies it.
    ///
    /// # Errors
    /// [`EquivocationError`].
    pub fn from_bytes(bytes: &[u8], author: &KnownAuthor) -> Result<Self, EquivocationError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(EquivocationError::Format)?;
        let both = || {
            let (one, rest) = read_evidence(rest)?;
            let (two, rest) = read_evidence(rest)?;
            rest.is_empty().then_some((one, two))
        };
        let (one, two) = both().ok_or(EquivocationError::Format)?;
        Self::new(one, two, author)
    }
}

/// What evidence tells of a chain.
struct Told {
    chain: ChainId,
    marks: Vec<Mark>,
}

impl Told {
    fn read(evidence: &Evidence, author: &KnownAuthor) -> Result<Self, EquivocationError> {
        let statement = Statement::read_of(&evidence.statement, author)?;
        // Anybody can name a chain that has no author, so that proves nothing about whose it is.
        if statement.standing() == Standing::Adopted {
            return Err(EquivocationError::Evidence);
        }
        let span = statement.spans().nth(usize::from(evidence.span));
        let (chain, span) = span.ok_or(EquivocationError::Evidence)?;
        let marks = marks(span, &evidence.ids).ok_or(EquivocationError::Evidence)?;
        Ok(Self { chain, marks })
    }
}

/// The places of a chain that a span tells, ascending; `None` if the ids are not its own.
fn marks(span: &Span, ids: &[Id]) -> Option<Vec<Mark>> {
    let mut marks = vec![Mark { seq: span.first - 1, hash: span.before }];
    if ids.is_empty() {
        marks.push(Mark { seq: span.last, hash: span.after });
        return Some(marks);
    }
    let mut hash: Running = span.before;
    for (seq, id) in (span.first..).zip(ids) {
        hash = hash.with(id);
        marks.push(Mark { seq, hash });
    }
    let is_whole = ids.len() as u64 == span.last - span.first + 1;
    (is_whole && hash == span.after).then_some(marks)
}

fn read_evidence(bytes: &[u8]) -> Option<(Evidence, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (statement, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    let (span, rest) = rest.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let count = u32::from_be_bytes(*count);
    if u64::from(count) > MAX_SPAN_CHANGES {
        return None;
    }
    let (ids, rest) = rest.split_at_checked(count as usize * 32)?;
    let (ids, statement) = (ids.as_chunks().0.to_vec(), statement.to_vec());
    Some((Evidence { statement, span: u16::from_be_bytes(*span), ids }, rest))
}

/// With the version.
const MAGIC: &[u8] = b"CXE\x01";
