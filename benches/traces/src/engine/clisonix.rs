//! This project's text cell.

use anyhow::Result;
use clisonix_crdt::ActorId;
use clisonix_crdt::text::{Text, TextVersion};

use super::Engine;
use crate::trace::Patch;

/// The engine.
pub struct Clisonix;

/// A text and who writes at this replica.
pub struct Replica {
    text: Text,
    agent: ActorId,
}

impl Engine for Clisonix {
    type Doc = Replica;

    const NAME: &'static str = "clisonix";

    fn create(site: usize) -> Result<Replica> {
        Ok(Replica { text: Text::new(), agent: ActorId([site as u8 + 1; 16]) })
    }

    fn edit(doc: &mut Replica, patches: &[Patch]) -> Result<()> {
        for patch in patches {
            doc.text.delete(doc.agent, patch.position, patch.deleted)?;
            doc.text.insert(doc.agent, patch.position, &patch.inserted)?;
        }
        Ok(())
    }

    fn send(doc: &mut Replica, patches: &[Patch]) -> Result<Vec<u8>> {
        let before = doc.text.version();
        Self::edit(doc, patches)?;
        Ok(doc.text.events_since(&before))
    }

    fn merge(doc: &mut Replica, message: &[u8]) -> Result<()> {
        doc.text.receive(message)?;
        Ok(())
    }

    fn batch(doc: &mut Replica) -> Result<Vec<u8>> {
        Ok(doc.text.events_since(&TextVersion::default()))
    }

    fn read(doc: &mut Replica) -> Result<String> {
        Ok(doc.text.to_string())
    }

    fn save(doc: &mut Replica) -> Result<Vec<u8>> {
        Ok(doc.text.encode())
    }

    fn load(bytes: &[u8]) -> Result<Replica> {
        Ok(Replica { text: Text::decode(bytes)?, agent: ActorId([99; 16]) })
    }
}
