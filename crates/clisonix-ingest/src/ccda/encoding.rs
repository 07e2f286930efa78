//! The bytes of a document into text, by its byte order mark and XML declaration.
//!
//! XML 1.0 appendix F and WHATWG Encoding.

use std::borrow::Cow;

use clisonix_fhir::issue::{Issue, IssueCode};
use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// How far into a document its declaration may reach.
const DECLARATION_BYTES: usize = 200;

/// The text, and a warning when the declared encoding does not fit the bytes.
///
/// # Errors
/// An issue when the declared encoding is not known, or its bytes are not valid in it.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Cow<'_, str>, Option<Issue>), Issue> {
    let (encoding, is_declared) = declared(bytes)?;
    if let Some(text) = exact(encoding, bytes) {
        return Ok((text, None));
    }
    // Undeclared and declared UTF-8 are in the field often Windows-1252, where any byte is a letter.
    if let Some(text) = exact(WINDOWS_1252, bytes).filter(|_| encoding == UTF_8) {
        let message = if is_declared {
            "the document is declared as UTF-8 but is not; read as windows-1252"
        } else {
            "the document is not UTF-8 and declares no encoding; read as windows-1252"
        };
        return Ok((text, Some(Issue::warning(IssueCode::Value, "/", message))));
    }
    let message = "the bytes do not fit the declared encoding";
    Err(Issue::error(IssueCode::Value, "/", message))
}

fn exact<'b>(encoding: &'static Encoding, bytes: &'b [u8]) -> Option<Cow<'b, str>> {
    let (text, had_errors) = encoding.decode_with_bom_removal(bytes);
    (!had_errors).then_some(text)
}

fn declared(bytes: &[u8]) -> Result<(&'static Encoding, bool), Issue> {
    if let Some((encoding, _)) = Encoding::for_bom(bytes) {
        return Ok((encoding, true));
    }
    let head = bytes.get(..DECLARATION_BYTES).unwrap_or(bytes);
    let head = String::from_utf8_lossy(head.trim_ascii_start());
    let declaration = head.strip_prefix("<?xml").and_then(|rest| rest.split("?>").next());
    let label = declaration.and_then(|declaration| {
        let (_, after) = declaration.split_once("encoding")?;
        let after = after.trim_start().strip_prefix('=')?.trim_start();
        let quote = after.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        after.get(1..)?.split(quote).next()
    });
    let Some(label) = label else { return Ok((UTF_8, false)) };
    let unknown = || {
        let message = "the declared encoding is not known";
        Issue::error(IssueCode::NotSupported, "/", message)
    };
    Encoding::for_label(label.as_bytes()).map(|encoding| (encoding, true)).ok_or_else(unknown)
}

#[cfg(test)]
mod tests;
