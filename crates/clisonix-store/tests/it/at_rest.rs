//! Encrypted stores: nothing readable in any file, every flipped bit seen, keys changed in use.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use clisonix_pq::Secret;
use clisonix_pq::at_rest::{DataKey, StoreKey, Vault};
use clisonix_store::{
    BackupError, Batch, EngineFault, FaultKind, Medium, OpenError, Protection, RowSeal, RowValue,
    Store, StoreForm, StoreOptions, Table,
};

use crate::crash::{Form, batch, holds_exactly, open};
use crate::disk::{Dice, Disk};

fn random(seed: u64) -> impl FnMut(&mut [u8]) + Send {
    let mut dice = Dice(seed);
    move |bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| *byte = dice.roll(256) as u8)
}

fn key(seed: u8) -> StoreKey {
    StoreKey::from_secret(Secret::filled(|own| *own = [seed; 32]))
}

/// A store's protection without keys for rows.
pub(crate) fn protection(seed: u8) -> Arc<Protection> {
    static SESSIONS: Mutex<u64> = Mutex::new(0);
    let mut sessions = SESSIONS.lock().unwrap();
    *sessions += 1;
    Arc::new(Protection::new([9; 16], key(seed), Box::new(random(*sessions)), None))
}

/// Seals the states of records, each under the key of its record.
struct States(Mutex<Vault>);

impl States {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Vault::new([9; 16], &mut random(77)))))
    }

    fn protection(self: &Arc<Self>, seed: u8) -> Arc<Protection> {
        let rows: Arc<dyn RowSeal> = self.clone();
        Arc::new(Protection::new([9; 16], key(seed), Box::new(random(1234)), Some(rows)))
    }
}

impl RowSeal for States {
    fn seal(&self, table: Table, key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, EngineFault> {
        let vault = self.0.lock().unwrap();
        let epoch = vault.epoch(key).unwrap();
        let key = (table == Table::States).then(|| vault.data_key(key, epoch)).flatten();
        Ok(key.map(|key| key.seal(&[1; 12], b"", value)))
    }

    fn open(&self, table: Table, key: &[u8], value: Vec<u8>) -> Result<RowValue, EngineFault> {
        if table != Table::States {
            return Ok(RowValue::Whole(value));
        }
        let epoch = DataKey::epoch_of(&value).unwrap();
        let Some(key) = self.0.lock().unwrap().data_key(key, epoch) else {
            return Ok(RowValue::Lost);
        };
        let opened = key.open(b"", value);
        opened.map(RowValue::Whole).map_err(|error| EngineFault::new(FaultKind::Corrupt, error))
    }

    fn has_lost(&self) -> bool {
        true
    }

    fn is_lost(&self, table: Table, key: &[u8], value: &[u8]) -> bool {
        let epoch = DataKey::epoch_of(value).unwrap_or_default();
        table == Table::States && self.0.lock().unwrap().data_key(key, epoch).is_none()
    }
}

fn options(protection: Option<Arc<Protection>>) -> StoreOptions {
    StoreOptions { cache_bytes: 1 << 20, protection, ..StoreOptions::default() }
}

const PLANTED: [&str; 3] = ["planted-record", "planted-index-key", "planted content of a state"];

fn plant(store: &Store) {
    let mut batch = Batch::new();
    batch.change(PLANTED[0], PLANTED[2].as_bytes().to_vec()).unwrap();
    batch.state(PLANTED[0], PLANTED[2].as_bytes().to_vec()).unwrap();
    batch.put(Table::Index, PLANTED[1].as_bytes(), Vec::new()).unwrap();
    store.write(batch).unwrap();
}

fn fill(store: &Store, numbers: std::ops::Range<u64>) {
    for number in numbers {
        store.write(batch(number)).unwrap();
    }
}

/// Which of the planted texts stand in any file below a folder.
fn found(folder: &Path) -> Vec<&'static str> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            found.extend(self::found(&entry.path()));
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        let holds = |text: &&str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        found.extend(PLANTED.into_iter().filter(holds));
    }
    found
}

#[test]
fn nothing_that_was_planted_is_readable_in_any_file() {
    for (protection, readable) in [(None, true), (Some(protection(1)), false)] {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let store = Store::create(&data, [1; 16], &options(protection.clone())).unwrap();
        plant(&store);
        fill(&store, 1..40);
        store.backup(&home.path().join("backup")).unwrap();
        assert_eq!(found(home.path()).is_empty(), !readable);
        drop(store);
        assert_eq!(found(home.path()).is_empty(), !readable);
        let store = Store::open(&data, &options(protection)).unwrap();
        assert!(store.check().unwrap().is_sound());
        assert_eq!(store.is_encrypted(), !readable);
        assert_eq!(found(home.path()).is_empty(), !readable);
    }
}

#[test]
fn a_store_opens_with_its_own_key_only() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    drop(Store::create(&data, [1; 16], &options(Some(protection(1)))).unwrap());
    let form = Store::form(&data).unwrap();
    assert_eq!(form, StoreForm::Encrypted { store: [9; 16], key: key(1).commitment() });
    let without = Store::open(&data, &options(None)).err().unwrap();
    assert!(matches!(without, OpenError::KeyNeeded { .. }), "{without}");
    match Store::open(&data, &options(Some(protection(2)))).err().unwrap() {
        OpenError::Engine(fault) => assert_eq!(fault.kind(), FaultKind::Key),
        error => panic!("{error}"),
    }
    Store::open(&data, &options(Some(protection(1)))).unwrap();
}

/// What is on a disk.
fn image_of(disk: &Disk) -> Vec<u8> {
    let head = disk.open().unwrap();
    let mut image = vec![0; head.len().unwrap() as usize];
    head.read(0, &mut image).unwrap();
    image
}

/// A disk with these bytes.
fn disk_of(image: &[u8]) -> Disk {
    let disk = Disk::default();
    let head = disk.open().unwrap();
    head.write(0, image).unwrap();
    head.sync_data().unwrap();
    disk
}

/// All rows, or the kind of fault that stands in the way.
fn everything(disk: &Disk) -> Result<Vec<String>, String> {
    let store = open(disk, Form::Encrypted).map_err(|error| format!("{error:?}"))?;
    let snapshot = store.snapshot().map_err(|error| format!("{error:?}"))?;
    let mut rows = Vec::new();
    for table in Table::ALL {
        let all = snapshot.rows(table, &clisonix_store::Span::all());
        for row in all.map_err(|error| format!("{error:?}"))? {
            rows.push(format!("{:?}", row.map_err(|error| format!("{error:?}"))?));
        }
    }
    Ok(rows)
}

#[test]
fn a_flipped_bit_is_an_error_or_changes_nothing() {
    let disk = Disk::default();
    let store = open(&disk, Form::Encrypted).unwrap();
    fill(&store, 0..12);
    drop(store);
    let whole = everything(&disk).unwrap();
    let image = image_of(&disk);
    let cases = std::env::var("CLISONIX_FLIP_CASES").ok().and_then(|text| text.parse().ok());
    let mut dice = Dice(5);
    let mut errors = 0;
    let dense = (0..120 * 8).chain(8192 * 8..8192 * 8 + 64);
    let spread: Vec<usize> =
        (0..cases.unwrap_or(400)).map(|_| dice.roll(image.len() as u64 * 8) as usize).collect();
    for bit in dense.step_by(5).chain(spread) {
        let mut damaged = image.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        match everything(&disk_of(&damaged)) {
            Ok(rows) => assert!(rows == whole, "bit {bit} changed what is read"),
            Err(error) => {
                let typed = error.contains("Corrupt") || error.contains("Key");
                assert!(typed || error.contains("Unsupported"), "bit {bit}: {error}");
                errors += 1;
            }
        }
    }
    assert!(errors > 0);
}

#[test]
fn a_cut_a_swap_and_a_wiped_sector_are_errors_or_change_nothing() {
    let disk = Disk::default();
    let store = open(&disk, Form::Encrypted).unwrap();
    fill(&store, 0..12);
    drop(store);
    let whole = everything(&disk).unwrap();
    let image = image_of(&disk);
    let harmless = |image: Vec<u8>| match everything(&disk_of(&image)) {
        Ok(rows) => assert!(rows == whole),
        Err(error) => assert!(error.contains("Corrupt"), "{error}"),
    };
    for sector in (0..image.len()).step_by(4096) {
        let mut wiped = image.clone();
        let end = (sector + 4096).min(image.len());
        wiped[sector..end].fill(0);
        harmless(wiped);
    }
    for cut in (40_960..image.len()).step_by(7919) {
        harmless(image[..cut].to_vec());
    }
    let page = |number: usize| 40_960 + number * 4136..40_960 + (number + 1) * 4136;
    for number in 0..(image.len() - 40_960) / 4136 - 1 {
        let mut swapped = image.clone();
        let (first, second) = (image[page(number)].to_vec(), image[page(number + 1)].to_vec());
        swapped[page(number)].copy_from_slice(&second);
        swapped[page(number + 1)].copy_from_slice(&first);
        harmless(swapped);
    }
}

#[test]
fn pages_get_another_key_while_the_store_is_written() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let store = Store::create(&data, [1; 16], &options(Some(protection(1)))).unwrap();
    fill(&store, 0..20);
    let old = store.snapshot().unwrap();
    let before = fs::read(data.join("store.redb")).unwrap();
    let done = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut number = 20;
            while !done.load(Ordering::SeqCst) || number < 25 {
                store.write(batch(number)).unwrap();
                number += 1;
            }
            number
        });
        store.rotate_pages().unwrap();
        store.rotate_pages().unwrap();
        done.store(true, Ordering::SeqCst);
        writer.join().unwrap()
    });
    assert_ne!(fs::read(data.join("store.redb")).unwrap()[28..44], before[28..44]);
    holds_exactly(&old, 20);
    drop(old);
    holds_exactly(&store.snapshot().unwrap(), written);
    assert!(store.check().unwrap().is_sound());
    drop(store);
    assert!(!data.join("store.next").exists());
    let store = Store::open(&data, &options(Some(protection(1)))).unwrap();
    holds_exactly(&store.snapshot().unwrap(), written);
}

#[test]
fn the_store_key_can_be_changed_in_use() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let store = Store::create(&data, [1; 16], &options(Some(protection(1)))).unwrap();
    store.write(batch(0)).unwrap();
    store.change_key(key(2)).unwrap();
    store.write(batch(1)).unwrap();
    store.rotate_pages().unwrap();
    drop(store);
    assert!(Store::open(&data, &options(Some(protection(1)))).is_err());
    let store = Store::open(&data, &options(Some(protection(2)))).unwrap();
    holds_exactly(&store.snapshot().unwrap(), 2);
}

#[test]
fn a_plain_store_becomes_an_encrypted_one() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let store = Store::create(&data, [1; 16], &options(None)).unwrap();
    plant(&store);
    drop(store);
    let states = States::new();
    let options = options(Some(states.protection(1)));
    let plain = Store::open(&data, &options).unwrap();
    assert!(!plain.is_encrypted());
    drop(plain);
    Store::encrypt(&data, &options).unwrap();
    assert!(found(home.path()).is_empty());
    assert!(matches!(Store::encrypt(&data, &options), Err(OpenError::Exists { .. })));
    let store = Store::open(&data, &options).unwrap();
    assert!(store.check().unwrap().is_sound());
    assert_eq!(
        store.snapshot().unwrap().state(PLANTED[0]).unwrap().unwrap(),
        PLANTED[2].as_bytes()
    );
}

#[test]
fn a_sealed_backup_restores_under_its_key_and_without_what_was_destroyed() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let states = States::new();
    let store = Store::create(&at("data"), [1; 16], &options(Some(states.protection(1)))).unwrap();
    plant(&store);
    store.write(batch(0)).unwrap();
    let report = store.backup(&at("backup")).unwrap();
    assert!(found(home.path()).is_empty());
    assert_eq!(Store::backup_of(&at("backup")).unwrap().unwrap().store, [9; 16]);
    assert_eq!(Store::verify_backup(&at("backup"), Some(&key(1))).unwrap(), report);
    for wrong in [None, Some(&key(2))] {
        let error = Store::verify_backup(&at("backup"), wrong).unwrap_err();
        assert!(matches!(error, BackupError::Key { .. }), "{error}");
    }
    let bytes = fs::read(at("backup")).unwrap();
    for position in (0..bytes.len()).step_by(bytes.len() / 40) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 4;
        fs::write(at("damaged"), damaged).unwrap();
        assert!(Store::verify_backup(&at("damaged"), Some(&key(1))).is_err(), "byte {position}");
    }
    states.0.lock().unwrap().destroy(PLANTED[0].as_bytes(), 0).unwrap();
    let protection = states.protection(1);
    Store::restore(&at("backup"), &at("new"), [2; 16], Some(&protection)).unwrap();
    let restored = Store::open(&at("new"), &options(Some(protection))).unwrap();
    let snapshot = restored.snapshot().unwrap();
    assert_eq!(snapshot.state(PLANTED[0]).unwrap(), None);
    assert!(!snapshot.contains(Table::States, PLANTED[0].as_bytes()).unwrap());
    assert!(snapshot.state("p-0").unwrap().is_some());
}
