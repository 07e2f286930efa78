//! Who belongs, and where the others fell.

use clisonix_fhir::json::{Value, parse};

use super::*;

fn patient(born: &str, condition: &str, onset: &str) -> Vec<Value> {
    let patient = format!(r#"{{"resourceType":"Patient","birthDate":"{born}"}}"#);
    let condition = format!(
        r#"{{"resourceType":"Condition","subject":{{}},"onsetDateTime":"{onset}","code":{{"coding":
        [{{"system":"http://snomed.info/sct","code":"{condition}"}}]}}}}"#
    );
    vec![parse(patient.as_bytes()).unwrap(), parse(condition.as_bytes()).unwrap()]
}

#[test]
fn each_step_tells_how_many_fell() {
    let cohort = Cohort::load(
        "# type 2 diabetes\nrecord a\nrecord b\nrecord c\n\
         having Condition http://snomed.info/sct|44054006 2019..2021-06\nhaving Patient\n",
    )
    .unwrap();
    let mut selection = cohort.select();
    assert!(selection.consider("a", &patient("1970", "44054006", "2020-02-01")));
    assert!(!selection.consider("b", &patient("1970", "44054006", "2021-07-01")));
    assert!(!selection.consider("c", &patient("1970", "73211009", "2020-02-01")));
    assert!(!selection.consider("d", &patient("1970", "44054006", "2020-02-01")));
    assert_eq!(selection.records(), ["a"]);
    let table: Vec<_> = selection.attrition().into_iter().map(|row| (row.left, row.fell)).collect();
    assert_eq!(table, [(4, 0), (3, 1), (1, 2), (1, 0)]);
}

#[test]
fn windows_meet_periods_and_open_ends() {
    let open = Criterion::read("Encounter ..2020").unwrap();
    let encounter = |period: &str| {
        let text = format!(r#"{{"resourceType":"Encounter","period":{period}}}"#);
        parse(text.as_bytes()).unwrap()
    };
    assert!(open.holds(&encounter(r#"{"start":"2020-12-31"}"#)));
    assert!(open.holds(&encounter(r#"{"end":"2022"}"#)));
    assert!(!open.holds(&encounter(r#"{"start":"2021-01-01"}"#)));
    let later = Criterion::read("Encounter 2021-03..").unwrap();
    assert!(later.holds(&encounter(r#"{"start":"2020"}"#)));
    assert!(!later.holds(&encounter(r#"{"start":"2020","end":"2021-02"}"#)));
}

#[test]
fn wrong_lines_are_named() {
    assert_eq!(Cohort::load("\npatient 1").unwrap_err(), CohortError::Line(2));
    assert!(matches!(Cohort::load("having Disease"), Err(CohortError::Type(_))));
    assert!(matches!(Cohort::load("having Patient 2020"), Err(CohortError::Word(_))));
}
