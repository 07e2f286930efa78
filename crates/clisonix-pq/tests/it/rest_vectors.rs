//! The vectors of `docs/formats/vault.md`, `erasure.md` and of sealed pages in `store.md`: made from
//! a known random source, and read back. `CLISONIX_WRITE_VECTORS` writes them again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use clisonix_pq::at_rest::key_file::{self, Guard};
use clisonix_pq::at_rest::sealing::{Reader, Writer};
use clisonix_pq::at_rest::{DataKey, Pager, StoreKey, Vault};
use clisonix_pq::erasure::{Done, Order, OrderTerms, Receipt, ReceiptTerms};
use clisonix_pq::key_file::Cost;
use clisonix_pq::{Identity, Profile, Secret};

use crate::chance::Seeded;

const STORE: [u8; 16] = *b"store of vectors";
const FILE: [u8; 16] = *b"file of vectors.";
const PASS_PHRASE: &[u8] = b"a pass-phrase of the vectors";
/// Cheap: the vectors are about bytes, not about work.
const COST: Cost = Cost { memory_kib: 64, passes: 2, lanes: 1 };

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/rest").join(name)
}

/// Holds made bytes to the file, or writes it; returns what is kept.
fn hold(name: &str, made: &[u8]) -> Vec<u8> {
    if std::env::var_os("CLISONIX_WRITE_VECTORS").is_some() {
        fs::write(path(name), made).expect("written");
    }
    let kept = fs::read(path(name)).unwrap_or_else(|_| panic!("no vector {name}"));
    assert!(kept == made, "{name} is made in another way");
    kept
}

fn store_key() -> StoreKey {
    StoreKey::from_secret(Secret::filled(|own| own.fill(0x42)))
}

#[test]
fn store_keys_are_what_the_format_page_says() {
    let random = &mut Seeded::new(1);
    for (name, guard) in
        [("open.key", Guard::Rights), ("guarded.key", Guard::PassPhrase(PASS_PHRASE, COST))]
    {
        let made = key_file::wrap(&store_key(), guard, 1_700_000_000_000, random).expect("a file");
        let kept = hold(name, made.as_bytes());
        let back = key_file::unwrap(&kept, PASS_PHRASE).expect("a key");
        assert_eq!(back.secret().expose(), store_key().secret().expose());
    }
}

#[test]
fn vaults_and_sealed_values_are_what_the_format_page_says() {
    let random = &mut Seeded::new(2);
    let mut vault = Vault::new(STORE, random);
    vault.destroy(b"rp-2", 0).expect("room");
    vault.destroy(b"rp-3", 1).expect("room");
    vault.advance();
    let sealed = vault.seal(&store_key(), random);
    let (body, anchor) = (hold("vault.2", &sealed.vault), hold("anchor.2", &sealed.anchor));
    let back = Vault::open(&body, &anchor, &store_key()).expect("a vault");
    let epochs = ["rp-1", "rp-2", "rp-3"].map(|owner| back.epoch(owner.as_bytes()).expect("one"));
    assert_eq!(epochs, [0, 1, 2]);
    let key = back.data_key(b"rp-1", 0).expect("a key");
    let value = hold("value", &key.seal(&[7; 12], b"\x03p-1", b"content of a row"));
    assert_eq!(DataKey::epoch_of(&value), Some(0));
    assert_eq!(key.open(b"\x03p-1", value).expect("opens"), b"content of a row");
}

#[test]
fn pages_and_streams_are_what_the_format_pages_say() {
    let random = &mut Seeded::new(3);
    let page: Vec<u8> = (0..4096_u32).map(|at| (at % 251) as u8).collect();
    let pager = Pager::new(Secret::filled(|own| own.fill(0x24)), FILE, random);
    let mut sealed = Vec::new();
    pager.seal(5, &page, &mut sealed);
    let kept = hold("page", &sealed);
    let mut back = vec![0; page.len()];
    pager.open(5, &kept, &mut back).expect("opens");
    assert_eq!(back, page);

    let mut writer = Writer::start(Vec::new(), &store_key(), STORE, random).expect("a stream");
    writer.write_all(b"rows of a backup").expect("written");
    let kept = hold("stream", &writer.finish().expect("ended"));
    let key = store_key();
    let mut reader = Reader::start(&*kept, |label| (label.store == STORE).then_some(&key));
    let mut back = Vec::new();
    reader.as_mut().expect("a stream").read_to_end(&mut back).expect("whole");
    assert_eq!(back, b"rows of a backup");
}

#[test]
fn orders_and_receipts_are_what_the_format_page_says() {
    let random = &mut Seeded::new(4);
    let issuer = Identity::from_seed(Profile::Hybrid, &[5; 64]).expect("a key");
    let site = Identity::from_seed(Profile::Hybrid, &[6; 64]).expect("a key");
    let terms = OrderTerms {
        made_ms: 1_700_000_000_000,
        record: "p-00112233445566778899aabbccddeeff".to_owned(),
        change: [0x11; 32],
        inputs: true,
        carried: b"the change".to_vec(),
    };
    let order = Order::sign(terms.clone(), &issuer, random).expect("an order");
    let kept = hold("order", order.to_text().as_bytes());
    assert_eq!(Order::from_text(&kept, issuer.public()).expect("an order").terms(), &terms);
    let stated = ReceiptTerms {
        made_ms: 1_700_000_001_000,
        order: order.digest(),
        record: terms.record,
        change: terms.change,
        done: Done::Destroyed,
        generation: 2,
        inputs_destroyed: 1,
        inputs_kept: 0,
    };
    let receipt = Receipt::sign(stated, &site, random).expect("a receipt");
    let kept = hold("receipt", receipt.to_text().as_bytes());
    assert!(Receipt::from_text(&kept, site.public()).expect("a receipt").answers(&order));
}
