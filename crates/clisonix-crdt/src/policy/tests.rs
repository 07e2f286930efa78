//! Every kind of refusal, life cycles, fail-safe choices, keys and a site's table.

mod coverage;

use PolicyErrorKind as E;
use clisonix_fhir::json;
use proptest::prelude::*;

use super::place::element_at;
use super::*;

fn value(text: &str) -> Value {
    json::parse(text.as_bytes()).unwrap()
}

fn element(path: &str) -> ElementId {
    element_at(path).unwrap()
}

#[test]
fn the_table_loads() {
    let policy = Policy::parse(R4_FILE, R4_TABLE);
    assert!(policy.is_ok(), "{}", policy.unwrap_err());
    assert!(Policy::r4().rows().len() > 300);
}

/// What a table of these rows is refused for; the faulty row is the last one.
fn refused(rows: &[&str]) -> PolicyErrorKind {
    let is_cells = |row: &&&str| {
        RowKind::ALL.iter().any(|kind| kind.is_cells() && row.starts_with(kind.as_str()))
    };
    let (cells, policy): (Vec<&&str>, Vec<&&str>) = rows.iter().partition(is_cells);
    let table = format!(
        "part cells\n{}\npart policy\n{}\n",
        cells.iter().map(|row| format!("{row} | | why")).collect::<Vec<_>>().join("\n"),
        policy.iter().map(|row| format!("{row} | | why")).collect::<Vec<_>>().join("\n")
    );
    let error = Policy::parse("t.policy", &table).unwrap_err();
    let last = rows.last().unwrap();
    let line = table.lines().position(|line| line.starts_with(*last)).unwrap() + 1;
    assert_eq!((&*error.file, error.line), ("t.policy", line), "{error}");
    assert!(error.to_string().starts_with(&format!("t.policy:{line}: ")));
    error.kind
}

#[test]
fn rows_about_unknown_things_are_refused() {
    assert_eq!(refused(&["severity | Patient.nose | high"]), E::Path("Patient.nose".into()));
    assert_eq!(refused(&["severity | *.nose | high"]), E::Path("*.nose".into()));
    assert_eq!(refused(&["severity | @nose | high"]), E::Path("@nose".into()));
    assert_eq!(refused(&["failsafe | Nose.status | x"]), E::Path("Nose.status".into()));
    assert_eq!(refused(&["failsafe | *.status | x"]), E::Path("*.status".into()));
    assert_eq!(refused(&["lifecycle | Task.nose | x"]), E::Path("Task.nose".into()));
    assert_eq!(refused(&["group | Patient.name | use text"]), E::Path("Patient.name".into()));
    assert_eq!(refused(&["whole | Patient.nose | "]), E::Path("Patient.nose".into()));
    assert_eq!(refused(&["key | Patient.nose | x"]), E::Path("Patient.nose".into()));
    assert_eq!(refused(&["keyless | Patient.nose | "]), E::Path("Patient.nose".into()));
    assert_eq!(refused(&["telling | *.nose | "]), E::Path("*.nose".into()));
    assert_eq!(
        refused(&["telling | Quantity.comparator | "]),
        E::Path("Quantity.comparator".into())
    );
    assert_eq!(refused(&["severity | Patient.name | grave"]), E::Severity("grave".into()));
    let member = |path: &str, name: &str| E::Member { path: path.into(), name: name.into() };
    assert_eq!(refused(&["group | Task | status nose"]), member("Task", "nose"));
    assert_eq!(refused(&["apart | Task | status nose"]), member("Task", "nose"));
    // A key that is not in the element's scope.
    assert_eq!(refused(&["key | Patient.link | name"]), member("Patient.link", "name"));
    assert_eq!(refused(&["key | Identifier | code"]), member("Identifier", "code"));
}

#[test]
fn codes_are_those_of_the_binding() {
    let code = |path: &str, code: &str| E::Code { path: path.into(), code: code.into() };
    assert_eq!(refused(&["failsafe | List.status | current gone"]), code("List.status", "gone"));
    assert_eq!(
        refused(&["failsafe | List.status | retired retired"]),
        code("List.status", "retired")
    );
    assert_eq!(refused(&["failsafe | Patient.active | yes"]), code("Patient.active", "yes"));
    assert_eq!(
        refused(&["failsafe | Patient.deceased | [Period]"]),
        code("Patient.deceased", "[Period]")
    );
    assert_eq!(refused(&["lifecycle | List.status | current < gone"]), code("List.status", "gone"));
    assert_eq!(
        refused(&["lifecycle | List.status | current < retired"]),
        E::MissingCode { path: "List.status".into(), code: "entered-in-error".into() }
    );
}

#[test]
fn contradictory_groups_are_refused() {
    let first = "group | Task | status statusReason";
    assert_eq!(refused(&[first, "group | Task | status code"]), E::TwoGroups("Task.status".into()));
    assert_eq!(
        refused(&["group | Condition | code stage.type"]),
        E::AcrossScopes("stage.type".into())
    );
    assert_eq!(
        refused(&["group | Observation | value interpretation"]),
        E::ListInGroup("Observation.interpretation".into())
    );
    assert_eq!(
        refused(&["group | Observation | value code[]"]),
        E::NoList("Observation.code".into())
    );
    assert_eq!(
        refused(&["group | Consent | policyRule provision"]),
        E::ThingInGroup("Consent.provision".into())
    );
    assert_eq!(refused(&["group | Observation | note[] focus[]"]), E::NoLeader);
    assert_eq!(refused(&["group | Task | status status"]), E::Twice("status".into()));
    assert_eq!(
        refused(&["whole | Consent.provision | ", "group | Consent.provision | type period"]),
        E::NotSplit("Consent.provision".into())
    );
    assert_eq!(refused(&["whole | Patient.name | "]), E::NotSplit("Patient.name".into()));
}

#[test]
fn a_group_for_all_types_reaches_their_backbone_elements() {
    let table = "part cells\ngroup | * | type period | | why\npart policy\n";
    let policy = Policy::parse("t.policy", table).unwrap();
    let leader = element("Consent.provision.type");
    let members: Vec<ElementId> = policy.members(leader).collect();
    assert_eq!(members, [leader, element("Consent.provision.period")]);
}

#[test]
fn contradictory_keys_and_duplicate_rows_are_refused() {
    let key = "key | Patient.link | other";
    assert_eq!(refused(&[key, "key | Patient.link | type"]), E::Twice("Patient.link".into()));
    assert_eq!(
        refused(&[key, "keyless | Patient.link | "]),
        E::KeyAndKeyless("Patient.link".into())
    );
    assert_eq!(refused(&["key | Patient.gender | id"]), E::NoList("Patient.gender".into()));
    assert_eq!(refused(&["key | Patient.link | other[0]"]), E::NoList("Patient.link.other".into()));
    assert_eq!(refused(&["keyless | Patient.gender | "]), E::NoList("Patient.gender".into()));
    assert_eq!(refused(&["text | Patient.contact | "]), E::NoText("Patient.contact".into()));
    assert_eq!(
        refused(&["text | Patient.photo | title size x"]),
        E::NoText("Patient.photo".into())
    );
    assert_eq!(refused(&["text | Patient.photo | "]), E::NoText("Patient.photo".into()));
    assert_eq!(refused(&["text | Patient.nose | "]), E::Path("Patient.nose".into()));
    for row in [
        "whole | Consent.provision | ",
        "keyless | Patient.name | ",
        "lifecycle | List.status | current < retired < entered-in-error",
        "failsafe | List.status | retired current",
        "severity | List.status | low",
    ] {
        let path = row.split(" | ").nth(1).unwrap();
        // Two equal rows; the fault is the second one's.
        let table = |part: &str| format!("part {part}\n{row} | | why\n{row} | | again\n");
        let cells = RowKind::ALL.iter().any(|k| k.is_cells() && row.starts_with(k.as_str()));
        let error = Policy::parse("t", &table(if cells { "cells" } else { "policy" })).unwrap_err();
        assert_eq!((error.line, error.kind), (3, E::Twice(path.into())));
    }
}

#[test]
fn a_life_cycle_is_an_order_that_the_choice_follows() {
    assert_eq!(
        refused(&["lifecycle | List.status | current < retired < current < entered-in-error"]),
        E::Cycle("List.status".into())
    );
    let row = "lifecycle | List.status | current < retired < entered-in-error";
    assert_eq!(refused(&[row]), E::NoFailsafe("List.status".into()));
    assert_eq!(
        refused(&[row, "failsafe | List.status | entered-in-error current retired"]),
        E::Order { path: "List.status".into(), later: "retired".into(), earlier: "current".into() }
    );
    assert_eq!(
        refused(&[row, "failsafe | List.status | retired current"]),
        E::MissingCode { path: "List.status".into(), code: "entered-in-error".into() }
    );
}

#[test]
fn a_life_cycle_has_a_limit() {
    let long =
        format!("lifecycle | List.status | {}current", "current < ".repeat(MAX_STATES.pow(2)));
    assert_eq!(refused(&[&long]), E::TooManyStates("List.status".into()));
    let many = ElementId::all().find(|element| {
        let definition = element.element();
        definition.binding.is_some_and(|binding| binding.codes.len() > MAX_STATES)
            && element_at(definition.path) == Some(*element)
    });
    let path = many.unwrap().element().path;
    let row = format!("lifecycle | {path} | a < b");
    assert_eq!(refused(&[&row]), E::TooManyStates(path.into()));
}

#[test]
fn rows_that_are_no_rows_are_refused() {
    let kind = |table: &str| Policy::parse("t", table).unwrap_err().kind;
    assert_eq!(kind("part cells\nrank | List.status | a | | why"), E::Kind("rank".into()));
    assert_eq!(kind("part cells\nwhole | Consent.provision | | |"), E::Incomplete);
    assert_eq!(kind("part cells\nwhole | Consent.provision | all | | why"), E::Incomplete);
    assert_eq!(kind("part cells\nkey | Patient.link | | | why"), E::Incomplete);
    assert_eq!(kind("part cells\nkey | Patient.link | other"), E::Incomplete);
    assert_eq!(kind("part cells\nseverity | @other | low | | why"), E::Part("severity"));
    assert_eq!(kind("part policy\nkey | Patient.link | other | | why"), E::Part("key"));
    assert_eq!(kind("severity | @other | low | | why"), E::Part("severity"));
    assert_eq!(kind(&" ".repeat(MAX_TABLE_BYTES + 1)), E::TooLong);
}

#[test]
fn a_site_may_override_policy_and_never_cells() {
    let refused = |table: &str| Policy::with_site_table("site.policy", table).unwrap_err();
    for kind in RowKind::ALL.into_iter().filter(|kind| kind.is_cells()) {
        let error = refused(&format!("# ours\n{} | List | status | | why", kind.as_str()));
        assert_eq!((&*error.file, error.line), ("site.policy", 2));
        let words = matches!(kind, RowKind::Whole | RowKind::Keyless);
        assert!(words || error.kind == E::Cells(kind.as_str()), "{error}");
    }
    assert_eq!(refused("part cells").kind, E::Kind("part cells".into()));
    let twice = "severity | Patient.photo | high | | a\nseverity | Patient.photo | low | | b";
    assert_eq!(refused(twice).line, 2);
    // The built-in life cycle holds for the site's choice, and the site's row is blamed.
    let error = refused("failsafe | List.status | entered-in-error current retired | | why");
    assert_eq!((&*error.file, error.line), ("site.policy", 1));

    let site = Policy::with_site_table(
        "site.policy",
        "severity | Patient.photo | high | | we know patients by their photo\n\
         failsafe | Patient.deceased | false true [dateTime] | | we check each death",
    )
    .unwrap();
    let photo = element("Patient.photo");
    assert_eq!(Policy::r4().severity(photo), ConflictSeverity::Low);
    assert_eq!(site.severity(photo), ConflictSeverity::High);
    let deceased = element("Patient.deceased");
    let (dead, alive) =
        (value(r#"{"deceasedDateTime":"2024"}"#), value(r#"{"deceasedBoolean":false}"#));
    assert!(
        Policy::r4().rank(deceased, || dead.clone())
            < Policy::r4().rank(deceased, || alive.clone())
    );
    assert!(site.rank(deceased, || dead.clone()) > site.rank(deceased, || alive.clone()));
    let row = site.rows().iter().find(|row| &*row.path == "Patient.photo").unwrap();
    assert_eq!((&*row.file, row.line), ("site.policy", 1));
    assert_eq!(site.rows().len(), Policy::r4().rows().len() + 1, "one replaces, one is added");
}

#[test]
fn the_digest_is_that_of_the_policy_in_effect() {
    let site = |table: &str| *Policy::with_site_table("s", table).unwrap().digest();
    let r4 = *Policy::r4().digest();
    assert_eq!(site(""), r4);
    assert_eq!(site("severity | Patient.gender | high | | as it is"), r4);
    let high = site("severity | Patient.photo | high | | why");
    assert_ne!(high, r4);
    assert_eq!(site("# a remark\nseverity|Patient.photo|  high||another reason"), high);
}

#[test]
fn a_retraction_absorbs_and_the_safer_state_goes_first() {
    let policy = Policy::r4();
    let rank = |path: &str, text: &str| policy.rank(element(path), || value(text));
    let before = |path: &str, safer: &str, other: &str| {
        assert!(rank(path, safer) < rank(path, other), "{path}: {safer} before {other}");
    };
    before(
        "Condition.clinicalStatus",
        r#"{"verificationStatus":{"coding":[{"code":"entered-in-error"}]}}"#,
        r#"{"clinicalStatus":{"coding":[{"code":"active"}]}}"#,
    );
    before(
        "AllergyIntolerance.clinicalStatus",
        r#"{"clinicalStatus":{"coding":[{"code":"active"}]}}"#,
        r#"{"clinicalStatus":{"coding":[{"code":"resolved"}]}}"#,
    );
    before("MedicationRequest.medication", r#"{"doNotPerform":true}"#, r#"{"doNotPerform":false}"#);
    before("NutritionOrder.status", r#"{"status":"entered-in-error"}"#, r#"{"status":"active"}"#);
    before("DeviceRequest.priority", r#"{"priority":"stat"}"#, r#"{"priority":"routine"}"#);
    // A look into a backbone element that is one cell.
    before(
        "Consent.provision",
        r#"{"provision":{"type":"deny"}}"#,
        r#"{"provision":{"type":"permit"}}"#,
    );
}

#[test]
fn only_a_later_state_settles() {
    let policy = Policy::r4();
    let settled = |path: &str, shown: &str, other: &str| {
        policy.is_settled(element(path), &value(shown), &[value(other)])
    };
    let status = |a: &str, b: &str| {
        let text = |code: &str| format!(r#"{{"status":"{code}"}}"#);
        settled("Observation.status", &text(a), &text(b))
    };
    assert!(status("final", "preliminary"));
    assert!(status("corrected", "registered"));
    assert!(!status("preliminary", "final"));
    assert!(!status("cancelled", "final"), "cannot be compared");
    assert!(!status("entered-in-error", "final"), "a retraction is always told");
    let order = "MedicationRequest.status";
    assert!(settled(order, r#"{"status":"stopped"}"#, r#"{"status":"active"}"#));
    assert!(!settled(
        order,
        r#"{"status":"stopped","statusReason":{"text":"a"}}"#,
        r#"{"status":"active"}"#
    ));
    assert!(!settled("Patient.active", r#"{"active":true}"#, r#"{"active":false}"#));
}

#[test]
fn keys_come_from_what_identifies() {
    let key = |path: &str, text: &str| {
        let list = element(path);
        let ty = list.element().types[0];
        Policy::r4().key(list, ty).and_then(|key| key.parts(&value(text), Policy::r4()))
    };
    let same = |path: &str, a: &str, b: &str| {
        assert!(key(path, a).is_some());
        assert_eq!(key(path, a), key(path, b), "{path}");
    };
    same(
        "Patient.identifier",
        r#"{"system":"s","value":"1","use":"official"}"#,
        r#"{"value":"1","system":"s"}"#,
    );
    assert_eq!(key("Patient.identifier", r#"{"system":"s"}"#), None);
    same(
        "Medication.ingredient",
        r#"{"itemCodeableConcept":{"coding":[{"system":"s","code":"1","display":"x"}]}}"#,
        r#"{"itemCodeableConcept":{"coding":[{"system":"s","code":"1"}]},"isActive":true}"#,
    );
    same("MedicationRequest.dosageInstruction", r#"{"text":"a"}"#, r#"{"text":"b"}"#);
    // The order of a list in a key does not count, what is in it does.
    same(
        "CareTeam.participant",
        r#"{"role":[{"text":"a"},{"text":"b"}],"member":{"reference":"P/1"}}"#,
        r#"{"role":[{"text":"b"},{"text":"a"}],"member":{"reference":"P/1","display":"p"}}"#,
    );
    let one = key("CareTeam.participant", r#"{"role":[{"text":"a"}]}"#);
    assert_ne!(one, key("CareTeam.participant", r#"{"role":[{"text":"b"}]}"#));
    // The first alternative that applies.
    same("Composition.section", r#"{"code":{"text":"c"},"title":"t"}"#, r#"{"code":{"text":"c"}}"#);
    assert!(key("Composition.section", r#"{"title":"t"}"#).is_some());
    // Other types, by the general rows.
    same("Claim.item", r#"{"sequence":1}"#, r#"{"sequence":1,"factor":2}"#);
    assert_eq!(key("Patient.name", r#"{"family":"f"}"#), None);
}

/// Rows of words that tables are made of, and of others.
fn any_row() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "group",
        "key",
        "lifecycle",
        "failsafe",
        "severity",
        "*",
        "*.status",
        "@other",
        "Task",
        "List.status",
        "Patient.link",
        "Consent.provision",
        "Patient.deceased",
        "other[0]",
        "type!",
        "current",
        "retired",
        "<",
        ";",
        "/",
        "(place)",
        "[dateTime]",
        "[]",
        "!",
        "|",
        "high",
        "\u{e9}",
    ]);
    prop::collection::vec(word, 0..14).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_table_panics(rows in prop::collection::vec(any_row(), 1..4), text in any::<String>()) {
        let table = rows.join("\n");
        for table in [table.as_str(), text.as_str()] {
            let cells = format!("part cells\n{table}\n");
            drop(Policy::parse("t", &cells));
            drop(Policy::parse("t", &format!("part policy\n{table}\n")));
            drop(Policy::with_site_table("t", table));
        }
    }
}
