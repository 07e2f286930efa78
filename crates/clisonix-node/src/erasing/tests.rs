//! What was erased is nowhere: not in the rows, not under any key that is left, not in a backup.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clisonix_fhir::json;
use clisonix_pq::at_rest::{PAGE_OVERHEAD_BYTES, Pager, Purpose, StoreKey};
use clisonix_pq::erasure::{Done, Order};
use clisonix_pq::{Identity, Profile, Secret};
use clisonix_store::{Span, Store, StoreForm, StoreOptions, Table};

use super::pending::pending;
use super::{Aim, finish_pending};
use crate::load::tests::{BY, Counting, bundle, node, read};
use crate::row_keys::Owner;
use crate::{Keys, Node, NodeError, ReadVersion, VaultFault};

const PLANTED: &str = "planted-content-4711";

/// Bytes that never repeat within a run.
fn random(bytes: &mut [u8]) {
    static STATE: Mutex<u64> = Mutex::new(7);
    let mut state = STATE.lock().unwrap();
    for byte in bytes {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = (*state >> 56) as u8;
    }
}

/// An encrypted node and the folders that it lies in.
struct Home {
    folder: tempfile::TempDir,
    store: u8,
}

impl Home {
    fn new(store: u8) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), store }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn keys(&self) -> Keys {
        let key = StoreKey::from_secret(Secret::filled(|own| own.fill(self.store)));
        Keys { store: [self.store; 16], key, others: Vec::new(), vault: self.at("vault"), random }
    }

    fn open(&self) -> Node {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<Node, NodeError> {
        Node::open_encrypted(&self.at("data"), self.keys(), Box::new(Counting::new(7)))
    }
}

fn take(node: &Node, text: &str) {
    let mut load = node.load(BY);
    load.take(&read("one.json", text)).unwrap();
    load.finish().unwrap();
}

/// A node with two records; into the first a planted entry came. Returns the record.
fn planted(node: &Node) -> String {
    take(node, &bundle(2));
    take(
        node,
        &format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[
{{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000001","resource":{{"resourceType":"Patient",
 "identifier":[{{"system":"urn:test:mrn","value":"N-0"}}]}}}},
{{"fullUrl":"urn:uuid:00000000-0000-4000-8000-000000000002","resource":{{"resourceType":"Condition",
 "id":"c-1","identifier":[{{"system":"urn:test:c","value":"1"}}],
 "subject":{{"reference":"urn:uuid:00000000-0000-4000-8000-000000000001"}},
 "code":{{"text":"{PLANTED}"}}}}}}]}}"#
        ),
    );
    let record = node.find_record("N-0").unwrap();
    let patient = format!(
        r#"{{"resourceType":"Patient","id":"{record}","identifier":[{{"system":"urn:test:mrn","value":"N-0"}}],"name":[{{"text":"{PLANTED}"}}]}}"#
    );
    let patient = json::parse(patient.as_bytes()).unwrap();
    node.edit(&record, &patient, ReadVersion::Current, BY).unwrap();
    record
}

/// Whether a row as it is given holds what was planted, compressed or not.
fn in_rows(node: &Node) -> bool {
    let snapshot = node.store.snapshot().unwrap();
    let holds = |bytes: &[u8]| bytes.windows(PLANTED.len()).any(|part| part == PLANTED.as_bytes());
    Table::ALL.into_iter().any(|table| {
        let mut rows = snapshot.rows(table, &Span::all()).unwrap().map(Result::unwrap);
        rows.any(|row| holds(&row.key) || holds(&row.value))
    })
}

/// All rows as they are stored.
fn stored_rows(node: &Node) -> Vec<(Table, Vec<u8>, Vec<u8>)> {
    let stored = node.store.stored().unwrap();
    let rows = |table| {
        let rows: Vec<_> = stored.rows(table, &Span::all()).unwrap().map(Result::unwrap).collect();
        rows.into_iter().map(move |row| (table, row.key, row.value))
    };
    Table::ALL.into_iter().flat_map(rows).collect()
}

fn in_files(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return in_files(&path);
        }
        let bytes = fs::read(&path).unwrap();
        bytes.windows(PLANTED.len()).any(|part| part == PLANTED.as_bytes())
    })
}

#[test]
fn what_was_erased_is_in_no_row_and_under_no_key_that_is_left() {
    let home = Home::new(1);
    let node = home.open();
    let record = planted(&node);
    assert!(in_rows(&node));
    assert!(!in_files(home.folder.path()));
    let sealed = stored_rows(&node);
    node.backup(&home.at("backup"), BY).unwrap();
    let erased = node.erase(&record, Aim::Record, "asked for it", true, BY).unwrap();
    assert_eq!((erased.inputs_destroyed, erased.inputs_kept), (2, 0));
    assert_eq!(erased.generation, Some(2));
    assert!(!in_rows(&node));
    node.verify().unwrap();
    let history = node.history(&record, None, BY).unwrap();
    assert!(history.len() >= 2);
    // Nothing that was sealed for the record before can be opened, and what was for others can.
    let rows = node.rows.as_ref().unwrap();
    let other = node.find_record("N-1").unwrap();
    let (mut lost, mut kept) = (0, 0);
    for (table, key, value) in sealed {
        use clisonix_store::{RowSeal, RowValue};
        let is_content = matches!(table, Table::Changes | Table::States | Table::Records);
        match rows.open(table, &key, value).unwrap() {
            RowValue::Lost => lost += 1,
            RowValue::Whole(_) if is_content => {
                let of_other = key.windows(other.len()).any(|part| part == other.as_bytes());
                assert!(of_other);
                kept += 1;
            }
            RowValue::Whole(_) => {}
        }
    }
    assert!(lost >= 4 && kept >= 2, "{lost} {kept}");
    let other_text = node.record_text(&other, BY).unwrap().bundle;
    drop(node);
    assert!(!in_files(home.folder.path()));
    let node = home.open();
    assert!(!in_rows(&node));
    assert_eq!(node.record_text(&other, BY).unwrap().bundle, other_text);
    node.verify().unwrap();
    // The erased record can be written on.
    take(&node, &bundle(1));
    node.verify().unwrap();
}

#[test]
fn a_backup_from_before_does_not_bring_it_back() {
    let home = Home::new(2);
    let node = home.open();
    let record = planted(&node);
    let (other, backup) = (node.find_record("N-1").unwrap(), home.at("backup"));
    let other_text = node.record_text(&other, BY).unwrap().bundle;
    node.backup(&backup, BY).unwrap();
    node.erase(&record, Aim::Entry("Patient/none"), "x", true, BY).unwrap_err();
    node.erase(&record, Aim::Record, "asked for it", true, BY).unwrap();
    drop(node);
    fs::remove_dir_all(home.at("data")).unwrap();
    let mut outside = Counting::new(9);
    Node::restore(&backup, &home.at("data"), Some(home.keys()), &mut outside).unwrap();
    let node = home.open();
    assert!(!in_rows(&node));
    assert!(!node.record_ids().unwrap().contains(&record));
    assert!(node.find_record("N-0").is_err());
    assert!(node.record_of("Condition/c-1").unwrap().is_none());
    assert_eq!(node.record_text(&other, BY).unwrap().bundle, other_text);
    node.verify().unwrap();
    take(&node, &bundle(1));
    node.verify().unwrap();
}

/// Every page of the store's file as the engine wrote it, free ones included: what somebody reads
/// who has the file and the store key (`docs/formats/store.md`).
fn pages(home: &Home) -> Vec<u8> {
    const PAGES_START: usize = 40_960;
    let file = fs::read(home.at("data").join("store.redb")).unwrap();
    let key = home.keys().key;
    let salt = file[28..44].try_into().unwrap();
    let wrapped = file[60..108].try_into().unwrap();
    let page_key = key.unwrap(Purpose::Pages, &salt, &file[..60], &wrapped).unwrap();
    let pager = Pager::new(page_key, salt, &mut random);
    let mut all = Vec::new();
    for (number, sealed) in file[PAGES_START..].chunks(4096 + PAGE_OVERHEAD_BYTES).enumerate() {
        let mut page = [0; 4096];
        // A page that was never written does not open.
        if pager.open(number as u64 + 1, sealed, &mut page).is_ok() {
            all.extend_from_slice(&page);
        }
    }
    all
}

#[test]
fn free_pages_are_gone_after_the_pages_got_another_key() {
    let holds =
        |pages: &[u8], text: &str| pages.windows(text.len()).any(|part| part == text.as_bytes());
    let home = Home::new(3);
    let node = home.open();
    let record = planted(&node);
    let before = pages(&home);
    assert!(holds(&before, "Condition/") && holds(&before, "urn:test:mrn"));
    assert!(!holds(&before, PLANTED), "content is sealed once more");
    node.erase(&record, Aim::Record, "asked for it", true, BY).unwrap();
    assert!(holds(&pages(&home), "Condition/"), "free pages keep keys of index rows");
    node.rotate_pages(BY).unwrap();
    let after = pages(&home);
    assert!(!holds(&after, "Condition/") && !holds(&after, PLANTED));
    assert!(holds(&after, "urn:test:mrn"), "the other record is still found");
    node.verify().unwrap();
}

#[test]
fn the_store_key_is_changed_in_use() {
    let home = Home::new(12);
    let node = home.open();
    planted(&node);
    let key = || StoreKey::from_secret(Secret::filled(|own| own.fill(77)));
    node.change_key(key(), BY).unwrap();
    node.verify().unwrap();
    drop(node);
    assert!(home.try_open().is_err());
    let keys = Keys { key: key(), ..home.keys() };
    let outside = || Box::new(Counting::new(8));
    Node::open_encrypted(&home.at("data"), keys, outside()).unwrap().verify().unwrap();
    // A crash in the middle: the vault is under the old key again, and the store under the new one.
    let folder = crate::vault::VaultFolder::new(home.at("vault"));
    let vault = folder.load([12; 16], &key()).unwrap().unwrap();
    folder.keep(&vault, &home.keys().key, &mut random).unwrap();
    let keys = Keys { key: key(), ..home.keys() };
    assert!(Node::open_encrypted(&home.at("data"), keys, outside()).is_err());
    let keys = Keys { key: key(), others: vec![home.keys().key], ..home.keys() };
    Node::open_encrypted(&home.at("data"), keys, outside()).unwrap().verify().unwrap();
}

#[test]
fn a_value_goes_and_the_rest_of_the_record_stays() {
    for inputs in [true, false] {
        let home = Home::new(4);
        let node = home.open();
        let record = planted(&node);
        let patient = format!("Patient/{record}");
        let aim = Aim::Value { entry: &patient, pointer: "/name/0" };
        let erased = node.erase(&record, aim, "typed wrongly", inputs, BY).unwrap();
        assert_eq!(erased.inputs_destroyed, if inputs { 2 } else { 0 });
        assert_eq!(erased.inputs_kept, if inputs { 0 } else { 2 });
        let shown = node.record_text(&record, BY).unwrap().bundle;
        assert!(shown.contains("N-0"));
        let shown = node.entry(&patient, BY).unwrap().unwrap().to_text();
        assert!(!shown.contains(PLANTED));
        node.verify().unwrap();
    }
}

#[test]
fn an_order_is_verified_and_carried_out_elsewhere() {
    let (first, second, plain) = (Home::new(5), Home::new(6), tempfile::tempdir().unwrap());
    let a = first.open();
    let record = planted(&a);
    let (key, changes) = a.changes_since(&record, &[], BY).unwrap();
    let b = second.open();
    b.receive(&record, &key, &changes, BY).unwrap();
    let c = node(&plain.path().join("data"), 3);
    c.receive(&record, &key, &changes, BY).unwrap();
    assert!(in_rows(&b) && in_rows(&c));

    let erased = a.erase(&record, Aim::Record, "asked for it", true, BY).unwrap();
    let signer = Identity::generate(Profile::Hybrid, &mut random).unwrap();
    let order = Order::sign(erased.order(5, true), &signer, &mut random).unwrap();
    let order = Order::from_text(order.to_text().as_bytes(), signer.public()).unwrap();
    let receipt = b.carry_out(&order, BY).unwrap();
    assert_eq!((receipt.done, receipt.generation), (Done::Destroyed, 2));
    assert_eq!(receipt.order, order.digest());
    assert!(!in_rows(&b));
    b.verify().unwrap();
    assert_eq!(c.carry_out(&order, BY).unwrap().done, Done::Erased);
    assert!(!in_rows(&c));
    let empty = Home::new(8).open();
    assert_eq!(empty.carry_out(&order, BY).unwrap().done, Done::Absent);
    // Again: nothing more to do.
    assert_eq!(b.carry_out(&order, BY).unwrap().generation, 2);
    assert_eq!(a.heads(&record).unwrap(), b.heads(&record).unwrap());
    assert_eq!(b.digest().unwrap(), c.digest().unwrap());
}

#[test]
fn a_crash_before_the_key_is_destroyed_is_made_good_on_opening() {
    let home = Home::new(9);
    let node = home.open();
    let record = planted(&node);
    let rows = node.rows.clone().unwrap();
    let owner = Owner::record(&record);
    let epoch = rows.step_ahead(&owner).unwrap();
    let mut batch = clisonix_store::Batch::new();
    node.put_pending(&mut batch, &record, &[(owner, epoch)]).unwrap();
    {
        let mut inside = node.inside();
        inside.records.record(&node.store, &record).unwrap();
        let key = node.store.snapshot().unwrap().record(&record).unwrap().unwrap();
        batch.record(&record, key).unwrap();
    }
    let mut inside = node.inside();
    let erased = {
        let crate::node::Inside { outside, records, signing, .. } = &mut *inside;
        let held = records.record(&node.store, &record).unwrap();
        let origin = clisonix_crdt::Origin {
            author: "tester",
            time: crate::load::edit_time(held, 1),
            source: None,
        };
        let mut actors = crate::outside::Actors { outside: &mut **outside, signing };
        let what = clisonix_crdt::Erasure::Record;
        held.erase(&what, &clisonix_crdt::Base::Current, "asked", &origin, &mut actors).unwrap()
    };
    inside.records.note_erased(&record, &erased.entries);
    inside.records.note_resealed(&record);
    node.make_durable(&record, Ok(batch), &mut inside.records).unwrap();
    drop(inside);
    assert_eq!(pending(&node.store.snapshot().unwrap()).unwrap().len(), 1);
    assert_eq!(rows.generation(), 1);
    drop((rows, node));

    let node = home.open();
    assert_eq!(node.rows.as_ref().unwrap().generation(), 2);
    assert!(pending(&node.store.snapshot().unwrap()).unwrap().is_empty());
    assert_eq!(finish_pending(&node.store, node.rows.as_ref().unwrap()).ok(), Some(()));
    node.verify().unwrap();
}

#[test]
fn an_old_copy_of_the_vault_is_refused() {
    let home = Home::new(10);
    let node = home.open();
    let record = planted(&node);
    let copy: Vec<(PathBuf, Vec<u8>)> = fs::read_dir(home.at("vault"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    node.erase(&record, Aim::Record, "asked for it", true, BY).unwrap();
    drop(node);
    fs::remove_dir_all(home.at("vault")).unwrap();
    assert!(matches!(home.try_open(), Err(NodeError::Vault(VaultFault::Missing { .. }))));
    fs::create_dir(home.at("vault")).unwrap();
    for (path, bytes) in &copy {
        fs::write(path, bytes).unwrap();
    }
    let refused = home.try_open().err();
    let expected = matches!(refused, Some(NodeError::Vault(VaultFault::Old { found: 1, seen: 2 })));
    assert!(expected, "{refused:?}");
}

#[test]
fn a_plain_store_is_encrypted_and_then_needs_its_key() {
    let home = Home::new(11);
    let data = home.at("data");
    let plain = node(&data, 1);
    let record = planted(&plain);
    let text = plain.record_text(&record, BY).unwrap().bundle;
    drop(plain);
    assert!(in_files(home.folder.path()));
    let still_plain = home.open();
    assert!(!still_plain.is_encrypted() && still_plain.rows.is_none());
    drop(still_plain);
    Node::encrypt(&data, home.keys()).unwrap();
    assert!(!in_files(home.folder.path()));
    assert!(matches!(Store::form(&data).unwrap(), StoreForm::Encrypted { .. }));
    let without = Node::open(&data, Box::new(Counting::new(1)));
    assert!(matches!(without, Err(NodeError::Open(clisonix_store::OpenError::KeyNeeded { .. }))));
    let wrong = Store::open(&data, &StoreOptions::default()).err().unwrap();
    assert!(wrong.to_string().contains("encrypted"));
    let node = home.open();
    assert_eq!(node.record_text(&record, BY).unwrap().bundle, text);
    node.verify().unwrap();
}
