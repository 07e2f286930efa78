//! Procedure activities (as procedure, act or observation) into `Procedure`.

use clisonix_fhir::issue::IssueCode;
use clisonix_fhir::json::{Object, Value};

use super::actors::{authorship, performers};
use super::codes::{PROCEDURE_STATUS, mapped};
use super::datatypes::{concept, display, put, put_list};
use super::draft::Draft;
use super::source::Elem;
use super::statements::{location, open, put_identifiers, put_notes, reasons, refers_to};
use super::time::Interval;

/// One procedure (templates 4.14, 4.12, 4.13). Planned ones are kept as they are.
pub(crate) fn procedure(activity: Elem<'_>, draft: &mut Draft) -> Option<String> {
    if activity.peek("moodCode").is_some_and(|mood| mood != "EVN") {
        draft.report(IssueCode::NotSupported, activity, "a planned procedure is kept as it is");
        return None;
    }
    open(activity, &["14", "12", "13"]);
    let is_negated = activity.peek("negationInd") == Some("true");
    activity.mark_attribute("negationInd");
    let mut body = Draft::body("Procedure");
    put_identifiers(activity, &mut body);
    let status = mapped(activity.child("statusCode"), PROCEDURE_STATUS).unwrap_or("unknown");
    body.insert("status", if is_negated { "not-done" } else { status });
    let Some(code) = activity.child("code").and_then(concept) else {
        activity.unmark();
        draft.report(IssueCode::Incomplete, activity, "the procedure has no code and no text");
        return None;
    };
    body.insert("code", code);
    body.insert("subject", Draft::patient());
    let time = activity.child("effectiveTime").map(Interval::read).unwrap_or_default();
    time.write_choice("performed", &mut body);
    put_people(activity, draft, &mut body);
    put(&mut body, "location", location(activity).as_deref().map(display));
    put_list(&mut body, "reasonCode", reasons(activity));
    put_list(
        &mut body,
        "bodySite",
        activity.children("targetSiteCode").filter_map(concept).collect(),
    );
    put_notes(activity, draft, &mut body);
    draft.add(body, activity)
}

fn put_people(activity: Elem<'_>, draft: &mut Draft, body: &mut Object) {
    let author = authorship(activity, draft);
    let may_record = ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"];
    put(body, "recorder", author.who.filter(|who| refers_to(who, &may_record)));
    let may_perform =
        ["Practitioner", "PractitionerRole", "Organization", "Patient", "RelatedPerson", "Device"];
    let who = performers(activity, draft).into_iter().filter(|who| refers_to(who, &may_perform));
    let list = who.map(|actor| {
        let mut performer = Object::new();
        performer.insert("actor", actor);
        Value::Object(performer)
    });
    put_list(body, "performer", list.collect());
}
