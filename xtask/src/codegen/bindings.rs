//! Lists the codes of the value sets that elements are bound to with strength `required`.

use std::collections::{BTreeMap, BTreeSet};

use clisonix_fhir::json::Value;

use super::definitions::{Definitions, Look};
use super::elements::Elements;

/// The codes of one value set.
pub(super) struct CodeList {
    pub(super) systems: Vec<String>,
    pub(super) codes: Vec<String>,
}

/// The value sets of all required bindings.
#[derive(Default)]
pub(super) struct Bindings {
    /// Those whose codes the definitions tell.
    pub(super) listed: BTreeMap<String, CodeList>,
    /// Those whose codes they do not tell: media types, currencies, units, value sets of others.
    pub(super) open: BTreeSet<String>,
}

impl Bindings {
    /// Lists what the elements need.
    pub(super) fn of(definitions: &Definitions, elements: &Elements) -> Self {
        let mut bindings = Self::default();
        for address in elements.rows.iter().filter_map(|row| row.required_value_set.clone()) {
            match expand(definitions, &address) {
                Some(list) => drop(bindings.listed.insert(address, list)),
                None => drop(bindings.open.insert(address)),
            }
        }
        bindings
    }

    /// The number of the binding to a value set; `None` if its codes are not listed.
    pub(super) fn number(&self, address: &str) -> Option<u16> {
        self.listed.keys().zip(0..).find(|(listed, _)| *listed == address).map(|(_, number)| number)
    }
}

/// The codes of a value set that is made of whole code systems and lists of codes, as all of R4's
/// required ones are; `None` where the definitions cannot tell the codes.
fn expand(definitions: &Definitions, address: &str) -> Option<CodeList> {
    let compose = definitions.value_sets.get(address)?.get("compose")?;
    if compose.list("exclude").next().is_some() {
        return None;
    }
    let (mut systems, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for include in compose.list("include") {
        if include.get("filter").is_some() || include.get("valueSet").is_some() {
            return None;
        }
        let system = include.text("system");
        systems.insert(system.to_owned());
        if include.get("concept").is_some() {
            codes.extend(include.list("concept").map(|concept| concept.text("code").to_owned()));
        } else {
            let code_system = definitions.code_systems.get(system)?;
            if code_system.text("content") != "complete" {
                return None;
            }
            add_codes(code_system, &mut codes);
        }
    }
    Some(CodeList { systems: systems.into_iter().collect(), codes: codes.into_iter().collect() })
}

/// The codes of a code system's concepts and of those below them.
fn add_codes(parent: &Value, codes: &mut BTreeSet<String>) {
    for concept in parent.list("concept") {
        codes.insert(concept.text("code").to_owned());
        add_codes(concept, codes);
    }
}
