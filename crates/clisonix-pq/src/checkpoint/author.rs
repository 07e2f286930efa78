//! Who signs changes, and whose signatures are known.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::digest::hkdf_sha256;
use crate::ed25519::Ed25519;
use crate::error::{KeyError, VerifyError};
use crate::fingerprint::Fingerprint;
use crate::form::{self, FormError};
use crate::identity::{Context, Identity, PublicIdentity, Signature, Verifier};
use crate::keys::same_profile;
use crate::primitive::Signing;
use crate::profile::Profile;
use crate::random::Random;
use crate::secret::Secret;
use crate::statement::{Revocation, signed, verify};

use super::statement::{Standing, Statement};
use super::{Span, StatementError};

/// Most authors that one node knows.
pub const MAX_AUTHORS: usize = 100_000;

/// An identity that signs changes.
///
/// The halves of a composite key must not sign anything alone, so provisional statements have an
/// Ed25519 key of their own, derived from the identity's seed. Of the profile `cnsa2` there is
/// none: its authors make checkpoints only.
pub struct Author {
    identity: Identity,
    live: Option<<Ed25519 as Signing>::Key>,
    known: KnownAuthor,
    statement: Option<LiveKey>,
}

impl Author {
    /// Derives the key for provisional statements and signs the statement about it. `made_ms` is in
    /// milliseconds since 1970-01-01T00:00:00Z.
    pub fn new(
        identity: Identity,
        made_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Self, KeyError> {
        let mut known = KnownAuthor::of(identity.public().clone(), None);
        if identity.profile() == Profile::Cnsa2 {
            return Ok(Self { identity, live: None, known, statement: None });
        }
        let mut derived = Ok(());
        let seed = Secret::<32>::filled(|bytes| {
            derived = hkdf_sha256(SALT, identity.seed(), &[], bytes);
        });
        derived?;
        let live = Ed25519::key(seed.expose())?;
        let statement = LiveKey::sign(&identity, &Ed25519::public(&live), made_ms, random)?;
        known.live = Some(statement.key);
        Ok(Self { identity, live: Some(live), known, statement: Some(statement) })
    }

    /// The identity that signs checkpoints, for what else its node signs.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// As others know it.
    pub fn known(&self) -> &KnownAuthor {
        &self.known
    }

    /// What stands for it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.known.fingerprint()
    }

    /// The statement that others get, once, over any way; none of the profile `cnsa2`.
    pub fn live_key(&self) -> Option<&LiveKey> {
        self.statement.as_ref()
    }

    /// Signs spans for immediate, provisional acceptance. `time_ms` is in milliseconds since
    /// 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`StatementError::NoLiveKey`] of the profile `cnsa2`; [`StatementError::Spans`].
    pub fn provisional(&self, spans: &[Span], time_ms: u64) -> Result<Statement, StatementError> {
        let live = self.live.as_ref().ok_or(StatementError::NoLiveKey)?;
        self.state(Standing::Provisional, spans, time_ms, |text| {
            let text = provisional_text(text);
            // Ed25519 takes nothing from the random source.
            Ed25519::sign(live, &[], &text, &mut |_: &mut [u8]| {}).unwrap_or_default()
        })
    }

    /// Signs spans for good. `time_ms` is in milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`StatementError::Spans`].
    pub fn checkpoint(
        &self,
        spans: &[Span],
        time_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Statement, StatementError> {
        self.state_for_good(Standing::Final, spans, time_ms, random)
    }

    /// Vouches for good for spans of chains that have no author: each `nonce` is the chain's id.
    /// `time_ms` is in milliseconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`StatementError::Spans`].
    pub fn adoption(
        &self,
        spans: &[Span],
        time_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Statement, StatementError> {
        self.state_for_good(Standing::Adopted, spans, time_ms, random)
    }

    fn state_for_good(
        &self,
        standing: Standing,
        spans: &[Span],
        time_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Statement, StatementError> {
        self.state(standing, spans, time_ms, |text| {
            self.identity.sign(CHECKPOINT, text, random).to_bytes().to_vec()
        })
    }

    fn state(
        &self,
        standing: Standing,
        spans: &[Span],
        time_ms: u64,
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<Statement, StatementError> {
        let (author, suite) = (self.fingerprint(), self.identity.profile().suite());
        Statement::make(standing, suite, author, time_ms, spans, sign)
    }
}

/// An author whose statements can be verified.
#[derive(Clone)]
pub struct KnownAuthor {
    identity: PublicIdentity,
    name: Fingerprint,
    live: Option<[u8; 32]>,
    /// Made when the first checkpoint comes.
    verifier: Arc<OnceLock<Option<Verifier>>>,
}

impl KnownAuthor {
    /// An identity that was compared; `live_key` is its [`LiveKey`] statement, if it has one.
    pub fn new(identity: PublicIdentity, live_key: Option<&[u8]>) -> Result<Self, FormError> {
        let live = live_key.map(|text| LiveKey::from_text(text, &identity)).transpose()?;
        Ok(Self::of(identity, live.map(|live| live.key)))
    }

    fn of(identity: PublicIdentity, live: Option<[u8; 32]>) -> Self {
        let name = identity.fingerprint();
        Self { identity, name, live, verifier: Arc::default() }
    }

    /// The identity.
    pub fn identity(&self) -> &PublicIdentity {
        &self.identity
    }

    /// What stands for it.
    pub fn fingerprint(&self) -> Fingerprint {
        self.name
    }

    /// Verifies the signature of a statement over `text`.
    pub(super) fn verify(
        &self,
        standing: Standing,
        text: &[u8],
        signature: &[u8],
    ) -> Result<(), StatementError> {
        let wrong = |_: VerifyError| StatementError::Signature;
        match standing {
            Standing::Provisional => {
                let live = self.live.as_ref().ok_or(StatementError::NoLiveKey)?;
                Ed25519::verify(live, &[], &provisional_text(text), signature).map_err(wrong)
            }
            Standing::Final | Standing::Adopted => {
                let signature = Signature::from_bytes(signature);
                let verifier = self.verifier.get_or_init(|| self.identity.verifier().ok());
                let verifier = verifier.as_ref().ok_or(StatementError::Signature)?;
                verifier.verify(CHECKPOINT, text, &signature).map_err(wrong)
            }
        }
    }
}

impl PartialEq for KnownAuthor {
    fn eq(&self, other: &Self) -> bool {
        (&self.identity, self.live) == (&other.identity, other.live)
    }
}

impl Eq for KnownAuthor {}

impl fmt::Debug for KnownAuthor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownAuthor").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The authors that are known, and those that are believed no more.
#[derive(Clone, Debug, Default)]
pub struct Authors {
    listed: BTreeMap<Fingerprint, KnownAuthor>,
    /// Those who are believed no more: what they signed up to a time is, if there is one.
    revoked: BTreeMap<Fingerprint, Option<u64>>,
}

impl Authors {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an author, or takes a newer key of one.
    ///
    /// # Errors
    /// [`StatementError::TooManyAuthors`].
    pub fn add(&mut self, author: KnownAuthor) -> Result<(), StatementError> {
        let name = author.fingerprint();
        if self.listed.len() >= MAX_AUTHORS && !self.listed.contains_key(&name) {
            return Err(StatementError::TooManyAuthors);
        }
        self.listed.insert(name, author);
        Ok(())
    }

    /// Refuses what an identity signs from now on, whatever date it gives.
    pub fn revoke(&mut self, revocation: &Revocation) {
        self.revoked.insert(revocation.key(), None);
    }

    /// Believes only what an identity says that it signed up to a time, in milliseconds since
    /// 1970-01-01T00:00:00Z: its key was given up then, and nobody else had it. What it signed before
    /// still comes from others. An identity that was revoked stays so.
    pub fn revoke_after(&mut self, name: Fingerprint, until_ms: u64) {
        let held = self.revoked.entry(name).or_insert(Some(until_ms));
        *held = held.map(|held| held.min(until_ms));
    }

    /// An author that is known, revoked or not: for what was signed before.
    pub fn known(&self, name: Fingerprint) -> Option<&KnownAuthor> {
        self.listed.get(&name)
    }

    /// An author that is known and not revoked, for something that it says it signed at a time.
    pub fn author_at(
        &self,
        name: Fingerprint,
        time_ms: u64,
    ) -> Result<&KnownAuthor, StatementError> {
        if self.revoked.get(&name).is_some_and(|until| until.is_none_or(|until| time_ms > until)) {
            return Err(StatementError::Revoked);
        }
        self.listed.get(&name).ok_or(StatementError::UnknownAuthor)
    }
}

/// A statement of an identity about the key of its provisional statements, as a file that anybody
/// may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveKey {
    made_ms: u64,
    key: [u8; 32],
    text: String,
}

impl LiveKey {
    pub(super) fn sign(
        identity: &Identity,
        key: &[u8],
        made_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Self, KeyError> {
        let lines = [
            ("made", &*made_ms.to_string()),
            ("key", &*identity.public().fingerprint().hexadecimal()),
            ("live", &*form::to_base64(key)),
        ];
        let text = signed(KIND, &lines, identity, VOUCH, random);
        Ok(Self { made_ms, key: KeyError::sized(WHAT, key)?, text })
    }

    /// Reads a statement and verifies that `identity` signed it.
    pub fn from_text(bytes: &[u8], identity: &PublicIdentity) -> Result<Self, FormError> {
        let [made, by, key, signature] =
            form::read(bytes, KIND, ["made", "key", "live", "signature"])?;
        verify(bytes, form::fingerprint("key", by)?, signature, identity, VOUCH)?;
        same_profile(Profile::Hybrid, identity.profile())?;
        Ok(Self {
            made_ms: form::number("made", made)?,
            key: KeyError::sized(WHAT, &form::base64("live", key)?)?,
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// When it was signed, in milliseconds since 1970-01-01T00:00:00Z, by the signer's clock.
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// The public Ed25519 key.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The statement as a file.
    pub fn to_text(&self) -> &str {
        &self.text
    }
}

/// Ed25519 has no context, so what is signed says what it is.
fn provisional_text(text: &[u8]) -> Vec<u8> {
    [PROVISIONAL, text].concat()
}

const KIND: &str = "clisonix live key";
const WHAT: &str = "public key of provisional statements";
const VOUCH: Context = Context::new("clisonix live key 1");
const SALT: &[u8] = b"clisonix live key 1";
const PROVISIONAL: &[u8] = b"clisonix provisional 1\0";
const CHECKPOINT: Context = Context::new("clisonix checkpoint 1");
