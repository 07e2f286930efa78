//! Signed statements about spans of chains.

use crate::fingerprint::Fingerprint;
use crate::identity::Signature;
use crate::primitive::Signing;
use crate::profile::Profile;

use super::author::{Authors, KnownAuthor};
use super::{ChainId, Running, Span, chain_id};

/// Most spans of one statement.
pub const MAX_SPANS: usize = 4_096;

/// Most spans of one provisional statement: readers keep those with each record they speak of.
pub const MAX_LIVE_SPANS: usize = 64;

/// Most changes of one span.
pub const MAX_SPAN_CHANGES: u64 = 1 << 20;

/// How much a statement makes of its changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Signed with Ed25519: good enough to work with at once.
    Provisional,
    /// Signed with the author's identity: a checkpoint.
    Final,
    /// Signed with an identity that took chains over which have no author: it vouches that it holds
    /// these changes, not that it made them. Its spans name the chains themselves.
    Adopted,
}

impl Standing {
    const fn number(self) -> u8 {
        match self {
            Self::Provisional => 1,
            Self::Final => 2,
            Self::Adopted => 3,
        }
    }

    /// Whether it is signed with the identity itself.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Provisional)
    }

    /// The chain that a span with this nonce is about.
    fn chain(self, author: Fingerprint, nonce: &[u8; 16]) -> ChainId {
        if self == Self::Adopted { *nonce } else { chain_id(author, nonce) }
    }

    const fn max_spans(self) -> usize {
        match self {
            Self::Provisional => MAX_LIVE_SPANS,
            Self::Final | Self::Adopted => MAX_SPANS,
        }
    }

    fn signature_bytes(self, profile: Profile) -> usize {
        match self {
            Self::Provisional => crate::ed25519::Ed25519::SIGNATURE_BYTES,
            Self::Final | Self::Adopted => Signature::size_bytes(profile),
        }
    }
}

/// A statement that was refused. What it speaks of is to be believed no more than without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Something else.
    #[error("not a statement about changes")]
    Kind,
    /// Written by a newer program.
    #[error("the statement has version {0}, which is not known")]
    Newer(u8),
    /// Cut off, or with something behind it, or a number that is not written in the one way it can
    /// be.
    #[error("the statement is cut off, or not in the one form it can have")]
    Form,
    /// No spans, more than [`MAX_SPANS`], or of a provisional statement [`MAX_LIVE_SPANS`], an empty one, one of more than [`MAX_SPAN_CHANGES`], or two
    /// that are not in ascending order of nonce and number, or one from the first change on with
    /// something before it.
    #[error("the statement's spans are not as they must be")]
    Spans,
    /// Of another profile than its author.
    #[error("the statement is of another profile than its author")]
    Profile,
    /// Nobody knows this author here.
    #[error("the statement's author is not known")]
    UnknownAuthor,
    /// The author's identity is revoked.
    #[error("the statement's author is revoked")]
    Revoked,
    /// The author has no key for provisional statements.
    #[error("the author makes no provisional statements")]
    NoLiveKey,
    /// It does not verify.
    #[error("the statement's signature does not verify")]
    Signature,
    /// More than [`MAX_AUTHORS`](super::MAX_AUTHORS).
    #[error("too many authors")]
    TooManyAuthors,
}

/// A statement whose signature is verified, or was made here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    standing: Standing,
    author: Fingerprint,
    time_ms: u64,
    spans: Vec<Span>,
    /// The chain of each span: whoever holds a statement against many records asks often.
    chains: Vec<ChainId>,
    bytes: Vec<u8>,
}

impl Statement {
    pub(super) fn make(
        standing: Standing,
        suite: u16,
        author: Fingerprint,
        time_ms: u64,
        spans: &[Span],
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<Self, StatementError> {
        let count = u16::try_from(spans.len()).map_err(|_| StatementError::Spans)?;
        check(standing, spans)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend([VERSION, standing.number()]);
        bytes.extend(suite.to_be_bytes());
        bytes.extend(author.to_bytes());
        bytes.extend(time_ms.to_be_bytes());
        bytes.extend(count.to_be_bytes());
        for span in spans {
            let start = Running::start(&standing.chain(author, &span.nonce));
            if span.first == 1 && span.before != start {
                return Err(StatementError::Spans);
            }
            put_span(span, &mut bytes);
        }
        let signature = sign(&bytes);
        bytes.extend(signature);
        Ok(Self::of(standing, author, time_ms, spans.to_vec(), bytes))
    }

    /// Reads a statement and verifies it. Nothing of an unverified one is given out.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn read(bytes: &[u8], authors: &Authors) -> Result<Self, StatementError> {
        let head = Head::read(bytes)?.0;
        Self::read_of(bytes, authors.author_at(head.author, head.time_ms)?)
    }

    /// Whom a statement claims to be signed by; nothing is verified.
    pub fn author_of(bytes: &[u8]) -> Result<Fingerprint, StatementError> {
        Ok(Head::read(bytes)?.0.author)
    }

    /// As [`Self::read`], of one author, whether revoked or not: for what was signed before.
    ///
    /// # Errors
    /// [`StatementError`].
    pub fn read_of(bytes: &[u8], author: &KnownAuthor) -> Result<Self, StatementError> {
        let (head, mut rest) = Head::read(bytes)?;
        let mut spans = Vec::new();
        for _ in 0..head.count {
            let (span, after) =
                read_span(rest, head.standing, author.fingerprint()).ok_or(StatementError::Form)?;
            spans.push(span);
            rest = after;
        }
        if rest.len() != head.standing.signature_bytes(head.profile) {
            return Err(StatementError::Form);
        }
        if author.fingerprint() != head.author {
            return Err(StatementError::UnknownAuthor);
        }
        if author.identity().profile() != head.profile {
            return Err(StatementError::Profile);
        }
        check(head.standing, &spans)?;
        let (text, signature) = bytes.split_at(bytes.len() - rest.len());
        author.verify(head.standing, text, signature)?;
        let (standing, author, time_ms) = (head.standing, head.author, head.time_ms);
        Ok(Self::of(standing, author, time_ms, spans, bytes.to_vec()))
    }

    fn of(
        standing: Standing,
        author: Fingerprint,
        time_ms: u64,
        spans: Vec<Span>,
        bytes: Vec<u8>,
    ) -> Self {
        let chains = spans.iter().map(|span| standing.chain(author, &span.nonce)).collect();
        Self { standing, author, time_ms, spans, chains, bytes }
    }

    /// How much it makes of its changes.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Who signed it.
    pub fn author(&self) -> Fingerprint {
        self.author
    }

    /// When, in milliseconds since 1970-01-01T00:00:00Z, by the signer's clock.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// What it is about, with the id of each span's chain.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = (ChainId, &Span)> {
        self.chains.iter().copied().zip(&self.spans)
    }

    /// The statement for formats.
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

struct Head {
    standing: Standing,
    profile: Profile,
    author: Fingerprint,
    time_ms: u64,
    count: usize,
}

impl Head {
    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), StatementError> {
        if !bytes.starts_with(MAGIC) {
            return Err(StatementError::Kind);
        }
        let cut = StatementError::Form;
        let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or(cut)?;
        let (_, head) = head.split_first_chunk::<3>().ok_or(cut)?;
        let (&[version, kind], head) = head.split_first_chunk().ok_or(cut)?;
        let (suite, head) = head.split_first_chunk().ok_or(cut)?;
        let (author, head) = head.split_first_chunk().ok_or(cut)?;
        let (time, head) = head.split_first_chunk().ok_or(cut)?;
        let (count, _) = head.split_first_chunk().ok_or(cut)?;
        if version != VERSION {
            return Err(StatementError::Newer(version));
        }
        let known = [Standing::Provisional, Standing::Final, Standing::Adopted];
        let standing = known.into_iter().find(|standing| standing.number() == kind);
        let standing = standing.ok_or(StatementError::Kind)?;
        let profile = Profile::of_suite(u16::from_be_bytes(*suite));
        let profile = profile.map_err(|_| StatementError::Profile)?;
        let count = usize::from(u16::from_be_bytes(*count));
        if count > standing.max_spans() {
            return Err(StatementError::Spans);
        }
        let (author, time_ms) = (Fingerprint::from_bytes(*author), u64::from_be_bytes(*time));
        Ok((Self { standing, profile, author, time_ms, count }, rest))
    }
}

fn put_span(span: &Span, out: &mut Vec<u8>) {
    out.extend(span.nonce);
    put_number(span.first, out);
    put_number(span.last, out);
    // Before its first change a chain has only one running hash.
    if span.first > 1 {
        out.extend(span.before.to_bytes());
    }
    out.extend(span.after.to_bytes());
}

fn read_span(bytes: &[u8], standing: Standing, author: Fingerprint) -> Option<(Span, &[u8])> {
    let (&nonce, rest) = bytes.split_first_chunk()?;
    let (first, rest) = read_number(rest)?;
    let (last, rest) = read_number(rest)?;
    let (before, rest) = if first > 1 {
        let (hash, rest) = rest.split_first_chunk()?;
        (Running(*hash), rest)
    } else {
        (Running::start(&standing.chain(author, &nonce)), rest)
    };
    let (after, rest) = rest.split_first_chunk()?;
    Some((Span { nonce, first, last, before, after: Running(*after) }, rest))
}

/// Unsigned LEB128, as in changes.
fn put_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The shortest form only.
fn read_number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (place, &byte) in bytes.iter().enumerate().take(10) {
        let bits = u64::from(byte & 0x7f);
        number |= bits << (7 * place);
        if byte & 0x80 == 0 {
            let is_short = place == 0 || byte != 0;
            let fits = place < 9 || byte <= 1;
            return (is_short && fits).then_some((number, bytes.get(place + 1..)?));
        }
    }
    None
}

/// One order of spans, so that no chain stands in a statement twice with two stories.
fn check(standing: Standing, spans: &[Span]) -> Result<(), StatementError> {
    let fits = |span: &Span| {
        let changes = span.last.checked_sub(span.first);
        span.first > 0 && changes.is_some_and(|changes| changes < MAX_SPAN_CHANGES)
    };
    let ascends = |pair: &[Span]| match pair {
        [one, two] => one.nonce < two.nonce || one.nonce == two.nonce && one.last < two.first,
        _ => true,
    };
    let is_sound = (1..=standing.max_spans()).contains(&spans.len())
        && spans.iter().all(fits)
        && spans.windows(2).all(ascends);
    if is_sound { Ok(()) } else { Err(StatementError::Spans) }
}

const MAGIC: &[u8] = b"CXS";
const VERSION: u8 = 1;
const HEAD_BYTES: usize = 3 + 1 + 1 + 2 + 32 + 8 + 2;
