//! CDA narrative blocks into the XHTML that FHIR allows, and the text that entries refer to.
//!
//! CDA R2 4.3.5 (narrative block); FHIR R4 2.4.1 (`xhtml`: the chapters of HTML 4 that may be used).

use clisonix_fhir::issue::{Issue, IssueCode};

use super::source::{Content, Elem, Place};

/// Most bytes of XHTML one section may become.
pub(crate) const MAX_NARRATIVE_BYTES: usize = 16 << 20;

/// A narrative as XHTML.
#[derive(Debug, Default)]
pub(crate) struct Narrative {
    /// The `div`; `None` when it would be blank or larger than the limit.
    pub(crate) div: Option<String>,
    /// The leaves that are in it.
    pub(crate) used: Vec<Place>,
    /// What could not be carried over.
    pub(crate) issues: Vec<Issue>,
}

/// The text of a section as an XHTML `div`.
pub(crate) fn to_xhtml(text: Elem<'_>) -> Narrative {
    let mut writer = Writer::default();
    writer.out.push_str("<div xmlns=\"http://www.w3.org/1999/xhtml\"");
    writer.attributes(text, "div");
    writer.out.push('>');
    let before = writer.out.len();
    writer.content(text);
    let Writer { mut out, used, mut issues } = writer;
    if out.len() > MAX_NARRATIVE_BYTES {
        let message = "the narrative is larger than the limit";
        issues.push(Issue::error(IssueCode::TooLong, text.address(), message));
        return Narrative { div: None, used: Vec::new(), issues };
    }
    // FHIR txt-2: a narrative has some content that is not white space.
    let is_blank = text.text().is_empty() || out.get(before..).is_none_or(str::is_empty);
    out.push_str("</div>");
    Narrative { div: (!is_blank).then_some(out), used, issues }
}

/// XHTML under construction.
#[derive(Default)]
struct Writer {
    out: String,
    used: Vec<Place>,
    issues: Vec<Issue>,
}

impl Writer {
    fn content(&mut self, element: Elem<'_>) {
        for piece in element.content() {
            match piece {
                Content::Text(text, place) => self.text(text, place),
                Content::Element(child) => self.element(child),
            }
        }
    }

    fn text(&mut self, text: &str, place: Place) {
        self.used.push(place);
        escape(text, false, &mut self.out);
    }

    fn element(&mut self, element: Elem<'_>) {
        let tag = match element.name() {
            "list" if element.peek("listType") == Some("ordered") => {
                return self.list(element, "ol");
            }
            "list" => return self.list(element, "ul"),
            "paragraph" => "p",
            "content" | "footnote" | "footnoteRef" => "span",
            "linkHtml" => "a",
            "item" => "li",
            name @ ("br" | "col") => {
                self.out.push('<');
                self.out.push_str(name);
                self.attributes(element, name);
                return self.out.push_str("/>");
            }
            name @ ("sub" | "sup" | "table" | "caption" | "colgroup" | "thead" | "tbody"
            | "tfoot" | "tr" | "td" | "th") => name,
            "renderMultiMedia" => {
                let message = "an image in the narrative is not carried over";
                let issue = Issue::information(IssueCode::NotSupported, element.address(), message);
                self.issues.push(issue);
                return self.content(element);
            }
            // Elements that CDA does not know: their words stay, their meaning is kept aside.
            _ => return self.content(element),
        };
        self.open(element, tag);
        self.content(element);
        self.close(tag);
    }

    /// A list's `caption` may not stand in HTML's `ul`; it becomes a paragraph before the list.
    fn list(&mut self, element: Elem<'_>, tag: &str) {
        for caption in element.children("caption") {
            self.open(caption, "p");
            self.content(caption);
            self.close("p");
        }
        self.open(element, tag);
        for piece in element.content() {
            match piece {
                Content::Element(child) if child.name() == "caption" => {}
                Content::Element(child) => self.element(child),
                Content::Text(text, place) => self.text(text, place),
            }
        }
        self.close(tag);
    }

    fn open(&mut self, element: Elem<'_>, tag: &str) {
        self.out.push('<');
        self.out.push_str(tag);
        self.attributes(element, tag);
        self.out.push('>');
    }

    fn close(&mut self, tag: &str) {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    fn attributes(&mut self, element: Elem<'_>, tag: &str) {
        let is_table_part = matches!(
            tag,
            "table" | "colgroup" | "col" | "thead" | "tbody" | "tfoot" | "tr" | "td" | "th"
        );
        for (name, value, place) in element.attributes() {
            let html = match name {
                "ID" if !value.trim().is_empty() => "id",
                "styleCode" => "class",
                "listType" if matches!(tag, "ul" | "ol") => {
                    self.used.push(place);
                    continue;
                }
                "mediaType" if element.name() == "text" => {
                    self.used.push(place);
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
            self.used.push(place);
            self.out.push(' ');
            self.out.push_str(html);
            self.out.push_str("=\"");
            escape(value, true, &mut self.out);
            self.out.push('"');
        }
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
