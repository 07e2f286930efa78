//! HL7 v2 messages into statements.
//!
//! A file is split into messages; each is indexed, walked into orders, and read by the mapping
//! tables `mapping/hl7v2*.map`. What the tables do not use is kept with its address.

mod envelope;
mod source;
mod structure;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;

use clisonix_fhir::issue::{Issue, IssueCode};
use clisonix_hl7v2::{Message, Report, ReportKind, split};

use crate::mapping::{Mapping, MappingError};
use crate::{Extent, Hint, Intake, Kept, Outcome, RecordKey, Rejected, Stated, Statement};
use crate::{identity, message_id};
use envelope::Envelope;
use source::Segments;

/// The tables that come with the program.
const TABLES: [(&str, &str); 3] = [
    ("hl7v2.map", include_str!("../mapping/hl7v2.map")),
    ("hl7v2-datatypes.map", include_str!("../mapping/hl7v2-datatypes.map")),
    ("hl7v2-codes.map", include_str!("../mapping/hl7v2-codes.map")),
];

/// Reads and checks the tables that come with the program, and a site's own behind them.
pub(crate) fn mapping(overlays: &[(&str, &str)]) -> Result<Mapping, Vec<MappingError>> {
    Mapping::load(&[&TABLES, overlays].concat(), source::FUNCTIONS)
}

/// Takes in a file of HL7 v2 messages: one outcome for each message, and one for each stretch of
/// the file that belongs to no message.
pub(crate) fn take_in(bytes: &[u8], hint: &Hint, mapping: &Mapping) -> Vec<Outcome> {
    let batch = split(bytes);
    let mut outcomes: Vec<(usize, Outcome)> = Vec::new();
    for range in batch.messages {
        outcomes.push((range.start, message(bytes, range, hint, mapping)));
    }
    for range in batch.stray {
        let issue = Issue::error(
            IssueCode::Structure,
            hint.file_name(),
            "bytes that belong to no message: no segment MSH begins them",
        );
        outcomes.push((range.start, Outcome::rejected(range, issue)));
    }
    outcomes.sort_by_key(|(start, _)| *start);
    let mut outcomes: Vec<Outcome> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    if outcomes.is_empty() {
        let issue = Issue::error(IssueCode::Structure, hint.file_name(), "there is no message");
        outcomes.push(Outcome::rejected(0..bytes.len(), issue));
    }
    let faults = batch.faults.iter().map(|fault| envelope::batch_issue(*fault));
    match outcomes.last_mut() {
        Some(Outcome::Taken(intake)) => intake.issues.extend(faults),
        Some(Outcome::Rejected(rejected)) => rejected.issues.extend(faults),
        None => {}
    }
    outcomes
}

fn message(file: &[u8], range: Range<usize>, hint: &Hint, mapping: &Mapping) -> Outcome {
    let raw = file.get(range.clone()).unwrap_or_default();
    let parsed = match Message::parse(raw) {
        Ok(parsed) => parsed,
        Err(error) => {
            let issue = Issue::error(IssueCode::Structure, hint.file_name(), error.to_string());
            return Outcome::rejected(range, issue);
        }
    };
    let issues: Vec<Issue> = parsed.reports().iter().map(report_issue).collect();
    if parsed.is_truncated() {
        return Outcome::Rejected(Rejected { raw: range, issues });
    }
    Outcome::Taken(intake(raw, &parsed, mapping, hint, issues))
}

fn intake(
    raw: &[u8],
    message: &Message<'_>,
    mapping: &Mapping,
    hint: &Hint,
    mut issues: Vec<Issue>,
) -> Intake {
    let mut used = Marks::new(message);
    let envelope = Envelope::read(message, hint, &mut used);
    let mut records: BTreeMap<RecordKey, Vec<Stated>> = BTreeMap::new();
    for structure in structure::parts(message) {
        let source = Segments::new(message, &structure, &envelope);
        let made = mapping.run(&source);
        for node in made.used {
            used.mark(source.leaf_index(node));
        }
        issues.extend(made.issues);
        for statement in identity::settle(&envelope.feed, made.drafts, &mut issues) {
            join(records.entry(statement.record).or_default(), statement.resources);
        }
    }
    issues.extend(used.escape_issues());
    let statements = records.into_iter().map(|(record, resources)| Statement { record, resources });
    Intake {
        message: message_id(&envelope.feed, raw),
        feed: envelope.feed,
        control_id: envelope.control_id,
        extent: extent(message),
        event_time_ms: envelope.event_time_ms,
        statements: statements.collect(),
        issues,
        used: used.count(),
        kept: used.kept(),
    }
}

/// ADT messages state segments and repetitions as snapshots (HL7 v2 chapter 2, snapshot mode); other
/// messages name of a patient only what they need.
fn extent(message: &Message<'_>) -> Extent {
    match message.text_at("MSH-9.1") {
        Ok(Some(kind)) if &*kind == "ADT" => Extent::Snapshot,
        _ => Extent::Partial,
    }
}

/// Adds the resources of another part of the message; one that is there already stands once.
fn join(known: &mut Vec<Stated>, more: Vec<Stated>) {
    for stated in more {
        if !known.iter().any(|other| same_place(other, &stated)) {
            known.push(stated);
        }
    }
    known.sort_by(|a, b| place_of(a).cmp(&place_of(b)));
}

fn same_place(a: &Stated, b: &Stated) -> bool {
    place_of(a) == place_of(b)
}

fn place_of(stated: &Stated) -> (&str, &str) {
    let text = |member| stated.resource.get(member).and_then(clisonix_fhir::json::Value::as_str);
    (text("resourceType").unwrap_or_default(), text("id").unwrap_or_default())
}

/// Which leaves of a message were used.
struct Marks<'m> {
    message: &'m Message<'m>,
    used: Vec<bool>,
}

impl<'m> Marks<'m> {
    fn new(message: &'m Message<'m>) -> Self {
        Self { message, used: vec![false; message.leaves().len()] }
    }

    fn mark(&mut self, index: Option<usize>) {
        if let Some(mark) = index.and_then(|index| self.used.get_mut(index)) {
            *mark = true;
        }
    }

    fn count(&self) -> usize {
        self.used.iter().filter(|used| **used).count()
    }

    /// Everything that was not used, as it came: escape sequences in place.
    fn kept(&self) -> Vec<Kept> {
        let leaves = self.message.leaves().iter().zip(&self.used).filter(|(_, used)| !**used);
        let kept = leaves.map(|(leaf, _)| {
            let raw = self.message.raw(leaf);
            let value = self.message.charset().decode(raw);
            Kept {
                address: self.message.address(leaf).to_string(),
                value: value.map_or_else(|| hexadecimal(raw), std::borrow::Cow::into_owned),
            }
        });
        kept.collect()
    }

    /// Used values in which an escape sequence is not known and stands as it came.
    fn escape_issues(&self) -> Vec<Issue> {
        let Some(sign) = self.message.delimiters().escape else { return Vec::new() };
        let leaves = self.message.leaves().iter().zip(&self.used).filter(|(_, used)| **used);
        let odd = leaves.filter(|(leaf, _)| {
            self.message.raw(leaf).contains(&sign)
                && self.message.text(leaf).is_ok_and(|text| text.unknown_escapes > 0)
        });
        odd.map(|(leaf, _)| {
            let path = self.message.address(leaf).to_string();
            Issue::warning(IssueCode::Value, path, "an unknown escape sequence stands as it came")
        })
        .collect()
    }
}

/// A message is refused when its bytes are not of its character set, so this is for leaves of a
/// set that decodes as a whole but not in parts.
fn hexadecimal(raw: &[u8]) -> String {
    raw.iter().fold(String::new(), |text, byte| format!("{text}{byte:02X}"))
}

fn report_issue(report: &Report) -> Issue {
    let path = match report.field {
        0 => report.segment.to_string(),
        field => format!("{}-{field}", report.segment),
    };
    let text = report.kind.describe();
    match report.kind {
        ReportKind::Truncated => Issue::error(IssueCode::Incomplete, path, text),
        ReportKind::Unterminated | ReportKind::LeadingBytes | ReportKind::DelimiterDefaulted => {
            Issue::information(IssueCode::Structure, path, text)
        }
        _ => Issue::warning(IssueCode::Structure, path, text),
    }
}
