//! The part of `cargo metadata` that the checks read: packages and who uses whom.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::project;

/// All packages of the build, by cargo's package id.
pub(crate) struct Metadata {
    pub(crate) packages: BTreeMap<String, Package>,
    /// Ids of the project's own packages.
    pub(crate) members: BTreeSet<String>,
}

/// One package and the packages it uses.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) repository: Option<String>,
    pub(crate) uses: Vec<Use>,
}

/// One edge of the graph.
pub(crate) struct Use {
    pub(crate) package: String,
    /// False for what only tests and benchmarks need.
    pub(crate) shipped: bool,
}

impl Metadata {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self> {
        let text = project::output_of(&mut project::cargo(&["metadata", "--format-version", "1"]))?;
        let root: Value = serde_json::from_slice(&text).context("cargo metadata is not JSON")?;
        Self::read(&root).context("cargo metadata has an unknown shape")
    }

    fn read(root: &Value) -> Option<Self> {
        let mut packages = BTreeMap::new();
        for package in root.get("packages")?.as_array()? {
            packages.insert(text(package, "id")?, Package::read(package)?);
        }
        for node in root.get("resolve")?.get("nodes")?.as_array()? {
            let package = packages.get_mut(&text(node, "id")?)?;
            package.uses =
                node.get("deps")?.as_array()?.iter().map(Use::read).collect::<Option<_>>()?;
        }
        let members = root.get("workspace_members")?.as_array()?.iter();
        let members = members.map(|id| id.as_str().map(Into::into)).collect::<Option<_>>()?;
        Some(Self { packages, members })
    }

    /// The project's own packages, in the order of their ids.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Package> {
        self.members.iter().filter_map(|id| self.packages.get(id))
    }

    /// Ids of everything that `roots` ship, the roots included; what is behind the packages named
    /// in `closed` is left out.
    pub(crate) fn shipped_with<'a>(
        &'a self,
        roots: Vec<&'a str>,
        closed: &[&str],
    ) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut open = roots;
        while let Some(id) = open.pop() {
            if !found.insert(id) {
                continue;
            }
            let package = self.packages.get(id).filter(|package| !closed.contains(&&*package.name));
            let uses = package.map_or(&[][..], |package| &package.uses);
            open.extend(uses.iter().filter(|edge| edge.shipped).map(|edge| &*edge.package));
        }
        found
    }
}

impl Package {
    fn read(value: &Value) -> Option<Self> {
        Some(Self {
            name: text(value, "name")?,
            version: text(value, "version")?,
            description: text(value, "description"),
            license: text(value, "license"),
            repository: text(value, "repository"),
            uses: Vec::new(),
        })
    }
}

impl Use {
    fn read(value: &Value) -> Option<Self> {
        let kinds = value.get("dep_kinds")?.as_array()?;
        let is_dev = |kind: &Value| kind.get("kind").and_then(Value::as_str) == Some("dev");
        Some(Self { package: text(value, "pkg")?, shipped: !kinds.iter().all(is_dev) })
    }
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(Into::into)
}
