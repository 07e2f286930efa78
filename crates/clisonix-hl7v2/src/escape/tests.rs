//! What each escape sequence gives.

use super::*;

fn text(raw: &str) -> (String, u32) {
    let text = decode(raw.as_bytes(), &Delimiters::default(), Charset::Utf8).unwrap();
    (text.value.into_owned(), text.unknown_escapes)
}

#[test]
fn sequences_of_the_standard() {
    for (raw, value) in [
        (r"a\F\b\S\c\T\d\R\e\E\f\P\g", r"a|b^c&d~e\f#g"),
        (r"one\.br\two\.sp2\three\.sk3\.", "one\ntwo\n\nthree   ."),
        (r"\H\bold\N\ \.in+4\\.ti-2\x\.fi\\.nf\\.ce\y", "bold x\ny"),
        (r"\X41\\X0D0A\B", "A\r\nB"),
        (r"\XC3A9\", "é"),
        (r"\M2442\8l3&\C2842\ok", "原拡ok"),
    ] {
        let (decoded, unknown) = text(raw);
        if raw.starts_with(r"\M") {
            assert!(decoded.ends_with("ok") && unknown == 0, "{decoded}");
        } else {
            assert_eq!((decoded.as_str(), unknown), (value, 0), "{raw}");
        }
    }
}

#[test]
fn unknown_sequences_stay_as_they_came() {
    for raw in [r"\Z12\", r"\Q\", r"\X4\", r"C:\dir\file", r"open \", r"\XFF\", r"\\", r"\.sp x\"] {
        let (decoded, unknown) = text(raw);
        assert_eq!(decoded, raw);
        assert!(unknown > 0, "{raw}");
    }
}

#[test]
fn a_stray_sign_does_not_hide_the_next_sequence() {
    assert_eq!(text(r"50% \ 60 \T\ x").0, r"50% \ 60 & x");
}

#[test]
fn spacing_is_capped() {
    let raw = br"\.sp99999999999999999999\";
    let text = decode(raw, &Delimiters::default(), Charset::Utf8).unwrap();
    assert!(text.capped);
    assert_eq!(text.value.len(), MAX_SPACING);
}

#[test]
fn doubled_signs_are_read_doubled() {
    let delimiters = Delimiters { escape_doubled: true, ..Delimiters::default() };
    let text = decode(br"a\\T\\b", &delimiters, Charset::Utf8).unwrap();
    assert_eq!(text.value, "a&b");
}

#[test]
fn latin_letters_by_hexadecimal_follow_the_character_set() {
    let latin = Charset::Superset(encoding_rs::WINDOWS_1252);
    let text = decode(br"M\XFC\ller", &Delimiters::default(), latin).unwrap();
    assert_eq!(text.value, "Müller");
}
