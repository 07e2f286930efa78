//! Where the string stands, and what plain clients add.

use proptest::prelude::*;

use crate::ActorId;
use crate::address::{Path, Step};
use crate::text::{Text, TextEdits};

use super::additions::additions;
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
    fn additions_lead_from_the_one_text_to_the_other(
        old in "[ab1. é\n]{0,24}",
        new in "[ab1. é\n]{0,24}",
    ) {
        if let Some(edits) = additions(&old, &new) {
            prop_assert_eq!(edited(&old, &edits), new);
        }
    }

    #[test]
    fn sentences_among_others_are_additions(
        sentences in prop::collection::vec(("[a-d]{1,4}", any::<bool>()), 1..12),
    ) {
        let text = |all: bool| {
            let kept = sentences.iter().filter(|(_, old)| all || *old);
            kept.map(|(words, _)| format!("{words}.")).collect::<Vec<_>>().join(" ")
        };
        let edits = additions(&text(false), &text(true));
        prop_assert_eq!(edited(&text(false), &edits.expect("nothing was taken away")), text(true));
    }
}

#[test]
fn changed_words_are_another_text() {
    for (old, new) in [
        ("give 2.5 mg at noon", "give 25 mg at noon"),
        ("give 5 mg", "give 5 mg daily"),
        ("no pain", "no back pain"),
        ("Slept well. Ate.", "Slept well."),
        ("Slept well. Ate.", "Ate. Slept well."),
        ("5 mg", "Fell out of bed"),
    ] {
        assert!(additions(old, new).is_none(), "{old} | {new}");
    }
    for (old, new) in [
        ("", "anything"),
        ("Give 2.5 mg.", "Give 2.5 mg. Then rest."),
        ("Slept well", "Slept well\nAte"),
        ("Slept well.", "Calm. Slept well."),
        ("A. C.", "A. B. C. D."),
    ] {
        let edits = additions(old, new).unwrap_or_else(|| panic!("{old} | {new}"));
        assert_eq!(edited(old, &edits), new);
    }
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
