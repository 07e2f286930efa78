//! A stream comes back as it was, or ends with an error and none of a chunk that was touched.

use std::io::{Read as _, Write as _};

use super::{CHUNK_BYTES, Reader, SealingError, Writer};
use crate::at_rest::tests::{key, random};

fn seal(content: &[u8]) -> Vec<u8> {
    let mut writer = Writer::start(Vec::new(), &key(1), [5; 16], &mut random(2)).unwrap();
    for piece in content.chunks(10_007) {
        writer.write_all(piece).unwrap();
    }
    writer.finish().unwrap()
}

/// What comes out, and whether it ended well.
fn open(sealed: &[u8], seed: u64) -> Result<(Vec<u8>, bool), SealingError> {
    let key = key(seed);
    let mut reader = Reader::start(sealed, |_| Some(&key))?;
    let mut out = Vec::new();
    let ended = reader.read_to_end(&mut out).is_ok();
    Ok((out, ended))
}

#[test]
fn streams_of_every_length_come_back() {
    for length in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES] {
        let content: Vec<u8> = (0..length).map(|byte| (byte % 253) as u8).collect();
        let sealed = seal(&content);
        assert_eq!(open(&sealed, 1).unwrap(), (content, true));
        assert!(matches!(open(&sealed, 2), Err(SealingError::Key)));
        let longer = [&sealed[..], b"x"].concat();
        assert!(!open(&longer, 1).unwrap().1);
        if length > 0 {
            assert!(!open(&sealed[..sealed.len() - 1], 1).unwrap().1);
        }
    }
}

#[test]
fn a_cut_at_a_chunk_and_a_swap_of_chunks_are_seen() {
    let content: Vec<u8> = (0..4 * CHUNK_BYTES).map(|byte| (byte / 251) as u8).collect();
    let sealed = seal(&content);
    let (step, start) = (CHUNK_BYTES + 16, sealed.len() - 4 * (CHUNK_BYTES + 16));
    for chunks in 0..4 {
        let (out, ended) = open(&sealed[..start + chunks * step], 1).unwrap();
        assert!(!ended);
        assert!(content.starts_with(&out));
    }
    let mut swapped = sealed.clone();
    let (left, right) = swapped[start..].split_at_mut(step);
    left.swap_with_slice(&mut right[..step]);
    assert_eq!(open(&swapped, 1).unwrap(), (Vec::new(), false));
    for bit in (0..sealed.len() * 8).step_by(40_009).chain(0..60 * 8) {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok((out, ended)) = open(&flipped, 1) {
            assert!(!ended, "bit {bit}");
            assert!(content.starts_with(&out));
        }
    }
}
