//! Deliberate bugs, each of which the simulator must find.

use std::panic;

use super::world::World;
use crate::fault::{Fault, is_any_on, set};

/// In how many seeds a bug is found at the latest.
const SEEDS: u64 = 500;

const MUTANTS: &[Fault] = &[
    Fault::CursorBeforeTaken,
    Fault::ScopeAtEntryOnly,
    Fault::PushWithoutScope,
    Fault::AgreeByCount,
    Fault::EpochNotMet,
    Fault::OutsideIgnored,
    Fault::FutureStamp,
    Fault::ReceiptOnce,
    Fault::RefusedAtOnce,
    Fault::NothingFetched,
    Fault::NothingGiven,
    Fault::NobodyCompares,
    Fault::AskedOnce,
    Fault::RevokedServed,
    Fault::LateReceipt,
    Fault::ReceiptUnverified,
    Fault::LateWordTrusted,
    Fault::HaveWithheld,
    Fault::IncarnationIgnored,
    Fault::AckBeforeSync,
    Fault::IncarnationReused,
    Fault::ArrivalSkipped,
    Fault::SketchNotUpdated,
    Fault::OthersNotTold,
    Fault::SignatureUnchecked,
    Fault::ClockForgotten,
    Fault::NoticesForgotten,
    Fault::VersionTooShort,
    Fault::RunTooShort,
    Fault::ConsentHoldsOn,
];

#[test]
fn deliberate_bugs_are_found() {
    let hook = panic::take_hook();
    // Only what these bugs lead to is kept silent, not another test's failure.
    panic::set_hook(Box::new(move |info| {
        if !is_any_on() {
            hook(info);
        }
    }));
    let missed: Vec<Fault> = MUTANTS.iter().copied().filter(|fault| !is_found(*fault)).collect();
    assert!(missed.is_empty(), "not found: {missed:?}");
}

fn is_found(fault: Fault) -> bool {
    (0..SEEDS).any(|seed| {
        set(Some(fault));
        let found = panic::catch_unwind(|| World::new(seed).run());
        set(None);
        found.is_err()
    })
}
