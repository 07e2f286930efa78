//! What became of keys and shares, signed with the keys: a succession names the keys that follow, a
//! revocation says that no signature is to be believed, a withdrawal takes one share back.

use std::fmt;
use std::str::FromStr;

use crate::fingerprint::Fingerprint;
use crate::form::{self, FormError};
use crate::identity::{Context, Identity, PublicIdentity, Signature};
use crate::keys::{PublicKeys, same_profile};
use crate::random::Random;
use crate::share::ShareId;

/// A statement of an identity that other keys follow its own. Who trusts the old ones may trust
/// the new ones; the old ones go on opening what was sealed to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    made_ms: u64,
    old: Fingerprint,
    new: Fingerprint,
    open: Fingerprint,
    text: String,
}

impl Succession {
    /// Signs that `new` follows `old`. Both are of one profile: a change of profile needs new
    /// trust.
    pub fn sign(
        old: &Identity,
        new: &PublicKeys,
        made_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Self, FormError> {
        same_profile(old.profile(), new.profile())?;
        let (from, to) = (old.public().fingerprint(), new.fingerprint());
        let open = new.recipient().fingerprint();
        let lines = [
            ("made", &*made_ms.to_string()),
            ("old", &*from.hexadecimal()),
            ("new", &*to.hexadecimal()),
            ("open", &*open.hexadecimal()),
        ];
        let text = signed(SUCCESSION, &lines, old, SUCCEED, random);
        Ok(Self { made_ms, old: from, new: to, open, text })
    }

    /// Reads a statement and verifies that `old` signed it about itself.
    pub fn from_text(bytes: &[u8], old: &PublicIdentity) -> Result<Self, FormError> {
        let names = ["made", "old", "new", "open", "signature"];
        let [made, from, to, open, signature] = form::read(bytes, SUCCESSION, names)?;
        let from = form::fingerprint("old", from)?;
        verify(bytes, from, signature, old, SUCCEED)?;
        Ok(Self {
            made_ms: form::number("made", made)?,
            old: from,
            new: form::fingerprint("new", to)?,
            open: form::fingerprint("open", open)?,
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// Whether these are the keys that follow.
    pub fn names(&self, keys: &PublicKeys) -> bool {
        self.new == keys.fingerprint() && self.open == keys.recipient().fingerprint()
    }

    /// When it was signed, in milliseconds since 1970-01-01T00:00:00Z, by the signer's clock.
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// The identity that signed it.
    pub fn predecessor(&self) -> Fingerprint {
        self.old
    }

    /// The identity that follows.
    pub fn successor(&self) -> Fingerprint {
        self.new
    }

    /// The statement as a file.
    pub fn to_text(&self) -> &str {
        &self.text
    }
}

/// Why keys are revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Others may have the secret: nothing signed after the statement's time is to be believed,
    /// and nothing before it without another proof of its time.
    Compromised,
    /// Other keys took their place.
    Superseded,
    /// They are not used any more.
    Retired,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Compromised, Self::Superseded, Self::Retired];

    /// Its word in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::Superseded => "superseded",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Reason {
    type Err = FormError;

    fn from_str(name: &str) -> Result<Self, FormError> {
        let known = Self::ALL.into_iter().find(|reason| reason.name() == name);
        known.ok_or(FormError::Value("reason"))
    }
}

/// A statement of an identity that it is not to be believed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    made_ms: u64,
    key: Fingerprint,
    reason: Reason,
    text: String,
}

impl Revocation {
    /// Signs it.
    pub fn sign(
        identity: &Identity,
        reason: Reason,
        made_ms: u64,
        random: &mut dyn Random,
    ) -> Self {
        let key = identity.public().fingerprint();
        let lines = [
            ("made", &*made_ms.to_string()),
            ("key", &*key.hexadecimal()),
            ("reason", reason.name()),
        ];
        let text = signed(REVOCATION, &lines, identity, REVOKE, random);
        Self { made_ms, key, reason, text }
    }

    /// Reads a statement and verifies that `identity` signed it about itself.
    pub fn from_text(bytes: &[u8], identity: &PublicIdentity) -> Result<Self, FormError> {
        let names = ["made", "key", "reason", "signature"];
        let [made, key, reason, signature] = form::read(bytes, REVOCATION, names)?;
        let key = form::fingerprint("key", key)?;
        verify(bytes, key, signature, identity, REVOKE)?;
        Ok(Self {
            made_ms: form::number("made", made)?,
            key,
            reason: reason.parse()?,
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// When it was signed, in milliseconds since 1970-01-01T00:00:00Z, by the signer's clock.
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// The identity that is revoked.
    pub fn key(&self) -> Fingerprint {
        self.key
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The statement as a file.
    pub fn to_text(&self) -> &str {
        &self.text
    }
}

/// A statement of an issuer that a share of its own is not to be opened any more. It binds honest
/// readers from when they have it: what was opened before stays opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    made_ms: u64,
    issuer: Fingerprint,
    share: ShareId,
    text: String,
}

impl Withdrawal {
    /// Signs it.
    pub fn sign(issuer: &Identity, share: ShareId, made_ms: u64, random: &mut dyn Random) -> Self {
        let key = issuer.public().fingerprint();
        let lines = [
            ("made", &*made_ms.to_string()),
            ("key", &*key.hexadecimal()),
            ("share", &*share.to_string()),
        ];
        let text = signed(WITHDRAWAL, &lines, issuer, WITHDRAW, random);
        Self { made_ms, issuer: key, share, text }
    }

    /// Reads a statement and verifies that `issuer` signed it.
    pub fn from_text(bytes: &[u8], issuer: &PublicIdentity) -> Result<Self, FormError> {
        let names = ["made", "key", "share", "signature"];
        let [made, key, share, signature] = form::read(bytes, WITHDRAWAL, names)?;
        let key = form::fingerprint("key", key)?;
        verify(bytes, key, signature, issuer, WITHDRAW)?;
        Ok(Self {
            made_ms: form::number("made", made)?,
            issuer: key,
            share: share.parse().map_err(|_| FormError::Value("share"))?,
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// When it was signed, in milliseconds since 1970-01-01T00:00:00Z, by the signer's clock.
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// The identity that signed it, whose shares alone it can take back.
    pub fn issuer(&self) -> Fingerprint {
        self.issuer
    }

    /// The share that is taken back.
    pub fn share(&self) -> ShareId {
        self.share
    }

    /// The statement as a file.
    pub fn to_text(&self) -> &str {
        &self.text
    }
}

/// The text of a statement and its last line, the signature.
pub(crate) fn signed(
    kind: &str,
    lines: &[(&str, &str)],
    by: &Identity,
    context: Context,
    random: &mut dyn Random,
) -> String {
    let text = form::write(kind, lines);
    let signature = by.sign(context, text.as_bytes(), random);
    text + &form::line("signature", &form::to_base64(signature.to_bytes()))
}

/// Verifies the last line of a statement of an identity about itself.
pub(crate) fn verify(
    bytes: &[u8],
    about: Fingerprint,
    signature: &str,
    by: &PublicIdentity,
    context: Context,
) -> Result<(), FormError> {
    if about != by.fingerprint() {
        return Err(FormError::OtherKey);
    }
    let signature = Signature::from_bytes(&form::base64("signature", signature)?);
    Ok(by.verify(context, form::before_last_line(bytes), &signature)?)
}

const SUCCESSION: &str = "clisonix succession";
const SUCCEED: Context = Context::new("clisonix succession 1");
const REVOCATION: &str = "clisonix revocation";
const REVOKE: Context = Context::new("clisonix revocation 1");
const WITHDRAWAL: &str = "clisonix withdrawal";
const WITHDRAW: Context = Context::new("clisonix withdrawal 1");
