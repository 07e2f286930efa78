//! What leaves for research: whose records, what they refer to, and each of them de-identified.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Result;
use clisonix_fhir::json::Value;
use clisonix_node::{By, Node, NodeError};
use clisonix_research::{Attrition, Cohort, MAX_RESOURCES, Project, Released, Report, Scope};

use crate::exit::Fault;
use crate::query::{parse, resources, write_line};

/// A cohort that was chosen.
pub(crate) struct Release {
    patients: Vec<String>,
    attrition: Vec<Attrition>,
    /// What the patients' resources refer to outside of their records, as `Type/id`.
    outside: BTreeSet<String>,
}

impl Release {
    /// Looks through all patients' records.
    pub(crate) fn choose(node: &Node, by: By<'_>, cohort: &Cohort) -> Result<Self> {
        let mut selection = cohort.select();
        let mut outside = BTreeSet::new();
        node.search(by, |record, bundle| -> Result<()> {
            let bundle = parse(bundle)?;
            if selection.consider(record, std::slice::from_ref(&bundle)) {
                outward(&bundle, &mut outside);
            }
            Ok(())
        })?;
        let (patients, attrition) = (selection.records().to_vec(), selection.attrition());
        Ok(Self { patients, attrition, outside })
    }

    /// How many patients each step left.
    pub(crate) fn attrition(&self) -> &[Attrition] {
        &self.attrition
    }

    /// Writes what may go out, one resource on a line: first what patients share, then patient after
    /// patient.
    pub(crate) fn write(
        self,
        mut project: Project<'_>,
        node: &Node,
        by: By<'_>,
        out: &mut impl Write,
    ) -> Result<Report> {
        let mut report = Report::default();
        let shared = self.shared(node, by)?;
        let released = project.deidentify(Scope::Shared, &shared)?;
        project.remember(&released);
        write(&released, &mut report, out)?;
        for record in &self.patients {
            let bundle = parse(&node.record_to_share(record, by)?)?;
            let released = project.deidentify(Scope::Patient(record), &[bundle])?;
            write(&released, &mut report, out)?;
        }
        Ok(report)
    }

    /// The shared resources that the patients' refer to, and those that these refer to.
    fn shared(&self, node: &Node, by: By<'_>) -> Result<Vec<Value>> {
        let patients: BTreeSet<String> =
            node.patients()?.into_iter().map(|patient| patient.record).collect();
        let mut open: Vec<String> = self.outside.iter().rev().cloned().collect();
        let mut seen = BTreeSet::new();
        let mut found = Vec::new();
        while let Some(name) = open.pop() {
            let record = node.record_of(&name)?.filter(|record| !patients.contains(record));
            let Some(record) = record.filter(|record| seen.insert(record.clone())) else {
                continue;
            };
            let bundle = parse(&node.record_to_share(&record, by)?)?;
            let mut further = BTreeSet::new();
            outward(&bundle, &mut further);
            open.extend(further);
            found.extend(resources(&bundle).cloned());
            if found.len() > MAX_RESOURCES {
                let message = "the cohort refers to too many shared resources: take a smaller one";
                return Err(Fault::usage(message).into());
            }
        }
        Ok(found)
    }
}

/// Reads a record's name as it is where it means none: the table of attrition then shows it missing.
pub(crate) fn whole(found: Result<String, NodeError>) -> Result<Option<String>, NodeError> {
    match found {
        Err(NodeError::NotFound(_)) => Ok(None),
        found => found.map(Some),
    }
}

fn write(released: &Released, report: &mut Report, out: &mut impl Write) -> Result<()> {
    report.merge(&released.report);
    released.resources.iter().try_for_each(|resource| write_line(resource, out))
}

/// Adds the references `Type/id` that lead out of a Bundle.
fn outward(bundle: &Value, to: &mut BTreeSet<String>) {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let named =
        |resource| Some(format!("{}/{}", text(resource, "resourceType")?, text(resource, "id")?));
    let inside: BTreeSet<String> = resources(bundle).filter_map(named).collect();
    references(bundle, &mut |reference| {
        if reference.split('/').count() == 2 && !inside.contains(reference) {
            to.insert(reference.to_owned());
        }
    });
}

fn references<'a>(value: &'a Value, visit: &mut dyn FnMut(&'a str)) {
    match value {
        Value::Array(list) => list.iter().for_each(|inner| references(inner, visit)),
        Value::Object(object) => {
            for (name, inner) in object {
                match inner.as_str() {
                    Some(text) if name == "reference" => visit(text),
                    _ => references(inner, visit),
                }
            }
        }
        _ => {}
    }
}
