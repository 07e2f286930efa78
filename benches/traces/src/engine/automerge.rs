//! Automerge: a text object, one change per edit, `save` for storage.

use anyhow::{Context, Result};
use automerge::transaction::Transactable;
use automerge::{ActorId, AutoCommit, ObjId, ObjType, ROOT, ReadDoc};

use super::Engine;
use crate::trace::Patch;

/// The engine.
pub struct Automerge;

/// A document with its text at hand.
pub struct Replica {
    doc: AutoCommit,
    text: ObjId,
}

impl Engine for Automerge {
    type Doc = Replica;

    const NAME: &'static str = "automerge";

    /// The text object is made by one common change, as it has to be in every replica.
    fn create(site: usize) -> Result<Replica> {
        let mut doc = AutoCommit::new().with_actor(ActorId::from([0; 16]));
        let text = doc.put_object(ROOT, "text", ObjType::Text)?;
        doc.commit_with(automerge::transaction::CommitOptions::default().with_time(0));
        doc.set_actor(ActorId::from([site as u8 + 1; 16]));
        Ok(Replica { doc, text })
    }

    fn edit(replica: &mut Replica, patches: &[Patch]) -> Result<()> {
        for patch in patches {
            let deleted = patch.deleted as isize;
            replica.doc.splice_text(&replica.text, patch.position, deleted, &patch.inserted)?;
        }
        replica.doc.commit();
        Ok(())
    }

    fn send(replica: &mut Replica, patches: &[Patch]) -> Result<Vec<u8>> {
        Self::edit(replica, patches)?;
        let change = replica.doc.get_last_local_change().context("no change was made")?;
        Ok(change.raw_bytes().to_vec())
    }

    fn merge(replica: &mut Replica, message: &[u8]) -> Result<()> {
        replica.doc.load_incremental(message)?;
        Ok(())
    }

    fn batch(replica: &mut Replica) -> Result<Vec<u8>> {
        Self::save(replica)
    }

    fn read(replica: &mut Replica) -> Result<String> {
        Ok(replica.doc.text(&replica.text)?)
    }

    fn save(replica: &mut Replica) -> Result<Vec<u8>> {
        Ok(replica.doc.save())
    }

    fn load(bytes: &[u8]) -> Result<Replica> {
        let doc = AutoCommit::load(bytes)?;
        let (_, text) = doc.get(ROOT, "text")?.context("no text")?;
        Ok(Replica { doc, text })
    }
}
