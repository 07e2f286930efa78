//! yrs: `Y.Text`, update format v1 for messages and for storage.

use anyhow::Result;
use yrs::block::ClientID;
use yrs::updates::decoder::Decode;
use yrs::{
    Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, TextRef, Transact,
    TransactionMut, Update,
};

use super::Engine;
use crate::trace::Patch;

/// The engine.
pub struct Yrs;

/// A document with its text at hand.
pub struct Replica {
    doc: Doc,
    text: TextRef,
}

fn apply(text: &TextRef, transaction: &mut TransactionMut<'_>, patches: &[Patch]) {
    for patch in patches {
        if patch.deleted > 0 {
            text.remove_range(transaction, patch.position as u32, patch.deleted as u32);
        }
        if !patch.inserted.is_empty() {
            text.insert(transaction, patch.position as u32, &patch.inserted);
        }
    }
}

impl Engine for Yrs {
    type Doc = Replica;

    const NAME: &'static str = "yrs";

    fn create(site: usize) -> Result<Replica> {
        let mut options = Options::with_client_id(ClientID::new(site as u64 + 1));
        options.offset_kind = OffsetKind::Utf16;
        let doc = Doc::with_options(options);
        let text = doc.get_or_insert_text("text");
        Ok(Replica { doc, text })
    }

    fn edit(replica: &mut Replica, patches: &[Patch]) -> Result<()> {
        apply(&replica.text, &mut replica.doc.transact_mut(), patches);
        Ok(())
    }

    fn send(replica: &mut Replica, patches: &[Patch]) -> Result<Vec<u8>> {
        let mut transaction = replica.doc.transact_mut();
        apply(&replica.text, &mut transaction, patches);
        Ok(transaction.encode_update_v1())
    }

    fn merge(replica: &mut Replica, message: &[u8]) -> Result<()> {
        replica.doc.transact_mut().apply_update(Update::decode_v1(message)?)?;
        Ok(())
    }

    fn batch(replica: &mut Replica) -> Result<Vec<u8>> {
        Ok(replica.doc.transact().encode_state_as_update_v1(&StateVector::default()))
    }

    fn read(replica: &mut Replica) -> Result<String> {
        Ok(replica.text.get_string(&replica.doc.transact()))
    }

    fn save(replica: &mut Replica) -> Result<Vec<u8>> {
        Self::batch(replica)
    }

    fn load(bytes: &[u8]) -> Result<Replica> {
        let mut replica = Self::create(98)?;
        Self::merge(&mut replica, bytes)?;
        Ok(replica)
    }
}
