//! The rows of a policy table: what a line of the file says, before it is checked against FHIR.

use super::error::{PolicyError, PolicyErrorKind};

/// Longest policy table, in bytes.
pub const MAX_TABLE_BYTES: usize = 1 << 20;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RowKind {
    /// Members of one object that are one cell.
    Group,
    /// A backbone element that is one cell.
    Whole,
    /// Elements that an invariant names together and that are no group all the same.
    Apart,
    /// What identifies an element of a list.
    Key,
    /// A list whose elements have no business key.
    Keyless,
    /// A text that several people write together, letter by letter.
    Text,
    /// The order of the states of a status.
    Lifecycle,
    /// What is shown while siblings disagree.
    Failsafe,
    /// How grave an open conflict is.
    Severity,
    /// A member whose absence tells something too.
    Telling,
}

impl RowKind {
    /// All kinds, in the order of the table.
    pub const ALL: [Self; 10] = [
        Self::Group,
        Self::Whole,
        Self::Apart,
        Self::Key,
        Self::Keyless,
        Self::Text,
        Self::Lifecycle,
        Self::Failsafe,
        Self::Severity,
        Self::Telling,
    ];

    /// The word in the table's first column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Whole => "whole",
            Self::Apart => "apart",
            Self::Key => "key",
            Self::Keyless => "keyless",
            Self::Text => "text",
            Self::Lifecycle => "lifecycle",
            Self::Failsafe => "failsafe",
            Self::Severity => "severity",
            Self::Telling => "telling",
        }
    }

    /// Whether it says where cells are; such rows are part of the change format.
    pub fn is_cells(self) -> bool {
        matches!(
            self,
            Self::Group | Self::Whole | Self::Apart | Self::Key | Self::Keyless | Self::Text
        )
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// One row in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// The table that it comes from.
    pub file: Box<str>,
    /// Its line there, from 1.
    pub line: usize,
    /// What it is about.
    pub kind: RowKind,
    /// The element, type or named default.
    pub path: Box<str>,
    /// Members, codes or a severity, with single spaces between them.
    pub what: Box<str>,
    /// Keys of invariants of FHIR R4 or `isModifier`, if the row follows from them.
    pub rule: Box<str>,
    /// Why.
    pub reason: Box<str>,
}

impl PolicyRow {
    /// The words of the third column.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.what.split(' ')
    }

    pub(super) fn error(&self, kind: PolicyErrorKind) -> PolicyError {
        PolicyError { file: self.file.clone(), line: self.line, kind }
    }
}

/// Reads the rows of a whole table (`site` false) or of a site's table, which has no parts.
pub(super) fn read(file: &str, table: &str, site: bool) -> Result<Vec<PolicyRow>, PolicyError> {
    let error = |line, kind| PolicyError { file: file.into(), line, kind };
    if table.len() > MAX_TABLE_BYTES {
        return Err(error(1, PolicyErrorKind::TooLong));
    }
    let mut rows = Vec::new();
    let mut in_cells = None;
    for (index, text) in table.lines().enumerate() {
        let line = index + 1;
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        match (text, site) {
            ("part cells", false) => in_cells = Some(true),
            ("part policy", false) => in_cells = Some(false),
            _ => {
                let row = row(file, line, text).map_err(|kind| error(line, kind))?;
                let word = row.kind.as_str();
                if site && row.kind.is_cells() {
                    return Err(error(line, PolicyErrorKind::Cells(word)));
                }
                if !site && in_cells != Some(row.kind.is_cells()) {
                    return Err(error(line, PolicyErrorKind::Part(word)));
                }
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

fn row(file: &str, line: usize, text: &str) -> Result<PolicyRow, PolicyErrorKind> {
    let columns: Vec<&str> = text.split('|').map(str::trim).collect();
    let word = columns.first().copied().unwrap_or_default();
    let kind = RowKind::named(word).ok_or_else(|| PolicyErrorKind::Kind(word.into()))?;
    let [_, path, what, rule, reason] = columns.as_slice() else {
        return Err(PolicyErrorKind::Incomplete);
    };
    let needs_words = !matches!(kind, RowKind::Whole | RowKind::Keyless | RowKind::Telling);
    let fits = kind == RowKind::Text || what.is_empty() != needs_words;
    if path.is_empty() || reason.is_empty() || !fits {
        return Err(PolicyErrorKind::Incomplete);
    }
    let what: Vec<&str> = what.split_whitespace().collect();
    Ok(PolicyRow {
        file: file.into(),
        line,
        kind,
        path: (*path).into(),
        what: what.join(" ").into(),
        rule: (*rule).into(),
        reason: (*reason).into(),
    })
}
