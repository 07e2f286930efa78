//! What an engine has to be able to do to be measured.

pub mod automerge;
pub mod clisonix;
pub mod diamond;
pub mod loro;
pub mod record;
pub mod yrs;

use anyhow::Result;

use crate::trace::Patch;

/// One engine's plain text.
pub trait Engine {
    /// A replica of one text.
    type Doc;

    /// Its name in the table.
    const NAME: &'static str;

    /// An empty replica; what is written to it is by `site`.
    fn create(site: usize) -> Result<Self::Doc>;
    /// Local edits, as one change.
    fn edit(doc: &mut Self::Doc, patches: &[Patch]) -> Result<()>;
    /// Local edits, as one change, and the message that carries it.
    fn send(doc: &mut Self::Doc, patches: &[Patch]) -> Result<Vec<u8>>;
    /// Takes in a message.
    fn merge(doc: &mut Self::Doc, message: &[u8]) -> Result<()>;
    /// The whole history as one message.
    fn batch(doc: &mut Self::Doc) -> Result<Vec<u8>>;
    /// The text.
    fn read(doc: &mut Self::Doc) -> Result<String>;
    /// The stored form with its history, made for loading.
    fn save(doc: &mut Self::Doc) -> Result<Vec<u8>>;
    /// A replica from its stored form.
    fn load(bytes: &[u8]) -> Result<Self::Doc>;
}
