//! Destroyed keys are gone, all others are what they were.

use proptest::prelude::*;

use super::*;

fn whole() -> Keys {
    ActorSecret([9; 32]).into()
}

fn key(keys: &Keys, way: Way) -> Option<[u8; 32]> {
    Trail::default().key(0, keys, way)
}

#[test]
fn ways_are_short_at_first_and_never_lead_to_each_other() {
    let last = Way::to_op(u32::MAX, (1 << 20) - 1, 1 << 20);
    assert_eq!((Way::to_change(1).len, last.len), (1, MAX_WAY));
    let ways: Vec<Way> = (1..200).map(Way::to_change).collect();
    for pair in ways.windows(2) {
        let [a, b] = pair else { continue };
        assert!(a.left() < b.left() && !a.leads_to(*b));
    }
}

#[test]
fn keys_of_a_row_of_changes_cost_little_room() {
    let mut keys = whole();
    for seq in 1..=5000 {
        keys.destroy_change(seq);
    }
    assert!(keys.0.len() < 32, "{}", keys.0.len());
    assert!(!keys.has(Way::to_change(5000)) && keys.has(Way::to_change(5001)));
}

proptest! {
    #[test]
    fn what_is_destroyed_is_gone_and_all_else_stays(
        destroyed in proptest::collection::btree_set((1..12_u32, 0..5_u32), 0..20),
        changes in proptest::collection::btree_set(1..12_u32, 0..3),
    ) {
        let mut keys = whole();
        let mut less = whole();
        for &(seq, index) in &destroyed {
            keys.destroy_op(seq, index, 5);
            if index == 0 {
                less.destroy_op(seq, index, 5);
            }
        }
        for &seq in &changes {
            keys.destroy_change(seq);
        }
        let mut bytes = Vec::new();
        keys.write(&mut bytes);
        let mut reader = Reader::new(&bytes);
        prop_assert!(Keys::read(&mut reader).is_ok_and(|read| read == keys) && reader.is_empty());
        let trail = Trail::default();
        for seq in 1..13 {
            for index in 0..5 {
                let way = Way::to_op(seq, index, 5);
                let gone = destroyed.contains(&(seq, index)) || changes.contains(&seq);
                let expected = if gone { None } else { key(&whole(), way) };
                prop_assert_eq!(trail.key(7, &keys, way), expected);
                prop_assert_eq!(keys.has(way), !gone);
            }
        }
        // A replica that destroyed less knows no more of what it knows otherwise.
        let mut learned = keys.clone();
        learned.learn(&less);
        for seq in 1..13 {
            for index in 0..5 {
                let way = Way::to_op(seq, index, 5);
                prop_assert!(!keys.has(way) || learned.has(way));
                if learned.has(way) {
                    prop_assert_eq!(key(&learned, way), key(&whole(), way));
                }
            }
        }
        let before = keys.clone();
        keys.learn(&ActorSecret([8; 32]).into());
        prop_assert!(keys == before, "a forged root proves nothing");
    }

    #[test]
    fn damaged_keys_never_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut keys = whole();
        keys.destroy_op(3, 1, 4);
        let mut bytes = Vec::new();
        keys.write(&mut bytes);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(mut read) = Keys::read(&mut Reader::new(&bytes)) {
            let _ = read.learn(&keys);
            read.destroy_change(3);
        }
    }
}
