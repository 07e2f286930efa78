//! The floor: a parsed JSON tree, edited in place, with no way to merge.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Engine;
use crate::op::{Op, Step};

/// The floor.
pub struct Plain;

impl Engine for Plain {
    type Doc = Value;
    type Mark = ();

    const NAME: &'static str = "plain JSON";
    const MERGES: bool = false;

    fn create(text: &str, _site: u64) -> Result<Value> {
        Ok(serde_json::from_str(text)?)
    }

    fn load(bytes: &[u8], _site: u64) -> Result<Value> {
        Ok(serde_json::from_slice(bytes)?)
    }

    fn save(doc: &mut Value) -> Result<Vec<u8>> {
        Ok(serde_json::to_vec(doc)?)
    }

    fn read(doc: &mut Value) -> Result<String> {
        Ok(serde_json::to_string(doc)?)
    }

    fn apply(doc: &mut Value, ops: &[Op]) -> Result<Vec<u8>> {
        for op in ops {
            let Op::Set(path, value) = op else { bail!("the floor only sets members") };
            let (last, above) = path.split_last().context("an empty path")?;
            let mut at = &mut *doc;
            for step in above {
                at = match step {
                    Step::Key(key) => at.get_mut(key),
                    Step::Index(index) => at.get_mut(index),
                }
                .context("no such place")?;
            }
            let Step::Key(key) = last else { bail!("the floor only sets members") };
            at.as_object_mut().context("no object")?.insert(key.clone(), value.clone());
        }
        Ok(Vec::new())
    }

    fn mark(_doc: &mut Value) {}

    fn batch(_doc: &mut Value, (): &()) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn merge(_doc: &mut Value, _message: &[u8]) -> Result<()> {
        bail!("plain JSON does not merge")
    }

    // There is no chain that could verify.
    fn erases() -> Result<bool> {
        Ok(false)
    }
}
