//! HPKE, mode Base, one message (RFC 9180 with the KEMs of draft-ietf-hpke-pq): seals small secrets
//! such as file keys to a recipient.
//!
//! | profile | KEM | KDF | AEAD |
//! |---|---|---|---|
//! | `hybrid` | X-Wing, 0x647a | HKDF-SHA256, 1 | ChaCha20-Poly1305, 3 |
//! | `cnsa2` | ML-KEM-1024, 0x0042 | HKDF-SHA384, 2 | AES-256-GCM, 2 |
//!
//! The first row is what age's `mlkem768x25519` stanza uses. HPKE tells nothing of who sealed.

use zeroize::Zeroizing;

use crate::aead::{Aes256Gcm, ChaCha20Poly1305, NONCE_BYTES, TAG_BYTES};
use crate::digest::{self, Hash};
use crate::error::{DecryptError, KeyError};
use crate::profile::Profile;
use crate::random::Random;
use crate::recipient::{PublicRecipient, RecipientKey};
use crate::secret::Secret;

/// One message to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What the recipient's key turns into the shared secret, `enc` of RFC 9180.
    pub encapsulated: Vec<u8>,
    /// The cipher text, then its tag of 16 bytes.
    pub ciphertext: Vec<u8>,
}

/// Seals `plaintext` to a recipient. `info` and `aad` are not sealed, but opening needs the same.
pub fn seal(
    recipient: &PublicRecipient,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    random: &mut dyn Random,
) -> Result<Sealed, KeyError> {
    let (encapsulated, shared) = recipient.encapsulate(random)?;
    let mut session = Session::new(recipient.profile(), &shared, info)?;
    Ok(Sealed { encapsulated, ciphertext: session.seal(aad, plaintext) })
}

/// Opens what was sealed to this key with the same `info` and `aad`.
pub fn open(
    key: &RecipientKey,
    encapsulated: &[u8],
    info: &[u8],
    aad: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let shared = key.decapsulate(encapsulated)?;
    let session = Session::new(key.profile(), &shared, info);
    session.map_err(|_| DecryptError::Rejected)?.open(aad, ciphertext)
}

/// What both sides derive from the shared secret: messages in order, and secrets for other uses.
pub struct Session {
    aead: Cipher,
    base_nonce: [u8; NONCE_BYTES],
    sequence: u64,
    suite: Suite,
    exporter: Zeroizing<Vec<u8>>,
}

enum Cipher {
    ChaCha20Poly1305(ChaCha20Poly1305),
    Aes256Gcm(Aes256Gcm),
}

impl Session {
    /// Starts from a shared secret, `KeySchedule` of RFC 9180 section 5.1 with mode Base.
    pub fn new(profile: Profile, shared: &Secret<32>, info: &[u8]) -> Result<Self, KeyError> {
        let suite = Suite::of(profile);
        let mut context = vec![MODE_BASE];
        context.extend_from_slice(&suite.extract(&[], "psk_id_hash", &[]));
        context.extend_from_slice(&suite.extract(&[], "info_hash", info));
        let secret = suite.extract(shared.expose(), "secret", &[]);
        let mut key = Zeroizing::new([0; 32]);
        suite.expand(&secret, "key", &context, &mut *key)?;
        let mut base_nonce = [0; NONCE_BYTES];
        suite.expand(&secret, "base_nonce", &context, &mut base_nonce)?;
        let mut exporter = Zeroizing::new(vec![0; suite.hash.bytes()]);
        suite.expand(&secret, "exp", &context, &mut exporter)?;
        let aead = match profile {
            Profile::Hybrid => Cipher::ChaCha20Poly1305(ChaCha20Poly1305::with_key(&key)),
            Profile::Cnsa2 => Cipher::Aes256Gcm(Aes256Gcm::with_key(&key)),
        };
        Ok(Self { aead, base_nonce, sequence: 0, suite, exporter })
    }

    /// Seals the next message.
    pub fn seal(&mut self, aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let nonce = self.next_nonce();
        let mut text = Vec::with_capacity(plaintext.len() + TAG_BYTES);
        text.extend_from_slice(plaintext);
        let tag = match &self.aead {
            Cipher::ChaCha20Poly1305(key) => key.seal_in_place(&nonce, aad, &mut text),
            Cipher::Aes256Gcm(key) => key.seal_in_place(&nonce, aad, &mut text),
        };
        text.extend_from_slice(&tag);
        text
    }

    /// Opens the next message. One that does not open leaves the order as it was.
    pub fn open(
        &mut self,
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let (text, tag) = ciphertext.split_last_chunk().ok_or(DecryptError::Rejected)?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = self.nonce();
        match &self.aead {
            Cipher::ChaCha20Poly1305(key) => key.open_in_place(&nonce, aad, &mut text, tag)?,
            Cipher::Aes256Gcm(key) => key.open_in_place(&nonce, aad, &mut text, tag)?,
        }
        self.sequence += 1;
        Ok(text)
    }

    /// A secret for another use, which `context` names (RFC 9180 section 5.3).
    pub fn export(&self, context: &[u8], output: &mut [u8]) -> Result<(), KeyError> {
        self.suite.expand(&self.exporter, "sec", context, output)
    }

    fn next_nonce(&mut self) -> [u8; NONCE_BYTES] {
        let nonce = self.nonce();
        self.sequence += 1;
        nonce
    }

    /// The base nonce with the sequence number added without carry, `ComputeNonce`.
    fn nonce(&self) -> [u8; NONCE_BYTES] {
        let mut nonce = self.base_nonce;
        let number = self.sequence.to_be_bytes();
        nonce.iter_mut().rev().zip(number.iter().rev()).for_each(|(own, byte)| *own ^= byte);
        nonce
    }
}

const MODE_BASE: u8 = 0;

/// The numbers of a profile's row in the table above.
struct Suite {
    hash: Hash,
    id: [u8; 10],
}

impl Suite {
    fn of(profile: Profile) -> Self {
        match profile {
            Profile::Hybrid => Self { hash: Hash::Sha256, id: *b"HPKE\x64\x7a\0\x01\0\x03" },
            Profile::Cnsa2 => Self { hash: Hash::Sha384, id: *b"HPKE\0\x42\0\x02\0\x02" },
        }
    }

    /// `LabeledExtract` of RFC 9180 section 4.
    fn extract(&self, salt: &[u8], label: &str, secret: &[u8]) -> Zeroizing<Vec<u8>> {
        digest::extract(self.hash, salt, &[VERSION, &self.id, label.as_bytes(), secret])
    }

    /// `LabeledExpand` of RFC 9180 section 4.
    fn expand(
        &self,
        secret: &[u8],
        label: &str,
        info: &[u8],
        output: &mut [u8],
    ) -> Result<(), KeyError> {
        // Beyond 65,535 bytes HKDF refuses anyway.
        let length = u16::try_from(output.len()).unwrap_or(u16::MAX).to_be_bytes();
        let info: &[&[u8]] = &[&length, VERSION, &self.id, label.as_bytes(), info];
        digest::expand(self.hash, secret, info, output)
    }
}

const VERSION: &[u8] = b"HPKE-v1";
