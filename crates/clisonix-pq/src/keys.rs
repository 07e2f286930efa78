//! The keys of a site or a person: an identity that signs and a key that opens, under one name.

use crate::error::KeyError;
use crate::fingerprint::Fingerprint;
use crate::form::{self, FormError};
use crate::identity::{Context, Identity, PublicIdentity, Signature};
use crate::profile::Profile;
use crate::random::Random;
use crate::recipient::{PublicRecipient, RecipientKey};

/// Secret keys, both of one profile.
pub struct Keys {
    name: String,
    made_ms: u64,
    identity: Identity,
    recipient: RecipientKey,
}

impl Keys {
    /// New keys. `made_ms` is in milliseconds since 1970-01-01T00:00:00Z; for the name see
    /// `docs/formats/key.md`.
    pub fn generate(
        profile: Profile,
        name: &str,
        made_ms: u64,
        random: &mut dyn Random,
    ) -> Result<Self, FormError> {
        let identity = Identity::generate(profile, random)?;
        let recipient = RecipientKey::generate(profile, random)?;
        Self::new(name, made_ms, identity, recipient)
    }

    pub(crate) fn new(
        name: &str,
        made_ms: u64,
        identity: Identity,
        recipient: RecipientKey,
    ) -> Result<Self, FormError> {
        same_profile(identity.profile(), recipient.profile())?;
        Ok(Self { name: form::name(name)?.to_owned(), made_ms, identity, recipient })
    }

    /// Their name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When they were made, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// The key that signs.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The key that opens.
    pub fn recipient(&self) -> &RecipientKey {
        &self.recipient
    }

    /// The profile of both.
    pub fn profile(&self) -> Profile {
        self.identity.profile()
    }

    /// What others get. The identity signs it, which binds the name and the recipient key to it.
    pub fn public(&self, random: &mut dyn Random) -> PublicKeys {
        let made = self.made_ms.to_string();
        let (identity, recipient) = (self.identity.public(), self.recipient.public());
        let (sign, open) = (identity.to_bytes(), recipient.to_bytes());
        let lines = [
            ("name", &*self.name),
            ("made", &*made),
            ("profile", self.profile().name()),
            ("sign", &*form::to_base64(&sign)),
            ("open", &*form::to_base64(&open)),
        ];
        let mut text = form::write(KIND, &lines);
        let signature = self.identity.sign(PUBLIC, text.as_bytes(), random);
        text.push_str(&form::line("signature", &form::to_base64(signature.to_bytes())));
        PublicKeys {
            name: self.name.clone(),
            made_ms: self.made_ms,
            identity: identity.clone(),
            recipient: recipient.clone(),
            text,
        }
    }
}

/// Public keys, as one file that anybody may have. Whose they are is told by comparing the
/// fingerprint over another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    name: String,
    made_ms: u64,
    identity: PublicIdentity,
    recipient: PublicRecipient,
    text: String,
}

impl PublicKeys {
    /// Reads a public file and verifies that it is signed by the identity in it.
    pub fn from_text(bytes: &[u8]) -> Result<Self, FormError> {
        let names = ["name", "made", "profile", "sign", "open", "signature"];
        let [name, made, profile, sign, open, signature] = form::read(bytes, KIND, names)?;
        let profile = form::profile(profile)?;
        let identity = PublicIdentity::from_bytes(&form::base64("sign", sign)?)?;
        let recipient = PublicRecipient::from_bytes(&form::base64("open", open)?)?;
        same_profile(profile, identity.profile())?;
        same_profile(profile, recipient.profile())?;
        let signature = Signature::from_bytes(&form::base64("signature", signature)?);
        identity.verify(PUBLIC, form::before_last_line(bytes), &signature)?;
        Ok(Self {
            name: form::name(name)?.to_owned(),
            made_ms: form::number("made", made)?,
            identity,
            recipient,
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    /// The public file.
    pub fn to_text(&self) -> &str {
        &self.text
    }

    /// The name its owner gave it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the keys were made, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// Whose signatures these keys verify.
    pub fn identity(&self) -> &PublicIdentity {
        &self.identity
    }

    /// To whom they seal.
    pub fn recipient(&self) -> &PublicRecipient {
        &self.recipient
    }

    /// The profile of both.
    pub fn profile(&self) -> Profile {
        self.identity.profile()
    }

    /// What people compare: the fingerprint of the identity, which has signed the rest.
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }
}

pub(crate) fn same_profile(expected: Profile, given: Profile) -> Result<(), KeyError> {
    if expected == given { Ok(()) } else { Err(KeyError::Profile { given, expected }) }
}

const KIND: &str = "clisonix public key";
const PUBLIC: Context = Context::new("clisonix public key 1");
