//! The elements of all types in the order of their ids, with everything that points between them
//! resolved to numbers.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use clisonix_fhir::json::Value;

use super::definitions::{Definitions, Look};

/// Marks a type that is told by an extension, where the standard's own code is one of `FHIRPath`'s.
const FHIR_TYPE: &str = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type";
const SYSTEM_TYPE: &str = "http://hl7.org/fhirpath/System.";
const PROFILE_BASE: &str = "http://hl7.org/fhir/StructureDefinition/";

/// All types and elements.
pub(super) struct Elements {
    pub(super) types: Vec<TypeRow>,
    pub(super) rows: Vec<ElementRow>,
    type_numbers: BTreeMap<String, u16>,
}

/// One type.
pub(super) struct TypeRow {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_abstract: bool,
    pub(super) base: Option<u16>,
    pub(super) children: Vec<u16>,
}

/// One element.
pub(super) struct ElementRow {
    pub(super) path: String,
    pub(super) choice: bool,
    pub(super) min: u16,
    pub(super) max: u16,
    pub(super) modifier: bool,
    pub(super) summary: bool,
    pub(super) types: Vec<u16>,
    pub(super) targets: Vec<u16>,
    /// The value set of a required binding, without a version.
    pub(super) required_value_set: Option<String>,
    pub(super) owner: u16,
    /// The element whose children these are: itself, or the target of its `contentReference`.
    pub(super) content: u16,
    pub(super) children: Vec<u16>,
}

impl ElementRow {
    /// The last step of the path.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, name)| name)
    }
}

impl Elements {
    /// Types in byte order of their names, elements in snapshot order.
    pub(super) fn of(definitions: &Definitions) -> Result<Self> {
        let names = definitions.structures.keys().cloned();
        let type_numbers: BTreeMap<String, u16> = names.zip(0..).collect();
        let mut all = Self { types: Vec::new(), rows: Vec::new(), type_numbers };
        for (name, structure) in &definitions.structures {
            let base = structure.text("baseDefinition").strip_prefix(PROFILE_BASE);
            all.types.push(TypeRow {
                name: name.clone(),
                kind: structure.text("kind").to_owned(),
                is_abstract: structure.get("abstract").and_then(Value::as_bool) == Some(true),
                base: base.map(|base| all.type_number(base)).transpose()?,
                children: Vec::new(),
            });
        }
        for (name, structure) in &definitions.structures {
            all.add_type(name, structure).with_context(|| name.clone())?;
        }
        Ok(all)
    }

    /// The number of the type `name`.
    pub(super) fn type_number(&self, name: &str) -> Result<u16> {
        self.type_numbers.get(name).copied().with_context(|| format!("no type {name}"))
    }

    /// How much there is, for people.
    pub(super) fn summary(&self) -> String {
        let of_kind = |kind: &str| self.types.iter().filter(|ty| ty.kind == kind).count();
        format!(
            "{} types ({} primitives, {} datatypes, {} resources), {} elements",
            self.types.len(),
            of_kind("primitive-type"),
            of_kind("complex-type"),
            of_kind("resource"),
            self.rows.len()
        )
    }

    fn add_type(&mut self, type_name: &str, structure: &Value) -> Result<()> {
        let owner = self.type_number(type_name)?;
        let snapshot = structure.get("snapshot").context("no snapshot")?;
        let mut by_path: BTreeMap<String, u16> = BTreeMap::new();
        let mut to_resolve = Vec::new();
        // The first element is the type itself.
        for definition in snapshot.list("element").skip(1) {
            let number = u16::try_from(self.rows.len())?;
            let row = self.row(definition, type_name, owner, number)?;
            if let Some(target) = definition.text("contentReference").rsplit_once('#') {
                to_resolve.push((number, target.1.to_owned()));
            }
            let (parent, _) = row.path.rsplit_once('.').context("an element without a parent")?;
            // It keeps its number, but may stand nowhere.
            let is_added = is_added(structure, definition);
            match by_path.get(parent) {
                Some(_) if is_added => {}
                None if is_added && parent == type_name => {}
                Some(&parent) => self.at(parent)?.children.push(number),
                None if parent == type_name => self.type_at(owner)?.children.push(number),
                None => bail!("{} comes before its parent", row.path),
            }
            by_path.insert(row.path.clone(), number);
            self.rows.push(row);
        }
        for (number, path) in to_resolve {
            let target = *by_path.get(&path).with_context(|| format!("no element {path}"))?;
            self.take_content(number, target)?;
        }
        Ok(())
    }

    fn take_content(&mut self, number: u16, target: u16) -> Result<()> {
        let types = self.at(target)?.types.clone();
        let row = self.at(number)?;
        row.types = types;
        row.content = target;
        Ok(())
    }

    fn at(&mut self, number: u16) -> Result<&mut ElementRow> {
        self.rows.get_mut(usize::from(number)).context("an element's number is out of range")
    }

    fn type_at(&mut self, number: u16) -> Result<&mut TypeRow> {
        self.types.get_mut(usize::from(number)).context("a type's number is out of range")
    }

    fn row(
        &self,
        definition: &Value,
        type_name: &str,
        owner: u16,
        content: u16,
    ) -> Result<ElementRow> {
        let full_path = definition.text("path");
        let path = full_path.strip_suffix("[x]").unwrap_or(full_path);
        let flag = |name: &str| definition.get(name).and_then(Value::as_bool) == Some(true);
        let count = |text: &str| if text == "*" { Ok(u16::MAX) } else { text.parse() };
        let min = definition.get("min").and_then(Value::as_number).context("no min")?;
        Ok(ElementRow {
            path: path.to_owned(),
            choice: path != full_path,
            min: min.as_str().parse()?,
            max: count(definition.text("max"))?,
            modifier: flag("isModifier"),
            summary: flag("isSummary"),
            types: self.types_of(definition, type_name)?,
            targets: self.targets_of(definition)?,
            required_value_set: required_value_set(definition),
            owner,
            content,
            children: Vec::new(),
        })
    }

    fn types_of(&self, definition: &Value, type_name: &str) -> Result<Vec<u16>> {
        let path = definition.text("path");
        let is_value = path.strip_suffix(".value") == Some(type_name)
            && self.types.iter().any(|ty| ty.name == type_name && ty.kind == "primitive-type");
        if is_value {
            // A primitive's value has a type of FHIRPath; here it is the primitive itself.
            return Ok(vec![self.type_number(type_name)?]);
        }
        let names = definition.list("type").map(|ty| match ty.text("code") {
            // FHIR R4 calls the id of a resource a string, and gives it the form of an `id`
            // (2.27.3 "Resource.id").
            code if code.starts_with(SYSTEM_TYPE) && self.is_resource(path) => "id",
            code if code.starts_with(SYSTEM_TYPE) => told_type(ty),
            code => code,
        });
        names.map(|name| self.type_number(name)).collect()
    }

    /// Whether `path` is the `id` of a resource.
    fn is_resource(&self, path: &str) -> bool {
        path.strip_suffix(".id").is_some_and(|name| {
            self.types.iter().any(|ty| ty.name == name && ty.kind == "resource")
        })
    }

    fn targets_of(&self, definition: &Value) -> Result<Vec<u16>> {
        let references = definition
            .list("type")
            .filter(|ty| matches!(ty.text("code"), "Reference" | "canonical"));
        let mut targets = Vec::new();
        for reference in references {
            let profiles: Vec<&str> = reference.texts("targetProfile").collect();
            if profiles.is_empty() {
                targets.push(self.type_number("Resource")?);
            }
            for profile in profiles {
                // A reference to a profile is a reference to any resource: the type is not told.
                let name = profile.strip_prefix(PROFILE_BASE).unwrap_or("Resource");
                targets.push(self.type_number(name).or_else(|_| self.type_number("Resource"))?);
            }
        }
        targets.sort_unstable();
        targets.dedup();
        Ok(targets)
    }
}

/// Whether someone else than HL7 added the element to the snapshot: it is neither inherited nor in
/// the type's differential. Where HL7's own element gave way to it, there is nothing else to go by,
/// and it counts (`EvidenceVariable.characteristic`).
pub(super) fn is_added(structure: &Value, definition: &Value) -> bool {
    let paths_of = |view: &str| -> BTreeSet<&str> {
        let elements = structure.get(view).map(|view| view.list("element"));
        elements.into_iter().flatten().map(|element| element.text("path")).collect()
    };
    let path = definition.text("path");
    let is_own = definition.get("base").map_or("", |base| base.text("path")) == path;
    let (own, all) = (paths_of("differential"), paths_of("snapshot"));
    let parent_of = |path| str::rsplit_once(path, '.').map(|(parent, _)| parent);
    let is_replaced =
        || own.difference(&all).any(|&lost| lost != path && parent_of(lost) == parent_of(path));
    is_own && !own.contains(path) && !is_replaced()
}

/// The FHIR type behind one of `FHIRPath`'s types.
fn told_type(ty: &Value) -> &str {
    let told = ty.list("extension").find(|extension| extension.text("url") == FHIR_TYPE);
    told.map_or("string", |extension| extension.text("valueUrl"))
}

fn required_value_set(definition: &Value) -> Option<String> {
    let binding = definition.get("binding")?;
    let address = binding.text("valueSet");
    let without_version = address.split_once('|').map_or(address, |(address, _)| address);
    (binding.text("strength") == "required").then(|| without_version.to_owned())
}
