//! The newest whole generation counts, whatever a crash left beside it.

use std::fs;
use std::path::Path;

use clisonix_pq::Secret;
use clisonix_pq::at_rest::{StoreKey, Vault, VaultError};

use super::{VaultFault, VaultFolder};

const STORE: [u8; 16] = [3; 16];

fn key() -> StoreKey {
    StoreKey::from_secret(Secret::filled(|own| own.fill(9)))
}

fn random(bytes: &mut [u8]) {
    bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_generation_takes_the_place_of_the_one_before() {
    let home = tempfile::tempdir().unwrap();
    let folder = VaultFolder::new(home.path().join("vault"));
    assert!(folder.load(STORE, &key()).unwrap().is_none());
    let mut vault = Vault::new(STORE, &mut random);
    folder.keep(&vault, &key(), &mut random).unwrap();
    let before = [1, 2].map(|_| fs::read(folder.file("anchor", 1)).unwrap());
    vault.destroy(b"owner", 0).unwrap();
    vault.advance();
    folder.keep(&vault, &key(), &mut random).unwrap();
    assert_eq!(names(folder.path()), ["anchor.2", "vault.2"]);
    let back = folder.load(STORE, &key()).unwrap().unwrap();
    assert_eq!(back.generation(), 2);
    assert!(back.data_key(b"owner", 0).is_none());

    // A crash before the old generation was destroyed, or while the next one was written.
    fs::write(folder.file("anchor", 1), &before[0]).unwrap();
    fs::write(folder.file("vault", 3), b"cut").unwrap();
    assert_eq!(folder.load(STORE, &key()).unwrap().unwrap().generation(), 2);
    folder.destroy_others(2).unwrap();
    assert_eq!(names(folder.path()), ["anchor.2", "vault.2"]);
}

#[test]
fn a_vault_that_cannot_be_opened_says_why() {
    let home = tempfile::tempdir().unwrap();
    let folder = VaultFolder::new(home.path().join("vault"));
    folder.keep(&Vault::new(STORE, &mut random), &key(), &mut random).unwrap();
    let fault = |store, key: &StoreKey| match folder.load(store, key).err().unwrap() {
        VaultFault::Vault(error) => error,
        error => panic!("{error}"),
    };
    let other = StoreKey::from_secret(Secret::filled(|own| own.fill(8)));
    assert_eq!(fault(STORE, &other), VaultError::Key);
    assert_eq!(fault([4; 16], &key()), VaultError::Other);
    fs::write(folder.file("vault", 1), b"not a vault").unwrap();
    assert_eq!(fault(STORE, &key()), VaultError::Kind);
}

#[test]
fn a_copy_opens_and_the_next_copy_takes_its_place() {
    let home = tempfile::tempdir().unwrap();
    let folder = VaultFolder::new(home.path().join("vault"));
    let copy = VaultFolder::new(home.path().join("safe").join("copy"));
    let mut vault = Vault::new(STORE, &mut random);
    folder.keep(&vault, &key(), &mut random).unwrap();
    folder.copy_to(&copy, 1).unwrap();
    assert_eq!(copy.load(STORE, &key()).unwrap().unwrap().generation(), 1);
    vault.destroy(b"owner", 0).unwrap();
    vault.advance();
    folder.keep(&vault, &key(), &mut random).unwrap();
    assert!(matches!(folder.copy_to(&copy, 1), Err(VaultFault::Missing { .. })));
    folder.copy_to(&copy, 2).unwrap();
    assert_eq!((names(copy.path()), copy.newest().unwrap()), (names(folder.path()), Some(2)));
    assert!(copy.load(STORE, &key()).unwrap().unwrap().data_key(b"owner", 0).is_none());
    let itself = VaultFolder::new(home.path().join("safe").join("..").join("vault"));
    assert!(matches!(folder.copy_to(&itself, 2), Err(VaultFault::File { .. })));
    assert!(folder.load(STORE, &key()).unwrap().is_some());
    copy.destroy_others(0).unwrap();
    assert!(names(copy.path()).is_empty());
}
