//! diamond-types 1.0: `ListCRDT`, patches for messages, the full form for storage.

use anyhow::{Result, anyhow};
use diamond_types::list::ListCRDT;
use diamond_types::list::encoding::{ENCODE_FULL, ENCODE_PATCH};

use super::Engine;
use crate::trace::Patch;

/// The engine.
pub struct Diamond;

impl Engine for Diamond {
    type Doc = ListCRDT;

    const NAME: &'static str = "diamond-types";

    fn create(site: usize) -> Result<ListCRDT> {
        let mut doc = ListCRDT::new();
        // The first agent of a replica is its own.
        doc.get_or_create_agent_id(&format!("site {site}"));
        Ok(doc)
    }

    fn edit(doc: &mut ListCRDT, patches: &[Patch]) -> Result<()> {
        for patch in patches {
            if patch.deleted > 0 {
                let range = patch.position..patch.position + patch.deleted;
                doc.delete_without_content(0, range);
            }
            if !patch.inserted.is_empty() {
                doc.insert(0, patch.position, &patch.inserted);
            }
        }
        Ok(())
    }

    fn send(doc: &mut ListCRDT, patches: &[Patch]) -> Result<Vec<u8>> {
        let before = doc.oplog.local_version();
        Self::edit(doc, patches)?;
        Ok(doc.oplog.encode_from(ENCODE_PATCH, &before))
    }

    fn merge(doc: &mut ListCRDT, message: &[u8]) -> Result<()> {
        doc.merge_data_and_ff(message).map_err(|fault| anyhow!("{fault:?}"))?;
        Ok(())
    }

    fn batch(doc: &mut ListCRDT) -> Result<Vec<u8>> {
        Ok(doc.oplog.encode_from(ENCODE_PATCH, &[]))
    }

    fn read(doc: &mut ListCRDT) -> Result<String> {
        Ok(doc.branch.content().to_string())
    }

    fn save(doc: &mut ListCRDT) -> Result<Vec<u8>> {
        Ok(doc.oplog.encode(ENCODE_FULL))
    }

    fn load(bytes: &[u8]) -> Result<ListCRDT> {
        ListCRDT::load_from(bytes).map_err(|fault| anyhow!("{fault:?}"))
    }
}
