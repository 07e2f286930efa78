//! The bill of materials: what is compiled into the things this project ships,
//! as `CycloneDX` 1.6 JSON (ECMA-424), the same bytes for the same lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::metadata::{Metadata, Package};
use crate::project;

/// The crates that are handed to users; everything in them is listed.
const SHIPPED: &[&str] = &["clisonix", "clisonix-python"];

/// Writes the document to `out`, to standard output for `-`, else to the target folder.
pub(crate) fn run(out: Option<PathBuf>) -> Result<()> {
    let lock = std::fs::read_to_string(project::root().join("Cargo.lock"))?;
    let document = document(&Metadata::load()?, &checksums(&lock))?;
    let text = format!("{}\n", serde_json::to_string_pretty(&document)?);
    let path = out.unwrap_or_else(|| project::target().join("sbom.json"));
    if path.as_os_str() == "-" {
        print!("{text}");
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    println!("{}", path.display());
    Ok(())
}

fn document(metadata: &Metadata, checksums: &BTreeMap<(String, String), String>) -> Result<Value> {
    let roots = metadata.packages.iter().filter(|(id, package)| {
        metadata.members.contains(*id) && SHIPPED.contains(&&*package.name)
    });
    let shipped = metadata.shipped_with(roots.map(|(id, _)| &**id).collect(), &[]);
    let product = metadata.own().find(|package| package.name == "clisonix");
    let product = product.context("the binary's crate is missing")?;

    let mut components = Vec::new();
    let mut uses = Vec::new();
    for id in &shipped {
        let package = metadata.packages.get(*id).context("an unknown package id")?;
        if package.reference() != product.reference() {
            components.push((package.reference(), component(package, checksums)));
        }
        uses.push((package.reference(), uses_of(metadata, package, &shipped)));
    }
    // Package ids hold paths of this machine; references do not.
    components.sort_by(|left, right| left.0.cmp(&right.0));
    uses.sort_by(|left, right| left.0.cmp(&right.0));
    let mut main = component(product, checksums);
    if let Some(kind) = main.get_mut("type") {
        *kind = json!("application");
    }
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": main },
        "components": components.into_iter().map(|(_, value)| value).collect::<Vec<_>>(),
        "dependencies": uses
            .into_iter()
            .map(|(reference, on)| json!({ "ref": reference, "dependsOn": on }))
            .collect::<Vec<_>>(),
    }))
}

fn component(package: &Package, checksums: &BTreeMap<(String, String), String>) -> Value {
    let mut component = json!({
        "type": "library",
        "bom-ref": package.reference(),
        "name": package.name,
        "version": package.version,
        "purl": package.reference(),
    });
    let Some(members) = component.as_object_mut() else { return component };
    if let Some(description) = &package.description {
        members.insert("description".to_owned(), json!(description.trim()));
    }
    if let Some(license) = &package.license {
        // Old manifests separate alternatives with a slash, which SPDX does not know.
        let expression = license.replace(" / ", "/").replace('/', " OR ");
        members.insert("licenses".to_owned(), json!([{ "expression": expression }]));
    }
    if let Some(hash) = checksums.get(&(package.name.clone(), package.version.clone())) {
        members.insert("hashes".to_owned(), json!([{ "alg": "SHA-256", "content": hash }]));
    }
    if let Some(repository) = &package.repository {
        let reference = json!([{ "type": "vcs", "url": repository }]);
        members.insert("externalReferences".to_owned(), reference);
    }
    component
}

fn uses_of(metadata: &Metadata, package: &Package, shipped: &BTreeSet<&str>) -> BTreeSet<String> {
    let uses = package.uses.iter().filter(|edge| edge.shipped && shipped.contains(&*edge.package));
    uses.filter_map(|edge| metadata.packages.get(&edge.package)).map(Package::reference).collect()
}

impl Package {
    /// The package URL, which also names the component inside the document.
    fn reference(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

/// SHA-256 of each package's archive, by name and version, from `Cargo.lock`.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for section in lock.split("[[package]]") {
        let member = |name: &str| {
            let line = section.lines().find(|line| line.starts_with(&format!("{name} = ")))?;
            Some(line.split('"').nth(1)?.to_owned())
        };
        if let (Some(name), Some(version), Some(hash)) =
            (member("name"), member("version"), member("checksum"))
        {
            found.insert((name, version), hash);
        }
    }
    found
}

#[cfg(test)]
mod tests;
