//! A recorded work, cut at its writes. `CLISONIX_CUTS=all` plays every cut, `from..to` a range of
//! them.

use clisonix_sim::{Chance, Trace};

use crate::{cpu_seconds, range};

/// Of how many cuts one is played where nothing is named.
const ONE_IN: u64 = 400;
/// Of how many played cuts one ends with a whole node that is verified.
const VERIFIED: u64 = 40;

/// After how many cuts it is told how far it came, where cuts are named.
const TOLD: u64 = 5_000;

#[test]
fn what_was_acknowledged_survives_a_cut_at_every_write() {
    let all = std::env::var("CLISONIX_CUTS").is_ok_and(|text| text == "all");
    let named = range("CLISONIX_CUTS").or(all.then_some(0..u64::MAX));
    for is_encrypted in [false, true] {
        let begun = cpu_seconds();
        let trace = Trace::record(is_encrypted);
        assert!(trace.commits() >= clisonix_sim::WORK * 19 / 20, "{} commits", trace.commits());
        let recorded = cpu_seconds();
        let (mut chance, mut told) = (Chance(17), 0);
        let played = trace.play(
            &mut |number| {
                if named.is_some() && number / TOLD > told {
                    told = number / TOLD;
                    println!("encrypted {is_encrypted}: at cut {number}");
                }
                match &named {
                    Some(range) => range.contains(&number),
                    None => chance.draw().is_multiple_of(ONE_IN),
                }
            },
            VERIFIED,
        );
        println!(
            "encrypted {is_encrypted}: {} commits, {} steps, {played:?}; {:.1} CPU s to record, \
             {:.1} to cut",
            trace.commits(),
            trace.steps(),
            recorded - begun,
            cpu_seconds() - recorded,
        );
        assert!(played.cuts > 0 || named.is_some(), "nothing was cut");
    }
}
