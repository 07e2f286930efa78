//! Lines that name each other, and pieces that are the whole.

use std::io::BufReader;

use super::{Known, Pieces, begin, each, survey};
use crate::{Hint, Intake, Outcome, RecordKind, take_in};

const PATIENT: &str =
    r#"{"resourceType":"Patient","id":"12","identifier":[{"system":"m","value":"7"}]}"#;
const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/12/_history/3"},"performer":[{"reference":"Practitioner/d"}]}"#;
const DOCTOR: &str =
    r#"{"resourceType":"Practitioner","id":"d","identifier":[{"system":"n","value":"42"}]}"#;

fn intakes(outcomes: Vec<Outcome>) -> Vec<Intake> {
    let intake = |outcome| match outcome {
        Outcome::Taken(intake) => intake,
        Outcome::Rejected(rejected) => panic!("{:?}", rejected.issues),
    };
    outcomes.into_iter().map(intake).collect()
}

#[test]
fn a_line_belongs_to_its_patient_whatever_the_order_of_the_lines() {
    for lines in [[OBSERVATION, PATIENT, DOCTOR], [DOCTOR, PATIENT, OBSERVATION]] {
        let intakes = intakes(take_in(lines.join("\n").as_bytes(), &Hint::default()));
        assert_eq!(intakes.len(), 3);
        let about = |ty: &str| {
            let mut all = intakes.iter().flat_map(|intake| &intake.statements);
            all.find(|one| one.resources.iter().any(|r| r.resource.resource_type() == Some(ty)))
        };
        let (patient, observation) = (about("Patient").unwrap(), about("Observation").unwrap());
        assert_eq!(patient.record.value, "7");
        assert_eq!(observation.record, patient.record);
        let text = observation.resources.first().unwrap().resource.to_text();
        for (ty, of) in [("Patient", patient), ("Practitioner", about("Practitioner").unwrap())] {
            assert!(text.contains(&format!("\"{ty}/{}\"", of.record.id())), "{text}");
        }
        assert!(intakes.iter().all(|intake| intake.issues.is_empty()));
    }
}

#[test]
fn a_name_of_two_patients_leads_to_neither() {
    let other = PATIENT.replace("\"7\"", "\"8\"");
    let lines = [OBSERVATION, PATIENT, &other, PATIENT].join("\n");
    let intakes = intakes(take_in(lines.as_bytes(), &Hint::default()));
    let first = intakes.first().unwrap();
    let record = &first.statements.first().unwrap().record;
    assert_eq!((record.kind, &*record.value), (RecordKind::Patient, "Patient/12"));
    assert_eq!(first.issues.len(), 1, "it is reported");
}

#[test]
fn pieces_are_the_whole() {
    let lines = [OBSERVATION, "", "{\"resourceType\":", PATIENT, DOCTOR, ""].join("\r\n");
    let hint = Hint::default();
    let mut whole = Vec::new();
    let known = survey(&mut lines.as_bytes(), &hint).unwrap();
    each(lines.as_bytes(), 1, &hint, &known, &mut |outcome| whole.push(outcome));
    assert_eq!(whole, take_in(lines.as_bytes(), &hint));
    for piece_bytes in [1, 80, 200, 1 << 20] {
        let mut source = BufReader::with_capacity(7, lines.as_bytes());
        let mut pieces = Pieces { piece_bytes, ..Pieces::new(&mut source) };
        let (mut outcomes, mut joined) = (Vec::new(), Vec::new());
        while let Some(piece) = pieces.next_piece().unwrap() {
            joined.extend_from_slice(&piece.bytes);
            outcomes.extend(piece.take_in(&known, &hint));
        }
        assert_eq!(joined, lines.as_bytes());
        assert_eq!(outcomes.len(), whole.len());
        for (one, other) in outcomes.iter().zip(&whole) {
            match (one, other) {
                // Where a rejected line stands is told within its piece.
                (Outcome::Rejected(one), Outcome::Rejected(other)) => {
                    assert_eq!(one.issues, other.issues);
                }
                _ => assert_eq!(one, other),
            }
        }
    }
}

#[test]
fn a_line_that_is_too_long_spoils_no_other() {
    let at_limit = format!("{}\n", "a".repeat(40));
    for long in ["b".repeat(41), "b".repeat(500)] {
        let text = format!("x\n{long}\n{at_limit}{long}\n{long}\ny");
        let mut source = BufReader::with_capacity(16, text.as_bytes());
        let mut pieces = Pieces { line_bytes: 40, ..Pieces::new(&mut source) };
        let mut found = Vec::new();
        while let Some(piece) = pieces.next_piece().unwrap() {
            if piece.too_long {
                let outcomes = piece.take_in(&Known::default(), &Hint::default());
                let [Outcome::Rejected(rejected)] = outcomes.as_slice() else { panic!("one") };
                let at = rejected.issues.first().unwrap().at.as_ref().unwrap();
                assert_eq!(at.line, piece.first_line);
            }
            let text = String::from_utf8(piece.bytes).unwrap();
            found.push((piece.first_line, piece.too_long, text));
        }
        let line = |number, text: &str| (number, false, text.to_owned());
        let skipped = |number| (number, true, String::new());
        let wanted =
            [line(1, "x\n"), skipped(2), line(3, &at_limit), skipped(4), skipped(5), line(6, "y")];
        assert_eq!(found, wanted);
    }
}

#[test]
fn lines_are_told_from_one_document() {
    let two = format!("\n{PATIENT}\n{DOCTOR}");
    let pretty = PATIENT.replace(',', ",\n");
    let cases = [(&*two, true), (PATIENT, false), (&pretty, false), ("", false), ("MSH|", false)];
    for (text, lines) in cases {
        assert_eq!(begin(&mut text.as_bytes()).unwrap(), lines, "{text}");
    }
}
