//! Texts in base64 and hex (RFC 4648), and with the escapes of HTML and JSON.

use std::fmt::Write;

use crate::json::{self, Value};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text in `base64`, `urlbase64` or `hex`; `None` for any other format.
pub(super) fn encode(text: &str, format: &str) -> Option<String> {
    match format {
        "hex" => Some(text.bytes().fold(String::new(), |mut out, byte| {
            // Writing to a String cannot fail.
            let _ = write!(out, "{byte:02x}");
            out
        })),
        "base64" => Some(base64(text.as_bytes())),
        "urlbase64" => Some(base64(text.as_bytes()).replace('+', "-").replace('/', "_")),
        _ => None,
    }
}

/// What was encoded; `None` if it is no text in that format.
pub(super) fn decode(text: &str, format: &str) -> Option<String> {
    let bytes = match format {
        "hex" => text
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect::<Option<Vec<u8>>>()
            .filter(|_| text.len().is_multiple_of(2))?,
        "base64" => from_base64(text)?,
        "urlbase64" => from_base64(&text.replace('-', "+").replace('_', "/"))?,
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}

/// The text with the escapes of `html` or `json`; `None` for any other format.
pub(super) fn escape(text: &str, format: &str) -> Option<String> {
    match format {
        "html" => Some(
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;")
                .replace('\'', "&#39;"),
        ),
        "json" => {
            let quoted = Value::from(text).to_text();
            Some(quoted.strip_prefix('"')?.strip_suffix('"')?.to_owned())
        }
        _ => None,
    }
}

/// The text without those escapes; `None` if it is not well-formed.
pub(super) fn unescape(text: &str, format: &str) -> Option<String> {
    match format {
        "html" => Some(
            text.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&#39;", "'")
                .replace("&apos;", "'")
                .replace("&amp;", "&"),
        ),
        "json" if !text.contains('\\') => Some(text.to_owned()),
        "json" => json::parse(format!("\"{text}\"").as_bytes()).ok()?.as_str().map(str::to_owned),
        _ => None,
    }
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            let digit = BASE64.get((bits >> (18 - 6 * index)) as usize & 63).copied();
            let digit = digit.filter(|_| index <= chunk.len()).unwrap_or(b'=');
            out.push(char::from(digit));
        }
    }
    out
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut out = Vec::new();
    for chunk in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for digit in chunk {
            let value = BASE64.iter().position(|known| known == digit)?;
            bits = bits << 6 | u32::try_from(value).ok()?;
        }
        bits <<= 6 * (4 - chunk.len());
        out.extend(
            [(bits >> 16) as u8, (bits >> 8) as u8, bits as u8].iter().take(chunk.len() - 1),
        );
    }
    Some(out)
}
