//! The traces: JSON in the format of josephg/editing-traces, sequential or concurrent.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

/// One recorded session.
pub struct Trace {
    /// The file's name without its endings.
    pub name: String,
    /// Whether edits have parents other than the edit before them.
    pub concurrent: bool,
    /// Number of writers.
    pub agents: usize,
    /// The text before the first edit.
    pub start: String,
    /// The text after the last.
    pub end: String,
    /// What was done, each after its parents.
    pub steps: Vec<Step>,
}

/// Edits made by one agent that has seen the steps `parents`.
pub struct Step {
    pub agent: usize,
    pub parents: Vec<usize>,
    pub patches: Vec<Patch>,
}

/// Deletes, then inserts. Positions and lengths count Unicode scalar values.
pub struct Patch {
    pub position: usize,
    pub deleted: usize,
    pub inserted: String,
}

impl Trace {
    /// Every trace of a folder, by name.
    pub fn load_all(folder: &Path) -> Result<Vec<Self>> {
        let mut traces = Vec::new();
        let list = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
        for entry in list {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some((stem, ending)) = name.split_once(".json") else { continue };
            let mut bytes = std::fs::read(&path)?;
            if ending == ".gz" {
                let packed = std::mem::take(&mut bytes);
                flate2::read::GzDecoder::new(&*packed).read_to_end(&mut bytes)?;
            } else if !ending.is_empty() {
                continue;
            }
            let json = serde_json::from_slice(&bytes).with_context(|| name.clone())?;
            traces.push(Self::read(stem, &json).with_context(|| name.clone())?);
        }
        traces.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(traces)
    }

    fn read(name: &str, json: &Value) -> Result<Self> {
        let text = |member: &str| json[member].as_str().unwrap_or_default().to_owned();
        let concurrent = json["kind"] == "concurrent";
        let list = json["txns"].as_array().context("no txns")?.iter().enumerate();
        let steps = list.map(|(at, step)| Step::read(at, step, concurrent));
        let agents = json["numAgents"].as_u64().filter(|_| concurrent).unwrap_or(1) as usize;
        let (start, end) = (text("startContent"), text("endContent"));
        let steps = steps.collect::<Option<_>>().context("a step that cannot be read")?;
        Ok(Self { name: name.to_owned(), concurrent, agents, start, end, steps })
    }

    /// Number of patches.
    pub fn patches(&self) -> usize {
        self.steps.iter().map(|step| step.patches.len()).sum()
    }
}

impl Step {
    fn read(at: usize, json: &Value, concurrent: bool) -> Option<Self> {
        let number = |value: &Value| value.as_u64().map(|number| number as usize);
        let parents = if concurrent {
            json["parents"].as_array()?.iter().map(number).collect::<Option<_>>()?
        } else {
            at.checked_sub(1).into_iter().collect()
        };
        let agent = if concurrent { number(&json["agent"])? } else { 0 };
        let patch = |patch: &Value| {
            let inserted = patch[2].as_str()?.to_owned();
            Some(Patch { position: number(&patch[0])?, deleted: number(&patch[1])?, inserted })
        };
        let patches = json["patches"].as_array()?.iter().map(patch).collect::<Option<_>>()?;
        Some(Self { agent, parents, patches })
    }
}
