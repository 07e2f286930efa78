//! Life cycle, limits, quarantine, access log, group commit and backups.

use std::fs;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use clisonix_store::{
    Access, AccessLogError, Action, Arrival, BackupError, Batch, ChangePlace, FaultKind, OpenError,
    Quarantined, RawInput, Store, StoreOptions, StoredChange, Table, WriteError,
    limit::RAW_PART_BYTES,
};
use sha2::Digest as _;

use crate::crash::{batch, holds_exactly};
use crate::disk::Disk;

fn options() -> StoreOptions {
    StoreOptions::default()
}

#[test]
fn a_directory_is_private_locked_and_keeps_its_store() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data");
    assert!(matches!(Store::open(&path, &options()), Err(OpenError::Missing { .. })));
    let store = Store::create(&path, [3; 16], &options()).unwrap();
    assert!(matches!(Store::open(&path, &options()), Err(OpenError::Locked { .. })));
    store.write(batch(0)).unwrap();
    drop(store);
    assert!(matches!(Store::create(&path, [4; 16], &options()), Err(OpenError::Exists { .. })));
    let store = Store::open(&path, &options()).unwrap();
    assert_eq!(store.incarnation(), [3; 16]);
    holds_exactly(&store.snapshot().unwrap(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode =
            |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o700);
        for entry in fs::read_dir(&path).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
    }
}

#[test]
fn a_store_whose_making_was_stopped_is_made_anew() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data");
    fs::create_dir(&path).unwrap();
    // What redb leaves when it is killed before it has written the file's first bytes.
    let mut begun = vec![7; 73_728];
    begun[..64].fill(0);
    fs::write(path.join("store.redb"), begun).unwrap();
    assert!(matches!(Store::open(&path, &options()), Err(OpenError::Missing { .. })));
    let store = Store::create(&path, [3; 16], &options()).unwrap();
    store.write(batch(0)).unwrap();
    assert!(path.join("store.unfinished").exists());
}

/// Writes under the store's hand, as another program version or an attacker would.
fn tamper(path: &std::path::Path, table: &str, key: &[u8], value: Option<&[u8]>) {
    let database = redb::Database::open(path.join("store.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let definition = redb::TableDefinition::<&[u8], &[u8]>::new(table);
        let mut rows = transaction.open_table(definition).unwrap();
        match value {
            Some(value) => drop(rows.insert(key, value).unwrap()),
            None => drop(rows.remove(key).unwrap()),
        }
    }
    transaction.commit().unwrap();
}

#[test]
fn another_format_is_refused_or_migrated() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data");
    drop(Store::create(&path, [3; 16], &options()).unwrap());
    tamper(&path, "meta", b"\0format", Some(&9_u32.to_be_bytes()));
    let error = Store::open(&path, &options()).err().unwrap();
    assert!(matches!(error, OpenError::NewerFormat { found: 9, supported: 4 }));
    assert!(error.to_string().contains("format 9") && error.to_string().contains("format 4"));
    tamper(&path, "meta", b"\0format", Some(&0_u32.to_be_bytes()));
    let error = Store::open(&path, &options()).err().unwrap();
    assert!(matches!(error, OpenError::OlderFormat { found: 0, supported: 4 }));
    let migration = StoreOptions {
        migration: Some(|found, _| {
            let mut batch = Batch::new();
            batch.put(Table::Meta, b"was", found.to_be_bytes().to_vec())?;
            Ok(batch)
        }),
        ..options()
    };
    drop(Store::open(&path, &migration).unwrap());
    let store = Store::open(&path, &options()).unwrap();
    assert_eq!(store.snapshot().unwrap().value(Table::Meta, b"was").unwrap(), Some(vec![0; 4]));
}

#[test]
fn a_store_and_a_backup_of_format_1_are_taken_as_they_are() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let store = Store::create(&at("data"), [3; 16], &options()).unwrap();
    store.write(batch(0)).unwrap();
    store.backup(&at("backup")).unwrap();
    drop(store);
    let format = || {
        let store = Store::open(&at("data"), &options()).unwrap();
        let value = store.snapshot().unwrap().value(Table::Meta, b"\0format").unwrap();
        holds_exactly(&store.snapshot().unwrap(), 1);
        value
    };
    tamper(&at("data"), "meta", b"\0format", Some(&1_u32.to_be_bytes()));
    assert_eq!(format(), Some(vec![0, 0, 0, 4]));

    // The same backup as the program of format 1 wrote it: two numbers and the digest differ.
    let mut bytes = fs::read(at("backup")).unwrap();
    let length = bytes.len() - 32;
    bytes[11] = 1;
    let row = bytes.windows(7).position(|window| window == b"\0format").unwrap();
    assert_eq!(bytes[row + 10], 4);
    bytes[row + 10] = 1;
    let digest = sha2::Sha256::digest(&bytes[..length]);
    bytes[length..].copy_from_slice(&digest);
    fs::write(at("old"), &bytes).unwrap();
    fs::remove_dir_all(at("data")).unwrap();
    assert_eq!(Store::restore(&at("old"), &at("data"), [4; 16], None).unwrap().format, 1);
    assert_eq!(format(), Some(vec![0, 0, 0, 4]));
}

/// Keeps an input in parts, and its row if it is to be whole.
fn keep_in_parts(store: &Store, message: [u8; 16], bytes: &[u8], whole: bool) {
    let mut batch = Batch::new();
    for (number, part) in bytes.chunks(RAW_PART_BYTES).enumerate() {
        batch.raw_part(message, number as u32, bytes.len() as u64, part).unwrap();
    }
    if whole {
        let (feed, file) = ("lab".to_owned(), None);
        batch.raw(RawInput { message, feed, file, received_ms: 9, bytes: Vec::new() }).unwrap();
    }
    store.write(batch).unwrap();
}

#[test]
fn a_large_input_lies_in_parts_and_is_in_the_backup() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let store = Store::create(&at("data"), [3; 16], &options()).unwrap();
    let bytes: Vec<u8> = (0..2 * RAW_PART_BYTES as u32 + 7).map(|byte| byte as u8).collect();
    keep_in_parts(&store, [8; 16], &bytes, true);
    keep_in_parts(&store, [9; 16], &bytes, false);
    let read = |store: &Store, message| {
        let mut content = Vec::new();
        let mut reader = store.raw_content(message).unwrap()?;
        reader.read_to_end(&mut content).unwrap();
        assert_eq!(reader.size_bytes(), content.len() as u64);
        Some(content)
    };
    assert!(read(&store, [8; 16]).is_some_and(|content| content == bytes));
    assert_eq!(read(&store, [9; 16]), None, "without its row an input is not there");
    assert!(store.check().unwrap().is_sound());
    store.backup(&at("backup")).unwrap();
    Store::restore(&at("backup"), &at("new"), [4; 16], None).unwrap();
    let restored = Store::open(&at("new"), &options()).unwrap();
    assert!(read(&restored, [8; 16]).is_some_and(|content| content == bytes));

    let mut forget = Batch::new();
    forget.forget_raw([8; 16], bytes.len() as u64).unwrap();
    forget.forget_raw([9; 16], bytes.len() as u64).unwrap();
    store.write(forget).unwrap();
    assert_eq!(store.snapshot().unwrap().count(Table::Raw).unwrap(), 0);
}

#[test]
fn a_part_that_is_missing_or_does_not_fit_is_found() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data");
    let store = Store::create(&path, [3; 16], &options()).unwrap();
    keep_in_parts(&store, [8; 16], &vec![1; 2 * RAW_PART_BYTES + 7], true);
    let short = Batch::new().raw_part([8; 16], 0, 9, b"12345678").is_err();
    let beyond = Batch::new().raw_part([8; 16], 1, 8, b"").is_err();
    assert!(short && beyond);
    drop(store);
    for missing in [2_u32, 0] {
        let key = [[8; 16].as_slice(), &missing.to_be_bytes()].concat();
        tamper(&path, "raw", &key, None);
        let store = Store::open(&path, &options()).unwrap();
        assert!(!store.check().unwrap().is_sound(), "part {missing}");
    }
}

#[test]
fn limits_and_reserved_rows_are_refused() {
    let mut batch = Batch::new();
    let long = vec![1; clisonix_store::limit::MAX_KEY_BYTES + 1];
    assert!(matches!(batch.put(Table::Index, &long, vec![]), Err(WriteError::KeyLength { .. })));
    assert!(matches!(batch.put(Table::Index, &[], vec![]), Err(WriteError::KeyLength { .. })));
    assert!(matches!(
        batch.put(Table::Meta, b"\0format", vec![]),
        Err(WriteError::Reserved { .. })
    ));
    assert!(matches!(batch.put(Table::AccessLog, b"a", vec![]), Err(WriteError::Reserved { .. })));
    assert!(matches!(batch.remove(Table::Changes, b"a"), Err(WriteError::Reserved { .. })));
    assert!(matches!(batch.state("", vec![]), Err(WriteError::FieldLength { .. })));
    let nobody = Access {
        time_ms: 0,
        author: String::new(),
        action: Action::Read,
        record: None,
        version: None,
        purpose: String::new(),
    };
    assert!(matches!(batch.access(nobody), Err(WriteError::FieldLength { field: "author", .. })));
    assert!(batch.is_empty());
}

#[test]
fn arrivals_tell_what_came_in_which_order() {
    let store = Store::on_medium(Box::new(Disk::default()), [1; 16], &options()).unwrap();
    let input = RawInput {
        message: [8; 16],
        feed: "lab".into(),
        file: None,
        received_ms: 9,
        bytes: b"MSH|".to_vec(),
    };
    let mut batch = Batch::new();
    batch.raw(input.clone()).unwrap().change("p-1", b"one".to_vec()).unwrap();
    batch.change("p-12", b"two".to_vec()).unwrap().note(b"three".to_vec()).unwrap();
    assert_eq!(store.write(batch).unwrap().arrivals, 1..5);
    let snapshot = store.snapshot().unwrap();
    let arrivals: Vec<_> = snapshot.arrivals(0).unwrap().map(Result::unwrap).collect();
    let change = |record: &str| Arrival::Change(record.into());
    let note = Arrival::Note(b"three".to_vec());
    let expected = [Arrival::Raw([8; 16]), change("p-1"), change("p-12"), note];
    assert_eq!(arrivals, (1..).zip(expected).collect::<Vec<_>>());
    assert_eq!(snapshot.raw([8; 16]).unwrap(), Some((1, input)));
    assert_eq!(snapshot.changes("p-1", 0).unwrap().count(), 1);
    assert_eq!(snapshot.changes("p-1", 3).unwrap().count(), 0);
    drop(snapshot);
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn sealed_rows_hold_what_their_rows_held() {
    let root = tempfile::tempdir().unwrap();
    let store = Store::create(&root.path().join("data"), [1; 16], &options()).unwrap();
    for number in 0..6 {
        let mut batch = Batch::new();
        batch.change("p-1", vec![number]).unwrap().change("p-2", vec![number]).unwrap();
        store.write(batch).unwrap();
    }
    let places = |latest: bool| -> Vec<(u64, u32)> {
        let snapshot = store.snapshot().unwrap();
        let place =
            |row: Result<StoredChange, _>| row.map(|row| (row.place.arrival, row.place.count));
        if latest {
            snapshot.latest_changes("p-1").unwrap().map(place).map(Result::unwrap).collect()
        } else {
            snapshot.changes("p-1", 0).unwrap().map(place).map(Result::unwrap).collect()
        }
    };
    let seal = |rows: &[(u64, u32)], bytes: &[u8]| {
        let place = |&(arrival, count): &(u64, u32)| ChangePlace { arrival, count };
        let rows: Vec<ChangePlace> = rows.iter().map(place).collect();
        let mut batch = Batch::new();
        batch.seal("p-1", &rows, bytes.to_vec()).unwrap();
        store.write(batch).unwrap();
    };
    seal(&[(1, 1)], b"one row is nothing to seal");
    assert_eq!(places(false).len(), 6);
    seal(&[(1, 1), (3, 1), (5, 1)], &[0, 1, 2]);
    seal(&[(5, 3), (7, 1)], &[0, 1, 2, 3]);
    assert_eq!((places(false), places(true)[2]), (vec![(7, 4), (9, 1), (11, 1)], (7, 4)));
    assert_eq!(store.snapshot().unwrap().count(Table::Changes).unwrap(), 9);
    let held = |arrival| store.snapshot().unwrap().change("p-1", arrival).unwrap();
    assert_eq!(held(3).unwrap().bytes, [0, 1, 2, 3]);
    assert_eq!((held(9).unwrap().bytes, held(8), held(12)), (vec![4], None, None));
    assert!(store.check().unwrap().is_sound());
    seal(&[(9, 1), (11, 1), (12, 1)], b"a row that was not there");
    assert_eq!(store.check().unwrap().broken_arrivals, 1);
}

fn junk(id: u8, size: usize) -> Quarantined {
    Quarantined {
        message: [id; 16],
        feed: "lab".into(),
        file: None,
        received_ms: 0,
        attempts: 1,
        reason: "no header".into(),
        issues: b"[]".to_vec(),
        bytes: vec![0; size],
    }
}

#[test]
fn the_quarantine_has_a_limit_and_gives_room_back() {
    let options = StoreOptions { quarantine_max_bytes: 3000, ..options() };
    let store = Store::on_medium(Box::new(Disk::default()), [1; 16], &options).unwrap();
    let put = |id, size| {
        let mut batch = Batch::new();
        batch.quarantine(&junk(id, size)).unwrap();
        store.write(batch)
    };
    put(1, 1000).unwrap();
    put(1, 2000).unwrap();
    assert!(matches!(put(2, 2000), Err(WriteError::QuarantineFull { .. })));
    let mut release = Batch::new();
    release.release([1; 16]).unwrap();
    store.write(release).unwrap();
    assert_eq!(store.snapshot().unwrap().quarantine_size().unwrap(), (0, 0));
    put(2, 2000).unwrap();
    assert_eq!(store.snapshot().unwrap().quarantined([2; 16]).unwrap(), Some(junk(2, 2000)));
    assert!(store.check().unwrap().is_sound());
}

#[test]
fn many_threads_share_one_chain() {
    let store = Store::on_medium(Box::new(Disk::default()), [1; 16], &options()).unwrap();
    let commits: Vec<u64> = std::thread::scope(|scope| {
        let write = |number| {
            let store = &store;
            scope.spawn(move || store.write(batch(number)).unwrap().commit)
        };
        let threads: Vec<_> = (0..200).map(write).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(commits.iter().max().unwrap() <= &200);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.verify_access_log().unwrap().entries, 200);
    assert_eq!(snapshot.accesses(190).unwrap().count(), 10);
}

#[test]
fn a_tampered_access_log_names_the_first_broken_link() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("data");
    let store = Store::create(&path, [3; 16], &options()).unwrap();
    assert!(store.write_many((0..6).map(batch)).iter().all(Result::is_ok));
    let key = 3_u64.to_be_bytes();
    let mut value = store.snapshot().unwrap().value(Table::AccessLog, &key).unwrap().unwrap();
    drop(store);
    let verify = || {
        let store = Store::open(&path, &options()).unwrap();
        store.snapshot().unwrap().verify_access_log()
    };
    verify().unwrap();
    tamper(&path, "access_log", &5_u64.to_be_bytes(), None);
    assert!(matches!(verify(), Err(AccessLogError::Missing { seq: 5 })));
    value[10] ^= 1;
    tamper(&path, "access_log", &key, Some(&value));
    assert!(matches!(verify(), Err(AccessLogError::BrokenLink { seq: 3 })));
    tamper(&path, "access_log", &2_u64.to_be_bytes(), None);
    assert!(matches!(verify(), Err(AccessLogError::Missing { seq: 2 })));
}

#[test]
fn a_backup_comes_back_as_a_new_life() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let store = Store::create(&at("data"), [3; 16], &options()).unwrap();
    assert!(store.write_many((0..9).map(batch)).iter().all(Result::is_ok));
    let report = store.backup(&at("backup")).unwrap();
    assert!(matches!(store.backup(&at("backup")), Err(BackupError::TargetExists { .. })));
    store.write(batch(9)).unwrap();
    assert_eq!(Store::verify_backup(&at("backup"), None).unwrap(), report);
    assert_eq!(Store::restore(&at("backup"), &at("new"), [4; 16], None).unwrap(), report);
    let restored = Store::open(&at("new"), &options()).unwrap();
    assert_eq!(restored.incarnation(), [4; 16]);
    holds_exactly(&restored.snapshot().unwrap(), 9);
    assert!(restored.check().unwrap().is_sound());
    let occupied = Store::restore(&at("backup"), &at("data"), [5; 16], None);
    assert!(matches!(occupied, Err(BackupError::TargetExists { .. })));
}

#[test]
fn a_damaged_backup_restores_nothing() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    let store = Store::create(&at("data"), [3; 16], &options()).unwrap();
    store.write(batch(0)).unwrap();
    store.backup(&at("backup")).unwrap();
    let whole = fs::read(at("backup")).unwrap();
    for position in (0..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[position] ^= 1;
        fs::write(at("bad"), &bytes).unwrap();
        assert!(Store::verify_backup(&at("bad"), None).is_err(), "byte {position}");
        fs::write(at("bad"), &whole[..position]).unwrap();
        assert!(Store::verify_backup(&at("bad"), None).is_err(), "cut at {position}");
    }
    assert!(Store::restore(&at("bad"), &at("new"), [4; 16], None).is_err());
    assert!(!at("new").exists() && !at("new.partial").exists());
}

#[test]
fn a_check_waits_for_those_who_read() {
    let store = Store::on_medium(Box::new(Disk::default()), [1; 16], &options()).unwrap();
    store.write(batch(0)).unwrap();
    let over = AtomicBool::new(false);
    let read_for = |ms| {
        while !over.load(Ordering::Relaxed) {
            let snapshot = store.snapshot().unwrap();
            thread::sleep(Duration::from_millis(ms));
            holds_exactly(&snapshot, 1);
        }
    };
    let read_in_two = || {
        while !over.load(Ordering::Relaxed) {
            let snapshot = store.snapshot().unwrap();
            holds_exactly(&store.snapshot().unwrap(), 1);
            drop(snapshot);
            thread::sleep(Duration::from_millis(2));
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| read_for(1));
        scope.spawn(|| read_for(30));
        scope.spawn(read_in_two);
        let done = (0..5).map(|_| (store.check(), store.compact())).collect::<Vec<_>>();
        over.store(true, Ordering::Relaxed);
        for (report, compacted) in done {
            assert!(report.unwrap().is_sound());
            compacted.unwrap();
        }
    });
}

#[test]
fn compacting_needs_no_open_snapshot() {
    let store = Store::on_medium(Box::new(Disk::default()), [1; 16], &options()).unwrap();
    store.write(batch(0)).unwrap();
    let snapshot = store.snapshot().unwrap();
    let error = store.compact().unwrap_err();
    assert!(matches!(error, WriteError::Failed(fault) if fault.kind() == FaultKind::Busy));
    drop(snapshot);
    store.compact().unwrap();
    holds_exactly(&store.snapshot().unwrap(), 1);
}
