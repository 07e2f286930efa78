//! Reads the archive of FHIR's definitions into JSON values.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};
use clisonix_fhir::json::{self, Value};

/// What the tables are made from.
pub(super) struct Definitions {
    /// The `StructureDefinition`s of types and resources by name; no profiles, no logical models.
    pub(super) structures: BTreeMap<String, Value>,
    /// `CodeSystem`s by canonical address.
    pub(super) code_systems: BTreeMap<String, Value>,
    /// `ValueSet`s by canonical address.
    pub(super) value_sets: BTreeMap<String, Value>,
    /// `SearchParameter`s by canonical address.
    pub(super) search_parameters: BTreeMap<String, Value>,
    /// `CompartmentDefinition`s by the resource type that they are about.
    pub(super) compartments: BTreeMap<String, Value>,
}

impl Definitions {
    /// Reads a `.tar.xz` with HL7's definition Bundles.
    pub(super) fn load(archive: &Path) -> Result<Self> {
        let mut unpacked = Vec::new();
        let file = File::open(archive).with_context(|| archive.display().to_string())?;
        lzma_rs::xz_decompress(&mut BufReader::new(file), &mut unpacked)
            .with_context(|| archive.display().to_string())?;
        let mut definitions = Self {
            structures: BTreeMap::new(),
            code_systems: BTreeMap::new(),
            value_sets: BTreeMap::new(),
            search_parameters: BTreeMap::new(),
            compartments: BTreeMap::new(),
        };
        for entry in tar::Archive::new(unpacked.as_slice()).entries()? {
            let mut entry = entry?;
            let name = entry.path()?.display().to_string();
            if Path::new(&name).extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            definitions.add(&json::parse(&bytes).with_context(|| name)?);
        }
        Ok(definitions)
    }

    fn add(&mut self, bundle: &Value) {
        for resource in bundle.list("entry").filter_map(|entry| entry.get("resource")) {
            let (map, key) = match resource.resource_type() {
                Some("StructureDefinition") if is_type(resource) => (&mut self.structures, "name"),
                Some("CodeSystem") => (&mut self.code_systems, "url"),
                Some("ValueSet") => (&mut self.value_sets, "url"),
                Some("SearchParameter") => (&mut self.search_parameters, "url"),
                Some("CompartmentDefinition") => (&mut self.compartments, "code"),
                _ => continue,
            };
            map.insert(resource.text(key).to_owned(), resource.clone());
        }
    }
}

/// Profiles are constraints on a type (`SimpleQuantity`), and R4 brings one logical model
/// (`MetadataResource`): neither is a type that data can have.
fn is_type(structure: &Value) -> bool {
    structure.text("derivation") != "constraint" && structure.text("kind") != "logical"
}

/// Looks into definitions, which are known to be well-formed: what is missing is empty.
pub(super) trait Look {
    /// The string member `name`, or the empty text.
    fn text(&self, name: &str) -> &str;
    /// The elements of the array member `name`, or none.
    fn list(&self, name: &str) -> impl Iterator<Item = &Value>;
    /// The strings in the array member `name`.
    fn texts(&self, name: &str) -> impl Iterator<Item = &str>;
}

impl Look for Value {
    fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn list(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.get(name).and_then(Value::as_array).unwrap_or_default().iter()
    }

    fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.list(name).filter_map(Value::as_str)
    }
}
