//! Known failures of the hazard suite, each with its reason. The list may only get shorter.

use super::suite::{Case, Fault, Problem};
use crate::site::{Site, exchange};

/// Cases that are known to be merged unsafely.
pub(crate) struct Known {
    pub(crate) ty: &'static str,
    /// A part of the cases' names.
    pub(crate) part: &'static str,
    pub(crate) problems: &'static [Problem],
    /// Why, for people.
    pub(crate) reason: &'static str,
}

impl Known {
    /// Whether the case is one of those that may fail.
    pub(crate) fn is_about(&self, case: &Case) -> bool {
        case.ty == self.ty && case.name.contains(self.part)
    }

    /// Whether it fails as it is known to.
    pub(crate) fn covers(&self, case: &Case, faults: &[Fault]) -> bool {
        self.is_about(case) && faults.iter().all(|fault| self.problems.contains(&fault.problem))
    }
}

pub(crate) const FAILURES: &[Known] = &[Known {
    ty: "Appointment",
    part: "participant.actor=clear | participant.type=clear",
    problems: &[Problem::Lost],
    reason: "the guard keeps app-1 by one author's participants; that the other emptied a member \
             of one is told only as the conflict of the whole list",
}];

/// Smallest cases of faults that the suite has found.
fn merged(base: &str, a: &str, b: &str) -> Site {
    let mut one = Site::new(b'A');
    one.put(base);
    let mut other = one.fork(b'B');
    one.put(a);
    other.put(b);
    exchange(&mut one, &mut other);
    one
}

#[test]
fn a_retracted_medication_stays_retracted() {
    let medication =
        |status| format!(r#"{{"resourceType":"Medication","id":"m","status":"{status}"}}"#);
    let site =
        merged(&medication("active"), &medication("entered-in-error"), &medication("inactive"));
    assert_eq!(
        site.member("Medication/m", "status").as_deref(),
        Some(r#""entered-in-error""#),
        "the retraction stands"
    );
}

#[test]
fn the_details_of_an_order_stay_with_its_code() {
    let order = |code: &str, details: &str| {
        format!(
            r#"{{"resourceType":"ServiceRequest","id":"r","status":"active","intent":"order",
            "subject":{{"reference":"Patient/p"}},"code":{{"text":"{code}"}}{details}}}"#
        )
    };
    let details = r#","orderDetail":[{"text":"with contrast"}]"#;
    let site = merged(&order("CT", ""), &order("CT", details), &order("bed rest", ""));
    let is_rest = site.member("ServiceRequest/r", "code").unwrap().contains("bed rest");
    let is_detailed = site.member("ServiceRequest/r", "orderDetail").is_some();
    assert!(!(is_rest && is_detailed), "details of one order with the code of another");
}

#[test]
fn two_corrections_of_one_answer_are_a_conflict() {
    let response = |answer: u8| {
        format!(
            r#"{{"resourceType":"QuestionnaireResponse","id":"q","status":"completed",
            "item":[{{"linkId":"tablets a day","answer":[{{"valueInteger":{answer}}}]}}]}}"#
        )
    };
    let site = merged(&response(1), &response(2), &response(20));
    let item = site.member("QuestionnaireResponse/q", "item").unwrap();
    let answers = item.matches("valueInteger").count();
    assert_eq!((answers, site.conflicts().len()), (1, 1), "one answer, and a conflict: {item}");
}

#[test]
fn whether_an_age_is_estimated_stays_with_the_age() {
    let history = |age: &str| {
        format!(
            r#"{{"resourceType":"FamilyMemberHistory","id":"f","status":"completed",
            "patient":{{"reference":"Patient/p"}},"relationship":{{"text":"mother"}},{age}}}"#
        )
    };
    let (estimated, other) = (r#""ageString":"60","estimatedAge":true"#, r#""ageString":"48""#);
    let site = merged(&history(r#""ageString":"60""#), &history(estimated), &history(other));
    let is_other = site.member("FamilyMemberHistory/f", "ageString").unwrap().contains("48");
    let is_estimated = site.member("FamilyMemberHistory/f", "estimatedAge").is_some();
    assert!(!(is_other && is_estimated), "an estimate of one age beside another");
}
