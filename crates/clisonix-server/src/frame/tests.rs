//! Frames: in whatever pieces they come.

use super::*;

fn all(bytes: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut frames = Frames::default();
    let mut messages = Vec::new();
    for mut input in bytes.chunks(piece) {
        while let Some(message) = frames.take(&mut input)? {
            messages.push(message);
        }
        assert!(input.is_empty());
    }
    Ok(messages)
}

#[test]
fn messages_come_out_as_they_went_in_whatever_the_pieces() {
    let sent: Vec<Vec<u8>> = vec![vec![], vec![7], vec![1; 300], vec![], vec![2; 70_000], vec![3]];
    let bytes: Vec<u8> = sent.iter().flat_map(|message| framed(message)).collect();
    for piece in [1, 2, 3, 4, 5, 7, 1000, bytes.len()] {
        assert_eq!(all(&bytes, piece).unwrap(), sent, "pieces of {piece}");
    }
}

#[test]
fn a_message_that_is_too_long_is_refused_at_its_length() {
    let length = u32::try_from(MAX_MESSAGE_BYTES + 1).unwrap();
    assert_eq!(all(&length.to_be_bytes(), 4), Err(FrameError(u64::from(length))));
    assert_eq!(all(&[255; 4], 1), Err(FrameError(u64::from(u32::MAX))));
    let mut frames = Frames::default();
    let most = u32::try_from(MAX_MESSAGE_BYTES).unwrap().to_be_bytes();
    assert_eq!(frames.take(&mut &most[..]), Ok(None));
    assert!(frames.is_within());
    assert!(frames.held.capacity() < 1000);
}
