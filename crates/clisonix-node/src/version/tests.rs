//! What a node tells that it has, as bytes.

use std::collections::BTreeMap;

use clisonix_crdt::{ActorId, ChangeId};

use super::{Have, MAX_OPEN, Reached};

#[test]
fn what_a_node_has_is_read_as_it_was_told() {
    let some = Have {
        whole_statements: true,
        whole_changes: false,
        heads: vec![ChangeId([7; 32]), ChangeId([8; 32])],
        places: vec![(ActorId([1; 16]), 300), (ActorId([2; 16]), 1)],
        open: Some(BTreeMap::from([
            (ActorId([1; 16]), Reached { last: 299, adopted: false }),
            (ActorId([2; 16]), Reached { last: 1, adopted: true }),
        ])),
    };
    let untold = Have { open: None, ..some.clone() };
    for have in [some, untold, Have::nothing()] {
        let bytes = have.encode();
        assert_eq!(Have::decode(&bytes), Ok(have));
        for end in 1..bytes.len() {
            assert!(Have::decode(&bytes[..end]).is_err(), "{end}");
        }
    }
    assert!(Have::nothing().encode().is_empty());
}

#[test]
fn more_than_a_node_tells_is_refused() {
    let actors = (0..=MAX_OPEN as u8).map(|number| ActorId([number; 16]));
    let places: BTreeMap<ActorId, Reached> =
        actors.map(|actor| (actor, Reached::default())).collect();
    let have = Have { heads: vec![ChangeId([1; 32])], open: Some(places), ..Have::default() };
    assert!(Have::decode(&have.encode()).is_err());
    assert!(Have::decode(&[8]).is_err());
    assert!(Have::decode(&[0, 0xff, 0xff, 0xff, 0x7f]).is_err());
}
