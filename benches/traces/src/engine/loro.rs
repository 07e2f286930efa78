//! Loro: `LoroText`, updates for messages, snapshots for storage.

use anyhow::Result;
use loro::{ExportMode, LoroDoc, LoroText, VersionVector};

use super::Engine;
use crate::trace::Patch;

/// The engine.
pub struct Loro;

fn text(doc: &LoroDoc) -> LoroText {
    doc.get_text("text")
}

impl Engine for Loro {
    type Doc = LoroDoc;

    const NAME: &'static str = "loro";

    fn create(site: usize) -> Result<LoroDoc> {
        let doc = LoroDoc::new();
        doc.set_peer_id(site as u64 + 1)?;
        Ok(doc)
    }

    fn edit(doc: &mut LoroDoc, patches: &[Patch]) -> Result<()> {
        let text = text(doc);
        for patch in patches {
            text.delete(patch.position, patch.deleted)?;
            text.insert(patch.position, &patch.inserted)?;
        }
        doc.commit();
        Ok(())
    }

    fn send(doc: &mut LoroDoc, patches: &[Patch]) -> Result<Vec<u8>> {
        let before = doc.oplog_vv();
        Self::edit(doc, patches)?;
        Ok(doc.export(ExportMode::updates(&before))?)
    }

    fn merge(doc: &mut LoroDoc, message: &[u8]) -> Result<()> {
        doc.import(message)?;
        Ok(())
    }

    fn batch(doc: &mut LoroDoc) -> Result<Vec<u8>> {
        Ok(doc.export(ExportMode::updates(&VersionVector::default()))?)
    }

    fn read(doc: &mut LoroDoc) -> Result<String> {
        Ok(text(doc).to_string())
    }

    fn save(doc: &mut LoroDoc) -> Result<Vec<u8>> {
        Ok(doc.export(ExportMode::Snapshot)?)
    }

    fn load(bytes: &[u8]) -> Result<LoroDoc> {
        Ok(LoroDoc::from_snapshot(bytes)?)
    }
}
