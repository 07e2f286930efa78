//! What an engine has to be able to do to be measured.

pub mod automerge;
pub mod clisonix;
pub mod loro;
pub mod plain;
pub mod yrs;

use anyhow::Result;
use serde_json::Value;

use crate::op::{Op, difference};

/// One engine, with the mapping of JSON that its own documentation shows:
/// objects become maps, arrays become lists, scalars become registers.
pub trait Engine {
    /// A replica of one document.
    type Doc;
    /// A point in a replica's history, from which changes can be asked for.
    type Mark;

    /// Its name in the table.
    const NAME: &'static str;
    /// False for the floor, which has no replicas.
    const MERGES: bool = true;

    /// A new document with the content of a JSON object, written by `site`.
    fn create(text: &str, site: u64) -> Result<Self::Doc>;
    /// A replica from its stored bytes; what is written to it is by `site`.
    fn load(bytes: &[u8], site: u64) -> Result<Self::Doc>;
    /// The stored form, with the history the engine keeps.
    fn save(doc: &mut Self::Doc) -> Result<Vec<u8>>;
    /// The content as JSON text.
    fn read(doc: &mut Self::Doc) -> Result<String>;
    /// Applies operations as one change and returns the message that carries it.
    fn apply(doc: &mut Self::Doc, ops: &[Op]) -> Result<Vec<u8>>;
    /// Now.
    fn mark(doc: &mut Self::Doc) -> Self::Mark;
    /// All changes since then, as one message.
    fn batch(doc: &mut Self::Doc, since: &Self::Mark) -> Result<Vec<u8>>;
    /// Takes in a message from another replica.
    fn merge(doc: &mut Self::Doc, message: &[u8]) -> Result<()>;

    /// Writes what an editor made of `before`. General engines know no better
    /// than the difference of the two trees.
    fn rewrite(doc: &mut Self::Doc, before: &Value, after: &Value) -> Result<()> {
        Self::apply(doc, &difference(before, after)).map(drop)
    }
    /// Whether a value can be destroyed everywhere while the history of the
    /// document still proves to be whole: tried where an engine offers it, and
    /// else each engine says why not.
    fn erases() -> Result<bool>;
    /// Whether a reader can see that concurrent edits disagree.
    fn shows_conflict(_doc: &mut Self::Doc) -> Result<bool> {
        Ok(false)
    }
}
