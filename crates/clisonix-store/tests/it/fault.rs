//! Full disks and failing operations: a typed error, nothing acknowledged lost, and a way on.

use clisonix_store::{Batch, FaultKind, Store, Table, WriteError};

use crate::crash::{FORMS, Form, batch, holds_exactly};
use crate::disk::{Disk, Plan};

fn open(disk: &Disk, form: Form) -> Store {
    crate::crash::open(disk, form).unwrap()
}

#[test]
fn a_full_disk_refuses_the_write_and_works_again_when_there_is_room() {
    FORMS.into_iter().for_each(full_disk);
}

fn full_disk(form: Form) {
    let disk = Disk::default();
    let store = open(&disk, form);
    store.write(batch(0)).unwrap();
    disk.plan(Plan { room: Some(6 << 20), ..Plan::default() });
    let mut large = Batch::new();
    large.put(Table::Index, b"large", vec![1; 12 << 20]).unwrap();
    match store.write(large).unwrap_err() {
        WriteError::Failed(fault) | WriteError::Unknown(fault) => {
            assert_eq!(fault.kind(), FaultKind::StorageFull);
        }
        error => panic!("{error}"),
    }
    disk.plan(Plan::default());
    store.write(batch(1)).unwrap();
    holds_exactly(&store.snapshot().unwrap(), 2);
    drop(store);
    holds_exactly(&open(&disk, form).snapshot().unwrap(), 2);
}

#[test]
fn one_failing_operation_loses_nothing_acknowledged() {
    FORMS.into_iter().for_each(each_operation_fails_once);
}

fn each_operation_fails_once(form: Form) {
    let rehearsal = Disk::default();
    let store = open(&rehearsal, form);
    rehearsal.plan(Plan::default());
    for number in 0..6 {
        store.write(batch(number)).unwrap();
    }
    let (operations, _) = rehearsal.operations();
    for fail_at in 1..=operations {
        one_failure(fail_at, form);
    }
}

fn one_failure(fail_at: u64, form: Form) {
    let disk = Disk::default();
    let store = open(&disk, form);
    disk.plan(Plan { fail_once_at: Some(fail_at), ..Plan::default() });
    let mut acknowledged = 0;
    let mut poisoned = false;
    let mut failures = 0;
    while acknowledged < 6 && !poisoned {
        match store.write(batch(acknowledged)) {
            Ok(_) => acknowledged += 1,
            Err(WriteError::Failed(_)) => failures += 1,
            Err(WriteError::Unknown(_)) => poisoned = true,
            Err(error) => panic!("operation {fail_at}: {error}"),
        }
        assert!(failures <= 1, "operation {fail_at}");
    }
    if poisoned {
        let error = store.write(batch(acknowledged)).unwrap_err();
        assert!(matches!(error, WriteError::Poisoned(_)), "operation {fail_at}: {error}");
    }
    drop(store);
    let store = open(&disk, form);
    let present = store.snapshot().unwrap().next_arrival().unwrap() - 1;
    assert!((acknowledged..=acknowledged + 1).contains(&present), "operation {fail_at}");
    holds_exactly(&store.snapshot().unwrap(), present);
    assert!(store.check().unwrap().is_sound(), "operation {fail_at}");
}

#[test]
fn a_failed_sync_is_told_to_every_waiting_writer_and_poisons_the_store() {
    let disk = Disk::default();
    let store = open(&disk, Form::Encrypted);
    store.write(batch(0)).unwrap();
    disk.plan(Plan { no_sync: true, ..Plan::default() });
    let outcomes = store.write_many((1..9).map(batch));
    assert_eq!(outcomes.len(), 8);
    assert!(outcomes.iter().all(Result::is_err));
    disk.plan(Plan::default());
    assert!(matches!(store.write(batch(1)), Err(WriteError::Poisoned(_))));
}
