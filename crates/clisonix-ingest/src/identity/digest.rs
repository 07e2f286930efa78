//! The hash behind every derived id: SHA-256, separated by domain, lengths before parts.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// First 16 bytes of SHA-256 over the domain and the parts, each with its length before it.
pub fn half_hash(domain: &str, parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    add(&mut hasher, domain.as_bytes());
    for part in parts {
        add(&mut hasher, part);
    }
    let digest = hasher.finalize();
    let mut half = [0; 16];
    half.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    half
}

/// [`half_hash`] of texts as 32 lower-case hexadecimal digits, which is a valid FHIR id.
pub fn short_hash<T: AsRef<str>>(domain: &str, parts: &[T]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_ref().as_bytes()).collect();
    hex(&half_hash(domain, &parts))
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn add(hasher: &mut Sha256, part: &[u8]) {
    hasher.update((part.len() as u64).to_be_bytes());
    hasher.update(part);
}
