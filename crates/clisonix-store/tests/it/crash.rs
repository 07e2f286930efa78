//! Power cuts at every kind of moment, with any part of the unsynced bytes surviving.

use clisonix_store::{Access, Action, Batch, Snapshot, Store, StoreOptions, Table};

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

fn open(disk: &Disk) -> Result<Store, clisonix_store::OpenError> {
    let options = StoreOptions { cache_bytes: 1 << 20, ..StoreOptions::default() };
    Store::on_medium(Box::new(disk.clone()), [1; 16], &options)
}

/// Writes until an error; how many were acknowledged.
fn load(store: &Store) -> u64 {
    (0..BATCHES).take_while(|number| store.write(batch(*number)).is_ok()).count() as u64
}

/// Operations of the undisturbed load, and which of them sync.
fn rehearsal() -> (u64, Vec<u64>) {
    let disk = Disk::default();
    let store = open(&disk).unwrap();
    disk.plan(Plan::default());
    assert_eq!(load(&store), BATCHES);
    disk.operations()
}

fn survives(seed: u64, operations: u64, syncs: &[u64]) {
    let mut dice = Dice(seed);
    let disk = Disk::default();
    let store = open(&disk).unwrap();
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
        drop(open(&disk));
        disk.power_on(&mut dice);
    }
    let store = open(&disk).unwrap();
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
    let (operations, syncs) = rehearsal();
    for seed in 0..cases.unwrap_or(300) {
        let outcome = std::panic::catch_unwind(|| survives(seed, operations, &syncs));
        assert!(outcome.is_ok(), "failing seed: {seed}");
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
