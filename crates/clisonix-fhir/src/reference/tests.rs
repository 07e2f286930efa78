//! Every reference is found with its path, and rewriting changes nothing else.

use super::{references, rewrite_references};
use crate::json::{Value, parse};

const DOCUMENT: &str = r##"{"resourceType":"Composition","id":"c","subject":{"reference":"Patient/1","display":"reference"},
 "author":[{"reference":"Practitioner/2"},{"identifier":{"value":"x"}},{"reference":"#3"}],
 "contained":[{"resourceType":"Device","id":"3","patient":{"reference":"Patient/1"}}],
 "section":[{"entry":[{"reference":"urn:uuid:4"}],"section":[{"entry":[{"reference":"Observation/5"}]}]}],
 "extension":[{"url":"u","valueReference":{"reference":"Location/6"}}],
 "title":"reference","_title":{"extension":[{"url":"u","valueString":"Patient/1"}]}}"##;

fn found(value: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    references(value, |path, text| found.push((path.to_owned(), text.to_owned())));
    found
}

#[test]
fn each_reference_is_visited_once_in_order_with_its_path() {
    let wanted = [
        ("Composition.subject.reference", "Patient/1"),
        ("Composition.author[0].reference", "Practitioner/2"),
        ("Composition.author[2].reference", "#3"),
        ("Composition.contained[0].patient.reference", "Patient/1"),
        ("Composition.section[0].entry[0].reference", "urn:uuid:4"),
        ("Composition.section[0].section[0].entry[0].reference", "Observation/5"),
        ("Composition.extension[0].valueReference.reference", "Location/6"),
    ];
    let found = found(&parse(DOCUMENT.as_bytes()).unwrap());
    let found: Vec<_> = found.iter().map(|(path, text)| (&**path, &**text)).collect();
    assert_eq!(found, wanted);
}

#[test]
fn what_is_no_text_is_no_reference() {
    for text in ["null", "[]", "1", r#"{"reference":1}"#, r#"{"reference":{"display":"x"}}"#] {
        assert_eq!(found(&parse(text.as_bytes()).unwrap()), [], "{text}");
    }
    // Without a type the path begins with the member.
    let bare = found(&parse(br#"{"subject":{"reference":"Patient/1"}}"#).unwrap());
    assert_eq!(bare, [(".subject.reference".to_owned(), "Patient/1".to_owned())]);
}

#[test]
fn rewriting_visits_the_same_texts_and_changes_only_what_it_is_told_to() {
    let before = parse(DOCUMENT.as_bytes()).unwrap();
    let mut after = before.clone();
    let mut visited = Vec::new();
    rewrite_references(&mut after, |text| {
        visited.push(text.to_owned());
        None
    });
    assert_eq!(after, before);
    let texts: Vec<_> = found(&before).into_iter().map(|(_, text)| text).collect();
    assert_eq!(visited, texts);

    rewrite_references(&mut after, |text| (text == "Patient/1").then(|| "Patient/9".to_owned()));
    let wanted = DOCUMENT.replace(r#""reference":"Patient/1""#, r#""reference":"Patient/9""#);
    assert_eq!(after, parse(wanted.as_bytes()).unwrap());
}
