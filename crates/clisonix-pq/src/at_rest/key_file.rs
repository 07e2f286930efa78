//! A store key as a file: wrapped under a pass-phrase, or as it is (`docs/formats/vault.md`).

use zeroize::Zeroizing;

use super::StoreKey;
use crate::form::{self, FormError};
use crate::key_file::{Cost, Derived, SALT_BYTES};
use crate::profile::Profile;
use crate::random::Random;
use crate::secret::Secret;

const KIND: &str = "clisonix store key";
const NAMES: [&str; 6] = ["made", "kdf", "salt", "commitment", "check", "sealed"];
/// Stands where a file is under no pass-phrase.
const NONE: &str = "none";

/// Under what a store key lies in its file.
#[derive(Clone, Copy)]
pub enum Guard<'a> {
    /// Under a pass-phrase, at this cost.
    PassPhrase(&'a [u8], Cost),
    /// Under nothing but the rights of the file.
    Rights,
}

/// Writes a store key; the file is for its owner only.
pub fn wrap(
    key: &StoreKey,
    guard: Guard<'_>,
    made_ms: u64,
    random: &mut dyn Random,
) -> Result<Zeroizing<String>, FormError> {
    let mut salt = [0; SALT_BYTES];
    random.fill(&mut salt);
    let derived = match guard {
        Guard::PassPhrase(words, cost) => Some((Derived::new(words, &salt, cost)?, cost)),
        Guard::Rights => None,
    };
    let commitment = derived.as_ref().map(|(derived, _)| form::to_base64(derived.commitment()));
    let lines = [
        ("made", made_ms.to_string()),
        ("kdf", derived.as_ref().map_or(NONE.to_owned(), |(_, cost)| cost.to_text())),
        ("salt", form::to_base64(&salt)),
        ("commitment", commitment.unwrap_or_else(|| NONE.to_owned())),
        ("check", form::to_base64(&key.commitment())),
    ];
    let lines = lines.each_ref().map(|(name, value)| (*name, &**value));
    let mut text = Zeroizing::new(form::write(KIND, &lines));
    let secret = key.secret().expose();
    if let Some((derived, _)) = &derived {
        derived.seal(Profile::Cnsa2, &mut text, secret);
    } else {
        let secret = Zeroizing::new(form::to_base64(secret));
        text.push_str(&Zeroizing::new(form::line("sealed", &secret)));
    }
    Ok(text)
}

/// Whether a file asks for a pass-phrase.
pub fn is_guarded(file: &[u8]) -> Result<bool, FormError> {
    let [_, kdf, ..] = form::read(file, KIND, NAMES)?;
    Ok(kdf != NONE)
}

/// Reads what [`wrap`] wrote; the pass-phrase counts only where the file [asks](is_guarded) for it.
pub fn unwrap(file: &[u8], pass_phrase: &[u8]) -> Result<StoreKey, FormError> {
    let [made, kdf, salt, commitment, check, sealed] = form::read(file, KIND, NAMES)?;
    form::number("made", made)?;
    let mut sealed = Zeroizing::new(form::base64("sealed", sealed)?);
    if kdf == NONE {
        if commitment != NONE {
            return Err(FormError::Value("commitment"));
        }
    } else {
        let salt = form::base64("salt", salt)?;
        let commitment = form::base64("commitment", commitment)?;
        let derived = Derived::again(pass_phrase, &salt, Cost::from_text(kdf)?, &commitment)?;
        sealed = derived.open(Profile::Cnsa2, file, &sealed)?;
    }
    let secret = Secret::from_slice(&sealed).map_err(|_| FormError::Value("sealed"))?;
    let key = StoreKey::from_secret(secret);
    let check: [u8; 16] =
        form::base64("check", check)?.try_into().map_err(|_| FormError::Value("check"))?;
    if key.made(&check) { Ok(key) } else { Err(FormError::Damaged) }
}
