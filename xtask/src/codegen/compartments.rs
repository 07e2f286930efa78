//! Which references make a resource belong to a compartment.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use clisonix_fhir::json::Value;

use super::definitions::{Definitions, Look};
use super::elements::Elements;

/// One compartment.
pub(super) struct Compartment {
    pub(super) name: String,
    pub(super) members: Vec<Member>,
}

/// One resource type in a compartment.
pub(super) struct Member {
    pub(super) ty: u16,
    pub(super) parameters: Vec<String>,
    pub(super) paths: Vec<String>,
}

/// All compartments, in order of their names; members in order of their types.
pub(super) fn all(definitions: &Definitions, elements: &Elements) -> Result<Vec<Compartment>> {
    let mut compartments = Vec::new();
    for (name, definition) in &definitions.compartments {
        let mut members = Vec::new();
        for resource in definition.list("resource") {
            if resource.texts("param").next().is_none() {
                continue;
            }
            // `{def}` stands for the resource itself, which belongs without any reference.
            let parameters = resource.texts("param").filter(|parameter| *parameter != "{def}");
            let parameters: Vec<String> = parameters.map(str::to_owned).collect();
            let type_name = resource.text("code");
            let mut paths = BTreeSet::new();
            for parameter in &parameters {
                paths.extend(paths_of(definitions, elements, type_name, parameter)?);
            }
            let paths = paths.into_iter().collect();
            members.push(Member { ty: elements.type_number(type_name)?, parameters, paths });
        }
        members.sort_by_key(|member| member.ty);
        compartments.push(Compartment { name: name.clone(), members });
    }
    Ok(compartments)
}

/// The elements of `type_name` that its search parameter `code` looks at.
fn paths_of(
    definitions: &Definitions,
    elements: &Elements,
    type_name: &str,
    code: &str,
) -> Result<Vec<String>> {
    let is_meant = |parameter: &&Value| {
        parameter.text("code") == code && parameter.texts("base").any(|base| base == type_name)
    };
    let parameter = definitions
        .search_parameters
        .values()
        .find(is_meant)
        .with_context(|| format!("no search parameter {code} of {type_name}"))?;
    let mut paths = Vec::new();
    for branch in parameter.text("expression").split('|') {
        let path = plain_path(branch);
        if path.split('.').next() != Some(type_name) {
            continue;
        }
        let is_known = elements.rows.iter().any(|row| row.path == path);
        is_known.then_some(()).with_context(|| format!("no element {path}"))?;
        paths.push(path);
    }
    Ok(paths)
}

/// The element path of a branch of an expression: `Task.for` of `Task.for.where(resolve() is
/// Patient)`, `X.y` of `(X.y as Reference)`.
fn plain_path(branch: &str) -> String {
    let branch = branch.trim().trim_start_matches('(').trim_end_matches(')');
    let without_cast = branch.split(" as ").next().unwrap_or(branch);
    let without_filter = without_cast.split(".where(").next().unwrap_or(without_cast);
    let without_type = without_filter.split(".ofType(").next().unwrap_or(without_filter);
    let without_type = without_type.split(".as(").next().unwrap_or(without_type);
    without_type.trim().to_owned()
}
