//! Keys as the age programs write them.

use zeroize::Zeroizing;

use super::{AgeError, bech32};
use crate::{Profile, PublicRecipient, RecipientKey};

const RECIPIENT: &str = "age1pq";
const IDENTITY: &str = "age-secret-key-pq-";

/// `age1pq1…`, about 2,000 letters.
pub fn recipient_text(recipient: &PublicRecipient) -> Result<String, AgeError> {
    hybrid(recipient.profile())?;
    Ok(bech32::encode(RECIPIENT, recipient.key()).to_string())
}

/// Reads `age1pq1…`.
pub fn recipient_from_text(text: &str) -> Result<PublicRecipient, AgeError> {
    let key = bech32::decode(RECIPIENT, text).ok_or(AgeError::KeyText("recipient age1pq1…"))?;
    Ok(PublicRecipient::from_key(Profile::Hybrid, &key)?)
}

/// `AGE-SECRET-KEY-PQ-1…`, which opens everything that is sealed for this key.
pub fn identity_text(key: &RecipientKey) -> Result<Zeroizing<String>, AgeError> {
    hybrid(key.profile())?;
    let mut text = bech32::encode(IDENTITY, key.seed());
    text.make_ascii_uppercase();
    Ok(text)
}

/// Reads `AGE-SECRET-KEY-PQ-1…`.
pub fn identity_from_text(text: &str) -> Result<RecipientKey, AgeError> {
    let fault = AgeError::KeyText("identity AGE-SECRET-KEY-PQ-1…");
    let seed = bech32::decode(IDENTITY, text).ok_or(fault)?;
    Ok(RecipientKey::from_seed(Profile::Hybrid, &seed)?)
}

fn hybrid(profile: Profile) -> Result<(), AgeError> {
    if profile == Profile::Hybrid { Ok(()) } else { Err(AgeError::Profile(profile)) }
}
