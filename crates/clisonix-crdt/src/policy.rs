//! Policies: which members are one cell, and what is shown while siblings disagree.
//!
//! The table is one text file, `policy/r4.policy`, that a clinician and an engineer can read side
//! by side (`docs/policy.md` says how); it is checked against the element table when it is loaded.
//! Its *cells* part says where the cells are and is fixed for a format version; its *policy* part is
//! applied when reading, so that it can be improved, or overridden by a site, without touching
//! history.

mod cells;
mod choice;
mod error;
mod key;
mod lattice;
mod place;
mod row;
mod severity;
mod telling;

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};

use clisonix_fhir::json::Value;
use clisonix_fhir::schema::{ElementId, TypeId};
use sha2::{Digest, Sha256};

use cells::Cells;
use choice::Choices;
use severity::Severities;
use telling::Telling;

pub use error::{PolicyError, PolicyErrorKind};
pub(crate) use key::Key;
pub use lattice::MAX_STATES;
pub use row::{MAX_TABLE_BYTES, PolicyRow, RowKind};
pub use severity::ConflictSeverity;

/// A loaded policy table.
#[derive(Clone, Debug)]
pub struct Policy {
    rows: Vec<PolicyRow>,
    /// The same under every policy of a format version.
    cells: Arc<Cells>,
    choices: Choices,
    severities: Severities,
    telling: Telling,
    digest: [u8; 32],
    rules: [u8; 4],
}

const R4_FILE: &str = "r4.policy";
const R4_TABLE: &str = include_str!("../policy/r4.policy");

impl Policy {
    /// The built-in table for FHIR R4.
    pub fn r4() -> &'static Policy {
        static R4: OnceLock<Policy> = OnceLock::new();
        // The table is a constant that a test loads; an error can only be an empty policy.
        R4.get_or_init(|| Policy::parse(R4_FILE, R4_TABLE).unwrap_or_else(|_| Policy::empty()))
    }

    /// Reads a whole table; `file` is its name for errors.
    ///
    /// # Errors
    /// [`PolicyError`] names the first row that is wrong.
    pub fn parse(file: &str, table: &str) -> Result<Self, PolicyError> {
        let rows = row::read(file, table, false)?;
        let cells = Arc::new(Cells::compile(&rows)?);
        Self::compile(rows, cells)
    }

    /// The built-in table with a site's rows over it.
    ///
    /// # Errors
    /// [`PolicyError`], also for rows that would change where the cells are.
    pub fn with_site_table(file: &str, table: &str) -> Result<Self, PolicyError> {
        Self::r4().overlay(file, table)
    }

    /// This policy with a site's `lifecycle`, `failsafe`, `severity` and `telling` rows over it: a row takes
    /// the place of the row of its kind and path, or is added.
    ///
    /// # Errors
    /// [`PolicyError`], also for rows that would change where the cells are.
    pub fn overlay(&self, file: &str, table: &str) -> Result<Self, PolicyError> {
        let site = row::read(file, table, true)?;
        for (index, row) in site.iter().enumerate() {
            let mut former = site.iter().take(index);
            if former.any(|other| (other.kind, &other.path) == (row.kind, &row.path)) {
                return Err(row.error(PolicyErrorKind::Twice(row.path.clone())));
            }
        }
        let mut rows = self.rows.clone();
        for row in site {
            let same = |have: &&mut PolicyRow| (have.kind, &have.path) == (row.kind, &row.path);
            match rows.iter_mut().find(same) {
                Some(have) => *have = row,
                None => rows.push(row),
            }
        }
        Self::compile(rows, Arc::clone(&self.cells))
    }

    /// SHA-256 of the rows in effect, without their reasons and places; part of a version, because
    /// it decides what was shown.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Tells apart by what the guard judged an entry: by which policy, and by which program's rules.
    pub(crate) fn rules(&self) -> [u8; 4] {
        self.rules
    }

    /// The rows in effect: the table's in its order, each with a site's row in its place, then what
    /// a site added.
    pub fn rows(&self) -> &[PolicyRow] {
        &self.rows
    }

    fn empty() -> Self {
        Self {
            rows: Vec::new(),
            cells: Arc::default(),
            choices: Choices::default(),
            severities: Severities::default(),
            telling: Telling::default(),
            digest: [0; 32],
            rules: [0; 4],
        }
    }

    fn compile(rows: Vec<PolicyRow>, cells: Arc<Cells>) -> Result<Self, PolicyError> {
        let choices = Choices::compile(&rows, &cells)?;
        let severities = Severities::compile(&rows)?;
        let telling = Telling::compile(&rows)?;
        let digest = digest(&rows);
        let rules = Sha256::new().chain_update(digest).chain_update(env!("CARGO_PKG_VERSION"));
        let [a, b, c, d, ..]: [u8; 32] = rules.finalize().into();
        Ok(Self { rows, cells, choices, severities, telling, digest, rules: [a, b, c, d] })
    }

    /// The element whose number addresses the cell that `element` belongs to: the one that
    /// leads its group, or itself.
    pub(crate) fn leader(&self, element: ElementId) -> ElementId {
        self.cells.leader(element)
    }

    /// Whether `element` is written together with others.
    pub(crate) fn is_grouped(&self, element: ElementId) -> bool {
        self.cells.is_grouped(element)
    }

    /// Whether `element` is a backbone element that is one cell.
    pub(crate) fn is_whole(&self, element: ElementId) -> bool {
        self.cells.is_whole(element)
    }

    /// The elements of the cell that `leader` addresses.
    pub(crate) fn members(&self, leader: ElementId) -> impl Iterator<Item = ElementId> + '_ {
        let group = self.cells.group(leader);
        let alone = group.is_none().then_some(leader);
        group.into_iter().flatten().map(|&number| ElementId(number)).chain(alone)
    }

    /// What identifies the elements of the list `list`, which have the type `ty`.
    pub(crate) fn key(&self, list: ElementId, ty: TypeId) -> Option<&Key> {
        self.cells.key(list, ty)
    }

    /// The way from the value of the cell of `element` to its text, if several people write in it
    /// letter by letter.
    pub(crate) fn text(&self, element: ElementId) -> Option<&[Box<str>]> {
        self.cells.text(element)
    }

    pub(crate) fn type_key(&self, ty: TypeId) -> Option<&Key> {
        self.cells.type_key(ty)
    }

    /// How safe it is to show `members` (an object with the cell's members): smaller is safer.
    /// One number per element of the cell that has a `failsafe` row, after one for a retraction;
    /// without such a row the members are not asked for.
    pub(crate) fn rank(&self, leader: ElementId, members: impl FnOnce() -> Value) -> Vec<usize> {
        self.choices.rank(leader, members)
    }

    /// Whether what is `shown` in the cell of `leader` differs from each of `others` only by a later
    /// state of its life cycle (and no retraction): a difference, but hardly a dispute.
    pub(crate) fn is_settled(&self, leader: ElementId, shown: &Value, others: &[Value]) -> bool {
        self.choices.is_settled(leader, shown, others)
    }

    /// Whether the absence of the member with this JSON name tells something, so that a statement
    /// without it is another statement and not a shorter one.
    pub(crate) fn is_telling(&self, name: &str) -> bool {
        self.telling.holds(name)
    }

    /// How grave a conflict in the cell of `leader` is.
    pub(crate) fn severity(&self, leader: ElementId) -> ConflictSeverity {
        self.severities.of(leader, &self.cells)
    }
}

/// Sorted, because the order of rows decides nothing.
fn digest(rows: &[PolicyRow]) -> [u8; 32] {
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| format!("{}|{}|{}\n", row.kind.as_str(), row.path, row.what))
        .collect();
    lines.sort_unstable();
    let mut hasher = Sha256::new();
    for line in &lines {
        hasher.update(line);
    }
    hasher.finalize().into()
}
