//! Which documents are refused before and while they are parsed, in words without their content.

use clisonix_fhir::issue::{Issue, IssueCode};

/// Deepest nesting of elements in a document.
pub(crate) const MAX_DEPTH: usize = 200;

/// Refuses too deep a nesting before the parser sees it. Markup inside comments and CDATA is
/// skipped, so only real elements count.
pub(super) fn check_depth(text: &str) -> Result<(), Issue> {
    let mut depth = 0usize;
    let mut rest = text;
    while let Some((_, markup)) = rest.split_once('<') {
        let (inside, after) = if let Some(comment) = markup.strip_prefix("!--") {
            comment.split_once("-->").map_or(("!", ""), |(_, after)| ("!", after))
        } else if let Some(data) = markup.strip_prefix("![CDATA[") {
            data.split_once("]]>").map_or(("!", ""), |(_, after)| ("!", after))
        } else {
            split_tag(markup)
        };
        match inside.as_bytes() {
            [b'/', ..] => depth = depth.saturating_sub(1),
            [b'!' | b'?', ..] | [] | [.., b'/'] => {}
            _ => depth += 1,
        }
        if depth > MAX_DEPTH {
            let message = "elements are nested deeper than the limit";
            return Err(Issue::error(IssueCode::TooCostly, "/", message));
        }
        rest = after;
    }
    Ok(())
}

/// Splits behind the `>` that ends a tag; one inside a quoted attribute value does not.
fn split_tag(markup: &str) -> (&str, &str) {
    let mut quote = None;
    for (at, byte) in markup.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => {
                return (markup.get(..at).unwrap_or(""), markup.get(at + 1..).unwrap_or(""));
            }
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    (markup, "")
}

/// The parser's refusal without the words of the document.
pub(super) fn refusal(error: &roxmltree::Error) -> Issue {
    use roxmltree::Error;
    let (code, what) = match error {
        Error::DtdDetected => {
            (IssueCode::NotSupported, "a document type definition is not allowed")
        }
        Error::NodesLimitReached => (IssueCode::TooCostly, "more nodes than the limit"),
        Error::UnknownNamespace(..) => {
            (IssueCode::Structure, "a name uses a namespace prefix that is not declared")
        }
        Error::UnknownEntityReference(..) | Error::MalformedEntityReference(..) => {
            (IssueCode::Structure, "an entity is not known")
        }
        Error::UnexpectedCloseTag(..) | Error::UnexpectedEntityCloseTag(..) => {
            (IssueCode::Structure, "an end tag does not match its start tag")
        }
        Error::DuplicatedAttribute(..) => {
            (IssueCode::Structure, "an attribute occurs twice in one element")
        }
        Error::UnclosedRootNode => (IssueCode::Structure, "the document is cut short"),
        Error::NoRootNode => (IssueCode::Structure, "there is no element"),
        _ => (IssueCode::Structure, "the XML is not well-formed"),
    };
    let at = error.pos();
    let message = format!("{what}, at line {}, column {}", at.row, at.col);
    Issue::error(code, "/", message)
}
