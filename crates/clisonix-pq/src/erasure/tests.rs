//! Orders and receipts read back, and no bit of them can be changed.

use super::{Done, MAX_CARRIED_BYTES, Order, OrderTerms, Receipt, ReceiptTerms};
use crate::form::FormError;
use crate::identity::Identity;
use crate::profile::Profile;

fn random(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed;
    move |bytes: &mut [u8]| {
        for byte in bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (state >> 56) as u8;
        }
    }
}

fn terms() -> OrderTerms {
    OrderTerms {
        made_ms: 1_700_000_000_000,
        record: "p-1".to_owned(),
        change: [7; 32],
        inputs: true,
        carried: b"a change".to_vec(),
    }
}

#[test]
fn an_order_and_its_receipt_verify_under_their_signers_only() {
    for profile in Profile::ALL {
        let (a, b) = (1, 2);
        let [a, b] = [a, b].map(|seed| Identity::generate(profile, &mut random(seed)).unwrap());
        let order = Order::sign(terms(), &a, &mut random(3)).unwrap();
        let read = Order::from_text(order.to_text().as_bytes(), a.public()).unwrap();
        assert_eq!((&read, read.terms()), (&order, &terms()));
        let other = Order::from_text(order.to_text().as_bytes(), b.public());
        assert_eq!(other, Err(FormError::OtherKey));
        let stated = ReceiptTerms {
            made_ms: 1_700_000_000_001,
            order: order.digest(),
            record: "p-1".to_owned(),
            change: [7; 32],
            done: Done::Destroyed,
            generation: 2,
            inputs_destroyed: 3,
            inputs_kept: 0,
        };
        let receipt = Receipt::sign(stated.clone(), &b, &mut random(4)).unwrap();
        let read = Receipt::from_text(receipt.to_text().as_bytes(), b.public()).unwrap();
        assert_eq!(read.terms(), &stated);
        assert!(read.answers(&order));
        let mut elsewhere = terms();
        elsewhere.made_ms += 1;
        assert!(!read.answers(&Order::sign(elsewhere, &a, &mut random(3)).unwrap()));
    }
}

#[test]
fn every_changed_byte_of_an_order_is_seen() {
    let by = Identity::generate(Profile::Hybrid, &mut random(1)).unwrap();
    let order = Order::sign(terms(), &by, &mut random(3)).unwrap();
    let text = order.to_text().as_bytes();
    for at in (0..400).chain((400..text.len()).step_by(97)) {
        let mut changed = text.to_vec();
        changed[at] ^= 1;
        assert!(Order::from_text(&changed, by.public()).is_err(), "byte {at}");
    }
    assert!(Order::from_text(&text[..text.len() - 1], by.public()).is_err());
}

#[test]
fn the_longest_order_still_reads() {
    for profile in Profile::ALL {
        let by = Identity::generate(profile, &mut random(1)).unwrap();
        let mut most = terms();
        most.record = "r".repeat(super::MAX_RECORD_BYTES);
        most.carried = vec![1; MAX_CARRIED_BYTES];
        let order = Order::sign(most.clone(), &by, &mut random(3)).unwrap();
        assert!(Order::from_text(order.to_text().as_bytes(), by.public()).is_ok());
        most.carried.push(1);
        assert_eq!(Order::sign(most, &by, &mut random(3)), Err(FormError::TooLong));
    }
}
