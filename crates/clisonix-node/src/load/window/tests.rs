//! Lines about two records in turn, and what comes of a line about neither or about both.

use clisonix_ingest::fhir::lines::survey;

use super::*;

fn patient(number: usize) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{number}","identifier":[{{"system":"urn:test:mrn","value":"N-{number}"}}]}}"#
    )
}

fn observation(number: usize, patient: usize) -> String {
    format!(
        r#"{{"resourceType":"Observation","id":"o{number}","status":"final","code":{{"text":"{number}"}},"subject":{{"reference":"Patient/{patient}"}}}}"#
    )
}

/// The lines as a window gives them out, and how many of them were rejected.
fn through(lines: &[String]) -> (Vec<String>, usize) {
    let (text, hint) = (lines.join("\n"), Hint::default());
    let known = survey(&mut text.as_bytes(), &hint).unwrap();
    let mut window = Window::default();
    let piece = Piece { bytes: text.into_bytes(), first_line: 1, too_long: false };
    assert!(window.put(piece, &known, &hint).is_none());
    let (mut given, mut rejected) = (Vec::new(), 0);
    let mut each = |group: Group| {
        given.extend(String::from_utf8(group.bytes).unwrap().lines().map(str::to_owned));
        rejected += group.outcomes.iter().filter(|outcome| outcome.taken().is_none()).count();
        true
    };
    assert!(window.drain(&known, &hint, &mut each));
    (given, rejected)
}

#[test]
fn lines_of_one_record_come_together_and_in_their_order() {
    let mut lines = vec![patient(0), patient(1), "{\"resourceType\":".to_owned()];
    lines.extend((0..6).map(|number| observation(number, number % 2)));
    let at = |places: [usize; 9]| places.map(|place| lines[place].clone()).to_vec();
    assert_eq!(through(&lines), (at([2, 0, 3, 5, 7, 1, 4, 6, 8]), 1));
}

#[test]
fn a_line_about_several_records_keeps_all_in_their_place() {
    let bundle = format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{}}},{{"resource":{}}}]}}"#,
        patient(0),
        patient(1)
    );
    let lines = [patient(0), patient(1), observation(1, 0), bundle, observation(2, 1)];
    assert_eq!(through(&lines), (lines.to_vec(), 0));
}
