//! age files: round trips, faults and limits.

use std::io::{BufReader, Read, Write};

use super::*;
use crate::{Profile, PublicRecipient, Random, RecipientKey, digest};

/// Bytes that are the same in every run.
pub(crate) fn seeded(seed: u64) -> impl Random {
    let mut block = 0u64;
    move |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(32) {
            block += 1;
            let digest = digest::sha256(&[seed.to_be_bytes(), block.to_be_bytes()].concat());
            chunk.copy_from_slice(&digest[..chunk.len()]);
        }
    }
}

fn key(seed: u64) -> RecipientKey {
    RecipientKey::generate(Profile::Hybrid, &mut seeded(seed)).unwrap()
}

fn text(size: usize) -> Vec<u8> {
    (0..size).map(|place| (place % 251) as u8).collect()
}

fn sealed(text: &[u8], recipients: &[&PublicRecipient]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), recipients, &mut seeded(7)).unwrap();
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn opened(file: &[u8], key: &RecipientKey) -> Result<Vec<u8>, AgeError> {
    let mut reader = Reader::new(file, key)?;
    let mut text = Vec::new();
    while let Some(chunk) = reader.chunk()? {
        text.extend_from_slice(chunk);
    }
    Ok(text)
}

#[test]
fn every_recipient_opens_what_was_written_at_sizes_around_the_chunk() {
    let keys = [key(1), key(2), key(3)];
    let recipients: Vec<_> = keys.iter().map(RecipientKey::public).collect();
    for size in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let text = text(size);
        let file = sealed(&text, &recipients);
        assert_eq!(file.len() as u64, file_bytes(recipients.len(), size as u64).unwrap());
        for key in &keys {
            assert_eq!(opened(&file, key).unwrap(), text);
        }
        let mut read = Vec::new();
        Reader::new(&*file, &keys[1]).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, text);
    }
}

#[test]
fn armour_goes_around_and_comes_off() {
    let key = key(1);
    for size in [0, 1, 47, 48, 49, 70_000] {
        let file = sealed(&text(size), &[key.public()]);
        let mut writer = armor::Writer::new(Vec::new()).unwrap();
        writer.write_all(&file).unwrap();
        let armored = writer.finish().unwrap();
        let reader = BufReader::new(armor::Reader::new(&*armored));
        let mut read = Vec::new();
        Reader::new(reader, &key).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, text(size));
    }
}

#[test]
fn a_wrong_key_and_a_damaged_stanza_are_one_error() {
    let (key, other) = (key(1), key(2));
    let mut file = sealed(b"text", &[key.public()]);
    assert!(matches!(opened(&file, &other), Err(AgeError::NoMatch)));
    file[60] = if file[60] == b'A' { b'B' } else { b'A' };
    assert!(matches!(opened(&file, &key), Err(AgeError::NoMatch)));
}

#[test]
fn every_cut_is_seen_and_nothing_behind_it_comes_out() {
    let key = key(1);
    let file = sealed(&text(65_536 + 20), &[key.public()]);
    let places = (0..1_700)
        .step_by(7)
        .chain(file.len() - 65_570..file.len() - 65_550)
        .chain(file.len() - 60..file.len());
    for place in places {
        assert!(opened(&file[..place], &key).is_err(), "cut at {place}");
    }
}

#[test]
fn a_changed_bit_of_any_byte_is_seen() {
    let key = key(1);
    let file = sealed(b"a short text", &[key.public()]);
    for place in 0..file.len() {
        let mut changed = file.clone();
        changed[place] ^= 1 << (place % 8);
        assert!(opened(&changed, &key).is_err(), "byte {place}");
    }
}

#[test]
fn swapped_chunks_are_seen() {
    let key = key(1);
    let mut file = sealed(&text(3 * 65_536), &[key.public()]);
    let start = file.len() - 3 * 65_552;
    let (first, second) = file[start..].split_at_mut(65_552);
    first.swap_with_slice(&mut second[..65_552]);
    assert!(matches!(opened(&file, &key), Err(AgeError::Payload { chunk: 0 })));
}

/// A file whose header has these stanzas, with a right MAC.
fn with_stanzas(stanzas: &[Stanza], file_key: &FileKey) -> Vec<u8> {
    let mut file = header::write(stanzas, file_key).unwrap();
    file.extend([0; NONCE_BYTES]);
    let mut stream = stream::Stream::new(file_key, &[0; NONCE_BYTES]).unwrap();
    file.extend(stream.seal(&mut [], true));
    file
}

#[test]
fn classical_recipients_are_refused_and_grease_is_not() {
    let key = key(1);
    let file_key = FileKey::generate(&mut seeded(3));
    let ours = stanza::wrap(&file_key, key.public(), &mut seeded(4)).unwrap();
    let other = |kind: &str| Stanza {
        kind: kind.to_owned(),
        arguments: vec!["argument".to_owned()],
        body: vec![7; 48],
    };
    let classical = other("X25519");
    let both = with_stanzas(&[ours.clone(), classical.clone()], &file_key);
    assert!(matches!(opened(&both, &key), Err(AgeError::Mixed)));
    let alone = with_stanzas(&[classical], &file_key);
    assert!(matches!(opened(&alone, &key), Err(AgeError::NotPostQuantum)));
    let unknown = with_stanzas(&[ours.clone(), other("example.com/enigma")], &file_key);
    assert!(matches!(opened(&unknown, &key), Err(AgeError::Mixed)));
    let grease = with_stanzas(&[other("x-grease"), ours], &file_key);
    assert_eq!(opened(&grease, &key).unwrap(), b"");
}

#[test]
fn a_header_has_limits() {
    let fault = |text: &str| match Header::read(&mut text.as_bytes()) {
        Err(AgeError::Header { line, fault }) => (line, fault),
        other => panic!("{other:?}"),
    };
    let start = "age-encryption.org/v1\n";
    let stanzas = "-> a\n\n".repeat(MAX_STANZAS + 1);
    assert_eq!(
        fault(&format!("{start}{stanzas}")),
        (2 * MAX_STANZAS as u32 + 2, HeaderFault::TooLarge)
    );
    let line = "a".repeat(MAX_LINE_BYTES as usize);
    assert_eq!(fault(&format!("{start}-> {line}\n")), (2, HeaderFault::TooLarge));
    let body = format!("{}\n", "A".repeat(64)).repeat(MAX_BODY_BYTES / 48 + 1);
    assert_eq!(fault(&format!("{start}-> a\n{body}")).1, HeaderFault::TooLarge);
    let argument = "a".repeat(MAX_LINE_BYTES as usize - 10);
    let wide = format!("-> {argument}\n\n").repeat(40);
    assert_eq!(fault(&format!("{start}{wide}")).1, HeaderFault::TooLarge);
    assert_eq!(fault(""), (1, HeaderFault::NotAge));
    assert_eq!(fault("age-"), (1, HeaderFault::Truncated));
    assert_eq!(fault("age-encryption.org/v2\n"), (1, HeaderFault::Version));
    assert_eq!(fault(&format!("{start}-> a")), (2, HeaderFault::Truncated));
    assert_eq!(fault(&format!("{start}---")), (2, HeaderFault::Truncated));
}

#[test]
fn no_recipient_too_many_and_the_other_profile_are_refused() {
    let key = key(1);
    let new = |recipients: &[&PublicRecipient]| {
        Writer::new(Vec::new(), recipients, &mut seeded(1)).map(|_| ())
    };
    assert!(matches!(new(&[]), Err(AgeError::Recipients(0))));
    let many = vec![key.public(); MAX_STANZAS + 1];
    assert!(matches!(new(&many), Err(AgeError::Recipients(_))));
    let other = RecipientKey::generate(Profile::Cnsa2, &mut seeded(1)).unwrap();
    assert!(matches!(new(&[other.public()]), Err(AgeError::Profile(Profile::Cnsa2))));
}

#[test]
fn keys_as_text_come_back() {
    let key = key(1);
    let secret = identity_text(&key).unwrap();
    assert!(secret.starts_with("AGE-SECRET-KEY-PQ-1"));
    let again = identity_from_text(&secret).unwrap();
    let public = recipient_text(again.public()).unwrap();
    assert!(public.starts_with("age1pq1"));
    assert_eq!(&recipient_from_text(&public).unwrap(), key.public());
}
