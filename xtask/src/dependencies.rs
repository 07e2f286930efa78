//! The dependency table: which of the project's crates may use which, and
//! which outside crates are bound to one place.

mod table;

use anyhow::{Result, bail};

use self::table::{BOUND, Bound, HOUSE, Row};
use crate::metadata::{Metadata, Package};

/// Checks the table against cargo's view of the project.
pub(crate) fn run() -> Result<()> {
    let metadata = Metadata::load()?;
    let faults = faults(&metadata);
    if faults.is_empty() {
        let uses: usize = HOUSE.iter().map(|row| row.uses.len() + row.tests.len()).sum();
        println!("{} crates keep to the table ({uses} uses allowed)", metadata.members.len());
        return Ok(());
    }
    for fault in &faults {
        println!("{fault}");
    }
    bail!("{} faults against the dependency table (xtask/src/dependencies/table.rs)", faults.len());
}

fn faults(metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    for package in metadata.own() {
        match HOUSE.iter().find(|row| row.name == package.name) {
            None => faults.push(format!("{} has no row in the table", package.name)),
            Some(row) => faults.extend(inside_faults(metadata, package, row)),
        }
        faults.extend(outside_faults(metadata, package));
    }
    for row in HOUSE {
        if !metadata.own().any(|package| package.name == row.name) {
            faults.push(format!("the table has a row for {}, which does not exist", row.name));
        }
    }
    faults
}

/// Uses of the project's own crates that the row does not allow.
fn inside_faults(metadata: &Metadata, package: &Package, row: &Row) -> Vec<String> {
    let uses = package.uses.iter().filter(|edge| metadata.members.contains(&edge.package));
    uses.filter_map(|edge| {
        let other = &*metadata.packages.get(&edge.package)?.name;
        let allowed = row.uses.contains(&other) || (!edge.shipped && row.tests.contains(&other));
        let how = if edge.shipped { "uses" } else { "uses in its tests" };
        (!allowed).then(|| format!("{} {how} {other}", package.name))
    })
    .collect()
}

/// Direct uses of outside crates that belong elsewhere, and, for crates that
/// may not be reached at all, indirect ones.
fn outside_faults(metadata: &Metadata, package: &Package) -> Vec<String> {
    let mut faults = Vec::new();
    for Bound { crates, allowed, indirect, why } in BOUND {
        if allowed.contains(&&*package.name) {
            continue;
        }
        let direct = package.uses.iter().filter(|edge| edge.shipped).map(|edge| &*edge.package);
        let reached: Vec<&str> = if *indirect {
            metadata.shipped_with(direct.collect(), allowed).into_iter().collect()
        } else {
            direct.collect()
        };
        let names = reached.iter().filter_map(|id| metadata.packages.get(*id));
        faults.extend(
            names
                .filter(|used| crates.contains(&&*used.name))
                .map(|used| format!("{} uses {}: {why}", package.name, used.name)),
        );
    }
    faults
}

#[cfg(test)]
mod tests;
