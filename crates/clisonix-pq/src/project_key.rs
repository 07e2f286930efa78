//! The key of a research project: what makes its pseudonyms, wrapped like other secret keys
//! (`docs/formats/key.md`).

use crate::aead::TAG_BYTES;
use crate::digest::hmac_sha256;
use crate::error::KeyError;
use crate::form::{self, FormError};
use crate::key_file::{Cost, Derived, SALT_BYTES};
use crate::profile::Profile;
use crate::random::Random;
use crate::secret::Secret;

/// A secret of one project. Whoever has it can find out whom a pseudonym means by trying all ids,
/// so it never leaves the house; two projects have two keys, so that nobody can join what they gave.
pub struct ProjectKey {
    name: String,
    made_ms: u64,
    key: Secret<KEY_BYTES>,
}

impl ProjectKey {
    /// A new key. `made_ms` is in milliseconds since 1970-01-01T00:00:00Z; for the name see
    /// `docs/formats/key.md`.
    pub fn generate(name: &str, made_ms: u64, random: &mut dyn Random) -> Result<Self, FormError> {
        let name = form::name(name)?.to_owned();
        Ok(Self { name, made_ms, key: Secret::generate(random) })
    }

    /// The project's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the key was made, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn made_ms(&self) -> u64 {
        self.made_ms
    }

    /// The 32 bytes that belong to a message: HMAC-SHA256 under the key.
    pub fn keyed(&self, message: &[u8]) -> [u8; 32] {
        hmac_sha256(self.key.expose(), message)
    }

    /// Wraps it under a pass-phrase, as the text of a file that only its owner may read.
    pub fn wrap(
        &self,
        pass_phrase: &[u8],
        cost: Cost,
        random: &mut dyn Random,
    ) -> Result<String, FormError> {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        let derived = Derived::new(pass_phrase, &salt, cost)?;
        let lines = [
            ("name", &*self.name),
            ("made", &self.made_ms.to_string()),
            ("kdf", &cost.to_text()),
            ("salt", &form::to_base64(&salt)),
            ("commitment", &form::to_base64(derived.commitment())),
        ];
        let mut text = form::write(KIND, &lines);
        derived.seal(Profile::Hybrid, &mut text, self.key.expose());
        Ok(text)
    }

    /// Opens what [`Self::wrap`] made.
    pub fn unwrap(file: &[u8], pass_phrase: &[u8]) -> Result<Self, FormError> {
        let names = ["name", "made", "kdf", "salt", "commitment", "sealed"];
        let [name, made, kdf, salt, commitment, sealed] = form::read(file, KIND, names)?;
        let (name, made_ms) = (form::name(name)?, form::number("made", made)?);
        let salt: [u8; SALT_BYTES] = KeyError::sized("salt", &form::base64("salt", salt)?)?;
        let commitment = form::base64("commitment", commitment)?;
        let sealed = form::base64("sealed", sealed)?;
        if sealed.len() != KEY_BYTES + TAG_BYTES {
            return Err(FormError::Value("sealed"));
        }
        let derived = Derived::again(pass_phrase, &salt, Cost::from_text(kdf)?, &commitment)?;
        let key = derived.open(Profile::Hybrid, file, &sealed)?;
        Ok(Self { name: name.to_owned(), made_ms, key: Secret::from_slice(&key)? })
    }
}

const KIND: &str = "clisonix project key";
/// Bytes of the key.
const KEY_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    fn key(byte: u8) -> ProjectKey {
        ProjectKey::generate("study-7", 5, &mut |bytes: &mut [u8]| bytes.fill(byte)).unwrap()
    }

    #[test]
    fn a_wrapped_key_gives_the_same_answers() {
        let random = &mut |bytes: &mut [u8]| bytes.fill(9);
        let text = key(1).wrap(b"four words for tests", COST, random).unwrap();
        let read = ProjectKey::unwrap(text.as_bytes(), b"four words for tests").unwrap();
        assert_eq!((read.name(), read.made_ms()), ("study-7", 5));
        assert_eq!(read.keyed(b"m"), key(1).keyed(b"m"));
        assert_ne!(read.keyed(b"m"), key(2).keyed(b"m"));
        let wrong = ProjectKey::unwrap(text.as_bytes(), b"four other words");
        assert_eq!(wrong.err(), Some(FormError::PassPhrase));
        assert!(ProjectKey::generate("../x", 5, random).is_err());
    }

    #[test]
    fn every_changed_letter_of_a_file_is_seen() {
        let random = &mut |bytes: &mut [u8]| bytes.fill(9);
        let text = key(1).wrap(b"four words for tests", COST, random).unwrap();
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] ^= 1;
            let read = ProjectKey::unwrap(&changed, b"four words for tests");
            assert!(read.is_err(), "byte {place}");
        }
    }
}
