//! Codes: as they are read, and every way in which they are mistyped.

use proptest::prelude::*;

use super::*;
use crate::age::tests::seeded;

fn inviter(seed: u8) -> Fingerprint {
    Fingerprint::from_bytes([seed; 32])
}

fn code() -> Code {
    Code::generate(inviter(7), &mut seeded(3))
}

/// The text of a read code, because a code itself has no `Debug`.
fn read(text: &str) -> Result<String, CodeError> {
    Code::from_text(text).map(|code| code.to_text())
}

#[test]
fn the_codes_of_the_page_are_these() {
    // docs/formats/pairing.md
    let code = Code::of(Secret::take(&mut [0, 1, 2, 3, 4]), inviter(0));
    assert_eq!(code.to_text(), VECTOR);
    let code = Code::of(Secret::take(&mut [0xff; 5]), inviter(0xff));
    assert_eq!(code.to_text(), OTHER_VECTOR);
}

const VECTOR: &str = "000G5-40R4C-FHVWB-9205X-02QSN-ZQJWN";
const OTHER_VECTOR: &str = "ZZZZD-ZZZZC-B9117-NZ1R6-7WVVG-Y0SJS";

#[test]
fn a_code_is_read_as_it_is_written_and_as_people_write_it() {
    let code = code();
    let text = code.to_text();
    assert_eq!(text.len(), CODE_LETTERS + GROUPS - 1);
    let again = Code::from_text(&text).unwrap();
    assert_eq!((again.secret.expose(), again.name), (code.secret.expose(), code.name));
    for other in [
        text.to_lowercase(),
        text.replace('-', ""),
        text.replace('-', " - "),
        text.replace('0', "O").replace('1', "l"),
        text.replace('1', "i"),
        format!("  {text}\n"),
    ] {
        assert_eq!(read(&other).as_ref(), Ok(&text), "{other}");
    }
}

#[test]
fn a_code_names_its_inviter_and_nobody_else() {
    let (one, two) = (code(), Code::generate(inviter(7), &mut seeded(4)));
    assert!(one.names(inviter(7)) && !one.names(inviter(8)));
    // The name tells nothing that could be looked for beforehand.
    assert_ne!(one.name, two.name);
    // Of another secret it is another name.
    let mixed = Code { secret: Secret::take(&mut [9; 5]), name: one.name };
    assert!(!mixed.names(inviter(7)));
}

#[test]
fn every_wrong_letter_is_told_with_its_group() {
    let text = code().to_text();
    for (at, right) in text.char_indices().filter(|(_, letter)| *letter != '-') {
        for wrong in ALPHABET.iter().map(|letter| char::from(*letter)) {
            let mut typed = text.clone();
            typed.replace_range(at..=at, &wrong.to_string());
            let expected = if wrong == right {
                Ok(text.clone())
            } else {
                Err(CodeError::Group(at / (GROUP_LETTERS + 1) + 1))
            };
            assert_eq!(read(&typed), expected, "{typed}");
        }
    }
}

#[test]
fn what_changed_places_is_told() {
    for seed in 0..50 {
        let text = Code::generate(inviter(7), &mut seeded(seed)).to_text();
        let groups: Vec<&str> = text.split('-').collect();
        for (number, group) in groups.iter().enumerate() {
            for (one, two) in [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4), (1, 3)] {
                let mut letters: Vec<char> = group.chars().collect();
                letters.swap(one, two);
                let swapped: String = letters.into_iter().collect();
                let mut typed = groups.clone();
                typed[number] = &swapped;
                let is_same = swapped == *group;
                let expected =
                    if is_same { Ok(text.clone()) } else { Err(CodeError::Group(number + 1)) };
                assert_eq!(read(&typed.join("-")), expected);
            }
            let mut typed = groups.clone();
            typed.swap(number, (number + 1) % GROUPS);
            assert!(matches!(read(&typed.join("-")), Err(CodeError::Group(_))), "{typed:?}");
        }
    }
}

#[test]
fn what_is_no_code_is_told() {
    let text = code().to_text();
    assert_eq!(read(""), Err(CodeError::Length(0)));
    assert_eq!(read(&text[1..]), Err(CodeError::Length(CODE_LETTERS - 1)));
    assert_eq!(read(&format!("{text}0")), Err(CodeError::Length(CODE_LETTERS + 1)));
    for letter in ["U", "ü", "!", "0\u{301}"] {
        let mut typed = text.clone();
        typed.replace_range(7..7 + letter.chars().count(), letter);
        assert_eq!(read(&typed), Err(CodeError::Letter(2)), "{typed}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_code_or_an_error(text in "\\PC{0,60}", letters in "[0-9A-Z]{30}") {
        let _ = (read(&text), read(&letters));
    }

    #[test]
    fn any_code_is_read_back(secret: [u8; 5], name: [u8; 10]) {
        let code = Code { secret: Secret::take(&mut { secret }), name };
        let again = Code::from_text(&code.to_text()).unwrap();
        prop_assert_eq!((*again.secret.expose(), again.name), (secret, name));
    }
}
