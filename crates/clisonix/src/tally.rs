//! What an import did, in numbers, and the issues that are worth showing.

use std::io;
use std::time::Instant;

use clisonix_fhir::issue::{Issue, Severity};
use clisonix_fhir::json::{Number, Object, Value};
use clisonix_node::TakenIn;

use crate::exit::Exit;
use crate::progress::{Watch, issue_line};
use crate::results::Results;

/// Most issues of severity fatal or error that one import shows; all are counted.
pub(crate) const MAX_ERRORS_SHOWN: usize = 100;
/// Most warnings that one import shows; all are counted.
pub(crate) const MAX_WARNINGS_SHOWN: usize = 20;

/// The running count of an import.
pub(crate) struct Tally {
    begun: Instant,
    files: u64,
    bytes: u64,
    taken: TakenIn,
    /// Files that could not be read, or are larger than the limit.
    files_rejected: u64,
    /// Issues by severity: fatal, error, warning, information.
    issues: [u64; 4],
    shown: Vec<Value>,
    errors_shown: usize,
    warnings_shown: usize,
    /// Messages in quarantine at the end.
    quarantine: u64,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            files: 0,
            bytes: 0,
            taken: TakenIn::default(),
            files_rejected: 0,
            issues: [0; 4],
            shown: Vec::new(),
            errors_shown: 0,
            warnings_shown: 0,
            quarantine: 0,
        }
    }

    /// Counts what became of one input.
    pub(crate) fn add(&mut self, file: &str, taken: &TakenIn, watch: &mut dyn Watch) {
        self.taken.messages += taken.messages;
        self.taken.unchanged += taken.unchanged;
        self.taken.rejected += taken.rejected;
        self.taken.resources += taken.resources;
        self.taken.used += taken.used;
        self.taken.kept += taken.kept;
        for issue in &taken.issues {
            self.issue(file, issue, watch);
        }
    }

    /// Counts a file that was not taken in at all.
    pub(crate) fn reject(&mut self, file: &str, issue: &Issue, watch: &mut dyn Watch) {
        self.files_rejected += 1;
        self.issue(file, issue, watch);
    }

    /// Counts a file as dealt with.
    pub(crate) fn file(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    /// Notes how many messages the quarantine holds now.
    pub(crate) fn quarantine(&mut self, messages: usize) {
        self.quarantine = messages as u64;
    }

    fn issue(&mut self, file: &str, issue: &Issue, watch: &mut dyn Watch) {
        let (place, shown, limit) = match issue.severity {
            Severity::Fatal => (0, &mut self.errors_shown, MAX_ERRORS_SHOWN),
            Severity::Error => (1, &mut self.errors_shown, MAX_ERRORS_SHOWN),
            Severity::Warning => (2, &mut self.warnings_shown, MAX_WARNINGS_SHOWN),
            Severity::Information => (3, &mut self.warnings_shown, 0),
        };
        if let Some(count) = self.issues.get_mut(place) {
            *count += 1;
        }
        if *shown < limit {
            *shown += 1;
            watch.issue(&issue_line(file, issue));
            self.shown.push(issue_value(file, issue));
        }
    }

    pub(crate) fn files(&self) -> u64 {
        self.files
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn messages(&self) -> u64 {
        self.taken.messages + self.taken.unchanged
    }

    pub(crate) fn resources(&self) -> u64 {
        self.taken.resources
    }

    /// Messages and whole files that were not taken in.
    pub(crate) fn rejected(&self) -> u64 {
        self.taken.rejected + self.files_rejected
    }

    /// Seconds since the import began.
    pub(crate) fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Resources stated per second so far.
    // A count of resources is far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn resources_per_s(&self) -> f64 {
        self.taken.resources as f64 / self.seconds().max(0.001)
    }

    pub(crate) fn exit(&self) -> Exit {
        if self.rejected() > 0 { Exit::Rejected } else { Exit::Done }
    }

    /// One JSON object.
    pub(crate) fn to_value(&self) -> Value {
        let [fatal, error, warning, information] = self.issues.map(Value::from);
        let issues: Object = [
            ("fatal", fatal),
            ("error", error),
            ("warning", warning),
            ("information", information),
        ]
        .into_iter()
        .collect();
        let object: Object = [
            ("files", Value::from(self.files)),
            ("files_rejected", Value::from(self.files_rejected)),
            ("bytes", Value::from(self.bytes)),
            ("messages_applied", Value::from(self.taken.messages)),
            ("messages_unchanged", Value::from(self.taken.unchanged)),
            ("messages_rejected", Value::from(self.taken.rejected)),
            ("resources", Value::from(self.taken.resources)),
            ("resources_per_s", decimal(&format!("{:.0}", self.resources_per_s()))),
            ("seconds", decimal(&format!("{:.3}", self.seconds()))),
            ("values_used", Value::from(self.taken.used)),
            ("values_kept", Value::from(self.taken.kept)),
            ("issues", Value::Object(issues)),
            ("issues_shown", Value::Array(self.shown.clone())),
            ("quarantine", Value::from(self.quarantine)),
        ]
        .into_iter()
        .collect();
        Value::Object(object)
    }

    /// The summary block.
    pub(crate) fn print(&self, results: &mut Results) -> io::Result<()> {
        let taken = &self.taken;
        let [fatal, error, warning, information] = self.issues;
        let mut row = |label: &str, value: String| results.line(format!("  {label:<24}{value}"));
        row("files", with_rejected(self.files, self.files_rejected))?;
        row("messages applied", taken.messages.to_string())?;
        row("messages unchanged", taken.unchanged.to_string())?;
        row("messages rejected", taken.rejected.to_string())?;
        row("resources", taken.resources.to_string())?;
        row("resources per second", format!("{:.0}", self.resources_per_s()))?;
        row("seconds", format!("{:.1}", self.seconds()))?;
        row("source values used", taken.used.to_string())?;
        row("source values kept", taken.kept.to_string())?;
        let issues =
            format!("{fatal} fatal, {error} errors, {warning} warnings, {information} notes");
        row("issues", issues)?;
        row("in quarantine", self.quarantine.to_string())
    }
}

fn with_rejected(files: u64, rejected: u64) -> String {
    if rejected == 0 { files.to_string() } else { format!("{files} ({rejected} not taken in)") }
}

fn decimal(text: &str) -> Value {
    Number::from_text(text).map_or(Value::Null, Value::from)
}

/// An issue as `{file, severity, code, path, message, line, column}`.
fn issue_value(file: &str, issue: &Issue) -> Value {
    let file = issue.at.as_ref().map_or(file, |at| &at.file);
    let mut object: Object = [
        ("file", Value::from(file)),
        ("severity", Value::from(issue.severity.as_str())),
        ("code", Value::from(issue.code.as_str())),
        ("path", Value::from(&*issue.path)),
        ("message", Value::from(&*issue.message)),
    ]
    .into_iter()
    .collect();
    if let Some(at) = &issue.at {
        object.insert("line", u64::from(at.line));
        object.insert("column", u64::from(at.column));
    }
    Value::Object(object)
}
