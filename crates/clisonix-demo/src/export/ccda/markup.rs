//! Small pieces of CDA R2 markup.

use crate::calendar::Moment;
use crate::population::Coding;

/// Escapes text for element content and attribute values (XML 1.0 2.4).
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

/// `templateId` with and without its version, as C-CDA R2.1 asks for compatibility with R1.1.
pub(super) fn template(root: &str, version: &str) -> String {
    format!("<templateId root=\"{root}\"/><templateId root=\"{root}\" extension=\"{version}\"/>")
}

/// The attributes of a coded value.
pub(super) fn coded(coding: Coding) -> String {
    let (oid, name) = coding.system.oid();
    format!(
        "code=\"{}\" codeSystem=\"{oid}\" codeSystemName=\"{name}\" displayName=\"{}\"",
        coding.code,
        escape(coding.display)
    )
}

/// The `author` of an entry (Author Participation).
pub(super) fn author(time: Moment) -> String {
    format!(
        "<author>{}<time value=\"{}\"/><assignedAuthor>\
         <id root=\"2.16.840.1.113883.4.6\" extension=\"1245319599\"/>\
         <assignedPerson><name><given>Samuel</given><family>Brooks</family></name>\
         </assignedPerson></assignedAuthor></author>",
        "<templateId root=\"2.16.840.1.113883.10.20.22.4.119\"/>",
        spelled(time)
    )
}

/// `<text><reference value="#id"/></text>`: the narrative of an entry.
pub(super) fn reference(id: &str) -> String {
    format!("<text><reference value=\"#{id}\"/></text>")
}

/// A CDA point in time.
pub(super) fn spelled(time: Moment) -> String {
    match time {
        Moment::Day(day) => day.compact(),
        Moment::Instant(instant) => instant.compact(),
    }
}

/// A whole section: templates, code, title, narrative table and entries.
pub(super) struct Section {
    /// Template root and version.
    pub(super) template: (&'static str, &'static str),
    /// LOINC code and its display.
    pub(super) code: (&'static str, &'static str),
    /// The title people read.
    pub(super) title: &'static str,
    /// The heads of the table's columns.
    pub(super) columns: &'static [&'static str],
    /// Each row: its id and its cells.
    pub(super) rows: Vec<(String, Vec<String>)>,
    /// The entries' markup.
    pub(super) entries: Vec<String>,
}

impl Section {
    /// The section as a `component` of the structured body.
    pub(super) fn write(&self) -> String {
        let (root, version) = self.template;
        let (code, display) = self.code;
        // C-CDA R2.1: a section of which nothing is known says so with a null flavour.
        let absent = if self.entries.is_empty() { " nullFlavor=\"NI\"" } else { "" };
        let mut out = format!(
            "<component><section{absent}>{}<code code=\"{code}\" \
             codeSystem=\"2.16.840.1.113883.6.1\" codeSystemName=\"LOINC\" \
             displayName=\"{display}\"/><title>{}</title><text>{}</text>\n",
            template(root, version),
            self.title,
            self.narrative()
        );
        for entry in &self.entries {
            out.push_str("<entry typeCode=\"DRIV\">");
            out.push_str(entry);
            out.push_str("</entry>\n");
        }
        out.push_str("</section></component>\n");
        out
    }

    fn narrative(&self) -> String {
        if self.rows.is_empty() {
            return "No information.".to_owned();
        }
        let mut out = String::from("<table><thead><tr>");
        for column in self.columns {
            out.extend(["<th>", column, "</th>"]);
        }
        out.push_str("</tr></thead><tbody>");
        for (id, cells) in &self.rows {
            out.extend(["<tr ID=\"", id, "\">"]);
            for cell in cells {
                out.extend(["<td>", &escape(cell), "</td>"]);
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table>");
        out
    }
}
