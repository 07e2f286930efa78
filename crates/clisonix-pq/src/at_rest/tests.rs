//! What is sealed opens as it was, elsewhere not at all, and every flipped bit is seen.

use super::key_file::{self, Guard};
use super::{PAGE_OVERHEAD_BYTES, Pager, Purpose, StoreKey};
use crate::form::FormError;
use crate::key_file::Cost;
use crate::secret::Secret;

/// Bytes that differ from call to call.
pub(super) fn random(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
    }
}

pub(super) fn key(seed: u64) -> StoreKey {
    StoreKey::generate(&mut random(seed))
}

fn page_key(seed: u64) -> Secret<32> {
    Secret::generate(&mut random(seed))
}

#[test]
fn a_page_opens_in_its_file_at_its_place_and_in_any_session() {
    let page: Vec<u8> = (0..4096_u32).map(|byte| (byte % 251) as u8).collect();
    let pager = Pager::new(page_key(1), [7; 16], &mut random(2));
    let (mut first, mut second) = (Vec::new(), Vec::new());
    pager.seal(9, &page, &mut first);
    pager.seal(9, &page, &mut second);
    assert_eq!(first.len(), page.len() + PAGE_OVERHEAD_BYTES);
    assert_ne!(first, second);
    let mut out = vec![0; page.len()];
    let later = Pager::new(page_key(1), [7; 16], &mut random(3));
    for sealed in [&first, &second] {
        pager.open(9, sealed, &mut out).unwrap();
        assert_eq!(out, page);
        later.open(9, sealed, &mut out).unwrap();
        assert_eq!(out, page);
        assert!(later.open(8, sealed, &mut out).is_err());
    }
    let other_file = Pager::new(page_key(1), [8; 16], &mut random(3));
    let other_key = Pager::new(page_key(4), [7; 16], &mut random(3));
    assert!(other_file.open(9, &first, &mut out).is_err());
    assert!(other_key.open(9, &first, &mut out).is_err());
    for bit in (0..first.len() * 8).step_by(7) {
        first[bit / 8] ^= 1 << (bit % 8);
        assert!(later.open(9, &first, &mut out).is_err(), "bit {bit}");
        assert!(out.iter().all(|byte| *byte == 0));
        first[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_wrapped_key_opens_for_its_purpose_only() {
    let (key, secret) = (key(1), page_key(2));
    let mut wrapped = key.wrap(Purpose::Pages, &[1; 16], b"about", &secret);
    let back = key.unwrap(Purpose::Pages, &[1; 16], b"about", &wrapped).unwrap();
    assert_eq!(back.expose(), secret.expose());
    assert!(key.unwrap(Purpose::Anchor, &[1; 16], b"about", &wrapped).is_err());
    assert!(key.unwrap(Purpose::Pages, &[2; 16], b"about", &wrapped).is_err());
    assert!(key.unwrap(Purpose::Pages, &[1; 16], b"abou", &wrapped).is_err());
    wrapped[0] ^= 1;
    assert!(key.unwrap(Purpose::Pages, &[1; 16], b"about", &wrapped).is_err());
}

#[test]
fn a_key_file_reads_back_with_and_without_a_pass_phrase() {
    let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    let key = key(5);
    let open = key_file::wrap(&key, Guard::Rights, 1, &mut random(1)).unwrap();
    let guarded = key_file::wrap(&key, Guard::PassPhrase(b"words", cost), 1, &mut random(1));
    let guarded = guarded.unwrap();
    assert!(!key_file::is_guarded(open.as_bytes()).unwrap());
    assert!(key_file::is_guarded(guarded.as_bytes()).unwrap());
    for (file, words) in [(&open, &b""[..]), (&guarded, b"words")] {
        let back = key_file::unwrap(file.as_bytes(), words).unwrap();
        assert_eq!(back.secret().expose(), key.secret().expose());
    }
    let wrong = key_file::unwrap(guarded.as_bytes(), b"other").err();
    assert_eq!(wrong, Some(FormError::PassPhrase));
    for bit in 0..open.len() * 8 {
        let mut bytes = open.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(back) = key_file::unwrap(&bytes, b"") {
            assert_eq!(back.secret().expose(), key.secret().expose());
        }
    }
}
