//! The code itself: 30 letters that can be read over a telephone, with a check in each group.

use crate::digest::{Hash, equal_in_constant_time, hmac};
use crate::fingerprint::Fingerprint;
use crate::random::Random;
use crate::secret::Secret;

/// Letters of a code, checks included.
pub const CODE_LETTERS: usize = GROUPS * GROUP_LETTERS;

const GROUPS: usize = 6;
/// Four that say something and one that checks them.
const GROUP_LETTERS: usize = 5;
const TOLD_LETTERS: usize = GROUP_LETTERS - 1;
const SECRET_BYTES: usize = 5;
const NAME_BYTES: usize = 10;

/// Crockford's Base32: no I, L, O or U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const NAMES: &[u8] = b"clisonix pairing code 1\0";

/// What is told from one person to another: 40 bits of a secret, and 80 bits that name the inviter.
///
/// The name is an HMAC of the inviter's fingerprint under the secret. So nobody can look for another
/// identity of the same name before the code is made, and 2^80 tries stand against who overhears it.
pub struct Code {
    secret: Secret<SECRET_BYTES>,
    name: [u8; NAME_BYTES],
}

/// A text that is no code. Groups are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Letters are missing, or there are too many; spaces and hyphens are not counted.
    #[error("a code has {CODE_LETTERS} letters and digits, and this has {0}")]
    Length(usize),
    /// A letter that is in no code.
    #[error("group {0} of the code has a letter that no code has")]
    Letter(usize),
    /// Mistyped, or at another place than it was given.
    #[error("group {0} of the code is mistyped")]
    Group(usize),
}

impl Code {
    /// A new code of an inviter.
    pub fn generate(inviter: Fingerprint, random: &mut dyn Random) -> Self {
        Self::of(Secret::generate(random), inviter)
    }

    fn of(secret: Secret<SECRET_BYTES>, inviter: Fingerprint) -> Self {
        let name = name(&secret, inviter);
        Self { secret, name }
    }

    /// Reads a code. Small letters count as large ones, O as 0, I and L as 1; spaces and hyphens
    /// may stand anywhere.
    ///
    /// # Errors
    /// [`CodeError`] says which group is mistyped. One wrong letter in it, two that changed places
    /// and groups that changed places are told for certain, anything else in 31 cases of 32.
    pub fn from_text(text: &str) -> Result<Self, CodeError> {
        let letters: Vec<char> =
            text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
        if letters.len() != CODE_LETTERS {
            return Err(CodeError::Length(letters.len()));
        }
        let mut told: u128 = 0;
        for (at, group) in letters.as_chunks::<GROUP_LETTERS>().0.iter().enumerate() {
            let mut values = [0; GROUP_LETTERS];
            for (own, letter) in values.iter_mut().zip(group) {
                *own = value(*letter).ok_or(CodeError::Letter(at + 1))?;
            }
            let [a, b, c, d, check] = values;
            if check != self::check(at, [a, b, c, d]) {
                return Err(CodeError::Group(at + 1));
            }
            told = [a, b, c, d].iter().fold(told, |told, value| (told << 5) | u128::from(*value));
        }
        // The first of the sixteen bytes is empty.
        let [_, s0, s1, s2, s3, s4, name @ ..] = told.to_be_bytes();
        Ok(Self { secret: Secret::take(&mut [s0, s1, s2, s3, s4]), name })
    }

    /// The code as people read it out: groups with hyphens between them.
    pub fn to_text(&self) -> String {
        let bytes = self.secret.expose().iter().chain(&self.name);
        let told = bytes.fold(0, |told: u128, byte| (told << 8) | u128::from(*byte));
        let value = |at: usize| (told >> (5 * (GROUPS * TOLD_LETTERS - 1 - at)) & 31) as u8;
        let group = |number: usize| {
            let told = [0, 1, 2, 3].map(|at| value(number * TOLD_LETTERS + at));
            let letters = told.into_iter().chain([check(number, told)]);
            letters.map(letter).collect::<String>()
        };
        (0..GROUPS).map(group).collect::<Vec<_>>().join("-")
    }

    /// Whether this is the identity that the code names.
    pub fn names(&self, inviter: Fingerprint) -> bool {
        equal_in_constant_time(&self.name, &name(&self.secret, inviter))
    }

    /// A proof over a text that the secret is known.
    pub(super) fn mac(&self, text: &[u8]) -> Vec<u8> {
        hmac(Hash::Sha384, self.secret.expose(), &[text])
    }
}

fn name(secret: &Secret<SECRET_BYTES>, inviter: Fingerprint) -> [u8; NAME_BYTES] {
    let digest = hmac(Hash::Sha384, secret.expose(), &[NAMES, &inviter.to_bytes()]);
    let mut name = [0; NAME_BYTES];
    name.iter_mut().zip(digest).for_each(|(own, byte)| *own = byte);
    name
}

/// The check of a group: a sum in GF(32) in which each letter has a weight of its own, so that one
/// wrong letter or two that changed places give another one; and the group's number.
fn check(group: usize, told: [u8; TOLD_LETTERS]) -> u8 {
    told.into_iter().fold(0, |sum, value| doubled(sum ^ value)) ^ group as u8
}

/// A value of GF(32) times x, modulo x^5 + x^2 + 1.
fn doubled(value: u8) -> u8 {
    let doubled = value << 1;
    if doubled < 32 { doubled } else { doubled ^ 0b10_0101 }
}

fn letter(value: u8) -> char {
    ALPHABET.get(usize::from(value)).map_or('0', |letter| char::from(*letter))
}

fn value(letter: char) -> Option<u8> {
    let letter = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let at = ALPHABET.iter().position(|known| char::from(*known) == letter)?;
    u8::try_from(at).ok()
}

#[cfg(test)]
mod tests;
