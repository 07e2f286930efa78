//! A vault gives each owner a key of its own, and what was destroyed does not come back.

use super::{DataKey, Vault, VaultError};
use crate::at_rest::tests::{key, random};

const NONCE: [u8; 12] = [3; 12];

#[test]
fn owners_have_keys_of_their_own_that_are_destroyed_one_by_one() {
    let mut vault = Vault::new([1; 16], &mut random(1));
    let seal = |vault: &Vault, owner: &[u8]| {
        let epoch = vault.epoch(owner).unwrap();
        vault.data_key(owner, epoch).unwrap().seal(&NONCE, b"place", b"content")
    };
    let open = |vault: &Vault, owner: &[u8], sealed: &[u8]| {
        let epoch = DataKey::epoch_of(sealed).unwrap();
        vault.data_key(owner, epoch)?.open(b"place", sealed.to_vec()).ok()
    };
    let (a, b) = (seal(&vault, b"a"), seal(&vault, b"b"));
    assert_ne!(a, b);
    assert_eq!(open(&vault, b"a", &a).unwrap(), b"content");
    assert!(open(&vault, b"b", &a).is_none());
    assert!(vault.destroy(b"a", 0).unwrap());
    assert!(!vault.destroy(b"a", 0).unwrap());
    vault.advance();
    assert_eq!((vault.epoch(b"a").unwrap(), vault.epoch(b"b").unwrap()), (1, 0));
    let again = seal(&vault, b"a");
    assert!(open(&vault, b"a", &a).is_none());
    assert_eq!(open(&vault, b"a", &again).unwrap(), b"content");
    assert_eq!(open(&vault, b"b", &b).unwrap(), b"content");

    let sealed = vault.seal(&key(1), &mut random(2));
    let back = Vault::open(&sealed.vault, &sealed.anchor, &key(1)).unwrap();
    assert_eq!((back.generation(), back.store()), (2, [1; 16]));
    assert!(open(&back, b"a", &a).is_none());
    assert_eq!(open(&back, b"a", &again).unwrap(), b"content");
}

#[test]
fn a_generation_opens_with_its_own_anchor_and_key_only() {
    let mut vault = Vault::new([1; 16], &mut random(1));
    let first = vault.seal(&key(1), &mut random(2));
    let other = vault.seal(&key(1), &mut random(3));
    vault.advance();
    let second = vault.seal(&key(1), &mut random(4));
    let open = |vault: &[u8], anchor: &[u8], seed| Vault::open(vault, anchor, &key(seed)).err();
    assert_eq!(open(&first.vault, &first.anchor, 1), None);
    assert_eq!(open(&first.vault, &first.anchor, 2), Some(VaultError::Key));
    assert_eq!(open(&first.vault, &second.anchor, 1), Some(VaultError::Other));
    assert_eq!(open(&first.vault, &other.anchor, 1), Some(VaultError::Damaged));
    assert_eq!(open(&first.anchor, &first.vault, 1), Some(VaultError::Kind));
    for bit in 0..first.anchor.len() * 8 {
        let mut anchor = first.anchor.clone();
        anchor[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&first.vault, &anchor, 1).is_some(), "bit {bit}");
    }
    for bit in 0..first.vault.len() * 8 {
        let mut vault = first.vault.clone();
        vault[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&vault, &first.anchor, 1).is_some(), "bit {bit}");
    }
    for cut in 0..first.vault.len() {
        assert!(open(&first.vault[..cut], &first.anchor, 1).is_some());
    }
}

#[test]
fn a_sealed_value_is_bound_to_its_place_and_every_bit_of_it_counts() {
    let vault = Vault::new([1; 16], &mut random(1));
    let key = vault.data_key(b"a", 0).unwrap();
    let sealed = key.seal(&NONCE, b"place", b"content");
    assert_eq!(sealed.len(), b"content".len() + super::ROW_OVERHEAD_BYTES);
    assert!(key.open(b"other", sealed.clone()).is_err());
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(key.open(b"place", flipped).is_err(), "bit {bit}");
    }
    for cut in 0..sealed.len() {
        assert!(key.open(b"place", sealed[..cut].to_vec()).is_err());
    }
}
