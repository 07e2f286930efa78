//! Where the string stands, and differences word by word.

use proptest::prelude::*;

use crate::ActorId;
use crate::address::{Path, Step};
use crate::text::{Text, TextEdits};

use super::words::difference;
use super::{Passage, place};

fn edited(old: &str, edits: &TextEdits) -> String {
    let agent = ActorId([1; 16]);
    let mut text = Text::new();
    text.insert(agent, 0, old).unwrap();
    let seen = text.version();
    text.apply(agent, seen.heads(), edits).unwrap();
    assert_eq!(edits.length_after(old.chars().count()), Some(text.len()));
    text.to_string()
}

proptest! {
    #[test]
    fn a_difference_leads_from_the_one_text_to_the_other(
        old in "[ab1. é]{0,24}",
        new in "[ab1. é]{0,24}",
    ) {
        if let Some(edits) = difference(&old, &new) {
            prop_assert_eq!(edited(&old, &edits), new);
        }
    }

    #[test]
    fn little_changes_are_always_edits(
        old in "[abcd .]{8,80}",
        at in any::<prop::sample::Index>(),
        inserted in "[xyz ]{0,40}",
    ) {
        // A new word at a place between two words.
        let at = at.index(old.len());
        let at = old[at..].find(' ').map_or(old.len(), |more| at + more);
        let new = format!("{} {inserted}{}", &old[..at], &old[at..]);
        let edits = difference(&old, &new).expect("little was taken away");
        prop_assert_eq!(edited(&old, &edits), new);
    }
}

#[test]
fn numbers_are_replaced_whole_and_other_texts_are_no_edits() {
    let edits = difference("give 2.5 mg at noon", "give 25 mg at noon").unwrap();
    assert_eq!(edits.len(), "2.5".len() + "25".len());
    assert!(difference("5 mg", "Fell out of bed").is_none());
    assert!(difference("", "anything").is_some());
    let long: String = (0..2000).map(|n: u32| n.to_string() + " ").collect();
    let other: String = (0..2000).map(|n: u32| (n * 7 + 1).to_string() + " ").collect();
    assert!(difference(&long, &other).is_none());
    assert_eq!(edited(&long, &difference(&long, &format!("{long}.")).unwrap()), format!("{long}."));
}

#[test]
fn the_string_is_found_in_its_cell() {
    let ty = clisonix_fhir::schema::resource_named("Observation").unwrap();
    let note = clisonix_fhir::schema::Scope::Type(ty).member("note").unwrap().element;
    let mut path = Path::default();
    path.push(Step::Element(note));
    path.push(Step::Key(crate::ElementKey { hash: [0; 8], occurrence: 0 }));
    let way = place(path.address(Step::Content).as_bytes()).unwrap();
    assert_eq!(place(path.address(Step::Presence).as_bytes()), None);
    let cell = r#"{"authorString":"text","text":"a \"b\"\n","time":"2024"}"#;
    let passage = Passage::of(cell, way).unwrap();
    assert_eq!(passage.text(), "a \"b\"\n");
    assert_eq!([passage.before, passage.inside, passage.after].concat(), cell);
    for no_text in [r#"{"authorString":"x"}"#, r#"{"text":{}}"#, r#"{"text":7}"#, "", "[]"] {
        assert_eq!(Passage::of(no_text, way), None);
    }
}
