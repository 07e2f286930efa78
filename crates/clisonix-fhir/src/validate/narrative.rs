//! The `div` of a narrative: which XHTML it may hold (FHIR R4 2.4.0.1, txt-1 and txt-2).

/// The namespace that the outermost `div` must declare.
const NAMESPACE: &str = "http://www.w3.org/1999/xhtml";

/// How deeply tags may nest.
const MAX_TAG_DEPTH: usize = 128;

/// HTML 4.0 chapters 7 to 11 without 9.4, and 15; `a` and `img`.
const TAGS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "address",
    "b",
    "bdo",
    "big",
    "blockquote",
    "br",
    "caption",
    "center",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "kbd",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "style",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "u",
    "ul",
    "var",
];

type Broken = (&'static str, &'static str);

const TAG: Broken = ("txt-1", "holds a tag that a narrative may not hold");
const ATTRIBUTE: Broken = ("txt-1", "holds an attribute that a narrative may not hold");
const FORM: Broken = ("txt-1", "is not one well-formed div");
const SPACE: Broken = ("txt-1", "does not name the namespace of XHTML");
const BLANK: Broken = ("txt-2", "holds nothing to read");

/// Checks the text of a `div`.
pub(super) fn check(text: &str) -> Result<(), Broken> {
    let mut rest = text.trim();
    let mut open: Vec<&str> = Vec::new();
    let mut is_blank = true;
    let mut is_first = true;
    while let Some((before, after)) = rest.split_once('<') {
        if open.is_empty() && !(is_first && before.is_empty()) {
            return Err(FORM);
        }
        is_blank &= before.trim().is_empty();
        if let Some(comment) = after.strip_prefix("!--").filter(|_| !is_first) {
            rest = comment.split_once("-->").ok_or(FORM)?.1;
            continue;
        }
        let end = tag_end(after).ok_or(FORM)?;
        let (tag, after) = after.split_at(end);
        rest = after.strip_prefix('>').ok_or(FORM)?;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name.trim_end()) {
                return Err(FORM);
            }
            if open.is_empty() {
                break;
            }
            continue;
        }
        let (tag, is_closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let name = opening(tag, is_first)?;
        is_blank &= name != "img";
        is_first = false;
        if !is_closed {
            open.push(name);
        } else if open.is_empty() {
            break;
        }
        if open.len() > MAX_TAG_DEPTH {
            return Err(FORM);
        }
    }
    if is_first || !open.is_empty() || !rest.is_empty() {
        return Err(FORM);
    }
    if is_blank { Err(BLANK) } else { Ok(()) }
}

/// Where the `>` of a tag is, outside of quoted attributes.
fn tag_end(text: &str) -> Option<usize> {
    let mut quote = None;
    text.bytes().position(|byte| {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        quote.is_none() && byte == b'>'
    })
}

/// Checks an opening tag without its brackets; its name.
fn opening(tag: &str, is_first: bool) -> Result<&str, Broken> {
    let at = tag.find(char::is_whitespace).unwrap_or(tag.len());
    let (name, attributes) = tag.split_at(at);
    if is_first && name != "div" {
        return Err(FORM);
    }
    if !TAGS.contains(&name) {
        return Err(TAG);
    }
    let mut has_space = false;
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let (attribute, after) = rest.split_once('=').ok_or(FORM)?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\'')).ok_or(FORM)?;
        let after = after.strip_prefix(quote).ok_or(FORM)?;
        let (value, after) = after.split_once(quote).ok_or(FORM)?;
        let attribute = attribute.trim();
        // Event handlers and links that run a script are what the rule keeps out.
        let link = value.trim_start().to_ascii_lowercase();
        let runs = matches!(attribute, "href" | "src") && link.starts_with("javascript:");
        if attribute.is_empty() || attribute.starts_with("on") || runs {
            return Err(ATTRIBUTE);
        }
        has_space |= attribute == "xmlns" && value == NAMESPACE;
        rest = after.trim_start();
    }
    if is_first && !has_space { Err(SPACE) } else { Ok(name) }
}

#[cfg(test)]
mod tests;
