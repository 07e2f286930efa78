//! Secret keys at rest: seeds, wrapped under a pass-phrase (`docs/formats/key.md`).

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use crate::aead::{Aes256Gcm, ChaCha20Poly1305, NONCE_BYTES, TAG_BYTES};
use crate::digest::equal_in_constant_time;
use crate::error::KeyError;
use crate::form::{self, FormError};
use crate::identity::Identity;
use crate::keys::Keys;
use crate::profile::Profile;
use crate::random::Random;
use crate::recipient::RecipientKey;

/// What it costs to try a pass-phrase (argon2id, RFC 9106).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes, which could run at once.
    pub lanes: u32,
}

impl Cost {
    /// 256 MiB and three passes, about 0.8 s.
    pub const STANDARD: Self = Self { memory_kib: 256 * 1024, passes: 3, lanes: 1 };

    /// The most that a file may ask for: a hostile one must not take a machine down.
    pub const MAX: Self = Self { memory_kib: 1024 * 1024, passes: 10, lanes: 8 };

    fn params(self) -> Result<Params, FormError> {
        let within = self.memory_kib <= Self::MAX.memory_kib
            && self.passes <= Self::MAX.passes
            && self.lanes <= Self::MAX.lanes;
        if !within {
            return Err(FormError::Cost);
        }
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(DERIVED_BYTES));
        params.map_err(|_| FormError::Value("kdf"))
    }

    pub(crate) fn to_text(self) -> String {
        format!("argon2id {} {} {}", self.memory_kib, self.passes, self.lanes)
    }

    pub(crate) fn from_text(text: &str) -> Result<Self, FormError> {
        let wrong = FormError::Value("kdf");
        let numbers = text.strip_prefix("argon2id ").ok_or(wrong)?;
        let mut numbers = numbers.split(' ').map(|text| {
            form::number("kdf", text).and_then(|number| u32::try_from(number).map_err(|_| wrong))
        });
        let mut next = || numbers.next().unwrap_or(Err(wrong));
        let cost = Self { memory_kib: next()?, passes: next()?, lanes: next()? };
        if numbers.next().is_some() { Err(wrong) } else { Ok(cost) }
    }
}

/// Wraps secret keys under a pass-phrase, as the text of a file that only its owner may read.
pub fn wrap(
    keys: &Keys,
    pass_phrase: &[u8],
    cost: Cost,
    random: &mut dyn Random,
) -> Result<String, FormError> {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    let derived = Derived::new(pass_phrase, &salt, cost)?;
    let lines = [
        ("name", keys.name()),
        ("made", &keys.made_ms().to_string()),
        ("profile", keys.profile().name()),
        ("sign", &keys.identity().public().fingerprint().hexadecimal()),
        ("kdf", &cost.to_text()),
        ("salt", &form::to_base64(&salt)),
        ("commitment", &form::to_base64(derived.commitment())),
    ];
    let mut text = form::write(KIND, &lines);
    let seeds = Zeroizing::new([keys.identity().seed(), keys.recipient().seed()].concat());
    derived.seal(keys.profile(), &mut text, &seeds);
    Ok(text)
}

/// Opens what [`wrap`] made.
pub fn unwrap(file: &[u8], pass_phrase: &[u8]) -> Result<Keys, FormError> {
    let head = Head::read(file)?;
    let derived = Derived::again(pass_phrase, &head.salt, head.cost, &head.commitment)?;
    let seeds = derived.open(head.profile, file, &head.sealed)?;
    let (sign, open) =
        seeds.split_at_checked(Identity::seed_bytes(head.profile)).ok_or(FormError::Damaged)?;
    let identity = Identity::from_seed(head.profile, sign)?;
    let recipient = RecipientKey::from_seed(head.profile, open)?;
    if identity.public().fingerprint().hexadecimal() != head.sign {
        return Err(FormError::Damaged);
    }
    Keys::new(head.name, head.made_ms, identity, recipient)
}

/// The lines of a file, read.
struct Head<'a> {
    name: &'a str,
    made_ms: u64,
    profile: Profile,
    sign: &'a str,
    cost: Cost,
    salt: [u8; SALT_BYTES],
    commitment: Vec<u8>,
    sealed: Vec<u8>,
}

impl<'a> Head<'a> {
    fn read(file: &'a [u8]) -> Result<Self, FormError> {
        let names = ["name", "made", "profile", "sign", "kdf", "salt", "commitment", "sealed"];
        let [name, made, profile, sign, kdf, salt, commitment, sealed] =
            form::read(file, KIND, names)?;
        let salt = form::base64("salt", salt)?;
        Ok(Self {
            name: form::name(name)?,
            made_ms: form::number("made", made)?,
            profile: form::profile(profile)?,
            sign,
            cost: Cost::from_text(kdf)?,
            salt: KeyError::sized("salt", &salt)?,
            commitment: form::base64("commitment", commitment)?,
            sealed: form::base64("sealed", sealed)?,
        })
    }
}

/// What a pass-phrase becomes: a key, then a commitment to it.
pub(crate) struct Derived(Zeroizing<[u8; DERIVED_BYTES]>);

impl Derived {
    pub(crate) fn new(pass_phrase: &[u8], salt: &[u8], cost: Cost) -> Result<Self, FormError> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params()?);
        let mut derived = Zeroizing::new([0; DERIVED_BYTES]);
        let done = argon2.hash_password_into(pass_phrase, salt, &mut *derived);
        done.map_err(|_| FormError::Cost)?;
        Ok(Self(derived))
    }

    /// As [`Self::new`], for what is under a pass-phrase already; the AEADs do not commit to their
    /// key, so the commitment decides whether it is this one.
    pub(crate) fn again(
        pass_phrase: &[u8],
        salt: &[u8],
        cost: Cost,
        commitment: &[u8],
    ) -> Result<Self, FormError> {
        let derived = Self::new(pass_phrase, salt, cost)?;
        if equal_in_constant_time(derived.commitment(), commitment) {
            Ok(derived)
        } else {
            Err(FormError::PassPhrase)
        }
    }

    fn halves(&self) -> (&[u8; 32], &[u8; 32]) {
        match self.0.as_chunks::<32>() {
            ([key, commitment], _) => (key, commitment),
            _ => unreachable!("64 bytes have two halves"),
        }
    }

    pub(crate) fn commitment(&self) -> &[u8; 32] {
        self.halves().1
    }

    fn key(&self) -> &[u8; 32] {
        self.halves().0
    }

    /// Adds the last line to a file: the secret, bound to all lines before. The nonce is always
    /// zeros: a salt is never used twice, so neither is a key.
    pub(crate) fn seal(&self, profile: Profile, text: &mut String, secret: &[u8]) {
        let (key, about) = (self.key(), text.as_bytes());
        let mut sealed = Zeroizing::new(Vec::with_capacity(secret.len() + TAG_BYTES));
        sealed.extend_from_slice(secret);
        let tag = match profile {
            Profile::Hybrid => {
                ChaCha20Poly1305::with_key(key).seal_in_place(&NONCE, about, &mut sealed)
            }
            Profile::Cnsa2 => Aes256Gcm::with_key(key).seal_in_place(&NONCE, about, &mut sealed),
        };
        sealed.extend_from_slice(&tag);
        text.push_str(&form::line(SEALED, &form::to_base64(&sealed)));
    }

    /// The secret of a file, whose last line says `sealed`.
    pub(crate) fn open(
        &self,
        profile: Profile,
        file: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, FormError> {
        let (key, about) = (self.key(), form::before_last_line(file));
        let (text, tag) = sealed.split_last_chunk().ok_or(FormError::Value(SEALED))?;
        let mut secret = Zeroizing::new(text.to_vec());
        let opened = match profile {
            Profile::Hybrid => {
                ChaCha20Poly1305::with_key(key).open_in_place(&NONCE, about, &mut secret, tag)
            }
            Profile::Cnsa2 => {
                Aes256Gcm::with_key(key).open_in_place(&NONCE, about, &mut secret, tag)
            }
        };
        opened.map_err(|_| FormError::Damaged)?;
        Ok(secret)
    }
}

const KIND: &str = "clisonix secret key";
const SEALED: &str = "sealed";
pub(crate) const SALT_BYTES: usize = 16;
const DERIVED_BYTES: usize = 64;
const NONCE: [u8; NONCE_BYTES] = [0; NONCE_BYTES];
