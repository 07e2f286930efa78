//! Receipts that were changed, taken out or cut off are told.

use clisonix_crdt::HybridTime;
use clisonix_pq::Fingerprint;
use clisonix_store::{Batch, Table};
use clisonix_tide::{Cursor, NodeId, Receipt, SetHash};

use super::{KeptReceipt, ReceiptFault, key};
use crate::Node;
use crate::load::tests::node;

fn receipt(number: u8) -> Receipt {
    Receipt {
        from: NodeId([number % 2; 32]),
        to: NodeId([1 - number % 2; 32]),
        time: HybridTime(u64::from(number) << 16),
        at: Cursor { incarnation: 7, arrival: u64::from(number) },
        epoch: 1,
        count: 10,
        hash: SetHash(u128::from(number)),
        scope: [3; 32],
    }
}

fn fault(node: &Node) -> (u64, Option<ReceiptFault>) {
    node.verify_receipts(|from: &NodeId, _: &[u8], signature: &[u8]| signature == from.0).unwrap()
}

#[test]
fn receipts_are_kept_in_a_chain() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("data");
    let first = node(&directory, 1);
    assert_eq!(fault(&first), (0, None));
    for number in 0..5 {
        let receipt = receipt(number);
        assert_eq!(first.keep_receipt(&receipt, &receipt.from.0).unwrap(), u64::from(number));
    }
    drop(first);
    let node = node(&directory, 2);
    assert_eq!(fault(&node), (5, None));
    let told: Vec<KeptReceipt> = node.tide_receipts(3, 10).unwrap();
    assert_eq!(told.iter().map(|kept| kept.receipt).collect::<Vec<_>>(), [3, 4].map(receipt));
    let [one, two] = [0, 1].map(|byte| Fingerprint::from_bytes([byte; 32]));
    assert_eq!(node.last_receipt(two, one).unwrap().unwrap().seq, 3);
    assert_eq!(node.last_receipt(one, one).unwrap(), None);
    // A signature that is not the sayer's.
    node.keep_receipt(&receipt(5), &[9; 32]).unwrap();
    assert_eq!(fault(&node), (5, Some(ReceiptFault::Signature(5))));
}

#[test]
fn receipts_that_were_tampered_with_are_told() {
    let home = tempfile::tempdir().unwrap();
    let fill = |name: &str| {
        let node = node(&home.path().join(name), 1);
        for number in 0..4 {
            node.keep_receipt(&receipt(number), &receipt(number).from.0).unwrap();
        }
        node
    };
    let row = |node: &Node, seq| {
        node.store.snapshot().unwrap().value(Table::Index, &key(seq)).unwrap().unwrap()
    };
    let write = |node: &Node, seq, value: Option<Vec<u8>>| {
        let mut batch = Batch::new();
        match value {
            Some(value) => drop(batch.put(Table::Index, &key(seq), value).unwrap()),
            None => drop(batch.remove(Table::Index, &key(seq)).unwrap()),
        }
        node.store.write(batch).unwrap();
    };
    let changed = fill("changed");
    for place in 0..row(&changed, 1).len() {
        let whole = row(&changed, 1);
        let mut value = whole.clone();
        value[place] ^= 1;
        write(&changed, 1, Some(value));
        assert_eq!(fault(&changed), (1, Some(ReceiptFault::Chain(1))), "byte {place}");
        write(&changed, 1, Some(whole));
    }
    let gap = fill("gap");
    write(&gap, 2, None);
    assert_eq!(fault(&gap), (2, Some(ReceiptFault::Chain(2))));
    let cut = fill("cut");
    write(&cut, 3, None);
    assert_eq!(fault(&cut), (3, Some(ReceiptFault::Cut(4))));
    let twice = fill("twice");
    write(&twice, 3, Some(row(&twice, 2)));
    assert_eq!(fault(&twice), (3, Some(ReceiptFault::Chain(3))));
}
