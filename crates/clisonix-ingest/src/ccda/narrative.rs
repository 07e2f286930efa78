//! CDA narrative blocks into the XHTML that FHIR allows, and the text that entries refer to.
//!
//! CDA R2 4.3.5 (narrative block); FHIR R4 2.4.1 (`xhtml`: the chapters of HTML 4 that may be used).

use clisonix_fhir::issue::{Issue, IssueCode};

use super::source::{Content, Elem};

/// Most bytes of XHTML one section may become.
pub(crate) const MAX_NARRATIVE_BYTES: usize = 16 << 20;

/// The text of a section or entry as an XHTML `div`.
pub(crate) fn to_xhtml(text: Elem<'_>, issues: &mut Vec<Issue>) -> Option<String> {
    let mut out = String::from("<div xmlns=\"http://www.w3.org/1999/xhtml\"");
    write_attributes(text, "div", &mut out);
    out.push('>');
    let before = out.len();
    write_content(text, &mut out, issues);
    if out.len() > MAX_NARRATIVE_BYTES {
        text.unmark();
        let message = "the narrative is larger than the limit";
        issues.push(Issue::error(IssueCode::TooLong, text.address(), message));
        return None;
    }
    // FHIR txt-2: a narrative has some content that is not white space.
    let is_blank = text.peek_text().is_empty() || out.get(before..).is_none_or(str::is_empty);
    out.push_str("</div>");
    (!is_blank).then_some(out)
}

/// Text of an `originalText` or `text` element: its own words, or those its `reference` points to.
pub(crate) fn text_of(element: Elem<'_>) -> Option<String> {
    if let Some(words) = element.text() {
        mark_reference(element);
        return Some(words);
    }
    let reference = element.child("reference")?;
    let target = element.source().by_id(reference.peek("value")?.strip_prefix('#')?)?;
    let words = Some(target.peek_text()).filter(|text| !text.is_empty())?;
    reference.mark_attribute("value");
    Some(words)
}

fn mark_reference(element: Elem<'_>) {
    let Some(reference) = element.child("reference") else { return };
    let id = reference.peek("value").and_then(|value| value.strip_prefix('#'));
    if id.and_then(|id| element.source().by_id(id)).is_some() {
        reference.mark_attribute("value");
    }
}

fn write_content(element: Elem<'_>, out: &mut String, issues: &mut Vec<Issue>) {
    for piece in element.content() {
        match piece {
            Content::Text(text) => escape(text, false, out),
            Content::Element(child) => write_element(child, out, issues),
        }
    }
}

fn write_element(element: Elem<'_>, out: &mut String, issues: &mut Vec<Issue>) {
    let tag = match element.name() {
        "list" if element.peek("listType") == Some("ordered") => "ol",
        "list" => return write_list(element, "ul", out, issues),
        "paragraph" => "p",
        "content" | "footnote" | "footnoteRef" => "span",
        "linkHtml" => "a",
        "item" => "li",
        name @ ("br" | "col") => {
            out.push('<');
            out.push_str(name);
            write_attributes(element, name, out);
            return out.push_str("/>");
        }
        name @ ("sub" | "sup" | "table" | "caption" | "colgroup" | "thead" | "tbody" | "tfoot"
        | "tr" | "td" | "th") => name,
        "renderMultiMedia" => {
            let message = "an image in the narrative is not carried over";
            issues.push(Issue::information(IssueCode::NotSupported, element.address(), message));
            return write_content(element, out, issues);
        }
        // Elements that CDA does not know: their words stay, their meaning is kept aside.
        _ => return write_content(element, out, issues),
    };
    if tag == "ol" {
        return write_list(element, tag, out, issues);
    }
    open_close(element, tag, out, |element, out| write_content(element, out, issues));
}

/// A list's `caption` may not stand in HTML's `ul`; it becomes a paragraph before the list.
fn write_list(element: Elem<'_>, tag: &str, out: &mut String, issues: &mut Vec<Issue>) {
    for caption in element.children("caption") {
        open_close(caption, "p", out, |caption, out| write_content(caption, out, issues));
    }
    open_close(element, tag, out, |element, out| {
        for piece in element.content() {
            match piece {
                Content::Element(child) if child.name() == "caption" => {}
                Content::Element(child) => write_element(child, out, issues),
                Content::Text(text) => escape(text, false, out),
            }
        }
    });
}

fn open_close<'s>(
    element: Elem<'s>,
    tag: &str,
    out: &mut String,
    inner: impl FnOnce(Elem<'s>, &mut String),
) {
    out.push('<');
    out.push_str(tag);
    write_attributes(element, tag, out);
    out.push('>');
    inner(element, out);
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

fn write_attributes(element: Elem<'_>, tag: &str, out: &mut String) {
    let is_table_part = matches!(
        tag,
        "table" | "colgroup" | "col" | "thead" | "tbody" | "tfoot" | "tr" | "td" | "th"
    );
    for (name, value) in element.attributes() {
        let html = match name {
            "ID" if !value.trim().is_empty() => "id",
            "styleCode" => "class",
            "listType" if matches!(tag, "ul" | "ol") => {
                element.mark_attribute(name);
                continue;
            }
            "mediaType" if element.name() == "text" => {
                element.mark_attribute(name);
                continue;
            }
            "href" if tag == "a" && is_safe_link(value) => "href",
            "title" if tag == "a" => "title",
            "abbr" | "align" | "axis" | "border" | "cellpadding" | "cellspacing" | "char"
            | "charoff" | "colspan" | "frame" | "headers" | "rowspan" | "rules" | "scope"
            | "span" | "summary" | "valign" | "width"
                if is_table_part =>
            {
                name
            }
            _ => continue,
        };
        element.mark_attribute(name);
        out.push(' ');
        out.push_str(html);
        out.push_str("=\"");
        escape(value, true, out);
        out.push('"');
    }
}

/// Only links that cannot run a script: web, mail and places in the document.
fn is_safe_link(href: &str) -> bool {
    let href = href.trim().to_ascii_lowercase();
    ["http://", "https://", "mailto:", "tel:", "#"].iter().any(|start| href.starts_with(start))
}

fn escape(text: &str, is_attribute: bool, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if is_attribute => out.push_str("&quot;"),
            '\n' | '\t' | '\r' if is_attribute => out.push(' '),
            letter => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests;
