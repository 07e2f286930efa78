//! What references may lead to: the resources that go out, by all addresses that they are known by.

use std::collections::HashMap;

use clisonix_fhir::json::Value;
use clisonix_fhir::schema::{TypeId, resource_named};

use crate::day::Moment;
use crate::pseudonym::{Pseudonyms, Purpose, keyed, letters};

/// How deeply Bundles may nest in Bundles.
const MAX_BUNDLES: usize = 4;

/// One resource that came in.
pub(crate) struct Entry<'a> {
    pub(crate) resource: &'a Value,
    /// `None` for what is no resource of FHIR R4.
    pub(crate) ty: Option<TypeId>,
    full_url: Option<&'a str>,
    /// The pseudonym of its id.
    pub(crate) id: Option<String>,
}

/// A resource that a reference may lead to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) ty: TypeId,
    pub(crate) id: String,
    /// Its place in this call; `None` if an earlier call released it.
    pub(crate) index: Option<usize>,
}

/// The resources by the texts that references have for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets(HashMap<Box<str>, Target>);

impl<'a> Entry<'a> {
    /// The resources of a call; a Bundle stands for those in it.
    pub(crate) fn all(
        resources: &'a [Value],
        scope: &str,
        pseudonyms: &dyn Pseudonyms,
    ) -> Vec<Self> {
        let mut entries = Vec::with_capacity(resources.len());
        for resource in resources {
            Self::add(resource, None, 0, &mut entries);
        }
        for entry in &mut entries {
            entry.id = entry.pseudonym(scope, pseudonyms);
        }
        entries
    }

    fn add(resource: &'a Value, full_url: Option<&'a str>, depth: usize, to: &mut Vec<Self>) {
        let bundled = resource.get("entry").and_then(Value::as_array);
        match bundled.filter(|_| resource.resource_type() == Some("Bundle")) {
            Some(entries) if depth < MAX_BUNDLES => {
                for entry in entries {
                    if let Some(inner) = entry.get("resource") {
                        let url = entry.get("fullUrl").and_then(Value::as_str);
                        Self::add(inner, url, depth + 1, to);
                    }
                }
            }
            _ => {
                let ty = resource.resource_type().and_then(resource_named);
                to.push(Self { resource, ty, full_url, id: None });
            }
        }
    }

    fn pseudonym(&self, scope: &str, pseudonyms: &dyn Pseudonyms) -> Option<String> {
        let id = self.own_id().or(self.full_url)?;
        Some(letters(&keyed(pseudonyms, Purpose::Id, &[scope, self.ty?.name(), id])))
    }

    /// Whether it is a patient whose year of birth tells an age over 89.
    pub(crate) fn is_old_patient(&self, release_year: i16) -> bool {
        let born = self.resource.get("birthDate").and_then(Value::as_str).and_then(Moment::read);
        self.ty.is_some_and(|ty| ty.name() == "Patient")
            && born.is_some_and(|born| born.is_old(release_year))
    }

    fn own_id(&self) -> Option<&'a str> {
        self.resource.get("id").and_then(Value::as_str)
    }
}

impl Targets {
    /// Adds an entry by its type and id, its full address, and its identifiers as a conditional
    /// reference names them (FHIR R4 3.1.0.8.1).
    pub(crate) fn add(&mut self, entry: &Entry<'_>, index: usize) {
        let (Some(ty), Some(id)) = (entry.ty, &entry.id) else { return };
        let target = Target { ty, id: id.clone(), index: Some(index) };
        let name = ty.name();
        if let Some(id) = entry.own_id() {
            self.insert(format!("{name}/{id}"), &target);
        }
        if let Some(url) = entry.full_url {
            self.insert(url.to_owned(), &target);
        }
        let identifiers = entry.resource.get("identifier").and_then(Value::as_array);
        for identifier in identifiers.unwrap_or_default() {
            let text = |name: &str| identifier.get(name).and_then(Value::as_str);
            if let (Some(system), Some(value)) = (text("system"), text("value")) {
                self.insert(format!("{name}?identifier={system}|{value}"), &target);
            }
        }
    }

    fn insert(&mut self, address: String, target: &Target) {
        self.0.entry(address.into()).or_insert_with(|| target.clone());
    }

    /// Adds those of a call's that went out, for later calls.
    pub(crate) fn remember(&mut self, other: &Self) {
        for (address, target) in &other.0 {
            let target = Target { index: None, ..target.clone() };
            self.0.insert(address.clone(), target);
        }
    }

    /// Takes out those that did not go out.
    pub(crate) fn retain(&mut self, went: impl Fn(usize) -> bool) {
        self.0.retain(|_, target| target.index.is_none_or(&went));
    }

    /// What a reference's text leads to. A version of a resource is the resource; an absolute
    /// address counts only as it is written, because another server's `Patient/1` is another
    /// patient.
    pub(crate) fn find(&self, text: &str) -> Option<&Target> {
        let plain = text.split_once("/_history/").map_or(text, |(plain, _)| plain);
        self.0.get(plain)
    }
}
