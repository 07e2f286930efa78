//! This project's merge layer, through its public interface.

use anyhow::{Context, Result, ensure};
use clisonix_crdt::{ActorId, ActorSecret, Base, EntryId, HybridTime, Origin, Record};
use clisonix_fhir::json::{Object, Value};
use clisonix_fhir::schema::resource_named;

use crate::suite::{Case, Outcome, Shown};

/// One site's replica.
struct Site {
    record: Record,
    name: u8,
    actors: u8,
}

/// Plays a case; the branches arrive in either order at two more replicas.
pub fn play(case: &Case, (name_a, name_b): (u8, u8)) -> Result<Outcome> {
    let mut origin = Site { record: Record::new("hazard"), name: 9, actors: 0 };
    origin.write(&[], &case.base)?;
    let (mut a, mut b) = (origin.fork(name_a), origin.fork(name_b));
    a.write(&case.base, &case.a)?;
    b.write(&case.base, &case.b)?;
    let (mut early, mut late) = (origin.fork(7), origin.fork(8));
    early.pull(&a)?;
    early.pull(&b)?;
    late.pull(&b)?;
    late.pull(&a)?;
    a.pull(&b)?;
    b.pull(&a)?;
    let bytes = [&a, &b, &early, &late].map(|site| site.record.state_bytes());
    let view = early.record.view();
    let shown = view.conflicts().into_iter().map(|conflict| Shown {
        entry: conflict.entry.to_string(),
        sides: conflict
            .sides
            .into_iter()
            .map(|side| side.value.filter(|_| !side.removed))
            .collect(),
    });
    Ok(Outcome {
        is_same: bytes.windows(2).all(|pair| pair[0] == pair[1]),
        resources: view.entries().filter_map(|id| view.resource(id)).collect(),
        shown: shown.collect(),
    })
}

impl Site {
    fn fork(&self, name: u8) -> Self {
        Self { record: self.record.fork(), name, actors: 0 }
    }

    fn write(&mut self, from: &[Value], to: &[Value]) -> Result<()> {
        let changed = to.iter().filter(|resource| !from.contains(resource));
        let changed: Vec<&Object> = changed.filter_map(Value::as_object).collect();
        let gone = from.iter().map(id_of).collect::<Result<Vec<_>>>()?;
        let kept = to.iter().map(id_of).collect::<Result<Vec<_>>>()?;
        let (name, count) = (self.name, &mut self.actors);
        let mut actors = || {
            *count += 1;
            let mut id = [0; 16];
            (id[0], id[1]) = (name, *count);
            (ActorId(id), ActorSecret([name ^ *count; 32]))
        };
        let time: HybridTime = self.record.latest_time().tick(1_790_000_000_000);
        let origin = Origin { author: "clinician", time, source: None };
        if !changed.is_empty() {
            self.record.edit(&changed, &Base::Current, &origin, &mut actors)?;
        }
        for id in gone.iter().filter(|id| !kept.contains(id)) {
            self.record.remove(id, &Base::Current, &origin, &mut actors)?;
        }
        Ok(())
    }

    fn pull(&mut self, from: &Site) -> Result<()> {
        let batch = from.record.changes_since(&self.record.view().heads());
        let received = self.record.receive(&batch)?;
        ensure!(received.refused.is_empty(), "a change was refused");
        Ok(())
    }
}

fn id_of(resource: &Value) -> Result<EntryId> {
    let ty = resource.resource_type().and_then(resource_named).context("no type")?;
    let id = resource.get("id").and_then(Value::as_str).context("no id")?;
    Ok(EntryId { ty, id: id.into() })
}
