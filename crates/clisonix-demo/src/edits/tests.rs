//! The script holds what it promises, at several seeds.

use std::collections::BTreeMap;

use super::{Base, script};
use crate::population::Population;

#[test]
fn every_case_is_played_on_several_patients_in_both_orders() {
    for seed in 1..=4 {
        let edits = script(&Population::generate(40, seed), seed);
        let mut orders: BTreeMap<u8, Vec<bool>> = BTreeMap::new();
        for pair in edits.windows(2).filter(|pair| pair[0].group == pair[1].group) {
            if let Some(case) = pair[0].case {
                assert_ne!(pair[0].replica, pair[1].replica);
                orders.entry(case).or_default().push(pair[0].replica < pair[1].replica);
            }
        }
        for case in 1..=6 {
            let played = &orders[&case];
            assert!(played.len() >= 4, "seed {seed} case {case}: {}", played.len());
            assert!(played.contains(&true) && played.contains(&false), "seed {seed} case {case}");
        }
        assert!(edits.iter().any(|edit| edit.base == Base::Now));
        assert!(edits.len() > 200);
    }
}
