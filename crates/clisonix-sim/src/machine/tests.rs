//! Faults that seeds have found, each told shortly.

use clisonix_fhir::json;
use clisonix_node::ReadVersion;

use super::{BY, Machine};
use crate::chance::Chance;
use crate::disk::Plan as Fault;
use crate::record::{Plan, entry};

/// Larger than what a disk has left that does not grow.
const LARGE_BYTES: usize = 8 << 20;

#[test]
fn what_is_written_after_an_edit_that_failed_is_signed_by_the_next_process() {
    let mut machine = Machine::new(0, None, &mut Chance(1));
    assert!(machine.start());
    let node = machine.node.clone().unwrap();
    crate::world::take(&node, &Plan::new(1, 0, false).bundle("Zqj01v0"));
    node.checkpoint().unwrap();
    let id = node.record_ids().unwrap().pop().unwrap();
    let shown = node.record_text(&id, BY).unwrap().bundle;
    let patient = entry(&json::parse(shown.as_bytes()).unwrap(), "Patient").unwrap();
    let write = |family: &str| {
        let mut patient = patient.clone();
        let name = json::parse(format!(r#"[{{"family":"{family}"}}]"#).as_bytes()).unwrap();
        patient.as_object_mut().unwrap().insert("name", name);
        node.edit(&id, &patient, ReadVersion::Current, BY)
    };
    machine.disk.plan(Fault { is_full: true, ..Fault::default() });
    assert!(write(&"x".repeat(LARGE_BYTES)).is_err());
    machine.disk.plan(Fault::default());
    assert!(write("Zqj01v1").is_ok());
    drop(node);
    machine.disk.cut_power();
    machine.stop();
    machine.disk.power_cycle(&mut Chance(2));
    assert!(machine.start());
    let node = machine.node.clone().unwrap();
    assert!(node.checkpoint().unwrap().is_some(), "nothing is known of what is to be signed");
    assert!(node.is_final(&id).unwrap());
}

#[test]
fn a_clock_that_was_set_back_does_not_hold_up_a_checkpoint() {
    let mut machine = Machine::new(0, None, &mut Chance(1));
    machine.set_time(1_700_000_000_000);
    assert!(machine.start());
    let node = machine.node.clone().unwrap();
    crate::world::take(&node, &Plan::new(1, 0, false).bundle("Zqj01v0"));
    assert!(!node.is_checkpoint_due());
    machine.set_time(1_700_000_000_000 - 86_400_000);
    assert!(node.is_checkpoint_due());
}
