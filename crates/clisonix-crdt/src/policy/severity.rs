//! How grave an open conflict is.

use std::collections::BTreeMap;

use clisonix_fhir::schema::ElementId;

use super::cells::{Cells, of_kind};
use super::error::{PolicyError, PolicyErrorKind};
use super::place::{ancestors, element_at};
use super::row::{PolicyRow, RowKind};

/// How grave an open conflict is, for whoever works through the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConflictSeverity {
    /// A wrong choice shows something unwanted, but changes no decision about treatment: contact
    /// data, a photo, a label.
    Low,
    /// A wrong choice could mislead, but hardly by itself; the default.
    Medium,
    /// A wrong choice could change a decision about treatment, or whose treatment it is.
    High,
}

impl ConflictSeverity {
    /// All, the least grave first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// One step less grave, if there is one.
    pub(crate) fn lowered(self) -> Self {
        match self {
            Self::High => Self::Medium,
            Self::Medium | Self::Low => Self::Low,
        }
    }
}

/// Elements that change the meaning of others.
const MODIFIER: &str = "@modifier";
/// Cells of several members.
const GROUP: &str = "@group";
/// Everything else.
const OTHER: &str = "@other";

/// The severities of a table.
#[derive(Clone, Debug, Default)]
pub(super) struct Severities {
    /// By path, `*.name` or named default.
    rows: BTreeMap<Box<str>, ConflictSeverity>,
}

impl Severities {
    pub(super) fn compile(rows: &[PolicyRow]) -> Result<Self, PolicyError> {
        let mut severities = Self::default();
        for row in of_kind(rows, RowKind::Severity) {
            let named = ConflictSeverity::ALL.into_iter().find(|s| s.as_str() == &*row.what);
            let severity =
                named.ok_or_else(|| row.error(PolicyErrorKind::Severity(row.what.clone())))?;
            if !is_known(&row.path) {
                return Err(row.error(PolicyErrorKind::Path(row.path.clone())));
            }
            if severities.rows.insert(row.path.clone(), severity).is_some() {
                return Err(row.error(PolicyErrorKind::Twice(row.path.clone())));
            }
        }
        Ok(severities)
    }

    /// The severity of a conflict in the cell of `leader`: the gravest of its members'.
    pub(super) fn of(&self, leader: ElementId, cells: &Cells) -> ConflictSeverity {
        let of_members = match cells.group(leader) {
            None => self.own(leader),
            Some(members) => {
                let own = members.iter().map(|&member| self.own(ElementId(member)));
                own.max().flatten().or_else(|| self.named(GROUP))
            }
        };
        of_members.or_else(|| self.named(OTHER)).unwrap_or(ConflictSeverity::Medium)
    }

    /// The element's own row, that of its name anywhere, that of modifiers, or that of what is
    /// around it.
    pub(super) fn own(&self, element: ElementId) -> Option<ConflictSeverity> {
        let definition = element.element();
        let own = self.named(definition.path);
        own.or_else(|| self.named(&format!("*.{}", definition.name)))
            .or_else(|| definition.modifier.then(|| self.named(MODIFIER)).flatten())
            .or_else(|| {
                let mut around = ancestors(element).skip(1);
                around.find_map(|(around, _)| self.named(around.element().path))
            })
    }

    fn named(&self, path: &str) -> Option<ConflictSeverity> {
        self.rows.get(path).copied()
    }
}

fn is_known(path: &str) -> bool {
    match path.strip_prefix("*.") {
        Some(name) => ElementId::all().any(|element| element.element().name == name),
        None => matches!(path, MODIFIER | GROUP | OTHER) || element_at(path).is_some(),
    }
}
