//! What stands beside an encrypted store: key files, vaults, sealed streams, orders and receipts.

use std::io::Read as _;
use std::sync::LazyLock;

use clisonix_pq::at_rest::sealing::Reader;
use clisonix_pq::at_rest::{DataKey, StoreKey, Vault, key_file};
use clisonix_pq::erasure::{Order, Receipt};
use clisonix_pq::{Identity, Profile, Secret};

static SIGNER: LazyLock<Identity> =
    LazyLock::new(|| Identity::from_seed(Profile::Hybrid, &[5; 64]).expect("a key"));

/// The first byte says what the rest is.
pub(crate) fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let key = StoreKey::from_secret(Secret::filled(|own| own.fill(0x42)));
    match kind % 6 {
        0 => {
            // What is under a pass-phrase asks for work, which is bounded and slow.
            if key_file::is_guarded(rest) == Ok(false) {
                let _ = key_file::unwrap(rest, b"");
            }
        }
        1 => {
            // Two files in one input: the first has the length that stands before it.
            let Some((length, rest)) = rest.split_first_chunk() else { return };
            let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
            let (anchor, vault) = rest.split_at(length);
            let _ = Vault::about(vault);
            let _ = Vault::open(vault, anchor, &key);
        }
        2 => {
            if let Ok(mut reader) = Reader::start(rest, |_| Some(&key)) {
                let _ = reader.read_to_end(&mut Vec::new());
            }
        }
        3 => {
            let _ = DataKey::epoch_of(rest);
        }
        4 => {
            if let Ok(order) = Order::from_text(rest, SIGNER.public()) {
                assert_eq!(order.to_text().as_bytes(), rest, "two texts of one order");
            }
        }
        _ => {
            if let Ok(receipt) = Receipt::from_text(rest, SIGNER.public()) {
                assert_eq!(receipt.to_text().as_bytes(), rest, "two texts of one receipt");
            }
        }
    }
}
