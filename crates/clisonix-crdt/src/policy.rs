//! Policies: which cells belong together, and what is shown while siblings disagree.
//!
//! The table is one text file, `policy/r4.policy`, that a clinician and an engineer can read side
//! by side; it is checked against the element table when it is loaded. Groups and keys say where
//! the cells are and are fixed for a format version; ranks and severities are applied when reading,
//! so that they can be improved, or overridden by a site, without touching history.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use clisonix_fhir::json::Value;
use clisonix_fhir::schema::{ElementId, Scope, resource_named};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::layout::{self, Shape};

/// How grave an open conflict is, for whoever works through the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConflictSeverity {
    /// Contact data and the like.
    Low,
    /// The default.
    Medium,
    /// A wrong choice may harm.
    High,
}

impl ConflictSeverity {
    /// The lower-case name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Why a policy table was refused; `line` counts from 1.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The row's first word is none of `group`, `rank`, `key`, `severity`.
    #[error("line {line}: unknown kind of row `{word}`")]
    Kind {
        /// Line number.
        line: usize,
        /// The word found.
        word: String,
    },
    /// The path is not in the element table.
    #[error("line {line}: `{path}` is no element of FHIR R4")]
    Path {
        /// Line number.
        line: usize,
        /// The path found.
        path: String,
    },
    /// The row has too few words.
    #[error("line {line}: the row is incomplete")]
    Incomplete {
        /// Line number.
        line: usize,
    },
    /// The element already belongs to a group or has such a row.
    #[error("line {line}: `{path}` already has a row of this kind")]
    Twice {
        /// Line number.
        line: usize,
        /// The path found.
        path: String,
    },
    /// Groups and keys are part of the format and cannot be overridden.
    #[error("line {line}: a site table may hold `rank` and `severity` rows only")]
    Cells {
        /// Line number.
        line: usize,
    },
}

/// A loaded policy table.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Element number to the number of its group's first element.
    leaders: BTreeMap<u16, u16>,
    groups: BTreeMap<u16, Vec<u16>>,
    keys: BTreeMap<u16, Vec<Box<str>>>,
    ranks: BTreeMap<u16, Vec<Box<str>>>,
    severities: BTreeMap<u16, ConflictSeverity>,
    digest: [u8; 32],
}

const R4_TABLE: &str = include_str!("../policy/r4.policy");

impl Policy {
    /// The built-in table for FHIR R4.
    pub fn r4() -> &'static Policy {
        static R4: OnceLock<Policy> = OnceLock::new();
        // The table is a constant that a test loads; an error can only be an empty policy.
        R4.get_or_init(|| Policy::parse(R4_TABLE).unwrap_or_else(|_| Policy::empty()))
    }

    /// Reads a whole table.
    ///
    /// # Errors
    /// [`PolicyError`] names the first row that is wrong.
    pub fn parse(table: &str) -> Result<Self, PolicyError> {
        let mut policy = Self::empty();
        policy.read(table, true)?;
        Ok(policy)
    }

    /// The built-in table with a site's `rank` and `severity` rows over it.
    ///
    /// # Errors
    /// [`PolicyError`], also for rows that would change where the cells are.
    pub fn with_site_table(table: &str) -> Result<Self, PolicyError> {
        let mut policy = Self::r4().clone();
        policy.read(table, false)?;
        Ok(policy)
    }

    /// SHA-256 of the rows in effect; part of a version, because it decides what was shown.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    fn empty() -> Self {
        Self {
            leaders: BTreeMap::new(),
            groups: BTreeMap::new(),
            keys: BTreeMap::new(),
            ranks: BTreeMap::new(),
            severities: BTreeMap::new(),
            digest: [0; 32],
        }
    }

    fn read(&mut self, table: &str, built_in: bool) -> Result<(), PolicyError> {
        for (index, row) in table.lines().enumerate() {
            let line = index + 1;
            let row = row.split('#').next().unwrap_or_default();
            let words: Vec<&str> = row.split_whitespace().collect();
            let Some((&kind, words)) = words.split_first() else { continue };
            let (&path, members) = words.split_first().ok_or(PolicyError::Incomplete { line })?;
            if members.is_empty() {
                return Err(PolicyError::Incomplete { line });
            }
            match kind {
                "group" | "key" if !built_in => return Err(PolicyError::Cells { line }),
                "group" => self.read_group(line, path, members)?,
                "key" => {
                    let element = element_at(line, path)?;
                    for name in members {
                        member_of(line, layout::thing_scope(element), path, name)?;
                    }
                    let names = members.iter().map(|&name| name.into()).collect();
                    once(&mut self.keys, line, path, element, names, built_in)?;
                }
                "rank" => {
                    let codes = members.iter().map(|&code| code.into()).collect();
                    once(&mut self.ranks, line, path, element_at(line, path)?, codes, built_in)?;
                }
                "severity" => {
                    let severity = match members {
                        ["high"] => ConflictSeverity::High,
                        ["medium"] => ConflictSeverity::Medium,
                        ["low"] => ConflictSeverity::Low,
                        _ => return Err(PolicyError::Incomplete { line }),
                    };
                    let element = element_at(line, path)?;
                    once(&mut self.severities, line, path, element, severity, built_in)?;
                }
                word => return Err(PolicyError::Kind { line, word: word.to_owned() }),
            }
        }
        let mut hasher = Sha256::new();
        hasher.update(self.digest);
        hasher.update(table.as_bytes());
        self.digest = hasher.finalize().into();
        Ok(())
    }

    fn read_group(&mut self, line: usize, path: &str, names: &[&str]) -> Result<(), PolicyError> {
        let scope = match resource_named(path) {
            Some(ty) => Scope::Type(ty),
            None => layout::thing_scope(element_at(line, path)?),
        };
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            members.push(member_of(line, scope, path, name)?.0);
        }
        members.sort_unstable();
        // The leader's number is the address of the cell, so it must not ask for a list key.
        let single = |number: &&u16| {
            let element = ElementId(**number);
            !element.element().is_list() && layout::shape(element) == Shape::Atomic
        };
        let Some(&leader) = members.iter().find(single) else {
            return Err(PolicyError::Incomplete { line });
        };
        for &member in &members {
            if self.leaders.insert(member, leader).is_some() {
                return Err(PolicyError::Twice { line, path: path.to_owned() });
            }
        }
        self.groups.insert(leader, members);
        Ok(())
    }

    /// The element whose number addresses the cell that `element` belongs to: the first of its
    /// group, or itself.
    pub(crate) fn leader(&self, element: ElementId) -> ElementId {
        self.leaders.get(&element.0).map_or(element, |&leader| ElementId(leader))
    }

    /// Whether `element` is written together with others.
    pub(crate) fn is_grouped(&self, element: ElementId) -> bool {
        self.leaders.contains_key(&element.0)
    }

    /// The elements of the cell that `leader` addresses.
    pub(crate) fn members(&self, leader: ElementId) -> impl Iterator<Item = ElementId> + '_ {
        let group = self.groups.get(&leader.0);
        let alone = group.is_none().then_some(leader);
        group.into_iter().flatten().map(|&number| ElementId(number)).chain(alone)
    }

    pub(crate) fn key_members(&self, list: ElementId) -> &[Box<str>] {
        self.keys.get(&list.0).map_or(&[], Vec::as_slice)
    }

    /// How safe it is to show `members` (an object with the cell's members): smaller is safer.
    /// One number per ranked element of the cell.
    pub(crate) fn rank(&self, leader: ElementId, members: &Value) -> Vec<usize> {
        let mut ranks = Vec::new();
        let mut retracted = false;
        for element in self.members(leader) {
            let Some(codes) = self.ranks.get(&element.0) else { continue };
            let found = codes_of(element.element().name, members);
            retracted |= found.contains(&"entered-in-error");
            let rank = codes.iter().position(|code| found.iter().any(|have| **have == **code));
            ranks.push(rank.unwrap_or(codes.len()));
        }
        // A retraction absorbs whatever the group's other members say.
        ranks.insert(0, usize::from(!retracted));
        ranks
    }

    /// How grave a conflict in the cell of `leader` is.
    pub(crate) fn severity(&self, leader: ElementId) -> ConflictSeverity {
        let mut severity = None;
        for element in self.members(leader) {
            severity = severity.max(self.severities.get(&element.0).copied());
        }
        severity.unwrap_or_else(|| {
            let grave = self.groups.contains_key(&leader.0)
                || self.ranks.contains_key(&leader.0)
                || leader.element().modifier;
            if grave { ConflictSeverity::High } else { ConflictSeverity::Medium }
        })
    }
}

fn once<T>(
    map: &mut BTreeMap<u16, T>,
    line: usize,
    path: &str,
    element: ElementId,
    value: T,
    built_in: bool,
) -> Result<(), PolicyError> {
    match map.insert(element.0, value) {
        Some(_) if built_in => Err(PolicyError::Twice { line, path: path.to_owned() }),
        _ => Ok(()),
    }
}

fn element_at(line: usize, path: &str) -> Result<ElementId, PolicyError> {
    let unknown = || PolicyError::Path { line, path: path.to_owned() };
    let mut names = path.split('.');
    let ty = names.next().and_then(resource_named).ok_or_else(unknown)?;
    let mut scope = Scope::Type(ty);
    let mut found = None;
    for name in names {
        let element = member_of(line, scope, path, name)?;
        scope = layout::thing_scope(element);
        found = Some(element);
    }
    found.ok_or_else(unknown)
}

fn member_of(line: usize, scope: Scope, path: &str, name: &str) -> Result<ElementId, PolicyError> {
    let mut elements = scope.elements().iter().copied();
    elements
        .find(|element| element.element().name == name)
        .ok_or_else(|| PolicyError::Path { line, path: format!("{path}.{name}") })
}

/// The codes that the member `name` states: a code itself, a boolean, or a concept's codings.
fn codes_of<'a>(name: &str, members: &'a Value) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (member, value) in members.as_object().into_iter().flat_map(|object| object.iter()) {
        if member != name && member.strip_prefix(name).is_none_or(|ty| ty != "Boolean") {
            continue;
        }
        match value {
            Value::String(code) => found.push(&**code),
            Value::Bool(true) => found.push("true"),
            Value::Bool(false) => found.push("false"),
            other => {
                let codings = other.get("coding").and_then(Value::as_array).unwrap_or_default();
                found.extend(codings.iter().filter_map(|coding| coding.get("code")?.as_str()));
            }
        }
    }
    found
}
