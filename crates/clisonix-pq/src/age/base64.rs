//! Base64 of RFC 4648 section 4, canonical only: each byte string has exactly one text.

use base64ct::{Base64, Base64Unpadded, Encoding};

/// Appends the text of `bytes`, without padding.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(Base64Unpadded::encode_string(bytes).as_bytes());
}

/// Appends the text of `bytes`, padded to groups of four letters.
pub(crate) fn encode_padded(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(Base64::encode_string(bytes).as_bytes());
}

/// The bytes of a text without padding; `None` for every other text.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    Base64Unpadded::decode_vec(std::str::from_utf8(text).ok()?).ok()
}

/// The bytes of a text with padding; `None` for every other text.
pub(crate) fn decode_padded(text: &[u8]) -> Option<Vec<u8>> {
    Base64::decode_vec(std::str::from_utf8(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4648() {
        let examples = [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in examples {
            let mut written = Vec::new();
            encode(bytes.as_bytes(), &mut written);
            assert_eq!(written, text.as_bytes());
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
    }

    #[test]
    fn a_second_text_for_the_same_bytes_is_refused() {
        for text in ["Zg==", "Zh", "Zm9=", "Zm9", "Z", "Zg\n", " Zg", "Z-8", "Zm9vY"] {
            assert_eq!(decode(text.as_bytes()), None, "{text:?}");
        }
        for text in ["Zg", "Zh==", "Zg=", "Zm8", "Zm9=", "Zm9v====", "Zm9vZg=", "=", "===="] {
            assert_eq!(decode_padded(text.as_bytes()), None, "{text:?}");
        }
    }
}
