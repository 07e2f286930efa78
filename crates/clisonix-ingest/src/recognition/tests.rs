//! Recognition of good, broken and hostile inputs.

use std::io::{Read as _, Write};

use super::{Format, recognise, unpack, unpack_stream, unreadable};
use crate::{Hint, Outcome, take_in};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn formats_are_told_from_content() {
    let cases: [(&[u8], Option<Format>); 18] = [
        (b"MSH|^~\\&|A\r", Some(Format::Hl7v2)),
        (b"\n MSH#x", Some(Format::Hl7v2)),
        (b"\x0BMSH|^~\\&|A\r\x1C\r", Some(Format::Hl7v2)),
        (b"FHS|^~\\&\rBHS|", Some(Format::Hl7v2)),
        (b"\xEF\xBB\xBFBHS|^~\\&", Some(Format::Hl7v2)),
        (b"MSHA", None),
        (b"<?xml version='1.0'?><!-- c --><ClinicalDocument/>", Some(Format::Ccda)),
        (b"<!DOCTYPE x><cda:ClinicalDocument xmlns:cda='urn:hl7-org:v3'>", Some(Format::Ccda)),
        (b"<html><ClinicalDocument/></html>", None),
        (b"<ClinicalDocument", None),
        (b"<", None),
        (b"{ \"resourceType\": \"Patient\"\n}", Some(Format::FhirJson)),
        (
            b"{\"resourceType\":\"Patient\"}\n{\"resourceType\":\"Patient\"}",
            Some(Format::FhirNdjson),
        ),
        (b"{\"resourceType\":\"Patient\"}\n\n", Some(Format::FhirJson)),
        (b"{\"a\": 1}", None),
        (b"{", None),
        (b"", None),
        (b"name;birth\n", None),
    ];
    for (bytes, format) in cases {
        assert_eq!(recognise(bytes), format, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn every_input_gets_an_outcome() {
    let utf16: Vec<u8> = "<ClinicalDocument/>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let packed = gzip(b"MSH|^~\\&|A");
    let inputs: [&[u8]; 8] = [
        b"",
        b" \r\n",
        &utf16,
        b"\xFF\xFEM\0",
        packed.get(..packed.len() - 9).unwrap(),
        b"PK\x03\x04zip",
        b"{\"resourceType\":\"Patient\",",
        b"\0\0\0\0",
    ];
    for bytes in inputs {
        let outcomes = take_in(bytes, &Hint::default());
        assert!(matches!(outcomes.as_slice(), [Outcome::Rejected(r)] if !r.issues.is_empty()));
    }
}

#[test]
fn packed_input_is_read_within_limits() {
    let text = b"{\"resourceType\":\"Patient\",\"id\":\"1\"}";
    assert_eq!(unpack(&gzip(text)).unwrap().as_ref(), text);
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).unwrap();
    assert_eq!(unpack(&encoder.finish().unwrap()).unwrap().as_ref(), text);
    let bomb = gzip(&vec![b' '; 32 << 20]);
    assert!(bomb.len() < 64 << 10);
    assert!(unpack(&bomb).is_err());
    assert!(unreadable(b"MSH|").is_none());
}

#[test]
fn a_stream_is_unpacked_as_the_whole_is() {
    let text: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(&text).unwrap();
    let read = |packed: &[u8]| {
        let mut content = Vec::new();
        unpack_stream(packed).unwrap().read_to_end(&mut content).map(|_| content)
    };
    for packed in [text.clone(), gzip(&text), encoder.finish().unwrap()] {
        assert!(read(&packed).is_ok_and(|content| content == text));
    }
    let whole = gzip(&text);
    assert!(read(whole.get(..whole.len() / 2).unwrap()).is_err(), "cut short");
    assert!(read(&gzip(&vec![0; 64 << 20])).is_err(), "a bomb");
}
