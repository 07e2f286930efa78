//! Real editing sessions (josephg/editing-traces) typed into a note of a record, a change a step.

use clisonix_crdt::text::{Text, TextEdits};
use clisonix_crdt::{ActorId, Base, ChangeId, Record};

use crate::site::{Site, entry_id};
use crate::text::traces::{Step, Trace, load};

use super::{ID, NOTE, observation};

/// Steps of a session that are played; all of it with `CLISONIX_WHOLE_TRACES=1`.
fn steps(trace: &Trace, most: usize) -> &[Step] {
    let whole = std::env::var_os("CLISONIX_WHOLE_TRACES").is_some();
    &trace.steps[..if whole { trace.steps.len() } else { trace.steps.len().min(most) }]
}

fn edits(step: &Step) -> TextEdits {
    let mut edits = TextEdits::new();
    for (position, deleted, inserted) in &step.patches {
        edits.delete(*position, *deleted).unwrap();
        edits.insert(*position, inserted).unwrap();
    }
    edits
}

fn text(record: &Record) -> String {
    record.view().text(&entry_id(ID), NOTE).unwrap()
}

fn check_sequential(name: &str) {
    let Some(trace) = load(name) else { return };
    assert_eq!(trace.start, "");
    let steps = steps(&trace, 6000);
    let mut site = Site::new(b'a');
    site.put(&observation(&[""]));
    let mut expected = Text::new();
    let agent = ActorId([1; 16]);
    for step in steps {
        let edits = edits(step);
        site.with(None, |record, origin, actors| {
            record.type_text(&entry_id(ID), NOTE, &edits, origin, actors)
        })
        .unwrap();
        let seen = expected.version();
        expected.apply(agent, seen.heads(), &edits).unwrap();
    }
    assert!(steps.len() < trace.steps.len() || expected.to_string() == trace.end);
    assert!(text(&site.record) == expected.to_string());
    let bytes = site.record.save();
    println!("{name}: {} steps, {} bytes saved", steps.len(), bytes.len());
    let mut loaded = Record::load(&bytes).unwrap();
    assert!(text(&loaded) == expected.to_string());
    let mut other = Record::new("patient-123");
    assert!(other.receive(&site.record.changes_since(&[])).unwrap().refused.is_empty());
    assert!(text(&other) == expected.to_string());
    // Typing goes on in the loaded record, and at both sites at once.
    let other_end = other.change_count();
    site.record = loaded.fork();
    site.with(None, |record, origin, actors| {
        record.type_text(&entry_id(ID), NOTE, &super::edits(&[(1, 0, "x")]), origin, actors)
    })
    .unwrap();
    site.with(None, |_, origin, actors| {
        other.type_text(&entry_id(ID), NOTE, &super::edits(&[(3, 1, "y")]), origin, actors)
    })
    .unwrap();
    assert_eq!(other.change_count(), other_end + 1);
    for record in [&mut loaded, &mut other] {
        record.receive(&site.record.changes_since(&record.view().heads())).unwrap();
    }
    loaded.receive(&other.changes_since(&loaded.view().heads())).unwrap();
    assert!(loaded.state_bytes() == other.state_bytes());
}

#[test]
fn automerge_paper() {
    check_sequential("automerge-paper");
}

#[test]
fn seph_blog1() {
    check_sequential("seph-blog1");
}

/// Two people at two sites, who see each other's typing some time later.
#[test]
fn friendsforever() {
    let Some(trace) = load("friendsforever") else { return };
    let steps = steps(&trace, 3000);
    let mut origin = Site::new(b'0');
    origin.put(&observation(&[&trace.start]));
    let mut sites = [origin.fork(b'a'), origin.fork(b'b')];
    let mut made: Vec<ChangeId> = Vec::new();
    let mut seen: Vec<Vec<bool>> = vec![vec![false; steps.len()]; sites.len()];
    let mut all = origin.record.fork();
    for (index, step) in steps.iter().enumerate() {
        let at = usize::from(step.agent);
        let mut missing = Vec::new();
        let mut wanted = step.parents.clone();
        while let Some(parent) = wanted.pop() {
            if !std::mem::replace(&mut seen[at][parent], true) {
                missing.push(parent);
                wanted.extend(&steps[parent].parents);
            }
        }
        missing.sort_unstable();
        for parent in missing {
            let bytes = all.change(&made[parent]).unwrap();
            assert!(sites[at].record.receive(&bytes).unwrap().refused.is_empty());
        }
        let edits = edits(step);
        let change = sites[at].with(None, |record, origin, actors| {
            record.edit_text(&entry_id(ID), NOTE, &edits, &Base::Current, origin, actors)
        });
        made.push(change.unwrap().unwrap());
        seen[at][index] = true;
        let bytes = sites[at].record.change(&made[index]).unwrap();
        assert!(all.receive(&bytes).unwrap().refused.is_empty());
    }
    assert!(steps.len() < trace.steps.len() || text(&all) == trace.end);
    let batch = all.changes_since(&[]);
    println!("friendsforever: {} steps, {} bytes in a batch", steps.len(), batch.len());
    for site in &mut sites {
        site.record.receive(&batch).unwrap();
        assert!(site.record.state_bytes() == all.state_bytes());
        assert!(site.conflicts().is_empty());
    }
    let loaded = Record::load(&all.save()).unwrap();
    assert!(text(&loaded) == text(&all));
    let mut backwards = Record::new("patient-123");
    for change in all.history(None).iter().rev() {
        backwards.receive(&all.change(&change.id).unwrap()).unwrap();
    }
    assert!(backwards.state_bytes() == all.state_bytes());
}
