//! Bech32 (BIP 173) as age uses it for keys: without the limit on the length.

use zeroize::Zeroizing;

/// What stands for five bits.
const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// The generator of the checksum, a BCH code.
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
const CHECKSUM_LETTERS: usize = 6;

/// The lower-case text of `bytes` behind a lower-case `prefix`.
pub fn encode(prefix: &str, bytes: &[u8]) -> Zeroizing<String> {
    let groups = regroup(bytes, 8, 5, true).unwrap_or_default();
    let mut sum = Checksum::of_prefix(prefix);
    groups.iter().for_each(|group| sum.feed(*group));
    (0..CHECKSUM_LETTERS).for_each(|_| sum.feed(0));
    let sum = sum.0 ^ 1;
    let checksum = (0..CHECKSUM_LETTERS).rev().map(|place| (sum >> (5 * place)) as u8 & 31);
    // Made large enough at once, so that no copy is left behind when it grows.
    let size = prefix.len() + 1 + groups.len() + CHECKSUM_LETTERS;
    let mut text = Zeroizing::new(String::with_capacity(size));
    text.push_str(prefix);
    text.push('1');
    text.extend(groups.iter().copied().chain(checksum).map(letter));
    text
}

/// The bytes of a text behind `prefix`, all in one case; `None` for every other text.
pub fn decode(prefix: &str, text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let lower = text.bytes().any(|byte| byte.is_ascii_lowercase());
    if lower && text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let (front, letters) = text.rsplit_once('1')?;
    if !front.eq_ignore_ascii_case(prefix) {
        return None;
    }
    let mut sum = Checksum::of_prefix(prefix);
    let mut groups = Zeroizing::new(Vec::with_capacity(letters.len()));
    for letter in letters.bytes() {
        let letter = letter.to_ascii_lowercase();
        let group = ALPHABET.iter().position(|known| *known == letter)? as u8;
        sum.feed(group);
        groups.push(group);
    }
    let data = groups.len().checked_sub(CHECKSUM_LETTERS)?;
    if sum.0 != 1 {
        return None;
    }
    regroup(groups.get(..data)?, 5, 8, false)
}

struct Checksum(u32);

impl Checksum {
    fn of_prefix(prefix: &str) -> Self {
        let mut sum = Self(1);
        prefix.bytes().for_each(|byte| sum.feed(byte >> 5));
        sum.feed(0);
        prefix.bytes().for_each(|byte| sum.feed(byte & 31));
        sum
    }

    fn feed(&mut self, group: u8) {
        let top = self.0 >> 25;
        self.0 = (self.0 & 0x1ff_ffff) << 5 ^ u32::from(group);
        for (bit, generator) in GENERATOR.iter().enumerate() {
            if top >> bit & 1 == 1 {
                self.0 ^= generator;
            }
        }
    }
}

/// Cuts groups of `from` bits into groups of `to` bits. A rest is filled up with zeros where
/// `padded`; else it must be such a filling.
fn regroup(groups: &[u8], from: u32, to: u32, padded: bool) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(groups.len() * 8 / 5 + 1));
    let (mut word, mut bits) = (0u32, 0);
    let mask = (1 << to) - 1;
    for group in groups {
        word = word << from | u32::from(*group);
        bits += from;
        while bits >= to {
            bits -= to;
            out.push((word >> bits & mask) as u8);
        }
        word &= (1 << bits) - 1;
    }
    if padded {
        if bits > 0 {
            out.push((word << (to - bits) & mask) as u8);
        }
    } else if bits >= from || word != 0 {
        return None;
    }
    Some(out)
}

fn letter(group: u8) -> char {
    // Five bits always name a letter.
    ALPHABET.get(usize::from(group & 31)).map_or('q', |letter| char::from(*letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_age_specification() {
        let secret = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        let bytes = decode("age-secret-key-", secret).unwrap();
        assert_eq!(*bytes, [0x42; 32]);
        assert_eq!(encode("age-secret-key-", &bytes).to_uppercase(), secret);
    }

    #[test]
    fn a_changed_letter_a_mixed_case_and_a_wrong_prefix_are_refused() {
        let text = encode("age", b"thirty-two bytes of a public key").to_string();
        assert!(decode("age", &text).is_some());
        assert!(decode("age", &text.to_uppercase()).is_some());
        assert!(decode("agf", &text).is_none());
        for place in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[place] = if changed[place] == b'q' { b'p' } else { b'q' };
            assert!(decode("age", std::str::from_utf8(&changed).unwrap()).is_none());
            let mut mixed = text.clone().into_bytes();
            mixed[place].make_ascii_uppercase();
            if mixed != text.as_bytes() {
                assert!(decode("age", std::str::from_utf8(&mixed).unwrap()).is_none());
            }
        }
    }
}
