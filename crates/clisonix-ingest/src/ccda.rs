//! C-CDA documents (R1.1 and R2.1, and any CDA R2 document) into statements.
//!
//! One document, one patient. The header becomes `Patient`, `Composition` and the people and
//! organisations around them; every section keeps its narrative as XHTML; every entry is read by
//! the rule that its template names, on its own, so that a bad one does not spoil the others.
//! What no rule reads stays among the kept leaves with its address.
//!
//! Sources: HL7 CDA R2, HL7 C-CDA R2.1, HL7 C-CDA on FHIR, FHIR R4.

mod actors;
mod allergies;
mod codes;
mod composition;
mod datatypes;
mod dosage;
mod draft;
mod encoding;
mod encounters;
mod immunizations;
mod medications;
mod narrative;
mod observations;
mod patient;
mod problems;
mod procedures;
mod sections;
mod source;
mod statements;
mod time;

use clisonix_fhir::issue::{Issue, IssueCode};

use crate::{Extent, Hint, Intake, Outcome, message_id};
use draft::Draft;
use source::{Elem, Source};

/// Takes in a C-CDA document.
pub(crate) fn take_in(bytes: &[u8], hint: &Hint) -> Vec<Outcome> {
    let outcome = match read(bytes, hint) {
        Ok(intake) => Outcome::Taken(intake),
        Err(issue) => Outcome::rejected(0..bytes.len(), issue),
    };
    vec![outcome]
}

fn read(bytes: &[u8], hint: &Hint) -> Result<Intake, Issue> {
    let (text, warning) = encoding::decode(bytes)?;
    let source = Source::parse(&text)?;
    let document = source.root();
    if document.name() != "ClinicalDocument" {
        let message = "the document element is not ClinicalDocument";
        return Err(Issue::error(IssueCode::Structure, "/", message));
    }
    let mut targets = document.children("recordTarget");
    let Some(target) = targets.next().filter(|target| target.child("patientRole").is_some()) else {
        let message = "the document has no recordTarget with a patientRole";
        return Err(Issue::error(IssueCode::Required, "/ClinicalDocument", message));
    };
    let role = target.child("patientRole").unwrap_or(target);
    let mut draft = Draft::about(role);
    draft.issues.extend(warning);
    if let Some(other) = targets.next() {
        let message = "a second patient of the document is kept as it is";
        draft.report(IssueCode::NotSupported, other, message);
    }
    let feed = hint.feed.clone().unwrap_or_else(|| feed_of(document));
    let control_id = document.child("id").and_then(datatypes::key);
    let event_time = document.child("effectiveTime");
    let event_time = event_time.and_then(|time| time::Point::parse(time.peek("value")?));
    patient::patient(target, document, &mut draft);
    composition::composition(document, &mut draft);
    let (statements, issues) = draft.into_statements(&feed);
    Ok(Intake {
        message: message_id(&feed, bytes),
        feed,
        control_id: control_id.map(|(system, value)| format!("{system}|{value}")),
        // One document of a custodian may leave out what an earlier one said.
        extent: Extent::Partial,
        event_time_ms: event_time.map(|point| point.epoch_ms()),
        statements,
        issues,
        kept: source.kept(),
        used: source.used_count(),
    })
}

/// The custodian's identifier, else its name, else a word that says that there is none.
fn feed_of(document: Elem<'_>) -> String {
    let custodian =
        document.path(&["custodian", "assignedCustodian", "representedCustodianOrganization"]);
    let key = custodian.and_then(|custodian| custodian.children("id").find_map(datatypes::key));
    if let Some((system, value)) = key {
        return format!("{system}|{value}");
    }
    let name = custodian.and_then(|custodian| custodian.child("name")).map(Elem::peek_text);
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "ccda".to_owned())
}
