//! `cargo xtask codegen`: FHIR's definitions in, the static tables of `clisonix-fhir` out.
//!
//! The definitions lie beside the project and are no part of it; what is generated is committed.
//! `--check` makes the text again and compares.

mod bindings;
mod compartments;
mod definitions;
mod elements;
mod invariants_text;
mod pool;
mod schema_text;
mod search_text;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::project;
use definitions::Definitions;
use elements::Elements;

/// The archive of the R4 definitions, from the project's root.
const ARCHIVES: &str = "../shared/data/fhir/r4-definitions";
/// Where the tables go, from the project's root.
const SCHEMA_TABLE: &str = "crates/clisonix-fhir/src/schema/table.rs";
const SEARCH_TABLE: &str = "crates/clisonix-fhir/src/search/table.rs";
const INVARIANTS_TABLE: &str = "crates/clisonix-fhir/src/validate/expression/table.rs";

/// Writes the tables, or with `check` fails if the committed ones differ.
///
/// Without the definitions it prints `SKIPPED` and succeeds, except where `CI=true` is set.
pub(crate) fn run(check: bool) -> Result<()> {
    let root = project::root();
    let Some(archive) = archive_in(&root.join(ARCHIVES))? else {
        if std::env::var("CI").is_ok_and(|ci| ci == "true") {
            bail!("the FHIR definitions are missing: {ARCHIVES}");
        }
        eprintln!("SKIPPED codegen: the FHIR definitions are not at hand ({ARCHIVES})");
        return Ok(());
    };
    let definitions = Definitions::load(&archive)?;
    let elements = Elements::of(&definitions)?;
    let tables = [
        (SCHEMA_TABLE, schema_text::table(&definitions, &elements)?),
        (SEARCH_TABLE, search_text::table(&definitions, &elements)?),
        (INVARIANTS_TABLE, invariants_text::table(&definitions)?),
    ];
    for (path, text) in tables {
        put(&root.join(path), &text, check)?;
    }
    eprintln!("{}", elements.summary());
    Ok(())
}

fn archive_in(folder: &Path) -> Result<Option<PathBuf>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".tar.xz") {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn put(path: &Path, text: &str, check: bool) -> Result<()> {
    let committed = fs::read_to_string(path).unwrap_or_default();
    if committed == text {
        return Ok(());
    }
    if check {
        bail!("{} is not what the definitions give: run `cargo xtask codegen`", path.display());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
