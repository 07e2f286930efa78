//! Orders that no replica would make.

use clisonix_fhir::json;

use super::*;
use crate::actor::ActorSecret;
use crate::exchange::RefusalReason;
use crate::time::HybridTime;

fn record(text: &str, actor: u8) -> Record {
    let mut record = Record::new("r");
    let value = json::parse(text.as_bytes()).unwrap();
    let origin = Origin { author: "x", time: HybridTime::from_millis(1), source: None };
    let mut actors = || (ActorId([actor; 16]), ActorSecret([actor; 32]));
    let object = value.as_object().unwrap();
    record.edit(&[object], &Base::Current, &origin, &mut actors).unwrap();
    record
}

fn ordered(record: &mut Record, run: Run) -> Option<RefusalReason> {
    let mut fresh = Record::new("r");
    fresh.receive(&record.changes_since(&[])).unwrap();
    let order = Order { reason: "x".into(), place: "".into(), what: Erased::Runs(vec![run]) };
    let origin = Origin { author: "x", time: HybridTime::from_millis(2), source: None };
    let mut actors = || (ActorId([7; 16]), ActorSecret([7; 32]));
    record.commit(Plan::erasing(order), &[], &origin, &mut actors).unwrap();
    let received = fresh.receive(&record.changes_since(&fresh.view().heads())).unwrap();
    received.refused.first().map(|refused| refused.reason)
}

#[test]
fn an_order_names_what_is_in_its_past() {
    let text = r#"{"resourceType":"Patient","id":"p","gender":"male","active":true}"#;
    let named = |actor: u8, seq, first, count| {
        let run = Run { actor: ActorId([actor; 16]), seq, first, count };
        ordered(&mut record(text, 1), run)
    };
    assert_eq!(named(1, 1, 0, 2), None);
    for (actor, seq, first, count) in
        [(1, 1, 0, 3), (1, 1, 2, 1), (1, 2, 0, 1), (2, 1, 0, 1), (1, 3, 0, 1)]
    {
        assert_eq!(named(actor, seq, first, count), Some(RefusalReason::Erasure));
    }
}

#[test]
fn runs_that_a_reader_refuses() {
    let run = |seq, first, count| Run { actor: ActorId([1; 16]), seq, first, count };
    assert!(Order::runs(vec![run(1, 0, 1), run(1, 2, 1), run(2, 0, 1)]).is_some());
    for runs in [
        vec![run(0, 0, 1)],
        vec![run(1, 0, 0)],
        vec![run(1, u32::MAX, 1)],
        vec![run(1, 0, 2), run(1, 1, 1)],
        vec![run(1, 0, 1), run(1, 1, 1)],
        vec![run(2, 0, 1), run(1, 0, 1)],
    ] {
        assert!(Order::runs(runs).is_none());
    }
}
