//! Power cuts at every kind of moment, with any part of the unsynced bytes surviving.

use clisonix_store::{Access, Action, Batch, Snapshot, Store, StoreOptions, Table};

use crate::at_rest::protection;
use crate::disk::{Dice, Disk, Plan};

const BATCHES: u64 = 12;

/// The `number`th batch of the load; several rows in several tables, so that half a batch shows.
pub(crate) fn batch(number: u64) -> Batch {
    let record = format!("p-{}", number % 3);
    let length = (number as usize * 977) % 9000 + 1;
    let mut batch = Batch::new();
    batch.change(&record, number.to_be_bytes().to_vec()).unwrap();
    batch.state(&record, vec![number as u8; length]).unwrap();
    batch.put(Table::Index, &number.to_be_bytes(), record.clone().into_bytes()).unwrap();
    let access = Access {
        time_ms: number as i64,
        author: "dr-a".into(),
        action: Action::Write,
        record: Some(record),
        version: Some([number as u8; 32]),
        purpose: "care".into(),
    };
    batch.access(access).unwrap();
    batch
}

/// The store holds exactly the batches `0..count`, each whole.
pub(crate) fn holds_exactly(snapshot: &Snapshot, count: u64) {
    assert_eq!(snapshot.next_arrival().unwrap(), count + 1);
    assert_eq!(snapshot.count(Table::Index).unwrap(), count);
    assert_eq!(snapshot.count(Table::Changes).unwrap(), count);
    assert_eq!(snapshot.access_head().unwrap().entries, count);
    for number in 0..count {
        let record = format!("p-{}", number % 3);
        let change = snapshot.change(&record, number + 1).unwrap().map(|row| row.bytes);
        assert_eq!(change, Some(number.to_be_bytes().to_vec()));
        if number + 3 >= count {
            let length = (number as usize * 977) % 9000 + 1;
            assert_eq!(snapshot.state(&record).unwrap(), Some(vec![number as u8; length]));
        }
    }
}

/// Whether what is tested is encrypted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    Plain,
    Encrypted,
}

pub(crate) const FORMS: [Form; 2] = [Form::Plain, Form::Encrypted];

pub(crate) fn open(disk: &Disk, form: Form) -> Result<Store, clisonix_store::OpenError> {
    let protection = match form {
        Form::Plain => None,
        Form::Encrypted => Some(protection(1)),
    };
    let options = StoreOptions { cache_bytes: 1 << 20, protection, ..StoreOptions::default() };
    Store::on_medium(Box::new(disk.clone()), [1; 16], &options)
}

/// Writes until an error; how many were acknowledged.
fn load(store: &Store) -> u64 {
    (0..BATCHES).take_while(|number| store.write(batch(*number)).is_ok()).count() as u64
}

/// Operations of the undisturbed load, and which of them sync.
fn rehearsal(form: Form) -> (u64, Vec<u64>) {
    let disk = Disk::default();
    let store = open(&disk, form).unwrap();
    disk.plan(Plan::default());
    assert_eq!(load(&store), BATCHES);
    disk.operations()
}

fn survives(seed: u64, operations: u64, syncs: &[u64], form: Form) {
    let mut dice = Dice(seed);
    let disk = Disk::default();
    let store = open(&disk, form).unwrap();
    let crash_at = if seed.is_multiple_of(3) {
        syncs[dice.roll(syncs.len() as u64) as usize]
    } else {
        1 + dice.roll(operations)
    };
    disk.plan(Plan { crash_at: Some(crash_at), ..Plan::default() });
    let acknowledged = load(&store);
    drop(store);
    assert!(disk.is_dead());
    disk.power_on(&mut dice);
    if dice.roll(2) == 0 {
        // The power goes again while the store is being recovered.
        disk.plan(Plan { crash_at: Some(1 + dice.roll(12)), ..Plan::default() });
        drop(open(&disk, form));
        disk.power_on(&mut dice);
    }
    let store = open(&disk, form).unwrap();
    let present = store.snapshot().unwrap().next_arrival().unwrap() - 1;
    assert!((acknowledged..=acknowledged + 1).contains(&present), "{acknowledged} {present}");
    holds_exactly(&store.snapshot().unwrap(), present);
    assert!(store.check().unwrap().is_sound());
    store.write(batch(present)).unwrap();
    holds_exactly(&store.snapshot().unwrap(), present + 1);
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_and_nothing_is_halved() {
    let cases = std::env::var("CLISONIX_CRASH_CASES").ok().and_then(|text| text.parse().ok());
    for form in FORMS {
        let (operations, syncs) = rehearsal(form);
        for seed in 0..cases.unwrap_or(300) {
            let outcome = std::panic::catch_unwind(|| survives(seed, operations, &syncs, form));
            assert!(outcome.is_ok(), "failing seed: {seed}, {form:?}");
        }
    }
}

#[test]
fn an_encrypted_store_survives_a_cut_at_every_write() {
    let (operations, syncs) = rehearsal(Form::Encrypted);
    for crash_at in 1..=operations {
        for seed in 0..3 {
            let outcome = std::panic::catch_unwind(|| cut_at(crash_at, seed));
            assert!(outcome.is_ok(), "operation {crash_at} of {operations}, seed {seed}");
        }
    }
    assert!(syncs.len() > 20);
}

fn cut_at(crash_at: u64, seed: u64) {
    let mut dice = Dice(crash_at * 31 + seed);
    let disk = Disk::default();
    let store = open(&disk, Form::Encrypted).unwrap();
    disk.plan(Plan { crash_at: Some(crash_at), ..Plan::default() });
    let acknowledged = load(&store);
    drop(store);
    disk.power_on(&mut dice);
    let store = open(&disk, Form::Encrypted).unwrap();
    let present = store.snapshot().unwrap().next_arrival().unwrap() - 1;
    assert!((acknowledged..=acknowledged + 1).contains(&present), "{acknowledged} {present}");
    holds_exactly(&store.snapshot().unwrap(), present);
}

#[test]
fn the_making_of_an_encrypted_store_can_be_cut_anywhere() {
    let rehearsal = Disk::default();
    rehearsal.plan(Plan::default());
    drop(open(&rehearsal, Form::Encrypted).unwrap());
    let (operations, _) = rehearsal.operations();
    for crash_at in 1..=operations {
        for seed in 0..4 {
            let mut dice = Dice(crash_at * 31 + seed);
            let disk = Disk::default();
            disk.plan(Plan { crash_at: Some(crash_at), ..Plan::default() });
            drop(open(&disk, Form::Encrypted));
            disk.power_on(&mut dice);
            let store = open(&disk, Form::Encrypted)
                .unwrap_or_else(|error| panic!("operation {crash_at}, seed {seed}: {error:?}"));
            store.write(batch(0)).unwrap();
            holds_exactly(&store.snapshot().unwrap(), 1);
        }
    }
}

#[test]
fn the_test_disk_really_loses_unsynced_bytes() {
    use clisonix_store::Medium;
    let mut lost = 0;
    for seed in 0..40 {
        let disk = Disk::default();
        let head = disk.open().unwrap();
        head.write(0, &[7; 4096]).unwrap();
        disk.power_on(&mut Dice(seed));
        let length = head.len().unwrap() as usize;
        let mut bytes = vec![0; length];
        head.read(0, &mut bytes).unwrap();
        lost += u32::from(bytes != [7; 4096]);
    }
    assert!(lost > 10, "{lost}");
}
