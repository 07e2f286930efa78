//! C-CDA documents (R1.1 and R2.1, and any CDA R2 document) into statements.
//!
//! One document, one patient. The mapping tables `mapping/ccda*.map` say what header, sections and
//! entries become; what they do not use is kept with its address. Code are the XML itself
//! (encodings, leaves, limits), the narrative's conversion to XHTML, and the functions by which the
//! tables reach words, intervals and identifiers.
//!
//! Sources: HL7 CDA R2, HL7 C-CDA R2.1, HL7 C-CDA on FHIR, FHIR R4.

mod encoding;
mod narrative;
mod refusal;
mod source;
#[cfg(test)]
mod tests;
mod view;

use clisonix_fhir::issue::{Issue, IssueCode};

use crate::mapping::{Mapping, MappingError};
use crate::{Extent, Hint, Intake, Outcome, identity, message_id, timestamp};
use source::{Elem, Source};
use view::{View, key};

/// The tables that come with the program.
const TABLES: [(&str, &str); 3] = [
    ("ccda.map", include_str!("../mapping/ccda.map")),
    ("ccda-datatypes.map", include_str!("../mapping/ccda-datatypes.map")),
    ("ccda-codes.map", include_str!("../mapping/ccda-codes.map")),
];

/// Reads and checks the tables that come with the program, and a site's own behind them.
pub(crate) fn mapping(overlays: &[(&str, &str)]) -> Result<Mapping, Vec<MappingError>> {
    Mapping::load(&[&TABLES, overlays].concat(), view::FUNCTIONS)
}

/// Takes in a C-CDA document.
pub(crate) fn take_in(bytes: &[u8], hint: &Hint, mapping: &Mapping) -> Outcome {
    match read(bytes, hint, mapping) {
        Ok(intake) => Outcome::Taken(intake),
        Err(issue) => Outcome::rejected(0..bytes.len(), issue),
    }
}

fn read(bytes: &[u8], hint: &Hint, mapping: &Mapping) -> Result<Intake, Issue> {
    let (text, warning) = encoding::decode(bytes)?;
    let source = Source::parse(&text)?;
    let document = source.root();
    let mut issues: Vec<Issue> = warning.into_iter().collect();
    issues.extend(second_patient(document)?);
    let feed = hint.feed.clone().unwrap_or_else(|| feed_of(document));
    let control_id = document.child("id").and_then(key);
    let stamp = document.child("effectiveTime").and_then(|time| time.peek("value"));
    let zone_minutes = hint.zone_minutes_of(stamp);
    let view = View::new(&source, zone_minutes);
    let made = mapping.run(&view);
    issues.extend(made.issues);
    issues.extend(view.into_issues());
    made.used.into_iter().for_each(|place| source.use_place(place));
    issues.extend(source.use_kinds().into_iter().map(view::unread));
    let mut statements = identity::settle(&feed, made.drafts, &mut issues);
    for stated in statements.iter_mut().flat_map(|statement| &mut statement.resources) {
        identity::say_once(&mut stated.resource);
    }
    Ok(Intake {
        message: message_id(&feed, bytes),
        feed,
        control_id: control_id.map(|(system, value)| format!("{system}|{value}")),
        // One document of a custodian may leave out what an earlier one said.
        extent: Extent::Partial,
        event_time_ms: stamp.and_then(|stamp| event_time_ms(stamp, zone_minutes)),
        statements,
        issues,
        kept: source.kept(),
        used: source.used_count(),
    })
}

/// Refuses what is no document about a patient; a second patient is told.
fn second_patient(document: Elem<'_>) -> Result<Option<Issue>, Issue> {
    if document.name() != "ClinicalDocument" {
        let message = "the document element is not ClinicalDocument";
        return Err(Issue::error(IssueCode::Structure, "/", message));
    }
    let mut targets = document.children("recordTarget");
    if targets.next().is_none_or(|target| target.child("patientRole").is_none()) {
        let message = "the document has no recordTarget with a patientRole";
        return Err(Issue::error(IssueCode::Required, "/ClinicalDocument", message));
    }
    let message = "a second patient of the document is kept as it is";
    let second = targets.next();
    Ok(second.map(|it| Issue::warning(IssueCode::NotSupported, it.address(), message)))
}

/// The document's time as an instant; of a day or less its beginning in UTC, which is good enough
/// to order documents.
fn event_time_ms(stamp: &str, zone_minutes: i32) -> Option<i64> {
    let time = timestamp::fhir_of_hl7(stamp, zone_minutes)?;
    timestamp::epoch_ms(&time).or_else(|| {
        let first = "0000-01-01".get(time.len()..)?;
        timestamp::epoch_ms(&format!("{time}{first}T00:00:00Z"))
    })
}

/// The custodian's identifier, else its name, else a word that says that there is none.
fn feed_of(document: Elem<'_>) -> String {
    let custodian =
        document.path(&["custodian", "assignedCustodian", "representedCustodianOrganization"]);
    let key = custodian.and_then(|custodian| custodian.children("id").find_map(key));
    if let Some((system, value)) = key {
        return format!("{system}|{value}");
    }
    let name = custodian.and_then(|custodian| custodian.child("name")).map(Elem::text);
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "ccda".to_owned())
}
