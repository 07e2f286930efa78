//! A destroyed leaf is gone, and every other one is as before.

use super::{NODE_BYTES, PLACE_BITS, Place, STEPS, Tree, branch, child};
use crate::at_rest::tests::random;
use crate::secret::Secret;

/// Places near each other and far apart.
fn places() -> Vec<Place> {
    let last = (1_u128 << PLACE_BITS) - 1;
    let mut places: Vec<Place> = (0..12).collect();
    places.extend([last, last - 1, last / 2, last / 2 + 1, last / 3, 1 << 40]);
    places
}

fn leaf(tree: &Tree, place: Place) -> Option<[u8; 32]> {
    tree.leaf(place).map(|key| *key.expose())
}

#[test]
fn each_leaf_is_destroyed_by_itself() {
    let mut tree = Tree::new(&mut random(1));
    let before: Vec<_> = places().into_iter().map(|place| leaf(&tree, place)).collect();
    assert!(before.iter().all(Option::is_some));
    for (count, gone) in places().into_iter().enumerate() {
        assert!(tree.destroy(gone));
        assert!(!tree.destroy(gone));
        for ((number, place), was) in places().into_iter().enumerate().zip(&before) {
            let wanted = if number <= count { None } else { *was };
            assert_eq!(leaf(&tree, place), wanted);
        }
        let mut bytes = Vec::new();
        tree.encode(&mut bytes);
        tree = Tree::decode(&bytes).unwrap();
    }
}

#[test]
fn no_node_that_is_left_leads_to_a_destroyed_leaf() {
    let mut tree = Tree::new(&mut random(2));
    let place = 0x1234_5678_9abc_def0_1357;
    let mut way = Secret::filled(|own| *own = *tree.0[0].key.expose());
    let mut above = vec![*way.expose()];
    for depth in 0..STEPS {
        way = child(&way, Some(branch(place, depth)));
        above.push(*way.expose());
    }
    tree.destroy(place);
    assert_eq!(tree.0.len(), 3 * usize::from(STEPS));
    assert!(tree.0.iter().all(|node| !above.contains(node.key.expose())));
}

#[test]
fn what_is_no_tree_is_refused() {
    let mut tree = Tree::new(&mut random(3));
    tree.destroy(77);
    let mut bytes = Vec::new();
    tree.encode(&mut bytes);
    for cut in 0..bytes.len() {
        assert!(Tree::decode(&bytes[..cut]).is_none());
    }
    let mut swapped = bytes.clone();
    let (left, right) = swapped[4..].split_at_mut(NODE_BYTES);
    left.swap_with_slice(&mut right[..NODE_BYTES]);
    assert!(Tree::decode(&swapped).is_none());
    let mut deep = bytes;
    deep[4] = STEPS + 1;
    assert!(Tree::decode(&deep).is_none());
}
